/**
 * Prompts, both ways: the encoded prompt of `effect/ai` and the prompt of the AI SDK's `LanguageModelV4`.
 *
 * Three things have no equal on the other side. An approval request of an assistant message is not sent (the AI SDK
 * knows only its response), and on the way back a provider's file reference, a reasoning file and a custom part travel
 * in the message's `options.interlock.unmapped`.
 *
 * @since 0.1.0
 */
import type {
  JSONObject,
  JSONValue,
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4ToolResultOutput,
  LanguageModelV4ToolResultPart,
  SharedV4FileData,
  SharedV4ProviderOptions
} from "@ai-sdk/provider"
import type { Schema } from "effect"
import type { Prompt } from "effect/ai"
import { isEmpty, toJson, toJsonObject } from "./json.ts"

type Options = { readonly [provider: string]: Schema.Json } | undefined
type AssistantParts = Extract<LanguageModelV4Message, { role: "assistant" }>["content"]
type ToolParts = Extract<LanguageModelV4Message, { role: "tool" }>["content"]

/** The `providerOptions` field of a part, where there is something to say. */
export const providerOptions = (options: Options): { providerOptions?: SharedV4ProviderOptions } => {
  if (options === undefined) return {}
  const kept: SharedV4ProviderOptions = {}
  for (const [provider, value] of Object.entries(options)) {
    if (provider === "interlock" || typeof value !== "object" || value === null || Array.isArray(value)) continue
    kept[provider] = toJsonObject(value) as JSONObject
  }
  return isEmpty(kept) ? {} : { providerOptions: kept }
}

const dataUrl = /^data:[^,]*,/i

const fromDataUrl = (head: string, body: string): string => {
  if (/;base64,$/i.test(head)) return body
  try {
    return Buffer.from(decodeURIComponent(body)).toString("base64")
  } catch {
    return Buffer.from(body).toString("base64")
  }
}

const fileData = (data: Prompt.FilePartEncoded["data"]): SharedV4FileData => {
  if (typeof data === "string") {
    if (/^https?:\/\//i.test(data) && URL.canParse(data)) return { type: "url", url: new URL(data) }
    const [head] = dataUrl.exec(data) ?? []
    return { type: "data", data: head === undefined ? data : fromDataUrl(head, data.slice(head.length)) }
  }
  if (data instanceof Uint8Array) return { type: "data", data }
  if (data instanceof URL) return fileData(data.href)
  return data._tag === "URL" ? fileData(data.href) : { type: "data", data: data.base64 }
}

const filePart = (part: Prompt.FilePartEncoded): LanguageModelV4FilePart => ({
  type: "file",
  mediaType: part.mediaType,
  data: fileData(part.data),
  ...(part.fileName === undefined ? {} : { filename: part.fileName }),
  ...providerOptions(part.options)
})

const toolOutput = (part: Prompt.ToolResultPartEncoded): LanguageModelV4ToolResultOutput => {
  if (part.modelOutput !== undefined) {
    return {
      type: "content",
      value: part.modelOutput.map((output) =>
        output.type === "text"
          ? { type: "text", text: output.text, ...providerOptions(output.options) }
          : filePart(output)
      )
    }
  }
  if (typeof part.result === "string") return { type: part.isFailure ? "error-text" : "text", value: part.result }
  const value = (toJson(part.result) ?? null) as JSONValue
  return { type: part.isFailure ? "error-json" : "json", value }
}

const toolResult = (part: Prompt.ToolResultPartEncoded): LanguageModelV4ToolResultPart => ({
  type: "tool-result",
  toolCallId: part.id,
  toolName: part.name,
  output: toolOutput(part),
  ...providerOptions(part.options)
})

/** What a tool was called with. No provider takes anything but an object back, and a model may have written what is none. */
const toolInput = (params: unknown): unknown => {
  if (params === undefined || params === null) return {}
  return typeof params === "object" && !Array.isArray(params) ? params : { rawInvalidInput: params }
}

const assistantParts = (content: Prompt.AssistantMessageEncoded["content"]): AssistantParts => {
  if (typeof content === "string") return [{ type: "text", text: content }]
  const parts: AssistantParts = []
  for (const part of content) {
    switch (part.type) {
      case "text":
      case "reasoning":
        parts.push({ type: part.type, text: part.text, ...providerOptions(part.options) })
        break
      case "file":
        parts.push(filePart(part))
        break
      case "tool-call":
        parts.push({
          type: "tool-call",
          toolCallId: part.id,
          toolName: part.name,
          input: toolInput(part.params),
          ...(part.providerExecuted === true ? { providerExecuted: true } : {}),
          ...providerOptions(part.options)
        })
        break
      case "tool-result":
        parts.push(toolResult(part))
        break
      case "tool-approval-request":
        break
    }
  }
  return parts
}

const message = (self: Prompt.MessageEncoded): LanguageModelV4Message => {
  const options = providerOptions(self.options)
  switch (self.role) {
    case "system":
      return { role: "system", content: self.content, ...options }
    case "user":
      return {
        role: "user",
        content:
          typeof self.content === "string"
            ? [{ type: "text", text: self.content }]
            : self.content.map((part) =>
                part.type === "file"
                  ? filePart(part)
                  : { type: "text", text: part.text, ...providerOptions(part.options) }
              ),
        ...options
      }
    case "assistant":
      return { role: "assistant", content: assistantParts(self.content), ...options }
    case "tool":
      return {
        role: "tool",
        content: self.content.map((part) =>
          part.type === "tool-result"
            ? toolResult(part)
            : {
                type: "tool-approval-response",
                approvalId: part.approvalId,
                approved: part.approved,
                ...(part.reason === undefined ? {} : { reason: part.reason }),
                ...providerOptions(part.options)
              }
        ),
        ...options
      }
  }
}

/** The AI SDK's prompt that says the same as this prompt. */
export const toAiSdk = (prompt: Prompt.PromptEncoded): LanguageModelV4Prompt => prompt.content.map(message)

const options = (
  self: SharedV4ProviderOptions | undefined,
  unmapped: ReadonlyArray<unknown> = []
): { options?: { readonly [provider: string]: Schema.Json } } => {
  if (self === undefined && unmapped.length === 0) return {}
  const kept = self === undefined ? {} : toJsonObject(self)
  return unmapped.length === 0
    ? { options: kept }
    : { options: { ...kept, interlock: { unmapped: unmapped.map((part) => toJson(part) ?? null) } } }
}

const fromFile = (part: LanguageModelV4FilePart): Prompt.FilePartEncoded | undefined => {
  const rest = {
    type: "file",
    mediaType: part.mediaType,
    ...(part.filename === undefined ? {} : { fileName: part.filename }),
    ...options(part.providerOptions)
  } as const
  switch (part.data.type) {
    case "data":
      return {
        ...rest,
        data: typeof part.data.data === "string" ? part.data.data : Buffer.from(part.data.data).toString("base64")
      }
    case "url":
      return { ...rest, data: { _tag: "URL", href: part.data.url.href } }
    case "text":
      return { ...rest, data: Buffer.from(part.data.text).toString("base64") }
    case "reference":
      return undefined
  }
}

const fromOutput = (
  output: LanguageModelV4ToolResultOutput
): Pick<Prompt.ToolResultPartEncoded, "result" | "isFailure" | "modelOutput"> => {
  switch (output.type) {
    case "text":
    case "json":
      return { result: output.value, isFailure: false }
    case "error-text":
    case "error-json":
      return { result: output.value, isFailure: true }
    case "execution-denied":
      return { result: output.reason ?? "The tool call was denied.", isFailure: true }
    case "content": {
      const modelOutput: Array<Prompt.TextPartEncoded | Prompt.FilePartEncoded> = []
      for (const part of output.value) {
        if (part.type === "text") {
          modelOutput.push({ type: "text", text: part.text, ...options(part.providerOptions) })
        } else if (part.type === "file") {
          const file = fromFile(part)
          if (file !== undefined) modelOutput.push(file)
        }
      }
      const text = modelOutput.filter((part) => part.type === "text").map((part) => part.text)
      return { result: text.join("\n"), isFailure: false, modelOutput }
    }
  }
}

const fromToolResult = (part: LanguageModelV4ToolResultPart): Prompt.ToolResultPartEncoded => ({
  type: "tool-result",
  id: part.toolCallId,
  name: part.toolName,
  ...fromOutput(part.output),
  ...options(part.providerOptions)
})

const fromAssistant = (content: AssistantParts) => {
  const parts: Array<Prompt.AssistantMessagePartEncoded> = []
  const unmapped: Array<unknown> = []
  for (const part of content) {
    switch (part.type) {
      case "text":
      case "reasoning":
        parts.push({ type: part.type, text: part.text, ...options(part.providerOptions) })
        break
      case "file": {
        const file = fromFile(part)
        if (file === undefined) unmapped.push(part)
        else parts.push(file)
        break
      }
      case "tool-call":
        parts.push({
          type: "tool-call",
          id: part.toolCallId,
          name: part.toolName,
          params: part.input,
          ...(part.providerExecuted === true ? { providerExecuted: true } : {}),
          ...options(part.providerOptions)
        })
        break
      case "tool-result":
        parts.push(fromToolResult(part))
        break
      default:
        unmapped.push(part)
    }
  }
  return { parts, unmapped }
}

const fromTool = (content: ToolParts): ReadonlyArray<Prompt.ToolMessagePartEncoded> =>
  content.map((part) =>
    part.type === "tool-result"
      ? fromToolResult(part)
      : {
          type: "tool-approval-response",
          approvalId: part.approvalId,
          approved: part.approved,
          ...(part.reason === undefined ? {} : { reason: part.reason }),
          ...options(part.providerOptions)
        }
  )

const fromMessage = (self: LanguageModelV4Message): Prompt.MessageEncoded => {
  switch (self.role) {
    case "system":
      return { role: "system", content: self.content, ...options(self.providerOptions) }
    case "user": {
      const content: Array<Prompt.UserMessagePartEncoded> = []
      const unmapped: Array<unknown> = []
      for (const part of self.content) {
        const mapped: Prompt.UserMessagePartEncoded | undefined =
          part.type === "text" ? { type: "text", text: part.text, ...options(part.providerOptions) } : fromFile(part)
        if (mapped === undefined) unmapped.push(part)
        else content.push(mapped)
      }
      return { role: "user", content, ...options(self.providerOptions, unmapped) }
    }
    case "assistant": {
      const { parts, unmapped } = fromAssistant(self.content)
      return { role: "assistant", content: parts, ...options(self.providerOptions, unmapped) }
    }
    case "tool":
      return { role: "tool", content: fromTool(self.content), ...options(self.providerOptions) }
  }
}

/** The encoded prompt that says the same as an AI SDK prompt. */
export const fromAiSdk = (prompt: LanguageModelV4Prompt): Prompt.PromptEncoded => ({
  content: prompt.map(fromMessage)
})

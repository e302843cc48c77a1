/**
 * Parts of a reply, both ways: the encoded parts of `effect/ai` and the content and stream parts of the AI SDK.
 *
 * A part of the AI SDK without an equal never breaks a reply: it is kept, as JSON, in the metadata of the `finish` part
 * (`metadata.interlock.unmapped`), together with the provider's warnings (`metadata.interlock.warnings`). What Anthropic says
 * of the prompt's tokens when a stream begins stands in a `response-metadata` part, so that a stream that breaks off is priced
 * by it.
 *
 * @since 0.1.0
 */
import type {
  JSONObject,
  JSONValue,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4ResponseMetadata,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
  SharedV4Warning
} from "@ai-sdk/provider"
import { interlock } from "@interlock/model/Part"
import type { Schema } from "effect"
import type { Response } from "effect/ai"
import { isEmpty, toJson, toJsonObject } from "./json.ts"

type Part = Response.AllPartsEncoded
type Metadata = { readonly [provider: string]: Schema.Json }

const metadata = (self: SharedV4ProviderMetadata | undefined, interlock?: object): { metadata?: Metadata } => {
  const kept = self === undefined || self === null ? {} : toJsonObject(self)
  if (interlock !== undefined) return { metadata: { ...kept, interlock: toJsonObject(interlock) } }
  return isEmpty(kept) ? {} : { metadata: kept }
}

const tokens = (count: unknown): number | undefined => {
  if (typeof count !== "number" || !(count >= 0)) return undefined
  const rounded = Math.round(count) + 0
  return Number.isSafeInteger(rounded) ? rounded : undefined
}

const counts = (self: { readonly [name: string]: unknown }): { readonly [name: string]: number } => {
  const kept: { [name: string]: number } = {}
  for (const name in self) {
    const count = tokens(self[name])
    if (count !== undefined) kept[name] = count
  }
  return kept
}

const usable = (count: unknown): boolean => count === undefined || count === null || tokens(count) === count

/**
 * Token counts as whole numbers; a fraction is rounded, and a count that is no count (negative, infinite, not a number)
 * is left out.
 */
export const usage = (self: LanguageModelV4Usage): Response.FinishPartEncoded["usage"] => {
  const input = self?.inputTokens
  const output = self?.outputTokens
  return {
    inputTokens: counts({
      uncached: input?.noCache,
      total: input?.total,
      cacheRead: input?.cacheRead,
      cacheWrite: input?.cacheWrite
    }),
    outputTokens: counts({ total: output?.total, text: output?.text, reasoning: output?.reasoning })
  }
}

const isExact = (self: LanguageModelV4Usage): boolean =>
  [...Object.values(self?.inputTokens ?? {}), ...Object.values(self?.outputTokens ?? {})].every(usable)

const fieldsOf = (value: unknown): { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null ? (value as { readonly [name: string]: unknown }) : {}

const anthropicUsage = (self: SharedV4ProviderMetadata | undefined): { readonly [name: string]: unknown } =>
  fieldsOf(self?.["anthropic"]?.["usage"])

/** How many of the tokens written to Anthropic's cache stay there for an hour, at another price. */
const cacheWriteOneHour = (self: SharedV4ProviderMetadata | undefined): { readonly cacheWriteOneHour?: number } => {
  const count = tokens(fieldsOf(anthropicUsage(self)["cache_creation"])["ephemeral_1h_input_tokens"])
  return count === undefined || count === 0 ? {} : { cacheWriteOneHour: count }
}

/** The tier in which OpenAI or Google served the call, where it is one with prices of its own. */
const serviceTier = (self: SharedV4ProviderMetadata | undefined): { readonly serviceTier?: string } => {
  const tier = self?.["openai"]?.["serviceTier"] ?? self?.["google"]?.["serviceTier"]
  return tier === "flex" || tier === "priority" || tier === "fast" ? { serviceTier: tier } : {}
}

const finishReason = (self: LanguageModelV4FinishReason): Response.FinishPartEncoded["reason"] => {
  // The model has not finished: it wants to go on from the same conversation.
  if (self?.raw === "pause_turn") return "pause"
  switch (self?.unified) {
    case "stop":
    case "length":
    case "content-filter":
    case "tool-calls":
    case "error":
    case "other":
      return self.unified
    default:
      return "unknown"
  }
}

const params = (input: unknown): { readonly params: unknown; readonly invalid: boolean } => {
  if (typeof input !== "string") return { params: toJson(input) ?? {}, invalid: false }
  if (input.trim() === "") return { params: {}, invalid: false }
  try {
    return { params: JSON.parse(input), invalid: false }
  } catch {
    return { params: input, invalid: true }
  }
}

/** Remembers, during one reply, what the `finish` part has to say. */
export class Reader {
  private readonly unmapped: Array<unknown> = []
  /** Whether a tool of the program's is called, for which some servers say that the model stopped. */
  private called = false
  private readonly warnings: Array<SharedV4Warning> = []

  /** What the provider says of the prompt's tokens before it answers. */
  private begun(part: Extract<LanguageModelV4Content, { type: "custom" }>): Part | undefined {
    const said = anthropicUsage(part.providerMetadata)
    const uncached = tokens(said["input_tokens"])
    if (uncached === undefined) return undefined
    const cacheRead = tokens(said["cache_read_input_tokens"]) ?? 0
    const cacheWrite = tokens(said["cache_creation_input_tokens"]) ?? 0
    const inputTokens = { uncached, total: uncached + cacheRead + cacheWrite, cacheRead, cacheWrite }
    return {
      type: "response-metadata",
      metadata: { interlock: { inputTokens, ...cacheWriteOneHour(part.providerMetadata) } }
    }
  }

  /** The parts of a whole answer, in order, closed by `finish`. */
  whole(result: LanguageModelV4GenerateResult): ReadonlyArray<Part> {
    const parts: Array<Part> = []
    this.warnings.push(...(result.warnings ?? []))
    if (result.response !== undefined) this.push(parts, responseMetadata(result.response))
    for (const content of result.content ?? []) this.push(parts, this.content(content))
    const { structuredOutputText } = result
    parts.push(
      this.finish({ ...result, ...(structuredOutputText === undefined ? {} : { interlock: { structuredOutputText } }) })
    )
    return parts
  }

  /** What one stream part says, or `undefined` where it says nothing to a caller. An `error` part is the call's to handle. */
  stream(part: Exclude<LanguageModelV4StreamPart, { type: "error" }>): Part | undefined {
    switch (part.type) {
      case "text-start":
      case "text-end":
      case "reasoning-start":
      case "reasoning-end":
        return { type: part.type, id: String(part.id), ...metadata(part.providerMetadata) }
      case "text-delta":
      case "reasoning-delta":
        if (typeof part.delta !== "string" || (part.delta === "" && part.providerMetadata === undefined))
          return undefined
        return { type: part.type, id: String(part.id), delta: part.delta, ...metadata(part.providerMetadata) }
      case "tool-input-start":
        return {
          type: "tool-params-start",
          id: part.id,
          name: part.toolName,
          ...(part.providerExecuted === true ? { providerExecuted: true } : {}),
          ...metadata(part.providerMetadata)
        }
      case "tool-input-delta":
        return { type: "tool-params-delta", id: part.id, delta: part.delta, ...metadata(part.providerMetadata) }
      case "tool-input-end":
        return { type: "tool-params-end", id: part.id, ...metadata(part.providerMetadata) }
      case "stream-start":
        this.warnings.push(...(part.warnings ?? []))
        return undefined
      case "response-metadata":
        return responseMetadata(part)
      case "finish":
        return this.finish(part)
      case "ping":
      case "raw":
        return undefined
      case "custom":
        return part.kind === "anthropic.message_start" ? this.begun(part) : this.content(part)
      default:
        return this.content(part)
    }
  }

  private push(parts: Array<Part>, part: Part | undefined): void {
    if (part !== undefined) parts.push(part)
  }

  private keep(part: unknown): undefined {
    this.unmapped.push(part)
    return undefined
  }

  private content(part: LanguageModelV4Content): Part | undefined {
    switch (part.type) {
      case "text":
        return {
          type: "text",
          text: part.text,
          ...metadata(
            part.providerMetadata,
            part.citations === undefined || part.citations.length === 0 ? undefined : { citations: part.citations }
          )
        }
      case "reasoning":
        return { type: "reasoning", text: part.text, ...metadata(part.providerMetadata) }
      case "file": {
        if (part.data?.type !== "data") return this.keep(part)
        const { data } = part.data
        return {
          type: "file",
          mediaType: part.mediaType,
          data: typeof data === "string" ? data : Buffer.from(data).toString("base64"),
          ...metadata(part.providerMetadata)
        }
      }
      case "source": {
        if (part.sourceType === "document") {
          return {
            type: "source",
            sourceType: "document",
            id: part.id,
            mediaType: part.mediaType,
            title: part.title ?? part.filename ?? part.id,
            ...(part.filename === undefined ? {} : { fileName: part.filename }),
            ...metadata(part.providerMetadata)
          }
        }
        if (!URL.canParse(part.url)) return this.keep(part)
        return {
          type: "source",
          sourceType: "url",
          id: part.id,
          url: part.url,
          title: part.title ?? new URL(part.url).host,
          ...metadata(part.providerMetadata)
        }
      }
      case "tool-call": {
        const input = params(part.input)
        this.called ||= part.providerExecuted !== true
        return {
          type: "tool-call",
          id: part.toolCallId,
          name: part.toolName,
          params: input.params,
          ...(part.providerExecuted === true ? { providerExecuted: true } : {}),
          ...metadata(part.providerMetadata, input.invalid ? { invalidParams: true } : undefined)
        }
      }
      case "tool-result":
        return {
          type: "tool-result",
          id: part.toolCallId,
          name: part.toolName,
          result: toJson(part.result) ?? null,
          isFailure: part.isError === true,
          providerExecuted: true,
          ...(part.preliminary === true ? { preliminary: true } : {}),
          ...metadata(part.providerMetadata)
        }
      case "tool-approval-request":
        return {
          type: "tool-approval-request",
          approvalId: part.approvalId,
          toolCallId: part.toolCallId,
          ...metadata(part.providerMetadata)
        }
      default:
        return this.keep(part)
    }
  }

  private finish(self: {
    readonly finishReason: LanguageModelV4FinishReason
    readonly usage: LanguageModelV4Usage
    readonly providerMetadata?: SharedV4ProviderMetadata
    readonly interlock?: object
  }): Response.FinishPartEncoded {
    const interlock = {
      ...self.interlock,
      ...(this.warnings.length === 0 ? {} : { warnings: this.warnings }),
      ...(this.unmapped.length === 0 ? {} : { unmapped: this.unmapped }),
      ...(isExact(self.usage) ? {} : { reportedUsage: self.usage }),
      ...cacheWriteOneHour(self.providerMetadata),
      ...serviceTier(self.providerMetadata)
    }
    const reason = finishReason(self.finishReason)
    return {
      type: "finish",
      reason: reason === "stop" && this.called ? "tool-calls" : reason,
      usage: usage(self.usage),
      ...metadata(self.providerMetadata, isEmpty(interlock) ? undefined : interlock)
    }
  }
}

const responseMetadata = (self: {
  readonly id?: string
  readonly modelId?: string
  readonly timestamp?: Date
}): Response.ResponseMetadataPartEncoded | undefined => {
  const timestamp = self.timestamp === undefined ? undefined : toJson(self.timestamp)
  const part = {
    ...(typeof self.id === "string" ? { id: self.id } : {}),
    ...(typeof self.modelId === "string" ? { modelId: self.modelId } : {}),
    ...(typeof timestamp === "string" ? { timestamp } : {})
  }
  return isEmpty(part) ? undefined : { type: "response-metadata", ...part }
}

const providerMetadata = (self: Metadata | undefined): { providerMetadata?: SharedV4ProviderMetadata } => {
  if (self === undefined) return {}
  const kept: SharedV4ProviderMetadata = {}
  for (const [provider, value] of Object.entries(self)) {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) kept[provider] = value as JSONObject
  }
  return isEmpty(kept) ? {} : { providerMetadata: kept }
}

const aiSdkUsage = (self: Response.FinishPartEncoded["usage"]): LanguageModelV4Usage => ({
  inputTokens: {
    total: self.inputTokens.total,
    noCache: self.inputTokens.uncached,
    cacheRead: self.inputTokens.cacheRead,
    cacheWrite: self.inputTokens.cacheWrite
  },
  outputTokens: {
    total: self.outputTokens.total,
    text: self.outputTokens.text,
    reasoning: self.outputTokens.reasoning
  }
})

const aiSdkReason = (reason: Response.FinishPartEncoded["reason"]): LanguageModelV4FinishReason => ({
  unified: reason === "pause" || reason === "unknown" ? "other" : reason,
  raw: reason
})

/** How the AI SDK says a finish part, or that there was none. */
export const toFinish = (
  part: Response.FinishPartEncoded | undefined
): Pick<LanguageModelV4GenerateResult, "finishReason" | "usage" | "providerMetadata"> => ({
  finishReason: part === undefined ? { unified: "other", raw: undefined } : aiSdkReason(part.reason),
  usage: aiSdkUsage(part?.usage ?? { inputTokens: {}, outputTokens: {} }),
  ...providerMetadata(part?.metadata)
})

/** How the AI SDK says which response it was. */
export const toResponse = (part: Response.ResponseMetadataPartEncoded): LanguageModelV4ResponseMetadata => ({
  ...(part.id === undefined ? {} : { id: part.id }),
  ...(part.modelId === undefined ? {} : { modelId: part.modelId }),
  ...(part.timestamp === undefined ? {} : { timestamp: new Date(part.timestamp) })
})

/** The AI SDK's stream parts that say the same as one part; a whole `text` or `reasoning` becomes start, delta and end. */
export const toStreamParts = (part: Part, index: number): ReadonlyArray<LanguageModelV4StreamPart> => {
  switch (part.type) {
    case "text":
    case "reasoning": {
      const id = `${part.type}-${index}`
      return [
        { type: `${part.type}-start`, id },
        { type: `${part.type}-delta`, id, delta: part.text },
        { type: `${part.type}-end`, id, ...providerMetadata(part.metadata) }
      ]
    }
    case "text-start":
    case "text-end":
    case "reasoning-start":
    case "reasoning-end":
      return [{ type: part.type, id: part.id, ...providerMetadata(part.metadata) }]
    case "text-delta":
    case "reasoning-delta":
      return [{ type: part.type, id: part.id, delta: part.delta, ...providerMetadata(part.metadata) }]
    case "tool-params-start":
      return [
        {
          type: "tool-input-start",
          id: part.id,
          toolName: part.name,
          ...(part.providerExecuted === true ? { providerExecuted: true } : {}),
          ...providerMetadata(part.metadata)
        }
      ]
    case "tool-params-delta":
      return [{ type: "tool-input-delta", id: part.id, delta: part.delta, ...providerMetadata(part.metadata) }]
    case "tool-params-end":
      return [{ type: "tool-input-end", id: part.id, ...providerMetadata(part.metadata) }]
    case "response-metadata":
      return [{ type: "response-metadata", ...toResponse(part) }]
    case "finish":
      return [{ type: "finish", ...toFinish(part) }]
    case "error":
      return [{ type: "error", error: part.error }]
    default:
      return [toContent(part)]
  }
}

type Standing = Extract<
  Part,
  { type: "text" | "reasoning" | "file" | "source" | "tool-call" | "tool-result" | "tool-approval-request" }
>
type StandingContent<P> = P extends { type: "text" | "reasoning" }
  ? Extract<LanguageModelV4Content, { type: "text" | "reasoning" }>
  : Extract<LanguageModelV4Content, { type: "file" | "source" | "tool-call" | "tool-result" | "tool-approval-request" }>

/** The AI SDK's content that says the same as a part that stands alone. */
export const toContent = <P extends Standing>(part: P): StandingContent<P> => content(part) as StandingContent<P>

const content = (part: Standing): LanguageModelV4Content => {
  const more = providerMetadata(part.metadata)
  switch (part.type) {
    case "text":
    case "reasoning":
      return { type: part.type, text: part.text, ...more }
    case "file":
      return { type: "file", mediaType: part.mediaType, data: { type: "data", data: part.data }, ...more }
    case "source":
      return part.sourceType === "url"
        ? { type: "source", sourceType: "url", id: part.id, url: part.url, title: part.title, ...more }
        : {
            type: "source",
            sourceType: "document",
            id: part.id,
            mediaType: part.mediaType,
            title: part.title,
            ...(part.fileName === undefined ? {} : { filename: part.fileName }),
            ...more
          }
    case "tool-call":
      return {
        type: "tool-call",
        toolCallId: part.id,
        toolName: part.name,
        // What was no JSON when the model wrote it is handed on as it was written.
        input:
          typeof part.params === "string" && interlock(part)["invalidParams"] === true
            ? part.params
            : JSON.stringify(part.params === undefined ? {} : toJson(part.params)),
        ...(part.providerExecuted === true ? { providerExecuted: true } : {}),
        ...more
      }
    case "tool-result":
      return {
        type: "tool-result",
        toolCallId: part.id,
        toolName: part.name,
        result: (toJson(part.result) ?? {}) as NonNullable<JSONValue>,
        ...(part.isFailure ? { isError: true } : {}),
        ...(part.preliminary === true ? { preliminary: true } : {}),
        ...more
      }
    case "tool-approval-request":
      return { type: "tool-approval-request", approvalId: part.approvalId, toolCallId: part.toolCallId, ...more }
  }
}

/**
 * A `Source` is a file of prompts or of traffic, one JSON object a line: `{"prompt": "…"}`, or `{"messages": [{"role": "user",
 * "content": "…"}]}` as providers log it; with an optional `id`. It is read as a stream, however large it is.
 *
 * Of messages, the prompt is all up to the last of the user; an answer that stands behind it is left out. A `content` may be a text or
 * parts of text, and `system` may stand beside the messages; a picture is no text, and its row is unreadable. Other fields, such as `tools`
 * and `model`, are not read: what is asked, and how, is your pipeline's to say.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import { Prompt } from "@interlock/model"
import { Effect, FileSystem, Result, Schema, Stream } from "effect"
import * as Lines from "./internal/lines.ts"

/**
 * A line of a source: a prompt, or why it is none. Lines count from 1.
 *
 * @category models
 * @since 0.1.0
 */
export type Line =
  | { readonly _tag: "Prompt"; readonly line: number; readonly id: string; readonly prompt: Prompt.Prompt }
  | { readonly _tag: "Unreadable"; readonly line: number; readonly reason: string }

/**
 * The source cannot be read at all.
 *
 * @category errors
 * @since 0.1.0
 */
export class SourceError extends Schema.TaggedError<SourceError>()("@interlock/collector/SourceError", {
  path: Schema.String,
  message: Schema.String
}) {}

const notBlank = Schema.isPattern(/\S/, { message: "Expected a text that is not empty" })
const NotBlank = Schema.String.pipe(Schema.check(notBlank))
/** A text, or the parts that providers log it in. */
const Content = Schema.Union([
  Schema.String,
  Schema.Array(Schema.Struct({ type: Schema.Literals(["text", "input_text", "output_text"]), text: Schema.String }))
])
const ToolCall = Schema.Struct({
  id: Schema.String,
  function: Schema.Struct({ name: Schema.String, arguments: Schema.String })
})
const Message = Schema.Union([
  Schema.Struct({ role: Schema.Literals(["system", "developer", "user"]), content: Content }),
  Schema.Struct({
    role: Schema.Literal("assistant"),
    content: Schema.optionalKey(Schema.NullOr(Content)),
    tool_calls: Schema.optionalKey(Schema.Array(ToolCall))
  }),
  Schema.Struct({ role: Schema.Literal("tool"), tool_call_id: Schema.String, content: Content })
])
const Row = Schema.Struct({
  id: Schema.optionalKey(Schema.String),
  system: Schema.optionalKey(NotBlank),
  prompt: Schema.optionalKey(NotBlank),
  messages: Schema.optionalKey(Schema.Array(Message))
})
const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Row))

const textOf = (content: typeof Content.Type): string =>
  typeof content === "string" ? content : content.map(({ text }) => text).join("\n")

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

/** What a tool returned, or was given: JSON where it is. */
const valueOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The conversation up to the last question, or why there is none. */
const conversation = (messages: ReadonlyArray<typeof Message.Type>): Prompt.Prompt | string => {
  const last = messages.findLastIndex(({ role }) => role === "user")
  if (last < 0) return "Expected a message of the user"
  const asked = messages.slice(0, last + 1)
  const blank = asked.findIndex(
    ({ content, role }) => role !== "assistant" && role !== "tool" && textOf(content ?? "").trim() === ""
  )
  if (blank >= 0) return `Expected a text that is not empty at ["messages"][${blank}]["content"]`
  const names = new Map<string, string>()
  return Prompt.make(
    asked.map((message): Prompt.Message => {
      switch (message.role) {
        case "assistant": {
          const text = textOf(message.content ?? "")
          const calls = message.tool_calls ?? []
          if (calls.length === 0) return { role: "assistant", content: text }
          for (const call of calls) names.set(call.id, call.function.name)
          return {
            role: "assistant",
            content: [
              ...(text === "" ? [] : [{ type: "text", text } as const]),
              ...calls.map((call) => ({
                type: "tool-call" as const,
                id: call.id,
                name: call.function.name,
                params: valueOf(call.function.arguments)
              }))
            ]
          }
        }
        case "tool":
          return {
            role: "tool",
            content: [
              {
                type: "tool-result",
                id: message.tool_call_id,
                name: names.get(message.tool_call_id) ?? "tool",
                isFailure: false,
                result: valueOf(textOf(message.content))
              }
            ]
          }
        default:
          return { role: message.role === "user" ? "user" : "system", content: textOf(message.content) }
      }
    })
  )
}

/**
 * Reads one line; an empty one is `undefined`.
 *
 * ```ts
 * import * as Source from "@interlock/collector/Source"
 *
 * console.assert(Source.parse('{"prompt": "When are you open?"}', 1)?._tag === "Prompt")
 * console.assert(Source.parse('{"prompt": 7}', 2)?._tag === "Unreadable")
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (text: string, line: number): Line | undefined => {
  if (text.trim() === "") return undefined
  const row = decode(line === 1 ? text.replace(/^\uFEFF/, "") : text)
  if (Result.isFailure(row)) return { _tag: "Unreadable", line, reason: oneLine(String(row.failure.message)) }
  const { id = String(line), messages, prompt, system } = row.success
  if ((prompt === undefined) === (messages === undefined)) {
    return { _tag: "Unreadable", line, reason: "Expected either a prompt or messages" }
  }
  const made = conversation([
    ...(system === undefined ? [] : [{ role: "system", content: system } as const]),
    ...(prompt === undefined ? (messages ?? []) : [{ role: "user", content: prompt } as const])
  ])
  return typeof made === "string"
    ? { _tag: "Unreadable", line, reason: made }
    : { _tag: "Prompt", line, id, prompt: made }
}

/**
 * The lines of a file, empty ones left out. `whole` is told the SHA-256 of the file when it was read to its end.
 *
 * @category reading
 * @since 0.1.0
 */
export const lines = (
  path: string,
  whole: (sha256: string) => void = () => {}
): Stream.Stream<Line, SourceError, FileSystem.FileSystem> =>
  Stream.unwrap(
    Effect.map(FileSystem.FileSystem, (files) => {
      const hash = createHash("sha256")
      let line = 0
      return files.stream(path).pipe(
        Stream.mapError(
          (error) =>
            new SourceError({
              path,
              message: `${path} cannot be read: ${error.reason._tag === "NotFound" ? "there is no such file" : error.message}. Give a file with {"prompt": "…"} or {"messages": […]} a line`
            })
        ),
        Stream.map((bytes) => {
          hash.update(bytes)
          return bytes
        }),
        Lines.lines,
        Stream.map((text): Line | undefined => {
          line++
          return text === undefined
            ? { _tag: "Unreadable", line, reason: "it is not UTF-8; save the file as UTF-8" }
            : parse(text, line)
        }),
        Stream.filter((one) => one !== undefined),
        Stream.onEnd(Effect.sync(() => whole(hash.digest("hex"))))
      )
    })
  )

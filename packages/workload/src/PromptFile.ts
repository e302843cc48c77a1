/**
 * A `PromptFile` is a file of prompts, one JSON object a line: `{"prompt": "…"}`, with an optional `id`.
 *
 * A line that cannot be read is reported with its number and the reason, and the others go on.
 *
 * @since 0.1.0
 */
import { isUtf8 } from "node:buffer"
import { Effect, FileSystem, type PlatformError, Schema, Stream } from "effect"

/**
 * One line of a prompt file.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Row = Schema.Struct({
  id: Schema.optionalKey(Schema.String),
  prompt: Schema.String.pipe(Schema.check(Schema.isPattern(/\S/, { message: "Expected a prompt that is not empty" })))
})

/**
 * A prompt and the line it stands in, from 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Prompt {
  readonly line: number
  readonly id: string
  readonly prompt: string
}

/**
 * The file of prompts cannot be read.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnreadableFile extends Schema.TaggedError<UnreadableFile>()("UnreadableFile", {
  path: Schema.String,
  message: Schema.String
}) {}

/**
 * A line that is no prompt, and why.
 *
 * @category errors
 * @since 0.1.0
 */
export class BadLine extends Schema.TaggedError<BadLine>()("BadLine", {
  line: Schema.Int,
  reason: Schema.String,
  message: Schema.String
}) {}

const decodeRow = Schema.decodeUnknownEffect(Schema.fromJsonString(Row))

const notPrompt = (line: number, reason: string): BadLine =>
  new BadLine({
    line,
    reason,
    message: `Line ${line} is not a prompt: ${reason}. Write {"prompt": "…"} on a line of its own.`
  })

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

/**
 * Reads one line; an empty one is `undefined`.
 *
 * ```ts
 * import { PromptFile } from "@interlock/workload"
 * import { Effect } from "effect"
 *
 * const error = await Effect.runPromise(Effect.flip(PromptFile.parse('{"prompt": 7}', 3)))
 * console.assert(error.message.startsWith("Line 3 is not a prompt"))
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (text: string, line: number): Effect.Effect<Prompt | undefined, BadLine> =>
  text.trim() === ""
    ? Effect.succeed(undefined)
    : Effect.mapBoth(decodeRow(text.replace(/^\uFEFF/, "")), {
        onSuccess: ({ id, prompt }) => ({ line, id: id ?? String(line), prompt }),
        onFailure: (error) => notPrompt(line, oneLine(String(error.message)))
      })

const newline = 0x0a
const carriageReturn = 0x0d

/** Each line is decoded by itself: one that is not UTF-8 does not spoil the others, nor pass for text. */
const textOf = (bytes: Buffer): string | undefined => {
  const line = bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes
  return isUtf8(line) ? line.toString("utf8") : undefined
}

/**
 * The lines of a file; `undefined` stands for one that is not UTF-8.
 *
 * @category reading
 * @since 0.1.0
 */
export const lines = (
  path: string
): Effect.Effect<ReadonlyArray<string | undefined>, PlatformError.PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const bytes = Buffer.concat(yield* Stream.runCollect(files.stream(path)))
    const found: Array<string | undefined> = []
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf(newline, start)
      found.push(textOf(bytes.subarray(start, end < 0 ? bytes.length : end)))
      start = end < 0 ? bytes.length : end + 1
    }
    return found
  })

/**
 * Reads a file of prompts: those it has, and the lines that are none.
 *
 * @category reading
 * @since 0.1.0
 */
export const read = (
  path: string
): Effect.Effect<
  { readonly prompts: ReadonlyArray<Prompt>; readonly bad: ReadonlyArray<BadLine> },
  UnreadableFile,
  FileSystem.FileSystem
> =>
  Effect.gen(function* () {
    const found = yield* Effect.mapError(lines(path), (error) => {
      const why = error.reason._tag === "NotFound" ? "it is not there" : error.message
      return new UnreadableFile({
        path,
        message: `${path} cannot be read: ${why}. Give a file with {"prompt": "…"} a line.`
      })
    })
    const prompts: Array<Prompt> = []
    const bad: Array<BadLine> = []
    for (const [index, text] of found.entries()) {
      if (text === undefined) {
        bad.push(notPrompt(index + 1, "it is not UTF-8"))
        continue
      }
      yield* Effect.match(parse(text, index + 1), {
        onSuccess: (prompt) => prompt !== undefined && prompts.push(prompt),
        onFailure: (line) => bad.push(line)
      })
    }
    return { prompts, bad }
  })

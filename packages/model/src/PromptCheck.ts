/**
 * Whether a model can take a prompt, before it is called: that there is something in it, that it fits the model's context,
 * and that the model reads its kinds of files.
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"
import type { Entry, Modality } from "./Catalogue.ts"
import type { FilePart, Prompt } from "./Prompt.ts"
import * as TokenCount from "./TokenCount.ts"

/**
 * The prompt has no message of the user with text or a file.
 *
 * @category errors
 * @since 0.1.0
 */
export class EmptyPrompt extends Schema.TaggedError<EmptyPrompt>()("EmptyPrompt", {}) {
  /** Says what is missing and the cure. */
  override get message(): string {
    return "The prompt is empty: give at least one message of the user with text or a file."
  }
}

/**
 * The prompt is longer than the model's context. `tokens` is exact for OpenAI's models, and an estimate for all others.
 *
 * @category errors
 * @since 0.1.0
 */
export class PromptTooLong extends Schema.TaggedError<PromptTooLong>()("PromptTooLong", {
  provider: Schema.String,
  model: Schema.String,
  tokens: Schema.Number,
  limit: Schema.Number
}) {
  /** Names the model, the length, the limit and the cure. */
  override get message(): string {
    return `The prompt has ${this.provider === "openai" ? "" : "about "}${this.tokens} tokens, and ${this.provider}/${this.model} takes ${this.limit}: shorten it, or choose a model with a longer context.`
  }
}

/**
 * The prompt holds a kind of file that the model does not read.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnsupportedFile extends Schema.TaggedError<UnsupportedFile>()("UnsupportedFile", {
  provider: Schema.String,
  model: Schema.String,
  mediaType: Schema.String,
  reads: Schema.Array(Schema.String)
}) {
  /** Names the model, the file's type, what the model reads, and the cure. */
  override get message(): string {
    return `${this.provider}/${this.model} does not read ${this.mediaType}: it reads ${this.reads.join(", ")}. Leave the file out, or choose a model that reads it.`
  }
}

/**
 * How long a prompt is, and what it leaves of the model's context for the answer; both in tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Measured {
  readonly tokens: number
  readonly room: number
}

/**
 * Checks a prompt against what the catalogue says of the model.
 *
 * Tokens are counted exactly (OpenAI's models) only when the estimate comes to more than half of the limit.
 *
 * @category checks
 * @since 0.1.0
 */
export const check = Effect.fnUntraced(function* (
  entry: Entry,
  prompt: Prompt
): Effect.fn.Return<Measured, EmptyPrompt | PromptTooLong | UnsupportedFile> {
  if (isEmpty(prompt)) return yield* new EmptyPrompt()
  const { model, provider } = entry
  for (const file of filesOf(prompt)) {
    const kind = modality(file.mediaType)
    if (kind !== undefined && !entry.modalities.input.includes(kind)) {
      return yield* new UnsupportedFile({
        provider,
        model,
        mediaType: file.mediaType,
        reads: [...entry.modalities.input]
      })
    }
  }
  const limit = entry.limits.input ?? entry.limits.context
  const estimate = TokenCount.estimatePrompt(entry, prompt)
  const tokens = estimate * 2 > limit ? yield* TokenCount.countPrompt(entry, prompt) : estimate
  const room = entry.limits.context - tokens
  // A model that writes needs a token to write.
  if (tokens > limit || (entry.limits.output > 0 && room < 1)) {
    return yield* new PromptTooLong({ provider, model, tokens, limit })
  }
  return { tokens, room }
})

/**
 * Whether a prompt has no message of the user with text or a file (nor a tool's result).
 *
 * @category checks
 * @since 0.1.0
 */
export const isEmpty = (prompt: Prompt): boolean =>
  prompt.content.every((message) => {
    if (message.role === "system" || message.role === "assistant") return true
    return typeof message.content === "string"
      ? message.content.trim() === ""
      : message.content.every((part) => part.type === "text" && part.text.trim() === "")
  })

const filesOf = (prompt: Prompt): ReadonlyArray<FilePart> =>
  prompt.content.flatMap((message) =>
    message.role !== "user" || typeof message.content === "string"
      ? []
      : message.content.filter((part) => part.type === "file")
  )

/** The catalogue's word for a media type; `undefined` for one that providers turn into text. */
const modality = (mediaType: string): Modality | undefined => {
  if (mediaType === "application/pdf") return "pdf"
  const [kind] = mediaType.split("/")
  return kind === "image" || kind === "audio" || kind === "video" ? kind : undefined
}

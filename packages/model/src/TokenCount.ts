/**
 * How many tokens a text is, before a provider says: for limits on prompts, for quotas, and for the cost of a call
 * that was cut off.
 *
 * {@link estimate} needs nothing but the catalogue's ratio of characters to tokens. {@link count} is exact for OpenAI's
 * models (`gpt-tokenizer`, encoding `o200k_base`, loaded when it is first needed) and the estimate for all others.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import type { Entry } from "./Catalogue.ts"
import type { Message, Prompt } from "./Prompt.ts"

/**
 * The tokens that a message costs beyond its text: its role and its delimiters.
 *
 * Source: OpenAI's cookbook, "How to count tokens with tiktoken" (3 a message, 3 for the reply).
 *
 * @category constants
 * @since 0.1.0
 */
export const perMessage = 3

/** Written without spaces, at about a token a character: Chinese, Japanese, Korean. */
const ideographs = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu

/**
 * The tokens of a text by the ratios of the model's catalogue entry: rounded up, 0 for no text.
 *
 * ```ts
 * import * as TokenCount from "@interlock/model/TokenCount"
 *
 * const model = { tokens: { charactersPerToken: 4, perIdeograph: 1 } }
 * console.assert(TokenCount.estimate(model, "Where is my parcel?") === 5)
 * console.assert(TokenCount.estimate(model, "我的包裹在哪里") === 7)
 * ```
 *
 * @category counting
 * @since 0.1.0
 */
export const estimate = (entry: Pick<Entry, "tokens">, text: string): number => {
  const dense = text.match(ideographs)?.length ?? 0
  return Math.ceil((text.length - dense) / entry.tokens.charactersPerToken + dense * entry.tokens.perIdeograph)
}

/**
 * All of a prompt that is text to the model: what its messages say, what the model reasoned, and the calls of tools with their
 * parameters and results. Files are left out.
 *
 * @category counting
 * @since 0.1.0
 */
export const promptText = (prompt: Prompt): string => prompt.content.map(messageText).join("\n")

const messageText = (message: Message): string =>
  typeof message.content === "string" ? message.content : message.content.map(partText).join("\n")

const partText = (part: Exclude<Message["content"], string>[number]): string => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return part.text
    case "tool-call":
      return `${part.name}${json(part.params)}`
    case "tool-result":
      return part.modelOutput === undefined ? json(part.result) : part.modelOutput.map(partText).join("\n")
    default:
      return ""
  }
}

const json = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""))

/**
 * The tokens of a prompt by the ratios of the model's catalogue entry, with the overhead of its messages.
 *
 * @category counting
 * @since 0.1.0
 */
export const estimatePrompt = (entry: Pick<Entry, "tokens">, prompt: Prompt): number =>
  estimate(entry, promptText(prompt)) + prompt.content.length * perMessage

/**
 * The tokens of a text: exact for OpenAI's models, the estimate for all others.
 *
 * @category counting
 * @since 0.1.0
 */
export const count = (entry: Entry, text: string): Effect.Effect<number> =>
  entry.provider === "openai"
    ? Effect.map(tokenizer, ({ countTokens }) => countTokens(text, { disallowedSpecial: new Set() }))
    : Effect.succeed(estimate(entry, text))

/**
 * The tokens of a prompt with the overhead of its messages: exact texts for OpenAI's models, the estimate for all others.
 *
 * @category counting
 * @since 0.1.0
 */
export const countPrompt = (entry: Entry, prompt: Prompt): Effect.Effect<number> =>
  Effect.map(count(entry, promptText(prompt)), (tokens) => tokens + prompt.content.length * perMessage)

// The table of the encoding is some megabytes: a program that never counts exactly never loads it.
const tokenizer = Effect.promise(() => import("gpt-tokenizer/encoding/o200k_base"))

/**
 * Reckons what a call will use before it is made, and what it used once it is over.
 *
 * @since 0.1.0
 */
import { ImageRequest, ModelError, Part, type Prompt, type SafeText, type Settings } from "@interlock/model"
import * as Catalogue from "@interlock/model/Catalogue"
import * as Cost from "@interlock/model/Cost"
import * as TokenCount from "@interlock/model/TokenCount"
import { Cause, Effect, Exit, Option } from "effect"
import type { Fusion } from "../fuse.ts"
import type { Amounts } from "./rule.ts"

/**
 * How tokens are counted before a call: `"ratio"` by the catalogue's characters per token (some microseconds), `"tokenizer"`
 * with `gpt-tokenizer` for OpenAI's models (exact, and some milliseconds for long prompts).
 *
 * @category models
 * @since 0.1.0
 */
export type Counting = "ratio" | "tokenizer"

/**
 * What a call will use: its prompt and tools, and an answer as long as it may be (`maxOutputTokens`), or as `expected`
 * where nothing bounds it. `dollars` is `undefined` where the price is not known.
 *
 * @category estimating
 * @since 0.1.0
 */
export const estimate = Effect.fnUntraced(function* (
  entry: Catalogue.Entry | undefined,
  call: { readonly prompt: Prompt.Prompt<SafeText>; readonly parameters: Settings; readonly at: number },
  options: { readonly counting: Counting; readonly expectedOutputTokens: number }
) {
  const { parameters, prompt } = call
  const tools = parameters.tools === undefined ? "" : JSON.stringify(parameters.tools)
  const ratio = entry ?? Catalogue.defaults
  const inputTokens =
    (options.counting === "tokenizer" && entry !== undefined
      ? yield* TokenCount.countPrompt(entry, prompt)
      : TokenCount.estimatePrompt(ratio, prompt)) + TokenCount.estimate(ratio, tools)
  const outputTokens = Math.min(
    parameters.maxOutputTokens ?? options.expectedOutputTokens,
    entry?.limits.output ?? Number.POSITIVE_INFINITY
  )
  return {
    requests: 1,
    inputTokens,
    outputTokens,
    dollars: dollarsOf(entry, Cost.tokens(inputTokens, outputTokens), call.at, imagesOf(entry, parameters))
  }
})

/**
 * The price of a usage, and of the images that were `made`; `undefined` where it is not known.
 *
 * @category pricing
 * @since 0.1.0
 */
export const dollarsOf = (
  entry: Catalogue.Entry | undefined,
  usage: Part.Usage,
  at: number,
  made: Pick<Cost.Work, "images" | "imageTokens" | "megapixels"> = {}
): number | undefined => {
  if (entry === undefined) return undefined
  const cost = Cost.of(entry, { ...made, usage, at })
  return cost._tag === "Amount" ? cost.usd : undefined
}

/** What images a call will make: as many as are asked for, and one where a model makes nothing else. */
const imagesOf = (entry: Catalogue.Entry | undefined, parameters: Settings) =>
  parameters.image !== undefined || entry?.modalities.output.every((one) => one === "image") === true
    ? ImageRequest.amount(parameters.image ?? {})
    : {}

/**
 * Watches the parts of one reply.
 *
 * @category models
 * @since 0.1.0
 */
export interface Meter {
  readonly see: (part: Part.Part) => void
  /** Tokens of the answer so far, estimated from its text. */
  readonly outputTokens: () => number
  /**
   * What was used. Only what is certain is less than what was reserved: the usage that the provider reported, or nothing where
   * it turned the call away. A call that was cut off, timed out or cannot be told keeps what was reserved, or more where more
   * was seen.
   */
  readonly used: (exit: Exit.Exit<unknown, unknown>) => Amounts
}

/**
 * Starts watching a reply for which `reserved` was reserved.
 *
 * @category constructors
 * @since 0.1.0
 */
export const watch = (entry: Catalogue.Entry | undefined, reserved: Amounts, at: number): Meter => {
  const ratio = (entry ?? Catalogue.defaults).tokens
  let characters = 0
  let made = Cost.noImages
  let finish: Part.FinishPart | undefined
  const outputTokens = () => Math.ceil(characters / ratio.charactersPerToken)
  return {
    see: (part) => {
      if (part.type === "text-delta" || part.type === "reasoning-delta" || part.type === "tool-params-delta") {
        characters += part.delta.length
      } else if (part.type === "text" || part.type === "reasoning") characters += part.text.length
      else if (part.type === "file") made = Cost.withImage(made, part)
      else if (part.type === "finish") finish = part
    },
    outputTokens,
    used: (exit) => {
      if (Exit.isFailure(exit) && characters === 0 && made.images === 0 && turnedAway(exit.cause)) {
        return { requests: 1, inputTokens: 0, outputTokens: 0, dollars: 0 }
      }
      const usage = finish?.usage
      const inputTokens = usage?.inputTokens.total ?? reserved.inputTokens
      const outputTotal = usage?.outputTokens.total ?? Math.max(reserved.outputTokens, outputTokens())
      const imageTokens = finish === undefined ? undefined : Cost.imageTokensOf(finish)
      const known = usage?.inputTokens.total !== undefined && usage.outputTokens.total !== undefined
      const own =
        dollarsOf(entry, known ? usage! : Cost.tokens(inputTokens, outputTotal), at, {
          ...made,
          ...(imageTokens === undefined ? {} : { imageTokens })
        }) ?? reserved.dollars
      // Of a fused reply the usage is the winner's, and its cost that of all who were asked.
      const fused = finish && (Part.interlock(finish)["fusion"] as Pick<Fusion, "cost"> | undefined)
      const dollars = Math.max(own, fused?.cost.usd ?? 0)
      // Of a reply that was cut off, nobody knows how many images were begun.
      const certain = usage === undefined ? Math.max(dollars, reserved.dollars) : dollars
      return { requests: 1, inputTokens, outputTokens: outputTotal, dollars: certain }
    }
  }
}

/** Whether the provider certainly did no work: it said no, or was never reached. */
const turnedAway = (cause: Cause.Cause<unknown>): boolean => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (!(error instanceof ModelError.ModelError)) return false
  switch (error.reason._tag) {
    case "RefusedKey":
    case "Quota":
    case "RateLimited":
    case "BadRequest":
      return true
    case "Overloaded":
      return error.reason.status === 503 || error.reason.status === 529
    case "Timeout":
      return error.reason.phase === "connect"
    default:
      return false
  }
}

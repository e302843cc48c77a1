/**
 * What a call costs, from its usage and the prices in the catalogue: for whole replies, live ones, replies that were
 * cut off, and tries that failed; added up over retries and fallbacks.
 *
 * A price that is not known is `Unpriced` with its reason, never 0.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Catalogue, Cost } from "@interlock/model"
 *
 * const program = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.Catalogue
 *   const entry = yield* catalogue.get("openai", "gpt-4o-mini")
 *   const cost = Cost.of(entry, { usage: Cost.tokens(1_000_000, 100_000), at: Date.parse("2026-11-01") })
 *   return yield* Cost.orFail(cost)
 * })
 *
 * const cost = Effect.runSync(program.pipe(Effect.provide(Catalogue.layer)))
 * console.assert(Math.abs(cost.usd - 0.21) < 1e-9)
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"
import type { Entry, Rate } from "./Catalogue.ts"
import { rateAt, ratesAt } from "./Catalogue.ts"
import * as Image from "./Image.ts"
import type * as Journal from "./Journal.ts"
import type { ModelError } from "./ModelError.ts"
import * as Part from "./Part.ts"
import * as TokenCount from "./TokenCount.ts"

// ---------------------------------------------------------------------------------------------------------------
// What a cost is
// ---------------------------------------------------------------------------------------------------------------

/**
 * A known cost in US dollars.
 *
 * `basis` says where the tokens come from: `reported` by the provider, `estimated` here because the provider did not
 * say, or `unbilled`: the provider turned the call away before doing any work, or was not called because a cache answered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Amount {
  readonly _tag: "Amount"
  readonly provider: string
  readonly model: string
  readonly usd: number
  readonly inputUsd: number
  readonly outputUsd: number
  readonly imagesUsd: number
  readonly basis: "reported" | "estimated" | "unbilled"
}

/**
 * A cost that nobody can tell, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface Unpriced {
  readonly _tag: "Unpriced"
  readonly provider: string
  readonly model: string
  readonly reason: string
}

/**
 * The cost of one try, or that it is not known.
 *
 * @category models
 * @since 0.1.0
 */
export type Cost = Amount | Unpriced

/**
 * The cost of several tries.
 *
 * `usd` leaves out the tries of `unpriced`: it is the whole cost only when that is empty.
 *
 * @category models
 * @since 0.1.0
 */
export interface Total {
  readonly usd: number
  /** The part of `usd` that rests on tokens estimated here. */
  readonly estimatedUsd: number
  readonly tries: number
  readonly unpriced: ReadonlyArray<Unpriced>
}

/**
 * What a call did, to be priced.
 *
 * @category models
 * @since 0.1.0
 */
export interface Work {
  readonly usage: Part.Usage
  /** When, in milliseconds since the epoch: prices change by date, and with some providers by the hour. */
  readonly at: number
  /** Whether it went through the provider's batch interface. */
  readonly batch?: boolean
  /**
   * The service tier in which the provider served it, where it says so: `flex` is billed as a batch is, as OpenAI and Google bill
   * it; for `priority` and `fast` the catalogue has no prices.
   */
  readonly serviceTier?: string
  /** How many images were made, for models billed by the image. */
  readonly images?: number
  /** For how many megapixels they are billed all together, for models billed by them; see `Image.megapixels`. */
  readonly megapixels?: number
  /** How many of the tokens in `usage` are those of images, for models that bill them otherwise. */
  readonly imageTokens?: { readonly input?: number; readonly output?: number }
  /** How many of the tokens in `usage.inputTokens.cacheWrite` the provider keeps for an hour, where it bills them otherwise. */
  readonly cacheWriteOneHour?: number
  /** Whether `usage` was estimated rather than reported. */
  readonly estimated?: boolean
}

/**
 * A cost was asked for and is not known.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnpricedModel extends Schema.TaggedError<UnpricedModel>()("UnpricedModel", {
  provider: Schema.String,
  model: Schema.String,
  reason: Schema.String
}) {
  /** Names the model, why, and the cure. */
  override get message(): string {
    return `The cost of ${this.provider}/${this.model} is not known: ${this.reason}.`
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Pricing one try
// ---------------------------------------------------------------------------------------------------------------

/**
 * The usage of so many tokens in and out, for predictions.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tokens = (input: number, output: number): Part.Usage => ({
  inputTokens: { total: input },
  outputTokens: { total: output }
})

/**
 * The cost of a call by its usage.
 *
 * Cached and written input, images and reasoning are billed at their own rates where the catalogue has them, long
 * prompts by their tier, and batches at the provider's factor. It is `Unpriced` when the entry has no prices, when the
 * usage lacks a count that has a price, when the size of an image is not known that is billed by it, or when a batch or a service
 * tier was asked of a model without a price for it.
 *
 * @category pricing
 * @since 0.1.0
 */
export const of = (entry: Entry, work: Work): Cost => {
  const unpriced = (reason: string): Unpriced => ({
    _tag: "Unpriced",
    provider: entry.provider,
    model: entry.model,
    reason
  })
  const { prices } = entry
  if (prices._tag === "Unpriced") return unpriced(prices.reason)
  const rates = ratesAt(prices, work.at)
  if (rates === undefined) return unpriced("its catalogue entry has prices for no period")
  const tier = work.serviceTier
  if (tier === "priority" || tier === "fast") {
    return unpriced(`its catalogue entry has no price for the service tier ${tier}`)
  }
  const factor = work.batch === true || tier === "flex" ? prices.batch : 1
  if (factor === undefined) return unpriced(`its catalogue entry has no ${tier ?? "batch"} price`)

  const { inputTokens, outputTokens } = work.usage
  const cacheRead = known(inputTokens.cacheRead) ?? 0
  const cacheWrite = known(inputTokens.cacheWrite) ?? 0
  const inputTotal = known(inputTokens.total)
  const uncached =
    known(inputTokens.uncached) ?? (inputTotal === undefined ? undefined : inputTotal - cacheRead - cacheWrite)
  const reasoning = known(outputTokens.reasoning) ?? 0
  const output =
    known(outputTokens.total) ??
    (outputTokens.text === undefined && outputTokens.reasoning === undefined
      ? undefined
      : (known(outputTokens.text) ?? 0) + reasoning)
  if (uncached === undefined && rates.input !== 0) return unpriced("the provider reported no input tokens")
  if (output === undefined && rates.output !== 0) return unpriced("the provider reported no output tokens")

  // A provider that reports more cached tokens than tokens is billed for what it reports, never for less than nothing.
  const plain = Math.max(0, uncached ?? 0)
  const all = plain + cacheRead + cacheWrite
  const dollars = (rate: Rate, count: number): number => (rateAt(rate, all) * count * factor) / 1_000_000

  const oneHour = Math.min(work.cacheWriteOneHour ?? 0, cacheWrite)
  const writeRate = rates.cacheWrite ?? rates.input
  const imageInput = Math.min(work.imageTokens?.input ?? 0, plain)
  const imageOutput = Math.min(work.imageTokens?.output ?? 0, output ?? 0)
  const outputRate = reasoning > 0 ? (rates.outputReasoning ?? rates.output) : rates.output

  const inputUsd =
    dollars(rates.input, plain - imageInput) +
    dollars(rates.inputImage ?? rates.input, imageInput) +
    dollars(rates.cacheRead ?? rates.input, cacheRead) +
    dollars(writeRate, cacheWrite - oneHour) +
    dollars(rates.cacheWriteOneHour ?? writeRate, oneHour)
  const outputUsd =
    dollars(outputRate, (output ?? 0) - imageOutput) + dollars(rates.outputImage ?? rates.output, imageOutput)
  const images = work.images ?? 0
  if (rates.perMegapixel !== undefined && images > 0 && work.megapixels === undefined) {
    return unpriced("the provider did not say how large its images are")
  }
  const imagesUsd = ((rates.perImage ?? 0) * images + (rates.perMegapixel ?? 0) * (work.megapixels ?? 0)) * factor
  return {
    _tag: "Amount",
    provider: entry.provider,
    model: entry.model,
    usd: inputUsd + outputUsd + imagesUsd,
    inputUsd,
    outputUsd,
    imagesUsd,
    // What costs nothing by the token was not estimated, whatever is known of the tokens: images are counted.
    basis: work.estimated === true && (imagesUsd === 0 || inputUsd + outputUsd > 0) ? "estimated" : "reported"
  }
}

/**
 * What was seen of a call, when its usage may be missing: the text that went out and the parts that came back.
 *
 * @category models
 * @since 0.1.0
 */
export interface Seen {
  /** The text of the whole prompt. */
  readonly prompt: string
  /** The parts that arrived, whole or live, with or without a finish. */
  readonly parts: Iterable<Part.Part>
  readonly at: number
  readonly batch?: boolean
}

/**
 * The images of a call; `megapixels` is absent where the size of one of them was not said.
 *
 * @category models
 * @since 0.1.0
 */
export interface Images {
  readonly images: number
  readonly megapixels?: number
}

/**
 * No images.
 *
 * @category pricing
 * @since 0.1.0
 */
export const noImages: Images = { images: 0, megapixels: 0 }

/**
 * The images of a call with one more, where the part is a finished image.
 *
 * @category pricing
 * @since 0.1.0
 */
export const withImage = (before: Images, part: Part.Part): Images => {
  const event = Image.eventOf(part)
  if (event?._tag !== "Final") return before
  const { height, width } = event.made
  return {
    images: before.images + 1,
    ...(before.megapixels !== undefined &&
      width !== undefined &&
      height !== undefined && { megapixels: before.megapixels + Image.megapixels({ width, height }) })
  }
}

/**
 * The usage of a call by what was seen of it: the provider's own counts, and estimates for those it left out. A provider
 * that counts no tokens for what was plainly sent or written has not counted.
 *
 * @category pricing
 * @since 0.1.0
 */
export const usageOf = (
  entry: Entry,
  seen: Pick<Seen, "parts" | "prompt">
): Pick<Work, "cacheWriteOneHour" | "imageTokens" | "megapixels" | "serviceTier" | "usage"> & {
  readonly estimated: boolean
  readonly images: number
} => {
  let written = ""
  let made = noImages
  let imageTokens: Work["imageTokens"]
  let cacheWriteOneHour: Work["cacheWriteOneHour"]
  let serviceTier: unknown
  let begun: Part.Usage["inputTokens"] = {}
  let reported: Part.Usage = Part.noUsage
  for (const part of seen.parts) {
    if (part.type === "text" || part.type === "reasoning") written += part.text
    else if (part.type === "text-delta" || part.type === "reasoning-delta") written += part.delta
    else if (part.type === "tool-params-delta") written += part.delta
    else if (part.type === "tool-call") written += `${part.name}${JSON.stringify(part.params) ?? ""}`
    else if (part.type === "file") made = withImage(made, part)
    else if (part.type === "response-metadata") {
      const said = Part.interlock(part)
      begun = (said["inputTokens"] as Part.Usage["inputTokens"] | undefined) ?? begun
      cacheWriteOneHour = counted(said["cacheWriteOneHour"]) ?? cacheWriteOneHour
    } else if (part.type === "finish") {
      reported = part.usage
      imageTokens = imageTokensOf(part)
      serviceTier = Part.interlock(part)["serviceTier"]
      cacheWriteOneHour = counted(Part.interlock(part)["cacheWriteOneHour"]) ?? cacheWriteOneHour
    }
  }
  // Of pictures no tokens may be counted; of a text there are some.
  const asked = written === "" ? "" : seen.prompt
  const inputTokens = hasTokens(reported.inputTokens, asked) ? reported.inputTokens : begun
  const { outputTokens } = reported
  const hasInput = hasTokens(inputTokens, asked)
  const hasOutput = hasTokens(outputTokens, written)
  const more = {
    ...made,
    ...(imageTokens === undefined ? {} : { imageTokens }),
    ...(cacheWriteOneHour === undefined ? {} : { cacheWriteOneHour }),
    ...(typeof serviceTier === "string" ? { serviceTier } : {})
  }
  if (hasInput && hasOutput) return { usage: { inputTokens, outputTokens }, estimated: false, ...more }
  return {
    usage: {
      inputTokens: hasInput ? inputTokens : { total: TokenCount.estimate(entry, seen.prompt) },
      outputTokens: hasOutput ? outputTokens : { total: TokenCount.estimate(entry, written) }
    },
    estimated: true,
    ...more
  }
}

/** Whether there is a count, and one that may be: not 0 where there was a text. */
const hasTokens = (counts: Part.Usage["inputTokens"] & Part.Usage["outputTokens"], text: string): boolean => {
  const { reasoning, total, uncached } = counts
  const count = known(total) ?? known(uncached) ?? known(counts.text) ?? known(reasoning)
  return count !== undefined && (text === "" || Object.values(counts).some((count) => (known(count) ?? 0) > 0))
}

const counted = (value: unknown): number | undefined => (typeof value === "number" ? known(value) : undefined)

/**
 * What the handler of an image model says of the tokens in `usage`: how many are those of images.
 *
 * @category pricing
 * @since 0.1.0
 */
export const imageTokensOf = (finish: Part.FinishPart): Work["imageTokens"] => {
  const said = Part.interlock(finish)["imageTokens"]
  if (typeof said !== "object" || said === null) return undefined
  const { input, output } = said as { readonly [side: string]: unknown }
  return {
    ...(typeof input === "number" ? { input } : {}),
    ...(typeof output === "number" ? { output } : {})
  }
}

/**
 * The cost of a call by what was seen of it: by its usage, or estimated where the stream was cut off before it or the
 * provider gave none.
 *
 * @category pricing
 * @since 0.1.0
 */
export const ofSeen = (entry: Entry, seen: Seen): Cost => {
  return of(entry, {
    ...usageOf(entry, seen),
    at: seen.at,
    ...(seen.batch === undefined ? {} : { batch: seen.batch })
  })
}

/**
 * The cost of a try that failed.
 *
 * Nothing when the provider turned it away or never got it (refused key, quota, rate limit, bad request, overloaded, no
 * connection); otherwise what was seen of it, estimated: providers bill the prompt of a call whose answer was filtered,
 * cut off or unreadable.
 *
 * @category pricing
 * @since 0.1.0
 */
export const ofFailure = (entry: Entry, error: ModelError, seen: Seen): Cost => {
  const parts = [...seen.parts]
  if (parts.length > 0 || billed(error)) return ofSeen(entry, { ...seen, parts })
  return {
    _tag: "Amount",
    provider: entry.provider,
    model: entry.model,
    usd: 0,
    inputUsd: 0,
    outputUsd: 0,
    imagesUsd: 0,
    basis: "unbilled"
  }
}

const billed = ({ reason }: ModelError): boolean =>
  reason._tag === "ContentFiltered" ||
  reason._tag === "InvalidAnswer" ||
  (reason._tag === "Timeout" && reason.phase !== "connect")

const known = (count: number | undefined): number | undefined =>
  count === undefined || !Number.isFinite(count) || count < 0 ? undefined : count

// ---------------------------------------------------------------------------------------------------------------
// Adding up, and telling
// ---------------------------------------------------------------------------------------------------------------

/**
 * The total of no tries.
 *
 * @category totals
 * @since 0.1.0
 */
export const nothing: Total = { usd: 0, estimatedUsd: 0, tries: 0, unpriced: [] }

/**
 * Adds one try to a total.
 *
 * @category totals
 * @since 0.1.0
 */
export const add = (total: Total, cost: Cost): Total =>
  cost._tag === "Unpriced"
    ? { ...total, tries: total.tries + 1, unpriced: [...total.unpriced, cost] }
    : {
        ...total,
        tries: total.tries + 1,
        usd: total.usd + cost.usd,
        estimatedUsd: total.estimatedUsd + (cost.basis === "estimated" ? cost.usd : 0)
      }

/**
 * The total of tries: of a call with its retries and fallbacks, or of many calls.
 *
 * @category totals
 * @since 0.1.0
 */
export const total = (costs: Iterable<Cost>): Total => {
  let sum = nothing
  for (const cost of costs) sum = add(sum, cost)
  return sum
}

/**
 * The total of the tries in a journal: of a call with its retries and fallbacks, those that failed or were cut off
 * included.
 *
 * @category totals
 * @since 0.1.0
 */
export const ofEvents = (events: Iterable<Journal.Event>): Total => {
  let sum = nothing
  for (const event of events) {
    if (event._tag !== "Attempt") continue
    const { costUsd, model, provider } = event
    sum =
      costUsd === undefined
        ? add(sum, { _tag: "Unpriced", provider, model, reason: "the try was recorded without a price" })
        : {
            ...sum,
            tries: sum.tries + 1,
            usd: sum.usd + costUsd,
            estimatedUsd: sum.estimatedUsd + (event.estimated === true ? costUsd : 0)
          }
  }
  return sum
}

/**
 * The amount, or an `UnpricedModel` error.
 *
 * @category totals
 * @since 0.1.0
 */
export const orFail = (cost: Cost): Effect.Effect<Amount, UnpricedModel> =>
  cost._tag === "Amount"
    ? Effect.succeed(cost)
    : Effect.fail(new UnpricedModel({ provider: cost.provider, model: cost.model, reason: cost.reason }))

/**
 * The fields of a journal's `Attempt` that say what the try cost.
 *
 * @category telling
 * @since 0.1.0
 */
export const attempt = (cost: Cost): { readonly costUsd?: number; readonly estimated?: boolean } =>
  cost._tag === "Unpriced" ? {} : { costUsd: cost.usd, ...(cost.basis === "estimated" ? { estimated: true } : {}) }

/**
 * Says in the finish part's metadata what the reply cost: `interlock.cost`.
 *
 * @category telling
 * @since 0.1.0
 */
export const annotate = (finish: Part.FinishPart, cost: Cost | Total): Part.FinishPart =>
  Part.annotate(finish, { cost: { ...cost } })

/**
 * Says of a reply that comes from a cache, or from the call of somebody else, that it costs nothing: `interlock.cost` is 0,
 * and what the call that made the reply cost stands beside it, under `interlock.savedCost`, where that is known.
 *
 * @category telling
 * @since 0.1.0
 */
export const annotateSaved = (
  finish: Part.FinishPart,
  { model, provider }: { readonly provider: string; readonly model: string }
): Part.FinishPart => {
  const { cost, savedCost = cost, totalCost } = Part.interlock(finish)
  const free: Amount = {
    _tag: "Amount",
    provider,
    model,
    usd: 0,
    inputUsd: 0,
    outputUsd: 0,
    imagesUsd: 0,
    basis: "unbilled"
  }
  return Part.annotate(finish, {
    cost: { ...free },
    ...(savedCost === undefined ? {} : { savedCost }),
    ...(totalCost === undefined ? {} : { totalCost: { ...nothing } })
  })
}

/**
 * Dollars for people: six digits below a cent, two above a dollar.
 *
 * @category telling
 * @since 0.1.0
 */
export const format = (usd: number): string => `$${usd.toFixed(usd >= 1 ? 2 : usd >= 0.01 || usd === 0 ? 4 : 6)}`

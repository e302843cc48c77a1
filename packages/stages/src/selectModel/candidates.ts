/**
 * Which models could answer a request at all, what each would cost, and which of them an objective picks.
 *
 * @since 0.1.0
 */
import {
  type Candidate,
  Catalogue,
  Cost,
  type Identity,
  ImageRequest,
  type ModelReference,
  type Prompt,
  type Settings,
  TokenCount
} from "@interlock/model"
import { Clock, Effect, Schema } from "effect"

// ---------------------------------------------------------------------------------------------------------------
// The request
// ---------------------------------------------------------------------------------------------------------------

/**
 * What a selector may know of a classification; what a classifier was not trained for is absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Known {
  readonly label: string
  readonly confidence?: number
  readonly language?: string
  readonly complexity?: string | number
  readonly sensitivity?: string
}

/**
 * What a model is chosen for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly prompt: Prompt.Prompt
  readonly settings: Settings
  readonly caller: Identity
  readonly classification?: Known
}

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * No model can be chosen: none of the candidates may or can serve the request, none is within the budget, or a selector named a
 * model that the catalogue does not have. The message holds no prompt text.
 *
 * @category errors
 * @since 0.1.0
 */
export class SelectModelError extends Schema.TaggedError<SelectModelError>()("SelectModelError", {
  reason: Schema.Literals(["NoCandidate", "OverBudget", "UnknownModel"]),
  message: Schema.String
}) {}

// ---------------------------------------------------------------------------------------------------------------
// Candidates
// ---------------------------------------------------------------------------------------------------------------

/**
 * Which models may be chosen, and for what.
 *
 * @category models
 * @since 0.1.0
 */
export interface Candidates {
  /** The models to choose from; every one must be in the catalogue. */
  readonly models: ReadonlyArray<ModelReference>
  /** Whether policy lets a request go to a model: by tenant, region, contract. */
  readonly allow?: (entry: Catalogue.Entry, request: Request) => boolean
  /** Whether a request must stay on hardware of one's own. By default, when its sensitivity is `restricted`. */
  readonly localOnly?: (request: Request) => boolean
  /** The most that one call may be expected to cost, in US dollars. Models without a price are then left out. */
  readonly maximumCostUsd?: number | ((request: Request) => number | undefined)
  /** How many tokens an answer is expected to have, for the cost. Default: 500, or `maxOutputTokens` when that is less. */
  readonly expectedOutputTokens?: number | ((request: Request) => number)
}

/**
 * A model that can serve the request, with what it is expected to cost where it has a price.
 *
 * @category models
 * @since 0.1.0
 */
export interface Capable {
  readonly entry: Catalogue.Entry
  readonly costUsd: number | undefined
}

const name = (model: ModelReference): string => `${model.provider}/${model.model}`

const modalitiesOf = (prompt: Prompt.Prompt): ReadonlySet<Catalogue.Modality> => {
  const found = new Set<Catalogue.Modality>()
  for (const message of prompt.content) {
    if (typeof message.content === "string") continue
    for (const part of message.content) {
      if (part.type !== "file") continue
      const media = part.mediaType.toLowerCase()
      if (media.startsWith("image/")) found.add("image")
      else if (media.startsWith("audio/")) found.add("audio")
      else if (media.startsWith("video/")) found.add("video")
      else if (media === "application/pdf") found.add("pdf")
    }
  }
  return found
}

const evaluate = <A>(value: A | ((request: Request) => A), request: Request): A =>
  typeof value === "function" ? (value as (request: Request) => A)(request) : value

const restricted = (request: Request): boolean => request.classification?.sensitivity === "restricted"

/**
 * The entries of the candidates; a model that the catalogue does not have is an error when the layer is built, not at a call.
 *
 * @category candidates
 * @since 0.1.0
 */
export const entriesOf = Effect.fnUntraced(function* (
  models: ReadonlyArray<ModelReference>
): Effect.fn.Return<ReadonlyArray<Catalogue.Entry>, SelectModelError, Catalogue.Catalogue> {
  const catalogue = yield* Catalogue.Catalogue
  if (models.length === 0) {
    return yield* new SelectModelError({
      reason: "NoCandidate",
      message: "There is no model to choose from: name at least one in models."
    })
  }
  return yield* Effect.mapError(
    Effect.forEach(models, ({ model, provider }) => catalogue.get(provider, model)),
    (error) => new SelectModelError({ reason: "UnknownModel", message: error.message })
  )
})

/**
 * The candidates that can serve a request and may: by modality, context length, tools, form of the answer, policy, sensitivity
 * and price cap. When none is left, the error says why each was left out.
 *
 * @category candidates
 * @since 0.1.0
 */
export const capable = Effect.fnUntraced(function* (
  entries: ReadonlyArray<Catalogue.Entry>,
  options: Omit<Candidates, "models">,
  request: Request
): Effect.fn.Return<readonly [Capable, ...ReadonlyArray<Capable>], SelectModelError> {
  const at = yield* Clock.currentTimeMillis
  const { prompt, settings } = request
  const modalities = modalitiesOf(prompt)
  const tools = settings.tools !== undefined && settings.tools.length > 0
  const json = settings.responseFormat?.type === "json" && settings.responseFormat.schema !== undefined
  const local = (options.localOnly ?? restricted)(request)
  const cap = options.maximumCostUsd === undefined ? undefined : evaluate(options.maximumCostUsd, request)
  const asked = settings.image === undefined ? undefined : ImageRequest.of(prompt, settings.image)
  const expected = Math.min(
    options.expectedOutputTokens === undefined
      ? asked === undefined
        ? 500
        : 0
      : evaluate(options.expectedOutputTokens, request),
    settings.maxOutputTokens ?? Number.POSITIVE_INFINITY
  )
  const left: Array<Capable> = []
  const out: Array<string> = []
  let tooDear = 0
  for (const entry of entries) {
    const leaveOut = (why: string) => void out.push(`${name(entry)}: ${why}`)
    const absent = [...modalities].find((modality) => !entry.modalities.input.includes(modality))
    if (absent !== undefined) {
      leaveOut(`does not read ${absent}`)
      continue
    }
    const cannot = asked === undefined ? undefined : ImageRequest.problem(entry, asked)
    if (cannot !== undefined) {
      out.push(
        `${name(entry)} does not make images with ${cannot.parameter} = ${cannot.value}: allowed is ${cannot.allowed}`
      )
      continue
    }
    if (tools && !entry.features.includes("tools")) {
      leaveOut("does not call tools")
      continue
    }
    if (json && !entry.features.includes("structured-output")) {
      leaveOut("does not answer in a JSON Schema")
      continue
    }
    if (local && entry.runs !== "local") {
      leaveOut("is not local, and this request must stay on hardware of one's own")
      continue
    }
    if (options.allow !== undefined && !options.allow(entry, request)) {
      leaveOut("policy does not allow it")
      continue
    }
    const input = TokenCount.estimatePrompt(entry, prompt)
    if (input > (entry.limits.input ?? Number.POSITIVE_INFINITY) || input + expected > entry.limits.context) {
      leaveOut(`its context of ${entry.limits.context} tokens is too short for about ${input} + ${expected}`)
      continue
    }
    const images = asked === undefined ? {} : ImageRequest.amount(asked)
    const cost = Cost.of(entry, { usage: Cost.tokens(input, expected), at, ...images })
    const costUsd = cost._tag === "Unpriced" ? undefined : cost.usd
    if (cap !== undefined && (costUsd === undefined || costUsd > cap)) {
      tooDear++
      leaveOut(
        costUsd === undefined
          ? "has no price, and there is a price cap"
          : `would cost about ${Cost.format(costUsd)}, over the cap of ${Cost.format(cap)}`
      )
      continue
    }
    left.push({ entry, costUsd })
  }
  const [first, ...rest] = left
  if (first === undefined) {
    return yield* new SelectModelError({
      reason: tooDear === out.length ? "OverBudget" : "NoCandidate",
      message: `No candidate can serve this request (${out.join("; ")}). Add a capable model to models, or loosen what leaves them out.`
    })
  }
  return [first, ...rest]
})

// ---------------------------------------------------------------------------------------------------------------
// Objectives
// ---------------------------------------------------------------------------------------------------------------

/**
 * What to choose for: the cheapest model of a quality, the best under a budget, or the best bargain at a price for quality.
 *
 * @category objectives
 * @since 0.1.0
 */
export type Objective =
  | { readonly _tag: "Quality"; readonly atLeast: number }
  | { readonly _tag: "Budget"; readonly usd: number }
  | { readonly _tag: "Price"; readonly usdPerQuality: number }

/**
 * The cheapest model whose predicted quality is at least `atLeast`; the best one when none reaches it.
 *
 * @category objectives
 * @since 0.1.0
 */
export const quality = (atLeast: number): Objective => ({ _tag: "Quality", atLeast })

/**
 * The best model that is expected to cost at most `usd` for a call.
 *
 * @category objectives
 * @since 0.1.0
 */
export const budget = (usd: number): Objective => ({ _tag: "Budget", usd })

/**
 * The model with the greatest `quality · usdPerQuality − cost`: `usdPerQuality` is what an answer of quality 1 is worth.
 *
 * @category objectives
 * @since 0.1.0
 */
export const price = (usdPerQuality: number): Objective => ({ _tag: "Price", usdPerQuality })

/**
 * A candidate with what is expected of it. A cost that is not known counts as more than any other.
 *
 * @category objectives
 * @since 0.1.0
 */
export interface Scored {
  readonly model: ModelReference
  readonly quality: number
  readonly costUsd: number | undefined
}

const costOf = (scored: Scored): number => scored.costUsd ?? Number.POSITIVE_INFINITY

/** The one with the greatest first figure, and among equals the greatest second; the first of those that are all equal. */
const best = <A>(all: readonly [A, ...ReadonlyArray<A>], figures: (one: A) => readonly [number, number]): A =>
  all.reduce((leader, one) => {
    const [a, b] = figures(leader)
    const [x, y] = figures(one)
    return x > a || (x === a && y > b) ? one : leader
  })

/**
 * The candidate that an objective picks, and the reason in words.
 *
 * @category objectives
 * @since 0.1.0
 */
export const pick = (
  all: readonly [Scored, ...ReadonlyArray<Scored>],
  objective: Objective
): Effect.Effect<{ readonly chosen: Scored; readonly reason: string }, SelectModelError> => {
  switch (objective._tag) {
    case "Quality": {
      const [first, ...rest] = all.filter((one) => one.quality >= objective.atLeast)
      return Effect.succeed(
        first === undefined
          ? {
              chosen: best(all, (one) => [one.quality, -costOf(one)]),
              reason: `none is expected to reach quality ${objective.atLeast}: the best`
            }
          : {
              chosen: best([first, ...rest], (one) => [-costOf(one), one.quality]),
              reason: `the cheapest of expected quality ${objective.atLeast} or more`
            }
      )
    }
    case "Budget": {
      const [first, ...rest] = all.filter((one) => costOf(one) <= objective.usd)
      return first === undefined
        ? Effect.fail(
            new SelectModelError({
              reason: "OverBudget",
              message: `No candidate is expected to cost at most ${Cost.format(objective.usd)}: ${all.map((one) => `${name(one.model)} ${one.costUsd === undefined ? "has no price" : Cost.format(one.costUsd)}`).join(", ")}. Raise the budget, shorten the prompt, or add a cheaper model.`
            })
          )
        : Effect.succeed({
            chosen: best([first, ...rest], (one) => [one.quality, -costOf(one)]),
            reason: `the best that costs at most ${Cost.format(objective.usd)}`
          })
    }
    case "Price":
      return Effect.succeed({
        chosen: best(all, (one) => [one.quality * objective.usdPerQuality - costOf(one), one.quality]),
        reason: `the best bargain at ${Cost.format(objective.usdPerQuality)} for quality 1`
      })
  }
}

/**
 * What is told of the candidates in `ChosenModel`.
 *
 * @category candidates
 * @since 0.1.0
 */
export const told = (all: ReadonlyArray<Scored>): ReadonlyArray<Candidate> =>
  all.map(({ costUsd, model, quality }) => ({
    ...model,
    ...(Number.isFinite(quality) ? { predictedQuality: Math.min(1, Math.max(0, quality)) } : {}),
    ...(costUsd === undefined ? {} : { predictedCostUsd: costUsd })
  }))

/**
 * `selectModel` chooses the model for a call: candidates come from the catalogue, those that cannot or may not serve the request
 * are left out, and a `Selector` picks one of the others. The fact it adds tells the model, the reason, and what was expected of
 * every candidate, so that an audit and a user can see why.
 *
 * @since 0.1.0
 */
import { Stage } from "@interlock/core"
import {
  Caller,
  type Candidate,
  type Catalogue,
  type Choice,
  ChosenModel,
  Cost,
  Journal,
  type ModelReference,
  Parameters,
  Prompt,
  RawPrompt
} from "@interlock/model"
import { Context, Effect, Layer, Random, Schema } from "effect"
import { Classification } from "./classify.ts"
import { CallId, Feedback } from "./Feedback.ts"
import * as Candidates from "./selectModel/candidates.ts"
import * as Predictor from "./selectModel/predictor.ts"

export {
  budget,
  type Candidates,
  type Known,
  type Objective,
  price,
  quality,
  type Request,
  SelectModelError
} from "./selectModel/candidates.ts"

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * A router does not fit the candidates: it was trained on other models.
 *
 * @category errors
 * @since 0.1.0
 */
export class RouterMismatch extends Schema.TaggedError<RouterMismatch>()("RouterMismatch", {
  message: Schema.String
}) {}

// ---------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------

/**
 * Chooses the model for a request.
 *
 * @category services
 * @since 0.1.0
 */
export class Selector extends Context.Service<
  Selector,
  { readonly select: (request: Candidates.Request) => Effect.Effect<Choice, Candidates.SelectModelError> }
>()("@interlock/stages/Selector") {}

/**
 * An objective, or one by tenant and class.
 *
 * @category models
 * @since 0.1.0
 */
export type ObjectiveOf = Candidates.Objective | ((request: Candidates.Request) => Candidates.Objective)

const objectiveFor = (objective: ObjectiveOf, request: Candidates.Request): Candidates.Objective =>
  typeof objective === "function" ? objective(request) : objective

const reference = ({ model, provider }: ModelReference): ModelReference => ({ provider, model })
const nameOf = ({ model, provider }: ModelReference): string => `${provider}/${model}`
const same = (a: ModelReference, b: ModelReference): boolean => a.provider === b.provider && a.model === b.model

// ---------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------

/**
 * Always the same model. It must be in the catalogue, and a request that it cannot serve is refused.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFixed = (
  model: ModelReference,
  options?: Omit<Candidates.Candidates, "models">
): Layer.Layer<Selector, Candidates.SelectModelError, Catalogue.Catalogue> =>
  Layer.effect(
    Selector,
    Effect.map(Candidates.entriesOf([model]), (entries) => ({
      select: (request) =>
        Effect.map(
          Candidates.capable(entries, options ?? {}, request),
          ([only]): Choice => ({
            ...reference(only.entry),
            reason: "the only model",
            candidates: [
              { ...reference(only.entry), ...(only.costUsd === undefined ? {} : { predictedCostUsd: only.costUsd }) }
            ]
          })
        )
    }))
  )

/**
 * A rule: the first whose `when` holds, and whose model can serve the request, decides.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rule {
  readonly when: (request: Candidates.Request) => boolean
  readonly model: ModelReference
  /** What the rule is for, in words; it becomes the reason. */
  readonly reason: string
}

/**
 * The first rule that holds decides, or else `otherwise`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRules = (
  options: { readonly rules: ReadonlyArray<Rule>; readonly otherwise: ModelReference } & Omit<
    Candidates.Candidates,
    "models"
  >
): Layer.Layer<Selector, Candidates.SelectModelError, Catalogue.Catalogue> =>
  Layer.effect(
    Selector,
    Effect.map(Candidates.entriesOf([...options.rules.map((rule) => rule.model), options.otherwise]), (entries) => ({
      select: Effect.fnUntraced(function* (
        request: Candidates.Request
      ): Effect.fn.Return<Choice, Candidates.SelectModelError> {
        const all = yield* Candidates.capable(
          entries.filter((entry, index) => entries.indexOf(entry) === index),
          options,
          request
        )
        const able = (at: number) => all.find((one) => one.entry === entries[at])
        const at = options.rules.findIndex((rule, index) => able(index) !== undefined && rule.when(request))
        const chosen = at < 0 ? able(entries.length - 1) : able(at)
        if (chosen === undefined) {
          return yield* new Candidates.SelectModelError({
            reason: "NoCandidate",
            message: `No rule holds for this request, and ${nameOf(options.otherwise)} cannot serve it. Add a rule, or a more capable model as otherwise.`
          })
        }
        return {
          ...reference(chosen.entry),
          reason: at < 0 ? "no rule holds" : options.rules[at]!.reason,
          candidates: all.map(({ costUsd, entry }) => ({
            ...reference(entry),
            ...(costUsd === undefined ? {} : { predictedCostUsd: costUsd })
          }))
        }
      })
    }))
  )

/**
 * The cheapest of the models that can serve the request. A model without a price counts as dearer than any other.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerCheapest = (
  options: Candidates.Candidates
): Layer.Layer<Selector, Candidates.SelectModelError, Catalogue.Catalogue> =>
  Layer.effect(
    Selector,
    Effect.map(Candidates.entriesOf(options.models), (entries) => ({
      select: (request) =>
        Effect.map(Candidates.capable(entries, options, request), (all): Choice => {
          const cost = (one: Candidates.Capable) => one.costUsd ?? Number.POSITIVE_INFINITY
          const chosen = all.reduce((least, one) => (cost(one) < cost(least) ? one : least))
          return {
            ...reference(chosen.entry),
            reason: "the cheapest that can serve the request",
            candidates: all.map(({ costUsd, entry }) => ({
              ...reference(entry),
              ...(costUsd === undefined ? {} : { predictedCostUsd: costUsd })
            }))
          }
        })
    }))
  )

/**
 * By predicted quality, and an objective. `names` says which name in the training rows each model had; where it is not given, a
 * model is looked for as `provider/model` and as `model`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerScored = (
  options: {
    readonly predictor: Predictor.Predictor
    readonly objective: ObjectiveOf
    readonly names?: (model: ModelReference) => string
  } & Candidates.Candidates
): Layer.Layer<Selector, Candidates.SelectModelError | RouterMismatch, Catalogue.Catalogue> =>
  Layer.effect(
    Selector,
    Effect.gen(function* () {
      const { objective, predictor } = options
      const entries = yield* Candidates.entriesOf(options.models)
      const known = predictor.manifest.models
      const positions = new Map<Catalogue.Entry, number>()
      for (const [index, entry] of entries.entries()) {
        const asked = options.models[index]!
        const position =
          options.names === undefined
            ? Math.max(known.indexOf(nameOf(asked)), known.indexOf(asked.model))
            : known.indexOf(options.names(asked))
        if (position < 0) {
          return yield* new RouterMismatch({
            message: `The router was trained on ${known.join(", ")}, not on ${nameOf(asked)}. Leave that model out, say its name in the training rows with names, or train again with its outcomes.`
          })
        }
        positions.set(entry, position)
      }
      return {
        select: Effect.fnUntraced(function* (
          request: Candidates.Request
        ): Effect.fn.Return<Choice, Candidates.SelectModelError> {
          const [first, ...rest] = yield* Candidates.capable(entries, options, request)
          const expected = Predictor.qualities(predictor, Prompt.lastUserText(request.prompt))
          const scored = ({ costUsd, entry }: Candidates.Capable): Candidates.Scored => ({
            model: reference(entry),
            quality: expected[positions.get(entry)!]!,
            costUsd
          })
          const all = [scored(first), ...rest.map(scored)] as const
          const { chosen, reason } = yield* Candidates.pick(all, objectiveFor(objective, request))
          return { ...chosen.model, reason, candidates: Candidates.told(all) }
        })
      }
    })
  )

/** What the acting selector chose, where another is asked beside it. */
const Acting: Context.Reference<ModelReference | undefined> = Context.Reference(
  "@interlock/stages/selectModel/Acting",
  {
    defaultValue: (): ModelReference | undefined => undefined
  }
)

const hex = Effect.map(Random.next, (part) =>
  Math.floor(part * 2 ** 48)
    .toString(16)
    .padStart(12, "0")
)
const freshId = Effect.zipWith(hex, hex, (a, b) => `call-${a}${b}`)

/**
 * By what `Feedback` has heard: running means by class, drawn towards the model's mean over all classes while a class has few
 * grades. A share `explore` (default 0.05) of calls goes to a candidate by chance, so that a model that was once worse is tried again.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerBandit = (
  options: {
    readonly objective: ObjectiveOf
    readonly explore?: number
    /** What is expected of a model without any grade, 0 to 1. Default 1: every model is tried. */
    readonly prior?: number
  } & Candidates.Candidates
): Layer.Layer<Selector, Candidates.SelectModelError, Catalogue.Catalogue | Feedback> =>
  Layer.effect(
    Selector,
    Effect.gen(function* () {
      const feedback = yield* Feedback
      const entries = yield* Candidates.entriesOf(options.models)
      const explore = options.explore ?? 0.05
      const prior = options.prior ?? 1
      // As many grades as the prior, and then the mean over all classes, are worth.
      const worth = { prior: 1, overall: 5 }
      return {
        select: Effect.fnUntraced(function* (
          request: Candidates.Request
        ): Effect.fn.Return<Choice, Candidates.SelectModelError> {
          const [first, ...rest] = yield* Candidates.capable(entries, options, request)
          const label = request.classification?.label ?? ""
          const score = Effect.fnUntraced(function* ({ costUsd, entry }: Candidates.Capable) {
            const model = reference(entry)
            const overall = yield* feedback.grades(model)
            const inClass = yield* feedback.grades(model, label)
            const usual = (overall.mean * overall.count + prior * worth.prior) / (overall.count + worth.prior)
            const quality = (inClass.mean * inClass.count + usual * worth.overall) / (inClass.count + worth.overall)
            return { model, quality, costUsd } satisfies Candidates.Scored
          })
          const all = [yield* score(first), ...(yield* Effect.forEach(rest, score))] as const
          const objective = objectiveFor(options.objective, request)
          const affordable =
            objective._tag === "Budget"
              ? all.filter((one) => (one.costUsd ?? Number.POSITIVE_INFINITY) <= objective.usd)
              : all
          const tried = affordable.length > 1 && (yield* Random.next) < explore
          const { chosen, reason } = tried
            ? {
                chosen: affordable[Math.floor((yield* Random.next) * affordable.length)]!,
                reason: "tried by chance, to learn how good it is now"
              }
            : yield* Candidates.pick(all, objective)
          const callId = (yield* CallId) ?? (yield* freshId)
          // In a shadow, the grade will be one of the model that acted.
          yield* feedback.remember(callId, label, (yield* Acting) ?? chosen.model)
          yield* Journal.record({ _tag: "Fact", stage: "selectModel", name: "CallId", attributes: { callId } })
          return { ...chosen.model, reason, candidates: Candidates.told(all), callId }
        })
      }
    })
  )

/**
 * A selector for tests: what `choose` says, without a catalogue.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTest = (choose: (request: Candidates.Request) => Choice): Layer.Layer<Selector> =>
  Layer.succeed(Selector)({ select: (request) => Effect.sync(() => choose(request)) })

// ---------------------------------------------------------------------------------------------------------------
// Shadow mode
// ---------------------------------------------------------------------------------------------------------------

/**
 * What a selector would have done beside the one that acts. Costs and qualities are predictions, and count only calls for which
 * both choices have one.
 *
 * @category models
 * @since 0.1.0
 */
export interface ShadowReport {
  readonly calls: number
  /** How often both chose the same model. */
  readonly agreed: number
  /** How often the shadow found no model. */
  readonly failed: number
  readonly cost: { readonly calls: number; readonly actingUsd: number; readonly shadowUsd: number }
  readonly quality: { readonly calls: number; readonly acting: number; readonly shadow: number }
  /** How often the shadow would have moved a call, by `"provider/model -> provider/model"`. */
  readonly moves: { readonly [move: string]: number }
}

/**
 * What the shadow of `layerShadow` would have done so far.
 *
 * @category services
 * @since 0.1.0
 */
export class Shadow extends Context.Service<Shadow, { readonly report: Effect.Effect<ShadowReport> }>()(
  "@interlock/stages/Shadow"
) {}

/**
 * Lets one selector act, and another only say what it would have done: it runs beside, its failures change nothing, and the
 * `Shadow` service compares. A `layerBandit` in the shadow learns from the grades of the model that acted; it hears them where
 * `Feedback.CallId` is provided around the call.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerShadow = <E, R, E2, R2>(
  acting: Layer.Layer<Selector, E, R>,
  shadow: Layer.Layer<Selector, E2, R2>
): Layer.Layer<Selector | Shadow, E | E2, R | R2> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const leader = Context.get(yield* Layer.build(Layer.fresh(acting)), Selector)
      const beside = Context.get(yield* Layer.build(Layer.fresh(shadow)), Selector)
      const state = {
        calls: 0,
        agreed: 0,
        failed: 0,
        costs: 0,
        actingUsd: 0,
        shadowUsd: 0,
        qualities: 0,
        acting: 0,
        shadow: 0
      }
      const moves = new Map<string, number>()
      const expected = (choice: Choice) => choice.candidates?.find((candidate) => same(candidate, choice))
      const compare = (mine: Choice, other: Choice | undefined) => {
        state.calls++
        if (other === undefined) {
          state.failed++
          return
        }
        if (same(mine, other)) state.agreed++
        else {
          const move = `${nameOf(mine)} -> ${nameOf(other)}`
          moves.set(move, (moves.get(move) ?? 0) + 1)
        }
        // One prediction for both: the shadow's, which is on trial, where it has one of the acting model too.
        const own = expected(other)
        const mineAsSeen = other.candidates?.find((candidate) => same(candidate, mine)) ?? expected(mine)
        if (own?.predictedCostUsd !== undefined && mineAsSeen?.predictedCostUsd !== undefined) {
          state.costs++
          state.actingUsd += mineAsSeen.predictedCostUsd
          state.shadowUsd += own.predictedCostUsd
        }
        if (own?.predictedQuality !== undefined && mineAsSeen?.predictedQuality !== undefined) {
          state.qualities++
          state.acting += mineAsSeen.predictedQuality
          state.shadow += own.predictedQuality
        }
      }
      return Context.make(Selector, {
        select: (request: Candidates.Request) =>
          Effect.tap(leader.select(request), (mine) =>
            beside.select(request).pipe(
              // The shadow leaves no trace in the call's journal.
              Effect.provideService(Journal.Journal, undefined),
              Effect.provideService(Acting, reference(mine)),
              Effect.matchCause({ onFailure: () => undefined, onSuccess: (choice) => choice }),
              Effect.tap((other) => Effect.sync(() => compare(mine, other))),
              Effect.forkIn(scope)
            )
          )
      }).pipe(
        Context.add(Shadow, {
          report: Effect.sync(() => ({
            calls: state.calls,
            agreed: state.agreed,
            failed: state.failed,
            cost: { calls: state.costs, actingUsd: state.actingUsd, shadowUsd: state.shadowUsd },
            quality: {
              calls: state.qualities,
              acting: state.qualities === 0 ? 0 : state.acting / state.qualities,
              shadow: state.qualities === 0 ? 0 : state.shadow / state.qualities
            },
            moves: Object.fromEntries(moves)
          }))
        })
      )
    })
  )

// ---------------------------------------------------------------------------------------------------------------
// The stage
// ---------------------------------------------------------------------------------------------------------------

/** What the call would be expected to cost with other choices, where every candidate has a price. */
const baselines = (candidates: Choice["candidates"]): { readonly [name: string]: number } => {
  const costs = candidates?.flatMap((one) => (one.predictedCostUsd === undefined ? [] : [one.predictedCostUsd])) ?? []
  if (candidates === undefined || costs.length === 0 || costs.length < candidates.length) return {}
  // The strong one is that of the best predicted quality; where no qualities are predicted, the dearest.
  const strong = candidates.reduce((a, b) =>
    (b.predictedQuality ?? b.predictedCostUsd!) > (a.predictedQuality ?? a.predictedCostUsd!) ? b : a
  )
  return {
    alwaysStrongUsd: strong.predictedCostUsd!,
    alwaysCheapUsd: Math.min(...costs),
    randomUsd: costs.reduce((sum, cost) => sum + cost, 0) / costs.length
  }
}

/** A candidate in words, for the journal: `acme/small (quality 0.82, $0.000410)`. */
const described = (candidate: Candidate): string => {
  const known = [
    ...(candidate.predictedQuality === undefined ? [] : [`quality ${candidate.predictedQuality.toFixed(2)}`]),
    ...(candidate.predictedCostUsd === undefined ? [] : [Cost.format(candidate.predictedCostUsd)])
  ]
  return known.length === 0 ? nameOf(candidate) : `${nameOf(candidate)} (${known.join(", ")})`
}

const choose = (request: Candidates.Request): Effect.Effect<Choice, Candidates.SelectModelError, Selector> =>
  Effect.tap(
    Selector.use((selector) => selector.select(request)),
    (choice) => {
      const expected = choice.candidates?.find((candidate) => same(candidate, choice))
      return Journal.record({
        _tag: "Fact",
        stage: "selectModel",
        name: "ChosenModel",
        attributes: {
          provider: choice.provider,
          model: choice.model,
          ...(choice.reason === undefined ? {} : { reason: choice.reason }),
          ...(choice.candidates === undefined ? {} : { candidates: choice.candidates.map(described).join(", ") }),
          ...(expected?.predictedQuality === undefined ? {} : { predictedQuality: expected.predictedQuality }),
          ...(expected?.predictedCostUsd === undefined ? {} : { predictedCostUsd: expected.predictedCostUsd }),
          ...baselines(choice.candidates)
        }
      })
    }
  )

/**
 * Chooses the model for a call, by its classification, prompt, settings and caller. Put it above `redact`.
 *
 * @category stages
 * @since 0.1.0
 */
export const selectModel = Stage.derive(
  "selectModel",
  {
    needs: { classification: Classification, prompt: RawPrompt, settings: Parameters, caller: Caller },
    adds: ChosenModel
  },
  choose
)

/**
 * Chooses the model for a call without a classification, by its prompt, settings and caller.
 *
 * @category stages
 * @since 0.1.0
 */
export const selectModelUnclassified = Stage.derive(
  "selectModelUnclassified",
  { needs: { prompt: RawPrompt, settings: Parameters, caller: Caller }, adds: ChosenModel },
  choose
)

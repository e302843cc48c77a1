/**
 * `fallback` asks another model when the chosen one cannot answer, before the first part has gone up. The others are those
 * that the selector found capable, best first, so that a fallback never goes where policy does not allow.
 *
 * @since 0.1.0
 */
import { Stage } from "@interlock/core"
import { type Choice, ChosenModel, ModelError, type ModelReference } from "@interlock/model"
import { Effect } from "effect"
import { Feedback } from "./Feedback.ts"
import { RetryBudget, TryPayer, tryOnce } from "./retry.ts"

/**
 * Where to go, and when.
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackOptions {
  /**
   * The models to ask instead, in order. Default: the other candidates of the choice, by predicted quality. Where these are
   * given, `allow` and the other limits of `selectModel` were not checked for them.
   */
  readonly to?: (choice: Choice) => ReadonlyArray<ModelReference>
  /** How many other models at most. Default: 2. */
  readonly times?: number
  /** Which failures another model may mend. Default: all but `BadRequest`. */
  readonly when?: (error: ModelError.ModelError) => boolean
}

const others = (choice: Choice): ReadonlyArray<ModelReference> =>
  [...(choice.candidates ?? [])].sort(
    (a, b) =>
      (b.predictedQuality ?? 0) - (a.predictedQuality ?? 0) ||
      (a.predictedCostUsd ?? Number.MAX_VALUE) - (b.predictedCostUsd ?? Number.MAX_VALUE)
  )

/**
 * The `fallback` stage with other models.
 *
 * @category stages
 * @since 0.1.0
 */
export const fallbackWith = (options: FallbackOptions) => {
  const when = options.when ?? ((error) => error.reason._tag !== "BadRequest")
  return Stage.around<{ handles: ModelError.ModelError }>()(
    "fallback",
    { needs: { choice: ChosenModel }, adds: ChosenModel },
    Effect.fnUntraced(function* ({ choice }, next) {
      const budget = yield* RetryBudget
      const pay = yield* TryPayer
      yield* budget.deposit
      const rest = (options.to ?? others)(choice)
        .filter((model) => model.provider !== choice.provider || model.model !== choice.model)
        .slice(0, options.times ?? 2)
      // A grade of the call is then one of the model that answered.
      const feedback = yield* Effect.serviceOption(Feedback)
      const { callId } = choice
      const ask = (current: Choice): ReturnType<typeof next> =>
        current === choice || callId === undefined || feedback._tag === "None"
          ? next(current)
          : Effect.tap(next(current), () => feedback.value.answered(callId, current))
      const from = (current: Choice, position: number): ReturnType<typeof next> =>
        Effect.catchIf(
          tryOnce(ask(current)),
          (error): error is ModelError.ModelError =>
            error instanceof ModelError.ModelError && position < rest.length && when(error),
          Effect.fnUntraced(function* (error) {
            if (!(yield* budget.withdraw)) return yield* error
            const { model, provider } = rest[position]!
            if ((yield* pay({ model: { provider, model }, failed: error })) === undefined) return yield* error
            const reason = `fallback from ${current.provider}/${current.model}: ${error.reason._tag}`
            return yield* from({ ...choice, provider, model, reason }, position + 1)
          })
        )
      return yield* from(choice, 0)
    })
  )
}

/**
 * Asks up to two other candidates when the chosen model cannot answer. Only before the first part.
 *
 * @category stages
 * @since 0.1.0
 */
export const fallback = fallbackWith({})

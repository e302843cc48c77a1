/**
 * `retry` asks again when a model could not answer, before the first part has gone up. It waits as long as the provider asked,
 * or else for a growing time with jitter, and spends from a budget, so that a broken provider is not buried in retries.
 *
 * @since 0.1.0
 */
import { Stage } from "@interlock/core"
import { ModelError, type ModelReference } from "@interlock/model"
import { Clock, Context, Duration, Effect, Exit, Layer, Random, Scope } from "effect"

// ---------------------------------------------------------------------------------------------------------------
// The budget
// ---------------------------------------------------------------------------------------------------------------

/**
 * How many extra tries (of `retry`, `fallback` and `hedge`) may be made. A call puts in a part of
 * a try at each of these stages, every extra try takes a whole one out, so extra tries stay a share of all calls however much fails.
 *
 * @category services
 * @since 0.1.0
 */
export class RetryBudget extends Context.Service<
  RetryBudget,
  {
    /** A first try is made. */
    readonly deposit: Effect.Effect<void>
    /** Whether one more try may be made; takes it when so. */
    readonly withdraw: Effect.Effect<boolean>
  }
>()("@interlock/stages/RetryBudget") {}

/**
 * Extra tries up to a share of calls, as Finagle's RetryBudget: `share` (default 0.2) of the calls, and `minimum` (default 10)
 * that are there at the start and come back at that number every ten seconds. Kept in the memory of this process.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerBudget = (options?: {
  readonly share?: number
  readonly minimum?: number
}): Layer.Layer<RetryBudget> =>
  Layer.effect(
    RetryBudget,
    Effect.gen(function* () {
      const share = options?.share ?? 0.2
      const minimum = options?.minimum ?? 10
      // What is saved up is bounded: a quiet hour does not pay for a storm.
      const most = minimum + 100
      let left = minimum
      let seen = yield* Clock.currentTimeMillis
      const refill = Effect.map(Clock.currentTimeMillis, (now) => {
        left = left >= minimum ? left : Math.min(minimum, left + ((now - seen) / 10_000) * minimum)
        seen = now
      })
      return {
        deposit: Effect.map(refill, () => {
          left = Math.min(most, left + share)
        }),
        withdraw: Effect.map(refill, () => {
          if (left < 1) return false
          left -= 1
          return true
        })
      }
    })
  )

/**
 * Every extra try may be made.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerUnlimited: Layer.Layer<RetryBudget> = Layer.succeed(RetryBudget)({
  deposit: Effect.void,
  withdraw: Effect.succeed(true)
})

/**
 * What is about to be tried: another model, or the same again; and how the try before it ended, where it has.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExtraTry {
  readonly model?: ModelReference
  readonly failed?: ModelError.ModelError
}

/**
 * A try that is paid for.
 *
 * @category models
 * @since 0.1.0
 */
export interface PaidTry {
  /** For one that is not made after all, since the call ends before. */
  readonly giveBack: Effect.Effect<void>
}

/**
 * Pays for one more try of the call in flight, or answers `undefined` where it cannot. `budget` provides it to what stands below;
 * `retry`, `fallback` and `hedge` ask before each extra try, and make none that is not paid for. A stage of one's own that tries again
 * should ask, too.
 *
 * @category references
 * @since 0.1.0
 */
export const TryPayer: Context.Reference<(extra: ExtraTry) => Effect.Effect<PaidTry | undefined>> = Context.Reference(
  "@interlock/stages/TryPayer",
  { defaultValue: () => (_: ExtraTry) => Effect.succeed<PaidTry | undefined>({ giveBack: Effect.void }) }
)

// ---------------------------------------------------------------------------------------------------------------
// The stage
// ---------------------------------------------------------------------------------------------------------------

/**
 * How often and how soon to ask again.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryOptions {
  /** How many more tries at most. Default: 2. */
  readonly times?: number
  /** The longest wait before the first retry; it doubles with each, and the wait is drawn between 0 and it. Default: 500 ms. */
  readonly base?: Duration.Input
  /** No wait is longer; when the provider asks for more, the call fails at once. Default: 20 s. */
  readonly longest?: Duration.Input
  /** Which failures are worth another try. Default: `ModelError.isRetryable`. */
  readonly when?: (error: ModelError.ModelError) => boolean
}

/**
 * One try in a scope of its own, closed as soon as the try fails or is interrupted: what a failed try holds is not kept until the call ends.
 *
 * @internal
 */
export const tryOnce = <A, E, R>(
  one: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const own = yield* Scope.fork(yield* Effect.scope)
      const exit = yield* Effect.exit(restore(Scope.provide(one, own)))
      if (Exit.isFailure(exit)) yield* Scope.close(own, exit)
      return yield* exit
    })
  )

/**
 * The `retry` stage with other numbers.
 *
 * @category stages
 * @since 0.1.0
 */
export const retryWith = (options: RetryOptions) => {
  const times = options.times ?? 2
  const base = Duration.toMillis(Duration.fromInputUnsafe(options.base ?? 500))
  const longest = Duration.toMillis(Duration.fromInputUnsafe(options.longest ?? 20_000))
  const when = options.when ?? ModelError.isRetryable
  return Stage.around<{ handles: ModelError.ModelError }>()(
    "retry",
    { needs: {} },
    Effect.fnUntraced(function* (_, next) {
      const budget = yield* RetryBudget
      const pay = yield* TryPayer
      yield* budget.deposit
      const again = (done: number): ReturnType<typeof next> =>
        Effect.catchIf(
          tryOnce(next()),
          (error): error is ModelError.ModelError =>
            error instanceof ModelError.ModelError && done < times && when(error),
          Effect.fnUntraced(function* (error) {
            const asked = ModelError.retryAfterMs(error)
            if (asked !== undefined && asked > longest) return yield* error
            if (!(yield* budget.withdraw)) return yield* error
            const paid = yield* pay({ failed: error })
            if (paid === undefined) return yield* error
            const wait = asked ?? (yield* Random.next) * Math.min(longest, base * 2 ** done)
            yield* Effect.onInterrupt(Effect.sleep(wait), () => paid.giveBack)
            return yield* again(done + 1)
          })
        )
      return yield* again(0)
    })
  )
}

/**
 * Asks again, up to twice, when a model could not answer and may well do so later. Only before the first part.
 *
 * @category stages
 * @since 0.1.0
 */
export const retry = retryWith({})

/**
 * `hedge` makes a second try when the first is slow to begin, and takes whichever begins first; the other is interrupted at
 * once, and what it cost is in the journal like that of any try. It trims the slowest calls for a few extra ones.
 *
 * @since 0.1.0
 */
import { Stage } from "@interlock/core"
import { Deferred, type Duration, Effect, Exit, Fiber, Scope } from "effect"
import { RetryBudget, TryPayer } from "./retry.ts"

/**
 * When to make the second try.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeOptions {
  /** How long the first try may take to its first part; the time that 19 of 20 calls take is a good one. */
  readonly after: Duration.Input
}

/**
 * Makes a second try when there is no first part after `after`. The budget bounds how many calls are hedged.
 *
 * @category stages
 * @since 0.1.0
 */
export const hedge = ({ after }: HedgeOptions) =>
  Stage.around(
    "hedge",
    { needs: {} },
    Effect.fnUntraced(function* (_, next) {
      const budget = yield* RetryBudget
      const pay = yield* TryPayer
      yield* budget.deposit
      type Exits = Exit.Exit<Effect.Success<ReturnType<typeof next>>, Effect.Error<ReturnType<typeof next>>>
      const scope = yield* Effect.scope
      const settled = yield* Deferred.make<readonly [Exits, Scope.Closeable]>()
      const begun: Array<readonly [Fiber.Fiber<void>, Scope.Closeable]> = []
      let running = 0
      const begin = Effect.gen(function* () {
        const own = yield* Scope.fork(scope)
        running++
        const fiber = yield* Effect.forkIn(
          Effect.flatMap(Effect.exit(Scope.provide(next(), own)), (exit) => {
            running--
            // A failure counts only when no other try can still succeed.
            return Exit.isSuccess(exit) || running === 0 ? Deferred.succeed(settled, [exit, own] as const) : Effect.void
          }),
          scope
        )
        begun.push([fiber as Fiber.Fiber<void>, own])
      })
      const losers = (winner: Scope.Closeable | undefined) =>
        Effect.forEach(
          begun.filter(([, own]) => own !== winner),
          ([fiber, own]) => Effect.andThen(Fiber.interrupt(fiber), Scope.close(own, Exit.void)),
          { discard: true }
        )
      return yield* Effect.gen(function* () {
        yield* begin
        const early = yield* Effect.timeoutOption(Deferred.await(settled), after)
        if (early._tag === "None" && (yield* budget.withdraw) && (yield* pay({})) !== undefined) yield* begin
        const [exit, own] = early._tag === "Some" ? early.value : yield* Deferred.await(settled)
        yield* Effect.uninterruptible(losers(Exit.isSuccess(exit) ? own : undefined))
        return yield* exit
      }).pipe(Effect.onInterrupt(() => losers(undefined)))
    })
  )

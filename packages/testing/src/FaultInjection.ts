/**
 * `FaultInjection` puts a handler into trouble: the calls that a plan names fail, hang or are cut, the others go through.
 *
 * @since 0.1.0
 */
import { type Handler, Reply } from "@interlock/core"
import { type Duration, Effect, type Scope, Stream } from "effect"

/**
 * What goes wrong with one call.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault<E> =
  | { readonly _tag: "Fail"; readonly error: E }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Delay"; readonly by: Duration.Input }
  /** The reply breaks with `error` after so many parts. */
  | { readonly _tag: "Cut"; readonly after: number; readonly error: E }

/**
 * The same handler with faults. `plan` is asked with the number of the call, from 0, and says what goes wrong, if anything.
 *
 * ```ts
 * import { FaultInjection, ScriptedModel } from "@interlock/testing"
 * import { Effect } from "effect"
 *
 * export const everyThirdFails = Effect.map(ScriptedModel.make([{ text: "fine" }]), (model) =>
 *   FaultInjection.inject(model.handler, (call) =>
 *     call % 3 === 2 ? { _tag: "Fail", error: ScriptedModel.overloaded } : undefined))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const inject = <N, A, E, R, E2>(
  handler: Handler.Handler<N, A, E, R>,
  plan: (call: number) => Fault<E2> | undefined
): Handler.Handler<N, A, E | E2, R> => {
  let calls = 0
  return {
    ...handler,
    handle: (facts) =>
      Effect.suspend((): Effect.Effect<Reply.Reply<A, E | E2>, E | E2, R | Scope.Scope> => {
        const fault = plan(calls++)
        if (fault === undefined) return handler.handle(facts)
        switch (fault._tag) {
          case "Fail":
            return Effect.fail(fault.error)
          case "Hang":
            return Effect.never
          case "Delay":
            return Effect.delay(handler.handle(facts), fault.by)
          case "Cut":
            return Effect.map(handler.handle(facts), (reply) =>
              Reply.live(Stream.concat(Stream.take(Reply.toStream(reply), fault.after), Stream.fail(fault.error)))
            )
        }
      })
  }
}

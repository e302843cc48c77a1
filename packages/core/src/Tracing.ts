/**
 * The tracing policy of pipelines: off by default and then free; on, one span per stage and one for the handler, each alive
 * until the last part or the interrupt.
 *
 * A span costs some microseconds, a stage without one a fraction of one; that is why spans belong to a policy that the
 * application provides, and not to stages. Spans never hold text of a prompt or an answer: a policy sees facts and parts and
 * decides which figures of theirs become attributes (`GenAi.tracing` of `@interlock/model` follows OpenTelemetry's
 * conventions for generative models).
 *
 * @since 0.1.0
 */
import { Clock, Context, Effect, Exit, Stream, Tracer } from "effect"
import * as Reply from "./Reply.ts"
import type { Below } from "./Stage.ts"

/**
 * Where a span stands: the pipeline's name, the stage's or handler's name, and which of the two it is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Place {
  readonly pipeline: string
  readonly name: string
  readonly kind: "stage" | "handler"
}

/**
 * What becomes of a span: `enter` sees the facts as they come in, `part` every part that goes up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  readonly enter?: (span: Tracer.Span, place: Place, facts: Context.Context<never>) => void
  readonly part?: (span: Tracer.Span, place: Place, part: unknown) => void
}

/**
 * The policy in force, or `undefined` while tracing is off. Turn it on with
 * `Effect.provideService(Tracing.Tracing, policy)` or a layer.
 *
 * @category references
 * @since 0.1.0
 */
export const Tracing: Context.Reference<Policy | undefined> = Context.Reference("@interlock/core/Tracing", {
  defaultValue: (): Policy | undefined => undefined
})

/**
 * Wraps one stage, or the handler, in a span that ends with the last part, the failure or the interrupt.
 *
 * @internal
 */
export const traced =
  (policy: Policy, place: Place, below: Below): Below =>
  (facts) =>
    Effect.flatMap(
      Effect.makeSpan(place.name, {
        kind: place.kind === "handler" ? "client" : "internal",
        attributes: { "interlock.pipeline": place.pipeline, [`interlock.${place.kind}`]: place.name }
      }),
      (span) => {
        const end = (exit: Exit.Exit<unknown, unknown>) =>
          Effect.map(Clock.currentTimeNanos, (now) => {
            if (span.status._tag === "Started") span.end(now, exit)
          })
        policy.enter?.(span, place, facts)
        const see = (part: unknown) => {
          policy.part?.(span, place, part)
          return part
        }
        return below(facts).pipe(
          Effect.flatMap((reply) => {
            const seen = policy.part === undefined ? reply : Reply.map(reply, see)
            return Reply.onExit(
              seen._tag === "Whole" ? seen : Reply.live(Stream.provideService(seen.parts, Tracer.ParentSpan, span)),
              end
            )
          }),
          Effect.onError((cause) => end(Exit.failCause(cause))),
          Effect.provideService(Tracer.ParentSpan, span)
        )
      }
    )

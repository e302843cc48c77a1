/**
 * The services that a layer is built with, for what it does in calls later on.
 *
 * @since 0.1.0
 */
import { Reply } from "@interlock/core"
import { Journal } from "@interlock/model"
import { Context, Effect, Tracer } from "effect"

/**
 * The services of the layer that is being built, without what was open meanwhile (a span, a journal, a way of delivery): that belongs to
 * no later call.
 *
 * @internal
 */
export const layerServices = <R>(): Effect.Effect<Context.Context<R>, never, R> =>
  Effect.map(
    Effect.context<R>(),
    (services) =>
      Context.omit(
        Tracer.ParentSpan,
        Journal.Journal,
        Reply.Delivery
      )(services as Context.Context<any>) as Context.Context<R>
  )

/**
 * A `Reply` is what comes back up a pipeline: parts that are all here (`Whole`), or parts still arriving (`Live`).
 *
 * Everything that can go wrong before the first part is a failure of the effect that yields the reply, so a stage above can
 * retry it or send it elsewhere. Everything after the first part is a failure of the `Live` stream: it reaches the caller and is
 * never spliced with another model's answer.
 *
 * @since 0.1.0
 */
import { Context, Effect, Exit, Option, Pull, Scope, Stream } from "effect"

/**
 * Parts that are all here, or still arriving.
 *
 * @category models
 * @since 0.1.0
 */
export type Reply<Part, E = never> = Whole<Part> | Live<Part, E>

/**
 * A reply whose parts are all here.
 *
 * @category models
 * @since 0.1.0
 */
export interface Whole<out Part> {
  readonly _tag: "Whole"
  readonly parts: ReadonlyArray<Part>
}

/**
 * A reply whose parts are still arriving; its stream is run at most once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Live<out Part, out E = never> {
  readonly _tag: "Live"
  readonly parts: Stream.Stream<Part, E>
}

/**
 * How the caller wants the reply: `run` asks for it `"whole"`, `stream` for it `"live"`. A handler may ignore the wish.
 *
 * @category references
 * @since 0.1.0
 */
export const Delivery: Context.Reference<"whole" | "live"> = Context.Reference("@interlock/core/Delivery", {
  defaultValue: (): "whole" | "live" => "whole"
})

/**
 * The name of the protocol of the pipeline in flight, `""` where it has none: for a stage that must tell one kind of call from another.
 *
 * @category references
 * @since 0.1.0
 */
export const Protocol = Context.Reference<string>("@interlock/core/Protocol", { defaultValue: () => "" })

/**
 * Makes a reply of parts that are all here.
 *
 * @category constructors
 * @since 0.1.0
 */
export const whole = <Part>(parts: ReadonlyArray<Part>): Whole<Part> => ({ _tag: "Whole", parts })

/**
 * Makes a reply of parts that are still arriving.
 *
 * @category constructors
 * @since 0.1.0
 */
export const live = <Part, E>(parts: Stream.Stream<Part, E>): Live<Part, E> => ({ _tag: "Live", parts })

/**
 * Makes a live reply and waits for its first part, which is the commit point: a failure before it is a failure of this effect,
 * so `retry` and `fallback` may act on it; a failure after it is one of the stream. An empty stream is a live reply without
 * parts. The stream's resources are released with the last part, the failure or the surrounding scope, whichever comes first.
 *
 * @category constructors
 * @since 0.1.0
 */
export const liveAfterFirst = Effect.fnUntraced(function* <Part, E, R>(
  parts: Stream.Stream<Part, E, R>
): Effect.fn.Return<Live<Part, E>, E, R | Scope.Scope> {
  const own = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Effect.context<R>()
  const pull = yield* Scope.provide(Stream.toPull(parts), own)
  const first = yield* Effect.onError(
    Pull.catchDone(Effect.asSome(pull), () => Effect.succeedNone),
    (cause) => Scope.close(own, Exit.failCause(cause))
  )
  if (Option.isNone(first)) return live(Stream.empty)
  let pending: typeof first.value | undefined = first.value
  const rest = Effect.suspend(() => {
    if (pending === undefined) return pull
    const chunk = pending
    pending = undefined
    return Effect.succeed(chunk)
  })
  const resumed = Stream.fromPull(Effect.succeed(Effect.provideContext(rest, context)))
  return live(Stream.onExit(resumed, (exit) => Scope.close(own, exit)))
})

/**
 * Transforms every part, in order.
 *
 * @category mapping
 * @since 0.1.0
 */
export const map = <A, B, E = never>(self: Reply<A, E>, f: (part: A) => B): Reply<B, E> =>
  self._tag === "Whole" ? whole(self.parts.map(f)) : live(Stream.map(self.parts, f))

/**
 * Transforms the stream of a live reply, for instance to end it cleanly on an error that comes after the first part; a whole
 * reply stays as it is. An error disappears from a pipeline's type only when a stage handles it before the first part and after.
 *
 * @category mapping
 * @since 0.1.0
 */
export const mapLive = <A, E, E2>(
  self: Reply<A, E>,
  f: (parts: Stream.Stream<A, E>) => Stream.Stream<A, E2>
): Reply<A, E2> => (self._tag === "Whole" ? self : live(f(self.parts)))

/**
 * Runs `finalizer` once: when the last part is here, when the stream failed, or when the caller left. A live reply that nobody
 * reads is finished when the surrounding scope closes.
 *
 * @category finalizers
 * @since 0.1.0
 */
export const onExit = <A, R, E = never>(
  self: Reply<A, E>,
  finalizer: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void, never, R>
): Effect.Effect<Reply<A, E>, never, R | Scope.Scope> =>
  self._tag === "Whole"
    ? Effect.as(finalizer(Exit.void), self)
    : Effect.contextWith((context: Context.Context<R | Scope.Scope>) => {
        let ended = false
        const end = (exit: Exit.Exit<unknown, unknown>) =>
          Effect.suspend(() => {
            if (ended) return Effect.void
            ended = true
            return Effect.provideContext(finalizer(exit), context as Context.Context<R>)
          })
        const scope = Context.get(context as Context.Context<Scope.Scope>, Scope.Scope)
        return Effect.as(Scope.addFinalizerExit(scope, end), live(Stream.onExit(self.parts, end)))
      })

/**
 * All the parts, waiting for those that are still arriving.
 *
 * @category destructors
 * @since 0.1.0
 */
export const collect = <A, E = never>(self: Reply<A, E>): Effect.Effect<ReadonlyArray<A>, E> =>
  self._tag === "Whole" ? Effect.succeed(self.parts) : Stream.runCollect(self.parts)

/**
 * The parts as a stream, whether they are all here or still arriving.
 *
 * @category destructors
 * @since 0.1.0
 */
export const toStream = <A, E = never>(self: Reply<A, E>): Stream.Stream<A, E> =>
  self._tag === "Live" ? self.parts : Stream.fromIterable(self.parts)

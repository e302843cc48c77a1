/**
 * One piece of work that many callers wait for: the first starts it, the others join, each reads its reply from the start
 * and at its own pace, and it is interrupted only when the last of them has left.
 */
import { Reply } from "@interlock/core"
import { Cause, Deferred, Effect, Exit, Fiber, type Scope, Stream } from "effect"

/** The work in flight. */
export interface Flight<Part, E> {
  readonly parts: Array<Part>
  live: boolean
  ended: Exit.Exit<void, E> | undefined
  /** Completed, and replaced, whenever something above has changed. */
  changed: Deferred.Deferred<void>
  callers: number
  fiber: Fiber.Fiber<void, E> | undefined
}

/** Where the work puts its reply. */
export interface Sink<in Part> {
  /** Says that the reply is live: callers need not wait for its end. */
  readonly begin: () => void
  readonly push: (parts: ReadonlyArray<Part>) => void
}

/** Joins the work of `key`, or starts it: `work` is called in that case alone, and at once. */
export const join = <Part, E, R>(
  flights: Map<string, Flight<Part, E>>,
  key: string,
  work: (sink: Sink<Part>) => Effect.Effect<void, E, R>
): Effect.Effect<Reply.Reply<Part, E>, E, R | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const present = flights.get(key)
      const flight: Flight<Part, E> = present ?? {
        parts: [],
        live: false,
        ended: undefined,
        changed: Deferred.makeUnsafe(),
        callers: 0,
        fiber: undefined
      }
      flight.callers++
      if (present === undefined) {
        flights.set(key, flight)
        flight.fiber = yield* Effect.forkDetach(
          Effect.onExit(work(sinkOf(flight)), (exit) => end(flights, key, flight, exit))
        )
      }
      let gone = false
      const leave = Effect.suspend(() => {
        if (gone) return Effect.void
        gone = true
        flight.callers--
        if (flight.callers > 0 || flight.ended !== undefined || flight.fiber === undefined) return Effect.void
        if (flights.get(key) === flight) flights.delete(key)
        return Fiber.interrupt(flight.fiber)
      })
      yield* Effect.onError(restore(begun(flight)), () => leave)
      if (!flight.live) {
        yield* leave
        return Reply.whole(flight.parts)
      }
      return yield* Reply.onExit(Reply.live(read(flight)), () => leave)
    })
  )

const sinkOf = <Part, E>(flight: Flight<Part, E>): Sink<Part> => ({
  begin: () => {
    flight.live = true
    wake(flight)
  },
  push: (parts) => {
    for (const part of parts) flight.parts.push(part)
    if (flight.live) wake(flight)
  }
})

const wake = (flight: Flight<any, any>) => {
  const { changed } = flight
  flight.changed = Deferred.makeUnsafe()
  Deferred.doneUnsafe(changed, Effect.void)
}

const end = <Part, E>(
  flights: Map<string, Flight<Part, E>>,
  key: string,
  flight: Flight<Part, E>,
  exit: Exit.Exit<void, E>
) =>
  Effect.sync(() => {
    flight.ended = exit
    if (flights.get(key) === flight) flights.delete(key)
    wake(flight)
  })

/** Waits until the reply is whole, or is live, or has failed before either. */
const begun = <Part, E>(flight: Flight<Part, E>): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    if (flight.live) return Effect.void
    if (flight.ended !== undefined) return flight.ended
    return Effect.flatMap(Deferred.await(flight.changed), () => begun(flight))
  })

const read = <Part, E>(flight: Flight<Part, E>): Stream.Stream<Part, E> =>
  Stream.suspend(() => {
    let position = 0
    type Chunk = readonly [Part, ...Array<Part>]
    const pull: Effect.Effect<Chunk, E | Cause.Done> = Effect.suspend(() => {
      if (position < flight.parts.length) {
        const chunk = flight.parts.slice(position)
        position = flight.parts.length
        return Effect.succeed(chunk as unknown as Chunk)
      }
      if (flight.ended === undefined) return Effect.flatMap(Deferred.await(flight.changed), () => pull)
      return Exit.isSuccess(flight.ended) ? Cause.done() : Effect.failCause(flight.ended.cause)
    })
    return Stream.fromPull(Effect.succeed(pull))
  })

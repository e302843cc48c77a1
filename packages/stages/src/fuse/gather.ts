/**
 * Asks several members at once, and keeps what each of them said, how it failed, and what it cost.
 *
 * @since 0.1.0
 */
import { Reply } from "@interlock/core"
import { Chat, Cost, Journal, type Part } from "@interlock/model"
import { Cause, type Duration, Effect, Exit, Option, Queue, type Scope } from "effect"

/**
 * One call of one member.
 *
 * @internal
 */
export interface Call<E, R> {
  readonly name: string
  readonly member: string
  readonly reply: Effect.Effect<Reply.Reply<Part.Part, E>, E, R>
}

/**
 * How a call ended.
 *
 * @internal
 */
export type Ended<E> =
  | { readonly _tag: "Answered"; readonly parts: ReadonlyArray<Part.Part>; readonly answer: Chat.Answer }
  | { readonly _tag: "Failed"; readonly error: E }

/**
 * A journal of its own that passes every event on to `outer`, so that each member's cost can be told apart.
 *
 * @internal
 */
export const journalWithin = (outer: Journal.Journal | undefined): Journal.Journal => {
  const own = Journal.make()
  return {
    events: own.events,
    append: (event) => {
      own.append(event)
      outer?.append(event)
    }
  }
}

/**
 * What the events of one call add up to; where nothing was recorded, what its finish part says.
 *
 * @internal
 */
export const costOf = (journal: Journal.Journal, said: unknown): Cost.Total => {
  const events = journal.events()
  const cost = said as Cost.Cost | undefined
  return cost === undefined || events.some((event) => event._tag === "Attempt")
    ? Cost.ofEvents(events)
    : Cost.total([cost])
}

/**
 * Asks all, and stops, interrupting those still at work, when all have ended, when `enough` says so, when fewer than `quorum` can
 * still answer, or when `patience` has passed since the quorum was reached. A call that has not ended is `undefined`.
 *
 * @internal
 */
export const gather = <E, R>(
  calls: ReadonlyArray<Call<E, R>>,
  journals: ReadonlyArray<Journal.Journal>,
  options: {
    readonly quorum: number
    readonly patience: Duration.Input | undefined
    readonly enough: (ended: ReadonlyArray<Ended<E> | undefined>) => boolean
  }
): Effect.Effect<ReadonlyArray<Ended<E> | undefined>, never, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const exits = yield* Queue.unbounded<readonly [number, Exit.Exit<ReadonlyArray<Part.Part>, E>]>()
      for (const [index, { reply }] of calls.entries()) {
        const whole = Effect.scoped(Effect.flatMap(reply, Reply.collect)).pipe(
          Effect.provideService(Reply.Delivery, "whole" as const),
          Effect.provideService(Journal.Journal, journals[index])
        )
        yield* Effect.forkScoped(
          Effect.flatMap(Effect.exit(whole), (exit) => Queue.offer(exits, [index, exit] as const))
        )
      }
      const ended: Array<Ended<E> | undefined> = calls.map(() => undefined)
      let answered = 0
      let failed = 0
      const next = Effect.gen(function* () {
        const [index, exit] = yield* Queue.take(exits)
        if (Exit.isSuccess(exit)) {
          answered++
          const answer = exit.value.reduce(Chat.protocol.append, Chat.protocol.empty())
          ended[index] = { _tag: "Answered", parts: exit.value, answer }
          return
        }
        // A defect is a mistake in the program, not a member that could not answer: it is not hidden behind the others.
        const error = Cause.findErrorOption(exit.cause)
        if (Option.isNone(error)) return yield* Effect.failCause(exit.cause as Cause.Cause<never>)
        failed++
        ended[index] = { _tag: "Failed", error: error.value }
      })
      const over = () =>
        answered + failed === calls.length || calls.length - failed < options.quorum || options.enough(ended)
      const until = (done: () => boolean): Effect.Effect<void> =>
        Effect.suspend(() => (done() ? Effect.void : Effect.flatMap(next, () => until(done))))
      yield* until(() => over() || (options.patience !== undefined && answered >= options.quorum))
      if (!over() && options.patience !== undefined) yield* Effect.timeoutOption(until(over), options.patience)
      return ended
    })
  ) as Effect.Effect<ReadonlyArray<Ended<E> | undefined>, never, Exclude<R, Scope.Scope>>

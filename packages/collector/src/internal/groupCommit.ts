/** Work that arrives while a commit is under way shares the next one. */
import { Deferred, Effect, type Exit, Queue, type Scope } from "effect"

/**
 * Makes a function that hands work to one writer and waits for its result. `commit` gets everything that waits, in order, and says how
 * each piece ended.
 */
export const make = <Work, A, E>(
  commit: (group: ReadonlyArray<Work>) => Effect.Effect<ReadonlyArray<Exit.Exit<A, E>>>
): Effect.Effect<(work: Work) => Effect.Effect<A, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const queue = yield* Queue.unbounded<{ readonly work: Work; readonly done: Deferred.Deferred<A, E> }>()
    const write = Effect.gen(function* () {
      const group = yield* Queue.takeAll(queue)
      const exits = yield* commit(group.map(({ work }) => work))
      for (const [index, { done }] of group.entries()) Deferred.doneUnsafe(done, exits[index]!)
    })
    yield* Effect.forkScoped(Effect.forever(write))
    return (work) =>
      Effect.suspend(() => {
        const done = Deferred.makeUnsafe<A, E>()
        Queue.offerUnsafe(queue, { work, done })
        return Deferred.await(done)
      })
  })

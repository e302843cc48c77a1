/**
 * `batch.micro`: concurrent calls to an endpoint that takes many items at once (embeddings, classifiers, self-hosted models)
 * become one. It is work-conserving: a free worker takes whatever is waiting, so an idle system adds no delay and a busy
 * one fills its batches by itself; there is no window to tune. Compare Clipper (Crankshaw et al., NSDI 2017).
 *
 * @since 0.1.0
 */
import { ModelError } from "@interlock/model"
import { Clock, type Context, Deferred, Duration, Effect, Exit, Fiber, Schema, type Scope } from "effect"
import { type ConfigurationError, invalid } from "./cache/configurationError.ts"

/**
 * The batcher, not the endpoint, gave an item up.
 *
 * @category errors
 * @since 0.1.0
 */
export class BatchError extends Schema.TaggedError<BatchError>()("@interlock/stages/BatchError", {
  reason: Schema.Literals(["QueueFull", "WaitedTooLong", "AnswersMissing", "Closed"]),
  message: Schema.String
}) {}

/**
 * How items become batches.
 *
 * @category models
 * @since 0.1.0
 */
export interface MicroOptions<in A, out B, in out E, out R> {
  /** Calls the endpoint: one exit per item, in the order of the items. Failing as a whole fails the batch. */
  readonly run: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<Exit.Exit<B, E>>, E, R>
  /** Items of different keys are never in one batch; give it the tenant where the endpoint must not mix tenants. */
  readonly key: (item: A) => string
  /** The most items in a batch; 128. */
  readonly maxItems?: number
  /** The size of an item, such as its tokens, and the most that a batch may hold. A larger item goes alone. */
  readonly size?: { readonly of: (item: A) => number; readonly max: number }
  /** How many batches may run at once; 1. */
  readonly workers?: number
  /** How many items may wait; the next one is refused at once. 10,000. */
  readonly maxQueue?: number
  /** How long an item may wait for a worker; for ever when absent. */
  readonly maxWait?: Duration.Input
  /**
   * Whether a batch that failed as a whole is run again in halves, so that one bad item fails alone. By default yes, unless
   * the error is a `ModelError` that says it is no item's fault: of the others, only `BadRequest` and `ContentFiltered` may be.
   */
  readonly isolate?: (error: E) => boolean
}

interface Waiting<A, B, E> {
  readonly item: A
  readonly size: number
  readonly done: Deferred.Deferred<B, E | BatchError>
  state: "waiting" | "running" | "left"
  /** Called when the caller leaves while the batch runs. */
  left: () => void
}

/**
 * Makes a function that asks the endpoint for one item; calls in flight at the same time share batches. Each caller keeps its
 * own timeout and interrupt: leaving the queue frees the place, and a batch that everybody has left is interrupted. The
 * workers live as long as the scope; whoever waits when it closes, or asks later, is refused.
 *
 * @example
 * ```ts
 * import { micro } from "@interlock/stages/batchMicro"
 * import { Effect, Exit } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const double = yield* micro({
 *     key: () => "all",
 *     run: (items: ReadonlyArray<number>) => Effect.succeed(items.map((item) => Exit.succeed(2 * item)))
 *   })
 *   return yield* Effect.all([double(1), double(2)], { concurrency: "unbounded" })
 * })
 * await Effect.runPromise(Effect.scoped(program)) // => [2, 4]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const micro = Effect.fnUntraced(function* <A, B, E, R>(
  options: MicroOptions<A, B, E, R>
): Effect.fn.Return<(item: A) => Effect.Effect<B, E | BatchError>, ConfigurationError, R | Scope.Scope> {
  const { key, maxItems = 128, maxQueue = 10_000, maxWait, run, size, workers = 1 } = options
  const isolate = options.isolate ?? isOneItemsFault
  for (const [setting, value] of Object.entries({ maxItems, maxQueue, workers, "size.max": size?.max ?? 1 })) {
    if (!(value > 0)) return yield* invalid(`batch.micro ${setting}`, value, "it must be above 0", "leave it out")
  }
  const context = yield* Effect.context<R>()
  const partitions = new Map<string, Array<Waiting<A, B, E>>>()
  let queued = 0
  let wake: Deferred.Deferred<void> | undefined

  const take = (): ReadonlyArray<Waiting<A, B, E>> => {
    for (const [name, queue] of partitions) {
      // The partition goes to the back, so that none starves.
      partitions.delete(name)
      const batch: Array<Waiting<A, B, E>> = []
      let total = 0
      let position = 0
      for (; position < queue.length && batch.length < maxItems; position++) {
        const waiting = queue[position]!
        if (waiting.state === "left") continue
        if (size !== undefined && batch.length > 0 && total + waiting.size > size.max) break
        total += waiting.size
        waiting.state = "running"
        batch.push(waiting)
      }
      queued -= batch.length
      if (position < queue.length) partitions.set(name, queue.slice(position))
      if (batch.length > 0) return batch
    }
    return []
  }

  const runBatch = (batch: ReadonlyArray<Waiting<A, B, E>>): Effect.Effect<void, never, R> =>
    Effect.flatMap(Effect.exit(Effect.suspend(() => run(batch.map(({ item }) => item)))), (exit) => {
      if (Exit.isSuccess(exit)) {
        const answers = exit.value
        for (const [position, waiting] of batch.entries()) {
          const answer = answers.length === batch.length ? answers[position] : undefined
          Deferred.doneUnsafe(
            waiting.done,
            answer ??
              Effect.fail(
                new BatchError({
                  reason: "AnswersMissing",
                  message: `the endpoint answered ${answers.length} of ${batch.length} items: it must answer each, in order`
                })
              )
          )
        }
        return Effect.void
      }
      const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
      if (batch.length > 1 && failure !== undefined && isolate(failure.error)) {
        const middle = batch.length >> 1
        return Effect.andThen(runPresent(batch.slice(0, middle)), runPresent(batch.slice(middle)))
      }
      for (const { done } of batch) Deferred.doneUnsafe(done, Effect.failCause(exit.cause))
      return Effect.void
    })

  const runPresent = (batch: ReadonlyArray<Waiting<A, B, E>>): Effect.Effect<void, never, R> =>
    Effect.suspend(() => {
      const present = batch.filter(({ state }) => state !== "left")
      return present.length === 0 ? Effect.void : runBatch(present)
    })

  const worker = Effect.gen(function* () {
    // Callers that run in this same turn get on board.
    yield* Effect.yieldNow
    const batch = take()
    if (batch.length === 0) {
      wake ??= Deferred.makeUnsafe()
      return yield* Deferred.await(wake)
    }
    const fiber = yield* Effect.forkChild(runBatch(batch))
    let callers = batch.length
    for (const waiting of batch) {
      waiting.left = () => {
        if (--callers === 0) fiber.interruptUnsafe()
      }
    }
    yield* Fiber.await(fiber)
  })
  let closed = false
  const present = new Set<Waiting<A, B, E>>()
  const refusal = Effect.fail(
    new BatchError({ reason: "Closed", message: "the batcher's scope is closed: ask while it is open" })
  )
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      for (const { done } of present) Deferred.doneUnsafe(done, refusal)
    })
  )
  for (let index = 0; index < workers; index++) {
    yield* Effect.forkScoped(Effect.provideContext(Effect.forever(worker), context as Context.Context<R>))
  }

  return (item) =>
    Effect.suspend(() => {
      if (closed) return refusal
      if (queued >= maxQueue) {
        return Effect.fail(
          new BatchError({
            reason: "QueueFull",
            message: `${queued} items wait already: allow more with maxQueue, or shed load above`
          })
        )
      }
      const waiting: Waiting<A, B, E> = {
        item,
        size: size?.of(item) ?? 1,
        done: Deferred.makeUnsafe(),
        state: "waiting",
        left: () => {}
      }
      const name = key(item)
      const queue = partitions.get(name)
      if (queue === undefined) partitions.set(name, [waiting])
      else queue.push(waiting)
      queued++
      if (wake !== undefined) {
        Deferred.doneUnsafe(wake, Effect.void)
        wake = undefined
      }
      present.add(waiting)
      const leave = Effect.sync(() => {
        if (waiting.state === "waiting") queued--
        if (waiting.state === "running") waiting.left()
        waiting.state = "left"
      })
      const answer = Effect.onExit(Deferred.await(waiting.done), (exit) => {
        present.delete(waiting)
        return Exit.hasInterrupts(exit) ? leave : Effect.void
      })
      if (maxWait === undefined) return answer
      const expire = Effect.flatMap(Effect.andThen(Effect.sleep(maxWait), Clock.currentTimeMillis), () =>
        waiting.state === "waiting"
          ? Effect.fail(
              new BatchError({
                reason: "WaitedTooLong",
                message: `no worker was free within ${Duration.format(Duration.fromInputUnsafe(maxWait))}: allow more workers, or shed load above`
              })
            )
          : Effect.never
      )
      return Effect.raceFirst(answer, expire)
    })
})

const isModelError = Schema.is(ModelError.ModelError)

const isOneItemsFault = (error: unknown): boolean =>
  !isModelError(error) || error.reason._tag === "BadRequest" || error.reason._tag === "ContentFiltered"

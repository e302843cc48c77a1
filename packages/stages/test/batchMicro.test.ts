import { assert, describe, it } from "@effect/vitest"
import { ModelError } from "@interlock/model"
import { BatchError, type MicroOptions, micro } from "@interlock/stages/batchMicro"
import { Deferred, type Duration, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"

interface Item {
  readonly tenant: string
  readonly n: number
}

/** Lets time pass once everybody has begun to wait. */
const pass = Effect.fnUntraced(function* (time: Duration.Input) {
  for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow
  yield* TestClock.adjust(time)
  for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow
})

/** An endpoint that takes 10 ms a batch and remembers what it was sent. */
const endpoint = () => {
  const batches: Array<ReadonlyArray<number>> = []
  const running = { count: 0 }
  const options: MicroOptions<Item, number, string, never> = {
    key: ({ tenant }) => tenant,
    run: (items) =>
      Effect.gen(function* () {
        running.count++
        yield* Effect.onExit(Effect.sleep("10 millis"), () => Effect.sync(() => running.count--))
        batches.push(items.map(({ n }) => n))
        return items.map(({ n }) => (n < 0 ? Exit.fail(`${n} is bad`) : Exit.succeed(2 * n)))
      })
  }
  return { batches, running, options }
}

const all = (numbers: ReadonlyArray<number>, call: (item: Item) => Effect.Effect<number, unknown>, tenant = "a") =>
  Effect.forEach(numbers, (n) => Effect.forkChild(call({ tenant, n })))

describe("batch.micro", () => {
  it.effect("adds no delay when idle, and takes all that waits when a worker is free", () =>
    Effect.gen(function* () {
      const { batches, options } = endpoint()
      const call = yield* micro(options)
      const first = yield* all([1], call)
      yield* pass("5 millis")
      const rest = yield* all([2, 3, 4], call)
      yield* pass("5 millis")
      assert.deepStrictEqual(batches, [[1]])
      yield* pass("10 millis")
      assert.deepStrictEqual(batches, [[1], [2, 3, 4]])
      const fibers = [...first, ...rest]
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), [2, 4, 6, 8])
    })
  )

  it.effect("puts calls of one turn into one batch, within the bounds on items and size", () =>
    Effect.gen(function* () {
      const { batches, options } = endpoint()
      const call = yield* micro({ ...options, maxItems: 3, size: { of: ({ n }) => n, max: 10 } })
      yield* all([1, 2, 3, 4, 9, 2, 50, 1], call)
      yield* pass("1 second")
      assert.deepStrictEqual(batches, [[1, 2, 3], [4], [9], [2], [50], [1]])
    })
  )

  it.effect("never mixes keys, and lets none starve", () =>
    Effect.gen(function* () {
      const { batches, options } = endpoint()
      const call = yield* micro({ ...options, maxItems: 2 })
      yield* all([1, 2, 3, 4], call, "a")
      yield* all([11, 12], call, "b")
      yield* pass("1 second")
      assert.deepStrictEqual(batches, [
        [1, 2],
        [11, 12],
        [3, 4]
      ])
    })
  )

  it.effect("lets one bad item fail alone, whether the endpoint says which or not", () =>
    Effect.gen(function* () {
      const { options } = endpoint()
      const call = yield* micro(options)
      const fibers = yield* all([1, -2, 3], call)
      yield* pass("10 millis")
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.await), [
        Exit.succeed(2),
        Exit.fail("-2 is bad"),
        Exit.succeed(6)
      ])
      const strict = yield* micro<Item, number, string, never>({
        key: () => "",
        run: (items) =>
          items.some(({ n }) => n < 0)
            ? Effect.fail("bad batch")
            : Effect.succeed(items.map(({ n }) => Exit.succeed(n)))
      })
      const others = yield* all([1, 2, -3, 4, 5], strict)
      yield* pass("10 millis")
      assert.deepStrictEqual(yield* Effect.forEach(others, Fiber.await), [
        Exit.succeed(1),
        Exit.succeed(2),
        Exit.fail("bad batch"),
        Exit.succeed(4),
        Exit.succeed(5)
      ])
    })
  )

  for (const reason of [
    new ModelError.Overloaded({ status: 503 }),
    new ModelError.RefusedKey(),
    new ModelError.Quota()
  ]) {
    it.effect(`does not run a batch again in halves when the whole of it was refused: ${reason._tag}`, () =>
      Effect.gen(function* () {
        const refused = new ModelError.ModelError({ provider: "p", model: "m", reason, message: "refused" })
        let count = 0
        const call = yield* micro<Item, number, ModelError.ModelError, never>({
          key: () => "",
          run: () =>
            Effect.suspend(() => {
              count++
              return Effect.fail(refused)
            })
        })
        const fibers = yield* all([1, 2, 3], call)
        yield* pass("10 millis")
        for (const fiber of fibers) assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail(refused))
        assert.strictEqual(count, 1)
      })
    )
  }

  it.effect("does not ask again for those who have left when it looks for the bad item", () =>
    Effect.gen(function* () {
      const asked: Array<ReadonlyArray<number>> = []
      const call = yield* micro<Item, number, string, never>({
        key: () => "",
        run: (items) =>
          Effect.suspend(() => {
            asked.push(items.map(({ n }) => n))
            return items.some(({ n }) => n < 0)
              ? Effect.fail("bad batch")
              : Effect.succeed(items.map(({ n }) => Exit.succeed(n)))
          }).pipe(Effect.delay("10 millis"))
      })
      const [left, stays] = yield* all([1, 2, -3], call)
      yield* pass("5 millis")
      yield* Fiber.interrupt(left!)
      yield* pass("100 millis")
      assert.strictEqual(yield* Fiber.join(stays!), 2)
      assert.deepStrictEqual(asked, [[1, 2, -3], [2, -3], [2], [-3]])
    })
  )

  it.effect("lets nobody wait for ever when its scope closes", () =>
    Effect.gen(function* () {
      const { options, running } = endpoint()
      const scope = yield* Scope.make()
      const call = yield* Scope.provide(micro({ ...options, maxItems: 1 }), scope)
      const fibers = yield* all([1, 2], call)
      yield* pass("5 millis")
      assert.strictEqual(running.count, 1)
      yield* Scope.close(scope, Exit.void)
      const reasons = yield* Effect.forEach([...fibers.map(Fiber.join), call({ tenant: "a", n: 3 })], (waiting) =>
        Effect.flip(Effect.mapError(waiting, (error) => error instanceof BatchError && error.reason))
      )
      assert.deepStrictEqual(reasons, ["Closed", "Closed", "Closed"])
      assert.strictEqual(running.count, 0)
    })
  )

  it.effect("lets a caller leave without hurting the others, and drops a batch that all have left", () =>
    Effect.gen(function* () {
      const { batches, options, running } = endpoint()
      const call = yield* micro(options)
      const [first, second] = yield* all([1, 2], call)
      yield* pass("5 millis")
      const [third, fourth] = yield* all([3, 4], call)
      yield* Fiber.interrupt(first!)
      yield* Fiber.interrupt(third!)
      yield* pass("15 millis")
      assert.strictEqual(yield* Fiber.join(second!), 4)
      assert.strictEqual(yield* Fiber.join(fourth!), 8)
      assert.deepStrictEqual(batches, [[1, 2], [4]])
      const both = yield* all([5, 6], call)
      yield* pass("5 millis")
      assert.strictEqual(running.count, 1)
      for (const fiber of both) yield* Fiber.interrupt(fiber)
      yield* pass("0 millis")
      assert.strictEqual(running.count, 0)
      const [next] = yield* all([7], call)
      yield* pass("10 millis")
      assert.strictEqual(yield* Fiber.join(next!), 14)
    })
  )

  it.effect("refuses when the queue is full, and gives up waiting when told to", () =>
    Effect.gen(function* () {
      const { options } = endpoint()
      const gate = yield* Deferred.make<void>()
      const call = yield* micro({
        ...options,
        maxItems: 1,
        maxQueue: 2,
        maxWait: "1 second",
        run: (items) => Effect.andThen(Deferred.await(gate), options.run(items))
      })
      const [running] = yield* all([1], call)
      yield* pass("10 millis")
      const waiting = yield* all([2, 3], call)
      yield* pass("10 millis")
      const refused = yield* Effect.flip(call({ tenant: "a", n: 4 }))
      assert.strictEqual(typeof refused === "object" && refused.reason, "QueueFull")
      yield* pass("1 second")
      for (const fiber of waiting) {
        const error = yield* Effect.flip(Fiber.join(fiber))
        assert.include(String((error as Error).message), "no worker was free within 1s")
      }
      yield* Deferred.succeed(gate, undefined)
      yield* pass("10 millis")
      assert.strictEqual(yield* Fiber.join(running!), 2)
    })
  )

  it.effect("says so when the endpoint does not answer every item", () =>
    Effect.gen(function* () {
      const call = yield* micro<Item, number, never, never>({ key: () => "", run: () => Effect.succeed([]) })
      const [fiber] = yield* all([1], call)
      const error = yield* Effect.flip(Fiber.join(fiber!))
      assert.include(String((error as Error).message), "answered 0 of 1 items")
    })
  )

  it.effect("refuses bounds of 0 with the cure", () =>
    Effect.gen(function* () {
      const { options } = endpoint()
      const error = yield* Effect.flip(micro({ ...options, maxItems: 0 }))
      assert.strictEqual(error.message, "batch.micro maxItems is 0: it must be above 0; leave it out")
    })
  )
})

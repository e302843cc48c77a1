import { assert, describe, it } from "@effect/vitest"
import { Lease, layerMemory } from "@interlock/stages/cache/lease"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"

const timeToLive = Duration.seconds(10)

describe("Lease.layerMemory", () => {
  it.effect("has one holder at a time", () =>
    Effect.gen(function* () {
      const lease = yield* Lease
      const tokens = yield* Effect.all(
        Array.from({ length: 50 }, () => lease.acquire("k", { timeToLive })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(tokens.filter((token) => token !== undefined).length, 1)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("lets go when the time has passed, unless it was extended", () =>
    Effect.gen(function* () {
      const lease = yield* Lease
      const first = (yield* lease.acquire("k", { timeToLive }))!
      yield* TestClock.adjust("9 seconds")
      assert.isTrue(yield* lease.extend("k", first, { timeToLive }))
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(yield* lease.acquire("k", { timeToLive }), undefined)
      yield* TestClock.adjust("1 second")
      const second = (yield* lease.acquire("k", { timeToLive }))!
      assert.isFalse(yield* lease.extend("k", first, { timeToLive }))
      yield* lease.release("k", first)
      assert.strictEqual(yield* lease.acquire("k", { timeToLive }), undefined)
      yield* lease.release("k", second)
      assert.isDefined(yield* lease.acquire("k", { timeToLive }))
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("wakes those who wait when it is released, or when the wait is over", () =>
    Effect.gen(function* () {
      const lease = yield* Lease
      const token = (yield* lease.acquire("k", { timeToLive }))!
      const waiting = yield* Effect.forkChild(lease.awaitRelease("k", { atMost: Duration.seconds(5) }))
      yield* TestClock.adjust("1 second")
      yield* lease.release("k", token)
      yield* Fiber.join(waiting)
      yield* lease.acquire("k", { timeToLive })
      const impatient = yield* Effect.forkChild(lease.awaitRelease("k", { atMost: Duration.seconds(5) }))
      yield* TestClock.adjust("4 seconds")
      assert.isUndefined(impatient.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(impatient)
      // The next holder is another one.
      const next = yield* Effect.forkChild(lease.awaitRelease("k", { atMost: Duration.minutes(1) }))
      yield* TestClock.adjust("5 seconds")
      assert.isDefined(yield* lease.acquire("k", { timeToLive }))
      yield* Fiber.join(next)
      // One that lives goes on being waited for past the time that it was held for at first.
      const other = (yield* lease.acquire("other", { timeToLive }))!
      const patient = yield* Effect.forkChild(lease.awaitRelease("other", { atMost: Duration.minutes(1) }))
      yield* TestClock.adjust("9 seconds")
      yield* lease.extend("other", other, { timeToLive })
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(patient.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(patient)
    }).pipe(Effect.provide(layerMemory))
  )
})

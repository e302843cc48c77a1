import { describe, expect, it } from "@effect/vitest"
import { boundariesOf } from "@interlock/stages/limit/rule"
import * as Store from "@interlock/stages/limit/store"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"

const minute = 60_000
const tokens = (amount: number, options: { readonly share?: number; readonly key?: string } = {}) =>
  Store.rate({
    key: options.key ?? "tokens",
    amount,
    limit: 60,
    perMillis: minute,
    burst: 60,
    share: options.share ?? 1
  })

describe("LimitStore.layerMemory", () => {
  it.effect("charges all limits or none", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      const both = (amount: number) => [tokens(amount), tokens(amount, { key: "other" })]
      const first = yield* store.reserve([tokens(50, { key: "other" })])
      expect(first._tag).toBe("Allowed")
      const refused = yield* store.reserve(both(20))
      expect(refused).toMatchObject({ _tag: "Refused", index: 1, retryAfterMillis: 10_000 })
      // Nothing was taken from the limit that had room.
      const all = yield* store.reserve([tokens(60)])
      expect(all._tag).toBe("Allowed")
    }).pipe(Effect.provide(Store.layerMemory))
  )

  it.effect("refuses what can never fit, and says so", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      expect(yield* store.reserve([tokens(61)])).toMatchObject({ retryAfterMillis: Number.POSITIVE_INFINITY })
    }).pipe(Effect.provide(Store.layerMemory))
  )

  it.effect("lets exactly its burst pass at once, whatever the limit divides into", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      for (const limit of [1, 3, 7, 11, 60, 77, 700, 1001, 29_999]) {
        const take = (amount: number, key: string) =>
          Effect.map(
            store.reserve([Store.rate({ key: `${key} ${limit}`, amount, limit, perMillis: minute })]),
            ({ _tag }) => _tag
          )
        for (let taken = 0; taken < limit; taken++) expect(yield* take(1, "singly")).toBe("Allowed")
        expect(yield* take(1, "singly")).toBe("Refused")
        expect(yield* take(limit, "together")).toBe("Allowed")
        expect(yield* take(1, "together")).toBe("Refused")
      }
    }).pipe(Effect.provide(Store.layerMemory))
  )

  it.effect("gives back what was not used, and charges what was used beyond the estimate", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      const decision = yield* store.reserve([tokens(60)])
      if (decision._tag === "Refused") throw new Error("refused")
      yield* store.settle(decision.reservation, [20])
      expect((yield* store.reserve([tokens(41)]))._tag).toBe("Refused")
      const second = yield* store.reserve([tokens(40)])
      if (second._tag === "Refused") throw new Error("refused")
      yield* store.settle(second.reservation, [100])
      expect(yield* store.reserve([tokens(1)])).toMatchObject({ _tag: "Refused", retryAfterMillis: 61_000 })
    }).pipe(Effect.provide(Store.layerMemory))
  )

  it.effect("serves those who wait in the order in which they asked", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      yield* store.reserve([tokens(60)])
      const waits: Array<number> = []
      for (let index = 0; index < 3; index++) {
        const decision = yield* store.reserve([tokens(1)], { maxWaitMillis: 3000 })
        if (decision._tag === "Allowed") waits.push(decision.waitMillis)
      }
      expect(waits).toEqual([1000, 2000, 3000])
      expect((yield* store.reserve([tokens(1)], { maxWaitMillis: 3000 }))._tag).toBe("Refused")
    }).pipe(Effect.provide(Store.layerMemory))
  )

  it.effect("keeps room for higher priorities", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      expect((yield* store.reserve([tokens(30, { share: 0.5 })]))._tag).toBe("Allowed")
      expect((yield* store.reserve([tokens(1, { share: 0.5 })]))._tag).toBe("Refused")
      expect((yield* store.reserve([tokens(30)]))._tag).toBe("Allowed")
    }).pipe(Effect.provide(Store.layerMemory))
  )

  it.effect("holds places until they are settled", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      const place = [Store.concurrent({ key: "at once", limit: 2 })]
      const first = yield* store.reserve(place)
      yield* store.reserve(place)
      expect(yield* store.reserve(place)).toMatchObject({ _tag: "Refused", retryAfterMillis: 0, levels: [2] })
      if (first._tag === "Refused") throw new Error("refused")
      yield* store.settle(first.reservation, [0])
      yield* store.settle(first.reservation, [0])
      expect((yield* store.reserve(place))._tag).toBe("Allowed")
      expect((yield* store.reserve(place))._tag).toBe("Refused")
    }).pipe(Effect.provide(Store.layerMemory))
  )

  it.effect("counts calendar periods apart, and refunds only into the period that was charged", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      const day = 86_400_000
      const dollars = (amount: number) =>
        Effect.clockWith((clock) => {
          const start = Math.floor(clock.currentTimeMillisUnsafe() / day) * day
          return store.reserve([
            Store.period({
              key: "money",
              amount,
              limit: 1,
              boundaries: [start - day, start, start + day, start + 2 * day]
            })
          ])
        })
      const first = yield* dollars(0.75)
      expect(yield* dollars(0.5)).toMatchObject({ _tag: "Refused", retryAfterMillis: day })
      yield* TestClock.adjust("1 day")
      expect((yield* dollars(1))._tag).toBe("Allowed")
      if (first._tag === "Refused") throw new Error("refused")
      yield* store.settle(first.reservation, [0])
      expect((yield* dollars(0.25))._tag).toBe("Refused")
    }).pipe(Effect.provide(Store.layerMemory))
  )

  it.effect("charges what settles late to the present period, and forgets nothing of that", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      const hour = 3_600_000
      const requests = (amount: number) =>
        Effect.clockWith((clock) =>
          store.reserve([
            Store.period({
              key: "requests",
              amount,
              limit: 10,
              boundaries: boundariesOf("calendar hour", clock.currentTimeMillisUnsafe())
            })
          ])
        )
      const early = yield* requests(1)
      yield* TestClock.adjust(5 * hour)
      yield* requests(8)
      if (early._tag === "Refused") throw new Error("refused")
      yield* store.settle(early.reservation, [2])
      expect(yield* requests(2)).toMatchObject({ _tag: "Refused", retryAfterMillis: hour, levels: [9] })
      expect((yield* requests(1))._tag).toBe("Allowed")
    }).pipe(Effect.provide(Store.layerMemory))
  )

  it.effect("lets nobody through while paused, and starts as full as the provider says", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      yield* store.observe([
        { _tag: "Pause", key: "provider", millis: 5000 },
        { _tag: "AtLeast", key: "tokens", millis: 30_000 }
      ])
      expect(yield* store.reserve([Store.pause("provider")])).toMatchObject({ _tag: "Refused", retryAfterMillis: 5000 })
      expect((yield* store.reserve([tokens(31)]))._tag).toBe("Refused")
      expect((yield* store.reserve([tokens(30)]))._tag).toBe("Allowed")
      yield* TestClock.adjust("5 seconds")
      expect((yield* store.reserve([Store.pause("provider")]))._tag).toBe("Allowed")
    }).pipe(Effect.provide(Store.layerMemory))
  )

  it.effect("never lets through more than burst + time × rate of what was truly used, however calls settle", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({
              after: fc.nat({ max: 6000 }),
              amount: fc.integer({ min: 1, max: 10 }),
              // Which share of the estimate is used, and how many steps later that is known.
              used: fc.constantFrom(0, 0.25, 0.5, 1),
              settlesAfter: fc.nat({ max: 6 })
            }),
            { minLength: 2, maxLength: 40 }
          ),
          (steps) =>
            Effect.gen(function* () {
              const store = yield* Store.LimitStore
              const charge = (amount: number) =>
                Store.rate({ key: "k", amount, limit: 60, perMillis: minute, burst: 10 })
              let now = 0
              const pending: Array<{ at: number; reservation: Store.Reservation; used: number }> = []
              const admitted: Array<{ at: number; used: number }> = []
              for (const [index, step] of steps.entries()) {
                yield* TestClock.adjust(step.after)
                now += step.after
                for (const each of pending.filter((each) => each.at <= index)) {
                  pending.splice(pending.indexOf(each), 1)
                  yield* store.settle(each.reservation, [each.used])
                }
                const decision = yield* store.reserve([charge(step.amount)])
                if (decision._tag === "Refused") continue
                const used = step.used * step.amount
                pending.push({ at: index + step.settlesAfter, reservation: decision.reservation, used })
                admitted.push({ at: now, used })
              }
              for (let from = 0; from < admitted.length; from++) {
                let sum = 0
                for (let to = from; to < admitted.length; to++) {
                  sum += admitted[to]!.used
                  const allowed = 10 + (admitted[to]!.at - admitted[from]!.at) / 1000
                  if (sum > allowed + 1e-6) throw new Error(`${sum} used where ${allowed} is allowed`)
                }
              }
            }).pipe(Effect.provide([Store.layerMemory, TestClock.layer()]), Effect.runPromise)
        ),
        { numRuns: 300 }
      )
    )
  )
})

import { describe, expect, it, layer } from "@effect/vitest"
import * as Connection from "@interlock/redis/connection"
import * as LimitStore from "@interlock/redis/limitStore"
import * as Store from "@interlock/stages/limit/store"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import * as Server from "./server.ts"
import { back, killed, resumed } from "./waiting.ts"

const unique = () => `t${Math.random().toString(36).slice(2)}`
const tokens = (amount: number, options: { readonly limit?: number; readonly perMillis?: number } = {}) =>
  Store.rate({ key: "tokens", amount, limit: options.limit ?? 60, perMillis: options.perMillis ?? 86_400_000 })
const connected = Layer.unwrap(Effect.map(Server.url, (url) => Connection.layer({ url }))).pipe(Layer.orDie)

layer(connected)("LimitStore on Redis", (it) => {
  const fresh = () => LimitStore.layer({ name: unique() })

  it.effect("takes one decision over all limits", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      const place = Store.concurrent({ key: "at once", limit: 1 })
      const first = yield* store.reserve([tokens(20), place])
      expect(first).toMatchObject({ _tag: "Allowed", waitMillis: 0 })
      expect(yield* store.reserve([tokens(20), place])).toMatchObject({
        _tag: "Refused",
        index: 1,
        retryAfterMillis: 0
      })
      expect((yield* store.reserve([tokens(40)]))._tag).toBe("Allowed")
      expect(yield* store.reserve([tokens(61)])).toMatchObject({ retryAfterMillis: Number.POSITIVE_INFINITY })
      if (first._tag === "Refused") throw new Error("refused")
      yield* store.settle(first.reservation, [5])
      expect((yield* store.reserve([tokens(15), place]))._tag).toBe("Allowed")
    }).pipe(Effect.provide(fresh()))
  )

  it.effect("does not let 1,000 concurrent takers exceed a limit", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      const decisions = yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () =>
          store.reserve([
            tokens(1, { limit: 300 }),
            Store.rate({ key: "other", amount: 1, limit: 900, perMillis: 86_400_000 })
          ]),
        { concurrency: "unbounded" }
      )
      expect(decisions.filter(({ _tag }) => _tag === "Allowed")).toHaveLength(300)
    }).pipe(Effect.provide(fresh()))
  )

  it.effect("gives back what an interrupted caller was granted", () =>
    Effect.gen(function* () {
      const store = yield* Store.LimitStore
      const fiber = yield* Effect.forkChild(store.reserve([tokens(60)]), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      // The question of the one who left is answered first, its settlement second.
      yield* store.observe([{ _tag: "AtLeast", key: "tokens", millis: 0 }])
      yield* store.observe([{ _tag: "AtLeast", key: "tokens", millis: 0 }])
      expect((yield* store.reserve([tokens(60)]))._tag).toBe("Allowed")
    }).pipe(Effect.provide(fresh()))
  )

  it.effect("decides as the memory store does, whatever is asked", () =>
    Effect.gen(function* () {
      const connection = yield* Connection.RedisConnection
      const day = 86_400_000
      const start = 20_000 * day
      const step = fc.record({
        after: fc.nat({ max: 4000 }),
        rate: fc.nat({ max: 12 }),
        wide: fc.nat({ max: 3 }),
        money: fc.nat({ max: 4 }),
        place: fc.boolean(),
        maxWaitMillis: fc.constantFrom(0, 0, 2500),
        share: fc.constantFrom(1, 0.5),
        used: fc.constantFrom(0, 0.5, 1, 1.5),
        settlesAfter: fc.nat({ max: 20 }),
        pause: fc.constantFrom(0, 0, 0, 0, 700)
      })
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
            let now = start
            const program = Effect.gen(function* () {
              yield* TestClock.setTime(start)
              const memory = yield* Effect.provide(Store.LimitStore, Store.layerMemory)
              const redis = yield* Effect.provide(
                Store.LimitStore,
                LimitStore.layerAt({ name: unique() }, () => now * 1000)
              )
              const pending: Array<{
                at: number
                both: readonly [Store.Reservation, Store.Reservation]
                used: Array<number>
              }> = []
              for (const [index, each] of steps.entries()) {
                yield* TestClock.adjust(each.after)
                now += each.after
                for (const due of pending.filter(({ at }) => at <= index)) {
                  pending.splice(pending.indexOf(due), 1)
                  yield* memory.settle(due.both[0], due.used)
                  yield* redis.settle(due.both[1], due.used)
                }
                if (each.pause > 0) {
                  const seen = [{ _tag: "Pause", key: "p", millis: each.pause }] as const
                  yield* memory.observe(seen)
                  yield* redis.observe(seen)
                }
                const charges = [
                  Store.rate({
                    key: "r",
                    amount: each.rate,
                    limit: 60,
                    perMillis: 60_000,
                    burst: 10,
                    share: each.share
                  }),
                  Store.rate({ key: "w", amount: each.wide, limit: 7, perMillis: 10_000 }),
                  // A period of 20 seconds, so that it ends in the middle of a run.
                  Store.period({
                    key: "m",
                    amount: each.money,
                    limit: 9,
                    boundaries: [-1, 0, 1, 2].map((i) => (Math.floor(now / 20_000) + i) * 20_000) as never
                  }),
                  Store.pause("p"),
                  ...(each.place ? [Store.concurrent({ key: "c", limit: 3 })] : [])
                ]
                const left = yield* memory.reserve(charges, each)
                const right = yield* redis.reserve(charges, each)
                const shown = (decision: Store.Decision) =>
                  decision._tag === "Allowed"
                    ? [decision.waitMillis, ...decision.levels]
                    : ["refused", decision.index, decision.retryAfterMillis, ...decision.levels]
                expect(shown(right)).toEqual(shown(left))
                if (left._tag === "Allowed" && right._tag === "Allowed") {
                  pending.push({
                    at: index + each.settlesAfter,
                    both: [left.reservation, right.reservation],
                    used: charges.map(({ amount }) => amount * each.used)
                  })
                }
              }
            })
            return Effect.runPromise(
              program.pipe(
                Effect.scoped,
                Effect.provideService(Connection.RedisConnection, connection),
                Effect.provide(TestClock.layer())
              )
            )
          }),
          { numRuns: 60 }
        )
      )
    })
  )

  it.effect("frees the places of a process that died, and keeps those of one that lives", () =>
    Effect.gen(function* () {
      const connection = yield* Connection.RedisConnection
      const name = unique()
      let now = 20_000 * 86_400_000
      const store = Effect.gen(function* () {
        const built = yield* Layer.build(LimitStore.layerAt({ name, placeTimeToLive: "30 seconds" }, () => now * 1000))
        return yield* Effect.provide(Store.LimitStore, built)
      }).pipe(Effect.provideService(Connection.RedisConnection, connection))
      const pass = (milliseconds: number) => {
        now += milliseconds
        return TestClock.adjust(milliseconds)
      }
      const places = [Store.concurrent({ key: "places", limit: 2 })]
      const dying = yield* Scope.make()
      const dead = yield* Scope.provide(store, dying)
      const alive = yield* store
      yield* dead.reserve(places)
      const held = yield* alive.reserve(places)
      // The process dies: its scope is gone, and nobody settles.
      yield* Scope.close(dying, Exit.void)
      for (let time = 0; time < 29_000; time += 1000) {
        yield* pass(1000)
        expect((yield* alive.reserve(places))._tag).toBe("Refused")
      }
      yield* pass(2000)
      expect((yield* alive.reserve(places))._tag).toBe("Allowed")
      expect((yield* alive.reserve(places))._tag).toBe("Refused")
      if (held._tag === "Refused") throw new Error("refused")
      yield* alive.settle(held.reservation, [0])
      expect((yield* alive.reserve(places))._tag).toBe("Allowed")
    }).pipe(Effect.scoped)
  )

  it.effect("says what is wrong with a setting", () =>
    Effect.gen(function* () {
      const errors = yield* Effect.forEach(
        [LimitStore.layer({ name: "a b" }), LimitStore.layer({ placeTimeToLive: 0 })],
        (bad) => Effect.flip(Effect.scoped(Layer.build(bad)))
      )
      expect(errors.map(({ setting }) => setting)).toEqual(["name", "placeTimeToLive"])
    })
  )
})

describe("LimitStore on a server that fails", () => {
  const fast = { commandTimeout: "1 second" } as const
  const failure = (store: Store.LimitStore["Service"]) => Effect.flip(store.reserve([tokens(1)]))
  const on = <A, E>(
    options: LimitStore.Options,
    body: (
      server: Server.Server,
      store: Store.LimitStore["Service"],
      client: Connection.RedisConnection["Service"]["client"]
    ) => Effect.Effect<A, E>
  ) =>
    Effect.gen(function* () {
      const server = yield* Server.start()
      const built = yield* Layer.build(
        LimitStore.layer(options).pipe(Layer.provideMerge(Connection.layer({ url: server.url, ...fast })))
      )
      const { client } = Context.get(built, Connection.RedisConnection)
      return yield* body(server, Context.get(built, Store.LimitStore), client)
    }).pipe(Effect.scoped)

  it.effect("is unavailable when killed, and comes back when restarted", () =>
    on({}, (server, store, client) =>
      Effect.gen(function* () {
        expect((yield* store.reserve([tokens(60)]))._tag).toBe("Allowed")
        yield* killed(server, client)
        expect((yield* failure(store)).reason).toBe("Unavailable")
        yield* server.start
        yield* back(client)
        // Open: everything was forgotten, so the limit is whole again.
        expect((yield* store.reserve([tokens(60)]))._tag).toBe("Allowed")
      })
    )
  )

  it.effect("takes limits for used up when Redis has forgotten them and the policy is closed", () =>
    on({ whenForgotten: "closed" }, (server, store, client) =>
      Effect.gen(function* () {
        const all = [tokens(1), Store.period({ key: "m", amount: 1, limit: 9, boundaries: day })]
        expect((yield* store.reserve(all))._tag).toBe("Allowed")
        yield* killed(server, client)
        yield* server.start
        yield* back(client)
        expect(yield* store.reserve(all)).toMatchObject({ _tag: "Refused" })
        expect((yield* store.reserve([tokens(1)]))._tag).toBe("Refused")
        expect((yield* store.reserve([all[1]!]))._tag).toBe("Refused")
        expect((yield* store.reserve([Store.concurrent({ key: "c", limit: 2 })]))._tag).toBe("Refused")
      })
    )
  )

  it.effect("remembers across a restart when Redis writes to disk", () =>
    Effect.gen(function* () {
      const server = yield* Server.start(["--appendonly", "yes", "--appendfsync", "always"])
      const built = yield* Layer.build(
        LimitStore.layer({ whenForgotten: "closed" }).pipe(
          Layer.provideMerge(Connection.layer({ url: server.url, ...fast }))
        )
      )
      const store = Context.get(built, Store.LimitStore)
      const { client } = Context.get(built, Connection.RedisConnection)
      yield* store.reserve([tokens(40)])
      yield* killed(server, client)
      yield* server.start
      yield* back(client)
      expect((yield* store.reserve([tokens(20)]))._tag).toBe("Allowed")
      expect((yield* store.reserve([tokens(1)]))._tag).toBe("Refused")
    }).pipe(Effect.scoped)
  )

  it.effect("times out while Redis is paused, and recovers", () =>
    on({}, (server, store, client) =>
      Effect.gen(function* () {
        yield* store.reserve([tokens(10)])
        yield* server.pause
        expect((yield* failure(store)).reason).toBe("Timeout")
        yield* resumed(server)
        yield* back(client)
        expect((yield* store.reserve([tokens(40)]))._tag).toBe("Allowed")
        // What timed out was charged all the same: an unknown outcome gives nothing back.
        expect((yield* store.reserve([tokens(10)]))._tag).toBe("Refused")
      })
    )
  )
})

describe("LimitStore on a cluster", () => {
  it.effect("keeps a store on one node, fails fast when that is lost, and counts again when it is back", () =>
    Effect.gen(function* () {
      const nodes = yield* Server.cluster
      const built = yield* Layer.build(Connection.layer({ cluster: nodes, commandTimeout: "1 second" }))
      const stores = yield* Effect.forEach(["a", "b", "c", "d", "e", "f", "g", "h"], (name) =>
        Layer.build(LimitStore.layer({ name })).pipe(
          Effect.provide(built),
          Effect.map((own) => Context.get(own, Store.LimitStore))
        )
      )
      for (const store of stores) {
        const charges = [
          Store.rate({ key: "requests", amount: 1, limit: 5, perMillis: 86_400_000 }),
          Store.concurrent({ key: "places", limit: 9 }),
          Store.pause("pause")
        ]
        const decisions = yield* Effect.forEach(Array.from({ length: 20 }), () => store.reserve(charges), {
          concurrency: "unbounded"
        })
        expect(decisions.filter(({ _tag }) => _tag === "Allowed")).toHaveLength(5)
      }
      const ask = Effect.forEach(stores, (store) => Effect.result(store.reserve([tokens(1)])), {
        concurrency: "unbounded"
      })
      expect((yield* ask).filter(({ _tag }) => _tag === "Failure")).toEqual([])
      yield* nodes[1]!.kill
      const answers = yield* ask
      const failed = answers.filter(({ _tag }) => _tag === "Failure")
      expect(failed.length).toBeGreaterThan(0)
      for (const each of failed) {
        if (each._tag === "Failure") expect(["Unavailable", "Timeout"]).toContain(each.failure.reason)
      }
      yield* nodes[1]!.start
      // The client looks for the lost node when it is asked for what is there; the stores on the others answer each time.
      while ((yield* ask).some(({ _tag }) => _tag === "Failure"));
    }).pipe(Effect.scoped)
  )
})

/** A period that no test outlives, whatever Redis takes the time to be. */
const day = [0, 1, 1e15, 2e15] as const

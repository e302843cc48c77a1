import { randomBytes } from "node:crypto"
import { inspect } from "node:util"
import { describe, expect, it, layer } from "@effect/vitest"
import * as RedisCacheStore from "@interlock/redis/cacheStore"
import * as Connection from "@interlock/redis/connection"
import * as RedisFeedback from "@interlock/redis/feedback"
import * as RedisJobStore from "@interlock/redis/jobStore"
import * as RedisLease from "@interlock/redis/lease"
import * as Stores from "@interlock/redis/stores"
import * as RedisVaultStore from "@interlock/redis/vaultStore"
import { JobStore } from "@interlock/stages/batchJob"
import { Lease } from "@interlock/stages/cache/lease"
import { CacheStore } from "@interlock/stages/cache/store"
import { Feedback } from "@interlock/stages/Feedback"
import { concurrent, LimitStore } from "@interlock/stages/limit/store"
import { Vault, VaultStore } from "@interlock/stages/redact/vault"
import { Duration, Effect, Fiber, Layer, Redacted, Schema } from "effect"
import { CircuitBreaker, PersistedQueue } from "effect/persistence"
import type { Redis } from "effect/persistence/Redis"
import * as Server from "./server.ts"
import { back, killed, resumed, whileTimePasses } from "./waiting.ts"

const unique = () => `t${Math.random().toString(36).slice(2)}`
const minute = Duration.minutes(1)
const one = Layer.unwrap(Effect.map(Server.url, (url) => Connection.layer({ url }))).pipe(Layer.orDie)
const three = Layer.unwrap(Effect.map(Server.cluster, (cluster) => Connection.layer({ cluster }))).pipe(Layer.orDie)

for (const [where, connected] of [
  ["one server", one],
  ["a cluster of three", three]
] as const) {
  layer(connected)(`stores on ${where}`, (it) => {
    const put = Effect.fnUntraced(function* (key: string, value: string, tags: ReadonlyArray<string> = []) {
      const store = yield* CacheStore
      yield* store.set(key, value, { timeToLive: minute, tags, stamp: yield* store.stamp(tags) })
    })
    const get = (key: string) => CacheStore.use((store) => store.get(key))
    const cache = () => RedisCacheStore.layer({ name: unique() })

    it.effect("CacheStore keeps text under a key, for its time to live", () =>
      Effect.gen(function* () {
        const { client } = yield* Connection.RedisConnection
        const name = unique()
        yield* Effect.gen(function* () {
          yield* put("a", "one\ntwo")
          expect(yield* get("a")).toBe("one\ntwo")
          expect(yield* get("b")).toBeUndefined()
          yield* CacheStore.use((store) => store.remove("a"))
          expect(yield* get("a")).toBeUndefined()
          yield* put("a", "")
          expect(yield* get("a")).toBe("")
        }).pipe(Effect.provide(RedisCacheStore.layer({ name })))
        const left = yield* Effect.promise(() => client.pttl(`interlock:cache:${name}:entry:a`))
        expect(left).toBeGreaterThan(50_000)
        expect(left).toBeLessThanOrEqual(60_000)
      })
    )

    it.effect("CacheStore invalidates by tag, and refuses work that began before", () =>
      Effect.gen(function* () {
        const store = yield* CacheStore
        yield* put("a", "1", ["tenant:x y", "t"])
        yield* put("b", "2", ["tenant:z", "t"])
        const stamp = yield* store.stamp(["tenant:x y"])
        yield* store.invalidate("tenant:x y")
        expect([yield* get("a"), yield* get("b")]).toEqual([undefined, "2"])
        yield* store.set("c", "late", { timeToLive: minute, tags: ["tenant:x y"], stamp })
        expect(yield* get("c")).toBeUndefined()
        yield* put("c", "new", ["tenant:x y"])
        expect(yield* get("c")).toBe("new")
        yield* store.invalidate("t")
        expect([yield* get("b"), yield* get("c")]).toEqual([undefined, "new"])
      }).pipe(Effect.provide(cache()))
    )

    it.effect("CacheStore takes entries that it cannot read, and those of forgotten tags, for absent", () =>
      Effect.gen(function* () {
        const { client } = yield* Connection.RedisConnection
        const name = unique()
        yield* Effect.gen(function* () {
          for (const broken of ["", "no line", "{\n", "[1]\nx", "null\nx"]) {
            yield* Effect.promise(() => client.set(`interlock:cache:${name}:entry:a`, broken))
            expect(yield* get("a")).toBeUndefined()
          }
          expect(yield* Effect.promise(() => client.exists(`interlock:cache:${name}:entry:a`))).toBe(0)
          yield* CacheStore.use((store) => store.invalidate("t"))
          yield* put("a", "1", ["t"])
          expect(yield* get("a")).toBe("1")
          yield* Effect.promise(() => client.del(`interlock:cache:${name}:tags`))
          expect(yield* get("a")).toBeUndefined()
        }).pipe(Effect.provide(RedisCacheStore.layer({ name })))
      })
    )

    it.effect("Lease has one holder, who alone extends and releases it", () =>
      Effect.gen(function* () {
        const lease = yield* Lease
        const key = unique()
        const timeToLive = Duration.seconds(30)
        const tokens = yield* Effect.forEach(Array.from({ length: 50 }), () => lease.acquire(key, { timeToLive }), {
          concurrency: "unbounded"
        })
        const [token, ...others] = tokens.filter((each) => each !== undefined)
        expect(others).toEqual([])
        expect(yield* lease.extend(key, token!, { timeToLive })).toBe(true)
        expect(yield* lease.extend(key, "another", { timeToLive })).toBe(false)
        yield* lease.release(key, "another")
        expect(yield* lease.acquire(key, { timeToLive })).toBeUndefined()
        yield* lease.release(key, token!)
        expect(yield* lease.acquire(key, { timeToLive })).toBeDefined()
        expect(yield* lease.extend(key, token!, { timeToLive })).toBe(false)
      }).pipe(Effect.provide(RedisLease.layer()))
    )

    it.effect("Lease wakes those who wait when it is free, or when the wait is over", () =>
      Effect.gen(function* () {
        const lease = yield* Lease
        const key = unique()
        const token = (yield* lease.acquire(key, { timeToLive: minute }))!
        const atMost = Duration.millis(60)
        yield* lease.awaitRelease(key, { atMost })
        const waiting = yield* Effect.forkChild(lease.awaitRelease(key, { atMost: Duration.hours(1) }))
        // By the time of the answer, the one who waits has seen who holds it.
        yield* lease.extend(key, token, { timeToLive: minute })
        yield* lease.release(key, token)
        // Whoever takes it in the same moment is another holder.
        expect(yield* lease.acquire(key, { timeToLive: minute })).toBeDefined()
        yield* Fiber.join(waiting)
      }).pipe(whileTimePasses, Effect.provide(RedisLease.layer()))
    )

    it.effect("VaultStore gives out numbers atomically, and keeps only what is sealed", () =>
      Effect.gen(function* () {
        const { client } = yield* Connection.RedisConnection
        const sealed = Vault.layerSealed({ rootKey: Redacted.make(new Uint8Array(randomBytes(32))) })
        const owner = { tenant: "acme", conversation: unique() }
        yield* Effect.gen(function* () {
          const vault = yield* Vault
          const email = (name: string) => ({ type: "E-MAIL", value: `${name}@example.com` })
          yield* Effect.forEach(
            Array.from({ length: 20 }, (_, index) => index),
            (index) => vault.assign(owner, [email(`shared`), email(`person${index}`)]),
            { concurrency: "unbounded" }
          )
          const all = yield* vault.assign(owner, [{ type: "PHONE", value: "+44 20 7946 0018" }])
          expect(all).toHaveLength(22)
          expect(
            all
              .filter(({ type }) => type === "E-MAIL")
              .map(({ number }) => number)
              .sort((a, b) => a - b)
          ).toEqual(Array.from({ length: 21 }, (_, index) => index + 1))
          expect(all.find(({ type }) => type === "PHONE")).toMatchObject({ number: 1, value: "+44 20 7946 0018" })
          yield* vault.forget(owner)
          expect(yield* vault.assign(owner, [email("new")])).toEqual([{ ...email("new"), number: 1 }])
        }).pipe(Effect.provide(sealed))
        const store = yield* VaultStore
        const conversation = unique()
        const first = { type: "E MAIL", fingerprint: "f", sealed: new Uint8Array([0, 255]), number: 1 }
        yield* store.put(conversation, [first])
        const other = { ...first, fingerprint: "g" }
        const refused = [
          [other],
          [{ ...other, number: 3 }],
          [{ ...other, number: 2 }, first],
          [{ ...first, number: 2 }]
        ]
        for (const entries of [...refused, []]) {
          const again = yield* store.put(conversation, entries)
          expect(again.map((entry) => ({ ...entry, sealed: [...entry.sealed] }))).toEqual([
            { ...first, sealed: [0, 255] }
          ])
        }
        expect(yield* store.put(conversation, [{ ...other, number: 2 }])).toHaveLength(2)
        expect(yield* Effect.promise(() => client.pttl(`interlock:vault:interlock:${conversation}`))).toBeGreaterThan(
          86_400_000
        )
      }).pipe(Effect.provide(RedisVaultStore.layer()))
    )

    it.effect("JobStore creates a record once, and replaces it", () =>
      Effect.gen(function* () {
        const jobs = yield* JobStore
        const id = unique()
        expect(yield* jobs.read(id)).toBeUndefined()
        const created = yield* Effect.forEach(["a", "b", "c"], (record) => jobs.create(id, record), {
          concurrency: "unbounded"
        })
        expect(created.filter((each) => each)).toHaveLength(1)
        yield* jobs.write(id, "later")
        expect(yield* jobs.create(id, "again")).toBe(false)
        expect(yield* jobs.read(id)).toBe("later")
        const { client } = yield* Connection.RedisConnection
        yield* Effect.promise(() => client.del(`interlock:job:interlock:${id}`))
      }).pipe(Effect.provide(RedisJobStore.layer()))
    )

    it.effect("Stores of another name share nothing", () =>
      Effect.gen(function* () {
        const context = yield* Effect.context<Connection.RedisConnection | Redis>()
        const key = unique()
        const taken = Effect.gen(function* () {
          const stamp = yield* CacheStore.use((store) => store.stamp([]))
          const cached = yield* CacheStore.use((store) => store.get(key))
          yield* CacheStore.use((store) => store.set(key, "1", { timeToLive: minute, tags: [], stamp }))
          const leased = yield* Lease.use((lease) => lease.acquire(key, { timeToLive: minute }))
          const created = yield* JobStore.use((jobs) => jobs.create(key, "1"))
          const [sealed] = yield* VaultStore.use((vault) =>
            vault.put(key, [{ type: "A", fingerprint: unique(), sealed: new Uint8Array([1]), number: 1 }])
          )
          const places = [concurrent({ key, limit: 1 })]
          const { _tag } = yield* LimitStore.use((limits) => limits.reserve(places))
          return [cached, leased !== undefined, created, sealed?.number, _tag]
        })
        const names = [unique(), unique()]
        for (const name of names) {
          const stores = Stores.layer({ name }).pipe(Layer.provide(Layer.succeedContext(context)))
          expect(yield* Effect.provide(taken, stores)).toEqual([undefined, true, true, 1, "Allowed"])
        }
        const { client } = yield* Connection.RedisConnection
        for (const name of names) yield* Effect.promise(() => client.del(`interlock:job:${name}:${key}`))
      })
    )

    it.effect("effect/persistence keeps a queue and circuits", () =>
      Effect.gen(function* () {
        const queue = yield* PersistedQueue.make({ name: unique(), schema: Schema.String })
        yield* queue.offer("first", { id: "1" })
        yield* queue.offer("first again", { id: "1" })
        yield* queue.offer("second")
        const taken: Array<string> = []
        for (let count = 0; count < 2; count++) {
          yield* queue.take((element) => Effect.sync(() => void taken.push(element)))
        }
        expect(taken.sort()).toEqual(["first", "second"])
        const breaker = yield* CircuitBreaker.make({
          tripPolicy: CircuitBreaker.consecutive(2),
          openDuration: "1 hour"
        })
        const call = breaker.execute(Effect.fail("broken" as const), { key: unique() })
        const errors = [yield* Effect.flip(call), yield* Effect.flip(call), yield* Effect.flip(call)]
        expect(errors.slice(0, 2)).toEqual(["broken", "broken"])
        expect(errors[2]).not.toBe("broken")
      }).pipe(
        whileTimePasses,
        Effect.provide(PersistedQueue.layer.pipe(Layer.provideMerge(Stores.layer({ name: unique() }))))
      )
    )

    it.effect("Feedback grades a call once, and keeps means by model and class", () =>
      Effect.gen(function* () {
        const feedback = yield* Feedback
        const model = { provider: "p", model: "m" }
        const [first, second] = [unique(), unique()]
        yield* feedback.remember(first, "easy", model)
        yield* feedback.remember(second, "hard", model)
        yield* feedback.report(first, 1)
        yield* feedback.report(second, 0.5)
        expect((yield* Effect.flip(feedback.report(first, 1))).reason).toBe("UnknownCall")
        expect((yield* Effect.flip(feedback.report(second, 2))).reason).toBe("InvalidQuality")
        expect(yield* feedback.grades(model)).toEqual({ count: 2, mean: 0.75 })
        expect(yield* feedback.grades(model, "hard")).toEqual({ count: 1, mean: 0.5 })
        const other = { provider: "p", model: "other" }
        expect(yield* feedback.grades(other)).toEqual({ count: 0, mean: 0 })
        const third = unique()
        yield* feedback.answered(third, other)
        expect((yield* Effect.flip(feedback.report(third, 1))).reason).toBe("UnknownCall")
        yield* feedback.remember(third, "hard", model)
        yield* feedback.answered(third, other)
        yield* feedback.report(third, 0)
        expect(yield* feedback.grades(other, "hard")).toEqual({ count: 1, mean: 0 })
        expect(yield* feedback.grades(model)).toEqual({ count: 2, mean: 0.75 })
      }).pipe(Effect.provide(RedisFeedback.layer({ name: unique() })))
    )

    it.effect("Feedback outlives the process that chose", () =>
      Effect.gen(function* () {
        const [name, call] = [unique(), unique()]
        const model = { provider: "p", model: "m" }
        const process = <A, E>(effect: Effect.Effect<A, E, Feedback>) =>
          Effect.provide(effect, RedisFeedback.layer({ name }), { local: true })
        yield* process(Feedback.use((feedback) => feedback.remember(call, "easy", model)))
        yield* process(Feedback.use((feedback) => feedback.report(call, 0.5)))
        expect(yield* process(Feedback.use((feedback) => feedback.grades(model, "easy")))).toEqual({
          count: 1,
          mean: 0.5
        })
      })
    )
  })
}

layer(one)("what a failure says", (it) => {
  it.effect("holds nothing of what was to be stored", () =>
    Effect.gen(function* () {
      const { client } = yield* Connection.RedisConnection
      const store = yield* CacheStore
      const canary = "4111-1111-1111-1111"
      // A list under the key of the tags: Redis refuses every question about it.
      const stamp = yield* store.stamp([])
      yield* Effect.promise(() => client.del("interlock:cache:canary:tags"))
      yield* Effect.promise(() => client.rpush("interlock:cache:canary:tags", "x"))
      const errors = [
        yield* Effect.flip(store.invalidate(canary)),
        yield* Effect.flip(store.set("a", canary, { timeToLive: Duration.millis(Number.MAX_VALUE), tags: [], stamp }))
      ]
      yield* Effect.promise(() => client.del("interlock:cache:canary:tags"))
      for (const error of errors) {
        expect(error.message).toContain("Redis refused")
        expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(canary)
      }
    }).pipe(Effect.provide(RedisCacheStore.layer({ name: "canary" })))
  )
})

describe("stores on a server that fails", () => {
  it.effect("fail fast when it is killed or paused, and come back with it", () =>
    Effect.gen(function* () {
      const server = yield* Server.start()
      const stores = Layer.mergeAll(
        RedisCacheStore.layer(),
        RedisLease.layer(),
        RedisVaultStore.layer(),
        RedisFeedback.layer()
      ).pipe(Layer.provideMerge(Connection.layer({ url: server.url, commandTimeout: "1 second" })))
      yield* Effect.gen(function* () {
        const cache = yield* CacheStore
        const lease = yield* Lease
        const vault = yield* VaultStore
        const feedback = yield* Feedback
        const model = { provider: "p", model: "m" }
        const failing = Effect.gen(function* () {
          // Together: where Redis does not answer, each of them waits for that.
          const [got, leased, put, , , grades] = yield* Effect.all(
            [
              Effect.flip(cache.get("a")),
              Effect.flip(lease.acquire("a", { timeToLive: minute })),
              Effect.flip(vault.put("a", [])),
              feedback.remember("a", "easy", model),
              feedback.report("a", 1),
              feedback.grades(model)
            ],
            { concurrency: "unbounded" }
          )
          expect([got._tag, leased._tag, put._tag]).toEqual([
            "@interlock/stages/CacheStoreError",
            "@interlock/stages/LeaseError",
            "VaultError"
          ])
          expect(grades).toEqual({ count: 0, mean: 0 })
        })
        const { client } = yield* Connection.RedisConnection
        yield* server.pause
        yield* failing
        yield* resumed(server)
        yield* back(client)
        yield* cache.get("a")
        yield* killed(server, client)
        yield* failing
        yield* server.start
        yield* back(client)
        yield* cache.get("a")
      }).pipe(Effect.provide(stores))
    }).pipe(Effect.scoped)
  )
})

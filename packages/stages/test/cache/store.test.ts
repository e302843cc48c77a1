import { assert, describe, it } from "@effect/vitest"
import { CacheStore, layerMemory } from "@interlock/stages/cache/store"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"

const minute = Duration.minutes(1)
const put = Effect.fnUntraced(function* (key: string, value: string, tags: ReadonlyArray<string> = []) {
  const store = yield* CacheStore
  yield* store.set(key, value, { timeToLive: minute, tags, stamp: yield* store.stamp(tags) })
})
const get = (key: string) => CacheStore.use((store) => store.get(key))

describe("CacheStore.layerMemory", () => {
  it.effect("forgets an entry at the end of its time to live", () =>
    Effect.gen(function* () {
      yield* put("a", "1")
      yield* TestClock.adjust(59_999)
      assert.strictEqual(yield* get("a"), "1")
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* get("a"), undefined)
    }).pipe(Effect.provide(layerMemory()))
  )

  it.effect("drops the least recently used entry first", () =>
    Effect.gen(function* () {
      yield* put("a", "1")
      yield* put("b", "2")
      yield* get("a")
      yield* put("c", "3")
      assert.deepStrictEqual(yield* Effect.all([get("a"), get("b"), get("c")]), ["1", undefined, "3"])
    }).pipe(Effect.provide(layerMemory({ maxEntries: 2 })))
  )

  it.effect("keeps within its bytes and refuses an entry that would crowd out the rest", () =>
    Effect.gen(function* () {
      for (let index = 0; index < 20; index++) yield* put(`k${index}`, "x".repeat(400))
      assert.strictEqual(yield* get("k0"), undefined)
      assert.strictEqual(yield* get("k19"), "x".repeat(400))
      yield* put("big", "x".repeat(2_000))
      assert.strictEqual(yield* get("big"), undefined)
      assert.strictEqual(yield* get("k19"), "x".repeat(400))
    }).pipe(Effect.provide(layerMemory({ maxBytes: 10_000 })))
  )

  it.effect("invalidates by tag, and refuses work that began before the invalidation", () =>
    Effect.gen(function* () {
      const store = yield* CacheStore
      yield* put("a", "1", ["tenant:x", "t"])
      yield* put("b", "2", ["tenant:y", "t"])
      const stamp = yield* store.stamp(["tenant:x"])
      yield* store.invalidate("tenant:x")
      assert.deepStrictEqual(yield* Effect.all([get("a"), get("b")]), [undefined, "2"])
      yield* store.set("c", "late", { timeToLive: minute, tags: ["tenant:x"], stamp })
      assert.strictEqual(yield* get("c"), undefined)
      yield* put("c", "new", ["tenant:x"])
      assert.strictEqual(yield* get("c"), "new")
    }).pipe(Effect.provide(layerMemory()))
  )

  it.effect("removes one entry and nothing else", () =>
    Effect.gen(function* () {
      yield* put("a", "1")
      yield* put("b", "2")
      yield* CacheStore.use((store) => store.remove("a"))
      assert.deepStrictEqual(yield* Effect.all([get("a"), get("b")]), [undefined, "2"])
    }).pipe(Effect.provide(layerMemory()))
  )

  it.effect("says what is wrong with a capacity of 0", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(get("a"), layerMemory({ maxEntries: 0 })))
      assert.strictEqual(
        error.message,
        "CacheStore.layerMemory maxEntries is 0: it must be at least 1; leave it out for the default"
      )
    })
  )
})

import { assert, describe, it } from "@effect/vitest"
import { embedHashed } from "@interlock/stages/cache/embedder"
import { layerScan, VectorIndex } from "@interlock/stages/cache/vectorIndex"
import { Effect } from "effect"

const uniform = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}
const vectors = (count: number, dimension: number, random = uniform(5)) =>
  Array.from({ length: count }, () => Float32Array.from({ length: dimension }, () => random() - 0.5))
const cosine = (a: Float32Array, b: Float32Array) => {
  let [dot, left, right] = [0, 0, 0]
  for (let index = 0; index < a.length; index++) {
    dot += a[index]! * b[index]!
    left += a[index]! ** 2
    right += b[index]! ** 2
  }
  return dot / Math.sqrt(left * right)
}

describe("VectorIndex.layerScan", () => {
  // 3,000 vectors pass from typed arrays to WebAssembly; 40 is no multiple of 16.
  it.effect("finds what an exact search finds, before and after it grows", () =>
    Effect.gen(function* () {
      const index = yield* VectorIndex
      const all = vectors(3_000, 40)
      for (const [position, vector] of all.entries()) {
        yield* index.add("p", String(position), vector)
        if (position !== 99 && position !== 2_999) continue
        for (const query of vectors(20, 40, uniform(position))) {
          const found = yield* index.search("p", query, 3)
          const exact = all
            .slice(0, position + 1)
            .map((candidate) => cosine(candidate, query))
            .sort((a, b) => b - a)
          assert.strictEqual(found.length, 3)
          for (const [rank, neighbour] of found.entries()) {
            assert.approximately(neighbour.similarity, cosine(all[Number(neighbour.id)]!, query), 0.01)
            assert.approximately(neighbour.similarity, exact[rank]!, 0.01)
          }
        }
      }
    }).pipe(Effect.provide(layerScan()))
  )

  it.effect("never finds anything of another partition", () =>
    Effect.gen(function* () {
      const index = yield* VectorIndex
      const [vector] = vectors(1, 32)
      yield* index.add("tenant a", "secret", vector!)
      assert.deepStrictEqual(yield* index.search("tenant b", vector!, 5), [])
    }).pipe(Effect.provide(layerScan()))
  )

  it.effect("forgets what is removed, replaced or the oldest when full", () =>
    Effect.gen(function* () {
      const index = yield* VectorIndex
      const all = vectors(5, 32)
      const ids = Effect.map(index.search("p", all[0]!, 10), (found) => found.map(({ id }) => id).sort())
      for (const position of [0, 1, 2]) yield* index.add("p", String(position), all[position]!)
      yield* index.remove("p", "0")
      yield* index.remove("p", "unknown")
      assert.deepStrictEqual(yield* ids, ["1", "2"])
      yield* index.add("p", "1", all[0]!)
      assert.strictEqual((yield* index.search("p", all[0]!, 1))[0]!.id, "1")
      yield* index.add("p", "3", all[3]!)
      yield* index.add("p", "4", all[4]!)
      assert.strictEqual((yield* ids).length, 3)
      assert.include(yield* ids, "4")
    }).pipe(Effect.provide(layerScan({ maxPerPartition: 3 })))
  )

  it.effect("bounds all partitions together: the oldest vector of the partition unused for longest makes room", () =>
    Effect.gen(function* () {
      const index = yield* VectorIndex
      const [vector] = vectors(1, 32)
      const add = (partition: string, ...ids: ReadonlyArray<string>) =>
        Effect.forEach(ids, (id) => index.add(partition, id, vector!))
      // Looked for without being used: a search is a use.
      const ids = (partition: string) =>
        Effect.map(index.search(partition, vector!, 10), (found) => found.map(({ id }) => id).sort())
      yield* add("a", "1", "2", "3")
      yield* add("b", "1", "2")
      yield* index.search("a", vector!, 1)
      // Five: "b" was unused for longest, and its oldest goes; then all of it.
      yield* add("c", "1")
      assert.deepStrictEqual(yield* ids("b"), ["2"])
      yield* ids("a")
      yield* ids("c")
      yield* add("c", "2", "3")
      assert.deepStrictEqual(yield* ids("b"), [])
      assert.deepStrictEqual(yield* ids("a"), ["2", "3"])
      yield* add("c", "4", "5", "6")
      assert.deepStrictEqual(yield* ids("c"), ["2", "3", "4", "5", "6"])
      assert.deepStrictEqual(yield* ids("a"), [])
      // What was removed makes room, too.
      yield* index.remove("c", "4")
      yield* add("a", "1")
      assert.strictEqual((yield* ids("c")).length + (yield* ids("a")).length, 5)
    }).pipe(Effect.provide(layerScan({ maxVectors: 5 })))
  )

  it.effect("finds what is left of a large partition that made room for another", () =>
    Effect.gen(function* () {
      const index = yield* VectorIndex
      const all = vectors(6_000, 32)
      for (const [position, vector] of all.entries()) yield* index.add("large", String(position), vector)
      for (let position = 0; position < 5_900; position++) {
        yield* index.add("other", String(position), all[position]!)
        if (position % 500 !== 0) continue
        // The oldest are gone, and the newest are found.
        for (const kept of [5_999, position + 1]) {
          const [found] = yield* index.search("large", all[kept]!, 1)
          assert.strictEqual(found?.id, String(kept))
        }
        const [gone] = yield* index.search("large", all[position]!, 1)
        assert.isBelow(gone!.similarity, 0.99)
        yield* index.search("other", all[0]!, 1)
      }
    }).pipe(Effect.provide(layerScan({ maxVectors: 6_000 })))
  )

  it.effect("refuses a vector of another dimension, and says what to do", () =>
    Effect.gen(function* () {
      const index = yield* VectorIndex
      yield* index.add("p", "a", new Float32Array(32).fill(1))
      const error = yield* Effect.flip(index.add("p", "b", new Float32Array(64).fill(1)))
      assert.strictEqual(error.reason, "dimension")
      assert.include(error.message, "give the new embedder an index of its own")
    }).pipe(Effect.provide(layerScan()))
  )
})

describe("embedHashed", () => {
  it("puts texts that share words near each other", () => {
    const [asked, near, far] = ["how do I reset my password", "reset my password please", "what is the weather today"]
    const to = (text: string) => cosine(embedHashed(asked!, 384), embedHashed(text, 384))
    assert.isAbove(to(near!), 0.5)
    assert.isBelow(to(far!), 0.3)
    assert.approximately(to(asked!.toUpperCase()), 1, 1e-6)
  })
})

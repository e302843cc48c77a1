import { assert, describe, it } from "@effect/vitest"
import { layerUsearch } from "@interlock/stages/cache/usearchIndex"
import { layerScan, VectorIndex } from "@interlock/stages/cache/vectorIndex"
import { Effect, Layer } from "effect"

const uniform = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}
const vectors = (count: number, dimension: number, random = uniform(5)) =>
  Array.from({ length: count }, () => Float32Array.from({ length: dimension }, () => random() - 0.5))

const build = (layer: ReturnType<typeof layerUsearch>) => Effect.scoped(Layer.build(layer))

// On a platform without a binary of the package there is nothing to test but the error.
const present = await import("usearch").then(
  () => true,
  () => false
)

describe("VectorIndex.layerUsearch", () => {
  it.effect("says what to do where the package is not there", () =>
    Effect.gen(function* () {
      const layer = present ? layerUsearch({ load: () => Promise.reject(new Error("not found")) }) : layerUsearch()
      const error = yield* Effect.flip(build(layer))
      assert.include(error.message, "npm install usearch@2.26.2")
      assert.strictEqual(error._tag, "@interlock/stages/VectorIndexError")
    })
  )

  it.effect("refuses settings that cannot work", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(build(layerUsearch({ expansion: 0 })))
      assert.include(error.message, "VectorIndex.layerUsearch expansion is 0")
    })
  )

  if (present) {
    it.effect("finds what the exact scan finds, with the same similarities", () =>
      Effect.gen(function* () {
        const search = Effect.gen(function* () {
          const index = yield* VectorIndex
          const all = vectors(2_000, 40)
          const random = uniform(7)
          for (const [position, vector] of all.entries()) yield* index.add("p", String(position), vector)
          return yield* Effect.forEach(all.slice(0, 100), (vector) =>
            index.search(
              "p",
              vector.map((component) => component + 0.2 * (random() - 0.5)),
              3
            )
          )
        })
        const found = yield* Effect.provide(search, layerUsearch())
        const exact = yield* Effect.provide(search, layerScan())
        let same = 0
        for (const [query, neighbours] of found.entries()) {
          assert.strictEqual(neighbours.length, 3)
          if (neighbours[0]!.id !== exact[query]![0]!.id) continue
          same++
          assert.approximately(neighbours[0]!.similarity, exact[query]![0]!.similarity, 1e-6)
        }
        assert.isAtLeast(same, 97)
      })
    )

    it.effect("never finds anything of another partition", () =>
      Effect.gen(function* () {
        const index = yield* VectorIndex
        const [vector] = vectors(1, 32)
        yield* index.add("tenant a", "secret", vector!)
        assert.deepStrictEqual(yield* index.search("tenant b", vector!, 5), [])
      }).pipe(Effect.provide(layerUsearch()))
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
        assert.deepInclude((yield* index.search("p", all[0]!, 1))[0], { id: "1" })
        yield* index.add("p", "3", all[3]!)
        yield* index.add("p", "4", all[4]!)
        assert.deepStrictEqual(yield* ids, ["1", "3", "4"])
        for (const id of ["1", "3", "4"]) yield* index.remove("p", id)
        assert.deepStrictEqual(yield* ids, [])
      }).pipe(Effect.provide(layerUsearch({ maxPerPartition: 3 })))
    )

    it.effect("bounds all partitions together", () =>
      Effect.gen(function* () {
        const index = yield* VectorIndex
        const [vector] = vectors(1, 32)
        const ids = (partition: string) =>
          Effect.map(index.search(partition, vector!, 10), (found) => found.map(({ id }) => id).sort())
        for (const id of ["1", "2"]) yield* index.add("a", id, vector!)
        for (const id of ["1", "2"]) yield* index.add("b", id, vector!)
        assert.deepStrictEqual(yield* ids("a"), ["2"])
        yield* ids("b")
        for (const id of ["3", "4", "5"]) yield* index.add("b", id, vector!)
        assert.deepStrictEqual(yield* ids("a"), [])
        assert.deepStrictEqual(yield* ids("b"), ["3", "4", "5"])
      }).pipe(Effect.provide(layerUsearch({ maxVectors: 3 })))
    )

    it.effect("refuses a vector of another dimension, and says what to do", () =>
      Effect.gen(function* () {
        const index = yield* VectorIndex
        yield* index.add("p", "a", new Float32Array(32).fill(1))
        for (const refused of [
          index.add("p", "b", new Float32Array(64).fill(1)),
          index.search("p", new Float32Array(64).fill(1), 1)
        ]) {
          const error = yield* Effect.flip(refused as Effect.Effect<unknown, { reason: string; message: string }>)
          assert.strictEqual(error.reason, "dimension")
          assert.include(error.message, "give the new embedder an index of its own")
        }
      }).pipe(Effect.provide(layerUsearch()))
    )
  }
})

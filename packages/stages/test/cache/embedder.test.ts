import { assert, describe, it } from "@effect/vitest"
import { Embedder, layerHashed, layerMany, layerModel } from "@interlock/stages/cache/embedder"
import { Effect, Layer } from "effect"
import { EmbeddingModel } from "effect/ai"

const texts = ["a", "bb", "ccc"]
const embedAll = Effect.gen(function* () {
  const embedder = yield* Embedder
  return yield* Effect.forEach(texts, embedder.embed, { concurrency: "unbounded" })
})

describe("Embedder", () => {
  it.effect("layerMany: calls in flight together share one request", () =>
    Effect.gen(function* () {
      const requests: Array<ReadonlyArray<string>> = []
      const layer = layerMany({
        name: "test",
        dimension: 2,
        embedMany: (asked) =>
          Effect.sync(() => {
            requests.push(asked)
            return asked.map((text) => [text.length, 1])
          })
      })
      const vectors = yield* Effect.provide(embedAll, layer)
      assert.deepStrictEqual(
        vectors.map((vector) => [...vector]),
        [
          [1, 1],
          [2, 1],
          [3, 1]
        ]
      )
      assert.deepStrictEqual(requests, [texts])
    })
  )

  it.effect("layerMany: a failure and a wrong dimension are errors that say what to do", () =>
    Effect.gen(function* () {
      const wrong = layerMany({
        name: "test",
        dimension: 3,
        embedMany: (asked) => Effect.succeed(asked.map(() => [1, 2]))
      })
      const error = yield* Effect.flip(Effect.provide(embedAll, wrong))
      assert.include((error as Error).message, "answered 2 numbers: the layer says 3; set dimension")
      const down = layerMany({ name: "test", dimension: 3, embedMany: () => Effect.fail("down") })
      assert.include(
        ((yield* Effect.flip(Effect.provide(embedAll, down))) as Error).message,
        "test did not embed 3 texts"
      )
    })
  )

  it.effect("layerModel: asks an embedding model of effect/ai", () =>
    Effect.gen(function* () {
      const model = Layer.effect(
        EmbeddingModel.EmbeddingModel,
        EmbeddingModel.make({
          embedMany: ({ inputs }) =>
            Effect.succeed({
              results: inputs.map((text) => [text.length, 0]),
              usage: { inputTokens: undefined }
            })
        })
      )
      const vectors = yield* Effect.provide(
        embedAll,
        layerModel({ name: "model", dimension: 2 }).pipe(Layer.provide(model))
      )
      assert.deepStrictEqual(
        vectors.map(([first]) => first),
        [1, 2, 3]
      )
    })
  )

  it.effect("layerHashed: refuses a dimension that the index cannot scan", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(embedAll, layerHashed({ dimension: 100 })))
      assert.include((error as Error).message, "it must be a multiple of 16; use 384")
    })
  )
})

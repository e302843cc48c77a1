import { assert, describe, it } from "@effect/vitest"
import {
  Embedder,
  embedHashed,
  embedLocal,
  layerHashed,
  layerLocal,
  layerMany,
  layerModel
} from "@interlock/stages/cache/embedder"
import * as WordVectors from "@interlock/stages/wordVectors"
import { Effect, Layer } from "effect"
import { EmbeddingModel } from "effect/ai"
import * as FastCheck from "fast-check"

const texts = ["a", "bb", "ccc"]
const embedAll = Effect.gen(function* () {
  const embedder = yield* Embedder
  return yield* Effect.forEach(texts, embedder.embed, { concurrency: "unbounded" })
})

/** Of vectors of unit length. */
const dot = (one: Float32Array, other: Float32Array) =>
  one.reduce((sum, value, index) => sum + value * other[index]!, 0)

const spelling = (one: string, other: string) => dot(embedHashed(one, 384), embedHashed(other, 384))

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

  it.effect("layerLocal: names itself, its version and its word vectors, and says its dimension", () =>
    Effect.gen(function* () {
      const { dimension, embed, name } = yield* Embedder
      assert.strictEqual(name, "local-1-english-1")
      assert.strictEqual(dimension, 384)
      const vector = yield* embed("how do I reset my password")
      assert.deepStrictEqual(vector, embedLocal(yield* WordVectors.english)("how do I reset my password"))
    }).pipe(Effect.provide(layerLocal))
  )

  it.effect("layerHashed: refuses a dimension that the index cannot scan", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(embedAll, layerHashed({ dimension: 100 })))
      assert.include((error as Error).message, "it must be a multiple of 16; use 384")
    })
  )
})

describe("embedLocal", () => {
  const likeness = Effect.map(WordVectors.english, (vectors) => {
    const embed = embedLocal(vectors)
    return (one: string, other: string) => dot(embed(one), embed(other))
  })

  it.effect("puts the same request in other words nearer than spelling does, and farther from another request", () =>
    Effect.gen(function* () {
      const alike = yield* likeness
      for (const [asked, near, far] of [
        ["I want a refund for my hotel", "request reimbursement of the motel", "play a song by a jazz band"],
        ["my car needs new tires", "replace the wheels of the vehicle", "translate this sentence to french"],
        ["the doctor prescribed medicine", "a physician gave me a drug", "how much is the flight to boston"]
      ] as const) {
        assert.isAbove(alike(asked, near), spelling(asked, near) + 0.1, near)
        assert.isBelow(alike(asked, far), 0.2, far)
        assert.isAbove(
          alike(asked, near) - alike(asked, far),
          spelling(asked, near) - spelling(asked, far) + 0.05,
          near
        )
      }
    })
  )

  it.effect("takes words that stand in any text for little", () =>
    Effect.gen(function* () {
      const alike = yield* likeness
      assert.isAbove(
        alike("reset password", "how do I reset my password"),
        alike("how do I reset my password", "how do I cook my dinner") + 0.3
      )
    })
  )

  it.effect("compares texts of other languages by their spelling, whatever words these share with English", () =>
    Effect.gen(function* () {
      const vectors = yield* WordVectors.english
      const embed = embedLocal(vectors)
      for (const text of [
        "密码怎么重置",
        "как сбросить пароль",
        "reiniciar contraseña",
        "Überweisung rückgängig machen"
      ]) {
        const vector = embed(text)
        assert.deepStrictEqual(vector.subarray(0, 320), embedHashed(text, 320), text)
        assert.isTrue(
          vector.subarray(320).every((value) => value === 0),
          text
        )
      }
      const alike = yield* likeness
      for (const texts of [
        ["ich möchte die karte sperren", "wie wird das wetter in berlin", "bitte die musik lauter machen"],
        ["quiero bloquear la tarjeta de crédito", "cuál es el saldo de la cuenta", "reserva una mesa para dos"],
        ["je voudrais bloquer la carte", "quel temps fait il à la plage", "joue la chanson de la semaine"]
      ]) {
        for (const one of texts) {
          for (const other of texts) {
            if (one !== other) assert.isBelow(alike(one, other), spelling(one, other) + 0.2, `${one} / ${other}`)
          }
        }
      }
    })
  )

  it.effect(
    "gives every text with words a vector of unit length, the same each time, and whatever the letter case",
    () =>
      Effect.gen(function* () {
        const vectors = yield* WordVectors.english
        const [first, second] = [embedLocal(vectors), embedLocal(vectors)]
        const word = FastCheck.constantFrom("the", "card", "lost", "Straße", "zxqv", "refund", "i", "карта", "42", "?")
        FastCheck.assert(
          FastCheck.property(FastCheck.array(word, { minLength: 1, maxLength: 40 }), (words) => {
            const text = words.join(" ")
            const vector = first(text)
            first("something in between")
            assert.deepStrictEqual(first(text), vector)
            assert.deepStrictEqual(second(text), vector)
            assert.deepStrictEqual(first(text.toUpperCase().replaceAll("STRASSE", "STRAßE")), vector)
            assert.approximately(dot(vector, vector), words.every((each) => each === "?") ? 0 : 1, 1e-5)
          })
        )
        assert.isTrue(first("").every((value) => value === 0))
        assert.isTrue(first("?! …").every((value) => value === 0))
      })
  )

  // Golden: vectors of one name are compared with each other, so when these change the name must, too.
  it.effect("is the same for ever", () =>
    Effect.gen(function* () {
      const vector = embedLocal(yield* WordVectors.english)("how do I get a refund for the hotel")
      for (const [index, value] of [
        [3, 0.069],
        [5, 0.0891],
        [15, -0.069],
        [320, -0.0308],
        [321, -0.1602],
        [322, -0.0645],
        [323, -0.1584]
      ] as const) {
        assert.approximately(vector[index]!, value, 1e-4, String(index))
      }
    })
  )

  it.effect("means the same by a text said twice, and with signs about it", () =>
    Effect.gen(function* () {
      const embed = embedLocal(yield* WordVectors.english)
      const meaning = (text: string) => [...embed(text).subarray(320)]
      const once = meaning("where is my parcel")
      assert.isAbove(Math.hypot(...once), 0.5)
      for (const text of ["where is my parcel where is my parcel", "(where is my parcel?!)"]) {
        for (const [index, value] of meaning(text).entries()) assert.approximately(value, once[index]!, 1e-5, text)
      }
    })
  )

  it.effect("embeds with vectors of no word by spelling alone", () =>
    Effect.gen(function* () {
      const { manifest } = yield* WordVectors.english
      const none = {
        manifest,
        hashes: new Uint32Array(),
        scales: new Float32Array(),
        rows: new Int8Array(),
        rowOf: () => -1
      }
      assert.deepStrictEqual(
        embedLocal(none)("where is my card").subarray(0, 320),
        embedHashed("where is my card", 320)
      )
    })
  )
})

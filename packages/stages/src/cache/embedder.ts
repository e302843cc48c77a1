/**
 * Turns text into vectors whose cosine says how alike two texts are: what the semantic tier compares prompts with.
 *
 * @since 0.1.0
 */
import { Context, Effect, Exit, Layer, Schema } from "effect"
import { EmbeddingModel } from "effect/ai"
import type { ArtefactError } from "../artefact.ts"
import { micro } from "../batchMicro.ts"
import * as Featuriser from "../classify/featuriser.ts"
import * as WordVectors from "../wordVectors.ts"
import { type ConfigurationError, invalid } from "./configurationError.ts"

/**
 * The embedder could not answer. The semantic tier turns it into a bypass.
 *
 * @category errors
 * @since 0.1.0
 */
export class EmbedderError extends Schema.TaggedError<EmbedderError>()("@interlock/stages/EmbedderError", {
  message: Schema.String,
  cause: Schema.optional(Schema.Defect())
}) {}

/**
 * Turns text into a vector of `dimension` numbers. Vectors of different names are never compared with each other.
 *
 * @category services
 * @since 0.1.0
 */
export class Embedder extends Context.Service<
  Embedder,
  {
    /** The embedder and its version; part of every partition, so that another embedder starts afresh. */
    readonly name: string
    readonly dimension: number
    /** One vector; it need not have unit length. */
    readonly embed: (text: string) => Effect.Effect<Float32Array, EmbedderError>
  }
>()("@interlock/stages/Embedder") {}

/**
 * The local embedder: what `layerHashed` sees of a text in 320 numbers, and beside it what its words mean in 64, by the word vectors that
 * ship with this package. It needs no network and 15 to 20 µs for a sentence. It knows words, not sentences: those that are used alike,
 * such as "activate" and "cancel", are near each other though they ask for opposite things.
 *
 * Only English words have vectors. A cosine is up to four tenths meaning; a text of which half the words or more have none is compared by its
 * spelling alone, as `layerHashed` does it.
 *
 * The meaning of a text is the sum of the vectors of its words, with 0.3 for those that stand in any text, less what such words have in
 * common; after Arora, Liang and Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings" (2017).
 *
 * @category layers
 * @since 0.1.0
 */
export const layerLocal: Layer.Layer<Embedder, ArtefactError> = Layer.effect(
  Embedder,
  Effect.map(WordVectors.english, (vectors) => {
    const embed = embedLocal(vectors)
    return {
      name: `local-1-${vectors.manifest.name}`,
      dimension: spellingDimension + vectors.manifest.dimensions,
      embed: (text: string) => Effect.sync(() => embed(text))
    }
  })
)

/**
 * The embedder that needs no file: word and character n-grams, hashed into `dimension` (384) signed sums, about 10 µs for a sentence. It
 * sees shared words and spellings, not meaning: for where the package's artefacts are not at hand, as in a bundle.
 * Source of the method: feature hashing, Weinberger et al. 2009, with square-root term weights.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHashed = (
  options: { readonly dimension?: number } = {}
): Layer.Layer<Embedder, ConfigurationError> => {
  const dimension = options.dimension ?? 384
  return Layer.effect(
    Embedder,
    Number.isInteger(dimension) && dimension >= 16 && dimension % 16 === 0
      ? Effect.succeed({
          name: `hashed-1-${dimension}`,
          dimension,
          embed: (text: string) => Effect.sync(() => embedHashed(text, dimension))
        })
      : invalid("Embedder.layerHashed dimension", dimension, "it must be a multiple of 16", "use 384")
  )
}

/**
 * An embedder over any function that embeds many texts at once, such as the AI SDK's `embedMany`; calls in flight together
 * share one request. `name` must change with the model and its settings.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMany = <E, R>(options: {
  readonly name: string
  readonly dimension: number
  /** The most texts in one request; 96. */
  readonly maxItems?: number
  readonly embedMany: (texts: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<ReadonlyArray<number>>, E, R>
}): Layer.Layer<Embedder, ConfigurationError, R> =>
  Layer.effect(
    Embedder,
    Effect.gen(function* () {
      const { dimension, embedMany, maxItems = 96, name } = options
      const embed = yield* micro<string, Float32Array, EmbedderError, R>({
        key: () => name,
        maxItems,
        isolate: () => false,
        run: (texts) =>
          Effect.mapBoth(embedMany(texts), {
            onFailure: (cause) => new EmbedderError({ message: `${name} did not embed ${texts.length} texts`, cause }),
            onSuccess: (vectors) =>
              vectors.map((vector) =>
                vector.length === dimension
                  ? Exit.succeed(Float32Array.from(vector))
                  : Exit.fail(
                      new EmbedderError({
                        message: `${name} answered ${vector.length} numbers: the layer says ${dimension}; set dimension to what the model gives`
                      })
                    )
              )
          })
      })
      return {
        name,
        dimension,
        embed: (text) =>
          Effect.catchTag(embed(text), "@interlock/stages/BatchError", (cause) =>
            Effect.fail(new EmbedderError({ message: `${name} was not asked: ${cause.message}`, cause }))
          )
      }
    })
  )

/**
 * An embedder over any `effect/ai` embedding model; calls in flight together share one request.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerModel = (options: {
  readonly name: string
  readonly dimension: number
}): Layer.Layer<Embedder, ConfigurationError, EmbeddingModel.EmbeddingModel> =>
  layerMany({
    ...options,
    embedMany: (texts) =>
      Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) =>
        Effect.map(model.embedMany(texts), ({ embeddings }) => embeddings.map(({ vector }) => vector))
      )
  })

const stopWords = new Set(
  `a an the is are was were be been am do does did i me my we us our you your he she it its they them this that these
  those of to in on at by for with from as and or but if so than then there here what which who whom how when where why
  can could would should will shall may might must have has had not no please just about some any all get got tell let
  i'm im what's whats i'll ill i'd like want need know give also up out into over`.split(/\s+/u)
)

/**
 * The vector of `layerHashed`, of unit length (all zeros for a text without words).
 *
 * @category embedding
 * @since 0.1.0
 */
export const embedHashed = (text: string, dimension: number): Float32Array => {
  const words =
    text
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{N}']+/gu) ?? []
  const weights = new Map<string, number>()
  const add = (feature: string, weight: number) => {
    weights.set(feature, (weights.get(feature) ?? 0) + weight)
  }
  let previous: string | undefined
  let previousWeight = 0
  for (const word of words) {
    const weight = stopWords.has(word) ? 0.5 : 1
    add(`w${word}`, weight)
    if (previous !== undefined) add(`p${previous} ${word}`, 0.5 * Math.sqrt(weight * previousWeight))
    const padded = `^${word}$`
    for (let length = 3; length <= 4; length++) {
      for (let start = 0; start + length <= padded.length; start++) {
        add(`c${padded.slice(start, start + length)}`, 0.3 * weight)
      }
    }
    previous = word
    previousWeight = weight
  }
  const vector = new Float32Array(dimension)
  for (const [feature, weight] of weights) {
    const code = mix(feature)
    vector[(code >>> 1) % dimension]! += (code & 1 ? 1 : -1) * Math.sqrt(weight)
  }
  let squares = 0
  for (const component of vector) squares += component * component
  if (squares > 0) {
    const scale = 1 / Math.sqrt(squares)
    for (let index = 0; index < dimension; index++) vector[index]! *= scale
  }
  return vector
}

const spellingDimension = 320
const meaningShare = 0.4
const stopWordWeight = 0.3

/**
 * Makes the function of `layerLocal`, whose vectors have unit length (all zeros for a text without words).
 *
 * @category embedding
 * @since 0.1.0
 */
export const embedLocal = (vectors: WordVectors.WordVectors): ((text: string) => Float32Array) => {
  const { dimensions } = vectors.manifest
  const common = new Float64Array(dimensions)
  for (const word of stopWords) {
    const row = vectors.rowOf(Featuriser.wordHash(word))
    if (row >= 0) WordVectors.add(vectors, row, 1, common)
  }
  const commonSquares = dot(common, common)
  return (text) => {
    const meaning = new Float64Array(dimensions)
    let all = 0
    let known = 0
    for (const word of Featuriser.words(text)) {
      const weight = stopWords.has(word) ? stopWordWeight : 1
      const row = vectors.rowOf(Featuriser.wordHash(word))
      if (row >= 0) {
        WordVectors.add(vectors, row, weight, meaning)
        known += weight
      }
      if (row >= 0 || wordLike.test(word)) all += weight
    }
    if (commonSquares > 0) {
      const part = dot(meaning, common) / commonSquares
      for (let index = 0; index < dimensions; index++) meaning[index]! -= part * common[index]!
    }
    const length = Math.sqrt(dot(meaning, meaning))
    // Other languages have words that English has too, such as "die" and "war", and most of their texts have some of them: where half
    // of the words or more are unknown, these are not to decide.
    const share = length > 0 ? meaningShare * Math.max(0, (2 * known) / all - 1) : 0
    const spelling = embedHashed(text, spellingDimension)
    const vector = new Float32Array(spellingDimension + dimensions)
    const spellingScale = Math.sqrt(1 - share)
    for (let index = 0; index < spellingDimension; index++) vector[index] = spellingScale * spelling[index]!
    const meaningScale = share > 0 ? Math.sqrt(share) / length : 0
    for (let index = 0; index < dimensions; index++) vector[spellingDimension + index] = meaningScale * meaning[index]!
    return vector
  }
}

/** Not the signs that `Featuriser.words` gives too. */
const wordLike = /[\p{L}\p{N}]/u

const dot = (one: Float64Array, other: Float64Array): number => {
  let sum = 0
  for (let index = 0; index < one.length; index++) sum += one[index]! * other[index]!
  return sum
}

/** FNV-1a over UTF-16 units, then the finaliser of MurmurHash3. */
const mix = (text: string): number => {
  let code = 0x811c9dc5
  for (let index = 0; index < text.length; index++) code = Math.imul(code ^ text.charCodeAt(index), 0x01000193)
  code = Math.imul(code ^ (code >>> 16), 0x85ebca6b)
  code = Math.imul(code ^ (code >>> 13), 0xc2b2ae35)
  return (code ^ (code >>> 16)) >>> 0
}

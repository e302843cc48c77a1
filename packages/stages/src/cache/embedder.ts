/**
 * Turns text into vectors whose cosine says how alike two texts are: what the semantic tier compares prompts with.
 *
 * @since 0.1.0
 */
import { Context, Effect, Exit, Layer, Schema } from "effect"
import { EmbeddingModel } from "effect/ai"
import { micro } from "../batchMicro.ts"
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
 * The local embedder: word and character n-grams, hashed into `dimension` (384) signed sums. It needs no model, no
 * network and about 20 µs for a sentence; it sees shared words and spellings, not meaning. Source of the method: feature
 * hashing, Weinberger et al. 2009, with square-root term weights.
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

/** FNV-1a over UTF-16 units, then the finaliser of MurmurHash3. */
const mix = (text: string): number => {
  let code = 0x811c9dc5
  for (let index = 0; index < text.length; index++) code = Math.imul(code ^ text.charCodeAt(index), 0x01000193)
  code = Math.imul(code ^ (code >>> 16), 0x85ebca6b)
  code = Math.imul(code ^ (code >>> 13), 0xc2b2ae35)
  return (code ^ (code >>> 16)) >>> 0
}

/**
 * A `Predictor` says how well each of several models will answer a prompt, and how good a given answer of one of them is. It is
 * trained by `interlock learn router` on graded traffic and kept as one file: a manifest, and the weights that it vouches for.
 *
 * @since 0.1.0
 */
import { Effect, FileSystem, Path, type PlatformError, Schema } from "effect"
import * as WordVectors from "../wordVectors.ts"
import * as Features from "./features.ts"

// ---------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------

/**
 * A linear function of one text block (hashed words, weighed by rarity and scaled to length 1), one block of figures and one of what
 * the words mean (both standardised), with one output for each model.
 *
 * @category models
 * @since 0.1.0
 */
export interface Linear {
  /** How many slots each text has. */
  readonly dimension: number
  /** Rarity of each slot of the prompt; 0 where training never saw it. */
  readonly rarity: Float32Array
  /** The same for the answer; empty when answers are not read. */
  readonly answerRarity: Float32Array
  /** Mean and spread of every figure, then of every dimension of the meaning where that is read: a judge does not. */
  readonly center: Float32Array
  readonly spread: Float32Array
  /** For each output: prompt slots, then answer slots, figures and dimensions. */
  readonly weights: ReadonlyArray<Float32Array>
  readonly intercepts: Float32Array
}

/**
 * What a predictor is: the models it knows, the scorer of prompts, and for each model whose answers were graded, a judge of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Predictor {
  readonly manifest: Manifest
  readonly prompt: Linear
  /** Keyed by model: the qualities expected of every model once this one's answer is known. */
  readonly judges: { readonly [model: string]: Linear }
  readonly vectors: WordVectors.WordVectors
}

/**
 * What the file says about itself.
 *
 * @category models
 * @since 0.1.0
 */
export const Manifest = Schema.Struct({
  kind: Schema.Literal("interlock-router"),
  features: Schema.Number,
  /** Names as the training rows write them. */
  models: Schema.Array(Schema.String),
  /** How many graded prompts it was trained on. */
  rows: Schema.Number,
  /** Mean quality and cost in US dollars of every model, on the training rows. */
  meanQuality: Schema.Array(Schema.Number),
  meanCostUsd: Schema.Array(Schema.Number),
  /** What was measured by cross-validation: area under the curve of gap recovered, with its interval. */
  evaluation: Schema.Struct({ apgr: Schema.Number, low: Schema.Number, high: Schema.Number }),
  judges: Schema.Array(Schema.String),
  /** The word vectors that it was trained with. */
  vectors: Schema.Struct({ name: Schema.String, dimensions: Schema.Number }),
  dimension: Schema.Number,
  answerDimension: Schema.Number,
  /** FNV-1a over the weights' bytes, against truncation and mix-ups. */
  checksum: Schema.Number
})

/**
 * What the file says about itself.
 *
 * @category models
 * @since 0.1.0
 */
export type Manifest = typeof Manifest.Type

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * A file is not there, is not a router's artefact, or not one that this version can use.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidRouter extends Schema.TaggedError<InvalidRouter>()("InvalidRouter", {
  reason: Schema.Literals(["Missing", "Foreign", "Version", "Corrupt"]),
  message: Schema.String
}) {}

// ---------------------------------------------------------------------------------------------------------------
// Predicting
// ---------------------------------------------------------------------------------------------------------------

const finite = (value: number): number => (Number.isFinite(value) ? value : 0)

/**
 * Standardised figures beyond this are cut off: one odd prompt must not decide by a single number. What few prompts have at all (a
 * percentage asked for, a ratio) stands four or five spreads from the mean, and must still count in full.
 */
const furthest = 5

/**
 * The inputs of a linear function, as training and prediction both see them.
 *
 * @category predicting
 * @since 0.1.0
 */
export interface Inputs {
  readonly slots: Int32Array
  readonly values: Float64Array
}

/**
 * Weighs terms by `(1 + ln count) · rarity` and scales them to length 1.
 *
 * @category predicting
 * @since 0.1.0
 */
export const weigh = (terms: Features.Terms, rarity: Float32Array): Float64Array => {
  const values = new Float64Array(terms.slots.length)
  let square = 0
  for (let index = 0; index < values.length; index++) {
    const value = (1 + Math.log(terms.counts[index]!)) * rarity[terms.slots[index]!]!
    values[index] = value
    square += value * value
  }
  const scale = square === 0 ? 0 : 1 / Math.sqrt(square)
  for (let index = 0; index < values.length; index++) values[index]! *= scale
  return values
}

/**
 * Standardises figures: mean 0, spread 1, cut off at 5, scaled so that the whole block weighs as much as a text.
 *
 * @category predicting
 * @since 0.1.0
 */
export const standardise = (figures: Float64Array, center: Float32Array, spread: Float32Array): Float64Array => {
  const scale = 1 / Math.sqrt(figures.length)
  const values = new Float64Array(figures.length)
  for (let index = 0; index < figures.length; index++) {
    const value = finite((finite(figures[index]!) - center[index]!) / spread[index]!)
    values[index] = Math.max(-furthest, Math.min(furthest, value)) * scale
  }
  return values
}

/**
 * The salt that keeps the words of answers apart from those of questions.
 *
 * @category constants
 * @since 0.1.0
 */
export const answerSalt = 1

/**
 * The figures of a prompt, and of an answer where there is one.
 *
 * @category predicting
 * @since 0.1.0
 */
export const figuresOf = (prompt: string, answer: string | undefined): Float64Array => {
  const structure = Features.structure(prompt)
  if (answer === undefined) return structure
  const checks = Features.checks(prompt, answer)
  const all = new Float64Array(structure.length + checks.length)
  all.set(structure)
  all.set(checks, structure.length)
  return all
}

const none = new Float64Array(0)

const apply = (
  linear: Linear,
  vectors: WordVectors.WordVectors,
  prompt: string,
  answer: string | undefined
): ReadonlyArray<number> => {
  const asked = Features.terms(prompt, linear.dimension)
  const askedValues = weigh(asked, linear.rarity)
  const answered =
    answer === undefined
      ? undefined
      : Features.terms(answer, linear.answerRarity.length, { anyDigit: true, salt: answerSalt })
  const answeredValues = answered === undefined ? undefined : weigh(answered, linear.answerRarity)
  const raw = figuresOf(prompt, answer)
  const count = raw.length
  const figures = standardise(raw, linear.center.subarray(0, count), linear.spread.subarray(0, count))
  const meaning =
    linear.center.length === count
      ? none
      : standardise(Features.meaning(prompt, vectors), linear.center.subarray(count), linear.spread.subarray(count))
  const answerStart = linear.dimension
  const figureStart = linear.dimension + linear.answerRarity.length
  return linear.weights.map((weights, output) => {
    let sum = linear.intercepts[output]!
    for (let index = 0; index < askedValues.length; index++) sum += askedValues[index]! * weights[asked.slots[index]!]!
    if (answered !== undefined && answeredValues !== undefined) {
      for (let index = 0; index < answeredValues.length; index++) {
        sum += answeredValues[index]! * weights[answerStart + answered.slots[index]!]!
      }
    }
    for (let index = 0; index < count; index++) sum += figures[index]! * weights[figureStart + index]!
    for (let index = 0; index < meaning.length; index++) {
      sum += meaning[index]! * weights[figureStart + count + index]!
    }
    return sum
  })
}

/**
 * The quality expected of each model on a prompt, in the order of `manifest.models`. Not cut off at 0 and 1, so that their
 * differences keep their order.
 *
 * @category predicting
 * @since 0.1.0
 */
export const qualities = (predictor: Predictor, prompt: string): ReadonlyArray<number> =>
  apply(predictor.prompt, predictor.vectors, prompt, undefined)

/**
 * The same once `model` has answered: its own quality is judged by what it wrote. Without a judge for `model` (its answers were
 * not in the training rows) this is what was expected before.
 *
 * @category predicting
 * @since 0.1.0
 */
export const qualitiesGiven = (
  predictor: Predictor,
  prompt: string,
  model: string,
  answer: string
): ReadonlyArray<number> => {
  const judge = Object.hasOwn(predictor.judges, model) ? predictor.judges[model] : undefined
  return judge === undefined ? qualities(predictor, prompt) : apply(judge, predictor.vectors, prompt, answer)
}

// ---------------------------------------------------------------------------------------------------------------
// The file
// ---------------------------------------------------------------------------------------------------------------

const checksumOf = (bytes: Uint8Array): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < bytes.length; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193)
  return hash >>> 0
}

const arraysOf = (predictor: Predictor): ReadonlyArray<Float32Array> =>
  [predictor.prompt, ...predictor.manifest.judges.map((model) => predictor.judges[model]!)].flatMap((linear) => [
    linear.rarity,
    linear.answerRarity,
    linear.center,
    linear.spread,
    ...linear.weights,
    linear.intercepts
  ])

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

const toBytes = (arrays: ReadonlyArray<Float32Array>): Uint8Array => {
  const total = arrays.reduce((sum, array) => sum + array.length, 0)
  const bytes = new Uint8Array(total * 4)
  const view = new DataView(bytes.buffer)
  let offset = 0
  for (const array of arrays) {
    if (littleEndian) {
      bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), offset)
      offset += array.byteLength
    } else {
      for (const value of array) {
        view.setFloat32(offset, value, true)
        offset += 4
      }
    }
  }
  return bytes
}

/**
 * The bytes of an artefact: one line of JSON (the manifest), then the weights as little-endian 32-bit floats.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (predictor: Predictor): Uint8Array => {
  const weights = toBytes(arraysOf(predictor))
  const line = new TextEncoder().encode(
    `${JSON.stringify({ ...predictor.manifest, checksum: checksumOf(weights) } satisfies Manifest)}\n`
  )
  const bytes = new Uint8Array(line.length + weights.length)
  bytes.set(line)
  bytes.set(weights, line.length)
  return bytes
}

const invalid = (reason: InvalidRouter["reason"], message: string) =>
  Effect.fail(
    new InvalidRouter({ reason, message: `${message} Train one with: interlock learn router --data FILE.jsonl` })
  )
const decodeVersion = Schema.decodeUnknownEffect(
  Schema.fromJsonString(Schema.Struct({ kind: Manifest.fields.kind, features: Manifest.fields.features }))
)
const decodeManifest = Schema.decodeUnknownEffect(Schema.fromJsonString(Manifest))

/** No artefact of ours has a longer first line. */
const longestManifest = 1_000_000
/** No artefact of ours has more slots a text. */
const widest = 1 << 22

/**
 * Reads an artefact. What is not one, is of another version, or is cut short or altered, is refused with what to do.
 *
 * @category encoding
 * @since 0.1.0
 */
export const decode = Effect.fnUntraced(function* (bytes: Uint8Array): Effect.fn.Return<Predictor, InvalidRouter> {
  const end = bytes.subarray(0, longestManifest).indexOf(10)
  if (end < 0) return yield* invalid("Foreign", "The file is not a router's artefact: it has no manifest line.")
  const line = new TextDecoder().decode(bytes.subarray(0, end))
  // What else a manifest says depends on its version.
  const { features } = yield* Effect.catchCause(decodeVersion(line), () =>
    invalid("Foreign", "The file is not a router's artefact: its first line is not a router's manifest.")
  )
  if (features !== Features.version) {
    return yield* invalid(
      "Version",
      `The artefact was trained with version ${features} of the features; this is version ${Features.version}.`
    )
  }
  const manifest = yield* Effect.catchCause(decodeManifest(line), () =>
    invalid("Corrupt", "The artefact's manifest lacks what one of this version says.")
  )
  const vectors = yield* Effect.mapError(
    WordVectors.english,
    ({ message, reason }) => new InvalidRouter({ reason, message })
  )
  const { dimensions, name } = vectors.manifest
  if (manifest.vectors.name !== name || manifest.vectors.dimensions !== dimensions) {
    return yield* invalid(
      "Version",
      `The artefact was trained with the word vectors ${manifest.vectors.name} of ${manifest.vectors.dimensions} numbers; this version has ${name} of ${dimensions}.`
    )
  }
  const models = manifest.models.length
  const power = (value: number) =>
    Number.isInteger(value) && value > 0 && value <= widest && (value & (value - 1)) === 0
  if (
    models === 0 ||
    new Set(manifest.models).size !== models ||
    manifest.meanQuality.length !== models ||
    manifest.meanCostUsd.length !== models ||
    manifest.judges.some((model) => !manifest.models.includes(model)) ||
    !power(manifest.dimension) ||
    !power(manifest.answerDimension)
  ) {
    return yield* invalid("Corrupt", "The artefact's manifest contradicts itself.")
  }
  const shapes = [false, ...manifest.judges.map(() => true)].map((judges) => {
    const answers = judges ? manifest.answerDimension : 0
    const figures = Features.structureLength + (judges ? Features.checksLength : dimensions)
    return { answers, figures, width: manifest.dimension + answers + figures }
  })
  const needed = shapes.reduce(
    (sum, { answers, figures, width }) => sum + manifest.dimension + answers + 2 * figures + models * width + models,
    0
  )
  const body = bytes.subarray(end + 1)
  if (body.length !== needed * 4 || checksumOf(body) !== manifest.checksum) {
    return yield* invalid("Corrupt", "The artefact's weights are cut short or altered: they do not match the manifest.")
  }
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  let position = 0
  const take = (length: number): Float32Array => {
    const array = new Float32Array(length)
    for (let index = 0; index < length; index++, position += 4) array[index] = view.getFloat32(position, true)
    return array
  }
  const linears = shapes.map(
    ({ answers, figures, width }): Linear => ({
      dimension: manifest.dimension,
      rarity: take(manifest.dimension),
      answerRarity: take(answers),
      center: take(figures),
      spread: take(figures),
      weights: manifest.models.map(() => take(width)),
      intercepts: take(models)
    })
  )
  return {
    manifest,
    vectors,
    prompt: linears[0]!,
    judges: Object.fromEntries(manifest.judges.map((model, index) => [model, linears[index + 1]!]))
  }
})

/**
 * Reads an artefact from a file, for `layerScored` and `Cascade.learned`.
 *
 * @category encoding
 * @since 0.1.0
 */
export const load = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<Predictor, InvalidRouter, FileSystem.FileSystem> {
  const files = yield* FileSystem.FileSystem
  const bytes = yield* Effect.catch(files.readFile(path), () =>
    invalid("Missing", `There is no router that can be read at ${path}.`)
  )
  return yield* decode(bytes)
})

/**
 * Writes an artefact: aside first, then renamed, so that a half-written one is never found under its name. Folders that are not
 * there are made.
 *
 * @category encoding
 * @since 0.1.0
 */
export const save = Effect.fnUntraced(function* (
  path: string,
  predictor: Predictor
): Effect.fn.Return<number, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path> {
  const files = yield* FileSystem.FileSystem
  const { dirname } = yield* Path.Path
  const bytes = encode(predictor)
  const aside = `${path}.${process.pid}.writing`
  yield* files.makeDirectory(dirname(path), { recursive: true })
  yield* files.writeFile(aside, bytes).pipe(
    Effect.andThen(files.rename(aside, path)),
    Effect.onError(() => Effect.ignore(files.remove(aside)))
  )
  return bytes.length
})

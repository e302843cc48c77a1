/**
 * A classifier over hashed features and word vectors, as one artefact file. It is linear but for one layer in between: the features,
 * and the mean of the vectors of the words, add up to some units, those below zero are silent, and the others add up to the labels.
 *
 * A prediction takes some tens of microseconds and no service. The artefact is checked wholly before anything of it is used: its
 * magic, format, featuriser and vectors, sizes and SHA-256. It holds no code and no training text, only hashes and weights.
 *
 * @since 0.1.0
 */
import { Result, Schema } from "effect"
import * as Artefact from "../artefact.ts"
import * as WordVectors from "../wordVectors.ts"
import * as Featuriser from "./featuriser.ts"
import * as Kernels from "./kernels.ts"

/**
 * What an artefact says of itself, in plain JSON at its beginning.
 *
 * @category models
 * @since 0.1.0
 */
export const Manifest = Schema.Struct({
  format: Schema.Int,
  featuriser: Schema.Int,
  name: Schema.String,
  labels: Schema.Array(Schema.NonEmptyString).check(Schema.isMinLength(2)),
  /** Whether the last column of weights is that of texts out of scope, which the guard looks at and which is never predicted. */
  background: Schema.Boolean,
  features: Schema.Natural,
  /** How many units lie between the features and the labels. */
  units: Schema.Natural,
  documents: Schema.Natural,
  /** The word vectors that it was trained with: a text's mean of them is read after its features. */
  vectors: Schema.Struct({ name: Schema.String, dimensions: Schema.Natural }),
  /** Weight of each kind of feature, in the order of `Featuriser.kinds`. */
  kindWeights: Schema.Array(Schema.Finite),
  /** Scores are multiplied by this before softmax; found by held-out likelihood. */
  sharpness: Schema.Finite,
  /** The logistic guard that says how likely a text is in scope, and the threshold that was chosen on training data. */
  guard: Schema.Struct({
    weights: Schema.Array(Schema.Finite),
    bias: Schema.Finite,
    threshold: Schema.Finite
  }),
  /** SHA-256 of the numbers, in hexadecimal. */
  sha256: Schema.String
})

/**
 * @category models
 * @since 0.1.0
 */
export type Manifest = typeof Manifest.Type

/**
 * The version of the artefact's layout.
 *
 * @category constants
 * @since 0.1.0
 */
export const format = 3

/**
 * A model in memory.
 *
 * @category models
 * @since 0.1.0
 */
export interface LinearModel {
  readonly manifest: Manifest
  /** Hashes of the features, ascending. */
  readonly hashes: Uint32Array
  /** In how many training texts each feature was. */
  readonly frequencies: Uint16Array
  /** What one step of a row of weights stands for. */
  readonly scales: Float32Array
  /** One row of weights a feature, then one a dimension of the word vectors: one weight for each unit. */
  readonly weights: Int8Array
  readonly unitBiases: Float32Array
  /** One row of weights a unit: one for each label, then the background's. */
  readonly outputs: Float32Array
  readonly biases: Float32Array
}

/**
 * What a model says of a text. The arrays belong to the caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface Prediction {
  /** Position of the best label. */
  readonly index: number
  readonly label: string
  /** Calibrated probability of that label, given that the text is in scope. */
  readonly confidence: number
  readonly probabilities: Float32Array
  /** How likely the text is one of those that the model was trained for. */
  readonly inScope: number
  /** Whether `inScope` is below the threshold that was chosen on training data. */
  readonly unknown: boolean
}

/**
 * The weight of a feature before normalisation: a damped inverse document frequency.
 *
 * @category accessors
 * @since 0.1.0
 */
export const rarity = (documents: number, frequency: number): number =>
  Math.sqrt(Math.log((1 + documents) / (1 + frequency)) + 1)

/**
 * What a word's vector weighs in the mean over a text: its inverse document frequency (0 for a word of every text).
 *
 * @category accessors
 * @since 0.1.0
 */
export const wordRarity = (documents: number, frequency: number): number =>
  Math.log((1 + documents) / (1 + Math.min(frequency, 65_535, documents)))

/** How long the mean of the vectors is, where the features have length 1 and every word has a vector. */
const meaningLength = 0.4

/**
 * Gives the sum of a text's word vectors the length that units hear it at: the longer, the greater the part of the text's words, by
 * weight, that have vectors, so that one English word in a Chinese text does not speak for it. Nothing stays nothing.
 *
 * @category accessors
 * @since 0.1.0
 */
export const scaleMeaning = (
  meaning: Float64Array,
  weights: { readonly known: number; readonly all: number }
): void => {
  let square = 0
  for (const each of meaning) square += each * each
  const factor = square > 0 ? (meaningLength * weights.known) / (weights.all * Math.sqrt(square)) : 0
  for (let index = 0; index < meaning.length; index++) meaning[index]! *= factor
}

/**
 * How many numbers the guard looks at.
 *
 * @category constants
 * @since 0.1.0
 */
export const guardSize = 7

/**
 * What the guard looks at: the best score, its lead over the second and over the mean of the next four, the part of the text's
 * weight that was seen in training for whole words and for everything, the length of the text, and the score of texts out of scope
 * (−1, that of a text unlike any of them, where none were given). `scores` are those of the labels, then of the background.
 *
 * @category accessors
 * @since 0.1.0
 */
export const guardInputs = (
  scores: ArrayLike<number>,
  labels: number,
  known: { readonly all: number; readonly words: number },
  size: number,
  out: Float64Array
): Float64Array => {
  let first = Number.NEGATIVE_INFINITY
  let second = first
  let third = first
  let fourth = first
  for (let label = 0; label < labels; label++) {
    const score = scores[label]!
    if (score > first) {
      fourth = third
      third = second
      second = first
      first = score
    } else if (score > second) {
      fourth = third
      third = second
      second = score
    } else if (score > third) {
      fourth = third
      third = score
    } else if (score > fourth) fourth = score
  }
  const next = labels > 3 ? (second + third + fourth) / 3 : second
  out[0] = first
  out[1] = first - second
  out[2] = first - next
  out[3] = known.all
  out[4] = known.words
  out[5] = Math.log(1 + size) / 5
  out[6] = scores.length > labels ? scores[labels]! : -1
  return out
}

const near = Featuriser.kinds.indexOf("near")

/** A text has some hundred features; more than this many are not looked at. */
const mostFeatures = 65_536

/**
 * Makes the function that predicts; it keeps its own scratch memory. `vectors` are those that the model was trained with; with
 * others it fails.
 *
 * @category constructors
 * @since 0.1.0
 */
export const predictor = (
  model: LinearModel,
  vectors: WordVectors.WordVectors
): Result.Result<(text: string) => Prediction, Artefact.ArtefactError> => {
  const { dimensions, name } = model.manifest.vectors
  return name === vectors.manifest.name && dimensions === vectors.manifest.dimensions
    ? Result.succeed(makePredictor(model, vectors))
    : Result.fail(
        new Artefact.ArtefactError({
          reason: "Version",
          message: `the artefact was trained with the word vectors ${name} of ${dimensions} numbers, this version has ${vectors.manifest.name} of ${vectors.manifest.dimensions}; ${kind.cure}`
        })
      )
}

const makePredictor = (model: LinearModel, vectors: WordVectors.WordVectors): ((text: string) => Prediction) => {
  const { biases, frequencies, hashes, manifest, outputs, scales, unitBiases, weights } = model
  const { documents, guard, kindWeights, labels, sharpness, units } = manifest
  const count = labels.length
  const columns = count + (manifest.background ? 1 : 0)
  const featurise = Featuriser.make()
  // What is asked for together lies together, since waiting for memory is most of a prediction: a slot is a hash and a row, a row's
  // rarity and scale are neighbours, and the rows of common features come first.
  const order = Int32Array.from(hashes, (_, row) => row).sort((a, b) => frequencies[b]! - frequencies[a]! || a - b)
  let capacity = 16
  while (capacity < hashes.length * 2) capacity *= 2
  const slots = new Int32Array(capacity * 2)
  const { dimensions } = vectors.manifest
  const factors = new Float32Array((hashes.length + dimensions) * 2)
  const wordRarities = new Float64Array(hashes.length)
  const wide = Math.ceil(columns / 4) * 4
  const kernels = Kernels.make(
    weights.length + units * (wide + 1) * 4 + wide * 4 + (mostFeatures + dimensions) * 8 + 256
  )
  const table = kernels.bytes(weights.length)
  for (let row = 0; row < order.length; row++) {
    const from = order[row]!
    let slot = hashes[from]! & (capacity - 1)
    while (slots[slot * 2 + 1] !== 0) slot = (slot + 1) & (capacity - 1)
    slots[slot * 2] = hashes[from]!
    slots[slot * 2 + 1] = row + 1
    factors[row * 2] = rarity(documents, frequencies[from]!)
    factors[row * 2 + 1] = scales[from]!
    wordRarities[row] = wordRarity(documents, frequencies[from]!)
    table.view.set(weights.subarray(from * units, (from + 1) * units), row * units)
  }
  for (let row = hashes.length; row < hashes.length + dimensions; row++) factors[row * 2 + 1] = scales[row]!
  table.view.set(weights.subarray(hashes.length * units), hashes.length * units)
  const unseen = rarity(documents, 0)
  const unseenWord = wordRarity(documents, 0)
  const meaning = new Float64Array(dimensions)
  const outputTable = kernels.floats(units * wide)
  for (let unit = 0; unit < units; unit++) {
    outputTable.view.set(outputs.subarray(unit * columns, (unit + 1) * columns), unit * wide)
  }
  const sums = kernels.wholes(units)
  const rows = kernels.wholes(mostFeatures + dimensions)
  const wholes = kernels.wholes(mostFeatures + dimensions)
  const padded = kernels.floats(wide)
  const scores = padded.view.subarray(0, columns)
  const values = new Float32Array(mostFeatures + dimensions)
  const inputs = new Float64Array(guardSize)
  return (text) => {
    const features = featurise(text)
    let found = 0
    let norm = 0
    let missing = 0
    let wordsKnown = 0
    let wordsAll = 0
    meaning.fill(0)
    const wordWeights = { known: 0, all: 0 }
    for (let index = 0; index < features.size && found < mostFeatures; index++) {
      const hash = features.hashes[index]! | 0
      const kind = features.kinds[index]!
      let slot = hash & (capacity - 1)
      let row = slots[slot * 2 + 1]!
      while (row !== 0 && slots[slot * 2] !== hash) {
        slot = (slot + 1) & (capacity - 1)
        row = slots[slot * 2 + 1]!
      }
      if (kind === 0) {
        const word = vectors.rowOf(hash)
        const weight = row === 0 ? unseenWord : wordRarities[row - 1]!
        wordWeights.all += weight
        if (word >= 0) {
          wordWeights.known += weight
          WordVectors.add(vectors, word, weight, meaning)
        }
      }
      const times = features.counts[index]!
      const damped = kindWeights[kind]! * (times === 1 ? 1 : 1 + Math.log(times))
      if (row === 0) {
        const value = damped * unseen
        if (kind !== near) missing += value * value
        if (kind === 0) wordsAll += value * value
      } else {
        const value = damped * factors[row * 2 - 2]!
        if (kind === 0) {
          wordsAll += value * value
          wordsKnown += value * value
        }
        norm += value * value
        rows.view[found] = row - 1
        values[found++] = value
      }
    }
    // Whole numbers from here on: the values of the text are blown up as far as 32 bits can hold the sums, which loses less than
    // a millionth.
    const inverse = norm > 0 ? 1 / Math.sqrt(norm) : 0
    for (let index = 0; index < found; index++) values[index]! *= inverse
    scaleMeaning(meaning, wordWeights)
    for (let index = 0; index < dimensions; index++) {
      rows.view[found + index] = hashes.length + index
      values[found + index] = meaning[index]!
    }
    const heard = found + dimensions
    let largest = 0
    for (let index = 0; index < heard; index++) {
      values[index]! *= factors[rows.view[index]! * 2 + 1]!
      largest += Math.abs(values[index]!)
    }
    const blown = largest > 0 ? 2 ** 31 / (128 * largest) - heard : 0
    for (let index = 0; index < heard; index++) wholes.view[index] = Math.round(values[index]! * blown)
    kernels.sumWhole(rows.at, wholes.at, heard, table.at, units, sums.at)
    scores.set(biases)
    for (let unit = 0; unit < units; unit++) {
      const height = unitBiases[unit]! + (blown > 0 ? sums.view[unit]! / blown : 0)
      if (height > 0) kernels.add(height, outputTable.at + unit * wide * 4, padded.at, wide)
    }
    let best = 0
    for (let label = 1; label < count; label++) if (scores[label]! > scores[best]!) best = label
    const probabilities = new Float32Array(count)
    let total = 0
    for (let label = 0; label < count; label++) {
      const exponential = Math.exp((scores[label]! - scores[best]!) * sharpness)
      probabilities[label] = exponential
      total += exponential
    }
    for (let label = 0; label < count; label++) probabilities[label]! /= total
    guardInputs(
      scores,
      count,
      { all: norm / (norm + missing || 1), words: wordsKnown / (wordsAll || 1) },
      features.size,
      inputs
    )
    let logit = guard.bias
    for (let index = 0; index < guardSize; index++) logit += guard.weights[index]! * inputs[index]!
    const inScope = found === 0 ? 0 : 1 / (1 + Math.exp(-logit))
    return {
      index: best,
      label: labels[best]!,
      confidence: 1 / total,
      probabilities,
      inScope,
      unknown: inScope < guard.threshold
    }
  }
}

const kind: Artefact.Kind<Manifest> = {
  magic: "ILKLINM1",
  noun: "classifier artefact",
  cure: "train it again with `interlock learn classifier`",
  manifest: Manifest
}

/**
 * Writes a model as one artefact. Equal models give equal bytes.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (
  model: Omit<LinearModel, "manifest"> & { readonly manifest: Omit<Manifest, "sha256"> }
): Uint8Array =>
  Artefact.encode(kind, model.manifest, [
    model.hashes,
    model.scales,
    model.unitBiases,
    model.outputs,
    model.biases,
    model.frequencies,
    model.weights
  ])

/**
 * Reads an artefact, and says what is wrong with it when it is not whole, not ours, or of another version.
 *
 * @category encoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array): Result.Result<LinearModel, Artefact.ArtefactError> =>
  Result.map(
    Artefact.decode(kind, format, bytes, (manifest, fail) => {
      if (manifest.featuriser !== Featuriser.version) {
        return fail(
          "Version",
          `the artefact was trained with featuriser ${manifest.featuriser}, this version has ${Featuriser.version}`
        )
      }
      if (manifest.guard.weights.length !== guardSize || manifest.kindWeights.length !== Featuriser.kinds.length) {
        return fail("Corrupt", "the manifest has a guard or feature weights of the wrong size")
      }
      const { features, units } = manifest
      if (units === 0 || units % 16 !== 0)
        return fail("Corrupt", `the manifest has ${units} units: not a multiple of 16`)
      const labels = manifest.labels.length + (manifest.background ? 1 : 0)
      const rows = features + manifest.vectors.dimensions
      return [features * 4, rows * 4, units * 4, units * labels * 4, labels * 4, features * 2, rows * units]
    }),
    ({ manifest, parts }) => ({
      manifest,
      hashes: new Uint32Array(parts[0]!),
      scales: new Float32Array(parts[1]!),
      unitBiases: new Float32Array(parts[2]!),
      outputs: new Float32Array(parts[3]!),
      biases: new Float32Array(parts[4]!),
      frequencies: new Uint16Array(parts[5]!),
      weights: new Int8Array(parts[6]!)
    })
  )

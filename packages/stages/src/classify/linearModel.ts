/**
 * A classifier over hashed features, as one artefact file: a manifest that says what it is, and its numbers. It is linear but for
 * one layer in between: the features add up to some units, those below zero are silent, and the others add up to the labels.
 *
 * A prediction takes some tens of microseconds and no service. The artefact is checked wholly before anything of it is used: its
 * magic, format and featuriser versions, sizes and SHA-256. It holds no code and no training text, only hashes and weights.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import { Result, Schema } from "effect"
import * as Featuriser from "./featuriser.ts"
import * as Kernels from "./kernels.ts"

/**
 * Why an artefact cannot be used.
 *
 * @category errors
 * @since 0.1.0
 */
export class ArtefactError extends Schema.TaggedError<ArtefactError>()("@interlock/stages/ArtefactError", {
  reason: Schema.Literals(["Missing", "Foreign", "Version", "Corrupt"]),
  message: Schema.String
}) {}

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
export const format = 2

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
  /** What one step of a feature's row of weights stands for. */
  readonly scales: Float32Array
  /** One row of weights a feature: one for each unit. */
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
 * Makes the function that predicts; it keeps its own scratch memory.
 *
 * @category constructors
 * @since 0.1.0
 */
export const predictor = (model: LinearModel): ((text: string) => Prediction) => {
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
  const factors = new Float32Array(hashes.length * 2)
  const wide = Math.ceil(columns / 4) * 4
  const kernels = Kernels.make(weights.length + units * (wide + 1) * 4 + wide * 4 + mostFeatures * 8 + 256)
  const table = kernels.bytes(weights.length)
  for (let row = 0; row < order.length; row++) {
    const from = order[row]!
    let slot = hashes[from]! & (capacity - 1)
    while (slots[slot * 2 + 1] !== 0) slot = (slot + 1) & (capacity - 1)
    slots[slot * 2] = hashes[from]!
    slots[slot * 2 + 1] = row + 1
    factors[row * 2] = rarity(documents, frequencies[from]!)
    factors[row * 2 + 1] = scales[from]!
    table.view.set(weights.subarray(from * units, (from + 1) * units), row * units)
  }
  const unseen = rarity(documents, 0)
  const outputTable = kernels.floats(units * wide)
  for (let unit = 0; unit < units; unit++) {
    outputTable.view.set(outputs.subarray(unit * columns, (unit + 1) * columns), unit * wide)
  }
  const sums = kernels.wholes(units)
  const rows = kernels.wholes(mostFeatures)
  const wholes = kernels.wholes(mostFeatures)
  const padded = kernels.floats(wide)
  const scores = padded.view.subarray(0, columns)
  const values = new Float32Array(mostFeatures)
  const inputs = new Float64Array(guardSize)
  return (text) => {
    const features = featurise(text)
    let found = 0
    let norm = 0
    let missing = 0
    let wordsKnown = 0
    let wordsAll = 0
    for (let index = 0; index < features.size && found < mostFeatures; index++) {
      const hash = features.hashes[index]! | 0
      const kind = features.kinds[index]!
      let slot = hash & (capacity - 1)
      let row = slots[slot * 2 + 1]!
      while (row !== 0 && slots[slot * 2] !== hash) {
        slot = (slot + 1) & (capacity - 1)
        row = slots[slot * 2 + 1]!
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
    let largest = 0
    for (let index = 0; index < found; index++) {
      values[index] = values[index]! * inverse * factors[rows.view[index]! * 2 + 1]!
      largest += values[index]!
    }
    const blown = largest > 0 ? 2 ** 31 / (128 * largest) - found : 0
    for (let index = 0; index < found; index++) wholes.view[index] = Math.round(values[index]! * blown)
    kernels.sumWhole(rows.at, wholes.at, found, table.at, units, sums.at)
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

const magic = "ILKLINM1"
const decodeManifest = Schema.decodeUnknownResult(Schema.fromJsonString(Manifest))

const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

const digest = (parts: ReadonlyArray<Uint8Array>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest("hex")
}

/**
 * Writes a model as one artefact. Equal models give equal bytes. Numbers are little-endian.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (
  model: Omit<LinearModel, "manifest"> & { readonly manifest: Omit<Manifest, "sha256"> }
): Uint8Array => {
  const parts = [
    model.hashes,
    model.scales,
    model.unitBiases,
    model.outputs,
    model.biases,
    model.frequencies,
    model.weights
  ].map(bytesOf)
  const manifest = new TextEncoder().encode(JSON.stringify({ ...model.manifest, sha256: digest(parts) }))
  const head = new Uint8Array(magic.length + 4)
  head.set(new TextEncoder().encode(magic))
  new DataView(head.buffer).setUint32(magic.length, manifest.length, true)
  return Buffer.concat([head, manifest, ...parts])
}

/**
 * Reads an artefact, and says what is wrong with it when it is not whole, not ours, or of another version.
 *
 * @category encoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array): Result.Result<LinearModel, ArtefactError> => {
  const fail = (reason: ArtefactError["reason"], message: string) =>
    Result.fail(
      new ArtefactError({ reason, message: `${message}; train it again with \`interlock learn classifier\`` })
    )
  if (bytes.length < magic.length + 4 || new TextDecoder().decode(bytes.subarray(0, magic.length)) !== magic) {
    return fail("Foreign", `the file does not begin with ${magic}: it is no classifier artefact`)
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(magic.length, true)
  const from = magic.length + 4
  if (from + length > bytes.length)
    return fail("Corrupt", `the manifest is ${length} bytes long, and the file ends before that`)
  const decoded = decodeManifest(new TextDecoder().decode(bytes.subarray(from, from + length)))
  if (Result.isFailure(decoded)) return fail("Corrupt", "the manifest is not one of a classifier")
  const manifest = decoded.success
  if (manifest.format !== format)
    return fail("Version", `the artefact has format ${manifest.format}, this version reads ${format}`)
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
  if (units === 0 || units % 16 !== 0) return fail("Corrupt", `the manifest has ${units} units: not a multiple of 16`)
  const labels = manifest.labels.length + (manifest.background ? 1 : 0)
  const sizes = [features * 4, features * 4, units * 4, units * labels * 4, labels * 4, features * 2, features * units]
  const expected = sizes.reduce((sum, size) => sum + size, from + length)
  if (expected !== bytes.length)
    return fail("Corrupt", `the file has ${bytes.length} bytes, its manifest says ${expected}`)
  let at = from + length
  // Copied, so that every array is aligned and the file's own buffer can go.
  const parts = sizes.map((size) => {
    const part = new Uint8Array(bytes.subarray(at, at + size))
    at += size
    return part
  })
  if (digest(parts) !== manifest.sha256)
    return fail("Corrupt", "the numbers do not have the SHA-256 that the manifest names")
  const [hashes, scales, unitBiases, outputs, biases, frequencies, weights] = parts as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array
  ]
  return Result.succeed({
    manifest,
    hashes: new Uint32Array(hashes.buffer, hashes.byteOffset, features),
    scales: new Float32Array(scales.buffer, scales.byteOffset, features),
    unitBiases: new Float32Array(unitBiases.buffer, unitBiases.byteOffset, units),
    outputs: new Float32Array(outputs.buffer, outputs.byteOffset, units * labels),
    biases: new Float32Array(biases.buffer, biases.byteOffset, labels),
    frequencies: new Uint16Array(frequencies.buffer, frequencies.byteOffset, features),
    weights: new Int8Array(weights.buffer, weights.byteOffset, features * units)
  })
}

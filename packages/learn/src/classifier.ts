/**
 * Trains the local classifier of `classify` from rows of text and label, and writes it as one artefact.
 *
 * Small networks of one layer (features, units, labels) on hashed words, pairs, character n-grams and word vectors, trained by
 * stochastic gradient descent while words, features and units are left out by chance (Srivastava et al., "Dropout", 2014; whole
 * words: Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods for Text Classification", 2015), and averaged. Held-
 * out rounds, each without some of the rows and wholly without some of the labels, calibrate them (one temperature, after Guo et
 * al., "On Calibration of Modern Neural Networks", 2017) and teach the guard what a text out of scope looks like. The same rows
 * give the same bytes.
 *
 * @since 0.1.0
 */
import type { ArtefactError } from "@interlock/stages/artefact"
import * as Featuriser from "@interlock/stages/classify/featuriser"
import * as Kernels from "@interlock/stages/classify/kernels"
import * as LinearModel from "@interlock/stages/classify/linearModel"
import * as WordVectors from "@interlock/stages/wordVectors"
import { Effect, FileSystem, Path, Result, Schema } from "effect"

/**
 * A text and what it is. The label `unknown` is for texts out of scope: they teach the guard, and are never predicted.
 *
 * @category models
 * @since 0.1.0
 */
export const Row = Schema.Struct({ text: Schema.String, label: Schema.NonEmptyString })

/**
 * @category models
 * @since 0.1.0
 */
export type Row = typeof Row.Type

/**
 * Why rows cannot be trained on.
 *
 * @category errors
 * @since 0.1.0
 */
export class TrainingError extends Schema.TaggedError<TrainingError>()("@interlock/learn/TrainingError", {
  reason: Schema.Literals(["Unreadable", "Empty", "OneLabel", "Malformed", "Unlabelled"]),
  /** The line of the file. */
  line: Schema.optionalKey(Schema.Int),
  message: Schema.String
}) {}

/**
 * What training gives: the artefact's bytes and what was found on held-out rows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Trained {
  readonly name: string
  readonly artefact: Uint8Array
  readonly labels: ReadonlyArray<string>
  readonly rows: number
  readonly heldOut: {
    readonly rows: number
    readonly accuracy: number
    /** Part of the texts of labels that were not trained on which the guard refuses. */
    readonly unknownRecall: number
  }
}

const decodeJson = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))
const decodeRow = Schema.decodeUnknownResult(Row)
const isUnlabelled = Schema.is(
  Schema.Struct({ text: Schema.String, label: Schema.optionalKey(Schema.NullishOr(Schema.Literal(""))) })
)

/**
 * Reads rows from JSON lines `{text, label}`; empty lines are skipped. `name` is what messages call the file.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = Effect.fnUntraced(function* (content: string, name: string) {
  const rows: Array<Row> = []
  for (const [index, each] of content.split("\n").entries()) {
    if (each.trim() === "") continue
    const line = index + 1
    const json = decodeJson(each)
    if (Result.isSuccess(json) && isUnlabelled(json.success)) {
      return yield* new TrainingError({
        reason: "Unlabelled",
        line,
        message: `line ${line} of ${name} has a text without a label: label it, or leave the line out`
      })
    }
    const row = Result.flatMap(json, decodeRow)
    if (Result.isFailure(row)) {
      return yield* new TrainingError({
        reason: "Malformed",
        line,
        message: `line ${line} of ${name} is no row: it must be one JSON object {"text": string, "label": string}`
      })
    }
    rows.push(row.success)
  }
  return rows
})

/**
 * Writes an artefact into a folder as `NAME.classifier`, aside first and then renamed, so that a half-written one is never there.
 *
 * @category saving
 * @since 0.1.0
 */
export const save = Effect.fnUntraced(function* (trained: Trained, folder: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* files.makeDirectory(folder, { recursive: true })
  const target = path.join(folder, `${trained.name}.classifier`)
  const aside = `${target}.${process.pid}.partial`
  yield* files.writeFile(aside, trained.artefact).pipe(
    Effect.andThen(files.rename(aside, target)),
    Effect.onError(() => Effect.ignore(files.remove(aside, { force: true })))
  )
  return target
})

const kindWeights = [1, 1, 0.7, 0.6]
const near = Featuriser.kinds.indexOf("near")
/**
 * Several small networks are trained apart and averaged, which is one network again, and better than one as large. Few labels need
 * few units, and give a small artefact.
 */
const shapeOf = (labels: number): { readonly networks: number; readonly units: number } =>
  labels > 32 ? { networks: 6, units: 64 } : { networks: 2, units: 32 }
/** How often every row is seen, and how often at most where there are few rows. */
const passes = 20
const passesOfFew = 60
const rowsSeen = 60_000
const pace = 2
const paceOfOutputs = 0.02
const spreadOfOutputs = 0.2
/** Parts that are left out by chance at every step: whole words, features, units. */
const wordsOut = 0.1
const featuresOut = 0.3
const unitsOut = 0.3
/** From this many rows on, what was in fewer rows than these is not learned: words near each other, and everything else. */
const many = 2000
const leastNear = 4
const least = 2
/** Held-out texts that were right and that the guard may refuse at its threshold. */
const refusedAtMost = 0.008
const rounds = 2
const folds = 5
const labelFolds = 6
const leastHeldOut = 40

/** Of the mean of the word vectors: dimensions that are left out by chance. */
const dimensionsOut = 0.1

/** Texts as sparse rows: columns are features, by falling frequency so that the common ones share cache lines. */
interface Matrix {
  readonly starts: Int32Array
  readonly columns: Int32Array
  /** Weight before normalisation, without rarity. */
  readonly damped: Float32Array
  /** Positions of the words that each entry is of. */
  readonly firstWords: Uint16Array
  readonly lastWords: Uint16Array
  /** How many words each text has. */
  readonly words: Int32Array
  readonly hashes: Uint32Array
  readonly kinds: Uint8Array
  readonly frequencies: Int32Array
  readonly vectors: WordVectors.WordVectors
  /** The row of each column's word vector; -1 where it has none. */
  readonly vectorRows: Int32Array
}

const read = (texts: ReadonlyArray<string>, vectors: WordVectors.WordVectors): Matrix => {
  const featurise = Featuriser.make()
  const ids = new Map<number, number>()
  const hashes: Array<number> = []
  const kinds: Array<number> = []
  const counted: Array<number> = []
  const starts = new Int32Array(texts.length + 1)
  const words = new Int32Array(texts.length)
  const columns: Array<number> = []
  const damped: Array<number> = []
  const firstWords: Array<number> = []
  const lastWords: Array<number> = []
  for (let row = 0; row < texts.length; row++) {
    const features = featurise(texts[row]!)
    words[row] = features.words
    for (let index = 0; index < features.size; index++) {
      const hash = features.hashes[index]!
      const kind = features.kinds[index]!
      let id = ids.get(hash)
      if (id === undefined) {
        id = hashes.length
        ids.set(hash, id)
        hashes.push(hash)
        kinds.push(kind)
        counted.push(0)
      }
      counted[id]!++
      const times = features.counts[index]!
      columns.push(id)
      damped.push(kindWeights[kind]! * (times === 1 ? 1 : 1 + Math.log(times)))
      firstWords.push(features.firstWords[index]!)
      lastWords.push(features.lastWords[index]!)
    }
    starts[row + 1] = columns.length
  }
  // Two words that were near each other only once say little, and there are very many such pairs.
  const order = Int32Array.from(hashes, (_, id) => id)
    .filter((id) => kinds[id] !== near || counted[id]! > 1)
    .sort((a, b) => counted[b]! - counted[a]! || hashes[a]! - hashes[b]!)
  const position = new Int32Array(hashes.length).fill(-1)
  for (let index = 0; index < order.length; index++) position[order[index]!] = index
  let kept = 0
  let from = 0
  for (let row = 0; row < texts.length; row++) {
    const to = starts[row + 1]!
    for (let at = from; at < to; at++) {
      if (position[columns[at]!]! < 0) continue
      columns[kept] = position[columns[at]!]!
      firstWords[kept] = firstWords[at]!
      lastWords[kept] = lastWords[at]!
      damped[kept++] = damped[at]!
    }
    from = to
    starts[row + 1] = kept
  }
  return {
    starts,
    columns: Int32Array.from(columns.slice(0, kept)),
    damped: Float32Array.from(damped.slice(0, kept)),
    firstWords: Uint16Array.from(firstWords.slice(0, kept)),
    lastWords: Uint16Array.from(lastWords.slice(0, kept)),
    words,
    hashes: Uint32Array.from(order, (id) => hashes[id]!),
    kinds: Uint8Array.from(order, (id) => kinds[id]!),
    frequencies: Int32Array.from(order, (id) => counted[id]!),
    vectors,
    vectorRows: Int32Array.from(order, (id) => (kinds[id] === 0 ? vectors.rowOf(hashes[id]!) : -1))
  }
}

/** The mean of the word vectors of a row, as long as units hear it; words not learned count as never seen. */
const readMeaning = (
  matrix: Matrix,
  row: number,
  documents: number,
  frequencies: Int32Array,
  meaning: Float64Array
): void => {
  meaning.fill(0)
  const weights = { known: 0, all: 0 }
  for (let at = matrix.starts[row]!; at < matrix.starts[row + 1]!; at++) {
    const column = matrix.columns[at]!
    if (matrix.kinds[column] !== 0) continue
    const weight = LinearModel.wordRarity(documents, frequencies[column]!)
    weights.all += weight
    const word = matrix.vectorRows[column]!
    if (word < 0) continue
    weights.known += weight
    WordVectors.add(matrix.vectors, word, weight, meaning)
  }
  LinearModel.scaleMeaning(meaning, weights)
}

/** A network in the memory of its kernels. */
interface Network {
  readonly kernels: Kernels.Kernels
  readonly units: number
  /** One row of weights a feature, then one a dimension of the word vectors. */
  readonly weights: Kernels.Numbers<Float32Array>
  /** One row of weights a unit, one for each label and some without use, up to `wide`. */
  readonly outputs: Kernels.Numbers<Float32Array>
  readonly wide: number
  readonly unitBiases: Float32Array
  readonly biases: Float32Array
  /** The text at hand: features, values, what the units hear, what the labels score. */
  readonly features: Kernels.Numbers<Int32Array>
  readonly values: Kernels.Numbers<Float32Array>
  readonly heights: Kernels.Numbers<Float32Array>
  readonly scores: Kernels.Numbers<Float32Array>
}

interface Weights {
  /** How many of the rows trained on have each feature; 0 where it was not learned. */
  readonly frequencies: Int32Array
  readonly networks: ReadonlyArray<Network>
}

const random = (seed: number) => {
  let state = seed | 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  return {
    /** From 0 to 1. */
    share: (): number => next() / 4_294_967_296,
    below: (limit: number): number => next() % limit,
    /** About normal, of mean 0 and deviation 1. */
    normal: (): number => ((next() + next() + next()) / 4_294_967_296 - 1.5) * 2
  }
}

const shuffle = (values: Int32Array, below: (limit: number) => number): Int32Array => {
  for (let index = values.length - 1; index > 0; index--) {
    const other = below(index + 1)
    const kept = values[index]!
    values[index] = values[other]!
    values[other] = kept
  }
  return values
}

/** What the training rows say of each entry of the matrix: its weight in a text of norm 1, or 0 where it is not learned. */
interface Prepared {
  readonly frequencies: Int32Array
  readonly values: Float32Array
  /** The mean of the word vectors of each row. */
  readonly meanings: Float32Array
}

const prepare = (matrix: Matrix, rows: Int32Array): Prepared => {
  const { columns, damped, starts } = matrix
  const frequencies = new Int32Array(matrix.hashes.length)
  for (const row of rows) for (let at = starts[row]!; at < starts[row + 1]!; at++) frequencies[columns[at]!]!++
  if (rows.length >= many) {
    for (let column = 0; column < frequencies.length; column++) {
      if (frequencies[column]! < (matrix.kinds[column] === near ? leastNear : least)) frequencies[column] = 0
    }
  }
  const rarities = Float64Array.from(frequencies, (frequency) =>
    frequency === 0 ? 0 : LinearModel.rarity(rows.length, frequency)
  )
  const values = new Float32Array(columns.length)
  for (const row of rows) {
    let norm = 0
    for (let at = starts[row]!; at < starts[row + 1]!; at++) {
      values[at] = damped[at]! * rarities[columns[at]!]!
      norm += values[at]! * values[at]!
    }
    const inverse = norm > 0 ? 1 / Math.sqrt(norm) : 0
    for (let at = starts[row]!; at < starts[row + 1]!; at++) values[at]! *= inverse
  }
  const { dimensions } = matrix.vectors.manifest
  const meanings = new Float32Array((starts.length - 1) * dimensions)
  const meaning = new Float64Array(dimensions)
  for (const row of rows) {
    readMeaning(matrix, row, rows.length, frequencies, meaning)
    meanings.set(meaning, row * dimensions)
  }
  return { frequencies, values, meanings }
}

/** More features of a text are not looked at. */
const mostFeatures = 65_536

const blank = (rows: number, units: number, count: number): Network => {
  const wide = Math.ceil(count / 4) * 4
  const kernels = Kernels.make((rows * units + units * (wide + 2) + wide + mostFeatures * 2) * 4 + 256)
  return {
    kernels,
    units,
    weights: kernels.floats(rows * units),
    outputs: kernels.floats(units * wide),
    wide,
    unitBiases: new Float32Array(units),
    biases: new Float32Array(count),
    features: kernels.wholes(mostFeatures),
    values: kernels.floats(mostFeatures),
    heights: kernels.floats(units),
    scores: kernels.floats(wide)
  }
}

/** What the units hear of the first `size` features at hand, before those below zero fall silent. */
const hear = ({ features, heights, kernels, unitBiases, units, values, weights }: Network, size: number): void => {
  heights.view.set(unitBiases)
  kernels.sum(features.at, values.at, size, weights.at, units, heights.at)
}

/** Softmax in place. */
const softmax = (scores: Float32Array, count: number): void => {
  let largest = Number.NEGATIVE_INFINITY
  for (let label = 0; label < count; label++) if (scores[label]! > largest) largest = scores[label]!
  let total = 0
  for (let label = 0; label < count; label++) {
    scores[label] = Math.exp(scores[label]! - largest)
    total += scores[label]!
  }
  for (let label = 0; label < count; label++) scores[label]! /= total
}

/** Trains one network on some rows, by stochastic gradient descent on the log-likelihood, slower and slower. */
const fitOne = (
  matrix: Matrix,
  prepared: Prepared,
  rows: Int32Array,
  labels: Int32Array,
  units: number,
  count: number,
  seed: number
): Network => {
  const { below, normal, share } = random(seed)
  const { dimensions } = matrix.vectors.manifest
  const featureCount = matrix.hashes.length
  const network = blank(featureCount + dimensions, units, count)
  const { biases, features, heights, kernels, outputs, scores, unitBiases, values, weights, wide } = network
  const deviation = 1 / Math.sqrt(units)
  for (let column = 0; column < featureCount + dimensions; column++) {
    if (prepared.frequencies[column] === 0) continue
    for (let at = column * units; at < (column + 1) * units; at++) weights.view[at] = normal() * deviation
  }
  for (let unit = 0; unit < units; unit++) {
    for (let label = 0; label < count; label++) {
      outputs.view[unit * wide + label] = normal() * deviation * spreadOfOutputs
    }
  }
  const order = Int32Array.from(rows)
  const times = Math.min(passesOfFew, Math.max(passes, Math.ceil(rowsSeen / rows.length)))
  const isOut = new Uint8Array(65_536)
  const active = new Int32Array(units)
  const steps = times * rows.length
  let step = 0
  for (let pass = 0; pass < times; pass++) {
    shuffle(order, below)
    for (const row of order) {
      const slower = 1 - step++ / steps
      for (let word = 0; word < matrix.words[row]!; word++) isOut[word] = share() < wordsOut ? 1 : 0
      let size = 0
      let norm = 0
      for (let at = matrix.starts[row]!; at < matrix.starts[row + 1]! && size < mostFeatures - dimensions; at++) {
        const value = prepared.values[at]!
        if (value === 0 || isOut[matrix.firstWords[at]!] === 1 || isOut[matrix.lastWords[at]!] === 1) continue
        if (share() < featuresOut) continue
        features.view[size] = matrix.columns[at]!
        values.view[size++] = value
        norm += value * value
      }
      const inverse = norm > 0 ? 1 / Math.sqrt(norm) : 0
      for (let index = 0; index < size; index++) values.view[index]! *= inverse
      for (let index = 0; index < dimensions; index++) {
        const value = prepared.meanings[row * dimensions + index]!
        if (value === 0 || share() < dimensionsOut) continue
        features.view[size] = featureCount + index
        values.view[size++] = value / (1 - dimensionsOut)
      }
      hear(network, size)
      scores.view.fill(0)
      scores.view.set(biases)
      let heard = 0
      for (let unit = 0; unit < units; unit++) {
        if (!(heights.view[unit]! > 0) || share() < unitsOut) {
          heights.view[unit] = 0
          continue
        }
        heights.view[unit]! /= 1 - unitsOut
        kernels.add(heights.view[unit]!, outputs.at + unit * wide * 4, scores.at, wide)
        active[heard++] = unit
      }
      softmax(scores.view, count)
      scores.view[labels[row]!]! -= 1
      const small = paceOfOutputs * slower
      for (let index = 0; index < heard; index++) {
        const unit = active[index]!
        const slope = kernels.learn(small * heights.view[unit]!, outputs.at + unit * wide * 4, scores.at, wide)
        // From here on the slope, not the height.
        heights.view[unit] = (slope / (1 - unitsOut)) * pace * slower
        unitBiases[unit]! -= 0.01 * heights.view[unit]!
      }
      for (let label = 0; label < count; label++) biases[label]! -= 0.1 * small * scores.view[label]!
      kernels.spread(features.at, values.at, size, weights.at, units, heights.at)
    }
  }
  return network
}

const fit = (matrix: Matrix, rows: Int32Array, labels: Int32Array, count: number): Weights => {
  const prepared = prepare(matrix, rows)
  const { networks, units } = shapeOf(count)
  return {
    frequencies: prepared.frequencies,
    networks: Array.from({ length: networks }, (_, index) =>
      fitOne(matrix, prepared, rows, labels, units, count, 104_729 * (index + 1))
    )
  }
}

/** Scores of a row, and what the guard looks at. */
const score = (
  matrix: Matrix,
  row: number,
  trained: Weights,
  documents: number,
  labels: number,
  scores: Float32Array,
  inputs: Float64Array
) => {
  const { dimensions } = matrix.vectors.manifest
  const unseen = LinearModel.rarity(documents, 0)
  let norm = 0
  let missing = 0
  let wordsKnown = 0
  let wordsAll = 0
  const length = matrix.starts[row + 1]! - matrix.starts[row]!
  const features: Array<number> = []
  const values: Array<number> = []
  for (let at = matrix.starts[row]!; at < matrix.starts[row + 1]!; at++) {
    const column = matrix.columns[at]!
    const frequency = trained.frequencies[column]!
    const value = matrix.damped[at]! * (frequency === 0 ? unseen : LinearModel.rarity(documents, frequency))
    const square = value * value
    if (matrix.kinds[column] === 0) wordsAll += square
    if (frequency === 0) {
      if (matrix.kinds[column] !== near) missing += square
    } else if (features.length < mostFeatures - dimensions) {
      norm += square
      if (matrix.kinds[column] === 0) wordsKnown += square
      features.push(column)
      values.push(value)
    }
  }
  const inverse = norm > 0 ? 1 / Math.sqrt(norm) : 0
  for (let index = 0; index < values.length; index++) values[index]! *= inverse
  const meaning = new Float64Array(dimensions)
  readMeaning(matrix, row, documents, trained.frequencies, meaning)
  for (let index = 0; index < dimensions; index++) {
    features.push(matrix.hashes.length + index)
    values.push(meaning[index]!)
  }
  scores.fill(0)
  for (const network of trained.networks) {
    network.features.view.set(features)
    network.values.view.set(values)
    hear(network, features.length)
    network.scores.view.fill(0)
    network.scores.view.set(network.biases)
    for (let unit = 0; unit < network.units; unit++) {
      const height = network.heights.view[unit]!
      if (height > 0)
        network.kernels.add(height, network.outputs.at + unit * network.wide * 4, network.scores.at, network.wide)
    }
    for (let label = 0; label < scores.length; label++)
      scores[label]! += network.scores.view[label]! / trained.networks.length
  }
  LinearModel.guardInputs(
    scores,
    labels,
    { all: norm / (norm + missing || 1), words: wordsKnown / (wordsAll || 1) },
    length,
    inputs
  )
}

interface Held {
  readonly known: boolean
  readonly right: boolean
  /** Scores of the best label first, then all, and the true label's position (or -1). */
  readonly scores: Float32Array
  readonly label: number
  readonly inputs: Float64Array
}

/** The sharpness that makes held-out labels most likely, by golden section. */
const sharpen = (held: ReadonlyArray<Held>): number => {
  const loss = (sharpness: number): number => {
    let sum = 0
    for (const { label, scores } of held) {
      let total = 0
      for (const each of scores) total += Math.exp((each - scores[label]!) * sharpness)
      sum += Math.log(total)
    }
    return sum
  }
  let low = 0.2
  let high = 20
  for (let step = 0; step < 40; step++) {
    const left = high - (high - low) * 0.618_033_988_75
    const right = low + (high - low) * 0.618_033_988_75
    if (loss(left) < loss(right)) high = right
    else low = left
  }
  return (low + high) / 2
}

/** Logistic regression on the guard's inputs, both sides weighing the same, by gradient descent on standardised inputs. */
const guard = (held: ReadonlyArray<Held>): { readonly weights: ReadonlyArray<number>; readonly bias: number } => {
  const size = LinearModel.guardSize
  const means = new Float64Array(size)
  const deviations = new Float64Array(size)
  for (const { inputs } of held) for (let each = 0; each < size; each++) means[each]! += inputs[each]! / held.length
  for (const { inputs } of held) {
    for (let each = 0; each < size; each++) deviations[each]! += (inputs[each]! - means[each]!) ** 2 / held.length
  }
  for (let each = 0; each < size; each++) deviations[each] = Math.sqrt(deviations[each]!) || 1
  const known = held.filter((each) => each.known).length
  const weights = new Float64Array(size)
  let bias = 0
  for (let step = 0; step < 600; step++) {
    const slope = new Float64Array(size)
    let biasSlope = 0
    for (const each of held) {
      let logit = bias
      for (let input = 0; input < size; input++) {
        logit += (weights[input]! * (each.inputs[input]! - means[input]!)) / deviations[input]!
      }
      const weight = 0.5 / (each.known ? known : held.length - known)
      const error = (1 / (1 + Math.exp(-logit)) - (each.known ? 1 : 0)) * weight
      for (let input = 0; input < size; input++) {
        slope[input]! += (error * (each.inputs[input]! - means[input]!)) / deviations[input]!
      }
      biasSlope += error
    }
    for (let input = 0; input < size; input++) weights[input]! -= 2 * (slope[input]! + 1e-4 * weights[input]!)
    bias -= 2 * biasSlope
  }
  for (let input = 0; input < size; input++) {
    weights[input]! /= deviations[input]!
    bias -= weights[input]! * means[input]!
  }
  return { weights: Array.from(weights), bias }
}

/**
 * Trains a classifier. One configuration serves every set of labels.
 *
 * @category training
 * @since 0.1.0
 */
export const train = (
  rows: ReadonlyArray<Row>,
  options: { readonly name: string }
): Effect.Effect<Trained, TrainingError | ArtefactError> =>
  Effect.gen(function* () {
    if (rows.length === 0) {
      return yield* new TrainingError({
        reason: "Empty",
        message: 'there are no rows to train on: give lines of {"text", "label"}'
      })
    }
    const labels = [...new Set(rows.map((row) => row.label))].filter((label) => label !== "unknown").sort()
    if (labels.length < 2) {
      return yield* new TrainingError({
        reason: "OneLabel",
        message: `every row has the label "${labels[0] ?? "unknown"}": a classifier needs rows of at least two labels`
      })
    }
    const vectors = yield* WordVectors.english
    return yield* Effect.sync(() => trainSync(rows, labels, options.name, vectors))
  })

const trainSync = (
  rows: ReadonlyArray<Row>,
  labels: ReadonlyArray<string>,
  name: string,
  vectors: WordVectors.WordVectors
): Trained => {
  const count = labels.length
  const ids = new Map(labels.map((label, index) => [label, index]))
  const matrix = read(
    rows.map((row) => row.text),
    vectors
  )
  const background = rows.some((row) => row.label === "unknown")
  const columns = count + (background ? 1 : 0)
  const targets = Int32Array.from(rows, (row) => ids.get(row.label) ?? count)
  const { below } = random(7)
  const shuffled = shuffle(
    Int32Array.from(rows, (_, index) => index),
    below
  )
  const labelOrder = shuffle(
    Int32Array.from(labels, (_, index) => index),
    below
  )
  const leaveOut = count >= labelFolds
  const held: Array<Held> = []
  for (let round = 0; round < rounds; round++) {
    const away = new Uint8Array(count)
    if (leaveOut) for (let index = round; index < count; index += labelFolds) away[labelOrder[index]!] = 1
    const kept = labels.map((_, index) => index).filter((index) => away[index] === 0)
    const position = new Int32Array(count).fill(-1)
    for (let index = 0; index < kept.length; index++) position[kept[index]!] = index
    const narrowed = Int32Array.from(targets, (target) => (target === count ? kept.length : position[target]!))
    const training: Array<number> = []
    const testing: Array<number> = []
    for (let index = 0; index < shuffled.length; index++) {
      const row = shuffled[index]!
      if (index % folds === round) testing.push(row)
      else if (narrowed[row]! >= 0) training.push(row)
      else testing.push(row)
    }
    const trained = fit(matrix, Int32Array.from(training), narrowed, kept.length + columns - count)
    for (const row of testing) {
      const scored = new Float32Array(kept.length + columns - count)
      const inputs = new Float64Array(LinearModel.guardSize)
      score(matrix, row, trained, training.length, kept.length, scored, inputs)
      const scores = scored.subarray(0, kept.length)
      let best = 0
      for (let label = 1; label < scores.length; label++) if (scores[label]! > scores[best]!) best = label
      const label = narrowed[row] === kept.length ? -1 : narrowed[row]!
      held.push({ known: label >= 0, right: best === label, scores, label, inputs })
    }
  }
  const known = held.filter((each) => each.known)
  const strange = held.filter((each) => !each.known)
  const sharpness = known.length === 0 ? 4 : sharpen(known)
  const guarded =
    strange.length >= leastHeldOut && known.length >= leastHeldOut
      ? guard(held)
      : { weights: new Array<number>(LinearModel.guardSize).fill(0), bias: 4 }
  const inScope = (each: Held): number => {
    let logit = guarded.bias
    for (let input = 0; input < LinearModel.guardSize; input++) logit += guarded.weights[input]! * each.inputs[input]!
    return 1 / (1 + Math.exp(-logit))
  }
  const right = known
    .filter((each) => each.right)
    .map(inScope)
    .sort((a, b) => a - b)
  const threshold = right[Math.floor(right.length * refusedAtMost)] ?? 0

  const all = Int32Array.from(rows, (_, index) => index)
  const trained = fit(matrix, all, targets, columns)
  const order = Int32Array.from(matrix.hashes, (_, index) => index)
    .filter((column) => trained.frequencies[column]! > 0)
    .sort((a, b) => matrix.hashes[a]! - matrix.hashes[b]!)
  const { networks, units: unitsEach } = shapeOf(columns)
  const units = unitsEach * networks
  const { dimensions } = vectors.manifest
  const allRows = [...order, ...Array.from({ length: dimensions }, (_, index) => matrix.hashes.length + index)]
  const scales = new Float32Array(allRows.length)
  const weights = new Int8Array(allRows.length * units)
  for (let row = 0; row < allRows.length; row++) {
    const from = allRows[row]! * unitsEach
    const exact = trained.networks.flatMap((network) => [...network.weights.view.subarray(from, from + unitsEach)])
    const largest = exact.reduce((most, each) => Math.max(most, Math.abs(each)), 0)
    scales[row] = largest / 127
    for (let unit = 0; unit < units; unit++) weights[row * units + unit] = Math.round((exact[unit]! / largest) * 127)
  }
  const outputs = new Float32Array(units * columns)
  const biases = new Float32Array(columns)
  for (const [index, network] of trained.networks.entries()) {
    for (let unit = 0; unit < unitsEach; unit++) {
      for (let label = 0; label < columns; label++) {
        outputs[(index * unitsEach + unit) * columns + label] =
          network.outputs.view[unit * network.wide + label]! / networks
      }
    }
    for (let label = 0; label < columns; label++) biases[label]! += network.biases[label]! / networks
  }
  const artefact = LinearModel.encode({
    manifest: {
      format: LinearModel.format,
      featuriser: Featuriser.version,
      name,
      labels,
      background,
      features: order.length,
      units,
      documents: all.length,
      vectors: { name: vectors.manifest.name, dimensions },
      kindWeights,
      sharpness,
      guard: { ...guarded, threshold }
    },
    hashes: Uint32Array.from(order, (column) => matrix.hashes[column]!),
    frequencies: Uint16Array.from(order, (column) => Math.min(trained.frequencies[column]!, 65_535)),
    scales,
    unitBiases: Float32Array.from(trained.networks.flatMap((network) => [...network.unitBiases])),
    outputs,
    biases,
    weights
  })
  return {
    name,
    artefact,
    labels,
    rows: rows.length,
    heldOut: {
      rows: known.length,
      accuracy: known.length === 0 ? 0 : known.filter((each) => each.right).length / known.length,
      unknownRecall:
        strange.length === 0 ? 0 : strange.filter((each) => inScope(each) < threshold).length / strange.length
    }
  }
}

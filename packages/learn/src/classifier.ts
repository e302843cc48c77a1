/**
 * Trains the local classifier of `classify` from rows of text and label, and writes it as one artefact.
 *
 * One linear support vector machine a label (squared hinge, dual coordinate descent after Hsieh et al., "A Dual Coordinate Descent
 * Method for Large-scale Linear SVM", 2008), on hashed words, pairs and character n-grams. Held-out rounds, each without some of
 * the rows and wholly without some of the labels, calibrate it (one temperature, after Guo et al., "On Calibration of Modern
 * Neural Networks", 2017) and teach the guard what a text out of scope looks like. The same rows give the same bytes.
 *
 * @since 0.1.0
 */
import * as Featuriser from "@interlock/stages/classify/featuriser"
import * as LinearModel from "@interlock/stages/classify/linearModel"
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
const cost = 1
/** A text of the label weighs as much as this many others. */
const costOfOwn = 3
const passes = 12
const tolerance = 0.1
/** Held-out texts that were right and that the guard may refuse at its threshold. */
const refusedAtMost = 0.008
const rounds = 2
const folds = 5
const labelFolds = 6
const leastHeldOut = 40

/** Texts as sparse rows: columns are features, by falling frequency so that the common ones share cache lines. */
interface Matrix {
  readonly starts: Int32Array
  readonly columns: Int32Array
  /** Weight before normalisation, without rarity. */
  readonly damped: Float32Array
  readonly hashes: Uint32Array
  readonly kinds: Uint8Array
  readonly frequencies: Int32Array
}

const read = (texts: ReadonlyArray<string>): Matrix => {
  const featurise = Featuriser.make()
  const ids = new Map<number, number>()
  const hashes: Array<number> = []
  const kinds: Array<number> = []
  const counted: Array<number> = []
  const starts = new Int32Array(texts.length + 1)
  const columns: Array<number> = []
  const damped: Array<number> = []
  for (let row = 0; row < texts.length; row++) {
    const features = featurise(texts[row]!)
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
      damped[kept++] = damped[at]!
    }
    from = to
    starts[row + 1] = kept
  }
  return {
    starts,
    columns: Int32Array.from(columns.slice(0, kept)),
    damped: Float32Array.from(damped.slice(0, kept)),
    hashes: Uint32Array.from(order, (id) => hashes[id]!),
    kinds: Uint8Array.from(order, (id) => kinds[id]!),
    frequencies: Int32Array.from(order, (id) => counted[id]!)
  }
}

interface Weights {
  /** How many of the rows trained on have each feature. */
  readonly frequencies: Int32Array
  /** One row of weights a feature. */
  readonly weights: Float32Array
  readonly biases: Float32Array
}

const random = (seed: number) => {
  let state = seed | 1
  return (below: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** Trains one machine a label on some rows of the matrix. */
const fit = (matrix: Matrix, rows: Int32Array, labels: Int32Array, count: number, limit: number): Weights => {
  const width = matrix.hashes.length
  const frequencies = new Int32Array(width)
  for (const row of rows) {
    for (let at = matrix.starts[row]!; at < matrix.starts[row + 1]!; at++) frequencies[matrix.columns[at]!]!++
  }
  const rarities = Float64Array.from(frequencies, (frequency) => LinearModel.rarity(rows.length, frequency))
  const starts = new Int32Array(rows.length + 1)
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index]!
    starts[index + 1] = starts[index]! + matrix.starts[row + 1]! - matrix.starts[row]!
  }
  const columns = new Int32Array(starts[rows.length]!)
  const values = new Float64Array(columns.length)
  for (let index = 0; index < rows.length; index++) {
    const from = matrix.starts[rows[index]!]!
    const to = starts[index]!
    const size = starts[index + 1]! - to
    let norm = 0
    for (let at = 0; at < size; at++) {
      const column = matrix.columns[from + at]!
      const value = matrix.damped[from + at]! * rarities[column]!
      columns[to + at] = column
      values[to + at] = value
      norm += value * value
    }
    const inverse = norm > 0 ? 1 / Math.sqrt(norm) : 0
    for (let at = to; at < to + size; at++) values[at]! *= inverse
  }
  const weights = new Float32Array(width * count)
  const biases = new Float32Array(count)
  const machine = new Float64Array(width)
  const multipliers = new Float64Array(rows.length)
  const order = Int32Array.from(rows, (_, index) => index)
  for (let label = 0; label < count; label++) {
    machine.fill(0)
    multipliers.fill(0)
    let bias = 0
    let active = rows.length
    let shrinkAbove = Number.POSITIVE_INFINITY
    const below = random(label + 1)
    for (let pass = 0; pass < limit; pass++) {
      for (let index = active - 1; index > 0; index--) {
        const other = below(index + 1)
        const kept = order[index]!
        order[index] = order[other]!
        order[other] = kept
      }
      let largest = 0
      for (let index = 0; index < active; index++) {
        const row = order[index]!
        const sign = labels[rows[row]!] === label ? 1 : -1
        const from = starts[row]!
        const to = starts[row + 1]!
        let score = bias
        for (let at = from; at < to; at++) score += machine[columns[at]!]! * values[at]!
        const multiplier = multipliers[row]!
        const diagonal = 0.5 / (sign > 0 ? cost * costOfOwn : cost)
        const gradient = sign * score - 1 + diagonal * multiplier
        if (multiplier === 0 && gradient >= 0) {
          if (gradient > shrinkAbove) {
            active--
            order[index] = order[active]!
            order[active] = row
            index--
          }
          continue
        }
        const size = Math.abs(gradient)
        if (size > largest) largest = size
        if (size < 1e-8) continue
        // Every text has norm 1, and 1 more for the bias.
        const next = Math.max(0, multiplier - gradient / (2 + diagonal))
        const step = (next - multiplier) * sign
        multipliers[row] = next
        bias += step
        for (let at = from; at < to; at++) machine[columns[at]!]! += step * values[at]!
      }
      if (largest <= tolerance) {
        if (active === rows.length) break
        active = rows.length
        shrinkAbove = Number.POSITIVE_INFINITY
      } else shrinkAbove = Math.min(largest, 0.5)
    }
    for (let column = 0; column < width; column++) weights[column * count + label] = machine[column]!
    biases[label] = bias
  }
  return { frequencies, weights, biases }
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
  const count = scores.length
  const unseen = LinearModel.rarity(documents, 0)
  let norm = 0
  let missing = 0
  let wordsKnown = 0
  let wordsAll = 0
  const sums = new Float64Array(count)
  for (let at = matrix.starts[row]!; at < matrix.starts[row + 1]!; at++) {
    const column = matrix.columns[at]!
    const frequency = trained.frequencies[column]!
    const value = matrix.damped[at]! * (frequency === 0 ? unseen : LinearModel.rarity(documents, frequency))
    const square = value * value
    if (matrix.kinds[column] === 0) wordsAll += square
    if (frequency === 0) {
      if (matrix.kinds[column] !== near) missing += square
    } else {
      norm += square
      if (matrix.kinds[column] === 0) wordsKnown += square
      for (let label = 0; label < count; label++) sums[label]! += value * trained.weights[column * count + label]!
    }
  }
  const inverse = norm > 0 ? 1 / Math.sqrt(norm) : 0
  for (let label = 0; label < count; label++) scores[label] = trained.biases[label]! + sums[label]! * inverse
  LinearModel.guardInputs(
    scores,
    labels,
    { all: norm / (norm + missing || 1), words: wordsKnown / (wordsAll || 1) },
    matrix.starts[row + 1]! - matrix.starts[row]!,
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
): Effect.Effect<Trained, TrainingError> =>
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
    return yield* Effect.sync(() => trainSync(rows, labels, options.name))
  })

const trainSync = (rows: ReadonlyArray<Row>, labels: ReadonlyArray<string>, name: string): Trained => {
  const count = labels.length
  const ids = new Map(labels.map((label, index) => [label, index]))
  const matrix = read(rows.map((row) => row.text))
  const background = rows.some((row) => row.label === "unknown")
  const columns = count + (background ? 1 : 0)
  const targets = Int32Array.from(rows, (row) => ids.get(row.label) ?? count)
  const shuffled = Int32Array.from(rows, (_, index) => index)
  const below = random(7)
  for (let index = shuffled.length - 1; index > 0; index--) {
    const other = below(index + 1)
    const kept = shuffled[index]!
    shuffled[index] = shuffled[other]!
    shuffled[other] = kept
  }
  const labelOrder = Int32Array.from(labels, (_, index) => index)
  for (let index = count - 1; index > 0; index--) {
    const other = below(index + 1)
    const kept = labelOrder[index]!
    labelOrder[index] = labelOrder[other]!
    labelOrder[other] = kept
  }
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
    const trained = fit(matrix, Int32Array.from(training), narrowed, kept.length + columns - count, passes / 2)
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
  const trained = fit(matrix, all, targets, columns, passes)
  const order = Int32Array.from(matrix.hashes, (_, index) => index)
    .filter((column) => trained.frequencies[column]! > 0)
    .sort((a, b) => matrix.hashes[a]! - matrix.hashes[b]!)
  const scales = new Float32Array(order.length)
  const weights = new Int8Array(order.length * columns)
  for (let row = 0; row < order.length; row++) {
    const from = order[row]! * columns
    let largest = 0
    for (let label = 0; label < columns; label++) largest = Math.max(largest, Math.abs(trained.weights[from + label]!))
    scales[row] = largest / 127
    if (largest > 0) {
      for (let label = 0; label < columns; label++) {
        weights[row * columns + label] = Math.round((trained.weights[from + label]! / largest) * 127)
      }
    }
  }
  const artefact = LinearModel.encode({
    manifest: {
      format: LinearModel.format,
      featuriser: Featuriser.version,
      name,
      labels,
      background,
      features: order.length,
      documents: all.length,
      kindWeights,
      sharpness,
      guard: { ...guarded, threshold }
    },
    hashes: Uint32Array.from(order, (column) => matrix.hashes[column]!),
    frequencies: Uint16Array.from(order, (column) => Math.min(trained.frequencies[column]!, 65_535)),
    scales,
    biases: trained.biases,
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

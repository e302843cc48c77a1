/**
 * Training of a router: ridge regression of every model's quality on hashed words, on figures and on word vectors, stacked.
 *
 * Of prompts, two readings are fitted, of words and of words with figures and meaning, and mixed with non-negative weights that minimise the
 * squared error of held-out predictions (stacking: Wolpert 1992; non-negative: Breiman 1996). Since both are linear, their mixture is
 * one linear function, so that a prediction costs no more than one of them. One fixed configuration serves all data.
 *
 * @since 0.1.0
 */
import type { ArtefactError } from "@interlock/stages/artefact"
import * as Features from "@interlock/stages/selectModel/features"
import * as Predictor from "@interlock/stages/selectModel/predictor"
import * as WordVectors from "@interlock/stages/wordVectors"
import { Effect } from "effect"
import type { Graded, Row } from "./routerRows.ts"
import { InvalidRows } from "./routerRows.ts"

/** Slots for words of prompts and of answers. */
const promptDimension = 1 << 17
const answerDimension = 1 << 14
/** A word that fewer training rows have says nothing of the next row. */
const rarest = 3
/**
 * What each reading multiplies its blocks by (prompt words, answer words, figures, meaning), and how strong its ridge is, in rows. Of an
 * answer one reading is best: figures always count there, and weights of a mixture would only add noise.
 */
const promptReadings: ReadonlyArray<Reading> = [
  { prompt: 1, answer: 0, figures: 0, meaning: 0, strength: 10 },
  { prompt: 1, answer: 0, figures: 0.8, meaning: 0.6, strength: 20 }
]
const answerReadings: ReadonlyArray<Reading> = [{ prompt: 0.7, answer: 0.7, figures: 1.4, meaning: 0, strength: 5 }]
/** An answer is judged by what it says, not by what the question is about: that brought nothing. */
const noMeaning = new Float64Array(0)
const folds = 5
/** How often rows are folded anew for the weights of a mixture: on a few hundred rows, one folding leaves much to chance. */
const foldings = 3

interface Reading {
  readonly prompt: number
  readonly answer: number
  readonly figures: number
  readonly meaning: number
  readonly strength: number
}

interface Sample {
  readonly prompt: Features.Terms
  readonly answer: Features.Terms | undefined
  readonly figures: Float64Array
  readonly meaning: Float64Array
}

interface Block {
  readonly slots: ReadonlyArray<Int32Array>
  readonly values: ReadonlyArray<Float64Array>
}

type Blocks = readonly [prompt: Block, answer: Block, figures: Block, meaning: Block]
type Scales = readonly [prompt: number, answer: number, figures: number, meaning: number]

/** A seeded generator of numbers in [0, 1) (mulberry32). */
export const random = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * Shuffles in place and returns its argument.
 *
 * @internal
 */
export const shuffle = <A>(items: Array<A>, next: () => number): Array<A> => {
  for (let index = items.length - 1; index > 0; index--) {
    const other = Math.floor(next() * (index + 1))
    ;[items[index], items[other]] = [items[other]!, items[index]!]
  }
  return items
}

/** Inverse document frequency of every slot; 0 where too few rows have it. */
const rarityOf = (terms: ReadonlyArray<Features.Terms>, dimension: number): Float32Array => {
  const seen = new Float32Array(dimension)
  for (const { slots } of terms) for (const slot of slots) seen[slot]!++
  for (let slot = 0; slot < dimension; slot++) {
    seen[slot] = seen[slot]! < rarest ? 0 : Math.log((1 + terms.length) / (1 + seen[slot]!)) + 1
  }
  return seen
}

const moments = (figures: ReadonlyArray<Float64Array>): Moments => {
  const length = figures[0]!.length
  const center = new Float32Array(length)
  const spread = new Float32Array(length)
  for (let index = 0; index < length; index++) {
    let sum = 0
    for (const row of figures) sum += Number.isFinite(row[index]!) ? row[index]! : 0
    const mean = sum / figures.length
    let square = 0
    for (const row of figures) square += ((Number.isFinite(row[index]!) ? row[index]! : 0) - mean) ** 2
    center[index] = mean
    spread[index] = Math.sqrt(square / figures.length + 1e-4)
  }
  return { center, spread }
}

/** The parts of a fit that depend on its rows but not on the reading or the output. */
interface Prepared {
  readonly rarity: Float32Array
  readonly answerRarity: Float32Array
  readonly figures: Moments
  readonly meaning: Moments
}

interface Moments {
  readonly center: Float32Array
  readonly spread: Float32Array
}

const prepare = (samples: ReadonlyArray<Sample>, answers: boolean): Prepared => ({
  rarity: rarityOf(
    samples.map((sample) => sample.prompt),
    promptDimension
  ),
  answerRarity: answers
    ? rarityOf(
        samples.map((sample) => sample.answer!),
        answerDimension
      )
    : new Float32Array(0),
  figures: moments(samples.map((sample) => sample.figures)),
  meaning: moments(samples.map((sample) => sample.meaning))
})

const widthOf = (prepared: Prepared): number =>
  promptDimension + prepared.answerRarity.length + prepared.figures.center.length + prepared.meaning.center.length

/** Four blocks, unscaled; slots are positions in the weights. */
const blocksOf = (samples: ReadonlyArray<Sample>, prepared: Prepared): Blocks => {
  const answerStart = promptDimension
  const figureStart = promptDimension + prepared.answerRarity.length
  const meaningStart = figureStart + prepared.figures.center.length
  const positions = (from: number, { center }: Moments) => Int32Array.from(center, (_, index) => from + index)
  const figurePositions = positions(figureStart, prepared.figures)
  const meaningPositions = positions(meaningStart, prepared.meaning)
  return [
    {
      slots: samples.map((sample) => sample.prompt.slots),
      values: samples.map((sample) => Predictor.weigh(sample.prompt, prepared.rarity))
    },
    {
      slots: samples.map((sample) => (sample.answer?.slots ?? new Int32Array(0)).map((slot) => slot + answerStart)),
      values: samples.map((sample) =>
        sample.answer === undefined ? new Float64Array(0) : Predictor.weigh(sample.answer, prepared.answerRarity)
      )
    },
    {
      slots: samples.map(() => figurePositions),
      values: samples.map(({ figures }) =>
        Predictor.standardise(figures, prepared.figures.center, prepared.figures.spread)
      )
    },
    {
      slots: samples.map(() => meaningPositions),
      values: samples.map(({ meaning }) =>
        Predictor.standardise(meaning, prepared.meaning.center, prepared.meaning.spread)
      )
    }
  ]
}

const join = (blocks: Blocks, scales: Scales): Block => {
  const used = blocks.flatMap((block, index) => (scales[index] === 0 ? [] : [{ block, scale: scales[index]! }]))
  const rows = blocks[0].slots.length
  const slots: Array<Int32Array> = []
  const values: Array<Float64Array> = []
  for (let row = 0; row < rows; row++) {
    const length = used.reduce((sum, { block }) => sum + block.slots[row]!.length, 0)
    const rowSlots = new Int32Array(length)
    const rowValues = new Float64Array(length)
    let position = 0
    for (const { block, scale } of used) {
      const from = block.values[row]!
      rowSlots.set(block.slots[row]!, position)
      for (let index = 0; index < from.length; index++) rowValues[position++] = from[index]! * scale
    }
    slots.push(rowSlots)
    values.push(rowValues)
  }
  return { slots, values }
}

const dot = (weights: Float64Array, slots: Int32Array, values: Float64Array): number => {
  let sum = 0
  for (let index = 0; index < slots.length; index++) sum += weights[slots[index]!]! * values[index]!
  return sum
}

/** Ridge regression in its dual form, solved by conjugate gradients: `(XXᵀ + λI) a = y − mean`, `w = Xᵀa`. */
const ridge = (block: Block, target: ReadonlyArray<number>, width: number, strength: number): Float64Array => {
  const rows = target.length
  const mean = target.reduce((sum, value) => sum + value, 0) / rows
  const solution = new Float64Array(rows)
  const residual = Float64Array.from(target, (value) => value - mean)
  const direction = Float64Array.from(residual)
  const product = new Float64Array(rows)
  const weights = new Float64Array(width)
  const back = (vector: Float64Array) => {
    weights.fill(0)
    for (let row = 0; row < rows; row++) {
      const slots = block.slots[row]!
      const values = block.values[row]!
      const factor = vector[row]!
      for (let index = 0; index < slots.length; index++) weights[slots[index]!]! += factor * values[index]!
    }
  }
  let size = residual.reduce((sum, value) => sum + value * value, 0)
  const enough = size * 1e-6
  for (let step = 0; step < 60 && size > enough; step++) {
    back(direction)
    let curvature = 0
    for (let row = 0; row < rows; row++) {
      product[row] = dot(weights, block.slots[row]!, block.values[row]!) + strength * direction[row]!
      curvature += product[row]! * direction[row]!
    }
    const pace = size / curvature
    let next = 0
    for (let row = 0; row < rows; row++) {
      solution[row]! += pace * direction[row]!
      residual[row]! -= pace * product[row]!
      next += residual[row]! * residual[row]!
    }
    const keep = next / size
    size = next
    for (let row = 0; row < rows; row++) direction[row] = residual[row]! + keep * direction[row]!
  }
  back(solution)
  return weights
}

/** Weights ≥ 0, scaled to 1 together, that minimise `‖Σ wᵢ columnᵢ − target‖²` (projected coordinate descent). */
const stack = (columns: ReadonlyArray<Float64Array>, target: Float64Array): ReadonlyArray<number> => {
  const mixture = columns.map(() => 1 / columns.length)
  const products = columns.map((a) => columns.map((b) => a.reduce((sum, value, row) => sum + value * b[row]!, 0)))
  const towards = columns.map((a) => a.reduce((sum, value, row) => sum + value * target[row]!, 0))
  for (let round = 0; round < 200; round++) {
    for (let one = 0; one < columns.length; one++) {
      if (products[one]![one]! < 1e-12) continue
      let rest = towards[one]!
      for (let other = 0; other < columns.length; other++) {
        if (other !== one) rest -= products[one]![other]! * mixture[other]!
      }
      mixture[one] = Math.max(0, rest / products[one]![one]!)
    }
  }
  const total = mixture.reduce((sum, weight) => sum + weight, 0)
  return mixture.map((weight) => (total < 1e-9 ? 1 / columns.length : weight / total))
}

const joinedUp = (parts: ReadonlyArray<Float64Array>): Float64Array => {
  const whole = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0))
  let position = 0
  for (const part of parts) {
    whole.set(part, position)
    position += part.length
  }
  return whole
}

interface Fit {
  readonly linear: Predictor.Linear
  /** For every row, what a fit that did not see it predicted, in the first folding. */
  readonly heldOut: ReadonlyArray<ReadonlyArray<number>>
}

const fit = (
  samples: ReadonlyArray<Sample>,
  foldsBy: ReadonlyArray<ReadonlyArray<number>>,
  targets: ReadonlyArray<ReadonlyArray<number>>,
  readings: ReadonlyArray<Reading>,
  answers: boolean
): Fit => {
  const models = targets.length
  const rows = samples.length
  const scales = (reading: Reading): Scales => [reading.prompt, reading.answer, reading.figures, reading.meaning]
  // predicted[folding][reading][model][row]
  const predicted = foldsBy.map((foldOf) => {
    const heldOutBy = readings.map(() => targets.map(() => new Float64Array(rows)))
    for (let fold = 0; fold < folds; fold++) {
      const inside: Array<number> = []
      const outside: Array<number> = []
      for (let row = 0; row < rows; row++) (foldOf[row] === fold ? outside : inside).push(row)
      if (outside.length === 0 || inside.length === 0) continue
      const train = inside.map((row) => samples[row]!)
      const prepared = prepare(train, answers)
      const width = widthOf(prepared)
      const trainBlocks = blocksOf(train, prepared)
      const testBlocks = blocksOf(
        outside.map((row) => samples[row]!),
        prepared
      )
      for (const [index, reading] of readings.entries()) {
        const block = join(trainBlocks, scales(reading))
        const test = join(testBlocks, scales(reading))
        for (let model = 0; model < models; model++) {
          const target = inside.map((row) => targets[model]![row]!)
          const mean = target.reduce((sum, value) => sum + value, 0) / target.length
          const weights = ridge(block, target, width, reading.strength)
          for (const [position, row] of outside.entries()) {
            heldOutBy[index]![model]![row] = mean + dot(weights, test.slots[position]!, test.values[position]!)
          }
        }
      }
    }
    return heldOutBy
  })
  // What matters for a choice is how models differ on a prompt: the mixture is fitted to qualities less their mean over models.
  const centred = (values: ReadonlyArray<ArrayLike<number>>): Float64Array => {
    const means = values.map((column) => {
      let sum = 0
      for (let row = 0; row < rows; row++) sum += column[row]!
      return sum / rows
    })
    const flat = new Float64Array(models * rows)
    for (let row = 0; row < rows; row++) {
      let mean = 0
      for (let model = 0; model < models; model++) mean += (values[model]![row]! - means[model]!) / models
      for (let model = 0; model < models; model++) {
        flat[model * rows + row] = values[model]![row]! - means[model]! - mean
      }
    }
    return flat
  }
  const target = centred(targets)
  const columns = readings.map((_, reading) => predicted.map((folding) => centred(folding[reading]!)))
  const mixture = stack(columns.map(joinedUp), joinedUp(predicted.map(() => target)))

  const prepared = prepare(samples, answers)
  const figureStart = promptDimension + prepared.answerRarity.length
  const meaningStart = figureStart + prepared.figures.center.length
  const width = widthOf(prepared)
  const blocks = blocksOf(samples, prepared)
  const weights = targets.map(() => new Float64Array(width))
  const joined = readings.map((reading) => join(blocks, scales(reading)))
  for (let model = 0; model < models; model++) {
    for (const [index, reading] of readings.entries()) {
      if (mixture[index] === 0) continue
      const one = ridge(joined[index]!, targets[model]!, width, reading.strength)
      const [prompt, answer, figures, meaning] = scales(reading)
      for (let slot = 0; slot < width; slot++) {
        const scale =
          slot < promptDimension ? prompt : slot < figureStart ? answer : slot < meaningStart ? figures : meaning
        weights[model]![slot]! += mixture[index]! * scale * one[slot]!
      }
    }
  }
  const means = targets.map((target) => target.reduce((sum, value) => sum + value, 0) / rows)
  const heldOut = targets.map((_, model) =>
    Array.from({ length: rows }, (_, row) => {
      let sum = 0
      for (let index = 0; index < readings.length; index++) sum += mixture[index]! * predicted[0]![index]![model]![row]!
      return sum
    })
  )
  return {
    linear: {
      dimension: promptDimension,
      rarity: prepared.rarity,
      answerRarity: prepared.answerRarity,
      center: Float32Array.of(...prepared.figures.center, ...prepared.meaning.center),
      spread: Float32Array.of(...prepared.figures.spread, ...prepared.meaning.spread),
      weights: weights.map((each) => Float32Array.from(each)),
      intercepts: Float32Array.from(means)
    },
    heldOut
  }
}

/**
 * A trained predictor, with what it would have said of every training row had it not seen it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Trained {
  readonly predictor: Predictor.Predictor
  /** `heldOut[model][row]`: cross-validated predictions from the prompt alone. */
  readonly heldOut: ReadonlyArray<ReadonlyArray<number>>
  /** The same given the answer of a model, for every model whose answers are in the rows. */
  readonly heldOutGiven: ReadonlyMap<string, ReadonlyArray<ReadonlyArray<number>>>
}

/** Prompts that are the same are never on both sides of a fold. */
const foldsOf = (rows: ReadonlyArray<Row>, seed: number): ReadonlyArray<number> => {
  const distinct = shuffle([...new Set(rows.map((row) => row.prompt))], random(seed))
  const fold = new Map(distinct.map((prompt, index) => [prompt, index % folds]))
  return rows.map((row) => fold.get(row.prompt)!)
}

/** Fewer than this are not enough to fit anything. */
const fewest = 20

/**
 * Fits a predictor. Judges are fitted for the models named in `judges` (by default, all whose answers are in every row).
 *
 * @category training
 * @since 0.1.0
 */
export const train = Effect.fnUntraced(function* (
  { models, rows }: Graded,
  options?: { readonly judges?: ReadonlyArray<string> }
): Effect.fn.Return<Trained, InvalidRows | ArtefactError> {
  if (new Set(rows.map((row) => row.prompt)).size < fewest) {
    return yield* new InvalidRows({
      reason: "Empty",
      message: `${rows.length} rows are too few to train on: give at least ${fewest} different graded prompts (several hundred to be of use).`
    })
  }
  const varied = models.some((model) =>
    rows.some((row) => {
      const gap = row.outcomes[model]!.quality - row.outcomes[models[0]!]!.quality
      return gap !== rows[0]!.outcomes[model]!.quality - rows[0]!.outcomes[models[0]!]!.quality
    })
  )
  if (!varied) {
    return yield* new InvalidRows({
      reason: "OneOutcome",
      message: "The models differ by the same quality on every row: there is nothing to learn. Use the cheapest model."
    })
  }
  const targets = models.map((model) => rows.map((row) => row.outcomes[model]!.quality))
  const foldsFor = (readings: ReadonlyArray<Reading>) =>
    Array.from({ length: readings.length > 1 ? foldings : 1 }, (_, index) => foldsOf(rows, index + 1))
  const vectors = yield* WordVectors.english
  const asked = rows.map((row) => Features.terms(row.prompt, promptDimension))
  const meanings = rows.map((row) => Features.meaning(row.prompt, vectors))
  const main = fit(
    rows.map((row, index) => ({
      prompt: asked[index]!,
      answer: undefined,
      figures: Predictor.figuresOf(row.prompt, undefined),
      meaning: meanings[index]!
    })),
    foldsFor(promptReadings),
    targets,
    promptReadings,
    false
  )
  const judges = new Map<string, Predictor.Linear>()
  const heldOutGiven = new Map<string, ReadonlyArray<ReadonlyArray<number>>>()
  for (const model of models) {
    if (options?.judges !== undefined && !options.judges.includes(model)) continue
    if (!rows.every((row) => row.outcomes[model]!.answer !== undefined)) continue
    const judged = fit(
      rows.map((row, index) => {
        const answer = row.outcomes[model]!.answer!
        return {
          prompt: asked[index]!,
          answer: Features.terms(answer, answerDimension, { anyDigit: true, salt: Predictor.answerSalt }),
          figures: Predictor.figuresOf(row.prompt, answer),
          meaning: noMeaning
        }
      }),
      foldsFor(answerReadings),
      targets,
      answerReadings,
      true
    )
    judges.set(model, judged.linear)
    heldOutGiven.set(model, judged.heldOut)
  }
  const mean = (field: "quality" | "costUsd") =>
    models.map((model) => rows.reduce((sum, row) => sum + row.outcomes[model]![field], 0) / rows.length)
  return {
    predictor: {
      manifest: {
        kind: "interlock-router",
        features: Features.version,
        models,
        rows: rows.length,
        meanQuality: mean("quality"),
        meanCostUsd: mean("costUsd"),
        evaluation: { apgr: 0.5, low: 0.5, high: 0.5 },
        judges: [...judges.keys()],
        vectors: { name: vectors.manifest.name, dimensions: vectors.manifest.dimensions },
        dimension: promptDimension,
        answerDimension,
        checksum: 0
      },
      vectors,
      prompt: main.linear,
      judges: Object.fromEntries(judges)
    },
    heldOut: main.heldOut,
    heldOutGiven
  }
})

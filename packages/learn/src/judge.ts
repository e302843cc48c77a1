/**
 * Trains the learned judge of `@interlock/stages/judge` from graded answers: rows of question, answer and grade.
 *
 * A logistic regression on the features of `@interlock/stages/judge/learnedModel`, by gradient descent with momentum. Weights that must
 * not be above 0 are kept there after every step (projected gradient). Beside the rows it is shown answers to other questions, and
 * questions said back, as bad ones.
 *
 * What is told of it is told of held-out rows: five folds, each of questions that the model has not seen. A judge that does not rank
 * held-out answers better than chance is refused. The same rows give the same bytes.
 *
 * @since 0.1.0
 */
import * as LearnedModel from "@interlock/stages/judge/learnedModel"
import { Effect, FileSystem, Path, Result, Schema } from "effect"

/**
 * A question, an answer to it, and how good that is, from 0 to 1.
 *
 * @category models
 * @since 0.1.0
 */
export const Row = Schema.Struct({
  question: Schema.NonEmptyString,
  answer: Schema.String,
  grade: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
})

/**
 * @category models
 * @since 0.1.0
 */
export type Row = typeof Row.Type

/**
 * Why there is no judge. `TooFew`: there are fewer than 40 rows or 20 questions. `OneGrade`: all answers are equally good. `NoSignal`: it
 * does not rank held-out answers better than chance.
 *
 * @category errors
 * @since 0.1.0
 */
export class JudgeTrainingError extends Schema.TaggedError<JudgeTrainingError>()(
  "@interlock/learn/JudgeTrainingError",
  {
    reason: Schema.Literals(["Unreadable", "Malformed", "TooFew", "OneGrade", "NoSignal"]),
    /** The line of the file. */
    line: Schema.optionalKey(Schema.Int),
    message: Schema.String
  }
) {}

/**
 * What was found on held-out rows: of pairs of answers to one question with different grades (of all pairs, where there are no such),
 * the share that was ranked rightly, a tie by half.
 *
 * @category models
 * @since 0.1.0
 */
export interface HeldOut {
  readonly pairs: number
  /** Whether the pairs are of answers to one question. */
  readonly within: boolean
  readonly right: number
  /** `right` is above it with 95 % confidence: a bootstrap over questions. */
  readonly lowerBound: number
  /** The same of a judge that likes the longer answer. */
  readonly longer: number
}

/**
 * What training gives.
 *
 * @category models
 * @since 0.1.0
 */
export interface Trained {
  readonly name: string
  readonly artefact: Uint8Array
  readonly rows: number
  readonly questions: number
  readonly heldOut: HeldOut
}

const decodeRow = Schema.decodeUnknownResult(Schema.fromJsonString(Row))

/**
 * Reads rows from JSON lines `{question, answer, grade}`; empty lines are skipped. `name` is what messages call the file.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = Effect.fnUntraced(function* (content: string, name: string) {
  const rows: Array<Row> = []
  for (const [index, each] of content.split("\n").entries()) {
    if (each.trim() === "") continue
    const row = decodeRow(each)
    if (Result.isFailure(row)) {
      return yield* new JudgeTrainingError({
        reason: "Malformed",
        line: index + 1,
        message: `line ${index + 1} of ${name} is no row: it must be one JSON object {"question": string, "answer": string, "grade": 0 to 1}`
      })
    }
    rows.push(row.success)
  }
  return rows
})

/**
 * Writes an artefact into a folder as `NAME.judge`, aside first and then renamed, so that a half-written one is never there.
 *
 * @category saving
 * @since 0.1.0
 */
export const save = Effect.fnUntraced(function* (trained: Trained, folder: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* files.makeDirectory(folder, { recursive: true })
  const target = path.join(folder, `${trained.name}.judge`)
  const aside = `${target}.${process.pid}.partial`
  yield* files.writeFile(aside, trained.artefact).pipe(
    Effect.andThen(files.rename(aside, target)),
    Effect.onError(() => Effect.ignore(files.remove(aside, { force: true })))
  )
  return target
})

const leastRows = 40
const leastQuestions = 20
const folds = 5
const controlCount = 32
const steps = 250
const rate = 0.3
const momentum = 0.9
const decay = 2e-3
/** A word of an answer counts where it is in so many answers. */
const leastAnswers = 4
/** What an answer to another question weighs beside a row. */
const mismatchWeight = 0.5
const resamples = 1000

const generator = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const shuffled = <A>(all: ReadonlyArray<A>, random: () => number): Array<A> => {
  const order = [...all]
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1))
    const kept = order[at]!
    order[at] = order[other]!
    order[other] = kept
  }
  return order
}

/** A row as columns and values: content, then penalties, then words. */
interface Example {
  readonly columns: Int32Array
  readonly values: Float64Array
  readonly grade: number
  readonly weight: number
}

/** Fits the weights to rows. */
const fit = (rows: ReadonlyArray<Row>, name: string): LearnedModel.Model => {
  const random = generator(11)
  const questions = [...new Set(rows.map(({ question }) => question))]
  const vocabulary = LearnedModel.vocabularyOf([...questions, ...rows.map(({ answer }) => answer)])
  const controls = shuffled(questions, random).slice(0, controlCount).map(LearnedModel.asked)
  const answers = rows.map(({ answer }) => LearnedModel.answered(answer))
  const counted = new Map<number, number>()
  for (const { words } of answers) for (const word of words) counted.set(word, (counted.get(word) ?? 0) + 1)
  const columns = new Map(
    [...counted]
      .filter(([, count]) => count >= leastAnswers)
      .map(([word]) => word)
      .sort((a, b) => a - b)
      .map((word, at) => [word, at])
  )
  const from = LearnedModel.contentSize + LearnedModel.penaltySize
  const example = (
    question: LearnedModel.Asked,
    answer: LearnedModel.Answered,
    grade: number,
    weight: number
  ): Example => {
    const features = [
      ...LearnedModel.contentOf(vocabulary, controls, question, answer),
      ...LearnedModel.penaltiesOf(question, answer)
    ].flatMap((value, at) => (value === 0 ? [] : [[at, value] as const]))
    for (const word of answer.words) {
      const at = columns.get(word)
      if (at !== undefined) features.push([from + at, 1])
    }
    return {
      columns: Int32Array.from(features, ([at]) => at),
      values: Float64Array.from(features, ([, value]) => value),
      grade,
      weight
    }
  }
  const examples: Array<Example> = rows.map(({ grade, question }, at) =>
    example(LearnedModel.asked(question), answers[at]!, grade, 1)
  )
  // A good answer to another question is a bad one to this.
  for (const [at, { grade, question }] of rows.entries()) {
    const other = questions[Math.floor(random() * questions.length)]!
    if (grade < 0.5 || other === question) continue
    examples.push(example(LearnedModel.asked(other), answers[at]!, 0, mismatchWeight))
  }
  for (const question of questions) {
    examples.push(example(LearnedModel.asked(question), LearnedModel.answered(question), 0, mismatchWeight))
  }

  const size = from + columns.size
  const [weights, speed, slope] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)]
  const total = examples.reduce((sum, { weight }) => sum + weight, 0)
  let [bias, biasSpeed] = [0, 0]
  for (let step = 0; step < steps; step++) {
    slope.fill(0)
    let biasSlope = 0
    for (const { columns, grade, values, weight } of examples) {
      let logit = bias
      for (let at = 0; at < columns.length; at++) logit += weights[columns[at]!]! * values[at]!
      const error = ((1 / (1 + Math.exp(-logit)) - grade) * weight) / total
      biasSlope += error
      for (let at = 0; at < columns.length; at++) slope[columns[at]!]! += error * values[at]!
    }
    biasSpeed = momentum * biasSpeed - rate * biasSlope
    bias += biasSpeed
    for (let at = 0; at < size; at++) {
      speed[at] = momentum * speed[at]! - rate * (slope[at]! + decay * weights[at]!)
      weights[at]! += speed[at]!
      // What is in the answer alone can only lower a rating.
      if (at >= LearnedModel.contentSize && weights[at]! > 0) {
        weights[at] = 0
        speed[at] = 0
      }
    }
  }
  const round = (value: number): number => Number(value.toPrecision(6)) + 0
  return {
    format: 1,
    name,
    documents: vocabulary.documents,
    vocabulary: [...vocabulary.frequencies]
      .map(([word, frequency]): [number, number, number] => [word, vocabulary.stems.get(word)!, frequency])
      .sort(([a], [b]) => a - b),
    controls: controls as [LearnedModel.Asked, ...Array<LearnedModel.Asked>],
    bias: round(bias),
    content: [...weights.subarray(0, LearnedModel.contentSize)].map(round),
    penalties: [...weights.subarray(LearnedModel.contentSize, from)].map(round),
    words: [...columns].flatMap(([word, at]) => {
      const weight = round(weights[from + at]!)
      return weight < -1e-3 ? [[word, weight] as [number, number]] : []
    })
  }
}

/** Pairs of answers with different grades, by question; a ranking is right, wrong, or a tie by half. */
const ranked = (rows: ReadonlyArray<Row>, scores: ReadonlyArray<number>, within: boolean) => {
  const groups = new Map<string, Array<number>>()
  for (const [at, { question }] of rows.entries()) groups.set(question, [...(groups.get(question) ?? []), at])
  const score = (pairs: Iterable<readonly [number, number]>) => {
    let [all, right] = [0, 0]
    for (const [one, other] of pairs) {
      const grades = rows[one]!.grade - rows[other]!.grade
      if (grades === 0) continue
      const difference = (scores[one]! - scores[other]!) * Math.sign(grades)
      all++
      right += difference > 0 ? 1 : difference === 0 ? 0.5 : 0
    }
    return { all, right }
  }
  return [...groups.values()].map((own) =>
    score(
      own.flatMap((one, at) =>
        within
          ? own.slice(at + 1).map((other) => [one, other] as const)
          : rows.flatMap((_, other) => (rows[other]!.question === rows[one]!.question ? [] : [[one, other] as const]))
      )
    )
  )
}

const shareOf = (groups: ReadonlyArray<{ readonly all: number; readonly right: number }>): number => {
  const all = groups.reduce((sum, each) => sum + each.all, 0)
  return all === 0 ? 0.5 : groups.reduce((sum, each) => sum + each.right, 0) / all
}

const evaluate = (rows: ReadonlyArray<Row>, scores: ReadonlyArray<number>): HeldOut => {
  const own = ranked(rows, scores, true)
  const within = own.reduce((sum, { all }) => sum + all, 0) >= 20
  const groups = (within ? own : ranked(rows, scores, false)).filter(({ all }) => all > 0)
  const longer = ranked(
    rows,
    rows.map(({ answer }) => answer.length),
    within
  )
  const random = generator(3)
  const shares = Array.from({ length: resamples }, () =>
    shareOf(groups.map(() => groups[Math.floor(random() * groups.length)]!))
  ).sort((a, b) => a - b)
  return {
    pairs: groups.reduce((sum, { all }) => sum + all, 0) / (within ? 1 : 2),
    within,
    right: shareOf(groups),
    lowerBound: shares[Math.floor(0.05 * shares.length)] ?? 0,
    longer: shareOf(longer)
  }
}

/**
 * Trains a judge.
 *
 * @category training
 * @since 0.1.0
 */
export const train = (
  rows: ReadonlyArray<Row>,
  options: { readonly name: string }
): Effect.Effect<Trained, JudgeTrainingError> =>
  Effect.gen(function* () {
    const questions = [...new Set(rows.map(({ question }) => question))]
    if (rows.length < leastRows || questions.length < leastQuestions) {
      return yield* new JudgeTrainingError({
        reason: "TooFew",
        message: `${rows.length} graded answers to ${questions.length} questions are too few: give at least ${leastRows} to ${leastQuestions}`
      })
    }
    if (new Set(rows.map(({ grade }) => grade)).size === 1) {
      return yield* new JudgeTrainingError({
        reason: "OneGrade",
        message: `every answer has the grade ${rows[0]!.grade}: a judge learns from better and worse ones`
      })
    }
    const order = shuffled(questions, generator(5))
    const fold = new Map(order.map((question, at) => [question, at % folds]))
    const scores = rows.map(() => 0)
    for (let held = 0; held < folds; held++) {
      const score = LearnedModel.rater(
        fit(
          rows.filter(({ question }) => fold.get(question) !== held),
          options.name
        )
      )
      for (const [at, { answer, question }] of rows.entries()) {
        if (fold.get(question) === held) scores[at] = score(question, answer)
      }
      yield* Effect.yieldNow
    }
    const heldOut = evaluate(rows, scores)
    if (heldOut.lowerBound <= 0.5) {
      return yield* new JudgeTrainingError({
        reason: "NoSignal",
        message: `on answers that it has not seen the judge ranks ${(100 * heldOut.right).toFixed(1)} % of ${heldOut.pairs} pairs rightly, which may be chance: grade more answers, or let a model judge`
      })
    }
    return {
      name: options.name,
      artefact: LearnedModel.encode(fit(rows, options.name)),
      rows: rows.length,
      questions: questions.length,
      heldOut
    }
  })

/**
 * How good a router is, between a cheap model and a strong one: the area under the curve of the quality gap recovered (APGR), the
 * share of strong calls for a part of the gap (CPT), and the cost saved at a part of the strong score; each with bootstrap
 * intervals, and beside a random mix, the longest prompts first, and an oracle.
 *
 * APGR and CPT are those of RouteLLM (Ong et al. 2024); prompts with equal scores are taken in every order at once.
 *
 * @since 0.1.0
 */
import { random } from "./routerTraining.ts"

/**
 * One decided prompt. A higher score means: rather the strong model.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decided {
  /** Rows of one group (the same prompt) are drawn together by the bootstrap. */
  readonly group: string
  readonly score: number
  readonly cheapQuality: number
  readonly strongQuality: number
  readonly cheapCost: number
  readonly strongCost: number
}

/**
 * The figures of a router.
 *
 * @category models
 * @since 0.1.0
 */
export interface Figures {
  readonly apgr: number
  readonly cpt: { readonly "50": number; readonly "80": number; readonly "90": number; readonly "95": number }
  readonly costCut: { readonly "90": number; readonly "95": number; readonly "99": number }
}

const shares = ["50", "80", "90", "95"] as const
const scores = ["90", "95", "99"] as const

/**
 * Rows in order of falling score, with the bounds of ties.
 *
 * @internal
 */
export interface Ordered {
  readonly rows: ReadonlyArray<Decided>
  readonly ends: Int32Array
  /** With a cascade, the cheap model is asked and paid for every prompt. */
  readonly cascade: boolean
}

/**
 * Sorts once, so that many resamples can be measured.
 *
 * @internal
 */
export const order = (rows: ReadonlyArray<Decided>, cascade: boolean): Ordered => {
  const sorted = [...rows].sort((a, b) => b.score - a.score)
  const ends: Array<number> = []
  for (let index = 1; index <= sorted.length; index++) {
    if (index === sorted.length || sorted[index]!.score !== sorted[index - 1]!.score) ends.push(index)
  }
  return { rows: sorted, ends: Int32Array.from(ends), cascade }
}

/**
 * Measures, each row counted `weights(row)` times.
 *
 * @internal
 */
export const measure = ({ cascade, ends, rows }: Ordered, weights?: (row: Decided) => number): Figures => {
  const xs = [0]
  const gains = [0]
  const costs: Array<number> = [0]
  let count = 0
  let gain = 0
  let cheap = 0
  let cheapCost = 0
  let strongCost = 0
  let area = 0
  let start = 0
  for (const end of ends) {
    let blockCount = 0
    let blockGain = 0
    let blockCost = 0
    for (let index = start; index < end; index++) {
      const row = rows[index]!
      const weight = weights === undefined ? 1 : weights(row)
      if (weight === 0) continue
      blockCount += weight
      blockGain += weight * (row.strongQuality - row.cheapQuality)
      blockCost += weight * (cascade ? row.strongCost : row.strongCost - row.cheapCost)
      cheap += weight * row.cheapQuality
      cheapCost += weight * row.cheapCost
      strongCost += weight * row.strongCost
    }
    start = end
    if (blockCount === 0) continue
    area += blockCount * (gain + blockGain / 2)
    count += blockCount
    gain += blockGain
    xs.push(count)
    gains.push(gain)
    costs.push(costs.at(-1)! + blockCost)
  }
  // Where the strong model is no better there is no gap to recover, and any choice is as good as another.
  if (gain <= 0) {
    return { apgr: 0.5, cpt: { "50": 0.5, "80": 0.8, "90": 0.9, "95": 0.95 }, costCut: { "90": 0, "95": 0, "99": 0 } }
  }
  // Where the curve first reaches `wanted`, on straight lines between its points.
  const reach = (wanted: number, along: ReadonlyArray<number>): number => {
    for (let index = 0; index < gains.length; index++) {
      if (gains[index]! < wanted) continue
      if (index === 0) return along[0]!
      const part = (wanted - gains[index - 1]!) / (gains[index]! - gains[index - 1]!)
      return along[index - 1]! + part * (along[index]! - along[index - 1]!)
    }
    return along.at(-1)!
  }
  const strong = cheap + gain
  const cpt = (share: string) => reach((Number(share) / 100) * gain, xs) / count
  const cut = (score: string) => 1 - (cheapCost + reach((Number(score) / 100) * strong - cheap, costs)) / strongCost
  return {
    apgr: area / (gain * count),
    cpt: { "50": cpt("50"), "80": cpt("80"), "90": cpt("90"), "95": cpt("95") },
    costCut: { "90": cut("90"), "95": cut("95"), "99": cut("99") }
  }
}

/**
 * The mean of several routers' figures, each measured on its own rows.
 *
 * @internal
 */
export const average = (all: ReadonlyArray<Figures>): Figures => {
  const mean = (read: (figures: Figures) => number) => all.reduce((sum, each) => sum + read(each), 0) / all.length
  const record = <K extends string>(keys: ReadonlyArray<K>, read: (figures: Figures, key: K) => number) =>
    Object.fromEntries(keys.map((key) => [key, mean((figures) => read(figures, key))])) as { [key in K]: number }
  return {
    apgr: mean((figures) => figures.apgr),
    cpt: record(shares, (figures, key) => figures.cpt[key]),
    costCut: record(scores, (figures, key) => figures.costCut[key])
  }
}

/**
 * A lower and an upper bound.
 *
 * @category models
 * @since 0.1.0
 */
export type Interval = readonly [low: number, high: number]

/**
 * What was measured, with 95 % intervals and beside the baselines.
 *
 * @category models
 * @since 0.1.0
 */
export interface Evaluation extends Figures {
  readonly baselines: { readonly random: Figures; readonly length: Figures; readonly oracle: Figures }
  readonly intervals: {
    readonly apgr: Interval
    readonly cpt: { readonly [share: string]: Interval }
    readonly costCut: { readonly [score: string]: Interval }
    /** How much more than the random mix is saved, in parts of the strong model's cost. */
    readonly savedOverRandom: { readonly [score: string]: Interval }
  }
}

/** A decided prompt with its text's length, for the baseline by length. */
export interface Measured extends Decided {
  readonly length: number
}

const constant = <A extends Decided>(rows: ReadonlyArray<A>, score: (row: A) => number): ReadonlyArray<A> =>
  rows.map((row) => ({ ...row, score: score(row) }))

/**
 * Evaluates one or more sets of decided prompts (the halves of several splits), averaged. The bootstrap draws prompts, the same
 * in every set, `resamples` times.
 *
 * @category evaluation
 * @since 0.1.0
 */
export const evaluate = (
  sets: ReadonlyArray<ReadonlyArray<Measured>>,
  options?: { readonly cascade?: boolean; readonly resamples?: number; readonly seed?: number }
): Evaluation => {
  const cascade = options?.cascade === true
  const resamples = options?.resamples ?? 1000
  const ordered = sets.map((rows) => order(rows, cascade))
  // A mix by chance and one by length ask one model only; an oracle of a cascade would still have asked the cheap one.
  const chance = sets.map((rows) =>
    order(
      constant(rows, () => 0),
      false
    )
  )
  const byLength = sets.map((rows) =>
    order(
      constant(rows, (row) => row.length),
      false
    )
  )
  const oracle = sets.map((rows) =>
    order(
      constant(rows, (row) => row.strongQuality - row.cheapQuality),
      cascade
    )
  )
  const figures = average(ordered.map((each) => measure(each)))
  const groups = [...new Set(sets.flatMap((rows) => rows.map((row) => row.group)))]
  const next = random(options?.seed ?? 1)
  const drawn: Array<Figures> = []
  const drawnOver: Array<{ readonly [score: string]: number }> = []
  for (let round = 0; round < resamples; round++) {
    const times = new Map<string, number>()
    for (let index = 0; index < groups.length; index++) {
      const group = groups[Math.floor(next() * groups.length)]!
      times.set(group, (times.get(group) ?? 0) + 1)
    }
    const weights = (row: Decided) => times.get(row.group) ?? 0
    const mine = average(ordered.map((each) => measure(each, weights)))
    const theirs = average(chance.map((each) => measure(each, weights)))
    drawn.push(mine)
    drawnOver.push(Object.fromEntries(scores.map((score) => [score, mine.costCut[score] - theirs.costCut[score]])))
  }
  const interval = <A>(values: ReadonlyArray<A>, read: (value: A) => number): Interval => {
    const sorted = values.map(read).sort((a, b) => a - b)
    const at = (part: number) =>
      sorted[Math.min(sorted.length - 1, Math.max(0, Math.floor(part * sorted.length)))] ?? Number.NaN
    return [at(0.025), at(0.975)]
  }
  return {
    ...figures,
    baselines: {
      random: average(chance.map((each) => measure(each))),
      length: average(byLength.map((each) => measure(each))),
      oracle: average(oracle.map((each) => measure(each)))
    },
    intervals: {
      apgr: interval(drawn, (each) => each.apgr),
      cpt: Object.fromEntries(shares.map((share) => [share, interval(drawn, (each) => each.cpt[share])])),
      costCut: Object.fromEntries(scores.map((score) => [score, interval(drawn, (each) => each.costCut[score])])),
      savedOverRandom: Object.fromEntries(scores.map((score) => [score, interval(drawnOver, (each) => each[score]!)]))
    }
  }
}

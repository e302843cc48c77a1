/**
 * The threshold of the semantic tier, earned from judged traffic: it serves only above a chance at which the upper
 * Clopper–Pearson bound on the share of wrong answers is below the user's α.
 *
 * The score of a candidate is the chance, learned from judgements (see `calibration`), that its answer will do. No judgement
 * vouches for a chance that it helped to learn: candidates go in turn to two sides, and each side's chances are learned from
 * the other side's judgements.
 *
 * Judgements are kept in a window of the newest `window`. Whenever their number has grown by a tenth (or by an eighth of the
 * window, once it is full) a new certificate is sought: chances are worked out anew for all of them, cut at `levels` places
 * that depend on the chances alone, and the cuts are tested from high to low until one fails (fixed-sequence testing, so that
 * no test costs another its confidence). The lowest cut that passed is the threshold until the next certificate; where none
 * passes, the tier is off. Nothing is served whose own chance of being wrong is more than 2.5 α, however good its company.
 *
 * Hits are judged less often than near misses, so the share of wrong answers above a cut is put together from the shares
 * between neighbouring cuts, each weighted by how much of the traffic falls there, and the bound is taken at the effective number
 * of judgements (Korn and Graubard, "Confidence intervals for proportions with small expected number of positive counts
 * estimated from survey data", Survey Methodology 24, 1998).
 *
 * Each certificate holds with the stated confidence on traffic like the window's. It is no promise about traffic unlike
 * it: drift shows in the next certificate.
 *
 * @since 0.1.0
 */

import { Effect } from "effect"
import { makeCalibration } from "./calibration.ts"
import { type ConfigurationError, invalid } from "./configurationError.ts"

/**
 * How the threshold is certified.
 *
 * @category models
 * @since 0.1.0
 */
export interface CertificationOptions {
  /** The largest share of wrong answers among hits that the user accepts; between 0 and 1. */
  readonly alpha: number
  /** The confidence of each certificate; 0.95. */
  readonly confidence?: number
  /** How many of the newest judgements count; 4,096. */
  readonly window?: number
  /** At how many places the chances are cut; 32. */
  readonly levels?: number
}

/**
 * The threshold in force for one class of traffic, and what it rests on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Certificate {
  /** Serve at or above this chance; `undefined` when the tier has not earned one. */
  readonly threshold: number | undefined
  /** The upper bound on wrong hits at the threshold; 1 when there is none. */
  readonly bound: number
  /** How many judgements it rests on, above the threshold; the effective number, which is no more than there are. */
  readonly judged: number
}

/**
 * A candidate whose chance was worked out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Considered {
  readonly features: ReadonlyArray<number>
  readonly side: 0 | 1
  /** How likely its answer will do, 0 to 1: what the threshold is compared with. */
  readonly chance: number
}

/**
 * Collects judgements of one class of traffic and keeps its certificate.
 *
 * @category models
 * @since 0.1.0
 */
export interface Certification {
  readonly certificate: () => Certificate
  /** Counts a candidate among the traffic and works out its chance. All must have as many features. */
  readonly consider: (features: ReadonlyArray<number>) => Considered
  /** Adds one judgement: whether the candidate's answer would have done. */
  readonly observe: (considered: Considered, right: boolean) => void
}

/** Where the tests begin, as a share of the cuts: below the very top, where a single wrong answer would end them. */
const start = 0.1

/** No single answer is served whose chance of being wrong is more than this many times α. */
const worst = 2.5

/** How much of the newest traffic weighs the judgements. */
const traffic = 1_024

const off: Certificate = { threshold: undefined, bound: 1, judged: 0 }

/**
 * Checks the options once, and makes one `Certification` per class of traffic.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: CertificationOptions): Effect.Effect<() => Certification, ConfigurationError> => {
  const { alpha, confidence = 0.95, window = 4_096, levels = 32 } = options
  if (!(alpha > 0 && alpha < 1)) {
    return Effect.fail(
      invalid("alpha", alpha, "it must lie between 0 and 1", "use 0.05 for at most 5 % wrong among hits")
    )
  }
  if (!(confidence > 0 && confidence < 1)) {
    return Effect.fail(invalid("confidence", confidence, "it must lie between 0 and 1", "use 0.95"))
  }
  if (!(levels >= 1) || !(window >= 100)) {
    return Effect.fail(invalid("window", window, "it must be at least 100, and levels at least 1", "use 4096 and 32"))
  }
  return Effect.succeed(() => {
    const judged: Array<{ readonly considered: Considered; readonly right: boolean }> = []
    const seen: Array<Considered> = []
    const sides: Array<ReturnType<typeof makeCalibration>> = []
    let [considered, next, since] = [0, 0, 0]
    let current = off
    const chanceOf = ({ features, side }: Considered) => sides[side]!.chance(features)
    const certify = () => {
      const order = judged
        .map(({ considered, right }) => ({ chance: chanceOf(considered), right }))
        .sort((a, b) => b.chance - a.chance)
      const chances = seen.map(chanceOf).sort((a, b) => b - a)
      // At each cut: the effective number of judgements above it, and of wrong ones among them.
      const cuts: Array<{ readonly threshold: number; readonly count: number; readonly wrong: number }> = []
      let [above, begun, wrong, errors, variance] = [0, 0, 0, 0, 0]
      for (let index = 0, level = 1; index < order.length; index++) {
        const { chance, right } = order[index]!
        const count = index + 1
        if (!right) wrong++
        if (count < (order.length * level) / levels) continue
        // Equal chances stand or fall together.
        if (count < order.length && order[count]!.chance === chance) continue
        const before = above
        while (above < chances.length && chances[above]! >= chance) above++
        errors += ((above - before) * wrong) / (count - begun)
        variance += (above - before) ** 2 / (count - begun)
        if (variance > 0) {
          const effective = Math.min(count, above ** 2 / variance)
          cuts.push({ threshold: chance, count: effective, wrong: (errors / above) * effective })
        }
        begun = count
        wrong = 0
        while (count >= (order.length * level) / levels) level++
      }
      current = off
      for (const cut of cuts.slice(Math.floor(cuts.length * start))) {
        // Where a single wrong answer would decide there are too few to tell, and no test is made.
        if (upperBound(1, cut.count, confidence) > alpha) continue
        const bound = upperBound(cut.wrong, cut.count, confidence)
        if (bound > alpha) break
        current = { threshold: Math.max(cut.threshold, 1 - worst * alpha), bound, judged: Math.floor(cut.count) }
      }
    }
    return {
      certificate: () => current,
      consider: (features) => {
        if (sides.length === 0) sides.push(makeCalibration(features.length), makeCalibration(features.length))
        const side = (considered & 1) as 0 | 1
        const candidate = { features, side, chance: sides[side]!.chance(features) }
        seen[considered % traffic] = candidate
        considered++
        return candidate
      },
      observe: (candidate, right) => {
        sides[1 - candidate.side]?.learn(candidate.features, right)
        judged[next] = { considered: candidate, right }
        next = (next + 1) % window
        since++
        if (judged.length >= 50 && since >= Math.max(25, Math.min(judged.length / 10, window / 8))) {
          since = 0
          certify()
        }
      }
    }
  })
}

/**
 * The upper Clopper–Pearson bound on a share of which `wrong` in `count` were seen, whole numbers or effective ones: the share at which seeing so few would
 * have probability 1 − `confidence`. Source: Clopper and Pearson, Biometrika 26 (1934); it is the `confidence` quantile
 * of the Beta(wrong + 1, count − wrong) distribution.
 *
 * @example
 * ```ts
 * import { upperBound } from "@interlock/stages/cache/certification"
 *
 * upperBound(0, 59, 0.95) < 0.05 // => true
 * upperBound(0, 58, 0.95) < 0.05 // => false
 * ```
 *
 * @category statistics
 * @since 0.1.0
 */
export const upperBound = (wrong: number, count: number, confidence: number): number => {
  if (wrong >= count) return 1
  let low = 0
  let high = 1
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2
    if (betaBelow(middle, wrong + 1, count - wrong) < confidence) low = middle
    else high = middle
  }
  return high
}

/** The regularised incomplete beta function; Numerical Recipes, 3rd edition, 6.4 (Lentz's continued fraction). */
const betaBelow = (x: number, a: number, b: number): number => {
  if (x <= 0) return 0
  if (x >= 1) return 1
  if (x > (a + 1) / (a + b + 2)) return 1 - betaBelow(1 - x, b, a)
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x))
  const tiny = 1e-300
  const away = (value: number) => (Math.abs(value) < tiny ? tiny : value)
  let c = 1
  let d = 1 / away(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= 1_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / away(1 + even * d)
    c = away(1 + even / c)
    fraction *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / away(1 + odd * d)
    c = away(1 + odd / c)
    fraction *= d * c
    if (Math.abs(d * c - 1) < 1e-13) break
  }
  return (front * fraction) / a
}

/** Stirling's series, after shifting the argument above 10. */
const logGamma = (value: number): number => {
  let x = value
  let shift = 0
  for (; x < 10; x++) shift -= Math.log(x)
  const inverse = 1 / (x * x)
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / x
  return shift + (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series
}

/**
 * The threshold of the semantic tier, earned from judged traffic: it serves only above a score at which the upper
 * Clopper–Pearson bound on the share of wrong answers is below the user's α.
 *
 * Judgements are kept in a window of the newest `window`. Whenever their number has grown by a fifth (or by an eighth of the
 * window, once it is full) a new certificate is sought: the scores are cut at `levels` places that depend on the scores
 * alone, and the cuts are tested from high to low until one fails (fixed-sequence testing, so that no test costs another
 * its confidence; two sequences share the risk). The lowest cut that passed is the threshold until the next certificate;
 * where none passes, the tier is off. Hits are judged less often than misses, so near misses weigh more in the window than
 * in the traffic: where wrong answers grow rarer as scores grow, that makes the bound larger, never smaller.
 *
 * Each certificate holds with the stated confidence on traffic like the window's. It is no promise about traffic unlike
 * it: drift shows in the next certificate.
 *
 * @since 0.1.0
 */

import { Effect } from "effect"
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
  /** At how many places the scores are cut; 32. */
  readonly levels?: number
}

/**
 * The threshold in force for one class of traffic, and what it rests on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Certificate {
  /** Serve at or above this score; `undefined` when the tier has not earned one. */
  readonly threshold: number | undefined
  /** The upper bound on wrong hits at the threshold; 1 when there is none. */
  readonly bound: number
  /** How many judgements at or above the threshold it rests on. */
  readonly judged: number
}

/**
 * Collects judgements of one class of traffic and keeps its certificate.
 *
 * @category models
 * @since 0.1.0
 */
export interface Certification {
  readonly certificate: () => Certificate
  /** Adds one judgement: the score that the candidate had, and whether its answer would have done. */
  readonly observe: (score: number, right: boolean) => void
}

/** Where the tests begin, as shares of the cuts: one from the top, one further down in case the top is noisy. */
const starts = [0, 0.3]

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
    const scores: Array<number> = []
    const rights: Array<boolean> = []
    let next = 0
    let since = 0
    let current = off
    const certify = () => {
      const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]!)
      // How many judgements, and how many wrong ones, at or above each cut.
      const cuts: Array<{ readonly threshold: number; readonly count: number; readonly wrong: number }> = []
      let wrong = 0
      for (let index = 0, level = 1; index < order.length; index++) {
        const threshold = scores[order[index]!]!
        const count = index + 1
        if (!rights[order[index]!]) wrong++
        if (count < (order.length * level) / levels) continue
        // Equal scores stand or fall together.
        if (count < order.length && scores[order[count]!] === threshold) continue
        cuts.push({ threshold, count, wrong })
        while (count >= (order.length * level) / levels) level++
      }
      current = off
      for (const [sequence, start] of starts.entries()) {
        for (const cut of cuts.slice(Math.floor(cuts.length * start))) {
          const bound = upperBound(cut.wrong, cut.count, 1 - (1 - confidence) / starts.length)
          if (bound > alpha) {
            // At the very top there may be too few to tell: going on is no second look, since nothing has passed or failed.
            if (sequence === 0 && upperBound(0, cut.count, 1 - (1 - confidence) / starts.length) > alpha) continue
            break
          }
          if (current.threshold === undefined || cut.threshold < current.threshold) {
            current = { threshold: cut.threshold, bound, judged: cut.count }
          }
        }
      }
    }
    return {
      certificate: () => current,
      observe: (score, right) => {
        scores[next] = score
        rights[next] = right
        next = (next + 1) % window
        since++
        if (scores.length >= 50 && since >= Math.max(25, Math.min(scores.length / 5, window / 8))) {
          since = 0
          certify()
        }
      }
    }
  })
}

/**
 * The upper Clopper–Pearson bound on a share of which `wrong` in `count` were seen: the share at which seeing so few would
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

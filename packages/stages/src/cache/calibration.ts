/**
 * The chance that a cached answer will do, learned from judged ones: a logistic regression over what is seen of the match, fitted
 * one judgement at a time by Newton steps, with the older ones slowly forgotten. A similarity means one thing in an empty
 * cache and another in a full one; a chance means the same in both, so that judgements of different times can be counted
 * together. Source of the method: online Newton step, Hazan, Agarwal and Kale 2007.
 *
 * @since 0.1.0
 */

/**
 * Learns chances.
 *
 * @category models
 * @since 0.1.0
 */
export interface Calibration {
  /** 0 to 1; a half before anything is learned. */
  readonly chance: (features: ReadonlyArray<number>) => number
  readonly learn: (features: ReadonlyArray<number>, right: boolean) => void
}

/** Each judgement counts this much less than the one after it. */
const forgetting = 0.999

/**
 * Makes a calibration over a number of features, each of them of the order of 1; one should be constant.
 *
 * @example
 * ```ts
 * import { makeCalibration } from "@interlock/stages/cache/calibration"
 *
 * const calibration = makeCalibration(2)
 * for (let time = 0; time < 200; time++) calibration.learn([1, time % 2], time % 2 === 1)
 * calibration.chance([1, 1]) > 0.9 // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeCalibration = (dimension: number): Calibration => {
  const weights = new Float64Array(dimension)
  // The inverse of the curvature, beginning with that of a prior of variance 1.
  const inverse = Array.from({ length: dimension }, (_, row) => new Float64Array(dimension).fill(1, row, row + 1))
  const chance = (features: ReadonlyArray<number>) => {
    let sum = 0
    for (let index = 0; index < dimension; index++) sum += weights[index]! * features[index]!
    return 1 / (1 + Math.exp(-sum))
  }
  return {
    chance,
    learn: (features, right) => {
      const expected = chance(features)
      const curvature = Math.max(0.02, expected * (1 - expected))
      const turned = inverse.map((row) => row.reduce((sum, entry, index) => sum + entry * features[index]!, 0))
      const spread = turned.reduce((sum, entry, index) => sum + entry * features[index]!, 0)
      const gain = curvature / (forgetting + curvature * spread)
      for (let row = 0; row < dimension; row++) {
        for (let column = 0; column < dimension; column++) {
          inverse[row]![column]! -= gain * turned[row]! * turned[column]!
          inverse[row]![column]! /= forgetting
        }
      }
      const surprise = (right ? 1 : 0) - expected
      for (let row = 0; row < dimension; row++) {
        weights[row]! += surprise * inverse[row]!.reduce((sum, entry, index) => sum + entry * features[index]!, 0)
      }
    }
  }
}

import { assert, describe, it } from "@effect/vitest"
import { type Certification, make, upperBound } from "@interlock/stages/cache/certification"
import { Effect } from "effect"

/** A generator of uniform numbers that is the same on every run. */
const uniform = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

describe("upperBound", () => {
  it("agrees with tables of the exact one-sided bound", () => {
    // 1 − 0.05^(1/n) for no wrong answer; binom.test(k, n, alternative = "less") in R for the others.
    assert.approximately(upperBound(0, 59, 0.95), 1 - 0.05 ** (1 / 59), 1e-9)
    assert.approximately(upperBound(0, 299, 0.95), 1 - 0.05 ** (1 / 299), 1e-9)
    assert.approximately(upperBound(1, 2, 0.95), Math.sqrt(0.95), 1e-9)
    assert.strictEqual(upperBound(5, 5, 0.95), 1)
  })

  it("is the share at which seeing so few has probability 1 − confidence", () => {
    for (const [wrong, count] of [
      [3, 100],
      [17, 400],
      [60, 1_000]
    ] as const) {
      const share = upperBound(wrong, count, 0.99)
      let term = (1 - share) ** count
      let sum = term
      for (let k = 1; k <= wrong; k++) {
        term *= (((count - k + 1) / k) * share) / (1 - share)
        sum += term
      }
      assert.approximately(sum, 0.01, 1e-8)
    }
  })
})

/** Considers a candidate with one number to tell it by, and has it judged. */
const judge = (certification: Certification, number: number, right: boolean) =>
  certification.observe(certification.consider([1, 2 * number - 1]), right)

/** The smallest number, in steps of a hundredth, that would be served; `undefined` where none would. */
const served = (certification: Certification): number | undefined => {
  const { threshold } = certification.certificate()
  return threshold === undefined
    ? undefined
    : Array.from({ length: 101 }, (_, step) => step / 100).find(
        (number) => certification.consider([1, 2 * number - 1]).chance >= threshold
      )
}

describe("Certification", () => {
  it.effect("finds a threshold where there is one, and none where wrong answers are too many at every score", () =>
    Effect.gen(function* () {
      const start = yield* make({ alpha: 0.05 })
      const random = uniform(1)
      const [good, bad] = [start(), start()]
      for (let index = 0; index < 3_000; index++) {
        const score = random()
        // 1 % wrong above 0.5, 50 % below; against 8 % wrong everywhere.
        judge(good, score, random() < (score >= 0.5 ? 0.99 : 0.5))
        judge(bad, score, random() < 0.92)
      }
      const from = served(good)
      assert.isTrue(from !== undefined && from > 0.45 && from < 0.75)
      assert.isBelow(good.certificate().bound, 0.05)
      assert.strictEqual(bad.certificate().threshold, undefined)
    })
  )

  it.effect("serves traffic with at most alpha wrong, in all but the promised share of runs", () =>
    Effect.gen(function* () {
      const start = yield* make({ alpha: 0.05 })
      let [broken, on] = [0, 0]
      for (let run = 0; run < 200; run++) {
        const random = uniform(run + 7)
        const certification = start()
        for (let index = 0; index < 600; index++) {
          const score = random()
          judge(certification, score, random() > 0.2 * (1 - score))
        }
        // Above t the share of wrong answers is 0.2 (1 − t)/2, so 5 % are reached at t = 0.5.
        const from = served(certification)
        if (from !== undefined) on++
        if (from !== undefined && from < 0.5) broken++
      }
      assert.isAtMost(broken, 14)
      assert.isAtLeast(on, 20)
    })
  )

  it.effect("turns off when traffic drifts, and needs a hundred judgements or so before it turns on", () =>
    Effect.gen(function* () {
      const certification = (yield* make({ alpha: 0.05, window: 1_000 }))()
      const random = uniform(3)
      for (let index = 0; index < 60; index++) judge(certification, random(), true)
      assert.strictEqual(certification.certificate().threshold, undefined)
      for (let index = 0; index < 1_000; index++) judge(certification, random(), true)
      assert.isDefined(certification.certificate().threshold)
      for (let index = 0; index < 600; index++) judge(certification, random(), random() < 0.7)
      assert.strictEqual(certification.certificate().threshold, undefined)
    })
  )

  it.effect("says why an alpha outside 0 to 1 cannot work", () =>
    Effect.gen(function* () {
      for (const alpha of [0, 1, -0.1, Number.NaN]) {
        const error = yield* Effect.flip(make({ alpha }))
        assert.include(error.message, `alpha is ${alpha}: it must lie between 0 and 1`)
      }
    })
  )
})

import { describe, expect, it } from "@effect/vitest"
import * as Evaluation from "@interlock/learn/routerEvaluation"
import type { Row } from "@interlock/learn/routerRows"
import * as Training from "@interlock/learn/routerTraining"
import * as Predictor from "@interlock/stages/selectModel/predictor"
import { Effect } from "effect"

const subjects = ["algebra proof", "postal address", "tax rule", "weather report"]

/** The strong model is better on two of four subjects only; `noise` of the grades are by chance. */
const graded = (count: number, seed: number, noise = 0.1) => {
  const next = Training.random(seed)
  const rows = Array.from({ length: count }, (_, index): Row => {
    const subject = Math.floor(next() * subjects.length)
    const hard = next() < noise ? next() < 0.5 : subject < 2
    return {
      id: String(index),
      prompt: `Please explain this ${subjects[subject]} number ${index} to me.`,
      outcomes: {
        cheap: { quality: hard ? 0 : 1, costUsd: 0.001, answer: hard ? "2 + 2 = 5, I am not sure" : "2 + 2 = 4." },
        strong: { quality: 1, costUsd: 0.02 }
      }
    }
  })
  return { rows, models: ["cheap", "strong"] }
}
const decided = (rows: ReadonlyArray<Row>, score: (row: Row) => number): ReadonlyArray<Evaluation.Measured> =>
  rows.map((row) => ({
    group: row.prompt,
    score: score(row),
    length: row.prompt.length,
    cheapQuality: row.outcomes["cheap"]!.quality,
    strongQuality: row.outcomes["strong"]!.quality,
    cheapCost: 0.001,
    strongCost: 0.02
  }))

describe("routerTraining", () => {
  it.effect("learns on which prompts the strong model is worth it", () =>
    Effect.gen(function* () {
      const { predictor } = yield* Training.train(graded(300, 1), { judges: [] })
      const test = graded(300, 2).rows
      const result = Evaluation.evaluate(
        [
          decided(test, (row) => {
            const [cheap, strong] = Predictor.qualities(predictor, row.prompt)
            return strong! - cheap!
          })
        ],
        { resamples: 200 }
      )
      expect(result.apgr).toBeGreaterThan(0.68)
      expect(result.intervals.apgr[0]).toBeGreaterThan(0.6)
      expect(result.intervals.savedOverRandom["95"]![0]).toBeGreaterThan(0)
      expect(result.baselines.random.apgr).toBeCloseTo(0.5, 10)
      expect(result.baselines.oracle.apgr).toBeGreaterThanOrEqual(result.apgr)
    })
  )

  it.effect("learns to judge answers", () =>
    Effect.gen(function* () {
      const { predictor } = yield* Training.train(graded(200, 1, 1))
      expect(predictor.manifest.judges).toEqual(["cheap"])
      const prompt = "Please explain this postal address number 7 to me."
      const good = Predictor.qualitiesGiven(predictor, prompt, "cheap", "3 + 4 = 7.")
      const bad = Predictor.qualitiesGiven(predictor, prompt, "cheap", "3 + 4 = 8, I am not sure")
      expect(good[0]! - bad[0]!).toBeGreaterThan(0.5)
    })
  )

  it.effect("writes an artefact that reads back, and refuses any other", () =>
    Effect.gen(function* () {
      const { predictor } = yield* Training.train(graded(60, 1))
      const bytes = Predictor.encode(predictor)
      const read = yield* Predictor.decode(bytes)
      const prompt = "Please explain this tax rule number 5 to me."
      expect(Predictor.qualities(read, prompt)).toEqual(Predictor.qualities(predictor, prompt))
      expect(Predictor.qualitiesGiven(read, prompt, "cheap", "Yes.")).toEqual(
        Predictor.qualitiesGiven(predictor, prompt, "cheap", "Yes.")
      )
      const refused = (bad: Uint8Array) => Effect.map(Effect.flip(Predictor.decode(bad)), (error) => error.reason)
      expect(yield* refused(new Uint8Array(0))).toBe("Foreign")
      expect(yield* refused(new TextEncoder().encode('{"kind":"other"}\n'))).toBe("Foreign")
      expect(yield* refused(bytes.subarray(0, bytes.length - 4))).toBe("Corrupt")
      const altered = Uint8Array.from(bytes)
      altered[altered.length - 2]! ^= 1
      expect(yield* refused(altered)).toBe("Corrupt")
      const line = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(10) + 1))
      const other = new TextEncoder().encode(line.replace(/"features":\d+/, '"features":99'))
      expect(yield* refused(other)).toBe("Version")
      // As an earlier version wrote it, which knew of no word vectors.
      const earlier = line.replace(/"features":\d+/, '"features":2').replace(/"vectors":\{[^}]*\},/, "")
      expect(earlier).not.toContain("vectors")
      expect(yield* refused(new TextEncoder().encode(earlier))).toBe("Version")
      const lacking = line.replace(/"vectors":\{[^}]*\},/, "")
      expect(yield* refused(new TextEncoder().encode(lacking))).toBe("Corrupt")
    })
  )

  it.effect("takes any name for a model", () =>
    Effect.gen(function* () {
      const { rows } = graded(60, 1)
      const renamed = rows.map((row) => ({
        ...row,
        outcomes: { constructor: row.outcomes["strong"]!, toString: row.outcomes["cheap"]! }
      }))
      const trained = yield* Training.train({ rows: renamed, models: ["constructor", "toString"] })
      expect(trained.predictor.manifest.judges).toEqual(["toString"])
      expect(trained.heldOutGiven.get("constructor")).toBeUndefined()
    })
  )

  it.effect("is the same every time", () =>
    Effect.gen(function* () {
      const one = Predictor.encode((yield* Training.train(graded(60, 1))).predictor)
      const two = Predictor.encode((yield* Training.train(graded(60, 1))).predictor)
      expect(Buffer.from(one).equals(Buffer.from(two))).toBe(true)
    })
  )

  it.effect("refuses too few rows and rows without a difference", () =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(Training.train(graded(5, 1)))).reason).toBe("Empty")
      const { models, rows } = graded(50, 1)
      const flat = rows.map((row) => ({
        ...row,
        outcomes: {
          cheap: { ...row.outcomes["cheap"]!, quality: 0.5 },
          strong: { ...row.outcomes["strong"]!, quality: 0.5 }
        }
      }))
      expect((yield* Effect.flip(Training.train({ models, rows: flat }))).reason).toBe("OneOutcome")
    })
  )
})

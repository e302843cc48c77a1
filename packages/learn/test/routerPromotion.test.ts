import { describe, expect, it } from "@effect/vitest"
import * as Promotion from "@interlock/learn/routerPromotion"
import type { Row } from "@interlock/learn/routerRows"
import * as Training from "@interlock/learn/routerTraining"
import { Effect } from "effect"

const graded = (count: number, signal: number) => {
  const next = Training.random(7)
  const rows = Array.from({ length: count }, (_, index): Row => {
    const topic = next() < 0.5 ? "algebra proof" : "postal address"
    const hard = next() < signal ? topic === "algebra proof" : next() < 0.5
    return {
      id: String(index),
      prompt: `Explain the ${topic} ${index}`,
      outcomes: { cheap: { quality: hard ? 0 : 1, costUsd: 0.001 }, strong: { quality: 1, costUsd: 0.02 } }
    }
  })
  return { rows, models: ["cheap", "strong"] }
}

describe("routerPromotion", () => {
  it.effect("promotes a router that saves more than chance", () =>
    Effect.gen(function* () {
      const promoted = yield* Promotion.promote(graded(200, 0.9), { resamples: 200 })
      expect(promoted).toMatchObject({ cheap: "cheap", strong: "strong", cascade: undefined })
      expect(promoted.predictor.manifest.evaluation.apgr).toBe(promoted.routing.apgr)
      expect(promoted.routing.intervals.savedOverRandom["95"]![0]).toBeGreaterThan(0)
    })
  )

  it.effect("refuses one that does not, and says how many prompts it would take", () =>
    Effect.gen(function* () {
      const refusals = yield* Effect.forEach([graded(150, 0), graded(60, 0.15)], (rows) =>
        Effect.flip(Promotion.promote(rows, { resamples: 200 }))
      )
      for (const refusal of refusals) {
        expect(refusal._tag).toBe("NotSignificant")
        expect(refusal).toMatchObject({ rows: expect.any(Number), needed: expect.any(Number) })
        if (refusal._tag === "NotSignificant") expect(refusal.needed).toBeGreaterThan(refusal.rows)
        expect(refusal.message).toMatch(/about \d+ graded prompts/)
      }
    })
  )
})

import * as Evaluation from "@interlock/learn/routerEvaluation"
import { describe, expect, it } from "vitest"

const row = (score: number, cheapQuality: number, strongQuality: number): Evaluation.Measured => ({
  group: `${score}`,
  score,
  length: 1,
  cheapQuality,
  strongQuality,
  cheapCost: 1,
  strongCost: 10
})

describe("routerEvaluation", () => {
  it("measures a known order by hand", () => {
    // Gaps in order of score: 1, 0, 1, 0.
    const rows = [row(4, 0, 1), row(3, 1, 1), row(2, 0, 1), row(1, 1, 1)]
    const figures = Evaluation.measure(Evaluation.order(rows, false))
    // Recovered after each prompt: 1/2, 1/2, 1, 1; the area under the straight lines between.
    expect(figures.apgr).toBeCloseTo((0.25 + 0.5 + 0.75 + 1) / 4, 12)
    expect(figures.cpt["50"]).toBeCloseTo(0.25, 12)
    expect(figures.cpt["90"]).toBeCloseTo((2 + 0.8) / 4, 12)
    // 95 % of the strong score of 4 is 3.8: gap to recover 1.8 of 2, at 2.8 strong calls.
    expect(figures.costCut["95"]).toBeCloseTo(1 - (4 + 2.8 * 9) / 40, 12)
    const cascade = Evaluation.measure(Evaluation.order(rows, true))
    expect(cascade.apgr).toBe(figures.apgr)
    expect(cascade.costCut["95"]).toBeCloseTo(1 - (4 + 2.8 * 10) / 40, 12)
  })

  it("takes ties in every order at once", () => {
    const rows = [row(1, 0, 1), row(1, 1, 1), row(1, 0, 1), row(1, 1, 0)]
    const one = Evaluation.measure(Evaluation.order(rows, false))
    const other = Evaluation.measure(Evaluation.order([...rows].reverse(), false))
    expect(one).toEqual(other)
    expect(one.apgr).toBeCloseTo(0.5, 12)
  })

  it("counts weights like copies", () => {
    const rows = [row(3, 0, 1), row(2, 1, 0.5), row(1, 0.5, 1)]
    const copied = [...rows, rows[0]!, rows[2]!, rows[2]!]
    const weights = (each: { readonly score: number }) => (each.score === 3 ? 2 : each.score === 1 ? 3 : 1)
    const one = Evaluation.measure(Evaluation.order(rows, false), weights)
    const other = Evaluation.measure(Evaluation.order(copied, false))
    expect(one.apgr).toBeCloseTo(other.apgr, 12)
    expect(one.costCut["95"]).toBeCloseTo(other.costCut["95"], 12)
  })
})

import type { Journal } from "@interlock/model"
import * as Report from "@interlock/workload/Report"
import { describe, expect, it } from "vitest"

const outcome = (line: number, events: ReadonlyArray<Journal.Event>): Report.Outcome => ({
  line,
  id: `${line}`,
  text: "",
  latencyMs: 1,
  events
})
const chosen = (attributes: { readonly [key: string]: string | number }): Journal.Event => ({
  _tag: "Fact",
  stage: "selectModel",
  name: "ChosenModel",
  attributes
})

describe("Report", () => {
  it("shows predicted cost beside always strong, always cheapest and chance", () => {
    const priced = chosen({ predictedCostUsd: 1, alwaysStrongUsd: 5, alwaysCheapUsd: 1, randomUsd: 3 })
    const report = Report.make([
      outcome(1, [priced]),
      outcome(2, [priced]),
      outcome(3, [chosen({ model: "unpriced" })])
    ])
    expect(report.routing).toEqual({ calls: 2, chosenUsd: 2, alwaysStrongUsd: 10, alwaysCheapUsd: 2, randomUsd: 6 })
    expect(Report.table(report)).toContain("always strong")
  })

  it("says nothing of routing where nothing was predicted", () => {
    const report = Report.make([outcome(1, [chosen({ model: "unpriced" })])])
    expect(report.routing).toBeUndefined()
    expect(Report.table(report)).not.toContain("always strong")
  })
})

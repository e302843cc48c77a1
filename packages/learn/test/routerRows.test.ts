import { describe, expect, it } from "@effect/vitest"
import * as Rows from "@interlock/learn/routerRows"
import { Effect } from "effect"

const row = (id: string, outcomes: unknown) => JSON.stringify({ id, prompt: `prompt ${id}`, outcomes })
const two = (a: number, b: number) => ({ a: { quality: a, costUsd: 0.1 }, b: { quality: b, costUsd: 1 } })
const refusal = (text: string) => Effect.flip(Rows.parse(text, "rows.jsonl"))

describe("routerRows", () => {
  it.effect("reads rows and names the pair to route between", () =>
    Effect.gen(function* () {
      const graded = yield* Rows.parse(`${row("1", two(0, 1))}\n\n${row("2", two(1, 1))}\n`, "rows.jsonl")
      expect(graded.models).toEqual(["a", "b"])
      expect(yield* Rows.pair(graded)).toEqual({ strong: "b", cheap: "a" })
    })
  )

  it.effect("refuses what cannot be trained on, and says what to do", () =>
    Effect.gen(function* () {
      expect((yield* refusal("\n")).reason).toBe("Empty")
      const malformed = yield* refusal(`${row("1", two(0, 1))}\nnot json`)
      expect(malformed.reason).toBe("Malformed")
      expect(malformed.message).toContain("line 2")
      expect((yield* refusal(row("1", two(0, 7)))).reason).toBe("Malformed")
      expect((yield* refusal(row("1", { a: { quality: 1, costUsd: 1 } }))).reason).toBe("OneModel")
      const unlabelled = yield* refusal(`${row("1", two(0, 1))}\n${row("2", { a: { quality: 1, costUsd: 1 } })}`)
      expect(unlabelled.reason).toBe("Unlabelled")
      expect(unlabelled.message).toContain("row 2")
    })
  )

  it.effect("says when there is nothing to route", () =>
    Effect.gen(function* () {
      const graded = yield* Rows.parse(row("1", two(1, 1)), "rows.jsonl")
      expect((yield* Effect.flip(Rows.pair(graded))).reason).toBe("OneOutcome")
      const cheaper = yield* Rows.parse(row("1", two(1, 0)), "rows.jsonl")
      expect((yield* Effect.flip(Rows.pair(cheaper))).message).toContain("Use a alone")
    })
  )
})

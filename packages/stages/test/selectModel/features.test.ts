import * as Features from "@interlock/stages/selectModel/features"
import * as WordVectors from "@interlock/stages/wordVectors"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"

const slots = (text: string, options?: { readonly anyDigit?: boolean }) => [
  ...Features.terms(text, 1 << 16, options).slots
]

describe("features", () => {
  it("reads words and pairs, whatever the case", () => {
    expect(slots("Where is it")).toHaveLength(5)
    expect(slots("WHERE is it")).toEqual(slots("where IS it"))
    expect(slots("it is where")).not.toEqual(slots("where is it"))
  })

  it("is frozen: golden slots", () => {
    expect(slots("Add 12 apples")).toMatchInlineSnapshot(`
      [
        57704,
        3030,
        10202,
        30165,
        12258,
      ]
    `)
    expect(slots("苹果多少钱")).toMatchInlineSnapshot(`
      [
        25957,
        28275,
        31231,
        57037,
        51028,
        9302,
        47041,
        58658,
        41674,
      ]
    `)
  })

  it("reads scripts without spaces by character", () => {
    expect(slots("苹果多少钱")).toHaveLength(9)
  })

  it("can take all numbers of one length for the same", () => {
    expect(slots("12 apples", { anyDigit: true })).toEqual(slots("47 apples", { anyDigit: true }))
    expect(slots("12 apples")).not.toEqual(slots("47 apples"))
  })

  it("gives as many figures as it says, all finite, for any text", () => {
    for (const text of ["", "?", "\u0000\ud800", "1 2 3", "A. yes\nB. no", "3 + 4 = 7", "，。", "x".repeat(100_000)]) {
      const structure = Features.structure(text)
      const checks = Features.checks(text, text)
      expect(structure).toHaveLength(Features.structureLength)
      expect(checks).toHaveLength(Features.checksLength)
      expect(structure.every(Number.isFinite)).toBe(true)
    }
  })

  it("reads what a prompt is about, whatever its words", async () => {
    const vectors = await Effect.runPromise(WordVectors.english)
    const meaning = (text: string) => Features.meaning(text, vectors)
    const likeness = (a: string, b: string) => {
      const other = meaning(b)
      return meaning(a).reduce((sum, value, index) => sum + value * other[index]!, 0)
    }
    expect(Math.hypot(...meaning("how many apples are left"))).toBeCloseTo(1)
    expect(Math.hypot(...meaning("apples 苹果"))).toBeCloseTo(1 / 3)
    expect(meaning("left are apples MANY how how?")).toEqual(meaning("how many apples are left?"))
    expect(meaning("把这句话翻译成英文").every((value) => value === 0)).toBe(true)
    expect(likeness("physician prescribes pills", "doctor gives medicine")).toBeGreaterThan(
      likeness("physician prescribes pills", "team wins football")
    )
  })

  it("checks what an answer calculates, in several notations", () => {
    const question = "Ann has 16 eggs, eats 3 and bakes with 4. The rest sells for $2 each. How much does she make?"
    // Figures 2 and 3: ln(1 + right), ln(1 + wrong).
    for (const answer of [
      "16 - 3 - 4 = 9 eggs, and 9 * $2 = $18.",
      "16 eggs - 3 eggs - 4 eggs = 9 eggs. 9 x $2 = $<<9*2=18>>18",
      "(16 − 3) − 4 = 9\n9 × 2 = 18"
    ]) {
      const checks = Features.checks(question, answer)
      expect(checks[2]).toBeCloseTo(Math.log1p(2))
      expect(checks[3]).toBe(0)
    }
    const slip = Features.checks(question, "16 - 3 - 4 = 8 eggs, and 8 * $2 = $16.")
    expect(slip[2]).toBeCloseTo(Math.log1p(1))
    expect(slip[3]).toBeCloseTo(Math.log1p(1))
  })

  it("stays fast on hostile text", () => {
    const hostile = ["(".repeat(20_000), "1+".repeat(10_000), "1 a ".repeat(5_000), "1+1=".repeat(5_000)]
    for (const text of hostile) expect(Features.checks(text, text)).toHaveLength(Features.checksLength)
  })
})

import { assert, describe, it } from "@effect/vitest"
import { pack } from "@interlock/stages/batch"
import { isAllowed } from "@interlock/stages/batchPack"
import { Effect } from "effect"

const good = { alone: { right: 1_900, total: 2_000 }, packed: { right: 1_905, total: 2_000 } }

/** Answers in capitals; `spoil` changes the lines of a packed answer. */
const model = (spoil: (lines: ReadonlyArray<string>) => ReadonlyArray<string> = (lines) => lines) => {
  const asked: Array<string> = []
  const ask = (prompt: string) =>
    Effect.sync(() => {
      asked.push(prompt)
      if (!prompt.startsWith("Below are")) return prompt.toUpperCase()
      const tasks = prompt
        .split("\n")
        .slice(2)
        .map((line) => JSON.parse(line))
      return spoil(tasks.map(({ id, task }) => JSON.stringify({ id, answer: task.toUpperCase() }))).join("\n")
    })
  return { asked, ask }
}

describe("batch.pack", () => {
  it.effect("asks several in one call and answers in order, whatever order the model chose", () =>
    Effect.gen(function* () {
      const { ask, asked } = model((lines) => ["Here you are:", ...lines].reverse())
      const answer = yield* pack({ ask, evaluation: good, size: 3 })
      assert.deepStrictEqual(yield* answer(["a", "b", "c", "d"]), ["A", "B", "C", "D"])
      assert.strictEqual(asked.length, 2)
      assert.deepStrictEqual(yield* answer([]), [])
    })
  )

  it.effect("asks again alone what is missing, doubled, malformed or under an unknown id", () =>
    Effect.gen(function* () {
      const spoils: ReadonlyArray<(lines: ReadonlyArray<string>) => ReadonlyArray<string>> = [
        (lines) => lines.slice(1),
        ([first, ...lines]) => [first!, first!.replace("A", "Z"), ...lines],
        ([first, ...lines]) => [first!.slice(0, -3), ...lines],
        ([first, ...lines]) => [first!.replace('"A"', "5"), ...lines],
        ([first, ...lines]) => [first!.replace(/"id":"\w+"/u, '"id":"nobody"'), ...lines]
      ]
      for (const spoil of spoils) {
        const { ask, asked } = model(spoil)
        const answer = yield* pack({ ask, evaluation: good })
        assert.deepStrictEqual(yield* answer(["a", "b", "c"]), ["A", "B", "C"])
        assert.deepStrictEqual(asked.slice(1), ["a"])
      }
    })
  )

  it.effect("packs nothing unless the evaluation allows it", () =>
    Effect.gen(function* () {
      for (const evaluation of [undefined, { ...good, packed: { right: 1_800, total: 2_000 } }]) {
        const { ask, asked } = model()
        const answer = yield* pack({ ask, ...(evaluation === undefined ? {} : { evaluation }) })
        assert.deepStrictEqual(yield* answer(["a", "b"]), ["A", "B"])
        assert.deepStrictEqual(asked, ["a", "b"])
      }
    })
  )

  it("wants evidence, not luck", () => {
    assert.isTrue(isAllowed(good, 0.02))
    assert.isFalse(isAllowed({ alone: { right: 10, total: 10 }, packed: { right: 10, total: 10 } }, 0.02))
  })

  it.effect("refuses a size of 0", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(pack({ ...model(), size: 0 }))
      assert.include(error.message, "batch.pack size is 0")
    })
  )
})

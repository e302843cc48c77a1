import { assert, describe, it } from "@effect/vitest"
import { Deduplicate, Ledger, Split } from "@interlock/collector"
import { Part, Prompt, type SafeText } from "@interlock/model"
import { Effect } from "effect"
import fc from "fast-check"

/** A ledger with an accepted answer for each prompt. */
const fill = Effect.fnUntraced(function* (texts: ReadonlyArray<string>) {
  const ledger = yield* Ledger.Ledger
  yield* ledger.plan(
    texts.map((_, index) => ({ line: index + 1, id: String(index + 1), digest: `d${index}` })),
    1
  )
  yield* Effect.forEach(texts, (text, index) =>
    Effect.andThen(
      ledger.sink.begin({
        key: `d${index}/0`,
        prompt: Prompt.make(text) as Prompt.Prompt<SafeText>,
        teacher: { provider: "offline", model: "offline-large" },
        settings: {}
      }),
      ledger.sink.finish(`d${index}/0`, {
        _tag: "Answered",
        parts: Part.text(`Answer ${index}`),
        spent: { tries: 1, costUsd: 0, costComplete: true }
      })
    )
  )
  const unjudged = yield* ledger.unjudged(0, texts.length)
  yield* ledger.judged(unjudged.map(({ sample }) => ({ row: sample.row, score: 1 })))
  return ledger
})

const words = Array.from({ length: 400 }, (_, index) => `word${index}`)
const text = fc.array(fc.constantFrom(...words), { minLength: 12, maxLength: 40 })

/** Random texts, some of them with one to three words changed. */
const corpus = fc.array(fc.tuple(text, fc.array(fc.tuple(fc.nat(39), fc.constantFrom(...words)), { maxLength: 3 })), {
  minLength: 20,
  maxLength: 60
})

const written = (rows: ReadonlyArray<readonly [ReadonlyArray<string>, ReadonlyArray<readonly [number, string]>]>) =>
  rows.flatMap(([one, changes]) => {
    const changed = [...one]
    for (const [at, word] of changes) changed[at % changed.length] = word
    return [one.join(" "), changed.join(" ")]
  })

describe("Deduplicate", () => {
  it("finds no pair that is not alike, and the pairs that are", async () => {
    let [due, found, together] = [0, 0, 0]
    await fc.assert(
      fc.asyncProperty(corpus, (rows) => {
        const texts = written(rows)
        return Effect.gen(function* () {
          const ledger = yield* fill(texts)
          yield* Deduplicate.run()
          const clusters = new Map((yield* ledger.clusters(0, texts.length)).map(({ cluster, row }) => [row, cluster]))
          const shingles = texts.map(Deduplicate.shingles)
          const alike = (yield* ledger.candidates([-1, -1], 100_000)).filter(
            ({ first, second }) => Deduplicate.jaccard(shingles[first - 1]!, shingles[second - 1]!) >= 0.6
          )
          // The first item that is reached over pairs that are alike.
          const reached = texts.map((_, index) => index + 1)
          for (const _ of texts) {
            for (const { first, second } of alike) {
              const least = Math.min(reached[first - 1]!, reached[second - 1]!)
              reached[first - 1] = reached[second - 1] = least
            }
          }
          for (const [row, cluster] of clusters) assert.strictEqual(cluster, reached[row - 1])
          together += reached.filter((first, index) => first !== index + 1).length
          const removed = new Map((yield* ledger.rejections(0, texts.length)).map(({ detail, item }) => [item, detail]))
          yield* ledger.settle
          const kept = (yield* ledger.items(0, texts.length, true)).map(({ row }) => row)
          for (const [index, one] of kept.entries()) {
            for (const other of kept.slice(index + 1)) {
              if (Deduplicate.jaccard(shingles[one - 1]!, shingles[other - 1]!) >= 0.8) due++
            }
          }
          found += texts.length - kept.length
          assert.strictEqual(removed.size, 0)
        }).pipe(Effect.provide(Ledger.layerMemory), Effect.runPromise)
      }),
      { numRuns: 12, seed: 7 }
    )
    // Of pairs of similarity 0.8 one in 5,000 does not meet; the texts here are few.
    assert.strictEqual(due, 0)
    assert.isAbove(found, 50)
    assert.isAbove(together, found)
  })

  it.effect("the first of several stays, and what is equal is told from what is alike", () =>
    Effect.gen(function* () {
      const long = "how do I take the chain off the bicycle when the lock is broken and there is no tool"
      const ledger = yield* fill([long, `${long} here`, `  ${long.toUpperCase()}`, "something else altogether, please"])
      const found = yield* Deduplicate.run()
      assert.deepStrictEqual(found, { exact: 1, near: 1, answers: 0 })
      yield* ledger.settle
      assert.deepStrictEqual(
        (yield* ledger.rejections(0, 10)).map(({ detail, item, reason }) => [item, reason, detail.slice(0, 11)]),
        [
          [2, "NearDuplicate", "like item 1"],
          [3, "ExactDuplicate", "the same as"]
        ]
      )
    }).pipe(Effect.provide(Ledger.layerMemory))
  )

  it.effect("what is alike but stays goes to one part", () =>
    Effect.gen(function* () {
      // Each is 0.6 to 0.8 like the next, and less like the one after.
      const base = Array.from({ length: 30 }, (_, index) => `common${index}`)
      const chain = [0, 1, 2, 3].map((step) =>
        [...base.slice(step * 4), ...base.slice(0, step * 4).map((w) => `x${w}`)].join(" ")
      )
      const ledger = yield* fill([...chain, "and one that is about nothing of the kind at all"])
      yield* Deduplicate.run()
      const items = yield* ledger.clusters(0, 10)
      assert.strictEqual(items.length, 5)
      assert.strictEqual(new Set(items.slice(0, 4).map(({ cluster }) => cluster)).size, 1)
      assert.notStrictEqual(items[4]!.cluster, items[0]!.cluster)
    }).pipe(Effect.provide(Ledger.layerMemory))
  )

  it.effect("compares each of a large group with few others, and finds them all", () =>
    Effect.gen(function* () {
      const long = "how do I take the chain off the bicycle when the lock is broken and there is no tool"
      // More than a page, so that clusters and rejections are read back.
      const ledger = yield* fill(Array.from({ length: 500 }, () => long))
      const found = yield* Deduplicate.run()
      assert.deepStrictEqual(found, { exact: 499, near: 0, answers: 0 })
      const candidates = yield* ledger.candidates([-1, -1], 100_000)
      assert.isAtMost(candidates.length, 2 * 500)
      const compared = yield* ledger.compared(Array.from({ length: 500 }, (_, index) => index + 1))
      assert.isTrue(compared.every(({ cluster }) => cluster === 1))
      assert.strictEqual(compared.filter(({ rejected }) => rejected).length, 499)
      // A step may be run again: it finds nothing more.
      assert.deepStrictEqual(yield* Deduplicate.run(), { exact: 0, near: 0, answers: 0 })
    }).pipe(Effect.provide(Ledger.layerMemory))
  )

  it("Chinese is compared by characters", () => {
    const one = Deduplicate.shingles("电动自行车租一天多少钱？")
    assert.isAbove(Deduplicate.jaccard(one, Deduplicate.shingles("电动自行车租一天多少钱呢？")), 0.7)
    assert.isBelow(Deduplicate.jaccard(one, Deduplicate.shingles("大修需要几个工作日？")), 0.1)
  })
})

describe("Split", () => {
  it("keeps to its shares, and to itself", () => {
    const assign = Split.make({ train: 8, validation: 1, test: 1 })
    const counts = new Map<string, number>()
    for (let index = 0; index < 20_000; index++) {
      const part = assign(String(index))
      counts.set(part, (counts.get(part) ?? 0) + 1)
      assert.strictEqual(assign(String(index)), part)
    }
    assert.approximately(counts.get("train")! / 20_000, 0.8, 0.015)
    assert.approximately(counts.get("test")! / 20_000, 0.1, 0.015)
    const other = Split.make({ train: 8, validation: 1, test: 1 }, 1)
    assert.notDeepEqual(
      Array.from({ length: 50 }, (_, index) => assign(String(index))),
      Array.from({ length: 50 }, (_, index) => other(String(index)))
    )
  })
})

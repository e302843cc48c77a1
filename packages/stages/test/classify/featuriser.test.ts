import { assert, describe, it } from "@effect/vitest"
import * as Featuriser from "@interlock/stages/classify/featuriser"
import * as FastCheck from "fast-check"

const digest = (text: string) => {
  const features = Featuriser.make()(text)
  let sum = 0
  for (let index = 0; index < features.size; index++) {
    sum = (Math.imul(sum, 31) + features.hashes[index]! + features.kinds[index]! * 7 + features.counts[index]!) >>> 0
  }
  return [features.size, sum]
}

const listed = (features: Featuriser.Features) =>
  Array.from({ length: features.size }, (_, index) => [
    features.hashes[index],
    features.kinds[index],
    features.counts[index]
  ])

describe("featuriser", () => {
  // Golden: when one of these changes, every artefact in the world is void, and `version` must rise.
  it("gives the same features for ever", () => {
    assert.strictEqual(Featuriser.version, 1)
    assert.deepStrictEqual(
      ["", "hello", "What is 17 times 24?", "把这句话翻译成英文", "it’s naïve", "a a a a", "\u{1F600} ok"].map(digest),
      [
        [0, 0],
        [21, 2948203492],
        [80, 2880476038],
        [62, 3026830853],
        [38, 2657866246],
        [8, 2981724843],
        [9, 1646485686]
      ]
    )
  })

  it("keeps nothing of the text before", () => {
    const featurise = Featuriser.make()
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "grapheme", maxLength: 400 }), (text) => {
        assert.deepStrictEqual(listed(featurise(text)), listed(Featuriser.make()(text)))
      })
    )
  })

  it("reads a long text at both ends, whatever its length", () => {
    const long = `begin ${"word ".repeat(1_000_000)} finish`
    const features = Featuriser.make()(long)
    assert.isBelow(features.size, 200)
    const found = Featuriser.words(long)
    assert.strictEqual(found[0], "begin")
    assert.strictEqual(found.at(-1), "finish")
  })

  it("takes text in many distinct words without losing any", () => {
    const text = Array.from({ length: 500 }, (_, index) => `w${index}`).join(" ")
    const features = Featuriser.make()(text)
    assert.isAbove(features.size, 4096)
    assert.strictEqual(new Set(features.hashes.subarray(0, features.size)).size, features.size)
  })

  it("cuts Chinese character by character and leaves Latin words whole", () => {
    assert.deepStrictEqual(Featuriser.words("用Python写"), ["用", "python", "写"])
  })
})

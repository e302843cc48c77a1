import { assert, describe, it } from "@effect/vitest"
import * as Featuriser from "@interlock/stages/classify/featuriser"
import * as WordVectors from "@interlock/stages/wordVectors"
import { Effect, Result } from "effect"
import * as FastCheck from "fast-check"

const likeness = (vectors: WordVectors.WordVectors, one: string, other: string): number => {
  const [a, b] = [one, other].map((word) => {
    const out = new Float64Array(vectors.manifest.dimensions)
    const row = vectors.rowOf(Featuriser.wordHash(word))
    assert.isAtLeast(row, 0, word)
    WordVectors.add(vectors, row, 1, out)
    return out
  })
  return a!.reduce((sum, value, index) => sum + value * b![index]!, 0) / (Math.hypot(...a!) * Math.hypot(...b!))
}

describe("english", () => {
  it.effect("has words of like meaning close together", () =>
    Effect.gen(function* () {
      const vectors = yield* WordVectors.english
      for (const [word, near, far] of [
        ["refund", "reimbursement", "banana"],
        ["doctor", "physician", "football"],
        ["car", "automobile", "poem"],
        ["don't", "can't", "spreadsheet"]
      ] as const) {
        assert.isAbove(likeness(vectors, word, near), likeness(vectors, word, far) + 0.2, word)
      }
    })
  )

  // Golden: when it changes, every artefact in the world is void, and the name must change.
  it.effect("is the same for ever", () =>
    Effect.gen(function* () {
      const { manifest } = yield* WordVectors.english
      assert.strictEqual(manifest.name, "english-1")
      assert.strictEqual(manifest.sha256, "2aca99cdc68607711631ed37115dc351be6a7cf64c24dcaa7b77fe65f35a0243")
    })
  )

  it.effect("is read once a process, and holds no word twice", () =>
    Effect.gen(function* () {
      const vectors = yield* WordVectors.english
      assert.strictEqual(yield* WordVectors.english, vectors)
      assert.strictEqual(new Set(vectors.hashes).size, vectors.manifest.words)
    })
  )

  it.effect("knows no word that it was not made with", () =>
    Effect.gen(function* () {
      const vectors = yield* WordVectors.english
      for (const word of ["", "zxcvqwpo", "Refund", "翻译"]) {
        assert.strictEqual(vectors.rowOf(Featuriser.wordHash(word)), -1, word)
      }
    })
  )
})

const tiny = (hashes: ReadonlyArray<number>) => {
  const sorted = Uint32Array.from(new Set(hashes)).sort()
  return WordVectors.encode({
    manifest: {
      format: WordVectors.format,
      featuriser: Featuriser.version,
      name: "tiny",
      sources: ["a test"],
      words: sorted.length,
      dimensions: 2
    },
    hashes: sorted,
    scales: Float32Array.from(sorted, (_, row) => row + 1),
    rows: Int8Array.from({ length: sorted.length * 2 }, (_, index) => index % 128)
  })
}

describe("decode", () => {
  it("finds every word in its row, and no other", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.nat(0xffff_ffff)), FastCheck.nat(0xffff_ffff), (hashes, other) => {
        const vectors = Result.getOrThrow(WordVectors.decode(tiny(hashes)))
        for (const [row, hash] of vectors.hashes.entries()) {
          assert.strictEqual(vectors.rowOf(hash), row)
          // Hashes come as signed numbers, too.
          assert.strictEqual(vectors.rowOf(hash | 0), row)
        }
        assert.strictEqual(vectors.rowOf(other) >= 0, hashes.includes(other))
      })
    )
  })

  it("adds a word's vector, times its scale and the weight given", () => {
    const vectors = Result.getOrThrow(WordVectors.decode(tiny([5, 9])))
    const out = Float64Array.of(1, 1)
    WordVectors.add(vectors, 1, 0.5, out)
    assert.deepStrictEqual([...out], [3, 4])
  })

  it("writes what it reads, and refuses what is foreign, cut short, changed or of another version", () => {
    const bytes = tiny([1, 2, 3])
    const vectors = Result.getOrThrow(WordVectors.decode(bytes))
    assert.isTrue(Buffer.from(WordVectors.encode(vectors)).equals(bytes))
    const changed = Uint8Array.from(bytes)
    changed[bytes.length - 1]! ^= 1
    const reasons = [
      new TextEncoder().encode("no vectors"),
      bytes.subarray(0, bytes.length - 1),
      bytes.subarray(0, 30),
      changed,
      WordVectors.encode({ ...vectors, manifest: { ...vectors.manifest, featuriser: 999 } }),
      WordVectors.encode({ ...vectors, manifest: { ...vectors.manifest, format: 999 } })
    ].map((each) =>
      Result.match(WordVectors.decode(each), { onSuccess: () => "read", onFailure: ({ reason }) => reason })
    )
    assert.deepStrictEqual(reasons, ["Foreign", "Corrupt", "Corrupt", "Corrupt", "Version", "Version"])
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import fc from "fast-check"
import { lines } from "../../src/internal/lines.ts"

const read = (pieces: ReadonlyArray<Uint8Array>) =>
  Effect.map(Stream.runCollect(lines(Stream.fromIterable(pieces))), (found) => [...found])

const notText = Buffer.from([0x61, 0xff])
const line = fc.option(
  fc.string({ unit: "grapheme" }).map((text) => text.replaceAll(/[\r\n]/g, "")),
  { nil: undefined }
)

describe("lines", () => {
  it("are the same however the bytes come in pieces", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1 }),
        fc.constantFrom("\n", "\r\n"),
        fc.array(fc.nat({ max: 200 })),
        async (expected, end, cuts) => {
          const bytes = Buffer.concat(
            expected.flatMap((text) => [text === undefined ? notText : Buffer.from(text), Buffer.from(end)])
          )
          const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
          const pieces = [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length))
          assert.deepStrictEqual(await Effect.runPromise(read(pieces)), expected)
        }
      )
    ))

  it.effect("a last one needs no end, and no bytes are no line", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* read([Buffer.from("one\ntw"), Buffer.from("o")]), ["one", "two"])
      assert.deepStrictEqual(yield* read([]), [])
    })
  )
})

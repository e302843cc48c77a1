import { assert, describe, it } from "@effect/vitest"
import { canonicalHash } from "@interlock/stages/cache/key"
import * as fc from "fast-check"

const plain = fc.jsonValue({ maxDepth: 4 }).filter((value) => !JSON.stringify(value).includes("-0"))

describe("canonicalHash", () => {
  it("is equal for equal values whatever the order of their fields", () => {
    const shuffled = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(shuffled)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([name, field]) => [name, shuffled(field)])
            )
          : value
    fc.assert(fc.property(plain, (value) => canonicalHash(value) === canonicalHash(shuffled(value))))
  })

  it("differs for different values", () => {
    const sorted = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(sorted)
        : typeof value === "object" && value !== null
          ? Object.keys(value)
              .sort()
              .map((name) => [name, sorted((value as Record<string, unknown>)[name])])
              .concat([["object"]])
          : value
    fc.assert(
      fc.property(
        plain,
        plain,
        (a, b) => (canonicalHash(a) === canonicalHash(b)) === (JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)))
      )
    )
  })

  it("tells apart what looks alike", () => {
    const values = [
      [],
      {},
      [[]],
      "",
      "[]",
      null,
      0,
      "0",
      false,
      ["a", "b"],
      ["ab"],
      [["a"], "b"],
      { a: "b" },
      { ab: "" },
      ["a", "b", ""],
      "\ud800",
      "\ud801",
      "\ufffd",
      "é",
      "e\u0301",
      new Map([["a", "b"]]),
      new Set(["a"]),
      new Uint8Array([1]),
      new Uint8Array([2]),
      new Uint8Array([3]).buffer,
      new Uint8Array([4]).buffer,
      /a/u,
      /b/u,
      new URL("https://example.com/a.png"),
      new URL("https://example.com/b.png"),
      1n
    ]
    assert.strictEqual(new Set(values.map(canonicalHash)).size, values.length)
  })

  it("leaves out what is undefined, and takes -0 for 0", () => {
    assert.strictEqual(canonicalHash({ a: 1, b: undefined }), canonicalHash({ a: 1 }))
    assert.strictEqual(canonicalHash(-0), canonicalHash(0))
    assert.match(canonicalHash("x"), /^[\w-]{43}$/u)
  })
})

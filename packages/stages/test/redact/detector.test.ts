import { describe, expect, it } from "@effect/vitest"
import { merge, rules } from "@interlock/stages/redact/detector"
import { Effect } from "effect"
import fc from "fast-check"
import { beginningAt } from "../../src/internal/redact/beginnings.ts"
import { identifiers } from "../../src/internal/redact/identifiers.ts"

const found = (text: string) =>
  Effect.map(rules.detect(text), (spans) => spans.map(({ start, end, type }) => [type, text.slice(start, end)]))

describe("rules", () => {
  it.effect("finds identifiers only where their check digit is right", () =>
    Effect.gen(function* () {
      // GB 11643, ISO 13616, ISO 7812: the right one, and the same with the last digit changed.
      expect(yield* found("11010519491231002X")).toEqual([["CN_ID_CARD", "11010519491231002X"]])
      expect(yield* found("身份证110105194912310021")).toEqual([])
      expect(yield* found("DE89370400440532013000")).toEqual([["IBAN_CODE", "DE89370400440532013000"]])
      expect(yield* found("DE89370400440532013001")).toEqual([])
      expect(yield* found("card 4111 1111 1111 1111")).toEqual([["CREDIT_CARD", "4111 1111 1111 1111"]])
      expect(yield* found("card 4111 1111 1111 1112")).toEqual([])
    })
  )

  it.effect("raises a weak shape by a word beside it", () =>
    Effect.gen(function* () {
      expect(yield* found("batch C01X00T47 arrived")).toEqual([])
      expect(yield* found("my passport number is A12803456")).toEqual([["US_PASSPORT", "A12803456"]])
    })
  )

  it.effect("finds secrets by shape and by the word beside them, and leaves code that only names them", () =>
    Effect.gen(function* () {
      const key = `ghp_${"a1B2".repeat(9)}`
      expect(yield* found(`use ${key} now`)).toEqual([["API_KEY", key]])
      expect(yield* found("the password is hunter2!")).toEqual([["SECRET", "hunter2"]])
      expect(yield* found("const password = process.env.PASSWORD")).toEqual([])
      expect(yield* found("if (token === undefined) return password.length")).toEqual([])
    })
  )

  it.effect("finds names in several languages", () =>
    Effect.gen(function* () {
      expect(yield* found("Dear Anna, thank you.")).toEqual([["PERSON", "Anna"]])
      expect(yield* found("我叫王文韬，请回电。")).toEqual([["PERSON", "王文韬"]])
      expect(yield* found("Wann kommt Herr Schneider?")).toContainEqual(["PERSON", "Schneider"])
    })
  )

  it.effect(
    "finds places in small letters, with their sides of the sky, and countries with two letters the wrong way round",
    () =>
      Effect.gen(function* () {
        expect(yield* found("i grew up in milwaukee")).toEqual([["LOCATION", "milwaukee"]])
        expect(yield* found("we live in the zwolsche straat")).toEqual([["LOCATION", "zwolsche"]])
        expect(yield* found("he lives in north london now")).toEqual([["LOCATION", "north london"]])
        expect(yield* found("she moved to the Bay Area")).toContainEqual(["LOCATION", "Bay Area"])
        expect(yield* found("They came back from Brtiain and the U.S. today")).toEqual([
          ["COUNTRY", "Brtiain"],
          ["COUNTRY", "U.S."]
        ])
        expect(yield* found("i am reading a nice book in the bath")).toEqual([])
        expect(yield* found("they live in poverty and grew up in hardship")).toEqual([])
      })
  )

  it.effect("finds a value whole, whatever a piece of it or the words before it look like", () =>
    Effect.gen(function* () {
      expect(yield* found("Brazil: +55 11 98456 5666")).toContainEqual(["PHONE_NUMBER", "+55 11 98456 5666"])
      expect(yield* found("Here is my National Insurance Number YZ 61 48 68 B")).toEqual([["UK_NINO", "YZ 61 48 68 B"]])
      expect(yield* found("please return to Eino and Rantakatu 66 soon")).toContainEqual([
        "STREET_ADDRESS",
        "Eino and Rantakatu 66"
      ])
      expect(yield* found("It stars Ingrid Vasshaug; without Vasshaug it fails")).toEqual([
        ["PERSON", "Ingrid Vasshaug"],
        ["PERSON", "Vasshaug"]
      ])
      expect(yield* found("she works for Brannvik Systems Ltd. now")).toEqual([
        ["ORGANIZATION", "Brannvik Systems Ltd."]
      ])
    })
  )

  it.effect("tries every identifier that may begin where it stands", () =>
    Effect.gen(function* () {
      for (const { type, shape, beginnings } of identifiers) {
        yield* Effect.sync(() =>
          fc.assert(
            fc.property(
              fc.stringMatching(new RegExp(`^${asciiOf(shape.source)}$`)),
              fc.constantFrom("", " ", ", then 12"),
              (text, rest) => {
                shape.lastIndex = 0
                if (shape.test(text + rest))
                  expect([type, beginnings.has(beginningAt(text + rest, 0))]).toEqual([type, true])
              }
            ),
            { numRuns: 60 }
          )
        )
      }
    })
  )
})

/** Without looking around and back, which the generator does not know. */
const asciiOf = (source: string): string => source.replace(/\(\?<?[=!][^)]*\)/g, "").replace(/\\[1-9]/g, "[ .-]?")

describe("merge", () => {
  it("loses nothing, and takes the type of the more confident span", () => {
    expect(
      merge([
        { start: 0, end: 5, type: "PERSON", confidence: 0.5 },
        { start: 3, end: 9, type: "ORGANIZATION", confidence: 0.7 },
        { start: 12, end: 14, type: "AGE", confidence: 0.9 }
      ])
    ).toEqual([
      { start: 0, end: 9, type: "ORGANIZATION", confidence: 0.7 },
      { start: 12, end: 14, type: "AGE", confidence: 0.9 }
    ])
  })
})

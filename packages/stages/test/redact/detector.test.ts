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

  it.effect("finds what JSON, URLs, HTML and mail write in another way", () =>
    Effect.gen(function* () {
      const key = `ghp_${"a1B2".repeat(9)}`
      const written: ReadonlyArray<readonly [text: string, type: string, value: string]> = [
        [String.raw`{"note":"Card:\n4111 1111 1111 1111\n"}`, "CREDIT_CARD", "4111 1111 1111 1111"],
        [String.raw`{"note":"Konto\tDE89370400440532013000"}`, "IBAN_CODE", "DE89370400440532013000"],
        [String.raw`{"note":"Phone:\n(212) 555-0198"}`, "PHONE_NUMBER", "(212) 555-0198"],
        [String.raw`{"note":"Mail:\nalice@example.com"}`, "EMAIL_ADDRESS", "alice@example.com"],
        [String.raw`{"note":"Regards,\nAlice Johnson\nAcme"}`, "PERSON", "Alice Johnson"],
        [String.raw`{\"log\":\"see\\n${key}\\n\"}`, "API_KEY", key],
        [String.raw`{"a":"{\"password\":\"hunter2x9\"}"}`, "SECRET", "hunter2x9"],
        [String.raw`{"mail":"alice\u0040example.com"}`, "EMAIL_ADDRESS", String.raw`alice\u0040example.com`],
        [
          String.raw`{"url":"postgres:\/\/app:s3cr3t@db\/x"}`,
          "URL_CREDENTIALS",
          String.raw`postgres:\/\/app:s3cr3t@db\/x`
        ],
        ["?tel=%2B49%20151%2023456789", "PHONE_NUMBER", "%2B49%20151%2023456789"],
        ["?card=4111%201111%201111%201111", "CREDIT_CARD", "4111%201111%201111%201111"],
        ["?mail=alice%2540example.com", "EMAIL_ADDRESS", "alice%2540example.com"],
        ["write to alice&#64;example.com", "EMAIL_ADDRESS", "alice&#64;example.com"],
        ["write to alice&commat;example&period;com", "EMAIL_ADDRESS", "alice&commat;example&period;com"],
        ["4111&nbsp;1111&nbsp;1111&nbsp;1111", "CREDIT_CARD", "4111&nbsp;1111&nbsp;1111&nbsp;1111"],
        ["To: alice=40example.com", "EMAIL_ADDRESS", "alice=40example.com"],
        ["Mail alice@exam=\r\nple.com", "EMAIL_ADDRESS", "alice@exam=\r\nple.com"]
      ]
      for (const [text, type, value] of written) expect(yield* found(text)).toContainEqual([type, value])
      // What is no character stays as it is.
      expect(yield* found("%C3%28 %ff &nosuch; \\u00 =\n %E2%82")).toEqual([])
    })
  )

  it.effect("finds what typography and other scripts write in another way", () =>
    Effect.gen(function* () {
      const card = "4111 1111 1111 1111"
      const digitsFrom = (zero: number) => card.replace(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)))
      const written: ReadonlyArray<readonly [text: string, type: string]> = [
        ...["\u00a0", "\u202f", "\u2011", "\u2212", "–", ".", "  ", "/"].map(
          (sign) => [card.replaceAll(" ", sign), "CREDIT_CARD"] as const
        ),
        ["4111 1111\n1111 1111", "CREDIT_CARD"],
        [digitsFrom(0x660), "CREDIT_CARD"],
        [digitsFrom(0xff10), "CREDIT_CARD"],
        [digitsFrom(0x1d7ce), "CREDIT_CARD"],
        ["DE89 3704 0044\r\n0532 0130 00", "IBAN_CODE"],
        ["DE89\u202f3704\u202f0044\u202f0532\u202f0130\u202f00", "IBAN_CODE"],
        ["+49\u00a0151\u00a023456789", "PHONE_NUMBER"],
        ["alice\u2060@exam\u200cple.com", "EMAIL_ADDRESS"],
        ["alice\u2069@example.com", "EMAIL_ADDRESS"],
        ["alice\u{e0041}@example.com", "EMAIL_ADDRESS"],
        ["alice@παράδειγμα.ελ", "EMAIL_ADDRESS"],
        ["li@例子.中国", "EMAIL_ADDRESS"],
        ["alice (at) example (dot) com", "EMAIL_ADDRESS"],
        ["203.0.113.77:8080", "IP_ADDRESS"]
      ]
      for (const [text, type] of written) {
        const spans = yield* found(text)
        expect([text, spans.map(([name]) => name)]).toEqual([text, [type]])
        expect(text.replace(spans[0]?.[1] ?? "", "")).toMatch(/^(?::8080)?$/)
      }
      expect(yield* found("20 – 30 of\u00a0them, at 127.0.0.1:3000")).toEqual([])
    })
  )

  it.effect("finds passwords as forms, files, tables and commands hold them", () =>
    Effect.gen(function* () {
      const texts = [
        "**Password:** hunter2x9",
        "| password | hunter2x9 |",
        "<password>hunter2x9</password>",
        '<add key="password" value="hunter2x9" />',
        "DB_PASS=hunter2x9",
        "MYSQL_PWD=hunter2x9",
        "password: |\n  hunter2x9",
        "tool --password hunter2x9",
        "curl -u bob:hunter2x9 https://x.org",
        "sshpass -p 'hunter2x9' ssh x",
        "machine x.org login bob password hunter2x9",
        "the password for the server is hunter2x9"
      ]
      for (const text of texts) expect(yield* found(text)).toContainEqual(["SECRET", "hunter2x9"])
      expect(yield* found("password: Tr!cky&Horse")).toContainEqual(["SECRET", "Tr!cky&Horse"])
      expect(yield* found('{"client_secret": "letmein"}')).toEqual([["SECRET", "letmein"]])
      expect(yield* found("card, CVV 123")).toEqual([["SECRET", "123"]])
      const random = "gVaZWOMTQjrEKhBdgYCk735nt0YbUaqd"
      const named = [
        `TOKEN=${random}`,
        `X-CSRF-Token: ${random}`,
        `Cookie: theme=dark; session=${random}`,
        `https://x.org/cb?state=1&code=${random}#top`,
        `https://x.org/?X-Amz-Signature=${random}`
      ]
      for (const text of named) expect(yield* found(text)).toContainEqual(["SECRET", random])
      const long = random.repeat(50)
      expect(yield* found(`Authorization: Bearer ${long}`)).toEqual([["SECRET", long]])
      expect(yield* found(`AKIAIOSFODNN7EXAMPLE,wJalrXUtnFEMI/K7MDENG/bPxRfiCYEX4MPLEKEY`)).toHaveLength(2)
      expect(yield* found(`$2b$12$${"aB3./x".repeat(9).slice(0, 53)}`)).toHaveLength(1)
    })
  )

  it.effect("finds keys whole by the shapes that issuers use now", () =>
    Effect.gen(function* () {
      const some = (length: number) => "aB3dE5gH7jK9mN1pQ".repeat(60).slice(0, length)
      const keys = [
        `ghs_123456_eyJ${some(40)}.eyJ${some(300)}.${some(86)}`,
        `glpat-${some(27)}.01.abc123def`,
        `glrtr-${some(30)}`,
        `AQ.Ab8${some(46)}`,
        `ABSK${some(120)}=`,
        `sk-proj-${some(400)}`,
        `hf_${some(34)}`,
        `xoxe.xoxb-1-${some(160)}`,
        `xoxd-${some(40)}%2B${some(30)}%3D`,
        `sk_org_live_${some(60)}`,
        `pcsk_${some(60)}`,
        `dapi${"0123456789abcdef".repeat(2)}-2`,
        `pat${some(14)}.${"0123456789abcdef".repeat(4)}`
      ]
      for (const key of keys) {
        const spans = yield* found(`use ${key} now`)
        expect(spans.map(([, value]) => value)).toEqual([key])
      }
    })
  )

  it.effect("leaves alone what usual work is full of", () =>
    Effect.gen(function* () {
      const texts = [
        "INFO request id=123e4567-e89b-12d3-a456-426614174000 took 123ms status=200 trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 at 1736899200123, sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934c",
        "v1.2.3, 10.0.19045.3693, $1,299.00, 12-05-2024, pages 123–145, max_tokens=4096",
        "1234\n5678\n9012\n3456 and 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        "apiKey: process.env.OPENAI_API_KEY, token: $TOKEN, authorization: Bearer <token>",
        '"password": { "type": "string", "minLength": 8 }, "password": "Enter your password"',
        "tests pass: 1234 of 1240, PWD=/home/x/app2, password must have 12 characters",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PLrAXtmErZgOeiKm4sgNOknGvNjby9efdf",
        'if (key.startsWith("-----BEGIN PRIVATE KEY-----")) return parse(key)'
      ]
      for (const text of texts) {
        const spans = yield* found(text)
        expect([text, spans.filter(([type]) => type !== "DATE_TIME")]).toEqual([text, []])
      }
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

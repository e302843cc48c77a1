import { describe, expect, it } from "@effect/vitest"
import { Reply } from "@interlock/core"
import type { Settings } from "@interlock/model"
import { ConfigProvider, Effect, Layer, Redacted } from "effect"
import { Anthropic, Google, type MissingKey, Models, OpenAi, OpenAiCompatible } from "../src/index.ts"
import { key, safe } from "./fixture.ts"
import { type Wire, wire } from "./wire.ts"

type Source = Effect.Effect<Models.ModelProvider, MissingKey>

/** One call of a provider; what it answers does not matter here. */
const called = (source: Source, variables: { readonly [name: string]: string } = {}, settings: Settings = {}) =>
  Effect.flatMap(Models.Models, ({ call, providers }) =>
    Effect.scoped(
      Effect.flatMap(
        call({
          provider: providers[0]!,
          model: "gpt-5",
          prompt: safe({ content: [{ role: "user", content: "Hello" }] }),
          settings,
          delivery: "whole"
        }),
        Reply.collect
      )
    )
  ).pipe(
    Effect.ignore,
    Effect.provide(
      Models.layer([source]).pipe(
        Layer.provide(
          ConfigProvider.layer(
            ConfigProvider.fromUnknown({
              OPENAI_API_KEY: key,
              ANTHROPIC_API_KEY: key,
              GEMINI_API_KEY: key,
              ...variables
            })
          )
        )
      )
    )
  )

const refused = wire({ status: 400 })
const last = (server: Wire) => server.seen.at(-1)!

const sources: ReadonlyArray<
  readonly [name: string, path: string, make: (options: OpenAiCompatible.Options) => Source, version: string]
> = [
  ["openai", "/responses", OpenAi.provider, "/v1"],
  ["anthropic", "/messages", Anthropic.provider, "/v1"],
  ["google", "/models/gpt-5:generateContent", Google.provider, "/v1beta"],
  ["compatible", "/chat/completions", OpenAiCompatible.provider, "/v1"]
]

describe("the address", () => {
  for (const [name, path, make, version] of sources) {
    it.effect(`may end in slashes, and needs no version where it is a host: ${name}`, () =>
      Effect.gen(function* () {
        const server = yield* refused
        for (const [given, asked] of [
          ["", version],
          ["/", version],
          [version, version],
          [`${version}/`, version],
          [`${version}//`, version],
          ["/gateway/acme", "/gateway/acme"]
        ]) {
          yield* called(make({ name, baseUrl: `${server.url}${given}` }))
          expect(last(server).path, given).toBe(`${asked}${path}`)
        }
      })
    )
  }

  it.effect("of ANTHROPIC_BASE_URL may be that of Anthropic's own tools, without the version", () =>
    Effect.gen(function* () {
      const server = yield* refused
      for (const [given, path] of [
        ["", "/v1/messages"],
        ["/v1", "/v1/messages"],
        ["/anthropic/", "/anthropic/v1/messages"],
        ["/anthropic/v1/", "/anthropic/v1/messages"]
      ]) {
        yield* called(Anthropic.provider(), { ANTHROPIC_BASE_URL: `${server.url}${given}` })
        expect(last(server).path, given).toBe(path)
      }
    })
  )
})

describe("the headers", () => {
  for (const [name, , make] of sources) {
    it.effect(`of a gateway go with every request: ${name}`, () =>
      Effect.gen(function* () {
        const server = yield* refused
        const headers = { "x-team": "support", "x-gateway-key": Redacted.make("gateway-secret") }
        const source = make({ name, baseUrl: server.url, headers })
        expect(String(yield* Effect.exit(source))).not.toContain("gateway-secret")
        yield* called(source)
        expect(last(server).headers).toMatchObject({ "x-team": "support", "x-gateway-key": "gateway-secret" })
      })
    )
  }
})

describe("the key", () => {
  it.effect("loses the white space around it", () =>
    Effect.gen(function* () {
      const server = yield* refused
      yield* called(OpenAi.provider({ baseUrl: server.url }), { OPENAI_API_KEY: " sk-1234\n" })
      expect(last(server).headers.authorization).toBe("Bearer sk-1234")
    })
  )
})

describe("a JSON Schema", () => {
  const text = { type: "string" }
  const place = { type: "object", properties: { city: text }, required: ["city"], additionalProperties: false }
  const cases: ReadonlyArray<readonly [what: string, schema: { readonly [key: string]: unknown }, strict: boolean]> = [
    ["that is closed and requires all", place, true],
    ["that is so within", { ...place, properties: { city: { anyOf: [place, { type: "null" }] } } }, true],
    ["with a reference", { ...place, properties: { city: { $ref: "#/$defs/place" } }, $defs: { place } }, true],
    ["with an optional field", { ...place, properties: { city: text, street: text } }, false],
    ["that is open", { ...place, additionalProperties: true }, false],
    ["that says nothing of other fields", { type: "object", properties: { city: text }, required: ["city"] }, false],
    ["that is open within", { ...place, properties: { city: { type: "array", items: { type: "object" } } } }, false],
    ["with a choice that is none to OpenAI", { ...place, properties: { city: { oneOf: [text] } } }, false],
    ["that is a list", { type: "array", items: place }, false]
  ]
  for (const [what, schema, strict] of cases) {
    it.effect(`${what} is asked for ${strict ? "strictly" : "as well as may be"}`, () =>
      Effect.gen(function* () {
        const server = yield* refused
        const settings: Settings = { responseFormat: { type: "json", name: "place", schema } }
        yield* called(OpenAi.provider({ baseUrl: server.url }), {}, settings)
        expect(last(server).body.text.format).toMatchObject({ type: "json_schema", strict, schema })
        yield* called(OpenAi.provider({ baseUrl: server.url, api: "chat" }), {}, settings)
        expect(last(server).body.response_format.json_schema).toMatchObject({ strict, schema })
        const compatible = { name: "compatible", baseUrl: server.url, structuredOutputs: true }
        yield* called(OpenAiCompatible.provider(compatible), {}, settings)
        expect(last(server).body.response_format.json_schema).toMatchObject({ strict, schema })
      })
    )
  }

  it.effect("is asked for as a call says, where it says so", () =>
    Effect.gen(function* () {
      const server = yield* refused
      const schema = { type: "object", properties: { city: text } }
      const providerOptions = { openai: { strictJsonSchema: true } }
      yield* called(
        OpenAi.provider({ baseUrl: server.url }),
        {},
        {
          responseFormat: { type: "json", schema },
          providerOptions
        }
      )
      expect(last(server).body.text.format).toMatchObject({ strict: true })
    })
  )
})

describe("OpenAI", () => {
  it.effect("is asked for no summary of the reasoning, unless a call wants it", () =>
    Effect.gen(function* () {
      const server = yield* refused
      yield* called(OpenAi.provider({ baseUrl: server.url }), {}, { reasoningEffort: "high" })
      expect(last(server).body.reasoning).toEqual({ effort: "high" })
      const providerOptions = { openai: { reasoningSummary: "auto" } }
      yield* called(OpenAi.provider({ baseUrl: server.url }), {}, { reasoningEffort: "high", providerOptions })
      expect(last(server).body.reasoning).toEqual({ effort: "high", summary: "auto" })
    })
  )
})

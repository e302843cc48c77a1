import type { LanguageModelV4Content, LanguageModelV4GenerateResult } from "@ai-sdk/provider"
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { Response } from "effect/ai"
import * as fc from "fast-check"
import { Reader, toStreamParts } from "../../src/internal/aiSdkPart.ts"

const decode = Schema.decodeUnknownSync(Schema.Array(Response.AllParts()))

const usage: LanguageModelV4GenerateResult["usage"] = {
  inputTokens: { total: 3, noCache: 3, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 2, text: 2, reasoning: undefined }
}

const answer = (
  content: ReadonlyArray<LanguageModelV4Content>,
  more: Partial<LanguageModelV4GenerateResult> = {}
): LanguageModelV4GenerateResult => ({
  content: [...content],
  finishReason: { unified: "stop", raw: "stop" },
  usage,
  warnings: [],
  ...more
})

const read = (result: LanguageModelV4GenerateResult) => new Reader().whole(result)

describe("traps", () => {
  it("an undefined providerExecuted is left out", () => {
    const parts = read(
      answer([
        {
          type: "tool-call",
          toolCallId: "1",
          toolName: "add",
          input: '{"a":1}',
          providerExecuted: undefined
        } as unknown as LanguageModelV4Content
      ])
    )
    expect(parts[0]).toStrictEqual({ type: "tool-call", id: "1", name: "add", params: { a: 1 } })
  })

  it("token counts become whole numbers, or are left out, and the report is kept", () => {
    const reported = {
      inputTokens: { total: 3.4, noCache: -1, cacheRead: Number.NaN, cacheWrite: undefined },
      outputTokens: { total: "12" as unknown as number, text: 1.6, reasoning: Number.POSITIVE_INFINITY }
    }
    const finish = read(answer([], { usage: reported })).at(-1)
    expect(finish).toStrictEqual({
      type: "finish",
      reason: "stop",
      usage: {
        inputTokens: { total: 3 },
        outputTokens: { text: 2 }
      },
      metadata: {
        interlock: {
          reportedUsage: {
            inputTokens: { total: 3.4, noCache: -1, cacheRead: null },
            outputTokens: { total: "12", text: 1.6, reasoning: null }
          }
        }
      }
    })
  })

  it("undefined in metadata disappears", () => {
    const metadata = { openai: { itemId: undefined, list: [undefined, 1] } } as never
    expect(read(answer([{ type: "text", text: "a", providerMetadata: metadata }]))[0]).toStrictEqual({
      type: "text",
      text: "a",
      metadata: { openai: { list: [null, 1] } }
    })
  })

  it("a source without a title gets its host, and one without a usable url is kept in the metadata", () => {
    const parts = read(
      answer([
        { type: "source", sourceType: "url", id: "1", url: "https://example.com/a" },
        { type: "source", sourceType: "url", id: "2", url: "not a url" }
      ])
    )
    expect(parts[0]).toMatchObject({ type: "source", url: "https://example.com/a", title: "example.com" })
    expect(parts[1]).toMatchObject({ type: "finish", metadata: { interlock: { unmapped: [{ id: "2" }] } } })
  })

  it("url files, reasoning files and custom parts go to the metadata of the finish part", () => {
    const url = new URL("https://example.com/a.png")
    const parts = read(
      answer([
        { type: "file", mediaType: "image/png", data: { type: "url", url } },
        { type: "reasoning-file", mediaType: "image/png", data: { type: "data", data: new Uint8Array([1]) } },
        { type: "custom", kind: "openai.compaction", providerMetadata: { openai: { id: "c" } } }
      ])
    )
    expect(parts).toHaveLength(1)
    expect(parts[0]?.metadata).toStrictEqual({
      interlock: {
        unmapped: [
          { type: "file", mediaType: "image/png", data: { type: "url", url: url.href } },
          { type: "reasoning-file", mediaType: "image/png", data: { type: "data", data: "AQ==" } },
          { type: "custom", kind: "openai.compaction", providerMetadata: { openai: { id: "c" } } }
        ]
      }
    })
  })

  it("tool parameters that are not JSON are handed on as text and marked", () => {
    const parts = read(answer([{ type: "tool-call", toolCallId: "1", toolName: "add", input: '{"a":' }]))
    expect(parts[0]).toMatchObject({ params: '{"a":', metadata: { interlock: { invalidParams: true } } })
  })

  it("warnings reach the finish part", () => {
    const parts = read(answer([], { warnings: [{ type: "unsupported", feature: "topK" }] }))
    expect(parts[0]?.metadata).toStrictEqual({ interlock: { warnings: [{ type: "unsupported", feature: "topK" }] } })
  })
})

describe("any answer", () => {
  const text = fc.string()
  const metadata = fc.option(
    fc.dictionary(fc.string(), fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.constant(undefined)))),
    { nil: undefined }
  )
  const count = fc.oneof(fc.nat(), fc.double(), fc.constant(undefined), fc.constant(null))
  const common = { providerMetadata: metadata }
  const content = fc.oneof(
    fc.record({ type: fc.constantFrom("text", "reasoning"), text, ...common }),
    fc.record({
      type: fc.constant("file"),
      mediaType: text,
      data: fc.oneof(
        fc.uint8Array().map((data) => ({ type: "data", data })),
        fc.webUrl().map((url) => ({ type: "url", url: new URL(url) }))
      ),
      ...common
    }),
    fc.record({
      type: fc.constant("source"),
      sourceType: fc.constantFrom("url", "document"),
      id: text,
      url: fc.oneof(fc.webUrl(), text),
      mediaType: text,
      title: fc.option(text, { nil: undefined }),
      filename: fc.option(text, { nil: undefined }),
      ...common
    }),
    fc.record({
      type: fc.constant("tool-call"),
      toolCallId: text,
      toolName: text,
      input: fc.oneof(fc.json(), text),
      providerExecuted: fc.constantFrom(true, false, undefined),
      ...common
    }),
    fc.record({
      type: fc.constant("tool-result"),
      toolCallId: text,
      toolName: text,
      result: fc.oneof(fc.jsonValue(), fc.anything()),
      isError: fc.constantFrom(true, false, undefined),
      preliminary: fc.constantFrom(true, false, undefined),
      ...common
    }),
    fc.record({ type: fc.constantFrom("custom", "something-new"), kind: text, ...common })
  )
  const result = fc.record({
    content: fc.array(content),
    finishReason: fc.record({
      unified: fc.constantFrom(
        "stop",
        "length",
        "content-filter",
        "tool-calls",
        "error",
        "interrupted",
        "other",
        "new"
      ),
      raw: fc.constantFrom("stop", undefined)
    }),
    usage: fc.record({
      inputTokens: fc.record({ total: count, noCache: count, cacheRead: count, cacheWrite: count }),
      outputTokens: fc.record({ total: count, text: count, reasoning: count })
    }),
    warnings: fc.constant([])
  }) as unknown as fc.Arbitrary<LanguageModelV4GenerateResult>

  it("becomes parts that effect/ai decodes and that survive JSON unchanged", () => {
    fc.assert(
      fc.property(result, (result) => {
        const parts = read(result)
        expect(parts.at(-1)?.type).toBe("finish")
        decode(parts)
        expect(decode(JSON.parse(JSON.stringify(parts)))).toEqual(decode(parts))
      })
    )
  })

  it("says the same after a way through the AI SDK's stream parts", () => {
    fc.assert(
      fc.property(result, (result) => {
        const parts = read(result)
        const reader = new Reader()
        const back = parts.flatMap((part, index) =>
          toStreamParts(part, index).map((part) => (part.type === "error" ? undefined : reader.stream(part)))
        )
        const said = (parts: ReadonlyArray<Response.AllPartsEncoded | undefined>) =>
          parts.map((part) => {
            switch (part?.type) {
              case "text":
              case "reasoning":
                return part.text
              case "text-delta":
              case "reasoning-delta":
                return part.delta
              default:
                return ""
            }
          })
        expect(said(back).join("")).toBe(said(parts).join(""))
        const others = (type: string) => (part: Response.AllPartsEncoded | undefined) => part?.type === type
        for (const type of ["file", "source", "tool-call"]) {
          const strip = (parts: ReadonlyArray<Response.AllPartsEncoded | undefined>) =>
            parts.filter(others(type)).map((part) => ({ ...part, metadata: undefined }))
          expect(strip(back)).toEqual(strip(parts))
        }
      })
    )
  })
})

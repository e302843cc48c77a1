import { describe, expect, it } from "@effect/vitest"
import type { Prompt } from "effect/ai"
import * as fc from "fast-check"
import { fromAiSdk, toAiSdk } from "../../src/internal/aiSdkPrompt.ts"

describe("toAiSdk", () => {
  it("maps every kind of message", () => {
    const prompt: Prompt.PromptEncoded = {
      content: [
        {
          role: "system",
          content: "Be brief.",
          options: { anthropic: { cacheControl: { type: "ephemeral" } }, x: null }
        },
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "file", mediaType: "image/png", data: "AQID", fileName: "a.png" },
            { type: "file", mediaType: "image/png", data: "data:image/png;base64,AQID" },
            { type: "file", mediaType: "image/png", data: "https://example.com/a.png" },
            { type: "file", mediaType: "image/png", data: { _tag: "URL", href: "https://example.com/b.png" } },
            { type: "file", mediaType: "image/png", data: { _tag: "Uint8Array", base64: "AQID" } }
          ]
        },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "Hm." },
            { type: "tool-call", id: "1", name: "look", params: { at: "it" }, providerExecuted: false },
            { type: "tool-approval-request", approvalId: "a", toolCallId: "1" }
          ]
        },
        {
          role: "tool",
          content: [
            { type: "tool-approval-response", approvalId: "a", approved: false, reason: "no" },
            { type: "tool-result", id: "1", name: "look", isFailure: false, result: { seen: undefined, n: 1 } },
            { type: "tool-result", id: "2", name: "look", isFailure: true, result: "broken" }
          ]
        },
        { role: "assistant", content: "A cat." }
      ]
    }
    expect(toAiSdk(prompt)).toStrictEqual([
      {
        role: "system",
        content: "Be brief.",
        providerOptions: { anthropic: { cacheControl: { type: "ephemeral" } } }
      },
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "file", mediaType: "image/png", data: { type: "data", data: "AQID" }, filename: "a.png" },
          { type: "file", mediaType: "image/png", data: { type: "data", data: "AQID" } },
          { type: "file", mediaType: "image/png", data: { type: "url", url: new URL("https://example.com/a.png") } },
          { type: "file", mediaType: "image/png", data: { type: "url", url: new URL("https://example.com/b.png") } },
          { type: "file", mediaType: "image/png", data: { type: "data", data: "AQID" } }
        ]
      },
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "Hm." },
          { type: "tool-call", toolCallId: "1", toolName: "look", input: { at: "it" } }
        ]
      },
      {
        role: "tool",
        content: [
          { type: "tool-approval-response", approvalId: "a", approved: false, reason: "no" },
          { type: "tool-result", toolCallId: "1", toolName: "look", output: { type: "json", value: { n: 1 } } },
          { type: "tool-result", toolCallId: "2", toolName: "look", output: { type: "error-text", value: "broken" } }
        ]
      },
      { role: "assistant", content: [{ type: "text", text: "A cat." }] }
    ])
  })
})

describe("what no provider takes as it is", () => {
  const sent = (content: Prompt.MessageEncoded) => toAiSdk({ content: [content] })

  it("parameters of a tool that are no object", () => {
    const input = (params: unknown) =>
      sent({ role: "assistant", content: [{ type: "tool-call", id: "1", name: "look", params }] })[0]
    expect(input('{"at": tru')).toMatchObject({ content: [{ input: { rawInvalidInput: '{"at": tru' } }] })
    expect(input([1])).toMatchObject({ content: [{ input: { rawInvalidInput: [1] } }] })
    expect(input(null)).toMatchObject({ content: [{ input: {} }] })
    expect(input(undefined)).toMatchObject({ content: [{ input: {} }] })
  })

  it("data URLs: their bytes are sent", () => {
    const data = (data: string | URL) =>
      sent({ role: "user", content: [{ type: "file", mediaType: "text/plain", data }] })[0]
    const hello = { content: [{ data: { type: "data", data: "aGVsbG8gdGhlcmU=" } }] }
    expect(data("data:text/plain,hello%20there")).toMatchObject(hello)
    expect(data("data:text/plain;charset=utf-8;base64,aGVsbG8gdGhlcmU=")).toMatchObject(hello)
    expect(data(new URL("data:text/plain;base64,aGVsbG8gdGhlcmU="))).toMatchObject(hello)
    expect(data("data:,100%")).toMatchObject({ content: [{ data: { type: "data", data: "MTAwJQ==" } }] })
  })
})

describe("fromAiSdk", () => {
  it("keeps what has no equal in the options of the message", () => {
    const prompt = fromAiSdk([
      {
        role: "user",
        content: [
          { type: "file", mediaType: "application/pdf", data: { type: "reference", reference: { openai: "f" } } }
        ]
      }
    ])
    expect(prompt).toStrictEqual({
      content: [
        {
          role: "user",
          content: [],
          options: {
            interlock: {
              unmapped: [
                { type: "file", mediaType: "application/pdf", data: { type: "reference", reference: { openai: "f" } } }
              ]
            }
          }
        }
      ]
    })
  })

  it("undoes toAiSdk", () => {
    const text = fc.record({ type: fc.constant("text" as const), text: fc.string() })
    const file = fc.record({ type: fc.constant("file" as const), mediaType: fc.string(), data: fc.base64String() })
    const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)))
    const call = fc.record({
      type: fc.constant("tool-call" as const),
      id: fc.string(),
      name: fc.string(),
      params: fc.dictionary(fc.string(), json)
    })
    const result = fc.record({
      type: fc.constant("tool-result" as const),
      id: fc.string(),
      name: fc.string(),
      isFailure: fc.boolean(),
      result: json
    })
    const message: fc.Arbitrary<Prompt.MessageEncoded> = fc.oneof(
      fc.record({ role: fc.constant("system" as const), content: fc.string() }),
      fc.record({ role: fc.constant("user" as const), content: fc.array(fc.oneof(text, file)) }),
      fc.record({ role: fc.constant("assistant" as const), content: fc.array(fc.oneof(text, file, call)) }),
      fc.record({ role: fc.constant("tool" as const), content: fc.array(result) })
    )
    fc.assert(
      fc.property(fc.array(message), (content) => {
        expect(fromAiSdk(toAiSdk({ content }))).toEqual({ content })
      })
    )
  })
})

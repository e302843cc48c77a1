import {
  APICallError,
  InvalidPromptError,
  JSONParseError,
  LoadAPIKeyError,
  TypeValidationError
} from "@ai-sdk/provider"
import { describe, expect, it } from "@effect/vitest"
import { ModelError } from "@interlock/model"
import * as fc from "fast-check"
import { classify, conceal, type Failure, retryAfter, toModelError } from "../../src/internal/aiSdkError.ts"

const api = (statusCode: number, body: unknown, responseHeaders: Record<string, string> = {}) =>
  new APICallError({
    message: "secret words",
    url: "https://example.com",
    requestBodyValues: { prompt: "secret words" },
    statusCode,
    responseHeaders,
    responseBody: typeof body === "string" ? body : JSON.stringify(body)
  })

const withCode = (code: string) => Object.assign(new TypeError("fetch failed"), { cause: { code } })

/** What providers say when they fail, and what it means. */
const said: ReadonlyArray<readonly [what: string, error: unknown, expected: Partial<Failure>]> = [
  [
    "OpenAI: the context is too long",
    api(400, {
      error: {
        message: "This model's maximum context length is 8192 tokens.",
        type: "invalid_request_error",
        param: "messages",
        code: "context_length_exceeded"
      }
    }),
    {
      reason: "BadRequest",
      status: 400,
      detail: "400 context_length_exceeded invalid_request_error: This model's maximum context length is 8192 tokens."
    }
  ],
  [
    "OpenAI: no such model",
    api(404, {
      error: { message: "The model `x` does not exist", type: "invalid_request_error", code: "model_not_found" }
    }),
    { reason: "BadRequest", status: 404 }
  ],
  [
    "OpenAI: billing",
    api(429, { error: { type: "insufficient_quota", code: "insufficient_quota" } }),
    { reason: "Quota" }
  ],
  [
    "OpenAI: tokens a minute",
    api(
      429,
      { error: { type: "tokens", code: "rate_limit_exceeded" } },
      { "retry-after-ms": "1234", "retry-after": "2" }
    ),
    { reason: "RateLimited", retryAfterMs: 1234 }
  ],
  [
    "Azure: filtered",
    api(400, { error: { code: "content_filter", innererror: { code: "ResponsibleAIPolicyViolation" } } }),
    { reason: "ContentFiltered" }
  ],
  ["Anthropic: key", api(401, { type: "error", error: { type: "authentication_error" } }), { reason: "RefusedKey" }],
  ["Anthropic: permission", api(403, { type: "error", error: { type: "permission_error" } }), { reason: "RefusedKey" }],
  [
    "Anthropic: credit",
    api(400, { type: "error", error: { type: "invalid_request_error", message: "Your credit balance is too low" } }),
    { reason: "Quota" }
  ],
  [
    "Anthropic: overloaded",
    api(529, { type: "error", error: { type: "overloaded_error" } }, { "retry-after": "3" }),
    { reason: "Overloaded", status: 529, retryAfterMs: 3000 }
  ],
  ["Anthropic: overloaded, in a stream", { type: "overloaded_error", message: "Overloaded" }, { reason: "Overloaded" }],
  [
    "Google: key",
    api(400, {
      error: {
        code: 400,
        message: "API key not valid. Please pass a valid API key.",
        status: "INVALID_ARGUMENT",
        details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" }]
      }
    }),
    { reason: "RefusedKey" }
  ],
  [
    "Google: requests a day, in a list",
    api(429, [
      {
        error: {
          code: 429,
          status: "RESOURCE_EXHAUSTED",
          details: [{ violations: [{ quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier" }] }]
        }
      }
    ]),
    { reason: "Quota" }
  ],
  [
    "Google: requests a minute",
    api(429, {
      error: {
        code: 429,
        status: "RESOURCE_EXHAUSTED",
        details: [
          { violations: [{ quotaId: "GenerateRequestsPerMinutePerProjectPerModel" }] },
          { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "17s" }
        ]
      }
    }),
    { reason: "RateLimited", retryAfterMs: 17_000 }
  ],
  ["DeepSeek: balance", api(402, { error: { message: "Insufficient Balance" } }), { reason: "Quota" }],
  ["a gateway's page", api(502, "<html>Bad Gateway</html>"), { reason: "Overloaded", status: 502, detail: "502" }],
  ["a time-out of the server", api(408, ""), { reason: "Overloaded", status: 408 }],
  [
    "Google: when to come back after an overload",
    api(503, {
      error: {
        code: 503,
        status: "UNAVAILABLE",
        details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "12s" }]
      }
    }),
    { reason: "Overloaded", status: 503, retryAfterMs: 12_000 }
  ],
  [
    "OpenRouter: moderation",
    api(403, { error: { code: 403, message: "Your chosen model requires moderation and your input was flagged" } }),
    { reason: "ContentFiltered" }
  ],
  [
    "OpenRouter: a rate limit under 200",
    api(200, { error: { code: 429, message: "secret words" } }, { "retry-after": "3" }),
    { reason: "RateLimited", retryAfterMs: 3000 }
  ],
  [
    "OpenRouter: no credit, under 200",
    api(200, { error: { code: 402, message: "Insufficient credits" } }),
    { reason: "Quota" }
  ],
  ["an error without a code, under 200", api(200, { error: "secret words" }), { reason: "Overloaded" }],
  [
    "OpenAI: failed, in the whole answer",
    api(200, { id: "resp_1", status: "failed", error: { code: "server_error", message: "secret words" }, output: [] }),
    { reason: "Overloaded" }
  ],
  ["an answer without an error, of the wrong form", api(200, { id: "c", error: null }), { reason: "InvalidAnswer" }],
  [
    "OpenAI: a policy, for which the AI SDK says 500",
    api(500, { error: { code: "image_content_policy_violation", message: "secret words" } }),
    { reason: "ContentFiltered" }
  ],
  [
    "a frame of an error that is no frame to the AI SDK",
    new TypeValidationError({
      value: { type: "response.failed", response: { error: { code: "rate_limit_exceeded", message: "secret words" } } },
      cause: 1
    }),
    { reason: "RateLimited" }
  ],
  [
    "vLLM: a bad request in a stream",
    new TypeValidationError({ value: { object: "error", type: "BadRequestError", code: 400 }, cause: 1 }),
    { reason: "BadRequest", status: 400 }
  ],
  [
    "a frame of no known form",
    new TypeValidationError({ value: { said: "secret words" }, cause: 1 }),
    { reason: "InvalidAnswer" }
  ],
  ["a file that is not base64", new DOMException("secret words", "InvalidCharacterError"), { reason: "BadRequest" }],
  [
    "a key with a line break",
    new TypeError('Headers.append: "Bearer secret words" is an invalid header value.'),
    { reason: "RefusedKey" }
  ],
  [
    "a key with a letter that is no byte",
    new TypeError("Cannot convert argument to a ByteString because the character at index 10 has a value of 8230"),
    { reason: "RefusedKey" }
  ],
  ["a body that is not JSON", api(200, "<html>"), { reason: "InvalidAnswer" }],
  ["a name that does not resolve", withCode("ENOTFOUND"), { reason: "Network", detail: "ENOTFOUND" }],
  ["a certificate", withCode("CERT_HAS_EXPIRED"), { reason: "Network", detail: "CERT_HAS_EXPIRED" }],
  ["a connection that takes too long", withCode("UND_ERR_CONNECT_TIMEOUT"), { reason: "Timeout" }],
  ["a stream that broke", new TypeError("terminated"), { reason: "Network" }],
  ["JSON that cannot be read", new JSONParseError({ text: "secret words", cause: 1 }), { reason: "InvalidAnswer" }],
  ["no key", new LoadAPIKeyError({ message: "set it" }), { reason: "RefusedKey" }],
  [
    "a prompt it cannot send",
    new InvalidPromptError({ prompt: 1, message: "no system here" }),
    { reason: "BadRequest" }
  ],
  ["nothing known", new Error("secret words"), { reason: "InvalidAnswer" }],
  ["nothing at all", undefined, { reason: "InvalidAnswer" }]
]

describe("classify", () => {
  for (const [what, error, expected] of said) {
    it(what, () => {
      const failure = classify(error, 0)
      expect(failure).toMatchObject(expected)
      expect(JSON.stringify(failure)).not.toContain("secret words")
    })
  }

  it("gives a reason for anything, without throwing", () => {
    fc.assert(
      fc.property(fc.anything(), (error) => {
        const failure = classify(error, 0)
        const typed = toModelError("p", "m", failure)
        expect(typed.reason._tag).toBe(failure.reason)
        expect(typed.message.startsWith("p ")).toBe(true)
        expect(typeof ModelError.isRetryable(typed)).toBe("boolean")
      })
    )
  })

  it("shows nothing that looks like a key", () => {
    const keys = [
      "sk-proj-abcdefghijklmnop",
      "sk-ant-api03-abcdefghijkl",
      "AIzaSyA1234567890abcdef",
      "gsk_abcdefghijklmnop",
      "xai-abcdefghijklmnop",
      "Bearer abcdefghijklmnop"
    ]
    for (const key of keys) {
      const failure = classify(api(400, { error: { message: `the key ${key} is odd` } }), 0)
      expect(failure.detail).toContain("***")
      expect(failure.detail).not.toContain(key.slice(-10))
    }
  })
})

describe("retryAfter", () => {
  it("reads seconds, milliseconds and dates", () => {
    const now = Date.UTC(2026, 0, 1)
    expect(retryAfter({ "retry-after": "2.5" }, now)).toBe(2500)
    expect(retryAfter({ "retry-after-ms": "7" }, now)).toBe(7)
    expect(retryAfter({ "retry-after": "Thu, 01 Jan 2026 00:00:30 GMT" }, now)).toBe(30_000)
    expect(retryAfter({ "retry-after": "Thu, 01 Jan 2025 00:00:30 GMT" }, now)).toBe(0)
    expect(retryAfter({ "retry-after": "soon" }, now)).toBe(undefined)
    expect(retryAfter({ "retry-after": "-1" }, now)).not.toBe(-1000)
    expect(retryAfter(undefined, now)).toBe(undefined)
  })
})

describe("conceal", () => {
  it("leaves out what the prompt says, and keeps the rest", () => {
    const prompt = [{ role: "user", content: [{ type: "text", text: "My name is Zoltan Kovács, 上海市浦东新区" }] }]
    expect(conceal("max_tokens must be at most 4096", prompt)).toBe("max_tokens must be at most 4096")
    expect(conceal("invalid value 'Zoltan Kovács' for name", prompt)).toBe("invalid value '*** ***' for ***")
    expect(conceal("file part of text/plain", [{ type: "file", mediaType: "text/plain", data: "" }])).toBe(
      "file part of text/plain"
    )
    expect(conceal("不支持上海市浦东新区的内容", prompt)).toBe("***")
  })

  it("never shows six characters in a row that the prompt has in one word", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{6,20}$/), fc.string(), fc.string(), (word, before, after) => {
        expect(conceal(`${before} ${word} ${after}`, { content: `x${word}y` }).split(" ")).not.toContain(word)
      })
    )
  })
})

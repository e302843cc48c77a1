import { describe, expect, it } from "@effect/vitest"
import { parse } from "@interlock/stages/limit/providerLimits"

describe("parse", () => {
  const now = Date.parse("2026-01-01T00:00:00Z")

  it("reads OpenAI's headers", () => {
    const { limits } = parse(
      {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "X-RateLimit-Limit-Tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "6m0.5s"
      },
      now
    )
    expect(limits).toEqual({
      requests: { limit: 60, remaining: 59, resetMillis: 1000 },
      tokens: { limit: 150_000, remaining: 149_984, resetMillis: 360_500 }
    })
  })

  it("reads Anthropic's headers", () => {
    const said = parse(
      {
        "retry-after": "12",
        "anthropic-ratelimit-input-tokens-limit": "50000",
        "anthropic-ratelimit-input-tokens-remaining": "48000",
        "anthropic-ratelimit-input-tokens-reset": "2026-01-01T00:00:03Z"
      },
      now
    )
    expect(said).toEqual({
      limits: { "input-tokens": { limit: 50_000, remaining: 48_000, resetMillis: 3000 } },
      retryAfterMillis: 12_000
    })
  })

  it("leaves out what is missing or malformed", () => {
    expect(
      parse(
        {
          "x-ratelimit-limit-requests": "many",
          "x-ratelimit-remaining-requests": "1",
          "x-ratelimit-limit-tokens": "0",
          "x-ratelimit-remaining-tokens": "0",
          "retry-after": "soon"
        },
        now
      )
    ).toEqual({ limits: {} })
    expect(parse({ "retry-after": "Thu, 01 Jan 2026 00:00:09 GMT" }, now).retryAfterMillis).toBe(9000)
    expect(parse({ "retry-after-ms": "250", "retry-after": "9" }, now).retryAfterMillis).toBe(250)
  })
})

import { createAnthropic } from "@ai-sdk/anthropic"
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import type { LanguageModelV4 } from "@ai-sdk/provider"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import { live, watchedFetch, whole } from "../src/internal/aiSdkCall.ts"
import type { Failure } from "../src/internal/aiSdkError.ts"
import { nobody, type Protocol, protocols, type Scene, wire } from "./wire.ts"

const apiKey = "sk-canary-0123456789abcdef"

const model = (protocol: Protocol, url: string): LanguageModelV4 => {
  const settings = { apiKey, fetch: watchedFetch }
  switch (protocol) {
    case "openai-responses":
      return createOpenAI({ ...settings, baseURL: `${url}/v1` }).responses("wire-1")
    case "openai-chat":
      return createOpenAI({ ...settings, baseURL: `${url}/v1` }).chat("wire-1")
    case "anthropic":
      return createAnthropic({ ...settings, baseURL: `${url}/v1` })("wire-1")
    case "google":
      return createGoogleGenerativeAI({ ...settings, baseURL: `${url}/v1beta` })("wire-1")
    case "compatible":
      return createOpenAICompatible({ ...settings, name: "compatible", baseURL: `${url}/v1`, includeUsage: true })(
        "wire-1"
      )
  }
}
const limits = { connect: 10_000, firstPart: 60_000, idle: 30_000, whole: 600_000 }
const options = { prompt: [{ role: "user" as const, content: [{ type: "text" as const, text: "hello" }] }] }
const fail = (failure: Failure) => failure

type Delivery = "whole" | "live"
const ask = (protocol: Protocol, url: string, delivery: Delivery) =>
  delivery === "whole"
    ? Effect.scoped(whole(model(protocol, url), options, limits, fail))
    : Effect.scoped(Effect.flatMap(live(model(protocol, url), options, limits, fail), Stream.runCollect))

const textOf = (parts: ReadonlyArray<any>) =>
  parts.map((part) => (part.type === "text" ? part.text : part.type === "text-delta" ? part.delta : "")).join("")

const cases = protocols.flatMap((protocol) => (["whole", "live"] as const).map((delivery) => ({ protocol, delivery })))

const failing = (name: string, scene: Scene, expected: (failure: Failure, delivery: Delivery) => void) =>
  describe(name, () => {
    for (const { protocol, delivery } of cases) {
      it.effect(`${protocol}, ${delivery}`, () =>
        Effect.gen(function* () {
          const server = yield* wire(scene)
          const failure = yield* Effect.flip(ask(protocol, server.url, delivery))
          expected(failure, delivery)
          expect(JSON.stringify(failure)).not.toContain(apiKey)
          expect(server.seen.length).toBe(1)
        })
      )
    }
  })

describe("an answer", () => {
  for (const { protocol, delivery } of cases) {
    it.effect(`${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ say: { deltas: ["Hello", ", ", "world"] } })
        const parts = yield* ask(protocol, server.url, delivery)
        expect(textOf(parts)).toBe("Hello, world")
      })
    )
  }
})

failing(
  "refused key",
  { status: 401, body: { error: { message: `bad ${apiKey}`, code: "invalid_api_key" } } },
  (failure) => expect(failure.reason).toBe("RefusedKey")
)
failing("429 with Retry-After", { status: 429, headers: { "retry-after": "7" } }, (failure) =>
  expect(failure).toMatchObject({ reason: "RateLimited", retryAfterMs: 7000 })
)
failing("429 without", { status: 429 }, (failure) => {
  expect(failure.reason).toBe("RateLimited")
  expect(failure.retryAfterMs).toBe(undefined)
})
failing("503", { status: 503 }, (failure) => expect(failure.reason).toBe("Overloaded"))
failing("not an answer", { html: "<html>" }, (failure) => expect(failure.reason).toBe("InvalidAnswer"))
failing("garbage", { say: { deltas: ["a", "b"] }, garbageAfter: 1 }, (failure) => {
  expect(failure.reason).toBe("InvalidAnswer")
})
failing("cut", { say: { deltas: ["a", "b"] }, cutAfter: 1 }, (failure) => {
  expect(failure.reason).toBe("Network")
})
failing("end", { say: { deltas: ["a", "b"] }, endAfter: 1 }, (failure) => {
  expect(failure.reason).toBe("Network")
})
failing("filtered", { say: { deltas: [], filtered: true } }, (failure) =>
  expect(failure.reason).toBe("ContentFiltered")
)

describe("nobody listens", () => {
  for (const { protocol, delivery } of cases) {
    it.effect(`${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(ask(protocol, yield* nobody, delivery))
        expect(failure).toEqual({ reason: "Network", detail: "ECONNREFUSED" })
      })
    )
  }
})

describe("hang", () => {
  for (const { protocol, delivery } of cases) {
    it.effect(`${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ hang: true })
        const fiber = yield* Effect.forkChild(Effect.flip(ask(protocol, server.url, delivery)))
        yield* server.arrived
        yield* TestClock.adjust(delivery === "whole" ? limits.whole : limits.connect)
        expect((yield* Fiber.join(fiber)).reason).toBe("Timeout")
        yield* server.cancelled
      })
    )
  }
})

describe("slow drip, then stall", () => {
  for (const protocol of protocols) {
    it.effect(protocol, () =>
      Effect.gen(function* () {
        const gated = Latch.makeUnsafe(false)
        const server = yield* wire({ say: { deltas: ["a", "b", "c", "d"] }, gated })
        const queue = yield* Queue.unbounded<string>()
        const fiber = yield* Effect.scoped(
          Effect.flatMap(live(model(protocol, server.url), options, limits, fail), (parts) =>
            Stream.runForEach(parts, (part) =>
              part.type === "text-delta" ? Queue.offer(queue, part.delta) : Effect.void
            )
          )
        ).pipe(Effect.exit, Effect.forkChild)
        yield* server.arrived
        for (const delta of ["a", "b", "c"]) {
          yield* TestClock.adjust(limits.idle - 1)
          yield* gated.open
          expect(yield* Queue.take(queue)).toBe(delta)
        }
        yield* TestClock.adjust(limits.idle)
        const exit = yield* Fiber.join(fiber)
        expect(exit).toEqual(Exit.fail({ reason: "Timeout", detail: "no further part within 30 s" }))
        yield* server.cancelled
      })
    )
  }
})

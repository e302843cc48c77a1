import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { APICallError, type LanguageModelV4StreamPart } from "@ai-sdk/provider"
import { describe, expect, it, vi } from "@effect/vitest"
import { Pipeline, Reply, Tracing } from "@interlock/core"
import { Caller, Chat, GenAi, Journal, ModelError, Parameters, Part, RawPrompt, SafePrompt } from "@interlock/model"
import { Cause, Duration, Effect, Exit, Fiber, Latch, Logger, Queue, References, Stream, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { AiSdk, Timeouts } from "../src/index.ts"
import { onHead, watchedFetch } from "../src/internal/aiSdkFetch.ts"
import { canary, type Delivery, deliveries, everyWay, facts, flow, key, models } from "./fixture.ts"
import { nobody, type Protocol, protocols, type Scene, wire } from "./wire.ts"

const cases = everyWay(protocols)

/** All the parts of one call, whole or live. */
const ask = (protocol: Protocol, url: string, delivery: Delivery, given = facts(protocol)) =>
  Effect.provide(
    delivery === "whole"
      ? Effect.scoped(Effect.flatMap(flow.handle(given), Reply.collect))
      : Stream.runCollect(flow.stream(given)),
    models(url)
  )

const fold = (parts: ReadonlyArray<Part.Part>) => parts.reduce(Chat.protocol.append, Chat.protocol.empty())

/** An error says neither the key nor the prompt, wherever one looks. */
const expectSilent = (error: ModelError.ModelError) => {
  const said = `${JSON.stringify(error)} ${String(error)} ${error.stack} ${JSON.stringify(error.cause)}`
  expect(said).not.toContain(key)
  expect(said).not.toContain(canary)
}

const failing = (name: string, scene: Scene, expected: object, ways = cases) =>
  describe(name, () => {
    for (const { protocol, delivery } of ways) {
      it.effect(`${protocol}, ${delivery}`, () =>
        Effect.gen(function* () {
          const server = yield* wire(scene)
          const journal = Journal.make()
          const error = yield* Effect.flip(ask(protocol, server.url, delivery)).pipe(
            Effect.provideService(Journal.Journal, journal)
          )
          expect(error).toMatchObject({ _tag: "ModelError", provider: protocol, model: "wire-1", ...expected })
          expect(error.message).toContain(`${protocol} `)
          expectSilent(error)
          expect(server.seen).toHaveLength(1)
          expect(journal.events()).toMatchObject([
            { _tag: "Attempt", provider: protocol, model: "wire-1", outcome: "failed", error: error.reason._tag }
          ])
        })
      )
    }
  })

describe("an answer", () => {
  for (const { protocol, delivery } of cases) {
    it.effect(`${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ say: { deltas: ["Hello", ", ", "world"] } })
        const journal = Journal.make()
        const parts = yield* ask(protocol, server.url, delivery).pipe(Effect.provideService(Journal.Journal, journal))
        const answer = fold(parts)
        expect(answer.text).toBe("Hello, world")
        expect(answer.finishReason).toBe("stop")
        expect(answer.usage.inputTokens.total).toBe(7)
        expect(answer.usage.outputTokens.total).toBe(3)
        expect(parts.filter((part) => part.type === "text-delta")).toHaveLength(delivery === "live" ? 3 : 0)
        expect(journal.events()).toMatchObject([{ _tag: "Attempt", outcome: "answered", usage: answer.usage }])
        const { headers } = server.seen[0]!
        expect(headers.authorization ?? headers["x-api-key"] ?? headers["x-goog-api-key"]).toContain(key)
      })
    )
  }

  it.effect("carries the settings over the wire", () =>
    Effect.gen(function* () {
      const server = yield* wire({ say: { deltas: ["a"] } })
      const given = facts("openai-chat", {
        temperature: 0.5,
        topP: 0.9,
        maxOutputTokens: 12,
        stop: ["END"],
        seed: 3,
        presencePenalty: 0.25,
        frequencyPenalty: -0.25,
        responseFormat: { type: "json", name: "answer", schema: { type: "object", properties: {} } }
      })
      yield* ask("openai-chat", server.url, "whole", given)
      expect(server.seen[0]!.body).toMatchObject({
        model: "wire-1",
        temperature: 0.5,
        top_p: 0.9,
        max_tokens: 12,
        stop: ["END"],
        seed: 3,
        presence_penalty: 0.25,
        frequency_penalty: -0.25,
        response_format: { type: "json_schema", json_schema: { name: "answer" } }
      })
    })
  )
})

describe("OpenAI", () => {
  it.effect("is asked to keep nothing, unless a call wants it to", () =>
    Effect.gen(function* () {
      const server = yield* wire({ say: { deltas: ["a"] } })
      yield* ask("openai-responses", server.url, "whole")
      const kept = facts("openai-responses", { providerOptions: { openai: { store: true, user: "u" } } })
      yield* ask("openai-responses", server.url, "whole", kept)
      expect(server.seen.map(({ body }) => [body.store, body.user])).toEqual([
        [false, undefined],
        [true, "u"]
      ])
    })
  )
})

describe("a tool call", () => {
  for (const { protocol, delivery } of cases) {
    it.effect(`${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const tool = { id: "call_1", name: "look_up", params: { parcel: 42 } }
        const server = yield* wire({ say: { deltas: [], tool } })
        const given = facts(protocol, {
          tools: [
            {
              name: "look_up",
              description: "Finds a parcel",
              parameters: { type: "object", properties: { parcel: { type: "number" } }, required: ["parcel"] }
            }
          ],
          toolChoice: "required"
        })
        const answer = fold(yield* ask(protocol, server.url, delivery, given))
        expect(answer.toolCalls).toMatchObject([{ name: "look_up", params: { parcel: 42 } }])
        expect(answer.finishReason).toBe("tool-calls")
        expect(JSON.stringify(server.seen[0]!.body)).toContain("look_up")
      })
    )
  }
})

const live = (...protocols: ReadonlyArray<Protocol>) =>
  protocols.map((protocol) => ({ protocol, delivery: "live" as const }))

failing(
  "a refused key",
  { status: 401, body: { error: { message: `bad key ${key}`, code: "invalid_api_key" } } },
  { reason: { _tag: "RefusedKey" } }
)
failing(
  "no credit left",
  { status: 429, body: { error: { message: "You exceeded your quota", code: "insufficient_quota" } } },
  { reason: { _tag: "Quota" } }
)
failing(
  "429 with Retry-After in seconds",
  { status: 429, headers: { "retry-after": "7" } },
  { reason: { _tag: "RateLimited", retryAfterMs: 7000 } }
)
failing(
  "429 with Retry-After as a date",
  { status: 429, headers: { "retry-after": "Thu, 01 Jan 1970 00:00:09 GMT" } },
  { reason: { _tag: "RateLimited", retryAfterMs: 9000 } }
)
failing(
  "429 without Retry-After",
  { status: 429 },
  { reason: { _tag: "RateLimited" }, message: expect.not.stringContaining("retry after") }
)
failing(
  "429 with Google's RetryInfo",
  {
    status: 429,
    body: {
      error: {
        code: 429,
        message: "Resource exhausted",
        status: "RESOURCE_EXHAUSTED",
        details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.5s" }]
      }
    }
  },
  { reason: { _tag: "RateLimited", retryAfterMs: 1500 } },
  everyWay(["google"])
)
for (const status of [408, 409, 500, 503, 529]) {
  failing(
    String(status),
    { status },
    { reason: { _tag: "Overloaded", status } },
    everyWay(["openai-chat", "anthropic"])
  )
}
failing(
  "a bad request",
  {
    status: 400,
    body: { error: { message: `max_tokens is too large: '${canary}' ${key}`, type: "invalid_request_error" } }
  },
  { reason: { _tag: "BadRequest", status: 400 }, message: expect.stringContaining("max_tokens is too large: '***'") }
)
failing(
  "a filtered prompt",
  { status: 400, body: { error: { message: "The prompt was filtered", code: "content_filter" } } },
  { reason: { _tag: "ContentFiltered" } }
)
failing("a filtered answer", { say: { deltas: [], filtered: true } }, { reason: { _tag: "ContentFiltered" } })
const nothing = (finishReason: string) => ({
  body: { candidates: [{ content: {}, finishReason }], usageMetadata: { promptTokenCount: 5 } },
  frames: [{ candidates: [{ content: {}, finishReason }], usageMetadata: { promptTokenCount: 5 } }]
})
for (const finishReason of ["OTHER", "UNEXPECTED_TOOL_CALL", "MALFORMED_FUNCTION_CALL"]) {
  failing(
    `no content, for the reason ${finishReason}`,
    nothing(finishReason),
    { reason: { _tag: "InvalidAnswer" } },
    everyWay(["google"])
  )
}
failing("an empty object", { body: {}, frames: [] }, { reason: { _tag: "InvalidAnswer" } }, [
  { protocol: "google", delivery: "whole" }
])
failing("an answer that is no answer", { html: "<html></html>" }, { reason: { _tag: "InvalidAnswer" } })
failing(
  "garbage in the answer",
  { say: { deltas: ["a", "b"] }, garbageAfter: 1 },
  { reason: { _tag: "InvalidAnswer" } }
)
failing("a connection cut in the answer", { say: { deltas: ["a", "b"] }, cutAfter: 1 }, { reason: { _tag: "Network" } })
failing("an answer that ends too early", { say: { deltas: ["a", "b"] }, endAfter: 1 }, { reason: { _tag: "Network" } })

failing(
  "an overload said in the stream",
  { frame: { type: "error", error: { type: "overloaded_error", message: `Overloaded ${canary}` } } },
  { reason: { _tag: "Overloaded" } },
  live("anthropic")
)
failing(
  "an error said under 200",
  {
    body: { error: { code: 429, message: `slow down ${canary}` } },
    frames: [{ error: { code: 429, message: `slow down ${canary}` } }]
  },
  { reason: { _tag: "RateLimited" } },
  everyWay(["openai-chat", "compatible"])
)
for (const [code, reason] of [
  ["server_error", "Overloaded"],
  ["rate_limit_exceeded", "RateLimited"],
  ["insufficient_quota", "Quota"],
  ["image_content_policy_violation", "ContentFiltered"]
] as const) {
  for (const numbered of [{ sequence_number: 1 }, {}]) {
    failing(
      `a response that failed: ${code}${"sequence_number" in numbered ? "" : ", from a gateway"}`,
      {
        body: {},
        frames: [
          { type: "response.created", response: { id: "r", created_at: 1, model: "wire-1" } },
          { type: "response.failed", ...numbered, response: { error: { code, message: canary } } }
        ]
      },
      { reason: { _tag: reason } },
      live("openai-responses")
    )
  }
}
failing(
  "an error said in the stream",
  { frame: { error: { message: `bad ${canary}`, type: "server_error" } } },
  { reason: { _tag: "Overloaded" } },
  live("openai-chat", "compatible")
)
failing(
  "a rate limit said in the stream",
  { frame: { error: { code: 429, status: "RESOURCE_EXHAUSTED", message: "slow down" } } },
  { reason: { _tag: "RateLimited" } },
  live("google")
)

describe("wrong usage", () => {
  for (const { protocol, delivery } of cases) {
    it.effect(`fractions and negative counts: ${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ say: { deltas: ["a"], input: -5, output: 2.4 } })
        const exit = yield* Effect.exit(ask(protocol, server.url, delivery))
        if (Exit.isSuccess(exit)) {
          const { inputTokens, outputTokens } = fold(exit.value).usage
          for (const count of [...Object.values(inputTokens), ...Object.values(outputTokens)]) {
            expect(Number.isSafeInteger(count)).toBe(true)
            expect(count).toBeGreaterThanOrEqual(0)
          }
        } else {
          expect(JSON.stringify(exit.cause)).toContain("InvalidAnswer")
        }
      })
    )
    it.effect(`words: ${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ say: { deltas: ["a"], input: "many", output: null } })
        const exit = yield* Effect.exit(ask(protocol, server.url, delivery))
        if (Exit.isSuccess(exit)) expect(fold(exit.value).usage.inputTokens.total).not.toBe("many")
        else expect(JSON.stringify(exit.cause)).toContain("InvalidAnswer")
      })
    )
  }
})

describe("nobody listens", () => {
  for (const { protocol, delivery } of cases) {
    it.effect(`${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(ask(protocol, yield* nobody, delivery))
        expect(error).toMatchObject({ _tag: "ModelError", reason: { _tag: "Network" } })
        expectSilent(error)
      })
    )
  }
})

const { connect, firstPart, idle, whole } = Timeouts.defaults

describe("a server that hangs", () => {
  for (const { protocol, delivery } of cases) {
    it.effect(`without a response head: ${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ hang: true })
        const fiber = yield* Effect.forkChild(Effect.flip(ask(protocol, server.url, delivery)))
        yield* server.arrived
        const limit = delivery === "whole" ? whole : connect
        yield* TestClock.adjust(limit)
        expect((yield* Fiber.join(fiber)).reason).toMatchObject({
          _tag: "Timeout",
          phase: delivery === "whole" ? "whole" : "connect",
          afterMs: Duration.toMillis(limit)
        })
        yield* server.cancelled
      })
    )
  }

  for (const protocol of protocols) {
    it.effect(`before the first part: ${protocol}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ say: { deltas: ["a"] }, stallAfter: 0 })
        const fiber = yield* ask(protocol, server.url, "live").pipe(
          Effect.flip,
          Effect.provideService(Timeouts.Timeouts, { ...Timeouts.defaults, connect: firstPart, idle: firstPart }),
          Effect.forkChild
        )
        yield* server.arrived
        yield* TestClock.adjust(firstPart)
        expect((yield* Fiber.join(fiber)).reason).toMatchObject({ _tag: "Timeout" })
        yield* server.cancelled
      })
    )

    it.effect(`between parts, after a slow drip: ${protocol}`, () =>
      Effect.gen(function* () {
        const gated = Latch.makeUnsafe(false)
        const server = yield* wire({ say: { deltas: ["a", "b", "c", "d"] }, gated })
        const queue = yield* Queue.unbounded<string>()
        const patient = { ...Timeouts.defaults, connect: firstPart, whole: Duration.days(1) }
        const fiber = yield* Stream.runForEach(flow.stream(facts(protocol)), (part) =>
          part.type === "text-delta" ? Queue.offer(queue, part.delta) : Effect.void
        ).pipe(
          Effect.flip,
          Effect.provide(models(server.url)),
          Effect.provideService(Timeouts.Timeouts, patient),
          Effect.forkChild
        )
        yield* server.arrived
        for (const delta of ["a", "b", "c"]) {
          yield* TestClock.adjust(Duration.subtract(idle, Duration.millis(1)))
          yield* gated.open
          expect(yield* Queue.take(queue)).toBe(delta)
        }
        yield* TestClock.adjust(idle)
        expect((yield* Fiber.join(fiber)).reason).toMatchObject({ _tag: "Timeout", phase: "idle" })
        yield* server.cancelled
      })
    )

    it.effect(`the time that the caller takes is not counted: ${protocol}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ say: { deltas: ["a", "b", "c"] } })
        const parts = yield* Stream.runCollect(
          Stream.tap(flow.stream(facts(protocol)), () => TestClock.adjust(Duration.times(idle, 1.5)))
        ).pipe(
          Effect.provide(models(server.url)),
          Effect.provideService(Timeouts.Timeouts, {
            ...Timeouts.defaults,
            whole: Duration.days(1)
          })
        )
        expect(fold(parts).text).toBe("abc")
      })
    )
  }
})

describe("the commit point", () => {
  for (const protocol of protocols) {
    const open = (url: string) =>
      flow
        .handle(facts(protocol))
        .pipe(Effect.provideService(Reply.Delivery, "live" as const), Effect.provide(models(url)))

    it.effect(`a failure before content is one of the effect: ${protocol}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ say: { deltas: ["a"] }, cutAfter: 0 })
        const exit = yield* Effect.exit(open(server.url))
        expect(Exit.isFailure(exit)).toBe(true)
      })
    )

    it.effect(`a failure after content is one of the stream: ${protocol}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ say: { deltas: ["a", "b"] }, cutAfter: 1 })
        const reply = yield* open(server.url)
        const seen: Array<string> = []
        const error = yield* Effect.flip(
          Stream.runForEach(Reply.toStream(reply), (part) =>
            Effect.sync(() => {
              if (part.type === "text-delta") seen.push(part.delta)
            })
          )
        )
        expect(seen).toEqual(["a"])
        expect(error).toMatchObject({ _tag: "ModelError", reason: { _tag: "Network" } })
      })
    )
  }
})

describe("a caller that leaves", () => {
  for (const protocol of protocols) {
    it.effect(`after the first delta cancels the request: ${protocol}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ say: { deltas: ["a", "b"] }, stallAfter: 1 })
        const journal = Journal.make()
        const first = yield* flow.stream(facts(protocol)).pipe(
          Stream.filter((part) => part.type === "text-delta"),
          Stream.take(1),
          Stream.runCollect,
          Effect.provide(models(server.url)),
          Effect.provideService(Journal.Journal, journal)
        )
        expect(first).toMatchObject([{ delta: "a" }])
        yield* server.cancelled
        expect(journal.events()).toMatchObject([{ _tag: "Attempt", outcome: "interrupted" }])
      })
    )

    for (const delivery of deliveries) {
      it.effect(`while it waits cancels the request: ${protocol}, ${delivery}`, () =>
        Effect.gen(function* () {
          const server = yield* wire({ hang: true })
          const journal = Journal.make()
          const fiber = yield* ask(protocol, server.url, delivery).pipe(
            Effect.provideService(Journal.Journal, journal),
            Effect.forkChild
          )
          yield* server.arrived
          yield* Fiber.interrupt(fiber)
          yield* server.cancelled
          expect(journal.events()).toMatchObject([{ _tag: "Attempt", outcome: "interrupted" }])
        })
      )
    }
  }
})

describe("the key", () => {
  for (const { protocol, delivery } of cases) {
    it.effect(`is in no span, log line or error: ${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const said: Array<string> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            said.push(JSON.stringify([...span.attributes]))
            const { end } = span
            span.end = (time, exit) => {
              end.call(span, time, exit)
              said.push(JSON.stringify([[...span.attributes], span.events, exit]))
              if (Exit.isFailure(exit)) said.push(Cause.pretty(exit.cause))
            }
            return span
          }
        })
        const logger = Logger.make(({ cause, message }) => void said.push(`${String(message)} ${Cause.pretty(cause)}`))
        const server = yield* wire({ status: 401, body: { error: { message: `Incorrect API key: ${key} ${canary}` } } })
        yield* ask(protocol, server.url, delivery).pipe(
          Effect.tapCause((cause) => Effect.logError("the call failed", cause)),
          Effect.exit,
          Effect.provideService(Tracing.Tracing, GenAi.tracing),
          Effect.provideService(Tracer.Tracer, tracer),
          Effect.provideService(References.MinimumLogLevel, "All"),
          Effect.provide(Logger.layer([logger]))
        )
        expect(said.join()).toContain("RefusedKey")
        expect(said.join()).toContain("callModel")
        expect(said.join()).not.toContain(key)
        expect(said.join()).not.toContain(canary)
      })
    )
  }
})

describe("handler", () => {
  it.effect("calls one model, whole and live, and writes the try into the journal", () =>
    Effect.gen(function* () {
      const server = yield* wire({ say: { deltas: ["Hello"] } })
      const create = createOpenAICompatible({ name: "local", baseURL: `${server.url}/v1`, fetch: AiSdk.fetch })
      const flow = Pipeline.make("one", { input: [SafePrompt, Parameters], protocol: Chat.protocol }).to(
        AiSdk.handler(create("qwen"))
      )
      const journal = Journal.make()
      const given = facts("nobody", { temperature: 0 })
      const whole = yield* Effect.provideService(flow.run(given), Journal.Journal, journal)
      const parts = yield* Effect.provideService(Stream.runCollect(flow.stream(given)), Journal.Journal, journal)
      expect(whole.text).toBe("Hello")
      expect(fold(parts).text).toBe("Hello")
      expect(server.seen.map(({ body }) => [body.stream === true, body.temperature, body.model])).toEqual([
        [false, 0, "qwen"],
        [true, 0, "qwen"]
      ])
      expect(journal.events()).toMatchObject([
        { provider: "local.chat", model: "qwen", outcome: "answered" },
        { provider: "local.chat", model: "qwen", outcome: "answered" }
      ])
    })
  )

  it.effect("keeps to the limits of Timeouts.layer", () =>
    Effect.gen(function* () {
      const server = yield* wire({ hang: true })
      const fiber = yield* ask("compatible", server.url, "whole").pipe(
        Effect.flip,
        Effect.provide(Timeouts.layer({ whole: "5 seconds" })),
        Effect.forkChild
      )
      yield* server.arrived
      yield* TestClock.adjust("5 seconds")
      expect((yield* Fiber.join(fiber)).reason).toMatchObject({ _tag: "Timeout", phase: "whole", afterMs: 5000 })
    })
  )

  it.effect("gives a typed error when the model cannot even be made", () =>
    Effect.gen(function* () {
      const broken = AiSdk.provider("broken", () => {
        throw new Error(canary)
      })
      const prompt = { content: [] }
      const request = { provider: "broken", model: "m", prompt, settings: {}, delivery: "whole" } as const
      const error = yield* Effect.flip(broken.call(request))
      expect(error).toMatchObject({ _tag: "ModelError", reason: { _tag: "InvalidAnswer" } })
      expect(error.message).not.toContain(canary)
    })
  )
})

describe("fetch", () => {
  it.effect("leaves the limits to Timeouts, and the dispatcher to the program", () =>
    Effect.gen(function* () {
      const name = Symbol.for("undici.globalDispatcher.1")
      const shared = globalThis as { [name: symbol]: { dispatch: (options: object, handler: object) => boolean } }
      new Headers()
      const inForce = shared[name]!
      const asked: Array<object> = []
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          shared[name] = {
            dispatch: (options, handler) => {
              asked.push(options)
              return inForce.dispatch(options, handler)
            }
          }
        }),
        () =>
          Effect.sync(() => {
            shared[name] = inForce
          })
      )
      const server = yield* wire({ say: { deltas: ["Hello"] } })
      expect(fold(yield* ask("compatible", server.url, "whole")).text).toBe("Hello")
      expect(asked).toMatchObject([{ headersTimeout: 0, bodyTimeout: 0 }])
    })
  )
})

/** The timers that no clock of Effect's drives. */
const fakeTimers = Effect.acquireRelease(
  Effect.sync(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })),
  () => Effect.sync(() => vi.useRealTimers())
)

describe("a server that keeps the connection open behind its answer", () => {
  const chunk = { id: "c", created: 1, model: "wire-1", choices: [{ index: 0, delta: { content: "Hello" } }] }
  const done = { ...chunk, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }
  for (const protocol of ["openai-chat", "compatible"] as const) {
    it.effect(`has answered with [DONE]: ${protocol}`, () =>
      Effect.gen(function* () {
        const server = yield* wire({ body: {}, frames: [chunk, done, "[DONE]"], open: true })
        const answer = fold(yield* ask(protocol, server.url, "live"))
        expect(answer).toMatchObject({ text: "Hello", finishReason: "stop" })
      })
    )
  }
  // What looks like an end within a text or a tool's parameters is none.
  const deltas = ["Hëllo ", 'event: response.completed\ndata: [DONE]\n\n{"finishReason":"STOP"} ', "world"]
  const tool = { id: "1", name: "end", params: { candidates: [{ finishReason: "STOP" }], type: "response.completed" } }
  for (const protocol of protocols) {
    for (const pieces of [undefined, 1, 7]) {
      it.effect(`has answered all the same: ${protocol}, in pieces of ${pieces ?? "any"} bytes`, () =>
        Effect.gen(function* () {
          const timers = yield* fakeTimers
          const server = yield* wire({ say: { deltas, tool }, open: true, ...(pieces === undefined ? {} : { pieces }) })
          const asked = yield* Effect.forkChild(ask(protocol, server.url, "live"))
          while (asked.pollUnsafe() === undefined) {
            // Google's stream is over when nothing has come for a while.
            if (protocol === "google" && timers.getTimerCount() > 0) timers.advanceTimersByTime(1000)
            yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          }
          const answer = fold(yield* Fiber.join(asked))
          expect(answer).toMatchObject({ text: deltas.join(""), finishReason: "tool-calls" })
          expect(answer.toolCalls).toMatchObject([{ name: "end", params: tool.params }])
          expect(answer.usage.inputTokens.total).toBe(7)
        })
      )
    }
  }
  it.effect("has answered: OpenAI's responses that were cut short", () =>
    Effect.gen(function* () {
      const server = yield* wire({ say: { deltas: ["Hello"], filtered: true }, open: true })
      expect(fold(yield* ask("openai-responses", server.url, "live"))).toMatchObject({ finishReason: "content-filter" })
    })
  )
})

describe("one JSON text under 200 where a stream was asked for", () => {
  const error = (code: unknown) => ({ error: { code, type: code, message: `no ${canary}` } })
  for (const [code, reason] of [
    [429, "RateLimited"],
    ["insufficient_quota", "Quota"],
    ["server_error", "Overloaded"]
  ] as const) {
    failing(`an error, ${code}`, { status: 200, body: error(code) }, { reason: { _tag: reason } }, live(...protocols))
  }
  failing(
    "something else",
    { status: 200, body: { a: 1 } },
    { reason: { _tag: "InvalidAnswer" } },
    live("openai-responses", "openai-chat", "anthropic", "compatible")
  )
  // Google's events have nothing that they must have: this one is a stream that broke off.
  failing("something else", { status: 200, body: { a: 1 } }, { reason: { _tag: "Network" } }, live("google"))

  it.effect("is read in time, however many blanks are in it", () =>
    Effect.gen(function* () {
      const server = yield* wire({ status: 200, body: { a: " ".repeat(1_000_000) } })
      const error = yield* Effect.flip(ask("compatible", server.url, "live"))
      expect(error).toMatchObject({ reason: { _tag: "InvalidAnswer" } })
    })
  )

  it.effect("is no stream of JSON by the line, which comes as it is written", () =>
    Effect.gen(function* () {
      const server = createServer((_, response) => {
        response.writeHead(200, { "content-type": "application/x-ndjson" }).write('{"response":"Hel"}\n')
      })
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () => Effect.sync(() => void server.close().closeAllConnections())
      )
      const { port } = server.address() as AddressInfo
      const { signal } = new AbortController()
      onHead(signal, () => {})
      const response = yield* Effect.promise(() => watchedFetch(`http://127.0.0.1:${port}`, { signal }))
      const { value } = yield* Effect.promise(() => response.body!.getReader().read())
      expect(Buffer.from(value!).toString()).toBe('{"response":"Hel"}\n')
    })
  )

  it.effect("is a stream where it is one, whatever it is called", () =>
    Effect.gen(function* () {
      const headers = { "content-type": "application/json" }
      for (const protocol of protocols) {
        const server = yield* wire({ say: { deltas: ["Hel", "lo"], headers } })
        expect(fold(yield* ask(protocol, server.url, "live")).text).toBe("Hello")
      }
    })
  )
})

describe("a request that is sent on", () => {
  const elsewhere = (location: string): Scene => ({ status: 308, headers: { location } })

  it.effect("is followed on the same host", () =>
    Effect.gen(function* () {
      const server = yield* wire(elsewhere("/moved/v1/chat/completions"), { say: { deltas: ["Hello"] } })
      expect(fold(yield* ask("compatible", server.url, "whole")).text).toBe("Hello")
      expect(server.seen.map(({ path }) => path)).toEqual(["/v1/chat/completions", "/moved/v1/chat/completions"])
      expect(server.seen[1]?.body).toEqual(server.seen[0]?.body)
      expect(server.seen[1]?.headers.authorization).toContain(key)
    })
  )

  for (const protocol of protocols) {
    it.effect(`is not followed to another host, which would see the key: ${protocol}`, () =>
      Effect.gen(function* () {
        const other = yield* wire({ say: { deltas: ["Hello"] } })
        const server = yield* wire(elsewhere(`${other.url.replace("127.0.0.1", "localhost")}/v1/messages`))
        const error = yield* Effect.flip(ask(protocol, server.url, "whole"))
        expect(error).toMatchObject({ reason: { _tag: "BadRequest", status: 308 } })
        expect(other.seen).toEqual([])
      })
    )
  }
})

describe("a tool call for which the server says that the model stopped", () => {
  for (const delivery of deliveries) {
    it.effect(`finishes with tool-calls, ${delivery}`, () =>
      Effect.gen(function* () {
        const call = { id: "1", type: "function", function: { name: "look_up", arguments: "{}" } }
        const head = { id: "c", created: 1, model: "wire-1" }
        const server = yield* wire({
          body: {
            ...head,
            choices: [{ index: 0, message: { role: "assistant", tool_calls: [call] }, finish_reason: "stop" }]
          },
          frames: [
            { ...head, choices: [{ index: 0, delta: { tool_calls: [{ index: 0, ...call }] } }] },
            { ...head, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
            "[DONE]"
          ]
        })
        expect(fold(yield* ask("compatible", server.url, delivery)).finishReason).toBe("tool-calls")
      })
    )
  }
})

describe("a pipeline as a language model of the AI SDK", () => {
  const modelOf = (
    handle: () => Effect.Effect<Reply.Reply<Part.Part, ModelError.ModelError>, ModelError.ModelError>
  ) => {
    const asked: Array<object> = []
    const bottom = Pipeline.handler(
      "answer",
      { needs: { prompt: RawPrompt, settings: Parameters, caller: Caller } },
      (facts) => {
        asked.push(facts)
        return handle()
      }
    )
    const chat = Pipeline.make("chat", { input: [RawPrompt, Parameters, Caller], protocol: Chat.protocol }).to(bottom)
    return Effect.map(AiSdk.languageModel(chat, Caller.context({ tenant: "acme" })), (model) => ({ asked, model }))
  }
  const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "hello" }] }]
  const usage = { inputTokens: { total: 3 }, outputTokens: { total: 2 } }
  const overloaded = new ModelError.ModelError({
    provider: "p",
    model: "m",
    reason: new ModelError.Overloaded({ retryAfterMs: 2000 }),
    message: "too busy"
  })

  const read = async (stream: ReadableStream<LanguageModelV4StreamPart>) => {
    const parts: Array<LanguageModelV4StreamPart> = []
    for await (const part of stream) parts.push(part)
    return parts
  }

  it.effect("generates, with the settings, the prompt and the other facts", () =>
    Effect.gen(function* () {
      const id: Part.Part = { type: "response-metadata", id: "r", modelId: "m", timestamp: "2026-01-01T00:00:00.000Z" }
      const { asked, model } = yield* modelOf(() => Effect.succeed(Reply.whole([id, ...Part.text("hi", usage)])))
      const result = yield* Effect.promise(async () =>
        model.doGenerate({
          prompt,
          temperature: 0.5,
          tools: [{ type: "provider", id: "anthropic.bash", name: "bash", args: {} }],
          toolChoice: { type: "tool", toolName: "t" }
        })
      )
      expect(result).toMatchObject({
        response: { id: "r", modelId: "m", timestamp: new Date("2026-01-01") },
        warnings: [{ type: "unsupported", feature: "anthropic.bash" }],
        content: [{ type: "text", text: "hi" }],
        finishReason: { unified: "stop" },
        usage: { inputTokens: { total: 3 }, outputTokens: { total: 2 } }
      })
      expect(asked).toMatchObject([
        {
          prompt: { content: [{ role: "user", content: [{ type: "text", text: "hello" }] }] },
          settings: { temperature: 0.5, toolChoice: { tool: "t" } },
          caller: { tenant: "acme" }
        }
      ])
    })
  )

  it.effect("hands parameters that are no JSON on as the model wrote them", () =>
    Effect.gen(function* () {
      const call = {
        type: "tool-call",
        id: "1",
        name: "look",
        params: '{"at": tru',
        metadata: { interlock: { invalidParams: true } }
      } as const
      const { model } = yield* modelOf(() => Effect.succeed(Reply.whole([call, Part.finish("tool-calls", usage)])))
      const result = yield* Effect.promise(async () => model.doGenerate({ prompt }))
      expect(result.content).toMatchObject([{ type: "tool-call", input: '{"at": tru' }])
    })
  )

  it.effect("streams, and says a late failure in the stream", () =>
    Effect.gen(function* () {
      const { model } = yield* modelOf(() =>
        Effect.succeed(
          Reply.live(
            Stream.concat(
              Stream.fromIterable<Part.Part>([
                { type: "text-start", id: "t" },
                { type: "text-delta", id: "t", delta: "hi" }
              ]),
              Stream.fail(overloaded)
            )
          )
        )
      )
      const parts = yield* Effect.promise(async () => read((await model.doStream({ prompt })).stream))
      expect(parts.map((part) => part.type)).toEqual(["stream-start", "text-start", "text-delta", "error"])
    })
  )

  it.effect("throws what the AI SDK understands", () =>
    Effect.gen(function* () {
      const { model } = yield* modelOf(() => Effect.fail(overloaded))
      for (const way of ["doGenerate", "doStream"] as const) {
        const error = yield* Effect.flip(
          Effect.tryPromise({ try: async () => model[way]({ prompt }), catch: (e) => e })
        )
        expect(APICallError.isInstance(error)).toBe(true)
        expect(error).toMatchObject({
          message: "too busy",
          statusCode: 503,
          isRetryable: true,
          responseHeaders: { "retry-after-ms": "2000" }
        })
      }
    })
  )

  it.effect("stops the pipeline when the AI SDK aborts", () =>
    Effect.gen(function* () {
      const started = Latch.makeUnsafe(false)
      const stopped = Latch.makeUnsafe(false)
      const forever = Effect.onInterrupt(Effect.andThen(started.open, Effect.never), () => stopped.open)
      const { model } = yield* modelOf(() => forever)
      const controller = new AbortController()
      const call = Promise.resolve(model.doStream({ prompt, abortSignal: controller.signal })).then(
        () => "answered",
        (error: unknown) => (error as Error).name
      )
      yield* started.await
      controller.abort()
      yield* stopped.await
      expect(yield* Effect.promise(() => call)).toBe("AbortError")
    })
  )

  it.effect("releases the pipeline when the stream is cancelled", () =>
    Effect.gen(function* () {
      const stopped = Latch.makeUnsafe(false)
      const parts = Stream.fromIterable<Part.Part>([{ type: "text-start", id: "t" }]).pipe(
        Stream.concat(Stream.never),
        Stream.onExit(() => stopped.open)
      )
      const { model } = yield* modelOf(() => Effect.succeed(Reply.live(parts)))
      yield* Effect.promise(async () => {
        const reader = (await model.doStream({ prompt })).stream.getReader()
        await reader.read()
        await reader.read()
        await reader.cancel()
      })
      yield* stopped.await
    })
  )
})

import { describe, expect, it } from "@effect/vitest"
import { Catalogue, ChosenModel, Journal } from "@interlock/model"
import { Context, Effect, Stream } from "effect"
import { type Delivery, deliveries, facts, flow, models } from "./fixture.ts"
import { type Scene, wire } from "./wire.ts"

/** What the journal says of the tries of one call. */
const attempts = (provider: string, model: string, scene: Scene, delivery: Delivery) =>
  Effect.gen(function* () {
    const server = yield* wire(scene)
    const journal = Journal.make()
    const given = Context.add(facts(provider, { maxOutputTokens: 100 }), ChosenModel, { provider, model })
    yield* (delivery === "whole" ? flow.run(given) : Stream.runDrain(flow.stream(given))).pipe(
      Effect.exit,
      Effect.provideService(Journal.Journal, journal),
      Effect.provide(models(server.url))
    )
    return journal.events()
  })

const prices = (provider: string, model: string) => ({
  provider,
  model,
  limits: { context: 100_000, output: 10_000 },
  prices: Catalogue.declarePrices(
    { input: 1, output: 10, cacheRead: 0.1, cacheWrite: 1.25, cacheWriteOneHour: 2 },
    { batch: 0.5 }
  )
})

const catalogue = Catalogue.layerOnly([
  prices("anthropic", "claude-x"),
  prices("compatible", "model-x"),
  prices("openai-responses", "gpt-5"),
  prices("google", "gemini-x")
])

const chat = (usage: object | undefined): Scene => ({
  body: {
    id: "c",
    created: 1,
    model: "model-x",
    choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
    usage
  },
  frames: [
    {
      id: "c",
      object: "chat.completion.chunk",
      created: 1,
      model: "model-x",
      choices: [{ index: 0, delta: { content: "Hello" }, finish_reason: "stop" }]
    },
    { id: "c", object: "chat.completion.chunk", created: 1, model: "model-x", choices: [], usage },
    "[DONE]"
  ]
})

const counted = {
  input_tokens: 1000,
  cache_read_input_tokens: 2000,
  cache_creation_input_tokens: 3000,
  cache_creation: { ephemeral_5m_input_tokens: 1000, ephemeral_1h_input_tokens: 2000 }
}

const claude = (...rest: ReadonlyArray<object>): Scene => ({
  body: {
    id: "m",
    type: "message",
    role: "assistant",
    model: "claude-x",
    content: [{ type: "text", text: "Hello" }],
    stop_reason: "end_turn",
    usage: { ...counted, output_tokens: 10 }
  },
  frames: [
    {
      type: "message_start",
      message: {
        id: "m",
        type: "message",
        role: "assistant",
        model: "claude-x",
        content: [],
        usage: { ...counted, output_tokens: 1 }
      }
    },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } },
    ...rest
  ]
})

/** 1000 new tokens, 2000 read from the cache, 1000 written for minutes and 2000 for an hour. */
const inputUsd = (1000 * 1 + 2000 * 0.1 + 1000 * 1.25 + 2000 * 2) / 1e6

describe("what Anthropic writes into its cache for an hour", () => {
  for (const delivery of deliveries) {
    it.effect(`has its own price, ${delivery}`, () =>
      Effect.gen(function* () {
        const scene = claude(
          { type: "content_block_stop", index: 0 },
          { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 10 } },
          { type: "message_stop" }
        )
        const [attempt] = yield* attempts("anthropic", "claude-x", scene, delivery)
        expect(attempt).toMatchObject({
          outcome: "answered",
          usage: {
            inputTokens: { total: 6000, uncached: 1000, cacheRead: 2000, cacheWrite: 3000 },
            outputTokens: { total: 10 }
          }
        })
        expect(attempt).toHaveProperty("costUsd", expect.closeTo(inputUsd + (10 * 10) / 1e6, 12))
        expect(attempt).not.toHaveProperty("estimated")
      }).pipe(Effect.provide(catalogue))
    )
  }

  it.effect("counts when the stream breaks off after it was said", () =>
    Effect.gen(function* () {
      const broken = claude({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } })
      const [attempt] = yield* attempts("anthropic", "claude-x", broken, "live")
      expect(attempt).toMatchObject({ outcome: "failed", error: "Overloaded", estimated: true })
      // Two tokens for "Hello" are an estimate; those of the prompt were said.
      expect(attempt).toHaveProperty("costUsd", expect.closeTo(inputUsd + (2 * 10) / 1e6, 12))
    }).pipe(Effect.provide(catalogue))
  )
})

describe("the service tier in which a call was served", () => {
  const openAi = (service_tier: string): Scene => {
    const usage = { input_tokens: 1000, output_tokens: 100 }
    const item = {
      type: "message",
      role: "assistant",
      id: "m",
      content: [{ type: "output_text", text: "Hello", annotations: [] }]
    }
    const text = { item_id: "m", output_index: 0, delta: "Hello" }
    return {
      body: { id: "r", created_at: 1, model: "gpt-5", output: [item], incomplete_details: null, usage, service_tier },
      frames: [
        { type: "response.created", response: { id: "r", created_at: 1, model: "gpt-5" } },
        { type: "response.output_item.added", output_index: 0, item: { type: "message", id: "m" } },
        { type: "response.output_text.delta", ...text },
        { type: "response.output_item.done", output_index: 0, item: { type: "message", id: "m" } },
        { type: "response.completed", response: { usage, service_tier } }
      ]
    }
  }
  const google = (serviceTier: string): Scene => {
    const answer = {
      candidates: [{ content: { role: "model", parts: [{ text: "Hello" }] }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 1000, candidatesTokenCount: 100, serviceTier }
    }
    return { body: answer, frames: [answer] }
  }
  const usd = (1000 * 1 + 100 * 10) / 1e6
  for (const [provider, model, scene] of [
    ["openai-responses", "gpt-5", openAi],
    ["google", "gemini-x", google]
  ] as const) {
    for (const delivery of deliveries) {
      it.effect(`has its price or none: ${provider}, ${delivery}`, () =>
        Effect.gen(function* () {
          const [usual] = yield* attempts(provider, model, scene("default"), delivery)
          expect(usual).toHaveProperty("costUsd", expect.closeTo(usd, 12))
          const [flex] = yield* attempts(provider, model, scene("flex"), delivery)
          expect(flex).toHaveProperty("costUsd", expect.closeTo(usd / 2, 12))
          const [priority] = yield* attempts(provider, model, scene("priority"), delivery)
          expect(priority).toMatchObject({ outcome: "answered" })
          expect(priority).not.toHaveProperty("costUsd")
        }).pipe(Effect.provide(catalogue))
      )
    }
  }
})

describe("the usage of a compatible server", () => {
  const cases: ReadonlyArray<readonly [what: string, usage: object | undefined, expected: object, usd: number]> = [
    [
      "OpenAI's own",
      {
        prompt_tokens: 100,
        completion_tokens: 20,
        total_tokens: 120,
        prompt_tokens_details: { cached_tokens: 40, cache_write_tokens: 10 },
        completion_tokens_details: { reasoning_tokens: 5 }
      },
      {
        inputTokens: { total: 100, uncached: 50, cacheRead: 40, cacheWrite: 10 },
        outputTokens: { total: 20, text: 15, reasoning: 5 }
      },
      50 + 4 + 12.5 + 200
    ],
    [
      "DeepSeek's hits",
      { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120, prompt_cache_hit_tokens: 80 },
      { inputTokens: { total: 100, uncached: 20, cacheRead: 80 }, outputTokens: { total: 20 } },
      20 + 8 + 200
    ],
    [
      "Moonshot's hits",
      { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120, cached_tokens: 80 },
      { inputTokens: { total: 100, uncached: 20, cacheRead: 80 }, outputTokens: { total: 20 } },
      20 + 8 + 200
    ],
    [
      "xAI's reasoning, which is not in the completion",
      {
        prompt_tokens: 10,
        completion_tokens: 1,
        total_tokens: 397,
        completion_tokens_details: { reasoning_tokens: 386 }
      },
      { inputTokens: { total: 10 }, outputTokens: { total: 387, text: 1, reasoning: 386 } },
      10 + 3870
    ]
  ]
  for (const [what, usage, expected, usd] of cases) {
    for (const delivery of deliveries) {
      it.effect(`${what}, ${delivery}`, () =>
        Effect.gen(function* () {
          const [attempt] = yield* attempts("compatible", "model-x", chat(usage), delivery)
          expect(attempt).toMatchObject({ outcome: "answered", usage: expected })
          expect(attempt).toHaveProperty("costUsd", expect.closeTo(usd / 1e6, 12))
          expect(attempt).not.toHaveProperty("estimated")
        }).pipe(Effect.provide(catalogue))
      )
    }
  }

  for (const [what, usage] of [
    ["none", undefined],
    ["a total alone", { total_tokens: 40 }],
    ["nothing but zeros", { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }]
  ] as const) {
    it.effect(`${what}: the cost is estimated, and no silent zero`, () =>
      Effect.gen(function* () {
        const [attempt] = yield* attempts("compatible", "model-x", chat(usage), "whole")
        expect(attempt).toMatchObject({ outcome: "answered", estimated: true, costUsd: expect.any(Number) })
        expect((attempt as { readonly costUsd: number }).costUsd).toBeGreaterThan(0)
      }).pipe(Effect.provide(catalogue))
    )
  }
})

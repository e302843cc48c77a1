import { assert, describe, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
import { Chat, ChosenModel, GenAi, Journal, ModelError, Parameters, Part, Prompt, RawPrompt } from "@interlock/model"
import { Context, Effect, Layer, Schema, Tracer } from "effect"
import { Prompt as EffectPrompt } from "effect/ai"

const usage: Part.Usage = { inputTokens: { total: 3 }, outputTokens: { total: 2 } }

describe("Prompt", () => {
  it.effect("is effect/ai's encoded prompt", () =>
    Effect.gen(function* () {
      const prompt = Prompt.make([
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "text", text: "Hello" }] }
      ])
      const decoded = yield* Schema.decodeEffect(EffectPrompt.Prompt)(prompt)
      assert.strictEqual(decoded.content.length, 2)
    })
  )

  it("gives the text of the last user message", () => {
    const prompt = Prompt.make([
      { role: "user", content: "one" },
      { role: "assistant", content: "two" },
      {
        role: "user",
        content: [
          { type: "text", text: "three" },
          { type: "text", text: "four" }
        ]
      }
    ])
    assert.strictEqual(Prompt.lastUserText(prompt), "three\nfour")
    assert.strictEqual(Prompt.text(prompt), "one\ntwo\nthree\nfour")
    assert.strictEqual(Prompt.lastUserText(Prompt.make([])), "")
  })
})

describe("Prompt.fromParts", () => {
  const signed = { anthropic: { signature: "c2ln" } }

  it("is the same of a whole reply and of a live one, with what the provider signed", () => {
    const whole: ReadonlyArray<Part.Part> = [
      { type: "response-metadata", id: "r" },
      { type: "reasoning", text: "Hm.", metadata: signed },
      { type: "text", text: "I look." },
      { type: "tool-call", id: "1", name: "look", params: { at: 1 }, metadata: { google: { thoughtSignature: "s" } } },
      Part.annotate(Part.finish("tool-calls"), { cost: 1 })
    ]
    const live: ReadonlyArray<Part.Part> = [
      { type: "reasoning-start", id: "0" },
      { type: "reasoning-delta", id: "0", delta: "H" },
      { type: "reasoning-delta", id: "0", delta: "m." },
      { type: "reasoning-delta", id: "0", delta: "", metadata: signed },
      { type: "reasoning-end", id: "0" },
      { type: "text-start", id: "1" },
      { type: "text-delta", id: "1", delta: "I look." },
      { type: "text-end", id: "1" },
      { type: "tool-params-start", id: "1", name: "look" },
      { type: "tool-params-delta", id: "1", delta: '{"at":1}' },
      { type: "tool-params-end", id: "1" },
      ...whole.slice(3)
    ]
    const expected = [
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "Hm.", options: signed },
          { type: "text", text: "I look." },
          {
            type: "tool-call",
            id: "1",
            name: "look",
            params: { at: 1 },
            options: { google: { thoughtSignature: "s" } }
          }
        ]
      }
    ]
    assert.deepStrictEqual<unknown>(Prompt.fromParts(whole), expected)
    assert.deepStrictEqual<unknown>(Prompt.fromParts(live), expected)
  })

  it("puts what the provider's tools returned into the answer, and what ours returned behind it", () => {
    const result = { type: "tool-result", name: "look", isFailure: false, result: 1 } as const
    const messages = Prompt.fromParts([
      { ...result, id: "0", preliminary: true },
      { ...result, id: "1", providerExecuted: true },
      Part.annotate({ type: "tool-call", id: "2", name: "look", params: "{" }, { invalidParams: true }),
      { ...result, id: "2" }
    ])
    assert.deepStrictEqual<unknown>(messages, [
      {
        role: "assistant",
        content: [
          { ...result, id: "1", providerExecuted: true },
          { type: "tool-call", id: "2", name: "look", params: "{" }
        ]
      },
      { role: "tool", content: [{ ...result, id: "2" }] }
    ])
    assert.deepStrictEqual(Prompt.fromParts([Part.finish("stop")]), [])
  })
})

describe("Chat", () => {
  it("folds whole and live parts to the same answer", () => {
    const fold = (parts: ReadonlyArray<Part.Part>) => parts.reduce(Chat.protocol.append, Chat.protocol.empty())
    const whole = fold([{ type: "reasoning", text: "hm" }, ...Part.text("hello", usage)])
    const live = fold([
      { type: "reasoning-start", id: "r" },
      { type: "reasoning-delta", id: "r", delta: "hm" },
      { type: "reasoning-end", id: "r" },
      { type: "text-start", id: "t" },
      { type: "text-delta", id: "t", delta: "hel" },
      { type: "text-delta", id: "t", delta: "lo" },
      { type: "text-end", id: "t" },
      Part.finish("stop", usage)
    ])
    assert.deepStrictEqual(live, whole)
  })

  it("carries what Interlock says in the answer's metadata", () => {
    const said = Part.annotate(Part.annotate(Part.finish("stop"), { costUsd: 1 }), { cache: "exact" })
    assert.deepStrictEqual(Chat.protocol.append(Chat.empty, said).metadata, { costUsd: 1, cache: "exact" })
  })
})

describe("ModelError", () => {
  it("says what may be tried again, and when", () => {
    const error = (reason: ModelError.ModelError["reason"]) =>
      new ModelError.ModelError({ provider: "p", model: "m", reason, message: "x" })
    const limited = error(new ModelError.RateLimited({ retryAfterMs: 5 }))
    assert.isTrue(ModelError.isRetryable(limited))
    assert.strictEqual(ModelError.retryAfterMs(limited), 5)
    assert.isFalse(ModelError.isRetryable(error(new ModelError.RefusedKey())))
    assert.isUndefined(ModelError.retryAfterMs(error(new ModelError.Network())))
  })
})

describe("Journal", () => {
  it.effect("records events of the call in flight, and nothing where nobody reads", () =>
    Effect.gen(function* () {
      yield* Journal.record({ _tag: "Cache", outcome: "miss" })
      const journal = Journal.make()
      const attempt = {
        _tag: "Attempt",
        provider: "p",
        model: "m",
        startedAt: 0,
        endedAt: 1,
        outcome: "answered"
      } as const
      yield* Effect.provideService(Journal.record({ ...attempt, costUsd: 0.5 }), Journal.Journal, journal)
      assert.deepStrictEqual(Journal.cost(journal), { usd: 0.5, complete: true })
      journal.append(attempt)
      assert.deepStrictEqual(Journal.cost(journal), { usd: 0.5, complete: false })
      assert.strictEqual(journal.events().length, 2)
    })
  )
})

describe("GenAi", () => {
  it.effect("puts the conventions' attributes on the handler's span, and no text", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span(options) {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const call = Pipeline.handler("callModel", { needs: { model: ChosenModel, settings: Parameters } }, () =>
        Effect.succeed(Reply.whole(Part.text("secret answer", usage)))
      )
      const chat = Pipeline.make("chat", {
        input: [RawPrompt, ChosenModel, Parameters],
        protocol: Chat.protocol
      }).to(call)
      const facts = RawPrompt.context(Prompt.make("secret question")).pipe(
        Context.add(ChosenModel, { provider: "openai", model: "gpt-5" }),
        Context.add(Parameters, { temperature: 0 })
      )
      yield* chat.run(facts).pipe(Effect.provide([GenAi.layer, Layer.succeed(Tracer.Tracer, tracer)]))
      const attributes = Object.fromEntries(spans[0]?.attributes ?? [])
      assert.strictEqual(attributes["gen_ai.provider.name"], "openai")
      assert.strictEqual(attributes["gen_ai.request.model"], "gpt-5")
      assert.strictEqual(attributes["gen_ai.request.temperature"], 0)
      assert.strictEqual(attributes["gen_ai.usage.input_tokens"], 3)
      assert.strictEqual(attributes["gen_ai.usage.output_tokens"], 2)
      assert.notInclude(JSON.stringify(attributes), "secret")
    })
  )
})

import { describe, expect, it } from "@effect/vitest"
import { Pipeline, Reply, Stage } from "@interlock/core"
import {
  Caller,
  Chat as ChatProtocol,
  ChosenModel,
  Journal,
  ModelError,
  Parameters,
  Part,
  Prompt,
  RawPrompt,
  SafePrompt,
  type Settings
} from "@interlock/model"
import { Duration, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { AiError, Chat, LanguageModel, type Response, Tool, Toolkit } from "effect/ai"
import { TestClock } from "effect/testing"
import { callModel, EffectAi, Models } from "../src/index.ts"
import { canary, facts, flow, models, safe } from "./fixture.ts"
import { protocols, wire } from "./wire.ts"

const usage = { inputTokens: { total: 3 }, outputTokens: { total: 2 } }

/** A pipeline whose bottom answers by a script, and remembers what it was asked. */
const scripted = (
  answer: (
    prompt: Prompt.Prompt,
    settings: Settings,
    call: number
  ) => Effect.Effect<ReadonlyArray<Part.Part>, ModelError.ModelError>
) => {
  const asked: Array<{ readonly prompt: Prompt.Prompt; readonly settings: Settings }> = []
  const bottom = Pipeline.handler(
    "scripted",
    { needs: { prompt: RawPrompt, settings: Parameters } },
    Effect.fnUntraced(function* ({ prompt, settings }) {
      asked.push({ prompt, settings })
      const parts = yield* answer(prompt, settings, asked.length)
      return (yield* Reply.Delivery) === "live" ? Reply.live(Stream.fromIterable(parts)) : Reply.whole(parts)
    })
  )
  const chat = Pipeline.make("chat", { input: [RawPrompt, Parameters], protocol: ChatProtocol.protocol }).to(bottom)
  return { asked, layer: EffectAi.layer(chat) }
}

const say = (text: string) => Effect.succeed(Part.text(text, usage))

const weather = Tool.make("weather", {
  description: "The weather of a town",
  parameters: Schema.Struct({ town: Schema.String }),
  success: Schema.String
})
const toolkit = Toolkit.make(weather)
const tools = toolkit.toLayer({ weather: ({ town }) => Effect.succeed(`rain in ${town}`) })

describe("a pipeline as a LanguageModel", () => {
  it.effect("generates text, with usage and what Interlock says", () =>
    Effect.gen(function* () {
      const { asked, layer } = scripted(() => say("Tomorrow."))
      const answer = yield* Effect.provide(LanguageModel.generateText({ prompt: "When?" }), layer)
      expect(answer.text).toBe("Tomorrow.")
      expect(answer.finishReason).toBe("stop")
      expect(answer.usage.inputTokens.total).toBe(3)
      expect(Prompt.lastUserText(asked[0]!.prompt)).toBe("When?")
      expect(JSON.parse(JSON.stringify(asked[0]!.prompt))).toEqual(asked[0]!.prompt)
    })
  )

  it.effect("streams text, though the pipeline answers whole", () =>
    Effect.gen(function* () {
      const { layer } = scripted(() => say("Tomorrow."))
      const parts = yield* LanguageModel.streamText({ prompt: "When?" }).pipe(Stream.runCollect, Effect.provide(layer))
      expect(parts.map((part) => part.type)).toEqual(["text-start", "text-delta", "text-end", "finish"])
    })
  )

  it.effect("gathers a live answer when text is generated", () =>
    Effect.gen(function* () {
      const { layer } = scripted(() =>
        Effect.succeed([
          { type: "reasoning-start", id: "r" },
          { type: "text-start", id: "t" },
          { type: "reasoning-delta", id: "r", delta: "Hm" },
          { type: "text-delta", id: "t", delta: "To" },
          { type: "reasoning-end", id: "r", metadata: { openai: { signature: "s" } } },
          { type: "text-delta", id: "t", delta: "morrow" },
          { type: "text-end", id: "t" },
          Part.finish("stop", usage)
        ])
      )
      const answer = yield* Effect.provide(LanguageModel.generateText({ prompt: "When?" }), layer)
      expect(answer.text).toBe("Tomorrow")
      expect(answer.reasoning).toMatchObject([{ text: "Hm", metadata: { openai: { signature: "s" } } }])
    })
  )

  it.effect("keeps a Chat's history", () =>
    Effect.gen(function* () {
      const { asked, layer } = scripted((_prompt, _settings, call) => say(`answer ${call}`))
      yield* Effect.gen(function* () {
        const chat = yield* Chat.fromPrompt([{ role: "system", content: "Be brief." }])
        yield* chat.generateText({ prompt: "one" })
        yield* Stream.runDrain(chat.streamText({ prompt: "two" }))
        yield* chat.generateText({ prompt: "three" })
      }).pipe(Effect.provide(layer))
      expect(asked[2]!.prompt.content.map((message) => [message.role, Prompt.messageText(message)])).toEqual([
        ["system", "Be brief."],
        ["user", "one"],
        ["assistant", "answer 1"],
        ["user", "two"],
        ["assistant", "answer 2"],
        ["user", "three"]
      ])
    })
  )

  it.effect("resolves tools of an Effect program", () =>
    Effect.gen(function* () {
      const { asked, layer } = scripted(() =>
        Effect.succeed([
          { type: "tool-call", id: "1", name: "weather", params: { town: "Bergen" } },
          Part.finish("tool-calls", usage)
        ])
      )
      const whole = yield* LanguageModel.generateText({ prompt: "Weather?", toolkit }).pipe(
        Effect.provide(Layer.merge(layer, tools))
      )
      expect(whole.toolResults).toMatchObject([
        { id: "1", name: "weather", result: "rain in Bergen", isFailure: false }
      ])
      const live = yield* LanguageModel.streamText({
        prompt: "Weather?",
        toolkit,
        toolChoice: { tool: "weather" }
      }).pipe(Stream.runCollect, Effect.provide(Layer.merge(layer, tools)))
      expect(live.map((part) => part.type)).toEqual(["tool-call", "tool-result", "finish"])
      expect(asked[0]!.settings).toMatchObject({
        toolChoice: "auto",
        tools: [
          {
            name: "weather",
            description: "The weather of a town",
            parameters: { type: "object", properties: { town: { type: "string" } }, required: ["town"] }
          }
        ]
      })
      expect(asked[1]!.settings.toolChoice).toEqual({ tool: "weather" })
    })
  )

  it.effect("generates objects, and asks for JSON of their schema", () =>
    Effect.gen(function* () {
      const { asked, layer } = scripted(() => say('{"town":"Bergen","degrees":7}'))
      const answer = yield* LanguageModel.generateObject({
        prompt: "Weather?",
        objectName: "weather",
        schema: Schema.Struct({ town: Schema.String, degrees: Schema.Number })
      }).pipe(Effect.provide(layer))
      expect(answer.value).toEqual({ town: "Bergen", degrees: 7 })
      expect(asked[0]!.settings.responseFormat).toMatchObject({
        type: "json",
        name: "weather",
        schema: { type: "object", required: ["town", "degrees"] }
      })
    })
  )

  it.effect("gives the pipeline its other facts and base settings", () =>
    Effect.gen(function* () {
      const bottom = Pipeline.handler(
        "who",
        { needs: { caller: Caller, settings: Parameters } },
        ({ caller, settings }) => Effect.succeed(Reply.whole(Part.text(`${caller.tenant} ${settings.temperature}`)))
      )
      const who = Pipeline.make("who", { input: [RawPrompt, Parameters, Caller], protocol: ChatProtocol.protocol }).to(
        bottom
      )
      const layer = EffectAi.layer(who, { facts: Caller.context({ tenant: "acme" }), settings: { temperature: 0.5 } })
      const answer = yield* Effect.provide(LanguageModel.generateText({ prompt: "Who?" }), layer)
      expect(answer.text).toBe("acme 0.5")
      // @ts-expect-error the pipeline asks for a Caller, so its facts must be given
      EffectAi.layer(who)
    })
  )

  const reasons: ReadonlyArray<readonly [ModelError.ModelError["reason"], AiError.AiErrorReason["_tag"], boolean]> = [
    [new ModelError.RefusedKey(), "AuthenticationError", false],
    [new ModelError.Quota(), "QuotaExhaustedError", false],
    [new ModelError.RateLimited({ retryAfterMs: 2000 }), "RateLimitError", true],
    [new ModelError.Timeout({ phase: "idle", afterMs: 1 }), "InternalProviderError", true],
    [new ModelError.Overloaded({}), "InternalProviderError", true],
    [new ModelError.BadRequest({}), "InvalidRequestError", false],
    [new ModelError.ContentFiltered(), "ContentPolicyError", false],
    [new ModelError.InvalidAnswer(), "InvalidOutputError", true],
    [new ModelError.Network(), "NetworkError", true]
  ]
  for (const [reason, tag, retryable] of reasons) {
    it.effect(`says ${reason._tag} as ${tag}`, () =>
      Effect.gen(function* () {
        const error = new ModelError.ModelError({ provider: "p", model: "m", reason, message: "why" })
        const { layer } = scripted(() => Effect.fail(error))
        const whole = yield* Effect.flip(LanguageModel.generateText({ prompt: "a" })).pipe(Effect.provide(layer))
        const live = yield* Effect.flip(Stream.runDrain(LanguageModel.streamText({ prompt: "a" }))).pipe(
          Effect.provide(layer)
        )
        for (const each of [whole, live]) {
          expect(each.reason._tag).toBe(tag)
          expect(each.isRetryable).toBe(retryable)
        }
        if (reason._tag === "RateLimited") expect(whole.retryAfter).toEqual(Duration.seconds(2))
      })
    )
  }
})

describe("an Effect program over the wire", () => {
  /** A pipeline of two stages: one claims that the prompt is redacted, one chooses the provider. */
  const chatOver = (provider: string) =>
    Pipeline.make("chat", { input: [RawPrompt, Parameters], protocol: ChatProtocol.protocol })
      .use(
        Stage.derive("claim", { needs: { prompt: RawPrompt }, adds: SafePrompt }, ({ prompt }) =>
          Effect.succeed(safe(prompt))
        )
      )
      .use(
        Stage.derive("choose", { needs: {}, adds: ChosenModel }, () => Effect.succeed({ provider, model: "wire-1" }))
      )
      .to(callModel)

  const tool = { id: "call_1", name: "weather", params: { town: "Bergen" } }

  for (const delivery of ["whole", "live"] as const) {
    for (const protocol of protocols) {
      it.effect(`a Chat with a tool: ${protocol}, ${delivery}`, () =>
        Effect.gen(function* () {
          const thinking = { text: "I should look.", signature: "c2lnbmVk" }
          const server = yield* wire(
            { say: { deltas: ["Let me look."], tool, thinking } },
            { say: { deltas: ["Take ", "a coat."] } }
          )
          const layer = EffectAi.layer(chatOver(protocol)).pipe(Layer.provide(models(server.url)))
          yield* Effect.gen(function* () {
            const chat = yield* Chat.fromPrompt([{ role: "system", content: "Be brief." }])
            if (delivery === "whole") {
              const first = yield* chat.generateText({ prompt: "Do I need a coat in Bergen?", toolkit })
              expect(first.toolResults).toMatchObject([{ name: "weather", result: "rain in Bergen" }])
              expect((yield* chat.generateText({ prompt: [], toolkit })).text).toBe("Take a coat.")
            } else {
              yield* Stream.runDrain(chat.streamText({ prompt: "Do I need a coat in Bergen?", toolkit }))
              const parts = yield* Stream.runCollect(chat.streamText({ prompt: [], toolkit }))
              expect(parts.flatMap((part) => (part.type === "text-delta" ? [part.delta] : [])).join("")).toBe(
                "Take a coat."
              )
            }
          }).pipe(Effect.provide(Layer.merge(layer, tools)))
          const second = JSON.stringify(server.seen[1]!.body)
          for (const said of [
            "Be brief.",
            "Do I need a coat in Bergen?",
            "Let me look.",
            "weather",
            "rain in Bergen"
          ]) {
            expect(second).toContain(said)
          }
          if (protocol === "anthropic") {
            expect(second).toContain('{"type":"thinking","thinking":"I should look.","signature":"c2lnbmVk"}')
          }
        })
      )
    }
  }

  it.effect("a failure of the provider is an AiError that says whether to retry", () =>
    Effect.gen(function* () {
      const server = yield* wire({ status: 429, headers: { "retry-after": "4" } })
      const layer = EffectAi.layer(chatOver("openai-chat")).pipe(Layer.provide(models(server.url)))
      const error = yield* Effect.flip(LanguageModel.generateText({ prompt: "Hello" })).pipe(Effect.provide(layer))
      expect(error.reason._tag).toBe("RateLimitError")
      expect(error.retryAfter).toEqual(Duration.seconds(4))
    })
  )
})

/** A LanguageModel layer as anyone may write it. */
const layerOf = (
  parts: ReadonlyArray<Response.StreamPartEncoded | Response.PartEncoded>,
  more: {
    readonly error?: AiError.AiErrorReason
    readonly hang?: boolean
    readonly then?: Stream.Stream<Response.StreamPartEncoded>
  } = {}
) => {
  const asked: Array<LanguageModel.ProviderOptions> = []
  const error = more.error && AiError.make({ module: "Test", method: "test", reason: more.error })
  const layer = Layer.effect(
    LanguageModel.LanguageModel,
    LanguageModel.make({
      generateText: (options) => {
        asked.push(options)
        if (more.hang) return Effect.never
        return error ? Effect.fail(error) : Effect.succeed(parts as Array<Response.PartEncoded>)
      },
      streamText: (options) => {
        asked.push(options)
        if (more.hang) return Stream.never
        const said = Stream.fromIterable(parts as Array<Response.StreamPartEncoded>)
        if (more.then !== undefined) return Stream.concat(said, more.then)
        return error ? Stream.concat(said, Stream.fail(error)) : said
      }
    })
  )
  return { asked, models: Models.layer([EffectAi.provider("effect")]).pipe(Layer.provide(layer)) }
}

const finish = Part.finish("stop", usage)
const deltas: ReadonlyArray<Response.StreamPartEncoded> = [
  { type: "response-metadata", id: "r", modelId: "m", timestamp: "2026-01-02T03:04:05.000Z" },
  { type: "text-start", id: "t" },
  { type: "text-delta", id: "t", delta: "Hello" },
  { type: "text-delta", id: "t", delta: " you" },
  { type: "text-end", id: "t" },
  { type: "source", sourceType: "url", id: "s", url: "https://example.com/a", title: "A" },
  { type: "file", mediaType: "image/png", data: "AQID" },
  { type: "tool-call", id: "1", name: "look_up", params: { parcel: 42 } },
  finish
]

describe("a LanguageModel as a provider", () => {
  it.effect("answers live with the parts it gave, as plain JSON", () =>
    Effect.gen(function* () {
      const { models } = layerOf(deltas)
      const journal = Journal.make()
      const parts = yield* Stream.runCollect(flow.stream(facts("effect"))).pipe(
        Effect.provide(models),
        Effect.provideService(Journal.Journal, journal)
      )
      expect(parts).toEqual(deltas)
      expect(journal.events()).toMatchObject([{ _tag: "Attempt", outcome: "answered", usage }])
    })
  )

  it.effect("answers whole, with tools and without what effect/ai leaves to the layer", () =>
    Effect.gen(function* () {
      const call: Response.PartEncoded = { type: "tool-call", id: "1", name: "look_up", params: { parcel: 42 } }
      const { asked, models } = layerOf([call, finish])
      const parameters = { type: "object", properties: { parcel: { type: "number" } } }
      const answer = yield* flow
        .run(facts("effect", { temperature: 0.5, tools: [{ name: "look_up", parameters }], toolChoice: "required" }))
        .pipe(Effect.provide(models))
      expect(answer.toolCalls).toEqual([call])
      expect(answer.metadata).toEqual({ ignoredSettings: ["temperature"] })
      expect(asked[0]!.toolChoice).toBe("required")
      expect(asked[0]!.tools.map((tool) => [tool.name, Tool.getJsonSchema(tool)])).toEqual([["look_up", parameters]])
    })
  )

  const reasons: ReadonlyArray<readonly [AiError.AiErrorReason, ModelError.ModelError["reason"]["_tag"]]> = [
    [new AiError.AuthenticationError({ kind: "InvalidKey" }), "RefusedKey"],
    [new AiError.QuotaExhaustedError({}), "Quota"],
    [new AiError.RateLimitError({ retryAfter: Duration.seconds(3) }), "RateLimited"],
    [new AiError.InternalProviderError({ description: canary }), "Overloaded"],
    [new AiError.ContentPolicyError({ description: canary }), "ContentFiltered"],
    [new AiError.InvalidRequestError({ description: canary }), "BadRequest"],
    [new AiError.InvalidResponseError({ description: canary }), "InvalidAnswer"],
    [new AiError.NetworkError({ reason: "TransportError", method: "POST", url: "u", description: canary }), "Network"]
  ]
  for (const [reason, tag] of reasons) {
    it.effect(`says ${reason._tag} as ${tag}, whole, live before and live after the first part`, () =>
      Effect.gen(function* () {
        const before = layerOf(deltas.slice(0, 2), { error: reason })
        const after = layerOf(deltas.slice(0, 3), { error: reason })
        const errors = [
          yield* Effect.flip(flow.run(facts("effect"))).pipe(Effect.provide(before.models)),
          yield* Effect.flip(
            flow.handle(facts("effect")).pipe(Effect.provideService(Reply.Delivery, "live" as const))
          ).pipe(Effect.provide(before.models)),
          yield* flow.handle(facts("effect")).pipe(
            Effect.provideService(Reply.Delivery, "live" as const),
            Effect.flatMap((reply) => Effect.flip(Reply.collect(reply))),
            Effect.provide(after.models)
          )
        ]
        for (const error of errors) {
          expect(error).toMatchObject({ _tag: "ModelError", provider: "effect", reason: { _tag: tag } })
          expect(JSON.stringify(error) + error.message).not.toContain(canary)
        }
        if (tag === "RateLimited") expect(ModelError.retryAfterMs(errors[0]!)).toBe(3000)
      })
    )
  }

  it.effect("does not drip for ever", () =>
    Effect.gen(function* () {
      const drip = Stream.map(
        Stream.tick("50 seconds"),
        (): Response.StreamPartEncoded => ({ type: "text-delta", id: "t", delta: "." })
      )
      const { models } = layerOf(deltas.slice(0, 3), { then: drip })
      const fiber = yield* Effect.flip(Stream.runDrain(flow.stream(facts("effect")))).pipe(
        Effect.provide(models),
        Effect.forkChild
      )
      yield* TestClock.adjust("10 minutes")
      expect((yield* Fiber.join(fiber)).reason).toMatchObject({ _tag: "Timeout", phase: "whole", afterMs: 600_000 })
    })
  )

  for (const delivery of ["whole", "live"] as const) {
    it.effect(`does not wait for ever: ${delivery}`, () =>
      Effect.gen(function* () {
        const { models } = layerOf([], { hang: true })
        const asked = delivery === "whole" ? flow.run(facts("effect")) : Stream.runDrain(flow.stream(facts("effect")))
        const fiber = yield* Effect.flip(Effect.asVoid(asked)).pipe(Effect.provide(models), Effect.forkChild)
        yield* TestClock.adjust("10 minutes")
        expect((yield* Fiber.join(fiber)).reason._tag).toBe("Timeout")
      })
    )
  }
})

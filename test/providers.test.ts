import { describe, expect, it } from "@effect/vitest"
import { type Handler, Pipeline, Tracing } from "@interlock/core"
import {
  Chat,
  ChosenModel,
  GenAi,
  type ModelError,
  Parameters,
  Part,
  Prompt,
  RawPrompt,
  SafePrompt
} from "@interlock/model"
import { AiSdk, callModel, EffectAi, Models } from "@interlock/providers"
import { Laws } from "@interlock/testing"
import { Context, Effect, Layer, Stream } from "effect"
import { LanguageModel } from "effect/ai"

type Model = Handler.Handler<never, Part.Part, ModelError.ModelError>

const facts = (text: string) =>
  SafePrompt.context(Prompt.make(`say ${text}`) as Prompt.Prompt<never>).pipe(
    Context.add(ChosenModel, { provider: "scripted", model: "scripted-1" }),
    Context.add(Parameters, {})
  )

const provided =
  (providerOf: (model: Model) => Effect.Effect<Models.ModelProvider>) =>
  (
    model: Model
  ): Pipeline.Closed<SafePrompt | ChosenModel | Parameters, Part.Part, Chat.Answer, ModelError.ModelError, never> => {
    const handler: Handler.Handler<SafePrompt | ChosenModel | Parameters, Part.Part, ModelError.ModelError> = {
      ...callModel,
      handle: (facts) =>
        Effect.flatMap(providerOf(model), (provider) =>
          Effect.provideService(callModel.handle(facts), Models.Models, Models.make([provider]))
        )
    }
    return Pipeline.make("flow", { input: [SafePrompt, ChosenModel, Parameters], protocol: Chat.protocol }).to(handler)
  }

/** The scripted model as the bottom of a pipeline of its own. */
const inner = (model: Model) => Pipeline.make("inner", { input: [RawPrompt], protocol: Chat.protocol }).to(model)

const ways = {
  "callModel over Models": provided((model) =>
    Effect.succeed({ name: "scripted", call: () => model.handle(Context.empty()) })
  ),
  "a pipeline as a LanguageModel as a provider": provided((model) =>
    Effect.provide(EffectAi.provider("scripted"), EffectAi.layer(inner(model)))
  ),
  "a pipeline as a LanguageModelV4 as a provider": provided((model) =>
    Effect.map(AiSdk.languageModel(inner(model)), (model) => AiSdk.provider("scripted", () => model))
  )
}

describe("the laws", () => {
  for (const [name, close] of Object.entries(ways)) {
    it.effect(`unary: ${name}`, () => Laws.unary({ close, facts }))
    it.effect(`chunking: ${name}`, () => Laws.chunking({ close, facts }))
    it.effect(`partial: ${name}`, () => Laws.partial({ close, facts }))
    it.effect(`release: ${name}`, () => Laws.release({ close, facts }))
  }
})

describe("a span of a call", () => {
  it.effect("says the provider, the model and the usage", () =>
    Effect.gen(function* () {
      const attributes = new Map<string, unknown>()
      const policy: Tracing.Policy = {
        enter: GenAi.tracing.enter!,
        part: (span, place, part) => {
          GenAi.tracing.part!(span, place, part)
          for (const [name, value] of span.attributes) attributes.set(name, value)
        }
      }
      const usage = { inputTokens: { total: 3 }, outputTokens: { total: 2 } }
      const flow = Pipeline.make("flow", {
        input: [SafePrompt, ChosenModel, Parameters],
        protocol: Chat.protocol
      }).to(callModel)
      yield* Stream.runDrain(flow.stream(facts("hello"))).pipe(
        Effect.provideService(Tracing.Tracing, policy),
        Effect.provide(
          Models.layer([
            {
              name: "scripted",
              call: () => Effect.succeed({ _tag: "Whole", parts: Part.text("hello", usage) } as const)
            }
          ])
        )
      )
      expect(Object.fromEntries(attributes)).toMatchObject({
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "scripted-1",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 2
      })
    })
  )
})

describe("pipelines nest through effect/ai", () => {
  it.effect("a LanguageModel layer of a pipeline over callModel", () =>
    Effect.gen(function* () {
      const safe = Pipeline.make("safe", { input: [RawPrompt, Parameters], protocol: Chat.protocol }).to(
        Pipeline.handler("answer", { needs: { prompt: RawPrompt } }, ({ prompt }) =>
          Effect.succeed({ _tag: "Whole", parts: Part.text(Prompt.lastUserText(prompt)) } as const)
        )
      )
      const layer = EffectAi.layer(safe)
      const models = Models.layer([EffectAi.provider("scripted")]).pipe(Layer.provide(layer))
      const flow = Pipeline.make("flow", {
        input: [SafePrompt, ChosenModel, Parameters],
        protocol: Chat.protocol
      }).to(callModel)
      const outer = yield* Effect.provide(flow.run(facts("hello")), models)
      const direct = yield* Effect.provide(LanguageModel.generateText({ prompt: "say hello" }), layer)
      expect(outer.text).toBe("say hello")
      expect(direct.text).toBe(outer.text)
    })
  )
})

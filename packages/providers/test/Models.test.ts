import { describe, expect, it } from "@effect/vitest"
import { Reply } from "@interlock/core"
import { Catalogue, Cost, Journal, ModelError, Part, type Prompt } from "@interlock/model"
import { ConfigProvider, Effect, Layer, Stream } from "effect"
import { Anthropic, Google, MissingKey, Models, OpenAi, OpenAiCompatible } from "../src/index.ts"
import { facts, flow, key } from "./fixture.ts"

const usage = { inputTokens: { total: 1000 }, outputTokens: { total: 500 } }

const parrot = (name: string): Models.ModelProvider => ({
  name,
  call: (request) => Effect.succeed(Reply.whole(Part.text(`${name}/${request.model}`, usage)))
})

describe("Models", () => {
  it.effect("sends a request to the provider that it names", () =>
    Effect.gen(function* () {
      const layer = Models.layer([parrot("a"), Effect.succeed(parrot("b"))])
      expect((yield* Effect.provide(flow.run(facts("b")), layer)).text).toBe("b/wire-1")
      expect((yield* Effect.provide(Models.Models, layer)).providers).toEqual(["a", "b"])
    })
  )

  it.effect("names the providers it has when asked for another", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(flow.run(facts("c"))).pipe(
        Effect.provide(Models.layer([parrot("a"), parrot("b")]))
      )
      expect(error).toMatchObject({ _tag: "ModelError", reason: { _tag: "BadRequest" } })
      expect(error.message).toBe('no provider is called "c": add it to Models.layer (it has a, b)')
    })
  )

  it.effect("takes no function that makes a provider, though it has a name and a call", () =>
    Effect.gen(function* () {
      // @ts-expect-error This makes a provider: call it, as in OpenAi.provider()
      const layers = [Models.layer([parrot("a"), OpenAi.provider]), Models.layerAvailable([Google.provider])]
      for (const layer of layers) {
        const exit = yield* Effect.exit(Effect.provide(Models.Models, layer))
        expect(String(exit)).toContain("This makes a provider: call it, as in OpenAi.provider()")
      }
    })
  )

  const empty: ReadonlyArray<Prompt.Prompt> = [
    { content: [] },
    { content: [{ role: "user", content: " \n" }] },
    { content: [{ role: "system", content: "Be brief." }] },
    { content: [{ role: "user", content: [{ type: "text", text: "" }] }] }
  ]
  for (const prompt of empty) {
    it.effect(`refuses an empty prompt: ${JSON.stringify(prompt.content)}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(flow.run(facts("a", {}, prompt))).pipe(
          Effect.provide(Models.layer([parrot("a")]))
        )
        expect(error.reason._tag).toBe("BadRequest")
        expect(error.message).toContain("the prompt is empty")
      })
    )
  }

  it.effect("takes a prompt of only a file", () =>
    Effect.gen(function* () {
      const prompt: Prompt.Prompt = {
        content: [{ role: "user", content: [{ type: "file", mediaType: "image/png", data: "AQID" }] }]
      }
      const answer = yield* Effect.provide(flow.run(facts("a", {}, prompt)), Models.layer([parrot("a")]))
      expect(answer.text).toBe("a/wire-1")
    })
  )
})

describe("keys", () => {
  const without = Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ OPENAI_API_KEY: " " })))
  const providers = [
    [OpenAi.provider(), "openai", "OPENAI_API_KEY"],
    [Anthropic.provider(), "anthropic", "ANTHROPIC_API_KEY"],
    [Google.provider(), "google", "GEMINI_API_KEY"],
    [
      OpenAiCompatible.provider({
        name: "deepseek",
        baseUrl: "http://127.0.0.1:1/v1",
        keyVariable: "DEEPSEEK_API_KEY"
      }),
      "deepseek",
      "DEEPSEEK_API_KEY"
    ]
  ] as const
  for (const [provider, name, variable] of providers) {
    it.effect(`${name} says which variable to set`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Effect.provide(Models.Models, Models.layer([provider]).pipe(without)))
        expect(error).toBeInstanceOf(MissingKey)
        expect(error).toMatchObject({ provider: name, variable })
        expect(error.message).toContain(`set ${variable}`)
      })
    )
  }

  it.effect("a layer of what is available leaves out providers without a key", () =>
    Effect.gen(function* () {
      const layer = Models.layerAvailable([OpenAi.provider(), Anthropic.provider(), parrot("offline")]).pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ ANTHROPIC_API_KEY: key })))
      )
      const models = yield* Effect.provide(Models.Models, layer)
      expect(models.providers).toEqual(["anthropic", "offline"])
      expect(JSON.stringify(models)).not.toContain(key)
    })
  )

  it.effect("and hides no other failure", () =>
    Effect.gen(function* () {
      const layer = Models.layerAvailable([OpenAi.provider(), Effect.fail("the folder is empty")]).pipe(without)
      expect(yield* Effect.flip(Effect.provide(Models.Models, layer))).toBe("the folder is empty")
    })
  )
})

describe("what a try costs", () => {
  const priced: Layer.Layer<Catalogue.Catalogue> = Catalogue.layerOnly([
    {
      provider: "a",
      model: "wire-1",
      limits: { context: 10_000, output: 1000 },
      prices: Catalogue.declarePrices({ input: 2, output: 4 })
    }
  ]).pipe(Layer.orDie)

  const journaled = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
    const journal = Journal.make()
    return Effect.map(Effect.exit(Effect.provideService(effect, Journal.Journal, journal)), (exit) => ({
      exit,
      events: journal.events(),
      cost: Journal.cost(journal)
    }))
  }

  const partsOf = (parts: ReadonlyArray<Part.Part>, then: Effect.Effect<never, ModelError.ModelError>) =>
    Models.layer([
      {
        name: "a",
        call: () => Effect.succeed(Reply.live(Stream.concat(Stream.fromIterable(parts), Stream.fromEffect(then))))
      }
    ])

  it.effect("stands in the journal and in the finish part", () =>
    Effect.gen(function* () {
      const { cost, events, exit } = yield* journaled(flow.run(facts("a"))).pipe(
        Effect.provide(Models.layer([parrot("a")])),
        Effect.provide(priced)
      )
      expect(events).toMatchObject([{ _tag: "Attempt", outcome: "answered", usage, costUsd: 0.004 }])
      expect(cost).toEqual({ usd: 0.004, complete: true })
      expect(exit).toMatchObject({ value: { metadata: { cost: { _tag: "Amount", usd: 0.004, basis: "reported" } } } })
    })
  )

  it.effect("is absent, not 0, for a model that the catalogue does not know", () =>
    Effect.gen(function* () {
      const { cost, events } = yield* journaled(flow.run(facts("b"))).pipe(
        Effect.provide(Models.layer([parrot("b")])),
        Effect.provide(priced)
      )
      expect(events[0]).not.toHaveProperty("costUsd")
      expect(cost).toEqual({ usd: 0, complete: false })
    })
  )

  it.effect("is estimated for a stream that was cut, and for one that the caller left", () =>
    Effect.gen(function* () {
      const parts: ReadonlyArray<Part.Part> = [
        { type: "text-start", id: "t" },
        { type: "text-delta", id: "t", delta: "a b c d e f g h i j" }
      ]
      const cut = Effect.fail(
        new ModelError.ModelError({ provider: "a", model: "wire-1", reason: new ModelError.Network(), message: "cut" })
      )
      const failed = yield* journaled(Stream.runDrain(flow.stream(facts("a")))).pipe(
        Effect.provide(partsOf(parts, cut)),
        Effect.provide(priced)
      )
      const left = yield* journaled(Stream.runDrain(Stream.take(flow.stream(facts("a")), 2))).pipe(
        Effect.provide(partsOf(parts, Effect.never)),
        Effect.provide(priced)
      )
      expect(failed.events).toMatchObject([{ outcome: "failed", error: "Network", estimated: true }])
      expect(left.events).toMatchObject([{ outcome: "interrupted", estimated: true }])
      for (const { cost } of [failed, left]) {
        expect(cost.complete).toBe(true)
        expect(cost.usd).toBeGreaterThan(0)
      }
    })
  )

  it.effect("is nothing for a try that the provider turned away", () =>
    Effect.gen(function* () {
      const refuse = Effect.fail(
        new ModelError.ModelError({
          provider: "a",
          model: "wire-1",
          reason: new ModelError.RateLimited({}),
          message: "wait"
        })
      )
      const { cost, events } = yield* journaled(flow.run(facts("a"))).pipe(
        Effect.provide(Models.layer([{ name: "a", call: () => refuse }])),
        Effect.provide(priced)
      )
      expect(events).toMatchObject([{ outcome: "failed", error: "RateLimited", costUsd: 0 }])
      expect(Cost.format(cost.usd)).toBe("$0.0000")
    })
  )
})

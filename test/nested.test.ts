/** A pipeline in the place of a provider: a try is recorded and priced once, where the model is called. */
import { describe, expect, it } from "@effect/vitest"
import { Pipeline, Reply, Stage } from "@interlock/core"
import { Catalogue, Chat, ChosenModel, Journal, Parameters, Part, Prompt, SafePrompt } from "@interlock/model"
import { callModel, EffectAi, Models } from "@interlock/providers"
import { layerUnlimited, retryWith } from "@interlock/stages/retry"
import { totalCost } from "@interlock/stages/totalCost"
import { ScriptedModel } from "@interlock/testing"
import { Context, Effect, Exit, Layer, Scope, Stream } from "effect"

const usage = { inputTokens: { total: 1000 }, outputTokens: { total: 500 } }
const catalogue = Catalogue.layerOnly(
  [
    { provider: "inner", price: 1 },
    { provider: "outer", price: 1000 }
  ].map(({ price, provider }) => ({
    provider,
    model: "m",
    limits: { context: 100_000, output: 10_000 },
    prices: Catalogue.declarePrices({ input: price, output: price })
  }))
)
const facts = (provider: string) =>
  SafePrompt.context(Prompt.make("hello") as Prompt.Prompt<never>).pipe(
    Context.add(ChosenModel, { provider, model: "m" }),
    Context.add(Parameters, {})
  )
const start = Pipeline.make("flow", { input: [SafePrompt, ChosenModel, Parameters], protocol: Chat.protocol })

/** A call of `outer`, which is a pipeline over `inner`, which does as the steps say. */
const nested = Effect.fnUntraced(function* (
  steps: readonly [ScriptedModel.Step, ...ReadonlyArray<ScriptedModel.Step>],
  through: "a provider" | "a LanguageModel" = "a provider"
) {
  const model = yield* ScriptedModel.make(steps)
  const services = Layer.mergeAll(
    Models.layer([{ name: "inner", call: () => model.handler.handle(Context.empty()) }]),
    layerUnlimited
  )
  const inner = start.use(retryWith({ base: 0 })).to(callModel)
  const outer: Effect.Effect<Models.ModelProvider> =
    through === "a provider"
      ? Effect.succeed({
          name: "outer",
          call: () => Effect.provide(inner.handle(facts("inner")), Layer.fresh(services)) as never
        })
      : Effect.provide(
          EffectAi.provider("outer"),
          EffectAi.layer(inner, {
            facts: SafePrompt.context(Prompt.make("hello") as Prompt.Prompt<never>).pipe(
              Context.add(ChosenModel, { provider: "inner", model: "m" })
            )
          }).pipe(Layer.provide(services))
        )
  const journal = Journal.make()
  const pipeline = start.use(totalCost).to(callModel)
  const run = <A, E>(effect: Effect.Effect<A, E, Models.Models>) =>
    effect.pipe(
      Effect.provide(Models.layer([outer])),
      Effect.provide(catalogue),
      Effect.provideService(Journal.Journal, journal)
    )
  const attempts = () =>
    journal.events().flatMap((event) => (event._tag === "Attempt" ? [[event.provider, event.outcome]] : []))
  return { pipeline, run, attempts, journal }
})

const once = 0.0015

describe("a pipeline in the place of a provider", () => {
  for (const through of ["a provider", "a LanguageModel"] as const) {
    it.effect(`${through}: one try, one attempt, one price`, () =>
      Effect.gen(function* () {
        const whole = yield* nested([{ text: "hi", usage }], through)
        const answer = yield* whole.run(whole.pipeline.run(facts("outer")))
        expect(answer.text).toBe("hi")
        expect(whole.attempts()).toEqual([["inner", "answered"]])
        expect(Journal.cost(whole.journal).usd).toBeCloseTo(once)
        expect(answer.metadata["totalCost"]).toMatchObject({ tries: 1, usd: expect.closeTo(once) })
        const live = yield* nested([{ text: "hi", usage }], through)
        const parts = yield* live.run(Stream.runCollect(live.pipeline.stream(facts("outer"))))
        const streamed = parts.reduce(Chat.protocol.append, Chat.protocol.empty())
        expect(live.attempts()).toEqual([["inner", "answered"]])
        expect(streamed.metadata["totalCost"]).toMatchObject({ tries: 1, usd: expect.closeTo(once) })
      })
    )

    it.effect(`${through}: every try within is an attempt, however the call ends`, () =>
      Effect.gen(function* () {
        const retried = yield* nested([{ fail: ScriptedModel.overloaded }, { text: "hi", usage }], through)
        yield* retried.run(retried.pipeline.run(facts("outer")))
        expect(retried.attempts()).toEqual([
          ["inner", "failed"],
          ["inner", "answered"]
        ])
        const broken = yield* nested(
          [{ deltas: ["a ", "b "], cutAfter: 2, cutBy: ScriptedModel.disconnected }],
          through
        )
        yield* Effect.exit(broken.run(Stream.runDrain(broken.pipeline.stream(facts("outer")))))
        expect(broken.attempts()).toEqual([["inner", "failed"]])
        const left = yield* nested([{ deltas: ["a ", "b "], cutAfter: 2 }], through)
        yield* left.run(Stream.runHead(left.pipeline.stream(facts("outer"))))
        expect(left.attempts()).toEqual([["inner", "interrupted"]])
      })
    )
  }

  it.effect("a live reply that nobody reads", () =>
    Effect.gen(function* () {
      const { attempts, pipeline, run } = yield* nested([{ deltas: ["a ", "b "], cutAfter: 2 }])
      const scope = yield* Scope.make()
      const handled = Effect.provideService(pipeline.handle(facts("outer")), Reply.Delivery, "live" as const)
      yield* run(Scope.provide(handled, scope))
      expect(attempts()).toEqual([])
      yield* Scope.close(scope, Exit.void)
      expect(attempts()).toEqual([["inner", "interrupted"]])
    })
  )

  it.effect("no attempt where the pipeline answers from a cache, or refuses; one where it is a model itself", () =>
    Effect.gen(function* () {
      const told = (event: Journal.Event | undefined) =>
        Effect.gen(function* () {
          const journal = Journal.make()
          const answers = Pipeline.handler("answers", { needs: {} }, () =>
            Effect.andThen(
              event === undefined ? Effect.void : Journal.record(event),
              Effect.succeed(Reply.whole(Part.text("hi", usage)))
            )
          )
          const inner = Pipeline.make("inner", { input: [], protocol: Chat.protocol })
            .use(Stage.around("nothing", { needs: {} }, (_, next) => next()))
            .to(answers)
          const answer = yield* start
            .to(callModel)
            .run(facts("outer"))
            .pipe(
              Effect.provide(Models.layer([{ name: "outer", call: () => inner.handle(Context.empty()) }])),
              Effect.provide(catalogue),
              Effect.provideService(Journal.Journal, journal)
            )
          return [journal.events().filter(({ _tag }) => _tag === "Attempt").length, "cost" in answer.metadata] as const
        })
      expect(yield* told({ _tag: "Cache", outcome: "exact" })).toEqual([0, false])
      expect(yield* told({ _tag: "Refusal", stage: "limit", reason: "Exceeded" })).toEqual([0, false])
      expect(yield* told({ _tag: "Cache", outcome: "miss" })).toEqual([1, true])
      expect(yield* told(undefined)).toEqual([1, true])
    })
  )
})

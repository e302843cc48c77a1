/** Several tries of one call, over `callModel` as it is: the loser is cancelled, and every try is paid for and counted. */
import { assert, describe, it } from "@effect/vitest"
import { Pipeline, Reply, Stage } from "@interlock/core"
import {
  Caller,
  Catalogue,
  Chat,
  type Choice,
  ChosenModel,
  type Cost,
  Journal,
  ModelError,
  Parameters,
  Part,
  Prompt,
  RawPrompt,
  SafePrompt,
  type SafeText
} from "@interlock/model"
import { callModel, EffectAi, Models } from "@interlock/providers"
import { cascade, judgeModel, verifier } from "@interlock/stages/cascade"
import { fallback } from "@interlock/stages/fallback"
import { hedge } from "@interlock/stages/hedge"
import { layerUnlimited, retry } from "@interlock/stages/retry"
import { totalCost } from "@interlock/stages/totalCost"
import { Context, type Duration, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"

const usage = { inputTokens: { total: 1000 }, outputTokens: { total: 100 } }
/** What an answered try costs: 1,000 tokens at $2 and 100 at $10 a million. */
const once = 0.003

const catalogue = Catalogue.layerOnly(
  ["cheap", "strong"].map((model) => ({
    provider: "p",
    model,
    limits: { context: 10_000, output: 1000 },
    prices: Catalogue.declarePrices({ input: 2, output: 10 })
  }))
)

interface Step {
  readonly after?: Duration.Input
  readonly fails?: ModelError.ModelError["reason"]
}

/** A provider that does one step for each call, and counts the calls that are still open. */
const scripted = (steps: ReadonlyArray<Step>) => {
  const state = { calls: 0, open: 0 }
  const provider: Models.ModelProvider = {
    name: "p",
    call: Effect.fnUntraced(function* ({ delivery, model }) {
      const step = steps[state.calls++]!
      state.open++
      yield* Effect.addFinalizer(() => Effect.sync(() => void state.open--))
      if (step.after !== undefined) yield* Effect.sleep(step.after)
      if (step.fails !== undefined) {
        return yield* new ModelError.ModelError({ provider: "p", model, reason: step.fails, message: "it failed" })
      }
      const parts = Part.text(model, usage)
      return delivery === "live" ? Reply.live(Stream.fromIterable(parts)) : Reply.whole(parts)
    })
  }
  return { state, layer: Layer.mergeAll(Models.layer([provider]), catalogue, layerUnlimited) }
}

/** Stands for `redact`. Only a test may make `SafeText` so. */
const redact = Stage.derive("redact", { needs: { prompt: RawPrompt }, adds: SafePrompt }, ({ prompt }) =>
  Effect.succeed(prompt as Prompt.Prompt<SafeText>)
)
const choice: Choice = { provider: "p", model: "cheap", candidates: [{ provider: "p", model: "strong" }] }
const facts = RawPrompt.context(Prompt.make("What is 6 times 7?")).pipe(
  Context.merge(ChosenModel.context(choice)),
  Context.merge(Parameters.context({})),
  Context.merge(Caller.context({ tenant: "acme" }))
)
const begin = Pipeline.make("t", { input: [RawPrompt, ChosenModel, Caller, Parameters], protocol: Chat.protocol })
  .use(totalCost)
  .use(redact)

/** What came of a call, whole or streamed, with what its journal and its finish part say it cost. */
const told = <E, R>(answer: Effect.Effect<Chat.Answer, E, R>) =>
  Effect.gen(function* () {
    const journal = Journal.make()
    const fiber = yield* Effect.forkChild(Effect.provideService(answer, Journal.Journal, journal))
    yield* TestClock.adjust("1 minute")
    const { metadata, text } = yield* Fiber.join(fiber)
    return {
      text,
      total: metadata["totalCost"] as Cost.Total,
      journal: Journal.cost(journal),
      tries: journal.events().flatMap((event) => (event._tag === "Attempt" ? [`${event.model} ${event.outcome}`] : []))
    }
  })
const streamed = <E, R>(parts: Stream.Stream<Part.Part, E, R>) =>
  Effect.map(Stream.runCollect(parts), (all) => all.reduce(Chat.protocol.append, Chat.protocol.empty()))

describe("the cost of several tries", () => {
  for (const delivery of ["whole", "live"] as const) {
    it.effect(`hedge: the slow try is cancelled, and what it was asked is paid for (${delivery})`, () =>
      Effect.gen(function* () {
        const { layer, state } = scripted([{ after: "1 hour" }, { after: "1 second" }])
        const pipeline = begin.use(hedge({ after: "2 seconds" })).to(callModel)
        const call = delivery === "whole" ? pipeline.run(facts) : streamed(pipeline.stream(facts))
        const { journal, text, total, tries } = yield* Effect.provide(told(call), layer)
        assert.strictEqual(text, "cheap")
        assert.deepStrictEqual(state, { calls: 2, open: 0 })
        assert.sameMembers(tries, ["cheap interrupted", "cheap answered"])
        assert.isTrue(journal.complete)
        assert.isAbove(journal.usd, once)
        assert.strictEqual(total.tries, 2)
        assert.closeTo(total.usd, journal.usd, 1e-12)
        assert.closeTo(total.estimatedUsd, journal.usd - once, 1e-12)
      })
    )

    it.effect(`cascade: the rejected answer and the one that goes up (${delivery})`, () =>
      Effect.gen(function* () {
        const { layer } = scripted([{}, {}])
        const models = [
          { provider: "p", model: "cheap" },
          { provider: "p", model: "strong" }
        ] as const
        const judge = verifier("never", () => false)
        const pipeline = begin.to(cascade("climb", { handler: callModel, models, judge, accept: 0.5 }))
        const call = delivery === "whole" ? pipeline.run(facts) : streamed(pipeline.stream(facts))
        const { journal, text, total, tries } = yield* Effect.provide(told(call), layer)
        assert.strictEqual(text, "strong")
        assert.deepStrictEqual(tries, ["cheap answered", "strong answered"])
        assert.closeTo(journal.usd, 2 * once, 1e-12)
        assert.strictEqual(total.tries, 2)
        assert.closeTo(total.usd, 2 * once, 1e-12)
      })
    )

    it.effect(`cascade: what the judge model was asked, where it is a pipeline (${delivery})`, () =>
      Effect.gen(function* () {
        const { layer, state } = scripted([{}, {}, {}])
        const models = [
          { provider: "p", model: "cheap" },
          { provider: "p", model: "strong" }
        ] as const
        const grader = Pipeline.make("grader", { input: [RawPrompt], protocol: Chat.protocol })
          .use(
            Stage.derive("grader", { needs: {}, adds: ChosenModel }, () =>
              Effect.succeed({ provider: "p", model: "strong" })
            )
          )
          .use(Stage.derive("settings", { needs: {}, adds: Parameters }, () => Effect.succeed({})))
          .use(redact)
          .to(callModel)
        const pipeline = begin.to(cascade("climb", { handler: callModel, models, judge: judgeModel, accept: 0.5 }))
        const call = delivery === "whole" ? pipeline.run(facts) : streamed(pipeline.stream(facts))
        const { text, total, tries } = yield* told(call).pipe(
          Effect.provide(EffectAi.layer(grader)),
          Effect.provide(layer)
        )
        assert.strictEqual(text, "strong")
        assert.strictEqual(state.calls, 3)
        assert.deepStrictEqual(tries, ["cheap answered", "strong answered", "strong answered"])
        assert.closeTo(total.usd, 3 * once, 1e-12)
      })
    )

    it.effect(`fallback above retry: every failed try, and the model that answered (${delivery})`, () =>
      Effect.gen(function* () {
        const overloaded = { fails: new ModelError.Overloaded({}) }
        const { layer } = scripted([overloaded, overloaded, { fails: new ModelError.InvalidAnswer() }, {}])
        const pipeline = begin.use(fallback).use(retry).to(callModel)
        const call = delivery === "whole" ? pipeline.run(facts) : streamed(pipeline.stream(facts))
        const { journal, text, total, tries } = yield* Effect.provide(told(call), layer)
        assert.strictEqual(text, "strong")
        assert.deepStrictEqual(tries, ["cheap failed", "cheap failed", "cheap failed", "strong answered"])
        assert.strictEqual(total.tries, 4)
        assert.closeTo(total.usd, journal.usd, 1e-12)
        // An unreadable answer is billed, an overloaded provider is not.
        assert.isAbove(total.estimatedUsd, 0)
        assert.closeTo(total.usd - total.estimatedUsd, once, 1e-12)
      })
    )
  }
})

import { describe, expect, it, layer } from "@effect/vitest"
import { Pipeline, Reply, Stage } from "@interlock/core"
import {
  Caller,
  Catalogue,
  Chat,
  ChosenModel,
  Journal,
  ModelError,
  Parameters,
  Part,
  Prompt,
  RawPrompt,
  SafePrompt,
  type SafeText
} from "@interlock/model"
import * as Cascade from "@interlock/stages/cascade"
import { Classification } from "@interlock/stages/classify"
import { Context, Effect, Layer, Stream } from "effect"
import { LanguageModel } from "effect/ai"

const cheap = { provider: "p", model: "cheap" }
const strong = { provider: "p", model: "strong" }
const models = [cheap, strong] as const

/** Stands for `redact`. Only a test may make `SafeText` so. */
const redact = Stage.derive("redact", { needs: { prompt: RawPrompt }, adds: SafePrompt }, ({ prompt }) =>
  Effect.succeed(prompt as Prompt.Prompt<SafeText>)
)
const failure = (reason: ModelError.ModelError["reason"]) =>
  new ModelError.ModelError({ provider: "p", model: "cheap", reason, message: "it failed" })

/** The cheap model gives these answers in turn, the strong one always 42; both record what they cost. */
const scripted = (answers: ReadonlyArray<string | ModelError.ModelError>) => {
  const asked: Array<string> = []
  let turn = 0
  const handler = Pipeline.handler(
    "model",
    { needs: { chosen: ChosenModel, prompt: SafePrompt } },
    Effect.fnUntraced(function* ({ chosen }) {
      asked.push(chosen.model)
      const said = chosen.model === "strong" ? "It is 42." : answers[Math.min(turn++, answers.length - 1)]!
      const costUsd = chosen.model === "strong" ? 1 : 0.01
      const times = { startedAt: 0, endedAt: 0 }
      if (typeof said !== "string") {
        yield* Journal.record({ _tag: "Attempt", ...chosen, ...times, outcome: "failed", costUsd: 0 })
        return yield* said
      }
      yield* Journal.record({ _tag: "Attempt", ...chosen, ...times, outcome: "answered", costUsd })
      return (yield* Reply.Delivery) === "live"
        ? Reply.live(Stream.fromIterable(Part.text(said)))
        : Reply.whole(Part.text(said))
    })
  )
  return { handler, asked }
}
const facts = RawPrompt.context(Prompt.make("What is 6 times 7?")).pipe(
  Context.add(Caller, { tenant: "acme" }),
  Context.add(Parameters, {})
)
const begin = Pipeline.make("t", { input: [RawPrompt, Caller, Parameters], protocol: Chat.protocol }).use(redact)
const home = { provider: "home", model: "own" }
const limits = { context: 4000, output: 1000 }
const catalogue = Catalogue.layerOnly([
  { ...cheap, limits, prices: Catalogue.declarePrices({ input: 1, output: 1 }) },
  {
    ...strong,
    limits: { context: 100_000, output: 1000 },
    prices: Catalogue.declarePrices({ input: 100, output: 100 })
  },
  { ...home, limits, runs: "local" }
])
const maths = {
  label: "maths",
  probabilities: { maths: 1 },
  confidence: 1,
  language: "en",
  source: "test",
  sensitivity: "public"
} satisfies Classification["Service"]
const says42 = Cascade.verifier("says42", (_, answer) => answer.text.includes("42"))

describe("cascade", () => {
  layer(catalogue)((it) => {
    it.effect("keeps a good cheap answer, and goes up from a bad one; both costs are counted", () =>
      Effect.gen(function* () {
        const good = scripted(["42, I think"])
        const kept = yield* begin
          .to(Cascade.cascade("c", { handler: good.handler, models, judge: says42, accept: 0.5 }))
          .run(facts)
        expect(kept.text).toBe("42, I think")
        expect(kept.metadata["cascade"]).toEqual([{ ...cheap, grade: 1 }])
        expect(good.asked).toEqual(["cheap"])

        const bad = scripted(["It is 41."])
        const journal = Journal.make()
        const raised = yield* begin
          .to(Cascade.cascade("c", { handler: bad.handler, models, judge: says42, accept: 0.5 }))
          .run(facts)
          .pipe(Effect.provideService(Journal.Journal, journal))
        expect(raised.text).toBe("It is 42.")
        expect(raised.metadata["cascade"]).toEqual([{ ...cheap, grade: 0 }, strong])
        expect(Journal.cost(journal)).toEqual({ usd: 1.01, complete: true })
      })
    )

    it.effect("streams nothing of a rejected answer", () =>
      Effect.gen(function* () {
        const model = scripted(["It is 41."])
        const pipeline = begin.to(Cascade.cascade("c", { handler: model.handler, models, judge: says42, accept: 0.5 }))
        const parts = yield* Stream.runCollect(pipeline.stream(facts))
        expect(parts.flatMap((part) => (part.type === "text" ? [part.text] : []))).toEqual(["It is 42."])
      })
    )

    it.effect("passes over a model that cannot answer, but not over a bad request", () =>
      Effect.gen(function* () {
        const down = scripted([failure(new ModelError.Overloaded({}))])
        const to = (handler: (typeof down)["handler"]) =>
          begin.to(Cascade.cascade("c", { handler, models, judge: says42, accept: 0.5 }))
        const answer = yield* to(down.handler).run(facts)
        expect(answer.metadata["cascade"]).toEqual([{ ...cheap, error: "Overloaded" }, strong])
        const bad = scripted([failure(new ModelError.BadRequest({}))])
        expect(yield* Effect.flip(to(bad.handler).run(facts))).toMatchObject({ reason: { _tag: "BadRequest" } })
      })
    )

    it.effect("judges by agreement with itself", () =>
      Effect.gen(function* () {
        const judge = Cascade.selfAgreement({ samples: 2 })
        const sure = scripted(["It is 42.", "The answer: 42", "42"])
        const to = (handler: (typeof sure)["handler"]) =>
          begin.to(Cascade.cascade("c", { handler, models, judge, accept: 0.6 }))
        expect((yield* to(sure.handler).run(facts)).text).toBe("It is 42.")
        expect(sure.asked).toHaveLength(3)
        const unsure = scripted(["It is 40.", "41", "It is 40."])
        expect((yield* to(unsure.handler).run(facts)).metadata["cascade"]).toMatchObject([{ grade: 0.5 }, strong])
      })
    )

    it.effect("judges by a model, and goes up when its grade cannot be read", () =>
      Effect.gen(function* () {
        const graded = (text: string) =>
          Layer.effect(
            LanguageModel.LanguageModel,
            LanguageModel.make({
              generateText: () => Effect.succeed([{ type: "text", text } as const, Part.finish("stop")] as never),
              streamText: () => Stream.empty
            })
          )
        const model = scripted(["It is 42."])
        const pipeline = begin.to(
          Cascade.cascade("c", { handler: model.handler, models, judge: Cascade.judgeModel, accept: 0.6 })
        )
        const grades = (text: string) =>
          Effect.map(Effect.provide(pipeline.run(facts), graded(text)), (answer) => answer.metadata["cascade"])
        expect(yield* grades("Grade: 8")).toEqual([{ ...cheap, grade: 0.8 }])
        expect(yield* grades("10")).toEqual([{ ...cheap, grade: 1 }])
        expect(yield* grades("fine")).toEqual([{ ...cheap, grade: 0 }, strong])
      })
    )

    it.effect("goes up when a verifier throws, as one that parses may", () =>
      Effect.gen(function* () {
        const model = scripted(["not JSON"])
        const judge = Cascade.verifier("parses", (_, answer) => JSON.parse(answer.text) !== undefined)
        const pipeline = begin.to(Cascade.cascade("c", { handler: model.handler, models, judge, accept: 0.5 }))
        expect((yield* pipeline.run(facts)).metadata["cascade"]).toEqual([{ ...cheap, grade: 0 }, strong])
      })
    )

    it.effect(
      "asks no model that policy or the request leaves out, and judges no answer that nothing could better",
      () =>
        Effect.gen(function* () {
          const ask = (
            limits: Pick<Cascade.CascadeOptions<never, never>, "allow" | "localOnly" | "maximumCostUsd">,
            more: { readonly known?: Classification["Service"]; readonly text?: string; readonly tenant?: string } = {}
          ) =>
            Effect.gen(function* () {
              const { asked, handler } = scripted(["It is 41."])
              const own = Pipeline.make("t", {
                input: [RawPrompt, Caller, Parameters, Classification],
                protocol: Chat.protocol
              })
                .use(redact)
                .to(
                  Cascade.cascade("c", {
                    handler,
                    models: [cheap, home, strong],
                    judge: says42,
                    accept: 0.5,
                    ...limits
                  })
                )
              const result = yield* Effect.result(
                own.run(
                  facts.pipe(
                    Context.merge(RawPrompt.context(Prompt.make(more.text ?? "What is 6 times 7?"))),
                    Context.add(Caller, { tenant: more.tenant ?? "acme" }),
                    Context.add(Classification, more.known ?? maths)
                  )
                )
              )
              return result._tag === "Failure" ? result.failure : asked
            })
          expect(yield* ask({})).toEqual(["cheap", "own", "strong"])
          const restricted = { ...maths, sensitivity: "restricted" } as const
          expect(yield* ask({}, { known: restricted })).toEqual(["own"])
          expect(yield* ask({ localOnly: () => false }, { known: restricted })).toHaveLength(3)
          expect(yield* ask({ localOnly: ({ caller }) => caller.tenant === "clinic" }, { tenant: "clinic" })).toEqual([
            "own"
          ])
          expect(yield* ask({ allow: (entry) => entry.model !== "strong" })).toEqual(["cheap", "own"])
          expect(yield* ask({ maximumCostUsd: 0.01 })).toEqual(["cheap"])
          expect(yield* ask({}, { text: "word ".repeat(10_000) })).toEqual(["strong"])
          const none = yield* ask({ allow: (entry) => entry.runs !== "local" }, { known: restricted })
          expect(none).toMatchObject({ _tag: "SelectModelError", reason: "NoCandidate" })
        })
    )

    it.effect("refuses a model that the catalogue does not have", () =>
      Effect.gen(function* () {
        const { asked, handler } = scripted(["It is 42."])
        const unknown = [cheap, { provider: "p", model: "strnog" }] as const
        const own = begin.to(Cascade.cascade("c", { handler, models: unknown, judge: says42, accept: 0.5 }))
        expect(yield* Effect.flip(own.run(facts))).toMatchObject({ _tag: "SelectModelError", reason: "UnknownModel" })
        expect(asked).toEqual([])
      })
    )
  })

  it("knows when two answers say the same", () => {
    expect(Cascade.sayTheSame("So it is 1,200 in all.", "Total: 1200")).toBe(true)
    expect(Cascade.sayTheSame("It is 12.", "It is 13.")).toBe(false)
    expect(Cascade.sayTheSame("Paris, the capital of France", "The capital of France: Paris")).toBe(true)
    expect(Cascade.sayTheSame("Paris", "Lyon")).toBe(false)
  })
})

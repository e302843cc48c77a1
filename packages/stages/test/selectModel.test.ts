import { describe, expect, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
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
  type Settings
} from "@interlock/model"
import { Classification } from "@interlock/stages/classify"
import * as Feedback from "@interlock/stages/Feedback"
import { fallback } from "@interlock/stages/fallback"
import { layerUnlimited } from "@interlock/stages/retry"
import * as SelectModel from "@interlock/stages/selectModel"
import type * as Predictor from "@interlock/stages/selectModel/predictor"
import * as WordVectors from "@interlock/stages/wordVectors"
import { Context, Effect, Layer, Random, Result } from "effect"

const small = { provider: "acme", model: "small" }
const large = { provider: "acme", model: "large" }
const local = { provider: "home", model: "local" }
const models = [small, large, local]
const catalogue = Catalogue.layerOnly([
  { ...small, limits: { context: 2000, output: 1000 }, prices: Catalogue.declarePrices({ input: 1, output: 2 }) },
  {
    ...large,
    limits: { context: 200_000, output: 8000 },
    modalities: { input: ["text", "image"], output: ["text"] },
    features: ["tools", "structured-output", "streaming"],
    prices: Catalogue.declarePrices({ input: 10, output: 30 })
  },
  { ...local, runs: "local", limits: { context: 8000, output: 4000 } }
])

const request = (
  text: string,
  more?: { readonly settings?: Settings; readonly known?: SelectModel.Known; readonly tenant?: string }
): SelectModel.Request => ({
  prompt: Prompt.make(text),
  settings: more?.settings ?? {},
  caller: { tenant: more?.tenant ?? "t" },
  ...(more?.known === undefined ? {} : { classification: more.known })
})
const select = (one: SelectModel.Request) => SelectModel.Selector.use((selector) => selector.select(one))

/** Predicts that `large` answers everything well, `local` badly, and `small` well when the prompt has no figures. */
const predictor = (): Predictor.Predictor => {
  const structure = 47
  const dimensions = 2
  const vectors = Result.getOrThrow(
    WordVectors.decode(
      WordVectors.encode({
        manifest: { format: WordVectors.format, featuriser: 1, name: "none", sources: [], words: 0, dimensions },
        hashes: new Uint32Array(0),
        scales: new Float32Array(0),
        rows: new Int8Array(0)
      })
    )
  )
  const weights = (digits: number) =>
    Float32Array.from({ length: 2 + structure + dimensions }, (_, index) => (index === 4 ? digits : 0))
  return {
    manifest: {
      kind: "interlock-router",
      features: 3,
      models: ["small", "acme/large", "local"],
      rows: 100,
      meanQuality: [0.7, 0.9, 0.2],
      meanCostUsd: [0, 0, 0],
      evaluation: { apgr: 0.7, low: 0.6, high: 0.8 },
      judges: [],
      vectors: { name: "none", dimensions },
      dimension: 2,
      answerDimension: 2,
      checksum: 0
    },
    prompt: {
      dimension: 2,
      rarity: new Float32Array(2),
      answerRarity: new Float32Array(0),
      center: new Float32Array(structure + dimensions),
      spread: new Float32Array(structure + dimensions).fill(1),
      // Figure 2 is ln(1 + numbers).
      weights: [weights(-5), weights(0), weights(0)],
      intercepts: Float32Array.of(0.95, 0.9, 0.2)
    },
    judges: {},
    vectors
  }
}

describe("selectModel", () => {
  it.effect("layerCheapest takes the cheapest that has a price and can serve", () =>
    Effect.gen(function* () {
      const choice = yield* select(request("Hello"))
      expect(choice).toMatchObject(small)
      expect(choice.candidates).toHaveLength(3)
      const image = yield* select({
        ...request("x"),
        prompt: Prompt.make([
          { role: "user", content: [{ type: "file", mediaType: "image/png", data: "AA==" } as never] }
        ])
      })
      expect(image).toMatchObject(large)
      expect(yield* select(request("Hi", { settings: { tools: [{ name: "t", parameters: {} }] } }))).toMatchObject(
        large
      )
      expect(yield* select(request("word ".repeat(3000)))).toMatchObject(large)
      expect(yield* select(request("Hi", { known: { label: "x", sensitivity: "restricted" } }))).toMatchObject(local)
    }).pipe(Effect.provide(SelectModel.layerCheapest({ models })), Effect.provide(catalogue))
  )

  it.effect("says why each candidate was left out, without the prompt's text", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        select(request("secret-canary ".repeat(100_000), { known: { label: "x", sensitivity: "public" } }))
      )
      expect(error.reason).toBe("NoCandidate")
      expect(error.message).toContain("acme/small: policy does not allow it")
      expect(error.message).toContain("too short")
      expect(error.message).not.toContain("canary")
    }).pipe(
      Effect.provide(SelectModel.layerCheapest({ models, allow: (entry) => entry.model !== "small" })),
      Effect.provide(catalogue)
    )
  )

  it.effect("a price cap leaves out what is dearer, by tenant", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(select(request("Hello", { tenant: "poor" })))
      expect(error.reason).toBe("OverBudget")
      expect(yield* select(request("Hello", { tenant: "rich" }))).toMatchObject(small)
    }).pipe(
      Effect.provide(
        SelectModel.layerCheapest({
          models: [small, large],
          maximumCostUsd: ({ caller }) => (caller.tenant === "poor" ? 0 : undefined)
        })
      ),
      Effect.provide(catalogue)
    )
  )

  it.effect("a model that the catalogue does not have is refused when the layer is built", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(SelectModel.layerFixed({ provider: "acme", model: "smal" })))
      )
      expect(error.reason).toBe("UnknownModel")
      expect(error.message).toContain("acme/small")
      const empty = yield* Effect.flip(Effect.scoped(Layer.build(SelectModel.layerCheapest({ models: [] }))))
      expect(empty.reason).toBe("NoCandidate")
    }).pipe(Effect.provide(catalogue))
  )

  it.effect("layerRules takes the first rule that holds and whose model can serve", () =>
    Effect.gen(function* () {
      expect(yield* select(request("Hi", { known: { label: "code" } }))).toMatchObject({
        ...large,
        reason: "code is hard"
      })
      expect(yield* select(request("Hi"))).toMatchObject({ ...small, reason: "no rule holds" })
      expect((yield* Effect.flip(select(request("word ".repeat(3000))))).reason).toBe("NoCandidate")
    }).pipe(
      Effect.provide(
        SelectModel.layerRules({
          rules: [
            { when: ({ classification }) => classification?.label === "code", model: large, reason: "code is hard" }
          ],
          otherwise: small
        })
      ),
      Effect.provide(catalogue)
    )
  )

  it.effect("layerScored follows its objective, per class", () =>
    Effect.gen(function* () {
      const easy = yield* select(request("Hello there"))
      expect(easy).toMatchObject(small)
      expect(easy.candidates?.map((candidate) => candidate.predictedQuality)).toEqual([
        expect.closeTo(0.95, 5),
        expect.closeTo(0.9, 5),
        expect.closeTo(0.2, 5)
      ])
      expect(yield* select(request("1 2 3 4 5 6 7 8 9"))).toMatchObject(large)
      expect(yield* select(request("1 2 3 4 5 6", { known: { label: "cheap" } }))).toMatchObject(small)
      expect((yield* Effect.flip(select(request("Hi", { known: { label: "nothing" } })))).reason).toBe("OverBudget")
      expect(yield* select(request("Hi", { known: { label: "bargain" } }))).toMatchObject(small)
    }).pipe(
      Effect.provide(
        SelectModel.layerScored({
          models,
          predictor: predictor(),
          objective: ({ classification }) =>
            classification?.label === "cheap"
              ? SelectModel.budget(0.002)
              : classification?.label === "nothing"
                ? SelectModel.budget(0)
                : classification?.label === "bargain"
                  ? SelectModel.price(0.01)
                  : SelectModel.quality(0.8)
        })
      ),
      Effect.provide(catalogue)
    )
  )

  it.effect("an audit can read what was expected of every candidate", () =>
    Effect.gen(function* () {
      const journal = Journal.make()
      const pipeline = Pipeline.make("t", { input: [RawPrompt, Parameters, Caller], protocol: Chat.protocol })
        .use(SelectModel.selectModelUnclassified)
        .to(
          Pipeline.handler("none", { needs: { chosen: ChosenModel } }, () => Effect.succeed(Reply.whole(Part.text(""))))
        )
      const facts = RawPrompt.context(Prompt.make("Hello")).pipe(
        Context.merge(Parameters.context({})),
        Context.merge(Caller.context({ tenant: "t" }))
      )
      yield* Effect.provideService(pipeline.run(facts), Journal.Journal, journal)
      expect(journal.events()).toMatchObject([
        {
          attributes: {
            model: "small",
            reason: "the cheapest of expected quality 0.8 or more",
            predictedQuality: expect.closeTo(0.95, 5),
            candidates:
              "acme/small (quality 0.95, $0.001005), acme/large (quality 0.90, $0.0150), home/local (quality 0.20)"
          }
        }
      ])
    }).pipe(
      Effect.provide(SelectModel.layerScored({ models, predictor: predictor(), objective: SelectModel.quality(0.8) })),
      Effect.provide(catalogue)
    )
  )

  it.effect("a router of other models is refused when the layer is built", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(
          Layer.build(
            SelectModel.layerScored({
              models,
              predictor: predictor(),
              objective: SelectModel.quality(0.5),
              names: (model) => `other-${model.model}`
            })
          )
        )
      )
      expect(error._tag).toBe("RouterMismatch")
    }).pipe(Effect.provide(catalogue))
  )

  it.effect("layerBandit learns from grades which model each class needs", () =>
    Effect.gen(function* () {
      const feedback = yield* Feedback.Feedback
      const ask = (label: string, id: string) =>
        Effect.provideService(select(request("Hi", { known: { label } })), Feedback.CallId, id)
      for (let call = 0; call < 60; call++) {
        for (const label of ["easy", "hard"]) {
          const choice = yield* ask(label, `${label}${call}`)
          yield* feedback.report(`${label}${call}`, choice.model === "large" || label === "easy" ? 1 : 0)
        }
      }
      expect(yield* ask("easy", "a")).toMatchObject(small)
      expect(yield* ask("hard", "b")).toMatchObject(large)
      expect((yield* feedback.grades(small, "easy")).mean).toBe(1)
      expect((yield* Effect.flip(feedback.report("a", 2))).reason).toBe("InvalidQuality")
      yield* feedback.report("a", 1)
      expect((yield* Effect.flip(feedback.report("a", 1))).reason).toBe("UnknownCall")
    }).pipe(
      Effect.provide(
        SelectModel.layerBandit({ models: [small, large], objective: SelectModel.quality(0.7), explore: 0 })
      ),
      Effect.provide(Feedback.layerMemory()),
      Effect.provide(catalogue),
      Random.withSeed("bandit")
    )
  )

  it.effect("layerBandit in a shadow learns from the grades of the model that acted", () =>
    Effect.gen(function* () {
      const feedback = yield* Feedback.Feedback
      const choice = yield* Effect.provideService(select(request("Hi")), Feedback.CallId, "one")
      expect(choice).toMatchObject(large)
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      expect((yield* (yield* SelectModel.Shadow).report).moves).toEqual({ "acme/large -> acme/small": 1 })
      yield* feedback.report("one", 0.5)
      expect(yield* feedback.grades(large)).toEqual({ count: 1, mean: 0.5 })
      expect((yield* feedback.grades(small)).count).toBe(0)
    }).pipe(
      Effect.provide(
        SelectModel.layerShadow(
          SelectModel.layerFixed(large),
          SelectModel.layerBandit({ models: [small, large], objective: SelectModel.quality(0.5), explore: 0 })
        )
      ),
      Effect.provide(Feedback.layerMemory()),
      Effect.provide(catalogue)
    )
  )

  it.effect("a grade goes to the model that answered after a fallback", () =>
    Effect.gen(function* () {
      const feedback = yield* Feedback.Feedback
      const ids: Array<string | undefined> = []
      const pipeline = Pipeline.make("t", { input: [RawPrompt, Parameters, Caller], protocol: Chat.protocol })
        .use(SelectModel.selectModelUnclassified)
        .use(fallback)
        .to(
          Pipeline.handler(
            "small is down",
            { needs: { chosen: ChosenModel } },
            Effect.fnUntraced(function* ({ chosen }) {
              ids.push(chosen.callId)
              if (chosen.model !== "small") return Reply.whole(Part.text(chosen.model))
              return yield* new ModelError.ModelError({
                ...small,
                reason: new ModelError.Overloaded({}),
                message: "it is down"
              })
            })
          )
        )
      const facts = RawPrompt.context(Prompt.make("Hello")).pipe(
        Context.merge(Parameters.context({})),
        Context.merge(Caller.context({ tenant: "t" }))
      )
      const answer = yield* Effect.provideService(pipeline.run(facts), Feedback.CallId, "one")
      expect(answer.text).toBe("large")
      expect(ids).toEqual(["one", "one"])
      yield* feedback.report("one", 1)
      expect((yield* feedback.grades(small)).count).toBe(0)
      expect((yield* feedback.grades(large, "")).count).toBe(1)
    }).pipe(
      Effect.provide(
        SelectModel.layerBandit({ models: [small, large], objective: SelectModel.quality(0.5), explore: 0 })
      ),
      Effect.provide(Layer.merge(Feedback.layerMemory(), layerUnlimited)),
      Effect.provide(catalogue)
    )
  )

  it.effect("layerShadow acts as the first and compares with the second", () =>
    Effect.gen(function* () {
      const shadow = yield* SelectModel.Shadow
      for (let call = 0; call < 3; call++) expect(yield* select(request("Hi"))).toMatchObject(large)
      expect(yield* select(request("word ".repeat(3000)))).toMatchObject(large)
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      const report = yield* shadow.report
      expect(report).toMatchObject({ calls: 4, agreed: 0, failed: 1, moves: { "acme/large -> acme/small": 3 } })
    }).pipe(
      Effect.provide(SelectModel.layerShadow(SelectModel.layerFixed(large), SelectModel.layerFixed(small))),
      Effect.provide(catalogue)
    )
  )

  it.effect("records what other choices would have cost", () =>
    Effect.gen(function* () {
      const journal = Journal.make()
      const pipeline = Pipeline.make("t", { input: [RawPrompt, Parameters, Caller], protocol: Chat.protocol })
        .use(SelectModel.selectModelUnclassified)
        .to(
          Pipeline.handler("none", { needs: { chosen: ChosenModel } }, () => Effect.succeed(Reply.whole(Part.text(""))))
        )
      const facts = RawPrompt.context(Prompt.make("Hello")).pipe(
        Context.merge(Parameters.context({})),
        Context.merge(Caller.context({ tenant: "t" }))
      )
      yield* Effect.provideService(pipeline.run(facts), Journal.Journal, journal)
      const attributes = journal.events().flatMap((event) => (event._tag === "Fact" ? [event.attributes] : []))[0]!
      expect(attributes["alwaysCheapUsd"]).toBe(attributes["predictedCostUsd"])
      expect(attributes["alwaysStrongUsd"]).toBeGreaterThan(attributes["randomUsd"] as number)
      expect(attributes["randomUsd"]).toBeGreaterThan(attributes["alwaysCheapUsd"] as number)
    }).pipe(Effect.provide(SelectModel.layerCheapest({ models: [small, large] })), Effect.provide(catalogue))
  )

  it.effect("the stage hands the classification to the selector", () =>
    Effect.gen(function* () {
      const pipeline = Pipeline.make("t", {
        input: [RawPrompt, Parameters, Caller, Classification],
        protocol: Chat.protocol
      })
        .use(SelectModel.selectModel)
        .to(
          Pipeline.handler("name", { needs: { chosen: ChosenModel } }, ({ chosen }) =>
            Effect.succeed(Reply.whole(Part.text(chosen.model)))
          )
        )
      const facts = (sensitivity: "public" | "restricted") =>
        RawPrompt.context(Prompt.make("Hello")).pipe(
          Context.merge(Parameters.context({})),
          Context.merge(Caller.context({ tenant: "t" })),
          Context.merge(
            Classification.context({
              label: "code",
              probabilities: { code: 1 },
              confidence: 1,
              language: "en",
              sensitivity,
              source: "test"
            })
          )
        )
      expect((yield* pipeline.run(facts("public"))).text).toBe("small")
      expect((yield* pipeline.run(facts("restricted"))).text).toBe("local")
    }).pipe(Effect.provide(SelectModel.layerCheapest({ models })), Effect.provide(catalogue))
  )

  it.effect("the stage adds ChosenModel and records it", () =>
    Effect.gen(function* () {
      const journal = Journal.make()
      const pipeline = Pipeline.make("t", { input: [RawPrompt, Parameters, Caller], protocol: Chat.protocol })
        .use(SelectModel.selectModelUnclassified)
        .to(
          Pipeline.handler("name", { needs: { chosen: ChosenModel } }, ({ chosen }) =>
            Effect.succeed(Reply.whole(Part.text(chosen.model)))
          )
        )
      const facts = RawPrompt.context(Prompt.make("canary")).pipe(
        Context.merge(Parameters.context({})),
        Context.merge(Caller.context({ tenant: "t" }))
      )
      const answer = yield* Effect.provideService(pipeline.run(facts), Journal.Journal, journal)
      expect(answer.text).toBe("small")
      expect(journal.events()).toMatchObject([
        {
          _tag: "Fact",
          attributes: {
            model: "small",
            reason: expect.any(String),
            candidates: "acme/small ($0.001005), acme/large ($0.0150), home/local"
          }
        }
      ])
      expect(JSON.stringify(journal.events())).not.toContain("canary")
    }).pipe(Effect.provide(SelectModel.layerCheapest({ models })), Effect.provide(catalogue))
  )
})

/** `collect` below redaction: what it keeps, in which order, and what becomes of a call whose example cannot be kept. */
import { assert, describe, it } from "@effect/vitest"
import { type Handler, Pipeline } from "@interlock/core"
import { Caller, Chat, ChosenModel, type ModelError, Parameters, Part, Prompt, RawPrompt } from "@interlock/model"
import {
  CollectError,
  Collected,
  collect,
  DatasetSink,
  ExampleKey,
  Full,
  layerMemory,
  OnFailure
} from "@interlock/stages/collect"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Laws, ScriptedModel } from "@interlock/testing"
import { Context, Effect, Fiber, Layer, Stream } from "effect"

const close = (model: Handler.Handler<never, Part.Part, ModelError.ModelError>) =>
  Pipeline.make("collected", { input: [RawPrompt, Caller, ChosenModel, Parameters], protocol: Chat.protocol })
    .use(redact)
    .use(collect)
    .to(model)

const facts = (text: string) =>
  RawPrompt.context(Prompt.make(text)).pipe(
    Context.add(Caller, { tenant: "test" }),
    Context.add(ChosenModel, { provider: "offline", model: "offline-large" }),
    Context.add(Parameters, { temperature: 1 })
  )

const services = Layer.mergeAll(Detector.layer, Vault.layerMemory, layerMemory)
const examples = Collected.use(({ examples }) => examples)
const usage: Part.Usage = { inputTokens: { total: 5 }, outputTokens: { total: 7 } }

describe("collect", () => {
  it.effect("obeys the laws", () => Effect.provide(Laws.all({ close, facts, examples: 20 }), services))

  it.effect("leaves one example of every call, however it ends", () =>
    Effect.provide(
      Laws.oneRecord(
        { close, facts },
        Effect.map(examples, (all) => all.filter(({ outcome }) => outcome !== undefined).length)
      ),
      services
    )
  )

  it.effect("keeps the redacted prompt, the answer with placeholders, and what was used", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ text: "I have written to you.", usage }])
      yield* close(model.handler).run(facts("Write to alice@example.com"))
      const [example, ...others] = yield* examples
      assert.strictEqual(others.length, 0)
      assert.notInclude(JSON.stringify(example), "alice")
      assert.deepInclude(example, {
        teacher: { provider: "offline", model: "offline-large" },
        settings: { temperature: 1 }
      })
      assert.strictEqual(example?.outcome?._tag, "Answered")
      if (example?.outcome?._tag !== "Answered") return
      assert.deepStrictEqual(example.outcome.parts[0], { type: "text", text: "I have written to you." })
    }).pipe(Effect.provide(services))
  )

  it.effect("keeps all of a live answer, and nothing of one that the caller left", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ text: "one two three" }, { text: "one two three" }])
      const pipeline = close(model.handler)
      yield* Stream.runDrain(pipeline.stream(facts("a")))
      yield* Stream.runHead(pipeline.stream(facts("b")))
      const [whole, left] = yield* examples
      assert.strictEqual(whole?.outcome?._tag, "Answered")
      if (whole?.outcome?._tag === "Answered") {
        const answer = whole.outcome.parts.reduce(Chat.protocol.append, Chat.protocol.empty())
        assert.strictEqual(answer.text, "one two three")
      }
      assert.strictEqual(left?.outcome?._tag, "Interrupted")
    }).pipe(Effect.provide(services))
  )

  it.effect("says why there is no answer, and whether asking again may help", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ fail: ScriptedModel.overloaded }])
      yield* Effect.flip(close(model.handler).run(facts("a")))
      const [example] = yield* examples
      assert.deepInclude(example?.outcome, { _tag: "Failed", error: "ModelError/Overloaded", retryable: true })
    }).pipe(Effect.provide(services))
  )

  it.effect("asks for a key once only", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ fail: ScriptedModel.overloaded }, { text: "yes" }, { text: "no" }])
      const run = Effect.provideService(close(model.handler).run(facts("a")), ExampleKey, "the key")
      yield* Effect.flip(run)
      assert.strictEqual((yield* run).text, "yes")
      assert.strictEqual((yield* run).text, "yes")
      assert.strictEqual(model.calls(), 2)
      assert.strictEqual((yield* examples).length, 1)
    }).pipe(Effect.provide(services))
  )

  it.effect("tells the sink before the model is asked, and the caller after the sink has the answer", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const watched = Layer.succeed(DatasetSink, {
        begin: () =>
          Effect.as(
            Effect.sync(() => void order.push("begin")),
            { _tag: "Ask" as const }
          ),
        finish: () =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => void order.push("finish"))
          )
      })
      const model = Pipeline.handler("model", { needs: {} }, () =>
        Effect.sync(() => {
          order.push("model")
          return { _tag: "Whole" as const, parts: Part.text("yes") }
        })
      )
      yield* close(model).run(facts("a")).pipe(Effect.provide(watched))
      order.push("caller")
      assert.deepStrictEqual(order, ["begin", "model", "finish", "caller"])
    }).pipe(Effect.provide(services))
  )

  it.effect("keeps an answer that is here when the caller is interrupted", () =>
    Effect.gen(function* () {
      let kept = false
      const slow = Layer.succeed(DatasetSink, {
        begin: () => Effect.succeed({ _tag: "Ask" as const }),
        finish: () =>
          Effect.gen(function* () {
            for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
            kept = true
          })
      })
      const model = yield* ScriptedModel.make([{ text: "yes" }])
      const fiber = yield* Effect.forkChild(close(model.handler).run(facts("a")).pipe(Effect.provide(slow)))
      while (model.calls() === 0) yield* Effect.yieldNow
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.isTrue(kept)
    }).pipe(Effect.provide(services))
  )

  describe("when the sink is full", () => {
    const error = new CollectError({ reason: new Full(), message: "no room" })
    const broken = (at: "begin" | "finish") =>
      Layer.succeed(DatasetSink, {
        begin: () => (at === "begin" ? Effect.fail(error) : Effect.succeed({ _tag: "Ask" as const })),
        finish: () => Effect.fail(error)
      })

    it.effect.each(["begin", "finish"] as const)("lets traffic through: %s", (at) =>
      Effect.gen(function* () {
        const model = yield* ScriptedModel.make([{ text: "yes" }])
        assert.strictEqual((yield* close(model.handler).run(facts("a"))).text, "yes")
      }).pipe(Effect.provide([services, broken(at)]))
    )

    it.effect("refuses before anything is paid for, where it was asked to", () =>
      Effect.gen(function* () {
        const model = yield* ScriptedModel.make([{ text: "yes" }])
        const failure = yield* Effect.flip(close(model.handler).run(facts("a")))
        assert.strictEqual(failure._tag, "CollectError")
        assert.strictEqual(model.calls(), 0)
      }).pipe(Effect.provideService(OnFailure, "refuse"), Effect.provide([services, broken("begin")]))
    )

    it.effect("says that an answer was not kept, where it was asked to", () =>
      Effect.gen(function* () {
        const model = yield* ScriptedModel.make([{ text: "yes" }, { text: "yes" }])
        const pipeline = close(model.handler)
        assert.strictEqual((yield* Effect.flip(pipeline.run(facts("a"))))._tag, "CollectError")
        assert.strictEqual((yield* Effect.flip(Stream.runDrain(pipeline.stream(facts("a")))))._tag, "CollectError")
      }).pipe(Effect.provideService(OnFailure, "refuse"), Effect.provide([services, broken("finish")]))
    )
  })
})

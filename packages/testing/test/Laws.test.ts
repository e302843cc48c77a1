import { assert, describe, it } from "@effect/vitest"
import { type Handler, Pipeline, Reply, Stage } from "@interlock/core"
import { Chat, type ModelError, type Part, Prompt, RawPrompt } from "@interlock/model"
import { FaultInjection, Laws, ScriptedModel } from "@interlock/testing"
import { Context, Effect, Exit, Scope, Stream } from "effect"
import fc from "fast-check"

const start = Pipeline.make("subject", { input: [RawPrompt], protocol: Chat.protocol })
const facts = (text: string) => RawPrompt.context(Prompt.make(text))
type Closed = Pipeline.Closed<RawPrompt, Part.Part, Chat.Answer, unknown, never>
type Model = Handler.Handler<never, Part.Part, ModelError.ModelError>

const subject = <S extends Stage.Any>(stage: S) => ({
  facts,
  close: (model: Model) => start.use(stage as never).to(model as never) as Closed
})
const law = (broken: Effect.Effect<Laws.Verdict, Laws.LawBroken>) =>
  Effect.map(Effect.flip(broken), (error) => error.law)

describe("Laws", () => {
  it.effect("hold for a stage that does nothing, and for one that maps parts", () =>
    Effect.gen(function* () {
      yield* Laws.all(subject(Stage.around("nothing", { needs: {} }, (_, next) => next())))
      yield* Laws.all(
        subject(
          Stage.around<{ in: Part.Part }>()("mark", { needs: {} }, (_, next) =>
            Effect.map(next(), (reply) => Reply.map(reply, (part) => ({ ...part })))
          )
        )
      )
    })
  )

  it.effect("unary finds a stage that treats whole and live replies differently", () =>
    Effect.gen(function* () {
      const broken = Stage.around<{ in: Part.Part }>()("broken", { needs: {} }, (_, next) =>
        Effect.map(next(), (reply) => (reply._tag === "Live" ? reply : Reply.whole(reply.parts.slice(1))))
      )
      assert.strictEqual(yield* law(Laws.unary(subject(broken))), "unary")
    })
  )

  it.effect("chunking finds a stage that looks at one delta at a time", () =>
    Effect.gen(function* () {
      const broken = Stage.around<{ in: Part.Part }>()("broken", { needs: {} }, (_, next) =>
        Effect.map(next(), (reply) =>
          Reply.map(reply, (part) =>
            part.type === "text-delta" ? { ...part, delta: part.delta.replaceAll("⟦PERSON_1⟧", "Ada") } : part
          )
        )
      )
      assert.strictEqual(yield* law(Laws.chunking(subject(broken))), "chunking")
    })
  )

  it.effect("partial finds a stage that splices another answer", () =>
    Effect.gen(function* () {
      const broken = Stage.around<{ in: Part.Part; handles: ModelError.ModelError }>()(
        "broken",
        { needs: {} },
        (_, next) =>
          Effect.map(next(), (reply) =>
            Reply.mapLive(
              reply,
              Stream.catch(() => Stream.unwrap(Effect.map(next(), Reply.toStream)))
            )
          )
      )
      assert.strictEqual(yield* law(Laws.partial(subject(broken))), "partial")
    })
  )

  it.effect("unary finds a stage that takes a live reply for a whole one when its model does not as wished", () =>
    Effect.gen(function* () {
      const broken = Stage.around<{ in: Part.Part }>()("broken", { needs: {} }, (_, next) =>
        Effect.flatMap(Reply.Delivery, (wish) =>
          Effect.map(next(), (reply) => (reply._tag === "Live" && wish === "whole" ? Reply.whole([]) : reply))
        )
      )
      assert.strictEqual(yield* law(Laws.unary(subject(broken))), "unary")
    })
  )

  it.effect("a stage that answers whole is told that partial does not apply, and is held to its word", () =>
    Effect.gen(function* () {
      const why = "it waits for the end"
      const collects = Stage.around<{ in: Part.Part }>()("collects", { needs: {} }, (_, next) =>
        Effect.map(Effect.flatMap(next(), Reply.collect), Reply.whole)
      )
      const verdicts = yield* Laws.all({ ...subject(collects), answersWhole: why })
      assert.deepStrictEqual(verdicts, [
        { law: "unary", outcome: "holds" },
        { law: "chunking", outcome: "holds" },
        { law: "partial", outcome: "does not apply", why },
        { law: "release", outcome: "holds" }
      ])
      const streams = { ...subject(Stage.around("streams", { needs: {} }, (_, next) => next())), answersWhole: why }
      assert.strictEqual(yield* law(Laws.partial(streams)), "partial")
      assert.strictEqual(yield* law(Laws.release(streams)), "release")
    })
  )

  it.effect("the calls that are read whole before the one that goes up are left out, and released too", () =>
    Effect.gen(function* () {
      const twice = Stage.around<{ in: Part.Part }>()("twice", { needs: {} }, (_, next) =>
        Effect.andThen(Effect.flatMap(next(), Reply.collect), next())
      )
      for (const verdict of yield* Laws.all({ ...subject(twice), asksFirst: 1 })) {
        assert.strictEqual(verdict.outcome, "holds")
      }
      const forgets = Stage.around<{ in: Part.Part }>()("forgets", { needs: {} }, (_, next) =>
        Effect.flatMap(Scope.make(), (forgotten) => Effect.andThen(Scope.provide(next(), forgotten), next()))
      )
      assert.strictEqual(yield* law(Laws.release({ ...subject(forgets), asksFirst: 1 })), "release")
    })
  )

  it.effect("release finds a stage that goes on reading after its caller has left", () =>
    Effect.gen(function* () {
      const broken = Stage.around<{ in: Part.Part }>()("broken", { needs: {} }, (_, next) =>
        Effect.flatMap(Scope.make(), (forgotten) =>
          Effect.as(
            Scope.provide(next(), forgotten),
            Reply.live(Stream.fromIterable<Part.Part>(ScriptedModel.liveText(["mine"])))
          )
        )
      )
      assert.strictEqual(yield* law(Laws.release(subject(broken))), "release")
    })
  )

  it.effect("a stage that refuses every call proves nothing, and is told so", () =>
    Effect.gen(function* () {
      const refusing = subject(Stage.around("refusing", { needs: {} }, () => Effect.fail("no")))
      for (const tried of [Laws.unary, Laws.chunking, Laws.partial, Laws.release]) {
        assert.include((yield* Effect.flip(tried(refusing))).message, "no call reached the model")
      }
    })
  )

  it.effect("no leak finds a canary below, in a log and in an error", () =>
    Effect.gen(function* () {
      const prompts = fc
        .integer({ min: 1_000_000 })
        .map((number) => ({ text: `call ${number} now`, canary: String(number) }))
      const leak = (stage: Stage.Any) =>
        Effect.map(
          Effect.flip(
            Laws.noLeak({
              needs: RawPrompt,
              prompts,
              facts,
              close: (model) => start.use(stage as never).to(model as never) as Closed
            })
          ),
          (error) => error.message
        )
      assert.include(yield* leak(Stage.around("nothing", { needs: {} }, (_, next) => next())), "is in the model")
      const hide = Effect.succeed(Reply.whole<Part.Part>([]))
      const logs = Stage.around<{ in: Part.Part }>()("logs", { needs: { prompt: RawPrompt } }, ({ prompt }) =>
        Effect.andThen(Effect.logDebug(Prompt.text(prompt)), hide)
      )
      assert.include(yield* leak(logs), "is in a log line")
      const fails = Stage.around<{ in: Part.Part }>()("fails", { needs: { prompt: RawPrompt } }, ({ prompt }) =>
        Effect.fail(`cannot read ${Prompt.text(prompt)}`)
      )
      assert.include(yield* leak(fails), "is in an error")
      const spans = Stage.around<{ in: Part.Part }>()("spans", { needs: { prompt: RawPrompt } }, ({ prompt }) =>
        Effect.withSpan(hide, "spans", { attributes: { text: Prompt.text(prompt) } })
      )
      assert.include(yield* leak(spans), "is in a span")
      class Hidden extends Context.Service<Hidden, string>()("test/Hidden") {}
      const clean = Stage.around("clean", { needs: {}, adds: Hidden }, (_, next) => next("hidden"))
      yield* Laws.noLeak({ needs: Hidden, prompts, facts, close: (model) => start.use(clean).to(model) })
    })
  )

  it.effect("one record counts every ending", () =>
    Effect.gen(function* () {
      let records = 0
      const note = Effect.sync(() => void records++)
      const recording = Stage.around("recording", { needs: {} }, (_, next) =>
        Effect.flatMap(
          Effect.onError(next(), () => note),
          (reply) => Reply.onExit(reply, () => note)
        )
      )
      const count = Effect.sync(() => records)
      yield* Laws.oneRecord(subject(recording), count)
      const forgetful = Stage.around("forgetful", { needs: {} }, (_, next) =>
        Effect.flatMap(next(), (reply) => Reply.onExit(reply, () => note))
      )
      assert.strictEqual(yield* law(Laws.oneRecord(subject(forgetful), count)), "one record")
    })
  )
})

describe("FaultInjection", () => {
  it.effect("fails, cuts and lets through, by the number of the call", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ deltas: ["a", "b"] }])
      const pipeline = start.to(
        FaultInjection.inject(model.handler, (call) =>
          call === 0
            ? { _tag: "Fail", error: ScriptedModel.overloaded }
            : call === 1
              ? { _tag: "Cut", after: 2, error: ScriptedModel.disconnected }
              : undefined
        )
      )
      const first = yield* Effect.exit(pipeline.run(facts("x")))
      const second = yield* Effect.exit(pipeline.run(facts("x")))
      assert.isTrue(Exit.isFailure(first) && Exit.isFailure(second))
      assert.strictEqual((yield* pipeline.run(facts("x"))).text, "ab")
      assert.strictEqual(model.calls(), 2)
      assert.strictEqual(model.open(), 0)
    })
  )
})

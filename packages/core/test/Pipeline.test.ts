import { assert, describe, it } from "@effect/vitest"
import { Fact, type Handler, Pipeline, Reply, Stage, Tracing } from "@interlock/core"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schema, Stream, Tracer } from "effect"

class Question extends Context.Service<Question, string>()("test/Question") {}
class Language extends Context.Service<Language, "en" | "zh">()("test/Language") {}
class Model extends Context.Service<Model, string>()("test/Model") {}
class Busy extends Schema.TaggedError<Busy>()("Busy", { model: Schema.String }) {}
class Dictionary extends Context.Service<Dictionary, { readonly greet: (language: "en" | "zh") => string }>()(
  "test/Dictionary"
) {}

const words: Pipeline.Protocol<string, string> = { empty: () => "", append: (whole, part) => whole + part }

const detectLanguage = Stage.derive(
  "detectLanguage",
  { needs: { question: Question }, adds: Language },
  ({ question }) => Effect.succeed(/\p{Script=Han}/u.test(question) ? ("zh" as const) : ("en" as const))
)
const chooseModel = Stage.derive("chooseModel", { needs: {}, adds: Model }, () => Effect.succeed("big"))
const fallback = Stage.around<{ handles: Busy }>()(
  "fallback",
  { needs: { model: Model }, adds: Model },
  ({ model }, next) => Effect.catchTag(next(model), "Busy", () => next("small"))
)
const shout = Stage.around<{ in: string }>()("shout", { needs: {} }, (_, next) =>
  Effect.map(next(), (reply) => Reply.map(reply, (part) => part.toUpperCase()))
)
const greet = Pipeline.handler("greet", { needs: { language: Language } }, ({ language }) =>
  Effect.map(Dictionary, (dictionary) => Reply.whole([dictionary.greet(language), "!"]))
)
const dictionary = Layer.succeed(Dictionary, { greet: (language) => (language === "zh" ? "你好" : "hello") })
const start = Pipeline.make("greeting", { input: [Question], protocol: words })
const greeting = start.use(detectLanguage).use(shout).to(greet)

const tracer = () => {
  const spans: Array<Tracer.NativeSpan> = []
  return {
    spans,
    layer: Layer.succeed(
      Tracer.Tracer,
      Tracer.make({
        span(options) {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
    )
  }
}

describe("Pipeline", () => {
  it.effect("runs stages top to bottom and folds the reply", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* greeting.run(Question.context("Anyone?")), "HELLO!")
      assert.deepStrictEqual(yield* Stream.runCollect(greeting.stream(Question.context("在吗"))), ["你好", "!"])
    }).pipe(Effect.provide(dictionary))
  )

  it.effect("a closed pipeline is a handler of another", () =>
    Effect.gen(function* () {
      const outer = Pipeline.make("outer", { input: [Question], protocol: words })
        .use(shout)
        .to(greeting)
      assert.strictEqual(yield* outer.run(Question.context("x")), "HELLO!")
    }).pipe(Effect.provide(dictionary))
  )

  it.effect("an open pipeline is a stage: the facts it adds stay", () =>
    Effect.gen(function* () {
      const preset = Pipeline.make("preset", { input: [Question], protocol: words })
        .use(detectLanguage)
        .use(shout)
      const outer = Pipeline.make("outer", { input: [Question], protocol: words })
        .use(preset)
        .to(greet)
      assert.strictEqual(yield* outer.run(Question.context("x")), "HELLO!")
      assert.strictEqual(
        Pipeline.describe(outer),
        [
          "pipeline outer · needs Question",
          "  preset · needs Question · adds Language",
          "    detectLanguage · needs Question · adds Language",
          "    shout",
          "  greet · needs Language"
        ].join("\n")
      )
    }).pipe(Effect.provide(dictionary))
  )

  it.effect("a stage that handles an error calls next again", () =>
    Effect.gen(function* () {
      const call = Pipeline.handler("call", { needs: { model: Model } }, ({ model }) =>
        model === "big" ? Effect.fail(new Busy({ model })) : Effect.succeed(Reply.whole([model]))
      )
      const routed = Pipeline.make("routed", { input: [], protocol: words }).use(chooseModel).use(fallback).to(call)
      assert.strictEqual(yield* routed.run(Context.empty()), "small")
    })
  )

  it.effect("branch picks the handler of the fact's value", () =>
    Effect.gen(function* () {
      const say = (text: string) => Pipeline.handler(text, { needs: {} }, () => Effect.succeed(Reply.whole([text])))
      const branched = start
        .use(detectLanguage)
        .to(Pipeline.branch("tongue", Language, { en: say("English"), zh: say("中文") }))
      assert.strictEqual(yield* branched.run(Question.context("在吗")), "中文")
      const byLength = start.to(
        Pipeline.branch("length", Question, { long: say("long"), short: say("short") }, (question) =>
          question.length > 3 ? "long" : "short"
        )
      )
      assert.strictEqual(yield* byLength.run(Question.context("a long one")), "long")
      assert.strictEqual(
        Pipeline.toMermaid(branched),
        [
          "flowchart TB",
          '  0["greeting: Question"]',
          '  1["detectLanguage"]',
          '  2["tongue"]',
          '  3["English"]',
          '  4["中文"]',
          "  0 --> 1",
          '  1 -->|"+ Language"| 2',
          '  2 -->|"en"| 3',
          '  2 -->|"zh"| 4'
        ].join("\n")
      )
    })
  )

  it.effect("a layer swaps the whole pipeline", () =>
    Effect.gen(function* () {
      class Desk extends Context.Service<Desk, Pipeline.Service<typeof greeting>>()("test/Desk") {}
      const program = Effect.flatMap(Desk, (desk) => desk.run(Question.context("x")))
      const live = Pipeline.layer(Desk, greeting).pipe(Layer.provide(dictionary))
      assert.strictEqual(yield* Effect.provide(program, live), "HELLO!")
      const scripted = Layer.succeed(Desk, { run: () => Effect.succeed("scripted"), stream: () => Stream.empty })
      assert.strictEqual(yield* Effect.provide(program, scripted), "scripted")
    })
  )

  it("refuses at construction, with the compiler's sentence, what a cast let through", () => {
    const cast = start as unknown as { use: (stage: Stage.Any) => unknown; to: (handler: Handler.Any) => unknown }
    assert.throws(
      () => cast.use(fallback),
      "fallback needs Model: put the stage that adds it above, and none that drops it"
    )
    assert.throws(
      () => cast.to(greet),
      "the handler needs Language: put the stage that adds it above, and none that drops it"
    )
  })

  it.effect("a branch without a case for the value says which cases it has", () =>
    Effect.gen(function* () {
      const only = { en: Pipeline.handler("en", { needs: {} }, () => Effect.succeed(Reply.whole(["x"]))) }
      const incomplete = Pipeline.branch("tongue", Language, only as never) as Handler.Handler<Language, string>
      const exit = yield* Effect.exit(start.use(detectLanguage).to(incomplete).run(Question.context("在吗")))
      assert.include(String(exit), 'tongue has no handler for Language "zh": add a case for it (it has en)')
    })
  )

  it("names facts by the last word of their key", () => assert.strictEqual(Fact.nameOf(Language), "Language"))
})

describe("Reply", () => {
  class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

  it.effect("liveAfterFirst: a failure before the first part is a failure of the effect", () =>
    Effect.gen(function* () {
      let released = 0
      const source = Stream.fail(new Broken()).pipe(Stream.ensuring(Effect.sync(() => released++)))
      const exit = yield* Effect.exit(Reply.liveAfterFirst(source))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(released, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("liveAfterFirst: a failure after the first part is one of the stream, and every part is there once", () =>
    Effect.gen(function* () {
      const source = Stream.make(1, 2).pipe(Stream.rechunk(1), Stream.concat(Stream.fail(new Broken())))
      const reply = yield* Reply.liveAfterFirst(source)
      const seen: Array<number> = []
      const exit = yield* Effect.exit(Stream.runForEach(reply.parts, (part) => Effect.sync(() => seen.push(part))))
      assert.deepStrictEqual(seen, [1, 2])
      assert.isTrue(Exit.isFailure(exit))
    }).pipe(Effect.scoped)
  )

  it.effect("liveAfterFirst: an empty stream is an empty reply", () =>
    Effect.gen(function* () {
      const reply = yield* Reply.liveAfterFirst(Stream.empty)
      assert.deepStrictEqual(yield* Reply.collect(reply), [])
    }).pipe(Effect.scoped)
  )

  it.effect("onExit runs once: after the last part, when the caller takes one, or when nobody reads", () =>
    Effect.gen(function* () {
      const ends: Array<string> = []
      const note = (name: string) => (exit: Exit.Exit<unknown, unknown>) =>
        Effect.sync(() => ends.push(`${name} ${exit._tag}`))
      const reading = (name: string, read: (stream: Stream.Stream<number>) => Effect.Effect<unknown>) =>
        Effect.scoped(
          Effect.flatMap(Reply.onExit(Reply.live(Stream.make(1, 2)), note(name)), (reply) =>
            read(Reply.toStream(reply))
          )
        )
      yield* reading("all", Stream.runDrain)
      yield* reading("one", (stream) => Stream.runHead(stream))
      yield* reading("none", () => Effect.void)
      yield* Effect.scoped(Reply.onExit(Reply.whole([1]), note("whole")))
      assert.deepStrictEqual(ends, ["all Success", "one Success", "none Success", "whole Success"])
    })
  )
})

describe("Tracing", () => {
  it.effect("is off by default", () =>
    Effect.gen(function* () {
      const { layer, spans } = tracer()
      yield* greeting.run(Question.context("x")).pipe(Effect.provide([dictionary, layer]))
      assert.deepStrictEqual(spans, [])
    })
  )

  it.effect("on: one span per stage and one for the handler, nested in call order, preset stages too", () =>
    Effect.gen(function* () {
      const { layer, spans } = tracer()
      const preset = Pipeline.make("preset", { input: [Question], protocol: words })
        .use(detectLanguage)
        .use(shout)
      const outer = Pipeline.make("outer", { input: [Question], protocol: words })
        .use(preset)
        .to(greet)
      yield* outer.run(Question.context("x")).pipe(
        Effect.provideService(Tracing.Tracing, {
          part: (span, place, part) => span.attribute(place.kind, String(part).length)
        }),
        Effect.provide([dictionary, layer])
      )
      assert.deepStrictEqual(
        spans.map((span) => span.name),
        ["detectLanguage", "shout", "greet"]
      )
      assert.deepStrictEqual(
        spans.map((span) => Option.getOrUndefined(span.parent)?.spanId),
        [undefined, spans[0]!.spanId, spans[1]!.spanId]
      )
      assert.isTrue(spans.every((span) => span.status._tag === "Ended"))
      assert.strictEqual(spans[2]!.attributes.get("handler"), 1)
    })
  )

  it.effect("spans live until the last part or the interrupt", () =>
    Effect.gen(function* () {
      const { layer, spans } = tracer()
      const arrived = yield* Deferred.make<void>()
      const slow = Pipeline.handler("slow", { needs: {} }, () =>
        Effect.succeed(Reply.live(Stream.concat(Stream.make("a"), Stream.never)))
      )
      const live = start.use(shout).to(slow)
      const fiber = yield* live.stream(Question.context("x")).pipe(
        Stream.runForEach(() => Deferred.succeed(arrived, undefined)),
        Effect.provideService(Tracing.Tracing, {}),
        Effect.provide(layer),
        Effect.forkChild
      )
      yield* Deferred.await(arrived)
      assert.deepStrictEqual(
        spans.map((span) => span.status._tag),
        ["Started", "Started"]
      )
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(
        spans.map((span) => span.status._tag),
        ["Ended", "Ended"]
      )
    })
  )
})

describe("protocols", () => {
  it.effect("are known by their names to the stages of their own pipelines, nested ones too", () =>
    Effect.gen(function* () {
      const told = Pipeline.handler("told", { needs: {} }, () =>
        Effect.map(Reply.Protocol, (name) => Reply.whole([name, "."]))
      )
      const named = (name: string) => Pipeline.make(name, { input: [Question], protocol: { ...words, name } })
      const facts = Question.context("x")
      assert.strictEqual(yield* start.to(told).run(facts), ".")
      assert.strictEqual(yield* named("image").to(told).run(facts), "image.")
      assert.strictEqual(yield* Stream.mkString(named("image").to(told).stream(facts)), "image.")
      assert.strictEqual(yield* named("image").to(start.to(told)).run(facts), ".")
      assert.strictEqual(yield* named("image").to(named("speech").to(told)).run(facts), "speech.")
    })
  )
})

describe("a pipeline of very many stages", () => {
  const deep = (stage: Stage.Any, count: number, presets: number) => {
    // Past the compiler, which would name every stage.
    const add = (draft: any, one: Stage.Any, times: number): any => {
      let pipeline = draft
      for (let index = 0; index < times; index++) pipeline = pipeline.use(one)
      return pipeline
    }
    const preset = add(start, stage, count / presets)
    return (presets === 1 ? preset : add(start, preset, presets)) as typeof start
  }
  const pass = Stage.around("pass", { needs: {} }, (_, next) => next())
  const told = Pipeline.handler("told", { needs: {} }, () =>
    Effect.map(Reply.Delivery, (wish) =>
      wish === "live" ? Reply.live(Stream.make("a", "b")) : Reply.whole(["a", "b"])
    )
  )
  for (const presets of [1, 100]) {
    for (const stage of [pass, shout]) {
      it.effect(`runs and streams: ${stage.name}, in ${presets} presets`, () =>
        Effect.gen(function* () {
          const pipeline = deep(stage, 10_000, presets).to(told)
          const said = stage === shout ? "AB" : "ab"
          assert.strictEqual(yield* pipeline.run(Question.context("x")), said)
          assert.strictEqual(yield* Stream.mkString(pipeline.stream(Question.context("x"))), said)
        })
      )
    }
  }
})

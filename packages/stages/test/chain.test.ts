import { assert, describe, it } from "@effect/vitest"
import { Pipeline, Reply, Tracing } from "@interlock/core"
import { Journal } from "@interlock/model"
import { chain } from "@interlock/stages/chain"
import { Cause, Context, Data, Effect, Exit, Fiber, Option, Stream, Tracer } from "effect"

class Brief extends Context.Service<Brief, string>()("test/Brief") {}
class Scene extends Context.Service<Scene, string>()("test/Scene") {}
class Closed extends Data.TaggedError("Closed")<{ readonly door: string }> {}

const words: Pipeline.Protocol<string, string> = { empty: () => "", append: (whole, part) => whole + part }
const count: Pipeline.Protocol<string, number> = { empty: () => 0, append: (whole) => whole + 1 }

const attempt = (costUsd: number): Journal.Event => ({
  _tag: "Attempt",
  provider: "test",
  model: "test",
  startedAt: 0,
  endedAt: 1,
  outcome: "answered",
  costUsd
})

const expand = Pipeline.make("expand", { input: [Brief], protocol: words }).to(
  Pipeline.handler("writer", { needs: { brief: Brief } }, ({ brief }) =>
    Effect.as(Journal.record(attempt(0.25)), Reply.live(Stream.make(brief, " at dusk")))
  )
)
const draw = Pipeline.make("draw", { input: [Scene], protocol: count }).to(
  Pipeline.handler("painter", { needs: { scene: Scene } }, ({ scene }) =>
    Effect.as(Journal.record(attempt(0.5)), Reply.live(Stream.fromIterable(scene.split(" "))))
  )
)
const shut = Pipeline.make("shut", { input: [Scene], protocol: words }).to(
  Pipeline.handler(
    "door",
    { needs: {} },
    (): Effect.Effect<Reply.Whole<string>, Closed> => Effect.fail(new Closed({ door: "north" }))
  )
)

const illustrate = chain("illustrate", { needs: { brief: Brief } })
  .step("expand", expand, ({ brief }) => Brief.context(brief))
  .step("draw", draw, (_, done) => Scene.context(done.expand))

const facts = Brief.context("A harbour")

describe("chain", () => {
  it.effect("feeds each step with what the steps before it answered, and adds up what they cost", () =>
    Effect.gen(function* () {
      const { cost, steps } = yield* illustrate.run(facts)
      assert.deepStrictEqual(steps, { expand: "A harbour at dusk", draw: 4 })
      assert.deepInclude(cost, { usd: 0.75, tries: 2 })
    })
  )

  it.effect("shows the parts of every step as they arrive", () =>
    Effect.gen(function* () {
      const parts = yield* Stream.runCollect(illustrate.stream(facts))
      assert.deepStrictEqual(
        parts.map((part) => (part.type === "step" ? [part.step, part.part] : [part.type, part.cost.usd])),
        [
          ["expand", "A harbour"],
          ["expand", " at dusk"],
          ["draw", "A"],
          ["draw", "harbour"],
          ["draw", "at"],
          ["draw", "dusk"],
          ["total", 0.75]
        ]
      )
    })
  )

  it.effect("counts in the journal of the call around it", () =>
    Effect.gen(function* () {
      const journal = Journal.make()
      journal.append(attempt(8))
      const { cost } = yield* Effect.provideService(illustrate.run(facts), Journal.Journal, journal)
      assert.strictEqual(cost.usd, 0.75)
      assert.strictEqual(Journal.cost(journal).usd, 8.75)
    })
  )

  it.effect("counts its own calls alone, where two run at once within one call", () =>
    Effect.gen(function* () {
      const journal = Journal.make()
      const slow = Pipeline.make("slow", { input: [Brief], protocol: words }).to(
        Pipeline.handler("writer", { needs: {} }, () =>
          Effect.andThen(Effect.yieldNow, Effect.as(Journal.record(attempt(0.25)), Reply.whole<string>(["a"])))
        )
      )
      const both = chain("both", { needs: { brief: Brief } })
        .step("one", slow, ({ brief }) => Brief.context(brief))
        .step("two", slow, ({ brief }) => Brief.context(brief))
      const [one, other] = yield* Effect.all([both.run(facts), both.run(facts)], { concurrency: 2 }).pipe(
        Effect.provideService(Journal.Journal, journal)
      )
      assert.deepStrictEqual([one.cost.usd, other.cost.usd, Journal.cost(journal).usd], [0.5, 0.5, 1])
    })
  )

  it.effect("has steps of any name", () =>
    Effect.gen(function* () {
      const odd = chain("odd", { needs: { brief: Brief } }).step("constructor", expand, ({ brief }) =>
        Brief.context(brief)
      )
      assert.strictEqual((yield* odd.run(facts)).steps.constructor, "A harbour at dusk")
    })
  )

  it.effect("keeps what was answered before a step failed, and the failure as it was", () =>
    Effect.gen(function* () {
      const broken = illustrate.step("publish", shut, (_, done) => Scene.context(done.expand))
      const exit = yield* Effect.exit(broken.run(facts))
      assert.isTrue(Exit.isFailure(exit))
      if (!Exit.isFailure(exit)) return
      assert.deepStrictEqual(Cause.findErrorOption(exit.cause), Option.some(new Closed({ door: "north" })))
      assert.deepStrictEqual(broken.completed(exit.cause), Option.some({ expand: "A harbour at dusk", draw: 4 }))
      assert.deepStrictEqual(broken.completed(Cause.fail("another")), Option.none())
      assert.strictEqual(
        yield* Effect.flip(Effect.catchTag(broken.run(facts), "Closed", () => Effect.fail("shut"))),
        "shut"
      )
    })
  )

  it.effect("fails before the first part when the first step does, so that a stage above can act on it", () =>
    Effect.gen(function* () {
      const first = chain("first", { needs: { brief: Brief } }).step("door", shut, ({ brief }) => Scene.context(brief))
      const begun = yield* Effect.exit(
        Effect.scoped(Effect.provideService(first.handle(facts), Reply.Delivery, "live" as const))
      )
      assert.isTrue(Exit.isFailure(begun))
    })
  )

  it.effect("may work out the facts of a step with an effect that fails", () =>
    Effect.gen(function* () {
      const picky = illustrate.step("again", draw, () => Effect.fail(new Closed({ door: "south" })))
      assert.deepStrictEqual(yield* Effect.flip(picky.run(facts)), new Closed({ door: "south" }))
    })
  )

  it.effect("does not begin the next step when the caller leaves, and releases the running one first", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const held = (name: string) =>
        Pipeline.make(name, { input: [Brief], protocol: words }).to(
          Pipeline.handler(name, { needs: {} }, () =>
            Effect.as(
              Effect.acquireRelease(
                Effect.sync(() => log.push(`+${name}`)),
                () => Effect.sync(() => log.push(`-${name}`))
              ),
              Reply.live(name === "second" ? Stream.concat(Stream.make(name), Stream.never) : Stream.make(name))
            )
          )
        )
      const three = chain("three", { needs: { brief: Brief } })
        .step("first", held("first"), ({ brief }) => Brief.context(brief))
        .step("second", held("second"), ({ brief }) => Brief.context(brief))
        .step("third", held("third"), ({ brief }) => Brief.context(brief))
      const fiber = yield* Effect.forkChild(Stream.runDrain(three.stream(facts)))
      while (!log.includes("+second")) yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["+first", "-first", "+second", "-second"])
    })
  )

  it.effect("nests: a chain is a step of another", () =>
    Effect.gen(function* () {
      const outer = chain("outer", { needs: { brief: Brief } })
        .step("inner", illustrate, ({ brief }) => Brief.context(brief))
        .step("draw", draw, (_, done) => Scene.context(`${done.inner.steps.expand} ${done.inner.steps.draw}`))
      const { cost, steps } = yield* outer.run(facts)
      assert.strictEqual(steps.draw, 5)
      assert.strictEqual(steps.inner.cost.usd, 0.75)
      assert.strictEqual(cost.usd, 1.25)
    })
  )

  it.effect("puts the spans of all steps under the chain's own", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span(options) {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      yield* illustrate
        .run(facts)
        .pipe(Effect.provideService(Tracing.Tracing, {}), Effect.provideService(Tracer.Tracer, tracer))
      const own = spans.find(({ name }) => name === "illustrate")
      const parents = spans
        .filter((span) => span !== own)
        .map((span) => [span.name, Option.getOrUndefined(span.parent)?.spanId === own?.spanId])
      assert.deepStrictEqual(parents, [
        ["writer", true],
        ["painter", true]
      ])
      assert.isTrue(spans.every(({ status }) => status._tag === "Ended"))
    })
  )

  it("is drawn and described with its steps in order", () => {
    assert.strictEqual(
      Pipeline.describe(illustrate),
      [
        "pipeline illustrate · needs Brief",
        "  illustrate · needs Brief",
        "    expand:",
        "      pipeline expand · needs Brief",
        "        writer · needs Brief",
        "    draw:",
        "      pipeline draw · needs Scene",
        "        painter · needs Scene"
      ].join("\n")
    )
    assert.deepStrictEqual(Pipeline.toMermaid(illustrate).split("\n").slice(1), [
      '  0["illustrate: Brief"]',
      '  1["illustrate"]',
      '  2["writer"]',
      '  3["painter"]',
      "  0 --> 1",
      '  1 -->|"expand"| 2',
      '  2 -->|"draw"| 3'
    ])
  })

  it("refuses two steps of one name, in the compiler and at construction", () => {
    assert.throws(
      // @ts-expect-error The chain has a step named expand already: give this one a name of its own
      () => illustrate.step("expand", expand, ({ brief }) => Brief.context(brief)),
      "The chain has a step named expand already: give this one a name of its own"
    )
  })

  it("does not compile when a step lacks a fact, or reads one that nobody gives", () => {
    // @ts-expect-error draw needs Scene
    illustrate.step("more", draw, ({ brief }) => Brief.context(brief))
    // @ts-expect-error no step is named paint
    illustrate.step("more", draw, (_, done) => Scene.context(done.paint))
  })
})

/**
 * The laws of pipelines, as properties that any stage can be run through: yours and ours.
 *
 * A law takes a `Subject`, which closes the stages under test over a model that the law scripts, and fails with `LawBroken`,
 * which names the law, the smallest example that breaks it, and what was seen.
 *
 * ```ts
 * import { Pipeline, Stage } from "@interlock/core"
 * import { Chat, Prompt, RawPrompt } from "@interlock/model"
 * import { Laws } from "@interlock/testing"
 * import { Effect } from "effect"
 *
 * const passThrough = Stage.around("passThrough", { needs: {} }, (_, next) => next())
 *
 * await Effect.runPromise(Laws.all({
 *   facts: (text) => RawPrompt.context(Prompt.make(text)),
 *   close: (model) =>
 *     Pipeline.make("subject", { input: [RawPrompt], protocol: Chat.protocol }).use(passThrough).to(model)
 * }))
 * ```
 *
 * @since 0.1.0
 */
import { type Fact, type Handler, Pipeline, Reply, type Tracing } from "@interlock/core"
import { Chat, type ModelError, Part } from "@interlock/model"
import { Cause, type Context, Deferred, Effect, Exit, Fiber, Logger, References, Schema, Stream, Tracer } from "effect"
import fc from "fast-check"
import * as ScriptedModel from "./ScriptedModel.ts"

/**
 * What a law is tried on: how stages are closed over a model, and the facts of a call with a given text. Where the model asks for
 * nothing, any stages fit above it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject<Input, E, R> {
  readonly close: (
    model: Handler.Handler<never, Part.Part, ModelError.ModelError>
  ) => Pipeline.Closed<Input, Part.Part, Chat.Answer, E, R>
  readonly facts: (text: string) => Context.Context<Input>
  /** How many examples a property is tried with; 50 by default. */
  readonly examples?: number
  /** The first example's seed, so that a failure can be seen again. */
  readonly seed?: number
}

/**
 * A law does not hold: which one, for which example, and what was seen.
 *
 * @category errors
 * @since 0.1.0
 */
export class LawBroken extends Schema.TaggedError<LawBroken>()("LawBroken", {
  law: Schema.Literals(["unary", "chunking", "partial", "no leak", "release", "one record"]),
  message: Schema.String
}) {}

const property = <A, R>(
  law: LawBroken["law"],
  subject: { readonly examples?: number; readonly seed?: number },
  arbitrary: fc.Arbitrary<A>,
  check: (example: A, reached: () => void) => Effect.Effect<string | undefined, never, R>
): Effect.Effect<void, LawBroken, R> =>
  Effect.contextWith((context: Context.Context<R>) => {
    let reached = 0
    return Effect.flatMap(
      Effect.promise(() =>
        fc.check(
          fc.asyncProperty(arbitrary, async (example) => {
            const broken = await Effect.runPromiseWith(context)(check(example, () => void reached++))
            if (broken !== undefined) throw new Error(broken)
          }),
          { numRuns: subject.examples ?? 50, ...(subject.seed === undefined ? {} : { seed: subject.seed }) }
        )
      ),
      (details) => {
        if (details.failed) {
          const seen =
            details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance)
          return Effect.fail(broken(law, `for ${fc.stringify(details.counterexample)} (seed ${details.seed}): ${seen}`))
        }
        return reached === 0 ? Effect.fail(unreached(law)) : Effect.void
      }
    )
  })

const broken = (law: LawBroken["law"], how: string) =>
  new LawBroken({ law, message: `The law "${law}" does not hold: ${how}` })

// A subject that refuses every call keeps any law; that is a mistake in the test, not a proof.
const unreached = (law: LawBroken["law"]) =>
  new LawBroken({
    law,
    message: `The law "${law}" was not tried: no call reached the model. Give facts and layers with which the stages let a call through.`
  })

const words = fc.array(
  fc.oneof(fc.string({ unit: "grapheme", maxLength: 6 }), fc.constantFrom("⟦", "⟧", "⟦PERSON_1⟧", "\n")),
  {
    maxLength: 8
  }
)

const seen = (answer: Chat.Answer) => JSON.stringify([answer.text, answer.reasoning, answer.finishReason])

/**
 * **unary**: `run` equals the fold of `stream`.
 *
 * @category laws
 * @since 0.1.0
 */
export const unary = <Input, E, R>(subject: Subject<Input, E, R>): Effect.Effect<void, LawBroken, R> =>
  property("unary", subject, fc.tuple(fc.string(), words), ([question, deltas], reached) =>
    Effect.gen(function* () {
      const whole = yield* ScriptedModel.make([{ deltas }])
      const live = yield* ScriptedModel.make([{ deltas }])
      const ran = yield* Effect.exit(subject.close(whole.handler).run(subject.facts(question)))
      const streamed = yield* Effect.exit(
        Stream.runCollect(subject.close(live.handler).stream(subject.facts(question)))
      )
      if (Exit.isFailure(ran) || Exit.isFailure(streamed)) {
        return ran._tag === streamed._tag ? undefined : `run ends in ${ran._tag}, stream in ${streamed._tag}`
      }
      if (whole.calls() + live.calls() > 0) reached()
      const folded = streamed.value.reduce(Chat.protocol.append, Chat.protocol.empty())
      return seen(ran.value) === seen(folded) ? undefined : `run gives ${seen(ran.value)}, stream ${seen(folded)}`
    })
  )

/**
 * **chunking**: however a live reply is cut into parts, the caller sees the same text.
 *
 * @category laws
 * @since 0.1.0
 */
export const chunking = <Input, E, R>(subject: Subject<Input, E, R>): Effect.Effect<void, LawBroken, R> =>
  property(
    "chunking",
    subject,
    fc.tuple(fc.string(), words, fc.array(fc.nat(8), { maxLength: 12 })),
    ([question, deltas, cuts], reached) =>
      Effect.gen(function* () {
        const text = deltas.join("")
        const pieces: Array<string> = []
        let from = 0
        for (const cut of cuts) {
          pieces.push(text.slice(from, from + cut))
          from += cut
        }
        pieces.push(text.slice(from))
        const answers: Array<string> = []
        for (const partition of [[text], pieces, [...text]]) {
          const model = yield* ScriptedModel.make([{ deltas: partition }])
          const exit = yield* Effect.exit(
            Stream.runFold(
              subject.close(model.handler).stream(subject.facts(question)),
              Chat.protocol.empty,
              Chat.protocol.append
            )
          )
          if (Exit.isSuccess(exit) && model.calls() > 0) reached()
          answers.push(Exit.isSuccess(exit) ? seen(exit.value) : "failure")
        }
        return new Set(answers).size === 1 ? undefined : `the partitions give ${answers.join(" and ")}`
      })
  )

/**
 * **partial**: once a part has gone up, no other model's text follows it.
 *
 * @category laws
 * @since 0.1.0
 */
export const partial = <Input, E, R>(subject: Subject<Input, E, R>): Effect.Effect<void, LawBroken, R> =>
  property("partial", subject, fc.tuple(fc.string(), fc.integer({ min: 2, max: 5 })), ([question, after], reached) =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([
        { deltas: ["first ", "first ", "first ", "first "], cutAfter: after, cutBy: ScriptedModel.disconnected },
        { deltas: ["second ", "second "] }
      ])
      let text = ""
      yield* Effect.exit(
        Stream.runForEach(subject.close(model.handler).stream(subject.facts(question)), (part) =>
          Effect.sync(() => {
            if (part.type === "text-delta") text += part.delta
            if (part.type === "text") text += part.text
          })
        )
      )
      if (text.includes("first")) reached()
      return text.includes("first") && text.includes("second") ? `the caller saw ${JSON.stringify(text)}` : undefined
    })
  )

/**
 * **release**: an interrupt, or a caller who takes one part and leaves, releases whatever the reply held.
 *
 * @category laws
 * @since 0.1.0
 */
export const release = <Input, E, R>(subject: Subject<Input, E, R>): Effect.Effect<void, LawBroken, R> =>
  Effect.gen(function* () {
    const ends = [
      ["one part is taken", { deltas: ["a ", "b "], cutAfter: 2 }, "take"],
      ["the caller is interrupted before the first part", { hang: true }, "interrupt"],
      ["the caller is interrupted within the reply", { deltas: ["a ", "b "], cutAfter: 2 }, "interrupt"],
      ["the reply is read to its end", { deltas: ["a ", "b "] }, "drain"],
      ["the model fails", { fail: ScriptedModel.overloaded }, "drain"],
      ["the reply breaks", { deltas: ["a ", "b "], cutAfter: 2, cutBy: ScriptedModel.disconnected }, "drain"]
    ] as const
    let calls = 0
    for (const [when, step, end] of ends) {
      const model = yield* ScriptedModel.make([step])
      const stream = subject.close(model.handler).stream(subject.facts("release"))
      if (end === "interrupt") {
        const started = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          Stream.runForEach(stream, () => Deferred.succeed(started, undefined)).pipe(Effect.ignoreCause)
        )
        if ("hang" in step) {
          while (model.calls() === 0 && fiber.pollUnsafe() === undefined) yield* Effect.yieldNow
        } else yield* Effect.race(Deferred.await(started), Fiber.await(fiber))
        yield* Fiber.interrupt(fiber)
      } else yield* Effect.exit(end === "take" ? Stream.runHead(stream) : Stream.runDrain(stream))
      // Work that outlives its caller on purpose (a shared call, a refresh) may still end of itself; it must not stay.
      for (let turn = 0; turn < 100 && model.open() > 0; turn++) yield* Effect.yieldNow
      if (model.open() > 0) {
        return yield* broken("release", `when ${when}, ${model.open()} of ${model.calls()} replies stay open`)
      }
      calls += model.calls()
    }
    if (calls === 0) return yield* unreached("release")
  })

/**
 * **no leak**: a canary in the prompt never appears below the stages under test, in a span, a log line or an error, nor in what
 * `sinks` gives (cache entries, audit records, files). `below` is how the subject is closed over a model that needs what it
 * must see, such as `SafePrompt`.
 *
 * @category laws
 * @since 0.1.0
 */
export const noLeak = <Input, Needs extends Fact.Fact, E, R, R2 = never>(options: {
  readonly needs: Needs
  readonly close: (
    model: Handler.Handler<Needs["Identifier"], Part.Part, ModelError.ModelError>
  ) => Pipeline.Closed<Input, Part.Part, Chat.Answer, E, R>
  readonly facts: (text: string) => Context.Context<Input>
  /** Prompts, each with the value in it that must not get out. */
  readonly prompts: fc.Arbitrary<{ readonly text: string; readonly canary: string }>
  readonly sinks?: Effect.Effect<string, never, R2>
  readonly tracing?: Tracing.Policy
  readonly examples?: number
  readonly seed?: number
}): Effect.Effect<void, LawBroken, R | R2> =>
  property("no leak", options, options.prompts, ({ canary, text }, reached) =>
    Effect.gen(function* () {
      const said: Array<readonly [where: string, what: string]> = []
      const model = Pipeline.handler("recordingModel", { needs: { below: options.needs } }, ({ below }) => {
        reached()
        said.push(["the model", JSON.stringify(below)])
        return Effect.succeed(Reply.whole(Part.text("noted")))
      })
      const logger = Logger.make(
        (entry) => void said.push(["a log line", `${String(entry.message)} ${Cause.pretty(entry.cause)}`])
      )
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span(span) {
          const made = new Tracer.NativeSpan(span)
          spans.push(made)
          return made
        }
      })
      const exit = yield* options
        .close(model)
        .run(options.facts(text))
        .pipe(
          Effect.exit,
          Effect.provideService(Tracer.Tracer, tracer),
          Effect.provideService(References.MinimumLogLevel, "All"),
          Effect.provide(Logger.layer([logger]))
        )
      if (Exit.isFailure(exit)) said.push(["an error", Cause.pretty(exit.cause)])
      for (const span of spans) said.push(["a span", JSON.stringify([span.name, [...span.attributes], span.events])])
      if (options.sinks !== undefined) said.push(["a sink", yield* options.sinks])
      const leak = said.find(([, what]) => what.includes(canary) || what.includes(JSON.stringify(canary).slice(1, -1)))
      return leak === undefined ? undefined : `${JSON.stringify(canary)} is in ${leak[0]}: ${leak[1]}`
    })
  )

/**
 * **one record**: every call, however it ends, leaves exactly one record. `records` counts what has been left so far.
 *
 * @category laws
 * @since 0.1.0
 */
export const oneRecord = <Input, E, R, R2>(
  subject: Subject<Input, E, R>,
  records: Effect.Effect<number, never, R2>
): Effect.Effect<void, LawBroken, R | R2> =>
  Effect.gen(function* () {
    const endings: ReadonlyArray<readonly [string, ScriptedModel.Step, "run" | "stream" | "take" | "interrupt"]> = [
      ["an answer", { text: "a b" }, "run"],
      ["a live answer", { text: "a b" }, "stream"],
      ["a failure", { fail: ScriptedModel.overloaded }, "run"],
      ["a failure before the first part", { fail: ScriptedModel.overloaded }, "stream"],
      ["a broken reply", { text: "a b", cutAfter: 2, cutBy: ScriptedModel.disconnected }, "stream"],
      ["a caller who takes one part", { text: "a b", cutAfter: 2 }, "take"],
      ["an interrupt", { hang: true }, "interrupt"]
    ]
    let calls = 0
    for (const [ending, step, way] of endings) {
      const before = yield* records
      const model = yield* ScriptedModel.make([step])
      const pipeline = subject.close(model.handler)
      const facts = subject.facts(ending)
      if (way === "run") yield* Effect.exit(pipeline.run(facts))
      if (way === "stream") yield* Effect.exit(Stream.runDrain(pipeline.stream(facts)))
      if (way === "take") yield* Effect.exit(Stream.runHead(pipeline.stream(facts)))
      if (way === "interrupt") {
        const fiber = yield* Effect.forkChild(Effect.exit(pipeline.run(facts)))
        while (model.calls() === 0 && fiber.pollUnsafe() === undefined) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
      }
      const left = (yield* records) - before
      if (left !== 1) {
        return yield* broken("one record", `${ending} left ${left} records`)
      }
      calls += model.calls()
    }
    if (calls === 0) return yield* unreached("one record")
  })

/**
 * The laws that every stage must keep: unary, chunking, partial and release.
 *
 * @category laws
 * @since 0.1.0
 */
export const all = <Input, E, R>(subject: Subject<Input, E, R>): Effect.Effect<void, LawBroken, R> =>
  Effect.andThen(Effect.andThen(unary(subject), chunking(subject)), Effect.andThen(partial(subject), release(subject)))

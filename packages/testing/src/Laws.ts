/**
 * The laws of pipelines, as properties that any stage can be run through: yours and ours.
 *
 * A law takes a `Subject`, which closes the stages under test over a model that the law scripts, and fails with `LawBroken`,
 * which names the law, the smallest example that breaks it, and what was seen. Otherwise it gives a `Verdict`: the law holds, or
 * it does not apply, and why; a subject that says so is held to its word.
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
export interface Subject<Input, E, R, Whole = Chat.Answer> {
  readonly close: (
    model: Handler.Handler<never, Part.Part, ModelError.ModelError>
  ) => Pipeline.Closed<Input, Part.Part, Whole, E, R>
  readonly facts: (text: string) => Context.Context<Input>
  /** The protocol of the pipeline, where it is not that of conversations. */
  readonly protocol?: Pipeline.Protocol<Part.Part, Whole>
  /**
   * Why the stages answer whole even a caller who streams, where they do. The law of partial replies does not apply then; instead
   * it is seen to that nothing goes up before the model has ended.
   */
  readonly answersWhole?: string
  /** How many calls are read whole before one whose reply goes up, such as those of the members of a fusion. Default: 0. */
  readonly asksFirst?: number
  /** How many examples a property is tried with; 50 by default. */
  readonly examples?: number
  /** The first example's seed, so that a failure can be seen again. */
  readonly seed?: number
}

/**
 * The name of a law.
 *
 * @category models
 * @since 0.1.0
 */
export type Law = "unary" | "chunking" | "partial" | "no leak" | "release" | "one record"

/**
 * What is said of a law that is not broken: it was tried and holds, or it does not apply, and why.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict =
  | { readonly law: Law; readonly outcome: "holds" }
  | { readonly law: Law; readonly outcome: "does not apply"; readonly why: string }

const holds = (law: Law): Verdict => ({ law, outcome: "holds" })

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
  law: Law,
  subject: { readonly examples?: number; readonly seed?: number },
  arbitrary: fc.Arbitrary<A>,
  check: (example: A, reached: () => void) => Effect.Effect<string | undefined, never, R>
): Effect.Effect<Verdict, LawBroken, R> =>
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
        return reached === 0 ? Effect.fail(unreached(law)) : Effect.succeed(holds(law))
      }
    )
  })

const broken = (law: Law, how: string) => new LawBroken({ law, message: `The law "${law}" does not hold: ${how}` })

// A subject that refuses every call keeps any law; that is a mistake in the test, not a proof.
const unreached = (law: Law) =>
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

/** What a whole reply says; what is said about it (usage, cost) may differ from call to call. */
const seen = (whole: object) => JSON.stringify({ ...whole, usage: undefined, metadata: undefined })

const protocolOf = (subject: Subject<any, any, any, any>): Pipeline.Protocol<Part.Part, any> =>
  subject.protocol ?? Chat.protocol

/**
 * **unary**: `run` equals the fold of `stream`, whether or not the model replies as its caller wishes.
 *
 * @category laws
 * @since 0.1.0
 */
export const unary = <Input, E, R, Whole extends object>(
  subject: Subject<Input, E, R, Whole>
): Effect.Effect<Verdict, LawBroken, R> =>
  property(
    "unary",
    subject,
    fc.tuple(fc.string(), words, fc.constantFrom(undefined, "whole", "live")),
    ([question, deltas, reply], reached) =>
      Effect.gen(function* () {
        const step: ScriptedModel.Step = { deltas, ...(reply !== undefined && { reply }) }
        const whole = yield* ScriptedModel.make([step])
        const live = yield* ScriptedModel.make([step])
        const ran = yield* Effect.exit(subject.close(whole.handler).run(subject.facts(question)))
        const streamed = yield* Effect.exit(
          Stream.runCollect(subject.close(live.handler).stream(subject.facts(question)))
        )
        if (Exit.isFailure(ran) || Exit.isFailure(streamed)) {
          return ran._tag === streamed._tag ? undefined : `run ends in ${ran._tag}, stream in ${streamed._tag}`
        }
        if (whole.calls() + live.calls() > 0) reached()
        const { append, empty } = protocolOf(subject)
        const folded = streamed.value.reduce(append, empty())
        return seen(ran.value) === seen(folded) ? undefined : `run gives ${seen(ran.value)}, stream ${seen(folded)}`
      })
  )

/**
 * **chunking**: however a live reply is cut into parts, the caller sees the same text, streaming or not.
 *
 * @category laws
 * @since 0.1.0
 */
export const chunking = <Input, E, R, Whole extends object>(
  subject: Subject<Input, E, R, Whole>
): Effect.Effect<Verdict, LawBroken, R> =>
  property(
    "chunking",
    subject,
    fc.tuple(fc.string(), words, fc.array(fc.nat(8), { maxLength: 12 }), fc.boolean()),
    ([question, deltas, cuts, streams], reached) =>
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
          const model = yield* ScriptedModel.make([{ deltas: partition, reply: "live" }])
          const pipeline = subject.close(model.handler)
          const facts = subject.facts(question)
          const exit = yield* Effect.exit(
            streams
              ? Stream.runFold(pipeline.stream(facts), protocolOf(subject).empty, protocolOf(subject).append)
              : pipeline.run(facts)
          )
          if (Exit.isSuccess(exit) && model.calls() > 0) reached()
          answers.push(Exit.isSuccess(exit) ? seen(exit.value) : "failure")
        }
        return new Set(answers).size === 1 ? undefined : `the partitions give ${answers.join(" and ")}`
      })
  )

/** The calls that the stages read whole, before the one that matters. */
const answeredFirst = (count: number | undefined): ReadonlyArray<ScriptedModel.Step> =>
  Array.from({ length: count ?? 0 }, () => ({ deltas: ["before ", "before "] }))

/**
 * **partial**: once a part has gone up, no other model's text follows it.
 *
 * @category laws
 * @since 0.1.0
 */
export const partial = <Input, E, R, Whole extends object>(
  subject: Subject<Input, E, R, Whole>
): Effect.Effect<Verdict, LawBroken, R> => {
  const { answersWhole: why } = subject
  // Which call is cut: the first, or one after a failure or after those that are read whole.
  const befores = [[], [{ fail: ScriptedModel.overloaded }]].flatMap((failed) =>
    Array.from({ length: (subject.asksFirst ?? 0) + 1 }, (_, count) => [...failed, ...answeredFirst(count)])
  )
  const tried = property(
    "partial",
    subject,
    fc.tuple(fc.string(), fc.integer({ min: 2, max: 5 })),
    ([question, after], reached) =>
      Effect.gen(function* () {
        const first: ScriptedModel.Step = {
          deltas: ["first ", "first ", "first ", "first "],
          cutAfter: after,
          cutBy: ScriptedModel.disconnected
        }
        for (const before of befores) {
          const [head, ...rest] = [...before, first, { deltas: ["second ", "second "] }]
          const model = yield* ScriptedModel.make([head ?? first, ...rest])
          let text = ""
          yield* Effect.exit(
            Stream.runForEach(subject.close(model.handler).stream(subject.facts(question)), (part) =>
              Effect.sync(() => {
                if (part.type === "text-delta") text += part.delta
                if (part.type === "text") text += part.text
              })
            )
          )
          const cut = text.includes("first")
          if (why === undefined ? cut : model.calls() > before.length) reached()
          if (cut && (why !== undefined || /second|before/u.test(text))) {
            return `the caller saw ${JSON.stringify(text)}${why === undefined ? "" : `, although it is answered whole (${why})`}`
          }
        }
        return undefined
      })
  )
  return why === undefined ? tried : Effect.as(tried, { law: "partial", outcome: "does not apply", why })
}

type Way = "run" | "stream" | "take" | "interrupt" | "interrupt run"

/** Makes one call and ends it; gives the model, and what went up that must not have. */
const endedBy = <Input, E, R, Whole>(
  subject: Subject<Input, E, R, Whole>,
  steps: readonly [ScriptedModel.Step, ...ReadonlyArray<ScriptedModel.Step>],
  text: string,
  way: Way
): Effect.Effect<{ readonly model: ScriptedModel.ScriptedModel; readonly early: boolean }, never, R> =>
  Effect.gen(function* () {
    const model = yield* ScriptedModel.make(steps)
    const pipeline = subject.close(model.handler)
    const facts = subject.facts(text)
    const last = steps[steps.length - 1]
    const hangs = last?.hang === true || (last?.cutAfter !== undefined && last.cutBy === undefined)
    let early = false
    if (!hangs) {
      if (way === "run") yield* Effect.exit(pipeline.run(facts))
      else if (way === "stream") yield* Effect.exit(Stream.runDrain(pipeline.stream(facts)))
      else yield* Effect.exit(Stream.runHead(pipeline.stream(facts)))
      return { model, early }
    }
    // What never answers, or answers whole, gives no part to wait for: the caller leaves when the model is at work.
    const silent = last?.hang === true || subject.answersWhole !== undefined
    if (way === "take" && !silent) {
      yield* Effect.exit(Stream.runHead(pipeline.stream(facts)))
      return { model, early }
    }
    const started = yield* Deferred.make<void>()
    const asked = way === "interrupt run" ? pipeline.run(facts) : undefined
    const fiber = yield* Effect.forkChild(
      (
        asked ??
        Stream.runForEach(pipeline.stream(facts), () => {
          early = silent && model.calls() >= steps.length
          return Deferred.succeed(started, undefined)
        })
      ).pipe(Effect.ignoreCause)
    )
    if (silent || asked !== undefined) {
      while (model.calls() < steps.length && fiber.pollUnsafe() === undefined) yield* Effect.yieldNow
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
    } else yield* Effect.race(Deferred.await(started), Fiber.await(fiber))
    yield* Fiber.interrupt(fiber)
    return { model, early }
  })

/** How a call can end: when, the last step of the script, and what the caller does. */
const endings: ReadonlyArray<readonly [when: string, step: ScriptedModel.Step, way: Way]> = [
  ["the reply is asked for whole", { text: "a b" }, "run"],
  ["the reply is read to its end", { deltas: ["a ", "b "] }, "stream"],
  ["one part of a reply that ends is taken", { deltas: ["a ", "b "] }, "take"],
  ["one part is taken", { deltas: ["a ", "b "], cutAfter: 2 }, "take"],
  ["the caller is interrupted before the first part", { hang: true }, "interrupt"],
  ["the caller is interrupted within the reply", { deltas: ["a ", "b "], cutAfter: 2 }, "interrupt"],
  ["a caller who asked for the whole reply is interrupted", { deltas: ["a ", "b "], cutAfter: 2 }, "interrupt run"],
  ["the model fails", { fail: ScriptedModel.overloaded }, "run"],
  ["the model fails before the first part", { fail: ScriptedModel.overloaded }, "stream"],
  ["the reply breaks", { deltas: ["a ", "b "], cutAfter: 2, cutBy: ScriptedModel.disconnected }, "stream"]
]

/** Every ending, of the call whose reply goes up and, where others are read before it, of one of those. */
const eachEnding = <E, R>(
  subject: { readonly asksFirst?: number },
  body: (
    when: string,
    steps: readonly [ScriptedModel.Step, ...ReadonlyArray<ScriptedModel.Step>],
    way: Way
  ) => Effect.Effect<void, E, R>
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    for (const [when, step, way] of endings) {
      const [head, ...rest] = [...answeredFirst(subject.asksFirst), step]
      yield* body(when, [head ?? step, ...rest], way)
      if (rest.length > 0 && step.hang === true) yield* body(`${when} of those asked first`, [step], way)
    }
  })

/**
 * **release**: an interrupt, or a caller who takes one part and leaves, releases whatever the reply held.
 *
 * @category laws
 * @since 0.1.0
 */
export const release = <Input, E, R, Whole extends object>(
  subject: Subject<Input, E, R, Whole>
): Effect.Effect<Verdict, LawBroken, R> =>
  Effect.gen(function* () {
    let calls = 0
    yield* eachEnding(
      subject,
      Effect.fnUntraced(function* (when, steps, way) {
        const { early, model } = yield* endedBy(subject, steps, "release", way)
        if (early) {
          return yield* broken("release", `when ${when}, a part went up before the model had given one, or had ended`)
        }
        // Work that outlives its caller on purpose (a shared call, a refresh) may still end of itself; it must not stay.
        for (let turn = 0; turn < 100 && model.open() > 0; turn++) yield* Effect.yieldNow
        if (model.open() > 0) {
          return yield* broken("release", `when ${when}, ${model.open()} of ${model.calls()} replies stay open`)
        }
        calls += model.calls()
      })
    )
    return calls === 0 ? yield* unreached("release") : holds("release")
  })

/** What stands around the canary: a sink may hold much. */
const around = (what: string, canary: string): string => {
  const at = Math.max(0, what.indexOf(canary))
  return what.slice(Math.max(0, at - 200), at + canary.length + 200)
}

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
  ) => Pipeline.Closed<Input, Part.Part, unknown, E, R>
  readonly facts: (text: string) => Context.Context<Input>
  /** Prompts, each with the value in it that must not get out. */
  readonly prompts: fc.Arbitrary<{ readonly text: string; readonly canary: string }>
  readonly sinks?: Effect.Effect<string, never, R2>
  readonly tracing?: Tracing.Policy
  readonly examples?: number
  readonly seed?: number
}): Effect.Effect<Verdict, LawBroken, R | R2> =>
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
      return leak === undefined ? undefined : `${JSON.stringify(canary)} is in ${leak[0]}: ${around(leak[1], canary)}`
    })
  )

/**
 * **one record**: every call, however it ends, leaves exactly one record. `records` counts what has been left so far.
 *
 * @category laws
 * @since 0.1.0
 */
export const oneRecord = <Input, E, R, R2, Whole extends object>(
  subject: Subject<Input, E, R, Whole>,
  records: Effect.Effect<number, never, R2>
): Effect.Effect<Verdict, LawBroken, R | R2> =>
  Effect.gen(function* () {
    let calls = 0
    yield* eachEnding(
      subject,
      Effect.fnUntraced(function* (when, steps, way) {
        const before = yield* records
        const { model } = yield* endedBy(subject, steps, when, way)
        const left = (yield* records) - before
        if (left !== 1) return yield* broken("one record", `when ${when}, ${left} records are left`)
        calls += model.calls()
      })
    )
    return calls === 0 ? yield* unreached("one record") : holds("one record")
  })

/**
 * The laws that every stage must keep: unary, chunking, partial and release. What it gives says of each whether it holds or does
 * not apply.
 *
 * @category laws
 * @since 0.1.0
 */
export const all = <Input, E, R, Whole extends object>(
  subject: Subject<Input, E, R, Whole>
): Effect.Effect<ReadonlyArray<Verdict>, LawBroken, R> =>
  Effect.all([unary(subject), chunking(subject), partial(subject), release(subject)])

/**
 * A `Pipeline` is a list of stages in call order, top to bottom, closed by a handler.
 *
 * The compiler checks the order: a stage whose facts are not there yet is refused with an English sentence that names the
 * stage, the fact and the cure. A closed pipeline lists in its type every way it can fail and every service it needs; it runs
 * whole (`run`) or live (`stream`), is a handler of other pipelines, and can be a layer.
 *
 * ```ts
 * import { Pipeline, Reply, Stage } from "@interlock/core"
 * import { Context, Effect } from "effect"
 *
 * class Question extends Context.Service<Question, string>()("support/Question") {}
 * class Language extends Context.Service<Language, "en" | "zh">()("support/Language") {}
 *
 * const words: Pipeline.Protocol<string, string> = { empty: () => "", append: (whole, part) => whole + part }
 *
 * const detectLanguage = Stage.derive("detectLanguage", { needs: { question: Question }, adds: Language }, ({ question }) =>
 *   Effect.succeed(/\p{Script=Han}/u.test(question) ? "zh" : "en"))
 *
 * const greet = Pipeline.handler("greet", { needs: { language: Language } }, ({ language }) =>
 *   Effect.succeed(Reply.whole([language === "zh" ? "你好" : "Hello"])))
 *
 * const greeting = Pipeline.make("greeting", { input: [Question], protocol: words }).use(detectLanguage).to(greet)
 *
 * const answer = await Effect.runPromise(greeting.run(Question.context("在吗")))
 * console.assert(answer === "你好")
 * ```
 *
 * @since 0.1.0
 */

import type { Scope, Types } from "effect"
import { Context, Effect, Layer, Stream, Tracer } from "effect"
import * as Fact from "./Fact.ts"
import * as Handler from "./Handler.ts"
import * as Reply from "./Reply.ts"
import type * as Stage from "./Stage.ts"
import * as Tracing from "./Tracing.ts"

/**
 * How the parts of a reply become a whole: the fold that makes `run` and `stream` agree.
 *
 * @category models
 * @since 0.1.0
 */
export interface Protocol<in Part, in out Whole> {
  readonly empty: () => Whole
  readonly append: (whole: Whole, part: Part) => Whole
}

/**
 * A pipeline closed by a handler: runs, streams, and nests as a handler.
 *
 * @category models
 * @since 0.1.0
 */
export interface Closed<out Input, out Part, out Whole, out E, out R> extends Handler.Handler<Input, Part, E, R> {
  readonly stages: ReadonlyArray<Stage.Any>
  readonly handler: Handler.Any
  readonly run: (facts: Context.Context<Input>) => Effect.Effect<Whole, E, R>
  readonly stream: (facts: Context.Context<Input>) => Stream.Stream<Part, E, R>
}

/**
 * A pipeline that is still open: `use` puts a stage below those it has, `to` closes it with a handler. It is a stage itself
 * (a preset): using it puts its stages in, and the facts they add stay for the stages below.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pipeline<Name extends string, Input, Part, Whole, Have, Hole, Handled, E, R>
  extends Stage.Stage<{
    name: Name
    needs: Input
    adds: Exclude<Have, Input>
    drops: Exclude<Input, Have>
    replyIn: Hole
    replyOut: Part
    handles: Handled
    error: E
    services: R
  }> {
  readonly use: <S extends Stage.Any>(
    stage: FitsStage<S, Have, Hole>
  ) => Pipeline<
    Name,
    Input,
    Part,
    Whole,
    Exclude<Have, S["~types"]["drops"]> | S["~types"]["adds"],
    S["~types"]["replyIn"] extends Stage.AnyReply ? Hole : S["~types"]["replyIn"],
    Handled | S["~types"]["handles"],
    E | Exclude<S["~types"]["error"], Handled>,
    R | S["~types"]["services"]
  >
  readonly to: <H extends Handler.Any>(
    handler: FitsHandler<H, Have, Hole>
  ) => Closed<Input, Part, Whole, E | Exclude<Handler.ErrorOf<H>, Handled>, R | Handler.ServicesOf<H>>
}

/**
 * The stage itself when it fits, or the sentence that says why it does not.
 *
 * @category type-level
 * @since 0.1.0
 */
export type FitsStage<S extends Stage.Any, Have, Hole, T extends Stage.Types = S["~types"]> =
  Types.IsUnion<S> extends true
    ? "This may be one of several stages: choose between handlers with Pipeline.branch"
    : [Exclude<T["needs"], Have>] extends [never]
      ? T["replyOut"] extends Stage.AnyReply | Hole
        ? S
        : Mismatch<T["name"]>
      : Missing<T["name"], Exclude<T["needs"], Have>>

/**
 * The handler itself when it fits, or the sentence that says why it does not.
 *
 * @category type-level
 * @since 0.1.0
 */
export type FitsHandler<H extends Handler.Any, Have, Hole> = [Exclude<Handler.NeedsOf<H>, Have>] extends [never]
  ? [Handler.PartOf<H>] extends [Hole]
    ? H
    : Mismatch<"the handler">
  : Missing<"the handler", Exclude<Handler.NeedsOf<H>, Have>>

type Missing<
  Who extends string,
  F
> = `${Who} needs ${Fact.Name<F>}: put the stage that adds it above, and none that drops it`
type Mismatch<Who extends string> = `${Who} does not reply with the parts that the stages above it expect`

/**
 * Begins a pipeline with the facts that every call brings and the protocol that folds its replies.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Name extends string, const Input extends ReadonlyArray<Fact.Fact>, Part, Whole>(
  name: Name,
  options: { readonly input: Input; readonly protocol: Protocol<Part, Whole> }
): Pipeline<Name, Input[number]["Identifier"], Part, Whole, Input[number]["Identifier"], Part, never, never, never> =>
  open(name, options.input, options.protocol, [], new Set(options.input))

/**
 * Makes a handler from the facts it needs and a function to its reply.
 *
 * @category constructors
 * @since 0.1.0
 */
export const handler = <N extends Fact.Needs, A, E, R>(
  name: string,
  spec: { readonly needs: N },
  body: (facts: Fact.Values<N>) => Effect.Effect<Reply.Reply<A, E>, E, R>
): Handler.Handler<N[keyof N]["Identifier"], A, E, Exclude<R, Scope.Scope>> => {
  const read = Handler.reader(spec.needs)
  return {
    name,
    spec: { needs: Object.values(spec.needs) },
    handle: (facts) => body(read(facts)) as Effect.Effect<Reply.Reply<A, E>, E, Exclude<R, Scope.Scope> | Scope.Scope>
  }
}

/**
 * Chooses the handler by the value of a fact; every value must have one.
 *
 * `by` says which part of the value decides, and may be left out when the value is the choice.
 *
 * ```ts
 * import { Pipeline, Reply } from "@interlock/core"
 * import { Context, Effect } from "effect"
 *
 * class Tone extends Context.Service<Tone, "formal" | "casual">()("support/Tone") {}
 *
 * export const greet = Pipeline.branch("greet", Tone, {
 *   formal: Pipeline.handler("formal", { needs: {} }, () => Effect.succeed(Reply.whole(["Good day"]))),
 *   casual: Pipeline.handler("casual", { needs: {} }, () => Effect.succeed(Reply.whole(["Hi"])))
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const branch: {
  <F extends Fact.Fact, const Cases extends { readonly [K in F["Service"] & string]: Handler.Any }>(
    name: string,
    on: F,
    cases: Cases & NoOtherCase<Cases, F["Service"] & string>
  ): Branch<F, Cases>
  <F extends Fact.Fact, const Key extends string, const Cases extends { readonly [K in Key]: Handler.Any }>(
    name: string,
    on: F,
    cases: Cases & NoOtherCase<Cases, Key>,
    by: (value: F["Service"]) => Key
  ): Branch<F, Cases>
} = (
  name: string,
  on: Fact.Fact,
  cases: { readonly [value: string]: Handler.Any },
  by?: (value: any) => string
): any => {
  const needs = new Set<Fact.Fact>([on])
  for (const each of Object.values(cases)) for (const fact of each.spec.needs) needs.add(fact)
  const choices = new Map(Object.entries(cases))
  return {
    name,
    spec: { needs: [...needs], cases },
    handle: (facts: Context.Context<any>) => {
      const value: unknown = Context.getUnsafe(facts, on)
      const key = by === undefined ? String(value) : by(value)
      const chosen = choices.get(key)
      return chosen === undefined
        ? Effect.die(
            new InvalidPipeline(
              `${name} has no handler for ${Fact.nameOf(on)} "${key}": add a case for it (it has ${[...choices.keys()].join(", ")})`
            )
          )
        : chosen.handle(facts)
    }
  }
}

/**
 * A handler that chooses among `Cases` by the value of the fact `F`.
 *
 * @category type-level
 * @since 0.1.0
 */
export type Branch<F extends Fact.Fact, Cases> = Handler.Handler<
  F["Identifier"] | Handler.NeedsOf<Cases[keyof Cases]>,
  Handler.PartOf<Cases[keyof Cases]>,
  Handler.ErrorOf<Cases[keyof Cases]>,
  Handler.ServicesOf<Cases[keyof Cases]>
>

type NoOtherCase<Cases, Key extends string> = {
  readonly [K in Exclude<keyof Cases, Key>]: `${K & string} is not a value of the fact`
}

/**
 * What a service has whose implementation is a closed pipeline: its services are in the layer, its ways to fail stay visible.
 *
 * @category models
 * @since 0.1.0
 */
export type Service<P> =
  P extends Closed<infer Input, infer Part, infer Whole, infer E, any>
    ? {
        readonly run: (facts: Context.Context<Input>) => Effect.Effect<Whole, E>
        readonly stream: (facts: Context.Context<Input>) => Stream.Stream<Part, E>
      }
    : never

/**
 * Makes a layer of a closed pipeline, so that an application depends on a tag and a test swaps the pipeline or any layer in it.
 *
 * ```ts
 * import { Pipeline, Reply } from "@interlock/core"
 * import { Context, Effect } from "effect"
 *
 * class Question extends Context.Service<Question, string>()("support/Question") {}
 * const words: Pipeline.Protocol<string, string> = { empty: () => "", append: (whole, part) => whole + part }
 * const echo = Pipeline.make("echo", { input: [Question], protocol: words })
 *   .to(Pipeline.handler("echo", { needs: { question: Question } }, ({ question }) => Effect.succeed(Reply.whole([question]))))
 *
 * class Desk extends Context.Service<Desk, Pipeline.Service<typeof echo>>()("support/Desk") {}
 *
 * export const program = Effect.gen(function*() {
 *   const desk = yield* Desk
 *   return yield* desk.run(Question.context("Anyone there?"))
 * }).pipe(Effect.provide(Pipeline.layer(Desk, echo)))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, Input, Part, Whole, E, R>(
  tag: Context.Key<Self, Service<Closed<Input, Part, Whole, E, R>>>,
  pipeline: Closed<Input, Part, Whole, E, R>
): Layer.Layer<Self, never, R> =>
  Layer.effect(
    tag,
    Effect.map(Effect.context<R>(), (captured) => {
      // A span that was open while the layer was built must not become the parent of every later call.
      const services = Context.omit(Tracer.ParentSpan)(captured as Context.Context<any>) as Context.Context<R>
      return {
        run: (facts: Context.Context<Input>) => Effect.provideContext(pipeline.run(facts), services),
        stream: (facts: Context.Context<Input>) => Stream.provideContext(pipeline.stream(facts), services)
      } as Service<Closed<Input, Part, Whole, E, R>>
    })
  )

/**
 * A pipeline was put together in an order that cannot run, past the compiler (through a cast, or from JavaScript).
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidPipeline extends Error {
  override readonly name = "InvalidPipeline"
}

const missing = (who: string, facts: ReadonlyArray<Fact.Fact>, have: ReadonlySet<Fact.Fact>): void => {
  const absent = facts.find((fact) => !have.has(fact))
  if (absent === undefined) return
  throw new InvalidPipeline(
    `${who} needs ${Fact.nameOf(absent)}: put the stage that adds it above, and none that drops it`
  )
}

const bindAll = (stages: ReadonlyArray<Stage.Any>, bottom: Stage.Below): Stage.Below =>
  stages.reduceRight<Stage.Below>((below, stage) => stage.bind(below), bottom)

const bindTraced = (
  policy: Tracing.Policy,
  pipeline: string,
  stages: ReadonlyArray<Stage.Any>,
  bottom: Stage.Below
): Stage.Below =>
  stages.reduceRight<Stage.Below>(
    (below, stage) =>
      stage.spec.stages === undefined
        ? Tracing.traced(policy, { pipeline, name: stage.name, kind: "stage" }, stage.bind(below))
        : bindTraced(policy, pipeline, stage.spec.stages, below),
    bottom
  )

const open = (
  name: string,
  input: ReadonlyArray<Fact.Fact>,
  protocol: Protocol<any, any>,
  stages: ReadonlyArray<Stage.Any>,
  have: ReadonlySet<Fact.Fact>
): any => ({
  "~types": undefined,
  name,
  spec: {
    needs: input,
    adds: [...have].filter((fact) => !input.includes(fact)),
    drops: input.filter((fact) => !have.has(fact)),
    stages
  },
  bind: (below: Stage.Below) => bindAll(stages, below),
  use: (stage: Stage.Any) => {
    missing(stage.name, stage.spec.needs, have)
    const now = new Set(have)
    for (const fact of stage.spec.drops) now.delete(fact)
    for (const fact of stage.spec.adds) now.add(fact)
    return open(name, input, protocol, [...stages, stage], now)
  },
  to: (bottom: Handler.Any) => {
    missing("the handler", bottom.spec.needs, have)
    return close(name, input, protocol, stages, bottom)
  }
})

const close = (
  name: string,
  input: ReadonlyArray<Fact.Fact>,
  protocol: Protocol<any, any>,
  stages: ReadonlyArray<Stage.Any>,
  bottom: Handler.Any
): Closed<any, any, any, any, any> => {
  const plain = bindAll(stages, bottom.handle as Stage.Below)
  const bound = new WeakMap<Tracing.Policy, Stage.Below>()
  const withSpans = (policy: Tracing.Policy): Stage.Below => {
    const known = bound.get(policy)
    if (known !== undefined) return known
    const handle = bottom.handle as Stage.Below
    const nested = bottom.spec.cases !== undefined || "stages" in bottom
    const fresh = bindTraced(
      policy,
      name,
      stages,
      nested ? handle : Tracing.traced(policy, { pipeline: name, name: bottom.name, kind: "handler" }, handle)
    )
    bound.set(policy, fresh)
    return fresh
  }
  const handle: Stage.Below = (facts) =>
    Effect.withFiber((fiber) => {
      const policy = fiber.getRef(Tracing.Tracing)
      return policy === undefined ? plain(facts) : withSpans(policy)(facts)
    })
  const fold = (parts: ReadonlyArray<unknown>) => {
    let whole: unknown = protocol.empty()
    for (const part of parts) whole = protocol.append(whole, part)
    return whole
  }
  return {
    name,
    spec: { needs: input },
    stages,
    handler: bottom,
    handle,
    run: (facts) => Effect.scoped(Effect.flatMap(handle(facts), (reply) => Effect.map(Reply.collect(reply), fold))),
    stream: (facts) =>
      Stream.unwrap(Effect.map(Effect.provideService(handle(facts), Reply.Delivery, "live" as const), Reply.toStream))
  }
}

/**
 * The pipeline as indented text: one line per stage with the facts it needs, adds and drops.
 *
 * @category printing
 * @since 0.1.0
 */
export const describe = (pipeline: Closed<any, any, any, any, any>): string =>
  [`pipeline ${pipeline.name} (${pipeline.spec.needs.map(Fact.nameOf).join(", ")})`, ...lines(pipeline, "  ")].join(
    "\n"
  )

const lines = (self: Handler.Any, indent: string): ReadonlyArray<string> => {
  if (isClosed(self)) {
    return [
      ...self.stages.flatMap((stage) => stageLines(stage, indent)),
      ...(isClosed(self.handler)
        ? [`${indent}pipeline ${self.handler.name}`, ...lines(self.handler, `${indent}  `)]
        : lines(self.handler, indent))
    ]
  }
  const own = `${indent}${self.name}${facts("needs", self.spec.needs)}`
  const cases = Object.entries(self.spec.cases ?? {})
  return [own, ...cases.flatMap(([value, each]) => [`${indent}  ${value}:`, ...lines(each, `${indent}    `)])]
}

const stageLines = (stage: Stage.Any, indent: string): ReadonlyArray<string> => {
  const { adds, drops, needs, stages } = stage.spec
  const own = `${indent}${stage.name}${facts("needs", needs)}${facts("adds", adds)}${facts("drops", drops)}`
  return [own, ...(stages ?? []).flatMap((inner) => stageLines(inner, `${indent}  `))]
}

const facts = (verb: string, these: ReadonlyArray<Fact.Fact>): string =>
  these.length === 0 ? "" : ` · ${verb} ${these.map(Fact.nameOf).join(", ")}`

const isClosed = (self: Handler.Any): self is Closed<any, any, any, any, any> => "stages" in self

/**
 * The pipeline as a Mermaid flowchart: stages from top to bottom, the facts they add on the arrows, branches side by side.
 *
 * @category printing
 * @since 0.1.0
 */
export const toMermaid = (pipeline: Closed<any, any, any, any, any>): string => {
  const out = ["flowchart TB"]
  let count = 0
  const node = (text: string, [left, right]: readonly [string, string]) => {
    const id = `n${count++}`
    out.push(`  ${id}${left}"${text.replaceAll('"', "#quot;")}"${right}`)
    return id
  }
  const arrow = (from: string, label: string, to: string) =>
    out.push(label === "" ? `  ${from} --> ${to}` : `  ${from} -->|"${label.replaceAll('"', "#quot;")}"| ${to}`)
  const draw = (self: Handler.Any, from: string, label: string): void => {
    if (isClosed(self)) {
      let [last, said] = [from, label]
      const flat = (stages: ReadonlyArray<Stage.Any>): ReadonlyArray<Stage.Any> =>
        stages.flatMap((stage) => (stage.spec.stages === undefined ? [stage] : flat(stage.spec.stages)))
      for (const stage of flat(self.stages)) {
        const id = node(stage.name, ["[", "]"])
        arrow(last, said, id)
        last = id
        said = [
          ...stage.spec.adds.map((fact) => `+ ${Fact.nameOf(fact)}`),
          ...stage.spec.drops.map((fact) => `− ${Fact.nameOf(fact)}`)
        ].join(", ")
      }
      draw(self.handler, last, said)
      return
    }
    const cases = Object.entries(self.spec.cases ?? {})
    const id = node(self.name, cases.length === 0 ? ["([", "])"] : ["{", "}"])
    arrow(from, label, id)
    for (const [value, each] of cases) draw(each, id, value)
  }
  const top = node(`${pipeline.name}: ${pipeline.spec.needs.map(Fact.nameOf).join(", ")}`, ["([", "])"])
  draw(pipeline, top, "")
  return out.join("\n")
}

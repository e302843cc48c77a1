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
import { Context, Effect, Graph, Layer, Stream, Tracer } from "effect"
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
  /** What the pipeline's stages see as `Reply.Protocol`: give one where equal facts mean another call than in a conversation. */
  readonly name?: string
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
  readonly protocol: { readonly empty: () => Whole; readonly append: (whole: never, part: never) => Whole }
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
// biome-ignore format: type parameters read best as one list
export interface Pipeline<
  Name extends string, Input, Part, Whole, Have = Input, Hole = Part, Handled = never, E = never, R = never
> extends Stage.Stage<{
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
// biome-ignore format: a decision table reads best as one
export type FitsStage<S extends Stage.Any, Have, Hole, T extends Stage.Types = S["~types"]> =
  Types.IsUnion<S> extends true ? "This may be one of several stages: choose between handlers with Pipeline.branch"
    : [Exclude<T["needs"], Have>] extends [never] ? T["replyOut"] extends Stage.AnyReply | Hole ? S : Mismatch<T["name"]>
    : Missing<T["name"], Exclude<T["needs"], Have>>

/**
 * The handler itself when it fits, or the sentence that says why it does not.
 *
 * @category type-level
 * @since 0.1.0
 */
// biome-ignore format: a decision table reads best as one
export type FitsHandler<H extends Handler.Any, Have, Hole> = [Exclude<Handler.NeedsOf<H>, Have>] extends [never]
  ? [Handler.PartOf<H>] extends [Hole] ? H : Mismatch<"the handler">
  : Missing<"the handler", Exclude<Handler.NeedsOf<H>, Have>>

// biome-ignore format: one sentence, one line
type Missing<Who extends string, F> = `${Who} needs ${Fact.Name<F>}: put the stage that adds it above, and none that drops it`
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
): Pipeline<Name, Input[number]["Identifier"], Part, Whole> =>
  open({ name, ...options, stages: [], have: new Set(options.input) })

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
export const branch = <
  F extends Fact.Fact,
  const Cases extends { readonly [K in Key]: Handler.Any },
  const Key extends string = F["Service"] & string
>(
  name: string,
  on: F,
  cases: Cases & NoOtherCase<Cases, Key>,
  by: (value: F["Service"]) => Key = String as never
): Branch<F, Cases> => {
  const handlers: { readonly [value: string]: Handler.Any } = cases
  const needs = new Set<Fact.Fact>([on, ...Object.values(handlers).flatMap((each) => each.spec.needs)])
  const choices = new Map(Object.entries(handlers))
  return {
    name,
    spec: { needs: [...needs], cases: handlers },
    handle: (facts) => {
      const key = by(Context.getUnsafe(facts, on))
      const absent = () =>
        `${name} has no handler for ${Fact.nameOf(on)} "${key}": add a case for it (it has ${[...choices.keys()].join(", ")})`
      return choices.get(key)?.handle(facts) ?? Effect.die(new InvalidPipeline(absent()))
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

type Stages = ReadonlyArray<Stage.Any>

const flat = (stages: Stages): Stages =>
  stages.flatMap((stage) => (stage.spec.stages === undefined ? [stage] : flat(stage.spec.stages)))

// Stages may call each other at once, and the stack holds some thousand of them: now and then the fiber goes on instead.
const bindAll = (stages: Stages, bottom: Stage.Below): Stage.Below =>
  stages.reduceRight<Stage.Below>(
    (below, stage, at) => stage.bind(at % 250 === 249 ? (facts) => Effect.suspend(() => below(facts)) : below),
    bottom
  )

const bindTraced = (policy: Tracing.Policy, pipeline: string, stages: Stages, bottom: Handler.Any) => {
  // A handler that is a pipeline or a branch makes the spans of what is in it; a chain's own span calls no model.
  const nested = bottom.spec.cases !== undefined || isClosed(bottom)
  const span = (name: string, kind: "stage" | "handler", below: Stage.Below) =>
    Tracing.traced(policy, { pipeline, name, kind }, below)
  return flat(stages).reduceRight<Stage.Below>(
    (below, stage) => span(stage.name, "stage", stage.bind(below)),
    nested ? bottom.handle : span(bottom.name, bottom.spec.steps === undefined ? "handler" : "stage", bottom.handle)
  )
}

interface Draft {
  readonly name: string
  readonly input: ReadonlyArray<Fact.Fact>
  readonly protocol: Protocol<any, any>
  readonly stages: ReadonlyArray<Stage.Any>
  readonly have: ReadonlySet<Fact.Fact>
}

const open = (draft: Draft): any => ({
  "~types": undefined,
  name: draft.name,
  spec: {
    needs: draft.input,
    adds: [...draft.have].filter((fact) => !draft.input.includes(fact)),
    drops: draft.input.filter((fact) => !draft.have.has(fact)),
    stages: draft.stages
  },
  bind: (below: Stage.Below) => bindAll(draft.stages, below),
  use: (stage: Stage.Any) => {
    missing(stage.name, stage.spec.needs, draft.have)
    const have = new Set(draft.have)
    for (const fact of stage.spec.drops) have.delete(fact)
    for (const fact of stage.spec.adds) have.add(fact)
    return open({ ...draft, stages: [...draft.stages, stage], have })
  },
  to: (bottom: Handler.Any) => {
    missing("the handler", bottom.spec.needs, draft.have)
    return close(draft, bottom)
  }
})

const close = ({ input, name, protocol, stages }: Draft, bottom: Handler.Any): Closed<any, any, any, any, any> => {
  const plain = bindAll(flat(stages), bottom.handle)
  const bound = new WeakMap<Tracing.Policy, Stage.Below>()
  const withSpans = (policy: Tracing.Policy): Stage.Below => {
    const known = bound.get(policy) ?? bindTraced(policy, name, stages, bottom)
    bound.set(policy, known)
    return known
  }
  const handle: Stage.Below = (facts) =>
    Effect.withFiber((fiber) => {
      const policy = fiber.getRef(Tracing.Tracing)
      const reply = policy === undefined ? plain(facts) : withSpans(policy)(facts)
      const kind = protocol.name ?? ""
      return fiber.getRef(Reply.Protocol) === kind ? reply : Effect.provideService(reply, Reply.Protocol, kind)
    })
  const fold = (parts: ReadonlyArray<unknown>): unknown =>
    parts.reduce((whole, part) => protocol.append(whole, part), protocol.empty())
  return {
    name,
    spec: { needs: input },
    stages,
    handler: bottom,
    protocol,
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
export const describe = (pipeline: Handler.Any): string => lines(pipeline, "").join("\n")

const lines = (self: Handler.Any, indent: string): ReadonlyArray<string> => [
  `${indent}${isClosed(self) ? "pipeline " : ""}${self.name}${said("needs", self.spec.needs)}`,
  ...(isClosed(self) ? [...stageLines(self.stages, `${indent}  `), ...lines(self.handler, `${indent}  `)] : []),
  ...Object.entries(self.spec.cases ?? self.spec.steps ?? {}).flatMap(([value, each]) => [
    `${indent}  ${value}:`,
    ...lines(each, `${indent}    `)
  ])
]

const stageLines = (stages: Stages, indent: string): ReadonlyArray<string> =>
  stages.flatMap(({ name, spec }) => [
    `${indent}${name}${said("needs", spec.needs)}${said("adds", spec.adds)}${said("drops", spec.drops)}`,
    ...stageLines(spec.stages ?? [], `${indent}  `)
  ])

const said = (verb: string, facts: ReadonlyArray<Fact.Fact>): string =>
  facts.length === 0 ? "" : ` · ${verb} ${facts.map(Fact.nameOf).join(", ")}`

const isClosed = (self: Handler.Any): self is Closed<any, any, any, any, any> => "stages" in self

/**
 * The pipeline as a Mermaid flowchart: stages from top to bottom, the facts they add and drop on the arrows, branches side by
 * side.
 *
 * @category printing
 * @since 0.1.0
 */
export const toMermaid = (pipeline: Handler.Any): string => {
  const graph = Graph.directed<string, string>((mutable) => {
    const draw = (self: Handler.Any, above: number, label: string): number => {
      let [last, arrow] = [above, label]
      const step = (name: string, next: string) => {
        const node = Graph.addNode(mutable, name)
        Graph.addEdge(mutable, last, node, arrow)
        last = node
        arrow = next
      }
      for (const { name, spec } of isClosed(self) ? flat(self.stages) : []) {
        step(
          name,
          [...spec.adds.map((_) => `+ ${Fact.nameOf(_)}`), ...spec.drops.map((_) => `− ${Fact.nameOf(_)}`)].join(", ")
        )
      }
      if (isClosed(self)) return draw(self.handler, last, arrow)
      step(self.name, "")
      for (const [value, each] of Object.entries(self.spec.cases ?? {})) draw(each, last, value)
      for (const [name, each] of Object.entries(self.spec.steps ?? {})) last = draw(each, last, name)
      return last
    }
    draw(pipeline, Graph.addNode(mutable, `${pipeline.name}: ${pipeline.spec.needs.map(Fact.nameOf).join(", ")}`), "")
  })
  return Graph.toMermaid(graph, { direction: "TB", nodeLabel: (name) => name, edgeLabel: (label) => label })
}

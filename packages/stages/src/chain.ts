/**
 * `chain` lets one closed pipeline feed the next: each step is a pipeline of its own, with its own stages and its own kind of
 * reply, and a function makes its facts from what the steps before it answered.
 *
 * A chain is a closed pipeline itself: it runs, streams, nests, can be a layer, and is drawn with its steps. Streamed, it shows
 * the parts of every step as they arrive; when a later step fails, what the earlier ones answered is with the failure
 * (`completed`); what all of them cost is its last part.
 *
 * ```ts
 * import { Pipeline, Reply } from "@interlock/core"
 * import { chain } from "@interlock/stages/chain"
 * import { Context, Effect } from "effect"
 *
 * class Brief extends Context.Service<Brief, string>()("studio/Brief") {}
 * class Scene extends Context.Service<Scene, string>()("studio/Scene") {}
 *
 * const words: Pipeline.Protocol<string, string> = { empty: () => "", append: (whole, part) => whole + part }
 * const expand = Pipeline.make("expand", { input: [Brief], protocol: words })
 *   .to(Pipeline.handler("writer", { needs: { brief: Brief } }, ({ brief }) => Effect.succeed(Reply.whole([brief, " at dusk"]))))
 * const draw = Pipeline.make("draw", { input: [Scene], protocol: words })
 *   .to(Pipeline.handler("painter", { needs: { scene: Scene } }, ({ scene }) => Effect.succeed(Reply.whole([`<${scene}>`]))))
 *
 * const illustrate = chain("illustrate", { needs: { brief: Brief } })
 *   .step("expand", expand, ({ brief }) => Brief.context(brief))
 *   .step("draw", draw, (_, done) => Scene.context(done.expand))
 *
 * const { steps } = await Effect.runPromise(illustrate.run(Brief.context("A harbour")))
 * console.assert(steps.draw === "<A harbour at dusk>")
 * ```
 *
 * @since 0.1.0
 */
import { type Fact, type Handler, Pipeline, Reply } from "@interlock/core"
import { Cost, Journal } from "@interlock/model"
import { Cause, Context, Effect, type Option, Stream } from "effect"
import { journalWithin } from "./fuse/gather.ts"

/**
 * A piece of what a chain replies with: a part of one of its steps, or, last, what all steps cost.
 *
 * @category models
 * @since 0.1.0
 */
export type ChainPart<Step extends string = string, Part = unknown> =
  | (Step extends string ? { readonly type: "step"; readonly step: Step; readonly part: Part } : never)
  | { readonly type: "total"; readonly cost: Cost.Total }

/**
 * What a chain answers: the answer of every step under its name, and what all of them cost, tries that failed included.
 *
 * @category models
 * @since 0.1.0
 */
export interface Chained<out Steps> {
  readonly steps: Steps
  readonly cost: Cost.Total
}

/**
 * A chain of pipelines; `step` puts one more at its end.
 *
 * @category models
 * @since 0.1.0
 */
export interface Chain<N extends Fact.Needs, Steps, Part, E, R>
  extends Pipeline.Closed<Fact.Identifier<N[keyof N]>, Part, Chained<Steps>, E, R> {
  /** What the steps before the failed one had answered; nothing when the failure is not one of this chain. */
  readonly completed: (cause: Cause.Cause<unknown>) => Option.Option<Partial<Steps>>
  readonly step: AddStep<N, Steps, Part, E, R>
}

/**
 * Puts a pipeline at the end of a chain. `facts` makes its facts from the chain's own and from the answers so far.
 *
 * @category type-level
 * @since 0.1.0
 */
export type AddStep<N extends Fact.Needs, Steps, Part, E, R> = <
  const Step extends string,
  I,
  P,
  W,
  E2,
  R2,
  E3 = never,
  R3 = never
>(
  name: Step &
    (Step extends keyof Steps ? `The chain has a step named ${Step} already: give this one a name of its own` : Step),
  pipeline: Pipeline.Closed<I, P, W, E2, R2>,
  facts: (
    input: Fact.Values<N>,
    done: Steps
  ) => Context.Context<NoInfer<I>> | Effect.Effect<Context.Context<NoInfer<I>>, E3, R3>
) => Chain<N, Steps & { readonly [K in Step]: W }, Part | ChainPart<Step, P>, E | E2 | E3, R | R2 | R3>

/**
 * Begins a chain with the facts that every call of it brings.
 *
 * @category constructors
 * @since 0.1.0
 */
export const chain = <N extends Fact.Needs>(
  name: string,
  spec: { readonly needs: N }
): { readonly step: AddStep<N, {}, never, never, never> } => ({
  step: append({ name, needs: spec.needs, steps: [] }) as never
})

interface Step {
  readonly name: string
  readonly pipeline: Pipeline.Closed<any, any, any, any, any>
  readonly facts: (input: any, done: Done) => Context.Context<any> | Effect.Effect<Context.Context<any>, any, any>
}

interface Draft {
  readonly name: string
  readonly needs: Fact.Needs
  readonly steps: ReadonlyArray<Step>
}

type Done = { readonly [step: string]: unknown }

const append =
  (draft: Draft) =>
  (name: string, pipeline: Step["pipeline"], facts: Step["facts"]): Chain<Fact.Needs, any, any, any, any> => {
    if (draft.steps.some((step) => step.name === name)) {
      throw new Pipeline.InvalidPipeline(`The chain has a step named ${name} already: give this one a name of its own`)
    }
    return close({ ...draft, steps: [...draft.steps, { name, pipeline, facts }] })
  }

const close = (draft: Draft): Chain<Fact.Needs, any, any, any, any> => {
  const Completed = Context.Service<Done>(`@interlock/stages/chain/${draft.name}`)
  const closed = Pipeline.make(draft.name, { input: Object.values(draft.needs), protocol: protocol(draft.steps) }).to(
    handler(draft, (cause, done) => Cause.annotate(cause, Completed.context(done)))
  )
  return {
    ...closed,
    completed: (cause) => Context.getOption(Cause.annotations(cause) as Context.Context<Done>, Completed),
    step: append(draft) as never
  }
}

const protocol = (steps: ReadonlyArray<Step>): Pipeline.Protocol<ChainPart, Chained<Done>> => {
  const folds = new Map(steps.map((step) => [step.name, step.pipeline.protocol as Pipeline.Protocol<unknown, unknown>]))
  const empty = () => Object.fromEntries([...folds].map(([name, fold]) => [name, fold.empty()]))
  return {
    empty: () => ({ steps: {}, cost: Cost.nothing }),
    append: (whole, part) => {
      // A step that replied with no part has the answer of no parts.
      if (part.type === "total") return { steps: { ...empty(), ...whole.steps }, cost: part.cost }
      const fold = folds.get(part.step)
      if (fold === undefined) return whole
      const before = Object.hasOwn(whole.steps, part.step) ? whole.steps[part.step] : fold.empty()
      return { ...whole, steps: { ...whole.steps, [part.step]: fold.append(before, part.part) } }
    }
  }
}

const handler = (
  draft: Draft,
  annotate: (cause: Cause.Cause<unknown>, done: Done) => Cause.Cause<unknown>
): Handler.Any => {
  const body = Effect.fnUntraced(function* (input: object) {
    // Its own, so that what else is done in the call around it, meanwhile too, is not counted as its cost.
    const journal = journalWithin(yield* Journal.current)
    let done: Done = {}
    const parts = Stream.flatMap(Stream.fromIterable(draft.steps), (step) => {
      const fold = step.pipeline.protocol as Pipeline.Protocol<unknown, unknown>
      let whole = fold.empty()
      return Stream.unwrap(
        Effect.gen(function* () {
          const facts = step.facts(input, done)
          const reply = yield* step.pipeline.handle(Effect.isEffect(facts) ? yield* facts : facts)
          return Stream.map(Reply.toStream(reply), (part): ChainPart => {
            whole = fold.append(whole, part)
            return { type: "step", step: step.name, part }
          })
        })
      ).pipe(
        Stream.catchCause((cause) => Stream.failCause(annotate(cause, done))),
        Stream.concat(
          Stream.suspend(() => {
            done = { ...done, [step.name]: whole }
            return Stream.empty
          })
        )
      )
    })
    const total = Stream.sync((): ChainPart => ({ type: "total", cost: Cost.ofEvents(journal.events()) }))
    const all = Stream.provideService(Stream.concat(parts, total), Journal.Journal, journal)
    return (yield* Reply.Delivery) === "live"
      ? yield* Reply.liveAfterFirst(all)
      : Reply.whole(yield* Stream.runCollect(all))
  })
  const made = Pipeline.handler(draft.name, { needs: draft.needs }, body as never) as Handler.Any
  const steps = Object.fromEntries(draft.steps.map((step) => [step.name, step.pipeline]))
  return { ...made, spec: { ...made.spec, steps } }
}

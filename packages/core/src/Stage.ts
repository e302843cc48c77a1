/**
 * A `Stage` is one step around the rest of a pipeline. It says which facts it needs, which one it adds and which one it drops
 * for the stages below; it sees only those it needs, and can neither forge nor lose another's.
 *
 * - `derive` works out one fact and goes on.
 * - `around` wraps everything below: calling `next` twice is a retry, not calling it answers from here.
 *
 * ```ts
 * import { Stage } from "@interlock/core"
 * import { Context, Effect } from "effect"
 *
 * class Question extends Context.Service<Question, string>()("support/Question") {}
 * class Language extends Context.Service<Language, "en" | "zh">()("support/Language") {}
 *
 * export const detectLanguage = Stage.derive(
 *   "detectLanguage",
 *   { needs: { question: Question }, adds: Language },
 *   ({ question }) => Effect.succeed(/\p{Script=Han}/u.test(question) ? "zh" : "en")
 * )
 * ```
 *
 * @since 0.1.0
 */

import type { Types as EffectTypes, Scope } from "effect"
import { Context, Effect } from "effect"
import type { Fact, Identifier, Needs, Values } from "./Fact.ts"
import { reader } from "./Handler.ts"
import type { Reply } from "./Reply.ts"

/**
 * The parts of a reply that a stage passes on without looking at them; it cannot invent any.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnyReply {
  readonly _: unique symbol
}

/**
 * One step around the rest of a pipeline.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stage<out T extends Types> {
  readonly "~types": T
  readonly name: T["name"]
  readonly spec: Spec
  readonly bind: (below: Below) => Below
}

/**
 * What the compiler knows of a stage.
 *
 * @category type-level
 * @since 0.1.0
 */
export type Types = Record<
  "name" | "needs" | "adds" | "drops" | "replyIn" | "replyOut" | "handles" | "error" | "services",
  any
>

/**
 * Any stage.
 *
 * @category type-level
 * @since 0.1.0
 */
export type Any = Stage<any>

/**
 * What a stage is, at run time: the facts it needs, adds and drops, and the stages that a preset is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Spec {
  readonly needs: ReadonlyArray<Fact>
  readonly adds: ReadonlyArray<Fact>
  readonly drops: ReadonlyArray<Fact>
  /** For a preset: its stages, top to bottom. */
  readonly stages?: ReadonlyArray<Any>
}

/**
 * Everything below a stage: the facts of a call in, its reply out.
 *
 * @category models
 * @since 0.1.0
 */
export type Below = (facts: Context.Context<any>) => Effect.Effect<Reply<any, any>, any, any>

/**
 * Makes a stage that works out one fact from those it needs, and goes on.
 *
 * @category constructors
 * @since 0.1.0
 */
export const derive = <const Name extends string, N extends Needs, Adds extends Fact, E, R>(
  name: Name,
  spec: { readonly needs: N; readonly adds: Adds },
  body: (facts: Values<N>) => Effect.Effect<Adds["Service"], E, R>
): Stage<{
  name: Name
  needs: Identifier<N[keyof N]>
  adds: Identifier<Adds>
  drops: never
  replyIn: AnyReply
  replyOut: AnyReply
  handles: never
  error: E
  services: R
}> => make(name, spec, (facts, next) => Effect.flatMap(body(facts), next))

/**
 * Makes a stage that wraps everything below it.
 *
 * The body gets the facts it needs and `next`, which runs the rest of the pipeline; a stage that `adds` a fact passes its value
 * to `next`. Without type arguments the stage passes parts on unseen. `Stage.around<{ in: Part; out: Part }>()` reads parts of
 * one kind and replies with another, and `Stage.around<{ handles: Busy }>()` may catch that error from below, which then
 * disappears from the pipeline's type.
 *
 * @category constructors
 * @since 0.1.0
 */
export const around: Around<AnyReply, AnyReply, never> &
  (<
    Config extends { in?: unknown; out?: unknown; handles?: unknown },
    In = Config extends { in: infer A } ? A : AnyReply
  >() => Around<In, Config extends { out: infer A } ? A : In, Config extends { handles: infer E } ? E : never>) = ((
  ...args: [] | Parameters<typeof make>
) => (args.length === 0 ? make : make(...args))) as never

/**
 * The type of `around`, for parts `In` from below, parts `Out` to above, and errors `Handles` that the stage may catch.
 *
 * @category type-level
 * @since 0.1.0
 */
// biome-ignore format: type parameters read best as one list
export type Around<In, Out, Handles> = <
  const Name extends string, N extends Needs, E, R, Adds extends Fact = never, Drops extends Fact = never
>(
  name: Name,
  spec: { readonly needs: N; readonly adds?: Adds; readonly drops?: Drops },
  body: (
    facts: Values<N>,
    next: (...value: [Adds] extends [never] ? [] : [Adds["Service"]]) =>
      Effect.Effect<Reply<In, Handles | EffectTypes.unhandled>, Handles | EffectTypes.unhandled, Scope.Scope>
  ) => Effect.Effect<Reply<Out, E>, E, R>
) => Stage<{
  name: Name
  needs: Identifier<N[keyof N]>
  adds: Identifier<Adds>
  drops: Identifier<Drops>
  replyIn: In
  replyOut: Out
  handles: EffectTypes.unhandled extends E ? Handles : unknown
  error: Exclude<E, EffectTypes.unhandled>
  services: Exclude<R, Scope.Scope>
}>

const make = (
  name: string,
  spec: { readonly needs: Needs; readonly adds?: Fact; readonly drops?: Fact },
  body: (facts: any, next: (value?: unknown) => ReturnType<Below>) => ReturnType<Below>
): Stage<any> => {
  const read = reader(spec.needs)
  const { adds, drops } = spec
  const advance = (facts: Context.Context<any>, value: unknown): Context.Context<any> => {
    const kept = drops === undefined ? facts : (Context.omit(drops)(facts) as Context.Context<any>)
    return adds === undefined ? kept : Context.add(kept, adds, value)
  }
  return {
    "~types": undefined,
    name,
    spec: {
      needs: Object.values(spec.needs),
      adds: adds === undefined ? [] : [adds],
      drops: drops === undefined ? [] : [drops]
    },
    bind: (below) => (facts) => body(read(facts), (value) => below(advance(facts, value)))
  }
}

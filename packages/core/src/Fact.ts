/**
 * A `Fact` is something known about the call in flight: an Effect `Context` key together with its value.
 *
 * Stages say which facts they need, which one they add, and which one they drop for the stages below. A fact is declared as
 * any Effect service is; the last word of its key is the name that error messages show.
 *
 * ```ts
 * import { Context } from "effect"
 *
 * class Question extends Context.Service<Question, string>()("support/Question") {}
 *
 * Question.context("Where is my parcel?")
 * ```
 *
 * @since 0.1.0
 */
import type { Context } from "effect"

/**
 * The key of a fact, whatever its value.
 *
 * @category models
 * @since 0.1.0
 */
export type Fact = Context.ServiceClass<any, any, any>

/**
 * The facts that a stage or a handler asks for, by the field under which its body sees them.
 *
 * @category models
 * @since 0.1.0
 */
export type Needs = { readonly [field: string]: Fact }

/**
 * What the body of a stage sees: the values of the facts it needs, and nothing else.
 *
 * @category models
 * @since 0.1.0
 */
export type Values<N extends Needs> = { readonly [K in keyof N]: N[K]["Service"] }

/**
 * The type by which the compiler tracks a fact through a pipeline.
 *
 * @category type-level
 * @since 0.1.0
 */
export type Identifier<F> = F extends Fact ? F["Identifier"] : never

/**
 * The last word of a fact's key: `"Classification"` for `"@interlock/stages/Classification"`.
 *
 * @category type-level
 * @since 0.1.0
 */
export type Name<F> = F extends { readonly key: infer K extends string } ? LastWord<K> : "a fact"

type LastWord<K extends string> = K extends `${string}/${infer Rest}` ? LastWord<Rest> : K

/**
 * The last word of a fact's key, at run time.
 *
 * @category accessors
 * @since 0.1.0
 */
export const nameOf = (fact: Fact): string => fact.key.slice(fact.key.lastIndexOf("/") + 1)

/**
 * A `Handler` is the bottom of a pipeline: facts in, a reply out. A closed pipeline is a handler too, so pipelines nest.
 *
 * @since 0.1.0
 */
import { Context, type Effect, type Scope } from "effect"
import type * as Fact from "./Fact.ts"
import type * as Reply from "./Reply.ts"

/**
 * Takes the facts of one call and yields its reply. `NeedsId` are the facts it reads, `Part` the pieces of its reply.
 *
 * @category models
 * @since 0.1.0
 */
export interface Handler<out NeedsId, out Part, out E = never, out R = never> {
  readonly name: string
  readonly spec: Spec
  readonly handle: (facts: Context.Context<NeedsId>) => Effect.Effect<Reply.Reply<Part, E>, E, R | Scope.Scope>
}

/**
 * What a handler is, at run time: the facts it reads, the handlers among which it chooses, and those it asks in turn.
 *
 * @category models
 * @since 0.1.0
 */
export interface Spec {
  readonly needs: ReadonlyArray<Fact.Fact>
  /** For a branch: the handler of each value. */
  readonly cases?: { readonly [value: string]: Any }
  /** For a chain: the handler of each step, in order. */
  readonly steps?: { readonly [name: string]: Any }
}

/**
 * Any handler.
 *
 * @category type-level
 * @since 0.1.0
 */
export type Any = Handler<any, any, any, any>

/**
 * The facts a handler reads.
 *
 * @category type-level
 * @since 0.1.0
 */
export type NeedsOf<H> = H extends Handler<infer N, any, any, any> ? N : never

/**
 * The pieces a handler replies with.
 *
 * @category type-level
 * @since 0.1.0
 */
export type PartOf<H> = H extends Handler<any, infer A, any, any> ? A : never

/**
 * The ways a handler can fail.
 *
 * @category type-level
 * @since 0.1.0
 */
export type ErrorOf<H> = H extends Handler<any, any, infer E, any> ? E : never

/**
 * The services a handler asks for.
 *
 * @category type-level
 * @since 0.1.0
 */
export type ServicesOf<H> = H extends Handler<any, any, any, infer R> ? R : never

/**
 * Makes the function that reads the values of `needs` out of the facts of a call.
 *
 * @internal
 */
export const reader = (needs: Fact.Needs): ((facts: Context.Context<any>) => any) => {
  const entries = Object.entries(needs)
  return (facts) => {
    const values: { [field: string]: unknown } = {}
    for (const [field, fact] of entries) values[field] = Context.getUnsafe(facts, fact)
    return values
  }
}

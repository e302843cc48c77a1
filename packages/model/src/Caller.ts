/**
 * `Caller` says on whose behalf a call is made: what caches, limits, keys and audit records are kept apart by.
 *
 * @since 0.1.0
 */
import { Context } from "effect"

/**
 * Who calls: the tenant, and where known the person and the conversation.
 *
 * @category models
 * @since 0.1.0
 */
export interface Identity {
  /** The customer or unit whose data must never meet another's. */
  readonly tenant: string
  /** The person whom the data is about; erasure is per subject. */
  readonly subject?: string
  /** The conversation within which placeholders stay the same. */
  readonly conversation?: string
}

/**
 * The fact that says who calls.
 *
 * @category facts
 * @since 0.1.0
 */
export class Caller extends Context.Service<Caller, Identity>()("@interlock/model/Caller") {}

/**
 * What the cache may keep, for how long, and what keeps two calls apart beyond what they ask.
 *
 * @since 0.1.0
 */
import type { Identity, ModelError, ModelReference, Prompt, SafeText, Settings } from "@interlock/model"
import { Context, Duration, Effect, Layer } from "effect"
import { type ConfigurationError, invalid } from "./configurationError.ts"

/**
 * The call that the policy is asked about: the facts that the cache sees.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  readonly caller: Identity
  readonly model: ModelReference
  readonly parameters: Settings
  readonly prompt: Prompt.Prompt<SafeText>
}

/**
 * A setting that is the same for every call, or worked out from the call.
 *
 * @category models
 * @since 0.1.0
 */
export type PerCall<A> = A | ((call: Call) => A)

/**
 * How the cache behaves.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  /** From storing until an entry is no longer fresh; one hour. 0 for a call means that its answer is not stored. */
  readonly timeToLive: PerCall<Duration.Input>
  /** For how long after that an entry is still served while a new answer is fetched; 0. */
  readonly staleFor: Duration.Input
  /** Times to live are shortened by a random share of at most this, so that entries do not all end together; 0.1. */
  readonly jitter: number
  /** Which calls are kept apart by subject as well as by tenant; `false`: a tenant's people share answers. */
  readonly perSubject: PerCall<boolean>
  /**
   * Which sampled answers may be stored: `"never"` only those asked for at temperature 0, `"unset"` also those whose
   * temperature is left to the model (the default), `"always"` any.
   */
  readonly sampled: "never" | "unset" | "always"
  /** Calls that neither read nor write the cache; none. */
  readonly bypass: (call: Call) => boolean
  /** The version of the prompt's template or of whatever else shapes answers and is not in the prompt; `""`. */
  readonly version: PerCall<string>
  /** The state of the knowledge that answers rest on: when it changes, nothing older is served; `""`. */
  readonly epoch: Effect.Effect<string>
  /** Tags by which entries can be invalidated together; none. The tenant and the epoch are tags already. */
  readonly tags: PerCall<ReadonlyArray<string>>
  /** Errors that are remembered, by the name of the `ModelError`'s reason, and for how long; none. Never in place of an answer. */
  readonly errors: { readonly [Reason in ModelError.ModelError["reason"]["_tag"]]?: Duration.Input }
  /** The class of traffic in which the semantic tier certifies a threshold; tenant, provider and model. */
  readonly traffic: (call: Call) => string
  /**
   * How long a lease is held without being extended, where a `Lease` is provided: so long a process that died is waited for; 15
   * seconds.
   */
  readonly leaseFor: Duration.Input
  /**
   * How long to wait for another process that makes the same call, before making it here too; 30 seconds. Longer than `leaseFor`,
   * so that one process takes over from one that died, and the others wait for that one.
   */
  readonly waitFor: Duration.Input
}

const defaults: Policy = {
  timeToLive: Duration.hours(1),
  staleFor: Duration.zero,
  jitter: 0.1,
  perSubject: false,
  sampled: "unset",
  bypass: () => false,
  version: "",
  epoch: Effect.succeed(""),
  tags: [],
  errors: {},
  traffic: ({ caller, model }) => `${caller.tenant}/${model.provider}/${model.model}`,
  leaseFor: Duration.seconds(15),
  waitFor: Duration.seconds(30)
}

/**
 * The policy in force; the defaults where none is provided.
 *
 * @category references
 * @since 0.1.0
 */
export const CachePolicy: Context.Reference<Policy> = Context.Reference("@interlock/stages/CachePolicy", {
  defaultValue: () => defaults
})

/**
 * Changes some of the policy; what is left out keeps its default.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPolicy = (changes: Partial<Policy>): Layer.Layer<never, ConfigurationError> =>
  Layer.effect(
    CachePolicy,
    Effect.gen(function* () {
      const policy = { ...defaults, ...changes }
      const { jitter, leaseFor, timeToLive } = policy
      if (typeof timeToLive !== "function" && !(Duration.toMillis(timeToLive) > 0)) {
        return yield* invalid(
          "cache timeToLive",
          Duration.format(Duration.fromInputUnsafe(timeToLive)),
          "it must be above 0",
          "leave the cache stage out to cache nothing, or set bypass for the calls concerned"
        )
      }
      if (!(jitter >= 0 && jitter < 1)) {
        return yield* invalid("cache jitter", jitter, "it must be at least 0 and below 1", "use 0.1")
      }
      if (!(Duration.toMillis(leaseFor) > 0)) {
        return yield* invalid("cache leaseFor", leaseFor, "it must be above 0", "use 15 seconds")
      }
      for (const [reason, time] of Object.entries(policy.errors)) {
        if (!(Duration.toMillis(time) > 0)) {
          return yield* invalid(`cache errors.${reason}`, time, "it must be above 0", "leave the reason out")
        }
      }
      return policy
    })
  )

/**
 * The setting for one call.
 *
 * @internal
 */
export const forCall = <A>(setting: PerCall<A>, call: Call): A =>
  typeof setting === "function" ? (setting as (call: Call) => A)(call) : setting

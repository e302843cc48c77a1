/**
 * `ModelError` is how a call of a model fails, with a `reason` that callers branch on.
 *
 * ```ts
 * import { ModelError } from "@interlock/model"
 *
 * const error = new ModelError.ModelError({
 *   provider: "openai",
 *   model: "gpt-5",
 *   reason: new ModelError.RateLimited({ retryAfterMs: 2000 }),
 *   message: "openai refused gpt-5: too many requests; try again in 2 s"
 * })
 * console.assert(ModelError.isRetryable(error) && ModelError.retryAfterMs(error) === 2000)
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * The key is missing, wrong or may not do this. Not retryable.
 *
 * @category reasons
 * @since 0.1.0
 */
export class RefusedKey extends Schema.TaggedClass<RefusedKey>()("RefusedKey", {}) {}

/**
 * The account has no credit or quota left. Not retryable.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Quota extends Schema.TaggedClass<Quota>()("Quota", {}) {}

/**
 * Too many requests or tokens; `retryAfterMs` when the provider said how long. Retryable.
 *
 * @category reasons
 * @since 0.1.0
 */
export class RateLimited extends Schema.TaggedClass<RateLimited>()("RateLimited", {
  retryAfterMs: Schema.optionalKey(Schema.Number)
}) {}

/**
 * No connection, no first part, no next part or no complete answer within the time allowed. Retryable.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Timeout extends Schema.TaggedClass<Timeout>()("Timeout", {
  phase: Schema.Literals(["connect", "first-part", "idle", "whole"]),
  afterMs: Schema.Number
}) {}

/**
 * The provider is overloaded or broken (408, 409, 5xx, 529). Retryable.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Overloaded extends Schema.TaggedClass<Overloaded>()("Overloaded", {
  status: Schema.optionalKey(Schema.Number),
  retryAfterMs: Schema.optionalKey(Schema.Number)
}) {}

/**
 * The provider does not accept the request as it is. Not retryable.
 *
 * @category reasons
 * @since 0.1.0
 */
export class BadRequest extends Schema.TaggedClass<BadRequest>()("BadRequest", {
  status: Schema.optionalKey(Schema.Number)
}) {}

/**
 * The provider's content filter refused the prompt or the answer. Not retryable.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ContentFiltered extends Schema.TaggedClass<ContentFiltered>()("ContentFiltered", {}) {}

/**
 * What came back cannot be read: malformed, cut short, or not of the promised form. Retryable.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InvalidAnswer extends Schema.TaggedClass<InvalidAnswer>()("InvalidAnswer", {}) {}

/**
 * The connection could not be made or was lost. Retryable.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Network extends Schema.TaggedClass<Network>()("Network", {}) {}

/**
 * Why a call failed.
 *
 * @category reasons
 * @since 0.1.0
 */
export const Reason: Schema.Union<
  readonly [
    typeof RefusedKey,
    typeof Quota,
    typeof RateLimited,
    typeof Timeout,
    typeof Overloaded,
    typeof BadRequest,
    typeof ContentFiltered,
    typeof InvalidAnswer,
    typeof Network
  ]
> = Schema.Union([
  RefusedKey,
  Quota,
  RateLimited,
  Timeout,
  Overloaded,
  BadRequest,
  ContentFiltered,
  InvalidAnswer,
  Network
])

/**
 * A call of a model failed. The message holds no prompt text and no key.
 *
 * @category errors
 * @since 0.1.0
 */
export class ModelError extends Schema.TaggedError<ModelError>()("ModelError", {
  provider: Schema.String,
  model: Schema.String,
  reason: Reason,
  message: Schema.String
}) {}

/**
 * Whether the same call may well succeed later or elsewhere.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isRetryable = (error: ModelError): boolean => {
  switch (error.reason._tag) {
    case "RateLimited":
    case "Timeout":
    case "Overloaded":
    case "InvalidAnswer":
    case "Network":
      return true
    default:
      return false
  }
}

/**
 * How long the provider asked to wait, in milliseconds.
 *
 * @category accessors
 * @since 0.1.0
 */
export const retryAfterMs = (error: ModelError): number | undefined =>
  error.reason._tag === "RateLimited" || error.reason._tag === "Overloaded" ? error.reason.retryAfterMs : undefined

/**
 * The same failure without a time to wait, for where the call may go on at once elsewhere.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withoutRetryAfter = (error: ModelError): ModelError => {
  const { message, model, provider, reason } = error
  switch (reason._tag) {
    case "RateLimited":
      return new ModelError({ provider, model, message, reason: new RateLimited({}) })
    case "Overloaded":
      return new ModelError({
        provider,
        model,
        message,
        reason: new Overloaded(reason.status === undefined ? {} : { status: reason.status })
      })
    default:
      return error
  }
}

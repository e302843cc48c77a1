/**
 * Errors both ways: `AiError` of `effect/ai` and `ModelError`.
 *
 * Descriptions of an `AiError` may repeat a prompt or an answer, so none is passed on.
 *
 * @since 0.1.0
 */
import { ModelError } from "@interlock/model"
import { Duration } from "effect"
import { AiError } from "effect/ai"
import { type Failure, toModelError } from "./aiSdkError.ts"

const failure = ({ reason }: AiError.AiError): Failure => {
  const detail = reason._tag
  switch (reason._tag) {
    case "AuthenticationError":
      return { reason: "RefusedKey", detail: `${detail} ${reason.kind}` }
    case "QuotaExhaustedError":
      return { reason: "Quota", detail }
    case "RateLimitError":
      return {
        reason: "RateLimited",
        detail,
        ...(reason.retryAfter === undefined ? {} : { retryAfterMs: Duration.toMillis(reason.retryAfter) })
      }
    case "InternalProviderError":
      return { reason: "Overloaded", detail }
    case "ContentPolicyError":
      return { reason: "ContentFiltered", detail }
    case "NetworkError":
      return { reason: reason.reason === "TransportError" ? "Network" : "BadRequest", detail: reason.reason }
    case "InvalidResponseError":
    case "InvalidOutputError":
    case "StructuredOutputError":
    case "UnknownError":
      return { reason: "InvalidAnswer", detail }
    default:
      return { reason: "BadRequest", detail }
  }
}

/** The `ModelError` that says the same as an `AiError`. */
export const fromAiError = (provider: string, model: string, error: AiError.AiError): ModelError.ModelError =>
  toModelError(provider, model, failure(error))

const reason = (error: ModelError.ModelError): AiError.AiErrorReason => {
  const description = error.message
  switch (error.reason._tag) {
    case "RefusedKey":
      return new AiError.AuthenticationError({ kind: "InvalidKey", description })
    case "Quota":
      return new AiError.QuotaExhaustedError({})
    case "RateLimited": {
      const { retryAfterMs } = error.reason
      return new AiError.RateLimitError(retryAfterMs === undefined ? {} : { retryAfter: Duration.millis(retryAfterMs) })
    }
    case "BadRequest":
      return new AiError.InvalidRequestError({ description })
    case "ContentFiltered":
      return new AiError.ContentPolicyError({ description })
    case "InvalidAnswer":
      return new AiError.InvalidOutputError({ description })
    case "Network":
      return new AiError.NetworkError({ reason: "TransportError", method: "POST", url: error.provider, description })
    case "Timeout":
    case "Overloaded":
      return new AiError.InternalProviderError({ description })
  }
}

const messageOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error)
  const { _tag, message } = error as { readonly _tag?: unknown; readonly message?: unknown }
  return [_tag, message].filter((word) => typeof word === "string" && word !== "").join(": ")
}

/** The `AiError` that says the same as an error of a pipeline; one that is no `ModelError` becomes an `UnknownError`. */
export const toAiError = (pipeline: string, error: unknown): AiError.AiError =>
  AiError.make({
    module: "Interlock",
    method: pipeline,
    reason:
      error instanceof ModelError.ModelError
        ? reason(error)
        : new AiError.UnknownError({ description: messageOf(error) })
  })

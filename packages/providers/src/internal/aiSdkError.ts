/**
 * What went wrong with a call through the AI SDK, as one of the reasons of a `ModelError`.
 *
 * The AI SDK's errors carry the whole request (prompt, headers) and the provider's whole answer. None of it is passed
 * on: only the status, the provider's short code and, for a bad request, the first words of its explanation, without
 * anything that looks like a key.
 *
 * @since 0.1.0
 */
import { ModelError } from "@interlock/model"

/** A reason, and a short detail that is safe to show. */
export interface Failure {
  readonly reason:
    | "RefusedKey"
    | "Quota"
    | "RateLimited"
    | "Timeout"
    | "Overloaded"
    | "BadRequest"
    | "ContentFiltered"
    | "InvalidAnswer"
    | "Network"
  readonly detail: string
  readonly retryAfterMs?: number
  readonly status?: number
  readonly missed?: { readonly phase: "connect" | "first-part" | "idle" | "whole"; readonly afterMs: number }
}

interface Body {
  readonly code: string
  readonly message: string
  readonly retryAfterMs?: number
}

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined

const word = (value: unknown): string =>
  typeof value === "number" ? String(value) : typeof value === "string" && /^[\w.:-]{1,64}$/.test(value) ? value : ""

const key = /\b(?:sk|pk|rk|key|AIza|Bearer\s+|gsk|xai)[-_]?[\w*.-]{8,}/gi

const sentence = (value: unknown): string =>
  typeof value === "string" ? value.replace(key, "***").replace(/\s+/g, " ").trim().slice(0, 240) : ""

/** `"17s"`, `"1.5s"`: a protobuf duration, as Google writes it. */
const seconds = (value: unknown): number | undefined => {
  const found = typeof value === "string" ? /^(\d+(?:\.\d+)?)s$/.exec(value) : null
  return found === null ? undefined : Math.round(Number(found[1]) * 1000)
}

const parse = (text: unknown): unknown => {
  if (typeof text !== "string") return text
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The error that a body or a frame states, however deep it lies; `undefined` where it states none. */
const statedIn = (json: unknown): unknown => {
  const top = Array.isArray(json) ? json[0] : json
  const stated = field(top, "error") ?? field(field(top, "response"), "error")
  // vLLM and SGLang name an error by `object`, not by the field in which it lies.
  return stated ?? (field(top, "object") === "error" ? top : undefined)
}

const readBody = (text: unknown): Body => {
  const json = parse(text)
  const error = statedIn(json) ?? (Array.isArray(json) ? json[0] : json)
  const details = field(error, "details")
  let code = [field(error, "code"), field(error, "type"), field(error, "status")].map(word).filter(Boolean).join(" ")
  let retryAfterMs: number | undefined
  if (Array.isArray(details)) {
    for (const detail of details) {
      const reason = word(field(detail, "reason"))
      if (reason !== "") code += ` ${reason}`
      retryAfterMs ??= seconds(field(detail, "retryDelay"))
      const violations = field(detail, "violations")
      if (Array.isArray(violations)) {
        for (const violation of violations) code += ` ${word(field(violation, "quotaId"))}`
      }
    }
  }
  const message = typeof error === "string" ? error : field(error, "message")
  return {
    code: code.trim(),
    message: sentence(message),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  }
}

/**
 * The wait a provider asks for, in milliseconds: `retry-after-ms`, or `Retry-After` in seconds or as a date
 * (RFC 9110, section 10.2.3).
 */
export const retryAfter = (headers: unknown, nowMs: number): number | undefined => {
  const milliseconds = field(headers, "retry-after-ms")
  if (typeof milliseconds === "string" && /^\d+(\.\d+)?$/.test(milliseconds)) return Math.round(Number(milliseconds))
  const value = field(headers, "retry-after")
  if (typeof value !== "string") return undefined
  if (/^\d+(\.\d+)?$/.test(value)) return Math.round(Number(value) * 1000)
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}

const filtered =
  /content_filter|content_policy|policy_violation|(?:bio|cyber)_policy|ResponsibleAIPolicy|moderation|PROHIBITED_CONTENT|blocked by|safety system/i
const noKey = /invalid_api_key|API_KEY_INVALID|authentication_error|api key not valid|permission_error/i
const noMoney = /insufficient_quota|billing|credit balance|PerDay|quota_exceeded|payment/i

const fromStatus = (status: number, body: Body, headers: unknown, nowMs: number): Failure => {
  const text = `${body.code} ${body.message}`
  const detail = [String(status), body.code].filter(Boolean).join(" ")
  if (status === 403 && filtered.test(text)) return { reason: "ContentFiltered", detail }
  if (status === 401 || status === 403 || (status === 400 && noKey.test(text))) return { reason: "RefusedKey", detail }
  if (status === 402 || ((status === 429 || status === 400) && noMoney.test(text))) return { reason: "Quota", detail }
  if (status === 429) {
    const retryAfterMs = retryAfter(headers, nowMs) ?? body.retryAfterMs
    return { reason: "RateLimited", detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }
  if (status === 408 || status === 409 || status >= 500) {
    const retryAfterMs = retryAfter(headers, nowMs) ?? body.retryAfterMs
    return { reason: "Overloaded", detail, status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }
  if (status >= 300 && status < 400) {
    return { reason: "BadRequest", status, detail: `${status}: the address leads to another, which is not followed` }
  }
  if (status < 400) return { reason: "InvalidAnswer", detail: `${status} with a body that is no answer` }
  if (filtered.test(text)) return { reason: "ContentFiltered", detail }
  return { reason: "BadRequest", status, detail: body.message === "" ? detail : `${detail}: ${body.message}` }
}

/** The HTTP status that a provider's error stands for which came under status 200: in a stream, or as the whole body. */
const statusOf = (body: Body): number | undefined => {
  const text = body.code
  if (filtered.test(text)) return 400
  if (/insufficient_quota|billing/i.test(text)) return 402
  if (/rate_limit|RESOURCE_EXHAUSTED/i.test(text)) return 429
  if (/overloaded|server_error|api_error|internal|unavailable|timeout/i.test(text)) return 503
  if (noKey.test(text)) return 401
  if (/invalid_request|invalid_prompt|context_length|not_found|bad_?request|INVALID_ARGUMENT/i.test(text)) return 400
  const status = /(?:^|\s)([45]\d\d)(?:\s|$)/.exec(text)
  return status === null ? undefined : Number(status[1])
}

/** The HTTP status that the error stands for which a JSON text states, or `undefined` where it states none. */
export const statedStatus = (text: string): number | undefined => {
  const error = statedIn(parse(text))
  // A sentence without a code says that something failed there, and no more.
  return error === undefined || error === null ? undefined : (statusOf(readBody(text)) ?? 500)
}

const brokenAnswer = new Set([
  "AI_EmptyResponseBodyError",
  "AI_InvalidResponseDataError",
  "AI_JSONParseError",
  "AI_NoContentGeneratedError",
  "AI_TypeValidationError"
])

const badRequest = new Set([
  "AI_InvalidArgumentError",
  "AI_InvalidPromptError",
  "AI_NoSuchModelError",
  "AI_NoSuchProviderReferenceError",
  "AI_UnsupportedFunctionalityError"
])

const badSetting = new Set(["AI_LoadAPIKeyError", "AI_LoadSettingError"])

/** The short code of a socket failure (`ECONNREFUSED`, `UND_ERR_SOCKET`), from the error or one of its causes. */
const socketCode = (error: unknown, depth = 0): string => {
  const code = word(field(error, "code"))
  if (/^(E[A-Z]{3,}|UND_ERR_\w+|ERR_\w+|CERT_\w+|\w+_CERT\w*)$/.test(code)) return code
  const cause = field(error, "cause")
  return cause === undefined || depth > 4 ? "" : socketCode(cause, depth + 1)
}

/** The failure that is stated where an answer should be. */
const stated = (answer: unknown, headers: unknown, nowMs: number): Failure | undefined => {
  const json = parse(answer)
  const error = statedIn(json)
  if (error === undefined || error === null) return undefined
  const body = readBody(json)
  // A sentence without a code says that something failed there, and no more.
  return fromStatus(statusOf(body) ?? 500, body, headers, nowMs)
}

/** The answer ended before its model said so. */
export const brokenOff: Failure = { reason: "Network", detail: "the answer broke off before its end" }

/** Why a call failed, from whatever the AI SDK threw or put in a stream. */
export const classify = (error: unknown, nowMs: number): Failure => {
  const name = word(field(error, "name"))
  const status = field(error, "statusCode")
  if (name === "AI_InvalidResponseDataError" && field(error, "data") === undefined) return brokenOff
  if (brokenAnswer.has(name)) {
    return stated(field(error, "value"), undefined, nowMs) ?? { reason: "InvalidAnswer", detail: name }
  }
  if (badRequest.has(name)) {
    return { reason: "BadRequest", detail: sentence(field(error, "message")) || name }
  }
  if (badSetting.has(name)) return { reason: "RefusedKey", detail: name }
  if (typeof status === "number") {
    const cause = field(error, "cause")
    const headers = field(error, "responseHeaders")
    if (status < 400 && socketCode(cause) !== "") return { reason: "Network", detail: socketCode(cause) }
    const answer = field(error, "responseBody") ?? field(error, "data")
    // Some gateways say 200 and put the error where the answer should be.
    if (status < 400) {
      const failure = stated(answer ?? field(cause, "value"), headers, nowMs)
      if (failure !== undefined) return failure
    }
    const body = readBody(answer)
    const policy = status >= 500 && filtered.test(body.code)
    return fromStatus(policy ? 400 : status, body, headers, nowMs)
  }
  if (name === "InvalidCharacterError") return { reason: "BadRequest", detail: "a file that is not base64" }
  if (error instanceof TypeError && /header|ByteString/i.test(error.message)) {
    return { reason: "RefusedKey", detail: "a key or header with characters that cannot be sent" }
  }
  const code = socketCode(error)
  if (/TIMEOUT|ETIMEDOUT/.test(code)) return { reason: "Timeout", detail: code }
  if (code !== "") return { reason: "Network", detail: code }
  const body = readBody(field(error, "data") ?? error)
  const frame = statusOf(body)
  if (frame !== undefined) return fromStatus(frame, body, undefined, nowMs)
  if (name === "AI_APICallError" || (error instanceof TypeError && /fetch|terminated|network/i.test(error.message))) {
    return { reason: "Network", detail: "the connection failed" }
  }
  if (name === "AbortError" || name === "TimeoutError") return { reason: "Timeout", detail: name }
  return { reason: "InvalidAnswer", detail: body.code || name || "an error without a name" }
}

/** The fields of a message or part that say what it is, in words that are nobody's secret. */
const form = new Set(["type", "role", "mediaType", "_tag"])

const texts = (value: unknown, into: Array<string>): Array<string> => {
  if (typeof value === "string") into.push(value)
  else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    for (const [name, item] of Object.entries(value)) {
      if (!(form.has(name) && typeof item === "string")) texts(item, into)
    }
  }
  return into
}

/** The length from which a piece of the prompt counts as the prompt's, and not as a word that anyone may say. */
const piece = 6

/** The sentence without the words that the prompt says too: a provider may quote the prompt when it refuses it. */
export const conceal = (sentence: string, prompt: unknown): string => {
  const said = texts(prompt, []).join("\n")
  return sentence.replace(/[\p{L}\p{N}_.@+-]{4,}/gu, (word) => {
    if (word.length <= piece) return said.includes(word) ? "***" : word
    for (let start = 0; start + piece <= word.length; start++) {
      if (said.includes(word.slice(start, start + piece))) return "***"
    }
    return word
  })
}

const reason = (failure: Failure): ModelError.ModelError["reason"] => {
  const { missed, retryAfterMs, status } = failure
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs }
  const code = status === undefined ? {} : { status }
  switch (failure.reason) {
    case "RateLimited":
      return new ModelError.RateLimited(wait)
    case "Timeout":
      return new ModelError.Timeout(missed ?? { phase: "connect", afterMs: 0 })
    case "Overloaded":
      return new ModelError.Overloaded({ ...code, ...wait })
    case "BadRequest":
      return new ModelError.BadRequest(code)
    default:
      return new ModelError[failure.reason]()
  }
}

const sentences: { readonly [R in Failure["reason"]]: readonly [what: string, cure: string] } = {
  RefusedKey: ["refused the key for", "set a valid key that may use this model"],
  Quota: ["has no quota left for", "add credit to the account, or send the call to another provider"],
  RateLimited: ["had too many requests for", "wait, or put a limit above the call"],
  Timeout: ["took too long with", "raise the limit in Timeouts, or fall back to another model"],
  Overloaded: ["is overloaded or broken for", "retry later, or fall back to another model"],
  BadRequest: ["does not accept the request to", "correct the prompt or the parameter"],
  ContentFiltered: ["filtered the call of", "rephrase the prompt, or choose a model with another filter"],
  InvalidAnswer: ["gave an answer that cannot be read for", "retry, or fall back to another model"],
  Network: ["could not be reached, or was lost, for", "check the network and the base URL, or retry"]
}

/** The typed error, with a message that names the provider, the model, the rule and the cure. */
export const toModelError = (provider: string, model: string, failure: Failure): ModelError.ModelError => {
  const [what, cure] = sentences[failure.reason]
  const wait = failure.retryAfterMs === undefined ? "" : `, retry after ${failure.retryAfterMs / 1000} s`
  return new ModelError.ModelError({
    provider,
    model,
    reason: reason(failure),
    message: `${provider} ${what} ${model} (${failure.detail}${wait}): ${cure}`
  })
}

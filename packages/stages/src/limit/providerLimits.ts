/**
 * What a provider says of its own limits in the headers of an answer, in one form for all of them.
 *
 * Sources: OpenAI, "Rate limits" (`x-ratelimit-limit-requests`, `-remaining-requests`, `-reset-requests`, the same for
 * `tokens`; resets as `1s`, `6m0s`, `20ms`). Anthropic, "Rate limits" (`anthropic-ratelimit-requests-limit`, `-remaining`,
 * `-reset`, the same for `tokens`, `input-tokens` and `output-tokens`; resets as RFC 3339 times). RFC 9110, 10.2.3
 * (`retry-after`, in seconds or as a date), and `retry-after-ms`.
 *
 * @since 0.1.0
 */

/**
 * One limit as the provider counts it. Both providers count per minute where they do not say otherwise.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProviderLimit {
  readonly limit: number
  readonly remaining: number
  /** Until it is whole again. */
  readonly resetMillis: number
}

/**
 * What a provider said.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProviderLimits {
  readonly limits: { readonly [K in Counted]?: ProviderLimit }
  readonly retryAfterMillis?: number
}

/**
 * What providers count.
 *
 * @category models
 * @since 0.1.0
 */
export type Counted = "requests" | "tokens" | "input-tokens" | "output-tokens"

const counted: ReadonlyArray<Counted> = ["requests", "tokens", "input-tokens", "output-tokens"]

/**
 * Reads the headers of an answer; whatever is missing or malformed is left out.
 *
 * ```ts
 * import { parse } from "@interlock/stages/limit/providerLimits"
 *
 * const { limits } = parse(
 *   { "x-ratelimit-limit-tokens": "150000", "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6m0s" },
 *   Date.now()
 * )
 * console.assert(limits.tokens?.remaining === 149984 && limits.tokens.resetMillis === 360_000)
 * ```
 *
 * @category parsing
 * @since 0.1.0
 */
export const parse = (headers: { readonly [name: string]: unknown }, nowMillis: number): ProviderLimits => {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value).trim()]))
  const limits: { [K in Counted]?: ProviderLimit } = {}
  for (const each of counted) {
    const found =
      read(lower, (field) => `x-ratelimit-${field}-${each}`, nowMillis) ??
      read(lower, (field) => `anthropic-ratelimit-${each}-${field}`, nowMillis)
    if (found !== undefined) limits[each] = found
  }
  const retryAfterMillis = retryAfter(lower, nowMillis)
  return { limits, ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }) }
}

const read = (
  headers: ReadonlyMap<string, string>,
  name: (field: "limit" | "remaining" | "reset") => string,
  now: number
): ProviderLimit | undefined => {
  const limit = whole(headers.get(name("limit")))
  const remaining = whole(headers.get(name("remaining")))
  if (limit === undefined || limit === 0 || remaining === undefined) return undefined
  return { limit, remaining: Math.min(limit, remaining), resetMillis: reset(headers.get(name("reset")), now) ?? 60_000 }
}

const whole = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

const reset = (text: string | undefined, now: number): number | undefined => {
  if (text === undefined) return undefined
  const spans = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)]
  if (spans.length > 0 && spans.map(([all]) => all).join("") === text) {
    const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
    return spans.reduce((sum, [, number, name]) => sum + Number(number) * unit[name as keyof typeof unit], 0)
  }
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Number(text) * 1000
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

const retryAfter = (headers: ReadonlyMap<string, string>, now: number): number | undefined => {
  const millis = whole(headers.get("retry-after-ms"))
  if (millis !== undefined) return millis
  const text = headers.get("retry-after")
  if (text === undefined) return undefined
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Number(text) * 1000
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

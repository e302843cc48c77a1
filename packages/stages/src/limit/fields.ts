/**
 * The standard header fields that tell a caller where it stands: `RateLimit-Policy` and `RateLimit`
 * (draft-ietf-httpapi-ratelimit-headers-10) and `Retry-After` (RFC 9110, 10.2.3).
 *
 * @since 0.1.0
 */

/**
 * Where a caller stands with one limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  readonly name: string
  readonly limit: number
  readonly remaining: number
  /** Until it is whole again; 0 where it is whole. */
  readonly resetMillis: number
  /** The length of its period; absent for places. */
  readonly seconds?: number
}

/**
 * The fields for an answer, or for a refusal with its `retryAfterMillis`.
 *
 * ```ts
 * import { fields } from "@interlock/stages/limit/fields"
 *
 * const headers = fields([{ name: "tokens", limit: 100, remaining: 25, resetMillis: 45_000, seconds: 60 }])
 * console.assert(headers["RateLimit-Policy"] === '"tokens";q=100;w=60')
 * console.assert(headers["RateLimit"] === '"tokens";r=25;t=45')
 * ```
 *
 * @category rendering
 * @since 0.1.0
 */
export const fields = (
  statuses: ReadonlyArray<Status>,
  retryAfterMillis?: number
): { readonly [name: string]: string } => ({
  ...(statuses.length === 0
    ? {}
    : {
        "RateLimit-Policy": statuses
          .map(
            ({ limit, name, seconds }) =>
              `"${name}";q=${Math.floor(limit)}${seconds === undefined ? "" : `;w=${Math.ceil(seconds)}`}`
          )
          .join(", "),
        RateLimit: statuses
          .map(
            ({ name, remaining, resetMillis }) =>
              `"${name}";r=${Math.floor(remaining)};t=${Math.ceil(resetMillis / 1000)}`
          )
          .join(", ")
      }),
  ...(retryAfterMillis === undefined || !Number.isFinite(retryAfterMillis)
    ? {}
    : { "Retry-After": `${Math.max(1, Math.ceil(retryAfterMillis / 1000))}` })
})

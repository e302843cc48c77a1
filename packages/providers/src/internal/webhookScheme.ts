/**
 * What the schemes of signed webhooks have in common: headers, age, bytes, and the refusal.
 *
 * @since 0.1.0
 */
import { timingSafeEqual } from "node:crypto"
import { Clock, Duration, Effect } from "effect"
import { type Incoming, MissingHeader, StaleTimestamp, WebhookRefused } from "../Webhook.ts"

/** The refusal of a webhook. */
export const refuse = (provider: string, reason: WebhookRefused["reason"], why: string) =>
  new WebhookRefused({ provider, reason, message: `A webhook for ${provider} was refused: ${why}.` })

/** The headers of a scheme, all of them there. */
export const headersOf = <const Names extends ReadonlyArray<string>>(
  provider: string,
  { headers }: Incoming,
  names: Names
): Effect.Effect<{ readonly [Name in Names[number]]: string }, WebhookRefused> => {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const found: { [name: string]: string } = {}
  for (const name of names) {
    const value = lower.get(name)
    const text = typeof value === "string" ? value : value?.[0]
    if (text === undefined || text === "") {
      return Effect.fail(refuse(provider, new MissingHeader({ header: name }), `it has no header ${name}`))
    }
    found[name] = text
  }
  return Effect.succeed(found as { readonly [Name in Names[number]]: string })
}

/** Neither older nor newer than the tolerance. */
export const fresh = (
  provider: string,
  timestamp: string,
  tolerance: Duration.Input
): Effect.Effect<void, WebhookRefused> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const seconds = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) : Number.NaN
    const age = now / 1000 - seconds
    if (Math.abs(age) <= Duration.toMillis(Duration.fromInputUnsafe(tolerance)) / 1000) return Effect.void
    const ageSeconds = Number.isNaN(age) ? Number.MAX_SAFE_INTEGER : Math.round(age)
    return Effect.fail(
      refuse(provider, new StaleTimestamp({ ageSeconds }), `it was signed ${ageSeconds} s ago, by its own account`)
    )
  })

/** The body as it was signed. */
export const bytesOf = (body: Incoming["body"]): Buffer =>
  typeof body === "string" ? Buffer.from(body) : Buffer.from(body)

/** Whether two signatures are the same, in a time that does not say where they differ. */
export const equal = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && timingSafeEqual(one, other)

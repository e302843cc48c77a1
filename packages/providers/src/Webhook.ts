/**
 * Webhooks of queues: what a provider sends when a job is done is verified, and handed to the call that waits for it.
 *
 * Mount `Fal.receive` or `Replicate.receive` where the provider's requests arrive, with the body exactly as it came: a
 * signature is of bytes. What is not signed by the provider, or too old, is refused and changes nothing.
 *
 * @since 0.1.0
 */
import { createHmac } from "node:crypto"
import { Context, Deferred, Duration, Effect, Layer, Schema } from "effect"
import { bytesOf, equal, fresh, headersOf, refuse } from "./internal/webhookScheme.ts"

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * A header that the scheme needs is absent.
 *
 * @category reasons
 * @since 0.1.0
 */
export class MissingHeader extends Schema.TaggedClass<MissingHeader>()("MissingHeader", { header: Schema.String }) {}

/**
 * The webhook was signed too long ago, or in the future; it may be a replay.
 *
 * @category reasons
 * @since 0.1.0
 */
export class StaleTimestamp extends Schema.TaggedClass<StaleTimestamp>()("StaleTimestamp", {
  ageSeconds: Schema.Number
}) {}

/**
 * No signature is the provider's.
 *
 * @category reasons
 * @since 0.1.0
 */
export class WrongSignature extends Schema.TaggedClass<WrongSignature>()("WrongSignature", {}) {}

/**
 * The signature holds, but the body does not say what it is about.
 *
 * @category reasons
 * @since 0.1.0
 */
export class UnreadableBody extends Schema.TaggedClass<UnreadableBody>()("UnreadableBody", {}) {}

/**
 * The provider's keys cannot be had, so nothing can be verified.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NoKeys extends Schema.TaggedClass<NoKeys>()("NoKeys", {}) {}

/**
 * A webhook was refused. The message holds nothing of its body.
 *
 * @category errors
 * @since 0.1.0
 */
export class WebhookRefused extends Schema.TaggedError<WebhookRefused>()("WebhookRefused", {
  provider: Schema.String,
  reason: Schema.Union([MissingHeader, StaleTimestamp, WrongSignature, UnreadableBody, NoKeys]),
  message: Schema.String
}) {}

// ---------------------------------------------------------------------------------------------------------------
// Verifying
// ---------------------------------------------------------------------------------------------------------------

/**
 * A request as it came: header names in any case, and the body's bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Incoming {
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
  readonly body: string | Uint8Array
}

/**
 * How far a signature's time may be from now.
 *
 * @category constants
 * @since 0.1.0
 */
export const tolerance: Duration.Duration = Duration.minutes(5)

/**
 * Verifies a webhook of the Standard Webhooks scheme (standardwebhooks.com), which Replicate uses: HMAC-SHA256 over
 * `id.timestamp.body`, with the secret behind `whsec_`. Of several signatures one must hold, so that keys can be rotated.
 *
 * @category verifying
 * @since 0.1.0
 */
export const verifyStandard = Effect.fnUntraced(function* (
  provider: string,
  incoming: Incoming,
  secret: string
): Effect.fn.Return<void, WebhookRefused> {
  const {
    "webhook-id": id,
    "webhook-signature": signatures,
    "webhook-timestamp": timestamp
  } = yield* headersOf(provider, incoming, ["webhook-id", "webhook-timestamp", "webhook-signature"])
  yield* fresh(provider, timestamp, tolerance)
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64")
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(bytesOf(incoming.body)).digest()
  const holds =
    key.length > 0 &&
    signatures.split(" ").some((one) => {
      const [version, signature = ""] = one.split(",")
      return version === "v1" && equal(Buffer.from(signature, "base64"), expected)
    })
  if (!holds) return yield* refuse(provider, new WrongSignature(), "its signature is not the provider's")
})

// ---------------------------------------------------------------------------------------------------------------
// The inbox
// ---------------------------------------------------------------------------------------------------------------

/**
 * Where verified webhooks wait for their calls, and calls for their webhooks.
 *
 * @category services
 * @since 0.1.0
 */
export class Inbox extends Context.Service<
  Inbox,
  {
    /** Hands over what a job's webhook said; a second delivery of the same job changes nothing. */
    readonly deliver: (provider: string, job: string, said: unknown) => Effect.Effect<void>
    /** Waits for a job's webhook, which may have come already. */
    readonly wait: (provider: string, job: string) => Effect.Effect<unknown>
  }
>()("@interlock/providers/Webhook/Inbox") {}

/**
 * An inbox in this process: the webhook must arrive where the call was made. It keeps the last `keep` deliveries that nobody
 * has asked for yet; default 1,000.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerInbox = (options: { readonly keep?: number } = {}): Layer.Layer<Inbox> =>
  Layer.sync(Inbox)(() => {
    const keep = options.keep ?? 1_000
    const boxes = new Map<string, { readonly arrived: Deferred.Deferred<unknown>; waiting: number }>()
    const boxOf = (provider: string, job: string) => {
      const name = `${provider}\0${job}`
      let box = boxes.get(name)
      if (box === undefined) {
        box = { arrived: Deferred.makeUnsafe(), waiting: 0 }
        boxes.set(name, box)
        for (const [other, { waiting }] of boxes) {
          if (boxes.size <= keep) break
          if (waiting === 0 && other !== name) boxes.delete(other)
        }
      }
      return { box, name }
    }
    return {
      deliver: (provider, job, said) =>
        Effect.sync(() => Deferred.doneUnsafe(boxOf(provider, job).box.arrived, Effect.succeed(said))),
      wait: (provider, job) =>
        Effect.suspend(() => {
          const { box, name } = boxOf(provider, job)
          box.waiting++
          return Effect.ensuring(
            Deferred.await(box.arrived),
            Effect.sync(() => {
              box.waiting--
              if (box.waiting === 0) boxes.delete(name)
            })
          )
        })
    }
  })

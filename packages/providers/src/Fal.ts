/**
 * `Fal` is the provider of the image models behind fal's queue: submit, ask after or wait for a webhook, fetch, cancel.
 *
 * A model is named as fal names it (`fal-ai/flux/schnell`). Models differ in the names of their inputs; those here are the usual
 * ones (`prompt`, `num_images`, `seed`, `image_size` or `aspect_ratio`, `image_url` or `image_urls`, `mask_url`), and
 * `providerOptions.fal` of a call adds to or replaces them. The key comes from `FAL_KEY`.
 *
 * ```ts
 * import { Fal, Models } from "@interlock/providers"
 *
 * export const layer = Models.layer([Fal.provider({ poll: "2 seconds" })])
 * ```
 *
 * @since 0.1.0
 */
import { createHash, createPublicKey, verify } from "node:crypto"
import { ImageRequest, Prompt } from "@interlock/model"
import { Clock, Context, Duration, Effect, Layer, Semaphore } from "effect"
import { HttpClientRequest } from "effect/http"
import type { Failure } from "./internal/aiSdkError.ts"
import { begin, httpClient, json } from "./internal/exchange.ts"
import { call, type Queue, type Status } from "./internal/imageQueue.ts"
import { sentOf, urlOf } from "./internal/pictureFile.ts"
import { requiredKey } from "./internal/settings.ts"
import { bytesOf, fresh, headersOf, refuse } from "./internal/webhookScheme.ts"
import type { MissingKey } from "./MissingKey.ts"
import type { ModelProvider, ModelRequest } from "./Models.ts"
import * as Webhook from "./Webhook.ts"

/**
 * What may differ from the defaults.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The provider's name in `ChosenModel` and the catalogue. Default: `fal`. */
  readonly name?: string
  /** The variable that holds the key. Default: `FAL_KEY`. */
  readonly keyVariable?: string
  /** The address of the queue. Default: fal's own. */
  readonly baseUrl?: string
  /** How often to ask after a job. Default: every second; with a webhook, every 30 seconds in case it is lost. */
  readonly poll?: Duration.Input
  /** Where fal is to send its webhook, and the inbox into which `receive` puts it. */
  readonly webhook?: { readonly url: string; readonly inbox: Webhook.Inbox["Service"] }
}

/**
 * Makes the provider; without a key it is a typed error that names the variable.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (options: Options = {}): Effect.Effect<ModelProvider, MissingKey> =>
  Effect.gen(function* () {
    const name = options.name ?? "fal"
    const key = yield* requiredKey(name, options.keyVariable ?? "FAL_KEY")
    const base = (options.baseUrl ?? "https://queue.fal.run").replace(/\/+$/, "")
    const client = yield* httpClient
    const { webhook } = options
    const poll = Duration.fromInputUnsafe(options.poll ?? (webhook === undefined ? "1 second" : "30 seconds"))
    const queue = makeQueue(base, key)
    return {
      name,
      call: (request) =>
        Effect.flatMap(begin(client, request), (exchange) => call(queue, exchange, request, { poll, webhook }))
    }
  })

const makeQueue = (base: string, key: string): Queue => {
  const authorised = HttpClientRequest.setHeader("authorization", `Key ${key}`)
  // A job is asked after under its application, without the path of the model within it.
  const job = ({ model }: ModelRequest, id: string) =>
    `${base}/${model
      .split("/")
      .slice(0, namespaced.test(model) ? 3 : 2)
      .join("/")}/requests/${encodeURIComponent(id)}`
  return {
    submit: (exchange, request, webhook) => {
      const post = HttpClientRequest.post(`${base}/${request.model}`).pipe(
        authorised,
        HttpClientRequest.bodyJsonUnsafe(inputOf(request))
      )
      return Effect.flatMap(
        json(
          exchange,
          webhook === undefined ? post : HttpClientRequest.setUrlParam(post, "fal_webhook", webhook),
          "connect"
        ),
        (answer) => {
          const id = isRecord(answer) ? answer["request_id"] : undefined
          return typeof id === "string" && id !== ""
            ? Effect.succeed({ id, status: queuedOf(answer) })
            : Effect.fail(exchange.fail({ reason: "InvalidAnswer", detail: "a job without a name" }))
        }
      )
    },
    status: (exchange, request, id) =>
      Effect.flatMap(
        json(exchange, authorised(HttpClientRequest.get(`${job(request, id)}/status`)), "connect"),
        (answer) => {
          const status = isRecord(answer) ? answer["status"] : undefined
          if (status === "IN_QUEUE") return Effect.succeed(queuedOf(answer))
          if (status === "IN_PROGRESS") return Effect.succeed<Status>({ _tag: "Running" })
          if (status !== "COMPLETED") {
            return Effect.fail(exchange.fail({ reason: "InvalidAnswer", detail: "a job in a state that is not known" }))
          }
          return Effect.map(
            json(exchange, authorised(HttpClientRequest.get(job(request, id))), "connect"),
            (answer): Status => ({ _tag: "Done", answer })
          )
        }
      ),
    cancel: (exchange, request, id) =>
      json(exchange, authorised(HttpClientRequest.put(`${job(request, id)}/cancel`)), "connect"),
    delivered: (said) => {
      if (!isRecord(said) || said["status"] !== "OK") return { _tag: "Failed", failure: failureOf(said) }
      // A payload that fal could not put into its webhook (`payload_error`) is asked for instead.
      return isRecord(said["payload"]) ? { _tag: "Done", answer: said["payload"] } : { _tag: "Running" }
    },
    output: (answer) => {
      if (!isRecord(answer)) return undefined
      const images = Array.isArray(answer["images"]) ? answer["images"] : [answer["image"]]
      const flagged = Array.isArray(answer["has_nsfw_concepts"]) ? answer["has_nsfw_concepts"] : []
      const seed = answer["seed"]
      const pictures = images.flatMap((image, index) =>
        isRecord(image) && typeof image["url"] === "string" && flagged[index] !== true
          ? [{ url: image["url"], ...sizeOf(image) }]
          : []
      )
      return {
        pictures,
        filtered: flagged.filter((one) => one === true).length,
        ...(typeof seed === "number" && Number.isSafeInteger(seed) ? { seed } : {})
      }
    },
    fetch: (url) => (new URL(url).origin === new URL(base).origin ? authorised : same)(HttpClientRequest.get(url))
  }
}

/** Applications that stand in a namespace of fal's. */
const namespaced = /^(?:workflows|comfy)\//

const same = (request: HttpClientRequest.HttpClientRequest) => request

const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const queuedOf = (answer: unknown): Status => {
  const position = isRecord(answer) ? answer["queue_position"] : undefined
  return { _tag: "Queued", ...(typeof position === "number" ? { position } : {}) }
}

const sizeOf = ({ height, width }: { readonly [field: string]: unknown }) => ({
  ...(typeof width === "number" ? { width } : {}),
  ...(typeof height === "number" ? { height } : {})
})

/** A webhook's word for what failed: only its kind, never what it quotes. */
const failureOf = (said: unknown): Failure =>
  /content_policy|nsfw|safety/i.test(JSON.stringify(said) ?? "")
    ? { reason: "ContentFiltered", detail: "the job was filtered" }
    : { reason: "InvalidAnswer", detail: "the job failed" }

const inputOf = ({ prompt, settings }: ModelRequest): { readonly [name: string]: unknown } => {
  const { aspectRatio, count, mask, references, seed, size } = ImageRequest.of(prompt, settings.image)
  const urls = references.map((file) => urlOf(sentOf(file)))
  return {
    prompt: Prompt.text(prompt),
    num_images: count,
    ...(seed === undefined ? {} : { seed }),
    ...(size === undefined ? {} : { image_size: ImageRequest.pixels(size) }),
    ...(aspectRatio === undefined ? {} : { aspect_ratio: aspectRatio }),
    ...(urls.length === 0 ? {} : urls.length === 1 ? { image_url: urls[0] } : { image_urls: urls }),
    ...(mask === undefined ? {} : { mask_url: urlOf(sentOf(mask)) }),
    ...settings.providerOptions?.["fal"]
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Webhooks
// ---------------------------------------------------------------------------------------------------------------

/**
 * The keys with which fal signs webhooks.
 *
 * @category services
 * @since 0.1.0
 */
export class Keys extends Context.Service<
  Keys,
  {
    /** The `x` of each Ed25519 key of fal's key set, in base64url. */
    readonly all: Effect.Effect<ReadonlyArray<string>, Webhook.WebhookRefused>
    /** The same, looked up anew where that was not tried just now: asked for when none of the known keys holds. */
    readonly renewed: Effect.Effect<ReadonlyArray<string>, Webhook.WebhookRefused>
  }
>()("@interlock/providers/Fal/Keys") {}

/**
 * The keys as fal publishes them, fetched when first needed, once a day, and for a signature that none of them holds (as when fal has
 * changed them), once a minute at most.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerKeys = (options: { readonly url?: string } = {}): Layer.Layer<Keys> =>
  Layer.effect(
    Keys,
    Effect.gen(function* () {
      const client = yield* httpClient
      const none = () => refuse("fal", new Webhook.NoKeys(), "fal's keys cannot be fetched")
      const one = yield* Semaphore.make(1)
      let known: ReadonlyArray<string> | undefined
      let fetchedAt = 0
      let triedAt = 0
      const fetched = Effect.gen(function* () {
        triedAt = yield* Clock.currentTimeMillis
        const exchange = yield* begin(client, { provider: "fal", model: "keys", prompt: { content: [] } })
        const url = options.url ?? "https://rest.fal.ai/.well-known/jwks.json"
        const answer = yield* Effect.mapError(json(exchange, HttpClientRequest.get(url), "connect"), none)
        const listed = isRecord(answer) && Array.isArray(answer["keys"]) ? answer["keys"] : []
        const keys = listed.flatMap((each) => (isRecord(each) && typeof each["x"] === "string" ? [each["x"]] : []))
        if (keys.length === 0) return yield* none()
        known = keys
        fetchedAt = triedAt
        return keys
      })
      /** The known keys while they will do; many who ask at once are one who fetches. */
      const unless = (willDo: (now: number) => boolean) => {
        const present = Effect.map(Clock.currentTimeMillis, (now) => (willDo(now) ? known : undefined))
        const or = <E>(otherwise: Effect.Effect<ReadonlyArray<string>, E>) =>
          Effect.flatMap(present, (keys) => (keys === undefined ? otherwise : Effect.succeed(keys)))
        return or(one.withPermit(or(fetched)))
      }
      const minute = Duration.toMillis("1 minute")
      const day = Duration.toMillis("1 day")
      return { all: unless((now) => now < fetchedAt + day), renewed: unless((now) => now < triedAt + minute) }
    })
  )

/**
 * Takes one of fal's webhooks: verifies its signature (Ed25519 over request, user, time and the body's digest, by the key set
 * that fal publishes) and its age, and puts it into the inbox. What does not hold is refused.
 *
 * @category webhooks
 * @since 0.1.0
 */
export const receive = Effect.fnUntraced(function* (
  incoming: Webhook.Incoming,
  options: { readonly name?: string } = {}
): Effect.fn.Return<void, Webhook.WebhookRefused, Webhook.Inbox | Keys> {
  const name = options.name ?? "fal"
  const {
    "x-fal-webhook-request-id": id,
    "x-fal-webhook-signature": signature,
    "x-fal-webhook-timestamp": timestamp,
    "x-fal-webhook-user-id": user
  } = yield* headersOf(name, incoming, [
    "x-fal-webhook-request-id",
    "x-fal-webhook-user-id",
    "x-fal-webhook-timestamp",
    "x-fal-webhook-signature"
  ])
  yield* fresh(name, timestamp, Webhook.tolerance)
  const body = bytesOf(incoming.body)
  const message = Buffer.from(`${id}\n${user}\n${timestamp}\n${createHash("sha256").update(body).digest("hex")}`)
  const keys = yield* Keys
  const signed = Buffer.from(/^[0-9a-f]{128}$/i.test(signature) ? signature : "", "hex")
  const holds = (x: string) => {
    try {
      const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" })
      return verify(null, message, key, signed)
    } catch {
      return false
    }
  }
  const signedByOneOf = Effect.map((all: ReadonlyArray<string>) => all.some(holds))
  const held = signed.length === 64 && ((yield* signedByOneOf(keys.all)) || (yield* signedByOneOf(keys.renewed)))
  if (!held) return yield* refuse(name, new Webhook.WrongSignature(), "its signature is not fal's")
  const said = yield* Effect.try({
    try: () => JSON.parse(body.toString()) as unknown,
    catch: () => refuse(name, new Webhook.UnreadableBody(), "its body is no JSON")
  })
  const job = isRecord(said) ? said["request_id"] : undefined
  if (typeof job !== "string") {
    return yield* refuse(name, new Webhook.UnreadableBody(), "its body does not say which job it is about")
  }
  const inbox = yield* Webhook.Inbox
  yield* inbox.deliver(name, job, said)
})

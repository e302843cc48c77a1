/**
 * `Replicate` is the provider of the image models behind Replicate's predictions: submit, ask after or wait for a webhook, fetch,
 * cancel.
 *
 * A model is named `owner/name`, or `owner/name:version`. Models differ in the names of their inputs; those here are the usual
 * ones (`prompt`, `num_outputs`, `seed`, `width` and `height` or `aspect_ratio`, `image` or `image_input`, `mask`), and
 * `providerOptions.replicate` of a call adds to or replaces them. The key comes from `REPLICATE_API_TOKEN`.
 *
 * ```ts
 * import { Models, Replicate } from "@interlock/providers"
 *
 * export const layer = Models.layer([Replicate.provider({ poll: "2 seconds" })])
 * ```
 *
 * @since 0.1.0
 */
import { ImageRequest, Prompt } from "@interlock/model"
import { Duration, Effect, Redacted } from "effect"
import { HttpClientRequest } from "effect/http"
import { begin, type Exchange, httpClient, json } from "./internal/exchange.ts"
import { call, type Queue, type Status } from "./internal/imageQueue.ts"
import { sentOf, urlOf } from "./internal/pictureFile.ts"
import { requiredKey } from "./internal/settings.ts"
import { bytesOf, refuse } from "./internal/webhookScheme.ts"
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
  /** The provider's name in `ChosenModel` and the catalogue. Default: `replicate`. */
  readonly name?: string
  /** The variable that holds the key. Default: `REPLICATE_API_TOKEN`. */
  readonly keyVariable?: string
  /** The address of the API. Default: Replicate's own. */
  readonly baseUrl?: string
  /** How often to ask after a job. Default: every second; with a webhook, every 30 seconds in case it is lost. */
  readonly poll?: Duration.Input
  /** Where Replicate is to send its webhook, and the inbox into which `receive` puts it. */
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
    const name = options.name ?? "replicate"
    const key = yield* requiredKey(name, options.keyVariable ?? "REPLICATE_API_TOKEN")
    const base = (options.baseUrl ?? "https://api.replicate.com/v1").replace(/\/+$/, "")
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
  const authorised = HttpClientRequest.bearerToken(key)
  const job = (id: string) => `${base}/predictions/${encodeURIComponent(id)}`
  const known = (exchange: Exchange, answer: unknown) => {
    const status = statusOf(answer)
    return status === undefined
      ? Effect.fail(exchange.fail({ reason: "InvalidAnswer", detail: "a job in a state that is not known" }))
      : Effect.succeed(status)
  }
  return {
    submit: Effect.fnUntraced(function* (exchange, request, webhook) {
      const [model = "", version] = request.model.split(":")
      const post = HttpClientRequest.post(
        version === undefined ? `${base}/models/${model}/predictions` : `${base}/predictions`
      )
      const answer = yield* json(
        exchange,
        HttpClientRequest.bodyJsonUnsafe(authorised(post), {
          ...(version === undefined ? {} : { version }),
          input: inputOf(request),
          ...(webhook === undefined ? {} : { webhook, webhook_events_filter: ["completed"] })
        }),
        "connect"
      )
      const id = isRecord(answer) ? answer["id"] : undefined
      if (typeof id !== "string" || id === "") {
        return yield* exchange.fail({ reason: "InvalidAnswer", detail: "a job without a name" })
      }
      return { id, status: yield* known(exchange, answer) }
    }),
    status: (exchange, _, id) =>
      Effect.flatMap(json(exchange, authorised(HttpClientRequest.get(job(id))), "connect"), (answer) =>
        known(exchange, answer)
      ),
    cancel: (exchange, _, id) => json(exchange, authorised(HttpClientRequest.post(`${job(id)}/cancel`)), "connect"),
    delivered: (said) =>
      statusOf(said) ?? { _tag: "Failed", failure: { reason: "InvalidAnswer", detail: "the job failed" } },
    output: (answer) => {
      if (!isRecord(answer)) return undefined
      const { output } = answer
      const metrics = isRecord(answer["metrics"]) ? answer["metrics"] : {}
      const urls = (Array.isArray(output) ? output : [output]).filter((one): one is string => typeof one === "string")
      const seconds = metrics["predict_time"]
      return {
        pictures: urls.map((url) => ({ url })),
        filtered: 0,
        ...(typeof seconds === "number" ? { said: { predictSeconds: seconds } } : {})
      }
    },
    fetch: (url) => {
      const get = HttpClientRequest.get(url)
      return new URL(url).origin === new URL(base).origin ? authorised(get) : get
    }
  }
}

const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const statusOf = (prediction: unknown): Status | undefined => {
  if (!isRecord(prediction)) return undefined
  switch (prediction["status"]) {
    case "starting":
      return { _tag: "Queued" }
    case "processing": {
      // Models write their progress into the log, as a bar: ` 42%|████`.
      const logs = prediction["logs"]
      const percent = typeof logs === "string" ? [...logs.matchAll(/(\d{1,3})%\|/g)].at(-1)?.[1] : undefined
      return { _tag: "Running", ...(percent === undefined ? {} : { fraction: Math.min(1, Number(percent) / 100) }) }
    }
    case "succeeded":
      return { _tag: "Done", answer: prediction }
    case "failed":
    case "canceled":
    case "aborted":
      return {
        _tag: "Failed",
        failure: /nsfw|safety|sensitive|flagged/i.test(String(prediction["error"] ?? ""))
          ? { reason: "ContentFiltered", detail: "the job was filtered" }
          : {
              reason: "InvalidAnswer",
              detail: `the job ${prediction["status"] === "failed" ? "failed" : "was cancelled"}`
            }
      }
    default:
      return undefined
  }
}

const inputOf = ({ prompt, settings }: ModelRequest): { readonly [name: string]: unknown } => {
  const { aspectRatio, count, mask, references, seed, size } = ImageRequest.of(prompt, settings.image)
  const urls = references.map((file) => urlOf(sentOf(file)))
  return {
    prompt: Prompt.text(prompt),
    ...(count === 1 ? {} : { num_outputs: count }),
    ...(seed === undefined ? {} : { seed }),
    ...(size === undefined ? {} : ImageRequest.pixels(size)),
    ...(aspectRatio === undefined ? {} : { aspect_ratio: aspectRatio }),
    ...(urls.length === 0 ? {} : urls.length === 1 ? { image: urls[0] } : { image_input: urls }),
    ...(mask === undefined ? {} : { mask: urlOf(sentOf(mask)) }),
    ...settings.providerOptions?.["replicate"]
  }
}

/**
 * Takes one of Replicate's webhooks: verifies its signature (Standard Webhooks, with the signing secret of the account) and its
 * age, and puts it into the inbox. What does not hold is refused.
 *
 * @category webhooks
 * @since 0.1.0
 */
export const receive = Effect.fnUntraced(function* (
  incoming: Webhook.Incoming,
  options: { readonly secret: Redacted.Redacted; readonly name?: string }
): Effect.fn.Return<void, Webhook.WebhookRefused, Webhook.Inbox> {
  const name = options.name ?? "replicate"
  yield* Webhook.verifyStandard(name, incoming, Redacted.value(options.secret))
  const said = yield* Effect.try({
    try: () => JSON.parse(bytesOf(incoming.body).toString()) as unknown,
    catch: () => refuse(name, new Webhook.UnreadableBody(), "its body is no JSON")
  })
  const job = isRecord(said) ? said["id"] : undefined
  if (typeof job !== "string") {
    return yield* refuse(name, new Webhook.UnreadableBody(), "its body does not say which job it is about")
  }
  const status = statusOf(said)
  // Only what ends a job is waited for.
  if (status?._tag !== "Done" && status?._tag !== "Failed") return
  const inbox = yield* Webhook.Inbox
  yield* inbox.deliver(name, job, said)
})

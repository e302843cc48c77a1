/**
 * Requests to an image provider over `effect/http`: their deadlines on the `Clock`, their failures as `ModelError`s without
 * key or prompt, and the events of a stream.
 *
 * @since 0.1.0
 */
import type { ModelError, Prompt } from "@interlock/model"
import { Clock, Duration, Effect, Option, Stream } from "effect"
import { Sse } from "effect/encoding"
import {
  FetchHttpClient,
  HttpClient,
  type HttpClientError,
  type HttpClientRequest,
  type HttpClientResponse
} from "effect/http"
import { Timeouts } from "../Timeouts.ts"
import { brokenOff, classify, conceal, type Failure, toModelError } from "./aiSdkError.ts"

/** One call of one model, and with what it is made. */
export interface Exchange {
  readonly provider: string
  readonly model: string
  readonly client: HttpClient.HttpClient
  readonly clock: Clock.Clock
  readonly startedAt: number
  /** Milliseconds. */
  readonly limits: {
    readonly connect: number
    readonly firstPart: number
    readonly idle: number
    readonly whole: number
  }
  readonly fail: (failure: Failure) => ModelError.ModelError
}

/** The client of the context, or else one over `fetch`. */
export const httpClient: Effect.Effect<HttpClient.HttpClient> = Effect.flatMap(
  Effect.serviceOption(HttpClient.HttpClient),
  Option.match({
    onNone: () => Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer),
    onSome: Effect.succeed
  })
)

/** Begins an exchange. */
export const begin = (
  client: HttpClient.HttpClient,
  { model, prompt, provider }: { readonly provider: string; readonly model: string; readonly prompt: Prompt.Prompt }
): Effect.Effect<Exchange> =>
  Effect.gen(function* () {
    const phases = yield* Timeouts
    const clock = yield* Clock.Clock
    return {
      provider,
      model,
      client,
      clock,
      startedAt: clock.currentTimeMillisUnsafe(),
      limits: {
        connect: Duration.toMillis(phases.connect),
        firstPart: Duration.toMillis(phases.firstPart),
        idle: Duration.toMillis(phases.idle),
        whole: Duration.toMillis(phases.whole)
      },
      fail: (failure) => toModelError(provider, model, { ...failure, detail: conceal(failure.detail, prompt.content) })
    }
  })

const words = { connect: "connect", firstPart: "first-part", idle: "idle", whole: "whole" } as const
type Phase = keyof typeof words

/** Fails with a timeout when the effect takes longer than its phase may, or the call as a whole. */
export const within = <A, R>(
  exchange: Exchange,
  phase: Phase,
  effect: Effect.Effect<A, ModelError.ModelError, R>
): Effect.Effect<A, ModelError.ModelError, R> =>
  Effect.suspend(() => {
    const spent = exchange.clock.currentTimeMillisUnsafe() - exchange.startedAt
    const left = exchange.limits.whole - spent
    const own = phase === "firstPart" ? exchange.limits.firstPart - spent : exchange.limits[phase]
    const missed = own <= left ? phase : "whole"
    const afterMs = exchange.limits[missed]
    return Effect.timeoutOrElse(effect, {
      duration: Math.max(0, Math.min(own, left)),
      orElse: () =>
        Effect.fail(
          exchange.fail({
            reason: "Timeout",
            detail: `nothing within ${afterMs / 1000} s`,
            missed: { phase: words[missed], afterMs }
          })
        )
    })
  })

/** Why a request failed, when no answer came or it broke off. */
const broken =
  (exchange: Exchange) =>
  ({ reason }: HttpClientError.HttpClientError): ModelError.ModelError => {
    const cause = "cause" in reason ? reason.cause : undefined
    if (reason._tag === "InvalidUrlError")
      return exchange.fail({ reason: "BadRequest", detail: "the address is no URL" })
    if (reason._tag === "DecodeError" || reason._tag === "EmptyBodyError") return exchange.fail(brokenOff)
    const failure = classify(cause ?? reason, exchange.clock.currentTimeMillisUnsafe())
    return exchange.fail(
      failure.reason === "InvalidAnswer" ? { reason: "Network", detail: "the connection failed" } : failure
    )
  }

/** The explanations of fal (`detail`, as text or a list) and Replicate (`title`, `detail`) in the form of the others. */
const inOneForm = (body: string): string => {
  try {
    const { detail, title } = JSON.parse(body) as { readonly detail?: unknown; readonly title?: unknown }
    if (typeof detail === "string") return JSON.stringify({ error: { message: `${title ?? ""} ${detail}`.trim() } })
    if (!Array.isArray(detail)) return body
    const all = (field: string) =>
      detail.map((each: { readonly [name: string]: unknown }) => each?.[field] ?? "").join(" ")
    return JSON.stringify({ error: { message: all("msg"), code: all("type").split(" ")[0] } })
  } catch {
    return body
  }
}

/** Sends a request and waits for the head of the answer; a status of failure is a failure. */
export const send = (
  exchange: Exchange,
  request: HttpClientRequest.HttpClientRequest,
  phase: Phase = "connect"
): Effect.Effect<HttpClientResponse.HttpClientResponse, ModelError.ModelError> =>
  within(
    exchange,
    phase,
    exchange.client.execute(request).pipe(
      // Traces are the tracing policy's business, and their ids none of the provider's.
      Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
      Effect.mapError(broken(exchange)),
      Effect.flatMap((response) =>
        response.status < 400
          ? Effect.succeed(response)
          : Effect.flatMap(
              Effect.orElseSucceed(response.text, () => ""),
              (responseBody) =>
                Effect.fail(
                  exchange.fail(
                    classify(
                      {
                        statusCode: response.status,
                        responseBody: inOneForm(responseBody),
                        responseHeaders: { ...response.headers }
                      },
                      exchange.clock.currentTimeMillisUnsafe()
                    )
                  )
                )
            )
      )
    )
  )

/** What an answer says, when it is JSON. */
export const parsed = (exchange: Exchange, text: string): Effect.Effect<unknown, ModelError.ModelError> =>
  Effect.try({
    try: () => JSON.parse(text) as unknown,
    catch: () => exchange.fail({ reason: "InvalidAnswer", detail: "the answer is no JSON" })
  })

/** Sends a request and reads the whole of its answer as JSON. */
export const json = (
  exchange: Exchange,
  request: HttpClientRequest.HttpClientRequest,
  phase: "connect" | "whole" = "whole"
): Effect.Effect<unknown, ModelError.ModelError> =>
  within(
    exchange,
    phase,
    Effect.flatMap(send(exchange, request, phase), (response) => Effect.mapError(response.text, broken(exchange)))
  ).pipe(Effect.flatMap((text) => parsed(exchange, text)))

/** The most bytes that one event, or one picture, may have. */
const most = 64 * 1024 * 1024

/** Sends a request and reads its answer as server-sent events, each with the time that it may take. */
export const events = (
  exchange: Exchange,
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<Stream.Stream<Sse.Event, ModelError.ModelError>, ModelError.ModelError> =>
  Effect.map(send(exchange, request), (response) => {
    const pending: Array<Sse.Event> = []
    const parser = Sse.makeParser((event) => void (event._tag === "Event" && pending.push(event)), {
      maxEventSize: most * 2
    })
    const texts = Stream.decodeText(Stream.mapError(response.stream, broken(exchange)))
    const read = Stream.mapEffect(texts, (text) => {
      const error = parser.feed(text)
      return error === undefined
        ? Effect.sync(() => pending.splice(0))
        : Effect.fail(exchange.fail({ reason: "InvalidAnswer", detail: "an event is too large" }))
    })
    return timed(exchange, Stream.flatMap(read, Stream.fromIterable))
  })

/** Gives every part of a stream the time that it may take; the time in which its reader is busy does not count. */
export const timed = <A>(
  exchange: Exchange,
  stream: Stream.Stream<A, ModelError.ModelError>
): Stream.Stream<A, ModelError.ModelError> =>
  Stream.scoped(
    Stream.fromPull(
      Effect.map(Stream.toPull(stream), (pull) => {
        let phase: "firstPart" | "idle" = "firstPart"
        return Effect.suspend(() =>
          Effect.map(within(exchange, phase, pull as Effect.Effect<any, ModelError.ModelError>), (parts) => {
            phase = "idle"
            return parts
          })
        ) as typeof pull
      })
    )
  )

/** Reads a picture from where the provider put it. */
export const download = (
  exchange: Exchange,
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<{ readonly mediaType: string; readonly content: Uint8Array }, ModelError.ModelError> =>
  Effect.flatMap(send(exchange, request), (response) =>
    within(
      exchange,
      "idle",
      Effect.gen(function* () {
        const chunks: Array<Uint8Array> = []
        let size = 0
        yield* Stream.runForEach(Stream.mapError(response.stream, broken(exchange)), (chunk) => {
          size += chunk.byteLength
          chunks.push(chunk)
          return size > most
            ? Effect.fail(exchange.fail({ reason: "InvalidAnswer", detail: "a picture of more than 64 MiB" }))
            : Effect.void
        })
        return { mediaType: response.headers["content-type"]?.split(";")[0] ?? "", content: Buffer.concat(chunks) }
      })
    )
  )

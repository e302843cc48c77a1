/**
 * Delivers audit records to a log collector, at least once. The log itself is the source: a cursor says how far it was handed over, a
 * `PersistedQueue` of `effect/persistence` holds what is still to be delivered and tries again. The queue names places in the
 * log and holds no record, so that nothing sealed lies open in it, and a subject erased in the meantime is not exported.
 *
 * @since 0.1.0
 */
import { connect as connectPlain } from "node:net"
import { connect as connectSecure } from "node:tls"
import { Clock, Context, Duration, Effect, Layer, Schedule, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { KeyValueStore, PersistedQueue } from "effect/persistence"
import { parse } from "./checkpoint.ts"
import type { AuditError } from "./error.ts"
import { type Format, format } from "./format.ts"
import { AuditLog } from "./log.ts"
import { type CallRecord, calls } from "./record.ts"

/**
 * The collector did not take the messages; they are delivered again later.
 *
 * @category errors
 * @since 0.1.0
 */
export class DeliveryError extends Schema.TaggedError<DeliveryError>()("@interlock/stages/DeliveryError", {
  message: Schema.String
}) {}

/**
 * Takes messages to a collector. Returns when the collector has them, as far as its protocol can tell.
 *
 * @category services
 * @since 0.1.0
 */
export class Collector extends Context.Service<
  Collector,
  { readonly send: (messages: ReadonlyArray<string>) => Effect.Effect<void, DeliveryError> }
>()("@interlock/stages/AuditCollector") {}

/**
 * Sends each message as a frame with its length before it, over TCP (RFC 6587, section 3.4.1) or TLS (RFC 5425). Syslog knows no
 * acknowledgement: what the system's buffer took before a connection broke may be lost.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSyslog = (options: {
  readonly host: string
  readonly port: number
  /** Whether to use TLS, and the certificate authority to trust in place of the system's, in PEM. */
  readonly tls?: boolean | { readonly authority: string } | undefined
  /** Default 10 seconds. */
  readonly timeout?: Duration.Input | undefined
}): Layer.Layer<Collector> =>
  Layer.succeed(Collector)({
    send: (messages) =>
      Effect.callback<void, DeliveryError>((resume) => {
        const { host, port, tls } = options
        const socket =
          tls === undefined || tls === false
            ? connectPlain({ host, port })
            : connectSecure({ host, port, servername: host, ...(tls === true ? {} : { ca: tls.authority }) })
        const fail = (detail: string) =>
          resume(
            Effect.fail(
              new DeliveryError({ message: `the syslog server ${host}:${port} did not take the records: ${detail}` })
            )
          )
        socket.on("error", (error) => fail(error.message))
        socket.setTimeout(Duration.toMillis(Duration.fromInputUnsafe(options.timeout ?? "10 seconds")), () => {
          socket.destroy()
          fail("it did not answer in time")
        })
        const frames = messages.map((message) => {
          const bytes = Buffer.from(message)
          return Buffer.concat([Buffer.from(`${bytes.length} `), bytes])
        })
        socket.on("close", (broken) => (broken ? fail("the connection broke") : resume(Effect.void)))
        socket.end(Buffer.concat(frames))
        // The other side may wait for ours to close first, and has nothing to say.
        socket.resume()
        return Effect.sync(() => socket.destroy())
      })
  })

/**
 * Posts to a URL: OTLP (`/v1/logs`) one request a message, JSON lines all in one. Any status but 2xx is a failure, and tried again.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = (options: {
  readonly url: string
  readonly headers?: { readonly [name: string]: string } | undefined
  /** `application/json` posts each message alone, `application/x-ndjson` all of them, one a line. Default `application/json`. */
  readonly contentType?: "application/json" | "application/x-ndjson" | undefined
}): Layer.Layer<Collector, never, HttpClient.HttpClient> =>
  Layer.effect(
    Collector,
    Effect.gen(function* () {
      const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
      const contentType = options.contentType ?? "application/json"
      return Collector.of({
        send: (messages) =>
          Effect.forEach(
            contentType === "application/json" ? messages : [messages.map((message) => `${message}\n`).join("")],
            (body) =>
              client.execute(
                HttpClientRequest.post(options.url, { headers: options.headers ?? {} }).pipe(
                  HttpClientRequest.bodyText(body, contentType)
                )
              ),
            { discard: true }
          ).pipe(
            Effect.mapError(
              (error) => new DeliveryError({ message: `${options.url} did not take the records: ${error.message}` })
            )
          )
      })
    })
  )

const Batch = Schema.Struct({
  /** The index of the first entry to read. */
  from: Schema.Number,
  /** The index of the last entry to read. */
  to: Schema.Number,
  calls: Schema.Array(Schema.String)
})

/** Where to go on reading, and which calls from there on were handed over already. */
const Cursor = Schema.fromJsonString(Schema.Struct({ from: Schema.Number, done: Schema.Array(Schema.String) }))

const cursorKey = "interlock/audit/delivered"

/**
 * How records are delivered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly format: Format
  /** Whether redacted text goes along. Default `false`. */
  readonly text?: boolean | undefined
  /** How many records go out together at most. Default 100. */
  readonly batch?: number | undefined
  /** How often to look for new records. Default 1 second. */
  readonly interval?: Duration.Input | undefined
  /** A call that has not ended after this time is delivered as `incomplete`. Default 10 minutes. */
  readonly settle?: Duration.Input | undefined
}

const queue = PersistedQueue.make({ name: "interlock-audit", schema: Batch })

/**
 * Hands new records over to the queue, once. Returns how many.
 *
 * @category delivering
 * @since 0.1.0
 */
export const enqueue = (options: Options) =>
  Effect.gen(function* () {
    const log = yield* AuditLog
    const store = yield* KeyValueStore.KeyValueStore
    const target = yield* queue
    const kept = yield* store.get(cursorKey)
    const { done, from } = kept === undefined ? { done: [], from: 0 } : yield* Schema.decodeEffect(Cursor)(kept)
    const known = new Set(done)
    // Nothing was written since the last time.
    if ((parse(yield* log.checkpoint)?.size ?? 0) <= from) return 0
    const now = yield* Clock.currentTimeMillis
    const settled = now - Duration.toMillis(Duration.fromInputUnsafe(options.settle ?? "10 minutes"))
    const ready: Array<CallRecord> = []
    let next = from
    let waiting = Number.POSITIVE_INFINITY
    const entries = Stream.tap(log.entries({ from }), ({ index }) => Effect.sync(() => (next = index + 1)))
    yield* Stream.runForEach(calls(entries), (record) =>
      Effect.sync(() => {
        const [first] = record.entries
        // Its end may still come: begin here again.
        if (record.outcome === "incomplete" && first.head.time > settled) waiting = Math.min(waiting, first.index)
        else if (!known.has(record.call)) ready.push(record)
      })
    )
    const size = options.batch ?? 100
    for (let at = 0; at < ready.length; at += size) {
      const batch = ready.slice(at, at + size)
      const indexes = batch.flatMap((record) => record.entries.map(({ index }) => index))
      const element = { from: Math.min(...indexes), to: Math.max(...indexes), calls: batch.map(({ call }) => call) }
      // The same calls make the same id, so that reading them again after a crash queues them once.
      yield* target.offer(element, { id: `${element.calls[0]}/${element.calls.length}/${element.to}` })
    }
    const cursor =
      waiting < next ? { from: waiting, done: [...done, ...ready.map(({ call }) => call)] } : { from: next, done: [] }
    yield* store.set(cursorKey, yield* Schema.encodeEffect(Cursor)(cursor))
    return ready.length
  })

/**
 * Delivers the next batch of the queue, waiting for one; a batch that the collector does not take stays in the queue.
 *
 * @category delivering
 * @since 0.1.0
 */
export const deliver = (options: Options) =>
  Effect.gen(function* () {
    const log = yield* AuditLog
    const collector = yield* Collector
    const source = yield* queue
    return yield* source.take((batch) =>
      Effect.gen(function* () {
        const wanted = new Set(batch.calls)
        const entries = Stream.takeWhile(log.entries({ from: batch.from }), ({ index }) => index <= batch.to)
        const records = yield* Stream.runCollect(Stream.filter(calls(entries), ({ call }) => wanted.has(call)))
        if (records.length > 0) yield* collector.send(format(options.format, records, { text: options.text }))
        return records.length
      })
    )
  })

/**
 * Delivers records as long as the layer lives. A failure is logged and tried again; it never touches a call.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<
  never,
  never,
  AuditLog | Collector | KeyValueStore.KeyValueStore | PersistedQueue.PersistedQueueFactory
> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const interval = options.interval ?? "1 second"
      const complain = (error: AuditError | { readonly message: string }) =>
        Effect.logWarning("Audit records wait for their delivery", error.message)
      yield* enqueue(options).pipe(Effect.catch(complain), Effect.repeat(Schedule.spaced(interval)), Effect.forkScoped)
      yield* deliver(options).pipe(Effect.catch(complain), Effect.forever, Effect.forkScoped)
    })
  )

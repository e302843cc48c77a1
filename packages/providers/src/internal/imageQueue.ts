/**
 * Image models behind a queue: a job is submitted, asked after or waited for, its pictures are fetched, and a caller who leaves
 * cancels it.
 *
 * @since 0.1.0
 */
import { Reply } from "@interlock/core"
import { Image, ModelError, Part } from "@interlock/model"
import { type Array as Arr, Cause, Duration, Effect, Exit, Fiber, type Scope, Stream } from "effect"
import type { HttpClientRequest } from "effect/http"
import type { ModelRequest } from "../Models.ts"
import type { Inbox } from "../Webhook.ts"
import type { Failure } from "./aiSdkError.ts"
import { download, type Exchange, within } from "./exchange.ts"
import { mediaTypeOf } from "./pictureFile.ts"

/** How far a job is. */
export type Status =
  | { readonly _tag: "Queued"; readonly position?: number }
  | { readonly _tag: "Running"; readonly fraction?: number }
  | { readonly _tag: "Done"; readonly answer: unknown }
  | { readonly _tag: "Failed"; readonly failure: Failure }

/** What a job has made: where the pictures lie, as addresses or data URLs. */
export interface Output {
  readonly pictures: ReadonlyArray<{ readonly url: string; readonly width?: number; readonly height?: number }>
  readonly seed?: number
  /** How many the provider's filter took out. */
  readonly filtered: number
  /** What is said about the reply. */
  readonly said?: { readonly [name: string]: unknown }
}

/** The protocol of one provider's queue. */
export interface Queue {
  readonly submit: (
    exchange: Exchange,
    request: ModelRequest,
    webhook: string | undefined
  ) => Effect.Effect<{ readonly id: string; readonly status: Status }, ModelError.ModelError>
  readonly status: (
    exchange: Exchange,
    request: ModelRequest,
    id: string
  ) => Effect.Effect<Status, ModelError.ModelError>
  readonly cancel: (
    exchange: Exchange,
    request: ModelRequest,
    id: string
  ) => Effect.Effect<unknown, ModelError.ModelError>
  /** What a webhook says of a job, as an answer to `status` would. */
  readonly delivered: (said: unknown) => Status
  readonly output: (answer: unknown) => Output | undefined
  /** The request for a picture; the key goes to the provider's own address only. */
  readonly fetch: (url: string) => HttpClientRequest.HttpClientRequest
}

/** How to wait. */
export interface Waiting {
  readonly poll: Duration.Duration
  readonly webhook: { readonly url: string; readonly inbox: Inbox["Service"] } | undefined
}

/** How many questions after a job may fail in a row before the call does. */
const patience = 3

const isPassing = ({ reason }: ModelError.ModelError): boolean =>
  reason._tag === "Overloaded" ||
  reason._tag === "Network" ||
  reason._tag === "RateLimited" ||
  reason._tag === "Timeout"

/** Submits a job; the reply is live from its acceptance on, or whole when its pictures are here. */
export const call = Effect.fnUntraced(function* (
  queue: Queue,
  exchange: Exchange,
  request: ModelRequest,
  waiting: Waiting
): Effect.fn.Return<Reply.Reply<Part.Part, ModelError.ModelError>, ModelError.ModelError, Scope.Scope> {
  let ended = false
  const cancel = (id: string) =>
    Effect.suspend(() => {
      if (ended) return Effect.void
      ended = true
      // It has its own time, for that of the call may be over.
      const own = { ...exchange, startedAt: exchange.clock.currentTimeMillisUnsafe() }
      return Effect.ignoreCause(Effect.timeout(queue.cancel(own, request, id), "5 seconds"))
    })
  // A job that was submitted while its caller left is cancelled as soon as its name is known.
  const submission = yield* Effect.forkDetach(queue.submit(exchange, request, waiting.webhook?.url), {
    startImmediately: true
  })
  const job = yield* Effect.onInterrupt(Fiber.join(submission), () =>
    Effect.forkDetach(
      Effect.flatMap(Fiber.await(submission), (exit) => (Exit.isSuccess(exit) ? cancel(exit.value.id) : Effect.void))
    )
  )
  yield* Effect.addFinalizer(() => cancel(job.id))
  const stream = parts(queue, exchange, request, waiting, job, () => {
    ended = true
  })
  if (request.delivery === "live") return Reply.live(Stream.onExit(stream, () => cancel(job.id)))
  const all = yield* Stream.runCollect(stream)
  return Reply.whole(all.filter((part) => part.type !== "response-metadata"))
})

const partOf = (status: Status): Part.Part | undefined =>
  status._tag === "Queued"
    ? Image.queued(status.position)
    : status._tag === "Running"
      ? Image.progress(status.fraction)
      : undefined

const parts = (
  queue: Queue,
  exchange: Exchange,
  request: ModelRequest,
  waiting: Waiting,
  job: { readonly id: string; readonly status: Status },
  over: () => void
): Stream.Stream<Part.Part, ModelError.ModelError> =>
  Stream.suspend(() => {
    let known: Status | undefined
    let failures = 0
    let finished = false
    let pause = Duration.toMillis(waiting.poll)
    const ask = queue.status(exchange, request, job.id).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          failures = 0
          pause = Duration.toMillis(waiting.poll)
        })
      ),
      Effect.catch((error) => {
        failures++
        if (!isPassing(error) || failures >= patience) return Effect.fail(error)
        pause = Math.max(Duration.toMillis(waiting.poll), ModelError.retryAfterMs(error) ?? 0)
        return Effect.succeed(known ?? job.status)
      })
    )
    const later = Effect.suspend(() => Effect.andThen(Effect.sleep(pause), ask))
    const { webhook } = waiting
    const next =
      webhook === undefined
        ? later
        : Effect.raceFirst(Effect.map(webhook.inbox.wait(exchange.provider, job.id), queue.delivered), later)
    type Parts = Arr.NonEmptyReadonlyArray<Part.Part>
    const pull: Effect.Effect<Parts, ModelError.ModelError | Cause.Done> = Effect.suspend(() => {
      if (finished) return Cause.done()
      return Effect.flatMap(
        known === undefined ? Effect.succeed(job.status) : within(exchange, "whole", next),
        (status): Effect.Effect<Parts, ModelError.ModelError | Cause.Done> => {
          const before = known === undefined ? undefined : partOf(known)
          known = status
          if (status._tag === "Failed") {
            over()
            return Effect.fail(exchange.fail(status.failure))
          }
          if (status._tag === "Done") {
            over()
            finished = true
            return fetched(queue, exchange, status.answer)
          }
          const part = partOf(status)!
          return JSON.stringify(part) === JSON.stringify(before) ? pull : Effect.succeed([part])
        }
      )
    })
    return Stream.rechunk(Stream.fromPull(Effect.succeed(pull)), 1)
  })

const dataUrl = /^data:(image\/[\w.+-]+);base64,(.+)$/s

/** The finished pictures, and the finish. */
const fetched = Effect.fnUntraced(function* (
  queue: Queue,
  exchange: Exchange,
  answer: unknown
): Effect.fn.Return<Arr.NonEmptyReadonlyArray<Part.Part>, ModelError.ModelError> {
  const output = queue.output(answer)
  if (output === undefined) {
    return yield* exchange.fail({ reason: "InvalidAnswer", detail: "an answer without a picture" })
  }
  if (output.pictures.length === 0) {
    return yield* exchange.fail(
      output.filtered > 0
        ? { reason: "ContentFiltered", detail: "every picture was filtered" }
        : { reason: "InvalidAnswer", detail: "an answer without a picture" }
    )
  }
  const made = yield* Effect.forEach(
    output.pictures,
    Effect.fnUntraced(function* ({ url, ...size }, index) {
      const inline = dataUrl.exec(url)
      if (inline === null && !(/^https?:\/\//i.test(url) && URL.canParse(url))) {
        return yield* exchange.fail({ reason: "InvalidAnswer", detail: "a picture without an address" })
      }
      const picture =
        inline !== null
          ? { mediaType: inline[1]!, data: inline[2]! }
          : yield* Effect.map(download(exchange, queue.fetch(url)), ({ content, mediaType }) =>
              Image.fromBytes(mediaType, content)
            )
      const mediaType = mediaTypeOf(picture.data) ?? picture.mediaType
      if (!mediaType.startsWith("image/")) {
        return yield* exchange.fail({ reason: "InvalidAnswer", detail: "what lies at a picture's address is none" })
      }
      return Image.final({
        ...picture,
        mediaType,
        index,
        ...size,
        ...(output.seed === undefined ? {} : { seed: output.seed })
      })
    }),
    { concurrency: 4 }
  )
  const said = { ...output.said, ...(output.filtered === 0 ? {} : { filtered: output.filtered }) }
  const finish = Part.finish("stop")
  const [first, ...rest] = [...made, Object.keys(said).length === 0 ? finish : Part.annotate(finish, said)]
  return [first!, ...rest]
})

/**
 * One call of a `LanguageModelV4`, with its deadlines, its cancellation and its commit point.
 *
 * Deadlines are kept by one fiber per call that sleeps on the `Clock`; it looks at what the call is waiting for, so the
 * time in which the caller is busy with a part is never counted. Whatever ends the call (the last part, an error, a
 * deadline, an interrupt) aborts the HTTP request if it is still open.
 *
 * @since 0.1.0
 */
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider"
import { annotate } from "@interlock/model/Part"
import { type Array as Arr, Cause, Clock, Effect, Exit, Scope, Stream } from "effect"
import type { Response } from "effect/ai"
import { brokenOff, classify, type Failure } from "./aiSdkError.ts"
import { drain, onHead } from "./aiSdkFetch.ts"
import { Reader } from "./aiSdkPart.ts"
import { isContent } from "./parts.ts"

type Part = Response.AllPartsEncoded

/** Limits in milliseconds. */
export interface Limits {
  readonly connect: number
  readonly firstPart: number
  readonly idle: number
  readonly whole: number
}

type Phase = keyof Limits

const sentences: { readonly [P in Phase]: string } = {
  connect: "no response head",
  firstPart: "no first part",
  idle: "no further part",
  whole: "no complete answer"
}

const words = { connect: "connect", firstPart: "first-part", idle: "idle", whole: "whole" } as const

/** The state of one call. */
class Call<E> {
  readonly controller = new AbortController()
  /** Tells the stream, once there is one, that nobody reads on. */
  cancel: () => void = () => {}
  private closed = false
  private readonly clock: Clock.Clock
  private readonly limits: Limits
  private readonly fail: (failure: Failure) => E
  private readonly startedAt: number
  private phase: Phase = "connect"
  private deadline = Number.POSITIVE_INFINITY
  private expired: (() => void) | undefined

  constructor(clock: Clock.Clock, limits: Limits, fail: (failure: Failure) => E) {
    this.clock = clock
    this.limits = limits
    this.fail = fail
    this.startedAt = this.now()
  }

  now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  error(cause: unknown): E {
    return this.fail(classify(cause, this.clock.currentTimeMillisUnsafe()))
  }

  private await(phase: Phase): void {
    const from = phase === "idle" ? this.now() : this.startedAt
    const { whole } = this.limits
    this.phase = phase
    this.deadline = from + this.limits[phase]
    if (this.startedAt + whole < this.deadline) {
      this.phase = "whole"
      this.deadline = this.startedAt + whole
    }
  }

  /** Waits for a promise of the AI SDK, until the deadline of the phase. */
  wait<A>(phase: Phase, promise: () => PromiseLike<A>): Effect.Effect<A, E> {
    return Effect.callback((resume) => {
      const settle = (exit: Exit.Exit<A, E>) => {
        this.deadline = Number.POSITIVE_INFINITY
        this.expired = undefined
        resume(exit)
      }
      this.await(phase)
      this.expired = () => {
        const detail = `${sentences[this.phase]} within ${this.limits[this.phase] / 1000} s`
        const missed = { phase: words[this.phase], afterMs: this.limits[this.phase] }
        settle(Exit.fail(this.fail({ reason: "Timeout", detail, missed })))
        this.close()
      }
      const { signal } = this.controller
      if (phase === "connect") {
        onHead(signal, () => {
          if (this.phase === "connect" && this.expired !== undefined) this.await("firstPart")
        })
      }
      try {
        promise().then(
          (value) => settle(Exit.succeed(value)),
          (cause) => settle(Exit.fail(this.error(cause)))
        )
      } catch (cause) {
        settle(Exit.fail(this.error(cause)))
      }
      return Effect.sync(() => this.close())
    })
  }

  /** Ends a call that is not over: aborts its request. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.controller.abort()
    this.cancel()
  }

  /**
   * Ends a call that is over. The little that may still come is read, so that the connection can be used again; a server
   * that keeps the stream open all the same is left after a second.
   */
  finish(stream?: ReadableStreamDefaultReader<unknown>): void {
    this.closed = true
    if (stream !== undefined) drain(stream, () => this.controller.abort())
  }

  /** Sleeps from deadline to deadline until one is missed. */
  get watch(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.closed) return Effect.void
      const left = this.deadline - this.now()
      if (left <= 0) {
        this.expired?.()
        return Effect.void
      }
      const { connect, firstPart, idle, whole } = this.limits
      const pause = Math.min(left, connect, firstPart, idle, whole)
      return Effect.flatMap(Effect.sleep(Math.ceil(pause)), () => this.watch)
    })
  }
}

/** Why an answer without any content is no answer. A model may have nothing to say, or be cut off before it says anything. */
const emptyHanded = (finish: Part | undefined): Failure | undefined => {
  if (finish?.type !== "finish") return undefined
  switch (finish.reason) {
    case "content-filter":
      return { reason: "ContentFiltered", detail: "no content, only the filter" }
    case "error":
    case "other":
    case "unknown":
      return { reason: "InvalidAnswer", detail: `no content, and ${finish.reason} for the reason` }
    default:
      return undefined
  }
}

const open = <E>(limits: Limits, fail: (failure: Failure) => E) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const call = new Call(yield* Clock.Clock, limits, fail)
    yield* Scope.addFinalizer(
      scope,
      Effect.sync(() => call.close())
    )
    yield* Effect.forkIn(call.watch, scope)
    return { call, scope }
  })

/** Adds to the finish part what the provider said of its own limits, so that `limit` can hold back before it is refused. */
const withLimits =
  (headers: { readonly [name: string]: string } | undefined) =>
  (part: Part): Part => {
    if (part.type !== "finish" || headers === undefined) return part
    const said = Object.entries(headers).filter(([name]) => /ratelimit-/i.test(name))
    return said.length === 0 ? part : annotate(part, { providerLimits: Object.fromEntries(said) })
  }

/** Asks for the whole answer at once. */
export const whole = <E>(
  model: LanguageModelV4,
  options: LanguageModelV4CallOptions,
  limits: Limits,
  fail: (failure: Failure) => E
): Effect.Effect<ReadonlyArray<Part>, E, Scope.Scope> =>
  Effect.flatMap(open(limits, fail), ({ call, scope }) =>
    call
      .wait("whole", () => model.doGenerate({ ...options, abortSignal: call.controller.signal }))
      .pipe(
        Effect.flatMap((result) => {
          call.finish()
          const parts = new Reader().whole(result).map(withLimits(result.response?.headers))
          const empty = parts.some(isContent) ? undefined : emptyHanded(parts.at(-1))
          return empty === undefined ? Effect.succeed(parts) : Effect.fail(fail(empty))
        }),
        Effect.onExit((exit) => Scope.close(scope, exit))
      )
  )

/** The stream ended, but no provider said so: the AI SDK's word for it differs by provider. */
const isBrokenOff = (part: LanguageModelV4StreamPart): boolean =>
  part.type === "finish" &&
  (part.finishReason.unified === "interrupted" ||
    (part.finishReason.unified === "other" && part.finishReason.raw === undefined))

/**
 * Asks for a stream and waits for the first part with content: until then a failure is a failure of this effect, after
 * it one of the stream.
 */
export const live = <E>(
  model: LanguageModelV4,
  options: LanguageModelV4CallOptions,
  limits: Limits,
  fail: (failure: Failure) => E
): Effect.Effect<Stream.Stream<Part, E>, E, Scope.Scope> =>
  Effect.flatMap(open(limits, fail), ({ call, scope }) => {
    const reader = new Reader()
    const connect = call.wait("connect", () => model.doStream({ ...options, abortSignal: call.controller.signal }))
    const begin = Effect.gen(function* () {
      const connected = yield* connect
      const limited = withLimits(connected.response?.headers)
      const stream = connected.stream.getReader()
      call.cancel = () => void stream.cancel().catch(() => {})
      const next = (phase: Phase): Effect.Effect<Part, E> =>
        Effect.flatMap(
          call.wait(phase, () => stream.read()),
          (read) => {
            if (read.done || isBrokenOff(read.value)) return Effect.fail(fail(brokenOff))
            if (read.value.type === "error") return Effect.fail(call.error(read.value.error))
            const part = reader.stream(read.value)
            return part === undefined ? next(phase) : Effect.succeed(limited(part))
          }
        )
      const head: Array<Part> = []
      while (true) {
        const part = yield* next("firstPart")
        head.push(part)
        if (isContent(part)) break
        if (part.type === "finish") {
          const empty = emptyHanded(part)
          if (empty !== undefined) return yield* Effect.fail(fail(empty))
          break
        }
      }
      let ready: ReadonlyArray<Part> | undefined = head
      let finished = head.at(-1)?.type === "finish"
      if (finished) call.finish(stream)
      const pull = Effect.suspend((): Effect.Effect<Arr.NonEmptyReadonlyArray<Part>, E | Cause.Done> => {
        if (ready !== undefined) {
          const parts = ready as Arr.NonEmptyReadonlyArray<Part>
          ready = undefined
          return Effect.succeed(parts)
        }
        if (finished) return Cause.done()
        return Effect.map(next("idle"), (part) => {
          finished = part.type === "finish"
          if (finished) call.finish(stream)
          return [part]
        })
      })
      return Stream.onExit(Stream.fromPull(Effect.succeed(pull)), (exit) => Scope.close(scope, exit))
    })
    return Effect.onError(begin, (cause) => Scope.close(scope, Exit.failCause(cause)))
  })

/**
 * A `ScriptedModel` is a handler that answers as a test says: call by call, with texts, parts, delays, faults and cuts, while
 * it counts the calls and what is open.
 *
 * ```ts
 * import { ScriptedModel } from "@interlock/testing"
 * import { Effect } from "effect"
 *
 * // Fails once, then answers: for a pipeline whose `retry` is under test.
 * export const flaky = Effect.map(
 *   ScriptedModel.make([{ fail: ScriptedModel.overloaded }, { text: "Tomorrow." }]),
 *   (model) => model.handler
 * )
 * ```
 *
 * @since 0.1.0
 */
import { type Handler, Pipeline, Reply } from "@interlock/core"
import { ModelError, Part } from "@interlock/model"
import { type Duration, Effect, type Scope, Stream } from "effect"

/**
 * What the model does when it is called once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  /** The text of the answer; `""` when neither it nor `parts` is given. */
  readonly text?: string
  /** How the text is cut into deltas of a live reply; by words when not given. */
  readonly deltas?: ReadonlyArray<string>
  /** The parts of the answer as they are, instead of a text. */
  readonly parts?: ReadonlyArray<Part.Part>
  /** How it replies, whatever its caller wishes. */
  readonly reply?: "whole" | "live"
  /** Waits before the first part. Use `TestClock` to let it pass. */
  readonly delay?: Duration.Input
  /** Fails before the first part. */
  readonly fail?: ModelError.ModelError
  /** Never answers. */
  readonly hang?: boolean
  /** After this many parts of a live reply, fails (`cutBy`) or hangs. */
  readonly cutAfter?: number
  /** The failure after `cutAfter` parts; without it the stream hangs there. */
  readonly cutBy?: ModelError.ModelError
  /** What the finish part says was used. */
  readonly usage?: Part.Usage
}

/**
 * A scripted model: the handler, and what has happened to it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScriptedModel {
  readonly handler: Handler.Handler<never, Part.Part, ModelError.ModelError>
  /** How often it was called. */
  readonly calls: () => number
  /** How many of its replies are still open: neither read to the end nor released. */
  readonly open: () => number
}

/**
 * A failure for scripts: the provider is overloaded, which is retryable.
 *
 * @category faults
 * @since 0.1.0
 */
export const overloaded: ModelError.ModelError = new ModelError.ModelError({
  provider: "scripted",
  model: "scripted",
  reason: new ModelError.Overloaded({ status: 503 }),
  message: "scripted is overloaded (503); try again later"
})

/**
 * A failure for scripts: the connection was lost.
 *
 * @category faults
 * @since 0.1.0
 */
export const disconnected: ModelError.ModelError = new ModelError.ModelError({
  provider: "scripted",
  model: "scripted",
  reason: new ModelError.Network(),
  message: "the connection to scripted was lost; try again"
})

/**
 * The parts of a live reply of one text, cut into `deltas`.
 *
 * @category parts
 * @since 0.1.0
 */
export const liveText = (deltas: ReadonlyArray<string>, usage: Part.Usage = Part.noUsage): ReadonlyArray<Part.Part> => [
  { type: "text-start", id: "0" },
  ...deltas.map((delta) => ({ type: "text-delta", id: "0", delta }) as const),
  { type: "text-end", id: "0" },
  Part.finish("stop", usage)
]

const replyOf = (step: Step): Effect.Effect<Reply.Reply<Part.Part, ModelError.ModelError>, ModelError.ModelError> =>
  Effect.gen(function* () {
    if (step.delay !== undefined) yield* Effect.sleep(step.delay)
    if (step.hang === true) return yield* Effect.never
    if (step.fail !== undefined) return yield* step.fail
    const text = step.text ?? step.deltas?.join("") ?? ""
    const delivery = step.reply ?? (yield* Reply.Delivery)
    if (delivery === "whole" && step.cutAfter === undefined) {
      return Reply.whole(step.parts ?? Part.text(text, step.usage))
    }
    const parts = step.parts ?? liveText(step.deltas ?? text.match(/\S+\s*|\s+/gu) ?? [], step.usage)
    const stream = Stream.rechunk(
      Stream.fromIterable(step.cutAfter === undefined ? parts : parts.slice(0, step.cutAfter)),
      1
    )
    if (step.cutAfter === undefined) return Reply.live(stream)
    return Reply.live(Stream.concat(stream, step.cutBy === undefined ? Stream.never : Stream.fail(step.cutBy)))
  })

/**
 * Makes a model that follows `steps`, one per call; the last one repeats.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (steps: readonly [Step, ...ReadonlyArray<Step>]): Effect.Effect<ScriptedModel> =>
  Effect.sync(() => {
    let calls = 0
    let open = 0
    const body = (): Effect.Effect<Reply.Reply<Part.Part, ModelError.ModelError>, ModelError.ModelError, Scope.Scope> =>
      Effect.suspend(() => {
        const step = steps[Math.min(calls, steps.length - 1)] ?? steps[0]
        calls++
        open++
        const close = Effect.sync(() => void open--)
        return replyOf(step).pipe(
          Effect.onError(() => close),
          Effect.flatMap((reply) => Reply.onExit(reply, () => close))
        )
      })
    return { handler: Pipeline.handler("scriptedModel", { needs: {} }, body), calls: () => calls, open: () => open }
  })

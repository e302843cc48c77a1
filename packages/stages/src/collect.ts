/**
 * Keeps what a model was asked and what it answered, as an example to train on. It stands below `redact`, whose `SafePrompt` it needs,
 * so no personal value can reach a dataset; what it keeps of the answer holds placeholders in the place of values.
 *
 * The sink knows of a call before the model is asked, and has the answer before the caller does: whatever happens in between, no
 * answer that was received is lost, and a call whose key the sink has an answer for is answered from there and not paid again.
 *
 * ```ts
 * import { Pipeline, Stage } from "@interlock/core"
 * import { Caller, Chat, ChosenModel, Parameters, Prompt, RawPrompt } from "@interlock/model"
 * import { callModel, Models, OfflineModel } from "@interlock/providers"
 * import { Collected, collect, layerMemory } from "@interlock/stages/collect"
 * import { redact } from "@interlock/stages/redact"
 * import { Detector } from "@interlock/stages/redact/detector"
 * import { Vault } from "@interlock/stages/redact/vault"
 * import { Context, Effect, Layer } from "effect"
 *
 * const settings = Stage.derive("settings", { needs: {}, adds: Parameters }, () => Effect.succeed({}))
 * const teacher = Stage.derive("teacher", { needs: {}, adds: ChosenModel }, () =>
 *   Effect.succeed({ provider: "offline", model: "offline-large" })
 * )
 * const desk = Pipeline.make("desk", { input: [RawPrompt, Caller], protocol: Chat.protocol })
 *   .use(redact)
 *   .use(settings)
 *   .use(teacher)
 *   .use(collect)
 *   .to(callModel)
 *
 * const program = Effect.gen(function*() {
 *   yield* desk.run(Context.add(RawPrompt.context(Prompt.make("When are you open?")), Caller, { tenant: "acme" }))
 *   const { examples } = yield* Collected
 *   return yield* examples
 * }).pipe(
 *   Effect.provide([
 *     layerMemory,
 *     Detector.layer,
 *     Vault.layerMemory,
 *     Models.layer([OfflineModel.make([{ name: "hours.md", text: "We are open from nine to six." }])])
 *   ])
 * )
 *
 * const [example] = await Effect.runPromise(program)
 * console.assert(example?.outcome?._tag === "Answered")
 * ```
 *
 * @since 0.1.0
 */
import { Reply, Stage } from "@interlock/core"
import {
  ChosenModel,
  Cost,
  Journal,
  ModelError,
  type ModelReference,
  Parameters,
  Part,
  type Prompt,
  SafePrompt,
  type SafeText,
  type Settings
} from "@interlock/model"
import { Cause, Context, Effect, Layer, Option, Predicate, Schema, Stream } from "effect"

// ---------------------------------------------------------------------------------------------------------------
// What is kept
// ---------------------------------------------------------------------------------------------------------------

/**
 * What a model is about to be asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  /** Equal calls have equal keys: a key that has an answer is not asked again. */
  readonly key: string
  readonly prompt: Prompt.Prompt<SafeText>
  readonly teacher: ModelReference
  readonly settings: Settings
}

/**
 * What the tries of a call came to. `costUsd` is that of those whose price is known, in US dollars.
 *
 * @category models
 * @since 0.1.0
 */
export interface Spent {
  readonly tries: number
  readonly costUsd: number
  /** Whether `costUsd` is all of it. */
  readonly costComplete: boolean
}

/**
 * How a call ended. `Interrupted`: the caller left, and the provider may bill what it had done.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome =
  | { readonly _tag: "Answered"; readonly parts: ReadonlyArray<Part.Part>; readonly spent: Spent }
  | { readonly _tag: "Failed"; readonly error: string; readonly retryable: boolean; readonly spent: Spent }
  | { readonly _tag: "Interrupted"; readonly spent: Spent }

/**
 * What the sink knows of a call that is about to be made: nothing, or its answer.
 *
 * @category models
 * @since 0.1.0
 */
export type Begun = { readonly _tag: "Ask" } | { readonly _tag: "Known"; readonly parts: ReadonlyArray<Part.Part> }

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * There is no room left where the dataset is kept.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Full extends Schema.TaggedClass<Full>()("Full", {}) {}

/**
 * The dataset cannot be written or read.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Unavailable extends Schema.TaggedClass<Unavailable>()("Unavailable", {}) {}

/**
 * An example could not be kept. The message holds no text of a prompt or an answer.
 *
 * @category errors
 * @since 0.1.0
 */
export class CollectError extends Schema.TaggedError<CollectError>()("CollectError", {
  reason: Schema.Union([Full, Unavailable]),
  message: Schema.String
}) {}

// ---------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------

/**
 * Where examples are kept.
 *
 * @category services
 * @since 0.1.0
 */
export class DatasetSink extends Context.Service<
  DatasetSink,
  {
    /** Called before the model is; durable when it returns. */
    readonly begin: (request: Request) => Effect.Effect<Begun, CollectError>
    /** Called once the reply is complete or has failed; durable when it returns. */
    readonly finish: (key: string, outcome: Outcome) => Effect.Effect<void, CollectError>
  }
>()("@interlock/stages/DatasetSink") {}

/**
 * An example in memory; `outcome` is absent while the model is being asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Example extends Request {
  readonly outcome?: Outcome
}

/**
 * What `layerMemory` holds.
 *
 * @category services
 * @since 0.1.0
 */
export class Collected extends Context.Service<
  Collected,
  { readonly examples: Effect.Effect<ReadonlyArray<Example>> }
>()("@interlock/stages/Collected") {}

/**
 * Keeps examples in this process, for tests and for a few.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<DatasetSink | Collected> = Layer.effectContext(
  Effect.sync(() => {
    const examples = new Map<string, Example>()
    const sink: DatasetSink["Service"] = {
      begin: (request) =>
        Effect.sync((): Begun => {
          const outcome = examples.get(request.key)?.outcome
          if (outcome?._tag === "Answered") return { _tag: "Known", parts: outcome.parts }
          examples.set(request.key, request)
          return { _tag: "Ask" }
        }),
      finish: (key, outcome) =>
        Effect.sync(() => {
          const request = examples.get(key)
          if (request !== undefined) examples.set(key, { ...request, outcome })
        })
    }
    return Context.make(DatasetSink, sink).pipe(
      Context.add(Collected, { examples: Effect.sync(() => [...examples.values()]) })
    )
  })
)

// ---------------------------------------------------------------------------------------------------------------
// The stage
// ---------------------------------------------------------------------------------------------------------------

/**
 * The key of the call in flight. Without one, which is how traffic is collected, every call is an example of its own.
 *
 * @category references
 * @since 0.1.0
 */
export const ExampleKey: Context.Reference<string | undefined> = Context.Reference("@interlock/stages/ExampleKey", {
  defaultValue: (): string | undefined => undefined
})

/**
 * What becomes of a call whose example cannot be kept: `continue` lets it through and logs an error, as traffic wants it; `refuse`
 * fails it with a `CollectError`, as a collector wants it that pays for answers only to keep them.
 *
 * @category references
 * @since 0.1.0
 */
export const OnFailure: Context.Reference<"continue" | "refuse"> = Context.Reference(
  "@interlock/stages/collect/OnFailure",
  { defaultValue: (): "continue" | "refuse" => "continue" }
)

const nameOf = (error: unknown): string => {
  const tag = Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? error._tag : "Defect"
  const reason = Predicate.hasProperty(error, "reason") ? error.reason : undefined
  return Predicate.hasProperty(reason, "_tag") && typeof reason._tag === "string" ? `${tag}/${reason._tag}` : tag
}

/** The try of a live reply is recorded when its stream is over, which is after its finish: that one's cost is on it. */
const spentOn = (events: ReadonlyArray<Journal.Event>, finish: Part.Part | undefined): Spent => {
  const recorded = Cost.ofEvents(events)
  const own = finish === undefined ? undefined : (Part.interlock(finish)["cost"] as Cost.Cost | undefined)
  const answered = events.some((event) => event._tag === "Attempt" && event.outcome === "answered")
  const total = answered || own === undefined ? recorded : Cost.add(recorded, own)
  return { tries: total.tries, costUsd: total.usd, costComplete: total.unpriced.length === 0 }
}

const complain = (error: CollectError): Effect.Effect<void> => Effect.logError("An example was not kept", error.message)

/**
 * Tells the sink of a call, asks the model unless the sink has the answer, and hands the complete answer to the sink before the caller
 * sees its end. Stands just above `callModel`, or above `retry` where every try is to count.
 *
 * @category stages
 * @since 0.1.0
 */
export const collect = Stage.around<{ in: Part.Part; out: Part.Part }>()(
  "collect",
  { needs: { prompt: SafePrompt, chosen: ChosenModel, settings: Parameters } },
  Effect.fnUntraced(function* ({ chosen, prompt, settings }, next) {
    const sink = yield* DatasetSink
    const onFailure = yield* OnFailure
    const key = (yield* ExampleKey) ?? crypto.randomUUID()
    const journal = (yield* Journal.current) ?? Journal.make()
    const earlier = journal.events().length
    const orContinue = <A>(effect: Effect.Effect<A, CollectError>): Effect.Effect<A | undefined, CollectError> =>
      onFailure === "continue" ? Effect.catch(effect, (error) => Effect.as(complain(error), undefined)) : effect

    const teacher = { provider: chosen.provider, model: chosen.model }
    const begun = yield* orContinue(sink.begin({ key, prompt, teacher, settings }))
    if (begun?._tag === "Known") return Reply.whole(begun.parts)
    if (begun === undefined) return yield* next()

    let ended = false
    const finish = (outcome: (spent: Spent) => Outcome, last?: Part.Part) =>
      Effect.suspend(() => {
        if (ended) return Effect.void
        ended = true
        return Effect.asVoid(sink.finish(key, outcome(spentOn(journal.events().slice(earlier), last))))
      }).pipe(Effect.uninterruptible)
    const answered = (parts: ReadonlyArray<Part.Part>) =>
      finish(
        (spent) => ({ _tag: "Answered", parts, spent }),
        parts.findLast(({ type }) => type === "finish")
      )
    // The call has failed already, and with its own error: that of the sink is said in the log.
    const failed = (cause: Cause.Cause<unknown>) =>
      Effect.catch(
        finish((spent) => {
          if (Cause.hasInterruptsOnly(cause)) return { _tag: "Interrupted", spent }
          const error = Option.getOrUndefined(Cause.findErrorOption(cause))
          const retryable = error instanceof ModelError.ModelError && ModelError.isRetryable(error)
          return { _tag: "Failed", error: nameOf(error), retryable, spent }
        }),
        complain
      )

    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(restore(Effect.provideService(next(), Journal.Journal, journal)))
        if (exit._tag === "Failure") {
          yield* failed(exit.cause)
          return yield* Effect.failCause(exit.cause)
        }
        const reply = exit.value
        if (reply._tag === "Whole") {
          yield* orContinue(answered(reply.parts))
          return reply
        }
        const parts: Array<Part.Part> = []
        const seen = Reply.mapLive(reply, (stream) =>
          stream.pipe(
            Stream.map((part) => {
              parts.push(part)
              return part
            }),
            Stream.onEnd(Effect.suspend(() => orContinue(answered(parts))))
          )
        )
        return yield* Reply.onExit(seen, (exit) => failed(exit._tag === "Failure" ? exit.cause : Cause.interrupt()))
      })
    )
  })
)

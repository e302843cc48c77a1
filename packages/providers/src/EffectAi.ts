/**
 * `EffectAi` joins pipelines and `effect/ai`, both ways: any `LanguageModel` layer is a handler or a provider, and any closed
 * chat pipeline is a `LanguageModel` layer, so that `Chat`, tools and `generateObject` of Effect programs run through the
 * pipeline unchanged.
 *
 * ```ts
 * import { Pipeline, Reply } from "@interlock/core"
 * import { Chat, Part, Prompt, RawPrompt } from "@interlock/model"
 * import { EffectAi } from "@interlock/providers"
 * import { Effect } from "effect"
 * import { LanguageModel } from "effect/ai"
 *
 * const parrot = Pipeline.handler("parrot", { needs: { prompt: RawPrompt } }, ({ prompt }) =>
 *   Effect.succeed(Reply.whole(Part.text(Prompt.lastUserText(prompt).toUpperCase()))))
 * const chat = Pipeline.make("chat", { input: [RawPrompt], protocol: Chat.protocol }).to(parrot)
 *
 * const program = LanguageModel.generateText({ prompt: "hello" })
 * const answer = await Effect.runPromise(Effect.provide(program, EffectAi.layer(chat)))
 * console.assert(answer.text === "HELLO")
 * ```
 *
 * @since 0.1.0
 */
import { type Handler, Pipeline, Reply } from "@interlock/core"
import {
  Journal,
  type ModelError,
  Parameters,
  Part,
  type Prompt,
  RawPrompt,
  SafePrompt,
  type Settings,
  type ToolDefinition
} from "@interlock/model"
import { Context, Duration, Effect, Layer, Schema, Stream, Tracer } from "effect"
import { AiError, Prompt as EffectPrompt, LanguageModel, type Response, Tool, type Toolkit } from "effect/ai"
import { toModelError } from "./internal/aiSdkError.ts"
import { recorded } from "./internal/attempt.ts"
import { fromAiError, toAiError } from "./internal/effectAiError.ts"
import { encodePart } from "./internal/effectAiPart.ts"
import { toLive, untilContent } from "./internal/parts.ts"
import type { ModelProvider, ModelReply, ModelRequest } from "./Models.ts"
import * as Timeouts from "./Timeouts.ts"

// A LanguageModel as a handler

interface Answered {
  readonly content: ReadonlyArray<Response.AnyPart>
}

type AnyToolkit = Toolkit.WithHandler<Record<string, Tool.Any>>

const toolkitOf = (tools: ReadonlyArray<ToolDefinition>): AnyToolkit => ({
  tools: Object.fromEntries(
    tools.map((tool) => [
      tool.name,
      Tool.dynamic(tool.name, {
        parameters: tool.parameters,
        ...(tool.description === undefined ? {} : { description: tool.description })
      })
    ])
  ),
  handle: () => Effect.die(new Error("EffectAi leaves tool calls to the caller"))
})

/** The settings that `effect/ai` leaves to a provider's own layer, so that they cannot be set per call. */
const ignoredSettings = ({ tools: _, toolChoice: __, ...others }: Settings): ReadonlyArray<string> =>
  Object.entries(others).flatMap(([name, value]) => (value === undefined ? [] : [name]))

const call = (model: LanguageModel.LanguageModel, request: Omit<ModelRequest, "delivery">, live: boolean) =>
  Effect.flatMap(Timeouts.Timeouts, (phases): ModelReply => {
    const { model: name, prompt, provider, settings } = request
    const fail = toModelError.bind(undefined, provider, name)
    const missed = (phase: "first-part" | "idle" | "whole", limit: Duration.Duration) =>
      fail({
        reason: "Timeout",
        detail: `the ${phase} limit of ${Duration.toSeconds(limit)} s passed`,
        missed: { phase, afterMs: Duration.toMillis(limit) }
      })
    const ignored = ignoredSettings(settings)
    const encode = (part: Response.AnyPart): Part.Part => {
      const encoded = encodePart(part)
      if (encoded.type !== "finish" || ignored.length === 0) return encoded
      return { ...encoded, metadata: { ...encoded.metadata, interlock: { ignoredSettings: ignored } } }
    }
    const failure = (error: unknown) =>
      error instanceof AiError.AiError
        ? fromAiError(provider, name, error)
        : fail({ reason: "InvalidAnswer", detail: "an error that is no AiError" })
    const decoded = Effect.try({
      try: () => EffectPrompt.make(prompt.content),
      catch: () => fail({ reason: "BadRequest", detail: "the prompt is not one of effect/ai" })
    })
    return Effect.flatMap(decoded, (prompt): ModelReply => {
      const options = {
        prompt,
        toolkit: toolkitOf(settings.tools ?? []),
        toolChoice: settings.toolChoice ?? "auto",
        disableToolCallResolution: true,
        toolCallValidation: "deferred"
      } as const
      if (!live) {
        const asked: Effect.Effect<Answered, unknown, unknown> = model.generateText(options)
        return (asked as Effect.Effect<Answered, unknown>).pipe(
          Effect.mapError(failure),
          Effect.map((response) => Reply.whole(response.content.map(encode))),
          Effect.timeoutOrElse({
            duration: phases.whole,
            orElse: () => Effect.fail(missed("whole", phases.whole))
          })
        )
      }
      const parts = Stream.mapEffect(
        Stream.mapError(model.streamText(options) as Stream.Stream<Response.AnyPart, unknown>, failure),
        (part) => (part.type === "error" ? Effect.fail(failure(part.error)) : Effect.succeed(encode(part)))
      )
      const started = Effect.timeoutOrElse(Reply.liveAfterFirst(untilContent(parts)), {
        duration: phases.firstPart,
        orElse: () => Effect.fail(missed("first-part", phases.firstPart))
      })
      return Effect.map(Effect.timed(started), ([taken, reply]) => {
        const late = Effect.andThen(
          Effect.sleep(Duration.subtract(phases.whole, taken)),
          Effect.fail(missed("whole", phases.whole))
        )
        return Reply.live(
          Stream.interruptWhen(
            Stream.timeoutOrElse(reply.parts, {
              duration: phases.idle,
              orElse: () => Stream.fail(missed("idle", phases.idle))
            }),
            late
          )
        )
      })
    })
  })

/**
 * The handler that asks whatever `LanguageModel` is in the context. Settings that `effect/ai` leaves to the layer
 * (temperature and the like) are not sent; their names stand in the finish part's `metadata.interlock.ignoredSettings`.
 *
 * @category handlers
 * @since 0.1.0
 */
export const handler: Handler.Handler<
  SafePrompt | Parameters,
  Part.Part,
  ModelError.ModelError,
  LanguageModel.LanguageModel
> = Pipeline.handler(
  "languageModel",
  { needs: { prompt: SafePrompt, settings: Parameters } },
  Effect.fnUntraced(function* ({ prompt, settings }) {
    const model = yield* LanguageModel.LanguageModel
    const delivery = yield* Reply.Delivery
    const name = { provider: "effect", model: "LanguageModel" }
    return yield* recorded({ ...name, prompt }, call(model, { ...name, prompt, settings }, delivery === "live"))
  })
)

/**
 * Makes a provider of the `LanguageModel` in the context; which model it is, its layer says.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (name: string): Effect.Effect<ModelProvider, never, LanguageModel.LanguageModel> =>
  Effect.map(LanguageModel.LanguageModel, (model) => ({
    name,
    call: (request) => call(model, request, request.delivery === "live")
  }))

// A pipeline as a LanguageModel

/**
 * What a pipeline is given besides what a program asks of the `LanguageModel`.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<Input> = {
  /** Settings that a program cannot say through `effect/ai`: temperature, seed, … */
  readonly settings?: Settings
  /** How schemas become JSON Schema; a provider with a strict mode may need its own. */
  readonly codecTransformer?: LanguageModel.CodecTransformer
} & ([Exclude<Input, RawPrompt | Parameters>] extends [never]
  ? { readonly facts?: Context.Context<never> }
  : {
      /** The other facts that the pipeline's calls bring, such as the `Caller`. */
      readonly facts: Context.Context<Exclude<Input, RawPrompt | Parameters>>
    })

type OptionsArgument<Input> = [Exclude<Input, RawPrompt | Parameters>] extends [never]
  ? [options?: Options<Input>]
  : [options: Options<Input>]

const toolDefinition = (
  tool: Tool.Any,
  transformer: LanguageModel.CodecTransformer
): Effect.Effect<ToolDefinition, AiError.AiError> => {
  if (Tool.isProviderDefined(tool)) {
    return Effect.fail(
      AiError.make({
        module: "EffectAi",
        method: "toolDefinition",
        reason: new AiError.InvalidRequestError({
          parameter: tool.name,
          description: `${tool.name} is a tool of one provider: give a pipeline tools of your own, or set it in Parameters.providerOptions`
        })
      })
    )
  }
  const description = Tool.getDescription(tool)
  const strict = Tool.getStrictMode(tool)
  return Effect.succeed({
    name: tool.name,
    parameters: Tool.getJsonSchema(tool, { transformer }),
    ...(description === undefined ? {} : { description }),
    ...(strict === undefined ? {} : { strict })
  })
}

const settingsOf = Effect.fnUntraced(function* (
  options: LanguageModel.ProviderOptions,
  base: Settings,
  transformer: LanguageModel.CodecTransformer
): Effect.fn.Return<Settings, AiError.AiError> {
  const tools = yield* Effect.forEach(options.tools, (tool) => toolDefinition(tool, transformer))
  const choice: LanguageModel.ToolChoice<string> = options.toolChoice
  const toolChoice = typeof choice === "object" && "oneOf" in choice ? (choice.mode ?? "auto") : choice
  return {
    ...base,
    ...(tools.length === 0 ? {} : { tools, toolChoice }),
    ...(options.responseFormat.type === "text"
      ? {}
      : {
          responseFormat: {
            type: "json",
            name: options.responseFormat.objectName,
            schema: transformer(options.responseFormat.schema as Schema.Codec<unknown>).jsonSchema
          }
        })
  }
})

const encodePrompt = Schema.encodeEffect(EffectPrompt.Prompt)

/**
 * Makes the `LanguageModel` service of a closed pipeline. Its errors become `AiError`s: a `ModelError` the reason of the same
 * meaning, any other an `UnknownError` with its message.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Input, Whole, E, R>(
  pipeline: Pipeline.Closed<Input, Part.Part, Whole, E, R>,
  ...[options]: OptionsArgument<Input>
): Effect.Effect<LanguageModel.LanguageModel, never, R> =>
  Effect.flatMap(Effect.context<R>(), (captured) => {
    // The span and the journal are those of the call in flight, not of whoever made the service.
    const services = Context.omit(
      Tracer.ParentSpan,
      Journal.Journal
    )(captured as Context.Context<never>) as Context.Context<R>
    const transformer = options?.codecTransformer ?? LanguageModel.defaultCodecTransformer
    const given = (options?.facts ?? Context.empty()) as Context.Context<never>
    const failure = (error: unknown) => (error instanceof AiError.AiError ? error : toAiError(pipeline.name, error))
    const factsOf = (asked: LanguageModel.ProviderOptions) =>
      Effect.flatMap(settingsOf(asked, options?.settings ?? {}, transformer), (settings) =>
        Effect.map(
          encodePrompt(asked.prompt),
          (prompt) =>
            given.pipe(
              Context.add(RawPrompt, prompt as Prompt.Prompt),
              Context.add(Parameters, settings)
            ) as Context.Context<never> as Context.Context<Input>
        )
      )
    return LanguageModel.make({
      codecTransformer: transformer,
      generateText: (asked) =>
        factsOf(asked).pipe(
          Effect.flatMap((facts) =>
            Effect.scoped(
              Effect.flatMap(Effect.provideService(pipeline.handle(facts), Reply.Delivery, "whole"), Reply.collect)
            )
          ),
          Effect.map((parts) => [...Part.toStanding(parts)] as Array<Response.PartEncoded>),
          Effect.mapError(failure),
          Effect.provideContext(services)
        ),
      streamText: (asked) => {
        let index = 0
        return Stream.unwrap(Effect.map(factsOf(asked), (facts) => pipeline.stream(facts))).pipe(
          Stream.mapError(failure),
          Stream.flatMap((part) => Stream.fromIterable(toLive(part, index++) as Array<Response.StreamPartEncoded>)),
          Stream.provideContext(services)
        )
      }
    })
  })

/**
 * The layer of the `LanguageModel` service that a closed pipeline is.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Input, Whole, E, R>(
  pipeline: Pipeline.Closed<Input, Part.Part, Whole, E, R>,
  ...options: OptionsArgument<Input>
): Layer.Layer<LanguageModel.LanguageModel, never, R> =>
  Layer.effect(LanguageModel.LanguageModel, make(pipeline, ...options))

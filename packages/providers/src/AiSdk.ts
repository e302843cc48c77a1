/**
 * `AiSdk` makes any language model of the AI SDK (`LanguageModelV4`) a handler or a provider, and a closed pipeline such a
 * model.
 *
 * The provider packages of the AI SDK speak the wire protocols; the rest of the AI SDK is not used, so nothing is retried
 * behind the pipeline's back. What a model says that has no equal here is kept in the `finish` part's `metadata.interlock`.
 *
 * ```ts
 * import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
 * import { AiSdk } from "@interlock/providers"
 *
 * const local = createOpenAICompatible({ name: "local", baseURL: "http://127.0.0.1:8080/v1", fetch: AiSdk.fetch })
 * export const callLocal = AiSdk.handler(local("qwen3-8b"))
 * export const provider = AiSdk.provider("local", (model) => local(model))
 * ```
 *
 * @since 0.1.0
 */
import type { LanguageModelV4 } from "@ai-sdk/provider"
import { type Handler, Pipeline, Reply } from "@interlock/core"
import { type ModelError, Parameters, type Part, type RawPrompt, SafePrompt } from "@interlock/model"
import { Context, Duration, Effect, Tracer } from "effect"
import { live, whole } from "./internal/aiSdkCall.ts"
import { classify, conceal, type Failure, toModelError } from "./internal/aiSdkError.ts"
import { watchedFetch } from "./internal/aiSdkFetch.ts"
import { toLanguageModel } from "./internal/aiSdkModel.ts"
import { toCallOptions } from "./internal/aiSdkOptions.ts"
import { recorded } from "./internal/attempt.ts"
import type { ModelProvider, ModelReply, ModelRequest } from "./Models.ts"
import * as Timeouts from "./Timeouts.ts"

type Asked = Pick<ModelRequest, "prompt" | "settings" | "delivery" | "provider" | "model">

const call = (modelOf: () => LanguageModelV4, request: Asked): ModelReply =>
  Effect.flatMap(Timeouts.Timeouts, (phases): ModelReply => {
    const limits = {
      connect: Duration.toMillis(phases.connect),
      firstPart: Duration.toMillis(phases.firstPart),
      idle: Duration.toMillis(phases.idle),
      whole: Duration.toMillis(phases.whole)
    }
    const fail = (failure: Failure) =>
      toModelError(request.provider, request.model, {
        ...failure,
        detail: failure.reason === "BadRequest" ? conceal(failure.detail, request.prompt.content) : failure.detail
      })
    const made = Effect.try({
      try: () => ({ model: modelOf(), options: toCallOptions(request.prompt, request.settings) }),
      catch: (error) => fail(classify(error, 0))
    })
    return request.delivery === "whole"
      ? Effect.map(
          Effect.flatMap(made, ({ model, options }) => whole(model, options, limits, fail)),
          Reply.whole
        )
      : Effect.map(
          Effect.flatMap(made, ({ model, options }) => live(model, options, limits, fail)),
          Reply.live
        )
  })

/**
 * Makes a provider of a function from a model's name to the AI SDK's model.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (name: string, modelOf: (model: string) => LanguageModelV4): ModelProvider => ({
  name,
  call: (request) => call(() => modelOf(request.model), request)
})

/**
 * Makes a handler of one model, for a pipeline that does not choose. It asks for the redacted prompt and the parameters,
 * answers whole or live as the caller wants it, and writes each try into the journal.
 *
 * @category handlers
 * @since 0.1.0
 */
export const handler = (
  model: LanguageModelV4
): Handler.Handler<SafePrompt | Parameters, Part.Part, ModelError.ModelError> => {
  const name = { provider: model.provider, model: model.modelId }
  return Pipeline.handler(
    `${model.provider}/${model.modelId}`,
    { needs: { prompt: SafePrompt, settings: Parameters } },
    ({ prompt, settings }) =>
      Effect.flatMap(Reply.Delivery, (delivery) =>
        recorded(
          { ...name, prompt },
          call(() => model, { ...name, prompt, settings, delivery })
        )
      )
  )
}

type OtherFacts<Input> = Exclude<Input, RawPrompt | Parameters>

/**
 * Makes a language model of the AI SDK of a closed pipeline, so that its `generateText` and `streamText` run through the
 * pipeline unchanged. `facts` are those that every call brings besides the prompt and the parameters, such as the `Caller`.
 * Errors are thrown as the AI SDK's `APICallError`, with a status, whether to retry, and the time to wait.
 *
 * @category constructors
 * @since 0.1.0
 */
export const languageModel = <Input, Whole, E, R>(
  pipeline: Pipeline.Closed<Input, Part.Part, Whole, E, R>,
  ...[facts]: [OtherFacts<Input>] extends [never] ? [] : [facts: Context.Context<OtherFacts<Input>>]
): Effect.Effect<LanguageModelV4, never, R> =>
  Effect.map(Effect.context<R>(), (captured) => {
    const services = Context.omit(Tracer.ParentSpan)(captured as Context.Context<never>) as Context.Context<R>
    return toLanguageModel(pipeline, (facts ?? Context.empty()) as Context.Context<never>, services)
  })

/**
 * `fetch` for the AI SDK's providers, which lets `Timeouts.connect` end with the response head. Without it, `connect` ends
 * when the AI SDK hands over the stream, which some providers do only with the first part.
 *
 * It has no limits of its own (Node's `fetch` gives up after five minutes of silence), does not take a request with its key to
 * another host, and ends a stream where its answer ends (`[DONE]`, OpenAI's `response.completed`, Google's `finishReason`), though the
 * server may keep the connection open. One JSON text where a stream was asked for is read as the error that it states.
 *
 * @category fetch
 * @since 0.1.0
 */
export const fetch: typeof globalThis.fetch = watchedFetch

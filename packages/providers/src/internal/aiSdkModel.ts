/**
 * A closed pipeline as a `LanguageModelV4`: the boundary where promises, abort signals and thrown errors begin.
 *
 * @since 0.1.0
 */
import {
  APICallError,
  type LanguageModelV4,
  type LanguageModelV4CallOptions,
  type LanguageModelV4Content,
  type LanguageModelV4ResponseMetadata,
  type LanguageModelV4StreamPart,
  type SharedV4Warning
} from "@ai-sdk/provider"
import { type Pipeline, Reply } from "@interlock/core"
import { ModelError, Parameters, Part, RawPrompt } from "@interlock/model"
import { Cause, Context, Effect, Exit, Scope, Stream } from "effect"
import { fromCallOptions } from "./aiSdkOptions.ts"
import { toContent, toFinish, toResponse, toStreamParts } from "./aiSdkPart.ts"

const statuses: { readonly [R in ModelError.ModelError["reason"]["_tag"]]: number } = {
  RefusedKey: 401,
  Quota: 402,
  RateLimited: 429,
  Timeout: 408,
  Overloaded: 503,
  BadRequest: 400,
  ContentFiltered: 400,
  InvalidAnswer: 502,
  Network: 502
}

/** What the AI SDK throws and understands: with a status, whether to retry, and `Retry-After`. */
const toApiCallError = (pipeline: string, error: unknown): APICallError => {
  if (APICallError.isInstance(error)) return error
  const known = error instanceof ModelError.ModelError ? error : undefined
  const wait = known === undefined ? undefined : ModelError.retryAfterMs(known)
  return new APICallError({
    message: error instanceof Error ? error.message : `the pipeline ${pipeline} failed`,
    url: `interlock:${pipeline}`,
    requestBodyValues: {},
    ...(known === undefined ? {} : { statusCode: statuses[known.reason._tag] }),
    ...(wait === undefined ? {} : { responseHeaders: { "retry-after-ms": String(wait) } }),
    isRetryable: known !== undefined && ModelError.isRetryable(known)
  })
}

/** What a call asks for that a pipeline has no word for. */
const ignored = (options: LanguageModelV4CallOptions): Array<SharedV4Warning> =>
  (options.tools ?? []).flatMap((tool) =>
    tool.type === "function"
      ? []
      : [
          {
            type: "unsupported",
            feature: tool.id,
            details: "A pipeline takes tools of the program, not of a provider."
          }
        ]
  )

/** A pipeline's model; `facts` are those that every call brings besides the prompt and the parameters. */
export const toLanguageModel = <Input, Whole, E, R>(
  pipeline: Pipeline.Closed<Input, Part.Part, Whole, E, R>,
  given: Context.Context<never>,
  services: Context.Context<R>
): LanguageModelV4 => {
  const factsOf = (options: LanguageModelV4CallOptions): Context.Context<Input> => {
    const { prompt, settings } = fromCallOptions(options)
    const facts = Context.add(Context.add(given, RawPrompt, prompt), Parameters, settings)
    return facts as Context.Context<never> as Context.Context<Input>
  }
  const run = async <A>(effect: Effect.Effect<A, E, R>, signal: AbortSignal | undefined): Promise<A> => {
    const exit = await Effect.runPromiseExitWith(services)(effect, signal === undefined ? {} : { signal })
    if (Exit.isSuccess(exit)) return exit.value
    signal?.throwIfAborted()
    throw toApiCallError(pipeline.name, Cause.squash(exit.cause))
  }
  return {
    specificationVersion: "v4",
    provider: "interlock",
    modelId: pipeline.name,
    supportedUrls: { "*/*": [/^https?:\/\//] },
    doGenerate: async (options) => {
      const parts = await run(
        Effect.scoped(
          Effect.flatMap(
            Effect.provideService(pipeline.handle(factsOf(options)), Reply.Delivery, "whole" as const),
            Reply.collect
          )
        ),
        options.abortSignal
      )
      const content: Array<LanguageModelV4Content> = []
      let finish: Part.FinishPart | undefined
      let response: LanguageModelV4ResponseMetadata | undefined
      for (const part of Part.toStanding(parts)) {
        if (part.type === "finish") finish = part
        else if (part.type === "response-metadata") response = { ...response, ...toResponse(part) }
        else if (isStanding(part)) content.push(toContent(part))
      }
      return {
        content,
        ...toFinish(finish),
        warnings: ignored(options),
        ...(response === undefined ? {} : { response })
      }
    },
    doStream: (options) =>
      run(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const reply = yield* pipeline.handle(factsOf(options)).pipe(
            Effect.provideService(Reply.Delivery, "live" as const),
            Scope.provide(scope),
            Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
          )
          let index = 0
          const start: LanguageModelV4StreamPart = { type: "stream-start", warnings: ignored(options) }
          const parts = Reply.toStream(reply).pipe(
            Stream.flatMap((part) => Stream.fromIterable(toStreamParts(part, index++))),
            Stream.catch((error) =>
              Stream.succeed<LanguageModelV4StreamPart>({ type: "error", error: toApiCallError(pipeline.name, error) })
            ),
            Stream.onExit((exit) => Scope.close(scope, exit))
          )
          const aborted = Effect.callback<void>((resume) => {
            const { abortSignal } = options
            if (abortSignal === undefined) return
            const abort = () => resume(Effect.void)
            abortSignal.addEventListener("abort", abort, { once: true })
            return Effect.sync(() => abortSignal.removeEventListener("abort", abort))
          })
          const stream = Stream.concat(Stream.succeed(start), Stream.interruptWhen(parts, aborted))
          return { stream: Stream.toReadableStreamWith(stream, services) }
        }),
        options.abortSignal
      )
  }
}

type Standing = Extract<
  Part.Part,
  { type: "text" | "reasoning" | "file" | "source" | "tool-call" | "tool-result" | "tool-approval-request" }
>

const isStanding = (part: Part.Part): part is Standing => {
  switch (part.type) {
    case "text":
    case "reasoning":
    case "file":
    case "source":
    case "tool-call":
    case "tool-result":
    case "tool-approval-request":
      return true
    default:
      return false
  }
}

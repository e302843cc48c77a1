/**
 * `Models` is the registry of the providers that an application may call: it takes a request to the provider that the
 * request names, and writes each try into the journal.
 *
 * A provider is a value, or an effect that makes one (from a key in the configuration, say):
 *
 * ```ts
 * import { Reply } from "@interlock/core"
 * import { Part } from "@interlock/model"
 * import { Models } from "@interlock/providers"
 * import { Effect } from "effect"
 *
 * const parrot: Models.ModelProvider = {
 *   name: "parrot",
 *   call: (request) => Effect.succeed(Reply.whole(Part.text(`${request.model} says hello`)))
 * }
 * export const layer = Models.layer([parrot])
 * ```
 *
 * @since 0.1.0
 */
import type { Reply } from "@interlock/core"
import { ModelError, type Part, type Prompt, type SafeText, type Settings } from "@interlock/model"
import { Context, Effect, Layer, type Scope } from "effect"
import * as Attempt from "./internal/attempt.ts"
import { MissingKey } from "./MissingKey.ts"

/**
 * One call of one model. The prompt is redacted: only the `redact` stage makes `SafeText`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ModelRequest {
  readonly provider: string
  readonly model: string
  readonly prompt: Prompt.Prompt<SafeText>
  readonly settings: Settings
  /** Whether the caller wants the parts as they come; a provider may answer whole all the same. */
  readonly delivery: "whole" | "live"
}

/**
 * A reply of a model, or why there is none. Before the first part with content a failure is one of the effect, after it
 * one of the stream.
 *
 * @category models
 * @since 0.1.0
 */
export type ModelReply = Effect.Effect<
  Reply.Reply<Part.Part, ModelError.ModelError>,
  ModelError.ModelError,
  Scope.Scope
>

/**
 * Whoever serves models under a name.
 *
 * @category models
 * @since 0.1.0
 */
export interface ModelProvider {
  /** The name that `ChosenModel.provider` and the catalogue use: `openai`, `anthropic`, `google`, `offline`, … */
  readonly name: string
  readonly call: (request: ModelRequest) => ModelReply
}

/**
 * The service: calls the model that a request names, at the provider that it names.
 *
 * @category services
 * @since 0.1.0
 */
export class Models extends Context.Service<
  Models,
  {
    /** The names of the providers, in the order in which they were given. */
    readonly providers: ReadonlyArray<string>
    readonly call: (request: ModelRequest) => ModelReply
  }
>()("@interlock/providers/Models") {}

const badRequest = (request: ModelRequest, message: string) =>
  Effect.fail(
    new ModelError.ModelError({
      provider: request.provider,
      model: request.model,
      reason: new ModelError.BadRequest({}),
      message
    })
  )

const isEmpty = (prompt: Prompt.Prompt): boolean =>
  prompt.content.every(
    (message) =>
      message.role === "system" ||
      (typeof message.content === "string"
        ? message.content.trim() === ""
        : message.content.every((part) => part.type === "text" && part.text.trim() === ""))
  )

/**
 * Makes the service of providers; when two have the same name, the later one counts.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (providers: ReadonlyArray<ModelProvider>): Models["Service"] => {
  const byName = new Map(providers.map((provider) => [provider.name, provider]))
  const names = [...byName.keys()]
  return {
    providers: names,
    call: (request) => {
      const provider = byName.get(request.provider)
      if (provider === undefined) {
        return badRequest(
          request,
          `no provider is called "${request.provider}": add it to Models.layer (it has ${names.join(", ") || "none"})`
        )
      }
      if (isEmpty(request.prompt)) {
        return badRequest(request, "the prompt is empty: give at least one message of the user with text or a file")
      }
      return Attempt.recorded(request, provider.call(request))
    }
  }
}

/**
 * A provider, or an effect that makes one.
 *
 * @category models
 * @since 0.1.0
 */
export type Source<E = unknown, R = unknown> = ModelProvider | Effect.Effect<ModelProvider, E, R>

type ErrorOf<S> = S extends Effect.Effect<ModelProvider, infer E, infer _R> ? E : never
type ServicesOf<S> = S extends Effect.Effect<ModelProvider, infer _E, infer R> ? R : never

const uncalled = "This makes a provider: call it, as in OpenAi.provider()"

const made = <S extends Source>(source: S) =>
  (Effect.isEffect(source)
    ? source
    : typeof source === "function"
      ? Effect.die(new TypeError(uncalled))
      : Effect.succeed(source)) as Effect.Effect<ModelProvider, ErrorOf<S>, ServicesOf<S>>

/**
 * A function is no provider, though it has a `name` and a `call` as one has.
 *
 * @category type-level
 * @since 0.1.0
 */
export type NoFunctions<S> = {
  readonly [K in keyof S]: S[K] extends (...args: never) => unknown ? typeof uncalled : S[K]
}

/**
 * The layer of providers, each a value or an effect that makes one.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <const S extends ReadonlyArray<Source>>(
  providers: S & NoFunctions<S>
): Layer.Layer<Models, ErrorOf<S[number]>, ServicesOf<S[number]>> =>
  Layer.effect(
    Models,
    Effect.map(
      Effect.forEach(providers as S, (source: S[number]) => made(source)),
      make
    )
  )

/**
 * The same, of those providers that have what they need: where a key is missing, its provider is left out. Other failures
 * stay failures.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerAvailable = <const S extends ReadonlyArray<Source>>(
  providers: S & NoFunctions<S>
): Layer.Layer<Models, Exclude<ErrorOf<S[number]>, MissingKey>, ServicesOf<S[number]>> =>
  Layer.effect(
    Models,
    Effect.map(
      Effect.forEach(providers as S, (source: S[number]) =>
        Effect.matchEffect(made(source), {
          onSuccess: (provider) => Effect.succeed([provider]),
          onFailure: (error) =>
            error instanceof MissingKey
              ? Effect.succeed([])
              : Effect.fail(error as Exclude<ErrorOf<S[number]>, MissingKey>)
        })
      ),
      (providers) => make(providers.flat())
    )
  )

/**
 * One provider of two: a request that asks for pictures goes to the second, any other to the first, whose name they have.
 *
 * @category constructors
 * @since 0.1.0
 */
export const withImages = <E, R, E2, R2>(
  provider: Source<E, R>,
  images: Source<E2, R2>
): Effect.Effect<ModelProvider, E | E2, R | R2> =>
  Effect.zipWith(made(provider), made(images), (chat, drawing) => ({
    name: chat.name,
    call: (request) => (request.settings.image === undefined ? chat : drawing).call(request)
  })) as Effect.Effect<ModelProvider, E | E2, R | R2>

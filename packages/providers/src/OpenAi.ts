/**
 * `OpenAi` is the provider of OpenAI, over `@ai-sdk/openai`.
 *
 * The key comes from `OPENAI_API_KEY` (`Config.Redacted`), another address from `OPENAI_BASE_URL`.
 *
 * ```ts
 * import { OpenAi, Models } from "@interlock/providers"
 *
 * export const layer = Models.layer([OpenAi.provider()])
 * ```
 *
 * @since 0.1.0
 */
import { createOpenAI } from "@ai-sdk/openai"
import { Effect, type Redacted } from "effect"
import * as AiSdk from "./AiSdk.ts"
import { address, optionalText, plainHeaders, requiredKey } from "./internal/settings.ts"
import { strictness } from "./internal/strictSchema.ts"
import type { MissingKey } from "./MissingKey.ts"
import type { ModelProvider } from "./Models.ts"

/**
 * What may differ from the defaults.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The provider's name in `ChosenModel` and the catalogue. Default: `openai`. */
  readonly name?: string
  /** The variable that holds the key. Default: `OPENAI_API_KEY`. */
  readonly keyVariable?: string
  /**
   * The address of the API, with its version; a mere host gets `/v1`. Without it `OPENAI_BASE_URL` counts, then OpenAI's own.
   */
  readonly baseUrl?: string
  /** Headers that every request bears besides the provider's own, for a gateway say; a secret one is `Redacted`. */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted }
  /** Which of OpenAI's protocols to speak. Default: `responses`. */
  readonly api?: "responses" | "chat"
  /**
   * Whether OpenAI keeps the answers, and is then sent references to them in place of the earlier messages, whatever a stage
   * has made of these since. Default: `false`; `providerOptions.openai.store` of a call counts first.
   */
  readonly store?: boolean
}

/**
 * Makes the provider; without a key it is a typed error that names the variable.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (options: Options = {}): Effect.Effect<ModelProvider, MissingKey> =>
  Effect.gen(function* () {
    const name = options.name ?? "openai"
    const apiKey = yield* requiredKey(name, options.keyVariable ?? "OPENAI_API_KEY")
    const baseURL = options.baseUrl ?? (yield* optionalText("OPENAI_BASE_URL"))
    const create = createOpenAI({
      apiKey,
      fetch: AiSdk.fetch,
      ...plainHeaders(options.headers),
      ...(baseURL === undefined ? {} : { baseURL: address(baseURL, "/v1") })
    })
    const provider = AiSdk.provider(name, (model) =>
      options.api === "chat" ? create.chat(model) : create.responses(model)
    )
    return {
      name,
      call: (request) => {
        const { providerOptions } = request.settings
        // The library asks for a summary with every effort, which OpenAI refuses to organisations that it has not verified.
        const openai = {
          store: options.store ?? false,
          reasoningSummary: null,
          ...strictness(request.settings),
          ...providerOptions?.["openai"]
        }
        return provider.call({
          ...request,
          settings: { ...request.settings, providerOptions: { ...providerOptions, openai } }
        })
      }
    }
  })

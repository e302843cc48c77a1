/**
 * `Google` is the provider of Google, over `@ai-sdk/google`.
 *
 * The key comes from `GEMINI_API_KEY` (`Config.Redacted`), another address from `GEMINI_BASE_URL`.
 *
 * ```ts
 * import { Google, Models } from "@interlock/providers"
 *
 * export const layer = Models.layer([Google.provider()])
 * ```
 *
 * @since 0.1.0
 */
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { Effect, type Redacted } from "effect"
import * as AiSdk from "./AiSdk.ts"
import { address, optionalText, plainHeaders, requiredKey } from "./internal/settings.ts"
import type { MissingKey } from "./MissingKey.ts"
import type { ModelProvider } from "./Models.ts"

/**
 * What may differ from the defaults.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The provider's name in `ChosenModel` and the catalogue. Default: `google`. */
  readonly name?: string
  /** The variable that holds the key. Default: `GEMINI_API_KEY`. */
  readonly keyVariable?: string
  /**
   * The address of the API, with its version; a mere host gets `/v1beta`. Without it `GEMINI_BASE_URL` counts, then Google's
   * own.
   */
  readonly baseUrl?: string
  /** Headers that every request bears besides the provider's own, for a gateway say; a secret one is `Redacted`. */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted }
}

/**
 * Makes the provider; without a key it is a typed error that names the variable.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (options: Options = {}): Effect.Effect<ModelProvider, MissingKey> =>
  Effect.gen(function* () {
    const name = options.name ?? "google"
    const apiKey = yield* requiredKey(name, options.keyVariable ?? "GEMINI_API_KEY")
    const baseURL = options.baseUrl ?? (yield* optionalText("GEMINI_BASE_URL"))
    const create = createGoogleGenerativeAI({
      apiKey,
      fetch: AiSdk.fetch,
      ...plainHeaders(options.headers),
      ...(baseURL === undefined ? {} : { baseURL: address(baseURL, "/v1beta") })
    })
    return AiSdk.provider(name, (model) => create(model))
  })

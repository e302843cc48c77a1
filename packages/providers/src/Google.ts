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
import { Effect } from "effect"
import * as AiSdk from "./AiSdk.ts"
import { optionalText, requiredKey } from "./internal/settings.ts"
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
  /** The address of the API; without it `GEMINI_BASE_URL` counts, then Google's own. */
  readonly baseUrl?: string
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
      ...(baseURL === undefined ? {} : { baseURL })
    })
    return AiSdk.provider(name, (model) => create(model))
  })

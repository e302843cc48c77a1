/**
 * `Anthropic` is the provider of Anthropic, over `@ai-sdk/anthropic`.
 *
 * The key comes from `ANTHROPIC_API_KEY` (`Config.Redacted`), another address from `ANTHROPIC_BASE_URL`.
 *
 * ```ts
 * import { Anthropic, Models } from "@interlock/providers"
 *
 * export const layer = Models.layer([Anthropic.provider()])
 * ```
 *
 * @since 0.1.0
 */
import { createAnthropic } from "@ai-sdk/anthropic"
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
  /** The provider's name in `ChosenModel` and the catalogue. Default: `anthropic`. */
  readonly name?: string
  /** The variable that holds the key. Default: `ANTHROPIC_API_KEY`. */
  readonly keyVariable?: string
  /** The address of the API; without it `ANTHROPIC_BASE_URL` counts, then Anthropic's own. */
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
    const name = options.name ?? "anthropic"
    const apiKey = yield* requiredKey(name, options.keyVariable ?? "ANTHROPIC_API_KEY")
    const baseURL = options.baseUrl ?? (yield* optionalText("ANTHROPIC_BASE_URL"))
    const create = createAnthropic({ apiKey, fetch: AiSdk.fetch, ...(baseURL === undefined ? {} : { baseURL }) })
    return AiSdk.provider(name, (model) => create(model))
  })

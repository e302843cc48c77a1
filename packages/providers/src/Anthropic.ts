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
  /** The provider's name in `ChosenModel` and the catalogue. Default: `anthropic`. */
  readonly name?: string
  /** The variable that holds the key. Default: `ANTHROPIC_API_KEY`. */
  readonly keyVariable?: string
  /**
   * The address of the API, with its version; a mere host gets `/v1`. Without it `ANTHROPIC_BASE_URL` counts, then Anthropic's
   * own. That variable belongs to Anthropic's own tools, which put `/v1` behind it, so it may stand there without.
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
    const name = options.name ?? "anthropic"
    const apiKey = yield* requiredKey(name, options.keyVariable ?? "ANTHROPIC_API_KEY")
    const shared = yield* optionalText("ANTHROPIC_BASE_URL")
    const baseURL = options.baseUrl ?? (shared === undefined ? undefined : versioned(shared))
    const create = createAnthropic({
      apiKey,
      fetch: AiSdk.fetch,
      ...plainHeaders(options.headers),
      ...(baseURL === undefined ? {} : { baseURL: address(baseURL, "/v1") })
    })
    return AiSdk.provider(name, (model) => create(model))
  })

const versioned = (url: string): string => {
  const bare = address(url, "/v1")
  return /\/v\d+$/.test(bare) ? bare : `${bare}/v1`
}

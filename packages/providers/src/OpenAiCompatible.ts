/**
 * `OpenAiCompatible` is the provider of every server that speaks OpenAI's chat completions: DeepSeek, Mistral, Qwen, vLLM,
 * Ollama, llama.cpp and many more, over `@ai-sdk/openai-compatible`.
 *
 * ```ts
 * import { Models, OpenAiCompatible } from "@interlock/providers"
 *
 * export const layer = Models.layer([
 *   OpenAiCompatible.provider({ name: "deepseek", baseUrl: "https://api.deepseek.com/v1", keyVariable: "DEEPSEEK_API_KEY" }),
 *   OpenAiCompatible.provider({ name: "ollama", baseUrl: "http://127.0.0.1:11434/v1" })
 * ])
 * ```
 *
 * @since 0.1.0
 */
import { createOpenAICompatible, type OpenAICompatibleProviderSettings } from "@ai-sdk/openai-compatible"
import type { JSONObject } from "@ai-sdk/provider"
import { Effect, type Redacted } from "effect"
import * as AiSdk from "./AiSdk.ts"
import { address, plainHeaders, requiredKey } from "./internal/settings.ts"
import { strictness } from "./internal/strictSchema.ts"
import type { MissingKey } from "./MissingKey.ts"
import type { ModelProvider } from "./Models.ts"

/**
 * Where the server is and what it wants.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The provider's name in `ChosenModel` and the catalogue. */
  readonly name: string
  /** The address of the API, with its version: `http://127.0.0.1:11434/v1`. A mere host gets `/v1`. */
  readonly baseUrl: string
  /** Headers that every request bears besides the provider's own, for a gateway say; a secret one is `Redacted`. */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted }
  /** The variable that holds the key; without it no key is sent. */
  readonly keyVariable?: string
  /** Whether the server keeps to a JSON Schema that is asked for. Default: `false`. */
  readonly structuredOutputs?: boolean
}

/**
 * Makes the provider; a `keyVariable` that is not set is a typed error that names it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (options: Options): Effect.Effect<ModelProvider, MissingKey> =>
  Effect.gen(function* () {
    const { baseUrl, keyVariable, name } = options
    const key = keyVariable === undefined ? {} : { apiKey: yield* requiredKey(name, keyVariable) }
    const create = createOpenAICompatible({
      ...key,
      name,
      ...plainHeaders(options.headers),
      baseURL: address(baseUrl, "/v1"),
      includeUsage: true,
      supportsStructuredOutputs: options.structuredOutputs ?? false,
      fetch: AiSdk.fetch,
      convertUsage
    })
    const provider = AiSdk.provider(name, (model) => create(model))
    return {
      name,
      call: (request) => {
        const { providerOptions } = request.settings
        const openaiCompatible = { ...strictness(request.settings), ...providerOptions?.["openaiCompatible"] }
        return provider.call({
          ...request,
          settings: { ...request.settings, providerOptions: { ...providerOptions, openaiCompatible } }
        })
      }
    }
  })

/**
 * The usage as these servers count it. DeepSeek and Moonshot say beside `prompt_tokens` what came from the cache, and xAI leaves
 * what the model thought out of `completion_tokens`, so that only `total_tokens` tells. What a server does not say stays unsaid.
 */
const convertUsage: NonNullable<OpenAICompatibleProviderSettings["convertUsage"]> = (usage) => {
  const said = usage ?? {}
  const input = said.prompt_tokens ?? undefined
  const completion = said.completion_tokens ?? undefined
  const cacheRead = said.prompt_tokens_details?.cached_tokens ?? count(said, "prompt_cache_hit_tokens", "cached_tokens")
  const cacheWrite = count(said.prompt_tokens_details ?? {}, "cache_write_tokens")
  const reasoning = said.completion_tokens_details?.reasoning_tokens ?? undefined
  const apart = reasoning !== undefined && said.total_tokens === (input ?? 0) + (completion ?? 0) + reasoning
  const output = apart ? (completion ?? 0) + reasoning : completion
  return {
    inputTokens: {
      total: input,
      noCache: input === undefined ? undefined : input - (cacheRead ?? 0) - (cacheWrite ?? 0),
      cacheRead,
      cacheWrite
    },
    outputTokens: {
      total: output,
      text: output === undefined ? undefined : Math.max(0, output - (reasoning ?? 0)),
      reasoning
    },
    raw: usage as JSONObject
  }
}

const count = (said: { readonly [name: string]: unknown }, ...names: ReadonlyArray<string>): number | undefined =>
  names.map((name) => said[name]).find((value) => typeof value === "number")

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
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { Effect } from "effect"
import * as AiSdk from "./AiSdk.ts"
import { requiredKey } from "./internal/settings.ts"
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
  /** The address of the API, with its version: `http://127.0.0.1:11434/v1`. */
  readonly baseUrl: string
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
      baseURL: baseUrl,
      includeUsage: true,
      supportsStructuredOutputs: options.structuredOutputs ?? false,
      fetch: AiSdk.fetch
    })
    return AiSdk.provider(name, (model) => create(model))
  })

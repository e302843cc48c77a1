/**
 * The dated snapshot of the model catalogue. Limits, modalities and which parameters a model takes were entered by
 * hand on the date below. Some were compared with models.dev (MIT) or with a page of the provider, others come from general
 * knowledge, and it was not written down which: so no entry counts as verified until somebody compares it with the page
 * whose address its family gives, and sets `verified`. `Catalogue.layerWith` corrects an entry. Prices come from `cataloguePrices.ts`,
 * except where a family declares them.
 */
import type { Entry, Feature, ImageRule, Modality, ParameterName, Prices, Rate, Rates, Rule } from "../Catalogue.ts"
import { pricesOf } from "./cataloguePrices.ts"

/** The day on which the limits and ranges were entered. */
const date = "2026-11-23"

const accepted: Rule = { _tag: "Accepted" }
const unsupported: Rule = { _tag: "Unsupported" }
const range = (minimum: number, maximum: number): Rule => ({ _tag: "Range", minimum, maximum })
const whole = (minimum: number, maximum: number): Rule => ({ _tag: "Range", minimum, maximum, integer: true })
const choice = (...values: ReadonlyArray<string>): Rule => ({ _tag: "Choice", values })
const count = (maximum: number): Rule => ({ _tag: "Count", maximum })
/** Allowed without reasoning only; `orUnset`: not to reason is what the model does when nobody says. */
const unreasoned = (minimum: number, maximum: number, orUnset: boolean): Rule => ({
  _tag: "Range",
  minimum,
  maximum,
  onlyAtEffort: "none",
  orUnset
})

const int32 = 2 ** 31 - 1
const int53 = Number.MAX_SAFE_INTEGER

/** A rate, and the rates of calls whose input is longer than so many tokens. */
const tiers = (base: number, ...above: ReadonlyArray<readonly [tokens: number, rate: number]>): Rate => ({
  base,
  above: above.map(([tokens, rate]) => ({ tokens, rate }))
})

/** Prices read from a provider's own page, for models that the price list leaves out. */
const listed = (source: string, rates: Rates): Prices => ({
  _tag: "Priced",
  periods: [{ rates }],
  batch: 0.5,
  source,
  asOf: date
})

type Rules = { readonly [Name in ParameterName]?: Rule }

/** What the models of a provider have in common. */
interface Family {
  readonly provider: string
  readonly url: string
  readonly runs?: "local"
  readonly rules: Rules
  readonly tokens: Entry["tokens"]
  readonly exclusive?: Entry["exclusive"]
  readonly prices?: Prices
}

interface Line {
  readonly name: string
  readonly context: number
  readonly input?: number
  readonly output: number
  readonly reads?: ReadonlyArray<Modality>
  readonly writes?: ReadonlyArray<Modality>
  readonly features?: ReadonlyArray<Feature>
  readonly rules?: Rules
  readonly images?: Entry["images"]
  readonly aliases?: ReadonlyArray<string>
  readonly prices?: Prices
  readonly tokens?: Entry["tokens"]
  /** Whether every figure of the line was compared with the family's page on the date below. */
  readonly verified?: boolean
}

const text: ReadonlyArray<Modality> = ["text"]
const seeing: ReadonlyArray<Modality> = ["text", "image"]
const reading: ReadonlyArray<Modality> = ["text", "image", "pdf"]
const everything: ReadonlyArray<Modality> = ["text", "image", "video", "audio", "pdf"]

const chatting: ReadonlyArray<Feature> = ["streaming", "tools", "structured-output", "batch", "prompt-cache"]
const thinking: ReadonlyArray<Feature> = [...chatting, "reasoning"]
const local: ReadonlyArray<Feature> = ["streaming", "tools", "structured-output"]

const entry = (family: Family, model: string, line: Line): Entry => {
  const features = line.features ?? chatting
  const has = (feature: Feature): Rule => (features.includes(feature) ? accepted : unsupported)
  return {
    provider: family.provider,
    model,
    name: line.name,
    aliases: line.aliases ?? [],
    runs: family.runs ?? "cloud",
    limits: {
      context: line.context,
      output: line.output,
      ...(line.input === undefined ? {} : { input: line.input })
    },
    parameters: {
      temperature: range(0, 2),
      topP: range(0, 1),
      topK: unsupported,
      maxOutputTokens: whole(1, line.output),
      stop: accepted,
      seed: unsupported,
      presencePenalty: unsupported,
      frequencyPenalty: unsupported,
      reasoningEffort: features.includes("reasoning") ? choice("low", "medium", "high") : unsupported,
      tools: has("tools"),
      toolChoice: has("tools"),
      responseFormat: has("structured-output"),
      ...family.rules,
      ...line.rules
    },
    exclusive: family.exclusive ?? [],
    modalities: { input: line.reads ?? text, output: line.writes ?? text },
    features,
    ...(line.images === undefined ? {} : { images: line.images }),
    tokens: line.tokens ?? family.tokens,
    prices: line.prices ?? family.prices ?? pricesOf(family.provider, model),
    source: { url: family.url, date, verified: line.verified ?? false }
  }
}

const entries = (family: Family, lines: Readonly<Record<string, Line>>): ReadonlyArray<Entry> =>
  Object.entries(lines).map(([model, line]) => entry(family, model, line))

/** A model that takes no sampling parameters at all. */
const noSampling: Rules = { temperature: unsupported, topP: unsupported, topK: unsupported }

/** An image model: it is not sampled by the settings of a conversation. */
const drawing: Rules = {
  ...noSampling,
  stop: unsupported,
  seed: unsupported,
  presencePenalty: unsupported,
  frequencyPenalty: unsupported
}
const sides = (minimum: number, maximum: number, multipleOf?: number): ImageRule => ({
  _tag: "Sides",
  minimum,
  maximum,
  ...(multipleOf === undefined ? {} : { multipleOf })
})

/** An embedding model: no parameter of generation applies. */
const embedding: Omit<Line, "name" | "context"> = {
  output: 0,
  writes: ["embedding"],
  features: ["batch"],
  rules: { ...noSampling, maxOutputTokens: unsupported, stop: unsupported, seed: unsupported }
}

// ---------------------------------------------------------------------------------------------------------------
// OpenAI: https://platform.openai.com/docs/api-reference/chat/create and /docs/guides/reasoning
// A token is about 4 English characters (platform.openai.com/tokenizer).
// ---------------------------------------------------------------------------------------------------------------

const openai: Family = {
  provider: "openai",
  url: "https://platform.openai.com/docs/models",
  rules: {
    seed: whole(-int53, int53),
    presencePenalty: range(-2, 2),
    frequencyPenalty: range(-2, 2),
    stop: count(4)
  },
  tokens: { charactersPerToken: 4, perIdeograph: 1 }
}

/**
 * Reasoning models refuse sampling, penalties and stop; those that can go without reasoning allow sampling then. With
 * `unreasonedByDefault` they go without unless told otherwise.
 */
const openaiReasoning = (efforts: ReadonlyArray<string>, unreasonedByDefault = false): Rules => ({
  temperature: efforts.includes("none") ? unreasoned(0, 2, unreasonedByDefault) : unsupported,
  topP: efforts.includes("none") ? unreasoned(0, 1, unreasonedByDefault) : unsupported,
  presencePenalty: unsupported,
  frequencyPenalty: unsupported,
  stop: unsupported,
  reasoningEffort: choice(...efforts)
})

const gpt5 = openaiReasoning(["minimal", "low", "medium", "high"])
const gpt51 = openaiReasoning(["none", "low", "medium", "high"], true)
const gpt52 = openaiReasoning(["none", "low", "medium", "high", "xhigh"], true)
const gpt54 = openaiReasoning(["none", "low", "medium", "high", "xhigh"])
const gpt56 = openaiReasoning(["none", "low", "medium", "high", "xhigh", "max"])
const gpt6 = openaiReasoning(["low", "medium", "high", "xhigh", "max"])
const oSeries = openaiReasoning(["low", "medium", "high"])

const long = { context: 1_050_000, input: 922_000, output: 128_000, reads: reading, features: thinking }
const wide = { context: 400_000, input: 272_000, output: 128_000, reads: reading, features: thinking }

const openaiModels = () =>
  entries(openai, {
    "gpt-6-astra": { name: "GPT-6 Astra", ...long, rules: gpt6 },
    "gpt-6-sol": { name: "GPT-6 Sol", ...long, rules: gpt6 },
    "gpt-6-luna": { name: "GPT-6 Luna", ...long, rules: gpt6 },
    "gpt-5.6-sol": { name: "GPT-5.6 Sol", ...long, rules: gpt56, aliases: ["gpt-5.6"] },
    "gpt-5.5": { name: "GPT-5.5", ...long, rules: gpt54 },
    "gpt-5.4": { name: "GPT-5.4", ...long, rules: gpt54 },
    "gpt-5.4-mini": { name: "GPT-5.4 mini", ...wide, rules: gpt54 },
    "gpt-5.4-nano": { name: "GPT-5.4 nano", ...wide, rules: gpt54 },
    "gpt-5.2": { name: "GPT-5.2", ...wide, rules: gpt52 },
    "gpt-5.1": { name: "GPT-5.1", ...wide, rules: gpt51 },
    "gpt-5": { name: "GPT-5", ...wide, rules: gpt5 },
    "gpt-5-mini": { name: "GPT-5 mini", ...wide, reads: seeing, rules: gpt5 },
    "gpt-5-nano": { name: "GPT-5 nano", ...wide, reads: seeing, rules: gpt5 },
    "gpt-4.1": { name: "GPT-4.1", context: 1_047_576, output: 32_768, reads: reading },
    "gpt-4.1-mini": { name: "GPT-4.1 mini", context: 1_047_576, output: 32_768, reads: reading },
    "gpt-4.1-nano": { name: "GPT-4.1 nano", context: 1_047_576, output: 32_768, reads: reading },
    "gpt-4o": { name: "GPT-4o", context: 128_000, output: 16_384, reads: reading },
    "gpt-4o-mini": { name: "GPT-4o mini", context: 128_000, output: 16_384, reads: reading },
    o3: { name: "o3", context: 200_000, output: 100_000, reads: reading, features: thinking, rules: oSeries },
    "o4-mini": {
      name: "o4-mini",
      context: 200_000,
      output: 100_000,
      reads: reading,
      features: thinking,
      rules: oSeries
    },
    "text-embedding-3-small": { name: "text-embedding-3-small", context: 8_192, ...embedding },
    "text-embedding-3-large": { name: "text-embedding-3-large", context: 8_192, ...embedding },
    "gpt-image-1.5": {
      name: "GPT Image 1.5",
      context: 32_000,
      output: 8_192,
      reads: seeing,
      writes: ["image"],
      features: ["streaming", "batch"],
      rules: drawing,
      images: {
        size: choice("1024x1024", "1536x1024", "1024x1536"),
        aspectRatio: unsupported,
        count: whole(1, 10),
        seed: unsupported,
        quality: choice("auto", "low", "medium", "high"),
        references: count(16),
        mask: accepted,
        partialImages: whole(0, 3)
      }
    }
  })

// ---------------------------------------------------------------------------------------------------------------
// Anthropic: https://platform.claude.com/docs/en/api/messages. From Opus 4.7 on, sampling parameters are refused
// (platform.claude.com/docs/en/about-claude/models/migration-guide). A token is about 3.5 English characters.
// ---------------------------------------------------------------------------------------------------------------

const anthropic: Family = {
  provider: "anthropic",
  url: "https://platform.claude.com/docs/en/about-claude/models/overview",
  rules: { temperature: range(0, 1), topK: whole(0, int53), reasoningEffort: accepted },
  exclusive: [["temperature", "topP"]],
  tokens: { charactersPerToken: 3.5, perIdeograph: 1.2 }
}

const effort = choice("low", "medium", "high", "xhigh", "max")
const claude = { context: 1_000_000, output: 128_000, reads: reading, features: thinking }
/** From Opus 4.7 on the tokenizer makes about 30 % more tokens of a text (platform.claude.com, models overview). */
const claudeNow = {
  ...claude,
  rules: { ...noSampling, reasoningEffort: effort },
  tokens: { charactersPerToken: 2.7, perIdeograph: 1.5 }
}
const claudePrices = (rates: Rates): Prices => listed("https://platform.claude.com/docs/en/about-claude/pricing", rates)

const anthropicModels = () =>
  entries(anthropic, {
    "claude-fable-5-1": { name: "Claude Fable 5.1", ...claudeNow },
    "claude-fable-5": { name: "Claude Fable 5", ...claudeNow },
    "claude-opus-5-5": { name: "Claude Opus 5.5", ...claudeNow },
    "claude-opus-5": { name: "Claude Opus 5", ...claudeNow },
    "claude-opus-4-8": { name: "Claude Opus 4.8", ...claudeNow },
    "claude-opus-4-7": { name: "Claude Opus 4.7", ...claudeNow },
    "claude-opus-4-6": { name: "Claude Opus 4.6", ...claude },
    "claude-opus-4-5": { name: "Claude Opus 4.5", ...claude, context: 200_000, output: 64_000 },
    "claude-sonnet-5-5": {
      name: "Claude Sonnet 5.5",
      ...claudeNow,
      prices: claudePrices({ input: 2, output: 10, cacheRead: 0.1, cacheWrite: 2.5 })
    },
    "claude-haiku-5-5": {
      name: "Claude Haiku 5.5",
      ...claudeNow,
      prices: claudePrices({
        input: tiers(0.1, [100_000, 0.5]),
        output: tiers(0.5, [100_000, 2.5]),
        cacheRead: tiers(0.01, [100_000, 0.05]),
        cacheWrite: tiers(0.125, [100_000, 0.625])
      })
    },
    "claude-sonnet-5": { name: "Claude Sonnet 5", ...claudeNow },
    "claude-sonnet-4-6": { name: "Claude Sonnet 4.6", ...claude, output: 64_000 },
    "claude-sonnet-4-5": { name: "Claude Sonnet 4.5", ...claude, context: 200_000, output: 64_000 },
    "claude-haiku-4-5": { name: "Claude Haiku 4.5", ...claude, context: 200_000, output: 64_000 }
  })

// ---------------------------------------------------------------------------------------------------------------
// Google: https://ai.google.dev/api/generate-content#generationconfig. A token is about 4 characters
// (ai.google.dev/gemini-api/docs/tokens).
// ---------------------------------------------------------------------------------------------------------------

const google: Family = {
  provider: "google",
  url: "https://ai.google.dev/gemini-api/docs/models",
  rules: {
    topK: whole(1, 1_000),
    seed: whole(-int32, int32),
    stop: count(5),
    presencePenalty: range(-2, 2),
    frequencyPenalty: range(-2, 2)
  },
  tokens: { charactersPerToken: 4, perIdeograph: 0.8 }
}

const gemini = { context: 1_048_576, output: 65_536, reads: everything, features: thinking }
const levels: Rules = { reasoningEffort: choice("minimal", "low", "medium", "high") }

const googleModels = () =>
  entries(google, {
    "gemini-3.8-flash": { name: "Gemini 3.8 Flash", ...gemini },
    "gemini-3.7-flash": { name: "Gemini 3.7 Flash", ...gemini },
    "gemini-3.5-flash": { name: "Gemini 3.5 Flash", ...gemini, rules: levels },
    "gemini-3.1-pro-preview": { name: "Gemini 3.1 Pro", ...gemini },
    "gemini-3.1-flash-lite": { name: "Gemini 3.1 Flash-Lite", ...gemini, rules: levels },
    "gemini-2.5-pro": { name: "Gemini 2.5 Pro", ...gemini },
    "gemini-2.5-flash": { name: "Gemini 2.5 Flash", ...gemini },
    "gemini-2.5-flash-lite": { name: "Gemini 2.5 Flash-Lite", ...gemini },
    "gemini-2.5-flash-image": {
      name: "Gemini 2.5 Flash Image",
      context: 32_768,
      output: 32_768,
      reads: seeing,
      writes: ["text", "image"],
      features: ["streaming", "batch"],
      images: {
        size: unsupported,
        aspectRatio: choice("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"),
        count: whole(1, 1),
        seed: whole(0, int32),
        quality: unsupported,
        references: accepted,
        mask: unsupported,
        partialImages: unsupported
      }
    }
  })

// ---------------------------------------------------------------------------------------------------------------
// Mistral: https://docs.mistral.ai/api (temperature up to 1.5, random_seed).
// ---------------------------------------------------------------------------------------------------------------

const mistral: Family = {
  provider: "mistral",
  url: "https://docs.mistral.ai/getting-started/models/models_overview",
  rules: {
    temperature: range(0, 1.5),
    seed: whole(0, int53),
    presencePenalty: range(-2, 2),
    frequencyPenalty: range(-2, 2)
  },
  tokens: { charactersPerToken: 4, perIdeograph: 1.2 }
}

const mistralModels = () =>
  entries(mistral, {
    "mistral-large-2512": { name: "Mistral Large 3", context: 262_144, output: 262_144, reads: seeing },
    "mistral-medium-3-5": {
      name: "Mistral Medium 3.5",
      context: 262_144,
      output: 262_144,
      reads: seeing,
      features: thinking,
      rules: { reasoningEffort: choice("none", "high") },
      aliases: ["mistral-medium-3.5", "mistral-medium-2604"]
    },
    "mistral-small-2603": {
      name: "Mistral Small 4",
      context: 256_000,
      output: 256_000,
      reads: seeing,
      features: thinking,
      rules: { reasoningEffort: choice("none", "high") }
    },
    "ministral-8b-2512": { name: "Ministral 3 8B", context: 262_144, output: 262_144, reads: seeing },
    "codestral-2508": { name: "Codestral", context: 256_000, output: 4_096 }
  })

// ---------------------------------------------------------------------------------------------------------------
// DeepSeek: https://api-docs.deepseek.com. An English character is about 0.3 token, a Chinese one about 0.6
// (api-docs.deepseek.com/quick_start/token_usage).
// ---------------------------------------------------------------------------------------------------------------

const deepseek: Family = {
  provider: "deepseek",
  url: "https://api-docs.deepseek.com/quick_start/pricing",
  rules: { stop: count(16), presencePenalty: range(-2, 2), frequencyPenalty: range(-2, 2) },
  tokens: { charactersPerToken: 3.3, perIdeograph: 0.6 }
}

const deepseekFeatures: ReadonlyArray<Feature> = [
  "streaming",
  "tools",
  "structured-output",
  "prompt-cache",
  "reasoning"
]

const deepseekModels = () =>
  entries(deepseek, {
    "deepseek-v4-pro": {
      name: "DeepSeek V4 Pro",
      context: 1_000_000,
      output: 384_000,
      features: deepseekFeatures,
      rules: { reasoningEffort: choice("high", "max") }
    },
    "deepseek-v4-flash": {
      name: "DeepSeek V4 Flash",
      context: 1_000_000,
      output: 384_000,
      features: deepseekFeatures,
      rules: { reasoningEffort: choice("high", "max") }
    }
  })

// ---------------------------------------------------------------------------------------------------------------
// Qwen on Alibaba Cloud, international region: https://www.alibabacloud.com/help/en/model-studio/models. Prices
// are declared here, because the price list above leaves this provider out.
// ---------------------------------------------------------------------------------------------------------------

const alibaba: Family = {
  provider: "alibaba",
  url: "https://www.alibabacloud.com/help/en/model-studio/models",
  rules: { topK: whole(0, int32), seed: whole(0, int32), presencePenalty: range(-2, 2) },
  tokens: { charactersPerToken: 3.5, perIdeograph: 0.7 }
}

const qwenPrices = (rates: Rates): Prices =>
  listed("https://www.alibabacloud.com/help/en/model-studio/model-pricing", rates)

const alibabaModels = () =>
  entries(alibaba, {
    "qwen3-max": {
      name: "Qwen3 Max",
      context: 262_144,
      output: 65_536,
      prices: qwenPrices({
        input: tiers(1.2, [32_000, 2.4], [128_000, 3]),
        output: tiers(6, [32_000, 12], [128_000, 15]),
        cacheRead: tiers(0.24, [32_000, 0.48], [128_000, 0.6]),
        cacheWrite: tiers(1.5, [32_000, 3], [128_000, 3.75])
      })
    },
    "qwen-plus": {
      name: "Qwen Plus",
      context: 1_000_000,
      output: 32_768,
      features: thinking,
      rules: { reasoningEffort: unsupported },
      prices: qwenPrices({
        input: tiers(0.4, [256_000, 1.2]),
        output: tiers(1.2, [256_000, 3.6]),
        outputReasoning: tiers(4, [256_000, 12]),
        cacheRead: tiers(0.08, [256_000, 0.24]),
        cacheWrite: tiers(0.5, [256_000, 1.5])
      })
    },
    "qwen-flash": {
      name: "Qwen Flash",
      context: 1_000_000,
      output: 32_768,
      features: thinking,
      rules: { reasoningEffort: unsupported },
      prices: qwenPrices({
        input: tiers(0.05, [256_000, 0.25]),
        output: tiers(0.4, [256_000, 2]),
        cacheRead: tiers(0.01, [256_000, 0.05]),
        cacheWrite: tiers(0.063, [256_000, 0.313])
      })
    }
  })

// ---------------------------------------------------------------------------------------------------------------
// Local models behind an OpenAI-compatible server (Ollama, vLLM, llama.cpp), under the names Ollama gives them.
// ---------------------------------------------------------------------------------------------------------------

const onPremises: Family = {
  provider: "local",
  url: "https://ollama.com/library",
  runs: "local",
  rules: {
    topK: whole(-1, int32),
    seed: whole(0, int53),
    presencePenalty: range(-2, 2),
    frequencyPenalty: range(-2, 2)
  },
  tokens: { charactersPerToken: 4, perIdeograph: 1 },
  prices: {
    _tag: "Unpriced",
    reason: "it runs on hardware of your own; declare what that costs with Catalogue.layerWith"
  }
}

const localThinking: ReadonlyArray<Feature> = [...local, "reasoning"]

const localModels = () =>
  entries(onPremises, {
    "llama3.1:8b": { name: "Llama 3.1 8B", context: 131_072, output: 131_072, features: local },
    "llama3.3:70b": { name: "Llama 3.3 70B", context: 131_072, output: 131_072, features: local },
    "qwen3:8b": {
      name: "Qwen3 8B",
      context: 40_960,
      output: 32_768,
      features: localThinking,
      rules: { reasoningEffort: unsupported }
    },
    "qwen3:32b": {
      name: "Qwen3 32B",
      context: 40_960,
      output: 32_768,
      features: localThinking,
      rules: { reasoningEffort: unsupported }
    },
    "gemma3:27b": {
      name: "Gemma 3 27B",
      context: 131_072,
      output: 8_192,
      reads: seeing,
      features: ["streaming", "structured-output"]
    },
    "phi4:14b": { name: "Phi-4", context: 16_384, output: 16_384, features: ["streaming", "structured-output"] },
    "mistral-small3.2:24b": {
      name: "Mistral Small 3.2",
      context: 131_072,
      output: 131_072,
      reads: seeing,
      features: local
    },
    "gpt-oss:20b": { name: "gpt-oss 20B", context: 131_072, output: 131_072, features: localThinking },
    "gpt-oss:120b": { name: "gpt-oss 120B", context: 131_072, output: 131_072, features: localThinking }
  })

// ---------------------------------------------------------------------------------------------------------------
// The offline models of `@interlock/providers/OfflineModel`: prices declared, so that cost reports have something
// to report. Nobody is billed.
// ---------------------------------------------------------------------------------------------------------------

const offlinePrices = (rates: Rates): Prices => ({
  _tag: "Priced",
  periods: [{ rates }],
  source: "declared by Interlock for demonstrations; nobody is billed",
  asOf: date
})

const offlineImages: NonNullable<Entry["images"]> = {
  size: sides(64, 2_048),
  aspectRatio: choice("1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9"),
  count: whole(1, 8),
  seed: whole(0, 2 ** 32 - 1),
  quality: unsupported,
  references: unsupported,
  mask: unsupported,
  partialImages: whole(0, 8)
}

const offlineModels = () =>
  entries(
    {
      provider: "offline",
      url: "https://www.npmjs.com/package/@interlock/providers",
      runs: "local",
      rules: { ...noSampling, stop: unsupported, seed: accepted },
      tokens: { charactersPerToken: 4, perIdeograph: 1 }
    },
    {
      "offline-small": {
        name: "Offline small",
        context: 8_192,
        output: 256,
        features: ["streaming"],
        verified: true,
        prices: offlinePrices({ input: 0.1, output: 0.4, cacheRead: 0.01 })
      },
      "offline-large": {
        name: "Offline large",
        context: 65_536,
        output: 2_048,
        features: ["streaming"],
        verified: true,
        prices: offlinePrices({ input: 1, output: 4, cacheRead: 0.1 })
      },
      "offline-sketch": {
        name: "Offline sketch",
        context: 8_192,
        output: 0,
        writes: ["image"],
        features: ["streaming"],
        rules: drawing,
        images: { ...offlineImages, size: sides(64, 1_024), count: whole(1, 4) },
        verified: true,
        prices: offlinePrices({ input: 0.1, output: 0, perImage: 0.004 })
      },
      "offline-image": {
        name: "Offline image",
        context: 8_192,
        output: 0,
        writes: ["image"],
        features: ["streaming"],
        rules: drawing,
        images: offlineImages,
        verified: true,
        prices: offlinePrices({ input: 0.5, output: 0, perImage: 0.02 })
      }
    }
  )

let made: ReadonlyArray<Entry> | undefined

/** Every entry that the project ships; made when it is first asked for, because pricing them takes some milliseconds. */
export const snapshot = (): ReadonlyArray<Entry> => {
  made ??= [
    ...openaiModels(),
    ...anthropicModels(),
    ...googleModels(),
    ...mistralModels(),
    ...deepseekModels(),
    ...alibabaModels(),
    ...localModels(),
    ...offlineModels()
  ]
  return made
}

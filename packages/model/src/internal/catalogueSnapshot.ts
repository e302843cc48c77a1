/**
 * The dated snapshot of the model catalogue: limits, modalities and which parameters a model takes, entered by hand.
 *
 * Where a figure comes from stands beside it. A line's `read` is the page that its limits and modalities were compared with;
 * a family's `parameters` are those for the ranges of its parameters; a price names its own (`cataloguePrices.ts`, or `listed`
 * here). A line without `read` was not compared with anything: some of its figures come from general knowledge, and its entry
 * says so (`source.verified`). `Catalogue.layerWith` corrects an entry.
 */
import type {
  Entry,
  Feature,
  ImageRule,
  Modality,
  ParameterName,
  Period,
  Prices,
  Rate,
  Rates,
  Reading,
  Rule
} from "../Catalogue.ts"
import { pricesOf } from "./cataloguePrices.ts"

/** The day on which the figures were entered and compared with what `read` and `parameters` name. */
const date = "2026-11-23"

/** A page that was read that day, with the date that it states itself, if it states one. */
const page = (url: string, stated?: string): Reading => ({ url, date, ...(stated === undefined ? {} : { stated }) })

/** A file of models.dev (MIT) at the version that was read; the date is the model's last update in it, or its last look at the page. */
const modelsDev = (version: string, file: string, stated: string): Reading =>
  page(`https://github.com/anomalyco/models.dev/blob/${version}/${file}.toml`, stated)

/** What the AI SDK's own catalogue of a provider says of sampling and reasoning efforts, read in the version installed here. */
const aiSdk = (provider: string, version: string, file: string): Reading =>
  page(`https://unpkg.com/@ai-sdk/${provider}@${version}/src/${file}`)

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

/** Prices that were read where `source` says, for models that the price list leaves out. */
const listed = (
  source: Reading,
  rates: Rates,
  more: { readonly later?: ReadonlyArray<Period>; readonly batch?: number } = {}
): Prices => ({
  _tag: "Priced",
  periods: [{ rates }, ...(more.later ?? [])],
  ...(more.batch === undefined ? {} : { batch: more.batch }),
  source: source.url,
  asOf: source.stated ?? source.date
})

type Rules = { readonly [Name in ParameterName]?: Rule }

/** What the models of a provider have in common. */
interface Family {
  readonly provider: string
  /** The provider's own list of models: where to look for a line that was not compared. */
  readonly url: string
  /** Where the ranges in `rules` were read, those of single lines included. */
  readonly parameters: ReadonlyArray<Reading>
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
  /** What the limits and modalities were compared with. */
  readonly read?: Reading
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
      maxOutputTokens: line.output === 0 ? unsupported : whole(1, line.output),
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
    source: {
      limits: line.read ?? page(family.url),
      parameters: family.parameters,
      verified: line.read !== undefined
    }
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
// OpenAI. A token is about 4 English characters (platform.openai.com/tokenizer). Models that see also read PDF
// (developers.openai.com/api/docs/guides/file-inputs).
// ---------------------------------------------------------------------------------------------------------------

const openai: Family = {
  provider: "openai",
  url: "https://developers.openai.com/api/docs/models",
  parameters: [
    // Temperature, penalties, stop; `stop` and efforts of the reasoning models.
    page("https://github.com/openai/openai-node/blob/011cd36a/src/resources/chat/completions/completions.ts"),
    // Which models sample while they reason, which can go without reasoning, and the efforts of each.
    aiSdk("openai", "4.0.118", "openai-model-catalog.ts"),
    // "When reasoning effort is not none, remove temperature, top_p": GPT-6.
    page("https://developers.openai.com/api/docs/guides/deployment-checklist")
  ],
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
const gpt52 = openaiReasoning(["none", "low", "medium", "high", "xhigh"])
const gpt56 = openaiReasoning(["none", "low", "medium", "high", "xhigh", "max"])
const gpt6 = openaiReasoning(["low", "medium", "high", "xhigh", "max"])
const oSeries = openaiReasoning(["low", "medium", "high"])

const long = { context: 1_050_000, input: 922_000, output: 128_000, reads: reading, features: thinking }
const wide = { context: 400_000, input: 272_000, output: 128_000, reads: reading, features: thinking }
const gpt41 = { context: 1_047_576, output: 32_768, reads: reading }
const omni = { context: 128_000, output: 16_384, reads: reading }
const oReasoning = { context: 200_000, output: 100_000, reads: reading, features: thinking, rules: oSeries }

/**
 * The page says that long prompts cost more, not how much: the factors here (input and cache twice, output one and a half times)
 * are those that OpenAI states for GPT-5.4 to GPT-6. Cached input of Astra is "60 % cheaper" than that of GPT-6 Astra.
 */
const gpt62Prices = page("https://docs.laozhang.ai/en/announcements/gpt-6-2-2026-11.md", "2026-11-18")

const openaiModels = () =>
  entries(openai, {
    "gpt-6.2-astra": {
      name: "GPT-6.2 Astra",
      ...long,
      rules: gpt6,
      read: page("https://docs.apiyi.com/en/news/gpt-6-2-astra-sol-launch.md"),
      prices: listed(
        gpt62Prices,
        {
          input: tiers(8, [272_000, 16]),
          output: tiers(40, [272_000, 60]),
          cacheRead: tiers(0.4, [272_000, 0.8])
        },
        { batch: 0.5 }
      )
    },
    "gpt-6.2-sol": {
      name: "GPT-6.2 Sol",
      ...long,
      rules: gpt6,
      read: page("https://docs.apiyi.com/en/news/gpt-6-2-astra-sol-launch.md"),
      prices: listed(gpt62Prices, { input: tiers(2, [272_000, 4]), output: tiers(10, [272_000, 15]) }, { batch: 0.5 })
    },
    "gpt-6.1-sol": {
      name: "GPT-6.1 Sol",
      ...long,
      rules: gpt6,
      read: page(
        "https://documentation.s3ns.fr/gemini-enterprise-agent-platform/models/partner-models/openai/gpt-6-1-sol",
        "2026-11"
      ),
      prices: listed(
        page("https://wavespeed.ai/zh-CN/llm/openai/gpt-6.1-sol", "2026-09-30"),
        {
          input: tiers(2, [272_000, 4]),
          output: tiers(10, [272_000, 15]),
          cacheRead: tiers(0.1, [272_000, 0.2]),
          cacheWrite: tiers(2.5, [272_000, 5])
        },
        { batch: 0.5 }
      )
    },
    "gpt-6-astra": {
      name: "GPT-6 Astra",
      ...long,
      rules: gpt6,
      read: modelsDev("6cec76d0", "models/openai/gpt-6-astra", "2026-09-04")
    },
    "gpt-6-sol": {
      name: "GPT-6 Sol",
      ...long,
      rules: gpt56,
      read: modelsDev("eac64550", "models/openai/gpt-6-sol", "2026-09-22")
    },
    "gpt-6-luna": {
      name: "GPT-6 Luna",
      ...long,
      rules: gpt56,
      read: modelsDev("eac64550", "models/openai/gpt-6-luna", "2026-09-22")
    },
    "gpt-5.6-sol": {
      name: "GPT-5.6 Sol",
      ...long,
      rules: gpt56,
      aliases: ["gpt-5.6"],
      read: modelsDev("89b873ed", "models/openai/gpt-5.6-sol", "2026-07-09")
    },
    "gpt-5.6-terra": {
      name: "GPT-5.6 Terra",
      ...long,
      rules: gpt56,
      read: modelsDev("89b873ed", "models/openai/gpt-5.6-terra", "2026-07-09")
    },
    "gpt-5.6-luna": {
      name: "GPT-5.6 Luna",
      ...long,
      rules: gpt56,
      read: modelsDev("89b873ed", "models/openai/gpt-5.6-luna", "2026-07-09")
    },
    "gpt-5.5": {
      name: "GPT-5.5",
      ...long,
      rules: gpt52,
      read: modelsDev("506b1b02", "models/openai/gpt-5.5", "2026-04-23")
    },
    "gpt-5.4": {
      name: "GPT-5.4",
      ...long,
      rules: gpt52,
      read: modelsDev("f0a7050b", "models/openai/gpt-5.4", "2026-03-05")
    },
    "gpt-5.4-mini": {
      name: "GPT-5.4 mini",
      ...wide,
      rules: gpt52,
      read: page("https://docs.oxen.ai/inference-api/reference/models/gpt-5-4-mini.md")
    },
    "gpt-5.4-nano": { name: "GPT-5.4 nano", ...wide, rules: gpt52 },
    "gpt-5.2": {
      name: "GPT-5.2",
      ...wide,
      rules: gpt52,
      read: modelsDev("506b1b02", "models/openai/gpt-5.2", "2025-12-11")
    },
    "gpt-5.1": {
      name: "GPT-5.1",
      ...wide,
      rules: gpt51,
      read: modelsDev("0760ceff", "providers/openai/models/gpt-5.1", "2025-11-13")
    },
    "gpt-5": {
      name: "GPT-5",
      ...wide,
      rules: gpt5,
      read: modelsDev("36dbbd62", "models/openai/gpt-5", "2025-08-07")
    },
    "gpt-5-mini": {
      name: "GPT-5 mini",
      ...wide,
      rules: gpt5,
      read: modelsDev("8734c00c", "providers/openai/models/gpt-5-mini", "2025-08-07")
    },
    "gpt-5-nano": {
      name: "GPT-5 nano",
      ...wide,
      rules: gpt5,
      read: modelsDev("0760ceff", "providers/openai/models/gpt-5-nano", "2025-08-07")
    },
    "gpt-4.1": { name: "GPT-4.1", ...gpt41, read: modelsDev("f6c6f043", "models/openai/gpt-4.1", "2025-04-14") },
    "gpt-4.1-mini": {
      name: "GPT-4.1 mini",
      ...gpt41,
      read: modelsDev("506b1b02", "models/openai/gpt-4.1-mini", "2025-04-14")
    },
    "gpt-4.1-nano": {
      name: "GPT-4.1 nano",
      ...gpt41,
      read: modelsDev("506b1b02", "models/openai/gpt-4.1-nano", "2025-04-14")
    },
    "gpt-4o": { name: "GPT-4o", ...omni, read: modelsDev("506b1b02", "models/openai/gpt-4o", "2024-08-06") },
    "gpt-4o-mini": {
      name: "GPT-4o mini",
      ...omni,
      read: modelsDev("36dbbd62", "models/openai/gpt-4o-mini", "2024-07-18")
    },
    o3: { name: "o3", ...oReasoning, read: modelsDev("f6c6f043", "models/openai/o3", "2025-04-16") },
    "o4-mini": { name: "o4-mini", ...oReasoning, read: modelsDev("506b1b02", "models/openai/o4-mini", "2025-04-16") },
    "text-embedding-3-small": {
      name: "text-embedding-3-small",
      context: 8_191,
      ...embedding,
      read: modelsDev("1b5eeca8", "models/openai/text-embedding-3-small", "2024-01-25")
    },
    "text-embedding-3-large": {
      name: "text-embedding-3-large",
      context: 8_191,
      ...embedding,
      read: modelsDev("10b96c11", "models/openai/text-embedding-3-large", "2024-01-25")
    },
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
// Anthropic. A token is about 3.5 English characters.
// ---------------------------------------------------------------------------------------------------------------

const anthropic: Family = {
  provider: "anthropic",
  url: "https://platform.claude.com/docs/en/about-claude/models/overview",
  parameters: [
    // Temperature from 0 to 1; "Models released after Claude Opus 4.6 do not support setting temperature".
    page("https://platform.claude.com/docs/en/api/messages"),
    // Efforts, which models can switch thinking off, and temperature or topP but not both.
    aiSdk("anthropic", "4.0.105", "anthropic-model-catalog.ts")
  ],
  // Models that think by a budget take any effort: it becomes a budget.
  rules: { temperature: range(0, 1), topK: whole(0, int53), reasoningEffort: accepted },
  exclusive: [["temperature", "topP"]],
  tokens: { charactersPerToken: 3.5, perIdeograph: 1.2 }
}

const claude = { context: 1_000_000, output: 128_000, reads: reading, features: thinking }
const claude45 = { ...claude, context: 200_000, output: 64_000 }
/** From Opus 4.7 on the tokenizer makes about 30 % more tokens of a text (platform.claude.com, page of Haiku 5.5). */
const tokensNow = { charactersPerToken: 2.7, perIdeograph: 1.5 }
const efforts = ["low", "medium", "high", "xhigh", "max"]
/** Thinks adaptively, and need not. */
const claudeNow = {
  ...claude,
  rules: { ...noSampling, reasoningEffort: choice("none", ...efforts) },
  tokens: tokensNow
}
/** Thinks always. */
const claudeAlways = { ...claudeNow, rules: { ...noSampling, reasoningEffort: choice(...efforts) } }

/** The page that compares the models of today. */
const claudeToday = page("https://platform.claude.com/docs/about-claude/models/overview")

const anthropicModels = () =>
  entries(anthropic, {
    "claude-fable-5-1": { name: "Claude Fable 5.1", ...claudeAlways, read: claudeToday },
    "claude-fable-5": {
      name: "Claude Fable 5",
      ...claudeAlways,
      read: modelsDev("b2780222", "models/anthropic/claude-fable-5", "2026-06-09")
    },
    "claude-opus-5-5": { name: "Claude Opus 5.5", ...claudeAlways, read: claudeToday },
    "claude-opus-5": {
      name: "Claude Opus 5",
      ...claudeNow,
      read: page("https://platform.claude.com/docs/about-claude/models/whats-new-opus-5")
    },
    "claude-opus-4-8": {
      name: "Claude Opus 4.8",
      ...claudeNow,
      read: modelsDev("506b1b02", "models/anthropic/claude-opus-4-8", "2026-05-28")
    },
    "claude-opus-4-7": {
      name: "Claude Opus 4.7",
      ...claudeNow,
      read: modelsDev("506b1b02", "models/anthropic/claude-opus-4-7", "2026-04-16")
    },
    "claude-opus-4-6": {
      name: "Claude Opus 4.6",
      ...claude,
      read: modelsDev("506b1b02", "models/anthropic/claude-opus-4-6", "2026-03-13")
    },
    "claude-opus-4-5": {
      name: "Claude Opus 4.5",
      ...claude45,
      read: modelsDev("de613741", "models/anthropic/claude-opus-4-5", "2025-11-24")
    },
    "claude-sonnet-5-5": {
      name: "Claude Sonnet 5.5",
      ...claudeAlways,
      read: claudeToday,
      prices: listed(
        modelsDev("482fb019", "providers/anthropic/models/claude-sonnet-5-5", "2026-10-03"),
        // For an hour: twice the input, as the page on prompt caching says of every model of Anthropic's.
        { input: 2, output: 10, cacheRead: 0.1, cacheWrite: 2.5, cacheWriteOneHour: 4 },
        { batch: 0.5 }
      )
    },
    "claude-sonnet-5": {
      name: "Claude Sonnet 5",
      ...claudeNow,
      read: page("https://platform.claude.com/docs/zh-CN/models/sonnet-5/overview.md")
    },
    "claude-sonnet-4-6": {
      name: "Claude Sonnet 4.6",
      ...claude,
      read: page("https://platform.claude.com/docs/zh-CN/models/sonnet-4-6/overview.md")
    },
    "claude-sonnet-4-5": {
      name: "Claude Sonnet 4.5",
      ...claude45,
      read: modelsDev("671f5f8c", "models/anthropic/claude-sonnet-4-5", "2025-09-29")
    },
    "claude-haiku-5-5": {
      name: "Claude Haiku 5.5",
      ...claudeNow,
      read: page("https://platform.claude.com/docs/en/models/haiku-5-5/overview", "2026-10-07"),
      prices: listed(
        page("https://platform.claude.com/docs/zh-CN/models/haiku-5-5/overview", "2026-10-07"),
        {
          input: tiers(0.1, [100_000, 0.5]),
          output: tiers(0.5, [100_000, 2.5]),
          cacheRead: tiers(0.01, [100_000, 0.05]),
          cacheWrite: tiers(0.125, [100_000, 0.625])
        },
        { batch: 0.5 }
      )
    },
    "claude-haiku-4-5": {
      name: "Claude Haiku 4.5",
      ...claude45,
      read: modelsDev("506b1b02", "models/anthropic/claude-haiku-4-5", "2025-10-15")
    }
  })

// ---------------------------------------------------------------------------------------------------------------
// Google, the Gemini API. A token is about 4 characters (ai.google.dev/gemini-api/docs/tokens).
// ---------------------------------------------------------------------------------------------------------------

const google: Family = {
  provider: "google",
  url: "https://ai.google.dev/gemini-api/docs/models",
  parameters: [
    // Temperature from 0 to 2, at most 5 stop sequences, topK and seed as 32-bit integers.
    page("https://ai.google.dev/api/generate-content#generationconfig"),
    // The efforts of each model, and penalties: not with Gemini 2.5 on this API.
    aiSdk("google", "4.0.121", "google-model-catalog.ts")
  ],
  rules: {
    topK: whole(1, int32),
    seed: whole(-int32, int32),
    stop: count(5),
    // Up to 2, but not 2 itself.
    presencePenalty: range(-2, 1.99),
    frequencyPenalty: range(-2, 1.99)
  },
  tokens: { charactersPerToken: 4, perIdeograph: 0.8 }
}

const gemini = { context: 1_048_576, output: 65_536, reads: everything, features: thinking }
const gemini25 = { presencePenalty: unsupported, frequencyPenalty: unsupported }
/** Thinks by a budget, which may be none. */
const budget: Rules = { ...gemini25, reasoningEffort: choice("none", "low", "medium", "high") }

/** What an image costs, by a page that is not the provider's own. */
const byTheImage = (perImage: number, source: string, asOf: string): Prices => ({
  _tag: "Priced",
  periods: [{ rates: { input: 0, output: 0, perImage } }],
  source,
  asOf
})

/** What a megapixel of an image costs. */
const byTheMegapixel = (perMegapixel: number, source: string, asOf: string): Prices => ({
  _tag: "Priced",
  periods: [{ rates: { input: 0, output: 0, perMegapixel } }],
  source,
  asOf
})

/** Asked for by `AiSdkImages` over `@ai-sdk/google`. Counts and ratios: doc.routescope.ai/en/docs/api/images/imagen; not compared with Google's page. */
const imagen = (name: string, perImage: number): Line => ({
  name,
  context: 480,
  output: 0,
  writes: ["image"],
  features: [],
  rules: drawing,
  images: {
    size: unsupported,
    aspectRatio: choice("1:1", "3:4", "4:3", "9:16", "16:9"),
    count: whole(1, 4),
    seed: unsupported,
    quality: unsupported,
    references: unsupported,
    mask: unsupported,
    partialImages: unsupported
  },
  prices: byTheImage(perImage, "https://blog.laozhang.ai/en/posts/gemini-image-api-guide-2026", "2026-03-01")
})

/** What the third generation of Gemini's drawing models takes. */
const drawingGemini = (name: string, context: number, output: number, ratios: ReadonlyArray<string>): Line => ({
  name,
  context,
  output,
  reads: seeing,
  writes: ["text", "image"],
  features: ["streaming", "batch"],
  rules: gemini25,
  images: {
    size: unsupported,
    aspectRatio: choice("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", ...ratios),
    count: whole(1, 1),
    seed: whole(0, int32),
    quality: unsupported,
    references: count(14),
    mask: unsupported,
    partialImages: unsupported
  }
})

const googleModels = () =>
  entries(google, {
    "gemini-4-argon": {
      name: "Gemini 4 Argon",
      // One request answers with so much; "long decode" goes on over several requests, up to the context. That it reads PDF
      // stands at runware.ai/docs/models/google-gemini-4-argon.md.
      ...gemini,
      read: page("https://docs.apiyi.com/ko/models/gemini-4-argon.md", "2026-10-14"),
      // What cached input costs from December on was not stated: it counts as input then.
      prices: listed(
        page("https://ai.google.dev/gemini-api/docs/generate-content/latest-model"),
        { input: 2, output: 10, cacheRead: 0.1 },
        { later: [{ from: "2026-12-01", rates: { input: 4, output: 20 } }], batch: 0.5 }
      )
    },
    "gemini-3.8-flash": {
      name: "Gemini 3.8 Flash",
      ...gemini,
      // "Deprecated: gemini-3.7-flash (automatically routed to gemini-3.8-flash)": ai.google.dev, page of Gemini 3.7 Flash.
      aliases: ["gemini-3.7-flash"],
      read: modelsDev("91a19838", "models/google/gemini-3.8-flash", "2026-09-02")
    },
    "gemini-3.1-pro-preview": {
      name: "Gemini 3.1 Pro",
      ...gemini,
      read: modelsDev("506b1b02", "models/google/gemini-3.1-pro-preview", "2026-02-19")
    },
    "gemini-3.1-flash-lite": {
      name: "Gemini 3.1 Flash-Lite",
      ...gemini,
      rules: { reasoningEffort: choice("minimal", "low", "medium", "high") },
      read: modelsDev("34fd6673", "providers/google/models/gemini-3.1-flash-lite", "2026-05-07")
    },
    "gemini-2.5-pro": {
      name: "Gemini 2.5 Pro",
      ...gemini,
      rules: gemini25,
      read: modelsDev("36dbbd62", "models/google/gemini-2.5-pro", "2025-06-05")
    },
    "gemini-2.5-flash": {
      name: "Gemini 2.5 Flash",
      ...gemini,
      rules: budget,
      read: modelsDev("36dbbd62", "models/google/gemini-2.5-flash", "2025-06-05")
    },
    "gemini-2.5-flash-lite": {
      name: "Gemini 2.5 Flash-Lite",
      ...gemini,
      rules: budget,
      read: modelsDev("f6c6f043", "models/google/gemini-2.5-flash-lite", "2025-06-17")
    },
    // Google names both as the models to move to from their previews, whose limits these are: docs.cloud.google.com/
    // gemini-enterprise-agent-platform/models/gemini/3-1-flash-image-preview. Ratios and pictures a prompt: the same site's
    // vertex-ai/docs/generative-ai/image/image-captioning. The day of the reading is 2026-11-28.
    "gemini-3.1-flash-image": {
      ...drawingGemini("Gemini 3.1 Flash Image", 65_536, 65_536, ["1:4", "1:8", "4:1", "8:1"]),
      read: {
        ...modelsDev("51752b58", "providers/google/models/gemini-3.1-flash-image-preview", "2026-02-26"),
        date: "2026-11-28"
      }
    },
    "gemini-3-pro-image": {
      ...drawingGemini("Gemini 3 Pro Image", 131_072, 32_768, []),
      read: {
        ...modelsDev("026ccb92", "providers/google/models/gemini-3-pro-image-preview", "2025-11-20"),
        date: "2026-11-28"
      }
    },
    // Retired on 2026-10-02, says the file; here for the cost of calls made before.
    "imagen-4.0-fast-generate-001": imagen("Imagen 4 Fast", 0.02),
    "imagen-4.0-generate-001": imagen("Imagen 4", 0.04),
    "imagen-4.0-ultra-generate-001": imagen("Imagen 4 Ultra", 0.06),
    // Ratios and three pictures a prompt: docs.gptproto.com/docs/api/gemini/gemini-2.5-flash-image-preview, not Google's own page.
    "gemini-2.5-flash-image": {
      name: "Gemini 2.5 Flash Image",
      context: 32_768,
      output: 32_768,
      reads: seeing,
      writes: ["text", "image"],
      features: ["streaming", "batch"],
      rules: gemini25,
      images: {
        size: unsupported,
        aspectRatio: choice("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"),
        count: whole(1, 1),
        seed: whole(0, int32),
        quality: unsupported,
        references: count(3),
        mask: unsupported,
        partialImages: unsupported
      },
      read: modelsDev("51752b58", "providers/google/models/gemini-2.5-flash-image", "2025-08-26")
    }
  })

// ---------------------------------------------------------------------------------------------------------------
// Replicate: the models of Black Forest Labs, by the image.
// ---------------------------------------------------------------------------------------------------------------

const replicate: Family = {
  provider: "replicate",
  url: "https://replicate.com/black-forest-labs",
  parameters: [],
  rules: drawing,
  tokens: { charactersPerToken: 4, perIdeograph: 1 }
}

/** Inputs as in cinemasetfree.com/guides/generators/black-forest-labs, which repeats their schema; not compared with Replicate's page. */
const flux = (name: string, perImage: number, references: Rule): Line => ({
  name,
  context: 512,
  output: 0,
  reads: references === unsupported ? text : seeing,
  writes: ["image"],
  features: [],
  images: {
    size: unsupported,
    aspectRatio: choice("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21"),
    count: whole(1, 4),
    seed: whole(0, int32),
    quality: unsupported,
    references,
    mask: unsupported,
    partialImages: unsupported
  },
  prices: byTheImage(perImage, "https://www.workflowlab.dev/cost/flux-api-options-compared", "2026-05-11")
})

const replicateModels = () =>
  entries(replicate, {
    "black-forest-labs/flux-schnell": flux("FLUX.1 schnell", 0.003, unsupported),
    "black-forest-labs/flux-dev": flux("FLUX.1 dev", 0.025, count(1))
  })

// ---------------------------------------------------------------------------------------------------------------
// fal: the models of Black Forest Labs, by the megapixel. "Images are billed by rounding up to the nearest megapixel", says fal's page
// of flux-1/dev; that 1024 x 1024 pixels are one, the pages below that state what such a picture costs.
// ---------------------------------------------------------------------------------------------------------------

const fal: Family = {
  provider: "fal",
  url: "https://fal.ai/models",
  parameters: [],
  rules: drawing,
  tokens: { charactersPerToken: 4, perIdeograph: 1 }
}

/** Inputs as in fal.ai/docs/model-api-reference/image-generation-api/flux-dev; what the largest size is does not stand there. */
const falFlux = (name: string, perMegapixel: number, source: string, asOf: string): Line => ({
  name,
  context: 512,
  output: 0,
  writes: ["image"],
  features: [],
  images: {
    size: accepted,
    aspectRatio: unsupported,
    count: whole(1, 4),
    seed: whole(0, int32),
    quality: unsupported,
    references: unsupported,
    mask: unsupported,
    partialImages: unsupported
  },
  prices: byTheMegapixel(perMegapixel, source, asOf)
})

const falModels = () =>
  entries(fal, {
    "fal-ai/flux-1/dev": falFlux(
      "FLUX.1 dev",
      0.025,
      "https://fal.ai/models/fal-ai/flux-1/dev/playground",
      "2026-11-28"
    ),
    "fal-ai/flux/dev": falFlux("FLUX.1 dev", 0.025, "https://www.workflowlab.dev/cost/flux-dev-fal", "2026-05-25"),
    "fal-ai/flux/schnell": falFlux(
      "FLUX.1 schnell",
      0.003,
      "https://www.workflowlab.dev/cost/flux-api-options-compared",
      "2026-05-11"
    )
  })

// ---------------------------------------------------------------------------------------------------------------
// Mistral. "The token count of your prompt plus max_tokens cannot exceed the model's context length" is the only
// bound of an answer. Its documentation is public: github.com/mistralai/platform-docs-public.
// ---------------------------------------------------------------------------------------------------------------

const mistral: Family = {
  provider: "mistral",
  url: "https://docs.mistral.ai/models",
  parameters: [
    // TopP from 0 to 1, random_seed, penalties from -2 to 2.
    page("https://docs.mistral.ai/api/endpoint/chat"),
    // "Sampling temperature between 0.0 and 1.5", which Mistral's own page shows by its example only.
    page("https://schemas.apis.io/schemas/mistral-ai/mistral-ai-chatcompletionrequest/"),
    // "Effort: reasoning_effort = none|high, as for other Mistral reasoning models".
    modelsDev("d89d7764", "providers/mistral/models/mistral-large-4", "2026-10-06")
  ],
  rules: {
    temperature: range(0, 1.5),
    seed: whole(0, int53),
    presencePenalty: range(-2, 2),
    frequencyPenalty: range(-2, 2)
  },
  tokens: { charactersPerToken: 4, perIdeograph: 1.2 }
}

/** A model's page in the sources of Mistral's documentation, at the version that was read. */
const mistralPage = (version: string, file: string, stated: string): Reading =>
  page(`https://github.com/mistralai/platform-docs-public/blob/${version}/src/schema/models/models/${file}.ts`, stated)

const mistralReasoning = { features: thinking, rules: { reasoningEffort: choice("none", "high") } }
const ministral = { context: 256_000, output: 256_000, reads: seeing }

const mistralModels = () =>
  entries(mistral, {
    "mistral-large-4": {
      name: "Mistral Large 4",
      context: 1_000_000,
      output: 1_000_000,
      reads: seeing,
      ...mistralReasoning,
      aliases: ["mistral-large-4-0"],
      read: mistralPage("2175369b", "mistral-large-4-0", "2026-10-06"),
      // Of the public preview: half of what the page announces for later.
      prices: listed(
        mistralPage("2175369b", "mistral-large-4-0", "2026-10-06"),
        { input: 0.68, output: 2.09, cacheRead: 0.07 },
        { batch: 0.5 }
      )
    },
    "mistral-large-2512": {
      name: "Mistral Large 3",
      context: 262_144,
      output: 262_144,
      reads: seeing,
      read: modelsDev("227c9fe5", "models/mistral/mistral-large-2512", "2026-08-28")
    },
    "mistral-medium-3-5": {
      name: "Mistral Medium 3.5",
      context: 262_144,
      output: 262_144,
      reads: seeing,
      ...mistralReasoning,
      aliases: ["mistral-medium-3.5", "mistral-medium-2604"],
      read: modelsDev("f6c6f043", "models/mistral/mistral-medium-2604", "2026-04-29")
    },
    "mistral-small-2603": {
      name: "Mistral Small 4",
      context: 256_000,
      output: 256_000,
      reads: seeing,
      ...mistralReasoning,
      read: modelsDev("1a0bdb93", "models/mistral/mistral-small-2603", "2026-03-16")
    },
    "ministral-14b-2512": {
      name: "Ministral 3 14B",
      ...ministral,
      read: mistralPage("038807d6", "ministral-3-14b-25-12", "2025-12-02")
    },
    "ministral-8b-2512": {
      name: "Ministral 3 8B",
      ...ministral,
      read: mistralPage("45102ada", "ministral-3-8b-25-12", "2025-12-02")
    },
    "ministral-3b-2512": {
      name: "Ministral 3 3B",
      ...ministral,
      read: mistralPage("0a5d2839", "ministral-3-3b-25-12", "2025-12-02")
    },
    "codestral-2508": {
      name: "Codestral",
      context: 128_000,
      output: 128_000,
      read: mistralPage("038807d6", "codestral-25-08", "2025-07-30")
    },
    "devstral-2512": {
      name: "Devstral 2",
      context: 262_144,
      output: 262_144,
      read: modelsDev("1a0bdb93", "models/mistral/devstral-2512", "2025-12-09")
    }
  })

// ---------------------------------------------------------------------------------------------------------------
// DeepSeek. An English character is about 0.3 token, a Chinese one about 0.6
// (api-docs.deepseek.com/quick_start/token_usage).
// ---------------------------------------------------------------------------------------------------------------

const deepseek: Family = {
  provider: "deepseek",
  url: "https://api-docs.deepseek.com/quick_start/pricing",
  parameters: [
    // Temperature up to 2, penalties from -2 to 2, at most 16 stop sequences.
    page("https://api-docs.deepseek.com/api/create-completion"),
    // Efforts: low, high and max; Flash alone has a low one of its own.
    page("https://api-docs.deepseek.com/guides/thinking_mode.md"),
    modelsDev("23c42445", "providers/deepseek/models/deepseek-flash", "2026-09-10")
  ],
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

/** Context 1M, output at most 384K, what each model reads, and its names. */
const deepseekPage = page("https://api-docs.deepseek.com/zh-cn/quick_start/pricing/")

const flashPeak: Rates = { input: 0.3, output: 1.2, cacheRead: 0.006 }

const deepseekModels = () =>
  entries(deepseek, {
    "deepseek-v4-pro": {
      name: "DeepSeek V4 Pro",
      context: 1_000_000,
      output: 384_000,
      features: deepseekFeatures,
      rules: { reasoningEffort: choice("high", "max") },
      read: deepseekPage
    },
    "deepseek-flash": {
      name: "DeepSeek V4.1 Flash",
      context: 1_000_000,
      output: 384_000,
      reads: seeing,
      features: deepseekFeatures,
      rules: { reasoningEffort: choice("low", "high", "max") },
      // Names of models that are gone; the page says that this one answers them, at its price.
      aliases: ["deepseek-v4-flash", "deepseek-v4-flash-vision-exp"],
      read: deepseekPage,
      // Half price off the peak, which is 9 to 12 and 14 to 18 o'clock in Beijing. At weekends it is off-peak all day, which
      // a period cannot say: there this is an upper bound.
      prices: listed(
        modelsDev("23c42445", "providers/deepseek/models/deepseek-flash", "2026-09-10"),
        { input: 0.15, output: 0.6, cacheRead: 0.003 },
        {
          later: [
            { daily: { start: "01:00:00Z", end: "04:00:00Z" }, rates: flashPeak },
            { daily: { start: "06:00:00Z", end: "10:00:00Z" }, rates: flashPeak }
          ]
        }
      )
    }
  })

// ---------------------------------------------------------------------------------------------------------------
// Qwen on Alibaba Cloud, international region. Prices are declared here, because the price list above leaves this
// provider out.
// ---------------------------------------------------------------------------------------------------------------

const alibaba: Family = {
  provider: "alibaba",
  url: "https://www.alibabacloud.com/help/en/model-studio/models",
  parameters: [
    // The ranges as the API's errors state them: temperature [0, 2), top_p (0, 1], top_k from 0 on, presence_penalty [-2, 2].
    page("https://help.aliyun.com/zh/model-studio/error-code"),
    // "reasoning_effort is for qwen3.8-max only".
    modelsDev("aa754858", "providers/alibaba/models/qwen3.8-flash", "2026-08-28")
  ],
  rules: {
    temperature: range(0, 1.99),
    topP: range(0.01, 1),
    topK: whole(0, int32),
    seed: accepted,
    presencePenalty: range(-2, 2),
    reasoningEffort: unsupported
  },
  tokens: { charactersPerToken: 3.5, perIdeograph: 0.7 }
}

const qwenChatting: ReadonlyArray<Feature> = ["streaming", "tools", "structured-output", "prompt-cache"]
const qwenThinking: ReadonlyArray<Feature> = [...qwenChatting, "reasoning"]
const watching: ReadonlyArray<Modality> = ["text", "image", "video"]
const qwenPlus = { context: 1_000_000, output: 65_536, reads: watching, features: qwenThinking }

const alibabaModels = () =>
  entries(alibaba, {
    "qwen3.8-max": {
      name: "Qwen3.8 Max",
      context: 1_000_000,
      output: 131_072,
      reads: watching,
      features: qwenThinking,
      rules: { reasoningEffort: accepted },
      read: modelsDev("3952587b", "models/alibaba/qwen3.8-max", "2026-08-03"),
      prices: listed(page("https://docs.apiyi.com/en/news/qwen-3-8-max-launch.md", "2026-08-03"), {
        input: 2,
        output: 6
      })
    },
    "qwen3.8-flash": {
      name: "Qwen3.8 Flash",
      context: 1_000_000,
      input: 991_808,
      output: 131_072,
      reads: watching,
      features: qwenThinking,
      read: modelsDev("d7994e3b", "models/alibaba/qwen3.8-flash", "2026-08-26"),
      prices: listed(modelsDev("aa754858", "providers/alibaba/models/qwen3.8-flash", "2026-08-28"), {
        input: 0.15,
        output: 0.47,
        cacheRead: 0.016,
        cacheWrite: 0.2
      })
    },
    "qwen3.7-plus": {
      name: "Qwen3.7 Plus",
      ...qwenPlus,
      read: modelsDev("5066c824", "models/alibaba/qwen3.7-plus", "2026-06-02"),
      prices: listed(modelsDev("0654d77c", "providers/alibaba/models/qwen3.7-plus", "2026-06-04"), {
        input: tiers(0.4, [256_000, 1.2]),
        output: tiers(1.6, [256_000, 4.8]),
        cacheRead: tiers(0.08, [256_000, 0.24]),
        cacheWrite: tiers(0.5, [256_000, 1.5])
      })
    },
    "qwen3.6-plus": {
      name: "Qwen3.6 Plus",
      ...qwenPlus,
      read: modelsDev("ddd044c5", "models/alibaba/qwen3.6-plus", "2026-04-02"),
      prices: listed(modelsDev("0654d77c", "providers/alibaba/models/qwen3.6-plus", "2026-04-02"), {
        input: tiers(0.5, [256_000, 2]),
        output: tiers(3, [256_000, 6]),
        cacheRead: tiers(0.05, [256_000, 0.2]),
        cacheWrite: tiers(0.625, [256_000, 2.5])
      })
    },
    "qwen3-max": {
      name: "Qwen3 Max",
      context: 262_144,
      output: 65_536,
      features: qwenChatting,
      read: page("https://vercel.com/ai-gateway/models/qwen3-max.md"),
      prices: listed(modelsDev("0654d77c", "providers/alibaba/models/qwen3-max", "2025-09-23"), {
        input: tiers(1.2, [32_000, 2.4], [128_000, 3]),
        output: tiers(6, [32_000, 12], [128_000, 15]),
        cacheRead: tiers(0.24, [32_000, 0.48], [128_000, 0.6]),
        cacheWrite: tiers(1.5, [32_000, 3], [128_000, 3.75])
      })
    },
    // models.dev agrees with the limits and prices of these two, and says that they take no tools, which is doubtful.
    "qwen-plus": {
      name: "Qwen Plus",
      context: 1_000_000,
      output: 32_768,
      features: qwenThinking,
      prices: listed(modelsDev("0654d77c", "providers/alibaba/models/qwen-plus", "2025-09-11"), {
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
      features: qwenThinking,
      prices: listed(modelsDev("0654d77c", "providers/alibaba/models/qwen-flash", "2025-07-28"), {
        input: tiers(0.05, [256_000, 0.25]),
        output: tiers(0.4, [256_000, 2]),
        cacheRead: tiers(0.01, [256_000, 0.05]),
        cacheWrite: tiers(0.063, [256_000, 0.313])
      })
    }
  })

// ---------------------------------------------------------------------------------------------------------------
// Local models behind an OpenAI-compatible server (Ollama, vLLM, llama.cpp), under the names Ollama gives them. The
// limits are those of the weights: the server may be told less (Ollama's `num_ctx`), and nothing but the context bounds
// an answer unless the source says so.
// ---------------------------------------------------------------------------------------------------------------

const onPremises: Family = {
  provider: "local",
  url: "https://ollama.com/library",
  parameters: [
    // What there is, and that an answer has no length of its own (`num_predict` -1).
    page("https://github.com/ollama/ollama/blob/071c82b1/docs/modelfile.mdx"),
    // Penalties from -2 to 2, temperature from 0 on, top_p (0, 1], top_k -1 or more. The 2 of temperature is the wire format's.
    page("https://github.com/vllm-project/vllm/blob/main/vllm/sampling_params.py")
  ],
  runs: "local",
  rules: {
    topP: range(0.01, 1),
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
/** Thinking is switched on and off in the prompt or by the server, not by an effort. */
const switched = { features: localThinking, rules: { reasoningEffort: unsupported } }
const llama = { context: 128_000, output: 128_000, features: local }
const gptOss = { context: 131_072, output: 32_768, features: localThinking }
const gemma4 = { context: 262_144, output: 32_768, reads: seeing, ...switched }

const localModels = () =>
  entries(onPremises, {
    "gpt-oss:20b": {
      name: "gpt-oss 20B",
      ...gptOss,
      read: modelsDev("1a0bdb93", "models/openai/gpt-oss-20b", "2025-08-05")
    },
    "gpt-oss:120b": {
      name: "gpt-oss 120B",
      ...gptOss,
      read: modelsDev("1a0bdb93", "models/openai/gpt-oss-120b", "2025-08-05")
    },
    "gemma4:31b": {
      name: "Gemma 4 31B",
      ...gemma4,
      read: modelsDev("1a0bdb93", "models/google/gemma-4-31b-it", "2026-04-02")
    },
    "gemma4:26b": {
      name: "Gemma 4 26B A4B",
      ...gemma4,
      read: modelsDev("1a0bdb93", "models/google/gemma-4-26b-a4b-it", "2026-04-02")
    },
    "qwen3-coder:30b": {
      name: "Qwen3-Coder 30B A3B",
      context: 262_144,
      output: 65_536,
      features: local,
      read: modelsDev("1a0bdb93", "models/alibaba/qwen3-coder-30b-a3b-instruct", "2025-04")
    },
    // Without stretching the rotary embedding; with it (YaRN) the card goes to 131 072.
    "qwen3:8b": {
      name: "Qwen3 8B",
      context: 40_960,
      output: 32_768,
      ...switched,
      read: modelsDev("00ac9fd6", "models/alibaba/qwen3-8b", "2025-07-26")
    },
    "qwen3:32b": { name: "Qwen3 32B", context: 40_960, output: 32_768, ...switched },
    "devstral-small-2:24b": {
      name: "Devstral Small 2",
      context: 256_000,
      output: 256_000,
      reads: seeing,
      features: local,
      read: modelsDev("12e1d0d3", "models/mistral/devstral-small-2512", "2026-08-22")
    },
    "ministral-3:8b": {
      name: "Ministral 3 8B",
      ...ministral,
      features: local,
      read: mistralPage("45102ada", "ministral-3-8b-25-12", "2025-12-02")
    },
    "mistral-small3.2:24b": {
      name: "Mistral Small 3.2",
      context: 128_000,
      output: 128_000,
      reads: seeing,
      features: local,
      read: modelsDev("03d4574a", "models/mistral/mistral-small-3.2-24b-instruct-2506", "2025-06-20")
    },
    "llama3.3:70b": {
      name: "Llama 3.3 70B",
      ...llama,
      read: modelsDev("36dbbd62", "models/meta/llama-3.3-70b-instruct", "2024-12-06")
    },
    "llama3.1:8b": {
      name: "Llama 3.1 8B",
      ...llama,
      read: modelsDev("03d4574a", "models/meta/llama-3.1-8b-instruct", "2024-07-23")
    },
    "gemma3:27b": {
      name: "Gemma 3 27B",
      context: 131_072,
      output: 8_192,
      reads: seeing,
      features: ["streaming", "structured-output"]
    },
    "phi4:14b": { name: "Phi-4", context: 16_384, output: 16_384, features: ["streaming", "structured-output"] }
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

const ownPage = page("https://www.npmjs.com/package/@interlock/providers")

const offlineModels = () =>
  entries(
    {
      provider: "offline",
      url: "https://www.npmjs.com/package/@interlock/providers",
      parameters: [ownPage],
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
        read: ownPage,
        prices: offlinePrices({ input: 0.1, output: 0.4, cacheRead: 0.01 })
      },
      "offline-large": {
        name: "Offline large",
        context: 65_536,
        output: 2_048,
        features: ["streaming"],
        read: ownPage,
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
        read: ownPage,
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
        read: ownPage,
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
    ...replicateModels(),
    ...falModels(),
    ...mistralModels(),
    ...deepseekModels(),
    ...alibabaModels(),
    ...localModels(),
    ...offlineModels()
  ]
  return made
}

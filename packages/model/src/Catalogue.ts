/**
 * The model catalogue: what Interlock knows about a model before it calls it. Limits, the parameters it takes and
 * their ranges, what it reads and writes, its features, and what it costs.
 *
 * The project ships a dated snapshot, which needs no network: limits and ranges entered by hand, prices from
 * `@pydantic/genai-prices`. Each entry says where its limits, its ranges and its prices were read, and when
 * ({@link Entry}'s `source`, {@link Priced}'s `source`). {@link layerWith} adds models and corrects entries.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Schema } from "effect"
import { pricesOf } from "./internal/cataloguePrices.ts"
import { snapshot } from "./internal/catalogueSnapshot.ts"

// ---------------------------------------------------------------------------------------------------------------
// What an entry says
// ---------------------------------------------------------------------------------------------------------------

/**
 * The parameters of a call that a model may allow, restrict or refuse.
 *
 * @category entry
 * @since 0.1.0
 */
export type ParameterName =
  | "temperature"
  | "topP"
  | "topK"
  | "maxOutputTokens"
  | "stop"
  | "seed"
  | "presencePenalty"
  | "frequencyPenalty"
  | "reasoningEffort"
  | "tools"
  | "toolChoice"
  | "responseFormat"

/**
 * What a model accepts for one parameter.
 *
 * `Range` is inclusive; with `onlyAtEffort` it is allowed at that reasoning effort only, and with `orUnset` also when the
 * call says no effort, because that one is the model's default. `Choice` is one of a few
 * words. `Count` bounds the length of a list. `Accepted` says nothing about the value.
 *
 * @category entry
 * @since 0.1.0
 */
export type Rule =
  | {
      readonly _tag: "Range"
      readonly minimum: number
      readonly maximum: number
      readonly integer?: boolean
      readonly onlyAtEffort?: string
      readonly orUnset?: boolean
    }
  | { readonly _tag: "Choice"; readonly values: ReadonlyArray<string> }
  | { readonly _tag: "Count"; readonly maximum: number }
  | { readonly _tag: "Accepted" }
  | { readonly _tag: "Unsupported" }

/**
 * What an image request may say. `references` and `mask` are pictures in the prompt.
 *
 * @category entry
 * @since 0.1.0
 */
export type ImageParameterName =
  | "size"
  | "aspectRatio"
  | "count"
  | "seed"
  | "quality"
  | "references"
  | "mask"
  | "partialImages"

/**
 * What an image model accepts for one parameter. `Sides` bounds width and height in pixels, both inclusive.
 *
 * @category entry
 * @since 0.1.0
 */
export type ImageRule =
  | Rule
  | { readonly _tag: "Sides"; readonly minimum: number; readonly maximum: number; readonly multipleOf?: number }

/**
 * A kind of content that a model reads or writes.
 *
 * @category entry
 * @since 0.1.0
 */
export type Modality = "text" | "image" | "audio" | "video" | "pdf" | "embedding"

/**
 * Something a model can do beyond answering.
 *
 * @category entry
 * @since 0.1.0
 */
export type Feature = "tools" | "structured-output" | "reasoning" | "streaming" | "batch" | "prompt-cache"

/**
 * US dollars per million tokens: flat, or with tiers.
 *
 * With tiers, the whole call is billed at the last tier whose `tokens` the call's input exceeds (not only the tokens
 * past the threshold), as OpenAI, Anthropic and Google bill long prompts.
 *
 * @category prices
 * @since 0.1.0
 */
export type Rate =
  | number
  | { readonly base: number; readonly above: ReadonlyArray<{ readonly tokens: number; readonly rate: number }> }

/**
 * The rates of a model: US dollars per million tokens, except `perImage` (US dollars per image made) and `perMegapixel` (US dollars per
 * megapixel of each image made; a megapixel begun counts whole, and 1024 × 1024 pixels are one, as fal bills them).
 *
 * A rate that is left out is the rate of its parent: `cacheRead`, `cacheWrite` and `inputImage` fall back to `input`,
 * `cacheWriteOneHour` (of what a provider keeps for an hour instead of minutes) to `cacheWrite`, `outputImage` and
 * `outputReasoning` to `output`. `outputReasoning` is that of the whole output of a call in which the
 * model reasoned, where a provider bills such calls otherwise.
 *
 * @category prices
 * @since 0.1.0
 */
export interface Rates {
  readonly input: Rate
  readonly output: Rate
  readonly cacheRead?: Rate
  readonly cacheWrite?: Rate
  readonly cacheWriteOneHour?: Rate
  readonly inputImage?: Rate
  readonly outputImage?: Rate
  readonly outputReasoning?: Rate
  readonly perImage?: number
  readonly perMegapixel?: number
}

/**
 * Rates and when they hold: from a date (ISO 8601) on, or between two times of the day (UTC, `HH:MM:SSZ`).
 *
 * @category prices
 * @since 0.1.0
 */
export interface Period {
  readonly from?: string
  readonly daily?: { readonly start: string; readonly end: string }
  readonly rates: Rates
}

/**
 * Known prices. The last period that holds at the time of the call counts.
 *
 * `batch` is the factor of the provider's batch tier (0.5: half price); absent when there is none.
 *
 * @category prices
 * @since 0.1.0
 */
export interface Priced {
  readonly _tag: "Priced"
  readonly periods: ReadonlyArray<Period>
  readonly batch?: number
  readonly source: string
  readonly asOf: string
}

/**
 * No known price, and why. Never treated as 0.
 *
 * @category prices
 * @since 0.1.0
 */
export interface Unpriced {
  readonly _tag: "Unpriced"
  readonly reason: string
}

/**
 * What a model costs, or that nobody knows.
 *
 * @category prices
 * @since 0.1.0
 */
export type Prices = Priced | Unpriced

/**
 * A place where facts were read: its address, the day on which they were compared with it, and the date that it states
 * itself (of its last update, or of the model), where it states one. Dates are ISO 8601.
 *
 * @category entry
 * @since 0.1.0
 */
export interface Reading {
  readonly url: string
  readonly date: string
  readonly stated?: string
}

/**
 * One model of one provider.
 *
 * @category entry
 * @since 0.1.0
 */
export interface Entry {
  readonly provider: string
  readonly model: string
  readonly name: string
  /** Other names the provider accepts for the same model. */
  readonly aliases: ReadonlyArray<string>
  /** `local`: runs on hardware of the user, so that no text leaves it. */
  readonly runs: "cloud" | "local"
  /** Tokens. `context` bounds input and output together; `input` is set when the provider bounds it by itself. */
  readonly limits: { readonly context: number; readonly output: number; readonly input?: number }
  readonly parameters: { readonly [Name in ParameterName]: Rule }
  /** Pairs of parameters that the model refuses together. */
  readonly exclusive: ReadonlyArray<readonly [ParameterName, ParameterName]>
  readonly modalities: { readonly input: ReadonlyArray<Modality>; readonly output: ReadonlyArray<Modality> }
  readonly features: ReadonlyArray<Feature>
  /** For a model that makes images: what it takes. Without it, nothing is known, and everything well-formed passes. */
  readonly images?: { readonly [Name in ImageParameterName]: ImageRule }
  /** How long a token is, for estimates: characters of text per token, and tokens per Chinese or Japanese character. */
  readonly tokens: { readonly charactersPerToken: number; readonly perIdeograph: number }
  readonly prices: Prices
  /**
   * Where the facts come from; those of `prices` stand beside them. `limits` states the limits and modalities, `parameters`
   * the ranges of the provider's parameters and the efforts of its models. Where `verified` is false nobody compared the
   * limits with that page, and some come from general knowledge: look before relying on them.
   */
  readonly source: {
    readonly limits: Reading
    readonly parameters: ReadonlyArray<Reading>
    readonly verified: boolean
  }
}

/**
 * A new entry, or a correction of one: what is left out comes from the snapshot, or else from {@link defaults}.
 *
 * @category entry
 * @since 0.1.0
 */
export type Override = Partial<Omit<Entry, "parameters">> & {
  readonly provider: string
  readonly model: string
  readonly parameters?: { readonly [Name in ParameterName]?: Rule }
}

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * The catalogue has no such model. `suggestions` are the nearest names, as `provider/model`.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnknownModel extends Schema.TaggedError<UnknownModel>()("UnknownModel", {
  provider: Schema.String,
  model: Schema.String,
  suggestions: Schema.Array(Schema.String)
}) {
  /** Names the model, the nearest ones, and the cure. */
  override get message(): string {
    const nearest = this.suggestions.length === 0 ? "" : ` Did you mean ${this.suggestions.join(" or ")}?`
    return `The model catalogue has no ${this.provider}/${this.model}.${nearest} Correct the name, or add the model with Catalogue.layerWith.`
  }
}

/**
 * An override that cannot be an entry.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidEntry extends Schema.TaggedError<InvalidEntry>()("InvalidEntry", {
  provider: Schema.String,
  model: Schema.String,
  problem: Schema.String
}) {
  /** Names the model, what is wrong and the cure. */
  override get message(): string {
    return `The catalogue entry ${this.provider}/${this.model} is not valid: ${this.problem}`
  }
}

// ---------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------

/**
 * Looks models up.
 *
 * A dated name (`claude-haiku-4-5-20251001`, `gpt-4o-2024-08-06`) finds the entry of the model it is a snapshot of,
 * with the prices of that date's snapshot.
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as Catalogue from "@interlock/model/Catalogue"
 *
 * const contextOf = (provider: string, model: string) =>
 *   Effect.gen(function*() {
 *     const catalogue = yield* Catalogue.Catalogue
 *     const entry = yield* catalogue.get(provider, model)
 *     return entry.limits.context
 *   })
 *
 * const tokens = Effect.runSync(contextOf("anthropic", "claude-haiku-4-5").pipe(Effect.provide(Catalogue.layer)))
 * // tokens is 200000
 * ```
 *
 * @category service
 * @since 0.1.0
 */
export class Catalogue extends Context.Service<
  Catalogue,
  {
    /** The entry of a model, or an error with the nearest names. */
    readonly get: (provider: string, model: string) => Effect.Effect<Entry, UnknownModel>
    /** The entry of a model, if there is one. */
    readonly find: (provider: string, model: string) => Entry | undefined
    /** Every entry, in the order of providers and names. */
    readonly all: ReadonlyArray<Entry>
  }
>()("@interlock/model/Catalogue") {}

const accepted: Rule = { _tag: "Accepted" }

/**
 * What an added model is taken to be when its override does not say: text in, text out, streaming, tools allowed,
 * every parameter accepted as it is, no known price. Limits have no default.
 *
 * @category service
 * @since 0.1.0
 */
export const defaults: Omit<Entry, "provider" | "model" | "name" | "limits"> = {
  aliases: [],
  runs: "cloud",
  parameters: {
    temperature: accepted,
    topP: accepted,
    topK: accepted,
    maxOutputTokens: accepted,
    stop: accepted,
    seed: accepted,
    presencePenalty: accepted,
    frequencyPenalty: accepted,
    reasoningEffort: accepted,
    tools: accepted,
    toolChoice: accepted,
    responseFormat: accepted
  },
  exclusive: [],
  modalities: { input: ["text"], output: ["text"] },
  features: ["streaming"],
  tokens: { charactersPerToken: 4, perIdeograph: 1 },
  prices: {
    _tag: "Unpriced",
    reason: "its catalogue entry declares no prices; declare them with Catalogue.layerWith"
  },
  source: { limits: { url: "declared by the application", date: "" }, parameters: [], verified: false }
}

/**
 * Flat prices for an entry, in US dollars per million tokens.
 *
 * @category prices
 * @since 0.1.0
 */
export const declarePrices = (
  rates: Rates,
  options?: { readonly batch?: number; readonly source?: string; readonly asOf?: string }
): Priced => ({
  _tag: "Priced",
  periods: [{ rates }],
  source: options?.source ?? "declared by the application",
  asOf: options?.asOf ?? "",
  ...(options?.batch === undefined ? {} : { batch: options.batch })
})

/**
 * The prices that `@pydantic/genai-prices` knows for a model, for entries of providers that the snapshot leaves out
 * (`groq`, `together`, `openrouter`, …).
 *
 * @category prices
 * @since 0.1.0
 */
export const knownPrices: (provider: string, model: string) => Prices = pricesOf

/**
 * The rate that a call of `inputTokens` pays.
 *
 * @category prices
 * @since 0.1.0
 */
export const rateAt = (rate: Rate, inputTokens: number): number => {
  if (typeof rate === "number") return rate
  let current = rate.base
  for (const tier of rate.above) if (inputTokens > tier.tokens) current = tier.rate
  return current
}

/**
 * The rates that hold at a moment (milliseconds since the epoch).
 *
 * @category prices
 * @since 0.1.0
 */
export const ratesAt = (prices: Priced, at: number): Rates | undefined => {
  for (let index = prices.periods.length - 1; index >= 0; index--) {
    const period = prices.periods[index]!
    if (period.from !== undefined && at < Date.parse(period.from)) continue
    if (period.daily !== undefined && !withinDay(period.daily, at)) continue
    return period.rates
  }
  return prices.periods[0]?.rates
}

const day = 86_400_000

const withinDay = (daily: { readonly start: string; readonly end: string }, at: number): boolean => {
  const time = ((at % day) + day) % day
  const start = Date.parse(`1970-01-01T${daily.start}`)
  const end = Date.parse(`1970-01-01T${daily.end}`)
  return end < start ? time >= start || time < end : time >= start && time < end
}

// ---------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------

/**
 * The catalogue of the snapshot that the project ships.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Catalogue> = Layer.sync(Catalogue)(() => make(snapshot()))

/**
 * The snapshot with additions and corrections. A model that the snapshot lacks needs at least its limits.
 *
 * ```ts
 * import * as Catalogue from "@interlock/model/Catalogue"
 *
 * const layer = Catalogue.layerWith([
 *   { provider: "openai", model: "gpt-4o", prices: Catalogue.declarePrices({ input: 2, output: 8 }) },
 *   { provider: "local", model: "my-finetune", runs: "local", limits: { context: 32_768, output: 4_096 } }
 * ])
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (overrides: ReadonlyArray<Override>): Layer.Layer<Catalogue, InvalidEntry> =>
  Layer.effect(Catalogue)(Effect.map(merge(snapshot(), overrides), make))

/**
 * Only these models, and nothing of the snapshot.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerOnly = (overrides: ReadonlyArray<Override>): Layer.Layer<Catalogue, InvalidEntry> =>
  Layer.effect(Catalogue)(Effect.map(merge([], overrides), make))

// ---------------------------------------------------------------------------------------------------------------
// Making it
// ---------------------------------------------------------------------------------------------------------------

const key = (provider: string, model: string): string => `${provider}/${model}`.toLowerCase()

const merge = Effect.fnUntraced(function* (
  entries: ReadonlyArray<Entry>,
  overrides: ReadonlyArray<Override>
): Effect.fn.Return<ReadonlyArray<Entry>, InvalidEntry> {
  const merged = new Map(entries.map((entry) => [key(entry.provider, entry.model), entry]))
  for (const override of overrides) {
    const { provider, model } = override
    const known = merged.get(key(provider, model))
    const limits = override.limits ?? known?.limits
    if (limits === undefined) {
      return yield* new InvalidEntry({
        provider,
        model,
        problem: "a new model needs limits: { context, output } in tokens."
      })
    }
    if (!(limits.context > 0 && limits.output >= 0)) {
      return yield* new InvalidEntry({
        provider,
        model,
        problem: `limits { context: ${limits.context}, output: ${limits.output} } are not counts of tokens; give positive numbers.`
      })
    }
    const prices = override.prices
    if (prices?._tag === "Priced" && !prices.periods.every((period) => validRates(period.rates))) {
      return yield* new InvalidEntry({
        provider,
        model,
        problem: "every rate must be a finite number of US dollars, 0 or more."
      })
    }
    const base: Entry = known ?? { ...defaults, provider, model, name: model, limits }
    merged.set(key(provider, model), {
      ...base,
      ...override,
      limits,
      parameters: { ...base.parameters, ...override.parameters }
    })
  }
  return [...merged.values()]
})

const validRates = (rates: Rates): boolean =>
  Object.values(rates).every((rate: Rate) =>
    typeof rate === "number"
      ? Number.isFinite(rate) && rate >= 0
      : [rate.base, ...rate.above.map((tier) => tier.rate)].every((one) => Number.isFinite(one) && one >= 0)
  )

const dated = /[-@](?:\d{8}|\d{4}-\d{2}-\d{2})$/

const make = (entries: ReadonlyArray<Entry>): Catalogue["Service"] => {
  const byName = new Map<string, Entry>()
  for (const entry of entries) byName.set(key(entry.provider, entry.model), entry)
  for (const entry of entries) {
    for (const alias of entry.aliases) {
      if (!byName.has(key(entry.provider, alias))) byName.set(key(entry.provider, alias), entry)
    }
  }
  const find = (provider: string, model: string): Entry | undefined => {
    const exact = byName.get(key(provider, model))
    if (exact !== undefined || !dated.test(model)) return exact
    const undated = byName.get(key(provider, model.replace(dated, "")))
    if (undated === undefined) return undefined
    const prices = pricesOf(provider, model)
    const entry: Entry = {
      ...undated,
      model,
      // The price list may know that this date's snapshot costs otherwise; declared prices stay as they are.
      prices:
        prices._tag === "Priced" && undated.prices._tag === "Priced" && undated.prices.source === prices.source
          ? prices
          : undated.prices
    }
    byName.set(key(provider, model), entry)
    return entry
  }
  const all = [...entries].sort(
    (a, b) => a.provider.localeCompare(b.provider, "en") || a.model.localeCompare(b.model, "en")
  )
  return Catalogue.of({
    find,
    get: (provider, model) => {
      const entry = find(provider, model)
      return entry === undefined
        ? Effect.fail(new UnknownModel({ provider, model, suggestions: nearest(all, provider, model) }))
        : Effect.succeed(entry)
    },
    all
  })
}

/** The entries whose names are closest, of the same provider first; none when all are far. */
const nearest = (entries: ReadonlyArray<Entry>, provider: string, model: string): ReadonlyArray<string> => {
  const wanted = model.toLowerCase()
  return entries
    .flatMap((entry) =>
      [entry.model, ...entry.aliases].map((name) => {
        const candidate = name.toLowerCase()
        const edits = distance(candidate, wanted)
        const near = edits <= Math.max(2, Math.floor(wanted.length / 3)) || candidate.startsWith(wanted)
        return {
          name: `${entry.provider}/${name}`,
          near: near && wanted.length > 0,
          far: edits + (entry.provider === provider.toLowerCase() ? 0 : 3)
        }
      })
    )
    .filter((candidate) => candidate.near)
    .sort((a, b) => a.far - b.far || a.name.localeCompare(b.name, "en"))
    .slice(0, 3)
    .map((candidate) => candidate.name)
}

/** Levenshtein's distance. */
const distance = (a: string, b: string): number => {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, change))
    }
    previous = current
  }
  return previous[b.length]!
}

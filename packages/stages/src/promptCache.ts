/**
 * Providers charge less for the beginning of a prompt that they have seen lately, and some charge more for remembering it: a
 * surcharge that is wasted when the beginning does not come again in time. `cachePrompt` marks how far to remember where that
 * is the caller's to say (Anthropic; OpenAI from GPT-5.6 on), and only where reuse seen so far makes it pay.
 * `promptCacheSettings` says the rest to OpenAI: to remember nothing that is not marked, and which calls belong together.
 * Gemini finds beginnings itself and charges nothing for remembering them: there is nothing to say to it.
 *
 * @since 0.1.0
 */
import { Stage } from "@interlock/core"
import { Caller, ChosenModel, Parameters, Prompt, SafePrompt } from "@interlock/model"
import { Clock, Context, Duration, Effect, Layer } from "effect"
import { type ConfigurationError, invalid } from "./cache/configurationError.ts"
import { canonicalHash } from "./cache/key.ts"

/**
 * What a provider charges and allows. Prices are relative to that of an input token.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rules {
  /** The price of a token that is remembered. */
  readonly write: number
  /** The price of a token that was remembered. */
  readonly read: number
  /** How long a beginning is remembered after it was last used. */
  readonly timeToLive: Duration.Duration
  /** The fewest tokens that are remembered. */
  readonly minimumTokens: number
  /** How many places of a prompt may be marked; 0 where the provider finds the beginning itself. */
  readonly breakpoints: number
}

const marked = { write: 1.25, read: 0.1, breakpoints: 4 }
const found = { write: 1, read: 0.1, timeToLive: Duration.minutes(5), breakpoints: 0 }

/** Whether breakpoints can be set: OpenAI's models from GPT-5.6 on. */
const takesBreakpoints = (model: string): boolean => {
  const version = /^gpt-(\d+)(?:\.(\d+))?/u.exec(model)
  if (version === null) return false
  const [major, minor] = [Number(version[1]), Number(version[2] ?? 0)]
  return major > 5 || (major === 5 && minor >= 6)
}

/**
 * The rules of the providers that the stage knows: `anthropic`, `openai` and `google`. Sources: Anthropic, "Prompt caching" (5
 * minutes at 1.25 and 0.1; an hour costs 2, which reuse hardly ever repays); OpenAI, "Prompt caching" (from GPT-5.6 on 1.25, for 30
 * minutes at least; before, automatic and free, for 5 to 10 minutes); Google, "Context caching" (implicit, free).
 *
 * @category rules
 * @since 0.1.0
 */
export const rulesOf = (provider: string, model: string): Rules | undefined => {
  switch (provider) {
    case "anthropic":
      return {
        ...marked,
        timeToLive: Duration.minutes(5),
        minimumTokens: /(opus|haiku)-4-5/u.test(model) ? 4_096 : /haiku-3|3-5-haiku/u.test(model) ? 2_048 : 1_024
      }
    case "openai":
      return takesBreakpoints(model)
        ? { ...marked, timeToLive: Duration.minutes(30), minimumTokens: 1_024 }
        : { ...found, minimumTokens: 1_024 }
    case "google":
      return { ...found, minimumTokens: /pro/u.test(model) ? 4_096 : 1_024 }
    default:
      return undefined
  }
}

/**
 * A piece of a prompt. `hash` names the prompt from its beginning to the end of this piece.
 *
 * @category models
 * @since 0.1.0
 */
export interface Segment {
  readonly hash: string | number
  readonly tokens: number
}

/**
 * Decides how much of each prompt to have remembered, and learns from every prompt it sees.
 *
 * @category models
 * @since 0.1.0
 */
export interface Planner {
  /**
   * After how many segments to mark, ascending: the last says how far to remember, those before are where other prompts
   * branch off. Empty for none. `now` in milliseconds, never falling.
   */
  readonly plan: (segments: ReadonlyArray<Segment>, now: number) => ReadonlyArray<number>
}

/** A judgement still open: whether a beginning comes again in time. */
interface Sample {
  readonly features: ReadonlyArray<string>
  readonly weight: number
  readonly until: number
  settled: boolean
}

interface Seen {
  times: number
  at: number
  /** Between the last two times. */
  gap: number
  rememberedUntil: number
  sample: Sample | undefined
}

/** Segments that have come together so far: as often, and last at the same time. */
interface Group {
  readonly from: number
  to: number
  tokens: number
  readonly before: Seen | undefined
}

const doublings = (value: number) => Math.floor(Math.log2(value + 1))
const often = (times: number) => (times < 4 ? times : times < 6 ? 4 : times < 10 ? 5 : times < 30 ? 6 : 7)
const paces = [0.5, 1, 2, 5, 10, 20].map((minutes) => minutes * 60_000)
const pace = (milliseconds: number) =>
  milliseconds < 0 ? "never" : paces.filter((limit) => milliseconds >= limit).length

/**
 * Makes a planner for one provider's rules.
 *
 * A prompt falls into groups of segments that have come together so far: what everybody shares, what the conversation said
 * before, what is new. For each it learns how likely the group's end comes again within the time to live, from how often and
 * when it came, how much of it is new, and how long the conversation has been (logistic regression over hashed situations,
 * AdaGrad steps: Duchi, Hazan and Singer 2011); every prompt settles what was foretold of earlier ones. Remembering costs `write − 1` a
 * token and saves `1 − read` when it comes again, and what the next turn would have to write anyway.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makePlanner = (
  { breakpoints, minimumTokens, read, timeToLive, write }: Rules,
  options: { readonly remembered?: number } = {}
): Planner => {
  const { remembered = 200_000 } = options
  const lifetime = Duration.toMillis(timeToLive)
  const saved = 1 - read + 0.4 * (write - 1)
  // Before anything is learned, the chance at which remembering neither pays nor costs.
  const even = Math.max(0.01, (write - 1) / saved)
  const indifferent = Math.log(even / (1 - even))
  const seen = new Map<string | number, Seen>()
  const weights = new Map<string, { value: number; squares: number }>()
  const pending: Array<Sample> = []
  let settledUpTo = 0
  const chance = (features: ReadonlyArray<string>) => {
    let sum = indifferent
    for (const feature of features) sum += weights.get(feature)?.value ?? 0
    return 1 / (1 + Math.exp(-sum))
  }
  const settle = (sample: Sample, came: boolean) => {
    sample.settled = true
    const slope = (chance(sample.features) - (came ? 1 : 0)) * sample.weight
    for (const feature of sample.features) {
      const weight = weights.get(feature) ?? { value: 0, squares: 1 }
      weight.squares += slope * slope
      weight.value -= (0.2 * slope) / Math.sqrt(weight.squares)
      weights.set(feature, weight)
    }
  }
  return {
    plan: (segments, now) => {
      while (settledUpTo < pending.length && pending[settledUpTo]!.until < now) {
        const sample = pending[settledUpTo++]!
        if (!sample.settled) settle(sample, false)
      }
      if (settledUpTo > 10_000) {
        pending.splice(0, settledUpTo)
        settledUpTo = 0
      }

      const groups: Array<Group> = []
      let [known, cached, total, fresh] = [0, 0, 0, 0]
      for (const [position, { hash, tokens }] of segments.entries()) {
        const before = known === position ? seen.get(hash) : undefined
        total += tokens
        if (before === undefined) fresh += tokens
        else known++
        if (before !== undefined && cached === position && before.rememberedUntil >= now) cached++
        const last = groups.at(-1)
        if (last !== undefined && last.before?.times === before?.times && last.before?.at === before?.at) {
          last.to = position + 1
          last.tokens += tokens
        } else groups.push({ from: position, to: position + 1, tokens, before })
        // What was foretold of this beginning has come true.
        const sample = before?.sample
        if (sample !== undefined && !sample.settled) settle(sample, true)
      }

      // A beginning that nearly everybody shares, such as the system text, does not make a conversation.
      const talk = known > 1 ? seen.get(segments[known - 1]!.hash) : undefined
      const turn = often(talk?.times ?? 0)
      const [size, news] = [doublings(total / 512), doublings(fresh / 512)]
      let [behind, balance, best, upTo] = [total, 0, 0, cached]
      const foretold = groups.map((group) => {
        const { before, from, to, tokens } = group
        behind -= tokens
        const times = often(before?.times ?? 0)
        const age = pace(before === undefined ? -1 : now - before.at)
        const features = [
          "any",
          `times ${times}`,
          `age ${age}`,
          `size ${size}`,
          `news ${news}`,
          `turn ${turn}`,
          `behind ${doublings(behind / 512)}`,
          `times ${times} age ${age}`,
          `times ${times} size ${size}`,
          `times ${times} news ${news}`,
          `times ${times} turn ${turn}`,
          `age ${age} gap ${pace(before?.gap ?? -1)}`,
          `times ${times} turn ${turn} since ${pace(talk === undefined ? -1 : now - talk.at)}`
        ]
        if (to > cached) {
          let unwritten = 0
          for (let position = Math.max(from, cached); position < to; position++) unwritten += segments[position]!.tokens
          balance += unwritten * (chance(features) * saved - (write - 1))
          if (balance > best + 1e-9) {
            best = balance
            upTo = to
          }
        }
        const sample = {
          features,
          weight: Math.sqrt(Math.max(512, tokens) / 8_192),
          until: now + lifetime,
          settled: false
        }
        pending.push(sample)
        return sample
      })

      for (const [index, { from, to }] of groups.entries()) {
        for (let position = from; position < to; position++) {
          const { hash } = segments[position]!
          const entry = seen.get(hash) ?? { times: 0, at: now, gap: -1, rememberedUntil: 0, sample: undefined }
          entry.gap = entry.times === 0 ? -1 : now - entry.at
          entry.times++
          entry.at = now
          entry.sample = position === to - 1 ? foretold[index] : undefined
          if (position < upTo) entry.rememberedUntil = now + lifetime
          // The newest at the end.
          seen.delete(hash)
          seen.set(hash, entry)
        }
      }
      for (const oldest of seen.keys()) {
        if (seen.size <= remembered) break
        seen.delete(oldest)
      }

      let tokens = 0
      const reached = segments.map((segment) => (tokens += segment.tokens))
      // How far, what can be read, and where prompts branch off: the first such place is what most of them share.
      const ends = groups.map(({ to }) => to).filter((to) => to <= upTo)
      const wanted = [upTo, cached, ends[0] ?? 0, ...ends.reverse()]
      return [...new Set(wanted)]
        .filter((place) => place > 0 && reached[place - 1]! >= minimumTokens)
        .slice(0, Math.max(1, breakpoints))
        .sort((a, b) => a - b)
    }
  }
}

/**
 * Plans prompt caching for each provider and model.
 *
 * @category services
 * @since 0.1.0
 */
export class PromptCachePlanner extends Context.Service<
  PromptCachePlanner,
  {
    /** The rules of a model, or `undefined` where they are not known. */
    readonly rules: (provider: string, model: string) => Rules | undefined
    /** After how many messages of the prompt to mark it; see `Planner`. */
    readonly plan: (
      provider: string,
      model: string,
      messages: ReadonlyArray<Segment>
    ) => Effect.Effect<ReadonlyArray<number>>
    /** Names the calls that a provider should send to one machine, by the beginning that they share or else by conversation. */
    readonly key: (beginning: string, conversation: string) => Effect.Effect<string>
    /** How long OpenAI's models before GPT-5.6 are to remember, where that was asked for. */
    readonly retention: "24h" | undefined
  }
>()("@interlock/stages/PromptCachePlanner") {}

/** OpenAI: requests of one prefix and key beyond about 15 a minute overflow to other machines. */
const perMinute = 15

/**
 * Plans in this process, with the known rules and those given. `retention: "24h"` has OpenAI's models before GPT-5.6 remember for
 * up to a day, at the same price; what they keep then is on its disks, so it is not asked for unless you do.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: { readonly rules?: { readonly [provider: string]: Rules }; readonly retention?: "24h" } = {}
): Layer.Layer<PromptCachePlanner, ConfigurationError> =>
  Layer.effect(
    PromptCachePlanner,
    Effect.gen(function* () {
      for (const [provider, { read, timeToLive, write }] of Object.entries(options.rules ?? {})) {
        if (!(read >= 0 && read < write && write >= 1) || !(Duration.toMillis(timeToLive) > 0)) {
          return yield* invalid(
            `prompt cache rules of ${provider}`,
            `write ${write}, read ${read}`,
            "reading must cost less than writing, writing at least 1, for a time above 0",
            "take them from the provider's price list"
          )
        }
      }
      const rules = (provider: string, model: string) => options.rules?.[provider] ?? rulesOf(provider, model)
      const planners = new Map<string, Planner>()
      let minute = 0
      let uses = new Map<string, number>()
      return {
        rules,
        retention: options.retention,
        plan: (provider, model, messages) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const known = rules(provider, model)
            if (known === undefined) return []
            const name = `${provider}/${model}`
            let planner = planners.get(name)
            if (planner === undefined) {
              planner = makePlanner(known)
              planners.set(name, planner)
            }
            return planner.plan(messages, now)
          }),
        key: (beginning, conversation) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            if (Math.floor(now / 60_000) !== minute) {
              minute = Math.floor(now / 60_000)
              uses = new Map()
            }
            const used = (uses.get(beginning) ?? 0) + 1
            uses.set(beginning, used)
            return used <= perMinute ? beginning : conversation
          })
      }
    })
  )

/** The message with a breakpoint at its end, or `undefined` where the provider takes none there. */
const breakpoint = <Text extends string>(
  provider: string,
  message: Prompt.Message<Text>
): Prompt.Message<Text> | undefined => {
  if (provider === "anthropic") {
    return { ...message, options: { ...message.options, anthropic: { cacheControl: { type: "ephemeral" } } } }
  }
  const options = { [provider]: { promptCacheBreakpoint: { mode: "explicit" } } }
  if (message.role === "system") return { ...message, options: { ...message.options, ...options } }
  if (message.role !== "user") return undefined
  const content =
    typeof message.content === "string" ? [{ type: "text" as const, text: message.content }] : message.content
  const last = content.at(-1)
  return last === undefined
    ? undefined
    : { ...message, content: [...content.slice(0, -1), { ...last, options: { ...last.options, ...options } }] }
}

/** Whether the caller says something of its own to the provider about this message. */
const spoken = (provider: string, message: Prompt.Message): boolean =>
  message.options?.[provider] !== undefined ||
  (typeof message.content !== "string" && message.content.some((part) => part.options?.[provider] !== undefined))

/**
 * The stage: marks how far the prompt is worth remembering, in the provider's own options, and up to three places before
 * where others branch off. Prompts for providers that find the beginning themselves, and marks that the caller has set,
 * are left as they are.
 *
 * @category stages
 * @since 0.1.0
 */
export const cachePrompt = Stage.derive(
  "cachePrompt",
  { needs: { model: ChosenModel, prompt: SafePrompt }, adds: SafePrompt },
  Effect.fnUntraced(function* ({ model: { model, provider }, prompt }) {
    const planner = yield* PromptCachePlanner
    const known = planner.rules(provider, model)
    if (known === undefined || known.breakpoints === 0) return prompt
    if (prompt.content.some((message) => spoken(provider, message))) return prompt
    let hash = ""
    const segments = prompt.content.map((message) => {
      hash = canonicalHash([hash, message])
      // Four characters a token: the plan needs magnitudes, not counts.
      return { hash, tokens: Math.ceil(Prompt.messageText(message).length / 4) }
    })
    const places = yield* planner.plan(provider, model, segments)
    if (places.length === 0) return prompt
    const content = [...prompt.content]
    for (const place of places) {
      // Where a message takes no breakpoint, the one before it does.
      for (let position = place - 1; position >= 0; position--) {
        const message = breakpoint(provider, content[position]!)
        if (message === undefined) continue
        content[position] = message
        break
      }
    }
    return { ...prompt, content }
  })
)

/**
 * The stage that goes with `cachePrompt` where OpenAI may be chosen. It names the calls that should meet on one machine
 * (`promptCacheKey`: those that share a tenant and a system text while these are few, those of a conversation otherwise), and tells models from
 * GPT-5.6 on to remember only what is marked: otherwise they remember, and charge for, every prompt. What the caller has set
 * stays.
 *
 * @category stages
 * @since 0.1.0
 */
export const promptCacheSettings = Stage.derive(
  "promptCacheSettings",
  {
    needs: { model: ChosenModel, prompt: SafePrompt, parameters: Parameters, caller: Caller },
    adds: Parameters
  },
  Effect.fnUntraced(function* ({ caller, model: { model, provider }, parameters, prompt }) {
    if (provider !== "openai") return parameters
    const planner = yield* PromptCachePlanner
    const first = prompt.content.findIndex(({ role }) => role !== "system")
    const system = first === -1 ? prompt.content : prompt.content.slice(0, first)
    const beginning = canonicalHash([caller.tenant, system.map(Prompt.messageText)])
    const conversation = canonicalHash([beginning, first === -1 ? "" : Prompt.messageText(prompt.content[first]!)])
    const promptCacheKey = yield* planner.key(beginning.slice(0, 32), conversation.slice(0, 32))
    const own = parameters.providerOptions?.["openai"]
    return {
      ...parameters,
      providerOptions: {
        ...parameters.providerOptions,
        openai: {
          promptCacheKey,
          ...(takesBreakpoints(model)
            ? { promptCacheOptions: { mode: "explicit" } }
            : planner.retention && { promptCacheRetention: planner.retention }),
          ...own
        }
      }
    }
  })
)

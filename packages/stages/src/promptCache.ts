/**
 * Providers charge less for the beginning of a prompt that they have seen lately. Some find it themselves (OpenAI, Gemini); to
 * Anthropic the caller must say how far to remember, and pays a surcharge for it, which is wasted when the beginning does
 * not come again in time. `cachePrompt` says so only where reuse seen so far makes it pay.
 *
 * @since 0.1.0
 */
import { Stage } from "@interlock/core"
import { ChosenModel, Prompt, SafePrompt } from "@interlock/model"
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

/**
 * The rules of the providers that the stage knows. Sources: Anthropic, "Prompt caching" (5 minutes: 1.25 and 0.1, at most 4
 * breakpoints, from 1,024 tokens); OpenAI, "Prompt caching", and Google, "Context caching" (implicit, from 1,024 tokens).
 *
 * @category rules
 * @since 0.1.0
 */
export const rules: { readonly [provider: string]: Rules } = {
  anthropic: { write: 1.25, read: 0.1, timeToLive: Duration.minutes(5), minimumTokens: 1_024, breakpoints: 4 },
  openai: { write: 1, read: 0.1, timeToLive: Duration.minutes(5), minimumTokens: 1_024, breakpoints: 0 },
  google: { write: 1, read: 0.1, timeToLive: Duration.minutes(5), minimumTokens: 1_024, breakpoints: 0 }
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
  /** How many segments, from the beginning, to have remembered; 0 for none. `now` in milliseconds, never falling. */
  readonly plan: (segments: ReadonlyArray<Segment>, now: number) => number
}

interface Seen {
  at: number
  turns: number
  /** Judgements on whether this beginning comes again, still open. */
  open: Array<{ readonly until: number; readonly situation: ReadonlyArray<string>; settled: boolean }>
}

/**
 * Makes a planner for one provider's rules.
 *
 * Of every prompt it notes whether its end, and the part seen before, come again within the time to live, by situation: how
 * many turns the conversation has had, how much is new, and how long ago the last turn was. Remembering a beginning costs
 * `write − 1` a token and saves `write − read` when it comes again (it would then be written anyway), so it pays when the
 * share that came again is above `(write − 1) / (write − read)`. Rare situations lean on more general ones.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makePlanner = (
  { read, timeToLive, write }: Rules,
  options: { readonly remembered?: number } = {}
): Planner => {
  const { remembered = 200_000 } = options
  const lifetime = Duration.toMillis(timeToLive)
  const worthwhile = (write - 1) / (write - read)
  const seen = new Map<string | number, Seen>()
  const shares = new Map<string, { came: number; total: number }>()
  const pending: Array<Seen["open"][number]> = []
  let settledUpTo = 0
  const settle = (situation: ReadonlyArray<string>, came: boolean) => {
    for (const level of situation) {
      const share = shares.get(level) ?? { came: 0, total: 0 }
      share.total++
      if (came) share.came++
      shares.set(level, share)
    }
  }
  const chance = (situation: ReadonlyArray<string>) => {
    let estimate = worthwhile
    for (const level of situation) {
      const share = shares.get(level)
      if (share !== undefined) estimate = (share.came + 5 * estimate) / (share.total + 5)
    }
    return estimate
  }
  const scale = (value: number) => Math.floor(Math.log2(value + 1))
  return {
    plan: (segments, now) => {
      while (settledUpTo < pending.length && pending[settledUpTo]!.until < now) {
        const judgement = pending[settledUpTo++]!
        if (!judgement.settled) {
          judgement.settled = true
          settle(judgement.situation, false)
        }
      }
      if (settledUpTo > 10_000) pending.splice(0, settledUpTo)
      if (settledUpTo > 10_000) settledUpTo = 0
      if (segments.length === 0) return 0

      let known = 0
      while (known < segments.length && seen.has(segments[known]!.hash)) known++
      const last = known === 0 ? undefined : seen.get(segments[known - 1]!.hash)
      let [total, fresh] = [0, 0]
      for (const [position, { tokens }] of segments.entries()) {
        total += tokens
        if (position >= known) fresh += tokens
      }
      // A beginning that nearly everybody shares, such as the system text, does not make a conversation.
      const turns = last === undefined || known <= 1 ? 0 : Math.min(4, last.turns)
      const elapsed = last === undefined ? lifetime * 8 : now - last.at
      const pace = [0.1, 0.4, 1, 2, 4].filter((part) => elapsed > part * lifetime).length
      const size = turns === 0 ? scale(total / 512) : Math.min(4, scale(fresh / 512))
      const situation = (of: string) => [
        of,
        `${of} ${turns}`,
        `${of} ${turns} ${size}`,
        `${of} ${turns} ${size} ${turns === 0 ? 0 : pace}`
      ]
      const [end, middle] = [situation("end"), situation("middle")]

      let marked = 0
      if (chance(end) > worthwhile) marked = segments.length
      else if (known > 0 && chance(middle) > worthwhile) marked = known

      for (let position = 0; position < segments.length; position++) {
        const { hash } = segments[position]!
        const entry = seen.get(hash)
        if (entry === undefined) {
          seen.set(hash, { at: now, turns: turns + 1, open: [] })
          continue
        }
        for (const judgement of entry.open) {
          if (judgement.settled) continue
          judgement.settled = true
          settle(judgement.situation, judgement.until >= now)
        }
        entry.open = []
        entry.at = now
        seen.delete(hash)
        seen.set(hash, entry)
      }
      for (const [position, levels] of [
        [segments.length - 1, end],
        [known - 1, middle]
      ] as const) {
        const entry = position < 1 ? undefined : seen.get(segments[position]!.hash)
        if (entry === undefined) continue
        const judgement = { until: now + lifetime, situation: levels, settled: false }
        entry.open.push(judgement)
        pending.push(judgement)
      }
      for (const oldest of seen.keys()) {
        if (seen.size <= remembered) break
        seen.delete(oldest)
      }
      return marked
    }
  }
}

/**
 * Plans prompt caching for each provider and tenant.
 *
 * @category services
 * @since 0.1.0
 */
export class PromptCachePlanner extends Context.Service<
  PromptCachePlanner,
  {
    /** The rules of a provider, or `undefined` where there is nothing to mark. */
    readonly rules: (provider: string) => Rules | undefined
    /** How many leading messages of the prompt to have remembered. */
    readonly plan: (provider: string, model: string, messages: ReadonlyArray<Segment>) => Effect.Effect<number>
  }
>()("@interlock/stages/PromptCachePlanner") {}

/**
 * Plans in this process, with the known rules and those given.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: { readonly rules?: { readonly [provider: string]: Rules } } = {}
): Layer.Layer<PromptCachePlanner, ConfigurationError> =>
  Layer.effect(
    PromptCachePlanner,
    Effect.gen(function* () {
      const all = { ...rules, ...options.rules }
      for (const [provider, { read, timeToLive, write }] of Object.entries(all)) {
        if (!(read >= 0 && read < write && write >= 1) || !(Duration.toMillis(timeToLive) > 0)) {
          return yield* invalid(
            `prompt cache rules of ${provider}`,
            `write ${write}, read ${read}`,
            "reading must cost less than writing, writing at least 1, for a time above 0",
            "take them from the provider's price list"
          )
        }
      }
      const planners = new Map<string, Planner>()
      return {
        rules: (provider) => (all[provider]?.breakpoints ? all[provider] : undefined),
        plan: (provider, model, messages) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const found = all[provider]
            if (found === undefined) return 0
            const name = `${provider}/${model}`
            let planner = planners.get(name)
            if (planner === undefined) {
              planner = makePlanner(found)
              planners.set(name, planner)
            }
            return planner.plan(messages, now)
          })
      }
    })
  )

/**
 * The stage: marks the last message of the beginning that is worth remembering, in the provider's own options. Prompts for
 * providers that find the beginning themselves, and marks that the caller has set, are left as they are.
 *
 * @category stages
 * @since 0.1.0
 */
export const cachePrompt = Stage.derive(
  "cachePrompt",
  { needs: { model: ChosenModel, prompt: SafePrompt }, adds: SafePrompt },
  Effect.fnUntraced(function* ({ model, prompt }) {
    const planner = yield* PromptCachePlanner
    const found = planner.rules(model.provider)
    if (found === undefined || prompt.content.some((message) => message.options?.[model.provider] !== undefined)) {
      return prompt
    }
    let hash = ""
    let tokens = 0
    const segments = prompt.content.map((message) => {
      hash = canonicalHash([hash, message])
      // Four characters a token: the plan needs magnitudes, not counts.
      const own = Math.ceil(Prompt.messageText(message).length / 4)
      tokens += own
      return { hash, tokens: own, upTo: tokens }
    })
    const marked = yield* planner.plan(model.provider, model.model, segments)
    if (marked === 0 || segments[marked - 1]!.upTo < found.minimumTokens) return prompt
    return {
      ...prompt,
      content: prompt.content.map((message, position) =>
        position === marked - 1
          ? { ...message, options: { ...message.options, [model.provider]: { cacheControl: { type: "ephemeral" } } } }
          : message
      )
    }
  })
)

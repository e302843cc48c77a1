/**
 * A rule says what is limited, how much of it, per what time, and for whom it is counted apart.
 *
 * @since 0.1.0
 */
import type { Identity } from "@interlock/model"
import { Context, Duration, Effect, Schema } from "effect"
import * as Store from "./store.ts"

/**
 * What buckets are kept apart by. `key` is the name of the API key under which the call came in (see `LimitKey`).
 *
 * @category models
 * @since 0.1.0
 */
export type Dimension = "tenant" | "subject" | "key" | "provider" | "model"

/**
 * The name of the API key under which the call came in (never the key itself), for limits `by: ["key"]`.
 *
 * @category references
 * @since 0.1.0
 */
export const LimitKey: Context.Reference<string | undefined> = Context.Reference("@interlock/stages/LimitKey", {
  defaultValue: (): string | undefined => undefined
})

/**
 * A time that begins and ends with the calendar (UTC): its count starts again from nothing, and unused room is lost.
 *
 * @category models
 * @since 0.1.0
 */
export type Calendar = "calendar hour" | "calendar day" | "calendar month"

/**
 * One limit.
 *
 * A limit per duration is a bucket that drains evenly: in any stretch of time `t` at most `burst + t × limit / per` pass. The
 * burst is the limit itself when left out, as with OpenAI and Anthropic; where no stretch of length `per` may ever exceed a
 * number, give `limit` and `burst` that together do not.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rule {
  /** Letters, digits and `-`; unique, and shown to callers whom it refuses. */
  readonly name: string
  /** `tokens` are those of prompt and answer together; `dollars` are US dollars by the catalogue's prices. */
  readonly counts: "requests" | "tokens" | "input-tokens" | "output-tokens" | "dollars" | "concurrent"
  readonly limit: number
  /** Left out for `concurrent`, and needed for all others. */
  readonly per?: Duration.Input | Calendar
  readonly burst?: number
  /** One bucket for each value of these; one for everybody when left out. */
  readonly by?: ReadonlyArray<Dimension>
  /** Applies to these values only. */
  readonly only?: { readonly [D in Dimension]?: ReadonlyArray<string> }
}

/**
 * A rule that cannot work, found when the layer is built: the message names the value, the rule and the cure.
 *
 * @category errors
 * @since 0.1.0
 */
export class LimitRuleError extends Schema.TaggedError<LimitRuleError>()("@interlock/stages/LimitRuleError", {
  rule: Schema.String,
  reason: Schema.Literals(["Empty", "Name", "Duplicate", "NotPositive", "NotWhole", "Period", "Priority"]),
  message: Schema.String
}) {}

/**
 * Who a call is counted for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  readonly caller: Identity
  readonly key?: string | undefined
  readonly provider: string
  readonly model: string
}

/**
 * How much of everything that rules count.
 *
 * @category models
 * @since 0.1.0
 */
export interface Amounts {
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly dollars: number
}

/**
 * A rule that was checked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checked {
  readonly rule: Rule
  /** Length of the period, for headers; absent for `concurrent`. */
  readonly seconds?: number
  readonly applies: (subject: Subject) => boolean
  readonly amount: (amounts: Amounts) => number
  readonly charge: (
    subject: Subject,
    amounts: Amounts,
    options: { readonly share: number; readonly now: number }
  ) => Store.Charge
}

/**
 * Checks the rules, or says which one cannot work.
 *
 * @category validation
 * @since 0.1.0
 */
export const check = Effect.fnUntraced(function* (
  rules: ReadonlyArray<Rule>
): Effect.fn.Return<ReadonlyArray<Checked>, LimitRuleError> {
  if (rules.length === 0) {
    return yield* new LimitRuleError({
      rule: "",
      reason: "Empty",
      message: "There are no limits: give one rule at least, or leave the stage out"
    })
  }
  const names = new Set<string>()
  const checked: Array<Checked> = []
  for (const rule of rules) {
    const { burst, counts, limit, name, per } = rule
    const wrong = (reason: LimitRuleError["reason"], message: string) =>
      new LimitRuleError({ rule: name, reason, message: `Limit "${name}": ${message}` })
    if (!/^[A-Za-z0-9-]{1,64}$/.test(name)) {
      return yield* wrong(
        "Name",
        "a name is 1 to 64 letters, digits and -, since it goes into headers and keys; rename it"
      )
    }
    if (names.has(name)) return yield* wrong("Duplicate", "two limits bear this name; give each its own")
    names.add(name)
    if (!(limit > 0 && Number.isFinite(limit))) {
      return yield* wrong(
        "NotPositive",
        `limit is ${limit}; it must be finite and above 0. To refuse a tenant, do not route it`
      )
    }
    if (burst !== undefined && !(burst > 0 && Number.isFinite(burst))) {
      return yield* wrong(
        "NotPositive",
        `burst is ${burst}; it must be finite and above 0, or left out for the limit itself`
      )
    }
    if (counts === "concurrent") {
      if (!Number.isInteger(limit)) return yield* wrong("NotWhole", `limit is ${limit}; places are whole numbers`)
      if (per !== undefined || burst !== undefined) {
        return yield* wrong("Period", "places have neither per nor burst; leave them out")
      }
      checked.push(concurrent(rule))
      continue
    }
    if (per === undefined) return yield* wrong("Period", `per is missing; say how long, as in per: "1 minute"`)
    if (isCalendar(per)) {
      if (burst !== undefined) return yield* wrong("Period", "a calendar period has no burst; leave it out")
      checked.push(calendar(rule, per))
      continue
    }
    const millis = Duration.toMillis(Duration.fromInputUnsafe(per))
    if (!(millis > 0 && Number.isFinite(millis))) {
      return yield* wrong("Period", `per is ${millis} ms; it must be finite and above 0`)
    }
    checked.push(rate(rule, millis))
  }
  return checked
})

const isCalendar = (per: Duration.Input | Calendar): per is Calendar =>
  typeof per === "string" && per.startsWith("calendar ")

/**
 * Whom or what a call is counted for, by one dimension.
 *
 * @category accessors
 * @since 0.1.0
 */
export const valueOf = (subject: Subject, dimension: Dimension): string => {
  switch (dimension) {
    case "tenant":
      return subject.caller.tenant
    case "subject":
      return subject.caller.subject ?? ""
    case "key":
      return subject.key ?? ""
    case "provider":
      return subject.provider
    case "model":
      return `${subject.provider}/${subject.model}`
  }
}

/**
 * How much of what a rule counts a call amounts to.
 *
 * @internal
 */
export const amountOf = (counts: Rule["counts"], amounts: Amounts): number => {
  switch (counts) {
    case "requests":
      return amounts.requests
    case "tokens":
      return amounts.inputTokens + amounts.outputTokens
    case "input-tokens":
      return amounts.inputTokens
    case "output-tokens":
      return amounts.outputTokens
    case "dollars":
      return amounts.dollars
    case "concurrent":
      return 1
  }
}

const base = ({ by = [], counts, name, only = {} }: Rule) => {
  const allowed = Object.entries(only) as ReadonlyArray<[Dimension, ReadonlyArray<string>]>
  return {
    key: (subject: Subject) =>
      [name, ...by.map((dimension) => encodeURIComponent(valueOf(subject, dimension)))].join(":"),
    applies: (subject: Subject) =>
      allowed.every(
        ([dimension, values]) =>
          values.includes(valueOf(subject, dimension)) || (dimension === "model" && values.includes(subject.model))
      ),
    amount: (amounts: Amounts): number => amountOf(counts, amounts)
  }
}

const rate = (rule: Rule, perMillis: number): Checked => {
  const { amount, applies, key } = base(rule)
  const burst = rule.burst ?? rule.limit
  return {
    rule,
    seconds: perMillis / 1000,
    applies,
    amount,
    charge: (subject, amounts, { share }) =>
      Store.rate({ key: key(subject), amount: amount(amounts), limit: rule.limit, perMillis, burst, share })
  }
}

const concurrent = (rule: Rule): Checked => {
  const { amount, applies, key } = base(rule)
  return {
    rule,
    applies,
    amount,
    charge: (subject, _, { share }) => Store.concurrent({ key: key(subject), limit: rule.limit, share })
  }
}

const calendar = (rule: Rule, per: Calendar): Checked => {
  const { amount, applies, key } = base(rule)
  return {
    rule,
    seconds: { "calendar hour": 3600, "calendar day": 86_400, "calendar month": 2_592_000 }[per],
    applies,
    amount,
    charge: (subject, amounts, { now, share }) =>
      Store.period({
        key: key(subject),
        amount: amount(amounts),
        limit: rule.limit,
        share,
        boundaries: boundariesOf(per, now)
      })
  }
}

/**
 * The starts of the last, this and the next two periods, in milliseconds since the epoch (UTC).
 *
 * @category accessors
 * @since 0.1.0
 */
export const boundariesOf = (per: Calendar, now: number): readonly [number, number, number, number] => {
  if (per === "calendar month") {
    const at = new Date(now)
    const start = (offset: number) => Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + offset)
    return [start(-1), start(0), start(1), start(2)]
  }
  const length = per === "calendar day" ? 86_400_000 : 3_600_000
  const start = Math.floor(now / length) * length
  return [start - length, start, start + length, start + 2 * length]
}

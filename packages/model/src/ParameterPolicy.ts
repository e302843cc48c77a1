/**
 * Adapts the parameters of a call to its model before the call is made: what the catalogue says the model refuses is a
 * typed error, unless a declared policy clamps or drops it. Every change is said.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Catalogue, ParameterPolicy } from "@interlock/model"
 *
 * const fitted = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.Catalogue
 *   const entry = yield* catalogue.get("mistral", "mistral-large-2512")
 *   return yield* ParameterPolicy.fit(entry, { temperature: 1.8, topK: 40 }, ParameterPolicy.clamp)
 * }).pipe(Effect.provide(Catalogue.layer))
 *
 * const { changes, settings } = Effect.runSync(fitted)
 * console.assert(settings.temperature === 1.5 && settings.topK === undefined && changes.length === 2)
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Result, Schema } from "effect"
import type { Entry, ParameterName, Rule } from "./Catalogue.ts"
import type { Settings } from "./Parameters.ts"

/**
 * What to do with a parameter that the model does not take as it is.
 *
 * `outOfRange` is for values outside the allowed range, `unsupported` for parameters that the model refuses whatever
 * their value, alone or beside another.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  readonly outOfRange: "reject" | "clamp" | "drop"
  readonly unsupported: "reject" | "drop"
}

/**
 * Anything the model does not take is an error. The default.
 *
 * @category policies
 * @since 0.1.0
 */
export const reject: Policy = { outOfRange: "reject", unsupported: "reject" }

/**
 * A value out of range becomes the nearest one allowed; an unsupported parameter is left out.
 *
 * @category policies
 * @since 0.1.0
 */
export const clamp: Policy = { outOfRange: "clamp", unsupported: "drop" }

/**
 * Whatever the model does not take is left out.
 *
 * @category policies
 * @since 0.1.0
 */
export const drop: Policy = { outOfRange: "drop", unsupported: "drop" }

/**
 * What was changed in the settings of a call, as plain JSON for the reply's metadata.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly parameter: ParameterName
  readonly action: "clamped" | "dropped"
  readonly from: string
  /** The new value; absent when the parameter was dropped. */
  readonly to?: string
  readonly allowed: string
}

/**
 * The settings that the model takes, and how they differ from those that were asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fitted {
  readonly settings: Settings
  readonly changes: ReadonlyArray<Change>
}

/**
 * The model does not take a parameter as it is.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidParameter extends Schema.TaggedError<InvalidParameter>()("InvalidParameter", {
  provider: Schema.String,
  model: Schema.String,
  parameter: Schema.String,
  value: Schema.String,
  allowed: Schema.String,
  reason: Schema.Literals(["OutOfRange", "Unsupported"])
}) {
  /** Names the model, the parameter, its value, what is allowed, and the cure. */
  override get message(): string {
    return `${this.provider}/${this.model} does not take ${this.parameter} = ${this.value}: allowed is ${this.allowed}. Change it, or let ParameterPolicy.clamp or ParameterPolicy.drop adapt it.`
  }
}

/**
 * The settings that the model takes: those asked for, with what it refuses rejected, clamped or dropped as the policy says.
 *
 * `room` bounds `maxOutputTokens` further: what the prompt leaves of the model's context, in tokens.
 *
 * @category fitting
 * @since 0.1.0
 */
export const fit = (
  entry: Entry,
  asked: Settings,
  policy: Policy = reject,
  room: number = Number.POSITIVE_INFINITY
): Effect.Effect<Fitted, InvalidParameter> => Effect.fromResult(fitResult(entry, asked, policy, room))

/** The effort comes first: what else is allowed may depend on it. */
const names: ReadonlyArray<ParameterName> = [
  "reasoningEffort",
  "temperature",
  "topP",
  "topK",
  "maxOutputTokens",
  "stop",
  "seed",
  "presencePenalty",
  "frequencyPenalty",
  "tools",
  "toolChoice",
  "responseFormat"
]

const fitResult = (
  entry: Entry,
  asked: Settings,
  policy: Policy,
  room: number
): Result.Result<Fitted, InvalidParameter> => {
  const settings: { -readonly [Name in keyof Settings]: Settings[Name] } = { ...asked }
  const changes: Array<Change> = []
  for (const parameter of names) {
    const value = settings[parameter]
    if (value === undefined || harmless(parameter, value)) continue
    const verdict = conflict(entry, parameter, settings) ?? judge(ruleOf(entry, parameter, room), value, settings)
    if (verdict === undefined) continue
    const from = show(value)
    const { allowed, nearest, reason } = verdict
    const action = reason === "Unsupported" ? policy.unsupported : policy.outOfRange
    if (action === "reject" || (action === "clamp" && nearest === undefined)) {
      const { model, provider } = entry
      return Result.fail(new InvalidParameter({ provider, model, parameter, value: from, allowed, reason }))
    }
    if (action === "clamp") {
      Object.assign(settings, { [parameter]: nearest })
      changes.push({ parameter, action: "clamped", from, to: show(nearest), allowed })
    } else {
      delete settings[parameter]
      changes.push({ parameter, action: "dropped", from, allowed })
    }
  }
  return Result.succeed({ settings: changes.length === 0 ? asked : settings, changes })
}

interface Verdict {
  readonly reason: "OutOfRange" | "Unsupported"
  readonly allowed: string
  /** The nearest value that is allowed, if there is one. */
  readonly nearest?: unknown
}

const unsupported = (allowed: string): Verdict => ({ reason: "Unsupported", allowed })

/** Values that ask for nothing: no tools, no choice among them, plain text. */
const harmless = (parameter: ParameterName, value: unknown): boolean =>
  (parameter === "tools" && Array.isArray(value) && value.length === 0) ||
  (parameter === "toolChoice" && value === "none") ||
  (parameter === "responseFormat" && (value as { readonly type: string }).type === "text")

/** The rule of a parameter, with what is left of the context where that is less than the model's own limit. */
const ruleOf = (entry: Entry, parameter: ParameterName, room: number): Rule => {
  const rule = entry.parameters[parameter]
  if (parameter !== "maxOutputTokens" || room === Number.POSITIVE_INFINITY || rule._tag === "Unsupported") return rule
  const maximum = Math.min(rule._tag === "Range" ? rule.maximum : Number.POSITIVE_INFINITY, room)
  return { _tag: "Range", minimum: 1, maximum, integer: true }
}

const judge = (rule: Rule, value: unknown, settings: Settings): Verdict | undefined => {
  switch (rule._tag) {
    case "Accepted":
      return undefined
    case "Unsupported":
      return unsupported("not to set it")
    case "Range": {
      const allowed = `${rule.integer === true ? "a whole number " : ""}from ${rule.minimum} to ${rule.maximum}`
      const effort = settings.reasoningEffort ?? (rule.orUnset === true ? rule.onlyAtEffort : undefined)
      if (rule.onlyAtEffort !== undefined && effort !== rule.onlyAtEffort) {
        return unsupported(`${allowed}, with reasoningEffort = ${rule.onlyAtEffort} only`)
      }
      if (typeof value !== "number" || Number.isNaN(value)) return { reason: "OutOfRange", allowed }
      const bounded = Math.min(rule.maximum, Math.max(rule.minimum, value))
      const nearest = rule.integer === true ? Math.trunc(bounded) : bounded
      return nearest === value ? undefined : { reason: "OutOfRange", allowed, nearest }
    }
    case "Count":
      return Array.isArray(value) && value.length <= rule.maximum
        ? undefined
        : {
            reason: "OutOfRange",
            allowed: `at most ${rule.maximum} of them`,
            ...(Array.isArray(value) ? { nearest: value.slice(0, rule.maximum) } : {})
          }
    case "Choice": {
      const word = String(value)
      if (rule.values.includes(word)) return undefined
      const nearest = nearestEffort(word, rule.values)
      return { reason: "OutOfRange", allowed: rule.values.join(", "), ...(nearest === undefined ? {} : { nearest }) }
    }
  }
}

/** A parameter that the model refuses beside another one that is set: the second of the pair goes. */
const conflict = (entry: Entry, parameter: ParameterName, settings: Settings): Verdict | undefined => {
  for (const [first, second] of entry.exclusive) {
    if (parameter === second && settings[first] !== undefined) return unsupported(`${first} or ${second}, not both`)
  }
  return undefined
}

const efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

/** The allowed effort that is nearest to the one asked for; of two, the smaller. */
const nearestEffort = (asked: string, allowed: ReadonlyArray<string>): string | undefined => {
  const at = efforts.indexOf(asked)
  if (at < 0) return undefined
  return [...allowed]
    .filter((effort) => efforts.includes(effort))
    .sort(
      (a, b) =>
        Math.abs(efforts.indexOf(a) - at) - Math.abs(efforts.indexOf(b) - at) || efforts.indexOf(a) - efforts.indexOf(b)
    )[0]
}

/** A value in an error or in metadata; of texts and tools only how many, because they may say what nobody should read. */
const show = (value: unknown): string => {
  if (Array.isArray(value)) return `${value.length} of them`
  if (typeof value === "object" && value !== null) return "type" in value ? String(value.type) : "a tool"
  return String(value)
}

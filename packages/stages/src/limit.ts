/**
 * `limit` holds every call to what was agreed: requests, tokens and dollars per time, and how many at once, per tenant, key,
 * model and for all together. It reserves an estimate before the call, over all limits in one decision, and settles with what
 * the call truly used. Put it as low as it goes, below `cache` and `retry`, so that hits cost nothing and every try counts.
 *
 * @since 0.1.0
 */
import { Reply, Stage } from "@interlock/core"
import {
  Caller,
  ChosenModel,
  Journal,
  ModelError,
  type ModelReference,
  Parameters,
  Part,
  SafePrompt
} from "@interlock/model"
import { Catalogue } from "@interlock/model/Catalogue"
import { Cause, Clock, Context, Duration, Effect, Exit, Layer, Metric, Option, Schema } from "effect"
import { fields, type Status } from "./limit/fields.ts"
import * as Meter from "./limit/meter.ts"
import { type Counted, type ProviderLimits, parse } from "./limit/providerLimits.ts"
import * as Rule from "./limit/rule.ts"
import * as Store from "./limit/store.ts"

export { fields, type Status } from "./limit/fields.ts"
export { type Calendar, type Dimension, LimitKey, LimitRuleError, type Rule } from "./limit/rule.ts"
export { LimitStore, layerMemory as layerStoreMemory } from "./limit/store.ts"

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * The limit has no room for this call now; `retryAfterMillis` says when it will, as far as anyone can say.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Exceeded extends Schema.TaggedClass<Exceeded>()("Exceeded", {
  rule: Schema.String,
  retryAfterMillis: Schema.Number
}) {}

/**
 * This call is larger than the limit will ever allow.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NeverFits extends Schema.TaggedClass<NeverFits>()("NeverFits", {
  rule: Schema.String,
  asked: Schema.Number,
  limit: Schema.Number
}) {}

/**
 * The provider asked everybody to wait.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Paused extends Schema.TaggedClass<Paused>()("Paused", { retryAfterMillis: Schema.Number }) {}

/**
 * The store did not decide, and the policy is `"closed"`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class StoreFailed extends Schema.TaggedClass<StoreFailed>()("StoreFailed", {
  reason: Schema.Literals(["Unavailable", "Timeout", "Rejected"])
}) {}

/**
 * A limit counts dollars, and this model has no known price.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Unpriced extends Schema.TaggedClass<Unpriced>()("Unpriced", { rule: Schema.String }) {}

/**
 * The call was refused before it was made.
 *
 * @category errors
 * @since 0.1.0
 */
export class LimitError extends Schema.TaggedError<LimitError>()("LimitError", {
  provider: Schema.String,
  model: Schema.String,
  reason: Schema.Union([Exceeded, NeverFits, Paused, StoreFailed, Unpriced]),
  message: Schema.String,
  /** Where the caller stands with each limit. */
  limits: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      limit: Schema.Number,
      remaining: Schema.Number,
      resetMillis: Schema.Number,
      seconds: Schema.optionalKey(Schema.Number)
    })
  )
}) {}

/**
 * How long to wait before the same call may pass, in milliseconds; `undefined` where waiting does not help.
 *
 * @category accessors
 * @since 0.1.0
 */
export const retryAfterMillis = ({ reason }: LimitError): number | undefined =>
  reason._tag === "Exceeded" || reason._tag === "Paused" ? reason.retryAfterMillis : undefined

/**
 * The header fields of an answer that refuses a call: `RateLimit-Policy`, `RateLimit` and `Retry-After`.
 *
 * @category rendering
 * @since 0.1.0
 */
export const refusalFields = (error: LimitError): { readonly [name: string]: string } =>
  fields(error.limits, retryAfterMillis(error))

// ---------------------------------------------------------------------------------------------------------------
// What a caller may say
// ---------------------------------------------------------------------------------------------------------------

/**
 * How much a call matters where load is shed.
 *
 * @category references
 * @since 0.1.0
 */
export type Priority = "high" | "normal" | "low"

/**
 * The priority of the call in flight; `"normal"` when nobody says.
 *
 * @category references
 * @since 0.1.0
 */
export const LimitPriority: Context.Reference<Priority> = Context.Reference("@interlock/stages/LimitPriority", {
  defaultValue: (): Priority => "normal"
})

// ---------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------

/**
 * A call that wants to pass. `dollars` is `undefined` where the price is not known.
 *
 * @category models
 * @since 0.1.0
 */
export interface Asked extends Rule.Subject {
  readonly amounts: Omit<Rule.Amounts, "dollars"> & { readonly dollars: number | undefined }
  readonly priority: Priority
}

/**
 * A call that may pass. Settle it, however it ends: what is not settled stays charged, and its place taken. Only the first
 * settlement counts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Permit {
  readonly limits: ReadonlyArray<Status>
  readonly waitedMillis: number
  readonly settle: (used: Rule.Amounts) => Effect.Effect<void>
}

/**
 * Lets calls pass as the limits allow, and learns from the provider what it will take.
 *
 * @category services
 * @since 0.1.0
 */
export class Limiter extends Context.Service<
  Limiter,
  {
    /** `granted` is told of the permit before this returns, so that an interrupt at that moment can still give it back. */
    readonly reserve: (asked: Asked, granted?: (permit: Permit) => void) => Effect.Effect<Permit, LimitError>
    /** The provider refused for lack of room (429, 529): nobody calls this model for so long, or for longer each time. */
    readonly pause: (model: ModelReference, millis: number | undefined) => Effect.Effect<void>
    /** The provider answered, and said where its own limits stand. */
    readonly learn: (model: ModelReference, said: ProviderLimits) => Effect.Effect<void>
    readonly counting: Meter.Counting
    readonly expectedOutputTokens: number
  }
>()("@interlock/stages/Limiter") {}

/**
 * The limits and what happens at them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly limits: ReadonlyArray<Rule.Rule>
  /**
   * `"refuse"` (when left out): fail with `retryAfterMillis`. `{ wait }`: wait up to so long, served in
   * the order of asking by rates, and by places as they come free.
   * `"shed"`: refuse, and let calls of lower priority fill each limit only in part, so that room is left for the others.
   */
  readonly whenExceeded?: "refuse" | "shed" | { readonly wait: Duration.Input }
  /** Of each limit, how much calls of a priority may fill when load is shed; `{ high: 1, normal: 0.9, low: 0.5 }`. */
  readonly shares?: { readonly [P in Priority]?: number }
  /** When the store does not decide: `"closed"` (when left out) refuses the call, `"open"` makes it uncounted. */
  readonly whenStoreFails?: "closed" | "open"
  /** Tokens to reserve for an answer that no `maxOutputTokens` bounds; 1,024. */
  readonly expectedOutputTokens?: number
  readonly counting?: Meter.Counting
  /** Whether to hold back as the provider's headers, 429 and 529 say; `true`. */
  readonly learnFromProvider?: boolean
}

const refusals = Metric.counter("interlock_limit_refusals_total", { incremental: true })
const storeFailures = Metric.counter("interlock_limit_store_failures_total", { incremental: true })

/**
 * Checks the limits and counts them in the `LimitStore`: in memory with `layerStoreMemory`, or on Redis.
 *
 * ```ts
 * import { layer, layerStoreMemory } from "@interlock/stages/limit"
 * import { Layer } from "effect"
 *
 * export const limits = layer({
 *   limits: [
 *     { name: "requests", counts: "requests", limit: 60, per: "1 minute", by: ["tenant"] },
 *     { name: "tokens", counts: "tokens", limit: 200_000, per: "1 minute", by: ["tenant", "model"] },
 *     { name: "at-once", counts: "concurrent", limit: 32 },
 *     { name: "trial-money", counts: "dollars", limit: 5, per: "calendar day", by: ["tenant"], only: { tenant: ["trial"] } }
 *   ],
 *   whenExceeded: { wait: "2 seconds" }
 * }).pipe(Layer.provide(layerStoreMemory))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Limiter, Rule.LimitRuleError, Store.LimitStore> =>
  Layer.effect(Limiter, make(options))

const make = Effect.fnUntraced(function* (options: Options) {
  const store = yield* Store.LimitStore
  const rules = yield* Rule.check(options.limits)
  const whenExceeded = options.whenExceeded ?? "refuse"
  const closed = options.whenStoreFails !== "open"
  const learns = options.learnFromProvider !== false
  const bound = typeof whenExceeded === "string" ? 0 : Duration.toMillis(Duration.fromInputUnsafe(whenExceeded.wait))
  const shares = { high: 1, normal: 0.9, low: 0.5, ...options.shares }
  const setting = (reason: Rule.LimitRuleError["reason"], message: string) =>
    new Rule.LimitRuleError({ rule: "", reason, message })
  if (!(bound >= 0 && Number.isFinite(bound))) {
    return yield* setting(
      "Period",
      `whenExceeded.wait is ${bound} ms; it must be finite, so that nobody waits for ever`
    )
  }
  for (const [priority, share] of Object.entries(shares)) {
    if (!(share > 0 && share <= 1)) {
      return yield* setting("Priority", `The share of ${priority} is ${share}; it must be above 0 and at most 1`)
    }
  }
  const expectedOutputTokens = options.expectedOutputTokens ?? 1024
  if (!(expectedOutputTokens > 0 && Number.isFinite(expectedOutputTokens))) {
    return yield* setting(
      "NotPositive",
      `expectedOutputTokens is ${expectedOutputTokens}; it must be finite and above 0`
    )
  }

  // What each provider said of its limits, which then count like the others; and how often in a row it refused.
  const learnt = new Map<string, Map<Counted, number>>()
  const refused = new Map<string, number>()
  const nameOf = ({ model, provider }: ModelReference) => `${provider}/${model}`
  const ownKey = (model: ModelReference, counted: Counted) => `provider:${counted}:${nameOf(model)}`
  const ownRate = (model: ModelReference, counted: Counted, limit: number, amount: number) =>
    Store.rate({ key: ownKey(model, counted), amount: Math.min(amount, limit), limit, perMillis: 60_000 })

  interface Line {
    readonly charge: Store.Charge
    readonly amount: (amounts: Rule.Amounts) => number
    readonly rule?: Rule.Checked
  }
  const linesOf = (asked: Asked, now: number): ReadonlyArray<Line> | Rule.Rule => {
    const amounts = { ...asked.amounts, dollars: asked.amounts.dollars ?? 0 }
    const share = whenExceeded === "shed" ? shares[asked.priority] : 1
    const lines: Array<Line> = []
    for (const rule of rules) {
      if (!rule.applies(asked)) continue
      if (rule.rule.counts === "dollars" && asked.amounts.dollars === undefined) return rule.rule
      lines.push({ charge: rule.charge(asked, amounts, { share, now }), amount: rule.amount, rule })
    }
    if (learns) {
      lines.push({ charge: Store.pause(`provider:pause:${nameOf(asked)}`), amount: () => 0 })
      for (const [counted, limit] of learnt.get(nameOf(asked)) ?? []) {
        const amount = (of: Rule.Amounts) => Math.min(limit, Rule.amountOf(counted, of))
        lines.push({ charge: ownRate(asked, counted, limit, amount(amounts)), amount })
      }
    }
    return lines
  }

  const quietly = (effect: Effect.Effect<void, Store.LimitStoreError>): Effect.Effect<void> =>
    Effect.catch(effect, (error) =>
      Effect.andThen(
        Metric.update(storeFailures, 1),
        Journal.record({
          _tag: "Fact",
          stage: "limit",
          name: "storeFailed",
          attributes: { reason: error.reason, gaveNothingBack: true }
        })
      )
    )

  const uncounted: Permit = { limits: [], waitedMillis: 0, settle: () => Effect.void }

  const reserve = (asked: Asked, granted: (permit: Permit) => void = () => {}): Effect.Effect<Permit, LimitError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const clock = yield* Clock.Clock
        const started = clock.currentTimeMillisUnsafe()
        const fail = (reason: LimitError["reason"], message: string, limits: ReadonlyArray<Status> = []) =>
          Effect.andThen(
            Effect.andThen(
              Metric.update(refusals, 1),
              Journal.record({ _tag: "Refusal", stage: "limit", reason: reason._tag })
            ),
            Effect.fail(
              new LimitError({ provider: asked.provider, model: asked.model, reason, message, limits: [...limits] })
            )
          )
        let poll = 10
        while (true) {
          const now = clock.currentTimeMillisUnsafe()
          const lines = linesOf(asked, now)
          if (!isLines(lines)) {
            return yield* fail(
              new Unpriced({ rule: lines.name }),
              `Limit "${lines.name}" counts dollars and ${nameOf(asked)} has no known price: declare it with Catalogue.layerWith`
            )
          }
          if (lines.length === 0) return uncounted
          const charges = lines.map(({ charge }) => charge)
          const left = Math.max(0, started + bound - now)
          const answer = yield* Effect.result(store.reserve(charges, { maxWaitMillis: left }))
          if (answer._tag === "Failure") {
            yield* Metric.update(storeFailures, 1)
            const { reason } = answer.failure
            if (closed) {
              return yield* fail(
                new StoreFailed({ reason }),
                `The limits could not be checked, and whenStoreFails is "closed": ${answer.failure.message}`
              )
            }
            yield* Journal.record({
              _tag: "Fact",
              stage: "limit",
              name: "storeFailed",
              attributes: { reason, open: true }
            })
            return uncounted
          }
          const decision = answer.success
          const limits = statusesOf(lines, decision.levels, now)
          if (decision._tag === "Allowed") {
            let settled = false
            const settle = (used: Rule.Amounts) =>
              Effect.suspend(() => {
                if (settled) return Effect.void
                settled = true
                const amounts = lines.map(({ amount }) => amount(used))
                return quietly(store.settle(decision.reservation, amounts))
              })
            if (decision.waitMillis > 0) {
              yield* Effect.onExit(restore(Effect.sleep(decision.waitMillis)), (exit) =>
                Exit.isFailure(exit) ? settle(nothing) : Effect.void
              )
            }
            const permit = { limits, waitedMillis: clock.currentTimeMillisUnsafe() - started, settle }
            granted(permit)
            return permit
          }
          const { retryAfterMillis } = decision
          const { charge, rule } = lines[decision.index]!
          const who = rule?.rule.name ?? "provider"
          if (charge._tag !== "Pause" && retryAfterMillis === Number.POSITIVE_INFINITY) {
            const limit = ceilingOf(charge)
            return yield* fail(
              new NeverFits({ rule: who, asked: charge.amount, limit }),
              `Limit "${who}" lets at most ${limit} ${rule?.rule.counts} of such a call pass at once, and it needs ${charge.amount}: shorten the prompt, lower maxOutputTokens, or raise the limit or its burst`,
              limits
            )
          }
          const sleep = retryAfterMillis === 0 ? poll : retryAfterMillis
          if (sleep > left) {
            const retry = Number.isFinite(sleep) ? sleep : 1000
            return yield* charge._tag === "Pause"
              ? fail(
                  new Paused({ retryAfterMillis: retry }),
                  `${nameOf(asked)} asked everybody to wait: try again in ${retry} ms, or route to another model`,
                  limits
                )
              : fail(
                  new Exceeded({ rule: who, retryAfterMillis: retry }),
                  `Limit "${who}" has no room for this call: try again in ${retry} ms`,
                  limits
                )
          }
          poll = Math.min(250, poll * 2)
          yield* restore(Effect.sleep(sleep))
        }
      })
    )

  return Limiter.of({
    counting: options.counting ?? "ratio",
    expectedOutputTokens,
    reserve,
    pause: (model, millis) =>
      !learns
        ? Effect.void
        : Effect.suspend(() => {
            const name = nameOf(model)
            const times = refused.get(name) ?? 0
            refused.set(name, Math.min(6, times + 1))
            const length = millis ?? Math.min(60_000, 1000 * 2 ** times)
            return quietly(store.observe([{ _tag: "Pause", key: `provider:pause:${name}`, millis: length }]))
          }),
    learn: (model, said) =>
      !learns
        ? Effect.void
        : Effect.suspend(() => {
            const name = nameOf(model)
            refused.delete(name)
            const limits = Object.entries(said.limits) as ReadonlyArray<
              [Counted, NonNullable<ProviderLimits["limits"][Counted]>]
            >
            if (limits.length === 0) return Effect.void
            const known = learnt.get(name) ?? new Map<Counted, number>()
            learnt.set(name, known)
            const seen: Array<Store.Observation> = []
            for (const [counted, { limit, remaining }] of limits) {
              known.set(counted, limit)
              const millis = ((limit - remaining) * 60_000) / limit
              if (millis > 0) seen.push({ _tag: "AtLeast", key: ownKey(model, counted), millis })
            }
            return quietly(store.observe(seen))
          })
  })
})

const nothing: Rule.Amounts = { requests: 0, inputTokens: 0, outputTokens: 0, dollars: 0 }

const isLines = <L>(lines: ReadonlyArray<L> | Rule.Rule): lines is ReadonlyArray<L> => Array.isArray(lines)

/** The most that a call of its priority could ever be charged at once. */
const ceilingOf = (charge: Exclude<Store.Charge, { readonly _tag: "Pause" }>): number =>
  charge._tag === "Rate" ? Number((charge.ceiling / charge.unit).toPrecision(9)) : charge.ceiling

const statusesOf = (
  lines: ReadonlyArray<{ readonly charge: Store.Charge; readonly rule?: Rule.Checked }>,
  levels: ReadonlyArray<number>,
  now: number
): ReadonlyArray<Status> => {
  const statuses: Array<Status> = []
  for (let index = 0; index < lines.length; index++) {
    const { charge, rule } = lines[index]!
    if (rule === undefined || charge._tag === "Pause") continue
    const level = levels[index]!
    const seconds = rule.seconds === undefined ? {} : { seconds: rule.seconds }
    const { limit, name } = rule.rule
    if (charge._tag === "Rate") {
      const remaining = Math.max(0, Math.floor((charge.capacity - level) / charge.unit))
      statuses.push({ name, limit, remaining, resetMillis: Math.ceil(level / 1000), ...seconds })
    } else {
      const resetMillis =
        charge._tag === "Concurrent" ? 0 : (charge.boundaries.find((boundary) => boundary > now) ?? now) - now
      statuses.push({ name, limit, remaining: Math.max(0, charge.capacity - level), resetMillis, ...seconds })
    }
  }
  return statuses
}

// ---------------------------------------------------------------------------------------------------------------
// The stage
// ---------------------------------------------------------------------------------------------------------------

/**
 * Reserves what the call will use, makes it, and settles with what it used. The finish part says where the caller stands
 * (`metadata.interlock.limits`). A live reply holds its place until its last part, or until its caller leaves.
 *
 * @category stages
 * @since 0.1.0
 */
export const limit = Stage.around<{ in: Part.Part }>()(
  "limit",
  { needs: { caller: Caller, model: ChosenModel, prompt: SafePrompt, parameters: Parameters } },
  Effect.fnUntraced(function* ({ caller, model, parameters, prompt }, next) {
    const limiter = yield* Limiter
    const catalogue = yield* Catalogue
    const clock = yield* Clock.Clock
    const entry = catalogue.find(model.provider, model.model)
    const at = clock.currentTimeMillisUnsafe()
    const amounts = yield* Meter.estimate(entry, { prompt, parameters, at }, limiter)
    const asked: Asked = {
      caller,
      key: yield* Rule.LimitKey,
      provider: model.provider,
      model: model.model,
      amounts,
      priority: yield* LimitPriority
    }
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        let held: Permit | undefined
        const reserve = limiter.reserve(asked, (permit) => {
          held = permit
        })
        const permit = yield* Effect.onInterrupt(restore(reserve), () => held?.settle(nothing) ?? Effect.void)
        const meter = Meter.watch(entry, { ...amounts, dollars: amounts.dollars ?? 0 }, at)
        const settle = (exit: Exit.Exit<unknown, unknown>) =>
          Effect.andThen(
            permit.settle(meter.used(exit)),
            Exit.isFailure(exit) ? backOff(limiter, model, exit) : Effect.void
          )
        const reply = yield* Effect.onError(restore(next()), (cause) => settle(Exit.failCause(cause)))
        let provider: ProviderLimits = { limits: {} }
        const watched = Reply.map(reply, (part) => {
          meter.see(part)
          const { providerLimits, ...said } = Part.interlock(part)
          if (isHeaders(providerLimits)) provider = parse(providerLimits, clock.currentTimeMillisUnsafe())
          if (part.type !== "finish") return part
          // What the provider said is used up here: it must not be cached, nor reach the caller.
          const { interlock: _, ...metadata } = part.metadata ?? {}
          return Part.annotate({ ...part, metadata }, { ...said, limits: permit.limits })
        })
        return yield* Reply.onExit(watched, (exit) =>
          Effect.andThen(settle(exit), Exit.isSuccess(exit) ? limiter.learn(model, provider) : Effect.void)
        )
      })
    )
  })
)

const isHeaders = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null

const backOff = (
  limiter: Limiter["Service"],
  model: ModelReference,
  exit: Exit.Failure<unknown, unknown>
): Effect.Effect<void> => {
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (!(error instanceof ModelError.ModelError)) return Effect.void
  const { reason } = error
  return reason._tag === "RateLimited" ||
    (reason._tag === "Overloaded" && (reason.status === 529 || reason.retryAfterMs !== undefined))
    ? limiter.pause(model, reason.retryAfterMs)
    : Effect.void
}

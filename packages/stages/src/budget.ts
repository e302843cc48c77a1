/**
 * `budget` holds spending to an amount per hour, day or month, per tenant, model or for all together. At the soft limit it
 * alerts, at the hard limit it refuses; a live answer that crosses the hard limit is ended in good order with what has arrived.
 *
 * It counts in the `LimitStore`, so processes that share the store share the budget. Put it below `cache` and above `retry`, `fallback`
 * and `hedge`: each of their extra tries is paid for as a call of its own, and not made where there is no money for it.
 *
 * @since 0.1.0
 */
import { Reply, Stage } from "@interlock/core"
import { Caller, ChosenModel, Journal, type ModelReference, Parameters, Part, SafePrompt } from "@interlock/model"
import { Catalogue } from "@interlock/model/Catalogue"
import * as Cost from "@interlock/model/Cost"
import { Clock, Context, Effect, Exit, Layer, Option, Schema, Stream } from "effect"
import * as Meter from "./limit/meter.ts"
import * as Rule from "./limit/rule.ts"
import * as Store from "./limit/store.ts"
import { type ExtraTry, TryPayer } from "./retry.ts"

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * The budget is spent; it begins anew after `retryAfterMillis`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Exhausted extends Schema.TaggedClass<Exhausted>()("Exhausted", {
  budget: Schema.String,
  retryAfterMillis: Schema.Number
}) {}

/**
 * This call alone could cost more than the whole budget.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TooExpensive extends Schema.TaggedClass<TooExpensive>()("TooExpensive", {
  budget: Schema.String,
  askedUsd: Schema.Number,
  limitUsd: Schema.Number
}) {}

/**
 * The model has no known price, so nobody can say what the call would cost.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NoPrice extends Schema.TaggedClass<NoPrice>()("NoPrice", { budget: Schema.String }) {}

/**
 * The store did not decide, and the policy is `"closed"`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NotCounted extends Schema.TaggedClass<NotCounted>()("NotCounted", {
  reason: Schema.Literals(["Unavailable", "Timeout", "Rejected"])
}) {}

/**
 * The call was refused before it was made, since there is no money for it.
 *
 * @category errors
 * @since 0.1.0
 */
export class BudgetError extends Schema.TaggedError<BudgetError>()("BudgetError", {
  provider: Schema.String,
  model: Schema.String,
  reason: Schema.Union([Exhausted, TooExpensive, NoPrice, NotCounted]),
  message: Schema.String
}) {}

// ---------------------------------------------------------------------------------------------------------------
// Alerts
// ---------------------------------------------------------------------------------------------------------------

/**
 * A budget has reached its soft or its hard limit.
 *
 * @category alerts
 * @since 0.1.0
 */
export interface Alert {
  readonly budget: string
  readonly level: "soft" | "hard"
  /** Whose it is: the values of the budget's `by`. */
  readonly of: { readonly [D in Rule.Dimension]?: string }
  /** Spent and reserved in this period. */
  readonly spentUsd: number
  readonly limitUsd: number
}

/**
 * Who is told of alerts: once for each level, bucket and period by each process. Logs a warning where nobody else is named.
 *
 * @category alerts
 * @since 0.1.0
 */
export const BudgetAlerts: Context.Reference<(alert: Alert) => Effect.Effect<void>> = Context.Reference(
  "@interlock/stages/BudgetAlerts",
  {
    defaultValue: () => (alert: Alert) =>
      Effect.logWarning(
        `Budget "${alert.budget}" has reached its ${alert.level} limit: ${alert.spentUsd.toFixed(2)} of ${alert.limitUsd} US dollars`
      )
  }
)

// ---------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------

/**
 * An amount of money for a time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Plan {
  /** Letters, digits and `-`; unique. */
  readonly name: string
  /** US dollars that are never passed by what is reserved. */
  readonly hard: number
  /** US dollars at which to alert; 80 % of `hard`. */
  readonly soft?: number
  readonly per: Rule.Calendar
  readonly by?: ReadonlyArray<Rule.Dimension>
  readonly only?: Rule.Rule["only"]
}

/**
 * Where a budget stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface Standing {
  readonly name: string
  readonly limitUsd: number
  readonly remainingUsd: number
  readonly overSoft: boolean
}

/**
 * Money set aside for one call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Purse {
  readonly standings: ReadonlyArray<Standing>
  /** What the call may cost so far. */
  readonly coveredUsd: () => number
  /** Sets more aside; answers the name of the budget that has no more, or `undefined`. */
  readonly extend: (usd: number) => Effect.Effect<string | undefined>
  /** Replaces what was set aside by what was spent. */
  readonly settle: (usd: number) => Effect.Effect<void>
}

/**
 * Sets money aside for calls.
 *
 * @category services
 * @since 0.1.0
 */
export class Budget extends Context.Service<
  Budget,
  {
    readonly open: (
      subject: Rule.Subject,
      usd: number | undefined,
      granted?: (purse: Purse) => void
    ) => Effect.Effect<Purse, BudgetError>
    readonly counting: Meter.Counting
    readonly expectedOutputTokens: number
  }
>()("@interlock/stages/Budget") {}

/**
 * The budgets, and what happens when they cannot be counted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly budgets: ReadonlyArray<Plan>
  /** When the store does not decide: `"closed"` (when left out) refuses the call, `"open"` makes it uncounted. */
  readonly whenStoreFails?: "closed" | "open"
  /** Tokens to set aside for an answer that no `maxOutputTokens` bounds; 1,024. */
  readonly expectedOutputTokens?: number
  readonly counting?: Meter.Counting
}

/**
 * Checks the budgets and counts them in the `LimitStore`.
 *
 * ```ts
 * import { layer } from "@interlock/stages/budget"
 * import { layerMemory } from "@interlock/stages/limit/store"
 * import { Layer } from "effect"
 *
 * export const money = layer({
 *   budgets: [
 *     { name: "tenant-day", hard: 20, per: "calendar day", by: ["tenant"] },
 *     { name: "company-month", hard: 5000, soft: 3500, per: "calendar month" }
 *   ]
 * }).pipe(Layer.provide(layerMemory))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Budget, Rule.LimitRuleError, Store.LimitStore> =>
  Layer.effect(Budget, make(options))

const make = Effect.fnUntraced(function* (options: Options) {
  const store = yield* Store.LimitStore
  const closed = options.whenStoreFails !== "open"
  const rules = yield* Rule.check(
    options.budgets.map(({ by, hard, name, only, per }) => ({
      name,
      counts: "dollars" as const,
      limit: hard,
      per,
      ...(by === undefined ? {} : { by }),
      ...(only === undefined ? {} : { only })
    }))
  )
  for (const { hard, name, soft } of options.budgets) {
    if (soft !== undefined && !(soft > 0 && soft <= hard)) {
      return yield* new Rule.LimitRuleError({
        rule: name,
        reason: "NotPositive",
        message: `Budget "${name}": soft is ${soft}; it must be above 0 and at most hard (${hard})`
      })
    }
  }
  const plans = rules.map((rule, index) => {
    const plan = options.budgets[index]!
    return { plan, rule, soft: plan.soft ?? 0.8 * plan.hard }
  })

  const alerted = new Map<string, number>()
  const alert = (
    level: "soft" | "hard",
    { plan }: (typeof plans)[number],
    charge: Store.Charge,
    subject: Rule.Subject,
    spentUsd: number,
    now: number
  ): Effect.Effect<void> =>
    Effect.suspend(() => {
      const key = `${level}:${charge.key}`
      const period = charge._tag === "Period" ? charge.boundaries[1] : 0
      if (alerted.get(key) === period) return Effect.void
      if (alerted.size > 10_000) {
        for (const [other, at] of alerted) if (at < now - 32 * 86_400_000) alerted.delete(other)
      }
      alerted.set(key, period)
      const of = Object.fromEntries((plan.by ?? []).map((dimension) => [dimension, Rule.valueOf(subject, dimension)]))
      return Effect.flatMap(BudgetAlerts, (tell) =>
        tell({ budget: plan.name, level, of, spentUsd, limitUsd: plan.hard })
      )
    })

  const uncounted: Purse = {
    standings: [],
    coveredUsd: () => Number.POSITIVE_INFINITY,
    extend: () => Effect.undefined,
    settle: () => Effect.void
  }
  const journalled = (attributes: { readonly [key: string]: string | number | boolean }) =>
    Journal.record({ _tag: "Fact", stage: "budget", name: "storeFailed", attributes })

  const open = (
    subject: Rule.Subject,
    usd: number | undefined,
    granted: (purse: Purse) => void = () => {}
  ): Effect.Effect<Purse, BudgetError> =>
    Effect.uninterruptible(
      Effect.gen(function* () {
        const applying = plans.filter(({ rule }) => rule.applies(subject))
        if (applying.length === 0) return uncounted
        const fail = (reason: BudgetError["reason"], message: string) =>
          Effect.andThen(
            Journal.record({ _tag: "Refusal", stage: "budget", reason: reason._tag }),
            Effect.fail(new BudgetError({ provider: subject.provider, model: subject.model, reason, message }))
          )
        if (usd === undefined) {
          const budget = applying[0]!.plan.name
          return yield* fail(
            new NoPrice({ budget }),
            `Budget "${budget}" covers ${subject.provider}/${subject.model}, which has no known price: declare it with Catalogue.layerWith`
          )
        }
        const clock = yield* Clock.Clock
        const chargesFor = (dollars: number) =>
          applying.map(({ rule }) => {
            const now = clock.currentTimeMillisUnsafe()
            const amounts = { requests: 0, inputTokens: 0, outputTokens: 0, dollars }
            const charge = rule.charge(subject, amounts, { share: 1, now })
            return { ...charge, key: `budget:${charge.key}` }
          })
        const charges = chargesFor(usd)
        const answer = yield* Effect.result(store.reserve(charges))
        if (answer._tag === "Failure") {
          const { message, reason } = answer.failure
          if (closed) {
            return yield* fail(
              new NotCounted({ reason }),
              `The budgets could not be checked, and whenStoreFails is "closed": ${message}`
            )
          }
          yield* journalled({ reason, open: true })
          return uncounted
        }
        const decision = answer.success
        const now = clock.currentTimeMillisUnsafe()
        if (decision._tag === "Refused") {
          const each = applying[decision.index]!
          const { hard, name } = each.plan
          if (usd > hard) {
            return yield* fail(
              new TooExpensive({ budget: name, askedUsd: usd, limitUsd: hard }),
              `Budget "${name}" is ${hard} US dollars and the call could cost ${usd}: lower maxOutputTokens, or take a cheaper model`
            )
          }
          yield* alert("hard", each, charges[decision.index]!, subject, decision.levels[decision.index]!, now)
          return yield* fail(
            new Exhausted({ budget: name, retryAfterMillis: decision.retryAfterMillis }),
            `Budget "${name}" has no room for this call: it begins anew in ${Math.ceil(decision.retryAfterMillis / 1000)} s, or raise it`
          )
        }
        const softAlerts = (levels: ReadonlyArray<number>, now: number) =>
          Effect.forEach(
            applying,
            (each, index) =>
              levels[index]! >= each.soft
                ? alert("soft", each, charges[index]!, subject, levels[index]!, now)
                : Effect.void,
            { discard: true }
          )
        const standings = applying.map(({ plan: { hard, name }, soft }, index): Standing => {
          const spent = decision.levels[index]!
          return { name, limitUsd: hard, remainingUsd: Math.max(0, hard - spent), overSoft: spent >= soft }
        })
        yield* softAlerts(decision.levels, now)

        let covered = usd
        const parts: Array<{ readonly usd: number; readonly reservation: Store.Reservation }> = [
          { usd, reservation: decision.reservation }
        ]
        const purse: Purse = {
          standings,
          coveredUsd: () => covered,
          extend: (more) =>
            Effect.uninterruptible(
              Effect.gen(function* () {
                const wanted = chargesFor(more)
                const extended = yield* Effect.result(store.reserve(wanted))
                if (extended._tag === "Failure") {
                  yield* journalled({ reason: extended.failure.reason, open: !closed })
                  if (closed) return applying[0]!.plan.name
                  covered = Number.POSITIVE_INFINITY
                  return undefined
                }
                const { success } = extended
                const now = clock.currentTimeMillisUnsafe()
                if (success._tag === "Allowed") {
                  covered += more
                  parts.push({ usd: more, reservation: success.reservation })
                  yield* softAlerts(success.levels, now)
                  return undefined
                }
                const each = applying[success.index]!
                yield* alert("hard", each, wanted[success.index]!, subject, success.levels[success.index]!, now)
                return each.plan.name
              })
            ),
          settle: (spent) =>
            Effect.suspend(() => {
              // Later parts are filled first; the first one takes the rest, be it less or more than was set aside.
              let left = spent
              const settlements = parts.splice(0).reverse()
              return Effect.forEach(
                settlements,
                (part, index) => {
                  const used = index === settlements.length - 1 ? left : Math.min(left, part.usd)
                  left -= used
                  return store.settle(
                    part.reservation,
                    part.reservation.charges.map(() => used)
                  )
                },
                { discard: true }
              )
            }).pipe(Effect.catch((error) => journalled({ reason: error.reason, gaveNothingBack: true })))
        }
        granted(purse)
        return purse
      })
    )
  return Budget.of({
    open,
    counting: options.counting ?? "ratio",
    expectedOutputTokens: options.expectedOutputTokens ?? 1024
  })
})

// ---------------------------------------------------------------------------------------------------------------
// The stage
// ---------------------------------------------------------------------------------------------------------------

/**
 * Sets aside what the call may cost, makes it, and settles with what it cost. The finish part says where the budgets stand
 * (`metadata.interlock.budgets`).
 *
 * A live answer that outgrows what was set aside asks for more as it goes; where there is none, its open texts are ended and a
 * finish part of reason `length` follows, with the usage as estimated and `metadata.interlock.budgetEnded`, the budget's name.
 *
 * @category stages
 * @since 0.1.0
 */
export const budget = Stage.around<{ in: Part.Part }>()(
  "budget",
  { needs: { caller: Caller, model: ChosenModel, prompt: SafePrompt, parameters: Parameters } },
  Effect.fnUntraced(function* ({ caller, model, parameters, prompt }, next) {
    const service = yield* Budget
    const catalogue = yield* Catalogue
    const clock = yield* Clock.Clock
    const key = yield* Rule.LimitKey
    const outer = yield* TryPayer
    /** Sets aside what one try may cost. */
    const begin = Effect.fnUntraced(function* ({ model, provider }: ModelReference, granted?: (purse: Purse) => void) {
      const entry = catalogue.find(provider, model)
      const at = clock.currentTimeMillisUnsafe()
      const estimated = yield* Meter.estimate(entry, { prompt, parameters, at }, service)
      const purse = yield* service.open({ caller, key, provider, model }, estimated.dollars, granted)
      const reserved = { ...estimated, dollars: estimated.dollars ?? 0 }
      return { model: { provider, model }, entry, at, purse, reserved, meter: Meter.watch(entry, reserved, at) }
    })
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        let held: Purse | undefined
        const first = begin(model, (purse) => {
          held = purse
        })
        let present = yield* Effect.onInterrupt(restore(first), () => held?.settle(0) ?? Effect.void)
        const beside: Array<typeof present> = []
        const settleOne = ({ meter, purse }: typeof present, exit: Exit.Exit<unknown, unknown>) =>
          Effect.suspend(() => purse.settle(meter.used(exit).dollars))
        const settle = (exit: Exit.Exit<unknown, unknown>) =>
          Effect.andThen(
            settleOne(present, exit),
            Effect.forEach(beside.splice(0), (one) => settleOne(one, Exit.interrupt()), { discard: true })
          )
        const pay = (extra: ExtraTry) =>
          Effect.uninterruptible(
            Effect.gen(function* () {
              const before = present
              // What a try gave back may pay for the next one.
              if (extra.failed !== undefined) yield* settleOne(before, Exit.fail(extra.failed))
              const begun = Option.getOrUndefined(yield* Effect.option(begin(extra.model ?? before.model)))
              if (begun === undefined) return undefined
              const unmade = begun.purse.settle(0)
              const paid = yield* outer(extra)
              if (paid === undefined) {
                yield* unmade
                return undefined
              }
              // Another try may have been paid for meanwhile.
              if (extra.failed === undefined || present !== before) beside.push(present)
              present = begun
              return { giveBack: Effect.andThen(unmade, paid.giveBack) }
            })
          )
        const asked = Effect.provideService(next(), TryPayer, pay)
        const reply = yield* Effect.onError(restore(asked), (cause) => settle(Exit.failCause(cause)))
        const { at, entry, meter, purse, reserved } = present
        const annotated = (part: Part.Part): Part.Part =>
          part.type === "finish" ? Part.annotate(part, { budgets: purse.standings }) : part
        if (reply._tag === "Whole") {
          for (const part of reply.parts) meter.see(part)
          return yield* Reply.onExit<Part.Part, never, never>(Reply.whole(reply.parts.map(annotated)), settle)
        }

        const costSoFar = () => Meter.dollarsOf(entry, Cost.tokens(reserved.inputTokens, meter.outputTokens()), at) ?? 0
        const step = Math.max(reserved.dollars / 4, Meter.dollarsOf(entry, Cost.tokens(0, 256), at) ?? 0)
        const ending = new Map<string, Part.Part>()
        let ended: Part.Part | undefined
        const parts = Stream.mapAccumEffect(
          reply.parts,
          () => undefined,
          (state, part: Part.Part): Effect.Effect<readonly [undefined, ReadonlyArray<Part.Part>]> => {
            meter.see(part)
            remember(ending, part)
            if (part.type === "finish" || costSoFar() <= purse.coveredUsd()) {
              return Effect.succeed([state, [annotated(part)]] as const)
            }
            return Effect.map(purse.extend(step), (without) => {
              if (without === undefined) return [state, [part]] as const
              ended = Part.annotate(
                annotated(Part.finish("length", Cost.tokens(reserved.inputTokens, meter.outputTokens()))),
                { budgetEnded: without }
              )
              return [state, [part, ...ending.values(), ended]] as const
            })
          }
        )
        const bounded = Stream.takeUntil(parts, (part) => part === ended)
        return yield* Reply.onExit(Reply.live(bounded), settle)
      })
    )
  })
)

/** Keeps, for everything that is open in a live reply, the part that would end it. */
const remember = (ending: Map<string, Part.Part>, part: Part.Part): void => {
  switch (part.type) {
    case "text-start":
      ending.set(`text:${part.id}`, { type: "text-end", id: part.id })
      break
    case "text-end":
      ending.delete(`text:${part.id}`)
      break
    case "reasoning-start":
      ending.set(`reasoning:${part.id}`, { type: "reasoning-end", id: part.id })
      break
    case "reasoning-end":
      ending.delete(`reasoning:${part.id}`)
      break
    case "tool-params-start":
      ending.set(`tool:${part.id}`, { type: "tool-params-end", id: part.id })
      break
    case "tool-params-end":
      ending.delete(`tool:${part.id}`)
  }
}

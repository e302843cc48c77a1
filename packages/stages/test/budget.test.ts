import { describe, expect, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { Caller, Chat, ChosenModel, Parameters, type Part, Prompt, SafePrompt } from "@interlock/model"
import * as Catalogue from "@interlock/model/Catalogue"
import * as Budget from "@interlock/stages/budget"
import * as Store from "@interlock/stages/limit/store"
import { Context, Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as ScriptedModel from "../../testing/src/ScriptedModel.ts"

/** One message without text is 3 tokens; a token is a dollar. */
const facts = (maxOutputTokens?: number, tenant = "acme") =>
  Context.mergeAll(
    Caller.context({ tenant }),
    ChosenModel.context({ provider: "test", model: "m" }),
    SafePrompt.context(Prompt.make("") as never),
    Parameters.context(maxOutputTokens === undefined ? {} : { maxOutputTokens })
  )
const catalogue = Catalogue.layerOnly([
  {
    provider: "test",
    model: "m",
    limits: { context: 100_000, output: 10_000 },
    prices: Catalogue.declarePrices({ input: 1_000_000, output: 1_000_000 })
  }
])
const pipeline = (model: ScriptedModel.ScriptedModel) =>
  Pipeline.make("budgeted", { input: [Caller, ChosenModel, SafePrompt, Parameters], protocol: Chat.protocol })
    .use(Budget.budget)
    .to(model.handler)
const used = (outputTokens: number): Part.Usage => ({
  inputTokens: { total: 3 },
  outputTokens: { total: outputTokens }
})
const day = (hard: number, more: Partial<Budget.Plan> = {}): Budget.Plan => ({
  name: "day",
  hard,
  per: "calendar day",
  ...more
})
const budgets = (options: Budget.Options) =>
  Layer.mergeAll(Budget.layer(options).pipe(Layer.provideMerge(Store.layerMemory)), catalogue)
const alerts = (told: Array<Budget.Alert>) =>
  Effect.provideService(Budget.BudgetAlerts, (alert) => Effect.sync(() => void told.push(alert)))

describe("budget", () => {
  it.effect("refuses at the hard limit until the period is over, and alerts once at each level", () => {
    const told: Array<Budget.Alert> = []
    return Effect.gen(function* () {
      const flow = pipeline(yield* ScriptedModel.make([{ text: "", usage: used(37) }]))
      yield* flow.run(facts(37))
      expect(told).toEqual([])
      const answer = yield* flow.run(facts(37))
      expect(answer.metadata["budgets"]).toEqual([{ name: "day", limitUsd: 100, remainingUsd: 20, overSoft: true }])
      const error = yield* Effect.flip(flow.run(facts(37)))
      expect(error).toMatchObject({ reason: { _tag: "Exhausted", budget: "day", retryAfterMillis: 86_400_000 } })
      yield* Effect.flip(flow.run(facts(37)))
      expect(told).toEqual([
        { budget: "day", level: "soft", of: { tenant: "acme" }, spentUsd: 80, limitUsd: 100 },
        { budget: "day", level: "hard", of: { tenant: "acme" }, spentUsd: 80, limitUsd: 100 }
      ])
      yield* flow.run(facts(37, "other"))
      yield* TestClock.adjust("1 day")
      yield* flow.run(facts(37))
      yield* flow.run(facts(37))
      expect(told.map(({ level }) => level)).toEqual(["soft", "hard", "soft"])
    }).pipe(alerts(told), Effect.provide(budgets({ budgets: [day(100, { by: ["tenant"] })] })))
  })

  it.effect("settles with what the call cost", () =>
    Effect.gen(function* () {
      const flow = pipeline(yield* ScriptedModel.make([{ text: "", usage: used(7) }]))
      for (let call = 0; call < 5; call++) yield* flow.run(facts(47))
      expect((yield* flow.run(facts(47))).metadata["budgets"]).toMatchObject([{ remainingUsd: 0 }])
      yield* Effect.flip(flow.run(facts(47)))
    }).pipe(alerts([]), Effect.provide(budgets({ budgets: [day(100)] })))
  )

  it.effect("ends a live answer in good order when it crosses the hard limit", () =>
    Effect.gen(function* () {
      // 4 characters are a token; the answer is 20 times as long as was expected.
      const deltas = Array.from({ length: 200 }, () => "word".repeat(10))
      const model = yield* ScriptedModel.make([{ deltas, usage: used(2000) }])
      const flow = pipeline(model)
      const parts = yield* Stream.runCollect(flow.stream(facts()))
      const last = parts.at(-1)
      expect(parts.at(-2)).toEqual({ type: "text-end", id: "0" })
      expect(last).toMatchObject({ type: "finish", reason: "length", metadata: { interlock: { budgetEnded: "day" } } })
      const seen = parts.filter(({ type }) => type === "text-delta").length * 10
      // Set aside: 103, then 256 more at a time up to 1,000; the one part that crossed is passed on.
      expect(seen).toBeGreaterThan(850)
      expect(seen).toBeLessThanOrEqual(1000)
      expect(model.open()).toBe(0)
      // What was seen is what was spent, so there is no room for as much again.
      yield* Effect.flip(flow.run(facts(1000 - seen)))
    }).pipe(alerts([]), Effect.provide(budgets({ budgets: [day(1000)], expectedOutputTokens: 100 })))
  )

  it.effect("alerts while a live answer grows past the soft limit", () => {
    const told: Array<Budget.Alert> = []
    return Effect.gen(function* () {
      const deltas = Array.from({ length: 60 }, () => "word".repeat(10))
      const flow = pipeline(yield* ScriptedModel.make([{ deltas, usage: used(600) }]))
      const parts = yield* Stream.runCollect(flow.stream(facts()))
      expect(parts.at(-1)).toMatchObject({ type: "finish", reason: "stop" })
      expect(told.map(({ level }) => level)).toEqual(["soft"])
    }).pipe(alerts(told), Effect.provide(budgets({ budgets: [day(1000, { soft: 500 })], expectedOutputTokens: 100 })))
  })

  it.effect("lets a live answer within the budget pass unchanged, and gives back the rest", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ deltas: ["word", "word"], usage: used(2) }])
      const flow = pipeline(model)
      const parts = yield* Stream.runCollect(flow.stream(facts(900)))
      expect(parts.map(({ type }) => type)).toEqual(["text-start", "text-delta", "text-delta", "text-end", "finish"])
      // 5 of 1,000 are spent; a caller who leaves early gets nothing back.
      yield* Stream.runDrain(Stream.take(flow.stream(facts(900)), 1))
      expect(yield* Effect.flip(flow.run(facts(100)))).toMatchObject({ reason: { _tag: "Exhausted" } })
    }).pipe(alerts([]), Effect.provide(budgets({ budgets: [day(1000)] })))
  )

  it.effect("says when a call is too dear, has no price, or cannot be counted", () =>
    Effect.gen(function* () {
      const flow = pipeline(yield* ScriptedModel.make([{ text: "ok" }]))
      const reason = <E extends { readonly _tag: string }>(
        layer: Layer.Layer<Budget.Budget | Catalogue.Catalogue, E>,
        maxOutputTokens = 10
      ) =>
        Effect.flip(Effect.provide(flow.run(facts(maxOutputTokens)), layer)).pipe(
          Effect.map((error) => (error instanceof Budget.BudgetError ? error.reason._tag : error._tag))
        )
      const whole = budgets({ budgets: [day(100)] })
      expect(yield* reason(whole, 98)).toBe("TooExpensive")
      expect(yield* reason(Layer.merge(whole, Catalogue.layerOnly([])))).toBe("NoPrice")
      const failing = Effect.fail(new Store.LimitStoreError({ reason: "Unavailable", message: "down" }))
      const down = Layer.succeed(Store.LimitStore, {
        reserve: () => failing,
        settle: () => failing,
        observe: () => failing
      })
      const policy = (whenStoreFails: "open" | "closed") =>
        Layer.merge(Budget.layer({ budgets: [day(100)], whenStoreFails }).pipe(Layer.provide(down)), catalogue)
      expect(yield* reason(policy("closed"))).toBe("NotCounted")
      expect((yield* Effect.provide(flow.run(facts(10)), policy("open"))).text).toBe("ok")
    })
  )

  it.effect("refuses plans that cannot work", () =>
    Effect.gen(function* () {
      for (const plan of [day(0), day(-1), day(10, { soft: 11 }), day(10, { soft: 0 }), day(10, { name: "" })]) {
        const built = Layer.build(Budget.layer({ budgets: [plan] }).pipe(Layer.provide(Store.layerMemory)))
        expect((yield* Effect.flip(Effect.scoped(built)))._tag).toBe("@interlock/stages/LimitRuleError")
      }
    })
  )
})

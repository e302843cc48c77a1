import { describe, expect, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { Caller, Chat, ChosenModel, ModelError, Parameters, type Part, Prompt, SafePrompt } from "@interlock/model"
import * as Catalogue from "@interlock/model/Catalogue"
import * as Budget from "@interlock/stages/budget"
import { fallbackWith } from "@interlock/stages/fallback"
import { hedge } from "@interlock/stages/hedge"
import * as Store from "@interlock/stages/limit/store"
import { layerUnlimited, retryWith, TryPayer } from "@interlock/stages/retry"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
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

  describe("with extra tries below", () => {
    const failure = (reason: ModelError.ModelError["reason"]) =>
      new ModelError.ModelError({ provider: "test", model: "m", reason, message: "it failed" })
    // Paid for as nobody knows what it cost, and nothing at all.
    const lost = failure(new ModelError.Network())
    const refused = failure(new ModelError.RateLimited({}))
    const dear = { provider: "test", model: "dear" }
    const priced = Catalogue.layerOnly(
      [1_000_000, 10_000_000].map((price, index) => ({
        provider: "test",
        model: index === 0 ? "m" : "dear",
        limits: { context: 100_000, output: 10_000 },
        prices: Catalogue.declarePrices({ input: price, output: price })
      }))
    )
    const again = retryWith({ times: 5, base: 0, when: () => true })
    const start = Pipeline.make("budgeted", {
      input: [Caller, ChosenModel, SafePrompt, Parameters],
      protocol: Chat.protocol
    }).use(Budget.budget)
    const provide = (...plans: ReadonlyArray<Budget.Plan>) =>
      Effect.provide(Layer.mergeAll(budgets({ budgets: plans }), priced, layerUnlimited))
    const remaining = (answer: Chat.Answer) =>
      (answer.metadata["budgets"] as ReadonlyArray<Budget.Standing>)[0]?.remainingUsd

    it.effect("pays for each try of retry, and makes none that there is no money for", () =>
      Effect.gen(function* () {
        // Each try sets aside 40: two of them fit.
        const model = yield* ScriptedModel.make([{ fail: lost }])
        const flow = start.use(again).to(model.handler)
        expect(yield* Effect.flip(flow.run(facts(37)))).toBe(lost)
        expect(model.calls()).toBe(2)
        expect(yield* Effect.flip(flow.run(facts(37)))).toMatchObject({ reason: { _tag: "Exhausted" } })
        expect(model.calls()).toBe(2)
      }).pipe(alerts([]), provide(day(100)))
    )

    it.effect("takes nothing for a try that another one who pays above it refuses", () =>
      Effect.gen(function* () {
        const model = yield* ScriptedModel.make([{ fail: lost }])
        const refusing = Effect.provideService(TryPayer, () => Effect.undefined)
        expect(yield* Effect.flip(start.use(again).to(model.handler).run(facts(37)).pipe(refusing))).toBe(lost)
        expect(model.calls()).toBe(1)
        const after = yield* ScriptedModel.make([{ text: "", usage: used(1) }])
        expect(remaining(yield* start.to(after.handler).run(facts(1)))).toBe(56)
      }).pipe(alerts([]), provide(day(100)))
    )

    it.effect("takes nothing for a try that was waited for when the call was stopped", () =>
      Effect.gen(function* () {
        const busy = failure(new ModelError.RateLimited({ retryAfterMs: 10_000 }))
        const model = yield* ScriptedModel.make([{ fail: busy }])
        // Two budgets, one above the other, pay both.
        const flow = start.use(Budget.budget).use(again).to(model.handler)
        const fiber = yield* Effect.forkChild(flow.run(facts(37)))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        expect(model.calls()).toBe(1)
        const after = yield* ScriptedModel.make([{ text: "", usage: used(1) }])
        expect(remaining(yield* start.to(after.handler).run(facts(1)))).toBe(96)
      }).pipe(alerts([]), provide(day(100)))
    )

    it.effect("settles every try once, of two also that fail at the same time", () =>
      Effect.gen(function* () {
        const reserved: Array<Store.Reservation> = []
        const settled: Array<Store.Reservation> = []
        const store = yield* Store.LimitStore
        const slow = Layer.succeed(Store.LimitStore, {
          ...store,
          reserve: (charges) =>
            Effect.delay(store.reserve(charges), "10 millis").pipe(
              Effect.tap((decision) =>
                Effect.sync(() => decision._tag === "Allowed" && reserved.push(decision.reservation))
              )
            ),
          settle: (reservation, amounts) =>
            Effect.andThen(
              Effect.sync(() => settled.push(reservation)),
              store.settle(reservation, amounts)
            )
        })
        const model = yield* ScriptedModel.make([
          { delay: "2 seconds", fail: lost },
          { delay: "990 millis", fail: lost },
          { text: "", usage: used(7) }
        ])
        const flow = start
          .use(hedge({ after: "1 second" }))
          .use(again)
          .to(model.handler)
        const run = flow
          .run(facts(37))
          .pipe(Effect.provide(Budget.layer({ budgets: [day(1000)] }).pipe(Layer.provide(slow))))
        const fiber = yield* Effect.forkChild(run)
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        expect(model.calls()).toBeGreaterThan(2)
        expect(reserved).toHaveLength(4)
        expect(new Set(settled)).toEqual(new Set(reserved))
        expect(settled).toHaveLength(reserved.length)
      }).pipe(alerts([]), provide(day(1000)))
    )

    it.effect("takes nothing for tries that were turned away", () =>
      Effect.gen(function* () {
        const model = yield* ScriptedModel.make([
          { fail: refused },
          { fail: refused },
          { fail: refused },
          { text: "", usage: used(7) }
        ])
        const answer = yield* start.use(again).to(model.handler).run(facts(37))
        expect(remaining(answer)).toBe(60)
        expect(model.calls()).toBe(4)
        const after = yield* ScriptedModel.make([{ text: "", usage: used(37) }])
        expect(remaining(yield* start.to(after.handler).run(facts(37)))).toBe(50)
      }).pipe(alerts([]), provide(day(100)))
    )

    it.effect("counts a failed try and the answer, live too", () =>
      Effect.gen(function* () {
        const model = yield* ScriptedModel.make([{ fail: lost }, { text: "word", usage: used(7) }])
        yield* Stream.runDrain(start.use(again).to(model.handler).stream(facts(37)))
        const after = yield* ScriptedModel.make([{ text: "", usage: used(1) }])
        // 40 for the try that was lost, 10 for the answer, 4 set aside now.
        expect(remaining(yield* start.to(after.handler).run(facts(1)))).toBe(46)
      }).pipe(alerts([]), provide(day(100)))
    )

    it.effect("asks a dearer model only where there is money for that one, in the budgets that are about it", () =>
      Effect.gen(function* () {
        const other = fallbackWith({ to: () => [dear] })
        const run = (limit: number) =>
          Effect.gen(function* () {
            const model = yield* ScriptedModel.make([{ fail: refused }, { text: "dear", usage: used(37) }])
            const result = yield* Effect.result(start.use(other).to(model.handler).run(facts(37)))
            return result._tag === "Success" ? remaining(result.success) : [result.failure, model.calls()]
          }).pipe(alerts([]), provide(day(limit)))
        expect(yield* run(399)).toEqual([refused, 1])
        expect(yield* run(500)).toBe(100)
        const only = { name: "dear", hard: 300, per: "calendar day", only: { model: ["dear"] } } as const
        const model = yield* ScriptedModel.make([{ fail: refused }, { text: "dear" }])
        const flow = start.use(other).to(model.handler)
        expect(yield* Effect.flip(flow.run(facts(37)).pipe(provide(day(1000), only)))).toBe(refused)
        expect(model.calls()).toBe(1)
      }).pipe(alerts([]))
    )

    it.effect("lets a live answer of a dearer model go on only as far as that one's money reaches", () =>
      Effect.gen(function* () {
        const deltas = Array.from({ length: 200 }, () => "word".repeat(10))
        const model = yield* ScriptedModel.make([{ fail: refused }, { deltas, usage: used(2000) }])
        const flow = start.use(fallbackWith({ to: () => [dear] })).to(model.handler)
        const parts = yield* Stream.runCollect(flow.stream(facts()))
        expect(parts.at(-1)).toMatchObject({ reason: "length", metadata: { interlock: { budgetEnded: "day" } } })
        expect(parts.filter(({ type }) => type === "text-delta").length).toBeLessThanOrEqual(100)
      }).pipe(
        alerts([]),
        Effect.provide(
          Layer.mergeAll(budgets({ budgets: [day(10_000)], expectedOutputTokens: 100 }), priced, layerUnlimited)
        )
      )
    )

    it.effect("makes the second try of hedge only where there is money for both", () =>
      Effect.gen(function* () {
        const run = (limit: number) =>
          Effect.gen(function* () {
            const model = yield* ScriptedModel.make([
              { delay: "1 minute", text: "" },
              { text: "", usage: used(7) }
            ])
            const fiber = yield* Effect.forkChild(
              start
                .use(hedge({ after: "1 second" }))
                .to(model.handler)
                .run(facts(37))
            )
            yield* TestClock.adjust("2 minutes")
            yield* Fiber.join(fiber)
            const after = yield* ScriptedModel.make([{ text: "", usage: used(1) }])
            return [model.calls(), remaining(yield* start.to(after.handler).run(facts(1)))]
          }).pipe(alerts([]), provide(day(limit)))
        expect(yield* run(79)).toEqual([1, 35])
        // The loser keeps what was set aside for it.
        expect(yield* run(100)).toEqual([2, 46])
      })
    )
  })
})

import { describe, expect, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { Caller, Chat, ChosenModel, Journal, ModelError, Parameters, Part, Prompt, SafePrompt } from "@interlock/model"
import * as Catalogue from "@interlock/model/Catalogue"
import * as Limit from "@interlock/stages/limit"
import * as Store from "@interlock/stages/limit/store"
import { Context, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as ScriptedModel from "../../testing/src/ScriptedModel.ts"

const facts = (options: { readonly tenant?: string; readonly maxOutputTokens?: number; readonly text?: string } = {}) =>
  Context.mergeAll(
    Caller.context({ tenant: options.tenant ?? "acme" }),
    ChosenModel.context({ provider: "test", model: "m" }),
    // A prompt that a test makes up is safe by construction.
    SafePrompt.context(Prompt.make(options.text ?? "") as never),
    Parameters.context({ maxOutputTokens: options.maxOutputTokens ?? 97 })
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
  Pipeline.make("limited", { input: [Caller, ChosenModel, SafePrompt, Parameters], protocol: Chat.protocol })
    .use(Limit.limit)
    .to(model.handler)
const used = (inputTokens: number, outputTokens: number): Part.Usage => ({
  inputTokens: { total: inputTokens },
  outputTokens: { total: outputTokens }
})
const limits = (options: Limit.Options) =>
  Layer.mergeAll(Limit.layer(options).pipe(Layer.provideMerge(Store.layerMemory)), catalogue)
/** An empty prompt of one message and an answer of up to 97 tokens: 100 tokens, 100 dollars. */
const tokens = (limit: number, more: Partial<Limit.Rule> = {}): Limit.Rule => ({
  name: "tokens",
  counts: "tokens",
  limit,
  per: "100 seconds",
  ...more
})
const reasonOf = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => error as unknown as Limit.LimitError)

describe("limit", () => {
  it.effect("reserves an estimate, settles with the true usage, and says where the caller stands", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ text: "Tomorrow.", usage: used(3, 7) }])
      const flow = pipeline(model)
      const first = yield* flow.run(facts())
      expect(first.metadata["limits"]).toEqual([
        { name: "tokens", limit: 100, remaining: 0, resetMillis: 100_000, seconds: 100 }
      ])
      // 10 of 100 were used, so 90 are left: this asks for 91.
      const error = yield* reasonOf(flow.run(facts({ maxOutputTokens: 88 })))
      expect(error.reason).toMatchObject({ _tag: "Exceeded", rule: "tokens", retryAfterMillis: 1000 })
      expect(Limit.refusalFields(error)).toEqual({
        "RateLimit-Policy": '"tokens";q=100;w=100',
        RateLimit: '"tokens";r=90;t=10',
        "Retry-After": "1"
      })
      yield* flow.run(facts({ maxOutputTokens: 87 }))
      expect(model.calls()).toBe(2)
    }).pipe(Effect.provide(limits({ limits: [tokens(100)] })))
  )

  it.effect("gives back what a refused call did not use, and nothing where nobody knows", () =>
    Effect.gen(function* () {
      const timeout = new ModelError.ModelError({
        provider: "test",
        model: "m",
        reason: new ModelError.Timeout({ phase: "idle", afterMs: 1 }),
        message: "slow"
      })
      const model = yield* ScriptedModel.make([
        { fail: ScriptedModel.overloaded },
        { fail: timeout },
        { text: "never called" }
      ])
      const flow = pipeline(model)
      expect((yield* reasonOf(flow.run(facts())))._tag).toBe("ModelError")
      expect((yield* reasonOf(flow.run(facts())))._tag).toBe("ModelError")
      expect((yield* reasonOf(flow.run(facts()))).reason._tag).toBe("Exceeded")
      expect(model.calls()).toBe(2)
    }).pipe(Effect.provide(limits({ limits: [tokens(100)] })))
  )

  it.effect("counts the first settlement of a permit, and no other", () =>
    Effect.gen(function* () {
      const limiter = yield* Limit.Limiter
      const reserve = limiter.reserve({
        caller: { tenant: "acme" },
        provider: "test",
        model: "m",
        priority: "normal",
        amounts: { requests: 1, inputTokens: 100, outputTokens: 0, dollars: 0 }
      })
      const nothing = { requests: 0, inputTokens: 0, outputTokens: 0, dollars: 0 }
      const first = yield* reserve
      yield* first.settle(nothing)
      yield* reserve
      yield* first.settle(nothing)
      expect((yield* reasonOf(reserve)).reason._tag).toBe("Exceeded")
    }).pipe(Effect.provide(limits({ limits: [tokens(100)] })))
  )

  it.effect("takes nothing from the other limits when it refuses for one, such as for want of a place", () =>
    Effect.gen(function* () {
      const flow = pipeline(yield* ScriptedModel.make([{ text: "", delay: "1 second" }]))
      const running = yield* Effect.forkChild(flow.run(facts()), { startImmediately: true })
      expect((yield* reasonOf(flow.run(facts()))).reason).toMatchObject({ _tag: "Exceeded", rule: "at-once" })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(running)
      const next = yield* Effect.forkChild(flow.run(facts()), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(next)
    }).pipe(
      Effect.provide(
        limits({
          limits: [
            { name: "requests", counts: "requests", limit: 2, per: "1 day" },
            { name: "at-once", counts: "concurrent", limit: 1 }
          ]
        })
      )
    )
  )

  it.effect("keeps tenants and models apart, and applies a rule only where it says", () =>
    Effect.gen(function* () {
      const flow = pipeline(yield* ScriptedModel.make([{ text: "" }]))
      yield* flow.run(facts())
      yield* flow.run(facts({ tenant: "other" }))
      expect((yield* reasonOf(flow.run(facts()))).reason._tag).toBe("Exceeded")
      yield* flow.run(facts({ tenant: "free" }))
      expect((yield* reasonOf(flow.run(facts({ tenant: "free" })))).reason).toMatchObject({ rule: "free" })
    }).pipe(
      Effect.provide(
        limits({
          limits: [
            tokens(100, { by: ["tenant", "model"], only: { tenant: ["acme", "other"] } }),
            { name: "free", counts: "requests", limit: 1, per: "1 hour", only: { tenant: ["free"] } }
          ]
        })
      )
    )
  )

  it.effect("holds a place until the last part, or until the caller leaves", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ deltas: ["a", "b", "c"] }])
      const flow = pipeline(model)
      yield* flow.stream(facts()).pipe(
        Stream.mapEffect(() => reasonOf(flow.run(facts()))),
        Stream.runForEach((error) => Effect.sync(() => expect(error.reason).toMatchObject({ rule: "at-once" })))
      )
      yield* Stream.runDrain(Stream.take(flow.stream(facts()), 1))
      yield* flow.run(facts())
      expect(model.open()).toBe(0)
    }).pipe(Effect.provide(limits({ limits: [{ name: "at-once", counts: "concurrent", limit: 1 }] })))
  )

  it.effect("waits in order, up to the bound, and gives back what an interrupted caller waited for", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ text: "", usage: used(3, 97) }])
      const flow = pipeline(model)
      yield* flow.run(facts())
      const left = yield* Effect.forkChild(flow.run(facts()), { startImmediately: true })
      const waiting = yield* Effect.forkChild(flow.run(facts()), { startImmediately: true })
      expect((yield* reasonOf(flow.run(facts()))).reason._tag).toBe("Exceeded")
      yield* Fiber.interrupt(left)
      expect(model.calls()).toBe(1)
      const next = yield* Effect.forkChild(flow.run(facts()), { startImmediately: true })
      yield* TestClock.adjust("200 seconds")
      yield* Fiber.join(waiting)
      yield* Fiber.join(next)
      expect(model.calls()).toBe(3)
    }).pipe(Effect.provide(limits({ limits: [tokens(100)], whenExceeded: { wait: "200 seconds" } })))
  )

  it.effect("waits for a place", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ text: "", delay: "1 second" }])
      const flow = pipeline(model)
      const fibers = yield* Effect.forEach([1, 2, 3], () =>
        Effect.forkChild(Effect.exit(flow.run(facts())), { startImmediately: true })
      )
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("1 second")
      const exits = yield* Effect.forEach(fibers, Fiber.join)
      expect(exits.filter(Exit.isSuccess).length).toBe(2)
    }).pipe(
      Effect.provide(
        limits({ limits: [{ name: "at-once", counts: "concurrent", limit: 1 }], whenExceeded: { wait: "1500 millis" } })
      )
    )
  )

  it.effect("sheds calls of low priority first", () =>
    Effect.gen(function* () {
      const flow = pipeline(yield* ScriptedModel.make([{ text: "" }]))
      const as = (priority: Limit.Priority) => Effect.provideService(flow.run(facts()), Limit.LimitPriority, priority)
      yield* as("low")
      expect((yield* reasonOf(as("low"))).reason._tag).toBe("Exceeded")
      yield* as("high")
      expect((yield* reasonOf(as("normal"))).reason._tag).toBe("Exceeded")
      // More than its share: waiting would not help.
      const large = Effect.provideService(flow.run(facts({ maxOutputTokens: 98 })), Limit.LimitPriority, "low")
      expect((yield* reasonOf(large)).reason).toMatchObject({ _tag: "NeverFits", asked: 101, limit: 100 })
    }).pipe(Effect.provide(limits({ limits: [tokens(200)], whenExceeded: "shed" })))
  )

  it.effect("says when a call can never fit, and when a price is missing", () =>
    Effect.gen(function* () {
      const flow = pipeline(yield* ScriptedModel.make([{ text: "" }]))
      expect((yield* reasonOf(flow.run(facts({ maxOutputTokens: 98 })))).reason).toMatchObject({
        _tag: "NeverFits",
        asked: 101
      })
      const money = limits({ limits: [tokens(100, { name: "money", counts: "dollars", per: "calendar day" })] })
      yield* Effect.provide(flow.run(facts()), money)
      const unpriced = Layer.merge(money, Catalogue.layerOnly([]))
      expect((yield* reasonOf(Effect.provide(flow.run(facts()), unpriced))).reason._tag).toBe("Unpriced")
    }).pipe(Effect.provide(limits({ limits: [tokens(100)] })))
  )

  it.effect("pauses a model as its provider asks, longer each time where it does not say", () =>
    Effect.gen(function* () {
      const overloaded = (options: { readonly retryAfterMs?: number }) =>
        new ModelError.ModelError({
          provider: "test",
          model: "m",
          reason: new ModelError.Overloaded({ status: 529, ...options }),
          message: "overloaded"
        })
      const model = yield* ScriptedModel.make([
        { fail: overloaded({ retryAfterMs: 7000 }) },
        { fail: overloaded({}) },
        { text: "" }
      ])
      const flow = pipeline(model)
      yield* Effect.flip(flow.run(facts()))
      expect((yield* reasonOf(flow.run(facts()))).reason).toMatchObject({ _tag: "Paused", retryAfterMillis: 7000 })
      yield* TestClock.adjust("7 seconds")
      yield* Effect.flip(flow.run(facts()))
      expect((yield* reasonOf(flow.run(facts()))).reason).toMatchObject({ _tag: "Paused", retryAfterMillis: 2000 })
      yield* TestClock.adjust("2 seconds")
      yield* flow.run(facts())
      expect(model.calls()).toBe(3)
    }).pipe(Effect.provide(limits({ limits: [tokens(1000)] })))
  )

  it.effect("learns the provider's own limits from its headers", () =>
    Effect.gen(function* () {
      const headers = { "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "1" }
      const model = yield* ScriptedModel.make([
        { parts: [Part.annotate(Part.finish("stop"), { providerLimits: headers })] },
        { text: "" }
      ])
      const flow = pipeline(model)
      const first = yield* flow.run(facts())
      expect(Object.keys(first.metadata)).toEqual(["limits"])
      yield* flow.run(facts())
      expect((yield* reasonOf(flow.run(facts()))).reason).toMatchObject({ rule: "provider", retryAfterMillis: 1000 })
    }).pipe(Effect.provide(limits({ limits: [tokens(10_000)] })))
  )

  it.effect("follows its policy when the store fails, and records it", () =>
    Effect.gen(function* () {
      const down = Layer.succeed(Store.LimitStore, {
        reserve: () => Effect.fail(new Store.LimitStoreError({ reason: "Timeout", message: "slow" })),
        settle: () => Effect.fail(new Store.LimitStoreError({ reason: "Timeout", message: "slow" })),
        observe: () => Effect.void
      })
      const flow = pipeline(yield* ScriptedModel.make([{ text: "ok" }]))
      const policy = (whenStoreFails: "open" | "closed") =>
        Layer.merge(Limit.layer({ limits: [tokens(100)], whenStoreFails }).pipe(Layer.provide(down)), catalogue)
      expect((yield* reasonOf(Effect.provide(flow.run(facts()), policy("closed")))).reason).toMatchObject({
        _tag: "StoreFailed",
        reason: "Timeout"
      })
      const journal = Journal.make()
      const answer = flow.run(facts()).pipe(Effect.provideService(Journal.Journal, journal))
      expect((yield* Effect.provide(answer, policy("open"))).text).toBe("ok")
      expect(journal.events()).toMatchObject([{ _tag: "Fact", name: "storeFailed", attributes: { open: true } }])
    })
  )

  it.effect("refuses rules that cannot work, with the cure", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<readonly [Limit.LimitRuleError["reason"], ReadonlyArray<Limit.Rule>]> = [
        ["Empty", []],
        ["NotPositive", [tokens(0)]],
        ["NotPositive", [tokens(-5)]],
        ["NotPositive", [tokens(Number.NaN)]],
        ["NotPositive", [tokens(5, { burst: 0 })]],
        ["Duplicate", [tokens(1), tokens(2)]],
        ["Name", [tokens(1, { name: "a b" })]],
        ["Period", [{ name: "a", counts: "requests", limit: 1 }]],
        ["Period", [tokens(1, { per: 0 })]],
        ["Period", [{ name: "a", counts: "concurrent", limit: 1, per: "1 minute" }]],
        ["NotWhole", [{ name: "a", counts: "concurrent", limit: 1.5 }]]
      ]
      for (const [reason, rules] of wrong) {
        const built = Layer.build(Limit.layer({ limits: rules }).pipe(Layer.provide(Store.layerMemory)))
        expect((yield* Effect.flip(Effect.scoped(built))).reason).toBe(reason)
      }
      const shares = Limit.layer({ limits: [tokens(1)], shares: { low: 2 } }).pipe(Layer.provide(Store.layerMemory))
      expect((yield* Effect.flip(Effect.scoped(Layer.build(shares)))).reason).toBe("Priority")
    })
  )
})

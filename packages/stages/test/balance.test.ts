import { describe, expect, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
import { Chat, ModelError, Part } from "@interlock/model"
import { Balancer, balance, layerMemory } from "@interlock/stages/balance"
import { layerUnlimited, retryWith } from "@interlock/stages/retry"
import { Context, type Duration, Effect, Fiber, Layer, Random, Stream } from "effect"
import { TestClock } from "effect/testing"

const failure = (reason: ModelError.ModelError["reason"]) =>
  new ModelError.ModelError({ provider: "p", model: "m", reason, message: "it failed" })

class Session extends Context.Service<Session, string>()("test/Session") {}

const deployment = (
  name: string,
  behaviour: {
    delay?: Duration.Input
    fail?: ModelError.ModelError
    live?: boolean
    /** Breaks off after the first part. */
    cut?: ModelError.ModelError
  } = {}
) => {
  const state = { calls: 0, behaviour }
  return {
    name,
    state,
    handler: Pipeline.handler(
      name,
      { needs: { session: Session } },
      Effect.fnUntraced(function* () {
        state.calls++
        const { cut, delay, fail, live } = state.behaviour
        if (delay !== undefined) yield* Effect.sleep(delay)
        if (fail !== undefined) return yield* fail
        if (cut !== undefined) return Reply.live(Stream.concat(Stream.fromIterable(Part.text(name)), Stream.fail(cut)))
        return live === true
          ? Reply.live(Stream.concat(Stream.fromIterable(Part.text(name)), Stream.never))
          : Reply.whole(Part.text(name))
      })
    )
  }
}
const session = (key = "s") => Session.context(key)
const begin = Pipeline.make("t", { input: [Session], protocol: Chat.protocol })
const advanced = <A, E, R>(effect: Effect.Effect<A, E, R>, by: Duration.Input = "1 minute") =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.exit(effect))
    yield* TestClock.adjust(by)
    return yield* yield* Fiber.join(fiber)
  })

describe("balance", () => {
  it.effect("finds out which instance is slow", () =>
    Effect.gen(function* () {
      const fast = deployment("fast", { delay: "100 millis" })
      const slow = deployment("slow", { delay: "5 seconds" })
      const other = deployment("other", { delay: "120 millis" })
      const pipeline = begin.to(balance("model", [fast, slow, other]))
      for (let call = 0; call < 60; call++) yield* advanced(pipeline.run(session()), "6 seconds")
      expect(slow.state.calls).toBeLessThan(12)
      expect(fast.state.calls).toBeGreaterThan(15)
    }).pipe(Effect.provide(layerMemory), Random.withSeed("slow"))
  )

  it.effect("breaks the circuit of an instance that keeps failing, and probes it later", () =>
    Effect.gen(function* () {
      const broken = deployment("broken", { fail: failure(new ModelError.Overloaded({})) })
      const fine = deployment("fine")
      const pipeline = begin.to(balance("model", [broken, fine], { strategy: "round-robin" }))
      for (let call = 0; call < 40; call++) yield* Effect.exit(pipeline.run(session()))
      expect(broken.state.calls).toBe(5)
      broken.state.behaviour = {}
      yield* TestClock.adjust("11 seconds")
      for (let call = 0; call < 10; call++) yield* pipeline.run(session())
      expect(broken.state.calls).toBe(10)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("leaves an instance alone for as long as it asks", () =>
    Effect.gen(function* () {
      const limited = deployment("limited", { fail: failure(new ModelError.RateLimited({ retryAfterMs: 30_000 })) })
      const fine = deployment("fine")
      const pipeline = begin.to(balance("model", [limited, fine], { strategy: "round-robin" }))
      for (let call = 0; call < 20; call++) yield* Effect.exit(pipeline.run(session()))
      expect(limited.state.calls).toBe(1)
      yield* TestClock.adjust("31 seconds")
      for (let call = 0; call < 4; call++) yield* Effect.exit(pipeline.run(session()))
      expect(limited.state.calls).toBe(2)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("lets a retry ask another at once, and wait only when all are resting", () =>
    Effect.gen(function* () {
      const limited = failure(new ModelError.RateLimited({ retryAfterMs: 15_000 }))
      const one = deployment("one", { fail: limited })
      const other = deployment("other")
      const stage = retryWith({ base: 0 })
      const pipeline = begin.use(stage).to(balance("model", [one, other], { strategy: "round-robin" }))
      expect((yield* pipeline.run(session())).text).toBe("other")
      expect([one.state.calls, other.state.calls]).toEqual([1, 1])
      other.state.behaviour = { fail: failure(new ModelError.Overloaded({ status: 503, retryAfterMs: 9000 })) }
      const fiber = yield* Effect.forkChild(pipeline.run(session()))
      yield* TestClock.adjust(8999)
      expect(other.state.calls).toBe(2)
      other.state.behaviour = {}
      yield* TestClock.adjust(1)
      expect((yield* Fiber.join(fiber)).text).toBe("other")
    }).pipe(Effect.provide(Layer.merge(layerMemory, layerUnlimited)))
  )

  it.effect("says nothing of a time while the only instance is being probed", () =>
    Effect.gen(function* () {
      const broken = deployment("broken", { fail: failure(new ModelError.Overloaded({})) })
      const pipeline = begin.to(balance("model", [broken]))
      for (let call = 0; call < 5; call++) yield* Effect.exit(pipeline.run(session()))
      yield* TestClock.adjust("11 seconds")
      broken.state.behaviour = { delay: "1 minute" }
      const probe = yield* Effect.forkChild(pipeline.run(session()))
      yield* TestClock.adjust("1 second")
      const error = yield* Effect.flip(pipeline.run(session()))
      expect(error.reason._tag).toBe("Overloaded")
      expect(ModelError.retryAfterMs(error)).toBeUndefined()
      expect(error.message).toContain("being tried again")
      expect(broken.state.calls).toBe(6)
      yield* TestClock.adjust("1 minute")
      expect((yield* Fiber.join(probe)).text).toBe("broken")
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("remembers an instance that breaks off after its first part", () =>
    Effect.gen(function* () {
      const cut = deployment("cut", { cut: failure(new ModelError.RateLimited({ retryAfterMs: 30_000 })) })
      const fine = deployment("fine")
      const pipeline = begin.to(balance("model", [cut, fine], { strategy: "round-robin" }))
      for (let call = 0; call < 6; call++) yield* Effect.exit(pipeline.run(session()))
      expect(cut.state.calls).toBe(1)
      yield* TestClock.adjust("31 seconds")
      cut.state.behaviour = { cut: failure(new ModelError.Network()) }
      const balancer = yield* Balancer
      for (let call = 0; call < 2; call++) yield* Effect.exit(pipeline.run(session()))
      expect(cut.state.calls).toBe(2)
      expect(balancer.health("model", "cut").failures).toBeCloseTo(0.2, 10)
      expect(balancer.health("model", "fine").failures).toBe(0)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("holds nothing against an instance for what a stage above its model refuses", () =>
    Effect.gen(function* () {
      let calls = 0
      const handler = Pipeline.handler(
        "refusing",
        { needs: {} },
        (): Effect.Effect<Reply.Reply<Part.Part>, string> =>
          Effect.suspend(() => {
            calls++
            return Effect.fail("over the limit")
          })
      )
      const pipeline = begin.to(balance("model", [{ name: "refusing", handler }]))
      for (let call = 0; call < 20; call++) expect(yield* Effect.flip(pipeline.run(session()))).toBe("over the limit")
      expect(calls).toBe(20)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("fails as overloaded when all are resting, and says until when", () =>
    Effect.gen(function* () {
      const limited = deployment("limited", { fail: failure(new ModelError.RateLimited({ retryAfterMs: 9000 })) })
      const pipeline = begin.to(balance("model", [limited]))
      yield* Effect.exit(pipeline.run(session()))
      const error = yield* Effect.flip(pipeline.run(session()))
      expect(ModelError.retryAfterMs(error)).toBe(9000)
      expect(error.message).toContain("resting")
      expect(limited.state.calls).toBe(1)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("a refused request says nothing against the instance", () =>
    Effect.gen(function* () {
      const picky = deployment("picky", { fail: failure(new ModelError.BadRequest({})) })
      const pipeline = begin.to(balance("model", [picky]))
      for (let call = 0; call < 20; call++) {
        expect((yield* Effect.flip(pipeline.run(session()))).reason._tag).toBe("BadRequest")
      }
      expect(picky.state.calls).toBe(20)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("counts calls in flight until the last part, the failure or the caller's leaving", () =>
    Effect.gen(function* () {
      const balancer = yield* Balancer
      const open = () => balancer.health("model", "live").inFlight
      const live = deployment("live", { live: true })
      const pipeline = begin.to(balance("model", [live]))
      const fiber = yield* Effect.forkChild(Stream.runDrain(pipeline.stream(session())))
      yield* Effect.yieldNow
      yield* TestClock.adjust(1)
      expect(open()).toBe(1)
      yield* Fiber.interrupt(fiber)
      expect(open()).toBe(0)
      yield* Stream.runDrain(Stream.take(pipeline.stream(session()), 1))
      expect(open()).toBe(0)
      live.state.behaviour = { fail: failure(new ModelError.Network()) }
      yield* Effect.exit(pipeline.run(session()))
      expect(open()).toBe(0)
      live.state.behaviour = { delay: "1 hour" }
      const hung = yield* Effect.forkChild(pipeline.run(session()))
      yield* TestClock.adjust("1 second")
      expect(open()).toBe(1)
      yield* Fiber.interrupt(hung)
      expect(open()).toBe(0)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("sends what begins alike to the same instance while it is healthy", () =>
    Effect.gen(function* () {
      const all = ["a", "b", "c", "d"].map((name) => deployment(name, { delay: "10 millis" }))
      const affinity = (facts: Context.Context<never>) => {
        const found = Context.getOption(facts, Session)
        return found._tag === "Some" ? found.value : undefined
      }
      const pipeline = begin.to(balance("model", [all[0]!, ...all.slice(1)], { affinity }))
      const homes = new Set<string>()
      for (let call = 0; call < 10; call++) homes.add((yield* advanced(pipeline.run(session("one")), "1 second")).text)
      expect(homes.size).toBe(1)
      const spread = new Set<string>()
      for (let key = 0; key < 40; key++)
        spread.add((yield* advanced(pipeline.run(session(`k${key}`)), "1 second")).text)
      expect(spread.size).toBe(4)
      const home = all.find(({ name }) => homes.has(name))!
      home.state.behaviour = { fail: failure(new ModelError.RateLimited({ retryAfterMs: 60_000 })) }
      yield* Effect.exit(pipeline.run(session("one")))
      expect((yield* advanced(pipeline.run(session("one")), "1 second")).text).not.toBe(home.name)
    }).pipe(Effect.provide(layerMemory), Random.withSeed("affinity"))
  )

  it.effect("weighs by capacity, and by cost while the cheap one is not overloaded", () =>
    Effect.gen(function* () {
      const big = deployment("big")
      const little = deployment("little")
      const weighted = begin.to(
        balance(
          "w",
          [
            { ...big, weight: 9 },
            { ...little, weight: 1 }
          ],
          { strategy: "weighted" }
        )
      )
      for (let call = 0; call < 200; call++) yield* weighted.run(session())
      expect(big.state.calls).toBeGreaterThan(160)
      expect(little.state.calls).toBeGreaterThan(5)
      const cheap = deployment("cheap", { delay: "1 second" })
      const dear = deployment("dear", { delay: "1 second" })
      const least = begin.to(
        balance(
          "c",
          [
            { ...dear, cost: 5 },
            { ...cheap, cost: 1 }
          ],
          { strategy: "least-cost" }
        )
      )
      for (let call = 0; call < 10; call++) yield* advanced(least.run(session()))
      expect(cheap.state.calls).toBeGreaterThan(7)
      const many = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 40 }, () => least.run(session())),
          { concurrency: 40 }
        )
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(many)
      expect(dear.state.calls).toBeGreaterThan(3)
    }).pipe(Effect.provide(layerMemory), Random.withSeed("weight"))
  )
})

import { describe, expect, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
import { Chat, type Choice, ChosenModel, ModelError, Part } from "@interlock/model"
import { fallback, fallbackWith } from "@interlock/stages/fallback"
import { hedge } from "@interlock/stages/hedge"
import { layerBudget, layerUnlimited, RetryBudget, retry, retryWith } from "@interlock/stages/retry"
import { type Duration, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"

const failure = (reason: ModelError.ModelError["reason"]) =>
  new ModelError.ModelError({ provider: "p", model: "m", reason, message: "it failed" })
const overloaded = failure(new ModelError.Overloaded({}))
const bad = failure(new ModelError.BadRequest({}))

interface Step {
  readonly delay?: Duration.Input
  readonly fail?: ModelError.ModelError
  readonly text?: string
  /** A live reply that breaks after its text. */
  readonly cut?: ModelError.ModelError
}

/** A handler that follows `steps`, and counts what it was asked and what is still open. */
const scripted = (steps: ReadonlyArray<Step>) => {
  const asked: Array<string> = []
  let open = 0
  const handler = Pipeline.handler(
    "scripted",
    { needs: { chosen: ChosenModel } },
    Effect.fnUntraced(function* ({ chosen }) {
      const step = steps[Math.min(asked.length, steps.length - 1)]!
      asked.push(`${chosen.model}${chosen.reason === undefined ? "" : ` (${chosen.reason})`}`)
      open++
      yield* Effect.addFinalizer(() => Effect.sync(() => void open--))
      if (step.delay !== undefined) yield* Effect.sleep(step.delay)
      if (step.fail !== undefined) return yield* step.fail
      const text = step.text ?? "answer"
      return step.cut === undefined
        ? Reply.whole(Part.text(text))
        : Reply.live(
            Stream.concat(
              Stream.fromIterable<Part.Part>([{ type: "text-delta", id: "0", delta: text }]),
              Stream.fail(step.cut)
            )
          )
    })
  )
  return { handler, asked, open: () => open }
}
const choice: Choice = {
  provider: "p",
  model: "first",
  candidates: [
    { provider: "p", model: "worst", predictedQuality: 0.1 },
    { provider: "p", model: "first", predictedQuality: 0.9 },
    { provider: "p", model: "second", predictedQuality: 0.8 }
  ]
}
const facts = ChosenModel.context(choice)
const begin = Pipeline.make("t", { input: [ChosenModel], protocol: Chat.protocol })
const started = <A, E, R>(effect: Effect.Effect<A, E, R>, by: Duration.Input = "5 minutes") =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.exit(effect))
    yield* TestClock.adjust(by)
    return yield* yield* Fiber.join(fiber)
  })

describe("retry", () => {
  it.effect("asks again, and releases what the failed try held", () =>
    Effect.gen(function* () {
      const model = scripted([{ fail: overloaded }, { fail: overloaded }, { text: "third" }])
      const answer = yield* started(begin.use(retry).to(model.handler).run(facts))
      expect(answer.text).toBe("third")
      expect(model.asked).toHaveLength(3)
      expect(model.open()).toBe(0)
    }).pipe(Effect.provide(layerUnlimited))
  )

  it.effect("gives up after its tries, and at once when another try is no use", () =>
    Effect.gen(function* () {
      const down = scripted([{ fail: overloaded }])
      expect(yield* Effect.flip(started(begin.use(retry).to(down.handler).run(facts)))).toBe(overloaded)
      expect(down.asked).toHaveLength(3)
      const refused = scripted([{ fail: bad }])
      expect(yield* Effect.flip(started(begin.use(retry).to(refused.handler).run(facts)))).toBe(bad)
      expect(refused.asked).toHaveLength(1)
    }).pipe(Effect.provide(layerUnlimited))
  )

  it.effect("waits as long as the provider asks, and not longer than it is willing to", () =>
    Effect.gen(function* () {
      const limited = failure(new ModelError.RateLimited({ retryAfterMs: 7000 }))
      const model = scripted([{ fail: limited }, { text: "later" }])
      const fiber = yield* Effect.forkChild(begin.use(retry).to(model.handler).run(facts))
      yield* TestClock.adjust(6999)
      expect(model.asked).toHaveLength(1)
      yield* TestClock.adjust(1)
      expect((yield* Fiber.join(fiber)).text).toBe("later")
      const impatient = scripted([{ fail: limited }])
      const stage = retryWith({ longest: "5 seconds" })
      expect(yield* Effect.flip(begin.use(stage).to(impatient.handler).run(facts))).toBe(limited)
      expect(impatient.asked).toHaveLength(1)
    }).pipe(Effect.provide(layerUnlimited))
  )

  it.effect("never after the first part", () =>
    Effect.gen(function* () {
      const model = scripted([{ text: "half", cut: overloaded }])
      const seen: Array<string> = []
      const stream = begin.use(retry).use(fallback).to(model.handler).stream(facts)
      const error = yield* Effect.flip(Stream.runForEach(stream, (part) => Effect.sync(() => seen.push(part.type))))
      expect(error).toBe(overloaded)
      expect(seen).toEqual(["text-delta"])
      expect(model.asked).toHaveLength(1)
      expect(model.open()).toBe(0)
    }).pipe(Effect.provide(layerUnlimited))
  )

  it.effect("keeps to its budget when everything fails", () =>
    Effect.gen(function* () {
      const model = scripted([{ fail: overloaded }])
      const pipeline = begin.use(retryWith({ base: 0 })).to(model.handler)
      for (let call = 0; call < 100; call++) yield* Effect.exit(started(pipeline.run(facts), 1))
      expect(model.asked.length).toBeGreaterThan(105)
      expect(model.asked.length).toBeLessThanOrEqual(113)
    }).pipe(Effect.provide(layerBudget({ share: 0.1, minimum: 2 })))
  )

  it.effect("a budget grows with calls and with time, and is not saved up without end", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget
      const all = Effect.gen(function* () {
        let count = 0
        while (yield* budget.withdraw) count++
        return count
      })
      expect(yield* all).toBe(2)
      for (let call = 0; call < 30; call++) yield* budget.deposit
      expect(yield* all).toBe(3)
      yield* TestClock.adjust("1 hour")
      expect(yield* all).toBe(2)
      for (let call = 0; call < 100_000; call++) yield* budget.deposit
      expect(yield* all).toBeLessThanOrEqual(102)
    }).pipe(Effect.provide(layerBudget({ share: 0.1001, minimum: 2 })))
  )
})

describe("fallback", () => {
  it.effect("asks the other candidates, best first, and says why", () =>
    Effect.gen(function* () {
      const model = scripted([{ fail: overloaded }, { fail: failure(new ModelError.Quota()) }, { text: "saved" }])
      const answer = yield* begin.use(fallback).to(model.handler).run(facts)
      expect(answer.text).toBe("saved")
      expect(model.asked).toEqual([
        "first",
        "second (fallback from p/first: Overloaded)",
        "worst (fallback from p/second: Quota)"
      ])
    }).pipe(Effect.provide(layerUnlimited))
  )

  it.effect("does not pass a bad request around, and fails with the last failure", () =>
    Effect.gen(function* () {
      const refused = scripted([{ fail: bad }])
      expect(yield* Effect.flip(begin.use(fallback).to(refused.handler).run(facts))).toBe(bad)
      expect(refused.asked).toHaveLength(1)
      const last = failure(new ModelError.Network())
      const down = scripted([{ fail: overloaded }, { fail: last }])
      const stage = fallbackWith({ to: () => [{ provider: "q", model: "other" }] })
      expect(yield* Effect.flip(begin.use(stage).to(down.handler).run(facts))).toBe(last)
    }).pipe(Effect.provide(layerUnlimited))
  )
})

describe("hedge", () => {
  const stage = hedge({ after: "1 second" })

  it.effect("leaves a fast call alone", () =>
    Effect.gen(function* () {
      const model = scripted([{ delay: "500 millis" }])
      expect((yield* started(begin.use(stage).to(model.handler).run(facts))).text).toBe("answer")
      expect(model.asked).toHaveLength(1)
    }).pipe(Effect.provide(layerUnlimited))
  )

  it.effect("takes whichever begins first, and releases the other at once", () =>
    Effect.gen(function* () {
      const model = scripted([
        { delay: "1 hour", text: "slow" },
        { delay: "1 second", text: "fast" }
      ])
      const held = Pipeline.handler("held", { needs: { chosen: ChosenModel } }, () =>
        Effect.tap(begin.use(stage).to(model.handler).handle(facts), () =>
          Effect.sync(() => openThen.push(model.open()))
        )
      )
      const openThen: Array<number> = []
      const answer = yield* started(begin.to(held).run(facts))
      expect(answer.text).toBe("fast")
      expect(model.asked).toHaveLength(2)
      expect(openThen).toEqual([1])
      expect(model.open()).toBe(0)
    }).pipe(Effect.provide(layerUnlimited))
  )

  it.effect("fails only when no try is left, and releases both when the caller leaves", () =>
    Effect.gen(function* () {
      const early = scripted([{ fail: overloaded }])
      expect(yield* Effect.flip(started(begin.use(stage).to(early.handler).run(facts)))).toBe(overloaded)
      expect(early.asked).toHaveLength(1)
      const second = scripted([{ delay: "1 minute", text: "slow but sure" }, { fail: overloaded }])
      expect((yield* started(begin.use(stage).to(second.handler).run(facts))).text).toBe("slow but sure")
      const stuck = scripted([{ delay: "1 hour" }])
      const fiber = yield* Effect.forkChild(begin.use(stage).to(stuck.handler).run(facts))
      yield* TestClock.adjust("10 seconds")
      expect(stuck.open()).toBe(2)
      yield* Fiber.interrupt(fiber)
      expect(stuck.open()).toBe(0)
    }).pipe(Effect.provide(layerUnlimited))
  )

  it.effect("does not hedge beyond its budget", () =>
    Effect.gen(function* () {
      const model = scripted([{ delay: "3 seconds" }])
      for (let call = 0; call < 5; call++) yield* started(begin.use(stage).to(model.handler).run(facts))
      expect(model.asked.length).toBeLessThanOrEqual(10)
      expect(model.asked.length).toBeGreaterThanOrEqual(6)
    }).pipe(Effect.provide(layerBudget({ share: 0, minimum: 1 })))
  )
})

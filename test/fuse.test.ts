import { describe, expect, it } from "@effect/vitest"
import { type Handler, Pipeline, Reply } from "@interlock/core"
import { Caller, Chat, Journal, Part, Prompt, RawPrompt, SafePrompt } from "@interlock/model"
import { first, fuse, fusionOf, logOdds, selfConsistency, synthesize, vote, weighted } from "@interlock/stages/fuse"
import { choice, finalNumber, normalized } from "@interlock/stages/fuse/extract"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { ScriptedModel } from "@interlock/testing"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"

const facts = RawPrompt.context(Prompt.make("What is 6 times 7?"))
const close = <E, R>(handler: Handler.Handler<never, Part.Part, E, R>) =>
  Pipeline.make("t", { input: [RawPrompt], protocol: Chat.protocol }).to(handler)
const says = (...texts: readonly [string, ...Array<string>]) => {
  const [head, ...tail] = texts.map((text) => ({ text }))
  return ScriptedModel.make([head!, ...tail])
}
const numbers = vote({ extract: finalNumber })

/** A member whose one try costs so much. */
const priced = (text: string, costUsd: number) =>
  Pipeline.handler(
    "priced",
    { needs: {} },
    Effect.fnUntraced(function* () {
      yield* Journal.record({
        _tag: "Attempt",
        provider: "p",
        model: text,
        startedAt: 0,
        endedAt: 0,
        outcome: "answered",
        costUsd
      })
      return Reply.whole(Part.text(text))
    })
  )

describe("vote", () => {
  it.effect("takes what most members say, and says who dissents", () =>
    Effect.gen(function* () {
      const [a, b, c] = [yield* says("It is 41."), yield* says("6 × 7 = 42"), yield* says("42.0")]
      const answer = yield* close(fuse("f", { a: a.handler, b: b.handler, c: c.handler }, numbers)).run(facts)
      expect(answer.text).toBe("6 × 7 = 42")
      expect(fusionOf(answer)).toMatchObject({
        strategy: "vote",
        winner: "b",
        decided: true,
        agreement: 2 / 3,
        dissent: ["a"],
        scores: { a: 1, b: 2, c: 2 }
      })
      expect(fusionOf(answer)?.candidates.map(({ name, text, vote }) => [name, text, vote])).toEqual([
        ["a", "It is 41.", "41"],
        ["b", "6 × 7 = 42", "42"],
        ["c", "42.0", "42"]
      ])
    })
  )

  it.effect("an answer without an extract abstains", () =>
    Effect.gen(function* () {
      const [a, b, c] = [yield* says("I cannot say"), yield* says("No idea"), yield* says("42")]
      const answer = yield* close(fuse("f", { a: a.handler, b: b.handler, c: c.handler }, numbers)).run(facts)
      expect(answer.text).toBe("42")
      expect(fusionOf(answer)).toMatchObject({ agreement: 1, scores: { c: 1 }, decided: true })
    })
  )

  it.effect("a tie decides nothing: the first member stands, or the call is refused", () =>
    Effect.gen(function* () {
      const members = { a: (yield* says("41")).handler, b: (yield* says("42")).handler }
      const answer = yield* close(fuse("f", members, numbers)).run(facts)
      expect(answer.text).toBe("41")
      expect(fusionOf(answer)).toMatchObject({ decided: false, agreement: 0.5, dissent: ["b"] })
      const error = yield* Effect.flip(close(fuse("f", members, numbers, { undecided: "refuse" })).run(facts))
      expect(error).toMatchObject({ _tag: "@interlock/stages/FuseError", reason: "Undecided" })
    })
  )

  it.effect("of a tie between some, the first of these is taken, not an answer that had fewer votes", () =>
    Effect.gen(function* () {
      const model = yield* says("7", "42", "13", "It is 13", "42!")
      const five = { model: model.handler }
      const samples = selfConsistency({ samples: 5, extract: finalNumber })
      const answer = yield* close(fuse("f", five, samples)).run(facts)
      expect(answer.text).toBe("42")
      expect(fusionOf(answer)).toMatchObject({
        decided: false,
        winner: "model#2",
        agreement: 0.4,
        dissent: ["model#1", "model#3", "model#4"]
      })
      const again = yield* says("7", "42", "13", "It is 13", "42!")
      const refused = yield* Effect.flip(
        close(fuse("f", { model: again.handler }, samples, { undecided: "refuse" })).run(facts)
      )
      expect(refused.message).toContain("between model#2, model#3, model#4, model#5 by")
    })
  )

  it.effect("an answer that has no vote cannot stand in a tie, and does not dissent", () =>
    Effect.gen(function* () {
      const members = {
        a: (yield* says("I cannot say")).handler,
        b: (yield* says("41")).handler,
        c: (yield* says("42")).handler
      }
      const answer = yield* close(fuse("f", members, numbers)).run(facts)
      expect(answer.text).toBe("41")
      expect(fusionOf(answer)).toMatchObject({ decided: false, winner: "b", agreement: 0.5, dissent: ["c"] })
    })
  )

  it.effect("counts the cost of every member, and of each", () =>
    Effect.gen(function* () {
      const journal = Journal.make()
      const answer = yield* close(
        fuse("f", { a: priced("42", 0.1), b: priced("42", 0.2), c: priced("7", 0.4) }, numbers)
      )
        .run(facts)
        .pipe(Effect.provideService(Journal.Journal, journal))
      const fusion = fusionOf(answer)!
      expect(fusion.cost.usd).toBeCloseTo(0.7)
      expect(fusion.cost.tries).toBe(3)
      expect(fusion.candidates.map(({ cost }) => cost.usd)).toEqual([0.1, 0.2, 0.4])
      expect(Journal.cost(journal).usd).toBeCloseTo(0.7)
      expect(JSON.stringify(journal.events().filter(({ _tag }) => _tag === "Fact"))).not.toContain("42")
    })
  )

  it.effect("early: interrupts those who can no longer change the outcome", () =>
    Effect.gen(function* () {
      const slow = yield* ScriptedModel.make([{ hang: true }])
      const members = { a: (yield* says("42")).handler, b: (yield* says("42")).handler, c: slow.handler }
      const answer = yield* close(fuse("f", members, vote({ extract: finalNumber, early: true }))).run(facts)
      expect(answer.text).toBe("42")
      expect(fusionOf(answer)?.candidates[2]).toMatchObject({ name: "c", outcome: "cancelled" })
      expect(slow.open()).toBe(0)
    })
  )
})

describe("quorum", () => {
  const failing = ScriptedModel.make([{ fail: ScriptedModel.overloaded }])

  it.effect("members may fail down to the quorum", () =>
    Effect.gen(function* () {
      const members = { a: (yield* failing).handler, b: (yield* says("42")).handler, c: (yield* says("42")).handler }
      const answer = yield* close(fuse("f", members, numbers)).run(facts)
      expect(answer.text).toBe("42")
      expect(fusionOf(answer)?.candidates[0]).toMatchObject({ outcome: "failed", error: "Overloaded" })
    })
  )

  it.effect("below it the call fails, and those still at work are interrupted", () =>
    Effect.gen(function* () {
      const hanging = yield* ScriptedModel.make([{ hang: true }])
      const members = { a: (yield* says("42")).handler, b: (yield* failing).handler, c: hanging.handler }
      const error = yield* Effect.flip(close(fuse("f", members, numbers, { quorum: 3 })).run(facts))
      expect(error).toMatchObject({ reason: "Quorum", failed: { b: "Overloaded" } })
      expect(error.message).not.toContain("42.")
      expect(hanging.open()).toBe(0)
    })
  )

  it.effect("when nobody answers, the first member's own error is the failure", () =>
    Effect.gen(function* () {
      const members = { a: (yield* failing).handler, b: (yield* failing).handler }
      expect(yield* Effect.flip(close(fuse("f", members, numbers)).run(facts))).toBe(ScriptedModel.overloaded)
    })
  )

  it.effect("patience: waits so long for the rest, then answers without them", () =>
    Effect.gen(function* () {
      const slow = yield* ScriptedModel.make([{ text: "41", delay: "10 seconds" }])
      const members = { a: slow.handler, b: (yield* says("42")).handler }
      const fused = close(fuse("f", members, numbers, { quorum: 1, patience: "2 seconds" }))
      const fiber = yield* Effect.forkChild(fused.run(facts))
      for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
      yield* TestClock.adjust("1999 millis")
      expect(fiber.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust("1 millis")
      const answer = yield* Fiber.join(fiber)
      expect(answer.text).toBe("42")
      expect(fusionOf(answer)?.candidates[0]?.outcome).toBe("cancelled")
      expect(slow.open()).toBe(0)
    })
  )

  it("a quorum that cannot be is refused when the handler is made", () => {
    const member = priced("42", 0)
    expect(() => fuse("f", { a: member }, vote(), { quorum: 2 })).toThrow("from 1 to the 1 calls")
    expect(() => fuse("f", { a: member }, selfConsistency({ samples: 0 }))).toThrow("0 times")
    expect(() => fuse("f", { a: member, b: member }, first(), { quorum: 2 })).toThrow("give `first` a `good`")
    expect(fuse("f", { a: member, b: member }, first({ good: () => true }), { quorum: 2 }).name).toBe("f")
  })
})

describe("weighted", () => {
  it.effect("one strong member outweighs two weak ones", () =>
    Effect.gen(function* () {
      const members = {
        weak: (yield* says("41")).handler,
        feeble: (yield* says("41")).handler,
        strong: priced("42", 0)
      }
      const strategy = weighted(
        { weak: logOdds(0.55), feeble: logOdds(0.55), strong: logOdds(0.9) },
        { extract: finalNumber }
      )
      const answer = yield* close(fuse("f", members, strategy)).run(facts)
      expect(answer.text).toBe("42")
      expect(fusionOf(answer)?.agreement).toBeCloseTo(logOdds(0.9) / (logOdds(0.9) + 2 * logOdds(0.55)))
    })
  )

  it("does not compile for a member without a weight, and refuses a weight that is none", () => {
    // @ts-expect-error there is no weight for b
    expect(fuse("f", { a: priced("1", 0), b: priced("1", 0) }, weighted({ a: 1 })).name).toBe("f")
    expect(() => weighted({ a: -1 })).toThrow('"a" is -1')
    expect(logOdds(0.3)).toBe(0)
  })
})

describe("selfConsistency", () => {
  it.effect("asks one model several times", () =>
    Effect.gen(function* () {
      const model = yield* says("41", "42", "It is 42", "43", "42")
      const answer = yield* close(
        fuse("f", { model: model.handler }, selfConsistency({ samples: 5, extract: finalNumber }))
      ).run(facts)
      expect(answer.text).toBe("42")
      expect(model.calls()).toBe(5)
      expect(fusionOf(answer)).toMatchObject({ winner: "model#2", agreement: 0.6, dissent: ["model#1", "model#4"] })
    })
  )
})

describe("first", () => {
  it.effect("streams whichever begins first, and interrupts the others", () =>
    Effect.gen(function* () {
      const slow = yield* ScriptedModel.make([{ text: "late", delay: "10 seconds" }])
      const broken = yield* ScriptedModel.make([{ fail: ScriptedModel.overloaded }])
      const quick = yield* ScriptedModel.make([{ deltas: ["a ", "b "], delay: "1 seconds" }])
      const members = { slow: slow.handler, broken: broken.handler, quick: quick.handler }
      const parts: Array<Part.Part> = []
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(close(fuse("f", members, first())).stream(facts), (part) =>
          Effect.sync(() => {
            if (part.type === "text-delta") expect(slow.open()).toBe(0)
            parts.push(part)
          })
        )
      )
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(fiber)
      expect(parts.flatMap((part) => (part.type === "text-delta" ? [part.delta] : []))).toEqual(["a ", "b "])
      const answer = parts.reduce(Chat.protocol.append, Chat.protocol.empty())
      expect(fusionOf(answer)).toMatchObject({ winner: "quick" })
      expect(fusionOf(answer)?.candidates.map(({ outcome }) => outcome)).toEqual(["cancelled", "failed", "answered"])
      expect([slow.open(), quick.open()]).toEqual([0, 0])
    })
  )

  it.effect("with `good`, takes the first good whole answer; when none is good, nothing is decided", () =>
    Effect.gen(function* () {
      const slow = yield* ScriptedModel.make([{ hang: true }])
      const members = { a: (yield* says("I cannot")).handler, b: (yield* says("42")).handler, slow: slow.handler }
      const good = first({ good: ({ text }) => /\d/.test(text) })
      const answer = yield* close(fuse("f", members, good)).run(facts)
      expect(answer.text).toBe("42")
      expect(slow.open()).toBe(0)
      const none = yield* close(fuse("f", { a: members.a }, good)).run(facts)
      expect(fusionOf(none)?.decided).toBe(false)
    })
  )

  it.effect("when all fail, the first member's error is the failure", () =>
    Effect.gen(function* () {
      const one = yield* ScriptedModel.make([{ fail: ScriptedModel.overloaded }])
      const two = yield* ScriptedModel.make([{ fail: ScriptedModel.disconnected }])
      const fused = close(fuse("f", { one: one.handler, two: two.handler }, first()))
      expect(yield* Effect.flip(fused.run(facts))).toBe(ScriptedModel.overloaded)
    })
  )
})

describe("interruption", () => {
  it.effect("an interrupt while members are at work releases what they hold", () =>
    Effect.gen(function* () {
      const hanging = yield* ScriptedModel.make([{ hang: true }])
      const members = { a: (yield* says("42")).handler, b: hanging.handler, c: hanging.handler }
      const fiber = yield* Effect.forkChild(close(fuse("f", members, numbers)).run(facts))
      while (hanging.calls() < 2) yield* Effect.yieldNow
      expect(hanging.open()).toBe(2)
      yield* Fiber.interrupt(fiber)
      expect(hanging.open()).toBe(0)
    })
  )
})

describe("below redact", () => {
  it.effect("members and writer see no value, the caller sees it, and what is said of the candidates is redacted", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const echo = Pipeline.handler("echo", { needs: { prompt: SafePrompt } }, ({ prompt }) =>
        Effect.sync(() => {
          seen.push(Prompt.text(prompt))
          return Reply.whole(Part.text(Prompt.lastUserText(prompt)))
        })
      )
      const writer = Pipeline.make("writer", { input: [RawPrompt, Caller], protocol: Chat.protocol })
        .use(redact)
        .to(echo)
      const answer = yield* Pipeline.make("t", { input: [RawPrompt, Caller], protocol: Chat.protocol })
        .use(redact)
        .to(fuse("f", { one: echo, two: echo }, synthesize({ handler: writer })))
        .run(
          Context.merge(
            RawPrompt.context(Prompt.make("Write to jane.roe@example.org today")),
            Caller.context({ tenant: "acme", conversation: "c1" })
          )
        )
        .pipe(Effect.provide(Layer.mergeAll(Detector.layer, Vault.layerMemory)))
      expect(seen.length).toBe(3)
      expect(seen.join()).not.toContain("jane.roe")
      expect(answer.text.match(/jane\.roe@example\.org/g)?.length).toBe(3)
      expect(JSON.stringify(fusionOf(answer))).not.toContain("jane.roe")
    })
  )
})

describe("extractors", () => {
  it("read what an answer says", () => {
    expect(normalized("  Paris! ")).toBe("paris")
    expect(normalized("“PARIS”.")).toBe("paris")
    expect(normalized("…")).toBe(undefined)
    expect(finalNumber("first 3, then 1,200.50")).toBe("1200.5")
    expect(finalNumber("x = -4")).toBe("-4")
    expect(finalNumber("none")).toBe(undefined)
    expect(choice()("A is wrong. The answer is **(C)**.")).toBe("C")
    expect(choice()("b")).toBe("B")
    expect(choice()("答案：D")).toBe("D")
    expect(choice()("Because of a mistake")).toBe(undefined)
  })

  it("choice reads the letter through Markdown and LaTeX, and takes no article for a letter", () => {
    for (const said of [
      "**Answer:** C",
      "**Final answer: C**",
      "The answer is C because of B",
      "The answer is option C.",
      "The answer is \\boxed{\\text{C}}.",
      "So we get $\\boxed{C}$",
      "The correct option is C, not B.",
      "C. Paris, as A and B are not capitals",
      "C) Paris",
      "C\nA river runs through it",
      "Answer:\n\nC",
      "答案是：C"
    ]) {
      expect([said, choice()(said)]).toEqual([said, "C"])
    }
    expect(choice()(`answer${" ".repeat(20_000)}: (${" ".repeat(20_000)}x`)).toBe(undefined)
    expect(choice()(`The answer${" ".repeat(20_000)}is${"\n".repeat(20_000)}C`)).toBe("C")
    for (const said of ["A river runs through it", "The answer is a river", "I think so", "a"]) {
      expect([said, choice("ABCDI")(said)]).toEqual([said, said === "a" ? "A" : undefined])
    }
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Chat, Journal } from "@interlock/model"
import { PromptFile, Report, Workload } from "@interlock/workload"
import { Deferred, Effect, Exit, Fiber, FileSystem, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"

class Busy extends Schema.TaggedError<Busy>()("Busy", { message: Schema.String }) {}

const prompts = (count: number): ReadonlyArray<PromptFile.Prompt> =>
  Array.from({ length: count }, (_, index) => ({ line: index + 1, id: `${index + 1}`, prompt: `prompt ${index}` }))

const answer = (text: string): Chat.Answer => ({ ...Chat.empty, text })

const attempt = {
  _tag: "Attempt",
  provider: "p",
  model: "m",
  startedAt: 0,
  endedAt: 1,
  outcome: "answered",
  usage: { inputTokens: { total: 10 }, outputTokens: { total: 5 } }
} as const

describe("PromptFile", () => {
  it.effect("reads prompts, passes over empty lines, and says what is wrong with the others", () =>
    Effect.gen(function* () {
      const text = [
        '\uFEFF{"prompt":"one"}',
        "",
        '{"prompt":7}',
        "{oops",
        '{"prompt":"  "}',
        '{"id":"x","prompt":"two"}'
      ].join("\r\n")
      const files = FileSystem.makeNoop({ stream: () => Stream.make(new TextEncoder().encode(text)) })
      const { bad, prompts } = yield* Effect.provideService(PromptFile.read("file"), FileSystem.FileSystem, files)
      assert.deepStrictEqual(prompts, [
        { line: 1, id: "1", prompt: "one" },
        { line: 6, id: "x", prompt: "two" }
      ])
      assert.deepStrictEqual(
        bad.map(({ line }) => line),
        [3, 4, 5]
      )
      assert.include(bad[2]?.message, "not empty")
    })
  )

  it.effect("a line that is not UTF-8 is no prompt, and the others are", () =>
    Effect.gen(function* () {
      const latin1 = Buffer.from('{"prompt":"café"}\n{"prompt":"tea"}', "latin1")
      // Bytes of one line, and of one character, may come apart.
      const utf8 = Buffer.from('\n{"prompt":"茶"}\n')
      const files = FileSystem.makeNoop({
        stream: () => Stream.make(latin1, ...Array.from(utf8, (byte) => Uint8Array.of(byte)))
      })
      const { bad, prompts } = yield* Effect.provideService(PromptFile.read("file"), FileSystem.FileSystem, files)
      assert.deepStrictEqual(
        prompts.map(({ prompt }) => prompt),
        ["tea", "茶"]
      )
      assert.deepStrictEqual(
        bad.map(({ line, reason }) => [line, reason]),
        [[1, "it is not UTF-8"]]
      )
    })
  )
})

describe("Workload", () => {
  it.effect("runs every prompt, counts failures by their tag, and sums the journals up", () =>
    Effect.gen(function* () {
      const ask = (prompt: string) =>
        Effect.gen(function* () {
          yield* Journal.record({ ...attempt, costUsd: 0.25 })
          if (prompt === "prompt 1") return yield* new Busy({ message: "later" })
          return answer(prompt)
        })
      const report = yield* Workload.run(prompts(4), { ask }, (outcomes, stopped) =>
        Effect.succeed(Report.make(outcomes, { stopped, badLines: 2 }))
      )
      assert.deepInclude(report, {
        calls: 4,
        answered: 3,
        failed: 1,
        badLines: 2,
        stopped: false,
        attempts: 4,
        inputTokens: 40,
        outputTokens: 20,
        costUsd: 1,
        costComplete: true,
        failures: { Busy: 1 },
        models: { "p/m": 4 }
      })
      assert.include(Report.table(report), "4 (3 answered, 1 failed)")
    })
  )

  it.effect("an unknown price is said, not summed up as zero", () =>
    Effect.sync(() => {
      const report = Report.make([{ line: 1, id: "1", latencyMs: 1, text: "", events: [attempt] }])
      assert.isFalse(report.costComplete)
      assert.include(Report.table(report), "some prices are not known")
    })
  )

  it.effect("an interrupt still reports what is there", () =>
    Effect.gen(function* () {
      const second = yield* Deferred.make<void>()
      const ask = (prompt: string) =>
        prompt === "prompt 0"
          ? Effect.succeed(answer("done"))
          : Effect.andThen(Deferred.succeed(second, undefined), Effect.never)
      const reports: Array<Report.Report> = []
      const fiber = yield* Effect.forkChild(
        Workload.run(prompts(3), { ask, concurrency: 1 }, (outcomes, stopped) =>
          Effect.sync(() => void reports.push(Report.make(outcomes, { stopped })))
        )
      )
      yield* Deferred.await(second)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      assert.deepStrictEqual(
        reports.map(({ calls, stopped }) => ({ calls, stopped })),
        [{ calls: 1, stopped: true }]
      )
    })
  )

  it.effect("what an interrupted call had cost by then is in the report", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const ask = () =>
        Journal.record({ ...attempt, costUsd: 0.25 }).pipe(
          Effect.andThen(Deferred.succeed(begun, undefined)),
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() => Journal.record({ ...attempt, outcome: "interrupted", costUsd: 0.5 }))
        )
      const reports: Array<Report.Report> = []
      const fiber = yield* Effect.forkChild(
        Workload.run(prompts(3), { ask, concurrency: 1 }, (outcomes, stopped, interrupted) =>
          Effect.sync(() => void reports.push(Report.make([...outcomes, ...interrupted], { stopped })))
        )
      )
      yield* Deferred.await(begun)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.interrupt(fiber)
      assert.lengthOf(reports, 1)
      assert.strictEqual(reports[0]?.latencyMs.max, 2000)
      assert.deepInclude(reports[0], { calls: 1, failures: { Interrupted: 1 }, attempts: 2, costUsd: 0.75 })
    })
  )

  it("the report of nothing is all zeros", () => {
    assert.deepInclude(Report.make([]), { calls: 0, costUsd: 0, latencyMs: { p50: 0, p90: 0, p99: 0, max: 0 } })
  })
})

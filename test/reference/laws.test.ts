import { randomUUID } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { GenAi, SafePrompt } from "@interlock/model"
import * as Stores from "@interlock/redis/stores"
import { AuditLog } from "@interlock/stages/audit"
import { Laws, ScriptedModel } from "@interlock/testing"
import * as Report from "@interlock/workload/Report"
import { run } from "@interlock/workload/Workload"
import { ConfigProvider, Effect, Layer, Stream } from "effect"
import fc from "fast-check"
import * as Server from "../../packages/redis/test/server.ts"
import { whileTimePasses } from "../../packages/redis/test/waiting.ts"
import { close, facts, services, servicesOn, stages } from "./pipeline.ts"

const calls = Effect.flatMap(AuditLog, (log) =>
  Stream.runFold(
    log.entries(),
    () => new Set<string>(),
    (known, entry) => known.add(entry.head.call)
  )
).pipe(Effect.orDie)

// The cache answers an equal question of an equal tenant: a law that asks twice must not be answered by the first.
let question = 0
const subject = {
  close,
  facts: (text: string) => facts(`${question++} ${text}`),
  examples: 20
}

const digits = fc.integer({ min: 10 ** 9, max: 10 ** 10 - 1 }).map(String)
const canary = fc.oneof(
  digits.map((number) => ({
    canary: `user${number}@contoso.org`,
    text: `Write to user${number}@contoso.org, please.`
  })),
  digits.map((number) => ({
    canary: `sk-proj-${number}${number}${number}abcdefABCDEF`,
    text: `{"key":"sk-proj-${number}${number}${number}abcdefABCDEF"}`
  })),
  digits.map((number) => ({
    canary: `+1 415 26${number.slice(0, 1)} ${number.slice(3, 7)}`,
    text: `Call +1 415 26${number.slice(0, 1)} ${number.slice(3, 7)} 😀`
  }))
)

const environment = (variables: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromUnknown(variables))

const inMemory = services.pipe(Layer.provide(environment({})))
// A name of its own for each test, in case the server is one that the environment gives.
const onRedis = Layer.unwrap(
  Effect.map(Server.url, (url) =>
    servicesOn(Stores.layerFromEnvironment({ name: randomUUID() })).pipe(Layer.provide(environment({ REDIS_URL: url })))
  )
)

describe.each([
  ["in memory", inMemory],
  ["on Redis", onRedis]
] as const)("the reference pipeline %s", (_, provided) => {
  it.effect("unary", () => Laws.unary(subject).pipe(whileTimePasses, Effect.provide(provided)))
  it.effect("chunking", () => Laws.chunking(subject).pipe(whileTimePasses, Effect.provide(provided)))
  it.effect("partial", () => Laws.partial(subject).pipe(whileTimePasses, Effect.provide(provided)))
  it.effect("release", () => Laws.release(subject).pipe(whileTimePasses, Effect.provide(provided)))
  it.effect("one record", () =>
    Laws.oneRecord(
      subject,
      Effect.map(calls, (known) => known.size)
    ).pipe(whileTimePasses, Effect.provide(provided))
  )

  it.effect("no leak", () =>
    Laws.noLeak({
      needs: SafePrompt,
      close: (model) => stages.to(model),
      facts: (text) => facts(text),
      prompts: canary,
      tracing: GenAi.tracing,
      examples: 100
    }).pipe(whileTimePasses, Effect.provide(provided))
  )

  it.effect("answers an equal question from the cache, with what it saved", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ text: "From nine to six." }])
      const pipeline = close(model.handler)
      const first = yield* pipeline.run(facts("When are you open?", "one"))
      const second = yield* pipeline.run(facts("When are you open?", "one"))
      assert.strictEqual(model.calls(), 1)
      assert.strictEqual(second.text, first.text)
      assert.strictEqual(second.metadata["costUsd"], 0)
    }).pipe(whileTimePasses, Effect.provide(provided))
  )

  it.effect("classifies, selects, and reports its cost beside always strong, always cheapest and chance", () =>
    Effect.gen(function* () {
      const prompts = [
        "Write a Python function that parses a CSV file and returns the mean of each column.",
        "Solve the equation 3x + 7 = 25 for x.",
        "Translate this sentence into French: where is the station?",
        "Summarise this article in three sentences: the council voted on Monday.",
        "用一句话总结这篇文章：市议会周一投票。"
      ].map((prompt, index) => ({ line: index + 1, id: `${index}`, prompt }))
      const model = yield* ScriptedModel.make([{ text: "Here it is." }])
      const pipeline = close(model.handler)
      const outcomes: Array<Report.Outcome> = []
      yield* run(prompts, { ask: (prompt) => pipeline.run(facts(prompt)), concurrency: 1 }, (all) =>
        Effect.sync(() => outcomes.push(...all))
      )
      const chosen = outcomes.map(({ events }) =>
        events.flatMap((event) =>
          event._tag === "Fact" && event.name === "ChosenModel" ? [event.attributes["model"]] : []
        )
      )
      assert.deepStrictEqual(chosen, [
        ["offline-large"],
        ["offline-large"],
        ["offline-small"],
        ["offline-small"],
        ["offline-small"]
      ])
      const report = Report.make(outcomes)
      const routing = report.routing!
      assert.strictEqual(routing.calls, prompts.length)
      // The strong model is ten times as dear, and chance asks it every second time.
      assert.isAbove(routing.alwaysCheapUsd, 0)
      assert.approximately(routing.alwaysStrongUsd / routing.alwaysCheapUsd, 10, 1e-9)
      assert.approximately(routing.randomUsd, (routing.alwaysStrongUsd + routing.alwaysCheapUsd) / 2, 1e-12)
      assert.isAbove(routing.chosenUsd, routing.alwaysCheapUsd)
      assert.isBelow(routing.chosenUsd, routing.alwaysStrongUsd)
      const table = Report.table(report)
      for (const row of ["Predicted cost", "always strong", "always cheapest", "by chance"]) assert.include(table, row)
    }).pipe(whileTimePasses, Effect.provide(provided))
  )

  it.effect("shows its stages in order", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([{ text: "" }])
      const picture = Pipeline.describe(close(model.handler))
      assert.deepStrictEqual(
        picture
          .split("\n")
          .slice(1)
          .map((line) => line.trim().split(" ")[0]),
        [
          ...[
            "audit",
            "classify",
            "selectModel",
            "redact",
            "redactParameters",
            "auditText",
            "checkRequest",
            "cache",
            "limit",
            "budget",
            "cachePrompt",
            "retry"
          ],
          "scriptedModel"
        ]
      )
    })
  )
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Collector, Ledger, Writer } from "@interlock/collector"
import { Pipeline, Reply, Stage } from "@interlock/core"
import {
  Caller,
  Chat,
  ChosenModel,
  type ModelError,
  Parameters,
  Part,
  Prompt,
  RawPrompt,
  SafePrompt
} from "@interlock/model"
import { collect } from "@interlock/stages/collect"
import { layerRules, lengthBetween } from "@interlock/stages/judge"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Effect, Layer } from "effect"

const root = mkdtempSync(join(tmpdir(), "collector-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0

const settings = Stage.derive("settings", { needs: {}, adds: Parameters }, () => Effect.succeed({}))
const chosen = Stage.derive("chosen", { needs: {}, adds: ChosenModel }, () =>
  Effect.succeed({ provider: "offline", model: "offline-large" })
)

type Says = (question: string, sample: number) => Effect.Effect<ReadonlyArray<Part.Part>, ModelError.ModelError>

/** A teacher that says what the test says, and the questions that it was asked. */
const teacherOf = (says: Says) => {
  const asked: Array<string> = []
  const model = Pipeline.handler("model", { needs: { prompt: SafePrompt } }, ({ prompt }) =>
    Effect.gen(function* () {
      const question = Prompt.lastUserText(prompt)
      asked.push(question)
      return Reply.whole(yield* says(question, yield* Collector.SampleNumber))
    })
  )
  const teacher = Pipeline.make("teacher", { input: [RawPrompt, Caller], protocol: Chat.protocol })
    .use(redact)
    .use(settings)
    .use(chosen)
    .use(collect)
    .to(model)
  return { asked, teacher }
}

const echo: Says = (question, sample) =>
  Effect.succeed(Part.text(`${sample === 0 ? "The answer" : "Another answer"} to ${question} is written here.`))

const setUp = (rows: ReadonlyArray<unknown>) => {
  const folder = join(root, String(folders++))
  const directory = join(folder, "dataset")
  const prompts = join(root, `${folders}.jsonl`)
  writeFileSync(prompts, rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"))
  return {
    prompts,
    ledger: join(root, `${folders}.db`),
    directory,
    output: { directory, name: "test", writers: [Writer.all["openai-chat"]!, Writer.all["trl-preference"]!] },
    read: (file: string) =>
      readFileSync(join(directory, file), "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line))
  }
}

const services = (filename = ":memory:", options: Partial<Ledger.Options> = {}) =>
  Layer.mergeAll(
    Ledger.layer({ filename, reserveBytes: 2 ** 16, survives: "process", ...options }),
    layerRules([lengthBetween(1, 500)]),
    Collector.StepRunner.layer,
    Detector.layer,
    Vault.layerMemory,
    NodeServices.layer
  )

const questions = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    prompt: `${["How", "When", "Where", "Why"][index % 4]} does part ${index} of thing ${index * 7} ${["turn", "stop", "glow"][index % 3]} number ${index}?`
  }))

describe("Collector", () => {
  it.effect("asks, judges, splits and writes; rows in are rows out and rows rejected", () => {
    const { directory, output, prompts, read } = setUp([
      ...questions(40),
      "{broken",
      { prompt: 7 },
      questions(1)[0],
      { messages: [{ role: "user", content: "Write to alice@example.com about the invoice, please, and be brief" }] }
    ])
    const { asked, teacher } = teacherOf(echo)
    return Effect.gen(function* () {
      const { counts, manifest, unfinished } = yield* Collector.run({ prompts, teacher, output })
      assert.strictEqual(unfinished, 0)
      assert.deepInclude(counts, { lines: 44, items: 41 })
      assert.deepStrictEqual(counts.linesRejected, { DuplicatePrompt: 1, UnreadableRow: 2 })
      assert.strictEqual(counts.samples.kept, 41)
      assert.strictEqual(asked.length, 41)
      assert.notInclude(asked.join(), "alice")
      const rows = [...read("openai-chat/train.jsonl"), ...read("openai-chat/validation.jsonl")]
      assert.strictEqual(rows.length, 41)
      assert.notInclude(JSON.stringify(rows), "alice")
      assert.deepStrictEqual(
        read("rejected.jsonl").map(({ line, reason }) => [line, reason]),
        [
          [41, "UnreadableRow"],
          [42, "UnreadableRow"],
          [43, "DuplicatePrompt"]
        ]
      )
      assert.include(read("rejected.jsonl")[0].detail, "line 41 is not a prompt")
      assert.strictEqual(manifest?.spending.teachers[0]?.answers, 41)
      assert.include(readFileSync(join(directory, "README.md"), "utf8"), "| **samples kept** | **41** |")
    }).pipe(Effect.provide(services()))
  })
})

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Collector, Ledger, TeacherPolicy, Writer } from "@interlock/collector"
import { Pipeline, Reply, Stage } from "@interlock/core"
import {
  Caller,
  Chat,
  ChosenModel,
  Journal,
  ModelError,
  Parameters,
  Part,
  Prompt,
  RawPrompt,
  SafePrompt
} from "@interlock/model"
import { collect } from "@interlock/stages/collect"
import { layerModel, layerRules, lengthBetween } from "@interlock/stages/judge"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Context, Effect, Layer } from "effect"

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

const refusedKey = new ModelError.ModelError({
  provider: "offline",
  model: "offline-large",
  reason: new ModelError.RefusedKey(),
  message: "the key was refused"
})

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

  it.effect("says what the judge cost, its failed tries included, apart from the teacher", () => {
    const { directory, ledger, output, prompts } = setUp(questions(4))
    const { teacher } = teacherOf(echo)
    const attempt = (outcome: "answered" | "failed", costUsd?: number) =>
      Journal.record({
        _tag: "Attempt",
        provider: "offline",
        model: "offline-small",
        startedAt: 0,
        endedAt: 1,
        outcome,
        ...(costUsd === undefined ? {} : { costUsd })
      })
    let judged = 0
    // Each verdict is the second try of two; the last of the four has no price and no verdict.
    const handler = Pipeline.handler(
      "judge",
      { needs: { prompt: RawPrompt, parameters: Parameters, caller: Caller } },
      () =>
        Effect.gen(function* () {
          judged++
          yield* attempt("failed", 0.25)
          yield* attempt("answered", judged === 4 ? undefined : 0.5)
          return Reply.whole(Part.text(judged === 4 ? "I would rather not." : '{"grade": 8}'))
        })
    )
    const whole = Layer.merge(services(ledger), layerModel({ handler }))
    return Effect.gen(function* () {
      const { counts, manifest, spending } = yield* Collector.run({ prompts, teacher, output, concurrency: 1 }).pipe(
        Effect.provide(whole)
      )
      assert.deepStrictEqual(counts.samplesRejected, { NotJudged: 1 })
      assert.deepStrictEqual(spending.judge, { tries: 8, costUsd: 2.5, costComplete: false })
      assert.deepInclude(spending, { tries: 4, costUsd: 0, costComplete: true })
      assert.deepStrictEqual(manifest?.spending, spending)
      const card = readFileSync(join(directory, "README.md"), "utf8")
      assert.include(card, "The judge came to $2.50 and more (some prices are not known) besides, for 8 tries")
      // What was judged is not judged again, and its cost stays.
      const again = yield* Collector.run({ prompts, teacher, output, resume: true }).pipe(Effect.provide(whole))
      assert.strictEqual(judged, 4)
      assert.deepStrictEqual(again.spending, spending)
    })
  })

  it.effect("goes on where it was, asks nothing twice, and comes to the same files", () => {
    const { ledger, output, prompts, read } = setUp(questions(30))
    const { asked, teacher } = teacherOf(echo)
    let calls = 0
    const stopping = teacherOf((question, sample) => (++calls > 25 ? Effect.fail(refusedKey) : echo(question, sample)))
    const options = { prompts, output, samples: 2, concurrency: 4 }
    return Effect.gen(function* () {
      const stopped = yield* Collector.run({ ...options, teacher: stopping.teacher }).pipe(
        Effect.flip,
        Effect.provide(services(ledger))
      )
      assert.strictEqual(stopped._tag, "@interlock/collector/TeacherStopped")
      assert.include(stopped.message, "run again with --resume")
      // No call begins once the key is refused; those under way may end.
      assert.isAtMost(calls, 25 + 4)
      const begun = yield* Collector.run({ ...options, teacher }).pipe(Effect.flip, Effect.provide(services(ledger)))
      assert.strictEqual(begun._tag, "@interlock/collector/AlreadyBegun")
      const resume = { ...options, teacher, resume: true }
      const first = yield* Collector.run(resume).pipe(Effect.provide(services(ledger)))
      assert.strictEqual(asked.length, 60 - 25)
      assert.strictEqual(first.spending.answers, 60)
      const files = first.manifest?.files.map(({ sha256 }) => sha256)
      const again = yield* Collector.run(resume).pipe(Effect.provide(services(ledger)))
      assert.strictEqual(asked.length, 60 - 25)
      assert.deepStrictEqual(
        again.manifest?.files.map(({ sha256 }) => sha256),
        files
      )
      writeFileSync(prompts, readFileSync(prompts, "utf8").split("\n").slice(0, 20).join("\n"))
      const shorter = yield* Collector.run(resume).pipe(Effect.flip, Effect.provide(services(ledger)))
      assert.include(shorter.message, "has 20 lines, and had 30")
      const other = yield* Collector.run({ ...resume, samples: 3 }).pipe(Effect.flip, Effect.provide(services(ledger)))
      assert.include(other.message, "was begun with 2 samples")
      assert.isAbove(read("openai-chat/train.jsonl").length, 20)
    })
  })

  it.effect("a teacher that refuses, rambles, is cut off or says nothing makes rows with a reason", () => {
    const { output, prompts, read } = setUp(questions(6))
    const answers: ReadonlyArray<ReadonlyArray<Part.Part>> = [
      Part.text("I'm sorry, but I can't help with that."),
      Part.text(
        "Check the cable, then the plug, then the fuse, then the switch, then the lamp, then the cord. ".repeat(20)
      ),
      [{ type: "text", text: "This goes on and" }, Part.finish("length")],
      Part.text("  "),
      Part.text("This is an answer."),
      [{ type: "text", text: "Something" }, Part.finish("content-filter")]
    ]
    let next = 0
    const { teacher } = teacherOf(() => Effect.sync(() => answers[next++]!))
    return Effect.gen(function* () {
      const { counts } = yield* Collector.run({ prompts, teacher, output, concurrency: 1 })
      assert.deepStrictEqual(counts.samplesRejected, { CutOff: 1, Empty: 1, Rambling: 1, Refused: 2 })
      assert.strictEqual(counts.samples.kept, 1)
      assert.deepInclude(read("rejected.jsonl")[0], {
        line: 1,
        sample: 0,
        reason: "Refused",
        detail: "it says that it cannot"
      })
    }).pipe(Effect.provide(services()))
  })

  it.effect(
    "a call that fails is a row with a reason, its cost counts, and it is due again where that may help",
    () => {
      const { ledger, output, prompts } = setUp(questions(4))
      const { teacher } = teacherOf((question) =>
        Effect.fail(
          new ModelError.ModelError({
            provider: "offline",
            model: "offline-large",
            reason: question.includes("part 0") ? new ModelError.BadRequest({}) : new ModelError.Overloaded({}),
            message: "no"
          })
        )
      )
      const well = teacherOf(echo)
      return Effect.gen(function* () {
        const failed = yield* Collector.run({ prompts, teacher, output }).pipe(Effect.provide(services(ledger)))
        assert.deepStrictEqual(failed.counts.samplesRejected, { Failed: 4 })
        const resumed = yield* Collector.run({ prompts, teacher: well.teacher, output, resume: true }).pipe(
          Effect.provide(services(ledger))
        )
        assert.strictEqual(well.asked.length, 3)
        assert.deepStrictEqual(resumed.counts.samplesRejected, { Failed: 1 })
        assert.strictEqual(resumed.counts.samples.kept, 3)
      })
    }
  )

  it.effect("a prompt that may not be redacted is a row with a reason", () => {
    const { output, prompts } = setUp(questions(2))
    const { asked, teacher } = teacherOf(echo)
    const failing = Layer.succeed(Detector, {
      name: "failing",
      detect: () => Effect.fail(new Error("no") as never)
    })
    return Effect.gen(function* () {
      const { counts } = yield* Collector.run({ prompts, teacher, output })
      assert.strictEqual(asked.length, 0)
      assert.deepStrictEqual(counts.samplesRejected, { Failed: 2 })
    }).pipe(Effect.provide(failing), Effect.provide(services()))
  })

  it.effect("asks nobody where something is wrong beforehand", () => {
    const { output, prompts } = setUp(questions(3))
    const { asked, teacher } = teacherOf(echo)
    const run = (options: Partial<Collector.Options<never, never>>) =>
      Effect.flip(Collector.run({ prompts, teacher, output, ...options } as Collector.Options<never, never>))
    return Effect.gen(function* () {
      const unread = yield* run({ evaluationSets: [{ name: "exam", path: "nowhere.jsonl" }] })
      assert.strictEqual(unread._tag, "@interlock/collector/EvaluationSetError")
      const restricted = yield* run({ teachers: [{ provider: "openai", model: "gpt-5" }] })
      assert.strictEqual(restricted._tag, "@interlock/collector/RestrictedTeacher")
      assert.include(restricted.message, "compete with OpenAI")
      const missing = yield* run({ prompts: join(root, "nowhere.jsonl") })
      assert.include(missing.message, "there is no such file")
      assert.strictEqual(asked.length, 0)
    }).pipe(Effect.provide(services()))
  })

  it.effect("exports what a restricted teacher said on somebody's word only, and says whose", () => {
    const { directory, ledger, output, prompts } = setUp(questions(3))
    const { teacher } = teacherOf(echo)
    const unknown: TeacherPolicy.Policy = { entries: [] }
    return Effect.gen(function* () {
      const refused = yield* Collector.run({ prompts, teacher, output }).pipe(
        Effect.provideService(TeacherPolicy.TeacherPolicy, unknown),
        Effect.flip,
        Effect.provide(services(ledger))
      )
      assert.strictEqual(refused._tag, "@interlock/collector/RestrictedTeacher")
      assert.isFalse(existsSync(join(directory, "manifest.json")))
      const override = { by: "Ada", reason: "our contract allows it" }
      const { manifest } = yield* Collector.run({ prompts, teacher, output, resume: true }).pipe(
        Effect.provideService(TeacherPolicy.TeacherPolicy, { ...unknown, override }),
        Effect.provide(services(ledger))
      )
      assert.deepStrictEqual(manifest?.override, override)
      assert.include(readFileSync(join(directory, "README.md"), "utf8"), "on the word of Ada**")
    })
  })

  it.effect("keeps evaluation sets out: of lines before they are asked, and of answers after", () => {
    const { output, prompts } = setUp([
      ...questions(3),
      { prompt: "Which is the largest ocean of the world?" },
      { prompt: "Say something about the moon, in one sentence, and nothing else." }
    ])
    const set = join(root, "set.txt")
    writeFileSync(
      set,
      "Which is the largest ocean of the world?\nThe moon takes about twenty-seven days to go around the earth once, and always shows one face.\n"
    )
    const { asked, teacher } = teacherOf((question, sample) =>
      question.includes("moon")
        ? Effect.succeed(Part.text("The moon takes about twenty-seven days to go around the earth once, as it seems."))
        : echo(question, sample)
    )
    return Effect.gen(function* () {
      const evaluationSets = [{ name: "astronomy", path: set }]
      const { counts, manifest } = yield* Collector.run({ prompts, teacher, output, evaluationSets })
      assert.strictEqual(asked.length, 4)
      assert.deepStrictEqual(counts.linesRejected, { Contaminated: 1 })
      assert.deepStrictEqual(counts.samplesRejected, { Contaminated: 1 })
      assert.deepStrictEqual(manifest?.contamination, [{ set: "astronomy", documents: 2, lines: 1, items: 1 }])
    }).pipe(Effect.provide(services()))
  })

  it.effect("stops when there is no room, with everything that was received on the disk", () => {
    const { ledger, output, prompts } = setUp(questions(80))
    const long = (question: string) => Array.from({ length: 400 }, (_, index) => `${question} ${index}`).join("; ")
    const { asked, teacher } = teacherOf((question) => Effect.succeed(Part.text(long(question))))
    return Effect.gen(function* () {
      const options = { prompts, teacher, output, concurrency: 8 }
      yield* Effect.gen(function* () {
        const full = yield* Effect.flip(Collector.run(options))
        assert.deepInclude(full, { _tag: "@interlock/collector/LedgerError", reason: "Full" })
        const { spending, unfinished } = yield* Collector.report
        assert.strictEqual(spending.answers, asked.length)
        assert.strictEqual(unfinished, 80)
      }).pipe(Effect.provide(services(ledger, { maximumBytes: 600_000, reserveBytes: 2 ** 19 })))
      assert.isBelow(asked.length, 80)
      const { counts } = yield* Collector.run({ ...options, resume: true }).pipe(Effect.provide(services(ledger)))
      assert.strictEqual(asked.length, 80)
      assert.strictEqual(counts.samples.kept + counts.samples.rejected, 80)
    })
  })

  it.effect("makes data of the traffic of a running service", () => {
    const { output } = setUp([])
    const { teacher } = teacherOf(echo)
    return Effect.gen(function* () {
      for (const { prompt } of questions(5)) {
        yield* teacher.run(Context.add(RawPrompt.context(Prompt.make(prompt)), Caller, { tenant: "acme" }))
      }
      const { counts } = yield* Collector.run({ teacher, output })
      assert.deepInclude(counts, { lines: 5, items: 5 })
      assert.strictEqual(counts.samples.kept, 5)
    }).pipe(Effect.provide(services()))
  })

  it.effect("keeps evaluation sets out of reasoning too, which some writers write", () => {
    const { output, prompts } = setUp(questions(2))
    const set = join(root, "thoughts.txt")
    const exam =
      "A train leaves the station at nine and travels at eighty kilometres an hour, while another leaves at ten."
    writeFileSync(set, `${exam}\n`)
    const { teacher } = teacherOf((question) =>
      Effect.succeed([
        { type: "reasoning", text: `I remember: ${exam}` },
        ...Part.text(`The answer to ${question} is this.`)
      ])
    )
    return Effect.gen(function* () {
      const evaluationSets = [{ name: "exam", path: set }]
      const { counts } = yield* Collector.run({ prompts, teacher, output, evaluationSets })
      assert.deepStrictEqual(counts.samplesRejected, { Contaminated: 2 })
    }).pipe(Effect.provide(services()))
  })

  it.effect("a resumed run with another minimum score keeps what that score allows, as its manifest says", () => {
    const { ledger, output, prompts } = setUp(questions(4))
    const { asked, teacher } = teacherOf(echo)
    const halfGood = layerRules([lengthBetween(1, 500), lengthBetween(1000, 2000)])
    const run = (minimumScore: number, resume: boolean) =>
      Collector.run({ prompts, teacher, output, minimumScore, resume }).pipe(
        Effect.provide(halfGood),
        Effect.provide(services(ledger))
      )
    return Effect.gen(function* () {
      assert.deepStrictEqual((yield* run(0.9, false)).counts.samplesRejected, { LowScore: 4 })
      const lower = yield* run(0.4, true)
      assert.strictEqual(lower.manifest?.judge.minimumScore, 0.4)
      assert.strictEqual(lower.counts.samples.kept, 4)
      assert.deepStrictEqual((yield* run(0.9, true)).counts.samplesRejected, { LowScore: 4 })
      assert.strictEqual(asked.length, 4)
    })
  })

  it.effect("a file that is not there begins no collection: the next run needs no --resume", () => {
    const { ledger, output, prompts } = setUp(questions(2))
    const { teacher } = teacherOf(echo)
    return Effect.gen(function* () {
      yield* Collector.run({ prompts: join(root, "nowhere.jsonl"), teacher, output }).pipe(
        Effect.flip,
        Effect.provide(services(ledger))
      )
      const { counts } = yield* Collector.run({ prompts, teacher, output }).pipe(Effect.provide(services(ledger)))
      assert.strictEqual(counts.items, 2)
    })
  })

  it.effect("will not run over a pipeline that keeps nothing", () => {
    const { output, prompts } = setUp(questions(1))
    const teacher = Pipeline.make("forgetful", { input: [RawPrompt, Caller], protocol: Chat.protocol }).to(
      Pipeline.handler("model", { needs: {} }, () => Effect.succeed(Reply.whole(Part.text("yes"))))
    )
    return Effect.gen(function* () {
      const exit = yield* Effect.exit(Collector.run({ prompts, teacher, output }))
      assert.include(String(exit), "put .use(collect) below redact")
    }).pipe(Effect.provide(services()))
  })

  it.effect("says when rows were lost", () =>
    Effect.gen(function* () {
      const { counts } = yield* Collector.report
      yield* Collector.balance(counts)
      const lost = yield* Effect.flip(Collector.balance({ ...counts, lines: 3 }))
      assert.include(lost.message, "lines = prompts + lines rejected should hold, and 3 is not 0")
      const unwritten = yield* Effect.flip(Collector.balance(counts, { kept: 7 }))
      assert.include(unwritten.message, "samples written = samples kept")
    }).pipe(Effect.provide(services()))
  )
})

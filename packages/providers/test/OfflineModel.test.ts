import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Reply } from "@interlock/core"
import { Catalogue, Chat, Cost, Part, Prompt, type Settings } from "@interlock/model"
import { type Models, OfflineModel } from "@interlock/providers"
import { Effect, FileSystem, Path } from "effect"
import * as FastCheck from "fast-check"
import { safe } from "./fixture.ts"

const documents: ReadonlyArray<OfflineModel.Document> = [
  {
    name: "workshop.md",
    text: [
      "# The workshop",
      "",
      "## Opening hours",
      "",
      "The workshop is open from nine to six on weekdays. On Saturdays it closes at one.",
      "",
      "## Repairs",
      "",
      "- A puncture is repaired while you wait and costs 12 euros.",
      "- A wheel is trued within two days.",
      "",
      "## Lost property",
      "",
      "Umbrellas are kept for a month behind the counter."
    ].join("\n")
  },
  {
    name: "zh.md",
    text: "# 自行车店\n\n## 营业时间\n\n周一到周五早上九点开门，下午六点关门。周六下午一点关门。\n\n## 补胎\n\n补胎可以立等，价格是八十元。车轮校正需要两天。"
  }
]

const request = (
  prompt: string | ReadonlyArray<Prompt.Message>,
  options: { readonly model?: string; readonly settings?: Settings; readonly delivery?: "whole" | "live" } = {}
): Models.ModelRequest => ({
  provider: "offline",
  model: options.model ?? "offline-small",
  prompt: safe(Prompt.make(prompt)),
  settings: options.settings ?? {},
  delivery: options.delivery ?? "whole"
})

const model = OfflineModel.make(documents)

const ask = (...args: Parameters<typeof request>) =>
  Effect.scoped(
    model.call(request(...args)).pipe(
      Effect.flatMap(Reply.collect),
      Effect.map((parts) => parts.reduce(Chat.protocol.append, Chat.protocol.empty()))
    )
  )

describe("OfflineModel", () => {
  it.effect("answers from the documents, in their words and in the language of the question", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        (yield* ask("When is the workshop open on weekdays?")).text,
        "The workshop is open from nine to six on weekdays."
      )
      assert.include((yield* ask("How much does a puncture cost?")).text, "12 euros")
      assert.strictEqual((yield* ask("补胎的价格是多少？")).text, "补胎可以立等，价格是八十元。")
      assert.include((yield* ask("请问周六几点关门？")).text, "周六下午一点关门。")
    })
  )

  it.effect("reads languages with and without spaces, with and without accents", () =>
    Effect.gen(function* () {
      const many = OfflineModel.make([
        { name: "de.md", text: "# Werkstatt\n\n## Preise\n\nEine Inspektion kostet 60 Euro. Die Kette wird geölt." },
        { name: "fr.md", text: "# Atelier\n\n## Tarifs\n\nUne révision coûte 65 euros et dure deux jours." },
        { name: "ja.md", text: "# 自転車店\n\n## 修理\n\nパンクの修理は二千円です。車輪の調整には二日かかります。" },
        { name: "ko.md", text: "# 자전거 가게\n\n## 수리\n\n펑크 수리는 이만 원입니다. 바퀴 조정은 이틀이 걸립니다." }
      ])
      const answer = (prompt: string) =>
        Effect.scoped(
          Effect.map(Effect.flatMap(many.call(request(prompt)), Reply.collect), ([first]) =>
            first?.type === "text" ? first.text : ""
          )
        )
      assert.strictEqual(yield* answer("Was kostet eine Inspektion?"), "Eine Inspektion kostet 60 Euro.")
      assert.include(yield* answer("Combien coute une revision ?"), "65 euros")
      assert.include(yield* answer("パンクの修理はいくらですか？"), "二千円")
      assert.include(yield* answer("펑크 수리 얼마예요?"), "이만 원")
    })
  )

  it.effect("says in the language of the question that it cannot answer, and says so in the metadata", () =>
    Effect.gen(function* () {
      const english = yield* ask("What is the capital of Australia?")
      assert.strictEqual(english.text, "I cannot answer that from the 2 documents I have.")
      assert.strictEqual(english.metadata["answered"], false)
      assert.match((yield* ask("谁写了《红楼梦》？")).text, /没有这个问题的答案/)
      assert.match((yield* ask("富士山の高さはどのくらいですか")).text, /答えられません/)
      assert.strictEqual((yield* ask("How much does a puncture cost?")).metadata["answered"], true)
    })
  )

  it.effect("finds the question among a greeting and personal matters, and follows up on the question before", () =>
    Effect.gen(function* () {
      const told = yield* ask(
        "Hello, my name is [PERSON_1], reachable at [EMAIL_1]. My niece Philippa rides to school in Ljubljana. How much does a puncture cost?"
      )
      assert.include(told.text, "12 euros")
      const followUp = yield* ask([
        { role: "user", content: "How much does a puncture cost?" },
        { role: "assistant", content: "A puncture is repaired while you wait and costs 12 euros." },
        { role: "user", content: "And how long?" }
      ])
      assert.include(followUp.text, "puncture")
    })
  )

  it.effect("forgives misspellings and names its sources when it is large, and not when it is small", () =>
    Effect.gen(function* () {
      const misspelt = "Where are umbrelas?"
      assert.strictEqual((yield* ask(misspelt)).metadata["answered"], false)
      const large = yield* ask(misspelt, { model: "offline-large" })
      assert.include(large.text, "Umbrellas are kept")
      assert.deepStrictEqual(
        large.sources.map((source) => source.title),
        ["The workshop › Lost property"]
      )
      assert.deepStrictEqual((yield* ask("How much does a puncture cost?")).sources, [])
    })
  )

  it.effect("gives the same answer whole and live, and every time", () =>
    Effect.gen(function* () {
      for (const prompt of [
        "How much does a puncture cost?",
        "补胎的价格是多少？",
        "What is the capital of Australia?"
      ]) {
        for (const name of ["offline-small", "offline-large"]) {
          const whole = yield* ask(prompt, { model: name })
          assert.deepStrictEqual(yield* ask(prompt, { model: name }), whole)
          assert.deepStrictEqual(yield* ask(prompt, { model: name, delivery: "live" }), whole)
        }
      }
    })
  )

  it.effect("streams word by word between a start and an end", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const parts = yield* Effect.flatMap(
          model.call(request("How much does a puncture cost?", { delivery: "live" })),
          Reply.collect
        )
        assert.strictEqual(parts[0]!.type, "text-start")
        assert.isAtLeast(parts.filter((part) => part.type === "text-delta").length, 8)
        assert.deepStrictEqual(
          parts.slice(-2).map((part) => part.type),
          ["text-end", "finish"]
        )
      })
    )
  )

  it.effect("reports usage, so that the catalogue's prices give a cost", () =>
    Effect.gen(function* () {
      const answer = yield* ask("How much does a puncture cost?")
      assert.isAbove(answer.usage.inputTokens.total ?? 0, 5)
      const catalogue = yield* Catalogue.Catalogue
      const at = Date.parse("2026-11-23")
      const cost = (name: string) =>
        Effect.flatMap(catalogue.get("offline", name), (entry) =>
          Effect.map(Cost.orFail(Cost.of(entry, { usage: answer.usage, at })), (amount) => amount.usd)
        )
      assert.isAbove(yield* cost("offline-small"), 0)
      assert.isAbove(yield* cost("offline-large"), yield* cost("offline-small"))
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("stops at the limit of output tokens and says so", () =>
    Effect.gen(function* () {
      const settings = { maxOutputTokens: 5 }
      const cut = yield* ask("When is the workshop open on weekdays?", { settings })
      assert.strictEqual(cut.finishReason, "length")
      assert.isAtMost(cut.usage.outputTokens.total ?? Number.NaN, 5)
      assert.isTrue("The workshop is open from nine to six on weekdays.".startsWith(cut.text) && cut.text !== "")
    })
  )

  it.effect("survives any prompt and any document", () =>
    Effect.gen(function* () {
      yield* Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(
            FastCheck.string({ unit: "binary", maxLength: 60 }),
            FastCheck.string({ unit: "binary", maxLength: 200 }),
            async (prompt, text) => {
              const odd = OfflineModel.make([{ name: "odd.md", text }])
              const parts = await Effect.runPromise(
                Effect.scoped(Effect.flatMap(odd.call(request(prompt, { model: "offline-large" })), Reply.collect))
              )
              assert.strictEqual(parts.at(-1)!.type, "finish")
              assert.notStrictEqual(Part.interlock(parts.at(-1)!)["answered"], undefined)
            }
          ),
          { numRuns: 30 }
        )
      )
    })
  )

  it.effect("refuses a model it does not have, with the names of those it has", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ask("Hello?", { model: "offline-huge" }))
      assert.strictEqual(error.reason._tag, "BadRequest")
      assert.include(error.message, "offline-small or offline-large")
    })
  )
})

describe("OfflineModel.fromFolder", () => {
  it.effect("reads the Markdown and text files of a folder and of those in it", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* files.makeTempDirectoryScoped()
      yield* files.makeDirectory(path.join(folder, "more"))
      yield* files.writeFileString(path.join(folder, "more", "hours.txt"), "The library opens at ten.")
      yield* files.writeFileString(path.join(folder, "picture.png"), "not a document")
      const provider = yield* OfflineModel.fromFolder(folder)
      const parts = yield* Effect.flatMap(provider.call(request("When does the library open?")), Reply.collect)
      assert.deepStrictEqual(parts[0], { type: "text", text: "The library opens at ten." })
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("says what is wrong with a folder that is missing or holds no document", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = yield* files.makeTempDirectoryScoped()
      const empty = yield* Effect.flip(OfflineModel.fromFolder(folder))
      assert.strictEqual(empty.reason, "Empty")
      assert.include(empty.message, ".md or .txt")
      const missing = yield* Effect.flip(OfflineModel.fromFolder(`${folder}/nowhere`))
      assert.strictEqual(missing.reason, "NotFound")
      assert.include(missing.message, "nowhere")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})

import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Classifier from "@interlock/learn/classifier"
import { rows as requestTypes } from "@interlock/learn/requestTypes"
import { Prompt } from "@interlock/model"
import { layerLinear, Classifier as Service } from "@interlock/stages/classify"
import * as LinearModel from "@interlock/stages/classify/linearModel"
import * as WordVectors from "@interlock/stages/wordVectors"
import { Effect, FileSystem, Result } from "effect"

const colours = ["red", "green", "blue", "violet", "orange", "brown", "grey"]
const things = ["apple", "door", "coat", "river", "stone", "lamp", "horse"]
const rows = colours.flatMap((colour) =>
  things.flatMap((thing) => [
    { text: `paint the ${thing} ${colour}`, label: colour },
    { text: `I want a ${colour} ${thing}`, label: colour },
    { text: `把${thing}涂成${colour}`, label: colour }
  ])
)

const predictorOf = (trained: Classifier.Trained) =>
  Effect.gen(function* () {
    const model = yield* Effect.fromResult(LinearModel.decode(trained.artefact))
    return yield* Effect.fromResult(LinearModel.predictor(model, yield* WordVectors.english))
  })

describe("train", () => {
  it.effect("learns labels, with probabilities that add up, and gives equal bytes for equal rows", () =>
    Effect.gen(function* () {
      const trained = yield* Classifier.train(rows, { name: "colours" })
      const again = yield* Classifier.train(rows, { name: "colours" })
      assert.isTrue(Buffer.from(trained.artefact).equals(again.artefact))
      assert.deepStrictEqual(trained.labels, [...colours].sort())
      const predict = yield* predictorOf(trained)
      const prediction = predict("could you make my bicycle violet")
      assert.strictEqual(prediction.label, "violet")
      assert.closeTo(
        prediction.probabilities.reduce((sum, each) => sum + each, 0),
        1,
        1e-5
      )
      assert.isTrue(predict("").unknown || predict("").inScope === 0)
    })
  )

  it.effect("carries what it learned over to words that it never saw", () =>
    Effect.gen(function* () {
      const topics = {
        health: ["doctor", "hospital", "medicine", "nurse", "illness", "patient", "surgery"],
        sport: ["football", "team", "coach", "match", "player", "tournament", "stadium"],
        money: ["bank", "loan", "interest", "mortgage", "credit", "currency", "payment"]
      }
      const trained = yield* Classifier.train(
        Object.entries(topics).flatMap(([label, words]) =>
          words.flatMap((word) => [
            { text: `tell me about the ${word}`, label },
            { text: `what is a ${word}`, label }
          ])
        ),
        { name: "topics" }
      )
      const predict = yield* predictorOf(trained)
      // No word and no run of three letters of these is in the training texts.
      const labels = ["physician", "basketball", "euro"].map((word) => predict(`tell me about the ${word}`).label)
      assert.deepStrictEqual(labels, ["health", "sport", "money"])
    })
  )

  it.effect("never predicts unknown as a label, and learns from its rows what is out of scope", () =>
    Effect.gen(function* () {
      const noise = things.flatMap((thing) =>
        things.map((other) => ({ text: `count every ${thing} and ${other} tomorrow`, label: "unknown" }))
      )
      const trained = yield* Classifier.train([...rows, ...noise], { name: "colours" })
      assert.notInclude(trained.labels, "unknown")
      const predict = yield* predictorOf(trained)
      assert.isBelow(predict("count every spoon and lamp tomorrow").inScope, predict("paint the spoon blue").inScope)
      assert.isTrue(predict("count every horse and fork tomorrow").unknown)
      assert.isFalse(predict("paint the coat blue").unknown)
    })
  )

  it.effect("refuses no rows and rows of one label", () =>
    Effect.gen(function* () {
      const train = (rows: ReadonlyArray<Classifier.Row>) => Effect.flip(Classifier.train(rows, { name: "x" }))
      assert.strictEqual((yield* train([])).reason, "Empty")
      const error = yield* train([
        { text: "a", label: "only" },
        { text: "b", label: "unknown" }
      ])
      assert.strictEqual(error.reason, "OneLabel")
      assert.include(error.message, '"only"')
    })
  )
})

describe("parse", () => {
  it.effect("reads JSON lines and says which line is wrong", () =>
    Effect.gen(function* () {
      const good = '{"text":"hello","label":"greeting"}'
      assert.deepStrictEqual(yield* Classifier.parse(`${good}\n\n${good}\n`, "a.jsonl"), [
        { text: "hello", label: "greeting" },
        { text: "hello", label: "greeting" }
      ])
      for (const [line, reason] of [
        ['{"text":"hello"}', "Unlabelled"],
        ['{"text":"hello","label":""}', "Unlabelled"],
        ['{"text":"hello","label":null}', "Unlabelled"],
        ['{"label":"greeting"}', "Malformed"],
        ['{"text":"hel', "Malformed"],
        ["7", "Malformed"]
      ] as const) {
        const error = yield* Effect.flip(Classifier.parse(`${good}\n${line}`, "a.jsonl"))
        assert.strictEqual(error.reason, reason, line)
        assert.strictEqual(error.line, 2)
        assert.include(error.message, "a.jsonl")
      }
    })
  )
})

describe("save", () => {
  it.effect("writes one whole file and leaves nothing aside", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = yield* files.makeTempDirectoryScoped()
      const trained = yield* Classifier.train(rows, { name: "colours" })
      const file = yield* Classifier.save(trained, `${folder}/new`)
      assert.deepStrictEqual(yield* files.readDirectory(`${folder}/new`), ["colours.classifier"])
      assert.isTrue(Result.isSuccess(LinearModel.decode(yield* files.readFile(file))))
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

describe("layerLinear", () => {
  it.effect("says complexity and sensitivity where artefacts were trained for them", () =>
    Effect.gen(function* () {
      const relabelled = (label: (colour: string) => string) =>
        Effect.map(
          Classifier.train(
            rows.map((row) => ({ text: row.text, label: label(row.label) })),
            { name: "x" }
          ),
          (trained) => trained.artefact
        )
      const layer = layerLinear({
        artefact: yield* relabelled((colour) => colour),
        complexity: yield* relabelled((colour) => (colour === "red" ? "1" : "0")),
        sensitivity: yield* relabelled((colour) => (colour === "blue" ? "restricted" : "public"))
      })
      const ask = (text: string) =>
        Effect.provide(
          Service.use((classifier) => classifier.classify(Prompt.make(text))),
          layer
        )
      const red = yield* ask("paint the door red")
      const blue = yield* ask("paint the door blue")
      assert.strictEqual(red.label, "red")
      assert.isAbove(red.complexity!, 0.5)
      assert.isBelow(blue.complexity!, 0.5)
      assert.strictEqual(red.sensitivity, "public")
      assert.strictEqual(blue.sensitivity, "restricted")
    })
  )
})

describe("request types", () => {
  it.effect("give the shipped artefact again, byte for byte", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const shipped = yield* files.readFile(
        new URL("../../stages/artefacts/request-type.classifier", import.meta.url).pathname
      )
      const trained = yield* Classifier.train(requestTypes, { name: "request-type" })
      assert.isTrue(Buffer.from(trained.artefact).equals(shipped), "run `pnpm interlock learn request-types`")
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it("are several hundred distinct prompts a kind, in English and Chinese", () => {
    const counts = new Map<string, number>()
    for (const { label, text } of requestTypes) {
      const key = `${label} ${/\p{Script=Han}/u.test(text) ? "zh" : "en"}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    for (const label of new Set(requestTypes.map((row) => row.label))) {
      if (label === "unknown") continue
      assert.isAtLeast(counts.get(`${label} zh`) ?? 0, 250, label)
      assert.isAtLeast(counts.get(`${label} en`) ?? 0, 250, label)
    }
    assert.isUndefined(requestTypes.find(({ text }) => /\{\w+\}/.test(text) && !text.includes("{{")))
  })
})

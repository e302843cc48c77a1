/** `interlock learn` as a user runs it: files in, one artefact out, which the stages load; bad files, a message and nothing written. */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Catalogue, Prompt } from "@interlock/model"
import { Classifier, layerLinear } from "@interlock/stages/classify"
import { layerScored, quality, Selector } from "@interlock/stages/selectModel"
import * as Predictor from "@interlock/stages/selectModel/predictor"
import { Effect, FileSystem } from "effect"

const main = resolve(import.meta.dirname, "../packages/cli/src/main.ts")

/** Runs the command in its own process. */
const learn = (...flags: ReadonlyArray<string>) =>
  Effect.promise(
    () =>
      new Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }>((done) => {
        const child = spawn(process.execPath, [main, "learn", ...flags])
        let [output, errors] = ["", ""]
        child.stdout.on("data", (chunk) => (output += chunk))
        child.stderr.on("data", (chunk) => (errors += chunk))
        child.on("close", (code) => done({ code, output, errors }))
      })
  )

const folder = Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped())
const lines = (rows: ReadonlyArray<unknown>): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("")

const dishes = ["soup", "rice", "bread", "salad", "noodles", "pancakes", "dumplings", "stew"]
const places = ["Rome", "Oslo", "Cairo", "Lima", "Kyoto", "Lagos", "Quebec", "Hanoi"]
const labelled = dishes.flatMap((dish) =>
  places.flatMap((place) => [
    { text: `how do I cook ${dish} as they do in ${place}`, label: "cooking" },
    { text: `book me a flight to ${place}, with ${dish} on board`, label: "travel" },
    { text: `把去${place}的机票改到明天，要有${dish}`, label: "travel" }
  ])
)

describe("interlock learn classifier", () => {
  it.effect("writes one artefact, which classifies", () =>
    Effect.gen(function* () {
      const path = yield* folder
      writeFileSync(join(path, "rows.jsonl"), lines(labelled))
      const out = join(path, "new", "models")
      const ran = yield* learn("classifier", "--train", join(path, "rows.jsonl"), "--out", out, "--name", "wishes")
      assert.strictEqual(ran.code, 0, ran.errors)
      assert.include(ran.output, `${labelled.length} rows, 2 labels`)
      assert.deepStrictEqual(readdirSync(out), ["wishes.classifier"])
      const json = yield* learn(
        "classifier",
        "--train",
        join(path, "rows.jsonl"),
        "--out",
        out,
        "--name",
        "wishes",
        "--json"
      )
      const said = JSON.parse(json.output)
      assert.deepInclude(said, { name: "wishes", rows: labelled.length, labels: ["cooking", "travel"] })
      assert.strictEqual(said.file, join(out, "wishes.classifier"))
      assert.strictEqual(said.bytes, readFileSync(said.file).length)
      assert.isNumber(said.heldOut.accuracy)
      const artefact = join(out, "wishes.classifier")
      const ask = (text: string) =>
        Classifier.use((classifier) => classifier.classify(Prompt.make(text))).pipe(
          Effect.provide(layerLinear({ artefact }))
        )
      const cooking = yield* ask("how do they cook cake in Paris?")
      assert.strictEqual(cooking.label, "cooking")
      assert.isAbove(cooking.confidence, 0.5)
      assert.strictEqual((yield* ask("please book a flight to Berlin")).best, "travel")
      assert.strictEqual((yield* ask("把机票改到后天")).best, "travel")

      // A file that was cut short, or that another program wrote, is refused and says what to do.
      const whole = readFileSync(artefact)
      for (const [bytes, reason] of [
        [whole.subarray(0, whole.length - 100), "Corrupt"],
        [whole.subarray(0, 40), "Corrupt"],
        [new Uint8Array(0), "Foreign"],
        [Buffer.from(lines(labelled)), "Foreign"]
      ] as const) {
        writeFileSync(artefact, bytes)
        const error = yield* Effect.flip(ask("how do I cook soup?"))
        assert.strictEqual(error._tag, "@interlock/stages/ArtefactError")
        assert.strictEqual(error.reason, reason)
        assert.include(error.message, "interlock learn classifier")
      }
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("says what is wrong with the rows, and writes nothing", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const file = (name: string) => join(path, `${name}.jsonl`)
      const one = { text: "how do I cook soup", label: "cooking" }
      writeFileSync(file("empty"), "")
      writeFileSync(file("one"), lines([one, { ...one, text: "and rice" }]))
      writeFileSync(file("unlabelled"), lines([one, { text: "book me a flight" }]))
      writeFileSync(file("cut"), lines(labelled).slice(0, -20))
      const out = join(path, "models")
      const refusals = yield* Effect.forEach(
        [
          ["empty", "no rows"],
          ["one", 'every row has the label "cooking"'],
          ["unlabelled", `line 2 of ${file("unlabelled")} has a text without a label`],
          ["cut", `line ${labelled.length} of ${file("cut")} is no row`],
          ["absent", `${file("absent")} cannot be read`]
        ] as const,
        ([name, message]) =>
          Effect.map(learn("classifier", "--train", file(name), "--out", out), (ran) => ({ ...ran, name, message })),
        { concurrency: 2 }
      )
      for (const { code, errors, message, name } of refusals) {
        assert.strictEqual(code, 1, name)
        assert.include(errors, message)
        assert.notMatch(errors, /^\s+at /m, "a stack says nothing to a user")
      }
      assert.deepStrictEqual(
        readdirSync(path).filter((each) => !each.endsWith(".jsonl")),
        []
      )
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})

const graded = (telling: boolean) =>
  Array.from({ length: 240 }, (_, index) => {
    const hard = telling ? index % 2 === 0 : (index * 7919) % 241 < 120
    return {
      id: `${index}`,
      prompt: index % 2 === 0 ? `Prove the algebra theorem ${index}` : `Format the postal address ${index}`,
      outcomes: { small: { quality: hard ? 0 : 1, costUsd: 0.001 }, large: { quality: 1, costUsd: 0.02 } }
    }
  })

describe("interlock learn router", () => {
  it.effect("writes a router that saves more than chance, and it chooses", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const data = join(path, "graded.jsonl")
      const out = join(path, "new", "router.interlock")
      writeFileSync(data, lines(graded(true)))
      const ran = yield* learn("router", "--data", data, "--out", out)
      assert.strictEqual(ran.code, 0, ran.errors)
      for (const said of ["From small to large, 240 graded prompts", "random mix", "oracle", `Wrote ${out}`]) {
        assert.include(ran.output, said)
      }
      assert.deepStrictEqual(readdirSync(join(path, "new")), ["router.interlock"])
      const json = yield* learn("router", "--data", data, "--out", out, "--json")
      const said = JSON.parse(json.output)
      assert.deepInclude(said, { file: out, rows: 240, cheap: "small", strong: "large" })
      assert.isAbove(said.routing.apgr, said.routing.baselines.random.apgr)
      assert.strictEqual(said.bytes, readFileSync(out).length)
      const nowhere = yield* learn("router", "--data", data, "--out", join(path, "new"))
      assert.strictEqual(nowhere.code, 1)
      assert.include(nowhere.errors, `${join(path, "new")} cannot be written`)
      assert.deepStrictEqual(readdirSync(path).sort(), ["graded.jsonl", "new"])
      const predictor = yield* Predictor.load(out)
      const models = ["small", "large"].map((model) => ({ provider: "acme", model }))
      const catalogue = Catalogue.layerOnly(
        models.map((model, index) => ({
          ...model,
          limits: { context: 100_000, output: 1000 },
          prices: Catalogue.declarePrices({ input: index === 0 ? 1 : 10, output: index === 0 ? 2 : 20 })
        }))
      )
      const choose = (text: string) =>
        Selector.use((selector) =>
          selector.select({ prompt: Prompt.make(text), settings: {}, caller: { tenant: "t" } })
        ).pipe(
          Effect.provide(layerScored({ predictor, models, objective: quality(0.7) })),
          Effect.provide(catalogue),
          Effect.map(({ model }) => model)
        )
      assert.strictEqual(yield* choose("Prove the algebra theorem 999"), "large")
      assert.strictEqual(yield* choose("Format the postal address 999"), "small")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("refuses what cannot be trained on or saves no more than chance, and writes nothing", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const file = (name: string) => join(path, `${name}.jsonl`)
      const rows = graded(true)
      writeFileSync(file("empty"), "\n")
      writeFileSync(
        file("ungraded"),
        lines([...rows, { ...rows[0], id: "x", outcomes: { small: rows[0]!.outcomes.small } }])
      )
      writeFileSync(file("few"), lines(rows.slice(0, 10)))
      writeFileSync(file("chance"), lines(graded(false)))
      const out = join(path, "router.interlock")
      const refusals = yield* Effect.forEach(
        [
          ["empty", "has no rows"],
          ["ungraded", "row x has no outcome of large"],
          ["few", "too few to train on"],
          ["chance", "would take about"],
          ["absent", `${file("absent")} cannot be read`]
        ] as const,
        ([name, message]) =>
          Effect.map(learn("router", "--data", file(name), "--out", out), (ran) => ({ ...ran, name, message })),
        { concurrency: 2 }
      )
      for (const { code, errors, message, name } of refusals) {
        assert.strictEqual(code, 1, name)
        assert.include(errors, message)
        assert.notMatch(errors, /^\s+at /m, "a stack says nothing to a user")
      }
      // A program reads nothing where nothing was written.
      const json = yield* learn("router", "--data", file("few"), "--out", out, "--json")
      assert.deepInclude(json, { code: 1, output: "" })
      assert.notInclude(readdirSync(path), "router.interlock")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})

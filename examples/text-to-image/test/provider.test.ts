import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Reply } from "@interlock/core"
import { Part, Prompt } from "@interlock/model"
import { Models, OfflineImageModel } from "@interlock/providers"
import * as Disk from "@interlock/stages/audit/disk"
import { Effect, FileSystem, Layer } from "effect"
import { cast, services } from "../models.ts"
import { Gallery, layerSigner } from "../provenance.ts"
import { run } from "../run.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "text-to-image-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A provider that writes, sees and draws, without seeds, as OpenAI's does; the first grade that it gives is none. */
const scripted = (seen: Array<Models.ModelRequest>): Models.ModelProvider => {
  let grades = 0
  return {
    name: "openai",
    call: (request) => {
      seen.push(request)
      if (request.settings.image !== undefined) {
        const take = Number(request.settings.providerOptions?.["interlock"]?.["take"])
        const settings = { image: { count: 1, seed: take, size: "240x160" } } as const
        const offline = OfflineImageModel.make()
        return Effect.map(
          offline.call({ ...request, provider: "offline", model: "offline-image", settings }),
          (reply) =>
            Reply.map(reply, (part) =>
              part.type === "file"
                ? { ...part, metadata: { interlock: { image: { event: "final", index: 0 } } } }
                : part
            )
        )
      }
      const told = Prompt.messageText(request.prompt.content[0]!)
      const answer = told.startsWith("Task: scene")
        ? `${Prompt.lastUserText(request.prompt)}, in the garden of ⟦PERSON_1⟧`
        : told.startsWith("Task: caption")
          ? "A red heart for ⟦PERSON_1⟧."
          : grades++ === 0
            ? "Lovely! Ten out of ten."
            : '```json\n{"grade": 10, "why": "all of it is there"}\n```'
      return Effect.succeed(Reply.whole(Part.text(answer)))
    }
  }
}

it.effect("by key: another provider writes, draws without seeds, sees, grades and captions; nonsense is no vote", () =>
  Effect.gen(function* () {
    const seen: Array<Models.ModelRequest> = []
    const out = yield* folder
    const studio = Layer.mergeAll(
      // Each run has keys of its own, and a log belongs to its keys.
      Layer.suspend(() => services({ steps: join(out, "steps"), disk: Disk.memory() })),
      Layer.succeed(Gallery, { folder: out }),
      layerSigner(join(out, "key.pem"))
    ).pipe(Layer.provideMerge(Models.layer([scripted(seen), OfflineImageModel.make()])))
    const asked = [{ id: "heart", line: 1, prompt: "A red heart for Maria Keller", personal: ["Maria Keller"] }]
    const go = Effect.gen(function* () {
      const { painter, sees, shape } = yield* cast
      assert.deepStrictEqual(painter, { provider: "openai", model: "gpt-image-1.5" })
      const settings = { count: 2, seed: 1, shape, painter, sees, streaming: false, concurrency: 1 }
      return yield* run(asked, settings, (results) => Effect.succeed(results))
    })
    const [result] = yield* Effect.provide(go, studio)
    assert.isUndefined(result?.outcome?.failure, result?.outcome?.message)

    // One scene, two pictures, two grades, one caption; nobody was named, and the pictures were shown.
    assert.strictEqual(seen.length, 6)
    assert.notInclude(JSON.stringify(seen.map(({ prompt }) => prompt)), "Keller")
    const files = seen.flatMap(({ prompt }) =>
      prompt.content.flatMap(({ content }) =>
        typeof content === "string"
          ? []
          : (content as ReadonlyArray<{ type: string }>).filter(({ type }) => type === "file")
      )
    )
    assert.strictEqual(files.length, 3)
    const sent = seen.filter(({ settings }) => settings.image !== undefined)
    for (const { settings } of sent) assert.isUndefined(settings.image?.seed)

    const scores = result!.steps.score!
    const judged = scores.map(({ findings }) => findings.find(({ name }) => name === "judge")!)
    assert.sameMembers(
      judged.map(({ said }) => said),
      ["gave no grade", "all of it is there"]
    )
    const [without, graded] = [...judged].sort((one, other) => one.weight - other.weight)
    assert.deepInclude(without, { weight: 0 })
    assert.deepInclude(graded, { value: 1 })
    for (const { findings, score } of scores) {
      const weights = findings.reduce((sum, { weight }) => sum + weight, 0)
      const mean = findings.reduce((sum, { value, weight }) => sum + value * weight, 0) / weights
      assert.closeTo(score, mean, 1e-9)
    }

    // The caption comes back with the name for its author; the record, signed and shared, has the placeholder.
    assert.strictEqual(result!.steps.caption!.text, "A red heart for Maria Keller.")
    const picked = result!.records.find((record) => record.picked)!
    assert.strictEqual(picked.altText, "A red heart for ⟦PERSON_1⟧.")
    assert.isUndefined(picked.seed)
    assert.strictEqual(
      picked.digitalSourceType,
      "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    )
    const files2 = yield* FileSystem.FileSystem
    assert.notInclude(yield* files2.readFileString(join(out, "heart", "picture-1.json")), "Keller")

    // Once more: nobody is asked.
    yield* Effect.provide(go, studio)
    assert.strictEqual(seen.length, 6)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
)

/** What `interlock learn router` trains, used as a selector and as the judge of a cascade, through its file. */
import { NodeServices } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import type { Row } from "@interlock/learn/routerRows"
import * as Training from "@interlock/learn/routerTraining"
import { Catalogue, Chat, Prompt } from "@interlock/model"
import * as Cascade from "@interlock/stages/cascade"
import { layerScored, quality, Selector } from "@interlock/stages/selectModel"
import * as Predictor from "@interlock/stages/selectModel/predictor"
import { Effect, FileSystem, Path } from "effect"

const rows = Array.from({ length: 120 }, (_, index): Row => {
  const hard = index % 2 === 0
  return {
    id: `${index}`,
    prompt: hard ? `Prove the algebra theorem ${index}` : `Format the postal address ${index}`,
    outcomes: {
      small: { quality: hard ? 0 : 1, costUsd: 0.001, answer: hard ? "2 + 2 = 5, I am not sure" : "2 + 2 = 4." },
      large: { quality: 1, costUsd: 0.02 }
    }
  }
})
const small = { provider: "acme", model: "small" }
const large = { provider: "acme", model: "large" }
const limits = { context: 100_000, output: 1000 }
const catalogue = Catalogue.layerOnly([
  { ...small, limits, prices: Catalogue.declarePrices({ input: 1, output: 2 }) },
  { ...large, limits, prices: Catalogue.declarePrices({ input: 10, output: 20 }) }
])

describe("a trained router", () => {
  it.effect("is saved, loaded, and chooses; nothing half-written is left", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* files.makeTempDirectoryScoped()
      const file = path.join(folder, "router.interlock")
      const { predictor } = yield* Training.train({ rows, models: ["large", "small"] })
      yield* Predictor.save(file, predictor)
      expect(yield* files.readDirectory(folder)).toEqual(["router.interlock"])
      const loaded = yield* Predictor.load(file)
      const choose = (text: string) =>
        Selector.use((selector) =>
          selector.select({ prompt: Prompt.make(text), settings: {}, caller: { tenant: "t" } })
        ).pipe(
          Effect.provide(layerScored({ predictor: loaded, models: [small, large], objective: quality(0.7) })),
          Effect.provide(catalogue)
        )
      expect(yield* choose("Prove the algebra theorem 999")).toMatchObject(large)
      expect(yield* choose("Format the postal address 999")).toMatchObject(small)

      yield* files.writeFile(file, (yield* files.readFile(file)).slice(0, 5000))
      const error = yield* Effect.flip(Predictor.load(file))
      expect(error).toMatchObject({ _tag: "InvalidRouter", reason: "Corrupt" })
      expect(error.message).toContain("interlock learn router")
      const absent = yield* Effect.flip(Predictor.load(path.join(folder, "none")))
      expect(absent).toMatchObject({ _tag: "InvalidRouter", reason: "Missing" })
      expect(absent.message).toContain("interlock learn router")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("judges the cheap model's answers in a cascade", () =>
    Effect.gen(function* () {
      const { predictor } = yield* Training.train({ rows, models: ["large", "small"] })
      const judge = Cascade.learned(predictor, { better: "large" })
      const grade = (text: string, model = small) =>
        judge.judge({
          prompt: Prompt.make("Format the postal address 7"),
          model,
          answer: { ...Chat.empty, text },
          again: Effect.die("not asked")
        })
      expect(yield* grade("3 + 4 = 7.")).toBeGreaterThan((yield* grade("3 + 4 = 8, I am not sure")) + 0.3)
      expect(yield* Effect.flip(grade("3 + 4 = 7.", { provider: "acme", model: "other" }))).toContain("no judge")
    })
  )
})

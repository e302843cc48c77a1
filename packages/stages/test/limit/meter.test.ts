import { describe, expect, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
import { Catalogue, Image, Journal, Part, Prompt, type SafeText } from "@interlock/model"
import { fuse, selfConsistency } from "@interlock/stages/fuse"
import * as Meter from "@interlock/stages/limit/meter"
import type { Amounts } from "@interlock/stages/limit/rule"
import { Context, Effect, Exit } from "effect"

const prompt = Prompt.make("a boat") as unknown as Prompt.Prompt<SafeText>
const options = { counting: "ratio", expectedOutputTokens: 100 } as const
const amounts = (estimated: { readonly dollars: number | undefined } & Omit<Amounts, "dollars">): Amounts => ({
  ...estimated,
  dollars: estimated.dollars ?? Number.NaN
})
const entryOf = (provider: string, model: string) =>
  Effect.flatMap(Catalogue.Catalogue, (catalogue) => catalogue.get(provider, model))

describe("a fused reply", () => {
  it.effect("is settled at what all of its calls cost, not the winner's alone", () =>
    Effect.gen(function* () {
      const entry = yield* entryOf("openai", "gpt-4o-mini")
      const usage = { inputTokens: { total: 1_000 }, outputTokens: { total: 1_000 } }
      const usd = (1_000 * 0.15 + 1_000 * 0.6) / 1e6
      const model = Pipeline.handler(
        "model",
        { needs: {} },
        Effect.fnUntraced(function* () {
          const said = { _tag: "Attempt", provider: "openai", model: "gpt-4o-mini", startedAt: 0, endedAt: 0 } as const
          yield* Journal.record({ ...said, outcome: "answered", usage, costUsd: usd })
          return Reply.whole<Part.Part>([{ type: "text", text: "42" }, Part.finish("stop", usage)])
        })
      )
      const reply = yield* Effect.scoped(
        fuse("five", { model }, selfConsistency({ samples: 5 })).handle(Context.empty())
      )
      const meter = Meter.watch(entry, { requests: 1, inputTokens: 0, outputTokens: 0, dollars: 0 }, 0)
      for (const part of yield* Reply.collect(reply)) meter.see(part)
      expect(meter.used(Exit.void).dollars).toBeCloseTo(5 * usd, 12)
    }).pipe(Effect.provide(Catalogue.layer))
  )
})

describe("images", () => {
  it.effect(
    "billed by the megapixel are reserved by the size that is asked for, and settled by the size that came",
    () =>
      Effect.gen(function* () {
        const entry = yield* entryOf("fal", "fal-ai/flux-1/dev")
        const parameters = { image: { count: 2, size: "2048x1024" } } as const
        const reserved = yield* Meter.estimate(entry, { prompt, parameters, at: 0 }, options)
        expect(reserved.dollars).toBeCloseTo(0.1, 12)
        const meter = Meter.watch(entry, amounts(reserved), 0)
        const picture = { mediaType: "image/png", data: "iVBORw0KGgo=", width: 1024, height: 1024 }
        meter.see(Image.partial(picture, { index: 0, step: 0 }))
        meter.see(Image.final({ ...picture, index: 0 }))
        meter.see(Image.final({ ...picture, index: 1 }))
        meter.see(Part.finish("stop"))
        expect(meter.used(Exit.void).dollars).toBeCloseTo(0.05, 12)
      }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("billed by the token are settled at the price of their tokens", () =>
    Effect.gen(function* () {
      const entry = yield* entryOf("google", "gemini-2.5-flash-image")
      const reserved = yield* Meter.estimate(entry, { prompt, parameters: { image: {} }, at: 0 }, options)
      const meter = Meter.watch(entry, amounts(reserved), 0)
      const usage = { inputTokens: { total: 4 }, outputTokens: { total: 1300 } }
      meter.see(Part.annotate(Part.finish("stop", usage), { imageTokens: { output: 1290 } }))
      expect(meter.used(Exit.void).dollars).toBeCloseTo((4 * 0.3 + 1290 * 30 + 10 * 2.5) / 1e6, 12)
    }).pipe(Effect.provide(Catalogue.layer))
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Catalogue, Prompt, PromptCheck } from "@interlock/model"
import { Effect } from "effect"

const check = (provider: string, model: string, prompt: string | ReadonlyArray<Prompt.Message>) =>
  Effect.gen(function* () {
    const catalogue = yield* Catalogue.Catalogue
    return yield* PromptCheck.check(yield* catalogue.get(provider, model), Prompt.make(prompt))
  }).pipe(Effect.provide(Catalogue.layer))

describe("PromptCheck.check", () => {
  it.effect("measures a prompt and what it leaves for the answer", () =>
    Effect.gen(function* () {
      const { room, tokens } = yield* check("openai", "gpt-4o", "Where is my parcel?")
      assert.strictEqual(tokens + room, 128_000)
      assert.isAtLeast(tokens, 5)
    })
  )

  it.effect("refuses a prompt in which the user says nothing", () =>
    Effect.gen(function* () {
      for (const prompt of [
        "",
        "  \n",
        [],
        [{ role: "system" as const, content: "Be brief." }],
        [{ role: "user" as const, content: [{ type: "text" as const, text: " " }] }]
      ]) {
        const error = yield* Effect.flip(check("openai", "gpt-4o", prompt))
        assert.strictEqual(error._tag, "EmptyPrompt")
        assert.include(error.message, "give at least one message")
      }
    })
  )

  it.effect("refuses a prompt that is longer than the context, counted exactly where it can be", () =>
    Effect.gen(function* () {
      // Eight characters a token: by the ratio this would be 140,000 tokens, and it is 70,000.
      const dense = " sentence".repeat(70_000)
      assert.isAbove((yield* check("openai", "gpt-4o", dense)).room, 50_000)
      const exact = yield* Effect.flip(check("openai", "gpt-4o", " sentence".repeat(130_000)))
      assert.strictEqual(exact._tag, "PromptTooLong")
      assert.strictEqual(exact._tag === "PromptTooLong" && exact.limit, 128_000)
      assert.include(exact.message, "openai/gpt-4o takes 128000")
      const estimated = yield* Effect.flip(check("local", "phi4:14b", "长".repeat(20_000)))
      assert.include(estimated.message, "about 20003 tokens")
    })
  )

  it.effect("keeps to the limit of the input where that is less than the context", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(check("openai", "gpt-5", " sentence".repeat(280_000)))
      assert.strictEqual(error._tag === "PromptTooLong" && error.limit, 272_000)
    })
  )

  it.effect("refuses files that the model does not read, and takes those it does", () =>
    Effect.gen(function* () {
      const file = (mediaType: string): ReadonlyArray<Prompt.Message> => [
        { role: "user", content: [{ type: "file", mediaType, data: "aGVsbG8=" }] }
      ]
      const error = yield* Effect.flip(check("deepseek", "deepseek-v4-pro", file("image/png")))
      assert.strictEqual(error._tag, "UnsupportedFile")
      assert.include(error.message, "deepseek/deepseek-v4-pro does not read image/png: it reads text")
      for (const mediaType of ["image/png", "application/pdf", "audio/wav", "text/plain"]) {
        assert.isAbove((yield* check("google", "gemini-2.5-flash", file(mediaType))).room, 0)
      }
    })
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Catalogue, Prompt, TokenCount } from "@interlock/model"
import { Effect } from "effect"

const english = "Interlock makes it impossible to assemble a pipeline in an unsafe order, and says so in one sentence."
const chinese = "联锁让人无法以不安全的顺序组装管道，并用一句话说明原因。"

describe("TokenCount", () => {
  it.effect("counts OpenAI's tokens exactly, special tokens in a user's text included", () =>
    Effect.gen(function* () {
      const catalogue = yield* Catalogue.Catalogue
      const entry = yield* catalogue.get("openai", "gpt-4o")
      assert.strictEqual(yield* TokenCount.count(entry, "hello world"), 2)
      assert.isAbove(yield* TokenCount.count(entry, "<|endoftext|>"), 1)
      assert.strictEqual(yield* TokenCount.count(entry, ""), 0)
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("estimates within a third of the exact count, in English and in Chinese", () =>
    Effect.gen(function* () {
      const catalogue = yield* Catalogue.Catalogue
      const entry = yield* catalogue.get("openai", "gpt-4o")
      for (const text of [english.repeat(20), chinese.repeat(20)]) {
        const exact = yield* TokenCount.count(entry, text)
        assert.closeTo(TokenCount.estimate(entry, text) / exact, 1, 0.34)
      }
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("uses the model's own ratio elsewhere, and counts the overhead of messages", () =>
    Effect.gen(function* () {
      const catalogue = yield* Catalogue.Catalogue
      const deepseek = yield* catalogue.get("deepseek", "deepseek-v4-pro")
      assert.strictEqual(yield* TokenCount.count(deepseek, "联锁让人无法以不安全"), 6)
      const prompt = Prompt.make([
        { role: "system", content: "" },
        { role: "user", content: "联锁让人无法以不安全" }
      ])
      assert.strictEqual(yield* TokenCount.countPrompt(deepseek, prompt), TokenCount.estimatePrompt(deepseek, prompt))
      assert.isAtLeast(TokenCount.estimatePrompt(deepseek, prompt), 6 + 2 * TokenCount.perMessage)
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("counts what tools were called with and returned, and what the model reasoned", () =>
    Effect.gen(function* () {
      const entry = yield* (yield* Catalogue.Catalogue).get("deepseek", "deepseek-v4-pro")
      const long = "word ".repeat(1000)
      const alone = TokenCount.estimate(entry, long)
      const of = (message: Prompt.Message) => TokenCount.estimatePrompt(entry, Prompt.make([message]))
      const result = { type: "tool-result", id: "1", name: "look", isFailure: false } as const
      const messages: ReadonlyArray<Prompt.Message> = [
        { role: "assistant", content: [{ type: "reasoning", text: long }] },
        { role: "assistant", content: [{ type: "tool-call", id: "1", name: "look", params: { long } }] },
        { role: "tool", content: [{ ...result, result: long }] },
        { role: "tool", content: [{ ...result, result: { long } }] },
        { role: "tool", content: [{ ...result, result: 1, modelOutput: [{ type: "text", text: long }] }] }
      ]
      for (const message of messages) {
        assert.isAtLeast(of(message), alone)
        assert.isBelow(of(message), alone * 1.1)
      }
    }).pipe(Effect.provide(Catalogue.layer))
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
import { Chat, ChosenModel, Part, type Prompt, SafePrompt, type SafeText } from "@interlock/model"
import { cachePrompt, layer, makePlanner, rules } from "@interlock/stages/promptCache"
import { Context, Duration, Effect, Layer } from "effect"

const anthropic = rules["anthropic"]!
const minute = 60_000

/** Conversations that each begin with the same block, and then grow by one block a turn, `gap` apart. */
const conversations = (turns: number, gap: number) => {
  const planner = makePlanner(anthropic)
  const marks: Array<ReadonlyArray<number>> = []
  for (let conversation = 0; conversation < 200; conversation++) {
    const own: Array<number> = []
    for (let turn = 0; turn < turns; turn++) {
      const segments = Array.from({ length: turn + 5 }, (_, position) => ({
        hash: position === 0 ? "system" : `${conversation}-${position}`,
        tokens: 512
      }))
      own.push(planner.plan(segments, conversation * 60 * minute + turn * gap))
    }
    marks.push(own)
  }
  return marks.at(-1)!
}

describe("makePlanner", () => {
  it("has beginnings remembered that come again in time", () => {
    assert.deepStrictEqual(conversations(3, minute), [5, 6, 0])
  })

  it("pays nothing for beginnings that come again too late, or never", () => {
    assert.deepStrictEqual(conversations(3, 10 * minute), [0, 0, 0])
    assert.deepStrictEqual(conversations(1, minute), [0])
  })
})

const safe = (prompt: Prompt.Prompt): Prompt.Prompt<SafeText> => JSON.parse(JSON.stringify(prompt))
const system = { role: "system", content: "Be brief. ".repeat(1_000) } as const

describe("cachePrompt", () => {
  const ask = Effect.fnUntraced(function* (provider: string, prompt: Prompt.Prompt) {
    const received: Array<Prompt.Prompt> = []
    const pipeline = Pipeline.make("test", { input: [SafePrompt, ChosenModel], protocol: Chat.protocol })
      .use(cachePrompt)
      .to(
        Pipeline.handler("answer", { needs: { prompt: SafePrompt } }, ({ prompt }) =>
          Effect.sync(() => {
            received.push(prompt)
            return Reply.whole(Part.text("fine"))
          })
        )
      )
    yield* pipeline.run(SafePrompt.context(safe(prompt)).pipe(Context.add(ChosenModel, { provider, model: "m" })))
    return received[0]!.content.map((message) => message.options)
  })

  it.effect("marks the shared beginning once it has come again, only where the provider needs it", () =>
    Effect.gen(function* () {
      let last: ReadonlyArray<unknown> = []
      for (let index = 0; index < 50; index++) {
        last = yield* ask("anthropic", {
          content: [system, { role: "system", content: "Rules." }, { role: "user", content: `${index}` }]
        })
      }
      assert.deepStrictEqual(last, [undefined, { anthropic: { cacheControl: { type: "ephemeral" } } }, undefined])
      const openai = { content: [system, { role: "user", content: "x" }] } as const
      for (let index = 0; index < 5; index++) {
        assert.deepStrictEqual(yield* ask("openai", openai), [undefined, undefined])
      }
    }).pipe(Effect.provide(layer()))
  )

  it.effect("leaves marks that the caller has set", () =>
    Effect.gen(function* () {
      const options = { anthropic: { cacheControl: { type: "ephemeral", ttl: "1h" } } }
      const prompt = {
        content: [
          { ...system, options },
          { role: "user", content: "x" }
        ]
      } as const
      for (let index = 0; index < 10; index++) {
        assert.deepStrictEqual(yield* ask("anthropic", prompt), [options, undefined])
      }
    }).pipe(Effect.provide(layer()))
  )

  it.effect("refuses rules under which it can never pay", () =>
    Effect.gen(function* () {
      const broken = layer({ rules: { mine: { ...anthropic, read: 2, timeToLive: Duration.minutes(5) } } })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(broken)))
      assert.include(error.message, "reading must cost less than writing")
    })
  )
})

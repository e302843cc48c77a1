import { assert, describe, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
import { Caller, Chat, ChosenModel, Parameters, Part, type Prompt, SafePrompt, type SafeText } from "@interlock/model"
import { cachePrompt, layer, makePlanner, promptCacheSettings, rulesOf } from "@interlock/stages/promptCache"
import { Context, Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"

const anthropic = rulesOf("anthropic", "claude-sonnet-4-5")!
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
      own.push(planner.plan(segments, conversation * 60 * minute + turn * gap).at(-1) ?? 0)
    }
    marks.push(own)
  }
  return marks.at(-1)!
}

describe("makePlanner", () => {
  it("has beginnings remembered that come again in time", () => {
    // The last turn is not written, only what came before is read.
    assert.deepStrictEqual(conversations(3, minute), [5, 6, 6])
  })

  it("pays nothing for beginnings that come again too late, or never", () => {
    assert.deepStrictEqual(conversations(3, 10 * minute), [0, 0, 0])
    assert.deepStrictEqual(conversations(1, minute), [0])
  })

  it("remembers for as long as the provider does", () => {
    const planner = makePlanner(rulesOf("openai", "gpt-5.6")!)
    let last: ReadonlyArray<number> = []
    for (let turn = 0; turn < 100; turn++) {
      last = planner.plan(
        [
          { hash: "shared", tokens: 2_048 },
          { hash: turn, tokens: 512 }
        ],
        turn * 20 * minute
      )
    }
    assert.deepStrictEqual(last, [1])
  })

  it("marks where prompts branch off as well, in at most as many places as the provider takes", () => {
    const planner = makePlanner(anthropic)
    const segments = (conversation: number, turn: number) => [
      { hash: "system", tokens: 2_048 },
      ...Array.from({ length: 2 * turn + 1 }, (_, position) => ({ hash: `${conversation}-${position}`, tokens: 600 }))
    ]
    let last: ReadonlyArray<number> = []
    for (let conversation = 0; conversation < 100; conversation++) {
      for (let turn = 0; turn < 8; turn++) {
        last = planner.plan(segments(conversation, turn), (conversation * 10 + turn) * 30_000)
        if (conversation === 99 && turn === 6) break
      }
    }
    // The system text, the two turns before, and all.
    assert.deepStrictEqual(last, [1, 10, 12, 14])
  })

  it("marks nothing that is too short to be remembered", () => {
    const planner = makePlanner(anthropic)
    for (let time = 0; time < 50; time++) {
      assert.deepStrictEqual(planner.plan([{ hash: "short", tokens: 1_000 }], time * 1_000), [])
    }
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
    const model = provider === "openai" ? "gpt-5.1" : "m"
    yield* pipeline.run(SafePrompt.context(safe(prompt)).pipe(Context.add(ChosenModel, { provider, model })))
    return received[0]!.content.map((message) => message.options)
  })

  it.effect("marks the shared beginning once it has come again, only where the provider needs it", () =>
    Effect.gen(function* () {
      let last: ReadonlyArray<unknown> = []
      for (let index = 0; index < 50; index++) {
        yield* TestClock.adjust("1 minute")
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

  it.effect("marks messages for OpenAI from GPT-5.6 on, where they take a mark", () =>
    Effect.gen(function* () {
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
      const mark = { options: { openai: { promptCacheBreakpoint: { mode: "explicit" } } } }
      for (let index = 0; index < 50; index++) {
        yield* TestClock.adjust("2 minutes")
        const content = [
          system,
          { role: "user", content: "Hello. ".repeat(200) },
          { role: "assistant", content: "Hello." },
          { role: "user", content: `${index}` }
        ] as const
        yield* pipeline.run(
          SafePrompt.context(safe({ content })).pipe(
            Context.add(ChosenModel, { provider: "openai", model: "gpt-6-sol" })
          )
        )
      }
      // What is shared ends with the answer, which takes no mark.
      assert.deepStrictEqual(
        received
          .at(-1)!
          .content.map((message) => (typeof message.content === "string" ? message.options : message.content)),
        [undefined, [{ type: "text", text: "Hello. ".repeat(200), ...mark }], undefined, undefined]
      )
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

describe("promptCacheSettings", () => {
  const settings = Effect.fnUntraced(function* (
    provider: string,
    model: string,
    prompt: Prompt.Prompt,
    options: { readonly tenant?: string; readonly parameters?: Parameters["Service"] } = {}
  ) {
    const received: Array<Parameters["Service"]> = []
    const pipeline = Pipeline.make("test", {
      input: [SafePrompt, ChosenModel, Caller, Parameters],
      protocol: Chat.protocol
    })
      .use(promptCacheSettings)
      .to(
        Pipeline.handler("answer", { needs: { parameters: Parameters } }, ({ parameters }) =>
          Effect.sync(() => {
            received.push(parameters)
            return Reply.whole(Part.text("fine"))
          })
        )
      )
    yield* pipeline.run(
      SafePrompt.context(safe(prompt)).pipe(
        Context.add(ChosenModel, { provider, model }),
        Context.add(Caller, { tenant: options.tenant ?? "acme" }),
        Context.add(Parameters, options.parameters ?? {})
      )
    )
    return received[0]!.providerOptions?.["openai"]
  })
  const ask = (text: string) => ({ content: [system, { role: "user", content: text }] }) as const
  const keyOf = (found: { readonly [key: string]: unknown } | undefined) => found?.["promptCacheKey"]

  it.effect("groups calls by tenant and system text, and by conversation once there are many", () =>
    Effect.gen(function* () {
      const keys: Array<unknown> = []
      for (let index = 0; index < 20; index++)
        keys.push(keyOf(yield* settings("openai", "gpt-5.1", ask(`${index % 2}`))))
      assert.strictEqual(new Set(keys.slice(0, 15)).size, 1)
      assert.strictEqual(new Set(keys).size, 3)
      assert.strictEqual(keys[16], keys[18])
      assert.notStrictEqual(keyOf(yield* settings("openai", "gpt-5.1", ask("1"), { tenant: "other" })), keys[0])
      assert.match(String(keys[0]), /^[\w+/=-]{1,64}$/u)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("has models that charge for it remember only what is marked", () =>
    Effect.gen(function* () {
      const mode = (model: string) =>
        Effect.map(settings("openai", model, ask("x")), (found) => found?.["promptCacheOptions"])
      for (const model of ["gpt-5.6", "gpt-5.6-mini", "gpt-6.2-sol"]) {
        assert.deepStrictEqual(yield* mode(model), { mode: "explicit" })
      }
      for (const model of ["gpt-5", "gpt-5.5", "gpt-4o", "o3"]) assert.isUndefined(yield* mode(model))
    }).pipe(Effect.provide(layer({ retention: "24h" })))
  )

  it.effect("asks for a day only where it was told to, and leaves what the caller has set", () =>
    Effect.gen(function* () {
      const parameters = { providerOptions: { openai: { promptCacheKey: "mine" }, google: { a: 1 } } }
      const found = yield* settings("openai", "gpt-5.1", ask("x"), { parameters })
      assert.deepStrictEqual(found, { promptCacheKey: "mine", promptCacheRetention: "24h" })
      assert.isUndefined((yield* settings("openai", "gpt-6-sol", ask("x")))?.["promptCacheRetention"])
      const plain = yield* Effect.provide(settings("openai", "gpt-5.1", ask("x")), layer())
      assert.isUndefined(plain?.["promptCacheRetention"])
    }).pipe(Effect.provide(layer({ retention: "24h" })))
  )

  it.effect("has nothing to say to other providers", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* settings("anthropic", "claude-sonnet-4-5", ask("x")))
      assert.isUndefined(yield* settings("google", "gemini-2.5-pro", ask("x")))
    }).pipe(Effect.provide(layer()))
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Catalogue, ParameterPolicy, type Settings } from "@interlock/model"
import { Effect } from "effect"
import * as FastCheck from "fast-check"

const fit = (provider: string, model: string, settings: Settings, policy?: ParameterPolicy.Policy, room?: number) =>
  Effect.gen(function* () {
    const catalogue = yield* Catalogue.Catalogue
    return yield* ParameterPolicy.fit(yield* catalogue.get(provider, model), settings, policy, room)
  }).pipe(Effect.provide(Catalogue.layer))

const refused = (provider: string, model: string, settings: Settings) =>
  Effect.map(Effect.flip(fit(provider, model, settings)), (error) => {
    assert.strictEqual(error._tag, "InvalidParameter")
    return error as ParameterPolicy.InvalidParameter
  })

describe("ParameterPolicy.fit", () => {
  it.effect("passes on what the model takes, untouched", () =>
    Effect.gen(function* () {
      const settings: Settings = {
        temperature: 0.7,
        topP: 0.9,
        maxOutputTokens: 500,
        stop: ["END"],
        seed: 7,
        tools: [{ name: "now", parameters: {} }],
        toolChoice: "auto",
        responseFormat: { type: "json" },
        providerOptions: { openai: { store: false } }
      }
      const fitted = yield* fit("openai", "gpt-4o", settings)
      assert.strictEqual(fitted.settings, settings)
      assert.deepStrictEqual(fitted.changes, [])
    })
  )

  it.effect("refuses what is out of range, naming the model, the parameter, the value and the range", () =>
    Effect.gen(function* () {
      const error = yield* refused("anthropic", "claude-haiku-4-5", { temperature: 1.3 })
      assert.strictEqual(error.reason, "OutOfRange")
      for (const word of ["anthropic/claude-haiku-4-5", "temperature", "1.3", "from 0 to 1", "ParameterPolicy.clamp"]) {
        assert.include(error.message, word)
      }
      assert.include((yield* refused("openai", "gpt-4o", { maxOutputTokens: 20_000 })).allowed, "16384")
      assert.include((yield* refused("openai", "gpt-4o", { maxOutputTokens: 0 })).allowed, "from 1")
      assert.include((yield* refused("openai", "gpt-4o", { maxOutputTokens: 2.5 })).allowed, "whole number")
      assert.include((yield* refused("openai", "gpt-4o", { stop: ["1", "2", "3", "4", "5"] })).allowed, "at most 4")
      assert.strictEqual((yield* refused("openai", "gpt-4o", { temperature: Number.NaN })).value, "NaN")
    })
  )

  it.effect("refuses what the model does not know, whatever the value", () =>
    Effect.gen(function* () {
      for (const [provider, model, settings] of [
        ["openai", "gpt-5", { temperature: 1 }],
        ["openai", "gpt-4o", { topK: 40 }],
        ["openai", "gpt-4o", { reasoningEffort: "low" }],
        ["anthropic", "claude-opus-4-7", { temperature: 0.5 }],
        ["anthropic", "claude-haiku-4-5", { seed: 1 }],
        ["local", "phi4:14b", { tools: [{ name: "now", parameters: {} }] }]
      ] as const) {
        assert.strictEqual((yield* refused(provider, model, settings)).reason, "Unsupported", `${model}`)
      }
    })
  )

  it.effect("knows the values that a model takes, and what it takes only without reasoning or alone", () =>
    Effect.gen(function* () {
      const effort = yield* refused("openai", "gpt-5", { reasoningEffort: "none" })
      assert.strictEqual(effort.allowed, "minimal, low, medium, high")
      const reasoning = yield* refused("openai", "gpt-5.1", { temperature: 0.2, reasoningEffort: "low" })
      assert.include(reasoning.allowed, "reasoningEffort = none")
      // GPT-5.1 does not reason unless it is told to; GPT-5.5 does unless it is told not to.
      for (const settings of [{ temperature: 0.2 }, { temperature: 0.2, reasoningEffort: "none" }] as const) {
        assert.deepStrictEqual((yield* fit("openai", "gpt-5.1", settings)).changes, [])
      }
      assert.strictEqual((yield* refused("openai", "gpt-5.5", { temperature: 0.2 })).reason, "Unsupported")
      const both = yield* refused("anthropic", "claude-haiku-4-5", { temperature: 0.5, topP: 0.5 })
      assert.strictEqual(both.parameter, "topP")
      assert.include(both.message, "temperature or topP, not both")
    })
  )

  it.effect("asks nothing of a model by asking for nothing", () =>
    Effect.gen(function* () {
      const settings: Settings = { tools: [], toolChoice: "none", responseFormat: { type: "text" } }
      assert.deepStrictEqual((yield* fit("local", "phi4:14b", settings)).settings, settings)
    })
  )

  it.effect("clamps to the nearest value allowed, drops what is unsupported, and says each change", () =>
    Effect.gen(function* () {
      const { changes, settings } = yield* fit(
        "mistral",
        "mistral-large-2512",
        { temperature: 1.8, topK: 40, maxOutputTokens: 1_000_000, presencePenalty: -3 },
        ParameterPolicy.clamp
      )
      assert.deepStrictEqual(settings, { temperature: 1.5, maxOutputTokens: 262_144, presencePenalty: -2 })
      assert.deepStrictEqual(changes, [
        { parameter: "temperature", action: "clamped", from: "1.8", to: "1.5", allowed: "from 0 to 1.5" },
        { parameter: "topK", action: "dropped", from: "40", allowed: "not to set it" },
        {
          parameter: "maxOutputTokens",
          action: "clamped",
          from: "1000000",
          to: "262144",
          allowed: "a whole number from 1 to 262144"
        },
        { parameter: "presencePenalty", action: "clamped", from: "-3", to: "-2", allowed: "from -2 to 2" }
      ])
      const effort = yield* fit("openai", "gpt-5", { reasoningEffort: "none" }, ParameterPolicy.clamp)
      assert.strictEqual(effort.settings.reasoningEffort, "minimal")
      const stop = yield* fit("openai", "gpt-4o", { stop: ["a", "b", "c", "d", "secret"] }, ParameterPolicy.clamp)
      assert.deepStrictEqual(stop.settings.stop, ["a", "b", "c", "d"])
      assert.notInclude(JSON.stringify(stop.changes), "secret")
    })
  )

  it.effect("drops by policy, and rejects what no policy can clamp", () =>
    Effect.gen(function* () {
      const dropped = yield* fit("mistral", "mistral-large-2512", { temperature: 1.8, topP: 0.5 }, ParameterPolicy.drop)
      assert.deepStrictEqual(dropped.settings, { topP: 0.5 })
      const nan = yield* Effect.flip(fit("openai", "gpt-4o", { temperature: Number.NaN }, ParameterPolicy.clamp))
      assert.strictEqual(nan._tag, "InvalidParameter")
    })
  )

  it.effect("bounds the answer by what the prompt leaves of the context", () =>
    Effect.gen(function* () {
      const { settings } = yield* fit("openai", "gpt-4o", { maxOutputTokens: 10_000 }, ParameterPolicy.clamp, 300)
      assert.strictEqual(settings.maxOutputTokens, 300)
      const error = yield* Effect.flip(fit("openai", "gpt-4o", { maxOutputTokens: 301 }, ParameterPolicy.reject, 300))
      assert.strictEqual(error._tag === "InvalidParameter" && error.allowed, "a whole number from 1 to 300")
    })
  )

  it.effect("gives settings that need no further change, for every model and under every policy that adapts", () =>
    Effect.gen(function* () {
      const { all } = yield* Catalogue.Catalogue
      const number = FastCheck.option(FastCheck.double({ min: -1e6, max: 1e6, noNaN: true }), { nil: undefined })
      const asked = FastCheck.record({
        temperature: number,
        topP: number,
        topK: number,
        maxOutputTokens: number,
        seed: number,
        presencePenalty: number,
        frequencyPenalty: number,
        stop: FastCheck.option(FastCheck.array(FastCheck.string(), { maxLength: 20 }), { nil: undefined }),
        reasoningEffort: FastCheck.constantFrom(undefined, "none", "minimal", "low", "medium", "high")
      })
      FastCheck.assert(
        FastCheck.property(
          FastCheck.constantFrom(...all),
          asked,
          FastCheck.constantFrom(ParameterPolicy.clamp, ParameterPolicy.drop),
          (entry, settings, policy) => {
            const fitted = Effect.runSync(ParameterPolicy.fit(entry, settings as Settings, policy))
            const again = Effect.runSync(ParameterPolicy.fit(entry, fitted.settings, ParameterPolicy.reject))
            assert.deepStrictEqual(again.changes, [])
          }
        ),
        { numRuns: 500 }
      )
    }).pipe(Effect.provide(Catalogue.layer))
  )
})

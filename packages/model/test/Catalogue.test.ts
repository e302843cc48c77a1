import { assert, describe, it } from "@effect/vitest"
import * as Catalogue from "@interlock/model/Catalogue"
import { calcPrice } from "@pydantic/genai-prices"
import { Effect } from "effect"

const found = (provider: string, model: string) =>
  Effect.flatMap(Catalogue.Catalogue, (catalogue) => catalogue.get(provider, model))

describe("Catalogue", () => {
  it.effect("has compared at least 30 models with a page, of each of the seven named groups several", () =>
    Effect.gen(function* () {
      const { all } = yield* Catalogue.Catalogue
      const verified = all.filter((entry) => entry.source.verified && entry.provider !== "offline")
      assert.isAtLeast(verified.length, 45)
      for (const [provider, least] of [
        ["openai", 12],
        ["anthropic", 10],
        ["google", 5],
        ["mistral", 5],
        ["deepseek", 2],
        ["alibaba", 3],
        ["local", 8]
      ] as const) {
        assert.isAtLeast(verified.filter((entry) => entry.provider === provider).length, least, provider)
      }
      for (const { model, provider, source } of verified) {
        const name = `${provider}/${model}`
        assert.isNotEmpty(source.parameters, name)
        for (const reading of [source.limits, ...source.parameters]) {
          assert.match(reading.url, /^https:\/\/[a-z0-9.-]+\/\S+$/, name)
          assert.match(reading.date, /^\d{4}-\d{2}-\d{2}$/, name)
          if (reading.stated !== undefined) {
            assert.match(reading.stated, /^\d{4}-\d{2}(-\d{2})?$/, name)
            assert.isAtMost(Date.parse(reading.stated), Date.parse(reading.date), `${name} read a page of the future`)
          }
        }
      }
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("does not call a model verified whose limits nobody compared", () =>
    Effect.gen(function* () {
      const { all } = yield* Catalogue.Catalogue
      const listPages = new Set(all.filter((entry) => !entry.source.verified).map((entry) => entry.source.limits.url))
      assert.isNotEmpty([...listPages])
      for (const { model, source } of all) {
        if (listPages.has(source.limits.url)) assert.isFalse(source.verified, model)
      }
      const added = yield* found("local", "mine")
      assert.isFalse(added.source.verified)
    }).pipe(
      Effect.provide(
        Catalogue.layerWith([{ provider: "local", model: "mine", limits: { context: 1_000, output: 100 } }])
      )
    )
  )

  it.effect("holds only entries that make sense: limits, ranges, words, names", () =>
    Effect.gen(function* () {
      const { all } = yield* Catalogue.Catalogue
      const names = new Set<string>()
      for (const entry of all) {
        const name = `${entry.provider}/${entry.model}`
        for (const each of [entry.model, ...entry.aliases]) {
          assert.isFalse(names.has(`${entry.provider}/${each}`), `${name}: ${each} is taken`)
          names.add(`${entry.provider}/${each}`)
        }
        const { context, input, output } = entry.limits
        for (const limit of [context, output, input ?? 1])
          assert.isTrue(Number.isSafeInteger(limit) && limit >= 0, name)
        assert.isAbove(context, 0, name)
        assert.isAtMost(output, context, name)
        if (input !== undefined) assert.isAtMost(input, context, name)
        for (const [parameter, rule] of Object.entries(entry.parameters)) {
          if (rule._tag === "Range") {
            assert.isBelow(rule.minimum, rule.maximum, `${name} ${parameter}`)
            if (rule.onlyAtEffort !== undefined) {
              const efforts = entry.parameters.reasoningEffort
              assert.isTrue(efforts._tag === "Choice" && efforts.values.includes(rule.onlyAtEffort), name)
            }
          }
          if (rule._tag === "Choice")
            assert.strictEqual(new Set(rule.values).size, Math.max(1, rule.values.length), name)
          if (rule._tag === "Count") assert.isAbove(rule.maximum, 0, `${name} ${parameter}`)
        }
        const answer = entry.parameters.maxOutputTokens
        if (answer._tag === "Range") assert.strictEqual(answer.maximum, output, name)
        if (!entry.features.includes("reasoning")) {
          assert.strictEqual(entry.parameters.reasoningEffort._tag, "Unsupported", name)
        }
        assert.strictEqual(entry.features.includes("tools"), entry.parameters.tools._tag === "Accepted", name)
        assert.isTrue(entry.modalities.input.includes("text"), name)
        assert.isNotEmpty(entry.modalities.output, name)
        assert.isAbove(entry.tokens.charactersPerToken, 0, name)
      }
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("has a price for every model in the cloud, and says why a local one has none", () =>
    Effect.gen(function* () {
      const { all } = yield* Catalogue.Catalogue
      for (const { provider, model, prices } of all) {
        if (provider === "local") assert.strictEqual(prices._tag, "Unpriced", model)
        else assert.strictEqual(prices._tag, "Priced", `${provider}/${model}`)
        if (prices._tag === "Unpriced") assert.include(prices.reason, "Catalogue.layerWith")
        else {
          assert.match(prices.source, /^(@pydantic\/genai-prices \d|https:\/\/|declared by Interlock)/, model)
          assert.match(prices.asOf, /^\d{4}-\d{2}-\d{2}$/)
        }
      }
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("takes the prices of the price list as they are, tiers included", () =>
    Effect.gen(function* () {
      const at = Date.parse("2026-11-23T12:00:00Z")
      const { all } = yield* Catalogue.Catalogue
      for (const { provider, model, prices } of all) {
        if (prices._tag === "Unpriced" || !prices.source.startsWith("@pydantic")) continue
        for (const tokens of [1_000, 199_999, 200_000, 200_001, 272_000, 300_000]) {
          const rates = Catalogue.ratesAt(prices, at)!
          const expected = calcPrice({ input_tokens: tokens, output_tokens: 10 }, model, {
            providerId: provider,
            timestamp: new Date(at)
          })!
          const mine = (Catalogue.rateAt(rates.input, tokens) * tokens) / 1e6
          assert.closeTo(mine, expected.input_price, 1e-9, `${provider}/${model} at ${tokens}`)
        }
      }
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("finds a model by alias, by dated name and whatever the case", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* found("openai", "gpt-5.6")).model, "gpt-5.6-sol")
      assert.strictEqual((yield* found("deepseek", "deepseek-v4-flash")).model, "deepseek-flash")
      assert.strictEqual((yield* found("OpenAI", "GPT-4o")).model, "gpt-4o")
      const dated = yield* found("openai", "gpt-4o-2024-05-13")
      assert.strictEqual(dated.model, "gpt-4o-2024-05-13")
      assert.strictEqual(dated.limits.context, 128_000)
      // That snapshot of the model costs more than the model does today.
      assert.strictEqual(dated.prices._tag === "Priced" && dated.prices.periods[0]!.rates.input, 5)
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("names the nearest models and the cure when a model is unknown", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(found("openai", "gpt4o-mini"))
      assert.strictEqual(error._tag, "UnknownModel")
      assert.strictEqual(error.suggestions[0], "openai/gpt-4o-mini")
      assert.include(error.message, "openai/gpt4o-mini")
      assert.include(error.message, "Catalogue.layerWith")
      const wrongProvider = yield* Effect.flip(found("anthropic", "gpt-5"))
      assert.include(wrongProvider.suggestions, "openai/gpt-5")
      const far = yield* Effect.flip(found("openai", "zzzzzzzzzzzz"))
      assert.deepStrictEqual(far.suggestions, [])
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("lets the user correct an entry and add one", () =>
    Effect.gen(function* () {
      const corrected = yield* found("openai", "gpt-4o")
      assert.strictEqual(corrected.limits.context, 128_000)
      assert.deepStrictEqual(corrected.parameters.temperature, { _tag: "Range", minimum: 0, maximum: 1 })
      assert.strictEqual(corrected.prices._tag === "Priced" && corrected.prices.periods[0]!.rates.input, 2)
      const added = yield* found("local", "my-finetune")
      assert.strictEqual(added.prices._tag, "Unpriced")
      assert.strictEqual(added.limits.output, 4_096)
    }).pipe(
      Effect.provide(
        Catalogue.layerWith([
          {
            provider: "openai",
            model: "gpt-4o",
            parameters: { temperature: { _tag: "Range", minimum: 0, maximum: 1 } },
            prices: Catalogue.declarePrices({ input: 2, output: 8 })
          },
          { provider: "local", model: "my-finetune", runs: "local", limits: { context: 32_768, output: 4_096 } }
        ])
      )
    )
  )

  it.effect("refuses an added model without limits, and prices that are not numbers", () =>
    Effect.gen(function* () {
      const use = (override: Catalogue.Override) =>
        Effect.flip(Effect.provide(found("x", "y"), Catalogue.layerWith([override])))
      const unlimited = yield* use({ provider: "x", model: "y" })
      assert.strictEqual(unlimited._tag, "InvalidEntry")
      assert.include(unlimited.message, "limits")
      const limits = { context: 1_000, output: 100 }
      const negative = yield* use({
        provider: "x",
        model: "y",
        limits,
        prices: Catalogue.declarePrices({ input: -1, output: Number.NaN })
      })
      assert.strictEqual(negative._tag, "InvalidEntry")
      assert.include(negative.message, "US dollars")
    })
  )

  it("calls a model whose price list is empty unpriced, not free", () => {
    assert.strictEqual(Catalogue.knownPrices("google", "gemma-3-27b-it")._tag, "Unpriced")
    assert.strictEqual(Catalogue.knownPrices("openai", "no-such-model")._tag, "Unpriced")
    assert.strictEqual(Catalogue.knownPrices("groq", "llama-3.1-8b-instant")._tag, "Priced")
  })

  it("does not take the price of a forerunner for that of a model that is newer than the price list", () => {
    for (const [provider, model, tag] of [
      ["anthropic", "claude-sonnet-5-9", "Unpriced"],
      ["anthropic", "claude-sonnet-5", "Priced"],
      ["anthropic", "claude-sonnet-4-5-20250929", "Priced"],
      ["anthropic", "claude-opus-4-20250514", "Priced"],
      ["openai", "gpt-4o-2024-08-06", "Priced"],
      ["openai", "gpt-4o-ultra", "Unpriced"]
    ] as const) {
      assert.strictEqual(Catalogue.knownPrices(provider, model)._tag, tag, model)
    }
  })

  it("follows prices that change by date and by time of day", () => {
    const prices: Catalogue.Priced = {
      _tag: "Priced",
      source: "test",
      asOf: "2026-01-01",
      periods: [
        { rates: { input: 1, output: 1 } },
        { from: "2026-06-01", rates: { input: 2, output: 2 } },
        { daily: { start: "22:00:00Z", end: "02:00:00Z" }, rates: { input: 3, output: 3 } }
      ]
    }
    const inputAt = (moment: string) => Catalogue.ratesAt(prices, Date.parse(moment))!.input
    assert.strictEqual(inputAt("2026-05-31T12:00:00Z"), 1)
    assert.strictEqual(inputAt("2026-06-01T12:00:00Z"), 2)
    assert.strictEqual(inputAt("2026-06-01T23:00:00Z"), 3)
    assert.strictEqual(inputAt("2026-06-02T01:59:59Z"), 3)
    assert.strictEqual(inputAt("2026-06-02T02:00:00Z"), 2)
  })
})

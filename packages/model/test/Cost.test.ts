import { assert, describe, it } from "@effect/vitest"
import { Catalogue, Cost, Image, ImageRequest, ModelError, Part } from "@interlock/model"
import { calcPrice } from "@pydantic/genai-prices"
import { Effect } from "effect"
import * as FastCheck from "fast-check"

const at = Date.parse("2026-11-23T12:00:00Z")

const entry = (provider: string, model: string) =>
  Effect.flatMap(Catalogue.Catalogue, (catalogue) => catalogue.get(provider, model))

const usd = (cost: Cost.Cost): number => {
  assert.strictEqual(cost._tag, "Amount")
  return cost._tag === "Amount" ? cost.usd : Number.NaN
}

const error = (reason: ModelError.ModelError["reason"]) =>
  new ModelError.ModelError({ provider: "openai", model: "gpt-4o", reason, message: "failed" })

describe("Cost.of", () => {
  it.effect("agrees with the price library on every model, cached input and long prompts included", () =>
    Effect.gen(function* () {
      const { all } = yield* Catalogue.Catalogue
      const listed = all.filter(({ prices }) => prices._tag === "Priced" && prices.source.startsWith("@pydantic"))
      assert.isAtLeast(listed.length, 30)
      const count = FastCheck.integer({ min: 0, max: 400_000 })
      FastCheck.assert(
        FastCheck.property(
          FastCheck.constantFrom(...listed),
          count,
          count,
          count,
          count,
          FastCheck.integer({ min: Date.parse("2026-01-01"), max: Date.parse("2027-06-01") }),
          (model, uncached, cacheRead, cacheWrite, output, moment) => {
            const mine = Cost.of(model, {
              usage: {
                inputTokens: { total: uncached + cacheRead + cacheWrite, cacheRead, cacheWrite },
                outputTokens: { total: output }
              },
              at: moment
            })
            const theirs = calcPrice(
              {
                input_tokens: uncached + cacheRead + cacheWrite,
                cache_read_tokens: cacheRead,
                cache_write_tokens: cacheWrite,
                output_tokens: output
              },
              model.model,
              { providerId: model.provider, timestamp: new Date(moment) }
            )!
            assert.closeTo(usd(mine), theirs.total_price, 1e-9, `${model.provider}/${model.model}`)
          }
        ),
        { numRuns: 300 }
      )
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("bills a batch at the provider's factor, and calls it unpriced where there is none", () =>
    Effect.gen(function* () {
      const usage = Cost.tokens(10_000, 1_000)
      const openai = yield* entry("openai", "gpt-4o")
      assert.closeTo(usd(Cost.of(openai, { usage, at, batch: true })), usd(Cost.of(openai, { usage, at })) / 2, 1e-12)
      const deepseek = yield* entry("deepseek", "deepseek-v4-flash")
      const batch = Cost.of(deepseek, { usage, at, batch: true })
      assert.strictEqual(batch._tag === "Unpriced" && batch.reason, "its catalogue entry has no batch price")
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("bills images by the token and by the image, and reasoning at its own rate", () =>
    Effect.gen(function* () {
      const byToken = yield* entry("google", "gemini-2.5-flash-image")
      const usage = Cost.tokens(1_000, 1_290)
      const image = Cost.of(byToken, { usage, imageTokens: { output: 1_290 }, at })
      assert.closeTo(usd(image), (1_000 * 0.3 + 1_290 * 30) / 1e6, 1e-12)
      const byImage = yield* entry("test", "painter")
      const painted = Cost.of(byImage, { usage: Part.noUsage, images: 3, at })
      assert.closeTo(usd(painted), 0.12, 1e-12)
      const qwen = yield* entry("alibaba", "qwen-plus")
      const thought = Cost.of(qwen, {
        usage: { inputTokens: { total: 0 }, outputTokens: { total: 1_000, reasoning: 400 } },
        at
      })
      assert.closeTo(usd(thought), 0.004, 1e-12)
    }).pipe(
      Effect.provide(
        Catalogue.layerWith([
          {
            provider: "test",
            model: "painter",
            limits: { context: 1_000, output: 0 },
            prices: Catalogue.declarePrices({ input: 0, output: 0, perImage: 0.04 })
          }
        ])
      )
    )
  )

  it.effect("bills images by the megapixel, each rounded up, and none whose size was not said", () =>
    Effect.gen(function* () {
      const fal = yield* entry("fal", "fal-ai/flux-1/dev")
      const picture = (width?: number, height?: number) =>
        Image.final({
          mediaType: "image/png",
          data: "iVBORw0KGgo=",
          index: 0,
          ...(width && height && { width, height })
        })
      const seen = (...parts: ReadonlyArray<Part.Part>) =>
        Cost.ofSeen(fal, { prompt: "a boat", parts: [...parts, Part.finish("stop")], at })
      assert.closeTo(usd(seen(picture(1024, 1024))), 0.025, 1e-12)
      assert.closeTo(usd(seen(picture(1024, 768), picture(512, 512))), 0.05, 1e-12)
      assert.closeTo(usd(seen(picture(1025, 1024))), 0.05, 1e-12)
      assert.closeTo(usd(seen(picture(2048, 2048))), 0.1, 1e-12)
      const unsaid = seen(picture(1024, 1024), picture())
      assert.strictEqual(
        unsaid._tag === "Unpriced" && unsaid.reason,
        "the provider did not say how large its images are"
      )
      const asked = ImageRequest.amount({ count: 3, size: "2048x1024" })
      assert.deepStrictEqual(asked, { images: 3, megapixels: 6 })
      assert.closeTo(usd(Cost.of(fal, { usage: Cost.tokens(3, 0), at, ...asked })), 0.15, 1e-12)
      assert.deepStrictEqual(ImageRequest.amount({}), { images: 1, megapixels: 1 })
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("is never a silent zero: no price, no input count and no output count are each said", () =>
    Effect.gen(function* () {
      const local = yield* entry("local", "llama3.1:8b")
      const unknown = Cost.of(local, { usage: Cost.tokens(10, 10), at })
      assert.strictEqual(unknown._tag, "Unpriced")
      const failure = yield* Effect.flip(Cost.orFail(unknown))
      assert.include(failure.message, "local/llama3.1:8b")
      assert.include(failure.message, "Catalogue.layerWith")
      const openai = yield* entry("openai", "gpt-4o")
      for (const usage of [
        Part.noUsage,
        { inputTokens: { total: Number.NaN }, outputTokens: { total: 1 } },
        { inputTokens: { total: 5 }, outputTokens: {} },
        { inputTokens: { total: 5 }, outputTokens: { total: -3 } }
      ]) {
        assert.strictEqual(Cost.of(openai, { usage, at })._tag, "Unpriced")
      }
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("has the price of an hour in the cache from the list, and from the five minutes where there is none", () =>
    Effect.gen(function* () {
      const usage = { inputTokens: { total: 3_000, uncached: 0, cacheWrite: 3_000 }, outputTokens: { total: 0 } }
      const claude = yield* entry("anthropic", "claude-sonnet-4-5")
      assert.closeTo(usd(Cost.of(claude, { usage, at })), (3_000 * 3.75) / 1e6, 1e-12)
      const hour = Cost.of(claude, { usage, at, cacheWriteOneHour: 2_000 })
      assert.closeTo(usd(hour), (1_000 * 3.75 + 2_000 * 6) / 1e6, 1e-12)
      // No more than was written at all.
      assert.closeTo(usd(Cost.of(claude, { usage, at, cacheWriteOneHour: 9_000 })), (3_000 * 6) / 1e6, 1e-12)
      const prices = Catalogue.declarePrices({ input: 1, output: 1, cacheWrite: 2 })
      const flat = Cost.of({ ...claude, prices }, { usage, at, cacheWriteOneHour: 2_000 })
      assert.closeTo(usd(flat), (3_000 * 2) / 1e6, 1e-12)
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("bills what is reported when more tokens are cached than there are", () =>
    Effect.gen(function* () {
      const openai = yield* entry("openai", "gpt-4o")
      const odd = Cost.of(openai, {
        usage: { inputTokens: { total: 10, cacheRead: 1_000 }, outputTokens: { total: 0 } },
        at
      })
      assert.closeTo(usd(odd), (1_000 * 1.25) / 1e6, 1e-12)
    }).pipe(Effect.provide(Catalogue.layer))
  )
})

describe("Cost.ofSeen", () => {
  const delta = (text: string): Part.Part => ({ type: "text-delta", id: "1", delta: text })

  it.effect("takes the usage of the finish, and estimates a reply that was cut off before it", () =>
    Effect.gen(function* () {
      const openai = yield* entry("openai", "gpt-4o")
      const complete = Cost.ofSeen(openai, {
        prompt: "unused",
        parts: [delta("Hello"), Part.finish("stop", Cost.tokens(100, 10))],
        at
      })
      assert.closeTo(usd(complete), (100 * 2.5 + 10 * 10) / 1e6, 1e-12)
      assert.strictEqual(complete._tag === "Amount" && complete.basis, "reported")
      const aborted = Cost.ofSeen(openai, {
        prompt: "x".repeat(400),
        parts: [delta("a".repeat(40)), delta("b".repeat(40))],
        at
      })
      assert.closeTo(usd(aborted), (100 * 2.5 + 20 * 10) / 1e6, 1e-12)
      assert.strictEqual(aborted._tag === "Amount" && aborted.basis, "estimated")
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("counts the estimate in whole however the reply is cut into parts", () =>
    Effect.gen(function* () {
      const openai = yield* entry("openai", "gpt-4o")
      FastCheck.assert(
        FastCheck.property(FastCheck.array(FastCheck.string(), { maxLength: 8 }), (pieces) => {
          const cut = Cost.ofSeen(openai, { prompt: "p", parts: pieces.map(delta), at })
          const one = Cost.ofSeen(openai, { prompt: "p", parts: [{ type: "text", text: pieces.join("") }], at })
          assert.deepStrictEqual(cut, one)
        })
      )
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("fills only the count that the provider left out", () =>
    Effect.gen(function* () {
      const openai = yield* entry("openai", "gpt-4o")
      const { usage, estimated } = Cost.usageOf(openai, {
        prompt: "abcd",
        parts: [
          { type: "text", text: "x".repeat(8) },
          Part.finish("stop", { inputTokens: { total: 77 }, outputTokens: {} })
        ]
      })
      assert.isTrue(estimated)
      assert.strictEqual(usage.inputTokens.total, 77)
      assert.strictEqual(usage.outputTokens.total, 2)
    }).pipe(Effect.provide(Catalogue.layer))
  )
})

describe("Cost.ofFailure", () => {
  it.effect("is nothing for a call that was turned away, and the prompt for one that was worked on", () =>
    Effect.gen(function* () {
      const openai = yield* entry("openai", "gpt-4o")
      const seen = { prompt: "x".repeat(400), parts: [], at }
      for (const reason of [
        new ModelError.RefusedKey(),
        new ModelError.Quota(),
        new ModelError.RateLimited({}),
        new ModelError.Overloaded({}),
        new ModelError.BadRequest({}),
        new ModelError.Network(),
        new ModelError.Timeout({ phase: "connect", afterMs: 10 })
      ]) {
        const cost = Cost.ofFailure(openai, error(reason), seen)
        assert.strictEqual(cost._tag === "Amount" && cost.basis, "unbilled", reason._tag)
        assert.strictEqual(usd(cost), 0)
      }
      for (const reason of [
        new ModelError.ContentFiltered(),
        new ModelError.InvalidAnswer(),
        new ModelError.Timeout({ phase: "first-part", afterMs: 10 })
      ]) {
        const cost = Cost.ofFailure(openai, error(reason), seen)
        assert.strictEqual(cost._tag === "Amount" && cost.basis, "estimated", reason._tag)
        assert.closeTo(usd(cost), (100 * 2.5) / 1e6, 1e-12)
      }
      const cutOff = Cost.ofFailure(openai, error(new ModelError.Network()), {
        ...seen,
        parts: [{ type: "text-delta", id: "1", delta: "y".repeat(40) }]
      })
      assert.closeTo(usd(cutOff), (100 * 2.5 + 10 * 10) / 1e6, 1e-12)
    }).pipe(Effect.provide(Catalogue.layer))
  )
})

describe("Cost.total", () => {
  it.effect("adds up a refused try, a cut-off one, a fallback and a model without a price", () =>
    Effect.gen(function* () {
      const openai = yield* entry("openai", "gpt-4o")
      const anthropic = yield* entry("anthropic", "claude-haiku-4-5")
      const local = yield* entry("local", "llama3.1:8b")
      const prompt = "x".repeat(400)
      const costs = [
        Cost.ofFailure(openai, error(new ModelError.RateLimited({})), { prompt, parts: [], at }),
        Cost.ofFailure(openai, error(new ModelError.InvalidAnswer()), { prompt, parts: [], at }),
        Cost.of(anthropic, { usage: Cost.tokens(100, 20), at }),
        Cost.of(local, { usage: Cost.tokens(100, 20), at })
      ]
      const total = Cost.total(costs)
      assert.strictEqual(total.tries, 4)
      assert.closeTo(total.estimatedUsd, 0.00025, 1e-12)
      assert.closeTo(total.usd, 0.00025 + 0.0002, 1e-12)
      assert.deepStrictEqual(
        total.unpriced.map((each) => each.model),
        ["llama3.1:8b"]
      )
      assert.deepStrictEqual(
        costs.map(Cost.attempt).map((each) => each.costUsd === undefined),
        [false, false, false, true]
      )
      const finish = Cost.annotate(Part.finish("stop"), total)
      assert.strictEqual((Part.interlock(finish)["cost"] as Cost.Total).tries, 4)
      assert.deepStrictEqual(JSON.parse(JSON.stringify(finish)), finish as unknown)
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it("says of a reply from a cache that it costs nothing, beside what it saved; and of one from two caches too", () => {
    const model = { provider: "openai", model: "gpt-4o" }
    const unknown: Cost.Cost = { _tag: "Unpriced", ...model, reason: "no price" }
    const once = Cost.annotateSaved(Cost.annotate(Part.finish("stop"), unknown), model)
    for (const finish of [once, Cost.annotateSaved(once, model)]) {
      const { cost, savedCost, totalCost } = Part.interlock(finish)
      assert.strictEqual((cost as Cost.Amount).usd, 0)
      assert.strictEqual((cost as Cost.Amount).basis, "unbilled")
      assert.deepStrictEqual(savedCost, { ...unknown })
      assert.isUndefined(totalCost)
    }
    assert.deepStrictEqual(Object.keys(Part.interlock(Cost.annotateSaved(Part.finish("stop"), model))), ["cost"])
  })

  it("writes dollars so that a small cost is not shown as nothing", () => {
    assert.deepStrictEqual([0, 0.000012, 0.25, 12.5].map(Cost.format), ["$0.0000", "$0.000012", "$0.2500", "$12.50"])
  })
})

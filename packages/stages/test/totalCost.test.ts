import { assert, describe, it } from "@effect/vitest"
import { Pipeline, Reply, Stage } from "@interlock/core"
import {
  Caller,
  Catalogue,
  Chat,
  Cost,
  Journal,
  ModelError,
  Parameters as ParametersFact,
  Part,
  Prompt,
  RawPrompt,
  SafePrompt,
  type SafeText
} from "@interlock/model"
import { cascade, verifier } from "@interlock/stages/cascade"
import { totalCost } from "@interlock/stages/totalCost"
import { Context, Effect, Stream } from "effect"

const at = Date.parse("2026-11-23")

/** Tries once more when the first try fails. */
const again = Stage.around<{ in: Part.Part; handles: ModelError.ModelError }>()("again", { needs: {} }, (_, next) =>
  Effect.catchTag(next(), "ModelError", () => next())
)

/** A model whose first `failures` tries are filtered; each try is recorded as the providers do it. */
const model = (failures: number, delivery: "whole" | "live", priced = true) => {
  let tries = 0
  return Pipeline.handler("model", { needs: { prompt: RawPrompt } }, () =>
    Effect.gen(function* () {
      const catalogue = yield* Catalogue.Catalogue
      const entry = yield* Effect.orDie(catalogue.get(priced ? "openai" : "local", priced ? "gpt-4o" : "llama3.1:8b"))
      const { model, provider } = entry
      const journal = yield* Journal.current
      const record = (outcome: "answered" | "failed", cost: Cost.Cost) =>
        journal?.append({
          _tag: "Attempt",
          provider,
          model,
          startedAt: at,
          endedAt: at,
          outcome,
          ...Cost.attempt(cost)
        })
      if (tries++ < failures) {
        const error = new ModelError.ModelError({
          provider,
          model,
          reason: new ModelError.InvalidAnswer(),
          message: "unreadable"
        })
        record("failed", Cost.ofFailure(entry, error, { prompt: "x".repeat(400), parts: [], at }))
        return yield* error
      }
      const usage = Cost.tokens(100, 20)
      const cost = Cost.of(entry, { usage, at })
      const finish = Cost.annotate(Part.finish("stop", usage), cost)
      if (delivery === "whole") {
        record("answered", cost)
        return Reply.whole<Part.Part>([{ type: "text", text: "Yes." }, finish])
      }
      const parts: ReadonlyArray<Part.Part> = [
        { type: "text-start", id: "1" },
        { type: "text-delta", id: "1", delta: "Yes." },
        { type: "text-end", id: "1" },
        finish
      ]
      return Reply.live(Stream.onExit(Stream.fromIterable(parts), () => Effect.sync(() => record("answered", cost))))
    })
  )
}

const ask = RawPrompt.context(Prompt.make("Is it open?"))

const pipeline = (...args: Parameters<typeof model>) =>
  Pipeline.make("priced", { input: [RawPrompt], protocol: Chat.protocol })
    .use(totalCost)
    .use(again)
    .to(model(...args))

const totalOf = (answer: Chat.Answer) => answer.metadata["totalCost"] as Cost.Total

describe("totalCost", () => {
  it.effect("adds the try that failed to the one that answered, whole and live", () =>
    Effect.gen(function* () {
      for (const delivery of ["whole", "live"] as const) {
        const answer = yield* pipeline(1, delivery).run(ask)
        const total = totalOf(answer)
        assert.strictEqual(total.tries, 2, delivery)
        // 100 estimated tokens of a prompt that was answered unreadably, and 100 + 20 reported ones.
        assert.closeTo(total.usd, (100 * 2.5 + 100 * 2.5 + 20 * 10) / 1e6, 1e-12, delivery)
        assert.closeTo(total.estimatedUsd, (100 * 2.5) / 1e6, 1e-12, delivery)
        assert.deepStrictEqual(total.unpriced, [])
        assert.strictEqual((answer.metadata["cost"] as Cost.Amount).usd, (100 * 2.5 + 20 * 10) / 1e6)
      }
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("adds the rejected answers of a cascade to the live one that goes up", () =>
    Effect.gen(function* () {
      // Stands for `redact`. Only a test may make `SafeText` so.
      const redact = Stage.derive("redact", { needs: { prompt: RawPrompt }, adds: SafePrompt }, ({ prompt }) =>
        Effect.succeed(prompt as Prompt.Prompt<SafeText>)
      )
      const climbing = Pipeline.make("priced", { input: [RawPrompt, Caller, ParametersFact], protocol: Chat.protocol })
        .use(totalCost)
        .use(redact)
        .to(
          cascade("cascade", {
            handler: model(0, "live"),
            models: [
              { provider: "openai", model: "gpt-4o" },
              { provider: "openai", model: "gpt-4o" }
            ],
            judge: verifier("never", () => false),
            accept: 0.5
          })
        )
      const asked = Context.mergeAll(ask, Caller.context({ tenant: "acme" }), ParametersFact.context({}))
      const once = (100 * 2.5 + 20 * 10) / 1e6
      const total = totalOf(yield* climbing.run(asked))
      assert.strictEqual(total.tries, 2)
      assert.closeTo(total.usd, 2 * once, 1e-12)
      const parts = yield* Stream.runCollect(climbing.stream(asked))
      assert.deepStrictEqual(
        parts.map((part) => part.type),
        ["text-start", "text-delta", "text-end", "finish"]
      )
      const finish = parts.at(-1)
      assert.closeTo((Part.interlock(finish as Part.FinishPart)["totalCost"] as Cost.Total).usd, 2 * once, 1e-12)
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("counts a call's own tries only, in the journal that is there", () =>
    Effect.gen(function* () {
      const journal = Journal.make()
      const twice = pipeline(0, "live")
      for (const _ of [1, 2]) {
        const answer = yield* Effect.provideService(twice.run(ask), Journal.Journal, journal)
        assert.strictEqual(totalOf(answer).tries, 1)
      }
      assert.strictEqual(Cost.ofEvents(journal.events()).tries, 2)
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("says which try has no price, instead of taking it for free", () =>
    Effect.gen(function* () {
      for (const delivery of ["whole", "live"] as const) {
        const total = totalOf(yield* pipeline(0, delivery, false).run(ask))
        assert.strictEqual(total.tries, 1)
        assert.deepStrictEqual(
          total.unpriced.map((each) => each.model),
          ["llama3.1:8b"]
        )
      }
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("does not bill a hit of the cache again", () =>
    Effect.gen(function* () {
      const hit = Pipeline.make("cached", { input: [RawPrompt], protocol: Chat.protocol })
        .use(totalCost)
        .to(
          Pipeline.handler("hit", { needs: { prompt: RawPrompt } }, () =>
            Effect.gen(function* () {
              yield* Journal.record({ _tag: "Cache", outcome: "exact", ageMs: 5 })
              const cost: Cost.Cost = {
                _tag: "Amount",
                provider: "openai",
                model: "gpt-4o",
                usd: 1,
                inputUsd: 1,
                outputUsd: 0,
                imagesUsd: 0,
                basis: "reported"
              }
              return Reply.whole<Part.Part>([Cost.annotate(Part.finish("stop"), cost)])
            })
          )
        )
      assert.deepStrictEqual(totalOf(yield* hit.run(ask)), Cost.nothing)
    })
  )
})

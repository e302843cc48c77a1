/** No entry of the cache holds what was redacted. */
import { assert, describe, it } from "@effect/vitest"
import { type Handler, Pipeline } from "@interlock/core"
import {
  Caller,
  Catalogue,
  Chat,
  ChosenModel,
  type ModelError,
  Parameters,
  type Part,
  Prompt,
  RawPrompt
} from "@interlock/model"
import { cache } from "@interlock/stages/cache"
import { CacheStore, layerMemory } from "@interlock/stages/cache/store"
import { cachePrompt, layer as layerPromptCache } from "@interlock/stages/promptCache"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { ScriptedModel } from "@interlock/testing"
import { Context, Effect, Layer } from "effect"

const close = (model: Handler.Handler<never, Part.Part, ModelError.ModelError>) =>
  Pipeline.make("cached", { input: [RawPrompt, Caller, ChosenModel, Parameters], protocol: Chat.protocol })
    .use(redact)
    .use(cache)
    .use(cachePrompt)
    .to(model)

const facts = (text: string) =>
  RawPrompt.context(Prompt.make(text)).pipe(
    Context.add(Caller, { tenant: "test" }),
    Context.add(ChosenModel, { provider: "anthropic", model: "m" }),
    Context.add(Parameters, {})
  )

const services = Layer.mergeAll(Detector.layer, Vault.layerMemory, layerPromptCache(), Catalogue.layer)

describe("cache", () => {
  it.effect("stores placeholders only, in keys, entries and tags", () =>
    Effect.gen(function* () {
      const inner = yield* CacheStore
      const written: Array<string> = []
      const watched = Layer.succeed(CacheStore, {
        ...inner,
        set: (key, value, options) =>
          Effect.andThen(
            Effect.sync(() => written.push(key + value + options.tags.join())),
            inner.set(key, value, options)
          )
      })
      yield* Effect.gen(function* () {
        const model = yield* ScriptedModel.make([{ text: "It is on its way." }])
        const pipeline = close(model.handler)
        yield* pipeline.run(facts("Where is the parcel of alice@example.com?"))
        yield* pipeline.run(facts("Where is the parcel of bob@example.com?"))
        assert.isAbove(written.length, 0)
        assert.notMatch(written.join(), /alice|bob/u)
      }).pipe(Effect.provide([services, watched]))
    }).pipe(Effect.provide(layerMemory()))
  )
})

/** The laws of pipelines, for the stages and handlers that choose a model and try again. */
import { describe, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { Caller, Catalogue, Chat, Parameters, Prompt, RawPrompt } from "@interlock/model"
import { balance, layerMemory } from "@interlock/stages/balance"
import { cascade, verifier } from "@interlock/stages/cascade"
import { fallback } from "@interlock/stages/fallback"
import { hedge } from "@interlock/stages/hedge"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { layerUnlimited, retryWith } from "@interlock/stages/retry"
import { layerCheapest, selectModelUnclassified } from "@interlock/stages/selectModel"
import { Laws } from "@interlock/testing"
import { Context, Effect, Layer } from "effect"

const models = [
  { provider: "offline", model: "offline-large" },
  { provider: "offline", model: "offline-small" }
] as const
const layers = Layer.mergeAll(
  layerCheapest({ models: [models[0]] }).pipe(Layer.provideMerge(Catalogue.layer)),
  Detector.layer,
  Vault.layerMemory,
  layerUnlimited,
  layerMemory
)
const facts = (text: string) =>
  RawPrompt.context(Prompt.make(text)).pipe(
    Context.merge(Caller.context({ tenant: "test" })),
    Context.merge(Parameters.context({}))
  )
const begin = Pipeline.make("routed", { input: [RawPrompt, Caller, Parameters], protocol: Chat.protocol })
  .use(selectModelUnclassified)
  .use(redact)

describe("routing", () => {
  // Live: the wait of a retry, here none, is on no test clock.
  it.live("selectModel, retry, fallback and hedge obey the laws", () =>
    Laws.all({
      close: (model) =>
        begin
          .use(fallback)
          .use(retryWith({ base: 0 }))
          .use(hedge({ after: "1 hour" }))
          .to(model),
      facts
    }).pipe(Effect.provide(layers))
  )

  it.effect("balance obeys the laws", () =>
    Laws.all({
      close: (model) =>
        begin.to(
          balance("model", [
            { name: "a", handler: model },
            { name: "b", handler: model }
          ])
        ),
      facts
    }).pipe(Effect.provide(layers))
  )

  it.effect("cascade obeys the laws, whether or not it goes up", () =>
    Effect.forEach([0, 1], (grade) =>
      Laws.unary({
        close: (model) =>
          begin.to(cascade("model", { handler: model, models, judge: verifier("same", () => grade), accept: 0.5 })),
        facts
      })
    ).pipe(Effect.provide(layers))
  )
})

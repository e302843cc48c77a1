/** The laws of pipelines, for the stage that checks a call against the model catalogue. */
import { describe, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { Caller, Catalogue, Chat, ChosenModel, ParameterPolicy, Parameters, Prompt, RawPrompt } from "@interlock/model"
import { CheckPolicy, checkRequest } from "@interlock/stages/checkRequest"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Laws } from "@interlock/testing"
import { Context, Effect, Layer } from "effect"

describe("checkRequest", () => {
  it.effect("obeys the laws while it adapts parameters", () =>
    Laws.all({
      close: (model) =>
        Pipeline.make("checked", { input: [RawPrompt, Caller, ChosenModel, Parameters], protocol: Chat.protocol })
          .use(redact)
          .use(checkRequest)
          .to(model),
      facts: (text) =>
        RawPrompt.context(Prompt.make(text)).pipe(
          Context.merge(Caller.context({ tenant: "test" })),
          Context.merge(ChosenModel.context({ provider: "offline", model: "offline-large" })),
          Context.merge(Parameters.context({ temperature: 1, maxOutputTokens: 9_999 }))
        )
    }).pipe(
      Effect.provide(Layer.mergeAll(Catalogue.layer, Detector.layer, Vault.layerMemory)),
      Effect.provideService(CheckPolicy, ParameterPolicy.clamp)
    )
  )
})

/** The laws of pipelines, for the stages that hold calls to limits and budgets. */
import { describe, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { Caller, Catalogue, Chat, ChosenModel, Parameters, Prompt, RawPrompt } from "@interlock/model"
import * as Budget from "@interlock/stages/budget"
import * as Limit from "@interlock/stages/limit"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Laws } from "@interlock/testing"
import { Context, Effect, Layer } from "effect"

const counted = Layer.mergeAll(
  // Two places: a call that does not give its place back stops the third.
  Limit.layer({
    limits: [
      { name: "at-once", counts: "concurrent", limit: 2 },
      { name: "tokens", counts: "tokens", limit: 1e9, per: "1 minute" }
    ]
  }),
  Budget.layer({ budgets: [{ name: "day", hard: 1e6, per: "calendar day" }] })
).pipe(Layer.provide(Limit.layerStoreMemory))

describe("limit and budget", () => {
  it.effect("obey the laws", () =>
    Laws.all({
      close: (model) =>
        Pipeline.make("counted", { input: [RawPrompt, Caller, ChosenModel, Parameters], protocol: Chat.protocol })
          .use(redact)
          .use(Budget.budget)
          .use(Limit.limit)
          .to(model),
      facts: (text) =>
        RawPrompt.context(Prompt.make(text)).pipe(
          Context.merge(Caller.context({ tenant: "test" })),
          Context.merge(ChosenModel.context({ provider: "offline", model: "offline-large" })),
          Context.merge(Parameters.context({ maxOutputTokens: 100 }))
        )
    }).pipe(Effect.provide(Layer.mergeAll(Catalogue.layer, Detector.layer, Vault.layerMemory, counted)))
  )
})

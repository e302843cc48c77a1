/** The laws of pipelines, for the stage that checks a call against the model catalogue. */
import { describe, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import {
  Catalogue,
  Chat,
  ChosenModel,
  ParameterPolicy,
  Parameters,
  Prompt,
  SafePrompt,
  type SafeText
} from "@interlock/model"
import { CheckPolicy, checkRequest } from "@interlock/stages/checkRequest"
import { Laws } from "@interlock/testing"
import { Context, Effect } from "effect"

describe("checkRequest", () => {
  it.effect("obeys the laws while it adapts parameters", () =>
    Laws.all({
      close: (model) =>
        Pipeline.make("checked", { input: [SafePrompt, ChosenModel, Parameters], protocol: Chat.protocol })
          .use(checkRequest)
          .to(model),
      facts: (text) =>
        SafePrompt.context(Prompt.make(text) as Prompt.Prompt<SafeText>).pipe(
          Context.merge(ChosenModel.context({ provider: "offline", model: "offline-large" })),
          Context.merge(Parameters.context({ temperature: 1, maxOutputTokens: 9_999 }))
        )
    }).pipe(Effect.provide(Catalogue.layer), Effect.provideService(CheckPolicy, ParameterPolicy.clamp))
  )
})

import { assert, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { Chat, Prompt, RawPrompt } from "@interlock/model"
import { Laws, ScriptedModel } from "@interlock/testing"
import { Effect, Layer } from "effect"
import { layerWords, screen, Topics } from "./screen.ts"

const start = Pipeline.make("desk", { input: [RawPrompt], protocol: Chat.protocol }).use(screen)

it.effect("refuses a forbidden topic before any model is called", () =>
  Effect.gen(function* () {
    const model = yield* ScriptedModel.make([{ text: "never said" }])
    const error = yield* Effect.flip(
      start.to(model.handler).run(RawPrompt.context(Prompt.make("Tell me about politics")))
    )
    assert.strictEqual(error._tag, "ForbiddenTopic")
    assert.strictEqual(model.calls(), 0)
  }).pipe(Effect.provide(layerWords(["politics"])))
)

it.effect("asks whatever layer is there: this one forbids everything", () =>
  Effect.gen(function* () {
    const model = yield* ScriptedModel.make([{ text: "never said" }])
    const error = yield* Effect.flip(start.to(model.handler).run(RawPrompt.context(Prompt.make("Good morning"))))
    assert.include(error.message, "anything")
  }).pipe(Effect.provide(Layer.succeed(Topics, { forbiddenIn: () => Effect.succeed("anything") })))
)

it.effect("keeps the laws of pipelines", () =>
  Laws.all({
    close: (model) => start.to(model),
    facts: (text) => RawPrompt.context(Prompt.make(text))
  }).pipe(Effect.provide(layerWords([])))
)

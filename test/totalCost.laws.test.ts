/** The laws of pipelines, for the stage that adds up what a call cost. */
import { describe, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { Chat, Prompt, RawPrompt } from "@interlock/model"
import { totalCost } from "@interlock/stages/totalCost"
import { Laws } from "@interlock/testing"

describe("totalCost", () => {
  it.effect("obeys the laws", () =>
    Laws.all({
      close: (model) =>
        Pipeline.make("priced", { input: [RawPrompt], protocol: Chat.protocol })
          .use(totalCost)
          .to(model),
      facts: (text) => RawPrompt.context(Prompt.make(text))
    })
  )
})

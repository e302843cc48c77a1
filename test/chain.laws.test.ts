/** The laws of pipelines, for `chain`: the model under test answers the first of two steps. */
import { describe, it } from "@effect/vitest"
import { type Handler, Pipeline, Reply } from "@interlock/core"
import { Chat, type ModelError, type Part, Prompt, RawPrompt } from "@interlock/model"
import { type ChainPart, chain } from "@interlock/stages/chain"
import { Laws } from "@interlock/testing"
import { Effect, Stream } from "effect"

const length = Pipeline.make("length", {
  input: [RawPrompt],
  protocol: { empty: () => 0, append: (_: number, part: number) => part }
}).to(
  Pipeline.handler("length", { needs: { prompt: RawPrompt } }, ({ prompt }) =>
    Effect.succeed(Reply.whole([Prompt.text(prompt).length]))
  )
)

const close = (model: Handler.Handler<never, Part.Part, ModelError.ModelError>) => {
  const steps = chain("twoSteps", { needs: { prompt: RawPrompt } })
    .step("ask", Pipeline.make("ask", { input: [RawPrompt], protocol: Chat.protocol }).to(model), ({ prompt }) =>
      RawPrompt.context(prompt)
    )
    .step("length", length, (_, { ask }) => RawPrompt.context(Prompt.make(ask.text)))
  const asked = (part: ChainPart<"ask", Part.Part> | ChainPart<"length", number>): ReadonlyArray<Part.Part> =>
    part.type === "step" && part.step === "ask" ? [part.part] : []
  const answered = Pipeline.handler("answered", { needs: { prompt: RawPrompt } }, ({ prompt }) =>
    Effect.map(steps.handle(RawPrompt.context(prompt)), (reply) =>
      reply._tag === "Whole"
        ? Reply.whole(reply.parts.flatMap(asked))
        : Reply.live(Stream.flattenIterable(Stream.map(reply.parts, asked)))
    )
  )
  return Pipeline.make("answered", { input: [RawPrompt], protocol: Chat.protocol }).to(answered)
}

describe("chain", () => {
  it.effect("obeys the laws", () => Laws.all({ close, facts: (text) => RawPrompt.context(Prompt.make(text)) }))
})

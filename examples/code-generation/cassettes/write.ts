/** Makes `answers.jsonl` of `answers.ts`: `node examples/code-generation/cassettes/write.ts`. */
import { NodeServices } from "@effect/platform-node"
import { Reply } from "@interlock/core"
import { Catalogue, Part, Prompt, TokenCount } from "@interlock/model"
import { Cassette, Models } from "@interlock/providers"
import { Effect, FileSystem, Layer } from "effect"
import { factsOf, generation, services } from "../generation.ts"
import { requirements } from "../requirements.ts"
import { answers } from "./answers.ts"

const ratio = { tokens: { charactersPerToken: 4, perIdeograph: 1 } }

/** Gives what was written, requirement by requirement, in order. */
const written = (): Models.ModelProvider => {
  const asked = new Map<string, number>()
  return {
    name: "offline",
    call: ({ prompt }) =>
      Effect.sync(() => {
        const question = prompt.content.find(({ role }) => role === "user")!
        const { id } = requirements.find(({ text }) => text === Prompt.messageText(question))!
        const turn = asked.get(id) ?? 0
        asked.set(id, turn + 1)
        const text = answers[id]![turn]!
        const [input, output] = [TokenCount.estimatePrompt(ratio, prompt), TokenCount.estimate(ratio, text)]
        return Reply.whole(
          Part.text(text, {
            inputTokens: { total: input, uncached: input },
            outputTokens: { total: output, text: output }
          })
        )
      })
  }
}

export const write = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  yield* files.remove(path, { force: true })
  const recording = Cassette.layerRecord(path).pipe(Layer.provide(Models.layer([written()])))
  const run = Effect.forEach(
    requirements.filter(({ id }) => answers[id] !== undefined),
    (requirement) => generation.run(factsOf(requirement))
  )
  yield* Effect.provide(run, services.pipe(Layer.provideMerge(recording), Layer.provide(Catalogue.layer)))
})

if (import.meta.main) {
  const path = `${import.meta.dirname}/answers.jsonl`
  await Effect.runPromise(
    write(path).pipe(Effect.provide(Catalogue.layer), Effect.provide(NodeServices.layer))
  )
  console.log(path)
}

/** `screen` refuses prompts about topics that this desk does not speak about. */
import { Stage } from "@interlock/core"
import { Prompt, RawPrompt } from "@interlock/model"
import { Context, Effect, Layer, Schema } from "effect"

export class ForbiddenTopic extends Schema.TaggedError<ForbiddenTopic>()("ForbiddenTopic", {
  topic: Schema.String,
  message: Schema.String
}) {}

export class Topics extends Context.Service<
  Topics,
  { readonly forbiddenIn: (text: string) => Effect.Effect<string | undefined> }
>()("desk/Topics") {}

export const layerWords = (words: ReadonlyArray<string>): Layer.Layer<Topics> =>
  Layer.succeed(Topics, {
    forbiddenIn: (text) => Effect.succeed(words.find((word) => text.toLowerCase().includes(word)))
  })

export const screen = Stage.around(
  "screen",
  { needs: { prompt: RawPrompt } },
  Effect.fnUntraced(function* ({ prompt }, next) {
    const topics = yield* Topics
    const topic = yield* topics.forbiddenIn(Prompt.text(prompt))
    if (topic === undefined) return yield* next()
    return yield* new ForbiddenTopic({ topic, message: `This desk does not speak about ${topic}: ask elsewhere.` })
  })
)

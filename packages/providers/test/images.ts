/** What the tests of image models share: a pipeline that checks the request and ends in `callImageModel`, and facts for it. */
import { Pipeline, Reply, Stage } from "@interlock/core"
import {
  Catalogue,
  ChosenModel,
  Image,
  ImageRequest,
  type ModelReference,
  Parameters,
  Prompt,
  SafePrompt
} from "@interlock/model"
import { Context, Effect, Stream } from "effect"
import { callImageModel, type Models } from "../src/index.ts"
import { safe } from "./fixture.ts"

const check = Stage.derive(
  "check",
  { needs: { chosen: ChosenModel, prompt: SafePrompt, settings: Parameters }, adds: ImageRequest.ImageRequest },
  Effect.fnUntraced(function* ({ chosen, prompt, settings }) {
    const entry = yield* (yield* Catalogue.Catalogue).get(chosen.provider, chosen.model)
    return yield* ImageRequest.check(entry, prompt, settings.image)
  })
)

export const draw = Pipeline.make("draw", {
  input: [SafePrompt, ChosenModel, Parameters],
  protocol: Image.protocol
})
  .use(check)
  .to(callImageModel)

export const facts = (
  model: ModelReference,
  prompt: string | Prompt.Prompt,
  image: ImageRequest.ImageSettings = {}
): Context.Context<SafePrompt | ChosenModel | Parameters> =>
  SafePrompt.context(safe(typeof prompt === "string" ? Prompt.make(prompt) : prompt)).pipe(
    Context.add(ChosenModel, model),
    Context.add(Parameters, { image })
  )

/** All the parts of one call of a provider. */
export const partsOf = (provider: Models.ModelProvider, request: Models.ModelRequest) =>
  Effect.scoped(Effect.flatMap(provider.call(request), (reply) => Stream.runCollect(Reply.toStream(reply))))

/**
 * Checks what is asked of an image model against the catalogue before any model is called: a size, a count, a seed or a
 * reference that the chosen model cannot do is a typed error that names the model, the parameter, its value and what is allowed.
 *
 * It adds the fact `ImageRequest`, which the handlers of image models need and nothing else can make: a pipeline that would
 * send an unchecked request does not compile. Put it below `redact` and below the stage that chooses the model.
 *
 * ```ts
 * import { Pipeline } from "@interlock/core"
 * import { Caller, Image, Parameters, RawPrompt } from "@interlock/model"
 * import { checkImageRequest } from "@interlock/stages/checkImageRequest"
 * import { redact } from "@interlock/stages/redact"
 * import { selectModelUnclassified } from "@interlock/stages/selectModel"
 *
 * export const checked = Pipeline.make("draw", { input: [RawPrompt, Caller, Parameters], protocol: Image.protocol })
 *   .use(selectModelUnclassified)
 *   .use(redact)
 *   .use(checkImageRequest)
 * ```
 *
 * @since 0.1.0
 */
import { Stage } from "@interlock/core"
import { Catalogue, ChosenModel, ImageRequest, Parameters, PromptCheck, SafePrompt } from "@interlock/model"
import { Effect } from "effect"

/**
 * Checks the prompt and what is asked of the pictures against the chosen model.
 *
 * @category stages
 * @since 0.1.0
 */
export const checkImageRequest = Stage.derive(
  "checkImageRequest",
  {
    needs: { chosen: ChosenModel, prompt: SafePrompt, settings: Parameters },
    adds: ImageRequest.ImageRequest
  },
  Effect.fnUntraced(function* ({ chosen, prompt, settings }) {
    const catalogue = yield* Catalogue.Catalogue
    const entry = yield* catalogue.get(chosen.provider, chosen.model)
    yield* PromptCheck.check(entry, prompt)
    return yield* ImageRequest.check(entry, prompt, settings.image)
  })
)

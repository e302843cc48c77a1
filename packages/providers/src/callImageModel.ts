/**
 * `callImageModel` is the handler at the bottom of an image pipeline: it sends the redacted prompt to the chosen image model.
 *
 * Besides the facts of `callModel` it needs `ImageRequest`, which only a check against the catalogue makes
 * (`checkImageRequest`), so no model is asked for what it cannot do. The digest of each finished picture is written into the
 * journal, so that an audit record says which pictures a call made, without holding them.
 *
 * ```ts
 * import { Pipeline } from "@interlock/core"
 * import { Caller, Image, Parameters, RawPrompt } from "@interlock/model"
 * import { callImageModel } from "@interlock/providers"
 * import { checkImageRequest } from "@interlock/stages/checkImageRequest"
 * import { redact } from "@interlock/stages/redact"
 * import { selectModelUnclassified } from "@interlock/stages/selectModel"
 *
 * export const draw = Pipeline.make("draw", { input: [RawPrompt, Caller, Parameters], protocol: Image.protocol })
 *   .use(selectModelUnclassified)
 *   .use(redact)
 *   .use(checkImageRequest)
 *   .to(callImageModel)
 * ```
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import { Pipeline, Reply } from "@interlock/core"
import { ChosenModel, Image, ImageRequest, Journal, Parameters, SafePrompt } from "@interlock/model"
import { Effect } from "effect"
import { Models } from "./Models.ts"

/**
 * Sends the redacted prompt and the checked request to the chosen image model, whole or live as the caller wants it.
 *
 * @category handlers
 * @since 0.1.0
 */
export const callImageModel = Pipeline.handler(
  "callImageModel",
  {
    needs: {
      prompt: SafePrompt,
      chosen: ChosenModel,
      settings: Parameters,
      request: ImageRequest.ImageRequest
    }
  },
  Effect.fnUntraced(function* ({ chosen, prompt, request, settings }) {
    const models = yield* Models
    const delivery = yield* Reply.Delivery
    const journal = yield* Journal.current
    const { mask: _, references: __, ...image } = request
    const reply = yield* models.call({
      provider: chosen.provider,
      model: chosen.model,
      prompt,
      settings: { ...settings, image },
      delivery
    })
    if (journal === undefined) return reply
    let next = 0
    return Reply.map(reply, (part) => {
      const event = part.type === "file" ? Image.eventOf(part, next) : undefined
      if (event?._tag === "Final") {
        next++
        const { index, seed } = event.made
        journal.append({
          _tag: "Fact",
          stage: "callImageModel",
          name: "Image",
          attributes: {
            index,
            sha256: createHash("sha256").update(Image.bytes(event.made)).digest("hex"),
            ...(seed === undefined ? {} : { seed })
          }
        })
      }
      return part
    })
  })
)

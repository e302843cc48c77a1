/**
 * `GoogleImages` is the provider of the Gemini models that draw (`gemini-3.1-flash-image`), over `@ai-sdk/google`: they answer in
 * parts of text and pictures, and read pictures in the prompt. For Imagen, see `AiSdkImages`.
 *
 * The key comes from `GEMINI_API_KEY` (`Config.Redacted`), another address from `GEMINI_BASE_URL`.
 *
 * ```ts
 * import { Google, GoogleImages, Models } from "@interlock/providers"
 *
 * // One provider of both kinds of models, as the catalogue has it.
 * export const layer = Models.layer([Models.withImages(Google.provider(), GoogleImages.provider())])
 * ```
 *
 * @since 0.1.0
 */
import { Reply } from "@interlock/core"
import { Image, ImageRequest, ModelError, Part } from "@interlock/model"
import { Effect, Stream } from "effect"
import * as Google from "./Google.ts"
import { toModelError } from "./internal/aiSdkError.ts"
import { untilContent } from "./internal/parts.ts"
import type { MissingKey } from "./MissingKey.ts"
import type { ModelProvider, ModelRequest } from "./Models.ts"

/**
 * Makes the provider; without a key it is a typed error that names the variable.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (options: Google.Options = {}): Effect.Effect<ModelProvider, MissingKey> =>
  Effect.map(Google.provider(options), (chat) => ({
    name: chat.name,
    call: Effect.fnUntraced(function* (request: ModelRequest) {
      const asked = ImageRequest.of(request.prompt, request.settings.image)
      if (asked.mask !== undefined || asked.count > 1) {
        return yield* new ModelError.ModelError({
          provider: request.provider,
          model: request.model,
          reason: new ModelError.BadRequest({}),
          message: `${request.provider}/${request.model} makes one picture at a time and takes no mask: check the request with ImageRequest.check`
        })
      }
      const reply = yield* chat.call({ ...request, settings: settingsOf(request, asked) })
      if (reply._tag === "Whole") {
        const pictures = numbered(request)
        const parts = reply.parts.map(pictures.next)
        const problem = pictures.problem(parts.at(-1))
        return problem === undefined ? Reply.whole(parts) : yield* problem
      }
      // What comes before the first picture may be words; a failure before either is one of the effect.
      return Reply.live(
        Stream.suspend(() => {
          const pictures = numbered(request)
          return Stream.mapEffect(untilContent(reply.parts), (part) => {
            const next = pictures.next(part)
            const problem = part.type === "finish" ? pictures.problem(part) : undefined
            return problem === undefined ? Effect.succeed(next) : Effect.fail(problem)
          })
        })
      )
    })
  }))

const settingsOf = ({ settings }: ModelRequest, asked: ImageRequest.Asked): ModelRequest["settings"] => {
  const { image: _, ...rest } = settings
  const google = settings.providerOptions?.["google"]
  return {
    ...rest,
    ...(asked.seed === undefined ? {} : { seed: asked.seed }),
    providerOptions: {
      ...settings.providerOptions,
      google: {
        responseModalities: ["TEXT", "IMAGE"],
        ...(asked.aspectRatio === undefined ? {} : { imageConfig: { aspectRatio: asked.aspectRatio } }),
        ...google
      }
    }
  }
}

/** What pictures cost is told apart from words, which cost a twelfth. Where Gemini does not tell, all of the output counts as pictures. */
const imageTokensOf = ({ metadata, usage }: Part.FinishPart): number => {
  const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
    typeof value === "object" && value !== null
  const google = metadata?.["google"]
  const said = isRecord(google) ? google["usageMetadata"] : undefined
  const details = isRecord(said) ? said["candidatesTokensDetails"] : undefined
  if (!Array.isArray(details)) return usage.outputTokens.total ?? 0
  return details.reduce<number>(
    (all, one) =>
      isRecord(one) && one["modality"] === "IMAGE" && typeof one["tokenCount"] === "number"
        ? all + one["tokenCount"]
        : all,
    0
  )
}

/** Counts the pictures; a reply that ends without one is no answer. */
const numbered = (request: ModelRequest) => {
  let index = 0
  return {
    next: (part: Part.Part): Part.Part =>
      part.type === "file" && part.mediaType.startsWith("image/")
        ? Image.final({ mediaType: part.mediaType, data: part.data, index: index++ })
        : part.type === "finish"
          ? Part.annotate(part, { imageTokens: { output: imageTokensOf(part) } })
          : part,
    problem: (finish: Part.Part | undefined): ModelError.ModelError | undefined =>
      index > 0
        ? undefined
        : toModelError(
            request.provider,
            request.model,
            finish?.type === "finish" && finish.reason === "content-filter"
              ? { reason: "ContentFiltered", detail: "no picture, only the filter" }
              : { reason: "InvalidAnswer", detail: "an answer without a picture" }
          )
  }
}

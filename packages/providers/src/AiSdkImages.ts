/**
 * `AiSdkImages` makes any image model of the AI SDK (`ImageModelV4`) a provider or a handler.
 *
 * What it is asked for beyond what one request of the model gives is asked for in several, whose seeds follow one another. A model
 * of the AI SDK does not stream, so a live reply brings whole pictures, as the requests come back; what a model warns of (a seed
 * or a size that it did not heed) is in the finish part's `metadata.interlock.warnings`.
 *
 * ```ts
 * import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
 * import { AiSdk, AiSdkImages } from "@interlock/providers"
 *
 * const local = createOpenAICompatible({ name: "local", baseURL: "http://127.0.0.1:8080/v1", fetch: AiSdk.fetch })
 * export const provider = AiSdkImages.provider("local", (model) => local.imageModel(model))
 * export const drawLocally = AiSdkImages.handler(local.imageModel("flux"))
 * ```
 *
 * @since 0.1.0
 */
import type {
  ImageModelV4,
  ImageModelV4CallOptions,
  ImageModelV4File,
  ImageModelV4Result,
  SharedV4Warning
} from "@ai-sdk/provider"
import { type Handler, Pipeline, Reply } from "@interlock/core"
import {
  Image,
  ImageRequest,
  type ModelError,
  Parameters,
  Part,
  Prompt,
  SafePrompt,
  type SafeText
} from "@interlock/model"
import { Effect, Stream } from "effect"
import { classify } from "./internal/aiSdkError.ts"
import { recorded } from "./internal/attempt.ts"
import { begin, type Exchange, httpClient, within } from "./internal/exchange.ts"
import { toJsonObject } from "./internal/json.ts"
import { mediaTypeOf, sentOf } from "./internal/pictureFile.ts"
import type { ModelProvider, ModelReply, ModelRequest } from "./Models.ts"

/**
 * Makes a provider of a function from a model's name to the AI SDK's image model.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (name: string, modelOf: (model: string) => ImageModelV4): ModelProvider => ({
  name,
  call: (request) => call(() => modelOf(request.model), request)
})

/**
 * Makes a handler of one model, for a pipeline that does not choose. It asks for the redacted prompt, the parameters and the
 * checked request, and writes each try into the journal.
 *
 * @category handlers
 * @since 0.1.0
 */
export const handler = (
  model: ImageModelV4
): Handler.Handler<SafePrompt | Parameters | ImageRequest.ImageRequest, Part.Part, ModelError.ModelError> => {
  const name = { provider: model.provider, model: model.modelId }
  return Pipeline.handler(
    `${model.provider}/${model.modelId}`,
    { needs: { prompt: SafePrompt, settings: Parameters, request: ImageRequest.ImageRequest } },
    ({ prompt, request: { mask: _, references: __, ...image }, settings }) =>
      Effect.flatMap(Reply.Delivery, (delivery) =>
        recorded(
          { ...name, prompt },
          call(() => model, { ...name, prompt, settings: { ...settings, image }, delivery })
        )
      )
  )
}

const call = (modelOf: () => ImageModelV4, request: ModelRequest): ModelReply =>
  Effect.gen(function* () {
    const exchange = yield* begin(yield* httpClient, request)
    const fail = (cause: unknown) => exchange.fail(classify(cause, exchange.clock.currentTimeMillisUnsafe()))
    const model = yield* Effect.try({ try: modelOf, catch: fail })
    const asked = ImageRequest.of(request.prompt, request.settings.image)
    const { maxImagesPerCall: most } = model
    const atOnce =
      (yield* Effect.tryPromise({
        try: async () => (typeof most === "function" ? await most({ modelId: model.modelId }) : most),
        catch: fail
      })) ?? asked.count
    const step = Math.max(1, atOnce)
    const batches = Stream.mapEffect(
      Stream.fromIterable(Array.from({ length: Math.ceil(asked.count / step) }, (_, turn) => turn * step)),
      (from) => {
        const batch = { ...asked, ...seedOf(asked, from), count: Math.min(step, asked.count - from) }
        return within(
          exchange,
          "whole",
          Effect.tryPromise({
            try: (signal) =>
              model.doGenerate({ ...optionsOf(request.prompt, request.settings, batch), abortSignal: signal }),
            catch: fail
          })
        ).pipe(Effect.map((result) => ({ ...result, seed: batch.count === 1 ? batch.seed : undefined })))
      }
    )
    const parts = partsOf(exchange, batches)
    if (request.delivery === "live") return yield* Reply.liveAfterFirst(parts)
    return Reply.whole(yield* Stream.runCollect(parts))
  })

const seeds = 2 ** 31

/** The seed of the pictures from this one on: with one seed for all requests, each would make the same pictures. */
const seedOf = ({ seed }: ImageRequest.Asked, from: number): { readonly seed?: number } =>
  seed === undefined ? {} : { seed: seed < seeds ? (seed + from) % seeds : seed + from }

const optionsOf = (prompt: Prompt.Prompt<SafeText>, settings: ModelRequest["settings"], asked: ImageRequest.Asked) => {
  const text = Prompt.text(prompt)
  return {
    prompt: text === "" ? undefined : text,
    n: asked.count,
    size: asked.size,
    aspectRatio: asked.aspectRatio,
    seed: asked.seed,
    files: asked.references.length === 0 ? undefined : asked.references.map(fileOf),
    mask: asked.mask === undefined ? undefined : fileOf(asked.mask),
    providerOptions: Object.fromEntries(
      Object.entries(settings.providerOptions ?? {}).map(([provider, options]) => [provider, toJsonObject(options)])
    ) as ImageModelV4CallOptions["providerOptions"]
  }
}

const fileOf = (file: Prompt.FilePart): ImageModelV4File => {
  const sent = sentOf(file)
  return sent._tag === "Url"
    ? { type: "url", url: sent.url }
    : { type: "file", mediaType: sent.mediaType, data: sent.base64 }
}

/** The pictures of every request as they come back, and the finish. */
const partsOf = (
  exchange: Exchange,
  batches: Stream.Stream<ImageModelV4Result & { readonly seed: number | undefined }, ModelError.ModelError>
): Stream.Stream<Part.Part, ModelError.ModelError> =>
  Stream.suspend(() => {
    let index = 0
    const warnings: Array<SharedV4Warning> = []
    let input: number | undefined
    let output: number | undefined
    const made = Stream.mapEffect(batches, (result) => {
      const parts: Array<Part.Part> = []
      const heeded = !result.warnings.some((warning) => "feature" in warning && warning.feature === "seed")
      warnings.push(...result.warnings)
      input = plus(input, result.usage?.inputTokens)
      output = plus(output, result.usage?.outputTokens)
      for (const image of result.images) {
        const data = typeof image === "string" ? image : Buffer.from(image).toString("base64")
        const mediaType = mediaTypeOf(data)
        if (mediaType === undefined) {
          return Effect.fail(exchange.fail({ reason: "InvalidAnswer", detail: "what came back is no picture" }))
        }
        const seed = heeded && result.seed !== undefined ? { seed: result.seed } : {}
        parts.push(Image.final({ mediaType, data, index: index++, ...seed }))
      }
      return parts.length > 0
        ? Effect.succeed(parts)
        : Effect.fail(exchange.fail({ reason: "InvalidAnswer", detail: "an answer without a picture" }))
    })
    const finish = Stream.suspend(() => {
      const plain = Part.finish("stop", {
        inputTokens: input === undefined ? {} : { total: input },
        outputTokens: output === undefined ? {} : { total: output }
      })
      const said = {
        ...(output === undefined ? {} : { imageTokens: { output } }),
        ...(warnings.length === 0 ? {} : { warnings })
      }
      return Stream.succeed<Part.Part>(Object.keys(said).length === 0 ? plain : Part.annotate(plain, said))
    })
    return Stream.concat(
      Stream.flatMap(made, (parts) => Stream.fromIterable(parts)),
      finish
    )
  })

const plus = (sum: number | undefined, more: number | undefined): number | undefined =>
  more === undefined || !Number.isSafeInteger(more) || more < 0 ? sum : (sum ?? 0) + more

/**
 * `OpenAiImages` is the provider of OpenAI's image models, and of servers that speak their protocol: `/images/generations`, and
 * `/images/edits` when the prompt holds pictures. Live replies bring the partial images that OpenAI streams.
 *
 * The AI SDK's image model cannot stream, so this speaks the protocol itself, over the `HttpClient` of the context or `fetch`.
 * The key comes from `OPENAI_API_KEY`, another address from `OPENAI_BASE_URL`.
 *
 * ```ts
 * import { Models, OpenAi, OpenAiImages } from "@interlock/providers"
 *
 * // One provider of both kinds of models, as the catalogue has it.
 * export const layer = Models.layer([Models.withImages(OpenAi.provider(), OpenAiImages.provider())])
 * ```
 *
 * @since 0.1.0
 */
import { Reply } from "@interlock/core"
import { Image, ImageRequest, type ModelError, Part, Prompt } from "@interlock/model"
import { Effect, Stream } from "effect"
import { HttpClientRequest } from "effect/http"
import { brokenOff, classify } from "./internal/aiSdkError.ts"
import { begin, type Exchange, events, httpClient, json, parsed } from "./internal/exchange.ts"
import { mediaTypeOf, sentOf } from "./internal/pictureFile.ts"
import { address, optionalText, requiredKey } from "./internal/settings.ts"
import type { MissingKey } from "./MissingKey.ts"
import type { ModelProvider, ModelRequest } from "./Models.ts"

/**
 * What may differ from the defaults.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The provider's name in `ChosenModel` and the catalogue. Default: `openai`. */
  readonly name?: string
  /** The variable that holds the key. Default: `OPENAI_API_KEY`. */
  readonly keyVariable?: string
  /** The address of the API; without it `OPENAI_BASE_URL` counts, then OpenAI's own. */
  readonly baseUrl?: string
}

/**
 * Makes the provider; without a key it is a typed error that names the variable.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (options: Options = {}): Effect.Effect<ModelProvider, MissingKey> =>
  Effect.gen(function* () {
    const name = options.name ?? "openai"
    const key = yield* requiredKey(name, options.keyVariable ?? "OPENAI_API_KEY")
    const base = options.baseUrl ?? (yield* optionalText("OPENAI_BASE_URL")) ?? "https://api.openai.com/v1"
    const client = yield* httpClient
    return {
      name,
      call: Effect.fnUntraced(function* (request: ModelRequest) {
        const exchange = yield* begin(client, request)
        const live = request.delivery === "live" && streams(request.model)
        const asked = ImageRequest.of(request.prompt, request.settings.image)
        const sent = HttpClientRequest.bearerToken(
          yield* requestOf(exchange, address(base, "/v1"), request, asked, live),
          key
        )
        if (!live)
          return Reply.whole(yield* Effect.flatMap(json(exchange, sent), (answer) => wholeOf(exchange, answer)))
        return yield* Reply.liveAfterFirst(liveOf(exchange, yield* events(exchange, sent), asked.count))
      })
    }
  })

/** DALL·E neither streams nor answers with the pictures' bytes unless asked to. */
const streams = (model: string): boolean => !model.startsWith("dall-e")

const requestOf = Effect.fnUntraced(function* (
  exchange: Exchange,
  base: string,
  { model, prompt, settings }: ModelRequest,
  asked: ImageRequest.Asked,
  live: boolean
): Effect.fn.Return<HttpClientRequest.HttpClientRequest, ModelError.ModelError> {
  const { partialImages, quality, references, size } = asked
  const fields: { readonly [name: string]: unknown } = {
    model,
    prompt: Prompt.text(prompt),
    n: asked.count,
    ...(size === undefined ? {} : { size }),
    ...(quality === undefined ? {} : { quality }),
    ...(streams(model) ? {} : { response_format: "b64_json" }),
    ...(live ? { stream: true, ...(partialImages === undefined ? {} : { partial_images: partialImages }) } : {}),
    ...settings.providerOptions?.["openai"]
  }
  if (references.length === 0) {
    return HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post(`${base}/images/generations`), fields)
  }
  const form = new FormData()
  for (const [field, value] of Object.entries(fields)) form.append(field, String(value))
  const files = [
    ...references.map((file) => ["image[]", file] as const),
    ...(asked.mask === undefined ? [] : [["mask", asked.mask] as const])
  ]
  for (const [index, [field, file]] of files.entries()) {
    const picture = sentOf(file)
    if (picture._tag === "Url") {
      return yield* exchange.fail({
        reason: "BadRequest",
        detail: "a picture must be given as bytes, not as an address"
      })
    }
    const kind = picture.mediaType.split("/")[1] ?? "png"
    form.append(
      field,
      new Blob([Buffer.from(picture.base64, "base64")], { type: picture.mediaType }),
      `${index}.${kind}`
    )
  }
  return HttpClientRequest.bodyFormData(HttpClientRequest.post(`${base}/images/edits`), form)
})

// ---------------------------------------------------------------------------------------------------------------
// The answer
// ---------------------------------------------------------------------------------------------------------------

const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

interface Used {
  input: number | undefined
  output: number | undefined
  inputImages: number | undefined
  outputImages: number | undefined
}

const plus = (one: number | undefined, other: number | undefined) =>
  one === undefined && other === undefined ? undefined : (one ?? 0) + (other ?? 0)

const addUsage = (used: Used, said: unknown): void => {
  if (!isRecord(said)) return
  const [input, output] = [said["input_tokens_details"], said["output_tokens_details"]]
  used.input = plus(used.input, count(said["input_tokens"]))
  used.output = plus(used.output, count(said["output_tokens"]))
  used.inputImages = plus(used.inputImages, isRecord(input) ? count(input["image_tokens"]) : undefined)
  // Where the output is not told apart, it is all pictures.
  used.outputImages = plus(
    used.outputImages,
    (isRecord(output) ? count(output["image_tokens"]) : undefined) ?? count(said["output_tokens"])
  )
}

const finishOf = (used: Used): Part.FinishPart => {
  const finish = Part.finish("stop", {
    inputTokens: used.input === undefined ? {} : { total: used.input },
    outputTokens: used.output === undefined ? {} : { total: used.output }
  })
  const tokens = {
    ...(used.inputImages === undefined ? {} : { input: used.inputImages }),
    ...(used.outputImages === undefined ? {} : { output: used.outputImages })
  }
  return Object.keys(tokens).length === 0 ? finish : Part.annotate(finish, { imageTokens: tokens })
}

const noUse = (): Used => ({ input: undefined, output: undefined, inputImages: undefined, outputImages: undefined })

const pictureOf = (exchange: Exchange, said: { readonly [field: string]: unknown }, format: unknown) => {
  const data = said["b64_json"]
  return typeof data === "string" && data !== ""
    ? Effect.succeed({
        mediaType: mediaTypeOf(data) ?? (typeof format === "string" ? `image/${format}` : "image/png"),
        data
      })
    : Effect.fail(exchange.fail({ reason: "InvalidAnswer", detail: "an answer without a picture" }))
}

const wholeOf = Effect.fnUntraced(function* (
  exchange: Exchange,
  answer: unknown
): Effect.fn.Return<ReadonlyArray<Part.Part>, ModelError.ModelError> {
  const data = isRecord(answer) ? answer["data"] : undefined
  if (!isRecord(answer) || !Array.isArray(data) || data.length === 0) {
    return yield* exchange.fail({ reason: "InvalidAnswer", detail: "an answer without a picture" })
  }
  const parts: Array<Part.Part> = []
  for (const [index, said] of data.entries()) {
    const revised = isRecord(said) ? said["revised_prompt"] : undefined
    if (typeof revised === "string" && revised !== "") parts.push({ type: "text", text: revised })
    const picture = yield* pictureOf(exchange, isRecord(said) ? said : {}, answer["output_format"])
    parts.push(Image.final({ ...picture, index }))
  }
  const used = noUse()
  addUsage(used, answer["usage"])
  return [...parts, finishOf(used)]
})

/** Pictures are told apart by the order in which they are completed: the events do not say which they belong to. */
const liveOf = (
  exchange: Exchange,
  stream: Stream.Stream<{ readonly data: string }, ModelError.ModelError>,
  wanted: number
): Stream.Stream<Part.Part, ModelError.ModelError> =>
  Stream.suspend(() => {
    let completed = 0
    const used = noUse()
    const read = Stream.mapEffect(
      Stream.filter(stream, ({ data }) => data !== "[DONE]"),
      Effect.fnUntraced(function* ({ data }): Effect.fn.Return<ReadonlyArray<Part.Part>, ModelError.ModelError> {
        const said = yield* parsed(exchange, data)
        if (!isRecord(said))
          return yield* exchange.fail({ reason: "InvalidAnswer", detail: "an event that is no object" })
        const type = String(said["type"] ?? "")
        if (type === "error" || isRecord(said["error"])) {
          return yield* exchange.fail(classify({ data: said }, exchange.clock.currentTimeMillisUnsafe()))
        }
        if (type.endsWith(".partial_image")) {
          const picture = yield* pictureOf(exchange, said, said["output_format"])
          return [Image.partial(picture, { index: completed, step: count(said["partial_image_index"]) ?? 0 })]
        }
        if (!type.endsWith(".completed")) return []
        const picture = yield* pictureOf(exchange, said, said["output_format"])
        addUsage(used, said["usage"])
        return [Image.final({ ...picture, index: completed++ })]
      })
    )
    const enough = Stream.takeUntil(
      Stream.flatMap(read, (parts) => Stream.fromIterable<Part.Part>(parts)),
      () => completed >= wanted
    )
    const end = Effect.suspend(
      (): Effect.Effect<Part.Part, ModelError.ModelError> =>
        completed < wanted ? Effect.fail(exchange.fail(brokenOff)) : Effect.succeed(finishOf(used))
    )
    return Stream.concat(enough, Stream.fromEffect(end))
  })

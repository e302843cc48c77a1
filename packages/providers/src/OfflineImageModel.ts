/**
 * `OfflineImageModel` draws pictures with no key and no network: a scene of what the prompt names, in English or Chinese.
 *
 * It knows nearly sixty things (shapes, plants, houses, animals, vehicles), numbers, colours, sizes, positions (`left of`, `on`,
 * `in the top right corner`) and settings (night, sunset, sea, mountains, snow, …); text in quotes is written on the picture, in
 * any script. What it does not know it passes over, and a prompt of which it knows nothing becomes an abstract picture. The
 * same prompt, size and seed give the same picture; live replies bring pictures of the work in progress.
 *
 * Its two models are in the catalogue with declared prices: `offline-image` paints; `offline-sketch` is cheaper, and draws
 * smaller pictures in paler colours, at most four at once.
 *
 * ```ts
 * import { Models, OfflineImageModel } from "@interlock/providers"
 *
 * export const layer = Models.layer([OfflineImageModel.make()])
 * ```
 *
 * @since 0.1.0
 */
import { Reply } from "@interlock/core"
import { Image, ImageRequest, ModelError, Part, Prompt, TokenCount } from "@interlock/model"
import { Duration, Effect, Random, Stream } from "effect"
import { type Composition, compose } from "./internal/picture/compose.ts"
import { lettering } from "./internal/picture/lettering.ts"
import { render } from "./internal/picture/render.ts"
import { read } from "./internal/picture/scene.ts"
import type { ModelProvider, ModelRequest } from "./Models.ts"

/**
 * Options of the offline image model.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The provider's name. Default: `"offline"`, as the catalogue has it. */
  readonly name?: string
  /** How long to wait before each part of a live reply, to look like a model that works. Default: none. */
  readonly pace?: Duration.Input
}

/** Sides in pixels where the call names none. */
const side: { readonly [model: string]: number } = { "offline-sketch": 512, "offline-image": 768 }

/** Tokens by the ratio that the catalogue gives for both models. */
const ratio = { tokens: { charactersPerToken: 4, perIdeograph: 1 } }

/** How many pictures of the work in progress a live reply holds where the call does not say. */
const usualPartials = 2

/**
 * Makes the provider.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): ModelProvider => {
  const pace = Duration.fromInputUnsafe(options.pace ?? 0)
  return {
    name: options.name ?? "offline",
    call: (request) =>
      Effect.gen(function* () {
        const job = yield* jobOf(request)
        if (request.delivery === "live") return Reply.live(live(job, pace))
        const made = yield* Effect.forEach(job.pictures, (picture) => paint(job, picture))
        return Reply.whole([...made, finishOf(job)])
      })
  }
}

// ---------------------------------------------------------------------------------------------------------------
// The work
// ---------------------------------------------------------------------------------------------------------------

interface Job {
  readonly request: ModelRequest
  readonly text: string
  readonly width: number
  readonly height: number
  readonly partials: number
  readonly pictures: ReadonlyArray<{ readonly index: number; readonly seed: number }>
}

const refused = (request: ModelRequest, reason: ModelError.ModelError["reason"], message: string) =>
  new ModelError.ModelError({ provider: request.provider, model: request.model, reason, message })

const jobOf = Effect.fnUntraced(function* (request: ModelRequest): Effect.fn.Return<Job, ModelError.ModelError> {
  const usual = side[request.model]
  if (usual === undefined) {
    return yield* refused(
      request,
      new ModelError.BadRequest({}),
      `${request.provider} has no image model "${request.model}": use ${Object.keys(side).join(" or ")}`
    )
  }
  const asked = ImageRequest.of(request.prompt, request.settings.image)
  const size = sizeOf(asked, usual)
  if (size === undefined || Math.max(size.width, size.height) > 4_096 || asked.count > 64) {
    return yield* refused(
      request,
      new ModelError.BadRequest({}),
      `${request.provider}/${request.model} cannot draw ${asked.count} pictures of ${asked.size ?? asked.aspectRatio}: check the request with ImageRequest.check`
    )
  }
  const seed = asked.seed ?? Math.floor((yield* Random.next) * 2 ** 32)
  return {
    request,
    text: Prompt.lastUserText(request.prompt),
    ...size,
    partials: asked.partialImages ?? usualPartials,
    pictures: Array.from({ length: asked.count }, (_, index) => ({ index, seed: (seed + index) % 2 ** 32 }))
  }
})

/** The size asked for; a ratio keeps about the area of the usual square. */
const sizeOf = (asked: ImageRequest.Asked, usual: number) => {
  if (asked.size !== undefined) return ImageRequest.pixels(asked.size)
  const [across = 1, down = 1] = (asked.aspectRatio ?? "1:1").split(":").map(Number)
  if (!(across > 0 && down > 0)) return undefined
  const even = (value: number) => Math.max(16, Math.round(value / 16) * 16)
  return { width: even(usual * Math.sqrt(across / down)), height: even(usual * Math.sqrt(down / across)) }
}

type Picture = Job["pictures"][number]

const promised = <A>(job: Job, work: () => Promise<A>): Effect.Effect<A, ModelError.ModelError> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) =>
      refused(
        job.request,
        new ModelError.InvalidAnswer(),
        `${job.request.provider}/${job.request.model} could not draw the picture: ${cause instanceof Error ? cause.message.split("\n")[0] : "unknown"}`
      )
  })

const composed = (job: Job, { seed }: Picture): Effect.Effect<Composition, ModelError.ModelError> =>
  promised(job, async () =>
    compose(read(job.text), {
      prompt: job.text,
      seed,
      width: job.width,
      height: job.height,
      sketch: job.request.model === "offline-sketch",
      letter: await lettering()
    })
  )

const rendered = (job: Job, composition: Composition, share?: number) =>
  Effect.map(
    promised(job, () => render(composition, share)),
    (png) => Image.fromBytes("image/png", png)
  )

const finalOf = (job: Job, picture: Picture, png: Image.Picture): Part.Part =>
  Image.final({ ...png, index: picture.index, seed: picture.seed, width: job.width, height: job.height })

const paint = (job: Job, picture: Picture): Effect.Effect<Part.Part, ModelError.ModelError> =>
  Effect.map(
    Effect.flatMap(composed(job, picture), (composition) => rendered(job, composition)),
    (png) => finalOf(job, picture, png)
  )

const finishOf = (job: Job): Part.FinishPart => {
  const input = TokenCount.estimatePrompt(ratio, job.request.prompt)
  return Part.finish("stop", { inputTokens: { total: input, uncached: input }, outputTokens: { total: 0 } })
}

/** Queue, progress, pictures of the work in progress, finished pictures, and the finish. */
const live = (job: Job, pace: Duration.Duration): Stream.Stream<Part.Part, ModelError.ModelError> => {
  const { partials, pictures } = job
  const steps = pictures.length * (partials + 1)
  const drawn = Stream.flatMap(Stream.fromIterable(pictures), (picture) =>
    Stream.unwrap(
      Effect.map(composed(job, picture), (composition) => {
        const before = picture.index * (partials + 1)
        const partial = (step: number) =>
          Stream.concat(
            Stream.fromEffect(
              Effect.map(rendered(job, composition, (step + 1) / (partials + 1)), (png) =>
                Image.partial(png, { index: picture.index, step })
              )
            ),
            Stream.succeed(Image.progress((before + step + 1) / steps))
          )
        return Stream.range(0, partials - 1).pipe(
          Stream.take(partials),
          Stream.flatMap(partial),
          Stream.concat(Stream.fromEffect(Effect.map(rendered(job, composition), (png) => finalOf(job, picture, png)))),
          Stream.concat(Stream.succeed(Image.progress((before + partials + 1) / steps)))
        )
      })
    )
  )
  const parts = Stream.succeed(Image.queued(0)).pipe(
    Stream.concat(drawn),
    Stream.concat(Stream.succeed<Part.Part>(finishOf(job)))
  )
  const oneByOne = Stream.rechunk(parts, 1)
  return Duration.isZero(pace)
    ? oneByOne
    : Stream.mapEffect(oneByOne, (part) => Effect.delay(Effect.succeed(part), pace))
}

/**
 * What is asked of an image model, and whether the model can do it.
 *
 * The settings stand in `Parameters` (`image`) and the pictures to work from in the prompt, so that a cache that keys on both,
 * a policy for files and a selector see all of the request. {@link check} compares it with the catalogue; what it yields is
 * the fact {@link ImageRequest}, which nothing else can make: a handler that needs it is never reached by an unchecked request.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Catalogue, ImageRequest, Prompt } from "@interlock/model"
 *
 * const asked = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.Catalogue
 *   const entry = yield* catalogue.get("offline", "offline-image")
 *   return yield* ImageRequest.check(entry, Prompt.make("Two red circles"), { size: "9000x9000" })
 * }).pipe(Effect.provide(Catalogue.layer))
 *
 * const error = Effect.runSync(Effect.flip(asked))
 * console.assert(error._tag === "InvalidImageRequest" && error.parameter === "size" && error.value === "9000x9000")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Schema } from "effect"
import type { Entry, ImageParameterName, ImageRule } from "./Catalogue.ts"
import { megapixels } from "./Image.ts"
import type { FilePart, Prompt } from "./Prompt.ts"

/**
 * Width and height in pixels: `"1024x1024"`.
 *
 * @category models
 * @since 0.1.0
 */
export type Size = `${number}x${number}`

/**
 * Width to height: `"16:9"`.
 *
 * @category models
 * @since 0.1.0
 */
export type AspectRatio = `${number}:${number}`

/**
 * How the pictures should be; what is absent is left to the model.
 *
 * @category models
 * @since 0.1.0
 */
export interface ImageSettings {
  /** Width and height in pixels. Give this or `aspectRatio`, as the model takes it. */
  readonly size?: Size
  readonly aspectRatio?: AspectRatio
  /** How many pictures. Default: 1. */
  readonly count?: number
  /** The same seed gives the same picture, as far as the model promises that. */
  readonly seed?: number
  /** A word of the model's own: `low`, `medium`, `high`, … */
  readonly quality?: string
  /** How many pictures of the work in progress a live reply should hold, for each picture. */
  readonly partialImages?: number
}

/**
 * A whole request: the settings, with the pictures to work from out of the prompt.
 *
 * @category models
 * @since 0.1.0
 */
export interface Asked extends ImageSettings {
  readonly count: number
  /** Pictures that the new one follows or changes, in the order of the prompt. */
  readonly references: ReadonlyArray<FilePart>
  /** Where the first reference may be changed: its transparent places. */
  readonly mask?: FilePart
}

declare const checked: unique symbol

/**
 * A request that {@link check} found the model able to do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checked extends Asked {
  readonly [checked]: true
}

/**
 * The fact that the chosen model can do what is asked.
 *
 * @category facts
 * @since 0.1.0
 */
export class ImageRequest extends Context.Service<ImageRequest, Checked>()("@interlock/model/ImageRequest") {}

/**
 * The model cannot do what is asked. Nothing was sent.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidImageRequest extends Schema.TaggedError<InvalidImageRequest>()("InvalidImageRequest", {
  provider: Schema.String,
  model: Schema.String,
  parameter: Schema.String,
  value: Schema.String,
  allowed: Schema.String
}) {
  /** Names the model, the parameter, its value, what is allowed, and the cure. */
  override get message(): string {
    return `${this.provider}/${this.model} does not make images with ${this.parameter} = ${this.value}: allowed is ${this.allowed}. Change it, leave it out, or choose another model.`
  }
}

/**
 * A picture to work from, for the content of a user's message.
 *
 * @category constructors
 * @since 0.1.0
 */
export const reference = (mediaType: string, data: FilePart["data"]): FilePart => ({ type: "file", mediaType, data })

/**
 * A mask, for the content of a user's message: the picture's transparent places are those that may be changed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const mask = (mediaType: string, data: FilePart["data"]): FilePart => ({
  type: "file",
  mediaType,
  data,
  options: { interlock: { role: "mask" } }
})

const isMask = (file: FilePart): boolean => {
  const said = file.options?.["interlock"]
  return typeof said === "object" && said !== null && "role" in said && said["role"] === "mask"
}

/**
 * The whole request of a call: its settings, with the pictures in the user's messages.
 *
 * @category accessors
 * @since 0.1.0
 */
export const of = (prompt: Prompt, settings: ImageSettings = {}): Asked => {
  const files = prompt.content.flatMap((message) =>
    message.role !== "user" || typeof message.content === "string"
      ? []
      : message.content.filter((part) => part.type === "file" && part.mediaType.startsWith("image/"))
  ) as ReadonlyArray<FilePart>
  const masked = files.find(isMask)
  return {
    ...settings,
    count: settings.count ?? 1,
    references: files.filter((file) => !isMask(file)),
    ...(masked === undefined ? {} : { mask: masked })
  }
}

/**
 * Width and height of a size, or `undefined` when it is not one.
 *
 * @category accessors
 * @since 0.1.0
 */
export const pixels = (size: string): { readonly width: number; readonly height: number } | undefined => {
  const found = /^([1-9]\d{0,5})x([1-9]\d{0,5})$/.exec(size)
  return found === null ? undefined : { width: Number(found[1]), height: Number(found[2]) }
}

/**
 * How many images a request is for, and for how many megapixels they will be billed; an image whose size is not asked for is taken for
 * one megapixel.
 *
 * @category accessors
 * @since 0.1.0
 */
export const amount = ({
  count = 1,
  size
}: ImageSettings): { readonly images: number; readonly megapixels: number } => {
  const asked = size === undefined ? undefined : pixels(size)
  return { images: count, megapixels: count * (asked === undefined ? 1 : megapixels(asked)) }
}

/**
 * What a model is taken to do when it makes images and its catalogue entry does not say more.
 *
 * @category checks
 * @since 0.1.0
 */
export const anything: { readonly [Name in ImageParameterName]: ImageRule } = {
  size: { _tag: "Accepted" },
  aspectRatio: { _tag: "Accepted" },
  count: { _tag: "Accepted" },
  seed: { _tag: "Accepted" },
  quality: { _tag: "Accepted" },
  references: { _tag: "Accepted" },
  mask: { _tag: "Accepted" },
  partialImages: { _tag: "Accepted" }
}

/**
 * Why a model cannot do what is asked, or `undefined` when it can.
 *
 * @category checks
 * @since 0.1.0
 */
export const problem = (entry: Entry, asked: Asked): InvalidImageRequest | undefined => {
  const { model, provider } = entry
  const invalid = (parameter: string, value: string, allowed: string) =>
    new InvalidImageRequest({ provider, model, parameter, value, allowed })
  if (!entry.modalities.output.includes("image")) {
    return invalid("model", model, "a model that makes images, and this one makes none")
  }
  const rules = entry.images ?? anything
  const { aspectRatio, count, partialImages, quality, references, seed, size } = asked
  const wrong = (parameter: ImageParameterName, value: unknown): InvalidImageRequest | undefined => {
    const allowed = malformed(parameter, value) ?? judge(rules[parameter], value)
    return allowed === undefined ? undefined : invalid(parameter, shown(value), allowed)
  }
  if (size !== undefined && aspectRatio !== undefined) {
    return invalid("aspectRatio", `${aspectRatio} beside size = ${size}`, "size or aspectRatio, not both")
  }
  if (asked.mask !== undefined && references.length === 0) {
    return invalid("mask", "a mask without a picture", "a mask beside a reference, which it is for")
  }
  return (
    (size === undefined ? undefined : wrong("size", size)) ??
    (aspectRatio === undefined ? undefined : wrong("aspectRatio", aspectRatio)) ??
    wrong("count", count) ??
    (seed === undefined ? undefined : wrong("seed", seed)) ??
    (quality === undefined ? undefined : wrong("quality", quality)) ??
    (references.length === 0 ? undefined : wrong("references", references)) ??
    (asked.mask === undefined ? undefined : wrong("mask", asked.mask)) ??
    (partialImages === undefined || partialImages === 0 ? undefined : wrong("partialImages", partialImages))
  )
}

/**
 * Checks a request against what the catalogue says of the model.
 *
 * @category checks
 * @since 0.1.0
 */
export const check = (
  entry: Entry,
  prompt: Prompt,
  settings: ImageSettings = {}
): Effect.Effect<Checked, InvalidImageRequest> =>
  Effect.suspend(() => {
    const asked = of(prompt, settings)
    const found = problem(entry, asked)
    return found === undefined ? Effect.succeed(asked as Checked) : Effect.fail(found)
  })

/** A value in an error: what is no word or figure may be a text of the user, and only its length is said. */
const shown = (value: unknown): string =>
  typeof value === "string" && !/^[\w.:-]{0,32}$/.test(value)
    ? `${value.length} characters`
    : Array.isArray(value)
      ? `${value.length} pictures`
      : typeof value === "object"
        ? "a picture"
        : String(value)

/** What no model takes, whatever its entry says. */
const malformed = (parameter: ImageParameterName, value: unknown): string | undefined => {
  switch (parameter) {
    case "size":
      return pixels(String(value)) === undefined ? `width and height in pixels, such as 1024x1024` : undefined
    case "aspectRatio":
      return /^[1-9]\d{0,3}:[1-9]\d{0,3}$/.test(String(value)) ? undefined : `width to height, such as 16:9`
    case "count":
      return Number.isSafeInteger(value) && Number(value) >= 1 ? undefined : "a whole number from 1"
    case "seed":
    case "partialImages":
      return Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : "a whole number from 0"
    case "quality":
      return /^[\w.-]{1,32}$/.test(String(value)) ? undefined : "one word"
    default:
      return undefined
  }
}

/** What the rule allows, when the value is not among it. */
const judge = (rule: ImageRule, value: unknown): string | undefined => {
  switch (rule._tag) {
    case "Accepted":
      return undefined
    case "Unsupported":
      return "not to set it"
    case "Range":
      return typeof value === "number" && value >= rule.minimum && value <= rule.maximum
        ? undefined
        : rule.minimum === rule.maximum
          ? String(rule.minimum)
          : `from ${rule.minimum} to ${rule.maximum}`
    case "Choice":
      return rule.values.includes(String(value)) ? undefined : rule.values.join(", ")
    case "Count":
      return Array.isArray(value) && value.length <= rule.maximum ? undefined : `at most ${rule.maximum} of them`
    case "Sides": {
      const size = pixels(String(value))
      const fits = (side: number) => side >= rule.minimum && side <= rule.maximum && side % (rule.multipleOf ?? 1) === 0
      return size !== undefined && fits(size.width) && fits(size.height)
        ? undefined
        : `sides from ${rule.minimum} to ${rule.maximum} pixels${rule.multipleOf === undefined ? "" : `, multiples of ${rule.multipleOf}`}`
    }
  }
}

/**
 * `Image` is the protocol of image models, beside `Chat`: the parts of their replies, and the fold of these to pictures.
 *
 * Its parts are parts like any other ({@link Part.Part}), so the stages made for conversations work on them unchanged: a
 * picture is a `file`, and what is said on the way to it (a place in a queue, progress, a picture that is not done yet)
 * stands in `metadata.interlock.image`. Make them with the constructors here and read them with {@link eventOf}.
 *
 * ```ts
 * import { Image, Part } from "@interlock/model"
 *
 * const parts = [
 *   Image.queued(2),
 *   Image.progress(0.5),
 *   Image.partial({ mediaType: "image/png", data: "iVBORw0KGgo=" }, { index: 0, step: 1 }),
 *   Image.final({ mediaType: "image/png", data: "iVBORw0KGgo=", index: 0, seed: 7 }),
 *   Part.finish("stop")
 * ]
 * const { images } = parts.reduce(Image.protocol.append, Image.protocol.empty())
 * console.assert(images.length === 1 && images[0]?.seed === 7)
 * ```
 *
 * @since 0.1.0
 */
import type { Pipeline } from "@interlock/core"
import * as Part from "./Part.ts"

// ---------------------------------------------------------------------------------------------------------------
// Pictures
// ---------------------------------------------------------------------------------------------------------------

/**
 * A picture: its media type, and its bytes in base64.
 *
 * @category models
 * @since 0.1.0
 */
export interface Picture {
  readonly mediaType: string
  readonly data: string
}

/**
 * A finished picture. `index` counts the pictures of a call from 0; seed and size are there when the model says them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Made extends Picture {
  readonly index: number
  readonly seed?: number
  readonly width?: number
  readonly height?: number
}

/**
 * The bytes of a picture.
 *
 * @category accessors
 * @since 0.1.0
 */
export const bytes = (picture: Picture): Uint8Array => new Uint8Array(Buffer.from(picture.data, "base64"))

/**
 * A picture of bytes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromBytes = (mediaType: string, content: Uint8Array): Picture => ({
  mediaType,
  data: Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("base64")
})

/**
 * For how many megapixels a picture is billed where a model is billed by them: those begun count whole, and 1024 × 1024 pixels are one.
 *
 * @category accessors
 * @since 0.1.0
 */
export const megapixels = ({ height, width }: { readonly width: number; readonly height: number }): number =>
  Math.max(1, Math.ceil((width * height) / 1_048_576))

// ---------------------------------------------------------------------------------------------------------------
// Parts
// ---------------------------------------------------------------------------------------------------------------

/**
 * The request waits; `position` is how many are before it, where the provider says so.
 *
 * @category parts
 * @since 0.1.0
 */
export const queued = (position?: number): Part.Part => ({
  type: "response-metadata",
  metadata: { interlock: { image: { event: "queued", ...(position === undefined ? {} : { position }) } } }
})

/**
 * The work goes on; `fraction` of it is done, 0 to 1, where the provider says so.
 *
 * @category parts
 * @since 0.1.0
 */
export const progress = (fraction?: number): Part.Part => ({
  type: "response-metadata",
  metadata: { interlock: { image: { event: "progress", ...(fraction === undefined ? {} : { fraction }) } } }
})

/**
 * A picture that is not done yet: of which picture, and the how-manieth, from 0.
 *
 * @category parts
 * @since 0.1.0
 */
export const partial = (
  { data, mediaType }: Picture,
  { index, step }: { readonly index: number; readonly step: number }
): Part.Part => ({
  type: "file",
  mediaType,
  data,
  metadata: { interlock: { partial: true, image: { event: "partial", index, step } } }
})

/**
 * A finished picture.
 *
 * @category parts
 * @since 0.1.0
 */
export const final = ({ data, mediaType, ...said }: Made): Part.Part => ({
  type: "file",
  mediaType,
  data,
  metadata: { interlock: { image: { event: "final", ...said } } }
})

/**
 * What a part says of pictures.
 *
 * @category models
 * @since 0.1.0
 */
export type Event =
  | { readonly _tag: "Queued"; readonly position?: number }
  | { readonly _tag: "Progress"; readonly fraction?: number }
  | { readonly _tag: "Partial"; readonly index: number; readonly step: number; readonly picture: Picture }
  | { readonly _tag: "Final"; readonly made: Made }

/**
 * Reads a part; `undefined` when it says nothing of pictures. A `file` of an image type without more is a finished picture,
 * so that a chat model that draws needs nothing special; its index is then `next`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const eventOf = (part: Part.Part, next = 0): Event | undefined => {
  if (part.type !== "file" && part.type !== "response-metadata") return undefined
  const said = saidOf(part)
  const count = (name: string): number | undefined => {
    const value = said?.[name]
    return typeof value === "number" ? value : undefined
  }
  if (part.type === "response-metadata") {
    const position = count("position")
    const fraction = count("fraction")
    if (said?.["event"] === "queued") return { _tag: "Queued", ...(position === undefined ? {} : { position }) }
    if (said?.["event"] === "progress") return { _tag: "Progress", ...(fraction === undefined ? {} : { fraction }) }
    return undefined
  }
  if (!part.mediaType.startsWith("image/")) return undefined
  const { data, mediaType } = part
  const index = count("index") ?? next
  if (Part.isPartial(part)) {
    return { _tag: "Partial", index, step: count("step") ?? 0, picture: { mediaType, data } }
  }
  const [seed, width, height] = [count("seed"), count("width"), count("height")]
  return {
    _tag: "Final",
    made: {
      mediaType,
      data,
      index,
      ...(seed === undefined ? {} : { seed }),
      ...(width === undefined ? {} : { width }),
      ...(height === undefined ? {} : { height })
    }
  }
}

const saidOf = (part: Part.Part): { readonly [key: string]: unknown } | undefined => {
  const { image } = Part.interlock(part)
  return typeof image === "object" && image !== null ? (image as { readonly [key: string]: unknown }) : undefined
}

// ---------------------------------------------------------------------------------------------------------------
// The fold
// ---------------------------------------------------------------------------------------------------------------

/**
 * A complete reply: the fold of its parts. What was only on the way (queue, progress, pictures not done yet) is left out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Images {
  /** In the order of their indices. */
  readonly images: ReadonlyArray<Made>
  /** What the model said beside the pictures: the prompt as it rewrote it, or words of its own. */
  readonly text: string
  readonly finishReason: Part.FinishReason
  readonly usage: Part.Usage
  /** What Interlock says about the reply: cost, cache. */
  readonly metadata: { readonly [key: string]: unknown }
}

/**
 * The fold of no parts.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty: Images = { images: [], text: "", finishReason: "unknown", usage: Part.noUsage, metadata: {} }

const append = (whole: Images, part: Part.Part): Images => {
  switch (part.type) {
    case "text":
      return { ...whole, text: whole.text + part.text }
    case "text-delta":
      return { ...whole, text: whole.text + part.delta }
    case "file": {
      const event = eventOf(part, whole.images.length)
      if (event?._tag !== "Final") return whole
      return { ...whole, images: [...whole.images, event.made].sort((one, other) => one.index - other.index) }
    }
    case "finish":
      return {
        ...whole,
        finishReason: part.reason,
        usage: part.usage,
        metadata: { ...whole.metadata, ...Part.interlock(part) }
      }
    default:
      return whole
  }
}

/**
 * The protocol of image models: give it to `Pipeline.make`.
 *
 * @category protocols
 * @since 0.1.0
 */
export const protocol: Pipeline.Protocol<Part.Part, Images> = { name: "image", empty: () => empty, append }

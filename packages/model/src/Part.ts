/**
 * A `Part` is a piece of a reply: text, reasoning, a tool call, a file, a source, usage and the finish, as plain JSON.
 *
 * Parts are the encoded forms of `effect/ai`'s `Response`: a whole reply uses `text`, `reasoning`, …, a live one
 * `text-start`, `text-delta`, `text-end`, …; both end in `finish`. What Interlock itself says about a reply (its cost, the age
 * of a cache hit, a clamped parameter) stands in the finish part's `metadata.interlock`.
 *
 * @since 0.1.0
 */
import type { Response } from "effect/ai"

/**
 * A piece of a reply, as plain JSON.
 *
 * @category models
 * @since 0.1.0
 */
export type Part = Response.AllPartsEncoded

/**
 * The last part of a complete reply: why the model stopped and what it used.
 *
 * @category models
 * @since 0.1.0
 */
export type FinishPart = Response.FinishPartEncoded

/**
 * Why the model stopped.
 *
 * @category models
 * @since 0.1.0
 */
export type FinishReason = FinishPart["reason"]

/**
 * The tokens that a call used, as the provider counts them.
 *
 * @category models
 * @since 0.1.0
 */
export type Usage = FinishPart["usage"]

/**
 * The usage of a call of which nothing is known.
 *
 * @category constructors
 * @since 0.1.0
 */
export const noUsage: Usage = { inputTokens: {}, outputTokens: {} }

/**
 * The finish part, for replies that are made here.
 *
 * @category constructors
 * @since 0.1.0
 */
export const finish = (reason: FinishReason, usage: Usage = noUsage): FinishPart => ({ type: "finish", reason, usage })

/**
 * A whole reply of one text.
 *
 * @category constructors
 * @since 0.1.0
 */
export const text = (content: string, usage: Usage = noUsage): ReadonlyArray<Part> => [
  { type: "text", text: content },
  finish("stop", usage)
]

/**
 * What Interlock says about a reply, read from a part's metadata.
 *
 * @category accessors
 * @since 0.1.0
 */
export const interlock = (part: Part): { readonly [key: string]: unknown } =>
  (part.metadata as { readonly interlock?: { readonly [key: string]: unknown } } | undefined)?.interlock ?? {}

/**
 * Adds to what Interlock says about a reply; the other metadata stays.
 *
 * @category mapping
 * @since 0.1.0
 */
export const annotate = <P extends Part>(part: P, said: { readonly [key: string]: unknown }): P => ({
  ...part,
  metadata: { ...part.metadata, interlock: { ...interlock(part), ...said } }
})

/**
 * Whether a file is only a picture of the work in progress, which a finished one follows: `interlock.partial` says so.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isPartial = (part: Part): boolean => interlock(part)["partial"] === true

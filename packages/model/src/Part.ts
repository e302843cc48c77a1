/**
 * A `Part` is a piece of a reply: text, reasoning, a tool call, a file, a source, usage and the finish, as plain JSON.
 *
 * Parts are the encoded forms of `effect/ai`'s `Response`: a whole reply uses `text`, `reasoning`, …, a live one
 * `text-start`, `text-delta`, `text-end`, …; both end in `finish`. What Interlock itself says about a reply (its cost, the age
 * of a cache hit, a clamped parameter) stands in the finish part's `metadata.interlock`.
 *
 * @since 0.1.0
 */
import type { Schema } from "effect"
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

type Metadata = NonNullable<Part["metadata"]>

const isRecord = (value: unknown): value is { readonly [field: string]: Schema.Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What both say, provider by provider; the later one counts. */
const merged = (first: Metadata | undefined, later: Metadata | undefined): Metadata | undefined => {
  if (first === undefined || later === undefined) return first ?? later
  const all: { [provider: string]: Schema.Json } = { ...first }
  for (const [provider, said] of Object.entries(later)) {
    const before = first[provider]
    all[provider] = isRecord(before) && isRecord(said) ? { ...before, ...said } : said
  }
  return all
}

/**
 * Joins each `start`, `delta`…, `end` of a live reply to one standing `text` or `reasoning`, as a whole reply has them. The parts
 * of tool parameters are left out: the call has them.
 *
 * @category mapping
 * @since 0.1.0
 */
export const toStanding = (parts: Iterable<Part>): ReadonlyArray<Part> => {
  const standing: Array<Part> = []
  const open = new Map<string, number>()
  const place = (type: "text" | "reasoning", id: string, delta: string, metadata: Metadata | undefined) => {
    const key = `${type} ${id}`
    const index = open.get(key)
    const before = index === undefined ? undefined : standing[index]
    const text = before?.type === type ? before.text : ""
    const kept = merged(before?.metadata, metadata)
    const part: Part = { type, text: text + delta, ...(kept === undefined ? {} : { metadata: kept }) }
    if (index === undefined) open.set(key, standing.push(part) - 1)
    else standing[index] = part
  }
  for (const part of parts) {
    switch (part.type) {
      case "text-start":
      case "reasoning-start": {
        const type = part.type === "text-start" ? "text" : "reasoning"
        open.delete(`${type} ${part.id}`)
        place(type, part.id, "", part.metadata)
        break
      }
      case "text-delta":
        place("text", part.id, part.delta, part.metadata)
        break
      case "reasoning-delta":
        place("reasoning", part.id, part.delta, part.metadata)
        break
      case "text-end":
        place("text", part.id, "", part.metadata)
        break
      case "reasoning-end":
        place("reasoning", part.id, "", part.metadata)
        break
      case "tool-params-start":
      case "tool-params-delta":
      case "tool-params-end":
        break
      default:
        standing.push(part)
    }
  }
  // Reasoning that a provider keeps to itself has no text but a signature, which it wants back in the next prompt.
  return standing.filter(
    (part) => (part.type !== "text" && part.type !== "reasoning") || part.text !== "" || part.metadata !== undefined
  )
}

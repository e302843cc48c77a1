/**
 * The two forms of a reply's parts, and the way between them: standing parts (`text`, `reasoning`) of whole replies, and
 * `start`, `delta`, `end` of live ones.
 *
 * @since 0.1.0
 */
import type { Part } from "@interlock/model"
import { type Schema, Stream } from "effect"

type Metadata = NonNullable<Part.Part["metadata"]>

/** Whether a part is content, so that after it no other model may answer. */
export const isContent = (part: Part.Part): boolean => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return part.text !== ""
    case "text-delta":
    case "reasoning-delta":
      return part.delta !== ""
    case "text-start":
    case "text-end":
    case "reasoning-start":
    case "reasoning-end":
    case "response-metadata":
    case "finish":
      return false
    default:
      return true
  }
}

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

/** Joins each `start`, `delta`…, `end` to one standing part; the parts of tool parameters are left out, the call has them. */
export const toStanding = (parts: ReadonlyArray<Part.Part>): ReadonlyArray<Part.Part> => {
  const standing: Array<Part.Part> = []
  const open = new Map<string, number>()
  const place = (type: "text" | "reasoning", id: string, delta: string, metadata: Metadata | undefined) => {
    const key = `${type} ${id}`
    const index = open.get(key)
    const before = index === undefined ? undefined : standing[index]
    const text = before?.type === type ? before.text : ""
    const kept = merged(before?.metadata, metadata)
    const part: Part.Part = { type, text: text + delta, ...(kept === undefined ? {} : { metadata: kept }) }
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

/** The parts of a live reply that say the same as one part; `index` tells standing texts apart. */
export const toLive = (part: Part.Part, index: number): ReadonlyArray<Part.Part> => {
  if (part.type !== "text" && part.type !== "reasoning") return [part]
  const id = `${part.type}-${index}`
  const { type } = part
  return [
    { type: `${type}-start`, id },
    { type: `${type}-delta`, id, delta: part.text },
    { type: `${type}-end`, id, ...(part.metadata === undefined ? {} : { metadata: part.metadata }) }
  ]
}

/** Holds the first parts back until one with content is here, so that the commit point is content. */
export const untilContent = <E, R>(parts: Stream.Stream<Part.Part, E, R>): Stream.Stream<Part.Part, E, R> =>
  Stream.suspend(() => {
    let held: Array<Part.Part> | undefined = []
    const released = Stream.mapAccum(
      parts,
      () => undefined,
      (state, part) => {
        if (held === undefined) return [state, [part]]
        held.push(part)
        if (!isContent(part) && part.type !== "finish") return [state, []]
        const ready = held
        held = undefined
        return [state, ready]
      }
    )
    return Stream.concat(
      released,
      Stream.suspend(() => Stream.fromIterable(held ?? []))
    )
  })

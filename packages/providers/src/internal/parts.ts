/**
 * Live parts: which of them are content, and how a standing part becomes live. `Part.toStanding` goes the other way.
 *
 * @since 0.1.0
 */
import type { Part } from "@interlock/model"
import { Stream } from "effect"

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

/**
 * What the cache keeps under a key, and its text form, which a store may lose, cut or mix up without anybody being served
 * nonsense: it begins with a digest of its key and the rest.
 *
 * @since 0.1.0
 */
import { hash } from "node:crypto"
import type { Part } from "@interlock/model"

/**
 * A stored answer or a remembered error. Times are milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly storedAt: number
  readonly freshUntil: number
  /** Whether the parts came as a live reply, and are replayed as one. */
  readonly live: boolean
  readonly parts: ReadonlyArray<Part.Part>
  /** What the call cost, in US dollars, where that is known. */
  readonly costUsd?: number
  /** For a remembered error: its encoded form. */
  readonly error?: unknown
}

const version = "2"

/**
 * The text of the entry of a key.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (key: string, entry: Entry): string => {
  const text = JSON.stringify(entry)
  return digest(key, text) + text
}

/**
 * The entry of a text, or `undefined` when the text is not what `encode` wrote for this key.
 *
 * @category encoding
 * @since 0.1.0
 */
export const decode = (key: string, stored: string): Entry | undefined => {
  const text = stored.slice(digestLength)
  return digest(key, text) === stored.slice(0, digestLength) ? JSON.parse(text) : undefined
}

const digestLength = version.length + 22

const digest = (key: string, text: string): string =>
  version + hash("sha256", `${key}\n${text}`, "base64url").slice(0, 22)

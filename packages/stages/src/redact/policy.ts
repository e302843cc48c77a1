/**
 * The `Policy` of redaction: what happens to each type, to files, and on the way back. A reference with safe defaults.
 *
 * @since 0.1.0
 */

import type { Prompt } from "@interlock/model"
import { Context, type Effect, type Redacted } from "effect"
import { defaultShape, type Shape } from "./placeholder.ts"

/**
 * What happens to a value: a reversible `placeholder`; a `mask` of the same length (`****`); a `hash` that says only whether two
 * values are the same, to whoever has not the `hashKey`; `remove`; `refuse` the whole call; or `keep` it in clear.
 *
 * @category models
 * @since 0.1.0
 */
export type Strategy = "placeholder" | "mask" | "hash" | "remove" | "refuse" | "keep"

/**
 * What happens to files and images: `refuse` the call, let them `pass` unseen, or ask a function, which answers with the file to
 * send (its own or another) or `undefined` to refuse.
 *
 * @category models
 * @since 0.1.0
 */
export type FilePolicy =
  | "refuse"
  | "pass"
  | ((file: Prompt.FilePart) => Effect.Effect<Prompt.FilePart | undefined, unknown>)

/**
 * The choices of redaction.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  readonly shape: Shape
  /** Spans with less confidence stay in clear. */
  readonly minimumConfidence: number
  /** By type; `placeholder` where nothing is said. */
  readonly strategies: { readonly [type: string]: Strategy }
  /**
   * The key of the strategy `hash`, at least 16 random bytes: a value of a type has the same hash in every call of a tenant under one
   * key, so that what is kept can be joined, and nobody without the key finds a short value by trying all. Where there is none, every
   * call makes a key and forgets it: hashes can be compared within that call alone, and a cache below never sees an equal prompt.
   */
  readonly hashKey?: Redacted.Redacted<string | Uint8Array>
  readonly files: FilePolicy
  /** What `redactParameters` does about a value where it cannot be replaced: in the name of a tool or a property, or in a pattern. */
  readonly fixed: "refuse" | "pass"
  readonly restore: {
    /** Whether values go back into tool arguments, where they leave for the tool. */
    readonly toolArguments: boolean
    /** In URLs: `known` restores only in URLs that the prompt itself held, `always`, or `never`. */
    readonly urls: "known" | "always" | "never"
  }
}

/**
 * Placeholders for everything found except countries, nationalities, plain dates and forms of address; files refused; values restored everywhere except in
 * URLs that the model made up.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaults: Settings = {
  shape: defaultShape,
  minimumConfidence: 0.5,
  strategies: { COUNTRY: "keep", DATE_TIME: "keep", NRP: "keep", TITLE: "keep" },
  files: "refuse",
  fixed: "refuse",
  restore: { toolArguments: true, urls: "known" }
}

/**
 * The policy in force. Provide another with `Effect.provideService(Policy, make({ files: "pass" }))`.
 *
 * @category references
 * @since 0.1.0
 */
export const Policy: Context.Reference<Settings> = Context.Reference("@interlock/stages/redact/Policy", {
  defaultValue: () => defaults
})

/**
 * The defaults with some choices changed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (changes: Partial<Settings>): Settings => ({
  ...defaults,
  ...changes,
  strategies: { ...defaults.strategies, ...changes.strategies },
  restore: { ...defaults.restore, ...changes.restore }
})

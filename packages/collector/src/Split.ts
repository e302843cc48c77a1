/**
 * `Split` says which part of a dataset an item goes to: by its cluster, so that no two parts have items that are much alike, and by a
 * hash, so that an item stays where it is when others come.
 *
 * ```ts
 * import * as Split from "@interlock/collector/Split"
 *
 * const assign = Split.make({ train: 9, validation: 1 })
 * console.assert(assign("17") === assign("17"))
 * ```
 *
 * @since 0.1.0
 */
import { hash } from "./internal/text.ts"

/**
 * The parts, each with its share; shares need not add up to anything.
 *
 * @category models
 * @since 0.1.0
 */
export type Shares = { readonly [part: string]: number }

/**
 * Nine tenths to train on, and one to look at.
 *
 * @category constants
 * @since 0.1.0
 */
export const standard: Shares = { train: 0.9, validation: 0.1 }

/**
 * Makes the function that assigns clusters to parts. Another `seed` gives another split.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (shares: Shares, seed = 0): ((cluster: string) => string) => {
  const parts = Object.entries(shares).filter(([, share]) => share > 0)
  const total = parts.reduce((sum, [, share]) => sum + share, 0)
  return (cluster) => {
    let at = (hash(`${seed}/${cluster}`) / 2 ** 32) * total
    for (const [part, share] of parts) {
      at -= share
      if (at < 0) return part
    }
    return parts.at(-1)?.[0] ?? "train"
  }
}

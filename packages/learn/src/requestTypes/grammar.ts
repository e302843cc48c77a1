/**
 * A grammar that writes prompts: templates with `{slots}`, filled by a seeded generator, so that the same grammar gives the same
 * prompts everywhere.
 *
 * @since 0.1.0
 */

/**
 * For each slot what may fill it; fillings may have slots of their own.
 *
 * @category models
 * @since 0.1.0
 */
export type Slots = { readonly [slot: string]: ReadonlyArray<string> }

/**
 * What one language says for each kind of request: templates, and prompts written in full that are always used.
 *
 * @category models
 * @since 0.1.0
 */
export interface Grammar {
  readonly slots: Slots
  readonly kinds: {
    readonly [kind: string]: { readonly templates: ReadonlyArray<string>; readonly written: ReadonlyArray<string> }
  }
  /** What may stand before and after a request of any kind. */
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
}

/** The generator of Marsaglia, "Xorshift RNGs" (2003). */
const random = (seed: number) => {
  let state = seed | 1
  return <A>(values: ReadonlyArray<A>): A => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return values[(state >>> 0) % values.length]!
  }
}

/**
 * Writes up to `count` distinct prompts of each kind, those written in full first.
 *
 * @category generating
 * @since 0.1.0
 */
export const generate = (
  grammar: Grammar,
  count: number,
  seed: number
): ReadonlyArray<{ readonly text: string; readonly label: string }> => {
  const pick = random(seed)
  const fill = (template: string, depth = 0): string =>
    depth > 4
      ? template
      : template.replace(/\{(\w+)\}/g, (whole, slot: string) => {
          const values = grammar.slots[slot]
          return values === undefined ? whole : fill(pick(values), depth + 1)
        })
  const rows: Array<{ text: string; label: string }> = []
  for (const [label, { templates, written }] of Object.entries(grammar.kinds)) {
    const seen = new Set<string>(written)
    for (let attempt = 0; seen.size < count && attempt < count * 8; attempt++) {
      const text = fill(pick(templates))
      const dressed = label === "unknown" ? text : `${pick(grammar.before)}${text}${pick(grammar.after)}`
      seen.add(attempt % 4 === 0 ? dressed.toLowerCase() : dressed)
    }
    for (const text of seen) rows.push({ text, label })
  }
  return rows
}

/**
 * Reads a prompt into a scene: which things, how many, of which colour and size, where they stand, what is around them, and
 * what is written on the picture.
 *
 * @since 0.1.0
 */
import { type Direction, type Setting, type Side, wordsOf } from "./words.ts"

/** Things of one kind, colour and size. */
export interface Thing {
  readonly kind: string
  readonly colour: string | undefined
  readonly size: number
  readonly count: number
  readonly sides: ReadonlyArray<Side>
}

/** `from` stands so, seen from `to`; both are places in `things`. */
export interface Relation {
  readonly from: number
  readonly direction: Direction
  readonly to: number
}

/** What is to be seen. */
export interface Scene {
  readonly things: ReadonlyArray<Thing>
  readonly relations: ReadonlyArray<Relation>
  readonly settings: ReadonlySet<Setting>
  readonly caption: string | undefined
}

const mostThings = 16
const mostOfAKind = 48

const quotes: ReadonlyArray<RegExp> = [
  /"([^"]{1,200})"/u,
  /“([^”]{1,200})”/u,
  /「([^」]{1,200})」/u,
  /『([^』]{1,200})』/u,
  /«([^»]{1,200})»/u,
  /《([^》]{1,200})》/u,
  /„([^“”]{1,200})[“”]/u,
  /(?<![\p{L}\p{N}])'([^']{2,200})'(?![\p{L}\p{N}])/u
]

/** The first text in quotes is written on the picture; it is not read for things. */
const captionOf = (prompt: string): { readonly caption: string | undefined; readonly rest: string } => {
  for (const quote of quotes) {
    const found = quote.exec(prompt)
    if (found !== null) {
      return { caption: found[1]!.replace(/\s+/gu, " ").trim(), rest: prompt.replace(found[0], " , ") }
    }
  }
  return { caption: undefined, rest: prompt }
}

interface Pending {
  count: number | undefined
  colour: string | undefined
  size: number
  sides: ReadonlyArray<Side>
  definite: boolean
  not: boolean
}

const nothing = (): Pending => ({
  count: undefined,
  colour: undefined,
  size: 1,
  sides: [],
  definite: false,
  not: false
})

/** Reads the scene of a prompt. */
export const read = (prompt: string): Scene => {
  const { caption, rest } = captionOf(prompt)
  const things: Array<{ -readonly [K in keyof Thing]: Thing[K] }> = []
  const relations: Array<Relation> = []
  const settings = new Set<Setting>()
  let pending = nothing()
  /** The thing last spoken of in this clause, and the one before it that `在` speaks of. */
  let last: number | undefined
  let relation: Direction | undefined
  let subject: number | undefined
  /** `left of the house` with its subject still to come. */
  let waiting: { readonly direction: Direction; readonly to: number } | undefined
  let atSubject: number | undefined
  let atReference: number | undefined
  let at = false
  let said: { readonly thing: number; readonly direction: Direction; readonly sides: ReadonlyArray<Side> } | undefined

  const place = (kind: string): number => {
    const known = things.findIndex(
      (one) => one.kind === kind && (pending.colour === undefined || one.colour === pending.colour)
    )
    const refers = pending.definite || ((relation !== undefined || at) && pending.count === undefined)
    if (known >= 0 && refers && known !== last) return known
    things.push({
      kind,
      colour: pending.colour,
      size: pending.size,
      count: Math.min(mostOfAKind, pending.count ?? 1),
      sides: pending.sides
    })
    return things.length - 1
  }

  for (const word of wordsOf(rest)) {
    switch (word._tag) {
      case "Number":
        pending.count = word.value
        break
      case "Colour":
        pending.colour = word.colour
        break
      case "Size":
        pending.size = word.factor
        break
      case "The":
        pending.definite = true
        break
      case "Not":
        pending.not = true
        break
      case "Setting":
        if (!pending.not) settings.add(word.setting)
        pending = nothing()
        relation = undefined
        break
      case "Relation":
        relation = word.direction
        subject = last
        break
      case "At":
        at = true
        atSubject = last
        atReference = undefined
        break
      case "Has":
        if (said !== undefined) {
          waiting = { direction: said.direction, to: said.thing }
          things[said.thing]!.sides = said.sides
          said = undefined
          last = undefined
        }
        break
      case "Side":
        if (at && atReference !== undefined && word.direction !== undefined) {
          if (atSubject !== undefined) {
            relations.push({ from: atSubject, direction: word.direction, to: atReference })
          } else waiting = { direction: word.direction, to: atReference }
          at = false
        } else if (last !== undefined) {
          const thing = things[last]!
          if (word.direction !== undefined) said = { thing: last, direction: word.direction, sides: thing.sides }
          thing.sides = [...thing.sides, ...word.sides]
        } else pending.sides = [...pending.sides, ...word.sides]
        break
      case "Thing": {
        if (pending.not || things.length >= mostThings) {
          pending = nothing()
          break
        }
        const here = place(word.kind)
        if (relation !== undefined && subject !== undefined && subject !== here) {
          relations.push({ from: subject, direction: relation, to: here })
        } else if (relation !== undefined && subject === undefined) {
          waiting = { direction: relation, to: here }
        } else if (waiting !== undefined && waiting.to !== here) {
          relations.push({ from: here, direction: waiting.direction, to: waiting.to })
          waiting = undefined
        }
        if (at) atReference = here
        relation = undefined
        said = undefined
        last = here
        pending = nothing()
        break
      }
      case "And":
        pending = { ...nothing(), sides: pending.sides }
        said = undefined
        break
      case "Break":
        pending = nothing()
        last = undefined
        relation = undefined
        said = undefined
        at = false
        break
    }
  }
  return { things, relations, settings, caption }
}

/**
 * Writes a caption as outlines, so that it looks the same on every machine, with or without fonts: GNU Unifont has a sign for
 * every character of Unicode's Basic Multilingual Plane. Lines run in the direction of their script, and Arabic letters join.
 *
 * @since 0.1.0
 */
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import type { Letter } from "./compose.ts"

interface Glyph {
  readonly advanceWidth?: number
  readonly path: { readonly commands: ReadonlyArray<Command> }
}
type Command =
  | { readonly type: "M" | "L"; readonly x: number; readonly y: number }
  | { readonly type: "Q"; readonly x: number; readonly y: number; readonly x1: number; readonly y1: number }
  | {
      readonly type: "C"
      readonly x: number
      readonly y: number
      readonly x1: number
      readonly y1: number
      readonly x2: number
      readonly y2: number
    }
  | { readonly type: "Z" }
interface Font {
  readonly charToGlyph: (char: string) => Glyph
}

interface Bidi {
  readonly getEmbeddingLevels: (text: string) => object
  readonly getMirroredCharactersMap: (text: string, levels: object) => ReadonlyMap<number, string>
  readonly getReorderSegments: (text: string, levels: object) => ReadonlyArray<readonly [number, number]>
}

/** One em of the font is 16 pixels of its grid. */
const em = 1024
const dot = em / 16

/** The joined forms of Arabic letters, from their compatibility decompositions (Unicode, block U+FE70 to U+FEFC). */
const makeJoined = () => {
  const forms = new Map<string, Array<string>>()
  for (let code = 0xfe80; code <= 0xfefc; code++) {
    const form = String.fromCodePoint(code)
    const letters = form.normalize("NFKC")
    const known = forms.get(letters)
    if (known === undefined) forms.set(letters, [form])
    else known.push(form)
  }
  return forms
}
let joined: ReadonlyMap<string, ReadonlyArray<string>> | undefined

/** Puts the form that joins its neighbours in the place of every Arabic letter: alone, at the end, beginning, middle. */
export const joinArabic = (text: string): string => {
  if (!/\p{Script=Arabic}/u.test(text)) return text
  joined ??= makeJoined()
  const forms = joined
  // Lam and alef are written as one.
  const letters: Array<string> = []
  for (const char of text) {
    const pair = `${letters.at(-1) ?? ""}${char}`
    if (letters.at(-1) === "\u0644" && forms.has(pair)) letters[letters.length - 1] = pair
    else letters.push(char)
  }
  const isMark = (char: string | undefined) => char !== undefined && /\p{Mn}/u.test(char)
  const joinsNext = (char: string | undefined) =>
    char !== undefined && ((forms.get(char)?.length ?? 0) >= 4 || char === "\u0640")
  const joinsBefore = (char: string | undefined) =>
    char !== undefined && ((forms.get(char)?.length ?? 0) >= 2 || char === "\u0640")
  return letters
    .map((char, index) => {
      const known = forms.get(char)
      if (known === undefined) return char
      let before = index - 1
      while (isMark(letters[before])) before--
      let after = index + 1
      while (isMark(letters[after])) after++
      const left = joinsNext(letters[before]) && joinsBefore(char)
      const right = joinsNext(char) && joinsBefore(letters[after])
      return known[left && right ? 3 : right ? 2 : left ? 1 : 0] ?? known[0]!
    })
    .join("")
}

const words = new Intl.Segmenter("en", { granularity: "word" })

/** Breaks a text into lines of at most so many dots, between words; a word that is too long is broken. */
const linesOf = (text: string, widthOf: (text: string) => number, most: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  const push = (piece: string) => {
    if (line !== "" && widthOf((line + piece).trimEnd()) > most) {
      lines.push(line.trim())
      line = ""
    }
    line += piece
  }
  for (const { segment } of words.segment(text)) {
    if (widthOf(segment) > most) for (const char of segment) push(char)
    else push(segment)
  }
  if (line.trim() !== "") lines.push(line.trim())
  return lines
}

const load = async (): Promise<Letter> => {
  const { default: opentype } = await import("opentype.js")
  // Its types describe a namespace; at run time the module's default is the function that makes one.
  const makeBidi = (await import("bidi-js")).default as unknown as () => Bidi
  const bidi = makeBidi()
  const require = createRequire(import.meta.url)
  const file = await readFile(require.resolve("@fontsource/unifont/files/unifont-latin-400-normal.woff"))
  const font = opentype.parse(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength), {
    lowMemory: true
  }) as Font
  const glyphs = new Map<string, Glyph>()
  const glyphOf = (char: string): Glyph => {
    let glyph = glyphs.get(char)
    if (glyph === undefined) {
      glyph = font.charToGlyph(char)
      glyphs.set(char, glyph)
    }
    return glyph
  }
  const widthOf = (text: string) => [...text].reduce((sum, char) => sum + (glyphOf(char).advanceWidth ?? 0) / dot, 0)
  /** The characters in the order in which they are seen, from left to right. */
  const seen = (line: string): string => {
    const levels = bidi.getEmbeddingLevels(line)
    const mirrored = bidi.getMirroredCharactersMap(line, levels)
    const chars = line.split("").map((char, index) => mirrored.get(index) ?? char)
    for (const [from, to] of bidi.getReorderSegments(line, levels)) {
      for (let a = from, b = to; a < b; a++, b--) [chars[a], chars[b]] = [chars[b]!, chars[a]!]
    }
    return chars.join("").toWellFormed()
  }
  return (text, box) => {
    const whole = joinArabic(text.normalize("NFC"))
    // The largest whole number of pixels to a dot at which the text fits; whatever is too long even at 1 is cut.
    let scale = Math.max(1, Math.floor(box.height / 18))
    let lines = linesOf(whole, widthOf, box.width / scale)
    while (scale > 1 && lines.length * 18 * scale > box.height) {
      scale--
      lines = linesOf(whole, widthOf, box.width / scale)
    }
    const shown = lines.slice(0, Math.max(1, Math.floor(box.height / (18 * scale))))
    const widths = shown.map(widthOf)
    const widest = Math.max(1, ...widths)
    const unit = scale / dot
    let d = ""
    for (const [row, line] of shown.entries()) {
      let x = Math.floor((widest - widths[row]!) / 2) * scale
      const base = (row * 18 + 15) * scale
      for (const char of seen(line)) {
        const glyph = glyphOf(char)
        const at = (a: number, b: number) =>
          `${x + Math.round(a * unit * 100) / 100} ${base - Math.round(b * unit * 100) / 100}`
        for (const step of glyph.path.commands) {
          if (step.type === "Z") d += "Z"
          else if (step.type === "Q") d += `Q${at(step.x1, step.y1)} ${at(step.x, step.y)}`
          else if (step.type === "C") d += `C${at(step.x1, step.y1)} ${at(step.x2, step.y2)} ${at(step.x, step.y)}`
          else d += `${step.type}${at(step.x, step.y)}`
        }
        x += ((glyph.advanceWidth ?? 0) / dot) * scale
      }
    }
    return { path: d, width: widest * scale, height: shown.length * 18 * scale }
  }
}

let loaded: Promise<Letter> | undefined

/** The lettering; the font is read once, when a caption is first wanted. */
export const lettering = (): Promise<Letter> => {
  loaded ??= load()
  return loaded
}

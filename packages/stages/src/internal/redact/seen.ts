/** Texts as a reader sees them: identifiers that invisible signs, combining marks or emoji cut in pieces, put together again. */

import { mayCut } from "./traits.ts"

const dropped =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: the marks are meant one by one
  /[\u0300-\u036f\u00ad\u180e\u200b-\u200f\u2060-\u2064\u20d0-\u20ff\ufe00-\ufe0f\ufeff\p{Extended_Pictographic}\p{Emoji_Modifier}]/u

export interface Seen {
  readonly text: string
  /** Where each character stands in the original, and where the original ends. */
  readonly from: ReadonlyArray<number>
}

const inWord = /[\p{L}\p{N}@.:/_-]/u
const fullWidth = /[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff20]/
const digit = /\d/

/** Whether something that can be dropped stands inside a word, or alone between digits; or full-width letters do. */
const isCut = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    if (!mayCut(text.charCodeAt(i))) continue
    if (fullWidth.test(text[i] as string)) return true
    const start = i
    let char = String.fromCodePoint(text.codePointAt(i) as number)
    while (dropped.test(char)) {
      i += char.length
      if (i >= text.length) return false
      char = String.fromCodePoint(text.codePointAt(i) as number)
    }
    if (i === start) continue
    const before = start > 0 ? (text[start - 1] as string) : ""
    if (inWord.test(before) && inWord.test(char)) return true
    const left = before === " " ? (text[start - 2] ?? "") : before
    const right = char === " " ? (text[i + 1] ?? "") : char
    if (digit.test(left) && digit.test(right)) return true
    i--
  }
  return false
}

/** The text without what cuts it, or `undefined` when nothing does. Full-width letters and digits become narrow. */
export const seen = (text: string): Seen | undefined => {
  if (!isCut(text)) return undefined
  let out = ""
  const from: Array<number> = []
  for (let i = 0; i < text.length; ) {
    const char = String.fromCodePoint(text.codePointAt(i) as number)
    if (!dropped.test(char)) {
      const code = char.charCodeAt(0)
      out += code >= 0xff01 && code <= 0xff5e ? String.fromCharCode(code - 0xfee0) : char
      for (let j = 0; j < char.length; j++) from.push(i + j)
    } else if (char.length > 1 && out.endsWith(" ") && text[i + char.length] === " ") i++
    i += char.length
  }
  from.push(text.length)
  return { text: out, from }
}

/** Texts as a reader sees them: identifiers that invisible signs, combining marks or emoji cut in pieces, put together again. */

const cut =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: the marks are meant one by one
  /[\p{L}\p{N}@.:/_-][\u0300-\u036f\u00ad\u180e\u200b-\u200f\u2060-\u2064\u20d0-\u20ff\ufe00-\ufe0f\ufeff\p{Extended_Pictographic}\p{Emoji_Modifier}]+[\p{L}\p{N}@.:/_-]|\d ?[\u0300-\u036f\u00ad\u180e\u200b-\u200f\u2060-\u2064\u20d0-\u20ff\ufe00-\ufe0f\ufeff\p{Extended_Pictographic}\p{Emoji_Modifier}]+ ?\d|[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff20]/u
const dropped =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: the marks are meant one by one
  /[\u0300-\u036f\u00ad\u180e\u200b-\u200f\u2060-\u2064\u20d0-\u20ff\ufe00-\ufe0f\ufeff\p{Extended_Pictographic}\p{Emoji_Modifier}]/u

export interface Seen {
  readonly text: string
  /** Where each character stands in the original, and where the original ends. */
  readonly from: ReadonlyArray<number>
}

/** Whether no character is of the blocks of marks, invisible signs, emoji and full-width forms, as in most texts. */
const plain = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0xad) continue
    if (code === 0xad || (code >= 0x300 && code <= 0x36f) || code === 0x180e) return false
    if (code < 0x200b) continue
    if (code <= 0x200f || (code >= 0x2060 && code <= 0x2064) || (code >= 0x20d0 && code <= 0x20ff)) return false
    if ((code >= 0x2122 && code <= 0x2bff) || (code >= 0xd83c && code <= 0xd83e) || code >= 0xfe00) {
      if (
        code !== 0xff0c &&
        code !== 0xff1a &&
        code !== 0xff01 &&
        code !== 0xff08 &&
        code !== 0xff09 &&
        code !== 0xff1b &&
        code !== 0xff1f
      )
        return false
    }
  }
  return true
}

/** The text without what cuts it, or `undefined` when nothing does. Full-width letters and digits become narrow. */
export const seen = (text: string): Seen | undefined => {
  if (plain(text) || !cut.test(text)) return undefined
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

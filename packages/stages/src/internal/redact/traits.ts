/** What kinds of characters a text has, in one look: most texts lack most of them, and most expressions need not be tried. */

/** Han, kana or hangul. */
export const EastAsian = 1
/** A sign that a reader does not see or does not mind inside a word, or one that looks like a plain one. */
export const Cut = 2
const Digit = 4
/** A sign that code is full of, and prose is not. */
const CodeSign = 8
/** A sign that something is written in another way: as in JSON, in a URL, in HTML, in mail. */
export const Escape = 16

const scripts = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]/u
const cut =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: the marks are meant one by one
  /[\u0300-\u036f\u00ad\u115f\u1160\u180e\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u2064\u2066-\u2069\u20d0-\u20ff\u2212\u3164\ufe00-\ufe0f\ufeff\uffa0\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Nd}\p{Zs}\uff08\uff09\uff0b\uff0d-\uff19\uff20-\uff3a\uff3f\uff41-\uff5a]/u

const table = new Uint8Array(65536)
for (let code = 0x80; code < 65536; code++) {
  const char = String.fromCharCode(code)
  if (cut.test(char)) table[code] = Cut
  else if (scripts.test(char)) table[code] = EastAsian
}
// The first halves of pairs: of letters and digits of mathematics, of emoji, of tags, and of rare characters of Chinese.
for (const code of [0xd835, 0xd83c, 0xd83d, 0xd83e, 0xdb40]) table[code] = Cut
for (let code = 0xd840; code <= 0xd888; code++) table[code] = EastAsian
for (let code = 48; code <= 57; code++) table[code] = Digit

for (const sign of "{};=<>([`") table[sign.charCodeAt(0)] = CodeSign
for (const sign of "\\%&") table[sign.charCodeAt(0)] = Escape

export interface Traits {
  /** `EastAsian`, `Cut`, `Escape` and others, as bits. */
  readonly bits: number
  /** Where the runs of digits begin and end, one after the other. */
  readonly runs: ReadonlyArray<number>
  /** How many signs of code there are; one that a line begins with is that of a quotation. */
  readonly codeSigns: number
}

/** The traits of a text, in one look. */
export const traitsOf = (text: string): Traits => {
  const runs: Array<number> = []
  let bits = 0
  let codeSigns = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const trait = table[code] as number
    if (trait === 0) continue
    bits |= trait
    if (trait === CodeSign) {
      if (code !== 62 || (i > 0 && text.charCodeAt(i - 1) !== 10)) codeSigns++
    } else if (trait === Digit) {
      runs.push(i)
      do i++
      while (text.charCodeAt(i) >= 48 && text.charCodeAt(i) <= 57)
      runs.push(i)
      i--
    }
  }
  return { bits, runs, codeSigns }
}

/** Whether a code unit may begin something that cuts words. */
export const mayCut = (code: number): boolean => table[code] === Cut

/** What kinds of characters a text has, in one look: most texts lack most of them, and most expressions need not be tried. */

/** Han, kana or hangul. */
export const EastAsian = 1
/** A sign that a reader does not see or does not mind inside a word, or a full-width form. */
export const Cut = 2
const Digit = 4
/** A sign that code is full of, and prose is not. */
const CodeSign = 8

const scripts = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]/u
const cut =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: the marks are meant one by one
  /[\u0300-\u036f\u00ad\u180e\u200b-\u200f\u2060-\u2064\u20d0-\u20ff\ufe00-\ufe0f\ufeff\p{Extended_Pictographic}\p{Emoji_Modifier}\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff20]/u

const table = new Uint8Array(65536)
for (let code = 0x80; code < 65536; code++) {
  const char = String.fromCharCode(code)
  if (cut.test(char)) table[code] = Cut
  else if (scripts.test(char)) table[code] = EastAsian
}
// The first halves of pairs: of emoji, and of rare characters of Chinese.
for (let code = 0xd83c; code <= 0xd83e; code++) table[code] = Cut
for (let code = 0xd840; code <= 0xd888; code++) table[code] = EastAsian
for (let code = 48; code <= 57; code++) table[code] = Digit

for (const sign of "{};=<>([`") table[sign.charCodeAt(0)] = CodeSign

export interface Traits {
  /** `EastAsian`, `Cut`, `Digit` and others, as bits. */
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

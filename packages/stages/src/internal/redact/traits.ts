/** What kinds of characters a text has, in one look: most texts lack most of them, and most expressions need not be tried. */

/** Han, kana or hangul. */
export const EastAsian = 1
/** A sign that a reader does not see or does not mind inside a word, or a full-width form. */
export const Cut = 2
export const Digit = 4

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

/** The traits of a text, as bits. */
export const traitsOf = (text: string): number => {
  let out = 0
  for (let i = 0; i < text.length; i++) out |= table[text.charCodeAt(i)] as number
  return out
}

/** Whether a code unit may begin something that cuts words. */
export const mayCut = (code: number): boolean => table[code] === Cut

/** Texts as comparisons see them: words without case, spaces and punctuation. */

/** One form of every character, small letters, single spaces. */
export const normalised = (text: string): string => {
  // Most texts need little, and finding that out is quicker than doing it all.
  const composed = beyondAscii.test(text) ? text.normalize("NFKC") : text
  const small = composed.toLowerCase()
  return unevenSpace.test(small) ? small.replace(/\s+/gu, " ").trim() : small
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const beyondAscii = /[^\x00-\x7f]/
const unevenSpace = /^\s|\s$|\s\s|[^\S ]/u

// Chinese and Japanese are written without spaces: there, every character is a word.
const words =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[[\p{L}\p{N}\p{M}]--[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]]+/gv

/** The words of a text. */
export const wordsOf = (text: string): ReadonlyArray<string> => normalised(text).match(words) ?? []

/** FNV-1a over UTF-16 code units, with the finalizer of MurmurHash3 (both public domain): 32 bits. */
export const hash = (text: string, seed = 0x811c9dc5): number => {
  let state = seed
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193)
  return mixed(state)
}

/** MurmurHash3's finalizer: every bit of the input changes every bit of the output. */
export const mixed = (value: number): number => {
  let state = value
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return (state ^ (state >>> 16)) >>> 0
}

/** Two hashes of 32 bits as one number of 52, which JavaScript and SQLite both hold exactly. */
export const joined = (high: number, low: number): number => (high & 0xfffff) * 0x1_0000_0000 + low

/** A hash of 52 bits for every run of `size` words. */
export const grams = (words: ReadonlyArray<string>, size: number): ReadonlyArray<number> => {
  const hashes = words.map((word) => hash(word))
  const out: Array<number> = []
  for (let start = 0; start + size <= hashes.length; start++) {
    let [high, low] = [0x9e3779b9, 0x811c9dc5]
    for (let index = start; index < start + size; index++) {
      low = Math.imul(low ^ hashes[index]!, 0x01000193)
      high = mixed(Math.imul(high, 31) + hashes[index]!)
    }
    out.push(joined(high, mixed(low)))
  }
  return out
}

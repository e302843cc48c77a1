/**
 * Turns a text into hashed features: words, neighbours, words near each other in any order, and the character n-grams within a word.
 *
 * Nothing is learned here and nothing depends on a language: words of scripts that put no space between them (Han, Kana, Thai)
 * are taken character by character, with pairs and triples. The function is **frozen**: its outputs for a version never change
 * (golden vectors in the tests say so), since an artefact trained on one version means nothing on another.
 *
 * Character n-grams within word boundaries after Cavnar and Trenkle, "N-Gram-Based Text Categorization" (1994); the hash is
 * 32-bit FNV-1a with MurmurHash3's finaliser.
 *
 * @since 0.1.0
 */

/**
 * The version of the function below, written in every artefact.
 *
 * @category constants
 * @since 0.1.0
 */
export const version = 1

/**
 * What a feature is, as bits of its hash's kind, so that a model can weight kinds apart.
 *
 * @category constants
 * @since 0.1.0
 */
export const kinds = ["word", "neighbours", "near", "characters"] as const

/**
 * Distinct features of a text: their hashes, kinds and counts, and the positions of the words in which each was found first (the
 * same one twice for a feature of one word). The arrays are reused by the next call of the same featuriser; only the first
 * `size` entries count.
 *
 * @category models
 * @since 0.1.0
 */
export interface Features {
  size: number
  hashes: Uint32Array
  kinds: Uint8Array
  counts: Uint16Array
  /** How many words the text has. */
  words: number
  firstWords: Uint16Array
  lastWords: Uint16Array
}

/**
 * A text longer than this many UTF-16 code units is read at its beginning (two thirds) and its end (one third) only.
 *
 * @category constants
 * @since 0.1.0
 */
export const longestText = 3072

const word = /[\p{L}\p{M}\p{N}'_]+|[?!$%€£¥{}()[\];=<>#/\\+*^|`@&~]/gu
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u
const unspacedAll =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]|[^\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]+/gu

const mix = (hash: number): number => {
  let mixed = hash ^ (hash >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

const offset = 0x811c9dc5
const prime = 0x01000193
const shortest = 2
const longest = 5
const longestWord = 24
const near = 8
const start = 0x2402
const end = 0x2403

/**
 * Cuts a text into lower-case words and the signs that matter, after NFKC normalisation.
 *
 * @category accessors
 * @since 0.1.0
 */
export const words = (text: string): ReadonlyArray<string> => {
  const cut =
    text.length > longestText
      ? `${text.slice(0, (longestText * 2) / 3)} ${text.slice(text.length - longestText / 3)}`
      : text
  const found = cut.normalize("NFKC").toLowerCase().replaceAll("’", "'").match(word) ?? []
  if (!unspaced.test(cut)) return found
  return found.flatMap((each) => (unspaced.test(each) ? (each.match(unspacedAll) ?? []) : [each]))
}

const raw = (word: string): number => {
  let hash = offset
  for (let at = 0; at < word.length; at++) hash = Math.imul(hash ^ word.charCodeAt(at), prime)
  return mix(hash)
}

const hashOf = (raw: number, kind: number): number => mix(raw ^ Math.imul(kind + 1, 0x9e3779b1))

/**
 * The hash of the feature of one word, as `words` cuts it.
 *
 * @category accessors
 * @since 0.1.0
 */
export const wordHash = (word: string): number => hashOf(raw(word), 0)

/**
 * Makes a featuriser that keeps its own scratch memory, so that a call allocates little.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): ((text: string) => Features) => {
  let slots = new Int32Array(4096)
  const features: Features = {
    size: 0,
    hashes: new Uint32Array(2048),
    kinds: new Uint8Array(2048),
    counts: new Uint16Array(2048),
    words: 0,
    firstWords: new Uint16Array(2048),
    lastWords: new Uint16Array(2048)
  }
  const grow = (): void => {
    const size = features.hashes.length * 2
    const hashes = new Uint32Array(size)
    const kindsGrown = new Uint8Array(size)
    const counts = new Uint16Array(size)
    const firstWords = new Uint16Array(size)
    const lastWords = new Uint16Array(size)
    hashes.set(features.hashes)
    kindsGrown.set(features.kinds)
    counts.set(features.counts)
    firstWords.set(features.firstWords)
    lastWords.set(features.lastWords)
    features.hashes = hashes
    features.kinds = kindsGrown
    features.counts = counts
    features.firstWords = firstWords
    features.lastWords = lastWords
    slots = new Int32Array(size * 2)
    for (let index = 0; index < features.size; index++) {
      let slot = hashes[index]! & (slots.length - 1)
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
      slots[slot] = index + 1
    }
  }
  const add = (unmixed: number, kind: number, first: number, last: number): void => {
    const hash = hashOf(unmixed, kind)
    let slot = hash & (slots.length - 1)
    for (;;) {
      const index = slots[slot]!
      if (index === 0) break
      if (features.hashes[index - 1] === hash) {
        if (features.counts[index - 1]! < 65_535) features.counts[index - 1]!++
        return
      }
      slot = (slot + 1) & (slots.length - 1)
    }
    if (features.size === features.hashes.length) {
      grow()
      slot = hash & (slots.length - 1)
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
    }
    features.hashes[features.size] = hash
    features.kinds[features.size] = kind
    features.counts[features.size] = 1
    features.firstWords[features.size] = first
    features.lastWords[features.size] = last
    slots[slot] = ++features.size
  }
  const recent = new Uint32Array(near)
  const characters = new Uint16Array(longestWord + 2)
  return (text) => {
    if (features.size * 4 < slots.length) {
      for (let index = 0; index < features.size; index++) {
        let slot = features.hashes[index]! & (slots.length - 1)
        while (slots[slot] !== 0) {
          slots[slot] = 0
          slot = (slot + 1) & (slots.length - 1)
        }
      }
    } else slots.fill(0)
    features.size = 0
    const found = words(text)
    features.words = found.length
    let before = start
    let beforeThat = start
    for (let index = 0; index < found.length; index++) {
      const each = found[index]!
      const current = raw(each)
      add(current, 0, index, index)
      add(Math.imul(before, 31) + current, 1, Math.max(0, index - 1), index)
      for (let other = Math.max(0, index - near); other < index; other++) {
        const hashed = recent[other % near]!
        add(hashed < current ? Math.imul(hashed, 17) + current : Math.imul(current, 17) + hashed, 2, other, index)
      }
      recent[index % near] = current
      if (each.length <= 2 && unspaced.test(each)) {
        if (index > 1) add(Math.imul(Math.imul(beforeThat, 31) + before, 31) + current, 3, index - 2, index)
      } else {
        const length = Math.min(each.length, longestWord) + 2
        characters[0] = start
        for (let at = 0; at < length - 2; at++) characters[at + 1] = each.charCodeAt(at)
        characters[length - 1] = end
        for (let from = 0; from < length - 1; from++) {
          let gram = offset
          const to = Math.min(from + longest, length)
          for (let at = from; at < to; at++) {
            gram = Math.imul(gram ^ characters[at]!, prime)
            if (at - from >= shortest - 1) add(gram, 3, index, index)
          }
        }
      }
      beforeThat = before
      before = current
    }
    if (found.length > 0) add(Math.imul(before, 31) + end, 1, found.length - 1, found.length - 1)
    return features
  }
}

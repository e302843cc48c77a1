/**
 * What a router sees of a prompt, and of an answer to it: hashed words and word pairs, what the words mean, counts that say how hard a
 * question is, and checks that say whether an answer holds together. All of it is plain arithmetic on the text; nothing is asked of a
 * model.
 *
 * The reading is frozen by `version`: an artefact trained with one version is never used with another.
 *
 * @since 0.1.0
 */

import * as Featuriser from "../classify/featuriser.ts"
import * as WordVectors from "../wordVectors.ts"

/**
 * The version of the reading; it changes whenever the same text, or its standardised figures, could give other numbers.
 *
 * @category constants
 * @since 0.1.0
 */
export const version = 3

/**
 * Counts by hashed term, all slots different.
 *
 * @category models
 * @since 0.1.0
 */
export interface Terms {
  readonly slots: Int32Array
  readonly counts: Float64Array
}

/** Of a longer text, the beginning and the end are read: a decision has to stay fast. In UTF-16 code units. */
const head = 6000
const tail = 2000

const clip = (text: string): string =>
  text.length <= head + tail ? text : `${text.slice(0, head)}\n${text.slice(-tail)}`

const isDigit = (code: number): boolean => code >= 48 && code <= 57
const isLatin = (code: number): boolean => (code >= 97 && code <= 122) || (code >= 65 && code <= 90)
// Scripts written without spaces: every character is a word, and pairs of them are what words are elsewhere.
const isUnspaced = (code: number): boolean =>
  (code >= 0x3040 && code <= 0x30ff) ||
  (code >= 0x3400 && code <= 0x9fff) ||
  (code >= 0xac00 && code <= 0xd7af) ||
  (code >= 0xf900 && code <= 0xfaff)
const isLetter = (code: number): boolean =>
  isLatin(code) || (code >= 0xc0 && code !== 0xd7 && code !== 0xf7 && !(code >= 0x2000 && code <= 0x303f))

const mix = (value: number): number => {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * Reads words and word pairs, hashed (FNV-1a, finished as in MurmurHash3) into `dimension` slots, a power of two. With
 * `anyDigit`, numbers count by their form only, so that `12` and `47` are the same word.
 *
 * @category reading
 * @since 0.1.0
 */
export const terms = (
  text: string,
  dimension: number,
  options?: { readonly anyDigit?: boolean; readonly salt?: number }
): Terms => {
  const lower = clip(text).toLowerCase()
  const anyDigit = options?.anyDigit === true
  const start = 0x811c9dc5 ^ Math.imul(options?.salt ?? 0, 0x9e3779b1)
  const mask = dimension - 1
  const counts = new Map<number, number>()
  let previous = 0
  let any = false
  const length = lower.length
  for (let index = 0; index < length; ) {
    const code = lower.charCodeAt(index)
    if (code <= 32 || code === 0xa0 || code === 0x3000) {
      index++
      continue
    }
    let hash = start
    if (isDigit(code)) {
      for (; index < length && isDigit(lower.charCodeAt(index)); index++) {
        hash = Math.imul(hash ^ (anyDigit ? 48 : lower.charCodeAt(index)), 0x01000193)
      }
    } else if (isUnspaced(code) || !isLetter(code)) {
      hash = Math.imul(hash ^ code, 0x01000193)
      index++
    } else {
      for (; index < length; index++) {
        const letter = lower.charCodeAt(index)
        if (!isLetter(letter) || isUnspaced(letter)) break
        hash = Math.imul(hash ^ letter, 0x01000193)
      }
    }
    const one = mix(hash)
    const slot = one & mask
    counts.set(slot, (counts.get(slot) ?? 0) + 1)
    if (any) {
      const pair = mix(Math.imul(previous, 31) ^ one ^ 0x5bd1e995) & mask
      counts.set(pair, (counts.get(pair) ?? 0) + 1)
    }
    previous = one
    any = true
  }
  const slots = new Int32Array(counts.size)
  const values = new Float64Array(counts.size)
  let position = 0
  for (const [slot, count] of counts) {
    slots[position] = slot
    values[position++] = count
  }
  return { slots, counts: values }
}

const count = (text: string, pattern: RegExp): number => {
  let found = 0
  pattern.lastIndex = 0
  while (pattern.test(text)) found++
  return found
}
const quantity =
  /\d[\d,.]*|\b(?:half|third|quarter|twice|double|triple|one|two|three|four|five|six|seven|eight|nine|ten|dozen)\b/g
const numberPattern = /\d[\d,]*(?:\.\d+)?/g
const toNumber = (digits: string): number => Number(digits.replaceAll(",", ""))
const numbersIn = (text: string): ReadonlyArray<number> => (text.match(numberPattern) ?? []).map(toNumber)
const yes = (condition: boolean): number => (condition ? 1 : 0)

const wordPattern = /[a-z'\u00aa-\u1fff\u2c00-\u2fef\u3040-\ud7ff\uf900-\ufdff]+/g
const sentenceEnd = /[.?!]\s+|[。？！]/
const question = /how|what|which|\?|几|多少|什么/
const option = /^\s*[A-J1-9][.):]\s/

/** What a word says of a question, by its place in the figures. */
const Kind = {
  negation: 0,
  multiple: 1,
  each: 2,
  rest: 3,
  ratio: 4,
  condition: 5,
  number: 6,
  time: 7,
  order: 8,
  moreOrLess: 9,
  pronoun: 10,
  of: 11,
  than: 12,
  percent: 13
} as const
const kindCount = 14
const kindOf = new Map<string, ReadonlyArray<number>>()
for (const [kind, list] of [
  [Kind.negation, "not except least"],
  [Kind.multiple, "half halves third thirds quarter quarters twice double doubled triple tripled times"],
  [Kind.each, "each every per"],
  [Kind.rest, "remaining left rest"],
  [Kind.ratio, "fraction fractions ratio ratios average averages averaged"],
  [Kind.condition, "if"],
  [
    Kind.number,
    "half third quarter twice double triple one two three four five six seven eight nine ten dozen thirds quarters doubles triples ones twos dozens"
  ],
  [Kind.time, "week day month year hour minute second weeks days months years hours minutes seconds"],
  [Kind.order, "then after before next"],
  [Kind.moreOrLess, "more less"],
  [Kind.pronoun, "he she they it her his their"],
  [Kind.of, "of"],
  [Kind.than, "than"],
  [Kind.percent, "percent percentage percentages"]
] as const) {
  for (const word of list.split(" ")) kindOf.set(word, [...(kindOf.get(word) ?? []), kind])
}

/**
 * How many numbers `structure` gives.
 *
 * @category constants
 * @since 0.1.0
 */
export const structureLength = 47

/**
 * Counts that say how hard a question is: its length, numbers, options, conditions, steps and words of arithmetic.
 *
 * @category reading
 * @since 0.1.0
 */
export const structure = (prompt: string): Float64Array => {
  const text = clip(prompt)
  const lower = text.toLowerCase()
  const numbers = lower.match(numberPattern) ?? []
  const words = lower.match(wordPattern) ?? []
  const kinds = new Float64Array(kindCount)
  let letters = 0
  let comparisons = 0
  let previous = ""
  for (const word of words) {
    letters += word.length
    const kind = kindOf.get(word)
    if (kind !== undefined) for (const one of kind) kinds[one]!++
    if (word === "fewer" || (word === "than" && (previous === "more" || previous === "less"))) comparisons++
    else if ((word === "many" || word === "much") && previous === "as") comparisons++
    previous = word
  }
  let options = 0
  let optionLength = 0
  let begin = 0
  while (begin <= text.length) {
    const found = text.indexOf("\n", begin)
    const end = found < 0 ? text.length : found
    if (end - begin > 2 && option.test(text.slice(begin, Math.min(end, begin + 12)))) {
      options++
      optionLength += end - begin
    }
    begin = end + 1
  }
  let commas = 0
  let percents = 0
  let currencies = 0
  let prices = 0
  let slashes = 0
  let rates = 0
  let decimals = 0
  let symbols = 0
  let blanks = 0
  let capitals = 0
  let names = 0
  let ends = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code >= 97 && code <= 122) continue
    const next = text.charCodeAt(index + 1)
    if (code >= 65 && code <= 90) {
      const before = index === 0 ? 32 : text.charCodeAt(index - 1)
      if (!isLatin(before) && !isDigit(before) && before !== 95) {
        capitals++
        if (next >= 97 && next <= 122) names++
      }
    } else if (code === 44 || code === 0xff0c) commas++
    else if (code === 37) {
      percents++
      if (index > 0 && isDigit(text.charCodeAt(index - 1))) rates++
    } else if (code === 36 || code === 0x20ac || code === 0xa3 || code === 0xa5) {
      currencies++
      if (isDigit(next)) prices++
    } else if (code === 47) {
      if (isDigit(next) && index > 0 && isDigit(text.charCodeAt(index - 1))) slashes++
    } else if (code === 46 || code === 63 || code === 33) {
      if (next === 32 || next === 10) ends++
      else if (code === 46 && isDigit(next) && index > 0 && isDigit(text.charCodeAt(index - 1))) decimals++
    } else if (code === 61 || code === 43 || code === 94 || code === 92) symbols++
    else if (code === 95) {
      if (next === 95) blanks++
    } else if (code === 0x3002 || code === 0xff1f || code === 0xff01) ends++
  }
  let largest = 0
  let fractions = 0
  for (const digits of numbers) {
    const value = toNumber(digits)
    if (value > largest) largest = value
    if (value % 1 !== 0) fractions++
  }
  let asked = ""
  let lastSentence = ""
  let longest = 0
  let densest = 0
  let quantities = 0
  let sentences = 0
  for (const sentence of lower.split(sentenceEnd)) {
    if (sentence === "") continue
    sentences++
    lastSentence = sentence
    if (question.test(sentence)) asked = sentence
    if (sentence.length > longest) longest = sentence.length
    const found = count(sentence, quantity)
    quantities += found
    if (found > densest) densest = found
  }
  const many = (kind: number): number => Math.log1p(kinds[kind]!)
  return Float64Array.of(
    Math.log1p(text.length),
    Math.log1p(words.length),
    Math.log1p(numbers.length),
    Math.log1p(ends + 1),
    Math.log1p(options),
    Math.log1p(optionLength / (options || 1)),
    numbers.length / (words.length + 1),
    letters / (words.length || 1),
    yes(kinds[Kind.negation]! > 0),
    yes(blanks > 0),
    yes(symbols > 0),
    Math.log1p(percents + kinds[Kind.percent]!),
    Math.log1p(largest),
    Math.log1p(fractions),
    many(Kind.multiple),
    many(Kind.each),
    Math.log1p(comparisons),
    many(Kind.rest),
    yes(kinds[Kind.ratio]! > 0),
    Math.log1p(new Set(words).size),
    many(Kind.condition),
    Math.log1p(kinds[Kind.number]! + kinds[Kind.time]!),
    yes(currencies > 0),
    capitals / (words.length + 1),
    Math.log1p(new Set(numbers).size),
    Math.log1p(commas),
    many(Kind.order),
    Math.log1p(lastSentence.length),
    yes(asked.includes("how many")),
    yes(asked.includes("how much")),
    yes(/total|altogether|combined/.test(asked)),
    Math.log1p(count(asked, quantity)),
    Math.log1p(quantities),
    quantities / (sentences + 1),
    many(Kind.moreOrLess),
    yes(/percent|%/.test(asked)),
    Math.log1p(slashes),
    Math.log1p(rates),
    Math.log1p(prices),
    Math.log1p(decimals),
    longest / 100,
    densest,
    many(Kind.pronoun),
    many(Kind.time),
    many(Kind.of),
    many(Kind.than),
    Math.log1p(names)
  )
}

/**
 * What a prompt is about: the sum of the vectors of its different words, as long as the part of these words that have one (all zeros
 * where none has).
 *
 * @category reading
 * @since 0.1.0
 */
export const meaning = (prompt: string, vectors: WordVectors.WordVectors): Float64Array => {
  const sum = new Float64Array(vectors.manifest.dimensions)
  const words = new Set(Featuriser.words(prompt))
  let known = 0
  for (const word of words) {
    const row = vectors.rowOf(Featuriser.wordHash(word))
    if (row < 0) continue
    known++
    WordVectors.add(vectors, row, 1, sum)
  }
  let square = 0
  for (let index = 0; index < sum.length; index++) square += sum[index]! * sum[index]!
  const factor = square === 0 ? 0 : known / (words.size * Math.sqrt(square))
  for (let index = 0; index < sum.length; index++) sum[index]! *= factor
  return sum
}

/** The value of an expression of numbers, `+ - * /`, percent signs and brackets; `undefined` when it is none. */
const evaluate = (expression: string): number | undefined => {
  const tokens = expression.match(/\d[\d,]*(?:\.\d+)?%?|[-+*/()]/g)
  if (tokens === null || tokens.length > 200) return undefined
  let position = 0
  const atom = (): number => {
    const token = tokens[position++]
    if (token === undefined) return Number.NaN
    if (token === "-") return -atom()
    if (token === "(") {
      const inner = sum()
      position++
      return inner
    }
    const value = toNumber(token.replace("%", ""))
    return token.endsWith("%") ? value / 100 : value
  }
  const product = (): number => {
    let value = atom()
    while (tokens[position] === "*" || tokens[position] === "/") {
      const times = tokens[position++] === "*"
      const next = atom()
      value = times ? value * next : value / next
    }
    return value
  }
  const sum = (): number => {
    let value = product()
    while (tokens[position] === "+" || tokens[position] === "-") {
      const plus = tokens[position++] === "+"
      const next = product()
      value = plus ? value + next : value - next
    }
    return value
  }
  const value = sum()
  return position === tokens.length && Number.isFinite(value) ? value : undefined
}

/** Equal but for rounding in the last digit written, or for a share written as a percentage. */
const agrees = (computed: number, written: number): boolean =>
  Math.abs(computed - written) <= Math.max(0.011, 0.006 * Math.abs(written)) ||
  (Math.abs(written) <= 100 && Math.abs(computed * 100 - written) < 0.51)

const numberWords: { readonly [word: string]: number } = {
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  eleven: 11,
  twelve: 12,
  twenty: 20,
  thirty: 30,
  dozen: 12,
  half: 0.5,
  twice: 2,
  double: 2,
  triple: 3,
  quarter: 0.25,
  third: 3
}
// Numbers that anyone may bring in: small ones, and those of clocks, calendars and percentages.
const common = [1, 2, 7, 12, 24, 30, 52, 60, 100, 365, 1000]
const operand = "\\(?\\s*\\d[\\d,]*(?:\\.\\d+)?%?\\s*(?:[a-z][a-z ]{0,24})?\\)?"
const equation = new RegExp(
  `((?:${operand}\\s*[-+*/]\\s*){1,12}${operand})\\s*=\\s*(?:<<[^>]*>>)?\\s*(-?\\d[\\d,]*(?:\\.\\d+)?)`,
  "gi"
)

/**
 * How many numbers `checks` gives.
 *
 * @category constants
 * @since 0.1.0
 */
export const checksLength = 34

/**
 * Checks of an answer against its question and against itself, in whatever form it is written: whether what it calculates is
 * right, whether its numbers come from somewhere, whether it uses what it was given, whether it ends, repeats or doubts itself.
 *
 * @category reading
 * @since 0.1.0
 */
export const checks = (prompt: string, answer: string): Float64Array => {
  const question = clip(prompt)
  const raw = clip(answer)
  const text = raw
    .replace(/[×·]/g, "*")
    .replace(/÷/g, "/")
    .replace(/[−–]/g, "-")
    .replace(/(\d)\s*x\s*(?=[\d$(])/g, "$1 * ")
    .replace(/[$€£¥]/g, "")
  const given = new Set(numbersIn(question))
  const known = new Set<number>([...given, ...common])
  for (const word of question.toLowerCase().match(/[a-z]+/g) ?? []) {
    const value = numberWords[word] ?? numberWords[word.replace(/s$/, "")]
    if (value !== undefined) known.add(value)
  }
  let right = 0
  let wrong = 0
  let grounded = 0
  let ungrounded = 0
  const results: Array<number> = []
  for (const match of text.matchAll(equation)) {
    const expression = match[1]!.replace(/[a-z]+/gi, "")
    const written = toNumber(match[2]!)
    const computed = evaluate(expression)
    if (computed === undefined || Number.isNaN(written)) continue
    for (const value of numbersIn(expression)) {
      if (known.has(value)) grounded++
      else ungrounded++
    }
    results.push(written)
    known.add(written)
    if (agrees(computed, written)) right++
    else wrong++
  }
  const numbers = numbersIn(text)
  const first = numbers[0] ?? Number.NaN
  const last = numbers.at(-1) ?? Number.NaN
  const trimmed = raw.trim()
  const lastLine = trimmed.slice(trimmed.lastIndexOf("\n") + 1)
  const lower = raw.toLowerCase()
  const words = lower.match(wordPattern) ?? []
  // Four words in a row, as one number: each word by its place, the four as digits of a number in a large base.
  const places = new Map<string, number>()
  const said = new Set<number>()
  const base = 4099
  let repeated = 0
  let four = 0
  for (let index = 0; index < words.length; index++) {
    let place = places.get(words[index]!)
    if (place === undefined) {
      place = (places.size + 1) % base
      places.set(words[index]!, place)
    }
    four = (four % (base * base * base)) * base + place
    if (index < 3) continue
    if (said.has(four)) repeated++
    else said.add(four)
  }
  let used = 0
  for (const value of given) if (numbers.includes(value)) used++
  const largest = (values: Iterable<number>): number => {
    let most = 0
    for (const value of values) if (value > most) most = value
    return most
  }
  return Float64Array.of(
    Math.log1p(raw.length),
    Math.log1p(words.length),
    Math.log1p(right),
    Math.log1p(wrong),
    yes(wrong > 0),
    yes(right === 0),
    ungrounded / (grounded + ungrounded + 1),
    Math.log1p(ungrounded),
    Math.log1p(numbers.length),
    yes(Number.isFinite(last)),
    yes(last % 1 !== 0),
    Math.log1p(Math.abs(last) || 0),
    yes(results.length > 0 && last === results.at(-1)),
    yes(results.slice(0, -1).includes(last)),
    yes(given.has(last)),
    yes(numbers.slice(0, -1).includes(last)),
    used / (given.size || 1),
    yes(/[.!?)\d"”%。！？]$/.test(trimmed)),
    yes(/[.!?。！？]$/.test(trimmed)),
    yes(count(raw, /[([{<]/g) !== count(raw, /[)\]}>]/g)),
    Math.log1p(lastLine.length),
    Math.log1p(count(raw, /\n/g) + 1),
    Math.log1p(
      count(
        lower,
        /\bhowever\b|\bassum|\bsorry\b|\bcannot\b|\bcan't\b|\bmistake\b|\bnot enough\b|\bunclear\b|\bwait\b|抱歉|无法|不确定/g
      )
    ),
    Math.log1p(count(lower, /\btherefore\b|\bso\b|\bthus\b|\bin total\b|因此|所以/g)),
    Math.log1p(count(lower, /\b(?:let|equation|solve|variable)\b/g)),
    Math.log1p(raw.length) - Math.log1p(question.length),
    repeated / (words.length + 1),
    yes(first === last),
    yes(/-\d/.test(lastLine)),
    yes(/^\s*\D{0,12}\d/.test(raw)),
    Math.log1p(largest(numbers)) - Math.log1p(largest(given)),
    Math.log1p(results.filter((value) => value % 1 !== 0).length),
    yes(/[-+*/=,(]$/.test(trimmed)),
    Math.log1p(results.length) - Math.log1p(given.size)
  )
}

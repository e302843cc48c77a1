/**
 * What a router sees of a prompt, and of an answer to it: hashed words and word pairs, counts that say how hard a question is,
 * and checks that say whether an answer holds together. All of it is plain arithmetic on the text; nothing is asked of a model.
 *
 * The reading is frozen by `version`: an artefact trained with one version is never used with another.
 *
 * @since 0.1.0
 */

/**
 * The version of the reading; it changes whenever the same text could give other numbers.
 *
 * @category constants
 * @since 0.1.0
 */
export const version = 1

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
  while (pattern.exec(text) !== null) found++
  return found
}
const quantity =
  /\d[\d,.]*|\b(?:half|third|quarter|twice|double|triple|one|two|three|four|five|six|seven|eight|nine|ten|dozen)\b/g
const numberPattern = /\d[\d,]*(?:\.\d+)?/g
const toNumber = (digits: string): number => Number(digits.replaceAll(",", ""))
const numbersIn = (text: string): ReadonlyArray<number> => (text.match(numberPattern) ?? []).map(toNumber)
const yes = (condition: boolean): number => (condition ? 1 : 0)

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
  const numbers = text.match(numberPattern) ?? []
  const words = lower.match(/[\p{L}']+/gu) ?? []
  let letters = 0
  for (const word of words) letters += word.length
  let options = 0
  let optionLength = 0
  for (const line of text.split("\n")) {
    if (!/^\s*[A-J1-9][.):]\s/.test(line)) continue
    options++
    optionLength += line.length
  }
  let largest = 0
  let fractions = 0
  for (const digits of numbers) {
    const value = toNumber(digits)
    if (value > largest) largest = value
    if (value % 1 !== 0) fractions++
  }
  const sentences = lower.split(/[.?!]\s+|[。？！]/).filter((sentence) => sentence !== "")
  const asked = sentences.filter((sentence) => /how|what|which|\?|几|多少|什么/.test(sentence)).at(-1) ?? ""
  let longest = 0
  let densest = 0
  for (const sentence of sentences) {
    if (sentence.length > longest) longest = sentence.length
    const quantities = count(sentence, quantity)
    if (quantities > densest) densest = quantities
  }
  const quantities = count(lower, quantity)
  return Float64Array.of(
    Math.log1p(text.length),
    Math.log1p(words.length),
    Math.log1p(numbers.length),
    Math.log1p(count(text, /[.?!]\s|[。？！]/g) + 1),
    Math.log1p(options),
    Math.log1p(optionLength / (options || 1)),
    numbers.length / (words.length + 1),
    letters / (words.length || 1),
    yes(/\bnot\b|\bexcept\b|\bleast\b/.test(lower)),
    yes(/_{2,}/.test(lower)),
    yes(/[=+^\\]/.test(lower)),
    Math.log1p(count(lower, /%|percent/g)),
    Math.log1p(largest),
    Math.log1p(fractions),
    Math.log1p(count(lower, /half|third|quarter|twice|double|triple|times\b/g)),
    Math.log1p(count(lower, /\beach\b|\bevery\b|\bper\b/g)),
    Math.log1p(count(lower, /more than|less than|fewer|as many|as much/g)),
    Math.log1p(count(lower, /remaining|\bleft\b|\brest\b/g)),
    yes(/fraction|ratio|average/.test(lower)),
    Math.log1p(new Set(words).size),
    Math.log1p(count(lower, /\bif\b/g)),
    Math.log1p(
      count(
        lower,
        /\b(?:half|third|quarter|twice|double|triple|one|two|three|four|five|six|seven|eight|nine|ten|dozen|week|day|month|year|hour|minute)s?\b/g
      )
    ),
    yes(/[$€£¥]/.test(lower)),
    count(text, /\b[A-Z]/g) / (words.length + 1),
    Math.log1p(new Set(numbers).size),
    Math.log1p(count(lower, /[,，]/g)),
    Math.log1p(count(lower, /\bthen\b|\bafter\b|\bbefore\b|\bnext\b/g)),
    Math.log1p((sentences.at(-1) ?? "").length),
    yes(/how many/.test(asked)),
    yes(/how much/.test(asked)),
    yes(/total|altogether|combined/.test(asked)),
    Math.log1p(count(asked, quantity)),
    Math.log1p(quantities),
    quantities / (sentences.length + 1),
    Math.log1p(count(lower, /\bmore\b|\bless\b/g)),
    yes(/percent|%/.test(asked)),
    Math.log1p(count(lower, /\d+\/\d+/g)),
    Math.log1p(count(lower, /\d+%/g)),
    Math.log1p(count(lower, /[$€£¥]\d/g)),
    Math.log1p(count(lower, /\d+\.\d/g)),
    longest / 100,
    densest,
    Math.log1p(count(lower, /\b(?:he|she|they|it|her|his|their)\b/g)),
    Math.log1p(count(lower, /\b(?:week|day|month|year|hour|minute|second)s?\b/g)),
    Math.log1p(count(lower, /\bof\b/g)),
    Math.log1p(count(lower, /\bthan\b/g)),
    Math.log1p(count(text, /\b[A-Z][a-z]+/g))
  )
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
  const words = lower.match(/[\p{L}']+/gu) ?? []
  const said = new Set<string>()
  let repeated = 0
  for (let index = 0; index + 4 <= words.length; index++) {
    const four = `${words[index]} ${words[index + 1]} ${words[index + 2]} ${words[index + 3]}`
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

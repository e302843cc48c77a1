/**
 * Texts as a reader, or the program behind them, sees them: without what cuts words (invisible signs, combining marks, emoji), with
 * plain signs for those that only look otherwise (full-width letters, digits of other scripts, no-break spaces), and with what JSON,
 * URLs, HTML and mail write in another way (`\u0040`, `%40`, `&#64;`, `=40`) put back.
 */

import { mayCut } from "./traits.ts"

const dropped =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: the marks are meant one by one
  /[\u0300-\u036f\u00ad\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufeff\uffa0\u{e0000}-\u{e007f}\u{e0100}-\u{e01ef}\p{Extended_Pictographic}\p{Emoji_Modifier}]/u
/** Of these, the ones that nobody writes into a word for its own sake. */
const invisible =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: they are meant one by one
  /[\u00ad\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\u3164\ufeff\uffa0\u{e0000}-\u{e007f}\u{e0100}-\u{e01ef}]/u

export interface Seen {
  readonly text: string
  /** Where each character begins in the original. */
  readonly from: ReadonlyArray<number>
  /** Where it ends there. */
  readonly to: ReadonlyArray<number>
  /** Whether words were put together, and not only numbers: names may be hidden too. */
  readonly words: boolean
}

const inWord = /[\p{L}\p{N}@.:/_-]/u
const digit = /\p{Nd}/u

/** A plain sign for one that means the same, or the sign itself. */
const plain = (char: string): string => {
  const code = char.codePointAt(0) as number
  if (code < 0x80) return char
  if ((code >= 0x2010 && code <= 0x2015) || code === 0x2212) return "-"
  if (digit.test(char)) return String(digitOf(code))
  const normal = char.normalize("NFKC")
  return normal.length === 1 && normal.charCodeAt(0) < 0x80 ? normal : char
}

/** The digits of a script follow each other; those of mathematics in five alphabets of ten. */
const digitOf = (code: number): number => {
  if (code >= 0x1d7ce && code <= 0x1d7ff) return (code - 0x1d7ce) % 10
  let zero = code
  while (code - zero < 9 && digit.test(String.fromCodePoint(zero - 1))) zero--
  return code - zero
}

/** Whether something that can be dropped stands inside a word, or alone between digits; or a sign has a plain form. */
const isCut = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    if (!mayCut(text.charCodeAt(i))) continue
    const start = i
    let char = String.fromCodePoint(text.codePointAt(i) as number)
    if (!dropped.test(char)) {
      const seen = plain(char)
      // A no-break space or a dash between words is typography.
      const between = /[\p{N})]/u.test(text[i - 1] ?? "") && /[\p{N}(]/u.test(text[i + char.length] ?? "")
      if (seen !== char && (between || /[\dA-Za-z@]/.test(seen))) return true
      i += char.length - 1
      continue
    }
    while (dropped.test(char)) {
      i += char.length
      if (i >= text.length) return false
      char = String.fromCodePoint(text.codePointAt(i) as number)
    }
    const before = start > 0 ? (text[start - 1] as string) : ""
    if (inWord.test(before) && inWord.test(char)) return true
    const left = before === " " ? (text[start - 2] ?? "") : before
    const right = char === " " ? (text[i + 1] ?? "") : char
    if (digit.test(left) && digit.test(right)) return true
    i--
  }
  return false
}

const escapes = /\\(?:u\{?[\da-f]{2}|x[\da-f]{2}|[nrt"'/])|%[2-7a-f][\da-f]|%0[9ad]|&(?:#\d|#x[\da-f]|[a-z]{2,6};)/i
const softBreak = /[^\s=]=\r?\n\S/
const quotedPrintable = /[\w.+-]=40[a-z\d-]+\.[a-z]|=C3=[89AB][\dA-F]/i

const escape =
  /\\+(?:u([\da-f]{4})|u\{([\da-f]{2,6})\}|x([\da-f]{2})|([nrt"'/]))|((?:%[\da-f]{2})+)|&(?:#(\d{2,7})|#x([\da-f]{2,6})|([a-z]{2,6}));|((?:=[\dA-F]{2})+|=\r?\n)/iy

const named: { readonly [name: string]: string } = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  ensp: " ",
  emsp: " ",
  thinsp: " ",
  commat: "@",
  period: ".",
  comma: ",",
  colon: ":",
  semi: ";",
  sol: "/",
  bsol: "\\",
  equals: "=",
  num: "#",
  plus: "+",
  lpar: "(",
  rpar: ")",
  lowbar: "_",
  hyphen: "-",
  dash: "-",
  ndash: "-",
  mdash: "-",
  minus: "-",
  shy: "",
  zwj: "",
  zwnj: "",
  szlig: "ß",
  aelig: "æ",
  oslash: "ø",
  Oslash: "Ø"
}
const marks: { readonly [name: string]: string } = {
  uml: "\u0308",
  acute: "\u0301",
  grave: "\u0300",
  circ: "\u0302",
  tilde: "\u0303",
  cedil: "\u0327",
  ring: "\u030a",
  caron: "\u030c"
}
const ofName = (name: string): string | undefined => {
  const sign = named[name] ?? named[name.toLowerCase()]
  if (sign !== undefined) return sign
  const mark = marks[name.slice(1)]
  return mark === undefined ? undefined : `${name[0]}${mark}`.normalize("NFC")
}

const ofCode = (digits: string, radix: number): string | undefined => {
  const code = Number.parseInt(digits, radix)
  return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : undefined
}

/** How many bytes a character of UTF-8 has that begins with this one; 0 where none does. */
const bytesOf = (first: number): number =>
  first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0

const strict = new TextDecoder("utf-8", { fatal: true })
const ofBytes = (run: string): string | undefined => {
  // The usual fault, without the cost of an exception.
  for (let at = 4; at < run.length; at += 3) if (!/[89ab]/i.test(run[at] as string)) return undefined
  try {
    return strict.decode(Buffer.from(run.replace(/[%=]/g, ""), "hex"))
  } catch {
    return undefined
  }
}

/** One look: every sign read where it stands, what cuts left out. `undefined` where nothing changes. */
const read = (text: string, mail: boolean): (Seen & { readonly decoded: boolean }) | undefined => {
  const out: Array<string> = []
  let last = ""
  const from: Array<number> = []
  const to: Array<number> = []
  let words = false
  let decoded = false
  let changed = false
  const put = (char: string, start: number, end: number) => {
    out.push(char)
    last = char
    for (let j = 0; j < char.length; j++) {
      from.push(start)
      to.push(end)
    }
  }
  /** Bytes in hexadecimal, each after a sign; those that are no characters of UTF-8 stay as they are. */
  const bytes = (start: number, run: string) => {
    for (let at = 0; at < run.length; ) {
      const size = bytesOf(Number.parseInt(run.slice(at + 1, at + 3), 16))
      const piece = run.slice(at, at + size * 3)
      const char = size === 0 || piece.length < size * 3 ? undefined : ofBytes(piece)
      if (char === undefined) {
        for (let i = at; i < at + 3; i++) put(run[i] as string, start + i, start + i + 1)
        at += 3
        continue
      }
      put(char, start + at, start + at + piece.length)
      at += piece.length
    }
  }
  for (let i = 0; i < text.length; ) {
    const code = text.charCodeAt(i)
    if (code === 92 || code === 37 || code === 38 || (mail && code === 61)) {
      escape.lastIndex = i
      const match = escape.exec(text)
      if (match !== null) {
        const end = i + match[0].length
        const [, unicode, braces, hex, letter, percent, decimal, hexadecimal, name, equals] = match
        const run = percent ?? (equals?.startsWith("=\r") || equals === "=\n" ? undefined : equals)
        let char: string | undefined
        if (run !== undefined) {
          bytes(i, run)
          decoded = changed = words = true
          i = end
          continue
        }
        if (equals !== undefined) char = ""
        else if (letter !== undefined) char = letter === "n" || letter === "r" ? "\n" : letter === "t" ? "\t" : letter
        else if (name !== undefined) char = ofName(name)
        else
          char = ofCode((unicode ?? braces ?? hex ?? hexadecimal ?? decimal) as string, decimal === undefined ? 16 : 10)
        if (char !== undefined) {
          put(char, i, end)
          decoded = changed = words = true
          i = end
          continue
        }
      }
    }
    if (code < 0x80) {
      put(text[i] as string, i, i + 1)
      i++
      continue
    }
    const char = String.fromCodePoint(text.codePointAt(i) as number)
    if (!dropped.test(char)) put(mayCut(code) ? plain(char) : char, i, i + char.length)
    else if (invisible.test(char))
      words ||= /\p{L}/u.test(text[i - 1] ?? "") && /\p{L}/u.test(text[i + char.length] ?? "")
    else if (char.length > 1 && last === " " && text[i + char.length] === " ") i++
    changed = true
    i += char.length
  }
  return changed ? { text: out.join(""), from, to, words, decoded } : undefined
}

/** How often a text may be written in another way one after the other: JSON in JSON in a URL. */
const layers = 3

/** The text as it is seen, or `undefined` where that is the same. */
export const seen = (text: string): Seen | undefined => {
  const isMail = (each: string) => softBreak.test(each) || quotedPrintable.test(each)
  const mail = isMail(text)
  if (!mail && !escapes.test(text) && !isCut(text)) return undefined
  let view = read(text, mail)
  for (let layer = 1; layer < layers && view?.decoded === true && escapes.test(view.text); layer++) {
    const { from, to, words } = view
    const next = read(view.text, false)
    if (next === undefined) break
    view = {
      text: next.text,
      from: next.from.map((at) => from[at] as number),
      to: next.to.map((at) => to[at - 1] as number),
      words: words || next.words,
      decoded: next.decoded
    }
  }
  return view
}

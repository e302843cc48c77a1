/** The rule-based scanner: identifiers, addresses of networks, secrets, phones, dates, names and places in one text. */

import { addresses } from "./addresses.ts"
import { beginningAt } from "./beginnings.ts"
import { chinese } from "./chinese.ts"
import { dates } from "./dates.ts"
import { ibanEnd, identifiersAt, ipAt } from "./identifiers.ts"
import { phones } from "./phones.ts"
import { besideKey, connections, type Found, markedKeyEnd, mayBeginKey, namedSecrets, privateKeys } from "./secrets.ts"
import { type Seen, seen } from "./seen.ts"
import { Cut, EastAsian, Escape, type Traits, traitsOf } from "./traits.ts"
import { windowsOfDigits } from "./windows.ts"
import { words } from "./words.ts"

export interface ScanOptions {
  readonly types?: ReadonlyArray<string>
  readonly minimumConfidence?: number
}

const wordTypes = [
  "PERSON",
  "LOCATION",
  "COUNTRY",
  "ORGANIZATION",
  "TITLE",
  "NRP",
  "AGE",
  "STREET_ADDRESS",
  "DATE_TIME",
  "CN_PLATE"
]

const isDigit = (code: number): boolean => code >= 48 && code <= 57
const isMark = (code: number): boolean => (code >= 0x300 && code <= 0x36f) || (code >= 0xfe00 && code <= 0xfe0f)
const isAlphanumeric = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122)

const around = (text: string, start: number, end: number): string =>
  `${text.slice(Math.max(0, start - 60), start)} ${text.slice(end, end + 30)}`

/** Separators that an identifier may be written with. */
const separators = /[\s.\-/_:]/g

export const scan = (text: string, options: ScanOptions = {}): ReadonlyArray<Found> => {
  const minimum = options.minimumConfidence ?? 0.5
  const only = options.types === undefined ? undefined : new Set(options.types)
  const named = only === undefined || wordTypes.some((type) => only.has(type))
  const traits = traitsOf(text)
  const found = find(text, traits, minimum, only, named)
  const whole = traits.bits & (Cut | Escape) || mayBeMail.test(text) ? seen(text) : undefined
  if (whole !== undefined) {
    for (const span of found) span.start = afterEscape(text, whole, span.start)
    for (const span of find(whole.text, traitsOf(whole.text), minimum, only, named && whole.words)) {
      const start = whole.from[span.start] as number
      const end = whole.to[span.end - 1] as number
      if (
        whole.words ||
        end - start > span.end - span.start ||
        whole.text.slice(span.start, span.end) !== text.slice(start, end)
      )
        found.push({ ...span, start, end })
    }
  }
  const wanted = only === undefined ? found : found.filter((span) => only.has(span.type))
  for (const span of wanted) while (isMark(text.charCodeAt(span.end))) span.end++
  return resolve(wanted.filter((span) => span.confidence >= minimum))
}

/** A sign of mail's way of writing: a line cut by `=`, or a sign as its number. */
const mayBeMail = /=(?:\r?\n|40|C3)/

/** What is found in a text as it is written. */
const find = (
  text: string,
  { bits, codeSigns, runs }: Traits,
  minimum: number,
  only: ReadonlySet<string> | undefined,
  named: boolean
): Array<Found> => {
  const found: Array<Found> = []
  structured(text, runs, found, minimum, only)
  const windows = windowsOfDigits(text, runs)
  dates(text, runs, found)
  if (named) {
    addresses(text, runs, windows, found, minimum)
    words(text, codeSigns, found, minimum)
    firmAbove(text, found)
    if (bits & EastAsian) chinese(text, found)
  }
  // Last, because numbers of what was found need not be tried as telephones.
  phones(text, windows, found, minimum)
  return found
}

/** A span may not begin inside of what stands for white space: `\nalice@example.com` in JSON is an address after a line break. */
const afterEscape = (text: string, whole: Seen, start: number): number => {
  if (text.charCodeAt(start - 1) !== 92 && text.charCodeAt(start - 1) !== 37 && text.charCodeAt(start - 2) !== 37)
    return start
  let low = 0
  let high = whole.from.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((whole.to[middle] as number) <= start) low = middle + 1
    else high = middle
  }
  return (whole.from[low] ?? start) < start && /\s/.test(whole.text[low] as string) ? (whole.to[low] as number) : start
}

const lineOfNames =
  /^[ \t>?*|-]*((?:\p{Lu}[\p{L}\p{M}\p{N}.'’&-]*|and|of|&)(?: (?:\p{Lu}[\p{L}\p{M}\p{N}.'’&-]*|and|of|&)){0,5})[ \t]*$/u

/** Where the last line ends before `start`, if that is no more than `reach` away; or -1. */
const lastBreak = (text: string, start: number, reach: number): number => {
  for (let at = start - 1; at >= 0 && start - at <= reach; at--) if (text.charCodeAt(at) === 10) return at
  return -1
}

/** The line above an address is a firm where it is not a person, and where another line, of a person, stands above it. */
const firmAbove = (text: string, found: Array<Found>): void => {
  const firms: Array<Found> = []
  const streets = found.filter(({ type }) => type === "STREET_ADDRESS")
  if (streets.length === 0) return
  const sure = found.filter(({ confidence }) => confidence >= 0.5).sort((a, b) => a.start - b.start)
  for (const span of streets) {
    const end = lastBreak(text, span.start, 8)
    if (end < 1 || /[\p{L}\p{N}]/u.test(text.slice(end, span.start))) continue
    const begin = lastBreak(text, end, 81) + 1
    if (begin === 0) continue
    const match = lineOfNames.exec(text.slice(begin, end))
    if (match === null) continue
    const start = begin + match[0].indexOf(match[1] as string)
    const firm = { start, end: start + (match[1] as string).length, type: "ORGANIZATION", confidence: 0.6 }
    if (!isInside(sure, firm)) firms.push(firm)
  }
  found.push(...firms)
}

/** Whether one of the spans, which are sorted by where they begin, covers another. The few that begin just before it are looked at. */
const isInside = (sorted: ReadonlyArray<Found>, { end, start }: Found): boolean => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as Found).start <= start) low = middle + 1
    else high = middle
  }
  for (let i = low - 1; i >= 0 && i >= low - 16; i--) if ((sorted[i] as Found).end >= end) return true
  return false
}

const structured = (
  text: string,
  runs: ReadonlyArray<number>,
  out: Array<Found>,
  minimum: number,
  only: ReadonlySet<string> | undefined
): void => {
  emails(text, out)
  privateKeys(text, out)
  connections(text, out)
  namedSecrets(text, runs, out)
  if (only?.has("URL") === true) urls(text, out)
  const length = text.length
  let i = 0
  while (i < length) {
    const code = text.charCodeAt(i)
    if (!isAlphanumeric(code)) {
      if (code === 58 && text.charCodeAt(i + 1) === 58 && !isAlphanumeric(text.charCodeAt(i - 1))) ip(text, i, out)
      else if (code === 43 && isDigit(text.charCodeAt(i + 1))) identify(text, i, out, minimum, only)
      i++
      continue
    }
    // A word: letters and digits. What follows decides whether an identifier may begin here.
    let end = i
    let digits = 0
    while (end < length) {
      const each = text.charCodeAt(end)
      if (isDigit(each)) digits++
      else if (!isAlphanumeric(each)) break
      end++
    }
    const size = end - i
    const joint = text.charCodeAt(end)
    if (digits > 0 || size <= 4) {
      const near =
        digits > 0 ||
        isDigit(text.charCodeAt(end + 1)) ||
        isDigit(text.charCodeAt(end + 3)) ||
        joint === 58 ||
        ((joint === 45 || joint === 46) && isHex(code) && isHex(text.charCodeAt(end + 1)))
      if (near) {
        identify(text, i, out, minimum, only)
        const stop = ibanEnd(text, i)
        if (stop > 0) out.push({ start: i, end: stop, type: "IBAN_CODE", confidence: 0.97 })
        if (size <= 4 && (joint === 58 || (joint === 46 && isDigit(text.charCodeAt(end + 1))))) ip(text, i, out)
      }
    }
    if (
      (size >= 2 && (size >= 14 || isKeySign(joint)) && mayBeginKey(code, text.charCodeAt(i + 1))) ||
      (size === 32 && joint === 45) ||
      (digits === size && size >= 8 && joint === 58) ||
      (size >= 24 && joint === 46)
    ) {
      const stop = markedKeyEnd(text, i)
      if (stop > 0 && !isAlphanumeric(text.charCodeAt(stop))) {
        out.push({ start: i, end: stop, type: text.startsWith("eyJ", i) ? "JWT" : "API_KEY", confidence: 0.95 })
        if (/^A[KS]IA/.test(text.slice(i, i + 4))) besideKey(text, stop, out)
        i = stop
        continue
      }
    }
    i = end
  }
}

const isHex = (code: number): boolean => isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102)
const isKeySign = (code: number): boolean => code === 45 || code === 95 || code === 46 || code === 58 || code === 36

/** What the types of one country are called when nobody asked for that country's. */
const general: { readonly [type: string]: string } = {
  TR_PHONE_NUMBER: "PHONE_NUMBER",
  PH_MOBILE_NUMBER: "PHONE_NUMBER"
}

const identify = (
  text: string,
  start: number,
  out: Array<Found>,
  minimum: number,
  only: ReadonlySet<string> | undefined
): void => {
  for (const row of identifiersAt[beginningAt(text, start)] as (typeof identifiersAt)[number]) {
    if (only !== undefined && !only.has(row.type)) continue
    if (row.begins !== undefined && !row.begins(text, start)) continue
    row.shape.lastIndex = start
    const match = row.shape.exec(text)
    if (match === null) continue
    const written = match[0]
    if (row.check !== undefined && !row.check(written.replace(separators, "").toUpperCase(), written)) continue
    const end = start + written.length
    let confidence = row.alone
    if (confidence < row.beside && row.context !== undefined && row.context.test(around(text, start, end))) {
      confidence = row.beside
    }
    if (confidence < minimum) continue
    if (confidence < 0.9 && insideLonger(text, start, end)) continue
    out.push({ start, end, type: only !== undefined ? row.type : (general[row.type] ?? row.type), confidence })
  }
}

/** Whether the span is a piece of something longer: a UUID, a version, a decimal, a path. */
const insideLonger = (text: string, start: number, end: number): boolean => {
  const before = text.charCodeAt(start - 1)
  if ((before === 45 || before === 46 || before === 95 || before === 47) && isAlphanumeric(text.charCodeAt(start - 2)))
    return true
  const after = text.charCodeAt(end)
  return (
    (after === 45 || after === 46 || after === 95) &&
    isAlphanumeric(text.charCodeAt(end + 1)) &&
    isDigit(text.charCodeAt(end + 1))
  )
}

const ip = (text: string, start: number, out: Array<Found>): void => {
  const before = text.charCodeAt(start - 1)
  if (before === 46 && isAlphanumeric(text.charCodeAt(start - 2))) return
  const hit = ipAt(text, start)
  if (hit === undefined || (before === 58 && text.slice(start, hit.end).includes(":"))) return
  let confidence = hit.alone
  if (
    confidence < 0.5 &&
    /\b(?:ip|src|dst|source|address|unspecified|bind|listen|route|host)\b/i.test(around(text, start, hit.end))
  ) {
    confidence = 0.6
  }
  out.push({ start, end: hit.end, type: "IP_ADDRESS", confidence })
}

const urls = (text: string, out: Array<Found>): void => {
  for (const match of text.matchAll(/https?:\/\/[\w-]+(?:\.[\w-]+)+[^\s<>"'`]*/gi)) {
    out.push({ start: match.index, end: match.index + match[0].length, type: "URL", confidence: 0.3 })
  }
}

const local = /[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{N}._%+'-]/u
const domain =
  /(?:[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{N}](?:[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{N}-]{0,62})\.)+(?:xn--[a-z0-9-]{2,59}|[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}]{2,24})/uy
/** Domains in scripts without spaces end in a name that is known; others in letters of their script. */
const foreignDomain =
  /(?:[\p{L}\p{M}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,30})\.){1,4}(?:中国|中國|公司|网络|網絡|网址|在线|商城|香港|台灣|台湾|한국|닷컴|みんな|ストア|[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Tamil}\p{Script=Thai}\p{Script=Georgian}\p{Script=Armenian}]{2,16})/uy
const addressLiteral = /\[(?:IPv6:[\da-f:.]{2,45}|\d{1,3}(?:\.\d{1,3}){3})\]/iy

/** The end of the domain at `start`, or -1. */
const domainEnd = (text: string, start: number): number => {
  const code = text.charCodeAt(start)
  const tried = code === 91 ? [addressLiteral] : [domain, foreignDomain]
  for (const expression of tried) {
    expression.lastIndex = start
    const match = expression.exec(text)
    if (match !== null) return start + match[0].length
  }
  return -1
}

/** `alice (at) example (dot) com`. */
const spelled =
  /[\w.+-]{1,64} ?[[({<] ?(?:at|@) ?[\])}>] ?[\w-]{1,63}(?:(?: ?[[({<] ?(?:dot|\.) ?[\])}>] ?|\.)[\w-]{2,63}){1,4}/gi

/** Where `@` stands, and `%40`. */
const signs = (text: string): ReadonlyArray<number> => {
  const out: Array<number> = []
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) out.push(at)
  const plain = out.length
  for (let at = text.indexOf("%40"); at >= 0; at = text.indexOf("%40", at + 1)) out.push(at)
  return plain === out.length ? out : out.sort((a, b) => a - b)
}

const emails = (text: string, out: Array<Found>): void => {
  const add = (start: number, end: number) => out.push({ start, end, type: "EMAIL_ADDRESS", confidence: 0.97 })
  for (const at of signs(text)) {
    const width = text[at] === "%" ? 3 : 1
    let start = at
    while (start > 0 && at - start < 64 && local.test(text[start - 1] as string)) start--
    while (start < at && /['.%-]/.test(text[start] as string)) start++
    if (start === at && text[at - 1] === '"') {
      const quote = text.lastIndexOf('"', at - 2)
      if (quote >= 0 && at - quote < 66 && at - quote > 2 && !/[\r\n:,{}[\]]/.test(text.slice(quote, at))) start = quote
    }
    if (start === at) continue
    const end = domainEnd(text, at + width)
    if (end >= 0) add(start, end)
  }
  if (/[[({<] ?(?:at|@) ?[\])}>]/i.test(text)) {
    for (const match of text.matchAll(spelled)) add(match.index, match.index + match[0].length)
  }
}

/** Types that a policy may well leave in clear: they never give their name to a span that covers something else too. */
const open = new Set(["COUNTRY", "DATE_TIME", "NRP", "TITLE", "LITERAL"])

/** Whether `a` gives its type to the union of two spans that overlap. */
export const outranks = (a: Readonly<Found>, b: Readonly<Found>): boolean => {
  if (open.has(a.type) !== open.has(b.type)) return open.has(b.type)
  return a.confidence > b.confidence || (a.confidence === b.confidence && a.end - a.start > b.end - b.start)
}

/** Of spans that overlap the most confident wins, then the longest; what it leaves of the others stays covered by widening it. */
const resolve = (spans: ReadonlyArray<Found>): ReadonlyArray<Found> => {
  if (spans.length < 2) return spans
  const ordered = [...spans].sort((a, b) => a.start - b.start || b.end - a.end)
  const out: Array<Found> = []
  for (const span of ordered) {
    const last = out.at(-1)
    if (last === undefined || span.start >= last.end) {
      out.push({ ...span })
      continue
    }
    const stronger = outranks(span, last)
    if (stronger) {
      last.type = span.type
      last.confidence = span.confidence
    }
    last.end = Math.max(last.end, span.end)
  }
  return out
}

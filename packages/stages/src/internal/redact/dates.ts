/** Dates, times and ages. */
import type { Found } from "./secrets.ts"
import { matches } from "./windows.ts"

const months =
  "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
const stamp = /\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?(?![\w-])/y
const numeric = /(?:\d{1,2}([./-])\d{1,2}\1(?:\d{4}|\d{2})|\d{4}([./])\d{1,2}\2\d{1,2})(?![\w/-]|\.\d)/y
const short = /\d{1,2}\/\d{1,2}(?![\w/-]|\.\d)/y
const dayFirst = new RegExp(
  `\\d{1,2}(?:st|nd|rd|th)?[- ](?:of )?(?:${months})\\b\\.?(?:[-, ]{1,2}\\d{4})?(?![\\w-])`,
  "iy"
)
const monthFirst = new RegExp(
  `(?:${months})\\b\\.?[- ]\\d{1,2}(?:st|nd|rd|th)?(?![\\d:])(?:,? \\d{4})?(?![\\w-])`,
  "iy"
)
const monthBefore = new RegExp(`(?<![\\w./-])(?:${months})\\b\\.?[- ]$`, "i")
const chinese =
  /(?:\d{4}|[〇零一二三四五六七八九]{4})年(?:\d{1,2}|[一二三四五六七八九十]{1,3})月(?:(?:\d{1,2}|[一二三四五六七八九十]{1,3})[日号])?/g
const birth =
  /\b(?:born|birth|birthday|d\.?o\.?b|geboren|geburtsdatum|né|née|naissance|nacimiento|nascimento|nato|nata|nascita|urodz)|出生|生日|생년월일|生年月日|дата рождения/iu
const yearCue =
  /(?:\b(?:in|a|the|since|year|of|from|by|until|till|during|before|after|around|circa|early|late|mid|and|to|summer|winter|spring|fall|autumn)|[(,])\s*$/i
const ageBefore =
  /\bwhen (?:i|he|she|they) (?:am|is|was|were|turned) $|\b(?:age|aged|age:|age is|aged:|turn(?:ed|s|ing)?|years old:)\s+(?:of\s+)?$/i
const ageAfter =
  /[ -](?:years?|yrs?|y\/?o|yo)(?:[ -]olds?)?\b|\s?(?:岁|歲|세|살|歳|лет|Jahre alt|ans\b|años|anni\b|anos\b)/iuy
const notAfterAge = /(?:\s*(?:%|\/|[.,]\d|items|times)|[\p{L}\p{N}_])/iuy

const isMatch = (expression: RegExp, text: string, start: number): boolean => {
  expression.lastIndex = start
  return expression.test(text)
}
const matchAt = (expression: RegExp, text: string, start: number): RegExpExecArray | null => {
  expression.lastIndex = start
  return expression.exec(text)
}

const push = (text: string, out: Array<Found>, start: number, end: number, confidence: number) => {
  const born = birth.test(text.slice(Math.max(0, start - 40), start))
  out.push({ start, end, type: born ? "DATE_OF_BIRTH" : "DATE_TIME", confidence: born ? 0.9 : confidence })
}

/** Whether a date may begin behind this character. */
const opens = (code: number): boolean =>
  !(
    (code >= 48 && code <= 57) ||
    (code >= 65 && code <= 90) ||
    (code >= 97 && code <= 122) ||
    code === 95 ||
    code === 46 ||
    code === 47 ||
    code === 45
  )

/** `runs` are where the digits of the text begin and end. */
export const dates = (text: string, runs: ReadonlyArray<number>, out: Array<Found>): void => {
  if (runs.length === 0) return
  const code = /[;{}]\s*$/m.test(text)
  let done = 0
  for (let i = 0; i < runs.length; i += 2) {
    const start = runs[i] as number
    const end = runs[i + 1] as number
    const size = end - start
    if (size > 4) continue
    const before = text.charCodeAt(start - 1)
    if (size <= 3) ages(text, start, end, code, out)
    if (size !== 4 && size > 2) continue
    if (size <= 2 && (before === 32 || before === 45)) {
      const month = monthBefore.exec(text.slice(Math.max(0, start - 12), start))
      const from = month === null ? -1 : start - month[0].length
      const match = from < done ? null : matchAt(monthFirst, text, from)
      if (match !== null) {
        done = from + match[0].length
        push(text, out, from, done, code ? 0.4 : 0.7)
        continue
      }
    }
    if (!opens(before)) continue
    const after = text.charCodeAt(end)
    if (size === 4) {
      const stamped = after === 45 ? matchAt(stamp, text, start) : null
      if (stamped !== null) {
        const value = stamped[0]
        const [y, m, d] = [Number(value.slice(0, 4)), Number(value.slice(5, 7)), Number(value.slice(8, 10))]
        if (y > 1850 && y < 2150 && m >= 1 && m <= 12 && d >= 1 && d <= 31)
          push(text, out, start, start + value.length, code ? 0.4 : 0.75)
      }
      const century = text.charCodeAt(start) * 100 + text.charCodeAt(start + 1)
      if ((century === 4957 || century === 5048) && isYearEnd(text, end)) {
        const cue = text.slice(Math.max(0, start - 12), start)
        push(text, out, start, end, !code && (yearCue.test(cue) || text.length < 8) ? 0.55 : 0.2)
      }
    }
    if (after === 46 || after === 47 || after === 45) {
      const match = matchAt(numeric, text, start)
      if (match !== null) {
        const [a, b, c] = match[0].split(/[./-]/).map(Number) as [number, number, number]
        const ok =
          match[0].length > 5 &&
          (a > 31 ? b <= 12 && c <= 31 : (a <= 12 && b <= 31) || (a <= 31 && b <= 12)) &&
          a > 0 &&
          b > 0
        const version = match[1] === "." && !/\.\d{4}$/.test(match[0])
        if (ok) push(text, out, start, start + match[0].length, version || code ? 0.4 : 0.7)
      }
      const brief = after === 47 && size <= 2 ? matchAt(short, text, start) : null
      if (brief !== null) {
        const [a, b] = brief[0].split("/").map(Number) as [number, number]
        const cue = /\b(?:on|today is|date|due|by|until|since|from|is)\s*$/i.test(
          text.slice(Math.max(0, start - 16), start)
        )
        if (a > 0 && b > 0 && ((a <= 12 && b <= 31) || (a <= 31 && b <= 12)))
          push(text, out, start, start + brief[0].length, cue && !code ? 0.55 : 0.3)
      }
    }
    if (size <= 2 && start >= done) {
      const match = matchAt(dayFirst, text, start)
      if (match !== null) {
        done = start + match[0].length
        push(text, out, start, done, code ? 0.4 : 0.7)
      }
    }
  }
  if (text.includes("年"))
    for (const match of matches(chinese, text)) push(text, out, match.index, match.index + match[0].length, 0.8)
}

const isYearEnd = (text: string, end: number): boolean => {
  const after = text.charCodeAt(end)
  if (!(after === 46 || after === 44)) return after !== 95 && (opens(after) || Number.isNaN(after))
  const next = text.charCodeAt(end + 1)
  return !(next >= 48 && next <= 57)
}

const ages = (text: string, start: number, end: number, code: boolean, out: Array<Found>): void => {
  if (Number(text.slice(start, end)) > 120) return
  const before = text.charCodeAt(start - 1)
  if ((before >= 65 && before <= 90) || (before >= 97 && before <= 122) || before === 95) return
  const said =
    isMatch(ageAfter, text, end) ||
    (before <= 32 && ageBefore.test(text.slice(Math.max(0, start - 28), start)) && !isMatch(notAfterAge, text, end))
  if (said) out.push({ start, end, type: "AGE", confidence: code ? 0.4 : 0.75 })
}

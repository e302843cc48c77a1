/** Dates, times and ages. */
import type { Found } from "./secrets.ts"
import { matches, type Window } from "./windows.ts"

const months =
  "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
const stamp =
  /(?=\d)(?<![\w.-])\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?(?![\w-])/g
const numeric =
  /(?=\d)(?<![\w./-])(?:\d{1,2}([./-])\d{1,2}\1(?:\d{4}|\d{2})|\d{4}([./])\d{1,2}\2\d{1,2})(?![\w/-]|\.\d)/g
const short = /(?=\d)(?<![\w./-])\d{1,2}\/\d{1,2}(?![\w/-]|\.\d)/g
const written = new RegExp(
  `(?<![\\w./-])(?:\\d{1,2}(?:st|nd|rd|th)?[- ](?:of )?(?:${months})\\b\\.?(?:[-, ]{1,2}\\d{4})?|(?:${months})\\b\\.?[- ]\\d{1,2}(?:st|nd|rd|th)?(?![\\d:])(?:,? \\d{4})?)(?![\\w-])`,
  "gi"
)
const year = /(?=[12])(?<![\w./-])(?:19|20)\d{2}(?![\w/-]|[.,]\d)/g
const chinese =
  /(?:\d{4}|[〇零一二三四五六七八九]{4})年(?:\d{1,2}|[一二三四五六七八九十]{1,3})月(?:(?:\d{1,2}|[一二三四五六七八九十]{1,3})[日号])?/g
const birth =
  /\b(?:born|birth|birthday|d\.?o\.?b|geboren|geburtsdatum|né|née|naissance|nacimiento|nascimento|nato|nata|nascita|urodz)|出生|生日|생년월일|生年月日|дата рождения/iu
const yearCue =
  /(?:\b(?:in|a|the|since|year|of|from|by|until|till|during|before|after|around|circa|early|late|mid|and|to|summer|winter|spring|fall|autumn)|[(,])\s*$/i
const age =
  /\bwhen (?:i|he|she|they) (?:am|is|was|were|turned) (\d{1,3})\b(?! ?%)|\b(?:(?:is|am|i'm|was|aged?|age:|age of|turn(?:ed|s)?|this|an?|at)\s+)?(\d{1,3})[ -](?:years?|yrs?|y\/?o|yo)(?:[ -]olds?)?\b|\b(?:age|aged|age:|age is|aged:|turn(?:ed|s|ing)?|years old:)\s+(?:of\s+)?(\d{1,3})\b(?!\s*(?:%|\/|[.,]\d|items|times))|(\d{1,3})\s?(?:岁|歲|세|살|歳|лет|Jahre alt|ans\b|años|anni\b|anos\b)/giu

const push = (text: string, out: Array<Found>, start: number, end: number, confidence: number) => {
  const born = birth.test(text.slice(Math.max(0, start - 40), start))
  out.push({ start, end, type: born ? "DATE_OF_BIRTH" : "DATE_TIME", confidence: born ? 0.9 : confidence })
}

export const dates = (text: string, windows: ReadonlyArray<Window>, out: Array<Found>): void => {
  if (windows.length === 0) return
  const code = /[;{}]\s*$/m.test(text)
  for (const match of matches(stamp, text)) {
    const value = match[0]
    const [y, m, d] = [Number(value.slice(0, 4)), Number(value.slice(5, 7)), Number(value.slice(8, 10))]
    if (y > 1850 && y < 2150 && m >= 1 && m <= 12 && d >= 1 && d <= 31)
      push(text, out, match.index, match.index + value.length, code ? 0.4 : 0.75)
  }
  for (const match of matches(numeric, text)) {
    const [a, b, c] = match[0].split(/[./-]/).map(Number) as [number, number, number]
    const ok =
      match[0].length > 5 &&
      (a > 31 ? b <= 12 && c <= 31 : (a <= 12 && b <= 31) || (a <= 31 && b <= 12)) &&
      a > 0 &&
      b > 0
    const version = match[1] === "." && !/\.\d{4}$/.test(match[0])
    if (ok) push(text, out, match.index, match.index + match[0].length, version || code ? 0.4 : 0.7)
  }
  for (const match of matches(short, text)) {
    const [a, b] = match[0].split("/").map(Number) as [number, number]
    const cue = /\b(?:on|today is|date|due|by|until|since|from|is)\s*$/i.test(
      text.slice(Math.max(0, match.index - 16), match.index)
    )
    if (a > 0 && b > 0 && ((a <= 12 && b <= 31) || (a <= 31 && b <= 12)))
      push(text, out, match.index, match.index + match[0].length, cue && !code ? 0.55 : 0.3)
  }
  for (const window of windows) {
    for (const match of matches(written, window.text)) {
      push(text, out, window.start + match.index, window.start + match.index + match[0].length, code ? 0.4 : 0.7)
    }
    for (const match of matches(age, window.text)) {
      const digits = (match[1] ?? match[2] ?? match[3] ?? match[4]) as string
      const start = window.start + match.index + match[0].indexOf(digits)
      if (Number(digits) <= 120)
        out.push({ start, end: start + digits.length, type: "AGE", confidence: code ? 0.4 : 0.75 })
    }
  }
  if (text.includes("年"))
    for (const match of matches(chinese, text)) push(text, out, match.index, match.index + match[0].length, 0.8)
  for (const match of matches(year, text)) {
    const before = text.slice(Math.max(0, match.index - 12), match.index)
    push(text, out, match.index, match.index + 4, !code && (yearCue.test(before) || text.length < 8) ? 0.55 : 0.2)
  }
}

/** Telephone numbers of all regions, by the numbering plans of libphonenumber and the ways in which people write them. */
import { type CountryCode, Metadata, parsePhoneNumberFromString } from "libphonenumber-js/max"
import type { Found } from "./secrets.ts"
import type { Window } from "./windows.ts"

const candidate =
  /(?=[\d+(])(?<![\w.@/$€£#])(?:(?<!=)|(?=\+))(?:(?:\+|00)[\d][\d ()./–-]{5,22}\d|\(\+?\d{1,4}\)[ .-]?\d[\d ./()-]{4,16}\d|\d{1,5}(?:[ ./–-]{1,2}\(?\d{1,8}\)?){1,6}|\d{7,12})(?:(?: ?(?:x|ext\.?|#) ?)\d{1,6})?(?![\w@%])/g
const cue =
  /(?:(?<![a-z])(?:phone|mobile|cell|tel\b|tel[.:]|fax|call|sms|text|whatsapp|contact|dial|reach|ring|text me|messages? to|number(?: is)?|one is)|telefon|handy|ruf|téléphone|portable|teléfono|móvil|celular|telefono|cellulare|telefone|nummer|puhelin|電話|电话|手机|휴대|전화|телефон|тел\.)[^\d+]{0,24}$/iu
const after = /^\s?-?\s?(?:\(?(?:office|home|fax|mobile|cell|work|tel|phone)\b)/i
const notPhone =
  /(?:card|account|iban|order|invoice|id|no\.|nr\.|number of|pin|code|version|isbn|issn|ticket|ref(?:erence)?|sin|ssn|tin)\s*(?:is|:|#|number)?\s*$/i

/** Where a national number may be at home, the likeliest first. */
const regions: ReadonlyArray<CountryCode> = [
  "US",
  "GB",
  "DE",
  "FR",
  "IT",
  "ES",
  "IN",
  "BR",
  "CN",
  "AU",
  "NL",
  "BE",
  "CH",
  "AT",
  "SE",
  "NO",
  "DK",
  "FI",
  "PL",
  "CZ",
  "HU",
  "PT",
  "IE",
  "ZA",
  "IL",
  "TR",
  "SI",
  "HR",
  "RO",
  "GR",
  "RU",
  "UA",
  "JP",
  "KR",
  "SG",
  "NZ",
  "MX",
  "AR",
  "IS",
  "EE",
  "CY",
  "TN",
  "UY",
  "GL"
]

/** The lengths that national numbers have, by region: with and without the prefix of national calls. */
let lengths: ReadonlyArray<readonly [CountryCode, ReadonlySet<number>]> | undefined
const lengthsOf = () =>
  regions.map((region) => {
    const metadata = new Metadata()
    metadata.selectNumberingPlan(region)
    const possible = metadata.numberingPlan?.possibleLengths() ?? []
    return [region, new Set(possible.flatMap((length) => [length, length + 1, length + 2]))] as const
  })

const validSomewhere = (written: string, digits: number): boolean => {
  lengths ??= lengthsOf()
  for (const [region, possible] of lengths)
    if (possible.has(digits) && parsePhoneNumberFromString(written, region)?.isValid() === true) return true
  return false
}

export const phones = (text: string, windows: ReadonlyArray<Window>, out: Array<Found>, minimum: number): void => {
  if (windows.length === 0) return
  const taken = out.filter((span) => span.confidence >= Math.max(minimum, 0.5)).sort((a, b) => a.start - b.start)
  let first = 0
  for (const match of text.matchAll(candidate)) {
    const written = match[0]
    const digits = written.replace(/\D/g, "")
    if (digits.length < 7 || digits.length > 17) continue
    const start = match.index
    let end = start + written.length
    // A piece of it may look like something else, such as a number of a tax office; a sure one, or one that reaches out, stays.
    while (first < taken.length && (taken[first] as Found).end <= start) first++
    const other = (span: Found) =>
      start < span.end &&
      span.type !== "TR_PHONE_NUMBER" &&
      !(written.startsWith("+") && start < span.start && span.end <= end && span.confidence < 0.9)
    let isOther = false
    for (let i = first; !isOther && i < taken.length && (taken[i] as Found).start < end; i++)
      isOther = other(taken[i] as Found)
    if (isOther) continue
    let international =
      written.startsWith("+") || written.startsWith("(+") || (written.startsWith("00") && digits.length > 9)
    const before = text.slice(Math.max(0, start - 48), start)
    const asked = cue.test(before) || after.test(text.slice(end, end + 12))
    let confidence = 0
    if (international) {
      const number = parsePhoneNumberFromString(written.replace(/^00/, "+").replace("(0)", "").replace(/^\(\+/, "+"))
      if (number?.isValid() === true) confidence = 0.95
      else if (number?.isPossible() === true) confidence = asked ? 0.9 : 0.75
      else if (asked || /[ ()-]/.test(written)) confidence = 0.55
      else international = false
    }
    if (!international) {
      const groups = written.split(/[^\d]+/).filter((group) => group !== "")
      const years = groups.length >= 2 && groups.every((group) => group.length === 4) && groups.length !== 2
      const dated = /^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}$/.test(written)
      if (dated || years || /^\d+\.\d+$/.test(written) || groups.some((group) => group.length > 12)) continue
      if (notPhone.test(before) && !asked) continue
      const grouped =
        /^\(?\d{2,4}\)?[ .-]?\d{3,4}[ .-]\d{3,4}(?!\d)/.test(written) ||
        /^0\d{1,4}(?:[ /-]\d{2,8}){1,5}$/.test(written) ||
        /^\d{2,3}(?:[ ]\d{2,4}){2,4}$/.test(written)
      if (asked) confidence = 0.8
      else if (
        grouped &&
        groups.length >= 2 &&
        groups.length <= 6 &&
        digits.length >= 8 &&
        digits.length <= 12 &&
        validSomewhere(written, digits.length)
      )
        confidence = 0.6
      else if (grouped && /^\(\d{2,4}\)/.test(written)) confidence = 0.55
      else if (
        /^0\d{9,10}$/.test(digits) &&
        groups.length === 1 &&
        text.trim().length < 40 &&
        validSomewhere(written, digits.length)
      )
        confidence = 0.5
      else confidence = 0.1
    }
    while (/[ ./–-]/.test(text[end - 1] as string)) end--
    if (confidence >= minimum) out.push({ start, end, type: "PHONE_NUMBER", confidence })
  }
}

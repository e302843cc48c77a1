/**
 * Identifiers by their published shapes and check digits: one row each, tried where a token with a digit begins.
 *
 * `alone` is the confidence without, `beside` with one of the context words near. Shapes without a check digit that any number
 * may have stand far below the usual threshold, and need their words.
 */
import { createHash } from "node:crypto"
import { isIPv4, isIPv6 } from "node:net"
import { allBeginnings, beginningsOf } from "./beginnings.ts"
import * as Check from "./checkDigits.ts"

export interface Identifier {
  readonly type: string
  /** Sticky; its end is checked by the scanner unless it checks it itself. */
  readonly shape: RegExp
  readonly alone: number
  readonly beside: number
  /** Gets the text without separators, in capitals. */
  readonly check?: (compact: string, written: string) => boolean
  readonly context?: RegExp
  /** A quick look before the expression is tried. */
  readonly begins?: (text: string, start: number) => boolean
  /** What it may begin with. */
  readonly beginnings: ReadonlySet<number>
}

const rows: Array<Identifier> = []
const add = (
  types: string,
  shape: string,
  alone: number,
  check?: Identifier["check"],
  context?: string,
  beside = Math.max(0.9, alone)
) => {
  rows.push({
    type: types,
    shape: new RegExp(`${shape}(?![A-Za-z0-9])`, "iy"),
    alone,
    beside,
    ...(check === undefined ? {} : { check }),
    ...(context === undefined ? {} : { context: new RegExp(context, "iu") }),
    beginnings: beginningsOf(shape)
  })
}
const upper = (test: Identifier["check"]): Identifier["check"] => test

// Money
export const cardBrand =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|3(?:52[89]|5[3-8]\d)\d{12,15}|6(?:011|4[4-9]\d|5\d\d)\d{12,15}|62\d{14,17}|(?:5018|5020|5038|5[678]\d\d|6304|6759|676[1-3])\d{8,15}|(?:2131|1800)\d{11})$/
const cardContext =
  "card|visa|master|amex|american express|credit|debit|payment|carte|karte|tarjeta|cart[ãa]o|carta|kort|卡|カード|카드|карт"
add(
  "CN_BANK_CARD",
  "(?:62\\d{14}|62\\d{17}|62\\d{2}(?:[ -]\\d{4}){3}|62\\d{2}(?:[ -]\\d{4}){3}[ -]\\d{3})",
  0.8,
  Check.luhn,
  "[\\p{Script=Han}]",
  0.99
)
add(
  "CREDIT_CARD",
  "(?:\\d{4}(?:[ -])\\d{4}(?:[ -])\\d{4}(?:[ -])\\d{1,7}|3\\d{3}[ -]\\d{6}[ -]\\d{4,5}|\\d{12,19})",
  0.85,
  (id) => cardBrand.test(id) && Check.luhn(id),
  cardContext,
  0.98
)
// In groups by other signs, by two spaces, by the end of a line, in bold; and digit by digit.
add(
  "CREDIT_CARD",
  "(?:\\d{4}([ -]{2,3}|[._/]|\\*\\* ?\\*\\*)\\d{4}\\1\\d{4}\\1\\d{4}|\\d{4}(?:[ -]|\\s{1,4}>? ?)\\d{4}(?:[ -]|\\s{1,4}>? ?)\\d{4}(?:[ -]|\\s{1,4}>? ?)\\d{4}|\\d(?:[ -]\\d){14,18})",
  0.85,
  (id, written) => {
    const digits = id.replace(/\D/g, "")
    return cardBrand.test(digits) && Check.luhn(digits) && (written.match(/\n/g) ?? []).length <= 1
  },
  cardContext,
  0.98
)
add("CREDIT_CARD", "\\d{12,19}", 0.2, (id) => Check.luhn(id) && !Check.uniform(id), cardContext, 0.8)

const ibanLengths: { readonly [country: string]: number } = Object.fromEntries(
  "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
    .split(" ")
    .map((each) => [each.slice(0, 2), Number(each.slice(2))])
)
const ibanLetters: { readonly [country: string]: RegExp } = {
  AL: /^\d{8}[A-Z0-9]{16}$/,
  AD: /^\d{8}[A-Z0-9]{12}$/,
  BE: /^\d{12}$/,
  BA: /^\d{16}$/,
  CY: /^\d{8}[A-Z0-9]{16}$/,
  DK: /^\d{14}$/,
  DO: /^[A-Z0-9]{4}\d{20}$/,
  EE: /^\d{16}$/,
  FI: /^\d{14}$/,
  FO: /^\d{14}$/,
  DE: /^\d{18}$/,
  GR: /^\d{7}[A-Z0-9]{16}$/,
  GI: /^[A-Z]{4}[A-Z0-9]{15}$/,
  GL: /^\d{14}$/,
  HR: /^\d{17}$/,
  HU: /^\d{24}$/,
  IE: /^[A-Z]{4}\d{14}$/,
  IL: /^\d{19}$/,
  IS: /^\d{22}$/,
  IT: /^[A-Z]\d{10}[A-Z0-9]{12}$/,
  LB: /^\d{4}[A-Z0-9]{20}$/,
  LT: /^\d{16}$/,
  ME: /^\d{18}$/,
  MK: /^\d{3}[A-Z0-9]{10}\d{2}$/,
  MR: /^\d{23}$/,
  NO: /^\d{11}$/,
  PL: /^\d{24}$/,
  PT: /^\d{21}$/,
  RS: /^\d{18}$/,
  SA: /^\d{2}[A-Z0-9]{18}$/,
  SE: /^\d{20}$/,
  SI: /^\d{15}$/,
  SK: /^\d{20}$/,
  SM: /^[A-Z]\d{10}[A-Z0-9]{12}$/,
  TL: /^\d{19}$/,
  TN: /^\d{20}$/,
  XK: /^\d{16}$/
}
/** What may stand between the groups of an IBAN: a space, a hyphen, a full stop, a line, a no-break space, the end of a line. */
const isGap = (code: number): boolean =>
  code === 32 || code === 45 || code === 46 || code === 95 || code === 0xa0 || code === 13

/** The end of an IBAN that begins at `start`, or -1. */
export const ibanEnd = (text: string, start: number): number => {
  const third = text.charCodeAt(start + 2)
  const check = third === 32 ? text.charCodeAt(start + 3) : third
  if (check < 48 || check > 57 || text.charCodeAt(start) < 65) return -1
  const length = ibanLengths[text.slice(start, start + 2).toUpperCase()]
  if (length === undefined) return -1
  let compact = ""
  let end = start
  let lower = false
  for (let i = start; i < text.length && compact.length < length; i++) {
    const code = text.charCodeAt(i)
    if ((code >= 48 && code <= 57) || (code >= 65 && code <= 90)) compact += text[i]
    else if (code >= 97 && code <= 122) {
      lower = true
      compact += (text[i] as string).toUpperCase()
    } else if (isGap(code) && text.charCodeAt(i - 1) > 32 && (compact.length % 4 === 0 || compact.length === 2))
      continue
    else if (code === 10 && (i === end || (i === end + 1 && text.charCodeAt(end) === 13)) && compact.length % 4 === 0)
      continue
    else return -1
    end = i + 1
  }
  if (compact.length !== length || (lower && /[A-Z]/.test(text.slice(start, end)) && !/^..\d+$/.test(compact)))
    return -1
  const after = text.charCodeAt(end)
  if ((after >= 48 && after <= 57) || (after >= 65 && after <= 90) || (after >= 97 && after <= 122)) return -1
  if (!/^[A-Z]{2}\d{2}/.test(compact)) return -1
  const rule = ibanLetters[compact.slice(0, 2)]
  if (rule !== undefined && !rule.test(compact.slice(4))) return -1
  return Check.mod97(compact.slice(4) + compact.slice(0, 4)) === 1 ? end : -1
}

const dated = (yymmdd: string, centuries: ReadonlyArray<number> = [1900, 2000]): boolean =>
  centuries.some((century) =>
    Check.isDay(century + Number(yymmdd.slice(0, 2)), Number(yymmdd.slice(2, 4)), Number(yymmdd.slice(4, 6)))
  )

// China
add(
  "CN_ID_CARD",
  "[1-8]\\d{5}(?:18|19|20)\\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\\d|3[01])\\d{3}[\\dX]",
  0.995,
  upper(Check.chinaResident)
)
add(
  "CN_SOCIAL_CREDIT_CODE",
  "[1-9A-GNY][1-9]\\d{6}[\\dA-HJ-NP-RTUWXY]{10}",
  0.9,
  (id) => /[A-Z]/.test(id) && Check.chinaSocialCredit(id)
)
add(
  "CN_MOBILE",
  "(?:(?:\\+|00)?86[ -]?)?1[3-9]\\d(?:\\d{8}|[ -]\\d{4}[ -]\\d{4})",
  0.6,
  undefined,
  "手机|电话|联系|号码|致电|拨打|微信|短信|phone|mobile|tel|cell",
  0.98
)
add(
  "CN_LANDLINE",
  "(?:\\+86[ -]?|0)(?:10|2\\d|[3-9]\\d{2})[ -]\\d{7,8}(?:[-转]\\d{1,6})?",
  0.5,
  undefined,
  "电话|座机|传真|固话|致电|tel|fax"
)
add("CN_PASSPORT", "(?:E[A-HJ-NP-Z]\\d{7,8}|[EGDSPH]\\d{8}|(?:14|15)\\d{7})", 0.1, undefined, "护照|通行证|passport")

// United States
add(
  "US_SSN",
  "(?!000|666|9)\\d{3}([- .])(?!00)\\d{2}\\1(?!0000)\\d{4}",
  0.8,
  (id) => id !== "078051120" && id !== "219099999" && id !== "457555462",
  "ssn|social security|soc sec"
)
add(
  "US_SSN",
  "(?!000|666|9)\\d{3}(?!00)\\d{2}(?!0000)\\d{4}",
  0.15,
  (id) => id !== "078051120" && !Check.uniform(id) && id !== "123456789",
  "ssn|social security|soc sec"
)
add(
  "US_ITIN",
  "9\\d{2}(?:[- ]\\d{2}[- ]?|\\d{2}[- ])\\d{4}",
  0.6,
  (id) => /^9\d\d(?:5\d|6[0-5]|7\d|8[0-8]|9[0-2]|9[4-9])/.test(id),
  "itin|tax|taxpayer"
)
add("US_ITIN", "9\\d{2}(?:5\\d|6[0-5]|7\\d|8[0-8]|9[0-2]|9[4-9])\\d{4}", 0.15, undefined, "itin|taxpayer")
add(
  "ABA_ROUTING_NUMBER",
  "\\d{4}-?\\d{4}-?\\d",
  0.15,
  (id) =>
    /^(?:0\d|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)/.test(id) &&
    !Check.uniform(id) &&
    Check.weighted(id, [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0,
  "aba|routing|transit|rtn|bank"
)
add("US_PASSPORT", "(?:\\d{9}|[A-Z]\\d{8})", 0.05, undefined, "passport|travel document", 0.8)
add("US_DRIVER_LICENSE", "[A-Z]\\d{7,14}", 0.1, undefined, "driver|licen[sc]e|dl ?#|permit", 0.8)
add("US_BANK_NUMBER", "\\d{8,17}", 0.05, undefined, "bank|account|acct|check(?:ing)?|saving", 0.55)
add(
  "US_MBI",
  "[1-9][AC-HJ-KM-NP-RT-Y][AC-HJ-KM-NP-RT-Y\\d]\\d-?[AC-HJ-KM-NP-RT-Y][AC-HJ-KM-NP-RT-Y\\d]\\d-?[AC-HJ-KM-NP-RT-Y]{2}\\d{2}",
  0.6,
  undefined,
  "mbi|medicare|beneficiary"
)
add(
  "US_NPI",
  "[12]\\d{3}([- ]?)\\d{3}\\1\\d{3}",
  0.15,
  (id) => !Check.uniform(id.slice(0, 9)) && Check.luhn(`80840${id}`),
  "npi|provider|prescriber|physician"
)
add("MEDICAL_LICENSE", "[A-HJ-MPRSTUX][A-Z9]\\d{7}", 0.5, Check.dea, "dea|medical|licen[sc]e|certificate|prescri")

// Britain
add(
  "UK_NINO",
  "(?!BG|GB|NK|KN|TN|NT|ZZ)[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z]( ?)\\d{2}\\1\\d{2}\\1\\d{2}\\1[A-D]",
  0.7,
  undefined,
  "national insurance|nino|\\bni\\b"
)
add("UK_NHS", "\\d{3}([- ]?)\\d{3}\\1\\d{4}", 0.15, Check.nhs, "nhs|national health|patient|hospital")
add("UK_PASSPORT", "[A-Z]{2}\\d{7}", 0.05, undefined, "passport|travel document", 0.8)
add(
  "UK_DRIVING_LICENCE",
  "(?=[A-Z]{2})[A-Z]{1,5}9{0,4}\\d[0156]\\d(?:0[1-9]|[12]\\d|3[01])\\d(?:[A-Z][A-Z9]|99)[A-Z0-9]{3}",
  0.7,
  (id) => /^.{5}\d{6}/.test(id),
  "licen[cs]e|driv|dvla"
)
add(
  "UK_POSTCODE",
  "(?:GIR ?0AA|(?:[A-PR-UWYZ]\\d{1,2}|[A-PR-UWYZ][A-HK-Y]\\d{1,2}|[A-PR-UWYZ]\\d[A-HJKPSTUW]|[A-PR-UWYZ][A-HK-Y]\\d[ABEHMNPRV-Y]) ?\\d[ABD-HJLNP-UW-Z]{2})",
  0.2,
  (_, written) => written === written.toUpperCase(),
  "post ?code|address|\\bzip|street|road|lane|london|send to|deliver",
  0.85
)
add(
  "UK_VEHICLE_REGISTRATION",
  "(?:[A-HJ-PR-Y]{2}(?:0[1-9]|[12]\\d|5[0-9]|6\\d|7[0-9])[- ]?[A-HJ-PR-Z]{3}|[A-HJ-NP-TV-Y]\\d{1,3}[- ]?[A-HJ-PR-Y]{3}|[A-HJ-PR-Y]{3}[- ]?\\d{1,3}[- ]?[A-HJ-NP-TV-Y])",
  0.1,
  (_, written) => written === written.toUpperCase(),
  "vehicle|registration|number plate|licen[cs]e plate|\\breg\\b|\\bcar\\b|dvla"
)

// Germany
add("DE_TAX_ID", "\\d{2} ?\\d{3} ?\\d{3} ?\\d{3}", 0.3, Check.germanTax, "steuer|idnr|tax|tin\\b")
add("DE_VAT_ID", "DE ?\\d{9}", 0.8, (id) => Check.mod1110(id.slice(2)), "ust|umsatzsteuer|vat|mwst")
add(
  "DE_TAX_NUMBER",
  "(?:\\d{2,3}[/ ]\\d{3,4}[/ ]\\d{4,5}|\\d{13})",
  0.1,
  undefined,
  "steuernummer|steuer-nr|st\\.? ?-?nr"
)
add(
  "DE_SOCIAL_SECURITY",
  "\\d{8}[A-Z]\\d{3}",
  0.7,
  Check.germanPension,
  "rentenversicherung|sozialversicherung|rvnr|svnr"
)
add("DE_HEALTH_INSURANCE", "[A-Z]\\d{9}", 0.5, Check.germanHealth, "kranken|versichert|kvnr|health insurance")
add(
  "DE_ID_CARD",
  "(?:[A-Z]\\d{8}|[LMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ\\d]{7}\\d)",
  0.1,
  undefined,
  "ausweis|identity card|id card|personalausweis",
  0.85
)
add(
  "DE_PASSPORT",
  "[CFGHJK][CFGHJKLMNPRTVWXYZ\\d]{7}\\d",
  0.3,
  (id) => /\d.*\d.*\d/.test(id) && Check.icao(id),
  "reisepass|pass\\b|passport|ausweis"
)
add(
  "DE_BSNR",
  "(?:0[1-9]|[1-9]\\d)\\d{7}",
  0.05,
  (id) => /^(?:0[123]|17|20|35|38|46|5[12]|7[1-3]|78|8[38]|9[389])/.test(id) && !Check.uniform(id),
  "betriebsst|bsnr",
  0.85
)
add(
  "DE_LANR",
  "\\d{9}",
  0.05,
  (id) => (10 - (Check.weighted(id, [4, 9, 4, 9, 4, 9]) % 10)) % 10 === Number(id[6]),
  "lanr|arztnummer",
  0.85
)
add("DE_PLZ", "(?!01000|99999)(?:0[1-9]|[1-9]\\d)\\d{3}", 0.05, undefined, "plz|postleitzahl", 0.8)
add(
  "DE_KFZ",
  "[A-ZÄÖÜ]{1,3}(?:-[A-Z]{1,2} ?|[ -][A-Z]{1,2} )\\d{1,4}[EH]?",
  0.1,
  (_, w) => w === w.toUpperCase(),
  "kennzeichen|kfz|nummernschild",
  0.85
)
add(
  "DE_FUEHRERSCHEIN",
  "[A-Z]\\d{2}[A-Z\\d]{6}\\d[A-Z\\d]",
  0.1,
  undefined,
  "führerschein|fuehrerschein|fahrerlaubnis",
  0.85
)
add("DE_HANDELSREGISTER", "HR[AB] ?\\d{1,6}(?: ?[A-Z]{1,2})?", 0.6, undefined, "handelsregister|amtsgericht|register")

// Spain, Italy, France, Portugal, the Netherlands, Poland
add(
  "ES_NIF",
  "\\d{7,8}-?[A-HJ-NP-TV-Z]",
  0.55,
  (id, written) => Check.spain(id) && written === written.toUpperCase(),
  "nif|dni|documento|identidad"
)
add("ES_NIE", "[XYZ]-?\\d{7}-?[A-HJ-NP-TV-Z]", 0.8, Check.spain, "nie|extranjero")
add("ES_PASSPORT", "[A-Z]{3}\\d{6}", 0.1, undefined, "pasaporte|passport", 0.85)
add(
  "IT_FISCAL_CODE",
  "[A-Z]{6}\\d{2}[ABCDEHLMPRST]\\d{2}[A-Z]\\d{3}[A-Z]",
  0.95,
  Check.italyFiscal,
  "codice fiscale|cf"
)
add(
  "IT_DRIVER_LICENSE",
  "(?:[A-Z]{2}\\d{7}[A-Z]|U1[BCDFGHLJKMNPRSTUWXYZ\\d]{7}[A-Z])",
  0.2,
  (_, w) => w === w.toUpperCase(),
  "patente|licen[sz]|driver"
)
add(
  "IT_IDENTITY_CARD",
  "(?:\\d{7}[A-Z]{2}|[A-Z]{2}\\d{5}[A-Z]{2}|[A-Z]{2} ?\\d{7})",
  0.05,
  undefined,
  "carta d.?identit|identity card|cie",
  0.8
)
add("IT_PASSPORT", "[A-Z]{2}\\d{7}", 0.05, undefined, "passaporto|passport", 0.8)
add(
  "IT_VAT_CODE",
  "(?:IT)?\\d{8}_?\\d{3}",
  0.2,
  (id) => !/^0+$/.test(id.replace("IT", "")) && Check.luhn(id.replace("IT", "")),
  "partita iva|p\\.? ?iva|vat"
)
add(
  "FR_NIR",
  "[12][ .]?\\d{2}[ .]?(?:0[1-9]|1[0-2]|[2-9]\\d)[ .]?(?:\\d{2}|2[AB])[ .]?\\d{3}[ .]?\\d{3}[ .]?\\d{2}",
  0.9,
  Check.nir,
  "sécurité sociale|insee|nir"
)
add("FR_SIRET", "\\d{3} ?\\d{3} ?\\d{3} ?\\d{5}", 0.2, Check.luhn, "siret|siren")
add(
  "PT_NIF",
  "[125689]\\d{8}",
  0.1,
  (id) => {
    const rest = Check.weighted(id, [9, 8, 7, 6, 5, 4, 3, 2]) % 11
    return (rest < 2 ? 0 : 11 - rest) === Number(id[8])
  },
  "nif|contribuinte"
)
add(
  "NL_BSN",
  "\\d{4}[. ]?\\d{2}[. ]?\\d{3}|\\d{9}".replace(/^(.*)$/, "(?:$1)"),
  0.1,
  Check.bsn,
  "bsn|burgerservice|sofi"
)
add("PL_PESEL", "\\d{11}", 0.35, Check.pesel, "pesel")
add(
  "PL_NIP",
  "\\d{3}-?\\d{3}-?\\d{2}-?\\d{2}",
  0.1,
  (id) => Check.weighted(id, [6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 === Number(id[9]),
  "nip\\b"
)

// The North
const swedishDay = (id: string) =>
  dated(id.slice(-10, -6) + String(Number(id.slice(-6, -4)) % 60).padStart(2, "0"), [1800, 1900, 2000])
add(
  "SE_PERSONNUMMER",
  "(?:18|19|20)?\\d{6}[-+]\\d{4}",
  0.85,
  (id) => swedishDay(id.replace("+", "")) && Check.luhn(id.replace("+", "").slice(-10)),
  "personnummer|pnr|personal identity"
)
add(
  "SE_PERSONNUMMER",
  "(?:(?:18|19|20)\\d{10}|\\d{10})",
  0.35,
  (id) => swedishDay(id) && Check.luhn(id.slice(-10)),
  "personnummer|pnr|personal identity|svensk|swedish"
)
add("SE_ORGANISATIONSNUMMER", "[1-9]\\d[2-9]\\d{3}-\\d{4}", 0.7, Check.luhn, "org|organisation")
add("SE_ORGANISATIONSNUMMER", "[1-9]\\d[2-9]\\d{7}", 0.15, Check.luhn, "org\\.?(?:nr|anisation)|organisationsnummer")
add(
  "FI_PERSONAL_IDENTITY_CODE",
  "\\d{6}[-+A-FU-Y]\\d{3}[\\dA-Y]",
  0.85,
  Check.finland,
  "hetu|henkilötunnus|personal identity"
)

// Asia and Oceania
add(
  "IN_AADHAAR",
  "[2-9]\\d{3}([- :]?)\\d{4}\\1\\d{4}",
  0.4,
  (id) => !Check.uniform(id) && Check.verhoeff(id),
  "aadhaar|aadhar|uidai|आधार"
)
add("IN_PAN", "[A-Z]{3}[ABCFGHLJPTK][A-Z]\\d{4}[A-Z]", 0.6, undefined, "pan\\b|permanent account|income tax")
add("IN_GSTIN", "(?:0[1-9]|[12]\\d|3[0-8]|97)[A-Z]{5}\\d{4}[A-Z][1-9A-Z]Z[\\dA-Z]", 0.85, undefined, "gst")
add("IN_PASSPORT", "[A-Z][1-9]\\d{5}[1-9]", 0.1, undefined, "passport", 0.8)
add("IN_VOTER", "[A-Z]{3}\\d{7}", 0.2, undefined, "vot(?:er|e)|elect|epic", 0.8)
add(
  "IN_VEHICLE_REGISTRATION",
  "(?:[A-Z]{2}[- ]?\\d{1,2}[- ]?[A-Z]{1,3}[- ]?\\d{4}|[A-Z]{3}\\d{4}|I\\d{5})",
  0.1,
  (_, w) => w === w.toUpperCase(),
  "vehicle|registration|number plate|\\brto\\b|bike|car\\b",
  0.8
)
add("KR_RRN", "\\d{6}-[1-4]\\d{6}", 0.75, (id) => dated(id), "주민|rrn|resident|registration")
add(
  "KR_RRN",
  "\\d{6}-?[1-4]\\d{6}",
  0.8,
  (id) => dated(id) && Check.koreaResident(id),
  "주민|rrn|resident|registration"
)
add("KR_RRN", "\\d{6}[1-4]\\d{6}", 0.4, (id) => dated(id), "주민|rrn|resident|registration")
add("KR_FRN", "\\d{6}-[5-8]\\d{6}", 0.75, (id) => dated(id), "외국인|frn|foreigner")
add("KR_FRN", "\\d{6}[5-8]\\d{6}", 0.2, (id) => dated(id), "외국인|frn|foreigner")
add("KR_BRN", "\\d{3}-\\d{2}-\\d{5}", 0.7, Check.koreaBusiness, "사업자|brn|business")
add("KR_BRN", "\\d{10}", 0.1, Check.koreaBusiness, "사업자|brn|business")
add("KR_PASSPORT", "(?:[MSRODG]\\d{3}[A-Z]\\d{4}|[MSRODG]\\d{8})", 0.1, undefined, "여권|passport", 0.85)
add("KR_DRIVER_LICENSE", "\\d{2}-\\d{2}-\\d{6}-\\d{2}", 0.5, undefined, "운전|면허|driver|licen[sc]e")
add("SG_NRIC_FIN", "[STFGM]\\d{7}[A-Z]", 0.75, Check.singapore, "nric|fin\\b|singapore")
add("SG_NRIC_FIN", "[A-Z]\\d{7}[A-Z]", 0.1, undefined, "nric|fin\\b|singapore", 0.8)
add(
  "SG_UEN",
  "(?:\\d{8}[A-Z]|(?:18|19|20)\\d{7}[A-Z]|[TSR]\\d{2}[A-Z]{2}\\d{4}[A-Z])",
  0.2,
  (_, w) => w === w.toUpperCase(),
  "uen|entity|company|business|singapore"
)
add(
  "TH_TNIN",
  "[1-8]-?\\d{4}-?\\d{5}-?\\d{2}-?\\d",
  0.45,
  (id) => {
    const province = Number(id.slice(1, 3))
    return (
      province >= 10 &&
      province <= 96 &&
      ![28, 29, 59, 68, 69, 78, 79, 87, 88, 89].includes(province) &&
      Check.thailand(id)
    )
  },
  "เลข|บัตร|ประชาชน|thai"
)
add("TR_NATIONAL_ID", "[1-9]\\d{10}", 0.4, Check.turkey, "tckn|t\\.?c\\.? ?kimlik|kimlik|turkish|başvuru|türk")
add(
  "TR_LICENSE_PLATE",
  "(?:0[1-9]|[1-7]\\d|8[01]) ?[A-Z]{1,3} ?\\d{2,5}",
  0.1,
  (_, w) => w === w.toUpperCase(),
  "plaka|plate",
  0.85
)
add(
  "TR_PHONE_NUMBER",
  "(?:\\+90|0)?[ -]?\\(?[2-5]\\d{2}\\)?[ .-]?\\d{3}[ .-]?\\d{2}[ .-]?\\d{2}",
  0.1,
  undefined,
  "telefon|gsm|cep|tel\\b",
  0.7
)
add(
  "PH_MOBILE_NUMBER",
  "(?:\\+63[- ]?\\(?|0)9\\d{2}\\)?[- ]?\\d{3}[- ]?\\d{4}",
  0.3,
  undefined,
  "mobile|cell|phone|numero|number",
  0.85
)
add(
  "PH_TIN",
  "\\d{3}([-]?)\\d{3}\\1\\d{3}\\1\\d{3,5}",
  0.3,
  (id) => Check.weighted(id, [9, 8, 7, 6, 5, 4, 3, 2]) % 11 === Number(id[8]),
  "tin\\b|bir\\b|taxpayer"
)
add("AU_ABN", "\\d{2} ?\\d{3} ?\\d{3} ?\\d{3}", 0.3, Check.abn, "abn|australian business")
add(
  "AU_ACN",
  "\\d{3} ?\\d{3} ?\\d{3}",
  0.1,
  (id) => (10 - (Check.weighted(id, [8, 7, 6, 5, 4, 3, 2, 1]) % 10)) % 10 === Number(id[8]),
  "acn|australian company"
)
add(
  "AU_TFN",
  "\\d{3} ?\\d{3} ?\\d{3}",
  0.1,
  (id) => !Check.uniform(id) && Check.weighted(id, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0,
  "tfn|tax file"
)
add(
  "AU_MEDICARE",
  "[2-6]\\d{3} ?\\d{5} ?\\d",
  0.15,
  (id) => Check.weighted(id, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === Number(id[8]),
  "medicare"
)

// The Americas and Africa
add(
  "CA_SIN",
  "[1-79]\\d{2}([- ]?)\\d{3}\\1\\d{3}",
  0.25,
  (id) => !Check.uniform(id) && Check.luhn(id),
  "\\bsin\\b|social insurance|\\bnas\\b|assurance sociale"
)
add("BR_CPF", "\\d{3}\\.\\d{3}\\.\\d{3}-\\d{2}", 0.95, Check.cpf, "cpf")
add("BR_CPF", "\\d{11}", 0.2, Check.cpf, "cpf")
add("BR_CNPJ", "\\d{2}\\.\\d{3}\\.\\d{3}/\\d{4}-\\d{2}", 0.95, Check.cnpj, "cnpj")
add("BR_CNPJ", "\\d{14}", 0.2, Check.cnpj, "cnpj")
add(
  "ZA_ID_NUMBER",
  "\\d{10}[0-2]\\d{2}",
  0.5,
  (id) => dated(id) && Check.luhn(id),
  "south africa|identity|permanent resident|id number"
)
add("NG_NIN", "\\d{11}", 0.1, Check.verhoeff, "nin\\b|national identi")
add(
  "NG_VEHICLE_REGISTRATION",
  "[A-Z]{3}[- ]?\\d{3}[- ]?[A-Z]{2}",
  0.15,
  (_, w) => w === w.toUpperCase(),
  "plate|vehicle|registration",
  0.85
)

// Networks and coins
add(
  "MAC_ADDRESS",
  "(?:[\\dA-F]{2}(?::[\\dA-F]{2}){5}(?!:)|[\\dA-F]{2}(?:-[\\dA-F]{2}){5}(?!-)|[\\dA-F]{4}\\.[\\dA-F]{4}\\.[\\dA-F]{4})",
  0.8,
  (_, written) => !Check.uniform(written.replace(/[^\da-f]/gi, "")),
  "mac|ethernet|hardware|physical"
)
add(
  "CRYPTO",
  "[13][1-9A-HJ-NP-Za-km-z]{25,34}",
  0.9,
  (_, written) => {
    const bytes = Check.fromBase58(written)
    return bytes !== undefined && base58Check(bytes)
  },
  "wallet|bitcoin|btc"
)
add("CRYPTO", "bc1[ac-hj-np-z02-9]{11,71}", 0.9, (_, written) => Check.bech32(written), "wallet|bitcoin|btc")
add("CRYPTO", "0x[\\da-f]{40}", 0.6, undefined, "wallet|ethereum|eth\\b|address")

const base58Check = (bytes: Uint8Array): boolean => {
  const once = createHash("sha256").update(bytes.subarray(0, 21)).digest()
  const twice = createHash("sha256").update(once).digest()
  return twice.subarray(0, 4).equals(bytes.subarray(21))
}

/** The signs of a MAC address after its first group. */
const beginsMac = (text: string, start: number): boolean => {
  const third = text.charCodeAt(start + 2)
  return third === 58 || third === 45 || text.charCodeAt(start + 4) === 46
}

/** All identifiers, in the order in which they are tried. */
export const identifiers: ReadonlyArray<Identifier> = rows.map((row) =>
  row.type === "MAC_ADDRESS" ? { ...row, begins: beginsMac } : row
)

/** Those that may match where a text has a beginning, by `beginningAt`. */
export const identifiersAt: ReadonlyArray<ReadonlyArray<Identifier>> = Array.from({ length: allBeginnings }, (_, i) =>
  identifiers.filter((row) => row.beginnings.has(i))
)

const address = /[\dA-Fa-f:.]{2,64}/y
/** What a server listens on says nothing about anybody. */
const listening = new Set(["127.0.0.1", "0.0.0.0"])
const four = /^\d{1,3}(?:\.\d{1,3}){3}(?=:\d{1,5}$)/
/** The end and confidence of an IP address (with its prefix length) at `start`, or `undefined`. */
export const ipAt = (text: string, start: number): { readonly end: number; readonly alone: number } | undefined => {
  address.lastIndex = start
  const match = address.exec(text)
  if (match === null) return undefined
  let found = match[0]
  while (found.endsWith(".") || (found.endsWith(":") && !found.endsWith("::"))) found = found.slice(0, -1)
  const withPort = four.exec(found)?.[0]
  if (withPort !== undefined && listening.has(withPort)) return undefined
  found = withPort ?? found
  const six = found.includes(":")
  if (six ? !isIPv6(found) : !isIPv4(found)) return undefined
  let end = start + found.length
  const zone = six ? /%[\w.-]+/y : undefined
  if (zone !== undefined) {
    zone.lastIndex = end
    end += zone.exec(text)?.[0].length ?? 0
  }
  const prefix = /\/(\d{1,3})(?!\d)/y
  prefix.lastIndex = end
  const length = prefix.exec(text)
  if (length !== null && Number(length[1]) <= (six ? 128 : 32)) end += length[0].length
  if (/[A-Za-z0-9_]/.test(text[end] ?? "")) return undefined
  return { end, alone: !six ? 0.85 : found === "::" || !/\d/.test(found) ? 0.3 : 0.9 }
}

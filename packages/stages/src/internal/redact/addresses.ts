/** Street addresses of many countries: numbers and streets, flats, boxes, postal codes, and the block of lines they stand in. */
import type { Found } from "./secrets.ts"

const name = "[\\p{Lu}\\d][\\p{L}\\p{M}\\d.’'-]*"
const streetWords =
  "Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Highway|Hwy|Parkway|Pkwy|Crescent|Close|Alley|Flats|Trail|Circle|Estates?|Isle|Islands?|Station|Junctions?|Plaza|Loop|Crossing|Ridge|Mills?|Route|Expressway|Heights|Track|Turnpike|Viaduct|Walk|Wells|Ways|Underpass|Throughway|Summit|Springs?|Squares|Shores?|Row|Port|Pass(?:age)?|Mews|Manors?|Lodge|Locks?|Knolls?|Keys?|Inlet|Hollow|Hills?|Harbors?|Groves?|Greens?|Glens?|Gateway|Gardens?|Freeway|Fort|Forks?|Forges?|Forest|Fords?|Fields?|Ferry|Falls|Extensions?|Drives|Dam|Dale|Curve|Crest|Creek|Courts|Corners?|Common|Club|Cliffs?|Centers?|Causeway|Canyon|Camp|Bypass|Burgs?|Brooks?|Bridge|Branch|Bottom|Bluffs?|Bend|Beach|Bayou"
const leading =
  "(?:Rue|Chemin|Impasse|Allée|Place|Quai|Cours|Via|Viale|Corso|Piazza|Vicolo|Largo|Strada|Calle|C/|Avda\\.?|Avenida|Av\\.|Plaza|Paseo|Carretera|Camino|Canónigo|Rua|R\\.|Travessa|Estrada|Praça|ul\\.|ulica|al\\.|aleja|os\\.|Rte|Route|Boulevard|Bd|улица|ул\\.|проспект|пр\\.)"
const endings =
  "(?:straße|strasse|str\\.|weg|gasse|platz|allee|damm|ring|ufer|straat|laan|plein|gracht|dreef|kade|singel|steeg|gatan|vägen|gränd|stigen|vej|gade|stræde|vænget|bakken|toften|veien|vegen|gata|katu|tie|kuja|polku|utca|útja|u\\.|tér|ova|ská|ovo|stræti)"
const flat = "(?:(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm|Box|Building|Bldg)\\.?\\s?#?\\d+[A-Z]?|#\\s?\\d+)"
const military = /\b(?:PSC|CMR|Unit|USCGC|USNS|USNV|USS)\s+[\w ]{1,30}?,?\s*(?:Box\s+\d+)?\s*,?\s*[\r\n ]+(?:APO|FPO|DPO)\s+(?:AA|AE|AP)\s+\d{4,5}/giu
const box = /\bP\.?\s?O\.?\s?Box\s+\d+|\bPostfach\s+\d+|\bBoîte postale\s+\d+/giu

const core = new RegExp(
  [
    // 6750 Koskikatu 25, 5112 39 Rue Ibn El-Jazzar, 742 Evergreen Terrace
    `(?<![\\w.,:/$€£-])\\d{1,5}[A-Za-z]?,? (?:\\d{1,5}[a-z]? )?(?:${name} ){0,4}(?:${streetWords})\\b\\.?(?: ?\\d{1,5}(?![\\d-])[a-z]?)?`,
    `(?<![\\w.,:/$€£-])(?:\\d{1,5}[A-Za-z]?,? ){0,2}${leading} (?:(?:de|del|della|di|du|da|do|des|la|le|les|el|van|der) )*(?:${name})(?: (?:(?:de|del|della|di|du|da|do|des|la|le|les|el) )*${name}){0,4}(?:,? ?\\d{1,5}(?![\\d-])[a-z]?)?`,
    `(?<![\\w.,:/$€£-])(?:\\d{1,5} )?(?:${name} ){0,2}[\\p{L}\\p{M}’'-]*${endings},? \\d{1,5}[a-zA-Z]?(?![\\w-])\\.?`,
    `(?<![\\w.,:/$€£-])\\d{3,5} (?:${name} ){1,4}\\d{1,4}[a-zA-Z]?(?![\\w-])`
  ].join("|"),
  "gu"
)
const tail = new RegExp(
  `^(?:[ ,]*[\\r\\n ,>]{1,6}(?:${flat}|(?:(?:APO|FPO|DPO) [A-Z]{2} \\d{4,5})|\\d{4,5}(?:-\\d{4})?(?!\\d)|\\d{3} \\d{2}(?!\\d)|\\p{Lu}[\\p{L}\\p{M}.’'-]*|nan\\b)){1,12}`,
  "u"
)

/** Chinese addresses: from a province, city or district to the number of the house. */
const chinese =
  /(?:(?:[\p{Script=Han}]{2,7}?(?:省|自治区|特别行政区))?(?:[\p{Script=Han}]{1,9}?(?:市|自治州|盟|地区))(?:[\p{Script=Han}]{1,8}?(?:区|县|旗|市))?(?:[\p{Script=Han}]{1,8}?(?:街道|镇|乡))?[\p{Script=Han}\dA-Za-z-]{1,14}?\d{1,5}(?:号|弄|幢|栋|室|单元|楼|层|座|巷)(?:[\dA-Za-z-]{1,5}(?:号|弄|幢|栋|室|单元|楼|层|座)){0,4}|[\p{Script=Han}]{2,8}?(?:路|街|大道|巷|弄|胡同|道)\d{1,5}(?:号|弄)(?:[\dA-Za-z-]{1,5}(?:号|弄|幢|栋|室|单元|楼|层|座)){0,4})/gu
const chineseLead = /^(?:.*?(?:住在|住址|地址|位于|家住|居住于|寄到|送到|现居|来自|在|是|为|到))/u

export const addresses = (text: string, out: Array<Found>, minimum: number): void => {
  if (minimum > 0.6) return
  if (/[号弄室]/.test(text)) {
    for (const match of text.matchAll(chinese)) {
      const lead = chineseLead.exec(match[0])?.[0].length ?? 0
      out.push({ start: match.index + lead, end: match.index + match[0].length, type: "STREET_ADDRESS", confidence: 0.85 })
    }
  }
  for (const pattern of [military, box]) {
    for (const match of text.matchAll(pattern)) out.push({ start: match.index, end: match.index + match[0].length, type: "STREET_ADDRESS", confidence: 0.85 })
  }
  for (const match of text.matchAll(core)) {
    const start = match.index
    let end = start + match[0].length
    const rest = tail.exec(text.slice(end, end + 160))
    if (rest !== null && /\d/.test(rest[0])) end += rest[0].replace(/[\s,]+$/, "").length
    const sure = /\d/.test(match[0])
    out.push({ start, end, type: "STREET_ADDRESS", confidence: sure ? 0.7 : 0.4 })
  }
}

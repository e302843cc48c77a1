/** Street addresses of many countries: numbers and streets, flats, boxes, postal codes, and the block of lines they stand in. */
import type { Found } from "./secrets.ts"
import { matches, type Window } from "./windows.ts"

/** Of bounded length, as every word here: a text without spaces must not be read again from each of its numbers. */
const name = "[\\p{Lu}\\d][\\p{L}\\p{M}\\d.’'-]{0,40}"
const streetWords =
  "Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Highway|Hwy|Parkway|Pkwy|Crescent|Close|Alley|Flats|Trail|Circle|Estates?|Isle|Islands?|Station|Junctions?|Plaza|Loop|Crossing|Ridge|Mills?|Route|Expressway|Heights|Track|Turnpike|Viaduct|Walk|Wells|Ways|Underpass|Throughway|Summit|Springs?|Squares|Shores?|Row|Port|Pass(?:age)?|Mews|Manors?|Lodge|Locks?|Knolls?|Keys?|Inlet|Hollow|Hills?|Harbors?|Groves?|Greens?|Glens?|Gateway|Gardens?|Freeway|Fort|Forks?|Forges?|Forest|Fords?|Fields?|Ferry|Falls|Extensions?|Drives|Dam|Dale|Curve|Crest|Creek|Courts|Corners?|Common|Club|Cliffs?|Centers?|Causeway|Canyon|Camp|Bypass|Burgs?|Brooks?|Bridge|Branch|Bottom|Bluffs?|Bend|Beach|Bayou"
const leading =
  "(?:Rue|Chemin|Impasse|Allée|Place|Quai|Cours|Via|Viale|Corso|Piazza|Vicolo|Largo|Strada|Calle|C/|Avda\\.?|Avenida|Av\\.|Plaza|Paseo|Carretera|Camino|Canónigo|Rua|(?<!\\p{L} )R\\.|Travessa|Estrada|Praça|ul\\.|ulica|al\\.|aleja|os\\.|Rte|Route|Boulevard|Bd|улица|ул\\.|проспект|пр\\.)"
const endings =
  "(?:straße|strasse|str\\.|weg|gasse|platz|allee|damm|ring|ufer|straat|laan|plein|gracht|dreef|kade|singel|steeg|gatan|vägen|gränd|stigen|vej|gade|stræde|vænget|bakken|toften|veien|vegen|gata|katu|tie|kuja|polku|utca|útja|u\\.|tér|ova|ská|ovo|stræti)"
/** Words for streets that stand alone, in small letters. */
const lowerWords =
  "(?:u\\.|utca|útja?|tér|körút|tee|tänav|tn\\.?|mnt\\.?|puiestee|ulica|ul\\.|cesta|trg|nám\\.|náměstí|třída|weg|väg|vägen|gatan|vej|gade|plads|vei|veien|gata|iela|gatvė|gatve|bulevar|sokak|caddesi)"
const flat =
  "(?:(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm|Box|Building|Bldg)\\.?\\s?#?\\d+[A-Z]?|#\\s?\\d+)"
const military =
  /\b(?:PSC|CMR|Unit|USCGC|USNS|USNV|USS)\s+[\p{L}\p{N} ]{1,30}?,?\s*(?:Box\s+\d+)?\s*,?\s*[\r\n ]+(?:APO|FPO|DPO)\s+(?:AA|AE|AP)\s+$/iu
const boxBefore = /\b(?:P\.?\s?O\.?\s?Box|Postfach|Boîte postale)\s+$/iu

const core = new RegExp(
  [
    // 6750 Koskikatu 25, 5112 39 Rue Ibn El-Jazzar, 742 Evergreen Terrace
    `(?<![\\w.,:/$€£-])\\d{1,5}[A-Za-z]?,? (?:\\d{1,5}[a-z]? )?(?:${name} ){0,4}(?:${streetWords})\\b\\.?(?: ?\\d{1,5}(?![\\d-])[a-z]?)?`,
    `(?<![\\w.,:/$€£-])(?:\\d{1,5}[A-Za-z]?,? ){0,2}${leading} (?:(?:de|del|della|di|du|da|do|des|la|le|les|el|van|der) )*(?:${name})(?: (?:(?:de|del|della|di|du|da|do|des|la|le|les|el) )*${name}){0,4}(?:,? ?\\d{1,5}(?![\\d-])[a-z]?)?`,
    `(?<![\\w.,:/$€£-])(?:\\d{1,5} )?(?:${name} ){0,2}[\\p{L}\\p{M}’'-]{3,40}${endings},? \\d{1,5}[a-zA-Z]?(?![\\w-])\\.?`,
    `(?<![\\w.,:/$€£-])\\d{3,5} (?:${name} ){1,4}\\d{1,4}[a-zA-Z]?(?![\\w-])`,
    // 17693 Király u. 15., 6614 Luite tee 87
    `(?<![\\w.,:/$€£-])(?:\\d{1,5} )?(?:${name} ){1,3}${lowerWords} \\d{1,5}[a-zA-Z]?(?![\\w-])\\.?`
  ].join("|"),
  "yu"
)
const leadingWord = new RegExp(`(?<![\\w.,:/$€£-])${leading} (?=[\\p{L}\\d])`, "gu")
const endingWords = new Set(
  "straße strasse str. weg gasse platz allee damm ring ufer straat laan plein gracht dreef kade singel steeg gatan vägen gränd stigen vej gade stræde vænget bakken toften veien vegen gata katu tie kuja polku utca útja u. tér ova ská ovo stræti".split(
    " "
  )
)
const signBeforeNumber = new Set([...".,:/$€£-"].map((sign) => sign.charCodeAt(0)))

/** Whether a word ends as streets do in German, Dutch, Swedish, Danish, Norwegian, Finnish, Hungarian, Czech and Icelandic. */
const hasStreetEnding = (text: string, end: number): boolean => {
  for (let size = 2; size <= 7; size++) if (endingWords.has(text.slice(end - size, end))) return true
  return false
}
/** Whether an address may begin behind this character. */
const opens = (code: number): boolean =>
  !(
    (code >= 48 && code <= 57) ||
    (code >= 65 && code <= 90) ||
    (code >= 97 && code <= 122) ||
    code === 95 ||
    signBeforeNumber.has(code)
  )
const tail = new RegExp(
  `^(?:[ ,]*[\\r\\n ,>]{1,6}(?:${flat}|(?:(?:APO|FPO|DPO) [A-Z]{2} \\d{4,5})|\\d{4,5}(?:-\\d{4})?(?!\\d)|\\d{3} \\d{2}(?!\\d)|\\p{Lu}[\\p{L}\\p{M}.’'-]*|nan\\b)){1,12}`,
  "u"
)

/** Chinese addresses: from a province, city or district to the number of the house. */
const chinese =
  /(?:(?:[\p{Script=Han}]{2,7}?(?:省|自治区|特别行政区))?(?:[\p{Script=Han}]{1,9}?(?:市|自治州|盟|地区|县))(?:[\p{Script=Han}]{1,8}?(?:区|县|旗|市))?(?:[\p{Script=Han}]{1,8}?(?:街道|镇|乡))?[\p{Script=Han}\dA-Za-z-]{1,14}?\d{1,5}(?:号|弄|幢|栋|室|单元|楼|层|座|巷)(?:[\dA-Za-z-]{1,5}(?:号|弄|幢|栋|室|单元|楼|层|座)){0,4}|[\p{Script=Han}]{2,8}?(?:路|街|大道|巷|弄|胡同|道)\d{1,5}(?:号|弄)(?:[\dA-Za-z-]{1,5}(?:号|弄|幢|栋|室|单元|楼|层|座)){0,4})/gu
const chineseLead = /^(?:.*?(?:住在|住址|地址|位于|家住|居住于|寄到|送到|现居|来自|在|是|为|到))/u

/** Where an address may begin: at numbers, at words such as `Rue`, and before words that end in `straße` and have a number. */
const beginnings = (
  text: string,
  runs: ReadonlyArray<number>,
  windows: ReadonlyArray<Window>
): ReadonlyArray<number> => {
  const out: Array<number> = []
  for (let i = 0; i < runs.length; i += 2) {
    const start = runs[i] as number
    if (
      text.charCodeAt(start - 1) === 32 &&
      hasStreetEnding(text, text.charCodeAt(start - 2) === 44 ? start - 2 : start - 1)
    ) {
      // The word with the ending, and up to two words or numbers before it.
      let at = start - 1
      for (let words = 0; words < 4 && at > 0; words++) {
        const stop = at
        while (at > 0 && stop - at < 40 && text.charCodeAt(at - 1) > 32) at--
        if (opens(text.charCodeAt(at - 1))) out.push(at)
        at--
      }
    }
    if ((runs[i + 1] as number) - start <= 5 && opens(text.charCodeAt(start - 1))) out.push(start)
  }
  for (const window of windows)
    for (const match of matches(leadingWord, window.text)) out.push(window.start + match.index)
  return out.sort((a, b) => a - b)
}

/** `runs` are where the digits of the text begin and end, `windows` the text around them. */
export const addresses = (
  text: string,
  runs: ReadonlyArray<number>,
  windows: ReadonlyArray<Window>,
  out: Array<Found>,
  minimum: number
): void => {
  if (minimum > 0.6) return
  if (/[号弄室]/.test(text)) {
    for (const match of matches(chinese, text)) {
      const lead = chineseLead.exec(match[0])?.[0].length ?? 0
      out.push({
        start: match.index + lead,
        end: match.index + match[0].length,
        type: "STREET_ADDRESS",
        confidence: 0.85
      })
    }
  }
  for (let i = 0; i < runs.length; i += 2) {
    const start = runs[i] as number
    if (text.charCodeAt(start - 1) > 32) continue
    const before = text.charCodeAt(start - 2) | 32
    if (before === 120 || before === 104 || before === 101) {
      const lead = boxBefore.exec(text.slice(Math.max(0, start - 18), start))
      if (lead !== null)
        out.push({
          start: start - lead[0].length,
          end: runs[i + 1] as number,
          type: "STREET_ADDRESS",
          confidence: 0.85
        })
    }
    if (before === 97 || before === 101 || before === 112) {
      const lead = military.exec(text.slice(Math.max(0, start - 72), start))
      if (lead !== null)
        out.push({
          start: start - lead[0].length,
          end: Math.min(runs[i + 1] as number, start + 5),
          type: "STREET_ADDRESS",
          confidence: 0.85
        })
    }
  }
  let led = 0
  for (let i = 0; i < runs.length; i += 2) {
    const end = runs[i] as number
    const start = end < led || text.charCodeAt(end - 1) !== 32 ? -1 : cued(text, end)
    if (start < 0) continue
    toNumber.lastIndex = start
    const place = toNumber.exec(text)
    if (place === null) continue
    const rest = tail.exec(text.slice(start + place[0].length, start + place[0].length + 160))
    const more = rest !== null && /\d|,/.test(rest[0]) ? rest[0].replace(/[\s,]+$/, "").length : 0
    led = start + place[0].length + more
    out.push({ start, end: led, type: "STREET_ADDRESS", confidence: 0.7 })
  }
  if (text.includes("corner of")) {
    for (const match of matches(corner, text)) {
      out.push({ start: match.index, end: match.index + match[0].length, type: "STREET_ADDRESS", confidence: 0.8 })
    }
  }
  let done = 0
  for (const from of beginnings(text, runs, windows)) {
    let start = from
    if (start < done) continue
    core.lastIndex = start
    const match = core.exec(text)
    if (match === null || !/\p{L}/u.test(match[0])) continue
    let end = start + match[0].length
    const ahead = flatAhead.exec(text.slice(Math.max(0, start - 24), start))
    const inBlock = ahead !== null || /(?:^|[\r\n])[\s>?*|-]*$/.test(text.slice(Math.max(0, start - 12), start))
    if (inBlock) {
      if (ahead !== null)
        out.push({
          start: start - ahead[0].length,
          end: start - 1 - (ahead[0].length - ahead[0].trimEnd().length - 1),
          type: "STREET_ADDRESS",
          confidence: 0.75
        })
      const number = /^\d{1,6}[A-Za-z]?,? (?=\S*\p{L}|\d+\S* \p{L})/u.exec(match[0])
      if (number !== null) {
        out.push({ start, end: start + number[0].trimEnd().length, type: "STREET_ADDRESS", confidence: 0.75 })
        start += number[0].length
      }
      out.push({ start, end, type: "STREET_ADDRESS", confidence: 0.9 })
      done = block(text, end, out)
      continue
    }
    const rest = tail.exec(text.slice(end, end + 160))
    if (rest !== null && (/\d/.test(rest[0]) || /,/.test(rest[0]))) end += rest[0].replace(/[\s,]+$/, "").length
    out.push({ start, end, type: "STREET_ADDRESS", confidence: /\d/.test(match[0]) ? 0.9 : 0.4 })
    done = end
  }
}

const flatAhead = new RegExp(`${flat} $`, "iu")
/** What is said before an address, whatever that looks like. */
const addressCue =
  /\b(?:address(?: of [^.\n]{1,60}?)? is|address(?: with|:)|located at|liv(?:e[sd]?|ing) at|return to|sent to\?(?: user:)?|(?:send|ship|deliver)(?:ed)? (?:it |this |them )?to|side of|station is on|office is on)\s+$/iu
const cueEnds = new Set("is with address: at to to? user: of on".split(" "))
/** Where the words before a number begin, if they are what follows such a cue; or -1. */
const cued = (text: string, end: number): number => {
  let at = end - 1
  for (let words = 0; words < 9 && at > 0; words++) {
    const stop = at
    while (at > 0 && stop - at < 40 && text.charCodeAt(at - 1) > 32) at--
    if (words > 0 && cueEnds.has(text.slice(at, stop).toLowerCase())) {
      let start = stop
      while (text.charCodeAt(start) <= 32) start++
      if (addressCue.test(text.slice(Math.max(0, start - 84), start))) return start
    }
    while (at > 0 && text.charCodeAt(at - 1) <= 32) at--
  }
  return -1
}
/** Up to six names and a number, with what may stand between. */
const toNumber =
  /(?:\d{1,6} )?(?:(?:[\p{Lu}][\p{L}\p{M}.'’-]*|and|&|de|del|della|di|du|da|des|van|der|den|von|of|ul\.) ){1,7}\d{1,5}[a-zA-Z]?(?![\w-])/uy
const corner = new RegExp(
  `(?:the )?corner of (?:${leading} )?(?:${name} ){0,4}?${name}(?: \\d{1,5})? (?:and|&) (?:${leading} )?(?:${name} ){0,3}${name}(?: \\d{1,5})?`,
  "gu"
)
const line =
  /[ ,]*(?:\r?\n[\s>?*|-]*|[ ,]+(?=(?:Apt|Suite|Unit)\.? \d))(?:((?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Room|Box|P\.?O\.? Box)\.? ?#?\d+[A-Z]?)|([\p{Lu}][\p{L}\p{M}.’'()-]{0,40}(?:[ -](?:[\p{Lu}][\p{L}\p{M}.’'()-]{0,40}|de|del|la|nad|na|am|an|der|u|ob|y|v|i|ten|le|les|sur|of|the|\d)){0,4}|nan)(?:,)?(?: ([A-Z]{2}|nan))?(?: (\d{3} \d{2}|\d{4,6}(?:-\d{4})?))?|(\d{4,6}|\d{3} \d{2}|[A-Z]{1,2}-?\d{3,6}))(?=[ \t]*(?:[\r\n,]|$))/uy

/** The lines of an address below its street: each is a field of its own. Returns where they end. */
const block = (text: string, from: number, out: Array<Found>): number => {
  let end = from
  for (let lines = 0; lines < 5; lines++) {
    line.lastIndex = end
    const match = line.exec(text)
    if (match === null) break
    const [all, room, place, region, code, alone] = match
    const begin = end + all.length
    const push = (piece: string | undefined, type: string) => {
      if (piece === undefined) return
      const start = text.lastIndexOf(piece, begin - piece.length)
      if (start >= end) out.push({ start, end: start + piece.length, type, confidence: 0.85 })
    }
    if (room === undefined && code === undefined && alone === undefined && lines > 3) break
    push(room, "STREET_ADDRESS")
    push(
      place === undefined
        ? undefined
        : text.slice(
            text.lastIndexOf(place, begin - place.length),
            text.lastIndexOf(place, begin - place.length) + place.length
          ),
      "LOCATION"
    )
    push(region, "LOCATION")
    push(code ?? alone, "STREET_ADDRESS")
    end = begin
    if (code !== undefined || alone !== undefined) break
  }
  return end
}

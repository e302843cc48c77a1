/** Names of people, places and organisations by gazetteer, shape and context; forms of address, ages, nationalities and days. */
import * as Cue from "./cues.ts"
import { cuesBefore, forgetCues } from "./cues.ts"
import * as Gazetteer from "./gazetteer.ts"
import {
  knownCities,
  knownCountries,
  knownSpots,
  oftenMisspelt,
  ordinaryCities,
  placeHeads,
  placeNouns
} from "./knownPlaces.ts"
import type { Found } from "./secrets.ts"

const First = 1
const Last = 2
const City = 4
const Country = 8
const Common = 16
const Stop = 32
const Demonym = 64
const Day = 128
const Title = 256
const PlaceStart = 512
const Organisation = 1024
const Particle = 2048
const Street = 4096
const Speech = 8192
const Region = 16384
const Kin = 32768
/** A place that everybody knows. */
const Known = 65536
/** A word of the name of a place that everybody knows. */
const PlacePart = 131072
const PlaceNoun = 262144
const PlaceHead = 524288
/** A word in small letters that is in no list, behind a word such as `in`. */
const Unheard = 1048576

const list = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

/** Words that are no name wherever they stand, though some are in the gazetteers. */
const stopWords = list(`
a able about above across actually after afternoon again against age ago ah ahead all almost alone along already also although always am amazing
amen among an and animal another answer any anybody anyone anything anyway apple april are aren around as ask asked at august aunt autumn away awesome
back bad bank be beautiful because become been before began behind being believe best better between big bill birthday black blood blue body book both boy bring
brother brown but buy by call called came can cannot card care case cause change check child children christmas city class clear close cold come
comment common company complete congrats cool could country couple course cream create crazy cute cut dad dancing date dates day days dead deal dear death december decided definitely did didn
different do does doesn dog doing don done door down dr dream drive during each early earth east easter easy eat else email end english enjoy enough episode even evening ever every everybody
everyone everything example except excuse eye eyes face fact fall family fan far fast father favorite february feel feeling few film final finally find fine fire first five fix follow food for forget form
four free friday friend friends from front full fun funny game gave get gets getting girl give given glad go god going gone gonna good got gotta great green grow guess guy guys had hair half hand happen happy hard
has hasn hate have haven having he head hear heart hell hello help her here hers hey hi high him himself his hit hold holy home honestly hope hot hour house how however huge human hundred i idea if important in
indeed information inside instead internet into is isn issue it its itself january job july june just justice keep kid kids kill kind king know lady lake land last late later laugh law learn least leave left legend less let lets level
life light like line list listen little live lmao lol long look looking lord lose lost lot lots love lovely low lucky luck mad made mail main make makes man many march marry mate matter may maybe me mean men merry message met mind mine
minute miss mister mom moment monday money monster month more morning most mother move movie mr mrs ms much mum music must my myself name names nan never new news next nice night nine no nobody none nor north not nothing november now number october of off
office often oh ok okay old omg on once one online only open or order other our out over own page parent parents part party pass password past pay people per perfect perhaps person phone photo pick picture piece place play please point poor post power ppl present president
pretty price prince probably problem public put queen question quick quite radio read ready real really reason red remember reply request respect rest return right rip road rock room run sad safe said same saturday save saw say saying says scene school sea season
second secret see seem seems seen self sell send sent september serious seriously set seven she shit shop short should show shows side sign simple since sing sir sister six sky sleep slow small smart smile snow so social some somebody someone something
sometimes son song soon sorry sound south space speak special spring star start started state stay step still stop store story strange street strong stuff stupid style sub subscribe such summer sun sunday super support sure sweet system take taken taking
talk talking tax team tell ten test text than thank thanks that the their them themselves then there these they thing things think third this those though thought three through thumbs thursday time times tired to today together tomorrow tonight too took top total totally touch tour
town true try trying tuesday turn turtle tv two type uncle under understand unit until up update upon us use used user using usually very video videos view vlog voice vote wait walk wall wanna want wanted war was wasn watch watching water way we wear weather website
wednesday week weekend welcome well went were west what whatever when where which while white who whole whose why wife wild will win winter wish with within without woman women won wonder word words work world worry worst worth would wouldn wow write wrong wtf yay yeah year years yes
yesterday yet you young your yours yourself youtube yo ya u ur im ive id dont cant doesnt didnt thats whats gonna gotta account address bot customer dear subject regards best sincerely note todo fixme null true false undefined string object array function return const import export default class interface type public private static
void async await error warning info debug value values key keys key data result results option options input output layer effect stream schema context service module test tests example examples usage details gotchas since deprecated category see param returns throws default internal api http https url json xml html css sql
credit debit expert agent singer dance band album track rock pop jazz metal heavy hip hop chorus verse lyrics guitar bass drums solo riff concert comedy drama action adventure animation mystery suspense kids directed rating runtime genre studio theatre theaters
religion church bible devil jesus christ lord holy allah buddha muslim christian jewish catholic internet facebook google twitter instagram amazon netflix microsoft android iphone windows linux paypal visa mastercard american express
customers statement transfer limit charge fee payment balance loan mortgage insurance deposit withdraw cash check money funds bill invoice receipt refund discount sale offer gift bonus reward points member membership subscription
beauty bless camp cancer cardinal chance charity classic classy comfort cookie crown daily dash dime ease ever fancy felt fern flow fox future gender gem genesis gold golden granny halo harmony haven hero honest honey ideal iron jelly jewel journey kiss lane legacy liberty lily love loyal
maker march mercy merit million moon native nature noble ocean omega oral page paper peace peach pixel power praise press proud queen rain reach real river royal ruby sage sand serenity silver sky snow star steel stone story strong sugar sweet tiger tiny trinity truth iban bic swift usd eur gbp atm vat ceo cfo cto act rights title section article chapter civil force mission border research reports department version poverty fear harmony misery denial exile luxury squalor captivity reality bed beds tears sin sync hell heaven hiding darkness solitude hope pain debt style town suburbs dorm dorms apartment apartments condo mansion basement trailer tent shelter shelters foster wedlock chicken
theory practice principle retrospect hindsight spirit mind advance detail details general particular private vain turn turns haste anger despair shock horror awe order orders shape bulk cash court custody quarantine lockdown rehab therapy uniform costume pajamas sons ii iii iv vi vii viii ix xi xii try unique unity victory vision wave wit wonder zero
`)
const titles = list(
  "mr mrs ms miss mx dr prof professor sir madam lord lady herr frau señor señora senor senora sr sra don doña monsieur madame mme mlle signor signora sig dott dottoressa pan pani pán paní meneer mevrouw herra rouva г-н г-жа господин госпожа bay bayan rev reverend captain capt sgt sergeant lt lieutenant col colonel gen officer detective senator president king queen prince princess pope uncle aunt auntie grandma grandpa coach"
)
const strictTitles = new Set(
  list(
    "mr mrs ms miss mx dr prof professor sir madam herr frau señor señora sr sra monsieur madame mme mlle signor signora dott"
  )
)
const demonyms = list(`
afghan african albanian algerian american angolan arab argentine argentinian armenian asian australian austrian azerbaijani bangladeshi belarusian belgian bolivian bosnian brazilian british bulgarian cambodian cameroonian canadian chechen chilean chinese
colombian croatian cuban cypriot czech danish dutch ecuadorian egyptian english estonian ethiopian european filipino finnish french georgian german ghanaian greek greenlander greenlandic guatemalan haitian hungarian icelandic indian indonesian iranian iraqi irish
israeli italian jamaican japanese jordanian kazakh kenyan korean kurdish kuwaiti latvian lebanese libyan lithuanian macedonian malaysian maltese mexican moldovan mongolian moroccan nepalese nepali nigerian norwegian pakistani palestinian panamanian peruvian polish portuguese
romanian russian saudi scottish serbian singaporean slovak slovenian somali spanish sudanese swedish swiss syrian taiwanese thai tunisian turkish ugandan ukrainian uruguayan venezuelan vietnamese welsh yemeni zambian zimbabwean
`)
const days = list("monday tuesday wednesday thursday friday saturday sunday")
const organisations = list(
  "inc llc ltd limited corp corporation company co gmbh ag kg ohg plc llp lp sa sas sarl srl spa bv nv oy oyj ab aps asa holding holdings group bank university college institute hospital clinic foundation association associates partners technologies technology solutions systems services consulting industries international airlines airways motors pharmaceuticals insurance ministry council committee federation union club academy agency records studios entertainment networks labs software media press times post"
)
const particles = list(
  "de da do dos das del della di du van von der den ter ten bin binti ibn al el la le y e zu af av"
)
const streets = list(
  "street st avenue ave road rd lane ln drive dr boulevard blvd court ct place square terrace way highway hwy parkway crescent close alley quay flats trail circle strasse straße str weg gasse platz allee rue chemin impasse via viale corso piazza vicolo largo strada calle avenida plaza paseo carretera camino c rua travessa estrada praça ulica ul aleja os náměstí nám ulice utca út útja tér straat laan plein gracht dreef kade singel gatan gata vägen väg gränd vej gade allé veien vei gate katu tie kuja polku"
)
/** States of the US and provinces of Canada and Australia, by their letters: in capitals, where a place is expected. */
/** Countries that people are called like. */
const directions = new Set(
  list(
    "north south east west northern southern eastern western central upper lower greater downtown midtown uptown upstate"
  )
)
const direction =
  /(?<![\p{L}\p{N}])(?:north|south|east|west|northern|southern|eastern|western|central|downtown|midtown|uptown|upstate) $/iu
/** Companies that everybody knows: personal only where somebody works. */
const companies = new Set(
  list(
    "microsoft google apple amazon facebook meta twitter netflix paypal visa mastercard walmart target tesla uber ibm intel oracle samsung sony siemens bosch bmw toyota nestle unilever pfizer boeing airbus deloitte accenture pwc kpmg nasa starbucks nike adidas disney tencent alibaba huawei baidu bytedance"
  )
)
const namesakes = new Set(list("chad jordan dominique dominika maurice mauricio dania guadalupe ascension georgia"))
const stateCodes = new Set(
  list(
    "AL AK AZ AR CA CO CT DE FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE NH NJ NM NV NY OH OK OR PA RI SC SD TN TX UT VA VT WA WI WV WY BC AB ON QC NSW QLD"
  )
)
const regionsShort = new Set(
  list(
    "uk usa u.s u.k uae eu nyc la abq europe africa asia america scandinavia balkans england scotland wales britain korea holland turkey russia czechia"
  )
)
const speech = list(
  "said says told asked asks replied wrote writes began flew went lives lived works worked spent listed wants thinks thought called calls married died born spoke speaks"
)
const kin = list(
  "kid son daughter wife husband brother sister mother father mom dad partner friend boss colleague child uncle aunt cousin boyfriend girlfriend fiancé fiancée neighbor neighbour player actor actress singer artist writer author director rapper president minister guardian"
)

let flags: Map<string, number> | undefined
let places: Set<string>
let knownPlaces: Set<string>
let countryNames: Set<string>
const load = (): Map<string, number> => {
  if (flags !== undefined) return flags
  const map = new Map<string, number>()
  places = new Set()
  countryNames = new Set(Gazetteer.countries.split("|"))
  const put = (words: ReadonlyArray<string>, flag: number) => {
    for (const word of words) map.set(word, (map.get(word) ?? 0) | flag)
  }
  const putPlaces = (text: string, flag: number) => {
    for (const place of text.split("|")) {
      const space = place.indexOf(" ")
      if (space < 0) put([place], flag)
      else {
        places.add(place)
        put([place.slice(0, space)], PlaceStart)
      }
    }
  }
  const single = (text: string) =>
    text
      .split("|")
      .flatMap((name) => (name.includes(" ") ? name.split(" ") : [name]))
      .filter((name) => name.length > 2)
  put(single(Gazetteer.firstNames), First)
  put(single(Gazetteer.lastNames), Last)
  putPlaces(Gazetteer.cities, City)
  putPlaces(Gazetteer.regions, Region)
  putPlaces(Gazetteer.countries, Country)
  put([...regionsShort], Country)
  putPlaces(knownCountries, Country)
  for (const country of knownCountries.split("|")) countryNames.add(country)
  putPlaces(knownCities, City)
  putPlaces(knownSpots, Region)
  knownPlaces = new Set(`${knownCities}|${knownSpots}`.split("|"))
  for (const place of knownPlaces) {
    if (place.includes(" "))
      put(
        place.split(" ").filter((word) => !particles.includes(word) && word.length > 2),
        PlacePart
      )
    else put([place], Known)
  }
  for (const country of oftenMisspelt.split(" ")) {
    for (let i = 1; i + 1 < country.length; i++) {
      const written = `${country.slice(0, i)}${country[i + 1]}${country[i]}${country.slice(i + 2)}`
      if (!map.has(written)) put([written], Country)
    }
  }
  put(list(ordinaryCities), Common)
  put(list(placeNouns), PlaceNoun)
  put(list(placeHeads), PlaceHead)
  put(
    Gazetteer.commonWords.split("|").filter((word) => !word.includes(" ")),
    Common
  )
  put(stopWords, Stop)
  put(demonyms, Demonym)
  put(days, Day)
  put(titles, Title)
  put(organisations, Organisation)
  put(particles, Particle)
  put(streets, Street)
  put(speech, Speech)
  put(kin, Kin)
  flags = map
  return map
}

interface Token {
  /** Of the word in small letters. */
  readonly hash: number
  readonly start: number
  readonly end: number
  readonly flag: number
  /** T title case, U capitals, I an initial, l lower case. */
  readonly shape: "T" | "U" | "I" | "l"
}

/** 1 for letters and marks, 2 for capitals, 3 for what is neither; 0 where nobody asked yet. */
const classes = new Uint8Array(65536)
const classify = (code: number): number => {
  const char = String.fromCharCode(code)
  const letter =
    (code >= 0xd800 && code < 0xe000) || !/[\p{L}\p{M}]/u.test(char) ? 3 : char !== char.toLowerCase() ? 2 : 1
  classes[code] = letter
  return letter
}
const classOf = (code: number): number => classes[code] || classify(code)

const lowerOf = (code: number): number => String.fromCharCode(code).toLowerCase().charCodeAt(0)

const seed = 0x811c9dc5
const mix = (hash: number, code: number): number => Math.imul(hash ^ code, 0x01000193)

/** The flags by the FNV-1a hash of the word, in open addressing: most words of a text are looked up without being cut out of it. */
const slots = 1 << 17
/** A hash and its flags, side by side. */
let table: Int32Array | undefined
const index = (map: ReadonlyMap<string, number>): Int32Array => {
  const out = new Int32Array(slots * 2)
  for (const [word, flag] of map) {
    const hash = hashOf(word)
    let slot = (hash ^ (hash >>> 15)) & (slots - 1)
    while (out[slot * 2 + 1] !== 0 && out[slot * 2] !== hash) slot = (slot + 1) & (slots - 1)
    out[slot * 2] = hash
    out[slot * 2 + 1] = (out[slot * 2 + 1] as number) | flag
  }
  return out
}
const flagOf = (table: Int32Array, hash: number): number => {
  let slot = (hash ^ (hash >>> 15)) & (slots - 1)
  while (table[slot * 2 + 1] !== 0) {
    if (table[slot * 2] === hash) return table[slot * 2 + 1] as number
    slot = (slot + 1) & (slots - 1)
  }
  return 0
}

const composed = /[-'’`]|^GmbH$|^(?:Mc|Mac|De|Di|Da|La|Le|Van|Von|Fitz|O)\p{Lu}\p{Ll}+$/u

/** What a word in small letters must be to matter, and what matters though the word is an ordinary one. */
const telling = First | Last | City | Country | Region | Demonym | Day | Title | PlaceStart | PlacePart | Particle
const kept = Title | Day | PlaceStart | Particle | PlacePart

const hashOf = (word: string): number => {
  let hash = seed
  for (let i = 0; i < word.length; i++) hash = mix(hash, word.charCodeAt(i))
  return hash
}
const article = hashOf("the")
/** By the last bits of their hashes; another short word with the same bits does no harm. */
const beforePlaces = new Uint8Array(4096)
for (const word of ["in", "to", "from", "of", "is", "me"]) beforePlaces[hashOf(word) & 4095] = 1

/** The words that may matter: those with a capital, and those that a list knows. */
const tokens = (text: string): { readonly list: ReadonlyArray<Token>; readonly upper: boolean } => {
  table ??= index(load())
  const list: Array<Token> = []
  let words = 0
  let upperWords = 0
  const length = text.length
  // Where the word behind `in` and its like begins.
  let behind = -1
  for (let i = 0; i < length; ) {
    const first = classOf(text.charCodeAt(i))
    if (first === 3) {
      i++
      continue
    }
    const start = i
    let capitals = 0
    let letters = 0
    let hash = seed
    while (i < length) {
      const code = text.charCodeAt(i)
      const kind = classOf(code)
      if (kind === 3) {
        // An apostrophe or a hyphen between letters belongs to the word; the short endings after an apostrophe do not.
        if (code === 32) break
        const joined = classOf(text.charCodeAt(i + 1)) !== 3 && i + 1 < length
        if (code === 45 && joined) {
          hash = mix(hash, code)
          i++
          continue
        }
        if (
          (code === 39 || code === 0x2019 || code === 96) &&
          joined &&
          classOf(text.charCodeAt(i + 2)) !== 3 &&
          i + 2 < length
        ) {
          hash = mix(hash, code)
          i++
          continue
        }
        break
      }
      letters++
      if (kind === 2) {
        capitals++
        hash = mix(hash, code < 128 ? code | 32 : lowerOf(code))
      } else hash = mix(hash, code)
      i++
    }
    words++
    const flag = flagOf(table, hash)
    let shape: Token["shape"] = "l"
    if (first === 2) {
      shape = i - start === 1 ? "I" : capitals === letters ? "U" : "T"
      // A capital inside a word is an identifier of code, except in a few kinds of names and after a hyphen or an apostrophe.
      if (shape === "T" && capitals > 1 && !composed.test(text.slice(start, i))) continue
      if (shape === "U") upperWords++
    }
    if (shape !== "l" || ((flag & telling) !== 0 && ((flag & (Stop | Common)) === 0 || (flag & kept) !== 0)))
      list.push({ hash, start, end: i, flag, shape })
    else if (flag === 0 && start === behind && i - start > 3) list.push({ hash, start, end: i, flag: Unheard, shape })
    if (i - start < 5 && (beforePlaces[hash & 4095] === 1 || (start === behind && hash === article))) behind = i + 1
  }
  return { list, upper: upperWords > words / 2 }
}

const sizeOf = (token: Token): number => token.end - token.start

/** Whether nothing but white space and opening signs stands between the word and the end of the sentence before. */
const sentenceStart = (text: string, start: number): boolean => {
  for (let i = start - 1; i >= 0; i--) {
    const code = text.charCodeAt(i)
    if (code === 10 || code === 46 || code === 33 || code === 63 || code === 58 || code === 59) return true
    const skipped =
      code <= 32 ||
      code === 34 ||
      code === 39 ||
      code === 40 ||
      code === 91 ||
      code === 42 ||
      code === 95 ||
      code === 62 ||
      code === 35 ||
      code === 45 ||
      code === 0xa0 ||
      (code >= 0x2018 && code <= 0x201d)
    if (!skipped) return false
  }
  return true
}

/** Whether the word is a piece of a path, a handle, an address or a call. */
const isGlued = (text: string, start: number, end: number): boolean => {
  const before = start > 0 ? text.charCodeAt(start - 1) : 32
  if (
    before === 47 ||
    before === 64 ||
    before === 35 ||
    before === 46 ||
    before === 36 ||
    before === 38 ||
    isWordCode(before)
  )
    return true
  const after = end < text.length ? text.charCodeAt(end) : 32
  return (
    after === 47 ||
    after === 64 ||
    after === 40 ||
    after === 61 ||
    isWordCode(after) ||
    (after === 46 && isWordCode(text.charCodeAt(end + 1)))
  )
}
const isWordCode = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95

const codeLine =
  /^[ \t]*(?:\*(?: |$)|\/\/|\/\*|#(?:include|define|!)|import |export |const |let |var |def |func |fn |class |return |public |private |package |use |using )/gm

/** How much of the text is code: signs that prose hardly has, per character. */
const codeShare = (text: string, signs: number): number => {
  const lines = text.includes("\n") ? (text.match(codeLine)?.length ?? 0) : 0
  return (signs + (lines > 2 ? lines * 12 : 0)) / Math.max(160, text.length)
}

/** Adds what the words of a text say. In code only what is sure counts. */
export const words = (text: string, codeSigns: number, out: Array<Found>, minimum: number): void => {
  const { list: all, upper: upperText } = tokens(text)
  const list = uncovered(all, out, minimum)
  const code = codeShare(text, codeSigns) > 0.022
  const push = (start: number, end: number, type: string, confidence: number) => {
    const kept = code ? confidence - 0.4 : confidence
    if (kept >= minimum) out.push({ start, end, type, confidence: kept })
  }
  const between = (i: number): string => text.slice((list[i] as Token).end, (list[i + 1] as Token).start)

  for (let i = 0; i < list.length; i++) {
    const token = list[i] as Token
    const capital = token.shape === "T" || token.shape === "U"
    if (token.flag === 0 && token.shape === "l") continue

    if (token.flag & Day && sizeOf(token) > 5) {
      push(token.start, token.end, "DATE_TIME", 0.7)
      continue
    }
    if (token.flag & Demonym && capital) {
      push(token.start, token.end, "NRP", 0.6)
      continue
    }
    if (token.shape === "I" && text[token.start] === "U" && i + 1 < list.length) {
      const next = list[i + 1] as Token
      if (next.shape === "I" && /[SK]/.test(text[next.start] as string) && /^ ?\. ?$/.test(between(i))) {
        push(token.start, text[next.end] === "." ? next.end + 1 : next.end, "COUNTRY", 0.8)
        i++
        continue
      }
    }
    // Forms of address, and the names behind them.
    if (
      token.flag & Title &&
      strictTitles.has(text.slice(token.start, token.end).toLowerCase()) &&
      i + 1 < list.length &&
      /^\.? $/.test(between(i)) &&
      (capital || text[token.end] === ".")
    ) {
      const next = list[i + 1] as Token
      const dotted = text[token.end] === "."
      if (next.shape !== "l" || dotted) {
        push(token.start, token.end + (dotted ? 1 : 0), "TITLE", 0.75)
        let j = i + 1
        while (
          j + 1 < list.length &&
          j - i < 4 &&
          /^\.? $/.test(between(j)) &&
          continuesName(list[j + 1] as Token, (list[i + 1] as Token).shape)
        )
          j++
        if (!(next.flag & Stop && !(next.flag & (First | Last))))
          push(next.start, (list[j] as Token).end, "PERSON", 0.92)
        i = j
        continue
      }
    }
    // Places of several words.
    if (token.flag & PlaceStart && (capital || token.flag & PlacePart || !(token.flag & (Stop | Particle)))) {
      let stop = -1
      for (let j = i + 1; j < Math.min(list.length, i + 6) && /^[ -]$/.test(between(j - 1)); j++) {
        if (places.has(text.slice(token.start, (list[j] as Token).end).toLowerCase())) stop = j
      }
      if (capital)
        for (let j = stop + 1; stop > 0 && j < list.length && between(j - 1) === " "; j++) {
          if ((list[j] as Token).shape !== "T" || !((list[j] as Token).flag & (PlaceNoun | Street))) break
          stop = j
        }
      const place = stop < 0 ? "" : text.slice(token.start, (list[stop] as Token).end)
      if (
        stop > 0 &&
        (capital ||
          knownPlaces.has(place.toLowerCase()) ||
          (!(token.flag & (Stop | Particle)) && sizeOf(list[stop] as Token) > 4))
      ) {
        push(
          token.start,
          (list[stop] as Token).end,
          countryNames.has(place.toLowerCase()) ? "COUNTRY" : "LOCATION",
          capital ? 0.75 : 0.55
        )
        i = stop
        continue
      }
    }

    if (capital && (!upperText || token.flag & (First | Last | City | Country))) {
      i = capitals(text, list, i, push, upperText, out)
      continue
    }
    if (token.shape === "l") i = lowers(text, list, i, push)
  }
  if (!code) repeated(text, list, out, push)
  forgetCues()
}

/** The words that are no part of an identifier or an address that was found before. */
const uncovered = (list: ReadonlyArray<Token>, out: ReadonlyArray<Found>, minimum: number): ReadonlyArray<Token> => {
  const spans = out.filter((span) => span.confidence >= minimum).sort((a, b) => a.start - b.start)
  if (spans.length === 0) return list
  const kept: Array<Token> = []
  let reach = 0
  let next = 0
  for (const token of list) {
    while (next < spans.length && (spans[next] as Found).start <= token.start) {
      reach = Math.max(reach, (spans[next] as Found).end)
      next++
    }
    if (reach <= token.start) kept.push(token)
  }
  return kept
}

/** Pieces of names of several words that stand elsewhere in the text alone are names too. */
const repeated = (text: string, list: ReadonlyArray<Token>, out: ReadonlyArray<Found>, push: Push): void => {
  const pieces = new Set<string>()
  const people: Array<Found> = []
  for (const span of out) {
    if (span.type !== "PERSON") continue
    people.push(span)
    if (span.confidence < 0.7) continue
    const words = text.slice(span.start, span.end).split(" ")
    if (words.length > 1) for (const word of words) if (word.length > 2) pieces.add(word)
  }
  if (pieces.size === 0) return
  const hashes = new Set([...pieces].map((piece) => hashOf(piece.toLowerCase())))
  for (const token of uncovered(list, people, 0)) {
    if (token.shape !== "T" || !hashes.has(token.hash) || !pieces.has(text.slice(token.start, token.end))) continue
    if (token.flag & Stop && sentenceStart(text, token.start)) continue
    push(token.start, token.end, "PERSON", 0.6)
  }
}

const continuesName = (token: Token, shape: Token["shape"]): boolean =>
  shape === "l"
    ? token.shape === "l" && (token.flag & (First | Last)) > 0 && !(token.flag & Stop)
    : token.shape === "T" || token.shape === "I" || token.shape === "U" || (token.flag & Particle) > 0

const firmBehind =
  / (?:is|was) (?:an?|the) (?:[\p{L}-]+ ){0,3}?(?:multinational|company|firm|corporation|conglomerate|start-?up|bank|manufacturer|retailer|nonprofit|charity|brand|employer|vendor|subsidiary|agency)\b/uy
/** Whether what follows says that it is a firm. */
const isFirm = (text: string, end: number): boolean => {
  if (!/^ (?:is|was) /.test(text.slice(end, end + 5))) return false
  firmBehind.lastIndex = end
  return firmBehind.test(text)
}
/** Whether ` of ` and somebody stand before. */
const ofSomebody = (text: string, start: number, out: ReadonlyArray<Found>): boolean => {
  if (text.slice(start - 4, start) !== " of ") return false
  const last = out.at(-1)
  return last !== undefined && last.type === "PERSON" && last.end === start - 4
}
const abbreviated = /^(?:inc|ltd|corp|co|bros|llc|plc|jr|sa|ag)$/i
const isSurname = (token: Token): boolean => token.shape === "T" && (token.flag & Last) > 0
/** The rest of the name of a firm: `, Mitchell and Williams`, ` and Sons`, ` & Co.`. */
const partners =
  /^(?:, \p{Lu}[\p{L}'’-]+,? (?:and|&) \p{Lu}[\p{L}'’-]+| (?:and|&) (?:Sons?|Daughters?|Brothers|Bros|Co|Company|Partners|Associates)\b)\.?/u

type Push = (start: number, end: number, type: string, confidence: number) => void

const capitals = (
  text: string,
  list: ReadonlyArray<Token>,
  from: number,
  push: Push,
  upperText: boolean,
  out: ReadonlyArray<Found>
): number => {
  // The run of capitalised words from here: names hold initials and particles in between.
  let to = from
  while (to + 1 < list.length && to - from < 6) {
    const gap = text.slice((list[to] as Token).end, (list[to + 1] as Token).start)
    const next = list[to + 1] as Token
    const current = list[to] as Token
    const afterInitial = current.shape === "I" && gap === ". "
    if (gap !== " " && !afterInitial) break
    if (next.flag & Title && strictTitles.has(text.slice(next.start, next.end).toLowerCase())) break
    if (next.shape === "T" || next.shape === "I" || next.shape === "U") to++
    else if (
      next.flag & Particle &&
      to + 2 < list.length &&
      /^ $/.test(text.slice(next.end, (list[to + 2] as Token).start)) &&
      (list[to + 2] as Token).shape === "T"
    )
      to += 2
    else break
  }
  let begin = from
  const start = sentenceStart(text, (list[begin] as Token).start)
  const nameFlag = (token: Token) => (token.flag & (First | Last)) > 0
  const isOrdinary = (token: Token) =>
    (token.flag & Stop) > 0 || ((token.flag & (Common | Street | Speech)) > 0 && !nameFlag(token))
  // Ordinary words at the edges are no part of a name.
  while (
    begin < to &&
    isOrdinary(list[begin] as Token) &&
    (begin > from || start || (list[begin] as Token).flag & Stop)
  )
    begin++
  let end = to
  while (end > begin && (list[end] as Token).flag & Stop && !nameFlag(list[end] as Token)) end--
  const run = list.slice(begin, end + 1)
  const head = run[0] as Token
  const tail = run[run.length - 1] as Token
  if (run.length === 1 && head.shape === "I") return to
  const cues = cuesBefore(text, head.start)
  const after = text.slice(tail.end, tail.end + 24)
  const inSentence = begin > from || !start
  const known = run.filter((token) => nameFlag(token) && !(token.flag & Stop)).length
  const ordinary = run.filter(isOrdinary).length
  const placeKnown = run.length === 1 && (head.flag & (City | Country | Region)) > 0
  const glued = isGlued(text, head.start, tail.end)

  if (run.some((token, i) => i > 0 && (token.flag & Organisation) > 0) && !(run.length === 2 && ordinary === 2)) {
    const dotted = text.charCodeAt(tail.end) === 46 && abbreviated.test(text.slice(tail.start, tail.end))
    // Ordinary words are part of such a name, but not the one that a sentence begins with.
    const whole = start ? head : (list[from] as Token)
    push(whole.start, dotted ? tail.end + 1 : tail.end, "ORGANIZATION", 0.65)
    return to
  }
  if (isFirm(text, tail.end) && ordinary < run.length && !(head.flag & First && run.length > 1)) {
    push(head.start, tail.end, "ORGANIZATION", 0.65)
    return to
  }
  if (ofSomebody(text, head.start, out) && !run.some((token) => token.flag & (City | Country | Region))) {
    push(head.start, tail.end, "ORGANIZATION", 0.6)
    return to
  }
  const firm = isSurname(tail) && run.length === 1 ? partners.exec(text.slice(tail.end, tail.end + 60)) : null
  if (firm !== null) {
    push(head.start, tail.end + firm[0].length, "ORGANIZATION", 0.65)
    let last = to
    while (last + 1 < list.length && (list[last + 1] as Token).start < tail.end + firm[0].length) last++
    return last
  }
  if (glued && run.length === 1) return to
  if (cues & Cue.Declared && !isOrdinary(head)) {
    push(head.start, tail.end, "PERSON", 0.95)
    return to
  }
  if (run.length === 1) {
    const token = head
    const written = text.slice(token.start, token.end)
    if (token.shape === "U" && stateCodes.has(written)) {
      if (
        (cues & Cue.StrongPlace && written !== "OK" && written !== "ME") ||
        /\p{L}, $/u.test(text.slice(Math.max(0, token.start - 4), token.start))
      )
        push(token.start, token.end, "LOCATION", 0.6)
      return to
    }
    if (token.shape === "T" && sizeOf(token) < 3) return to
    if (cues & (Cue.Employer | Cue.Organisation) && companies.has(written.toLowerCase())) {
      push(token.start, token.end, "ORGANIZATION", 0.7)
      return to
    }
    if (placeKnown && token.flag & Organisation && !(token.flag & Country)) return to
    if (placeKnown && token.flag & Common && !(token.flag & Country) && !nameFlag(token)) return to
    if (placeKnown) {
      const person =
        nameFlag(token) &&
        (!(token.flag & Country) || namesakes.has(text.slice(token.start, token.end).toLowerCase())) &&
        !(
          cues & Cue.Place &&
          !(token.flag & First && !/\b(?:in|at)\s+$/i.test(text.slice(Math.max(0, token.start - 5), token.start)))
        )
      if (token.flag & Stop && !(cues & Cue.StrongPlace)) return to
      if (person) push(token.start, token.end, "PERSON", 0.6)
      else if (!(token.flag & Common) || inSentence)
        push(
          token.start,
          token.end,
          token.flag & Country ? "COUNTRY" : "LOCATION",
          token.flag & Country ? 0.8 : cues & Cue.Place ? 0.75 : token.flag & Known ? 0.6 : 0.55
        )
      return to
    }
    if (cues & Cue.StrongPerson && !isOrdinary(token) && token.shape !== "U")
      push(token.start, token.end, "PERSON", 0.75)
    else if (token.flag & Stop) return to
    else if (nameFlag(token)) {
      if (cues & Cue.StrongPlace && !(token.flag & First)) push(token.start, token.end, "LOCATION", 0.55)
      else if (token.flag & Common) push(token.start, token.end, "PERSON", inSentence ? 0.5 : 0.4)
      else push(token.start, token.end, "PERSON", token.flag & First ? 0.7 : 0.55)
    } else if (token.flag & Common || token.shape === "U") {
      if (token.shape === "U" && !upperText && sizeOf(token) > 3 && cues & Cue.StrongPlace && !(token.flag & Common))
        push(token.start, token.end, "LOCATION", 0.55)
    } else if (cues & (Cue.StrongPlace | Cue.Home)) push(token.start, token.end, "LOCATION", 0.6)
    else if (cues & (Cue.Organisation | Cue.Employer)) push(token.start, token.end, "ORGANIZATION", 0.55)
    else if (
      /^(?:'s|’s| ' s| ´ s)\b/.test(after) ||
      /^ (?:said|says|told|asked|began|flew|spent|listed|lives|works|wrote|wants)\b/.test(after)
    )
      push(token.start, token.end, "PERSON", 0.6)
    else if (inSentence && (cues & Cue.Person) > 0 && sizeOf(token) > 2) push(token.start, token.end, "PERSON", 0.5)
    return to
  }
  // Several words.
  if (
    run.length < 4 &&
    directions.has(text.slice(head.start, head.end).toLowerCase()) &&
    run.slice(1).every((token) => (token.flag & (City | Country | Region)) > 0 && !(token.flag & Common))
  ) {
    push(head.start, tail.end, "LOCATION", 0.7)
    return to
  }
  if (
    (tail.flag & PlaceNoun || head.flag & PlaceHead) &&
    (ordinary < run.length || cues & Cue.Place) &&
    (!(head.flag & First) || head.flag & (City | Country | Region | Stop | Common) || cues & Cue.PlainPlace)
  ) {
    push(head.start, tail.end, "LOCATION", 0.6)
    return to
  }
  const initial = run.some((token, i) => i > 0 && i < run.length - 1 && token.shape === "I")
  const capitalsOnly = run.every((token) => token.shape === "U")
  const location = run.every((token) => (token.flag & (City | Country | Region)) > 0)
  if (location && known < run.length) push(head.start, tail.end, "LOCATION", 0.65)
  else if (initial && ordinary < run.length - 1) push(head.start, tail.end, "PERSON", 0.85)
  else if (ordinary === run.length) return to
  else if (head.flag & First && !(head.flag & Stop))
    push(
      head.start,
      tail.end,
      "PERSON",
      ordinary > 0 && head.flag & Common
        ? 0.45
        : capitalsOnly
          ? 0.6
          : tail.flag & Last && !((head.flag | tail.flag) & (Common | Stop))
            ? 0.92
            : 0.85
    )
  else if (cues & Cue.Employer) push(head.start, tail.end, "ORGANIZATION", 0.65)
  else if (cues & Cue.StrongPerson) push(head.start, tail.end, "PERSON", 0.75)
  else if (cues & (Cue.StrongPlace | Cue.Home) && known < run.length) push(head.start, tail.end, "LOCATION", 0.6)
  else if (known > 0 && ordinary === 0) push(head.start, tail.end, "PERSON", 0.7)
  else if (cues & Cue.Organisation) push(head.start, tail.end, "ORGANIZATION", 0.55)
  else if (ordinary === 0 && !capitalsOnly) push(head.start, tail.end, "PERSON", 0.55)
  else if (known > 0) {
    for (const token of run)
      if (nameFlag(token) && !(token.flag & (Stop | Common))) push(token.start, token.end, "PERSON", 0.5)
  }
  return to
}

/** An initial between two names in small letters; ` a ` is one only before what is no ordinary ending. */
const middle = / [b-hj-z]\.? \p{Ll}{3,}| a\.? \p{Ll}{3,}(?=[.,;]|$| (?:in|at|on|and|is|was)\b)/uy

/** Endings that words have and names of places seldom. */
const wordlike =
  /(?:ing|ed|ly|ness|ment|tion|sion|ity|ism|ist|ful|less|ous|ive|ance|ence|able|ible|ship|hood|ties|ies)$/

const lowers = (text: string, list: ReadonlyArray<Token>, from: number, push: Push): number => {
  const token = list[from] as Token
  const usable = (each: Token) =>
    each.shape === "l" &&
    (each.flag & (First | Last)) > 0 &&
    !(each.flag & (Stop | Common | Particle | Speech | Kin | Street | Organisation)) &&
    sizeOf(each) > 2
  if (token.flag & Country && sizeOf(token) > 4 && !(token.flag & (Stop | Common))) {
    push(token.start, token.end, "COUNTRY", 0.6)
    return from
  }
  if (token.flag & Unheard && cuesBefore(text, token.start) & Cue.Called) {
    if (!wordlike.test(text.slice(token.start, token.end))) push(token.start, token.end, "PERSON", 0.6)
    return from
  }
  const place =
    (token.flag & (City | Region | Unheard)) > 0 &&
    !(token.flag & (Stop | Common | Particle | Organisation | Street)) &&
    sizeOf(token) > 3
  if (place) {
    const cues = cuesBefore(text, token.start)
    const side = token.flag & Known ? direction.exec(text.slice(Math.max(0, token.start - 10), token.start)) : null
    if (side !== null) {
      push(token.start - side[0].length, token.end, "LOCATION", 0.55)
      return from
    }
    const known = (token.flag & Known) > 0
    const heard =
      token.flag & Unheard
        ? cues & Cue.Home && !wordlike.test(text.slice(token.start, token.end))
        : cues & Cue.PlainPlace || (known && cues & Cue.Place) || (known && !(token.flag & (First | Last)))
    if (heard && !isGlued(text, token.start, token.end)) {
      push(token.start, token.end, "LOCATION", cues & Cue.Place ? 0.6 : 0.55)
      return from
    }
  }
  if (!usable(token)) return from
  if (/[\w/@#.$-]/.test(text[token.start - 1] ?? " ") || /[\w/@(=]/.test(text[token.end] ?? " ")) return from
  const next = list[from + 1]
  if (next !== undefined && text.slice(token.end, next.start) === " " && usable(next)) {
    push(token.start, next.end, "PERSON", 0.65)
    return from + 1
  }
  middle.lastIndex = token.end
  const initial = token.flag & First ? middle.exec(text) : null
  if (initial !== null) {
    const end = token.end + initial[0].length
    push(token.start, end, "PERSON", 0.6)
    let last = from
    while (last + 1 < list.length && (list[last + 1] as Token).start < end) last++
    return last
  }
  const cues = cuesBefore(text, token.start)
  if (cues & Cue.StrongPerson) push(token.start, token.end, "PERSON", 0.65)
  else if (cues & Cue.StrongPlace && token.flag & City) push(token.start, token.end, "LOCATION", 0.55)
  else if (token.flag & First && sizeOf(token) > 3 && !(cues & Cue.Determiner))
    push(token.start, token.end, "PERSON", 0.5)
  return from
}

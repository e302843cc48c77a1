/** What the words before a word say about it: that a person, a place or an organisation follows. */

export const Person = 1
/** Hardly anything but a person follows. */
export const StrongPerson = 2
export const Place = 4
/** Hardly anything but a place follows, if it begins with a capital. */
export const StrongPlace = 8
export const Organisation = 16
/** A name follows, whatever it looks like. */
export const Declared = 32
/** No name follows in small letters. */
export const Determiner = 64

/** Nothing but a place follows, even in small letters. */
export const Home = 128
/** A place may follow in small letters. */
export const PlainPlace = 256

/** An employer follows. */
export const Employer = 512
/** What somebody is called follows, even in small letters. */
export const Called = 1024

const phrases = new Map<string, number>()
/** The last words of phrases that have several. */
const endings = new Set<string>()
const add = (flag: number, text: string) => {
  for (const phrase of text.trim().split(/\s*\|\s*/)) {
    phrases.set(phrase, (phrases.get(phrase) ?? 0) | flag)
    const space = phrase.lastIndexOf(" ")
    if (space >= 0) endings.add(phrase.slice(space + 1))
  }
}

add(
  Person,
  `name|names|name:|name is|name was|names is|names:|named|name's|name in the account is|name in the account:|i am|i'm|i’m|im|called|call him|call her|call me|by|to|with|and|for
  |meet|met|said|says|told|ask|love|love you|dear|hi|hello|hey|thank|thanks|thank you|of|rip|from|like|than|is|was|that|when|because|if|just|add|remove|miss|congrats|change it to|user:|by:`
)
add(
  StrongPerson,
  `my name|my name is|my name's|name is|name:|name's|i am|called|named|call him|call her|call me|dear|by:|to add|partner's name|partners name|user:|change it to|between him and`
)
for (const kin of "kid son daughter wife husband brother sister friend singer player actor actress director rapper author boss colleague".split(
  " "
))
  add(StrongPerson, `${kin}|${kin},|${kin} named|${kin} called`)
add(Place, "in|at|near|from|to|visit|visiting|around|city of|town of|university of|home city")
add(PlainPlace, "in|at|near|from|visit|visiting|around|moved to|flew to|trip to|way to|back to|been to|city of|town of")
add(
  Home | PlainPlace | Place,
  `went to|live in the|lives in the|lived in the|living in the|live in|lives in|lived in|living in|based in|located in|moved to|moving to|born in|grew up in|grow up in|raised in|reside in|resides in|residing in|i'm from|im from|i am from|we are from|he is from|she is from|he's from|she's from
  |someone from|people from|guy from|girl from|originally from|trip to|flew to|flying to|fly to|flight to|vacation in|holiday in|city of|town of|residents of|arrived in|arrive in|welcome to|greetings from|road to|drive to|driving to|travel to|travelled to|traveled to|travelling to|traveling to`.replaceAll(
    "\n",
    ""
  )
)
add(
  StrongPlace,
  `in|arrived at|trip to|way to|i am from|i'm from|near|city of|town of|university of|home city|flew to|moved to|travel to|traveling to|travelling to|traveled to|travelled to|visit`
)
add(
  Organisation,
  "at|work for|works for|working for|employed by|address of|is from|company|website of|called by|became"
)
add(
  Employer,
  "work for|works for|worked for|working for|work at|works at|worked at|working at|job at|employed at|employed by|employer|employer:|employer is|company:|hired by|fired by|intern at|engineer at|manager at|ceo of|cto of|founder of|director of|offices of|according to the"
)
add(Called, "my name is|name is|call me|i am called|i'm called")
add(StrongPerson | Declared, "first name?|last name?|full name?|your name?|name? user:|starring")
add(Declared, "name is|name's|i am called")
add(
  Determiner,
  "the|a|an|this|that|these|those|my|your|his|her|our|their|its|no|any|some|every|each|very|more|most|of|to|be|is|are|was|not"
)

const isSpace = (code: number): boolean => code <= 32 || code === 0xa0
const isLetter = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code > 0x2019 || (code >= 0xc0 && code < 0x2000)

const named =
  /"(?:full|first|last|given|family|middle|sur|customer|user|contact|patient|employee|display)?[_ -]?name\\*"\s*:\s*\\*"$/i

let lastText = ""
let lastStart = -1
let lastFlags = 0

/** The flags of what stands before `start`. */
export const cuesBefore = (text: string, start: number): number => {
  if (start !== lastStart || text !== lastText) {
    lastFlags = readCues(text, start)
    lastText = text
    lastStart = start
  }
  return lastFlags
}

/** Does not keep a text longer than it is needed. */
export const forgetCues = (): void => {
  lastText = ""
  lastStart = -1
}

const readCues = (text: string, start: number): number => {
  let end = start
  const last = text.charCodeAt(end - 1)
  let flags = 0
  if (last === 34 || last === 39 || last === 0x201c) {
    if (last === 34 && named.test(text.slice(Math.max(0, start - 40), start))) flags |= Declared
    end--
  }
  const glued = end
  while (end > 0 && isSpace(text.charCodeAt(end - 1)) && start - end < 8) end--
  const spaced = end < glued
  let from = end
  while (from > 0 && end - from < 20 && !isSpace(text.charCodeAt(from - 1))) from--
  if (from === end) return flags
  if (text.charCodeAt(end - 1) === 44) flags |= Person
  let first = from
  while (first < end && !isLetter(text.charCodeAt(first))) first++
  const word = text.slice(first, end).toLowerCase()
  if (word.startsWith("ex-")) flags |= Person | StrongPerson
  flags |= phrases.get(word) ?? 0
  if (endings.has(word)) {
    let at = from
    for (let words = 0; words < 4 && at > 0; words++) {
      if (text.charCodeAt(at - 1) !== 32) break
      at--
      const stop = at
      while (at > 0 && stop - at < 16 && !isSpace(text.charCodeAt(at - 1))) at--
      let begin = at
      while (begin < stop && !isLetter(text.charCodeAt(begin))) begin++
      flags |= phrases.get(text.slice(begin, end).toLowerCase()) ?? 0
    }
  }
  return spaced ? flags : flags & (Person | StrongPerson | Declared)
}

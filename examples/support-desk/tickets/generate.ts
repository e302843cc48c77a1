/**
 * Makes the 500 tickets and the rows that train the classifier from the grammar; the same every time. Every person in them is
 * made up, and so is every number: `node examples/support-desk/tickets/generate.ts` writes them anew.
 */
import { writeFileSync } from "node:fs"
import type { Ticket } from "../ticket.ts"
import {
  around,
  chatter,
  frames,
  type Language,
  type Question,
  questions,
  strange,
  strangeTraining
} from "./grammar.ts"

/** Mulberry32. */
const chance = (seed: number) => {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    happens: (share: number): boolean => next() < share,
    one: <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!,
    /** A few are asked often and most seldom, as in any desk: the share of the item at `rank` falls as 1 / (rank + 2). */
    often: <A>(items: ReadonlyArray<A>): A => {
      const total = items.reduce((sum, _, rank) => sum + 1 / (rank + 2), 0)
      let left = next() * total
      for (const [rank, item] of items.entries()) {
        left -= 1 / (rank + 2)
        if (left <= 0) return item
      }
      return items.at(-1)!
    },
    shuffle: <A>(items: ReadonlyArray<A>): ReadonlyArray<A> => {
      const out = [...items]
      for (let at = out.length - 1; at > 0; at--) {
        const other = below(at + 1)
        const kept = out[at]!
        out[at] = out[other]!
        out[other] = kept
      }
      return out
    }
  }
}

type Chance = ReturnType<typeof chance>

// ---------------------------------------------------------------------------------------------------------------
// People who do not exist
// ---------------------------------------------------------------------------------------------------------------

const first = "Ana,João,Emma,Lukas,Sofia,Marek,Chloé,Owen,Ingrid,Pablo,Nadia,Henrik".split(",")
const last = "Silva,Fischer,Moreau,Novak,Rossi,Larsen,Walker,Costa,Dubois,Keller,García,Murphy".split(",")
const chinese = "王伟,李娜,张敏,刘洋,陈静,杨帆,赵磊,黄丽,周强,吴芳,徐明,孙悦".split(",")

const digits = (random: Chance, count: number): string => Array.from({ length: count }, () => random.below(10)).join("")

/** A number with the check digit of payment cards. */
const card = (random: Chance): string => {
  const body = `411111${digits(random, 9)}`
  const sum = [...body].reverse().reduce((total, digit, at) => {
    const value = at % 2 === 0 ? Number(digit) * 2 : Number(digit)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return `${body}${(10 - (sum % 10)) % 10}`.replace(/(.{4})(?=.)/g, "$1 ")
}

/** A German account number with its check digits (ISO 13616). */
const iban = (random: Chance): string => {
  const account = digits(random, 18)
  const rest = BigInt(`${account}131400`) % 97n
  return `DE${String(98n - rest).padStart(2, "0")}${account}`.replace(/(.{4})(?=.)/g, "$1 ")
}

/** A Chinese identity number with its check character (GB 11643). */
const identity = (random: Chance): string => {
  const body = `110105${1960 + random.below(40)}${String(1 + random.below(12)).padStart(2, "0")}${String(1 + random.below(28)).padStart(2, "0")}${digits(random, 3)}`
  const sum = [...body].reduce((total, digit, at) => total + Number(digit) * (2 ** (17 - at) % 11), 0)
  return body + "10X98765432"[sum % 11]!
}

const values = (random: Chance, language: Language) => {
  const [given, family] = [random.one(first), random.one(last)]
  const plain = (name: string) =>
    name
      .normalize("NFD")
      .replace(/\p{Diacritic}/gu, "")
      .toLowerCase()
  const name = language === "zh" ? random.one(chinese) : `${given} ${family}`
  return {
    name,
    email: `${plain(given)}.${plain(family)}${random.below(100)}@example.com`,
    phone: language === "zh" ? `1380013${digits(random, 4)}` : `+44 7700 900${digits(random, 3)}`,
    card: card(random),
    iban: iban(random),
    id: identity(random)
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Tickets
// ---------------------------------------------------------------------------------------------------------------

/** Two letters of the longest word change places. */
const misspell = (text: string): string => {
  const word = [...text.matchAll(/[a-z]{5,}/g)].map(([word]) => word).sort((a, b) => b.length - a.length)[0]
  if (word === undefined) return text
  const at = Math.floor(word.length / 2)
  return text.replace(word, word.slice(0, at - 1) + word[at]! + word[at - 1]! + word.slice(at + 1))
}

export const tickets = (): ReadonlyArray<Ticket> => {
  const random = chance(20_260_301)
  // What is asked most comes from every label in turn.
  const places = new Map<string, number>()
  const ranked = random
    .shuffle(questions)
    .map((question) => {
      const place = places.get(question.label) ?? 0
      places.set(question.label, place + 1)
      return { question, place }
    })
    .sort((a, b) => a.place - b.place)
    .map(({ question }) => question)
  const made: Array<Omit<Ticket, "id">> = []
  const add = (language: Language, asked: string, rest: Pick<Ticket, "label" | "says">) => {
    const person = values(random, language)
    const said: Array<string> = []
    const fill = (text: string): string =>
      text.replace(/\{(\w+)\}/g, (_, kind: keyof typeof person) => {
        said.push(person[kind])
        return person[kind]
      })
    const glue = language === "zh" ? "" : " "
    const { after, before, story } = around[language]
    const parts = [
      ...(random.happens(0.4) ? [fill(random.often(before))] : []),
      ...(random.happens(0.06) ? [random.one(story)] : []),
      asked,
      ...(random.happens(0.14) ? [fill(random.often(after))] : [])
    ]
    made.push({
      customer: `customer-${1 + random.below(190)}`,
      language,
      prompt: parts.join(glue),
      ...rest,
      personal: [...new Set(said)]
    })
  }
  for (let index = 0; index < 444; index++) {
    const language: Language = random.happens(0.68) ? "en" : "zh"
    const { [language]: wording, label } = random.often(ranked)
    const asked = random.often(wording.asked)
    if (random.happens(0.05)) {
      const other = random.one(questions.filter((each) => each.label === label && each[language] !== wording))
      const both = [...wording.says, ...other[language].says]
      add(language, `${asked} ${random.one(other[language].asked)}`, { label, says: both })
    } else {
      const slip = language === "en" && random.happens(0.06)
      add(language, slip ? misspell(asked) : asked, { label, says: wording.says })
    }
  }
  for (let index = 0; index < 32; index++) {
    const language: Language = random.happens(0.68) ? "en" : "zh"
    add(language, random.one(strange[language].asked), { label: "unknown", says: [] })
  }
  for (const prompt of chatter) {
    made.push({ customer: "customer-666", language: "en", prompt, label: "unknown", says: [], personal: [] })
  }
  return random.shuffle(made).map((ticket, index) => ({ id: `T${String(index + 1).padStart(3, "0")}`, ...ticket }))
}

/** Rows for the classifier: the ways to ask that no ticket uses, bare and among what people write around them. */
export const training = (): ReadonlyArray<{ readonly text: string; readonly label: string }> => {
  const random = chance(7)
  const rows: Array<{ readonly text: string; readonly label: string }> = []
  const add = (language: Language, text: string, label: string) => {
    rows.push({ text, label })
    const person = values(random, language)
    const { after, before } = around[language]
    const fill = (each: string) => each.replace(/\{(\w+)\}/g, (_, kind: keyof typeof person) => person[kind])
    const glue = language === "zh" ? "" : " "
    rows.push({ text: [fill(random.one(before)), text].join(glue), label })
    if (random.happens(0.5)) rows.push({ text: [text, fill(random.one(after))].join(glue), label })
  }
  const teach = (question: Question) => {
    for (const language of ["en", "zh"] as const) {
      for (const text of question[language].training) add(language, text, question.label)
      for (const topic of question[language].topics) {
        for (const frame of frames[language]) rows.push({ text: frame.replace("{}", topic), label: question.label })
      }
    }
  }
  questions.forEach(teach)
  for (const text of strangeTraining) add(/\p{Script=Han}/u.test(text) ? "zh" : "en", text, "unknown")
  return rows
}

const lines = (rows: ReadonlyArray<unknown>): string => `${rows.map((row) => JSON.stringify(row)).join("\n")}\n`

/** The two files, by name. */
export const files = (): { readonly [name: string]: string } => ({
  "tickets.jsonl": lines(tickets()),
  "training.jsonl": lines(training())
})

if (import.meta.main) {
  for (const [name, text] of Object.entries(files())) writeFileSync(new URL(name, import.meta.url), text)
}

/**
 * Finds the sentences of a few documents that answer a question: BM25 over their sections (`minisearch`), then the
 * sentences of the best sections that hold most of what the question asks for.
 *
 * Words are those of `Intl.Segmenter`, so that Chinese, Japanese and Thai need no spaces; words in Chinese, Japanese
 * and Korean script are indexed by pairs of characters as well (Lucene's CJK analysis), English ones by their Porter
 * stem. Nothing is random: the same documents and question give the same sentences.
 */
import MiniSearch from "minisearch"
import { stemmer } from "stemmer"

/** A document as it was read. */
export interface Document {
  readonly name: string
  readonly text: string
}

/** A sentence, and the section that it stands in. */
export interface Finding {
  readonly sentence: string
  readonly document: string
  readonly title: string
}

/** How hard to look. */
export interface Effort {
  /** The most sentences to give. */
  readonly sentences: number
  /** The most sections to take them from. */
  readonly sections: number
  /** Whether a misspelt word may match. */
  readonly fuzzy: boolean
}

/** What was found: nothing when too little of the question is in any one section. */
export interface Found {
  readonly findings: ReadonlyArray<Finding>
  /** The share of the question's weight that the best section holds, 0 to 1. */
  readonly coverage: number
  /** That share in terms of weight: how much was found, not only how much of it. */
  readonly weight: number
}

/** Finds sentences. */
export interface DocumentIndex {
  readonly documents: ReadonlyArray<string>
  readonly find: (question: string, effort: Effort) => Found
}

/** At least this share of what a question asks for (by weight) must stand in one section. */
const enough = 0.5

/** The weight of a word that no document holds, as a share of that of a word which one section holds. */
const unseen = 0.7

/** What a word of the question counts for in a sentence whose section is named after it: the section is about it anyway. */
const inTitle = 0.4

/** The head start of a section's first sentence, as a share of the question's weight: it says what the rest explains. */
const head = 0.15

// ---------------------------------------------------------------------------------------------------------------
// Words
// ---------------------------------------------------------------------------------------------------------------

const words = new Intl.Segmenter("zh", { granularity: "word" })
const sentences = new Intl.Segmenter("en", { granularity: "sentence" })

const dense = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]+$/u
const latin = /^[a-z]+$/
const asciiFold = /\p{Diacritic}/gu

/** Words that say how something is asked, not what. */
const empty = new Set(
  (
    "a an and any are as at be been but by can could did do does doing for from get got had has have how i if in into is " +
    "it its just know like me mine my need of on one or our please should so some tell than that the their them then " +
    "there these they this those to up us want was we were what when where which who why will with would you your " +
    "am about also per long much many often mean happen take hi hello hey thanks thank dear regards think maybe possible way exactly really help make let not " +
    "ich du sie er es wir ihr der die das den dem des ein eine einen und oder ist sind war wie was wo wann warum wer " +
    "kann mein dein mit von zu auf für im in nicht bitte hallo le la les un une des et ou est sont quel quelle comment " +
    "que qui où quand pourquoi je tu il elle nous vous mon ma mes de du pour avec dans el los las una y o es son qué " +
    "cómo dónde cuándo por para mi con"
  ).split(" ")
)

const emptyDense = new Set(
  (
    "的 了 是 在 我 你 他 她 它 们 我们 你们 他们 吗 呢 吧 啊 呀 和 与 或 及 也 都 就 还 很 太 更 最 什么 怎么 怎样 如何 哪里 哪儿 哪些 哪个 " +
    "什么时候 一块 多少 多少钱 钱 几 多 多长 多久 长时间 时间 谁 为什么 何时 请 请问 可以 能 能否 能够 会 要 想 需要 应该 有 没有 没 不 这 那 这个 那个 这些 那些 一个 一 个 把 被 给 对 从 到 " +
    "用 吗 您 您好 你好 谢谢 告诉 知道 是否 时候 怎 么 么样 怎么样 办 怎么办 は が を に で と の も か です ます ください どう 何 いつ どこ いくら " +
    "얼마 얼마예요 얼마인가요 무엇 무엇인가요 뭐예요 어디 어디에 언제 어떻게 누구 왜 있나요 있어요 하나요 할 수 그 이 저"
  ).split(" ")
)

/** What a pipeline's redaction leaves in place of a value, and what looks like a name, number or address of a person. */
const personal =
  /[[<{⟦«(][\p{Lu}_]+[_\-: ]?\d*[\]>}⟧»)]|[^\s@]{1,64}@[^\s@]{1,255}|https?:\/\/\S+|\+?\d[\d\-() ]{6,30}\d/gu

const stems = new Map<string, string>()

const stem = (word: string): string => {
  const known = stems.get(word)
  if (known !== undefined) return known
  const made = stemmer(word)
  if (stems.size < 50_000) stems.set(word, made)
  return made
}

/** The terms of a text: stems, words, and pairs of characters. */
const terms = (text: string): Array<string> => {
  const found: Array<string> = []
  for (const { segment, isWordLike } of words.segment(text.normalize("NFKC").toLowerCase())) {
    if (isWordLike !== true) continue
    if (dense.test(segment)) {
      if (emptyDense.has(segment)) continue
      const characters = [...segment]
      if (characters.length <= 2) found.push(segment)
      else for (let at = 0; at + 1 < characters.length; at++) found.push(characters[at]! + characters[at + 1]!)
      continue
    }
    const word = segment
      .normalize("NFD")
      .replace(asciiFold, "")
      .replace(/['’]s$/, "")
    if (empty.has(segment) || empty.has(word)) continue
    found.push(latin.test(word) ? stem(word) : word)
  }
  return found
}

// ---------------------------------------------------------------------------------------------------------------
// Sections and sentences
// ---------------------------------------------------------------------------------------------------------------

interface Section {
  readonly id: number
  readonly document: string
  readonly name: string
  /** The terms of all headings above it, and of its text, with a space between: what is searched. */
  readonly title: string
  readonly text: string
  /** The terms of its own heading. */
  readonly titleTerms: ReadonlySet<string>
  readonly sentences: ReadonlyArray<{ readonly text: string; readonly terms: ReadonlySet<string> }>
}

const heading = /^(#{1,6})\s+(.+?)\s*#*$/
const item = /^\s*(?:[-*+]|\d+[.)])\s+/

const plain = (line: string): string =>
  line
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/(\*\*|__|`)/g, "")
    .trim()

/** Cuts a document at its headings; what stands above the first one belongs to the document's name. */
const sectionsOf = (document: Document, firstId: number): ReadonlyArray<Section> => {
  const sections: Array<Section> = []
  const path: Array<string> = []
  let blocks: Array<string> = []
  const close = () => {
    const split = blocks.flatMap((block) => [...sentences.segment(block)].map(({ segment }) => segment.trim()))
    blocks = []
    const texts = split.flatMap(atFullStops).filter((text) => text !== "")
    if (texts.length === 0) return
    const termsOf = texts.map(terms)
    const titles = path.filter((part) => part !== undefined)
    sections.push({
      id: firstId + sections.length,
      document: document.name,
      name: titles.join(" › ") || document.name,
      title: terms(titles.join("\n") || document.name).join(" "),
      text: termsOf.flat().join(" "),
      titleTerms: new Set(terms(titles.at(-1) ?? "")),
      sentences: texts.map((text, index) => ({ text, terms: new Set(termsOf[index]) }))
    })
  }
  let paragraph = ""
  const endParagraph = () => {
    if (paragraph !== "") blocks.push(paragraph)
    paragraph = ""
  }
  for (const line of document.text.replace(/^---\r?\n[\s\S]*?\r?\n---\r?\n/, "").split(/\r?\n/)) {
    const head = heading.exec(line)
    if (head !== null) {
      endParagraph()
      close()
      path.length = head[1]!.length - 1
      path[head[1]!.length - 1] = plain(head[2]!)
    } else if (line.trim() === "" || line.startsWith("```")) {
      endParagraph()
    } else if (item.test(line)) {
      endParagraph()
      paragraph = plain(line.replace(item, ""))
    } else {
      const text = plain(line)
      // A line break in Chinese or Japanese is not a space.
      const glue = paragraph === "" || dense.test(paragraph.at(-1)!) || /[，。、；：]$/.test(paragraph) ? "" : " "
      paragraph += glue + text
    }
  }
  endParagraph()
  close()
  return sections
}

/** The Segmenter leaves Chinese sentences that follow each other without a space in one piece. */
const atFullStops = (text: string): ReadonlyArray<string> =>
  text.split(/(?<=[。！？])(?![」』”’）])/u).map((part) => part.trim())

// ---------------------------------------------------------------------------------------------------------------
// The index
// ---------------------------------------------------------------------------------------------------------------

/** Indexes documents, in the order of their names. */
export const make = (documents: ReadonlyArray<Document>): DocumentIndex => {
  const ordered = [...documents].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const sections: Array<Section> = []
  for (const document of ordered) sections.push(...sectionsOf(document, sections.length))

  const holding = new Map<string, number>()
  for (const section of sections) {
    for (const term of new Set(split(`${section.title} ${section.text}`))) {
      holding.set(term, (holding.get(term) ?? 0) + 1)
    }
  }
  // Robertson and Spärck Jones's weight, as BM25 has it: rare terms count for more. A word that no document holds may be
  // the point of the question or just a way to put it, so it counts for less than one that a single section holds.
  const weight = (term: string): number => {
    const count = holding.get(term)
    return count === undefined
      ? unseen * Math.log(1 + (sections.length - 0.5) / 1.5)
      : Math.log(1 + (sections.length - count + 0.5) / (count + 0.5))
  }

  const search = new MiniSearch<Section>({
    fields: ["title", "text"],
    tokenize: split,
    processTerm: (term) => term,
    searchOptions: { boost: { title: 2 }, combineWith: "OR" }
  })
  search.addAll(sections)

  return {
    documents: ordered.map((document) => document.name),
    find: (question, effort) => {
      const asked = new Set(terms(question.replace(personal, " ")))
      const total = sum(asked, weight)
      if (total === 0) return { findings: [], coverage: 0, weight: 0 }
      const hits = search
        .search([...asked].join(" "), {
          fuzzy: (term) => (effort.fuzzy && latin.test(term) && term.length >= 5 ? 1 : false),
          maxFuzzy: 1
        })
        .map((hit) => {
          const section = sections[hit.id as number]!
          // Which words of the document stand for a word of the question: itself, or a near spelling of it.
          const standsFor = new Set(Object.keys(hit.match))
          const scored = section.sentences.map((sentence, position) => ({
            section,
            sentence: sentence.text,
            position,
            score:
              sum(sentence.terms, (term) =>
                standsFor.has(term) ? weight(term) * (section.titleTerms.has(term) ? inTitle : 1) : 0
              ) + (position === 0 ? head * total : 0)
          }))
          const coverage = sum(new Set(hit.queryTerms), weight) / total
          // One sentence that holds most of the question beats many that hold a little each.
          const densest = Math.max(
            ...section.sentences.map((sentence) =>
              sum(sentence.terms, (term) => (standsFor.has(term) ? weight(term) : 0))
            )
          )
          return { section, scored, coverage, score: hit.score * coverage * (1 + densest / total) }
        })
        .sort((a, b) => b.score - a.score || a.section.id - b.section.id)
      const coverage = Math.max(0, ...hits.map((hit) => hit.coverage))
      const good = hits.filter((hit) => hit.coverage >= enough).slice(0, effort.sections)
      const best = good[0]
      if (best === undefined) return { findings: [], coverage, weight: coverage * total }
      const candidates = good
        .filter((hit) => hit.score >= 0.6 * best.score)
        .flatMap((hit, rank) => hit.scored.map((one) => ({ ...one, rank, score: one.score / (1 + rank) })))
        .sort((a, b) => b.score - a.score || a.rank - b.rank || a.position - b.position)
      const bar = 0.3 * candidates[0]!.score
      return {
        coverage,
        weight: coverage * total,
        findings: candidates
          .slice(0, effort.sentences)
          .filter((candidate) => candidate.score >= bar)
          .sort((a, b) => a.rank - b.rank || a.position - b.position)
          .map(({ section, sentence }) => ({
            sentence,
            document: section.document,
            title: section.name
          }))
      }
    }
  }
}

/** Terms are made once and joined: a space between them is all there is to cut at. */
const split = (text: string): Array<string> => text.split(" ").filter((term) => term !== "")

const sum = (items: Iterable<string>, weight: (item: string) => number): number => {
  let all = 0
  for (const one of items) all += weight(one)
  return all
}

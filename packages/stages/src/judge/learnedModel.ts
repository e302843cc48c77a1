/**
 * The small linear model of the learned judge, as one artefact: what it looks at, and what it makes of it.
 *
 * It is made so that an answer cannot please it without answering:
 *
 * - What can **raise** a rating is how the answer fits its question: which of the question's words it takes up, and whether it has what a
 *   question of this kind asks for (a number, a time, a name, a reason…). Each such feature counts less what the same answer has for
 *   the artefact's control questions. An answer that fits every question is left with what an empty one has.
 * - What is in the answer **alone** (its words, a refusal, a sum that is wrong, another language, the question said back) can only
 *   lower it: the weights of these are 0 or less.
 * - Length is no feature, and a sentence said again is not there.
 *
 * It holds hashes and weights, no text of the rows that it was trained on. Train one with `interlock learn judge`.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import { Result, Schema } from "effect"
import { ArtefactError } from "../artefact.ts"
import { words as wordsOf } from "../classify/featuriser.ts"
import { language } from "../classify/language.ts"
import { withoutFlattery, withoutPadding } from "./hardening.ts"

// ---------------------------------------------------------------------------------------------------------------
// What it looks at
// ---------------------------------------------------------------------------------------------------------------

/** The first that matches is what a question asks for. */
const kinds: ReadonlyArray<RegExp> = [
  /\bhow much\b|\b(?:price|cost|costs|fee)\b|多少钱|价格|售价|费用/iu,
  /\bhow many\b|\bnumber of\b|多少|几[个位次天台]/iu,
  /\bwhen\b|\bwhat time\b|\bwhat hour\b|\bwhich days?\b|\bwhat (?:day|date|year)\b|什么时候|几点|哪[天年]|何时/iu,
  /\bhow (?:long|far|deep|old|high|tall|big|large|often|heavy)\b|多[久长远高大]/iu,
  /\bwho(?:m|se)?\b|谁|哪位/iu,
  /\bwhere\b|\bon which (?:floor|square|street)\b|\bwhich (?:pier|room|place|city|country)\b|哪里|哪儿|在哪/iu,
  /\bwhy\b|\bwhat for\b|为什么|为何/iu,
  /\bhow\b|怎么|如何|怎样/iu,
  /^\s*(?:is|are|was|were|do|does|did|can|could|may|must|should|will|would|has|have)\b|吗\s*[?？]?\s*$/iu
]

/** What an answer has. */
const shapes: ReadonlyArray<RegExp> = [
  /\d|[一二三四五六七八九十百千]/u,
  /[$€£¥]\s?\d|\d\s?(?:%|percent|crowns?|dollars?|euros?|元|块)|\bfree\b|免费/iu,
  /\b\d{1,2}:\d\d\b|\b\d{1,2}\s?(?:am|pm|o'clock)\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:1[0-9]|20)\d\d\b|[点周年月]/iu,
  /\d+\s?(?:minutes?|hours?|days?|weeks?|months?|years?|metres?|meters?|km|kg|cm|miles?|seconds?|steps?|分钟|小时|天|米)/iu,
  /\p{Lu}\p{Ll}+\s\p{Lu}\p{Ll}+/u,
  /\b(?:at|in|on|from|beside|under|behind|near) (?:the\s)?\p{L}+|[在于]/iu,
  /\bbecause\b|\bsince\b|\bso that\b|\btherefore\b|因为|所以|由于/iu,
  /^\s*(?:\d[.)]|[-*•])\s/mu,
  /^\s*(?:yes|no)\b|^\s*[是不可没]/iu,
  /(?:####|=|\bis\b|\banswer\b[^.]*)\s*\$?-?\d[\d,.]*\W*$/iu
]

/** How many features may raise a rating. */
export const contentSize = 2 + (kinds.length + 1) * shapes.length

/** How many features of the answer alone there are beside its words: another language, the question said back, a wrong sum, a refusal. */
export const penaltySize = 4

const refusal =
  /\bI (?:cannot|can't|am unable|could not|don't know|do not know)\b|\bas an ai\b|\bno (?:information|answer)\b|没有这个问题的答案|无法回答|不知道/iu

const hashOf = (word: string): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < word.length; at++) hash = Math.imul(hash ^ word.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** `a op b = c`, as sums are written. */
const sums = /(?<![\d.])(\d[\d,]*(?:\.\d+)?)\s*([-+*/×÷−])\s*\$?(\d[\d,]*(?:\.\d+)?)\s*=\s*\$?(\d[\d,]*(?:\.\d+)?)/gu

/** The share of the sums in a text that are wrong by more than rounding. */
const wrongSums = (text: string): number => {
  let [all, wrong] = [0, 0]
  for (const [, left, sign, right, said] of text.matchAll(sums)) {
    const [a, b, c] = [left, right, said].map((each) => Number(each!.replaceAll(",", ""))) as [number, number, number]
    const value =
      sign === "+" ? a + b : sign === "-" || sign === "−" ? a - b : sign === "*" || sign === "×" ? a * b : a / b
    all++
    if (Math.abs(value - c) > Math.max(0.011, Math.abs(value) * 0.006)) wrong++
  }
  return all === 0 ? 0 : wrong / all
}

/**
 * A question as the model sees it.
 *
 * @category models
 * @since 0.1.0
 */
export const Asked = Schema.Struct({
  words: Schema.Array(Schema.Int),
  kind: Schema.Int,
  language: Schema.String
})

/**
 * @category models
 * @since 0.1.0
 */
export type Asked = typeof Asked.Type

/**
 * Reads a question.
 *
 * @category accessors
 * @since 0.1.0
 */
export const asked = (question: string): Asked => {
  const kind = kinds.findIndex((each) => each.test(question))
  return {
    words: [...new Set(wordsOf(question).map(hashOf))],
    kind: kind < 0 ? kinds.length : kind,
    language: language(question)
  }
}

/**
 * An answer as the model sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answered {
  readonly empty: boolean
  readonly words: ReadonlySet<number>
  /** The beginnings of its words, for words that are bent. */
  readonly stems: ReadonlySet<number>
  readonly shapes: ReadonlyArray<boolean>
  readonly language: string
  readonly wrongSums: number
  readonly refuses: boolean
}

const stemOf = (word: string): string => (word.length > 5 ? word.slice(0, 5) : word)

/**
 * Reads an answer, without what speaks to the judge and what is said twice.
 *
 * @category accessors
 * @since 0.1.0
 */
export const answered = (answer: string): Answered => {
  const text = withoutPadding(withoutFlattery(answer))
  const found = wordsOf(text)
  return {
    empty: text === "",
    words: new Set(found.map(hashOf)),
    stems: new Set(found.map((word) => hashOf(stemOf(word)))),
    shapes: shapes.map((shape) => shape.test(text)),
    language: language(text),
    wrongSums: wrongSums(text),
    refuses: refusal.test(text)
  }
}

/**
 * The stem of each word, by hash, where both are known: what `content` compares bent words by.
 *
 * @category models
 * @since 0.1.0
 */
export interface Vocabulary {
  readonly documents: number
  readonly frequencies: ReadonlyMap<number, number>
  readonly stems: ReadonlyMap<number, number>
}

const weightOf = ({ documents, frequencies }: Vocabulary, word: number): number =>
  Math.log((1 + documents) / (1 + (frequencies.get(word) ?? 0)))

/** What may raise a rating, of one question. */
const fit = (vocabulary: Vocabulary, question: Asked, answer: Answered, out: Float64Array, share: number): void => {
  let [all, covered, bent] = [0, 0, 0]
  for (const word of question.words) {
    const weight = weightOf(vocabulary, word)
    all += weight
    if (answer.words.has(word)) covered += weight
    else if (answer.stems.has(vocabulary.stems.get(word) ?? -1)) bent += weight
  }
  out[0]! += all === 0 ? 0 : (share * covered) / all
  out[1]! += all === 0 ? 0 : (share * bent) / all
  for (const [shape, has] of answer.shapes.entries()) if (has) out[2 + question.kind * shapes.length + shape]! += share
}

/**
 * How an answer fits its question, less how it fits the control questions on average.
 *
 * @category accessors
 * @since 0.1.0
 */
export const contentOf = (
  vocabulary: Vocabulary,
  controls: ReadonlyArray<Asked>,
  question: Asked,
  answer: Answered
): Float64Array => {
  const out = new Float64Array(contentSize)
  fit(vocabulary, question, answer, out, 1)
  for (const control of controls) fit(vocabulary, control, answer, out, -1 / controls.length)
  return out
}

/**
 * What can only lower a rating, beside the answer's words.
 *
 * @category accessors
 * @since 0.1.0
 */
export const penaltiesOf = (question: Asked, answer: Answered): ReadonlyArray<number> => {
  const known = new Set(question.words)
  let added = 0
  for (const word of answer.words) if (!known.has(word)) added++
  const other = question.language !== "und" && answer.language !== "und" && answer.language !== question.language
  return [other ? 1 : 0, Math.max(0, 1 - added / 2), answer.wrongSums, answer.refuses ? 1 : 0]
}

/**
 * The vocabulary of texts: in how many each word is.
 *
 * @category constructors
 * @since 0.1.0
 */
export const vocabularyOf = (texts: ReadonlyArray<string>): Vocabulary => {
  const frequencies = new Map<number, number>()
  const stems = new Map<number, number>()
  for (const text of texts) {
    for (const word of new Set(wordsOf(text))) {
      const hash = hashOf(word)
      frequencies.set(hash, (frequencies.get(hash) ?? 0) + 1)
      stems.set(hash, hashOf(stemOf(word)))
    }
  }
  return { documents: texts.length, frequencies, stems }
}

// ---------------------------------------------------------------------------------------------------------------
// The artefact
// ---------------------------------------------------------------------------------------------------------------

const NotAbove0 = Schema.Finite.check(Schema.isLessThanOrEqualTo(0))

/**
 * A learned judge, as it stands in its artefact.
 *
 * @category models
 * @since 0.1.0
 */
export const Model = Schema.Struct({
  format: Schema.Literal(1),
  name: Schema.String,
  documents: Schema.Natural,
  /** By word: its hash, that of its stem, and in how many texts it was. */
  vocabulary: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int, Schema.Natural])),
  controls: Schema.NonEmptyArray(Asked),
  bias: Schema.Finite,
  content: Schema.Array(Schema.Finite),
  penalties: Schema.Array(NotAbove0),
  /** By word of the answer: its hash and its weight. */
  words: Schema.Array(Schema.Tuple([Schema.Int, NotAbove0]))
})

/**
 * @category models
 * @since 0.1.0
 */
export type Model = typeof Model.Type

const Artefact = Schema.fromJsonString(Schema.Struct({ judge: Model, sha256: Schema.String }))
const decodeArtefact = Schema.decodeUnknownResult(Artefact)

const digest = (model: Model): string => createHash("sha256").update(JSON.stringify(model)).digest("hex")

/**
 * Writes a model as one artefact. Equal models give equal bytes.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (model: Model): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify({ judge: model, sha256: digest(model) })}\n`)

/**
 * Reads an artefact, and says what is wrong with it when it is not whole, or no judge.
 *
 * @category encoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array): Result.Result<Model, ArtefactError> => {
  const cure = "train it again with `interlock learn judge`"
  const fail = (reason: ArtefactError["reason"], message: string) =>
    Result.fail(new ArtefactError({ reason, message: `${message}; ${cure}` }))
  const read = decodeArtefact(new TextDecoder().decode(bytes))
  if (Result.isFailure(read)) return fail("Foreign", "the file is no artefact of a judge")
  const { judge, sha256 } = read.success
  if (digest(judge) !== sha256) return fail("Corrupt", "the artefact does not have the SHA-256 that it names")
  if (judge.content.length !== contentSize || judge.penalties.length !== penaltySize) {
    return fail("Version", "the artefact was trained for other features than this version has")
  }
  return Result.succeed(judge)
}

/**
 * Makes the function that rates: how likely the answer is a good one, from 0 to 1. One that says nothing has 0.
 *
 * @category constructors
 * @since 0.1.0
 */
export const rater = (model: Model): ((question: string, answer: string) => number) => {
  const vocabulary: Vocabulary = {
    documents: model.documents,
    frequencies: new Map(model.vocabulary.map(([word, , frequency]) => [word, frequency])),
    stems: new Map(model.vocabulary.map(([word, stem]) => [word, stem]))
  }
  const weights = new Map(model.words)
  return (question, answer) => {
    const [of, said] = [asked(question), answered(answer)]
    if (said.empty) return 0
    let logit = model.bias
    for (const [at, value] of contentOf(vocabulary, model.controls, of, said).entries()) {
      logit += model.content[at]! * value
    }
    for (const [at, value] of penaltiesOf(of, said).entries()) logit += model.penalties[at]! * value
    for (const word of said.words) logit += weights.get(word) ?? 0
    return 1 / (1 + Math.exp(-logit))
  }
}

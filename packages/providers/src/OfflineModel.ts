/**
 * `OfflineModel` is a model that needs no key and no network: it answers from a folder of documents, in their own words,
 * and says when they do not hold the answer.
 *
 * It is extractive: BM25 finds the sections that a question is about, and the sentences in them that answer it are the
 * reply. It works in any language that `Intl.Segmenter` knows, Chinese and Japanese included; it is deterministic, streams
 * and reports usage, and its two models, `offline-small` and `offline-large`, are in the catalogue with declared prices.
 * `offline-large` gives more sentences, looks in more sections, forgives misspellings and names its sources.
 *
 * ```ts
 * import { Models, OfflineModel } from "@interlock/providers"
 *
 * export const layer = Models.layer([
 *   OfflineModel.make([
 *     { name: "opening.md", text: "# Opening hours\n\nThe workshop is open from nine to six on weekdays." }
 *   ])
 * ])
 * ```
 *
 * @since 0.1.0
 */
import { Reply } from "@interlock/core"
import { ModelError, Part, Prompt, TokenCount } from "@interlock/model"
import { Duration, Effect, FileSystem, Path, Schema, Stream } from "effect"
import * as DocumentIndex from "./internal/documentIndex.ts"
import type { ModelProvider, ModelRequest } from "./Models.ts"

// ---------------------------------------------------------------------------------------------------------------
// What it is made of
// ---------------------------------------------------------------------------------------------------------------

/**
 * A document: its name, and its text, in Markdown or plain.
 *
 * @category models
 * @since 0.1.0
 */
export type Document = DocumentIndex.Document

/**
 * Options of an offline model.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The provider's name. Default: `"offline"`, as the catalogue has it. */
  readonly name?: string
  /** How long to wait before each piece of a live reply, to look like a model that thinks. Default: none. */
  readonly pace?: Duration.Input
}

/**
 * The documents cannot be read, or there are none.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnreadableDocuments extends Schema.TaggedError<UnreadableDocuments>()("UnreadableDocuments", {
  folder: Schema.String,
  reason: Schema.Literals(["NotFound", "Unreadable", "Empty"]),
  message: Schema.String
}) {}

// ---------------------------------------------------------------------------------------------------------------
// Making it
// ---------------------------------------------------------------------------------------------------------------

const efforts: { readonly [model: string]: DocumentIndex.Effort & { readonly cites: boolean } } = {
  "offline-small": { sentences: 2, sections: 1, fuzzy: false, cites: false },
  "offline-large": { sentences: 5, sections: 3, fuzzy: true, cites: true }
}

/** Tokens by the ratio that the catalogue gives for both models. */
const ratio = { tokens: { charactersPerToken: 4, perIdeograph: 1 } }

/**
 * Makes a provider of the offline models over documents that are here.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (documents: ReadonlyArray<Document>, options: Options = {}): ModelProvider => {
  const index = DocumentIndex.make(documents)
  const pace = Duration.fromInputUnsafe(options.pace ?? 0)
  return {
    name: options.name ?? "offline",
    call: (request) => {
      const effort = efforts[request.model]
      if (effort === undefined) {
        return Effect.fail(
          new ModelError.ModelError({
            provider: request.provider,
            model: request.model,
            reason: new ModelError.BadRequest({}),
            message: `${request.provider} has no model "${request.model}": use ${Object.keys(efforts).join(" or ")}`
          })
        )
      }
      return Effect.sync(() => {
        const answer = answerTo(request, index, effort)
        return request.delivery === "whole"
          ? Reply.whole<Part.Part>([{ type: "text", text: answer.text }, ...answer.sources, answer.finish])
          : Reply.live(live(answer, pace))
      })
    }
  }
}

/**
 * Makes a provider of the offline models over the Markdown and text files of a folder, those of its subfolders included.
 *
 * ```ts
 * import { Models, OfflineModel } from "@interlock/providers"
 *
 * export const layer = Models.layer([OfflineModel.fromFolder("examples/quickstart/knowledge")])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromFolder = Effect.fnUntraced(function* (
  folder: string,
  options: Options = {}
): Effect.fn.Return<ModelProvider, UnreadableDocuments, FileSystem.FileSystem | Path.Path> {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const unreadable = (reason: UnreadableDocuments["reason"], message: string) =>
    new UnreadableDocuments({ folder, reason, message })
  const names = yield* Effect.mapError(files.readDirectory(folder, { recursive: true }), (error) =>
    error.reason._tag === "NotFound"
      ? unreadable("NotFound", `There is no folder ${folder}: give one with the documents to answer from.`)
      : unreadable("Unreadable", `The folder ${folder} cannot be read: ${error.message}`)
  )
  const readable = names.filter((name) => /\.(?:md|markdown|txt)$/i.test(name)).sort()
  if (readable.length === 0) {
    return yield* unreadable(
      "Empty",
      `The folder ${folder} holds no document to answer from: put .md or .txt files into it.`
    )
  }
  const documents = yield* Effect.forEach(readable, (name) =>
    files.readFileString(path.join(folder, name)).pipe(
      Effect.map((text): Document => ({ name, text })),
      Effect.mapError((error) => unreadable("Unreadable", `${name} in ${folder} cannot be read: ${error.message}`))
    )
  )
  return make(documents, options)
})

// ---------------------------------------------------------------------------------------------------------------
// Answering
// ---------------------------------------------------------------------------------------------------------------

interface Answer {
  readonly text: string
  readonly sources: ReadonlyArray<Part.Part>
  readonly finish: Part.FinishPart
}

const answerTo = (
  request: ModelRequest,
  index: DocumentIndex.DocumentIndex,
  effort: DocumentIndex.Effort & { readonly cites: boolean }
): Answer => {
  const questions = request.prompt.content.filter((message) => message.role === "user").map(Prompt.messageText)
  const question = questions.at(-1) ?? ""
  const findings = search(index, questions, effort)
  const said =
    findings.length === 0 ? [cannotAnswer(question, index.documents.length)] : findings.map((each) => each.sentence)
  const { text, cut } = within(said, request.settings.maxOutputTokens ?? Number.POSITIVE_INFINITY)
  const cited =
    effort.cites && findings.length > 0 ? [...new Map(findings.map((each) => [each.document, each])).values()] : []
  const input = TokenCount.estimatePrompt(ratio, request.prompt)
  const output = TokenCount.estimate(ratio, text)
  const finish = Part.finish(cut ? "length" : "stop", {
    inputTokens: { total: input, uncached: input },
    outputTokens: { total: output, text: output }
  })
  return {
    text,
    sources: cited.map(
      (finding): Part.Part => ({
        type: "source",
        sourceType: "document",
        id: finding.document,
        mediaType: "text/markdown",
        title: finding.title,
        fileName: finding.document
      })
    ),
    finish: Part.annotate(finish, { answered: findings.length > 0 })
  }
}

/** How many of a long message's last sentences and clauses are looked for one by one. */
const pieceLimit = 20

/**
 * Looks for the last message as a whole, for its sentences and for its clauses (the question may stand among a greeting
 * and a story), and takes what holds the most of what it was looked for; failing that, looks for the last message together
 * with the one before it (a follow-up).
 */
const search = (
  index: DocumentIndex.DocumentIndex,
  questions: ReadonlyArray<string>,
  effort: DocumentIndex.Effort
): ReadonlyArray<DocumentIndex.Finding> => {
  const question = questions.at(-1) ?? ""
  const sentences = question.split(/(?<=[.!?;])\s+|(?<=[。！？；])|\n+/u)
  const clauses = question.split(/(?<=[.!?;,])\s+|(?<=[。！？；，])|\n+/u)
  let best = index.find(question, effort)
  for (const piece of new Set([...sentences.slice(-pieceLimit), ...clauses.slice(-pieceLimit)])) {
    const found = index.find(piece, effort)
    if (found.findings.length === 0) continue
    if (best.findings.length === 0 || found.weight * found.coverage > best.weight * best.coverage) best = found
  }
  if (best.findings.length > 0) return best.findings
  const before = questions.at(-2)
  return before === undefined ? [] : index.find(`${before}\n${question}`, effort).findings
}

const cannotAnswer = (question: string, documents: number): string =>
  /[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(question)
    ? `手元の${documents}件の文書では、その質問に答えられません。`
    : /\p{Script=Hangul}/u.test(question)
      ? `가지고 있는 문서 ${documents}건으로는 그 질문에 답할 수 없습니다.`
      : /\p{Script=Han}/u.test(question)
        ? `我手头的 ${documents} 份文档里没有这个问题的答案。`
        : `I cannot answer that from the ${documents} documents I have.`

/** Joins sentences, without a space after Chinese and Japanese ones, and stops at the limit. */
const within = (said: ReadonlyArray<string>, limit: number): { readonly text: string; readonly cut: boolean } => {
  let text = ""
  for (const sentence of said) {
    const glue = text === "" || /[。！？]$/u.test(text) ? "" : " "
    const longer = text + glue + sentence
    if (TokenCount.estimate(ratio, longer) > limit) {
      if (text !== "") return { text, cut: true }
      let shorter = ""
      for (const piece of pieces(sentence)) {
        if (TokenCount.estimate(ratio, shorter + piece) > limit) break
        shorter += piece
      }
      return { text: shorter.trimEnd(), cut: true }
    }
    text = longer
  }
  return { text, cut: false }
}

const words = new Intl.Segmenter("zh", { granularity: "word" })

/** A text in words, each with the spaces and the punctuation before it. */
const pieces = (text: string): ReadonlyArray<string> => {
  const out: Array<string> = []
  let pending = ""
  for (const { segment, isWordLike } of words.segment(text)) {
    pending += segment
    if (isWordLike === true) {
      out.push(pending)
      pending = ""
    }
  }
  if (pending !== "") out.push(pending)
  return out
}

const live = (answer: Answer, pace: Duration.Duration): Stream.Stream<Part.Part> => {
  const deltas = Stream.fromIterable(pieces(answer.text)).pipe(
    Stream.map((delta): Part.Part => ({ type: "text-delta", id: "answer", delta }))
  )
  return Stream.fromIterable<Part.Part>([{ type: "text-start", id: "answer" }]).pipe(
    Stream.concat(
      Duration.isZero(pace) ? deltas : Stream.mapEffect(deltas, (delta) => Effect.delay(Effect.succeed(delta), pace))
    ),
    Stream.concat(
      Stream.fromIterable<Part.Part>([{ type: "text-end", id: "answer" }, ...answer.sources, answer.finish])
    )
  )
}

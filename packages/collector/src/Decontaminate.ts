/**
 * `Decontaminate` keeps evaluation sets out of training data: a text that shares a run of 13 words with one, or is one of its documents
 * as a whole, is found.
 *
 * Runs of 13 words are the measure of Brown et al. 2020 ("Language Models are Few-Shot Learners", appendix C). A document of the set
 * that is shorter, from 8 words on, counts as one run of its own length. In Chinese and Japanese every character is a word.
 *
 * ```ts
 * import * as Decontaminate from "@interlock/collector/Decontaminate"
 *
 * const index = Decontaminate.make([{ name: "trivia", documents: ["Which is the largest ocean?"] }])
 * console.assert(index.find("which is the LARGEST ocean")?.set === "trivia")
 * console.assert(index.find("Which is the largest lake?") === undefined)
 * ```
 *
 * @since 0.1.0
 */
import { Effect, FileSystem, Schema, Stream } from "effect"
import * as Lines from "./internal/lines.ts"
import { grams, hash, joined, wordsOf } from "./internal/text.ts"

/**
 * A named evaluation set, and its file in UTF-8: `.jsonl` with an object a line, `.json`, or text with a document a line.
 *
 * @category models
 * @since 0.1.0
 */
export interface EvaluationFile {
  readonly name: string
  readonly path: string
}

/**
 * A named evaluation set, and its documents.
 *
 * @category models
 * @since 0.1.0
 */
export interface EvaluationSet {
  readonly name: string
  readonly documents: Iterable<string>
}

/**
 * What was found of which set.
 *
 * @category models
 * @since 0.1.0
 */
export interface Match {
  readonly set: string
  /** `run`: at least 13 words in a row, or a whole short document within the text; `document`: the text is the document. */
  readonly how: "run" | "document"
}

/**
 * Evaluation sets, ready to be looked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Index {
  readonly sets: ReadonlyArray<{ readonly name: string; readonly documents: number; readonly runs: number }>
  readonly find: (text: string) => Match | undefined
}

/**
 * An evaluation set cannot be read.
 *
 * @category errors
 * @since 0.1.0
 */
export class EvaluationSetError extends Schema.TaggedError<EvaluationSetError>()(
  "@interlock/collector/EvaluationSetError",
  { name: Schema.String, path: Schema.String, message: Schema.String }
) {}

const runWords = 13
const leastWords = 8
/** Shorter documents say too little to be taken for one. */
const documentWords = 3

const whole = (words: ReadonlyArray<string>): number => {
  const text = words.join(" ")
  return joined(hash(text), hash(text, 0x2f6b5c1d))
}

/**
 * Makes an index of evaluation sets.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (sets: Iterable<EvaluationSet>): Index => {
  const found: Array<{ readonly name: string; readonly documents: number; readonly runs: number }> = []
  const documents = new Map<number, number>()
  const runs = new Map<number, number>()
  const short = new Map<number, Map<number, number>>()
  for (const { documents: texts, name } of sets) {
    const set = found.length
    let count = 0
    const before = runs.size + [...short.values()].reduce((sum, { size }) => sum + size, 0)
    for (const text of texts) {
      const words = wordsOf(text)
      if (words.length < documentWords) continue
      count++
      documents.set(whole(words), set)
      if (words.length >= runWords) for (const gram of grams(words, runWords)) runs.set(gram, set)
      else if (words.length >= leastWords) {
        const same = short.get(words.length) ?? new Map<number, number>()
        short.set(words.length, same)
        same.set(grams(words, words.length)[0]!, set)
      }
    }
    const after = runs.size + [...short.values()].reduce((sum, { size }) => sum + size, 0)
    found.push({ name, documents: count, runs: after - before })
  }
  return {
    sets: found,
    find: (text) => {
      if (documents.size === 0) return undefined
      const words = wordsOf(text)
      const document = documents.get(whole(words))
      if (document !== undefined) return { set: found[document]!.name, how: "document" }
      for (const [size, known] of [[runWords, runs] as const, ...short]) {
        if (known.size === 0) continue
        for (const gram of grams(words, size)) {
          const set = known.get(gram)
          if (set !== undefined) return { set: found[set]!.name, how: "run" }
        }
      }
      return undefined
    }
  }
}

/** What of a row is a document: the field that asks, or every text of it. */
const asking = ["question", "prompt", "problem", "instruction", "input", "query", "text", "sentence", "content"]

const documentsOf = (row: unknown): ReadonlyArray<string> => {
  if (typeof row === "string") return [row]
  if (Array.isArray(row)) return row.flatMap(documentsOf)
  if (typeof row !== "object" || row === null) return []
  const fields = row as { readonly [field: string]: unknown }
  if (Array.isArray(fields["messages"])) return documentsOf(fields["messages"])
  const asked = asking.flatMap((field) => documentsOf(fields[field]))
  return asked.length > 0 ? asked : Object.values(fields).flatMap(documentsOf)
}

/** The JSON values of a file by what its name ends in, or nothing where its lines are the documents. */
const valuesOf = (
  path: string,
  lines: ReadonlyArray<string>
): ReadonlyArray<readonly [string, unknown]> | undefined => {
  const parse = (text: string, where: string): readonly [string, unknown] => {
    try {
      return ["", JSON.parse(text.replace(/^\uFEFF/, ""))]
    } catch {
      return [`${where} is no JSON`, undefined]
    }
  }
  if (/\.json$/i.test(path)) return [parse(lines.join("\n"), "it")]
  if (!/\.(?:jsonl|ndjson)$/i.test(path)) return undefined
  return lines.flatMap((line, index) => (line.trim() === "" ? [] : [parse(line, `line ${index + 1}`)]))
}

/**
 * Reads evaluation sets; the first that cannot be read, or has nothing that could be looked for, fails it.
 *
 * @category reading
 * @since 0.1.0
 */
export const load = Effect.fnUntraced(function* (
  files: ReadonlyArray<EvaluationFile>
): Effect.fn.Return<Index, EvaluationSetError, FileSystem.FileSystem> {
  const system = yield* FileSystem.FileSystem
  const sets: Array<EvaluationSet> = []
  for (const { name, path } of files) {
    const fail = (why: string, cure: string) =>
      new EvaluationSetError({
        name,
        path,
        message: `The evaluation set "${name}" cannot be read from ${path}: ${why}. ${cure}, or leave it out; nothing was asked yet`
      })
    const read = yield* system.stream(path).pipe(
      Lines.lines,
      Stream.runCollect,
      Effect.mapError((error) =>
        fail(error.reason._tag === "NotFound" ? "there is no such file" : error.message, "Give the file as it is named")
      )
    )
    const lines: Array<string> = []
    for (const [index, line] of read.entries()) {
      if (line === undefined) {
        return yield* fail(`line ${index + 1} is not UTF-8`, "Give it as .jsonl, .json or .txt, in UTF-8")
      }
      lines.push(line)
    }
    const values = valuesOf(path, lines)
    const broken = values?.find(([why]) => why !== "")
    if (broken !== undefined) return yield* fail(broken[0], "Correct that")
    const documents = values === undefined ? lines : values.flatMap(([, value]) => documentsOf(value))
    if (documents.every((text) => text.trim() === "")) {
      return yield* fail("there is no text in it", "Give one with a document a line")
    }
    if (documents.every((text) => wordsOf(text).length < documentWords)) {
      return yield* fail(`no document in it has ${documentWords} words`, "Give one whose documents say more")
    }
    sets.push({ name, documents })
  }
  return make(sets)
})

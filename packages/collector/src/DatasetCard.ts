/**
 * The manifest of a dataset, for programs, and its card, for people: what went in and came out at each step, who answered and under
 * which terms, what it cost, what was found of evaluation sets, and the hash of every file.
 *
 * @since 0.1.0
 */
import type { Counts, Spending } from "./Ledger.ts"
import * as TeacherPolicy from "./TeacherPolicy.ts"

/**
 * What there is to say of a dataset.
 *
 * @category models
 * @since 0.1.0
 */
export interface Manifest {
  readonly version: 1
  readonly name: string
  readonly createdAt: string
  /** The SPDX identifier under which the data is given away. */
  readonly licence: string
  /** The file of prompts and its hash, or the ledger of traffic. */
  readonly source: { readonly path: string; readonly sha256?: string }
  readonly counts: Counts
  readonly spending: Spending
  /** The terms of each teacher, and whose word it is that the data may be exported all the same. */
  readonly terms: ReadonlyArray<TeacherPolicy.Terms & { readonly provider: string; readonly model: string }>
  readonly override?: TeacherPolicy.Override
  readonly judge: { readonly name: string; readonly minimumScore: number }
  readonly similarity: { readonly removeFrom: number; readonly groupFrom: number }
  readonly contamination: ReadonlyArray<{
    readonly set: string
    readonly documents: number
    readonly lines: number
    readonly items: number
  }>
  /** Items in each part. */
  readonly splits: { readonly [part: string]: number }
  /** What a writer's form could not say. */
  readonly skipped: { readonly [writer: string]: { readonly [reason: string]: number } }
  readonly files: ReadonlyArray<{
    readonly path: string
    readonly writer?: string
    readonly split?: string
    readonly rows: number
    readonly bytes: number
    readonly sha256: string
  }>
}

const count = (value: number): string => value.toLocaleString("en-US")

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n")

const sizes = [
  [1e3, "n<1K"],
  [1e4, "1K<n<10K"],
  [1e5, "10K<n<100K"],
  [1e6, "100K<n<1M"],
  [1e7, "1M<n<10M"]
] as const

const dollars = (value: number): string => `$${value.toFixed(value >= 1 ? 2 : 6)}`

/**
 * The card, in the form of Hugging Face's dataset cards: https://huggingface.co/docs/hub/datasets-cards.
 *
 * @category printing
 * @since 0.1.0
 */
export const card = (manifest: Manifest): string => {
  const { contamination, counts, files, name, override, spending, terms } = manifest
  const writers = [...new Set(files.flatMap(({ writer }) => (writer === undefined ? [] : [writer])))]
  const front = [
    "---",
    `pretty_name: ${JSON.stringify(name)}`,
    `license: ${manifest.licence.toLowerCase()}`,
    `size_categories: [${(sizes.find(([most]) => counts.samples.kept < most) ?? [0, "n>10M"])[1]}]`,
    "tags: [synthetic, distillation]",
    ...(writers.length === 0 ? [] : ["configs:"]),
    ...writers.flatMap((writer) => [
      `  - config_name: ${writer}`,
      "    data_files:",
      ...files
        .filter((file) => file.writer === writer)
        .flatMap(({ path, split }) => [`      - split: ${split}`, `        path: ${path}`])
    ]),
    "---"
  ]
  const rejected = (reasons: { readonly [reason: string]: number }) =>
    Object.entries(reasons).map(([reason, number]) => [`rejected: ${reason}`, count(number)])
  return `${[
    ...front,
    "",
    `# ${name}`,
    "",
    `Collected ${manifest.createdAt.slice(0, 10)} with Interlock. Personal values were replaced by placeholders before any model was asked.`,
    "",
    "## From line to row",
    "",
    table(
      ["", "rows"],
      [
        ["lines read", count(counts.lines)],
        ...rejected(counts.linesRejected),
        ["prompts", count(counts.items)],
        ["samples asked for", count(Object.values(counts.samples).reduce((sum, number) => sum + number, 0))],
        ...rejected(counts.samplesRejected),
        ["**samples kept**", `**${count(counts.samples.kept)}**`]
      ]
    ),
    "",
    `Judged by \`${manifest.judge.name}\`, kept from a score of ${manifest.judge.minimumScore}. Prompts with a Jaccard similarity of ${manifest.similarity.removeFrom} or more to an earlier one were left out; from ${manifest.similarity.groupFrom} on they are in the same part.`,
    "",
    `Parts: ${Object.entries(manifest.splits)
      .map(([part, items]) => `${part} ${count(items)} prompts`)
      .join(", ")}.`,
    "",
    "## Teachers and terms",
    "",
    table(
      ["teacher", "version", "answers", "training on its answers"],
      spending.teachers.map((teacher) => {
        const own = terms.find(({ model, provider }) => provider === teacher.provider && model === teacher.model)
        return [
          `${teacher.provider}/${teacher.model}`,
          teacher.version ?? "not said",
          count(teacher.answers),
          own === undefined ? "unknown" : `${own.status}: ${TeacherPolicy.describe(own)}`
        ]
      })
    ),
    "",
    ...(override === undefined
      ? []
      : [
          `**Exported on the word of ${override.by}**${
            terms.every(({ status }) => status === "permitted")
              ? ", which no teacher's terms called for"
              : ", though the terms of a teacher restrict it or are not known"
          }: ${override.reason}`,
          ""
        ]),
    `Licence of this data: ${manifest.licence}.`,
    "",
    "## Cost",
    "",
    `${dollars(spending.costUsd)}${spending.costComplete ? "" : " and more (some prices are not known)"} for ${count(spending.tries)} tries, failed ones included; ${count(spending.inputTokens)} tokens in and ${count(spending.outputTokens)} out. ${count(spending.perhapsBilled)} calls were in flight when a run was stopped: the provider may have billed them, and they were made again.`,
    "",
    ...(spending.judge.tries === 0
      ? []
      : [
          `The judge came to ${dollars(spending.judge.costUsd)}${spending.judge.costComplete ? "" : " and more (some prices are not known)"} besides, for ${count(spending.judge.tries)} tries, failed ones included.`,
          ""
        ]),
    "## Evaluation sets",
    "",
    contamination.length === 0
      ? "None was given, so nothing was looked for."
      : table(
          ["set", "documents", "lines left out", "prompts left out after the answer"],
          contamination.map(({ documents, items, lines, set }) => [set, count(documents), count(lines), count(items)])
        ),
    "",
    "A text was left out where it shares 13 words in a row with a document of a set, holds a shorter one of 8 words or more, or is one as a whole.",
    "",
    "## Files",
    "",
    table(
      ["file", "rows", "bytes", "SHA-256"],
      files.map(({ bytes, path, rows, sha256 }) => [path, count(rows), count(bytes), `\`${sha256}\``])
    ),
    ...(writers.some((writer) => writer.endsWith("-reasoning"))
      ? [
          "\nRows of the forms whose names end in `-reasoning` hold what the teacher gave as its reasoning; only the answer was judged."
        ]
      : []),
    ...Object.entries(manifest.skipped).map(
      ([writer, reasons]) =>
        `\n\`${writer}\` left out: ${Object.entries(reasons)
          .map(([reason, number]) => `${count(number)} × ${reason}`)
          .join("; ")}.`
    ),
    "",
    `Source: \`${manifest.source.path}\`${manifest.source.sha256 === undefined ? "" : `, SHA-256 \`${manifest.source.sha256}\``}.`
  ].join("\n")}\n`
}

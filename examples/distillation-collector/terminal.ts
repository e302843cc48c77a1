/** The report as text. */
import type { Collector, Ledger } from "@interlock/collector"

const count = (value: number): string => value.toLocaleString("en-US")

const dollars = ({ costComplete, costUsd }: Pick<Ledger.Spending["judge"], "costUsd" | "costComplete">): string =>
  `$${costUsd.toFixed(6)}${costComplete ? "" : " and more"}`
const times = (value: number, one: string): string => `${count(value)} ${one}${value === 1 ? "" : "s"}`

const said: { readonly [reason: string]: string } = {
  UnreadableRow: "not a prompt",
  DuplicatePrompt: "the same prompt again",
  Contaminated: "in an evaluation set",
  Failed: "no answer",
  Refused: "the teacher refuses",
  Rambling: "the teacher rambles",
  CutOff: "cut off",
  Empty: "empty",
  LowScore: "below the judge's mark",
  NotJudged: "not judged",
  DuplicateAnswer: "the same answer again",
  ExactDuplicate: "the same prompt, once redacted",
  NearDuplicate: "nearly the same prompt"
}

const columns = (rows: ReadonlyArray<readonly [string, string]>): string => {
  const [name, value] = [0, 1].map((at) => Math.max(...rows.map((row) => row[at]!.length)))
  return rows.map((row) => `  ${row[0].padEnd(name!)}  ${row[1].padStart(value!)}`).join("\n")
}

const reasons = (found: { readonly [reason: string]: number }): ReadonlyArray<readonly [string, string]> =>
  Object.entries(found).map(([reason, number]) => [`  − ${said[reason] ?? reason}`, count(number)])

export const render = (
  { counts, manifest, spending }: Collector.Report,
  directory: string,
  stopped?: string
): string => {
  const samples = Object.values(counts.samples).reduce((sum, number) => sum + number, 0)
  const { answered, calling, failed, judged, planned } = counts.samples
  const open: ReadonlyArray<readonly [string, number]> = [
    ["  − to be asked", planned + calling + failed],
    ["  − answered, not judged", answered],
    ["  − judged, not looked through", judged]
  ]
  const blocks = [
    `From line to row\n${columns([
      ["lines read", count(counts.lines)],
      ...reasons(counts.linesRejected),
      ["prompts", count(counts.items)],
      ["samples", count(samples)],
      ...reasons(counts.samplesRejected),
      ...open.flatMap(([name, number]) => (number === 0 ? [] : [[name, count(number)] as const])),
      ["samples kept", count(counts.samples.kept)]
    ])}`,
    `Teachers\n${columns([
      ...spending.teachers.map(
        ({ answers, model, provider, version }) =>
          [`${provider}/${model}${version === undefined ? "" : ` (${version})`}`, times(answers, "answer")] as const
      ),
      ["tries, failed ones included", count(spending.tries)],
      ["tokens", `${count(spending.inputTokens)} in, ${count(spending.outputTokens)} out`],
      ["cost", dollars(spending)],
      ["in flight when stopped, perhaps billed twice", count(spending.perhapsBilled)]
    ])}`,
    ...(spending.judge.tries === 0
      ? []
      : [
          `Judge\n${columns([
            ["tries, failed ones included", count(spending.judge.tries)],
            ["cost, besides the teachers'", dollars(spending.judge)]
          ])}`
        ]),
    ...(manifest === undefined
      ? []
      : [
          ...(manifest.contamination.length === 0
            ? []
            : [
                `Evaluation sets\n${columns(
                  manifest.contamination.map(({ documents, items, lines, set }) => [
                    `${set} (${times(documents, "document")})`,
                    `${count(lines + items)} left out`
                  ])
                )}`
              ]),
          `Written to ${directory}/dataset\n${columns(
            manifest.files.map(({ path, rows }) => [path, times(rows, "row")])
          )}\n\nThe card: ${directory}/dataset/README.md\nThe report: ${directory}/report.json`
        ]),
    ...(stopped === undefined ? [] : [`Not finished: ${stopped}`])
  ]
  return blocks.join("\n\n")
}

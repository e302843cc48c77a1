/** The report as text. */
import { Report } from "@interlock/workload"
import { type labelling, type Run, type Score, scoreOf } from "./study.ts"

/** Everything that the two reports say. */
export interface Findings {
  readonly desk: Run
  readonly stopped: boolean
  readonly labels: ReturnType<typeof labelling>
  /** The other ways, where they were run: empty with a provider that costs money, unless `--compare` asks for it. */
  readonly scores: ReadonlyArray<Score>
  readonly provider: string
}

export const percent = (share: number): string => (Number.isNaN(share) ? "–" : `${(100 * share).toFixed(1)} %`)

/** A difference of shares, in points. */
export const points = (from: number, to: number): string =>
  Number.isNaN(to - from) ? "–" : `${to >= from ? "+" : "−"}${Math.abs(100 * (to - from)).toFixed(1)}`

/** Four digits, and six for a few tickets, which cost next to nothing. */
export const dollars = (value: number): string => `$${value.toFixed(value !== 0 && value < 0.001 ? 6 : 4)}`

/** The cost beside that of always asking the strong model. */
export const change = (score: Score, strong: Score): string => {
  const share = strong.costUsd === 0 ? 0 : score.costUsd / strong.costUsd - 1
  return `${share > 0 ? "+" : share < 0 ? "−" : "±"}${Math.abs(100 * share).toFixed(1)} %`
}

/** What the goals of this example were, and whether this run reached them. */
export const goals = ({
  desk,
  labels,
  provider,
  scores,
  stopped
}: Findings): ReadonlyArray<readonly [string, string, boolean | undefined]> => {
  const own = scoreOf(desk)
  const strong = scores.find(({ name }) => name === "always strong")
  const meanMs = desk.results.reduce((sum, { latencyMs }) => sum + latencyMs, 0) / Math.max(1, desk.results.length)
  return [
    labels.count === 0
      ? ["classification ≥ 92 %", "the tickets have no labels", undefined]
      : ["classification ≥ 92 %", percent(labels.accuracy), labels.accuracy >= 0.92],
    [
      "mean answer under 1.2 s",
      provider === "offline"
        ? `${meanMs.toFixed(0)} ms, but the offline model answers at once: this is the pipeline's own time, and shows nothing about a real model`
        : `${meanMs.toFixed(0)} ms`,
      provider === "offline" ? undefined : meanMs < 1200
    ],
    strong === undefined
      ? [
          "cost −76 % beside always strong",
          stopped ? "not compared: stopped before the end" : "not compared: --compare runs the other ways too",
          undefined
        ]
      : [
          "cost −76 % beside always strong",
          `${change(own, strong)}, ${Number.isNaN(own.right) ? "the answers were not graded" : `at ${percent(own.right)} right answers instead of ${percent(strong.right)}`}`,
          // A low price for nobody knows what is no goal reached.
          Number.isNaN(own.right) ? undefined : own.costUsd <= 0.24 * strong.costUsd
        ]
  ]
}

/** What the cache, the routing and the limits changed, each added to the one before. */
export const steps = (findings: Findings): ReadonlyArray<readonly [string, Score, Score]> => {
  const find = (name: string): Score | undefined => findings.scores.find((score) => score.name === name)
  const [strong, cached, routed] = [find("always strong"), find("cache alone"), find("cache and routing")]
  if (strong === undefined || cached === undefined || routed === undefined) return []
  return [
    ["the cache", strong, cached],
    ["then the routing", cached, routed],
    ["then the limits", routed, scoreOf(findings.desk)]
  ]
}

/** A line of the width of a terminal, and what does not fit below it. */
const folded = (text: string, indent: string, width = 80): string => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.match(/^ *\S+|\S+/g) ?? []) {
    if (line === "") line = word
    else if (line.length + 1 + word.length <= width) line += ` ${word}`
    else {
      lines.push(line)
      line = `${indent}${word}`
    }
  }
  return [...lines, line].join("\n")
}

const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
  return rows
    .map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join("  "))
    .map((line) => `  ${line.trimEnd()}`)
    .join("\n")
}

export const render = (findings: Findings): string => {
  const { desk, labels, scores } = findings
  const own = scoreOf(desk)
  const strong = scores.find(({ name }) => name === "always strong")
  const mark = (met: boolean | undefined) => (met === undefined ? "?" : met ? "✓" : "✗")
  const blocks = [
    Report.table(desk.report),
    `Goals\n${goals(findings)
      .map(([goal, found, met]) => folded(`  ${mark(met)} ${goal}: ${found}`, "    "))
      .join("\n")}`,
    ...(labels.count === 0
      ? []
      : [
          `Labels (${labels.count} tickets; ${percent(labels.distinctAccuracy)} of the ${labels.distinct} that differ)\n${columns(
            labels.rows.map(({ accuracy, count, label }) => [label, `${count}`, percent(accuracy)])
          )}`
        ]),
    ...(strong === undefined
      ? []
      : [
          `Beside the other ways\n${columns([
            ["", "cost", "change", "calls", "right", "declined", "refused"],
            ...[...scores, own].map((score) => [
              score.name,
              dollars(score.costUsd),
              change(score, strong),
              `${score.modelCalls}`,
              percent(score.right),
              percent(score.declined),
              `${score.refused}`
            ])
          ])}`,
          `What each contributed, in this order\n${columns([
            ["", "cost", "right answers, points"],
            ...steps(findings).map(([name, from, to]) => [
              name,
              `${points(from.costUsd / strong.costUsd, to.costUsd / strong.costUsd)} %`,
              points(from.right, to.right)
            ])
          ])}`
        ]),
    `Limits refused ${own.refused} calls; ${own.refusedWrongly} of them had an answer.`,
    `Of ${desk.planted} personal values in the tickets, ${desk.leaked.length} reached a model in ${desk.sent} calls${
      desk.leaked.length === 0 ? "." : `: ${desk.leaked.slice(0, 5).join("; ")}`
    }`,
    `Audit log: ${desk.audit.verified} of ${desk.audit.records} records verified${desk.audit.valid ? "." : ", and it is NOT as it was signed."}`
  ]
  return blocks.join("\n\n")
}

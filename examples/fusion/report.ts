/** What came of it: as text, as a page in Markdown, and as JSON. */
import type { Measured } from "@interlock/stages/fuse/gate"

/** What became of one question under one strategy. */
export interface Row {
  readonly id: string
  readonly question: string
  readonly answer: string | undefined
  readonly fused: number
  readonly winner: string | undefined
  /** What each member said, and its grade. */
  readonly members: { readonly [member: string]: { readonly text: string | undefined; readonly grade: number } }
}

/** One strategy over all questions. */
export interface Study {
  readonly strategy: string
  readonly rows: ReadonlyArray<Row>
  readonly measured: Measured
  /** What the gate says: `undefined` where it passes. */
  readonly refused: string | undefined
  readonly failed: ReadonlyArray<string>
}

export interface Findings {
  readonly studies: ReadonlyArray<Study>
  readonly judge: string
  /** Of each member on all questions, in US dollars. */
  readonly costs: { readonly [member: string]: number }
  readonly stopped: boolean
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const points = (share: number): string => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`
const dollars = (value: number): string => `$${value.toFixed(4)}`

const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
  return rows
    .map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join("   "))
    .map((line) => `  ${line.trimEnd()}`)
    .join("\n")
}

const memberRows = ({ costs, studies }: Findings): ReadonlyArray<ReadonlyArray<string>> => {
  const [{ measured }] = studies as [Study]
  return [
    ["", "right", "cost"],
    ...Object.entries(measured.members).map(([name, right]) => [name, percent(right), dollars(costs[name] ?? 0)]),
    ["whichever is right", percent(measured.oracle), dollars(Object.values(costs).reduce((sum, each) => sum + each, 0))]
  ]
}

const strategyRows = ({ studies }: Findings): ReadonlyArray<ReadonlyArray<string>> => [
  ["", "right", "gain", "sure of", "pays"],
  ...studies.map(({ measured, refused, strategy }) => [
    strategy,
    percent(measured.fused),
    points(measured.gain),
    points(measured.lowerBound),
    refused === undefined ? "yes" : "no"
  ])
]

/** What the gate says of the first strategy. */
const verdict = ({ studies }: Findings): string => {
  const [{ measured, refused, strategy }] = studies as [Study]
  return refused === undefined
    ? `The gate passes: ${strategy} is right on ${percent(measured.fused)}, ${points(measured.gain)} points beside ${measured.bestMember} alone, and at least ${points(measured.lowerBound)} with 95 % confidence.`
    : `The gate refuses ${strategy}: ${refused}.`
}

export const table = (findings: Findings): string =>
  findings.studies.length === 0
    ? "Nothing was asked to its end."
    : [
        `Members alone, on ${findings.studies[0]!.measured.rows} questions\n${columns(memberRows(findings))}`,
        `Fused (${findings.judge}), in points beside ${findings.studies[0]!.measured.bestMember}\n${columns(strategyRows(findings))}`,
        verdict(findings),
        ...findings.studies.flatMap(({ failed }) => failed),
        ...(findings.stopped ? ["Stopped before the end."] : [])
      ].join("\n\n")

const markdown = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const [head, ...rest] = rows as [ReadonlyArray<string>, ...Array<ReadonlyArray<string>>]
  return [head, head.map(() => "---"), ...rest]
    .map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`)
    .join("\n")
}

export const page = (findings: Findings): string => {
  const [study] = findings.studies
  if (study === undefined) return "# Fusion\n\nNothing was asked to its end.\n"
  const names = Object.keys(study.measured.members)
  return `${[
    "# Fusion",
    `${verdict(findings)} Judged by ${findings.judge}.${findings.stopped ? " **Stopped before the end.**" : ""}`,
    "## Members alone",
    markdown(memberRows(findings)),
    "## Fused",
    markdown(strategyRows(findings)),
    `## Every question, by ${study.strategy}`,
    markdown([
      ["question", "answer", "of", "right", ...names],
      ...study.rows.map(({ answer, fused, members, question, winner }) => [
        question,
        answer ?? "–",
        winner ?? "–",
        fused === 1 ? "✓" : "✗",
        ...names.map((name) => `${members[name]?.grade === 1 ? "✓" : "✗"} ${members[name]?.text ?? "–"}`)
      ])
    ])
  ].join("\n\n")}\n`
}

export const json = (findings: Findings): string => `${JSON.stringify(findings, null, 1)}\n`

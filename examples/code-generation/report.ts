/** What came of a run: as a table, as a page in Markdown, and as JSON. */
import { best, type Candidate } from "./repair.ts"
import type { Requirement } from "./requirement.ts"

/** What came of one requirement. */
export interface Result {
  readonly requirement: Requirement
  /** In the order in which they were given; none where no model could be asked. */
  readonly candidates: ReadonlyArray<Candidate>
  /** Why there is none. */
  readonly failure?: string
  readonly costUsd: number
}

export interface Findings {
  readonly results: ReadonlyArray<Result>
  readonly provider: string
  /** What contained the code. */
  readonly sandbox: ReadonlyArray<string>
  readonly stopped: boolean
}

const isMet = ({ candidates }: Result): boolean => candidates.some(({ reason }) => reason === "Passed")

const dollars = (value: number): string => `$${value.toFixed(4)}`

const rowOf = (result: Result): ReadonlyArray<string> => {
  const { candidates, costUsd, requirement } = result
  const found = best(candidates)
  const passed = found?.tests.filter(({ outcome }) => outcome === "passed").length ?? 0
  return [
    requirement.id,
    `${candidates.length}`,
    `${candidates.filter(({ kind }) => kind === "repair").length}`,
    isMet(result) ? "yes" : "no",
    `${passed} of ${requirement.tests.length}`,
    dollars(costUsd)
  ]
}

const heads = ["requirement", "candidates", "repairs", "passed", "tests", "cost"]

const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = heads.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
  return rows
    .map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join("   "))
    .map((line) => `  ${line.trimEnd()}`)
    .join("\n")
}

/** What was wrong with candidates, by reason, most frequent first. */
const wrongs = ({ results }: Findings): ReadonlyArray<readonly [string, number]> => {
  const counts = new Map<string, number>()
  for (const { candidates } of results) {
    for (const { reason } of candidates) if (reason !== "Passed") counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
  return [...counts].sort(([, one], [, other]) => other - one)
}

const summary = (findings: Findings): string => {
  const { results } = findings
  const met = results.filter(isMet)
  const first = met.filter(({ candidates }) => candidates[0]?.reason === "Passed").length
  const repaired = met.filter(({ candidates }) => candidates.at(-1)?.kind === "repair").length
  const judged = results.reduce((sum, { candidates }) => sum + candidates.length, 0)
  return [
    `${met.length} of ${results.length} requirements met: ${first} by the first answer, ${met.length - first - repaired} by another, ${repaired} after a repair.`,
    `${judged} candidates were checked. What was wrong: ${
      wrongs(findings)
        .map(([reason, count]) => `${reason} ${count}`)
        .join(", ") || "nothing"
    }.`
  ].join("\n")
}

export const table = (findings: Findings): string => {
  const total = findings.results.reduce((sum, { costUsd }) => sum + costUsd, 0)
  const failures = findings.results.flatMap(({ failure, requirement }) =>
    failure === undefined ? [] : [`  ${requirement.id} failed: ${failure}`]
  )
  return [
    columns([heads, ...findings.results.map(rowOf), ["in all", "", "", "", "", dollars(total)]]),
    [...failures, summary(findings), ...(findings.stopped ? ["Stopped before the end."] : [])].join("\n"),
    `The code ran under: ${findings.sandbox.join("; ")}.`
  ].join("\n\n")
}

/** A fence that nothing in the code closes. */
const fenced = (code: string, language: string): string => {
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = "`".repeat(longest + 1)
  return `${fence}${language}\n${code}\n${fence}`
}

export const page = (findings: Findings): string =>
  [
    "# Code generation",
    `${summary(findings)} Answers came from ${findings.provider}.${findings.stopped ? " **Stopped before the end.**" : ""}`,
    [heads, heads.map(() => "---"), ...findings.results.map(rowOf)].map((row) => `| ${row.join(" | ")} |`).join("\n"),
    ...findings.results.flatMap((result) => [
      `## ${result.requirement.id}`,
      fenced(result.requirement.text, "text"),
      ...(result.failure === undefined ? [] : [fenced(result.failure, "text")]),
      ...result.candidates.flatMap(({ code, kind, message, reason }, index) => [
        `### ${index + 1}: ${kind}, ${reason}`,
        ...(message === "" ? [] : [fenced(message, "text")]),
        fenced(code, "ts")
      ])
    ])
  ].join("\n\n")

export const json = (findings: Findings): string =>
  `${JSON.stringify(
    {
      provider: findings.provider,
      sandbox: findings.sandbox,
      stopped: findings.stopped,
      met: findings.results.filter(isMet).length,
      requirements: findings.results.map(({ candidates, costUsd, failure, requirement }) => ({
        id: requirement.id,
        passed: candidates.some(({ reason }) => reason === "Passed"),
        ...(failure === undefined ? {} : { failure }),
        costUsd,
        best: best(candidates)?.code,
        candidates
      }))
    },
    null,
    1
  )}\n`

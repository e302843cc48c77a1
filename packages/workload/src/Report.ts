/**
 * A `Report` says what a workload came to: calls, tokens, cost and latency, as a table for people and as JSON for programs.
 *
 * @since 0.1.0
 */
import type { Journal } from "@interlock/model"
import Table from "cli-table3"
import { quantileSorted } from "simple-statistics"

/**
 * How one call of a workload ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outcome {
  readonly line: number
  readonly id: string
  /** Absent when the call failed. */
  readonly text?: string
  /** The tag of the error, absent when the call was answered. */
  readonly failure?: string
  readonly message?: string
  readonly latencyMs: number
  readonly events: ReadonlyArray<Journal.Event>
}

/**
 * What a workload came to. Latencies in milliseconds, cost in US dollars; `costComplete` is false when the price of some call
 * is not known, and the cost is then of the others.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly calls: number
  readonly answered: number
  readonly failed: number
  readonly badLines: number
  readonly stopped: boolean
  readonly attempts: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costUsd: number
  readonly costComplete: boolean
  readonly savedUsd: number
  readonly cacheHits: number
  readonly redactions: number
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number }
  readonly models: { readonly [model: string]: number }
  /**
   * What `selectModel` expected the calls that it chose for to cost, beside what they were expected to cost with always the strong
   * model, always the cheapest, or one by chance. Absent where it predicted no costs.
   */
  readonly routing?: Routing
  readonly failures: { readonly [tag: string]: number }
}

/**
 * Predicted costs of the calls for which a model was chosen, in US dollars.
 *
 * @category models
 * @since 0.1.0
 */
export interface Routing {
  readonly calls: number
  readonly chosenUsd: number
  readonly alwaysStrongUsd: number
  readonly alwaysCheapUsd: number
  readonly randomUsd: number
}

const hits = new Set(["exact", "semantic", "coalesced", "stale"])

/**
 * Sums outcomes up.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  outcomes: ReadonlyArray<Outcome>,
  options: { readonly badLines?: number; readonly stopped?: boolean } = {}
): Report => {
  const models: { [model: string]: number } = {}
  const failures: { [tag: string]: number } = {}
  let [attempts, inputTokens, outputTokens, costUsd, savedUsd, cacheHits, redactions, answered] = [
    0, 0, 0, 0, 0, 0, 0, 0
  ]
  let costComplete = true
  const routing = { calls: 0, chosenUsd: 0, alwaysStrongUsd: 0, alwaysCheapUsd: 0, randomUsd: 0 }
  for (const outcome of outcomes) {
    if (outcome.failure === undefined) answered++
    else failures[outcome.failure] = (failures[outcome.failure] ?? 0) + 1
    for (const event of outcome.events) {
      if (event._tag === "Attempt") {
        attempts++
        inputTokens += event.usage?.inputTokens.total ?? 0
        outputTokens += event.usage?.outputTokens.total ?? 0
        if (event.costUsd === undefined) costComplete = false
        else costUsd += event.costUsd
        models[`${event.provider}/${event.model}`] = (models[`${event.provider}/${event.model}`] ?? 0) + 1
      }
      if (event._tag === "Cache" && hits.has(event.outcome)) {
        cacheHits++
        savedUsd += event.savedUsd ?? 0
      }
      if (event._tag === "Fact" && event.stage === "selectModel" && event.name === "ChosenModel") {
        const { alwaysCheapUsd, alwaysStrongUsd, predictedCostUsd, randomUsd } = event.attributes
        if (
          typeof predictedCostUsd === "number" &&
          typeof alwaysStrongUsd === "number" &&
          typeof alwaysCheapUsd === "number" &&
          typeof randomUsd === "number"
        ) {
          routing.calls++
          routing.chosenUsd += predictedCostUsd
          routing.alwaysStrongUsd += alwaysStrongUsd
          routing.alwaysCheapUsd += alwaysCheapUsd
          routing.randomUsd += randomUsd
        }
      }
      if (event._tag === "Redaction") for (const count of Object.values(event.counts)) redactions += count
    }
  }
  const latencies = outcomes.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b)
  const at = (share: number) => (latencies.length === 0 ? 0 : quantileSorted(latencies, share))
  return {
    calls: outcomes.length,
    answered,
    failed: outcomes.length - answered,
    badLines: options.badLines ?? 0,
    stopped: options.stopped ?? false,
    attempts,
    inputTokens,
    outputTokens,
    costUsd,
    costComplete,
    savedUsd,
    cacheHits,
    redactions,
    latencyMs: { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: latencies.at(-1) ?? 0 },
    models,
    ...(routing.calls === 0 ? {} : { routing }),
    failures
  }
}

const count = (value: number): string => value.toLocaleString("en-US")
const money = (value: number): string => `$${value.toFixed(value >= 1 ? 2 : 6)}`
const milliseconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`

/**
 * The report as a table.
 *
 * @category printing
 * @since 0.1.0
 */
export const table = (report: Report): string => {
  const rows: Array<readonly [string, string]> = [
    ["Calls", `${count(report.calls)} (${count(report.answered)} answered, ${count(report.failed)} failed)`],
    ["Model calls", count(report.attempts)],
    ["Cache hits", count(report.cacheHits)],
    ["Values redacted", count(report.redactions)],
    ["Tokens", `${count(report.inputTokens)} in, ${count(report.outputTokens)} out`],
    ["Cost", `${money(report.costUsd)}${report.costComplete ? "" : " (some prices are not known)"}`],
    ["Saved by cache", money(report.savedUsd)],
    [
      "Latency",
      `p50 ${milliseconds(report.latencyMs.p50)}, p90 ${milliseconds(report.latencyMs.p90)}, p99 ${milliseconds(report.latencyMs.p99)}, max ${milliseconds(report.latencyMs.max)}`
    ],
    // With one model to choose from there is nothing to compare.
    ...(report.routing === undefined || report.routing.alwaysStrongUsd === report.routing.alwaysCheapUsd
      ? []
      : ([
          ["Predicted cost", `${money(report.routing.chosenUsd)} for ${count(report.routing.calls)} routed calls`],
          ["  always strong", money(report.routing.alwaysStrongUsd)],
          ["  always cheapest", money(report.routing.alwaysCheapUsd)],
          ["  by chance", money(report.routing.randomUsd)]
        ] as const)),
    ...Object.entries(report.models).map(([model, calls]) => [`Model ${model}`, `${count(calls)} calls`] as const),
    ...Object.entries(report.failures).map(([tag, times]) => [`Failed with ${tag}`, count(times)] as const),
    ...(report.badLines === 0 ? [] : [["Lines not read", count(report.badLines)] as const]),
    ...(report.stopped ? [["Stopped", "before the end"] as const] : [])
  ]
  const drawn = new Table({
    style: { head: [], border: [] },
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" }
  })
  for (const [name, value] of rows) drawn.push([name, value])
  return drawn.toString()
}

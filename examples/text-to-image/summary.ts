/** What a run came to. */
import type { ModelReference } from "@interlock/model"
import { Report } from "@interlock/workload"
import type { Result } from "./run.ts"

/** What a run came to, for people and for programs. */
export interface Summary {
  readonly prompts: number
  readonly pictures: number
  readonly refused: number
  readonly failed: number
  readonly badLines: number
  readonly stopped: boolean
  readonly modelCalls: number
  /** Model calls by step, and the pictures that were looked at. */
  readonly calls: { readonly [model: string]: number }
  /** Answers that came from the folder of steps. */
  readonly kept: number
  readonly scored: number
  readonly costUsd: number
  readonly savedUsd: number
  readonly redactions: number
  readonly personal: number
  readonly leaked: number
  readonly leakage: string
  readonly audit: { readonly valid: boolean; readonly records: number; readonly verified: number }
  readonly writer: string
  readonly painter: string
}

const named = ({ model, provider }: ModelReference) => `${provider}/${model}`

/** Of a name, half is too much; of a number, the whole counts. */
const partsOf = (value: string): ReadonlyArray<string> => (/[\d@]/.test(value) ? [value] : value.split(" "))

export const summarise = (
  results: ReadonlyArray<Result>,
  more: {
    readonly badLines: number
    readonly stopped: boolean
    readonly sent: ReadonlyArray<string>
    readonly audit: Summary["audit"]
    readonly writer: ModelReference
    readonly painter: ModelReference
  }
): Summary => {
  const outcomes = results.flatMap(({ outcome }) => (outcome === undefined ? [] : [outcome]))
  // What a prompt that was stopped had cost by then is paid too.
  const paid = results.map(({ asked, events, outcome }) => outcome ?? { ...asked, text: "", latencyMs: 0, events })
  const report = Report.make(paid, { badLines: more.badLines, stopped: more.stopped })
  const personal = results.flatMap(({ asked }) => asked.personal)
  const leaked = personal.filter((value) =>
    partsOf(value).some((part) => more.sent.some((text) => text.includes(part)))
  )
  const events = paid.flatMap((outcome) => outcome.events)
  const refused = outcomes.filter(({ failure }) => failure === "PolicyRefusal").length
  return {
    prompts: results.length,
    pictures: results.reduce((sum, { steps }) => sum + (steps.draw?.pictures.length ?? 0), 0),
    refused,
    failed: report.failed - refused,
    badLines: more.badLines,
    stopped: more.stopped,
    modelCalls: report.attempts,
    calls: report.models,
    kept: report.cacheHits,
    scored: events.filter((event) => event._tag === "Fact" && event.name === "Worked").length,
    costUsd: report.costUsd,
    savedUsd: report.savedUsd,
    redactions: report.redactions,
    personal: personal.length,
    leaked: leaked.length,
    leakage: `Of ${personal.length} personal values in the prompts, ${leaked.length} reached a model in ${more.sent.length} calls.`,
    audit: more.audit,
    writer: named(more.writer),
    painter: named(more.painter)
  }
}

/** Runs tickets through the desk in one way or another, and sums up what came of them. */
import { Caller, Prompt, RawPrompt } from "@interlock/model"
import { AuditLog } from "@interlock/stages/audit"
import * as Disk from "@interlock/stages/audit/disk"
import { verify } from "@interlock/stages/audit/verify"
import { Report, Workload } from "@interlock/workload"
import { Context, Effect } from "effect"
import { desired, desk, instructions, pair, services, type Way, Witness } from "./desk.ts"
import type { Ticket } from "./ticket.ts"

/** What became of a ticket. */
export interface Result {
  readonly ticket: Ticket
  readonly answer: string | undefined
  /** The tag of the error that refused or failed it. */
  readonly failure: string | undefined
  /** What the error says. */
  readonly message: string | undefined
  readonly label: string
  readonly model: string
  readonly cached: boolean
  readonly costUsd: number
  readonly latencyMs: number
  /** Of what a right answer must say, the share that was said; `undefined` where nobody said what is right. */
  readonly said: number | undefined
  /** Everything that must be said was said, or it was said that there is no answer. */
  readonly right: boolean | undefined
}

/** Tickets in one way. */
export interface Run {
  readonly way: Way
  readonly results: ReadonlyArray<Result>
  readonly report: Report.Report
  readonly redactions: { readonly [type: string]: number }
  readonly outcomes: { readonly [outcome: string]: number }
  /** Personal values that the tickets hold, and those of them that reached a model. */
  readonly planted: number
  readonly leaked: ReadonlyArray<string>
  readonly sent: number
  readonly outputTokens: { readonly cheap: number; readonly strong: number }
  readonly audit: { readonly valid: boolean; readonly records: number; readonly verified: number }
}

const declined = /\b(?:cannot|can't|unable to) answer\b|没有这个问题的答案|无法回答/i

const grade = (ticket: Ticket, answer: string | undefined): Pick<Result, "said" | "right"> => {
  if (ticket.says === undefined) return { said: undefined, right: undefined }
  if (ticket.says.length === 0) return { said: undefined, right: answer === undefined || declined.test(answer) }
  const text = (answer ?? "").toLowerCase()
  const said = ticket.says.filter((each) => text.includes(each.toLowerCase())).length / ticket.says.length
  return { said, right: said === 1 }
}

const factOf = (outcome: Report.Outcome, stage: string, name: string): string | undefined => {
  for (const event of outcome.events) {
    if (event._tag === "Fact" && event.stage === stage) return String(event.attributes[name])
  }
  return undefined
}

const resultOf = (ticket: Ticket, outcome: Report.Outcome): Result => {
  let costUsd = 0
  for (const event of outcome.events) if (event._tag === "Attempt") costUsd += event.costUsd ?? 0
  return {
    ticket,
    answer: outcome.text,
    failure: outcome.failure,
    message: outcome.message,
    label: factOf(outcome, "classify", "label") ?? "unknown",
    model: factOf(outcome, "selectModel", "model") ?? "",
    cached: outcome.events.some(
      (event) => event._tag === "Cache" && ["exact", "coalesced", "semantic", "stale"].includes(event.outcome)
    ),
    costUsd,
    latencyMs: outcome.latencyMs,
    ...grade(ticket, outcome.text)
  }
}

/** Of a name, half is too much; of a number, the whole counts. */
const partsOf = (value: string): ReadonlyArray<string> => (/[\d@]/.test(value) ? [value] : value.split(" "))

const counted = (names: Iterable<string>): { readonly [name: string]: number } => {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

/** Runs the tickets in one way, `concurrency` at a time. `finish` sees what is there when all is done, or on an interrupt. */
export const run = <A, E, R>(
  tickets: ReadonlyArray<Ticket>,
  options: { readonly way?: Way; readonly concurrency?: number },
  finish: (run: Run, stopped: boolean) => Effect.Effect<A, E, R>
) => {
  const way = options.way ?? desired
  const disk = Disk.memory()
  const byId = new Map(tickets.map((ticket) => [ticket.id, ticket]))
  return Effect.gen(function* () {
    const { cheap, provider, strong } = yield* pair
    const system = yield* instructions(provider)
    const log = yield* AuditLog
    const seen = yield* Witness
    const sumUp = Effect.fnUntraced(function* (
      outcomes: ReadonlyArray<Report.Outcome>,
      stopped: boolean,
      interrupted: ReadonlyArray<Report.Outcome>
    ) {
      const ordered = [...outcomes].sort((a, b) => a.line - b.line)
      const events = ordered.flatMap((outcome) => outcome.events)
      const redactions: Record<string, number> = {}
      const outputTokens = { cheap: 0, strong: 0 }
      for (const event of events) {
        if (event._tag === "Redaction") {
          for (const [type, count] of Object.entries(event.counts)) redactions[type] = (redactions[type] ?? 0) + count
        }
        if (event._tag === "Attempt") {
          const kind = event.model === strong ? "strong" : event.model === cheap ? "cheap" : undefined
          if (kind !== undefined) outputTokens[kind] += event.usage?.outputTokens.total ?? 0
        }
      }
      const leaked = seen.flatMap(({ text, ticket }) =>
        (byId.get(ticket)?.personal ?? [])
          .filter((value) => partsOf(value).some((part) => text.includes(part)))
          .map((value) => `${ticket}: ${value}`)
      )
      const checkpoint = yield* log.checkpoint
      const verified = yield* verify({ disk, directory: "audit", verifier: log.verifier, trusted: [checkpoint] })
      return yield* finish(
        {
          way,
          results: ordered.map((outcome) => resultOf(byId.get(outcome.id)!, outcome)),
          // What was under way is no answer, and is paid for.
          report: Report.make([...ordered, ...interrupted], { stopped }),
          redactions,
          outcomes: counted(events.flatMap((event) => (event._tag === "Cache" ? [event.outcome] : []))),
          planted: ordered.reduce((sum, { id }) => sum + (byId.get(id)?.personal?.length ?? 0), 0),
          leaked,
          sent: seen.length,
          outputTokens,
          audit: { valid: verified.valid, records: verified.size, verified: verified.verified }
        },
        stopped
      )
    })
    return yield* Workload.run(
      tickets.map((ticket, index) => ({ line: index + 1, id: ticket.id, prompt: ticket.prompt })),
      {
        concurrency: options.concurrency ?? 8,
        ask: (prompt, id) =>
          desk.run(
            Context.make(
              RawPrompt,
              Prompt.make([
                ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
                { role: "user", content: prompt }
              ])
            ).pipe(Context.add(Caller, { tenant: "brisa", subject: byId.get(id)!.customer, conversation: id }))
          )
      },
      (outcomes, stopped, interrupted) => Effect.orDie(sumUp(outcomes, stopped, interrupted))
    )
  }).pipe(Effect.provide(services(way, disk)))
}

// ---------------------------------------------------------------------------------------------------------------
// Comparing
// ---------------------------------------------------------------------------------------------------------------

/** What a run comes to: cost in US dollars, the share of answerable tickets that were answered rightly. */
export interface Score {
  readonly name: string
  readonly costUsd: number
  readonly modelCalls: number
  readonly right: number
  readonly said: number
  /** Of what the desk is not for, the share that got no made-up answer. */
  readonly declined: number
  /** Tickets that a limit refused, and how many of them had an answer. */
  readonly refused: number
  readonly refusedWrongly: number
}

/** Not a number where there are none: where nobody said what is right, nothing is graded. */
const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

export const scoreOf = (run: Run): Score => {
  const answerable = run.results.filter(({ said }) => said !== undefined)
  const strange = run.results.filter(({ right, said }) => right !== undefined && said === undefined)
  const refused = run.results.filter(({ failure }) => failure === "LimitError")
  return {
    name: run.way.name,
    costUsd: run.report.costUsd,
    modelCalls: run.report.attempts,
    right: mean(answerable.map(({ right }) => (right === true ? 1 : 0))),
    said: mean(answerable.map(({ said }) => said ?? 0)),
    declined: mean(strange.map(({ right }) => (right === true ? 1 : 0))),
    refused: refused.length,
    refusedWrongly: refused.filter(({ said }) => said !== undefined).length
  }
}

/** The other ways: each alone, and step by step from the strong model to the desk. */
export const ways: ReadonlyArray<Way> = [
  { name: "always strong", models: "strong", cache: false, limits: false },
  { name: "always cheap", models: "cheap", cache: false, limits: false },
  { name: "routing alone", models: "routed", cache: false, limits: false },
  { name: "cache alone", models: "strong", cache: true, limits: false },
  { name: "limits alone", models: "strong", cache: false, limits: true },
  { name: "cache and routing", models: "routed", cache: true, limits: false }
]

/** A coin that costs what the routing costs, by expectation: from what each model made of each ticket. */
export const random = (strong: Score, cheap: Score, routed: Score): Score => {
  const spread = strong.costUsd - cheap.costUsd
  const share = spread > 0 ? Math.min(1, Math.max(0, (routed.costUsd - cheap.costUsd) / spread)) : 0
  const mix = (of: (score: Score) => number): number => share * of(strong) + (1 - share) * of(cheap)
  return {
    ...strong,
    name: "random, at routing's cost",
    costUsd: mix((score) => score.costUsd),
    right: mix((score) => score.right),
    said: mix((score) => score.said),
    declined: mix((score) => score.declined)
  }
}

/** With hindsight: of each ticket the cheap model where it was as good. No router can do better without a cache. */
export const hindsight = (strong: Run, cheap: Run): Score => {
  const results = strong.results.map((one, index) => {
    const other = cheap.results[index]!
    return (one.said ?? (one.right === true ? 1 : 0)) > (other.said ?? (other.right === true ? 1 : 0)) ? one : other
  })
  const costUsd = results.reduce((sum, result) => sum + result.costUsd, 0)
  return { ...scoreOf({ ...strong, results, report: { ...strong.report, costUsd } }), name: "routing with hindsight" }
}

/** How right the labels are: in all, and by label. */
export const labelling = (results: ReadonlyArray<Result>) => {
  const labelled = results.filter(({ ticket }) => ticket.label !== undefined)
  const labels = [...new Set(labelled.map(({ ticket }) => ticket.label!))].sort()
  const share = (some: ReadonlyArray<Result>) => mean(some.map(({ label, ticket }) => (label === ticket.label ? 1 : 0)))
  // A ticket that is asked again and again counts once here.
  const distinct = [...new Map(labelled.map((result) => [result.ticket.prompt, result])).values()]
  return {
    count: labelled.length,
    accuracy: share(labelled),
    distinct: distinct.length,
    distinctAccuracy: share(distinct),
    rows: labels.map((label) => {
      const own = labelled.filter(({ ticket }) => ticket.label === label)
      return { label, count: own.length, accuracy: share(own), as: counted(own.map((result) => result.label)) }
    })
  }
}

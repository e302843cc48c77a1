/** Answers 500 support tickets, and says what it cost, what it saved and how right it was: `npm start`, or `npm start -- --help`. */
import { dirname, resolve } from "node:path"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Pipeline } from "@interlock/core"
import { Workload } from "@interlock/workload"
import { Console, Effect, FileSystem, Layer, Logger, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { classifier, desk, models, pair } from "./desk.ts"
import { page } from "./page.ts"
import { hindsight, labelling, type Run, random, run, type Score, scoreOf, ways } from "./study.ts"
import { type Findings, goals, render } from "./terminal.ts"
import { readTickets, type Ticket } from "./ticket.ts"

const keep = (run: Run) => Effect.succeed(run)

/** The same tickets in the other ways, for the comparison. */
const compare = Effect.fnUntraced(function* (tickets: ReadonlyArray<Ticket>, concurrency: number) {
  const runs = new Map<string, Run>()
  for (const way of ways) {
    yield* Console.error(`For comparison: ${way.name}`)
    runs.set(way.name, yield* run(tickets, { way, concurrency }, keep))
  }
  const [strong, cheap, routed] = [runs.get("always strong")!, runs.get("always cheap")!, runs.get("routing alone")!]
  const scores: ReadonlyArray<Score> = [
    ...[...runs.values()].map(scoreOf),
    random(scoreOf(strong), scoreOf(cheap), scoreOf(routed)),
    hindsight(strong, cheap)
  ]
  return scores
})

const write = Effect.fnUntraced(
  function* (path: string, text: string) {
    const files = yield* FileSystem.FileSystem
    yield* files.makeDirectory(dirname(path), { recursive: true })
    yield* files.writeFileString(path, text)
    return []
  },
  // What was found is printed all the same; the exit code says that something is missing.
  (effect, path) =>
    Effect.catch(effect, ({ message }) => {
      const failed = `${path} could not be written: ${message}`
      return Effect.as(Console.error(failed), [failed])
    })
)

const answers = ({ results }: Run): string =>
  results
    .map(({ answer, failure, ticket: { id } }) =>
      JSON.stringify(failure === undefined ? { id, answer } : { id, failure })
    )
    .map((line) => `${line}\n`)
    .join("")

/** What the report says, for programs. */
const summary = (found: Findings, pagePath: string) => ({
  ...found.desk.report,
  goals: goals(found).map(([goal, seen, met]) => ({ goal, seen, met: met ?? null })),
  classification: { labelled: found.labels.count, accuracy: found.labels.accuracy },
  ways: found.scores,
  planted: found.desk.planted,
  leaked: found.desk.leaked.length,
  audit: found.desk.audit,
  page: pagePath
})

/** What else there is to run. */
const others = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const folder = resolve(import.meta.dirname, "..")
  const names = (yield* files.readDirectory(folder)).sort()
  const runnable = yield* Effect.filter(names, (name) => files.exists(`${folder}/${name}/main.ts`))
  const rest = runnable.filter((name) => name !== "support-desk")
  if (rest.length === 0) return
  yield* Console.log(
    `Other examples, with pnpm interlock example NAME: ${rest.join(", ")}\n(without pnpm: npx --yes pnpm@12.21.0 interlock example NAME)`
  )
}).pipe(Effect.ignore)

const supportDesk = Command.make(
  "support-desk",
  {
    prompts: Flag.String("prompts").pipe(
      Flag.withAlias("tickets"),
      Flag.withDescription(
        'Your own tickets, a file with {"prompt": "…"} a line; "id" and "customer" are taken, "label" and "says" graded'
      ),
      Flag.withDefault(`${import.meta.dirname}/tickets/tickets.jsonl`)
    ),
    concurrency: Flag.Int("concurrency").pipe(
      Flag.withDescription("How many calls at a time; 8 by default"),
      Flag.withSchema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 1000 })))),
      Flag.withDefault(8)
    ),
    page: Flag.String("page").pipe(
      Flag.withDescription("Where to write the report as a page; in .interlock by default"),
      Flag.withDefault(resolve(import.meta.dirname, "../../.interlock/support-desk.html"))
    ),
    answers: Flag.String("answers").pipe(
      Flag.withDescription("Write the answers to this file, one JSON object a line"),
      Flag.optional
    ),
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Print the report as one JSON object"),
      Flag.withDefault(false)
    ),
    compare: Flag.Boolean("compare").pipe(
      Flag.withDescription("Run the other ways too where that costs money; without a key they are always run"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* (flags) {
    const { bad, tickets } = yield* readTickets(flags.prompts).pipe(
      Effect.tapError((error) => Console.error(`${flags.prompts} cannot be read: ${error.message}`)),
      Effect.mapError(({ message }) => new Workload.Incomplete({ message }))
    )
    for (const line of bad) yield* Console.error(`${flags.prompts}: ${line}`)
    if (tickets.length === 0) {
      const message = `${flags.prompts} has no ticket: give {"prompt": "…"} a line`
      yield* Console.error(message)
      return yield* new Workload.Incomplete({ message })
    }
    const { provider } = yield* pair
    const report = Effect.fnUntraced(function* (ran: Run, stopped: boolean, scores: ReadonlyArray<Score>) {
      const own = { ...ran, report: { ...ran.report, badLines: bad.length } }
      const found: Findings = { desk: own, stopped, labels: labelling(ran.results), scores, provider }
      const unwritten = [
        ...(yield* write(flags.page, page(found))),
        ...(Option.isSome(flags.answers) ? yield* write(flags.answers.value, answers(ran)) : [])
      ]
      if (flags.json) yield* Console.log(JSON.stringify(summary(found, flags.page)))
      else {
        yield* Console.log(`${Pipeline.toMermaid(desk)}\n\n${render(found)}\n\nThe report as a page: ${flags.page}`)
        yield* others
      }
      return unwritten
    })
    const ran = yield* run(tickets, { concurrency: flags.concurrency }, (ran, stopped) =>
      Effect.as(stopped ? report(ran, true, []) : Effect.void, ran)
    )
    const failed = ran.results.filter(({ failure }) => failure !== undefined && failure !== "LimitError")
    // One of each kind says what is wrong: five hundred of a kind would hide it.
    for (const [message, { ticket }] of new Map(failed.map((one) => [one.message ?? "", one] as const))) {
      yield* Console.error(`${flags.prompts}: ticket ${ticket.id} failed: ${message}`)
    }
    const scores =
      flags.compare || provider === "offline"
        ? yield* Effect.onInterrupt(compare(tickets, flags.concurrency), () => report(ran, true, []))
        : ([] as ReadonlyArray<Score>)
    const unwritten = yield* report(ran, false, scores)
    if (bad.length > 0 || failed.length > 0 || unwritten.length > 0) {
      return yield* new Workload.Incomplete({
        message: [`${failed.length} calls failed and ${bad.length} lines could not be read`, ...unwritten].join("; ")
      })
    }
  })
).pipe(Command.withDescription("Answers 500 support tickets; without a key the offline model answers"))

Command.run(supportDesk, { version: "0.1.0" }).pipe(
  Effect.provide(classifier.pipe(Layer.provideMerge(models), Layer.provideMerge(NodeServices.layer))),
  // What is printed is the report; what goes wrong is said beside it.
  Effect.provideService(Logger.LogToStderr, true),
  NodeRuntime.runMain
)

/** Makes code of requirements, checks it, repairs it, and says what came of it: `pnpm interlock example code-generation`, or with `--help`. */
import { dirname, resolve } from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { Models } from "@interlock/providers"
import { Sandbox } from "@interlock/stages/judge/sandbox"
import { type Report, Workload } from "@interlock/workload"
import { Console, Effect, FileSystem, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { factsOf, generation, layer } from "./generation.ts"
import { Bounds, type Candidate, candidatesOf } from "./repair.ts"
import { type Findings, json, page, type Result, table } from "./report.ts"
import { type Requirement, readRequirements } from "./requirement.ts"
import { requirements as own } from "./requirements.ts"

const costOf = ({ events }: Report.Outcome): number =>
  events.reduce((sum, event) => sum + (event._tag === "Attempt" ? (event.costUsd ?? 0) : 0), 0)

/** What was found is printed all the same; the exit code says that the report is missing. */
const write = Effect.fnUntraced(
  function* (path: string, findings: Findings) {
    const files = yield* FileSystem.FileSystem
    yield* files.makeDirectory(dirname(path), { recursive: true })
    yield* files.writeFileString(`${path}.md`, page(findings))
    yield* files.writeFileString(`${path}.json`, json(findings))
    yield* Console.log(`\nThe report: ${path}.md and ${path}.json`)
    return true
  },
  (effect, path) =>
    Effect.catch(effect, ({ message }) => Effect.as(Console.error(`${path} could not be written: ${message}`), false))
)

const generate = Effect.fnUntraced(function* (
  requirements: ReadonlyArray<Requirement>,
  concurrency: number,
  path: string
) {
  const { layers: sandbox } = yield* Sandbox
  const [provider = "offline"] = (yield* Models.Models).providers
  const byId = new Map(requirements.map((requirement) => [requirement.id, requirement]))
  const candidates = new Map<string, ReadonlyArray<Candidate>>()
  return yield* Workload.run(
    requirements.map(({ id, text }, index) => ({ line: index + 1, id, prompt: text })),
    {
      concurrency,
      ask: (_, id) =>
        Effect.tap(generation.run(factsOf(byId.get(id)!)), (answer) =>
          Effect.sync(() => candidates.set(id, candidatesOf(answer)))
        )
    },
    (outcomes, stopped, interrupted) =>
      Effect.gen(function* () {
        const results = [...outcomes, ...interrupted]
          .sort((a, b) => a.line - b.line)
          .map((outcome): Result => {
            const failure = outcome.message === undefined ? {} : { failure: outcome.message }
            const tried = candidates.get(outcome.id) ?? []
            return { requirement: byId.get(outcome.id)!, candidates: tried, costUsd: costOf(outcome), ...failure }
          })
        const findings: Findings = { results, provider, sandbox, stopped }
        yield* Console.log(table(findings))
        return { results, written: yield* write(path, findings) }
      })
  )
})

const count = (name: string, description: string, minimum: number, otherwise: number) =>
  Flag.Int(name).pipe(
    Flag.withDescription(description),
    Flag.withSchema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum: 20 })))),
    Flag.withDefault(otherwise)
  )

const command = Command.make(
  "code-generation",
  {
    requirements: Flag.String("requirements").pipe(
      Flag.withDescription('Your own, a file with {"id", "text", "exports", "tests"} a line'),
      Flag.optional
    ),
    samples: count("samples", "How many answers to a requirement at most, before one is repaired", 1, 2),
    repairs: count("repairs", "How many repairs of a requirement at most", 0, 2),
    concurrency: count("concurrency", "How many requirements at a time", 1, 2),
    report: Flag.String("report").pipe(
      Flag.withDescription("Where to write the report; .md and .json are added"),
      Flag.withDefault(resolve(import.meta.dirname, "../../.interlock/code-generation"))
    )
  },
  Effect.fnUntraced(function* ({ concurrency, repairs, report, requirements: file, samples }) {
    const { bad, requirements } =
      file._tag === "None"
        ? { bad: [], requirements: own }
        : yield* readRequirements(file.value).pipe(
            Effect.tapError((error) => Console.error(`${file.value} cannot be read: ${error.message}`)),
            Effect.mapError(({ message }) => new Workload.Incomplete({ message }))
          )
    for (const line of bad) yield* Console.error(line)
    const { results, written } = yield* Effect.provideService(generate(requirements, concurrency, report), Bounds, {
      samples,
      repairs
    })
    const met = results.filter(({ candidates }) => candidates.some(({ reason }) => reason === "Passed")).length
    if (!written || met < requirements.length || bad.length > 0) {
      return yield* new Workload.Incomplete({
        message: `${requirements.length - met} requirements were not met and ${bad.length} lines could not be read${written ? "" : ", and there is no report"} (see above)`
      })
    }
  })
).pipe(Command.withDescription("Makes code of requirements; without a key, answers come from a cassette"))

Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(layer), NodeRuntime.runMain)

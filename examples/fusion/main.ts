/** Asks three models, lets a judge decide, and says whether that paid: `pnpm interlock example fusion`, or with `--help`. */
import { dirname, resolve } from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { type Fusion, fusionOf } from "@interlock/stages/fuse"
import { type Graded, gate, measure } from "@interlock/stages/fuse/gate"
import { Judge } from "@interlock/stages/judge"
import { Workload } from "@interlock/workload"
import { Console, Effect, FileSystem, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { factsOf, instructions, layer, names, Panel, strategies } from "./fusion.ts"
import { learnJudges } from "./learned.ts"
import { grade, type Question, readQuestions } from "./question.ts"
import { type Findings, json, page, type Row, type Study, table } from "./report.ts"

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

/** Asks all questions in one way. `finish` sees what is there when all is done, or on an interrupt. */
const study = Effect.fnUntraced(function* <A, R>(
  strategy: keyof typeof strategies,
  questions: ReadonlyArray<Question>,
  concurrency: number,
  /** Who judges a question, where it is not the judge of the panel. */
  judgeOf: ((id: string) => Judge["Service"]) | undefined,
  finish: (study: Study, fusions: ReadonlyMap<string, Fusion>, stopped: boolean) => Effect.Effect<A, never, R>
) {
  const { members } = yield* Panel
  const system = yield* Effect.orDie(instructions)
  const byId = new Map(questions.map((question) => [question.id, question]))
  const fusions = new Map<string, Fusion>()
  return yield* Workload.run(
    questions.map(({ id, prompt }, index) => ({ line: index + 1, id, prompt })),
    {
      concurrency,
      ask: (prompt, id) =>
        strategies[strategy].run(factsOf(prompt, id, system)).pipe(
          (run) => (judgeOf === undefined ? run : Effect.provideService(run, Judge, judgeOf(id))),
          Effect.tap((answer) => Effect.sync(() => fusions.set(id, fusionOf(answer)!)))
        )
    },
    (outcomes, stopped) =>
      Effect.gen(function* () {
        const rows = [...outcomes]
          .sort((a, b) => a.line - b.line)
          .map(({ id, text }): Row => {
            const question = byId.get(id)!
            const fusion = fusions.get(id)
            const labels = new Map<string, string>(names.map((name, at) => [name, members[at]!.name]))
            return {
              id,
              question: question.prompt,
              answer: text,
              fused: grade(question, text),
              winner: fusion?.winner === undefined ? undefined : labels.get(fusion.winner),
              members: Object.fromEntries(
                names.map((name) => {
                  const said = fusion?.candidates.find((candidate) => candidate.name === name)?.text
                  return [labels.get(name)!, { text: said, grade: grade(question, said) }]
                })
              )
            }
          })
        const graded = rows.map(
          ({ fused, members }): Graded => ({
            fused,
            members: Object.fromEntries(Object.entries(members).map(([name, { grade }]) => [name, grade]))
          })
        )
        const refused = yield* Effect.match(gate(graded), {
          onSuccess: () => undefined,
          onFailure: ({ message }) => message
        })
        const failed = outcomes.flatMap(({ id, message }) =>
          message === undefined ? [] : [`${id} failed: ${message}`]
        )
        const name = judgeOf === undefined ? strategy : `${strategy}, a learned judge`
        return yield* finish({ strategy: name, rows, measured: measure(graded), refused, failed }, fusions, stopped)
      })
  )
})

const command = Command.make(
  "fusion",
  {
    questions: Flag.String("questions").pipe(
      Flag.withDescription('Your own, a file with {"id", "prompt", "says": ["…"]} a line'),
      Flag.withDefault(`${import.meta.dirname}/questions.jsonl`)
    ),
    concurrency: Flag.Int("concurrency").pipe(
      Flag.withDescription("How many questions at a time"),
      Flag.withSchema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 100 })))),
      Flag.withDefault(4)
    ),
    report: Flag.String("report").pipe(
      Flag.withDescription("Where to write the report; .md and .json are added"),
      Flag.withDefault(resolve(import.meta.dirname, "../../.interlock/fusion"))
    ),
    require: Flag.Boolean("require").pipe(
      Flag.withDescription("End with code 1 when the gate refuses"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ concurrency, questions: file, report: path, require }) {
    const { bad, questions } = yield* readQuestions(file).pipe(
      Effect.tapError((error) => Console.error(`${file} cannot be read: ${error.message}`)),
      Effect.mapError(({ message }) => new Workload.Incomplete({ message }))
    )
    for (const line of bad) yield* Console.error(`${file}: ${line}`)
    const { judge, members } = yield* Panel
    const studies: Array<Study> = []
    const costs: Record<string, number> = {}
    const report = (stopped: boolean) => {
      const judged = judge === undefined ? "judged by rules" : `judged by ${judge.name}`
      const findings: Findings = { studies, judge: judged, costs, stopped }
      return Effect.andThen(Console.log(table(findings)), write(path, findings))
    }
    const ask = (strategy: keyof typeof strategies, judgeOf?: (id: string) => Judge["Service"]) =>
      study(strategy, questions, concurrency, judgeOf, (found, fusions, stopped) =>
        Effect.suspend(() => {
          // What is asked for the first strategy is in the cache for the others.
          if (studies.length === 0) {
            for (const { candidates } of fusions.values()) {
              for (const [at, { cost }] of candidates.entries()) {
                const { name } = members[at]!
                costs[name] = (costs[name] ?? 0) + cost.usd
              }
            }
          }
          if (found.rows.length > 0) studies.push(found)
          return stopped ? Effect.asVoid(report(true)) : Effect.void
        })
      )
    yield* ask("bestOf")
    yield* ask("pairwise")
    yield* ask("vote")
    yield* learnJudges(studies[0]?.rows ?? []).pipe(
      Effect.flatMap((judgeOf) => ask("bestOf", judgeOf)),
      Effect.catchTag("@interlock/learn/JudgeTrainingError", ({ message }) =>
        Console.error(`No judge was learned: ${message}`)
      )
    )
    const written = yield* report(false)
    const [first] = studies
    const failed = first?.failed.length ?? 0
    if (!written || bad.length > 0 || failed > 0 || first === undefined || (require && first.refused !== undefined)) {
      return yield* new Workload.Incomplete({
        message: `${failed} questions failed, ${bad.length} lines could not be read, and the gate ${first?.refused === undefined ? "passes" : "refuses"}${written ? "" : "; there is no report"}`
      })
    }
  })
).pipe(Command.withDescription("Asks three models, lets a judge decide, and says whether that paid"))

Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(layer), NodeRuntime.runMain)

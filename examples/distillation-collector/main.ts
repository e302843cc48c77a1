/** Turns traffic into training data: `pnpm distillation-collector`, or `pnpm distillation-collector --help`. */
import { join, relative, resolve } from "node:path"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Collector, Ledger, TeacherPolicy, Writer } from "@interlock/collector"
import { Catalogue } from "@interlock/model"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { layerBudget } from "@interlock/stages/retry"
import { Workload } from "@interlock/workload"
import { Clock, Console, Effect, FileSystem, Layer, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { showProgress } from "./progress.ts"
import { chosen, judge, models, teacher } from "./teacher.ts"
import { render } from "./terminal.ts"

const here = import.meta.dirname
const runs = resolve(here, "../../.interlock/distillation")
const traffic = relative(process.cwd(), `${here}/prompts/traffic.jsonl`)
const formats = Object.keys(Writer.all)

const positive = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 1000 })))

const flags = {
  prompts: Flag.String("prompts").pipe(
    Flag.withDescription('Your prompts or traffic, a file with {"prompt": "…"} or {"messages": […]} a line'),
    Flag.withDefault(traffic)
  ),
  evaluation: Flag.String("evaluation").pipe(
    Flag.withDescription("An evaluation set to keep out, NAME=FILE (.txt or .jsonl); may be given several times"),
    Flag.atLeast(0)
  ),
  formats: Flag.String("formats").pipe(
    Flag.withDescription(`What to write, with commas between: ${formats.join(", ")}`),
    // The answers here are no labels.
    Flag.withDefault(formats.filter((name) => name !== "classifier").join(","))
  ),
  samples: Flag.Int("samples").pipe(
    Flag.withDescription("How many answers to ask for each prompt"),
    Flag.withSchema(positive),
    Flag.withDefault(2)
  ),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withDescription("How many calls at a time; after a kill at most so many are made twice"),
    Flag.withSchema(positive),
    Flag.withDefault(16)
  ),
  directory: Flag.String("directory").pipe(
    Flag.withDescription("Where the ledger, the dataset and the report go; by default a new folder in .interlock"),
    Flag.optional
  ),
  resume: Flag.Boolean("resume").pipe(
    Flag.withDescription("Go on with what is in the directory, or with the last run"),
    Flag.withDefault(false)
  ),
  override: Flag.String("override").pipe(
    Flag.withDescription("Export although the teacher's terms restrict it: \"NAME: REASON\", for the dataset's card"),
    Flag.optional
  ),
  licence: Flag.String("licence").pipe(
    Flag.withDescription("The SPDX identifier under which you give the data away"),
    Flag.withDefault("other")
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print the report as one JSON object"), Flag.withDefault(false))
}
type Flags = Command.Command.Config.Infer<typeof flags>

const incomplete = (message: string) => new Workload.Incomplete({ message })

/** A folder of its own for every run; `--resume` goes on in the last one. */
const folderOf = Effect.fnUntraced(function* ({ directory, resume }: Flags) {
  if (Option.isSome(directory)) return resolve(directory.value)
  const files = yield* FileSystem.FileSystem
  const last = (yield* Effect.orElseSucceed(files.readDirectory(runs), () => [])).sort().at(-1)
  if (resume && last !== undefined) return join(runs, last)
  return join(runs, new Date(yield* Clock.currentTimeMillis).toISOString().replaceAll(/[:.]/g, "-"))
})

const evaluationSets = (given: ReadonlyArray<string>) =>
  given.length === 0
    ? [
        { name: "bicycle exam", path: `${here}/evaluation/bicycle-exam.jsonl` },
        { name: "city quiz", path: `${here}/evaluation/city-quiz.txt` }
      ]
    : given.map((each) => {
        const at = each.indexOf("=")
        return at < 1 ? { name: each, path: each } : { name: each.slice(0, at), path: each.slice(at + 1) }
      })

const policyOf = (given: Option.Option<string>): TeacherPolicy.Policy => {
  if (Option.isNone(given)) return { entries: TeacherPolicy.known }
  const [by = "", ...reason] = given.value.split(":")
  return {
    entries: TeacherPolicy.known,
    override:
      reason.length === 0 ? { by: "somebody", reason: by.trim() } : { by: by.trim(), reason: reason.join(":").trim() }
  }
}

const services = Layer.mergeAll(
  judge,
  Collector.StepRunner.layer,
  Detector.layer,
  Vault.layerMemory,
  layerBudget(),
  Catalogue.layer
)

const run = Effect.fnUntraced(function* (flags: Flags, directory: string) {
  const files = yield* FileSystem.FileSystem
  const shown = relative(process.cwd(), directory)
  const again = `Go on with it: --resume --directory ${shown}`

  const show = Effect.fnUntraced(function* (report: Collector.Report, stopped?: string) {
    const said = { ...report, directory, ...(stopped === undefined ? {} : { stopped }) }
    const path = join(directory, "report.json")
    yield* Effect.catch(files.writeFileString(path, `${JSON.stringify(said, null, 2)}\n`), ({ message }) =>
      Console.error(`The report could not be written to ${path}: ${message}`)
    )
    yield* Console.log(flags.json ? JSON.stringify(said) : render(report, shown, stopped))
  })
  /** What the ledger says, whatever it was that stopped the run. */
  const showStopped = (why: string) =>
    Effect.catch(
      Effect.flatMap(Collector.report, (report) => show(report, why)),
      ({ message }) => Console.error(message)
    )

  const progress = showProgress()
  const report = yield* Collector.run({
    prompts: flags.prompts,
    teacher,
    teachers: yield* chosen,
    samples: flags.samples,
    concurrency: flags.concurrency,
    minimumScore: 0.7,
    evaluationSets: evaluationSets(flags.evaluation),
    resume: flags.resume,
    output: {
      directory: join(directory, "dataset"),
      name: "bicycles",
      writers: flags.formats.split(",").map((name) => Writer.all[name]!),
      licence: flags.licence
    }
  }).pipe(
    Effect.provideService(Collector.OnProgress, progress.tell),
    Effect.provideService(TeacherPolicy.TeacherPolicy, policyOf(flags.override)),
    Effect.provide(services),
    Effect.ensuring(Effect.sync(progress.stop)),
    Effect.onInterrupt(() => showStopped(`stopped. ${again}`)),
    Effect.tapError(({ _tag, message }) =>
      _tag === "@interlock/collector/AlreadyBegun" ? Effect.void : showStopped(message)
    )
  )
  yield* show(report)
  const failed = report.counts.samplesRejected["Failed"] ?? 0
  // The example's own traffic has broken lines on purpose.
  const unreadable = flags.prompts === traffic ? 0 : (report.counts.linesRejected["UnreadableRow"] ?? 0)
  if (failed + unreadable > 0) {
    const message = `${failed} calls failed and ${unreadable} lines could not be read: see ${shown}/dataset/rejected.jsonl`
    yield* Console.error(failed > 0 ? `${message}. ${again}` : message)
    return yield* incomplete(message)
  }
})

const collector = Command.make("distillation-collector", flags, (flags) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const unknown = flags.formats.split(",").find((name) => Writer.all[name] === undefined)
    if (unknown !== undefined) {
      const message = `There is no format "${unknown}": there are ${formats.join(", ")}`
      yield* Console.error(message)
      return yield* incomplete(message)
    }
    const directory = yield* folderOf(flags)
    yield* files.makeDirectory(directory, { recursive: true })
    yield* Effect.provide(run(flags, directory), Ledger.layer({ filename: join(directory, "ledger.db") }))
  }).pipe(
    Effect.tapError((error) => (error instanceof Workload.Incomplete ? Effect.void : Console.error(error.message))),
    Effect.mapError(({ message }) => incomplete(message))
  )
).pipe(Command.withDescription("Turns traffic into training data; without a key the offline model is the teacher"))

Command.run(collector, { version: "0.1.0" }).pipe(
  Effect.provide(models.pipe(Layer.provideMerge(NodeServices.layer))),
  NodeRuntime.runMain
)

/** Turns traffic into training data: `pnpm distillation-collector`, or `pnpm distillation-collector --help`. */
import { isAbsolute, join, relative, resolve } from "node:path"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Collector, Ledger, TeacherPolicy, Writer } from "@interlock/collector"
import { Catalogue } from "@interlock/model"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { layerBudget } from "@interlock/stages/retry"
import { Workload } from "@interlock/workload"
import { Clock, Console, Effect, FileSystem, Layer, Logger, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { showProgress } from "./progress.ts"
import { chosen, judge, models, Reasoning, teacher } from "./teacher.ts"
import { render } from "./terminal.ts"

const here = import.meta.dirname
const runs = resolve(here, "../../.interlock/distillation")
const traffic = relative(process.cwd(), `${here}/prompts/traffic.jsonl`)
const formats = Object.keys(Writer.all)
/** The answers here are no labels. */
const standard = formats.filter((name) => name !== "classifier").join(",")

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
    Flag.withDescription(`What to write, with commas between; all but classifier by default: ${formats.join(", ")}`),
    Flag.withDefault(standard)
  ),
  reasoning: Flag.Boolean("reasoning").pipe(
    Flag.withDescription(
      "Ask for the teacher's reasoning too, and write it in forms of their own where there is a place for it"
    ),
    Flag.withDefault(false)
  ),
  samples: Flag.Int("samples").pipe(
    Flag.withDescription("How many answers to ask for each prompt; 2 by default"),
    Flag.withSchema(positive),
    Flag.withDefault(2)
  ),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withDescription("How many calls at a time; after a kill at most so many are made twice; 16 by default"),
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
    Flag.withDescription("The SPDX identifier under which you give the data away; other by default"),
    Flag.withDefault("other")
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print the report as one JSON object"), Flag.withDefault(false))
}
type Flags = Command.Command.Config.Infer<typeof flags>

const incomplete = (message: string) => new Workload.Incomplete({ message })

/** A path as a person wants to read it, and to paste it. */
const shownPath = (path: string): string => {
  const within = relative(process.cwd(), path)
  return within === "" || within.startsWith("..") || isAbsolute(within) ? path : within
}

const times = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`

/** A folder of its own for every run; `--resume` goes on in the last one. */
const folderOf = Effect.fnUntraced(function* ({ directory, resume }: Flags) {
  if (Option.isSome(directory)) return resolve(directory.value)
  const files = yield* FileSystem.FileSystem
  const last = (yield* Effect.orElseSucceed(files.readDirectory(runs), () => [])).sort().at(-1)
  if (resume && last !== undefined) return join(runs, last)
  return join(runs, new Date(yield* Clock.currentTimeMillis).toISOString().replaceAll(/[:.]/g, "-"))
})

/** The forms to write, in the order of their names. */
const writersOf = Effect.fnUntraced(function* ({ formats: given, reasoning }: Flags) {
  const names = [...new Set(given.split(",").map((name) => name.trim()))].filter((name) => name !== "")
  const unknown = names.find((name) => Writer.all[name] === undefined)
  if (unknown !== undefined || names.length === 0) {
    return yield* incomplete(
      `${unknown === undefined ? "No format was given" : `There is no format "${unknown}"`}: there are ${formats.join(", ")}`
    )
  }
  return names.flatMap((name) => {
    const writer = Writer.all[name]!
    return reasoning && writer.withReasoning !== undefined ? [writer, writer.withReasoning()] : [writer]
  })
})

/** The prompts are read twice, before and while they are asked: so they must be a file, and there. */
const checkPrompts = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const cure = 'Give a file with {"prompt": "…"} or {"messages": […]} a line'
  const fail = (why: string) => incomplete(`${path} cannot be read: ${why}. ${cure}`)
  const { type } = yield* Effect.mapError(files.stat(path), ({ message, reason }) =>
    fail(reason._tag === "NotFound" ? "there is no such file" : message)
  )
  if (type !== "File") return yield* fail(type === "Directory" ? "it is a folder" : "it is no file, and is read twice")
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

/** The lines that could not be read, with their numbers: the first few, and how many there are besides. */
const unreadable = Effect.fnUntraced(function* (lines: number, count: number) {
  const ledger = yield* Ledger.Ledger
  const most = 5
  const page = 500
  const found: Array<string> = []
  for (let after = 0; after < lines && found.length < Math.min(most, count); after += page) {
    for (const { detail, reason } of yield* ledger.rejections(after, page)) {
      if (reason === "UnreadableRow" && found.length < most) found.push(detail)
    }
  }
  return count > found.length ? [...found, `and ${times(count - found.length, "line")} more`] : found
})

interface Place {
  readonly directory: string
  readonly writers: ReadonlyArray<Writer.Writer>
  /** Called when the run ended before anything was planned. */
  readonly onNothing: () => void
}

const run = Effect.fnUntraced(function* (flags: Flags, { directory, onNothing, writers }: Place) {
  const files = yield* FileSystem.FileSystem
  const shown = shownPath(directory)
  const again = `Go on with it: --resume --directory ${shown}, and the other flags as they were`

  const show = Effect.fnUntraced(function* (report: Collector.Report, stopped?: string) {
    const said = { ...report, directory, ...(stopped === undefined ? {} : { stopped }) }
    const path = join(directory, "report.json")
    // An earlier report stays where there is no room for this one.
    yield* files.writeFileString(`${path}.partial`, `${JSON.stringify(said, null, 2)}\n`).pipe(
      Effect.andThen(files.rename(`${path}.partial`, path)),
      Effect.catch(({ message }) =>
        Effect.andThen(
          Effect.ignore(files.remove(`${path}.partial`, { force: true })),
          Console.error(`The report could not be written to ${path}: ${message}`)
        )
      )
    )
    yield* Console.log(flags.json ? JSON.stringify(said) : render(report, shown, stopped))
  })
  /** What the ledger says, whatever it was that stopped the run. */
  const showStopped = (why: string) =>
    Effect.catch(
      Effect.flatMap(Collector.report, (report) => {
        if (report.counts.lines > 0) return show(report, why)
        onNothing()
        return Effect.void
      }),
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
    output: { directory: join(directory, "dataset"), name: "bicycles", writers, licence: flags.licence }
  }).pipe(
    Effect.provideService(Collector.OnProgress, progress.tell),
    Effect.provideService(TeacherPolicy.TeacherPolicy, policyOf(flags.override)),
    Effect.provideService(Reasoning, flags.reasoning),
    Effect.provide(services),
    Effect.ensuring(Effect.sync(progress.stop)),
    Effect.onInterrupt(() => showStopped(`stopped. ${again}`)),
    Effect.tapError(({ _tag, message }) =>
      _tag === "@interlock/collector/AlreadyBegun" ? Effect.void : showStopped(message)
    )
  )
  const { counts, manifest, unfinished } = report
  if (counts.lines === 0) {
    onNothing()
    const message = `${flags.prompts} has no line: give {"prompt": "…"} or {"messages": […]} a line`
    yield* Console.error(message)
    return yield* incomplete(message)
  }
  yield* show(report)
  if (flags.reasoning && manifest?.files.every(({ writer = "" }) => !writer.endsWith("-reasoning"))) {
    yield* Console.error(
      "No answer came with reasoning, so it was written in no form: not every model reasons, and not every provider gives it away"
    )
  }
  // The example's own traffic has broken lines on purpose.
  const broken = flags.prompts === traffic ? 0 : (counts.linesRejected["UnreadableRow"] ?? 0)
  const failed = counts.samplesRejected["Failed"] ?? 0
  for (const detail of broken > 0 ? yield* unreadable(counts.lines, broken) : []) {
    yield* Console.error(`${flags.prompts}: ${detail}`)
  }
  const wrong = [
    ...(broken > 0 ? [`${times(broken, "line")} could not be read`] : []),
    ...(failed > 0 ? [`${times(failed, "call")} failed`] : []),
    ...(unfinished > 0 ? [`${times(unfinished, "sample")} not asked or judged yet`] : [])
  ]
  if (wrong.length > 0) {
    const see = broken + failed > 0 ? `: see ${shown}/dataset/rejected.jsonl` : ""
    const message = `${wrong.join(", ")}${see}${failed + unfinished > 0 ? `. ${again}` : ""}`
    yield* Console.error(message)
    return yield* incomplete(message)
  }
})

const collector = Command.make("distillation-collector", flags, (flags) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const writers = yield* writersOf(flags).pipe(Effect.tapError(({ message }) => Console.error(message)))
    yield* checkPrompts(flags.prompts).pipe(Effect.tapError(({ message }) => Console.error(message)))
    const directory = yield* folderOf(flags)
    const fresh = !(yield* files.exists(directory))
    yield* Effect.mapError(files.makeDirectory(directory, { recursive: true }), ({ message }) => ({
      message: `The folder ${shownPath(directory)} cannot be made (${message}): give another --directory`
    }))
    let nothing = false
    const onNothing = () => {
      nothing = true
    }
    yield* run(flags, { directory, writers, onNothing }).pipe(
      Effect.provide(Ledger.layer({ filename: join(directory, "ledger.db") })),
      // A run that was refused at its beginning is not one that --resume should find.
      Effect.onExit(() =>
        fresh && nothing ? Effect.ignore(files.remove(directory, { recursive: true })) : Effect.void
      )
    )
  }).pipe(
    Effect.tapError((error) => (error instanceof Workload.Incomplete ? Effect.void : Console.error(error.message))),
    Effect.mapError(({ message }) => incomplete(message))
  )
).pipe(Command.withDescription("Turns traffic into training data; without a key the offline model is the teacher"))

Command.run(collector, { version: "0.1.0" }).pipe(
  Effect.provide(models.pipe(Layer.provideMerge(NodeServices.layer))),
  // What is printed is the report; what goes wrong is said beside it.
  Effect.provideService(Logger.LogToStderr, true),
  NodeRuntime.runMain
)

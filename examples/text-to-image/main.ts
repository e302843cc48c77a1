/** Makes pictures of prompts, picks the best, and records how each came about: `pnpm text-to-image`, or `pnpm text-to-image --help`. */
import { join, resolve } from "node:path"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cost, type ImageRequest } from "@interlock/model"
import { AuditLog } from "@interlock/stages/audit"
import * as Disk from "@interlock/stages/audit/disk"
import { verify } from "@interlock/stages/audit/verify"
import { Workload } from "@interlock/workload"
import { Console, Effect, FileSystem, Layer, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { cast, models, services } from "./models.ts"
import { type Asked, readPrompts } from "./order.ts"
import { page } from "./page.ts"
import { folderOf, Gallery, layerSigner, nameOf, problemOf } from "./provenance.ts"
import { type Result, run } from "./run.ts"
import { contactSheet } from "./sheet.ts"
import { Witness } from "./studio.ts"
import { type Summary, summarise } from "./summary.ts"

const home = resolve(import.meta.dirname, "../../.interlock/text-to-image")

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

const sheetOf = Effect.fnUntraced(function* (results: ReadonlyArray<Result>, folder: string) {
  const files = yield* FileSystem.FileSystem
  const rows = yield* Effect.forEach(results, ({ asked, steps }) =>
    Effect.map(
      Effect.forEach(steps.draw?.pictures ?? [], (drawn) =>
        Effect.map(files.readFile(join(folder, folderOf(asked.id), `${nameOf(drawn)}.png`)), (picture) => {
          const score = steps.score?.find(({ index }) => index === drawn.index)?.score
          return {
            picture,
            label: drawn.seed === undefined ? `no. ${drawn.index + 1}` : `seed ${drawn.seed}`,
            ...(score === undefined ? {} : { score }),
            picked: steps.pick?.[0]?.index === drawn.index
          }
        })
      ),
      (frames) => ({ name: asked.id, frames })
    )
  )
  const pictures = rows.reduce((sum, { frames }) => sum + frames.length, 0)
  return yield* Effect.promise(() =>
    contactSheet(`${counted(rows.length, "prompt")}, ${counted(pictures, "picture")}`, rows)
  )
})

const told = (results: ReadonlyArray<Result>, summary: Summary, folder: string): string => {
  const lines = results.map(({ asked, outcome, records, steps }) => {
    const [best] = steps.pick ?? []
    const record = records.find(({ picked }) => picked)
    const said =
      outcome === undefined
        ? "stopped before it was done"
        : outcome.failure !== undefined
          ? (outcome.message ?? outcome.failure)
          : `${record?.file.name ?? "no picture"}, ${best?.score.toFixed(2) ?? "–"} of ${steps.score?.map(({ score }) => score.toFixed(2)).join(" ")}\n    ${steps.caption?.text ?? ""}`
    return `  ${asked.id}: ${said}`
  })
  return `${lines.join("\n")}

${counted(summary.pictures, "picture")} of ${counted(summary.prompts, "prompt")}${summary.refused === 0 ? "" : `, ${summary.refused} refused`}; ${summary.modelCalls} model calls, ${summary.kept} answers from earlier runs; ${Cost.format(summary.costUsd)}, saved ${Cost.format(summary.savedUsd)}.
${summary.leakage}
Audit log: ${summary.audit.verified} of ${summary.audit.records} records verified${summary.audit.valid ? "." : ", and it is NOT as it was signed."}

The report as a page: ${join(folder, "index.html")}`
}

/** Checks every record of a folder, and the picture beside it. */
const verifyFolder = Effect.fnUntraced(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const names = yield* Effect.orElseSucceed(files.readDirectory(folder, { recursive: true }), () => [])
  const paths = names.filter((name) => name.endsWith(".json")).map((name) => join(folder, name))
  const problems = yield* Effect.forEach(paths, (path) =>
    Effect.gen(function* () {
      const text = yield* files.readFileString(path)
      const picture = yield* files.readFile(path.replace(/\.json$/, ".png"))
      const problem = yield* Effect.try({ try: () => problemOf(JSON.parse(text), picture), catch: () => "unreadable" })
      return problem === undefined ? [] : [`${path}: ${problem}`]
    }).pipe(Effect.catch(() => Effect.succeed([`${path}: the record or its picture cannot be read`])))
  )
  for (const problem of problems.flat()) yield* Console.error(problem)
  yield* Console.log(`${paths.length - problems.flat().length} of ${paths.length} pictures are as they were signed`)
  if (problems.flat().length > 0) return yield* new Workload.Incomplete({ message: "not all are as they were signed" })
})

const positive = (most: number) => Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: most })))

const textToImage = Command.make(
  "text-to-image",
  {
    words: Argument.String("prompt").pipe(
      Argument.withDescription("What to draw; without it, the prompts of the file"),
      Argument.variadic()
    ),
    prompts: Flag.String("prompts").pipe(
      Flag.withDescription('Your own prompts, a file with {"prompt": "…"} a line; "id" and "personal" are taken too'),
      Flag.withDefault(`${import.meta.dirname}/prompts.jsonl`)
    ),
    count: Flag.Int("count").pipe(
      Flag.withDescription("How many pictures of each prompt to pick from"),
      Flag.withSchema(positive(64)),
      Flag.withDefault(4)
    ),
    seed: Flag.Int("seed").pipe(
      Flag.withDescription("The seed of the first picture; the next ones count up"),
      Flag.withSchema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 })))),
      Flag.withDefault(1)
    ),
    size: Flag.String("size").pipe(
      Flag.withDescription("Width and height, such as 768x512; what the model cannot do is refused before it is asked"),
      Flag.optional
    ),
    out: Flag.String("out").pipe(
      Flag.withDescription("The folder for the pictures, their records, the contact sheet and the report"),
      Flag.withDefault(join(home, "pictures"))
    ),
    steps: Flag.String("steps").pipe(
      Flag.withDescription("The folder that answers are kept in; with another one, all is made anew"),
      Flag.withDefault(join(home, "steps"))
    ),
    stream: Flag.Boolean("stream").pipe(
      Flag.withDescription("Ask for pictures of the work in progress, and write each to its file as it comes"),
      Flag.withDefault(false)
    ),
    concurrency: Flag.Int("concurrency").pipe(
      Flag.withDescription("How many prompts at a time"),
      Flag.withSchema(positive(100)),
      Flag.withDefault(2)
    ),
    verify: Flag.Boolean("verify").pipe(
      Flag.withDescription("Draw nothing; check that the pictures and records of the folder are as they were signed"),
      Flag.withDefault(false)
    ),
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Print the report as one JSON object"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* (flags) {
    if (flags.verify) return yield* verifyFolder(flags.out)
    const { asked, bad } =
      flags.words.length > 0
        ? { asked: [{ id: "picture", line: 1, prompt: flags.words.join(" "), personal: [] } satisfies Asked], bad: [] }
        : yield* readPrompts(flags.prompts).pipe(
            Effect.tapError((error) => Console.error(`${flags.prompts} cannot be read: ${error.message}`)),
            Effect.mapError(({ message }) => new Workload.Incomplete({ message }))
          )
    for (const line of bad) yield* Console.error(`${flags.prompts}: ${line}`)
    const size = Option.getOrUndefined(flags.size)
    const { painter, sees, shape, writer } = yield* cast
    const disk = Disk.memory()
    const work = Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const log = yield* AuditLog
      const sent = yield* Witness
      const report = Effect.fnUntraced(function* (results: ReadonlyArray<Result>, stopped: boolean) {
        const checkpoint = yield* log.checkpoint
        const verified = yield* verify({ disk, directory: "audit", verifier: log.verifier, trusted: [checkpoint] })
        const audit = { valid: verified.valid, records: verified.size, verified: verified.verified }
        const summary = summarise(results, { badLines: bad.length, stopped, sent, audit, writer, painter })
        yield* files.makeDirectory(flags.out, { recursive: true })
        const sheet = yield* sheetOf(results, flags.out)
        if (sheet !== undefined) yield* files.writeFile(join(flags.out, "contact-sheet.png"), sheet)
        yield* files.writeFileString(join(flags.out, "index.html"), page(results, summary))
        yield* flags.json
          ? Console.log(
              JSON.stringify({
                ...summary,
                page: join(flags.out, "index.html"),
                results: results.map(({ asked, outcome, records, steps }) => ({
                  id: asked.id,
                  ...(outcome?.failure === undefined ? {} : { failure: outcome.failure, message: outcome.message }),
                  ...(steps.caption === undefined ? {} : { caption: steps.caption.text }),
                  pictures: records.map(({ file, picked, score, seed }) => ({
                    file: join(folderOf(asked.id), file.name),
                    sha256: file.sha256,
                    ...(seed === undefined ? {} : { seed }),
                    score: score.total,
                    picked
                  }))
                }))
              })
            )
          : Console.log(told(results, summary, flags.out))
        return summary
      })
      return yield* run(
        asked,
        {
          count: flags.count,
          seed: flags.seed,
          shape: size === undefined ? shape : { size: size as ImageRequest.Size },
          painter,
          sees,
          streaming: flags.stream,
          concurrency: flags.concurrency
        },
        (results, stopped) =>
          Effect.catch(report(results, stopped), ({ message }) => {
            const failed = `The report could not be written: ${message}`
            return Effect.andThen(Console.error(failed), new Workload.Incomplete({ message: failed }))
          })
      )
    })
    const summary = yield* Effect.provide(
      work,
      Layer.mergeAll(
        services({ steps: flags.steps, disk }),
        Layer.succeed(Gallery, { folder: flags.out }),
        layerSigner(join(flags.steps, "..", "signing-key.pem"))
      )
    )
    if (bad.length > 0 || summary.failed > 0) {
      return yield* new Workload.Incomplete({
        message: `${summary.failed} prompts failed and ${bad.length} lines could not be read`
      })
    }
  })
).pipe(Command.withDescription("Makes pictures of prompts, picks the best, and records how each came about"))

Command.run(textToImage, { version: "0.1.0" }).pipe(
  Effect.provide(models.pipe(Layer.provideMerge(NodeServices.layer))),
  NodeRuntime.runMain
)

/**
 * A `Workload` runs a file of prompts through a pipeline: several at a time, with a progress bar on a terminal, a clean Ctrl-C,
 * and a report at the end whatever happened.
 *
 * @since 0.1.0
 */
import { type Chat, Journal } from "@interlock/model"
import { SingleBar } from "cli-progress"
import { Cause, Clock, Console, Effect, Exit, FileSystem, Option, Runtime, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import * as PromptFile from "./PromptFile.ts"
import * as Report from "./Report.ts"

/**
 * What a workload runs: one call, and what the person is shown besides the report.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<E, R> {
  /** What the command is for, in a sentence. */
  readonly description: string
  /** The file that is run when `--prompts` is not given. */
  readonly prompts: string
  /** One call of the pipeline. */
  readonly ask: (prompt: string, id: string) => Effect.Effect<Chat.Answer, E, R>
  /** The pipeline's picture, printed below the report. */
  readonly picture?: string
  /** How many calls at a time; 8 by default. */
  readonly concurrency?: number
}

/**
 * Not every prompt was answered. What went wrong has been printed, line by line; the process ends with code 1.
 *
 * @category errors
 * @since 0.1.0
 */
export class Incomplete extends Schema.TaggedError<Incomplete>()("Incomplete", {
  message: Schema.String
}) {
  override readonly [Runtime.errorReported] = false
}

/**
 * Runs one prompt and says how it ended; only a defect or an interrupt is not an outcome. What it cost is in the journal, its own when
 * none is given.
 *
 * @category running
 * @since 0.1.0
 */
export const call = <E, R>(
  prompt: PromptFile.Prompt,
  ask: Options<E, R>["ask"],
  given?: Journal.Journal
): Effect.Effect<Report.Outcome, never, R> =>
  Effect.gen(function* () {
    const journal = given ?? Journal.make()
    const began = yield* Clock.currentTimeNanos
    const exit = yield* Effect.exit(Effect.provideService(ask(prompt.prompt, prompt.id), Journal.Journal, journal))
    const latencyMs = Number((yield* Clock.currentTimeNanos) - began) / 1e6
    const outcome = { line: prompt.line, id: prompt.id, latencyMs, events: journal.events() }
    if (Exit.isSuccess(exit)) return { ...outcome, text: exit.value.text }
    const failure = Cause.findErrorOption(exit.cause)
    if (Option.isNone(failure)) return yield* Effect.failCause(exit.cause as Cause.Cause<never>)
    const error = failure.value as { readonly _tag?: unknown; readonly message?: unknown }
    return { ...outcome, failure: String(error._tag ?? "Error"), message: String(error.message ?? failure.value) }
  })

/**
 * Runs prompts, `concurrency` at a time, and shows progress on standard error when it is a terminal. `finish` sees the outcomes
 * that are there when all is done or when the run is interrupted, and then beside them, with the failure `Interrupted`, the calls under way
 * that had left something behind, since that is paid for.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <E, R, A, R2>(
  prompts: ReadonlyArray<PromptFile.Prompt>,
  options: Pick<Options<E, R>, "ask" | "concurrency">,
  finish: (
    outcomes: ReadonlyArray<Report.Outcome>,
    stopped: boolean,
    interrupted: ReadonlyArray<Report.Outcome>
  ) => Effect.Effect<A, never, R2>
): Effect.Effect<A, never, R | R2> =>
  Effect.suspend(() => {
    const outcomes: Array<Report.Outcome> = []
    const underWay = new Map<PromptFile.Prompt, { readonly journal: Journal.Journal; readonly began: bigint }>()
    const interrupted = Effect.map(Clock.currentTimeNanos, (now) =>
      [...underWay].flatMap(([{ id, line }, { began, journal }]): ReadonlyArray<Report.Outcome> => {
        const events = journal.events()
        const failure = { failure: "Interrupted", message: "it was stopped before it was done" }
        return events.length === 0 ? [] : [{ line, id, latencyMs: Number(now - began) / 1e6, events, ...failure }]
      })
    )
    const bar = new SingleBar(
      {
        format: " {bar} {percentage}% | {value}/{total} | {eta_formatted} left",
        hideCursor: true,
        clearOnComplete: true
      },
      { format: "", barCompleteChar: "█", barIncompleteChar: "░" }
    )
    const shown = process.stderr.isTTY === true
    if (shown) bar.start(prompts.length, 0)
    const stop = Effect.sync(() => {
      if (shown) bar.stop()
    })
    return Effect.forEach(
      prompts,
      (prompt) =>
        Effect.flatMap(Clock.currentTimeNanos, (began) => {
          const journal = Journal.make()
          underWay.set(prompt, { journal, began })
          return Effect.map(call(prompt, options.ask, journal), (outcome) => {
            underWay.delete(prompt)
            outcomes.push(outcome)
            if (shown) bar.update(outcomes.length)
          })
        }),
      { concurrency: options.concurrency ?? 8, discard: true }
    ).pipe(
      Effect.onInterrupt(() =>
        Effect.andThen(
          stop,
          Effect.flatMap(interrupted, (those) => finish(outcomes, true, those))
        )
      ),
      Effect.ensuring(stop),
      Effect.andThen(Effect.suspend(() => finish(outcomes, false, [])))
    )
  })

/**
 * Makes a command that runs a workload: `--prompts FILE`, `--concurrency N`, `--answers FILE`, `--json`, `--help`.
 *
 * @category commands
 * @since 0.1.0
 */
export const command = <const Name extends string, E, R>(name: Name, options: Options<E, R>) =>
  Command.make(
    name,
    {
      prompts: Flag.String("prompts").pipe(
        Flag.withDescription('Your own prompts, a file with {"prompt": "…"} a line'),
        Flag.withDefault(options.prompts)
      ),
      concurrency: Flag.Int("concurrency").pipe(
        Flag.withDescription(`How many calls at a time; ${options.concurrency ?? 8} by default`),
        Flag.withSchema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 1000 })))),
        Flag.withDefault(options.concurrency ?? 8)
      ),
      answers: Flag.String("answers").pipe(
        Flag.withDescription("Write the answers to this file, one JSON object a line"),
        Flag.optional
      ),
      json: Flag.Boolean("json").pipe(
        Flag.withDescription("Print the report as one JSON object"),
        Flag.withDefault(false)
      )
    },
    Effect.fnUntraced(function* ({ answers, concurrency, json, prompts: path }) {
      const files = yield* FileSystem.FileSystem
      const { bad, prompts } = yield* PromptFile.read(path).pipe(
        Effect.tapError((error) => Console.error(error.message)),
        Effect.mapError(({ message }) => new Incomplete({ message }))
      )
      for (const line of bad) yield* Console.error(`${path}: ${line.message}`)
      if (prompts.length === 0 && bad.length === 0) {
        const message = `${path} has no prompt. Give a file with {"prompt": "…"} a line.`
        yield* Console.error(message)
        return yield* new Incomplete({ message })
      }
      let unwritten = ""
      const report = yield* run(prompts, { ask: options.ask, concurrency }, (outcomes, stopped, interrupted) =>
        Effect.gen(function* () {
          const report = Report.make([...outcomes, ...interrupted], { badLines: bad.length, stopped })
          for (const { failure, line, message } of outcomes) {
            if (failure !== undefined) yield* Console.error(`${path}: line ${line} failed: ${message}`)
          }
          if (Option.isSome(answers)) {
            const lines = [...outcomes]
              .sort((a, b) => a.line - b.line)
              .map(({ failure, id, message, text }) =>
                JSON.stringify(failure === undefined ? { id, answer: text } : { id, failure, message })
              )
            yield* Effect.catch(files.writeFileString(answers.value, `${lines.join("\n")}\n`), (error) => {
              unwritten = `The answers could not be written to ${answers.value}: ${error.message}`
              return Console.error(unwritten)
            })
          }
          yield* Console.log(json ? JSON.stringify(report) : Report.table(report))
          if (!json && options.picture !== undefined) yield* Console.log(`\n${options.picture}`)
          return report
        })
      )
      if (report.failed > 0 || report.badLines > 0) {
        return yield* new Incomplete({
          message: `${report.failed} calls failed and ${report.badLines} lines could not be read (see above)`
        })
      }
      if (unwritten !== "") return yield* new Incomplete({ message: unwritten })
    })
  ).pipe(Command.withDescription(options.description))

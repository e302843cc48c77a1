/**
 * The `Collector` turns prompts into training data: it asks a teacher, keeps every answer in the ledger, and judges, deduplicates,
 * decontaminates, splits and writes what it kept.
 *
 * Its steps go through the port `StepRunner`, and their state through the port `Ledger`: here they run one after the other over
 * SQLite; a workflow engine may run each as an activity over another store, since a step takes and yields plain figures only. Every
 * step may be run again: what it did stands in the ledger, and what follows the judge is made anew.
 *
 * @since 0.1.0
 */
import { hash, randomBytes } from "node:crypto"
import type { Pipeline, Stage } from "@interlock/core"
import {
  Caller,
  type Chat,
  Cost,
  Journal,
  ModelError,
  type ModelReference,
  type Part,
  Prompt,
  RawPrompt
} from "@interlock/model"
import { CollectError, ExampleKey, OnFailure } from "@interlock/stages/collect"
import { Judge } from "@interlock/stages/judge"
import { Clock, Context, Effect, type FileSystem, Layer, Schema, Stream } from "effect"
import type { Manifest } from "./DatasetCard.ts"
import * as Decontaminate from "./Decontaminate.ts"
import * as Deduplicate from "./Deduplicate.ts"
import * as Export from "./Export.ts"
import {
  type Counts,
  Ledger,
  LedgerError,
  type Objection,
  type PlannedLine,
  type Sample,
  type Spending,
  type Verdict
} from "./Ledger.ts"
import * as Rejection from "./Rejection.ts"
import * as Source from "./Source.ts"
import * as Split from "./Split.ts"
import * as TeacherPolicy from "./TeacherPolicy.ts"

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * The ledger holds a collection already, and nobody said to go on with it; or it is one of other settings.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlreadyBegun extends Schema.TaggedError<AlreadyBegun>()("@interlock/collector/AlreadyBegun", {
  message: Schema.String
}) {}

/**
 * The teacher takes no further call: its key is refused, or its quota is used up. What was answered is in the ledger.
 *
 * @category errors
 * @since 0.1.0
 */
export class TeacherStopped extends Schema.TaggedError<TeacherStopped>()("@interlock/collector/TeacherStopped", {
  message: Schema.String
}) {}

/**
 * Rows were lost or made: a defect of the collector, found before anything was exported or said.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unbalanced extends Schema.TaggedError<Unbalanced>()("@interlock/collector/Unbalanced", {
  message: Schema.String
}) {}

// ---------------------------------------------------------------------------------------------------------------
// Ports
// ---------------------------------------------------------------------------------------------------------------

/**
 * The steps, in their order.
 *
 * @category models
 * @since 0.1.0
 */
export type StepName = "plan" | "ask" | "judge" | "deduplicate" | "decontaminate" | "split" | "write"

/**
 * Runs the steps of a collection: the port to whatever makes them durable.
 *
 * @category services
 * @since 0.1.0
 */
export class StepRunner extends Context.Service<
  StepRunner,
  {
    readonly run: <A, E, R>(name: StepName, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
>()("@interlock/collector/StepRunner") {
  /** Runs each step here, when its turn comes. */
  static readonly layer: Layer.Layer<StepRunner> = Layer.succeed(StepRunner, { run: (_, effect) => effect })
}

/**
 * How far a step is; `total` is absent where nobody knows it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  readonly step: StepName
  readonly done: number
  readonly total?: number
}

/**
 * Who is told how far a step is. Nobody by default.
 *
 * @category references
 * @since 0.1.0
 */
export const OnProgress: Context.Reference<(progress: Progress) => void> = Context.Reference(
  "@interlock/collector/OnProgress",
  { defaultValue: (): ((progress: Progress) => void) => () => {} }
)

/**
 * Which sample of its prompt a call is, from 0: for a stage that wants samples to differ.
 *
 * @category references
 * @since 0.1.0
 */
export const SampleNumber: Context.Reference<number> = Context.Reference("@interlock/collector/SampleNumber", {
  defaultValue: () => 0
})

// ---------------------------------------------------------------------------------------------------------------
// Options and report
// ---------------------------------------------------------------------------------------------------------------

/**
 * What to collect, from whom, and what to make of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<E, R> {
  /** The file of prompts or traffic: see `Source`. Without one, what `collect` put into the ledger of a running service is made use of. */
  readonly prompts?: string
  /** The pipeline that asks the teacher, with `redact` and, below it, `collect`. */
  readonly teacher: Pipeline.Closed<RawPrompt | Caller, Part.Part, Chat.Answer, E, R>
  /** Who is asked, where it is known beforehand: their terms are looked at before anything is paid for. */
  readonly teachers?: ReadonlyArray<ModelReference>
  /** How many answers to ask for each prompt. Default 1. */
  readonly samples?: number
  /** How many calls at a time: at most so many are made twice after a kill. Default 16. */
  readonly concurrency?: number
  /** From which of the judge's scores on an answer is kept, 0 to 1. Default 0.5. */
  readonly minimumScore?: number
  readonly evaluationSets?: ReadonlyArray<Decontaminate.EvaluationFile>
  readonly similarity?: Deduplicate.Options
  readonly shares?: Split.Shares
  /** Another number gives another split. Default 0. */
  readonly seed?: number
  /** Whether to go on with what the ledger has. Default: no, and a ledger that has something is refused. */
  readonly resume?: boolean
  readonly output: Export.Options
}

/**
 * What a collection came to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly counts: Counts
  readonly spending: Spending
  /** Samples that are still to be asked or judged. */
  readonly unfinished: number
  /** The manifest, where the dataset was written. */
  readonly manifest?: Manifest
}

/**
 * How a collection can fail, besides the failures of single calls, which are rows with a reason.
 *
 * @category errors
 * @since 0.1.0
 */
export type CollectorError =
  | AlreadyBegun
  | TeacherStopped
  | Unbalanced
  | LedgerError
  | Source.SourceError
  | Decontaminate.EvaluationSetError
  | TeacherPolicy.RestrictedTeacher
  | Export.ExportError

// ---------------------------------------------------------------------------------------------------------------
// Steps
// ---------------------------------------------------------------------------------------------------------------

const page = 200

interface Begun {
  readonly salt: string
  readonly samples: number
}

const stageNames = (stages: ReadonlyArray<Stage.Any>): ReadonlyArray<string> =>
  stages.flatMap(({ name, spec }) => (spec.stages === undefined ? [name] : stageNames(spec.stages)))

/** Finds or begins the collection of the ledger. */
const begin = Effect.fnUntraced(function* (samples: number, resume: boolean) {
  const ledger = yield* Ledger
  const found = (yield* ledger.read("begun")) as Begun | undefined
  // A collection that planned nothing, such as one whose file was not there, has not begun.
  if (found === undefined || (yield* ledger.counts).lines === 0) {
    const begun: Begun = { salt: found?.salt ?? randomBytes(16).toString("base64url"), samples }
    yield* ledger.write("begun", begun)
    return begun
  }
  if (!resume) {
    const { answers } = yield* ledger.spending
    return yield* new AlreadyBegun({
      message: `${ledger.name} holds a collection with ${answers} answers: go on with it (--resume), or use another ledger`
    })
  }
  if (found.samples !== samples) {
    return yield* new AlreadyBegun({
      message: `${ledger.name} was begun with ${found.samples} samples a prompt, and not ${samples}: give ${found.samples}, or use another ledger`
    })
  }
  return found
})

/** Which prompt it is, without saying it: nobody who has the ledger can look a prompt up without its salt. */
const digestOf = (salt: string, prompt: unknown): string =>
  hash("sha256", salt + JSON.stringify(prompt), "base64url").slice(0, 22)

/** What of a prompt could be a document of an evaluation set: the whole, and each message. */
const textsOf = (prompt: Prompt.Prompt): ReadonlyArray<string> => {
  const spoken = prompt.content.filter(({ role }) => role === "user" || role === "assistant")
  return [
    Deduplicate.textOf(prompt),
    ...(spoken.length > 1 ? spoken.map((message) => Prompt.messageText(message)) : [])
  ]
}

const find = (index: Decontaminate.Index, texts: ReadonlyArray<string>): Decontaminate.Match | undefined => {
  for (const text of texts) {
    const match = index.find(text)
    if (match !== undefined) return match
  }
  return undefined
}

/** Reads the file once: plans its lines, and finds those that are none, are there twice or are of an evaluation set. */
const plan = Effect.fnUntraced(function* (path: string, begun: Begun, index: Decontaminate.Index) {
  const ledger = yield* Ledger
  const progress = yield* OnProgress
  let [lines, sha256] = [0, ""]
  yield* Source.lines(path, (whole) => {
    sha256 = whole
  }).pipe(
    Stream.map((line): PlannedLine => {
      if (line._tag === "Unreadable") {
        return {
          line: line.line,
          id: String(line.line),
          rejected: { reason: "UnreadableRow", detail: `line ${line.line} is not a prompt: ${line.reason}` }
        }
      }
      const match = find(index, textsOf(line.prompt))
      return {
        line: line.line,
        id: line.id,
        digest: digestOf(begun.salt, line.prompt),
        ...(match === undefined
          ? {}
          : { rejected: { reason: "Contaminated", detail: `${match.set}: ${match.how}` } as const })
      }
    }),
    Stream.grouped(page),
    Stream.runForEach((group) => {
      lines += group.length
      progress({ step: "plan", done: lines })
      return ledger.plan(group, begun.samples)
    })
  )
  return { lines, sha256 }
})

const nameOf = (error: unknown): string => {
  const named = error as { readonly _tag?: unknown; readonly reason?: { readonly _tag?: unknown } } | null
  const tag = typeof named?._tag === "string" ? named._tag : "Error"
  return typeof named?.reason?._tag === "string" ? `${tag}/${named.reason._tag}` : tag
}

/** Asks what is due. A full disk or a refused key lets the calls under way end, and begins no other. */
const ask = Effect.fnUntraced(function* <E, R>(prompts: string, options: Options<E, R>, begun: Begun, total: number) {
  const ledger = yield* Ledger
  const progress = yield* OnProgress
  let done = 0
  let stopped: LedgerError | TeacherStopped | undefined
  const one = (prompt: RawPrompt["Service"], key: string, number: number) =>
    Effect.suspend(() => {
      if (stopped !== undefined) return Effect.void
      // No conversation: placeholders are numbered within this prompt, and the same whenever it is asked.
      const facts = Context.add(RawPrompt.context(prompt), Caller, { tenant: "collector" })
      return options.teacher.run(facts).pipe(
        Effect.provideService(ExampleKey, key),
        Effect.provideService(SampleNumber, number),
        Effect.provideService(OnFailure, "refuse"),
        Effect.provideService(Journal.Journal, Journal.make()),
        Effect.matchEffect({
          onSuccess: () => Effect.void,
          onFailure: (error): Effect.Effect<void, LedgerError> => {
            if (error instanceof CollectError) {
              stopped ??= new LedgerError({
                filename: ledger.name,
                reason: error.reason._tag,
                message: error.message
              })
              return Effect.void
            }
            if (error instanceof ModelError.ModelError && ["RefusedKey", "Quota"].includes(error.reason._tag)) {
              stopped ??= new TeacherStopped({
                message: `${error.message}. What was answered is in ${ledger.name}: run again with --resume`
              })
            }
            return ledger.fail(key, nameOf(error))
          }
        }),
        Effect.tap(() =>
          Effect.sync(() => {
            done++
            progress({ step: "ask", done, total })
          })
        )
      )
    })
  yield* Source.lines(prompts).pipe(
    Stream.grouped(page),
    Stream.mapEffect((group) =>
      Effect.gen(function* () {
        const samples = group.flatMap((line) => {
          if (line._tag === "Unreadable") return []
          const digest = digestOf(begun.salt, line.prompt)
          return Array.from({ length: begun.samples }, (_, number) => ({
            prompt: line.prompt,
            key: `${digest}/${number}`,
            number
          }))
        })
        const due = yield* ledger.due(samples.map(({ key }) => key))
        // A prompt that is twice among the lines is asked at the first.
        const once = new Map(samples.filter(({ key }) => due.has(key)).map((sample) => [sample.key, sample]))
        return [...once.values()]
      })
    ),
    Stream.takeWhile(() => stopped === undefined),
    Stream.flatMap(Stream.fromIterable),
    Stream.mapEffect(({ key, number, prompt }) => one(prompt, key, number), {
      concurrency: options.concurrency ?? 16,
      unordered: true
    }),
    Stream.runDrain
  )
  if (stopped !== undefined) return yield* stopped
})

/** Judges the answers that nobody judged yet. */
const judge = Effect.fnUntraced(function* (minimumScore: number, concurrency: number, total: number) {
  const ledger = yield* Ledger
  const judge = yield* Judge
  const progress = yield* OnProgress
  const clock = yield* Clock.Clock
  let done = 0
  // Written together, and not much later than they were given: a judge may be paid too.
  let [waiting, since] = [[] as Array<Verdict>, clock.currentTimeMillisUnsafe()]
  const write = Effect.suspend(() => {
    const verdicts = waiting
    waiting = []
    since = clock.currentTimeMillisUnsafe()
    return verdicts.length === 0 ? Effect.void : ledger.judged(verdicts)
  })
  for (let after = 0; ; ) {
    const some = yield* ledger.unjudged(after, page)
    if (some.length === 0) return
    after = some.at(-1)!.sample.row
    yield* Effect.forEach(
      some,
      ({ prompt, sample }) =>
        Effect.flatMap(verdictOn(judge, minimumScore, prompt, sample), (verdict) => {
          waiting.push(verdict)
          return clock.currentTimeMillisUnsafe() - since > 500 ? write : Effect.void
        }),
      { concurrency, discard: true }
    ).pipe(Effect.onInterrupt(() => Effect.ignore(write)))
    yield* write
    done += some.length
    progress({ step: "judge", done, total })
  }
})

const verdictOn = (
  judge: Judge["Service"],
  minimumScore: number,
  prompt: Prompt.Prompt,
  { answer, row }: Sample
): Effect.Effect<Verdict> => {
  const rejected = Rejection.of(answer)
  if (rejected !== undefined) return Effect.succeed({ row, ...rejected })
  const journal = Journal.make()
  return Effect.map(Effect.provideService(judge.rate(prompt, answer), Journal.Journal, journal), (verdict): Verdict => {
    const { tries, unpriced, usd } = Cost.ofEvents(journal.events())
    const paid = {
      row,
      ...(tries === 0 ? {} : { spent: { tries, costUsd: usd, costComplete: unpriced.length === 0 } })
    }
    if (verdict._tag === "Abstained") return { ...paid, reason: "NotJudged", detail: verdict.message }
    const { score, why } = verdict
    if (score >= minimumScore) return { ...paid, score }
    const detail = `${score.toFixed(2)} of ${minimumScore}${why === undefined ? "" : `: ${why}`}`
    return { ...paid, score, reason: "LowScore", detail }
  })
}

/** Objects to items that share something with an evaluation set, in the prompt or in an answer. */
const decontaminate = Effect.fnUntraced(function* (index: Decontaminate.Index) {
  const ledger = yield* Ledger
  const progress = yield* OnProgress
  const found: { [set: string]: number } = {}
  if (index.sets.length === 0) return found
  let done = 0
  for (let after = 0; ; ) {
    const items = yield* ledger.items(after, page)
    if (items.length === 0) return found
    after = items.at(-1)!.row
    const objections: Array<Objection> = []
    for (const { prompt, row, samples } of items) {
      const match = find(index, [
        ...textsOf(prompt),
        ...samples.flatMap(({ answer }) => [answer.text, answer.reasoning])
      ])
      if (match === undefined) continue
      found[match.set] = (found[match.set] ?? 0) + 1
      objections.push({ row, reason: "Contaminated", detail: `${match.set}: ${match.how}` })
    }
    yield* ledger.object(objections)
    done += items.length
    progress({ step: "decontaminate", done })
  }
})

/** Puts every item that is left into a part, with all that are like it. */
const split = Effect.fnUntraced(function* (shares: Split.Shares, seed: number) {
  const ledger = yield* Ledger
  const progress = yield* OnProgress
  const assign = Split.make(shares, seed)
  let done = 0
  for (let after = 0; ; ) {
    const items = yield* ledger.clusters(after, 10 * page)
    if (items.length === 0) break
    after = items.at(-1)!.row
    yield* ledger.place(items.map(({ cluster, row }) => ({ row, split: assign(String(cluster)) })))
    done += items.length
    progress({ step: "split", done })
  }
  yield* ledger.settle
})

// ---------------------------------------------------------------------------------------------------------------
// Running
// ---------------------------------------------------------------------------------------------------------------

const sum = (numbers: { readonly [name: string]: number }): number =>
  Object.values(numbers).reduce((total, number) => total + number, 0)

const unfinishedOf = ({ samples }: Counts): number =>
  samples.planned + samples.calling + samples.answered + samples.judged + samples.failed

/**
 * Rows in are rows out and rows rejected with a reason: for lines, and for samples.
 *
 * @category checking
 * @since 0.1.0
 */
export const balance = (
  counts: Counts,
  seen: { readonly lines?: number; readonly samples?: number; readonly kept?: number } = {}
): Effect.Effect<void, Unbalanced> => {
  const { items, lines, linesRejected, samples, samplesRejected } = counts
  const equations: ReadonlyArray<readonly [string, number | undefined, number]> = [
    ["lines = prompts + lines rejected", lines, items + sum(linesRejected)],
    ["samples rejected = samples rejected with a reason", samples.rejected, sum(samplesRejected)],
    ["lines read = lines in the ledger", seen.lines, lines],
    ["samples planned = samples in the ledger", seen.samples, sum(samples)],
    ["samples written = samples kept", seen.kept, samples.kept]
  ]
  const broken = equations.find(([, one, other]) => one !== undefined && one !== other)
  return broken === undefined
    ? Effect.void
    : Effect.fail(
        new Unbalanced({
          message: `Rows were lost: ${broken[0]} should hold, and ${broken[1]} is not ${broken[2]}. Nothing of this export can be trusted; the ledger has all answers. Please report it`
        })
      )
}

/**
 * What the ledger says of the collection, however far it came.
 *
 * @category running
 * @since 0.1.0
 */
export const report: Effect.Effect<Report, LedgerError | Unbalanced, Ledger> = Effect.gen(function* () {
  const ledger = yield* Ledger
  const counts = yield* ledger.counts
  yield* balance(counts)
  return { counts, spending: yield* ledger.spending, unfinished: unfinishedOf(counts) }
})

/**
 * Runs a collection to its end, from wherever the ledger says it is.
 *
 * Evaluation sets are read and terms are looked at before the first call. A call that fails is a row with a reason; one whose failure
 * may pass is due again in the next run.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(function* <E, R>(
  options: Options<E, R>
): Effect.fn.Return<Report, CollectorError, R | Ledger | Judge | StepRunner | FileSystem.FileSystem> {
  const { concurrency = 16, minimumScore = 0.5, output, samples = 1, seed = 0, shares = Split.standard } = options
  const ledger = yield* Ledger
  const steps = yield* StepRunner
  const { entries, override } = yield* TeacherPolicy.TeacherPolicy
  const progress = yield* OnProgress
  if (!stageNames(options.teacher.stages).includes("collect")) {
    return yield* Effect.die(
      new Error(`${options.teacher.name} has no collect: put .use(collect) below redact, or no answer is kept`)
    )
  }

  // Everything that can be wrong before a call is paid for.
  yield* TeacherPolicy.check(options.teachers ?? [])
  const index = yield* Decontaminate.load(options.evaluationSets ?? [])
  const begun = yield* begin(samples, options.resume ?? false)
  yield* ledger.relaxed(Effect.andThen(ledger.unsettle, ledger.rescore(minimumScore)))
  yield* ledger.recover

  const { prompts } = options
  const planned =
    prompts === undefined
      ? { lines: 0, sha256: "" }
      : yield* steps.run("plan", ledger.relaxed(plan(prompts, begun, index)))
  const before = yield* ledger.counts
  const { traffic } = before
  if (prompts !== undefined && planned.lines < before.lines - traffic) {
    return yield* new LedgerError({
      filename: ledger.name,
      reason: "OtherData",
      message: `${prompts} has ${planned.lines} lines, and had ${before.lines - traffic} when ${ledger.name} was begun: give the file as it was (lines may be added at its end), or begin with another ledger`
    })
  }
  const expected = { lines: prompts === undefined ? before.lines : planned.lines + traffic }
  yield* balance(before, { ...expected, samples: (before.items - traffic) * samples + traffic })

  if (prompts !== undefined) yield* steps.run("ask", ask(prompts, options, begun, before.samples.planned))
  yield* steps.run("judge", judge(minimumScore, concurrency, (yield* ledger.counts).samples.answered))
  const repetitions = Deduplicate.run(options.similarity, (done) => progress({ step: "deduplicate", done }))
  yield* steps.run("deduplicate", ledger.relaxed(repetitions))
  const contaminated = yield* steps.run("decontaminate", ledger.relaxed(decontaminate(index)))
  yield* steps.run("split", ledger.relaxed(split(shares, seed)))

  const counts = yield* ledger.counts
  yield* balance(counts, { ...expected, samples: (counts.items - traffic) * samples + traffic })
  const spending = yield* ledger.spending
  yield* TeacherPolicy.check(spending.teachers)
  const contamination = yield* contaminationOf(index, contaminated)
  const { kept, manifest } = yield* steps.run(
    "write",
    Export.run(
      output,
      {
        source: prompts === undefined ? { path: ledger.name } : { path: prompts, sha256: planned.sha256 },
        counts,
        spending,
        terms: spending.teachers.map(({ model, provider }) => ({
          provider,
          model,
          ...TeacherPolicy.termsOf(entries, { provider, model })
        })),
        ...(override === undefined ? {} : { override }),
        judge: { name: (yield* Judge).name, minimumScore },
        similarity: { removeFrom: 0.8, groupFrom: 0.6, ...options.similarity },
        contamination
      },
      (done) => progress({ step: "write", done })
    )
  )
  yield* balance(counts, { kept })
  return { counts, spending, unfinished: unfinishedOf(counts), manifest }
})

/** What was found of each set: in lines before they were asked, and in items after. */
const contaminationOf = Effect.fnUntraced(function* (
  index: Decontaminate.Index,
  items: { readonly [set: string]: number }
) {
  const ledger = yield* Ledger
  const lines = yield* ledger.contaminatedLines
  return index.sets.map(({ documents, name }) => ({
    set: name,
    documents,
    lines: lines[name] ?? 0,
    items: items[name] ?? 0
  }))
})

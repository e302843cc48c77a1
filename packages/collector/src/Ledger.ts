/**
 * The `Ledger` is the state of a collection: a row for every line of the input, and one for every sample of it under an idempotency
 * key, in one SQLite file.
 *
 * A sample goes `planned` → `calling` → `answered` (or `failed`) → `judged` → `kept` or `rejected` with a reason. `calling` is on the
 * disk before the model is asked, and the answer before the next call takes its place: so after a kill the ledger has every answer
 * but those of the calls in flight, which may have been billed and are the only ones that are made again. Calls that end together
 * share a commit.
 *
 * The ledger keeps room for the answers that are under way: when the disk is full it takes no further call, and writes those.
 *
 * ```ts
 * import * as Ledger from "@interlock/collector/Ledger"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const ledger = yield* Ledger.Ledger
 *   yield* ledger.plan([{ line: 1, id: "1", digest: "4f2a" }], 2)
 *   return yield* ledger.counts
 * }).pipe(Effect.provide(Ledger.layerMemory))
 *
 * const { samples } = await Effect.runPromise(program)
 * console.assert(samples.planned === 2)
 * ```
 *
 * @since 0.1.0
 */
import { Chat, Part, type Prompt } from "@interlock/model"
import {
  type Begun,
  CollectError,
  DatasetSink,
  Full,
  type Outcome,
  type Request,
  type Spent,
  Unavailable
} from "@interlock/stages/collect"
import { Context, Effect, Exit, Layer, Result, Schema, type Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlError } from "effect/sql"
import * as GroupCommit from "./internal/groupCommit.ts"
import * as Reserve from "./internal/reserve.ts"
import * as Sqlite from "./Sqlite.ts"

// ---------------------------------------------------------------------------------------------------------------
// What it holds
// ---------------------------------------------------------------------------------------------------------------

/**
 * Why a row did not come out.
 *
 * Of a line, before anybody is asked: `UnreadableRow`, `DuplicatePrompt`, `Contaminated`. Of a sample: `Failed` (no
 * answer), `Refused`, `Rambling`, `CutOff`, `Empty`, `LowScore`, `NotJudged`, `DuplicateAnswer`, and with its whole item
 * `ExactDuplicate`, `NearDuplicate`, `Contaminated`.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason =
  | "UnreadableRow"
  | "DuplicatePrompt"
  | "Contaminated"
  | "Failed"
  | "Refused"
  | "Rambling"
  | "CutOff"
  | "Empty"
  | "LowScore"
  | "NotJudged"
  | "DuplicateAnswer"
  | "ExactDuplicate"
  | "NearDuplicate"

/**
 * A line of the input, before its prompt is asked. `digest` says which prompt it is without saying it; an unreadable line has none.
 *
 * @category models
 * @since 0.1.0
 */
export interface PlannedLine {
  readonly line: number
  readonly id: string
  readonly digest?: string
  readonly rejected?: { readonly reason: Reason; readonly detail: string }
}

/**
 * An answer as the ledger keeps it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sample {
  /** Its place among all samples. */
  readonly row: number
  readonly number: number
  readonly answer: Chat.Answer
  /** From 0 to 1; absent until judged, and where the judge abstained. */
  readonly score?: number
  readonly reason?: Reason
}

/**
 * A prompt with its samples that have an answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Item {
  /** Its place among all items. */
  readonly row: number
  readonly id: string
  readonly prompt: Prompt.Prompt
  /** What the samples were asked with: tools, where there are any. */
  readonly asked: Asked
  readonly samples: ReadonlyArray<Sample>
  readonly split?: string
}

/**
 * Whom a sample was asked of, and how.
 *
 * @category models
 * @since 0.1.0
 */
export type Asked = Pick<Request, "teacher" | "settings">

/**
 * How many rows are where.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  /** Lines of the input that are not empty, and the calls of traffic. */
  readonly lines: number
  /** How many of the lines are calls of traffic, which stand in no file. */
  readonly traffic: number
  /** Lines that became items. */
  readonly items: number
  /** Lines that did not, by reason. */
  readonly linesRejected: { readonly [reason: string]: number }
  readonly samples: {
    readonly planned: number
    readonly calling: number
    readonly answered: number
    readonly failed: number
    readonly judged: number
    readonly kept: number
    readonly rejected: number
  }
  readonly samplesRejected: { readonly [reason: string]: number }
}

/**
 * What all calls of the teachers came to, those of earlier runs included, and beside them those of the judge.
 *
 * @category models
 * @since 0.1.0
 */
export interface Spending {
  /** Tries that were made, failed ones included. */
  readonly tries: number
  /** Samples with an answer. */
  readonly answers: number
  /** Calls that were in flight when a run was killed or interrupted: the provider may have billed them, and they were made again. */
  readonly perhapsBilled: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costUsd: number
  readonly costComplete: boolean
  /** What the judge's own calls came to, which the rest leaves out: no tries where it asks nobody, or does not journal them. */
  readonly judge: Spent
  /** Answers by teacher and by the version that its provider named. */
  readonly teachers: ReadonlyArray<{
    readonly provider: string
    readonly model: string
    readonly version?: string
    readonly answers: number
  }>
}

/**
 * A verdict on a sample: a score, a reason against it, or both.
 *
 * @category models
 * @since 0.1.0
 */
export interface Verdict {
  readonly row: number
  readonly score?: number
  readonly reason?: Reason
  readonly detail?: string
  /** What the judge's calls for it came to, where it made any. */
  readonly spent?: Spent
}

/**
 * Something against an item, found beside the others.
 *
 * @category models
 * @since 0.1.0
 */
export interface Objection {
  readonly row: number
  readonly reason: Reason
  readonly detail: string
}

/**
 * A line or a sample that did not come out. `line` is `null` for traffic, `number` for a line of which no sample was asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejection {
  readonly item: number
  readonly line: number | null
  readonly id: string
  readonly number: number | null
  readonly reason: Reason
  readonly detail: string
}

/**
 * Two items that share a band, and may be alike.
 *
 * @category models
 * @since 0.1.0
 */
export interface Candidate {
  readonly first: number
  readonly second: number
}

/**
 * What is to be known of an item that is compared with others.
 *
 * @category models
 * @since 0.1.0
 */
export interface Compared {
  readonly row: number
  readonly prompt: Prompt.Prompt
  /** The first item of those that are alike, so far. */
  readonly cluster: number
  readonly rejected: boolean
}

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * The ledger could not be used: there is no room, the file is not a ledger, or it is one of other data.
 *
 * @category errors
 * @since 0.1.0
 */
export class LedgerError extends Schema.TaggedError<LedgerError>()("@interlock/collector/LedgerError", {
  filename: Schema.String,
  reason: Schema.Literals(["Full", "Unavailable", "NotALedger", "TooNew", "OtherData"]),
  message: Schema.String
}) {}

// ---------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------

/**
 * The state of a collection. Steps read it a page at a time and write it in groups, so that neither holds more than a page.
 *
 * @category services
 * @since 0.1.0
 */
export class Ledger extends Context.Service<
  Ledger,
  {
    /** Where it is, for messages. */
    readonly name: string
    /** Something that is said of the whole collection, as JSON; `undefined` when it was not. */
    readonly read: (name: string) => Effect.Effect<unknown, LedgerError>
    readonly write: (name: string, value: unknown) => Effect.Effect<void, LedgerError>
    /** Does what would be done again anyway, were it lost: its writes are not waited for, and those of others after it are. */
    readonly relaxed: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | LedgerError, R>
    /** Plans lines with so many samples each; a line that is there already must be the same. Equal prompts are planned once. */
    readonly plan: (lines: ReadonlyArray<PlannedLine>, samples: number) => Effect.Effect<void, LedgerError>
    /** Makes calls that were in flight, and those whose failure may pass, due again; says how many were in flight. */
    readonly recover: Effect.Effect<number, LedgerError>
    /** Which of these keys are due: planned, and not asked yet. */
    readonly due: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlySet<string>, LedgerError>
    /** Says why a planned sample could not be asked. */
    readonly fail: (key: string, error: string) => Effect.Effect<void, LedgerError>
    /** Before the model is asked, and after: what the `collect` stage calls. */
    readonly sink: DatasetSink["Service"]
    /** Answers that nobody has judged, from `after` on. */
    readonly unjudged: (
      after: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<{ readonly prompt: Prompt.Prompt; readonly sample: Sample }>, LedgerError>
    readonly judged: (verdicts: ReadonlyArray<Verdict>) => Effect.Effect<void, LedgerError>
    /** Forgets what was found beside the other items, and which were kept: the steps after the judge are made anew in every run. */
    readonly unsettle: Effect.Effect<void, LedgerError>
    /** Holds the scores that were given against another minimum: nothing is judged again. */
    readonly rescore: (minimumScore: number) => Effect.Effect<void, LedgerError>
    /** Items with judged samples and nothing against them, from `after` on; with `settled`, those that were kept. */
    readonly items: (after: number, limit: number, settled?: boolean) => Effect.Effect<ReadonlyArray<Item>, LedgerError>
    readonly addBands: (
      rows: ReadonlyArray<{ readonly item: number; readonly bands: ReadonlyArray<number> }>
    ) => Effect.Effect<void, LedgerError>
    /**
     * Makes candidates of the items that share a band, and forgets the bands. An item goes with the first that has the band and with the
     * one before it: with all others would be the square of a group that may be large.
     */
    readonly pair: Effect.Effect<void, LedgerError>
    /** Candidates in the order of their second item, from `after` on. */
    readonly candidates: (
      after: readonly [second: number, first: number],
      limit: number
    ) => Effect.Effect<ReadonlyArray<Candidate>, LedgerError>
    readonly compared: (rows: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<Compared>, LedgerError>
    readonly object: (objections: ReadonlyArray<Objection>) => Effect.Effect<void, LedgerError>
    readonly objectToSamples: (objections: ReadonlyArray<Objection>) => Effect.Effect<void, LedgerError>
    /** Puts items into the cluster of an earlier one. */
    readonly cluster: (
      rows: ReadonlyArray<{ readonly row: number; readonly cluster: number }>
    ) => Effect.Effect<void, LedgerError>
    /** Items as `items` has them, with nothing but their cluster: the first item of those that are alike. */
    readonly clusters: (
      after: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<{ readonly row: number; readonly cluster: number }>, LedgerError>
    readonly place: (
      rows: ReadonlyArray<{ readonly row: number; readonly split: string }>
    ) => Effect.Effect<void, LedgerError>
    /** Keeps what has nothing against it, and rejects the rest with its reason. */
    readonly settle: Effect.Effect<void, LedgerError>
    readonly counts: Effect.Effect<Counts, LedgerError>
    readonly spending: Effect.Effect<Spending, LedgerError>
    /** Lines that were rejected as contaminated before they were asked, by evaluation set. */
    readonly contaminatedLines: Effect.Effect<{ readonly [set: string]: number }, LedgerError>
    /** Lines and samples that were rejected, from `after` on, in the order of the input. */
    readonly rejections: (after: number, limit: number) => Effect.Effect<ReadonlyArray<Rejection>, LedgerError>
  }
>()("@interlock/collector/Ledger") {}

// ---------------------------------------------------------------------------------------------------------------
// The SQLite layer
// ---------------------------------------------------------------------------------------------------------------

/** "ILOC": so that another program's database is not taken for a ledger. */
const applicationId = 0x494c4f43

/** What makes a ledger of each version from one of the version before, beginning with an empty file: a ledger is never thrown away. */
const versions: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `CREATE TABLE said (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE asked (id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE)`,
    `CREATE TABLE item (
    row INTEGER PRIMARY KEY,
    line INTEGER UNIQUE,
    id TEXT NOT NULL,
    digest TEXT,
    prompt TEXT,
    reason TEXT,
    detail TEXT,
    cluster INTEGER,
    split TEXT
  )`,
    `CREATE TABLE sample (
    row INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    item INTEGER NOT NULL REFERENCES item (row),
    number INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'planned',
    asked INTEGER REFERENCES asked (id),
    answer TEXT,
    version TEXT,
    error TEXT,
    retryable INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    perhapsBilled INTEGER NOT NULL DEFAULT 0,
    inputTokens INTEGER NOT NULL DEFAULT 0,
    outputTokens INTEGER NOT NULL DEFAULT 0,
    costUsd REAL NOT NULL DEFAULT 0,
    costComplete INTEGER NOT NULL DEFAULT 1,
    score REAL,
    reason TEXT,
    detail TEXT,
    objection TEXT
  )`,
    `CREATE INDEX sampleOfItem ON sample (item)`,
    `CREATE TABLE band (band INTEGER NOT NULL, item INTEGER NOT NULL)`,
    `CREATE TABLE edge (
    second INTEGER NOT NULL,
    first INTEGER NOT NULL,
    jaccard REAL NOT NULL,
    exact INTEGER NOT NULL,
    PRIMARY KEY (second, first)
  ) WITHOUT ROWID`
  ],
  [
    `DROP INDEX IF EXISTS bandInOrder`,
    `DROP TABLE edge`,
    `CREATE TABLE candidate (
      second INTEGER NOT NULL,
      first INTEGER NOT NULL,
      PRIMARY KEY (second, first)
    ) WITHOUT ROWID`,
    `ALTER TABLE sample ADD COLUMN judgeTries INTEGER NOT NULL DEFAULT 0`,
    `ALTER TABLE sample ADD COLUMN judgeCostUsd REAL NOT NULL DEFAULT 0`,
    `ALTER TABLE sample ADD COLUMN judgeCostComplete INTEGER NOT NULL DEFAULT 1`
  ]
]

/**
 * Which file, and how much room to keep.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The file, made when it is not there. */
  readonly filename: string
  /**
   * How many bytes to keep free for the answers that are under way when the disk is full, in a file beside the ledger; 8 MiB by default.
   * It should hold as many of the longest answers as there are calls at a time.
   */
  readonly reserveBytes?: number
  /** How large the ledger may grow, in bytes; the reserve comes on top. Default: as the disk allows. */
  readonly maximumBytes?: number
  /** Default `power`: see `Sqlite.Options`. */
  readonly survives?: "power" | "process"
}

type Work =
  | { readonly _tag: "Begin"; readonly request: Request; readonly asked: number }
  | { readonly _tag: "Finish"; readonly key: string; readonly outcome: Outcome }

interface SampleRow {
  readonly row: number
  readonly item: number
  readonly number: number
  readonly asked: number
  readonly answer: string
  readonly score: number | null
  readonly reason: Reason | null
  readonly prompt: string
}

const json = JSON.stringify

/** An answer as it is kept: whole parts, without what Interlock said about this one reply. */
const kept = (answer: Chat.Answer): string =>
  json({
    ...(answer.text === "" ? {} : { text: answer.text }),
    ...(answer.reasoning === "" ? {} : { reasoning: answer.reasoning }),
    ...(answer.toolCalls.length === 0 ? {} : { toolCalls: answer.toolCalls }),
    finishReason: answer.finishReason,
    usage: answer.usage
  })

const answerOf = (text: string): Chat.Answer => ({ ...Chat.empty, ...JSON.parse(text) })

const partsOf = (answer: Chat.Answer): ReadonlyArray<Part.Part> => [
  ...(answer.reasoning === "" ? [] : [{ type: "reasoning", text: answer.reasoning } as const]),
  ...(answer.text === "" ? [] : [{ type: "text", text: answer.text } as const]),
  ...answer.toolCalls,
  Part.finish(answer.finishReason, answer.usage)
]

/** What a provider said which model it was: a name that a version stands behind. */
const versionOf = (parts: ReadonlyArray<Part.Part>): string | null => {
  const said = parts.find((part) => part.type === "response-metadata")
  return said?.type === "response-metadata" ? (said.modelId ?? null) : null
}

const sampleOf = ({ answer, number, reason, row, score }: SampleRow): Sample => ({
  row,
  number,
  answer: answerOf(answer),
  ...(score === null ? {} : { score }),
  ...(reason === null ? {} : { reason })
})

/** Reasons that are found beside the other items, and anew in every run. */
const relative = "('ExactDuplicate', 'NearDuplicate', 'Contaminated')"

const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Ledger["Service"], LedgerError | Sqlite.OpenError, Scope.Scope | Reactivity.Reactivity> {
  const { filename } = options
  const sql = yield* Sqlite.make(options)
  const said = (error: SqlError.SqlError): LedgerError =>
    Sqlite.isFull(error)
      ? new LedgerError({
          filename,
          reason: "Full",
          message: `There is no room left for ${filename}; what was received is in it. Make room and run again with --resume`
        })
      : new LedgerError({
          filename,
          reason: "Unavailable",
          message: `${filename} cannot be used (${error.message}): see that the disk is sound, and run again with --resume`
        })
  const orSaid = <A, R>(effect: Effect.Effect<A, SqlError.SqlError, R>): Effect.Effect<A, LedgerError, R> =>
    Effect.mapError(effect, said)

  yield* prepare(sql, filename, said)

  // ---- calls ------------------------------------------------------------------------------------------------

  const reserve = yield* Effect.acquireRelease(
    Effect.mapError(
      Reserve.take(filename, options.reserveBytes ?? 2 ** 23),
      (error) =>
        new LedgerError({
          filename,
          reason: "Full",
          message: `There is no room beside ${filename} for the answers under way (${error.message}): make some before anything is paid for`
        })
    ),
    (reserve) => reserve.release
  )

  const askedIds = new Map<string, number>()
  const askedValues = new Map<number, Asked>()
  const idOfAsked = (asked: Asked) =>
    Effect.suspend(() => {
      const value = json(asked)
      const known = askedIds.get(value)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.gen(function* () {
        yield* sql`INSERT INTO asked (value) VALUES (${value}) ON CONFLICT DO NOTHING`
        const [row] = yield* sql<{ readonly id: number }>`SELECT id FROM asked WHERE value = ${value}`
        // Traffic may be asked in ever other ways.
        if (askedIds.size >= 1000) askedIds.clear()
        askedIds.set(value, row!.id)
        return row!.id
      })
    })
  const askedOf = (id: number) =>
    Effect.suspend(() => {
      const known = askedValues.get(id)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.map(sql<{ readonly value: string }>`SELECT value FROM asked WHERE id = ${id}`, (rows) => {
        const asked: Asked = JSON.parse(rows[0]!.value)
        if (askedValues.size >= 1000) askedValues.clear()
        askedValues.set(id, asked)
        return asked
      })
    })

  const begin = Effect.fnUntraced(function* ({ key, prompt }: Request, asked: number) {
    const [planned] = yield* sql<{ readonly item: number }>`
      UPDATE sample SET state = 'calling', asked = ${asked}, error = NULL WHERE key = ${key} AND answer IS NULL RETURNING item`
    if (planned !== undefined) {
      yield* sql`UPDATE item SET prompt = ${json(prompt)} WHERE row = ${planned.item} AND prompt IS NULL`
      return ask
    }
    const [answered] = yield* sql<{ readonly answer: string }>`SELECT answer FROM sample WHERE key = ${key}`
    if (answered !== undefined) return { _tag: "Known", parts: partsOf(answerOf(answered.answer)) } as const
    // A call that nobody planned: traffic.
    const [item] = yield* sql<{ readonly row: number }>`
      INSERT INTO item (id, prompt) VALUES (${key}, ${json(prompt)}) RETURNING row`
    yield* sql`INSERT INTO sample (key, item, number, state, asked) VALUES (${key}, ${item!.row}, 0, 'calling', ${asked})`
    return ask
  })

  const finish = Effect.fnUntraced(function* (key: string, outcome: Outcome) {
    const { costUsd, tries } = outcome.spent
    const complete = outcome.spent.costComplete ? 1 : 0
    switch (outcome._tag) {
      case "Answered": {
        const answer = outcome.parts.reduce(Chat.protocol.append, Chat.protocol.empty())
        const { inputTokens, outputTokens } = answer.usage
        yield* sql`UPDATE sample SET state = 'answered', answer = ${kept(answer)}, version = ${versionOf(outcome.parts)},
          tries = tries + ${Math.max(1, tries)}, costUsd = costUsd + ${costUsd}, costComplete = costComplete AND ${complete},
          inputTokens = ${inputTokens.total ?? 0}, outputTokens = ${outputTokens.total ?? 0}
          WHERE key = ${key} AND answer IS NULL`
        break
      }
      case "Failed":
        yield* sql`UPDATE sample SET state = 'failed', error = ${outcome.error}, retryable = ${outcome.retryable ? 1 : 0},
          tries = tries + ${Math.max(1, tries)}, costUsd = costUsd + ${costUsd}, costComplete = costComplete AND ${complete}
          WHERE key = ${key} AND answer IS NULL`
        break
      case "Interrupted":
        yield* sql`UPDATE sample SET state = 'planned', perhapsBilled = perhapsBilled + 1, tries = tries + ${tries},
          costUsd = costUsd + ${costUsd}, costComplete = costComplete AND ${complete}
          WHERE key = ${key} AND answer IS NULL`
    }
    return ask
  })

  const write = (group: ReadonlyArray<Work>) =>
    sql.withTransaction(
      Effect.forEach(
        group,
        (work): Effect.Effect<Begun, SqlError.SqlError> =>
          work._tag === "Begin" ? begin(work.request, work.asked) : finish(work.key, work.outcome)
      )
    )

  const refused = (error: LedgerError) =>
    Exit.fail(
      new CollectError({
        reason: error.reason === "Full" ? new Full() : new Unavailable(),
        message: error.message
      })
    )

  let full: LedgerError | undefined

  /** Writes what is allowed, and refuses the rest: once the disk is full, answers are written and no call begins. */
  const commit: (group: ReadonlyArray<Work>) => Effect.Effect<ReadonlyArray<Exit.Exit<Begun, CollectError>>> =
    Effect.fnUntraced(function* (group) {
      const stopped = full
      const allowed = stopped === undefined ? group : group.filter(({ _tag }) => _tag === "Finish")
      const result = yield* Effect.result(write(allowed))
      if (Result.isSuccess(result)) {
        let next = 0
        return group.map((work) =>
          stopped !== undefined && work._tag === "Begin" ? refused(stopped) : Exit.succeed(result.success[next++]!)
        )
      }
      const error = said(result.failure)
      if (stopped !== undefined || !Sqlite.isFull(result.failure)) return group.map(() => refused(error))
      full = error
      yield* reserve.release
      if (options.maximumBytes !== undefined) {
        yield* Effect.ignore(sql.limitSize(options.maximumBytes + reserve.bytes))
      }
      return yield* commit(group)
    })

  const submit = yield* GroupCommit.make(commit)

  const sink: DatasetSink["Service"] = {
    begin: (request) =>
      Effect.flatMap(
        Effect.catch(idOfAsked({ teacher: request.teacher, settings: request.settings }), (error) =>
          refused(said(error))
        ),
        (asked) => submit({ _tag: "Begin", request, asked })
      ),
    finish: (key, outcome) => Effect.asVoid(submit({ _tag: "Finish", key, outcome }))
  }

  // ---- the whole collection -----------------------------------------------------------------------------------

  const plan = Effect.fnUntraced(function* (lines: ReadonlyArray<PlannedLine>, samples: number) {
    const before = yield* sql<{ readonly line: number; readonly digest: string | null }>`
      SELECT line, digest FROM item WHERE line IN (SELECT value FROM json_each(${json(lines.map(({ line }) => line))}))`
    const planned = new Map(before.map(({ digest, line }) => [line, digest]))
    const fresh: Array<PlannedLine> = []
    for (const line of lines) {
      if (!planned.has(line.line)) fresh.push(line)
      else if (planned.get(line.line) !== (line.digest ?? null)) {
        return yield* new LedgerError({
          filename,
          reason: "OtherData",
          message: `Line ${line.line} is not what it was when ${filename} was begun: give the file as it was (lines may be added at its end), or begin with another ledger`
        })
      }
    }
    if (fresh.length === 0) return
    const digests = fresh.flatMap(({ digest }) => (digest === undefined ? [] : [`${digest}/0`]))
    const known = yield* sql<{ readonly key: string; readonly line: number | null }>`
      SELECT sample.key, item.line FROM sample JOIN item ON item.row = sample.item
      WHERE sample.key IN (SELECT value FROM json_each(${json(digests)}))`
    const first = new Map(known.map(({ key, line }) => [key.slice(0, -2), line]))
    const rows = fresh.map((line) => {
      if (line.digest === undefined || line.rejected !== undefined) return line
      const other = first.get(line.digest)
      if (other === undefined) {
        first.set(line.digest, line.line)
        return line
      }
      return { ...line, rejected: { reason: "DuplicatePrompt" as const, detail: `the same as line ${other}` } }
    })
    yield* sql`INSERT INTO item (line, id, digest, reason, detail)
      SELECT value ->> 'line', value ->> 'id', value ->> 'digest', value ->> '$.rejected.reason', value ->> '$.rejected.detail'
      FROM json_each(${json(rows)})`
    const asking = rows.filter(({ rejected }) => rejected === undefined).map(({ line }) => line)
    const numbers = Array.from({ length: samples }, (_, number) => number)
    yield* sql`INSERT INTO sample (key, item, number)
      SELECT item.digest || '/' || number.value, item.row, number.value
      FROM json_each(${json(asking)}) AS line JOIN item ON item.line = line.value, json_each(${json(numbers)}) AS number
      ORDER BY item.row, number.value`
  })

  const items = Effect.fnUntraced(function* (after: number, limit: number, settled = false) {
    const found = yield* sql<{
      readonly row: number
      readonly id: string
      readonly prompt: string
      readonly split: string | null
    }>`SELECT row, id, prompt, split FROM item
      WHERE row > ${after} AND reason IS NULL AND prompt IS NOT NULL AND EXISTS (
        SELECT 1 FROM sample WHERE sample.item = item.row AND reason IS NULL AND objection IS NULL
        AND state = ${settled ? "kept" : "judged"}
      ) ORDER BY row LIMIT ${limit}`
    const samples = yield* sql<SampleRow>`
      SELECT row, item, number, asked, answer, score, coalesce(reason, objection) AS reason FROM sample
      WHERE item IN (SELECT value FROM json_each(${json(found.map(({ row }) => row))})) AND answer IS NOT NULL
      ORDER BY item, number`
    const byItem = Map.groupBy(samples, ({ item }) => item)
    return yield* Effect.forEach(found, ({ id, prompt, row, split }) => {
      const own = byItem.get(row)!
      return Effect.map(
        askedOf(own[0]!.asked),
        (asked): Item => ({
          row,
          id,
          prompt: JSON.parse(prompt),
          asked,
          samples: own.map(sampleOf),
          ...(split === null ? {} : { split })
        })
      )
    })
  })

  const objections = (table: "item" | "sample", column: string) => (rows: ReadonlyArray<Objection>) =>
    rows.length === 0
      ? Effect.void
      : orSaid(
          sql`UPDATE ${sql(table)} SET ${sql(column)} = found.value ->> 'reason', detail = found.value ->> 'detail'
            FROM json_each(${json(rows)}) AS found
            WHERE ${sql(table)}.row = found.value ->> 'row' AND ${sql(table)}.${sql(column)} IS NULL`
        ).pipe(Effect.asVoid)

  /** Bands that more than one item has. */
  const shared = sql.literal(
    "(SELECT band, min(item) AS first FROM band GROUP BY band HAVING count(*) > 1) AS shared JOIN band ON band.band = shared.band"
  )

  /** An item names an earlier one of its cluster, that one a still earlier one, and the first none. */
  const rootOfItem = sql.literal(
    `coalesce((WITH RECURSIVE up (row) AS (
      SELECT item.cluster UNION ALL SELECT earlier.cluster FROM up JOIN item AS earlier ON earlier.row = up.row
    ) SELECT min(row) FROM up), item.row)`
  )

  const counted = (rows: ReadonlyArray<{ readonly name: string; readonly count: number }>) =>
    Object.fromEntries(rows.map(({ count, name }) => [name, count]))

  return {
    name: filename,
    read: (name) =>
      orSaid(
        Effect.map(sql<{ readonly value: string }>`SELECT value FROM said WHERE name = ${name}`, ([row]) =>
          row === undefined ? undefined : (JSON.parse(row.value) as unknown)
        )
      ),
    write: (name, value) =>
      orSaid(
        Effect.asVoid(
          sql`INSERT INTO said (name, value) VALUES (${name}, ${json(value)})
            ON CONFLICT (name) DO UPDATE SET value = excluded.value`
        )
      ),
    relaxed: (effect) =>
      options.survives === "process"
        ? effect
        : Effect.acquireUseRelease(
            orSaid(sql`PRAGMA synchronous = NORMAL`),
            () => effect,
            () => Effect.orDie(sql`PRAGMA synchronous = FULL`)
          ),
    plan: (lines, samples) =>
      Effect.mapError(sql.withTransaction(plan(lines, samples)), (error) =>
        error instanceof LedgerError ? error : said(error)
      ),
    recover: orSaid(
      sql.withTransaction(
        Effect.gen(function* () {
          const calling = yield* sql`UPDATE sample SET state = 'planned', perhapsBilled = perhapsBilled + 1
            WHERE state = 'calling' RETURNING row`
          // A key that was refused, or a quota that was used up, says nothing of the prompt.
          yield* sql`UPDATE sample SET state = 'planned'
            WHERE state = 'failed' AND (retryable = 1 OR error IN ('ModelError/RefusedKey', 'ModelError/Quota'))`
          return calling.length
        })
      )
    ),
    due: (keys) =>
      orSaid(
        Effect.map(
          sql<{ readonly key: string }>`SELECT key FROM sample JOIN item ON item.row = sample.item
            WHERE key IN (SELECT value FROM json_each(${json(keys)})) AND state = 'planned' AND item.reason IS NULL`,
          (rows) => new Set(rows.map(({ key }) => key))
        )
      ),
    fail: (key, error) =>
      orSaid(
        Effect.asVoid(
          sql`UPDATE sample SET state = 'failed', error = ${error} WHERE key = ${key} AND state = 'planned'`
        )
      ),
    sink,
    unjudged: (after, limit) =>
      orSaid(
        Effect.map(
          sql<SampleRow>`SELECT sample.row, item, number, asked, answer, score, sample.reason, prompt
            FROM sample JOIN item ON item.row = sample.item
            WHERE sample.row > ${after} AND state = 'answered' ORDER BY sample.row LIMIT ${limit}`,
          (rows) => rows.map((row) => ({ prompt: JSON.parse(row.prompt) as Prompt.Prompt, sample: sampleOf(row) }))
        )
      ),
    judged: (verdicts) =>
      orSaid(
        Effect.asVoid(
          sql`UPDATE sample SET state = 'judged', score = verdict.value ->> 'score', reason = verdict.value ->> 'reason',
            detail = verdict.value ->> 'detail',
            judgeTries = judgeTries + coalesce(verdict.value ->> '$.spent.tries', 0),
            judgeCostUsd = judgeCostUsd + coalesce(verdict.value ->> '$.spent.costUsd', 0),
            judgeCostComplete = judgeCostComplete AND coalesce(verdict.value ->> '$.spent.costComplete', 1)
            FROM json_each(${json(verdicts)}) AS verdict WHERE sample.row = verdict.value ->> 'row'`
        )
      ),
    unsettle: orSaid(
      sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`DELETE FROM band`
          yield* sql`DELETE FROM candidate`
          // Lines that were rejected before anybody was asked have no samples, and stay rejected.
          yield* sql`UPDATE item SET cluster = NULL, split = NULL,
            detail = CASE WHEN reason IN ${sql.literal(relative)} AND prompt IS NOT NULL THEN NULL ELSE detail END,
            reason = CASE WHEN reason IN ${sql.literal(relative)} AND prompt IS NOT NULL THEN NULL ELSE reason END`
          yield* sql`UPDATE sample SET objection = NULL,
            state = CASE WHEN answer IS NOT NULL THEN 'judged' WHEN error IS NOT NULL THEN 'failed' ELSE 'planned' END
            WHERE state IN ('kept', 'rejected')`
        })
      )
    ),
    rescore: (minimumScore) =>
      orSaid(
        Effect.asVoid(
          sql`UPDATE sample SET reason = iif(score < ${minimumScore}, 'LowScore', NULL),
            detail = iif(score < ${minimumScore}, printf('%.2f of %g', score, ${minimumScore}), NULL)
            WHERE state = 'judged' AND score IS NOT NULL AND (reason IS NULL OR reason = 'LowScore')
            AND (score < ${minimumScore}) <> (reason IS NOT NULL)`
        )
      ),
    items: (after, limit, settled) => orSaid(items(after, limit, settled)),
    addBands: (rows) =>
      orSaid(
        Effect.asVoid(
          sql`INSERT INTO band (band, item) SELECT band.value, found.value ->> 'item'
            FROM json_each(${json(rows)}) AS found, json_each(found.value, '$.bands') AS band`
        )
      ),
    pair: orSaid(
      sql.withTransaction(
        Effect.gen(function* () {
          // Sorted once, when all bands are here: an index that grows with them would be written all over.
          yield* sql`CREATE INDEX bandInOrder ON band (band, item)`
          yield* sql`INSERT INTO candidate (second, first)
            SELECT item, shared.first FROM ${shared} WHERE item > shared.first ON CONFLICT DO NOTHING`
          yield* sql`INSERT INTO candidate (second, first)
            SELECT item, (SELECT max(item) FROM band AS other WHERE other.band = band.band AND other.item < band.item)
            FROM ${shared} WHERE item > shared.first ON CONFLICT DO NOTHING`
          yield* sql`DROP INDEX bandInOrder`
          yield* sql`DELETE FROM band`
        })
      )
    ),
    candidates: ([second, first], limit) =>
      orSaid(
        sql<Candidate>`SELECT second, first FROM candidate
          WHERE (second, first) > (${second}, ${first}) ORDER BY second, first LIMIT ${limit}`
      ),
    compared: (rows) =>
      orSaid(
        Effect.map(
          sql<{
            readonly row: number
            readonly prompt: string
            readonly cluster: number
            readonly rejected: number
          }>`SELECT row, prompt, ${rootOfItem} AS cluster, reason IS NOT NULL AS rejected FROM item
            WHERE row IN (SELECT value FROM json_each(${json(rows)}))`,
          (found) =>
            found.map(({ cluster, prompt, rejected, row }) => ({
              row,
              prompt: JSON.parse(prompt) as Prompt.Prompt,
              cluster,
              rejected: rejected === 1
            }))
        )
      ),
    object: objections("item", "reason"),
    objectToSamples: objections("sample", "objection"),
    cluster: (rows) =>
      orSaid(
        Effect.asVoid(
          sql`UPDATE item SET cluster = found.value ->> 'cluster'
            FROM json_each(${json(rows)}) AS found WHERE item.row = found.value ->> 'row'`
        )
      ),
    clusters: (after, limit) =>
      orSaid(
        sql<{ readonly row: number; readonly cluster: number }>`
          SELECT row, ${rootOfItem} AS cluster FROM item
          WHERE row > ${after} AND reason IS NULL AND prompt IS NOT NULL AND EXISTS (
            SELECT 1 FROM sample WHERE sample.item = item.row AND reason IS NULL AND objection IS NULL AND state = 'judged'
          ) ORDER BY row LIMIT ${limit}`
      ),
    place: (rows) =>
      orSaid(
        Effect.asVoid(
          sql`UPDATE item SET split = placed.value ->> 'split'
            FROM json_each(${json(rows)}) AS placed WHERE item.row = placed.value ->> 'row'`
        )
      ),
    settle: orSaid(
      sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`UPDATE sample SET objection = item.reason, detail = coalesce(sample.detail, item.detail), state = 'rejected'
            FROM item WHERE item.row = sample.item AND item.reason IS NOT NULL AND sample.reason IS NULL
            AND state NOT IN ('calling', 'answered')`
          yield* sql`UPDATE sample SET objection = 'Failed', detail = error, state = 'rejected' WHERE state = 'failed'`
          // Traffic that was cut off is nobody's to ask again.
          yield* sql`UPDATE sample SET objection = 'Failed', detail = 'Interrupted', state = 'rejected'
            WHERE state = 'planned' AND EXISTS (SELECT 1 FROM item WHERE item.row = sample.item AND line IS NULL)`
          yield* sql`UPDATE sample SET state = iif(reason IS NULL AND objection IS NULL, 'kept', 'rejected') WHERE state = 'judged'`
        })
      )
    ),
    counts: orSaid(
      Effect.gen(function* () {
        const [total] = yield* sql<{ readonly lines: number; readonly traffic: number; readonly items: number }>`
          SELECT count(*) AS lines, count(*) - count(line) AS traffic, count(*) FILTER (WHERE EXISTS (SELECT 1 FROM sample WHERE sample.item = item.row)) AS items
          FROM item`
        const lines = yield* sql<{ readonly name: string; readonly count: number }>`
          SELECT reason AS name, count(*) AS count FROM item
          WHERE NOT EXISTS (SELECT 1 FROM sample WHERE sample.item = item.row) GROUP BY reason ORDER BY reason`
        const states = yield* sql<{ readonly name: string; readonly count: number }>`
          SELECT state AS name, count(*) AS count FROM sample GROUP BY state`
        const reasons = yield* sql<{ readonly name: string; readonly count: number }>`
          SELECT coalesce(reason, objection) AS name, count(*) AS count FROM sample WHERE state = 'rejected'
          GROUP BY 1 ORDER BY 1`
        return {
          lines: total!.lines,
          traffic: total!.traffic,
          items: total!.items,
          linesRejected: counted(lines),
          samples: { ...none, ...counted(states) },
          samplesRejected: counted(reasons)
        }
      })
    ),
    spending: orSaid(
      Effect.gen(function* () {
        const [sum] = yield* sql<{
          readonly tries: number
          readonly answers: number
          readonly perhapsBilled: number
          readonly inputTokens: number
          readonly outputTokens: number
          readonly costUsd: number
          readonly costComplete: number
          readonly judgeTries: number
          readonly judgeCostUsd: number
          readonly judgeCostComplete: number
        }>`SELECT coalesce(sum(tries), 0) AS tries, count(answer) AS answers, coalesce(sum(perhapsBilled), 0) AS perhapsBilled,
          coalesce(sum(inputTokens), 0) AS inputTokens, coalesce(sum(outputTokens), 0) AS outputTokens,
          coalesce(sum(costUsd), 0) AS costUsd, coalesce(min(costComplete), 1) AS costComplete,
          coalesce(sum(judgeTries), 0) AS judgeTries, coalesce(sum(judgeCostUsd), 0) AS judgeCostUsd,
          coalesce(min(judgeCostComplete), 1) AS judgeCostComplete FROM sample`
        const teachers = yield* sql<{
          readonly provider: string
          readonly model: string
          readonly version: string | null
          readonly answers: number
        }>`SELECT asked.value ->> '$.teacher.provider' AS provider, asked.value ->> '$.teacher.model' AS model, version,
          count(*) AS answers FROM sample JOIN asked ON asked.id = sample.asked WHERE answer IS NOT NULL
          GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3`
        const { judgeCostComplete, judgeCostUsd, judgeTries, ...spent } = sum!
        return {
          ...spent,
          costComplete: spent.costComplete === 1,
          judge: { tries: judgeTries, costUsd: judgeCostUsd, costComplete: judgeCostComplete === 1 },
          teachers: teachers.map(({ version, ...teacher }) => (version === null ? teacher : { ...teacher, version }))
        }
      })
    ),
    contaminatedLines: orSaid(
      Effect.map(
        sql<{ readonly name: string; readonly count: number }>`
          SELECT substr(detail, 1, length(detail) - length(iif(detail LIKE '%: run', ': run', ': document'))) AS name,
          count(*) AS count FROM item WHERE reason = 'Contaminated' AND prompt IS NULL GROUP BY 1`,
        counted
      )
    ),
    rejections: (after, limit) =>
      orSaid(
        sql<Rejection>`SELECT item.row AS item, line, id, NULL AS number, reason, detail FROM item
          WHERE row > ${after} AND row <= ${after + limit} AND NOT EXISTS (SELECT 1 FROM sample WHERE sample.item = item.row)
          UNION ALL
          SELECT item.row, line, id, number, coalesce(sample.reason, sample.objection), coalesce(sample.detail, '')
          FROM item JOIN sample ON sample.item = item.row
          WHERE item.row > ${after} AND item.row <= ${after + limit} AND state = 'rejected'
          ORDER BY 1, 4`
      )
  }
})

const ask: Begun = { _tag: "Ask" }

const none: Counts["samples"] = {
  planned: 0,
  calling: 0,
  answered: 0,
  failed: 0,
  judged: 0,
  kept: 0,
  rejected: 0
}

/** A ledger becomes one of this version, an empty file too, and somebody else's database is left alone. */
const prepare = Effect.fnUntraced(function* (
  sql: Sqlite.SqliteClient,
  filename: string,
  said: (error: SqlError.SqlError) => LedgerError
): Effect.fn.Return<void, LedgerError> {
  const number = (effect: Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError.SqlError>) =>
    Effect.mapBoth(effect, { onSuccess: (rows) => Number(rows[0]?.[0] ?? 0), onFailure: said })
  const tables = yield* number(sql`SELECT count(*) FROM sqlite_schema`.values)
  if (tables > 0 && (yield* number(sql`PRAGMA application_id`.values)) !== applicationId) {
    return yield* new LedgerError({
      filename,
      reason: "NotALedger",
      message: `${filename} is the database of another program: use another file`
    })
  }
  const found = tables === 0 ? 0 : yield* number(sql`PRAGMA user_version`.values)
  if (found > versions.length) {
    return yield* new LedgerError({
      filename,
      reason: "TooNew",
      message: `${filename} is a ledger of version ${found}, and this program knows up to ${versions.length}: use a newer one, or another file`
    })
  }
  if (found === versions.length) return
  const statements = [
    ...versions.slice(found).flat(),
    `PRAGMA application_id = ${applicationId}`,
    `PRAGMA user_version = ${versions.length}`
  ]
  yield* Effect.mapError(sql.withTransaction(Effect.forEach(statements, (statement) => sql.unsafe(statement))), said)
})

// ---------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------

const sink = Layer.effect(
  DatasetSink,
  Ledger.use(({ sink }) => Effect.succeed(sink))
)

/**
 * A ledger in one SQLite file, which nobody else may open meanwhile; and the sink of it, for the `collect` stage.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Ledger | DatasetSink, LedgerError | Sqlite.OpenError> =>
  Layer.provideMerge(sink, Layer.effect(Ledger, make(options)).pipe(Layer.provide(Reactivity.layer)))

/**
 * A ledger that is gone with the process, for tests and for a few.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<Ledger | DatasetSink, LedgerError | Sqlite.OpenError> = layer({
  filename: ":memory:"
})

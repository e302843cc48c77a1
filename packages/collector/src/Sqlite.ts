/**
 * `Sqlite` is an `effect/sql` client over `node:sqlite`, for one process that owns its file.
 *
 * The file is in WAL mode and locked for as long as the client lives: a second process is refused with an `OpenError` rather than
 * made to wait. A commit is on the disk when it returns. Prepared statements are kept.
 *
 * ```ts
 * import * as Sqlite from "@interlock/collector/Sqlite"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const program = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE word (text TEXT NOT NULL)`
 *   yield* sql.withTransaction(sql`INSERT INTO word ${sql.insert([{ text: "one" }, { text: "two" }])}`)
 *   return yield* sql<{ readonly text: string }>`SELECT text FROM word ORDER BY text`
 * }).pipe(Effect.provide(Sqlite.layer({ filename: ":memory:" })))
 *
 * const rows = await Effect.runPromise(program)
 * console.assert(rows.length === 2 && rows[0]?.text === "one")
 * ```
 *
 * @since 0.1.0
 */
import type { DatabaseSync, StatementSync } from "node:sqlite"
import { Effect, Layer, Schema, type Scope, Semaphore, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"

// ---------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------

/**
 * Another process, or another part of this one, has the file open.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InUse extends Schema.TaggedClass<InUse>()("InUse", {}) {}

/**
 * There is a file, and it is no SQLite database.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NotADatabase extends Schema.TaggedClass<NotADatabase>()("NotADatabase", {}) {}

/**
 * The file cannot be opened or written: no such folder, no permission, no space, a damaged disk.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Unopenable extends Schema.TaggedClass<Unopenable>()("Unopenable", {}) {}

/**
 * The database could not be opened.
 *
 * @category errors
 * @since 0.1.0
 */
export class OpenError extends Schema.TaggedError<OpenError>()("@interlock/collector/OpenError", {
  filename: Schema.String,
  reason: Schema.Union([InUse, NotADatabase, Unopenable]),
  message: Schema.String
}) {}

// https://www.sqlite.org/rescode.html
const [busy, locked, full, notADatabase] = [5, 6, 13, 26]

/** The primary result code of an error of `node:sqlite`. */
const primaryCode = (error: unknown): number | undefined => {
  const code = (error as { readonly errcode?: unknown } | null)?.errcode
  return typeof code === "number" ? code & 0xff : undefined
}

/**
 * Whether a statement failed because there is no room left: on the disk, or within `maximumBytes`.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isFull = (error: SqlError.SqlError): boolean => primaryCode(error.reason.cause) === full

const sqlError = (error: unknown, operation: string): SqlError.SqlError => {
  // What `node:sqlite` calls `errcode`, `effect/sql` looks for as `errno`.
  const cause =
    error instanceof Error ? Object.assign(error, { errno: (error as { errcode?: number }).errcode }) : error
  const said = error instanceof Error ? error.message : String(error)
  return new SqlError.SqlError({
    reason: SqlError.classifySqliteError(cause, { message: `SQLite could not ${operation}: ${said}`, operation })
  })
}

const openError = (filename: string, error: unknown): OpenError => {
  const said = error instanceof Error ? error.message : String(error)
  switch (primaryCode(error)) {
    case busy:
    case locked:
      return new OpenError({
        filename,
        reason: new InUse(),
        message: `${filename} is in use by another process: wait until that one is done or stop it, or use another file`
      })
    case notADatabase:
      return new OpenError({
        filename,
        reason: new NotADatabase(),
        message: `${filename} is not a SQLite database: use another file, or move this one out of the way`
      })
    default:
      return new OpenError({
        filename,
        reason: new Unopenable(),
        message: `${filename} cannot be opened (${said}): see that its folder is there, can be written to and has room`
      })
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Options
// ---------------------------------------------------------------------------------------------------------------

/**
 * Which file, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The file, made when it is not there; `":memory:"` for none. */
  readonly filename: string
  /**
   * `power`: a commit survives a loss of power, at the price of waiting for the disk. `process`: it survives the death of the process
   * only. Default `power`.
   */
  readonly survives?: "power" | "process"
  /** How large the database may grow, in bytes; then statements fail and `isFull` says so. Default: as the disk allows. */
  readonly maximumBytes?: number
  /** How many prepared statements to keep. Default 100. */
  readonly statements?: number
  /** How much of the file to keep in memory, in bytes; the operating system keeps more. Default 2 MiB. */
  readonly cacheBytes?: number
}

// ---------------------------------------------------------------------------------------------------------------
// Loading node:sqlite
// ---------------------------------------------------------------------------------------------------------------

type NodeSqlite = typeof import("node:sqlite")

let loaded: NodeSqlite | undefined

/** Node 22 warns that `node:sqlite` is experimental, once, when it is loaded: that one warning is left out. */
const load = (): NodeSqlite => {
  if (loaded !== undefined) return loaded
  const emit = process.emitWarning
  process.emitWarning = ((warning: string | Error, ...rest: Array<never>) => {
    if (!/SQLite is an experimental feature/.test(String(warning))) emit.call(process, warning, ...rest)
  }) as typeof process.emitWarning
  try {
    loaded = process.getBuiltinModule("node:sqlite")
    return loaded
  } finally {
    process.emitWarning = emit
  }
}

// ---------------------------------------------------------------------------------------------------------------
// The connection
// ---------------------------------------------------------------------------------------------------------------

const open = ({ cacheBytes = 2 ** 21, filename, maximumBytes, survives = "power" }: Options): DatabaseSync => {
  const { DatabaseSync } = load()
  const database = new DatabaseSync(filename, { timeout: 0 })
  try {
    database.exec(`PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${survives === "power" ? "FULL" : "NORMAL"};
      PRAGMA cache_size = -${Math.ceil(cacheBytes / 1024)};
      PRAGMA foreign_keys = ON;
      BEGIN IMMEDIATE;
      COMMIT;`)
    if (maximumBytes !== undefined) limitSize(database, maximumBytes)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

const limitSize = (database: DatabaseSync, bytes: number): void => {
  const pageSize = Number(Object.values(database.prepare("PRAGMA page_size").get() ?? {})[0])
  database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(bytes / pageSize))}`)
}

interface Sqlite extends SqlConnection.Connection {
  readonly database: DatabaseSync
}

const connect = (database: DatabaseSync, size: number): Sqlite => {
  // A `Map` keeps the order of insertion, so its first entry is the one that was not used for longest.
  const cache = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    const known = cache.get(sql)
    if (known !== undefined) {
      cache.delete(sql)
      cache.set(sql, known)
      return known
    }
    const statement = database.prepare(sql)
    cache.set(sql, statement)
    if (cache.size > size) cache.delete(cache.keys().next().value!)
    return statement
  }
  const rows = (
    sql: string,
    params: ReadonlyArray<unknown>,
    arrays: boolean,
    prepared: boolean
  ): Effect.Effect<ReadonlyArray<any>, SqlError.SqlError> =>
    Effect.withFiber((fiber) => {
      try {
        const statement = prepared ? prepare(sql) : database.prepare(sql)
        statement.setReadBigInts(fiber.getRef(SqlClient.SafeIntegers))
        statement.setReturnArrays(arrays)
        return Effect.succeed(statement.all(...(params as ReadonlyArray<null>)))
      } catch (error) {
        return Effect.fail(sqlError(error, "run a statement"))
      }
    })
  const transformed = (
    effect: Effect.Effect<ReadonlyArray<any>, SqlError.SqlError>,
    transform: (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined
  ) => (transform === undefined ? effect : Effect.map(effect, transform))
  return {
    database,
    execute: (sql, params, transform) => transformed(rows(sql, params, false, true), transform),
    executeRaw: (sql, params) => rows(sql, params, false, true),
    executeValues: (sql, params) => rows(sql, params, true, true),
    executeValuesUnprepared: (sql, params) => rows(sql, params, true, false),
    executeUnprepared: (sql, params, transform) => transformed(rows(sql, params, false, false), transform),
    executeStream: (sql, params, transform) =>
      Stream.suspend(() => {
        // A statement of its own: one that is being read must not be run again.
        const iterator = database.prepare(sql).iterate(...(params as ReadonlyArray<null>))
        const all = Stream.fromIteratorSucceed(iterator, 128) as Stream.Stream<any>
        return transform === undefined ? all : Stream.mapArray(all, (some) => transform(some) as typeof some)
      }).pipe(Stream.catchDefect((defect) => Stream.fail(sqlError(defect, "read a stream"))))
  }
}

// ---------------------------------------------------------------------------------------------------------------
// The client
// ---------------------------------------------------------------------------------------------------------------

/**
 * A client of SQLite: that of `effect/sql`, and what only SQLite has.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqliteClient extends SqlClient.SqlClient {
  readonly filename: string
  /** Sets how large the database may grow, in bytes. */
  readonly limitSize: (bytes: number) => Effect.Effect<void, SqlError.SqlError>
}

/**
 * Opens a database, and closes it with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<SqliteClient, OpenError, Scope.Scope | Reactivity.Reactivity> {
  const database = yield* Effect.acquireRelease(
    Effect.try({ try: () => open(options), catch: (error) => openError(options.filename, error) }),
    (database) => Effect.sync(() => database.close())
  )
  const connection = connect(database, options.statements ?? 100)
  const { acquirer, borrower, isTransaction, onCommitFailure, transactionAcquirer } = SqlClient.makeSqliteAcquirers({
    connection: Effect.succeed(connection),
    semaphore: yield* Semaphore.make(1),
    isTransaction: ({ database }) => database.isTransaction
  })
  const client = yield* SqlClient.make({
    acquirer,
    borrower,
    transactionAcquirer,
    onCommitFailure,
    isTransaction,
    compiler: Statement.makeCompilerSqlite(),
    driver: "sqlite-interlock",
    beginTransaction: "BEGIN IMMEDIATE",
    prepareTransactionControls: true,
    spanAttributes: [["db.system.name", "sqlite"]]
  })
  return Object.assign(client, {
    filename: options.filename,
    limitSize: (bytes: number) =>
      Effect.try({
        try: () => limitSize(database, bytes),
        catch: (error) => sqlError(error, "set how large the database may grow")
      })
  })
})

/**
 * The layer of a client that owns its file.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient, OpenError> =>
  Layer.effect(SqlClient.SqlClient, make(options)).pipe(Layer.provide(Reactivity.layer))

import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Sqlite from "@interlock/collector/Sqlite"
import { Effect, Exit, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"

const folder = mkdtempSync(join(tmpdir(), "sqlite-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const fresh = () => join(folder, `${files++}.db`)
const memory = Effect.provide(Sqlite.layer({ filename: ":memory:" }))
const onFile = (filename: string) => Effect.provide(Sqlite.layer({ filename }))

describe("Sqlite", () => {
  it.effect("reads what it wrote, with every type of value", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE thing (a, b, c, d)`
      const row = { a: "text", b: 1.5, c: null, d: new Uint8Array([1, 2]) }
      yield* sql`INSERT INTO thing ${sql.insert(row)}`
      assert.deepStrictEqual(
        (yield* sql`SELECT * FROM thing`).map((found) => ({ ...found })),
        [row]
      )
      assert.deepStrictEqual(yield* sql`SELECT a, b FROM thing`.values, [["text", 1.5]])
      const big = yield* Effect.provideService(sql`SELECT 9007199254740993 AS n`, SqlClient.SafeIntegers, true)
      assert.strictEqual(big[0]?.["n"], 9007199254740993n)
    }).pipe(memory)
  )

  it.effect("takes a transaction back when it fails, and only the inner one when that is caught", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE thing (a)`
      const add = (a: number) => sql`INSERT INTO thing VALUES (${a})`
      yield* Effect.exit(sql.withTransaction(Effect.andThen(add(1), Effect.fail("no"))))
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* add(2)
          yield* Effect.exit(sql.withTransaction(Effect.andThen(add(3), Effect.fail("no"))))
          yield* add(4)
        })
      )
      assert.deepStrictEqual(yield* sql`SELECT a FROM thing ORDER BY a`.values, [[2], [4]])
    }).pipe(memory)
  )

  it.effect("keeps concurrent transactions apart", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE thing (a)`
      const one = (a: number) =>
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`INSERT INTO thing VALUES (${a})`
            yield* Effect.yieldNow
            if (a % 2 === 0) return yield* Effect.fail("no")
          })
        )
      yield* Effect.forEach([0, 1, 2, 3, 4, 5], (a) => Effect.exit(one(a)), { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* sql`SELECT a FROM thing ORDER BY a`.values, [[1], [3], [5]])
    }).pipe(memory)
  )

  it.effect("streams rows", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const numbers = sql`WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 1000) SELECT a FROM n`
      const rows = yield* Stream.runCollect(numbers.stream)
      assert.strictEqual(rows.length, 1000)
      assert.strictEqual((yield* Stream.runCollect(Stream.take(numbers.stream, 3))).length, 3)
    }).pipe(memory)
  )

  it.effect("says what is wrong with a statement, and which constraint it broke", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE thing (a UNIQUE)`
      yield* sql`INSERT INTO thing VALUES (1)`
      const twice = yield* Effect.flip(sql`INSERT INTO thing VALUES (1)`)
      assert.strictEqual(twice.reason._tag, "UniqueViolation")
      const nonsense = yield* Effect.flip(sql`SELEC`)
      assert.include(nonsense.message, "syntax error")
    }).pipe(memory)
  )

  it.effect("says when there is no room, keeps what was committed, and goes on when there is room again", () => {
    const filename = fresh()
    return Effect.gen(function* () {
      const sql = yield* Sqlite.make({ filename, maximumBytes: 65_536 })
      yield* sql`CREATE TABLE thing (a)`
      const add = sql.withTransaction(sql`INSERT INTO thing VALUES (${"x".repeat(3000)})`)
      const error = yield* Effect.flip(Effect.forever(add))
      assert.isTrue(Sqlite.isFull(error))
      const [[before]] = (yield* sql`SELECT count(*) FROM thing`.values) as [[number]]
      assert.isAbove(before, 5)
      yield* sql.limitSize(10 * 65_536)
      yield* add
      assert.deepStrictEqual(yield* sql`SELECT count(*) FROM thing`.values, [[before + 1]])
    }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))
  })

  it.effect("refuses a file that this process has open already, and lets go of it when it is closed", () => {
    const filename = fresh()
    const open = Effect.void.pipe(onFile(filename))
    return Effect.gen(function* () {
      const error = yield* open.pipe(Effect.flip, onFile(filename))
      assert.strictEqual(error.reason._tag, "InUse")
      assert.include(error.message, filename)
      assert.include(error.message, "use another file")
      yield* open
    })
  })

  it.effect("refuses a file that another process has open", () => {
    const filename = fresh()
    const child = Effect.promise(
      () =>
        new Promise<string>((resolve) =>
          execFile(
            process.execPath,
            [
              "--input-type=module",
              "-e",
              `import { DatabaseSync } from "node:sqlite"
               const database = new DatabaseSync(${JSON.stringify(filename)}, { timeout: 0 })
               try { database.exec("BEGIN IMMEDIATE"); console.log("opened") } catch (error) { console.log(error.message) }`
            ],
            (_, stdout) => resolve(stdout.trim())
          )
        )
    )
    return Effect.gen(function* () {
      assert.strictEqual(yield* child.pipe(onFile(filename)), "database is locked")
      assert.strictEqual(yield* child, "opened")
    })
  })

  it.effect("says that a file is no database, or cannot be opened", () =>
    Effect.gen(function* () {
      const filename = fresh()
      writeFileSync(filename, "This is a letter, and not a database.".repeat(100))
      const letter = yield* Effect.void.pipe(onFile(filename), Effect.flip)
      assert.strictEqual(letter.reason._tag, "NotADatabase")
      const nowhere = yield* Effect.void.pipe(onFile(join(folder, "no", "such", "folder.db")), Effect.flip)
      assert.strictEqual(nowhere.reason._tag, "Unopenable")
      assert.include(nowhere.message, "see that its folder is there")
    })
  )

  it.effect("keeps no more statements than it may, and runs all of them", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      for (let round = 0; round < 2; round++) {
        for (let index = 0; index < 5; index++) {
          assert.deepStrictEqual(yield* sql.unsafe(`SELECT ${index}`).values, [[index]])
        }
      }
    }).pipe(Effect.provide(Sqlite.layer({ filename: ":memory:", statements: 2 })))
  )

  it.effect("closes the file however its scope ends", () => {
    const filename = fresh()
    return Effect.gen(function* () {
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.fail("no").pipe(onFile(filename)))))
      yield* Effect.void.pipe(onFile(filename))
    })
  })
})

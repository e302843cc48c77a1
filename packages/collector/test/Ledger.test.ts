import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Ledger } from "@interlock/collector"
import { Part, type Prompt, type SafeText } from "@interlock/model"
import type { Request, Spent } from "@interlock/stages/collect"
import { Effect, Exit } from "effect"

const folder = mkdtempSync(join(tmpdir(), "ledger-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const fresh = () => join(folder, `${files++}.db`)
const memory = Effect.provide(Ledger.layerMemory)
const on = (filename: string, options: Partial<Ledger.Options> = {}) =>
  Effect.provide(Ledger.layer({ filename, reserveBytes: 2 ** 17, survives: "process", ...options }))

const ledgerOf = Ledger.Ledger.use(Effect.succeed)
const spent: Spent = { tries: 1, costUsd: 0.5, costComplete: true }
// The ledger keeps what the stage gives it: only `redact` makes such a prompt outside of tests.
const request = (key: string, text = "What?"): Request => ({
  key,
  prompt: { content: [{ role: "user", content: text }] } as Prompt.Prompt as Prompt.Prompt<SafeText>,
  teacher: { provider: "offline", model: "offline-large" },
  settings: {}
})
const answered = (text: string) => ({ _tag: "Answered", parts: Part.text(text), spent }) as const

describe("Ledger", () => {
  it.effect("plans each prompt once, keeps the lines that are none, and takes lines that come later", () =>
    Effect.gen(function* () {
      const ledger = yield* ledgerOf
      const lines = [
        { line: 1, id: "1", digest: "a" },
        { line: 2, id: "2", rejected: { reason: "UnreadableRow", detail: "line 2 is not a prompt" } },
        { line: 3, id: "3", digest: "a" },
        { line: 5, id: "5", digest: "b" }
      ] as const
      yield* ledger.plan(lines, 2)
      yield* ledger.plan([...lines, { line: 6, id: "6", digest: "c" }, { line: 7, id: "7", digest: "b" }], 2)
      const counts = yield* ledger.counts
      assert.deepInclude(counts, { lines: 6, items: 3, linesRejected: { DuplicatePrompt: 2, UnreadableRow: 1 } })
      assert.strictEqual(counts.samples.planned, 6)
      assert.deepStrictEqual(
        (yield* ledger.rejections(0, 10)).map(({ detail, line }) => [line, detail]),
        [
          [2, "line 2 is not a prompt"],
          [3, "the same as line 1"],
          [7, "the same as line 5"]
        ]
      )
      const changed = yield* Effect.flip(ledger.plan([{ line: 1, id: "1", digest: "other" }], 2))
      assert.strictEqual(changed.reason, "OtherData")
      assert.include(changed.message, "Line 1 is not what it was")
    }).pipe(memory)
  )

  it.effect("takes a sample from planned to answered, and gives a known answer back", () =>
    Effect.gen(function* () {
      const ledger = yield* ledgerOf
      yield* ledger.plan([{ line: 1, id: "1", digest: "a" }], 2)
      assert.deepStrictEqual([...(yield* ledger.due(["a/0", "a/1", "b/0"]))], ["a/0", "a/1"])
      assert.strictEqual((yield* ledger.sink.begin(request("a/0")))._tag, "Ask")
      assert.strictEqual((yield* ledger.counts).samples.calling, 1)
      yield* ledger.sink.finish("a/0", answered("This."))
      assert.deepStrictEqual([...(yield* ledger.due(["a/0", "a/1"]))], ["a/1"])
      const known = yield* ledger.sink.begin(request("a/0"))
      assert.deepStrictEqual(known, { _tag: "Known", parts: Part.text("This.") })
      const [unjudged, ...others] = yield* ledger.unjudged(0, 10)
      assert.strictEqual(others.length, 0)
      assert.strictEqual(unjudged?.sample.answer.text, "This.")
    }).pipe(memory)
  )

  it.effect("keeps the calls of a reply, and the version that the provider named", () =>
    Effect.gen(function* () {
      const ledger = yield* ledgerOf
      yield* ledger.plan([{ line: 1, id: "1", digest: "a" }], 1)
      yield* ledger.sink.begin(request("a/0"))
      const call = { type: "tool-call", id: "1", name: "look", params: { at: "sky" } } as const
      yield* ledger.sink.finish("a/0", {
        _tag: "Answered",
        parts: [
          { type: "response-metadata", id: "r", modelId: "large-2026-11", timestamp: "2026-11-23T00:00:00Z" },
          { type: "text-delta", id: "t", delta: "I " },
          { type: "text-delta", id: "t", delta: "look." },
          call,
          Part.finish("tool-calls", { inputTokens: { total: 3 }, outputTokens: { total: 4 } })
        ],
        spent
      })
      const [found] = yield* ledger.unjudged(0, 10)
      assert.deepInclude(found?.sample.answer, { text: "I look.", toolCalls: [call], finishReason: "tool-calls" })
      assert.deepInclude(yield* ledger.spending, {
        inputTokens: 3,
        outputTokens: 4,
        teachers: [{ provider: "offline", model: "offline-large", version: "large-2026-11", answers: 1 }]
      })
    }).pipe(memory)
  )

  it.effect("adds up the cost of tries that failed, and makes what may pass due again", () =>
    Effect.gen(function* () {
      const ledger = yield* ledgerOf
      yield* ledger.plan(
        [
          { line: 1, id: "1", digest: "a" },
          { line: 2, id: "2", digest: "b" }
        ],
        1
      )
      for (const [key, retryable] of [
        ["a/0", true],
        ["b/0", false]
      ] as const) {
        yield* ledger.sink.begin(request(key))
        yield* ledger.sink.finish(key, { _tag: "Failed", error: "ModelError/Overloaded", retryable, spent })
      }
      assert.strictEqual((yield* ledger.counts).samples.failed, 2)
      assert.strictEqual(yield* ledger.recover, 0)
      assert.deepStrictEqual([...(yield* ledger.due(["a/0", "b/0"]))], ["a/0"])
      yield* ledger.sink.begin(request("a/0"))
      yield* ledger.sink.finish("a/0", { ...answered("At last."), spent: { ...spent, costComplete: false } })
      assert.deepInclude(yield* ledger.spending, { tries: 3, answers: 1, costUsd: 1.5, costComplete: false })
    }).pipe(memory)
  )

  it.effect("counts calls that were in flight, and makes them due again", () => {
    const filename = fresh()
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const ledger = yield* ledgerOf
        yield* ledger.plan(
          [
            { line: 1, id: "1", digest: "a" },
            { line: 2, id: "2", digest: "b" }
          ],
          1
        )
        yield* ledger.sink.begin(request("a/0"))
        yield* ledger.sink.begin(request("b/0"))
        yield* ledger.sink.finish("b/0", { _tag: "Interrupted", spent: { ...spent, costUsd: 0 } })
      }).pipe(on(filename))
      yield* Effect.gen(function* () {
        const ledger = yield* ledgerOf
        assert.strictEqual(yield* ledger.recover, 1)
        assert.strictEqual((yield* ledger.spending).perhapsBilled, 2)
        assert.strictEqual((yield* ledger.due(["a/0", "b/0"])).size, 2)
      }).pipe(on(filename))
    })
  })

  it.effect("keeps traffic that nobody planned", () =>
    Effect.gen(function* () {
      const ledger = yield* ledgerOf
      yield* ledger.sink.begin(request("call-1", "Where?"))
      yield* ledger.sink.finish("call-1", answered("There."))
      const counts = yield* ledger.counts
      assert.deepInclude(counts, { lines: 1, items: 1 })
      const [found] = yield* ledger.unjudged(0, 10)
      assert.deepStrictEqual(found?.prompt.content, [{ role: "user", content: "Where?" }])
    }).pipe(memory)
  )

  it.effect("puts calls that end together into one commit, and fails only those of a commit that fails", () =>
    Effect.gen(function* () {
      const ledger = yield* ledgerOf
      const digests = Array.from({ length: 200 }, (_, index) => `d${index}`)
      yield* ledger.plan(
        digests.map((digest, index) => ({ line: index + 1, id: String(index), digest })),
        1
      )
      yield* Effect.forEach(
        digests,
        (digest) =>
          Effect.andThen(
            ledger.sink.begin(request(`${digest}/0`)),
            ledger.sink.finish(`${digest}/0`, answered(digest))
          ),
        { concurrency: "unbounded", discard: true }
      )
      assert.strictEqual((yield* ledger.counts).samples.answered, 200)
    }).pipe(memory)
  )

  it.effect("writes the answers under way when there is no room, takes no further call, and goes on with room", () => {
    const filename = fresh()
    const long = "x".repeat(4000)
    const digests = Array.from({ length: 60 }, (_, index) => `d${index}`)
    let received = 0
    const ask = (ledger: Ledger.Ledger["Service"], digest: string) =>
      Effect.gen(function* () {
        const begun = yield* ledger.sink.begin(request(`${digest}/0`))
        if (begun._tag === "Known") return
        received++
        yield* ledger.sink.finish(`${digest}/0`, answered(long + digest))
      })
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const ledger = yield* ledgerOf
        yield* ledger.plan(
          digests.map((digest, index) => ({ line: index + 1, id: digest, digest })),
          1
        )
        const exits = yield* Effect.forEach(digests, (digest) => Effect.exit(ask(ledger, digest)), { concurrency: 8 })
        const refused = exits.filter(Exit.isFailure)
        assert.isAbove(refused.length, 0)
        assert.isAbove(received, 8)
        // Whatever was received is there, and nothing was asked once there was no room.
        assert.deepInclude(yield* ledger.spending, { answers: received })
        assert.strictEqual(exits.length - refused.length, received)
        const again = yield* Effect.flip(ledger.sink.begin(request("another/0")))
        assert.strictEqual(again.reason._tag, "Full")
        assert.include(again.message, "Make room and run again with --resume")
        assert.isFalse(existsSync(`${filename}-reserve`))
      }).pipe(on(filename, { maximumBytes: 160_000 }))
      const before = received
      yield* Effect.gen(function* () {
        const ledger = yield* ledgerOf
        assert.isTrue(existsSync(`${filename}-reserve`))
        yield* Effect.forEach(digests, (digest) => ask(ledger, digest), { concurrency: 8 })
        assert.strictEqual((yield* ledger.spending).answers, 60)
        assert.strictEqual(received, 60, `${before} before`)
      }).pipe(on(filename))
      assert.isFalse(existsSync(`${filename}-reserve`))
    })
  })

  it.effect("refuses what another has open, what is no ledger, and what is of a newer version", () => {
    const filename = fresh()
    return Effect.gen(function* () {
      const used = yield* ledgerOf.pipe(on(filename), Effect.flip, on(filename))
      assert.strictEqual(used._tag, "@interlock/collector/OpenError")
      assert.include(used.message, "is in use by another process")
      const database = new DatabaseSync(filename)
      database.exec("PRAGMA user_version = 99")
      database.close()
      const newer = yield* ledgerOf.pipe(on(filename), Effect.flip)
      assert.deepInclude(newer, { _tag: "@interlock/collector/LedgerError", reason: "TooNew" })
      const other = fresh()
      const foreign = new DatabaseSync(other)
      foreign.exec("CREATE TABLE something (a)")
      foreign.close()
      assert.deepInclude(yield* ledgerOf.pipe(on(other), Effect.flip), { reason: "NotALedger" })
    })
  })

  it.effect("goes on with a ledger of the version before", () => {
    const filename = fresh()
    return Effect.gen(function* () {
      const use = Effect.gen(function* () {
        const ledger = yield* ledgerOf
        return [yield* ledger.counts, yield* ledger.spending, yield* ledger.candidates([-1, -1], 1)] as const
      }).pipe(on(filename))
      yield* Effect.gen(function* () {
        const ledger = yield* ledgerOf
        yield* ledger.plan([{ line: 1, id: "1", digest: "a" }], 2)
        yield* ledger.sink.begin(request("a/0"))
        yield* ledger.sink.finish("a/0", answered("Yes."))
      }).pipe(on(filename))
      const before = yield* use
      const database = new DatabaseSync(filename)
      database.exec(`DROP TABLE candidate;
        ALTER TABLE sample DROP COLUMN judgeTries;
        ALTER TABLE sample DROP COLUMN judgeCostUsd;
        ALTER TABLE sample DROP COLUMN judgeCostComplete;
        CREATE TABLE edge (second INTEGER NOT NULL, first INTEGER NOT NULL, jaccard REAL NOT NULL, exact INTEGER NOT NULL);
        CREATE INDEX bandInOrder ON band (band, item);
        PRAGMA user_version = 1`)
      database.close()
      assert.deepStrictEqual(yield* use, before)
      assert.strictEqual(before[1].answers, 1)
    })
  })

  it.effect("forgets what is found beside other items, and nothing else", () =>
    Effect.gen(function* () {
      const ledger = yield* ledgerOf
      yield* ledger.plan(
        [
          { line: 1, id: "1", digest: "a" },
          { line: 2, id: "2", digest: "b" }
        ],
        1
      )
      for (const key of ["a/0", "b/0"]) {
        yield* ledger.sink.begin(request(key, key))
        yield* ledger.sink.finish(key, answered(key))
      }
      const rows = (yield* ledger.unjudged(0, 10)).map(({ sample }) => sample.row)
      yield* ledger.judged([
        { row: rows[0]!, score: 1 },
        { row: rows[1]!, score: 0.1, reason: "LowScore", detail: "low" }
      ])
      yield* ledger.object([{ row: 1, reason: "NearDuplicate", detail: "like item 7" }])
      yield* ledger.settle
      assert.deepInclude(yield* ledger.counts, { samplesRejected: { LowScore: 1, NearDuplicate: 1 } })
      yield* ledger.unsettle
      yield* ledger.settle
      assert.deepInclude(yield* ledger.counts, { samplesRejected: { LowScore: 1 } })
      assert.strictEqual((yield* ledger.counts).samples.kept, 1)
    }).pipe(memory)
  )
})

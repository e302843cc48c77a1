/**
 * Measures the audit log on this disk: `pnpm bench audit [-- --records 20000 --concurrency 64 --directory DIR]`.
 *
 * - records: calls recorded a second, request and completion, 2 KB of JSON in both together, sealed, each durable before the next
 *   step of its call, at the given concurrency;
 * - added latency: what `audit` and `auditText` add to a call of a pipeline that redacts, with a model that answers at once, one call after the other,
 *   and with one that takes 25 to 75 ms, at the given concurrency;
 * - verification: records checked a second by `verify`, every signature included.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Pipeline, Reply } from "@interlock/core"
import { Caller, Chat, Part, RawPrompt, SafePrompt } from "@interlock/model"
import { AuditLog, audit, auditText, layerFiles } from "@interlock/stages/audit"
import * as Disk from "@interlock/stages/audit/disk"
import * as Entry from "@interlock/stages/audit/entry"
import * as Keys from "@interlock/stages/audit/keys"
import { verify } from "@interlock/stages/audit/verify"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Context, Effect, Layer, Redacted } from "effect"

const layerOf = (directory: string) =>
  layerFiles({ directory: join(directory, "data") }).pipe(
    Layer.provide(Keys.layerFiles({ directory: join(directory, "keys") })),
    Layer.provide(Keys.layerRootKey(Redacted.make(new Uint8Array(32).fill(7))))
  )

const prompt = "The quick brown fox jumps over the lazy dog. ".repeat(20)
const answer = "A short answer that says what was asked for. ".repeat(16)

/** How long the model is to take at most, in milliseconds, at least a third of it; and how long it took. */
const Stopwatch = Context.Reference("bench/Stopwatch", { defaultValue: () => ({ delay: 0, model: 0 }) })

const reply = Reply.whole(Part.text(answer, { inputTokens: { total: 220 }, outputTokens: { total: 180 } }))
const callModel = Pipeline.handler("callModel", { needs: { prompt: SafePrompt } }, () =>
  Effect.gen(function* () {
    const stopwatch = yield* Stopwatch
    const begun = performance.now()
    if (stopwatch.delay > 0) yield* Effect.sleep((stopwatch.delay * (1 + 2 * Math.random())) / 3)
    stopwatch.model = performance.now() - begun
    return reply
  })
)
const start = Pipeline.make("bench", { input: [Caller, RawPrompt], protocol: Chat.protocol })
const bare = start.use(redact).to(callModel)
const audited = start.use(audit).use(redact).use(auditText).to(callModel)

const facts = {
  request: { version: 1, tenant: "acme", startedAt: Date.now() },
  completion: {
    version: 1,
    tenant: "acme",
    startedAt: Date.now(),
    endedAt: Date.now(),
    outcome: "answered",
    usage: { inputTokens: 220, outputTokens: 180 },
    events: [
      { _tag: "Attempt", provider: "p", model: "m", startedAt: 1, endedAt: 2, outcome: "answered", costUsd: 0.01 }
    ]
  }
}
const personal = {
  request: { subject: "ada", prompt: [{ role: "user", text: prompt }] },
  completion: { subject: "ada", answer }
}
const recordBytes = [facts.request, facts.completion, personal.request, personal.completion].reduce(
  (sum, part) => sum + JSON.stringify(part).length,
  0
)

const record = (subject: string) =>
  AuditLog.use((log) => {
    const call = Entry.id()
    const entry = { call, tenant: "acme", subject }
    return Effect.andThen(
      log.append({ ...entry, kind: "request", facts: facts.request, personal: personal.request }),
      log.append({ ...entry, kind: "completion", facts: facts.completion, personal: personal.completion })
    )
  })

const middle = (values: ReadonlyArray<number>, quantile: number) =>
  values.toSorted((left, right) => left - right)[Math.min(values.length - 1, Math.floor(values.length * quantile))]!

const latencies = (calls: number, concurrency: number, delay: number) =>
  Effect.gen(function* () {
    const facts = Context.merge(
      Caller.context({ tenant: "acme", subject: "ada" }),
      RawPrompt.context({ content: [{ role: "user", content: prompt }] })
    )
    const times = (call: Effect.Effect<unknown, unknown, AuditLog | Detector | Vault>) =>
      Effect.forEach(
        Array.from({ length: calls }),
        () =>
          Effect.suspend(() => {
            const stopwatch = { delay, model: 0 }
            const begun = performance.now()
            return Effect.map(
              Effect.provideService(call, Stopwatch, stopwatch),
              () => performance.now() - begun - stopwatch.model
            )
          }),
        { concurrency }
      )
    yield* times(audited.run(facts))
    const without = yield* times(bare.run(facts))
    const added = yield* times(audited.run(facts))
    return { p50: middle(added, 0.5) - middle(without, 0.5), p99: middle(added, 0.99) - middle(without, 0.99) }
  })

export const run = async (argv: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      records: { type: "string", default: "20000" },
      concurrency: { type: "string", default: "64" },
      directory: { type: "string" }
    }
  })
  const records = Number(values.records)
  const concurrency = Number(values.concurrency)
  const directory = mkdtempSync(join(values.directory ?? tmpdir(), "interlock-audit-bench-"))
  try {
    const written = await Effect.runPromise(
      Effect.gen(function* () {
        const log = yield* AuditLog
        const work = (count: number) =>
          Effect.forEach(Array.from({ length: count }), (_, index) => record(`subject ${index % 50}`), {
            concurrency,
            discard: true
          })
        yield* work(2000)
        const begun = performance.now()
        const processor = process.cpuUsage()
        yield* work(records)
        const seconds = (performance.now() - begun) / 1000
        const used = process.cpuUsage(processor)
        const [alone, together] = [yield* latencies(500, 1, 0), yield* latencies(5000, concurrency, 75)]
        return {
          verifier: log.verifier,
          recordsPerSecond: records / seconds,
          processorShare: (used.user + used.system) / 1e6 / seconds,
          alone,
          together
        }
      }).pipe(Effect.provide([layerOf(directory), Detector.layer, Vault.layerMemory]))
    )
    const begun = performance.now()
    const report = await Effect.runPromise(
      verify({ disk: Disk.files, directory: join(directory, "data"), verifier: written.verifier })
    )
    const verifyPerSecond = report.verified / ((performance.now() - begun) / 1000)
    if (!report.valid) throw new Error("the log that was just written does not verify")
    const folder = join(directory, "data", "segments")
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    const rows: ReadonlyArray<readonly [string, string]> = [
      [`records a second (${recordBytes} bytes, concurrency ${concurrency})`, written.recordsPerSecond.toFixed(0)],
      ["  processors used meanwhile", written.processorShare.toFixed(2)],
      ["  records for a second of processor time", (written.recordsPerSecond / written.processorShare).toFixed(0)],
      [
        "added to a call, one after the other: p50, p99",
        `${written.alone.p50.toFixed(2)} ms, ${written.alone.p99.toFixed(2)} ms`
      ],
      [
        `added to a call of 25 to 75 ms, ${concurrency} at once: p50, p99`,
        `${written.together.p50.toFixed(2)} ms, ${written.together.p99.toFixed(2)} ms`
      ],
      ["log entries verified a second", verifyPerSecond.toFixed(0)],
      ["bytes on the disk for a record (2 entries)", ((bytes / report.size) * 2).toFixed(0)]
    ]
    for (const [name, value] of rows) console.log(`${name.padEnd(56)} ${value}`)
    console.log(
      JSON.stringify({
        recordsPerSecond: Math.round(written.recordsPerSecond),
        addedP50Ms: Number(written.alone.p50.toFixed(3)),
        addedP50MsConcurrent: Number(written.together.p50.toFixed(3)),
        verifyRecordsPerSecond: Math.round(verifyPerSecond / 2),
        bytesPerRecord: Math.round((bytes / report.size) * 2)
      })
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
}

import { describe, expect, it } from "@effect/vitest"
import * as Disk from "@interlock/stages/audit/disk"
import * as Entry from "@interlock/stages/audit/entry"
import * as Keys from "@interlock/stages/audit/keys"
import { AuditLog, layerFiles } from "@interlock/stages/audit/log"
import { verify } from "@interlock/stages/audit/verify"
import { ConfigProvider, Effect, Layer, Redacted, Result, Stream } from "effect"
import { TestClock } from "effect/testing"

const rootKey = Keys.layerRootKey(Redacted.make(new Uint8Array(32).fill(7)))

/** A log and its keys on two disks in memory; opening it again finds what was there. */
const machine = (options?: { readonly segmentBytes?: number }) => {
  const data = new Map<string, Buffer>()
  const secrets = new Map<string, Buffer>()
  const disk = Disk.memory(data)
  const keys = Keys.layerFiles({ directory: "keys", disk: Disk.memory(secrets) })
  const layer = layerFiles({ directory: "audit", disk, ...options }).pipe(Layer.provide(keys), Layer.provide(rootKey))
  return { data, secrets, disk, layer }
}

const call = (tenant: string, subject: string, text: string) =>
  AuditLog.use((log) =>
    log.append({ kind: "completion", call: Entry.id(), tenant, subject, facts: { model: "m" }, personal: { text } })
  )

const all = AuditLog.use((log) => Stream.runCollect(log.entries()))
const texts = Effect.map(all, (entries) =>
  entries.filter(({ head }) => head.kind === "completion").map(({ personal }) => personal)
)

describe("AuditLog", () => {
  it.effect("keeps records in order, opens them again, and verifies without a key that opens a record", () =>
    Effect.gen(function* () {
      const { disk, layer } = machine()
      const verifier = yield* Effect.gen(function* () {
        yield* Effect.forEach(["one", "two", "three"], (text) => call("acme", "ada", text))
        const log = yield* AuditLog
        return log.verifier
      }).pipe(Effect.provide(layer))
      yield* Effect.gen(function* () {
        const log = yield* AuditLog
        expect(log.opened).toEqual({ size: 3, segments: 1 })
        yield* call("acme", "bob", "four")
        expect(yield* texts).toEqual([{ text: "one" }, { text: "two" }, { text: "three" }, { text: "four" }])
      }).pipe(Effect.provide(layer))
      const report = yield* verify({ disk, directory: "audit", verifier })
      expect(report).toMatchObject({ valid: true, size: 4, verified: 4, problems: [] })
    })
  )

  it.effect("does not start with keys that did not sign it, and leaves the log as it is", () =>
    Effect.gen(function* () {
      const { data, disk, layer } = machine({ segmentBytes: 1 })
      yield* Effect.forEach(["one", "two"], (text) => call("acme", "ada", text)).pipe(Effect.provide(layer))
      const before = new Map(data)
      for (const other of [
        layerFiles({ directory: "audit", disk }).pipe(Layer.provide(Keys.layerMemory), Layer.provide(rootKey)),
        layerFiles({ directory: "audit", disk, origin: "another" }).pipe(
          Layer.provide(Keys.layerMemory),
          Layer.provide(rootKey)
        )
      ]) {
        const error = yield* Effect.flip(Effect.provide(AuditLog.use(Effect.succeed), other))
        expect(error).toMatchObject({ reason: { _tag: "KeysUnavailable" } })
        expect(new Map(data)).toEqual(before)
      }
      expect(yield* texts.pipe(Effect.provide(layer))).toEqual([{ text: "one" }, { text: "two" }])
    })
  )

  it.effect("acknowledges nothing once another process that cannot be seen has taken the log over", () =>
    Effect.gen(function* () {
      const data = new Map<string, Buffer>()
      const keys = Keys.layerFiles({ directory: "keys", disk: Disk.memory() })
      // As in two containers with one volume: each has a disk of its own, and the same process id.
      const container = () =>
        layerFiles({ directory: "audit", disk: Disk.memory(data) }).pipe(Layer.provide(keys), Layer.provide(rootKey))
      const verifier = yield* Effect.gen(function* () {
        yield* call("acme", "ada", "one")
        yield* Effect.gen(function* () {
          yield* call("acme", "ada", "two")
        }).pipe(Effect.provide(container(), { local: true }))
        expect(yield* Effect.flip(call("acme", "ada", "lost"))).toMatchObject({ reason: { _tag: "Locked" } })
        return (yield* AuditLog).verifier
      }).pipe(Effect.provide(container(), { local: true }))
      const report = yield* verify({ disk: Disk.memory(data), directory: "audit", verifier })
      expect(report).toMatchObject({ valid: true, size: 2, verified: 2 })
    })
  )

  it.effect("commits many concurrent appends with few syncs", () =>
    Effect.gen(function* () {
      let syncs = 0
      const memory = Disk.memory()
      const disk: Disk.Disk = {
        ...memory,
        open: async (path) => {
          const file = await memory.open(path)
          return { ...file, sync: async () => void syncs++ }
        }
      }
      const layer = layerFiles({ directory: "audit", disk }).pipe(
        Layer.provide(Keys.layerMemory),
        Layer.provide(rootKey)
      )
      yield* Effect.gen(function* () {
        yield* call("acme", "ada", "first")
        yield* Effect.forEach(Array.from({ length: 64 }), () => call("acme", "ada", "text"), { concurrency: 64 })
        expect((yield* all).length).toBe(65)
      }).pipe(Effect.provide(layer))
      expect(syncs).toBeLessThan(5)
    })
  )

  it.effect("takes whole milliseconds of a clock that tells parts of them", () => {
    const { disk, layer } = machine()
    return Effect.gen(function* () {
      yield* TestClock.adjust(1000.25)
      yield* call("acme", "ada", "one")
      yield* TestClock.adjust(0.5)
      yield* call("acme", "ada", "two")
      expect((yield* all).map(({ head }) => head.time)).toEqual([1000, 1000])
      const { verifier } = yield* AuditLog
      expect(yield* verify({ disk, directory: "audit", verifier })).toMatchObject({ valid: true, verified: 2 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("writes no text, no tenant and no subject in clear", () =>
    Effect.gen(function* () {
      const { data, layer, secrets } = machine()
      yield* call("tenant-canary", "subject-canary", "text-canary").pipe(Effect.provide(layer))
      for (const [name, bytes] of [...data, ...secrets]) {
        expect(name).not.toContain("canary")
        expect(bytes.includes("canary")).toBe(false)
      }
    })
  )

  it.effect("erases a subject for good, also in a restored copy of the data, and the proofs stay", () =>
    Effect.gen(function* () {
      const { data, disk, layer } = machine()
      yield* Effect.forEach(["ada", "bob"], (subject) => call("acme", subject, `of ${subject}`)).pipe(
        Effect.provide(layer)
      )
      const backup = new Map([...data].map(([name, bytes]) => [name, Buffer.from(bytes)]))
      const verifier = yield* Effect.gen(function* () {
        const log = yield* AuditLog
        expect(yield* log.erase({ tenant: "acme", subject: "ada" })).toEqual({ erased: true })
        expect(yield* log.erase({ tenant: "acme", subject: "nobody" })).toEqual({ erased: false })
        const entries = yield* all
        expect(entries.map(({ erased, head, personal }) => [head.kind, personal, erased])).toEqual([
          ["completion", undefined, true],
          ["completion", { text: "of bob" }, false],
          ["erasure", undefined, false]
        ])
        expect(entries[0]!.facts).toEqual({ model: "m" })
        // The same person may come back: with another key.
        yield* call("acme", "ada", "new")
        expect(yield* texts).toEqual([undefined, { text: "of bob" }, { text: "new" }])
        return log.verifier
      }).pipe(Effect.provide(layer))
      expect((yield* verify({ disk, directory: "audit", verifier })).valid).toBe(true)

      data.clear()
      for (const [name, bytes] of backup) data.set(name, bytes)
      expect(yield* texts.pipe(Effect.provide(layer))).toEqual([undefined, { text: "of bob" }])
    })
  )

  it.effect("erases again what a restored copy of the keys brought back", () =>
    Effect.gen(function* () {
      const { layer, secrets } = machine()
      yield* call("acme", "ada", "text").pipe(Effect.provide(layer))
      const backup = new Map([...secrets].map(([name, bytes]) => [name, Buffer.from(bytes)]))
      yield* AuditLog.use((log) => log.erase({ tenant: "acme", subject: "ada" })).pipe(Effect.provide(layer))
      secrets.clear()
      for (const [name, bytes] of backup) secrets.set(name, bytes)
      yield* Effect.gen(function* () {
        const log = yield* AuditLog
        expect(yield* log.reapplyErasures).toBe(1)
        expect(yield* texts).toEqual([undefined])
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("lets a legal hold beat erasure and retention, until it is released", () =>
    Effect.gen(function* () {
      const { disk, layer } = machine({ segmentBytes: 1 })
      const verifier = yield* Effect.gen(function* () {
        const log = yield* AuditLog
        yield* call("acme", "ada", "held")
        yield* call("acme", "bob", "not held")
        yield* log.hold({ tenant: "acme", subject: "ada", reason: "case 7" })
        for (const subject of ["ada", undefined]) {
          const refused = yield* Effect.result(log.erase({ tenant: "acme", subject }))
          expect(Result.isFailure(refused) && refused.failure.reason._tag).toBe("Held")
        }
        yield* TestClock.adjust("30 days")
        const before = 1000
        expect(yield* log.retain({ before })).toEqual({
          removed: ["00000000000000000001.segment", "00000000000000000002.segment"],
          held: ["00000000000000000000.segment"]
        })
        expect(yield* texts).toEqual([{ text: "held" }])
        expect(yield* log.release({ tenant: "acme", subject: "ada" })).toEqual({ released: true })
        expect((yield* log.retain({ before })).removed).toEqual(["00000000000000000000.segment"])
        expect(yield* texts).toEqual([])
        return log.verifier
      }).pipe(Effect.provide(layer))
      const report = yield* verify({ disk, directory: "audit", verifier })
      expect(report).toMatchObject({ valid: true, size: 6, pruned: 3, verified: 3 })
      yield* AuditLog.use((log) => Effect.sync(() => expect(log.opened.size).toBe(6))).pipe(Effect.provide(layer))
    })
  )

  it.effect(
    "erases a whole tenant, facts too, and no other; a hold on the tenant is in the way of each of its subjects",
    () =>
      Effect.gen(function* () {
        const { disk, layer } = machine()
        yield* Effect.gen(function* () {
          const log = yield* AuditLog
          yield* call("acme", "ada", "of acme")
          yield* call("other", "ada", "of other")
          yield* log.hold({ tenant: "acme", reason: "case 8" })
          const refused = yield* Effect.flip(log.erase({ tenant: "acme", subject: "ada" }))
          expect(refused.reason).toMatchObject({ _tag: "Held", holdReason: "case 8" })
          expect(yield* log.erase({ tenant: "other", subject: "nobody" })).toEqual({ erased: false })
          yield* log.release({ tenant: "acme" })
          expect(yield* log.erase({ tenant: "acme" })).toEqual({ erased: true })
          yield* call("acme", "ada", "new")
          const calls = (yield* all).filter(({ head }) => head.kind === "completion")
          expect(calls.map(({ facts, personal }) => [facts, personal])).toEqual([
            [undefined, undefined],
            [{ model: "m" }, { text: "of other" }],
            [{ model: "m" }, { text: "new" }]
          ])
          const report = yield* verify({ disk, directory: "audit", verifier: log.verifier })
          expect(report.valid).toBe(true)
        }).pipe(Effect.provide(layer))
      })
  )

  it.effect("refuses a second writer, and a wrong root key, with the cure in the message", () =>
    Effect.gen(function* () {
      const { disk, layer, secrets } = machine()
      const keys = Keys.layerFiles({ directory: "keys", disk: Disk.memory(secrets) })
      yield* Effect.gen(function* () {
        yield* call("acme", "ada", "text")
        const second = yield* Effect.result(Layer.build(Layer.fresh(layer)).pipe(Effect.scoped))
        expect(Result.isFailure(second) && second.failure.message).toContain("is writing to this log")
      }).pipe(Effect.provide(layer))
      const other = layerFiles({ directory: "audit", disk }).pipe(
        Layer.provide(keys),
        Layer.provide(Keys.layerRootKey(Redacted.make(new Uint8Array(32).fill(8))))
      )
      const wrong = yield* Effect.result(all.pipe(Effect.provide(other)))
      expect(Result.isFailure(wrong) && wrong.failure.message).toContain("check the root key")
    })
  )

  it.effect("fails with DiskFull while the disk is full, and goes on when there is room", () =>
    Effect.gen(function* () {
      let full = false
      const memory = Disk.memory()
      const disk: Disk.Disk = {
        ...memory,
        open: async (path) => {
          const file = await memory.open(path)
          const write: Disk.DiskFile["write"] = async (bytes, offset) => {
            if (!full) return file.write(bytes, offset)
            await file.write(bytes.subarray(0, bytes.length / 2), offset)
            throw Object.assign(new Error("no space"), { code: "ENOSPC" })
          }
          return { ...file, write }
        }
      }
      const layer = layerFiles({ directory: "audit", disk }).pipe(
        Layer.provide(Keys.layerMemory),
        Layer.provide(rootKey)
      )
      yield* Effect.gen(function* () {
        const log = yield* AuditLog
        for (const _ of [1, 2]) {
          full = true
          const refused = yield* Effect.result(call("acme", "ada", "lost"))
          expect(Result.isFailure(refused) && refused.failure.reason._tag).toBe("DiskFull")
          full = false
          yield* call("acme", "ada", "kept")
        }
        expect(yield* texts).toEqual([{ text: "kept" }, { text: "kept" }])
        const report = yield* verify({ disk, directory: "audit", verifier: log.verifier })
        expect(report).toMatchObject({ valid: true, size: 2 })
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("looks at the disk again after a sync that failed, and loses nothing", () =>
    Effect.gen(function* () {
      let failing = false
      const memory = Disk.memory()
      const disk: Disk.Disk = {
        ...memory,
        open: async (path) => {
          const file = await memory.open(path)
          const sync = async () => {
            if (failing) throw Object.assign(new Error("input/output error"), { code: "EIO" })
          }
          return { ...file, sync }
        }
      }
      const layer = layerFiles({ directory: "audit", disk }).pipe(
        Layer.provide(Keys.layerMemory),
        Layer.provide(rootKey)
      )
      yield* Effect.gen(function* () {
        yield* call("acme", "ada", "before")
        failing = true
        const refused = yield* Effect.result(call("acme", "ada", "perhaps"))
        expect(Result.isFailure(refused) && refused.failure.message).toContain("EIO")
        failing = false
        yield* call("acme", "ada", "after")
        const read = yield* texts
        expect(read.at(0)).toEqual({ text: "before" })
        expect(read.at(-1)).toEqual({ text: "after" })
        const log = yield* AuditLog
        expect((yield* verify({ disk, directory: "audit", verifier: log.verifier })).valid).toBe(true)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect(
    "fails with KeysUnavailable while the key store cannot be reached, and goes on with the keys it knows",
    () =>
      Effect.gen(function* () {
        let reachable = true
        const keys = Layer.effect(
          Keys.KeyStore,
          Effect.map(Keys.KeyStore, (store) => ({
            ...store,
            get: (name: string) =>
              reachable
                ? store.get(name)
                : Effect.fail(new Keys.KeyStoreError({ operation: "get", message: "connection refused" }))
          }))
        ).pipe(Layer.provide(Keys.layerMemory))
        const layer = layerFiles({ directory: "audit", disk: Disk.memory() }).pipe(
          Layer.provide(keys),
          Layer.provide(rootKey)
        )
        yield* Effect.gen(function* () {
          yield* call("acme", "ada", "one")
          reachable = false
          yield* call("acme", "ada", "two")
          const refused = yield* Effect.flip(call("acme", "bob", "three"))
          expect(refused.reason._tag).toBe("KeysUnavailable")
          expect(refused.message).toContain("connection refused")
          reachable = true
          yield* call("acme", "bob", "four")
          expect(yield* texts).toEqual([{ text: "one" }, { text: "two" }, { text: "four" }])
        }).pipe(Effect.provide(layer))
      })
  )

  it.effect("takes a root key of 32 bytes only", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(Layer.build(Keys.layerConfig)).pipe(
        Effect.scoped,
        Effect.provide(
          ConfigProvider.layer(
            ConfigProvider.fromUnknown({ INTERLOCK_AUDIT_ROOT_KEY: Buffer.alloc(16).toString("base64") })
          )
        )
      )
      expect(refused.message).toContain("openssl rand -base64 32")
    })
  )

  it.effect("makes one key for a subject, however many calls of it begin at once", () =>
    Effect.gen(function* () {
      const { layer, secrets } = machine()
      yield* Effect.forEach(Array.from({ length: 20 }), () => call("acme", "ada", "text"), { concurrency: 20 }).pipe(
        Effect.andThen(texts),
        Effect.tap((read) => Effect.sync(() => expect(read.length).toBe(20))),
        Effect.provide(layer)
      )
      const names = [...secrets.keys()].filter((name) => name.startsWith("keys/key/"))
      // One of the tenant, one of the subject.
      expect(names.length).toBe(2)
    })
  )
})

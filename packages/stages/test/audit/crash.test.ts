import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Checkpoint from "@interlock/stages/audit/checkpoint"
import * as Disk from "@interlock/stages/audit/disk"
import * as Entry from "@interlock/stages/audit/entry"
import * as Keys from "@interlock/stages/audit/keys"
import { AuditLog, layerFiles } from "@interlock/stages/audit/log"
import * as Segment from "@interlock/stages/audit/segment"
import { verify } from "@interlock/stages/audit/verify"
import * as Writer from "@interlock/stages/audit/writer"
import { Deferred, Effect, Fiber, Layer, Predicate, Redacted, Stream } from "effect"

const textOf = (value: unknown) => (Predicate.hasProperty(value, "text") ? String(value.text) : undefined)

describe("a log whose process is killed (SIGKILL), on real files", () => {
  const child = join(import.meta.dirname, "crash", "child.ts")
  const tenant = new Uint8Array(32).fill(1)
  const signer = Checkpoint.signer("test-log", new Uint8Array(32).fill(3))

  /** Runs the script; kills it before the operation with this number, or never for 0. */
  const run = (path: string, killAt: number) =>
    Effect.callback<{ readonly signal: string | null; readonly output: string }>((resume) => {
      const running = spawn(process.execPath, [child, path, String(killAt)], { stdio: ["ignore", "pipe", "inherit"] })
      let output = ""
      running.stdout.on("data", (chunk) => {
        output += String(chunk)
      })
      running.on("close", (_, signal) => resume(Effect.succeed({ signal, output })))
    })

  const directory = Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "interlock-audit-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )

  it.effect("loses nothing that was acknowledged, whichever operation on the disk was the last", () =>
    Effect.gen(function* () {
      const whole = yield* run(yield* directory, 0)
      expect(whole.signal).toBe(null)
      const operations = Number(whole.output)
      expect(operations).toBeGreaterThan(12)
      yield* Effect.forEach(
        Array.from({ length: operations }, (_, index) => index + 1),
        (killAt) =>
          Effect.gen(function* () {
            const path = yield* directory
            expect((yield* run(path, killAt)).signal).toBe("SIGKILL")
            const file = join(path, "acknowledged")
            const acknowledged = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []
            const options = { disk: Disk.files, directory: `${path}/data` }
            const writer = yield* Effect.promise(() =>
              Writer.open({ ...options, signer, now: () => 1000, segmentBytes: 1500, segmentAge: 1e12 })
            )
            yield* Effect.promise(() => writer.close())
            const report = yield* verify({ ...options, verifier: signer.verifier })
            expect(report).toMatchObject({ valid: true, size: writer.opened.size })
            const folder = Writer.segmentsOf(options.directory)
            const texts: Array<string | undefined> = []
            for (const name of yield* Effect.promise(() => Disk.files.list(folder))) {
              const bytes = readFileSync(join(folder, name))
              for (const frame of Segment.frames(bytes, Segment.readHeader(bytes)!.length))
                if (frame._tag === "Entry")
                  texts.push(textOf(JSON.parse(Entry.openFacts(Entry.parse(frame.bytes)!, tenant)!)))
            }
            expect(texts.length).toBe(report.size)
            for (const text of acknowledged) expect(texts, `killed at ${killAt}`).toContain(text)
          }).pipe(Effect.scoped),
        { concurrency: 2 }
      )
    }).pipe(Effect.scoped)
  )
})

describe("a process that stops between any two operations on its disks", () => {
  const rootKey = Keys.layerRootKey(Redacted.make(new Uint8Array(32).fill(7)))

  /** A disk that stops for ever before, or after, the operation with this number. */
  const stopping = (disk: Disk.Disk, counter: { operations: number; stopped: () => void }, stopAt: number) => {
    const counted =
      <A extends ReadonlyArray<unknown>, B>(operation: (...args: A) => Promise<B>) =>
      async (...args: A): Promise<B> => {
        counter.operations += 1
        if (counter.operations === stopAt) counter.stopped()
        if (counter.operations >= stopAt) await new Promise(() => {})
        return operation(...args)
      }
    const { create, destroy, list, makeDirectory, open, read, replace } = disk
    return {
      makeDirectory: counted(makeDirectory),
      list: counted(list),
      read: counted(read),
      replace: counted(replace),
      create: counted(create),
      destroy: counted(destroy),
      open: counted(async (path: string) => {
        const file = await open(path)
        return {
          write: counted(file.write),
          sync: counted(file.sync),
          truncate: counted(file.truncate),
          close: counted(file.close)
        }
      })
    } satisfies Disk.Disk
  }

  /**
   * A disk in memory that knows what of a file would be there after a loss of power: what was synced, and of what was written since,
   * nothing, or every other block of 64 bytes.
   */
  const unsafe = (files: Map<string, Buffer>, loss: "all" | "some"): { readonly disk: Disk.Disk; lose: () => void } => {
    const synced = new Map<string, Buffer>()
    const disk = Disk.memory(files)
    return {
      disk: {
        ...disk,
        replace: async (path, bytes) => {
          await disk.replace(path, bytes)
          synced.set(path, Buffer.from(bytes))
        },
        open: async (path) => {
          const file = await disk.open(path)
          if (!synced.has(path)) synced.set(path, Buffer.from(files.get(path)!))
          return {
            ...file,
            sync: async () => {
              synced.set(path, Buffer.from(files.get(path)!))
            }
          }
        }
      },
      lose: () => {
        for (const [path, safe] of synced) {
          const now = files.get(path)
          if (now === undefined || loss === "all") {
            if (now !== undefined) files.set(path, safe)
            continue
          }
          const left = Buffer.from(now)
          for (let offset = safe.length; offset < left.length; offset += 128)
            left.fill(0, offset, Math.min(offset + 64, left.length))
          files.set(path, left)
        }
      }
    }
  }

  const append = (text: string) =>
    AuditLog.use((log) =>
      log.append({
        kind: "completion",
        call: Entry.id(),
        tenant: "acme",
        subject: `subject ${text[0]}`,
        facts: { text },
        personal: { text }
      })
    )

  for (const loss of ["none", "all", "some"] as const)
    it.effect(`keeps what was acknowledged, and an erasure that was, when of unsynced bytes ${loss} are lost`, () =>
      Effect.gen(function* () {
        for (let stopAt = 1, done = false; !done; stopAt++) {
          expect(stopAt).toBeLessThan(500)
          const files = { data: new Map<string, Buffer>(), keys: new Map<string, Buffer>() }
          let acknowledged: Array<string> = []
          const power = loss === "none" ? { disk: Disk.memory(files.data), lose: () => {} } : unsafe(files.data, loss)
          const stopped = yield* Deferred.make<void>()
          const counter = {
            operations: 0,
            stopped: () => {
              // What the process has on its disks, and has said, is all that is left of it.
              power.lose()
              for (const side of ["data", "keys"] as const)
                files[side] = new Map([...files[side]].map(([name, bytes]) => [name, Buffer.from(bytes)]))
              acknowledged = [...acknowledged]
              Deferred.doneUnsafe(stopped, Effect.void)
            }
          }
          const machine = (data: Disk.Disk, wrap: (disk: Disk.Disk) => Disk.Disk) =>
            layerFiles({ directory: "data", disk: wrap(data), segmentBytes: 600 }).pipe(
              Layer.provide(Keys.layerFiles({ directory: "keys", disk: wrap(Disk.memory(files.keys)) })),
              Layer.provide(rootKey)
            )
          const told = acknowledged
          const note = (text: string) => Effect.sync(() => told.push(text))
          const script = Effect.gen(function* () {
            const log = yield* AuditLog
            yield* Effect.andThen(append("a0"), note("a0"))
            yield* Effect.forEach(["b1", "b2", "b3"], (text) => Effect.andThen(append(text), note(text)), {
              concurrency: "unbounded"
            })
            yield* Effect.andThen(log.erase({ tenant: "acme", subject: "subject a" }), note("erased"))
            yield* Effect.andThen(append("b4"), note("b4"))
            yield* Effect.andThen(note("retaining"), log.retain({ before: 1 }))
          }).pipe(Effect.provide(machine(power.disk, (disk) => stopping(disk, counter, stopAt))))
          const fiber = yield* Effect.forkDetach(script)
          const finished = Effect.andThen(Fiber.await(fiber), Effect.succeed(true))
          done = yield* Effect.raceFirst(finished, Effect.as(Deferred.await(stopped), false))
          yield* Effect.gen(function* () {
            const log = yield* AuditLog
            yield* append("c5")
            const entries = yield* Stream.runCollect(log.entries())
            const facts = entries.map((entry) => textOf(entry.facts))
            const personal = entries.map((entry) => textOf(entry.personal))
            for (const text of acknowledged) {
              if (text === "erased") expect(personal).not.toContain("a0")
              else if (text !== "retaining" && !acknowledged.includes("retaining")) {
                expect(facts, `stopped at ${stopAt}`).toContain(text)
                if (!text.startsWith("a")) expect(personal).toContain(text)
              }
            }
            expect(personal.at(-1)).toBe("c5")
            const disk = Disk.memory(files.data)
            const report = yield* verify({ disk, directory: "data", verifier: log.verifier })
            expect(report).toMatchObject({ valid: true, verified: entries.length })
          }).pipe(Effect.provide(machine(Disk.memory(files.data), (disk) => disk)))
        }
      })
    )
})

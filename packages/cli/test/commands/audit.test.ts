import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { command } from "@interlock/cli/commands/audit"
import * as Entry from "@interlock/stages/audit/entry"
import * as Keys from "@interlock/stages/audit/keys"
import { AuditLog, layerFiles } from "@interlock/stages/audit/log"
import { ConfigProvider, Effect, Exit, Layer, Redacted } from "effect"
import { Command } from "effect/cli"
import { TestConsole } from "effect/testing"

const rootKey = new Uint8Array(32).fill(7)

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "interlock-cli-audit-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** A log with two calls, of zoltan and of bob. */
const fill = (path: string, subjects: ReadonlyArray<string> = ["zoltan", "bob"]) =>
  Effect.gen(function* () {
    const log = yield* AuditLog
    for (const subject of subjects)
      yield* log.append({
        kind: "completion",
        call: Entry.id(),
        tenant: "acme",
        subject,
        facts: { version: 1, tenant: "acme", startedAt: 1000, endedAt: 1500, outcome: "answered", events: [] },
        personal: {
          subject,
          prompt: [{ role: "user", text: `question of ${subject} to ⟦PERSON_1⟧` }],
          values: { "⟦PERSON_1⟧": `friend of ${subject}` }
        }
      })
  }).pipe(
    Effect.provide(
      layerFiles({ directory: `${path}/data` }).pipe(
        Layer.provide(Keys.layerFiles({ directory: `${path}/keys` })),
        Layer.provide(Keys.layerRootKey(Redacted.make(rootKey)))
      )
    )
  )

/** Runs the command; gives the exit and the lines it printed meanwhile. */
const run = (...args: ReadonlyArray<string>) =>
  runWith({ INTERLOCK_AUDIT_ROOT_KEY: Buffer.from(rootKey).toString("base64") }, ...args)

const runWith = (environment: { readonly [name: string]: string }, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(Command.runWith(command, { version: "0" })(args))
    const lines = (yield* TestConsole.logLines).map(String)
    const errors = (yield* TestConsole.errorLines).map(String)
    return { exit, lines, errors: errors.join("\n"), json: () => lines.map((line) => JSON.parse(line)) }
  }).pipe(
    Effect.provide([
      NodeServices.layer,
      Layer.fresh(TestConsole.layer),
      ConfigProvider.layer(ConfigProvider.fromUnknown(environment))
    ])
  )

const log = Effect.gen(function* () {
  const path = yield* directory
  yield* fill(path)
  const data = ["--directory", `${path}/data`] as const
  return { path, data, both: [...data, "--keys", `${path}/keys`] as const }
})

describe("interlock audit", () => {
  it.effect("verifies a log without its keys, and fails where a record was changed", () =>
    Effect.gen(function* () {
      const { data, path } = yield* log
      const verifier = readFileSync(`${path}/data/verifier`, "utf8").trim()
      const valid = yield* run("verify", ...data, "--verifier", verifier, "--json")
      expect(Exit.isSuccess(valid.exit)).toBe(true)
      expect(valid.json()).toMatchObject([{ valid: true, size: 2, verified: 2, problems: [] }])

      const checkpoint = `${path}/checkpoint`
      writeFileSync(checkpoint, valid.json()[0].checkpoint)
      const segment = `${path}/data/segments/00000000000000000000.segment`
      const bytes = readFileSync(segment)
      cpSync(`${path}/data`, `${path}/copy`, { recursive: true })
      bytes[150]! ^= 1
      writeFileSync(segment, bytes)
      const changed = yield* run("verify", ...data)
      expect(Exit.isFailure(changed.exit)).toBe(true)
      expect(changed.lines.slice(0, 2)).toEqual([expect.stringContaining("NOT VALID"), "first bad record: 0"])
      expect(changed.errors).toContain("--verifier")

      writeFileSync(`${path}/copy/segments/00000000000000000000.segment`, "")
      const short = yield* run("verify", "--directory", `${path}/copy`, "--checkpoint", checkpoint, "--json")
      expect(short.json()).toMatchObject([{ valid: false, problems: [{ kind: "missing", index: 0, end: 2 }] }])
    }).pipe(Effect.scoped)
  )

  it.effect("shows and exports what is selected", () =>
    Effect.gen(function* () {
      const { both } = yield* log
      const all = yield* run("show", ...both)
      expect(all.lines.length).toBe(2)
      expect(all.lines[0]).toContain("question of zoltan")
      expect(all.lines.join()).not.toContain("friend of")
      expect((yield* run("show", ...both, "--json")).lines.join()).not.toContain("friend of")
      expect((yield* run("show", ...both, "--values")).lines[1]).toContain('⟦PERSON_1⟧ = "friend of bob"')
      const one = yield* run("show", ...both, "--subject", "bob", "--json")
      expect(one.json()).toMatchObject([{ subject: "bob", outcome: "answered" }])
      expect((yield* run("show", ...both, "--outcome", "failed")).lines).toEqual([])
      expect((yield* run("show", ...both, "--since", "2020-01-01")).lines).toEqual([])
      const exported = yield* run("export", ...both, "--format", "ocsf", "--tenant", "acme")
      expect(exported.json()).toMatchObject([{ class_uid: 6003 }, { class_uid: 6003 }])
      expect(exported.lines.join()).not.toContain("question")
      expect((yield* run("export", ...both, "--format", "cef", "--text")).lines[0]).toMatch(/^CEF:0\|/)
    }).pipe(Effect.scoped)
  )

  it.effect("erases, holds, releases and retains, and the log stays valid", () =>
    Effect.gen(function* () {
      const { both, data } = yield* log
      const zoltan = ["--tenant", "acme", "--subject", "zoltan"] as const
      expect((yield* run("hold", ...both, ...zoltan, "--reason", "case 7")).lines).toEqual([
        "The records of zoltan of acme are held: case 7"
      ])
      const held = yield* run("erase", ...both, ...zoltan)
      expect(Exit.isFailure(held.exit)).toBe(true)
      expect(held.errors).toContain("case 7")
      expect((yield* run("release", ...both, ...zoltan, "--json")).json()).toEqual([{ released: true }])
      expect((yield* run("erase", ...both, ...zoltan, "--json")).json()).toEqual([{ erased: true }])
      expect((yield* run("erase", ...both, ...zoltan, "--json")).json()).toEqual([{ erased: false }])
      expect((yield* run("erase", ...both, "--tenant", "acme")).errors).toContain("--whole-tenant")
      expect((yield* run("show", ...both)).lines.join("\n")).not.toContain("zoltan")
      expect((yield* run("reapply", ...both, "--json")).json()).toEqual([{ destroyed: 0 }])
      const refused = yield* run("retain", ...both, "--days=-1", "--json")
      expect([Exit.isFailure(refused.exit), refused.lines]).toEqual([true, []])
      expect((yield* run("retain", ...both, "--days", "0", "--json")).json()).toMatchObject([{ held: [] }])
      expect((yield* run("verify", ...data, "--json")).json()).toMatchObject([{ valid: true }])
    }).pipe(Effect.scoped)
  )

  it.effect("does not call a log valid that is not there, and says whose key it believed", () =>
    Effect.gen(function* () {
      const { data, path } = yield* log
      const verifier = readFileSync(`${path}/data/verifier`, "utf8").trim()
      expect((yield* run("verify", ...data, "--json")).json()).toMatchObject([{ verifier: "from the log" }])
      expect((yield* run("verify", ...data, "--verifier", verifier, "--json")).json()).toMatchObject([
        { verifier: "given" }
      ])
      rmSync(`${path}/data/segments`, { recursive: true })
      const gone = yield* run("verify", ...data, "--verifier", verifier, "--json")
      expect([Exit.isFailure(gone.exit), gone.lines]).toEqual([true, []])
    }).pipe(Effect.scoped)
  )

  it.effect("shows text that would steer a terminal, or look like a record, as text", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const evil = "\u001b]0;x\u0007\u009b2J\u202e\r\n2026-01-01T00:00:00.000Z  answered"
      yield* fill(path, [evil])
      const { lines } = yield* run("show", "--directory", `${path}/data`, "--keys", `${path}/keys`, "--values")
      const printed = lines.join("\n")
      expect(printed).not.toMatch(/(?!\n)[\p{Cc}\u202e]/u)
      expect(printed).toContain("\\u{1b}]0;x")
      expect(printed.split("\n").filter((line) => line.startsWith("2026"))).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("says what to do when there is no log, or there are no keys", () =>
    Effect.gen(function* () {
      const { both, path } = yield* log
      expect((yield* run("verify", "--directory", `${path}/none`)).errors).toContain("--directory")
      expect((yield* run("show", both[0], both[1], "--keys", `${path}/none`)).errors).toContain("--keys")
      for (const command of [["show"], ["erase", "--tenant", "acme", "--subject", "zoltan"]])
        expect((yield* runWith({}, ...command, ...both)).errors).toContain("set INTERLOCK_AUDIT_ROOT_KEY")
    }).pipe(Effect.scoped)
  )
})

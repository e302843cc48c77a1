import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { judge } from "@interlock/cli/learn/judge"
import { Effect, Exit } from "effect"
import { Command } from "effect/cli"
import { TestConsole } from "effect/testing"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "interlock-cli-judge-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const run = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(Command.runWith(judge, { version: "0" })(args))
    const [output, errors] = [yield* TestConsole.logLines, yield* TestConsole.errorLines]
    return { exit, output: output.join("\n"), errors: errors.join("\n") }
  }).pipe(Effect.provide([NodeServices.layer, TestConsole.layer]))

const rows = Array.from({ length: 30 }, (_, n) => {
  const question = `What does ticket ${n} to place ${n * 7} cost?`
  return [
    { question, answer: `Ticket ${n} to place ${n * 7} costs ${n + 2} crowns.`, grade: 1 },
    { question, answer: "I cannot answer that.", grade: 0 }
  ]
}).flat()

describe("interlock learn judge", () => {
  it.effect("writes an artefact, and says how it ranks what it has not seen", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const file = join(path, "graded.jsonl")
      writeFileSync(file, rows.map((row) => JSON.stringify(row)).join("\n"))
      const { exit, output } = yield* run("--train", file, "--out", join(path, "new"), "--name", "desk")
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(output).toContain("60 graded answers to 30 questions.")
      expect(output).toMatch(/Of 30 held-out pairs of answers to one question, 100\.0 % are ranked rightly/)
      expect(readdirSync(join(path, "new"))).toEqual(["desk.judge"])
    })
  )

  it.effect("says it as JSON, for programs", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const file = join(path, "graded.jsonl")
      writeFileSync(file, rows.map((row) => JSON.stringify(row)).join("\n"))
      const { output } = yield* run("--train", file, "--out", join(path, "new"), "--name", "desk", "--json")
      const said = JSON.parse(output)
      expect(said).toMatchObject({ name: "desk", rows: 60, questions: 30, heldOut: { pairs: 30, right: 1 } })
      expect(said.bytes).toBe(statSync(said.file).size)
    })
  )

  it.effect("says why there is none: no file, a bad line, too few rows", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const file = join(path, "graded.jsonl")
      const out = ["--out", join(path, "new")]
      expect((yield* run("--train", join(path, "nowhere"), ...out)).errors).toContain("cannot be read")
      writeFileSync(file, `${JSON.stringify(rows[0])}\n{}\n`)
      expect((yield* run("--train", file, ...out)).errors).toContain(`line 2 of ${file} is no row`)
      writeFileSync(file, JSON.stringify(rows[0]))
      const { errors, exit } = yield* run("--train", file, ...out)
      expect(Exit.isFailure(exit)).toBe(true)
      expect(errors).toContain("1 graded answers to 1 questions are too few")
    })
  )
})

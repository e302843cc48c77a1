import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { grade } from "../question.ts"
import { facts } from "../questions/facts.ts"
import { files } from "../questions/write.ts"

const example = resolve(import.meta.dirname, "..")

const keyless = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_(API_KEY|BASE_URL)$/.test(name)))

const start = (
  flags: ReadonlyArray<string>,
  options: { readonly environment?: Record<string, string>; readonly main?: string } = {}
) => {
  const child: ChildProcess = spawn(process.execPath, [options.main ?? join(example, "main.ts"), ...flags], {
    env: { ...keyless, ...options.environment }
  })
  let [output, errors] = ["", ""]
  child.stdout?.on("data", (chunk) => (output += chunk))
  child.stderr?.on("data", (chunk) => (errors += chunk))
  const ended = new Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }>(
    (done) => child.on("close", (code) => done({ code, output, errors }))
  )
  return { child, ended }
}

const inFolder = async (use: (folder: string) => Promise<void>, parent = tmpdir()) => {
  const folder = mkdtempSync(join(parent, "fusion-"))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

interface Reported {
  readonly stopped: boolean
  readonly studies: ReadonlyArray<{
    readonly strategy: string
    readonly refused?: string
    readonly rows: ReadonlyArray<{ readonly id: string; readonly fused: number }>
    readonly measured: {
      readonly fused: number
      readonly gain: number
      readonly lowerBound: number
      readonly oracle: number
      readonly members: { readonly [member: string]: number }
    }
  }>
}

const reported = (path: string) => JSON.parse(readFileSync(`${path}.json`, "utf8")) as Reported

describe("fusion", () => {
  it("asks three members without a key, lets the judge decide, and the gate say what paid", () =>
    inFolder(async (folder) => {
      const path = join(folder, "new", "report")
      const { code, errors, output } = await start(["--report", path, "--require"]).ended
      assert.strictEqual(code, 0, errors)
      const { studies } = reported(path)
      assert.deepStrictEqual(
        studies.map(({ strategy }) => strategy),
        ["bestOf", "pairwise", "vote", "bestOf, a learned judge"]
      )
      const [best, , vote, learned] = studies
      for (const { measured, rows } of studies) {
        assert.strictEqual(rows.length, 48)
        assert.isAtMost(measured.fused, measured.oracle)
        assert.closeTo(measured.gain, measured.fused - Math.max(...Object.values(measured.members)), 1e-9)
        assert.isBelow(measured.lowerBound, measured.gain)
      }
      assert.isUndefined(best!.refused)
      assert.isAbove(best!.measured.lowerBound, 0.1)
      assert.isAbove(learned!.measured.lowerBound, 0.1)
      assert.include(vote!.refused, "alone, or members that err on other prompts")
      assert.match(readFileSync(`${path}.md`, "utf8"), /^\| On which day is the museum closed\? \|/m)
      const readme = readFileSync(join(example, "README.md"), "utf8")
      const shown = output.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("The report"))
      assert.isAbove(shown.length, 10)
      for (const line of shown) assert.include(readme, line)
    }))

  it("refuses, and says so by its exit code where that is asked, when there are too few questions to tell", () =>
    inFolder(async (folder) => {
      const mine = join(folder, "mine.jsonl")
      const rows = facts
        .slice(0, 3)
        .map(({ answer, question }, at) => ({ id: `${at}`, prompt: question, says: [answer] }))
      writeFileSync(mine, rows.map((row) => JSON.stringify(row)).join("\n"))
      const path = join(folder, "report")
      writeFileSync(mine, `${rows.map((row) => JSON.stringify(row)).join("\n")}\n{"id":"4"}\n`)
      const { code, errors, output } = await start(["--questions", mine, "--report", path, "--require"]).ended
      assert.strictEqual(code, 1)
      assert.include(errors, "Line 4 is not a question")
      assert.match(errors, /No judge was learned: \d graded answers to \d questions are too few/)
      assert.include(output, "3 graded prompts cannot tell: grade at least 30")
    }))

  it("says by its exit code that the report could not be written", () =>
    inFolder(async (folder) => {
      const mine = join(folder, "mine.jsonl")
      writeFileSync(mine, JSON.stringify({ id: "1", prompt: facts[0]!.question, says: [facts[0]!.answer] }))
      const { code, errors, output } = await start(["--questions", mine, "--report", join(mine, "report")]).ended
      assert.strictEqual(code, 1)
      assert.include(errors, "could not be written")
      assert.include(output, "Members alone, on 1 question")
    }))

  it("asks the provider whose key is set, stops on Ctrl-C, and still reports", () =>
    inFolder(async (folder) => {
      const key = randomUUID()
      let asked = () => {}
      const first = new Promise<void>((done) => (asked = done))
      const server = createServer((request) => {
        assert.strictEqual(request.headers.authorization, `Bearer ${key}`)
        asked()
      })
      await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
      try {
        const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
        const path = join(folder, "report")
        const environment = { OPENAI_API_KEY: key, OPENAI_BASE_URL: address }
        const { child, ended } = start(["--report", path], { environment })
        await first
        child.kill("SIGINT")
        const { code, errors, output } = await ended
        assert.strictEqual(code, 130)
        assert.include(output, "Nothing was asked to its end.")
        assert.isTrue(reported(path).stopped)
        assert.notInclude(output + errors, key)
      } finally {
        server.closeAllConnections()
        server.close()
      }
    }))

  it("is a folder to copy: with two stages changed it runs", () =>
    inFolder(
      async (folder) => {
        const skipped = /^\/(test|node_modules)(\/|$)/
        cpSync(example, folder, { recursive: true, filter: (path) => !skipped.test(path.slice(example.length)) })
        cpSync(join(example, "node_modules"), join(folder, "node_modules"), { recursive: true, verbatimSymlinks: true })
        const file = join(folder, "fusion.ts")
        const changed = readFileSync(file, "utf8")
          .replace("maxOutputTokens: 250", "maxOutputTokens: 60")
          .replace("    .use(cache)\n    .to(callModel)", "    .to(callModel)")
        assert.strictEqual(changed.match(/\.use\(cache\)/g)?.length, 1)
        assert.include(changed, "maxOutputTokens: 60")
        writeFileSync(file, changed)
        const path = join(folder, "report")
        const mine = join(folder, "mine.jsonl")
        writeFileSync(mine, readFileSync(join(folder, "questions.jsonl"), "utf8").split("\n").slice(0, 5).join("\n"))
        const { code, errors } = await start(["--questions", mine, "--report", path], { main: join(folder, "main.ts") })
          .ended
        assert.strictEqual(code, 0, errors)
        assert.strictEqual(reported(path).studies.length, 3)
      },
      resolve(example, "..")
    ))
})

describe("the questions", () => {
  it("and the documents are what the facts make", () => {
    const made = files()
    for (const [path, text] of Object.entries(made))
      assert.strictEqual(readFileSync(join(example, path), "utf8"), text, path)
    const there = readdirSync(join(example, "knowledge"), { recursive: true, withFileTypes: true })
    assert.strictEqual(there.filter((entry) => entry.isFile()).length, Object.keys(made).length - 1)
  })

  it("are graded by what an answer must say", () => {
    const question = { id: "1", prompt: "?", says: ["6 crowns", "Sunday"] as [string, string] }
    assert.strictEqual(grade(question, "On SUNDAY it is 6 crowns."), 1)
    assert.strictEqual(grade(question, "On Sunday it is 5 crowns."), 0)
    assert.strictEqual(grade(question, undefined), 0)
    for (const { answer, before, says } of facts) {
      assert.include(says.toLowerCase(), answer.toLowerCase())
      if (before !== undefined) assert.notInclude(before.toLowerCase(), answer.toLowerCase())
    }
  })
})

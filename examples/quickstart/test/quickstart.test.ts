import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const main = resolve(import.meta.dirname, "../main.ts")

const keyless = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_(API_KEY|BASE_URL)$/.test(name)))

const start = (flags: ReadonlyArray<string>, environment: Record<string, string> = {}, program = main) => {
  const child: ChildProcess = spawn(process.execPath, [program, ...flags], { env: { ...keyless, ...environment } })
  let [output, errors] = ["", ""]
  child.stdout?.on("data", (chunk) => (output += chunk))
  child.stderr?.on("data", (chunk) => (errors += chunk))
  const ended = new Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }>(
    (done) => child.on("close", (code) => done({ code, output, errors }))
  )
  return { child, ended }
}

const inFolder = async (use: (folder: string) => Promise<void>, parent = tmpdir()) => {
  const folder = mkdtempSync(join(parent, "quickstart-"))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe("quickstart", () => {
  it("answers 200 questions without a key, and shows the table and the picture", async () => {
    const { code, errors, output } = await start([]).ended
    assert.strictEqual(code, 0, errors)
    assert.include(output, "200 (200 answered, 0 failed)")
    assert.match(output, /Cost\s+│ \$0\.0\d+/)
    assert.include(output, "flowchart TB")
    // All but the latency, and the width that it gives the table.
    const readme = readFileSync(resolve(main, "../README.md"), "utf8")
    const rows = [...output.matchAll(/^│ (.+?) +│ (.+?) +│$/gm)].filter(([, name]) => name !== "Latency")
    assert.isAtLeast(rows.length, 8)
    for (const [, name, value] of rows) {
      assert.isTrue(
        readme.split("\n").some((line) => line.includes(`│ ${name} `) && line.includes(`│ ${value} `)),
        `${name}: ${value}`
      )
    }
  })

  it("is a folder to copy: with two stages changed it runs", () =>
    inFolder(
      async (folder) => {
        const example = resolve(main, "..")
        const skipped = /^\/(test|node_modules)(\/|$)/
        cpSync(example, folder, { recursive: true, filter: (path) => !skipped.test(path.slice(example.length)) })
        cpSync(join(example, "node_modules"), join(folder, "node_modules"), { recursive: true, verbatimSymlinks: true })
        const file = join(folder, "main.ts")
        const changed = readFileSync(file, "utf8")
          .replace("maxOutputTokens: 1000", "maxOutputTokens: 100")
          .replace("  .use(cache)\n", "")
        assert.include(changed, "maxOutputTokens: 100 ")
        assert.notInclude(changed, ".use(cache)")
        writeFileSync(file, changed)
        const { code, errors, output } = await start(["--json"], {}, file).ended
        assert.strictEqual(code, 0, errors)
        assert.deepInclude(JSON.parse(output), { calls: 200, answered: 200, cacheHits: 0 })
      },
      resolve(main, "../..")
    ))

  it("runs the user's own prompts, reports bad lines by number, and says so by its exit code", () =>
    inFolder(async (folder) => {
      const prompts = join(folder, "mine.jsonl")
      const answers = join(folder, "answers.jsonl")
      writeFileSync(prompts, '{"prompt":"How long does the battery last?"}\n{"prompt":7}\n{"prompt":"怎么退货？"}\n')
      const { code, errors, output } = await start(["--prompts", prompts, "--answers", answers, "--json"]).ended
      assert.strictEqual(code, 1)
      assert.include(errors, "Line 2 is not a prompt")
      const report = JSON.parse(output)
      assert.deepInclude(report, { calls: 2, answered: 2, badLines: 1 })
      assert.strictEqual(readFileSync(answers, "utf8").trim().split("\n").length, 2)
    }))

  it("says what to do when the file is not there, has no prompt, or the answers cannot be written", async () => {
    const folder = mkdtempSync(join(tmpdir(), "quickstart-"))
    try {
      const [empty, one] = ["empty.jsonl", "one.jsonl"].map((name) => join(folder, name)) as [string, string]
      writeFileSync(empty, "\n")
      writeFileSync(one, '{"prompt":"How long is the warranty?"}\n')
      for (const [flags, said] of [
        [["--prompts", "nowhere.jsonl"], "nowhere.jsonl cannot be read: it is not there"],
        [["--prompts", empty], `${empty} has no prompt`],
        [["--prompts", one, "--answers", join(one, "answers.jsonl")], "The answers could not be written"]
      ] as const) {
        const { code, errors } = await start(flags).ended
        assert.strictEqual(code, 1)
        assert.include(errors, said)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("asks the provider whose key is set, stops cleanly on Ctrl-C, and still prints the table", async () => {
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
      const { child, ended } = start([], { OPENAI_API_KEY: key, OPENAI_BASE_URL: address })
      await first
      child.kill("SIGINT")
      const { code, errors, output } = await ended
      assert.strictEqual(code, 130)
      assert.include(output, "before the end")
      assert.notInclude(output + errors, key)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})

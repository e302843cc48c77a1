import { spawn } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { files, tickets, training } from "../tickets/generate.ts"
import { chatter, questions, strange } from "../tickets/grammar.ts"

const main = resolve(import.meta.dirname, "../main.ts")

const keyless = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_(API_KEY|BASE_URL)$/.test(name)))

/** `interrupt`: what standard error must say before Ctrl-C. */
const start = (flags: ReadonlyArray<string>, interrupt?: string, program = main) =>
  new Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }>((done) => {
    const child = spawn(process.execPath, [program, ...flags], { env: keyless })
    let [output, errors] = ["", ""]
    child.stdout.on("data", (chunk) => (output += chunk))
    child.stderr.on("data", (chunk) => {
      if (interrupt !== undefined && `${errors}${chunk}`.includes(interrupt) && !errors.includes(interrupt)) {
        child.kill("SIGINT")
      }
      errors += chunk
    })
    child.on("close", (code) => done({ code, output, errors }))
  })

const inFolder = async (use: (folder: string) => Promise<void>, parent = tmpdir()) => {
  const folder = mkdtempSync(join(parent, "support-desk-"))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The figure behind `name` in a line of the report. */
const figure = (output: string, name: string, at: number): number => {
  const line = output.split("\n").find((each) => each.trim().startsWith(name)) ?? ""
  return Number((line.replace(name, "").match(/[−-]?\d+(?:\.\d+)?/g) ?? [])[at]?.replace("−", "-"))
}

describe("the tickets", () => {
  it("are what the grammar makes", () => {
    for (const [name, text] of Object.entries(files())) {
      assert.strictEqual(readFileSync(new URL(`../tickets/${name}`, import.meta.url), "utf8"), text, name)
    }
  })

  it("are 500, in two languages, with labels, personal data and repetition", () => {
    const made = tickets()
    assert.strictEqual(made.length, 500)
    assert.isAtLeast(made.filter(({ language }) => language === "zh").length, 100)
    assert.isAtLeast(made.filter(({ personal = [] }) => personal.length > 0).length, 100)
    assert.isBelow(new Set(made.map(({ prompt }) => prompt)).size, 420)
    assert.strictEqual(new Set(made.map(({ label }) => label)).size, 7)
    for (const { personal = [], prompt } of made) for (const value of personal) assert.include(prompt, value)
  })

  it("never ask as the rows do that train the classifier", () => {
    const asked = [
      ...questions.flatMap(({ en, zh }) => [...en.asked, ...zh.asked]),
      ...strange.en.asked,
      ...strange.zh.asked,
      ...chatter
    ]
    const rows = training().map(({ text }) => text)
    assert.deepStrictEqual(
      asked.filter((each) => rows.some((text) => text.includes(each))),
      []
    )
  })
})

describe("the support desk", () => {
  // Seven runs of 500 tickets: some eight seconds of work, which a busy machine takes its time for.
  it(
    "answers 500 tickets without a key, leaks nothing, and says what each part contributed",
    { timeout: 240_000 },
    () =>
      inFolder(async (folder) => {
        const file = join(folder, "new", "report.html")
        const { code, errors, output } = await start(["--page", file])
        assert.strictEqual(code, 0, errors)
        assert.isAtLeast(figure(output, "✓ classification ≥ 92 %:", 0), 92)
        assert.match(output, /Of 2\d\d personal values in the tickets, 0 reached a model/)
        assert.include(output, "Audit log: 1000 of 1000 records verified.")
        const [cost, right] = [0, 3]
        assert.isBelow(figure(output, "the desk ", cost + 1), figure(output, "cache alone ", cost + 1))
        assert.isAbove(figure(output, "always strong ", right), figure(output, "always cheap ", right))
        assert.isAbove(figure(output, "routing alone ", right), figure(output, "random, at routing's cost ", right))
        assert.isAtLeast(figure(output, "the cache ", 1), 0)
        assert.include(output, `The report as a page: ${file}`)
        assert.match(output, /Other examples, with pnpm interlock example NAME: .*quickstart/)
        const wide = output.split("\n").filter((line) => line.length > 80 && !line.startsWith("Other examples"))
        assert.deepStrictEqual(
          wide,
          [`The report as a page: ${file}`].filter((line) => line.length > 80)
        )
        const page = readFileSync(file, "utf8")
        assert.strictEqual(page.match(/<svg /g)?.length, 6)
        for (const said of [
          "always strong",
          "prefers-color-scheme:dark",
          "width=device-width",
          "1000 of 1000 records"
        ]) {
          assert.include(page, said)
        }
        assert.notMatch(page, /https?:|<script|<link|<img|url\(|NaN|undefined|Infinity/)
      })
  )

  it("reads the user's own tickets, without labels too, and reports bad lines by number", () =>
    inFolder(async (folder) => {
      const mine = join(folder, "mine.jsonl")
      const rows = [
        '{"id":"1","customer":"me","prompt":"How long is the warranty?"}',
        '{"id":"2"}',
        '{"id":"3","customer":"me","prompt":"保修期几年？"}',
        '{"id":"1","customer":"me","prompt":"Once more"}'
      ]
      writeFileSync(
        mine,
        Buffer.concat([Buffer.from(`${rows.join("\r\n")}\r\n`), Buffer.from('{"prompt":"caf\xe9"}', "latin1")])
      )
      const { code, errors, output } = await start(["--tickets", mine, "--page", join(folder, "report.html")])
      assert.strictEqual(code, 1)
      assert.include(errors, "Line 5 is not a ticket: it is not UTF-8")
      assert.match(output, /Lines not read +│ 3/)
      assert.include(errors, "Line 2 is not a ticket")
      assert.include(errors, 'Line 4 is not a ticket: its id "1" is that of line 1')
      assert.include(output, "2 (2 answered, 0 failed)")
      assert.notMatch(output + readFileSync(join(folder, "report.html"), "utf8"), /NaN|undefined|Infinity/)
    }))

  it("runs plain prompts, each of a customer of its own, and reports as JSON and answers as a file", () =>
    inFolder(async (folder) => {
      const [prompts, answers, page] = ["prompts.jsonl", "answers.jsonl", "report.html"].map((name) =>
        join(folder, name)
      )
      const asked = Array.from({ length: 9 }, (_, at) => JSON.stringify({ prompt: `Warranty of machine ${at}?` }))
      writeFileSync(prompts!, asked.join("\n"))
      const { code, errors, output } = await start([
        ...["--prompts", prompts!, "--answers", answers!, "--page", page!, "--json"]
      ])
      assert.strictEqual(code, 0, errors)
      assert.deepInclude(JSON.parse(output), { calls: 9, answered: 9, leaked: 0, page })
      const rows = readFileSync(answers!, "utf8").trimEnd().split("\n")
      assert.deepStrictEqual(
        rows.map((row) => JSON.parse(row).id),
        ["1", "2", "3", "4", "5", "6", "7", "8", "9"]
      )
    }))

  it("is a folder to copy: with two stages changed it runs", () =>
    inFolder(
      async (folder) => {
        const example = resolve(main, "..")
        const skipped = /^\/(test|node_modules)(\/|$)/
        cpSync(example, folder, { recursive: true, filter: (path) => !skipped.test(path.slice(example.length)) })
        cpSync(join(example, "node_modules"), join(folder, "node_modules"), { recursive: true, verbatimSymlinks: true })
        const file = join(folder, "desk.ts")
        const changed = readFileSync(file, "utf8")
          .replace("maxOutputTokens: 2000", "maxOutputTokens: 200")
          .replace("  .use(limit)\n", "")
        assert.include(changed, "maxOutputTokens: 200 ")
        assert.notInclude(changed, ".use(limit)")
        writeFileSync(file, changed)
        const mine = join(folder, "mine.jsonl")
        writeFileSync(mine, '{"id":"1","customer":"me","prompt":"How long is the warranty?"}\n')
        const flags = ["--tickets", mine, "--page", join(folder, "report.html")]
        const { code, errors, output } = await start(flags, undefined, join(folder, "main.ts"))
        assert.strictEqual(code, 0, errors)
        assert.include(output, "1 (1 answered, 0 failed)")
      },
      resolve(main, "../..")
    ))

  it("stops on Ctrl-C, and still reports", { timeout: 240_000 }, () =>
    inFolder(async (folder) => {
      const file = join(folder, "report.html")
      const { code, output } = await start(["--page", file], "For comparison: always strong")
      assert.strictEqual(code, 130)
      assert.include(output, "Audit log: 1000 of 1000 records verified.")
      assert.include(readFileSync(file, "utf8"), "Stopped before the end")
      assert.include(output, "not compared: stopped before the end")
    })
  )

  it("says what to do when the file is not there, or has no ticket", () =>
    inFolder(async (folder) => {
      const { code, errors } = await start(["--tickets", "nowhere.jsonl"])
      assert.strictEqual(code, 1)
      assert.include(errors, "nowhere.jsonl")
      const empty = join(folder, "empty.jsonl")
      writeFileSync(empty, "\n")
      const none = await start(["--tickets", empty, "--page", join(folder, "report.html")])
      assert.strictEqual(none.code, 1)
      assert.include(none.errors, `${empty} has no ticket`)
      assert.strictEqual(none.output, "")
    }))

  it("says which file could not be written, and prints what was found all the same", () =>
    inFolder(async (folder) => {
      const [mine, file] = [join(folder, "mine.jsonl"), join(folder, "file")]
      writeFileSync(mine, '{"prompt":"How long is the warranty?"}\n')
      writeFileSync(file, "")
      const flags = ["--tickets", mine, "--page", join(file, "report.html")]
      const unwritten = await start(flags)
      assert.strictEqual(unwritten.code, 1)
      assert.include(unwritten.errors, `${join(file, "report.html")} could not be written`)
      assert.include(unwritten.output, "1 (1 answered, 0 failed)")
    }))
})

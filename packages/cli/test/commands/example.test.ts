import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { list, prepare } from "@interlock/cli/commands/example"
import { Effect } from "effect"

const main = resolve(import.meta.dirname, "../../src/main.ts")

/** A workspace of these files; `list` is told where to look from. */
const workspace = (files: { readonly [path: string]: string }) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const root = mkdtempSync(join(tmpdir(), "interlock-cli-example-"))
      for (const [path, text] of Object.entries({ "pnpm-workspace.yaml": "", ...files })) {
        mkdirSync(dirname(join(root, path)), { recursive: true })
        writeFileSync(join(root, path), text)
      }
      return root
    }),
    (root) => Effect.sync(() => rmSync(root, { recursive: true }))
  )

const start = (...args: ReadonlyArray<string>) => {
  const child: ChildProcess = spawn(process.execPath, [main, ...args])
  let [output, errors] = ["", ""]
  const ended = new Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }>(
    (done) => child.on("close", (code) => done({ code, output, errors }))
  )
  const said = (text: string) =>
    new Promise<void>((done) => child.stdout?.on("data", () => output.includes(text) && done()))
  child.stdout?.on("data", (chunk) => (output += chunk))
  child.stderr?.on("data", (chunk) => (errors += chunk))
  return { child, ended, said }
}

/** An example that is there while the test runs, beside the others; `body` is its `main.ts`. */
const withExample = async (body: string, use: (name: string) => Promise<void>) => {
  const folder = mkdtempSync(resolve(import.meta.dirname, "../../../../examples/test-"))
  try {
    writeFileSync(join(folder, "main.ts"), body)
    await use(folder.slice(folder.lastIndexOf("/") + 1))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe("interlock example", () => {
  it.effect("finds every folder with a main.ts, and says what it is for in a line", () =>
    Effect.gen(function* () {
      const root = yield* workspace({
        "examples/second/main.ts": "",
        "examples/second/README.md":
          "# Second\n\n![picture](a.png)\n\nShows [a thing](b.md)\nof two lines. And more.\n",
        "examples/first/main.ts": "",
        "examples/first/package.json": '{"description":"Shows one thing"}',
        "examples/first/README.md": "# First\n\nIs not read.\n",
        "examples/broken/main.ts": "",
        "examples/broken/package.json": "{",
        "examples/none/README.md": "No main.",
        "packages/cli/src/commands/example.ts": ""
      })
      const found = yield* list(join(root, "packages/cli/src/commands"))
      expect(found.map(({ description, name }) => [name, description])).toEqual([
        ["broken", ""],
        ["first", "Shows one thing"],
        ["second", "Shows a thing of two lines."]
      ])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("says where the examples are when they are not here", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(list(tmpdir()))
      expect(error).toMatchObject({ reason: "NoWorkspace", message: expect.stringContaining("clone") })
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it("leaves what stands after the name to the example", () => {
    expect(prepare([])).toEqual([])
    expect(prepare(["--help"])).toEqual(["--help"])
    expect(prepare(["one", "--help", "-x"])).toEqual(["one", "--", "--help", "-x"])
    expect(prepare(["one", "--", "--json", "--", "a"])).toEqual(["one", "--", "--json", "--", "a"])
  })

  it("lists them, every one of the workspace has a description, and an unknown name is told the known ones", async () => {
    const examples = await Effect.runPromise(Effect.provide(list(), NodeServices.layer))
    const own = examples.filter(({ name }) => !name.startsWith("test-"))
    expect(own.map(({ name }) => name)).toEqual(expect.arrayContaining(["quickstart", "support-desk"]))
    expect(own.filter(({ description }) => description === "")).toEqual([])
    const shown = await start("example").ended
    expect(shown.code).toBe(0)
    for (const { name } of own) expect(shown.output).toMatch(new RegExp(`^  ${name} +\\S`, "m"))
    const unknown = await start("example", "nowhere").ended
    expect(unknown.code).toBe(1)
    expect(unknown.errors).toContain('there is no example "nowhere"')
    expect(unknown.errors).toContain("quickstart")
    const help = await start("example", "--help").ended
    expect([help.code, help.output]).toEqual([0, expect.stringContaining("List the examples, or run one")])
  })

  it("passes on the arguments and the exit code", () =>
    withExample("console.log(JSON.stringify(process.argv.slice(2)))\nprocess.exitCode = 7\n", async (name) => {
      const { code, output } = await start("example", name, "--help", "--json", "two words", "-n", "3").ended
      expect(JSON.parse(output)).toEqual(["--help", "--json", "two words", "-n", "3"])
      expect(code).toBe(7)
    }))

  it("passes on Ctrl-C, and waits for what the example still has to say", () =>
    withExample(
      `process.on("SIGINT", () => setImmediate(() => { console.log("the report"); process.exit(130) }))
console.log("ready")
setInterval(() => {}, 1000)
`,
      async (name) => {
        const { child, ended, said } = start("example", name)
        await said("ready")
        child.kill("SIGINT")
        const { code, output } = await ended
        expect([code, output]).toEqual([130, "ready\nthe report\n"])
      }
    ))
})

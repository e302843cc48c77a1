import { execFile } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"

/** Every command that the README shows must work as it stands there. */

const root = resolve(import.meta.dirname, "..")
const text = readFileSync(join(root, "README.md"), "utf8")
const commands = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
  .flatMap((match) => (match[1] ?? "").split("\n"))
  .map((line) => line.replace(/\s+#.*$/, "").trim())
  .filter((line) => line !== "")

// `npm test` is what runs this; the repository is already cloned.
const running = new Set(["npm test"])
const elsewhere = (command: string) =>
  running.has(command) || command.startsWith("git clone") || command.startsWith("cd ")

const run = (command: string) =>
  new Promise<{ readonly code: number; readonly output: string }>((done) => {
    const keyless = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.endsWith("_API_KEY")))
    execFile("bash", ["-c", command], { cwd: root, env: keyless, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
      done({
        code: typeof error?.code === "number" ? error.code : error === null ? 0 : 1,
        output: `${stdout}\n${stderr}`
      })
    )
  })

describe("the README's commands", () => {
  it("are there", () => assert.includeMembers(commands, ["npm start", "npm test"]))

  for (const command of commands.filter((command) => !elsewhere(command))) {
    it(command, { timeout: 120_000 }, async () => {
      const { code, output } = await run(command)
      assert.strictEqual(code, 0, output.slice(-3000))
    })
  }

  it.each(["screen.ts", "screen.test.ts"])("the README shows %s in full", (file) => {
    assert.include(text, `\`\`\`ts\n${readFileSync(join(import.meta.dirname, "readme", file), "utf8")}\`\`\``)
  })

  it("stand beside links that lead somewhere", () => {
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1] ?? "")
    assert.isAbove(links.length, 3)
    for (const link of links) assert.isTrue(existsSync(join(root, link)), link)
  })
})

import { execFile } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative, resolve, sep } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"

/** Every `ts` fence in a docstring, in a README and in the guide is a program: it must compile, and it must run. */

const root = resolve(import.meta.dirname, "..")
const scratch = join(import.meta.dirname, ".examples")

interface Example {
  readonly from: string
  readonly file: string
}

const fences = (text: string): ReadonlyArray<{ readonly line: number; readonly code: string }> =>
  [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    line: text.slice(0, match.index).split("\n").length,
    code: match[1] ?? ""
  }))

// Docstrings keep their line numbers: everything that is not inside a comment becomes an empty line.
const docstrings = (source: string): string => {
  let inside = false
  return source
    .split("\n")
    .map((line) => {
      if (/^\s*\/\*\*/.test(line)) inside = !line.includes("*/")
      else if (inside && line.includes("*/")) inside = false
      else if (inside) return line.replace(/^\s*\* ?/, "")
      return ""
    })
    .join("\n")
}

rmSync(scratch, { recursive: true, force: true })
mkdirSync(scratch, { recursive: true })
const examples: ReadonlyArray<Example> = globSync(
  [
    "packages/*/src/**/*.ts",
    "packages/*/README.md",
    "README.md",
    "CONTRIBUTING.md",
    "docs/**/*.md",
    "examples/*/README.md"
  ],
  { cwd: root }
)
  .sort()
  .flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8")
    // Whole test files are shown too; those run as the tests they are (see readme.test.ts).
    const shown = fences(path.endsWith(".ts") ? docstrings(text) : text).filter(
      ({ code }) => !code.includes("@effect/vitest")
    )
    return shown.map(({ code, line }) => {
      const file = join(scratch, `${path.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${line}.ts`)
      writeFileSync(file, code.includes("export ") || code.includes("import ") ? code : `${code}\nexport {}\n`)
      return { from: `${path}:${line}`, file }
    })
  })
writeFileSync(
  join(scratch, "tsconfig.json"),
  JSON.stringify({
    extends: "../../tsconfig.base.json",
    compilerOptions: { noEmit: true, noUnusedLocals: false },
    include: ["*.ts"]
  })
)

describe("examples in docstrings and documents", async () => {
  const compiler = join(root, "node_modules/typescript/bin/tsc")
  const shown = await promisify(execFile)(process.execPath, [compiler, "-p", ".", "--pretty", "false"], {
    cwd: scratch,
    maxBuffer: 2 ** 26
  }).then(
    () => "",
    (failed: { readonly stdout: string }) => failed.stdout
  )

  it("there are some", () => assert.isAbove(examples.length, 3))

  it("every package that is published shows one", () => {
    const published = globSync("packages/*/package.json", { cwd: root }).map((path) => path.split(sep)[1])
    const shown = new Set(examples.map(({ from }) => /^packages[\\/]([^\\/]+)[\\/]README/.exec(from)?.[1]))
    assert.deepStrictEqual(
      published.filter((name) => !shown.has(name)),
      []
    )
  })

  for (const { file, from } of examples) {
    it(from, async () => {
      const name = relative(scratch, file)
      assert.deepStrictEqual(
        shown.split("\n").filter((line) => line.startsWith(`${name}(`)),
        []
      )
      const failed: Array<unknown> = []
      const original = console.assert
      console.assert = (condition?: boolean, ...rest: ReadonlyArray<unknown>) => {
        if (!condition) failed.push(rest.length === 0 ? "console.assert failed" : rest)
      }
      try {
        await import(file)
      } finally {
        console.assert = original
      }
      assert.deepStrictEqual(failed, [])
    })
  }
})

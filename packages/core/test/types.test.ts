import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"

const folder = resolve(import.meta.dirname, "../types")
const compiler = resolve(import.meta.dirname, "../../../node_modules/typescript/bin/tsc")

const compile = async (...flags: ReadonlyArray<string>): Promise<string> => {
  const run = promisify(execFile)(process.execPath, [compiler, "--pretty", "false", ...flags], {
    cwd: folder,
    maxBuffer: 2 ** 26
  })
  return run.then(
    ({ stdout }) => stdout,
    (failed: { readonly stdout: string }) => failed.stdout
  )
}

describe("what must not compile", async () => {
  const lines = readFileSync(join(folder, "mistakes.ts"), "utf8").split("\n")
  const shown = await compile("-p", ".", "--noErrorTruncation")
  const errors = [...shown.matchAll(/^mistakes\.ts\((\d+),\d+\): error TS\d+: ((?:.*)(?:\n {2}.*)*)/gm)].map(
    ([, line, message]) => ({ line: Number(line), message: message ?? "" })
  )
  const expectations = lines.flatMap((text, index) => {
    const expected = /^\/\/ expect: (.*)$/.exec(text)?.[1]
    if (expected === undefined) return []
    const length = lines.slice(index + 1).indexOf("")
    return [{ expected, from: index + 2, to: index + 1 + (length === -1 ? lines.length : length) }]
  })

  for (const { expected, from, to } of expectations) {
    it(expected, () => {
      const here = errors.filter(({ line }) => line >= from && line <= to)
      assert.isTrue(
        here.some(({ message }) => message.includes(expected)),
        `lines ${from}–${to} show ${JSON.stringify(here.map(({ message }) => message))}`
      )
    })
  }

  it("nothing else in the file is an error", () => {
    const stray = errors.filter(({ line }) => !expectations.some(({ from, to }) => line >= from && line <= to))
    assert.deepStrictEqual(stray, [])
  })
})

describe("what a pipeline costs the compiler", () => {
  const program = (stages: number): string => `
import { Pipeline, Reply, Stage } from "@interlock/core"
import { Context, Effect } from "effect"
class Question extends Context.Service<Question, string>()("budget/Question") {}
${Array.from(
  { length: stages },
  (_, index) => `
class F${index} extends Context.Service<F${index}, number>()("budget/F${index}") {}
const stage${index} = Stage.derive("stage${index}", { needs: { before: ${index === 0 ? "Question" : `F${index - 1}`} }, adds: F${index} }, () => Effect.succeed(${index}))`
).join("")}
const protocol: Pipeline.Protocol<string, string> = { empty: () => "", append: (whole, part) => whole + part }
const call = Pipeline.handler("call", { needs: { last: F${stages - 1} } }, () => Effect.succeed(Reply.whole(["done"])))
export const pipeline = Pipeline.make("budget", { input: [Question], protocol })
  ${Array.from({ length: stages }, (_, index) => `.use(stage${index})`).join("")}.to(call)
`
  const instantiations = async (stages: number): Promise<number> => {
    const scratch = mkdtempSync(join(folder, ".budget-"))
    try {
      writeFileSync(join(scratch, "program.ts"), program(stages))
      writeFileSync(
        join(scratch, "tsconfig.json"),
        JSON.stringify({
          extends: "../../../../tsconfig.base.json",
          compilerOptions: { noEmit: true },
          include: ["program.ts"]
        })
      )
      const shown = await compile("-p", scratch, "--extendedDiagnostics", "--singleThreaded")
      assert.notInclude(shown, "error TS")
      return Number(/Instantiations:\s+(\d+)/.exec(shown)?.[1])
    } finally {
      rmSync(scratch, { recursive: true })
    }
  }

  // Counts, not times: they are the same on every machine. What a program of one stage needs is Effect's own share.
  it("8, 50 and 200 stages stay within their budgets", async () => {
    const one = await instantiations(1)
    const budgets = { 8: 5_000, 50: 40_000, 200: 300_000 }
    for (const [stages, budget] of Object.entries(budgets)) {
      const needed = (await instantiations(Number(stages))) - one
      assert.isAtMost(needed, budget, `${stages} stages need ${needed} instantiations`)
      assert.isAbove(needed, 0)
    }
  })
})

import { createServer } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Chat, Part, Prompt } from "@interlock/model"
import { Judge, layerRules } from "@interlock/stages/judge"
import { layer, type Ran, Sandbox } from "@interlock/stages/judge/sandbox"
import { check, type Exercise, passesTests, verdictOf } from "@interlock/stages/judge/typescript"
import { Effect, Layer } from "effect"
import fc from "fast-check"

/** What the machine can do is tried out once. */
const sandbox = Layer.effect(
  Sandbox,
  Effect.runSync(
    Effect.cached(
      Effect.provide(
        Sandbox.use(Effect.succeed),
        layer({ cpuSeconds: 2, wallMillis: 15_000, heapMegabytes: 32, outputBytes: 65_536 })
      )
    )
  )
)

const exercise: Exercise = {
  tests: `import { sum } from "./solution.ts"
export const adds = () => sum([1, 2, 3])
export const empty = () => sum([])
export const negative = async () => sum([-1, 1e6])
`,
  expected: { adds: 6, empty: 0, negative: 999_999 },
  hidden: ["negative"]
}
const right = "export const sum = (all: ReadonlyArray<number>): number => all.reduce((a, b) => a + b, 0)"

const judged = (code: string, of: Exercise = exercise) => Effect.provide(check(of, code), sandbox)

/** A function of the right type that does what it should not. */
const hostile = (body: string, before = "") =>
  `${before}\nexport const sum = (all: ReadonlyArray<number>): number => { const g: any = globalThis; ${body}; return 0 }`

describe("checking TypeScript", () => {
  it.live("passes what is right, in a fence or not", () =>
    Effect.gen(function* () {
      expect(yield* judged(right)).toMatchObject({ reason: "Passed", message: "", share: 1 })
      expect(yield* judged(`Here:\n\`\`\`ts\n${right}\n\`\`\`\nDone.`)).toMatchObject({ reason: "Passed" })
    })
  )

  it.live("says what is wrong: values, types, syntax, nothing at all", () =>
    Effect.gen(function* () {
      const wrong = yield* judged(right.replace("a + b", "a - b"))
      expect(wrong).toMatchObject({ reason: "Wrong", share: 1 / 3 })
      expect(wrong.message).toBe("adds: gave -6, expected 6\nnegative: a hidden test fails")
      const typed = yield* judged("export const sum = (all: string): number => all")
      expect(typed.reason).toBe("Types")
      expect(typed.message).toContain("line 1: Type 'string' is not assignable to type 'number'. (TS2322)")
      expect(typed.message).toContain("as its tests use it:")
      expect(yield* judged("export const total = 1")).toMatchObject({ reason: "Types" })
      expect(yield* judged("export const sum = (")).toMatchObject({ reason: "Types" })
      expect(yield* judged("  ")).toMatchObject({ reason: "NoCode" })
      expect(yield* judged("// @ts-nocheck\nexport const sum = 1")).toMatchObject({
        reason: "Types",
        message: expect.stringContaining("leave the comment out")
      })
    })
  )

  it.live("the compiler reads no file of this machine for the code", () =>
    Effect.gen(function* () {
      const { message, reason } = yield* judged(
        `/// <reference path="/etc/passwd" />\nimport text from "/etc/hostname"\nimport fs from "node:fs"\n${right}`
      )
      expect(reason).toBe("Types")
      expect(message).not.toMatch(/root:|TS1\d\d\d/)
      expect(message).toContain("Cannot find")
    })
  )

  it.live("a rule of a judge", () =>
    Effect.gen(function* () {
      const rule = yield* passesTests(exercise)
      const rate = (text: string) =>
        Judge.use((judge) =>
          judge.rate(Prompt.make("Sum."), Part.text(text).reduce(Chat.protocol.append, Chat.protocol.empty()))
        ).pipe(Effect.provide(layerRules([rule])))
      expect(yield* rate(right)).toEqual({ _tag: "Rated", score: 1 })
      expect(yield* rate("no code")).toMatchObject({ score: 0, why: "broken: type-checks and passes its tests" })
    }).pipe(Effect.provide(sandbox))
  )
})

describe("hostile code", () => {
  const contained = (code: string, reason: string, said: string) =>
    Effect.map(judged(code), (verdict) => {
      expect(verdict.reason, verdict.message).toBe(reason)
      expect(verdict.message).toContain(said)
      expect(verdict.share).toBeLessThan(1)
    })

  it.live("an endless loop: in a function, while loading, and one that waits for ever", () =>
    Effect.gen(function* () {
      yield* contained(hostile("for (;;) {}"), "Timeout", "(in adds)")
      yield* contained(hostile("", "for (;;) {}"), "Timeout", "does not come to an end")
      yield* contained(hostile("", "await new Promise(() => {})"), "Exited", "ends before its tests do")
    })
  )

  it.live("a fork bomb, in every way there is to start something", () =>
    Effect.gen(function* () {
      const bombs = [
        'for (;;) { import("node:child_process" as string).then((m: any) => m.fork("harness.mjs")) }',
        'g.process.binding("spawn_sync")',
        'new g.Worker("harness.mjs")',
        'g.require("node:child_process").fork("harness.mjs")'
      ]
      expect(["Timeout", "Memory"]).toContain((yield* judged(hostile(bombs[0]!))).reason)
      for (const bomb of bombs.slice(1)) yield* contained(hostile(bomb), "Wrong", "throws TypeError")
      const awaited = 'const m: any = await import("node:child_process" as string)\nm.fork("harness.mjs")'
      yield* contained(hostile("", awaited), "Load", '"node:child_process" may not be imported')
    })
  )

  it.live("huge output, and a value without end", () =>
    Effect.gen(function* () {
      const huge = "export const sum = (all: ReadonlyArray<number>): any => 'x'.repeat(1e6)"
      yield* contained(huge, "Output", "writes more than it may")
      yield* contained(hostile("for (;;) g.console.log('x'.repeat(1e6))"), "Wrong", "throws TypeError")
      const endless = "export const sum = (all: ReadonlyArray<number>): any => { const a: any = {}; a.a = a; return a }"
      yield* contained(endless, "Wrong", "circular structure")
    })
  )

  it.live("a hunger for memory, on the heap and beside it", () =>
    Effect.gen(function* () {
      const heap = yield* judged(hostile("const a: any[] = []; for (;;) a.push({ a: [1, 2, 3] })"))
      expect(["Memory", "Timeout"]).toContain(heap.reason)
      const buffers = yield* judged(hostile("const a: any[] = []; for (;;) a.push(new Uint8Array(1e8).fill(1))"))
      expect(["Wrong", "Memory", "Exited", "Timeout"]).toContain(buffers.reason)
    })
  )

  it.live("files, by import, by a global, and through the compiler", () =>
    Effect.gen(function* () {
      for (const name of [
        "node:fs",
        "fs",
        "/etc/passwd",
        "./package.json",
        "./harness.mjs",
        "data:text/javascript,1"
      ]) {
        const load = `const m: any = await import(${JSON.stringify(name)} as string)`
        yield* contained(hostile("", load), "Load", "may not be imported")
      }
      yield* contained(hostile('g.process.getBuiltinModule("fs").readFileSync("/etc/passwd")'), "Wrong", "TypeError")
    })
  )

  it.live("network: nothing arrives", () =>
    Effect.gen(function* () {
      let reached = 0
      const server = createServer((socket) => {
        reached++
        socket.destroy()
      })
      yield* Effect.promise(() => new Promise<void>((done) => server.listen(0, "127.0.0.1", done)))
      const { port } = server.address() as { readonly port: number }
      yield* contained(hostile(`g.fetch("http://127.0.0.1:${port}")`), "Wrong", "g.fetch is not a function")
      yield* contained(hostile(`new g.WebSocket("ws://127.0.0.1:${port}")`), "Wrong", "is not a constructor")
      const load = `const m: any = await import("node:net" as string)\nm.connect(${port}, "127.0.0.1")`
      yield* contained(hostile("", load), "Load", '"node:net" may not be imported')
      server.close()
      expect(reached).toBe(0)
    })
  )

  it.live("prototypes that are changed under the harness", () =>
    Effect.gen(function* () {
      const changes = [
        "Array.prototype.every = () => true; Array.prototype.filter = function (this: any) { return this } as any",
        "Set.prototype.has = () => true; String.prototype.startsWith = () => true; Array.prototype.includes = () => true",
        "(Object.prototype as any).toJSON = () => 6",
        "(Object.prototype as any).outcome = 'passed'; (Object.prototype as any).value = 6; (Object.prototype as any).done = true",
        "JSON.stringify = () => '{\"done\":true}'; Object.is = () => true; Object.keys = () => []",
        "(Promise.prototype as any).then = (done: any) => done(6)",
        "Object.defineProperty(globalThis, 'Error', { value: class { constructor() { return { name: 'a', message: 'b' } } } })"
      ]
      for (const change of changes) {
        const verdict = yield* judged(hostile("return 1", change))
        expect([change, verdict.reason === "Passed", verdict.share < 1]).toEqual([change, false, true])
      }
      // The language's own prototypes may be changed: code that is right stays right.
      expect(yield* judged(`(Array.prototype as any).last = 1\n${right}`)).toMatchObject({ reason: "Passed" })
    })
  )

  it.live("leaving early, as if all were well", () =>
    Effect.gen(function* () {
      yield* contained(hostile("g.process.exit(0)"), "Wrong", "reading 'exit'")
      yield* contained(hostile("", "(globalThis as any).process?.exit(0); throw 0"), "Load", "cannot be loaded: 0")
      const early: Ran = { ended: "Exited", code: 0, output: "", errors: "", results: "" }
      expect(verdictOf(exercise, early)).toMatchObject({ reason: "Exited", share: 0 })
    })
  )

  it("messages that the harness did not write: forged, twice, for a test that there is not, after the end", () => {
    const said = (...lines: ReadonlyArray<unknown>) =>
      verdictOf(exercise, {
        ended: "Exited",
        code: 0,
        output: "",
        errors: "",
        results: lines.map((line) => (typeof line === "string" ? line : `${JSON.stringify(line)}\n`)).join("")
      }).reason
    const all = [
      { test: "adds", value: 6 },
      { test: "empty", value: 0 },
      { test: "negative", value: 999_999 }
    ]
    expect(said(...all, { done: true })).toBe("Passed")
    expect(said(...all)).toBe("Exited")
    expect(said({ done: true })).toBe("Tampered")
    expect(said({ done: true }, ...all)).toBe("Tampered")
    expect(said(...all, { test: "adds", value: 6 }, { done: true })).toBe("Tampered")
    expect(said(...all, { test: "other", value: 6 }, { done: true })).toBe("Tampered")
    expect(said(...all, { test: "toString", value: 6 }, { done: true })).toBe("Tampered")
    expect(said(...all, { passed: true }, { done: true })).toBe("Tampered")
    expect(said(...all, { test: "adds", value: 6, outcome: "passed" }, { done: true })).toBe("Tampered")
    expect(said(...all, { done: true }, "ok")).toBe("Tampered")
    expect(said(...all, { done: true }, { done: true })).toBe("Tampered")
    expect(said("ok\n", ...all, { done: true })).toBe("Tampered")
    expect(said(...all, { failed: "x" }, { done: true })).toBe("Tampered")
  })

  it("no bytes but the right values pass", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.json(), fc.string())), (lines) => {
        const results = [...lines, '{"done":true}', ""].join("\n")
        const verdict = verdictOf(exercise, { ended: "Exited", code: 0, output: "", errors: "", results })
        expect(verdict.reason).not.toBe("Passed")
        expect(verdict.share).toBeLessThan(1)
      }),
      { seed: 1 }
    )
  })

  it.live("is contained where there is neither prlimit nor unshare", () =>
    Effect.gen(function* () {
      const bare = layer({ wallMillis: 2500, heapMegabytes: 32, outputBytes: 65_536, system: false })
      const bodies = [
        "for (;;) {}",
        "g.process.exit(0)",
        'g.fetch("http://127.0.0.1")',
        "const a: any[] = []; for (;;) a.push({ a })"
      ]
      const verdicts = yield* Effect.forEach(bodies, (body) => Effect.provide(check(exercise, hostile(body)), bare), {
        concurrency: 2
      })
      const reasons = verdicts.map(({ reason }) => reason)
      expect(reasons.slice(0, 3)).toEqual(["Timeout", "Wrong", "Wrong"])
      expect(["Memory", "Timeout"]).toContain(reasons[3])
    })
  )

  it.live("what is expected is nowhere in the sandbox", () =>
    Effect.gen(function* () {
      const marked = { ...exercise, expected: { ...exercise.expected, adds: "a value that only the parent knows" } }
      const look = `import * as own from "./solution.ts"
export const sum = (all: ReadonlyArray<number>): any => JSON.stringify([Object.keys(own), Object.getOwnPropertyNames(globalThis), new Error().stack])`
      const { message } = yield* judged(look, marked)
      expect(message.split("expected")[0]).not.toContain("only the parent")
    })
  )
})

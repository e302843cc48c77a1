import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Server from "./server.ts"

describe("1,000 takers in four processes", () => {
  it.effect("take exactly what the limit allows, and never more", () =>
    Effect.gen(function* () {
      const url = yield* Server.url
      const name = `t${Math.random().toString(36).slice(2)}`
      const program = `${import.meta.dirname}/child.ts`
      const processes = yield* Effect.forEach([0, 1, 2, 3], () =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const child = spawn(process.execPath, [program, url, name, "250", "700"], {
              stdio: ["pipe", "pipe", "inherit"]
            })
            return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
          }),
          ({ child }) => Effect.sync(() => void child.kill("SIGKILL"))
        )
      )
      const taken = yield* Effect.promise(async () => {
        for (const { lines } of processes) expect((await lines.next()).value).toBe("ready")
        for (const { child } of processes) child.stdin.write("go\n")
        return Promise.all(processes.map(async ({ lines }) => Number((await lines.next()).value)))
      })
      expect(taken.reduce((sum, each) => sum + each, 0)).toBe(700)
    }).pipe(Effect.scoped)
  )
})

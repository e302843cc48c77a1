import { describe, expect, it } from "@effect/vitest"
import * as Subcommand from "@interlock/cli/subcommand"
import { Effect } from "effect"

describe("subcommand", () => {
  it.effect("finds a command for each file, under the name of the file", () =>
    Effect.gen(function* () {
      const names = yield* Subcommand.names
      expect(names).toEqual(expect.arrayContaining(["audit", "example", "learn"]))
      for (const name of names) expect((yield* Subcommand.load(name)).command.name).toBe(name)
    })
  )
})

#!/usr/bin/env node
/**
 * The `interlock` command. Each file of `commands/` is one subcommand; only the one that is asked for is loaded.
 *
 * @since 0.1.0
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Subcommand from "./subcommand.ts"

const program = Effect.gen(function* () {
  const names = yield* Subcommand.names
  const asked = process.argv[2]
  const subcommands = yield* Effect.forEach(asked !== undefined && names.includes(asked) ? [asked] : names, (name) =>
    Subcommand.load(name)
  )
  const interlock = Command.make("interlock").pipe(
    Command.withDescription("Pipelines around model calls: audit logs, learning, examples"),
    Command.withSubcommands(subcommands)
  )
  yield* Command.run(interlock, { version: "0.1.0" })
})

program.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)

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
  const [asked, ...rest] = process.argv.slice(2)
  const one = asked !== undefined && names.includes(asked)
  const loaded = yield* Effect.forEach(one ? [asked] : names, Subcommand.load)
  const interlock = Command.make("interlock").pipe(
    Command.withDescription("Pipelines around model calls: audit logs, learning, examples"),
    Command.withSubcommands(loaded.map(({ command }) => command))
  )
  const args = one ? [asked, ...(loaded[0]?.prepare?.(rest) ?? rest)] : process.argv.slice(2)
  yield* Command.runWith(interlock, { version: "0.1.0" })(args)
})

program.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)

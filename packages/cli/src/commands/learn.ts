/**
 * `interlock learn`: trains what the stages learn.
 *
 * @since 0.1.0
 */
import { Command } from "effect/cli"
import { router } from "../learn/router.ts"

/**
 * `interlock learn`.
 *
 * @category commands
 * @since 0.1.0
 */
export const command = Command.make("learn").pipe(
  Command.withDescription("Train a classifier or a router"),
  Command.withSubcommands([router])
)

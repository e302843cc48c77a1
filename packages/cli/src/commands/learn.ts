/**
 * `interlock learn`: trains what the stages learn.
 *
 * @since 0.1.0
 */
import { Command } from "effect/cli"
import { classifier } from "../learn/classifier.ts"
import { judge } from "../learn/judge.ts"
import { requestTypes } from "../learn/requestTypes.ts"
import { router } from "../learn/router.ts"

/**
 * `interlock learn`.
 *
 * @category commands
 * @since 0.1.0
 */
export const command = Command.make("learn").pipe(
  Command.withDescription("Train a classifier, a router or a judge"),
  Command.withSubcommands([classifier, requestTypes, router, judge])
)

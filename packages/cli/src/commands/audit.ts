/**
 * `interlock audit`: reads, verifies and keeps an audit log.
 *
 * @since 0.1.0
 */
import { Command } from "effect/cli"

/**
 * `interlock audit`.
 *
 * @category commands
 * @since 0.1.0
 */
export const command = Command.make("audit").pipe(Command.withDescription("Read, verify and keep an audit log"))

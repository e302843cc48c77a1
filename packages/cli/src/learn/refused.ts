/**
 * How a command of `learn` says no: the message on standard error, without a stack, and the exit code 1.
 *
 * @since 0.1.0
 */
import { Console, Effect, Runtime, Schema } from "effect"

/**
 * Nothing was trained or written; why has been printed.
 *
 * @category errors
 * @since 0.1.0
 */
export class Refused extends Schema.TaggedError<Refused>()("@interlock/cli/Refused", {
  message: Schema.String
}) {
  override readonly [Runtime.errorReported] = false
}

/**
 * Prints the message of any error and ends with `Refused`.
 *
 * @category reporting
 * @since 0.1.0
 */
export const refuse = <A, E extends { readonly message: string }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, Refused, R> =>
  Effect.catch(effect, ({ message }) => Effect.andThen(Console.error(message), Effect.fail(new Refused({ message }))))

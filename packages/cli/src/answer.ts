/**
 * How a command answers: with a sentence for people, or with one line of JSON for programs where `--json` is given.
 *
 * @since 0.1.0
 */
import { Console } from "effect"
import { Flag } from "effect/cli"

/**
 * The flag `--json`.
 *
 * @category flags
 * @since 0.1.0
 */
export const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))

/**
 * Prints the value as one line of JSON, or the sentence.
 *
 * @category reporting
 * @since 0.1.0
 */
export const say = (asJson: boolean, value: object, sentence: string) =>
  Console.log(asJson ? JSON.stringify(value) : sentence)

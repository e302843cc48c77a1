/**
 * `interlock learn request-types`: trains the classifier that ships with the project again, byte for byte, from the prompts that the
 * project wrote.
 *
 * @since 0.1.0
 */
import * as Classifier from "@interlock/learn/classifier"
import { rows } from "@interlock/learn/requestTypes"
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { json } from "../answer.ts"
import { write } from "./classifier.ts"
import { refuse } from "./refused.ts"

/**
 * `interlock learn request-types`.
 *
 * @category commands
 * @since 0.1.0
 */
export const requestTypes = Command.make(
  "request-types",
  {
    out: Flag.String("out").pipe(
      Flag.withDescription("The folder to write the artefact to"),
      Flag.withDefault("packages/stages/artefacts")
    ),
    json
  },
  Effect.fnUntraced(function* ({ json, out }) {
    yield* write(yield* Classifier.train(rows, { name: "request-type" }), out, json)
  }, refuse)
).pipe(Command.withDescription("Train the shipped request-type classifier again"))

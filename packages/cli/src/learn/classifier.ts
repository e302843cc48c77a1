/**
 * `interlock learn classifier`: trains the local classifier of `classify` on labelled texts.
 *
 * @since 0.1.0
 */
import * as Classifier from "@interlock/learn/classifier"
import { Effect, FileSystem } from "effect"
import { Command, Flag } from "effect/cli"
import { json, say } from "../answer.ts"
import { refuse } from "./refused.ts"

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`

/**
 * Writes what was trained, and says where it is and how well it did on held-out rows.
 *
 * @category reporting
 * @since 0.1.0
 */
export const write = Effect.fnUntraced(function* (trained: Classifier.Trained, out: string, asJson: boolean) {
  const file = yield* Classifier.save(trained, out)
  const { artefact, heldOut, labels, name, rows } = trained
  yield* say(
    asJson,
    { file, name, bytes: artefact.length, rows, labels, heldOut },
    [
      `${rows} rows, ${labels.length} labels.`,
      `On ${heldOut.rows} held-out rows: ${percent(heldOut.accuracy)} right; of texts out of scope, ${percent(heldOut.unknownRecall)} are said to be unknown.`,
      `Wrote ${file} (${(artefact.length / 1024).toFixed(0)} KiB). Load it with layerLinear({ artefact: "${file}" }).`
    ].join("\n")
  )
})

/**
 * `interlock learn classifier`.
 *
 * @category commands
 * @since 0.1.0
 */
export const classifier = Command.make(
  "classifier",
  {
    train: Flag.String("train").pipe(
      Flag.withDescription("JSON lines {text, label}; the label `unknown` is for texts out of scope")
    ),
    out: Flag.String("out").pipe(Flag.withDescription("The folder to write the artefact to")),
    name: Flag.String("name").pipe(
      Flag.withDescription("The name of the artefact and its file"),
      Flag.withDefault("classifier")
    ),
    json
  },
  Effect.fnUntraced(function* ({ json, name, out, train }) {
    const files = yield* FileSystem.FileSystem
    const content = yield* files.readFileString(train).pipe(
      Effect.mapError(
        () =>
          new Classifier.TrainingError({
            reason: "Unreadable",
            message: `${train} cannot be read: name a file of JSON lines {"text", "label"} with --train`
          })
      )
    )
    const rows = yield* Classifier.parse(content, train)
    yield* write(yield* Classifier.train(rows, { name }), out, json)
  }, refuse)
).pipe(Command.withDescription("Train a classifier on labelled texts"))

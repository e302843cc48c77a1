/**
 * `interlock learn judge`: trains the learned judge on graded answers.
 *
 * @since 0.1.0
 */
import * as Judge from "@interlock/learn/judge"
import { Effect, FileSystem } from "effect"
import { Command, Flag } from "effect/cli"
import { json, say } from "../answer.ts"
import { refuse } from "./refused.ts"

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`

/**
 * `interlock learn judge`.
 *
 * @category commands
 * @since 0.1.0
 */
export const judge = Command.make(
  "judge",
  {
    train: Flag.String("train").pipe(Flag.withDescription("JSON lines {question, answer, grade}, a grade from 0 to 1")),
    out: Flag.String("out").pipe(Flag.withDescription("The folder to write the artefact to")),
    name: Flag.String("name").pipe(
      Flag.withDescription("The name of the artefact and its file"),
      Flag.withDefault("answers")
    ),
    json
  },
  Effect.fnUntraced(function* ({ json, name, out, train }) {
    const files = yield* FileSystem.FileSystem
    const content = yield* files.readFileString(train).pipe(
      Effect.mapError(
        () =>
          new Judge.JudgeTrainingError({
            reason: "Unreadable",
            message: `${train} cannot be read: name a file of JSON lines {"question", "answer", "grade"} with --train`
          })
      )
    )
    const trained = yield* Judge.train(yield* Judge.parse(content, train), { name })
    const file = yield* Judge.save(trained, out)
    const { artefact, heldOut, questions, rows } = trained
    const { longer, lowerBound, pairs, right, within } = heldOut
    yield* say(
      json,
      { file, name, bytes: artefact.length, rows, questions, heldOut },
      [
        `${rows} graded answers to ${questions} questions.`,
        `Of ${pairs} held-out pairs of ${within ? "answers to one question" : "answers"}, ${percent(right)} are ranked rightly (at least ${percent(lowerBound)} with 95 % confidence); by length it would be ${percent(longer)}.`,
        `Wrote ${file} (${(artefact.length / 1024).toFixed(0)} KiB). Load it with layerLearned({ artefact: "${file}" }).`
      ].join("\n")
    )
  }, refuse)
).pipe(Command.withDescription("Train a judge on graded answers"))

/** A question, and what a right answer must say. */
import { Effect, FileSystem, Schema } from "effect"

export const Question = Schema.Struct({
  id: Schema.NonEmptyString,
  prompt: Schema.NonEmptyString,
  /** Every one of these. */
  says: Schema.NonEmptyArray(Schema.NonEmptyString)
})
export type Question = typeof Question.Type

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Question))

/** Reads a file of questions, one JSON object a line; a line that is none is told with its number, and the others count. */
export const readQuestions = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString(path)
  const questions: Array<Question> = []
  const bad: Array<string> = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue
    yield* Effect.match(decode(line), {
      onSuccess: (question) => void questions.push(question),
      onFailure: (error) =>
        void bad.push(`Line ${index + 1} is not a question: ${String(error.message).replaceAll(/\s+/g, " ")}`)
    })
  }
  return { questions, bad }
})

/** 1 where the answer says all that it must, else 0; no answer is 0. */
export const grade = ({ says }: Question, answer: string | undefined): number => {
  const text = (answer ?? "").toLowerCase()
  return says.every((each) => text.includes(each.toLowerCase())) ? 1 : 0
}

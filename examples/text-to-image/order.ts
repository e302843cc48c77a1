/** A line of a file of prompts: what somebody wants to see. */
import { Effect, FileSystem, Schema } from "effect"

const Line = Schema.Struct({
  id: Schema.optionalKey(Schema.NonEmptyString),
  prompt: Schema.String.pipe(Schema.check(Schema.isPattern(/\S/, { message: "Expected a prompt that is not empty" }))),
  /** Values that must not leave, to check that they do not. */
  personal: Schema.optionalKey(Schema.Array(Schema.NonEmptyString))
})
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Line))

export interface Asked {
  readonly id: string
  readonly line: number
  readonly prompt: string
  readonly personal: ReadonlyArray<string>
}

/** Reads a file of prompts, one JSON object a line; a line that is none is told with its number, and the others count. */
export const readPrompts = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString(path)
  const asked: Array<Asked> = []
  const bad: Array<string> = []
  const lineOf = new Map<string, number>()
  for (const [index, row] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    if (row.trim() === "") continue
    const line = index + 1
    yield* Effect.match(decode(row), {
      onSuccess: ({ id = String(line), personal = [], prompt }) => {
        const earlier = lineOf.get(id)
        if (earlier === undefined) asked.push({ id, line, prompt, personal })
        else bad.push(`Line ${line} is not a prompt: its id "${id}" is that of line ${earlier}`)
        lineOf.set(id, earlier ?? line)
      },
      onFailure: (error) =>
        void bad.push(`Line ${line} is not a prompt: ${String(error.message).replaceAll(/\s+/g, " ").trim()}`)
    })
  }
  return { asked, bad }
})

/** A requirement: what is wanted, and tests that say whether code does it. */
import type { Exercise } from "@interlock/stages/judge/typescript"
import { Effect, FileSystem, Schema } from "effect"

export const Requirement = Schema.Struct({
  id: Schema.NonEmptyString,
  /** What is wanted, in the words of whoever wants it. */
  text: Schema.NonEmptyString,
  /** The name of what the code must export. */
  exports: Schema.String.check(Schema.isPattern(/^[A-Za-z_]\w*$/)),
  tests: Schema.NonEmptyArray(
    Schema.Struct({
      name: Schema.String.check(Schema.isPattern(/^[A-Za-z_]\w*$/)),
      /** A TypeScript expression, or a body in braces, that computes something with what is exported. */
      run: Schema.NonEmptyString,
      /** What it must give. */
      gives: Schema.Json,
      /** The model is not told what this test expects when it fails. */
      hidden: Schema.optionalKey(Schema.Boolean)
    })
  )
})
export type Requirement = typeof Requirement.Type

export const exerciseOf = ({ exports, tests }: Requirement): Exercise => ({
  tests: [
    `import { ${exports} } from "./solution.ts"`,
    ...tests.map(({ name, run }) => `export const ${name} = async () => ${run.startsWith("{") ? run : `(${run})`}`)
  ].join("\n"),
  expected: Object.fromEntries(tests.map(({ gives, name }) => [name, gives])),
  hidden: tests.flatMap(({ hidden, name }) => (hidden === true ? [name] : []))
})

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Requirement))

/** Reads requirements, one JSON object a line; a line that is none is told with its number, and the others count. */
export const readRequirements = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString(path)
  const requirements: Array<Requirement> = []
  const bad: Array<string> = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue
    yield* Effect.match(decode(line), {
      onSuccess: (requirement) => void requirements.push(requirement),
      onFailure: (error) =>
        void bad.push(`Line ${index + 1} is not a requirement: ${String(error.message).replaceAll(/\s+/g, " ")}`)
    })
  }
  return { requirements, bad }
})

/**
 * `interlock example`: lists the examples of the workspace, and runs one.
 *
 * An example is a folder of `examples` with a `main.ts`: one that is copied or added there is found without being registered. What it is
 * for is the `description` of its `package.json`, or the first sentence of its README.
 *
 * @since 0.1.0
 */
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Console, Effect, FileSystem, Option, Result, Runtime, Schema } from "effect"
import { Argument, CliError, Command } from "effect/cli"
import { ChildProcess, ChildProcessSpawner } from "effect/process"

/**
 * No example was run. `NoWorkspace`: the examples are not here, they come with the repository. `Unknown`: there is no example of this name.
 *
 * @category errors
 * @since 0.1.0
 */
export class ExampleError extends Schema.TaggedError<ExampleError>()("@interlock/cli/ExampleError", {
  reason: Schema.Literals(["NoWorkspace", "Unknown"]),
  /** The examples that there are. */
  known: Schema.Array(Schema.String),
  message: Schema.String
}) {
  override readonly [Runtime.errorReported] = false
  override readonly [CliError.userMessage] = this.message
}

/** The example ended with a code of its own, and has said why. */
class Ended extends Schema.TaggedError<Ended>()("@interlock/cli/Ended", { code: Schema.Int }) {
  override readonly [Runtime.errorReported] = false
  override readonly [Runtime.errorExitCode] = this.code
}

/**
 * An example: a folder with a `main.ts`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Example {
  readonly name: string
  readonly description: string
  readonly main: string
}

const Described = Schema.fromJsonString(Schema.Struct({ description: Schema.optionalKey(Schema.String) }))
const decodeDescribed = Schema.decodeUnknownResult(Described)

/** The first sentence of the first paragraph that is no heading. */
const firstSentence = (readme: string): string =>
  /^.*?[.!?:](?=\s|$)/s
    .exec(
      readme
        .split(/\n\s*\n/)
        .find((block) => /^[\p{L}\p{N}`*[]/u.test(block))
        ?.replaceAll(/\s+/g, " ") ?? ""
    )?.[0]
    ?.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1") ?? ""

/** The nearest folder above this file that has `examples` and a workspace file. */
const folderOf = Effect.fnUntraced(function* (from: string) {
  const files = yield* FileSystem.FileSystem
  let folder = from
  while (folder !== dirname(folder)) {
    const examples = join(folder, "examples")
    const found = (yield* files.exists(join(folder, "pnpm-workspace.yaml"))) && (yield* files.exists(examples))
    if (found) return examples
    folder = dirname(folder)
  }
  return yield* new ExampleError({
    reason: "NoWorkspace",
    known: [],
    message: "the examples are not here: they come with the repository of Interlock, so run this in a clone of it"
  })
})

/**
 * The examples that are there, in alphabetical order; `from` is where to look for the workspace from, upwards.
 *
 * @category accessors
 * @since 0.1.0
 */
export const list = Effect.fnUntraced(function* (from: string = dirname(fileURLToPath(import.meta.url))) {
  const files = yield* FileSystem.FileSystem
  const folder = yield* folderOf(from)
  const names = (yield* files.readDirectory(folder)).sort()
  const read = (path: string) => Effect.option(files.readFileString(path))
  const found = yield* Effect.forEach(
    names,
    Effect.fnUntraced(function* (name) {
      const main = join(folder, name, "main.ts")
      if (!(yield* files.exists(main))) return []
      const described = Option.flatMap(yield* read(join(folder, name, "package.json")), (text) =>
        Option.fromNullishOr(Result.getOrUndefined(decodeDescribed(text))?.description)
      )
      const readme = yield* read(join(folder, name, "README.md"))
      const description = Option.getOrElse(described, () => firstSentence(Option.getOrElse(readme, () => "")))
      return [{ name, description, main } satisfies Example]
    })
  )
  return found.flat()
})

const listed = (examples: ReadonlyArray<Example>): string => {
  const width = Math.max(...examples.map(({ name }) => name.length))
  const lines = examples.map(({ description, name }) => `  ${name.padEnd(width)}  ${description}`.trimEnd())
  return `${lines.join("\n")}\n\nRun one: pnpm interlock example NAME; what stands after the name is for the example (try --help)`
}

/** Runs an example to its end, in the terminal of this process; an interrupt is passed on, and its end is awaited. */
const run = (example: Example, args: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const child = yield* spawner.spawn(
        ChildProcess.make(process.execPath, [example.main, ...args], {
          stdin: "inherit",
          stdout: "inherit",
          stderr: "inherit",
          detached: false,
          killSignal: "SIGINT"
        })
      )
      const code = Number(yield* child.exitCode)
      if (code !== 0) return yield* new Ended({ code })
    })
  )

/**
 * Everything after the name is for the example, `--help` too: so it is parsed as operands.
 *
 * @category commands
 * @since 0.1.0
 */
export const prepare = ([name, ...rest]: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (name === undefined) return []
  return name.startsWith("-") ? [name, ...rest] : [name, "--", ...(rest[0] === "--" ? rest.slice(1) : rest)]
}

/**
 * `interlock example`.
 *
 * @category commands
 * @since 0.1.0
 */
export const command = Command.make(
  "example",
  {
    name: Argument.String("name").pipe(
      Argument.withDescription("The example to run; without it, they are listed"),
      Argument.optional
    ),
    args: Argument.String("args").pipe(
      Argument.withDescription("What stands after the name is passed on to the example"),
      Argument.variadic()
    )
  },
  Effect.fnUntraced(function* ({ args, name }) {
    const examples = yield* list()
    if (Option.isNone(name)) return yield* Console.log(listed(examples))
    const example = examples.find((each) => each.name === name.value)
    if (example === undefined) {
      const known = examples.map((each) => each.name)
      return yield* new ExampleError({
        reason: "Unknown",
        known,
        message: `there is no example "${name.value}": there are ${known.join(", ")}`
      })
    }
    yield* run(example, args)
  })
).pipe(Command.withDescription("List the examples, or run one"))

/**
 * Whether TypeScript that a model wrote is right: it type-checks, and its tests pass, in a `Sandbox`. The verdict says what is wrong in
 * words that a model can repair it by.
 *
 * The tests are functions that **compute** something with the code; what they must give is compared here, and never enters the
 * sandbox. So the code can leave early, forge the harness's messages or change every prototype, and gains nothing: it would have to
 * compute the right values.
 *
 * The code sees the language and nothing else: no import but its own, no `process`, `fetch`, `console` or timer. This is a fence within
 * the process, against accidents; the `Sandbox` around it is what contains malice.
 *
 * ```ts
 * import { layer } from "@interlock/stages/judge/sandbox"
 * import { check } from "@interlock/stages/judge/typescript"
 * import { Effect } from "effect"
 *
 * const exercise = {
 *   tests: 'import { double } from "./solution.ts"\nexport const doubles = () => double(21)',
 *   expected: { doubles: 42 }
 * }
 * const verdict = await Effect.runPromise(
 *   check(exercise, "export const double = (n: number): number => n + 2").pipe(Effect.provide(layer()))
 * )
 * console.assert(verdict.reason === "Wrong" && verdict.message === "doubles: gave 23, expected 42")
 * ```
 *
 * @since 0.1.0
 */
import { existsSync, realpathSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { isDeepStrictEqual } from "node:util"
import { Effect, Result, Schema } from "effect"
import { codeOf, type Rule, required } from "../judge.ts"
import { type Ran, Sandbox, SandboxError } from "./sandbox.ts"

/**
 * What code must do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Exercise {
  /**
   * A TypeScript module that imports the code from `./solution.ts` and exports one function a test. What a test returns, or what its
   * promise gives, must be JSON.
   */
  readonly tests: string
  /** What each test must give. */
  readonly expected: { readonly [test: string]: Schema.Json }
  /** Tests of which the message does not say what they expect, so that nobody can write code to the tests. */
  readonly hidden?: ReadonlyArray<string>
}

/**
 * What became of one test.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tested {
  readonly name: string
  readonly outcome: "passed" | "wrong" | "threw" | "missing"
}

/**
 * Whether code is right, and if not, why. `Types`: it does not type-check. `Wrong`: a test gives something else, or throws. `Load`: the
 * code throws before any test. `Timeout`, `Memory`, `Output`: it uses more than it may. `Exited`: it ends before its tests do.
 * `Tampered`: it wrote into the harness's messages.
 *
 * @category models
 * @since 0.1.0
 */
export interface Verdict {
  readonly reason:
    | "Passed"
    | "NoCode"
    | "Types"
    | "Load"
    | "Wrong"
    | "Timeout"
    | "Memory"
    | "Output"
    | "Exited"
    | "Tampered"
  /** For a person, and for the model that repairs it. It may quote the code: never run it. */
  readonly message: string
  readonly tests: ReadonlyArray<Tested>
  /** The share of the tests that passed, from 0 to 1. */
  readonly share: number
}

// ---------------------------------------------------------------------------------------------------------------
// The harness
// ---------------------------------------------------------------------------------------------------------------

/**
 * Runs in the sandbox. It keeps what it needs before the code is loaded, and asks nothing of a prototype that the code could change
 * when it decides what may be imported.
 */
const harness = (names: ReadonlyArray<string>): string => `import { readFileSync, writeSync } from "node:fs"
import { registerHooks, stripTypeScriptTypes } from "node:module"
const { stringify } = JSON
const own = process
const { exit } = own
const leave = () => exit.call(own, 0)
const say = (message) => writeSync(3, stringify(message) + "\\n")
const words = (error) => {
  try {
    return typeof error === "object" && error !== null ? \`\${error.name}: \${error.message}\` : \`\${error}\`
  } catch {
    return "something that has no message"
  }
}
const language = new Set(${JSON.stringify(
  [
    "Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise RegExp Error AggregateError",
    "EvalError RangeError ReferenceError SyntaxError TypeError URIError globalThis JSON Math Intl ArrayBuffer Uint8Array Int8Array",
    "Uint16Array Int16Array Uint32Array Int32Array Float16Array Float32Array Float64Array Uint8ClampedArray BigUint64Array BigInt64Array",
    "DataView Map BigInt Set Iterator WeakMap WeakSet WeakRef Proxy Reflect FinalizationRegistry decodeURI decodeURIComponent encodeURI",
    "encodeURIComponent escape unescape eval isFinite isNaN SuppressedError DisposableStack AsyncDisposableStack"
  ].join(" ")
)}.split(" "))
let solution, tests
try {
  solution = stripTypeScriptTypes(readFileSync("solution.ts", "utf8"))
  tests = stripTypeScriptTypes(readFileSync("tests.ts", "utf8"))
} catch (error) {
  say({ failed: words(error) })
  leave()
}
registerHooks({
  resolve: (name) => {
    if (name === "./solution.ts") return { url: "code:solution", format: "module", shortCircuit: true }
    if (name === "./tests.ts") return { url: "code:tests", format: "module", shortCircuit: true }
    throw new Error(\`"\${name}" may not be imported: the code has the language and nothing else\`)
  },
  load: (url) => ({ format: "module", source: url === "code:tests" ? tests : solution, shortCircuit: true })
})
for (const name of Reflect.ownKeys(globalThis)) if (typeof name === "string" && !language.has(name)) delete globalThis[name]
let suite
try {
  suite = await import("./tests.ts")
} catch (error) {
  say({ failed: words(error) })
  leave()
}
const names = ${JSON.stringify(names)}
for (let at = 0; at < names.length; at++) {
  const name = names[at]
  try {
    say({ test: name, value: await suite[name]() })
  } catch (error) {
    say({ test: name, threw: words(error) })
  }
}
say({ done: true })
leave()
`

const Message = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ failed: Schema.String }),
    Schema.Struct({ done: Schema.Literal(true) }),
    Schema.Struct({ test: Schema.String, threw: Schema.String }),
    Schema.Struct({ test: Schema.String, value: Schema.optionalKey(Schema.Json) })
  ])
)
const decode = Schema.decodeUnknownResult(Message, { onExcessProperty: "error" })

/** What the code says may be long, and of several lines. */
const brief = (text: string): string => {
  const line = text.replaceAll(/\s+/g, " ").trim()
  return line.length > 240 ? `${line.slice(0, 240)}…` : line
}

const short = (value: Schema.Json | undefined): string =>
  brief(value === undefined ? "undefined" : JSON.stringify(value))

// ---------------------------------------------------------------------------------------------------------------
// Verdicts
// ---------------------------------------------------------------------------------------------------------------

const endings: { readonly [ended in Exclude<Ran["ended"], "Exited" | "Crashed">]: string } = {
  Timeout: "it does not come to an end in the time that it has",
  Output: "it writes more than it may",
  Memory: "it runs out of memory"
}

const failed = (exercise: Exercise, reason: Verdict["reason"], message: string): Verdict => ({
  reason,
  message,
  tests: Object.keys(exercise.expected).map((name) => ({ name, outcome: "missing" })),
  share: 0
})

/**
 * What a run of the harness comes to. Whatever the harness does not write makes the whole worthless.
 *
 * @internal
 */
export const verdictOf = (exercise: Exercise, ran: Ran): Verdict => {
  const names = Object.keys(exercise.expected)
  const outcomes = new Map<string, { readonly outcome: Tested["outcome"]; readonly message?: string }>()
  const tampered = () => failed(exercise, "Tampered", "it wrote into the messages of the test harness")
  const lines = ran.results.split("\n")
  // The last line is cut where the program was killed.
  const rest = lines.pop()
  if (rest !== "" && ran.ended === "Exited") return tampered()
  let done = false
  for (const line of lines) {
    const message = Result.getOrUndefined(decode(line))
    if (message === undefined || done) return tampered()
    if ("failed" in message) {
      return lines.length > 1 ? tampered() : failed(exercise, "Load", `it cannot be loaded: ${brief(message.failed)}`)
    }
    if ("done" in message) {
      done = true
      continue
    }
    const { test } = message
    if (!Object.hasOwn(exercise.expected, test) || outcomes.has(test)) return tampered()
    const secret = exercise.hidden?.includes(test) === true
    if ("threw" in message) {
      const said = secret ? `${test}: a hidden test throws` : `${test}: throws ${brief(message.threw)}`
      outcomes.set(test, { outcome: "threw", message: said })
      continue
    }
    const expected = exercise.expected[test]!
    if (isDeepStrictEqual(message.value, expected)) outcomes.set(test, { outcome: "passed" })
    else {
      const said = secret
        ? `${test}: a hidden test fails`
        : `${test}: gave ${short(message.value)}, expected ${short(expected)}`
      outcomes.set(test, { outcome: "wrong", message: said })
    }
  }
  const tests = names.map((name): Tested => ({ name, outcome: outcomes.get(name)?.outcome ?? "missing" }))
  const share = tests.filter(({ outcome }) => outcome === "passed").length / Math.max(1, tests.length)
  const said = [...outcomes.values()].flatMap(({ message }) => message ?? [])
  const verdict = (reason: Verdict["reason"], ...messages: ReadonlyArray<string>): Verdict => ({
    reason,
    message: [...messages, ...said].slice(0, 8).join("\n"),
    tests,
    share
  })
  const next = tests.find(({ outcome }) => outcome === "missing")?.name
  const where = next === undefined ? "" : ` (in ${next})`
  if (ran.ended === "Crashed") return verdict("Exited", `it ends the process${where}`)
  if (ran.ended !== "Exited") return verdict(ran.ended, `${endings[ran.ended]}${where}`)
  if (!done) return verdict("Exited", `it ends before its tests do${where}: ${brief(ran.errors) || `code ${ran.code}`}`)
  if (next !== undefined) return failed(exercise, "Tampered", `the test ${next} was not run`)
  return share === 1 ? { reason: "Passed", message: "", tests, share } : verdict("Wrong")
}

// ---------------------------------------------------------------------------------------------------------------
// Type checking
// ---------------------------------------------------------------------------------------------------------------

const configuration = JSON.stringify({
  compilerOptions: {
    noEmit: true,
    strict: true,
    target: "es2024",
    lib: ["es2024"],
    // Neither Node's types nor a file of this machine: what the code names is not looked for.
    types: [],
    noResolve: true,
    module: "nodenext",
    moduleResolution: "nodenext",
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    skipLibCheck: true
  },
  files: ["solution.ts", "tests.ts"]
})

/** The native compiler of TypeScript 7 and later, or the one in JavaScript before it; beside this package, or in the user's project. */
const findCompiler = Effect.tryPromise({
  try: async () => {
    const [file] = [import.meta.url, join(process.cwd(), "package.json")].flatMap((from) => {
      try {
        return [createRequire(from).resolve("typescript/package.json")]
      } catch {
        return []
      }
    })
    const folder = dirname(realpathSync(file!))
    const locate = join(folder, "lib/getExePath.js")
    if (!existsSync(locate)) return { executable: process.execPath, args: [join(folder, "lib/tsc.js")] }
    const module: { readonly default: () => string } = await import(pathToFileURL(locate).href)
    return { executable: module.default(), args: [] }
  },
  catch: () =>
    new SandboxError({ reason: "Process", message: "there is no TypeScript compiler: install the package typescript" })
})

const suppressed = /@ts-(?:nocheck|ignore|expect-error)/

const diagnostics = (output: string): string => {
  const found = [...output.matchAll(/^(solution|tests)\.ts\((\d+),\d+\): error (TS\d+): (.*)$/gm)].map(
    ([, file, line, code, text]) =>
      file === "solution" ? `line ${line}: ${text} (${code})` : `as its tests use it: ${text} (${code})`
  )
  return found.slice(0, 6).map(brief).join("\n")
}

/**
 * Type-checks code and runs its tests. It fails only where nothing could be run, which says nothing of the code.
 *
 * @category accessors
 * @since 0.1.0
 */
export const check = Effect.fnUntraced(function* (exercise: Exercise, text: string) {
  const sandbox = yield* Sandbox
  const code = codeOf(text)
  if (code === "") return failed(exercise, "NoCode", "there is no code in the answer")
  if (suppressed.test(code)) return failed(exercise, "Types", "it switches type checking off: leave the comment out")
  const files = { "solution.ts": code, "tests.ts": exercise.tests, "package.json": '{"type":"module"}' }
  const { args, executable } = yield* findCompiler
  const checked = yield* sandbox.run({
    files: { ...files, "tsconfig.json": configuration },
    program: { executable, args: [...args, "-p", ".", "--pretty", "false"] }
  })
  if (checked.ended !== "Exited") {
    return failed(exercise, "Types", "it cannot be type-checked in the time and memory that there are")
  }
  if (checked.code !== 0) {
    return failed(exercise, "Types", diagnostics(checked.output) || `it does not type-check: ${brief(checked.output)}`)
  }
  return verdictOf(
    exercise,
    yield* sandbox.run({
      files: { ...files, "harness.mjs": harness(Object.keys(exercise.expected)) },
      program: { entry: "harness.mjs" }
    })
  )
})

/**
 * A rule for `layerRules`: the code in the answer type-checks and passes its tests. Where nothing could be run the judge abstains.
 *
 * @category rules
 * @since 0.1.0
 */
export const passesTests = (exercise: Exercise): Effect.Effect<Rule, never, Sandbox> =>
  Effect.map(Sandbox, (sandbox) =>
    required({
      name: "type-checks and passes its tests",
      check: (_, { text }) =>
        Effect.map(Effect.provideService(check(exercise, text), Sandbox, sandbox), ({ reason }) => reason === "Passed")
    })
  )

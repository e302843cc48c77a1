/**
 * `batch.pack`: several small prompts in one call. Models answer some prompts worse in company, so it packs only where the
 * user's own evaluation says that little is lost; otherwise every prompt is asked alone.
 *
 * @since 0.1.0
 */
import { Effect, Option, Schema } from "effect"
import { type ConfigurationError, invalid } from "./cache/configurationError.ts"
import { canonicalHash } from "./cache/key.ts"

/**
 * How many answers were right, of how many.
 *
 * @category models
 * @since 0.1.0
 */
export interface Score {
  readonly right: number
  readonly total: number
}

/**
 * How prompts are packed.
 *
 * @category models
 * @since 0.1.0
 */
export interface PackOptions<E, R> {
  /** Asks the model one prompt, as a pipeline's `run` does. */
  readonly ask: (prompt: string) => Effect.Effect<string, E, R>
  /** The most prompts in one call; 8. */
  readonly size?: number
  /** What the same model scored on the user's own cases, asked alone and packed. Without it nothing is packed. */
  readonly evaluation?: { readonly alone: Score; readonly packed: Score }
  /** The loss of accuracy that is accepted, at 95 % confidence; 0.02. */
  readonly maxLoss?: number
  /** How many calls run at once; 4. */
  readonly concurrency?: number
}

/**
 * Whether the evaluation allows packing: the upper 95 % bound on what accuracy packing loses is at most `maxLoss` (difference of
 * two proportions, with one right and one wrong answer added to each: Agresti and Caffo, 2000).
 *
 * @example
 * ```ts
 * import { isAllowed } from "@interlock/stages/batchPack"
 *
 * isAllowed({ alone: { right: 950, total: 1000 }, packed: { right: 955, total: 1000 } }, 0.02) // => true
 * isAllowed({ alone: { right: 95, total: 100 }, packed: { right: 95, total: 100 } }, 0.02) // => false
 * ```
 *
 * @category statistics
 * @since 0.1.0
 */
export const isAllowed = (evaluation: { readonly alone: Score; readonly packed: Score }, maxLoss: number): boolean => {
  const [alone, packed] = [evaluation.alone, evaluation.packed].map(({ right, total }) => {
    const share = (right + 1) / (total + 2)
    return { share, variance: (share * (1 - share)) / (total + 2) }
  })
  const loss = alone!.share - packed!.share
  return loss + 1.645 * Math.sqrt(alone!.variance + packed!.variance) <= maxLoss
}

/**
 * Makes a function that answers many prompts, in their order. Each packed prompt bears an id, and an answer counts only under
 * the id of exactly one prompt of its call; prompts whose answer is missing, doubled or malformed are asked again alone.
 *
 * @category constructors
 * @since 0.1.0
 */
export const pack = Effect.fnUntraced(function* <E, R>(
  options: PackOptions<E, R>
): Effect.fn.Return<
  (prompts: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, E, R>,
  ConfigurationError
> {
  const { ask, concurrency = 4, evaluation, maxLoss = 0.02, size = 8 } = options
  if (!(size >= 1)) return yield* invalid("batch.pack size", size, "it must be at least 1", "use 8")
  if (!(maxLoss >= 0 && maxLoss < 1)) {
    return yield* invalid("batch.pack maxLoss", maxLoss, "it must be at least 0 and below 1", "use 0.02")
  }
  const together = evaluation !== undefined && isAllowed(evaluation, maxLoss) ? Math.floor(size) : 1
  const askTogether = Effect.fnUntraced(function* (prompts: ReadonlyArray<string>) {
    if (prompts.length === 1) return [yield* ask(prompts[0]!)]
    const ids = prompts.map((prompt, position) =>
      canonicalHash([position, prompt])
        .replace(/[^a-z0-9]/giu, "")
        .slice(0, 6)
    )
    const answers = readAnswers(yield* ask(write(prompts, ids)), new Set(ids))
    return yield* Effect.forEach(
      prompts,
      (prompt, position) => {
        const answer = answers.get(ids[position]!)
        return answer === undefined ? ask(prompt) : Effect.succeed(answer)
      },
      { concurrency }
    )
  })
  return (prompts) =>
    Effect.map(
      Effect.forEach(
        Array.from({ length: Math.ceil(prompts.length / together) }, (_, index) =>
          prompts.slice(index * together, (index + 1) * together)
        ),
        askTogether,
        { concurrency }
      ),
      (groups) => groups.flat()
    )
})

const write = (prompts: ReadonlyArray<string>, ids: ReadonlyArray<string>): string =>
  [
    "Below are separate tasks, one JSON object a line. Do each as if it were the only one.",
    'Reply with one JSON object a line and nothing else: {"id": the task\'s id, "answer": your answer as text}.',
    ...prompts.map((task, position) => JSON.stringify({ id: ids[position], task }))
  ].join("\n")

const decodeLine = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ id: Schema.String, answer: Schema.String }))
)

const readAnswers = (text: string, ids: ReadonlySet<string>): ReadonlyMap<string, string> => {
  const answers = new Map<string, string>()
  const doubled = new Set<string>()
  for (const line of text.split("\n")) {
    const decoded = Option.getOrUndefined(decodeLine(line.trim()))
    if (decoded === undefined || !ids.has(decoded.id)) continue
    if (answers.has(decoded.id)) doubled.add(decoded.id)
    answers.set(decoded.id, decoded.answer)
  }
  for (const id of doubled) answers.delete(id)
  return answers
}

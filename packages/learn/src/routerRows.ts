/**
 * Graded traffic: prompts, and for each the quality and cost of the answers that several models gave.
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"

/**
 * What one model did with a prompt. `answer` is needed where a cascade shall judge this model's answers.
 *
 * @category models
 * @since 0.1.0
 */
export const Outcome = Schema.Struct({
  quality: Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
  costUsd: Schema.Number.check(Schema.isGreaterThanOrEqualTo(0)),
  answer: Schema.optionalKey(Schema.String)
})

/**
 * A graded prompt.
 *
 * @category models
 * @since 0.1.0
 */
export const Row = Schema.Struct({
  id: Schema.String,
  prompt: Schema.String,
  outcomes: Schema.Record(Schema.String, Outcome)
})

/**
 * A graded prompt.
 *
 * @category models
 * @since 0.1.0
 */
export type Row = typeof Row.Type

/**
 * Rows in one shape: every row has an outcome of every model.
 *
 * @category models
 * @since 0.1.0
 */
export interface Graded {
  readonly rows: ReadonlyArray<Row>
  /** In alphabetical order. */
  readonly models: ReadonlyArray<string>
}

/**
 * Rows cannot be trained on, or not measured, or what was learned from them has nowhere to go.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidRows extends Schema.TaggedError<InvalidRows>()("InvalidRows", {
  reason: Schema.Literals(["Unreadable", "Unwritable", "Empty", "Malformed", "Unlabelled", "OneModel", "OneOutcome"]),
  message: Schema.String
}) {}

const fail = (reason: InvalidRows["reason"], message: string) => Effect.fail(new InvalidRows({ reason, message }))
const decodeRow = Schema.decodeUnknownEffect(Schema.fromJsonString(Row))

/**
 * Reads JSON lines `{id, prompt, outcomes: {model: {quality, costUsd, answer?}}}`. Each line that is wrong is named; nothing is
 * skipped silently.
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = Effect.fnUntraced(function* (text: string, file: string): Effect.fn.Return<Graded, InvalidRows> {
  const rows: Array<Row> = []
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const row = yield* Effect.catchTag(decodeRow(line), "SchemaError", (error) =>
      fail(
        "Malformed",
        `${file}, line ${index + 1} is not {id, prompt, outcomes: {model: {quality 0..1, costUsd, answer?}}}: ${String(error.message).split("\n")[0]}`
      )
    )
    rows.push(row)
  }
  const first = rows[0]
  if (first === undefined)
    return yield* fail("Empty", `${file} has no rows. Give graded prompts, one JSON object a line.`)
  const models = Object.keys(first.outcomes).sort()
  if (models.length < 2) {
    return yield* fail(
      "OneModel",
      `${file} grades ${models.length === 0 ? "no model" : `only ${models[0]}`}; routing needs the outcomes of at least two models.`
    )
  }
  for (const row of rows) {
    const absent = models.find((model) => !Object.hasOwn(row.outcomes, model))
    if (absent !== undefined || Object.keys(row.outcomes).length !== models.length) {
      return yield* fail(
        "Unlabelled",
        absent === undefined
          ? `${file}: row ${row.id} has other models than the first row (${models.join(", ")}). Grade every row with the same models.`
          : `${file}: row ${row.id} has no outcome of ${absent}. Grade it, or leave the row out.`
      )
    }
  }
  return { rows, models }
})

/**
 * The two models between which a router is measured: the best on average, and the cheapest of the others.
 *
 * @category accessors
 * @since 0.1.0
 */
export const pair = ({
  models,
  rows
}: Graded): Effect.Effect<{ readonly strong: string; readonly cheap: string }, InvalidRows> => {
  const mean = (model: string, field: "quality" | "costUsd") =>
    rows.reduce((sum, row) => sum + row.outcomes[model]![field], 0) / rows.length
  const strong = models.reduce((best, model) => (mean(model, "quality") > mean(best, "quality") ? model : best))
  const cheap = models
    .filter((model) => model !== strong)
    .reduce((best, model) => (mean(model, "costUsd") < mean(best, "costUsd") ? model : best))
  if (mean(strong, "costUsd") <= mean(cheap, "costUsd")) {
    return fail(
      "OneOutcome",
      `${strong} is on average the best on these rows, and costs no more than the others: there is nothing to route. Use ${strong} alone.`
    )
  }
  return mean(strong, "quality") > mean(cheap, "quality")
    ? Effect.succeed({ strong, cheap })
    : fail(
        "OneOutcome",
        `${strong} is on average no better than ${cheap} on these rows: there is nothing to route. Use the cheaper one, or grade with a finer scale.`
      )
}

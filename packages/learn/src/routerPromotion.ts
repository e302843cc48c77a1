/**
 * Whether a router earns its place: it is promoted when what it saves over a random mix of the same two models, at 95 % of the
 * strong model's score, is more than chance. Otherwise it says how many graded prompts it would take.
 *
 * @since 0.1.0
 */
import type { ArtefactError } from "@interlock/stages/artefact"
import type * as Predictor from "@interlock/stages/selectModel/predictor"
import { Effect, Schema } from "effect"
import * as Evaluation from "./routerEvaluation.ts"
import * as Rows from "./routerRows.ts"
import * as Training from "./routerTraining.ts"

/**
 * A router saves no more than a random mix would, as far as these rows can tell.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotSignificant extends Schema.TaggedError<NotSignificant>()("NotSignificant", {
  rows: Schema.Number,
  /** About how many graded prompts it would take: to prove the saving seen, or, where none is, to find one of 5 %. */
  needed: Schema.Number,
  message: Schema.String
}) {}

/**
 * A router that earned its place, with what was measured by cross-validation.
 *
 * @category models
 * @since 0.1.0
 */
export interface Promoted {
  readonly predictor: Predictor.Predictor
  readonly cheap: string
  readonly strong: string
  readonly routing: Evaluation.Evaluation
  /** Where the cheap model's answers are in the rows. */
  readonly cascade: Evaluation.Evaluation | undefined
}

const saved = (evaluation: Evaluation.Evaluation) => {
  const [low, high] = evaluation.intervals.savedOverRandom["95"]!
  return { low, high, mean: evaluation.costCut["95"] - evaluation.baselines.random.costCut["95"] }
}

/** A smaller saving, in parts of the strong model's cost, is not worth a router. */
const worthwhile = 0.05

/** So many rows as give four chances in five to find a saving, at 95 % confidence. */
const neededFor = (rows: number, { high, low }: ReturnType<typeof saved>, saving: number): number =>
  Math.max(Math.ceil((rows * ((2.8 * (high - low)) / 3.92 / saving) ** 2) / 50) * 50, rows + 50)

/**
 * Trains a router on graded traffic and promotes it, or says why not.
 *
 * @category training
 * @since 0.1.0
 */
export const promote = Effect.fnUntraced(function* (
  graded: Rows.Graded,
  options?: { readonly resamples?: number }
): Effect.fn.Return<Promoted, Rows.InvalidRows | NotSignificant | ArtefactError> {
  const { cheap, strong } = yield* Rows.pair(graded)
  const trained = yield* Training.train(graded)
  const cheapAt = graded.models.indexOf(cheap)
  const strongAt = graded.models.indexOf(strong)
  const measure = (heldOut: ReadonlyArray<ReadonlyArray<number>>, cascade: boolean) =>
    Evaluation.evaluate(
      [
        graded.rows.map((row, index) => ({
          group: row.prompt,
          length: row.prompt.length,
          score: heldOut[strongAt]![index]! - heldOut[cheapAt]![index]!,
          cheapQuality: row.outcomes[cheap]!.quality,
          strongQuality: row.outcomes[strong]!.quality,
          cheapCost: row.outcomes[cheap]!.costUsd,
          strongCost: row.outcomes[strong]!.costUsd
        }))
      ],
      { cascade, resamples: options?.resamples ?? 1000 }
    )
  const routing = measure(trained.heldOut, false)
  const given = trained.heldOutGiven.get(cheap)
  const cascade = given === undefined ? undefined : measure(given, true)
  const found = [routing, ...(cascade === undefined ? [] : [cascade])].map(saved)
  if (found.every(({ low }) => low <= 0)) {
    const seen = found.filter(({ mean }) => mean > 0)
    const needed = Math.min(
      ...(seen.length === 0
        ? found.map((each) => neededFor(graded.rows.length, each, worthwhile))
        : seen.map((each) => neededFor(graded.rows.length, each, each.mean)))
    )
    const interval = ({ high, low }: ReturnType<typeof saved>) =>
      `${(low * 100).toFixed(1)} % to ${(high * 100).toFixed(1)} %`
    return yield* new NotSignificant({
      rows: graded.rows.length,
      needed,
      message: `On ${graded.rows.length} prompts, the saving over a random mix of ${cheap} and ${strong} is not more than chance (${found.map(interval).join("; as a cascade ")}): the router is not promoted. ${
        seen.length === 0
          ? `No saving is in sight; to find one of ${worthwhile * 100} % would take about ${needed} graded prompts. Until then use one model, or a random mix.`
          : `To prove the saving seen would take about ${needed} graded prompts.`
      }`
    })
  }
  return {
    predictor: {
      ...trained.predictor,
      manifest: {
        ...trained.predictor.manifest,
        evaluation: { apgr: routing.apgr, low: routing.intervals.apgr[0], high: routing.intervals.apgr[1] }
      }
    },
    cheap,
    strong,
    routing,
    cascade
  }
})

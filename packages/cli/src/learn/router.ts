/**
 * `interlock learn router`: trains a router on graded traffic, and writes it only when it saves more than a random mix would.
 *
 * @since 0.1.0
 */
import type * as Evaluation from "@interlock/learn/routerEvaluation"
import * as Promotion from "@interlock/learn/routerPromotion"
import * as Rows from "@interlock/learn/routerRows"
import * as Predictor from "@interlock/stages/selectModel/predictor"
import { Effect, FileSystem } from "effect"
import { Command, Flag } from "effect/cli"
import { json, say } from "../answer.ts"
import { refuse } from "./refused.ts"

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`.padStart(8)

const line = (name: string, figures: Evaluation.Figures): string =>
  `${name.padEnd(20)}${figures.apgr.toFixed(3)}  ${[figures.costCut["90"], figures.costCut["95"], figures.costCut["99"]].map(percent).join("")}`

/**
 * `interlock learn router`.
 *
 * @category commands
 * @since 0.1.0
 */
export const router = Command.make(
  "router",
  {
    data: Flag.String("data").pipe(
      Flag.withDescription("JSON lines {id, prompt, outcomes: {model: {quality, costUsd, answer?}}}")
    ),
    out: Flag.String("out").pipe(
      Flag.withDescription("The file to write the router to"),
      Flag.withDefault("router.interlock")
    ),
    json
  },
  Effect.fnUntraced(function* ({ data, json, out }) {
    const files = yield* FileSystem.FileSystem
    const content = yield* files.readFileString(data).pipe(
      Effect.mapError(
        () =>
          new Rows.InvalidRows({
            reason: "Unreadable",
            message: `${data} cannot be read: name a file of graded prompts, one JSON object a line, with --data`
          })
      )
    )
    const graded = yield* Rows.parse(content, data)
    const promoted = yield* Promotion.promote(graded)
    const { cascade, cheap, routing, strong } = promoted
    const bytes = yield* Predictor.save(out, promoted.predictor).pipe(
      Effect.mapError(
        ({ reason }) =>
          new Rows.InvalidRows({
            reason: "Unwritable",
            message: `The router is good, but ${out} cannot be written (${reason._tag}): name a file in a folder of yours with --out.`
          })
      )
    )
    const interval = routing.intervals.savedOverRandom["95"]!
    yield* say(
      json,
      {
        file: out,
        bytes,
        rows: graded.rows.length,
        cheap,
        strong,
        routing,
        ...(cascade === undefined ? {} : { cascade })
      },
      [
        `From ${cheap} to ${strong}, ${graded.rows.length} graded prompts, cross-validated.`,
        `${"".padEnd(20)}APGR   cost saved at 90 %, 95 %, 99 % of the strong score`,
        line("this router", routing),
        ...(cascade === undefined ? [] : [line("as a cascade", cascade)]),
        line("random mix", routing.baselines.random),
        line("longest first", routing.baselines.length),
        line("oracle", routing.baselines.oracle),
        `Saved over the random mix at 95 %: ${percent(interval[0]).trim()} to ${percent(interval[1]).trim()} (95 % interval).`,
        ...(interval[0] > 0 ? [] : ["Not more than chance by the prompt alone: use it in a cascade."]),
        `Wrote ${out} (${(bytes / 1024).toFixed(0)} KiB).`
      ].join("\n")
    )
  }, refuse)
).pipe(Command.withDescription("Train a router on graded traffic"))

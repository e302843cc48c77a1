/** A judge that is learned of the members' own graded answers, and judges only questions that it was not trained on. */
import { train } from "@interlock/learn/judge"
import { Judge, layerLearned } from "@interlock/stages/judge"
import { Effect } from "effect"
import type { Row } from "./report.ts"

/**
 * Two judges, each trained on the answers to one half of the questions: a question gets the one of the other half. It fails where there is
 * too little to learn from.
 */
export const learnJudges = Effect.fnUntraced(function* (rows: ReadonlyArray<Row>) {
  const half = new Map(rows.map(({ id }, at) => [id, at % 2]))
  const judges = yield* Effect.forEach([0, 1], (own) =>
    train(
      rows
        .filter(({ id }) => half.get(id) !== own)
        .flatMap(({ members, question }) =>
          Object.values(members).map(({ grade, text }) => ({ question, answer: text ?? "", grade }))
        ),
      { name: "fusion" }
    ).pipe(
      Effect.flatMap(({ artefact }) => Effect.provide(Judge.use(Effect.succeed), layerLearned({ artefact }))),
      Effect.map((judge) => [own, judge] as const)
    )
  )
  const byHalf = new Map(judges)
  return (id: string): Judge["Service"] => byHalf.get(half.get(id) ?? 0)!
})

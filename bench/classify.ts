/**
 * Trains the local classifier on one file, predicts another, and says how well and how fast:
 * `pnpm bench classify -- --train A.jsonl --test B.jsonl [--oos C.jsonl] [--predictions OUT.jsonl]`.
 *
 * `--predictions` writes a line for each row of the test file, then for each of the file out of scope.
 *
 * The configuration is fixed, the threshold for `unknown` is chosen on the training rows, and training time is that of the
 * processor (one thread), the time of a prediction the mean over the texts of the
 * median of nine rounds. Without files it says which it would need.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Classifier from "@interlock/learn/classifier"
import * as LinearModel from "@interlock/stages/classify/linearModel"
import * as WordVectors from "@interlock/stages/wordVectors"
import { Effect, Result } from "effect"

const rowsOf = (file: string): ReadonlyArray<Classifier.Row> =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line))

export const run = async (argv: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      train: { type: "string" },
      test: { type: "string" },
      oos: { type: "string" },
      predictions: { type: "string" }
    }
  })
  const files = [values.train, values.test, ...(values.oos === undefined ? [] : [values.oos])]
  for (const file of files) {
    if (file === undefined) {
      console.error(
        "Usage: pnpm bench classify -- --train A.jsonl --test B.jsonl [--oos C.jsonl] [--predictions OUT.jsonl]"
      )
      process.exit(2)
    }
    if (!existsSync(file)) {
      console.error(`There is no file ${file}. The rows are {"text", "label"}, one JSON object a line.`)
      process.exit(2)
    }
  }
  const training = rowsOf(values.train!)
  const testing = rowsOf(values.test!)
  const strange = values.oos === undefined ? [] : rowsOf(values.oos)

  const before = process.cpuUsage()
  const trained = await Effect.runPromise(Classifier.train(training, { name: "bench" }))
  const spent = process.cpuUsage(before)
  const trainSeconds = (spent.user + spent.system) / 1e6
  const model = Result.getOrThrow(LinearModel.decode(trained.artefact))
  const vectors = await Effect.runPromise(WordVectors.english)
  const predict = Result.getOrThrow(LinearModel.predictor(model, vectors))

  for (let index = 0; index < 3000; index++) predict(testing[index % testing.length]!.text)
  const times = testing.map(() => [] as number[])
  for (let round = 0; round < 9; round++) {
    for (const [index, row] of testing.entries()) {
      const start = process.hrtime.bigint()
      predict(row.text)
      times[index]!.push(Number(process.hrtime.bigint() - start) / 1000)
    }
  }
  const microsecondsPerPrediction =
    times.reduce((sum, each) => sum + each.sort((a, b) => a - b)[4]!, 0) / testing.length

  const predictions = testing.map((row) => predict(row.text))
  const isRight = predictions.map((prediction, index) => prediction.label === testing[index]!.label)
  const accuracy = isRight.filter(Boolean).length / testing.length
  const accepted = predictions.filter((prediction, index) => isRight[index] && !prediction.unknown).length
  const labels = [...new Set(testing.map((row) => row.label))]
  const macroF1 =
    labels.reduce((sum, label) => {
      let both = 0
      let said = 0
      let is = 0
      for (let index = 0; index < testing.length; index++) {
        const predicted = predictions[index]!.label === label
        const actual = testing[index]!.label === label
        if (predicted) said++
        if (actual) is++
        if (predicted && actual) both++
      }
      return sum + (both === 0 ? 0 : (2 * both) / (said + is))
    }, 0) / labels.length
  let expectedCalibrationError = 0
  for (let bin = 0; bin < 15; bin++) {
    const inBin = predictions.flatMap((prediction, index) =>
      Math.min(14, Math.floor(prediction.confidence * 15)) === bin
        ? [{ confidence: prediction.confidence, right: isRight[index] ? 1 : 0 }]
        : []
    )
    expectedCalibrationError +=
      Math.abs(inBin.reduce((sum, each) => sum + each.confidence - each.right, 0)) / testing.length
  }
  const refused = strange.map((row) => predict(row.text)).filter((prediction) => prediction.unknown).length
  const oosRecall = strange.length === 0 ? null : refused / strange.length
  if (values.predictions !== undefined) {
    const all = [...testing, ...strange].map((row) => predict(row.text))
    writeFileSync(
      values.predictions,
      all
        .map(
          ({ confidence, inScope, label, unknown }) => `${JSON.stringify({ label, confidence, inScope, unknown })}\n`
        )
        .join("")
    )
  }
  const result = {
    accuracy,
    macroF1,
    expectedCalibrationError,
    oosRecall,
    accuracyAtThreshold: accepted / testing.length,
    microsecondsPerPrediction,
    trainSeconds,
    artefactBytes: trained.artefact.length
  }
  console.log(`${training.length} rows trained, ${testing.length} predicted, ${strange.length} out of scope`)
  console.table({
    ...result,
    heldOutAccuracy: trained.heldOut.accuracy,
    heldOutUnknownRecall: trained.heldOut.unknownRecall
  })
  console.log(JSON.stringify(result))
}

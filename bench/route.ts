/**
 * `pnpm bench route -- --data FILE.jsonl [--train OTHER.jsonl] [--decisions OUT.jsonl] [--cascade] [--size N] [--resamples N]`
 *
 * How well a learned router sends prompts to a cheap or a strong model. Without `--train`: half and half by distinct prompt, both
 * directions, three seeds. With `--cascade`, the cheap model always answers and its answer is judged. `--size` trains on that
 * many prompts only (a learning curve); more than half of them leaves the rest to be measured on, three seeds, one direction.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Evaluation from "@interlock/learn/routerEvaluation"
import * as Rows from "@interlock/learn/routerRows"
import * as Training from "@interlock/learn/routerTraining"
import * as Predictor from "@interlock/stages/selectModel/predictor"
import { Effect } from "effect"

const usage = "Usage: pnpm bench route -- --data FILE.jsonl [--train OTHER.jsonl] [--decisions OUT.jsonl] [--cascade]"

const round = (value: number) => Math.round(value * 1e4) / 1e4
const rounded = (value: unknown): unknown =>
  typeof value === "number"
    ? round(value)
    : Array.isArray(value)
      ? value.map(rounded)
      : typeof value === "object" && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]))
        : value

export const run = (argv: ReadonlyArray<string>): Promise<void> =>
  bench(argv).catch((error: unknown) => {
    const misused = error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")
    if (!misused && !(error instanceof Rows.InvalidRows)) throw error
    console.error(misused ? `${error.message}\n${usage}` : error.message)
    process.exitCode = 2
  })

const bench = async (argv: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      data: { type: "string" },
      train: { type: "string" },
      decisions: { type: "string" },
      cascade: { type: "boolean" },
      size: { type: "string" },
      resamples: { type: "string" }
    }
  })
  if (values.data === undefined) {
    console.error(usage)
    process.exitCode = 2
    return
  }
  for (const file of [values.data, values.train]) {
    if (file === undefined || existsSync(file)) continue
    console.error(`Skipped: there is no file ${file}. Give graded prompts, one JSON object a line.`)
    process.exitCode = 2
    return
  }
  const cascade = values.cascade === true
  const size = values.size === undefined ? Number.POSITIVE_INFINITY : Number(values.size)
  if (!(size >= 1)) {
    console.error(`--size is a number of training prompts, not ${values.size}.\n${usage}`)
    process.exitCode = 2
    return
  }
  const read = (file: string) => Effect.runPromise(Rows.parse(readFileSync(file, "utf8"), file))
  const data = await read(values.data)
  const other = values.train === undefined ? undefined : await read(values.train)
  const { cheap, strong } = await Effect.runPromise(Rows.pair(other ?? data))
  const absent = [cheap, strong].find((model) => !data.models.includes(model))
  if (absent !== undefined) {
    throw new Rows.InvalidRows({
      reason: "Unlabelled",
      message: `${values.data} has no outcomes of ${absent}, which ${values.train} trains on. Give files that grade the same models.`
    })
  }

  const splits: Array<{ readonly train: ReadonlyArray<Rows.Row>; readonly test: ReadonlyArray<Rows.Row> }> = []
  if (other !== undefined) splits.push({ train: other.rows, test: data.rows })
  else {
    const prompts = [...new Set(data.rows.map((row) => row.prompt))]
    const half = Math.floor(prompts.length / 2)
    const larger = Number.isFinite(size) && size > half
    for (let seed = 1; seed <= 3; seed++) {
      const first = new Set(Training.shuffle([...prompts], Training.random(seed)).slice(0, larger ? size : half))
      const a = data.rows.filter((row) => first.has(row.prompt))
      const b = data.rows.filter((row) => !first.has(row.prompt))
      splits.push({ train: a, test: b })
      if (!larger) splits.push({ train: b, test: a })
    }
  }

  let trainSeconds = 0
  // Processor time: what else runs on the machine does not count.
  let spent = 0
  let decisions = 0
  const given = new Map<string, Array<number>>()
  const sets: Array<ReadonlyArray<Evaluation.Measured>> = []
  for (const [index, split] of splits.entries()) {
    const rows = Number.isFinite(size)
      ? Training.shuffle([...split.train], Training.random(100 + index)).slice(0, size)
      : split.train
    const before = performance.now()
    const { predictor } = await Effect.runPromise(
      Training.train({ rows, models: (other ?? data).models }, { judges: cascade ? [cheap] : [] })
    )
    trainSeconds += (performance.now() - before) / 1000
    if (cascade && predictor.judges[cheap] === undefined) {
      throw new Rows.InvalidRows({
        reason: "Unlabelled",
        message: `--cascade needs the answer of ${cheap} in every training row.`
      })
    }
    const strongAt = predictor.manifest.models.indexOf(strong)
    const cheapAt = predictor.manifest.models.indexOf(cheap)
    const decide = (row: Rows.Row): number => {
      const expected = cascade
        ? Predictor.qualitiesGiven(predictor, row.prompt, cheap, row.outcomes[cheap]!.answer ?? "")
        : Predictor.qualities(predictor, row.prompt)
      return expected[strongAt]! - expected[cheapAt]!
    }
    // Until the machine code is the one that a running service has.
    for (let index = 0; index < 2000; index++) decide(split.test[index % split.test.length]!)
    const start = process.cpuUsage()
    const scores = split.test.map(decide)
    const used = process.cpuUsage(start)
    spent += used.user + used.system
    decisions += split.test.length
    for (const [at, row] of split.test.entries()) {
      const all = given.get(row.id) ?? []
      all.push(scores[at]!)
      given.set(row.id, all)
    }
    sets.push(
      split.test.map((row, at) => ({
        group: row.prompt,
        score: scores[at]!,
        length: row.prompt.length,
        cheapQuality: row.outcomes[cheap]!.quality,
        strongQuality: row.outcomes[strong]!.quality,
        cheapCost: row.outcomes[cheap]!.costUsd,
        strongCost: row.outcomes[strong]!.costUsd
      }))
    )
  }
  if (values.decisions !== undefined) {
    writeFileSync(
      values.decisions,
      data.rows
        .map((row) => {
          const all = given.get(row.id)!
          return `${JSON.stringify({ id: row.id, score: all.reduce((sum, score) => sum + score, 0) / all.length })}\n`
        })
        .join("")
    )
  }
  const result = Evaluation.evaluate(sets, {
    cascade,
    ...(values.resamples === undefined ? {} : { resamples: Number(values.resamples) })
  })
  const microseconds = spent / decisions

  const percent = (value: number) => `${(value * 100).toFixed(1)} %`.padStart(8)
  const line = (name: string, figures: Evaluation.Figures) =>
    `${name.padEnd(22)}${figures.apgr.toFixed(3).padStart(6)} ${Object.values(figures.cpt).map(percent).join("")} ${Object.values(
      figures.costCut
    )
      .map(percent)
      .join("")}`
  console.log(
    `${cascade ? "Cascade" : "Routing"} from ${cheap} to ${strong}, ${data.rows.length} prompts, ${splits.length} fits`
  )
  console.log(
    `${"".padEnd(22)}  APGR ${["CPT 50", "80", "90", "95"].map((s) => s.padStart(8)).join("")} ${["cut 90", "95", "99"].map((s) => s.padStart(8)).join("")}`
  )
  console.log(line(cascade ? "learned cascade" : "learned router", result))
  console.log(line("random mix", result.baselines.random))
  console.log(line("longest first", result.baselines.length))
  console.log(line("oracle", result.baselines.oracle))
  const [low, high] = result.intervals.apgr
  console.log(
    `APGR ${result.apgr.toFixed(3)}, 95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}; saved over the random mix at 95 % of the strong score: ${percent(result.intervals.savedOverRandom["95"]![0]).trim()} to ${percent(result.intervals.savedOverRandom["95"]![1]).trim()}`
  )
  console.log(
    `${microseconds.toFixed(1)} µs of processor time per decision, ${(trainSeconds / splits.length).toFixed(1)} s per fit`
  )
  console.log(
    JSON.stringify(
      rounded({
        apgr: result.apgr,
        cpt: result.cpt,
        costCut: result.costCut,
        baselines: {
          random: result.baselines.random.apgr,
          length: result.baselines.length.apgr,
          oracle: result.baselines.oracle.apgr
        },
        intervals: result.intervals,
        baselineCpt: {
          random: result.baselines.random.cpt,
          length: result.baselines.length.cpt,
          oracle: result.baselines.oracle.cpt
        },
        baselineCostCut: {
          random: result.baselines.random.costCut,
          length: result.baselines.length.costCut,
          oracle: result.baselines.oracle.costCut
        },
        microsecondsPerDecision: microseconds,
        trainSeconds: trainSeconds / splits.length,
        prompts: data.rows.length
      })
    )
  )
}

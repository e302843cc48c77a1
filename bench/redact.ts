/**
 * Precision, recall and speed of the rule-based detector.
 *
 * `pnpm bench redact -- --data FILE.jsonl [--data …] [--spans OUT.jsonl]`: rows are `{id, text, spans: [{start, end, type}]}` with
 * UTF-16 offsets. A row with an `entity` is a test of that recogniser alone: the detector is asked for that type only, with no
 * threshold. A gold span is found when a prediction, touching ones merged, overlaps it by IoU ≥ 0.75.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { parseArgs } from "node:util"
import { rules, type Span } from "@interlock/stages/redact/detector"
import { Effect } from "effect"

interface Gold {
  readonly start: number
  readonly end: number
  readonly type: string | null
}
interface Row {
  readonly id: string
  readonly text: string
  readonly spans: ReadonlyArray<Gold>
  readonly entity?: string | null
}

/** Names that data sets use for what the detector calls otherwise. */
const sameAs: { readonly [type: string]: string } = {
  GPE: "LOCATION",
  COUNTRY: "LOCATION",
  FACILITY: "LOCATION",
  DATE_OF_BIRTH: "DATE_TIME",
  ZIP_CODE: "STREET_ADDRESS",
  URL_CREDENTIALS: "URL"
}
const canonical = (type: string): string => sameAs[type] ?? type

const detect = (row: Row): ReadonlyArray<Span> =>
  Effect.runSync(
    rules.detect(row.text, row.entity ? { types: [row.entity], minimumConfidence: 0.01 } : { minimumConfidence: 0.5 })
  )

const mergeTouching = (spans: ReadonlyArray<Span>): ReadonlyArray<{ start: number; end: number }> => {
  const out: Array<{ start: number; end: number }> = []
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    const last = out.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else out.push({ start, end })
  }
  return out
}

const overlap = (a: { start: number; end: number }, b: { start: number; end: number }): number =>
  Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start))
const iou = (a: { start: number; end: number }, b: { start: number; end: number }): number => {
  const shared = overlap(a, b)
  return shared / (a.end - a.start + (b.end - b.start) - shared)
}

class Score {
  truePositives = 0
  falsePositives = 0
  falseNegatives = 0
  readonly json = () => {
    const precision = ratio(this.truePositives, this.truePositives + this.falsePositives)
    const recall = ratio(this.truePositives, this.truePositives + this.falseNegatives)
    return {
      precision: round(precision),
      recall: round(recall),
      f2: round(precision + recall === 0 ? 0 : (5 * precision * recall) / (4 * precision + recall)),
      count: this.truePositives + this.falseNegatives
    }
  }
}
const ratio = (a: number, b: number): number => (b === 0 ? 1 : a / b)
const round = (value: number): number => Math.round(value * 1000) / 1000

/** Source code that is there wherever the project is installed: Effect's own. */
const sourceCode = (): string => {
  const folder = join(dirname(createRequire(import.meta.url).resolve("effect/package.json")), "src")
  return readdirSync(folder)
    .filter((file) => file.endsWith(".ts"))
    .sort()
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("\n")
    .slice(0, 4_000_000)
}

export const run = async (argv: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...argv],
    options: { data: { type: "string", multiple: true }, spans: { type: "string" }, misses: { type: "string" } }
  })
  const files =
    values.data ??
    ["synth-en", "social-en", "synth-zh", "national-ids"].map((name) => `../shared/data/redact/${name}.jsonl`)
  const rows: Array<Row> = []
  for (const file of files) {
    if (!existsSync(file)) {
      if (values.data !== undefined) {
        console.error(`${file} is not there: give files with {id, text, spans} a line`)
        process.exitCode = 2
        return
      }
      console.log(`skipped: ${file} is not there`)
      continue
    }
    for (const line of readFileSync(file, "utf8").split("\n")) if (line.trim() !== "") rows.push(JSON.parse(line))
  }
  if (rows.length === 0) {
    console.log(JSON.stringify({ skipped: "there are no rows: give --data FILE.jsonl" }))
    return
  }

  const binary = new Score()
  const byType = new Map<string, Score>()
  const scoreOf = (type: string) => {
    const score = byType.get(type) ?? new Score()
    byType.set(type, score)
    return score
  }
  let visible = 0
  let gold = 0
  const output: Array<string> = []
  for (const row of rows) {
    const predicted = detect(row)
    output.push(
      JSON.stringify({
        id: row.id,
        spans: predicted.map(({ start, end, type }) => ({ start, end, type: type === "COUNTRY" ? "LOCATION" : type }))
      })
    )
    const merged = [...mergeTouching(predicted), ...predicted]
    const aliases = new Set(row.spans.map((span) => span.type))
    for (const span of row.spans) {
      gold++
      const type = span.type ?? "NONE"
      const hit = merged.some((each) => iou(each, span) >= 0.75)
      const typed = predicted.some(
        (each) => iou(each, span) >= 0.75 && (type === "NONE" || canonical(each.type) === canonical(type))
      )
      if (hit) binary.truePositives++
      else binary.falseNegatives++
      if (typed) scoreOf(type).truePositives++
      else scoreOf(type).falseNegatives++
      let clear = 0
      for (let i = span.start; i < span.end; i++) {
        if (!/\s/.test(row.text[i] as string) && !predicted.some((each) => each.start <= i && i < each.end)) clear++
      }
      if (clear > 0) visible++
      if (values.misses !== undefined && !typed && (values.misses === "all" || values.misses === type)) {
        console.log(
          `- ${type} ${JSON.stringify(row.text.slice(span.start, span.end))} in ${row.id} ${JSON.stringify(row.text.slice(Math.max(0, span.start - 40), span.end + 30))}`
        )
      }
    }
    for (const each of predicted) {
      const right = row.spans.find((span) => overlap(each, span) > 0)
      if (right === undefined) binary.falsePositives++
      const type =
        [...aliases].find((alias) => alias !== null && canonical(alias) === canonical(each.type)) ?? each.type
      if (
        !row.spans.some(
          (span) => overlap(each, span) > 0 && (span.type === null || canonical(span.type) === canonical(each.type))
        )
      ) {
        scoreOf(type).falsePositives++
        if (
          values.misses !== undefined &&
          (values.misses === "all" || canonical(values.misses) === canonical(each.type))
        ) {
          console.log(
            `+ ${each.type} ${each.confidence} ${JSON.stringify(row.text.slice(each.start, each.end))} in ${row.id} ${JSON.stringify(row.text.slice(Math.max(0, each.start - 40), each.end + 30))}`
          )
        }
      }
    }
  }
  if (values.spans !== undefined) writeFileSync(values.spans, `${output.join("\n")}\n`)

  const code = sourceCode()
  const alarms: Array<Span> = []
  for (let at = 0; at < code.length; at += 8192) {
    const piece = code.slice(at, at + 8192)
    for (const span of Effect.runSync(rules.detect(piece))) {
      // An address of e-mail in a source file is one, false alarm or not: only the rest is counted.
      if (span.type === "EMAIL_ADDRESS") continue
      alarms.push(span)
      if (values.misses === "code")
        console.log(
          `+ ${span.type} ${span.confidence} ${JSON.stringify(piece.slice(Math.max(0, span.start - 30), span.end + 20))} ${JSON.stringify(piece.slice(span.start, span.end))}`
        )
    }
  }
  const falseAlarmsPerMbCode = round(alarms.length / (code.length / 1_000_000))

  const prose: Array<string> = []
  let buffer = ""
  for (const { text, entity } of rows) {
    if (entity !== undefined) continue
    buffer += `${text} `
    if (buffer.length >= 8192) {
      prose.push(buffer.slice(0, 8192))
      buffer = ""
    }
  }
  if (prose.length === 0) prose.push("The quick brown fox jumps over the lazy dog near the river bank. ".repeat(126))
  let bytes = 0
  for (const text of prose) Effect.runSync(rules.detect(text))
  const before = process.cpuUsage()
  while (bytes < 8_000_000) {
    for (const text of prose) {
      Effect.runSync(rules.detect(text))
      bytes += Buffer.byteLength(text)
    }
  }
  const { user, system } = process.cpuUsage(before)
  const mbPerCpuSecond = round(bytes / 1_000_000 / ((user + system) / 1_000_000))

  const types = Object.fromEntries(
    [...byType]
      .sort(([a], [b]) => a.localeCompare(b))
      .filter(([, score]) => score.truePositives + score.falseNegatives + score.falsePositives > 0)
      .map(([type, score]) => [type, score.json()])
  )
  console.table(types)
  const result = {
    binary: binary.json(),
    byType: types,
    partlyVisible: round(gold === 0 ? 0 : visible / gold),
    falseAlarmsPerMbCode,
    mbPerCpuSecond
  }
  console.table([{ ...result.binary, partlyVisible: result.partlyVisible, falseAlarmsPerMbCode, mbPerCpuSecond }])
  console.log(JSON.stringify(result))
}

/**
 * Precision, recall and speed of the rule-based detector.
 *
 * `pnpm bench redact -- --data FILE.jsonl [--data …] [--spans OUT.jsonl] [--misses TYPE|all|code]`: rows are
 * `{id, text, spans: [{start, end, type}]}` with UTF-16 offsets.
 *
 * What is predicted is what the whole detector says at its default threshold, all types, and `--spans` writes just that. The one
 * exception: a row with an `entity` is a test of one recogniser, which is asked alone and without a threshold, as the suites such
 * rows come from do; what the whole detector says of these rows is printed beside it and is `wholeDetector` in the last line.
 *
 * A gold span is found when a prediction, or touching ones merged, overlaps it by IoU ≥ 0.75; it is found by type when such a
 * prediction has its type too. Countries, towns and regions are told apart by the detector and not by most data: they are written
 * by the name that the file's own labels have for places (`GPE` or `LOCATION`).
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, dirname, join } from "node:path"
import { parseArgs } from "node:util"
import { rules, type Span } from "@interlock/stages/redact/detector"
import { Effect } from "effect"

interface Gold {
  readonly start: number
  readonly end: number
  readonly type: string | null
}
interface Bounds {
  readonly start: number
  readonly end: number
}
interface Row {
  readonly file: string
  readonly id: string
  readonly text: string
  readonly spans: ReadonlyArray<Gold>
  readonly entity?: string | null
}

/** What data sets call what the detector calls otherwise: its own name comes last. */
const sameAs: ReadonlyArray<ReadonlyArray<string>> = [
  ["GPE", "FACILITY", "COUNTRY", "LOCATION"],
  ["ZIP_CODE", "STREET_ADDRESS"],
  ["DATE_TIME", "DATE_OF_BIRTH"],
  ["URL", "URL_CREDENTIALS"]
]
const canonical = (type: string): string => sameAs.find((names) => names.includes(type))?.at(-1) ?? type

/** A predicted type in the words of a file's labels: the label that means the same, the type itself where there is none. */
const inWordsOf = (labels: ReadonlySet<string>): ((type: string) => string) => {
  const names = new Map<string, string>()
  for (const each of sameAs) {
    const known = each.filter((name) => labels.has(name))
    const main = known.find((name) => name !== "ZIP_CODE" && name !== "FACILITY") ?? known[0]
    for (const name of each) names.set(name, labels.has(name) ? name : (main ?? canonical(name)))
  }
  return (type) => names.get(type) ?? type
}

const whole = (row: Row): ReadonlyArray<Span> => Effect.runSync(rules.detect(row.text))
const alone = (row: Row, entity: string): ReadonlyArray<Span> =>
  Effect.runSync(rules.detect(row.text, { types: [entity], minimumConfidence: 0.01 }))

const mergeTouching = (spans: ReadonlyArray<Bounds>): ReadonlyArray<Bounds> => {
  const out: Array<{ start: number; end: number }> = []
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    const last = out.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else out.push({ start, end })
  }
  return out
}

const overlap = (a: Bounds, b: Bounds): number => Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start))
const iou = (a: Bounds, b: Bounds): number => {
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

type Predicted = Omit<Span, "type"> & { readonly type: string }

/** The scores of some rows: of all types as one, of each type, and how many gold spans have a character left in clear. */
class Scores {
  readonly binary = new Score()
  readonly byType = new Map<string, Score>()
  private visible = 0
  private gold = 0

  private readonly of = (type: string) => {
    const score = this.byType.get(type) ?? new Score()
    this.byType.set(type, score)
    return score
  }

  readonly add = (row: Row, predicted: ReadonlyArray<Predicted>, misses?: string) => {
    const groups = mergeTouching(predicted)
    const groupOf = (each: Predicted) =>
      groups.find((group) => group.start <= each.start && each.end <= group.end) as Bounds
    const matches = (a: Bounds, b: Bounds) => iou(a, b) >= 0.75
    for (const span of row.spans) {
      this.gold++
      const type = span.type ?? "NONE"
      const hits = predicted.filter((each) => matches(each, span) || matches(groupOf(each), span))
      const typed = hits.some((each) => type === "NONE" || canonical(each.type) === canonical(type))
      if (hits.length > 0) this.binary.truePositives++
      else this.binary.falseNegatives++
      if (typed) this.of(type).truePositives++
      else this.of(type).falseNegatives++
      let clear = false
      for (let i = span.start; i < span.end; i++) {
        clear ||= /\S/.test(row.text[i] as string) && !predicted.some((each) => each.start <= i && i < each.end)
      }
      if (clear) this.visible++
      const wanted = misses === "all" || misses === type || (misses === "clear" && clear)
      if (wanted && (!typed || clear)) console.log(`- ${type} ${quote(row, span)}`)
    }
    for (const each of predicted) {
      // A prediction is right where it, or the touching ones together, are a gold span, and where it is a piece of one.
      const right = (span: Gold) =>
        matches(each, span) || matches(groupOf(each), span) || (span.start <= each.start && each.end <= span.end)
      if (!row.spans.some(right)) this.binary.falsePositives++
      const typed = (span: Gold) => span.type === null || canonical(span.type) === canonical(each.type)
      if (row.spans.some((span) => right(span) && typed(span))) continue
      this.of(each.type).falsePositives++
      if (misses === "all" || (misses !== undefined && canonical(misses) === canonical(each.type)))
        console.log(`+ ${each.type} ${each.confidence} ${quote(row, each)}`)
    }
  }

  readonly types = () =>
    Object.fromEntries(
      [...this.byType].sort(([a], [b]) => a.localeCompare(b)).map(([type, score]) => [type, score.json()])
    )

  readonly partlyVisible = () => round(this.gold === 0 ? 0 : this.visible / this.gold)

  /** One line of the table of files. */
  readonly line = () => {
    const { precision, recall, f2 } = this.binary.json()
    const of = (type: string) => {
      const score = this.byType.get(type)
      return score === undefined || score.json().count === 0 ? "-" : score.json().f2
    }
    const places = of("GPE") === "-" ? of("LOCATION") : of("GPE")
    return {
      precision,
      recall,
      f2,
      "PERSON F2": of("PERSON"),
      "places F2": places,
      partlyVisible: this.partlyVisible()
    }
  }
}

const quote = (row: Row, { start, end }: Bounds): string =>
  `${JSON.stringify(row.text.slice(start, end))} in ${row.id} ${JSON.stringify(row.text.slice(Math.max(0, start - 40), end + 30))}`
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
    for (const line of readFileSync(file, "utf8").split("\n"))
      if (line.trim() !== "") rows.push({ ...JSON.parse(line), file })
  }
  if (rows.length === 0) {
    console.log(JSON.stringify({ skipped: "there are no rows: give --data FILE.jsonl" }))
    return
  }

  const total = new Scores()
  const onEntities = new Scores()
  const byFile: { [file: string]: object } = {}
  const output: Array<string> = []
  for (const [file, ofFile] of Map.groupBy(rows, (row) => row.file)) {
    const labels = new Set(ofFile.flatMap((row) => row.spans.map((span) => span.type ?? "NONE")))
    const nameOf = inWordsOf(labels)
    const scores = new Scores()
    for (const row of ofFile) {
      const named = (spans: ReadonlyArray<Span>) => spans.map((span) => ({ ...span, type: nameOf(span.type) }))
      const predicted = named(row.entity ? alone(row, row.entity) : whole(row))
      const spans = predicted.map(({ start, end, type }) => ({ start, end, type }))
      output.push(JSON.stringify({ id: row.id, spans }))
      scores.add(row, predicted, values.misses)
      total.add(row, predicted)
      if (row.entity) onEntities.add(row, named(whole(row)))
    }
    byFile[basename(file, ".jsonl")] = scores.line()
  }
  if (values.spans !== undefined) writeFileSync(values.spans, `${output.join("\n")}\n`)

  const code = sourceCode()
  const alarms = new Map<string, number>()
  for (let at = 0; at < code.length; at += 8192) {
    const piece = code.slice(at, at + 8192)
    for (const { start, end, type, confidence } of Effect.runSync(rules.detect(piece))) {
      const name = type === "EMAIL_ADDRESS" && address.test(piece.slice(start, end)) ? "addresses of e-mail" : type
      alarms.set(name, (alarms.get(name) ?? 0) + 1)
      if (values.misses === "code")
        console.log(
          `+ ${type} ${confidence} ${JSON.stringify(piece.slice(start, end))} ${JSON.stringify(piece.slice(Math.max(0, start - 30), end + 20))}`
        )
    }
  }
  const perMb = (count: number) => round(count / (code.length / 1_000_000))
  const addresses = alarms.get("addresses of e-mail") ?? 0
  const falseAlarmsPerMbCode = perMb([...alarms.values()].reduce((sum, count) => sum + count, 0) - addresses)

  const { growth, worst, worstCpuSecondsPerMb } = slowest()
  console.log(`\nThe slowest of ${adversaries.length} texts made to be slow repeats ${JSON.stringify(worst)}`)
  const mbPerCpuSecond = speed(rows.filter((row) => !row.entity).map((row) => row.text))

  console.log(
    "\nBy type, all files together; rows that name an entity are asked of that recogniser alone, without a threshold:"
  )
  console.table(total.types())
  console.log(
    "By file; what the whole detector finds at its default threshold (rows that name an entity: that recogniser alone):"
  )
  console.table(byFile)
  const wholeDetector = { ...onEntities.binary.json(), partlyVisible: onEntities.partlyVisible() }
  if (onEntities.binary.json().count > 0) {
    console.log("The rows that name an entity, asked of the whole detector at its default threshold instead:")
    console.table([wholeDetector])
  }
  console.log(
    `Alarms on ${round(code.length / 1_000_000)} MB of Effect's sources in pieces of 8 KB; what is an address of e-mail by the pattern of HTML is one and no false alarm:`
  )
  console.table(Object.fromEntries([...alarms].map(([type, count]) => [type, { count, perMb: perMb(count) }])))
  const result = {
    binary: total.binary.json(),
    byType: total.types(),
    partlyVisible: total.partlyVisible(),
    falseAlarmsPerMbCode,
    mbPerCpuSecond,
    worstCpuSecondsPerMb,
    growth,
    emailAddressesPerMbCode: perMb(addresses),
    ...(onEntities.binary.json().count > 0 ? { wholeDetector } : {})
  }
  console.table([{ ...result.binary, partlyVisible: result.partlyVisible, falseAlarmsPerMbCode, mbPerCpuSecond }])
  console.log(JSON.stringify(result))
}

/** What the HTML standard takes for an address of e-mail. */
const address =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$/

/** What makes expressions read a text again and again, if anything does. */
const adversaries = [
  ..."a1@%\\\"'=.:/-–中\u0301&",
  "1:",
  "'1",
  "1–",
  "1\u00a0",
  "1😀",
  "a\u200b",
  "%40",
  "%C3",
  "\\n",
  "&#64;",
  "=40b.c ",
  "a@b.",
  "a://b:c@",
  "postgres://a:b/c@",
  "Server=",
  "Server=Password=",
  "password",
  "password=1",
  "password for a ",
  '"password":"',
  "cookie: a=b;",
  "&key=a1B2",
  "curl -u a:",
  "$6$",
  "-----BEGIN A ",
  "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAA\n",
  "Private-Lines: 1\n",
  "a (at) ",
  "eyJaaaaaaaaaaaa.",
  "sk-ant-",
  "DE89 ",
  "4111 ",
  "4111.",
  "4-",
  "+49 151 2345678 ",
  "1/1/",
  "12 Main Street ",
  "省市区路号1",
  "张三",
  "Alice Johnson ",
  "Bank of ",
  "A and ",
  "my name is ",
  "Paris, "
]

/** Seconds of CPU time for a megabyte of the slowest of them, and the most that a text of twice the length takes longer. */
const slowest = () => {
  const seconds = (text: string) => {
    const before = process.cpuUsage()
    Effect.runSync(rules.detect(text))
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000_000
  }
  let worst = ""
  let worstCpuSecondsPerMb = 0
  let growth = 0
  for (const piece of adversaries) {
    const text = piece.repeat(Math.ceil(400_000 / piece.length)).slice(0, 400_000)
    const half = seconds(text.slice(0, 200_000))
    const whole = seconds(text)
    // What takes no time says nothing about its growth.
    if (half > 0.1) growth = Math.max(growth, whole / half)
    if (whole / 0.4 <= worstCpuSecondsPerMb) continue
    worst = piece
    worstCpuSecondsPerMb = whole / 0.4
  }
  return { worst, worstCpuSecondsPerMb: round(worstCpuSecondsPerMb), growth: round(growth) }
}

/** Megabytes of UTF-8 a second of CPU time, on pieces of 8 KB of the rows' own texts. */
const speed = (texts: ReadonlyArray<string>): number => {
  const pieces: Array<string> = []
  let buffer = ""
  for (const text of texts) {
    buffer += `${text} `
    if (buffer.length >= 8192) {
      pieces.push(buffer.slice(0, 8192))
      buffer = ""
    }
  }
  if (pieces.length === 0) pieces.push("The quick brown fox jumps over the lazy dog near the river bank. ".repeat(126))
  const pass = () => {
    let bytes = 0
    for (const piece of pieces) {
      Effect.runSync(rules.detect(piece))
      bytes += Buffer.byteLength(piece)
    }
    return bytes
  }
  pass()
  const before = process.cpuUsage()
  let bytes = 0
  while (bytes < 8_000_000) bytes += pass()
  const { user, system } = process.cpuUsage(before)
  return round(bytes / 1_000_000 / ((user + system) / 1_000_000))
}

/**
 * The distillation collector beside a model that answers at once: items a second from the file of prompts to the files of rows, with
 * every step on, and the memory it takes as the file grows.
 *
 *     pnpm bench collector                            # 1,000 and 200,000 items
 *     pnpm bench collector -- --items 1000,5000,20000 # a curve
 *     pnpm bench collector -- --node=                 # on V8's own terms: see below
 *     pnpm bench collector -- --survives process --detector none
 *
 * Each size runs in a process of its own, whose peak of resident memory is reported: all that the operating system gave it, the
 * runtime, the sources and the start included. V8 lets garbage lie where memory is free, so a process takes what V8 thinks the machine
 * can spare. `--node` is what Node is started with, the same for every size, and by default what `pnpm distillation-collector` is started
 * with: a young generation of 8 MB a half; an old one that is collected when it has grown by a tenth, and at once, since what is
 * marked beside the work lets garbage grow where other processes want the cores. None of them limits the heap.
 *
 * Wall time depends on who else uses the machine, so the CPU time is reported too. `--survives power`, the default, waits for the disk
 * at every commit. `--detector none` leaves out the search for personal values, to tell its share.
 */
import { spawnSync } from "node:child_process"
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { NodeServices } from "@effect/platform-node"
import { Collector, Ledger, Writer } from "@interlock/collector"
import { Pipeline, Reply, Stage } from "@interlock/core"
import { Caller, Chat, ChosenModel, Parameters, Part, Prompt, RawPrompt, SafePrompt } from "@interlock/model"
import { collect } from "@interlock/stages/collect"
import { layerRules, rule } from "@interlock/stages/judge"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Effect, Layer } from "effect"
import { round } from "./internal/measure.ts"

const words =
  "account adapter battery bridge cable carbon charge clock cover crystal device engine fabric filter frame garden handle harbour invoice journal kettle ladder lantern magnet mirror motor needle orchard paper pedal pillow quarry ribbon saddle sensor signal socket spring timber valve wheel window".split(
    " "
  )

/** Prompts that differ from each other; one in fifty is nearly an earlier one. */
const writePrompts = async (path: string, items: number): Promise<void> => {
  const file = createWriteStream(path)
  // Mulberry32 (public domain).
  let seed = 7
  const pick = (): string => {
    seed = (seed + 0x6d2b79f5) | 0
    let word = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return words[((word ^ (word >>> 14)) >>> 0) % words.length]!
  }
  let earlier = ""
  for (let index = 0; index < items; index++) {
    const text =
      index % 50 === 49
        ? `${earlier} Thank you.`
        : `What do I do when the ${pick()} of the ${pick()} ${index} touches the ${pick()}, and why does the ${pick()} next to the ${pick()} stop after ${index % 60} minutes of ${pick()}? The ${pick()} and the ${pick()} were replaced in May.`
    if (index % 50 === 0) earlier = text
    if (!file.write(`${JSON.stringify({ prompt: text })}\n`))
      await new Promise<void>((done) => file.once("drain", () => done()))
  }
  await new Promise<void>((done) => file.end(() => done()))
}

const settings = Stage.derive("settings", { needs: {}, adds: Parameters }, () => Effect.succeed({}))
const chosen = Stage.derive("chosen", { needs: {}, adds: ChosenModel }, () =>
  Effect.succeed({ provider: "offline", model: "offline-large" })
)
const usage: Part.Usage = { inputTokens: { total: 60 }, outputTokens: { total: 40 } }
const teacher = Pipeline.make("teacher", { input: [RawPrompt, Caller], protocol: Chat.protocol })
  .use(redact)
  .use(settings)
  .use(chosen)
  .use(collect)
  .to(
    Pipeline.handler("instant", { needs: { prompt: SafePrompt } }, ({ prompt }) => {
      const question = Prompt.lastUserText(prompt)
      return Effect.succeed(
        Reply.whole(
          Part.text(`You asked: ${question.slice(0, 80)}. Take it off, look at it by daylight, and put it back.`, usage)
        )
      )
    })
  )

/** The peak of this process's resident memory. Linux begins `maxRSS` with that of the process which started this one. */
const peakMb = (): number => {
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : ""
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]
  return (peak === undefined ? process.resourceUsage().maxRSS : Number(peak)) / 1024
}

interface Measured {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly rssMb: number
  readonly kept: number
  readonly steps: { readonly [step: string]: number }
}

const one = async (items: number, detector: string, survives: "power" | "process"): Promise<Measured> => {
  const folder = mkdtempSync(join(process.env["BENCH_FOLDER"] ?? tmpdir(), "bench-collector-"))
  try {
    const prompts = join(folder, "prompts.jsonl")
    await writePrompts(prompts, items)
    const services = Layer.mergeAll(
      Ledger.layer({ filename: join(folder, "ledger.db"), survives }),
      layerRules([rule("says something", ({ text }) => text.length > 20)]),
      Collector.StepRunner.layer,
      detector === "none"
        ? Layer.succeed(Detector, { name: "none", detect: () => Effect.succeed([]) })
        : Detector.layer,
      Vault.layerMemory,
      NodeServices.layer
    )
    const evaluation = join(folder, "evaluation.jsonl")
    await writePrompts(evaluation, 0)
    const steps: { [step: string]: number } = {}
    let [step, since] = ["", performance.now()]
    const cpu = process.cpuUsage()
    const began = performance.now()
    const report = await Effect.runPromise(
      Collector.run({
        prompts,
        teacher,
        concurrency: 128,
        output: {
          directory: join(folder, "dataset"),
          name: "bench",
          writers: [Writer.all["openai-chat"]!, Writer.all["trl-messages"]!]
        }
      }).pipe(
        Effect.provideService(Collector.OnProgress, (progress) => {
          if (progress.step === step) return
          const now = performance.now()
          if (step !== "") steps[step] = round((now - since) / 1000)
          step = progress.step
          since = now
        }),
        Effect.provide(services)
      )
    )
    steps[step] = round((performance.now() - since) / 1000)
    const seconds = (performance.now() - began) / 1000
    const used = process.cpuUsage(cpu)
    return {
      seconds,
      cpuSeconds: (used.user + used.system) / 1e6,
      rssMb: peakMb(),
      kept: report.counts.samples.kept,
      steps
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What the command of the example is started with, but for the file. */
const commandFlags = (): string => {
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8"))
  return (scripts["distillation-collector"] as string)
    .split(" ")
    .filter((word) => word.startsWith("--"))
    .join(" ")
}

export const run = async (argv: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      items: { type: "string", default: "1000,200000" },
      detector: { type: "string", default: "rules" },
      survives: { type: "string", default: "power" },
      node: { type: "string", default: commandFlags() },
      child: { type: "string" }
    }
  })
  const survives = values.survives === "process" ? "process" : "power"
  if (values.child !== undefined) {
    console.log(JSON.stringify(await one(Number(values.child), values.detector, survives)))
    return
  }
  const measured = (items: number): Measured => {
    const child = spawnSync(
      process.execPath,
      [
        ...values.node.split(" ").filter((flag) => flag !== ""),
        join(import.meta.dirname, "main.ts"),
        "collector",
        ...["--child", String(items), "--detector", values.detector, "--survives", survives]
      ],
      { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }
    )
    if (child.status !== 0) throw new Error(`The run of ${items} items failed with code ${child.status}`)
    return JSON.parse(child.stdout.trim().split("\n").at(-1)!)
  }
  const rows = values.items.split(",").map((size) => [Number(size), measured(Number(size))] as const)
  const [first, small] = rows[0]!
  const [last, large] = rows.at(-1)!
  console.log("items      items/s   items per CPU second   peak memory   kept")
  for (const [size, { cpuSeconds, kept, rssMb, seconds }] of rows) {
    console.log(
      `${String(size).padEnd(8)}${(size / seconds).toFixed(0).padStart(10)}${(size / cpuSeconds).toFixed(0).padStart(23)}${`${rssMb.toFixed(0)} MB`.padStart(14)}${String(kept).padStart(7)}`
    )
  }
  console.log(
    `\nPeak memory from ${first} to ${last} items: ${((large.rssMb / small.rssMb - 1) * 100).toFixed(1)} %. Seconds by step at ${last}: ${Object.entries(
      large.steps
    )
      .map(([step, seconds]) => `${step} ${seconds.toFixed(1)}`)
      .join(", ")}`
  )
  console.log(
    JSON.stringify({
      items: last,
      node: values.node,
      itemsPerSecond: round(last / large.seconds, 0),
      itemsPerCpuSecond: round(last / large.cpuSeconds, 0),
      ...Object.fromEntries(rows.map(([size, { rssMb }]) => [`rssMb${size}`, round(rssMb, 1)])),
      seconds: large.steps
    })
  )
}

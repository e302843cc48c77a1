/** A collector whose teacher is a server that counts: started, killed and started again by the test beside it. */
import { readdirSync } from "node:fs"
import { Agent, request } from "node:http"
import { flushCompileCache } from "node:module"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Collector from "@interlock/collector/Collector"
import * as Ledger from "@interlock/collector/Ledger"
import { openaiChat } from "@interlock/collector/writers/openai"
import * as Pipeline from "@interlock/core/Pipeline"
import * as Reply from "@interlock/core/Reply"
import * as Stage from "@interlock/core/Stage"
import { Caller, Chat, ChosenModel, Parameters, Part, RawPrompt, SafePrompt } from "@interlock/model"
import { collect, ExampleKey } from "@interlock/stages/collect"
import { layerRules, lengthBetween } from "@interlock/stages/judge"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Effect, Layer } from "effect"

const [ledger, prompts, directory, port, concurrency] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string
]
const agent = new Agent({ keepAlive: true })

const ask = (key: string) =>
  Effect.callback<string>((resume) => {
    const call = request({ agent, port: Number(port), path: `/?key=${encodeURIComponent(key)}` }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk) => {
        text += chunk
      })
      response.on("end", () => resume(Effect.succeed(text)))
    })
    call.end()
  })

const settings = Stage.derive("settings", { needs: {}, adds: Parameters }, () => Effect.succeed({}))
const chosen = Stage.derive("chosen", { needs: {}, adds: ChosenModel }, () =>
  Effect.succeed({ provider: "offline", model: "offline-large" })
)
const teacher = Pipeline.make("teacher", { input: [RawPrompt, Caller], protocol: Chat.protocol })
  .use(redact)
  .use(settings)
  .use(chosen)
  .use(collect)
  .to(
    Pipeline.handler("counting", { needs: { prompt: SafePrompt } }, () =>
      Effect.gen(function* () {
        return Reply.whole(Part.text(yield* ask((yield* ExampleKey) ?? "")))
      })
    )
  )

const services = Layer.mergeAll(
  // A kill is the death of a process: what it wrote need not have reached the disk to survive it.
  Ledger.layer({ filename: ledger, reserveBytes: 2 ** 16, survives: "process" }),
  layerRules([lengthBetween(1, 500)]),
  Collector.StepRunner.layer,
  Layer.succeed(Detector, { name: "none", detect: () => Effect.succeed([]) }),
  Vault.layerMemory,
  NodeServices.layer
)

const program = Collector.run({
  prompts,
  teacher,
  concurrency: Number(concurrency),
  resume: true,
  output: { directory, name: "killed", writers: [openaiChat] }
}).pipe(
  Effect.provideService(Collector.OnProgress, ({ step }) => void process.stdout.write(`${step}\n`)),
  Effect.provide(services)
)

// The test starts the next child while this one runs: it waits until it is told that the ledger is free.
process.stdin.once("data", () => {
  Effect.runPromise(program).then(
    ({ counts, spending }) => {
      process.stdout.write(`\n${JSON.stringify({ counts, spending })}\n`)
      process.exit(0)
    },
    (error) => {
      console.error(error)
      process.exit(1)
    }
  )
})
// The first one leaves the compiled program for the others, which are killed before they could.
if (readdirSync(process.env["NODE_COMPILE_CACHE"] ?? ".", { recursive: true }).length < 3) flushCompileCache()
process.stdout.write("ready\n")

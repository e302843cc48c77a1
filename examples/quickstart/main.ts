/** Runs 200 questions, or your own, through the desk: `npm start`, or `npm start -- --help`. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Pipeline } from "@interlock/core"
import { Caller, Catalogue, Prompt, RawPrompt } from "@interlock/model"
import { Anthropic, Google, Models, OfflineModel, OpenAi } from "@interlock/providers"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Workload } from "@interlock/workload"
import { Context, Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { Answers, desk } from "./pipeline.ts"

const here = import.meta.dirname

const models = Models.layerAvailable([
  OpenAi.provider(),
  Anthropic.provider(),
  Google.provider(),
  OfflineModel.fromFolder(`${here}/knowledge`)
])

const services = Layer.mergeAll(models, Answers.layer, Detector.layer, Vault.layerMemory, Catalogue.layer)

const quickstart = Workload.command("quickstart", {
  description: "Runs questions through a pipeline of five stages; without a key the offline model answers",
  prompts: `${here}/prompts.jsonl`,
  picture: Pipeline.toMermaid(desk),
  ask: (prompt, id) =>
    desk.run(
      RawPrompt.context(Prompt.make(prompt)).pipe(Context.add(Caller, { tenant: "quickstart", conversation: id }))
    )
})

Command.run(quickstart, { version: "0.1.0" }).pipe(
  Effect.provide(services.pipe(Layer.provideMerge(NodeServices.layer))),
  NodeRuntime.runMain
)

/** Runs 200 questions, or your own, through a pipeline of five stages: `pnpm quickstart`, or `pnpm quickstart --help`. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Pipeline, Stage } from "@interlock/core"
import { Caller, Catalogue, Chat, Parameters, Prompt, RawPrompt } from "@interlock/model"
import { Anthropic, callModel, Google, Models, OfflineModel, OpenAi } from "@interlock/providers"
import { cache } from "@interlock/stages/cache"
import { layerMemory as layerCacheMemory } from "@interlock/stages/cache/store"
import { checkRequest } from "@interlock/stages/checkRequest"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import * as Redaction from "@interlock/stages/redact/policy"
import { Vault } from "@interlock/stages/redact/vault"
import { layerFixed, selectModelUnclassified } from "@interlock/stages/selectModel"
import { Workload } from "@interlock/workload"
import { Context, Effect, Layer } from "effect"
import { Command } from "effect/cli"

const here = import.meta.dirname

const settings = Stage.derive("settings", { needs: {}, adds: Parameters }, () =>
  Effect.succeed({ maxOutputTokens: 1000 })
)

const desk = Pipeline.make("desk", { input: [RawPrompt, Caller], protocol: Chat.protocol })
  .use(settings)
  .use(selectModelUnclassified)
  .use(redact)
  .use(checkRequest)
  .use(cache)
  .to(callModel)

/** The first provider whose key is set answers; without a key, the offline model does, from the documents in `knowledge`. */
const offline = OfflineModel.fromFolder(`${here}/knowledge`)
const models = Models.layerAvailable([OpenAi.provider(), Anthropic.provider(), Google.provider(), offline])
// biome-ignore format: one line a reader can take in
const defaults: Record<string, string> = { openai: "gpt-5-mini", anthropic: "claude-haiku-4-5", google: "gemini-3.8-flash", offline: "offline-large" }
const selector = Layer.unwrap(
  Effect.map(Models.Models, ({ providers: [provider = "offline"] }) =>
    layerFixed({ provider, model: defaults[provider]! })
  )
)
// The answer depends on the country and the product, so those stay; a street address does not.
const strategies = { LOCATION: "keep", ORGANIZATION: "keep" } as const
const redaction = Layer.succeed(Redaction.Policy, Redaction.make({ strategies }))
const services = Layer.mergeAll(selector, Detector.layer, redaction, Vault.layerMemory, layerCacheMemory()).pipe(
  Layer.provideMerge([models, Catalogue.layer]),
  Layer.provideMerge(NodeServices.layer)
)

const quickstart = Workload.command("quickstart", {
  description: "Runs questions through a pipeline of five stages; without a key the offline model answers",
  prompts: `${here}/prompts.jsonl`,
  picture: Pipeline.toMermaid(desk),
  ask: (prompt, id) =>
    desk.run(Context.make(RawPrompt, Prompt.make(prompt)).pipe(Context.add(Caller, { tenant: "me", conversation: id })))
})

Command.run(quickstart, { version: "0.1.0" }).pipe(Effect.provide(services), NodeRuntime.runMain)

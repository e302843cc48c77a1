/** The pipeline of the desk, and the services that it runs on in each way that the study compares. */
import { Pipeline, Stage } from "@interlock/core"
import { train } from "@interlock/learn/classifier"
import {
  Caller,
  Catalogue,
  Chat,
  ParameterPolicy,
  Parameters,
  type Part,
  Prompt,
  RawPrompt,
  SafePrompt
} from "@interlock/model"
import { Anthropic, callModel, Google, Models, OfflineModel, OpenAi } from "@interlock/providers"
import { audit, auditText, layerFiles } from "@interlock/stages/audit"
import type * as Disk from "@interlock/stages/audit/disk"
import { layerMemory as layerKeysMemory, layerRootKey } from "@interlock/stages/audit/keys"
import { cache } from "@interlock/stages/cache"
import { layerPolicy } from "@interlock/stages/cache/policy"
import { layerMemory as layerCacheMemory } from "@interlock/stages/cache/store"
import { CheckPolicy, checkRequest } from "@interlock/stages/checkRequest"
import { classify, layerLinear } from "@interlock/stages/classify"
import { layerStoreMemory, limit, layer as limits } from "@interlock/stages/limit"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { layerFixed, layerRules, selectModel } from "@interlock/stages/selectModel"
import { Context, Effect, FileSystem, Layer, Redacted } from "effect"

const here = import.meta.dirname

// ---------------------------------------------------------------------------------------------------------------
// The pipeline
// ---------------------------------------------------------------------------------------------------------------

const settings = Stage.derive("settings", { needs: {}, adds: Parameters }, () =>
  Effect.succeed({ maxOutputTokens: 2000 })
)

/** What left the process, for the study: which ticket, and the text as the model was given it. */
export class Witness extends Context.Service<Witness, Array<{ readonly ticket: string; readonly text: string }>>()(
  "support-desk/Witness"
) {}

const witness = Stage.around<{ in: Part.Part; out: Part.Part }>()(
  "witness",
  { needs: { caller: Caller, prompt: SafePrompt } },
  ({ caller, prompt }, next) =>
    Effect.andThen(
      Witness.use((seen) =>
        Effect.sync(() => seen.push({ ticket: caller.conversation ?? "", text: Prompt.lastUserText(prompt) }))
      ),
      next()
    )
)

export const desk = Pipeline.make("support-desk", { input: [RawPrompt, Caller], protocol: Chat.protocol })
  .use(audit)
  .use(settings)
  .use(classify)
  .use(selectModel)
  .use(redact)
  .use(auditText)
  .use(checkRequest)
  .use(cache)
  .use(limit)
  .use(witness)
  .to(callModel)

// ---------------------------------------------------------------------------------------------------------------
// The models
// ---------------------------------------------------------------------------------------------------------------

/** The first provider whose key is set answers; without a key, the offline model does. */
export const models = Models.layerAvailable([
  OpenAi.provider(),
  Anthropic.provider(),
  Google.provider(),
  OfflineModel.fromFolder(`${here}/knowledge`)
])

const pairs: { readonly [provider: string]: { readonly cheap: string; readonly strong: string } } = {
  openai: { cheap: "gpt-5-nano", strong: "gpt-5" },
  anthropic: { cheap: "claude-haiku-4-5", strong: "claude-opus-4-5" },
  google: { cheap: "gemini-3.1-flash-lite", strong: "gemini-3.1-pro-preview" },
  offline: { cheap: "offline-small", strong: "offline-large" }
}

/** The cheap model and the strong one of the provider that answers. */
export const pair = Effect.map(Models.Models, ({ providers: [provider = "offline"] }) => ({
  provider,
  ...(pairs[provider] ?? pairs["offline"]!)
}))

/** A model that is not the offline one is given the documents; that one has them itself. */
export const instructions = Effect.fnUntraced(function* (provider: string) {
  if (provider === "offline") return undefined
  const files = yield* FileSystem.FileSystem
  const names = (yield* files.readDirectory(`${here}/knowledge`)).sort()
  const documents = yield* Effect.forEach(names, (name) => files.readFileString(`${here}/knowledge/${name}`))
  return `You answer customers of the Brisa coffee shop, in their language, from these documents and nothing else. Say "I cannot answer that" (我没有这个问题的答案) when they do not hold the answer.\n\n${documents.join("\n\n")}`
})

// ---------------------------------------------------------------------------------------------------------------
// The services
// ---------------------------------------------------------------------------------------------------------------

/** One way to run the desk. */
export interface Way {
  readonly name: string
  readonly models: "strong" | "cheap" | "routed"
  readonly cache: boolean
  readonly limits: boolean
}

export const desired: Way = { name: "the desk", models: "routed", cache: true, limits: true }

/** What a classification must reach, or the strong model is asked. */
const sureFrom = 0.5

const selector = (way: Way) =>
  Layer.unwrap(
    Effect.map(pair, ({ cheap, provider, strong }) =>
      way.models === "routed"
        ? layerRules({
            rules: [
              {
                when: ({ classification }) => classification?.label === "repair",
                model: { provider, model: strong },
                reason: "a repair takes several steps"
              },
              {
                when: ({ classification }) =>
                  classification?.label !== "unknown" && (classification?.confidence ?? 0) < sureFrom,
                model: { provider, model: strong },
                reason: "it is not clear what is asked"
              }
            ],
            otherwise: { provider, model: cheap },
            // The documents answer in a sentence or two; the default of 500 tokens would predict ten times the cost.
            expectedOutputTokens: 40
          })
        : layerFixed({ provider, model: way.models === "cheap" ? cheap : strong })
    )
  )

/** Six model calls an hour for a person; answers from the cache are free and do not count. */
const perPerson = { name: "person", counts: "requests", limit: 6, per: "1 hour", by: ["subject"] } as const
const atOnce = { name: "at-once", counts: "concurrent", limit: 1000 } as const

/** The services of one run, anew: an empty cache, empty limits, an empty audit log on `disk`. */
export const services = (way: Way, disk: Disk.Disk) =>
  Layer.mergeAll(
    selector(way),
    Detector.layer,
    Vault.layerMemory,
    // A model that gives shorter answers than that is asked for what it gives.
    Layer.succeed(CheckPolicy, ParameterPolicy.clamp),
    layerCacheMemory(),
    layerPolicy({ bypass: () => !way.cache }),
    limits({ limits: way.limits ? [atOnce, perPerson] : [atOnce] }).pipe(Layer.provide(layerStoreMemory)),
    layerFiles({ directory: "audit", disk }).pipe(
      Layer.provide(layerKeysMemory),
      Layer.provide(Layer.suspend(() => layerRootKey(Redacted.make(crypto.getRandomValues(new Uint8Array(32))))))
    ),
    Layer.sync(Witness, () => [])
  ).pipe(Layer.provideMerge(Catalogue.layer))

/** The classifier, trained on ways to ask that no ticket uses. */
export const classifier = Layer.unwrap(
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const text = yield* files.readFileString(`${here}/tickets/training.jsonl`)
    const rows = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly text: string; readonly label: string })
    const { artefact } = yield* train(rows, { name: "support-desk" })
    return layerLinear({ artefact })
  })
)

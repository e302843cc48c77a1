/**
 * The reference pipeline: every stage in the order in which a production service would have them, over memory layers. A
 * service swaps a layer by replacing one line of `services`.
 */
import { type Handler, Pipeline } from "@interlock/core"
import { Caller, Catalogue, Chat, type ModelError, Parameters, type Part, Prompt, RawPrompt } from "@interlock/model"
import { audit, layerMemory as auditMemory, auditText } from "@interlock/stages/audit"
import { budget, layer as budgets } from "@interlock/stages/budget"
import { cache } from "@interlock/stages/cache"
import { layerMemory as cacheMemory } from "@interlock/stages/cache/store"
import { checkRequest } from "@interlock/stages/checkRequest"
import { layer as classifier, classify } from "@interlock/stages/classify"
import { layerStoreMemory, limit, layer as limits } from "@interlock/stages/limit"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { layerBudget as retryBudget, retryWith } from "@interlock/stages/retry"
import { layerRules, selectModel } from "@interlock/stages/selectModel"
import { Context, Layer } from "effect"

export const stages = Pipeline.make("reference", { input: [RawPrompt, Caller, Parameters], protocol: Chat.protocol })
  .use(audit)
  .use(classify)
  .use(selectModel)
  .use(redact)
  .use(auditText)
  .use(checkRequest)
  .use(cache)
  .use(limit)
  .use(budget)
  .use(retryWith({ base: 0 }))

export const close = (model: Handler.Handler<never, Part.Part, ModelError.ModelError>) => stages.to(model)

const hard = new Set(["code", "maths"])

export const services = Layer.mergeAll(
  auditMemory,
  cacheMemory(),
  retryBudget(),
  classifier,
  Detector.layer,
  Vault.layerMemory,
  layerRules({
    rules: [
      {
        when: ({ classification }) => classification !== undefined && hard.has(classification.label),
        model: { provider: "offline", model: "offline-large" },
        reason: "code and maths go to the stronger model"
      }
    ],
    otherwise: { provider: "offline", model: "offline-small" }
  }),
  limits({ limits: [{ name: "at-once", counts: "concurrent", limit: 64 }] }).pipe(Layer.provide(layerStoreMemory)),
  budgets({ budgets: [{ name: "month", hard: 1000, per: "calendar month", by: ["tenant"] }] }).pipe(
    Layer.provide(layerStoreMemory)
  )
).pipe(Layer.provideMerge(Catalogue.layer))

/** Each call of its own subject, so that no call is answered from the cache unless it is meant to be. */
export const facts = (text: string, conversation = text) =>
  RawPrompt.context(Prompt.make(text)).pipe(
    Context.add(Caller, { tenant: "acme", subject: "ada", conversation }),
    Context.add(Parameters, {})
  )

/**
 * The reference pipeline: every stage in the order in which a production service would have them. What the stages keep lives in
 * memory, and on Redis where `REDIS_URL` is set. A service swaps a layer by replacing one line of `servicesOn`.
 */
import { randomBytes } from "node:crypto"
import { type Handler, Pipeline } from "@interlock/core"
import { Caller, Catalogue, Chat, type ModelError, Parameters, type Part, Prompt, RawPrompt } from "@interlock/model"
import * as Stores from "@interlock/redis/stores"
import { audit, layerMemory as auditMemory, auditText } from "@interlock/stages/audit"
import { budget, layer as budgets } from "@interlock/stages/budget"
import { cache } from "@interlock/stages/cache"
import { Embedder, layerLocal, layerMany } from "@interlock/stages/cache/embedder"
import { layerEqualText, layer as semanticTier } from "@interlock/stages/cache/semantic"
import { layerScan } from "@interlock/stages/cache/vectorIndex"
import { checkRequest } from "@interlock/stages/checkRequest"
import { layer as classifier, classify } from "@interlock/stages/classify"
import { limit, layer as limits } from "@interlock/stages/limit"
import { cachePrompt, layer as promptCachePlanner } from "@interlock/stages/promptCache"
import { redact, redactParameters } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { layerBudget as retryBudget, retryWith } from "@interlock/stages/retry"
import { layerRules, selectModel } from "@interlock/stages/selectModel"
import { Context, Effect, Layer, Redacted } from "effect"

export const stages = Pipeline.make("reference", { input: [RawPrompt, Caller, Parameters], protocol: Chat.protocol })
  .use(audit)
  .use(classify)
  .use(selectModel)
  .use(redact)
  .use(redactParameters)
  .use(auditText)
  .use(checkRequest)
  .use(cache)
  .use(limit)
  .use(budget)
  .use(cachePrompt)
  .use(retryWith({ base: 0 }))

export const close = (model: Handler.Handler<never, Part.Part, ModelError.ModelError>) => stages.to(model)

const hard = new Set(["code", "maths"])

/** A service has its embedding model here: what is to be embedded at the same time goes to it in one request (`batch.micro`). */
const embedder = Layer.unwrap(
  Effect.map(Embedder, ({ dimension, embed, name }) =>
    layerMany({
      name,
      dimension,
      embedMany: (texts) => Effect.forEach(texts, (text) => Effect.map(embed(text), (vector) => Array.from(vector)))
    })
  )
).pipe(Layer.provide(layerLocal))

/** Everything the stages ask for, over the given stores. */
export const servicesOn = <E>(stores: Layer.Layer<Stores.Stores, E>) =>
  Layer.mergeAll(
    auditMemory,
    retryBudget(),
    classifier,
    Detector.layer,
    promptCachePlanner(),
    semanticTier({ alpha: 0.05 }).pipe(Layer.provide([embedder, layerScan()])),
    layerEqualText,
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
    // A service gives the key of its key store: with one of its own, a process cannot read what another has sealed.
    Vault.layerSealed({ rootKey: Redacted.make(new Uint8Array(randomBytes(32))) }),
    limits({ limits: [{ name: "at-once", counts: "concurrent", limit: 64 }] }),
    budgets({ budgets: [{ name: "month", hard: 1000, per: "calendar month", by: ["tenant"] }] })
  ).pipe(Layer.provideMerge(Catalogue.layer), Layer.provideMerge(stores))

export const services = servicesOn(Stores.layerFromEnvironment())

/** Each call of its own subject, so that no call is answered from the cache unless it is meant to be. */
export const facts = (text: string, conversation = text) =>
  RawPrompt.context(Prompt.make(text)).pipe(
    Context.add(Caller, { tenant: "acme", subject: "ada", conversation }),
    Context.add(Parameters, {})
  )

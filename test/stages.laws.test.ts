/**
 * The laws of pipelines, for every stage of `@interlock/stages`. `covered` names each stage, handler and strategy that a module
 * exports, and how it is put under the laws; the compiler holds it to be complete, so a new stage without laws does not build.
 * What replies with parts of its own (`chain`) has laws in a file of its own.
 */
import { readdirSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { type Handler, Pipeline, Reply, type Stage } from "@interlock/core"
import {
  Caller,
  Catalogue,
  Chat,
  type ModelError,
  ParameterPolicy,
  Parameters,
  Part,
  Prompt,
  RawPrompt,
  SafePrompt,
  type SafeText
} from "@interlock/model"
import { AuditLog, audit, layerMemory as auditMemory, auditText } from "@interlock/stages/audit"
import { balance, layerMemory as balancerMemory } from "@interlock/stages/balance"
import { type BatchError, micro } from "@interlock/stages/batchMicro"
import { pack } from "@interlock/stages/batchPack"
import { budget, layer as layerBudgets } from "@interlock/stages/budget"
import { cache } from "@interlock/stages/cache"
import { CacheStore, layerMemory as cacheMemory } from "@interlock/stages/cache/store"
import { cascade, selfAgreement, verifier } from "@interlock/stages/cascade"
import { checkImageRequest } from "@interlock/stages/checkImageRequest"
import { CheckPolicy, checkRequest } from "@interlock/stages/checkRequest"
import { classify, layer as layerClassifier, layerTest } from "@interlock/stages/classify"
import { collect, layerMemory as layerCollected } from "@interlock/stages/collect"
import { fallback, fallbackWith } from "@interlock/stages/fallback"
import {
  bestOf,
  first,
  fuse,
  pairwise,
  type Strategy,
  selfConsistency,
  synthesize,
  vote,
  weighted
} from "@interlock/stages/fuse"
import { hedge } from "@interlock/stages/hedge"
import * as Judging from "@interlock/stages/judge"
import { layer as layerLimits, layerStoreMemory, limit } from "@interlock/stages/limit"
import { cachePrompt, layer as layerPromptCache, promptCacheSettings } from "@interlock/stages/promptCache"
import { redact, redactParameters } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { layerBudget as layerRetryBudget, layerUnlimited, retry, retryWith } from "@interlock/stages/retry"
import { layerCheapest, layerFixed, selectModel, selectModelUnclassified } from "@interlock/stages/selectModel"
import { totalCost } from "@interlock/stages/totalCost"
import { Laws } from "@interlock/testing"
import { Context, Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"

// ---------------------------------------------------------------------------------------------------------------
// What there is
// ---------------------------------------------------------------------------------------------------------------

/** The modules of `@interlock/stages`; a test holds this to be the files that there are. */
const modules = {
  Feedback: await import("@interlock/stages/Feedback"),
  artefact: await import("@interlock/stages/artefact"),
  audit: await import("@interlock/stages/audit"),
  balance: await import("@interlock/stages/balance"),
  batch: await import("@interlock/stages/batch"),
  batchEndpoint: await import("@interlock/stages/batchEndpoint"),
  batchJob: await import("@interlock/stages/batchJob"),
  batchMicro: await import("@interlock/stages/batchMicro"),
  batchPack: await import("@interlock/stages/batchPack"),
  budget: await import("@interlock/stages/budget"),
  cache: await import("@interlock/stages/cache"),
  cascade: await import("@interlock/stages/cascade"),
  chain: await import("@interlock/stages/chain"),
  checkImageRequest: await import("@interlock/stages/checkImageRequest"),
  checkRequest: await import("@interlock/stages/checkRequest"),
  classify: await import("@interlock/stages/classify"),
  collect: await import("@interlock/stages/collect"),
  fallback: await import("@interlock/stages/fallback"),
  fuse: await import("@interlock/stages/fuse"),
  hedge: await import("@interlock/stages/hedge"),
  judge: await import("@interlock/stages/judge"),
  limit: await import("@interlock/stages/limit"),
  promptCache: await import("@interlock/stages/promptCache"),
  redact: await import("@interlock/stages/redact"),
  retry: await import("@interlock/stages/retry"),
  selectModel: await import("@interlock/stages/selectModel"),
  totalCost: await import("@interlock/stages/totalCost"),
  wordVectors: await import("@interlock/stages/wordVectors")
}
type Modules = typeof modules

type Subjected = Stage.Any | Handler.Any | Strategy<never, unknown, unknown, unknown>

/** The names under which a module exports a stage, a handler, a strategy of `fuse`, or what makes one. */
type Makers<M> = {
  [Name in keyof M]: M[Name] extends Subjected | ((...args: never) => Subjected) ? Name : never
}[keyof M]

type Covered = {
  readonly [Name in keyof Modules as [Makers<Modules[Name]>] extends [never] ? never : Name]: {
    readonly [Maker in Makers<Modules[Name]>]: Cases
  }
}

// ---------------------------------------------------------------------------------------------------------------
// How it is put under the laws
// ---------------------------------------------------------------------------------------------------------------

type Input = RawPrompt | Caller | Parameters
/** The model of a law; it may say that it reads what `redact` let through. */
type Model = Handler.Handler<SafePrompt, Part.Part, ModelError.ModelError>

interface Case {
  readonly name: string
  readonly answersWhole?: string
  readonly run: Effect.Effect<ReadonlyArray<Laws.Verdict>, Laws.LawBroken>
}
type Cases = readonly [Case, ...ReadonlyArray<Case>]

interface CaseOptions {
  readonly answersWhole?: string
  readonly asksFirst?: number
  /** Time goes on while the law is tried, for stages that wait. */
  readonly timePasses?: boolean
}

const models = [
  { provider: "offline", model: "offline-large" },
  { provider: "offline", model: "offline-small" }
] as const

const base = Layer.mergeAll(
  auditMemory,
  layerCheapest({ models }).pipe(Layer.provideMerge(Catalogue.layer)),
  Detector.layer,
  Vault.layerMemory
)

type Base = Layer.Success<typeof base>

const audited = Pipeline.make("subject", { input: [RawPrompt, Caller, Parameters], protocol: Chat.protocol }).use(audit)
const safe = audited.use(selectModelUnclassified).use(redact).use(auditText)

const facts = (text: string) =>
  RawPrompt.context(Prompt.make(text)).pipe(
    Context.add(Caller, { tenant: "acme", subject: "ada" }),
    Context.add(Parameters, { maxOutputTokens: 100 })
  )

/** What the audit log holds from the given entry on. */
const entriesFrom = (from: number) =>
  Effect.flatMap(AuditLog, (log) => Stream.runCollect(log.entries({ from }))).pipe(Effect.orDie)

const canaries = fc.integer({ min: 10 ** 9, max: 10 ** 10 - 1 }).map((number) => ({
  canary: `user${number}@contoso.org`,
  text: `Write to user${number}@contoso.org, please.`
}))

/** A case of all six laws: how the stage is closed over a model, below `audit`, and the layers that it asks for. */
const lawful = <E, R>(
  name: string,
  close: (model: Model) => Pipeline.Closed<Input, Part.Part, Chat.Answer, E, R>,
  layer: Layer.Layer<never, unknown, Base>,
  { timePasses, ...options }: CaseOptions = {}
): Case => {
  // No two calls are of the same text: what has a memory answers the second of them from it, and the law would not be tried.
  let calls = 0
  const subject = { close, facts: (text: string) => facts(`${calls++} ${text}`), examples: 8, ...options }
  const laws = Effect.gen(function* () {
    const all = yield* Laws.all(subject)
    // Each entry is opened once: what was read before is not read again.
    let read = 0
    const recorded = new Set<string>()
    const records = Effect.map(
      Effect.suspend(() => entriesFrom(read)),
      (entries) => {
        read += entries.length
        for (const entry of entries) recorded.add(entry.head.call)
        return entries
      }
    )
    const one = yield* Laws.oneRecord(
      subject,
      Effect.map(records, () => recorded.size)
    )
    const leak = yield* Laws.noLeak({
      needs: SafePrompt,
      close,
      facts,
      prompts: canaries,
      sinks: Effect.map(records, (entries) => JSON.stringify(entries)),
      examples: 4
    })
    return [...all, one, leak]
  })
  const clock = Effect.forever(Effect.andThen(TestClock.adjust("1 second"), Effect.yieldNow))
  const timed = timePasses === true ? Effect.raceFirst(laws, clock) : laws
  const services = Layer.fresh(Layer.provideMerge(layer, base)) as Layer.Layer<R | Base>
  return {
    name,
    ...(options.answersWhole !== undefined && { answersWhole: options.answersWhole }),
    run: Effect.provide(timed as Effect.Effect<ReadonlyArray<Laws.Verdict>, Laws.LawBroken, R | Base>, services)
  }
}

const none = Layer.empty
const choosesAmongWhole = "it decides among whole answers, and nothing of a rejected one may go up"

const limited = layerLimits({
  limits: [
    // Two places: a call that does not give its place back stops the third.
    { name: "at-once", counts: "concurrent", limit: 2 },
    { name: "tokens", counts: "tokens", limit: 1e9, per: "1 minute" }
  ]
}).pipe(Layer.provide(layerStoreMemory))
const budgeted = layerBudgets({ budgets: [{ name: "day", hard: 1e6, per: "calendar day" }] }).pipe(
  Layer.provide(layerStoreMemory)
)

/** A store that forgets everything, so that every call reaches its model. */
const forgetful = Layer.succeed(CacheStore, {
  get: () => Effect.undefined,
  stamp: () => Effect.succeed(""),
  set: () => Effect.void,
  remove: () => Effect.void,
  invalidate: () => Effect.void
})

const balanced = (strategy: "latency" | "least-cost" | "weighted" | "random" | "round-robin") =>
  lawful(
    strategy,
    (model) =>
      safe.to(
        balance(
          "model",
          [
            { name: "a", handler: model },
            { name: "b", handler: model }
          ],
          { strategy, eject: strategy === "latency" }
        )
      ),
    balancerMemory
  )

const climbing = (grade: number, name: string) =>
  lawful(
    name,
    (model) => safe.to(cascade("model", { handler: model, models, judge: verifier("same", () => grade), accept: 0.5 })),
    none,
    { asksFirst: 1 }
  )

/** Two members of one model. */
const fused = <R>(
  name: string,
  strategy: (model: Model) => Strategy<"a" | "b", SafePrompt | Caller, unknown, R>,
  layer: Layer.Layer<never, unknown, Base>,
  options: CaseOptions = { answersWhole: choosesAmongWhole }
) =>
  lawful(
    name,
    (model) => safe.to(fuse("model", { a: model, b: model }, strategy(model), { quorum: 1 })),
    layer,
    options
  )

const judged = Judging.layerRules([Judging.rule("has words", ({ text }) => text.length > 0)])

const covered: Covered = {
  audit: {
    audit: [lawful("audit", (model) => audited.use(selectModelUnclassified).use(redact).to(model), none)],
    auditText: [lawful("auditText", (model) => safe.to(model), none)]
  },
  balance: {
    balance: [
      balanced("latency"),
      balanced("least-cost"),
      balanced("weighted"),
      balanced("random"),
      balanced("round-robin")
    ]
  },
  budget: { budget: [lawful("budget", (model) => safe.use(budget).to(model), budgeted)] },
  cache: {
    cache: [
      lawful("a miss", (model) => safe.use(cache).to(model), forgetful),
      lawful("a store", (model) => safe.use(cache).to(model), cacheMemory())
    ]
  },
  cascade: {
    cascade: [
      climbing(1, "the first answer is accepted"),
      climbing(0, "the first answer is rejected"),
      lawful(
        "selfAgreement",
        (model) => safe.to(cascade("model", { handler: model, models, judge: selfAgreement(), accept: 0.5 })),
        none,
        { asksFirst: 3 }
      )
    ]
  },
  checkImageRequest: {
    checkImageRequest: [
      lawful(
        "checkImageRequest",
        (model) => safe.use(checkImageRequest).to(model),
        layerFixed({ provider: "offline", model: "offline-image" })
      )
    ]
  },
  checkRequest: {
    checkRequest: [
      lawful("checkRequest", (model) => safe.use(checkRequest).to(model), none),
      lawful(
        "checkRequest that adapts parameters",
        (model) => safe.use(checkRequest).to(model),
        Layer.succeed(CheckPolicy, ParameterPolicy.clamp)
      )
    ]
  },
  classify: {
    classify: [
      lawful(
        "classify",
        (model) => audited.use(classify).use(selectModelUnclassified).use(redact).to(model),
        layerClassifier
      )
    ]
  },
  collect: { collect: [lawful("collect", (model) => safe.use(collect).to(model), layerCollected)] },
  fallback: {
    fallback: [lawful("fallback", (model) => safe.use(fallback).to(model), layerUnlimited)],
    fallbackWith: [
      lawful(
        "fallbackWith",
        (model) => safe.use(fallbackWith({ times: 1, when: () => true })).to(model),
        layerUnlimited
      )
    ]
  },
  fuse: {
    fuse: [fused("fuse", () => vote(), none)],
    vote: [fused("vote", () => vote(), none), fused("vote, early", () => vote({ early: true }), none)],
    weighted: [fused("weighted", () => weighted({ a: 2, b: 1 }), none)],
    selfConsistency: [fused("selfConsistency", () => selfConsistency({ samples: 2 }), none)],
    first: [
      fused("first", () => first(), none, {}),
      fused("first that is good", () => first({ good: ({ text }) => text.length > 0 }), none)
    ],
    bestOf: [fused("bestOf", () => bestOf(), judged)],
    pairwise: [fused("pairwise", () => pairwise(), judged)],
    synthesize: [
      fused(
        "synthesize",
        (model) =>
          synthesize({
            handler: Pipeline.make("writer", { input: [RawPrompt, Caller], protocol: Chat.protocol })
              .use(redact)
              .to(model)
          }),
        none,
        { asksFirst: 2 }
      )
    ]
  },
  hedge: {
    hedge: [
      lawful("hedge", (model) => safe.use(hedge({ after: "1 hour" })).to(model), layerUnlimited),
      lawful("hedge that asks twice", (model) => safe.use(hedge({ after: 0 })).to(model), layerUnlimited, {
        timePasses: true
      })
    ]
  },
  limit: { limit: [lawful("limit", (model) => safe.use(limit).to(model), limited)] },
  promptCache: {
    cachePrompt: [lawful("cachePrompt", (model) => safe.use(cachePrompt).to(model), layerPromptCache())],
    promptCacheSettings: [
      lawful("promptCacheSettings", (model) => safe.use(promptCacheSettings).to(model), layerPromptCache())
    ]
  },
  redact: {
    redact: [lawful("redact", (model) => audited.use(selectModelUnclassified).use(redact).to(model), none)],
    redactParameters: [lawful("redactParameters", (model) => safe.use(redactParameters).to(model), none)]
  },
  retry: {
    retry: [lawful("retry", (model) => safe.use(retry).to(model), layerRetryBudget(), { timePasses: true })],
    retryWith: [
      lawful("retryWith", (model) => safe.use(retryWith({ base: 1 })).to(model), layerUnlimited, { timePasses: true })
    ]
  },
  selectModel: {
    selectModel: [
      lawful(
        "selectModel",
        (model) => audited.use(classify).use(selectModel).use(redact).to(model),
        layerTest({ label: "code" })
      )
    ],
    selectModelUnclassified: [
      lawful("selectModelUnclassified", (model) => audited.use(selectModelUnclassified).use(redact).to(model), none)
    ]
  },
  totalCost: { totalCost: [lawful("totalCost", (model) => safe.use(totalCost).to(model), none)] }
}

interface Asked {
  readonly model: Model
  readonly prompt: Prompt.Prompt<SafeText>
}
class Batcher extends Context.Service<
  Batcher,
  (item: Asked) => Effect.Effect<ReadonlyArray<Part.Part>, ModelError.ModelError | BatchError>
>()("test/Batcher") {}
const collected = ({ model, prompt }: Asked) =>
  Effect.scoped(Effect.flatMap(model.handle(SafePrompt.context(prompt)), Reply.collect))

/** What is no stage and no handler, and yet stands between a caller and a model. */
const batched: { readonly [name: string]: Case } = {
  micro: lawful(
    "micro",
    (model) =>
      safe.to(
        Pipeline.handler("micro", { needs: { prompt: SafePrompt } }, ({ prompt }) =>
          Effect.map(
            Batcher.use((ask) => ask({ model, prompt })),
            Reply.whole
          )
        )
      ),
    Layer.effect(
      Batcher,
      micro({
        key: () => "all",
        run: (items: ReadonlyArray<Asked>) => Effect.forEach(items, (item) => Effect.exit(collected(item)))
      })
    ),
    { answersWhole: "a batch is answered when all of it is" }
  ),
  pack: lawful(
    "pack",
    (model) =>
      safe.to(
        Pipeline.handler(
          "pack",
          { needs: { prompt: SafePrompt } },
          Effect.fnUntraced(function* ({ prompt }) {
            const askAll = yield* pack({
              ask: () =>
                Effect.map(
                  collected({ model, prompt }),
                  (parts) => parts.reduce(Chat.protocol.append, Chat.protocol.empty()).text
                )
            })
            const answers = yield* askAll([Prompt.text(prompt)])
            return Reply.whole(Part.text(answers.join("")))
          })
        )
      ),
    none,
    { answersWhole: "a packed answer is taken apart when all of it is here" }
  )
}

// ---------------------------------------------------------------------------------------------------------------
// The tests
// ---------------------------------------------------------------------------------------------------------------

const obeys = (name: string, { answersWhole, run }: Case) =>
  it.effect(name, () =>
    Effect.map(run, (verdicts) =>
      assert.deepStrictEqual(
        verdicts,
        (["unary", "chunking", "partial", "release", "one record", "no leak"] as const).map((law) =>
          law === "partial" && answersWhole !== undefined
            ? { law, outcome: "does not apply" as const, why: answersWhole }
            : { law, outcome: "holds" as const }
        )
      )
    )
  )

describe("obeys the laws", () => {
  for (const [module, makers] of Object.entries<{ readonly [maker: string]: Cases }>(covered)) {
    for (const [maker, cases] of Object.entries(makers)) {
      for (const each of cases)
        obeys([module, maker, each.name].filter((name, index, all) => all.indexOf(name) === index).join(": "), each)
    }
  }
  for (const each of Object.values(batched)) obeys(`batch: ${each.name}`, each)
})

describe("the list of stages", () => {
  it("knows every module", () => {
    const files = readdirSync(new URL("../packages/stages/src/", import.meta.url), { withFileTypes: true })
      .filter((file) => file.isFile() && file.name !== "index.ts")
      .map((file) => file.name.replace(/\.ts$/u, ""))
    assert.deepStrictEqual(
      files.sort(),
      Object.keys(modules).sort(),
      "a module of @interlock/stages is not in `modules` above: add it there, and what it makes to `covered`"
    )
  })

  it("has a stage, a handler or a strategy of every name that it says", () => {
    // What a module exports ready made is seen at run time too; what it makes, the compiler sees.
    for (const [module, exported] of Object.entries<{ readonly [name: string]: unknown }>(modules)) {
      const made = Object.entries(exported).flatMap(([name, value]) =>
        typeof value === "object" && value !== null && "spec" in value ? [name] : []
      )
      const known: { readonly [module: string]: { readonly [maker: string]: Cases } } = covered
      for (const name of made) assert.property(known[module] ?? {}, name)
    }
  })
})

/** Three members, the judge, the strategies, and the services that they run on. */
import { NodeServices } from "@effect/platform-node"
import { Pipeline, Stage } from "@interlock/core"
import { Caller, Catalogue, Chat, ChosenModel, Parameters, Prompt, RawPrompt } from "@interlock/model"
import { Anthropic, callModel, Google, Models, OfflineModel, OpenAi } from "@interlock/providers"
import { cache } from "@interlock/stages/cache"
import { layerMemory as layerCacheMemory } from "@interlock/stages/cache/store"
import { checkRequest } from "@interlock/stages/checkRequest"
import { bestOf, fuse, pairwise, vote } from "@interlock/stages/fuse"
import { forbids, inLanguage, layerModel, layerRules, lengthBetween, required } from "@interlock/stages/judge"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import * as Redaction from "@interlock/stages/redact/policy"
import { Vault } from "@interlock/stages/redact/vault"
import { Context, Effect, FileSystem, Layer } from "effect"

const here = import.meta.dirname

// ---------------------------------------------------------------------------------------------------------------
// The members
// ---------------------------------------------------------------------------------------------------------------

interface Reference {
  readonly name: string
  readonly provider: string
  readonly model: string
}

/** Who the three members are, the best one first, and who judges; `undefined`: rules do. */
export class Panel extends Context.Service<
  Panel,
  { readonly members: readonly [Reference, Reference, Reference]; readonly judge: Reference | undefined }
>()("fusion/Panel") {}

const settings = Stage.derive("settings", { needs: {}, adds: Parameters }, () =>
  Effect.succeed({ maxOutputTokens: 250 })
)

const chooses = (position: 0 | 1 | 2) =>
  Stage.derive("choose", { needs: {}, adds: ChosenModel }, () =>
    Panel.use(({ members }) => Effect.succeed({ ...members[position], reason: "a member of the panel" }))
  )

/** Each member is a pipeline; what it said once, for one strategy, it does not say again for another. */
const member = (position: 0 | 1 | 2) =>
  Pipeline.make("member", { input: [RawPrompt, Caller], protocol: Chat.protocol })
    .use(settings)
    .use(chooses(position))
    .use(redact)
    .use(checkRequest)
    .use(cache)
    .to(callModel)

const members = { first: member(0), second: member(1), third: member(2) }

/** The members in the order of the panel. */
export const names = ["first", "second", "third"] as const

// ---------------------------------------------------------------------------------------------------------------
// The strategies
// ---------------------------------------------------------------------------------------------------------------

const start = Pipeline.make("fusion", { input: [RawPrompt, Caller], protocol: Chat.protocol })

/** The first is the one that the gate decides on; the others are shown beside it. */
export const strategies = {
  bestOf: start.to(fuse("bestOf", members, bestOf({ question: RawPrompt }))),
  pairwise: start.to(fuse("pairwise", members, pairwise({ question: RawPrompt }))),
  vote: start.to(fuse("vote", members, vote()))
}

/** What a good answer of this desk is: it says something, and what is so now. */
const rules = layerRules([
  required(lengthBetween(1, 400)),
  inLanguage(),
  required(forbids("refusal", /\bI cannot answer\b/i)),
  forbids("the past", /\b(?:was|were|had|until 20[012]\d|in 20[01]\d)\b/i)
])

// ---------------------------------------------------------------------------------------------------------------
// The models
// ---------------------------------------------------------------------------------------------------------------

/** Without a key three offline models answer, each of which has read something else. */
const readers = ["archive", "harbour", "museum"].map((name) =>
  OfflineModel.fromFolder(`${here}/knowledge/${name}`, { name })
)

/** The first provider whose key is set answers; without a key, the three readers do. */
const models = Models.layerAvailable([OpenAi.provider(), Anthropic.provider(), Google.provider(), ...readers])

/** What the catalogue says of the readers: they are the small offline model. */
const catalogue = Layer.unwrap(
  Effect.sync(() => {
    const known = Context.get(Effect.runSync(Effect.scoped(Layer.build(Catalogue.layer))), Catalogue.Catalogue)
    const { limits, prices, tokens } = known.find("offline", "offline-small")!
    return Catalogue.layerWith(
      ["archive", "harbour", "museum"].map((provider) => ({
        provider,
        model: "offline-small",
        runs: "local" as const,
        limits,
        prices,
        tokens
      }))
    )
  })
)

const panels: { readonly [provider: string]: readonly [string, string, string] } = {
  openai: ["gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"],
  anthropic: ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"],
  google: ["gemini-2.5-pro", "gemini-3.8-flash", "gemini-3.1-flash-lite"]
}

const panel = Layer.effect(
  Panel,
  Models.Models.use(({ providers: [provider = ""] }) => {
    const of = (name: string, by: string, model: string): Reference => ({ name, provider: by, model })
    const [first, second, third] = panels[provider] ?? []
    return Effect.succeed(
      first === undefined || second === undefined || third === undefined
        ? {
            members: [
              of("archive", "archive", "offline-small"),
              of("harbour", "harbour", "offline-small"),
              of("museum", "museum", "offline-small")
            ] as const,
            judge: undefined
          }
        : {
            members: [of(first, provider, first), of(second, provider, second), of(third, provider, third)] as const,
            judge: of(first, provider, first)
          }
    )
  })
)

// ---------------------------------------------------------------------------------------------------------------
// The judge
// ---------------------------------------------------------------------------------------------------------------

const asJudge = Stage.derive("choose", { needs: {}, adds: ChosenModel }, () =>
  Panel.use(({ judge, members }) => Effect.succeed({ ...(judge ?? members[0]), reason: "the judge" }))
)

const judging = Pipeline.make("judge", { input: [RawPrompt, Parameters, Caller], protocol: Chat.protocol })
  .use(asJudge)
  .use(redact)
  .use(checkRequest)
  .use(cache)
  .to(callModel)

/** Rules judge the offline readers; the first member of the panel judges real models. */
const judge = Layer.unwrap(
  Panel.use(({ judge }) => Effect.succeed(judge === undefined ? rules : layerModel({ handler: judging })))
)

/** A model that is not an offline one is given the documents as they are now. */
export const instructions = Effect.gen(function* () {
  const { judge } = yield* Panel
  if (judge === undefined) return undefined
  const files = yield* FileSystem.FileSystem
  const shelf = (name: string) =>
    Effect.flatMap(files.readDirectory(`${here}/knowledge/${name}`), (found) =>
      Effect.forEach(found.sort(), (file) => files.readFileString(`${here}/knowledge/${name}/${file}`))
    )
  const documents = [...(yield* shelf("harbour")), ...(yield* shelf("museum"))]
  return `You answer questions about Port Selwyn, in a sentence, from these documents. Say "I cannot answer that" when they do not hold the answer.\n\n${documents.join("\n\n")}`
})

/** Names of streets, people and towns are what the questions are about. */
const redaction = Layer.succeed(
  Redaction.Policy,
  Redaction.make({ strategies: { LOCATION: "keep", ORGANIZATION: "keep", PERSON: "keep" } })
)

export const layer = judge.pipe(
  Layer.provideMerge(panel),
  Layer.provideMerge(models),
  Layer.provideMerge([Detector.layer, redaction, Vault.layerMemory, layerCacheMemory(), catalogue]),
  Layer.provideMerge(NodeServices.layer)
)

/** The facts of one question. */
export const factsOf = (question: string, conversation: string, system: string | undefined) =>
  Context.make(
    RawPrompt,
    Prompt.make([
      ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
      { role: "user", content: question }
    ])
  ).pipe(Context.add(Caller, { tenant: "fusion", conversation }))

/** The pipeline, and the services that it runs on. */
import { NodeServices } from "@effect/platform-node"
import { Pipeline, Stage } from "@interlock/core"
import { Caller, Catalogue, Chat, Journal, ParameterPolicy, Parameters, Prompt, RawPrompt } from "@interlock/model"
import { Anthropic, Cassette, callModel, Google, Models, OfflineModel, OpenAi } from "@interlock/providers"
import { CheckPolicy, checkRequest } from "@interlock/stages/checkRequest"
import { layer as layerSandbox } from "@interlock/stages/judge/sandbox"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import * as Redaction from "@interlock/stages/redact/policy"
import { Vault } from "@interlock/stages/redact/vault"
import { layerFixed, selectModelUnclassified } from "@interlock/stages/selectModel"
import { Context, Effect, Layer } from "effect"
import { repair, Task } from "./repair.ts"
import type { Requirement } from "./requirement.ts"

const here = import.meta.dirname

// ---------------------------------------------------------------------------------------------------------------
// The pipeline
// ---------------------------------------------------------------------------------------------------------------

const settings = Stage.derive("settings", { needs: {}, adds: Parameters }, () =>
  Effect.succeed({ temperature: 0.3, maxOutputTokens: 512 })
)

export const generation = Pipeline.make("code-generation", {
  input: [RawPrompt, Caller, Task],
  protocol: Chat.protocol
})
  .use(settings)
  .use(selectModelUnclassified)
  .use(repair)
  .use(redact)
  .use(checkRequest)
  .to(callModel)

const instructions =
  "You write TypeScript. Reply with one code block and nothing else. The code exports what is asked for, imports nothing, and uses the language only: no console, no timers, no process, no network. Only types may be erased: no enum, no namespace."

/** The facts of one requirement. */
export const factsOf = (requirement: Requirement) =>
  Context.make(
    RawPrompt,
    Prompt.make([
      { role: "system", content: instructions },
      { role: "user", content: requirement.text }
    ])
  ).pipe(
    Context.add(Task, requirement),
    Context.add(Caller, { tenant: "code-generation", conversation: requirement.id })
  )

// ---------------------------------------------------------------------------------------------------------------
// The models
// ---------------------------------------------------------------------------------------------------------------

/** A request that is not on the cassette is no try of a model. */
const withoutMisses = (journal: Journal.Journal | undefined): Journal.Journal | undefined =>
  journal && {
    events: journal.events,
    append: (event) => {
      if (event._tag !== "Attempt" || event.outcome !== "failed") journal.append(event)
    }
  }

/** What is on the cassette is replayed; what is not, the offline model answers from `knowledge`. */
export const offline = Effect.gen(function* () {
  const replaying = Layer.build(Cassette.layerReplay(`${here}/cassettes/answers.jsonl`))
  const tape = Context.get(yield* Effect.scoped(replaying), Models.Models)
  const model = Models.make([yield* OfflineModel.fromFolder(`${here}/knowledge`)])
  const provider: Models.ModelProvider = {
    name: "offline",
    call: (request) =>
      Effect.flatMap(Journal.current, (journal) =>
        Effect.provideService(tape.call(request), Journal.Journal, withoutMisses(journal))
      ).pipe(Effect.catch((error) => (error.reason._tag === "BadRequest" ? model.call(request) : Effect.fail(error))))
  }
  return provider
})

/** The first provider whose key is set answers; without a key, the cassette and the offline model do. */
export const models = Models.layerAvailable([OpenAi.provider(), Anthropic.provider(), Google.provider(), offline])

/** Models that take a temperature, and answer at once: 512 tokens leave no room to think aloud. */
const chosen: { readonly [provider: string]: string } = {
  openai: "gpt-4.1-mini",
  anthropic: "claude-haiku-4-5",
  google: "gemini-3.1-flash-lite",
  offline: "offline-large"
}

const selector = Layer.unwrap(
  Effect.map(Models.Models, ({ providers: [provider = "offline"] }) =>
    layerFixed({ provider, model: chosen[provider] ?? "offline-large" })
  )
)

/** Requirements hold no personal data; a value that looks like some is masked all the same. */
const redaction = Layer.succeed(
  Redaction.Policy,
  Redaction.make({ strategies: { LOCATION: "keep", ORGANIZATION: "keep", PERSON: "keep" } })
)

/** Everything but the models. */
export const services = Layer.mergeAll(
  selector,
  Detector.layer,
  redaction,
  Vault.layerMemory,
  // The offline model has no temperature.
  Layer.succeed(CheckPolicy, ParameterPolicy.drop),
  layerSandbox({ cpuSeconds: 3, wallMillis: 20_000 })
)

export const layer = services.pipe(
  Layer.provideMerge(models),
  Layer.provideMerge(Catalogue.layer),
  Layer.provideMerge(NodeServices.layer)
)

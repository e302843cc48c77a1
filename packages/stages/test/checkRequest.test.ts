import { assert, describe, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
import {
  Caller,
  Catalogue,
  Chat,
  ChosenModel,
  Journal,
  ParameterPolicy,
  Parameters,
  Part,
  Prompt,
  RawPrompt,
  type Settings
} from "@interlock/model"
import { CheckPolicy, checkRequest } from "@interlock/stages/checkRequest"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Context, Effect, Layer, Stream } from "effect"

const services = Layer.mergeAll(Catalogue.layer, Detector.layer, Vault.layerMemory)

interface Call {
  readonly provider?: string
  readonly model?: string
  readonly prompt?: string
  readonly settings?: Settings
  readonly policy?: ParameterPolicy.Policy
}

const facts = (call: Call) =>
  RawPrompt.context(Prompt.make(call.prompt ?? "Where is my parcel?")).pipe(
    Context.merge(Caller.context({ tenant: "test" })),
    Context.merge(ChosenModel.context({ provider: call.provider ?? "openai", model: call.model ?? "gpt-4o" })),
    Context.merge(Parameters.context(call.settings ?? {}))
  )

/** A pipeline of the stage over a model that writes down the settings it is called with. */
const pipeline = (seen: Array<Settings>) =>
  Pipeline.make("checked", { input: [RawPrompt, Caller, ChosenModel, Parameters], protocol: Chat.protocol })
    .use(redact)
    .use(checkRequest)
    .to(
      Pipeline.handler("writesDown", { needs: { settings: Parameters } }, ({ settings }) =>
        Effect.sync(() => {
          seen.push(settings)
          return Reply.whole(Part.text("Tomorrow."))
        })
      )
    )

const run = (call: Call, seen: Array<Settings> = []) =>
  pipeline(seen)
    .run(facts(call))
    .pipe(Effect.provide(services), Effect.provideService(CheckPolicy, call.policy ?? ParameterPolicy.reject))

describe("checkRequest", () => {
  it.effect("passes a good call on as it is, and says nothing", () =>
    Effect.gen(function* () {
      const seen: Array<Settings> = []
      const answer = yield* run({ settings: { temperature: 0.5 } }, seen)
      assert.deepStrictEqual(seen, [{ temperature: 0.5 }])
      assert.deepStrictEqual(answer.metadata, {})
    })
  )

  it.effect("fails with a typed error before any model is called", () =>
    Effect.gen(function* () {
      const seen: Array<Settings> = []
      const tag = (call: Call) => Effect.map(Effect.flip(run(call, seen)), (error) => error._tag)
      assert.strictEqual(yield* tag({ model: "gpt-4p" }), "UnknownModel")
      assert.strictEqual(yield* tag({ prompt: " " }), "EmptyPrompt")
      assert.strictEqual(
        yield* tag({ provider: "local", model: "phi4:14b", prompt: "长".repeat(20_000) }),
        "PromptTooLong"
      )
      assert.strictEqual(yield* tag({ settings: { temperature: 3 } }), "InvalidParameter")
      assert.deepStrictEqual(seen, [])
    })
  )

  it.effect(
    "adapts parameters by the declared policy, and says so in the reply, whole and live, and in the journal",
    () =>
      Effect.gen(function* () {
        const seen: Array<Settings> = []
        const journal = Journal.make()
        const call: Call = { settings: { temperature: 3, topK: 5 }, policy: ParameterPolicy.clamp }
        const answer = yield* run(call, seen).pipe(Effect.provideService(Journal.Journal, journal))
        const changes = answer.metadata["parameters"] as ReadonlyArray<ParameterPolicy.Change>
        assert.deepStrictEqual(
          changes.map(({ action, parameter, to }) => [parameter, action, to]),
          [
            ["temperature", "clamped", "2"],
            ["topK", "dropped", undefined]
          ]
        )
        assert.deepStrictEqual(seen, [{ temperature: 2 }])
        assert.deepStrictEqual(
          journal.events().filter((event) => event._tag === "Fact"),
          [
            {
              _tag: "Fact",
              stage: "checkRequest",
              name: "Parameters",
              attributes: { temperature: "clamped", topK: "dropped" }
            }
          ]
        )
        const parts = yield* pipeline(seen)
          .stream(facts(call))
          .pipe(Stream.runCollect, Effect.provide(services), Effect.provideService(CheckPolicy, ParameterPolicy.clamp))
        assert.deepStrictEqual(Part.interlock(parts.at(-1)!)["parameters"], changes)
      })
  )
})

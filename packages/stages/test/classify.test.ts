import { assert, describe, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
import { Caller, Chat, Journal, Parameters, type Part, Prompt, RawPrompt, SafePrompt } from "@interlock/model"
import * as Classify from "@interlock/stages/classify"
import * as LinearModel from "@interlock/stages/classify/linearModel"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Effect, Layer, Result, Schema } from "effect"
import { type AiError, Decision, DecisionModel } from "effect/ai"

const ask = (text: string) => Classify.Classifier.use((classifier) => classifier.classify(Prompt.make(text)))

const echo = Pipeline.handler("echo", { needs: { classification: Classify.Classification } }, ({ classification }) =>
  Effect.succeed(
    Reply.whole<Part.Part>([{ type: "text", text: `${classification.label} of ${classification.best ?? "nothing"}` }])
  )
)
const pipeline = Pipeline.make("test", { input: [RawPrompt], protocol: Chat.protocol })
  .use(Classify.classify)
  .to(echo)
const run = (text: string) => Effect.map(pipeline.run(RawPrompt.context(Prompt.make(text))), (answer) => answer.text)

const rules = Classify.layerRules([
  { label: "code", when: /\bfunction\b/g, confidence: 0.9 },
  { label: "chinese", when: ({ language }) => language === "zh", sensitivity: "restricted" }
])

describe("layerRules", () => {
  it.effect("answers with the first rule that holds, every time, and unknown when none does", () =>
    Effect.gen(function* () {
      for (let time = 0; time < 3; time++) {
        const code = yield* ask("a function 函数")
        assert.strictEqual(code.label, "code")
        assert.strictEqual(code.confidence, 0.9)
      }
      const chinese = yield* ask("你好")
      assert.strictEqual(chinese.label, "chinese")
      assert.strictEqual(chinese.sensitivity, "restricted")
      assert.deepStrictEqual(yield* ask("hello to you"), {
        label: "unknown",
        probabilities: {},
        confidence: 0,
        language: "en",
        source: "rules"
      })
    }).pipe(Effect.provide(rules))
  )
})

describe("layer", () => {
  // Written by hand, and in no grammar.
  const samples: ReadonlyArray<readonly [text: string, label: string]> = [
    ["Draft an email to the neighbours announcing the street party", "text generation"],
    ["Write a cover letter for a nurse position", "text generation"],
    ["My Python script throws KeyError: 'id', what should I change?", "code"],
    ["Implement a queue with two stacks in Java", "code"],
    ["Translate 'see you tomorrow' into Polish", "translation"],
    ["Fix the grammar in this sentence: she don't likes apples", "polishing"],
    ["Summarise the article below in three bullet points", "summarising"],
    ["Extract the names and phone numbers from this letter as JSON", "extraction"],
    ["Why do leaves change colour in autumn?", "question answering"],
    ["What is 17 times 24?", "maths"],
    ["Solve 3x - 7 = 11", "maths"],
    ["Write a poem about the sea at night", "creative"],
    ["Draw a panda eating noodles, watercolour style", "image generation"],
    ["hey, how's it going?", "conversation"],
    ["给客户写一封邮件，说明涨价的原因", "text generation"],
    ["用Python写一个冒泡排序", "code"],
    ["把这句话翻译成英文：明天见", "translation"],
    ["帮我润色一下这段话，更正式一点", "polishing"],
    ["总结一下这篇文章的要点", "summarising"],
    ["从这段文字里提取所有电话号码", "extraction"],
    ["地球为什么会有四季", "question answering"],
    ["解方程2x+5=17", "maths"],
    ["写一首关于秋天的诗", "creative"],
    ["画一只戴帽子的猫", "image generation"],
    ["你好，最近怎么样", "conversation"]
  ]

  it.effect("knows eleven kinds of request in English and Chinese", () =>
    Effect.gen(function* () {
      const wrong: Array<string> = []
      for (const [text, label] of samples) {
        const classified = yield* ask(text)
        const sum = Object.values(classified.probabilities).reduce((sum, each) => sum + each, 0)
        assert.closeTo(sum, 1, 1e-5)
        assert.strictEqual(classified.language, /[a-z]{3} [a-z]/i.test(text) ? "en" : classified.language)
        if (classified.label !== label) wrong.push(`${text}: ${classified.label}, best ${classified.best}`)
      }
      assert.isAtMost(wrong.length, 1, wrong.join("\n"))
    }).pipe(Effect.provide(Classify.layer))
  )

  it.effect("says unknown to what is no request that it knows", () =>
    Effect.gen(function* () {
      for (const text of ["", "zxcv qwpo asld", "🜁🜂🜃"]) {
        assert.strictEqual((yield* ask(text)).label, "unknown", text)
      }
    }).pipe(Effect.provide(Classify.layer))
  )
})

describe("layerLinear", () => {
  const load = (artefact: Classify.Artefact) => Effect.flip(Classify.loadArtefact(artefact))
  const shipped = new URL("../artefacts/request-type.classifier", import.meta.url)

  it.effect("refuses a file that is missing, foreign, cut short, changed or of another version", () =>
    Effect.gen(function* () {
      const model = yield* Classify.loadArtefact(shipped)
      const bytes = LinearModel.encode(model)
      const changed = Uint8Array.from(bytes)
      changed[bytes.length - 1]! ^= 1
      const reasons = yield* Effect.forEach(
        [
          new URL("../artefacts/none.classifier", import.meta.url),
          new TextEncoder().encode("#!/bin/sh\necho hello"),
          bytes.subarray(0, bytes.length - 1),
          bytes.subarray(0, 40),
          changed,
          LinearModel.encode({ ...model, manifest: { ...model.manifest, featuriser: 999 } })
        ],
        (artefact) => Effect.map(load(artefact), (error) => error.reason)
      )
      assert.deepStrictEqual(reasons, ["Missing", "Foreign", "Corrupt", "Corrupt", "Corrupt", "Version"])
    })
  )

  it.effect("refuses an artefact that was trained with other word vectors", () =>
    Effect.gen(function* () {
      const model = yield* Classify.loadArtefact(shipped)
      const vectors = { ...model.manifest.vectors, name: "klingon-1" }
      const artefact = LinearModel.encode({ ...model, manifest: { ...model.manifest, vectors } })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Classify.layerLinear({ artefact }))))
      assert.strictEqual(error.reason, "Version")
      assert.include(error.message, "klingon-1")
    })
  )

  it.effect("writes what it reads, byte for byte", () =>
    Effect.gen(function* () {
      const model = yield* Classify.loadArtefact(shipped)
      const again = Result.getOrThrow(LinearModel.decode(LinearModel.encode(model)))
      assert.deepStrictEqual(again.manifest, model.manifest)
      assert.isTrue(Buffer.from(LinearModel.encode(again)).equals(LinearModel.encode(model)))
    })
  )

  it.effect("refuses an artefact for sensitivity that has other labels", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(Classify.layerLinear({ artefact: shipped, sensitivity: shipped })))
      )
      assert.include(error.message, '"code": its labels must be public, internal, restricted')
    })
  )

  it.effect("takes a threshold of one's own", () =>
    Effect.gen(function* () {
      const classified = yield* ask("Translate this into French: good morning")
      assert.strictEqual(classified.label, "unknown")
      assert.strictEqual(classified.best, "translation")
    }).pipe(Effect.provide(Classify.layerLinear({ artefact: shipped, inScopeAtLeast: 1.1 })))
  )
})

describe("layerModel", () => {
  const answering = (text: string) => {
    const seen: Array<string> = []
    const handler = Pipeline.handler(
      "judge",
      { needs: { prompt: RawPrompt, parameters: Parameters } },
      ({ parameters, prompt }) =>
        Effect.sync(() => {
          seen.push(Prompt.text(prompt), JSON.stringify(parameters.responseFormat))
          return Reply.whole<Part.Part>([{ type: "text", text }])
        })
    )
    return { seen, layer: Classify.layerModel({ handler, labels: { billing: "payments and invoices", other: null } }) }
  }

  it.effect("asks for JSON and reads the label", () => {
    const { layer, seen } = answering('```json\n{"label":"billing","confidence":0.8}\n```')
    return Effect.gen(function* () {
      const classified = yield* ask("Where is my invoice?")
      assert.strictEqual(classified.label, "billing")
      assert.closeTo(classified.probabilities["other"]!, 0.2, 1e-9)
      assert.include(seen[0], "billing: payments and invoices")
      assert.include(seen[1], '"enum":["billing","other","unknown"]')
    }).pipe(Effect.provide(layer))
  })

  it.effect("refuses an answer that is no label", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ask("Where is my invoice?"))
      assert.strictEqual(error.reason, "InvalidAnswer")
      assert.include(error.message, "billing, other or unknown")
    }).pipe(Effect.provide(answering('{"label":"weather"}').layer))
  )

  it.effect("takes a pipeline with redact: the text leaves redacted", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const model = Pipeline.handler("model", { needs: { prompt: SafePrompt, caller: Caller } }, ({ caller, prompt }) =>
        Effect.sync(() => {
          seen.push(Prompt.text(prompt), caller.tenant)
          return Reply.whole<Part.Part>([{ type: "text", text: '{"label":"billing"}' }])
        })
      )
      const handler = Pipeline.make("asked", { input: [RawPrompt, Parameters, Caller], protocol: Chat.protocol })
        .use(redact)
        .to(model)
      for (const caller of [undefined, { tenant: "acme" }]) {
        const layer = Classify.layerModel({ handler, labels: { billing: null }, ...(caller && { caller }) })
        const services = Layer.provide(layer, Layer.merge(Detector.layer, Vault.layerMemory))
        const classified = yield* Effect.provide(ask("Write to jane.roe@example.org about my invoice"), services)
        assert.strictEqual(classified.label, "billing")
      }
      assert.include(seen[0], "about my invoice")
      assert.notInclude(seen.join(), "jane.roe")
      assert.deepStrictEqual([seen[1], seen[3]], ["classify", "acme"])
    })
  )

  it.effect(
    "its call is written into the journal of the call that asks, whatever was open when its layer was built",
    () => {
      const own = Journal.make()
      const handler = Pipeline.handler("judge", { needs: {} }, () =>
        Effect.as(
          Journal.record({ _tag: "Refusal", stage: "judge", reason: "seen" }),
          Reply.whole<Part.Part>([{ type: "text", text: '{"label":"a"}' }])
        )
      )
      return Effect.gen(function* () {
        yield* Effect.provideService(ask("?"), Journal.Journal, own)
        assert.strictEqual(own.events().length, 1)
      }).pipe(
        Effect.provide(Classify.layerModel({ handler, labels: { a: null, b: null } })),
        Effect.provideService(Journal.Journal, Journal.make())
      )
    }
  )

  it.effect("says that the model failed", () => {
    const handler = Pipeline.handler(
      "judge",
      { needs: {} },
      (): Effect.Effect<Reply.Reply<Part.Part>, string> => Effect.fail("down")
    )
    return Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(ask("?"))).reason, "Model")
    }).pipe(Effect.provide(Classify.layerModel({ handler, labels: { a: null, b: null } })))
  })
})

describe("DecisionModel", () => {
  const labels = { billing: "payments", other: null }
  const provider = (decide: Parameters0["decide"]) =>
    Layer.effect(DecisionModel.DecisionModel, DecisionModel.make({ decide }))
  type Parameters0 = {
    readonly decide: (
      options: DecisionModel.ProviderOptions<any>
    ) => Effect.Effect<DecisionModel.ProviderResponse, AiError.AiError>
  }
  const usage = { inputTokens: 1, outputTokens: 1 }

  it.effect("gives its probabilities", () =>
    Effect.gen(function* () {
      const classified = yield* ask("Where is my invoice?")
      assert.strictEqual(classified.label, "billing")
      assert.deepStrictEqual(classified.probabilities, { billing: 0.7, other: 0.3 })
    }).pipe(
      Effect.provide(Classify.layerDecisionModel({ labels })),
      Effect.provide(
        provider(() =>
          Effect.succeed({
            answers: { label: { _tag: "Classify", label: "billing", probabilities: { billing: 0.7, other: 0.3 } } },
            usage
          })
        )
      )
    )
  )

  it.effect("is asked label by label where it gives no distribution, and refusals count nothing", () =>
    Effect.gen(function* () {
      const classified = yield* ask("Where is my invoice?")
      assert.deepStrictEqual(classified.probabilities, { billing: 1, other: 0 })
    }).pipe(
      Effect.provide(Classify.layerDecisionModel({ labels })),
      Effect.provide(
        provider(({ decisions }) =>
          Effect.succeed({
            answers:
              "label" in decisions
                ? { label: { _tag: "Classify", label: "billing" } }
                : { billing: { _tag: "Probability", probability: 0.6 }, other: { _tag: "Refusal" } },
            usage
          })
        )
      )
    )
  )

  it.effect("that refuses is a typed error", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(ask("?"))).reason, "InvalidAnswer")
    }).pipe(
      Effect.provide(Classify.layerDecisionModel({ labels })),
      Effect.provide(provider(() => Effect.succeed({ answers: { label: { _tag: "Refusal" } }, usage })))
    )
  )

  it.effect("can be a local classifier", () =>
    Effect.gen(function* () {
      const definition = Decision.make({
        input: Schema.Struct({ question: Schema.String }),
        decisions: {
          kind: Decision.classify({ instructions: "which", criteria: { code: null, maths: null } }),
          weather: Decision.classify({ instructions: "which", criteria: { rain: null, sun: null } })
        }
      })
      const { outcomes } = yield* DecisionModel.decideSettled(definition, {
        input: { question: "Write a JavaScript function that sorts an array" }
      })
      const kind = Result.getOrThrow(outcomes.kind)
      assert.strictEqual(kind.label, "code")
      assert.closeTo(kind.probabilities.code + kind.probabilities.maths, 1, 1e-6)
      assert.isTrue(Result.isFailure(outcomes.weather))
    }).pipe(Effect.provide(Classify.layerAsDecisionModel), Effect.provide(Classify.layer))
  )
})

describe("layerCascade", () => {
  const first = Classify.layerTest((text) => ({ label: "first", confidence: text === "sure" ? 0.9 : 0.5 }))
  const failing = Layer.succeed(Classify.Classifier, {
    labels: [],
    classify: () => Effect.fail(new Classify.ClassifyError({ reason: "Model", message: "down" }))
  })

  it.effect("asks the second when the first is unsure, and stays with the first when the second fails", () =>
    Effect.gen(function* () {
      const asked = (second: Layer.Layer<Classify.Classifier>, text: string) =>
        Effect.map(
          Effect.provide(ask(text), Classify.layerCascade({ first, second, confidenceAtLeast: 0.8 })),
          (classified) => classified.label
        )
      const second = Classify.layerTest({ label: "second" })
      assert.strictEqual(yield* asked(second, "sure"), "first")
      assert.strictEqual(yield* asked(second, "unsure"), "second")
      assert.strictEqual(yield* asked(failing, "unsure"), "first")
    })
  )
})

describe("classify", () => {
  const unsure = Classify.layerTest({ label: "unknown", best: "code" })

  it.effect("passes on unknown, takes the best label or refuses, as the policy says", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* run("?"), "unknown of code")
      assert.strictEqual(yield* Effect.provideService(run("?"), Classify.UnknownPolicy, "best"), "code of code")
      const error = yield* Effect.flip(Effect.provideService(run("?"), Classify.UnknownPolicy, "refuse"))
      assert.strictEqual(error.reason, "Unknown")
    }).pipe(Effect.provide(unsure))
  )

  it.effect("leaves figures and names in the journal, and no text", () =>
    Effect.gen(function* () {
      const journal = Journal.make()
      yield* Effect.provideService(run("canary-7731 is a function"), Journal.Journal, journal)
      assert.deepStrictEqual(journal.events(), [
        {
          _tag: "Fact",
          stage: "classify",
          name: "Classification",
          attributes: { label: "code", confidence: 0.9, language: "en", source: "rules" }
        }
      ])
    }).pipe(Effect.provide(rules))
  )
})

/**
 * Says what a request is: its kind, how sure that is, its language, and, where trained for it, its complexity and sensitivity.
 *
 * `classify` needs `RawPrompt` and adds `Classification`. What does the work is a layer of `Classifier`: `layer` knows eleven kinds
 * of request, in English and Chinese, and answers in microseconds without any model; `layerLinear` loads your own artefact, trained
 * by `interlock learn classifier`; `layerRules` takes predicates and patterns; `layerModel` asks a model; `layerDecisionModel` any
 * `effect/ai` `DecisionModel`; `layerCascade` asks a second when the first is unsure. `unknown` is an answer, and `UnknownPolicy`
 * says what happens then.
 *
 * ```ts
 * import { Pipeline } from "@interlock/core"
 * import { Chat, RawPrompt } from "@interlock/model"
 * import { classify } from "@interlock/stages/classify"
 *
 * const start = Pipeline.make("support", { input: [RawPrompt], protocol: Chat.protocol }).use(classify)
 * // start.use(selectModel).use(redact).to(callModel)
 * ```
 *
 * @since 0.1.0
 */
import { readFile } from "node:fs/promises"
import { type Handler, Reply, Stage } from "@interlock/core"
import { Caller, Chat, Journal, Parameters, type Part, Prompt, RawPrompt } from "@interlock/model"
import { Context, Effect, Layer, Predicate, Result, Schema } from "effect"
import { AiError, Decision, DecisionModel } from "effect/ai"
import { ArtefactError } from "./artefact.ts"
import { language } from "./classify/language.ts"
import * as LinearModel from "./classify/linearModel.ts"
import { layerServices } from "./internal/layerServices.ts"
import * as WordVectors from "./wordVectors.ts"

export { ArtefactError } from "./artefact.ts"

/**
 * How far a text may travel.
 *
 * @category models
 * @since 0.1.0
 */
export type Sensitivity = "public" | "internal" | "restricted"

/**
 * What a classifier says of a request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Classified {
  /** One of the classifier's labels, or `unknown`. */
  readonly label: string
  /** The most probable label, even where `label` is `unknown`; absent where there is none. */
  readonly best?: string
  /** Of each label, given that the request is one of them; they add up to 1, unless there are none. */
  readonly probabilities: { readonly [label: string]: number }
  /** From 0 to 1: how likely `label` is right, or, for `unknown`, how likely the best label would have been. */
  readonly confidence: number
  /** BCP 47, or `und`. */
  readonly language: string
  /** From 0, trivial, to 1, hard; where an artefact was trained for it. */
  readonly complexity?: number
  /** Where an artefact was trained for it. */
  readonly sensitivity?: Sensitivity
  /** Which layer said so. */
  readonly source: string
}

/**
 * The fact that says what a request is.
 *
 * @category facts
 * @since 0.1.0
 */
export class Classification extends Context.Service<Classification, Classified>()("@interlock/stages/Classification") {}

/**
 * Why a request has no classification. `Unknown`: it is out of scope, and the policy refuses those. `Model`: the model that was
 * asked failed. `InvalidAnswer`: it answered something else than a label.
 *
 * @category errors
 * @since 0.1.0
 */
export class ClassifyError extends Schema.TaggedError<ClassifyError>()("@interlock/stages/ClassifyError", {
  reason: Schema.Literals(["Unknown", "Model", "InvalidAnswer"]),
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * What becomes of a request that is `unknown`: it goes on as `unknown`, it goes on under its best label, or it fails.
 *
 * @category references
 * @since 0.1.0
 */
export const UnknownPolicy: Context.Reference<"pass" | "best" | "refuse"> = Context.Reference(
  "@interlock/stages/UnknownPolicy",
  { defaultValue: (): "pass" | "best" | "refuse" => "pass" }
)

/**
 * Tells what a request is.
 *
 * @category services
 * @since 0.1.0
 */
export class Classifier extends Context.Service<
  Classifier,
  {
    /** What it can answer, without `unknown`. */
    readonly labels: ReadonlyArray<string>
    readonly classify: (prompt: Prompt.Prompt) => Effect.Effect<Classified, ClassifyError>
  }
>()("@interlock/stages/Classifier") {}

/**
 * What a rule looks at.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly prompt: Prompt.Prompt
  /** The text of the last message of the user. */
  readonly text: string
  /** BCP 47, or `und`. */
  readonly language: string
}

/**
 * A label and when it holds: a pattern that the user's last text matches, or a predicate.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rule<out Label extends string = string> {
  readonly label: Label
  readonly when: RegExp | ((request: Request) => boolean)
  /** How sure the rule is, from 0 to 1. Default 1. */
  readonly confidence?: number
  readonly sensitivity?: Sensitivity
}

/**
 * Answers with the first rule that holds, and `unknown` when none does.
 *
 * ```ts
 * import { layerRules } from "@interlock/stages/classify"
 *
 * const layer = layerRules([
 *   { label: "code", when: /```|\bfunction\b|\bstack ?trace\b/i },
 *   { label: "long", when: ({ text }) => text.length > 20_000 }
 * ])
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRules = <const Label extends string>(rules: ReadonlyArray<Rule<Label>>): Layer.Layer<Classifier> =>
  Layer.succeed(Classifier, {
    labels: [...new Set(rules.map((rule) => rule.label))],
    classify: (prompt) =>
      Effect.sync(() => {
        const text = Prompt.lastUserText(prompt)
        const request: Request = { prompt, text, language: language(text) }
        for (const { confidence = 1, label, sensitivity, when } of rules) {
          // `search` ignores `lastIndex`, so a pattern with the flag `g` answers the same every time.
          if (when instanceof RegExp ? text.search(when) < 0 : !when(request)) continue
          return {
            label,
            best: label,
            probabilities: { [label]: 1 },
            confidence,
            language: request.language,
            ...(sensitivity === undefined ? undefined : { sensitivity }),
            source: "rules"
          }
        }
        return { label: "unknown", probabilities: {}, confidence: 0, language: request.language, source: "rules" }
      })
  })

/**
 * Where an artefact is: a file, or its bytes.
 *
 * @category models
 * @since 0.1.0
 */
export type Artefact = string | URL | Uint8Array

/**
 * Loads a linear model, wholly checked.
 *
 * @category constructors
 * @since 0.1.0
 */
export const loadArtefact = Effect.fnUntraced(function* (artefact: Artefact) {
  const bytes =
    artefact instanceof Uint8Array
      ? artefact
      : yield* Effect.tryPromise({
          try: () => readFile(artefact),
          catch: () =>
            new ArtefactError({
              reason: "Missing",
              message: `there is no artefact at ${String(artefact)}: train one with \`interlock learn classifier\``
            })
        })
  return yield* Effect.fromResult(LinearModel.decode(bytes))
})

const loadPredictor = (model: LinearModel.LinearModel) =>
  Effect.flatMap(WordVectors.english, (vectors) => Effect.fromResult(LinearModel.predictor(model, vectors)))

const sensitivities: ReadonlyArray<Sensitivity> = ["public", "internal", "restricted"]

const isSensitivity = (label: string): label is Sensitivity => sensitivities.some((each) => each === label)

const isShare = (label: string): boolean => Number(label) >= 0 && Number(label) <= 1

const loadFor = Effect.fnUntraced(function* (
  artefact: Artefact,
  what: string,
  isOne: (label: string) => boolean,
  wanted: string
) {
  const model = yield* loadArtefact(artefact)
  const other = model.manifest.labels.find((label) => !isOne(label))
  if (other !== undefined) {
    return yield* new ArtefactError({
      reason: "Foreign",
      message: `the artefact for ${what} has the label "${other}": its labels must be ${wanted}`
    })
  }
  return { labels: model.manifest.labels, predict: yield* loadPredictor(model) }
})

/**
 * Answers from artefacts that `interlock learn classifier` trained: the label, and, where given, complexity (labels `0` to `1`,
 * such as `0`, `0.5` and `1`, averaged by their probabilities) and sensitivity (`public`, `internal`, `restricted`). The user's last
 * text is classified on this thread, in tens of microseconds.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerLinear = (options: {
  readonly artefact: Artefact
  readonly complexity?: Artefact
  readonly sensitivity?: Artefact
  /** Below it, `unknown` (0 to 1). By default, the threshold that was chosen in training. */
  readonly inScopeAtLeast?: number
}): Layer.Layer<Classifier, ArtefactError> =>
  Layer.effect(
    Classifier,
    Effect.gen(function* () {
      const model = yield* loadArtefact(options.artefact)
      const predict = yield* loadPredictor(model)
      const complexity =
        options.complexity === undefined
          ? undefined
          : yield* loadFor(options.complexity, "complexity", isShare, "numbers from 0 to 1")
      const sensitivity =
        options.sensitivity === undefined
          ? undefined
          : yield* loadFor(options.sensitivity, "sensitivity", isSensitivity, sensitivities.join(", "))
      const { labels } = model.manifest
      return {
        labels,
        classify: (prompt) =>
          Effect.sync(() => {
            const text = Prompt.lastUserText(prompt)
            const prediction = predict(text)
            const unknown =
              options.inScopeAtLeast === undefined ? prediction.unknown : prediction.inScope < options.inScopeAtLeast
            const probabilities: Record<string, number> = {}
            for (let index = 0; index < labels.length; index++) {
              probabilities[labels[index]!] = prediction.probabilities[index]!
            }
            const hard = complexity?.predict(text)
            const secret = sensitivity?.predict(text).label
            return {
              label: unknown ? "unknown" : prediction.label,
              best: prediction.label,
              probabilities,
              confidence: prediction.confidence,
              language: language(text),
              ...(hard === undefined || complexity === undefined
                ? undefined
                : {
                    complexity: complexity.labels.reduce(
                      (sum, level, index) => sum + Number(level) * hard.probabilities[index]!,
                      0
                    )
                  }),
              ...(secret === undefined || !isSensitivity(secret) ? undefined : { sensitivity: secret }),
              source: "linear"
            }
          })
      }
    })
  )

/**
 * What a model is told of a label; `null` where the label says it all.
 *
 * @category models
 * @since 0.1.0
 */
export type Criteria = { readonly [label: string]: string | null }

const listed = (criteria: Criteria): string =>
  Object.entries(criteria)
    .map(([label, description]) => (description === null ? `- ${label}` : `- ${label}: ${description}`))
    .join("\n")

const ModelAnswer = Schema.fromJsonString(
  Schema.Struct({ label: Schema.String, confidence: Schema.optionalKey(Schema.Finite) })
)

const decodeModelAnswer = Schema.decodeUnknownResult(ModelAnswer)

/**
 * Asks a chat model, through any handler that takes a prompt, parameters and a caller. A closed pipeline is a handler: put `redact`
 * into it, so that the text leaves redacted. The answer is JSON of a schema; anything else than a label is an `InvalidAnswer`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerModel = <E, R>(options: {
  readonly handler: Handler.Handler<RawPrompt | Parameters | Caller, Part.Part, E, R>
  readonly labels: Criteria
  readonly instructions?: string
  /** On whose behalf it is asked: what `redact`, limits and budgets in the handler go by. Default: the tenant `classify`. */
  readonly caller?: Caller["Service"]
}): Layer.Layer<Classifier, never, R> =>
  Layer.effect(
    Classifier,
    Effect.gen(function* () {
      const services = yield* layerServices<R>()
      const labels = Object.keys(options.labels)
      const system = [
        options.instructions ?? "Say which kind of request the user's text is. Do not carry the request out.",
        `The kinds:\n${listed(options.labels)}\n- unknown: none of these`,
        'Answer with JSON: {"label": the kind, "confidence": from 0 to 1}.'
      ].join("\n\n")
      const settings = {
        temperature: 0,
        maxOutputTokens: 200,
        responseFormat: {
          type: "json",
          name: "classification",
          schema: {
            type: "object",
            properties: {
              label: { type: "string", enum: [...labels, "unknown"] },
              confidence: { type: "number", minimum: 0, maximum: 1 }
            },
            required: ["label", "confidence"],
            additionalProperties: false
          }
        }
      } as const
      return {
        labels,
        classify: Effect.fnUntraced(function* (prompt: Prompt.Prompt) {
          const text = Prompt.lastUserText(prompt)
          const facts = Context.mergeAll(
            Caller.context(options.caller ?? { tenant: "classify" }),
            RawPrompt.context(
              Prompt.make([
                { role: "system", content: system },
                { role: "user", content: text }
              ])
            ),
            Parameters.context(settings)
          )
          const parts = yield* Effect.scoped(Effect.flatMap(options.handler.handle(facts), Reply.collect)).pipe(
            Effect.provide(services),
            Effect.mapError(
              (cause) =>
                new ClassifyError({
                  reason: "Model",
                  message: `the model behind ${options.handler.name} could not be asked what the request is`,
                  cause
                })
            )
          )
          const answer = parts.reduce(Chat.protocol.append, Chat.protocol.empty())
          const json = /\{[^{}]*\}/.exec(answer.text)?.[0] ?? answer.text
          const decoded = decodeModelAnswer(json)
          const label = Result.isSuccess(decoded) ? decoded.success.label : undefined
          if (Result.isFailure(decoded) || label === undefined || (label !== "unknown" && !labels.includes(label))) {
            return yield* new ClassifyError({
              reason: "InvalidAnswer",
              message: `the model behind ${options.handler.name} answered no kind of request: it must be one of ${labels.join(", ")} or unknown`
            })
          }
          const confidence = Math.min(1, Math.max(0, decoded.success.confidence ?? 1))
          return {
            label,
            ...(label === "unknown" ? undefined : { best: label }),
            probabilities: label === "unknown" ? {} : spread(labels, label, confidence),
            confidence,
            language: language(text),
            source: "model"
          }
        })
      }
    })
  )

/** All of what the label does not have, in equal parts over the others. */
const spread = (labels: ReadonlyArray<string>, label: string, confidence: number): Record<string, number> =>
  Object.fromEntries(
    labels.map((each) => [
      each,
      labels.length === 1 ? 1 : each === label ? confidence : (1 - confidence) / (labels.length - 1)
    ])
  )

/**
 * Asks the `DecisionModel` of `effect/ai`: one decision with probabilities. Where the provider gives none, it is asked for the
 * probability of each label on its own, and those that it settles are weighed against each other.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerDecisionModel = (options: {
  readonly labels: Criteria
  readonly instructions?: string
  /** Below it, `unknown` (0 to 1). Default 0: never. */
  readonly confidenceAtLeast?: number
}): Layer.Layer<Classifier, never, DecisionModel.DecisionModel> =>
  Layer.effect(
    Classifier,
    Effect.gen(function* () {
      const model = yield* DecisionModel.DecisionModel
      const labels = Object.keys(options.labels)
      const instructions = options.instructions ?? "Which kind of request this is"
      const atOnce = Decision.make({
        input: Schema.String,
        decisions: { label: Decision.classify({ instructions, criteria: options.labels }) }
      })
      const each = Decision.make({
        input: Schema.String,
        decisions: Object.fromEntries(
          labels.map((label) => [
            label,
            Decision.probability({
              instructions: `${instructions}: ${label}${options.labels[label] === null ? "" : ` (${options.labels[label]})`}`
            })
          ])
        )
      })
      const failed = (cause: unknown) =>
        new ClassifyError({
          reason: "Model",
          message: "the decision model could not be asked what the request is",
          cause
        })
      const invalid = (description: string) =>
        new ClassifyError({
          reason: "InvalidAnswer",
          message: `the decision model gave no kind of request: ${description}`
        })
      return {
        labels,
        classify: Effect.fnUntraced(function* (prompt: Prompt.Prompt) {
          const text = Prompt.lastUserText(prompt)
          const { outcomes } = yield* Effect.mapError(model.decideSettled(atOnce, { input: text }), failed)
          let probabilities: Record<string, number> = {}
          if (Result.isSuccess(outcomes.label)) probabilities = { ...outcomes.label.success.probabilities }
          else if (outcomes.label.failure.reason !== "NoDistribution") {
            return yield* invalid(outcomes.label.failure.description)
          } else {
            const settled = yield* Effect.mapError(model.decideSettled(each, { input: text }), failed)
            let total = 0
            for (const label of labels) {
              const outcome = settled.outcomes[label]
              const probability = outcome !== undefined && Result.isSuccess(outcome) ? outcome.success.probability : 0
              probabilities[label] = probability
              total += probability
            }
            if (total === 0) return yield* invalid("it gave neither probabilities of the labels nor of any one of them")
            for (const label of labels) probabilities[label]! /= total
          }
          const best = labels.reduce((best, label) => (probabilities[label]! > probabilities[best]! ? label : best))
          const confidence = probabilities[best]!
          return {
            label: confidence < (options.confidenceAtLeast ?? 0) ? "unknown" : best,
            best,
            probabilities,
            confidence,
            language: language(text),
            source: "decision"
          }
        })
      }
    })
  )

const textOf = (state: unknown): string =>
  typeof state === "string"
    ? state
    : Predicate.isObject(state)
      ? Object.values(state)
          .map(textOf)
          .filter((text) => text !== "")
          .join("\n")
      : ""

/**
 * Lets a classifier answer as a `DecisionModel` of `effect/ai`: decisions that classify or rate with labels that the classifier
 * knows. Others are left unanswered. Probabilities of the labels asked for are made to add up to 1.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerAsDecisionModel: Layer.Layer<DecisionModel.DecisionModel, never, Classifier> = Layer.effect(
  DecisionModel.DecisionModel,
  Effect.gen(function* () {
    const classifier = yield* Classifier
    const restrict = (classified: Classified, asked: ReadonlyArray<string>): Record<string, number> | undefined => {
      const total = asked.reduce((sum, label) => sum + (classified.probabilities[label] ?? 0), 0)
      if (total === 0 || !asked.every((label) => classifier.labels.includes(label))) return undefined
      return Object.fromEntries(asked.map((label) => [label, (classified.probabilities[label] ?? 0) / total]))
    }
    return yield* DecisionModel.make({
      decide: ({ decisions, state }) =>
        classifier.classify(Prompt.make(textOf(state))).pipe(
          Effect.mapError((error) =>
            AiError.make({
              module: "Classifier",
              method: "decide",
              reason: new AiError.UnknownError({ description: error.message })
            })
          ),
          Effect.map((classified) => {
            const answers: Record<string, DecisionModel.ProviderAnswer> = {}
            for (const [key, decision] of Object.entries(decisions)) {
              if (decision._tag === "Classify") {
                const labels = Object.keys(decision.criteria)
                const probabilities = restrict(classified, labels)
                if (probabilities === undefined) continue
                const label = labels.reduce((best, each) => (probabilities[each]! > probabilities[best]! ? each : best))
                answers[key] = { _tag: "Classify", label, probabilities, confidence: probabilities[label] }
              } else if (decision._tag === "Rate") {
                const levels = decision.criteria.map((level) => level.label)
                const probabilities = restrict(classified, levels)
                if (probabilities === undefined) continue
                const rating = levels.reduce((sum, level, index) => sum + index * probabilities[level]!, 0)
                answers[key] = { _tag: "Rate", rating, probabilities }
              }
            }
            return { answers, usage: { inputTokens: 0, outputTokens: 0 } }
          })
        )
    })
  })
)

/**
 * Asks the first classifier, and the second where the first says `unknown` or is less sure than `confidenceAtLeast`. When the
 * second fails, the first one's answer stands.
 *
 * ```ts
 * import { layer, layerCascade, layerRules } from "@interlock/stages/classify"
 *
 * const rulesThenLocal = layerCascade({ first: layerRules([{ label: "code", when: /```/ }]), second: layer, confidenceAtLeast: 0.8 })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerCascade = <E1, R1, E2, R2>(options: {
  readonly first: Layer.Layer<Classifier, E1, R1>
  readonly second: Layer.Layer<Classifier, E2, R2>
  readonly confidenceAtLeast: number
}): Layer.Layer<Classifier, E1 | E2, R1 | R2> =>
  Layer.effect(
    Classifier,
    Effect.gen(function* () {
      const first = Context.get(yield* Layer.build(options.first), Classifier)
      const second = Context.get(yield* Layer.build(options.second), Classifier)
      return {
        labels: [...new Set([...first.labels, ...second.labels])],
        classify: (prompt) =>
          Effect.flatMap(first.classify(prompt), (classified) =>
            classified.label !== "unknown" && classified.confidence >= options.confidenceAtLeast
              ? Effect.succeed(classified)
              : Effect.orElseSucceed(second.classify(prompt), () => classified)
          )
      }
    })
  )

/**
 * Answers what the test says: the same for every request, or by the user's last text.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTest = (
  answer: Partial<Classified> | ((text: string) => Partial<Classified>)
): Layer.Layer<Classifier> =>
  Layer.succeed(Classifier, {
    labels: [],
    classify: (prompt) =>
      Effect.sync(() => {
        const text = Prompt.lastUserText(prompt)
        const given = typeof answer === "function" ? answer(text) : answer
        const label = given.label ?? "unknown"
        return {
          label,
          probabilities: label === "unknown" ? {} : { [label]: 1 },
          confidence: label === "unknown" ? 0 : 1,
          language: language(text),
          source: "test",
          ...given
        }
      })
  })

/**
 * The kinds of request that the classifier of the project knows.
 *
 * @category models
 * @since 0.1.0
 */
export type RequestType =
  | "code"
  | "conversation"
  | "creative"
  | "extraction"
  | "image generation"
  | "maths"
  | "polishing"
  | "question answering"
  | "summarising"
  | "text generation"
  | "translation"

/**
 * The classifier of the project: eleven kinds of request (see `RequestType`), English and Chinese, trained on prompts that the project
 * wrote itself.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Classifier, ArtefactError> = layerLinear({
  artefact: new URL("../artefacts/request-type.classifier", import.meta.url)
})

/**
 * Adds the `Classification` of the user's last text, under the `UnknownPolicy`.
 *
 * @category stages
 * @since 0.1.0
 */
export const classify = Stage.derive(
  "classify",
  { needs: { prompt: RawPrompt }, adds: Classification },
  Effect.fnUntraced(function* ({ prompt }) {
    const classifier = yield* Classifier
    const policy = yield* UnknownPolicy
    const classified = yield* classifier.classify(prompt)
    if (classified.label === "unknown" && policy === "refuse") {
      yield* Journal.record({ _tag: "Refusal", stage: "classify", reason: "Unknown" })
      return yield* new ClassifyError({
        reason: "Unknown",
        message: `the request is none of ${classifier.labels.join(", ")}: send another, or set UnknownPolicy to "pass" or "best"`
      })
    }
    const settled =
      classified.label === "unknown" && policy === "best" && classified.best !== undefined
        ? { ...classified, label: classified.best }
        : classified
    yield* Journal.record({
      _tag: "Fact",
      stage: "classify",
      name: "Classification",
      attributes: {
        label: settled.label,
        confidence: settled.confidence,
        language: settled.language,
        source: settled.source,
        ...(settled.complexity === undefined ? undefined : { complexity: settled.complexity }),
        ...(settled.sensitivity === undefined ? undefined : { sensitivity: settled.sensitivity })
      }
    })
    return settled
  })
)

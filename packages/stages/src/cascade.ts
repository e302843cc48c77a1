/**
 * `cascade` asks a cheap model first, judges its answer, and goes up to a better model when the answer is not good enough. Judging
 * what was written tells far more than guessing from the question; what it takes is a second call for the hard part of the traffic.
 *
 * The judge is a value: a verifier of one's own, agreement of the cheap model with itself, a judge model, or a score that was
 * learned on questions and answers. Every model asked leaves its own `Attempt` in the journal, so that all costs are counted; a
 * `totalCost` above adds them up.
 *
 * @since 0.1.0
 */
import { type Handler, Reply } from "@interlock/core"
import {
  Caller,
  type Catalogue,
  Chat,
  type Choice,
  ChosenModel,
  Journal,
  ModelError,
  type ModelReference,
  Parameters,
  Part,
  Prompt,
  SafePrompt
} from "@interlock/model"
import { Context, Effect, Option, type Scope } from "effect"
import { LanguageModel } from "effect/ai"
import { Classification } from "./classify.ts"
import { tryOnce } from "./retry.ts"
import * as Candidates from "./selectModel/candidates.ts"
import * as Predictor from "./selectModel/predictor.ts"

// ---------------------------------------------------------------------------------------------------------------
// Judges
// ---------------------------------------------------------------------------------------------------------------

/**
 * What a judge sees.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answered<E = never, R = never> {
  readonly prompt: Prompt.Prompt
  readonly model: ModelReference
  readonly answer: Chat.Answer
  /** Asks the same model once more. */
  readonly again: Effect.Effect<Chat.Answer, E, R>
}

/**
 * Says how good an answer is, from 0 to 1. A judge that fails counts as 0: the cascade goes up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Judge<out R = never> {
  readonly name: string
  readonly judge: <E, R2>(answered: Answered<E, R2>) => Effect.Effect<number, unknown, R | R2>
}

/**
 * A check of one's own: whether a program compiles, JSON fits its schema, an address exists. `true` is 1; a check that throws has
 * failed.
 *
 * @category judges
 * @since 0.1.0
 */
export const verifier = (
  name: string,
  check: (prompt: Prompt.Prompt, answer: Chat.Answer) => boolean | number
): Judge => ({
  name,
  judge: ({ answer, prompt }) => Effect.try({ try: () => Number(check(prompt, answer)), catch: (cause) => cause })
})

/**
 * Whether two answers say the same, for `selfAgreement`: their last numbers are equal, or, where one has none, most of their words.
 *
 * @category judges
 * @since 0.1.0
 */
export const sayTheSame = (one: string, other: string): boolean => {
  const last = (text: string) =>
    text
      .match(/-?\d[\d,]*(?:\.\d+)?/g)
      ?.at(-1)
      ?.replaceAll(",", "")
  const a = last(one)
  const b = last(other)
  if (a !== undefined && b !== undefined) return Number(a) === Number(b)
  const words = (text: string) => new Set(text.toLowerCase().match(/\p{Script=Han}|[\p{L}\p{N}]+/gu) ?? [])
  const mine = words(one)
  const theirs = words(other)
  let both = 0
  for (const word of mine) if (theirs.has(word)) both++
  const all = mine.size + theirs.size - both
  return all === 0 || both / all >= 0.7
}

/**
 * The share of `samples` further answers (default 2) of the cheap model that say the same (self-consistency: Wang et al. 2022).
 * Of use only where the model does not answer the same thing every time (temperature above 0).
 *
 * @category judges
 * @since 0.1.0
 */
export const selfAgreement = (options?: {
  readonly samples?: number
  readonly same?: (one: string, other: string) => boolean
}): Judge => ({
  name: "selfAgreement",
  judge: ({ again, answer }) => {
    const samples = options?.samples ?? 2
    const same = options?.same ?? sayTheSame
    return Effect.map(
      Effect.all(
        Array.from({ length: samples }, () => again),
        { concurrency: "unbounded" }
      ),
      (others) => others.filter((other) => same(answer.text, other.text)).length / samples
    )
  }
})

/**
 * A judge model: the `LanguageModel` in the context grades the answer from 0 to 10. It sees the question and the answer as the
 * cascade does, that is, redacted.
 *
 * @category judges
 * @since 0.1.0
 */
export const judgeModel: Judge<LanguageModel.LanguageModel> = {
  name: "judgeModel",
  judge: ({ answer, prompt }) =>
    Effect.flatMap(
      LanguageModel.generateText({
        prompt: `You grade answers. Say only a whole number from 0 (wrong or useless) to 10 (correct and complete).\n\n<question>\n${Prompt.lastUserText(prompt)}\n</question>\n\n<answer>\n${answer.text}\n</answer>\n\nGrade:`
      }),
      ({ text }) => {
        const grade = /^\D*(10|\d)(?:\D|$)/.exec(text)?.[1]
        return grade === undefined ? Effect.fail("no grade") : Effect.succeed(Number(grade) / 10)
      }
    )
}

/**
 * A score learned on questions and answers by `interlock learn router`: 1 less the quality that the better model is expected to add.
 * `names` says what the models were called in the training rows; by default their `model`.
 *
 * @category judges
 * @since 0.1.0
 */
export const learned = (
  predictor: Predictor.Predictor,
  options: { readonly better: string; readonly names?: (model: ModelReference) => string }
): Judge => ({
  name: "learned",
  judge: ({ answer, model, prompt }) =>
    Effect.suspend(() => {
      const name = options.names?.(model) ?? model.model
      const own = predictor.manifest.models.indexOf(name)
      const better = predictor.manifest.models.indexOf(options.better)
      if (own < 0 || better < 0 || !predictor.manifest.judges.includes(name)) {
        return Effect.fail(`the router has no judge for ${name}, or does not know ${options.better}`)
      }
      const expected = Predictor.qualitiesGiven(predictor, Prompt.lastUserText(prompt), name, answer.text)
      return Effect.succeed(Math.min(1, Math.max(0, 1 - (expected[better]! - expected[own]!))))
    })
})

// ---------------------------------------------------------------------------------------------------------------
// The handler
// ---------------------------------------------------------------------------------------------------------------

/**
 * The ladder of models, and when an answer is good enough. `allow`, `localOnly` and the other limits are those of `selectModel`: share
 * one value between both.
 *
 * @category models
 * @since 0.1.0
 */
export interface CascadeOptions<H extends Handler.Any, R> extends Omit<Candidates.Candidates, "models"> {
  /** The handler that calls a model: it reads `ChosenModel`. */
  readonly handler: H
  /**
   * From the cheapest to the best, all in the catalogue. Those that cannot or may not serve a request are left out for it; the answer of
   * the last that is left is not judged.
   */
  readonly models: readonly [ModelReference, ModelReference, ...ReadonlyArray<ModelReference>]
  readonly judge: Judge<R>
  /** The grade from which an answer is good enough, from 0 to 1. */
  readonly accept: number
}

/**
 * Makes a handler that asks the models in order until an answer is good enough. A model that cannot answer (a `ModelError` other
 * than `BadRequest`) is passed over. Nothing of a rejected answer goes up; the last model's reply may be live.
 *
 * As in `selectModel`, no model is asked that cannot serve the request (by what it reads, its context, tools, form of the answer) or
 * that policy forbids for it; `localOnly` sees the `Classification` where a stage above added one. When none is left, the call fails
 * with a `SelectModelError` and nothing is sent.
 *
 * What happened is said in the finish part's metadata under `interlock.cascade`: the models asked and their grades.
 *
 * @category constructors
 * @since 0.1.0
 */
export const cascade = <const H extends Handler.Handler<any, Part.Part, any, any>, R = never>(
  name: string,
  options: CascadeOptions<H, R>
): Handler.Handler<
  Exclude<Handler.NeedsOf<H>, ChosenModel> | SafePrompt | Caller | Parameters,
  Part.Part,
  Handler.ErrorOf<H> | Candidates.SelectModelError,
  Handler.ServicesOf<H> | R | Catalogue.Catalogue
> => {
  type E = Handler.ErrorOf<H> | Candidates.SelectModelError
  type Services = Handler.ServicesOf<H> | R | Catalogue.Catalogue
  const handle = options.handler.handle as (
    facts: Context.Context<any>
  ) => Effect.Effect<Reply.Reply<Part.Part, E>, E, Services | Scope.Scope>
  const fold = (parts: ReadonlyArray<Part.Part>): Chat.Answer =>
    parts.reduce(Chat.protocol.append, Chat.protocol.empty())
  const needs = new Set([
    SafePrompt,
    Caller,
    Parameters,
    ...options.handler.spec.needs.filter((fact) => fact !== ChosenModel)
  ])
  return {
    name,
    spec: { needs: [...needs] },
    handle: (facts: Context.Context<any>) =>
      Effect.gen(function* () {
        const prompt = Context.getUnsafe(facts, SafePrompt)
        const asked: Array<{
          readonly provider: string
          readonly model: string
          readonly grade?: number
          readonly error?: string
        }> = []
        const say = (reply: Reply.Reply<Part.Part, E>) =>
          Reply.map(reply, (part) => (part.type === "finish" ? Part.annotate(part, { cascade: asked }) : part))
        const classification = Option.getOrUndefined(Context.getOption(facts, Classification))
        const capable = yield* Candidates.capable(yield* Candidates.entriesOf(options.models), options, {
          prompt,
          settings: Context.getUnsafe(facts, Parameters),
          caller: Context.getUnsafe(facts, Caller),
          ...(classification === undefined ? {} : { classification })
        })
        const models = capable.map(({ entry: { model, provider } }): ModelReference => ({ provider, model }))
        const last = models.length - 1
        for (const [position, reference] of models.entries()) {
          const choice: Choice = {
            ...reference,
            reason: position === 0 ? "the cheapest of the cascade" : "the answers below were not good enough",
            candidates: models
          }
          const call = handle(Context.add(facts, ChosenModel, choice))
          if (position === last) {
            asked.push(reference)
            return say(yield* call)
          }
          const whole = tryOnce(
            Effect.flatMap(Effect.provideService(call, Reply.Delivery, "whole" as const), Reply.collect)
          )
          const answered = yield* Effect.result(whole)
          if (answered._tag === "Failure") {
            const error: unknown = answered.failure
            if (!(error instanceof ModelError.ModelError) || error.reason._tag === "BadRequest") {
              return yield* Effect.fail(answered.failure)
            }
            asked.push({ ...reference, error: error.reason._tag })
            continue
          }
          const parts = answered.success
          const grade = yield* options.judge
            .judge({ prompt, model: reference, answer: fold(parts), again: Effect.scoped(Effect.map(whole, fold)) })
            .pipe(Effect.catch(() => Effect.succeed(0)))
          asked.push({ ...reference, grade })
          yield* Journal.record({
            _tag: "Fact",
            stage: name,
            name: "Grade",
            attributes: { ...reference, grade, judge: options.judge.name, accepted: grade >= options.accept }
          })
          if (grade >= options.accept) return say(Reply.whole(parts))
        }
        return yield* Effect.die(new Error(`${name} has no models`))
      }) as Effect.Effect<Reply.Reply<Part.Part, E>, E, Services | Scope.Scope>
  }
}

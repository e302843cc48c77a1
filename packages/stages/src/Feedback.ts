/**
 * `Feedback` is what is heard of answers after they were given: a grade of a call by its id, from a user, a test or a judge model.
 * It keeps running means by class and model, which is what `layerBandit` of `selectModel` chooses by.
 *
 * @since 0.1.0
 */
import type { ModelReference } from "@interlock/model"
import { Context, Effect, Layer, Schema } from "effect"

/**
 * The id by which a call will be graded. Provide it around a call; without it, `selectModel` makes one up and records it in the
 * journal as `callId`.
 *
 * @category references
 * @since 0.1.0
 */
export const CallId: Context.Reference<string | undefined> = Context.Reference("@interlock/stages/CallId", {
  defaultValue: (): string | undefined => undefined
})

/**
 * A grade cannot be counted.
 *
 * @category errors
 * @since 0.1.0
 */
export class FeedbackError extends Schema.TaggedError<FeedbackError>()("FeedbackError", {
  reason: Schema.Literals(["UnknownCall", "InvalidQuality"]),
  message: Schema.String
}) {}

/**
 * How many grades there are, and their mean.
 *
 * @category models
 * @since 0.1.0
 */
export interface Grades {
  readonly count: number
  readonly mean: number
}

/**
 * Remembers which model answered a call, and takes its grade.
 *
 * @category services
 * @since 0.1.0
 */
export class Feedback extends Context.Service<
  Feedback,
  {
    /** Grades a call with a quality from 0 to 1, once; a call can be graded for as long as it is remembered. */
    readonly report: (callId: string, quality: number) => Effect.Effect<void, FeedbackError>
    /** Remembers that `model` was chosen for a call of the class `label`. */
    readonly remember: (callId: string, label: string, model: ModelReference) => Effect.Effect<void>
    /** Says that not the chosen model answered a call but `model`, after a fallback: the grade is its own. */
    readonly answered: (callId: string, model: ModelReference) => Effect.Effect<void>
    /** The grades of a model, in one class or in all. */
    readonly grades: (model: ModelReference, label?: string) => Effect.Effect<Grades>
  }
>()("@interlock/stages/Feedback") {}

const none: Grades = { count: 0, mean: 0 }

/**
 * Keeps grades in the memory of this process. Of calls that nobody grades, the oldest beyond `capacity` (default 100,000) are
 * forgotten.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = (options?: { readonly capacity?: number }): Layer.Layer<Feedback> =>
  Layer.sync(Feedback)(() => {
    const capacity = options?.capacity ?? 100_000
    const waiting = new Map<string, { readonly label: string; readonly model: string }>()
    const means = new Map<string, Grades>()
    const key = (model: string, label: string | undefined) => JSON.stringify([model, label ?? null])
    const nameOf = ({ model, provider }: ModelReference) => JSON.stringify([provider, model])
    const count = (at: string, quality: number) => {
      const before = means.get(at) ?? none
      means.set(at, { count: before.count + 1, mean: before.mean + (quality - before.mean) / (before.count + 1) })
    }
    return {
      remember: (callId, label, model) =>
        Effect.sync(() => {
          waiting.delete(callId)
          waiting.set(callId, { label, model: nameOf(model) })
          if (waiting.size > capacity) waiting.delete(waiting.keys().next().value!)
        }),
      answered: (callId, model) =>
        Effect.sync(() => {
          const call = waiting.get(callId)
          if (call !== undefined) waiting.set(callId, { ...call, model: nameOf(model) })
        }),
      report: (callId, quality) =>
        Effect.suspend(() => {
          if (!(quality >= 0 && quality <= 1)) {
            return Effect.fail(
              new FeedbackError({
                reason: "InvalidQuality",
                message: `A grade is a number from 0 to 1; call ${callId} was given ${quality}.`
              })
            )
          }
          const call = waiting.get(callId)
          if (call === undefined) {
            return Effect.fail(
              new FeedbackError({
                reason: "UnknownCall",
                message: `There is no call ${callId} to grade: it was graded before, or forgotten, or not chosen by this process. Provide Feedback.CallId around the call, and grade it once.`
              })
            )
          }
          waiting.delete(callId)
          count(key(call.model, call.label), quality)
          count(key(call.model, undefined), quality)
          return Effect.void
        }),
      grades: (model, label) => Effect.sync(() => means.get(key(nameOf(model), label)) ?? none)
    }
  })

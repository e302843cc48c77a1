/**
 * One try of one model, written into the journal however it ends: answered, failed or interrupted.
 *
 * @since 0.1.0
 */
import { Reply } from "@interlock/core"
import { Journal, type ModelError, type Part } from "@interlock/model"
import { Cause, Clock, Effect, Exit, type Scope, Stream } from "effect"

type Result = Effect.Effect<Reply.Reply<Part.Part, ModelError.ModelError>, ModelError.ModelError, Scope.Scope>

const finishOf = (parts: ReadonlyArray<Part.Part>): Part.FinishPart | undefined => {
  const last = parts.at(-1)
  return last?.type === "finish" ? last : parts.find((part) => part.type === "finish")
}

const failed = (
  cause: Cause.Cause<ModelError.ModelError>
): { readonly outcome: "failed" | "interrupted"; readonly error?: string } => {
  if (Cause.hasInterruptsOnly(cause)) return { outcome: "interrupted" }
  const error = Cause.findErrorOption(cause)
  return { outcome: "failed", error: error._tag === "Some" ? error.value.reason._tag : "Defect" }
}

/** Wraps a call so that it appends one `Attempt` to the journal, where there is one. */
export const recorded = (request: { readonly provider: string; readonly model: string }, call: Result): Result =>
  Effect.flatMap(Journal.current, (journal) => {
    if (journal === undefined) return call
    return Effect.flatMap(Clock.Clock, (clock) => {
      const startedAt = clock.currentTimeMillisUnsafe()
      const append = (end: {
        readonly outcome: "answered" | "failed" | "interrupted"
        readonly error?: string
        readonly usage?: Part.Usage
      }) =>
        journal.append({
          _tag: "Attempt",
          provider: request.provider,
          model: request.model,
          startedAt,
          endedAt: clock.currentTimeMillisUnsafe(),
          ...end
        })
      return call.pipe(
        Effect.onError((cause) => Effect.sync(() => append(failed(cause)))),
        Effect.flatMap((reply) => {
          if (reply._tag === "Whole") {
            const finish = finishOf(reply.parts)
            append({ outcome: "answered", ...(finish === undefined ? {} : { usage: finish.usage }) })
            return Effect.succeed(reply)
          }
          let finish: Part.FinishPart | undefined
          const seen = Reply.live(
            Stream.map(reply.parts, (part) => {
              if (part.type === "finish") finish = part
              return part
            })
          )
          return Reply.onExit(seen, (exit) =>
            Effect.sync(() => {
              const usage = finish === undefined ? {} : { usage: finish.usage }
              if (finish !== undefined) append({ outcome: "answered", ...usage })
              else if (Exit.isSuccess(exit)) append({ outcome: "interrupted", ...usage })
              else append({ ...failed(exit.cause as Cause.Cause<ModelError.ModelError>), ...usage })
            })
          )
        })
      )
    })
  })

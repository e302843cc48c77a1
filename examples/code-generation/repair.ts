/** The stage that makes an answer right: every answer is checked in the sandbox, and asked for again with what is wrong with it. */
import { Reply, Stage } from "@interlock/core"
import { Chat, Journal, Part, Prompt, RawPrompt } from "@interlock/model"
import { codeOf } from "@interlock/stages/judge"
import { check, type Verdict } from "@interlock/stages/judge/typescript"
import { Context, Effect } from "effect"
import { exerciseOf, type Requirement } from "./requirement.ts"

/** The requirement of the call in flight. */
export class Task extends Context.Service<Task, Requirement>()("code-generation/Task") {}

/** How often a model is asked for one requirement at most. */
export const Bounds: Context.Reference<{
  /** Answers to the requirement itself; the next is asked for only when the one before is not right. */
  readonly samples: number
  /** Answers to what is wrong with the best one so far. */
  readonly repairs: number
}> = Context.Reference("code-generation/Bounds", { defaultValue: () => ({ samples: 2, repairs: 2 }) })

/** An answer, and what the sandbox made of it. */
export interface Candidate extends Verdict {
  readonly kind: "sample" | "repair"
  readonly code: string
}

export const candidatesOf = (answer: Chat.Answer): ReadonlyArray<Candidate> =>
  (answer.metadata["candidates"] as ReadonlyArray<Candidate> | undefined) ?? []

/** The one that passes most tests; of several the later one, which was written with more known. */
export const best = <A extends { readonly share: number; readonly reason: string }>(
  candidates: ReadonlyArray<A>
): A | undefined =>
  candidates.reduce<A | undefined>(
    (found, each) =>
      found === undefined || each.share > found.share || (each.share === found.share && each.reason !== "Types")
        ? each
        : found,
    undefined
  )

export const repair = Stage.around<{ in: Part.Part; out: Part.Part }>()(
  "repair",
  { needs: { prompt: RawPrompt, task: Task }, adds: RawPrompt },
  Effect.fnUntraced(function* ({ prompt, task }, next) {
    const { repairs, samples } = yield* Bounds
    const exercise = exerciseOf(task)
    const tried: Array<Candidate & { readonly parts: ReadonlyArray<Part.Part> }> = []
    const ask = Effect.fnUntraced(function* (kind: Candidate["kind"], question: Prompt.Prompt) {
      const whole = Effect.scoped(Effect.flatMap(next(question), Reply.collect))
      const parts = yield* Effect.provideService(whole, Reply.Delivery, "whole" as const)
      const { text } = parts.reduce(Chat.protocol.append, Chat.protocol.empty())
      const verdict = yield* check(exercise, text)
      tried.push({ ...verdict, kind, code: codeOf(text), parts })
      yield* Journal.record({
        _tag: "Fact",
        stage: "repair",
        name: "Verdict",
        attributes: { kind, reason: verdict.reason, share: verdict.share }
      })
      return verdict.reason === "Passed"
    })
    let done = false
    for (let sample = 0; sample < samples && !done; sample++) done = yield* ask("sample", prompt)
    for (let turn = 0; turn < repairs && !done; turn++) {
      const { code, message } = best(tried)!
      done = yield* ask(
        "repair",
        Prompt.make([
          ...prompt.content,
          { role: "assistant", content: `\`\`\`ts\n${code}\n\`\`\`` },
          { role: "user", content: `That is not right yet:\n${message}\n\nWrite the whole code again.` }
        ])
      )
    }
    const { parts } = best(tried)!
    const candidates: ReadonlyArray<Candidate> = tried.map(({ parts: _, ...candidate }) => candidate)
    return Reply.map(Reply.whole(parts), (part) =>
      part.type === "finish" ? Part.annotate(part, { candidates }) : part
    )
  })
)

/**
 * `Chat` is the protocol of conversations with a language model: it folds parts, whole or live, into an `Answer`.
 *
 * @since 0.1.0
 */
import type { Pipeline } from "@interlock/core"
import type { Response } from "effect/ai"
import * as Part from "./Part.ts"

/**
 * A complete answer: the fold of its parts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  readonly text: string
  readonly reasoning: string
  readonly toolCalls: ReadonlyArray<Response.ToolCallPartEncoded>
  readonly toolResults: ReadonlyArray<Response.ToolResultPartEncoded>
  readonly files: ReadonlyArray<Response.FilePartEncoded>
  readonly sources: ReadonlyArray<Response.DocumentSourcePartEncoded | Response.UrlSourcePartEncoded>
  readonly finishReason: Part.FinishReason
  readonly usage: Part.Usage
  /** What Interlock says about the reply: cost, cache, clamped parameters. */
  readonly metadata: { readonly [key: string]: unknown }
}

/**
 * The answer of no parts.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty: Answer = {
  text: "",
  reasoning: "",
  toolCalls: [],
  toolResults: [],
  files: [],
  sources: [],
  finishReason: "unknown",
  usage: Part.noUsage,
  metadata: {}
}

const append = (answer: Answer, part: Part.Part): Answer => {
  switch (part.type) {
    case "text":
      return { ...answer, text: answer.text + part.text }
    case "text-delta":
      return { ...answer, text: answer.text + part.delta }
    case "reasoning":
      return { ...answer, reasoning: answer.reasoning + part.text }
    case "reasoning-delta":
      return { ...answer, reasoning: answer.reasoning + part.delta }
    case "tool-call":
      return { ...answer, toolCalls: [...answer.toolCalls, part] }
    case "tool-result":
      return { ...answer, toolResults: [...answer.toolResults, part] }
    case "file":
      return Part.isPartial(part) ? answer : { ...answer, files: [...answer.files, part] }
    case "source":
      return { ...answer, sources: [...answer.sources, part] }
    case "finish":
      return {
        ...answer,
        finishReason: part.reason,
        usage: part.usage,
        metadata: { ...answer.metadata, ...Part.interlock(part) }
      }
    default:
      return answer
  }
}

/**
 * The protocol of conversations: give it to `Pipeline.make`.
 *
 * ```ts
 * import { Chat, Part } from "@interlock/model"
 *
 * const answer = Part.text("Tomorrow.").reduce(Chat.protocol.append, Chat.protocol.empty())
 * console.assert(answer.text === "Tomorrow." && answer.finishReason === "stop")
 * ```
 *
 * @category protocols
 * @since 0.1.0
 */
export const protocol: Pipeline.Protocol<Part.Part, Answer> = { empty: () => empty, append }

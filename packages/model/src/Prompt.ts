/**
 * A `Prompt` is what a model is asked: messages with texts, files, tool calls and tool results, as plain JSON.
 *
 * Its shape is the encoded form of `effect/ai`'s `Prompt`, so nothing is converted on the way in, into a cache or into a
 * cassette. `Prompt<SafeText>` is the same with every text redacted.
 *
 * ```ts
 * import { Prompt, RawPrompt } from "@interlock/model"
 *
 * const prompt = Prompt.make([
 *   { role: "system", content: "Answer in one sentence." },
 *   { role: "user", content: "Where is my parcel?" }
 * ])
 * console.assert(Prompt.lastUserText(prompt) === "Where is my parcel?")
 * RawPrompt.context(prompt)
 * ```
 *
 * @since 0.1.0
 */
import { Context } from "effect"
import type { Prompt as EffectPrompt } from "effect/ai"
import * as Part from "./Part.ts"
import type { SafeText } from "./SafeText.ts"

/**
 * Messages in order, as plain JSON.
 *
 * @category models
 * @since 0.1.0
 */
export interface Prompt<out Text extends string = string> {
  readonly content: ReadonlyArray<Message<Text>>
}

/**
 * One message: of the system, the user, the assistant or a tool.
 *
 * @category models
 * @since 0.1.0
 */
export type Message<Text extends string = string> =
  | SystemMessage<Text>
  | UserMessage<Text>
  | AssistantMessage<Text>
  | ToolMessage

/**
 * What the application tells the model to be and do.
 *
 * @category models
 * @since 0.1.0
 */
export interface SystemMessage<out Text extends string = string>
  extends Omit<EffectPrompt.SystemMessageEncoded, "content"> {
  readonly content: Text
}

/**
 * What the user says, with files where there are any.
 *
 * @category models
 * @since 0.1.0
 */
export interface UserMessage<out Text extends string = string>
  extends Omit<EffectPrompt.UserMessageEncoded, "content"> {
  readonly content: Text | ReadonlyArray<TextPart<Text> | FilePart>
}

/**
 * What the model said before: texts, reasoning, files, tool calls and their results.
 *
 * @category models
 * @since 0.1.0
 */
export interface AssistantMessage<out Text extends string = string>
  extends Omit<EffectPrompt.AssistantMessageEncoded, "content"> {
  readonly content:
    | Text
    | ReadonlyArray<
        | TextPart<Text>
        | ReasoningPart<Text>
        | FilePart
        | ToolCallPart
        | ToolResultPart
        | EffectPrompt.ToolApprovalRequestPartEncoded
      >
}

/**
 * What tools returned.
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolMessage extends EffectPrompt.ToolMessageEncoded {}

/**
 * A piece of text.
 *
 * @category models
 * @since 0.1.0
 */
export interface TextPart<out Text extends string = string> extends Omit<EffectPrompt.TextPartEncoded, "text"> {
  readonly text: Text
}

/**
 * A piece of reasoning that the model gave before.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReasoningPart<out Text extends string = string>
  extends Omit<EffectPrompt.ReasoningPartEncoded, "text"> {
  readonly text: Text
}

/**
 * A file or an image: a media type with base64 data or a URL.
 *
 * @category models
 * @since 0.1.0
 */
export interface FilePart extends EffectPrompt.FilePartEncoded {}

/**
 * A call of a tool that the model asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolCallPart extends EffectPrompt.ToolCallPartEncoded {}

/**
 * What a tool returned.
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolResultPart extends EffectPrompt.ToolResultPartEncoded {}

/**
 * The fact that a call brings: the prompt as the user wrote it. Only stages above `redact` see it.
 *
 * @category facts
 * @since 0.1.0
 */
export class RawPrompt extends Context.Service<RawPrompt, Prompt>()("@interlock/model/RawPrompt") {}

/**
 * The fact that `redact` adds: the prompt with every personal value and secret replaced.
 *
 * @category facts
 * @since 0.1.0
 */
export class SafePrompt extends Context.Service<SafePrompt, Prompt<SafeText>>()("@interlock/model/SafePrompt") {}

/**
 * Makes a prompt of one user text, or of messages.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: string | ReadonlyArray<Message>): Prompt => ({
  content: typeof input === "string" ? [{ role: "user", content: input }] : input
})

/**
 * The messages that a reply becomes in the next prompt: what the model said, with its tool calls, and behind it what the tools
 * returned, where the reply has that. Part by part the metadata goes back to the provider: signatures of reasoning and of tool
 * calls, without which Anthropic, OpenAI and Google refuse a conversation with tools or answer it worse.
 *
 * ```ts
 * import { type Part, Prompt } from "@interlock/model"
 *
 * const asked = Prompt.make("Where is parcel 42?")
 * const reply: ReadonlyArray<Part.Part> = [
 *   { type: "reasoning", text: "I must look.", metadata: { anthropic: { signature: "c2ln" } } },
 *   { type: "tool-call", id: "call_1", name: "lookUp", params: { parcel: 42 } }
 * ]
 * const next = Prompt.make([
 *   ...asked.content,
 *   ...Prompt.fromParts(reply),
 *   {
 *     role: "tool",
 *     content: [{ type: "tool-result", id: "call_1", name: "lookUp", isFailure: false, result: { city: "Basel" } }]
 *   }
 * ])
 * console.assert(next.content.map(({ role }) => role).join() === "user,assistant,tool")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromParts = (parts: Iterable<Part.Part>): ReadonlyArray<Message> => {
  const said: Array<Exclude<AssistantMessage["content"], string>[number]> = []
  const returned: Array<ToolResultPart> = []
  for (const part of Part.toStanding(parts)) {
    const options = optionsOf(part)
    switch (part.type) {
      case "text":
      case "reasoning":
        said.push({ type: part.type, text: part.text, ...options })
        break
      case "file":
        if (!Part.isPartial(part)) said.push({ type: "file", mediaType: part.mediaType, data: part.data, ...options })
        break
      case "tool-call":
        said.push({
          type: "tool-call",
          id: part.id,
          name: part.name,
          params: part.params,
          ...(part.providerExecuted === true ? { providerExecuted: true } : {}),
          ...options
        })
        break
      case "tool-result": {
        if (part.preliminary === true) break
        const { id, isFailure, modelOutput, name, providerExecuted, result } = part
        const content: ToolResultPart = {
          type: "tool-result",
          id,
          name,
          isFailure,
          result,
          ...(modelOutput === undefined ? {} : { modelOutput }),
          ...(providerExecuted === true ? { providerExecuted } : {}),
          ...options
        }
        if (providerExecuted === true) said.push(content)
        else returned.push(content)
        break
      }
      case "tool-approval-request":
        said.push({
          type: "tool-approval-request",
          approvalId: part.approvalId,
          toolCallId: part.toolCallId,
          ...options
        })
    }
  }
  return [
    ...(said.length === 0 ? [] : [{ role: "assistant" as const, content: said }]),
    ...(returned.length === 0 ? [] : [{ role: "tool" as const, content: returned }])
  ]
}

/** What a provider said of a part, to be sent back to it; what Interlock said is nothing to a provider. */
const optionsOf = ({ metadata }: Part.Part): { options?: NonNullable<Part.Part["metadata"]> } => {
  if (metadata === undefined) return {}
  const { interlock: _, ...options } = metadata as { readonly [provider: string]: object }
  return Object.keys(options).length === 0 ? {} : { options: options as NonNullable<Part.Part["metadata"]> }
}

/**
 * The texts of one message, in order; reasoning, files and tools are left out.
 *
 * @category accessors
 * @since 0.1.0
 */
export const messageText = (message: Message): string =>
  typeof message.content === "string"
    ? message.content
    : message.content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n")

/**
 * All the texts of a prompt, one message a line block.
 *
 * @category accessors
 * @since 0.1.0
 */
export const text = (prompt: Prompt): string => prompt.content.map(messageText).join("\n")

/**
 * The text of the last message of the user, or `""` when there is none.
 *
 * @category accessors
 * @since 0.1.0
 */
export const lastUserText = (prompt: Prompt): string => {
  const last = prompt.content.findLast((message) => message.role === "user")
  return last === undefined ? "" : messageText(last)
}

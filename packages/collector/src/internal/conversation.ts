/** Conversations as trainers read them: roles and texts, calls of tools and their results. */
import type { Chat, Prompt, Settings, ToolDefinition } from "@interlock/model"

/** A call of a tool. */
export interface Call {
  readonly id: string
  readonly name: string
  readonly params: unknown
}

/** A turn of a conversation, whatever form it came in. */
export type Turn =
  | { readonly role: "system" | "user"; readonly text: string }
  | {
      readonly role: "assistant"
      readonly text: string
      readonly calls: ReadonlyArray<Call>
      readonly reasoning?: string
    }
  | { readonly role: "tool"; readonly id: string; readonly name: string; readonly result: unknown }

/** The turns of a prompt, or why they cannot be said as text. */
export const turnsOf = (prompt: Prompt.Prompt): ReadonlyArray<Turn> | string => {
  const turns: Array<Turn> = []
  for (const message of prompt.content) {
    if (message.role === "tool") {
      for (const part of message.content) {
        if (part.type === "tool-result") turns.push({ role: "tool", id: part.id, name: part.name, result: part.result })
      }
      continue
    }
    if (typeof message.content === "string") {
      turns.push(
        message.role === "assistant"
          ? { role: "assistant", text: message.content, calls: [] }
          : { role: message.role, text: message.content }
      )
      continue
    }
    const texts: Array<string> = []
    const calls: Array<Call> = []
    for (const part of message.content) {
      if (part.type === "file") return "its prompt has a file"
      if (part.type === "text") texts.push(part.text)
      if (part.type === "tool-call") calls.push({ id: part.id, name: part.name, params: part.params })
    }
    const text = texts.join("\n")
    turns.push(message.role === "assistant" ? { role: "assistant", text, calls } : { role: "user", text })
  }
  return turns
}

/** A turn of the model. */
export type Answer = Turn & { readonly role: "assistant" }

/** The turn that an answer is, without its reasoning. */
export const turnOf = (answer: Chat.Answer): Answer => ({
  role: "assistant",
  text: answer.text,
  calls: answer.toolCalls.map(({ id, name, params }) => ({ id, name, params }))
})

/** The turn that an answer is, with its reasoning, or why that cannot be. */
export const reasonedTurnOf = (answer: Chat.Answer): Answer | string =>
  answer.reasoning.trim() === ""
    ? "its teacher gave no reasoning"
    : { ...turnOf(answer), reasoning: answer.reasoning.trim() }

export const asText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

/** Arguments as an object, whatever the provider gave them as. */
export const asObject = (params: unknown): unknown => {
  if (typeof params !== "string") return params
  try {
    return JSON.parse(params)
  } catch {
    return params
  }
}

/** A tool as OpenAI's interface and the chat templates of Hugging Face name it. */
export const toolOf = ({ description, name, parameters, strict }: ToolDefinition) => ({
  type: "function",
  function: {
    name,
    ...(description === undefined ? {} : { description }),
    parameters,
    ...(strict === undefined ? {} : { strict })
  }
})

export const toolsOf = (settings: Settings): { readonly tools?: ReadonlyArray<object> } =>
  settings.tools === undefined || settings.tools.length === 0 ? {} : { tools: settings.tools.map(toolOf) }

/** The messages of a conversation whose last turn is the teacher's: that one bears `last`, and the model's earlier ones `earlier`. */
export const marked = (
  turns: ReadonlyArray<Turn>,
  message: (turn: Turn) => object,
  { earlier, last }: { readonly earlier: object; readonly last: object }
): ReadonlyArray<object> =>
  turns.map((turn, index) =>
    turn.role === "assistant" ? { ...message(turn), ...(index < turns.length - 1 ? earlier : last) } : message(turn)
  )

/** Messages of OpenAI's interface: arguments as JSON text, results under the id of their call. */
export const openaiMessage = (turn: Turn): object => {
  switch (turn.role) {
    case "tool":
      return { role: "tool", tool_call_id: turn.id, content: asText(turn.result) }
    case "assistant":
      return {
        role: "assistant",
        ...(turn.reasoning === undefined ? {} : { reasoning_content: turn.reasoning }),
        ...(turn.text === "" && turn.calls.length > 0 ? {} : { content: turn.text }),
        ...(turn.calls.length === 0
          ? {}
          : {
              tool_calls: turn.calls.map(({ id, name, params }) => ({
                id,
                type: "function",
                function: { name, arguments: asText(params) }
              }))
            })
      }
    default:
      return { role: turn.role, content: turn.text }
  }
}

/**
 * Messages of the chat templates of Hugging Face: arguments as objects, results under the name of their tool, the reasoning of the
 * answer under a key of its own.
 */
export const templateMessage = (turn: Turn, reasoningKey = "reasoning_content"): object => {
  switch (turn.role) {
    case "tool":
      return { role: "tool", name: turn.name, content: asText(turn.result) }
    case "assistant":
      return {
        role: "assistant",
        ...(turn.reasoning === undefined ? {} : { [reasoningKey]: turn.reasoning }),
        // Beside calls too: some templates fail without a content, and some write "None" where it is null.
        content: turn.text,
        ...(turn.calls.length === 0
          ? {}
          : {
              tool_calls: turn.calls.map(({ name, params }) => ({
                type: "function",
                function: { name, arguments: asObject(params) }
              }))
            })
      }
    default:
      return { role: turn.role, content: turn.text }
  }
}

/**
 * OpenAI's fine-tuning: chat for supervised training, pairs for direct preference optimisation. Neither has a place for reasoning.
 *
 * @since 0.1.0
 */
import { marked, openaiMessage, toolsOf, turnOf, turnsOf } from "../internal/conversation.ts"
import type { Writer } from "../Writer.ts"

/**
 * `{"messages": […], "tools": […]}`; arguments of tools are JSON text. Earlier answers of the conversation are nobody's choice, and have
 * the weight 0: the teacher's alone is learnt.
 *
 * @category writers
 * @since 0.1.0
 */
export const openaiChat: Writer = {
  name: "openai-chat",
  unit: "sample",
  format: "https://platform.openai.com/docs/guides/supervised-fine-tuning",
  row: ({ asked, prompt }, [sample]) => {
    const turns = turnsOf(prompt)
    return typeof turns === "string"
      ? turns
      : {
          messages: marked([...turns, turnOf(sample.answer)], openaiMessage, { earlier: { weight: 0 }, last: {} }),
          ...toolsOf(asked.settings)
        }
  }
}

/**
 * `{"input": {"messages": […]}, "preferred_output": […], "non_preferred_output": […]}`.
 *
 * @category writers
 * @since 0.1.0
 */
export const openaiPreference: Writer = {
  name: "openai-preference",
  unit: "pair",
  format: "https://platform.openai.com/docs/guides/direct-preference-optimization",
  row: ({ asked, prompt }, [better, worse]) => {
    const turns = turnsOf(prompt)
    return typeof turns === "string" || worse === undefined
      ? String(turns)
      : {
          input: { messages: turns.map(openaiMessage), ...toolsOf(asked.settings) },
          preferred_output: [openaiMessage(turnOf(better.answer))],
          non_preferred_output: [openaiMessage(turnOf(worse.answer))]
        }
  }
}

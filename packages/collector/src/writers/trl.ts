/**
 * TRL's conversational datasets: https://huggingface.co/docs/trl/dataset_formats. Arguments of tools are objects, as its chat templates
 * want them; a column that has no value in any row is left out.
 *
 * The `tools` column is JSON text, which its trainers decode: as objects, tools whose parameters differ in kind do not load as one column
 * before version 4.7 of `datasets`.
 *
 * @since 0.1.0
 */
import type { Chat, Settings } from "@interlock/model"
import { type Answer, reasonedTurnOf, templateMessage, toolsOf, turnOf, turnsOf } from "../internal/conversation.ts"
import type { ReasoningKey, Row, Writer } from "../Writer.ts"

const format = "https://huggingface.co/docs/trl/dataset_formats"

const toolsAsText = (settings: Settings) => {
  const { tools } = toolsOf(settings)
  return tools === undefined ? {} : { tools: JSON.stringify(tools) }
}

/** A writer, and the same with reasoning under a key that chat templates know. */
const make = (
  name: string,
  unit: Writer["unit"],
  fields: (
    prompt: ReadonlyArray<object>,
    answers: readonly [object, ...ReadonlyArray<object>],
    kept: boolean
  ) => { readonly [field: string]: unknown }
): Writer => {
  const row =
    (turn: (answer: Chat.Answer) => Answer | string, key?: ReasoningKey): Writer["row"] =>
    ({ asked, prompt }, samples): Row => {
      const turns = turnsOf(prompt)
      if (typeof turns === "string") return turns
      const answers: Array<object> = []
      for (const { answer } of samples) {
        const said = turn(answer)
        if (typeof said === "string") return said
        answers.push(templateMessage(said, key))
      }
      return {
        ...fields(
          turns.map((one) => templateMessage(one)),
          answers as [object, ...Array<object>],
          samples[0].reason === undefined
        ),
        ...toolsAsText(asked.settings)
      }
    }
  const writer: Writer = { name, unit, format, row: row(turnOf) }
  return {
    ...writer,
    withReasoning: (key = "reasoning_content") => ({
      ...writer,
      name: `${name}-reasoning`,
      row: row(reasonedTurnOf, key)
    })
  }
}

/**
 * `{"messages": […], "tools": "[…]"}`, for language modelling on whole conversations: earlier answers of the conversation are learnt too.
 *
 * @category writers
 * @since 0.1.0
 */
export const trlMessages: Writer = make("trl-messages", "sample", (prompt, [answer]) => ({
  messages: [...prompt, answer]
}))

/**
 * `{"prompt": […], "completion": […]}`, for training on the answer only.
 *
 * @category writers
 * @since 0.1.0
 */
export const trlPromptCompletion: Writer = make("trl-prompt-completion", "sample", (prompt, [answer]) => ({
  prompt,
  completion: [answer]
}))

/**
 * `{"prompt": […], "chosen": […], "rejected": […]}`, for DPO and its like.
 *
 * @category writers
 * @since 0.1.0
 */
export const trlPreference: Writer = make("trl-preference", "pair", (prompt, [chosen, rejected]) => ({
  prompt,
  chosen: [chosen],
  rejected: [rejected]
}))

/**
 * `{"prompt": […], "completion": […], "label": true}`, for KTO: an answer that was kept is good, one that scored low is not.
 *
 * @category writers
 * @since 0.1.0
 */
export const trlUnpaired: Writer = make("trl-unpaired", "judged", (prompt, [answer], kept) => ({
  prompt,
  completion: [answer],
  label: kept
}))

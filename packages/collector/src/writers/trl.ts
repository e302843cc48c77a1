/**
 * TRL's conversational datasets: https://huggingface.co/docs/trl/dataset_formats. Arguments of tools are objects, as its chat templates
 * want them; a column that has no value in any row is left out.
 *
 * @since 0.1.0
 */
import { templateMessage, toolsOf, turnOf, turnsOf } from "../internal/conversation.ts"
import type { Writer } from "../Writer.ts"

const format = "https://huggingface.co/docs/trl/dataset_formats"

/**
 * `{"messages": […], "tools": […]}`, for language modelling on whole conversations.
 *
 * @category writers
 * @since 0.1.0
 */
export const trlMessages: Writer = {
  name: "trl-messages",
  unit: "sample",
  format,
  row: ({ asked, prompt }, [sample]) => {
    const turns = turnsOf(prompt)
    return typeof turns === "string"
      ? turns
      : { messages: [...turns, turnOf(sample.answer)].map(templateMessage), ...toolsOf(asked.settings) }
  }
}

/**
 * `{"prompt": […], "completion": […]}`, for training on the answer only.
 *
 * @category writers
 * @since 0.1.0
 */
export const trlPromptCompletion: Writer = {
  name: "trl-prompt-completion",
  unit: "sample",
  format,
  row: ({ asked, prompt }, [sample]) => {
    const turns = turnsOf(prompt)
    return typeof turns === "string"
      ? turns
      : {
          prompt: turns.map(templateMessage),
          completion: [templateMessage(turnOf(sample.answer))],
          ...toolsOf(asked.settings)
        }
  }
}

/**
 * `{"prompt": […], "chosen": […], "rejected": […]}`, for DPO and its like.
 *
 * @category writers
 * @since 0.1.0
 */
export const trlPreference: Writer = {
  name: "trl-preference",
  unit: "pair",
  format,
  row: ({ asked, prompt }, [better, worse]) => {
    const turns = turnsOf(prompt)
    return typeof turns === "string" || worse === undefined
      ? String(turns)
      : {
          prompt: turns.map(templateMessage),
          chosen: [templateMessage(turnOf(better.answer))],
          rejected: [templateMessage(turnOf(worse.answer))],
          ...toolsOf(asked.settings)
        }
  }
}

/**
 * `{"prompt": […], "completion": […], "label": true}`, for KTO: an answer that was kept is good, one that scored low is not.
 *
 * @category writers
 * @since 0.1.0
 */
export const trlUnpaired: Writer = {
  name: "trl-unpaired",
  unit: "judged",
  format,
  row: ({ asked, prompt }, [sample]) => {
    const turns = turnsOf(prompt)
    return typeof turns === "string"
      ? turns
      : {
          prompt: turns.map(templateMessage),
          completion: [templateMessage(turnOf(sample.answer))],
          label: sample.reason === undefined,
          ...toolsOf(asked.settings)
        }
  }
}

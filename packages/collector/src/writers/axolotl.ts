/**
 * axolotl's `chat_template` datasets, with the YAML that names them: https://docs.axolotl.ai/docs/dataset-formats/conversation.html and
 * https://docs.axolotl.ai/docs/rlhf.html.
 *
 * @since 0.1.0
 */
import {
  marked,
  openaiMessage,
  reasonedTurnOf,
  type Turn,
  templateMessage,
  toolsOf,
  turnOf,
  turnsOf
} from "../internal/conversation.ts"
import type { ReasoningKey, Writer, Written } from "../Writer.ts"

const entry = (file: string, lines: ReadonlyArray<string>): ReadonlyArray<string> => [
  `  - path: ${file}`,
  ...["ds_type: json", "split: train", ...lines].map((line) => `    ${line}`)
]

const yaml = (
  head: ReadonlyArray<string>,
  written: ReadonlyArray<Written>,
  lines: ReadonlyArray<string>
): { readonly [file: string]: string } => {
  const train = written.filter(({ split }) => split === "train")
  // Only one set is looked at while training: the rest are for later.
  const test = written.filter(({ split }) => split === "validation")
  return {
    "axolotl.yaml": `${[
      "# The part of axolotl's configuration that names this data. Add base_model and how to train it; paths are relative to this folder.",
      ...head,
      "datasets:",
      ...train.flatMap(({ file }) => entry(file, lines)),
      ...(test.length === 0 ? [] : ["test_datasets:", ...test.flatMap(({ file }) => entry(file, lines))])
    ].join("\n")}\n`
  }
}

/** Chat templates of Hugging Face read it: some of them fail where calls of tools have no content beside them. */
const chatMessage = (turn: Turn): object => ({ role: turn.role, content: "", ...openaiMessage(turn) })

const chat = (name: string, turn: typeof turnOf | typeof reasonedTurnOf, lines: ReadonlyArray<string>): Writer => ({
  name,
  unit: "sample",
  format: "https://docs.axolotl.ai/docs/dataset-formats/conversation.html",
  row: ({ asked, prompt }, [sample]) => {
    const turns = turnsOf(prompt)
    if (typeof turns === "string") return turns
    const answer = turn(sample.answer)
    if (typeof answer === "string") return answer
    return {
      // In every row: a field that comes late in a large file is one that its column does not have.
      messages: marked([...turns, answer], chatMessage, { earlier: { train: false }, last: { train: true } }),
      ...toolsOf(asked.settings)
    }
  },
  beside: (_, written) =>
    yaml([], written, [
      "type: chat_template",
      "field_messages: messages",
      "field_tools: tools",
      ...lines,
      "message_property_mappings:",
      "  role: role",
      "  content: content",
      'roles_to_train: ["assistant"]',
      "message_field_training: train",
      "train_on_eos: turn"
    ])
})

/**
 * `{"messages": […], "tools": […]}`. Arguments of tools are JSON text, which axolotl reads and which lets tools have arguments of one
 * name and several types. Earlier answers of the conversation are nobody's choice, and marked `"train": false`, the teacher's `true`.
 *
 * @category writers
 * @since 0.1.0
 */
export const axolotlChat: Writer = {
  ...chat("axolotl-chat", turnOf, []),
  withReasoning: (key: ReasoningKey = "reasoning_content") =>
    chat("axolotl-chat-reasoning", reasonedTurnOf, [
      "field_thinking: reasoning_content",
      `template_thinking_key: ${key}`
    ])
}

/**
 * `{"messages": […], "chosen": {…}, "rejected": {…}}`, for `rl: dpo`.
 *
 * @category writers
 * @since 0.1.0
 */
export const axolotlPreference: Writer = {
  name: "axolotl-preference",
  unit: "pair",
  format: "https://docs.axolotl.ai/docs/rlhf.html",
  row: ({ prompt }, [better, worse]) => {
    const turns = turnsOf(prompt)
    if (typeof turns === "string" || worse === undefined) return String(turns)
    const [chosen, rejected] = [turnOf(better.answer), turnOf(worse.answer)]
    if (
      [...turns, chosen, rejected].some((turn) => turn.role === "tool" || ("calls" in turn && turn.calls.length > 0))
    ) {
      return "axolotl documents no place for calls of tools in chat_template.default"
    }
    return {
      messages: turns.map((turn) => templateMessage(turn)),
      chosen: templateMessage(chosen),
      rejected: templateMessage(rejected)
    }
  },
  beside: (_, written) =>
    yaml(["rl: dpo"], written, [
      "type: chat_template.default",
      "field_messages: messages",
      "field_chosen: chosen",
      "field_rejected: rejected",
      "message_property_mappings:",
      "  role: role",
      "  content: content",
      "roles:",
      '  user: ["user"]',
      '  assistant: ["assistant"]',
      '  system: ["system"]'
    ])
}

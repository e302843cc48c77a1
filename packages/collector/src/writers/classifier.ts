/**
 * Rows for `interlock learn classifier`: a text, and the label that the teacher gave it.
 *
 * @since 0.1.0
 */
import { Prompt } from "@interlock/model"
import { turnsOf } from "../internal/conversation.ts"
import type { Writer } from "../Writer.ts"

/** A label is a word or a few. */
const longestLabel = 64

/**
 * `{"text", "label"}`: the user's last text, and the whole answer where it can be a label.
 *
 * @category writers
 * @since 0.1.0
 */
export const classifier: Writer = {
  name: "classifier",
  unit: "sample",
  format: "docs/guide/classification.md",
  row: ({ prompt }, [sample]) => {
    const turns = turnsOf(prompt)
    if (typeof turns === "string") return turns
    const label = sample.answer.text.trim().replace(/^["'`]+|["'`.。]+$/gu, "")
    if (label === "" || label.length > longestLabel || label.includes("\n")) return "its answer is no label"
    return { text: Prompt.lastUserText(prompt), label }
  }
}

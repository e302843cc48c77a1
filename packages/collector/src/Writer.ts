/**
 * A `Writer` puts items into the form that a trainer reads. Each is a value; `all` has them by name.
 *
 * @since 0.1.0
 */
import type { Item, Sample } from "./Ledger.ts"
import { axolotlChat, axolotlPreference } from "./writers/axolotl.ts"
import { classifier } from "./writers/classifier.ts"
import { llamaFactoryAlpaca, llamaFactoryPreference, llamaFactorySharegpt } from "./writers/llamaFactory.ts"
import { openaiChat, openaiPreference } from "./writers/openai.ts"
import { trlMessages, trlPreference, trlPromptCompletion, trlUnpaired } from "./writers/trl.ts"

/**
 * A file of rows that a writer made: one for each part of the split.
 *
 * @category models
 * @since 0.1.0
 */
export interface Written {
  readonly split: string
  /** Its name within the writer's folder. */
  readonly file: string
  readonly rows: number
}

/**
 * A row, or why the writer's form cannot say it.
 *
 * @category models
 * @since 0.1.0
 */
export type Row = { readonly [field: string]: unknown } | string

/**
 * Under which key of a message a chat template looks for reasoning: `reasoning_content` is that of Qwen and most others, `thinking` that
 * of gpt-oss.
 *
 * @category models
 * @since 0.1.0
 */
export type ReasoningKey = "reasoning_content" | "thinking"

/**
 * Says items in the form of a trainer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Writer {
  /** Also the name of its folder. */
  readonly name: string
  /** One row for each sample that was kept, or for each pair of samples of an item. */
  readonly unit: "sample" | "pair" | "judged"
  /** Where the form is described. */
  readonly format: string
  readonly row: (item: Item, samples: readonly [Sample, ...ReadonlyArray<Sample>]) => Row
  /** Files beside the rows, by name. */
  readonly beside?: (name: string, written: ReadonlyArray<Written>) => { readonly [file: string]: string }
  /**
   * The same form with the teacher's reasoning before its answers, in a folder of its own whose name ends in `-reasoning`; absent where
   * the trainer documents no place for it. Answers that came without reasoning are left out. The key, by default `reasoning_content`,
   * is that of the chat template, where the form has one.
   */
  readonly withReasoning?: (key?: ReasoningKey) => Writer
}

/**
 * Every writer, by its name.
 *
 * @category constants
 * @since 0.1.0
 */
export const all: { readonly [name: string]: Writer } = Object.fromEntries(
  [
    openaiChat,
    openaiPreference,
    trlMessages,
    trlPromptCompletion,
    trlPreference,
    trlUnpaired,
    llamaFactoryAlpaca,
    llamaFactorySharegpt,
    llamaFactoryPreference,
    axolotlChat,
    axolotlPreference,
    classifier
  ].map((writer) => [writer.name, writer])
)

/**
 * How much better the chosen answer of a pair must be, in the judge's score from 0 to 1.
 *
 * @category constants
 * @since 0.1.0
 */
export const margin = 0.1

const accepted = ({ reason }: Sample): boolean => reason === undefined

/** The best of the samples that were kept, and the worst that was judged, where that is clearly worse. */
const pairOf = (samples: ReadonlyArray<Sample>): readonly [Sample, Sample] | undefined => {
  const judged = samples.filter(
    (sample) => sample.score !== undefined && (accepted(sample) || sample.reason === "LowScore")
  )
  const best = judged.filter(accepted).sort((a, b) => b.score! - a.score!)[0]
  const worst = judged.sort((a, b) => a.score! - b.score!)[0]
  return best === undefined || worst === undefined || best.score! - worst.score! < margin ? undefined : [best, worst]
}

/**
 * The rows of an item, and how many of its samples or pairs the form cannot say, by the reason.
 *
 * @category running
 * @since 0.1.0
 */
export const rows = (
  writer: Writer,
  item: Item
): { readonly rows: ReadonlyArray<object>; readonly skipped: ReadonlyArray<string> } => {
  const made: Array<object> = []
  const skipped: Array<string> = []
  const add = (row: Row) => {
    if (typeof row === "string") skipped.push(row)
    else made.push(row)
  }
  if (writer.unit === "pair") {
    const pair = pairOf(item.samples)
    if (pair === undefined) skipped.push("no pair of answers of which one is clearly better")
    else add(writer.row(item, pair))
  } else {
    for (const sample of item.samples) {
      if (accepted(sample) || (writer.unit === "judged" && sample.reason === "LowScore")) {
        add(writer.row(item, [sample]))
      }
    }
  }
  return { rows: made, skipped }
}

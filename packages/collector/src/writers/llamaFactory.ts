/**
 * LLaMA-Factory's datasets, with the `dataset_info.json` that names them:
 * https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md.
 *
 * Earlier answers of a conversation are learnt too, unless you train with `mask_history: true`.
 *
 * @since 0.1.0
 */
import type { Settings } from "@interlock/model"
import { type Answer, asObject, asText, reasonedTurnOf, type Turn, turnOf, turnsOf } from "../internal/conversation.ts"
import type { Writer, Written } from "../Writer.ts"

const format = "https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md"

const info = (name: string, written: ReadonlyArray<Written>, description: object) => ({
  "dataset_info.json": `${JSON.stringify(
    Object.fromEntries(written.map(({ file, split }) => [`${name}_${split}`, { file_name: file, ...description }])),
    null,
    2
  )}\n`
})

/** The words of its templates around a thought (`thought_words` in data/template.py), which are part of what the model says. */
const thought = (answer: Answer): string =>
  answer.reasoning === undefined ? "" : `<think>\n${answer.reasoning}\n</think>\n\n`

const systemOf = (turns: ReadonlyArray<Turn>): string =>
  turns.flatMap((turn) => (turn.role === "system" ? [turn.text] : [])).join("\n\n")

const alpaca = (name: string, turn: typeof turnOf | typeof reasonedTurnOf): Writer => ({
  name,
  unit: "sample",
  format,
  row: ({ prompt }, [sample]) => {
    const turns = turnsOf(prompt)
    if (typeof turns === "string") return turns
    const answer = turn(sample.answer)
    if (typeof answer === "string") return answer
    if (answer.calls.length > 0) return "alpaca has no place for calls of tools"
    const spoken = turns.filter((turn) => turn.role !== "system")
    const history: Array<readonly [string, string]> = []
    for (let index = 0; index + 1 < spoken.length; index += 2) {
      const [asked, said] = [spoken[index]!, spoken[index + 1]!]
      if (asked.role !== "user" || said.role !== "assistant" || said.calls.length > 0) {
        return "alpaca wants questions and answers in turn"
      }
      history.push([asked.text, said.text])
    }
    const last = spoken.at(-1)
    if (last?.role !== "user" || spoken.length % 2 === 0) return "alpaca wants questions and answers in turn"
    return {
      instruction: last.text,
      input: "",
      output: thought(answer) + answer.text,
      system: systemOf(turns),
      history
    }
  },
  beside: (name, written) =>
    info(name, written, {
      columns: { prompt: "instruction", query: "input", response: "output", system: "system", history: "history" }
    })
})

/**
 * `{"instruction", "input", "output", "system", "history"}`. It has no place for calls of tools.
 *
 * @category writers
 * @since 0.1.0
 */
export const llamaFactoryAlpaca: Writer = {
  ...alpaca("llama-factory-alpaca", turnOf),
  withReasoning: () => alpaca("llama-factory-alpaca-reasoning", reasonedTurnOf)
}

interface Said {
  readonly from: "human" | "gpt" | "function_call" | "observation"
  readonly value: string
}

/** Turns with their neighbours of the same kind in one: humans and observations stand in odd places, the model in even ones. */
const saidOf = (turns: ReadonlyArray<Turn>): ReadonlyArray<Said> | string => {
  const said: Array<Said> = []
  for (let index = 0; index < turns.length; index++) {
    const turn = turns[index]!
    switch (turn.role) {
      case "user":
        said.push({ from: "human", value: turn.text })
        break
      case "assistant": {
        if (turn.calls.length === 0) {
          said.push({ from: "gpt", value: thought(turn) + turn.text })
          break
        }
        if (turn.text !== "") return "ShareGPT has no place for a text beside calls of tools"
        const calls = turn.calls.map(({ name, params }) => ({ name, arguments: asObject(params) }))
        said.push({
          from: "function_call",
          value: thought(turn) + JSON.stringify(calls.length === 1 ? calls[0] : calls)
        })
        break
      }
      case "tool": {
        const results: Array<unknown> = []
        for (; index < turns.length && turns[index]!.role === "tool"; index++) {
          results.push((turns[index] as Turn & { readonly role: "tool" }).result)
        }
        index--
        said.push({ from: "observation", value: results.length === 1 ? asText(results[0]) : JSON.stringify(results) })
      }
    }
  }
  const odd = (from: Said["from"]) => from === "human" || from === "observation"
  return said.every(({ from }, index) => odd(from) === (index % 2 === 0))
    ? said
    : "ShareGPT wants questions and answers in turn"
}

/** The columns beside the conversation; tools are JSON text. */
const columnsOf = (turns: ReadonlyArray<Turn>, settings: Settings) => {
  const tools = (settings.tools ?? []).map(({ description, name, parameters }) => ({
    name,
    ...(description === undefined ? {} : { description }),
    parameters
  }))
  return { system: systemOf(turns), tools: tools.length === 0 ? "" : JSON.stringify(tools) }
}

const spokenOf = (turns: ReadonlyArray<Turn>): ReadonlyArray<Turn> => turns.filter(({ role }) => role !== "system")

const sharegpt = (name: string, turn: typeof turnOf | typeof reasonedTurnOf): Writer => ({
  name,
  unit: "sample",
  format,
  row: ({ asked, prompt }, [sample]) => {
    const turns = turnsOf(prompt)
    if (typeof turns === "string") return turns
    const answer = turn(sample.answer)
    if (typeof answer === "string") return answer
    const said = saidOf([...spokenOf(turns), answer])
    return typeof said === "string" ? said : { conversations: said, ...columnsOf(turns, asked.settings) }
  },
  beside: (name, written) =>
    info(name, written, {
      formatting: "sharegpt",
      columns: { messages: "conversations", system: "system", tools: "tools" }
    })
})

/**
 * `{"conversations": [{"from": "human", "value": "…"}, …], "system", "tools"}`; tools are JSON text.
 *
 * @category writers
 * @since 0.1.0
 */
export const llamaFactorySharegpt: Writer = {
  ...sharegpt("llama-factory-sharegpt", turnOf),
  withReasoning: () => sharegpt("llama-factory-sharegpt-reasoning", reasonedTurnOf)
}

const preference = (name: string, turn: typeof turnOf | typeof reasonedTurnOf): Writer => ({
  name,
  unit: "pair",
  format,
  row: ({ asked, prompt }, samples) => {
    const turns = turnsOf(prompt)
    if (typeof turns === "string") return turns
    const spoken = spokenOf(turns)
    const answers: Array<Said> = []
    for (const sample of samples) {
      const answer = turn(sample.answer)
      if (typeof answer === "string") return answer
      const said = saidOf([...spoken, answer])
      if (typeof said === "string") return said
      answers.push(said.at(-1)!)
    }
    // A prompt that can be said with an answer behind it can be said without.
    const conversations = saidOf(spoken) as ReadonlyArray<Said>
    return { conversations, chosen: answers[0], rejected: answers[1], ...columnsOf(turns, asked.settings) }
  },
  beside: (name, written) =>
    info(name, written, {
      formatting: "sharegpt",
      ranking: true,
      columns: {
        messages: "conversations",
        chosen: "chosen",
        rejected: "rejected",
        system: "system",
        tools: "tools"
      }
    })
})

/**
 * `{"conversations": […], "chosen": {"from": "gpt", "value": "…"}, "rejected": {…}, "system", "tools"}`, for DPO and reward models.
 *
 * @category writers
 * @since 0.1.0
 */
export const llamaFactoryPreference: Writer = {
  ...preference("llama-factory-preference", turnOf),
  withReasoning: () => preference("llama-factory-preference-reasoning", reasonedTurnOf)
}

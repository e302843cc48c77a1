/**
 * LLaMA-Factory's datasets, with the `dataset_info.json` that names them:
 * https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md.
 *
 * @since 0.1.0
 */
import { asObject, asText, type Turn, turnOf, turnsOf } from "../internal/conversation.ts"
import type { Writer, Written } from "../Writer.ts"

const format = "https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md"

const info = (name: string, written: ReadonlyArray<Written>, description: object) => ({
  "dataset_info.json": `${JSON.stringify(
    Object.fromEntries(written.map(({ file, split }) => [`${name}_${split}`, { file_name: file, ...description }])),
    null,
    2
  )}\n`
})

/**
 * `{"instruction", "input", "output", "system", "history"}`. It has no place for calls of tools.
 *
 * @category writers
 * @since 0.1.0
 */
export const llamaFactoryAlpaca: Writer = {
  name: "llama-factory-alpaca",
  unit: "sample",
  format,
  row: ({ prompt }, [sample]) => {
    const turns = turnsOf(prompt)
    if (typeof turns === "string") return turns
    const answer = turnOf(sample.answer)
    if (answer.calls.length > 0) return "alpaca has no place for calls of tools"
    const system = turns.flatMap((turn) => (turn.role === "system" ? [turn.text] : []))
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
      output: answer.text,
      system: system.join("\n\n"),
      history
    }
  },
  beside: (name, written) =>
    info(name, written, {
      columns: { prompt: "instruction", query: "input", response: "output", system: "system", history: "history" }
    })
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
          said.push({ from: "gpt", value: turn.text })
          break
        }
        if (turn.text !== "") return "ShareGPT has no place for a text beside calls of tools"
        const calls = turn.calls.map(({ name, params }) => ({ name, arguments: asObject(params) }))
        said.push({ from: "function_call", value: JSON.stringify(calls.length === 1 ? calls[0] : calls) })
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

/**
 * `{"conversations": [{"from": "human", "value": "…"}, …], "system", "tools"}`; tools are JSON text.
 *
 * @category writers
 * @since 0.1.0
 */
export const llamaFactorySharegpt: Writer = {
  name: "llama-factory-sharegpt",
  unit: "sample",
  format,
  row: ({ asked, prompt }, [sample]) => {
    const turns = turnsOf(prompt)
    if (typeof turns === "string") return turns
    const said = saidOf([...turns.filter(({ role }) => role !== "system"), turnOf(sample.answer)])
    if (typeof said === "string") return said
    const system = turns.flatMap((turn) => (turn.role === "system" ? [turn.text] : []))
    const tools = (asked.settings.tools ?? []).map(({ description, name, parameters }) => ({
      name,
      ...(description === undefined ? {} : { description }),
      parameters
    }))
    return {
      conversations: said,
      system: system.join("\n\n"),
      tools: tools.length === 0 ? "" : JSON.stringify(tools)
    }
  },
  beside: (name, written) =>
    info(name, written, {
      formatting: "sharegpt",
      columns: { messages: "conversations", system: "system", tools: "tools" }
    })
}

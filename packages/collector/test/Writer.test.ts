import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { type Ledger, Writer } from "@interlock/collector"
import { Chat, type Parameters, Part, Prompt } from "@interlock/model"

/**
 * Each writer's rows, byte for byte, beside files that were read against the format's own description. A change of a form is a change of
 * its golden file: look at it, then delete it and run the test with GOLDEN=write.
 */

const golden = (file: string, text: string) => {
  const path = join(import.meta.dirname, "golden", file)
  if (process.env["GOLDEN"] === "write" && !existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  assert.strictEqual(text, readFileSync(path, "utf8"), `golden/${file}`)
}

const answer = (...parts: ReadonlyArray<Part.Part>): Chat.Answer =>
  parts.reduce(Chat.protocol.append, Chat.protocol.empty())

const said = (text: string) => answer(...Part.text(text))

const thought = (reasoning: string, ...parts: ReadonlyArray<Part.Part>) =>
  answer({ type: "reasoning", text: reasoning }, ...parts)

const tools: Parameters["Service"]["tools"] = [
  {
    name: "control_light",
    description: "Controls the lights in a room.",
    parameters: {
      type: "object",
      properties: { room: { type: "string" }, on: { type: "boolean" } },
      required: ["room", "on"]
    }
  }
]

const sample = (number: number, given: Chat.Answer, score: number, reason?: Ledger.Reason): Ledger.Sample => ({
  row: number + 1,
  number,
  answer: given,
  score,
  ...(reason === undefined ? {} : { reason })
})

const item = (
  row: number,
  prompt: Prompt.Prompt,
  samples: ReadonlyArray<Ledger.Sample>,
  settings: Parameters["Service"] = {}
): Ledger.Item => ({
  row,
  id: String(row),
  prompt,
  asked: { teacher: { provider: "offline", model: "offline-large" }, settings },
  samples
})

const items: ReadonlyArray<Ledger.Item> = [
  item(1, Prompt.make("What color is the sky?"), [
    sample(0, said("It is blue."), 1),
    sample(1, said("It is green."), 0.2, "LowScore")
  ]),
  item(
    2,
    Prompt.make([
      { role: "system", content: "Answer in one sentence." },
      { role: "user", content: "Who wrote “Faust”?" },
      { role: "assistant", content: "Goethe did." },
      { role: "user", content: "以及《红楼梦》？" }
    ]),
    [sample(0, said("曹雪芹。"), 0.9), sample(1, said("I do not know, but I can guess."), 0.6)]
  ),
  item(
    3,
    Prompt.make("Turn on the living room lights."),
    [
      sample(
        0,
        answer(
          { type: "tool-call", id: "call_1", name: "control_light", params: { room: "living room", on: true } },
          Part.finish("tool-calls")
        ),
        1
      )
    ],
    { tools }
  ),
  item(
    4,
    Prompt.make([
      { role: "user", content: "Turn on the lights in the hall and in the kitchen." },
      {
        role: "assistant",
        content: [
          { type: "tool-call", id: "call_2", name: "control_light", params: { room: "hall", on: true } },
          { type: "tool-call", id: "call_3", name: "control_light", params: '{"room":"kitchen","on":true}' }
        ]
      },
      {
        role: "tool",
        content: [
          { type: "tool-result", id: "call_2", name: "control_light", isFailure: false, result: { done: true } },
          { type: "tool-result", id: "call_3", name: "control_light", isFailure: false, result: "done" }
        ]
      }
    ]),
    [sample(0, said("Both are on."), 1)],
    { tools }
  ),
  item(
    5,
    Prompt.make([
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "file", mediaType: "image/png", data: "iVBORw0KGgo=" }
        ]
      }
    ]),
    [sample(0, said("A picture of a duck."), 1)]
  ),
  item(6, Prompt.make("My parcel has not come."), [sample(0, said("delivery"), 1)]),
  item(7, Prompt.make("How much is 17 times 3?"), [
    sample(0, thought("Ten times 3 is 30,\nand 7 times 3 is 21.\n", ...Part.text("51.")), 1),
    sample(1, thought("It is about 50.", ...Part.text("50.")), 0, "LowScore")
  ]),
  item(
    8,
    Prompt.make([
      { role: "system", content: "Use the tools." },
      { role: "user", content: "Is anybody at home?" },
      { role: "assistant", content: "I cannot see that." },
      { role: "user", content: "Then light the hall." }
    ]),
    [
      sample(
        0,
        thought(
          "There is a tool for lights.",
          { type: "tool-call", id: "call_4", name: "control_light", params: { room: "hall", on: true } },
          Part.finish("tool-calls")
        ),
        1
      ),
      sample(1, said("I will not."), 0.1, "LowScore")
    ],
    { tools }
  )
]

const reasoning = Object.values(Writer.all).flatMap((writer) => writer.withReasoning?.() ?? [])
const writers = [
  ...Object.values(Writer.all),
  ...reasoning,
  // What gpt-oss wants, under names of their own here.
  ...["trl-messages", "axolotl-chat"].map((name) => ({
    ...Writer.all[name]!.withReasoning!("thinking"),
    name: `${name}-thinking`
  }))
]

describe("Writer", () => {
  it.each(writers)("$name writes what its golden file has", (writer) => {
    const made: Array<object> = []
    const skipped: Array<string> = []
    for (const one of items) {
      const { rows, skipped: unsaid } = Writer.rows(writer, one)
      made.push(...rows)
      skipped.push(...unsaid.map((reason) => `${one.row}: ${reason}`))
    }
    golden(`${writer.name}.jsonl`, `${made.map((row) => JSON.stringify(row)).join("\n")}\n`)
    golden(`${writer.name}.skipped.txt`, `${skipped.join("\n")}\n`)
    const written = [
      { split: "train", file: "train.jsonl", rows: 9 },
      { split: "validation", file: "validation.jsonl", rows: 1 }
    ]
    for (const [file, text] of Object.entries(writer.beside?.("desk", written) ?? {})) {
      golden(`${writer.name}.${file}`, text)
    }
  })

  it.each(writers)("$name says every sample, or why not", (writer) => {
    for (const one of items) {
      const { rows, skipped } = Writer.rows(writer, one)
      const due =
        writer.unit === "pair"
          ? 1
          : one.samples.filter(({ reason }) => reason === undefined || writer.unit === "judged").length
      assert.strictEqual(rows.length + skipped.length, due)
    }
  })

  it("says reasoning only where it is asked for", () => {
    for (const writer of Object.values(Writer.all)) {
      assert.notInclude(JSON.stringify(Writer.rows(writer, items[6]!).rows), "Ten times 3", writer.name)
    }
    assert.sameMembers(
      Object.values(Writer.all).flatMap(({ name, withReasoning }) => (withReasoning === undefined ? [name] : [])),
      ["openai-chat", "openai-preference", "axolotl-preference", "classifier"]
    )
    for (const writer of reasoning) {
      assert.include(JSON.stringify(Writer.rows(writer, items[6]!).rows), "Ten times 3", writer.name)
      assert.isTrue(writer.name.endsWith("-reasoning"))
    }
  })

  it("leaves out answers that came without reasoning, and pairs of which one did", () => {
    for (const writer of reasoning) {
      assert.deepStrictEqual(Writer.rows(writer, items[0]!).rows, [], writer.name)
      if (writer.unit === "pair") assert.deepStrictEqual(Writer.rows(writer, items[7]!).rows, [], writer.name)
    }
  })

  it("learns the teacher's answer and no earlier one, where the form can say so", () => {
    const marks = (name: string, mark: string) =>
      JSON.parse(JSON.stringify(Writer.rows(Writer.all[name]!, items[1]!).rows[0])).messages.map(
        (message: { readonly [key: string]: unknown }) => message[mark]
      )
    assert.deepStrictEqual(marks("openai-chat", "weight"), [undefined, undefined, 0, undefined, undefined])
    assert.deepStrictEqual(marks("axolotl-chat", "train"), [undefined, undefined, false, undefined, true])
  })

  it("prefers no answer that is not clearly better, and none that was not kept", () => {
    const writer = Writer.all["trl-preference"]!
    const prompt = Prompt.make("Which?")
    const rows = (...samples: ReadonlyArray<Ledger.Sample>) => Writer.rows(writer, item(1, prompt, samples)).rows
    assert.strictEqual(rows(sample(0, said("a"), 0.9), sample(1, said("b"), 0.85)).length, 0)
    assert.strictEqual(rows(sample(0, said("a"), 0.4, "LowScore"), sample(1, said("b"), 0.1, "LowScore")).length, 0)
    assert.strictEqual(rows(sample(0, said("a"), 0.9), sample(1, said("b"), 0.1, "Refused")).length, 0)
    assert.strictEqual(rows(sample(0, said("a"), 0.5), sample(1, said("b"), 0.9), sample(2, said("c"), 0.7)).length, 1)
  })

  it("TRL's arguments of tools are objects, OpenAI's are JSON text", () => {
    const call = (name: string) =>
      JSON.parse(JSON.stringify(Writer.rows(Writer.all[name]!, items[2]!).rows[0])).messages.at(-1).tool_calls[0]
        .function.arguments
    assert.deepStrictEqual(call("trl-messages"), { room: "living room", on: true })
    assert.strictEqual(call("openai-chat"), '{"room":"living room","on":true}')
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Source } from "@interlock/collector"
import { Prompt } from "@interlock/model"
import { Effect, FileSystem, Stream } from "effect"

const read = (...blocks: ReadonlyArray<Uint8Array>) =>
  Effect.gen(function* () {
    let whole = ""
    const lines = yield* Stream.runCollect(Source.lines("file", (sha256) => (whole = sha256)))
    return { lines, whole }
  }).pipe(
    Effect.provideService(FileSystem.FileSystem, FileSystem.makeNoop({ stream: () => Stream.fromIterable(blocks) }))
  )

const said = (line: Source.Line) => (line._tag === "Prompt" ? Prompt.lastUserText(line.prompt) : line.reason)

describe("Source", () => {
  it.effect("reads prompts and messages, after a byte order mark, with either end of line and none at the end", () =>
    Effect.gen(function* () {
      const text =
        '\uFEFF{"prompt":"one"}\r\n\r\n{"id":"x","messages":[{"role":"user","content":"two"},{"role":"assistant","content":"2"}]}\n{"prompt":"三"}'
      const whole = yield* read(Buffer.from(text))
      assert.deepStrictEqual(
        whole.lines.map((line) => [line.line, line._tag === "Prompt" ? line.id : "", said(line)]),
        [
          [1, "1", "one"],
          [3, "x", "two"],
          [4, "4", "三"]
        ]
      )
      // However the bytes come: one at a time they are the same lines, and the same hash.
      assert.deepStrictEqual(yield* read(...Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte))), whole)
    })
  )

  it.effect("says which line is none, and why; a line that is not UTF-8 is not passed on as something else", () =>
    Effect.gen(function* () {
      const { lines } = yield* read(
        Buffer.from('{"prompt":"caf'),
        Uint8Array.of(0xe9),
        Buffer.from(
          '"}\n{broken\n{"prompt":" "}\n[]\n{"messages":[]}\n{"prompt":"a","messages":[]}\n{"prompt":"well"}\n'
        )
      )
      assert.deepStrictEqual(
        lines.map((line) => [line.line, said(line)]),
        [
          [1, "it is not UTF-8; save the file as UTF-8"],
          [2, "Expected a valid JSON string"],
          [3, 'Expected a text that is not empty at ["prompt"]'],
          [4, "Expected object"],
          [5, "Expected a message of the user"],
          [6, "Expected either a prompt or messages"],
          [7, "well"]
        ]
      )
    })
  )

  it.effect("reads what providers log: parts of text, developers, a system beside the messages", () =>
    Effect.gen(function* () {
      const parts = [
        { type: "text", text: "What is" },
        { type: "input_text", text: "a tandem?" }
      ]
      const rows = [
        {
          messages: [
            { role: "developer", content: "Be brief." },
            { role: "user", content: parts }
          ]
        },
        { system: "Be brief.", messages: [{ role: "user", content: "What is\na tandem?" }], model: "some-model" },
        { system: "Be brief.", prompt: "What is\na tandem?" },
        { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "a.png" } }] }] },
        { messages: [{ role: "user", content: [] }] },
        { messages: [{ role: "user", content: " " }] }
      ]
      const { lines } = yield* read(Buffer.from(rows.map((row) => JSON.stringify(row)).join("\n")))
      const prompts = lines.flatMap((line) => (line._tag === "Prompt" ? [JSON.stringify(line.prompt)] : []))
      assert.strictEqual(prompts.length, 3)
      // However it is logged, it is the same prompt, and asked once.
      assert.strictEqual(new Set(prompts).size, 1)
      assert.include(prompts[0], "Be brief.")
      assert.include(said(lines[3]!), '["messages"][0]')
      assert.strictEqual(said(lines[4]!), 'Expected a text that is not empty at ["messages"][0]["content"]')
      assert.strictEqual(said(lines[5]!), 'Expected a text that is not empty at ["messages"][0]["content"]')
    })
  )

  it.effect("keeps calls of tools and their results, and leaves the answer behind the last question out", () =>
    Effect.gen(function* () {
      const messages = [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Is it warm?" },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c1", type: "function", function: { name: "weather", arguments: '{"town":"Rome"}' } }]
        },
        { role: "tool", tool_call_id: "c1", content: '{"degrees":24}' },
        { role: "user", content: "And tomorrow?" },
        { role: "assistant", content: "Nobody knows." }
      ]
      const { lines } = yield* read(Buffer.from(JSON.stringify({ messages })))
      const [line] = lines
      assert.strictEqual(line?._tag, "Prompt")
      if (line?._tag !== "Prompt") return
      assert.deepStrictEqual(
        line.prompt.content.map(({ role }) => role),
        ["system", "user", "assistant", "tool", "user"]
      )
      assert.deepInclude(JSON.parse(JSON.stringify(line.prompt.content[2]?.content))[0], {
        type: "tool-call",
        name: "weather",
        params: { town: "Rome" }
      })
      assert.deepInclude(JSON.parse(JSON.stringify(line.prompt.content[3]?.content))[0], {
        type: "tool-result",
        name: "weather",
        result: { degrees: 24 }
      })
    })
  )
})

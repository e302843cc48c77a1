import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Decontaminate } from "@interlock/collector"
import { Effect } from "effect"

const folder = mkdtempSync(join(tmpdir(), "decontaminate-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, text: string | Buffer) => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const long =
  "A train leaves the station at nine and travels at eighty kilometres an hour, while another leaves at ten on the same line."

describe("Decontaminate", () => {
  const index = Decontaminate.make([
    { name: "sums", documents: [long] },
    {
      name: "trivia",
      documents: ["Which is the largest ocean of the world, and how deep is it?", "Who wrote Faust?", "Yes"]
    }
  ])

  it("finds thirteen words in a row, however they are written, and not twelve", () => {
    const words = long.split(" ")
    assert.deepStrictEqual(index.find(`Well: ${words.slice(3, 16).join("  ").toUpperCase()}!! Right?`), {
      set: "sums",
      how: "run"
    })
    assert.isUndefined(index.find(words.slice(3, 15).join(" ")))
    assert.isUndefined(index.find(words.slice(3, 16).reverse().join(" ")))
  })

  it("finds a document as a whole, and a short one within a text from eight words on", () => {
    assert.deepStrictEqual(index.find("who wrote FAUST"), { set: "trivia", how: "document" })
    assert.isUndefined(index.find("Tell me, who wrote Faust? I forgot."))
    assert.deepStrictEqual(index.find("Hello! Which is the largest ocean of the world, and how deep is it? Thanks."), {
      set: "trivia",
      how: "run"
    })
    assert.isUndefined(index.find("Yes"))
  })

  it("finds Chinese by characters", () => {
    const chinese = Decontaminate.make([
      { name: "题", documents: ["一列火车九点离开车站，时速八十公里，另一列十点出发。"] }
    ])
    assert.strictEqual(chinese.find("请问：一列火车九点离开车站，时速八十公里，几点到？")?.set, "题")
    assert.isUndefined(chinese.find("火车九点离开车站。"))
  })

  it.effect("reads lines of text, and the fields that ask of rows", () =>
    Effect.gen(function* () {
      const index = yield* Decontaminate.load([
        { name: "text", path: write("a.txt", "Who wrote the novel Emma?\n\nWhen was Bach born?\n") },
        { name: "list", path: write("c.json", '\uFEFF[\n  {"question": "Who painted the Night Watch?"}\n]\n') },
        {
          name: "rows",
          path: write(
            "b.jsonl",
            '{"question":"How many legs has a spider?","choices":["eight of them","six of them"]}\n{"messages":[{"role":"user","content":"Name the three primary colours"}]}\n'
          )
        }
      ])
      assert.deepStrictEqual(
        index.sets.map(({ documents, name }) => [name, documents]),
        [
          ["text", 2],
          ["list", 1],
          ["rows", 2]
        ]
      )
      assert.strictEqual(index.find("when was bach born")?.set, "text")
      assert.strictEqual(index.find("who painted the night watch")?.set, "list")
      assert.strictEqual(index.find("name the three primary colours")?.set, "rows")
      assert.isUndefined(index.find("eight of them"))
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect.each([
    ["nowhere.jsonl", undefined, "there is no such file"],
    ["broken.jsonl", '{"question":"a b c"}\n{"quest', "line 2 is no JSON"],
    ["broken.json", '[{"question":"a b c"},', "it is no JSON"],
    ["empty.txt", "\n\n", "there is no text in it"],
    ["table.parquet", Buffer.from([0x50, 0x41, 0x52, 0x31, 0x15, 0xff, 0x80]), "line 1 is not UTF-8"],
    ["labels.jsonl", '{"answer":"A"}\n{"answer":"B"}\n', "no document in it has 3 words"]
  ] as const)("says which set cannot be read, and why: %s", ([name, text, why]) =>
    Effect.gen(function* () {
      const path = text === undefined ? join(folder, name) : write(name, text)
      const error = yield* Effect.flip(Decontaminate.load([{ name: "exam", path }]))
      assert.include(error.message, `The evaluation set "exam" cannot be read from ${path}: ${why}`)
      assert.include(error.message, "nothing was asked yet")
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

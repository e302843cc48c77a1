import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const main = resolve(import.meta.dirname, "../main.ts")

const keyless = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_(API_KEY|BASE_URL)$/.test(name)))

const start = (flags: ReadonlyArray<string>, environment: Record<string, string> = {}) => {
  const child: ChildProcess = spawn(process.execPath, [main, ...flags], { env: { ...keyless, ...environment } })
  let [output, errors] = ["", ""]
  child.stdout?.on("data", (chunk) => (output += chunk))
  child.stderr?.on("data", (chunk) => (errors += chunk))
  const ended = new Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }>(
    (done) => child.on("close", (code) => done({ code, output, errors }))
  )
  return { child, ended }
}

const inFolder = async (use: (folder: string) => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), "distillation-"))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const lines = (path: string) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))

/** A teacher on this machine: answers as OpenAI does, or never, and says what it was asked. */
const withTeacher = async (
  answer: ((asked: number) => string) | "never",
  use: (environment: Record<string, string>, bodies: ReadonlyArray<string>, asked: Promise<void>) => Promise<void>,
  thinks?: string
) => {
  const key = randomUUID()
  const bodies: Array<string> = []
  let wake = () => {}
  const asked = new Promise<void>((done) => (wake = done))
  const server = createServer(async (request, response) => {
    let body = ""
    for await (const chunk of request) body += chunk
    bodies.push(body)
    wake()
    if (answer === "never") return
    response.writeHead(200, { "content-type": "application/json" })
    response.end(
      JSON.stringify({
        id: `resp_${bodies.length}`,
        object: "response",
        created_at: 1,
        model: "gpt-5-mini-2025-08-07",
        status: "completed",
        output: [
          ...(thinks === undefined
            ? []
            : [{ type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: thinks }] }]),
          {
            type: "message",
            id: "msg_1",
            status: "completed",
            role: "assistant",
            content: [{ type: "output_text", text: answer(bodies.length), annotations: [] }]
          }
        ],
        usage: {
          input_tokens: 10,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens: 20,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: 30
        }
      })
    )
  })
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  try {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
    await use({ OPENAI_API_KEY: key, OPENAI_BASE_URL: address }, bodies, asked)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

describe("distillation-collector", () => {
  it("makes a dataset without a key, and goes on where it is without asking again", () =>
    inFolder(async (folder) => {
      const { code, errors, output } = await start(["--directory", folder]).ended
      assert.strictEqual(code, 0, errors)
      assert.match(output, /lines read\s+121\n/)
      assert.match(output, /not a prompt\s+3\n/)
      assert.match(output, /bicycle exam \(4 documents\)\s+[5-9] left out/)
      for (const file of ["README.md", "manifest.json", "rejected.jsonl", "axolotl-chat/axolotl.yaml"]) {
        assert.isTrue(existsSync(join(folder, "dataset", file)), file)
      }
      const report = JSON.parse(readFileSync(join(folder, "report.json"), "utf8"))
      const rows = ["train", "validation"].flatMap((part) =>
        lines(join(folder, "dataset/openai-chat", `${part}.jsonl`))
      )
      assert.strictEqual(rows.length, report.counts.samples.kept)
      assert.isAbove(rows.length, 30)
      assert.isAbove(lines(join(folder, "dataset/trl-preference/train.jsonl")).length, 5)
      assert.notMatch(JSON.stringify(rows), /Kowalczyk|example\.(com|org|net)/)

      const refused = await start(["--directory", folder]).ended
      assert.strictEqual(refused.code, 1)
      assert.include(refused.errors, "go on with it (--resume)")

      const resumed = JSON.parse((await start(["--directory", folder, "--resume", "--json"]).ended).output)
      assert.strictEqual(resumed.spending.tries, report.spending.tries)
      assert.deepStrictEqual(resumed.counts, report.counts)
      assert.deepStrictEqual(
        resumed.manifest.files.map(({ sha256 }: { readonly sha256: string }) => sha256),
        report.manifest.files.map(({ sha256 }: { readonly sha256: string }) => sha256)
      )
    }))

  it("asks nobody where an evaluation set cannot be read, or where the teacher's terms restrict it", () =>
    inFolder(async (folder) => {
      await withTeacher("never", async (environment, bodies) => {
        const unread = await start(["--directory", folder, "--evaluation", "exam=nowhere.jsonl"]).ended
        assert.strictEqual(unread.code, 1)
        assert.include(unread.errors, 'The evaluation set "exam" cannot be read from nowhere.jsonl')
        const restricted = await start(["--directory", folder], environment).ended
        assert.strictEqual(restricted.code, 1)
        assert.include(restricted.errors, "openai/gpt-5-mini")
        assert.strictEqual(bodies.length, 0)
      })
    }))

  it("asks the provider whose key is set, reports broken lines by number, and puts the override into the card", () =>
    inFolder(async (folder) => {
      const prompts = join(folder, "mine.jsonl")
      writeFileSync(
        prompts,
        '{"prompt":"How long does the battery of the lamp last, says alice@example.com?"}\n{"prompt":7}\n{"prompt":"What is a tandem bicycle good for?"}\n'
      )
      await withTeacher(
        (asked) => `This is answer number ${asked} to what you asked. It has two sentences. And a third one.`,
        async (environment, bodies) => {
          const { code, errors } = await start(
            ["--prompts", prompts, "--directory", folder, "--samples", "1", "--override", "Ada: we have a contract"],
            environment
          ).ended
          assert.strictEqual(code, 1)
          assert.include(errors, "1 line could not be read: see ")
          assert.strictEqual(bodies.length, 2)
          assert.notInclude(bodies.join(), "alice@example.com")
          assert.notInclude(errors, environment["OPENAI_API_KEY"]!)
          assert.include(errors, `${prompts}: line 2 is not a prompt: Expected string at ["prompt"]`)
          const rejected = lines(join(folder, "dataset/rejected.jsonl"))
          assert.deepInclude(rejected[0], { line: 2, reason: "UnreadableRow" })
          const card = readFileSync(join(folder, "dataset/README.md"), "utf8")
          assert.include(card, "**Exported on the word of Ada**")
          assert.include(card, "we have a contract")
          assert.include(card, "gpt-5-mini-2025-08-07")
        }
      )
    }))

  it("asks for reasoning where that is wanted, and writes it in forms of its own", () =>
    inFolder(async (folder) => {
      const prompts = join(folder, "mine.jsonl")
      writeFileSync(prompts, '{"prompt":"What is a tandem bicycle good for?"}\n')
      const flags = ["--prompts", prompts, "--samples", "1", "--override", "Ada: a test", "--formats", "trl-messages"]
      await withTeacher(
        () => "It is good for two. It has two saddles. And two pairs of pedals.",
        async (environment, bodies) => {
          const { code, errors } = await start([...flags, "--directory", join(folder, "a"), "--reasoning"], environment)
            .ended
          assert.strictEqual(code, 0, errors)
          assert.strictEqual(JSON.parse(bodies[0]!).reasoning.effort, "medium")
          const [answered] = lines(join(folder, "a/dataset/trl-messages-reasoning/train.jsonl"))
          assert.strictEqual(answered.messages.at(-1).reasoning_content, "Two riders, one frame.")
          const plain = readFileSync(join(folder, "a/dataset/trl-messages/train.jsonl"), "utf8")
          assert.notInclude(plain, "Two riders")
          const without = await start([...flags, "--directory", join(folder, "b")], environment).ended
          assert.strictEqual(without.code, 0, without.errors)
          assert.notInclude(bodies[1], "effort")
          assert.isFalse(existsSync(join(folder, "b/dataset/trl-messages-reasoning")))
        },
        "Two riders, one frame."
      )
      const offline = await start(["--prompts", prompts, "--directory", join(folder, "c"), "--reasoning"]).ended
      assert.include(offline.errors, "No answer came with reasoning")
    }))

  it("refuses a file that is none before anything is made, and leaves nothing for --resume to find", () =>
    inFolder(async (folder) => {
      const [empty, made] = [join(folder, "empty.jsonl"), join(folder, "made")]
      writeFileSync(empty, "\n")
      for (const [flags, said] of [
        [["--prompts", join(folder, "nowhere.jsonl")], "nowhere.jsonl cannot be read: there is no such file"],
        [["--prompts", folder], `${folder} cannot be read: it is a folder`],
        [["--prompts", empty], "empty.jsonl has no line"],
        [["--evaluation", `exam=${join(folder, "nowhere.jsonl")}`], 'The evaluation set "exam" cannot be read'],
        [["--formats", "openai-chat, nothing"], 'There is no format "nothing"']
      ] as const) {
        const { code, errors, output } = await start([...flags, "--directory", made]).ended
        assert.strictEqual(code, 1)
        assert.include(errors, said)
        assert.strictEqual(output, "")
        assert.isFalse(existsSync(made), said)
      }
    }))

  it("stops cleanly on Ctrl-C, says what was in flight, and goes on later", () =>
    inFolder(async (folder) => {
      const flags = ["--directory", folder, "--samples", "1", "--concurrency", "4", "--override", "Ada: a test"]
      await withTeacher("never", async (environment, _, asked) => {
        const { child, ended } = start(flags, environment)
        await asked
        child.kill("SIGINT")
        const { code, output } = await ended
        assert.strictEqual(code, 130)
        assert.match(output, /Not finished: stopped. Go on with it: --resume/)
        assert.match(output, /perhaps billed twice\s+[1-4]\n/)
      })
      await withTeacher(
        (asked) => `Answer ${asked} is this. It has a second sentence. And here is a third.`,
        async (environment) => {
          const { code, errors, output } = await start([...flags, "--resume", "--json"], environment).ended
          assert.strictEqual(code, 0, errors)
          assert.strictEqual(JSON.parse(output).unfinished, 0)
        }
      )
    }))

  it("refuses a second process on the same ledger", () =>
    inFolder(async (folder) => {
      const flags = ["--directory", folder, "--override", "Ada: a test"]
      await withTeacher("never", async (environment, _, asked) => {
        const { child, ended } = start(flags, environment)
        await asked
        const second = await start([...flags, "--resume"], environment).ended
        child.kill("SIGINT")
        await ended
        assert.strictEqual(second.code, 1)
        assert.include(second.errors, "is in use by another process")
      })
    }))
})

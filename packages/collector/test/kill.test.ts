/** kill -9 at any point: no answer that was received is asked for again, and no row is lost. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { build } from "rolldown"

const folder = mkdtempSync(join(tmpdir(), "kill-"))
const running = new Set<ChildProcess>()
afterAll(() => {
  for (const child of running) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

// One file, and compiled once: a child is there in a tenth of a second of work, and a hundred of them in a few.
const program = join(folder, "child.mjs")
beforeAll(async () => {
  await build({
    input: join(import.meta.dirname, "kill/child.ts"),
    platform: "node",
    output: { file: program, format: "esm" },
    logLevel: "silent"
  })
})

const concurrency = 4
const kills = 100
const items = 500
const ledger = join(folder, "ledger.db")
const prompts = join(folder, "prompts.jsonl")
const directory = join(folder, "dataset")

const words = ["kettle", "ladder", "mirror", "needle", "orchard", "pillow", "quarry", "ribbon", "saddle", "timber"]
writeFileSync(
  prompts,
  Array.from({ length: items }, (_, index) => {
    const [a, b, c] = [words[index % 10], words[Math.floor(index / 10) % 10], words[Math.floor(index / 100) % 10]]
    return JSON.stringify({
      prompt: `Tell of the ${a} ${index} and of the ${b} ${index * 3}, then of the ${c} ${index * 7}`
    })
  }).join("\n")
)

// Mulberry32 (public domain), so that a failure can be repeated.
let seed = 20261123
const random = (most: number): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let word = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
  return ((word ^ (word >>> 14)) >>> 0) % most
}

/** The keys whose answer is on the disk, and how many calls were in flight at kills so far. */
const onDisk = () => {
  const database = new DatabaseSync(ledger)
  try {
    const answers = database.prepare("SELECT key FROM sample WHERE answer IS NOT NULL").all()
    const calling = database.prepare("SELECT count(*) AS n FROM sample WHERE state = 'calling'").get()
    return { answered: new Set(answers.map(({ key }) => String(key))), calling: Number(calling?.["n"]) }
  } finally {
    database.close()
  }
}

describe("a collector that is killed", () => {
  it("asks for no received answer again, and loses no row", { timeout: 300_000 }, async () => {
    const calls = new Map<string, number>()
    let paid = new Set<string>()
    const askedAgain: Array<string> = []
    let onCall: () => void = () => {}
    let onAnswer: () => void = () => {}
    // Answers that are held until another call comes, so that a kill finds calls in every state. One goes when all open calls wait.
    const held: Array<() => void> = []
    let open = 0
    const moveOn = () => {
      if (held.length > 0 && held.length >= open) held.shift()?.()
    }
    const server = createServer((request, response) => {
      const key = new URL(request.url ?? "", "http://localhost").searchParams.get("key") ?? ""
      calls.set(key, (calls.get(key) ?? 0) + 1)
      if (paid.has(key)) askedAgain.push(key)
      onCall()
      const answer = () => response.end(`The answer to ${key} is this one, and it is long enough.`, () => onAnswer())
      open++
      response.on("close", () => {
        open--
        if (held.includes(answer)) held.splice(held.indexOf(answer), 1)
        moveOn()
      })
      for (const earlier of held.splice(0, random(held.length + 1))) earlier()
      if (random(2) === 0) answer()
      else held.push(answer)
      moveOn()
    })
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
    const { port } = server.address() as AddressInfo

    const start = () => {
      const child = spawn(process.execPath, [program, ledger, prompts, directory, String(port), String(concurrency)], {
        stdio: ["pipe", "pipe", "inherit"],
        env: { ...process.env, NODE_COMPILE_CACHE: join(folder, "cache") }
      })
      running.add(child)
      let output = ""
      let onOutput: () => void = () => {}
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text
        onOutput()
      })
      const ended = new Promise<number | null>((done) =>
        child.on("exit", (code) => {
          running.delete(child)
          done(code)
        })
      )
      return {
        child,
        ended,
        output: () => output,
        said: (what: string) =>
          new Promise<void>((done) => {
            onOutput = () => {
              if (output.includes(what)) done()
            }
            onOutput()
          })
      }
    }

    // Some are ready before their turn: starting is most of the work.
    const ahead = [start(), start(), start()]
    const begin = async () => {
      const run = ahead.shift()!
      await run.said("ready")
      ahead.push(start())
      run.child.stdin.write("go\n")
      return run
    }
    const kill = async (run: ReturnType<typeof start>) => {
      run.child.kill("SIGKILL")
      assert.strictEqual(await run.ended, null, "the child ended before it was killed")
      const { answered, calling } = onDisk()
      // What was asked and is not on the disk was in flight: at most as many as are asked at a time, over all runs.
      const lost = [...calls.keys()].filter((key) => !answered.has(key))
      assert.isAtMost(lost.length, concurrency)
      assert.isAtMost(calling, concurrency)
      assert.deepStrictEqual(
        [...paid].filter((key) => !answered.has(key)),
        [],
        "an answer that was on the disk is gone"
      )
      paid = answered
      return calling
    }

    let inFlight = 0
    for (let index = 0; index < kills; index++) {
      // At a call, or some answers later: while they arrive and are written.
      const [after, later] = [1 + random(6), random(4)]
      let [asked, answers] = [0, 0]
      const reached = new Promise<void>((done) => {
        const look = () => {
          if (asked >= after && answers >= later) done()
        }
        onCall = () => {
          asked++
          look()
        }
        onAnswer = () => {
          if (asked >= after) answers++
          look()
        }
      })
      const run = await begin()
      await reached
      onCall = () => {}
      onAnswer = () => {}
      inFlight += await kill(run)
    }
    assert.isBelow(paid.size, items, "the kills are to happen while there is something to ask")

    for (const step of ["judge", "deduplicate", "split", "write"]) {
      const run = await begin()
      await run.said(`${step}\n`)
      inFlight += await kill(run)
    }

    const last = await begin()
    last.child.stdin.end()
    assert.strictEqual(await last.ended, 0)
    for (const { child } of ahead) child.kill("SIGKILL")
    server.close()
    const { counts, spending } = JSON.parse(last.output().trim().split("\n").at(-1)!)

    assert.deepStrictEqual(askedAgain, [])
    assert.strictEqual(calls.size, items)
    // What was asked twice was in flight at a kill, and the report says of how many that may be so.
    const repeated = [...calls.values()].reduce((sum, count) => sum + count - 1, 0)
    assert.isAtMost(repeated, inFlight)
    assert.strictEqual(spending.perhapsBilled, inFlight)
    assert.strictEqual(spending.answers, items)
    assert.strictEqual(counts.samples.kept + counts.samples.rejected, items)
    const rows = ["train", "validation"].flatMap((part) =>
      readFileSync(join(directory, "openai-chat", `${part}.jsonl`), "utf8")
        .trimEnd()
        .split("\n")
    )
    assert.strictEqual(rows.length, counts.samples.kept)
    assert.strictEqual(new Set(rows).size, rows.length)
    console.info(`${kills + 4} kills: ${inFlight} calls in flight, ${repeated} of them made again; ${items} answers`)
  })
})

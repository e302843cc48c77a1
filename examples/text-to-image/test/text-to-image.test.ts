import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import sharp from "sharp"
import { broken } from "../policy.ts"
import { problemOf, type Recorded } from "../provenance.ts"

const example = resolve(import.meta.dirname, "..")

const keyless = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_(API_KEY|BASE_URL)$/.test(name)))

/** `interrupt`: what standard error must say before Ctrl-C. */
const start = (flags: ReadonlyArray<string>, more: { readonly folder?: string; readonly interrupt?: string } = {}) =>
  new Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }>((done) => {
    const child = spawn(process.execPath, [join(more.folder ?? example, "main.ts"), ...flags], { env: keyless })
    let [output, errors] = ["", ""]
    child.stdout.on("data", (chunk) => (output += chunk))
    child.stderr.on("data", (chunk) => {
      if (
        more.interrupt !== undefined &&
        `${errors}${chunk}`.includes(more.interrupt) &&
        !errors.includes(more.interrupt)
      ) {
        child.kill("SIGINT")
      }
      errors += chunk
    })
    child.on("close", (code) => done({ code, output, errors }))
  })

const inFolder = async (use: (folder: string) => Promise<void>, beside = tmpdir()) => {
  const folder = mkdtempSync(join(beside, "test-"))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const folders = (folder: string) => ["--out", join(folder, "out"), "--steps", join(folder, "kept", "steps")]
const small = ["--size", "240x160", "--count", "2"]

const recordOf = (folder: string, path: string): Recorded =>
  JSON.parse(readFileSync(join(folder, "out", `${path}.json`), "utf8"))

/** Every run starts a process anew, which takes a while where many tests run at once. */
const patience = 180_000

describe("text to image", () => {
  it(
    "draws, scores, picks, captions and records without a key; nothing personal leaves; a second run asks no model",
    () =>
      inFolder(async (folder) => {
        const flags = [...folders(folder), ...small]
        const first = await start(flags)
        assert.strictEqual(first.code, 0, first.errors)
        assert.include(first.output, "10 pictures of 6 prompts, 1 refused; 20 model calls, 0 answers from earlier runs")
        assert.include(first.output, "Of 5 personal values in the prompts, 0 reached a model in 20 calls.")
        assert.match(first.output, /evidence: Not drawn \(likeness\): .*leave the name out/)
        assert.match(first.output, /Audit log: (\d+) of \1 records verified\./)
        assert.match(first.output, /猫: .*\n {4}[^\n]*一路平安[^\n]*为主。/)

        // The pictures, the contact sheet and the page are what they say they are.
        const sheet = await sharp(join(folder, "out", "contact-sheet.png")).metadata()
        assert.isAbove(sheet.height, 5 * 160)
        const page = readFileSync(join(folder, "out", "index.html"), "utf8")
        for (const [, source] of page.matchAll(/<img[^>]* src="([^"]+)"/g)) {
          assert.isTrue(existsSync(join(folder, "out", decodeURI(source!))), source)
        }
        assert.notMatch(page, /<script|<link|url\(|NaN|undefined|Infinity/)

        // A record is signed, says where the picture comes from, and names nobody; it stands in the picture too.
        const recorded = recordOf(folder, "bicycle/seed-1")
        const png = readFileSync(join(folder, "out", "bicycle", "seed-1.png"))
        assert.isUndefined(problemOf(recorded, png))
        assert.isDefined(problemOf({ ...recorded, seed: 7 }, png))
        assert.isDefined(problemOf(recorded, png.subarray(1)))
        assert.strictEqual(
          recorded.digitalSourceType,
          "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
        )
        assert.deepStrictEqual(recorded.steps.map(({ step }) => step).slice(0, 3), ["expand", "picture", "score"])
        assert.include(recorded.prompt.text, "for ⟦PERSON_1⟧ (⟦EMAIL_ADDRESS_1⟧)")
        assert.include(recorded.expanded, "for a friend.")
        const packet = (await sharp(png).metadata()).xmpAsString ?? ""
        assert.include(
          packet,
          "<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia<"
        )
        assert.include(packet, `<dc:identifier>sha256:${recorded.original.sha256}<`)
        const kept = readdirSync(join(folder, "kept", "steps")).map((name) => join(folder, "kept", "steps", name))
        for (const file of [
          ...kept,
          join(folder, "out", "bicycle", "seed-1.json"),
          join(folder, "out", "bicycle", "seed-1.png")
        ]) {
          assert.notMatch(readFileSync(file, "latin1"), /Keller|example\.org|Weber|901820/, file)
        }

        // A picture that is put in the place of another is told.
        writeFileSync(join(folder, "out", "stars", "seed-1.png"), png)
        const verified = await start(["--verify", "--out", join(folder, "out")])
        assert.strictEqual(verified.code, 1)
        assert.include(verified.output, "9 of 10 pictures are as they were signed")
        assert.match(verified.errors, /stars.seed-1\.json: the picture is not the one that was recorded/)

        // The same again: no model is asked, and the same pictures and records come of it.
        const second = await start(flags)
        assert.include(second.output, "0 model calls, 20 answers from earlier runs; $0.0000")
        assert.deepStrictEqual(recordOf(folder, "bicycle/seed-1"), recorded)
        assert.deepStrictEqual(readFileSync(join(folder, "out", "bicycle", "seed-1.png")), png)
      }),
    patience
  )

  it("makes only those steps anew that depend on what was changed", () =>
    inFolder(
      async (copy) => {
        cpSync(example, copy, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.includes("/test") })
        const flags = [...folders(copy), ...small, "--json"]
        const run = async () => {
          const { code, errors, output } = await start(flags, { folder: copy })
          assert.strictEqual(code, 0, errors)
          const { calls, kept, modelCalls, results, scored } = JSON.parse(output)
          return {
            calls,
            kept,
            modelCalls,
            scored,
            captions: results.map(({ caption }: { caption?: string }) => caption)
          }
        }
        const edit = (file: string, from: string, to: string) => {
          const text = readFileSync(join(copy, file), "utf8")
          assert.include(text, from)
          writeFileSync(join(copy, file), text.replace(from, to))
        }
        const before = await run()
        assert.deepInclude(before, { modelCalls: 20, kept: 0, scored: 10 })

        // What the caption's writer is told: the captions alone.
        edit("tasks.ts", "in at most 40 words", "in at most 30 words")
        assert.deepInclude(await run(), { calls: { "studio/writer": 5 }, kept: 15, scored: 0 })

        // How pictures are looked at: no model, but every picture, and what is said of those that are now picked.
        edit("score.ts", "const leastContrast = 0.09", "const leastContrast = 0.08")
        assert.deepInclude(await run(), { scored: 10, modelCalls: 0 })

        // Two stages as the README changes them, and a style. What the new style changes is drawn again.
        edit(
          "policy.ts",
          "export const rules: ReadonlyArray<Rule> = [",
          'export const rules: ReadonlyArray<Rule> = [{ name: "stars", reason: "no stars", every: [/stars/] },'
        )
        edit("writer.ts", "Storybook illustration, soft shapes.`\n}\n\n// ---", "Woodcut, strong lines.`\n}\n\n// ---")
        edit("studio.ts", "other.score > one.score ? other : one", "other.score < one.score ? other : one")
        const after = JSON.parse((await start(flags, { folder: copy })).output)
        assert.strictEqual(after.refused, 2)
        assert.strictEqual(after.calls["offline/offline-image"], 6)
        for (const { pictures } of after.results as ReadonlyArray<{
          pictures: Array<{ picked: boolean; score: number }>
        }>) {
          const worst = Math.min(...pictures.map(({ score }) => score))
          for (const { picked, score } of pictures) if (picked) assert.strictEqual(score, worst)
        }
        assert.isUndefined(after.results.find(({ id }: { id: string }) => id === "stars").caption)
      },
      resolve(example, "..")
    ))

  it(
    "streams pictures of the work in progress into files, stops on Ctrl-C and still reports",
    () =>
      inFolder(async (folder) => {
        const { code, errors, output } = await start(
          [...folders(folder), "--stream", "--concurrency", "1", "--size", "480x320"],
          { interrupt: "bicycle seed-1: partial picture 1" }
        )
        assert.strictEqual(code, 130, errors)
        assert.match(errors, /balloons seed-1: partial picture 2, .*seed-1\.partial\.png\n/)
        assert.match(output, /balloons: seed-\d\.png, /)
        assert.include(output, "bicycle: stopped before it was done")
        assert.include(readFileSync(join(folder, "out", "index.html"), "utf8"), "Stopped before the end")
        assert.isTrue(existsSync(join(folder, "out", "contact-sheet.png")))
        const left = readdirSync(join(folder, "out"), { recursive: true }).filter((name) =>
          `${name}`.includes("partial")
        )
        assert.deepStrictEqual(left, [])
        // The calls of the prompt that was stopped are paid for: six for balloons, the words of bicycle.
        const calls = Number(/; (\d+) model calls/.exec(output)?.[1])
        assert.isAtLeast(calls, 7)
      }),
    patience
  )

  it(
    "runs the user's own prompts, reports bad lines by number, and says what the model cannot do",
    () =>
      inFolder(async (folder) => {
        const mine = join(folder, "mine.jsonl")
        const rows = ['{"prompt":"A green apple"}', '{"prompt":7}', "", '{"id":"1","prompt":"Two cups"}']
        writeFileSync(mine, rows.join("\n"))
        const flags = [...folders(folder), "--size", "9000x9000", "--prompts", mine, "--json"]
        const { code, errors, output } = await start(flags)
        assert.strictEqual(code, 1)
        assert.include(errors, `${mine}: Line 2 is not a prompt`)
        assert.include(errors, 'Line 4 is not a prompt: its id "1" is that of line 1')
        const { badLines, failed, prompts, results } = JSON.parse(output)
        assert.deepStrictEqual({ badLines, failed, prompts }, { badLines: 2, failed: 1, prompts: 1 })
        assert.include(results[0].message, "size = 9000x9000")
      }),
    patience
  )
})

describe("a folder that cannot be made", () => {
  it(
    "is said in one line, and by the exit code",
    () =>
      inFolder(async (folder) => {
        const file = join(folder, "file")
        writeFileSync(file, "")
        const flags = ["--out", join(file, "out"), "--steps", join(folder, "steps"), "--count", "1", "A red circle"]
        const { code, errors } = await start(flags)
        assert.strictEqual(code, 1)
        assert.include(errors, "The report could not be written")
        assert.notInclude(errors, "    at ")
      }),
    patience
  )
})

describe("the policy", () => {
  it("refuses by what is asked, however it is written", () => {
    const refused = {
      "a nude figure": "sexual",
      "ein nacktes Paar": "sexual",
      尸体在地上: "gore",
      "a ｂｅｈｅａｄｅｄ king": "gore",
      "a tor\u00ADtured man": "gore",
      "a realistic passport": "forgery",
      一张逼真的身份证: "forgery",
      "a photo of ⟦PERSON_1⟧ in prison": "likeness"
    }
    for (const [text, rule] of Object.entries(refused)) assert.strictEqual(broken(text)?.name, rule, text)
  })

  it("lets pass what only looks alike", () => {
    for (const text of [
      "a drawing of ⟦PERSON_1⟧",
      "a photo of a lake",
      "a passport of a teddy bear, watercolour",
      "a realistic apple",
      "Essex in the rain"
    ]) {
      assert.isUndefined(broken(text), text)
    }
  })
})

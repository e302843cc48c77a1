import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { DatasetCard, TeacherPolicy } from "@interlock/collector"

const teacher = { provider: "openai", model: "gpt-5-mini" }
const file = (path: string, rows: number) => {
  const [writer, split] = path.split("/") as [string, string]
  return { path, writer, split: split.replace(".jsonl", ""), rows, bytes: 100 * rows, sha256: "0".repeat(64) }
}

const manifest: DatasetCard.Manifest = {
  version: 1,
  name: "desk",
  createdAt: "2026-11-28T10:00:00.000Z",
  licence: "CC-BY-4.0",
  source: { path: "traffic.jsonl", sha256: "f".repeat(64) },
  counts: {
    lines: 1500,
    traffic: 0,
    items: 1400,
    linesRejected: { Contaminated: 60, DuplicatePrompt: 37, UnreadableRow: 3 },
    samples: { planned: 0, calling: 0, answered: 0, failed: 0, judged: 0, kept: 1200, rejected: 200 },
    samplesRejected: { Failed: 10, LowScore: 190 }
  },
  spending: {
    tries: 1412,
    answers: 1390,
    perhapsBilled: 2,
    inputTokens: 30_000,
    outputTokens: 90_000,
    costUsd: 12.345,
    costComplete: false,
    judge: { tries: 1390, costUsd: 0.789, costComplete: true },
    teachers: [
      { ...teacher, version: "gpt-5-mini-2025-08-07", answers: 1300 },
      { provider: "mine", model: "llama", answers: 90 }
    ]
  },
  terms: [
    { ...teacher, ...TeacherPolicy.termsOf(TeacherPolicy.known, teacher) },
    { provider: "mine", model: "llama", status: "unknown", summary: "Nobody has looked its terms up." }
  ],
  override: { by: "Ada", reason: "our contract allows it" },
  judge: { name: "rules", minimumScore: 0.7 },
  similarity: { removeFrom: 0.8, groupFrom: 0.6 },
  contamination: [{ set: "exam", documents: 40, lines: 60, items: 0 }],
  splits: { train: 1080, validation: 120 },
  skipped: { "trl-preference": { "no pair of answers of which one is clearly better": 900 } },
  files: [
    file("trl-messages/train.jsonl", 1080),
    file("trl-messages/validation.jsonl", 120),
    file("trl-messages-reasoning/train.jsonl", 700),
    { path: "rejected.jsonl", rows: 300, bytes: 30_000, sha256: "1".repeat(64) }
  ]
}

describe("DatasetCard", () => {
  it("says what its golden file has", () => {
    const path = join(import.meta.dirname, "golden/card.md")
    const card = DatasetCard.card(manifest)
    if (process.env["GOLDEN"] === "write" && !existsSync(path)) writeFileSync(path, card)
    assert.strictEqual(card, readFileSync(path, "utf8"))
  })

  it("says an override in any case, and where no terms called for it", () => {
    const permitted = { ...manifest, terms: [{ ...teacher, status: "permitted" as const, summary: "Apache-2.0." }] }
    assert.include(DatasetCard.card(permitted), "**Exported on the word of Ada**, which no teacher's terms called for")
    const { override: _, ...without } = manifest
    assert.notInclude(DatasetCard.card(without), "on the word of")
  })

  it("says that nothing was looked for where no evaluation set was given", () => {
    assert.include(DatasetCard.card({ ...manifest, contamination: [] }), "None was given, so nothing was looked for.")
  })
})

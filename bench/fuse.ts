/**
 * When fusion pays: what a vote gains over its best member and how often the gate lets it pass, for members drawn by chance, and what
 * there is to gain on recorded answers of two models. Run: `pnpm bench fuse`.
 */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { finalNumber } from "@interlock/stages/fuse/extract"
import { measure } from "@interlock/stages/fuse/gate"

interface Row {
  readonly outcomes: { readonly [model: string]: { readonly quality: number; readonly answer?: string } }
}

const trials = 50

/** Members that are right so often; `shared` is the share of prompts on which they are right or wrong by one and the same draw. */
const settings = [
  { members: [0.7, 0.7, 0.7], shared: 0 },
  { members: [0.7, 0.7, 0.7], shared: 0.5 },
  { members: [0.7, 0.7, 0.7], shared: 1 },
  { members: [0.8, 0.65, 0.65], shared: 0 },
  { members: [0.9, 0.6, 0.6], shared: 0 }
] as const

const generator = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}

export const run = async (): Promise<void> => {
  const random = generator(1)
  const simulated = settings.flatMap(({ members, shared }) =>
    [100, 300, 1000].map((prompts) => {
      let passed = 0
      let gain = 0
      for (let trial = 0; trial < trials; trial++) {
        const rows = Array.from({ length: prompts }, () => {
          const common = random()
          const together = random() < shared
          const [a, b, c] = members.map((share) => Number((together ? common : random()) < share)) as [
            number,
            number,
            number
          ]
          return { members: { a, b, c }, fused: Number(a + b + c >= 2) }
        })
        const measured = measure(rows, { resamples: 300 })
        passed += Number(measured.pays)
        gain += measured.gain / trials
      }
      return { members: members.join(" "), shared, prompts, gain: Number(gain.toFixed(3)), passes: passed / trials }
    })
  )
  console.table(simulated)

  const recorded = ["gsm8k", "mmlu"].map((set) => {
    const file = fileURLToPath(new URL(`../../shared/data/routing/${set}.jsonl`, import.meta.url))
    if (!existsSync(file)) return { set, skipped: "the data set is not here" }
    const rows = readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Row)
    const names = Object.keys(rows[0]!.outcomes)
    const graded = rows.map(({ outcomes }) => ({
      members: Object.fromEntries(names.map((name) => [name, outcomes[name]!.quality])),
      fused: outcomes[names[0]!]!.quality
    }))
    const { bestMember, members, oracle } = measure(graded, { resamples: 1 })
    const answers = rows.map(({ outcomes }) => names.map((name) => finalNumber(outcomes[name]!.answer ?? "")))
    const split = [true, false].map((same) =>
      rows.filter(
        (_, index) => (answers[index]![0] !== undefined && answers[index]![0] === answers[index]![1]) === same
      )
    )
    const right = split.map(
      (part) => part.reduce((sum, { outcomes }) => sum + outcomes[bestMember]!.quality, 0) / part.length
    )
    const said = rows[0]!.outcomes[bestMember]!.answer !== undefined
    return {
      set,
      rows: rows.length,
      ...members,
      oracle,
      ...(said && { agree: split[0]!.length, rightWhenAgreed: right[0], rightWhenNot: right[1] })
    }
  })
  console.table(recorded)
  console.log(JSON.stringify({ bench: "fuse", trials, simulated, recorded }))
}

/**
 * `Deduplicate` finds prompts that are the same or nearly so, and answers that repeat within one prompt.
 *
 * Nearly the same means: the Jaccard similarity of their sets of three-word runs reaches `removeFrom`. Candidates come from MinHash with
 * locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3): 64 hashes in 16
 * bands of 4, so that a pair of similarity 0.8 meets with probability 0.9998, and one of 0.6 with 0.89. Every candidate is then checked
 * against the texts themselves, so no two prompts are ever taken for alike because their hashes are.
 *
 * Bands, candidates and clusters live in the ledger, so memory does not grow with the number of items.
 *
 * @since 0.1.0
 */
import { Prompt } from "@interlock/model"
import { Effect } from "effect"
import { hash, joined, mixed, normalised, wordsOf } from "./internal/text.ts"
import { Ledger, type LedgerError, type Objection } from "./Ledger.ts"

/**
 * From which similarity on, 0 to 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** A prompt that is so like an earlier one is left out. Default 0.8. */
  readonly removeFrom?: number
  /** Prompts that are so like each other go to the same split. Default 0.6. */
  readonly groupFrom?: number
}

/**
 * What was found.
 *
 * @category models
 * @since 0.1.0
 */
export interface Found {
  readonly exact: number
  readonly near: number
  readonly answers: number
}

const shingleWords = 3
const bandCount = 16
const bandRows = 4

/** Hash functions of the family `a·x + b`, with odd `a`. */
const functionCount = bandCount * bandRows
const factors = Int32Array.from({ length: functionCount }, (_, index) => mixed(2 * index + 1) | 1)
const offsets = Int32Array.from({ length: functionCount }, (_, index) => mixed(2 * index + 2))

/**
 * What of a prompt is compared: what its user said, and what was said before.
 *
 * @category accessors
 * @since 0.1.0
 */
export const textOf = (prompt: Prompt.Prompt): string =>
  prompt.content
    .filter(({ role }) => role !== "system")
    .map((message) => Prompt.messageText(message))
    .join("\n")

/** The runs of three words, as hashes of 32 bits; a shorter text is one run. */
const runsOf = (text: string): Array<number> => {
  const hashes = wordsOf(text).map((word) => hash(word))
  const size = Math.min(shingleWords, hashes.length)
  const found: Array<number> = []
  for (let start = 0; start + size <= hashes.length && size > 0; start++) {
    let state = 0x811c9dc5
    for (let index = start; index < start + size; index++) state = Math.imul(state ^ hashes[index]!, 0x01000193)
    found.push(mixed(state))
  }
  return found
}

/**
 * The set of runs of three words, as hashes of 32 bits; a shorter text is one run.
 *
 * @category comparing
 * @since 0.1.0
 */
export const shingles = (text: string): ReadonlySet<number> => new Set(runsOf(text))

/**
 * The Jaccard similarity of two sets: the share of their union that both have. Two empty sets are alike.
 *
 * ```ts
 * import * as Deduplicate from "@interlock/collector/Deduplicate"
 *
 * const one = Deduplicate.shingles("how do I descale the machine")
 * console.assert(Deduplicate.jaccard(one, Deduplicate.shingles("How do I descale the machine?")) === 1)
 * console.assert(Deduplicate.jaccard(one, Deduplicate.shingles("how do I clean the grinder")) < 0.5)
 * ```
 *
 * @category comparing
 * @since 0.1.0
 */
export const jaccard = (one: ReadonlySet<number>, other: ReadonlySet<number>): number => {
  const [small, large] = one.size < other.size ? [one, other] : [other, one]
  let common = 0
  for (const each of small) if (large.has(each)) common++
  const union = one.size + other.size - common
  return union === 0 ? 1 : common / union
}

/** The least value of each function: used by one text at a time. */
const least = new Uint32Array(functionCount)

/** The bands of a text, and one more that only equal texts share. */
const bandsOf = (text: string): ReadonlyArray<number> => {
  least.fill(0xffffffff)
  // One that is there twice changes no least value.
  for (const shingle of runsOf(text)) {
    for (let index = 0; index < functionCount; index++) {
      const value = (Math.imul(shingle, factors[index]!) + offsets[index]!) >>> 0
      if (value < least[index]!) least[index] = value
    }
  }
  const bands: Array<number> = []
  for (let band = 0; band < bandCount; band++) {
    let [high, low] = [mixed(band + 1), 0x811c9dc5]
    for (let row = 0; row < bandRows; row++) {
      const value = least[band * bandRows + row]!
      low = Math.imul(low ^ value, 0x01000193)
      high = mixed(high + value)
    }
    bands.push(joined(high, mixed(low)))
  }
  const whole = normalised(text)
  bands.push(joined(hash(whole), hash(whole, 0x2f6b5c1d)))
  return bands
}

const page = 50

/** Union-find over the items of a page, beginning with the clusters they are in. The first item of a cluster stands for it. */
const makeClusters = () => {
  const parents = new Map<number, number>()
  const rootOf = (row: number): number => {
    let root = row
    for (let parent = parents.get(root); parent !== undefined && parent !== root; parent = parents.get(root))
      root = parent
    return root
  }
  return {
    begin: (row: number, cluster: number): void => {
      parents.set(row, cluster)
    },
    join: (one: number, other: number): void => {
      const [first, second] = [rootOf(one), rootOf(other)]
      parents.set(Math.max(first, second), Math.min(first, second))
    },
    all: (): ReadonlyArray<{ readonly row: number; readonly cluster: number }> =>
      [...parents.keys()].map((row) => ({ row, cluster: rootOf(row) })).filter(({ cluster, row }) => cluster !== row)
  }
}

/**
 * Objects to what repeats, and notes which items are alike. Of several that are nearly the same the first stays.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(function* (
  options: Options = {},
  progress: (done: number) => void = () => {}
): Effect.fn.Return<Found, LedgerError, Ledger> {
  const { groupFrom = 0.6, removeFrom = 0.8 } = options
  const ledger = yield* Ledger
  let answers = 0
  let done = 0

  for (let after = 0; ; ) {
    const items = yield* ledger.items(after, page)
    if (items.length === 0) break
    after = items.at(-1)!.row
    const repeated: Array<Objection> = []
    for (const { samples } of items) {
      const seen = new Map<string, number>()
      for (const { answer, number, reason, row } of samples) {
        if (reason !== undefined || samples.length === 1) continue
        const said = JSON.stringify([
          normalised(answer.text),
          answer.toolCalls.map(({ name, params }) => [name, params])
        ])
        const first = seen.get(said)
        if (first === undefined) seen.set(said, number)
        else repeated.push({ row, reason: "DuplicateAnswer", detail: `the same answer as sample ${first}` })
      }
    }
    answers += repeated.length
    yield* ledger.objectToSamples(repeated)
    yield* ledger.addBands(items.map(({ prompt, row }) => ({ item: row, bands: bandsOf(textOf(prompt)) })))
    done += items.length
    progress(done)
  }

  yield* ledger.pair
  let [exact, near] = [0, 0]
  for (let after: readonly [number, number] = [-1, -1]; ; ) {
    const candidates = yield* ledger.candidates(after, page)
    if (candidates.length === 0) break
    after = [candidates.at(-1)!.second, candidates.at(-1)!.first]
    const items = yield* ledger.compared([...new Set(candidates.flatMap(({ first, second }) => [first, second]))])
    const clusters = makeClusters()
    const removed = new Set<number>()
    const texts = new Map<number, { readonly text: string; readonly shingles: ReadonlySet<number> }>()
    for (const { cluster, prompt, rejected, row } of items) {
      const text = textOf(prompt)
      texts.set(row, { text: normalised(text), shingles: shingles(text) })
      clusters.begin(row, cluster)
      if (rejected) removed.add(row)
    }
    const objections: Array<Objection> = []
    for (const { first, second } of candidates) {
      const [one, other] = [texts.get(first)!, texts.get(second)!]
      const same = one.text === other.text
      const similarity = same ? 1 : jaccard(one.shingles, other.shingles)
      if (similarity < groupFrom) continue
      clusters.join(first, second)
      if (similarity < removeFrom || removed.has(second) || removed.has(first)) continue
      removed.add(second)
      if (same) exact++
      else near++
      objections.push({
        row: second,
        reason: same ? "ExactDuplicate" : "NearDuplicate",
        detail: same ? `the same as item ${first}` : `like item ${first}: ${similarity.toFixed(2)} of ${removeFrom}`
      })
    }
    yield* ledger.object(objections)
    yield* ledger.cluster(clusters.all())
  }
  return { exact, near, answers }
})

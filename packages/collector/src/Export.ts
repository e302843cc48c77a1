/**
 * `Export` writes what was kept: a folder for each writer with a file for each part of the split, the rows that were rejected with their
 * reasons, a manifest for programs and a card for people.
 *
 * Every file is there when it is whole, and has its SHA-256 in the manifest, which comes last.
 *
 * @since 0.1.0
 */
import { join } from "node:path"
import { Clock, Effect, FileSystem, type PlatformError, Schema } from "effect"
import { card, type Manifest } from "./DatasetCard.ts"
import * as DatasetFile from "./internal/datasetFile.ts"
import { Ledger, type LedgerError } from "./Ledger.ts"
import * as Writer from "./Writer.ts"

/**
 * Where to write, and in which forms.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The folder, made when it is not there. Files of an earlier export are replaced. */
  readonly directory: string
  /** The dataset's name: letters, digits, `-` and `_`. */
  readonly name: string
  readonly writers: ReadonlyArray<Writer.Writer>
  /** The licence under which you give the data away, as an SPDX identifier. Default `other`. */
  readonly licence?: string
}

/**
 * A file could not be written; the ledger has everything, and exporting again is free.
 *
 * @category errors
 * @since 0.1.0
 */
export class ExportError extends Schema.TaggedError<ExportError>()("@interlock/collector/ExportError", {
  directory: Schema.String,
  message: Schema.String
}) {}

const page = 50

/**
 * Writes the dataset. `said` are the parts of the manifest that only the collection knows.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(
  function* (
    options: Options,
    said: Omit<Manifest, "version" | "name" | "createdAt" | "licence" | "files" | "skipped" | "splits">,
    progress: (done: number) => void = () => {}
  ): Effect.fn.Return<
    { readonly manifest: Manifest; readonly kept: number },
    LedgerError | PlatformError.PlatformError,
    Ledger | FileSystem.FileSystem
  > {
    const ledger = yield* Ledger
    const files = yield* FileSystem.FileSystem
    const { directory, licence = "other", name, writers } = options
    yield* files.makeDirectory(directory, { recursive: true })
    // A manifest of an earlier export would speak of files that are about to change.
    for (const file of ["manifest.json", "README.md"]) {
      yield* files.remove(join(directory, file), { force: true })
    }
    const made: Array<Manifest["files"][number]> = []
    const skipped: { [writer: string]: { [reason: string]: number } } = {}
    const splits: { [part: string]: number } = {}
    let kept = 0

    yield* Effect.scoped(
      Effect.gen(function* () {
        const open = new Map<string, DatasetFile.DatasetFile>()
        const fileOf = Effect.fnUntraced(function* (writer: Writer.Writer, split: string) {
          const path = join(writer.name, `${split}.jsonl`)
          const known = open.get(path)
          if (known !== undefined) return known
          yield* files.makeDirectory(join(directory, writer.name), { recursive: true })
          const file = yield* DatasetFile.open(join(directory, path))
          open.set(path, file)
          return file
        })
        let done = 0
        for (let after = 0; ; ) {
          const items = yield* ledger.items(after, page, true)
          if (items.length === 0) break
          after = items.at(-1)!.row
          for (const item of items) {
            const split = item.split ?? "train"
            splits[split] = (splits[split] ?? 0) + 1
            for (const { reason } of item.samples) if (reason === undefined) kept++
            for (const writer of writers) {
              const { rows, skipped: unsaid } = Writer.rows(writer, item)
              if (rows.length > 0) yield* (yield* fileOf(writer, split)).add(rows)
              for (const reason of unsaid) {
                skipped[writer.name] ??= {}
                skipped[writer.name]![reason] = (skipped[writer.name]![reason] ?? 0) + 1
              }
            }
          }
          done += items.length
          progress(done)
        }
        for (const writer of writers) {
          const written: Array<Writer.Written> = []
          for (const [path, file] of open) {
            if (!path.startsWith(`${writer.name}/`) && !path.startsWith(`${writer.name}\\`)) continue
            const closed = yield* file.close
            const split = path.slice(writer.name.length + 1, -".jsonl".length)
            written.push({ split, file: `${split}.jsonl`, rows: closed.rows })
            made.push({
              path: `${writer.name}/${split}.jsonl`,
              writer: writer.name,
              split,
              rows: closed.rows,
              bytes: closed.bytes,
              sha256: closed.sha256
            })
          }
          for (const [file, text] of Object.entries(writer.beside?.(name, written) ?? {})) {
            if (written.length > 0) yield* files.writeFileString(join(directory, writer.name, file), text)
          }
        }
      })
    )

    const rejected = yield* Effect.scoped(
      Effect.gen(function* () {
        const file = yield* DatasetFile.open(join(directory, "rejected.jsonl"))
        const last = said.counts.lines
        for (let after = 0; after < last; after += page) {
          const rows = yield* ledger.rejections(after, page)
          yield* file.add(
            rows.map(({ detail, id, line, number, reason }) => ({
              ...(line === null ? {} : { line }),
              id,
              ...(number === null ? {} : { sample: number }),
              reason,
              detail
            }))
          )
        }
        return yield* file.close
      })
    )
    made.push({ path: "rejected.jsonl", rows: rejected.rows, bytes: rejected.bytes, sha256: rejected.sha256 })

    const manifest: Manifest = {
      version: 1,
      name,
      createdAt: new Date(yield* Clock.currentTimeMillis).toISOString(),
      licence,
      ...said,
      splits,
      skipped,
      files: made
    }
    yield* files.writeFileString(join(directory, "README.md"), card(manifest))
    yield* files.writeFileString(join(directory, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`)
    return { manifest, kept }
  },
  (effect, { directory }) =>
    Effect.mapError(effect, (error) =>
      error._tag === "PlatformError"
        ? new ExportError({
            directory,
            // The cause says what the operating system said, such as that the disk is full.
            message: `The dataset could not be written to ${directory} (${error.cause instanceof Error ? error.cause.message : error.message}): the ledger has it all; make room or choose another folder, and run again with --resume`
          })
        : error
    )
)

/** A file that is there when it is whole: rows go to another name, which becomes the file's own at the end. */
import { createHash } from "node:crypto"
import { Effect, FileSystem, type PlatformError, type Scope } from "effect"

/** A file that was written. */
export interface Made {
  readonly path: string
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
}

/** A file being written. */
export interface DatasetFile {
  readonly add: (rows: ReadonlyArray<object>) => Effect.Effect<void, PlatformError.PlatformError>
  readonly close: Effect.Effect<Made, PlatformError.PlatformError>
}

const buffered = 2 ** 16

/** Opens a file of JSON lines. */
export const open = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<DatasetFile, PlatformError.PlatformError, FileSystem.FileSystem | Scope.Scope> {
  const files = yield* FileSystem.FileSystem
  const partial = `${path}.partial`
  const file = yield* files.open(partial, { flag: "w" })
  const hash = createHash("sha256")
  let [pending, size] = [[] as Array<string>, 0]
  let [rows, bytes] = [0, 0]
  const flush = Effect.suspend(() => {
    if (pending.length === 0) return Effect.void
    const block = Buffer.from(pending.join(""))
    pending = []
    size = 0
    hash.update(block)
    bytes += block.length
    return file.writeAll(block)
  })
  return {
    add: (more) =>
      Effect.suspend(() => {
        for (const row of more) {
          const line = `${JSON.stringify(row)}\n`
          pending.push(line)
          size += line.length
          rows++
        }
        return size >= buffered ? flush : Effect.void
      }),
    close: Effect.gen(function* () {
      yield* flush
      yield* file.sync
      yield* files.rename(partial, path)
      return { path, rows, bytes, sha256: hash.digest("hex") }
    })
  }
})

/** Room that is kept free on a disk, to be used when it is full. */
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs"
import { Effect } from "effect"

/** Room that is taken. */
export interface Reserve {
  readonly bytes: number
  /** Gives the room back; once is enough. */
  readonly release: Effect.Effect<void>
}

const none: Reserve = { bytes: 0, release: Effect.void }

const block = 2 ** 20

/** Takes room beside a file: bytes that differ, so that no file system keeps them in less. */
export const take = (filename: string, bytes: number): Effect.Effect<Reserve, Error> =>
  filename === ":memory:" || bytes === 0
    ? Effect.succeed(none)
    : Effect.try({
        try: () => {
          const path = `${filename}-reserve`
          const file = openSync(path, "w")
          try {
            const buffer = new Uint32Array(block / 4)
            // Numerical Recipes' linear congruential generator.
            let state = 1
            for (let written = 0; written < bytes; ) {
              for (let index = 0; index < buffer.length; index++) {
                state = (Math.imul(state, 1664525) + 1013904223) >>> 0
                buffer[index] = state
              }
              written += writeSync(file, new Uint8Array(buffer.buffer), 0, Math.min(block, bytes - written))
            }
            fsyncSync(file)
          } catch (error) {
            rmSync(path, { force: true })
            throw error
          } finally {
            closeSync(file)
          }
          return {
            bytes,
            release: Effect.ignore(Effect.try({ try: () => rmSync(path, { force: true }), catch: (error) => error }))
          }
        },
        catch: (error) => (error instanceof Error ? error : new Error(String(error)))
      })

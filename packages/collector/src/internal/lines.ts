/** The lines of a file, each decoded by itself: one that is not UTF-8 does not spoil the others, nor pass for text. */
import { isUtf8 } from "node:buffer"
import { Stream } from "effect"

const newline = 0x0a
const carriageReturn = 0x0d

/** The text of a line that came in pieces. */
const textOf = (pieces: ReadonlyArray<Buffer>): string | undefined => {
  const [only] = pieces
  const line = pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces)
  const text = line.at(-1) === carriageReturn ? line.subarray(0, -1) : line
  return isUtf8(text) ? text.toString("utf8") : undefined
}

/** The lines of bytes, ended by `\n` or `\r\n`; `undefined` where a line is not UTF-8. */
export const lines = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<string | undefined, E, R> =>
  Stream.mapAccum(
    bytes,
    // Joined once, where the line ends: a set of many megabytes may be a single one.
    (): ReadonlyArray<Buffer> => [],
    (before, more) => {
      const block = Buffer.from(more.buffer, more.byteOffset, more.length)
      const found: Array<string | undefined> = []
      let [pieces, start] = [before, 0]
      for (let end = block.indexOf(newline); end >= 0; end = block.indexOf(newline, start)) {
        found.push(textOf([...pieces, block.subarray(start, end)]))
        pieces = []
        start = end + 1
      }
      return [start < block.length ? [...pieces, block.subarray(start)] : pieces, found]
    },
    { onHalt: (pieces) => (pieces.length === 0 ? [] : [textOf(pieces)]) }
  )

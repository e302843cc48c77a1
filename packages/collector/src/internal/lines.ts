/** The lines of a file, each decoded by itself: one that is not UTF-8 does not spoil the others, nor pass for text. */
import { isUtf8 } from "node:buffer"
import { Stream } from "effect"

const newline = 0x0a
const carriageReturn = 0x0d

const textOf = (line: Buffer): string | undefined => {
  const text = line.at(-1) === carriageReturn ? line.subarray(0, -1) : line
  return isUtf8(text) ? text.toString("utf8") : undefined
}

/** The lines of bytes, ended by `\n` or `\r\n`; `undefined` where a line is not UTF-8. */
export const lines = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<string | undefined, E, R> =>
  Stream.mapAccum(
    bytes,
    (): Buffer => Buffer.alloc(0),
    (rest, more) => {
      const block =
        rest.length === 0 ? Buffer.from(more.buffer, more.byteOffset, more.length) : Buffer.concat([rest, more])
      const found: Array<string | undefined> = []
      let start = 0
      for (let end = block.indexOf(newline); end >= 0; end = block.indexOf(newline, start)) {
        found.push(textOf(block.subarray(start, end)))
        start = end + 1
      }
      return [block.subarray(start), found]
    },
    { onHalt: (rest) => (rest.length === 0 ? [] : [textOf(rest)]) }
  )

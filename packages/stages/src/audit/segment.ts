/**
 * The files of an audit log. A log is a directory of *segments*; a segment is a header and then *frames*, each with its length and
 * checksum. What is committed together ends with a checkpoint frame, so that a commit is there wholly or not at all.
 *
 * ```text
 * header      8 "ILAUDIT1", 8 index of the first record, 8 time in milliseconds, 2 number of frontier hashes, 32 each, 4 CRC-32
 * frame       4 length of the payload, 4 CRC-32 of the payload, payload: 1 type and its bytes
 *   entry      1, the sealed entry: a leaf of the tree
 *   checkpoint 2, 8 first index covered, 8 size, 2 number of frontier hashes, 32 each, 32 for each leaf covered, signed note
 *   pruned     3, signed note: the records of this segment were removed by retention, and their leaf hashes kept
 * ```
 *
 * @since 0.1.0
 */
import { crc32 } from "node:zlib"
import * as Checkpoint from "./checkpoint.ts"
import type * as Merkle from "./merkle.ts"

const magic = Buffer.from("ILAUDIT1")
const hashLength = 32

/**
 * The largest payload of a frame, in bytes: 16 MiB.
 *
 * @category constants
 * @since 0.1.0
 */
export const largestPayload = 16 * 1024 * 1024

/**
 * The beginning of a segment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Header {
  /** The index of the segment's first record. */
  readonly first: number
  /** Milliseconds since the epoch. */
  readonly time: number
  /** The tree before the first record. */
  readonly frontier: Merkle.Frontier
  /** How many bytes the header has. */
  readonly length: number
}

/**
 * The end of a commit: the tree after it, the leaves it added, and the signature.
 *
 * @category models
 * @since 0.1.0
 */
export interface Commit {
  /** The index of the first record that it covers. */
  readonly first: number
  readonly frontier: Merkle.Frontier
  readonly leaves: ReadonlyArray<Uint8Array>
  /** A signed note: see `checkpoint.ts`. */
  readonly note: string
  readonly checkpoint: Checkpoint.Checkpoint
}

/**
 * One frame of a segment, or where the bytes are no longer frames.
 *
 * @category models
 * @since 0.1.0
 */
export type Frame =
  | { readonly _tag: "Entry"; readonly offset: number; readonly end: number; readonly bytes: Buffer }
  | { readonly _tag: "Commit"; readonly offset: number; readonly end: number; readonly commit: Commit }
  | { readonly _tag: "Pruned"; readonly offset: number; readonly end: number; readonly note: string }
  | { readonly _tag: "Bad"; readonly offset: number; readonly end: number }

/**
 * The file name of the segment that begins with the record at this index.
 *
 * @category names
 * @since 0.1.0
 */
export const fileName = (first: number): string => `${String(first).padStart(20, "0")}.segment`

/**
 * Whether a file name is a segment's.
 *
 * @category names
 * @since 0.1.0
 */
export const isFileName = (name: string): boolean => /^\d{20}\.segment$/.test(name)

const writeHashes = (hashes: ReadonlyArray<Uint8Array>): Buffer => {
  const count = Buffer.alloc(2)
  count.writeUInt16BE(hashes.length)
  return Buffer.concat([count, ...hashes])
}

/** Copied, so that hashes that are kept do not keep the whole segment. */
const readHashes = (bytes: Buffer, offset: number, count: number): ReadonlyArray<Uint8Array> => {
  const all = new Uint8Array(bytes.subarray(offset, offset + count * hashLength))
  const hashes: Array<Uint8Array> = []
  for (let at = 0; at < count * hashLength; at += hashLength) hashes.push(all.subarray(at, at + hashLength))
  return hashes
}

const checksum = (bytes: Uint8Array): Buffer => {
  const result = Buffer.alloc(4)
  result.writeUInt32BE(crc32(bytes))
  return result
}

const bits = (size: number): number => size.toString(2).replaceAll("0", "").length

/**
 * The bytes of a header.
 *
 * @category encoding
 * @since 0.1.0
 */
export const header = (time: number, frontier: Merkle.Frontier): Buffer => {
  const numbers = Buffer.alloc(16)
  numbers.writeBigUInt64BE(BigInt(frontier.size))
  numbers.writeBigUInt64BE(BigInt(time), 8)
  const bytes = Buffer.concat([magic, numbers, writeHashes(frontier.hashes)])
  return Buffer.concat([bytes, checksum(bytes)])
}

/**
 * Reads a header; `undefined` where it is cut short or damaged.
 *
 * @category encoding
 * @since 0.1.0
 */
export const readHeader = (bytes: Buffer): Header | undefined => {
  if (bytes.length < 30 || !bytes.subarray(0, 8).equals(magic)) return undefined
  const count = bytes.readUInt16BE(24)
  const end = 26 + count * hashLength
  if (bytes.length < end + 4 || crc32(bytes.subarray(0, end)) !== bytes.readUInt32BE(end)) return undefined
  const size = Number(bytes.readBigUInt64BE(8))
  if (bits(size) !== count) return undefined
  return {
    first: size,
    time: Number(bytes.readBigUInt64BE(16)),
    frontier: { size, hashes: readHashes(bytes, 26, count) },
    length: end + 4
  }
}

/**
 * Puts a payload of the given type into a frame.
 *
 * @category encoding
 * @since 0.1.0
 */
export const frame = (type: 1 | 2 | 3, payload: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(9 + payload.length)
  bytes.writeUInt32BE(payload.length + 1)
  bytes[8] = type
  bytes.set(payload, 9)
  bytes.writeUInt32BE(crc32(bytes.subarray(8)), 4)
  return bytes
}

/**
 * The frame that ends a commit.
 *
 * @category encoding
 * @since 0.1.0
 */
export const commit = (options: Omit<Commit, "checkpoint">): Buffer => {
  const numbers = Buffer.alloc(16)
  numbers.writeBigUInt64BE(BigInt(options.first))
  numbers.writeBigUInt64BE(BigInt(options.frontier.size), 8)
  return frame(
    2,
    Buffer.concat([numbers, writeHashes(options.frontier.hashes), ...options.leaves, Buffer.from(options.note)])
  )
}

const readCommit = (payload: Buffer): Commit | undefined => {
  if (payload.length < 18) return undefined
  const first = Number(payload.readBigUInt64BE())
  const size = Number(payload.readBigUInt64BE(8))
  const count = payload.readUInt16BE(16)
  const leavesAt = 18 + count * hashLength
  const noteAt = leavesAt + (size - first) * hashLength
  if (size < first || bits(size) !== count || noteAt > payload.length) return undefined
  const note = payload.toString("utf8", noteAt)
  const checkpoint = Checkpoint.parse(note)
  if (checkpoint === undefined || checkpoint.size !== size) return undefined
  return {
    first,
    frontier: { size, hashes: readHashes(payload, 18, count) },
    leaves: readHashes(payload, leavesAt, size - first),
    note,
    checkpoint
  }
}

const frameAt = (bytes: Buffer, offset: number): Frame | undefined => {
  if (offset + 9 > bytes.length) return undefined
  const length = bytes.readUInt32BE(offset)
  const end = offset + 8 + length
  if (length < 1 || length > largestPayload || end > bytes.length) return undefined
  const type = bytes[offset + 8]!
  if (type < 1 || type > 3) return undefined
  if (crc32(bytes.subarray(offset + 8, end)) !== bytes.readUInt32BE(offset + 4)) return undefined
  const payload = bytes.subarray(offset + 9, end)
  if (type === 1) return { _tag: "Entry", offset, end, bytes: payload }
  if (type === 3) return { _tag: "Pruned", offset, end, note: payload.toString("utf8") }
  const read = readCommit(payload)
  return read === undefined ? undefined : { _tag: "Commit", offset, end, commit: read }
}

/**
 * The frames of a segment from `offset` on. Where the bytes are damaged there is one `Bad` frame, up to the next one that is whole.
 *
 * @category decoding
 * @since 0.1.0
 */
export function* frames(bytes: Buffer, offset: number): Generator<Frame> {
  let position = offset
  while (position < bytes.length) {
    const found = frameAt(bytes, position)
    if (found !== undefined) {
      yield found
      position = found.end
      continue
    }
    let next = position + 1
    while (next < bytes.length && frameAt(bytes, next) === undefined) next += 1
    yield { _tag: "Bad", offset: position, end: next }
    position = next
  }
}

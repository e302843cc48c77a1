import { createPublicKey, hash, verify as verifySignature } from "node:crypto"
import { crc32 } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import * as Checkpoint from "@interlock/stages/audit/checkpoint"
import * as Disk from "@interlock/stages/audit/disk"
import * as Entry from "@interlock/stages/audit/entry"
import * as Segment from "@interlock/stages/audit/segment"
import { verify } from "@interlock/stages/audit/verify"
import * as Writer from "@interlock/stages/audit/writer"
import { Effect } from "effect"

const signer = Checkpoint.signer("test-log", new Uint8Array(32).fill(3))
const tenants = ["1", "2"].map((digit) => ({ id: digit.repeat(32), bytes: new Uint8Array(32).fill(Number(digit)) }))

const open = (disk: Disk.Disk, segmentBytes = 1 << 20) =>
  Effect.promise(() =>
    Writer.open({ disk, directory: "audit", signer, now: () => 1000, segmentBytes, segmentAge: 1e12 })
  )

const append = (writer: Writer.Writer, text: string, tenant = tenants[0]!) =>
  Effect.callback<number>((resume) => {
    const entry = Entry.seal({
      kind: "completion",
      time: 1000,
      call: Entry.id(),
      tenant,
      facts: JSON.stringify({ text })
    })
    writer.append(entry, (error, position) =>
      resume(position === undefined ? Effect.die(error) : Effect.succeed(position.index))
    )
  })

/** A log of commits of these sizes, and its files. */
const make = (commits: ReadonlyArray<number>, segmentBytes?: number) =>
  Effect.gen(function* () {
    const files = new Map<string, Buffer>()
    const writer = yield* open(Disk.memory(files), segmentBytes)
    for (const [commit, size] of commits.entries())
      yield* Effect.forEach(
        Array.from({ length: size }, (_, index) => index),
        (index) => append(writer, `${commit}.${index}`, tenants[(commit + index) % 2]),
        { concurrency: "unbounded" }
      )
    yield* Effect.promise(() => writer.close())
    const copy = () => new Map([...files].map(([name, bytes]) => [name, Buffer.from(bytes)]))
    return { copy, checkpoint: writer.checkpoint(), names: [...files.keys()].sort() }
  })

const check = (files: Map<string, Buffer>, trusted: ReadonlyArray<string> = []) =>
  verify({ disk: Disk.memory(files), directory: "audit", verifier: signer.verifier, trusted })

const framesOf = (bytes: Buffer) => [...Segment.frames(bytes, Segment.readHeader(bytes)!.length)]
const isEntry = (frame: Segment.Frame) => frame._tag === "Entry"
const pieces = (bytes: Buffer) => {
  const frames = framesOf(bytes)
  const slice = (frame: Segment.Frame) => bytes.subarray(frame.offset, frame.end)
  return { head: bytes.subarray(0, frames[0]!.offset), frames, slices: frames.map(slice) }
}

/**
 * A second verifier, written from RFC 9162, RFC 8032 and the layout in `docs/guide/audit.md` alone: it shares no code with the first.
 * Returns how many records the log holds, or -1 where anything is not as it was signed.
 */
const independent = (segments: ReadonlyArray<Buffer>, verifierKey: string): number => {
  const sha256 = (...parts: ReadonlyArray<Uint8Array>) => hash("sha256", Buffer.concat(parts), "buffer")
  const treeHash = (leaves: ReadonlyArray<Buffer>): Buffer => {
    if (leaves.length === 0) return sha256()
    if (leaves.length === 1) return leaves[0]!
    let middle = 1
    while (middle * 2 < leaves.length) middle *= 2
    return sha256(Buffer.of(1), treeHash(leaves.slice(0, middle)), treeHash(leaves.slice(middle)))
  }
  const publicKey = createPublicKey({
    key: Buffer.concat([
      Buffer.from("302a300506032b6570032100", "hex"),
      Buffer.from(verifierKey.split("+").slice(2).join("+"), "base64").subarray(1)
    ]),
    format: "der",
    type: "spki"
  })
  const leaves: Array<Buffer> = []
  let covered = 0
  for (const bytes of segments) {
    const hashes = bytes.readUInt16BE(24)
    const headerEnd = 26 + hashes * 32
    if (bytes.toString("latin1", 0, 8) !== "ILAUDIT1" || Number(bytes.readBigUInt64BE(8)) !== leaves.length) return -1
    if (crc32(bytes.subarray(0, headerEnd)) !== bytes.readUInt32BE(headerEnd)) return -1
    for (let offset = headerEnd + 4; offset < bytes.length; ) {
      const length = bytes.readUInt32BE(offset)
      const payload = bytes.subarray(offset + 8, offset + 8 + length)
      if (payload.length !== length || crc32(payload) !== bytes.readUInt32BE(offset + 4)) return -1
      offset += 8 + length
      if (payload[0] === 1) {
        leaves.push(sha256(Buffer.of(0), payload.subarray(1)))
        continue
      }
      const note = payload.toString("utf8", 19 + payload.readUInt16BE(17) * 32 + (leaves.length - covered) * 32)
      const [body, signatures] = note.split("\n\n")
      const lines = body!.split("\n")
      if (Number(lines[1]) !== leaves.length || lines[2] !== treeHash(leaves).toString("base64")) return -1
      const signature = Buffer.from(signatures!.trim().split(" ")[2]!, "base64").subarray(4)
      if (!verifySignature(null, Buffer.from(`${body}\n`), publicKey, signature)) return -1
      covered = leaves.length
    }
  }
  return covered === leaves.length ? covered : -1
}

const segmentsOf = (files: Map<string, Buffer>) =>
  [...files.keys()]
    .filter((name) => name.endsWith(".segment"))
    .sort()
    .map((name) => files.get(name)!)

describe("verify", () => {
  it.effect("agrees with a second verifier written from the RFCs, on logs of every small shape", () =>
    Effect.gen(function* () {
      for (const commits of [[], [1], [2, 1], [1, 1, 1], [5, 3, 8], [7, 1, 1, 9]])
        for (const segmentBytes of [1, 1 << 20]) {
          const { copy } = yield* make(commits, segmentBytes)
          const size = commits.reduce((sum, count) => sum + count, 0)
          expect(yield* check(copy())).toMatchObject({ valid: true, size, verified: size })
          expect(independent(segmentsOf(copy()), signer.verifier)).toBe(size)
        }
    })
  )

  it.effect("finds every flipped byte, and names the record", () =>
    Effect.gen(function* () {
      const { checkpoint, copy, names } = yield* make([2, 1, 2])
      const name = names[0]!
      const original = copy().get(name)!
      const entries = framesOf(original).filter(isEntry)
      for (let offset = 0; offset < original.length; offset++) {
        const files = copy()
        files.get(name)![offset]! ^= 1 << (offset % 8)
        const report = yield* check(files, [checkpoint])
        const record = entries.findIndex((frame) => offset >= frame.offset && offset < frame.end)
        if (report.valid || (record >= 0 && report.firstBad !== record))
          expect({ offset, record, report }).toMatchObject({ report: { valid: false, firstBad: record } })
      }
      expect(independent(segmentsOf(copy()), signer.verifier)).toBe(5)
    })
  )

  it.effect("finds a changed record whose checksum was made to fit, and one whose leaf hash was too", () =>
    Effect.gen(function* () {
      const { copy, names } = yield* make([3, 3])
      const name = names[0]!
      const { frames, head, slices } = pieces(copy().get(name)!)
      for (const [position, frame] of frames.entries()) {
        if (frame._tag !== "Entry") continue
        const changed = Buffer.from(frame.bytes)
        changed[100]! ^= 1
        const index = frames.slice(0, position).filter(isEntry).length
        const files = copy()
        files.set(name, Buffer.concat([head, ...slices.with(position, Segment.frame(1, changed))]))
        expect(yield* check(files)).toMatchObject({ valid: false, firstBad: index, problems: [{ kind: "record" }] })
        expect(independent(segmentsOf(files), signer.verifier)).toBe(-1)

        const commitAt = frames.findIndex((other, at) => at > position && other._tag === "Commit")
        const commit = frames[commitAt]!
        if (commit._tag !== "Commit") continue
        const { leaves } = commit.commit
        const leaf = hash("sha256", Buffer.concat([Buffer.of(0), changed]), "buffer")
        const forged = Segment.commit({ ...commit.commit, leaves: leaves.with(index - commit.commit.first, leaf) })
        files.set(
          name,
          Buffer.concat([head, ...slices.with(position, Segment.frame(1, changed)).with(commitAt, forged)])
        )
        const report = yield* check(files)
        expect(report).toMatchObject({ valid: false, problems: [{ kind: "records" }] })
        expect(report.firstBad).toBeLessThanOrEqual(index)
        expect(report.problems[0]!.end).toBeGreaterThan(index)
        expect(independent(segmentsOf(files), signer.verifier)).toBe(-1)
      }
    })
  )

  it.effect("finds records that were swapped, removed, repeated, or put in from another tenant", () =>
    Effect.gen(function* () {
      const { copy, names } = yield* make([4])
      const other = yield* make([4])
      const name = names[0]!
      const { head, slices } = pieces(copy().get(name)!)
      const foreign = pieces(other.copy().get(name)!).slices
      const cases: ReadonlyArray<readonly [number, ReadonlyArray<Buffer>]> = [
        [1, slices.with(1, slices[2]!).with(2, slices[1]!)],
        [2, slices.toSpliced(2, 1)],
        [3, slices.toSpliced(3, 0, slices[2]!)],
        [0, slices.with(0, slices[1]!)],
        [1, slices.with(1, foreign[1]!)],
        [4, slices.toSpliced(4, 0, foreign[0]!)]
      ]
      for (const [index, frames] of cases) {
        const files = copy()
        files.set(name, Buffer.concat([head, ...frames]))
        expect(yield* check(files)).toMatchObject({ valid: false, firstBad: index })
        expect(independent(segmentsOf(files), signer.verifier)).toBe(-1)
      }
    })
  )

  it.effect("finds a commit, or a segment, that was removed whole; at the end with a checkpoint kept elsewhere", () =>
    Effect.gen(function* () {
      const { checkpoint, copy, names } = yield* make([2, 2, 2])
      const name = names[0]!
      const { head, slices } = pieces(copy().get(name)!)
      const files = copy()
      files.set(name, Buffer.concat([head, ...slices.toSpliced(3, 3)]))
      expect(yield* check(files)).toMatchObject({ problems: [{ kind: "missing", index: 2, end: 4 }] })
      files.set(name, Buffer.concat([head, ...slices.slice(0, 6)]))
      expect(yield* check(files)).toMatchObject({ valid: true, size: 4 })
      expect(yield* check(files, [checkpoint])).toMatchObject({ problems: [{ kind: "missing", index: 4, end: 6 }] })

      const many = yield* make([2, 2, 2], 1)
      for (const [at, missing] of many.names.entries()) {
        const rest = many.copy()
        rest.delete(missing)
        expect(yield* check(rest, [many.checkpoint])).toMatchObject({
          problems: [{ kind: "missing", index: at * 2, end: at * 2 + 2 }]
        })
      }
    })
  )

  it.effect("does not accept checkpoints of another key, or a key that is not one", () =>
    Effect.gen(function* () {
      const { checkpoint, copy } = yield* make([2])
      const other = Checkpoint.signer("test-log", new Uint8Array(32).fill(4))
      const disk = Disk.memory(copy())
      const report = yield* verify({ disk, directory: "audit", verifier: other.verifier })
      expect(report).toMatchObject({ valid: false, problems: [{ kind: "signature" }] })
      for (const options of [{ verifier: other.verifier, trusted: [checkpoint] }, { verifier: "nonsense" }]) {
        const refused = yield* Effect.flip(verify({ disk, directory: "audit", ...options }))
        expect(refused._tag).toBe("@interlock/stages/VerifyError")
      }
    })
  )
})

describe("Writer", () => {
  it.effect("opens a log cut at any byte, keeps every commit before it, and reports what it cut", () =>
    Effect.gen(function* () {
      const { copy, names } = yield* make([2, 1])
      const name = names[0]!
      const original = copy().get(name)!
      const ends = framesOf(original).flatMap((frame) =>
        frame._tag === "Commit" ? [{ end: frame.end, size: frame.commit.frontier.size }] : []
      )
      for (let length = 0; length <= original.length; length++) {
        const files = copy()
        files.set(name, original.subarray(0, length))
        const kept = ends.findLast(({ end }) => end <= length) ?? { end: 0, size: 0 }
        const before = yield* check(files)
        if (!before.valid) expect({ length, before }).toMatchObject({ before: { valid: true } })
        if (before.size !== kept.size) expect({ length, before }).toMatchObject({ before: { size: kept.size } })
        const writer = yield* open(Disk.memory(files))
        const { size, torn } = writer.opened
        if (size !== kept.size || (torn?.bytes ?? 0) !== length - kept.end)
          expect({ length, size, torn }).toEqual({ length, size: kept.size, torn: { bytes: length - kept.end } })
        expect(yield* append(writer, "after")).toBe(kept.size)
        yield* Effect.promise(() => writer.close())
        const after = yield* check(files)
        if (!after.valid || after.verified !== kept.size + 1)
          expect({ length, after }).toEqual({ length, after: "valid" })
      }
    })
  )

  it.effect("leaves damage before the last commit for verification, and goes on in a new segment", () =>
    Effect.gen(function* () {
      const { copy, names } = yield* make([2, 2])
      const files = copy()
      const bytes = files.get(names[0]!)!
      bytes[framesOf(bytes)[1]!.offset + 50]! ^= 1
      const writer = yield* open(Disk.memory(files))
      expect(writer.opened).toMatchObject({ size: 4, damaged: { segment: "00000000000000000000.segment" } })
      expect(yield* append(writer, "after")).toBe(4)
      yield* Effect.promise(() => writer.close())
      expect(yield* check(files)).toMatchObject({ valid: false, firstBad: 1, size: 5, problems: [{ kind: "record" }] })
    })
  )
})

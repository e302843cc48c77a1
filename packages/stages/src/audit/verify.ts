/**
 * Verifies an audit log offline: from its files and its public key alone, without any key that opens a record. It finds the first bad
 * record, and every other place that was damaged.
 *
 * @since 0.1.0
 */
import { join } from "node:path"
import { Effect, Schema } from "effect"
import * as Checkpoint from "./checkpoint.ts"
import type { Disk } from "./disk.ts"
import { type AuditError, fromDisk } from "./error.ts"
import * as Merkle from "./merkle.ts"
import * as Segment from "./segment.ts"
import { segmentsOf } from "./writer.ts"

/**
 * The verifier key, or a trusted checkpoint, cannot be read.
 *
 * @category errors
 * @since 0.1.0
 */
export class VerifyError extends Schema.TaggedError<VerifyError>()("@interlock/stages/VerifyError", {
  message: Schema.String
}) {}

/**
 * Something that is wrong with the log.
 *
 * - `record`: the record at `index` is not the one that was signed (changed, moved, removed, or another's);
 * - `records`: one or more of the records from `index` to before `end` are not those that were signed, and their leaf hashes were changed too;
 * - `missing`: the records from `index` on (to before `end`, where it is known) are not there;
 * - `checkpoint`, `header`, `pruned`: bytes that are not a record were changed; the records are as they were signed;
 * - `signature`: a checkpoint was not signed by the log's key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Problem {
  readonly kind: "record" | "records" | "missing" | "checkpoint" | "header" | "pruned" | "signature"
  readonly index: number
  readonly end?: number
  readonly segment: string
  /** In bytes from the beginning of the segment. */
  readonly offset: number
}

/**
 * What verification found.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly valid: boolean
  /** How many records the log has had. */
  readonly size: number
  /** How many of them were read and are as they were signed. */
  readonly verified: number
  /** How many were removed by retention: their leaf hashes were verified. */
  readonly pruned: number
  readonly segments: number
  /** The index of the first bad record. */
  readonly firstBad?: number
  readonly problems: ReadonlyArray<Problem>
  /** Bytes at the end that no checkpoint covers: a commit that was cut short, and never acknowledged. */
  readonly torn?: { readonly segment: string; readonly offset: number; readonly bytes: number }
  /** The last checkpoint, a signed note. */
  readonly checkpoint: string
}

interface Pending {
  readonly leaf: Uint8Array
  readonly offset: number
}

const same = (left: Uint8Array | undefined, right: Uint8Array | undefined): boolean =>
  left !== undefined && right !== undefined && Buffer.compare(left, right) === 0

/**
 * Verifies the log in a directory.
 *
 * `verifier` is the log's public key; keep it elsewhere than with the log. `trusted` are checkpoints that were kept elsewhere: without
 * one, records that were removed from the end together with their checkpoints cannot be missed.
 *
 * @category verifying
 * @since 0.1.0
 */
export const verify = (options: {
  readonly disk: Disk
  readonly directory: string
  readonly verifier: string
  readonly trusted?: ReadonlyArray<string> | undefined
}): Effect.Effect<Report, AuditError | VerifyError> =>
  Effect.gen(function* () {
    const { directory, disk } = options
    const verifier = Checkpoint.verifier(options.verifier)
    if (verifier === undefined)
      return yield* new VerifyError({
        message: `the verifier key ${JSON.stringify(options.verifier)} is not <name>+<hash>+<base64> of an Ed25519 key; take it from the file "verifier" of the log`
      })
    const trusted: Array<Checkpoint.Checkpoint> = []
    for (const note of options.trusted ?? []) {
      const checkpoint = Checkpoint.open(verifier, note)
      if (checkpoint === undefined)
        return yield* new VerifyError({
          message: "a trusted checkpoint is not signed by this log's key; give the whole signed note as it was exported"
        })
      trusted.push(checkpoint)
    }
    const folder = segmentsOf(directory)
    const names = yield* Effect.tryPromise({ try: () => disk.list(folder), catch: fromDisk("verify") })
    const walk = start(verifier, trusted)
    const segments = names.filter(Segment.isFileName)
    for (const [index, name] of segments.entries()) {
      const read = yield* Effect.tryPromise({
        try: async () => readSegment(verifier, await disk.read(join(folder, name))),
        catch: fromDisk("verify")
      })
      walk.segment(name, read, index === segments.length - 1)
      yield* Effect.yieldNow
    }
    return walk.finish(segments.length)
  })

/** A frame, what it comes to, and whether the log's key signed it. */
type Read =
  | { readonly _tag: "Bad"; readonly offset: number }
  | { readonly _tag: "Entry"; readonly offset: number; readonly leaf: Uint8Array }
  | { readonly _tag: "Pruned"; readonly offset: number; readonly text: string | undefined }
  | {
      readonly _tag: "Commit"
      readonly offset: number
      readonly end: number
      readonly commit: Segment.Commit
      readonly signed: boolean
    }

interface ReadSegment {
  readonly header: Segment.Header | undefined
  readonly frames: ReadonlyArray<Read>
  readonly length: number
}

/** Reads the frames; signatures, which take longest, are checked on other threads while this one hashes the records. */
const readSegment = async (verifier: Checkpoint.Verifier, bytes: Buffer): Promise<ReadSegment> => {
  const header = Segment.readHeader(bytes)
  const frames: Array<Read | Promise<Read>> = []
  for (const frame of Segment.frames(bytes, header?.length ?? 0)) {
    const { offset } = frame
    if (frame._tag === "Bad") frames.push({ _tag: "Bad", offset })
    else if (frame._tag === "Entry") frames.push({ _tag: "Entry", offset, leaf: Merkle.leafHash(frame.bytes) })
    else if (frame._tag === "Pruned") {
      const text = Checkpoint.openTextAside(verifier, frame.note)
      frames.push(text.then((text) => ({ _tag: "Pruned", offset, text })))
    } else {
      const { commit, end } = frame
      // A checkpoint of another log is not this log's, whoever signed it.
      const text =
        commit.checkpoint.origin === verifier.origin ? Checkpoint.openTextAside(verifier, commit.note) : undefined
      frames.push(
        Promise.resolve(text).then((text) => ({ _tag: "Commit", offset, end, commit, signed: text !== undefined }))
      )
    }
  }
  return { header, frames: await Promise.all(frames), length: bytes.length }
}

const start = (verifier: Checkpoint.Verifier, trusted: ReadonlyArray<Checkpoint.Checkpoint>) => {
  const problems: Array<Problem> = []
  const awaited = [...trusted].sort((left, right) => left.size - right.size)
  let frontier = Merkle.empty
  let verified = 0
  let pruned = 0
  let checkpoint = ""
  let torn: Report["torn"]
  let lastSegment = ""

  const segment = (name: string, { frames, header, length }: ReadSegment, last: boolean): void => {
    lastSegment = name
    const report = (kind: Problem["kind"], index: number, offset: number, end?: number) =>
      problems.push({ kind, index, segment: name, offset, ...(end === undefined ? {} : { end }) })
    const stated = Number(name.slice(0, 20))
    if (stated > frontier.size) {
      report("missing", frontier.size, 0, stated)
      if (header !== undefined && header.first === stated) frontier = header.frontier
    } else if (header !== undefined && (header.first !== stated || !sameFrontier(header.frontier, frontier)))
      report("header", frontier.size, 0)

    let pending: Array<Pending> = []
    let damage: { readonly offset: number; readonly at: number } | undefined
    let isPruned = false
    let committed = header?.length ?? 0
    let commits = 0
    for (const frame of frames) {
      if (frame._tag === "Bad") damage ??= { offset: frame.offset, at: pending.length }
      else if (frame._tag === "Entry") pending.push(frame)
      else if (frame._tag === "Pruned") {
        if (frame.text?.startsWith(`${verifier.origin}\npruned ${stated} `) === true) isPruned = true
        else report("pruned", frontier.size, frame.offset)
      } else {
        if (header === undefined && commits === 0) report("header", frontier.size, 0)
        commits += 1
        commit(frame.commit, frame.offset, frame.signed)
        committed = frame.end
        pending = []
        damage = undefined
      }
    }
    if (pending.length > 0 || damage !== undefined) {
      if (last) torn = { segment: name, offset: committed, bytes: length - committed }
      else report("missing", frontier.size, committed)
    }

    function commit(found: Segment.Commit, offset: number, signed: boolean): void {
      const { first, leaves, note } = found
      const size = found.frontier.size
      const before = frontier.size
      if (!signed) {
        report("signature", before, offset)
        // What this checkpoint says counts for nothing; the next one covers its records too, when they follow each other.
        const read = Merkle.append(
          frontier,
          pending.map(({ leaf }) => leaf)
        )
        frontier = sameFrontier(read, found.frontier) ? read : found.frontier
        return
      }
      checkpoint = note
      const { root } = found.checkpoint
      const own = pending.map(({ leaf }) => leaf)
      const fromRecords = Merkle.append(frontier, isPruned && own.length === 0 ? leaves : own)
      const asSigned = fromRecords.size === size && same(Merkle.root(fromRecords), root)
      const authentic = asSigned ? sameFrontier(found.frontier, fromRecords) : same(Merkle.root(found.frontier), root)
      if (asSigned) {
        // The records are those that were signed; bytes beside them may still have been changed.
        if (isPruned && own.length === 0) pruned += leaves.length
        else verified += own.length
        if (damage !== undefined) report("checkpoint", before + damage.at, damage.offset)
        else if (first !== before || !authentic || leaves.some((leaf, index) => !same(leaf, own[index] ?? leaf)))
          report("checkpoint", before, offset)
        frontier = fromRecords
        settle(name, offset)
        return
      }
      const fromLeaves = Merkle.append(frontier, leaves)
      if (first === before && same(Merkle.root(fromLeaves), root)) {
        // The leaf hashes are authentic: compare record by record.
        let reported = false
        for (const [index, leaf] of leaves.entries()) {
          if (same(leaf, own[index])) {
            verified += 1
            continue
          }
          const at = pending[index]?.offset ?? offset
          if (!reported) report("record", before + index, damage === undefined ? at : Math.min(at, damage.offset))
          reported = true
          if (damage !== undefined || own.length !== leaves.length) break
        }
        // All the records are there, and there are more of them: something was put in.
        if (!reported) report("record", size, pending[leaves.length]?.offset ?? offset)
        frontier = fromLeaves
      } else {
        const whole = authentic && first > before && own.length === leaves.length
        const missing = whole && own.every((leaf, index) => same(leaf, leaves[index]))
        if (missing) verified += own.length
        const at = damage?.offset ?? pending[0]?.offset ?? offset
        report(missing ? "missing" : "records", before, at, missing ? first : size)
        frontier = authentic ? found.frontier : fromRecords
      }
      settle(name, offset)
    }

    function settle(segmentName: string, offset: number): void {
      while (awaited.length > 0 && awaited[0]!.size <= frontier.size) {
        const known = awaited.shift()!
        if (known.size !== frontier.size || !same(known.root, Merkle.root(frontier)))
          problems.push({ kind: "records", index: 0, end: known.size, segment: segmentName, offset })
      }
    }
  }

  const finish = (segments: number): Report => {
    for (const known of awaited)
      if (known.size > frontier.size)
        problems.push({ kind: "missing", index: frontier.size, end: known.size, segment: lastSegment, offset: 0 })
    const indexes = problems.map(({ index }) => index)
    return {
      valid: problems.length === 0,
      size: frontier.size,
      verified,
      pruned,
      segments,
      ...(indexes.length === 0 ? {} : { firstBad: Math.min(...indexes) }),
      problems,
      ...(torn === undefined ? {} : { torn }),
      checkpoint
    }
  }

  return { segment, finish }
}

const sameFrontier = (left: Merkle.Frontier, right: Merkle.Frontier): boolean =>
  left.size === right.size && left.hashes.every((hash, index) => same(hash, right.hashes[index]))

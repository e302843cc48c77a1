/**
 * The one writer of an audit log: it puts sealed entries into segments, many with one `fdatasync`, and signs the tree after each
 * commit. An append is acknowledged when its commit is on the disk.
 *
 * @since 0.1.0
 */
import { join } from "node:path"
import * as Checkpoint from "./checkpoint.ts"
import type { Disk, DiskFile } from "./disk.ts"
import { AuditError, KeysUnavailable } from "./error.ts"
import * as Merkle from "./merkle.ts"
import * as Segment from "./segment.ts"

/**
 * How a log is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface WriterOptions {
  readonly disk: Disk
  readonly directory: string
  readonly signer: Checkpoint.Signer
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A segment that has this many bytes is closed, and the next begun. */
  readonly segmentBytes: number
  /** A segment that is this old is closed, in milliseconds: retention removes whole segments. */
  readonly segmentAge: number
  /**
   * Rejects when the log is no longer this process's to write. Asked before each commit, and after it: what another process did not
   * see is not acknowledged. Never rejects where it is left out.
   */
  readonly stillOwned?: (() => Promise<void>) | undefined
}

/**
 * What was found, and done, when the log was opened.
 *
 * @category models
 * @since 0.1.0
 */
export interface Opened {
  readonly size: number
  readonly segments: number
  /** The bytes after the last whole commit, cut from the end; kept aside in the file `kept`. They were never acknowledged. */
  readonly torn?: { readonly segment: string; readonly offset: number; readonly bytes: number; readonly kept: string }
  /** Bytes that were whole once and are damaged now; they are left as they are for verification, and a new segment is begun. */
  readonly damaged?: { readonly segment: string; readonly offset: number }
}

/**
 * Where an entry is in the log.
 *
 * @category models
 * @since 0.1.0
 */
export interface Position {
  readonly index: number
  readonly leaf: Uint8Array
}

/**
 * The writer of a log.
 *
 * @category models
 * @since 0.1.0
 */
export interface Writer {
  readonly opened: Opened
  /** Resolves when the entry is durable; rejects, with the disk's error, when it is not known to be. */
  readonly append: (entry: Uint8Array, done: (error: unknown, position: Position | undefined) => void) => void
  /** The last durable checkpoint, a signed note; empty before the first record. */
  readonly checkpoint: () => string
  /** How many bytes of which segment are durable: a reader stops there. */
  readonly end: () => { readonly segment: string; readonly offset: number }
  /** Begins a new segment with the next append. */
  readonly roll: () => void
  /** Waits for the appends in progress and closes the file. */
  readonly close: () => Promise<void>
}

interface State {
  readonly segment: string
  readonly file: DiskFile | undefined
  readonly offset: number
  readonly frontier: Merkle.Frontier
  readonly note: string
  readonly openedAt: number
}

/**
 * The path of the directory that holds the segments.
 *
 * @category names
 * @since 0.1.0
 */
export const segmentsOf = (directory: string): string => join(directory, "segments")

const fresh = (frontier: Merkle.Frontier, note: string): State => ({
  segment: Segment.fileName(frontier.size),
  file: undefined,
  offset: 0,
  frontier,
  note,
  openedAt: 0
})

const recover = async (options: WriterOptions): Promise<{ readonly state: State; readonly opened: Opened }> => {
  const { directory, disk } = options
  const folder = segmentsOf(directory)
  await disk.makeDirectory(folder)
  const names = (await disk.list(folder)).filter(Segment.isFileName)
  const verifier = Checkpoint.verifier(options.signer.verifier)!
  const segment = names.at(-1)
  if (segment === undefined) return { state: fresh(Merkle.empty, ""), opened: { size: 0, segments: 0 } }
  const bytes = await disk.read(join(folder, segment))
  const header = Segment.readHeader(bytes)
  const keepAside = async (offset: number) => {
    const kept = join("torn", `${segment}-${offset}`)
    await disk.makeDirectory(join(directory, "torn"))
    await disk.replace(join(directory, kept), bytes.subarray(offset))
    return { segment, offset, bytes: bytes.length - offset, kept }
  }
  let last: { readonly commit: Segment.Commit; readonly end: number } | undefined
  let bad: number | undefined
  let damaged: number | undefined
  let pruned = false
  let foreign = false
  for (const frame of Segment.frames(bytes, header?.length ?? 0)) {
    if (frame._tag === "Bad") bad ??= frame.offset
    else if (frame._tag === "Pruned") pruned = true
    else if (frame._tag === "Commit" && Checkpoint.open(verifier, frame.commit.note) !== undefined) {
      damaged ??= bad ?? (header === undefined ? 0 : undefined)
      last = { commit: frame.commit, end: frame.end }
    } else if (frame._tag === "Commit") foreign = true
  }
  if (last === undefined && foreign) {
    throw new AuditError({
      operation: "open",
      reason: new KeysUnavailable({
        detail: `${segment} was signed with another key, or under another name of the log, than the key store has now`
      })
    })
  }
  if (last === undefined) {
    // Nothing in this segment was ever committed: it was begun when the process died.
    const torn = bytes.length > 0 ? await keepAside(0) : undefined
    await disk.destroy(join(folder, segment))
    if (names.length > 1) {
      const before = await recover(options)
      return { ...before, opened: { ...(torn === undefined ? {} : { torn }), ...before.opened } }
    }
    return {
      state: fresh(Merkle.empty, ""),
      opened: { size: 0, segments: 0, ...(torn === undefined ? {} : { torn }) }
    }
  }
  const { frontier, note } = last.commit
  const opened = { size: frontier.size, segments: names.length }
  // A damaged or pruned segment is never written to again.
  if (damaged !== undefined)
    return { state: fresh(frontier, note), opened: { ...opened, damaged: { segment, offset: damaged } } }
  if (pruned) return { state: fresh(frontier, note), opened }
  const torn = last.end < bytes.length ? await keepAside(last.end) : undefined
  const file = await disk.open(join(folder, segment))
  if (torn !== undefined) {
    await file.truncate(last.end)
    await file.sync()
  }
  return {
    state: { segment, file, offset: last.end, frontier, note, openedAt: header!.time },
    opened: { ...opened, ...(torn === undefined ? {} : { torn }) }
  }
}

/**
 * Opens the log of a directory for writing, and repairs the end that a crash may have left.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = async (options: WriterOptions): Promise<Writer> => {
  const { directory, disk, now, signer } = options
  const first = await recover(options)
  let state: State | undefined = first.state
  let lastEnd = { segment: first.state.segment, offset: first.state.offset }
  let lastNote = first.state.note
  let rolling = false
  let waiting: Array<{
    readonly entry: Uint8Array
    readonly done: (error: unknown, position: Position | undefined) => void
  }> = []
  let working: Promise<void> | undefined

  const write = async (batch: typeof waiting): Promise<ReadonlyArray<Position>> => {
    await options.stillOwned?.()
    state ??= (await recover(options)).state
    const time = now()
    const full = state.offset >= options.segmentBytes || time - state.openedAt >= options.segmentAge || rolling
    if (state.file !== undefined && full) {
      await state.file.close()
      state = fresh(state.frontier, state.note)
    }
    rolling = false
    const chunks: Array<Uint8Array> = []
    let current: State = state
    if (current.file === undefined) {
      const file = await disk.open(join(segmentsOf(directory), current.segment))
      await file.truncate(0)
      current = { ...current, file, openedAt: time }
      state = current
      chunks.push(Segment.header(time, current.frontier))
    }
    const leaves = batch.map(({ entry }) => Merkle.leafHash(entry))
    const frontier = Merkle.append(current.frontier, leaves)
    for (const { entry } of batch) chunks.push(Segment.frame(1, entry))
    const note = Checkpoint.sign(signer, { size: frontier.size, root: Merkle.root(frontier), time })
    chunks.push(Segment.commit({ first: current.frontier.size, frontier, leaves, note }))
    const bytes = Buffer.concat(chunks)
    try {
      await current.file!.write(bytes, current.offset)
    } catch (error) {
      // Nothing was promised yet: take back what was written, or look at the disk again before the next append.
      try {
        await current.file!.truncate(current.offset)
        if (current.offset === 0) state = { ...current, file: undefined }
      } catch {
        state = undefined
      }
      if (state?.file === undefined) await current.file!.close().catch(() => {})
      throw error
    }
    try {
      await current.file!.sync()
      await options.stillOwned?.()
    } catch (error) {
      // After a failed sync nobody knows what is on the disk: read it again before the next append.
      state = undefined
      await current.file!.close().catch(() => {})
      throw error
    }
    state = { ...current, offset: current.offset + bytes.length, frontier, note }
    lastEnd = { segment: state.segment, offset: state.offset }
    lastNote = note
    return leaves.map((leaf, index) => ({ index: current.frontier.size + index, leaf }))
  }

  const work = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, 512)
      try {
        const positions = await write(batch)
        batch.forEach(({ done }, index) => {
          done(undefined, positions[index])
        })
      } catch (error) {
        for (const { done } of batch) done(error, undefined)
      }
    }
    working = undefined
  }

  return {
    opened: first.opened,
    append: (entry, done) => {
      waiting.push({ entry, done })
      // A microtask later, so that appends made in one go share a commit.
      working ??= Promise.resolve().then(work)
    },
    checkpoint: () => lastNote,
    end: () => lastEnd,
    roll: () => {
      rolling = true
    },
    close: async () => {
      await working
      await state?.file?.close()
      state = undefined
      waiting = []
    }
  }
}

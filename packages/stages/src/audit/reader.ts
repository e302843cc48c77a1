/**
 * Reads an audit log: the entries in order, each with its place in the tree, opened where the keys are still there. Reading needs no
 * lock, so that a log can be read while a service writes to it.
 *
 * @since 0.1.0
 */
import { join } from "node:path"
import { Effect, Stream } from "effect"
import type { Disk } from "./disk.ts"
import * as Entry from "./entry.ts"
import { type AuditError, fromDisk } from "./error.ts"
import type { KeyRing } from "./keys.ts"
import { leafHash } from "./merkle.ts"
import * as Segment from "./segment.ts"
import { segmentsOf } from "./writer.ts"

/**
 * An entry of the log as it is read.
 *
 * @category models
 * @since 0.1.0
 */
export interface LogEntry {
  readonly index: number
  readonly leaf: Uint8Array
  readonly head: Entry.Head
  /** JSON; `undefined` where the tenant's key was destroyed, or the entry was changed. */
  readonly facts: unknown
  /** JSON; `undefined` where there is none, the subject was erased, or the entry was changed. */
  readonly personal: unknown
  /** Whether a personal section is there that can no longer be opened. */
  readonly erased: boolean
  /** The signed checkpoint of the commit that the entry belongs to. */
  readonly note: string
}

/**
 * The entries from index `from` on, those removed by retention left out.
 *
 * @category reading
 * @since 0.1.0
 */
export const read = (options: {
  readonly disk: Disk
  readonly directory: string
  readonly keys: KeyRing
  readonly from?: number | undefined
}): Stream.Stream<LogEntry, AuditError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { directory, disk, keys } = options
      const from = options.from ?? 0
      const folder = segmentsOf(directory)
      const names = (yield* Effect.tryPromise({ try: () => disk.list(folder), catch: fromDisk("read") })).filter(
        Segment.isFileName
      )
      const wanted = names.filter((_, index) => {
        const next = names[index + 1]
        return next === undefined || Number(next.slice(0, 20)) > from
      })
      return Stream.fromIterable(wanted).pipe(
        Stream.flatMap((name) =>
          Stream.fromIterableEffect(
            Effect.tryPromise({
              try: async () => entries(await disk.read(join(folder, name)), from),
              catch: fromDisk("read")
            })
          )
        ),
        Stream.mapEffect((found) => unseal(keys, found))
      )
    })
  )

interface Found {
  readonly index: number
  readonly entry: Entry.Entry
  readonly leaf: Uint8Array
  readonly note: string
}

/** The committed entries of a segment; what is not covered by a checkpoint is not part of the log. */
function* entries(bytes: Buffer, from: number): Generator<Found> {
  const header = Segment.readHeader(bytes)
  let pending: Array<Buffer> = []
  for (const frame of Segment.frames(bytes, header?.length ?? 0)) {
    if (frame._tag === "Entry") pending.push(frame.bytes)
    else if (frame._tag === "Commit") {
      const { first, frontier, leaves, note } = frame.commit
      if (frontier.size <= from) {
        pending = []
        continue
      }
      const known = new Map(leaves.map((leaf, index) => [Buffer.from(leaf).toString("latin1"), first + index]))
      for (const payload of pending) {
        const leaf = leafHash(payload)
        const index = known.get(Buffer.from(leaf).toString("latin1"))
        const entry = Entry.parse(payload)
        if (index !== undefined && entry !== undefined && index >= from) yield { index, entry, leaf, note }
      }
      pending = []
    }
  }
}

const json = (text: string | undefined): unknown => (text === undefined ? undefined : JSON.parse(text))

const unseal = (keys: KeyRing, { entry, index, leaf, note }: Found): Effect.Effect<LogEntry, AuditError> =>
  Effect.gen(function* () {
    const { head } = entry
    const tenant = yield* keys.tenantById(head.tenantKey)
    const subject = head.subjectKey === undefined ? undefined : yield* keys.subjectById(head.tenantKey, head.subjectKey)
    const facts = tenant === undefined ? undefined : Entry.openFacts(entry, tenant.bytes)
    const sealed = Entry.hasPersonal(entry)
    const personal = sealed && subject !== undefined ? Entry.openPersonal(entry, subject.bytes) : undefined
    return {
      index,
      leaf,
      head,
      facts: json(facts),
      personal: json(personal),
      erased: sealed && personal === undefined,
      note
    }
  })

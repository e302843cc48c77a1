/**
 * The audit log: an append-only, encrypted, tamper-evident store of records, embedded in the process. Records are durable when
 * `append` returns, many with one `fdatasync`.
 *
 * @since 0.1.0
 */
import { join } from "node:path"
import { Clock, Context, Duration, Effect, Layer, Redacted, Semaphore, Stream } from "effect"
import * as Checkpoint from "./checkpoint.ts"
import * as Disk from "./disk.ts"
import * as Entry from "./entry.ts"
import { AuditError, fromDisk, Held, Locked, RecordTooLarge } from "./error.ts"
import {
  type KeyRing,
  type KeyStore,
  layerMemory as layerKeysMemory,
  layerRootKey,
  makeKeyRing,
  type RootKey
} from "./keys.ts"
import * as Reader from "./reader.ts"
import * as Segment from "./segment.ts"
import * as Writer from "./writer.ts"

/**
 * What is appended: facts that hold no text, and a personal section that is sealed under the subject's key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Append {
  readonly kind: "request" | "completion"
  /** The id of the call: 32 hexadecimal digits, as `Entry.id()` makes. */
  readonly call: string
  readonly tenant: string
  readonly subject?: string | undefined
  /** Becomes JSON. */
  readonly facts: unknown
  /** Becomes JSON. */
  readonly personal?: unknown
}

/**
 * What retention did.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retained {
  /** Segments whose records were removed. */
  readonly removed: ReadonlyArray<string>
  /** Segments that are old enough, but hold a record under legal hold. */
  readonly held: ReadonlyArray<string>
}

/**
 * An append-only log of what happened.
 *
 * @category services
 * @since 0.1.0
 */
export class AuditLog extends Context.Service<
  AuditLog,
  {
    /** Returns when the record is durable; fails when it is not known to be. */
    readonly append: (entry: Append) => Effect.Effect<Writer.Position, AuditError>
    /** The entries from index `from` on, those removed by retention left out. */
    readonly entries: (options?: { readonly from?: number }) => Stream.Stream<Reader.LogEntry, AuditError>
    /** The last durable checkpoint, a signed note; empty before the first record. Keep copies of it elsewhere. */
    readonly checkpoint: Effect.Effect<string>
    /** The public key that verifies the checkpoints: `<name>+<hash>+<base64>`. */
    readonly verifier: string
    /** What was found, and repaired, when the log was opened. */
    readonly opened: Writer.Opened
    /** Destroys the subject's key (or the tenant's): what was sealed under it can be read no more, in no copy of the log. */
    readonly erase: (options: {
      readonly tenant: string
      readonly subject?: string | undefined
    }) => Effect.Effect<{ readonly erased: boolean }, AuditError>
    /** Destroys again every key that the log says was erased: after the key store was restored from a backup. */
    readonly reapplyErasures: Effect.Effect<number, AuditError>
    /** Forbids erasure and retention of the records of a subject, or of a whole tenant. */
    readonly hold: (options: {
      readonly tenant: string
      readonly subject?: string | undefined
      readonly reason: string
    }) => Effect.Effect<void, AuditError>
    /** Ends a hold. */
    readonly release: (options: {
      readonly tenant: string
      readonly subject?: string | undefined
    }) => Effect.Effect<{ readonly released: boolean }, AuditError>
    /** Removes the records of the segments that ended before `before` (milliseconds since the epoch); their leaf hashes stay. */
    readonly retain: (options: { readonly before: number }) => Effect.Effect<Retained, AuditError>
  }
>()("@interlock/stages/AuditLog") {}

/**
 * How a log on files is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly directory: string
  /** The name of the log in its checkpoints, without spaces or `+`. Default `interlock-audit`. */
  readonly origin?: string | undefined
  /** A segment that has this many bytes is closed. Default 64 MiB. */
  readonly segmentBytes?: number | undefined
  /** A segment that is this old is closed; retention removes whole segments. Default 1 day. */
  readonly segmentAge?: Duration.Input | undefined
  /** Default: the disk of this machine. */
  readonly disk?: Disk.Disk | undefined
}

// Which directories this process writes to: its own process id in a lock file means nothing after a restart in a container.
const writing = new WeakMap<Disk.Disk, Set<string>>()

/**
 * Takes the lock, and gives what rejects when somebody else has taken it since: a process in another container, whose ids are its own,
 * cannot be seen from here, nor this one from there.
 */
const lock = (disk: Disk.Disk, directory: string) => {
  const path = join(directory, "lock")
  const mark = Buffer.from(`${process.pid} ${Entry.id()}`)
  const read = () => disk.read(path).catch(() => Buffer.alloc(0))
  const stillOwned = async () => {
    const found = await read()
    if (found.equals(mark)) return
    throw new AuditError({ operation: "append", reason: new Locked({ processId: ownerOf(found) }) })
  }
  return Effect.acquireRelease(
    Effect.gen(function* () {
      const held = writing.get(disk) ?? new Set()
      writing.set(disk, held)
      const run = <A>(action: () => Promise<A>) => Effect.tryPromise({ try: action, catch: fromDisk("open") })
      for (let attempt = 0; attempt < 2; attempt++) {
        if (!held.has(directory) && (yield* run(() => disk.create(path, mark)))) {
          held.add(directory)
          return stillOwned
        }
        const owner = held.has(directory) ? process.pid : ownerOf(yield* run(read))
        if (held.has(directory) || (owner !== process.pid && owner > 0 && isRunning(owner)))
          return yield* new AuditError({ operation: "open", reason: new Locked({ processId: owner }) })
        yield* run(() => disk.destroy(path))
      }
      return yield* new AuditError({ operation: "open", reason: new Locked({ processId: 0 }) })
    }),
    () =>
      Effect.promise(async () => {
        // The lock of a process that took over stays.
        if ((await read()).equals(mark)) await disk.destroy(path).catch(() => {})
        writing.get(disk)?.delete(directory)
      })
  )
}

/** The process id in a lock file; 0 where there is none. */
const ownerOf = (bytes: Buffer): number => Number.parseInt(bytes.toString("latin1"), 10) || 0

const isRunning = (processId: number): boolean => {
  try {
    process.kill(processId, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** The tenant under whose key the log keeps what it says of itself. */
const self = "interlock/audit"

const make = (options: Options) =>
  Effect.gen(function* () {
    const disk = options.disk ?? Disk.files
    const { directory } = options
    const clock = yield* Clock.Clock
    // A clock may tell parts of a millisecond, and the format knows none.
    const now = () => Math.floor(clock.currentTimeMillisUnsafe())
    const keys: KeyRing = yield* makeKeyRing
    const signer = Checkpoint.signer(options.origin ?? "interlock-audit", keys.signingSeed)
    yield* Effect.tryPromise({ try: () => disk.makeDirectory(directory), catch: fromDisk("open") })
    const stillOwned = yield* lock(disk, directory)
    const writer = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () =>
          Writer.open({
            disk,
            directory,
            signer,
            now,
            stillOwned,
            segmentBytes: options.segmentBytes ?? 64 * 1024 * 1024,
            segmentAge: Duration.toMillis(Duration.fromInputUnsafe(options.segmentAge ?? "1 day"))
          }),
        catch: fromDisk("open")
      }),
      (writer) => Effect.promise(() => writer.close())
    )
    yield* Effect.tryPromise({
      try: () => disk.replace(join(directory, "verifier"), Buffer.from(`${signer.verifier}\n`)),
      catch: fromDisk("open")
    })
    const keeping = yield* Semaphore.make(1)

    const put = (
      kind: Entry.Kind,
      call: string,
      tenant: Entry.Key,
      subject: Entry.Key | undefined,
      facts: unknown,
      personal?: unknown
    ) =>
      Effect.callback<Writer.Position, AuditError>((resume) => {
        const bytes = Entry.seal({
          kind,
          time: now(),
          call,
          tenant,
          subject,
          facts: JSON.stringify(facts),
          personal: personal === undefined ? undefined : JSON.stringify(personal)
        })
        if (bytes.length >= Segment.largestPayload)
          return resume(
            Effect.fail(new AuditError({ operation: "append", reason: new RecordTooLarge({ bytes: bytes.length }) }))
          )
        writer.append(bytes, (error, position) =>
          resume(position === undefined ? Effect.fail(fromDisk("append")(error)) : Effect.succeed(position))
        )
      })

    const entries = (from: number) => Reader.read({ disk, directory, keys, from })

    return AuditLog.of({
      append: (entry) =>
        Effect.gen(function* () {
          const tenant = yield* keys.tenant(entry.tenant)
          const subject =
            entry.personal === undefined ? undefined : yield* keys.subject(entry.tenant, entry.subject ?? "")
          return yield* put(entry.kind, entry.call, tenant, subject, entry.facts, entry.personal)
        }),
      entries: (from) => entries(from?.from ?? 0),
      checkpoint: Effect.sync(() => writer.checkpoint()),
      verifier: signer.verifier,
      opened: writer.opened,
      erase: ({ subject, tenant }) =>
        Effect.gen(function* () {
          const parent = yield* keys.find(tenant)
          const key = yield* keys.find(tenant, subject)
          if (parent === undefined || key === undefined) return { erased: false }
          const holds = yield* keys.holds
          for (const [id, hold] of holds) {
            // A tenant's key opens those of its subjects, so that a hold on any of them is in its way.
            const concerned = subject === undefined ? hold.tenantKey === parent.id : id === key.id || id === parent.id
            if (concerned)
              return yield* new AuditError({ operation: "erase", reason: new Held({ holdReason: hold.reason }) })
          }
          // The evidence first: if the process dies in between, the erasure is asked for again.
          const own = yield* keys.tenant(self)
          yield* put("erasure", Entry.id(), own, key, { erased: key.id, tenantKey: parent.id })
          yield* keys.destroy(tenant, subject)
          return { erased: true }
        }).pipe(keeping.withPermits(1)),
      reapplyErasures: Effect.gen(function* () {
        let count = 0
        yield* Stream.runForEach(entries(0), (entry) =>
          Effect.gen(function* () {
            // From the head, which is in clear: the keys that open the rest may be older than the erasure.
            const erased = entry.head.kind === "erasure" ? entry.head.subjectKey : undefined
            if (erased !== undefined && (yield* keys.destroyById(erased))) count += 1
          })
        )
        return count
      }).pipe(keeping.withPermits(1)),
      hold: ({ reason, subject, tenant }) =>
        Effect.gen(function* () {
          const parent = yield* keys.tenant(tenant)
          const key = subject === undefined ? parent : yield* keys.subject(tenant, subject)
          const own = yield* keys.tenant(self)
          yield* keys.hold(key.id, { tenantKey: parent.id, reason })
          yield* put("hold", Entry.id(), own, undefined, { held: key.id, reason })
        }).pipe(keeping.withPermits(1)),
      release: ({ subject, tenant }) =>
        Effect.gen(function* () {
          const key = yield* keys.find(tenant, subject)
          if (key === undefined) return { released: false }
          const own = yield* keys.tenant(self)
          yield* put("release", Entry.id(), own, undefined, { released: key.id })
          return { released: yield* keys.release(key.id) }
        }).pipe(keeping.withPermits(1)),
      retain: ({ before }) =>
        Effect.gen(function* () {
          const folder = Writer.segmentsOf(directory)
          const run = <A>(action: () => Promise<A>) => Effect.tryPromise({ try: action, catch: fromDisk("retain") })
          const holds = yield* keys.holds
          const own = yield* keys.tenant(self)
          const removed: Array<string> = []
          const held: Array<string> = []
          writer.roll()
          yield* put("retention", Entry.id(), own, undefined, { before })
          const active = writer.end().segment
          for (const name of (yield* run(() => disk.list(folder))).filter(Segment.isFileName)) {
            if (name >= active) continue
            const bytes = yield* run(() => disk.read(join(folder, name)))
            const pruned = prune(signer, bytes, { before, now: now(), holds })
            if (pruned === "held") held.push(name)
            else if (pruned !== undefined) {
              yield* run(() => disk.replace(join(folder, name), pruned))
              removed.push(name)
            }
          }
          return { removed, held }
        }).pipe(keeping.withPermits(1))
    })
  })

/** A segment without its records; `undefined` where it must stay as it is. */
const prune = (
  signer: Checkpoint.Signer,
  bytes: Buffer,
  options: { readonly before: number; readonly now: number; readonly holds: ReadonlyMap<string, unknown> }
): Buffer | "held" | undefined => {
  const header = Segment.readHeader(bytes)
  if (header === undefined) return undefined
  const kept: Array<Uint8Array> = []
  let held = false
  let size = header.first
  for (const frame of Segment.frames(bytes, header.length)) {
    // A damaged segment is evidence, and one without records is done.
    if (frame._tag === "Bad" || frame._tag === "Pruned") return undefined
    if (frame._tag === "Entry") {
      const head = Entry.parse(frame.bytes)?.head
      if (head === undefined) return undefined
      if (options.holds.has(head.tenantKey) || (head.subjectKey !== undefined && options.holds.has(head.subjectKey)))
        held = true
    } else {
      if (frame.commit.checkpoint.time >= options.before) return undefined
      kept.push(bytes.subarray(frame.offset, frame.end))
      size = frame.commit.frontier.size
    }
  }
  if (held) return "held"
  const note = Checkpoint.signText(signer, `${signer.origin}\npruned ${header.first} ${size}\ntime ${options.now}\n`)
  return Buffer.concat([bytes.subarray(0, header.length), Segment.frame(3, Buffer.from(note)), ...kept])
}

/**
 * A log on files.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFiles = (options: Options): Layer.Layer<AuditLog, AuditError, KeyStore | RootKey> =>
  Layer.effect(AuditLog, make(options))

/**
 * A log in memory, with keys that are made for it and gone with it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<AuditLog> = Layer.unwrap(
  Effect.sync(() =>
    layerFiles({ directory: "audit", disk: Disk.memory() }).pipe(
      Layer.provide(layerKeysMemory),
      Layer.provide(layerRootKey(Redacted.make(crypto.getRandomValues(new Uint8Array(32))))),
      Layer.orDie
    )
  )
)

/**
 * `batch.job`: many calls handed to a provider's batch API, which answers within a day at half the price. The job is a durable
 * handle: it is written down before it is submitted, so a process that is killed at any moment finds it again and never submits
 * it twice; results land in the cache under their exact keys.
 *
 * @since 0.1.0
 */
import { Clock, Context, Duration, Effect, FileSystem, Layer, Path, type PlatformError, Schedule } from "effect"
import { BatchEndpoint, type BatchStatus, JobError, type JobResult } from "./batchEndpoint.ts"
import { canonicalHash } from "./cache/key.ts"
import type { Call } from "./cache/policy.ts"
import type { CacheStore } from "./cache/store.ts"
import { remember } from "./cache.ts"

/**
 * Where jobs are written down. It must outlive the process: a lost record is a job that nobody brings home.
 *
 * @category services
 * @since 0.1.0
 */
export class JobStore extends Context.Service<
  JobStore,
  {
    readonly read: (id: string) => Effect.Effect<string | undefined, JobError>
    /** Writes a new record; `false`, and nothing written, when the id is taken. Atomic. */
    readonly create: (id: string, record: string) => Effect.Effect<boolean, JobError>
    /** Replaces the record, all or nothing. */
    readonly write: (id: string, record: string) => Effect.Effect<void, JobError>
  }
>()("@interlock/stages/JobStore") {}

/**
 * Jobs in this process: for tests, and for jobs that need not survive it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<JobStore> = Layer.sync(JobStore, () => {
  const records = new Map<string, string>()
  return {
    read: (id) => Effect.sync(() => records.get(id)),
    create: (id, record) =>
      Effect.sync(() => {
        if (records.has(id)) return false
        records.set(id, record)
        return true
      }),
    write: (id, record) => Effect.sync(() => void records.set(id, record))
  }
})

/**
 * Jobs as files of a directory, which is made when it is not there; one file a job, replaced by renaming. It needs the file
 * system of the platform, such as `NodeServices.layer`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerDirectory = (directory: string): Layer.Layer<JobStore, JobError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    JobStore,
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const failed = (what: string) =>
        Effect.mapError(
          (cause: PlatformError.PlatformError) =>
            new JobError({ reason: "Store", message: `${directory} ${what}: check that it can be written`, cause })
        )
      const place = (id: string) => path.join(directory, `${canonicalHash(id)}.json`)
      const isReason = (error: PlatformError.PlatformError, tag: string) => error.reason._tag === tag
      yield* failed("cannot be made")(files.makeDirectory(directory, { recursive: true }))
      return {
        read: (id) =>
          files.readFileString(place(id)).pipe(
            Effect.catch((error) => (isReason(error, "NotFound") ? Effect.undefined : Effect.fail(error))),
            failed("cannot be read")
          ),
        create: (id, record) =>
          files.writeFileString(place(id), record, { flag: "wx", mode: 0o600 }).pipe(
            Effect.as(true),
            Effect.catch((error) => (isReason(error, "AlreadyExists") ? Effect.succeed(false) : Effect.fail(error))),
            failed("cannot be written")
          ),
        write: (id, record) =>
          files
            .writeFileString(`${place(id)}.new`, record, { mode: 0o600 })
            .pipe(Effect.andThen(files.rename(`${place(id)}.new`, place(id))), failed("cannot be written"))
      }
    })
  )

interface JobRecord {
  readonly calls: ReadonlyArray<Call>
  /** When a process last began to submit it, or last said that it still does; different for each attempt. */
  readonly begunAt: number
  /** Whether the provider has refused it for certain, so that the id is free again. */
  readonly refused?: true
  /** The provider's name of the job, once it is known. */
  readonly remote?: string
}

/**
 * Submits the calls as one job under an id of your own choosing, once: submitting again, in this process or after a restart,
 * finds the job instead. All calls must be for one model. A submission
 * that another process has begun is waited for, at most two minutes after its last sign of life; then one of those who wait
 * takes it over.
 *
 * @category jobs
 * @since 0.1.0
 */
export const submit = Effect.fnUntraced(function* (
  id: string,
  calls: ReadonlyArray<Call>
): Effect.fn.Return<void, JobError, JobStore | BatchEndpoint> {
  const store = yield* JobStore
  const endpoint = yield* BatchEndpoint
  const write = (record: JobRecord) => store.write(id, JSON.stringify(record))
  const begin = (after: number) =>
    Effect.map(Clock.currentTimeMillis, (now): JobRecord => ({ calls, begunAt: Math.max(now, after + 1) }))
  const hand = (record: JobRecord) => {
    const signOfLife = Effect.flatMap(Clock.currentTimeMillis, (begunAt) => write({ ...record, begunAt }))
    const living = Effect.forever(Effect.delay(Effect.ignore(Effect.uninterruptible(signOfLife)), "30 seconds"))
    return Effect.uninterruptibleMask((restore) =>
      restore(Effect.scoped(Effect.andThen(Effect.forkScoped(living), endpoint.submit(id, calls)))).pipe(
        // Refused for certain: the id is free again.
        Effect.tapError((error) =>
          error.reason === "Unsupported" || (error.status !== undefined && error.status < 500)
            ? write({ ...record, refused: true })
            : Effect.void
        ),
        Effect.flatMap((remote) => write({ ...record, remote }))
      )
    )
  }
  // Of all who find an attempt to be over, the one who creates the record of the next may make it.
  const takeOver = Effect.fnUntraced(function* (present: JobRecord) {
    let over = present.refused === true
    for (let at = present.begunAt; ; over = false) {
      if (!over && (yield* Clock.currentTimeMillis) - at < submitMillis) return undefined
      const again = yield* begin(at)
      if (yield* store.create(`${id} after ${at}`, String(again.begunAt))) {
        yield* write(again)
        return again
      }
      at = Number(yield* store.read(`${id} after ${at}`))
      if (!Number.isFinite(at)) return undefined
    }
  })
  const first = yield* begin(-1)
  if (yield* store.create(id, JSON.stringify(first))) return yield* hand(first)
  for (;;) {
    const present = yield* load(id)
    if (present.refused !== true) {
      if (JSON.stringify(present.calls) !== JSON.stringify(calls)) {
        return yield* new JobError({
          reason: "Exists",
          message: `the job ${id} holds ${present.calls.length} other calls: choose another id`
        })
      }
      if (present.remote !== undefined) return
      // Another process is submitting it, or died while it did.
      const arrived = yield* endpoint.find(id)
      if (arrived === "unknown") {
        return yield* new JobError({
          reason: "Uncertain",
          message: `the job ${id} was being submitted when its process died, and the provider does not list jobs by name: look it up there, then adopt it or submit the calls under another id`
        })
      }
      if (arrived !== undefined) return yield* write({ ...present, remote: arrived })
    }
    const own = yield* takeOver(present)
    if (own !== undefined) return yield* hand(own)
    yield* Effect.sleep("5 seconds")
  }
})

/** A submission that has not shown up at the provider so long after the last sign of life of its process never will. */
const submitMillis = 120_000

/**
 * Ties a job whose submission was uncertain to the provider's name for it.
 *
 * @category jobs
 * @since 0.1.0
 */
export const adopt = Effect.fnUntraced(function* (
  id: string,
  remote: string
): Effect.fn.Return<void, JobError, JobStore> {
  const record = yield* load(id)
  yield* JobStore.use((store) => store.write(id, JSON.stringify({ ...record, remote })))
})

const load = Effect.fnUntraced(function* (id: string) {
  const text = yield* JobStore.use((store) => store.read(id))
  if (text === undefined) {
    return yield* new JobError({ reason: "Missing", message: `there is no job ${id}: submit it first` })
  }
  return yield* Effect.try({
    try: (): JobRecord => JSON.parse(text),
    catch: (cause) => new JobError({ reason: "Store", message: `the record of the job ${id} cannot be read`, cause })
  })
})

const submitted = Effect.fnUntraced(function* (id: string) {
  const record = yield* load(id)
  if (record.remote === undefined) {
    return yield* new JobError({ reason: "Missing", message: `the job ${id} was not submitted: submit it again` })
  }
  return { calls: record.calls, remote: record.remote }
})

/**
 * How far the job is.
 *
 * @category jobs
 * @since 0.1.0
 */
export const status = Effect.fnUntraced(function* (
  id: string
): Effect.fn.Return<BatchStatus, JobError, JobStore | BatchEndpoint> {
  const { remote } = yield* submitted(id)
  return yield* BatchEndpoint.use((endpoint) => endpoint.status(remote))
})

/**
 * Asks the provider to stop; what is answered already can still be brought home.
 *
 * @category jobs
 * @since 0.1.0
 */
export const cancel = Effect.fnUntraced(function* (
  id: string
): Effect.fn.Return<void, JobError, JobStore | BatchEndpoint> {
  const { remote } = yield* submitted(id)
  yield* BatchEndpoint.use((endpoint) => endpoint.cancel(remote))
})

/**
 * Waits until the job has ended, and answers with one result per call, in the order of the calls. Answers also go into the
 * cache. Interrupting the wait leaves the job alone; waiting again, in any process, goes on. A failed look is tried again at
 * the next one, up to ten times in a row.
 *
 * @category jobs
 * @since 0.1.0
 */
export const bringHome = Effect.fnUntraced(function* (
  id: string,
  options: { readonly every?: Duration.Input } = {}
): Effect.fn.Return<ReadonlyArray<JobResult>, JobError, JobStore | BatchEndpoint | CacheStore> {
  const { calls, remote } = yield* submitted(id)
  const endpoint = yield* BatchEndpoint
  const every = Duration.fromInputUnsafe(options.every ?? "1 minute")
  const look = Effect.retry(endpoint.status(remote), { schedule: Schedule.spaced(every), times: 10 })
  let last = yield* look
  while (last.state === "running") {
    yield* Effect.sleep(every)
    last = yield* look
  }
  const answers = yield* Effect.retry(endpoint.results(remote), { schedule: Schedule.spaced(every), times: 10 })
  const results: Array<JobResult> = []
  for (const [position, call] of calls.entries()) {
    const result = answers.get(String(position)) ?? {
      _tag: "Failed",
      reason: "missing",
      message: `the provider returned nothing for this call: ${last.message ?? `the job is ${last.word}`}`
    }
    if (result._tag === "Answered") yield* Effect.ignore(remember(call, result.parts))
    results.push(result)
  }
  return results
})

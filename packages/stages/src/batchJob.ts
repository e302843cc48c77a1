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
  /** When a process last began to submit it. */
  readonly begunAt: number
  /** The provider's name of the job, once it is known. */
  readonly remote?: string
}

/**
 * Submits the calls as one job under an id of your own choosing, once: submitting again, in this process or after a restart,
 * finds the job instead. All calls must be for one model. A submission
 * that another process has begun is waited for, at most two minutes.
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
  const begin = Effect.map(Clock.currentTimeMillis, (begunAt): JobRecord => ({ calls, begunAt }))
  const hand = (record: JobRecord) =>
    Effect.uninterruptibleMask((restore) =>
      restore(endpoint.submit(id, calls)).pipe(
        // Refused for certain: the id is free again.
        Effect.tapError((error) =>
          error.reason === "Unsupported" || (error.status !== undefined && error.status < 500)
            ? store.write(id, JSON.stringify({ ...record, begunAt: refused }))
            : Effect.void
        ),
        Effect.flatMap((remote) => store.write(id, JSON.stringify({ ...record, remote })))
      )
    )
  const record = yield* begin
  if (yield* store.create(id, JSON.stringify(record))) return yield* hand(record)
  for (;;) {
    const present = yield* load(id)
    if (present.begunAt === refused) {
      yield* store.write(id, JSON.stringify(record))
      return yield* hand(record)
    }
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
    if (arrived !== undefined) return yield* store.write(id, JSON.stringify({ ...present, remote: arrived }))
    const now = yield* Clock.currentTimeMillis
    if (now - present.begunAt >= submitMillis) {
      const again = yield* begin
      yield* store.write(id, JSON.stringify(again))
      return yield* hand(again)
    }
    yield* Effect.sleep("5 seconds")
  }
})

/** Stands for the time in the record of a job that the provider has refused. */
const refused = -1

/** A submission that has not shown up at the provider after this time never will. */
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
  while ((yield* look).state === "running") yield* Effect.sleep(every)
  const answers = yield* Effect.retry(endpoint.results(remote), { schedule: Schedule.spaced(every), times: 10 })
  const results: Array<JobResult> = []
  for (const [position, call] of calls.entries()) {
    const result = answers.get(String(position)) ?? {
      _tag: "Failed",
      reason: "missing",
      message: "the provider returned nothing for this call"
    }
    if (result._tag === "Answered") yield* Effect.ignore(remember(call, result.parts))
    results.push(result)
  }
  return results
})

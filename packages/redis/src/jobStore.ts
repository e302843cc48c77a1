/**
 * The records of batch jobs, for several processes: `JobStore` on Redis.
 *
 * A record that Redis loses is a job that nobody brings home, so let it write to disk (`appendonly yes`, and
 * `appendfsync always` where no second may be lost), and let it not evict.
 *
 * @since 0.1.0
 */
import { JobError } from "@interlock/stages/batchEndpoint"
import { JobStore } from "@interlock/stages/batchJob"
import { Effect, Layer } from "effect"
import { RedisConnection } from "./connection.ts"
import { sentence } from "./internal/failure.ts"

/**
 * Keeps records under keys that begin with `interlock:job:` and the name (`"interlock"` when left out), until they are deleted.
 * Needs `RedisConnection`. Where Redis fails, the job's operation fails with a `JobError`: whether a record was written is then to be read.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: { readonly name?: string } = {}): Layer.Layer<JobStore, never, RedisConnection> =>
  Layer.effect(
    JobStore,
    Effect.gen(function* () {
      const { client } = yield* RedisConnection
      const keyOf = (id: string) => `interlock:job:${options.name ?? "interlock"}:${id}`
      const attempt = <A>(run: () => Promise<A>) =>
        Effect.tryPromise({
          try: run,
          catch: (cause) => new JobError({ reason: "Store", message: sentence("the record of a job", cause) })
        })
      return JobStore.of({
        read: (id) =>
          Effect.map(
            attempt(() => client.get(keyOf(id))),
            (record) => record ?? undefined
          ),
        create: (id, record) =>
          Effect.map(
            attempt(() => client.set(keyOf(id), record, "NX")),
            (answer) => answer === "OK"
          ),
        write: (id, record) => Effect.asVoid(attempt(() => client.set(keyOf(id), record)))
      })
    })
  )

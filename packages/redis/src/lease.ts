/**
 * At most one holder of a key among several processes: `Lease` on Redis.
 *
 * A lease saves work and is never needed for correctness: after a failover or a restart of Redis two may hold the same one.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"
import { Lease, LeaseError } from "@interlock/stages/cache/lease"
import { Clock, Duration, Effect, Layer } from "effect"
import { RedisConnection } from "./connection.ts"
import { scrubbed, sentence } from "./internal/failure.ts"
import * as Script from "./internal/script.ts"

/** KEYS: lease. ARGV: token, milliseconds. */
const extendScript = Script.make(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)

/** KEYS: lease. ARGV: token. */
const releaseScript = Script.make(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`)

/**
 * Leases on Redis, under keys that begin with `interlock:lease:` and the name (`"interlock"` when left out). Needs
 * `RedisConnection`. Waiting asks again every 10 ms, and less often the longer it takes, up to every 100 ms.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: { readonly name?: string } = {}): Layer.Layer<Lease, never, RedisConnection> =>
  Layer.effect(
    Lease,
    Effect.gen(function* () {
      const { client } = yield* RedisConnection
      const keyOf = (key: string) => `interlock:lease:${options.name ?? "interlock"}:${key}`
      const attempt = <A>(operation: LeaseError["operation"], run: () => Promise<A>) =>
        Effect.tryPromise({
          try: run,
          catch: (cause) =>
            new LeaseError({ operation, message: sentence(`lease ${operation}`, cause), cause: scrubbed(cause) })
        })
      const milliseconds = (timeToLive: Duration.Duration) => Math.max(1, Math.floor(Duration.toMillis(timeToLive)))
      return Lease.of({
        acquire: (key, { timeToLive }) =>
          Effect.suspend(() => {
            const token = randomUUID()
            return Effect.map(
              attempt("acquire", () => client.set(keyOf(key), token, "PX", milliseconds(timeToLive), "NX")),
              (answer) => (answer === "OK" ? token : undefined)
            )
          }),
        extend: (key, token, { timeToLive }) =>
          Effect.map(
            attempt("extend", () =>
              Script.run(client, extendScript, [keyOf(key)], [token, `${milliseconds(timeToLive)}`])
            ),
            (answer) => answer === 1
          ),
        release: (key, token) =>
          Effect.asVoid(attempt("release", () => Script.run(client, releaseScript, [keyOf(key)], [token]))),
        awaitRelease: Effect.fnUntraced(function* (key, { atMost }) {
          const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(atMost)
          const holder = attempt("awaitRelease", () => client.get(keyOf(key)))
          const awaited = yield* holder
          let pause = 10
          for (let present = awaited; present !== null && present === awaited; present = yield* holder) {
            const left = until - (yield* Clock.currentTimeMillis)
            if (left <= 0) return
            yield* Effect.sleep(Duration.millis(Math.min(left, pause)))
            pause = Math.min(100, pause * 1.5)
          }
        })
      })
    })
  )

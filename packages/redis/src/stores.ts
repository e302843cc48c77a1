/**
 * Every store that a stage asks for, at once: on Redis, in memory, or as the environment says. Swapping is one line.
 *
 * @since 0.1.0
 */
import * as Jobs from "@interlock/stages/batchJob"
import * as Lease from "@interlock/stages/cache/lease"
import * as CacheStore from "@interlock/stages/cache/store"
import * as Feedback from "@interlock/stages/Feedback"
import * as LimitStore from "@interlock/stages/limit/store"
import { type VaultError, VaultStore } from "@interlock/stages/redact/vault"
import { Config, Effect, Layer, Option, Redacted } from "effect"
import { CircuitBreaker, PersistedQueue } from "effect/persistence"
import type { Redis } from "effect/persistence/Redis"
import * as RedisCacheStore from "./cacheStore.ts"
import * as Connection from "./connection.ts"
import * as RedisFeedback from "./feedback.ts"
import * as RedisJobStore from "./jobStore.ts"
import * as RedisLease from "./lease.ts"
import * as RedisLimitStore from "./limitStore.ts"
import * as RedisVaultStore from "./vaultStore.ts"

/**
 * What the stages keep outside of a call: cached replies and leases, limits and budgets, sealed values, grades, batch jobs, the circuits
 * of `balance`, and the queue of `audit`'s delivery.
 *
 * @category models
 * @since 0.1.0
 */
export type Stores =
  | CacheStore.CacheStore
  | Lease.Lease
  | LimitStore.LimitStore
  | VaultStore
  | Feedback.Feedback
  | Jobs.JobStore
  | CircuitBreaker.CircuitBreakerStore
  | PersistedQueue.PersistedQueueStore

/**
 * How the stores are kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Processes that give the same name share everything, and those of other names nothing; `"interlock"` when left out. */
  readonly name?: string
  /** What limits do when Redis has forgotten them; see `LimitStore`. */
  readonly whenForgotten?: "open" | "closed"
}

/**
 * A setting that cannot work, or a Redis that cannot be used.
 *
 * @category errors
 * @since 0.1.0
 */
export type StoresError = RedisCacheStore.CacheStoreSettingError | RedisLimitStore.LimitStoreSettingError | VaultError

/**
 * Every store on Redis. Circuits and the queue are those of `effect/persistence`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Stores, StoresError, Connection.RedisConnection | Redis> => {
  const name = options.name ?? "interlock"
  return Layer.mergeAll(
    RedisCacheStore.layer({ name }),
    RedisLease.layer({ name }),
    RedisLimitStore.layer(options),
    RedisVaultStore.layer({ name }),
    RedisFeedback.layer({ name }),
    RedisJobStore.layer({ name }),
    CircuitBreaker.layerStoreRedis({ prefix: `{interlock:circuit:${name}}:` }),
    PersistedQueue.layerStoreRedis({ prefix: `{interlock:queue:${name}}:` })
  )
}

/**
 * Every store in this process.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<Stores> = Layer.mergeAll(
  Layer.orDie(CacheStore.layerMemory()),
  Lease.layerMemory,
  LimitStore.layerMemory,
  VaultStore.layerMemory,
  Feedback.layerMemory(),
  Jobs.layerMemory,
  CircuitBreaker.layerStoreMemory(),
  PersistedQueue.layerStoreMemory
)

/**
 * Every store on the Redis at `REDIS_URL` where that is set, and in memory where it is not.
 *
 * ```ts
 * import * as Stores from "@interlock/redis/stores"
 *
 * // Provide it to the pipelines of an application: the one line that differs between a laptop and a cluster.
 * export const stores = Stores.layerFromEnvironment()
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFromEnvironment = (
  options: Options = {}
): Layer.Layer<Stores, StoresError | Connection.RedisConnectionError | Config.ConfigError> =>
  Layer.unwrap(
    Effect.map(Config.option(Config.Redacted("REDIS_URL")), (url) =>
      Option.isNone(url) || Redacted.value(url.value) === ""
        ? layerMemory
        : Layer.provide(layer(options), Connection.layer({ url: Redacted.value(url.value) }))
    )
  )

/**
 * Where cached replies are kept: text under a key, for a time, with tags that invalidate many entries at once.
 * The cache stage encodes and checks what it puts here, so a store knows nothing of replies: it is a map that may
 * forget at any time and may fail. A failing store costs a miss, never a call.
 *
 * @since 0.1.0
 */
import { Clock, Context, Duration, Effect, Layer, Schema } from "effect"
import { type ConfigurationError, invalid } from "./configurationError.ts"

/**
 * The store could not be reached or did not answer as it should. The cache stage turns it into a miss and a metric.
 *
 * @category errors
 * @since 0.1.0
 */
export class CacheStoreError extends Schema.TaggedError<CacheStoreError>()("@interlock/stages/CacheStoreError", {
  operation: Schema.Literals(["get", "stamp", "set", "remove", "invalidate"]),
  message: Schema.String,
  cause: Schema.optional(Schema.Defect())
}) {}

/**
 * The state of some tags at one moment, opaque to everyone but the store that gave it.
 *
 * @category models
 * @since 0.1.0
 */
export type Stamp = string

/**
 * How an entry is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface SetOptions {
  /** From now until the entry may no longer be returned; above 0. */
  readonly timeToLive: Duration.Duration
  /** Invalidating any one of these removes the entry. Each is at most some hundred characters, and there are few. */
  readonly tags: ReadonlyArray<string>
  /**
   * Taken with `stamp(tags)` before the work whose result is stored here began. Where one of the tags has been
   * invalidated since, the store must write nothing: an answer that began before an invalidation must not outlive it.
   */
  readonly stamp: Stamp
}

/**
 * Keeps text under a key for a time. Keys are `[A-Za-z0-9_:.-]`, at most 200 characters, and already carry the tenant.
 *
 * What every implementation must hold: `get` never returns an entry after its time to live, after `remove`, or after
 * `invalidate` of one of its tags has returned; `set` with a stamp older than an invalidation of one of its tags writes
 * nothing; an entry may vanish at any time.
 *
 * @category services
 * @since 0.1.0
 */
export class CacheStore extends Context.Service<
  CacheStore,
  {
    /** The text under `key`, or `undefined`. */
    readonly get: (key: string) => Effect.Effect<string | undefined, CacheStoreError>
    /** The present state of the tags, to hand to `set` when the work that starts now is done. Asked for on a miss only. */
    readonly stamp: (tags: ReadonlyArray<string>) => Effect.Effect<Stamp, CacheStoreError>
    /** Writes `value` under `key`, replacing what was there. */
    readonly set: (key: string, value: string, options: SetOptions) => Effect.Effect<void, CacheStoreError>
    /** Forgets `key`; no error when it is not there. */
    readonly remove: (key: string) => Effect.Effect<void, CacheStoreError>
    /** Forgets every entry that bears `tag`, and refuses those whose work began before this moment. */
    readonly invalidate: (tag: string) => Effect.Effect<void, CacheStoreError>
  }
>()("@interlock/stages/CacheStore") {}

interface Kept {
  readonly value: string
  readonly expiresAt: number
  readonly size: number
  readonly tags: ReadonlyArray<string>
  /** The generation of each tag when the entry was written. */
  readonly generations: ReadonlyArray<number>
}

/**
 * Keeps entries in this process, the least recently used going first when `maxEntries` (10,000) or `maxBytes` (64 MiB,
 * counting two bytes a character) is passed. An entry larger than a tenth of `maxBytes` is not kept.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = (
  options: { readonly maxEntries?: number; readonly maxBytes?: number } = {}
): Layer.Layer<CacheStore, ConfigurationError> =>
  Layer.effect(
    CacheStore,
    Effect.gen(function* () {
      const maxEntries = options.maxEntries ?? 10_000
      const maxBytes = options.maxBytes ?? 64 * 1024 * 1024
      for (const [setting, value] of Object.entries({ maxEntries, maxBytes })) {
        if (!(value >= 1)) {
          return yield* invalid(
            `CacheStore.layerMemory ${setting}`,
            value,
            "it must be at least 1",
            "leave it out for the default"
          )
        }
      }
      const entries = new Map<string, Kept>()
      // A tag that was never invalidated has generation 0 and takes no room. Forgetting a tag's generation would let
      // an old stamp pass, so when there are too many of them they are all raised to one floor instead.
      const generations = new Map<string, number>()
      let floor = 0
      let next = 1
      let bytes = 0
      const generation = (tag: string) => generations.get(tag) ?? floor
      const drop = (key: string, kept: Kept) => {
        entries.delete(key)
        bytes -= kept.size
      }
      return CacheStore.of({
        get: (key) =>
          Clock.clockWith((clock) => {
            const kept = entries.get(key)
            if (kept === undefined) return Effect.undefined
            entries.delete(key)
            if (
              kept.expiresAt <= clock.currentTimeMillisUnsafe() ||
              kept.tags.some((tag, index) => generation(tag) !== kept.generations[index])
            ) {
              bytes -= kept.size
              return Effect.undefined
            }
            entries.set(key, kept)
            return Effect.succeed(kept.value)
          }),
        stamp: (tags) => Effect.sync(() => tags.map(generation).join(" ")),
        set: (key, value, { stamp, tags, timeToLive }) =>
          Clock.clockWith((clock) =>
            Effect.sync(() => {
              const current = tags.map(generation)
              if (current.join(" ") !== stamp) return
              const old = entries.get(key)
              if (old !== undefined) drop(key, old)
              const size = 2 * (key.length + value.length) + 128
              if (size > maxBytes / 10) return
              entries.set(key, {
                value,
                expiresAt: clock.currentTimeMillisUnsafe() + Duration.toMillis(timeToLive),
                size,
                tags,
                generations: current
              })
              bytes += size
              for (const [oldest, kept] of entries) {
                if (entries.size <= maxEntries && bytes <= maxBytes) break
                drop(oldest, kept)
              }
            })
          ),
        remove: (key) =>
          Effect.sync(() => {
            const kept = entries.get(key)
            if (kept !== undefined) drop(key, kept)
          }),
        invalidate: (tag) =>
          Effect.sync(() => {
            if (generations.size >= 100_000 && !generations.has(tag)) {
              generations.clear()
              entries.clear()
              bytes = 0
              floor = next++
            }
            generations.set(tag, next++)
          })
      })
    })
  )

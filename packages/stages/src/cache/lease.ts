/**
 * Who does the work, when several processes could: at most one holder of a name at a time, for a limited time. The cache
 * uses it so that concurrent equal calls in different processes make one; it saves work and is never needed for
 * correctness, so a failing lease means that the work is done without one.
 *
 * @since 0.1.0
 */
import { Clock, Context, Deferred, Duration, Effect, Layer, Schema } from "effect"

/**
 * The leases could not be reached or did not answer as they should.
 *
 * @category errors
 * @since 0.1.0
 */
export class LeaseError extends Schema.TaggedError<LeaseError>()("@interlock/stages/LeaseError", {
  operation: Schema.Literals(["acquire", "extend", "release", "awaitRelease"]),
  message: Schema.String,
  cause: Schema.optional(Schema.Defect())
}) {}

/**
 * Proves that its owner holds the lease; unguessable, and different every time the lease is taken.
 *
 * @category models
 * @since 0.1.0
 */
export type LeaseToken = string

/**
 * At most one holder of a key at a time. Keys are as for `CacheStore`. A holder that dies lets go when `timeToLive` has
 * passed, so a holder that lives extends in time.
 *
 * @category services
 * @since 0.1.0
 */
export class Lease extends Context.Service<
  Lease,
  {
    /** Takes the lease, or answers `undefined` at once when another holds it. */
    readonly acquire: (
      key: string,
      options: { readonly timeToLive: Duration.Duration }
    ) => Effect.Effect<LeaseToken | undefined, LeaseError>
    /** Holds it for `timeToLive` from now; `false` when the token no longer holds it (it ran out, or another took it). */
    readonly extend: (
      key: string,
      token: LeaseToken,
      options: { readonly timeToLive: Duration.Duration }
    ) => Effect.Effect<boolean, LeaseError>
    /** Lets go where the token still holds the lease, and does nothing otherwise. */
    readonly release: (key: string, token: LeaseToken) => Effect.Effect<void, LeaseError>
    /**
     * Waits until the present holder of `key` has let go of it, whoever has taken it since, or `atMost` has passed, whichever comes
     * first; it may return early. Returning says nothing about who takes the lease next.
     */
    readonly awaitRelease: (
      key: string,
      options: { readonly atMost: Duration.Duration }
    ) => Effect.Effect<void, LeaseError>
  }
>()("@interlock/stages/Lease") {}

/**
 * Leases within this process: enough for one process, and for tests.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<Lease> = Layer.sync(Lease, () => {
  interface Held {
    readonly token: LeaseToken
    readonly expiresAt: number
    readonly released: Deferred.Deferred<void>
  }
  const held = new Map<string, Held>()
  let count = 0
  const holder = (key: string, now: number) => {
    const found = held.get(key)
    if (found !== undefined && found.expiresAt <= now) {
      held.delete(key)
      Deferred.doneUnsafe(found.released, Effect.void)
      return undefined
    }
    return found
  }
  return Lease.of({
    acquire: (key, { timeToLive }) =>
      Clock.clockWith((clock) => {
        const now = clock.currentTimeMillisUnsafe()
        if (holder(key, now) !== undefined) return Effect.undefined
        const token = `${++count}`
        held.set(key, { token, expiresAt: now + Duration.toMillis(timeToLive), released: Deferred.makeUnsafe() })
        return Effect.succeed(token)
      }),
    extend: (key, token, { timeToLive }) =>
      Clock.clockWith((clock) => {
        const now = clock.currentTimeMillisUnsafe()
        const found = holder(key, now)
        if (found?.token !== token) return Effect.succeed(false)
        held.set(key, { ...found, expiresAt: now + Duration.toMillis(timeToLive) })
        return Effect.succeed(true)
      }),
    release: (key, token) =>
      Effect.sync(() => {
        const found = held.get(key)
        if (found?.token !== token) return
        held.delete(key)
        Deferred.doneUnsafe(found.released, Effect.void)
      }),
    awaitRelease: Effect.fnUntraced(function* (key, { atMost }) {
      const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(atMost)
      const awaited = held.get(key)?.released
      while (true) {
        const now = yield* Clock.currentTimeMillis
        const found = holder(key, now)
        if (found === undefined || found.released !== awaited || now >= until) return
        // It may have been extended when this time is over.
        const remaining = Math.min(until, found.expiresAt) - now
        yield* Effect.timeoutOption(Deferred.await(found.released), Duration.millis(remaining))
      }
    })
  })
})

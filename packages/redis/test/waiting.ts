/** Waiting without sleeping: for what a client says, for an answer of a server, and for time that the test lets pass. */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { type Cluster, Redis } from "ioredis"
import type { Server } from "./server.ts"

/** Waits until the client is connected; it connects again of itself. */
const ready = (client: Redis | Cluster): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const done = () => resume(Effect.void)
    if (client.status === "ready") done()
    else client.once("ready", done)
    return Effect.sync(() => void client.off("ready", done))
  })

/** Kills the server, and waits until the client has seen it. */
export const killed = (server: Server, client: Redis | Cluster): Effect.Effect<void> =>
  Effect.suspend(() => {
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()))
    return Effect.andThen(
      server.kill,
      Effect.promise(() => closed)
    )
  })

/** Lets a paused server go on, and waits until it has answered somebody: what was asked before is answered by then. */
export const resumed = (server: Server): Effect.Effect<void> =>
  Effect.andThen(
    server.resume,
    Effect.promise(async () => {
      const client = new Redis(server.port, server.host)
      await client.ping()
      client.disconnect()
    })
  )

/**
 * Asks until the answer is yes; a failure is a no. Each question goes to a server and back, or waits for the connection, so that
 * this waits for answers and never for a clock.
 */
export const until = (client: Redis | Cluster, ask: () => Promise<boolean>): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (true) {
      yield* ready(client)
      if (yield* Effect.promise(() => ask().catch(() => false))) return
      yield* Effect.yieldNow
    }
  })

/** Waits until the server answers the client again. */
export const back = (client: Redis | Cluster): Effect.Effect<void> =>
  until(client, () => client.ping().then((answer) => answer === "PONG"))

/** Lets the test's time pass for as long as `effect` takes. */
export const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(effect, Effect.forever(Effect.andThen(TestClock.adjust("1 millis"), Effect.yieldNow)))

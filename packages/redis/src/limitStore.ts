/**
 * Limits that several processes share: `LimitStore` on Redis.
 *
 * Every decision is one script over all the limits that a call touches, by the clock of Redis. Decisions that are asked for in
 * the same turn of the event loop travel together and are taken one after the other. All keys of a store bear one hash tag,
 * so a cluster keeps them on one node.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"
import * as Store from "@interlock/stages/limit/store"
import { Duration, Effect, Layer, Schema } from "effect"
import { RedisConnection } from "./connection.ts"
import { reasonOf, scrubbed, sentence } from "./internal/failure.ts"
import { limitScript, version } from "./internal/limitScript.ts"
import * as Script from "./internal/script.ts"

/**
 * A setting that cannot work, found when the layer is built: the message names the value, the rule and the cure.
 *
 * @category errors
 * @since 0.1.0
 */
export class LimitStoreSettingError extends Schema.TaggedError<LimitStoreSettingError>()(
  "@interlock/redis/LimitStoreSettingError",
  { setting: Schema.String, message: Schema.String }
) {}

/**
 * How the limits are kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Processes that give the same name share their limits; `"interlock"` when left out. */
  readonly name?: string
  /**
   * What to do when Redis has forgotten everything (restarted without persistence, flushed, failed over before it
   * replicated). `"open"`: count from nothing, so up to one bucket more than allowed may pass. `"closed"`: take every limit
   * for used up, so rates come back as they drain and calendar periods with the next one. `"open"` when left out.
   */
  readonly whenForgotten?: "open" | "closed"
  /** How long a place is held for a process that died; those that live extend in time. 30 seconds when left out. */
  readonly placeTimeToLive?: Duration.Input
}

/** The most questions that one script answers: what bounds how long it keeps Redis from others. */
const batchSize = 128

type Wire = number | string | ReadonlyArray<Wire>

interface Question {
  readonly write: (index: (key: string) => number) => ReadonlyArray<Wire>
  readonly answer: (answer: Answer, now: number) => void
  readonly fail: (error: Store.LimitStoreError) => void
}

type Answer =
  | 1
  | readonly [allowed: 0 | 1, waitOrIndex: number, late: number, levels: ReadonlyArray<ReadonlyArray<number>>]

/**
 * Counts limits on Redis. Needs `RedisConnection`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Store.LimitStore, LimitStoreSettingError, RedisConnection> =>
  layerAt(options, () => 0)

/**
 * As `layer`, by a clock (microseconds since the epoch) instead of that of Redis: for tests of what depends on time.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerAt = (
  options: Options,
  clock: () => number
): Layer.Layer<Store.LimitStore, LimitStoreSettingError, RedisConnection> =>
  Layer.effect(
    Store.LimitStore,
    Effect.gen(function* () {
      const { client } = yield* RedisConnection
      const name = options.name ?? "interlock"
      if (!/^[\w:.-]{1,100}$/.test(name)) {
        return yield* new LimitStoreSettingError({
          setting: "name",
          message: `The name "${name}" cannot be part of a key: use up to 100 of A-Z a-z 0-9 _ : . -`
        })
      }
      const lease = Duration.toMillis(Duration.fromInputUnsafe(options.placeTimeToLive ?? "30 seconds"))
      if (!(lease >= 1000 && Number.isFinite(lease))) {
        return yield* new LimitStoreSettingError({
          setting: "placeTimeToLive",
          message: `placeTimeToLive is ${lease} ms: it must be finite and at least 1 second; leave it out for 30 seconds`
        })
      }
      const prefix = `{interlock:limit:${name}}:${version}:`
      const closed = options.whenForgotten === "closed"
      const holder = randomUUID().slice(0, 13)
      let count = 0
      let epoch = 0

      let waiting: Array<Question> = []
      let scheduled = false
      const ask = (question: Question) => {
        waiting.push(question)
        if (scheduled) return
        scheduled = true
        setImmediate(flush)
      }
      const flush = () => {
        scheduled = false
        const all = waiting
        waiting = []
        for (let start = 0; start < all.length; start += batchSize) send(all.slice(start, start + batchSize))
      }
      const send = (batch: ReadonlyArray<Question>) => {
        const keys = [`${prefix}since`]
        const places = new Map<string, number>()
        const index = (key: string) => {
          const found = places.get(key)
          if (found !== undefined) return found
          const place = keys.push(`${prefix}${key}`)
          places.set(key, place)
          return place
        }
        const ops = batch.map((question) => question.write(index))
        const asked = JSON.stringify({ now: clock(), epoch, closed, lease: lease * 1000, ops })
        Script.run(client, limitScript, keys, [asked]).then(
          (text) => {
            const [since, now, answers] = JSON.parse(text as string) as [string, string, ReadonlyArray<Answer>]
            epoch = Number(since)
            for (let place = 0; place < batch.length; place++) batch[place]!.answer(answers[place]!, Number(now))
          },
          (cause: unknown) => {
            const error = new Store.LimitStoreError({
              reason: reasonOf(cause),
              message: sentence("a decision about limits", cause),
              cause: scrubbed(cause)
            })
            for (const question of batch) question.fail(error)
          }
        )
      }

      // The places held by this process, extended together well before they would be taken for those of a dead one.
      const held = new Map<string, Set<string>>()
      yield* Effect.forkScoped(
        Effect.forever(
          Effect.andThen(
            Effect.sleep(Duration.millis(lease / 3)),
            Effect.sync(() => {
              for (const [key, ids] of held) {
                if (ids.size === 0) {
                  held.delete(key)
                  continue
                }
                const all = [...ids]
                for (let start = 0; start < all.length; start += 1000) {
                  const some = all.slice(start, start + 1000)
                  ask({ write: (index) => [3, index(key), ...some], answer: () => {}, fail: () => {} })
                }
              }
            })
          )
        )
      )
      const hold = (charges: ReadonlyArray<Store.Charge>, id: string) => {
        for (const charge of charges) {
          if (charge._tag !== "Concurrent") continue
          const ids = held.get(charge.key)
          if (ids === undefined) held.set(charge.key, new Set([id]))
          else ids.add(id)
        }
      }
      const letGo = (charges: ReadonlyArray<Store.Charge>, id: string) => {
        for (const charge of charges) if (charge._tag === "Concurrent") held.get(charge.key)?.delete(id)
      }

      const settlement = (
        reservation: Store.Reservation,
        used: ReadonlyArray<number>,
        answer: () => void,
        fail: Question["fail"]
      ): Question => ({
        write: (index) => [
          1,
          reservation.id,
          reservation.charges.map((charge, place) =>
            settled(charge, index(charge.key), reservation.marks[place]!, used[place] ?? charge.amount)
          )
        ],
        answer,
        fail
      })

      return Store.LimitStore.of({
        reserve: (charges, asked) =>
          Effect.callback((resume) => {
            const id = `${holder}:${++count}`
            let left = false
            ask({
              write: (index) => [
                0,
                Math.floor((asked?.maxWaitMillis ?? 0) * 1000),
                id,
                charges.map((charge) => written(charge, index(charge.key)))
              ],
              answer: (answer, now) => {
                if (answer === 1) return
                const [allowed, waitOrIndex, late, answered] = answer
                const levels = answered.map((each) => each[0]!)
                if (allowed === 0) {
                  return resume(
                    Effect.succeed({
                      _tag: "Refused",
                      index: waitOrIndex,
                      retryAfterMillis: late === -1 ? Number.POSITIVE_INFINITY : Math.ceil(late / 1000),
                      levels
                    })
                  )
                }
                const marks = charges.map((charge, place): Store.Mark => {
                  const [, position = 0, generation = 0] = answered[place]!
                  return { position: charge._tag === "Rate" ? now + position : position, generation }
                })
                const reservation: Store.Reservation = { id, charges, marks }
                // Whoever asked has left before the answer: nothing was done with it, so all of it goes back.
                if (left)
                  return ask(
                    settlement(
                      reservation,
                      charges.map(() => 0),
                      () => {},
                      () => {}
                    )
                  )
                hold(charges, id)
                resume(
                  Effect.succeed({ _tag: "Allowed", waitMillis: Math.ceil(waitOrIndex / 1000), reservation, levels })
                )
              },
              fail: (error) => resume(Effect.fail(error))
            })
            return Effect.sync(() => {
              left = true
            })
          }),
        settle: (reservation, used) =>
          Effect.callback((resume) => {
            letGo(reservation.charges, reservation.id)
            ask(
              settlement(
                reservation,
                used,
                () => resume(Effect.void),
                (error) => resume(Effect.fail(error))
              )
            )
          }),
        observe: (observations) =>
          observations.length === 0
            ? Effect.void
            : Effect.callback((resume) => {
                ask({
                  write: (index) => [
                    2,
                    observations.map(({ _tag, key, millis }) => [
                      index(key),
                      _tag === "Pause" ? 3 : 0,
                      Math.ceil(millis * 1000)
                    ])
                  ],
                  answer: () => resume(Effect.void),
                  fail: (error) => resume(Effect.fail(error))
                })
              })
      })
    })
  )

const written = (charge: Store.Charge, index: number): ReadonlyArray<Wire> => {
  switch (charge._tag) {
    case "Rate":
      return [index, 0, Store.costOf(charge, charge.amount), charge.ceiling, charge.capacity]
    case "Period":
      return [index, 1, charge.amount, charge.ceiling, charge.capacity, charge.boundaries]
    case "Concurrent":
      return [index, 2, charge.ceiling]
    case "Pause":
      return [index, 3]
  }
}

const settled = (charge: Store.Charge, index: number, mark: Store.Mark, used: number): ReadonlyArray<Wire> => {
  switch (charge._tag) {
    case "Rate": {
      const more = Store.costOf(charge, used) - Store.costOf(charge, charge.amount)
      return [index, 0, more, charge.capacity, mark.position, mark.generation]
    }
    case "Period":
      return [index, 1, used - charge.amount, charge.capacity, mark.position, charge.boundaries]
    case "Concurrent":
      return [index, 2]
    case "Pause":
      return [index, 3]
  }
}

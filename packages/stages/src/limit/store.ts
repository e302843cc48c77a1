/**
 * Where limits are counted. A store takes one decision over all the limits that a call touches: either every one of them is
 * charged, or none is. A call reserves an estimate, and settles with what it truly used.
 *
 * Rates are counted by the generic cell rate algorithm (GCRA, ITU-T I.371): a limit of `n` per period is a bucket that drains
 * at `n / period` and holds `burst`, kept as the one moment at which it will be empty. In any stretch of time `t` a bucket
 * lets through at most `burst + t × n / period`, and that stays true through every refund: what a bucket has drained
 * meanwhile is not given back, since an empty bucket would not have saved it either.
 *
 * @since 0.1.0
 */
import { Clock, Context, Effect, Layer, Schema } from "effect"

/**
 * The store did not decide: it could not be reached (`Unavailable`), did not answer in time (`Timeout`, and may yet charge) or
 * refused the question (`Rejected`). Whether the call then goes through is the policy of whoever asked.
 *
 * @category errors
 * @since 0.1.0
 */
export class LimitStoreError extends Schema.TaggedError<LimitStoreError>()("@interlock/stages/LimitStoreError", {
  reason: Schema.Literals(["Unavailable", "Timeout", "Rejected"]),
  message: Schema.String,
  cause: Schema.optional(Schema.Defect())
}) {}

/**
 * What a call would add to one limit. Build it with `rate`, `period`, `concurrent` or `pause`.
 *
 * Times inside are whole microseconds, so that every store reckons alike. `ceiling` is how full this call may make the
 * bucket: all of it, or less for a call of low priority.
 *
 * @category models
 * @since 0.1.0
 */
export type Charge =
  | {
      readonly _tag: "Rate"
      readonly key: string
      readonly amount: number
      /** Microseconds that one unit takes to drain. */
      readonly unit: number
      /** Microseconds that the full bucket takes to drain. */
      readonly capacity: number
      readonly ceiling: number
    }
  | {
      readonly _tag: "Period"
      readonly key: string
      readonly amount: number
      readonly capacity: number
      readonly ceiling: number
      /** Starts of the last, this and the next two periods, so that a store with another clock still finds its own. */
      readonly boundaries: readonly [number, number, number, number]
    }
  | {
      readonly _tag: "Concurrent"
      readonly key: string
      readonly amount: number
      readonly capacity: number
      readonly ceiling: number
    }
  | { readonly _tag: "Pause"; readonly key: string; readonly amount: number }

/**
 * `amount` against `limit` per `perMillis`, with a bucket of `burst` (the limit itself when left out).
 *
 * @category constructors
 * @since 0.1.0
 */
export const rate = (options: {
  readonly key: string
  readonly amount: number
  readonly limit: number
  readonly perMillis: number
  readonly burst?: number
  /** How much of the bucket this call may fill, from 0 to 1; 1 when left out. */
  readonly share?: number
}): Charge => {
  const exact = (options.perMillis * 1000) / options.limit
  // A whole unit lets as many calls of one unit pass as the burst says, where one with a rest would cost each of them more. It
  // slows the bucket down by less than a thousandth.
  const unit = exact >= 1000 ? Math.ceil(exact * (1 - rounding)) : exact
  const capacity = Math.floor((options.burst ?? options.limit) * unit * (1 + rounding))
  return {
    _tag: "Rate",
    key: options.key,
    amount: options.amount,
    unit,
    capacity,
    ceiling: Math.floor(capacity * (options.share ?? 1))
  }
}

/**
 * `amount` against `limit` within the calendar period that holds the present moment. `boundaries` are milliseconds since the
 * epoch: the starts of the last period, of this one, and of the next two.
 *
 * @category constructors
 * @since 0.1.0
 */
export const period = (options: {
  readonly key: string
  readonly amount: number
  readonly limit: number
  readonly share?: number
  readonly boundaries: readonly [number, number, number, number]
}): Charge => ({
  _tag: "Period",
  key: options.key,
  amount: options.amount,
  capacity: options.limit,
  ceiling: options.limit * (options.share ?? 1),
  boundaries: options.boundaries
})

/**
 * One of `limit` places that are held until the reservation is settled.
 *
 * @category constructors
 * @since 0.1.0
 */
export const concurrent = (options: {
  readonly key: string
  readonly limit: number
  readonly share?: number
}): Charge => ({
  _tag: "Concurrent",
  key: options.key,
  amount: 1,
  capacity: options.limit,
  ceiling: Math.max(1, Math.floor(options.limit * (options.share ?? 1)))
})

/**
 * Nothing to count, but the call must wait while the key is paused (see `Observation`).
 *
 * @category constructors
 * @since 0.1.0
 */
export const pause = (key: string): Charge => ({ _tag: "Pause", key, amount: 0 })

/**
 * Microseconds that `amount` takes to drain, rounded up: a limit errs on the side of too little.
 *
 * @category accessors
 * @since 0.1.0
 */
export const costOf = (charge: Extract<Charge, { readonly _tag: "Rate" }>, amount: number): number =>
  Math.ceil(amount * charge.unit * (1 - rounding))

/** What a product of such numbers may be off by: less than a microsecond in ten days. */
const rounding = 1e-12

/**
 * What was charged, to be handed back to `settle` once. `marks` say where in each bucket it stands; they are the store's own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reservation {
  readonly id: string
  readonly charges: ReadonlyArray<Charge>
  readonly marks: ReadonlyArray<Mark>
}

/**
 * Where in a bucket a charge stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mark {
  /** Rate: when the bucket would be empty, plus all refunds before. Period: the start of the period charged. */
  readonly position: number
  /** Which life of the bucket this was: it is forgotten when empty. */
  readonly generation: number
}

/**
 * What a store decided. `levels` are how full each bucket is afterwards: microseconds for rates and pauses, the amount
 * charged for periods, the places taken for concurrency.
 *
 * @category models
 * @since 0.1.0
 */
export type Decision =
  | {
      readonly _tag: "Allowed"
      /** To be waited before the call is made; 0 unless `maxWaitMillis` was given. */
      readonly waitMillis: number
      readonly reservation: Reservation
      readonly levels: ReadonlyArray<number>
    }
  | {
      readonly _tag: "Refused"
      /** Which charge was refused: the one with the longest wait. */
      readonly index: number
      /** `Infinity` when this charge can never fit, 0 when nobody can say (a place must come free). */
      readonly retryAfterMillis: number
      readonly levels: ReadonlyArray<number>
    }

/**
 * What was learnt from outside, usually from a provider's answer: nobody may call until the pause is over, or the bucket is at
 * least this full. Never loosens a limit.
 *
 * @category models
 * @since 0.1.0
 */
export type Observation =
  | { readonly _tag: "Pause"; readonly key: string; readonly millis: number }
  | { readonly _tag: "AtLeast"; readonly key: string; readonly millis: number }

/**
 * Counts limits: one decision over all charges of a call, atomically.
 *
 * @category services
 * @since 0.1.0
 */
export class LimitStore extends Context.Service<
  LimitStore,
  {
    /**
     * Charges everything or nothing. With `maxWaitMillis`, a call that would fit into its rates that much later is charged
     * now, and told how long to wait: callers are served in the order in which they asked.
     */
    readonly reserve: (
      charges: ReadonlyArray<Charge>,
      options?: { readonly maxWaitMillis?: number }
    ) => Effect.Effect<Decision, LimitStoreError>
    /**
     * Replaces what was reserved by what was truly used, charge by charge in the same order (0 gives all back), and frees the
     * places held. Tried once: a settlement whose outcome is not known gives nothing back.
     */
    readonly settle: (reservation: Reservation, used: ReadonlyArray<number>) => Effect.Effect<void, LimitStoreError>
    /** Takes in what was learnt from outside. */
    readonly observe: (observations: ReadonlyArray<Observation>) => Effect.Effect<void, LimitStoreError>
  }
>()("@interlock/stages/LimitStore") {}

interface RateState {
  empty: number
  refunded: number
  readonly generation: number
}

interface PeriodState {
  start: number
  spent: number
  end: number
}

/**
 * Counts in this process: enough for one process, and for tests. Buckets that are empty are forgotten.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<LimitStore> = Layer.sync(LimitStore, () => {
  const rates = new Map<string, RateState>()
  const periods = new Map<string, PeriodState>()
  const places = new Map<string, Set<string>>()
  const pauses = new Map<string, number>()
  let generation = 0
  let count = 0
  let sweepAt = 1024

  const sweep = (now: number) => {
    for (const [key, state] of rates) if (state.empty <= now) rates.delete(key)
    for (const [key, state] of periods) if (state.end <= now) periods.delete(key)
    for (const [key, until] of pauses) if (until <= now) pauses.delete(key)
    for (const [key, holders] of places) if (holders.size === 0) places.delete(key)
    sweepAt = 2 * Math.max(512, rates.size + periods.size + pauses.size + places.size)
  }
  const rateOf = (key: string, now: number): RateState => {
    const found = rates.get(key)
    if (found !== undefined && found.empty > now) return found
    const fresh = { empty: now, refunded: 0, generation: ++generation }
    rates.set(key, fresh)
    return fresh
  }
  const periodOf = (charge: Extract<Charge, { readonly _tag: "Period" }>, now: number): PeriodState => {
    const [start, end] = currentPeriod(charge.boundaries, now)
    const found = periods.get(charge.key)
    // A charge that knows only of periods long past, such as a late settlement, counts in the present one.
    if (found !== undefined && found.start >= start) return found
    const fresh = { start, spent: 0, end }
    periods.set(charge.key, fresh)
    return fresh
  }
  const placesOf = (key: string): Set<string> => {
    const found = places.get(key)
    if (found !== undefined) return found
    const fresh = new Set<string>()
    places.set(key, fresh)
    return fresh
  }

  const reserve = (now: number, charges: ReadonlyArray<Charge>, maxWait: number): Decision => {
    if (rates.size + periods.size + pauses.size + places.size > sweepAt) sweep(now)
    const levels: Array<number> = new Array(charges.length)
    const marks: Array<Mark> = new Array(charges.length)
    let wait = 0
    let refused = -1
    let longest = -1
    for (let index = 0; index < charges.length; index++) {
      const charge = charges[index]!
      let late = 0
      let canWait = true
      switch (charge._tag) {
        case "Rate": {
          const state = rateOf(charge.key, now)
          const cost = costOf(charge, charge.amount)
          const level = state.empty - now
          levels[index] = level
          marks[index] = { position: state.empty + cost + state.refunded, generation: state.generation }
          if (cost > charge.ceiling) late = Number.POSITIVE_INFINITY
          else if (cost > 0) late = level + cost - charge.ceiling
          break
        }
        case "Period": {
          const state = periodOf(charge, now)
          levels[index] = state.spent
          marks[index] = { position: state.start, generation: 0 }
          canWait = false
          if (charge.amount > charge.ceiling) late = Number.POSITIVE_INFINITY
          else if (state.spent + charge.amount > charge.ceiling) late = state.end - now
          break
        }
        case "Concurrent": {
          const holders = placesOf(charge.key)
          levels[index] = holders.size
          marks[index] = { position: 0, generation: 0 }
          canWait = false
          if (holders.size + 1 > charge.ceiling && refused === -1) {
            refused = index
            longest = 0
          }
          break
        }
        case "Pause": {
          late = (pauses.get(charge.key) ?? 0) - now
          levels[index] = Math.max(0, late)
          marks[index] = { position: 0, generation: 0 }
        }
      }
      if (late > 0) {
        if (canWait && late <= maxWait) wait = Math.max(wait, late)
        else if (late > longest) {
          longest = late
          refused = index
        }
      }
    }
    if (refused >= 0) return { _tag: "Refused", index: refused, retryAfterMillis: millis(longest), levels }
    const id = `${++count}`
    for (let index = 0; index < charges.length; index++) {
      const charge = charges[index]!
      if (charge._tag === "Rate") {
        const cost = costOf(charge, charge.amount)
        rates.get(charge.key)!.empty += cost
        levels[index]! += cost
      } else if (charge._tag === "Period") {
        levels[index] = periods.get(charge.key)!.spent += charge.amount
      } else if (charge._tag === "Concurrent") {
        levels[index] = placesOf(charge.key).add(id).size
      }
    }
    return { _tag: "Allowed", waitMillis: millis(wait), reservation: { id, charges, marks }, levels }
  }

  const settle = (now: number, { charges, id, marks }: Reservation, used: ReadonlyArray<number>) => {
    for (let index = 0; index < charges.length; index++) {
      const charge = charges[index]!
      const mark = marks[index]!
      const amount = used[index] ?? charge.amount
      switch (charge._tag) {
        case "Rate": {
          const more = costOf(charge, amount) - costOf(charge, charge.amount)
          if (more > 0) {
            rateOf(charge.key, now).empty += more
          } else if (more < 0) {
            const state = rates.get(charge.key)
            if (state === undefined || state.generation !== mark.generation) break
            const back = Math.min(-more, Math.max(0, mark.position - state.refunded - now))
            state.empty -= back
            state.refunded += back
          }
          break
        }
        case "Period": {
          const more = amount - charge.amount
          const state = more > 0 ? periodOf(charge, now) : periods.get(charge.key)
          if (state !== undefined && (more > 0 || state.start === mark.position)) {
            state.spent = Math.max(0, state.spent + more)
          }
          break
        }
        case "Concurrent":
          places.get(charge.key)?.delete(id)
      }
    }
  }

  return LimitStore.of({
    reserve: (charges, options) =>
      Clock.clockWith((clock) =>
        Effect.succeed(
          reserve(clock.currentTimeMillisUnsafe() * 1000, charges, Math.floor((options?.maxWaitMillis ?? 0) * 1000))
        )
      ),
    settle: (reservation, used) =>
      Clock.clockWith((clock) => {
        settle(clock.currentTimeMillisUnsafe() * 1000, reservation, used)
        return Effect.void
      }),
    observe: (observations) =>
      Clock.clockWith((clock) => {
        const now = clock.currentTimeMillisUnsafe() * 1000
        for (const { _tag, key, millis } of observations) {
          const until = now + Math.ceil(millis * 1000)
          if (_tag === "Pause") pauses.set(key, Math.max(pauses.get(key) ?? 0, until))
          else {
            const state = rateOf(key, now)
            state.empty = Math.max(state.empty, until)
          }
        }
        return Effect.void
      })
  })
})

const millis = (microseconds: number): number => Math.ceil(microseconds / 1000)

/**
 * The period that holds `now` (microseconds), as its start and end in microseconds; the first or last of those given when the
 * clock is outside all of them.
 */
const currentPeriod = (boundaries: readonly [number, number, number, number], now: number): [number, number] => {
  const [first, second, third, fourth] = boundaries
  const at = now / 1000
  if (at < second) return [first * 1000, second * 1000]
  if (at < third) return [second * 1000, third * 1000]
  return [third * 1000, fourth * 1000]
}

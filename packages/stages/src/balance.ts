/**
 * `balance` spreads the calls of one logical model over many deployments: providers, regions, keys. It avoids those that are
 * slow, busy, failing or resting, and can send prompts that begin alike to the same one, where the provider's own cache is warm.
 *
 * Of two instances drawn by chance the better is asked ("the power of two choices", Mitzenmacher 1996), by the time to the first
 * part, a moving average that rises at once and falls slowly (peak EWMA, as in Finagle), times the calls in flight.
 *
 * @since 0.1.0
 */
import { type Fact, type Handler, Reply } from "@interlock/core"
import { ModelError, Prompt, SafePrompt } from "@interlock/model"
import { Clock, Context, Duration, Effect, type Exit, Layer, Random, type Scope } from "effect"
import { CircuitBreaker } from "effect/persistence"

// ---------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------

/**
 * What is known of an instance. Times are milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Health {
  /** Moving average of the time to the first part; 0 before the first call. */
  latencyMs: number
  /** Moving average of failures, 0 to 1. */
  failures: number
  /** Calls that have not ended. */
  inFlight: number
  /** When the averages were last changed. */
  seenAt: number
  /** Not asked before this time: its circuit is open, or it asked to be left alone. */
  restsUntil: number
}

/**
 * Remembers the health of instances, and breaks the circuit of those that keep failing.
 *
 * @category services
 * @since 0.1.0
 */
export class Balancer extends Context.Service<
  Balancer,
  {
    readonly health: (balance: string, instance: string) => Health
    readonly breaker: CircuitBreaker.CircuitBreaker
  }
>()("@interlock/stages/Balancer") {}

/**
 * Remembers the health of instances in this process. Circuits open after `failures` failures in a row (default 5) for
 * `openFor` (default 10 s, and what the provider asks for if that is longer); their state is kept in the `CircuitBreakerStore`, in
 * memory or in Redis, where many processes share it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (options: {
  readonly failures?: number
  readonly openFor?: Duration.Input
}): Layer.Layer<Balancer, never, CircuitBreaker.CircuitBreakerStore> =>
  Layer.effect(
    Balancer,
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({
        tripPolicy: CircuitBreaker.consecutive(options.failures ?? 5),
        openDuration: options.openFor ?? "10 seconds"
      })
      const known = new Map<string, Health>()
      return {
        breaker,
        health: (balance, instance) => {
          const key = JSON.stringify([balance, instance])
          const found = known.get(key)
          if (found !== undefined) return found
          const fresh: Health = { latencyMs: 0, failures: 0, inFlight: 0, seenAt: 0, restsUntil: 0 }
          known.set(key, fresh)
          return fresh
        }
      }
    })
  )

/**
 * Remembers everything in this process.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<Balancer> = Layer.provide(layerWith({}), CircuitBreaker.layerStoreMemory())

// ---------------------------------------------------------------------------------------------------------------
// The handler
// ---------------------------------------------------------------------------------------------------------------

/**
 * A deployment of the model.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance<H extends Handler.Any> {
  readonly name: string
  readonly handler: H
  /** Its capacity relative to the others. Default: 1. */
  readonly weight?: number
  /** What a call costs here relative to the others, for `least-cost`. Default: 1. */
  readonly cost?: number
}

/**
 * How an instance is chosen.
 *
 * - `latency`: the better of two drawn by chance, by latency, failures and calls in flight for its weight;
 * - `least-cost`: the cheapest that is not much slower or busier than the others;
 * - `weighted`: by chance, as often as its weight says;
 * - `random` and `round-robin`: blindly, for comparison.
 *
 * @category models
 * @since 0.1.0
 */
export type Strategy = "latency" | "least-cost" | "weighted" | "random" | "round-robin"

/**
 * How calls are spread.
 *
 * @category models
 * @since 0.1.0
 */
export interface BalanceOptions {
  /** Default: `latency`. */
  readonly strategy?: Strategy
  /**
   * Calls of the same key go to the same instance while it is healthy and not much busier than the others. See `promptPrefix`.
   * The facts of the call are there to be read with `Context.getOption`.
   */
  readonly affinity?: (facts: Context.Context<never>) => string | undefined
  /** Whether a blind strategy still leaves out resting instances and breaks circuits. Default: true. */
  readonly eject?: boolean
}

/**
 * The key of prompts that begin with the same `characters` (default 4,096, about the 1,024 tokens from which providers cache).
 * Shorter prompts have none.
 *
 * @category affinity
 * @since 0.1.0
 */
export const promptPrefix =
  (characters = 4096) =>
  (facts: Context.Context<never>): string | undefined => {
    const prompt = Context.getOption(facts, SafePrompt)
    if (prompt._tag === "None") return undefined
    const text = Prompt.text(prompt.value)
    return text.length < characters ? undefined : text.slice(0, characters)
  }

/** Half of what was known is forgotten after so long. */
const halfLifeMs = 10_000

const observe = (health: Health, now: number, latencyMs: number | undefined, failed: boolean): void => {
  const kept = health.seenAt === 0 ? 0 : 0.5 ** ((now - health.seenAt) / halfLifeMs)
  if (latencyMs !== undefined) {
    // Rises at once, falls slowly: a slow instance is found out by its first slow reply. A tenth at least is learned each time.
    const keep = Math.min(kept, 0.9)
    health.latencyMs = latencyMs > health.latencyMs ? latencyMs : health.latencyMs * keep + latencyMs * (1 - keep)
  }
  health.failures = Math.max(health.failures * Math.min(kept, 0.8), failed ? Math.min(1, health.failures + 0.2) : 0)
  health.seenAt = now
}

const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  value = Math.imul(value ^ (value >>> 15), 0x85ebca6b)
  return (value ^ (value >>> 13)) >>> 0
}

/** Failures that say something of the instance, not of the call. */
const isFault = (error: ModelError.ModelError): boolean =>
  error.reason._tag !== "BadRequest" && error.reason._tag !== "ContentFiltered"

/** The typed failure of a call, if it ended with one. */
const failureOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  exit._tag === "Success" ? undefined : exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error

/** A key that is refused or has no quota left is not asked again for so long. */
const refusedMs = 60_000
/** After a rate limit that does not say how long. */
const limitedMs = 1000

/**
 * Makes a handler that spreads calls over `instances`. It fails like any of them, without the time that one asked to be left
 * alone while others are awake, so that a `retry` above asks one of those soon. When all are resting, it fails as `Overloaded`,
 * with the time until the first is back.
 *
 * @category constructors
 * @since 0.1.0
 */
export const balance = <const H extends Handler.Any>(
  name: string,
  instances: readonly [Instance<H>, ...ReadonlyArray<Instance<H>>],
  options?: BalanceOptions
): Handler.Handler<
  Handler.NeedsOf<H>,
  Handler.PartOf<H>,
  Handler.ErrorOf<H> | ModelError.ModelError,
  Handler.ServicesOf<H> | Balancer
> => {
  type E = Handler.ErrorOf<H>
  type Part = Handler.PartOf<H>
  type R = Handler.ServicesOf<H>
  const strategy = options?.strategy ?? "latency"
  const eject = options?.eject ?? true
  const needs = new Set<Fact.Fact>()
  for (const { handler } of instances) for (const fact of handler.spec.needs) needs.add(fact)
  let turn = 0

  const busy = (health: Health, instance: Instance<H>) => (health.inFlight + 1) / (instance.weight ?? 1)
  const load = (health: Health, instance: Instance<H>) =>
    (health.latencyMs + 1) * busy(health, instance) * (1 + 10 * health.failures)

  const choose = (
    awake: readonly [Instance<H>, ...ReadonlyArray<Instance<H>>],
    healthOf: (instance: Instance<H>) => Health,
    key: string | undefined
  ): Effect.Effect<Instance<H>> => {
    const loadOf = (instance: Instance<H>) => load(healthOf(instance), instance)
    if (key !== undefined) {
      // Rendezvous hashing, with bounded loads: the same instance for the same key, but not whatever its state.
      const home = awake.reduce((a, b) => (hash(`${key}\n${b.name}`) > hash(`${key}\n${a.name}`) ? b : a))
      const mean = awake.reduce((sum, one) => sum + busy(healthOf(one), one), 0) / awake.length
      const fastest = Math.min(...awake.map((one) => healthOf(one).latencyMs))
      const health = healthOf(home)
      if (busy(health, home) <= 1.25 * mean + 1 && health.latencyMs <= 3 * fastest + 100 && health.failures < 0.3) {
        return Effect.succeed(home)
      }
    }
    switch (strategy) {
      case "round-robin":
        return Effect.sync(() => awake[turn++ % awake.length]!)
      case "least-cost": {
        const least = Math.min(...awake.map(loadOf))
        const fit = awake.filter((one) => loadOf(one) <= 3 * least + 1)
        return Effect.succeed(fit.reduce((a, b) => ((b.cost ?? 1) < (a.cost ?? 1) ? b : a), fit[0] ?? awake[0]))
      }
      case "random":
        return Effect.map(Random.next, (part) => awake[Math.floor(part * awake.length)]!)
      case "weighted":
        return Effect.map(Random.next, (part) => {
          let left = part * awake.reduce((sum, one) => sum + (one.weight ?? 1), 0)
          for (const one of awake) {
            left -= one.weight ?? 1
            if (left < 0) return one
          }
          return awake[0]
        })
      case "latency":
        return Effect.zipWith(Random.next, Random.next, (one, other) => {
          const first = Math.floor(one * awake.length)
          const second =
            awake.length === 1 ? first : (first + 1 + Math.floor(other * (awake.length - 1))) % awake.length
          return loadOf(awake[second]!) < loadOf(awake[first]!) ? awake[second]! : awake[first]!
        })
    }
  }

  const failed = (health: Health, now: number, error: ModelError.ModelError): void => {
    const asked = ModelError.retryAfterMs(error)
    const rest =
      error.reason._tag === "RefusedKey" || error.reason._tag === "Quota"
        ? refusedMs
        : error.reason._tag === "RateLimited"
          ? (asked ?? limitedMs)
          : asked
    if (rest !== undefined) health.restsUntil = Math.max(health.restsUntil, now + rest)
    // A failure is often fast: it must not make the instance look good.
    if (isFault(error)) observe(health, now, undefined, error.reason._tag !== "RateLimited")
  }

  const classify = (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.Outcome => {
    if (exit._tag === "Success") return CircuitBreaker.success
    const error = failureOf(exit)
    // A rate limit is not a fault: the instance rests for as long as it says, and its circuit stays closed. Nor is what a stage
    // above the model refuses.
    if (!(error instanceof ModelError.ModelError)) {
      return error === undefined ? CircuitBreaker.failure() : CircuitBreaker.ignored
    }
    if (!isFault(error) || error.reason._tag === "RateLimited") return CircuitBreaker.ignored
    const asked = ModelError.retryAfterMs(error)
    return CircuitBreaker.failure(asked === undefined ? {} : { retryAfter: asked })
  }

  const call = Effect.fnUntraced(function* (
    instance: Instance<H>,
    health: Health,
    facts: Context.Context<never>
  ): Effect.fn.Return<Reply.Reply<Part, E>, E, R | Scope.Scope> {
    const began = yield* Clock.currentTimeMillis
    health.inFlight++
    let counted = true
    const ended = Effect.sync(() => {
      if (counted) health.inFlight--
      counted = false
    })
    yield* Effect.addFinalizer(() => ended)
    const handle = instance.handler.handle as (
      facts: Context.Context<never>
    ) => Effect.Effect<Reply.Reply<Part, E>, E, R | Scope.Scope>
    const reply = yield* Effect.onExit(handle(facts), (exit) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (exit._tag === "Success") {
          observe(health, now, now - began, false)
          return Effect.void
        }
        const error = failureOf(exit)
        if (error instanceof ModelError.ModelError) {
          failed(health, now, error)
        } else if (exit.cause.reasons.some((reason) => reason._tag === "Interrupt") && now - began > health.latencyMs) {
          // Given up while it was slower than ever: that is known now.
          observe(health, now, now - began, false)
        }
        return ended
      })
    )
    return yield* Reply.onExit(reply, (exit) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const error = failureOf(exit)
        if (error instanceof ModelError.ModelError) failed(health, now, error)
        return ended
      })
    )
  })

  return {
    name,
    spec: { needs: [...needs] },
    handle: (facts) =>
      Effect.gen(function* () {
        const balancer = yield* Balancer
        const healthOf = (instance: Instance<H>) => balancer.health(name, instance.name)
        const key = options?.affinity?.(facts as Context.Context<never>)
        const rejected = new Set<Instance<H>>()
        while (true) {
          const now = yield* Clock.currentTimeMillis
          const [first, ...rest] = instances.filter(
            (one) => !rejected.has(one) && (!eject || healthOf(one).restsUntil <= now)
          )
          if (first === undefined) {
            const back = Math.min(...instances.map((one) => healthOf(one).restsUntil)) - now
            // Where none rests any more, one of them is being probed: nobody knows for how long.
            const [reason, when] =
              back > 0
                ? [new ModelError.Overloaded({ retryAfterMs: back }), `the first is back in ${back} ms. Retry then`]
                : [new ModelError.Overloaded({}), "one is being tried again just now. Retry soon"]
            return yield* new ModelError.ModelError({
              provider: "balance",
              model: name,
              reason,
              message: `All ${instances.length} instances of ${name} are resting after failures or rate limits; ${when}, add instances, or put a fallback above.`
            })
          }
          const instance = yield* choose([first, ...rest], healthOf, key)
          const health = healthOf(instance)
          // An instance that asks to be left alone does not speak for the others: a retry goes to one of them, and need not wait.
          const elsewhere = (error: E): E | ModelError.ModelError => {
            const failure: unknown = error
            return failure instanceof ModelError.ModelError &&
              instances.some((other) => other !== instance && !rejected.has(other) && healthOf(other).restsUntil <= now)
              ? ModelError.withoutRetryAfter(failure)
              : error
          }
          const one = call(instance, health, facts as Context.Context<never>)
          if (!eject) return yield* Effect.mapError(one, elsewhere)
          const outcome = yield* Effect.result(
            balancer.breaker.execute(one, { key: JSON.stringify([name, instance.name]), classify })
          )
          if (outcome._tag === "Success") return outcome.success
          const error = outcome.failure
          if (!(error instanceof CircuitBreaker.CircuitBreakerError)) return yield* Effect.fail(elsewhere(error))
          // Its circuit is open, or a probe is under way: it was not asked, and another one is.
          rejected.add(instance)
          if (error.reason._tag === "CircuitOpen") {
            health.restsUntil = Math.max(health.restsUntil, now + Duration.toMillis(error.reason.retryAfter))
          }
        }
      })
  }
}

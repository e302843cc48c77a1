/**
 * Micro-batching over a simulated endpoint that takes 34.1 + 5.9 n ms for n items and serves one batch at a time.
 *
 *     pnpm bench batch
 *
 * The throughput at 32 is measured in real time: 32 callers that ask again as soon as they are answered, in batches of at
 * most 32 and in batches of 1. The latencies are simulated: Poisson arrivals (seeded) in virtual time, as the
 * mean of 60 runs of 10 s that start idle, and beside it one run of 600 s, the steady state.
 */
import { type MicroOptions, micro } from "@interlock/stages/batchMicro"
import { Clock, Duration, Effect, Exit, Fiber } from "effect"

const simulated: MicroOptions<number, number, never, never> = {
  key: () => "all",
  run: (items) => Effect.as(Effect.sleep(34.1 + 5.9 * items.length), items.map(Exit.succeed))
}

const timed = async (effect: Effect.Effect<unknown, unknown>) => {
  const start = performance.now()
  await Effect.runPromise(effect)
  return performance.now() - start
}

const callers = 32

/** Milliseconds per item for 32 callers that ask again as soon as they are answered. */
const perItem = async (maxItems: number, rounds: number) => {
  const asked = Effect.gen(function* () {
    const call = yield* micro({ ...simulated, maxItems })
    yield* Effect.forEach(
      Array.from({ length: callers }, (_, caller) => caller),
      (caller) => Effect.repeat(call(caller), { times: rounds - 1 }),
      { concurrency: "unbounded" }
    )
  })
  return (await timed(Effect.scoped(asked))) / (callers * rounds)
}

/** A clock whose time jumps to whatever is due next as soon as nobody has anything left to do. */
const virtualClock = () => {
  let now = 0
  const due: Array<{ readonly at: number; readonly resume: () => void }> = []
  const clock: Clock.Clock = {
    ...Effect.runSync(Clock.clockWith(Effect.succeed)),
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const event = { at: now + Duration.toMillis(duration), resume: () => resume(Effect.void) }
        let place = due.length
        while (place > 0 && due[place - 1]!.at > event.at) place--
        due.splice(place, 0, event)
      })
  }
  const drive = async (isDone: () => boolean) => {
    while (!isDone()) {
      for (let turn = 0; turn < 8; turn++) await new Promise(setImmediate)
      const event = due.shift()
      if (event === undefined) continue
      now = event.at
      event.resume()
    }
  }
  return { clock, drive }
}

const meanLatency = async (perSecond: number, seconds: number, start: number) => {
  const { clock, drive } = virtualClock()
  let seed = start
  // Mulberry32 (public domain).
  const uniform = () => {
    seed = (seed + 0x6d2b79f5) | 0
    let word = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return (((word ^ (word >>> 14)) >>> 0) + 0.5) / 2 ** 32
  }
  let total = 0
  let count = 0
  const arrivals = Effect.gen(function* () {
    const call = yield* micro(simulated)
    const one = Effect.gen(function* () {
      const start = yield* Clock.currentTimeMillis
      yield* call(0)
      total += (yield* Clock.currentTimeMillis) - start
      count++
    })
    const fibers: Array<Fiber.Fiber<void, unknown>> = []
    for (let at = 0; at < seconds * 1_000; ) {
      const gap = (-Math.log(uniform()) * 1_000) / perSecond
      at += gap
      yield* Effect.sleep(gap)
      fibers.push(yield* Effect.forkChild(one))
    }
    for (const fiber of fibers) yield* Fiber.await(fiber)
  })
  let done = false
  const running = Effect.runPromise(Effect.scoped(arrivals).pipe(Effect.provideService(Clock.Clock, clock))).finally(
    () => {
      done = true
    }
  )
  await drive(() => done)
  await running
  return total / count
}

export const run = async (_argv: ReadonlyArray<string>): Promise<void> => {
  const alone = await perItem(1, 3)
  const together = await perItem(callers, 20)
  const throughputRatio32 = Number((alone / together).toFixed(2))
  console.log(`one by one                            ${alone.toFixed(2)} ms an item`)
  console.log(`in batches of at most 32              ${together.toFixed(2)} ms an item`)
  console.log(
    `throughput ratio                      ${throughputRatio32} (5.74 by arithmetic; timers are late by up to 1 ms a call)`
  )
  const meanMs: Record<string, number> = {}
  for (const perSecond of [5, 60, 120, 140]) {
    const runs: Array<number> = []
    for (let run = 1; run <= 60; run++) runs.push(await meanLatency(perSecond, 10, 1_000 * perSecond + run))
    const mean = runs.reduce((sum, value) => sum + value, 0) / runs.length
    const steady = await meanLatency(perSecond, 600, perSecond)
    meanMs[perSecond] = Number(mean.toFixed(1))
    const figures = `${mean.toFixed(1)} ms from idle, ${steady.toFixed(1)} ms in the steady state`
    console.log(`mean latency at ${String(perSecond).padStart(3)}/s                ${figures}`)
  }
  console.log(JSON.stringify({ throughputRatio32, meanMs }))
}

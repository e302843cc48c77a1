/**
 * `pnpm bench balance -- [--seconds 60] [--rate 40] [--seeds 3]`
 *
 * Four instances of one model, in simulated time: one healthy, one slow (eight times), one failing (three calls of five), one
 * rate-limited (five calls a second). Calls arrive by chance; each may be retried twice, within the budget. What is measured is
 * the share of calls that are answered within ten seconds (goodput) and how long the answered ones took, against round robin and
 * random choice, blind as those usually are, and with the same ejection.
 */
import { parseArgs } from "node:util"
import { Pipeline, Reply } from "@interlock/core"
import { Chat, ModelError, Part } from "@interlock/model"
import { type BalanceOptions, balance, layerMemory } from "@interlock/stages/balance"
import { layerBudget, retryWith } from "@interlock/stages/retry"
import { Clock, Context, Effect, Fiber, Layer, Random, Semaphore } from "effect"
import { TestClock } from "effect/testing"

/** A call that takes longer is of no use to its caller. In milliseconds. */
const patience = 10_000
/** How many calls an instance works on at a time; others wait. */
const slots = 32
const healthyMs = 300

const failure = (reason: ModelError.ModelError["reason"]) =>
  new ModelError.ModelError({ provider: "simulated", model: "model", reason, message: "simulated failure" })

const normal = Effect.zipWith(
  Random.next,
  Random.next,
  (a, b) => Math.sqrt(-2 * Math.log(a + 1e-12)) * Math.cos(2 * Math.PI * b)
)

interface Kind {
  readonly name: string
  readonly slower: number
  readonly fails: number
  readonly perSecond: number
}
const kinds: ReadonlyArray<Kind> = [
  { name: "healthy", slower: 1, fails: 0, perSecond: Number.POSITIVE_INFINITY },
  { name: "slow", slower: 8, fails: 0, perSecond: Number.POSITIVE_INFINITY },
  { name: "failing", slower: 1, fails: 0.6, perSecond: Number.POSITIVE_INFINITY },
  { name: "limited", slower: 1, fails: 0, perSecond: 5 }
]

const instance = Effect.fnUntraced(function* (kind: Kind) {
  const permits = yield* Semaphore.make(slots)
  let second = -1
  let used = 0
  return {
    name: kind.name,
    handler: Pipeline.handler(
      kind.name,
      { needs: {} },
      Effect.fnUntraced(function* () {
        const now = yield* Clock.currentTimeMillis
        const current = Math.floor(now / 1000)
        if (current !== second) {
          second = current
          used = 0
        }
        if (++used > kind.perSecond) {
          yield* Effect.sleep(20)
          return yield* failure(new ModelError.RateLimited({ retryAfterMs: (current + 1) * 1000 - now }))
        }
        return yield* permits.withPermits(1)(
          Effect.gen(function* () {
            if ((yield* Random.next) < kind.fails) {
              yield* Effect.sleep(30)
              return yield* failure(new ModelError.Overloaded({ status: 503 }))
            }
            yield* Effect.sleep(healthyMs * kind.slower * Math.exp(0.4 * (yield* normal)))
            return Reply.whole(Part.text("answer"))
          })
        )
      })
    )
  }
})

const simulate = (options: BalanceOptions, seconds: number, rate: number, seed: number) =>
  Effect.gen(function* () {
    const [first, ...rest] = yield* Effect.forEach(kinds, instance)
    const pipeline = Pipeline.make("simulated", { input: [], protocol: Chat.protocol })
      .use(retryWith({ base: 100 }))
      .to(balance("model", [first!, ...rest], options))
    const took: Array<number> = []
    let calls = 0
    const one = Effect.gen(function* () {
      const began = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(Effect.timeout(pipeline.run(Context.empty() as Context.Context<never>), patience))
      if (exit._tag === "Success") took.push((yield* Clock.currentTimeMillis) - began)
    })
    const traffic = Effect.gen(function* () {
      const fibers: Array<Fiber.Fiber<void>> = []
      const end = seconds * 1000
      while ((yield* Clock.currentTimeMillis) < end) {
        yield* Effect.sleep((-Math.log(1 - (yield* Random.next)) * 1000) / rate)
        calls++
        fibers.push(yield* Effect.forkChild(one))
      }
      yield* Effect.forEach(fibers, Fiber.await, { discard: true })
    })
    const running = yield* Effect.forkChild(traffic)
    yield* TestClock.adjust((seconds + 60) * 1000)
    yield* Fiber.join(running)
    took.sort((a, b) => a - b)
    const at = (part: number) => took[Math.min(took.length - 1, Math.floor(part * took.length))] ?? Number.NaN
    return { calls, goodput: took.length / calls, p50Ms: at(0.5), p99Ms: at(0.99) }
  }).pipe(
    Effect.provide(Layer.mergeAll(layerMemory, layerBudget())),
    Effect.provide(TestClock.layer()),
    Random.withSeed(`balance ${seed}`),
    Effect.scoped
  )

const contestants: ReadonlyArray<readonly [key: string, name: string, options: BalanceOptions]> = [
  ["balance", "balance (latency)", {}],
  ["leastCost", "balance (least-cost)", { strategy: "least-cost" }],
  ["roundRobin", "round robin", { strategy: "round-robin", eject: false }],
  ["random", "random", { strategy: "random", eject: false }],
  ["roundRobinEjecting", "round robin, ejecting", { strategy: "round-robin" }],
  ["randomEjecting", "random, ejecting", { strategy: "random" }]
]

export const run = async (argv: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seconds: { type: "string", default: "60" },
      rate: { type: "string", default: "40" },
      seeds: { type: "string", default: "3" }
    }
  })
  const seconds = Number(values.seconds)
  const rate = Number(values.rate)
  const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index + 1)
  console.log(
    `One of four instances slow, one failing, one rate-limited; ${rate} calls a second for ${seconds} s, simulated`
  )
  console.log(`${"".padEnd(24)} goodput      p50      p99`)
  const result: { [key: string]: { goodput: number; p50Ms: number; p99Ms: number } } = {}
  for (const [key, name, options] of contestants) {
    const runs = await Effect.runPromise(Effect.forEach(seeds, (seed) => simulate(options, seconds, rate, seed)))
    const mean = (read: (run: (typeof runs)[number]) => number) =>
      runs.reduce((sum, each) => sum + read(each), 0) / runs.length
    const figures = {
      goodput: Math.round(mean((each) => each.goodput) * 1e4) / 1e4,
      p50Ms: Math.round(mean((each) => each.p50Ms)),
      p99Ms: Math.round(mean((each) => each.p99Ms))
    }
    result[key] = figures
    console.log(
      `${name.padEnd(24)} ${`${(figures.goodput * 100).toFixed(1)} %`.padStart(7)} ${`${figures.p50Ms} ms`.padStart(8)} ${`${figures.p99Ms} ms`.padStart(8)}`
    )
  }
  console.log(JSON.stringify({ ...result, rate, seconds, seeds: seeds.length }))
}

/**
 * Limits: decisions per second in memory and on Redis, and whether many takers in several processes ever exceed a limit.
 *
 * `pnpm bench limits [-- --seconds 3 --rounds 5]`; uses `REDIS_URL` where it is set, otherwise starts a server of its own.
 * Every decision is over three limits: requests of a tenant, tokens of a tenant, tokens of all.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import * as Connection from "@interlock/redis/connection"
import * as RedisLimitStore from "@interlock/redis/limitStore"
import * as LimitStore from "@interlock/stages/limit/store"
import { Effect, Layer } from "effect"
import * as Server from "../packages/redis/test/server.ts"

const day = 86_400_000
const even = (round: string) => Number(round.slice(round.lastIndexOf("-") + 1)) % 2 === 0
const processes = 4
const takersEach = 250
const limit = 700

/** Limits so wide that they never refuse, for measuring. */
const wide = (tenant: number) => [
  LimitStore.rate({ key: `requests:${tenant}`, amount: 1, limit: 1e9, perMillis: 60_000 }),
  LimitStore.rate({ key: `tokens:${tenant}`, amount: 1200, limit: 1e12, perMillis: 60_000 }),
  LimitStore.rate({ key: "tokens", amount: 1200, limit: 1e12, perMillis: 60_000 })
]

const memory = Effect.gen(function* () {
  const store = yield* LimitStore.LimitStore
  const charges = Array.from({ length: 16 }, (_, tenant) => wide(tenant))
  const measure = (settles: boolean, count: number) =>
    Effect.gen(function* () {
      const started = performance.now()
      for (let index = 0; index < count; index++) {
        const decision = yield* store.reserve(charges[index & 15]!)
        if (settles && decision._tag === "Allowed") yield* store.settle(decision.reservation, [1, 700, 700])
      }
      return (count * 1000) / (performance.now() - started)
    })
  yield* measure(true, 200_000)
  return { decisions: yield* measure(false, 1_000_000), withSettlement: yield* measure(true, 500_000) }
}).pipe(Effect.provide(LimitStore.layerMemory))

const perSecond = (url: string, concurrency: number, seconds: number) =>
  Effect.gen(function* () {
    const store = yield* LimitStore.LimitStore
    const charges = Array.from({ length: 16 }, (_, tenant) => wide(tenant))
    const loop = (until: number) =>
      Effect.gen(function* () {
        let done = 0
        while (performance.now() < until) {
          yield* store.reserve(charges[done & 15]!)
          done++
        }
        return done
      })
    const all = (milliseconds: number) =>
      Effect.forEach(Array.from({ length: concurrency }), () => loop(performance.now() + milliseconds), {
        concurrency: "unbounded"
      })
    yield* all(500)
    const started = performance.now()
    const done = yield* all(seconds * 1000)
    return (done.reduce((sum, each) => sum + each, 0) * 1000) / (performance.now() - started)
  }).pipe(
    Effect.provide(
      RedisLimitStore.layer({ name: `bench-${process.pid}` }).pipe(Layer.provide(Connection.layer({ url })))
    )
  )

/** One of the processes: says it is ready, waits for a line that names the round, takes, and says how many it got. */
const worker = (url: string) =>
  Effect.gen(function* () {
    const connection = yield* Connection.RedisConnection
    const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
    console.log("ready")
    while (true) {
      const line = yield* Effect.promise(() => lines.next())
      if (line.done === true) return
      const got = yield* Effect.gen(function* () {
        const store = yield* LimitStore.LimitStore
        const charges = [
          LimitStore.rate({ key: "requests", amount: 1, limit, perMillis: day }),
          LimitStore.period({ key: "money", amount: 1, limit: 2 * limit, boundaries: [0, 1, 1e15, 2e15] }),
          LimitStore.rate({ key: "tokens", amount: 10, limit: 20 * limit, perMillis: day })
        ]
        const decisions = yield* Effect.forEach(
          Array.from({ length: takersEach }),
          (_, index) =>
            Effect.gen(function* () {
              const decision = yield* store.reserve(charges)
              // In every other round, each tenth taker finds that it needed nothing, and gives it back.
              if (decision._tag === "Refused" || index % 10 !== 0 || even(line.value))
                return decision._tag === "Allowed" ? 1 : 0
              yield* store.settle(decision.reservation, [0, 0, 0])
              return 0
            }),
          { concurrency: "unbounded" }
        )
        return decisions.reduce<number>((sum, each) => sum + each, 0)
      }).pipe(
        Effect.provide(RedisLimitStore.layer({ name: line.value })),
        Effect.provideService(Connection.RedisConnection, connection)
      )
      console.log(got)
    }
  }).pipe(Effect.provide(Connection.layer({ url })))

const overLimit = (url: string, rounds: number) =>
  Effect.promise(async () => {
    const workers = Array.from({ length: processes }, () => {
      const child = spawn(process.execPath, [`${import.meta.dirname}/main.ts`, "limits", "--worker", url], {
        stdio: ["pipe", "pipe", "inherit"]
      })
      return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
    })
    await Promise.all(workers.map(({ lines }) => lines.next()))
    const taken: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      for (const { child } of workers) child.stdin.write(`round-${process.pid}-${round}\n`)
      const got = await Promise.all(workers.map(async ({ lines }) => Number((await lines.next()).value)))
      taken.push(got.reduce((sum, each) => sum + each, 0))
    }
    await Promise.all(
      workers.map(({ child }) => {
        child.stdin.end()
        return once(child, "exit")
      })
    )
    return taken
  })

/** Runs the benchmark. */
export const run = async (argv: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seconds: { type: "string", default: "3" },
      rounds: { type: "string", default: "5" },
      worker: { type: "string" }
    }
  })
  if (values.worker !== undefined) return Effect.runPromise(worker(values.worker))
  const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)]
  if (!(seconds > 0) || !(rounds >= 1)) {
    console.error("--seconds must be above 0 and --rounds at least 1")
    process.exit(2)
  }
  await Effect.runPromise(
    Effect.gen(function* () {
      const inMemory = yield* memory
      const url = yield* Server.url
      const [one, some] = [yield* perSecond(url, 1, Math.min(1, seconds)), yield* perSecond(url, 64, seconds)]
      const taken = yield* overLimit(url, rounds)
      const over = Math.max(0, ...taken.map((each) => each - limit))
      const figure = (value: number) => Math.round(value).toLocaleString("en").padStart(10)
      console.log("decisions over three limits, per second")
      console.log(`  memory                    ${figure(inMemory.decisions)}`)
      console.log(`  memory, with settlement   ${figure(inMemory.withSettlement)}`)
      console.log(`  Redis, 1 at a time        ${figure(one)}`)
      console.log(`  Redis, 64 at a time       ${figure(some)}`)
      console.log(
        `${processes} processes × ${takersEach} takers, limit ${limit}: taken ${taken.join(", ")}; over the limit: ${over}`
      )
      console.log(
        JSON.stringify({
          overLimit: over,
          redisPerSecond64: Math.round(some),
          memoryPerSecond: Math.round(inMemory.decisions)
        })
      )
    }).pipe(Effect.scoped)
  )
}

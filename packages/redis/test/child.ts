/** One of the processes of `takers.test.ts`: takes as often as it is told, all at once, and prints how often it got. */
import * as Connection from "@interlock/redis/connection"
import * as LimitStore from "@interlock/redis/limitStore"
import * as Store from "@interlock/stages/limit/store"
import { Effect, Layer } from "effect"

const [url = "", name = "", takers = "0", limit = "1"] = process.argv.slice(2)
const day = 86_400_000

const program = Effect.gen(function* () {
  const store = yield* Store.LimitStore
  const charges = [
    Store.rate({ key: "requests", amount: 1, limit: Number(limit), perMillis: day }),
    Store.period({ key: "money", amount: 0.1, limit: Number(limit), boundaries: [0, 1, 1e15, 2e15] }),
    Store.concurrent({ key: "places", limit: 10 * Number(limit) })
  ]
  // Nobody starts before all are there.
  process.stdout.write("ready\n")
  yield* Effect.promise(() => new Promise((resolve) => process.stdin.once("data", resolve)))
  const decisions = yield* Effect.forEach(Array.from({ length: Number(takers) }), () => store.reserve(charges), {
    concurrency: "unbounded"
  })
  process.stdout.write(`${decisions.filter(({ _tag }) => _tag === "Allowed").length}\n`)
}).pipe(Effect.provide(LimitStore.layer({ name }).pipe(Layer.provide(Connection.layer({ url })))))

await Effect.runPromise(program)
process.exit(0)

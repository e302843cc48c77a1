/**
 * What calls do while Redis is killed, paused and restarted: each stage's declared policy, on a real server.
 */
import { describe, expect, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { Caller, Chat, ChosenModel, Parameters, Prompt, RawPrompt, SafePrompt } from "@interlock/model"
import * as Catalogue from "@interlock/model/Catalogue"
import * as Connection from "@interlock/redis/connection"
import * as Stores from "@interlock/redis/stores"
import { type Budget, BudgetError, budget, layer as budgetLayer } from "@interlock/stages/budget"
import { cache } from "@interlock/stages/cache"
import { CacheStore } from "@interlock/stages/cache/store"
import { LimitError, type Limiter, limit, layer as limitLayer } from "@interlock/stages/limit"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { ConfigProvider, Context, Duration, Effect, Layer, Redacted } from "effect"
import * as ScriptedModel from "../../testing/src/ScriptedModel.ts"
import * as Server from "./server.ts"
import { back, killed, resumed, whileTimePasses } from "./waiting.ts"

const facts = (text: string) =>
  Context.mergeAll(
    Caller.context({ tenant: "acme" }),
    ChosenModel.context({ provider: "test", model: "m" }),
    SafePrompt.context(Prompt.make(text) as never),
    Parameters.context({ maxOutputTokens: 10, temperature: 0 })
  )
const catalogue = Catalogue.layerOnly([
  {
    provider: "test",
    model: "m",
    limits: { context: 1000, output: 100 },
    prices: Catalogue.declarePrices({ input: 1, output: 1 })
  }
])
const start = Pipeline.make("policies", {
  input: [Caller, ChosenModel, SafePrompt, Parameters],
  protocol: Chat.protocol
})

const policies = (whenStoreFails: "open" | "closed") =>
  Layer.mergeAll(
    limitLayer({ limits: [{ name: "requests", counts: "requests", limit: 1000, per: "1 day" }], whenStoreFails }),
    budgetLayer({ budgets: [{ name: "day", hard: 1000, per: "calendar day" }], whenStoreFails })
  )

/** A pipeline, a server, and the stores on it that answer within a second or fail. */
interface World {
  readonly server: Server.Server
  readonly call: (which: "limit" | "budget", policy: "open" | "closed") => Effect.Effect<string, unknown>
  readonly cached: (text: string) => Effect.Effect<Chat.Answer, unknown>
  readonly redacted: Effect.Effect<Chat.Answer, unknown>
  readonly calls: () => number
  readonly client: Connection.RedisConnection["Service"]["client"]
}
const on = <A, E>(body: (world: World) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const server = yield* Server.start()
    const stores = yield* Layer.build(
      Stores.layer().pipe(Layer.provideMerge(Connection.layer({ url: server.url, commandTimeout: "1 second" })))
    )
    const built: Record<"open" | "closed", Context.Context<Limiter | Budget>> = {
      open: yield* Effect.provide(Layer.build(policies("open")), stores),
      closed: yield* Effect.provide(Layer.build(policies("closed")), stores)
    }
    const model = yield* ScriptedModel.make([{ text: "ok" }])
    const limited = start.use(limit).to(model.handler)
    const budgeted = start.use(budget).to(model.handler)
    const caching = start.use(cache).to(model.handler)
    const redacting = Pipeline.make("redacting", { input: [RawPrompt, Caller], protocol: Chat.protocol })
      .use(redact)
      .to(model.handler)
    const vault = Vault.layerSealed({ rootKey: Redacted.make(new Uint8Array(32).fill(7)) })
    let count = 0
    return yield* body({
      server,
      calls: model.calls,
      call: (which, policy) => {
        const asked = facts(`call ${count++}`)
        const run: Effect.Effect<Chat.Answer, unknown, Limiter | Budget | Catalogue.Catalogue> =
          which === "limit" ? limited.run(asked) : budgeted.run(asked)
        return run.pipe(
          Effect.map(({ text }) => text),
          Effect.provide(built[policy]),
          Effect.provide(catalogue)
        )
      },
      cached: (text) => caching.run(facts(text)).pipe(Effect.provide(stores), Effect.provide(catalogue)),
      redacted: redacting
        .run(
          Context.mergeAll(
            RawPrompt.context(Prompt.make("Write to jane.doe@example.com")),
            Caller.context({ tenant: "acme", conversation: "c" })
          )
        )
        .pipe(Effect.provide(Layer.merge(vault, Detector.layer)), Effect.provide(stores)),
      client: Context.get(stores, Connection.RedisConnection).client
    })
  }).pipe(Effect.scoped)

const away = (reason: "Timeout" | "Unavailable", world: World) =>
  Effect.gen(function* () {
    const before = world.calls()
    // Together: where Redis does not answer, each of them waits for that.
    const [limited, budgeted, refused, unpaid, , cached] = yield* Effect.all(
      [
        world.call("limit", "open"),
        world.call("budget", "open"),
        Effect.flip(world.call("limit", "closed")),
        Effect.flip(world.call("budget", "closed")),
        // What cannot be restored is not sent.
        Effect.flip(world.redacted),
        // A cache that does not answer is a miss: the model is asked.
        world.cached("kept")
      ],
      { concurrency: "unbounded" }
    )
    expect([limited, budgeted, cached.text]).toEqual(["ok", "ok", "ok"])
    expect(world.calls()).toBe(before + 3)
    expect(refused).toBeInstanceOf(LimitError)
    expect(refused).toMatchObject({ reason: { _tag: "StoreFailed", reason } })
    expect(unpaid).toBeInstanceOf(BudgetError)
    expect(unpaid).toMatchObject({ reason: { _tag: "NotCounted", reason } })
  })

const present = (world: World) =>
  Effect.gen(function* () {
    for (const policy of ["open", "closed"] as const) {
      expect(yield* world.call("limit", policy)).toBe("ok")
      expect(yield* world.call("budget", policy)).toBe("ok")
    }
    expect((yield* world.redacted).text).toBe("ok")
    yield* world.cached("kept")
    const before = world.calls()
    yield* world.cached("kept")
    expect(world.calls()).toBe(before)
  })

describe("policies", () => {
  it.effect("hold while Redis is paused, and calls count again when it goes on", () =>
    on((world) =>
      Effect.gen(function* () {
        yield* present(world)
        yield* world.server.pause
        yield* away("Timeout", world)
        yield* resumed(world.server)
        yield* back(world.client)
        yield* present(world)
      })
    )
  )

  it.effect("hold while Redis is down, and calls count again when it is restarted", () =>
    on((world) =>
      Effect.gen(function* () {
        yield* present(world)
        yield* killed(world.server, world.client)
        yield* away("Unavailable", world)
        yield* world.server.start
        yield* back(world.client)
        yield* present(world)
      })
    )
  )
})

describe("single flight", () => {
  it.effect("makes one call of many equal ones in two processes", () =>
    Effect.gen(function* () {
      const server = yield* Server.start()
      const model = yield* ScriptedModel.make([{ text: "ok", delay: "200 millis" }])
      const processes = yield* Effect.forEach([0, 1], () =>
        Layer.build(Layer.fresh(Stores.layer().pipe(Layer.provide(Connection.layer({ url: server.url })))))
      )
      const caching = start.use(cache).to(model.handler)
      const answers = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => processes[index % 2]!),
        (own) => caching.run(facts("the same question")).pipe(Effect.provide(own), Effect.provide(catalogue)),
        { concurrency: "unbounded" }
      )
      expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(["ok"]))
      expect(model.calls()).toBe(1)
    }).pipe(Effect.scoped, whileTimePasses)
  )
})

describe("Stores.layerFromEnvironment", () => {
  const kept = (environment: Record<string, string>) =>
    Effect.gen(function* () {
      const store = yield* CacheStore
      yield* store.set("environment", "1", { timeToLive: Duration.minutes(1), tags: [], stamp: yield* store.stamp([]) })
      return yield* store.get("environment")
    }).pipe(
      Effect.provide(Stores.layerFromEnvironment()),
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))
    )

  it.effect("is Redis where REDIS_URL is set, and memory where it is not", () =>
    Effect.gen(function* () {
      expect(yield* kept({})).toBe("1")
      expect(yield* kept({ REDIS_URL: "" })).toBe("1")
      expect(yield* Effect.flip(kept({ REDIS_URL: "redis://127.0.0.1:1" }))).toMatchObject({ reason: "Unreachable" })
      const server = yield* Server.start()
      expect(yield* kept({ REDIS_URL: server.url })).toBe("1")
    }).pipe(Effect.scoped)
  )
})

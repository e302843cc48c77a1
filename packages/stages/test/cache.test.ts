import { assert, describe, it } from "@effect/vitest"
import { Pipeline, Reply, Stage } from "@interlock/core"
import {
  Caller,
  Chat,
  ChosenModel,
  Cost,
  Image,
  Journal,
  ModelError,
  Parameters,
  Part,
  type Prompt,
  SafePrompt,
  type SafeText,
  type Settings
} from "@interlock/model"
import { cache, invalidate } from "@interlock/stages/cache"
import { Embedder, layerHashed, layerLocal } from "@interlock/stages/cache/embedder"
import { Lease, layerMemory as layerLeases } from "@interlock/stages/cache/lease"
import { layerPolicy, type Policy } from "@interlock/stages/cache/policy"
import { AnswerJudge, layerEqualText, layer as layerSemantic, SemanticTier } from "@interlock/stages/cache/semantic"
import { CacheStore, CacheStoreError, layerMemory } from "@interlock/stages/cache/store"
import { layerScan, VectorIndex } from "@interlock/stages/cache/vectorIndex"
import { Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Random, Stream } from "effect"
import { TestClock } from "effect/testing"

type Answer = Effect.Effect<Reply.Reply<Part.Part, ModelError.ModelError>, ModelError.ModelError>

class Model extends Context.Service<
  Model,
  { readonly answer: (text: string) => Answer; calls: number; open: number }
>()("test/Model") {}

const callModel = Pipeline.handler("callModel", { needs: { prompt: SafePrompt } }, ({ prompt }) =>
  Effect.gen(function* () {
    const model = yield* Model
    model.calls++
    model.open++
    yield* Effect.addFinalizer(() => Effect.sync(() => model.open--))
    yield* Journal.record({
      _tag: "Attempt",
      provider: "p",
      model: "m",
      startedAt: 0,
      endedAt: 0,
      outcome: "answered",
      costUsd: 0.25
    })
    return yield* model.answer(JSON.stringify(prompt))
  })
)

const pipeline = Pipeline.make("test", {
  input: [SafePrompt, Caller, ChosenModel, Parameters],
  protocol: Chat.protocol
})
  .use(cache)
  .to(callModel)

interface Ask {
  readonly text?: string
  readonly system?: string
  readonly tenant?: string
  readonly subject?: string
  readonly model?: string
  readonly parameters?: Settings
  /** An image in base64 beside the text. */
  readonly file?: string
}

/** Only a test may make `SafeText` so. */
const safe = (prompt: Prompt.Prompt): Prompt.Prompt<SafeText> => JSON.parse(JSON.stringify(prompt))

const facts = ({ file, model = "m", parameters = {}, subject, system, tenant = "acme", text = "hello" }: Ask) =>
  SafePrompt.context(
    safe({
      content: [
        ...(system === undefined ? [] : [{ role: "system", content: system } as const]),
        {
          role: "user",
          content:
            file === undefined
              ? text
              : [
                  { type: "text", text },
                  { type: "file", mediaType: "image/png", data: file }
                ]
        }
      ]
    })
  ).pipe(
    Context.add(Caller, { tenant, ...(subject === undefined ? {} : { subject }) }),
    Context.add(ChosenModel, { provider: "p", model }),
    Context.add(Parameters, parameters)
  )

const run = (ask: Ask = {}) => pipeline.run(facts(ask))
const stream = (ask: Ask = {}) => pipeline.stream(facts(ask))
const calls = Effect.map(Model, (model) => model.calls)
const outcome = (answer: Chat.Answer) => (answer.metadata["cache"] as { readonly outcome: string } | undefined)?.outcome

const model = (answer: (text: string) => Answer) => Layer.sync(Model, () => ({ answer, calls: 0, open: 0 }))
const says = (text = "fine") => model(() => Effect.succeed(Reply.whole(Part.text(text))))
const deltas: ReadonlyArray<Part.Part> = [
  { type: "text-start", id: "0" },
  { type: "text-delta", id: "0", delta: "fi" },
  { type: "text-delta", id: "0", delta: "ne" },
  { type: "text-end", id: "0" },
  Part.finish("stop")
]
const streams = model(() => Effect.succeed(Reply.live(Stream.rechunk(Stream.fromIterable(deltas), 1))))

const test = <E, E2>(
  name: string,
  layers: Layer.Layer<Model, E>,
  effect: Effect.Effect<void, E2, Model | CacheStore>,
  policy: Partial<Policy> = {}
) => it.effect(name, () => Effect.provide(effect, [layers, layerMemory(), layerPolicy({ jitter: 0, ...policy })]))

/** What a call costs that no provider was asked for. */
const free: Cost.Amount = {
  _tag: "Amount",
  provider: "p",
  model: "m",
  usd: 0,
  inputUsd: 0,
  outputUsd: 0,
  imagesUsd: 0,
  basis: "unbilled"
}
const paid: Cost.Amount = { ...free, usd: 0.2, inputUsd: 0.05, outputUsd: 0.15, basis: "reported" }

const broken = new ModelError.ModelError({
  provider: "p",
  model: "m",
  reason: new ModelError.Network(),
  message: "the connection was lost"
})

describe("cache", () => {
  test(
    "answers an equal call from the store, with its age, at no cost, and with what it saved",
    says(),
    Effect.gen(function* () {
      const journal = Journal.make()
      const first = yield* run()
      yield* TestClock.adjust("5 seconds")
      const second = yield* Effect.provideService(run(), Journal.Journal, journal)
      assert.strictEqual(yield* calls, 1)
      assert.strictEqual(outcome(first), undefined)
      assert.strictEqual(second.text, "fine")
      assert.deepStrictEqual(second.metadata, {
        cost: free,
        costUsd: 0,
        savedUsd: 0.25,
        cache: { outcome: "exact", ageMs: 5_000 }
      })
      assert.deepStrictEqual(journal.events(), [{ _tag: "Cache", outcome: "exact", ageMs: 5_000, savedUsd: 0.25 }])
    })
  )

  for (const way of ["whole", "live"] as const) {
    test(
      `a hit of a ${way} reply costs nothing, and says beside that what the first call cost`,
      model(() => {
        const finish = Part.annotate(Cost.annotate(Part.finish("stop"), paid), { totalCost: Cost.total([paid, paid]) })
        const parts = [...deltas.slice(0, -1), finish]
        return Effect.succeed(
          way === "live"
            ? Reply.live(Stream.fromIterable(parts))
            : Reply.whole([...Part.text("fine").slice(0, -1), finish])
        )
      }),
      Effect.gen(function* () {
        const first = yield* run()
        assert.deepStrictEqual(first.metadata["cost"], { ...paid })
        for (let hit = 0; hit < 2; hit++) {
          const { metadata } = yield* run()
          assert.deepStrictEqual(metadata["cost"], { ...free })
          assert.deepStrictEqual(metadata["savedCost"], { ...paid })
          assert.deepStrictEqual(metadata["totalCost"], { ...Cost.nothing })
          assert.strictEqual(metadata["costUsd"], 0)
          assert.strictEqual(metadata["savedUsd"], 0.25)
        }
      })
    )
  }

  const differing: ReadonlyArray<readonly [string, Ask, Ask]> = [
    ["tenant", { tenant: "a" }, { tenant: "b" }],
    ["model", { model: "a" }, { model: "b" }],
    ["system text", { system: "a" }, { system: "b" }],
    ["user text", { text: "a" }, { text: "b" }],
    ["parameters", { parameters: { maxOutputTokens: 1 } }, { parameters: { maxOutputTokens: 2 } }],
    ["seed", { parameters: { seed: 1 } }, { parameters: { seed: 2 } }],
    ["topP", { parameters: { topP: 0.5 } }, { parameters: { topP: 0.9 } }],
    ["tool choice", { parameters: { toolChoice: "auto" } }, { parameters: { toolChoice: "none" } }],
    [
      "provider option",
      { parameters: { providerOptions: { ollama: { num_ctx: 2_048 } } } },
      { parameters: { providerOptions: { ollama: { num_ctx: 8_192 } } } }
    ],
    ["image", { file: "aGVsbG8=" }, { file: "aGVsbG8h" }],
    ["tools", { parameters: { tools: [{ name: "a", parameters: {} }] } }, { parameters: { tools: [] } }],
    [
      "response format",
      { parameters: { responseFormat: { type: "json" } } },
      { parameters: { responseFormat: { type: "text" } } }
    ]
  ]
  for (const [what, one, other] of differing) {
    test(
      `never answers across a different ${what}`,
      says(),
      Effect.gen(function* () {
        yield* run(one)
        yield* run(other)
        assert.strictEqual(yield* calls, 2)
        yield* run(one)
        yield* run(other)
        assert.strictEqual(yield* calls, 2)
      })
    )
  }

  test(
    "keeps subjects apart where the policy says so",
    says(),
    Effect.gen(function* () {
      yield* run({ subject: "ann" })
      yield* run({ subject: "bob" })
      yield* run({})
      assert.strictEqual(yield* calls, 3)
    }),
    { perSubject: true }
  )

  let epoch = "1"
  test(
    "forgets everything when the epoch is bumped",
    says(),
    Effect.gen(function* () {
      yield* run()
      epoch = "2"
      yield* run()
      assert.strictEqual(yield* calls, 2)
    }),
    { epoch: Effect.sync(() => epoch) }
  )

  test(
    "invalidates by tag and by tenant",
    says(),
    Effect.gen(function* () {
      yield* run({ text: "a" })
      yield* run({ text: "a", tenant: "other" })
      yield* invalidate({ tenant: "acme" })
      yield* run({ text: "a" })
      yield* run({ text: "a", tenant: "other" })
      assert.strictEqual(yield* calls, 3)
      yield* invalidate({ tag: "prices" })
      yield* run({ text: "a" })
      yield* run({ text: "a", tenant: "other" })
      assert.strictEqual(yield* calls, 5)
    }),
    { tags: ["prices"] }
  )

  test(
    "forgets at the end of the time to live, which is per call",
    says(),
    Effect.gen(function* () {
      yield* run()
      yield* TestClock.adjust("59 seconds")
      yield* run()
      assert.strictEqual(yield* calls, 1)
      yield* TestClock.adjust("1 second")
      yield* run()
      assert.strictEqual(yield* calls, 2)
      yield* run({ tenant: "never" })
      yield* run({ tenant: "never" })
      assert.strictEqual(yield* calls, 4)
    }),
    { timeToLive: ({ caller }) => (caller.tenant === "never" ? 0 : "1 minute") }
  )

  test(
    "serves a stale answer while it fetches a new one",
    says(),
    Effect.gen(function* () {
      yield* run()
      yield* TestClock.adjust("90 seconds")
      assert.strictEqual(outcome(yield* run()), "stale")
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      assert.strictEqual(yield* calls, 2)
      assert.strictEqual(outcome(yield* run()), "exact")
    }),
    { timeToLive: "1 minute", staleFor: "1 minute" }
  )

  let up = true
  for (const [what, errors] of [
    ["fails", {}],
    ["fails with an error that is remembered", { Network: "1 minute" }]
  ] as const) {
    test(
      `goes on serving a stale answer whose renewal ${what}`,
      model(() => (up ? Effect.succeed(Reply.whole(Part.text("fine"))) : Effect.fail(broken))),
      Effect.gen(function* () {
        up = true
        yield* run()
        yield* TestClock.adjust("90 seconds")
        up = false
        for (let time = 0; time < 3; time++) {
          assert.strictEqual(outcome(yield* run()), "stale")
          for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
        }
        assert.strictEqual(yield* calls, 4)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* Effect.flip(run()), broken)
      }),
      { timeToLive: "1 minute", staleFor: "1 minute", errors }
    )
  }

  test(
    "keeps an answer for as long as ever where it never ends",
    says(),
    Effect.gen(function* () {
      yield* run()
      yield* TestClock.adjust("1000 days")
      assert.strictEqual(outcome(yield* run()), "exact")
      assert.strictEqual(yield* calls, 1)
    }),
    { timeToLive: Duration.infinity, staleFor: Duration.infinity }
  )

  test(
    "does not tell one caller where another stood with limits and budgets",
    model(() => {
      const said = { limits: [{ name: "requests" }], budgets: [{ name: "day" }], clamped: ["temperature"] }
      return Effect.succeed(Reply.whole([...Part.text("fine").slice(0, -1), Part.annotate(Part.finish("stop"), said)]))
    }),
    Effect.gen(function* () {
      assert.hasAllKeys((yield* run()).metadata, ["limits", "budgets", "clamped"])
      const hit = (yield* run()).metadata
      assert.deepStrictEqual(hit["clamped"], ["temperature"])
      assert.doesNotHaveAnyKeys(hit, ["limits", "budgets"])
    })
  )

  test(
    "writes one event per call into the journal, also where it fails",
    model(() => Effect.fail(broken)),
    Effect.gen(function* () {
      const journal = Journal.make()
      yield* Effect.flip(Effect.provideService(run(), Journal.Journal, journal))
      assert.deepStrictEqual(
        journal.events().filter(({ _tag }) => _tag === "Cache"),
        [{ _tag: "Cache", outcome: "miss" }]
      )
    })
  )

  test(
    "bypasses sampled calls, and those the policy names",
    says(),
    Effect.gen(function* () {
      yield* run({ parameters: { temperature: 0.7 } })
      yield* run({ parameters: { temperature: 0.7 } })
      assert.strictEqual(yield* calls, 2)
      yield* run({ parameters: { temperature: 0 } })
      yield* run({ parameters: { temperature: 0 } })
      assert.strictEqual(yield* calls, 3)
      yield* run({ tenant: "private" })
      yield* run({ tenant: "private" })
      assert.strictEqual(yield* calls, 5)
    }),
    { bypass: ({ caller }) => caller.tenant === "private" }
  )

  const unfinished: ReadonlyArray<readonly [string, ReadonlyArray<Part.Part>]> = [
    ["a length stop", [{ type: "text", text: "cut" }, Part.finish("length")]],
    ["a content filter", [{ type: "text", text: "" }, Part.finish("content-filter")]],
    ["a reply without a finish", [{ type: "text", text: "lost" }]]
  ]
  for (const [what, parts] of unfinished) {
    test(
      `stores nothing after ${what}`,
      model(() => Effect.succeed(Reply.whole(parts))),
      Effect.gen(function* () {
        yield* run()
        yield* run()
        assert.strictEqual(yield* calls, 2)
      })
    )
  }

  test(
    "replays a live reply as a live reply, part by part as it came",
    streams,
    Effect.gen(function* () {
      const first = yield* Stream.runCollect(stream())
      const second = yield* Stream.runCollect(stream())
      assert.strictEqual(yield* calls, 1)
      assert.deepStrictEqual(first, deltas)
      assert.deepStrictEqual(second.slice(0, -1), deltas.slice(0, -1))
      assert.strictEqual(outcome(yield* run()), "exact")
    })
  )

  test(
    "stores nothing when the caller leaves within a live reply, and releases the call",
    model(() => Effect.succeed(Reply.live(Stream.concat(Stream.fromIterable(deltas.slice(0, 2)), Stream.never)))),
    Effect.gen(function* () {
      yield* Stream.runHead(stream())
      assert.strictEqual((yield* Model).open, 0)
      yield* Stream.runHead(stream())
      assert.strictEqual(yield* calls, 2)
    })
  )

  test(
    "passes on a failure within a live reply and stores nothing",
    model(() =>
      Effect.succeed(Reply.live(Stream.concat(Stream.fromIterable(deltas.slice(0, 2)), Stream.fail(broken))))
    ),
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Stream.runCollect(stream()))
      assert.deepStrictEqual(exit, Exit.fail(broken))
      yield* Effect.exit(run())
      assert.strictEqual(yield* calls, 2)
    })
  )

  const refused = new ModelError.ModelError({
    provider: "p",
    model: "m",
    reason: new ModelError.ContentFiltered(),
    message: "p refused the prompt"
  })
  test(
    "remembers stated errors for their time, and no others",
    model((text) => Effect.fail(text.includes("bad") ? refused : broken)),
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Effect.flip(run({ text: "bad" })), refused)
      assert.deepStrictEqual(yield* Effect.flip(run({ text: "bad" })), refused)
      assert.strictEqual(yield* calls, 1)
      yield* TestClock.adjust("1 minute")
      yield* Effect.flip(run({ text: "bad" }))
      assert.strictEqual(yield* calls, 2)
      yield* Effect.flip(run({ text: "other" }))
      yield* Effect.flip(run({ text: "other" }))
      assert.strictEqual(yield* calls, 4)
    }),
    { errors: { ContentFiltered: "1 minute" } }
  )
})

/** Lets every fiber run until it waits. */
const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
})

describe("single flight", () => {
  const gated = Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const layer = model(() => Effect.as(Deferred.await(gate), Reply.whole(Part.text("fine"))))
    return {
      gate,
      provide: <A, E>(effect: Effect.Effect<A, E, Model | CacheStore>) => Effect.provide(effect, [layer, layerMemory()])
    }
  })

  it.effect("makes one call of 1,000 equal ones", () =>
    Effect.gen(function* () {
      const { gate, provide } = yield* gated
      yield* provide(
        Effect.gen(function* () {
          const fibers = yield* Effect.forEach(Array.from({ length: 1_000 }), () => Effect.forkChild(run()))
          yield* settle
          yield* Deferred.succeed(gate, undefined)
          const answers = yield* Effect.forEach(fibers, Fiber.join)
          assert.strictEqual(yield* calls, 1)
          assert.isTrue(answers.every((answer) => answer.text === "fine"))
          const shared = answers.filter((answer) => outcome(answer) === "coalesced")
          assert.strictEqual(shared.length, 999)
          assert.deepStrictEqual(shared[0]!.metadata, { cost: free, costUsd: 0, cache: { outcome: "coalesced" } })
        })
      )
    })
  )

  it.effect("goes on when the caller that began it leaves, and ends when the last one does", () =>
    Effect.gen(function* () {
      const { gate, provide } = yield* gated
      yield* provide(
        Effect.gen(function* () {
          const [first, second] = [yield* Effect.forkChild(run()), yield* Effect.forkChild(run())]
          yield* settle
          yield* Fiber.interrupt(first)
          assert.strictEqual((yield* Model).open, 1)
          yield* Deferred.succeed(gate, undefined)
          assert.strictEqual((yield* Fiber.join(second)).text, "fine")
          assert.strictEqual(yield* calls, 1)
        })
      )
      const other = yield* gated
      yield* other.provide(
        Effect.gen(function* () {
          const fibers = [yield* Effect.forkChild(run()), yield* Effect.forkChild(run())]
          yield* settle
          for (const fiber of fibers) yield* Fiber.interrupt(fiber)
          assert.strictEqual((yield* Model).open, 0)
          yield* Deferred.succeed(other.gate, undefined)
          yield* run()
          assert.strictEqual(yield* calls, 2)
        })
      )
    })
  )

  it.effect("lets no caller answer for what another is refused", () =>
    Effect.gen(function* () {
      const { gate, provide } = yield* gated
      const refusal = Stage.around(
        "refuseAnn",
        { needs: { caller: Caller } },
        Effect.fnUntraced(function* ({ caller }, next) {
          yield* Effect.yieldNow
          if (caller.subject === "ann") return yield* Effect.fail({ _tag: "Refused" } as const)
          return yield* next()
        })
      )
      const refusing = Pipeline.make("test", {
        input: [SafePrompt, Caller, ChosenModel, Parameters],
        protocol: Chat.protocol
      })
        .use(cache)
        .use(refusal)
        .to(callModel)
      yield* provide(
        Effect.gen(function* () {
          const fibers = yield* Effect.forEach(["ann", "ann", "ann", "bob", "carl", "dora"], (subject) =>
            Effect.forkChild(Effect.exit(refusing.run(facts({ subject }))))
          )
          yield* settle
          yield* Deferred.succeed(gate, undefined)
          const exits = yield* Effect.forEach(fibers, Fiber.join)
          assert.deepStrictEqual(exits.map(Exit.isSuccess), [false, false, false, true, true, true])
          assert.isAtMost(yield* calls, 3)
        })
      )
    })
  )

  it.effect("gives a late caller of a live reply all of it", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const parts = Stream.concat(
        Stream.fromIterable(deltas.slice(0, 2)),
        Stream.unwrap(Effect.as(Deferred.await(gate), Stream.fromIterable(deltas.slice(2))))
      )
      yield* Effect.gen(function* () {
        const first = yield* Effect.forkChild(Stream.runCollect(stream()))
        yield* settle
        const second = yield* Effect.forkChild(Stream.runCollect(stream()))
        yield* settle
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual(yield* Fiber.join(first), deltas)
        const late = yield* Fiber.join(second)
        assert.deepStrictEqual(late.slice(0, -1), deltas.slice(0, -1))
        assert.strictEqual(yield* calls, 1)
      }).pipe(Effect.provide([model(() => Effect.succeed(Reply.live(parts))), layerMemory()]))
    })
  )

  it.effect("waits for another process that has the lease, and uses what it stored", () =>
    Effect.gen(function* () {
      const key = yield* Deferred.make<string>()
      const lease = yield* Lease
      const watched = Layer.succeed(Lease, {
        ...lease,
        acquire: (name, options) => Effect.andThen(Deferred.succeed(key, name), lease.acquire(name, options))
      })
      yield* Effect.gen(function* () {
        // Another process makes the call: the lease under the call's key is held.
        yield* run({ tenant: "probe" })
        const name = yield* Deferred.await(key)
        assert.match(name, /^c1:[\w-]{43}$/u)
        assert.isDefined(yield* lease.acquire(name, { timeToLive: Duration.seconds(10) }))
        yield* CacheStore.use((store) => store.remove(name))
        const waiting = yield* Effect.forkChild(run({ tenant: "probe" }))
        yield* settle
        assert.strictEqual(yield* calls, 1)
        // It dies without an answer: its lease runs out and the call is made here.
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Fiber.join(waiting)).text, "fine")
        assert.strictEqual(yield* calls, 2)
      }).pipe(Effect.provide([says(), layerMemory(), watched]))
    }).pipe(Effect.provide(layerLeases))
  )
})

describe("processes that wait for one that makes the same call", () => {
  const name = Effect.gen(function* () {
    const key = yield* Deferred.make<string>()
    const lease = yield* Lease
    const watched = Layer.succeed(Lease, {
      ...lease,
      acquire: (name, options) => Effect.andThen(Deferred.succeed(key, name), lease.acquire(name, options))
    })
    yield* Effect.provide(run(), [says(), layerMemory(), watched])
    return yield* Deferred.await(key)
  })
  /** A process of its own has its own flights: here, its own store in front of the one that all share. */
  const processes = (count: number, ask: Ask = {}) =>
    Effect.gen(function* () {
      const store = yield* CacheStore
      return yield* Effect.forEach(Array.from({ length: count }), () =>
        Effect.forkChild(Effect.provideService(run(ask), CacheStore, { ...store }))
      )
    })
  const late = (duration: Duration.Input, reply: Answer = Effect.succeed(Reply.whole(Part.text("fine")))) =>
    model(() => Effect.andThen(Effect.sleep(duration), reply))

  /** A second at a time, so that leases are extended in between. */
  const pass = (seconds: number) =>
    Effect.repeat(Effect.andThen(TestClock.adjust("1 second"), settle), { times: seconds - 1 })

  it.effect("one of them takes over from a holder that died, and the others take its answer", () =>
    Effect.gen(function* () {
      const key = yield* name
      assert.isDefined(yield* Lease.use((lease) => lease.acquire(key, { timeToLive: Duration.seconds(15) })))
      const waiting = yield* processes(20)
      yield* pass(14)
      assert.strictEqual(yield* calls, 0)
      // It holds the lease as long as its call takes, which is longer than the lease is held for.
      yield* pass(1)
      yield* pass(21)
      for (const fiber of waiting) assert.strictEqual((yield* Fiber.join(fiber)).text, "fine")
      assert.strictEqual(yield* calls, 1)
    }).pipe(Effect.provide([late("20 seconds"), layerMemory(), layerLeases]))
  )

  it.effect("make the call where a holder that lives is slower than they wait", () =>
    Effect.gen(function* () {
      const waiting = yield* processes(3)
      yield* pass(29)
      assert.strictEqual(yield* calls, 1)
      yield* pass(1)
      assert.strictEqual(yield* calls, 3)
      yield* pass(60)
      for (const fiber of waiting) assert.strictEqual((yield* Fiber.join(fiber)).text, "fine")
    }).pipe(Effect.provide([late("50 seconds"), layerMemory(), layerLeases]))
  )

  it.effect("do not queue up one behind the other where there is nothing to store", () =>
    Effect.gen(function* () {
      const waiting = yield* processes(20)
      yield* pass(60)
      for (const fiber of waiting) assert.strictEqual((yield* Fiber.join(fiber)).finishReason, "length")
      assert.strictEqual(yield* calls, 20)
    }).pipe(
      Effect.provide([
        late(
          "10 seconds",
          Effect.succeed(Reply.whole<Part.Part>([{ type: "text", text: "fi" }, Part.finish("length")]))
        ),
        layerMemory(),
        layerLeases
      ])
    )
  )
})

describe("protocols", () => {
  it.effect("that share a store share no answers", () =>
    Effect.gen(function* () {
      const drawing = Pipeline.make("draw", {
        input: [SafePrompt, Caller, ChosenModel, Parameters],
        protocol: Image.protocol
      })
        .use(cache)
        .to(callModel)
      const nested = Pipeline.make("nested", {
        input: [SafePrompt, Caller, ChosenModel, Parameters],
        protocol: Image.protocol
      }).to(pipeline)
      yield* run()
      assert.strictEqual((yield* drawing.run(facts({}))).metadata["cache"], undefined)
      assert.strictEqual(yield* calls, 2)
      assert.strictEqual((yield* drawing.run(facts({}))).text, "fine")
      // A conversation within an image pipeline is a conversation.
      assert.strictEqual((yield* nested.run(facts({}))).text, "fine")
      assert.strictEqual(outcome(yield* run()), "exact")
      assert.strictEqual(yield* calls, 2)
    }).pipe(Effect.provide([says(), layerMemory()]))
  )
})

describe("a store in trouble", () => {
  const failing = Layer.succeed(CacheStore, {
    get: () => Effect.fail(new CacheStoreError({ operation: "get", message: "down" })),
    stamp: () => Effect.fail(new CacheStoreError({ operation: "stamp", message: "down" })),
    set: () => Effect.fail(new CacheStoreError({ operation: "set", message: "down" })),
    remove: () => Effect.fail(new CacheStoreError({ operation: "remove", message: "down" })),
    invalidate: () => Effect.fail(new CacheStoreError({ operation: "invalidate", message: "down" }))
  })

  it.effect("costs a miss, never a call, and is asked once", () =>
    Effect.gen(function* () {
      let asked = 0
      const slow = Layer.succeed(CacheStore, {
        get: () =>
          Effect.andThen(
            Effect.sync(() => asked++),
            Effect.fail(new CacheStoreError({ operation: "get", message: "slow" }))
          ),
        stamp: () => Effect.die("asked again"),
        set: () => Effect.die("asked again"),
        remove: () => Effect.die("asked again"),
        invalidate: () => Effect.die("asked again")
      })
      const leases = Layer.succeed(Lease, {
        acquire: () => Effect.die("asked for a lease"),
        extend: () => Effect.die("asked for a lease"),
        release: () => Effect.die("asked for a lease"),
        awaitRelease: () => Effect.die("asked for a lease")
      })
      assert.strictEqual((yield* Effect.provide(run(), [slow, leases])).text, "fine")
      assert.strictEqual(asked, 1)
      const journal = Journal.make()
      const answer = yield* Effect.provideService(run(), Journal.Journal, journal)
      assert.strictEqual(answer.text, "fine")
      assert.deepInclude(journal.events(), { _tag: "Cache", outcome: "failed" })
    }).pipe(Effect.provide([says(), failing]))
  )

  for (const [what, spoil] of [
    ["cut short", (text: string) => text.slice(0, -5)],
    ["altered", (text: string) => text.replace("fine", "evil")],
    ["something else", () => "{}"],
    ["that of another key", (_: string, other: string) => other],
    ["empty", () => ""]
  ] as const) {
    it.effect(`takes an entry that is ${what} for a miss and removes it`, () =>
      Effect.gen(function* () {
        const inner = yield* CacheStore
        const removed: Array<string> = []
        let spoiled = false
        let other = ""
        const spoiling = Layer.succeed(CacheStore, {
          ...inner,
          get: (key) =>
            Effect.gen(function* () {
              const text = yield* inner.get(key)
              return spoiled && text !== undefined ? spoil(text, other) : text
            }),
          set: (key, value, options) =>
            Effect.suspend(() => {
              if (value.includes("for another")) other = value
              return inner.set(key, value, options)
            }),
          remove: (key) =>
            Effect.andThen(
              Effect.sync(() => removed.push(key)),
              inner.remove(key)
            )
        })
        const answers = model((text) =>
          Effect.succeed(Reply.whole(Part.text(text.includes("secret") ? "for another" : "fine")))
        )
        yield* Effect.gen(function* () {
          yield* run({ tenant: "other", text: "secret" })
          yield* run()
          spoiled = true
          assert.strictEqual((yield* run()).text, "fine")
          assert.strictEqual(yield* calls, 3)
          assert.strictEqual(removed.length, 1)
          spoiled = false
          assert.strictEqual(outcome(yield* run()), "exact")
        }).pipe(Effect.provide([answers, spoiling]))
      }).pipe(Effect.provide(layerMemory()))
    )
  }
})

describe("the semantic tier", () => {
  const colours = ["red", "green", "blue", "grey"]
  const ask = (index: number) => `what is the colour of the ${colours[index % 4]} thing number ${index}`
  const byColour = model((text) =>
    Effect.succeed(Reply.whole(Part.text(colours.find((colour) => text.includes(colour)) ?? "none")))
  )
  const tier = layerSemantic({ alpha: 0.05 }).pipe(Layer.provide([layerLocal, layerScan()]))

  it.effect("serves only when judged traffic has earned it, and never across partitions or in conversations", () =>
    Effect.gen(function* () {
      for (let index = 0; index < 600; index++) yield* run({ text: ask(index) })
      const certificate = yield* SemanticTier.use((semantic) => semantic.certificate("acme/p/m"))
      assert.isDefined(certificate.threshold)
      assert.isBelow(certificate.bound, 0.05)
      let [served, wrong] = [0, 0]
      for (let index = 600; index < 800; index++) {
        const answer = yield* run({ text: ask(index) })
        if (outcome(answer) !== "semantic") continue
        served++
        if (answer.text !== colours[index % 4]) wrong++
      }
      assert.isAbove(served, 50)
      assert.isAtMost(wrong, 0.05 * served)
      const before = yield* calls
      for (let index = 800; index < 820; index++) {
        assert.strictEqual(outcome(yield* run({ text: ask(index), tenant: "other" })), undefined)
        assert.strictEqual(
          outcome(yield* run({ text: ask(index), system: `Answer in the style of ${index}.` })),
          undefined
        )
        assert.strictEqual(
          outcome(yield* run({ text: ask(index), parameters: { tools: [{ name: "paint", parameters: {} }] } })),
          undefined
        )
      }
      assert.strictEqual(yield* calls, before + 60)
    }).pipe(
      Effect.provide([byColour, layerMemory(), tier, layerEqualText, layerPolicy({ jitter: 0 })]),
      Random.withSeed("interlock")
    )
  )

  it.effect("lets a call pass when the embedder or the index hangs", () =>
    Effect.gen(function* () {
      const hanging = Layer.succeed(Embedder, { name: "hangs", dimension: 384, embed: () => Effect.never })
      const stuck = Layer.effect(
        VectorIndex,
        Effect.map(VectorIndex, (index) => ({
          ...index,
          search: () => Effect.never,
          add: () => Effect.never,
          remove: () => Effect.never
        }))
      ).pipe(Layer.provide(layerScan()))
      const cases = [
        { layers: Layer.merge(hanging, layerScan()), seconds: 2 },
        // Asked for neighbours; after that, nothing is remembered there.
        { layers: Layer.merge(layerHashed(), stuck), seconds: 2 }
      ]
      for (const { layers, seconds } of cases) {
        yield* Effect.gen(function* () {
          const answer = yield* Effect.forkChild(run({ text: ask(1) }))
          yield* TestClock.adjust(seconds * 1000 - 1)
          assert.strictEqual(yield* calls, 0)
          yield* TestClock.adjust(1)
          assert.strictEqual((yield* Fiber.join(answer)).text, "green")
          assert.strictEqual(outcome(yield* run({ text: ask(1) })), "exact")
        }).pipe(
          Effect.provide([
            byColour,
            layerMemory(),
            layerSemantic({ alpha: 0.05 }).pipe(Layer.provide(layers)),
            layerEqualText,
            layerPolicy({ jitter: 0 })
          ])
        )
      }
    })
  )

  it.effect("lets an answer pass when the index hangs as it is to remember it", () =>
    Effect.gen(function* () {
      const full = Layer.effect(
        VectorIndex,
        Effect.map(VectorIndex, (index) => ({ ...index, add: () => Effect.never }))
      ).pipe(Layer.provide(layerScan()))
      const hanging = layerSemantic({ alpha: 0.05 }).pipe(Layer.provide(Layer.merge(layerHashed(), full)))
      yield* Effect.gen(function* () {
        const answer = yield* Effect.forkChild(run({ text: ask(1) }))
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(answer.pollUnsafe()?._tag, "Success")
        assert.strictEqual(outcome(yield* run({ text: ask(1) })), "exact")
      }).pipe(Effect.provide([byColour, layerMemory(), hanging, layerEqualText, layerPolicy({ jitter: 0 })]))
    })
  )

  it.effect("leaves a judge that hangs", () =>
    Effect.gen(function* () {
      let [begun, left] = [0, 0]
      const hanging = Layer.succeed(AnswerJudge, {
        same: () =>
          Effect.onInterrupt(
            Effect.suspend(() => {
              begun++
              return Effect.never
            }),
            () => Effect.sync(() => left++)
          )
      })
      yield* Effect.gen(function* () {
        yield* run({ text: ask(0) })
        yield* run({ text: ask(4) })
        yield* TestClock.adjust("9 minutes")
        assert.deepStrictEqual([begun, left], [1, 0])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual([begun, left], [1, 1])
      }).pipe(Effect.provide([byColour, layerMemory(), tier, hanging, layerPolicy({ jitter: 0 })]))
    })
  )

  it.effect("learns that topics come in runs, where they do", () =>
    Effect.gen(function* () {
      const semantic = yield* SemanticTier
      let [served, wrong] = [0, 0]
      const places = ["bar", "barn", "barge", "bard", "barber", "harbour", "garden", "warden", "farm", "army"]
      const asks = ["when does it open", "where is it", "who runs it", "how do I get there", "what does it cost"]
      // A hundred topics of twenty questions each, one after the other, in words that they share.
      for (let index = 0; index < 2_000; index++) {
        const topic = Math.floor(index / 20)
        const answer = `topic ${topic}`
        const name = `${places[topic % 10]} by the ${places[Math.floor(topic / 10)]}`
        const question = { partition: "p", traffic: "t", text: `the ${name}, ${asks[index % 5]}` }
        const decision = yield* semantic.decide(question)
        if (decision._tag === "serve") {
          served++
          if (decision.match.answer !== answer) wrong++
          continue
        }
        if (decision._tag === "shadow") {
          yield* semantic.judged(question, decision.match, answer, decision.match.answer === answer)
        }
        yield* semantic.remember(question, { key: `${index}`, answer, vector: decision.vector })
      }
      assert.isAbove(served, 100)
      assert.isAtMost(wrong, 0.05 * served)
    }).pipe(Effect.provide(tier), Random.withSeed("interlock"))
  )

  it.effect("stays off where look-alikes need different answers", () =>
    Effect.gen(function* () {
      let count = 0
      const distinct = model(() => Effect.sync(() => Reply.whole(Part.text(`answer ${count++}`))))
      yield* Effect.gen(function* () {
        for (let index = 0; index < 300; index++) {
          assert.strictEqual(outcome(yield* run({ text: ask(index) })), undefined)
        }
      }).pipe(Effect.provide([distinct, layerMemory(), tier, layerEqualText]), Random.withSeed("interlock"))
    })
  )
})

describe("bad settings", () => {
  it.effect("are refused when the layer is built, with the cure", () =>
    Effect.gen(function* () {
      const broken = (policy: Partial<Policy>) => Effect.flip(Effect.scoped(Layer.build(layerPolicy(policy))))
      assert.include((yield* broken({ timeToLive: 0 })).message, "it must be above 0")
      assert.include((yield* broken({ jitter: 1 })).message, "use 0.1")
      assert.include((yield* broken({ errors: { Network: 0 } })).message, "leave the reason out")
      const alpha = yield* Effect.flip(
        Effect.scoped(Layer.build(layerSemantic({ alpha: 1.5 }).pipe(Layer.provide([layerHashed(), layerScan()]))))
      )
      assert.include(alpha.message, "alpha is 1.5")
    })
  )
})

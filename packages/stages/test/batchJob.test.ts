import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Part, type Prompt, type SafeText } from "@interlock/model"
import { BatchEndpoint, JobError, layerAnthropic, layerGoogle, layerOpenAi } from "@interlock/stages/batchEndpoint"
import {
  adopt,
  bringHome,
  cancel,
  JobStore,
  layerDirectory,
  layerMemory as layerJobs,
  status,
  submit
} from "@interlock/stages/batchJob"
import { keyOf } from "@interlock/stages/cache"
import { decode } from "@interlock/stages/cache/entry"
import { CachePolicy, type Call } from "@interlock/stages/cache/policy"
import { CacheStore, layerMemory as layerCache } from "@interlock/stages/cache/store"
import { Context, Effect, Fiber, FileSystem, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"

const call = (text: string, provider = "p"): Call => ({
  caller: { tenant: "acme" },
  model: { provider, model: "m" },
  parameters: { temperature: 0, maxOutputTokens: 50 },
  prompt: {
    content: [
      { role: "system", content: "Be brief." as SafeText },
      { role: "user", content: text as SafeText }
    ]
  } satisfies Prompt.Prompt<SafeText>
})
const calls = [call("one"), call("two"), call("bad")]

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let body = ""
  for await (const chunk of request) body += chunk
  return body
}

type Route = (method: string, path: string, body: string, headers: IncomingMessage["headers"]) => unknown

/** A server on a free port of this machine: `undefined` is a 404, text is sent as it is, anything else as JSON. */
const serve = (route: Route) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly url: string; readonly close: () => Promise<void> }>((resolve) => {
          const server = createServer(async (request, response) => {
            const body = await bodyOf(request)
            const answer = route(request.method!, request.url!, body, request.headers)
            response.statusCode = answer === undefined ? 404 : 200
            response.end(typeof answer === "string" ? answer : JSON.stringify(answer ?? {}))
          })
          server.listen(0, "127.0.0.1", () =>
            resolve({
              url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
              close: () =>
                new Promise((closed) => {
                  server.close(() => closed())
                  server.closeAllConnections()
                })
            })
          )
        })
    ),
    ({ close }) => Effect.promise(close)
  )

/** What the three servers have in common: jobs submitted, and whether they are done. */
const provider = () => ({ submitted: [] as Array<any>, done: false, cancelled: false, key: "" })

const openAi = (state: ReturnType<typeof provider>): Route => {
  const files = new Map<string, string>()
  return (method, path, body, headers) => {
    state.key = headers.authorization ?? ""
    if (method === "POST" && path === "/files") {
      const lines = body.split("\n").filter((line) => line.startsWith("{"))
      files.set(`file-${files.size}`, lines.join("\n"))
      return { id: `file-${files.size - 1}` }
    }
    if (method === "POST" && path === "/batches") {
      const { input_file_id: file, ...rest } = JSON.parse(body)
      state.submitted.push({
        ...rest,
        lines: files
          .get(file)!
          .split("\n")
          .map((line) => JSON.parse(line))
      })
      return { id: `batch-${state.submitted.length}` }
    }
    if (path.startsWith("/batches?")) {
      return {
        has_more: false,
        data: state.submitted.map((job, at) => ({ id: `batch-${at + 1}`, metadata: job.metadata }))
      }
    }
    if (path.endsWith("/cancel")) {
      state.cancelled = true
      return {}
    }
    if (path === "/batches/batch-1") {
      return state.done
        ? { status: "completed", output_file_id: "out", error_file_id: "err" }
        : { status: "in_progress" }
    }
    const answer = (id: string, text: string) =>
      JSON.stringify({
        custom_id: id,
        response: {
          status_code: 200,
          body: {
            choices: [{ message: { content: text }, finish_reason: "stop" }],
            usage: { prompt_tokens: 7, completion_tokens: 2 }
          }
        }
      })
    // In another order than asked for.
    if (path === "/files/out/content") return `${answer("1", "TWO")}\n${answer("0", "ONE")}\n`
    if (path === "/files/err/content") {
      return JSON.stringify({ custom_id: "2", error: { code: "batch_expired", message: "not done in a day" } })
    }
    return undefined
  }
}

const anthropic =
  (state: ReturnType<typeof provider>): Route =>
  (method, path, body, headers) => {
    state.key = String(headers["x-api-key"])
    if (method === "POST" && path === "/v1/messages/batches") {
      state.submitted.push(JSON.parse(body))
      return { id: "batch-1", processing_status: "in_progress" }
    }
    if (path === "/v1/messages/batches/batch-1") return { processing_status: state.done ? "ended" : "in_progress" }
    if (path.endsWith("/cancel")) {
      state.cancelled = true
      return {}
    }
    if (path === "/v1/messages/batches/batch-1/results") {
      const answer = (id: string, text: string) =>
        JSON.stringify({
          custom_id: id,
          result: {
            type: "succeeded",
            message: {
              content: [{ type: "text", text }],
              stop_reason: "end_turn",
              usage: { input_tokens: 7, output_tokens: 2 }
            }
          }
        })
      return `${answer("1", "TWO")}\n${answer("0", "ONE")}\n${JSON.stringify({ custom_id: "2", result: { type: "expired" } })}`
    }
    return undefined
  }

const google =
  (state: ReturnType<typeof provider>): Route =>
  (method, path, body, headers) => {
    state.key = String(headers["x-goog-api-key"])
    if (method === "POST" && path === "/models/m:batchGenerateContent") {
      state.submitted.push(JSON.parse(body))
      return { name: "batches/1", metadata: { state: "BATCH_STATE_PENDING" } }
    }
    if (path.startsWith("/batches?")) {
      return {
        operations: state.submitted.map(({ batch }) => ({
          name: "batches/1",
          metadata: { displayName: batch.display_name }
        }))
      }
    }
    if (path === "/batches/1:cancel") {
      state.cancelled = true
      return {}
    }
    if (path === "/batches/1") {
      const answer = (key: string, text: string) => ({
        metadata: { key },
        response: {
          candidates: [{ content: { parts: [{ text }] }, finishReason: "STOP" }],
          usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 2 }
        }
      })
      return state.done
        ? {
            done: true,
            metadata: { state: "BATCH_STATE_SUCCEEDED" },
            response: {
              inlinedResponses: {
                inlinedResponses: [
                  answer("1", "TWO"),
                  answer("0", "ONE"),
                  { metadata: { key: "2" }, error: { message: "no" } }
                ]
              }
            }
          }
        : { metadata: { state: "BATCH_STATE_RUNNING" } }
    }
    return undefined
  }

const providers = [
  ["OpenAI", openAi, layerOpenAi, "Bearer secret"],
  ["Anthropic", anthropic, layerAnthropic, "secret"],
  ["Google", google, layerGoogle, "secret"]
] as const

/** What a process has: a store that outlives it, and its own endpoint. */
const start = Effect.fnUntraced(function* (route: Route, layer: typeof layerOpenAi) {
  const { url } = yield* serve(route)
  const durable = yield* Layer.build(Layer.mergeAll(layerJobs, layerCache()))
  const process = layer({ apiKey: Redacted.make("secret"), baseUrl: url })
  return <A, E>(effect: Effect.Effect<A, E, JobStore | CacheStore | BatchEndpoint>, store?: JobStore["Service"]) =>
    Effect.provide(effect, process).pipe(
      Effect.provideContext(store === undefined ? durable : Context.add(durable, JobStore, store))
    )
})

describe("batch.job", () => {
  for (const [name, route, layer, key] of providers) {
    it.effect(`${name}: submits once, waits, survives a restart, and brings answers home into the cache`, () =>
      Effect.gen(function* () {
        const state = provider()
        const run = yield* start(route(state), layer)
        yield* run(submit("job", calls))
        yield* run(submit("job", calls))
        assert.strictEqual(state.submitted.length, 1)
        assert.strictEqual(state.key, key)
        assert.include(JSON.stringify(state.submitted), "Be brief.")
        assert.strictEqual((yield* run(status("job"))).state, "running")
        // The first process waits and is killed; the next one goes on.
        const killed = yield* Effect.forkChild(run(bringHome("job", { every: "1 hour" })))
        yield* Fiber.interrupt(killed)
        state.done = true
        const results = yield* run(bringHome("job"))
        assert.deepStrictEqual(
          results.map((result) => (result._tag === "Answered" ? result.parts[0] : result._tag)),
          [{ type: "text", text: "ONE" }, { type: "text", text: "TWO" }, "Failed"]
        )
        const policy = yield* CachePolicy
        const stored = yield* run(
          Effect.forEach(calls, (asked) => CacheStore.use((store) => store.get(keyOf(asked, policy, ""))))
        )
        assert.deepStrictEqual(
          stored.map((text, at) => text && decode(keyOf(calls[at]!, policy, ""), text)?.parts[0]),
          [{ type: "text", text: "ONE" }, { type: "text", text: "TWO" }, undefined]
        )
        yield* run(cancel("job"))
        assert.isTrue(state.cancelled)
      })
    )
  }

  /** A store whose process dies right after the provider has the job. */
  const dying = (store: JobStore["Service"]): JobStore["Service"] => ({
    ...store,
    write: () => Effect.fail(new JobError({ reason: "Store", message: "killed" }))
  })

  it.effect("finds a job whose process was killed between submitting it and writing that down", () =>
    Effect.gen(function* () {
      for (const [, route, layer] of [providers[0], providers[2]] as const) {
        const state = provider()
        const run = yield* start(route(state), layer)
        const store = yield* run(JobStore)
        yield* Effect.flip(run(submit("job", calls), dying(store)))
        yield* run(submit("job", calls))
        assert.strictEqual(state.submitted.length, 1)
        assert.strictEqual((yield* run(status("job"))).state, "running")
      }
    })
  )

  it.effect("asks rather than submits twice where the provider cannot tell", () =>
    Effect.gen(function* () {
      const state = provider()
      const run = yield* start(anthropic(state), layerAnthropic)
      const store = yield* run(JobStore)
      yield* Effect.flip(run(submit("job", calls), dying(store)))
      const error = yield* Effect.flip(run(submit("job", calls)))
      assert.strictEqual(error.reason, "Uncertain")
      assert.strictEqual(state.submitted.length, 1)
      yield* run(adopt("job", "batch-1"))
      assert.strictEqual((yield* run(status("job"))).state, "running")
    })
  )

  it.effect("submits again when its process was killed before the job left, after waiting for it to show up", () =>
    Effect.gen(function* () {
      let submitted = 0
      const looked: Array<number> = []
      const endpoint = Layer.succeed(BatchEndpoint, {
        submit: () => Effect.sync(() => `remote-${++submitted}`),
        find: () => Effect.sync(() => void looked.push(submitted)),
        status: () => Effect.succeed({ state: "running", word: "" }),
        cancel: () => Effect.void,
        results: () => Effect.succeed(new Map())
      })
      yield* Effect.gen(function* () {
        yield* JobStore.use((store) => store.create("job", JSON.stringify({ calls, begunAt: 0 })))
        const waiting = yield* Effect.forkChild(submit("job", calls))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(submitted, 0)
        yield* TestClock.adjust("2 minutes")
        yield* Fiber.join(waiting)
        assert.strictEqual(submitted, 1)
        assert.isAbove(looked.length, 1)
      }).pipe(Effect.provide([endpoint, layerJobs]))
    })
  )

  const endpointOf = (submit: BatchEndpoint["Service"]["submit"], find: BatchEndpoint["Service"]["find"]) =>
    Layer.succeed(BatchEndpoint, {
      submit,
      find,
      status: () => Effect.succeed({ state: "running", word: "" }),
      cancel: () => Effect.void,
      results: () => Effect.succeed(new Map())
    })

  for (const [what, record] of [
    ["whose process died", { calls, begunAt: 0 }],
    ["that the provider had refused", { calls, begunAt: 0, refused: true }]
  ] as const) {
    it.effect(`submits a job ${what} once, however many take it up at the same time`, () =>
      Effect.gen(function* () {
        let submitted = 0
        const store = yield* JobStore
        // A store beyond the process: between what it is asked and what it answers, the others ask.
        const beyond = Layer.succeed(JobStore, {
          read: (id) => Effect.tap(store.read(id), Effect.sleep("1 second")),
          create: (id, text) => Effect.tap(store.create(id, text), Effect.sleep("1 second")),
          write: (id, text) => Effect.delay(store.write(id, text), "1 second")
        })
        // It takes a while until the provider lists what it was given.
        const listed = endpointOf(
          () =>
            Effect.delay(
              Effect.sync(() => `remote-${++submitted}`),
              "10 seconds"
            ),
          () => Effect.undefined
        )
        yield* Effect.gen(function* () {
          yield* store.create("job", JSON.stringify(record))
          const all = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(submit("job", calls)))
          for (let turn = 0; turn < 60; turn++) yield* TestClock.adjust("5 seconds")
          yield* Effect.forEach(all, Fiber.join)
          assert.strictEqual(submitted, 1)
        }).pipe(Effect.provide([listed, beyond]))
      }).pipe(Effect.provide(layerJobs))
    )
  }

  it.effect("leaves a job to a process that is slow to submit it, and not to one that died while it took over", () =>
    Effect.gen(function* () {
      let submitted = 0
      const slow = endpointOf(
        () =>
          Effect.delay(
            Effect.sync(() => `remote-${++submitted}`),
            "10 minutes"
          ),
        () => Effect.undefined
      )
      yield* Effect.gen(function* () {
        const store = yield* JobStore
        yield* store.create("job", JSON.stringify({ calls, begunAt: 0 }))
        // Somebody took it over at once, and died before it wrote that down.
        yield* store.create("job after 0", "1000")
        const all = yield* Effect.forEach([1, 2], () => Effect.forkChild(submit("job", calls)))
        for (let turn = 0; turn < 200; turn++) yield* TestClock.adjust("5 seconds")
        yield* Effect.forEach(all, Fiber.join)
        assert.strictEqual(submitted, 1)
      }).pipe(Effect.provide([slow, layerJobs]))
    })
  )

  it.effect("says why a job came to nothing as a whole", () =>
    Effect.gen(function* () {
      const run = yield* start((method, path) => {
        if (path === "/files") return { id: "file" }
        if (method === "POST") return { id: "batch-1" }
        return { status: "failed", errors: { data: [{ code: "model_mismatch", message: "no such model" }] } }
      }, layerOpenAi)
      yield* run(submit("job", calls))
      const [result] = yield* run(bringHome("job"))
      assert.deepStrictEqual(result, {
        _tag: "Failed",
        reason: "missing",
        message: "the provider returned nothing for this call: no such model"
      })
    })
  )

  it.effect("Google: takes answers without metadata by their order, and leaves out what the model thought", () =>
    Effect.gen(function* () {
      const answer = (parts: ReadonlyArray<unknown>) => ({
        response: {
          candidates: [{ content: { parts }, finishReason: "STOP" }],
          usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 2, thoughtsTokenCount: 40 }
        }
      })
      const run = yield* start(
        (method) =>
          method === "POST"
            ? { name: "batches/1" }
            : {
                done: true,
                metadata: {
                  state: "BATCH_STATE_SUCCEEDED",
                  output: {
                    inlinedResponses: {
                      inlinedResponses: [
                        answer([{ text: "hm", thought: true }, { text: "ONE" }]),
                        answer([{ text: "TWO" }])
                      ]
                    }
                  }
                }
              },
        layerGoogle
      )
      yield* run(submit("job", [call("one"), call("two")]))
      const results = yield* run(bringHome("job"))
      const finish = Part.finish("stop", { inputTokens: { total: 7 }, outputTokens: { total: 42 } })
      assert.deepStrictEqual(results, [
        { _tag: "Answered", parts: [{ type: "text", text: "ONE" }, finish] },
        { _tag: "Answered", parts: [{ type: "text", text: "TWO" }, finish] }
      ])
    })
  )

  it.effect("takes an answer of unknown form for a failure of the endpoint", () =>
    Effect.gen(function* () {
      for (const [name, , layer] of providers) {
        const run = yield* start(() => ({ unknown: true }), layer)
        const unnamed = yield* Effect.flip(run(submit("job", calls)))
        assert.strictEqual(unnamed.message, `${name} answered in a form that is not known here`)
        const lines = yield* start((method, path) => {
          if (method === "POST") return { id: "b", name: "b" }
          if (/content|results/u.test(path)) return "null"
          return { output_file_id: "o", response: { inlinedResponses: { inlinedResponses: [null] } } }
        }, layer)
        yield* lines(submit("job", calls))
        const unread = yield* Effect.flip(lines(BatchEndpoint.use((endpoint) => endpoint.results("b"))))
        assert.strictEqual(unread.reason, "Endpoint")
      }
    })
  )

  it.effect(
    "refuses a parameter that would not be sent along: the answer would be cached for a call it is none to",
    () =>
      Effect.gen(function* () {
        const cases: ReadonlyArray<readonly [(typeof providers)[number], Call["parameters"]]> = [
          [providers[0], { topK: 3 }],
          [providers[0], { providerOptions: { openai: { verbosity: "low" } } }],
          [providers[1], { seed: 1 }],
          [providers[1], { reasoningEffort: "high" }],
          [providers[2], { providerOptions: { google: { safetySettings: [] } } }]
        ]
        for (const [[, route, layer], parameters] of cases) {
          const state = provider()
          const run = yield* start(route(state), layer)
          const error = yield* Effect.flip(run(submit("job", [{ ...call("x"), parameters }])))
          assert.strictEqual(error.reason, "Unsupported")
          assert.include(error.message, Object.keys(parameters)[0]!)
          assert.strictEqual(state.submitted.length, 0)
          yield* run(submit("job", [{ ...call("x"), parameters: { temperature: 0, providerOptions: {}, tools: [] } }]))
          assert.strictEqual(state.submitted.length, 1)
        }
      })
  )

  it.effect("layerDirectory: keeps jobs beyond the layer, and creates each once", () =>
    Effect.gen(function* () {
      const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
      const jobs = layerDirectory(`${directory}/jobs`)
      const create = JobStore.use((store) => store.create("../a job", "first"))
      assert.isTrue(yield* Effect.provide(create, jobs))
      yield* Effect.gen(function* () {
        const store = yield* JobStore
        assert.isFalse(yield* create)
        assert.strictEqual(yield* store.read("../a job"), "first")
        yield* store.write("../a job", "second")
        assert.strictEqual(yield* store.read("../a job"), "second")
        assert.strictEqual(yield* store.read("another"), undefined)
      }).pipe(Effect.provide(layerDirectory(`${directory}/jobs`)))
      const broken = yield* Effect.flip(Effect.scoped(Layer.build(layerDirectory("/dev/null/jobs"))))
      assert.include(broken.message, "/dev/null/jobs cannot be made")
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("refuses what it cannot carry, other calls under one id, and jobs that are not there", () =>
    Effect.gen(function* () {
      const run = yield* start(openAi(provider()), layerOpenAi)
      const reason = (effect: Effect.Effect<unknown, JobError, JobStore | CacheStore | BatchEndpoint>) =>
        Effect.map(Effect.flip(run(effect)), (error) => error.reason)
      assert.strictEqual(yield* reason(submit("empty", [])), "Unsupported")
      const tools = { ...call("x"), parameters: { tools: [{ name: "t", parameters: {} }] } }
      assert.strictEqual(yield* reason(submit("tools", [tools])), "Unsupported")
      const other = { ...call("x"), model: { provider: "p", model: "other" } }
      assert.strictEqual(yield* reason(submit("two", [call("x"), other])), "Unsupported")
      yield* run(submit("tools", calls))
      yield* run(submit("job", calls))
      assert.strictEqual(yield* reason(submit("job", [call("else")])), "Exists")
      assert.strictEqual(yield* reason(status("nowhere")), "Missing")
    })
  )

  it.effect("says that the provider failed, without the key", () =>
    Effect.gen(function* () {
      const run = yield* start(() => undefined, layerOpenAi)
      const error = yield* Effect.flip(run(submit("job", calls)))
      assert.strictEqual(error.message, "OpenAI answered 404 to POST /files")
      assert.strictEqual(error.status, 404)
      assert.notInclude(JSON.stringify(error), "secret")
    })
  )
})

import { createServer as createHttpServer } from "node:http"
import { type AddressInfo, createServer, type Server } from "node:net"
import { createServer as createSecureServer } from "node:tls"
import { NodeHttpClient } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Collector, DeliveryError, deliver, enqueue, layerHttp, layerSyslog } from "@interlock/stages/audit/delivery"
import * as Entry from "@interlock/stages/audit/entry"
import { format, formats } from "@interlock/stages/audit/format"
import { AuditLog, layerMemory } from "@interlock/stages/audit/log"
import { calls } from "@interlock/stages/audit/record"
import { Effect, Exit, Layer, Stream } from "effect"
import { KeyValueStore, PersistedQueue } from "effect/persistence"
import { TestClock } from "effect/testing"
import { certificate, key } from "./tls/localhost.ts"

const nasty = 'a|b=c\\d "e] f\tg\nh'

const begin = (call: string, prompt = "redacted prompt") =>
  AuditLog.use((log) =>
    log.append({
      kind: "request",
      call,
      tenant: nasty,
      subject: "subject-olga",
      facts: { version: 1, tenant: nasty, startedAt: 0 },
      personal: { subject: "subject-olga", prompt: [{ role: "user", text: prompt }] }
    })
  )

const end = (call: string, outcome = "answered") =>
  AuditLog.use((log) =>
    log.append({
      kind: "completion",
      call,
      tenant: nasty,
      subject: "subject-olga",
      facts: {
        version: 1,
        tenant: nasty,
        startedAt: 0,
        endedAt: 20,
        outcome,
        trace: { traceId: "a".repeat(32), spanId: "b".repeat(16) },
        usage: { inputTokens: 5, outputTokens: 3 },
        events: [
          {
            _tag: "Attempt",
            provider: "openai",
            model: "gpt",
            startedAt: 0,
            endedAt: 9,
            outcome: "answered",
            costUsd: 0.25
          }
        ]
      },
      personal: { subject: "subject-olga", answer: "redacted answer" }
    })
  )

const recorded = Effect.gen(function* () {
  const call = Entry.id()
  yield* begin(call)
  yield* end(call)
  const log = yield* AuditLog
  return yield* Stream.runCollect(calls(log.entries()))
})

describe("format", () => {
  it.effect("keeps each record on one line, with the same facts in every format", () =>
    Effect.gen(function* () {
      const records = yield* recorded
      const call = records[0]!.call
      for (const name of formats) {
        const [message, ...others] = format(name, records)
        expect(others).toEqual([])
        expect(message).not.toMatch(/[\r\n]/)
        for (const value of [call, "openai", "gpt", "answered", "subject-olga"]) expect(message, name).toContain(value)
        expect(format(name, [])).toEqual([])
      }
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("lets redacted text out only when asked", () =>
    Effect.gen(function* () {
      const records = yield* recorded
      for (const name of formats) {
        expect(format(name, records).join(), name).not.toContain("redacted")
        const shown = format(name, records, { text: true }).join()
        expect(shown.includes("redacted prompt"), name).toBe(name !== "cef" && name !== "leef")
      }
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("escapes what would end a field", () =>
    Effect.gen(function* () {
      const records = yield* recorded
      const one = (name: (typeof formats)[number]) => format(name, records)[0]!
      const cef = one("cef").split(/(?<!\\)\|/)
      expect(cef.slice(0, 5)).toEqual(["CEF:0", "Interlock", "Interlock", "0.1.0", "model-call"])
      expect(cef[6]).toBe("1")
      expect(cef.slice(7).join("|")).toContain('cs1=a|b\\=c\\\\d "e] f\tg\\nh cs1Label=tenant')
      const leef = one("leef").split("\t")
      expect(leef[0]).toBe("LEEF:2.0|Interlock|Interlock|0.1.0|answered|x09|devTime=0")
      expect(leef).toContain('tenant=a|b=c\\d "e] f g h')
      const syslog =
        /^<109>1 1970-01-01T00:00:00\.000Z - interlock \d+ model-call \[interlock@32473 (.*?(?<!\\))\] \ufeff(.*)$/.exec(
          one("syslog")
        )!
      expect(syslog[1]).toContain('tenant="a|b=c\\\\d \\"e\\] f')
      expect(JSON.parse(syslog[2]!)).toMatchObject({ class_uid: 6003, metadata: { tenant_uid: nasty } })
      expect(JSON.parse(one("ecs"))).toMatchObject({
        "@timestamp": "1970-01-01T00:00:00.000Z",
        event: { outcome: "success", duration: 20_000_000 },
        organization: { id: nasty },
        trace: { id: "a".repeat(32) },
        gen_ai: { usage: { input_tokens: 5, output_tokens: 3 } }
      })
      const otlp = JSON.parse(one("otlp")).resourceLogs[0].scopeLogs[0].logRecords[0]
      expect(otlp).toMatchObject({
        severityNumber: 9,
        traceId: "a".repeat(32),
        spanId: "b".repeat(16),
        timeUnixNano: "0000000"
      })
      expect(otlp.attributes).toContainEqual({ key: "interlock.costUsd", value: { doubleValue: 0.25 } })
      expect(otlp.attributes).toContainEqual({ key: "interlock.inputTokens", value: { intValue: "5" } })
    }).pipe(Effect.provide(layerMemory))
  )
})

const stores = Layer.mergeAll(
  layerMemory,
  KeyValueStore.layerMemory,
  PersistedQueue.layer.pipe(Layer.provide(PersistedQueue.layerStoreMemory))
)
const options = { format: "jsonl", batch: 2 } as const

describe("delivery", () => {
  it.effect("hands each ended call over once, waits for those that run, and gives up on them in the end", () =>
    Effect.gen(function* () {
      const sent: Array<ReadonlyArray<string>> = []
      const collector = Layer.succeed(Collector)({
        send: (messages) => Effect.sync(() => void sent.push(messages.map((line) => JSON.parse(line).outcome)))
      })
      const [one, two, slow] = [Entry.id(), Entry.id(), Entry.id()]
      yield* begin(slow)
      for (const call of [one, two, Entry.id()]) {
        yield* begin(call)
        yield* end(call)
      }
      expect(yield* enqueue(options)).toBe(3)
      expect(yield* enqueue(options)).toBe(0)
      yield* deliver(options).pipe(Effect.provide(collector))
      yield* deliver(options).pipe(Effect.provide(collector))
      expect(sent).toEqual([["answered", "answered"], ["answered"]])
      yield* TestClock.adjust("11 minutes")
      expect(yield* enqueue(options)).toBe(1)
      yield* deliver(options).pipe(Effect.provide(collector))
      expect(sent.at(-1)).toEqual(["incomplete"])
      expect(yield* enqueue(options)).toBe(0)
    }).pipe(Effect.provide(stores))
  )

  it.effect("keeps a batch that the collector does not take, and delivers it again", () =>
    Effect.gen(function* () {
      const call = Entry.id()
      yield* begin(call)
      yield* end(call)
      yield* enqueue(options)
      const refusing = Layer.succeed(Collector)({ send: () => Effect.fail(new DeliveryError({ message: "down" })) })
      expect(Exit.isFailure(yield* Effect.exit(deliver(options).pipe(Effect.provide(refusing))))).toBe(true)
      yield* TestClock.adjust("1 minute")
      let sent = 0
      const collector = Layer.succeed(Collector)({
        send: (messages) =>
          Effect.sync(() => {
            sent += messages.length
          })
      })
      yield* deliver(options).pipe(Effect.provide(collector))
      expect(sent).toBe(1)
    }).pipe(Effect.provide(stores))
  )

  it.effect("does not export what was erased after it was queued", () =>
    Effect.gen(function* () {
      const call = Entry.id()
      yield* begin(call)
      yield* end(call)
      yield* enqueue(options)
      yield* AuditLog.use((log) => log.erase({ tenant: nasty, subject: "subject-olga" }))
      let sent = ""
      const collector = Layer.succeed(Collector)({
        send: (messages) =>
          Effect.sync(() => {
            sent = messages.join()
          })
      })
      yield* deliver({ ...options, text: true }).pipe(Effect.provide(collector))
      expect(JSON.parse(sent)).toMatchObject({ call, erased: true })
      expect(sent).not.toMatch(/subject-olga|redacted/)
    }).pipe(Effect.provide(stores))
  )

  const listen = <S extends Server>(make: () => S) =>
    Effect.acquireRelease(
      Effect.callback<S>((resume) => {
        const server = make()
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
    )
  const portOf = (server: Server) => (server.address() as AddressInfo).port

  for (const secure of [false, true])
    it.effect(`sends syslog frames over ${secure ? "TLS" : "TCP"}, and fails when nobody listens`, () =>
      Effect.gen(function* () {
        let received = ""
        const take = (socket: import("node:net").Socket) => {
          socket.on("data", (chunk) => {
            received += chunk.toString("utf8")
          })
          socket.on("end", () => socket.end())
        }
        const server = yield* listen(() =>
          secure ? createSecureServer({ cert: certificate, key }, take) : createServer(take)
        )
        const layerFor = (port: number, authority = certificate) =>
          layerSyslog({ host: "localhost", port, tls: secure ? { authority } : false })
        const send = (messages: ReadonlyArray<string>) => Collector.use((collector) => collector.send(messages))
        yield* send(["one", "zwölf"]).pipe(Effect.provide(layerFor(portOf(server))))
        expect(received).toBe("3 one6 zwölf")
        const port = yield* Effect.scoped(Effect.map(listen(createServer), portOf))
        const refused = yield* Effect.flip(send(["lost"]).pipe(Effect.provide(layerFor(port))))
        expect(refused.message).toContain("did not take the records")
      }).pipe(Effect.scoped)
    )

  it.effect("posts over HTTP, and takes any status but 2xx for a failure", () =>
    Effect.gen(function* () {
      const bodies: Array<string> = []
      let status = 200
      const server = yield* listen(() =>
        createHttpServer((request, response) => {
          let body = ""
          request.on("data", (chunk) => {
            body += String(chunk)
          })
          request.on("end", () => {
            bodies.push(`${request.headers["content-type"]} ${request.headers["authorization"]} ${body}`)
            response.writeHead(status).end()
          })
        })
      )
      const url = `http://127.0.0.1:${portOf(server)}/v1/logs`
      const send = (contentType: "application/json" | "application/x-ndjson") =>
        Collector.use((collector) => collector.send(["1", "2"])).pipe(
          Effect.provide(
            layerHttp({ url, contentType, headers: { authorization: "Bearer t" } }).pipe(
              Layer.provide(NodeHttpClient.layerNodeHttp)
            )
          )
        )
      yield* send("application/json")
      yield* send("application/x-ndjson")
      expect(bodies).toEqual([
        "application/json Bearer t 1",
        "application/json Bearer t 2",
        "application/x-ndjson Bearer t 1\n2\n"
      ])
      status = 503
      expect((yield* Effect.flip(send("application/json"))).message).toContain(url)
    }).pipe(Effect.scoped)
  )
})

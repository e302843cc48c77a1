import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import { Pipeline, Reply, Stage } from "@interlock/core"
import { Caller, Chat, Journal, ModelError, Part, RawPrompt, SafePrompt } from "@interlock/model"
import {
  AuditError,
  AuditLog,
  AuditPolicy,
  AuditRecord,
  audit,
  auditText,
  layerFiles,
  layerMemory
} from "@interlock/stages/audit"
import * as Disk from "@interlock/stages/audit/disk"
import { StorageFailed } from "@interlock/stages/audit/error"
import { format, formats } from "@interlock/stages/audit/format"
import * as Keys from "@interlock/stages/audit/keys"
import { calls } from "@interlock/stages/audit/record"
import { redact } from "@interlock/stages/redact"
import { type DetectOptions, Detector, DetectorError } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Redacted, Stream } from "effect"

const canary = "canary@contoso.org"

/** Fails on the word "refuse", as a detector that cannot be reached would. */
const detector = Layer.effect(
  Detector,
  Effect.map(Detector, (rules) => ({
    name: "test",
    detect: (text: string, options?: DetectOptions) =>
      text.includes("refuse")
        ? Effect.fail(new DetectorError({ detector: "test", message: `no answer for ${text}` }))
        : rules.detect(text, options)
  }))
).pipe(Layer.provide(Detector.layer))

class Answering extends Context.Service<
  Answering,
  { readonly reply: Effect.Effect<Reply.Reply<Part.Part, ModelError.ModelError>, ModelError.ModelError> }
>()("test/Answering") {}

const attempt = Journal.record({
  _tag: "Attempt",
  provider: "test",
  model: "small",
  startedAt: 0,
  endedAt: 1,
  outcome: "answered",
  costUsd: 0.002
})

const callModel = Pipeline.handler("callModel", { needs: { prompt: SafePrompt } }, () =>
  Answering.use(({ reply }) => Effect.tap(reply, attempt))
)

const chat = Pipeline.make("chat", { input: [Caller, RawPrompt], protocol: Chat.protocol })
  .use(audit)
  .use(redact)
  .use(auditText)
  .to(callModel)

const memory = Layer.mergeAll(layerMemory, detector, Vault.layerMemory)

const ask = (text: string) =>
  Context.merge(
    Caller.context({ tenant: "acme", subject: "ada", conversation: "c1" }),
    RawPrompt.context({ content: [{ role: "user", content: text }] })
  )

const records = AuditLog.use((log) => Stream.runCollect(calls(log.entries())))
const answers = (reply: Answering["Service"]["reply"]) => Layer.succeed(Answering)({ reply })
const answer = Part.text("Mail ⟦EMAIL_ADDRESS_1⟧", { inputTokens: { total: 5 }, outputTokens: { total: 3 } })
const whole = answers(Effect.succeed(Reply.whole(answer)))
const parts = ["Mail ", "⟦EMAIL_ADDRESS_1⟧"].map((delta): Part.Part => ({ type: "text-delta", id: "1", delta }))
const live = (tail: Stream.Stream<Part.Part, ModelError.ModelError> = Stream.make(Part.finish("stop"))) =>
  answers(Effect.succeed(Reply.live(Stream.concat(Stream.fromIterable(parts), tail))))
const timeout = new ModelError.ModelError({
  provider: "test",
  model: "small",
  reason: new ModelError.Timeout({ phase: "idle", afterMs: 10 }),
  message: `no answer to ${canary}`
})

describe("audit", () => {
  it.effect("records an answered call with its redacted text, usage, cost and redactions", () =>
    Effect.gen(function* () {
      const reply = yield* chat.run(ask(`write to ${canary}`))
      expect(reply.text).toBe(`Mail ${canary}`)
      const [record, ...others] = yield* records
      expect(others).toEqual([])
      expect(record).toMatchObject({
        outcome: "answered",
        facts: { tenant: "acme", finishReason: "stop", usage: { inputTokens: 5, outputTokens: 3 } },
        events: [
          { _tag: "Redaction", counts: { EMAIL_ADDRESS: 1 } },
          { _tag: "Attempt", model: "small", costUsd: 0.002 }
        ],
        personal: {
          subject: "ada",
          conversation: "c1",
          prompt: [{ role: "user", text: "write to ⟦EMAIL_ADDRESS_1⟧" }],
          answer: "Mail ⟦EMAIL_ADDRESS_1⟧"
        }
      })
      expect(JSON.stringify(yield* records)).not.toContain("canary")
    }).pipe(Effect.provide([memory, whole]))
  )

  it.effect("records a streamed call when its last part is gone, and the same text", () =>
    Effect.gen(function* () {
      const seen = yield* Stream.runCollect(chat.stream(ask(`write to ${canary}`)))
      expect(seen.length).toBe(3)
      const [record] = yield* records
      expect(record).toMatchObject({ outcome: "answered", personal: { answer: "Mail ⟦EMAIL_ADDRESS_1⟧" } })
    }).pipe(Effect.provide([memory, live()]))
  )

  it.effect("has the request on the disk before the first part reaches the caller", () =>
    Effect.gen(function* () {
      const first = yield* Stream.runForEach(Stream.take(chat.stream(ask("hello")), 1), () =>
        Effect.gen(function* () {
          const [record] = yield* records
          expect(record).toMatchObject({ outcome: "incomplete", personal: { prompt: [{ text: "hello" }] } })
        })
      )
      expect(first).toBe(undefined)
    }).pipe(Effect.provide([memory, live()]))
  )

  it.effect("has the request on the disk before the first part in a pipeline without text, too", () =>
    Effect.gen(function* () {
      const silent = Pipeline.make("silent", { input: [Caller, RawPrompt], protocol: Chat.protocol })
        .use(audit)
        .to(Pipeline.handler("answer", { needs: {} }, () => Answering.use(({ reply }) => reply)))
      yield* Stream.runForEach(silent.stream(ask("hello")), () =>
        Effect.gen(function* () {
          expect((yield* records).map(({ outcome }) => outcome)).toEqual(["incomplete"])
        })
      )
      yield* silent.run(ask("hello")).pipe(Effect.provide(whole))
      const all = yield* records
      expect(all.map(({ entries, outcome, personal }) => [outcome, entries.length, personal])).toEqual([
        ["answered", 2, { subject: "ada", conversation: "c1" }],
        ["answered", 1, { subject: "ada", conversation: "c1" }]
      ])
    }).pipe(Effect.provide([memory, live()]))
  )

  for (const request of ["before-call", "before-answer"] as const)
    it.effect(`leaves one record when redact refuses, the model fails, or a defect happens (${request})`, () =>
      Effect.gen(function* () {
        yield* Effect.exit(chat.run(ask(`refuse ${canary}`)).pipe(Effect.provide(whole)))
        yield* Effect.exit(chat.run(ask(canary)).pipe(Effect.provide(answers(Effect.fail(timeout)))))
        yield* Effect.exit(chat.run(ask(canary)).pipe(Effect.provide(answers(Effect.die(new Error(canary))))))
        yield* Effect.exit(Stream.runDrain(chat.stream(ask(canary))).pipe(Effect.provide(live(Stream.fail(timeout)))))
        const all = yield* records
        expect(all.map(({ facts, outcome }) => [outcome, facts?.error])).toEqual([
          ["refused", "RedactError/DetectorFailed"],
          ["failed", "ModelError/Timeout"],
          ["failed", "Defect"],
          ["failed", "ModelError/Timeout"]
        ])
        expect(all.map(({ personal }) => personal.prompt?.length)).toEqual([undefined, 1, 1, 1])
        expect(all[3]!.personal.answer).toBe("Mail ⟦EMAIL_ADDRESS_1⟧")
        expect(JSON.stringify(all)).not.toContain("canary")
      }).pipe(
        Effect.provideService(AuditPolicy, { onFailure: "refuse", request, values: "leave-out", textLimit: 100 }),
        Effect.provide(memory)
      )
    )

  it.effect("records a call that was interrupted while it waited, and a stream that was left", () =>
    Effect.gen(function* () {
      const reached = yield* Deferred.make<void>()
      const waiting = answers(Effect.andThen(Deferred.succeed(reached, undefined), Effect.never))
      const fiber = yield* Effect.forkChild(chat.run(ask("hello")).pipe(Effect.provide(waiting)))
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(fiber)
      yield* Stream.runDrain(Stream.take(chat.stream(ask("hello")), 1)).pipe(Effect.provide(live()))
      expect((yield* records).map(({ outcome }) => outcome)).toEqual(["interrupted", "interrupted"])
    }).pipe(Effect.provide(memory))
  )

  it.effect("says when the answer came from a cache", () =>
    Effect.gen(function* () {
      const cached = Journal.record({ _tag: "Cache", outcome: "exact", ageMs: 1000 }).pipe(
        Effect.as(Reply.whole(answer))
      )
      yield* chat.run(ask("hello")).pipe(Effect.provide(answers(cached)))
      expect((yield* records).map(({ outcome }) => outcome)).toEqual(["cached"])
    }).pipe(Effect.provide(memory))
  )

  it.effect(
    "seals the values behind placeholders under the subject's key when asked, until the subject is erased",
    () =>
      Effect.gen(function* () {
        const text = `write to ${canary}`
        yield* chat.run(ask(text)).pipe(
          Effect.provideService(AuditPolicy, {
            onFailure: "refuse",
            request: "before-call",
            values: "seal",
            textLimit: 100
          })
        )
        yield* chat.run(ask(text))
        const kept = { "⟦EMAIL_ADDRESS_1⟧": canary }
        const sealed = yield* records
        expect(sealed.map(({ personal }) => personal.values)).toEqual([kept, undefined])
        for (const name of formats) expect(format(name, sealed, { text: true }).join()).not.toContain("canary")
        const log = yield* AuditLog
        yield* log.erase({ tenant: "acme", subject: "ada" })
        expect(JSON.stringify(yield* records)).not.toMatch(/canary|EMAIL_ADDRESS_1/)
      }).pipe(Effect.provide([memory, whole]))
  )

  it.effect("shows no canary in any file, name or log line, values sealed or not", () =>
    Effect.gen(function* () {
      const files = new Map<string, Buffer>()
      const secrets = new Map<string, Buffer>()
      const lines: Array<string> = []
      const log = layerFiles({ directory: "data", disk: Disk.memory(files) }).pipe(
        Layer.provide(Keys.layerFiles({ directory: "keys", disk: Disk.memory(secrets) })),
        Layer.provide(Keys.layerRootKey(Redacted.make(new Uint8Array(32).fill(7))))
      )
      const logger = Logger.layer([Logger.make(({ cause, message }) => void lines.push(inspect([message, cause])))])
      const reply = answers(Effect.tap(Effect.fail(timeout), () => attempt))
      for (const values of ["seal", "leave-out"] as const)
        yield* Effect.all([
          chat.run(ask(`write to ${canary}`)).pipe(Effect.provide(whole)),
          Effect.exit(chat.run(ask(`refuse ${canary}`)).pipe(Effect.provide(whole))),
          Effect.exit(chat.run(ask(canary)).pipe(Effect.provide(reply)))
        ]).pipe(
          Effect.provideService(AuditPolicy, {
            onFailure: "continue",
            request: "before-call",
            values,
            textLimit: 1000
          }),
          Effect.provide([log, detector, Vault.layerMemory, logger])
        )
      expect(files.size).toBeGreaterThan(1)
      for (const [name, bytes] of [...files, ...secrets]) {
        expect(name).not.toContain("canary")
        expect(bytes.includes("canary"), name).toBe(false)
        expect(bytes.includes("EMAIL_ADDRESS"), name).toBe(false)
      }
      expect(lines.join()).not.toContain("canary")
    })
  )

  it.effect("cuts long text and says so", () =>
    Effect.gen(function* () {
      yield* chat.run(ask("hello there, friend"))
      const [record] = yield* records
      expect(record!.personal).toMatchObject({ prompt: [{ text: "hello" }], answer: "Mail ", truncated: true })
    }).pipe(
      Effect.provideService(AuditPolicy, {
        onFailure: "refuse",
        request: "before-call",
        values: "leave-out",
        textLimit: 5
      }),
      Effect.provide([memory, whole])
    )
  )

  it.effect("fails closed when the log cannot be written, and lets calls through when the policy says so", () =>
    Effect.gen(function* () {
      const failure = new AuditError({ operation: "append", reason: new StorageFailed({ code: "EIO" }) })
      const broken = Layer.effect(
        AuditLog,
        Effect.map(AuditLog, (log) => AuditLog.of({ ...log, append: () => Effect.fail(failure) }))
      ).pipe(Layer.provide(layerMemory))
      for (const request of ["before-call", "before-answer"] as const) {
        const run = (onFailure: "refuse" | "continue", reply = whole) =>
          chat
            .run(ask("hello"))
            .pipe(
              Effect.exit,
              Effect.provide([broken, detector, Vault.layerMemory, reply]),
              Effect.provideService(AuditPolicy, { onFailure, request, values: "leave-out", textLimit: 100 })
            )
        let called = false
        const counting = answers(
          Effect.sync(() => {
            called = true
            return Reply.whole(answer)
          })
        )
        expect(yield* run("refuse", counting)).toEqual(Exit.fail(failure))
        expect(called).toBe(request === "before-answer")
        expect(Exit.isSuccess(yield* run("continue"))).toBe(true)
        const streamed = yield* Stream.runCollect(chat.stream(ask("hello"))).pipe(
          Effect.exit,
          Effect.provide([broken, detector, Vault.layerMemory, live()]),
          Effect.provideService(AuditPolicy, { onFailure: "refuse", request, values: "leave-out", textLimit: 100 })
        )
        expect(Exit.isFailure(streamed) && Cause.squash(streamed.cause)).toBe(failure)
      }
    })
  )

  it("cannot be given text from above redact: these do not compile", () => {
    const start = Pipeline.make("t", { input: [Caller, RawPrompt], protocol: Chat.protocol })
    // @ts-expect-error auditText needs SafePrompt
    expect(() => start.use(audit).use(auditText)).toThrow("SafePrompt")
    // @ts-expect-error auditText needs AuditRecord
    expect(() => start.use(redact).use(auditText)).toThrow("AuditRecord")
    // @ts-expect-error audit needs Caller
    expect(() => Pipeline.make("t", { input: [RawPrompt], protocol: Chat.protocol }).use(audit)).toThrow("Caller")
    const spy = Stage.derive("spy", { needs: { record: AuditRecord, prompt: RawPrompt }, adds: Noted }, ({ record }) =>
      // @ts-expect-error the record of the call takes nothing
      Effect.sync(() => record.text)
    )
    expect(spy.name).toBe("spy")
  })
})

class Noted extends Context.Service<Noted, unknown>()("test/Noted") {}

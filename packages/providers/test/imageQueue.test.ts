/** The queues of fal and Replicate, against a server that speaks their protocols. */
import { createHash, createHmac, generateKeyPairSync, sign } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { Image, ImageRequest, type ModelError, Part, Prompt, type Settings } from "@interlock/model"
import { Fal, type Models, Replicate, Timeouts, Webhook } from "@interlock/providers"
import { ConfigProvider, Duration, Effect, Exit, Fiber, Layer, Redacted, Stream } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { canary, deliveries, key, safe } from "./fixture.ts"
import { partsOf } from "./images.ts"
import { type Asked, type Played, png, type Server, serve } from "./imageWire.ts"

const bytes = Buffer.from(png, "base64")
const withKey = Effect.provide(
  ConfigProvider.layer(ConfigProvider.fromUnknown({ FAL_KEY: key, REPLICATE_API_TOKEN: key }))
)

type Step = "queued" | "running" | "done" | "failed" | "filtered" | Played

interface Protocol {
  readonly name: "fal" | "replicate"
  readonly model: string
  readonly make: (url: string, options?: Fal.Options) => Effect.Effect<Models.ModelProvider>
  /** What the server answers, where the job goes through these steps; the last one stays. */
  readonly play: (steps: ReadonlyArray<Step>) => (asked: Asked, index: number, url: string) => Played
  readonly isSubmit: (asked: Asked) => boolean
  readonly isStatus: (asked: Asked) => boolean
  readonly isCancel: (asked: Asked) => boolean
}

const fal: Protocol = {
  name: "fal",
  model: "fal-ai/flux/dev",
  make: (url, options) => made(Fal.provider({ baseUrl: url, ...options })),
  isSubmit: ({ method }) => method === "POST",
  isStatus: ({ path }) => path.endsWith("/status"),
  isCancel: ({ method, path }) => method === "PUT" && path === "/fal-ai/flux/requests/job-1/cancel",
  play: (steps) => {
    let asked = 0
    let now: Step = "queued"
    return (request, _, url) => {
      if (request.path.startsWith("/files/")) return { bytes, mediaType: "image/png" }
      if (fal.isCancel(request)) return { status: 202, json: { status: "CANCELLATION_REQUESTED" } }
      if (fal.isSubmit(request)) {
        const [first] = steps
        if (typeof first === "object") return first
        return { json: { request_id: "job-1", queue_position: 2, status_url: "http://169.254.169.254/" } }
      }
      if (fal.isStatus(request)) {
        now = steps[Math.min(++asked, steps.length - 1)]!
        if (typeof now === "object") return now
        return {
          json:
            now === "queued"
              ? { status: "IN_QUEUE", queue_position: 1 }
              : now === "running"
                ? { status: "IN_PROGRESS", logs: [] }
                : { status: "COMPLETED" }
        }
      }
      if (now === "failed") return { status: 500, json: { detail: `the worker died on ${canary}` } }
      if (now === "filtered") {
        return { status: 422, json: { detail: [{ msg: `not ${canary}`, type: "content_policy_violation" }] } }
      }
      return {
        json: {
          images: [{ url: `${url}/files/1.png`, width: 1, height: 1, content_type: "image/png" }],
          seed: 42,
          has_nsfw_concepts: [false]
        }
      }
    }
  }
}

const replicate: Protocol = {
  name: "replicate",
  model: "black-forest-labs/flux-schnell",
  make: (url, options) => made(Replicate.provider({ baseUrl: `${url}/v1`, ...options })),
  isSubmit: ({ method, path }) => method === "POST" && path.endsWith("/predictions"),
  isStatus: ({ method, path }) => method === "GET" && path === "/v1/predictions/job-1",
  isCancel: ({ method, path }) => method === "POST" && path === "/v1/predictions/job-1/cancel",
  play: (steps) => {
    let asked = 0
    return (request, _, url) => {
      if (request.path.startsWith("/files/")) return { bytes, mediaType: "image/png" }
      if (replicate.isCancel(request)) return { json: { id: "job-1", status: "canceled" } }
      const now = replicate.isSubmit(request) ? steps[0]! : steps[Math.min(++asked, steps.length - 1)]!
      if (typeof now === "object") return now
      const state = {
        queued: { status: "starting" },
        running: { status: "processing", logs: "  0%|  |\n 50%|#  |" },
        done: { status: "succeeded", output: [`${url}/files/1.png`], metrics: { predict_time: 1.5 } },
        failed: { status: "failed", error: `CUDA out of memory on ${canary}` },
        filtered: { status: "failed", error: `NSFW content detected in ${canary}` }
      }[now]
      return { status: replicate.isSubmit(request) ? 201 : 200, json: { id: "job-1", ...state } }
    }
  }
}

const protocols = [fal, replicate]

const request = (
  { model, name }: Protocol,
  delivery: "whole" | "live",
  image: Settings["image"] = {},
  prompt: Prompt.Prompt = Prompt.make(`a tree, ${canary}`),
  settings: Settings = {}
): Models.ModelRequest => ({
  provider: name,
  model,
  prompt: safe(prompt),
  settings: { ...settings, image },
  delivery
})

/** How many requests of the providers have no answer yet: the clock must not run meanwhile. */
let inFlight = 0

const counted = Effect.map(Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer), (client) =>
  HttpClient.transform(client, (effect) =>
    Effect.suspend(() => {
      inFlight++
      return Effect.ensuring(
        effect,
        Effect.sync(() => {
          inFlight--
        })
      )
    })
  )
)

const made = (provider: Effect.Effect<Models.ModelProvider, unknown>) =>
  Effect.flatMap(counted, (client) =>
    Effect.orDie(Effect.provideService(withKey(provider), HttpClient.HttpClient, client))
  )

/** Lets the clock run, and the server answer, until the fiber is done. */
const running = <A, E>(fiber: Fiber.Fiber<A, E>, step: Duration.Input = "1 second") =>
  Effect.gen(function* () {
    while (fiber.pollUnsafe() === undefined) {
      if (inFlight === 0) yield* TestClock.adjust(step)
      yield* Effect.promise(() => new Promise((done) => setImmediate(done)))
    }
    return yield* Fiber.await(fiber)
  })

const ask = (protocol: Protocol, steps: ReadonlyArray<Step>, asked: Models.ModelRequest) =>
  Effect.gen(function* () {
    const server = yield* serve(protocol.play(steps))
    const provider = yield* protocol.make(server.url)
    const exit = yield* running(yield* Effect.forkChild(partsOf(provider, asked)))
    return { exit, server }
  })

const success = <A, E>(exit: Exit.Exit<A, E>): A => {
  if (Exit.isFailure(exit)) throw new Error(JSON.stringify(exit))
  return exit.value
}
const failure = (exit: Exit.Exit<unknown, ModelError.ModelError>): ModelError.ModelError => {
  const error = Exit.isFailure(exit) ? exit.cause.reasons.find((one) => one._tag === "Fail") : undefined
  if (error?._tag !== "Fail") throw new Error(JSON.stringify(exit))
  return error.error
}

for (const protocol of protocols) {
  describe(protocol.name, () => {
    it.effect("live: the queue, the work, the pictures, the finish", () =>
      Effect.gen(function* () {
        const { exit, server } = yield* ask(
          protocol,
          ["queued", "queued", "running", "running", "done"],
          request(protocol, "live")
        )
        const parts = success(exit)
        const said = parts.map((part) => Image.eventOf(part)?._tag ?? part.type)
        expect(said.filter((one, index) => one !== said[index - 1])).toEqual(["Queued", "Progress", "Final", "finish"])
        const final = Image.eventOf(parts.find((part) => part.type === "file")!)
        expect(final).toMatchObject({ _tag: "Final", made: { index: 0, mediaType: "image/png", data: png } })
        const first = Image.eventOf(parts[0]!)
        if (protocol.name === "fal") {
          expect(first).toEqual({ _tag: "Queued", position: 2 })
          expect(final).toMatchObject({ made: { seed: 42, width: 1, height: 1 } })
        } else {
          expect(parts.map((part) => Image.eventOf(part))).toContainEqual({ _tag: "Progress", fraction: 0.5 })
          expect(Part.interlock(parts.at(-1)!)["predictSeconds"]).toBe(1.5)
        }
        expect(server.seen.filter(protocol.isCancel)).toHaveLength(0)
        const [submit] = server.seen
        expect(submit!.headers.authorization).toBe(protocol.name === "fal" ? `Key ${key}` : `Bearer ${key}`)
      })
    )

    it.effect("whole: the pictures and the finish; the fold is that of the stream", () =>
      Effect.gen(function* () {
        const steps = ["queued", "running", "done"] as const
        const whole = success((yield* ask(protocol, steps, request(protocol, "whole"))).exit)
        const live = success((yield* ask(protocol, steps, request(protocol, "live"))).exit)
        expect(whole.map((part) => part.type)).toEqual(["file", "finish"])
        const fold = (parts: ReadonlyArray<Part.Part>) => parts.reduce(Image.protocol.append, Image.empty)
        expect(fold(live)).toEqual(fold(whole))
      })
    )

    it.effect("what is asked of the pictures", () =>
      Effect.gen(function* () {
        const prompt = Prompt.make([
          {
            role: "user",
            content: [
              { type: "text", text: "at night" },
              ImageRequest.reference("image/png", png),
              ImageRequest.mask("image/png", new URL("https://example.com/mask.png"))
            ]
          }
        ])
        const image = { size: "512x256", count: 2, seed: 7 } as const
        const settings = { providerOptions: { [protocol.name]: { guidance: 3 } } }
        const { server } = yield* ask(protocol, ["queued", "done"], request(protocol, "whole", image, prompt, settings))
        const { body } = server.seen[0]!
        expect(protocol.name === "fal" ? body : body.input).toEqual(
          protocol.name === "fal"
            ? {
                prompt: "at night",
                num_images: 2,
                seed: 7,
                image_size: { width: 512, height: 256 },
                image_url: `data:image/png;base64,${png}`,
                mask_url: "https://example.com/mask.png",
                guidance: 3
              }
            : {
                prompt: "at night",
                num_outputs: 2,
                seed: 7,
                width: 512,
                height: 256,
                image: `data:image/png;base64,${png}`,
                mask: "https://example.com/mask.png",
                guidance: 3
              }
        )
        expect(server.seen[0]!.path).toBe(
          protocol.name === "fal" ? "/fal-ai/flux/dev" : "/v1/models/black-forest-labs/flux-schnell/predictions"
        )
      })
    )

    const refusals: ReadonlyArray<readonly [string, Played, object]> = [
      ["a refused key", { status: 401, json: { detail: `no such key ${key}` } }, { _tag: "RefusedKey" }],
      [
        "429 with Retry-After",
        { status: 429, json: { detail: "slow" }, headers: { "retry-after": "9" } },
        { _tag: "RateLimited", retryAfterMs: 9000 }
      ],
      ["no credit", { status: 402, json: { title: "Insufficient credit", detail: "Buy some" } }, { _tag: "Quota" }],
      ["503", { status: 503, json: {} }, { _tag: "Overloaded", status: 503 }],
      [
        "a bad request that quotes the prompt",
        { status: 422, json: { detail: [{ msg: `bad ${canary}`, type: "value_error" }] } },
        { _tag: "BadRequest", status: 422 }
      ],
      ["no JSON", { html: "<html></html>" }, { _tag: "InvalidAnswer" }],
      ["a job without a name", { json: {} }, { _tag: "InvalidAnswer" }],
      ["an answer cut in half", { half: { request_id: "a-long-name-of-a-job" } }, { _tag: "Network" }]
    ]
    for (const [name, played, reason] of refusals) {
      it.effect(`${name}: nothing was submitted, and a stage above may try again`, () =>
        Effect.gen(function* () {
          for (const delivery of deliveries) {
            const server = yield* serve(() => played)
            const provider = yield* protocol.make(server.url)
            // The effect itself fails, not the stream.
            const error = yield* Effect.flip(Effect.scoped(provider.call(request(protocol, delivery))))
            expect(error).toMatchObject({ provider: protocol.name, model: protocol.model, reason })
            const said = `${JSON.stringify(error)} ${error.stack}`
            expect(said).not.toContain(key)
            expect(said).not.toContain(canary)
            expect(server.seen).toHaveLength(1)
          }
        })
      )
    }

    it.effect("a job that fails, or whose picture is filtered", () =>
      Effect.gen(function* () {
        const failed = failure((yield* ask(protocol, ["queued", "running", "failed"], request(protocol, "live"))).exit)
        expect(["InvalidAnswer", "Overloaded"]).toContain(failed.reason._tag)
        const filtered = failure((yield* ask(protocol, ["queued", "filtered"], request(protocol, "whole"))).exit)
        expect(filtered.reason._tag).toBe("ContentFiltered")
        expect(JSON.stringify([failed, filtered])).not.toContain(canary)
      })
    )

    it.effect("questions that fail are asked again, three times in a row at most", () =>
      Effect.gen(function* () {
        const busy: Played = { status: 503, json: {} }
        const slow: Played = { status: 429, json: {}, headers: { "retry-after": "20" } }
        const through = yield* ask(
          protocol,
          ["queued", busy, slow, "running", busy, busy, "done"],
          request(protocol, "whole")
        )
        expect(success(through.exit)).toHaveLength(2)
        const over = yield* ask(protocol, ["queued", busy, busy, busy], request(protocol, "whole"))
        expect(failure(over.exit).reason._tag).toBe("Overloaded")
        // The job may still run, and is cancelled.
        expect(over.server.seen.filter(protocol.isCancel)).toHaveLength(1)
        const refused = yield* ask(protocol, ["queued", { status: 401, json: {} }], request(protocol, "whole"))
        expect(failure(refused.exit).reason._tag).toBe("RefusedKey")
      })
    )

    it.effect("a job in a state that nobody knows", () =>
      Effect.gen(function* () {
        const odd: Played = { json: { status: "TELEPORTED" } }
        const { exit, server } = yield* ask(protocol, ["queued", odd], request(protocol, "whole"))
        expect(failure(exit).reason._tag).toBe("InvalidAnswer")
        expect(server.seen.filter(protocol.isCancel)).toHaveLength(1)
      })
    )

    it.effect("a queue that never moves: the whole limit ends it, and cancels the job", () =>
      Effect.gen(function* () {
        const server = yield* serve(protocol.play(["queued"]))
        const provider = yield* protocol.make(server.url, { poll: "1 minute" })
        const fiber = yield* Effect.forkChild(
          partsOf(provider, request(protocol, "live")).pipe(Effect.provide(Timeouts.layer({ connect: "1 hour" })))
        )
        const exit = yield* running(fiber, "30 seconds")
        expect(failure(exit).reason).toMatchObject({
          _tag: "Timeout",
          phase: "whole",
          afterMs: Duration.toMillis(Timeouts.defaults.whole)
        })
        expect(server.seen.filter(protocol.isCancel)).toHaveLength(1)
      })
    )

    const left = (name: string, leave: (provider: Models.ModelProvider, server: Server) => Effect.Effect<void>) =>
      it.effect(`a caller who ${name} cancels the job`, () =>
        Effect.gen(function* () {
          const server = yield* serve(protocol.play(["queued"]))
          const provider = yield* protocol.make(server.url)
          yield* leave(provider, server)
          while (!server.seen.some(protocol.isCancel)) {
            yield* Effect.promise(() => new Promise((done) => setImmediate(done)))
          }
          expect(server.seen.filter(protocol.isCancel)).toHaveLength(1)
          expect(server.seen.find(protocol.isCancel)!.headers.authorization).toContain(key)
        })
      )
    left("is interrupted while the job waits", (provider, server) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Effect.ignore(partsOf(provider, request(protocol, "whole"))))
        yield* server.arrived(1)
        while (server.seen.length < 2) {
          if (inFlight === 0) yield* TestClock.adjust("1 second")
          yield* Effect.promise(() => new Promise((done) => setImmediate(done)))
        }
        yield* Fiber.interrupt(fiber)
      })
    )
    left("is interrupted while the job is submitted", (provider, server) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Effect.ignore(partsOf(provider, request(protocol, "whole"))))
        yield* server.arrived(1)
        yield* Fiber.interrupt(fiber)
      })
    )
    left("takes one part", (provider) =>
      Effect.ignore(
        Effect.scoped(
          Effect.flatMap(provider.call(request(protocol, "live")), (reply) =>
            reply._tag === "Live" ? Stream.runHead(reply.parts) : Effect.void
          )
        )
      )
    )
    left("never reads the reply", (provider) => Effect.ignore(Effect.scoped(provider.call(request(protocol, "live")))))
  })
}

describe("a queue that hangs", () => {
  for (const protocol of protocols) {
    it.effect(`${protocol.name}: when a job is submitted, and when it is asked after`, () =>
      Effect.gen(function* () {
        const server = yield* serve(() => ({ hang: true }))
        const provider = yield* protocol.make(server.url)
        const fiber = yield* Effect.forkChild(Effect.flip(Effect.scoped(provider.call(request(protocol, "live")))))
        yield* server.arrived(1)
        yield* TestClock.adjust(Timeouts.defaults.connect)
        expect((yield* Fiber.join(fiber)).reason).toMatchObject({ _tag: "Timeout", phase: "connect" })

        const asked = yield* serve(protocol.play(["queued", { hang: true }, "done"]))
        const patient = yield* protocol.make(asked.url)
        const drawn = yield* Effect.forkChild(partsOf(patient, request(protocol, "whole")))
        while (asked.seen.length < 2) {
          if (inFlight === 0) yield* TestClock.adjust("1 second")
          yield* Effect.promise(() => new Promise((done) => setImmediate(done)))
        }
        yield* TestClock.adjust(Timeouts.defaults.connect)
        expect(success(yield* running(drawn))).toHaveLength(2)
      })
    )
  }
})

describe("fal's names", () => {
  it.effect("a job of a workflow is asked after under its whole name", () =>
    Effect.gen(function* () {
      const server = yield* serve(({ method, path }) =>
        method === "POST"
          ? { json: { request_id: "job-1" } }
          : path.endsWith("/status")
            ? { json: { status: "COMPLETED" } }
            : { json: { images: [{ url: `data:image/png;base64,${png}` }] } }
      )
      const provider = yield* fal.make(server.url)
      const asked = { ...request(fal, "whole"), model: "workflows/acme/poster" }
      success(yield* running(yield* Effect.forkChild(partsOf(provider, asked))))
      expect(server.seen[1]!.path).toBe("/workflows/acme/poster/requests/job-1/status")
    })
  )
})

describe("pictures", () => {
  const output = (images: unknown, more: object = {}): Played => ({ json: { images, ...more } })
  const drawn = (
    images: (url: string) => unknown,
    more: object = {},
    file: Played = { bytes, mediaType: "image/png" }
  ) =>
    Effect.gen(function* () {
      const server = yield* serve(({ method, path }, _, url) =>
        path.startsWith("/files/")
          ? file
          : method === "POST"
            ? { json: { request_id: "job-1" } }
            : path.endsWith("/status")
              ? { json: { status: "COMPLETED" } }
              : output(images(url), more)
      )
      const provider = yield* fal.make(server.url)
      const exit = yield* running(yield* Effect.forkChild(partsOf(provider, request(fal, "whole", { count: 2 }))))
      return { exit, server }
    })

  it.effect("come in the answer itself, or from elsewhere, without the key", () =>
    Effect.gen(function* () {
      const elsewhere = yield* serve(() => ({ bytes, mediaType: "application/octet-stream" }))
      const { exit, server } = yield* drawn((url) => [
        { url: `data:image/png;base64,${png}` },
        { url: `${elsewhere.url}/x` },
        { url: `${url}/files/1` }
      ])
      expect(success(exit).filter((part) => part.type === "file")).toHaveLength(3)
      expect(elsewhere.seen[0]!.headers.authorization).toBeUndefined()
      expect(server.seen.find(({ path }) => path.startsWith("/files"))!.headers.authorization).toContain(key)
    })
  )

  it.effect("that are flagged are left out; when all are, the call was filtered", () =>
    Effect.gen(function* () {
      const two = (url: string) => [{ url: `${url}/files/1` }, { url: `${url}/files/2` }]
      const some = success((yield* drawn(two, { has_nsfw_concepts: [true, false] })).exit)
      expect(some.map((part) => part.type)).toEqual(["file", "finish"])
      expect(Part.interlock(some[1]!)["filtered"]).toBe(1)
      const none = yield* drawn(two, { has_nsfw_concepts: [true, true] })
      expect(failure(none.exit).reason._tag).toBe("ContentFiltered")
    })
  )

  it.effect("that are none are no answer", () =>
    Effect.gen(function* () {
      const one = (url: string) => [{ url: `${url}/files/1` }]
      for (const { exit } of [
        yield* drawn(() => []),
        yield* drawn(() => [{ url: "file:///etc/passwd" }]),
        yield* drawn(() => [{ url: "https://" }]),
        yield* drawn(() => [{ url: "http://[::1" }]),
        yield* drawn(one, {}, { html: "<html></html>" }),
        yield* drawn(one, {}, { half: "a long text that is cut" })
      ]) {
        expect(["InvalidAnswer", "Network"]).toContain(failure(exit).reason._tag)
      }
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------
// Webhooks
// ---------------------------------------------------------------------------------------------------------------

const { privateKey, publicKey } = generateKeyPairSync("ed25519")
const x = publicKey.export({ format: "jwk" }).x!
const falKeys = Layer.succeed(Fal.Keys, { all: Effect.succeed([x]), renewed: Effect.succeed([x]) })
const secret = `whsec_${Buffer.from("a secret of some length").toString("base64")}`

const byFal = (body: string, at: number, signer = privateKey): Webhook.Incoming => {
  const digest = createHash("sha256").update(body).digest("hex")
  return {
    body,
    headers: {
      "X-Fal-Webhook-Request-Id": "r",
      "X-Fal-Webhook-User-Id": "u",
      "X-Fal-Webhook-Timestamp": String(at),
      "X-Fal-Webhook-Signature": sign(null, Buffer.from(`r\nu\n${at}\n${digest}`), signer).toString("hex")
    }
  }
}

const byReplicate = (body: string, at: number, with_ = secret): Webhook.Incoming => ({
  body,
  headers: {
    "webhook-id": "w",
    "webhook-timestamp": String(at),
    "webhook-signature": `v1,AAAA v1,${createHmac("sha256", Buffer.from(with_.slice(6), "base64"))
      .update(`w.${at}.${body}`)
      .digest("base64")}`
  }
})

const receivers = {
  fal: {
    signed: byFal,
    receive: (incoming: Webhook.Incoming) => Fal.receive(incoming),
    body: (url: string) =>
      JSON.stringify({ request_id: "job-1", status: "OK", payload: { images: [{ url: `${url}/files/1` }] } }),
    bad: JSON.stringify({ request_id: "job-1", status: "ERROR", error: `NSFW ${canary}` })
  },
  replicate: {
    signed: byReplicate,
    receive: (incoming: Webhook.Incoming) => Replicate.receive(incoming, { secret: Redacted.make(secret) }),
    body: (url: string) => JSON.stringify({ id: "job-1", status: "succeeded", output: `${url}/files/1` }),
    bad: JSON.stringify({ id: "job-1", status: "failed", error: `flagged as sensitive: ${canary}` })
  }
}

const now = 1_800_000_000
const inbox = Layer.mergeAll(Webhook.layerInbox(), falKeys)

for (const protocol of protocols) {
  const { bad, body, receive, signed } = receivers[protocol.name]
  describe(`webhooks of ${protocol.name}`, () => {
    it.effect("end the wait, before or after it has begun; a second one changes nothing", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(now * 1000)
        for (const early of [false, true]) {
          const mailbox = yield* Webhook.Inbox
          const server = yield* serve(protocol.play(["queued"]))
          const provider = yield* protocol.make(server.url, {
            webhook: { url: "https://app.example/hook", inbox: mailbox }
          })
          if (early) yield* receive(signed(body(server.url), now))
          const fiber = yield* Effect.forkChild(partsOf(provider, request(protocol, "live")))
          yield* server.arrived(1)
          if (!early) yield* receive(signed(body(server.url), now))
          const parts = yield* Fiber.join(fiber)
          expect(parts.map((part) => part.type)).toEqual(["response-metadata", "file", "finish"])
          expect(server.seen.filter(protocol.isStatus)).toHaveLength(0)
          expect(server.seen.filter(protocol.isCancel)).toHaveLength(0)
          const [submit] = server.seen
          if (protocol.name === "fal") {
            expect(new URL(submit!.path, server.url).searchParams.get("fal_webhook")).toBe("https://app.example/hook")
          } else {
            expect(submit!.body).toMatchObject({
              webhook: "https://app.example/hook",
              webhook_events_filter: ["completed"]
            })
          }
        }
      }).pipe(Effect.provide(inbox))
    )

    it.effect("say that the job failed", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(now * 1000)
        const mailbox = yield* Webhook.Inbox
        const server = yield* serve(protocol.play(["queued"]))
        const provider = yield* protocol.make(server.url, {
          webhook: { url: "https://app.example/hook", inbox: mailbox }
        })
        const fiber = yield* Effect.forkChild(Effect.flip(partsOf(provider, request(protocol, "live"))))
        yield* server.arrived(1)
        yield* receive(signed(bad, now))
        const error = yield* Fiber.join(fiber)
        expect(error.reason._tag).toBe("ContentFiltered")
        expect(JSON.stringify(error)).not.toContain(canary)
      }).pipe(Effect.provide(inbox))
    )

    it.effect("that are lost do not matter: the job is asked after all the same", () =>
      Effect.gen(function* () {
        const mailbox = yield* Webhook.Inbox
        const server = yield* serve(protocol.play(["queued", "done"]))
        const provider = yield* protocol.make(server.url, {
          webhook: { url: "https://app.example/hook", inbox: mailbox }
        })
        const exit = yield* running(
          yield* Effect.forkChild(partsOf(provider, request(protocol, "whole"))),
          "10 seconds"
        )
        expect(success(exit)).toHaveLength(2)
      }).pipe(Effect.provide(inbox))
    )

    const content = body("https://x.example")
    const stranger = generateKeyPairSync("ed25519").privateKey
    const forged =
      protocol.name === "fal"
        ? byFal(content, now, stranger)
        : byReplicate(content, now, `whsec_${Buffer.from("another").toString("base64")}`)
    const without = (incoming: Webhook.Incoming, name: RegExp): Webhook.Incoming => ({
      ...incoming,
      headers: Object.fromEntries(Object.entries(incoming.headers).filter(([header]) => !name.test(header)))
    })
    const refused: ReadonlyArray<readonly [string, Webhook.Incoming, object]> = [
      ["signed by a stranger", forged, { _tag: "WrongSignature" }],
      [
        "with another body",
        { ...signed(content, now), body: content.replace("job-1", "job-2") },
        { _tag: "WrongSignature" }
      ],
      [
        "with a signature of nonsense",
        {
          ...signed(content, now),
          headers: {
            ...signed(content, now).headers,
            "X-Fal-Webhook-Signature": "zz",
            "webhook-signature": "v2,zz v1 v1,"
          }
        },
        { _tag: "WrongSignature" }
      ],
      ["six minutes old", signed(content, now - 360), { _tag: "StaleTimestamp", ageSeconds: 360 }],
      ["from the future", signed(content, now + 360), { _tag: "StaleTimestamp", ageSeconds: -360 }],
      ["without its time", without(signed(content, now), /timestamp/i), { _tag: "MissingHeader" }],
      ["without its signature", without(signed(content, now), /signature/i), { _tag: "MissingHeader" }],
      ["whose body is no JSON", signed("<html>", now), { _tag: "UnreadableBody" }],
      ["about no job", signed("{}", now), { _tag: "UnreadableBody" }]
    ]
    for (const [name, incoming, reason] of refused) {
      it.effect(`${name} are refused, and reach no call`, () =>
        Effect.gen(function* () {
          yield* TestClock.setTime(now * 1000)
          const error = yield* Effect.flip(receive(incoming))
          expect(error).toMatchObject({ _tag: "WebhookRefused", provider: protocol.name, reason })
          const mailbox = yield* Webhook.Inbox
          const waiting = yield* Effect.forkChild(mailbox.wait(protocol.name, "job-1"))
          yield* Effect.yieldNow
          expect(waiting.pollUnsafe()).toBeUndefined()
          yield* Fiber.interrupt(waiting)
        }).pipe(Effect.provide(inbox))
      )
    }
  })
}

describe("a webhook of fal's without its payload", () => {
  it.effect("does not lose a picture that was made: it is asked for", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now * 1000)
      const mailbox = yield* Webhook.Inbox
      const server = yield* serve(fal.play(["queued", "done"]))
      const provider = yield* fal.make(server.url, { webhook: { url: "https://app.example/hook", inbox: mailbox } })
      const said = { request_id: "job-1", status: "OK", payload: null, payload_error: "too large" }
      const fiber = yield* Effect.forkChild(partsOf(provider, request(fal, "whole")))
      yield* server.arrived(1)
      yield* Fal.receive(byFal(JSON.stringify(said), now))
      expect(success(yield* running(fiber, "10 seconds")).map((part) => part.type)).toEqual(["file", "finish"])
      expect(server.seen.filter(fal.isStatus)).toHaveLength(1)
    }).pipe(Effect.provide(inbox))
  )
})

describe("fal's keys", () => {
  it.effect("are fetched once a day; without them nothing is accepted", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now * 1000)
      const server = yield* serve((_, index) =>
        index === 0 ? { status: 503, json: {} } : { json: { keys: [{ kty: "OKP", crv: "Ed25519", x }] } }
      )
      yield* Effect.gen(function* () {
        const body = receivers.fal.body("https://x.example")
        expect(yield* Effect.flip(Fal.receive(byFal(body, now)))).toMatchObject({ reason: { _tag: "NoKeys" } })
        yield* Fal.receive(byFal(body, now))
        yield* Fal.receive(byFal(body, now))
        expect(server.seen).toHaveLength(2)
        yield* TestClock.adjust("25 hours")
        yield* Fal.receive(byFal(body, now + 25 * 3600))
        expect(server.seen).toHaveLength(3)
      }).pipe(Effect.provide(Layer.merge(Webhook.layerInbox(), Fal.layerKeys({ url: server.url }))))
    })
  )
})

describe("fal's keys that are exchanged", () => {
  it.effect("are fetched anew for a signature that none of the known holds, once a minute at most", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now * 1000)
      const later = generateKeyPairSync("ed25519")
      const listed = (key: typeof publicKey) => ({ kty: "OKP", crv: "Ed25519", x: key.export({ format: "jwk" }).x! })
      const server = yield* serve((_, index) => ({
        json: { keys: index === 0 ? [listed(publicKey)] : [listed(publicKey), listed(later.publicKey)] }
      }))
      yield* Effect.gen(function* () {
        const body = receivers.fal.body("https://x.example")
        const stranger = byFal(body, now, generateKeyPairSync("ed25519").privateKey)
        yield* Fal.receive(byFal(body, now))
        yield* TestClock.adjust("2 minutes")
        yield* Fal.receive(byFal(body, now, later.privateKey))
        expect(server.seen).toHaveLength(2)
        for (let turn = 0; turn < 3; turn++) {
          expect(yield* Effect.flip(Fal.receive(stranger))).toMatchObject({ reason: { _tag: "WrongSignature" } })
        }
        expect(server.seen).toHaveLength(2)
      }).pipe(Effect.provide(Layer.merge(Webhook.layerInbox(), Fal.layerKeys({ url: server.url }))))
    })
  )
})

describe("webhooks that were forged", () => {
  it.effect("make one request for fal's keys a minute, many at once too, and where fal does not answer", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now * 1000)
      const server = yield* serve((_, index) =>
        index === 0 ? { json: { keys: [{ kty: "OKP", crv: "Ed25519", x }] } } : { status: 503, json: {} }
      )
      yield* Effect.gen(function* () {
        const body = receivers.fal.body("https://x.example")
        const stranger = Effect.flip(Fal.receive(byFal(body, now, generateKeyPairSync("ed25519").privateKey)))
        yield* Fal.receive(byFal(body, now))
        yield* TestClock.adjust("2 minutes")
        const refused = yield* Effect.all([stranger, stranger, stranger], { concurrency: "unbounded" })
        expect(refused.map(({ reason }) => reason._tag)).toEqual(["NoKeys", "WrongSignature", "WrongSignature"])
        expect(yield* stranger).toMatchObject({ reason: { _tag: "WrongSignature" } })
        yield* Fal.receive(byFal(body, now))
        expect(server.seen).toHaveLength(2)
        yield* TestClock.adjust("1 minute")
        yield* stranger
        expect(server.seen).toHaveLength(3)
      }).pipe(Effect.provide(Layer.merge(Webhook.layerInbox(), Fal.layerKeys({ url: server.url }))))
    })
  )
})

describe("the inbox", () => {
  it.effect("keeps no more unasked deliveries than it may, and never drops one that is waited for", () =>
    Effect.gen(function* () {
      const mailbox = yield* Webhook.Inbox
      const waiting = yield* Effect.forkChild(mailbox.wait("fal", "waited"), { startImmediately: true })
      for (let job = 0; job < 10; job++) yield* mailbox.deliver("fal", `job-${job}`, job)
      yield* mailbox.deliver("fal", "waited", "here")
      expect(yield* Fiber.join(waiting)).toBe("here")
      expect(yield* mailbox.wait("fal", "job-9")).toBe(9)
      const old = yield* Effect.forkChild(mailbox.wait("fal", "job-0"), { startImmediately: true })
      expect(old.pollUnsafe()).toBeUndefined()
      yield* Fiber.interrupt(old)
    }).pipe(Effect.provide(Webhook.layerInbox({ keep: 3 })))
  )
})

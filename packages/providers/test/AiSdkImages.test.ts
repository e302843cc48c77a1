import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import type { ImageModelV4, ImageModelV4CallOptions } from "@ai-sdk/provider"
import { describe, expect, it } from "@effect/vitest"
import { Pipeline, Stage } from "@interlock/core"
import {
  Catalogue,
  Cost,
  Image,
  ImageRequest,
  Journal,
  Parameters,
  type Part,
  Prompt,
  SafePrompt,
  type Settings
} from "@interlock/model"
import { AiSdk, AiSdkImages, GoogleImages, type Models, Timeouts } from "@interlock/providers"
import { ConfigProvider, Context, Deferred, Duration, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { canary, deliveries, key, safe } from "./fixture.ts"
import { partsOf } from "./images.ts"
import { frame, type Played, png, serve } from "./imageWire.ts"

const request = (
  provider: string,
  delivery: "whole" | "live",
  image: Settings["image"] = {},
  prompt: Prompt.Prompt = Prompt.make(`a tree, ${canary}`)
): Models.ModelRequest => ({
  provider,
  model: "wire-1",
  prompt: safe(prompt),
  settings: { image },
  delivery
})

const fold = (parts: ReadonlyArray<Part.Part>) => parts.reduce(Image.protocol.append, Image.empty)

const withPictures = Prompt.make([
  {
    role: "user",
    content: [
      { type: "text", text: "at night" },
      ImageRequest.reference("image/png", png),
      ImageRequest.reference("image/png", "https://example.com/a.png"),
      ImageRequest.mask("image/png", Buffer.from(png, "base64"))
    ]
  }
])

const fake = (more: Partial<ImageModelV4> = {}) => {
  const seen: Array<ImageModelV4CallOptions> = []
  const model: ImageModelV4 = {
    specificationVersion: "v4",
    provider: "fake",
    modelId: "wire-1",
    maxImagesPerCall: 2,
    doGenerate: (options) => {
      seen.push(options)
      return Promise.resolve({
        images: Array.from({ length: options.n }, () => png),
        warnings: options.seed === undefined ? [] : [{ type: "unsupported", feature: "seed" }],
        usage: { inputTokens: 3, outputTokens: 5, totalTokens: 8 },
        response: { timestamp: new Date(0), modelId: "wire-1", headers: undefined }
      })
    },
    ...more
  }
  return { seen, model, provider: AiSdkImages.provider("fake", () => model) }
}

describe("any image model of the AI SDK", () => {
  it.effect("is asked for all that is asked, in as many requests as it takes", () =>
    Effect.gen(function* () {
      const { provider, seen } = fake()
      const asked = request("fake", "whole", { count: 5, size: "64x64", seed: 7 }, withPictures)
      const whole = fold(yield* partsOf(provider, asked))
      expect(whole.images.map((one) => one.index)).toEqual([0, 1, 2, 3, 4])
      expect(whole.usage).toEqual({ inputTokens: { total: 9 }, outputTokens: { total: 15 } })
      expect(whole.metadata["warnings"]).toHaveLength(3)
      expect(seen.map(({ n }) => n)).toEqual([2, 2, 1])
      // The same seed in each would give the same pictures again.
      expect(seen.map(({ seed }) => seed)).toEqual([7, 9, 11])
      expect(seen[0]).toMatchObject({
        prompt: "at night",
        size: "64x64",
        seed: 7,
        files: [
          { type: "file", mediaType: "image/png", data: png },
          { type: "url", url: "https://example.com/a.png" }
        ],
        mask: { type: "file", data: png }
      })
      const live = yield* partsOf(provider, { ...asked, delivery: "live" })
      expect(fold(live)).toEqual(whole)
    })
  )

  it.effect(
    "a picture that was asked for alone has the seed that it was asked for with, where the model heeds it",
    () =>
      Effect.gen(function* () {
        const heeding = (warnings: Awaited<ReturnType<ImageModelV4["doGenerate"]>>["warnings"]) =>
          fake({
            maxImagesPerCall: 1,
            doGenerate: async () => ({
              images: [png],
              warnings,
              response: { timestamp: new Date(0), modelId: "wire-1", headers: undefined }
            })
          }).provider
        const most = 2 ** 31 - 1
        const asked = request("fake", "whole", { count: 3, seed: most - 1 })
        const { images } = fold(yield* partsOf(heeding([]), asked))
        expect(images.map(({ seed }) => seed)).toEqual([most - 1, most, 0])
        const ignored = fold(yield* partsOf(heeding([{ type: "unsupported", feature: "seed" }]), asked))
        expect(ignored.images.map(({ seed }) => seed)).toEqual([undefined, undefined, undefined])
      })
  )

  it.effect("bytes, and limits that are functions", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(Buffer.from(png, "base64"))
      const { provider } = fake({
        maxImagesPerCall: async () => undefined,
        doGenerate: async ({ n }) => ({
          images: Array.from({ length: n }, () => bytes),
          warnings: [],
          response: { timestamp: new Date(0), modelId: "wire-1", headers: undefined }
        })
      })
      const parts = yield* partsOf(provider, request("fake", "whole", { count: 3 }))
      expect(fold(parts).images.map(({ data }) => data)).toEqual([png, png, png])
    })
  )

  it.effect("no picture, nonsense, and a model that cannot be made", () =>
    Effect.gen(function* () {
      const answering = (images: Array<string>) =>
        fake({
          doGenerate: async () => ({
            images,
            warnings: [],
            response: { timestamp: new Date(0), modelId: "wire-1", headers: undefined }
          })
        }).provider
      for (const provider of [
        answering([]),
        answering(["bm8gcGljdHVyZQ=="]),
        AiSdkImages.provider("fake", () => {
          throw new Error("no such model")
        })
      ]) {
        for (const delivery of deliveries) {
          const error = yield* Effect.flip(Effect.scoped(provider.call(request("fake", delivery))))
          expect(error.reason._tag).toBe("InvalidAnswer")
        }
      }
    })
  )

  it.effect("a deadline and an interrupt abort it", () =>
    Effect.gen(function* () {
      for (const end of ["deadline", "interrupt"] as const) {
        const asked = yield* Deferred.make<AbortSignal>()
        const { provider } = fake({
          doGenerate: ({ abortSignal }) => {
            Deferred.doneUnsafe(asked, Effect.succeed(abortSignal!))
            return new Promise(() => {})
          }
        })
        const fiber = yield* Effect.forkChild(Effect.result(partsOf(provider, request("fake", "whole"))))
        const signal = yield* Deferred.await(asked)
        expect(signal.aborted).toBe(false)
        if (end === "interrupt") yield* Fiber.interrupt(fiber)
        else {
          yield* TestClock.adjust(Timeouts.defaults.whole)
          expect(yield* Fiber.join(fiber)).toMatchObject({
            failure: {
              reason: { _tag: "Timeout", phase: "whole", afterMs: Duration.toMillis(Timeouts.defaults.whole) }
            }
          })
        }
        expect(signal.aborted).toBe(true)
      }
    })
  )

  it.effect("as a handler needs a checked request, and is recorded", () =>
    Effect.gen(function* () {
      const check = Stage.derive(
        "check",
        { needs: { prompt: SafePrompt, settings: Parameters }, adds: ImageRequest.ImageRequest },
        Effect.fnUntraced(function* ({ prompt, settings }) {
          const entry = yield* (yield* Catalogue.Catalogue).get("offline", "offline-image")
          return yield* ImageRequest.check(entry, prompt, settings.image)
        })
      )
      const start = Pipeline.make("one", { input: [SafePrompt, Parameters], protocol: Image.protocol })
      const { model } = fake()
      // @ts-expect-error nothing has checked the request
      expect(() => start.to(AiSdkImages.handler(model))).toThrow("ImageRequest")
      const journal = Journal.make()
      const facts = SafePrompt.context(safe(Prompt.make("a tree"))).pipe(
        Context.add(Parameters, { image: { count: 2 } })
      )
      const { images } = yield* start
        .use(check)
        .to(AiSdkImages.handler(model))
        .run(facts)
        .pipe(Effect.provideService(Journal.Journal, journal), Effect.provide(Catalogue.layer))
      expect(images).toHaveLength(2)
      expect(journal.events()).toMatchObject([{ _tag: "Attempt", provider: "fake", outcome: "answered" }])
    })
  )
})

const compatible = (url: string) =>
  AiSdkImages.provider("compatible", (model) =>
    createOpenAICompatible({ name: "compatible", baseURL: `${url}/v1`, apiKey: key, fetch: AiSdk.fetch }).imageModel(
      model
    )
  )

const google = (url: string) =>
  Effect.orDie(
    GoogleImages.provider({ baseUrl: `${url}/v1beta` }).pipe(
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ GEMINI_API_KEY: key })))
    )
  )

const failing = (
  kind: "compatible" | "google",
  name: string,
  played: Played,
  reason: object,
  ways: ReadonlyArray<"whole" | "live"> = deliveries
) => {
  for (const delivery of ways) {
    it.effect(`${name}, ${delivery}`, () =>
      Effect.gen(function* () {
        const server = yield* serve(() => played)
        const provider = kind === "google" ? yield* google(server.url) : compatible(server.url)
        const error = yield* Effect.flip(partsOf(provider, request(kind, delivery)))
        expect(error).toMatchObject({ provider: kind, model: "wire-1", reason })
        const said = `${JSON.stringify(error)} ${String(error)} ${error.stack}`
        expect(said).not.toContain(key)
        expect(said).not.toContain(canary)
        expect(server.seen).toHaveLength(1)
      })
    )
  }
}

describe("over the wire of OpenAI, through the AI SDK", () => {
  it.effect("a picture", () =>
    Effect.gen(function* () {
      const server = yield* serve(() => ({ json: { data: [{ b64_json: png }] } }))
      const parts = yield* partsOf(compatible(server.url), request("compatible", "whole", { size: "64x64" }))
      expect(fold(parts).images).toEqual([{ index: 0, mediaType: "image/png", data: png }])
      expect(server.seen[0]).toMatchObject({ path: "/v1/images/generations", body: { n: 1, size: "64x64" } })
    })
  )
  failing("compatible", "a refused key", { status: 401, json: { error: { message: key } } }, { _tag: "RefusedKey" })
  failing(
    "compatible",
    "429",
    { status: 429, json: {}, headers: { "retry-after": "5" } },
    { _tag: "RateLimited", retryAfterMs: 5000 }
  )
  failing("compatible", "503", { status: 503, json: {} }, { _tag: "Overloaded", status: 503 })
  failing(
    "compatible",
    "a filtered prompt",
    { status: 400, json: { error: { message: canary, code: "content_policy_violation" } } },
    { _tag: "ContentFiltered" }
  )
  failing("compatible", "no JSON", { html: "<html></html>" }, { _tag: "InvalidAnswer" })
})

describe("Gemini", () => {
  const usageMetadata = { promptTokenCount: 4, candidatesTokenCount: 1290, totalTokenCount: 1294 }
  const chunk = (parts: ReadonlyArray<object>, more: object = {}) => ({
    candidates: [{ content: { role: "model", parts }, ...more }]
  })
  const picture = { inlineData: { mimeType: "image/png", data: png } }
  const whole = { ...chunk([{ text: "Here it is. " }, picture], { finishReason: "STOP" }), usageMetadata }
  const stream: Played = {
    frames: [
      frame(chunk([{ text: "Here it is. " }])),
      frame({ ...chunk([picture], { finishReason: "STOP" }), usageMetadata })
    ]
  }

  for (const delivery of deliveries) {
    it.effect(`draws and speaks, ${delivery}`, () =>
      Effect.gen(function* () {
        const server = yield* serve(() => (delivery === "whole" ? { json: whole } : stream))
        const prompt = Prompt.make([
          { role: "user", content: [{ type: "text", text: "at night" }, ImageRequest.reference("image/png", png)] }
        ])
        const asked = request("google", delivery, { aspectRatio: "16:9", seed: 3 }, prompt)
        const { images, text, usage } = fold(yield* partsOf(yield* google(server.url), asked))
        expect(images).toEqual([{ index: 0, mediaType: "image/png", data: png }])
        expect(text).toBe("Here it is. ")
        expect(usage.outputTokens.total).toBe(1290)
        expect(server.seen[0]!.body).toMatchObject({
          contents: [
            { role: "user", parts: [{ text: "at night" }, { inlineData: { mimeType: "image/png", data: png } }] }
          ],
          generationConfig: { responseModalities: ["TEXT", "IMAGE"], imageConfig: { aspectRatio: "16:9" }, seed: 3 }
        })
        expect(server.seen[0]!.headers["x-goog-api-key"]).toBe(key)
      })
    )
  }

  for (const delivery of deliveries) {
    it.effect(`bills pictures and words each at their price, ${delivery}`, () =>
      Effect.gen(function* () {
        const catalogue = yield* Catalogue.Catalogue
        const entry = yield* catalogue.get("google", "gemini-3.1-flash-image")
        const told = {
          ...usageMetadata,
          candidatesTokenCount: 1300,
          candidatesTokensDetails: [
            { modality: "IMAGE", tokenCount: 1290 },
            { modality: "TEXT", tokenCount: 10 }
          ]
        }
        for (const [usage, images, words] of [
          [told, 1290, 10],
          [usageMetadata, 1290, 0]
        ] as const) {
          const ends = { ...chunk([picture], { finishReason: "STOP" }), usageMetadata: usage }
          const server = yield* serve(() => (delivery === "whole" ? { json: ends } : { frames: [frame(ends)] }))
          const parts = yield* partsOf(yield* google(server.url), request("google", delivery))
          const cost = Cost.ofSeen(entry, { prompt: "at night", parts, at: 0 })
          expect(cost).toMatchObject({
            basis: "reported",
            usd: expect.closeTo((4 * 0.5 + images * 60 + words * 3) / 1e6, 12)
          })
        }
      }).pipe(Effect.provide(Catalogue.layer))
    )
  }

  it.effect("refuses what it cannot do when nobody checked, before the call", () =>
    Effect.gen(function* () {
      const server = yield* serve(() => ({ json: whole }))
      const provider = yield* google(server.url)
      for (const asked of [request("google", "whole", { count: 2 }), request("google", "whole", {}, withPictures)]) {
        expect(yield* Effect.flip(partsOf(provider, asked))).toMatchObject({ reason: { _tag: "BadRequest" } })
      }
      expect(server.seen).toHaveLength(0)
    })
  )

  failing(
    "google",
    "a refused key",
    {
      status: 400,
      json: {
        error: {
          code: 400,
          message: `API key not valid ${key}`,
          status: "INVALID_ARGUMENT",
          details: [{ reason: "API_KEY_INVALID" }]
        }
      }
    },
    { _tag: "RefusedKey" }
  )
  failing(
    "google",
    "429 with RetryInfo",
    { status: 429, json: { error: { code: 429, status: "RESOURCE_EXHAUSTED", details: [{ retryDelay: "2s" }] } } },
    { _tag: "RateLimited", retryAfterMs: 2000 }
  )
  failing("google", "503", { status: 503, json: {} }, { _tag: "Overloaded", status: 503 })
  failing(
    "google",
    "a blocked prompt",
    { json: { promptFeedback: { blockReason: "SAFETY" } } },
    { _tag: "ContentFiltered" },
    ["whole"]
  )
  failing(
    "google",
    "a filtered picture",
    { json: { ...chunk([], { finishReason: "IMAGE_SAFETY" }), usageMetadata } },
    { _tag: "ContentFiltered" },
    ["whole"]
  )
  failing(
    "google",
    "a filtered picture",
    { frames: [frame({ ...chunk([], { finishReason: "IMAGE_SAFETY" }), usageMetadata })] },
    { _tag: "ContentFiltered" },
    ["live"]
  )
  failing(
    "google",
    "a filtered picture after words",
    {
      frames: [
        frame(chunk([{ text: "I would" }])),
        frame({ ...chunk([], { finishReason: "IMAGE_SAFETY" }), usageMetadata })
      ]
    },
    { _tag: "ContentFiltered" },
    ["live"]
  )
  failing(
    "google",
    "words and no picture",
    { json: { ...chunk([{ text: "I cannot" }], { finishReason: "STOP" }), usageMetadata } },
    { _tag: "InvalidAnswer" },
    ["whole"]
  )
  failing(
    "google",
    "words and no picture",
    { frames: [frame({ ...chunk([{ text: "I cannot" }], { finishReason: "STOP" }), usageMetadata })] },
    { _tag: "InvalidAnswer" },
    ["live"]
  )
  failing("google", "a malformed event", { frames: ['data: {"candidates": \n\n'] }, { _tag: "InvalidAnswer" }, ["live"])
  failing(
    "google",
    "a stream cut in the middle",
    { frames: [frame(chunk([picture]))], then: "cut" },
    { _tag: "Network" },
    ["live"]
  )
  failing("google", "an answer cut in half", { half: whole }, { _tag: "Network" }, ["whole"])

  it.effect("a caller who leaves closes the connection", () =>
    Effect.gen(function* () {
      const server = yield* serve(() => ({ frames: [frame(chunk([picture]))], then: "hang" }))
      const provider = yield* google(server.url)
      yield* Effect.scoped(
        Effect.flatMap(provider.call(request("google", "live")), (reply) =>
          reply._tag === "Live" ? Stream.runHead(reply.parts) : Effect.void
        )
      )
      yield* server.left
    })
  )
})

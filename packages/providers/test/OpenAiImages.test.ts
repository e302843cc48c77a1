import { describe, expect, it } from "@effect/vitest"
import { Image, ImageRequest, Part, Prompt, type Settings } from "@interlock/model"
import { Models, OpenAi, OpenAiImages, Timeouts } from "@interlock/providers"
import { ConfigProvider, Deferred, type Duration, Effect, Fiber, Stream } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { canary, deliveries, key, safe } from "./fixture.ts"
import { partsOf } from "./images.ts"
import { frame, type Played, png, serve } from "./imageWire.ts"

const withKey = Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ OPENAI_API_KEY: key })))

const request = (
  delivery: "whole" | "live",
  image: Settings["image"] = {},
  prompt: Prompt.Prompt = Prompt.make(`a tree, ${canary}`),
  settings: Settings = {}
): Models.ModelRequest => ({
  provider: "openai",
  model: "gpt-image-1.5",
  prompt: safe(prompt),
  settings: { ...settings, image },
  delivery
})

const usage = {
  total_tokens: 30,
  input_tokens: 10,
  output_tokens: 20,
  input_tokens_details: { text_tokens: 6, image_tokens: 4 }
}
const whole = (count = 1) => ({
  created: 1,
  data: Array.from({ length: count }, () => ({ b64_json: png })),
  output_format: "png",
  usage
})
const partial = (step: number, type = "image_generation") =>
  frame(
    { type: `${type}.partial_image`, b64_json: png, partial_image_index: step, output_format: "png" },
    `${type}.partial_image`
  )
const completed = (type = "image_generation") =>
  frame({ type: `${type}.completed`, b64_json: png, output_format: "png", usage }, `${type}.completed`)

const ask = (play: Played, asked: Models.ModelRequest) =>
  Effect.gen(function* () {
    const server = yield* serve(() => play)
    const provider = yield* withKey(OpenAiImages.provider({ baseUrl: `${server.url}/v1` }))
    const exit = yield* Effect.result(partsOf(provider, asked))
    return { server, exit }
  })

const fold = (parts: Iterable<Part.Part>) => [...parts].reduce(Image.protocol.append, Image.empty)

const success = <A, E>(exit: { readonly _tag: string; readonly success?: A; readonly failure?: E }): A => {
  expect(exit._tag, JSON.stringify(exit)).toBe("Success")
  return exit.success!
}

describe("pictures", () => {
  it.effect("whole, with what is asked of them and what they used", () =>
    Effect.gen(function* () {
      const image = { size: "1024x1024", count: 2, quality: "low" } as const
      const settings: Settings = { providerOptions: { openai: { background: "opaque" } } }
      const { exit, server } = yield* ask({ json: whole(2) }, request("whole", image, Prompt.make("a tree"), settings))
      const { images, usage } = fold(success(exit))
      expect(images).toEqual([0, 1].map((index) => ({ index, mediaType: "image/png", data: png })))
      expect(usage).toEqual({ inputTokens: { total: 10 }, outputTokens: { total: 20 } })
      expect(Part.interlock(success(exit).at(-1)!)["imageTokens"]).toEqual({ input: 4, output: 20 })
      const [seen] = server.seen
      expect(seen).toMatchObject({
        method: "POST",
        path: "/v1/images/generations",
        body: {
          model: "gpt-image-1.5",
          prompt: "a tree",
          n: 2,
          size: "1024x1024",
          quality: "low",
          background: "opaque"
        }
      })
      expect(seen!.headers.authorization).toBe(`Bearer ${key}`)
      expect(seen!.headers["traceparent"]).toBeUndefined()
    })
  )

  it.effect("live, with partial images", () =>
    Effect.gen(function* () {
      const frames = [partial(0), partial(1), completed()]
      const { exit, server } = yield* ask({ frames }, request("live", { partialImages: 2 }))
      const parts = success(exit)
      expect(parts.map((part) => Image.eventOf(part) ?? part.type)).toMatchObject([
        { _tag: "Partial", index: 0, step: 0 },
        { _tag: "Partial", index: 0, step: 1 },
        { _tag: "Final", made: { index: 0, data: png } },
        "finish"
      ])
      expect(server.seen[0]!.body).toMatchObject({ stream: true, partial_images: 2 })
    })
  )

  it.effect("live, several: usage is added up", () =>
    Effect.gen(function* () {
      const frames = [partial(0), completed(), partial(0), completed(), frame("[DONE]")]
      const { exit } = yield* ask({ frames }, request("live", { count: 2 }))
      const { images, usage } = fold(success(exit))
      expect(images.map((one) => one.index)).toEqual([0, 1])
      expect(usage.outputTokens.total).toBe(40)
    })
  )

  it.effect("from pictures: an edit, with its mask", () =>
    Effect.gen(function* () {
      const prompt = Prompt.make([
        {
          role: "user",
          content: [
            { type: "text", text: "at night" },
            ImageRequest.reference("image/png", png),
            ImageRequest.mask("image/png", `data:image/png;base64,${png}`)
          ]
        }
      ])
      const { exit, server } = yield* ask({ frames: [completed("image_edit")] }, request("live", {}, prompt))
      expect(fold(success(exit)).images).toHaveLength(1)
      const [seen] = server.seen
      expect(seen!.path).toBe("/v1/images/edits")
      expect(seen!.headers["content-type"]).toContain("multipart/form-data")
      for (const field of ['name="image[]"; filename="0.png"', 'name="mask"; filename="1.png"', "at night"]) {
        expect(seen!.text).toContain(field)
      }
      const url = ImageRequest.reference("image/png", "https://example.com/a.png")
      const far = Prompt.make([{ role: "user", content: [{ type: "text", text: "a" }, url] }])
      const refused = yield* ask({ json: whole() }, request("whole", {}, far))
      expect(refused.exit).toMatchObject({ _tag: "Failure", failure: { reason: { _tag: "BadRequest" } } })
      expect(refused.server.seen).toHaveLength(0)
    })
  )

  it.effect("of DALL·E come whole, and as bytes; its revised prompt is text", () =>
    Effect.gen(function* () {
      const answer = { data: [{ b64_json: png, revised_prompt: "A tall tree" }] }
      const { exit, server } = yield* ask({ json: answer }, { ...request("live"), model: "dall-e-3" })
      expect(fold(success(exit))).toMatchObject({ text: "A tall tree", images: [{ index: 0 }] })
      expect(server.seen[0]!.body).toMatchObject({ response_format: "b64_json" })
      expect(server.seen[0]!.body.stream).toBeUndefined()
    })
  )
})

const failing = (
  name: string,
  played: Played,
  expected: object,
  ways: ReadonlyArray<"whole" | "live"> = deliveries
) => {
  for (const delivery of ways) {
    it.effect(`${name}, ${delivery}`, () =>
      Effect.gen(function* () {
        const { exit, server } = yield* ask(played, request(delivery))
        expect(exit).toMatchObject({
          _tag: "Failure",
          failure: { provider: "openai", model: "gpt-image-1.5", ...expected }
        })
        const said = `${JSON.stringify(exit)} ${String((exit as { failure?: unknown }).failure)}`
        expect(said).not.toContain(key)
        expect(said).not.toContain(canary)
        expect(server.seen).toHaveLength(1)
      })
    )
  }
}

describe("faults", () => {
  const error = (message: string, code: string) => ({ error: { message, code } })
  failing(
    "a refused key",
    { status: 401, json: error(`bad key ${key}`, "invalid_api_key") },
    { reason: { _tag: "RefusedKey" } }
  )
  failing(
    "429 with Retry-After",
    { status: 429, json: {}, headers: { "retry-after": "7" } },
    { reason: { _tag: "RateLimited", retryAfterMs: 7000 } }
  )
  failing(
    "no credit left",
    { status: 429, json: error("no money", "insufficient_quota") },
    { reason: { _tag: "Quota" } }
  )
  failing("503", { status: 503, json: {} }, { reason: { _tag: "Overloaded", status: 503 } })
  failing(
    "a bad request that quotes the prompt",
    { status: 400, json: error(`cannot draw ${canary}`, "invalid_value") },
    { reason: { _tag: "BadRequest", status: 400 } }
  )
  failing(
    "a prompt that is filtered",
    { status: 400, json: error("Your request was rejected by the safety system", "moderation_blocked") },
    { reason: { _tag: "ContentFiltered" } }
  )
  failing("no JSON", { html: "<html></html>" }, { reason: { _tag: "InvalidAnswer" } }, ["whole"])
  failing("no picture", { json: { data: [{}] } }, { reason: { _tag: "InvalidAnswer" } }, ["whole"])
  failing("an answer cut in half", { half: whole() }, { reason: { _tag: "Network" } }, ["whole"])
  failing("a stream without a picture", { html: "<html></html>" }, { reason: { _tag: "Network" } }, ["live"])
  failing("a stream cut before the first part", { frames: [], then: "cut" }, { reason: { _tag: "Network" } }, ["live"])
  failing("malformed events", { frames: ['data: {"type": \n\n'] }, { reason: { _tag: "InvalidAnswer" } }, ["live"])
  failing(
    "an error in the stream",
    { frames: [frame({ type: "error", error: { type: "server_error", message: canary } })] },
    { reason: { _tag: "Overloaded" } },
    ["live"]
  )
  failing(
    "an error after a partial image",
    { frames: [partial(0), frame({ type: "error", error: { code: "moderation_blocked" } })] },
    { reason: { _tag: "ContentFiltered" } },
    ["live"]
  )
  failing(
    "a stream cut after a partial image",
    { frames: [partial(0)], then: "cut" },
    { reason: { _tag: "Network" } },
    ["live"]
  )
  failing("a stream that ends without its picture", { frames: [partial(0)] }, { reason: { _tag: "Network" } }, ["live"])

  it.effect("a missing key is a typed error", () =>
    Effect.gen(function* () {
      const none = ConfigProvider.layer(ConfigProvider.fromUnknown({}))
      expect(yield* Effect.flip(Effect.provide(OpenAiImages.provider(), none))).toMatchObject({
        variable: "OPENAI_API_KEY"
      })
    })
  )
})

const { connect, firstPart, idle, whole: atMost } = Timeouts.defaults

describe("a server that hangs", () => {
  const late = (name: string, delivery: "whole" | "live", played: Played, limit: Duration.Duration, phase: string) =>
    it.effect(name, () =>
      Effect.gen(function* () {
        const server = yield* serve(() => played)
        const head = yield* Deferred.make<void>()
        const client = HttpClient.tap(yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer), () =>
          Deferred.succeed(head, undefined)
        )
        const provider = yield* withKey(OpenAiImages.provider({ baseUrl: server.url })).pipe(
          Effect.provideService(HttpClient.HttpClient, client)
        )
        const heard: Array<Part.Part> = []
        const fiber = yield* Effect.forkChild(
          Effect.flip(
            Effect.scoped(
              Effect.flatMap(provider.call(request(delivery)), (reply) =>
                reply._tag === "Whole"
                  ? Effect.void
                  : Stream.runForEach(reply.parts, (part) => Effect.sync(() => heard.push(part)))
              )
            )
          )
        )
        yield* server.arrived(1)
        if (phase === "idle") while (heard.length === 0) yield* Effect.yieldNow
        else if (phase === "first-part") yield* Deferred.await(head)
        yield* TestClock.adjust(limit)
        expect((yield* Fiber.join(fiber)).reason).toMatchObject({ _tag: "Timeout", phase })
        yield* server.left
      })
    )
  late("whole", "whole", { hang: true }, atMost, "whole")
  late("before the head", "live", { hang: true }, connect, "connect")
  late("before the first event", "live", { frames: [], then: "hang" }, firstPart, "first-part")
  late("between events", "live", { frames: [partial(0)], then: "hang" }, idle, "idle")
})

describe("a caller who leaves", () => {
  for (const delivery of deliveries) {
    it.effect(`closes the connection, ${delivery}`, () =>
      Effect.gen(function* () {
        const server = yield* serve(() =>
          delivery === "whole" ? { hang: true } : { frames: [partial(0)], then: "hang" }
        )
        const provider = yield* withKey(OpenAiImages.provider({ baseUrl: server.url }))
        if (delivery === "live") {
          yield* Effect.scoped(
            Effect.flatMap(provider.call(request("live")), (reply) =>
              reply._tag === "Live" ? Stream.runHead(reply.parts) : Effect.void
            )
          )
        } else {
          const fiber = yield* Effect.forkChild(Effect.scoped(provider.call(request("whole"))))
          yield* server.arrived(1)
          yield* Fiber.interrupt(fiber)
        }
        yield* server.left
      })
    )
  }
})

describe("one provider of both kinds", () => {
  it.effect("sends pictures to the one and conversations to the other", () =>
    Effect.gen(function* () {
      const server = yield* serve(({ path }) =>
        path.includes("images") ? { json: whole() } : { status: 401, json: {} }
      )
      const both = yield* withKey(
        Models.withImages(
          OpenAi.provider({ baseUrl: `${server.url}/v1` }),
          OpenAiImages.provider({ baseUrl: `${server.url}/v1` })
        )
      )
      expect(both.name).toBe("openai")
      yield* partsOf(both, request("whole"))
      const { image: _, ...talk } = request("whole").settings
      yield* Effect.flip(partsOf(both, { ...request("whole"), settings: talk }))
      expect(server.seen.map(({ path }) => path)).toEqual(["/v1/images/generations", "/v1/responses"])
    })
  )
})

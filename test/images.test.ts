/** Image pipelines of the stages made for conversations: their laws, their order, and what the stages do with pictures. */
import { describe, expect, it } from "@effect/vitest"
import { type Handler, Pipeline, Reply } from "@interlock/core"
import {
  Caller,
  Catalogue,
  Image,
  ImageRequest,
  Journal,
  type ModelError,
  Parameters,
  Part,
  Prompt,
  RawPrompt,
  SafePrompt,
  type Settings
} from "@interlock/model"
import { callImageModel, Models, OfflineImageModel } from "@interlock/providers"
import { AuditLog, audit, layerMemory as auditMemory, auditText } from "@interlock/stages/audit"
import { cache } from "@interlock/stages/cache"
import { layerMemory as cacheMemory } from "@interlock/stages/cache/store"
import { checkImageRequest } from "@interlock/stages/checkImageRequest"
import { layerStoreMemory, limit, layer as limits } from "@interlock/stages/limit"
import { redact, redactParameters } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { layerCheapest, selectModelUnclassified } from "@interlock/stages/selectModel"
import { Laws, ScriptedModel } from "@interlock/testing"
import { Context, Effect, Layer, Stream } from "effect"
import fc from "fast-check"

const start = Pipeline.make("pictures", { input: [RawPrompt, Caller, Parameters], protocol: Image.protocol })
const stages = start
  .use(audit)
  .use(selectModelUnclassified)
  .use(redact)
  .use(auditText)
  .use(checkImageRequest)
  .use(cache)
  .use(limit)

const draw = stages.to(callImageModel)

const models = ["offline-sketch", "offline-image"].map((model) => ({ provider: "offline", model }))
const services = Layer.mergeAll(
  auditMemory,
  cacheMemory(),
  Detector.layer,
  Vault.layerMemory,
  layerCheapest({ models }),
  Models.layer([OfflineImageModel.make()]),
  limits({
    limits: [
      { name: "at-once", counts: "concurrent", limit: 2 },
      { name: "dollars", counts: "dollars", limit: 0.02, per: "calendar day", by: ["tenant"] }
    ]
  }).pipe(Layer.provide(layerStoreMemory))
).pipe(Layer.provideMerge(Catalogue.layer))

const facts = (text: string, image: Settings["image"] = {}, tenant = "acme") =>
  RawPrompt.context(Prompt.make(text)).pipe(
    Context.add(Caller, { tenant, subject: "ada" }),
    Context.add(Parameters, { image })
  )

const picture = (word: string) => ({ mediaType: "image/png", data: Buffer.from(word).toString("base64") })

/** Draws what the model says: before the finish comes a picture that is not done yet, and one that is. */
const drawing = (model: Handler.Handler<never, Part.Part, ModelError.ModelError>): typeof model => {
  const draw = (): ((part: Part.Part) => ReadonlyArray<Part.Part>) => {
    let text = ""
    return (part) => {
      if (part.type === "text") text += part.text
      if (part.type === "text-delta") text += part.delta
      if (part.type === "text-start") return [Image.queued(1), Image.progress(0.5), part]
      if (part.type !== "finish") return [part]
      return [
        Image.partial(picture(`half of ${text}`), { index: 0, step: 0 }),
        Image.final({ ...picture(text), index: 0 }),
        part
      ]
    }
  }
  return {
    ...model,
    handle: (facts) =>
      Effect.map(model.handle(facts), (reply) =>
        reply._tag === "Whole"
          ? Reply.whole(reply.parts.flatMap(draw()))
          : Reply.live(Stream.mapAccum(reply.parts, draw, (next, part) => [next, next(part)] as const))
      )
  }
}

let question = 0
const subject = {
  close: (model: Handler.Handler<never, Part.Part, ModelError.ModelError>) => stages.to(drawing(model)),
  protocol: Image.protocol,
  // Each call of its own tenant and question: none is answered from the cache, and none is over the limit.
  facts: (text: string) => facts(`${question++} ${text}`, { count: 1 }, `${question}`),
  examples: 20
}

describe("the laws, on pictures", () => {
  it.effect("unary", () => Laws.unary(subject).pipe(Effect.provide(services)))
  it.effect("chunking", () => Laws.chunking(subject).pipe(Effect.provide(services)))
  it.effect("partial", () => Laws.partial(subject).pipe(Effect.provide(services)))
  it.effect("release", () => Laws.release(subject).pipe(Effect.provide(services)))

  it.effect("one record", () =>
    Laws.oneRecord(
      subject,
      Effect.flatMap(AuditLog, (log) =>
        Stream.runFold(
          log.entries(),
          () => new Set<string>(),
          (known, entry) => known.add(entry.head.call)
        )
      ).pipe(
        Effect.orDie,
        Effect.map((known) => known.size)
      )
    ).pipe(Effect.provide(services))
  )

  it.effect("no leak", () =>
    Laws.noLeak({
      needs: SafePrompt,
      close: (model) => stages.to(model),
      facts: (text) => facts(text, {}, `${question++}`),
      prompts: fc.integer({ min: 10 ** 9, max: 10 ** 10 - 1 }).map((number) => ({
        canary: `user${number}@contoso.org`,
        text: `A red circle for user${number}@contoso.org`
      })),
      examples: 30
    }).pipe(Effect.provide(services))
  )
})

describe("the order of an image pipeline", () => {
  it("is checked by the compiler: these do not compile", () => {
    // @ts-expect-error a handler of image models needs a checked request
    expect(() => start.use(selectModelUnclassified).use(redact).to(callImageModel)).toThrow("ImageRequest")
    // @ts-expect-error the check needs the redacted prompt
    expect(() => start.use(selectModelUnclassified).use(checkImageRequest)).toThrow("SafePrompt")
    // @ts-expect-error the check needs the chosen model
    expect(() => start.use(redact).use(checkImageRequest)).toThrow("ChosenModel")
    // @ts-expect-error the cache needs the redacted prompt
    expect(() => start.use(selectModelUnclassified).use(cache)).toThrow("SafePrompt")
    // @ts-expect-error nobody but the check makes an ImageRequest
    expect(ImageRequest.ImageRequest.context({ count: 1, references: [] })).toBeDefined()
    expect(draw.spec.needs).toHaveLength(3)
  })
})

describe("the stages, on pictures", () => {
  const image = { size: "64x64", seed: 1 } as const

  it.effect("selectModel leaves out what cannot do it, by what is asked of the pictures", () =>
    Effect.gen(function* () {
      const chosen = Effect.fnUntraced(function* (settings: Settings["image"], tenant: string) {
        const journal = Journal.make()
        yield* draw
          .run(facts("a sun", { ...image, ...settings }, tenant))
          .pipe(Effect.provideService(Journal.Journal, journal))
        const event = journal.events().find((one) => one._tag === "Fact" && one.name === "ChosenModel")
        return event?._tag === "Fact" ? event.attributes : {}
      })
      expect(yield* chosen({}, "a")).toMatchObject({
        model: "offline-sketch",
        predictedCostUsd: expect.closeTo(0.004, 4)
      })
      expect(yield* chosen({ count: 4 }, "b")).toMatchObject({ predictedCostUsd: expect.closeTo(0.016, 4) })
      const error = yield* Effect.flip(draw.run(facts("a sun", { count: 5, size: "4096x64" })))
      expect(error).toMatchObject({ _tag: "SelectModelError", reason: "NoCandidate" })
      expect(error.message).toContain(
        "offline/offline-image does not make images with size = 4096x64: allowed is sides from 64 to 2048 pixels"
      )
    }).pipe(Effect.provide(services))
  )

  it.effect("cache: a key holds everything that is asked of the pictures", () =>
    Effect.gen(function* () {
      const model = yield* ScriptedModel.make([
        { parts: [Image.final({ ...picture("one"), index: 0 }), Part.finish("stop")] }
      ])
      const pipeline = start
        .use(selectModelUnclassified)
        .use(redact)
        .use(checkImageRequest)
        .use(cache)
        .to(model.handler)
      const ask = (settings: Settings["image"]) => pipeline.run(facts("a heart", settings))
      const first = yield* ask({ size: "64x64", count: 1, seed: 1 })
      const again = yield* ask({ seed: 1, count: 1, size: "64x64" })
      expect(model.calls()).toBe(1)
      expect(again.images).toEqual(first.images)
      expect(again.metadata).toMatchObject({ costUsd: 0, cache: { outcome: "exact" } })
      const others: ReadonlyArray<Settings["image"]> = [
        { size: "64x64", count: 1, seed: 2 },
        { size: "64x64", count: 2, seed: 1 },
        { size: "64x80", count: 1, seed: 1 },
        { aspectRatio: "1:1", count: 1, seed: 1 },
        { size: "64x64", count: 1, seed: 1, partialImages: 1 },
        { size: "64x64", count: 1 }
      ]
      for (const other of others) yield* ask(other)
      expect(model.calls()).toBe(1 + others.length)
    }).pipe(Effect.provide(services))
  )

  it.effect("limit: reserves and bills the price of the images, and refuses what is over it", () =>
    Effect.gen(function* () {
      yield* draw.run(facts("a star", { ...image, count: 4 }, "spender"))
      const error = yield* Effect.flip(draw.run(facts("a moon", { ...image, count: 2 }, "spender")))
      expect(error).toMatchObject({ _tag: "LimitError", reason: { _tag: "Exceeded", rule: "dollars" } })
      const one = yield* draw.run(facts("a moon", { ...image, count: 1 }, "another"))
      expect(one.metadata["cost"]).toMatchObject({ imagesUsd: expect.closeTo(0.004, 9) })
    }).pipe(Effect.provide(services))
  )

  it.effect("redact and audit: the picture's prompt is redacted, its words restored, and its digest recorded", () =>
    Effect.gen(function* () {
      // As some models do, it says how it understood the prompt.
      const rewriting = Pipeline.handler("rewriting", { needs: { prompt: SafePrompt } }, ({ prompt }) =>
        Effect.succeed(
          Reply.whole<Part.Part>([
            { type: "text", text: `Painted: ${Prompt.text(prompt)}` },
            Image.final({ ...picture("x"), index: 0 }),
            Part.finish("stop")
          ])
        )
      )
      const revised = yield* stages.to(rewriting).run(facts("a circle for alice.liddell@example.com", {}, "words"))
      expect(revised.text).toBe("Painted: a circle for alice.liddell@example.com")

      const { images } = yield* draw.run(facts('a circle, "alice.liddell@example.com"', image, "drawn"))
      expect(images).toHaveLength(1)
      const log = yield* AuditLog
      const records = yield* Stream.runCollect(log.entries()).pipe(Effect.orDie)
      const said = JSON.stringify(records)
      expect(said).toContain("sha256")
      expect(said).not.toContain("alice.liddell")
      expect(said).not.toContain(images[0]!.data.slice(0, 40))
    }).pipe(Effect.provide(services))
  )

  it.effect("redactParameters lets through what is asked of the pictures", () =>
    Effect.gen(function* () {
      const pipeline = start
        .use(selectModelUnclassified)
        .use(redact)
        .use(redactParameters)
        .use(checkImageRequest)
        .to(callImageModel)
      // A seed of ten digits may look like a telephone number.
      const { images } = yield* pipeline.run(facts("a sun", { size: "64x64", seed: 4_155_552_671 }))
      expect(images[0]).toMatchObject({ width: 64, height: 64, seed: 4_155_552_671 })
    }).pipe(Effect.provide(services))
  )

  it.effect("a stream from the cache is the stream that was stored", () =>
    Effect.gen(function* () {
      const given = facts("a diamond", { ...image, partialImages: 1 }, "live")
      const types = (parts: ReadonlyArray<Part.Part>) => parts.map((part) => Image.eventOf(part)?._tag ?? part.type)
      const first = yield* Stream.runCollect(draw.stream(given))
      const second = yield* Stream.runCollect(draw.stream(given))
      expect(types(second)).toEqual(types(first))
      expect(second.at(-1)?.metadata?.["interlock"]).toMatchObject({ cache: { outcome: "exact" } })
    }).pipe(Effect.provide(services))
  )
})

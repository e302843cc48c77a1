import { describe, expect, it } from "@effect/vitest"
import { Catalogue, Chat, Cost, Image, ImageRequest, Part, Prompt } from "@interlock/model"
import { Effect } from "effect"
import fc from "fast-check"

const png = { mediaType: "image/png", data: Buffer.from("not really a picture").toString("base64") }

describe("the fold", () => {
  it("keeps the finished pictures in the order of their indices, and nothing that was only on the way", () => {
    const parts = [
      Image.queued(3),
      Image.queued(),
      Image.progress(0.25),
      Image.partial(png, { index: 1, step: 0 }),
      Image.final({ ...png, index: 1, seed: 8 }),
      { type: "text", text: "a revised prompt" } as const,
      Image.final({ ...png, index: 0, seed: 7, width: 4, height: 2 }),
      Part.annotate(Part.finish("stop", Cost.tokens(3, 5)), { costUsd: 0.5 })
    ]
    const whole = parts.reduce(Image.protocol.append, Image.protocol.empty())
    expect(whole).toEqual({
      images: [
        { ...png, index: 0, seed: 7, width: 4, height: 2 },
        { ...png, index: 1, seed: 8 }
      ],
      text: "a revised prompt",
      finishReason: "stop",
      usage: Cost.tokens(3, 5),
      metadata: { costUsd: 0.5 }
    })
  })

  it("does not depend on what comes between the finished pictures", () => {
    const noise = fc.constantFrom<Part.Part>(
      Image.queued(1),
      Image.progress(0.5),
      Image.partial(png, { index: 0, step: 2 })
    )
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 5 }), fc.integer({ min: 0, max: 3 }), (before, count) => {
        const made = Array.from({ length: count }, (_, index) => Image.final({ ...png, index }))
        const fold = (parts: ReadonlyArray<Part.Part>) => parts.reduce(Image.protocol.append, Image.protocol.empty())
        expect(fold(made.flatMap((part) => [...before, part]))).toEqual(fold(made))
      })
    )
  })

  it("takes a picture of a chat model for finished; a conversation does not count one that is not", () => {
    const drawn: Part.Part = { type: "file", ...png }
    const parts = [Image.partial(png, { index: 0, step: 0 }), drawn, drawn]
    expect(parts.reduce(Image.protocol.append, Image.empty).images.map((one) => one.index)).toEqual([0, 1])
    expect(parts.reduce(Chat.protocol.append, Chat.empty).files).toHaveLength(2)
  })
})

describe("eventOf", () => {
  it("reads what the constructors wrote", () => {
    const { index, ...made } = { ...png, index: 2, seed: 1 }
    expect(
      [
        Image.queued(4),
        Image.queued(),
        Image.progress(0.5),
        Image.progress(),
        Image.partial(png, { index: 1, step: 3 }),
        Image.final({ ...made, index })
      ].map((part) => Image.eventOf(part))
    ).toEqual([
      { _tag: "Queued", position: 4 },
      { _tag: "Queued" },
      { _tag: "Progress", fraction: 0.5 },
      { _tag: "Progress" },
      { _tag: "Partial", index: 1, step: 3, picture: png },
      { _tag: "Final", made: { ...made, index } }
    ])
    expect(Image.eventOf({ type: "text", text: "a" })).toBeUndefined()
    expect(Image.eventOf({ type: "file", mediaType: "application/pdf", data: "" })).toBeUndefined()
    expect(Image.eventOf({ type: "response-metadata", id: "r" })).toBeUndefined()
  })

  it("gives bytes back as they were", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (content) => {
        expect(Image.bytes(Image.fromBytes("image/png", content))).toEqual(content)
      })
    )
  })
})

const check = (model: string, settings: ImageRequest.ImageSettings, prompt: Prompt.Prompt = Prompt.make("a tree")) =>
  Effect.gen(function* () {
    const [provider = "", name = ""] = model.split("/")
    const entry = yield* (yield* Catalogue.Catalogue).get(provider, name)
    return yield* ImageRequest.check(entry, prompt, settings)
  }).pipe(Effect.provide(Catalogue.layer))

const picture = ImageRequest.reference("image/png", png.data)
const cutOut = ImageRequest.mask("image/png", png.data)
const withFiles = (...files: ReadonlyArray<Prompt.FilePart>) =>
  Prompt.make([{ role: "user", content: [{ type: "text", text: "in this style" }, ...files] }])

describe("check", () => {
  const refused: ReadonlyArray<readonly [string, string, string, string, ImageRequest.ImageSettings]> = [
    ["openai/gpt-image-1.5", "size", "800x600", "1024x1024, 1536x1024, 1024x1536", { size: "800x600" }],
    ["openai/gpt-image-1.5", "count", "11", "from 1 to 10", { count: 11 }],
    ["openai/gpt-image-1.5", "count", "0", "a whole number from 1", { count: 0 }],
    ["openai/gpt-image-1.5", "count", "1.5", "a whole number from 1", { count: 1.5 }],
    ["openai/gpt-image-1.5", "seed", "7", "not to set it", { seed: 7 }],
    ["openai/gpt-image-1.5", "quality", "superb", "auto, low, medium, high", { quality: "superb" }],
    ["openai/gpt-image-1.5", "partialImages", "4", "from 0 to 3", { partialImages: 4 }],
    ["google/gemini-2.5-flash-image", "count", "2", "1", { count: 2 }],
    ["google/gemini-3.1-flash-image", "count", "2", "1", { count: 2 }],
    ["google/gemini-3-pro-image", "size", "1024x1024", "not to set it", { size: "1024x1024" }],
    ["google/gemini-2.5-flash-image", "size", "1024x1024", "not to set it", { size: "1024x1024" }],
    ["google/gemini-2.5-flash-image", "seed", "-1", "a whole number from 0", { seed: -1 }],
    ["offline/offline-image", "size", "4096x64", "sides from 64 to 2048 pixels", { size: "4096x64" }],
    [
      "offline/offline-image",
      "size",
      "64xNaN",
      "width and height in pixels, such as 1024x1024",
      { size: "64xNaN" as never }
    ],
    ["offline/offline-image", "aspectRatio", "5:1", "1:1, 2:3, 3:2, 3:4, 4:3, 9:16, 16:9", { aspectRatio: "5:1" }],
    ["openai/gpt-image-1.5", "quality", "18 characters", "one word", { quality: "as Alice likes it." }],
    ["openai/gpt-4o", "model", "gpt-4o", "a model that makes images, and this one makes none", {}]
  ]
  for (const [model, parameter, value, allowed, settings] of refused) {
    it.effect(`${model} refuses ${parameter} = ${value}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(check(model, settings))
        expect(error).toMatchObject({ _tag: "InvalidImageRequest", parameter, value, allowed })
        expect(error.message).toContain(
          `${model} does not make images with ${parameter} = ${value}: allowed is ${allowed}`
        )
      })
    )
  }

  it.effect("refuses size beside aspectRatio, a mask alone, and pictures where none are read", () =>
    Effect.gen(function* () {
      const both = yield* Effect.flip(check("offline/offline-image", { size: "64x64", aspectRatio: "1:1" }))
      expect(both).toMatchObject({ parameter: "aspectRatio", allowed: "size or aspectRatio, not both" })
      const alone = yield* Effect.flip(check("openai/gpt-image-1.5", {}, withFiles(cutOut)))
      expect(alone).toMatchObject({ parameter: "mask" })
      const blind = yield* Effect.flip(check("offline/offline-image", {}, withFiles(picture)))
      expect(blind).toMatchObject({ parameter: "references", value: "1 pictures", allowed: "not to set it" })
    })
  )

  it.effect("yields the whole request: settings, count, references and mask", () =>
    Effect.gen(function* () {
      const asked = yield* check("openai/gpt-image-1.5", { size: "1024x1024" }, withFiles(picture, cutOut))
      expect(asked).toEqual({ size: "1024x1024", count: 1, references: [picture], mask: cutOut })
    })
  )
})

describe("cost", () => {
  it.effect("counts finished images only, at the price of the image", () =>
    Effect.gen(function* () {
      const entry = yield* (yield* Catalogue.Catalogue).get("offline", "offline-image")
      const made = Image.final({ ...png, index: 0 })
      const parts = [Image.partial(png, { index: 0, step: 0 }), made, made, Part.finish("stop", Cost.tokens(0, 0))]
      expect(Cost.ofSeen(entry, { prompt: "a tree", parts, at: 0 })).toMatchObject({ usd: 0.04, imagesUsd: 0.04 })
    }).pipe(Effect.provide(Catalogue.layer))
  )

  it.effect("bills the tokens of images at their own rate, where the handler says how many there are", () =>
    Effect.gen(function* () {
      const prices = Catalogue.declarePrices({ input: 1, output: 2, inputImage: 10, outputImage: 20 })
      const entry = { ...(yield* (yield* Catalogue.Catalogue).get("openai", "gpt-image-1.5")), prices }
      const finish = Part.annotate(Part.finish("stop", Cost.tokens(300_000, 500_000)), {
        imageTokens: { input: 100_000, output: 400_000 }
      })
      expect(Cost.ofSeen(entry, { prompt: "", parts: [finish], at: 0 })).toMatchObject({
        inputUsd: 0.2 + 1,
        outputUsd: 0.2 + 8,
        basis: "reported"
      })
    }).pipe(Effect.provide(Catalogue.layer))
  )
})

import { describe, expect, it } from "@effect/vitest"
import { Catalogue, Image, type ImageRequest, Journal, Prompt } from "@interlock/model"
import { Models, OfflineImageModel } from "@interlock/providers"
import { Effect, Layer, Stream } from "effect"
import fc from "fast-check"
import sharp from "sharp"
import { compose, place } from "../src/internal/picture/compose.ts"
import { joinArabic, lettering } from "../src/internal/picture/lettering.ts"
import { kinds, makeRandom } from "../src/internal/picture/paint.ts"
import { read } from "../src/internal/picture/scene.ts"
import { colours } from "../src/internal/picture/words.ts"
import { safe } from "./fixture.ts"
import { draw, facts, partsOf } from "./images.ts"

const model = { provider: "offline", model: "offline-image" }
const services = Layer.merge(Models.layer([OfflineImageModel.make()]), Catalogue.layer)

const drawn = (prompt: string, image: ImageRequest.ImageSettings = {}, name = model) =>
  draw.run(facts(name, prompt, { size: "96x64", ...image })).pipe(Effect.provide(services))

const said = (prompt: string) =>
  read(prompt).things.map(({ colour, count, kind }) => {
    const name = Object.entries(colours).find(([, hex]) => hex === colour)?.[0]
    return `${count} ${name === undefined ? "" : `${name} `}${kind}`
  })

describe("reads what the prompt names", () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["three red circles left of a blue square", ["3 red circle", "1 blue square"]],
    ["三个红色的圆在蓝色正方形左边", ["3 red circle", "1 blue square"]],
    ["A dozen small yellow stars and a huge silver moon", ["12 yellow star", "1 silver moon"]],
    ["十二颗黄色的星星和一个月亮", ["12 yellow star", "1 moon"]],
    ["二十三只白色的羊", ["23 white sheep"]],
    ["two children, 4 dogs and some butterflies", ["2 person", "4 dog"]],
    ["a tree without flowers", ["1 tree"]],
    ["没有花的树", ["1 tree"]],
    ["an essay about epistemology", []],
    ["a starfish on a carpet", []],
    ["999999 cats", ["1 cat"]],
    ["", []]
  ]
  for (const [prompt, things] of cases) it(prompt || "nothing", () => expect(said(prompt)).toEqual(things))

  it("settings and captions", () => {
    const scene = read('a boat on the sea at night, "Three red circles"')
    expect([...scene.settings].sort()).toEqual(["night", "sea"])
    expect(scene.caption).toBe("Three red circles")
    expect(scene.things.map(({ kind }) => kind)).toEqual(["boat"])
    expect(read("夜晚的大海，写着“你好，世界”").caption).toBe("你好，世界")
    expect(read("«Привет» и дом").caption).toBe("Привет")
  })
})

describe("puts things where the prompt says", () => {
  const middle = (prompt: string, kind: string, seed = 1) => {
    const all = place(read(prompt), makeRandom(seed), 1).filter((one) => one.kind === kind)
    const mean = (of: "x" | "y") => all.reduce((sum, one) => sum + one[of], 0) / all.length
    return { x: mean("x"), y: mean("y"), count: all.length }
  }
  const cases: ReadonlyArray<readonly [string, string, "left" | "right" | "above" | "below", string]> = [
    ["three red circles left of a blue square", "circle", "left", "square"],
    ["三个红色的圆在蓝色正方形左边", "circle", "left", "square"],
    ["a circle to the right of a square", "circle", "right", "square"],
    ["a heart above a triangle", "heart", "above", "triangle"],
    ["圆在正方形上面", "circle", "above", "square"],
    ["a diamond below two hexagons", "diamond", "below", "hexagon"],
    ["房子左边有一棵树", "tree", "left", "house"],
    ["on the left a house, on the right a tree", "house", "left", "tree"],
    ["左边是一只猫，右边是一只狗", "cat", "left", "dog"],
    ["a cat on a boat", "cat", "above", "boat"],
    ["a heart in the top left corner and a cross in the bottom right corner", "heart", "above", "cross"],
    ["the sun over a house", "sun", "above", "house"]
  ]
  for (const [prompt, one, where, other] of cases) {
    it(`${prompt}: ${one} ${where} ${other}`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
          const [a, b] = [middle(prompt, one, seed), middle(prompt, other, seed)]
          if (where === "left") expect(a.x).toBeLessThan(b.x)
          if (where === "right") expect(a.x).toBeGreaterThan(b.x)
          if (where === "above") expect(a.y).toBeLessThan(b.y)
          if (where === "below") expect(a.y).toBeGreaterThan(b.y)
        }),
        { numRuns: 25 }
      )
    })
  }

  it("every kind, as often as it is asked for, within the picture", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(kinds)),
        fc.integer({ min: 1, max: 24 }),
        fc.integer({ min: 0, max: 1e6 }),
        fc.constantFrom(0.5, 1, 16 / 9),
        (kind, count, seed, aspect) => {
          const scene = { ...read(""), things: [{ kind, colour: undefined, size: 1, count, sides: [] }] }
          const all = place(scene, makeRandom(seed), aspect)
          expect(all).toHaveLength(count)
          for (const one of all) {
            expect(one.x >= 0 && one.x <= 1 && one.y >= 0 && one.y <= 1 && one.size > 0).toBe(true)
          }
        }
      )
    )
  })
})

describe("captions", () => {
  it("have a sign for every script", async () => {
    const letter = await lettering()
    const box = { width: 800, height: 100 }
    const missing = letter("\u{10FFFD}", box).path
    for (const text of [
      "Hello",
      "你好",
      "こんにちは",
      "안녕하세요",
      "Здравствуй",
      "Γειά",
      "שלום",
      "سلام",
      "नमस्ते",
      "สวัสดี",
      "Բարեւ",
      "გამარჯობა"
    ]) {
      const { height, path, width } = letter(text, box)
      expect(path).not.toBe("")
      expect(path).not.toBe(missing)
      expect(width <= box.width && height <= box.height).toBe(true)
    }
    expect(letter("你", box).path).not.toBe(letter("好", box).path)
  })

  it("join Arabic letters, and run them from right to left", async () => {
    // Lam and alef become one letter; the last meem stands at the end of its word.
    expect(joinArabic("سلام")).toBe("\uFEB3\uFEFC\uFEE1")
    expect(joinArabic("Hello")).toBe("Hello")
    const letter = await lettering()
    const box = { width: 800, height: 30 }
    const [one, two] = [letter("א", box), letter("ב", box)]
    const together = letter("אב", box)
    // The second letter is drawn first, at the left.
    expect(together.path.startsWith(two.path)).toBe(true)
    expect(together.width).toBe(one.width + two.width)
  })

  it("are broken into lines, and never overflow", async () => {
    const letter = await lettering()
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
        const { height, width } = letter(text, { width: 200, height: 40 })
        expect(width).toBeLessThanOrEqual(200)
        expect(height).toBeLessThanOrEqual(40)
      }),
      { numRuns: 50 }
    )
  })
})

describe("pictures", () => {
  it.effect("are PNGs of the size asked for, the same for the same seed and others for another", () =>
    Effect.gen(function* () {
      const [once, again, other] = [
        yield* drawn("a house by the sea", { seed: 7, count: 2 }),
        yield* drawn("a house by the sea", { seed: 7, count: 2 }),
        yield* drawn("a house by the sea", { seed: 8 })
      ]
      expect(once.images).toEqual(again.images)
      expect(once.images.map(({ index, seed }) => [index, seed])).toEqual([
        [0, 7],
        [1, 8]
      ])
      // The seeds of a call's pictures follow one another, so each can be had again alone.
      expect(other.images[0]!.data).toBe(once.images[1]!.data)
      expect(once.images[0]!.data).not.toBe(once.images[1]!.data)
      const { format, height, width } = yield* Effect.promise(() => sharp(Image.bytes(once.images[0]!)).metadata())
      expect({ format, height, width }).toEqual({ format: "png", height: 64, width: 96 })
      expect(once.images[0]).toMatchObject({ mediaType: "image/png", width: 96, height: 64 })
    })
  )

  it.effect("show the colours that the prompt names", () =>
    Effect.gen(function* () {
      const at = Effect.fnUntraced(function* (prompt: string) {
        const { images } = yield* drawn(prompt, { size: "256x256", seed: 1 })
        const raw = yield* Effect.promise(() =>
          sharp(Image.bytes(images[0]!)).raw().toBuffer({ resolveWithObject: true })
        )
        let [red, blue] = [0, 0]
        for (let i = 0; i < raw.data.length; i += raw.info.channels) {
          const [r, g, b] = [raw.data[i]!, raw.data[i + 1]!, raw.data[i + 2]!]
          if (r > 170 && g < 120 && b < 130) red++
          if (b > 170 && r < 120) blue++
        }
        return { red, blue }
      })
      const one = yield* at("a red circle")
      const three = yield* at("a red circle and a blue square")
      expect(one.red).toBeGreaterThan(1500)
      expect(one.blue).toBe(0)
      expect(three.red).toBeGreaterThan(800)
      expect(three.blue).toBeGreaterThan(800)
    })
  )

  it("ask no machine for a font: there is no text in what is drawn, whatever the prompt says", async () => {
    const letter = await lettering()
    for (const prompt of ["three red circles", 'a house, "你好 <text>"', "<text>hello</text>", "zzz"]) {
      const picture = compose(read(prompt), { prompt, seed: 1, width: 64, height: 64, sketch: false, letter })
      const drawn = [picture.defs, picture.background, ...picture.things, picture.foreground].join("")
      expect(drawn).not.toMatch(/<text|<tspan|font-family|foreignObject|<image|href/)
    }
  })

  it.effect("cost what the catalogue says, and leave their digests in the journal", () =>
    Effect.gen(function* () {
      const journal = Journal.make()
      const { metadata } = yield* drawn("a tree", { count: 3, seed: 0 }).pipe(
        Effect.provideService(Journal.Journal, journal)
      )
      expect(metadata["cost"]).toMatchObject({ imagesUsd: expect.closeTo(0.06, 9) })
      expect(journal.events().map((event) => event._tag)).toEqual(["Attempt", "Fact", "Fact", "Fact"])
      expect(journal.events()[1]).toMatchObject({
        name: "Image",
        attributes: { index: 0, seed: 0, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }
      })
    })
  )

  it.effect(
    "come live with a queue, progress and pictures of the work in progress; the fold is the same as whole",
    () =>
      Effect.gen(function* () {
        const given = facts(model, "a red heart", { size: "64x64", seed: 3, count: 2, partialImages: 2 })
        const parts = yield* Stream.runCollect(draw.stream(given)).pipe(Effect.provide(services))
        const events = parts.flatMap((part) => {
          const event = Image.eventOf(part)
          return event === undefined ? [part.type] : [event._tag]
        })
        const one = ["Partial", "Progress", "Partial", "Progress", "Final", "Progress"]
        expect(events).toEqual(["Queued", ...one, ...one, "finish"])
        const fractions = parts.flatMap((part) => {
          const event = Image.eventOf(part)
          return event?._tag === "Progress" ? [event.fraction!] : []
        })
        expect(fractions.at(-1)).toBe(1)
        expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
        const whole = yield* draw.run(given).pipe(Effect.provide(services))
        expect(parts.reduce(Image.protocol.append, Image.empty)).toEqual(whole)
        const partial = parts.map((part) => Image.eventOf(part)).find((event) => event?._tag === "Partial")
        expect(partial?._tag === "Partial" && partial.picture.data !== whole.images[0]!.data).toBe(true)
      })
  )

  it.effect("are made of any prompt", () =>
    Effect.gen(function* () {
      const provider = OfflineImageModel.make()
      const prompts = [
        "",
        "zzz",
        "🐢🐢🐢 \u0000\uD800",
        '"',
        "<svg onload=alert(1)>",
        '"</svg><script>"',
        "of of of the the left left 在在在"
      ]
      for (const prompt of prompts) {
        const settings = { image: { size: "64x64", seed: 1 } } as const
        const request = { ...model, prompt: safe(Prompt.make(prompt)), settings, delivery: "whole" } as const
        const parts = yield* partsOf(provider, request)
        expect(parts.map((part) => part.type)).toEqual(["file", "finish"])
      }
    })
  )

  it.effect(
    "are refused before the call when the model cannot make them, and by the provider when nobody checked",
    () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(drawn("a tree", { size: "4000x64" }))
        expect(error).toMatchObject({ _tag: "InvalidImageRequest", parameter: "size", value: "4000x64" })
        const sketch = yield* Effect.flip(drawn("a tree", { count: 5 }, { ...model, model: "offline-sketch" }))
        expect(sketch).toMatchObject({ _tag: "InvalidImageRequest", parameter: "count", allowed: "from 1 to 4" })
        const request = { ...model, prompt: safe(Prompt.make("a")), delivery: "whole" } as const
        const provider = OfflineImageModel.make()
        for (const wrong of [
          { ...request, settings: { image: { size: "9999x9999" } } as const },
          { ...request, model: "offline-large", settings: {} }
        ]) {
          expect(yield* Effect.flip(partsOf(provider, wrong))).toMatchObject({ reason: { _tag: "BadRequest" } })
        }
      })
  )

  it.effect("have the ratio asked for", () =>
    Effect.gen(function* () {
      const { images } = yield* draw
        .run(facts({ ...model, model: "offline-sketch" }, "a sun", { aspectRatio: "16:9", seed: 1 }))
        .pipe(Effect.provide(services))
      expect(images[0]).toMatchObject({ width: 688, height: 384 })
    })
  )
})

import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Reply } from "@interlock/core"
import { Catalogue, Image, Journal, ModelError, Part, type Prompt } from "@interlock/model"
import { Context, Effect, FileSystem, Layer, Stream } from "effect"
import { Cassette, Models, OfflineImageModel } from "../src/index.ts"
import { canary, facts, flow, key, models } from "./fixture.ts"
import * as pictures from "./images.ts"
import { type Scene, wire } from "./wire.ts"

const temporary = Effect.map(
  Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped()),
  (folder) => `${folder}/cassettes/test.jsonl`
)

const files = NodeFileSystem.layer

const recording = (path: string, real: Layer.Layer<Models.Models>, options?: Cassette.Options) =>
  Cassette.layerRecord(path, options).pipe(Layer.provide(real), Layer.provide(files))

const replaying = (path: string) => Cassette.layerReplay(path).pipe(Layer.provide(files))

const textOf = (path: string) => Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(path))

const stream = Stream.runCollect(flow.stream(facts("openai-chat")))
const run = flow.run(facts("openai-chat"))

describe("a cassette", () => {
  it.effect("replays what was said over the wire, whole and live, without it", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const server = yield* wire({ say: { deltas: ["Hello", ", ", "world"] } })
      const said = yield* Effect.provide(stream, recording(path, models(server.url)))
      const again = yield* Effect.provide(stream, replaying(path))
      expect(again).toEqual(said)
      const whole = yield* Effect.provide(run, replaying(path))
      expect(whole).toMatchObject({ text: "Hello, world", finishReason: "stop", usage: { outputTokens: { total: 3 } } })
      expect(server.seen).toHaveLength(1)
    }).pipe(Effect.provide(files))
  )

  it.effect("replays pictures, with those of the work in progress, and tells requests for others apart", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const asked = (seed: number) =>
        pictures.facts({ provider: "offline", model: "offline-image" }, "a red heart", {
          size: "64x64",
          seed,
          partialImages: 1
        })
      const real = Models.layer([OfflineImageModel.make()])
      const ask = (seed: number) => Stream.runCollect(pictures.draw.stream(asked(seed)))
      const [drawn, again, whole, other] = yield* Effect.gen(function* () {
        const drawn = yield* Effect.provide(ask(1), recording(path, real))
        const replayed = yield* Layer.build(replaying(path))
        return yield* Effect.provideContext(
          Effect.all([Effect.succeed(drawn), ask(1), pictures.draw.run(asked(1)), Effect.flip(ask(2))]),
          Context.merge(replayed, yield* Effect.context<Catalogue.Catalogue>())
        )
      }).pipe(Effect.provide(Catalogue.layer))
      expect(again).toEqual(drawn)
      expect(whole).toEqual(drawn.reduce(Image.protocol.append, Image.empty))
      expect(whole.images).toHaveLength(1)
      expect(other).toMatchObject({ _tag: "ModelError", reason: { _tag: "BadRequest" } })
    }).pipe(Effect.provide(files), Effect.scoped)
  )

  it.effect("replays a whole reply live", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const server = yield* wire({ say: { deltas: ["Hello"] } })
      yield* Effect.provide(run, recording(path, models(server.url)))
      const parts = yield* Effect.provide(stream, replaying(path))
      expect(parts.flatMap((part) => (part.type === "text-delta" ? [part.delta] : []))).toEqual(["Hello"])
      expect(parts.at(-1)?.type).toBe("finish")
    }).pipe(Effect.provide(files))
  )

  it.effect("gives a request that was made twice its replies in order, then the last one again", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const server = yield* wire({ say: { deltas: ["one"] } }, { status: 503 }, { say: { deltas: ["three"] } })
      const record = recording(path, models(server.url))
      yield* Effect.all([run, Effect.flip(run), run]).pipe(Effect.provide(record))
      const journal = Journal.make()
      const again = yield* Effect.all([run, Effect.flip(run), run, run]).pipe(
        Effect.provide(replaying(path)),
        Effect.provideService(Journal.Journal, journal)
      )
      expect(again[0].text).toBe("one")
      expect(again[1]).toMatchObject({ _tag: "ModelError", reason: { _tag: "Overloaded", status: 503 } })
      expect(again[2].text).toBe("three")
      expect(again[3].text).toBe("three")
      expect(journal.events().map((event) => event._tag === "Attempt" && event.outcome)).toEqual([
        "answered",
        "failed",
        "answered",
        "answered"
      ])
    }).pipe(Effect.provide(files))
  )

  it.effect("adds to what it has", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      for (const said of ["one", "two"]) {
        const server = yield* wire({ say: { deltas: [said] } })
        yield* Effect.provide(run, recording(path, models(server.url)))
      }
      const [one, two] = yield* Effect.provide(Effect.all([run, run]), replaying(path))
      expect([one.text, two.text]).toEqual(["one", "two"])
    }).pipe(Effect.provide(files))
  )

  it.effect("replays a stream that broke off where it broke off", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const server = yield* wire({ say: { deltas: ["a", "b"] }, cutAfter: 1 })
      yield* Effect.provide(Effect.flip(stream), recording(path, models(server.url)))
      const seen: Array<string> = []
      const error = yield* Stream.runForEach(flow.stream(facts("openai-chat")), (part) =>
        Effect.sync(() => {
          if (part.type === "text-delta") seen.push(part.delta)
        })
      ).pipe(Effect.flip, Effect.provide(replaying(path)))
      expect(seen).toEqual(["a"])
      expect(error).toMatchObject({ _tag: "ModelError", reason: { _tag: "Network" } })
    }).pipe(Effect.provide(files))
  )

  it.effect("does not record a call that the caller left", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const server = yield* wire({ say: { deltas: ["a", "b"] } })
      yield* Stream.runDrain(Stream.take(flow.stream(facts("openai-chat")), 3)).pipe(
        Effect.provide(recording(path, models(server.url)))
      )
      expect(yield* textOf(path)).toBe("")
    }).pipe(Effect.provide(files))
  )

  it.effect("records concurrent calls line by line", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const long = "x".repeat(200_000)
      const real = Models.layer([
        { name: "a", call: (request) => Effect.succeed(Reply.whole(Part.text(request.model + long))) }
      ])
      yield* Effect.forEach(Array.from({ length: 20 }), () => flow.run(facts("a")), { concurrency: "unbounded" }).pipe(
        Effect.provide(recording(path, real))
      )
      const lines = (yield* textOf(path)).trimEnd().split("\n")
      expect(lines).toHaveLength(20)
      for (const line of lines) expect(JSON.parse(line).parts[0].text).toHaveLength(200_006)
    }).pipe(Effect.provide(files))
  )
})

describe("what is written", () => {
  const scene: Scene = { say: { deltas: ["ok"] } }
  const prompt: Prompt.Prompt = {
    content: [
      { role: "system", content: `system ${canary}` },
      {
        role: "user",
        content: [
          { type: "text", text: `text ${canary}`, options: { openai: { note: canary } } },
          { type: "file", mediaType: "image/png", data: { _tag: "URL", href: `https://example.com/${canary}` } }
        ]
      },
      { role: "assistant", content: [{ type: "tool-call", id: "1", name: "look_up", params: { who: canary } }] },
      {
        role: "tool",
        content: [{ type: "tool-result", id: "1", name: "look_up", isFailure: false, result: { found: canary } }]
      }
    ]
  }
  const asked = facts(
    "openai-chat",
    { temperature: 0.5, stop: [canary], providerOptions: { openai: { user: canary } } },
    prompt
  )

  it.effect("holds neither the key nor a text of the request", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const server = yield* wire(scene)
      yield* Effect.provide(flow.run(asked), recording(path, models(server.url)))
      const text = yield* textOf(path)
      expect(text).not.toContain(key)
      expect(text).not.toContain(canary)
      expect(JSON.parse(text).request).toMatchObject({
        prompt: { content: [{ role: "system", content: "[27 characters]" }, {}, {}, {}] },
        settings: { temperature: 0.5, stop: 1 }
      })
      expect((yield* Effect.provide(flow.run(asked), replaying(path))).text).toBe("ok")
    }).pipe(Effect.provide(files))
  )

  it.effect("holds the request where that is wanted, and still no key", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const server = yield* wire(scene)
      yield* Effect.provide(flow.run(asked), recording(path, models(server.url), { requests: "kept" }))
      const text = yield* textOf(path)
      expect(JSON.parse(text).request.prompt).toEqual(prompt)
      expect(text).not.toContain(key)
    }).pipe(Effect.provide(files))
  )

  it("is found by a digest that does not depend on the order of fields", () => {
    const request = { provider: "p", model: "m", prompt: { content: [] } }
    const one = Cassette.keyOf({ ...request, settings: { temperature: 1, providerOptions: { a: { x: 1, y: 2 } } } })
    const two = Cassette.keyOf({ ...request, settings: { providerOptions: { a: { y: 2, x: 1 } }, temperature: 1 } })
    const three = Cassette.keyOf({ ...request, settings: { temperature: 0.9, providerOptions: { a: { x: 1, y: 2 } } } })
    expect(one).toBe(two)
    expect(one).not.toBe(three)
  })
})

describe("bad input", () => {
  it.effect("a request that was not recorded is a typed error with a cure", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const server = yield* wire({ say: { deltas: ["ok"] } })
      yield* Effect.provide(run, recording(path, models(server.url)))
      const error = yield* Effect.flip(flow.run(facts("openai-chat", { temperature: 1 }))).pipe(
        Effect.provide(replaying(path))
      )
      expect(error).toBeInstanceOf(ModelError.ModelError)
      expect(error.reason._tag).toBe("BadRequest")
      expect(error.message).toContain("record it with Cassette.layerRecord")
      expect(error.message).not.toContain(canary)
    }).pipe(Effect.provide(files))
  )

  it.effect("a cassette that is not there is a typed error with a cure", () =>
    Effect.gen(function* () {
      const path = yield* temporary
      const error = yield* Effect.flip(Effect.provide(Models.Models, replaying(path)))
      expect(error).toMatchObject({ _tag: "BrokenCassette", path })
      expect(error.message).toContain("record it with Cassette.layerRecord")
    }).pipe(Effect.provide(files))
  )

  const broken = [
    ["cut short", (line: string) => line.slice(0, -20)],
    ["not a call", () => '{"prompt":"hello"}'],
    ["of another version", (line: string) => line.replace('"cassette":1', '"cassette":2')],
    ["with a part that is none", (line: string) => line.replace('"type":"finish"', '"type":"end"')]
  ] as const
  for (const [what, breakIt] of broken) {
    it.effect(`a line that is ${what} is named, and nothing is replayed`, () =>
      Effect.gen(function* () {
        const path = yield* temporary
        const server = yield* wire({ say: { deltas: ["ok"] } })
        yield* Effect.provide(Effect.all([run, run]), recording(path, models(server.url)))
        const [first, second] = (yield* textOf(path)).split("\n")
        const files = yield* FileSystem.FileSystem
        yield* files.writeFileString(path, `${first}\n\n${breakIt(second!)}\n`)
        const error = yield* Effect.flip(Effect.provide(run, replaying(path)))
        expect(error).toMatchObject({ _tag: "BrokenCassette", path, line: 3 })
        expect(error.message).toContain("line 3")
      }).pipe(Effect.provide(files))
    )
  }

  it.effect("a path that cannot be written is a typed error before any call", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = yield* files.makeTempDirectoryScoped()
      const server = yield* wire({ say: { deltas: ["ok"] } })
      const error = yield* Effect.flip(Effect.provide(run, recording(folder, models(server.url))))
      expect(error).toMatchObject({ _tag: "BrokenCassette", path: folder })
      expect(server.seen).toHaveLength(0)
    }).pipe(Effect.provide(files))
  )
})

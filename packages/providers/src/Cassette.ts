/**
 * `Cassette` records real calls of models into a file and replays them: a test then runs against what a model really said,
 * with no key and no network.
 *
 * A cassette is JSONL, one call a line. It holds the reply and a digest of the request; the request's texts, files and
 * provider options are left out unless asked for, and no key is ever in it. A request that was not recorded is a `ModelError`.
 *
 * ```ts
 * import { NodeFileSystem } from "@effect/platform-node"
 * import { Cassette, Models, OpenAi } from "@interlock/providers"
 * import { Layer } from "effect"
 *
 * export const recording = Cassette.layerRecord("cassettes/support.jsonl").pipe(
 *   Layer.provide([Models.layer([OpenAi.provider()]), NodeFileSystem.layer])
 * )
 * export const replaying = Cassette.layerReplay("cassettes/support.jsonl").pipe(Layer.provide(NodeFileSystem.layer))
 * ```
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import { dirname } from "node:path"
import { Reply } from "@interlock/core"
import { ModelError, Part } from "@interlock/model"
import { Effect, FileSystem, Layer, Schema, Semaphore, Stream } from "effect"
import { Response } from "effect/ai"
import { recorded } from "./internal/attempt.ts"
import { toJson } from "./internal/json.ts"
import { toLive } from "./internal/parts.ts"
import { type ModelReply, type ModelRequest, Models } from "./Models.ts"

/**
 * A cassette could not be opened, read or understood; `line` counts from 1. Nothing of a broken cassette is replayed.
 *
 * @category errors
 * @since 0.1.0
 */
export class BrokenCassette extends Schema.TaggedError<BrokenCassette>()("BrokenCassette", {
  path: Schema.String,
  line: Schema.optionalKey(Schema.Number),
  message: Schema.String
}) {}

/**
 * How to record.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Whether the request stands in the cassette: `"omitted"` (the default) writes its form with the texts, files and provider
   * options left out; `"kept"` writes it as it was sent, which is as redacted as the `redact` stage above made it.
   */
  readonly requests?: "omitted" | "kept"
}

const Line = Schema.Struct({
  cassette: Schema.Literal(1),
  key: Schema.String,
  provider: Schema.String,
  model: Schema.String,
  request: Schema.optionalKey(Schema.Json),
  parts: Schema.Array(Schema.toEncoded(Response.AllParts())),
  error: Schema.optionalKey(Schema.toEncoded(ModelError.ModelError))
})
type Line = typeof Line.Type

const decodeLine = Schema.decodeUnknownEffect(Schema.fromJsonString(Line))
const decodeError = Schema.decodeUnknownEffect(ModelError.ModelError)
const encodeError = Schema.encodeSync(ModelError.ModelError)

const sorted = (value: Schema.Json): Schema.Json => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([field, item]) => [field, sorted(item)])
  )
}

/**
 * The digest by which a request is found again: of the provider, the model, the prompt and the settings, in whatever order
 * their fields stand; whether it asks for a whole or a live reply does not count.
 *
 * @category accessors
 * @since 0.1.0
 */
export const keyOf = ({ model, prompt, provider, settings }: Omit<ModelRequest, "delivery">): string =>
  createHash("sha256")
    .update(JSON.stringify(sorted(toJson({ model, prompt, provider, settings }) ?? null)))
    .digest("hex")

const textFields = new Set(["content", "text", "data", "result", "params", "reason", "fileName"])

/** The same form without what was said: a text becomes its length, and whatever else may hold one is left out. */
const withoutTexts = (value: Schema.Json, field = ""): Schema.Json => {
  if (typeof value === "string") return textFields.has(field) ? `[${value.length} characters]` : value
  if (typeof value !== "object" || value === null) return value
  if (field !== "content" && textFields.has(field)) return "[omitted]"
  if (Array.isArray(value)) return value.map((item) => withoutTexts(item))
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== "options" && name !== "providerOptions")
      .map(([name, item]) => [name, withoutTexts(item, name)])
  )
}

const settingsWithoutTexts = ({ providerOptions: _, stop, tools, ...settings }: ModelRequest["settings"]) => ({
  ...settings,
  ...(stop === undefined ? {} : { stop: stop.length }),
  ...(tools === undefined ? {} : { tools: tools.map((tool) => tool.name) })
})

const requestOf = ({ prompt, settings }: ModelRequest, keep: boolean): Schema.Json =>
  keep
    ? (toJson({ prompt, settings }) ?? null)
    : { prompt: withoutTexts(toJson(prompt) ?? null), settings: toJson(settingsWithoutTexts(settings)) ?? null }

/**
 * Records every call that ends into a cassette, after what is already in it; calls that the caller leaves are not recorded.
 * The calls go to the `Models` below.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRecord = (
  path: string,
  options: Options = {}
): Layer.Layer<Models, BrokenCassette, Models | FileSystem.FileSystem> =>
  Layer.effect(
    Models,
    Effect.gen(function* () {
      const models = yield* Models
      const files = yield* FileSystem.FileSystem
      const one = yield* Semaphore.make(1)
      const append = (text: string) =>
        one
          .withPermits(1)(files.writeFileString(path, text, { flag: "a" }))
          .pipe(Effect.uninterruptible)
      yield* files.makeDirectory(dirname(path), { recursive: true }).pipe(
        Effect.andThen(append("")),
        Effect.mapError((error) => {
          const message = `the cassette ${path} cannot be written (${error.reason._tag}): give a path in a folder that can`
          return new BrokenCassette({ path, message })
        })
      )
      const write = (request: ModelRequest, parts: ReadonlyArray<Part.Part>, error?: ModelError.ModelError) => {
        const line: Line = {
          cassette: 1,
          key: keyOf(request),
          provider: request.provider,
          model: request.model,
          request: requestOf(request, options.requests === "kept"),
          parts,
          ...(error === undefined ? {} : { error: encodeError(error) })
        }
        return Effect.mapError(append(`${JSON.stringify(line)}\n`), (failure) => {
          const message = `the reply of ${request.model} could not be written to the cassette ${path} (${failure.reason._tag}): free the disk or give another path`
          return refused(request, message)
        })
      }
      const call = (request: ModelRequest): ModelReply =>
        models.call(request).pipe(
          Effect.tapError((error) => write(request, [], error)),
          Effect.flatMap((reply): ModelReply => {
            if (reply._tag === "Whole") return Effect.as(write(request, reply.parts), reply)
            const parts: Array<Part.Part> = []
            const heard = Stream.tapError(
              Stream.map(reply.parts, (part) => {
                parts.push(part)
                return part
              }),
              (error) => write(request, parts, error)
            )
            return Effect.succeed(
              Reply.live(Stream.concat(heard, Stream.fromEffectDrain(Effect.suspend(() => write(request, parts)))))
            )
          })
        )
      return { providers: models.providers, call }
    })
  )

const refused = (request: ModelRequest, message: string): ModelError.ModelError =>
  new ModelError.ModelError({
    provider: request.provider,
    model: request.model,
    reason: new ModelError.BadRequest({}),
    message
  })

interface Take {
  readonly parts: ReadonlyArray<Part.Part>
  readonly error?: ModelError.ModelError
}

const read = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* Effect.mapError(
    files.readFileString(path),
    (error) =>
      new BrokenCassette({
        path,
        message: `the cassette ${path} cannot be read (${error.reason._tag}): record it with Cassette.layerRecord`
      })
  )
  const takes = new Map<string, Array<Take>>()
  const providers = new Set<string>()
  for (const [index, source] of text.split("\n").entries()) {
    if (source.trim() === "") continue
    const broken = () => {
      const line = index + 1
      const message = `line ${line} of the cassette ${path} is not a recorded call: delete the line, or record it again`
      return new BrokenCassette({ path, line, message })
    }
    const line = yield* Effect.mapError(decodeLine(source), broken)
    const error = line.error === undefined ? {} : { error: yield* Effect.mapError(decodeError(line.error), broken) }
    providers.add(line.provider)
    const known = takes.get(line.key)
    const take: Take = { parts: line.parts, ...error }
    if (known === undefined) takes.set(line.key, [take])
    else known.push(take)
  }
  return { takes, providers: [...providers] }
})

const replay = (request: ModelRequest, { error, parts }: Take): ModelReply => {
  if (request.delivery === "whole") {
    return error === undefined ? Effect.succeed(Reply.whole(Part.toStanding(parts))) : Effect.fail(error)
  }
  if (error !== undefined && parts.length === 0) return Effect.fail(error)
  const live = Stream.fromIterable(parts.flatMap(toLive))
  return Effect.succeed(Reply.live(error === undefined ? live : Stream.concat(live, Stream.fail(error))))
}

/**
 * Replays a cassette: the same request gets the same reply, whole or live; a request that was recorded several times gets its
 * replies in that order and then the last one again. It is read, and checked line by line, when the layer is built.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerReplay = (path: string): Layer.Layer<Models, BrokenCassette, FileSystem.FileSystem> =>
  Layer.effect(
    Models,
    Effect.map(read(path), ({ providers, takes }) => {
      const next = new Map<string, number>()
      const call = (request: ModelRequest): ModelReply =>
        Effect.suspend(() => {
          const key = keyOf(request)
          const known = takes.get(key)
          if (known === undefined) {
            const message = `the cassette ${path} has no reply of ${request.provider}/${request.model} to this request (digest ${key.slice(0, 12)}): record it with Cassette.layerRecord, or ask as it was asked then`
            return Effect.fail(refused(request, message))
          }
          const index = next.get(key) ?? 0
          next.set(key, index + 1)
          return replay(request, known[Math.min(index, known.length - 1)]!)
        })
      return { providers, call: (request) => recorded(request, call(request)) }
    })
  )

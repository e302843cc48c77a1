/**
 * What was done once is not done again: a folder of answers, each under the hash of all that went into it.
 *
 * The `cache` stage decides what may be kept and marks what comes from there; here are the folder that it keeps things in, and the
 * stage that gives every step its name and version. The answer of a step is asked for again when its version, its instructions, its
 * model, its settings or what came before it change, and then only what depends on that answer.
 */
import { createHash, randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Reply, Stage } from "@interlock/core"
import { Caller, ChosenModel, Journal, Parameters, Part, SafePrompt } from "@interlock/model"
import { keyOf } from "@interlock/stages/cache"
import { canonicalHash } from "@interlock/stages/cache/key"
import { CachePolicy } from "@interlock/stages/cache/policy"
import { CacheStore, CacheStoreError } from "@interlock/stages/cache/store"
import { Clock, Duration, Effect, FileSystem, Layer, Option, Result, Schema } from "effect"

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

// ---------------------------------------------------------------------------------------------------------------
// The folder
// ---------------------------------------------------------------------------------------------------------------

/** The first line of a file; the rest is what was stored. */
const Header = Schema.fromJsonString(
  Schema.Struct({ expiresAt: Schema.Finite, generations: Schema.Record(Schema.String, Schema.String) })
)
const decodeHeader = Schema.decodeUnknownResult(Header)

/** A `CacheStore` in a folder: one file for each key, named by the SHA-256 of it. */
export const layerFolder = (folder: string): Layer.Layer<CacheStore, never, FileSystem.FileSystem> =>
  Layer.effect(
    CacheStore,
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const fileOf = (key: string) => join(folder, sha256(key))
      const tagFile = (tag: string) => join(folder, "tags", sha256(tag))
      const failed = (operation: CacheStoreError["operation"]) => (cause: { readonly message: string }) =>
        new CacheStoreError({ operation, message: `${folder} could not be used: ${cause.message}`, cause })
      const readIfThere = (path: string) =>
        Effect.catch(Effect.asSome(files.readFileString(path)), (error) =>
          error.reason._tag === "NotFound" ? Effect.succeedNone : Effect.fail(error)
        )
      const generation = (tag: string) =>
        Effect.map(
          readIfThere(tagFile(tag)),
          Option.getOrElse(() => "0")
        )
      const generations = Effect.fnUntraced(function* (tags: ReadonlyArray<string>) {
        const all = yield* Effect.forEach(tags, (tag) => Effect.map(generation(tag), (now) => [tag, now] as const))
        return Object.fromEntries(all)
      })
      // Written beside and moved there, so that Ctrl-C leaves a whole file or none.
      const write = Effect.fnUntraced(function* (path: string, text: string) {
        const beside = `${path}.${randomUUID()}`
        yield* files.makeDirectory(join(path, ".."), { recursive: true })
        yield* files.writeFileString(beside, text)
        yield* files.rename(beside, path)
      })
      return CacheStore.of({
        get: Effect.fnUntraced(
          function* (key: string) {
            const text = yield* readIfThere(fileOf(key))
            if (Option.isNone(text)) return undefined
            const end = text.value.indexOf("\n")
            const header = decodeHeader(text.value.slice(0, end))
            if (Result.isFailure(header)) return undefined
            const { expiresAt, generations: then } = header.success
            if (expiresAt <= (yield* Clock.currentTimeMillis)) return undefined
            const now = yield* generations(Object.keys(then))
            return Object.entries(then).every(([tag, at]) => now[tag] === at) ? text.value.slice(end + 1) : undefined
          },
          Effect.mapError(failed("get"))
        ),
        stamp: (tags) => Effect.mapBoth(generations(tags), { onSuccess: JSON.stringify, onFailure: failed("stamp") }),
        set: Effect.fnUntraced(
          function* (key, value, { stamp, tags, timeToLive }) {
            const now = yield* generations(tags)
            if (JSON.stringify(now) !== stamp) return
            const expiresAt = (yield* Clock.currentTimeMillis) + Duration.toMillis(timeToLive)
            yield* write(fileOf(key), `${JSON.stringify({ expiresAt, generations: now })}\n${value}`)
          },
          Effect.mapError(failed("set"))
        ),
        remove: (key) => Effect.mapError(files.remove(fileOf(key), { force: true }), failed("remove")),
        invalidate: (tag) => Effect.mapError(write(tagFile(tag), randomUUID()), failed("invalidate"))
      })
    })
  )

/** Answers are kept for ten years, whatever their temperature: what is drawn once with a seed is that picture. */
export const keeping = { timeToLive: "3650 days", jitter: 0, sampled: "always" } as const

// ---------------------------------------------------------------------------------------------------------------
// Steps
// ---------------------------------------------------------------------------------------------------------------

/** What a reply says of the step that it comes from, in its last part. */
export interface Made {
  readonly step: string
  readonly version: string
  /** The hash of all that went into it: the name of its file. */
  readonly address: string
  readonly model: string
}

/** Says of a reply when it was made, and how long that took; stands below `cache`, so what is kept says it too. */
export const dated = Stage.around<{ in: Part.Part; out: Part.Part }>()(
  "dated",
  { needs: {} },
  Effect.fnUntraced(function* (_, next) {
    const clock = yield* Clock.Clock
    const began = clock.currentTimeMillisUnsafe()
    return Reply.map(yield* next(), (part) =>
      part.type === "finish"
        ? Part.annotate(part, { made: { at: began, tookMs: clock.currentTimeMillisUnsafe() - began } })
        : part
    )
  })
)

/** A version that changes with the text of files of code. */
export const codeOf = (folder: string, ...names: ReadonlyArray<string>): string =>
  sha256(names.map((name) => sha256(readFileSync(join(folder, name), "utf8"))).join()).slice(0, 12)

/**
 * Gives a step its name and version; stands above `cache`. Raise the version when the step means something else by the same words.
 * `code` is the version of what answers in this process, by the name of its provider.
 */
export const step = (name: string, version: string, code: { readonly [provider: string]: string } = {}) =>
  Stage.around<{ in: Part.Part; out: Part.Part }>()(
    `step ${name}`,
    { needs: { caller: Caller, model: ChosenModel, parameters: Parameters, prompt: SafePrompt } },
    Effect.fnUntraced(function* (call, next) {
      const own = [version, code[call.model.provider] ?? []].flat().join("-")
      const policy = { ...(yield* CachePolicy), version: `${name} ${own}` }
      const made: Made = {
        step: name,
        version: own,
        address: sha256(keyOf(call, policy, yield* policy.epoch)),
        model: `${call.model.provider}/${call.model.model}`
      }
      const reply = yield* Effect.provideService(next(), CachePolicy, policy)
      return Reply.map(reply, (part) => (part.type === "finish" ? Part.annotate(part, { step: made }) : part))
    })
  )

/** Keeps what a step works out without a model: the same input is worked on once. */
export const kept = Effect.fnUntraced(function* <A, E, R>(
  name: string,
  version: string,
  input: unknown,
  work: Effect.Effect<A, E, R>
) {
  const store = yield* CacheStore
  const key = `s1:${canonicalHash({ name, version, input })}`
  const made: Made = { step: name, version, address: sha256(key), model: "this process" }
  const found = yield* Effect.orElseSucceed(store.get(key), () => undefined)
  const known = found === undefined ? undefined : opened(found)
  if (known !== undefined) return { value: known as A, made }
  const value = yield* work
  yield* Journal.record({ _tag: "Fact", stage: name, name: "Worked", attributes: { address: made.address } })
  const text = JSON.stringify(value)
  const stored = Effect.flatMap(store.stamp([]), (stamp) =>
    store.set(key, `${sha256(text)}\n${text}`, { timeToLive: Duration.days(3650), tags: [], stamp })
  )
  yield* Effect.ignore(stored)
  return { value, made }
})

/** What was stored, or `undefined` when it is not as it was written. */
const opened = (stored: string): unknown => {
  const text = stored.slice(stored.indexOf("\n") + 1)
  return stored.startsWith(`${sha256(text)}\n`) ? JSON.parse(text) : undefined
}

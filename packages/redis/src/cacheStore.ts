/**
 * Cached replies that several processes share: `CacheStore` on Redis.
 *
 * An entry carries the state that its tags had when the work for it began, and is checked against their present state when it
 * is read; so an invalidation is one write, and no answer that began before it is returned after it. The states of all tags
 * are one hash with an epoch: should Redis lose it, every entry becomes a miss.
 *
 * An invalidation that Redis confirmed can still be lost with it: by a failover before it replicated, or by a restart
 * without persistence, which loses the entries too.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"
import { CacheStore, CacheStoreError, type SetOptions } from "@interlock/stages/cache/store"
import { Duration, Effect, Layer, Schema } from "effect"
import { RedisConnection } from "./connection.ts"
import { scrubbed, sentence } from "./internal/failure.ts"
import * as Script from "./internal/script.ts"

/**
 * A setting that cannot work, found when the layer is built: the message names the value, the rule and the cure.
 *
 * @category errors
 * @since 0.1.0
 */
export class CacheStoreSettingError extends Schema.TaggedError<CacheStoreSettingError>()(
  "@interlock/redis/CacheStoreSettingError",
  { setting: Schema.String, message: Schema.String }
) {}

/** Beyond so many invalidated tags, all are forgotten at once, and with them every entry. */
const maxTags = 100_000

const ensureEpoch = `
if redis.call('HEXISTS', KEYS[1], ' ') == 0 then redis.call('HSET', KEYS[1], ' ', ARGV[1]) end`

/** KEYS: tags. ARGV: a fresh epoch, then the tags. */
const stampScript = Script.make(`${ensureEpoch}
local states = redis.call('HMGET', KEYS[1], ' ', unpack(ARGV, 2))
for index = 1, #states do states[index] = states[index] or '0' end
return table.concat(states, ' ')`)

/** KEYS: tags. ARGV: a fresh epoch, the tag, the most tags. */
const invalidateScript = Script.make(`
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[3]) then redis.call('DEL', KEYS[1]) end
${ensureEpoch}
return redis.call('HINCRBY', KEYS[1], ARGV[2], 1)`)

/** KEYS: tags, entry. For one server: the entry is read and checked in one step. */
const getScript = Script.make(`
local entry = redis.call('GET', KEYS[2])
if not entry then return false end
local cut = string.find(entry, '\\n', 1, true)
local read, head = pcall(cjson.decode, string.sub(entry, 1, (cut or 1) - 1))
if cut and read and type(head) == 'table' and type(head[2]) == 'table' then
  local states = redis.call('HMGET', KEYS[1], ' ', unpack(head[2]))
  for index = 1, #states do states[index] = states[index] or '0' end
  if table.concat(states, ' ') == head[1] then return string.sub(entry, cut + 1) end
end
redis.call('DEL', KEYS[2])
return false`)

/**
 * Keeps entries on Redis, under keys that begin with `interlock:cache:` and the name (`"interlock"` when left out). Needs
 * `RedisConnection`. Redis decides when entries expire, and may evict them: give it a `maxmemory` and an `allkeys-lru` policy
 * where it holds nothing but caches.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: { readonly name?: string } = {}
): Layer.Layer<CacheStore, CacheStoreSettingError, RedisConnection> =>
  Layer.effect(
    CacheStore,
    Effect.gen(function* () {
      const { client, isCluster } = yield* RedisConnection
      const name = options.name ?? "interlock"
      if (!/^[\w:.-]{1,100}$/.test(name)) {
        return yield* new CacheStoreSettingError({
          setting: "name",
          message: `The name "${name}" cannot be part of a key: use up to 100 of A-Z a-z 0-9 _ : . -`
        })
      }
      const tagsKey = `interlock:cache:${name}:tags`
      const entryKey = (key: string) => `interlock:cache:${name}:entry:${key}`
      const attempt = <A>(operation: CacheStoreError["operation"], run: () => Promise<A>) =>
        Effect.tryPromise({
          try: run,
          catch: (cause) =>
            new CacheStoreError({ operation, message: sentence(`cache ${operation}`, cause), cause: scrubbed(cause) })
        })
      const stamp = async (tags: ReadonlyArray<string>) =>
        (await Script.run(client, stampScript, [tagsKey], [randomUUID(), ...tags])) as string

      // In a cluster, entries are spread over the nodes and the tags are on one of them: two steps.
      const getSpread = async (key: string): Promise<string | undefined> => {
        const entry = await client.get(entryKey(key))
        if (entry === null) return undefined
        const cut = entry.indexOf("\n")
        const head = headOf(entry.slice(0, Math.max(0, cut)))
        if (head !== undefined && (await stamp(head[1])) === head[0]) return entry.slice(cut + 1)
        await client.del(entryKey(key))
        return undefined
      }
      const getAtOnce = async (key: string): Promise<string | undefined> =>
        ((await Script.run(client, getScript, [tagsKey, entryKey(key)], [])) as string | null) ?? undefined

      return CacheStore.of({
        get: (key) => attempt("get", () => (isCluster ? getSpread(key) : getAtOnce(key))),
        stamp: (tags) => attempt("stamp", () => stamp(tags)),
        set: (key, value, { stamp, tags, timeToLive }: SetOptions) =>
          Effect.asVoid(
            attempt("set", () =>
              client.set(
                entryKey(key),
                `${JSON.stringify([stamp, tags])}\n${value}`,
                "PX",
                Math.max(1, Math.floor(Duration.toMillis(timeToLive)))
              )
            )
          ),
        remove: (key) => Effect.asVoid(attempt("remove", () => client.del(entryKey(key)))),
        invalidate: (tag) =>
          Effect.asVoid(
            attempt("invalidate", () =>
              Script.run(client, invalidateScript, [tagsKey], [randomUUID(), tag, `${maxTags}`])
            )
          )
      })
    })
  )

const headOf = (text: string): readonly [stamp: string, tags: ReadonlyArray<string>] | undefined => {
  try {
    const head: unknown = JSON.parse(text)
    return Array.isArray(head) && typeof head[0] === "string" && Array.isArray(head[1])
      ? [head[0], head[1].map(String)]
      : undefined
  } catch {
    return undefined
  }
}

/**
 * The values behind placeholders, sealed, for several processes: `VaultStore` on Redis. Redis sees ciphertext, fingerprints
 * and types of values, never a value.
 *
 * @since 0.1.0
 */
import { VaultError, VaultStore } from "@interlock/stages/redact/vault"
import { Duration, Effect, Layer } from "effect"
import { RedisConnection } from "./connection.ts"
import { sentence } from "./internal/failure.ts"
import * as Script from "./internal/script.ts"

/**
 * KEYS: the conversation, a hash of `type fingerprint` to `number sealed` and of `#type` to how many there are. ARGV: the time
 * to live, then type, fingerprint, number and sealed value of each entry.
 */
const putScript = Script.make(`
local counts = {}
local goesOn = true
for index = 2, #ARGV, 4 do
  local count = counts[ARGV[index]] or tonumber(redis.call('HGET', KEYS[1], '#' .. ARGV[index])) or 0
  counts[ARGV[index]] = count + 1
  if tonumber(ARGV[index + 2]) ~= count + 1 or
    redis.call('HEXISTS', KEYS[1], ARGV[index] .. ' ' .. ARGV[index + 1]) == 1 then goesOn = false end
end
if goesOn then
  for index = 2, #ARGV, 4 do
    redis.call('HSET', KEYS[1], ARGV[index] .. ' ' .. ARGV[index + 1], ARGV[index + 2] .. ' ' .. ARGV[index + 3])
  end
  for type, count in pairs(counts) do redis.call('HSET', KEYS[1], '#' .. type, count) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return redis.call('HGETALL', KEYS[1])`)

/**
 * Keeps sealed values on Redis, one key a conversation, under keys that begin with `interlock:vault:` and the name (`"interlock"`
 * when left out). Needs `RedisConnection`. A conversation is forgotten when nobody has
 * used it for `timeToLive` (30 days when left out): its placeholders can then no longer be restored. Where Redis fails, `redact`
 * refuses the call. Let it write to disk, and let it not evict.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: { readonly name?: string; readonly timeToLive?: Duration.Input } = {}
): Layer.Layer<VaultStore, VaultError, RedisConnection> =>
  Layer.effect(
    VaultStore,
    Effect.gen(function* () {
      const { client } = yield* RedisConnection
      const timeToLive = Duration.toMillis(Duration.fromInputUnsafe(options.timeToLive ?? "30 days"))
      if (!(timeToLive >= 1 && Number.isFinite(timeToLive))) {
        return yield* new VaultError({
          message: `The vault's timeToLive is ${timeToLive} ms: it must be finite and above 0; leave it out for 30 days`
        })
      }
      const keyOf = (conversation: string) => `interlock:vault:${options.name ?? "interlock"}:${conversation}`
      const attempt = <A>(operation: string, run: () => Promise<A>) =>
        Effect.tryPromise({ try: run, catch: (cause) => new VaultError({ message: sentence(operation, cause) }) })
      return VaultStore.of({
        put: (conversation, entries) =>
          Effect.map(
            attempt("the vault", () =>
              Script.run(
                client,
                putScript,
                [keyOf(conversation)],
                [
                  `${Math.floor(timeToLive)}`,
                  ...entries.flatMap(({ fingerprint, number, sealed, type }) => [
                    encodeURIComponent(type),
                    fingerprint,
                    `${number}`,
                    Buffer.from(sealed).toString("base64")
                  ])
                ]
              )
            ),
            (answer) => {
              const flat = answer as ReadonlyArray<string>
              const found: Array<{ type: string; fingerprint: string; sealed: Uint8Array; number: number }> = []
              for (let index = 0; index + 1 < flat.length; index += 2) {
                const [type = "", fingerprint] = flat[index]!.split(" ")
                if (fingerprint === undefined) continue
                const [number, sealed = ""] = flat[index + 1]!.split(" ")
                found.push({
                  type: decodeURIComponent(type),
                  fingerprint,
                  number: Number(number),
                  sealed: Buffer.from(sealed, "base64")
                })
              }
              return found
            }
          ),
        forget: (conversation) => Effect.asVoid(attempt("the vault", () => client.del(keyOf(conversation))))
      })
    })
  )

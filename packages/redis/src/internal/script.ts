/**
 * A Lua script that is sent once per server and called by its hash from then on.
 */
import { createHash } from "node:crypto"
import type { Cluster, Redis } from "ioredis"

export interface Script {
  readonly lua: string
  readonly hash: string
}

export const make = (lua: string): Script => ({ lua, hash: createHash("sha1").update(lua).digest("hex") })

/** Runs the script; `NOSCRIPT` (a restarted server) sends it again, and is the only failure that is tried twice. */
export const run = (
  client: Redis | Cluster,
  script: Script,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<string>
): Promise<unknown> =>
  client.evalsha(script.hash, keys.length, ...keys, ...args).catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith("NOSCRIPT")) {
      return client.eval(script.lua, keys.length, ...keys, ...args)
    }
    throw error
  })

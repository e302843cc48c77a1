import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, layer } from "@effect/vitest"
import * as Connection from "@interlock/redis/connection"
import { Effect, Layer, Queue } from "effect"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Persistence from "effect/persistence/Redis"
import { Redis } from "ioredis"
import * as Server from "./server.ts"
import { killed, until } from "./waiting.ts"

const build = (options: Connection.Options) => Effect.scoped(Layer.build(Connection.layer(options)))
const connected = Layer.unwrap(Effect.map(Server.url, (url) => Connection.layer({ url }))).pipe(Layer.orDie)

layer(connected)("effect/persistence on this connection", (it) => {
  it.effect("sends commands and runs scripts, also after the server forgot them", () =>
    Effect.gen(function* () {
      const redis = yield* Persistence.Redis
      const key = `t:${Math.random()}`
      expect(yield* redis.send("SET", key, "1", "PX", "60000")).toBe("OK")
      const increment = Persistence.script((name: string, by: number) => [name, by], {
        lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
        numberOfKeys: 1
      }).withReturnType<number>()
      expect(yield* redis.eval(increment)(key, 2)).toBe(3)
      yield* redis.send("SCRIPT", "FLUSH")
      expect(yield* redis.eval(increment)(key, 2)).toBe(5)
    })
  )

  it.effect("subscribes, and reserves a connection for a command that blocks", () =>
    Effect.gen(function* () {
      const redis = yield* Persistence.Redis
      const name = `t:${Math.random()}`
      const messages = yield* redis.subscribe(name)
      yield* redis.send("PUBLISH", name, "hello")
      expect(yield* Queue.take(messages)).toEqual({ channel: name, message: "hello" })
      const own = yield* redis.reserve
      yield* redis.send("RPUSH", name, "first")
      expect(yield* own.send("BLPOP", name, "5")).toEqual([name, "first"])
    }).pipe(Effect.scoped)
  )

  it.effect("carries effect/persistence's rate limiter", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.RateLimiter
      const consume = limiter.consume({ key: `t${Math.random()}`, limit: 1, window: "1 hour" })
      yield* consume
      expect((yield* Effect.flip(consume)).reason._tag).toBe("RateLimitExceeded")
    }).pipe(Effect.provide(Layer.provide(RateLimiter.layer, RateLimiter.layerStoreRedis())))
  )
})

describe("Connection.layer", () => {
  it.effect("says what is wrong with the options", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<Connection.Options> = [
        {},
        { url: "redis://127.0.0.1:1", cluster: [] },
        { url: "localhost:6379" },
        { url: "redis://127.0.0.1:1", commandTimeout: 0 },
        { cluster: [] },
        { cluster: [{ host: "127.0.0.1", port: 1 }], database: 3 },
        { sentinel: { name: "main", nodes: [] } }
      ]
      for (const options of wrong) expect((yield* Effect.flip(build(options))).reason).toBe("Setting")
    })
  )

  it.effect("says at once that nobody answers", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(build({ url: "redis://user:secret@127.0.0.1:1" }))
      expect(error.reason).toBe("Unreachable")
      expect(error.message).toContain("127.0.0.1:1")
      expect(error.message).not.toContain("secret")
      expect((yield* Effect.flip(build({ cluster: [{ host: "127.0.0.1", port: 1 }] }))).reason).toBe("Unreachable")
    })
  )

  it.effect("refuses a replica, finds its primary by Sentinel, and follows a failover", () =>
    Effect.gen(function* () {
      const primary = yield* Server.start(["--repl-diskless-sync-delay", "0"])
      const replica = yield* Server.start(["--replicaof", "127.0.0.1", `${primary.port}`])
      const error = yield* Effect.flip(build({ url: replica.url }))
      expect(error.reason).toBe("Replica")
      const sentinel = yield* Server.sentinel(primary, "main")
      const built = yield* Layer.build(Connection.layer({ sentinel: { name: "main", nodes: [sentinel] } }))
      const redis = yield* Effect.provide(Persistence.Redis, built)
      expect(yield* redis.send("SET", "found", "1")).toBe("OK")
      // The Sentinel must know of the replica, and the replica must have the key, before the primary is lost.
      const watcher = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(sentinel.port, sentinel.host)),
        (client) => Effect.sync(() => client.disconnect())
      )
      const { client } = yield* Effect.provide(Connection.RedisConnection, built)
      yield* until(watcher, () =>
        watcher.call("SENTINEL", "REPLICAS", "main").then((found) => JSON.stringify(found).includes("slave"))
      )
      yield* until(client, () => Effect.runPromise(redis.send("WAIT", "1", "500")).then((count) => count === 1))
      yield* killed(primary, client)
      expect((yield* Effect.flip(redis.send("GET", "found")))._tag).toBe("RedisError")
      yield* until(client, () => Effect.runPromise(redis.send("SET", "found", "2")).then(() => true))
      expect(yield* redis.send<Array<string>>("ROLE")).toContain("master")
    }).pipe(Effect.scoped)
  )

  const tlsArguments = Effect.gen(function* () {
    const files = yield* certificate
    return {
      files,
      args: [
        ...["--tls-port", `${yield* Effect.promise(Server.freePort)}`, "--tls-cert-file", files.cert],
        ...["--tls-key-file", files.key, "--tls-ca-cert-file", files.cert, "--tls-auth-clients", "no"]
      ]
    }
  })

  it.effect("connects to a cluster over TLS by the name that its certificate is for", () =>
    Effect.gen(function* () {
      const { args, files } = yield* tlsArguments
      const server = yield* Server.start([
        ...args,
        ...["--cluster-enabled", "yes", "--tls-cluster", "yes"],
        ...["--cluster-port", `${yield* Effect.promise(Server.freePort)}`],
        ...["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"]
      ])
      const plain = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(server.port, server.host)),
        (client) => Effect.sync(() => client.disconnect())
      )
      yield* Effect.promise(() => plain.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383"))
      yield* until(plain, () => plain.call("CLUSTER", "INFO").then((info) => `${info}`.includes("cluster_state:ok")))
      const cluster = [{ host: "localhost", port: Number(args[1]) }]
      const built = yield* Layer.build(Connection.layer({ cluster, tls: { ca: readFileSync(files.cert) } }))
      const redis = yield* Effect.provide(Persistence.Redis, built)
      expect(yield* redis.send("SET", "a", "1")).toBe("OK")
    }).pipe(Effect.scoped)
  )

  it.effect("connects over TLS, and not without the certificate", () =>
    Effect.gen(function* () {
      const { args, files } = yield* tlsArguments
      const server = yield* Server.start(args)
      const plain = yield* Layer.build(Connection.layer({ url: server.url }))
      const redis = yield* Effect.provide(Persistence.Redis, plain)
      const [, tlsPort] = yield* redis.send<[string, string]>("CONFIG", "GET", "tls-port")
      const url = `rediss://localhost:${tlsPort}`
      expect((yield* Effect.flip(build({ url }))).reason).toBe("Unreachable")
      const built = yield* Layer.build(Connection.layer({ url, tls: { ca: readFileSync(files.cert) } }))
      const secure = yield* Effect.provide(Persistence.Redis, built)
      expect(yield* secure.send("PING")).toBe("PONG")
    }).pipe(Effect.scoped)
  )
})

/** A certificate for localhost, made with openssl for this test. */
const certificate = Effect.acquireRelease(
  Effect.sync(() => {
    const directory = mkdtempSync(join(tmpdir(), "interlock-tls-"))
    const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")]
    execFileSync(
      Server.program("openssl"),
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"],
        ...["-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
      ],
      { stdio: "ignore" }
    )
    return { directory, cert, key }
  }),
  ({ directory }) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

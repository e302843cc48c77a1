/**
 * The connection to Redis that every layer of this package stands on: one server, a cluster, or a primary found by Sentinel,
 * with or without TLS. It also fills `effect/persistence`'s `Redis` service, so that what is built on that can be used too.
 *
 * A command fails fast: at once while there is no connection, after `commandTimeout` when Redis is slow. Nothing is queued
 * while Redis is away and nothing is sent twice; whether a call goes through without Redis is the policy of the stage that
 * asked. The connection itself comes back on its own.
 *
 * @since 0.1.0
 */
import type { ConnectionOptions } from "node:tls"
import { Context, Deferred, Duration, Effect, Layer, Schema, type Scope } from "effect"
import * as Persistence from "effect/persistence/Redis"
import { Cluster, type CommonRedisOptions, Redis } from "ioredis"
import { scrubbed } from "./internal/failure.ts"

type Common = Omit<CommonRedisOptions, "replyMapping">

/**
 * The connection could not be made as asked, found while the layer is built. The message names the value and the cure.
 *
 * @category errors
 * @since 0.1.0
 */
export class RedisConnectionError extends Schema.TaggedError<RedisConnectionError>()(
  "@interlock/redis/RedisConnectionError",
  {
    /**
     * `Setting`: the options contradict each other. `Unreachable`: nobody answers. `Replica`: the server cannot be written to.
     * `ClusterNode`: a node of a cluster was given as a single server.
     */
    reason: Schema.Literals(["Setting", "Unreachable", "Replica", "ClusterNode"]),
    message: Schema.String,
    cause: Schema.optional(Schema.Defect())
  }
) {}

/**
 * Where Redis is, and how long to wait for it. Give exactly one of `url`, `cluster` and `sentinel`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** `redis://user:password@host:port/database`, or `rediss://` for TLS. */
  readonly url?: string
  /** Some nodes of a cluster; the others are found. */
  readonly cluster?: ReadonlyArray<{ readonly host: string; readonly port: number }>
  /** The Sentinels that know where the primary called `name` is. */
  readonly sentinel?: {
    readonly name: string
    readonly nodes: ReadonlyArray<{ readonly host: string; readonly port: number }>
    readonly password?: string
  }
  readonly username?: string
  readonly password?: string
  /** Not for clusters, which have only database 0. */
  readonly database?: number
  /** TLS, with Node's options; `true` for its defaults. */
  readonly tls?: true | ConnectionOptions
  /** How long a command may take before it fails; 1 second when left out. */
  readonly commandTimeout?: Duration.Input
  /** How long to wait for the first connection; 5 seconds when left out. */
  readonly connectTimeout?: Duration.Input
  /** The connections that `effect/persistence` reserves for blocking commands. */
  readonly pool?: Persistence.PoolOptions
}

/**
 * The `ioredis` client, for the layers of this package and for whatever else the application does with Redis.
 *
 * @category services
 * @since 0.1.0
 */
export class RedisConnection extends Context.Service<
  RedisConnection,
  { readonly client: Redis | Cluster; readonly isCluster: boolean }
>()("@interlock/redis/RedisConnection") {}

/**
 * Connects to Redis when it is built, and closes the connection with its scope.
 *
 * ```ts
 * import * as Connection from "@interlock/redis/connection"
 * import * as LimitStore from "@interlock/redis/limitStore"
 * import { Layer } from "effect"
 *
 * export const limits = LimitStore.layer().pipe(
 *   Layer.provide(Connection.layer({ url: process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379" }))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<RedisConnection | Persistence.Redis, RedisConnectionError> =>
  Layer.effectContext(make(options))

const make = Effect.fnUntraced(function* (options: Options) {
  const { commandTimeout, common, open, where } = yield* settings(options)
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => open({ ...common, commandTimeout })),
    (client) => Effect.sync(() => client.disconnect())
  )
  yield* listen(client, "Redis")
  yield* Effect.tryPromise({
    try: () => client.connect(),
    catch: (cause) =>
      new RedisConnectionError({
        reason: "Unreachable",
        message: `Redis at ${where} does not answer: start it, or correct the address, the password or the TLS options`,
        cause: scrubbed(cause)
      })
  })
  yield* writable(client, where)

  const redis = yield* Persistence.make({
    send: sendWith(client),
    connect: Effect.gen(function* () {
      // A reserved connection is for commands that block, so it has no command timeout; it does not come back by itself.
      const own = open({ ...common, retryStrategy: null })
      yield* listen(own, "Redis (reserved)")
      yield* Effect.tryPromise({
        try: () => own.connect(),
        catch: (cause) => new Persistence.RedisError({ cause: scrubbed(cause) })
      })
      return { send: sendWith(own), close: Effect.sync(() => own.disconnect()) }
    }),
    ...(options.pool === undefined ? {} : { pool: options.pool }),
    subscribe: (channel, onMessage) =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<void, Persistence.RedisError>()
        const subscriber = yield* Effect.acquireRelease(
          Effect.sync(() => open(common)),
          (subscriber) => Effect.sync(() => subscriber.disconnect())
        )
        yield* listen(subscriber, "Redis (subscriber)")
        subscriber.on("message", (from: string, message: string) => onMessage({ channel: from, message }))
        subscriber.on("end", () =>
          Deferred.doneUnsafe(
            ended,
            Effect.fail(new Persistence.RedisError({ cause: new Error("The connection is closed") }))
          )
        )
        yield* Effect.tryPromise({
          try: async () => {
            await subscriber.connect()
            await subscriber.subscribe(channel)
          },
          catch: (cause) => new Persistence.RedisError({ cause: scrubbed(cause) })
        })
        return Deferred.await(ended)
      })
  })
  return Context.make(RedisConnection, { client, isCluster: options.cluster !== undefined }).pipe(
    Context.add(Persistence.Redis, redis)
  )
})

const sendWith =
  (client: Redis | Cluster) =>
  <A = unknown>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, Persistence.RedisError> =>
    Effect.tryPromise({
      try: () =>
        (client instanceof Cluster && command === "SCRIPT" && args[0] === "LOAD"
          ? loadEverywhere(client, args[1] ?? "")
          : client.call(command, ...args)) as Promise<A>,
      catch: (cause) => new Persistence.RedisError({ cause: scrubbed(cause) })
    })

/** A cluster runs a script on the node of its keys, which the one who loads it does not know. */
const loadEverywhere = async (cluster: Cluster, lua: string): Promise<unknown> => {
  const loaded = await Promise.allSettled(cluster.nodes("master").map((node) => node.script("LOAD", lua)))
  const done = loaded.find(({ status }) => status === "fulfilled")
  if (done?.status === "fulfilled") return done.value
  const failed = loaded.find((each) => each.status === "rejected")
  throw failed?.reason ?? new Error("The cluster has no node that can be reached")
}

/** Without a listener, ioredis prints every lost connection; it is logged instead, once until it is back. */
const listen = (client: Redis | Cluster, what: string): Effect.Effect<void> =>
  Effect.map(Effect.context<never>(), (context) => {
    const run = Effect.runForkWith(context)
    let said = false
    client.on("error", (cause: unknown) => {
      if (said) return
      said = true
      run(Effect.logWarning(`${what}: the connection is lost, trying again`, scrubbed(cause)))
    })
    client.on("ready", () => {
      said = false
    })
  })

const writable = Effect.fnUntraced(function* (client: Redis | Cluster, where: string) {
  if (client instanceof Cluster) return
  const [role, info] = yield* Effect.tryPromise({
    try: async () => [(await client.role())[0], await client.info("cluster")] as const,
    catch: (cause) =>
      new RedisConnectionError({
        reason: "Unreachable",
        message: `Redis at ${where} does not say what it is: allow this user the commands ROLE and INFO`,
        cause: scrubbed(cause)
      })
  })
  if (role !== "master") {
    return yield* new RedisConnectionError({
      reason: "Replica",
      message: `Redis at ${where} is a replica and takes no writes: give the address of its primary, or use \`sentinel\``
    })
  }
  if (info.includes("cluster_enabled:1")) {
    return yield* new RedisConnectionError({
      reason: "ClusterNode",
      message: `Redis at ${where} is a node of a cluster: give it as \`cluster: [{ host, port }]\` instead of \`url\``
    })
  }
})

const settings = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<
  {
    readonly commandTimeout: number
    readonly common: Common
    readonly open: (redis: Common) => Redis | Cluster
    readonly where: string
  },
  RedisConnectionError,
  Scope.Scope
> {
  const wrong = (message: string) => new RedisConnectionError({ reason: "Setting", message })
  const { cluster, database, password, sentinel, tls, url, username } = options
  const given = [url, cluster, sentinel].filter((each) => each !== undefined).length
  if (given !== 1) {
    return yield* wrong(`${given} addresses were given to Connection.layer: give one of url, cluster and sentinel`)
  }
  const commandTimeout = Duration.toMillis(Duration.fromInputUnsafe(options.commandTimeout ?? "1 second"))
  const connectTimeout = Duration.toMillis(Duration.fromInputUnsafe(options.connectTimeout ?? "5 seconds"))
  for (const [name, value] of Object.entries({ commandTimeout, connectTimeout })) {
    if (!(value > 0 && Number.isFinite(value))) {
      return yield* wrong(`${name} is ${value} ms: it must be above 0 and finite; leave it out for the default`)
    }
  }
  let connected = false
  const common: Common = {
    lazyConnect: true,
    connectTimeout,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // The first connection is not tried twice: a wrong address is said at once. Later ones are tried for ever.
    retryStrategy: (times) => (connected ? Math.min(50 * 2 ** times, 2000) : null),
    // After a failover the old primary answers READONLY: look for the new one.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: tls === true ? {} : tls })
  }
  const established = <C extends Redis | Cluster>(client: C): C => {
    client.once("ready", () => {
      connected = true
    })
    return client
  }
  if (url !== undefined) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined
    if (parsed === undefined || !["redis:", "rediss:"].includes(parsed.protocol)) {
      return yield* wrong(`The url is not redis://host:port or rediss://host:port: write it so`)
    }
    return {
      commandTimeout,
      common,
      where: parsed.host,
      open: (redis) => established(new Redis(url, { ...redis, ...(database === undefined ? {} : { db: database }) }))
    }
  }
  if (sentinel !== undefined) {
    if (sentinel.nodes.length === 0) {
      return yield* wrong("sentinel.nodes is empty: give the address of one Sentinel at least")
    }
    return {
      commandTimeout,
      common,
      where: `${sentinel.name} (Sentinel)`,
      open: (redis) =>
        established(
          new Redis({
            ...redis,
            name: sentinel.name,
            sentinels: sentinel.nodes.map(({ host, port }) => ({ host, port })),
            sentinelRetryStrategy: (times) => (connected ? Math.min(50 * 2 ** times, 2000) : null),
            ...(sentinel.password === undefined ? {} : { sentinelPassword: sentinel.password }),
            ...(tls === undefined ? {} : { enableTLSForSentinelMode: true }),
            ...(database === undefined ? {} : { db: database })
          })
        )
    }
  }
  const nodes = cluster ?? []
  if (nodes.length === 0) return yield* wrong("cluster is empty: give the address of one node at least")
  if (database !== undefined && database !== 0) {
    return yield* wrong(`database is ${database}: a cluster has only database 0; leave it out`)
  }
  return {
    commandTimeout,
    common,
    where: nodes.map(({ host, port }) => `${host}:${port}`).join(", "),
    open: ({ autoResendUnfulfilledCommands, lazyConnect, retryStrategy, ...redis }) =>
      established(
        new Cluster(
          nodes.map(({ host, port }) => ({ host, port })),
          {
            lazyConnect: true,
            enableOfflineQueue: false,
            redisOptions: redis,
            // A certificate is for a name: the connection looks it up, and is not given its address.
            ...(tls === undefined ? {} : { dnsLookup: (address, callback) => callback(null, address) }),
            clusterRetryStrategy: (times) =>
              connected && retryStrategy !== null ? Math.min(50 * 2 ** times, 2000) : null,
            // While a node is away, commands for its slots are refused at once; its place is looked up again meanwhile.
            maxRedirections: 4,
            retryDelayOnFailover: 50,
            retryDelayOnClusterDown: 50,
            slotsRefreshTimeout: connectTimeout
          }
        )
      )
  }
})

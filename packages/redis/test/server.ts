/**
 * Real Redis servers for tests and benchmarks: started here on free loopback ports, and stopped by their process id.
 *
 * Where `redis-server` is not installed, it is installed from the distribution's packages when that is possible (apt, as root).
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Effect, type Scope } from "effect"
import { Redis } from "ioredis"

export interface Server {
  readonly host: string
  readonly port: number
  readonly url: string
  /** SIGSTOP: connections stay open, and nobody answers. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** SIGKILL. */
  readonly kill: Effect.Effect<void>
  /** Starts it again on the same port; it has forgotten everything unless `--appendonly yes` was given. */
  readonly start: Effect.Effect<void>
}

const present = new Set<string>()

/** Makes sure that a program can be run, installing it where that is possible, and returns its name. */
export const program = (command: "redis-server" | "openssl"): string => {
  if (present.has(command)) return command
  const works = () => spawnSync(command, [command === "openssl" ? "version" : "--version"]).status === 0
  if (!works()) {
    if (process.getuid?.() === 0 && spawnSync("apt-get", ["--version"]).status === 0) {
      // RUNLEVEL 1: the program only, no service started. Test files start at once in several processes, so one of them installs
      // and the others wait for it.
      const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
      const apt = (...args: ReadonlyArray<string>) =>
        spawnSync("apt-get", ["-o", "DPkg::Lock::Timeout=60", ...args], { env, stdio: "ignore" })
      for (let attempt = 0; attempt < 60 && !works(); attempt++) {
        if (attempt > 0) apt("update")
        apt("install", "-y", "--no-install-recommends", command)
        if (!works()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
      }
    }
    if (!works()) {
      throw new Error(
        `${command} is not installed: install it (Debian and Ubuntu: apt-get install ${command}; macOS: brew install ${command.replace("-server", "")}), then run this again`
      )
    }
  }
  present.add(command)
  return command
}

// While the module loads, no timeout of a test runs.
if (!process.env["REDIS_URL"]) program("redis-server")

export const freePort = async (): Promise<number> => {
  const server = createServer()
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, "close")
  return port
}

const running = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

const spawnServer = async (args: ReadonlyArray<string>): Promise<ChildProcess> => {
  const child = spawn(program("redis-server"), args, { stdio: ["ignore", "pipe", "inherit"] })
  running.add(child)
  child.on("exit", () => running.delete(child))
  const lines: Array<string> = []
  const output = createInterface({ input: child.stdout! })
  await new Promise<void>((resolve, reject) => {
    output.on("line", (line) => {
      lines.push(line)
      if (/Ready to accept connections|\+monitor master/.test(line)) resolve()
    })
    child.on("exit", () => reject(new Error(`redis-server did not start:\n${lines.join("\n")}`)))
  })
  return child
}

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, "exit")
  child.kill("SIGKILL")
  await exited
}

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "interlock-redis-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Starts a server that stops with the scope; `first` are arguments that must come before all others. */
export const start = (
  args: ReadonlyArray<string> = [],
  first: ReadonlyArray<string> = []
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const directory = yield* temporary
    const port = yield* Effect.promise(freePort)
    const all = [
      ...first,
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", directory, "--daemonize", "no"],
      ...(args.includes("--sentinel") ? [] : ["--save", ""]),
      ...args
    ]
    let child = yield* Effect.promise(() => spawnServer(all))
    yield* Effect.addFinalizer(() => Effect.promise(() => stop(child)))
    return {
      host: "127.0.0.1",
      port,
      url: `redis://127.0.0.1:${port}`,
      pause: Effect.sync(() => void child.kill("SIGSTOP")),
      resume: Effect.sync(() => void child.kill("SIGCONT")),
      kill: Effect.promise(() => stop(child)),
      start: Effect.promise(async () => {
        child = await spawnServer(all)
      })
    }
  })

/** A server that is only read and written: `REDIS_URL` where it is set, otherwise one of its own. */
export const url: Effect.Effect<string, never, Scope.Scope> = Effect.suspend(() => {
  const given = process.env["REDIS_URL"]
  return given === undefined || given === "" ? Effect.map(start(), (server) => server.url) : Effect.succeed(given)
})

/** A cluster of three primaries that stops with the scope. */
export const cluster: Effect.Effect<ReadonlyArray<Server>, never, Scope.Scope> = Effect.gen(function* () {
  const nodes = yield* Effect.forEach(
    [0, 1, 2],
    () =>
      Effect.flatMap(Effect.promise(freePort), (bus) =>
        start(["--cluster-enabled", "yes", "--cluster-port", `${bus}`, "--cluster-node-timeout", "2000"])
      ),
    { concurrency: 3 }
  )
  yield* Effect.promise(async () => {
    const clients = nodes.map(({ port }) => new Redis(port, "127.0.0.1"))
    const ranges = [
      [0, 5460],
      [5461, 10922],
      [10923, 16383]
    ] as const
    const bus = await Promise.all(
      clients.map(async (client) => Number(((await client.config("GET", "cluster-port")) as Array<string>)[1]))
    )
    await Promise.all(
      clients.map(async (client, index) => {
        const [from, to] = ranges[index]!
        await client.call("CLUSTER", "ADDSLOTSRANGE", `${from}`, `${to}`)
        await client.call("CLUSTER", "SET-CONFIG-EPOCH", `${index + 1}`)
      })
    )
    for (const index of [1, 2]) {
      await clients[0]!.call("CLUSTER", "MEET", "127.0.0.1", `${nodes[index]!.port}`, `${bus[index]}`)
    }
    const ready = async (client: Redis) => {
      const info = (await client.call("CLUSTER", "INFO")) as string
      return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3")
    }
    // Each round asks all three and waits for their answers.
    while (!(await Promise.all(clients.map(ready))).every((each) => each));
    for (const client of clients) client.disconnect()
  })
  return nodes
})

/** A Sentinel that watches `server` under `name`, and promotes a replica when it has been away for 300 ms. */
export const sentinel = (server: Server, name: string): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const directory = yield* temporary
    const file = join(directory, "sentinel.conf")
    const lines = [
      `sentinel monitor ${name} ${server.host} ${server.port} 1`,
      `sentinel down-after-milliseconds ${name} 300`,
      `sentinel failover-timeout ${name} 2000`
    ]
    writeFileSync(file, `${lines.join("\n")}\n`)
    return yield* start(["--sentinel"], [file])
  })

import { spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "@effect/vitest"
import { type Limits, layer, Sandbox } from "@interlock/stages/judge/sandbox"
import { Effect, Layer } from "effect"

/** Programs run in real time in real processes here: nothing else shows that they are contained. */

const folder = mkdtempSync(join(tmpdir(), "interlock-sandbox-test-"))
const before = process.env["TMPDIR"]
process.env["TMPDIR"] = folder
afterAll(() => {
  if (before === undefined) delete process.env["TMPDIR"]
  else process.env["TMPDIR"] = before
  rmSync(folder, { recursive: true })
})

const limits: Partial<Limits> = { cpuSeconds: 1, heapMegabytes: 32, outputBytes: 65_536 }

/** What the machine can do is tried out once. */
const once = (sandbox: Layer.Layer<Sandbox>) =>
  Layer.effect(Sandbox, Effect.runSync(Effect.cached(Effect.provide(Sandbox.use(Effect.succeed), sandbox))))

const full = once(layer(limits))

/** For programs that come to an end, on a busy machine too. */
const patient = once(layer({ ...limits, cpuSeconds: 10 }))

const run = (source: string, sandbox: Layer.Layer<Sandbox> = full) =>
  Sandbox.use(({ run }) => run({ files: { "main.mjs": source }, program: { entry: "main.mjs" } })).pipe(
    Effect.provide(sandbox)
  )

/** Tries things, without any fence within the process, and says what came of each: `did …` or the code of the error. */
const attempt = (bodies: { readonly [name: string]: string }) =>
  Effect.map(
    run(
      `import { writeSync } from "node:fs"
const attempts = { ${Object.entries(bodies).map(([name, body]) => `${name}: async () => { ${body} }`)} }
const said = {}
for (const [name, attempt] of Object.entries(attempts)) {
  said[name] = await attempt().then((value) => \`did \${value}\`, (error) => error.code ?? error.message)
}
writeSync(3, JSON.stringify(said))
process.exit(0)`,
      patient
    ),
    ({ results }) => JSON.parse(results) as { readonly [name: string]: string }
  )

const denied = (bodies: { readonly [name: string]: string }) =>
  Effect.map(attempt(bodies), (said) =>
    expect(said).toEqual(Object.fromEntries(Object.keys(bodies).map((name) => [name, "ERR_ACCESS_DENIED"])))
  )

const isolated = Effect.provide(
  Sandbox.use(({ layers }) => Effect.succeed(layers.some((name) => name.startsWith("namespaces")))),
  full
)

const works = (command: string, ...args: ReadonlyArray<string>) =>
  process.platform === "linux" && spawnSync(command, [...args]).status === 0

describe("a program in the sandbox", () => {
  it.live("runs, and its channels are told apart", () =>
    Effect.gen(function* () {
      const ran = yield* run(
        'import { writeSync } from "node:fs"; console.log("out"); console.error("err"); writeSync(3, "res"); process.exitCode = 3'
      )
      expect(ran).toEqual({ ended: "Exited", code: 3, output: "out\n", errors: "err\n", results: "res" })
    })
  )

  it.live("takes the shell's limits where there is no prlimit", () =>
    Effect.gen(function* () {
      const path = process.env["PATH"]
      process.env["PATH"] = folder
      const sandbox = yield* Effect.provide(Sandbox.use(Effect.succeed), layer(limits))
      process.env["PATH"] = path
      expect(sandbox.layers.slice(2)).toEqual(process.platform === "win32" ? [] : ["ulimit (processor, files)"])
      const loop = { files: { "main.mjs": "for (;;) {}" }, program: { entry: "main.mjs" } }
      expect(yield* sandbox.run(loop)).toMatchObject({ ended: "Timeout" })
      const honest = { files: { "main.mjs": "console.log(6 * 7)" }, program: { entry: "main.mjs" } }
      expect(yield* sandbox.run(honest)).toMatchObject({ ended: "Exited", code: 0, output: "42\n" })
    })
  )

  it.live("runs where there is neither prlimit nor unshare", () =>
    Effect.gen(function* () {
      const bare = layer({ ...limits, system: false })
      expect((yield* Effect.provide(Sandbox.use(Effect.succeed), bare)).layers.length).toBe(2)
      expect(yield* run('console.log("out")', bare)).toMatchObject({ ended: "Exited", code: 0, output: "out\n" })
      const brief = layer({ ...limits, wallMillis: 500, system: false })
      expect(yield* run("for (;;) {}", brief)).toMatchObject({ ended: "Timeout" })
    })
  )

  it.live("uses what this machine allows", () =>
    Effect.gen(function* () {
      const { layers } = yield* Effect.provide(Sandbox.use(Effect.succeed), full)
      const expected = [
        works("prlimit", "--core=0", "true") ? ["prlimit (processor, memory, files)"] : [],
        works("unshare", "--user", "--net", "--pid", "--ipc", "--uts", "--fork", "true")
          ? [
              works("unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt")
                ? "namespaces (no network, no other process, no file but its own)"
                : "namespaces (no network, no other process)"
            ]
          : []
      ].flat()
      expect(layers.slice(2)).toEqual(expected)
    })
  )

  it.live("reads no file but its own, and writes none", () =>
    Effect.gen(function* () {
      const secret = join(folder, "secret.txt")
      writeFileSync(secret, "do not read")
      const fs = 'const fs = await import("node:fs");'
      yield* denied({
        read: `${fs} return fs.readFileSync(${JSON.stringify(secret)}, "utf8")`,
        above: `${fs} return fs.readdirSync("..")`,
        passwd: `${fs} return fs.readFileSync("/etc/passwd", "utf8")`,
        environment: `${fs} return fs.readFileSync("/proc/self/environ", "utf8")`,
        write: `${fs} fs.writeFileSync("new.txt", "x")`,
        elsewhere: `${fs} fs.writeFileSync(${JSON.stringify(secret)}, "x")`,
        link: `${fs} fs.symlinkSync(${JSON.stringify(secret)}, "link")`,
        remove: `${fs} fs.rmSync("main.mjs")`
      })
      // With a root of its own there is no such file to be denied.
      const imported = yield* attempt({ import: `return (await import(${JSON.stringify(secret)})).default` })
      expect(["ERR_ACCESS_DENIED", "ERR_MODULE_NOT_FOUND"]).toContain(imported["import"])
      expect(yield* attempt({ own: `${fs} return fs.readFileSync("main.mjs", "utf8").length > 0` })).toEqual({
        own: "did true"
      })
    })
  )

  it.live("starts no process, worker or addon: a fork bomb has nothing to fork with", () =>
    Effect.gen(function* () {
      yield* denied({
        spawn: 'return (await import("node:child_process")).spawnSync("true").status',
        exec: 'return (await import("node:child_process")).execSync("true")',
        cluster: 'const c = (await import("node:cluster")).default; return c.fork()',
        worker: 'return new (await import("node:worker_threads")).Worker("1", { eval: true })',
        binding: 'return process.binding("spawn_sync")'
      })
      expect(yield* attempt({ addon: 'process.dlopen({ exports: {} }, "main.mjs")' })).toEqual({
        addon: "ERR_DLOPEN_DISABLED"
      })
      const bomb = yield* run(
        'import { fork } from "node:child_process"; for (;;) try { fork("main.mjs") } catch (error) { if (error.code !== "ERR_ACCESS_DENIED") console.log(error) }'
      )
      expect(["Timeout", "Memory"]).toContain(bomb.ended)
      expect(bomb.output).toBe("")
    })
  )

  it.live("has no environment: no key of the parent is in it", () =>
    Effect.gen(function* () {
      const name = `KEY_${createHash("sha256").update(folder).digest("hex").slice(0, 8)}`
      process.env[name] = "secret"
      const { output } = yield* run("console.log(JSON.stringify(process.env))")
      delete process.env[name]
      expect(Object.keys(JSON.parse(output)).filter((each) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(each))).toEqual(
        []
      )
    })
  )

  it.live("reaches no network, and no process, where namespaces are allowed", () =>
    Effect.gen(function* () {
      let reached = 0
      const server = createServer((socket) => {
        reached++
        socket.destroy()
      })
      yield* Effect.promise(() => new Promise<void>((done) => server.listen(0, "127.0.0.1", done)))
      const { port } = server.address() as { readonly port: number }
      const connect = `const net = await import("node:net"); return new Promise((done, fail) => net.connect(${port}, "127.0.0.1").on("connect", () => done("connect")).on("error", fail))`
      const said = yield* attempt({ connect, signal: `return process.kill(${process.pid}, 0)` })
      server.close()
      if (yield* isolated) expect([said, reached]).toEqual([{ connect: "ENETUNREACH", signal: "ESRCH" }, 0])
      else expect(said["connect"]).toBe("did connect")
    })
  )

  it.live("reaches no socket of the machine, and makes no file by any module, where it has a root of its own", () =>
    Effect.gen(function* () {
      const path = join(folder, "host.sock")
      let reached = 0
      const server = createServer((socket) => {
        reached++
        socket.destroy()
      })
      yield* Effect.promise(() => new Promise<void>((done) => server.listen(path, done)))
      const connect = `const net = await import("node:net"); return new Promise((done, fail) => net.connect(${JSON.stringify(path)}).on("connect", () => done("connect")).on("error", fail))`
      const database = join(folder, "made.db")
      const said = yield* attempt({
        connect,
        listen: `const net = await import("node:net"); return new Promise((done, fail) => net.createServer().on("error", fail).listen("made.sock", () => done("listen")))`,
        database: `const { DatabaseSync } = await import("node:sqlite"); new DatabaseSync(${JSON.stringify(database)}).exec("create table a (b)")`
      })
      server.close()
      const { layers } = yield* Effect.provide(Sandbox.use(Effect.succeed), full)
      if (!layers.some((name) => name.endsWith("no file but its own)"))) return
      expect([said, reached]).toEqual([{ connect: "ENOENT", listen: "EROFS", database: "ERR_SQLITE_ERROR" }, 0])
      expect(existsSync(database)).toBe(false)
    })
  )

  it.live("does not outlive whoever started it, even one that is killed, where setpriv is there", () =>
    Effect.gen(function* () {
      if (!works("setpriv", "--pdeathsig", "KILL", "true")) return
      const mark = `outlives-${createHash("sha256").update(folder).digest("hex").slice(0, 12)}`
      const program = `
        import { layer, Sandbox } from ${JSON.stringify(import.meta.resolve("@interlock/stages/judge/sandbox"))}
        import { Effect } from ${JSON.stringify(import.meta.resolve("effect"))}
        const files = { "${mark.replace("-", "")}.mjs": "console.log(1); setInterval(() => {}, 1e6)" }
        const run = Sandbox.use(({ run }) => run({ files, program: { entry: "${mark.replace("-", "")}.mjs" } }))
        Effect.runFork(Effect.provide(run, layer()))`
      const running = () =>
        spawnSync("ps", ["-eo", "args"])
          .stdout.toString()
          .includes(`${mark.replace("-", "")}.mjs`)
      const until = (there: boolean): Effect.Effect<void> =>
        Effect.suspend(() =>
          running() === there ? Effect.void : Effect.andThen(Effect.sleep("20 millis"), until(there))
        )
      const parent = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: "ignore" })
      yield* until(true)
      parent.kill("SIGKILL")
      yield* until(false)
    })
  )

  it.live("is ended: an endless loop, an endless wait, a flood of output, a hunger for memory, a crash", () =>
    Effect.gen(function* () {
      expect(yield* run("for (;;) {}")).toMatchObject({ ended: "Timeout" })
      expect(yield* run("setInterval(() => {}, 1e6)", layer({ ...limits, wallMillis: 500 }))).toMatchObject({
        ended: "Timeout"
      })
      for (const channel of ["process.stdout.fd", "process.stderr.fd", "3"]) {
        const flood = yield* run(
          `import { writeSync } from "node:fs"; for (;;) try { writeSync(${channel}, "x".repeat(65536)) } catch {}`
        )
        expect([channel, flood.ended]).toEqual([channel, "Output"])
        expect(flood.output.length + flood.errors.length + flood.results.length).toBeLessThanOrEqual(65_536)
      }
      const hungry = "const all = []; for (;;) all.push({ a: [1, 2, 3] })"
      expect(yield* run(hungry, patient)).toMatchObject({ ended: "Memory" })
      expect(yield* run("process.abort()")).toMatchObject({ ended: "Crashed" })
    })
  )

  it.live("is killed when whoever waits for it leaves, and leaves no file", () =>
    Effect.gen(function* () {
      const left = yield* Effect.timeoutOption(run("setInterval(() => {}, 1e6)"), "400 millis")
      expect(left._tag).toBe("None")
      expect(readdirSync(folder).filter((name) => name.startsWith("interlock-sandbox-"))).toEqual([])
    })
  )

  it.effect("refuses file names that are paths", () =>
    Effect.gen(function* () {
      for (const name of ["../x.ts", "/etc/x.ts", "a/b.ts", ".npmrc", "x", "", "a b.ts"]) {
        const refused = Sandbox.use(({ run }) => run({ files: { [name]: "" }, program: { entry: "main.mjs" } }))
        expect(yield* Effect.flip(Effect.provide(refused, layer({ system: false })))).toMatchObject({ reason: "Name" })
      }
    })
  )
})

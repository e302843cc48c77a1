/**
 * A `Sandbox` runs a program that nobody trusts, code that a model wrote, in a child process, and says how it ended. It never fails
 * because of what the program does: an endless loop, a flood of output or a crash is a way to end.
 *
 * What contains it, from the inside out (`layers` names those that this machine allows):
 *
 * 1. Node's permission model: no file but those of the job, no writing, no child process, worker, addon, WASI or inspector.
 * 2. The process: no environment, nothing to read, a limit of heap, of time and of what it may write; killed with its whole group.
 * 3. `prlimit`, on Linux: processor time, memory beside the heap, no growing file, no core dump. Elsewhere on Unix the shell's `ulimit`:
 *    the same but for memory.
 * 4. `unshare`, where Linux allows it: no network, and no other process is seen or can be signalled. Where it may mount as well, the program
 *    has a root of its own, read-only, with the system's programs and libraries and its own files: no other file is there, and no Unix
 *    socket (Docker's, a database's, an agent's for keys) can be reached.
 *
 * What does not: Node's documentation says that its permission model is no boundary against hostile code (without a root of its own,
 * `node:sqlite` makes files and `node:net` reaches Unix sockets in spite of it), and a hole in the kernel is a hole in the
 * sandbox. It keeps accidents and ordinary malice on the machine of a developer; a service that runs strangers' code should run it
 * in a container without privileges or in a virtual machine as well, and can: `Sandbox` is a service with one method.
 *
 * ```ts
 * import { layer, Sandbox } from "@interlock/stages/judge/sandbox"
 * import { Effect } from "effect"
 *
 * const program = Sandbox.use((sandbox) =>
 *   sandbox.run({ files: { "main.mjs": "while (true) {}" }, program: { entry: "main.mjs" } })
 * )
 * const ran = await Effect.runPromise(Effect.provide(program, layer({ wallMillis: 500 })))
 * console.assert(ran.ended === "Timeout")
 * ```
 *
 * @since 0.1.0
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises"
import { constants as osConstants, tmpdir } from "node:os"
import { basename, delimiter, join } from "node:path"
import { Context, Effect, Layer, Schema } from "effect"

/**
 * How much a program may use.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** Seconds of processor time, whole ones, where `prlimit` or `ulimit` is there. Default: 5. */
  readonly cpuSeconds: number
  /** Milliseconds until it is killed. Default: 15,000. */
  readonly wallMillis: number
  /** Megabytes of Node's heap. Default: 96. */
  readonly heapMegabytes: number
  /** Bytes that it may write, to all channels together. Default: 262,144. */
  readonly outputBytes: number
}

/**
 * A program to run: its files, by plain name, and what to start.
 *
 * @category models
 * @since 0.1.0
 */
export interface Job {
  readonly files: { readonly [name: string]: string }
  readonly program: /** A file of the job, for Node. */
    | { readonly entry: string }
    /** A trusted program of this machine, such as a compiler, in the folder of the job. It sees the files of this machine. */
    | { readonly executable: string; readonly args: ReadonlyArray<string> }
}

/**
 * How a program ended. `Timeout`: it used up its time. `Output`: it wrote too much. `Memory`: it ran out of memory. `Crashed`: a signal
 * ended it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ran {
  readonly ended: "Exited" | "Timeout" | "Output" | "Memory" | "Crashed"
  /** The exit code, where it exited. */
  readonly code?: number
  readonly output: string
  readonly errors: string
  /** What was written to file descriptor 3. */
  readonly results: string
}

/**
 * Nothing could be run: the machine has no process, disk or Node for it. It says nothing of the program.
 *
 * @category errors
 * @since 0.1.0
 */
export class SandboxError extends Schema.TaggedError<SandboxError>()("@interlock/stages/SandboxError", {
  reason: Schema.Literals(["Name", "Disk", "Process"]),
  message: Schema.String
}) {}

/**
 * Runs programs that nobody trusts.
 *
 * @category services
 * @since 0.1.0
 */
export class Sandbox extends Context.Service<
  Sandbox,
  {
    /** What contains a program on this machine. */
    readonly layers: ReadonlyArray<string>
    readonly run: (job: Job) => Effect.Effect<Ran, SandboxError>
  }
>()("@interlock/stages/Sandbox") {}

// ---------------------------------------------------------------------------------------------------------------
// One process
// ---------------------------------------------------------------------------------------------------------------

const { SIGKILL, SIGXCPU } = osConstants.signals

/** A program that is killed with all that it started. */
const killGroup = (child: ChildProcess): void => {
  try {
    if (process.platform !== "win32" && child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
  } catch {
    // The group is gone already.
  }
  child.kill("SIGKILL")
}

const outOfMemory = /out of memory|allocation failed|bad_alloc|cannot allocate/i

/** The clock is the machine's and not Effect's: the program runs in real time. */
const execute = (
  [command = "", ...args]: ReadonlyArray<string>,
  options: SpawnOptions,
  limits: Limits
): Effect.Effect<Ran, SandboxError> =>
  Effect.callback<Ran, SandboxError>((resume) => {
    const began = Date.now()
    const child = spawn(command, args, {
      ...options,
      detached: process.platform !== "win32",
      windowsHide: true,
      stdio: ["ignore", "pipe", "pipe", "pipe"]
    })
    let cut: "Timeout" | "Output" | undefined
    let written = 0
    const kept: ReadonlyArray<Array<Buffer>> = [[], [], []]
    const channels = child.stdio.slice(1)
    for (const [index, channel] of channels.entries()) {
      channel?.on("error", () => {})
      channel?.on("data", (chunk: Buffer) => {
        written += chunk.length
        if (written <= limits.outputBytes) kept[index]!.push(chunk)
        else if (cut === undefined) {
          cut = "Output"
          killGroup(child)
        }
      })
    }
    const timer = setTimeout(() => {
      cut ??= "Timeout"
      killGroup(child)
    }, limits.wallMillis)
    child.on("error", (error) => {
      clearTimeout(timer)
      const message = `${basename(command)} could not be started: ${error.message}`
      resume(Effect.fail(new SandboxError({ reason: "Process", message })))
    })
    // What the group left behind could hold the channels open.
    child.on("exit", () => {
      killGroup(child)
      setTimeout(() => {
        for (const channel of channels) (channel as { destroy?: () => void } | null)?.destroy?.()
      }, 1000).unref()
    })
    child.on("close", (code, signal) => {
      clearTimeout(timer)
      const [output, errors, results] = kept.map((chunks) => Buffer.concat(chunks).toString()) as [
        string,
        string,
        string
      ]
      const texts = { output, errors, results }
      const outlasted = Date.now() - began >= limits.cpuSeconds * 1000
      if (cut !== undefined) return resume(Effect.succeed({ ended: cut, ...texts }))
      const killer =
        signal !== null ? osConstants.signals[signal] : code !== null && code > 128 ? code - 128 : undefined
      if (killer === undefined) return resume(Effect.succeed({ ended: "Exited", code: code ?? 0, ...texts }))
      const timeout = killer === SIGXCPU || (killer === SIGKILL && outlasted)
      const ended = timeout ? "Timeout" : outOfMemory.test(errors) ? "Memory" : "Crashed"
      resume(Effect.succeed({ ended, ...texts }))
    })
    return Effect.callback<void>((done) => {
      child.on("close", () => done(Effect.void))
      killGroup(child)
    })
  })

const find = (name: string): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })

/** The folder of a job with its files, and an empty one that its root may be mounted on. */
interface Place {
  readonly folder: string
  readonly root: string
}

const inPlace = <A, E>(files: Job["files"], use: (place: Place) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.tryPromise({
      try: async () => realpath(await mkdtemp(join(tmpdir(), "interlock-sandbox-"))),
      catch: (error) => new SandboxError({ reason: "Disk", message: `there is no folder to run in: ${error}` })
    }),
    (base) => {
      const place = { folder: join(base, "job"), root: join(base, "root") }
      return Effect.tryPromise({
        try: async () => {
          await Promise.all([mkdir(place.folder), mkdir(place.root)])
          await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(place.folder, name), text)))
        },
        catch: (error) => new SandboxError({ reason: "Disk", message: `the files could not be written: ${error}` })
      }).pipe(Effect.andThen(use(place)))
    },
    (base) => Effect.promise(() => rm(base, { recursive: true, force: true }))
  )

/** No path, nothing hidden, nothing that is a configuration of Node by its name. */
const plain = /^[a-z][a-zA-Z0-9]*(\.[a-zA-Z0-9]+)+$/

// ---------------------------------------------------------------------------------------------------------------
// The layer
// ---------------------------------------------------------------------------------------------------------------

/**
 * The first process of a namespace is spared the signals that end others, and `unshare` does not pass on every end: so a shell is the
 * first process, and passes on an end by signal `n` as the code `128 + n`.
 */
const shell = ["/bin/sh", "-c", '"$@"; exit $?', "sh"]

/**
 * Mounts a root for the program, read-only, and starts it there without a right to mount. The system's folders are those that Node's
 * libraries may be in; a flag that a mount must keep is kept.
 */
const ownRoot = `set -e
root=$1 job=$2 node=$3 unshare=$4
shift 4
bind() {
  mount --rbind "$1" "$root$1"
  mount -o remount,bind,ro "$root$1" 2>/dev/null || mount -o remount,bind,ro,nosuid,nodev "$root$1"
}
mount -t tmpfs -o size=64k,mode=755 none "$root"
for path in /usr /lib /lib32 /lib64 /bin /sbin /nix/store; do
  if [ -L "$path" ]; then ln -s "$(readlink "$path")" "$root$path"
  elif [ -d "$path" ]; then mkdir -p "$root$path"; bind "$path"
  fi
done
mkdir -p "$root$job" "$root/proc"
bind "$job"
if [ ! -e "$root$node" ]; then mkdir -p "$root\${node%/*}"; : > "$root$node"; bind "$node"; fi
mount -t proc none "$root/proc" 2>/dev/null || :
mount -o remount,bind,ro "$root"
"$unshare" --user --root="$root" --wd="$job" -- "$@"
exit $?`

/** Node on a small program takes some 700 MB of address space that is counted as data, and uses little of it. */
const besideTheHeap = 1024 * 1024 * 1024

/**
 * Runs programs in child processes of this machine. What `prlimit`, `ulimit` and `unshare` can do here is tried out once.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Partial<Limits> & {
    /** `false`: neither `prlimit`, `ulimit` nor `unshare` is used, as on a machine that has none. Default: those that work. */
    readonly system?: boolean
  } = {}
): Layer.Layer<Sandbox> =>
  Layer.effect(
    Sandbox,
    Effect.gen(function* () {
      const limits: Limits = {
        cpuSeconds: options.cpuSeconds ?? 5,
        wallMillis: options.wallMillis ?? 15_000,
        heapMegabytes: options.heapMegabytes ?? 96,
        outputBytes: options.outputBytes ?? 262_144
      }
      const linux = process.platform === "linux" && options.system !== false
      const [prlimit, unshare] = [linux ? find("prlimit") : undefined, linux ? find("unshare") : undefined]
      const unix = process.platform !== "win32" && options.system !== false
      const limited =
        prlimit === undefined
          ? unix
            ? ["/bin/sh", "-c", 'ulimit -t "$0" && ulimit -c 0 && ulimit -f 0 && exec "$@"', `${limits.cpuSeconds}`]
            : []
          : [
              prlimit,
              `--cpu=${limits.cpuSeconds}:${limits.cpuSeconds + 1}`,
              `--data=${limits.heapMegabytes * 1024 * 1024 + besideTheHeap}`,
              "--fsize=0",
              "--core=0",
              "--nofile=128"
            ]
      // Whatever ends this process ends the program too.
      const bound = linux ? find("setpriv") : undefined
      const namespaces = ["--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child=KILL"]
      // In a user namespace of its own it does not count what else this user runs.
      const few = prlimit === undefined ? [] : [prlimit, "--nproc=64"]
      const executable = yield* Effect.promise(() => realpath(process.execPath))
      const node = [
        executable,
        "--permission",
        `--max-old-space-size=${limits.heapMegabytes}`,
        "--max-semi-space-size=4",
        "--disallow-code-generation-from-strings",
        "--no-warnings"
      ]
      const patient = { ...limits, wallMillis: Math.max(limits.wallMillis, 10_000) }
      type Wrapper = (place: Place) => ReadonlyArray<string>
      /** The wrapper, where it works on this machine. */
      const tried = (wrapper: Wrapper) =>
        inPlace({}, (place) =>
          execute([...wrapper(place), ...node, "--eval", "0"], { cwd: place.folder, env: {} }, patient)
        ).pipe(
          Effect.match({
            onSuccess: (ran) => (ran.ended === "Exited" && ran.code === 0 ? wrapper : undefined),
            onFailure: () => undefined
          })
        )
      const outer = limited.length > 0 && (yield* tried(() => limited)) !== undefined ? limited : []
      const held = bound === undefined ? [] : [...outer, bound, "--pdeathsig", "KILL"]
      const begin = held.length > 0 && (yield* tried(() => held)) !== undefined ? held : outer
      const inner = outer.length === 0 ? [] : few
      const alone =
        unshare === undefined
          ? undefined
          : yield* tried(() => [...begin, unshare, "--user", ...namespaces, ...shell, ...inner])
      const rooted =
        unshare === undefined || alone === undefined
          ? undefined
          : yield* tried(({ folder, root }) => [
              ...[...begin, unshare, "--user", "--map-root-user", "--mount", ...namespaces],
              ...["/bin/sh", "-c", ownRoot, "sh", root, folder, executable, unshare, ...inner]
            ])
      const wrapper: Wrapper = alone ?? (() => begin)
      return {
        layers: [
          "Node's permission model",
          "time, heap and output limits, an empty environment",
          ...(outer.length === 0
            ? []
            : [prlimit === undefined ? "ulimit (processor, files)" : "prlimit (processor, memory, files)"]),
          ...(rooted !== undefined
            ? ["namespaces (no network, no other process, no file but its own)"]
            : alone !== undefined
              ? ["namespaces (no network, no other process)"]
              : [])
        ],
        run: Effect.fnUntraced(function* ({ files, program }) {
          const odd = Object.keys(files).find((name) => !plain.test(name))
          if (odd !== undefined) {
            return yield* new SandboxError({
              reason: "Name",
              message: `"${odd}" is no plain file name: give letters and digits with an ending, without folders`
            })
          }
          return yield* inPlace(files, (place) =>
            "entry" in program
              ? execute(
                  [...(rooted ?? wrapper)(place), ...node, `--allow-fs-read=${join(place.folder, "*")}`, program.entry],
                  { cwd: place.folder, env: {} },
                  limits
                )
              : execute(
                  [...wrapper(place), program.executable, ...program.args],
                  { cwd: place.folder, env: { GOMEMLIMIT: `${4 * limits.heapMegabytes}MiB`, GOMAXPROCS: "2" } },
                  limits
                )
          )
        })
      }
    })
  )

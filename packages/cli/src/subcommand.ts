/**
 * What one file of `commands/` exports: a command of `interlock`, found by its file name.
 *
 * To add `interlock NAME`, write `commands/NAME.ts` that exports `command`, a `Command.make("NAME", …)` from `effect/cli` whose
 * services are those of Node (`NodeServices`), and `prepare` where its arguments are not flags of its own. Nothing else has to be edited.
 *
 * @since 0.1.0
 */
import { readdirSync } from "node:fs"
import type { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import type { Command } from "effect/cli"

/**
 * A command of `interlock` that needs no more than the services of Node.
 *
 * @category models
 * @since 0.1.0
 */
export type Subcommand = Command.Command<any, any, any, unknown, NodeServices.NodeServices>

const folder = new URL("./commands/", import.meta.url)
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js"

/**
 * A file of `commands/`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Loaded {
  readonly command: Subcommand
  /** What the arguments after the command's name become before they are parsed. Default: they stay. */
  readonly prepare?: (args: ReadonlyArray<string>) => ReadonlyArray<string>
}

/**
 * The names of the commands that are there, in alphabetical order.
 *
 * @category accessors
 * @since 0.1.0
 */
export const names: Effect.Effect<ReadonlyArray<string>> = Effect.sync(() =>
  readdirSync(folder)
    .filter((file) => file.endsWith(extension) && !file.endsWith(".d.ts"))
    .map((file) => file.slice(0, -extension.length))
    .sort()
)

/**
 * Loads the command `name`; a file that exports no `command` is a defect.
 *
 * @category accessors
 * @since 0.1.0
 */
export const load = (name: string): Effect.Effect<Loaded> =>
  Effect.promise(async () => {
    const module: Partial<Loaded> = await import(new URL(`${name}${extension}`, folder).href)
    if (module.command === undefined) throw new Error(`commands/${name}${extension} must export "command"`)
    return { ...module, command: module.command }
  })

/**
 * Runs one benchmark by its name: `pnpm bench NAME -- --flags`. Each module beside this one that exports `run` is a benchmark;
 * it prints a table and, as its last line, one JSON object.
 */
import { existsSync, readdirSync } from "node:fs"

const [name, ...rest] = process.argv.slice(2)
const argv = rest[0] === "--" ? rest.slice(1) : rest
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && file !== "main.ts")
  .map((file) => file.slice(0, -3))
  .sort()
if (name === undefined || name === "--help" || name === "-h") {
  console.log(`Usage: pnpm bench NAME -- [flags]\n\nBenchmarks: ${names.join(", ") || "none yet"}`)
  process.exit(name === undefined ? 2 : 0)
}
if (!names.includes(name) || !existsSync(`${import.meta.dirname}/${name}.ts`)) {
  console.error(`There is no benchmark "${name}". Choose one of: ${names.join(", ")}.`)
  process.exit(2)
}
const module: { readonly run: (argv: ReadonlyArray<string>) => Promise<void> } = await import(`./${name}.ts`)
await module.run(argv)

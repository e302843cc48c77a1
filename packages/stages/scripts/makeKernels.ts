/**
 * Assembles `classifierKernels.wat` into `src/internal/classifierKernels.ts`.
 * Run it with `pnpm --filter @interlock/stages kernels` after a change of the source.
 */
import { readFileSync, writeFileSync } from "node:fs"
import wabt from "wabt"

const source = new URL("./classifierKernels.wat", import.meta.url)
const target = new URL("../src/internal/classifierKernels.ts", import.meta.url)

const module = (await wabt()).parseWat("classifierKernels.wat", readFileSync(source, "utf8"), { simd: true })
const binary = Buffer.from(module.toBinary({}).buffer).toString("base64")
writeFileSync(
  target,
  `/** Made by \`scripts/makeKernels.ts\` from \`scripts/classifierKernels.wat\`: its binary in base 64. */\nexport const binary =\n  "${binary}"\n`
)

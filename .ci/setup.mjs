/**
 * Installs the workspace when it is not installed for this lockfile yet, with an exact version of pnpm and nothing else assumed.
 * Runs on Node 20 and without any dependency, since it is what installs them.
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"

const stamp = "node_modules/.interlock-setup"
const hash = createHash("sha256")
for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"]) hash.update(readFileSync(file))
const wanted = hash.digest("hex")
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  console.log("Installing the workspace (once per lockfile)…")
  const frozen = process.env.INTERLOCK_UNFROZEN ? "--no-frozen-lockfile" : "--frozen-lockfile"
  const install = spawnSync("npx", ["--yes", "pnpm@12.21.0", "install", frozen, "--reporter=append-only"], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" },
    shell: process.platform === "win32"
  })
  if (install.status !== 0) {
    console.error(
      "The installation failed (see above). Check that npm can reach its registry, then run the command again."
    )
    process.exit(install.status ?? 1)
  }
  writeFileSync(stamp, wanted)
}

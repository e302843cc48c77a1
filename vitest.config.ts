import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts", "examples/*/test/**/*.test.ts"],
    // Many tests wait for processes of their own; one worker a core, where the default leaves one core free.
    maxWorkers: "100%",
    testTimeout: 60_000
  }
})

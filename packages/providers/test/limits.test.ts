import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { everyWay, facts, flow, models } from "./fixture.ts"
import { protocols, wire } from "./wire.ts"

describe("what the provider says of its own limits", () => {
  for (const { delivery, protocol } of everyWay(protocols)) {
    it.effect(`reaches the finish part: ${protocol}, ${delivery}`, () =>
      Effect.gen(function* () {
        const limits = { "x-ratelimit-remaining-requests": "59", "anthropic-ratelimit-tokens-limit": "1000" }
        const server = yield* wire({ say: { deltas: ["Hello"], headers: { ...limits, "x-request-id": "r" } } })
        const given = facts(protocol)
        const metadata =
          delivery === "whole"
            ? (yield* Effect.provide(flow.run(given), models(server.url))).metadata
            : (yield* Stream.runCollect(Stream.provide(flow.stream(given), models(server.url)))).at(-1)?.metadata?.[
                "interlock"
              ]
        expect(metadata).toMatchObject({ providerLimits: limits })
        expect(JSON.stringify(metadata)).not.toContain("x-request-id")
      })
    )
  }
})

import { assert, describe, it } from "@effect/vitest"
import { TeacherPolicy } from "@interlock/collector"
import { Effect } from "effect"

describe("TeacherPolicy", () => {
  it("says of every known term which clause it is, how it was read, and when", () => {
    for (const { provider, terms } of TeacherPolicy.known) {
      if (terms.status === "permitted") continue
      assert.match(terms.clause ?? "", /effective \d{4}-\d\d-\d\d/, provider)
      assert.match(terms.read?.on ?? "", /^\d{4}-\d\d-\d\d$/, provider)
      assert.include(TeacherPolicy.describe(terms), "look at the page before you rely on it")
    }
  })

  it.effect("refuses the first teacher whose terms restrict it or are not known, and says what to do", () =>
    Effect.gen(function* () {
      const refused = (provider: string) =>
        Effect.flip(
          TeacherPolicy.check([
            { provider: "offline", model: "offline-large" },
            { provider, model: "m" }
          ])
        )
      const restricted = yield* refused("anthropic")
      assert.include(restricted.message, "Answers of anthropic/m are not exported: The services may not be used")
      assert.include(restricted.message, "D.4 (a), effective 2025-06-17")
      assert.include(restricted.message, "give an override with your name and the reason")
      assert.include((yield* refused("somebody")).message, "its terms are not known here")
      yield* TeacherPolicy.check([{ provider: "offline", model: "offline-small" }])
    })
  )

  it.effect("takes own entries, the first that fits, and an override", () =>
    Effect.gen(function* () {
      const mine: TeacherPolicy.Entry = {
        provider: "openai",
        models: /^gpt-oss/,
        terms: { status: "permitted", summary: "Apache-2.0 weights on our own machines." }
      }
      const entries = [mine, ...TeacherPolicy.known]
      const check = (model: string, override?: TeacherPolicy.Override) =>
        Effect.exit(TeacherPolicy.check([{ provider: "openai", model }])).pipe(
          Effect.map(({ _tag }) => _tag),
          Effect.provideService(TeacherPolicy.TeacherPolicy, {
            entries,
            ...(override === undefined ? {} : { override })
          })
        )
      assert.strictEqual(yield* check("gpt-oss-120b"), "Success")
      assert.strictEqual(yield* check("gpt-5"), "Failure")
      assert.strictEqual(yield* check("gpt-5", { by: "Ada", reason: "our contract allows it" }), "Success")
    })
  )
})

/**
 * Pipelines that must not compile. Each comment that begins with `expect:` is the sentence that the compiler must show for the
 * statement below it; `types.test.ts` runs the compiler over this file and compares.
 */
import { Pipeline, Reply, Stage } from "@interlock/core"
import { Context, Effect, Schema } from "effect"

class Question extends Context.Service<Question, string>()("types/Question") {}
class Safe extends Context.Service<Safe, { readonly text: string }>()("types/Safe") {}
class Sensitivity extends Context.Service<Sensitivity, "public" | "restricted">()("types/Sensitivity") {}
class Model extends Context.Service<Model, string>()("types/Model") {}
class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}
class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

const words: Pipeline.Protocol<string, string> = { empty: () => "", append: (whole, part) => whole + part }
const classify = Stage.derive("classify", { needs: { question: Question }, adds: Sensitivity }, () =>
  Effect.succeed("public" as const)
)
const selectModel = Stage.derive("selectModel", { needs: { sensitivity: Sensitivity }, adds: Model }, () =>
  Effect.succeed("big")
)
const redact = Stage.around<{ in: string }>()(
  "redact",
  { needs: { question: Question }, adds: Safe, drops: Question },
  ({ question }, next) => next({ text: question })
)
const cache = Stage.around("cache", { needs: { safe: Safe, model: Model } }, (_, next) => next())
const numbers = Stage.around<{ in: number; out: number }>()("numbers", { needs: {} }, (_, next) => next())
const callModel = Pipeline.handler("callModel", { needs: { safe: Safe, model: Model } }, ({ safe }) =>
  Effect.succeed(Reply.whole([safe.text]))
)
const count = Pipeline.handler("count", { needs: {} }, () => Effect.succeed(Reply.whole([1])))
const start = Pipeline.make("mistakes", { input: [Question], protocol: words })

// expect: "selectModel needs Sensitivity: put the stage that adds it above, and none that drops it"
start.use(selectModel)

// expect: "cache needs Safe: put the stage that adds it above, and none that drops it"
start.use(classify).use(selectModel).use(cache)

// expect: "classify needs Question: put the stage that adds it above, and none that drops it"
start.use(redact).use(classify)

// expect: "the handler needs Safe: put the stage that adds it above, and none that drops it"
start.use(classify).use(selectModel).to(callModel)

// expect: "numbers does not reply with the parts that the stages above it expect"
start.use(numbers)

// expect: "the handler does not reply with the parts that the stages above it expect"
start.to(count)

// expect: "This may be one of several stages: choose between handlers with Pipeline.branch"
start.use(Math.random() > 0.5 ? classify : redact)

// expect: "preset needs Safe: put the stage that adds it above, and none that drops it"
start.use(Pipeline.make("preset", { input: [Safe], protocol: words }))

// expect: Property 'restricted' is missing in type
Pipeline.branch("byValue", Sensitivity, { public: callModel })

// expect: "secret is not a value of the fact"
Pipeline.branch("byValue", Sensitivity, { public: callModel, restricted: callModel, secret: callModel })

// expect: Property 'model' does not exist on type 'Values<{ question: typeof Question; }>'
Stage.derive("peek", { needs: { question: Question }, adds: Safe }, ({ model }) => Effect.succeed(model))

// expect: Type 'number' is not assignable to type '"public" | "restricted"'
Stage.derive("forge", { needs: {}, adds: Sensitivity }, () => Effect.succeed(1))

// expect: Expected 1 arguments, but got 0
Stage.around("forgetful", { needs: {}, adds: Model }, (_, next) => next())

// expect: Expected 0 arguments, but got 1
Stage.around("generous", { needs: {} }, (_, next) => next("big"))

// expect: Type 'Whole<number>' is not assignable to type 'Whole<string>'
Stage.around<{ in: string }>()("invents", { needs: {} }, () => Effect.succeed(Reply.whole([1])))

// expect: Type 'Whole<string>' is not assignable to type 'Whole<AnyReply>'
Stage.around("inventsUnseen", { needs: {} }, () => Effect.succeed(Reply.whole(["text"])))

const failing = Pipeline.handler("failing", { needs: {} }, () =>
  Effect.as(Effect.fail(new Broken()), Reply.whole(["text"]))
)
const handlesBusy = Stage.around<{ handles: Busy }>()("handlesBusy", { needs: {} }, (_, next) =>
  Effect.catchTag(next(), "Busy", () => next())
)

// expect: Type 'Broken' is not assignable to type 'never'
export const stillBroken: Effect.Effect<string> = start.use(handlesBusy).to(failing).run(Question.context("x"))

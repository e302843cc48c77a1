/**
 * What the compiler must infer. This file is part of the type check; a wrong inference is an error in it.
 */
import { type Handler, Pipeline, Reply, Stage } from "@interlock/core"
import { Context, Effect, Schema, Stream, type Types } from "effect"

const yes = <_T extends true>() => {}

class Question extends Context.Service<Question, string>()("types/Question") {}
class Sensitivity extends Context.Service<Sensitivity, "public" | "restricted">()("types/Sensitivity") {}
class Model extends Context.Service<Model, string>()("types/Model") {}
class Classifier extends Context.Service<
  Classifier,
  { readonly classify: (text: string) => Effect.Effect<"public" | "restricted", Unclear> }
>()("types/Classifier") {}
class Provider extends Context.Service<
  Provider,
  { readonly ask: (model: string) => Effect.Effect<string, Busy | Broken> }
>()("types/Provider") {}
class Unclear extends Schema.TaggedError<Unclear>()("Unclear", {}) {}
class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}
class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

const words: Pipeline.Protocol<string, string> = { empty: () => "", append: (whole, part) => whole + part }
const classify = Stage.derive("classify", { needs: { question: Question }, adds: Sensitivity }, ({ question }) =>
  Classifier.use((_) => _.classify(question))
)
const selectModel = Stage.derive(
  "selectModel",
  { needs: { sensitivity: Sensitivity }, adds: Model },
  ({ sensitivity }) => {
    yes<Types.Equals<typeof sensitivity, "public" | "restricted">>()
    return Effect.succeed("big")
  }
)
const apology = Stage.around<{ in: string; handles: Busy }>()("apology", { needs: {} }, (_, next) =>
  next().pipe(
    Effect.map((reply) =>
      Reply.mapLive(
        reply,
        Stream.catchTag("Busy", () => Stream.make("Sorry, I was cut off."))
      )
    ),
    Effect.catchTag("Busy", () => Effect.succeed(Reply.whole(["Sorry, try later."])))
  )
)
const silence = Stage.around<{ in: string }>()("silence", { needs: {} }, (_, next) =>
  next().pipe(
    Effect.map((reply) =>
      Reply.mapLive(
        reply,
        Stream.catch(() => Stream.empty)
      )
    ),
    Effect.orElseSucceed(() => Reply.whole<string>([]))
  )
)
const secondTry = Stage.around<{ in: string; handles: Busy }>()("secondTry", { needs: {} }, (_, next) =>
  Effect.catchTag(next(), "Busy", () => next())
)
const callModel = Pipeline.handler("callModel", { needs: { model: Model } }, ({ model }) =>
  Effect.map(
    Provider.use((_) => _.ask(model)),
    (text) => Reply.whole([text])
  )
)
const start = Pipeline.make("inference", { input: [Question], protocol: words })

const plain = start.use(classify).use(selectModel).to(callModel)
yes<Types.Equals<Handler.ErrorOf<typeof plain>, Unclear | Busy | Broken>>()
yes<Types.Equals<Handler.ServicesOf<typeof plain>, Classifier | Provider>>()
yes<Types.Equals<Handler.NeedsOf<typeof plain>, Question>>()
yes<Types.Equals<Handler.PartOf<typeof plain>, string>>()

const handled = start.use(apology).use(classify).use(selectModel).to(callModel)
yes<Types.Equals<Handler.ErrorOf<typeof handled>, Unclear | Broken>>()

const swallowed = start.use(silence).use(classify).use(selectModel).to(callModel)
yes<Types.Equals<Handler.ErrorOf<typeof swallowed>, never>>()

const tried = start.use(secondTry).use(classify).use(selectModel).to(callModel)
yes<Types.Equals<Handler.ErrorOf<typeof tried>, Unclear | Busy | Broken>>()

const below = start.use(classify).use(apology).use(selectModel).to(callModel)
yes<Types.Equals<Handler.ErrorOf<typeof below>, Unclear | Broken>>()

const preset = Pipeline.make("judged", { input: [Question], protocol: words })
  .use(classify)
  .use(selectModel)
const outer = start.use(apology).use(preset).to(callModel)
yes<Types.Equals<Handler.ErrorOf<typeof outer>, Unclear | Broken>>()
yes<Types.Equals<Handler.ServicesOf<typeof outer>, Classifier | Provider>>()

const branched = start.use(classify).to(
  Pipeline.branch("bySensitivity", Sensitivity, {
    public: start.use(classify).use(selectModel).to(callModel),
    restricted: Pipeline.handler("local", { needs: { question: Question } }, () =>
      Effect.succeed(Reply.whole(["local"]))
    )
  })
)
yes<Types.Equals<Handler.ErrorOf<typeof branched>, Unclear | Busy | Broken>>()
yes<Types.Equals<Handler.ServicesOf<typeof branched>, Classifier | Provider>>()

class Desk extends Context.Service<Desk, Pipeline.Service<typeof plain>>()("types/Desk") {}
const layer = Pipeline.layer(Desk, plain)
yes<Types.Equals<typeof layer, import("effect").Layer.Layer<Desk, never, Classifier | Provider>>>()

// A reply that is known to be whole cannot break: nothing unknown may enter the error type.
const narrowed = Effect.gen(function* () {
  const reply: Reply.Reply<string, Broken> = Reply.whole(["x"])
  return yield* Reply.onExit(
    Reply.map(Reply.whole(reply._tag === "Whole" ? reply.parts : []), (part) => part.length),
    () => Effect.void
  )
})
yes<Types.Equals<Effect.Success<typeof narrowed>, Reply.Reply<number>>>()

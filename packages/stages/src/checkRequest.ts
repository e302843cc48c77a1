/**
 * Checks a call against what the catalogue says of the chosen model, and adapts its parameters, before any model is called:
 * an unknown model, an empty or over-long prompt, a file the model does not read, and a parameter it does not take are typed
 * errors that name the cure.
 *
 * Parameters are rejected, clamped or dropped as the {@link CheckPolicy} says; what was changed is in the reply's metadata,
 * under `interlock.parameters`. Put it below `redact` and below the stage that chooses the model.
 *
 * ```ts
 * import { Pipeline } from "@interlock/core"
 * import { Catalogue, Chat, ChosenModel, ParameterPolicy, Parameters, SafePrompt } from "@interlock/model"
 * import { CheckPolicy, checkRequest } from "@interlock/stages/checkRequest"
 * import { Layer } from "effect"
 *
 * export const checked = Pipeline.make("checked", { input: [SafePrompt, ChosenModel, Parameters], protocol: Chat.protocol })
 *   .use(checkRequest)
 *
 * export const services = Layer.merge(Catalogue.layer, Layer.succeed(CheckPolicy, ParameterPolicy.clamp))
 * ```
 *
 * @since 0.1.0
 */
import { Reply, Stage } from "@interlock/core"
import {
  Catalogue,
  ChosenModel,
  Journal,
  ParameterPolicy,
  Parameters,
  Part,
  PromptCheck,
  SafePrompt
} from "@interlock/model"
import { Context, Effect } from "effect"

/**
 * What to do with parameters that the model does not take. Default: {@link ParameterPolicy.reject}.
 *
 * @category references
 * @since 0.1.0
 */
export const CheckPolicy: Context.Reference<ParameterPolicy.Policy> = Context.Reference(
  "@interlock/stages/CheckPolicy",
  {
    defaultValue: () => ParameterPolicy.reject
  }
)

/**
 * Checks the prompt and the parameters against the chosen model, and passes on the parameters that it takes.
 *
 * @category stages
 * @since 0.1.0
 */
export const checkRequest = Stage.around<{ in: Part.Part; out: Part.Part }>()(
  "checkRequest",
  { needs: { chosen: ChosenModel, prompt: SafePrompt, settings: Parameters }, adds: Parameters },
  Effect.fnUntraced(function* ({ chosen, prompt, settings }, next) {
    const catalogue = yield* Catalogue.Catalogue
    const entry = yield* catalogue.get(chosen.provider, chosen.model)
    const { room } = yield* PromptCheck.check(entry, prompt)
    const fitted = yield* ParameterPolicy.fit(entry, settings, yield* CheckPolicy, room)
    if (fitted.changes.length === 0) return yield* next(fitted.settings)
    yield* Journal.record({
      _tag: "Fact",
      stage: "checkRequest",
      name: "Parameters",
      attributes: Object.fromEntries(fitted.changes.map((change) => [change.parameter, change.action]))
    })
    return Reply.map(yield* next(fitted.settings), (part) =>
      part.type === "finish" ? Part.annotate(part, { parameters: fitted.changes }) : part
    )
  })
)

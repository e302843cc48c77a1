/** A support desk's answers: personal data stays here, equal questions are asked once, a busy model is asked again. */
import { Pipeline, Reply, Stage } from "@interlock/core"
import {
  Caller,
  Chat,
  ChosenModel,
  Journal,
  ModelError,
  Parameters,
  type Part,
  Prompt,
  RawPrompt,
  SafePrompt
} from "@interlock/model"
import { callModel, Models } from "@interlock/providers"
import { redact } from "@interlock/stages/redact"
import { Context, Effect, Layer } from "effect"

/** What each provider is asked for; the offline model answers when there is no key. */
export const defaults = {
  openai: "gpt-5-mini",
  anthropic: "claude-haiku-4-5",
  google: "gemini-2.5-flash",
  offline: "offline-large"
}

const setParameters = Stage.derive("setParameters", { needs: {}, adds: Parameters }, () =>
  Effect.succeed({ temperature: 0, maxOutputTokens: 400 })
)

const selectModel = Stage.derive("selectModel", { needs: {}, adds: ChosenModel }, () =>
  Effect.map(Models.Models, ({ providers: [provider = "offline"] }) => ({
    provider,
    model: defaults[provider as keyof typeof defaults],
    reason: "the first provider with a key"
  }))
)

export class Answers extends Context.Service<Answers, Map<string, ReadonlyArray<Part.Part>>>()("quickstart/Answers") {
  static readonly layer = Layer.sync(Answers, () => new Map())
}

const remember = Stage.around<{ in: Part.Part }>()(
  "remember",
  { needs: { prompt: SafePrompt, model: ChosenModel } },
  Effect.fnUntraced(function* ({ model, prompt }, next) {
    const answers = yield* Answers
    const key = `${model.provider}/${model.model} ${Prompt.text(prompt)}`
    const known = answers.get(key)
    yield* Journal.record({ _tag: "Cache", outcome: known === undefined ? "miss" : "exact" })
    if (known !== undefined) return Reply.whole(known)
    const reply = yield* next()
    if (reply._tag === "Whole") answers.set(key, reply.parts)
    return reply
  })
)

const askAgain = Stage.around<{ handles: ModelError.ModelError }>()("askAgain", { needs: {} }, (_, next) =>
  Effect.retry(next(), {
    times: 2,
    while: (error) => error instanceof ModelError.ModelError && ModelError.isRetryable(error)
  })
)

export const desk = Pipeline.make("desk", { input: [RawPrompt, Caller], protocol: Chat.protocol })
  .use(setParameters)
  .use(redact)
  .use(selectModel)
  .use(remember)
  .use(askAgain)
  .to(callModel)

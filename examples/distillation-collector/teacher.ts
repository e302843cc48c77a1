/** The pipeline that asks the teacher, and the judge of its answers. */
import { Collector } from "@interlock/collector"
import { Pipeline, Stage } from "@interlock/core"
import { Caller, Chat, ChosenModel, Parameters, RawPrompt } from "@interlock/model"
import { Anthropic, callModel, Google, Models, OfflineModel, OpenAi } from "@interlock/providers"
import { collect } from "@interlock/stages/collect"
import { inLanguage, layerRules, lengthBetween, rule } from "@interlock/stages/judge"
import { redact } from "@interlock/stages/redact"
import { retry } from "@interlock/stages/retry"
import { Context, Effect } from "effect"

/** The first provider whose key is set is the teacher; without a key, the offline model is, from the documents in `knowledge`. */
export const models = Models.layerAvailable([
  OpenAi.provider(),
  Anthropic.provider(),
  Google.provider(),
  OfflineModel.fromFolder(`${import.meta.dirname}/knowledge`)
])

const teachers: { readonly [provider: string]: readonly [string, ...ReadonlyArray<string>] } = {
  openai: ["gpt-5-mini"],
  anthropic: ["claude-haiku-4-5"],
  google: ["gemini-3.8-flash"],
  // It always says the same: so the second sample is asked of its smaller sibling, and there is a pair to prefer one of.
  offline: ["offline-large", "offline-small"]
}

/** Who is asked for the samples, in turn. */
export const chosen = Effect.map(Models.Models, ({ providers: [provider = "offline"] }) =>
  teachers[provider]!.map((model) => ({ provider, model }))
)

const chooseTeacher = Stage.derive("chooseTeacher", { needs: {}, adds: ChosenModel }, () =>
  Effect.gen(function* () {
    const all = yield* chosen
    return all[(yield* Collector.SampleNumber) % all.length]!
  })
)

/** Whether the teacher is to reason, and to give its reasoning with its answers where its provider does so. */
export const Reasoning: Context.Reference<boolean> = Context.Reference("distillation-collector/Reasoning", {
  defaultValue: () => false
})

/** These two keep it to themselves unless they are asked; OpenAI gives a summary, and to verified organisations alone. */
const giveReasoning = {
  openai: { reasoningSummary: "auto" },
  google: { thinkingConfig: { includeThoughts: true } }
}

const settings = Stage.derive("settings", { needs: {}, adds: Parameters }, () =>
  Effect.map(Reasoning, (reasoning) =>
    // What is thought counts as output.
    reasoning
      ? { maxOutputTokens: 16_000, temperature: 1, reasoningEffort: "medium" as const, providerOptions: giveReasoning }
      : { maxOutputTokens: 2000, temperature: 1 }
  )
)

export const teacher = Pipeline.make("teacher", { input: [RawPrompt, Caller], protocol: Chat.protocol })
  .use(redact)
  .use(settings)
  .use(chooseTeacher)
  .use(collect)
  .use(retry)
  .to(callModel)

const sentences = (text: string): number => (text.match(/[.!?](?=\s|$)|[。！？]/gu) ?? []).length

/** What a good answer is, here: it can be checked without asking anybody. For a model that judges, see `layerModel` of the judge. */
export const judge = layerRules([
  lengthBetween(20, 4000),
  inLanguage(),
  rule("more than one sentence", ({ text }) => sentences(text) > 1),
  rule("more than two sentences", ({ text }) => sentences(text) > 2)
])

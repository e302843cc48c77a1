/** What the tests of providers share: a pipeline that ends in `callModel`, facts for it, and providers over a local server. */
import { Pipeline } from "@interlock/core"
import { Chat, ChosenModel, Parameters, type Prompt, SafePrompt, type SafeText, type Settings } from "@interlock/model"
import { ConfigProvider, Context, Layer } from "effect"
import { Anthropic, callModel, Google, Models, OpenAi, OpenAiCompatible } from "../src/index.ts"
import type { Protocol } from "./wire.ts"

/** The key that every provider is given, and that must never be seen again. */
export const key = "sk-canary-0123456789abcdef"

/** A word of the prompt that no error may repeat. */
export const canary = "canary-of-the-prompt"

export const flow = Pipeline.make("flow", {
  input: [SafePrompt, ChosenModel, Parameters],
  protocol: Chat.protocol
}).to(callModel)

/** Redaction belongs to a stage above the handler; here its result is simply claimed. */
export const safe = (prompt: Prompt.Prompt): Prompt.Prompt<SafeText> => prompt as Prompt.Prompt<never>

export const facts = (
  provider: string,
  settings: Settings = {},
  prompt: Prompt.Prompt = { content: [{ role: "user", content: `Hello, ${canary}` }] }
): Context.Context<SafePrompt | ChosenModel | Parameters> =>
  SafePrompt.context(safe(prompt)).pipe(
    Context.add(ChosenModel, { provider, model: "wire-1" }),
    Context.add(Parameters, settings)
  )

export const keys: Layer.Layer<never> = ConfigProvider.layer(
  ConfigProvider.fromUnknown({
    OPENAI_API_KEY: key,
    ANTHROPIC_API_KEY: key,
    GEMINI_API_KEY: key,
    COMPATIBLE_API_KEY: key
  })
)

/** Every provider over one server; their names are those of the protocols. */
export const models = (url: string): Layer.Layer<Models.Models> =>
  Models.layer([
    OpenAi.provider({ name: "openai-responses", baseUrl: `${url}/v1` }),
    OpenAi.provider({ name: "openai-chat", baseUrl: `${url}/v1`, api: "chat" }),
    Anthropic.provider({ name: "anthropic", baseUrl: `${url}/v1` }),
    Google.provider({ name: "google", baseUrl: `${url}/v1beta` }),
    OpenAiCompatible.provider({
      name: "compatible",
      baseUrl: `${url}/v1`,
      keyVariable: "COMPATIBLE_API_KEY",
      structuredOutputs: true
    })
  ]).pipe(Layer.provide(keys), Layer.orDie)

export const deliveries = ["whole", "live"] as const

export type Delivery = (typeof deliveries)[number]

export const everyWay = (protocols: ReadonlyArray<Protocol>) =>
  protocols.flatMap((protocol) => deliveries.map((delivery) => ({ protocol, delivery })))

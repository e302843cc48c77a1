/**
 * The settings of a call as the AI SDK's call options.
 *
 * @since 0.1.0
 */
import type {
  JSONObject,
  LanguageModelV4CallOptions,
  LanguageModelV4FunctionTool,
  LanguageModelV4ToolChoice
} from "@ai-sdk/provider"
import type { Prompt, Settings } from "@interlock/model"
import { fromAiSdk, toAiSdk } from "./aiSdkPrompt.ts"
import { toJsonObject } from "./json.ts"

type JsonSchema = LanguageModelV4FunctionTool["inputSchema"]

const toolChoice = (choice: NonNullable<Settings["toolChoice"]>): LanguageModelV4ToolChoice =>
  typeof choice === "string" ? { type: choice } : { type: "tool", toolName: choice.tool }

const responseFormat = (
  format: NonNullable<Settings["responseFormat"]>
): NonNullable<LanguageModelV4CallOptions["responseFormat"]> =>
  format.type === "text"
    ? { type: "text" }
    : {
        type: "json",
        ...(format.name === undefined ? {} : { name: format.name }),
        ...(format.schema === undefined ? {} : { schema: format.schema as JsonSchema })
      }

/** The call options that say what the prompt and the settings say; what is absent stays absent. */
export const toCallOptions = (prompt: Prompt.Prompt, settings: Settings): LanguageModelV4CallOptions => {
  const options: LanguageModelV4CallOptions = { prompt: toAiSdk(prompt) }
  if (settings.temperature !== undefined) options.temperature = settings.temperature
  if (settings.topP !== undefined) options.topP = settings.topP
  if (settings.topK !== undefined) options.topK = settings.topK
  if (settings.maxOutputTokens !== undefined) options.maxOutputTokens = settings.maxOutputTokens
  if (settings.stop !== undefined) options.stopSequences = [...settings.stop]
  if (settings.seed !== undefined) options.seed = settings.seed
  if (settings.presencePenalty !== undefined) options.presencePenalty = settings.presencePenalty
  if (settings.frequencyPenalty !== undefined) options.frequencyPenalty = settings.frequencyPenalty
  if (settings.reasoningEffort !== undefined) options.reasoning = settings.reasoningEffort
  if (settings.tools !== undefined && settings.tools.length > 0) {
    options.tools = settings.tools.map((tool) => ({
      type: "function",
      name: tool.name,
      inputSchema: tool.parameters as JsonSchema,
      ...(tool.description === undefined ? {} : { description: tool.description }),
      ...(tool.strict === undefined ? {} : { strict: tool.strict })
    }))
    if (settings.toolChoice !== undefined) options.toolChoice = toolChoice(settings.toolChoice)
  }
  if (settings.responseFormat !== undefined) options.responseFormat = responseFormat(settings.responseFormat)
  if (settings.providerOptions !== undefined) {
    options.providerOptions = Object.fromEntries(
      Object.entries(settings.providerOptions).map(([provider, value]) => [provider, toJsonObject(value) as JSONObject])
    )
  }
  return options
}

const efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const

/** The prompt and the settings that say what AI SDK call options say; a provider's own tool has no equal and is left out. */
export const fromCallOptions = (
  options: LanguageModelV4CallOptions
): { readonly prompt: Prompt.Prompt; readonly settings: Settings } => {
  const effort = efforts.find((effort) => effort === options.reasoning)
  const { toolChoice: choice } = options
  const tools = options.tools?.filter((tool) => tool.type === "function")
  const settings: Settings = {
    ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
    ...(options.topP === undefined ? {} : { topP: options.topP }),
    ...(options.topK === undefined ? {} : { topK: options.topK }),
    ...(options.maxOutputTokens === undefined ? {} : { maxOutputTokens: options.maxOutputTokens }),
    ...(options.stopSequences === undefined ? {} : { stop: options.stopSequences }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.presencePenalty === undefined ? {} : { presencePenalty: options.presencePenalty }),
    ...(options.frequencyPenalty === undefined ? {} : { frequencyPenalty: options.frequencyPenalty }),
    ...(effort === undefined ? {} : { reasoningEffort: effort }),
    ...(tools === undefined
      ? {}
      : {
          tools: tools.map((tool) => ({
            name: tool.name,
            parameters: toJsonObject(tool.inputSchema),
            ...(tool.description === undefined ? {} : { description: tool.description }),
            ...(tool.strict === undefined ? {} : { strict: tool.strict })
          }))
        }),
    ...(choice === undefined ? {} : { toolChoice: choice.type === "tool" ? { tool: choice.toolName } : choice.type }),
    ...(options.responseFormat === undefined
      ? {}
      : {
          responseFormat:
            options.responseFormat.type === "text"
              ? { type: "text" }
              : {
                  type: "json",
                  ...(options.responseFormat.name === undefined ? {} : { name: options.responseFormat.name }),
                  ...(options.responseFormat.schema === undefined
                    ? {}
                    : { schema: toJsonObject(options.responseFormat.schema) })
                }
        }),
    ...(options.providerOptions === undefined ? {} : { providerOptions: options.providerOptions })
  }
  return { prompt: fromAiSdk(options.prompt) as Prompt.Prompt, settings }
}

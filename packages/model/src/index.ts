/**
 * The vocabulary of model calls: prompts, parts, parameters, errors, and the facts that stages share.
 *
 * Facts are exported by their own names, everything else by module.
 *
 * @since 0.1.0
 */
export { Caller, type Identity } from "./Caller.ts"
export * as Catalogue from "./Catalogue.ts"
export * as Chat from "./Chat.ts"
export { type Candidate, type Choice, ChosenModel, type ModelReference } from "./ChosenModel.ts"
export * as Cost from "./Cost.ts"
export * as GenAi from "./GenAi.ts"
export * as Image from "./Image.ts"
export * as ImageRequest from "./ImageRequest.ts"
export * as Journal from "./Journal.ts"
export * as ModelError from "./ModelError.ts"
export * as ParameterPolicy from "./ParameterPolicy.ts"
export { Parameters, type ResponseFormat, type Settings, type ToolChoice, type ToolDefinition } from "./Parameters.ts"
export * as Part from "./Part.ts"
export * as Prompt from "./Prompt.ts"
export { RawPrompt, SafePrompt } from "./Prompt.ts"
export * as PromptCheck from "./PromptCheck.ts"
export type { SafeText } from "./SafeText.ts"
export * as TokenCount from "./TokenCount.ts"

/**
 * `Parameters` are the settings of a model call: sampling, limits, tools and the form of the answer.
 *
 * @since 0.1.0
 */
import { Context } from "effect"
import type { ImageSettings } from "./ImageRequest.ts"

/**
 * A tool that the model may call; `parameters` is a JSON Schema.
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolDefinition {
  readonly name: string
  readonly description?: string
  readonly parameters: { readonly [key: string]: unknown }
  readonly strict?: boolean
}

/**
 * Whether the model must, may or must not call tools, or which one it must call.
 *
 * @category models
 * @since 0.1.0
 */
export type ToolChoice = "auto" | "none" | "required" | { readonly tool: string }

/**
 * The form of the answer: free text, or JSON of a JSON Schema.
 *
 * @category models
 * @since 0.1.0
 */
export type ResponseFormat =
  | { readonly type: "text" }
  | { readonly type: "json"; readonly name?: string; readonly schema?: { readonly [key: string]: unknown } }

/**
 * The settings of a call; what is absent is left to the model's own default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  /** Spread of sampling; 0 is the most deterministic. Range: per model, usually 0 to 1 or 0 to 2. */
  readonly temperature?: number
  /** Nucleus sampling: the share of probability to draw from, 0 to 1. */
  readonly topP?: number
  /** How many of the most probable tokens to draw from. */
  readonly topK?: number
  /** The most tokens that the answer may have. */
  readonly maxOutputTokens?: number
  /** Texts at which the answer stops. */
  readonly stop?: ReadonlyArray<string>
  readonly seed?: number
  /** −2 to 2 where a model takes it. */
  readonly presencePenalty?: number
  /** −2 to 2 where a model takes it. */
  readonly frequencyPenalty?: number
  readonly reasoningEffort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max"
  readonly tools?: ReadonlyArray<ToolDefinition>
  readonly toolChoice?: ToolChoice
  readonly responseFormat?: ResponseFormat
  /** For an image model: how the pictures should be. */
  readonly image?: ImageSettings
  /** Settings that only one provider knows, by the provider's name. */
  readonly providerOptions?: { readonly [provider: string]: { readonly [key: string]: unknown } }
}

/**
 * The fact that holds the settings of a call.
 *
 * @category facts
 * @since 0.1.0
 */
export class Parameters extends Context.Service<Parameters, Settings>()("@interlock/model/Parameters") {}

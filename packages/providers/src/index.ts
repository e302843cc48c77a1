/**
 * Handlers for real models: providers through the AI SDK and `effect/ai`, and a recorder of calls.
 *
 * @since 0.1.0
 */
export * as AiSdk from "./AiSdk.ts"
export * as AiSdkImages from "./AiSdkImages.ts"
export * as Anthropic from "./Anthropic.ts"
export * as Cassette from "./Cassette.ts"
export { callImageModel } from "./callImageModel.ts"
export { callModel } from "./callModel.ts"
export * as EffectAi from "./EffectAi.ts"
export * as Fal from "./Fal.ts"
export * as Google from "./Google.ts"
export * as GoogleImages from "./GoogleImages.ts"
export { MissingKey } from "./MissingKey.ts"
export * as Models from "./Models.ts"
export * as OfflineImageModel from "./OfflineImageModel.ts"
export * as OfflineModel from "./OfflineModel.ts"
export * as OpenAi from "./OpenAi.ts"
export * as OpenAiCompatible from "./OpenAiCompatible.ts"
export * as OpenAiImages from "./OpenAiImages.ts"
export * as Replicate from "./Replicate.ts"
export * as Timeouts from "./Timeouts.ts"
export * as Webhook from "./Webhook.ts"

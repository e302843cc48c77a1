/**
 * Handlers for real models: providers through the AI SDK and `effect/ai`, and a recorder of calls.
 *
 * @since 0.1.0
 */
export { callModel } from "./callModel.ts"
export * as Models from "./Models.ts"

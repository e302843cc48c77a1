/**
 * Scripted models, fault injection, and the laws of pipelines as property tests.
 *
 * @since 0.1.0
 */
export * as FaultInjection from "./FaultInjection.ts"
export * as Laws from "./Laws.ts"
export * as ScriptedModel from "./ScriptedModel.ts"

/**
 * The typed centre of Interlock: facts, stages, handlers, replies and pipelines.
 *
 * @since 0.1.0
 */
export * as Fact from "./Fact.ts"
export * as Handler from "./Handler.ts"
export * as Pipeline from "./Pipeline.ts"
export * as Reply from "./Reply.ts"
export * as Stage from "./Stage.ts"
export * as Tracing from "./Tracing.ts"

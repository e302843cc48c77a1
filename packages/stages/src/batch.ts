/**
 * Three ways to make calls together, never mixed up: `batch.micro` joins concurrent calls to an endpoint that takes many,
 * `batch.pack` puts several small prompts into one call, and `batch.job` hands many calls to a provider's batch API.
 *
 * @since 0.1.0
 */
export * as job from "./batchJob.ts"
export { micro } from "./batchMicro.ts"
export { pack } from "./batchPack.ts"

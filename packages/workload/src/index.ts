/**
 * Runs files of prompts through pipelines, and reports.
 *
 * @since 0.1.0
 */
export * as PromptFile from "./PromptFile.ts"
export * as Report from "./Report.ts"
export * as Workload from "./Workload.ts"

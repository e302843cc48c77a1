/**
 * The stages, each with its services and layers in a module of its own name: `@interlock/stages/audit`, …
 *
 * @since 0.1.0
 */
export { audit, auditText } from "./audit.ts"
export { budget } from "./budget.ts"
export { cache } from "./cache.ts"
export { checkImageRequest } from "./checkImageRequest.ts"
export { CheckPolicy, checkRequest } from "./checkRequest.ts"
export { collect } from "./collect.ts"
export { fallback } from "./fallback.ts"
export { hedge } from "./hedge.ts"
export { limit } from "./limit.ts"
export { cachePrompt, promptCacheSettings } from "./promptCache.ts"
export { retry } from "./retry.ts"
export { selectModel, selectModelUnclassified } from "./selectModel.ts"
export { totalCost } from "./totalCost.ts"

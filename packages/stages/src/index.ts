/**
 * The stages, each with its services and layers in a module of its own name: `@interlock/stages/audit`, …
 *
 * @since 0.1.0
 */
export { audit, auditText } from "./audit.ts"
export { budget } from "./budget.ts"
export { CheckPolicy, checkRequest } from "./checkRequest.ts"
export { limit } from "./limit.ts"
export { totalCost } from "./totalCost.ts"

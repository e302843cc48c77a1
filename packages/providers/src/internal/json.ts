/**
 * What a model or its library hands over, made plain JSON: no `undefined`, no `NaN`, no class instance, no cycle.
 *
 * @since 0.1.0
 */
import type { Schema } from "effect"

/** The deepest nesting that is kept; what lies below becomes `null`. */
const deepest = 32

/** A value as JSON, or `undefined` where JSON has no word for it (a function, a symbol, `undefined` itself). */
export const toJson = (value: unknown, depth = 0): Schema.Json | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value + 0 : null
    case "bigint":
      return value.toString()
    case "object":
      break
    default:
      return undefined
  }
  if (value === null || depth >= deepest) return null
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof URL) return value.href
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64")
  if (Array.isArray(value)) return value.map((item) => toJson(item, depth + 1) ?? null)
  return toJsonObject(value, depth)
}

/** The same for an object: fields without a JSON value are left out. */
export const toJsonObject = (value: object, depth = 0): { readonly [field: string]: Schema.Json } => {
  const object: { [field: string]: Schema.Json } = {}
  for (const [field, item] of Object.entries(value)) {
    const json = toJson(item, depth + 1)
    if (json !== undefined && field !== "__proto__") object[field] = json
  }
  return object
}

/** Whether an object has no field. */
export const isEmpty = (value: object): boolean => {
  for (const _ in value) return false
  return true
}

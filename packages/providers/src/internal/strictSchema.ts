/**
 * Which JSON Schemas OpenAI takes in its strict mode, in which the answer is sure to keep to the schema.
 *
 * Source: OpenAI's guide to structured outputs, "Supported schemas".
 *
 * @since 0.1.0
 */
import type { Settings } from "@interlock/model"

type Fields = { readonly [name: string]: unknown }

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Keywords that the strict mode does not know. */
const unknown = [
  "allOf",
  "oneOf",
  "not",
  "if",
  "then",
  "else",
  "dependentRequired",
  "dependentSchemas",
  "patternProperties"
]

const each = (schemas: unknown): boolean => !isFields(schemas) || Object.values(schemas).every(isStrictWithin)

const isStrictWithin = (schema: unknown): boolean => {
  if (Array.isArray(schema)) return schema.every(isStrictWithin)
  if (!isFields(schema)) return true
  if (unknown.some((keyword) => keyword in schema)) return false
  const { $defs, anyOf, definitions, items, properties, required, type } = schema
  if (type === "object" || isFields(properties)) {
    const names = isFields(properties) ? Object.keys(properties) : []
    if (schema["additionalProperties"] !== false) return false
    if (!names.every((name) => Array.isArray(required) && required.includes(name))) return false
  }
  return (
    each(properties) && each($defs) && each(definitions) && isStrictWithin(items ?? []) && isStrictWithin(anyOf ?? [])
  )
}

/** Whether every object in it requires all its fields and allows no others, and nothing in it is beyond the strict mode. */
export const isStrict = (schema: unknown): boolean =>
  isFields(schema) && schema["type"] === "object" && isStrictWithin(schema)

/** What is to be said to a library that asks for the strict mode whatever the schema is, and is refused. */
export const strictness = ({ responseFormat }: Settings): { readonly strictJsonSchema?: false } =>
  responseFormat?.type !== "json" || responseFormat.schema === undefined || isStrict(responseFormat.schema)
    ? {}
    : { strictJsonSchema: false }

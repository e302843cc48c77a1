/** The texts of the settings of a call: which may be written anew, and which only looked at, because something else depends on them. */
import type { Parameters } from "@interlock/model"

type Settings = Parameters["Service"]

export interface Visitor {
  /** Writes a text anew. `field` is the name that it has, where it has one. */
  readonly text: (text: string, field: string) => string
  /** Looks at a name, a pattern or a number, which stays as it is. `path` says where it stands, without names that the caller gave. */
  readonly fixed: (text: string, path: string) => void
}

/** Words of JSON Schema whose strings mean something to a validator. */
const structural = new Set(
  "$anchor $dynamicAnchor $dynamicRef $id $ref $schema $vocabulary contentEncoding contentMediaType dependentRequired format pattern required type".split(
    " "
  )
)
/** Words whose keys are names, and whose values are schemas. */
const named = new Set("properties patternProperties $defs definitions dependentSchemas".split(" "))
/** Words whose values are data and no schemas. */
const data = new Set("const default enum example examples".split(" "))

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The settings with every text written anew: of tools, of schemas, of what stops the answer, of what only a provider knows. */
export const mapParameters = (settings: Settings, { text, fixed }: Visitor): Settings => {
  const whole = (value: unknown, path: string): void => {
    if (typeof value === "string") fixed(value, path)
    else if (Array.isArray(value)) for (const each of value) whole(each, path)
    else if (isRecord(value))
      for (const [key, each] of Object.entries(value)) {
        fixed(key, path)
        whole(each, path)
      }
  }
  const deep = (value: unknown, field: string, path: string): unknown => {
    if (typeof value === "string") return text(value, field)
    if (typeof value === "number" || typeof value === "bigint") {
      if (String(value).length >= 6) fixed(`${field === "" ? "" : `${field}: `}${value}`, path)
      return value
    }
    if (Array.isArray(value)) return value.map((each) => deep(each, field, path))
    if (!isRecord(value)) return value
    return record(value, path, (each, key) => deep(each, /^[\p{L}_][\p{L}\p{N}_ -]{0,40}$/u.test(key) ? key : "", path))
  }
  const record = (
    value: { readonly [key: string]: unknown },
    path: string,
    f: (each: unknown, key: string) => unknown
  ): { readonly [key: string]: unknown } =>
    Object.fromEntries(
      Object.entries(value).map(([key, each]) => {
        fixed(key, path)
        return [key, f(each, key)]
      })
    )
  const schema = (value: unknown, path: string): unknown => {
    if (typeof value === "string") return text(value, "")
    if (Array.isArray(value)) return value.map((each) => schema(each, path))
    if (!isRecord(value)) return value
    return record(value, path, (each, key) => {
      if (structural.has(key)) {
        whole(each, path)
        return each
      }
      if (named.has(key) && isRecord(each)) return record(each, path, (inner) => schema(inner, path))
      return data.has(key) ? deep(each, "", path) : schema(each, path)
    })
  }
  const schemaOf = (value: { readonly [key: string]: unknown }, path: string) =>
    schema(value, path) as { readonly [key: string]: unknown }

  const { stop, tools, toolChoice, responseFormat, providerOptions } = settings
  if (typeof toolChoice === "object") fixed(toolChoice.tool, "toolChoice.tool")
  if (responseFormat?.type === "json" && responseFormat.name !== undefined)
    fixed(responseFormat.name, "responseFormat.name")
  return {
    ...settings,
    ...(stop === undefined ? {} : { stop: stop.map((each) => text(each, "")) }),
    ...(tools === undefined
      ? {}
      : {
          tools: tools.map((tool, i) => {
            fixed(tool.name, `tools[${i}].name`)
            return {
              ...tool,
              ...(tool.description === undefined ? {} : { description: text(tool.description, "") }),
              parameters: schemaOf(tool.parameters, `tools[${i}].parameters`)
            }
          })
        }),
    ...(responseFormat?.type === "json" && responseFormat.schema !== undefined
      ? { responseFormat: { ...responseFormat, schema: schemaOf(responseFormat.schema, "responseFormat.schema") } }
      : {}),
    ...(providerOptions === undefined
      ? {}
      : { providerOptions: deep(providerOptions, "", "providerOptions") as NonNullable<Settings["providerOptions"]> })
  }
}

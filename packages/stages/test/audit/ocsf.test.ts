import { hash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Entry from "@interlock/stages/audit/entry"
import { AuditLog, layerMemory } from "@interlock/stages/audit/log"
import * as Ocsf from "@interlock/stages/audit/ocsf"
import { calls } from "@interlock/stages/audit/record"
import { Effect, Stream } from "effect"

const schemas = join(import.meta.dirname, "../../../../../shared/data/ocsf")

interface Attribute {
  readonly requirement?: string
  readonly enum?: { readonly [value: string]: { readonly caption: string } }
  readonly type?: string
  readonly is_array?: boolean
}
interface Schema {
  readonly name: string
  readonly uid?: number
  readonly extends?: string
  readonly category?: string
  readonly attributes: { readonly [name: string]: Attribute | ReadonlyArray<string> | string }
  readonly constraints?: { readonly at_least_one?: ReadonlyArray<string> }
}

/** A validator of OCSF events, written from the schema's own rules, over the schema extract. */
const validator = () => {
  const read = (path: string) => JSON.parse(readFileSync(join(schemas, path), "utf8"))
  const dictionary: { readonly [name: string]: Attribute } = read("dictionary.json").attributes
  const types: { readonly [name: string]: { readonly type?: string; readonly regex?: string } } =
    read("dictionary.json").types.attributes
  const load = (folder: string) =>
    readdirSync(join(schemas, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".json"))
      .map((file): Schema => read(join(folder, file)))
  const objects = new Map(load("objects").map((schema) => [schema.name, schema]))
  const events = new Map(load("events").map((schema) => [schema.name, schema]))
  const profiles = new Map(load("profiles").map((schema) => [schema.name, schema]))

  const attributesOf = (schema: Schema, among: Map<string, Schema>): Map<string, Attribute> => {
    const parent = among.get(schema.extends ?? "")
    const all = parent === undefined ? new Map<string, Attribute>() : attributesOf(parent, among)
    for (const [name, attribute] of Object.entries(schema.attributes)) {
      if (typeof attribute === "string" || Array.isArray(attribute)) continue
      const own = attribute as Attribute
      const before = all.get(name)
      all.set(name, { ...before, ...own, enum: { ...before?.enum, ...own.enum } })
    }
    return all
  }
  const scalars: { readonly [type: string]: (value: unknown) => boolean } = {
    string_t: (value) => typeof value === "string",
    integer_t: Number.isInteger,
    long_t: Number.isInteger,
    timestamp_t: Number.isInteger,
    float_t: (value) => typeof value === "number",
    boolean_t: (value) => typeof value === "boolean"
  }
  const problems: Array<string> = []
  const checkValue = (path: string, name: string, value: unknown, attribute: Attribute | undefined) => {
    const known = dictionary[name]
    if (known === undefined) return void problems.push(`${path}: not in the dictionary`)
    if (known.is_array === true) {
      if (!Array.isArray(value)) problems.push(`${path}: not an array`)
      else for (const [index, item] of value.entries()) checkOne(`${path}[${index}]`, item, known, attribute)
    } else checkOne(path, value, known, attribute)
  }
  const checkOne = (path: string, value: unknown, known: Attribute, attribute: Attribute | undefined) => {
    const type = known.type ?? ""
    if (type.endsWith("_t")) {
      const basic = scalars[type] ?? scalars[types[type]?.type ?? ""]
      if (basic !== undefined && !basic(value)) problems.push(`${path}: ${JSON.stringify(value)} is not ${type}`)
      const pattern = types[type]?.regex
      if (pattern !== undefined && !new RegExp(pattern).test(String(value))) problems.push(`${path}: not ${type}`)
      const values = { ...known.enum, ...attribute?.enum }
      if (Object.keys(values).length > 0 && values[String(value)] === undefined)
        problems.push(`${path}: ${String(value)} is not one of ${Object.keys(values).join(", ")}`)
    } else checkObject(path, value, type)
  }
  const captions = (path: string, value: { readonly [name: string]: unknown }, attributes: Map<string, Attribute>) => {
    for (const [name, attribute] of attributes) {
      if (!name.endsWith("_id") || value[name] === undefined || value[name.slice(0, -3)] === undefined) continue
      const caption = { ...dictionary[name]?.enum, ...attribute.enum }[String(value[name])]?.caption
      if (caption !== undefined && value[name] !== 99 && caption !== value[name.slice(0, -3)])
        problems.push(`${path}.${name.slice(0, -3)}: must be ${caption}`)
    }
  }
  const checkAttributes = (path: string, value: { readonly [name: string]: unknown }, all: Map<string, Attribute>) => {
    for (const [name, attribute] of all)
      if (attribute.requirement === "required" && value[name] === undefined) problems.push(`${path}.${name}: required`)
    for (const [name, member] of Object.entries(value)) {
      if (!all.has(name)) problems.push(`${path}.${name}: not an attribute here`)
      checkValue(`${path}.${name}`, name, member, all.get(name))
    }
    captions(path, value, all)
  }
  const checkObject = (path: string, value: unknown, type: string) => {
    if (typeof value !== "object" || value === null) return void problems.push(`${path}: not an object`)
    const schema = objects.get(type)
    // Of objects outside the extract only the names of the attributes and their values can be checked.
    if (schema === undefined) {
      if (type !== "object")
        for (const [name, member] of Object.entries(value)) checkValue(`${path}.${name}`, name, member, undefined)
      return
    }
    const all = attributesOf(schema, objects)
    if (type === "data_security") for (const name of ["category", "category_id", "confidentiality"]) all.set(name, {})
    checkAttributes(path, value as { readonly [name: string]: unknown }, all)
    const atLeast = schema.constraints?.at_least_one
    if (atLeast !== undefined && !atLeast.some((name) => name in value))
      problems.push(`${path}: needs one of ${atLeast.join(", ")}`)
  }
  const categories: { readonly [name: string]: { readonly uid: number } } = read("categories.json").attributes
  const categoryOf = (schema: Schema): string | undefined => {
    const parent = events.get(schema.extends ?? "")
    return schema.category ?? (parent === undefined ? undefined : categoryOf(parent))
  }
  return (event: Ocsf.Event): ReadonlyArray<string> => {
    problems.length = 0
    const schema = [...events.values()].find(
      (candidate) => candidate.uid !== undefined && candidate.uid === Number(event["class_uid"]) % 1000
    )!
    const all = attributesOf(schema, events)
    const claimed = (event["metadata"] as { readonly profiles: ReadonlyArray<string> }).profiles
    for (const name of claimed)
      for (const [attribute, definition] of attributesOf(profiles.get(name)!, profiles)) all.set(attribute, definition)
    // The schema's compiler makes these two from the category and the class.
    for (const name of ["category_uid", "class_uid"]) all.set(name, { requirement: "required" })
    const category = categories[categoryOf(schema) ?? ""]?.uid
    if (event["category_uid"] !== category || event["class_uid"] !== Number(category) * 1000 + Number(schema.uid))
      problems.push("event.class_uid: not that of its category")
    checkAttributes("event", event, all)
    if (event["type_uid"] !== Number(event["class_uid"]) * 100 + Number(event["activity_id"]))
      problems.push("event.type_uid: not class_uid * 100 + activity_id")
    return [...problems]
  }
}

const outcomes = ["answered", "cached", "refused", "failed", "interrupted"] as const

const append = (outcome: (typeof outcomes)[number] | "incomplete") =>
  AuditLog.use((log) =>
    Effect.gen(function* () {
      const entry = { call: Entry.id(), tenant: "acme", subject: "ada" }
      const facts = {
        version: 1,
        tenant: "acme",
        startedAt: 1000,
        trace: { traceId: "a".repeat(32), spanId: "b".repeat(16) }
      }
      yield* log.append({
        ...entry,
        kind: "request",
        facts,
        personal: { subject: "ada", conversation: "c1", prompt: [{ role: "user", text: "write to ⟦EMAIL_1⟧" }] }
      })
      if (outcome === "incomplete") return
      const failed = outcome === "failed" || outcome === "refused"
      yield* log.append({
        ...entry,
        kind: "completion",
        facts: {
          ...facts,
          endedAt: 1500,
          firstPartAt: 1200,
          outcome,
          ...(failed
            ? { error: "ModelError/Timeout" }
            : { usage: { inputTokens: 5, outputTokens: 3 }, finishReason: "stop" }),
          events: [
            { _tag: "Redaction", counts: { EMAIL: 2, PERSON: 1 } },
            ...(outcome === "cached" ? [{ _tag: "Cache", outcome: "exact", ageMs: 10 }] : []),
            ...(outcome === "refused"
              ? [{ _tag: "Refusal", stage: "limit", reason: "quota" }]
              : [
                  {
                    _tag: "Attempt",
                    provider: "openai",
                    model: "gpt",
                    startedAt: 1100,
                    endedAt: 1400,
                    outcome: "answered",
                    costUsd: 0.5
                  }
                ])
          ]
        },
        personal: { subject: "ada", conversation: "c1", ...(failed ? {} : { answer: "Mail ⟦EMAIL_1⟧" }) }
      })
    })
  )

const all = Effect.gen(function* () {
  for (const outcome of [...outcomes, "incomplete"] as const) yield* append(outcome)
  const log = yield* AuditLog
  return yield* Stream.runCollect(Stream.map(calls(log.entries()), Ocsf.events))
})

describe("ocsf", () => {
  it.effect("turns a call into an API Activity and its redactions into Data Security Findings", () =>
    Effect.gen(function* () {
      const [answered] = yield* all
      expect(answered!.map((event) => event["type_uid"])).toEqual([600301, 200601, 200601])
      expect(answered![0]).toMatchObject({
        status: "Success",
        action: "Modified",
        metadata: { tenant_uid: "acme", version: "1.9.0" },
        actor: { user: { uid: "ada" } },
        ai_model: { ai_provider: "openai", name: "gpt" },
        message_context: {
          uid: "c1",
          prompt_text: "user: write to ⟦EMAIL_1⟧",
          response_text: "Mail ⟦EMAIL_1⟧",
          total_tokens: 8
        },
        unmapped: { duration_ms: 500, first_part_ms: 200, cost_usd: 0.5, redactions: { EMAIL: 2, PERSON: 1 } }
      })
      expect(answered![1]).toMatchObject({ data_security: { detection_pattern: "EMAIL" }, unmapped: { count: 2 } })
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("attests each event: anyone can compute its fingerprint again from its canonical JSON", () =>
    Effect.gen(function* () {
      for (const event of (yield* all).flat()) {
        const { attestation_list, ...rest } = event
        const [own] = attestation_list as ReadonlyArray<{ readonly fingerprint: { readonly value: string } }>
        expect(own!.fingerprint.value).toBe(hash("sha256", Ocsf.canonical(rest), "hex"))
      }
      // RFC 8785, section 3.2.3 and appendix B.
      expect(
        Ocsf.canonical({ "\u20ac": 1, "\r": 2, "\ufb33": 3, 1: 4, "\u{1f600}": 5, "\u0080": 6, "\u00f6": 7 })
      ).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}')
      expect(Ocsf.canonical([333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, null, true])).toBe(
        "[333333333.3333333,1e+30,4.5,0.002,1e-27,null,true]"
      )
    }).pipe(Effect.provide(layerMemory))
  )

  // The schema is evaluation data beside the project, and not part of it.
  if (!existsSync(schemas))
    console.warn("ocsf: ../shared/data/ocsf is not there: events are not checked against the schema")
  else {
    it.effect("is valid by the OCSF 1.9 schema, however the call ended", () =>
      Effect.gen(function* () {
        const validate = validator()
        const events = (yield* all).flat()
        expect(events.length).toBe(6 + 5 * 2)
        for (const event of events) expect(validate(JSON.parse(JSON.stringify(event)))).toEqual([])
      }).pipe(Effect.provide(layerMemory))
    )

    it.effect("would be refused by the schema if it were wrong", () =>
      Effect.gen(function* () {
        const validate = validator()
        const [event] = (yield* all)[0]!
        const wrong: ReadonlyArray<readonly [Ocsf.Event, string]> = [
          [{ ...event, api: {} }, "event.api.operation: required"],
          [{ ...event, actor: {} }, "event.actor: needs one of"],
          [{ ...event, time: "now" }, "event.time"],
          [{ ...event, severity_id: 42 }, "event.severity_id"],
          [{ ...event, surprise: 1 }, "event.surprise"],
          [{ ...event, status: "Fine" }, "event.status: must be Success"]
        ]
        for (const [changed, problem] of wrong) expect(validate(changed).join("\n")).toContain(problem)
      }).pipe(Effect.provide(layerMemory))
    )
  }
})

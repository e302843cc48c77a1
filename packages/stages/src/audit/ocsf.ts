/**
 * Audit records as events of the Open Cybersecurity Schema Framework, version 1.9: a call is an API Activity (6003) with the
 * `ai_operation`, `record_integrity`, `security_control` and `trace` profiles, and what redaction found in it are Data
 * Security Findings (2006).
 *
 * @since 0.1.0
 */
import { hash } from "node:crypto"
import { parse } from "./checkpoint.ts"
import type { CallRecord, Outcome } from "./record.ts"

/**
 * An event, as JSON.
 *
 * @category models
 * @since 0.1.0
 */
export type Event = { readonly [attribute: string]: unknown }

/**
 * JSON in the one form that RFC 8785 allows: keys sorted by UTF-16 code units, no white space.
 *
 * @category encoding
 * @since 0.1.0
 */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item === undefined ? null : item)).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(",")}}`
}

const product = { name: "Interlock", vendor_name: "Interlock", version: "0.1.0" }
const version = "1.9.0"

interface Control {
  readonly status: readonly [number, string]
  readonly severity: readonly [number, string]
  readonly action: readonly [number, string]
  readonly disposition: readonly [number, string]
}

const informational = [1, "Informational"] as const
const controls: { readonly [outcome in Outcome]: Control } = {
  answered: { status: [1, "Success"], severity: informational, action: [1, "Allowed"], disposition: [1, "Allowed"] },
  cached: { status: [1, "Success"], severity: informational, action: [1, "Allowed"], disposition: [1, "Allowed"] },
  refused: { status: [2, "Failure"], severity: [3, "Medium"], action: [2, "Denied"], disposition: [2, "Blocked"] },
  failed: { status: [2, "Failure"], severity: [2, "Low"], action: [3, "Observed"], disposition: [27, "Error"] },
  interrupted: {
    status: [99, "interrupted"],
    severity: informational,
    action: [3, "Observed"],
    disposition: [17, "Logged"]
  },
  incomplete: { status: [0, "Unknown"], severity: [3, "Medium"], action: [0, "Unknown"], disposition: [0, "Unknown"] }
}
const modified = { action: [4, "Modified"], disposition: [11, "Corrected"] } as const

const removed = (record: { readonly [key: string]: unknown }): Event =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))

/** How many values of each type redaction replaced in the call. */
const redactions = (record: CallRecord): ReadonlyArray<readonly [type: string, count: number]> => {
  const counts = new Map<string, number>()
  for (const event of record.events)
    if (event._tag === "Redaction")
      for (const [type, count] of Object.entries(event.counts)) counts.set(type, (counts.get(type) ?? 0) + count)
  return [...counts]
}

const attest = (event: Event, record: CallRecord): Event => {
  const entry = record.entries.at(-1)!
  const origin = parse(entry.note)?.origin
  return {
    ...event,
    attestation_list: [
      {
        uid: `${record.call}/event`,
        fingerprint: {
          algorithm: "SHA-256",
          algorithm_id: 3,
          encoding: "Hex",
          encoding_id: 1,
          serialization: "JCS",
          serialization_id: 2,
          value: hash("sha256", canonical(event), "hex")
        }
      },
      ...record.entries.map(({ index, leaf }) =>
        removed({
          uid: String(index),
          authority_uid: origin,
          chain_uid: origin,
          fingerprint: {
            algorithm: "SHA-256",
            algorithm_id: 3,
            encoding: "Hex",
            encoding_id: 1,
            serialization: "RFC 9162 leaf of the sealed entry",
            serialization_id: 99,
            value: Buffer.from(leaf).toString("hex")
          }
        })
      )
    ]
  }
}

const metadata = (record: CallRecord, uid: string, profiles: ReadonlyArray<string>) => {
  const entry = record.entries.at(-1)!
  return removed({
    version,
    product,
    profiles,
    uid,
    correlation_uid: record.call,
    log_name: "interlock-audit",
    tenant_uid: record.facts?.tenant,
    sequence: entry.index,
    original_time: new Date(entry.head.time).toISOString(),
    logged_time: parse(entry.note)?.time
  })
}

const actor = (record: CallRecord): Event =>
  removed({
    app_name: "interlock",
    user: record.personal.subject === undefined ? undefined : { uid: record.personal.subject, type: "User", type_id: 1 }
  })

/**
 * A record as events: the API Activity, then one Data Security Finding for each type that redaction found.
 *
 * @category conversions
 * @since 0.1.0
 */
export const events = (record: CallRecord): readonly [Event, ...ReadonlyArray<Event>] => {
  const { facts, outcome, personal } = record
  const attempts = record.events.filter((event) => event._tag === "Attempt")
  const last = attempts.findLast((attempt) => attempt.outcome === "answered") ?? attempts.at(-1)
  const cache = record.events.findLast((event) => event._tag === "Cache")
  const refusal = record.events.findLast((event) => event._tag === "Refusal")
  const found = redactions(record)
  const base = controls[outcome]
  const control = found.length > 0 && base.action[0] === 1 ? { ...base, ...modified } : base
  const time = facts?.startedAt ?? record.entries[0].head.time
  const usage = facts?.usage
  const cost = attempts.reduce((sum, attempt) => sum + (attempt.costUsd ?? 0), 0)
  const prompt = personal.prompt?.map(({ role, text }) => `${role}: ${text}`).join("\n")
  const total =
    usage?.inputTokens === undefined && usage?.outputTokens === undefined
      ? undefined
      : (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)
  const activity = removed({
    activity_id: 1,
    activity_name: "Create",
    category_uid: 6,
    category_name: "Application Activity",
    class_uid: 6003,
    class_name: "API Activity",
    type_uid: 600301,
    type_name: "API Activity: Create",
    severity_id: control.severity[0],
    severity: control.severity[1],
    time,
    timezone_offset: 0,
    message: `A model call was ${outcome}`,
    status_id: control.status[0],
    status: control.status[1],
    status_code: outcome,
    status_detail: facts?.error ?? refusal?.reason,
    metadata: metadata(record, record.call, ["ai_operation", "record_integrity", "security_control", "trace"]),
    actor: actor(record),
    api: removed({
      operation: "chat",
      service: last === undefined ? undefined : { name: last.provider },
      request: { uid: record.call }
    }),
    src_endpoint: { svc_name: "interlock" },
    ai_model: last === undefined ? undefined : { ai_provider: last.provider, name: last.model },
    message_context: removed({
      service: { name: "interlock" },
      uid: personal.conversation,
      ai_role_id: 2,
      ai_role: "Assistant",
      prompt_text: prompt,
      response_text: personal.answer,
      prompt_tokens: usage?.inputTokens,
      completion_tokens: usage?.outputTokens,
      total_tokens: total
    }),
    action_id: control.action[0],
    action: control.action[1],
    disposition_id: control.disposition[0],
    disposition: control.disposition[1],
    is_alert: outcome === "refused",
    policy: refusal === undefined ? undefined : { name: refusal.stage, is_applied: true },
    trace: facts?.trace === undefined ? undefined : { uid: facts.trace.traceId },
    unmapped: removed({
      duration_ms: facts?.endedAt === undefined ? undefined : facts.endedAt - facts.startedAt,
      first_part_ms: facts?.firstPartAt === undefined ? undefined : facts.firstPartAt - facts.startedAt,
      cost_usd: attempts.length === 0 ? undefined : cost,
      finish_reason: facts?.finishReason,
      cache: cache?.outcome,
      cache_age_ms: cache?.ageMs,
      attempts: attempts.length === 0 ? undefined : attempts,
      facts: record.events.filter((event) => event._tag === "Fact"),
      redactions: found.length === 0 ? undefined : Object.fromEntries(found),
      tool_calls: personal.toolCalls,
      truncated: personal.truncated,
      erased: record.erased ? true : undefined,
      checkpoint: record.entries.at(-1)!.note
    })
  })
  const findings = found.map(([type, count]) =>
    attest(
      {
        activity_id: 1,
        activity_name: "Create",
        category_uid: 2,
        category_name: "Findings",
        class_uid: 2006,
        class_name: "Data Security Finding",
        type_uid: 200601,
        type_name: "Data Security Finding: Create",
        severity_id: 1,
        severity: "Informational",
        time,
        timezone_offset: 0,
        message: `${type} was found in a model call and replaced`,
        status_id: 4,
        status: "Resolved",
        metadata: metadata(record, `${record.call}/${type}`, ["record_integrity", "security_control"]),
        actor: actor(record),
        finding_info: {
          uid: `${record.call}/${type}`,
          title: `${type} in a model call`
        },
        data_security: {
          detection_pattern: type,
          detection_system_id: 10,
          detection_system: "Application-Level DLP",
          data_lifecycle_state_id: 2,
          data_lifecycle_state: "Data in-Transit"
        },
        action_id: modified.action[0],
        action: modified.action[1],
        disposition_id: modified.disposition[0],
        disposition: modified.disposition[1],
        is_alert: false,
        unmapped: { count }
      },
      record
    )
  )
  return [attest(activity, record), ...findings]
}

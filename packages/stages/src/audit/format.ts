/**
 * Audit records in the formats that log collectors read. Text and tool names are left out, unless asked for with `text`.
 *
 * @since 0.1.0
 */
import * as Ocsf from "./ocsf.ts"
import type { CallRecord } from "./record.ts"

/**
 * A format: `ocsf` and `jsonl` are JSON, one object a line; `ecs` is Elastic Common Schema, one object a line; `cef` is ArcSight's
 * Common Event Format; `leef` is QRadar's Log Event Extended Format 2.0; `syslog` is RFC 5424 with the OCSF event as its message; `otlp`
 * is one request of the OpenTelemetry protocol for logs, as JSON.
 *
 * @category models
 * @since 0.1.0
 */
export type Format = (typeof formats)[number]

/**
 * All formats.
 *
 * @category models
 * @since 0.1.0
 */
export const formats = ["ocsf", "jsonl", "ecs", "cef", "leef", "syslog", "otlp"] as const

/**
 * What a format may be told.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Whether redacted text goes along. Default `false`. */
  readonly text?: boolean | undefined
  /** The name of this host, for syslog. Default `-`, unknown. */
  readonly host?: string | undefined
}

/** The record without the values behind placeholders: those are never exported. */
const withoutValues = (record: CallRecord): CallRecord => {
  const { values: _, ...personal } = record.personal
  return { ...record, personal }
}

/** The record without the text of the prompt and the answer; who called stays. */
const withoutText = (record: CallRecord): CallRecord => {
  const { conversation, subject } = record.personal
  return {
    ...record,
    personal: { ...(subject === undefined ? {} : { subject }), ...(conversation === undefined ? {} : { conversation }) }
  }
}

interface Summary {
  readonly time: number
  readonly outcome: string
  readonly severity: number
  readonly fields: ReadonlyArray<readonly [key: string, value: string | number | undefined]>
}

const summary = (record: CallRecord): Summary => {
  const attempts = record.events.filter((event) => event._tag === "Attempt")
  const last = attempts.findLast((attempt) => attempt.outcome === "answered") ?? attempts.at(-1)
  const [event] = Ocsf.events(record)
  const { facts } = record
  return {
    time: facts?.startedAt ?? record.entries[0].head.time,
    outcome: record.outcome,
    severity: Number(event["severity_id"]),
    fields: [
      ["call", record.call],
      ["tenant", facts?.tenant],
      ["subject", record.personal.subject],
      ["conversation", record.personal.conversation],
      ["outcome", record.outcome],
      ["error", facts?.error],
      ["provider", last?.provider],
      ["model", last?.model],
      ["inputTokens", facts?.usage?.inputTokens],
      ["outputTokens", facts?.usage?.outputTokens],
      ["costUsd", attempts.length === 0 ? undefined : attempts.reduce((sum, { costUsd }) => sum + (costUsd ?? 0), 0)],
      ["durationMs", facts?.endedAt === undefined ? undefined : facts.endedAt - facts.startedAt],
      ["logIndex", record.entries.at(-1)!.index]
    ]
  }
}

const present = (fields: Summary["fields"]): ReadonlyArray<readonly [string, string]> =>
  fields.flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] as const]))

const jsonl = (record: CallRecord): string =>
  JSON.stringify({
    call: record.call,
    outcome: record.outcome,
    ...record.facts,
    ...record.personal,
    erased: record.erased,
    entries: record.entries.map(({ head, index, leaf }) => ({
      index,
      kind: head.kind,
      leaf: Buffer.from(leaf).toString("hex")
    }))
  })

const ecs = (record: CallRecord): string => {
  const { facts, personal } = record
  const { fields, severity, time } = summary(record)
  const value = Object.fromEntries(fields)
  const succeeded = record.outcome === "answered" || record.outcome === "cached"
  const ended = facts?.endedAt
  return JSON.stringify({
    "@timestamp": new Date(time).toISOString(),
    ecs: { version: "9.1.0" },
    message: `A model call was ${record.outcome}`,
    event: {
      kind: "event",
      category: ["api"],
      type: record.outcome === "refused" ? ["denied"] : ["access"],
      action: "model-call",
      outcome: succeeded
        ? "success"
        : record.outcome === "refused" || record.outcome === "failed"
          ? "failure"
          : "unknown",
      id: record.call,
      module: "interlock",
      dataset: "interlock.audit",
      severity,
      sequence: value["logIndex"],
      // ECS counts nanoseconds.
      duration: ended === undefined || facts === undefined ? undefined : (ended - facts.startedAt) * 1_000_000,
      reason: facts?.error
    },
    organization: { id: facts?.tenant },
    user: personal.subject === undefined ? undefined : { id: personal.subject },
    error: facts?.error === undefined ? undefined : { type: facts.error },
    trace: facts?.trace === undefined ? undefined : { id: facts.trace.traceId },
    span: facts?.trace === undefined ? undefined : { id: facts.trace.spanId },
    gen_ai: {
      operation: { name: "chat" },
      provider: { name: value["provider"] },
      request: { model: value["model"] },
      conversation: { id: personal.conversation },
      usage: { input_tokens: value["inputTokens"], output_tokens: value["outputTokens"] }
    },
    interlock: { outcome: record.outcome, cost_usd: value["costUsd"], prompt: personal.prompt, answer: personal.answer }
  })
}

// CEF's severity is 0 to 10; OCSF's is 1 (informational) to 6 (fatal).
const cefSeverity = [0, 1, 3, 5, 7, 9, 10]
const escapeHeader = (text: string): string =>
  text
    .replaceAll("\\", "\\\\")
    .replaceAll("|", "\\|")
    .replaceAll(/[\r\n]+/g, " ")
const escapeValue = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll("=", "\\=").replaceAll("\r", "\\r").replaceAll("\n", "\\n")

const cefKeys: { readonly [field: string]: string } = {
  call: "externalId",
  tenant: "cs1",
  subject: "suser",
  conversation: "cs2",
  outcome: "outcome",
  error: "reason",
  provider: "destinationServiceName",
  model: "cs3",
  inputTokens: "cn1",
  outputTokens: "cn2",
  durationMs: "cn3",
  costUsd: "cs4",
  logIndex: "cs5"
}
const cefLabels: { readonly [key: string]: string } = {
  cs1: "tenant",
  cs2: "conversation",
  cs3: "model",
  cs4: "costUsd",
  cs5: "logIndex",
  cn1: "inputTokens",
  cn2: "outputTokens",
  cn3: "durationMs"
}

const cef = (record: CallRecord): string => {
  const { fields, severity, time } = summary(record)
  const extension = present(fields).flatMap(([field, value]) => {
    const key = cefKeys[field]!
    const label = cefLabels[key]
    return [`${key}=${escapeValue(value)}`, ...(label === undefined ? [] : [`${key}Label=${label}`])]
  })
  const header = ["CEF:0", "Interlock", "Interlock", "0.1.0", "model-call", `A model call was ${record.outcome}`]
  return `${header.map(escapeHeader).join("|")}|${cefSeverity[severity] ?? 0}|${[`rt=${time}`, "app=interlock", ...extension].join(" ")}`
}

const leefKeys: { readonly [field: string]: string } = { subject: "usrName", outcome: "policy", error: "reason" }

const leef = (record: CallRecord): string => {
  const { fields, severity, time } = summary(record)
  const clean = (text: string): string => text.replaceAll(/[\t\r\n]+/g, " ")
  const attributes = present(fields).map(([field, value]) => `${leefKeys[field] ?? field}=${clean(value)}`)
  const sev = Math.max(1, cefSeverity[severity] ?? 1)
  return [
    `LEEF:2.0|Interlock|Interlock|0.1.0|${record.outcome}|x09|devTime=${time}`,
    "cat=model-call",
    `sev=${sev}`,
    ...attributes
  ].join("\t")
}

// Facility 13 is "log audit"; severities are notice, warning, error (RFC 5424, section 6.2.1).
const syslogSeverity: { readonly [severity: number]: number } = { 2: 3, 3: 4 }
// RFC 5424, sections 6.3.3 and 8.2: three characters are escaped, and control characters are better not there.
const parameter = (text: string): string =>
  text.replaceAll(/\p{Cc}+/gu, " ").replaceAll(/[\\"\]]/g, (found) => `\\${found}`)

const syslog = (record: CallRecord, options: Options): string => {
  const { fields, severity, time } = summary(record)
  const priority = 13 * 8 + (syslogSeverity[severity] ?? 5)
  const host = (options.host ?? "-").replaceAll(/[^\x21-\x7e]/g, "").slice(0, 255) || "-"
  const data = present(fields.filter(([key]) => ["call", "tenant", "outcome", "logIndex"].includes(key)))
    .map(([key, value]) => ` ${key}="${parameter(value)}"`)
    .join("")
  const [event] = Ocsf.events(record)
  return `<${priority}>1 ${new Date(time).toISOString()} ${host} interlock ${process.pid} model-call [interlock@32473${data}] \ufeff${JSON.stringify(event)}`
}

// OpenTelemetry's severity numbers: 9 is INFO, 13 WARN, 17 ERROR.
const otlpSeverity: { readonly [severity: number]: readonly [number, string] } = { 2: [17, "ERROR"], 3: [13, "WARN"] }

const otlp = (records: ReadonlyArray<CallRecord>): string =>
  JSON.stringify({
    resourceLogs: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "interlock" } }] },
        scopeLogs: [
          {
            scope: { name: "@interlock/stages/audit", version: "0.1.0" },
            logRecords: records.map((record) => {
              const { fields, severity, time } = summary(record)
              const [severityNumber, severityText] = otlpSeverity[severity] ?? [9, "INFO"]
              const [event] = Ocsf.events(record)
              return {
                timeUnixNano: `${time}000000`,
                observedTimeUnixNano: `${record.entries.at(-1)!.head.time}000000`,
                severityNumber,
                severityText,
                eventName: "interlock.model_call",
                body: { stringValue: JSON.stringify(event) },
                attributes: fields.flatMap(([key, value]) =>
                  value === undefined
                    ? []
                    : [
                        {
                          key: `interlock.${key}`,
                          value:
                            typeof value === "string"
                              ? { stringValue: value }
                              : Number.isInteger(value)
                                ? { intValue: String(value) }
                                : { doubleValue: value }
                        }
                      ]
                ),
                ...(record.facts?.trace === undefined
                  ? {}
                  : { traceId: record.facts.trace.traceId, spanId: record.facts.trace.spanId })
              }
            })
          }
        ]
      }
    ]
  })

/**
 * The messages that records become, in order: one for each record, for each event with `ocsf`, or one for all with `otlp`.
 *
 * @category conversions
 * @since 0.1.0
 */
export const format = (
  name: Format,
  records: ReadonlyArray<CallRecord>,
  options: Options = {}
): ReadonlyArray<string> => {
  const shown = records.map(options.text === true ? withoutValues : withoutText)
  switch (name) {
    case "ocsf":
      return shown.flatMap((record) => Ocsf.events(record).map((event) => JSON.stringify(event)))
    case "jsonl":
      return shown.map(jsonl)
    case "ecs":
      return shown.map(ecs)
    case "cef":
      return shown.map(cef)
    case "leef":
      return shown.map(leef)
    case "syslog":
      return shown.map((record) => syslog(record, options))
    case "otlp":
      return shown.length === 0 ? [] : [otlp(shown)]
  }
}

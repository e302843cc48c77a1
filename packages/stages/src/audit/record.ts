/**
 * What an audit log says of one call: as it is written (the facts and the personal section of a request and of its completion) and
 * as it is read (one record for each call, however it ended).
 *
 * @since 0.1.0
 */
import type { Journal } from "@interlock/model"
import { Schema, Stream } from "effect"
import type { LogEntry } from "./reader.ts"

/**
 * How a call ended: `answered`; `cached`, answered without a model; `refused` by a stage before any model was tried; `failed`;
 * `interrupted` by the caller; `incomplete`, when the process died, or the disk refused, before the end was recorded.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = (typeof Outcomes.literals)[number]

const Outcomes = Schema.Literals(["answered", "cached", "refused", "failed", "interrupted", "incomplete"])

const Usage = Schema.Struct({
  inputTokens: Schema.optionalKey(Schema.Number),
  outputTokens: Schema.optionalKey(Schema.Number),
  totalTokens: Schema.optionalKey(Schema.Number)
})

/**
 * The facts of a request or of its completion: no text, and nobody's name but the tenant's.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Facts = Schema.Struct({
  version: Schema.Literal(1),
  tenant: Schema.String,
  startedAt: Schema.Number,
  firstPartAt: Schema.optionalKey(Schema.Number),
  endedAt: Schema.optionalKey(Schema.Number),
  outcome: Schema.optionalKey(Outcomes),
  /** The names of the error and of its reason, such as `ModelError/Timeout`. Never its message: that may quote text. */
  error: Schema.optionalKey(Schema.String),
  trace: Schema.optionalKey(Schema.Struct({ traceId: Schema.String, spanId: Schema.String })),
  finishReason: Schema.optionalKey(Schema.String),
  usage: Schema.optionalKey(Usage),
  /** The journal of the call. */
  events: Schema.optionalKey(Schema.Array(Schema.Unknown))
})

/**
 * The personal section: who, and redacted text.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Personal = Schema.Struct({
  subject: Schema.optionalKey(Schema.String),
  conversation: Schema.optionalKey(Schema.String),
  prompt: Schema.optionalKey(Schema.Array(Schema.Struct({ role: Schema.String, text: Schema.String }))),
  /** What stands behind the placeholders of the prompt, where the policy seals it. */
  values: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  answer: Schema.optionalKey(Schema.String),
  /** Names of the tools that the answer calls. */
  toolCalls: Schema.optionalKey(Schema.Array(Schema.String)),
  /** Whether text was cut because it was longer than the limit. */
  truncated: Schema.optionalKey(Schema.Boolean)
})

/**
 * One call, read back from the log.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallRecord {
  /** 32 hexadecimal digits. */
  readonly call: string
  /** `undefined` where the tenant's key was destroyed. */
  readonly facts: typeof Facts.Type | undefined
  readonly outcome: Outcome
  readonly events: ReadonlyArray<Journal.Event>
  readonly personal: typeof Personal.Type
  /** Whether the subject was erased: the personal section is there, and can be opened no more. */
  readonly erased: boolean
  /** The entries of the log that the record is made of: its request, its completion, or both. */
  readonly entries: readonly [LogEntry, ...ReadonlyArray<LogEntry>]
}

const readFacts = Schema.decodeUnknownOption(Facts)
const readPersonal = Schema.decodeUnknownOption(Personal)

const combine = (entries: readonly [LogEntry, ...ReadonlyArray<LogEntry>]): CallRecord => {
  let facts: typeof Facts.Type | undefined
  let personal: typeof Personal.Type = {}
  for (const entry of entries) {
    const read = readFacts(entry.facts)
    if (read._tag === "Some") facts = { ...facts, ...read.value }
    const person = readPersonal(entry.personal)
    if (person._tag === "Some") personal = { ...personal, ...person.value }
  }
  return {
    call: entries[0].head.call,
    facts,
    outcome: facts?.outcome ?? "incomplete",
    events: (facts?.events ?? []) as ReadonlyArray<Journal.Event>,
    personal,
    erased: entries.some(({ erased }) => erased),
    entries
  }
}

/**
 * Brings the entries of a log together into one record for each call, in the order in which calls ended; those without an end
 * come last.
 *
 * @category reading
 * @since 0.1.0
 */
export const calls = <E, R>(entries: Stream.Stream<LogEntry, E, R>): Stream.Stream<CallRecord, E, R> =>
  Stream.suspend(() => {
    const open = new Map<string, LogEntry>()
    const ended = Stream.flatMap(entries, (entry) => {
      const { call, kind } = entry.head
      if (kind === "request") {
        open.set(call, entry)
        return Stream.empty
      }
      if (kind !== "completion") return Stream.empty
      const request = open.get(call)
      open.delete(call)
      return Stream.succeed(combine(request === undefined ? [entry] : [request, entry]))
    })
    return Stream.concat(
      ended,
      Stream.suspend(() => Stream.fromIterable([...open.values()].map((entry) => combine([entry]))))
    )
  })

/**
 * Leaves exactly one record of every call, whatever becomes of it: answered, cached, refused by any stage, failed or interrupted.
 *
 * It takes two stages. `audit` stands at the top: it opens the record, without text, and closes it when the last part is gone.
 * `auditText` stands below `redact`: it adds the redacted prompt and answer. There is no other way for text to enter a record,
 * so the compiler refuses text from above `redact`: `auditText` needs `SafePrompt`, which only `redact` adds.
 *
 * ```ts
 * import { Pipeline } from "@interlock/core"
 * import { Caller, Chat, RawPrompt } from "@interlock/model"
 * import { audit } from "@interlock/stages/audit"
 *
 * const start = Pipeline.make("support", { input: [Caller, RawPrompt], protocol: Chat.protocol }).use(audit)
 * // start.use(redact).use(auditText).use(cache).to(callModel)
 * ```
 *
 * @since 0.1.0
 */
import { Reply, Stage } from "@interlock/core"
import { Caller, type Identity, Journal, type Part, Prompt, SafePrompt, type SafeText } from "@interlock/model"
import { Cause, Clock, Context, Effect, Fiber, Option, Predicate, Stream } from "effect"
import * as Entry from "./audit/entry.ts"
import type { AuditError } from "./audit/error.ts"
import { AuditLog } from "./audit/log.ts"
import type { Facts, Outcome, Personal } from "./audit/record.ts"
import { Witness } from "./redact/witness.ts"

export { AuditError } from "./audit/error.ts"
export { AuditLog, layerFiles, layerMemory } from "./audit/log.ts"

/**
 * The record of the call in flight. It shows nothing but its id, and takes nothing: only `auditText` adds to it.
 *
 * @category facts
 * @since 0.1.0
 */
export class AuditRecord extends Context.Service<AuditRecord, { readonly call: string }>()(
  "@interlock/stages/AuditRecord"
) {}

/**
 * What to do when the log cannot be written, when to write, and how much text to keep.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  /** `refuse` fails the call with an `AuditError`; `continue` lets it through and logs an error. Default `refuse`. */
  readonly onFailure: "refuse" | "continue"
  /**
   * Which comes first: `before-call`, the request is durable before anything below `auditText` runs; `before-answer`, it is written
   * while the model works, and durable before the first part reaches the caller. Default `before-call`.
   */
  readonly request: "before-call" | "before-answer"
  /**
   * Whether the values behind the placeholders of the prompt are kept too: sealed under the subject's key, with the redacted text, and
   * never exported. `leave-out` by default; `seal` lets whoever has the root key read them until the subject is erased.
   */
  readonly values: "leave-out" | "seal"
  /** How many characters of the prompt, and of the answer, are kept. Default 65,536. */
  readonly textLimit: number
}

/**
 * The policy in force.
 *
 * @category references
 * @since 0.1.0
 */
export const AuditPolicy: Context.Reference<Policy> = Context.Reference("@interlock/stages/AuditPolicy", {
  defaultValue: (): Policy => ({ onFailure: "refuse", request: "before-call", values: "leave-out", textLimit: 65_536 })
})

/** What is known of a call so far. */
interface Draft {
  readonly tenant: string
  readonly subject: string | undefined
  readonly conversation: string | undefined
  readonly startedAt: number
  readonly trace: { readonly traceId: string; readonly spanId: string } | undefined
  /** The writing of the request, once `auditText` has begun it. */
  request: Fiber.Fiber<unknown, AuditError> | undefined
  answer: Answer | undefined
  /** The values behind the placeholders, where the policy seals them. */
  values: ReadonlyMap<string, string>
  finished: boolean
}

/** What `auditText` has seen of the answer: with placeholders in the place of values. */
interface Answer {
  text: string
  truncated: boolean
  readonly toolCalls: Array<string>
  finish: Part.FinishPart | undefined
}

// The draft of a record can be reached from this module only: no stage above `redact` can put text into it.
const drafts = new WeakMap<object, Draft>()

type PersonalSection = typeof Personal.Type

const who = (draft: Draft): PersonalSection => ({
  ...(draft.subject === undefined ? {} : { subject: draft.subject }),
  ...(draft.conversation === undefined ? {} : { conversation: draft.conversation })
})

const nameOf = (error: unknown): string => {
  const tag = Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? error._tag : "Defect"
  const reason = Predicate.hasProperty(error, "reason") ? error.reason : undefined
  return Predicate.hasProperty(reason, "_tag") && typeof reason._tag === "string" ? `${tag}/${reason._tag}` : tag
}

const outcomeOf = (
  cause: Cause.Cause<unknown> | undefined,
  events: ReadonlyArray<Journal.Event>
): { readonly outcome: Outcome; readonly error?: string } => {
  if (cause === undefined) {
    const cached = events.some((event) => event._tag === "Cache" && answering.has(event.outcome))
    return { outcome: cached ? "cached" : "answered" }
  }
  if (Cause.hasInterruptsOnly(cause)) return { outcome: "interrupted" }
  const error = nameOf(Cause.squash(cause))
  const tried = events.some((event) => event._tag === "Attempt")
  const refused = events.some((event) => event._tag === "Refusal") || (!tried && !error.startsWith("ModelError"))
  return { outcome: refused && error !== "Defect" ? "refused" : "failed", error }
}

const answering: ReadonlySet<string> = new Set(["exact", "semantic", "coalesced", "stale"])

const factsOf = (draft: Draft): typeof Facts.Type => ({
  version: 1,
  tenant: draft.tenant,
  startedAt: draft.startedAt,
  ...(draft.trace === undefined ? {} : { trace: draft.trace })
})

const completion = (
  draft: Draft,
  ended: {
    readonly cause: Cause.Cause<unknown> | undefined
    readonly events: ReadonlyArray<Journal.Event>
    readonly firstPartAt: number | undefined
    readonly endedAt: number
  }
): { readonly facts: typeof Facts.Type; readonly personal: PersonalSection | undefined } => {
  const { answer } = draft
  const usage = answer?.finish?.usage
  const input = usage?.inputTokens.total
  const output = usage?.outputTokens.total
  const personal: PersonalSection = {
    ...who(draft),
    ...(answer === undefined || answer.text === "" ? {} : { answer: answer.text }),
    ...(answer === undefined || answer.toolCalls.length === 0 ? {} : { toolCalls: answer.toolCalls }),
    ...(answer?.truncated === true ? { truncated: true } : {})
  }
  return {
    facts: {
      ...factsOf(draft),
      ...outcomeOf(ended.cause, ended.events),
      ...(ended.firstPartAt === undefined ? {} : { firstPartAt: ended.firstPartAt }),
      endedAt: ended.endedAt,
      ...(answer?.finish === undefined ? {} : { finishReason: answer.finish.reason }),
      ...(input === undefined && output === undefined
        ? {}
        : {
            usage: {
              ...(input === undefined ? {} : { inputTokens: input }),
              ...(output === undefined ? {} : { outputTokens: output })
            }
          }),
      events: ended.events
    },
    personal: Object.keys(personal).length === 0 ? undefined : personal
  }
}

const begin = Effect.fnUntraced(function* (caller: Identity) {
  const span = yield* Effect.option(Effect.currentSpan)
  const draft: Draft = {
    tenant: caller.tenant,
    subject: caller.subject,
    conversation: caller.conversation,
    startedAt: Math.floor(yield* Clock.currentTimeMillis),
    trace: Option.isNone(span) ? undefined : { traceId: span.value.traceId, spanId: span.value.spanId },
    request: undefined,
    answer: undefined,
    values: new Map(),
    finished: false
  }
  return draft
})

/** Begins to write the request; whoever must know that it is durable joins the fiber. */
const writeRequest = Effect.fnUntraced(function* (
  log: AuditLog["Service"],
  call: string,
  draft: Draft,
  text: PersonalSection
) {
  const personal = { ...who(draft), ...text }
  const write = log.append({
    kind: "request",
    call,
    tenant: draft.tenant,
    subject: draft.subject,
    facts: factsOf(draft),
    personal: Object.keys(personal).length === 0 ? undefined : personal
  })
  const fiber = yield* Effect.forkDetach(write, { startImmediately: true })
  draft.request = fiber
  return fiber
})

/** Appends to the call's own journal, and to one that was there already. */
const journalOf = (outer: Journal.Journal | undefined): Journal.Journal => {
  const own = Journal.make()
  return outer === undefined
    ? own
    : {
        append: (event) => {
          own.append(event)
          outer.append(event)
        },
        events: own.events
      }
}

const complain = (error: AuditError): Effect.Effect<void> =>
  Effect.logError("A call was not recorded as it should be", error.message)

/**
 * Opens the record of a call, without text, and closes it when the last part is gone. Stands at the top.
 *
 * The reply reaches the caller when the request side is durable, and ends when the whole record is. Where the log cannot be
 * written the call fails with an `AuditError`, unless `AuditPolicy` says otherwise; a call that failed already keeps its own error.
 *
 * @category stages
 * @since 0.1.0
 */
export const audit = Stage.around(
  "audit",
  { needs: { caller: Caller }, adds: AuditRecord },
  Effect.fnUntraced(function* ({ caller }, next) {
    const log = yield* AuditLog
    const policy = yield* AuditPolicy
    const clock = yield* Clock.Clock
    const journal = journalOf(yield* Journal.current)
    const record = { call: Entry.id() }
    const draft = yield* begin(caller)
    drafts.set(record, draft)
    let firstPartAt: number | undefined
    const witness: Witness | undefined =
      policy.values === "leave-out"
        ? undefined
        : (values) => {
            draft.values = values
          }

    const finish = (cause: Cause.Cause<unknown> | undefined): Effect.Effect<void, AuditError> =>
      Effect.suspend(() => {
        if (draft.finished) return Effect.void
        draft.finished = true
        const ended = {
          cause,
          events: journal.events(),
          firstPartAt,
          endedAt: Math.floor(clock.currentTimeMillisUnsafe())
        }
        const { facts, personal } = completion(draft, ended)
        const write = log.append({
          kind: "completion",
          call: record.call,
          tenant: caller.tenant,
          subject: caller.subject,
          facts,
          personal
        })
        const written =
          draft.request === undefined ? write : Effect.andThen(Effect.exit(Fiber.join(draft.request)), write)
        return Effect.asVoid(written)
      }).pipe(Effect.uninterruptible)

    const orContinue = (effect: Effect.Effect<unknown, AuditError>): Effect.Effect<unknown, AuditError> =>
      policy.onFailure === "continue" ? Effect.catch(effect, complain) : effect
    const finishQuietly = (cause: Cause.Cause<unknown>) => Effect.catch(finish(cause), complain)

    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const below = next(record).pipe(
          Effect.provideService(Journal.Journal, journal),
          Effect.provideService(Witness, witness)
        )
        const exit = yield* Effect.exit(restore(below))
        if (exit._tag === "Failure") {
          yield* finishQuietly(exit.cause)
          return yield* Effect.failCause(exit.cause)
        }
        const reply = exit.value
        firstPartAt = Math.floor(clock.currentTimeMillisUnsafe())
        // A whole reply is recorded in one go; a live one must not begin before there is anything of it on the disk.
        if (draft.request === undefined && reply._tag === "Live") yield* writeRequest(log, record.call, draft, {})
        if (draft.request !== undefined) {
          const durable = yield* Effect.exit(orContinue(Fiber.join(draft.request)))
          if (durable._tag === "Failure") {
            yield* finishQuietly(durable.cause)
            return yield* Effect.failCause(durable.cause)
          }
        }
        if (reply._tag === "Whole") {
          yield* orContinue(finish(undefined))
          return reply
        }
        const whole = Reply.mapLive(reply, (parts) => Stream.onEnd(parts, orContinue(finish(undefined))))
        return yield* Reply.onExit(whole, (ended) =>
          finishQuietly(ended._tag === "Failure" ? ended.cause : Cause.interrupt())
        )
      })
    )
  })
)

const capture = (answer: Answer, limit: number, part: Part.Part): void => {
  const text = part.type === "text" ? part.text : part.type === "text-delta" ? part.delta : ""
  if (text.length > 0) {
    answer.truncated ||= answer.text.length + text.length > limit
    answer.text = (answer.text + text).slice(0, limit)
  } else if (part.type === "tool-call") answer.toolCalls.push(part.name)
  else if (part.type === "finish") answer.finish = part
}

const promptOf = (prompt: Prompt.Prompt<SafeText>, draft: Draft, limit: number): PersonalSection => {
  let left = limit
  let truncated = false
  const messages = prompt.content.map((message) => {
    const text = Prompt.messageText(message)
    const kept = text.slice(0, left)
    left -= kept.length
    truncated ||= kept.length < text.length
    return { role: message.role, text: kept }
  })
  const shown = [...draft.values].filter(([placeholder]) => messages.some(({ text }) => text.includes(placeholder)))
  return {
    prompt: messages,
    ...(shown.length === 0 ? {} : { values: Object.fromEntries(shown) }),
    ...(truncated ? { truncated } : {})
  }
}

/**
 * Adds the redacted prompt and answer to the record that `audit` opened. Stands below `redact`, which adds the `SafePrompt` that it
 * needs; what it keeps of the answer is what the stages below replied, with placeholders in the place of values.
 *
 * @category stages
 * @since 0.1.0
 */
export const auditText = Stage.around<{ in: Part.Part; out: Part.Part }>()(
  "auditText",
  { needs: { record: AuditRecord, prompt: SafePrompt } },
  Effect.fnUntraced(function* ({ prompt, record }, next) {
    const log = yield* AuditLog
    const policy = yield* AuditPolicy
    const draft = drafts.get(record)
    if (draft === undefined) return yield* next()
    if (draft.request === undefined) {
      const request = yield* writeRequest(log, record.call, draft, promptOf(prompt, draft, policy.textLimit))
      if (policy.request === "before-call") {
        const durable = Fiber.join(request)
        yield* policy.onFailure === "continue" ? Effect.catch(durable, complain) : durable
      }
    }
    const answer: Answer = { text: "", truncated: false, toolCalls: [], finish: undefined }
    draft.answer = answer
    return Reply.map(yield* next(), (part) => {
      capture(answer, policy.textLimit, part)
      return part
    })
  })
)

/**
 * `redact` keeps personal data and secrets from everything below it: it replaces them in the prompt by placeholders, and puts the
 * values back into the reply on its way up, whole or live, in texts, reasoning, tool arguments and structured output.
 *
 * It takes `RawPrompt` away and adds `SafePrompt`, whose texts are `SafeText`; nothing else makes `SafeText`, so a cache, an
 * audit record or a model below cannot be reached by text that did not come through here. A detector or vault that fails refuses
 * the call.
 *
 * ```ts
 * import { Pipeline, Reply } from "@interlock/core"
 * import { Caller, Chat, Part, Prompt, RawPrompt, SafePrompt } from "@interlock/model"
 * import { redact } from "@interlock/stages/redact"
 * import { Detector } from "@interlock/stages/redact/detector"
 * import { Vault } from "@interlock/stages/redact/vault"
 * import { Context, Effect, Layer } from "effect"
 *
 * // A model that says what it saw.
 * const echo = Pipeline.handler("echo", { needs: { prompt: SafePrompt } }, ({ prompt }) =>
 *   Effect.succeed(Reply.whole(Part.text(`I see ${Prompt.text(prompt).length} characters: ${Prompt.text(prompt)}`))))
 *
 * const chat = Pipeline.make("chat", { input: [RawPrompt, Caller], protocol: Chat.protocol }).use(redact).to(echo)
 *
 * const facts = Context.merge(
 *   RawPrompt.context(Prompt.make("Write to alice.liddell@example.com")),
 *   Caller.context({ tenant: "acme" })
 * )
 * const answer = await Effect.runPromise(
 *   chat.run(facts).pipe(Effect.provide(Layer.mergeAll(Detector.layer, Vault.layerMemory)))
 * )
 * console.assert(answer.text === "I see 26 characters: Write to alice.liddell@example.com")
 * ```
 *
 * @since 0.1.0
 */
import { createHmac, randomBytes } from "node:crypto"
import { Reply, Stage } from "@interlock/core"
import {
  Caller,
  Journal,
  Parameters,
  type Part,
  type Prompt,
  RawPrompt,
  SafePrompt,
  type SafeText
} from "@interlock/model"
import { Cause, Context, Effect, Redacted, Schema, Stream } from "effect"
import { mapParameters } from "./internal/redact/parameters.ts"
import { secretField } from "./internal/redact/secrets.ts"
import { Detector, isSpan, merge, type Span } from "./redact/detector.ts"
import * as Placeholder from "./redact/placeholder.ts"
import { Policy, type Settings } from "./redact/policy.ts"
import { type Numbered, type Value, Vault, type VaultError } from "./redact/vault.ts"
import { Witness } from "./redact/witness.ts"

/**
 * A detector failed: nothing was sent.
 *
 * @category reasons
 * @since 0.1.0
 */
export class DetectorFailed extends Schema.TaggedClass<DetectorFailed>()("DetectorFailed", {
  detector: Schema.String
}) {}

/**
 * The vault failed: nothing was sent.
 *
 * @category reasons
 * @since 0.1.0
 */
export class VaultFailed extends Schema.TaggedClass<VaultFailed>()("VaultFailed", {}) {}

/**
 * The prompt holds a value of a type whose strategy is `refuse`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class RefusedType extends Schema.TaggedClass<RefusedType>()("RefusedType", { type: Schema.String }) {}

/**
 * The prompt holds a file and the policy does not let it through.
 *
 * @category reasons
 * @since 0.1.0
 */
export class RefusedFile extends Schema.TaggedClass<RefusedFile>()("RefusedFile", { mediaType: Schema.String }) {}

/**
 * The parameters hold a value where it cannot be replaced: in the name of a tool or of a property, in a pattern, in a number.
 *
 * @category reasons
 * @since 0.1.0
 */
export class RefusedParameter extends Schema.TaggedClass<RefusedParameter>()("RefusedParameter", {
  path: Schema.String,
  type: Schema.String
}) {}

/**
 * The policy's `hashKey` is too short to keep anything secret.
 *
 * @category reasons
 * @since 0.1.0
 */
export class WeakHashKey extends Schema.TaggedClass<WeakHashKey>()("WeakHashKey", { bytes: Schema.Number }) {}

/**
 * `redact` refused a call. The message holds no text of the prompt.
 *
 * @category errors
 * @since 0.1.0
 */
export class RedactError extends Schema.TaggedError<RedactError>()("RedactError", {
  reason: Schema.Union([DetectorFailed, VaultFailed, RefusedType, RefusedFile, RefusedParameter, WeakHashKey]),
  message: Schema.String
}) {}

/**
 * Replaces personal data and secrets below, and restores them above.
 *
 * Services: `Detector` finds, `Vault` numbers and remembers, the `Policy` reference says what happens to each type.
 *
 * @category stages
 * @since 0.1.0
 */
export const redact = Stage.around<{ in: Part.Part; out: Part.Part }>()(
  "redact",
  { needs: { prompt: RawPrompt, caller: Caller }, adds: SafePrompt, drops: RawPrompt },
  Effect.fnUntraced(function* ({ prompt, caller }, next) {
    const policy = yield* Policy
    const journal = yield* Journal.current
    const session = makeSession(caller, yield* Vault)
    const redacted = yield* redactPrompt(prompt, session, policy).pipe(Effect.tapError(refusal(journal, "redact")))
    journal?.append({ _tag: "Redaction", counts: redacted.counts })
    const witness = yield* Witness
    witness?.(session.values)
    const reply = yield* Effect.provideService(next(redacted.prompt), CurrentSession, session)
    return restoreReply(reply, session, policy)
  })
)

/**
 * Replaces personal data and secrets in the `Parameters` of a call: in what describes tools and schemas, in the values that schemas
 * name, in what stops the answer and in what only a provider knows. Values have the placeholders that they have in the prompt, and
 * `redact`, which stands above, restores them too.
 *
 * What cannot be changed without breaking the call (the name of a tool or a property, a pattern, a number) is looked at only, and
 * refuses the call if it holds a value, unless the policy's `fixed` lets it pass. Put it below `redact`, above whatever reads the
 * parameters. It needs not be there where the parameters are the application's own constants.
 *
 * ```ts
 * import { Pipeline } from "@interlock/core"
 * import { Caller, Chat, Parameters, RawPrompt } from "@interlock/model"
 * import { redact, redactParameters } from "@interlock/stages/redact"
 *
 * export const start = Pipeline.make("gateway", { input: [RawPrompt, Parameters, Caller], protocol: Chat.protocol })
 *   .use(redact)
 *   .use(redactParameters)
 * ```
 *
 * @category stages
 * @since 0.1.0
 */
export const redactParameters = Stage.derive(
  "redactParameters",
  { needs: { settings: Parameters, prompt: SafePrompt, caller: Caller }, adds: Parameters },
  Effect.fnUntraced(function* ({ settings, caller }) {
    const policy = yield* Policy
    const journal = yield* Journal.current
    const session = (yield* CurrentSession) ?? makeSession(caller, yield* Vault)
    const { settings: redacted, counts } = yield* redactSettings(settings, session, policy).pipe(
      Effect.tapError(refusal(journal, "redactParameters"))
    )
    if (Object.keys(counts).length > 0) journal?.append({ _tag: "Redaction", counts })
    return redacted
  })
)

const refusal = (journal: Journal.Journal | undefined, stage: string) => (error: RedactError) =>
  Effect.sync(() => journal?.append({ _tag: "Refusal", stage, reason: error.reason._tag }))

/** What one call knows of its values: `redact` makes it, and restores by it; stages below may add to it. */
interface Session {
  /** Numbers values; a value that the call had before keeps its number. */
  readonly assign: (values: ReadonlyArray<Value>) => Effect.Effect<ReadonlyArray<Numbered>, VaultError>
  readonly values: Map<string, string>
  /** What the strategy `hash` writes. */
  readonly hash: (policy: Settings, type: string, value: string) => string
  /** URLs of the redacted prompt that hold placeholders. */
  readonly urls: Set<string>
}

const CurrentSession: Context.Reference<Session | undefined> = Context.Reference("@interlock/stages/redact/Session", {
  defaultValue: (): Session | undefined => undefined
})

const makeSession = (caller: Caller["Service"], vault: Vault["Service"]): Session => {
  const { tenant, conversation } = caller
  const asked: Array<Value> = []
  let ownKey: Uint8Array | undefined
  return {
    values: new Map(),
    hash: ({ hashKey }, type, value) => {
      ownKey ??= randomBytes(32)
      return createHmac("sha256", hashKey === undefined ? ownKey : Redacted.value(hashKey))
        .update(JSON.stringify([tenant, type, value]))
        .digest("hex")
        .slice(0, 16)
    },
    urls: new Set(),
    assign: (values) => {
      if (conversation !== undefined) return vault.assign({ tenant, conversation }, values)
      // Without a conversation the vault forgets: all that was asked is asked again, in the same order.
      asked.push(...values)
      return vault.assign({ tenant }, asked)
    }
  }
}

interface RedactedPrompt {
  readonly prompt: Prompt.Prompt<SafeText>
  readonly counts: Counts
}
type Counts = { readonly [type: string]: number }

/** The one place where `SafeText` is made: only of texts whose spans were replaced just before. */
const safe = (text: string): SafeText => text as SafeText

const redactPrompt = Effect.fnUntraced(function* (
  prompt: Prompt.Prompt,
  session: Session,
  policy: Settings
): Effect.fn.Return<RedactedPrompt, RedactError, Detector> {
  const allowed = yield* allowFiles(prompt, policy)
  const texts = makeTexts()
  mapPrompt(allowed, (text, field) => {
    texts.add(text, field)
    return text
  })
  for (const { content } of allowed.content) {
    if (typeof content === "string") continue
    const parts: ReadonlyArray<{ readonly type: string; readonly text?: string }> = content
    for (const [i, { text, type }] of parts.entries()) {
      const next = parts[i + 1]
      if (type === "text" && next?.type === "text" && text && next.text) texts.neighbours.push([text, next.text])
    }
  }
  const { rewrite, counts } = yield* replace(texts, session, policy)
  const rewritten = mapPrompt(allowed, (text, field) => safe(rewrite(text, field)))
  return { prompt: rewritten, counts }
})

const redactSettings = Effect.fnUntraced(function* (
  settings: Parameters["Service"],
  session: Session,
  policy: Settings
): Effect.fn.Return<{ readonly settings: Parameters["Service"]; readonly counts: Counts }, RedactError, Detector> {
  const texts = makeTexts()
  const fixed = new Map<string, string>()
  mapParameters(settings, {
    text: (text, field) => {
      texts.add(text, field)
      return text
    },
    fixed: (text, path) => {
      if (text !== "" && !fixed.has(text)) fixed.set(text, path)
    }
  })
  if (policy.fixed === "refuse") {
    for (const [text, path] of fixed) {
      const spans = settle(text, "", yield* detect(text, policy), 0, policy)
      const span = spans.find(({ type }) => type !== Placeholder.literal)
      if (span === undefined) continue
      return yield* new RedactError({
        reason: new RefusedParameter({ path, type: span.type }),
        message: `The parameters hold a value of type ${span.type} in ${path}, which cannot be replaced there; take it out, or set the policy's \`fixed\` to "pass"`
      })
    }
  }
  const { rewrite, counts } = yield* replace(texts, session, policy)
  const pass = () => {}
  return { settings: mapParameters(settings, { text: rewrite, fixed: pass }), counts }
})

interface Texts {
  /** Texts that follow each other as parts of one message: a value may be cut between them. */
  readonly neighbours: Array<readonly [text: string, next: string]>
  readonly all: Map<string, { readonly text: string; readonly field: string; spans: ReadonlyArray<Span> }>
  readonly add: (text: string, field: string) => void
}

const makeTexts = (): Texts => {
  const all: Texts["all"] = new Map()
  return {
    neighbours: [],
    all,
    add: (text, field) => {
      if (text !== "") all.set(`${field}\0${text}`, { text, field, spans: [] })
    }
  }
}

/** What fails, and what breaks too, refuses the call; the cause goes no further, since it may hold the text. */
const orRefuse = <A, E, R>(run: () => Effect.Effect<A, E, R>, refusal: (error: E | undefined) => RedactError) =>
  Effect.catchCause(Effect.suspend(run), (cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.interrupt
      : Effect.fail(refusal(cause.reasons.find(Cause.isFailReason)?.error))
  )

const detect = Effect.fnUntraced(function* (text: string, policy: Settings) {
  const detector = yield* Detector
  const failed = () =>
    new RedactError({
      reason: new DetectorFailed({ detector: detector.name }),
      message: `The detector "${detector.name}" failed, so the call was refused and nothing was sent; see its own log, or take it out of the layer`
    })
  const spans = yield* orRefuse(() => detector.detect(text, { minimumConfidence: policy.minimumConfidence }), failed)
  return spans.every((span) => isSpan(span, text)) ? spans : yield* failed()
})

/** First every text is scanned, then all values are numbered at once; the answer writes a text anew. */
const replace = Effect.fnUntraced(function* (
  texts: Texts,
  session: Session,
  policy: Settings
): Effect.fn.Return<
  { readonly rewrite: (text: string, field: string) => string; readonly counts: Counts },
  RedactError,
  Detector
> {
  for (const each of texts.all.values()) {
    const lead = each.field === "" ? "" : `${each.field}: `
    each.spans = settle(each.text, each.field, yield* detect(lead + each.text, policy), lead.length, policy)
  }
  for (const [text, next] of texts.neighbours) {
    const before = text.slice(-reach)
    for (const span of yield* detect(before + next.slice(0, reach), policy)) {
      if (span.start >= before.length || span.end <= before.length) continue
      cut(texts, text, { ...span, start: text.length - before.length + span.start, end: text.length }, policy)
      cut(texts, next, { ...span, start: 0, end: span.end - before.length }, policy)
    }
  }
  const counts: { [type: string]: number } = {}
  const wanted = new Map<string, Value>()
  for (const { text, spans } of texts.all.values()) {
    for (const { start, end, type } of spans) {
      const strategy = strategyOf(policy, type)
      if (strategy === "refuse") {
        return yield* new RedactError({
          reason: new RefusedType({ type }),
          message: `The call holds a value of type ${type}, which the policy refuses; take it out, or give the type another strategy`
        })
      }
      if (strategy === "hash" && policy.hashKey !== undefined) {
        const bytes = Buffer.byteLength(Redacted.value(policy.hashKey))
        if (bytes < shortestKey) {
          return yield* new RedactError({
            reason: new WeakHashKey({ bytes }),
            message: `The policy's hashKey has ${bytes} bytes, and whoever guesses it finds what was hashed; give it at least ${shortestKey} random ones, or leave it out for a key that each call makes`
          })
        }
      }
      if (type !== Placeholder.literal) counts[type] = (counts[type] ?? 0) + 1
      const value = text.slice(start, end)
      if (strategy === "placeholder") wanted.set(`${type}\0${value}`, { type, value })
    }
  }
  const numbered = yield* orRefuse(
    () => session.assign([...wanted.values()]),
    (error) =>
      new RedactError({
        reason: new VaultFailed(),
        message: `The vault failed, so the call was refused and nothing was sent: ${error?.message ?? "it broke"}`
      })
  )
  const placeholders = new Map<string, string>()
  for (const { type, value, number } of numbered) {
    const placeholder = Placeholder.format(policy.shape, type, number)
    session.values.set(placeholder, value)
    placeholders.set(`${type}\0${value}`, placeholder)
  }
  const rewrite = (text: string, field: string): string => {
    let out = ""
    let at = 0
    for (const { start, end, type } of texts.all.get(`${field}\0${text}`)?.spans ?? []) {
      out += text.slice(at, start)
      const value = text.slice(start, end)
      out += placeholders.get(`${type}\0${value}`) ?? irreversible(session, policy, type, value)
      at = end
    }
    out += text.slice(at)
    for (const url of Placeholder.urlsOf(out, policy.shape)) session.urls.add(url)
    return out
  }
  return { rewrite, counts }
})

/** The fewest bytes of a key for hashes. */
const shortestKey = 16

/** How much of two texts that follow each other is looked at together. */
const reach = 512

/** Adds a piece of a value that the text and its neighbour share. */
const cut = (texts: Texts, text: string, span: Span, policy: Settings): void => {
  const entry = texts.all.get(`\0${text}`)
  const type = typeName(span.type)
  if (entry !== undefined && strategyOf(policy, type) !== "keep")
    entry.spans = merge([...entry.spans, { ...span, type }])
}

const strategyOf = (policy: Settings, type: string) =>
  type === Placeholder.literal ? "placeholder" : (policy.strategies[type] ?? "placeholder")

/** One word, or a phrase of a few. */
const secretValue = /^\S{3,65536}$|^\S{1,64}(?: \S{1,64}){1,7}$/

/** The spans of a text, from those of the text with its field's name before it: merged, kept ones out, look-alikes in. */
const settle = (
  text: string,
  field: string,
  found: ReadonlyArray<Span>,
  lead: number,
  policy: Settings
): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  for (const span of found) {
    const start = Math.max(0, span.start - lead)
    const end = Math.min(text.length, span.end - lead)
    const type = typeName(span.type)
    if (end > start && strategyOf(policy, type) !== "keep")
      spans.push({ start, end, type, confidence: span.confidence })
  }
  if (secretField.test(field) && secretValue.test(text) && strategyOf(policy, "SECRET") !== "keep") {
    spans.push({ start: 0, end: text.length, type: "SECRET", confidence: 0.9 })
  }
  const open = policy.shape.open
  for (let at = text.indexOf(open); at >= 0; at = text.indexOf(open, at + open.length)) {
    spans.push({ start: at, end: at + open.length, type: Placeholder.literal, confidence: 0 })
  }
  return merge(spans)
}

const typeName = (type: string): string => {
  const name = type.toUpperCase().replace(/[^A-Z0-9]+/g, "_")
  return /^[A-Z]/.test(name) && name !== Placeholder.literal ? name.slice(0, 48) : `TYPE_${name.slice(0, 43)}`
}

const irreversible = (session: Session, policy: Settings, type: string, value: string): string => {
  switch (strategyOf(policy, type)) {
    case "hash":
      return `[${type}:${session.hash(policy, type, value)}]`
    case "mask":
      return "*".repeat(value.length)
    default:
      return ""
  }
}

const allowFiles = (prompt: Prompt.Prompt, policy: Settings): Effect.Effect<Prompt.Prompt, RedactError> => {
  const hasFiles = prompt.content.some(
    (message) => typeof message.content !== "string" && message.content.some((part) => part.type === "file")
  )
  if (!hasFiles || policy.files === "pass") return Effect.succeed(prompt)
  const ask = policy.files
  const refuse = (file: Prompt.FilePart) =>
    new RedactError({
      reason: new RefusedFile({ mediaType: file.mediaType }),
      message: `The prompt holds a file of type ${file.mediaType}, which the policy does not let through; take it out, or set \`files\` to "pass" or to a function that looks into it`
    })
  const allow = (file: Prompt.FilePart): Effect.Effect<Prompt.FilePart, RedactError> =>
    ask === "refuse"
      ? Effect.fail(refuse(file))
      : Effect.flatMap(
          orRefuse(
            () => ask(file),
            () => refuse(file)
          ),
          (answer) => (answer === undefined ? Effect.fail(refuse(file)) : Effect.succeed(answer))
        )
  return Effect.map(
    Effect.forEach(prompt.content, (message) =>
      typeof message.content === "string" || message.role === "tool"
        ? Effect.succeed(message)
        : Effect.map(
            Effect.forEach(message.content as ReadonlyArray<{ readonly type: string }>, (part) =>
              part.type === "file" ? allow(part as Prompt.FilePart) : Effect.succeed(part)
            ),
            (content) => ({ ...message, content }) as unknown as Prompt.Message
          )
    ),
    (content) => ({ content })
  )
}

/** Writes every text of a prompt anew, those in tool calls, results and options included; the shape stays. */
const mapPrompt = <Text extends string>(
  prompt: Prompt.Prompt,
  f: (text: string, field: string) => Text
): Prompt.Prompt<Text> => {
  const deep = (value: unknown, field: string): unknown => {
    if (typeof value === "string") return f(value, field)
    if (typeof value === "number" || typeof value === "bigint") {
      const text = String(value)
      // Short numbers say nothing, unless their field does: a PIN.
      if (text.length < (secretField.test(field) ? 3 : 6)) return value
      const written: string = f(text, field)
      return written === text ? value : written
    }
    if (Array.isArray(value)) return value.map((each) => deep(each, field))
    if (typeof value !== "object" || value === null) return value
    if ("toJSON" in value && typeof value.toJSON === "function") return deep(value.toJSON(), field)
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [
        f(key, ""),
        deep(each, /^[\p{L}_][\p{L}\p{N}_ -]{0,40}$/u.test(key) ? key : "")
      ])
    )
  }
  const withOptions = <P extends { readonly options?: unknown }>(part: P): P =>
    part.options === undefined ? part : { ...part, options: deep(part.options, "") }
  const mapPart = (part: Exclude<Prompt.Message["content"], string>[number]): unknown => {
    const kept = withOptions(part)
    switch (kept.type) {
      case "text":
      case "reasoning":
        return { ...kept, text: f(kept.text, "") }
      case "file":
        return kept.fileName === undefined ? kept : { ...kept, fileName: f(kept.fileName, "") }
      case "tool-call":
        return { ...kept, params: deep(kept.params, "") }
      case "tool-result":
        return {
          ...kept,
          result: deep(kept.result, ""),
          ...(kept.modelOutput === undefined ? {} : { modelOutput: kept.modelOutput.map(mapPart) })
        }
      case "tool-approval-response":
        return kept.reason === undefined ? kept : { ...kept, reason: f(kept.reason, "") }
      default:
        return kept
    }
  }
  return {
    content: prompt.content.map((message) => {
      const kept = withOptions(message)
      const content = typeof kept.content === "string" ? f(kept.content, "") : kept.content.map(mapPart)
      return { ...kept, content } as Prompt.Message<Text>
    })
  }
}

const restoreReply = <E>(
  reply: Reply.Reply<Part.Part, E>,
  redacted: Session,
  policy: Settings
): Reply.Reply<Part.Part, E> => {
  if (redacted.values.size === 0) return reply
  return reply._tag === "Whole"
    ? Reply.whole(reply.parts.map((part) => restorePart(part, redacted, policy)))
    : Reply.live(
        Stream.mapAccum(
          reply.parts,
          () => makePieces(redacted, policy),
          (pieces, part) => [pieces, pieces.next(part)] as const,
          { onHalt: (pieces) => pieces.flush() }
        )
      )
}

const optionsOf = (
  redacted: Session,
  policy: Settings,
  mode: "text" | "json" | "auto"
): Placeholder.RestorerOptions => ({
  shape: policy.shape,
  mode,
  lookup: (placeholder) => redacted.values.get(placeholder),
  restoreInUrl: (soFar) =>
    policy.restore.urls === "always" ||
    (policy.restore.urls === "known" && [...redacted.urls].some((url) => url.startsWith(soFar)))
})

const restorePart = (part: Part.Part, redacted: Session, policy: Settings): Part.Part => {
  const text = (value: string, mode: "text" | "json" | "auto") =>
    Placeholder.restore(value, optionsOf(redacted, policy, mode))
  const deep = (value: unknown): unknown => {
    if (typeof value === "string") return text(value, "text")
    if (Array.isArray(value)) return value.map(deep)
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [text(key, "text"), deep(each)]))
  }
  switch (part.type) {
    case "text":
    case "reasoning":
      return { ...part, text: text(part.text, "auto") }
    case "tool-call":
      if (!policy.restore.toolArguments) return part
      return { ...part, params: typeof part.params === "string" ? text(part.params, "json") : deep(part.params) }
    case "tool-result":
      return { ...part, result: deep(part.result) } as Part.Part
    case "source":
      return part.sourceType === "url"
        ? { ...part, url: text(part.url, "text"), title: text(part.title, "text") }
        : { ...part, title: text(part.title, "text") }
    default:
      return part
  }
}

/** Restores the parts of one live reply, each text, reasoning and tool call by its own restorer. */
const makePieces = (redacted: Session, policy: Settings) => {
  type Delta = Extract<Part.Part, { readonly delta: string }>
  const open = new Map<string, { readonly restorer: Placeholder.Restorer; last: Delta }>()
  const kindOf = (type: string) => type.slice(0, type.lastIndexOf("-"))
  const close = (key: string): ReadonlyArray<Part.Part> => {
    const entry = open.get(key)
    open.delete(key)
    const rest = entry?.restorer.end() ?? ""
    return entry === undefined || rest === "" ? [] : [{ type: entry.last.type, id: entry.last.id, delta: rest }]
  }
  const flush = (): ReadonlyArray<Part.Part> => [...open.keys()].flatMap(close)
  return {
    flush,
    next: (part: Part.Part): ReadonlyArray<Part.Part> => {
      switch (part.type) {
        case "text-delta":
        case "reasoning-delta":
        case "tool-params-delta": {
          if (part.type === "tool-params-delta" && !policy.restore.toolArguments) return [part]
          const key = `${kindOf(part.type)}:${part.id}`
          let entry = open.get(key)
          if (entry === undefined) {
            const mode = part.type === "tool-params-delta" ? "json" : "auto"
            entry = { restorer: Placeholder.makeRestorer(optionsOf(redacted, policy, mode)), last: part }
            open.set(key, entry)
          }
          entry.last = part
          const delta = entry.restorer.push(part.delta)
          return delta === "" && part.metadata === undefined ? [] : [{ ...part, delta }]
        }
        case "text-end":
        case "reasoning-end":
        case "tool-params-end":
          return [...close(`${kindOf(part.type)}:${part.id}`), part]
        case "finish":
          return [...flush(), part]
        default:
          return [restorePart(part, redacted, policy)]
      }
    }
  }
}

/**
 * The cheapest call is the one not made: `cache` answers a call from a stored reply to an equal one, lets concurrent equal calls
 * share one, and, where a `SemanticTier` is provided and has earned its threshold, answers a question from the reply to one
 * that means the same.
 *
 * It stands below `redact`, so what it stores holds placeholders and never a personal value, and its key holds everything
 * that can change the answer: tenant (and subject where the policy says so), model, parameters with tools and response
 * format, the whole safe prompt, the policy's version and epoch. A store that fails costs a miss, never a call.
 *
 * `Lease`, `SemanticTier` and `AnswerJudge` are used where they are provided.
 *
 * @since 0.1.0
 */
import { Reply, Stage } from "@interlock/core"
import {
  Caller,
  Chat,
  ChosenModel,
  Cost,
  Journal,
  ModelError,
  Parameters,
  Part,
  Prompt,
  SafePrompt
} from "@interlock/model"
import {
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Metric,
  Option,
  Random,
  Schedule,
  Schema,
  type Scope,
  Stream
} from "effect"
import { decode, type Entry, encode } from "./cache/entry.ts"
import { canonicalHash } from "./cache/key.ts"
import { Lease } from "./cache/lease.ts"
import { CachePolicy, type Call, forCall, type Policy } from "./cache/policy.ts"
import { AnswerJudge, answerDigest, type Decision, type Question, SemanticTier } from "./cache/semantic.ts"
import { CacheStore, type CacheStoreError } from "./cache/store.ts"
import { type Flight, join, type Sink } from "./internal/singleFlight.ts"

/**
 * How often each outcome was seen: exact, semantic, coalesced, stale, bypass, miss, failed (the store did), corrupt.
 *
 * @category metrics
 * @since 0.1.0
 */
export const outcomes: Metric.Frequency = Metric.frequency("interlock_cache_outcomes", {
  description: "Cache outcomes: exact, semantic, coalesced, stale, bypass, miss, failed, corrupt"
})

/**
 * The upper bound on wrong answers among semantic hits, by class of traffic; 1 while the tier is off.
 *
 * @category metrics
 * @since 0.1.0
 */
export const wrongHitBound: Metric.Gauge<number> = Metric.gauge("interlock_cache_semantic_wrong_bound", {
  description: "Upper Clopper-Pearson bound on wrong answers among semantic hits"
})

/**
 * The exact key of a call under a policy: 46 characters that a `CacheStore` takes. Conversations have no name of a protocol.
 *
 * @category keys
 * @since 0.1.0
 */
export const keyOf = (call: Call, policy: Policy, epoch: string, protocol = ""): string =>
  `c1:${canonicalHash(scopeOf(call, policy, epoch, protocol, call.prompt))}`

const scopeOf = (call: Call, policy: Policy, epoch: string, protocol: string | undefined, prompt: Prompt.Prompt) => ({
  tenant: call.caller.tenant,
  subject: forCall(policy.perSubject, call) ? (call.caller.subject ?? null) : undefined,
  provider: call.model.provider,
  model: call.model.model,
  parameters: call.parameters,
  prompt,
  version: forCall(policy.version, call),
  epoch,
  protocol: protocol === "" ? undefined : protocol
})

const tagOf = (kind: "tenant" | "epoch" | "tag", name: string) => `${kind}:${canonicalHash(name).slice(0, 22)}`

const tagsOf = (call: Call, policy: Policy, epoch: string) => [
  tagOf("tenant", call.caller.tenant),
  tagOf("epoch", epoch),
  ...forCall(policy.tags, call).map((tag) => tagOf("tag", tag))
]

/**
 * Forgets every entry of a tag, a tenant or an epoch, and those that are being fetched now.
 *
 * @category invalidation
 * @since 0.1.0
 */
export const invalidate = (
  what: { readonly tag: string } | { readonly tenant: string } | { readonly epoch: string }
): Effect.Effect<void, CacheStoreError, CacheStore> =>
  CacheStore.use((store) =>
    store.invalidate(
      "tag" in what
        ? tagOf("tag", what.tag)
        : "tenant" in what
          ? tagOf("tenant", what.tenant)
          : tagOf("epoch", what.epoch)
    )
  )

/**
 * Stores the reply to a call under its exact key, as if the call had been made here; what the batch API brings home lands in
 * the cache this way. Nothing is stored where the policy would not, or when the reply has no proper end.
 *
 * @category constructors
 * @since 0.1.0
 */
export const remember = Effect.fnUntraced(function* (
  call: Call,
  parts: ReadonlyArray<Part.Part>,
  options: { readonly costUsd?: number } = {}
): Effect.fn.Return<void, CacheStoreError, CacheStore> {
  const policy = yield* CachePolicy
  if (mustBypass(call, policy) || !isComplete(parts)) return
  const store = yield* CacheStore
  const epoch = yield* policy.epoch
  const stamp = yield* store.stamp(tagsOf(call, policy, epoch))
  yield* write(store, call, policy, epoch, keyOf(call, policy, epoch), stamp, { live: false, parts, ...options })
})

const mustBypass = (call: Call, policy: Policy): boolean => {
  const { temperature } = call.parameters
  const sampled =
    policy.sampled === "always" || temperature === 0 || (policy.sampled === "unset" && temperature === undefined)
  return !sampled || policy.bypass(call)
}

/** Whether the model said all it had to say: the last part is a finish, and it was neither cut nor refused. */
const isComplete = (parts: ReadonlyArray<Part.Part>): boolean => {
  const last = parts.at(-1)
  return (
    last?.type === "finish" &&
    (last.reason === "stop" || last.reason === "tool-calls") &&
    !parts.some((part) => part.type === "error")
  )
}

const longest = 10 * 365 * 86_400_000

const write = Effect.fnUntraced(function* (
  store: CacheStore["Service"],
  call: Call,
  policy: Policy,
  epoch: string,
  key: string,
  stamp: string,
  what: Pick<Entry, "live" | "parts" | "costUsd" | "error">,
  lifetime?: Duration.Input
) {
  const asked = Duration.toMillis(lifetime ?? forCall(policy.timeToLive, call))
  // For ever is ten years: what is stored needs a number.
  const fresh = Math.min(asked, longest) * (1 - policy.jitter * (yield* Random.next))
  if (!(fresh > 0)) return
  const storedAt = yield* Clock.currentTimeMillis
  const stale = lifetime === undefined ? Math.min(Duration.toMillis(policy.staleFor), longest) : 0
  yield* store.set(key, encode(key, { storedAt, freshUntil: storedAt + fresh, ...what }), {
    timeToLive: Duration.millis(fresh + stale),
    tags: tagsOf(call, policy, epoch),
    stamp
  })
})

/** Reads an entry; one that is not what was written is removed. */
const read = Effect.fnUntraced(function* (store: CacheStore["Service"], key: string) {
  const stored = yield* store.get(key)
  if (stored === undefined) return undefined
  const entry = decode(key, stored)
  if (entry === undefined) {
    yield* Metric.update(outcomes, "corrupt")
    yield* Effect.ignore(store.remove(key))
  }
  return entry
})

/** The text of a lone question that the semantic tier may look at: no history, no files, no tools. */
const loneQuestion = (call: Call): string | undefined => {
  if ((call.parameters.tools?.length ?? 0) > 0) return undefined
  const messages = call.prompt.content
  const last = messages.at(-1)
  if (
    last?.role !== "user" ||
    messages.some((message, index) => index < messages.length - 1 && message.role !== "system")
  ) {
    return undefined
  }
  if (typeof last.content !== "string" && last.content.some((part) => part.type !== "text")) return undefined
  return Prompt.messageText(last)
}

const questionOf = (call: Call, policy: Policy, epoch: string, protocol: string): Question | undefined => {
  const text = loneQuestion(call)
  if (text === undefined || text.trim() === "") return undefined
  const last = call.prompt.content.at(-1)!
  // Everything but the question's own words, provider options included, must be equal.
  const silent = typeof last.content === "string" ? "" : last.content.map((part) => ({ ...part, text: "" }))
  const around: Prompt.Prompt = {
    content: [...call.prompt.content.slice(0, -1), { ...last, content: silent } as Prompt.Message]
  }
  return {
    partition: canonicalHash(scopeOf(call, policy, epoch, protocol, around)),
    traffic: policy.traffic(call),
    text
  }
}

type AnyFlight = Flight<Part.Part, any>
const flightsOf = new WeakMap<object, Map<string, AnyFlight>>()
const flightsFor = (store: object) => {
  let flights = flightsOf.get(store)
  if (flights === undefined) {
    flights = new Map()
    flightsOf.set(store, flights)
  }
  return flights
}

/** The keys whose work the present fiber does: a cache below another must not wait for itself. */
const Flying: Context.Reference<ReadonlySet<string>> = Context.Reference("@interlock/stages/cache/Flying", {
  defaultValue: (): ReadonlySet<string> => new Set()
})

type Outcome = Extract<Journal.Event, { readonly _tag: "Cache" }>["outcome"]

const note = (outcome: Outcome, more: { readonly ageMs?: number; readonly savedUsd?: number } = {}) =>
  Effect.andThen(Metric.update(outcomes, outcome), Journal.record({ _tag: "Cache", outcome, ...more }))

/** The finish of a reply that this caller did not pay for. Where another caller stood with limits and budgets is not for it. */
const unpaid = (finish: Part.FinishPart, model: Call["model"], said: { readonly [key: string]: unknown }) => {
  const { interlock: _, ...metadata } = finish.metadata ?? {}
  const { budgets, limits, ...kept } = Part.interlock(finish)
  const answer = Part.annotate({ ...finish, metadata }, kept)
  return Part.annotate(Cost.annotateSaved(answer, model), { costUsd: 0, ...said })
}

/** A stored entry as a reply: it costs nothing, and says how old it is and what it saved. */
const replay = Effect.fnUntraced(function* (
  entry: Entry,
  model: Call["model"],
  outcome: "exact" | "semantic" | "stale",
  more: { readonly score?: number } = {}
): Effect.fn.Return<Reply.Reply<Part.Part>, ModelError.ModelError> {
  const ageMs = Math.max(0, (yield* Clock.currentTimeMillis) - entry.storedAt)
  const saved = entry.costUsd === undefined ? {} : { savedUsd: entry.costUsd }
  yield* note(outcome, { ageMs, ...saved })
  if (entry.error !== undefined) return yield* Schema.decodeUnknownSync(ModelError.ModelError)(entry.error)
  const parts = entry.parts.map((part) =>
    part.type === "finish" ? unpaid(part, model, { ...saved, cache: { outcome, ageMs, ...more } }) : part
  )
  return entry.live ? Reply.live(Stream.fromIterable(parts)) : Reply.whole(parts)
})

/**
 * The stage: answers from the cache, or makes the call once for everybody who asks for it now and stores the reply.
 *
 * A hit's finish part says so in `metadata.interlock`: `costUsd: 0` and `cost` of 0, `savedUsd` (all tries of the call that
 * made the reply) and `savedCost` (its last one's `cost`), and `cache` with its outcome and age. A caller who shared the call
 * of another one paid nothing either. The journal gets one `Cache` event per call.
 *
 * @category stages
 * @since 0.1.0
 */
export const cache = Stage.around<{ in: Part.Part; handles: ModelError.ModelError }>()(
  "cache",
  { needs: { caller: Caller, model: ChosenModel, parameters: Parameters, prompt: SafePrompt } },
  Effect.fnUntraced(function* (call, next) {
    const policy = yield* CachePolicy
    const flying = yield* Flying
    const store = yield* CacheStore
    if (mustBypass(call, policy)) {
      yield* note("bypass")
      return yield* next()
    }
    const epoch = yield* policy.epoch
    const protocol = yield* Reply.Protocol
    const key = keyOf(call, policy, epoch, protocol)
    if (flying.has(key)) return yield* next()

    const found = yield* Effect.exit(read(store, key))
    const entry = Exit.isSuccess(found) ? found.value : undefined
    const now = yield* Clock.currentTimeMillis
    if (entry !== undefined && now < entry.freshUntil) return yield* replay(entry, call.model, "exact")

    const question = questionOf(call, policy, epoch, protocol)
    const tier = question === undefined ? Option.none() : yield* Effect.serviceOption(SemanticTier)
    const decision =
      entry === undefined && Option.isSome(tier) && question !== undefined
        ? Option.getOrUndefined(yield* Effect.option(tier.value.decide(question)))
        : undefined
    if (decision?._tag === "serve" && Option.isSome(tier) && question !== undefined) {
      const near = Option.getOrUndefined(yield* Effect.option(read(store, decision.match.key)))
      if (near !== undefined && near.error === undefined && now < near.freshUntil) {
        return yield* replay(near, call.model, "semantic", { score: decision.match.score })
      }
      yield* Effect.ignore(tier.value.forget(question, decision.match))
    }

    // Whether this caller's own call is made: not another one's who asks the same now, nor one that was stored meanwhile.
    let own = false
    const work = (sink: Sink<Part.Part>) => {
      own = true
      const shared = () => {
        own = false
      }
      const stored = Exit.isSuccess(found)
      return Effect.scoped(
        makeCall({ call, policy, epoch, key, store, stored, flying, question, decision, next: next(), sink, shared })
      )
    }
    const flights = flightsFor(store)
    if (entry !== undefined) {
      yield* Effect.forkDetach(
        Effect.ignoreCause(Effect.scoped(Effect.flatMap(join(flights, key, work), Reply.collect)))
      )
      return yield* replay(entry, call.model, "stale")
    }
    // What a stage below refuses to the caller who makes the call, such as for its limits, is no answer to the others: the next
    // of them makes it, and then each its own.
    const ofAnother = (error: unknown) => !own && !Schema.is(ModelError.ModelError)(error)
    const reply = yield* join(flights, key, work).pipe(
      Effect.catchIf(ofAnother, () => join(flights, key, work)),
      Effect.catchIf(ofAnother, () => join(new Map(), key, work)),
      Effect.onExit((exit) =>
        note(!own && Exit.isSuccess(exit) ? "coalesced" : Exit.isSuccess(found) ? "miss" : "failed")
      )
    )
    return own
      ? reply
      : Reply.map(reply, (part) =>
          part.type === "finish" ? unpaid(part, call.model, { cache: { outcome: "coalesced" } }) : part
        )
  })
)

interface Work<E> {
  readonly call: Call
  readonly policy: Policy
  readonly epoch: string
  readonly key: string
  readonly store: CacheStore["Service"]
  /** Whether the store answered; where it did not, it is not asked again for this call. */
  readonly stored: boolean
  readonly flying: ReadonlySet<string>
  readonly question: Question | undefined
  readonly decision: Decision | undefined
  readonly next: Effect.Effect<Reply.Reply<Part.Part, E>, E, Scope.Scope>
  readonly sink: Sink<Part.Part>
  /** Called when the reply came from the store after all. */
  readonly shared: () => void
}

/** Makes the call, puts its reply into the sink as it comes, and stores it when it is complete. */
const makeCall = Effect.fnUntraced(function* <E>(work: Work<E>) {
  const { call, epoch, key, policy, sink, store } = work
  const stamp = work.stored ? yield* Effect.option(store.stamp(tagsOf(call, policy, epoch))) : Option.none()
  const look = Effect.orElseSucceed(read(store, key), () => undefined)
  const isAnswer = (entry: Entry | undefined) =>
    Effect.map(
      Clock.currentTimeMillis,
      (now) => entry !== undefined && entry.error === undefined && now < entry.freshUntil
    )
  if (Option.isSome(stamp)) yield* takeLease(key, policy, Effect.flatMap(look, isAnswer))
  // Between the first look and now, another caller here or the holder of the lease may have stored the reply.
  const entry = Option.isSome(stamp) ? yield* look : undefined
  if (entry !== undefined && (yield* isAnswer(entry))) {
    work.shared()
    if (entry.live) sink.begin()
    sink.push(entry.parts)
    return
  }
  const outer = yield* Journal.current
  const own = Journal.make()
  const journal: Journal.Journal = {
    append: (event) => {
      own.append(event)
      outer?.append(event)
    },
    events: () => (outer ?? own).events()
  }
  const parts: Array<Part.Part> = []
  const make = Effect.gen(function* () {
    const reply = yield* work.next
    if (reply._tag === "Whole") {
      for (const part of reply.parts) parts.push(part)
      return false
    }
    sink.begin()
    yield* Stream.runForEachArray(reply.parts, (chunk) =>
      Effect.sync(() => {
        for (const part of chunk) parts.push(part)
        sink.push(chunk)
      })
    )
    return true
  }).pipe(
    Effect.provideService(Journal.Journal, journal),
    Effect.provideService(Flying, new Set([...work.flying, key]))
  )
  const live = yield* Effect.tapError(make, (error) => {
    if (!Option.isSome(stamp) || !Schema.is(ModelError.ModelError)(error)) return Effect.void
    const lifetime = policy.errors[error.reason._tag]
    // An answer that may still be served, stale as it is, is better than an error.
    if (lifetime === undefined || parts.length > 0 || (entry !== undefined && entry.error === undefined)) {
      return Effect.void
    }
    const encoded = Schema.encodeUnknownSync(ModelError.ModelError)(error)
    return Effect.ignore(
      write(store, call, policy, epoch, key, stamp.value, { live: false, parts: [], error: encoded }, lifetime)
    )
  })
  if (Option.isSome(stamp) && isComplete(parts)) {
    const cost = Journal.cost(own)
    const known = own.events().some((event) => event._tag === "Attempt") && cost.complete
    const what = { live, parts, ...(known ? { costUsd: cost.usd } : {}) }
    const stored = yield* Effect.exit(write(store, call, policy, epoch, key, stamp.value, what))
    if (Exit.isFailure(stored)) yield* Metric.update(outcomes, "failed")
    else yield* learn(work, parts)
  }
  if (!live) sink.push(parts)
})

/** The longest that a judge may take: nobody waits for it, and nobody else would end it. */
const judging = Duration.minutes(10)

/** Tells the semantic tier of the new entry, and has the shadowed match judged without making the caller wait. */
const learn = Effect.fnUntraced(function* <E>(work: Work<E>, parts: ReadonlyArray<Part.Part>) {
  const { decision, key, question, store } = work
  const tier = yield* Effect.serviceOption(SemanticTier)
  if (Option.isNone(tier) || question === undefined || decision === undefined) return
  const answer = parts.reduce(Chat.protocol.append, Chat.protocol.empty())
  if (answer.text === "" || answer.toolCalls.length > 0 || answer.files.length > 0) return
  const digest = answerDigest(answer.text)
  yield* Effect.ignore(tier.value.remember(question, { key, answer: digest, vector: decision.vector }))
  if (decision._tag !== "shadow") return
  const judge = yield* Effect.serviceOption(AnswerJudge)
  if (Option.isNone(judge)) return
  const { match } = decision
  yield* Effect.forkDetach(
    Effect.ignoreCause(
      Effect.gen(function* () {
        const cached = yield* read(store, match.key)
        if (cached === undefined || cached.error !== undefined) return yield* tier.value.forget(question, match)
        const before = cached.parts.reduce(Chat.protocol.append, Chat.protocol.empty())
        const right = yield* Effect.timeout(judge.value.same(question.text, before.text, answer.text), judging)
        yield* tier.value.judged(question, match, digest, right)
        const { bound } = yield* tier.value.certificate(question.traffic)
        yield* Metric.update(Metric.withAttributes(wrongHitBound, { traffic: question.traffic }), bound)
      })
    )
  )
})

/**
 * Takes the lease for the rest of the scope. Where another process has it, waits for that one to store the answer; where that one died
 * or has none, one of those who wait takes over, and the others wait for that one, too, but for no third.
 */
const takeLease = Effect.fnUntraced(function* <R>(
  key: string,
  policy: Policy,
  stored: Effect.Effect<boolean, never, R>
) {
  const service = yield* Effect.serviceOption(Lease)
  if (Option.isNone(service)) return
  const lease = service.value
  const timeToLive = Duration.fromInputUnsafe(policy.leaseFor)
  // A lease that fails is no reason not to make the call.
  const take = Effect.acquireRelease(
    Effect.orElseSucceed(lease.acquire(key, { timeToLive }), () => ""),
    (token) => (token ? Effect.ignore(lease.release(key, token)) : Effect.void)
  )
  let token = yield* take
  const atMost = Duration.fromInputUnsafe(policy.waitFor)
  for (let holder = 1; token === undefined && holder <= 2; holder++) {
    const since = yield* Clock.currentTimeMillis
    yield* Effect.ignore(lease.awaitRelease(key, { atMost }))
    if (yield* stored) return
    token = yield* take
    // A holder that lives and is slow is not waited for twice.
    if ((yield* Clock.currentTimeMillis) - since >= Duration.toMillis(atMost)) break
  }
  if (token) {
    const held = token
    yield* Effect.forkScoped(
      Effect.repeat(
        Effect.ignore(lease.extend(key, held, { timeToLive })),
        Schedule.spaced(Duration.millis(Duration.toMillis(timeToLive) / 3))
      )
    )
  }
})

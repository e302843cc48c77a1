/**
 * One try of one model, priced, and written into the journal however it ends: answered, failed or interrupted.
 *
 * With a `Catalogue` in the context, the try has a cost: in the journal's `Attempt`, and in the finish part's
 * `metadata.interlock.cost`. Without a catalogue, or with a model it does not know, there is none; it is never a silent 0.
 *
 * A try is recorded once, where the model is called. Where a pipeline stands in the place of a provider, that is within it: the
 * call that led there records nothing and prices nothing, nor does it when the pipeline answers from a cache or refuses.
 *
 * @since 0.1.0
 */
import { Reply } from "@interlock/core"
import { Catalogue, Cost, Journal, type ModelError, type Part, type Prompt, TokenCount } from "@interlock/model"
import { Cause, Clock, Context, Effect, type Exit, Option, type Scope, Stream } from "effect"

type Result = Effect.Effect<Reply.Reply<Part.Part, ModelError.ModelError>, ModelError.ModelError, Scope.Scope>

interface Request {
  readonly provider: string
  readonly model: string
  readonly prompt: Prompt.Prompt
}

/** Cache outcomes for which no model is called. */
const hits: ReadonlyArray<string> = ["exact", "semantic", "coalesced", "stale"]

/** What is known of a try while it runs. */
class Try {
  /** Whether it is a pipeline that was called, and no model. */
  delegated = false
  finish: Part.FinishPart | undefined
  private readonly parts: Array<Part.Part> = []
  private readonly request: Request
  private readonly journal: Journal.Journal | undefined
  private readonly entry: Catalogue.Entry | undefined
  private readonly clock: Clock.Clock
  private readonly startedAt: number

  constructor(
    request: Request,
    journal: Journal.Journal | undefined,
    catalogue: Catalogue.Catalogue["Service"] | undefined,
    clock: Clock.Clock
  ) {
    this.request = request
    this.journal = journal
    this.entry = catalogue?.find(request.provider, request.model)
    this.clock = clock
    this.startedAt = clock.currentTimeMillisUnsafe()
  }

  private get seen(): Cost.Seen {
    return { prompt: TokenCount.promptText(this.request.prompt), parts: this.parts, at: this.startedAt }
  }

  /** The journal for what is called; what a pipeline writes there gives it away. */
  get below(): Journal.Journal | undefined {
    const { journal } = this
    if (journal === undefined) return undefined
    return {
      events: journal.events,
      append: (event) => {
        if (event._tag === "Refusal" || (event._tag === "Cache" && hits.includes(event.outcome))) this.delegated = true
        journal.append(event)
      }
    }
  }

  /** Looks at a part on its way up; the finish part is told its cost. */
  see = (part: Part.Part): Part.Part => {
    this.parts.push(part)
    if (part.type !== "finish") return part
    this.finish = part
    return this.entry === undefined || this.delegated ? part : Cost.annotate(part, Cost.ofSeen(this.entry, this.seen))
  }

  answered(): void {
    this.append("answered", this.cost())
  }

  failed(cause: Cause.Cause<ModelError.ModelError>): void {
    if (Cause.hasInterruptsOnly(cause)) {
      this.interrupted()
      return
    }
    const error = Option.getOrUndefined(Cause.findErrorOption(cause))
    const cost =
      this.entry === undefined || error === undefined ? this.cost() : Cost.ofFailure(this.entry, error, this.seen)
    this.append("failed", cost, error?.reason._tag ?? "Defect")
  }

  /** The caller left; the provider bills what it had done by then. */
  interrupted(): void {
    this.append("interrupted", this.cost())
  }

  private cost(): Cost.Cost | undefined {
    return this.entry === undefined ? undefined : Cost.ofSeen(this.entry, this.seen)
  }

  private append(outcome: "answered" | "failed" | "interrupted", cost: Cost.Cost | undefined, error?: string): void {
    const { finish, journal } = this
    if (this.delegated) return
    journal?.append({
      _tag: "Attempt",
      provider: this.request.provider,
      model: this.request.model,
      startedAt: this.startedAt,
      endedAt: this.clock.currentTimeMillisUnsafe(),
      outcome,
      ...(error === undefined ? {} : { error }),
      ...(finish === undefined ? {} : { usage: finish.usage }),
      ...(cost === undefined ? {} : Cost.attempt(cost))
    })
  }
}

const end = (attempt: Try, exit: Exit.Exit<unknown, unknown>): void => {
  if (attempt.finish !== undefined) attempt.answered()
  else if (exit._tag === "Success") attempt.interrupted()
  else attempt.failed(exit.cause as Cause.Cause<ModelError.ModelError>)
}

/** The try that led to the call in flight, where a pipeline was called in the place of a model. */
const Enclosing: Context.Reference<Try | undefined> = Context.Reference("@interlock/providers/Enclosing", {
  defaultValue: (): Try | undefined => undefined
})

/** Wraps a call so that it is priced and appends one `Attempt` to the journal, where there is one. */
export const recorded = (request: Request, call: Result): Result =>
  Effect.withFiber((fiber) => {
    const enclosing = fiber.getRef(Enclosing)
    if (enclosing !== undefined) enclosing.delegated = true
    const journal = fiber.getRef(Journal.Journal)
    const catalogue = Option.getOrUndefined(Context.getOption(fiber.context, Catalogue.Catalogue))
    if (journal === undefined && catalogue === undefined) return call
    const attempt = new Try(request, journal, catalogue, fiber.getRef(Clock.Clock))
    return call.pipe(
      Effect.provideContext(Context.make(Enclosing, attempt).pipe(Context.add(Journal.Journal, attempt.below))),
      Effect.onError((cause) => Effect.sync(() => attempt.failed(cause))),
      Effect.flatMap((reply): Result => {
        if (reply._tag === "Live") {
          return Reply.onExit(Reply.live(Stream.map(reply.parts, attempt.see)), (exit) =>
            Effect.sync(() => end(attempt, exit))
          )
        }
        const parts = reply.parts.map(attempt.see)
        attempt.answered()
        return Effect.succeed(Reply.whole(parts))
      })
    )
  })

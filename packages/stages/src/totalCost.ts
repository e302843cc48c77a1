/**
 * Says in the reply what the whole call cost: every try below it, retries, fallbacks and tries that failed included.
 *
 * A model's own reply says what its one try cost (`interlock.cost`); this stage adds up the journal of the call and puts
 * the sum beside it, under `interlock.totalCost`. Put it above `retry` and `fallback`. It makes a journal where there is
 * none.
 *
 * ```ts
 * import { Pipeline } from "@interlock/core"
 * import { Chat, RawPrompt } from "@interlock/model"
 * import { totalCost } from "@interlock/stages/totalCost"
 *
 * export const start = Pipeline.make("priced", { input: [RawPrompt], protocol: Chat.protocol }).use(totalCost)
 * ```
 *
 * @since 0.1.0
 */
import { Reply, Stage } from "@interlock/core"
import { Cost, Journal, Part } from "@interlock/model"
import { Effect, Stream } from "effect"

/**
 * Adds up what the tries below it cost, in the finish part's metadata: a `Cost.Total` under `interlock.totalCost`.
 *
 * The try of a live reply is recorded when its stream is over, so the finish part goes up only then.
 *
 * @category stages
 * @since 0.1.0
 */
export const totalCost = Stage.around<{ in: Part.Part; out: Part.Part }>()(
  "totalCost",
  { needs: {} },
  Effect.fnUntraced(function* (_, next) {
    const journal = (yield* Journal.current) ?? Journal.make()
    const earlier = journal.events().length
    const reply = yield* Effect.provideService(next(), Journal.Journal, journal)
    const told = (finish: Part.FinishPart): Part.FinishPart =>
      Part.annotate(finish, { totalCost: totalOf(journal.events().slice(earlier), finish) })
    if (reply._tag === "Whole") return Reply.map(reply, (part) => (part.type === "finish" ? told(part) : part))
    return Reply.live(
      Stream.mapAccum(
        reply.parts,
        (): Part.FinishPart | undefined => undefined,
        (held, part): readonly [Part.FinishPart | undefined, ReadonlyArray<Part.Part>] =>
          part.type === "finish" ? [part, []] : [held, [part]],
        { onHalt: (held) => (held === undefined ? [] : [told(held)]) }
      )
    )
  })
)

/** Where no try was recorded and no cache answered, what the handler said of itself counts. */
const totalOf = (events: ReadonlyArray<Journal.Event>, finish: Part.FinishPart): Cost.Total => {
  const recorded = Cost.ofEvents(events)
  const answered = events.some((event) => event._tag === "Attempt" && event.outcome === "answered")
  const cached = events.some((event) => event._tag === "Cache" && !["miss", "bypass", "failed"].includes(event.outcome))
  if (answered || cached) return recorded
  const own = Part.interlock(finish)["cost"] as Cost.Cost | undefined
  return own === undefined ? recorded : Cost.add(recorded, own)
}

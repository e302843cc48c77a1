/**
 * A `Journal` is what a call leaves behind while it runs: events without text, appended by stages and handlers on the way, and
 * read when it is over by `audit`, by cost reports and by metrics.
 *
 * It is a reference that is off by default, so that recording costs nothing where nobody reads.
 *
 * @since 0.1.0
 */
import { Context, Effect } from "effect"
import type { Usage } from "./Part.ts"

/**
 * What can be said of a call without saying any of its text. Times are milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export type Event =
  | {
      /** One try of one model; a failed try has an `error`, the name of its reason. */
      readonly _tag: "Attempt"
      readonly provider: string
      readonly model: string
      readonly startedAt: number
      readonly endedAt: number
      readonly outcome: "answered" | "failed" | "interrupted"
      readonly error?: string
      readonly usage?: Usage
      /** In US dollars; absent where the price is not known. */
      readonly costUsd?: number
      /** Whether usage was counted here because the provider did not say it. */
      readonly estimated?: boolean
    }
  | {
      readonly _tag: "Cache"
      readonly outcome: "exact" | "semantic" | "coalesced" | "stale" | "bypass" | "miss" | "failed"
      readonly ageMs?: number
      readonly savedUsd?: number
    }
  | {
      readonly _tag: "Redaction"
      /** How many values of each type were replaced. */
      readonly counts: { readonly [type: string]: number }
    }
  | {
      /** A fact that a stage added, in figures and names only. */
      readonly _tag: "Fact"
      readonly stage: string
      readonly name: string
      readonly attributes: { readonly [key: string]: string | number | boolean }
    }
  | {
      readonly _tag: "Refusal"
      readonly stage: string
      readonly reason: string
    }

/**
 * Where events go, in the order in which they happened.
 *
 * @category models
 * @since 0.1.0
 */
export interface Journal {
  readonly append: (event: Event) => void
  readonly events: () => ReadonlyArray<Event>
}

/**
 * The journal of the call in flight, or `undefined` when nobody reads one.
 *
 * @category references
 * @since 0.1.0
 */
export const Journal: Context.Reference<Journal | undefined> = Context.Reference("@interlock/model/Journal", {
  defaultValue: (): Journal | undefined => undefined
})

/**
 * Makes an empty journal.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): Journal => {
  const events: Array<Event> = []
  return { append: (event) => void events.push(event), events: () => events }
}

/**
 * Appends an event to the journal of the call in flight. A live reply outlives its call's effect: take the journal with
 * `Journal.current` while the call is made, and append to that.
 *
 * @category recording
 * @since 0.1.0
 */
export const record = (event: Event): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(Journal)?.append(event)
    return Effect.void
  })

/**
 * The journal of the call in flight.
 *
 * @category accessors
 * @since 0.1.0
 */
export const current: Effect.Effect<Journal | undefined> = Effect.withFiber((fiber) =>
  Effect.succeed(fiber.getRef(Journal))
)

/**
 * What all tries together cost, in US dollars, and whether a try's price is missing from it.
 *
 * @category accessors
 * @since 0.1.0
 */
export const cost = (journal: Journal): { readonly usd: number; readonly complete: boolean } => {
  let usd = 0
  let complete = true
  for (const event of journal.events()) {
    if (event._tag !== "Attempt") continue
    if (event.costUsd === undefined) complete = false
    else usd += event.costUsd
  }
  return { usd, complete }
}

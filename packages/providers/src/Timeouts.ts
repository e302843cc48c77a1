/**
 * `Timeouts` says how long a call of a model may take, phase by phase.
 *
 * Change them for a part of a program with `Effect.provideService(Timeouts, …)`, or for all of it with `Timeouts.layer`.
 *
 * @since 0.1.0
 */
import { Context, Duration, Layer } from "effect"

/**
 * The phases of a call and the most time that each may take. The time in which the caller is busy with a part is not counted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Phases {
  /** From the start of a live call until the response head. Default: 30 seconds. */
  readonly connect: Duration.Duration
  /**
   * From the start of a live call until the first part with content. Default: 10 minutes, as long as the SDKs of OpenAI and Anthropic
   * wait, since a model may reason for minutes and show nothing of it. Lower it where another model stands by.
   */
  readonly firstPart: Duration.Duration
  /**
   * From one part of a live call to the next. Default: 5 minutes, as in Node's `fetch`, since a model may reason between two parts, too,
   * and show nothing of it.
   */
  readonly idle: Duration.Duration
  /** From the start of a call, live or whole, to its end. Default: 10 minutes. */
  readonly whole: Duration.Duration
}

/**
 * The limits that hold where nobody says otherwise.
 *
 * @category constructors
 * @since 0.1.0
 */
export const defaults: Phases = {
  connect: Duration.seconds(30),
  firstPart: Duration.minutes(10),
  idle: Duration.minutes(5),
  whole: Duration.minutes(10)
}

/**
 * The limits in force.
 *
 * @category references
 * @since 0.1.0
 */
export const Timeouts: Context.Reference<Phases> = Context.Reference("@interlock/providers/Timeouts", {
  defaultValue: () => defaults
})

/**
 * Sets some limits; the others keep their defaults.
 *
 * ```ts
 * import { Timeouts } from "@interlock/providers"
 *
 * export const patient = Timeouts.layer({ firstPart: "30 minutes", whole: "1 hour" })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (phases: { readonly [P in keyof Phases]?: Duration.Input }): Layer.Layer<never> =>
  Layer.succeed(Timeouts, {
    connect: Duration.fromInputUnsafe(phases.connect ?? defaults.connect),
    firstPart: Duration.fromInputUnsafe(phases.firstPart ?? defaults.firstPart),
    idle: Duration.fromInputUnsafe(phases.idle ?? defaults.idle),
    whole: Duration.fromInputUnsafe(phases.whole ?? defaults.whole)
  })

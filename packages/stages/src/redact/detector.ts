/**
 * A `Detector` finds personal data and secrets in a text: spans with a type and a confidence.
 *
 * `layer` is the rule-based one: check digits, published shapes, gazetteers and context words, in one pass and without a model.
 * A detector of your own (a model, a list of customers) joins it with `layerWith`; where two detectors disagree, the more
 * confident span wins and everything that either covers stays covered.
 *
 * ```ts
 * import { Detector } from "@interlock/stages/redact/detector"
 * import { Effect } from "effect"
 *
 * const spans = await Effect.runPromise(
 *   Detector.use((detector) => detector.detect("write to alice@example.com")).pipe(Effect.provide(Detector.layer))
 * )
 * console.assert(spans[0]?.type === "EMAIL_ADDRESS" && spans[0].start === 9)
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Schema } from "effect"
import { outranks, scan } from "../internal/redact/scan.ts"

/**
 * A piece of a text that is personal or secret. `start` and `end` are UTF-16 offsets, `end` exclusive.
 *
 * @category models
 * @since 0.1.0
 */
export interface Span {
  readonly start: number
  readonly end: number
  /** In capitals, such as `EMAIL_ADDRESS`, `PERSON` or `US_SSN`. */
  readonly type: string
  /** From 0 to 1. */
  readonly confidence: number
}

/**
 * What a detector is asked besides the text.
 *
 * @category models
 * @since 0.1.0
 */
export interface DetectOptions {
  /** Only these types; all by default. */
  readonly types?: ReadonlyArray<string>
  /** Spans below it are left out; 0.5 by default. */
  readonly minimumConfidence?: number
}

/**
 * A detector could not do its work. `redact` then refuses the call; it never lets the text through.
 *
 * @category errors
 * @since 0.1.0
 */
export class DetectorError extends Schema.TaggedError<DetectorError>()("DetectorError", {
  detector: Schema.String,
  message: Schema.String
}) {}

/**
 * Finds what is personal or secret in a text.
 *
 * @category services
 * @since 0.1.0
 */
export class Detector extends Context.Service<
  Detector,
  {
    readonly name: string
    readonly detect: (text: string, options?: DetectOptions) => Effect.Effect<ReadonlyArray<Span>, DetectorError>
  }
>()("@interlock/stages/redact/Detector") {
  /** The rule-based detector. */
  static readonly layer: Layer.Layer<Detector> = Layer.sync(Detector)(() => rules)

  /** The rule-based detector together with others, asked side by side. */
  static readonly layerWith = (...others: ReadonlyArray<Detector["Service"]>): Layer.Layer<Detector> =>
    Layer.sync(Detector)(() => merged([rules, ...others]))

  /** A detector of your own alone: for tests, and for those who know better. */
  static readonly layerOf = (detector: Detector["Service"]): Layer.Layer<Detector> => Layer.succeed(Detector)(detector)
}

/**
 * The rule-based detector as a value.
 *
 * @category detectors
 * @since 0.1.0
 */
export const rules: Detector["Service"] = {
  name: "rules",
  detect: (text, options) =>
    Effect.try({
      try: () => scan(text, options),
      catch: () => new DetectorError({ detector: "rules", message: "The rule-based detector failed on a text" })
    })
}

/**
 * Whether a span is a piece of the text. A detector that answers otherwise has failed: what it meant would stay in clear.
 *
 * @category guards
 * @since 0.1.0
 */
export const isSpan = ({ confidence, end, start }: Span, text: string): boolean =>
  Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= text.length && confidence >= 0

/**
 * Several detectors as one: all are asked, their spans merged by confidence. One that fails makes the whole fail.
 *
 * @category detectors
 * @since 0.1.0
 */
export const merged = (detectors: ReadonlyArray<Detector["Service"]>): Detector["Service"] => ({
  name: detectors.map((each) => each.name).join("+"),
  detect: (text, options) =>
    Effect.map(
      Effect.forEach(
        detectors,
        (each) =>
          Effect.filterOrFail(
            each.detect(text, options),
            (spans) => spans.every((span) => isSpan(span, text)),
            () =>
              new DetectorError({
                detector: each.name,
                message:
                  "A detector answered with a span that is no piece of the text: offsets are UTF-16, the end exclusive"
              })
          ),
        { concurrency: "unbounded" }
      ),
      (found) => merge(found.flat())
    )
})

/**
 * Merges spans that may overlap: none is lost, the type of an overlap is that of the most confident (then longest) span, and
 * never one that policies leave in clear (a date, a country) where the other is not.
 *
 * @category mapping
 * @since 0.1.0
 */
export const merge = (spans: ReadonlyArray<Span>): ReadonlyArray<Span> => {
  const ordered = spans.filter((span) => span.end > span.start).sort((a, b) => a.start - b.start || b.end - a.end)
  const out: Array<Span> = []
  for (const span of ordered) {
    const last = out.at(-1)
    if (last === undefined || span.start >= last.end) {
      out.push(span)
      continue
    }
    const stronger = outranks(span, last) ? span : last
    out[out.length - 1] = {
      start: last.start,
      end: Math.max(last.end, span.end),
      type: stronger.type,
      confidence: stronger.confidence
    }
  }
  return out
}

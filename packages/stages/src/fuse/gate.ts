/**
 * `gate` says whether a fusion earns what it costs: on your own graded prompts its mean grade must beat that of its best single
 * member by more than chance, or the gate refuses. Members that err on the same prompts gain nothing by voting.
 *
 * The bound is a percentile bootstrap over prompts (Efron 1979). The best member is chosen anew in every resample, as it would have
 * been chosen there; this makes the bound cautious.
 *
 * ```ts
 * import { measure } from "@interlock/stages/fuse/gate"
 *
 * const rows = Array.from({ length: 90 }, (_, index) => ({
 *   members: { a: index % 3 === 0 ? 0 : 1, b: index % 3 === 1 ? 0 : 1, c: index % 3 === 2 ? 0 : 1 },
 *   fused: 1
 * }))
 * const measured = measure(rows)
 * console.assert(measured.pays && measured.gain > 0.3 && measured.lowerBound > 0.1)
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"

/**
 * One graded prompt: the grade of each member's answer, and of the fused one. All on one scale, of which more is better.
 *
 * @category models
 * @since 0.1.0
 */
export interface Graded {
  readonly members: { readonly [member: string]: number }
  readonly fused: number
  /** Rows of one group (the same prompt, the same conversation) are drawn together. Default: each row is its own. */
  readonly group?: string
}

/**
 * How sure the gate must be.
 *
 * @category models
 * @since 0.1.0
 */
export interface GateOptions {
  /** The probability, one-sided, with which the gain must exceed `gainAtLeast`. Default: 0.95. */
  readonly confidence?: number
  /** What the gain must exceed to be worth the calls, in units of the grade. Default: 0. */
  readonly gainAtLeast?: number
  /** How many groups there must be. Default: 30; a bootstrap of fewer is too sure of itself. */
  readonly groupsAtLeast?: number
  /** Default: 2000. */
  readonly resamples?: number
  /** The same seed gives the same bound. Default: 1. */
  readonly seed?: number
}

/**
 * What was measured.
 *
 * @category models
 * @since 0.1.0
 */
export interface Measured {
  readonly pays: boolean
  readonly rows: number
  readonly groups: number
  /** The mean grade of the fusion. */
  readonly fused: number
  /** The mean grade of each member. */
  readonly members: { readonly [member: string]: number }
  readonly bestMember: string
  /** The mean grade of the fusion, less that of its best member. */
  readonly gain: number
  /** The gain is above it with the confidence asked for. */
  readonly lowerBound: number
  /** The best that any choice among the members' answers could have got: what there is to gain at all. */
  readonly oracle: number
}

/**
 * The fusion does not earn its cost, or the rows cannot tell. `NoGain`: the bound is not above what was asked. `TooFew`: there are
 * too few groups of rows. `Invalid`: a grade is no number, a member is missing in a row, or an option is none.
 *
 * @category errors
 * @since 0.1.0
 */
export class GateRefused extends Schema.TaggedError<GateRefused>()("@interlock/stages/GateRefused", {
  reason: Schema.Literals(["NoGain", "TooFew", "Invalid"]),
  message: Schema.String
}) {}

/** Mulberry32: small, seeded and good enough for drawing rows. */
const generator = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/**
 * Measures a fusion against its best member. The rows must not be empty and must grade the same members; `gate` checks that.
 *
 * @category gates
 * @since 0.1.0
 */
export const measure = (rows: ReadonlyArray<Graded>, options: GateOptions = {}): Measured => {
  const names = Object.keys(rows[0]?.members ?? {})
  const width = names.length + 1
  const groups = new Map<string, Array<number>>()
  let best = 0
  for (const [index, row] of rows.entries()) {
    const key = row.group === undefined ? `row ${index}` : `group ${row.group}`
    const sums = groups.get(key) ?? Array.from({ length: width + 1 }, () => 0)
    names.forEach((name, position) => {
      sums[position]! += row.members[name]!
    })
    sums[width - 1]! += row.fused
    sums[width]!++
    groups.set(key, sums)
    best += Math.max(...names.map((name) => row.members[name]!))
  }
  const drawn = [...groups.values()]
  const gainOf = (pick: (turn: number) => ReadonlyArray<number>) => {
    const total = Array.from({ length: width + 1 }, () => 0)
    for (let turn = 0; turn < drawn.length; turn++) {
      const sums = pick(turn)
      for (let position = 0; position <= width; position++) total[position]! += sums[position]!
    }
    const means = total.slice(0, width).map((sum) => sum / total[width]!)
    const fused = means.pop()!
    return { fused, means, gain: fused - Math.max(...means) }
  }
  const seen = gainOf((turn) => drawn[turn]!)
  const random = generator(options.seed ?? 1)
  const gains = Array.from({ length: options.resamples ?? 2000 }, () =>
    gainOf(() => drawn[Math.floor(random() * drawn.length)]!)
  )
    .map(({ gain }) => gain)
    .sort((one, other) => one - other)
  const lowerBound = gains[Math.floor((1 - (options.confidence ?? 0.95)) * gains.length)] ?? Number.NaN
  const bestMember = names[seen.means.indexOf(Math.max(...seen.means))] ?? ""
  return {
    pays: lowerBound > (options.gainAtLeast ?? 0) && drawn.length >= (options.groupsAtLeast ?? 30),
    rows: rows.length,
    groups: drawn.length,
    fused: seen.fused,
    members: Object.fromEntries(names.map((name, position) => [name, seen.means[position]!])),
    bestMember,
    gain: seen.gain,
    lowerBound,
    oracle: best / rows.length
  }
}

/**
 * Lets a fusion pass that beats its best member on these rows, and refuses any other.
 *
 * @category gates
 * @since 0.1.0
 */
export const gate = (rows: ReadonlyArray<Graded>, options: GateOptions = {}): Effect.Effect<Measured, GateRefused> =>
  Effect.suspend(() => {
    const refuse = (reason: GateRefused["reason"], message: string) => Effect.fail(new GateRefused({ reason, message }))
    const { confidence = 0.95, gainAtLeast = 0, groupsAtLeast = 30, resamples = 2000 } = options
    if (!(confidence > 0 && confidence < 1)) {
      return refuse(
        "Invalid",
        `the gate has the confidence ${confidence}: give a probability between 0 and 1, such as 0.95`
      )
    }
    if (!(Number.isSafeInteger(resamples) && resamples * Math.min(confidence, 1 - confidence) >= 1)) {
      return refuse(
        "Invalid",
        `the gate has ${resamples} resamples, too few for the confidence ${confidence}: give a whole number, such as 2000`
      )
    }
    if (!(Number.isFinite(gainAtLeast) && groupsAtLeast >= 1)) {
      return refuse(
        "Invalid",
        `the gate asks for a gain of ${gainAtLeast} on ${groupsAtLeast} prompts: give a number, and at least 1 prompt`
      )
    }
    const names = Object.keys(rows[0]?.members ?? {})
    if (names.length === 0) return refuse("TooFew", "the gate was given no graded members: give it rows with grades")
    const odd = rows.findIndex(
      ({ fused, members }) =>
        Object.keys(members).length !== names.length ||
        ![fused, ...names.map((name) => members[name])].every(Number.isFinite)
    )
    if (odd >= 0) {
      return refuse("Invalid", `row ${odd + 1} lacks a grade: every row must grade ${names.join(", ")} and the fusion`)
    }
    const measured = measure(rows, options)
    if (measured.groups < groupsAtLeast) {
      return refuse("TooFew", `${measured.groups} graded prompts cannot tell: grade at least ${groupsAtLeast}`)
    }
    if (measured.pays) return Effect.succeed(measured)
    const figure = (value: number) => value.toFixed(3)
    return refuse(
      "NoGain",
      `the fusion has ${figure(measured.fused)} and ${measured.bestMember} alone ${figure(measured.members[measured.bestMember]!)} on ${measured.rows} prompts: a gain of ${figure(measured.gain)}, of which only ${figure(measured.lowerBound)} is sure, where more than ${gainAtLeast} is asked. Use ${measured.bestMember} alone, or members that err on other prompts`
    )
  })

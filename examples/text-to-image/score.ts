/** Scores a picture by what was asked for and what is to be seen in it. */
import { look, type Patch, type Seen } from "./look.ts"
import type { Colour, Want, Wishes } from "./words.ts"

/** One thing that was looked at: how well, from 0 to 1, how much it counts, and what was found. */
export interface Finding {
  readonly name: string
  readonly value: number
  readonly weight: number
  readonly said: string
}

/** What a picture is worth, from 0 to 1, and why. */
export interface Score {
  readonly score: number
  readonly findings: ReadonlyArray<Finding>
  /** Of every want, how many there are to see; absent where only the colour was looked for. */
  readonly wants: ReadonlyArray<Want & { readonly seen?: number }>
  /** The colours that fill the most of it, most first. */
  readonly palette: ReadonlyArray<Colour>
}

/** Colours that are everywhere, in shadows and highlights: whether they are there is looked at, not how often. */
const everywhere: ReadonlySet<Colour> = new Set(["black", "grey", "white", "brown"])

/** A thing is smaller than a background and larger than a speck. */
const least = 0.0004

const mean = (values: ReadonlyArray<number>): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length

const within = (value: number) => Math.min(1, Math.max(0, value))

/** A line of foam is as blue as a boat, and no thing either. */
const leastSide = 0.012

/** The glow of a sunset is orange too, and no thing: it fades into what is around it. */
const leastContrast = 0.09

/** The things of a colour; what is much smaller than the largest is no further one of them. */
const thingsOf = (seen: Seen, colour: Colour): ReadonlyArray<Patch> => {
  const all = seen.patches.filter(
    (patch) =>
      patch.colour === colour &&
      patch.area >= least &&
      patch.contrast >= leastContrast &&
      Math.min(patch.box.right - patch.box.left, patch.box.bottom - patch.box.top) >= leastSide
  )
  const largest = Math.max(0, ...all.map(({ area }) => area))
  return all.filter(({ area }) => area >= largest * 0.3)
}

/** Scores a picture that was looked at. */
export const scoreOf = (seen: Seen, wishes: Wishes): Score => {
  const palette = (Object.entries(seen.shares) as ReadonlyArray<readonly [Colour, number]>)
    .filter(([, share]) => share >= 0.04)
    .sort(([, one], [, other]) => other - one)
    .map(([colour]) => colour)
  if (seen.entropy < 0.02) {
    const blank = { name: "content", value: 0, weight: 1, said: "the picture is blank" }
    return { score: 0, findings: [blank], wants: wishes.wants, palette }
  }

  // Two wants of one colour cannot be told apart: they are counted together.
  const byColour = new Map<Colour, Array<Want>>()
  for (const want of wishes.wants) byColour.set(want.colour, [...(byColour.get(want.colour) ?? []), want])
  const findings: Array<Finding> = []
  const looked: Array<Patch> = []
  const counted = new Map<Want, number>()
  for (const [colour, wants] of byColour) {
    const name = wants.map(({ count, thing }) => (count === undefined ? thing : `${count} × ${thing}`)).join(", ")
    const weight = 3 * wants.length
    const counts = wants.map(({ count }) => count)
    const share = seen.shares[colour] ?? 0
    if (everywhere.has(colour) || counts.includes(undefined)) {
      findings.push({ name, value: within(share / 0.01), weight, said: `${(100 * share).toFixed(1)} % ${colour}` })
      continue
    }
    const things = thingsOf(seen, colour)
    if (things.length === 0 && share > 0.03) {
      // Green trees on green hills: there is green, and where one begins cannot be said.
      findings.push({ name, value: 0.5, weight, said: `${colour}, but nothing that stands out from it` })
      continue
    }
    looked.push(...things)
    const asked = counts.reduce((sum: number, count) => sum + (count ?? 0), 0)
    const value = 1 - Math.abs(asked - things.length) / Math.max(asked, things.length)
    if (wants.length === 1) counted.set(wants[0]!, things.length)
    findings.push({ name, value, weight, said: `${things.length} to be seen` })
  }
  if (wishes.light !== undefined) {
    const { lightness } = seen
    const value = wishes.light === "dark" ? within((0.75 - lightness) / 0.3) : within((lightness - 0.4) / 0.3)
    findings.push({ name: `${wishes.light} scene`, value, weight: 1, said: `lightness ${lightness.toFixed(2)}` })
  }
  const main = looked.length > 0 ? looked : seen.patches.filter(({ area }) => area >= 0.004)
  if (main.length > 0) {
    const contrast = mean(main.map((patch) => patch.contrast))
    findings.push({
      name: "stands out",
      value: within(contrast / 0.3),
      weight: 1,
      said: `contrast ${contrast.toFixed(2)}`
    })
    const cut = main.filter((patch) => patch.cut).length
    findings.push({ name: "whole", value: 1 - cut / main.length, weight: 1, said: `${cut} of ${main.length} cut off` })
  }
  findings.push({
    name: "sharp",
    value: within(seen.sharpness / 2),
    weight: 1,
    said: `sharpness ${seen.sharpness.toFixed(1)}`
  })
  const weights = findings.reduce((sum, { weight }) => sum + weight, 0)
  return {
    score: findings.reduce((sum, { value, weight }) => sum + value * weight, 0) / weights,
    findings,
    wants: wishes.wants.map((want) => {
      const found = counted.get(want)
      return found === undefined ? want : { ...want, seen: found }
    }),
    palette
  }
}

/** Looks at a picture and scores it. */
export const score = async (picture: Uint8Array, wishes: Wishes): Promise<Score> => scoreOf(await look(picture), wishes)

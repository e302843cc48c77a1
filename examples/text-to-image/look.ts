/**
 * Looks at a picture: the areas of one colour in it, how light and how sharp it is. Nothing here knows how the picture was made.
 */
import sharp from "sharp"
import type { Colour } from "./words.ts"

/** A thing of one colour that stands out from what is around it; lengths are shares of the picture's width. */
export interface Patch {
  readonly colour: Colour
  readonly area: number
  readonly box: { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number }
  /** How far its colour is from that around it, in OKLab. */
  readonly contrast: number
  /** Whether the picture's edge cuts it. */
  readonly cut: boolean
}

/** What there is to see. */
export interface Seen {
  readonly patches: ReadonlyArray<Patch>
  /** The share of the picture that each colour fills. */
  readonly shares: { readonly [Name in Colour]?: number }
  /** Mean lightness, 0 to 1. */
  readonly lightness: number
  /** Spread of the Laplacian, as sharp measures it. */
  readonly sharpness: number
  /** Of the grey levels, in bits: 0 for a blank picture. */
  readonly entropy: number
}

/** The longer side that a picture is looked at in. */
const side = 480

/** How far apart in OKLab two neighbours may be to belong to one area: of one name, and of two, so that shades may pass over. */
const tolerance = { same: 0.022, other: 0.008 }

/** From where on a difference to a neighbour is an edge; an edge belongs to no area, or two would flow together where it is soft. */
const edge = 0.05

/** The linear light of an sRGB value. */
const linear = Float64Array.from({ length: 256 }, (_, value) =>
  value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4
)

/** OKLab of an sRGB colour (Björn Ottosson, "A perceptual color space for image processing", 2020). */
const oklab = (red: number, green: number, blue: number): readonly [number, number, number] => {
  const [r, g, b] = [linear[red]!, linear[green]!, linear[blue]!]
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s
  ]
}

/** The name of a colour, by its hue, chroma and lightness in OKLCh. */
export const nameOf = (lightness: number, a: number, b: number): Colour => {
  const chroma = Math.hypot(a, b)
  const hue = ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360
  if (chroma < 0.045) return lightness < 0.36 ? "black" : lightness > 0.86 ? "white" : "grey"
  if (hue < 12 || hue >= 332) return "pink"
  if (hue < 40) return lightness > 0.78 ? "pink" : "red"
  if (hue < 74) return lightness < 0.62 && chroma < 0.13 ? "brown" : "orange"
  if (hue < 112) return lightness < 0.5 ? "brown" : "yellow"
  if (hue < 172) return "green"
  if (hue < 216) return "cyan"
  if (hue < 287) return "blue"
  return "purple"
}

interface Area {
  readonly root: number
  pixels: number
  l: number
  a: number
  b: number
  left: number
  top: number
  right: number
  bottom: number
}

/** Areas of neighbours that are alike, by union and find. */
const areasOf = (lab: Float32Array, names: ReadonlyArray<Colour>, width: number, height: number) => {
  const parent = new Int32Array(width * height)
  for (let at = 0; at < parent.length; at++) parent[at] = at
  const find = (at: number): number => {
    let root = at
    while (parent[root] !== root) root = parent[root]!
    while (parent[at] !== root) {
      const next = parent[at]!
      parent[at] = root
      at = next
    }
    return root
  }
  /** The square of the distance, which is enough to compare. */
  const apart = (one: number, other: number) => {
    const l = lab[3 * one]! - lab[3 * other]!
    const a = lab[3 * one + 1]! - lab[3 * other + 1]!
    const b = lab[3 * one + 2]! - lab[3 * other + 2]!
    return l * l + a * a + b * b
  }
  const edges = new Uint8Array(parent.length)
  for (let at = 0; at < parent.length; at++) {
    const [right, below] = [at % width < width - 1 ? at + 1 : at, at + width < parent.length ? at + width : at]
    if (apart(at, right) > edge ** 2) edges[at] = edges[right] = 1
    if (apart(at, below) > edge ** 2) edges[at] = edges[below] = 1
  }
  const alike = (one: number, other: number) =>
    edges[one] === edges[other] &&
    apart(one, other) < (names[one] === names[other] ? tolerance.same : tolerance.other) ** 2
  for (let at = 0; at < parent.length; at++) {
    if (at % width < width - 1 && alike(at, at + 1)) parent[find(at)] = find(at + 1)
    if (at + width < parent.length && alike(at, at + width)) parent[find(at)] = find(at + width)
  }
  const areas = new Map<number, Area>()
  for (let at = 0; at < parent.length; at++) {
    const root = find(at)
    const [x, y] = [at % width, Math.floor(at / width)]
    let area = areas.get(root)
    if (area === undefined) {
      area = { root, pixels: 0, l: 0, a: 0, b: 0, left: x, top: y, right: x, bottom: y }
      areas.set(root, area)
    }
    area.pixels++
    area.l += lab[3 * at]!
    area.a += lab[3 * at + 1]!
    area.b += lab[3 * at + 2]!
    area.left = Math.min(area.left, x)
    area.right = Math.max(area.right, x)
    area.top = Math.min(area.top, y)
    area.bottom = Math.max(area.bottom, y)
  }
  return { areas, rootOf: find }
}

/** How far apart, in pixels, two areas still touch. */
const near = 7

/** Along how many pixels each two of the areas touch. */
const touching = (rootOf: (at: number) => number, roots: ReadonlySet<number>, width: number, height: number) => {
  const labels = new Int32Array(width * height).fill(-1)
  for (let at = 0; at < labels.length; at++) if (roots.has(rootOf(at))) labels[at] = rootOf(at)
  const contacts = new Map<string, number>()
  const meet = (one: number, other: number) => {
    if (one === other || other < 0) return false
    const key = one < other ? `${one} ${other}` : `${other} ${one}`
    contacts.set(key, (contacts.get(key) ?? 0) + 1)
    return true
  }
  for (let at = 0; at < labels.length; at++) {
    const own = labels[at]!
    if (own < 0) continue
    for (let step = 1; step <= near && (at % width) + step < width; step++) {
      const other = labels[at + step]!
      if (meet(own, other) || other >= 0) break
    }
    for (let step = 1; step <= near && at + step * width < labels.length; step++) {
      const other = labels[at + step * width]!
      if (meet(own, other) || other >= 0) break
    }
  }
  return (one: Area, other: Area) =>
    contacts.get(one.root < other.root ? `${one.root} ${other.root}` : `${other.root} ${one.root}`) ?? 0
}

/** Parts of one thing: a small one that touches a large one, or two that touch along much of their side, as panels of a kite do. */
const belongs = (one: Area, other: Area, contact: number): boolean => {
  if (contact === 0) return false
  const [small, large] = one.pixels < other.pixels ? [one, other] : [other, one]
  const long = Math.max(small.right - small.left, small.bottom - small.top)
  return small.pixels < 0.25 * large.pixels || contact > 0.4 * long
}

/** Looks at a PNG (or any format that sharp reads). */
export const look = async (picture: Uint8Array): Promise<Seen> => {
  const source = sharp(picture).removeAlpha()
  const { entropy, sharpness } = await source.clone().stats()
  const { data, info } = await source
    .clone()
    .resize(side, side, { fit: "inside", kernel: "mitchell" })
    .toColourspace("srgb")
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { channels, height, width } = info
  const all = width * height
  const lab = new Float32Array(3 * all)
  for (let at = 0; at < all; at++) {
    const from = at * channels
    lab.set(oklab(data[from]!, data[from + (channels > 2 ? 1 : 0)]!, data[from + (channels > 2 ? 2 : 0)]!), 3 * at)
  }
  const names = Array.from({ length: all }, (_, at) => nameOf(lab[3 * at]!, lab[3 * at + 1]!, lab[3 * at + 2]!))
  const { areas, rootOf } = areasOf(lab, names, width, height)

  let lightness = 0
  const shares: { [Name in Colour]?: number } = {}
  const named: Array<readonly [Colour, Area]> = []
  for (let at = 0; at < all; at++) {
    lightness += lab[3 * at]! / all
    const colour = names[at]!
    shares[colour] = (shares[colour] ?? 0) + 1 / all
  }
  for (const area of areas.values()) {
    const colour = nameOf(area.l / area.pixels, area.a / area.pixels, area.b / area.pixels)
    if (area.pixels >= Math.max(12, 0.0002 * all) && area.pixels < 0.2 * all) named.push([colour, area])
  }

  // What belongs together is one thing; a part may belong to another part of it.
  const contact = touching(rootOf, new Set(named.map(([, { root }]) => root)), width, height)
  named.sort(([, one], [, other]) => other.pixels - one.pixels)
  const things: Array<readonly [Colour, Area]> = []
  const wholeOf = new Map<Area, Area>()
  const colours = new Map<Area, Colour>()
  for (const [colour, area] of named) {
    const part = [...wholeOf.keys()].find(
      (one) => colours.get(one) === colour && belongs(one, area, contact(one, area))
    )
    const whole = part === undefined ? undefined : wholeOf.get(part)
    colours.set(area, colour)
    if (whole === undefined) {
      const thing = { ...area }
      things.push([colour, thing])
      wholeOf.set(area, thing)
    } else {
      wholeOf.set(area, whole)
      whole.pixels += area.pixels
      whole.l += area.l
      whole.a += area.a
      whole.b += area.b
      whole.left = Math.min(whole.left, area.left)
      whole.right = Math.max(whole.right, area.right)
      whole.top = Math.min(whole.top, area.top)
      whole.bottom = Math.max(whole.bottom, area.bottom)
    }
  }

  const contrastOf = (area: Area): number => {
    const own = [area.l / area.pixels, area.a / area.pixels, area.b / area.pixels] as const
    let [sum, count] = [0, 0]
    const around = (x: number, y: number) => {
      if (x < 0 || y < 0 || x >= width || y >= height) return
      const at = y * width + x
      sum += Math.hypot(lab[3 * at]! - own[0], lab[3 * at + 1]! - own[1], lab[3 * at + 2]! - own[2])
      count++
    }
    for (let x = area.left - 4; x <= area.right + 4; x += 2) {
      around(x, area.top - 4)
      around(x, area.bottom + 4)
    }
    for (let y = area.top - 4; y <= area.bottom + 4; y += 2) {
      around(area.left - 4, y)
      around(area.right + 4, y)
    }
    return count === 0 ? 0 : sum / count
  }
  return {
    patches: things.map(([colour, area]) => ({
      colour,
      area: area.pixels / all,
      box: {
        left: area.left / width,
        top: area.top / width,
        right: area.right / width,
        bottom: area.bottom / width
      },
      contrast: contrastOf(area),
      cut: area.left === 0 || area.top === 0 || area.right === width - 1 || area.bottom === height - 1
    })),
    shares,
    lightness,
    sharpness,
    entropy
  }
}

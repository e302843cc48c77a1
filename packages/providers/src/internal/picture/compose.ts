/**
 * Composes a picture of a scene: sky and ground, where everything stands, weather, and the sign with the caption.
 *
 * @since 0.1.0
 */
import { dark, type Kind, kinds, light, makePen, makeRandom, mix, n, type Pen } from "./paint.ts"
import type { Scene } from "./scene.ts"
import type { Setting, Side } from "./words.ts"

/** A picture in layers, from back to front, in pixels. */
export interface Composition {
  readonly width: number
  readonly height: number
  readonly defs: string
  readonly background: string
  readonly things: ReadonlyArray<string>
  readonly foreground: string
  /** How dark the corners are, 0 to 1. */
  readonly edge: number
}

// ---------------------------------------------------------------------------------------------------------------
// Where everything stands
// ---------------------------------------------------------------------------------------------------------------

/** One thing in its place: the middle, or the middle of the base where it stands on the ground, as shares of the picture. */
export interface Placed {
  readonly kind: string
  readonly colour: string
  readonly x: number
  readonly y: number
  /** Side of its box, as a share of the picture's shorter side. */
  readonly size: number
  /** What is nearer is painted later. */
  readonly near: number
}

/** How far up the ground reaches; 0 for a picture without one. */
const horizonOf = (scene: Scene): number => {
  if (scene.settings.has("space")) return 0
  const grounded = scene.things.some(
    ({ kind }) => kind !== "star" && kinds[kind] !== undefined && kinds[kind].home !== "free"
  )
  return grounded || scene.settings.size > 0 ? 0.4 : 0
}

/** Whether there is land before the sea: something stands there that is not on a boat. */
const isCoast = (scene: Scene): boolean =>
  scene.settings.has("sea") &&
  scene.things.some(
    ({ kind }, index) =>
      kinds[kind]?.home === "ground" &&
      !scene.relations.some(
        ({ direction, from, to }) =>
          from === index && direction === "on" && kinds[scene.things[to]!.kind]?.home === "sea"
      )
  )

/** Where the land before the sea begins. */
const landOf = (scene: Scene): number => (scene.caption === undefined ? 0.78 : 0.7)

interface Spot {
  column: number
  row: number
  onTopOf: number | undefined
}

/** Columns and rows in which the relations hold: whatever is related stands together, the rest side by side. */
const spots = (scene: Scene): ReadonlyArray<Spot> => {
  const placed = new Map<number, Spot>()
  const sky = horizonOf(scene) > 0
  const nextColumn = { sky: 0, free: 0, ground: 0, sea: 0 }
  const weight = ({ sides }: { readonly sides: ReadonlyArray<Side> }) =>
    sides.includes("left") ? -1 : sides.includes("right") ? 1 : 0
  const roots = scene.things
    .map((_, index) => index)
    .sort((a, b) => weight(scene.things[a]!) - weight(scene.things[b]!))
  for (const root of roots) {
    if (placed.has(root)) continue
    const own = new Map<number, Spot>([[root, { column: 0, row: 0, onTopOf: undefined }]])
    const queue = [root]
    while (queue.length > 0) {
      const here = queue.shift()!
      const spot = own.get(here)!
      for (const { direction, from, to } of scene.relations) {
        if (from !== here && to !== here) continue
        const [other, sign] = from === here ? [to, -1] : [from, 1]
        if (own.has(other) || placed.has(other)) continue
        const step =
          direction === "left"
            ? { column: -1, row: 0 }
            : direction === "right" || direction === "beside"
              ? { column: 1, row: 0 }
              : direction === "above"
                ? { column: 0, row: -1 }
                : direction === "below"
                  ? { column: 0, row: 1 }
                  : { column: 0, row: 0 }
        // Two things must not share a place.
        let column = spot.column + step.column * sign
        const row = spot.row + step.row * sign
        const free = direction === "on" || direction === "inside" || direction === "under"
        while (!free && [...own.values()].some((one) => one.column === column && one.row === row)) {
          column += step.column * sign < 0 ? -1 : 1
        }
        own.set(other, {
          column,
          row,
          onTopOf: direction === "on" || direction === "inside" ? (from === here ? undefined : here) : undefined
        })
        if ((direction === "on" || direction === "inside") && from === here) own.get(here)!.onTopOf = other
        queue.push(other)
      }
    }
    const home = own.size === 1 && sky ? (kinds[scene.things[root]!.kind]?.home ?? "free") : "ground"
    const least = Math.min(...[...own.values()].map((one) => one.column))
    const start = own.size === 1 ? nextColumn[home] : Math.max(nextColumn.ground, nextColumn.free, nextColumn.sea)
    let end = start
    for (const [thing, spot] of own) {
      const column = spot.column - least + start
      placed.set(thing, { ...spot, column })
      end = Math.max(end, column + 1)
    }
    if (home === "sky") nextColumn.sky = end
    else nextColumn.free = nextColumn.ground = nextColumn.sea = end
  }
  return scene.things.map((_, index) => placed.get(index)!)
}

/** What everything else is before. */
const farthest: ReadonlySet<string> = new Set(["sun", "moon", "rainbow"])

const deckOf = (kind: string): readonly [up: number, aside: number] => {
  const known = kinds[kind]
  return known?.deck ?? [known?.home === "ground" ? 0.85 : known?.home === "sea" ? 0.2 : 0.46, 0]
}

const sideX = (sides: ReadonlyArray<Side>): number | undefined =>
  sides.includes("left") ? 0.2 : sides.includes("right") ? 0.8 : sides.includes("centre") ? 0.5 : undefined
const sideY = (sides: ReadonlyArray<Side>): number | undefined =>
  sides.includes("top") ? 0.22 : sides.includes("bottom") ? 0.8 : sides.includes("centre") ? 0.5 : undefined

/** Puts every thing of a scene in its place. `aspect` is width to height. */
export const place = (scene: Scene, random: () => number, aspect: number): ReadonlyArray<Placed> => {
  const all = spots(scene)
  const horizon = horizonOf(scene)
  const wide = Math.max(1, aspect)
  const high = Math.max(1, 1 / aspect)
  const jitter = (amount: number) => (random() - 0.5) * 2 * amount
  const isSky = (index: number) => kinds[scene.things[index]!.kind]?.home === "sky" && horizon > 0
  const related = new Set(scene.relations.flatMap(({ from, to }) => [from, to]))
  const main = scene.things.map((_, index) => index).filter((index) => !isSky(index) || related.has(index))
  const sky = scene.things.map((_, index) => index).filter((index) => isSky(index) && !related.has(index))
  const span = (indices: ReadonlyArray<number>, of: "column" | "row") => {
    const values = indices.map((index) => all[index]![of])
    const least = values.length === 0 ? 0 : Math.min(...values)
    return { least, count: values.length === 0 ? 1 : Math.max(...values) - least + 1 }
  }
  const columns = { main: span(main, "column"), sky: span(sky, "column") }
  const rows = span(main, "row")
  const bottom = scene.caption === undefined ? 0 : 0.14
  const out: Array<ReadonlyArray<Placed>> = []
  const bases: Array<Placed | undefined> = []
  const coast = isCoast(scene)

  const order = scene.things
    .map((_, index) => index)
    .sort((a, b) => Number(all[a]!.onTopOf !== undefined) - Number(all[b]!.onTopOf !== undefined))
  for (const index of order) {
    const thing = scene.things[index]!
    const spot = all[index]!
    const kind: Kind = kinds[thing.kind] ?? kinds["circle"]!
    const inSky = isSky(index) && !related.has(index)
    const { least, count: width } = inSky ? columns.sky : columns.main
    const cellWidth = (0.88 / width) * wide
    const cellHeight = (horizon > 0 && kind.home !== "free" ? 0.5 : 0.84 / rows.count) * high
    const support = spot.onTopOf === undefined ? undefined : bases[spot.onTopOf]
    const centre =
      (width > 1 && !inSky ? undefined : sideX(thing.sides)) ?? 0.06 + (0.88 * (spot.column - least + 0.5)) / width
    const stands = horizon > 0 && (kind.home === "ground" || kind.home === "sea" || kind.home === "free")
    const rowShare = rows.count === 1 ? 0 : (spot.row - rows.least) / (rows.count - 1) - 0.5
    const many = thing.count
    const inColumns = Math.ceil(
      stands ? Math.min(many, Math.max(2, Math.sqrt(many * 2.6))) : Math.sqrt((many * cellWidth) / cellHeight)
    )
    const inRows = Math.ceil(many / inColumns)
    const wanted = 0.27 * kind.size * thing.size
    const room = Math.min(
      (cellWidth / inColumns) * (many === 1 ? 0.92 : 1.02),
      ((horizon > 0 ? 0.55 : cellHeight) / (stands ? 1 + (inRows - 1) * 0.34 : inRows)) * (many === 1 ? 1.1 : 0.92)
    )
    const [up, aside] = spot.onTopOf === undefined ? [0, 0] : deckOf(scene.things[spot.onTopOf]!.kind)
    const size = Math.max(
      0.035,
      Math.min(
        wanted,
        room *
          Math.max(1, width === 1 ? kind.size * 0.9 : Math.min(thing.kind === "rainbow" ? 1.7 : 1.3, kind.size * 0.9)),
        support === undefined ? Number.POSITIVE_INFINITY : support.size * 0.62
      )
    )
    const bandTop = sideY(thing.sides)
    const middle =
      support !== undefined
        ? support.y - (support.size * up + (kind.home === "free" ? size * 0.45 : 0)) / high
        : inSky || (kind.home === "sky" && horizon > 0)
          ? (bandTop ?? 0.19 + random() * 0.06) + Math.max(-0.08, rowShare * 0.1)
          : horizon > 0
            ? coast
              ? kind.home === "sea"
                ? 1 - horizon * (0.8 + 0.06 * random()) + rowShare * 0.06
                : landOf(scene) + 0.05 + 0.05 * random() + rowShare * 0.08
              : (bandTop === 0.22 ? 0.36 : 1 - bottom) - horizon * (0.3 + 0.1 * random()) + rowShare * 0.24
            : (bandTop ?? 0.5 + rowShare * 0.5) - bottom * 0.4
    const stepY = (stands ? size * 0.34 : Math.min(cellHeight / inRows, size * 1.12)) / high
    // What hangs in the sky is placed by its middle: its uppermost row must not reach over the edge.
    const highest = stands ? 0.04 : (size * 0.52) / high
    const level = stands || support !== undefined ? middle : Math.max(middle, highest + ((inRows - 1) / 2) * stepY)
    const edge = many === 1 ? Math.min(0.5, (size * 0.46) / wide) : 0.02
    const group: Array<Placed> = []
    for (let one = 0; one < many; one++) {
      const row = Math.floor(one / inColumns)
      const inThisRow = Math.min(inColumns, many - row * inColumns)
      const column = one % inColumns
      const dx = inThisRow === 1 ? 0 : column - (inThisRow - 1) / 2
      const dy = inRows === 1 ? 0 : row - (inRows - 1) / 2
      const stepX = Math.min(cellWidth / inColumns, size * (kind.home === "sky" ? 1.5 : 1.08)) / wide
      const loose = many === 1 ? 0.015 : kind.home === "sky" ? 0.3 : 0.06
      const x =
        (support === undefined ? centre : support.x + (support.size * aside) / wide) +
        dx * stepX +
        jitter(loose * size * 0.8) / wide
      const y =
        level + dy * stepY + (support === undefined ? jitter(inSky && many > 1 ? size * 0.35 : loose * size * 0.6) : 0)
      const depth = stands ? 1 + dy * 0.1 : 1
      const colour = thing.colour ?? kind.colours[Math.floor(random() * kind.colours.length)]!
      group.push({
        kind: kinds[thing.kind] === undefined ? "circle" : thing.kind,
        colour,
        x: Math.min(1 - edge, Math.max(edge, x)),
        y:
          horizon > 0
            ? Math.min(0.99, Math.max(highest, y))
            : Math.min(1 - bottom - (size * 0.52) / high, Math.max((size * 0.52) / high, y)),
        size: size * depth * (many > 2 ? 0.94 + random() * 0.12 : 1),
        near: support !== undefined ? support.near + 0.001 : farthest.has(thing.kind) ? -1 : y
      })
    }
    bases[index] = group[0]!
    out[index] = group
  }
  return out.flat()
}

// ---------------------------------------------------------------------------------------------------------------
// Around it
// ---------------------------------------------------------------------------------------------------------------

interface Mood {
  readonly sky: readonly [string, string, string]
  readonly far: string
  readonly ground: string
  readonly night: boolean
}

const moodOf = (settings: ReadonlySet<Setting>, random: () => number): Mood => {
  const ground = settings.has("snow")
    ? "#e8eef7"
    : settings.has("desert") || settings.has("beach")
      ? "#e8c98f"
      : settings.has("city")
        ? "#8a90a3"
        : settings.has("forest")
          ? "#4b8a55"
          : ["#7ab661", "#86b85a", "#6fae68"][Math.floor(random() * 3)]!
  if (settings.has("space")) return { sky: ["#0b0d24", "#171a45", "#2b2263"], far: "#2b2263", ground, night: true }
  if (settings.has("night")) {
    return { sky: ["#0f1740", "#243072", "#4a4f94"], far: "#2a3468", ground: mix(ground, "#1a2450", 0.62), night: true }
  }
  if (settings.has("sunset")) {
    return {
      sky: ["#5b4a9a", "#ee7d6b", "#ffd08a"],
      far: "#9a6a92",
      ground: mix(ground, "#7a4a5c", 0.35),
      night: false
    }
  }
  if (settings.has("dawn")) {
    return {
      sky: ["#7fa6dd", "#f7c3c4", "#ffe6bf"],
      far: "#a9a4c6",
      ground: mix(ground, "#e7b0a0", 0.18),
      night: false
    }
  }
  if (settings.has("storm"))
    return {
      sky: ["#39415c", "#5d6883", "#8f9ab0"],
      far: "#5b6780",
      ground: mix(ground, "#4a5468", 0.45),
      night: false
    }
  if (settings.has("rain") || settings.has("fog")) {
    return { sky: ["#8fa3ba", "#b9c8d6", "#dde5ea"], far: "#9fb0bf", ground: mix(ground, "#8fa0ac", 0.3), night: false }
  }
  if (settings.has("snow")) return { sky: ["#a9c7e8", "#d3e3f3", "#f3f7fb"], far: "#bccde0", ground, night: false }
  const skies: ReadonlyArray<readonly [string, string, string]> = [
    ["#6fb6ee", "#a9d8f7", "#e8f5fb"],
    ["#79bdf0", "#bfe3f5", "#fdf3dc"],
    ["#63aee8", "#9bd2f2", "#dff2f5"]
  ]
  return { sky: skies[Math.floor(random() * 3)]!, far: "#9fc3c4", ground, night: false }
}

/** A soft line of hills from edge to edge, filled down to the bottom. */
const hills = (
  random: () => number,
  width: number,
  height: number,
  top: number,
  swell: number,
  waves: number,
  fill: string
): string => {
  const points: Array<readonly [number, number]> = []
  for (let index = 0; index <= waves; index++) {
    points.push([(width * index) / waves, height * (top + (random() - 0.5) * swell)])
  }
  let d = `M0 ${n(height)}L0 ${n(points[0]![1])}`
  for (let index = 1; index < points.length; index++) {
    const [x0, y0] = points[index - 1]!
    const [x1, y1] = points[index]!
    const half = (x0 + x1) / 2
    d += `C${n(half)} ${n(y0)} ${n(half)} ${n(y1)} ${n(x1)} ${n(y1)}`
  }
  return `<path d="${d}L${n(width)} ${n(height)}z" fill="${fill}"/>`
}

const peaks = (
  pen: Pen,
  width: number,
  height: number,
  base: number,
  tall: number,
  count: number,
  colour: string
): string => {
  let out = ""
  for (let index = 0; index < count; index++) {
    const x = (width * (index + 0.5 + (pen.random() - 0.5) * 0.6)) / count
    const h = height * tall * (0.65 + pen.random() * 0.5)
    const w = h * (0.8 + pen.random() * 0.35)
    const y = height * base
    const snow = h * 0.26
    const slope = w / h
    out +=
      `<polygon points="${n(x)},${n(y - h)} ${n(x + w)},${n(y)} ${n(x - w)},${n(y)}" fill="${pen.down(light(colour, 0.16), dark(colour, 0.1))}"/>` +
      `<polygon points="${n(x)},${n(y - h)} ${n(x + w)},${n(y)} ${n(x + w * 0.1)},${n(y)}" fill="#1a2245" opacity="0.13"/>` +
      `<path d="M${n(x)} ${n(y - h)}L${n(x + snow * slope)} ${n(y - h + snow)}L${n(x + snow * slope * 0.4)} ${n(y - h + snow * 0.8)}L${n(x)} ${n(y - h + snow * 1.15)}L${n(x - snow * slope * 0.45)} ${n(y - h + snow * 0.78)}L${n(x - snow * slope)} ${n(y - h + snow)}z" fill="#fafcff" opacity="0.92"/>`
  }
  return out
}

const skyline = (pen: Pen, width: number, height: number, base: number, colour: string): string => {
  let out = ""
  for (let x = -width * 0.02; x < width; ) {
    const w = width * (0.05 + pen.random() * 0.06)
    const h = height * (0.12 + pen.random() * 0.28)
    const y = height * base - h
    out += `<rect x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}" fill="${pen.down(colour, light(colour, 0.16))}"/>`
    for (let row = 0; row < Math.floor(h / (height * 0.035)) - 1; row++) {
      for (let column = 0; column < 3; column++) {
        if (pen.random() < 0.45) {
          out += `<rect x="${n(x + w * (0.16 + column * 0.26))}" y="${n(y + height * (0.018 + row * 0.035))}" width="${n(w * 0.15)}" height="${n(height * 0.016)}" fill="${pen.night ? "#ffdf8e" : "#dcebf3"}" opacity="0.8"/>`
        }
      }
    }
    x += w * (1 + pen.random() * 0.2)
  }
  return out
}

const background = (scene: Scene, pen: Pen, mood: Mood, width: number, height: number): string => {
  const { settings } = scene
  const { random } = pen
  const unit = Math.min(width, height)
  const horizon = 1 - horizonOf(scene)
  const all = (fill: string) => `<rect width="${width}" height="${height}" fill="${fill}"/>`
  if (horizon === 1 && !settings.has("space")) {
    const papers = [
      ["#fff8ea", "#f6e3c5"],
      ["#f4f7ff", "#dbe5f7"],
      ["#fdf3f3", "#f3dde2"],
      ["#f2faf4", "#d6ebdd"]
    ] as const
    const [top, low] = papers[Math.floor(random() * papers.length)]!
    let rings = ""
    const [cx, cy] = [width * (0.15 + random() * 0.7), height * (0.15 + random() * 0.7)]
    for (let ring = 1; ring < 9; ring++) {
      rings += `<circle cx="${n(cx)}" cy="${n(cy)}" r="${n(unit * ring * 0.14)}" fill="none" stroke="${dark(low, 0.12)}" stroke-opacity="0.16" stroke-width="${n(unit * 0.004)}"/>`
    }
    return pen.sketch ? all("#fbf7ee") : all(pen.down(top, low)) + rings
  }
  const [top, middle, low] = mood.sky
  let out = pen.sketch
    ? all("#fbf7ee")
    : `<rect width="${width}" height="${n(height * Math.min(1, horizon + 0.1))}" fill="${pen.down(top, middle, low)}"/>`
  if (mood.night) {
    for (let star = 0; star < 90; star++) {
      const r = unit * (0.0012 + random() * 0.0022)
      out += `<circle cx="${n(random() * width)}" cy="${n(random() * height * Math.min(1, horizon + 0.02))}" r="${n(r)}" fill="#fff" opacity="${n(0.35 + random() * 0.65)}"/>`
    }
  } else if (!settings.has("fog") && !scene.things.some(({ kind }) => kind === "cloud")) {
    for (let cloud = 0; cloud < 3; cloud++) {
      const s = unit * (0.16 + random() * 0.16)
      out += `<g opacity="${settings.has("sunset") ? 0.45 : 0.7}">${kinds["cloud"]!.paint(pen, width * (0.12 + cloud * 0.34 + random() * 0.12), height * (0.07 + random() * 0.2), s, "#ffffff")}</g>`
    }
  }
  if (settings.has("space")) {
    for (const tint of ["#8e4ec6", "#3b7df0"]) {
      out += `<ellipse cx="${n(width * random())}" cy="${n(height * random())}" rx="${n(unit * 0.6)}" ry="${n(unit * 0.3)}" fill="${pen.glow(tint, 0.4)}"/>`
    }
    return out
  }
  if (settings.has("sunset") || settings.has("dawn")) {
    const x = width * (0.3 + random() * 0.4)
    if (!scene.things.some(({ kind }) => kind === "sun")) {
      out += `<circle cx="${n(x)}" cy="${n(height * (horizon - 0.03))}" r="${n(unit * 0.42)}" fill="${pen.glow("#ffe6a8", 0.9)}"/><circle cx="${n(x)}" cy="${n(height * (horizon - 0.02))}" r="${n(unit * 0.09)}" fill="#fff1c9"/>`
    }
  }
  if (settings.has("mountains")) {
    out += peaks(pen, width, height, horizon + 0.02, 0.34, 4, mood.night ? "#3b4678" : mix("#8893b8", middle, 0.25))
  }
  if (settings.has("city"))
    out += skyline(pen, width, height, horizon + 0.02, mood.night ? "#1c2550" : mix("#7f8fb0", middle, 0.2))
  if (settings.has("sea") || settings.has("beach")) {
    const water = mood.night ? "#24407f" : settings.has("sunset") ? "#8a6aa6" : "#3f9bd6"
    out += `<rect y="${n(height * (horizon - 0.02))}" width="${width}" height="${n(height * (1.02 - horizon))}" fill="${pen.down(light(water, 0.24), dark(water, 0.3))}"/>`
    for (let wave = 0; wave < 26; wave++) {
      const depth = random()
      const y = height * (horizon + depth * (0.98 - horizon))
      const w = width * (0.03 + depth * 0.08)
      out += `<path d="M${n(random() * width - w)} ${n(y)}q${n(w / 2)} ${n(-unit * 0.008 * (0.5 + depth))} ${n(w)} 0t${n(w)} 0" fill="none" stroke="#fff" stroke-opacity="${n(0.18 + depth * 0.3)}" stroke-width="${n(unit * 0.004 * (0.6 + depth))}" stroke-linecap="round"/>`
    }
    if (isCoast(scene) && !settings.has("beach")) {
      out += hills(
        random,
        width,
        height,
        landOf(scene),
        0.03,
        3,
        pen.down(light(mood.ground, 0.1), dark(mood.ground, 0.15))
      )
    }
    if (settings.has("beach")) out += hills(random, width, height, 0.86, 0.05, 3, pen.down("#f2dba9", "#d9b573"))
    return out
  }
  out += hills(
    random,
    width,
    height,
    horizon - 0.035,
    0.07,
    4,
    pen.down(mix(mood.far, mood.ground, 0.25), mix(mood.far, mood.ground, 0.6))
  )
  if (settings.has("forest")) {
    for (let tree = 0; tree < 16; tree++) {
      const x = width * ((tree + random() * 0.8) / 16)
      out += `<g opacity="0.85">${kinds["pine"]!.paint(pen, x, height * (horizon + 0.03 + random() * 0.02), unit * (0.2 + random() * 0.12), mix("#2f7d5b", mood.far, mood.night ? 0.6 : 0.35))}</g>`
    }
  }
  out += hills(random, width, height, horizon + 0.03, 0.05, 3, pen.down(light(mood.ground, 0.14), mood.ground))
  out += hills(random, width, height, horizon + 0.15, 0.04, 2, pen.down(mood.ground, dark(mood.ground, 0.18)))
  if (!settings.has("snow") && !settings.has("desert") && !settings.has("city")) {
    for (let tuft = 0; tuft < 34; tuft++) {
      const depth = random()
      const x = random() * width
      const y = height * (horizon + 0.1 + depth * (0.9 - horizon))
      const s = unit * (0.006 + depth * 0.012)
      out += `<path d="M${n(x)} ${n(y)}l${n(-s * 0.6)} ${n(-s * 1.6)}M${n(x)} ${n(y)}v${n(-s * 2)}M${n(x)} ${n(y)}l${n(s * 0.6)} ${n(-s * 1.6)}" stroke="${dark(mood.ground, 0.25)}" stroke-opacity="0.5" stroke-width="${n(s * 0.3)}" stroke-linecap="round"/>`
    }
  }
  return out
}

const weather = (scene: Scene, pen: Pen, width: number, height: number): string => {
  const { settings } = scene
  const { random } = pen
  const unit = Math.min(width, height)
  let out = ""
  if (settings.has("rain") || settings.has("storm")) {
    for (let drop = 0; drop < 110; drop++) {
      const [x, y, l] = [random() * width * 1.1, random() * height, unit * (0.02 + random() * 0.03)]
      out += `<path d="M${n(x)} ${n(y)}l${n(-l * 0.3)} ${n(l)}" stroke="#e8f2fb" stroke-opacity="0.55" stroke-width="${n(unit * 0.003)}" stroke-linecap="round"/>`
    }
  }
  if (settings.has("storm")) {
    const x = width * (0.2 + random() * 0.6)
    out += `<path d="M${n(x)} 0l${n(-unit * 0.07)} ${n(unit * 0.22)}h${n(unit * 0.06)}l${n(-unit * 0.09)} ${n(unit * 0.22)}l${n(unit * 0.19)} ${n(-unit * 0.27)}h${n(-unit * 0.07)}l${n(unit * 0.08)} ${n(-unit * 0.17)}z" fill="#fff3b0"/>`
  }
  if (settings.has("snow")) {
    for (let flake = 0; flake < 120; flake++) {
      out += `<circle cx="${n(random() * width)}" cy="${n(random() * height)}" r="${n(unit * (0.002 + random() * 0.004))}" fill="#fff" opacity="${n(0.5 + random() * 0.5)}"/>`
    }
  }
  if (settings.has("fog")) {
    for (let band = 0; band < 5; band++) {
      out += `<ellipse cx="${n(random() * width)}" cy="${n(height * (0.45 + band * 0.11))}" rx="${n(width * 0.7)}" ry="${n(height * 0.07)}" fill="#fff" opacity="0.2"/>`
    }
  }
  return out
}

/** For a prompt that names nothing that is known: overlapping forms that only the prompt and the seed decide. */
const abstract = (pen: Pen, width: number, height: number): ReadonlyArray<string> => {
  const palettes = [
    ["#264653", "#2a9d8f", "#e9c46a", "#f4a261", "#e76f51"],
    ["#355070", "#6d597a", "#b56576", "#e56b6f", "#eaac8b"],
    ["#0b3954", "#087e8b", "#bfd7ea", "#ff5a5f", "#f2b134"]
  ]
  const { random } = pen
  const palette = palettes[Math.floor(random() * palettes.length)]!
  const unit = Math.min(width, height)
  return Array.from({ length: 11 }, (_, index) => {
    const colour = palette[index % palette.length]!
    const [x, y, s] = [width * (0.1 + random() * 0.8), height * (0.1 + random() * 0.8), unit * (0.14 + random() * 0.3)]
    const form = ["circle", "square", "triangle", "hexagon", "ring"][Math.floor(random() * 5)]!
    return `<g opacity="0.82" transform="rotate(${n(random() * 360)} ${n(x)} ${n(y)})">${kinds[form]!.paint(pen, x, y, s, colour)}</g>`
  })
}

/** FNV-1a, so that what a prompt says decides what is made of it beside the seed. */
const digest = (text: string): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** Draws a caption, in the middle of a box; the lettering is passed in because it needs a font. */
export type Letter = (
  text: string,
  box: { readonly width: number; readonly height: number }
) => {
  readonly path: string
  readonly width: number
  readonly height: number
}

/** Composes the picture of a scene. */
export const compose = (
  scene: Scene,
  options: {
    readonly prompt: string
    readonly seed: number
    readonly width: number
    readonly height: number
    readonly sketch: boolean
    readonly letter: Letter
  }
): Composition => {
  const { height, seed, sketch, width } = options
  const random = makeRandom(seed ^ digest(options.prompt))
  const mood = moodOf(scene.settings, random)
  const pen = makePen(random, { sketch, night: mood.night })
  const unit = Math.min(width, height)
  const behind = background(scene, pen, mood, width, height)
  const placed = place(scene, random, width / height)
  // What stands further down is nearer, and is painted later; the sky comes first.
  const home = (one: Placed) => (kinds[one.kind]!.home === "sky" ? 0 : 1)
  const sorted = [...placed].sort((a, b) => home(a) - home(b) || a.near - b.near)
  const things =
    scene.things.length === 0 && scene.settings.size === 0 && scene.caption === undefined
      ? abstract(pen, width, height)
      : sorted.map((one) => {
          const kind = kinds[one.kind]!
          const s = one.size * unit
          // What has its foot at the bottom stands there; the others hang about their middle.
          const standing = kind.home === "ground"
          const y = one.y * height + (standing && horizonOf(scene) === 0 ? s * 0.45 : 0)
          const art = kind.paint(pen, one.x * width, y, s, one.colour)
          return mood.night && kind.home !== "sky" && !sketch ? `<g>${art}</g>` : art
        })
  let foreground = weather(scene, pen, width, height)
  if (scene.caption !== undefined) {
    const box = { width: width * 0.84, height: height * 0.13 }
    const written = options.letter(scene.caption, box)
    const pad = unit * 0.024
    const [w, h] = [written.width + pad * 2.4, written.height + pad * 1.5]
    const [x, y] = [(width - w) / 2, height - h - unit * 0.045]
    foreground +=
      `<rect x="${n(x)}" y="${n(y + unit * 0.008)}" width="${n(w)}" height="${n(h)}" rx="${n(unit * 0.016)}" fill="#10152e" opacity="0.25"/>` +
      `<rect x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}" rx="${n(unit * 0.016)}" fill="#fffaf0" stroke="#d8c7a6" stroke-width="${n(unit * 0.004)}"/>` +
      `<path transform="translate(${Math.round((width - written.width) / 2)} ${Math.round(y + (h - written.height) / 2)})" d="${written.path}" fill="#2b2a3a" shape-rendering="crispEdges"/>`
  }
  return {
    width,
    height,
    defs: pen.defs(),
    background: behind,
    things,
    foreground,
    edge: sketch ? 0 : horizonOf(scene) === 0 ? 0.08 : 0.2
  }
}

/**
 * Paints single things as SVG: shapes, plants, houses, animals, vehicles. Every thing is drawn in a box of side `s` around its
 * middle, or, when it stands on the ground, above the middle of its base.
 *
 * @since 0.1.0
 */

/** Numbers from 0 to 1 that only the seed decides (mulberry32). */
export const makeRandom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = state
    value = Math.imul(value ^ (value >>> 15), value | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A number as SVG has it. */
export const n = (value: number): string => String(Math.round(value * 100) / 100)

const channel = (hex: string, at: number) => Number.parseInt(hex.slice(at, at + 2), 16)

/** Mixes two colours; `share` of the second. */
export const mix = (one: string, other: string, share: number): string =>
  `#${[1, 3, 5]
    .map((at) =>
      Math.round(channel(one, at) * (1 - share) + channel(other, at) * share)
        .toString(16)
        .padStart(2, "0")
    )
    .join("")}`

export const light = (colour: string, share: number): string => mix(colour, "#ffffff", share)
export const dark = (colour: string, share: number): string => mix(colour, "#161a33", share)

/** Collects what goes into `<defs>`. */
export interface Pen {
  readonly random: () => number
  /** Whether only outlines are drawn. */
  readonly sketch: boolean
  readonly night: boolean
  /** The paint of a surface: a gradient from light (above left) to dark. */
  readonly fill: (colour: string, depth?: number) => string
  /** From above to below, through as many colours as are given, evenly. */
  readonly down: (...colours: ReadonlyArray<string>) => string
  readonly glow: (colour: string, opacity?: number) => string
  readonly defs: () => string
}

export const makePen = (random: () => number, options: { readonly sketch: boolean; readonly night: boolean }): Pen => {
  const made = new Map<string, string>()
  const define = (key: string, body: (id: string) => string): string => {
    let text = made.get(key)
    if (text === undefined) {
      text = body(`p${made.size}`)
      made.set(key, text)
    }
    return `url(#${/id="(\w+)"/.exec(text)![1]})`
  }
  const gradient = (vector: string, from: string, to: string) =>
    define(
      `${vector}${from}${to}`,
      (id) =>
        `<linearGradient id="${id}" ${vector}><stop offset="0" stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient>`
    )
  return {
    random,
    ...options,
    fill: (colour, depth = 0.2) =>
      options.sketch
        ? light(colour, 0.72)
        : gradient('x1="0.2" y1="0" x2="0.75" y2="1"', light(colour, depth), dark(colour, depth * 0.85)),
    down: (...colours) =>
      define(
        `down${colours.join("")}`,
        (id) =>
          `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1">${colours.map((colour, index) => `<stop offset="${n(index / (colours.length - 1))}" stop-color="${colour}"/>`).join("")}</linearGradient>`
      ),
    glow: (colour, opacity = 0.9) =>
      define(
        `glow${colour}${opacity}`,
        (id) =>
          `<radialGradient id="${id}"><stop offset="0" stop-color="${colour}" stop-opacity="${opacity}"/><stop offset="0.45" stop-color="${colour}" stop-opacity="${opacity * 0.35}"/><stop offset="1" stop-color="${colour}" stop-opacity="0"/></radialGradient>`
      ),
    defs: () => [...made.values()].join("")
  }
}

type Paint = (pen: Pen, x: number, y: number, s: number, colour: string) => string

/** Where a thing belongs, how large it is beside others, its colour when the prompt names none, and how it is drawn. */
export interface Kind {
  readonly home: "free" | "sky" | "ground" | "sea"
  readonly size: number
  readonly colours: ReadonlyArray<string>
  /** Where something stands that is on it: how far up and to the side, as shares of its size. Default: its upper edge. */
  readonly deck?: readonly [up: number, aside: number]
  readonly paint: Paint
}

const circle = (x: number, y: number, r: number, fill: string, more = "") =>
  `<circle cx="${n(x)}" cy="${n(y)}" r="${n(r)}" fill="${fill}" ${more}/>`
const ellipse = (x: number, y: number, rx: number, ry: number, fill: string, more = "") =>
  `<ellipse cx="${n(x)}" cy="${n(y)}" rx="${n(rx)}" ry="${n(ry)}" fill="${fill}" ${more}/>`
const rect = (x: number, y: number, w: number, h: number, fill: string, r = 0, more = "") =>
  `<rect x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}" rx="${n(r)}" fill="${fill}" ${more}/>`
const polygon = (points: ReadonlyArray<readonly [number, number]>, fill: string, more = "") =>
  `<polygon points="${points.map(([a, b]) => `${n(a)},${n(b)}`).join(" ")}" fill="${fill}" stroke-linejoin="round" ${more}/>`
const path = (d: string, fill: string, more = "") => `<path d="${d}" fill="${fill}" ${more}/>`
const line = (d: string, colour: string, width: number) =>
  `<path d="${d}" fill="none" stroke="${colour}" stroke-width="${n(width)}" stroke-linecap="round" stroke-linejoin="round"/>`
const group = (body: string, transform: string) => `<g transform="${transform}">${body}</g>`

const regular = (
  x: number,
  y: number,
  r: number,
  corners: number,
  turn = -90
): ReadonlyArray<readonly [number, number]> =>
  Array.from({ length: corners }, (_, index) => {
    const angle = ((turn + (360 / corners) * index) * Math.PI) / 180
    return [x + r * Math.cos(angle), y + r * Math.sin(angle)] as const
  })

const starPoints = (x: number, y: number, r: number, inner = 0.44): ReadonlyArray<readonly [number, number]> =>
  Array.from({ length: 10 }, (_, index) => {
    const angle = ((-90 + 36 * index) * Math.PI) / 180
    const radius = index % 2 === 0 ? r : r * inner
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)] as const
  })

const soft = (colour: string, s: number) =>
  `stroke="${dark(colour, 0.28)}" stroke-opacity="0.55" stroke-width="${n(s * 0.018)}"`
const shadow = (x: number, y: number, w: number) => ellipse(x, y, w, w * 0.16, "#10152e", 'opacity="0.2"')

const shape =
  (points: (x: number, y: number, r: number) => ReadonlyArray<readonly [number, number]>, r = 0.48): Paint =>
  (pen, x, y, s, colour) =>
    shadow(x, y + s * 0.53, s * 0.36) + polygon(points(x, y, s * r), pen.fill(colour), soft(colour, s))

/** Leaves of a tree: round heaps of green, light above. */
const crown = (pen: Pen, x: number, y: number, s: number, colour: string): string => {
  const heaps: ReadonlyArray<readonly [number, number, number]> = [
    [-0.2, 0.1, 0.2],
    [0.2, 0.1, 0.2],
    [0, -0.02, 0.26],
    [-0.12, -0.18, 0.2],
    [0.13, -0.17, 0.19]
  ]
  return heaps
    .map(([dx, dy, r], index) =>
      circle(
        x + (dx + (pen.random() - 0.5) * 0.04) * s,
        y + (dy + (pen.random() - 0.5) * 0.04) * s,
        r * s,
        pen.fill(index < 2 ? dark(colour, 0.16) : light(colour, index === 2 ? 0 : 0.1), 0.16)
      )
    )
    .join("")
}

const cloudOf = (pen: Pen, x: number, y: number, s: number, colour: string): string => {
  const fill = pen.down(light(colour, 0.5), mix(colour, "#c9d6ea", 0.35))
  const wobble = () => 0.94 + pen.random() * 0.12
  return [
    circle(x - s * 0.28, y + s * 0.04, s * 0.16 * wobble(), fill),
    circle(x - s * 0.08, y - s * 0.1, s * 0.22 * wobble(), fill),
    circle(x + s * 0.15, y - s * 0.03, s * 0.18 * wobble(), fill),
    circle(x + s * 0.32, y + s * 0.07, s * 0.12 * wobble(), fill),
    rect(x - s * 0.4, y, s * 0.8, s * 0.2, fill, s * 0.1)
  ].join("")
}

const windows = (pen: Pen, x: number, y: number, w: number, h: number, columns: number, rows: number): string => {
  let out = ""
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      const lit = pen.night ? pen.random() < 0.7 : pen.random() < 0.15
      out += rect(
        x + (w / columns) * (column + 0.24),
        y + (h / rows) * (row + 0.22),
        (w / columns) * 0.52,
        (h / rows) * 0.52,
        lit ? "#ffdf8e" : pen.night ? "#2c3559" : "#bfe0f2",
        w * 0.02
      )
    }
  }
  return out
}

const four = (pen: Pen, x: number, y: number, s: number, colour: string, tall: number): string =>
  [-0.2, -0.1, 0.12, 0.22]
    .map((dx) => rect(x + dx * s - s * 0.035, y - tall * s, s * 0.07, tall * s, pen.fill(dark(colour, 0.12)), s * 0.03))
    .join("")

const eye = (x: number, y: number, r: number) =>
  circle(x, y, r, "#1d2233") + circle(x + r * 0.3, y - r * 0.35, r * 0.35, "#fff")

const wheel = (x: number, y: number, r: number) => circle(x, y, r, "#2a2f3d") + circle(x, y, r * 0.45, "#cfd5e0")

/** The things that can be painted, by name. */
export const kinds: { readonly [kind: string]: Kind } = {
  circle: {
    home: "free",
    size: 1,
    colours: ["#e5484d", "#3b7df0", "#3aa76d", "#ffc53d", "#8e4ec6"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.53, s * 0.36) +
      circle(x, y, s * 0.46, pen.fill(colour), soft(colour, s)) +
      (pen.sketch
        ? ""
        : ellipse(
            x - s * 0.15,
            y - s * 0.2,
            s * 0.13,
            s * 0.08,
            "#fff",
            `opacity="0.35" transform="rotate(-35 ${n(x - s * 0.15)} ${n(y - s * 0.2)})"`
          ))
  },
  ring: {
    home: "free",
    size: 1,
    colours: ["#e3a51f"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.53, s * 0.36) +
      `<circle cx="${n(x)}" cy="${n(y)}" r="${n(s * 0.36)}" fill="none" stroke="${pen.fill(colour)}" stroke-width="${n(s * 0.16)}"/>`
  },
  oval: {
    home: "free",
    size: 1,
    colours: ["#12a594"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.4, s * 0.38) + ellipse(x, y, s * 0.5, s * 0.32, pen.fill(colour), soft(colour, s))
  },
  square: {
    home: "free",
    deck: [0.42, 0],
    size: 1,
    colours: ["#3b7df0", "#f5822a", "#3aa76d"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.5, s * 0.42) +
      rect(x - s * 0.42, y - s * 0.42, s * 0.84, s * 0.84, pen.fill(colour), s * 0.07, soft(colour, s))
  },
  rectangle: {
    home: "free",
    deck: [0.28, 0],
    size: 1.1,
    colours: ["#8e4ec6"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.36, s * 0.46) +
      rect(x - s * 0.5, y - s * 0.28, s, s * 0.56, pen.fill(colour), s * 0.06, soft(colour, s))
  },
  triangle: {
    home: "free",
    size: 1,
    colours: ["#3aa76d", "#f5822a"],
    paint: shape((x, y, r) => [
      [x, y - r],
      [x + r, y + r * 0.8],
      [x - r, y + r * 0.8]
    ])
  },
  diamond: {
    home: "free",
    size: 1,
    colours: ["#22b8cf"],
    paint: shape((x, y, r) => [
      [x, y - r * 1.05],
      [x + r * 0.76, y],
      [x, y + r * 1.05],
      [x - r * 0.76, y]
    ])
  },
  hexagon: { home: "free", size: 1, colours: ["#f5822a"], paint: shape((x, y, r) => regular(x, y, r, 6, 0)) },
  pentagon: { home: "free", size: 1, colours: ["#12a594"], paint: shape((x, y, r) => regular(x, y, r, 5)) },
  cross: {
    home: "free",
    size: 0.9,
    colours: ["#e5484d"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.53, s * 0.3) +
      path(
        `M${n(x - s * 0.15)} ${n(y - s * 0.45)}h${n(s * 0.3)}v${n(s * 0.3)}h${n(s * 0.3)}v${n(s * 0.3)}h${n(-s * 0.3)}v${n(s * 0.3)}h${n(-s * 0.3)}v${n(-s * 0.3)}h${n(-s * 0.3)}v${n(-s * 0.3)}h${n(s * 0.3)}z`,
        pen.fill(colour),
        soft(colour, s)
      )
  },
  heart: {
    home: "free",
    size: 1,
    colours: ["#e5484d", "#f075a8"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.53, s * 0.3) +
      path(
        `M${n(x)} ${n(y + s * 0.44)}C${n(x - s * 0.75)} ${n(y - s * 0.02)} ${n(x - s * 0.45)} ${n(y - s * 0.58)} ${n(x)} ${n(y - s * 0.2)}C${n(x + s * 0.45)} ${n(y - s * 0.58)} ${n(x + s * 0.75)} ${n(y - s * 0.02)} ${n(x)} ${n(y + s * 0.44)}z`,
        pen.fill(colour),
        soft(colour, s)
      )
  },
  star: {
    home: "sky",
    size: 0.6,
    colours: ["#ffd65c"],
    paint: (pen, x, y, s, colour) =>
      (pen.night && !pen.sketch ? circle(x, y, s * 0.7, pen.glow(colour, 0.45)) : "") +
      polygon(starPoints(x, y, s * 0.48), pen.fill(colour, 0.24), soft(colour, s))
  },
  sun: {
    home: "sky",
    size: 1.15,
    colours: ["#ffc53d"],
    paint: (pen, x, y, s, colour) =>
      circle(x, y, s * 0.95, pen.glow(light(colour, 0.3), 0.85)) +
      Array.from({ length: 12 }, (_, index) => {
        const angle = (index * Math.PI) / 6
        const at = (r: number) => `${n(x + Math.cos(angle) * s * r)} ${n(y + Math.sin(angle) * s * r)}`
        return line(`M${at(0.39)}L${at(index % 2 === 0 ? 0.54 : 0.48)}`, colour, s * 0.035)
      }).join("") +
      circle(x, y, s * 0.31, pen.fill(colour, 0.3))
  },
  moon: {
    home: "sky",
    size: 0.95,
    colours: ["#fdf2cc"],
    paint: (pen, x, y, s, colour) =>
      circle(x, y, s * 0.85, pen.glow(light(colour, 0.2), 0.55)) +
      path(
        `M${n(x + s * 0.12)} ${n(y - s * 0.36)}A${n(s * 0.38)} ${n(s * 0.38)} 0 1 0 ${n(x + s * 0.34)} ${n(y + s * 0.18)}A${n(s * 0.31)} ${n(s * 0.31)} 0 0 1 ${n(x + s * 0.12)} ${n(y - s * 0.36)}z`,
        pen.fill(colour, 0.12)
      )
  },
  cloud: { home: "sky", size: 1.2, colours: ["#f7fafd"], paint: cloudOf },
  rainbow: {
    home: "sky",
    size: 2.4,
    colours: ["#e5484d"],
    paint: (_, x, y, s) =>
      ["#e5484d", "#f5822a", "#ffc53d", "#3aa76d", "#3b7df0", "#8e4ec6"]
        .map((band, index) => {
          const r = s * (0.5 - index * 0.035)
          return `<path d="M${n(x - r)} ${n(y + s * 0.3)}A${n(r)} ${n(r)} 0 0 1 ${n(x + r)} ${n(y + s * 0.3)}" fill="none" stroke="${band}" stroke-width="${n(s * 0.036)}" opacity="0.75"/>`
        })
        .join("")
  },
  bird: {
    home: "sky",
    size: 0.5,
    colours: ["#2d3350"],
    paint: (pen, x, y, s, colour) => {
      const lift = 0.16 + pen.random() * 0.14
      return line(
        `M${n(x - s * 0.48)} ${n(y - s * lift)}Q${n(x - s * 0.2)} ${n(y - s * 0.26)} ${n(x)} ${n(y + s * 0.06)}Q${n(x + s * 0.2)} ${n(y - s * 0.26)} ${n(x + s * 0.48)} ${n(y - s * lift)}`,
        colour,
        s * 0.085
      )
    }
  },
  balloon: {
    home: "sky",
    size: 0.85,
    colours: ["#e5484d", "#3b7df0", "#ffc53d", "#3aa76d", "#8e4ec6"],
    paint: (pen, x, y, s, colour) =>
      line(
        `M${n(x)} ${n(y + s * 0.24)}q${n(s * 0.08)} ${n(s * 0.14)} 0 ${n(s * 0.26)}t0 ${n(s * 0.22)}`,
        "#5b617a",
        s * 0.018
      ) +
      polygon(
        [
          [x, y + s * 0.17],
          [x - s * 0.05, y + s * 0.27],
          [x + s * 0.05, y + s * 0.27]
        ],
        dark(colour, 0.15)
      ) +
      ellipse(x, y - s * 0.12, s * 0.27, s * 0.32, pen.fill(colour), soft(colour, s)) +
      ellipse(x - s * 0.1, y - s * 0.25, s * 0.06, s * 0.1, "#fff", 'opacity="0.4"')
  },
  airballoon: {
    home: "sky",
    size: 1.3,
    colours: ["#e5484d", "#f5822a", "#3b7df0", "#8e4ec6"],
    paint: (pen, x, y, s, colour) =>
      line(
        `M${n(x - s * 0.16)} ${n(y + s * 0.16)}L${n(x - s * 0.07)} ${n(y + s * 0.36)}M${n(x + s * 0.16)} ${n(y + s * 0.16)}L${n(x + s * 0.07)} ${n(y + s * 0.36)}`,
        "#6b5a45",
        s * 0.012
      ) +
      path(
        `M${n(x)} ${n(y - s * 0.48)}C${n(x - s * 0.5)} ${n(y - s * 0.46)} ${n(x - s * 0.38)} ${n(y + s * 0.02)} ${n(x - s * 0.1)} ${n(y + s * 0.22)}H${n(x + s * 0.1)}C${n(x + s * 0.38)} ${n(y + s * 0.02)} ${n(x + s * 0.5)} ${n(y - s * 0.46)} ${n(x)} ${n(y - s * 0.48)}z`,
        pen.fill(colour)
      ) +
      path(
        `M${n(x)} ${n(y - s * 0.48)}C${n(x - s * 0.2)} ${n(y - s * 0.4)} ${n(x - s * 0.16)} ${n(y + s * 0.05)} ${n(x - s * 0.04)} ${n(y + s * 0.22)}H${n(x + s * 0.04)}C${n(x + s * 0.16)} ${n(y + s * 0.05)} ${n(x + s * 0.2)} ${n(y - s * 0.4)} ${n(x)} ${n(y - s * 0.48)}z`,
        light(colour, 0.55),
        'opacity="0.85"'
      ) +
      rect(x - s * 0.08, y + s * 0.35, s * 0.16, s * 0.12, pen.fill("#a0683f"), s * 0.02)
  },
  kite: {
    home: "sky",
    size: 0.8,
    colours: ["#f5822a", "#e5484d", "#22b8cf"],
    paint: (pen, x, y, s, colour) =>
      line(
        `M${n(x)} ${n(y + s * 0.3)}q${n(s * 0.14)} ${n(s * 0.12)} 0 ${n(s * 0.24)}t${n(-s * 0.04)} ${n(s * 0.2)}`,
        dark(colour, 0.2),
        s * 0.025
      ) +
      polygon(
        [
          [x, y - s * 0.42],
          [x + s * 0.27, y - s * 0.08],
          [x, y + s * 0.3],
          [x - s * 0.27, y - s * 0.08]
        ],
        pen.fill(colour),
        soft(colour, s)
      ) +
      line(
        `M${n(x)} ${n(y - s * 0.42)}V${n(y + s * 0.3)}M${n(x - s * 0.27)} ${n(y - s * 0.08)}H${n(x + s * 0.27)}`,
        light(colour, 0.6),
        s * 0.018
      )
  },
  plane: {
    home: "sky",
    size: 1.1,
    colours: ["#f4f6fa"],
    paint: (pen, x, y, s, colour) =>
      group(
        ellipse(0, 0, s * 0.45, s * 0.09, pen.fill(colour, 0.15), soft("#8f96a3", s)) +
          polygon(
            [
              [-s * 0.42, -s * 0.03],
              [-s * 0.5, -s * 0.2],
              [-s * 0.36, -s * 0.19],
              [-s * 0.28, -s * 0.04]
            ],
            pen.fill("#3b7df0")
          ) +
          polygon(
            [
              [s * 0.1, s * 0.02],
              [-s * 0.16, s * 0.26],
              [-s * 0.26, s * 0.24],
              [-s * 0.08, s * 0.02]
            ],
            pen.fill("#aab4c6")
          ) +
          [0.05, 0.14, 0.23, 0.32].map((dx) => circle((dx - 0.12) * s, -s * 0.02, s * 0.018, "#3a4563")).join(""),
        `translate(${n(x)} ${n(y)}) rotate(-8)`
      )
  },
  rocket: {
    home: "sky",
    size: 1.2,
    colours: ["#f4f6fa"],
    paint: (pen, x, y, s, colour) =>
      group(
        path(
          `M${n(-s * 0.08)} ${n(s * 0.28)}Q0 ${n(s * 0.62)} ${n(s * 0.08)} ${n(s * 0.28)}z`,
          pen.down("#ffc53d", "#e5484d")
        ) +
          polygon(
            [
              [-s * 0.12, s * 0.05],
              [-s * 0.26, s * 0.34],
              [-s * 0.1, s * 0.26]
            ],
            pen.fill("#e5484d")
          ) +
          polygon(
            [
              [s * 0.12, s * 0.05],
              [s * 0.26, s * 0.34],
              [s * 0.1, s * 0.26]
            ],
            pen.fill("#e5484d")
          ) +
          path(
            `M0 ${n(-s * 0.48)}C${n(s * 0.2)} ${n(-s * 0.25)} ${n(s * 0.16)} ${n(s * 0.1)} ${n(s * 0.11)} ${n(s * 0.28)}H${n(-s * 0.11)}C${n(-s * 0.16)} ${n(s * 0.1)} ${n(-s * 0.2)} ${n(-s * 0.25)} 0 ${n(-s * 0.48)}z`,
            pen.fill(colour, 0.18)
          ) +
          circle(0, -s * 0.1, s * 0.07, "#3b7df0", `stroke="#c3c9d4" stroke-width="${n(s * 0.025)}"`),
        `translate(${n(x)} ${n(y)}) rotate(18)`
      )
  },
  planet: {
    home: "sky",
    size: 1.2,
    colours: ["#f5a35c", "#8e4ec6", "#22b8cf"],
    paint: (pen, x, y, s, colour) =>
      group(
        circle(0, 0, s * 0.27, pen.fill(colour, 0.28)) +
          path(
            `M${n(-s * 0.25)} ${n(-s * 0.08)}Q0 ${n(s * 0.02)} ${n(s * 0.25)} ${n(-s * 0.08)}`,
            "none",
            `stroke="${light(colour, 0.4)}" stroke-width="${n(s * 0.03)}" opacity="0.6"`
          ) +
          `<path d="M${n(-s * 0.27)} ${n(-s * 0.03)}A${n(s * 0.47)} ${n(s * 0.12)} 0 1 0 ${n(s * 0.27)} ${n(-s * 0.03)}" fill="none" stroke="${light(colour, 0.55)}" stroke-width="${n(s * 0.045)}"/>`,
        `translate(${n(x)} ${n(y)}) rotate(-16)`
      )
  },
  tree: {
    home: "ground",
    size: 1.5,
    colours: ["#4a9b4f", "#3f8f57", "#6aa84f"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.3) +
      path(
        `M${n(x - s * 0.06)} ${n(y)}Q${n(x - s * 0.03)} ${n(y - s * 0.2)} ${n(x - s * 0.035)} ${n(y - s * 0.45)}H${n(x + s * 0.035)}Q${n(x + s * 0.03)} ${n(y - s * 0.2)} ${n(x + s * 0.06)} ${n(y)}z`,
        pen.fill("#80583a")
      ) +
      crown(pen, x, y - s * 0.58, s, colour)
  },
  pine: {
    home: "ground",
    size: 1.5,
    colours: ["#2f7d5b", "#2b6f57"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.24) +
      rect(x - s * 0.035, y - s * 0.14, s * 0.07, s * 0.14, pen.fill("#6f4b33")) +
      [0, 1, 2]
        .map((step) => {
          const w = 0.3 - step * 0.075
          const base = y - s * (0.1 + step * 0.24)
          return polygon(
            [
              [x, base - s * 0.42],
              [x + s * w, base],
              [x - s * w, base]
            ],
            pen.fill(light(colour, step * 0.07))
          )
        })
        .join("")
  },
  palm: {
    home: "ground",
    size: 1.6,
    colours: ["#3f9b57"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.2) +
      path(
        `M${n(x - s * 0.04)} ${n(y)}Q${n(x - s * 0.06)} ${n(y - s * 0.4)} ${n(x + s * 0.08)} ${n(y - s * 0.7)}L${n(x + s * 0.13)} ${n(y - s * 0.69)}Q${n(x + s * 0.02)} ${n(y - s * 0.4)} ${n(x + s * 0.045)} ${n(y)}z`,
        pen.fill("#9a7048")
      ) +
      [-160, -120, -60, -20, 20, 160]
        .map((turn) =>
          group(
            path(
              `M0 0Q${n(s * 0.2)} ${n(-s * 0.16)} ${n(s * 0.42)} ${n(s * 0.05)}Q${n(s * 0.2)} ${n(-s * 0.04)} 0 0z`,
              pen.fill(colour, 0.15)
            ),
            `translate(${n(x + s * 0.1)} ${n(y - s * 0.7)}) rotate(${turn})`
          )
        )
        .join("")
  },
  bush: {
    home: "ground",
    size: 0.7,
    colours: ["#4f9d55"],
    paint: (pen, x, y, s, colour) => shadow(x, y, s * 0.4) + crown(pen, x, y - s * 0.22, s * 0.95, colour)
  },
  cactus: {
    home: "ground",
    size: 1,
    colours: ["#4c9a61"],
    paint: (_pen, x, y, s, colour) =>
      shadow(x, y, s * 0.2) +
      line(
        `M${n(x)} ${n(y - s * 0.04)}V${n(y - s * 0.7)}M${n(x)} ${n(y - s * 0.28)}H${n(x - s * 0.22)}V${n(y - s * 0.52)}M${n(x)} ${n(y - s * 0.4)}H${n(x + s * 0.2)}V${n(y - s * 0.6)}`,
        dark(colour, 0.1),
        s * 0.15
      ) +
      line(`M${n(x - s * 0.03)} ${n(y - s * 0.06)}V${n(y - s * 0.7)}`, light(colour, 0.2), s * 0.03)
  },
  flower: {
    home: "ground",
    size: 0.62,
    colours: ["#f075a8", "#e5484d", "#ffc53d", "#8e4ec6", "#f5822a"],
    paint: (pen, x, y, s, colour) =>
      line(`M${n(x)} ${n(y)}Q${n(x + s * 0.04)} ${n(y - s * 0.3)} ${n(x)} ${n(y - s * 0.62)}`, "#3f8f57", s * 0.05) +
      path(
        `M${n(x)} ${n(y - s * 0.16)}q${n(s * 0.1)} ${n(-s * 0.16)} ${n(s * 0.24)} ${n(-s * 0.13)}q${n(-s * 0.06)} ${n(s * 0.14)} ${n(-s * 0.24)} ${n(s * 0.13)}z`,
        pen.fill("#4fa064")
      ) +
      Array.from({ length: 6 }, (_, index) =>
        group(
          ellipse(0, -s * 0.16, s * 0.09, s * 0.16, pen.fill(colour, 0.18)),
          `translate(${n(x)} ${n(y - s * 0.66)}) rotate(${index * 60})`
        )
      ).join("") +
      circle(x, y - s * 0.66, s * 0.09, pen.fill("#ffc53d"))
  },
  mushroom: {
    home: "ground",
    size: 0.6,
    colours: ["#e5484d"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.28) +
      rect(x - s * 0.12, y - s * 0.42, s * 0.24, s * 0.42, pen.fill("#f4e8d0"), s * 0.08) +
      path(
        `M${n(x - s * 0.42)} ${n(y - s * 0.36)}A${n(s * 0.42)} ${n(s * 0.42)} 0 0 1 ${n(x + s * 0.42)} ${n(y - s * 0.36)}z`,
        pen.fill(colour)
      ) +
      circle(x - s * 0.18, y - s * 0.5, s * 0.06, "#fff") +
      circle(x + s * 0.12, y - s * 0.6, s * 0.07, "#fff") +
      circle(x + s * 0.24, y - s * 0.44, s * 0.045, "#fff")
  },
  house: {
    home: "ground",
    deck: [0.6, -0.2],
    size: 1.45,
    colours: ["#f0c989", "#e9d8b4", "#e8a07c", "#cfe0e8"],
    paint: (pen, x, y, s, colour) => {
      const roof = pen.random() < 0.5 ? "#b5483c" : "#7d4a5c"
      return (
        shadow(x, y, s * 0.5) +
        rect(x + s * 0.16, y - s * 0.74, s * 0.1, s * 0.24, pen.fill("#8b5a4a")) +
        rect(x - s * 0.36, y - s * 0.42, s * 0.72, s * 0.42, pen.fill(colour, 0.16)) +
        polygon(
          [
            [x, y - s * 0.78],
            [x + s * 0.47, y - s * 0.4],
            [x - s * 0.47, y - s * 0.4]
          ],
          pen.fill(roof)
        ) +
        rect(x - s * 0.07, y - s * 0.24, s * 0.15, s * 0.24, pen.fill("#70472f"), s * 0.015) +
        circle(x + s * 0.045, y - s * 0.12, s * 0.013, "#f2d28a") +
        [-0.29, 0.15]
          .map(
            (dx) =>
              rect(
                x + dx * s,
                y - s * 0.32,
                s * 0.14,
                s * 0.14,
                pen.night ? "#ffdf8e" : "#bfe0f2",
                s * 0.01,
                `stroke="#fff" stroke-width="${n(s * 0.014)}"`
              ) +
              line(
                `M${n(x + (dx + 0.07) * s)} ${n(y - s * 0.32)}v${n(s * 0.14)}M${n(x + dx * s)} ${n(y - s * 0.25)}h${n(s * 0.14)}`,
                "#fff",
                s * 0.01
              )
          )
          .join("")
      )
    }
  },
  castle: {
    home: "ground",
    deck: [0.42, 0.18],
    size: 1.9,
    colours: ["#b9b3c6"],
    paint: (pen, x, y, s, colour) => {
      const tower = (dx: number, w: number, h: number) =>
        rect(x + (dx - w / 2) * s, y - h * s, w * s, h * s, pen.fill(colour, 0.14)) +
        polygon(
          [
            [x + dx * s, y - (h + 0.22) * s],
            [x + (dx + w * 0.68) * s, y - h * s],
            [x + (dx - w * 0.68) * s, y - h * s]
          ],
          pen.fill("#8b4a7a")
        ) +
        rect(x + (dx - 0.02) * s, y - (h - 0.1) * s, s * 0.04, s * 0.09, pen.night ? "#ffdf8e" : "#4a4f6e", s * 0.02)
      return (
        shadow(x, y, s * 0.5) +
        rect(x - s * 0.36, y - s * 0.36, s * 0.72, s * 0.36, pen.fill(dark(colour, 0.06), 0.12)) +
        [-0.3, -0.18, -0.06, 0.06, 0.18, 0.3]
          .map((dx) => rect(x + (dx - 0.035) * s, y - s * 0.42, s * 0.07, s * 0.08, pen.fill(dark(colour, 0.06), 0.12)))
          .join("") +
        tower(-0.36, 0.18, 0.5) +
        tower(0.36, 0.18, 0.5) +
        tower(0, 0.2, 0.66) +
        path(
          `M${n(x - s * 0.08)} ${n(y)}v${n(-s * 0.14)}a${n(s * 0.08)} ${n(s * 0.08)} 0 0 1 ${n(s * 0.16)} 0v${n(s * 0.14)}z`,
          "#5d3d2c"
        )
      )
    }
  },
  tower: {
    home: "ground",
    size: 1.9,
    colours: ["#7f93b8", "#9aa7c0", "#6d83a8"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.26) +
      rect(x - s * 0.18, y - s * 0.92, s * 0.36, s * 0.92, pen.fill(colour, 0.16), s * 0.015) +
      windows(pen, x - s * 0.17, y - s * 0.9, s * 0.34, s * 0.86, 4, 9)
  },
  lighthouse: {
    home: "ground",
    size: 1.9,
    colours: ["#e5484d"],
    paint: (pen, x, y, s, colour) =>
      (pen.night
        ? polygon(
            [
              [x, y - s * 0.82],
              [x + s * 1.5, y - s * 1.1],
              [x + s * 1.5, y - s * 0.5]
            ],
            pen.glow("#ffe9a8", 0.7)
          )
        : "") +
      shadow(x, y, s * 0.24) +
      polygon(
        [
          [x - s * 0.11, y - s * 0.74],
          [x + s * 0.11, y - s * 0.74],
          [x + s * 0.17, y],
          [x - s * 0.17, y]
        ],
        pen.fill("#fbfaf6", 0.1)
      ) +
      [0, 1]
        .map((band) => {
          const top = 0.6 - band * 0.34
          const w = (h: number) => 0.11 + (0.74 - h) * 0.081
          return polygon(
            [
              [x - w(top) * s, y - top * s],
              [x + w(top) * s, y - top * s],
              [x + w(top - 0.17) * s, y - (top - 0.17) * s],
              [x - w(top - 0.17) * s, y - (top - 0.17) * s]
            ],
            pen.fill(colour)
          )
        })
        .join("") +
      rect(x - s * 0.14, y - s * 0.77, s * 0.28, s * 0.035, dark(colour, 0.3)) +
      rect(x - s * 0.075, y - s * 0.88, s * 0.15, s * 0.12, "#ffe9a8") +
      path(
        `M${n(x - s * 0.1)} ${n(y - s * 0.88)}Q${n(x)} ${n(y - s * 1.04)} ${n(x + s * 0.1)} ${n(y - s * 0.88)}z`,
        pen.fill(colour)
      )
  },
  windmill: {
    home: "ground",
    size: 1.7,
    colours: ["#efe3cf"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.28) +
      polygon(
        [
          [x - s * 0.1, y - s * 0.6],
          [x + s * 0.1, y - s * 0.6],
          [x + s * 0.19, y],
          [x - s * 0.19, y]
        ],
        pen.fill(colour, 0.14)
      ) +
      path(
        `M${n(x - s * 0.12)} ${n(y - s * 0.58)}Q${n(x)} ${n(y - s * 0.78)} ${n(x + s * 0.12)} ${n(y - s * 0.58)}z`,
        pen.fill("#8b4a3c")
      ) +
      [0, 90, 180, 270]
        .map((turn) =>
          group(
            rect(-s * 0.012, -s * 0.42, s * 0.024, s * 0.42, "#6d4a34") +
              rect(
                s * 0.012,
                -s * 0.42,
                s * 0.09,
                s * 0.34,
                "#fdf8ec",
                0,
                `stroke="#b9a58a" stroke-width="${n(s * 0.008)}"`
              ),
            `translate(${n(x)} ${n(y - s * 0.62)}) rotate(${turn + 20})`
          )
        )
        .join("") +
      circle(x, y - s * 0.62, s * 0.03, "#4d3324")
  },
  tent: {
    home: "ground",
    size: 1,
    colours: ["#f5822a"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.5) +
      polygon(
        [
          [x, y - s * 0.6],
          [x + s * 0.5, y],
          [x - s * 0.5, y]
        ],
        pen.fill(colour)
      ) +
      polygon(
        [
          [x, y - s * 0.6],
          [x + s * 0.13, y],
          [x - s * 0.13, y]
        ],
        pen.night ? "#ffdf8e" : dark(colour, 0.5)
      )
  },
  fence: {
    home: "ground",
    size: 0.9,
    colours: ["#c9a37a"],
    paint: (pen, x, y, s, colour) =>
      [0, 1, 2, 3, 4]
        .map((post) =>
          rect(x - s * 0.5 + post * s * 0.225, y - s * 0.42, s * 0.09, s * 0.42, pen.fill(colour), s * 0.03)
        )
        .join("") +
      rect(x - s * 0.54, y - s * 0.33, s * 1.08, s * 0.06, pen.fill(dark(colour, 0.12))) +
      rect(x - s * 0.54, y - s * 0.17, s * 1.08, s * 0.06, pen.fill(dark(colour, 0.12)))
  },
  person: {
    home: "ground",
    size: 0.95,
    colours: ["#3b7df0", "#e5484d", "#3aa76d", "#f5822a", "#8e4ec6"],
    paint: (pen, x, y, s, colour) => {
      const skin = ["#f2c9a5", "#d9a074", "#a86f48", "#7c4e32"][Math.floor(pen.random() * 4)]!
      const hair = ["#2b2320", "#5d3b26", "#a8743d", "#1d1a26"][Math.floor(pen.random() * 4)]!
      return (
        shadow(x, y, s * 0.22) +
        line(
          `M${n(x - s * 0.07)} ${n(y - s * 0.02)}V${n(y - s * 0.32)}M${n(x + s * 0.07)} ${n(y - s * 0.02)}V${n(y - s * 0.32)}`,
          "#34405e",
          s * 0.085
        ) +
        line(
          `M${n(x - s * 0.15)} ${n(y - s * 0.56)}L${n(x - s * 0.22)} ${n(y - s * 0.34)}M${n(x + s * 0.15)} ${n(y - s * 0.56)}L${n(x + s * 0.23)} ${n(y - s * 0.4)}`,
          skin,
          s * 0.06
        ) +
        path(
          `M${n(x - s * 0.17)} ${n(y - s * 0.58)}Q${n(x)} ${n(y - s * 0.68)} ${n(x + s * 0.17)} ${n(y - s * 0.58)}L${n(x + s * 0.14)} ${n(y - s * 0.28)}H${n(x - s * 0.14)}z`,
          pen.fill(colour)
        ) +
        circle(x, y - s * 0.77, s * 0.145, skin) +
        path(
          `M${n(x - s * 0.15)} ${n(y - s * 0.77)}A${n(s * 0.15)} ${n(s * 0.16)} 0 0 1 ${n(x + s * 0.15)} ${n(y - s * 0.77)}Q${n(x)} ${n(y - s * 0.88)} ${n(x - s * 0.15)} ${n(y - s * 0.77)}z`,
          hair
        ) +
        circle(x - s * 0.05, y - s * 0.76, s * 0.017, "#23202e") +
        circle(x + s * 0.05, y - s * 0.76, s * 0.017, "#23202e")
      )
    }
  },
  cat: {
    home: "ground",
    size: 0.85,
    colours: ["#e79a4b", "#8f8a92", "#33313d", "#f3e4cf"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.34) +
      line(
        `M${n(x + s * 0.24)} ${n(y - s * 0.1)}q${n(s * 0.26)} ${n(-s * 0.04)} ${n(s * 0.16)} ${n(-s * 0.36)}`,
        dark(colour, 0.08),
        s * 0.075
      ) +
      ellipse(x, y - s * 0.23, s * 0.27, s * 0.24, pen.fill(colour)) +
      polygon(
        [
          [x - s * 0.22, y - s * 0.56],
          [x - s * 0.2, y - s * 0.82],
          [x - s * 0.04, y - s * 0.66]
        ],
        pen.fill(colour)
      ) +
      polygon(
        [
          [x + s * 0.22, y - s * 0.56],
          [x + s * 0.2, y - s * 0.82],
          [x + s * 0.04, y - s * 0.66]
        ],
        pen.fill(colour)
      ) +
      ellipse(x, y - s * 0.54, s * 0.23, s * 0.19, pen.fill(light(colour, 0.06))) +
      eye(x - s * 0.085, y - s * 0.56, s * 0.034) +
      eye(x + s * 0.085, y - s * 0.56, s * 0.034) +
      polygon(
        [
          [x - s * 0.028, y - s * 0.5],
          [x + s * 0.028, y - s * 0.5],
          [x, y - s * 0.47]
        ],
        "#d9707f"
      ) +
      line(
        `M${n(x - s * 0.12)} ${n(y - s * 0.48)}h${n(-s * 0.16)}M${n(x + s * 0.12)} ${n(y - s * 0.48)}h${n(s * 0.16)}`,
        dark(colour, 0.4),
        s * 0.01
      ) +
      ellipse(x - s * 0.1, y - s * 0.03, s * 0.07, s * 0.045, light(colour, 0.25)) +
      ellipse(x + s * 0.1, y - s * 0.03, s * 0.07, s * 0.045, light(colour, 0.25))
  },
  dog: {
    home: "ground",
    deck: [0.5, 0.05],
    size: 0.95,
    colours: ["#b98150", "#d9b98b", "#5d4637"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.38) +
      four(pen, x, y, s, colour, 0.28) +
      line(
        `M${n(x + s * 0.27)} ${n(y - s * 0.42)}q${n(s * 0.16)} ${n(-s * 0.04)} ${n(s * 0.16)} ${n(-s * 0.22)}`,
        colour,
        s * 0.07
      ) +
      ellipse(x, y - s * 0.36, s * 0.33, s * 0.17, pen.fill(colour)) +
      circle(x - s * 0.28, y - s * 0.58, s * 0.17, pen.fill(light(colour, 0.05))) +
      ellipse(x - s * 0.41, y - s * 0.53, s * 0.1, s * 0.075, pen.fill(light(colour, 0.25))) +
      circle(x - s * 0.49, y - s * 0.55, s * 0.03, "#23202e") +
      ellipse(x - s * 0.17, y - s * 0.57, s * 0.06, s * 0.14, dark(colour, 0.25)) +
      eye(x - s * 0.33, y - s * 0.62, s * 0.026)
  },
  sheep: {
    home: "ground",
    deck: [0.55, 0.05],
    size: 0.85,
    colours: ["#fbf7ee"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.36) +
      four(pen, x, y, s, "#4a4550", 0.26) +
      [
        [-0.18, 0.34],
        [0.02, 0.28],
        [0.2, 0.36],
        [-0.1, 0.46],
        [0.1, 0.47],
        [0, 0.38]
      ]
        .map(([dx, h]) => circle(x + dx! * s, y - h! * s, s * 0.16, pen.fill(colour, 0.08)))
        .join("") +
      ellipse(x - s * 0.33, y - s * 0.46, s * 0.1, s * 0.13, "#4a4550") +
      eye(x - s * 0.36, y - s * 0.49, s * 0.022)
  },
  rabbit: {
    home: "ground",
    size: 0.75,
    colours: ["#e9ded2", "#b8a595"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.3) +
      ellipse(x - s * 0.08, y - s * 0.82, s * 0.06, s * 0.2, pen.fill(colour)) +
      ellipse(x + s * 0.1, y - s * 0.82, s * 0.06, s * 0.2, pen.fill(colour)) +
      ellipse(x + s * 0.1, y - s * 0.82, s * 0.025, s * 0.13, "#eeb3b3") +
      ellipse(x, y - s * 0.22, s * 0.25, s * 0.23, pen.fill(colour)) +
      circle(x, y - s * 0.54, s * 0.18, pen.fill(light(colour, 0.1))) +
      circle(x + s * 0.25, y - s * 0.14, s * 0.08, "#fff") +
      eye(x - s * 0.07, y - s * 0.56, s * 0.03) +
      eye(x + s * 0.07, y - s * 0.56, s * 0.03) +
      circle(x, y - s * 0.49, s * 0.022, "#d9707f")
  },
  car: {
    home: "ground",
    deck: [0.46, -0.02],
    size: 1.15,
    colours: ["#e5484d", "#3b7df0", "#ffc53d", "#12a594"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.5) +
      path(
        `M${n(x - s * 0.28)} ${n(y - s * 0.28)}L${n(x - s * 0.17)} ${n(y - s * 0.46)}H${n(x + s * 0.14)}L${n(x + s * 0.28)} ${n(y - s * 0.28)}z`,
        pen.fill(light(colour, 0.08))
      ) +
      path(
        `M${n(x - s * 0.21)} ${n(y - s * 0.28)}L${n(x - s * 0.14)} ${n(y - s * 0.42)}H${n(x - s * 0.02)}V${n(y - s * 0.28)}zM${n(x + s * 0.02)} ${n(y - s * 0.28)}V${n(y - s * 0.42)}H${n(x + s * 0.12)}L${n(x + s * 0.21)} ${n(y - s * 0.28)}z`,
        "#d5ecf7"
      ) +
      rect(x - s * 0.5, y - s * 0.29, s, s * 0.2, pen.fill(colour), s * 0.07) +
      rect(x + s * 0.43, y - s * 0.24, s * 0.07, s * 0.05, "#ffefb0", s * 0.02) +
      wheel(x - s * 0.27, y - s * 0.09, s * 0.1) +
      wheel(x + s * 0.27, y - s * 0.09, s * 0.1)
  },
  bus: {
    home: "ground",
    deck: [0.5, 0],
    size: 1.4,
    colours: ["#ffc53d", "#e5484d"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.5) +
      rect(x - s * 0.5, y - s * 0.5, s, s * 0.42, pen.fill(colour), s * 0.05) +
      [0, 1, 2, 3, 4]
        .map((one) => rect(x - s * 0.45 + one * s * 0.18, y - s * 0.44, s * 0.14, s * 0.14, "#d5ecf7", s * 0.02))
        .join("") +
      rect(x - s * 0.5, y - s * 0.22, s, s * 0.03, light(colour, 0.6)) +
      wheel(x - s * 0.28, y - s * 0.08, s * 0.085) +
      wheel(x + s * 0.28, y - s * 0.08, s * 0.085)
  },
  bicycle: {
    home: "ground",
    size: 0.95,
    colours: ["#e5484d", "#12a594"],
    paint: (_, x, y, s, colour) =>
      [-0.26, 0.26]
        .map(
          (dx) =>
            `<circle cx="${n(x + dx * s)}" cy="${n(y - s * 0.2)}" r="${n(s * 0.19)}" fill="none" stroke="#2a2f3d" stroke-width="${n(s * 0.035)}"/>`
        )
        .join("") +
      line(
        `M${n(x - s * 0.26)} ${n(y - s * 0.2)}L${n(x - s * 0.1)} ${n(y - s * 0.46)}H${n(x + s * 0.16)}L${n(x + s * 0.26)} ${n(y - s * 0.2)}M${n(x - s * 0.1)} ${n(y - s * 0.46)}L${n(x)} ${n(y - s * 0.2)}H${n(x - s * 0.26)}M${n(x)} ${n(y - s * 0.2)}L${n(x + s * 0.16)} ${n(y - s * 0.46)}L${n(x + s * 0.13)} ${n(y - s * 0.58)}h${n(s * 0.1)}M${n(x - s * 0.1)} ${n(y - s * 0.46)}v${n(-s * 0.07)}m${n(-s * 0.07)} 0h${n(s * 0.13)}`,
        colour,
        s * 0.035
      )
  },
  boat: {
    home: "sea",
    deck: [0.13, -0.26],
    size: 1.3,
    colours: ["#b5483c", "#34588a", "#8b5a3c"],
    paint: (pen, x, y, s, colour) =>
      line(`M${n(x)} ${n(y - s * 0.14)}V${n(y - s * 0.86)}`, "#6d4a34", s * 0.025) +
      path(
        `M${n(x + s * 0.03)} ${n(y - s * 0.84)}Q${n(x + s * 0.4)} ${n(y - s * 0.5)} ${n(x + s * 0.36)} ${n(y - s * 0.22)}H${n(x + s * 0.03)}z`,
        pen.fill("#fdfaf2", 0.1)
      ) +
      path(
        `M${n(x - s * 0.03)} ${n(y - s * 0.76)}Q${n(x - s * 0.26)} ${n(y - s * 0.5)} ${n(x - s * 0.28)} ${n(y - s * 0.22)}H${n(x - s * 0.03)}z`,
        pen.fill("#f6e3d0", 0.1)
      ) +
      path(
        `M${n(x - s * 0.46)} ${n(y - s * 0.16)}H${n(x + s * 0.48)}Q${n(x + s * 0.36)} ${n(y + s * 0.06)} ${n(x + s * 0.2)} ${n(y + s * 0.06)}H${n(x - s * 0.24)}Q${n(x - s * 0.4)} ${n(y + s * 0.04)} ${n(x - s * 0.46)} ${n(y - s * 0.16)}z`,
        pen.fill(colour)
      ) +
      line(
        `M${n(x - s * 0.5)} ${n(y + s * 0.07)}q${n(s * 0.12)} ${n(-s * 0.05)} ${n(s * 0.25)} 0t${n(s * 0.25)} 0t${n(s * 0.25)} 0t${n(s * 0.25)} 0`,
        "#ffffff",
        s * 0.022
      )
  },
  fish: {
    home: "sea",
    size: 0.6,
    colours: ["#f5822a", "#ffc53d", "#e5484d", "#22b8cf"],
    paint: (pen, x, y, s, colour) =>
      polygon(
        [
          [x + s * 0.22, y],
          [x + s * 0.48, y - s * 0.18],
          [x + s * 0.48, y + s * 0.18]
        ],
        pen.fill(dark(colour, 0.08))
      ) +
      ellipse(x, y, s * 0.34, s * 0.2, pen.fill(colour)) +
      path(
        `M${n(x - s * 0.02)} ${n(y - s * 0.18)}q${n(s * 0.1)} ${n(-s * 0.14)} ${n(s * 0.2)} ${n(-s * 0.02)}z`,
        dark(colour, 0.1)
      ) +
      circle(x - s * 0.2, y - s * 0.04, s * 0.05, "#fff") +
      circle(x - s * 0.21, y - s * 0.04, s * 0.028, "#1d2233")
  },
  whale: {
    home: "sea",
    deck: [0.28, 0.05],
    size: 1.6,
    colours: ["#4a6fa5"],
    paint: (pen, x, y, s, colour) =>
      line(
        `M${n(x - s * 0.2)} ${n(y - s * 0.34)}q${n(-s * 0.02)} ${n(-s * 0.14)} ${n(-s * 0.12)} ${n(-s * 0.16)}M${n(x - s * 0.2)} ${n(y - s * 0.34)}q${n(s * 0.02)} ${n(-s * 0.14)} ${n(s * 0.12)} ${n(-s * 0.16)}`,
        "#d9eefc",
        s * 0.03
      ) +
      path(
        `M${n(x - s * 0.46)} ${n(y + s * 0.02)}Q${n(x - s * 0.44)} ${n(y - s * 0.32)} ${n(x - s * 0.06)} ${n(y - s * 0.3)}Q${n(x + s * 0.26)} ${n(y - s * 0.26)} ${n(x + s * 0.34)} ${n(y - s * 0.08)}Q${n(x + s * 0.4)} ${n(y - s * 0.2)} ${n(x + s * 0.5)} ${n(y - s * 0.24)}Q${n(x + s * 0.5)} ${n(y - s * 0.02)} ${n(x + s * 0.36)} ${n(y + s * 0.04)}z`,
        pen.fill(colour)
      ) +
      path(
        `M${n(x - s * 0.46)} ${n(y + s * 0.02)}Q${n(x - s * 0.1)} ${n(y - s * 0.12)} ${n(x + s * 0.14)} ${n(y + s * 0.04)}z`,
        light(colour, 0.6)
      ) +
      eye(x - s * 0.29, y - s * 0.12, s * 0.024)
  },
  duck: {
    home: "sea",
    size: 0.65,
    colours: ["#ffc53d"],
    paint: (pen, x, y, s, colour) =>
      path(
        `M${n(x - s * 0.34)} ${n(y - s * 0.16)}Q${n(x)} ${n(y - s * 0.3)} ${n(x + s * 0.44)} ${n(y - s * 0.3)}Q${n(x + s * 0.36)} ${n(y + s * 0.06)} ${n(x)} ${n(y + s * 0.06)}Q${n(x - s * 0.3)} ${n(y + s * 0.06)} ${n(x - s * 0.34)} ${n(y - s * 0.16)}z`,
        pen.fill(colour)
      ) +
      circle(x - s * 0.2, y - s * 0.36, s * 0.18, pen.fill(light(colour, 0.05))) +
      polygon(
        [
          [x - s * 0.36, y - s * 0.38],
          [x - s * 0.52, y - s * 0.32],
          [x - s * 0.35, y - s * 0.29]
        ],
        "#f5822a"
      ) +
      eye(x - s * 0.25, y - s * 0.4, s * 0.03)
  },
  umbrella: {
    home: "ground",
    size: 1.1,
    colours: ["#e5484d", "#3b7df0", "#8e4ec6"],
    paint: (pen, x, y, s, colour) =>
      line(`M${n(x)} ${n(y - s * 0.6)}V${n(y - s * 0.05)}`, "#6d4a34", s * 0.03) +
      path(
        `M${n(x - s * 0.46)} ${n(y - s * 0.52)}A${n(s * 0.46)} ${n(s * 0.42)} 0 0 1 ${n(x + s * 0.46)} ${n(y - s * 0.52)}q${n(-s * 0.115)} ${n(-s * 0.1)} ${n(-s * 0.23)} 0q${n(-s * 0.115)} ${n(-s * 0.1)} ${n(-s * 0.23)} 0q${n(-s * 0.115)} ${n(-s * 0.1)} ${n(-s * 0.23)} 0q${n(-s * 0.115)} ${n(-s * 0.1)} ${n(-s * 0.23)} 0z`,
        pen.fill(colour)
      )
  },
  apple: {
    home: "free",
    size: 0.8,
    colours: ["#d9434a", "#6fae4a"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.46, s * 0.28) +
      path(
        `M${n(x)} ${n(y - s * 0.22)}C${n(x - s * 0.5)} ${n(y - s * 0.44)} ${n(x - s * 0.5)} ${n(y + s * 0.3)} ${n(x - s * 0.14)} ${n(y + s * 0.44)}Q${n(x)} ${n(y + s * 0.38)} ${n(x + s * 0.14)} ${n(y + s * 0.44)}C${n(x + s * 0.5)} ${n(y + s * 0.3)} ${n(x + s * 0.5)} ${n(y - s * 0.44)} ${n(x)} ${n(y - s * 0.22)}z`,
        pen.fill(colour)
      ) +
      line(
        `M${n(x)} ${n(y - s * 0.22)}q${n(s * 0.01)} ${n(-s * 0.14)} ${n(s * 0.06)} ${n(-s * 0.2)}`,
        "#6d4a34",
        s * 0.035
      ) +
      path(
        `M${n(x + s * 0.04)} ${n(y - s * 0.32)}q${n(s * 0.12)} ${n(-s * 0.14)} ${n(s * 0.24)} ${n(-s * 0.05)}q${n(-s * 0.1)} ${n(s * 0.13)} ${n(-s * 0.24)} ${n(s * 0.05)}z`,
        pen.fill("#4fa064")
      )
  },
  cup: {
    home: "free",
    size: 0.85,
    colours: ["#f4efe6", "#e8a07c", "#7fa8c9"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.42, s * 0.36) +
      `<path d="M${n(x + s * 0.24)} ${n(y - s * 0.06)}h${n(s * 0.08)}a${n(s * 0.12)} ${n(s * 0.12)} 0 0 1 0 ${n(s * 0.24)}h${n(-s * 0.1)}" fill="none" stroke="${dark(colour, 0.12)}" stroke-width="${n(s * 0.06)}"/>` +
      path(
        `M${n(x - s * 0.3)} ${n(y - s * 0.14)}H${n(x + s * 0.28)}L${n(x + s * 0.22)} ${n(y + s * 0.4)}H${n(x - s * 0.24)}z`,
        pen.fill(colour, 0.14)
      ) +
      ellipse(x - s * 0.01, y - s * 0.14, s * 0.29, s * 0.06, "#6f4a33") +
      [-0.1, 0.08]
        .map((dx) =>
          line(
            `M${n(x + dx * s)} ${n(y - s * 0.22)}q${n(s * 0.06)} ${n(-s * 0.08)} 0 ${n(-s * 0.14)}t0 ${n(-s * 0.12)}`,
            "#ffffff",
            s * 0.022
          )
        )
        .join("")
  },
  book: {
    home: "free",
    deck: [0.3, 0],
    size: 0.9,
    colours: ["#3b5b92", "#b5483c"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.36, s * 0.46) +
      rect(x - s * 0.5, y - s * 0.26, s, s * 0.58, pen.fill(colour), s * 0.03) +
      path(
        `M${n(x)} ${n(y - s * 0.24)}Q${n(x - s * 0.24)} ${n(y - s * 0.36)} ${n(x - s * 0.46)} ${n(y - s * 0.27)}V${n(y + s * 0.25)}Q${n(x - s * 0.24)} ${n(y + s * 0.17)} ${n(x)} ${n(y + s * 0.29)}z`,
        pen.fill("#fdf8ec", 0.08)
      ) +
      path(
        `M${n(x)} ${n(y - s * 0.24)}Q${n(x + s * 0.24)} ${n(y - s * 0.36)} ${n(x + s * 0.46)} ${n(y - s * 0.27)}V${n(y + s * 0.25)}Q${n(x + s * 0.24)} ${n(y + s * 0.17)} ${n(x)} ${n(y + s * 0.29)}z`,
        pen.fill("#fffdf6", 0.06)
      ) +
      [0, 1, 2]
        .map((row) =>
          line(
            `M${n(x - s * 0.38)} ${n(y - s * 0.14 + row * s * 0.12)}h${n(s * 0.28)}M${n(x + s * 0.1)} ${n(y - s * 0.14 + row * s * 0.12)}h${n(s * 0.28)}`,
            "#b9b3a6",
            s * 0.016
          )
        )
        .join("")
  },
  lamp: {
    home: "ground",
    size: 1.3,
    colours: ["#39415c"],
    paint: (pen, x, y, s, colour) =>
      circle(x, y - s * 0.84, s * (pen.night ? 0.5 : 0.22), pen.glow("#ffe2a0", 0.8)) +
      line(`M${n(x)} ${n(y)}V${n(y - s * 0.74)}`, colour, s * 0.035) +
      rect(
        x - s * 0.09,
        y - s * 0.93,
        s * 0.18,
        s * 0.2,
        "#ffe9b0",
        s * 0.03,
        `stroke="${colour}" stroke-width="${n(s * 0.03)}"`
      ) +
      polygon(
        [
          [x - s * 0.12, y - s * 0.93],
          [x + s * 0.12, y - s * 0.93],
          [x, y - s]
        ],
        colour
      )
  },
  cake: {
    home: "free",
    deck: [0.1, 0.3],
    size: 1,
    colours: ["#f6c4d2"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.4, s * 0.44) +
      rect(x - s * 0.4, y - s * 0.06, s * 0.8, s * 0.44, pen.fill("#e9c08d", 0.12), s * 0.05) +
      path(
        `M${n(x - s * 0.42)} ${n(y - s * 0.1)}H${n(x + s * 0.42)}V${n(y + s * 0.04)}q${n(-s * 0.07)} ${n(s * 0.12)} ${n(-s * 0.14)} 0q${n(-s * 0.07)} ${n(s * 0.12)} ${n(-s * 0.14)} 0q${n(-s * 0.07)} ${n(s * 0.12)} ${n(-s * 0.14)} 0q${n(-s * 0.07)} ${n(s * 0.12)} ${n(-s * 0.14)} 0q${n(-s * 0.07)} ${n(s * 0.12)} ${n(-s * 0.14)} 0q${n(-s * 0.07)} ${n(s * 0.12)} ${n(-s * 0.14)} 0z`,
        pen.fill(colour, 0.12)
      ) +
      [-0.22, 0, 0.22]
        .map(
          (dx) =>
            rect(x + dx * s - s * 0.02, y - s * 0.32, s * 0.04, s * 0.22, "#7fb2e5", s * 0.01) +
            ellipse(x + dx * s, y - s * 0.38, s * 0.03, s * 0.055, "#ffb93d")
        )
        .join("")
  },
  gift: {
    home: "free",
    deck: [0.26, 0.2],
    size: 0.9,
    colours: ["#e5484d", "#3aa76d", "#8e4ec6"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y + s * 0.46, s * 0.42) +
      rect(x - s * 0.36, y - s * 0.14, s * 0.72, s * 0.58, pen.fill(colour), s * 0.03) +
      rect(x - s * 0.42, y - s * 0.26, s * 0.84, s * 0.17, pen.fill(light(colour, 0.08)), s * 0.03) +
      rect(x - s * 0.06, y - s * 0.26, s * 0.12, s * 0.7, "#ffe08a") +
      `<path d="M${n(x)} ${n(y - s * 0.26)}q${n(-s * 0.3)} ${n(-s * 0.26)} ${n(-s * 0.2)} ${n(-s * 0.02)}zM${n(x)} ${n(y - s * 0.26)}q${n(s * 0.3)} ${n(-s * 0.26)} ${n(s * 0.2)} ${n(-s * 0.02)}z" fill="none" stroke="#ffe08a" stroke-width="${n(s * 0.05)}" stroke-linejoin="round"/>`
  },
  robot: {
    home: "ground",
    size: 1.1,
    colours: ["#9fb3c8", "#c3c9d4"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.3) +
      rect(x - s * 0.16, y - s * 0.16, s * 0.11, s * 0.16, dark(colour, 0.3), s * 0.02) +
      rect(x + s * 0.05, y - s * 0.16, s * 0.11, s * 0.16, dark(colour, 0.3), s * 0.02) +
      line(
        `M${n(x - s * 0.24)} ${n(y - s * 0.42)}L${n(x - s * 0.36)} ${n(y - s * 0.26)}M${n(x + s * 0.24)} ${n(y - s * 0.42)}L${n(x + s * 0.36)} ${n(y - s * 0.5)}`,
        dark(colour, 0.2),
        s * 0.07
      ) +
      rect(x - s * 0.24, y - s * 0.52, s * 0.48, s * 0.38, pen.fill(colour), s * 0.06) +
      circle(x, y - s * 0.33, s * 0.06, "#3b7df0") +
      line(`M${n(x)} ${n(y - s * 0.86)}v${n(-s * 0.08)}`, dark(colour, 0.3), s * 0.025) +
      circle(x, y - s * 0.96, s * 0.035, "#e5484d") +
      rect(x - s * 0.2, y - s * 0.86, s * 0.4, s * 0.3, pen.fill(light(colour, 0.1)), s * 0.07) +
      circle(x - s * 0.08, y - s * 0.72, s * 0.05, "#2a3350") +
      circle(x + s * 0.08, y - s * 0.72, s * 0.05, "#2a3350") +
      circle(x - s * 0.08, y - s * 0.72, s * 0.022, "#7df0e0") +
      circle(x + s * 0.08, y - s * 0.72, s * 0.022, "#7df0e0") +
      line(`M${n(x - s * 0.07)} ${n(y - s * 0.61)}h${n(s * 0.14)}`, "#2a3350", s * 0.02)
  },
  snowman: {
    home: "ground",
    size: 1.1,
    colours: ["#fdfdfd"],
    paint: (pen, x, y, s, colour) =>
      shadow(x, y, s * 0.34) +
      circle(x, y - s * 0.25, s * 0.27, pen.fill(colour, 0.12)) +
      circle(x, y - s * 0.58, s * 0.2, pen.fill(colour, 0.12)) +
      circle(x, y - s * 0.84, s * 0.145, pen.fill(colour, 0.12)) +
      circle(x - s * 0.05, y - s * 0.87, s * 0.018, "#23202e") +
      circle(x + s * 0.05, y - s * 0.87, s * 0.018, "#23202e") +
      polygon(
        [
          [x, y - s * 0.84],
          [x + s * 0.15, y - s * 0.81],
          [x, y - s * 0.8]
        ],
        "#f5822a"
      ) +
      rect(x - s * 0.16, y - s * 0.74, s * 0.32, s * 0.06, "#e5484d", s * 0.03) +
      [0.5, 0.58, 0.66].map((h) => circle(x, y - s * h, s * 0.018, "#23202e")).join("") +
      line(
        `M${n(x - s * 0.18)} ${n(y - s * 0.6)}l${n(-s * 0.2)} ${n(-s * 0.12)}M${n(x + s * 0.18)} ${n(y - s * 0.6)}l${n(s * 0.2)} ${n(-s * 0.12)}`,
        "#6d4a34",
        s * 0.025
      )
  },
  mountain: {
    home: "ground",
    size: 2.2,
    colours: ["#7d86a8"],
    paint: (pen, x, y, s, colour) =>
      polygon(
        [
          [x, y - s * 0.7],
          [x + s * 0.55, y],
          [x - s * 0.55, y]
        ],
        pen.fill(colour)
      ) +
      polygon(
        [
          [x, y - s * 0.7],
          [x + s * 0.16, y - s * 0.5],
          [x + s * 0.06, y - s * 0.53],
          [x, y - s * 0.46],
          [x - s * 0.08, y - s * 0.53],
          [x - s * 0.16, y - s * 0.5]
        ],
        "#fbfcff"
      )
  }
}

/** The contact sheet: every picture of a run in one, row by row, with its seed and its score, and a frame around those picked. */
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import sharp, { type OverlayOptions } from "sharp"

/** One picture of the sheet. */
export interface Frame {
  readonly picture: Uint8Array
  readonly label: string
  readonly score?: number
  readonly picked: boolean
}

/** A row: a prompt, by its name, and its pictures. */
export interface Row {
  readonly name: string
  readonly frames: ReadonlyArray<Frame>
}

const require = createRequire(import.meta.url)

interface Glyph {
  readonly index: number
  readonly advanceWidth: number
  readonly getPath: (x: number, y: number, size: number) => { readonly toPathData: (digits: number) => string }
}
interface Font {
  readonly unitsPerEm: number
  readonly charToGlyph: (char: string) => Glyph
}

const widthOf = (font: Font, text: string, size: number): number =>
  [...text].reduce((sum, char) => sum + (font.charToGlyph(char).advanceWidth * size) / font.unitsPerEm, 0)

/** Letter by letter: the features of the font that join letters are not needed here, and not known to the library. */
const outline = (font: Font, text: string, left: number, y: number, size: number): string => {
  let x = left
  return [...text]
    .map((char) => {
      const path = font.charToGlyph(char).getPath(x, y, size).toPathData(2)
      x += widthOf(font, char, size)
      return path
    })
    .join("")
}

/** Inter, as outlines: the sheet looks the same where no fonts are installed. */
const fontOf = async (path: string): Promise<Font> => {
  const file = await readFile(path)
  const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength)
  return require("opentype.js").parse(bytes)
}

const ink = "#2a2622"
const faint = "#8d857a"
const paper = "#faf8f4"
const good = "#1f8a5b"

const cell = { width: 236, gap: 12, label: 30 }
const margin = { side: 20, top: 54, name: 104 }

/** Makes the sheet as a PNG; `undefined` when there is no picture. */
export const contactSheet = async (title: string, rows: ReadonlyArray<Row>): Promise<Uint8Array | undefined> => {
  const shown = rows.filter(({ frames }) => frames.length > 0)
  const columns = Math.min(8, Math.max(0, ...shown.map(({ frames }) => frames.length)))
  const first = shown[0]?.frames[0]
  if (first === undefined) return undefined
  const [plain, strong] = await Promise.all([
    fontOf(require.resolve("@fontsource/inter/files/inter-latin-400-normal.woff")),
    fontOf(require.resolve("@fontsource/inter/files/inter-latin-600-normal.woff"))
  ])
  const { height: across = 2, width: along = 3 } = await sharp(first.picture).metadata()
  const tall = Math.round(Math.min(1.5, across / along) * cell.width)
  const lines = shown.flatMap(({ frames, name }, row) =>
    Array.from({ length: Math.ceil(frames.length / columns) }, (_, line) => ({
      name: line === 0 ? name : "",
      number: row + 1,
      frames: frames.slice(line * columns, (line + 1) * columns)
    }))
  )
  const height = margin.top + lines.length * (tall + cell.label + cell.gap) + 8
  const width = 2 * margin.side + margin.name + columns * (cell.width + cell.gap) - cell.gap

  const write = (text: string, x: number, y: number, size: number, colour: string, font: Font = plain, end = false) => {
    const left = end ? x - widthOf(font, text, size) : x
    return `<path d="${outline(font, text, left, y, size)}" fill="${colour}"/>`
  }
  /** A name in letters that the font has, or else its number; cut to the room there is. */
  const written = (name: string, number: number): string => {
    const known = [...name].every((char) => strong.charToGlyph(char).index !== 0)
    let text = known ? name : `no. ${number}`
    while (text.length > 1 && widthOf(strong, text, 15) > margin.name - 12) text = `${text.slice(0, -2)}…`
    return text
  }

  const pictures: Array<OverlayOptions> = []
  let below = ""
  let above = write(title, margin.side, 34, 19, ink, strong)
  for (const [at, line] of lines.entries()) {
    const top = margin.top + at * (tall + cell.label + cell.gap)
    if (line.name !== "") above += write(written(line.name, line.number), margin.side, top + 18, 15, ink, strong)
    for (const [column, frame] of line.frames.entries()) {
      const left = margin.side + margin.name + column * (cell.width + cell.gap)
      const input = await sharp(frame.picture).resize(cell.width, tall, { fit: "cover" }).toBuffer()
      pictures.push({ input, left, top })
      if (frame.picked) {
        below += `<rect x="${left - 4}" y="${top - 4}" width="${cell.width + 8}" height="${tall + cell.label}" rx="5" fill="${good}"/>`
      }
      const colour = frame.picked ? "#ffffff" : faint
      above += write(frame.label, left + 2, top + tall + 18, 14, colour, frame.picked ? strong : plain)
      const said = `${frame.picked ? "picked   " : ""}${frame.score === undefined ? "" : frame.score.toFixed(2)}`
      if (said.trim() !== "")
        above += write(said, left + cell.width - 2, top + tall + 18, 14, frame.picked ? "#ffffff" : ink, strong, true)
    }
  }
  const layer = (body: string) =>
    Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${body}</svg>`)
  return sharp({ create: { width, height, channels: 3, background: paper } })
    .composite([{ input: layer(below), left: 0, top: 0 }, ...pictures, { input: layer(above), left: 0, top: 0 }])
    .png({ compressionLevel: 9, palette: true, quality: 90 })
    .toBuffer()
}

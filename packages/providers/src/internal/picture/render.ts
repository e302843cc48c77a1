/**
 * Makes PNGs of a composition with `sharp`, finished or on the way there.
 *
 * @since 0.1.0
 */
import type { Composition } from "./compose.ts"
import { n } from "./paint.ts"

const svgOf = (picture: Composition, share: number): string => {
  const { background, defs, edge, foreground, height, things, width } = picture
  const shown = things.slice(0, Math.ceil(things.length * share)).join("")
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><defs>${defs}<radialGradient id="edge" cx="0.5" cy="0.48" r="0.78"><stop offset="0.62" stop-color="#0d1230" stop-opacity="0"/><stop offset="1" stop-color="#0d1230" stop-opacity="${edge}"/></radialGradient></defs>${background}${shown}${share === 1 ? foreground : ""}<rect width="${width}" height="${height}" fill="url(#edge)"/></svg>`
}

/** The PNG of a composition; below 1, `share` is how much of the work is done: fewer things, and out of focus. */
export const render = async (picture: Composition, share = 1): Promise<Uint8Array> => {
  const { default: sharp } = await import("sharp")
  const drawn = sharp(Buffer.from(svgOf(picture, share)), { density: 72 })
  const focused =
    share < 1
      ? drawn.blur(Math.max(0.5, Number(n(Math.min(picture.width, picture.height) * 0.03 * (1 - share)))))
      : drawn
  return focused.removeAlpha().png({ compressionLevel: 8, palette: false }).toBuffer()
}

/**
 * Pictures on their way to and from a provider: what kind they are, and their bytes or address.
 *
 * @since 0.1.0
 */
import type { Prompt } from "@interlock/model"

/** A picture to send: its bytes in base64, or where it lies. */
export type Sent =
  | { readonly _tag: "Data"; readonly mediaType: string; readonly base64: string }
  | { readonly _tag: "Url"; readonly mediaType: string; readonly url: string }

const dataUrl = /^data:([^;,]*)(?:;[^;,]*)*;base64,/i

/** The picture of a prompt's file. */
export const sentOf = ({ data, mediaType }: Prompt.FilePart): Sent => {
  if (data instanceof Uint8Array) return { _tag: "Data", mediaType, base64: Buffer.from(data).toString("base64") }
  if (data instanceof URL) return { _tag: "Url", mediaType, url: data.href }
  if (typeof data !== "string") {
    return data._tag === "URL"
      ? { _tag: "Url", mediaType, url: data.href }
      : { _tag: "Data", mediaType, base64: data.base64 }
  }
  if (/^https?:\/\//i.test(data)) return { _tag: "Url", mediaType, url: data }
  const head = dataUrl.exec(data)
  return { _tag: "Data", mediaType, base64: head === null ? data : data.slice(head[0].length) }
}

/** The address of a picture, as a data URL where it has none. */
export const urlOf = (sent: Sent): string =>
  sent._tag === "Url" ? sent.url : `data:${sent.mediaType};base64,${sent.base64}`

/** What kind of picture begins so; `undefined` for what is none. */
export const mediaTypeOf = (base64: string): string | undefined =>
  base64.startsWith("iVBORw0KGgo")
    ? "image/png"
    : base64.startsWith("/9j/")
      ? "image/jpeg"
      : base64.startsWith("UklGR")
        ? "image/webp"
        : base64.startsWith("R0lGOD")
          ? "image/gif"
          : /^AAAA[A-Z]{1}[GH]Z0eXBhdmlm/.test(base64)
            ? "image/avif"
            : undefined

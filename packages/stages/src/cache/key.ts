/**
 * The exact key of a call: a hash of everything that can change its answer. Two calls have one key only when every field
 * is equal, whatever order their objects list their fields in.
 *
 * @since 0.1.0
 */
import { hash } from "node:crypto"

/**
 * The SHA-256 of a value's canonical form, as 43 characters of base64url.
 *
 * The canonical form writes every value with its type and its length in front, object fields sorted by name and fields
 * that are `undefined` left out (as JSON does), so that no two different values are written alike. Text is compared
 * exactly: no Unicode normalisation, since a model may answer two forms differently.
 *
 * @example
 * ```ts
 * import { canonicalHash } from "@interlock/stages/cache/key"
 *
 * canonicalHash({ a: 1, b: "x" }) === canonicalHash({ b: "x", a: 1 }) // => true
 * canonicalHash({ a: 1 }) === canonicalHash({ a: "1" }) // => false
 * ```
 *
 * @category keys
 * @since 0.1.0
 */
export const canonicalHash = (value: unknown): string => {
  const pieces: Array<string> = []
  write(pieces, value)
  return hash("sha256", pieces.join(""), "base64url")
}

const write = (pieces: Array<string>, value: unknown): void => {
  switch (typeof value) {
    case "string":
      // A lone surrogate would be replaced when the text is encoded for hashing, and two texts would become one.
      if (value.isWellFormed()) pieces.push(`s${value.length}:`, value)
      else pieces.push("w", JSON.stringify(value))
      return
    case "number":
      pieces.push(`n${Object.is(value, -0) ? 0 : value};`)
      return
    case "boolean":
      pieces.push(value ? "t" : "f")
      return
    case "bigint":
      pieces.push(`i${value};`)
      return
    case "object":
      if (value === null) pieces.push("z")
      else if (Array.isArray(value)) {
        pieces.push(`[${value.length}:`)
        for (const item of value) write(pieces, item)
      } else writeObject(pieces, value)
      return
    default:
      pieces.push("u")
  }
}

const writeObject = (pieces: Array<string>, value: object): void => {
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) writeFields(pieces, value)
  else if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    pieces.push("b", String(value.byteLength), ":", bytes.toString("base64"))
  } else if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) {
    write(pieces, new Uint8Array(value))
  } else if (value instanceof Map) {
    pieces.push("m")
    write(pieces, [...value])
  } else if (value instanceof Set) {
    pieces.push("e")
    write(pieces, [...value])
  } else if ("toJSON" in value && typeof value.toJSON === "function") {
    pieces.push("j")
    write(pieces, value.toJSON())
  } else {
    // What an object of a class holds need not be in its fields: a regular expression has none.
    pieces.push("o")
    write(pieces, String(value))
    writeFields(pieces, value)
  }
}

const writeFields = (pieces: Array<string>, value: object): void => {
  const fields = value as { readonly [name: string]: unknown }
  pieces.push("{")
  const names = Object.keys(fields)
  for (let index = 1; index < names.length; index++) {
    if (names[index - 1]! > names[index]!) {
      names.sort()
      break
    }
  }
  for (const name of names) {
    const field = fields[name]
    if (field === undefined || typeof field === "function") continue
    pieces.push(writtenNames.get(name) ?? writeName(name))
    write(pieces, field)
  }
  pieces.push("}")
}

/** Field names are few and come again, so their written form is kept. */
const writtenNames = new Map<string, string>()

const writeName = (name: string): string => {
  const written = name.isWellFormed() ? `k${name.length}:${name}` : `l${JSON.stringify(name)}`
  if (writtenNames.size < 1_000 && name.length <= 64) writtenNames.set(name, written)
  return written
}

/**
 * Files of numbers that were learned: a magic word, a manifest in plain JSON that says what they are, and the numbers, whose SHA-256 the
 * manifest names. They hold no code, and nothing of one is used before all of it was checked.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import { Result, Schema } from "effect"

/**
 * Why an artefact cannot be used.
 *
 * @category errors
 * @since 0.1.0
 */
export class ArtefactError extends Schema.TaggedError<ArtefactError>()("@interlock/stages/ArtefactError", {
  reason: Schema.Literals(["Missing", "Foreign", "Version", "Corrupt"]),
  message: Schema.String
}) {}

/**
 * What one kind of file is: its first bytes, what errors call it, and how to come by another.
 *
 * @category models
 * @since 0.1.0
 */
export interface Kind<Manifest> {
  readonly magic: string
  readonly noun: string
  readonly cure: string
  readonly manifest: Schema.Codec<Manifest, unknown>
}

/** What every manifest says: the version of the layout, and the SHA-256 of the numbers in hexadecimal. */
interface Checked {
  readonly format: number
  readonly sha256: string
}

const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

const digest = (parts: ReadonlyArray<Uint8Array>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest("hex")
}

/**
 * Writes an artefact. Equal contents give equal bytes. Numbers are little-endian.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = <Manifest extends Checked>(
  kind: Kind<Manifest>,
  manifest: Omit<Manifest, "sha256">,
  arrays: ReadonlyArray<ArrayBufferView>
): Uint8Array => {
  const parts = arrays.map(bytesOf)
  const written = new TextEncoder().encode(JSON.stringify({ ...manifest, sha256: digest(parts) }))
  const head = new Uint8Array(kind.magic.length + 4)
  head.set(new TextEncoder().encode(kind.magic))
  new DataView(head.buffer).setUint32(kind.magic.length, written.length, true)
  return Buffer.concat([head, written, ...parts])
}

/**
 * Reads an artefact: its manifest, and its parts of the sizes, in bytes, that `sizesOf` finds in the manifest. It says what is wrong
 * with one that is not whole, not of this kind or of another version; `sizesOf` may say so too.
 *
 * @category encoding
 * @since 0.1.0
 */
export const decode = <Manifest extends Checked>(
  kind: Kind<Manifest>,
  format: number,
  bytes: Uint8Array,
  sizesOf: (
    manifest: Manifest,
    fail: (reason: ArtefactError["reason"], message: string) => ArtefactError
  ) => ArtefactError | ReadonlyArray<number>
): Result.Result<{ readonly manifest: Manifest; readonly parts: ReadonlyArray<ArrayBuffer> }, ArtefactError> => {
  const { magic } = kind
  const error = (reason: ArtefactError["reason"], message: string) =>
    new ArtefactError({ reason, message: `${message}; ${kind.cure}` })
  const fail = (reason: ArtefactError["reason"], message: string) => Result.fail(error(reason, message))
  if (bytes.length < magic.length + 4 || new TextDecoder().decode(bytes.subarray(0, magic.length)) !== magic) {
    return fail("Foreign", `the file does not begin with ${magic}: it is no ${kind.noun}`)
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(magic.length, true)
  const from = magic.length + 4
  if (from + length > bytes.length)
    return fail("Corrupt", `the manifest is ${length} bytes long, and the file ends before that`)
  const text = new TextDecoder().decode(bytes.subarray(from, from + length))
  const versioned = decodeFormat(text)
  if (Result.isSuccess(versioned) && versioned.success.format !== format)
    return fail("Version", `the artefact has format ${versioned.success.format}, this version reads ${format}`)
  const decoded = Schema.decodeUnknownResult(Schema.fromJsonString(kind.manifest))(text)
  if (Result.isFailure(decoded)) return fail("Corrupt", `the manifest is not one of a ${kind.noun}`)
  const manifest = decoded.success
  const sizes = sizesOf(manifest, error)
  if (sizes instanceof ArtefactError) return Result.fail(sizes)
  const expected = sizes.reduce((sum, size) => sum + size, from + length)
  if (expected !== bytes.length)
    return fail("Corrupt", `the file has ${bytes.length} bytes, its manifest says ${expected}`)
  let at = from + length
  // Copied, so that every part is aligned and the file's own buffer can go.
  const parts = sizes.map((size) => {
    const part = new Uint8Array(size)
    part.set(bytes.subarray(at, at + size))
    at += size
    return part
  })
  if (digest(parts) !== manifest.sha256)
    return fail("Corrupt", "the numbers do not have the SHA-256 that the manifest names")
  return Result.succeed({ manifest, parts: parts.map((part) => part.buffer) })
}

const decodeFormat = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Struct({ format: Schema.Int })))

/**
 * One entry of an audit log as bytes: a short head in clear, and two sealed sections. The *facts* (what happened, without
 * text) are sealed under the tenant's key, the *personal* section (who, and redacted text) under the subject's, so that erasing a
 * subject leaves the facts readable. Each section has a key of its own, derived from its parent key and the entry's id with HMAC-SHA-256
 * (RFC 5869, one block of HKDF-Expand), and AES-256-GCM authenticates the head with it.
 *
 * ```text
 * 1  version (1)                       16 call
 * 1  kind                              16 tenant key id
 * 16 entry id                          16 subject key id, zeros when there is none
 * 8  time, milliseconds                4  length of the facts section, then nonce (12), ciphertext, tag (16)
 *                                      …  the personal section likewise, to the end
 * ```
 *
 * @since 0.1.0
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomFillSync
} from "node:crypto"

/**
 * What an entry says: a call began, a call ended, or something was done to the log itself.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = (typeof kinds)[number]

const kinds = ["request", "completion", "erasure", "hold", "release", "retention"] as const

/**
 * The part of an entry that is in clear.
 *
 * @category models
 * @since 0.1.0
 */
export interface Head {
  readonly kind: Kind
  /** Hexadecimal, 32 digits; never used twice. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Hexadecimal, 32 digits: the same in all entries of a call. */
  readonly call: string
  /** Hexadecimal, 32 digits: which tenant's key seals the facts. */
  readonly tenantKey: string
  /** Hexadecimal, 32 digits: which subject's key seals the personal section, or which key an erasure destroys; may be absent. */
  readonly subjectKey?: string
}

/**
 * A key and its id.
 *
 * @category models
 * @since 0.1.0
 */
export interface Key {
  /** Hexadecimal, 32 digits. */
  readonly id: string
  readonly bytes: Uint8Array
}

/**
 * Where the sections of an entry lie in its bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly head: Head
  readonly bytes: Buffer
}

const headLength = 74
const none = "0".repeat(32)
const overhead = 28

const randomPool = Buffer.allocUnsafe(28 * 512)
let randomOffset = randomPool.length
/** Random bytes from a pool, because one call of the system's generator for each nonce costs more than the encryption. */
const random = (length: number): Buffer => {
  if (randomOffset + length > randomPool.length) {
    randomFillSync(randomPool)
    randomOffset = 0
  }
  const bytes = Buffer.from(randomPool.subarray(randomOffset, randomOffset + length))
  randomPool.fill(0, randomOffset, randomOffset + length)
  randomOffset += length
  return bytes
}

/**
 * A new random id: 32 hexadecimal digits.
 *
 * @category constructors
 * @since 0.1.0
 */
export const id = (): string => random(16).toString("hex")

// Node takes a key object much faster than the bytes of a key.
const secrets = new WeakMap<Uint8Array, KeyObject>()
const secretOf = (bytes: Uint8Array): KeyObject => {
  let secret = secrets.get(bytes)
  if (secret === undefined) {
    secret = createSecretKey(bytes)
    secrets.set(bytes, secret)
  }
  return secret
}

const sectionKey = (parent: Uint8Array, entry: string, section: string): KeyObject =>
  createSecretKey(createHmac("sha256", secretOf(parent)).update(`interlock/audit/${section}/${entry}\u0001`).digest())

const writeSection = (target: Buffer, offset: number, key: KeyObject, head: Uint8Array, text: Uint8Array): number => {
  const nonce = random(12)
  const cipher = createCipheriv("aes-256-gcm", key, nonce)
  cipher.setAAD(head)
  const sealed = cipher.update(text)
  cipher.final()
  target.set(nonce, offset)
  target.set(sealed, offset + 12)
  target.set(cipher.getAuthTag(), offset + 12 + sealed.length)
  return offset + overhead + sealed.length
}

const readSection = (key: KeyObject, head: Uint8Array, sealed: Buffer): string | undefined => {
  if (sealed.length < overhead) return undefined
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12))
  decipher.setAAD(head)
  decipher.setAuthTag(sealed.subarray(-16))
  const text = decipher.update(sealed.subarray(12, -16), undefined, "utf8")
  try {
    return text + decipher.final("utf8")
  } catch {
    return undefined
  }
}

/**
 * Seals an entry. `facts` and `personal` are JSON.
 *
 * @category sealing
 * @since 0.1.0
 */
export const seal = (options: {
  readonly kind: Kind
  readonly time: number
  readonly call: string
  readonly tenant: Key
  readonly subject?: Key | undefined
  readonly facts: string
  readonly personal?: string | undefined
}): Buffer => {
  const facts = Buffer.from(options.facts)
  const personal =
    options.subject !== undefined && options.personal !== undefined ? Buffer.from(options.personal) : undefined
  const length = headLength + 4 + overhead + facts.length + (personal === undefined ? 0 : overhead + personal.length)
  const bytes = Buffer.allocUnsafe(length)
  const entry = random(16)
  bytes[0] = 1
  bytes[1] = kinds.indexOf(options.kind)
  bytes.set(entry, 2)
  bytes.writeBigUInt64BE(BigInt(options.time), 18)
  bytes.write(options.call, 26, "hex")
  bytes.write(options.tenant.id, 42, "hex")
  bytes.write(options.subject?.id ?? none, 58, "hex")
  bytes.writeUInt32BE(overhead + facts.length, headLength)
  const name = entry.toString("hex")
  const head = bytes.subarray(0, headLength)
  const middle = writeSection(bytes, headLength + 4, sectionKey(options.tenant.bytes, name, "facts"), head, facts)
  if (personal !== undefined)
    writeSection(bytes, middle, sectionKey(options.subject!.bytes, name, "personal"), head, personal)
  return bytes
}

/**
 * Reads the head of an entry; `undefined` where the bytes are not an entry.
 *
 * @category sealing
 * @since 0.1.0
 */
export const parse = (bytes: Buffer): Entry | undefined => {
  const kind = kinds[bytes[1] ?? -1]
  if (bytes.length < headLength + 4 || bytes[0] !== 1 || kind === undefined) return undefined
  if (bytes.readUInt32BE(headLength) > bytes.length - headLength - 4) return undefined
  const subjectKey = bytes.toString("hex", 58, 74)
  return {
    bytes,
    head: {
      kind,
      id: bytes.toString("hex", 2, 18),
      time: Number(bytes.readBigUInt64BE(18)),
      call: bytes.toString("hex", 26, 42),
      tenantKey: bytes.toString("hex", 42, 58),
      ...(subjectKey === none ? {} : { subjectKey })
    }
  }
}

/**
 * Opens the facts with the tenant's key; `undefined` where the key is another's or a byte was changed.
 *
 * @category sealing
 * @since 0.1.0
 */
export const openFacts = (entry: Entry, tenant: Uint8Array): string | undefined => {
  const end = headLength + 4 + entry.bytes.readUInt32BE(headLength)
  return readSection(
    sectionKey(tenant, entry.head.id, "facts"),
    entry.bytes.subarray(0, headLength),
    entry.bytes.subarray(headLength + 4, end)
  )
}

/**
 * Whether the entry has a personal section.
 *
 * @category sealing
 * @since 0.1.0
 */
export const hasPersonal = (entry: Entry): boolean =>
  entry.bytes.length > headLength + 4 + entry.bytes.readUInt32BE(headLength)

/**
 * Opens the personal section with the subject's key; `undefined` where there is none, the key is another's or a byte was changed.
 *
 * @category sealing
 * @since 0.1.0
 */
export const openPersonal = (entry: Entry, subject: Uint8Array): string | undefined =>
  readSection(
    sectionKey(subject, entry.head.id, "personal"),
    entry.bytes.subarray(0, headLength),
    entry.bytes.subarray(headLength + 4 + entry.bytes.readUInt32BE(headLength))
  )

/**
 * Signed checkpoints of an audit log: the size and root of its tree at one moment, as a *signed note* with an Ed25519 signature,
 * the format of transparency logs (C2SP `tlog-checkpoint` and `signed-note`), so that tools made for those logs can witness ours.
 *
 * @since 0.1.0
 */
import {
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes
} from "node:crypto"

/**
 * The size and root of a log's tree, and when it was signed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checkpoint {
  /** The name of the log. */
  readonly origin: string
  /** How many records the tree has. */
  readonly size: number
  readonly root: Uint8Array
  /** Milliseconds since the epoch. */
  readonly time: number
}

/**
 * The key that signs a log's checkpoints.
 *
 * @category models
 * @since 0.1.0
 */
export interface Signer {
  readonly origin: string
  readonly privateKey: KeyObject
  /** The public half, as others are given it: see `verifierKey`. */
  readonly verifier: string
}

/**
 * The public key of a log, with the name it vouches for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Verifier {
  readonly origin: string
  readonly publicKey: KeyObject
  readonly keyHash: Buffer
}

const algorithm = Buffer.from([1])
// RFC 8410: the fixed beginning of an Ed25519 private key (PKCS #8) and public key (SPKI).
const privatePrefix = Buffer.from("302e020100300506032b657004220420", "hex")
const publicPrefix = Buffer.from("302a300506032b6570032100", "hex")

const keyHashOf = (origin: string, publicKey: Buffer): Buffer =>
  hash("sha256", Buffer.concat([Buffer.from(`${origin}\n`), algorithm, publicKey]), "buffer").subarray(0, 4)

/**
 * Makes a signer from the name of the log and the 32 bytes of an Ed25519 seed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const signer = (origin: string, seed: Uint8Array): Signer => {
  const privateKey = createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: "der", type: "pkcs8" })
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(publicPrefix.length)
  const verifier = `${origin}+${keyHashOf(origin, publicKey).toString("hex")}+${Buffer.concat([algorithm, publicKey]).toString("base64")}`
  return { origin, privateKey, verifier }
}

/**
 * Reads a verifier key, `<name>+<hash>+<base64>` as in C2SP `signed-note`; `undefined` where it is not one for Ed25519.
 *
 * @category constructors
 * @since 0.1.0
 */
export const verifier = (text: string): Verifier | undefined => {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(text.trim())
  if (match === null) return undefined
  const [, origin, stated, encoded] = match
  const key = Buffer.from(encoded!, "base64")
  if (key.length !== 33 || key[0] !== 1) return undefined
  const keyHash = keyHashOf(origin!, key.subarray(1))
  if (keyHash.toString("hex") !== stated) return undefined
  const publicKey = createPublicKey({
    key: Buffer.concat([publicPrefix, key.subarray(1)]),
    format: "der",
    type: "spki"
  })
  return { origin: origin!, publicKey, keyHash }
}

/**
 * Signs a text of whole lines; the result is a signed note.
 *
 * @category signing
 * @since 0.1.0
 */
export const signText = (signer: Signer, body: string): string => {
  const keyHash = Buffer.from(signer.verifier.slice(signer.origin.length + 1, signer.origin.length + 9), "hex")
  const signature = Buffer.concat([keyHash, signBytes(null, Buffer.from(body), signer.privateKey)])
  return `${body}\n— ${signer.origin} ${signature.toString("base64")}\n`
}

/**
 * The text of a signed note; `undefined` where the key did not sign it.
 *
 * @category signing
 * @since 0.1.0
 */
export const openText = (verifier: Verifier, note: string): string | undefined => {
  const { body, signatures } = signed(verifier, note)
  const bytes = Buffer.from(body)
  return signatures.some((signature) => verifyBytes(null, bytes, verifier.publicKey, signature)) ? body : undefined
}

/**
 * As `openText`, on another thread: for who has many notes to check, and other work meanwhile.
 *
 * @category signing
 * @since 0.1.0
 */
export const openTextAside = async (verifier: Verifier, note: string): Promise<string | undefined> => {
  const { body, signatures } = signed(verifier, note)
  const bytes = Buffer.from(body)
  for (const signature of signatures) {
    const valid = await new Promise<boolean>((resolve, reject) =>
      verifyBytes(null, bytes, verifier.publicKey, signature, (error, result) =>
        error === null ? resolve(result) : reject(error)
      )
    )
    if (valid) return body
  }
  return undefined
}

/** The text of a note, and the signatures that claim to be this key's. */
const signed = (
  verifier: Verifier,
  note: string
): { readonly body: string; readonly signatures: ReadonlyArray<Buffer> } => {
  const end = note.lastIndexOf("\n\n") + 1
  const signatures: Array<Buffer> = []
  for (const line of note.slice(end + 1).split("\n")) {
    if (!line.startsWith(`— ${verifier.origin} `)) continue
    const encoded = line.slice(verifier.origin.length + 3)
    const signature = Buffer.from(encoded, "base64")
    if (signature.toString("base64") !== encoded || !signature.subarray(0, 4).equals(verifier.keyHash)) continue
    signatures.push(signature.subarray(4))
  }
  return { body: note.slice(0, end), signatures }
}

/**
 * Signs a checkpoint; the result is the text of a signed note.
 *
 * @category signing
 * @since 0.1.0
 */
export const sign = (signer: Signer, checkpoint: Omit<Checkpoint, "origin">): string =>
  signText(
    signer,
    `${signer.origin}\n${checkpoint.size}\n${Buffer.from(checkpoint.root).toString("base64")}\ntime ${checkpoint.time}\n`
  )

/**
 * Reads a signed note without checking its signature; `undefined` where it is not a checkpoint.
 *
 * @category signing
 * @since 0.1.0
 */
export const parse = (note: string): Checkpoint | undefined => {
  const match = /^([^\n]+)\n(\d{1,16})\n([A-Za-z0-9+/]{43}=)\ntime (\d{1,16})\n\n(?:— [^\n]+\n)+$/.exec(note)
  return match === null
    ? undefined
    : { origin: match[1]!, size: Number(match[2]), root: Buffer.from(match[3]!, "base64"), time: Number(match[4]) }
}

/**
 * Reads a signed note and checks its signature; `undefined` where the key did not sign it for this log.
 *
 * @category signing
 * @since 0.1.0
 */
export const open = (verifier: Verifier, note: string): Checkpoint | undefined => {
  const checkpoint = parse(note)
  return checkpoint?.origin === verifier.origin && openText(verifier, note) !== undefined ? checkpoint : undefined
}

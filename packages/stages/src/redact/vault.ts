/**
 * The `Vault` keeps the values behind placeholders, by conversation, so that the same value has the same placeholder in every
 * turn and a reply can be restored.
 *
 * `layerMemory` keeps them in this process. `layerSealed` keeps them in a `VaultStore` (Redis, a database) that only ever sees
 * values sealed with AES-256-GCM and fingerprints made with HMAC-SHA-256; numbers are given out by the store, atomically.
 *
 * @since 0.1.0
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto"
import { Context, Effect, Layer, Redacted, Schema } from "effect"

/**
 * The vault could not be read or written, or a sealed value was changed. `redact` then refuses the call.
 *
 * @category errors
 * @since 0.1.0
 */
export class VaultError extends Schema.TaggedError<VaultError>()("VaultError", { message: Schema.String }) {}

/**
 * A value that was found, with its type.
 *
 * @category models
 * @since 0.1.0
 */
export interface Value {
  readonly type: string
  readonly value: string
}

/**
 * A value with the number it has among those of its type in a conversation, from 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Numbered extends Value {
  readonly number: number
}

/**
 * Whose values: a conversation of a tenant. Without a conversation the values live as long as the call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Owner {
  readonly tenant: string
  readonly conversation?: string
}

/**
 * Numbers values by conversation and gives them back.
 *
 * @category services
 * @since 0.1.0
 */
export class Vault extends Context.Service<
  Vault,
  {
    /** Numbers new values in the given order, keeps old numbers, and returns all values of the conversation. */
    readonly assign: (owner: Owner, values: ReadonlyArray<Value>) => Effect.Effect<ReadonlyArray<Numbered>, VaultError>
    /** Forgets a conversation: its placeholders can no longer be restored. */
    readonly forget: (owner: Owner) => Effect.Effect<void, VaultError>
  }
>()("@interlock/stages/redact/Vault") {
  /** Keeps values in memory, of the last `conversations` (10,000 by default) that were used. */
  static readonly layerMemory: Layer.Layer<Vault> = Layer.sync(Vault)(() => makeMemory(10_000))

  /** As `layerMemory`, with another number of conversations. */
  static readonly layerMemoryOf = (options: { readonly conversations: number }): Layer.Layer<Vault> =>
    Layer.sync(Vault)(() => makeMemory(options.conversations))

  /** Keeps values sealed under `rootKey` (32 bytes) in the `VaultStore`. */
  static readonly layerSealed = (options: {
    readonly rootKey: Redacted.Redacted<Uint8Array>
  }): Layer.Layer<Vault, VaultError, VaultStore> =>
    Layer.effect(Vault)(
      Effect.gen(function* () {
        const store = yield* VaultStore
        if (Redacted.value(options.rootKey).length !== 32) {
          return yield* new VaultError({
            message: `The vault's root key has ${Redacted.value(options.rootKey).length} bytes: give it 32 random ones`
          })
        }
        return makeSealed(store, options.rootKey)
      })
    )
}

/**
 * A sealed value: what a store keeps. Nothing in it can be read without the root key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly type: string
  /** HMAC-SHA-256 of type and value under the conversation's key, in base64url. */
  readonly fingerprint: string
  readonly sealed: Uint8Array
}

/**
 * Keeps sealed values by conversation. `conversation` is an opaque name (an HMAC), not the caller's.
 *
 * @category services
 * @since 0.1.0
 */
export class VaultStore extends Context.Service<
  VaultStore,
  {
    /**
     * In one atomic step: gives each new `(type, fingerprint)` the next number of its type, from 1, in the given order; keeps the
     * entry of one that is there; and returns every entry of the conversation with its number.
     */
    readonly put: (
      conversation: string,
      entries: ReadonlyArray<Entry>
    ) => Effect.Effect<ReadonlyArray<Entry & { readonly number: number }>, VaultError>
    /** Deletes a conversation. */
    readonly forget: (conversation: string) => Effect.Effect<void, VaultError>
  }
>()("@interlock/stages/redact/VaultStore") {
  /** Keeps sealed values in memory: for tests, and as the model for other stores. */
  static readonly layerMemory: Layer.Layer<VaultStore> = Layer.sync(VaultStore)(() => {
    const conversations = new Map<string, Map<string, Entry & { readonly number: number }>>()
    return {
      put: (conversation, entries) =>
        Effect.sync(() => {
          const kept = conversations.get(conversation) ?? new Map<string, Entry & { readonly number: number }>()
          conversations.set(conversation, kept)
          for (const entry of entries) {
            const key = `${entry.type}:${entry.fingerprint}`
            if (kept.has(key)) continue
            let number = 1
            for (const other of kept.values()) if (other.type === entry.type) number++
            kept.set(key, { ...entry, number })
          }
          return [...kept.values()]
        }),
      forget: (conversation) => Effect.sync(() => void conversations.delete(conversation))
    }
  })
}

interface Numbers {
  readonly byFingerprint: Map<string, Numbered>
  readonly counts: Map<string, number>
}

const emptyNumbers = (): Numbers => ({ byFingerprint: new Map(), counts: new Map() })

const makeMemory = (limit: number): Vault["Service"] => {
  const conversations = new Map<string, Numbers>()
  const nameOf = (owner: Owner) => JSON.stringify([owner.tenant, owner.conversation])
  const take = (owner: Owner): Numbers => {
    if (owner.conversation === undefined) return emptyNumbers()
    const name = nameOf(owner)
    const kept = conversations.get(name) ?? emptyNumbers()
    conversations.delete(name)
    conversations.set(name, kept)
    if (conversations.size > limit) {
      const oldest = conversations.keys().next()
      if (oldest.done === false) conversations.delete(oldest.value)
    }
    return kept
  }
  return {
    assign: (owner, values) =>
      Effect.sync(() => {
        const kept = take(owner)
        for (const { type, value } of values) {
          const key = `${type}\0${value}`
          if (kept.byFingerprint.has(key)) continue
          const number = (kept.counts.get(type) ?? 0) + 1
          kept.counts.set(type, number)
          kept.byFingerprint.set(key, { type, value, number })
        }
        return [...kept.byFingerprint.values()]
      }),
    forget: (owner) => Effect.sync(() => void conversations.delete(nameOf(owner)))
  }
}

const makeSealed = (store: VaultStore["Service"], rootKey: Redacted.Redacted<Uint8Array>): Vault["Service"] => {
  const derive = (owner: Owner, use: string) =>
    Buffer.from(
      hkdfSync(
        "sha256",
        Redacted.value(rootKey),
        "",
        JSON.stringify(["vault", use, owner.tenant, owner.conversation]),
        32
      )
    )
  const seal = (key: Uint8Array, { type, value }: Value): Uint8Array => {
    const nonce = randomBytes(12)
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(type))
    return Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()])
  }
  const open = (key: Uint8Array, type: string, sealed: Uint8Array): string => {
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12))
      .setAAD(Buffer.from(type))
      .setAuthTag(sealed.subarray(-16))
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString("utf8")
  }
  const nameOf = (owner: Owner) => derive(owner, "name").toString("base64url")
  return {
    assign: (owner, values) =>
      owner.conversation === undefined
        ? makeMemory(1).assign(owner, values)
        : Effect.gen(function* () {
            const sealing = derive(owner, "seal")
            const marking = derive(owner, "fingerprint")
            const entries = values.map((each) => ({
              type: each.type,
              fingerprint: createHmac("sha256", marking).update(`${each.type}\0${each.value}`).digest("base64url"),
              sealed: seal(sealing, each)
            }))
            const kept = yield* store.put(nameOf(owner), entries)
            return yield* Effect.try({
              try: () => kept.map(({ type, number, sealed }) => ({ type, number, value: open(sealing, type, sealed) })),
              catch: () =>
                new VaultError({
                  message:
                    "A sealed value of the vault does not open: it was changed, or sealed under another root key; forget the conversation or restore the key"
                })
            })
          }),
    forget: (owner) => store.forget(nameOf(owner))
  }
}

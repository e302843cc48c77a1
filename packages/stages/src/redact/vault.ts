/**
 * The `Vault` keeps the values behind placeholders, by conversation, so that the same value has the same placeholder in every
 * turn and a reply can be restored.
 *
 * `layerMemory` keeps them in this process, for a time and up to a number. `layerSealed` keeps them in a `VaultStore` (Redis, a
 * database) that only ever sees values sealed with AES-256-GCM, each to its type and number, and fingerprints made with HMAC-SHA-256;
 * the store takes a number once, atomically.
 *
 * @since 0.1.0
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto"
import { Clock, Context, Duration, Effect, Layer, Redacted, Schema } from "effect"

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
 * How much a vault in memory keeps, and how long. A conversation that was not used for `timeToLive`, or that makes room for others, is
 * forgotten as a whole: the next turn of it numbers its values from 1 again. What has expired is dropped at the next use of the vault.
 *
 * @category models
 * @since 0.1.0
 */
export interface MemoryOptions {
  /** From the last use of a conversation; 24 hours when left out. Finite and at least 1 ms. */
  readonly timeToLive?: Duration.Input
  /** How many conversations, the least recently used going first; 10,000 when left out. */
  readonly conversations?: number
  /**
   * How many values in all of them together, the least recently used conversation going first; 200,000 when left out. A conversation
   * that has more by itself is refused.
   */
  readonly values?: number
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
  /** Keeps values in memory, within the bounds that `MemoryOptions` has by default. */
  static readonly layerMemory: Layer.Layer<Vault> = Layer.orDie(
    Layer.effect(Vault)(Effect.suspend(() => Effect.map(makeShelf<Numbers>({}), makeMemory)))
  )

  /** As `layerMemory`, with other bounds. */
  static readonly layerMemoryOf = (options: MemoryOptions): Layer.Layer<Vault, VaultError> =>
    Layer.effect(Vault)(Effect.map(makeShelf<Numbers>(options), makeMemory))

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
 * A sealed value with its number, which it is sealed to: under another number or type it does not open.
 *
 * @category models
 * @since 0.1.0
 */
export interface NumberedEntry extends Entry {
  readonly number: number
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
     * In one atomic step: keeps all the given entries if each `(type, fingerprint)` is new and the numbers go on from those of its
     * type without a gap, from 1, in the given order, and none of them otherwise; and returns every entry of the conversation. Where
     * none was kept, another turn was faster: who asked sees by the answer what to ask for.
     */
    readonly put: (
      conversation: string,
      entries: ReadonlyArray<NumberedEntry>
    ) => Effect.Effect<ReadonlyArray<NumberedEntry>, VaultError>
    /** Deletes a conversation. */
    readonly forget: (conversation: string) => Effect.Effect<void, VaultError>
  }
>()("@interlock/stages/redact/VaultStore") {
  /** Keeps sealed values in memory, within the default bounds of `MemoryOptions`: for tests, and as the model for other stores. */
  static readonly layerMemory: Layer.Layer<VaultStore> = Layer.orDie(
    Layer.effect(VaultStore)(Effect.suspend(() => Effect.map(makeShelf<Map<string, NumberedEntry>>({}), makeStore)))
  )
}

/** Conversations by name, each with what is kept of it, the least recently used first. */
interface Shelf<A> {
  /** What is kept of a conversation, which is in use now. */
  readonly use: (name: string, now: number, make: () => A) => A
  /** Makes room for a conversation in use to have so many values, or says why it may not. */
  readonly admit: (name: string, values: number) => VaultError | undefined
  readonly forget: (name: string) => Effect.Effect<void>
}

const makeShelf = Effect.fnUntraced(function* <A>(options: MemoryOptions): Effect.fn.Return<Shelf<A>, VaultError> {
  const timeToLive = Duration.toMillis(Duration.fromInputUnsafe(options.timeToLive ?? "24 hours"))
  const { conversations = 10_000, values: most = 200_000 } = options
  for (const [setting, value] of Object.entries({ conversations, values: most, timeToLive })) {
    if (value >= 1 && Number.isFinite(value)) continue
    const unit = setting === "timeToLive" ? " ms" : ""
    return yield* new VaultError({
      message: `The vault's ${setting} is ${value}${unit}: it must be finite and at least 1; leave it out for the default`
    })
  }
  const kept = new Map<string, { readonly what: A; values: number; usedAt: number }>()
  let total = 0
  /** Nothing expires before. */
  let sweepAt = 0
  const drop = (name: string) => {
    total -= kept.get(name)?.values ?? 0
    kept.delete(name)
  }
  return {
    use: (name, now, make) => {
      if (now >= sweepAt) {
        sweepAt = now + timeToLive
        for (const [oldest, { usedAt }] of kept) {
          if (now - usedAt < timeToLive) {
            sweepAt = usedAt + timeToLive
            break
          }
          drop(oldest)
        }
      }
      const entry = kept.get(name) ?? { what: make(), values: 0, usedAt: now }
      entry.usedAt = now
      kept.delete(name)
      kept.set(name, entry)
      if (kept.size > conversations) drop(kept.keys().next().value as string)
      return entry.what
    },
    admit: (name, values) => {
      if (values > most) {
        return new VaultError({
          message: `A conversation has ${values} values, and the vault keeps ${most} of all conversations: raise \`values\`, or begin a new conversation`
        })
      }
      const entry = kept.get(name)
      if (entry === undefined) return undefined
      total += values - entry.values
      entry.values = values
      // The one in use is the last, and has no more than there is room for.
      for (const oldest of kept.keys()) {
        if (total <= most) break
        drop(oldest)
      }
      return undefined
    },
    forget: (name) => Effect.sync(() => drop(name))
  }
})

interface Numbers {
  readonly byFingerprint: Map<string, Numbered>
  readonly counts: Map<string, number>
}

const emptyNumbers = (): Numbers => ({ byFingerprint: new Map(), counts: new Map() })

const number = ({ byFingerprint, counts }: Numbers, values: ReadonlyArray<Value>): ReadonlyArray<Numbered> => {
  for (const { type, value } of values) {
    const key = `${type}\0${value}`
    if (byFingerprint.has(key)) continue
    const number = (counts.get(type) ?? 0) + 1
    counts.set(type, number)
    byFingerprint.set(key, { type, value, number })
  }
  return [...byFingerprint.values()]
}

const makeMemory = (shelf: Shelf<Numbers>): Vault["Service"] => {
  const nameOf = (owner: Owner) => JSON.stringify([owner.tenant, owner.conversation])
  return {
    assign: (owner, values) =>
      Clock.clockWith((clock) => {
        if (owner.conversation === undefined) return Effect.succeed(number(emptyNumbers(), values))
        const name = nameOf(owner)
        const numbers = shelf.use(name, clock.currentTimeMillisUnsafe(), emptyNumbers)
        const fresh = new Set<string>()
        for (const { type, value } of values) {
          const key = `${type}\0${value}`
          if (!numbers.byFingerprint.has(key)) fresh.add(key)
        }
        const refused = fresh.size === 0 ? undefined : shelf.admit(name, numbers.byFingerprint.size + fresh.size)
        return refused === undefined ? Effect.succeed(number(numbers, values)) : Effect.fail(refused)
      }),
    forget: (owner) => shelf.forget(nameOf(owner))
  }
}

const makeStore = (shelf: Shelf<Map<string, NumberedEntry>>): VaultStore["Service"] => {
  const keyOf = ({ fingerprint, type }: Entry) => `${type}:${fingerprint}`
  return {
    put: (conversation, entries) =>
      Clock.clockWith((clock) => {
        const kept = shelf.use(conversation, clock.currentTimeMillisUnsafe(), () => new Map())
        const counts = new Map<string, number>()
        for (const { type } of kept.values()) counts.set(type, (counts.get(type) ?? 0) + 1)
        const goesOn = entries.every((entry) => {
          const next = (counts.get(entry.type) ?? 0) + 1
          counts.set(entry.type, next)
          return entry.number === next && !kept.has(keyOf(entry))
        })
        if (goesOn && entries.length > 0) {
          const refused = shelf.admit(conversation, kept.size + entries.length)
          if (refused !== undefined) return Effect.fail(refused)
          for (const entry of entries) kept.set(keyOf(entry), entry)
        }
        return Effect.succeed([...kept.values()])
      }),
    forget: shelf.forget
  }
}

/** What a sealed value begins with that is sealed to its number; those before had no such byte, and are sealed to their type alone. */
const version = 2

/** How often the numbers that other turns of a conversation took meanwhile are asked for anew. */
const tries = 100

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
  const boundTo = (type: string, number: number) => Buffer.from(JSON.stringify([version, type, number]))
  const seal = (key: Uint8Array, { type, number, value }: Numbered): Uint8Array => {
    const nonce = randomBytes(12)
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(boundTo(type, number))
    return Buffer.concat([
      Uint8Array.of(version),
      nonce,
      cipher.update(value, "utf8"),
      cipher.final(),
      cipher.getAuthTag()
    ])
  }
  const unseal = (key: Uint8Array, bound: Uint8Array, sealed: Uint8Array): string => {
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12), { authTagLength: 16 })
      .setAAD(bound)
      .setAuthTag(sealed.subarray(-16))
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString("utf8")
  }
  const open = (key: Uint8Array, { number, sealed, type }: NumberedEntry): string => {
    if (sealed[0] === version) {
      try {
        return unseal(key, boundTo(type, number), sealed.subarray(1))
      } catch {
        // One of 256 that have no version begins with this byte, too.
      }
    }
    return unseal(key, Buffer.from(type), sealed)
  }
  const nameOf = (owner: Owner) => derive(owner, "name").toString("base64url")
  return {
    assign: Effect.fnUntraced(function* (owner, values) {
      if (owner.conversation === undefined) return number(emptyNumbers(), values)
      const sealing = derive(owner, "seal")
      const marking = derive(owner, "fingerprint")
      const name = nameOf(owner)
      const keyOf = ({ fingerprint, type }: Pick<Entry, "fingerprint" | "type">) => `${type}\0${fingerprint}`
      const wanted = new Map<string, Value & { readonly fingerprint: string }>()
      const fingerprintOf = ({ type, value }: Value) =>
        createHmac("sha256", marking).update(`${type}\0${value}`).digest("base64url")
      for (const { type, value } of values) {
        const fingerprint = fingerprintOf({ type, value })
        wanted.set(keyOf({ type, fingerprint }), { type, value, fingerprint })
      }
      let kept = yield* store.put(name, [])
      for (let left = tries; ; left--) {
        const known = new Set(kept.map(keyOf))
        const missing = [...wanted].filter(([key]) => !known.has(key))
        if (missing.length === 0) break
        if (left === 0) {
          return yield* new VaultError({
            message: `The vault's store did not take new values of a conversation in ${tries} tries: it lost some of its entries, or too many turns run at once; forget the conversation, or run fewer`
          })
        }
        const counts = new Map<string, number>()
        for (const { type, number } of kept) counts.set(type, Math.max(counts.get(type) ?? 0, number))
        kept = yield* store.put(
          name,
          missing.map(([, { fingerprint, type, value }]) => {
            const number = (counts.get(type) ?? 0) + 1
            counts.set(type, number)
            return { type, fingerprint, number, sealed: seal(sealing, { type, value, number }) }
          })
        )
      }
      return yield* Effect.try({
        try: () =>
          kept.map((entry) => {
            const { number, type } = entry
            const value = open(sealing, entry)
            // A conversation that was forgotten and began anew has the same key and the same numbers.
            if (fingerprintOf({ type, value }) !== entry.fingerprint) throw new Error("it is another entry's value")
            return { type, number, value }
          }),
        catch: () =>
          new VaultError({
            message:
              "A sealed value of the vault does not open: it, its number or its fingerprint was changed, or it was sealed under another root key; forget the conversation or restore the key"
          })
      })
    }),
    forget: (owner) => store.forget(nameOf(owner))
  }
}

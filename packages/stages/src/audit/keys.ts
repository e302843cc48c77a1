/**
 * The keys of an audit log: root → tenant → subject → record. A tenant's key is sealed under the root key, a subject's
 * under its tenant's, and both are kept, sealed, in a `KeyStore`; the key of a record is derived from its subject's. Destroying
 * a subject's key erases what was sealed under it, in every copy of the log.
 *
 * @since 0.1.0
 */
import { createHmac } from "node:crypto"
import { join } from "node:path"
import { Config, Context, Effect, Layer, Redacted, Schema } from "effect"
import * as Aead from "effect/crypto/Aead"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Disk from "./disk.ts"
import type { Key } from "./entry.ts"
import { AuditError, KeysUnavailable } from "./error.ts"

/**
 * The store of the keys could not be reached, or a key could not be opened.
 *
 * @category errors
 * @since 0.1.0
 */
export class KeyStoreError extends Schema.TaggedError<KeyStoreError>()("@interlock/stages/KeyStoreError", {
  operation: Schema.Literals(["get", "create", "remove", "list", "seal", "open"]),
  message: Schema.String
}) {}

/**
 * Keeps sealed keys under names made of `[a-z0-9/]`. It must be another place than the log's, with other backups: an erasure
 * is final when the last copy of the key is gone.
 *
 * What every implementation must hold: `create` writes nothing where the name is taken; when `create` or `remove` has returned, a
 * crash does not undo it.
 *
 * @category services
 * @since 0.1.0
 */
export class KeyStore extends Context.Service<
  KeyStore,
  {
    /** The bytes under the name, `undefined` where there are none. */
    readonly get: (name: string) => Effect.Effect<Uint8Array | undefined, KeyStoreError>
    /** Keeps the bytes under the name; `false` where the name is taken. */
    readonly create: (name: string, bytes: Uint8Array) => Effect.Effect<boolean, KeyStoreError>
    /** Destroys what is under the name. */
    readonly remove: (name: string) => Effect.Effect<void, KeyStoreError>
    /** The names that begin with `folder/`. */
    readonly list: (folder: string) => Effect.Effect<ReadonlyArray<string>, KeyStoreError>
  }
>()("@interlock/stages/KeyStore") {}

const storeOf = (disk: Disk.Disk, directory: string) => {
  const attempt = <A>(operation: KeyStoreError["operation"], run: () => Promise<A>) =>
    Effect.tryPromise({
      try: run,
      catch: (cause) =>
        new KeyStoreError({ operation, message: cause instanceof Error ? cause.message : String(cause) })
    })
  return KeyStore.of({
    get: (name) =>
      attempt("get", () =>
        disk.read(join(directory, name)).catch((cause: unknown) => {
          if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined
          throw cause
        })
      ),
    create: (name, bytes) => attempt("create", () => disk.create(join(directory, name), bytes)),
    remove: (name) => attempt("remove", () => disk.destroy(join(directory, name))),
    list: (folder) =>
      attempt("list", async () => (await disk.list(join(directory, folder))).map((name) => `${folder}/${name}`))
  })
}

/**
 * Keeps keys in memory: they are gone with the process.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<KeyStore> = Layer.sync(KeyStore)(() => storeOf(Disk.memory(), "keys"))

/**
 * Keeps keys as files, one each, readable by their owner only. A removed key is overwritten before it is unlinked; a file system or
 * a disk that keeps old blocks may still hold it, sealed under the key above it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFiles = (options: {
  readonly directory: string
  readonly disk?: Disk.Disk | undefined
}): Layer.Layer<KeyStore> => Layer.sync(KeyStore)(() => storeOf(options.disk ?? Disk.files, options.directory))

/**
 * Seals and opens tenant keys with the root key, which never leaves this service: a key management service fits behind it.
 *
 * @category services
 * @since 0.1.0
 */
export class RootKey extends Context.Service<
  RootKey,
  {
    /** Seals the bytes; `context` must be given again to open them. */
    readonly seal: (bytes: Uint8Array, context: string) => Effect.Effect<Uint8Array, KeyStoreError>
    readonly open: (sealed: Uint8Array, context: string) => Effect.Effect<Uint8Array, KeyStoreError>
  }
>()("@interlock/stages/RootKey") {}

const crypto = Aead.layerWebCrypto.pipe(Layer.provideMerge(SecureRandom.layerWebCrypto))

const sealer = Effect.gen(function* () {
  const aead = yield* Aead.Aead
  const random = yield* SecureRandom.SecureRandom
  const failed = (operation: "seal" | "open") => (error: { readonly message: string }) =>
    new KeyStoreError({ operation, message: error.message })
  return {
    random,
    seal: (key: Uint8Array, bytes: Uint8Array, context: string) =>
      Effect.gen(function* () {
        const nonce = yield* random.randomBytes(12)
        const sealed = yield* aead.encrypt(yield* Aead.key(Aead.aes256Gcm, key), bytes, {
          nonce,
          aad: Buffer.from(`interlock/audit/key/${context}`)
        })
        return Buffer.concat([nonce, sealed])
      }).pipe(Effect.mapError(failed("seal"))),
    open: (key: Uint8Array, sealed: Uint8Array, context: string) =>
      Effect.gen(function* () {
        return yield* aead.decrypt(yield* Aead.key(Aead.aes256Gcm, key), sealed.subarray(12), {
          nonce: sealed.subarray(0, 12),
          aad: Buffer.from(`interlock/audit/key/${context}`)
        })
      }).pipe(Effect.mapError(failed("open")))
  }
})

/**
 * The root key from 32 bytes.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRootKey = (key: Redacted.Redacted<Uint8Array>): Layer.Layer<RootKey, KeyStoreError> =>
  Layer.effect(
    RootKey,
    Effect.gen(function* () {
      const bytes = Redacted.value(key)
      if (bytes.length !== 32)
        return yield* new KeyStoreError({
          operation: "open",
          message: `the root key has ${bytes.length} bytes: it must have 32; make one with "openssl rand -base64 32"`
        })
      const { open, seal } = yield* sealer
      return RootKey.of({
        seal: (plain, context) => seal(bytes, plain, context),
        open: (sealed, context) => open(bytes, sealed, context)
      })
    })
  ).pipe(Layer.provide(crypto))

/**
 * The root key from `INTERLOCK_AUDIT_ROOT_KEY`: 32 bytes in Base64, such as `openssl rand -base64 32` prints.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<RootKey, KeyStoreError | Config.ConfigError> = Layer.unwrap(
  Effect.map(Config.Redacted("INTERLOCK_AUDIT_ROOT_KEY"), (text) =>
    layerRootKey(Redacted.make(Buffer.from(Redacted.value(text), "base64")))
  )
)

/**
 * A legal hold: which tenant it concerns, by the id of its key, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hold {
  readonly tenantKey: string
  readonly reason: string
}

const decodeHold = Schema.decodeUnknownEffect(
  Schema.fromJsonString(Schema.Struct({ tenantKey: Schema.String, reason: Schema.String }))
)

/**
 * Finds, makes and destroys the keys of tenants and subjects. A key has a random id, so that the log names nobody; whose key it is
 * can be found only through the key store, and no more once it is destroyed.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyRing {
  /** 32 bytes that seed the log's signing key. */
  readonly signingSeed: Uint8Array
  /** The tenant's key, made where there is none. */
  readonly tenant: (tenant: string) => Effect.Effect<Key, AuditError>
  /** The subject's key, made where there is none. */
  readonly subject: (tenant: string, subject: string) => Effect.Effect<Key, AuditError>
  /** The key of a tenant, or of a subject of it, where there is one. */
  readonly find: (tenant: string, subject?: string) => Effect.Effect<Key | undefined, AuditError>
  readonly tenantById: (id: string) => Effect.Effect<Key | undefined, AuditError>
  readonly subjectById: (tenant: string, id: string) => Effect.Effect<Key | undefined, AuditError>
  /** Destroys the key of a subject, or of a whole tenant. */
  readonly destroy: (tenant: string, subject?: string) => Effect.Effect<void, AuditError>
  /** Destroys a key by its id, as an erasure in the log demands. */
  readonly destroyById: (id: string) => Effect.Effect<boolean, AuditError>
  readonly hold: (id: string, hold: Hold) => Effect.Effect<void, AuditError>
  readonly release: (id: string) => Effect.Effect<boolean, AuditError>
  /** All holds, by the id of the key that is held. */
  readonly holds: Effect.Effect<ReadonlyMap<string, Hold>, AuditError>
}

const remembered = 10_000

/**
 * The keys in a `KeyStore` under a `RootKey`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeKeyRing: Effect.Effect<KeyRing, AuditError, KeyStore | RootKey> = Effect.suspend(() =>
  makeRing.pipe(
    Effect.provide(crypto),
    Effect.mapError((error) => unavailable("open", error))
  )
)

const makeRing = Effect.gen(function* () {
  const store = yield* KeyStore
  const root = yield* RootKey
  const { open, random, seal } = yield* sealer

  const secret = (name: string) =>
    Effect.gen(function* () {
      const there = yield* store.get(name)
      if (there !== undefined) return yield* root.open(there, name)
      const bytes = yield* random.randomBytes(32)
      if (yield* store.create(name, yield* root.seal(bytes, name))) return bytes
      return yield* root.open((yield* store.get(name))!, name)
    })
  const signingSeed = yield* secret("log/signing")
  const naming = yield* secret("log/naming")

  const byName = new Map<string, Key>()
  const byId = new Map<string, Key>()
  const remember = (name: string | undefined, key: Key): Key => {
    for (const map of [byName, byId]) if (map.size >= remembered) map.delete(map.keys().next().value!)
    if (name !== undefined) byName.set(name, key)
    byId.set(key.id, key)
    return key
  }
  const forget = (id: string) => {
    byId.delete(id)
    for (const [name, key] of byName) if (key.id === id) byName.delete(name)
  }
  // What a key is found by in the store: a name that says nothing without the naming key.
  const ownerOf = (name: string): string => createHmac("sha256", naming).update(name).digest("hex")

  const load = (id: string, parent: Key | undefined) =>
    Effect.gen(function* () {
      const known = byId.get(id)
      if (known !== undefined) return known
      if ((yield* store.get(`erased/${id}`)) !== undefined) return undefined
      const sealed = yield* store.get(`key/${id}`)
      if (sealed === undefined) return undefined
      const bytes = yield* parent === undefined ? root.open(sealed, id) : open(parent.bytes, sealed, id)
      return remember(undefined, { id, bytes })
    })
  const pointer = (owner: string) =>
    Effect.map(store.get(`owner/${owner}`), (bytes) =>
      bytes === undefined ? undefined : Buffer.from(bytes).toString("latin1")
    )
  const lookup = (name: string, parent: Key | undefined) =>
    Effect.gen(function* () {
      const known = byName.get(name)
      if (known !== undefined) return known
      const id = yield* pointer(ownerOf(name))
      const key = id === undefined ? undefined : yield* load(id, parent)
      return key === undefined ? undefined : remember(name, key)
    })
  const obtain = (name: string, parent: Key | undefined): Effect.Effect<Key, KeyStoreError> =>
    Effect.gen(function* () {
      const there = yield* lookup(name, parent)
      if (there !== undefined) return there
      const owner = ownerOf(name)
      // A pointer to a key that is gone: the erasure of this subject was interrupted, or it is known again.
      if ((yield* pointer(owner)) !== undefined) yield* store.remove(`owner/${owner}`)
      const id = Buffer.from(yield* random.randomBytes(16)).toString("hex")
      const bytes = yield* random.randomBytes(32)
      yield* store.create(
        `key/${id}`,
        yield* parent === undefined ? root.seal(bytes, id) : seal(parent.bytes, bytes, id)
      )
      if (yield* store.create(`owner/${owner}`, Buffer.from(id, "latin1"))) return remember(name, { id, bytes })
      // Another fiber or process was faster.
      yield* store.remove(`key/${id}`)
      return yield* obtain(name, parent)
    })
  const guard = (operation: string) => Effect.mapError((error: KeyStoreError) => unavailable(operation, error))
  const tenantName = (tenant: string) => `tenant/${tenant}`
  const subjectName = (parent: Key, subject: string) => `subject/${parent.id}/${subject}`
  const known = (name: string, parent: Key | undefined) => {
    const key = byName.get(name)
    return key === undefined ? obtain(name, parent) : Effect.succeed(key)
  }
  const find = (tenant: string, subject: string | undefined) =>
    Effect.gen(function* () {
      const parent = yield* lookup(tenantName(tenant), undefined)
      return parent === undefined || subject === undefined
        ? parent
        : yield* lookup(subjectName(parent, subject), parent)
    })
  const bury = (id: string) =>
    Effect.gen(function* () {
      yield* store.create(`erased/${id}`, new Uint8Array([1]))
      forget(id)
      yield* store.remove(`key/${id}`)
    })

  return {
    signingSeed,
    tenant: (tenant) => guard("append")(known(tenantName(tenant), undefined)),
    subject: (tenant, subject) =>
      guard("append")(
        Effect.flatMap(known(tenantName(tenant), undefined), (parent) => known(subjectName(parent, subject), parent))
      ),
    find: (name, subject) => guard("find")(find(name, subject)),
    tenantById: (id) => guard("read")(load(id, undefined)),
    subjectById: (parentId, id) =>
      guard("read")(
        Effect.flatMap(load(parentId, undefined), (parent) =>
          parent === undefined ? Effect.undefined : load(id, parent)
        )
      ),
    destroy: (name, subject) =>
      guard("erase")(
        Effect.gen(function* () {
          const key = yield* find(name, subject)
          if (key === undefined) return
          const parent = yield* lookup(tenantName(name), undefined)
          const own = subject === undefined || parent === undefined ? tenantName(name) : subjectName(parent, subject)
          yield* bury(key.id)
          yield* store.remove(`owner/${ownerOf(own)}`)
          // The keys below a tenant's are sealed under it, and lost with it; none may stay in memory.
          if (subject === undefined) {
            byName.clear()
            byId.clear()
          }
        })
      ),
    destroyById: (id) =>
      guard("erase")(
        Effect.gen(function* () {
          const there = (yield* store.get(`key/${id}`)) !== undefined
          yield* bury(id)
          return there
        })
      ),
    hold: (id, hold) =>
      guard("hold")(
        Effect.gen(function* () {
          const sealed = yield* root.seal(Buffer.from(JSON.stringify(hold)), `hold/${id}`)
          if (yield* store.create(`hold/${id}`, sealed)) return
          yield* store.remove(`hold/${id}`)
          yield* store.create(`hold/${id}`, sealed)
        })
      ),
    release: (id) =>
      guard("release")(
        Effect.gen(function* () {
          const there = (yield* store.get(`hold/${id}`)) !== undefined
          yield* store.remove(`hold/${id}`)
          return there
        })
      ),
    holds: guard("holds")(
      Effect.gen(function* () {
        const holds = new Map<string, Hold>()
        for (const name of yield* store.list("hold")) {
          const sealed = yield* store.get(name)
          if (sealed === undefined) continue
          const text = Buffer.from(yield* root.open(sealed, name)).toString("utf8")
          const hold = yield* decodeHold(text).pipe(
            Effect.mapError(() => new KeyStoreError({ operation: "open", message: `${name} is not a hold` }))
          )
          holds.set(name.slice("hold/".length), hold)
        }
        return holds
      })
    )
  } satisfies KeyRing
})

const unavailable = (operation: string, error: KeyStoreError): AuditError =>
  new AuditError({ operation, reason: new KeysUnavailable({ detail: error.message }) })

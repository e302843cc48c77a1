import { createCipheriv, createHash, createHmac, hkdfSync } from "node:crypto"
import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
import { Caller, Chat, Journal, Parameters, Part, Prompt, RawPrompt, SafePrompt } from "@interlock/model"
import { redact, redactParameters } from "@interlock/stages/redact"
import { Detector, DetectorError } from "@interlock/stages/redact/detector"
import * as Policy from "@interlock/stages/redact/policy"
import { type NumberedEntry, Vault, VaultError, VaultStore } from "@interlock/stages/redact/vault"
import { Context, Effect, Layer, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"

const layer = Layer.mergeAll(Detector.layer, Vault.layerMemory)
const caller = { tenant: "acme", conversation: "c1" }
const factsOf = (input: string | ReadonlyArray<Prompt.Message>, who: Caller["Service"] = caller) =>
  Context.merge(RawPrompt.context(Prompt.make(input)), Caller.context(who))

/** A pipeline whose model answers by `answer`, and what that model saw. */
const scripted = (answer: (seen: Prompt.Prompt) => Reply.Reply<Part.Part>) => {
  const seen: Array<Prompt.Prompt> = []
  const model = Pipeline.handler("model", { needs: { prompt: SafePrompt } }, ({ prompt }) => {
    seen.push(prompt)
    return Effect.succeed(answer(prompt))
  })
  const chat = Pipeline.make("chat", { input: [RawPrompt, Caller], protocol: Chat.protocol })
    .use(redact)
    .to(model)
  return { chat, seen }
}
const echo = (prompt: Prompt.Prompt) => Reply.whole(Part.text(Prompt.lastUserText(prompt)))
const liveText = (pieces: ReadonlyArray<string>) =>
  Reply.live(
    Stream.fromIterable<Part.Part>([
      { type: "text-start", id: "t" },
      ...pieces.map((delta): Part.Part => ({ type: "text-delta", id: "t", delta })),
      { type: "text-end", id: "t" },
      Part.finish("stop")
    ])
  )

describe("redact", () => {
  it.effect("replaces below and restores above", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted(echo)
      const text = "Write to alice@example.com and bob@example.com, then to alice@example.com"
      const answer = yield* chat.run(factsOf(text))
      expect(answer.text).toBe(text)
      expect(Prompt.text(seen[0]!)).toBe("Write to ⟦EMAIL_ADDRESS_1⟧ and ⟦EMAIL_ADDRESS_2⟧, then to ⟦EMAIL_ADDRESS_1⟧")
    }).pipe(Effect.provide(layer))
  )

  it.effect("keeps numbers across the turns of a conversation, and apart between conversations", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted(echo)
      yield* chat.run(factsOf("mail a@example.com"))
      yield* chat.run(factsOf("mail b@example.com and a@example.com"))
      yield* chat.run(factsOf("mail b@example.com", { tenant: "acme", conversation: "c2" }))
      yield* chat.run(factsOf("mail b@example.com", { tenant: "other", conversation: "c1" }))
      expect(seen.map(Prompt.text)).toEqual([
        "mail ⟦EMAIL_ADDRESS_1⟧",
        "mail ⟦EMAIL_ADDRESS_2⟧ and ⟦EMAIL_ADDRESS_1⟧",
        "mail ⟦EMAIL_ADDRESS_1⟧",
        "mail ⟦EMAIL_ADDRESS_1⟧"
      ])
    }).pipe(Effect.provide(layer))
  )

  it.effect("escapes text that looks like a placeholder", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted(echo)
      const text = "a@example.com says ⟦EMAIL_ADDRESS_1⟧ and ⟦"
      const answer = yield* chat.run(factsOf(text))
      expect(answer.text).toBe(text)
      expect(Prompt.text(seen[0]!).match(/⟦EMAIL_ADDRESS_1⟧/g)).toHaveLength(1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("restores a stream however it is cut, and ends what it held back", () =>
    Effect.gen(function* () {
      const script = "Dear ⟦EMAIL_ADDRESS_1⟧, not ⟦EMAIL_ADDRESS_9⟧, nor ⟦EMAIL"
      for (let size = 1; size <= script.length; size++) {
        const pieces: Array<string> = []
        for (let i = 0; i < script.length; i += size) pieces.push(script.slice(i, i + size))
        const { chat } = scripted(() => liveText(pieces))
        const parts = yield* Stream.runCollect(chat.stream(factsOf("mail a@example.com")))
        const text = parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("")
        expect(text).toBe("Dear a@example.com, not ⟦EMAIL_ADDRESS_9⟧, nor ⟦EMAIL")
        expect(parts.at(-1)?.type).toBe("finish")
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("redacts tool calls and results, and restores arguments escaped for JSON", () =>
    Effect.gen(function* () {
      const value = 'p4ss"w\\0rd-2024'
      const { chat, seen } = scripted(() =>
        Reply.live(
          Stream.fromIterable<Part.Part>([
            { type: "tool-params-start", id: "1", name: "login", providerExecuted: false },
            { type: "tool-params-delta", id: "1", delta: '{"password":"⟦SEC' },
            { type: "tool-params-delta", id: "1", delta: 'RET_1⟧","again":"\\u27e6SECRET_1\\u27E7"}' },
            { type: "tool-params-end", id: "1" },
            { type: "tool-call", id: "1", name: "login", params: { password: "⟦SECRET_1⟧" }, providerExecuted: false },
            Part.finish("tool-calls")
          ])
        )
      )
      const parts = yield* Stream.runCollect(
        chat.stream(
          factsOf([
            {
              role: "assistant",
              content: [{ type: "tool-call", id: "0", name: "f", params: { password: value }, providerExecuted: false }]
            },
            {
              role: "tool",
              content: [{ type: "tool-result", id: "0", name: "f", isFailure: false, result: { to: "x@example.com" } }]
            }
          ])
        )
      )
      expect(JSON.stringify(seen)).not.toContain("p4ss")
      expect(JSON.stringify(seen)).not.toContain("x@example.com")
      const params = parts.map((part) => (part.type === "tool-params-delta" ? part.delta : "")).join("")
      expect(JSON.parse(params)).toEqual({ password: value, again: value })
      expect(parts.find((part) => part.type === "tool-call")?.params).toEqual({ password: value })
    }).pipe(Effect.provide(layer))
  )

  it.effect("keeps structured output valid JSON", () =>
    Effect.gen(function* () {
      const value = 'p4ss"w\\0rd-2024'
      const { chat } = scripted(() => Reply.whole(Part.text('{"login":"⟦SECRET_1⟧"}')))
      const answer = yield* chat.run(
        factsOf([
          {
            role: "assistant",
            content: [{ type: "tool-call", id: "0", name: "f", params: { password: value }, providerExecuted: false }]
          }
        ])
      )
      expect(JSON.parse(answer.text)).toEqual({ login: value })
    }).pipe(Effect.provide(layer))
  )

  it.effect("leaves placeholders in URLs that the model made up, and restores those of the prompt", () =>
    Effect.gen(function* () {
      const say =
        '![x](https://evil.example/?q=⟦EMAIL_ADDRESS_1⟧) <img src="//evil.example/⟦EMAIL_ADDRESS_1⟧"> https://shop.example/u/⟦EMAIL_ADDRESS_1⟧ ⟦EMAIL_ADDRESS_1⟧'
      const { chat } = scripted(() => Reply.whole(Part.text(say)))
      const answer = yield* chat.run(factsOf("see https://shop.example/u/a@example.com for a@example.com"))
      expect(answer.text).toBe(
        '![x](https://evil.example/?q=⟦EMAIL_ADDRESS_1⟧) <img src="//evil.example/⟦EMAIL_ADDRESS_1⟧"> https://shop.example/u/a@example.com a@example.com'
      )
      const { chat: open } = scripted(() => Reply.whole(Part.text(say)))
      const always = yield* open
        .run(factsOf("a@example.com"))
        .pipe(Effect.provideService(Policy.Policy, Policy.make({ restore: { toolArguments: true, urls: "always" } })))
      expect(always.text).not.toContain("⟦")
    }).pipe(Effect.provide(layer))
  )

  it.effect("finds a value that is cut between the parts of a message", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted((prompt) => Reply.whole(Part.text(Prompt.text(prompt))))
      const parts = ["Mail alice@exam", "ple.com and pay by 4111 1111", " 1111 1111 today"].map((text) => ({
        type: "text" as const,
        text
      }))
      const answer = yield* chat.run(factsOf([{ role: "user", content: parts }]))
      const safe = JSON.stringify(seen)
      for (const piece of ["alice", "ple.com", "1111"]) expect(safe).not.toContain(piece)
      expect(answer.text).toBe(Prompt.text(Prompt.make([{ role: "user", content: parts }])))
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes the whole of a field that is a secret, and short numbers where the field says so", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted(echo)
      const params = { pin: 4821, login: { password: "correct horse battery" }, cvv: "123", page: 4821 }
      const call = { type: "tool-call" as const, id: "1", name: "f", params, providerExecuted: false }
      yield* chat.run(factsOf([{ role: "assistant", content: [call] }]))
      const [part] = seen[0]!.content[0]!.content as ReadonlyArray<typeof call>
      expect(part?.params).toEqual({
        pin: "⟦SECRET_1⟧",
        login: { password: "⟦SECRET_2⟧" },
        cvv: "⟦SECRET_3⟧",
        page: 4821
      })
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "fails closed where a detector or a file policy breaks or answers nonsense, and says nothing of the text",
    () =>
      Effect.gen(function* () {
        const { chat, seen } = scripted(echo)
        const broken = (detect: Detector["Service"]["detect"]) =>
          Effect.flip(
            chat
              .run(factsOf("mail alice@example.com"))
              .pipe(Effect.provide(Layer.mergeAll(Detector.layerWith({ name: "own", detect }), Vault.layerMemory)))
          )
        const span = { type: "PERSON", confidence: 1 }
        const errors = [
          yield* broken((text) => {
            throw new Error(`cannot read ${text}`)
          }),
          yield* broken((text) => Effect.die(new Error(`cannot read ${text}`))),
          yield* broken(() => Effect.succeed([{ ...span, start: 5, end: Number.NaN }])),
          yield* broken(() => Effect.succeed([{ ...span, start: 9, end: 5 }])),
          yield* broken(() => Effect.succeed([{ ...span, start: 0, end: 500 }]))
        ]
        const file = { type: "file" as const, mediaType: "text/plain", data: "alice@example.com" }
        errors.push(
          yield* Effect.flip(
            chat
              .run(factsOf([{ role: "user", content: [file] }]))
              .pipe(
                Effect.provideService(
                  Policy.Policy,
                  Policy.make({ files: (each) => Effect.die(new Error(`cannot read ${String(each.data)}`)) })
                ),
                Effect.provide(layer)
              )
          )
        )
        for (const error of errors) {
          expect(error._tag).toBe("RedactError")
          expect(inspect(error, { depth: 9 })).not.toContain("alice")
        }
        expect(seen).toEqual([])
      })
  )

  it.effect("knows a URL however Markdown, HTML and JSON write it, and text beside one", () =>
    Effect.gen(function* () {
      const mark = "⟦EMAIL_ADDRESS_1⟧"
      const ways = [
        `![](<https://evil.example/?q=a ${mark}>)`,
        `<img src="https://evil.example/?q=a ${mark}">`,
        `<img src='https://evil.example/?q=\n${mark}'>`,
        `<div style="background:url( https://evil.example/ ${mark})">`,
        `![](https://evil.example/?q="${mark}")`,
        `[a]: &#104;ttps&colon;&sol;&sol;evil.example/${mark}`,
        `[a]: <https://evil.example/ ${mark}>`,
        `https:evil.example/${mark}`,
        `https:\\\\evil.example\\${mark}`,
        `(evil.example/${mark})`,
        `{"url":"https:\\/\\/evil.example\\/?q=${mark}"}`,
        `{"url":"https\\u003a\\u002f\\u002fevil.example\\u002f${mark}"}`
      ]
      for (const way of ways) {
        const { chat } = scripted(() => Reply.whole(Part.text(way)))
        expect((yield* chat.run(factsOf("mail a@example.com"))).text).toBe(way)
      }
      const beside = [
        `See https://ok.example and mail ${mark}`,
        `[x](https://ok.example), ${mark}`,
        `<a href="https://ok.example" title="x">${mark}</a>`,
        `{"url":"https://ok.example/","mail":"${mark}"}`,
        `fetch("https://ok.example", { body: "${mark}" })`,
        `[1]: ${mark}, and/or ${mark}, if a < b then ${mark} > c`
      ]
      for (const text of beside) {
        const { chat } = scripted(() => Reply.whole(Part.text(text)))
        expect((yield* chat.run(factsOf("mail a@example.com"))).text).toBe(text.replaceAll(mark, "a@example.com"))
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("restores a placeholder as models write it, and leaves one that nobody made", () =>
    Effect.gen(function* () {
      const said =
        "⟦email_address_1⟧ ⟦Email_Address_1⟧ ⟦EMAIL\\_ADDRESS\\_1⟧ ⟦ EMAIL ADDRESS 1 ⟧ ⟦EMAIL_ADDRESS_2⟧ ⟦x⟧ ⟦"
      for (const size of [1, 3, 200]) {
        const pieces = said.match(new RegExp(`[^]{1,${size}}`, "g")) ?? []
        const { chat } = scripted(() => liveText(pieces))
        const answer = yield* chat.run(factsOf("mail a@example.com"))
        expect(answer.text).toBe("a@example.com a@example.com a@example.com a@example.com ⟦EMAIL_ADDRESS_2⟧ ⟦x⟧ ⟦")
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("applies the strategy of each type", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted(echo)
      const run = (strategy: Policy.Strategy) =>
        chat
          .run(factsOf("mail a@example.com now"))
          .pipe(Effect.provideService(Policy.Policy, Policy.make({ strategies: { EMAIL_ADDRESS: strategy } })))
      yield* run("mask")
      yield* run("remove")
      yield* run("hash")
      yield* run("keep")
      const refused = yield* Effect.flip(run("refuse"))
      expect(seen.map(Prompt.text)).toEqual([
        "mail ************* now",
        "mail  now",
        expect.stringMatching(/^mail \[EMAIL_ADDRESS:[0-9a-f]{16}\] now$/),
        "mail a@example.com now"
      ])
      expect(refused.reason).toMatchObject({ _tag: "RefusedType", type: "EMAIL_ADDRESS" })
      expect(refused.message).not.toContain("a@example.com")
    }).pipe(Effect.provide(layer))
  )

  it.effect("hashes under a key: the same in every call of a tenant under one, in one call alone without", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted(echo)
      const value = "a@example.com"
      const run = (hashKey?: Policy.Settings["hashKey"], tenant = "acme") =>
        Effect.gen(function* () {
          const strategies = { EMAIL_ADDRESS: "hash" } as const
          const policy = Policy.make({ strategies, ...(hashKey === undefined ? {} : { hashKey }) })
          yield* chat
            .run(factsOf(`${value} and ${value}`, { tenant }))
            .pipe(Effect.provideService(Policy.Policy, policy))
          const hashes = [...Prompt.text(seen.at(-1)!).matchAll(/:([0-9a-f]{16})\]/g)].map(([, hash]) => hash)
          expect(hashes).toHaveLength(2)
          expect(hashes[0]).toBe(hashes[1])
          return hashes[0]
        })
      const bare = createHash("sha256").update(value).digest("hex").slice(0, 16)
      const key = Redacted.make("0123456789abcdef")
      const under = yield* run(key)
      // What whoever has the key computes to join by it.
      expect(under).toBe(
        createHmac("sha256", "0123456789abcdef")
          .update(JSON.stringify(["acme", "EMAIL_ADDRESS", value]))
          .digest("hex")
          .slice(0, 16)
      )
      expect(yield* run(Redacted.make(new TextEncoder().encode("0123456789abcdef")))).toBe(under)
      const others = [
        yield* run(Redacted.make("fedcba9876543210")),
        yield* run(key, "other"),
        yield* run(),
        yield* run()
      ]
      expect(new Set([under, bare, ...others]).size).toBe(6)
      const weak = yield* Effect.flip(run(Redacted.make("short")))
      expect(weak).toMatchObject({ _tag: "RedactError", reason: { _tag: "WeakHashKey", bytes: 5 } })
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses files unless the policy lets them through", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted(() => Reply.whole(Part.text("ok")))
      const facts = factsOf([
        {
          role: "user",
          content: [{ type: "file", mediaType: "image/png", data: "AAAA", fileName: "a@example.com.png" }]
        }
      ])
      const refused = yield* Effect.flip(chat.run(facts))
      expect(refused.reason._tag).toBe("RefusedFile")
      expect(seen).toHaveLength(0)
      const withFiles = (files: Policy.FilePolicy) =>
        chat.run(facts).pipe(Effect.provideService(Policy.Policy, Policy.make({ files })))
      yield* withFiles("pass")
      yield* withFiles((file) =>
        Effect.succeed(file.mediaType.startsWith("image/") ? { ...file, data: "BBBB" } : undefined)
      )
      expect((yield* Effect.flip(withFiles(() => Effect.succeed(undefined)))).reason._tag).toBe("RefusedFile")
      expect((yield* Effect.flip(withFiles(() => Effect.fail("broken")))).reason._tag).toBe("RefusedFile")
      expect(JSON.stringify(seen)).not.toContain("a@example.com")
      expect(JSON.stringify(seen[1])).toContain("BBBB")
    }).pipe(Effect.provide(layer))
  )

  it.effect("fails closed when the detector or the vault fails", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted(echo)
      const broken = Detector.layerWith({
        name: "broken",
        detect: () => Effect.fail(new DetectorError({ detector: "broken", message: "no model" }))
      })
      const lost = Layer.succeed(Vault)({
        assign: () => Effect.fail(new VaultError({ message: "gone" })),
        forget: () => Effect.void
      })
      const first = yield* Effect.flip(chat.run(factsOf("hi")).pipe(Effect.provide([broken, Vault.layerMemory])))
      const second = yield* Effect.flip(chat.run(factsOf("hi")).pipe(Effect.provide([Detector.layer, lost])))
      expect(first.reason._tag).toBe("DetectorFailed")
      expect(second.reason._tag).toBe("VaultFailed")
      expect(seen).toHaveLength(0)
    })
  )

  it.effect("merges a detector of the user's own by confidence", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted(echo)
      const own = Detector.layerWith({
        name: "projects",
        detect: (text) => {
          const start = text.indexOf("Nightingale")
          return Effect.succeed(start < 0 ? [] : [{ start, end: start + 11, type: "project", confidence: 1 }])
        }
      })
      yield* chat.run(factsOf("Nightingale a@example.com")).pipe(Effect.provide([own, Vault.layerMemory]))
      expect(Prompt.text(seen[0]!)).toBe("⟦PROJECT_1⟧ ⟦EMAIL_ADDRESS_1⟧")
    })
  )

  it.effect("replaces a value that overlaps one of a type that stays", () =>
    Effect.gen(function* () {
      const { chat, seen } = scripted(echo)
      const own = Detector.layerWith({
        name: "own",
        detect: (text) => {
          const start = text.indexOf("2024-03-15")
          return Effect.succeed([{ start: start + 5, end: start + 16, type: "CASE_NUMBER", confidence: 0.51 }])
        }
      })
      yield* chat.run(factsOf("It was 2024-03-15-7761 then")).pipe(Effect.provide([own, Vault.layerMemory]))
      yield* chat.run(factsOf("It was on 2024-03-15 T123 in France")).pipe(Effect.provide([own, Vault.layerMemory]))
      expect(Prompt.text(seen[0]!)).not.toContain("03-15")
      expect(Prompt.text(seen[1]!)).toMatch(/^It was on ⟦CASE_NUMBER_1⟧ ?in France$/)
    })
  )

  it.effect("says in the journal what was replaced, by type and without text", () =>
    Effect.gen(function* () {
      const { chat } = scripted(echo)
      const journal = Journal.make()
      yield* chat.run(factsOf("a@example.com b@example.com")).pipe(Effect.provideService(Journal.Journal, journal))
      expect(journal.events()).toEqual([{ _tag: "Redaction", counts: { EMAIL_ADDRESS: 2 } }])
    }).pipe(Effect.provide(layer))
  )
})

describe("Vault", () => {
  it.effect("seals values: a store sees neither values nor names, and another key does not open them", () =>
    Effect.gen(function* () {
      const entries: Array<unknown> = []
      const inner = yield* VaultStore
      const spy = Layer.succeed(VaultStore)({
        ...inner,
        put: (conversation, given) =>
          Effect.tap(inner.put(conversation, given), (kept) => Effect.sync(() => entries.push(conversation, kept)))
      })
      const sealed = (byte: number) =>
        Vault.layerSealed({ rootKey: Redacted.make(new Uint8Array(32).fill(byte)) }).pipe(Layer.provide(spy))
      const assign = (values: ReadonlyArray<string>) =>
        Vault.use((vault) =>
          vault.assign(
            caller,
            values.map((value) => ({ type: "PERSON", value }))
          )
        )
      const first = yield* assign(["Ada Lovelace", "Grace Hopper"]).pipe(Effect.provide(sealed(1)))
      const second = yield* assign(["Edsger", "Ada Lovelace"]).pipe(Effect.provide(sealed(1)))
      expect(first.map((each) => [each.value, each.number])).toEqual([
        ["Ada Lovelace", 1],
        ["Grace Hopper", 2]
      ])
      expect(second.map((each) => [each.value, each.number])).toEqual([
        ["Ada Lovelace", 1],
        ["Grace Hopper", 2],
        ["Edsger", 3]
      ])
      const stored = entries
        .map((each) => JSON.stringify(each) + Buffer.from(JSON.stringify(each)).toString("latin1"))
        .join()
      for (const secret of ["Ada Lovelace", "Grace Hopper", "acme"]) expect(stored).not.toContain(secret)
      // Another root key names the conversation otherwise, so it begins anew.
      const other = yield* assign(["Ada Lovelace"]).pipe(Effect.provide(sealed(2)))
      expect(other).toHaveLength(1)
      yield* Vault.use((vault) => vault.forget(caller)).pipe(Effect.provide(sealed(1)))
      expect(yield* assign(["Grace Hopper"]).pipe(Effect.provide(sealed(1)))).toMatchObject([
        { value: "Grace Hopper", number: 1 }
      ])
    }).pipe(Effect.provide(VaultStore.layerMemory))
  )

  const people = (...names: ReadonlyArray<string>) => names.map((value) => ({ type: "PERSON", value }))
  const numbers = (vault: Vault["Service"], conversation: string, ...names: ReadonlyArray<string>) =>
    Effect.map(vault.assign({ tenant: "acme", conversation }, people(...names)), (all) =>
      all.map(({ number, value }) => [value, number])
    )

  it.effect("in memory forgets a conversation that was not used for its time to live", () =>
    Effect.gen(function* () {
      const vault = yield* Vault
      yield* numbers(vault, "used", "Ada", "Grace")
      yield* numbers(vault, "left", "Ada", "Grace")
      yield* TestClock.adjust("59 minutes")
      yield* numbers(vault, "used")
      yield* TestClock.adjust("1 minute")
      expect(yield* numbers(vault, "used", "Edsger")).toEqual([
        ["Ada", 1],
        ["Grace", 2],
        ["Edsger", 3]
      ])
      expect(yield* numbers(vault, "left", "Grace")).toEqual([["Grace", 1]])
    }).pipe(Effect.provide(Vault.layerMemoryOf({ timeToLive: "1 hour" })))
  )

  it.effect("in memory keeps a day where nothing is said, and forgets the values of a sealed store then, too", () =>
    Effect.gen(function* () {
      const vault = yield* Vault
      const store = yield* VaultStore
      const entry = { type: "PERSON", fingerprint: "f", sealed: new Uint8Array([1]), number: 1 }
      yield* numbers(vault, "c", "Ada")
      yield* store.put("c", [entry])
      yield* TestClock.adjust(86_399_999)
      expect(yield* numbers(vault, "c")).toHaveLength(1)
      expect(yield* store.put("c", [])).toEqual([entry])
      yield* TestClock.adjust("24 hours")
      expect(yield* numbers(vault, "c")).toEqual([])
      expect(yield* store.put("c", [])).toEqual([])
    }).pipe(Effect.provide(Layer.merge(Vault.layerMemory, VaultStore.layerMemory)))
  )

  it.effect("in memory makes room by forgetting the conversation that was used least recently", () =>
    Effect.gen(function* () {
      const vault = yield* Vault
      yield* numbers(vault, "a", "Ada", "Grace")
      yield* numbers(vault, "b", "Edsger")
      yield* numbers(vault, "a")
      yield* numbers(vault, "c", "Barbara", "Donald", "Tony")
      expect(yield* numbers(vault, "b")).toEqual([])
      expect(yield* numbers(vault, "a", "Alan")).toHaveLength(3)
      // Six values where five have room: those of "c" went.
      expect(yield* numbers(vault, "c", "Barbara")).toEqual([["Barbara", 1]])
      const error = yield* Effect.flip(numbers(vault, "d", "1", "2", "3", "4", "5", "6"))
      expect(error.message).toContain("6 values")
      expect(yield* numbers(vault, "a")).toHaveLength(3)
      yield* numbers(vault, "e")
      yield* numbers(vault, "f")
      yield* numbers(vault, "g")
      expect(yield* numbers(vault, "a")).toEqual([])
    }).pipe(Effect.provide(Vault.layerMemoryOf({ values: 5, conversations: 3 })))
  )

  it.effect("in memory refuses bounds that are none", () =>
    Effect.forEach(
      [{ timeToLive: 0 }, { timeToLive: Infinity }, { conversations: 0 }, { values: Number.NaN }],
      (options) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(Layer.build(Vault.layerMemoryOf(options)))
          expect(error.message).toContain(Object.keys(options)[0])
        })
    )
  )

  /** What a store holds, changed by whoever can write to it. */
  const tampered = (change: (kept: ReadonlyArray<NumberedEntry>) => ReadonlyArray<NumberedEntry>) =>
    Layer.effect(VaultStore)(
      Effect.map(VaultStore, (inner) => ({
        ...inner,
        put: (conversation, entries) => Effect.map(inner.put(conversation, entries), change)
      }))
    )
  const rootKey = Redacted.make(new Uint8Array(32).fill(3))
  const through = (store: Layer.Layer<VaultStore, never, VaultStore>) =>
    Effect.provide(Vault.layerSealed({ rootKey }).pipe(Layer.provide(store)))

  it.effect("does not open a sealed value under the number or the type of another one", () =>
    Effect.gen(function* () {
      const all = [...people("Ada", "Grace"), { type: "CITY", value: "Turin" }]
      const assign = Vault.use((vault) => vault.assign(caller, all))
      const swap = (from: number, to: number, what: "sealed" | "number" | "type") =>
        tampered((kept) =>
          kept.length < 3
            ? kept
            : kept.map((entry, index) => {
                const other = index === from ? kept[to]! : index === to ? kept[from]! : entry
                return { ...entry, [what]: other[what] }
              })
        )
      expect(yield* assign.pipe(through(tampered((kept) => kept)))).toHaveLength(3)
      for (const store of [swap(0, 1, "sealed"), swap(0, 1, "number"), swap(0, 2, "sealed"), swap(0, 2, "type")]) {
        const reading = Vault.use((vault) => vault.assign(caller, []))
        expect((yield* Effect.flip(reading.pipe(through(store)))).message).toContain("does not open")
      }
    }).pipe(Effect.provide(VaultStore.layerMemory))
  )

  it.effect("does not open a value of before its conversation began anew in the place of another one", () =>
    Effect.gen(function* () {
      const assign = (name: string) => Vault.use((vault) => vault.assign(caller, people(name)))
      let earlier: Uint8Array | undefined
      const recording = tampered((kept) => {
        earlier = kept[0]?.sealed
        return kept
      })
      const replaying = tampered((kept) => kept.map((entry) => ({ ...entry, sealed: earlier! })))
      yield* assign("Ada").pipe(through(recording))
      yield* Vault.use((vault) => vault.forget(caller)).pipe(through(recording))
      yield* assign("Grace").pipe(through(tampered((kept) => kept)))
      expect((yield* Effect.flip(assign("Grace").pipe(through(replaying)))).message).toContain("does not open")
    }).pipe(Effect.provide(VaultStore.layerMemory))
  )

  it.effect("opens what was sealed before values were sealed to their numbers", () =>
    Effect.gen(function* () {
      // As it was: nonce, ciphertext and tag, with the type alone as associated data.
      const derived = (use: string) =>
        Buffer.from(hkdfSync("sha256", Redacted.value(rootKey), "", JSON.stringify(["vault", use, "acme", "c1"]), 32))
      const sealing = derived("seal")
      const before = (value: string, nonce: Uint8Array) => {
        const cipher = createCipheriv("aes-256-gcm", sealing, nonce).setAAD(Buffer.from("PERSON"))
        return Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()])
      }
      // The second nonce begins as a value does that has a version.
      const old = ["Ada", "Grace"].map((value, index) => ({
        type: "PERSON",
        fingerprint: createHmac("sha256", derived("fingerprint")).update(`PERSON\0${value}`).digest("base64url"),
        sealed: before(value, new Uint8Array(12).fill(index + 1)),
        number: index + 1
      }))
      const opened = yield* Vault.use((vault) => vault.assign(caller, [])).pipe(through(tampered(() => old)))
      expect(opened.map(({ number, value }) => [value, number])).toEqual([
        ["Ada", 1],
        ["Grace", 2]
      ])
    }).pipe(Effect.provide(VaultStore.layerMemory))
  )

  it.effect(
    "numbers no value twice where turns of one conversation run at once, and gives up on a store that lost some",
    () =>
      Effect.gen(function* () {
        const inner = yield* VaultStore
        const slow = Layer.succeed(VaultStore)({
          ...inner,
          put: (conversation, entries) =>
            Effect.yieldNow.pipe(Effect.andThen(inner.put(conversation, entries)), Effect.tap(Effect.yieldNow))
        })
        yield* Effect.gen(function* () {
          const vault = yield* Vault
          yield* Effect.forEach(
            Array.from({ length: 10 }, (_, i) => i),
            (i) => numbers(vault, "c", "same", `${i}`),
            {
              concurrency: "unbounded"
            }
          )
          const all = yield* numbers(vault, "c")
          expect(all.map(([, number]) => number)).toEqual(Array.from({ length: 11 }, (_, i) => i + 1))
          expect(new Set(all.map(([value]) => value)).size).toBe(11)
        }).pipe(through(slow))
        const lossy = tampered((kept) => kept.slice(0, -1))
        const error = yield* Effect.flip(Vault.use((vault) => numbers(vault, "c", "new")).pipe(through(lossy)))
        expect(error.message).toContain("100 tries")
      }).pipe(Effect.provide(VaultStore.layerMemory))
  )

  it.effect("does not open a sealed value that was changed", () =>
    Effect.gen(function* () {
      const tampering = Layer.succeed(VaultStore)({
        put: (_, entries) =>
          Effect.succeed(
            entries.map((entry) => ({
              ...entry,
              sealed: entry.sealed.map((byte, i) => (i === 14 ? byte ^ 1 : byte))
            }))
          ),
        forget: () => Effect.void
      })
      const error = yield* Vault.use((vault) => vault.assign(caller, [{ type: "PERSON", value: "Ada Lovelace" }])).pipe(
        Effect.provide(
          Vault.layerSealed({ rootKey: Redacted.make(new Uint8Array(32)) }).pipe(Layer.provide(tampering))
        ),
        Effect.flip
      )
      expect(error.message).toContain("does not open")
    })
  )
})

describe("redactParameters", () => {
  const ask = (settings: Parameters["Service"], prompt = "Mail alice@example.com", policy = Policy.defaults) =>
    Effect.gen(function* () {
      const seen: Array<Parameters["Service"]> = []
      const model = Pipeline.handler(
        "model",
        { needs: { prompt: SafePrompt, settings: Parameters } },
        ({ prompt, settings }) => {
          seen.push(settings)
          return Effect.succeed(Reply.whole(Part.text(`${Prompt.text(prompt)} ${settings.stop?.join(" ") ?? ""}`)))
        }
      )
      const journal = Journal.make()
      const answer = yield* Pipeline.make("chat", { input: [RawPrompt, Caller, Parameters], protocol: Chat.protocol })
        .use(redact)
        .use(redactParameters)
        .to(model)
        .run(
          RawPrompt.context(Prompt.make(prompt)).pipe(
            Context.merge(Caller.context({ tenant: "acme" })),
            Context.merge(Parameters.context(settings))
          )
        )
        .pipe(Effect.provideService(Journal.Journal, journal), Effect.provideService(Policy.Policy, policy))
      return { seen: seen[0]!, answer, events: journal.events() }
    })
  const tool = (change: object) => ({ name: "mail", parameters: { type: "object", properties: {} }, ...change })

  it.effect("has the placeholders of the prompt, goes on numbering, and what it replaced is restored", () =>
    Effect.gen(function* () {
      const { seen, answer, events } = yield* ask({ stop: ["bob@example.com", "alice@example.com", "⟦"], seed: 7 })
      expect(seen).toEqual({ stop: ["⟦EMAIL_ADDRESS_2⟧", "⟦EMAIL_ADDRESS_1⟧", "⟦LITERAL_1⟧"], seed: 7 })
      expect(answer.text).toBe("Mail alice@example.com bob@example.com alice@example.com ⟦")
      expect(events.filter((event) => event._tag === "Redaction")).toEqual([
        { _tag: "Redaction", counts: { EMAIL_ADDRESS: 1 } },
        { _tag: "Redaction", counts: { EMAIL_ADDRESS: 2 } }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.effect("leaves the words of a schema as they are, and rewrites what it says", () =>
    Effect.gen(function* () {
      const schema = (to: string) => ({
        type: "object",
        required: ["to"],
        properties: { to: { type: "string", format: "email", description: `such as ${to}`, enum: [to, "nobody"] } }
      })
      const { seen } = yield* ask({ tools: [tool({ parameters: schema("alice@example.com") })], toolChoice: "auto" })
      expect(seen).toEqual({ tools: [tool({ parameters: schema("⟦EMAIL_ADDRESS_1⟧") })], toolChoice: "auto" })
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses a value where it cannot be replaced, and says where without saying it", () =>
    Effect.gen(function* () {
      const value = "alice@example.com"
      const refused: ReadonlyArray<readonly [string, Parameters["Service"]]> = [
        ["tools[0].name", { tools: [tool({ name: value })] }],
        ["tools[0].parameters", { tools: [tool({ parameters: { properties: { [value]: {} } } })] }],
        ["tools[0].parameters", { tools: [tool({ parameters: { pattern: `^${value}$` } })] }],
        ["tools[0].parameters", { tools: [tool({ parameters: { enum: [4111111111111111] } })] }],
        ["toolChoice.tool", { toolChoice: { tool: value } }],
        ["responseFormat.name", { responseFormat: { type: "json", name: value } }],
        ["responseFormat.schema", { responseFormat: { type: "json", schema: { required: [value] } } }],
        ["providerOptions", { providerOptions: { openai: { metadata: { [value]: 1 } } } }]
      ]
      for (const [path, settings] of refused) {
        const error = yield* Effect.flip(ask(settings))
        expect(error).toMatchObject({ _tag: "RedactError", reason: { _tag: "RefusedParameter", path } })
        expect(JSON.stringify(error)).not.toContain(value)
        const { seen } = yield* ask(settings, "Hi", Policy.make({ fixed: "pass" }))
        expect(seen).toEqual(settings)
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("fails closed", () =>
    Effect.gen(function* () {
      const detector = Detector.layerOf({
        name: "lists",
        detect: (text) =>
          text === "END" ? Effect.fail(new DetectorError({ detector: "lists", message: "down" })) : Effect.succeed([])
      })
      const error = yield* ask({ stop: ["END"] }).pipe(
        Effect.provide(Layer.mergeAll(detector, Vault.layerMemory)),
        Effect.flip
      )
      expect(error).toMatchObject({ _tag: "RedactError", reason: { _tag: "DetectorFailed", detector: "lists" } })
    })
  )
})

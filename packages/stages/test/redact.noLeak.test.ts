import { describe, expect, it } from "@effect/vitest"
import { Pipeline, Reply } from "@interlock/core"
import { Caller, Chat, Journal, Parameters, Part, type Prompt, RawPrompt, SafePrompt } from "@interlock/model"
import { redact, redactParameters } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { Context, Effect, Layer } from "effect"

/** A generator of numbers that is the same every time (mulberry32). */
const random = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

const makeCanaries = (next: () => number) => {
  const below = (limit: number) => Math.floor(next() * limit)
  const pick = <A>(from: ReadonlyArray<A>): A => from[below(from.length)] as A
  const some = (alphabet: string, length: number) =>
    Array.from({ length }, () => alphabet[below(alphabet.length)]).join("")
  const digits = (length: number) => some("0123456789", length)
  const lower = "abcdefghijklmnopqrstuvwxyz"
  const alphanumeric = `${lower}${lower.toUpperCase()}0123456789`
  const luhnDigit = (body: string) => {
    for (let check = 0; check < 10; check++) {
      let sum = 0
      for (const [i, char] of [...`${body}${check}`].reverse().entries()) {
        const value = Number(char) * (i % 2 === 1 ? 2 : 1)
        sum += value > 9 ? value - 9 : value
      }
      if (sum % 10 === 0) return String(check)
    }
    return ""
  }
  const iban = () => {
    const account = digits(18)
    const rest = BigInt(`${account}131400`) % 97n
    return `DE${String(98n - rest).padStart(2, "0")}${account}`
  }
  const resident = () => {
    const body = `${pick(["110101", "310115", "440304"])}19${digits(1)}${1 + below(9)}0${1 + below(9)}1${below(10)}${digits(3)}`
    let sum = 0
    for (let i = 0; i < 17; i++) sum += Number(body[i]) * (2 ** (17 - i) % 11)
    return body + "10X98765432"[sum % 11]
  }
  const names = [
    "Alice Johnson",
    "Matteo Ricci",
    "Ingrid Larsson",
    "Hans Müller",
    "Olga Ivanova",
    "Pedro Santos",
    "Marie Dubois"
  ]
  // Each is the text that goes into a prompt, and the value in it that must not be seen below.
  const makers: ReadonlyArray<() => readonly [text: string, value: string]> = [
    () => {
      const value = `${some(lower, 3 + below(9))}.${some(lower, 4)}@${some(lower, 6)}.${pick(["com", "de", "co.uk", "cn"])}`
      return [value, value]
    },
    () => {
      const body = `4${digits(14)}`
      const value = body + luhnDigit(body)
      return [value, value]
    },
    () => {
      const body = `4${digits(14)}`
      const value = (body + luhnDigit(body)).replace(/(\d{4})(?=\d)/g, "$1 ")
      return [value, value]
    },
    () => {
      const value = iban()
      return [value, value]
    },
    () => {
      const value = `${1 + below(7)}${1 + below(9)}${1 + below(9)}-${10 + below(89)}-${1000 + below(8999)}`
      return [value.replace(/^666/, "667"), value.replace(/^666/, "667")]
    },
    () => {
      const value = `+4420${7 + below(2)}${1000000 + below(8999999)}`
      return [value, value]
    },
    () => {
      const value = `${1 + below(220)}.${below(256)}.${below(256)}.${1 + below(254)}`
      return [value, value]
    },
    () => {
      const value = `2001:db8:${some("123456789abcdef", 4)}::${some("123456789abcdef", 3)}`
      return [value, value]
    },
    () => {
      const value = Array.from({ length: 6 }, () => some("0123456789ABCDEF", 2))
        .join(":")
        .replace(/^00/, "0A")
      return [value, value]
    },
    () => {
      const value = resident()
      return [value, value]
    },
    () => {
      const value = `1${pick(["38", "39", "50", "86"])}${digits(8)}`
      return [value, value]
    },
    () => {
      const value = `ghp_${some(alphanumeric, 36)}`
      return [value, value]
    },
    () => {
      const value = `AKIA${some("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)}`
      return [value, value]
    },
    () => {
      const value = `sk-ant-api03-${some(alphanumeric, 40)}`
      return [value, value]
    },
    () => {
      const value = `eyJ${some(alphanumeric, 20)}.eyJ${some(alphanumeric, 30)}.${some(alphanumeric, 30)}`
      return [value, value]
    },
    () => {
      const value = `${some(alphanumeric, 8)}7x${some(alphanumeric, 2)}`
      return [`postgres://app:${value}@db.internal:5432/main`, value]
    },
    () => {
      const value = `${some(lower, 6)}${10 + below(89)}!${some(alphanumeric, 6)}`
      return [`password: ${value}`, value]
    },
    () => {
      const value = some(`${alphanumeric}+/`, 64)
      return [`-----BEGIN RSA PRIVATE KEY-----\n${value}\n-----END RSA PRIVATE KEY-----`, value]
    },
    () => {
      const value = pick(names)
      return [`My name is ${value}`, value]
    },
    () => {
      const value = `${1 + below(12)}/${1 + below(28)}/${1930 + below(70)}`
      return [`date of birth: ${value}`, value]
    },
    () => {
      const value = `${100 + below(900)} ${pick(["Maple", "Oxford", "Church"])} ${pick(["Street", "Avenue", "Road"])}`
      return [`I live at ${value}`, value]
    }
  ]
  const uncut = new Set([18, 19, 20])
  const cuts = ["\u200b", "\u0301", "😀", "\ufe0f", "\u00ad", "👩🏽"]
  const frames: ReadonlyArray<(text: string) => string> = [
    (text) => text,
    (text) => `Please look at this: ${text}. Thanks.`,
    (text) => JSON.stringify({ request: { body: [text, { deep: `${text}` }] } }),
    (text) => JSON.stringify(JSON.stringify({ note: `see ${text}` })),
    (text) => `\`\`\`ts\nconst value = "${text}" // remember\nsend(value)\n\`\`\``,
    (text) => `curl "https://api.example.org/v1/items?q=${text}&page=2"`,
    (text) => `| field | value |\n|---|---|\n| x | **${text}** |`,
    (text) => `[link](${text}) and <b>${text}</b>`,
    (text) => `请帮我处理：${text}，谢谢。`,
    (text) => `お願いします「${text}」です`,
    (text) => `🎉 ${text} 🎉`,
    (text) => `<user id="7"><v>${text}</v></user>`,
    (text) => `user,value\r\n1,${text}\r\n`
  ]
  return () => {
    const kind = below(makers.length)
    const [text, value] = (makers[kind] as (typeof makers)[number])()
    if (!uncut.has(kind) && kind !== 15 && kind !== 16 && kind !== 17 && below(8) === 0) {
      // Cut in the middle by something that a reader does not see, or does not mind.
      const at = 2 + below(value.length - 3)
      const cut = value.slice(0, at) + pick(cuts) + value.slice(at)
      return { kind, text: `Take ${cut} please`, value: cut, plain: value }
    }
    return { kind, text: pick(frames)(text), value, plain: value }
  }
}

const layer = Layer.mergeAll(Detector.layer, Vault.layerMemory)
const wrap = (text: string, i: number): ReadonlyArray<Prompt.Message> => {
  switch (i % 6) {
    case 0:
      return [{ role: "system", content: text }]
    case 1:
      return [{ role: "user", content: [{ type: "text", text }] }]
    case 2:
      return [{ role: "assistant", content: [{ type: "reasoning", text }] }]
    case 3:
      return [
        {
          role: "assistant",
          content: [{ type: "tool-call", id: "1", name: "f", params: { a: [{ b: text }] }, providerExecuted: false }]
        }
      ]
    case 4:
      return [
        { role: "tool", content: [{ type: "tool-result", id: "1", name: "f", isFailure: false, result: [text] }] }
      ]
    default:
      return [{ role: "user", content: text }]
  }
}

/** Settings with the text in one of the places where text may stand; a name, a pattern or a number may not hold any. */
const settingsWith = (text: string, i: number): Parameters["Service"] => {
  const tool = { name: "look_up", description: "Looks up a customer", parameters: { type: "object", properties: {} } }
  const schema = (value: object) => ({ type: "object", properties: { note: value }, required: ["note"] })
  switch (i % 10) {
    case 0:
      return { tools: [{ ...tool, description: text }] }
    case 1:
      return { tools: [{ ...tool, parameters: schema({ type: "string", description: text }) }] }
    case 2:
      return { tools: [{ ...tool, parameters: schema({ enum: ["none", text] }) }] }
    case 3:
      return { stop: ["END", text] }
    case 4:
      return { responseFormat: { type: "json", schema: schema({ anyOf: [{ title: text }, { type: "null" }] }) } }
    case 5:
      return { responseFormat: { type: "json", schema: schema({ type: "object", default: { a: [text] } }) } }
    case 6:
      return { providerOptions: { openai: { user: text } } }
    case 7:
      return { providerOptions: { anthropic: { metadata: { tags: ["a", { b: text }] } } } }
    case 8:
      return { tools: [{ ...tool, parameters: { $defs: { note: { $comment: text, examples: [text] } } } }] }
    default:
      return { temperature: 0, tools: [tool], toolChoice: { tool: "look_up" } }
  }
}

describe("no leak", () => {
  const total = 100_000

  it.effect(
    "no canary of 100,000 generated prompts is seen below redact, and the answer has it again",
    () =>
      Effect.gen(function* () {
        let seen = ""
        const model = Pipeline.handler(
          "model",
          { needs: { prompt: SafePrompt, settings: Parameters } },
          ({ prompt, settings }) => {
            seen = JSON.stringify([prompt, settings])
            const last = prompt.content[0]
            const said = typeof last?.content === "string" ? last.content : ""
            return Effect.succeed(
              Reply.whole<Part.Part>([
                { type: "text", text: said },
                { type: "text", text: settings.stop?.[1] ?? "" },
                Part.finish("stop")
              ])
            )
          }
        )
        const chat = Pipeline.make("chat", { input: [RawPrompt, Parameters, Caller], protocol: Chat.protocol })
          .use(redact)
          .use(redactParameters)
          .to(model)
        const canary = makeCanaries(random(20260727))
        const leaks = new Map<number, Array<string>>()
        const changed: Array<string> = []
        for (let i = 0; i < total; i++) {
          const { kind, text, value, plain } = canary()
          // Every third canary is in the settings as well, and every sixth there alone.
          const asked = i % 6 === 3 ? "What do you see?" : text
          const prompt = { content: wrap(asked, i) }
          const settings = i % 3 === 0 ? settingsWith(text, Math.floor(i / 3)) : {}
          const journal = Journal.make()
          const answer = yield* chat
            .run(
              RawPrompt.context(prompt).pipe(
                Context.merge(Parameters.context(settings)),
                Context.merge(Caller.context({ tenant: "acme" }))
              )
            )
            .pipe(Effect.provideService(Journal.Journal, journal))
          seen += JSON.stringify(journal.events())
          const written = JSON.stringify(value).slice(1, -1)
          if (seen.includes(value) || seen.includes(written) || seen.includes(plain)) {
            leaks.set(kind, [...(leaks.get(kind) ?? []), `${text} -> ${seen}`])
          }
          const said = i % 6 === 0 || i % 6 === 5 ? asked : ""
          const stop = settings.stop?.[1] ?? ""
          if (answer.text !== said + stop) changed.push(`${said + stop} -> ${answer.text}`)
        }
        expect([...leaks].map(([kind, texts]) => [kind, texts.length, texts.slice(0, 6)])).toEqual([])
        expect(changed.slice(0, 5)).toEqual([])
      }).pipe(Effect.provide(layer)),
    120_000
  )
})

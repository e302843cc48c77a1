/**
 * The cache: what a hit and a key cost, what single flight saves, how long a semantic lookup takes, and how often the
 * semantic tier hits and errs.
 *
 *     pnpm bench cache
 *     pnpm bench cache -- --intents FILE.jsonl [--alpha 0.05] [--decisions OUT.jsonl]
 *     pnpm bench cache -- --pairs FILE.jsonl [--alpha 0.01]
 *     pnpm bench cache -- --trace FILE.jsonl
 *
 * `--intents`: rows `{text, label}`, streamed in order; rows of one label have one answer. `--pairs`: rows `{a, b, same}`; `a`
 * is cached, `b` is asked, and `same` says whether a's answer would have done. Shares are of all rows: a row that was judged
 * was answered by the model and is no hit. `--trace`: rows `{timestampMs, inputTokens, prefixHashes}`, at each provider's prices.
 */
import { createReadStream, createWriteStream } from "node:fs"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { Pipeline, Reply } from "@interlock/core"
import { Caller, Chat, ChosenModel, Parameters, Part, Prompt, SafePrompt, type SafeText } from "@interlock/model"
import * as RedisCacheStore from "@interlock/redis/cacheStore"
import * as Connection from "@interlock/redis/connection"
import { cache } from "@interlock/stages/cache"
import { Embedder, layerLocal } from "@interlock/stages/cache/embedder"
import { canonicalHash } from "@interlock/stages/cache/key"
import { layer, type Question, SemanticTier } from "@interlock/stages/cache/semantic"
import { type CacheStore, layerMemory } from "@interlock/stages/cache/store"
import { layerUsearch } from "@interlock/stages/cache/usearchIndex"
import { layerScan, VectorIndex } from "@interlock/stages/cache/vectorIndex"
import { makePlanner, type Rules, rulesOf, type Segment } from "@interlock/stages/promptCache"
import { Context, Duration, Effect, Layer, Random } from "effect"
import * as Server from "../packages/redis/test/server.ts"

const tier = (alpha: number) => layer({ alpha }).pipe(Layer.provide([layerLocal, layerScan()]))

const readRows = async function* (file: string): AsyncGenerator<any> {
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() !== "") yield JSON.parse(line)
  }
}

const report = (
  alpha: number,
  rows: number,
  hits: number,
  wrong: number,
  judged: number,
  threshold: number | "off"
) => {
  const share = (part: number, whole: number) => (whole === 0 ? 0 : Number((part / whole).toFixed(4)))
  console.log(`rows                 ${rows}`)
  console.log(`alpha                ${alpha}`)
  console.log(`hits                 ${hits} (${(100 * share(hits, rows)).toFixed(1)} % of all rows)`)
  console.log(`wrong among hits     ${wrong} (${(100 * share(wrong, hits)).toFixed(2)} %)`)
  console.log(`judged, not served   ${judged} (${(100 * share(judged, rows)).toFixed(1)} % of all rows)`)
  console.log(`threshold            ${threshold}`)
  console.log(
    JSON.stringify({
      hits: share(hits, rows),
      wrongAmongHits: share(wrong, hits),
      threshold,
      judged: share(judged, rows)
    })
  )
}

const intents = Effect.fnUntraced(function* (file: string, alpha: number, decisions: string | undefined) {
  const semantic = yield* SemanticTier
  const rows = readRows(file)
  const out = decisions === undefined ? undefined : createWriteStream(decisions)
  const texts: Array<string> = []
  let [hits, wrong, judged, row] = [0, 0, 0, 0]
  for (;;) {
    const next = yield* Effect.promise(() => rows.next())
    if (next.done) break
    const { label, text } = next.value as { readonly label: string; readonly text: string }
    const question: Question = { partition: "bench", traffic: "bench", text }
    const decision = yield* semantic.decide(question)
    const match = decision.match
    const right = match === undefined ? undefined : match.answer === label
    if (decision._tag === "serve") {
      hits++
      if (!right) wrong++
    } else {
      if (decision._tag === "shadow") {
        judged++
        yield* semantic.judged(question, decision.match, label, right === true)
      }
      yield* semantic.remember(question, { key: String(row), answer: label, vector: decision.vector })
    }
    out?.write(
      `${JSON.stringify({
        row,
        text,
        label,
        decision: decision._tag === "serve" ? "hit" : decision._tag === "shadow" ? "judged" : "miss",
        ...(match && {
          matchedRow: Number(match.key),
          matchedText: texts[Number(match.key)],
          answer: match.answer,
          score: match.score,
          right
        })
      })}\n`
    )
    texts.push(text)
    row++
  }
  const { threshold } = yield* semantic.certificate("bench")
  report(alpha, row, hits, wrong, judged, threshold ?? "off")
  if (out !== undefined) yield* Effect.promise(() => new Promise<void>((resolve) => out.end(resolve)))
})

const pairs = Effect.fnUntraced(function* (file: string, alpha: number) {
  const semantic = yield* SemanticTier
  const rows = readRows(file)
  let [hits, wrong, judged, row] = [0, 0, 0, 0]
  for (;;) {
    const next = yield* Effect.promise(() => rows.next())
    if (next.done) break
    const { a, b, same } = next.value as { readonly a: string; readonly b: string; readonly same: boolean }
    const cached: Question = { partition: `pair-${row}`, traffic: "bench", text: a }
    const { vector } = yield* semantic.decide(cached)
    yield* semantic.remember(cached, { key: String(row), answer: `a${row}`, vector })
    const asked = { ...cached, text: b }
    const decision = yield* semantic.decide(asked)
    if (decision._tag === "serve") {
      hits++
      if (!same) wrong++
    } else if (decision._tag === "shadow") {
      judged++
      yield* semantic.judged(asked, decision.match, `b${row}`, same)
    }
    row++
  }
  const { threshold } = yield* semantic.certificate("bench")
  report(alpha, row, hits, wrong, judged, threshold ?? "off")
})

/** Replays a trace of prompts: what input costs with the planner, relative to no prompt caching at all. */
const trace = async (file: string) => {
  interface Row {
    readonly timestampMs: number
    readonly inputTokens: number
    readonly prefixHashes: ReadonlyArray<number>
  }
  const all: Array<Row> = []
  for await (const row of readRows(file)) all.push(row)
  /** For the whole trace, and for its second half alone. */
  const cost = (found: Rules, plan: (segments: ReadonlyArray<Segment>, now: number) => number) => {
    const lifetime = Duration.toMillis(found.timeToLive)
    const alive = new Map<number, number>()
    const sums = { paid: 0, plain: 0 }
    let half = { ...sums }
    for (const [index, { inputTokens, prefixHashes, timestampMs }] of all.entries()) {
      if (index === all.length >> 1) half = { ...sums }
      // Blocks of 512 tokens; the last one is rarely full and is never found again.
      const segments = prefixHashes.slice(0, Math.floor(inputTokens / 512)).map((hash) => ({ hash, tokens: 512 }))
      let cached = 0
      while (cached < segments.length && (alive.get(segments[cached]!.hash) ?? -1) >= timestampMs) cached++
      const planned = plan(segments, timestampMs)
      // Without a mark nothing is read either.
      if (planned < cached) cached = planned
      sums.paid += inputTokens + 512 * ((found.read - 1) * cached + (found.write - 1) * (planned - cached))
      sums.plain += inputTokens
      for (const { hash } of segments.slice(0, planned)) alive.set(hash, timestampMs + lifetime)
    }
    return {
      whole: Number((sums.paid / sums.plain).toFixed(4)),
      secondHalf: Number(((sums.paid - half.paid) / (sums.plain - half.plain)).toFixed(4))
    }
  }
  /**
   * What foresight would make of it: of everything, or of all but text that is new, for which only the best rule by the length of
   * the prompt is known, and whether it is a first turn.
   */
  const foresight = ({ read, timeToLive, write }: Rules, ofNew: boolean) => {
    const lifetime = Duration.toMillis(timeToLive)
    const times = new Map<number, Array<number>>()
    const kinds = new Map<number, string>()
    let plain = 0
    for (const { inputTokens, prefixHashes, timestampMs } of all) {
      plain += inputTokens
      const blocks = prefixHashes.slice(0, Math.floor(inputTokens / 512))
      const known = blocks.findIndex((hash) => !times.has(hash))
      const kind = `${known <= 1} ${Math.floor(4 * Math.log2(inputTokens + 1))}`
      for (const hash of blocks) {
        const seen = times.get(hash)
        if (seen === undefined) {
          times.set(hash, [timestampMs])
          kinds.set(hash, kind)
        } else seen.push(timestampMs)
      }
    }
    let saved = 0
    const byKind = new Map<string, number>()
    for (const [hash, seen] of times) {
      // What is saved from here on, where the block was remembered when it came, and where not.
      let [remembered, forgotten] = [0, 0]
      for (let index = seen.length - 1; index >= 0; index--) {
        const inTime = index + 1 < seen.length && seen[index + 1]! - seen[index]! <= lifetime
        const kept = inTime ? remembered : forgotten
        if (index === 0 && !ofNew) {
          const kind = kinds.get(hash)!
          byKind.set(kind, (byKind.get(kind) ?? 0) + 1 - write + kept - forgotten)
          saved += forgotten
        } else if (index === 0) saved += Math.max(1 - write + kept, forgotten)
        remembered = 1 - read + kept
        forgotten = Math.max(1 - write + kept, forgotten)
      }
    }
    for (const gain of byKind.values()) saved += Math.max(0, gain)
    return Number((1 - (512 * saved) / plain).toFixed(4))
  }
  const result: Record<string, unknown> = { rows: all.length }
  console.log(
    "input, of its price without prompt caching     everything     planned   second half   foresight   but of new text"
  )
  for (const [name, provider, model] of [
    ["Anthropic, 5 minutes", "anthropic", "claude-sonnet-4-5"],
    ["OpenAI, GPT-5.6 and later, 30 minutes", "openai", "gpt-5.6"],
    ["OpenAI before, Gemini: automatic", "openai", "gpt-5.1"]
  ] as const) {
    const found = rulesOf(provider, model)!
    const everything = cost(found, (segments) => segments.length)
    // The blocks of the trace are shorter than what providers remember, but prompts consist of many.
    const planner = makePlanner({ ...found, minimumTokens: 0 })
    const planned = cost(found, (segments, now) =>
      found.breakpoints === 0 ? segments.length : (planner.plan(segments, now).at(-1) ?? 0)
    )
    const foreseen = { all: foresight(found, true), known: foresight(found, false) }
    console.log(
      [
        name.padEnd(46),
        String(everything.whole).padStart(10),
        String(planned.whole).padStart(11),
        String(planned.secondHalf).padStart(13),
        String(foreseen.all).padStart(11),
        String(foreseen.known).padStart(17)
      ].join(" ")
    )
    result[model] = {
      everything: everything.whole,
      planned: planned.whole,
      secondHalf: planned.secondHalf,
      foresight: foreseen.all
    }
  }
  console.log(JSON.stringify(result))
}

const microseconds = async (times: number, effect: Effect.Effect<unknown, unknown>) => {
  const rounds: Array<number> = []
  for (let round = 0; round < 21; round++) {
    const start = performance.now()
    await Effect.runPromise(
      Effect.gen(function* () {
        for (let time = 0; time < times; time++) yield* effect
      })
    )
    rounds.push(((performance.now() - start) * 1_000) / times)
  }
  // The fastest round: whatever else the machine does only adds to it.
  return Math.min(...rounds)
}

/** Stands in for `redact`, which alone may make `SafeText`: the bench measures what stands below it. */
const safe = (text: string): Prompt.Prompt<SafeText> => JSON.parse(JSON.stringify(Prompt.make(text)))

const table = Effect.fnUntraced(function* () {
  let calls = 0
  const answer = Pipeline.handler("answer", { needs: {} }, () =>
    Effect.sync(() => {
      calls++
      return Reply.whole(Part.text("An answer of some length. ".repeat(20)))
    }).pipe(Effect.delay("20 millis"))
  )
  const pipeline = Pipeline.make("bench", {
    input: [SafePrompt, Caller, ChosenModel, Parameters],
    protocol: Chat.protocol
  })
    .use(cache)
    .to(answer)
  const facts = (text: string) =>
    SafePrompt.context(safe(text)).pipe(
      Context.add(Caller, { tenant: "acme" }),
      Context.add(ChosenModel, { provider: "openai", model: "gpt-5" }),
      Context.add(Parameters, { temperature: 0 })
    )
  const result: Record<string, number> = {}
  const say = (name: string, value: number, text: string) => {
    result[name] = Number(value.toFixed(3))
    console.log(`${text.padEnd(44)} ${value.toFixed(2)}`)
  }

  const eightKilobytes = {
    tenant: "acme",
    model: "gpt-5",
    prompt: JSON.parse(
      JSON.stringify(
        Prompt.make(
          Array.from(
            { length: 10 },
            (_, index) => ({ role: "user", content: `${index}${"word ".repeat(162)}` }) as const
          )
        )
      )
    ),
    parameters: { temperature: 0, maxOutputTokens: 500 }
  }
  say(
    "keyMicros",
    yield* Effect.promise(() =>
      microseconds(
        5_000,
        Effect.sync(() => canonicalHash(eightKilobytes))
      )
    ),
    "key of an 8 KB prompt, us"
  )

  const measureHits = Effect.gen(function* () {
    const context = yield* Effect.context<CacheStore>()
    const hit = Effect.provideContext(pipeline.run(facts("What are your opening hours?")), context)
    yield* hit
    return yield* Effect.promise(() => microseconds(1_000, hit))
  })
  say("memoryHitMicros", yield* Effect.provide(measureHits, layerMemory()), "exact hit in memory, us")
  const onRedis = Layer.unwrap(
    Effect.map(Server.url, (url) =>
      RedisCacheStore.layer({ name: `bench-${process.pid}` }).pipe(Layer.provide(Connection.layer({ url })))
    )
  )
  say("redisHitMicros", yield* Effect.provide(measureHits, onRedis), "exact hit on Redis, us")

  const embed = Effect.flatMap(Embedder, ({ embed }) =>
    Effect.promise(() => microseconds(5_000, embed("how do I get my money back for a hotel that I never stayed at")))
  )
  say("embedMicros", yield* Effect.provide(embed, layerLocal), "local embedder, a sentence, us")

  calls = 0
  const many = pipeline.run(facts("the same question"))
  yield* Effect.all(
    Array.from({ length: 10_000 }, () => many),
    { concurrency: "unbounded" }
  ).pipe(Effect.provide(layerMemory()))
  say("upstreamCallsOf10000", calls, "upstream calls of 10,000 equal ones at once")

  const lookups = (name: string, text: string) => (size: number) =>
    Effect.gen(function* () {
      const index = yield* VectorIndex
      let seed = 1
      const uniform = () => {
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0
        return seed / 2 ** 31
      }
      // As of an embedding model: 384 numbers that depend on far fewer (48), and some noise.
      const mixture = Array.from({ length: 384 }, () => Float32Array.from({ length: 48 }, uniform))
      const stored = Array.from({ length: size }, () => {
        const factors = Float32Array.from({ length: 48 }, uniform)
        return Float32Array.from(mixture, (weights) => {
          let sum = 0.3 * uniform()
          for (let factor = 0; factor < 48; factor++) sum += (weights[factor]! * factors[factor]!) / 2.3
          return sum
        })
      })
      for (const [position, vector] of stored.entries()) yield* index.add("p", String(position), vector)
      const times: Array<number> = []
      let found = 0
      for (let query = 0; query < 201; query++) {
        // A stored vector with noise: a cosine of about 0.9 to it.
        const of = (query * 7_919) % size
        const asked = stored[of]!.map((component) => component + 0.57 * uniform())
        const start = performance.now()
        const [nearest] = yield* index.search("p", asked, 10)
        times.push(performance.now() - start)
        if (nearest?.id === String(of)) found++
      }
      say(`${name}${size}`, times.sort((a, b) => a - b)[100]!, `${text} p50, ${size} x 384, ms`)
      return found / times.length
    })
  for (const size of [1_000, 10_000, 100_000]) {
    yield* lookups("lookupMs", "semantic lookup")(size).pipe(Effect.provide(layerScan()))
  }
  yield* lookups(
    "usearchMs",
    "with usearch"
  )(100_000).pipe(
    Effect.tap((recall) => Effect.sync(() => say("usearchRecall", recall, "of these, nearest vector found"))),
    Effect.provide(layerUsearch()),
    Effect.catchTag("@interlock/stages/VectorIndexError", ({ message }) => Effect.sync(() => console.log(message)))
  )
  console.log(JSON.stringify(result))
})

export const run = async (argv: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      intents: { type: "string" },
      pairs: { type: "string" },
      trace: { type: "string" },
      alpha: { type: "string" },
      decisions: { type: "string" }
    }
  })
  const file = values.intents ?? values.pairs
  if (file !== undefined) {
    const alpha = Number(values.alpha ?? (values.intents === undefined ? 0.01 : 0.05))
    const program = values.intents === undefined ? pairs(file, alpha) : intents(file, alpha, values.decisions)
    await Effect.runPromise(program.pipe(Effect.provide(tier(alpha)), Random.withSeed("interlock")))
  }
  if (values.trace !== undefined) await trace(values.trace)
  else if (file === undefined) await Effect.runPromise(table())
}

/**
 * The semantic tier: answers a prompt with the cached answer of one that means the same, but only above a score that
 * judged traffic has certified (see `certification`). Until then it runs in shadow: the model is asked anyway, and a
 * judge says whether the cached answer would have done. Judging a sample goes on while the tier serves, so that a
 * certificate is renewed, or lost, as traffic drifts.
 *
 * The candidate is the nearest entry of the answer that weighs most in the neighbourhood: among the nearest entries, weighted
 * by the sixth power of their similarity, answers that are the same (equal text, or judged equal before) count together. Its
 * score is the chance that it will do, learned from its similarity, from the agreement of the neighbourhood (a lone
 * look-alike among other answers seldom does), from how near the next other answer is, from how full the cache is, and from how
 * long ago the model last gave that answer (topics come in runs).
 *
 * @since 0.1.0
 */
import { Context, Duration, Effect, Layer, Random, Schema } from "effect"
import * as Certification from "./certification.ts"
import { type ConfigurationError, invalid } from "./configurationError.ts"
import { Embedder, EmbedderError } from "./embedder.ts"
import { canonicalHash } from "./key.ts"
import { VectorIndex, VectorIndexError } from "./vectorIndex.ts"

/**
 * What the tier is asked about: a text, and where its answers may come from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Question {
  /** The hash of everything but the text that can change the answer: nothing is compared across partitions. */
  readonly partition: string
  /** The class of traffic that is certified together, such as a tenant's use of one model. */
  readonly traffic: string
  readonly text: string
}

/**
 * A cached answer that may do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Match {
  /** The key of the entry. */
  readonly key: string
  /** The digest of its answer, as given to `remember`. */
  readonly answer: string
  readonly similarity: number
  /** The chance, 0 to 1, that the answer will do: what the threshold is compared with. */
  readonly score: number
  /** What `judged` is to learn from. */
  readonly considered: Certification.Considered
}

/**
 * What to do: `serve` the match, `shadow` it (ask the model and judge the match by what it says), or `ask` the model.
 *
 * @category models
 * @since 0.1.0
 */
export type Decision =
  | { readonly _tag: "serve" | "shadow"; readonly vector: Float32Array; readonly match: Match }
  | { readonly _tag: "ask"; readonly vector: Float32Array; readonly match?: Match }

/**
 * Decides, remembers and learns. The cache stage drives it.
 *
 * @category services
 * @since 0.1.0
 */
export class SemanticTier extends Context.Service<
  SemanticTier,
  {
    readonly decide: (question: Question) => Effect.Effect<Decision, EmbedderError | VectorIndexError>
    /** Stores the vector of an answered question; `answer` is a digest that is equal for equal answers. */
    readonly remember: (
      question: Question,
      entry: { readonly key: string; readonly answer: string; readonly vector: Float32Array }
    ) => Effect.Effect<void, VectorIndexError>
    /** Learns the judge's verdict on a shadowed match; `fresh` is the digest of what the model said instead. */
    readonly judged: (question: Question, match: Match, fresh: string, right: boolean) => Effect.Effect<void>
    /** Forgets an entry that the store no longer has. */
    readonly forget: (question: Question, match: Match) => Effect.Effect<void, VectorIndexError>
    /** The certificate in force for a class of traffic. */
    readonly certificate: (traffic: string) => Effect.Effect<Certification.Certificate>
  }
>()("@interlock/stages/SemanticTier") {}

/**
 * How the tier earns its threshold and watches itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface SemanticOptions extends Certification.CertificationOptions {
  /** The share of would-be hits that the model is asked anyway and judged, while serving; 0.07. */
  readonly judgeHits?: number
  /** The share of misses with a match that is judged, so that the threshold can fall; 1: the model is asked anyway. */
  readonly judgeMisses?: number
  /** How many neighbours have a say; 10. */
  readonly neighbours?: number
  /** Matches less similar than this are not looked at; 0.2. */
  readonly floor?: number
  /**
   * How long the embedder, and how long the index, may take; 2 seconds. Then the model is asked as if there were no tier: a call never
   * hangs on its cache.
   */
  readonly patience?: Duration.Input
}

/**
 * The tier over whatever `Embedder` and `VectorIndex` are provided. Certificates are kept in this process, one for each
 * of at most 1,000 classes of traffic.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: SemanticOptions
): Layer.Layer<SemanticTier, ConfigurationError | VectorIndexError, Embedder | VectorIndex> =>
  Layer.effect(
    SemanticTier,
    Effect.gen(function* () {
      const { floor = 0.2, judgeHits = 0.07, judgeMisses = 1, neighbours = 10 } = options
      for (const [setting, value] of Object.entries({ judgeHits, judgeMisses })) {
        if (!(value > 0 && value <= 1)) {
          return yield* invalid(setting, value, "it must be above 0 and at most 1", "use 0.1 to judge every tenth")
        }
      }
      const patience = Duration.fromInputUnsafe(options.patience ?? "2 seconds")
      if (!(Duration.toMillis(patience) > 0)) {
        return yield* invalid("patience", Duration.format(patience), "it must be above 0", "use 2 seconds")
      }
      const late = `took longer than ${Duration.format(patience)}: see why it is slow, or raise patience`
      const withinEmbedder = <A>(embedding: Effect.Effect<A, EmbedderError>) =>
        Effect.timeoutOrElse(embedding, {
          duration: patience,
          orElse: () => new EmbedderError({ message: `${embedder.name} ${late}` })
        })
      const withinIndex = <A>(use: Effect.Effect<A, VectorIndexError>) =>
        Effect.timeoutOrElse(use, {
          duration: patience,
          orElse: () => new VectorIndexError({ reason: "unavailable", message: `the index ${late}` })
        })
      const makeCertification = yield* Certification.make(options)
      const embedder = yield* Embedder
      const index = yield* VectorIndex
      const held = yield* index.dimension
      if (held !== undefined && held !== embedder.dimension) {
        return yield* invalid(
          "Embedder dimension",
          embedder.dimension,
          `the index is filled with vectors of ${held}`,
          "give the new embedder an index of its own"
        )
      }
      const certifications = new Map<string, Certification.Certification>()
      const certification = (traffic: string) => {
        let found = certifications.get(traffic)
        if (found === undefined) {
          if (certifications.size >= 1_000) certifications.delete(certifications.keys().next().value!)
          found = makeCertification()
        } else certifications.delete(traffic)
        certifications.set(traffic, found)
        return found
      }
      // Answers that a judge found to be the same: each digest points to another of its group, the last to itself.
      const groups = new Map<string, string>()
      const group = (answer: string): string => {
        let root = answer
        for (let parent = groups.get(root); parent !== undefined; parent = groups.get(root)) root = parent
        return root
      }
      // How many questions a partition was asked and how many entries it was given, for the newest 10,000 partitions.
      const counts = new Map<string, { asked: number; entries: number }>()
      const countsOf = (name: string) => {
        const found = counts.get(name) ?? { asked: 0, entries: 0 }
        counts.delete(name)
        if (counts.size >= 10_000) counts.delete(counts.keys().next().value!)
        counts.set(name, found)
        return found
      }
      // At which question of its partition the model last gave an answer, for the newest 100,000 answers.
      const given = new Map<string, number>()
      const gave = (name: string, answer: string) => {
        const key = `${name}~${group(answer)}`
        given.delete(key)
        if (given.size >= 100_000) given.delete(given.keys().next().value!)
        given.set(key, countsOf(name).asked)
      }
      const place = (question: Question) => `${embedder.name}.${question.partition}`
      const find = Effect.fnUntraced(function* (question: Question, vector: Float32Array) {
        const name = place(question)
        const { asked, entries } = countsOf(name)
        const found = yield* withinIndex(index.search(name, vector, neighbours))
        const weights = new Map<string, number>()
        let total = 0
        let heaviest: string | undefined
        for (const { id, similarity } of found) {
          const weight = Math.max(0, similarity) ** 6
          const member = group(answerOf(id))
          const sum = (weights.get(member) ?? 0) + weight
          weights.set(member, sum)
          total += weight
          if (heaviest === undefined || sum > weights.get(heaviest)!) heaviest = member
        }
        const nearest = found.find(({ id }) => group(answerOf(id)) === heaviest)
        if (nearest === undefined || heaviest === undefined || nearest.similarity < floor) return undefined
        const { similarity } = nearest
        const agreement = weights.get(heaviest)! / total
        const other = found.find(({ id }) => group(answerOf(id)) !== heaviest)?.similarity ?? 0
        const since = Math.max(1, asked - (given.get(`${name}~${heaviest}`) ?? 0))
        const considered = certification(question.traffic).consider([
          1,
          4 * similarity * agreement - 2,
          2 * similarity - 1,
          2 * agreement - 1,
          3 * (similarity - other),
          Math.log(1 + entries) / 2 - 3,
          Math.log(since) / 2 - 2
        ])
        return {
          key: nearest.id.slice(0, nearest.id.lastIndexOf("~")),
          answer: answerOf(nearest.id),
          similarity,
          score: considered.chance,
          considered
        }
      })
      return SemanticTier.of({
        decide: Effect.fnUntraced(function* (question) {
          const vector = yield* withinEmbedder(embedder.embed(question.text))
          countsOf(place(question)).asked++
          const match = yield* find(question, vector)
          if (match === undefined) return { _tag: "ask", vector } as const
          const { threshold } = certification(question.traffic).certificate()
          const hit = threshold !== undefined && match.score >= threshold
          const chance = threshold === undefined ? 1 : hit ? judgeHits : judgeMisses
          const judge = (yield* Random.next) < chance
          return { _tag: judge ? "shadow" : hit ? "serve" : "ask", vector, match } as const
        }),
        remember: (question, { answer, key, vector }) =>
          Effect.suspend(() => {
            const name = place(question)
            countsOf(name).entries++
            gave(name, answer)
            return withinIndex(index.add(name, `${key}~${answer}`, vector))
          }),
        judged: (question, match, fresh, right) =>
          Effect.sync(() => {
            certification(question.traffic).observe(match.considered, right)
            if (!right) return
            const from = group(fresh)
            const to = group(match.answer)
            if (from !== to) {
              if (groups.size >= 100_000) groups.clear()
              groups.set(from, to)
            }
            gave(place(question), to)
          }),
        forget: (question, match) => withinIndex(index.remove(place(question), `${match.key}~${match.answer}`)),
        certificate: (traffic) =>
          Effect.sync(() => certifications.get(traffic)?.certificate() ?? { threshold: undefined, bound: 1, judged: 0 })
      })
    })
  )

const answerOf = (id: string): string => id.slice(id.lastIndexOf("~") + 1)

/**
 * The judge could not say; the match then counts as not judged.
 *
 * @category errors
 * @since 0.1.0
 */
export class AnswerJudgeError extends Schema.TaggedError<AnswerJudgeError>()("@interlock/stages/AnswerJudgeError", {
  message: Schema.String,
  cause: Schema.optional(Schema.Defect())
}) {}

/**
 * Says whether a cached answer would have done where the model, asked anyway, gave another.
 *
 * @category services
 * @since 0.1.0
 */
export class AnswerJudge extends Context.Service<
  AnswerJudge,
  {
    readonly same: (question: string, cached: string, fresh: string) => Effect.Effect<boolean, AnswerJudgeError>
  }
>()("@interlock/stages/AnswerJudge") {}

/**
 * The judge for answers that are labels, numbers or JSON: the same up to letter case and white space, nothing else. For
 * free text it finds nearly every pair different, so the tier stays off, which is safe; give it a model as judge instead.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerEqualText: Layer.Layer<AnswerJudge> = Layer.succeed(AnswerJudge, {
  same: (_question, cached, fresh) => Effect.sync(() => plain(cached) === plain(fresh))
})

/**
 * A digest that is equal for answers equal up to letter case and white space.
 *
 * @category keys
 * @since 0.1.0
 */
export const answerDigest = (answer: string): string => canonicalHash(plain(answer)).slice(0, 22)

const plain = (text: string): string => text.normalize("NFKC").toLowerCase().replace(/\s+/gu, " ").trim()

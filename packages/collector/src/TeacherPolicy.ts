/**
 * `TeacherPolicy` says what the terms of a teacher allow to be done with its answers. Data of a teacher whose terms restrict training, or
 * are not known, is not exported unless somebody says that they may and why; and what they said is in the dataset's card.
 *
 * It is a reminder and a record, not legal advice: terms change, and those of your contract may differ.
 *
 * ```ts
 * import * as TeacherPolicy from "@interlock/collector/TeacherPolicy"
 *
 * const terms = TeacherPolicy.termsOf(TeacherPolicy.known, { provider: "openai", model: "gpt-5" })
 * console.assert(terms.status === "restricted")
 * ```
 *
 * @since 0.1.0
 */
import type { ModelReference } from "@interlock/model"
import { Context, Effect, Schema } from "effect"

/**
 * What the terms of a teacher say about training on its answers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Terms {
  readonly status: "permitted" | "restricted" | "unknown"
  readonly summary: string
  readonly url?: string
}

/**
 * The terms of the models of a provider whose names match.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly provider: string
  /** Default: all of them. */
  readonly models?: RegExp
  readonly terms: Terms
}

/**
 * Somebody's word that the data may be exported all the same.
 *
 * @category models
 * @since 0.1.0
 */
export interface Override {
  readonly by: string
  readonly reason: string
}

/**
 * The terms of teachers, the first entry that fits counting; and the override, where somebody gave one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  readonly entries: ReadonlyArray<Entry>
  readonly override?: Override
}

/**
 * Export of a teacher's answers is refused.
 *
 * @category errors
 * @since 0.1.0
 */
export class RestrictedTeacher extends Schema.TaggedError<RestrictedTeacher>()(
  "@interlock/collector/RestrictedTeacher",
  { provider: Schema.String, model: Schema.String, message: Schema.String }
) {}

const restricted = (summary: string, url: string): Terms => ({ status: "restricted", summary, url })

/**
 * The terms of well-known providers, in short.
 *
 * @category constants
 * @since 0.1.0
 */
export const known: ReadonlyArray<Entry> = [
  {
    provider: "offline",
    terms: { status: "permitted", summary: "It answers in the words of your own documents." }
  },
  {
    provider: "openai",
    terms: restricted(
      "Output may not be used to develop models that compete with OpenAI.",
      "https://openai.com/policies/services-agreement/"
    )
  },
  {
    provider: "anthropic",
    terms: restricted(
      "The services may not be used to build a competing product or to train competing models without approval.",
      "https://www.anthropic.com/legal/commercial-terms"
    )
  },
  {
    provider: "google",
    terms: restricted(
      "The services may not be used to develop models that compete with them.",
      "https://ai.google.dev/gemini-api/terms"
    )
  }
]

/**
 * The policy in force: the known terms, and no override.
 *
 * @category references
 * @since 0.1.0
 */
export const TeacherPolicy: Context.Reference<Policy> = Context.Reference("@interlock/collector/TeacherPolicy", {
  defaultValue: (): Policy => ({ entries: known })
})

/**
 * The terms of a teacher; those of one that no entry names are unknown.
 *
 * @category accessors
 * @since 0.1.0
 */
export const termsOf = (entries: ReadonlyArray<Entry>, teacher: ModelReference): Terms =>
  entries.find(({ models, provider }) => provider === teacher.provider && (models?.test(teacher.model) ?? true))
    ?.terms ?? { status: "unknown", summary: "Nobody has looked its terms up." }

/**
 * Fails for the first teacher whose answers may not be exported, unless the policy has an override.
 *
 * @category checking
 * @since 0.1.0
 */
export const check = Effect.fnUntraced(function* (
  teachers: Iterable<ModelReference>
): Effect.fn.Return<void, RestrictedTeacher> {
  const { entries, override } = yield* TeacherPolicy
  if (override !== undefined) return
  for (const { model, provider } of teachers) {
    const terms = termsOf(entries, { provider, model })
    if (terms.status === "permitted") continue
    return yield* new RestrictedTeacher({
      provider,
      model,
      message: `Answers of ${provider}/${model} are not exported: ${
        terms.status === "restricted"
          ? `${terms.summary} (${terms.url ?? "see its terms"})`
          : "its terms are not known here; add them to the TeacherPolicy"
      }. Where you may all the same, give an override with your name and the reason; it goes into the dataset's card`
    })
  }
})

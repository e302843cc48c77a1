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
  /** The clause that says so, and from when it is. */
  readonly clause?: string
  /**
   * How the clause was read, and when: `page` is a copy of the provider's own page, `quotations` are several others' who quote it word for
   * word and alike. Absent where nobody looked.
   */
  readonly read?: { readonly from: "page" | "quotations"; readonly on: string }
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

/**
 * The terms of well-known providers for users of their interfaces, in short.
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
    terms: {
      status: "restricted",
      summary:
        "Output may not be used to develop models that compete with OpenAI's products and services; excepted are classifiers and embeddings that are not given to others, and models that are fine-tuned at OpenAI.",
      url: "https://openai.com/policies/services-agreement/",
      clause: "3.3 (e), effective 2026-01-01",
      read: { from: "quotations", on: "2026-11-28" }
    }
  },
  {
    provider: "anthropic",
    terms: {
      status: "restricted",
      summary:
        "The services may not be used to build a competing product or service, which includes training competing models, except as Anthropic expressly approves.",
      url: "https://www.anthropic.com/legal/commercial-terms",
      clause: "D.4 (a), effective 2025-06-17",
      read: { from: "quotations", on: "2026-11-28" }
    }
  },
  {
    provider: "google",
    terms: {
      status: "restricted",
      summary:
        "The services may not be used to develop models that compete with them, such as Gemini API or Google AI Studio.",
      url: "https://ai.google.dev/gemini-api/terms",
      clause: "Use Restrictions, effective 2025-05-20",
      read: { from: "page", on: "2026-11-28" }
    }
  }
]

/**
 * What there is to say of terms, in a sentence or two.
 *
 * @category printing
 * @since 0.1.0
 */
export const describe = ({ clause, read, summary, url }: Terms): string => {
  const where = [url, clause].filter((each) => each !== undefined).join(", ")
  const how =
    read === undefined
      ? ""
      : ` Read ${read.on} ${read.from === "page" ? "in a copy of that page" : "as others quote it, not there"}: look at the page before you rely on it.`
  return `${summary.replace(/\.$/, "")}${where === "" ? "" : ` (${where})`}.${how}`
}

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
        terms.status === "restricted" ? describe(terms) : "its terms are not known here; add them to the TeacherPolicy."
      } Where you may all the same, give an override with your name and the reason; it goes into the dataset's card`
    })
  }
})

/**
 * `Rejection` says what is wrong with an answer before any judge is asked: it refuses, rambles, was cut off, or says nothing.
 *
 * ```ts
 * import { Chat, Part } from "@interlock/model"
 * import * as Rejection from "@interlock/collector/Rejection"
 *
 * const answer = Part.text("I'm sorry, but I can't help with that.").reduce(Chat.protocol.append, Chat.protocol.empty())
 * console.assert(Rejection.of(answer)?.reason === "Refused")
 * ```
 *
 * @since 0.1.0
 */
import type { Chat } from "@interlock/model"
import { wordsOf } from "./internal/text.ts"
import type { Reason } from "./Ledger.ts"

/**
 * What is wrong with an answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejection {
  readonly reason: Reason
  readonly detail: string
}

/** A refusal says so at its beginning. */
const refusalWithin = 200

const cannot = "(?:can(?:no|['’]?)t|can not|won['’]?t|unable|not able|must decline|have to decline)"
const doing =
  "(?:help|assist|answer|provide|comply|fulfil|fulfill|do that|discuss|create|generate|engage|share|write|continue)"

/** Who is sorry for something else, and helps, does not refuse: it takes somebody who cannot, and what. */
const refusals = [
  new RegExp(
    `\\bi(?:['’]m| am) (?:sorry|afraid)\\b[^.!?]{0,60}\\b(?:i|we)(?:['’]m| am|['’]re| are)? ${cannot}\\b`,
    "i"
  ),
  new RegExp(`\\bi(?:['’]m| am)? ${cannot}\\b[^.!?]{0,60}\\b${doing}\\b`, "i"),
  new RegExp(`\\b(?:not|isn['’]t) something (?:that )?(?:i|we) can ${doing}\\b`, "i"),
  /\bas an ai(?: language model| assistant)?\b[^.!?]{0,60}\b(?:cannot|can['’]?t|unable|not able|don['’]t)\b/i,
  /(?:抱歉|对不起|不好意思)[^。！？]{0,40}(?:不能|无法|没办法|不可以)[^。！？]{0,10}(?:回答|提供|帮|协助|满足|完成|讨论|处理|生成|继续|执行)/u,
  /我们?(?:不能|无法|没办法)(?:回答|提供|帮助|协助|满足|完成|讨论)/u,
  /没有这个问题的答案/u
]

/**
 * The most characters of an answer that is not rambling.
 *
 * @category constants
 * @since 0.1.0
 */
export const longest = 40_000

/** Rae et al. 2021 ("Scaling Language Models", table A1): the most that may repeat, as shares. */
const mostLines = 0.3
const mostRuns = 0.1

/** The share of words that stand in a run of ten that stood there before; texts of fewer than 50 words may say a thing twice. */
const repeatedRuns = (words: ReadonlyArray<string>): number => {
  if (words.length < 50) return 0
  const seen = new Set<string>()
  let [repeated, until] = [0, 0]
  for (let start = 0; start + 10 <= words.length; start++) {
    const run = words.slice(start, start + 10).join(" ")
    if (seen.has(run)) {
      repeated += start + 10 - Math.max(start, until)
      until = start + 10
    }
    seen.add(run)
  }
  return repeated / words.length
}

const repeatedLines = (text: string): number => {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.length > 3)
  return lines.length < 5 ? 0 : 1 - new Set(lines).size / lines.length
}

const percent = (share: number): string => `${Math.round(100 * share)} %`

/**
 * What is wrong with an answer, or `undefined`.
 *
 * @category running
 * @since 0.1.0
 */
export const of = (answer: Chat.Answer): Rejection | undefined => {
  const text = answer.text.trim()
  if (answer.finishReason === "content-filter") {
    return { reason: "Refused", detail: "the provider's content filter" }
  }
  if (text === "" && answer.toolCalls.length === 0)
    return { reason: "Empty", detail: "there is no text and no tool call" }
  if (answer.finishReason === "length") return { reason: "CutOff", detail: "the answer reached maxOutputTokens" }
  if (refusals.some((pattern) => pattern.test(text.slice(0, refusalWithin)))) {
    return { reason: "Refused", detail: "it says that it cannot" }
  }
  if (text.length > longest) {
    return { reason: "Rambling", detail: `${text.length} characters: at most ${longest}` }
  }
  const lines = repeatedLines(text)
  if (lines > mostLines) return { reason: "Rambling", detail: `${percent(lines)} of its lines repeat others` }
  const runs = text.length < 50 ? 0 : repeatedRuns(wordsOf(text))
  if (runs > mostRuns) return { reason: "Rambling", detail: `${percent(runs)} of its words repeat runs of ten` }
  return undefined
}

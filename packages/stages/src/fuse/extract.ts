/**
 * What an answer says, for a vote: answers vote alike when their extracts are equal. No extract is no vote.
 *
 * @since 0.1.0
 */

/**
 * Takes from the text of an answer what it votes for; `undefined` is an abstention.
 *
 * @category models
 * @since 0.1.0
 */
export type Extract = (text: string) => string | undefined

/**
 * The whole text without case, punctuation and double spaces: for answers of a word or two.
 *
 * @category extractors
 * @since 0.1.0
 */
export const normalized: Extract = (text) => {
  const bare = text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}%+\-./]+/gu, " ")
    .replaceAll(/(?<![\p{L}\p{N}])[.\-/]+|[.\-/]+(?![\p{L}\p{N}])/gu, " ")
    .replaceAll(/\s+/gu, " ")
    .trim()
  return bare === "" ? undefined : bare
}

/**
 * The last number in the text: for sums. `1,200.50` and `1200.5` are the same vote.
 *
 * @category extractors
 * @since 0.1.0
 */
export const finalNumber: Extract = (text) => {
  const last = text
    .normalize("NFKC")
    .match(/(?<![\p{L}\d])[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?/gu)
    ?.at(-1)
  return last === undefined ? undefined : String(Number(last.replaceAll(",", "").replace("−", "-")))
}

/**
 * The letter of a multiple choice: the one after the last "answer", else the one with which the text begins where nothing or a mark
 * follows it (`C`, `C. Paris`), else the last letter in brackets. Marks of Markdown and LaTeX do not matter.
 *
 * @category extractors
 * @since 0.1.0
 */
export const choice =
  (letters = "ABCD"): Extract =>
  (text) => {
    const letter = `([${letters.toUpperCase()}${letters.toLowerCase()}])`
    // `a` and `I` before a word are words themselves.
    const alone = String.raw`(?![\p{L}\p{N}'’])(?!(?<=[aI])[ \t]+\p{L})`
    const patterns = [
      new RegExp(
        String.raw`(?:[Aa]nswer|ANSWER|答案|(?:[Cc]orrect|[Rr]ight|[Bb]est) (?:option|choice))\s*(?:is|was|是|为)?\s*[:：]?\s*(?:[Oo]ption|[Cc]hoice|选项)?\s*[('“]*${letter}${alone}`,
        "gu"
      ),
      new RegExp(String.raw`^\s*[('“]*${letter}(?:\s*$|[ \t]*\n|[)'”.:、．。：]+(?=\s|$|\p{Script=Han}))`, "gu"),
      new RegExp(String.raw`\(${letter}\)`, "gu")
    ]
    const bare = text
      .replaceAll(/\\[a-z]+\s*(?=\{)/g, "")
      .replaceAll(/[[{]/g, "(")
      .replaceAll(/[\]}]/g, ")")
      .replaceAll(/[*_`$\\"]/g, "")
      // Runs of blanks would cost the patterns time that grows with their fourth power.
      .replaceAll(/\s+/g, (blanks) => (blanks.includes("\n") ? "\n" : " "))
    for (const pattern of patterns) {
      const last = [...bare.matchAll(pattern)].at(-1)?.[1]
      if (last !== undefined) return last.toUpperCase()
    }
    return undefined
  }

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
 * The letter of a multiple choice: the one after the last "answer", else the only text, else the last letter in brackets.
 *
 * @category extractors
 * @since 0.1.0
 */
export const choice =
  (letters = "ABCD"): Extract =>
  (text) => {
    const among = `[${letters.toUpperCase()}${letters.toLowerCase()}]`
    const patterns = [
      new RegExp(`(?:answer|答案)\\s*(?:is|是|为)?\\s*[:：]?\\s*[*_("'\\[{]*(${among})(?![\\p{L}\\p{N}])`, "giu"),
      new RegExp(`^\\s*[*_("'\\[{]*(${among})[*_)"'\\]}.:]*(?=\\s|$)`, "gu"),
      new RegExp(`[(\\[{](${among})[)\\]}]`, "gu")
    ]
    for (const pattern of patterns) {
      const last = [...text.matchAll(pattern)].at(-1)?.[1]
      if (last !== undefined) return last.toUpperCase()
    }
    return undefined
  }

/**
 * What a judge model is not shown of an answer: sentences that speak to the judge, and sentences that are said again and again.
 *
 * @since 0.1.0
 */

const addressed: ReadonlyArray<RegExp> = [
  // A verdict in the form that the judge is asked for.
  /\{\s*["'](?:grade|better)["']\s*:/iu,
  /\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|criteria|rubric|above|previous|prior)\b/iu,
  /\b(?:rate|score|grade|award|give|mark)\b.{0,30}\b(?:this|my|the above|it|me)\b.{0,40}(?:\b10\b|full marks|highest|\btop\b|maximum|perfect)/iu,
  /\b(?:grade|score|rating)\s*(?:[:=]|is|of)\s*10\s*(?:\/|out of)\s*10\b/iu,
  /\b(?:choose|select|pick|prefer)\b.{0,20}\b(?:this|my)\b.{0,20}\b(?:answer|response|one)\b/iu,
  /\b(?:dear|attention|note to|hey|hello)\b.{0,20}\b(?:judge|grader|evaluator|rater|marker)s?\b/iu,
  /\b(?:this|my|the above) (?:answer|response) (?:is|deserves|should (?:get|receive|win))\b.{0,40}\b(?:best|correct|perfect|excellent|10|complete|full marks|highest|top)\b/iu,
  /(?:请|给|应|打).{0,12}(?:满分|最高分|10\s*分)/u,
  /忽略.{0,12}(?:指示|指令|规则|标准|要求)/u,
  /(?:评委|评分者|评分员|裁判)(?:们)?[，,：:]/u
]

const sentences = (text: string): ReadonlyArray<string> =>
  text
    .match(/[^.!?。！？\n]*(?:[.!?。！？]+(?=\s|$|\p{Script=Han})|\n|[.!?。！？]+|$)\s*/gu)
    ?.filter((each) => each !== "") ?? []

/**
 * Takes out the sentences that speak to the judge instead of answering.
 *
 * @internal
 */
export const withoutFlattery = (text: string): string =>
  sentences(text)
    .filter((sentence) => {
      // Full width and characters that are not seen hide no word.
      const plain = sentence.normalize("NFKC").replaceAll(/\p{Cf}/gu, "")
      return !addressed.some((pattern) => pattern.test(plain))
    })
    .join("")
    .trim()

/**
 * Leaves of sentences that are said several times the first: an answer is not better for saying it twice. Short ones (`}`, `end`)
 * and code stay.
 *
 * @internal
 */
export const withoutPadding = (text: string): string => {
  if (text.includes("```")) return text
  const said = new Set<string>()
  return sentences(text)
    .filter((sentence) => {
      const bare = sentence
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}]+/gu, " ")
        .trim()
      if (bare.length < 12) return true
      if (said.has(bare)) return false
      said.add(bare)
      return true
    })
    .join("")
    .trim()
}

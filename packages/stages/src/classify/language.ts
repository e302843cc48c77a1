/**
 * Guesses the language of a text from its script and, for languages in Latin letters, from their commonest short words.
 *
 * @since 0.1.0
 */

const scripts: ReadonlyArray<readonly [language: string, letters: RegExp]> = [
  ["ja", /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
  ["ko", /\p{Script=Hangul}/gu],
  ["zh", /\p{Script=Han}/gu],
  ["th", /\p{Script=Thai}/gu],
  ["ar", /\p{Script=Arabic}/gu],
  ["he", /\p{Script=Hebrew}/gu],
  ["hi", /\p{Script=Devanagari}/gu],
  ["el", /\p{Script=Greek}/gu],
  ["ru", /\p{Script=Cyrillic}/gu]
]

const commonest: { readonly [language: string]: ReadonlySet<string> } = {
  en: new Set(
    "the of and to in is that for it with as on you this be are how what my can me i please do a from or".split(" ")
  ),
  de: new Set(
    "der die das und ist nicht ein eine ich sie mit auf für den von zu wie was bitte mir kann es im".split(" ")
  ),
  fr: new Set(
    "le la les et est un une des je vous pour dans que qui pas sur avec du au comment moi ce cette".split(" ")
  ),
  es: new Set("el los las y es una por para que con no se lo como cómo qué mi del al está este esta un".split(" ")),
  pt: new Set("o os as e é um uma para que com não se por como do da em meu minha está isso você ao".split(" ")),
  it: new Set("il lo gli e è un una per che con non si come di da mi del della questo questa sono nel".split(" ")),
  nl: new Set("de het een en is niet ik je met op voor van te hoe wat kan er dit dat zijn naar aan".split(" "))
}

/**
 * The language as a BCP 47 tag, or `und` when the text does not say. A text with a tenth of its letters in another script than
 * Latin counts as that script's: requests in Chinese often quote English words.
 *
 * ```ts
 * import { language } from "@interlock/stages/classify/language"
 *
 * console.assert(language("Please translate this letter for me") === "en")
 * console.assert(language("把这封信翻译成英文") === "zh")
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const language = (text: string): string => {
  const sample = text.slice(0, 1000)
  const letters = sample.match(/\p{L}/gu)?.length ?? 0
  if (letters === 0) return "und"
  for (const [name, pattern] of scripts) {
    const found = sample.match(pattern)?.length ?? 0
    if (found * 10 >= letters) return name
  }
  const words = sample.toLowerCase().match(/\p{L}+/gu) ?? []
  let best = "und"
  let most = 0
  for (const name of Object.keys(commonest)) {
    const set = commonest[name]!
    let found = 0
    for (const each of words) if (set.has(each)) found++
    if (found > most) {
      most = found
      best = name
    }
  }
  return best
}

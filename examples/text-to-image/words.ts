/** What a prompt asks to see, as far as it can be looked for in pixels: how many things of which colour, and how light it is. */

/** The colours that a picture is measured in. */
export const colours = [
  "red",
  "orange",
  "yellow",
  "green",
  "cyan",
  "blue",
  "purple",
  "pink",
  "brown",
  "black",
  "grey",
  "white"
] as const
export type Colour = (typeof colours)[number]

/** Their names in the languages that captions know; the first is the usual one. */
export const namesOfColours: { readonly [language: string]: { readonly [Name in Colour]: ReadonlyArray<string> } } = {
  en: {
    red: ["red", "crimson", "scarlet"],
    orange: ["orange"],
    yellow: ["yellow", "gold", "golden"],
    green: ["green", "emerald"],
    cyan: ["turquoise", "cyan", "teal"],
    blue: ["blue", "navy", "azure"],
    purple: ["purple", "violet", "lavender"],
    pink: ["pink"],
    brown: ["brown", "wooden"],
    black: ["black"],
    grey: ["grey", "gray", "silver"],
    white: ["white"]
  },
  zh: {
    red: ["红色", "红"],
    orange: ["橙色", "橘色", "橙"],
    yellow: ["黄色", "金色", "黄"],
    green: ["绿色", "绿"],
    cyan: ["青色", "青"],
    blue: ["蓝色", "蓝"],
    purple: ["紫色", "紫"],
    pink: ["粉色", "粉红色", "粉红", "粉"],
    brown: ["棕色", "褐色"],
    black: ["黑色", "黑"],
    grey: ["灰色", "灰"],
    white: ["白色", "白"]
  }
}

/** So many things of a colour; `count` is absent where the prompt leaves it open. */
export interface Want {
  readonly thing: string
  readonly colour: Colour
  readonly count?: number
}

/** What can be looked for. */
export interface Wishes {
  readonly wants: ReadonlyArray<Want>
  readonly light?: "dark" | "bright"
}

const numbersInEnglish =
  "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split(" ")
const numbersInChinese = "一二三四五六七八九十"

const colourOf = new Map(
  Object.values(namesOfColours).flatMap((names) =>
    Object.entries(names).flatMap(([colour, forms]) => forms.map((form) => [form, colour as Colour] as const))
  )
)
const chineseColours = [...colourOf.keys()]
  .filter((form) => /\p{Script=Han}/u.test(form))
  .sort((one, other) => other.length - one.length)
  .join("|")
/** Number, measure word, at most three letters more, colour, and the thing that follows it. */
const chineseWant = new RegExp(
  `(?:([${numbersInChinese}两]|\\d{1,2})[只个条辆朵颗座本栋艘匹头棵把盏顶件架张面枚块]?[^${numbersInChinese}两\\d,.;:。、\\s]{0,3}?)?(${chineseColours})色?的?([\\p{Script=Han}]{1,3}?)(?=[在和与,.;:。、\\s有飞停漂站]|$)`,
  "gu"
)

const quoted = /"[^"]*"|“[^”]*”|「[^」]*」|『[^』]*』|«[^»]*»|《[^》]*》/gu

const english = (text: string): ReadonlyArray<Want> => {
  const words = text.toLowerCase().match(/[a-z]+|\d+|[,.;:!?]/g) ?? []
  return words.flatMap((word, at): ReadonlyArray<Want> => {
    const colour = colourOf.get(word)
    if (colour === undefined) return []
    // "Light blue" and "red and white" are one thing's colours: the thing comes after the last of them.
    const rest = words.slice(at + 1)
    const next = rest[0]
    if (next === undefined || /^[,.;:!?]$/.test(next) || next === "and" || colourOf.has(next)) return []
    const noun = rest.findIndex((each) => !/^(?:little|small|big|large|huge|tiny|round|old|wooden|hot|air)$/.test(each))
    const thing = rest[noun] ?? next
    let count: number | undefined
    for (let back = at - 1; back >= Math.max(0, at - 3) && count === undefined; back--) {
      const before = words[back]!
      if (/^[,.;:!?]$|^and$/.test(before)) break
      if (before === "a" || before === "an" || before === "the") count = 1
      else if (/^\d+$/.test(before)) count = Number(before)
      else if (before === "pair" || before === "couple") count = 2
      else if (numbersInEnglish.includes(before)) count = numbersInEnglish.indexOf(before) + 1
    }
    return [{ thing: `${colour} ${thing}`, colour, ...(count === undefined || count > 30 ? {} : { count }) }]
  })
}

const chinese = (text: string): ReadonlyArray<Want> =>
  [...text.matchAll(chineseWant)].map(([, number, colour, thing]): Want => {
    const count =
      number === undefined
        ? undefined
        : number === "两"
          ? 2
          : /\d/.test(number)
            ? Number(number)
            : numbersInChinese.indexOf(number) + 1
    return { thing: `${colour}${thing}`, colour: colourOf.get(colour!)!, ...(count === undefined ? {} : { count }) }
  })

const dark = /\b(?:night|midnight|starry|moonlit|outer space)\b|夜|星空|太空/iu
const bright = /\b(?:noon|snow|snowy|winter|beach|sunny|daylight|spring|summer)\b|雪|晴|沙滩|春天|夏天/iu

/** Reads what a prompt asks to see. What it does not understand it does not ask for. */
export const wishesOf = (prompt: string): Wishes => {
  const text = prompt.normalize("NFKC").replaceAll(quoted, " , ")
  const light = dark.test(text) ? "dark" : bright.test(text) ? "bright" : undefined
  return { wants: [...english(text), ...chinese(text)], ...(light === undefined ? {} : { light }) }
}

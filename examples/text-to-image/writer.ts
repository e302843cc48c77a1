/**
 * The writer that needs no key: it writes a scene out, and captions a picture, by a grammar. It stands where a chat model stands, so
 * the pipelines are the same with one.
 *
 * It says only what it was given: a caption is made of what was asked for and of what was seen in the pixels.
 */
import { createHash } from "node:crypto"
import { Reply } from "@interlock/core"
import { Catalogue, ModelError, Part, Prompt, TokenCount } from "@interlock/model"
import type { Models } from "@interlock/providers"
import { language } from "@interlock/stages/classify/language"
import { Effect, Result, Schema } from "effect"
import { type Colour, colours, namesOfColours } from "./words.ts"

/** What a caption is written from. */
export const Material = Schema.Struct({
  asked: Schema.String,
  wants: Schema.Array(
    Schema.Struct({
      thing: Schema.String,
      colour: Schema.Literals(colours),
      count: Schema.optionalKey(Schema.Int),
      seen: Schema.optionalKey(Schema.Int)
    })
  ),
  palette: Schema.Array(Schema.Literals(colours))
})
export type Material = typeof Material.Type

const decodeMaterial = Schema.decodeUnknownResult(Schema.fromJsonString(Material))

/** The same choice for the same text. */
const choose = <A>(text: string, salt: string, options: ReadonlyArray<A>): A =>
  options[createHash("sha256").update(`${salt}\n${text}`).digest().readUInt32BE(0) % options.length]!

const isChinese = (text: string) => language(text) === "zh"

/** A person becomes a friend; what else was withheld is left out, with the brackets and the words that led to it. */
const withoutPlaceholders = (text: string): string =>
  text
    .replaceAll(/⟦PERSON_\d+⟧(?:\s*⟦PERSON_\d+⟧)*/gu, isChinese(text) ? "一位朋友" : "a friend")
    .replaceAll(/\s*[(（]\s*(?:⟦[A-Z0-9_]+⟧[\s,;]*)+[)）]/gu, "")
    .replaceAll(
      /[\s,，]*(?:\b(?:(?:at|by|from|to|on|of|see|via|e-?mail|mail|call|tele?phone|phone|tel\.?|mobile|address|is)[\s:]+)+|(?:邮箱|电话|地址)(?:是|为|：|:)?\s*)?⟦[A-Z0-9_]+⟧/giu,
      ""
    )
    .replaceAll(/\s+([,.;!?，。；！？])/gu, "$1")
    .replaceAll(/\s{2,}/gu, " ")
    .trim()

const withoutStop = (text: string) => text.replace(/[\s.。!！]+$/u, "")

// ---------------------------------------------------------------------------------------------------------------
// Scenes
// ---------------------------------------------------------------------------------------------------------------

const places =
  /\b(?:sea|ocean|lake|beach|shore|island|mountains?|hills?|desert|snow|snowy|winter|forest|woods|city|town|street|skyline|meadow|field|grass|garden|park|space|galaxy|sky|room|table)\b|海|湖|沙滩|岛|山|沙漠|雪|冬天|森林|树林|城|街|草|田野|花园|公园|太空|宇宙|天空|屋里|桌/iu
const lights =
  /\b(?:night|midnight|starry|evening|sunset|dusk|twilight|dawn|sunrise|morning|noon|rain|rainy|storm|fog|mist|snow|space)\b|夜|晚|星空|黄昏|日落|夕阳|傍晚|日出|黎明|清晨|早晨|雨|雾|雷|雪|太空/iu
const plain =
  /\b(?:circles?|squares?|triangles?|rectangles?|hexagons?|pentagons?|diamonds?|rings?|ovals?|hearts?|crosses|cross)\b|圆形|圆圈|正方形|三角形|长方形|六边形|菱形|心形/iu

const scene = (prompt: string): string => {
  const asked = withoutStop(withoutPlaceholders(prompt))
  const tongue = language(asked)
  if (tongue === "zh") {
    const place = places.test(asked) || plain.test(asked) ? [] : [choose(asked, "place", ["在草地上", "在公园里"])]
    const light = lights.test(asked) || plain.test(asked) ? [] : [choose(asked, "light", ["清晨", "黄昏", "晴天"])]
    return `${[asked, ...place, ...light].join("，")}。绘本插画，柔和的轮廓。`
  }
  if (tongue !== "en" && tongue !== "und") return `${asked}. Storybook illustration, soft shapes.`
  const place =
    places.test(asked) || plain.test(asked)
      ? ""
      : `, ${choose(asked, "place", ["in a meadow", "in a park", "on green hills"])}`
  const light =
    lights.test(asked) || plain.test(asked)
      ? ""
      : `, ${choose(asked, "light", ["in the morning", "at dusk", "under a clear sky"])}`
  return `${asked}${place}${light}. Storybook illustration, soft shapes.`
}

// ---------------------------------------------------------------------------------------------------------------
// Captions
// ---------------------------------------------------------------------------------------------------------------

interface Phrases {
  readonly mostly: (colours: ReadonlyArray<string>) => string
  readonly fewer: (thing: string, count: number, seen: number) => string
  readonly join: string
  readonly stop: string
}

const listed = (words: ReadonlyArray<string>, and: string): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${and} ${words.at(-1)}`

const phrases: { readonly [language: string]: Phrases } = {
  en: {
    mostly: (names) => `mostly ${listed(names, "and")}`,
    fewer: (thing, count, seen) =>
      seen === 0 ? `The ${thing} can hardly be made out.` : `Of ${count} ${thing}, ${seen} can be told apart.`,
    join: "; ",
    stop: "."
  },
  zh: {
    mostly: (names) => `以${names.join("、")}为主`,
    fewer: (thing, count, seen) => (seen === 0 ? `${thing}难以辨认。` : `${count}个${thing}中能分辨出${seen}个。`),
    join: "，",
    stop: "。"
  }
}

const caption = ({ asked, palette, wants }: Material): string => {
  const text = withoutStop(withoutPlaceholders(asked))
  const tongue = language(text)
  const said = phrases[tongue === "und" ? "en" : tongue]
  // A language that is not known here is not mixed with another: the words of the prompt stand alone.
  if (said === undefined) return `${text}.`
  const names = palette.slice(0, 3).map((colour: Colour) => namesOfColours[tongue === "zh" ? "zh" : "en"]![colour][0]!)
  const fewer = wants.flatMap(({ count, seen, thing }) =>
    count !== undefined && seen !== undefined && seen < count ? [said.fewer(thing, count, seen)] : []
  )
  const first = `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}${names.length === 0 ? "" : said.join + said.mostly(names)}${said.stop}`
  return [first, ...fewer].join(tongue === "zh" ? "" : " ")
}

// ---------------------------------------------------------------------------------------------------------------
// The provider
// ---------------------------------------------------------------------------------------------------------------

const name = "studio"

/** What the catalogue is told of it. */
export const entry: Catalogue.Override = {
  provider: name,
  model: "writer",
  name: "The example's own writer",
  runs: "local",
  limits: { context: 8_192, output: 1_024 },
  prices: Catalogue.declarePrices({ input: 0, output: 0 }, { source: "made in this process", asOf: "2026-11-01" })
}

const answerTo = (prompt: Prompt.Prompt): string | undefined => {
  const told = prompt.content.find(({ role }) => role === "system")
  const asked = Prompt.lastUserText(prompt)
  const task = told === undefined ? "" : Prompt.messageText(told)
  if (task.startsWith("Task: scene")) return scene(asked)
  const material = decodeMaterial(asked)
  return task.startsWith("Task: caption") && Result.isSuccess(material) ? caption(material.success) : undefined
}

/** The writer as a provider of one model, `studio/writer`. */
export const provider: Models.ModelProvider = {
  name,
  call: ({ model, prompt }) => {
    const answer = answerTo(prompt)
    if (answer === undefined) {
      const message =
        "the writer of this example writes scenes and captions: begin the system message with one of its tasks"
      return Effect.fail(
        new ModelError.ModelError({ provider: name, model, reason: new ModelError.BadRequest({}), message })
      )
    }
    const ratio = { tokens: { charactersPerToken: 4, perIdeograph: 1 } }
    const input = TokenCount.estimatePrompt(ratio, prompt)
    const output = TokenCount.estimate(ratio, answer)
    return Effect.succeed(
      Reply.whole(
        Part.text(answer, {
          inputTokens: { total: input, uncached: input },
          outputTokens: { total: output, text: output }
        })
      )
    )
  }
}

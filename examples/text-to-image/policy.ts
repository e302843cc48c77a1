/** What this studio does not draw: rules that look at the redacted prompt, before any model is asked. */
import { Stage } from "@interlock/core"
import { Journal, Prompt, SafePrompt } from "@interlock/model"
import { Effect, Schema } from "effect"

/** The prompt asks for something that is not drawn here. Nothing was sent; the message does not repeat the prompt. */
export class PolicyRefusal extends Schema.TaggedError<PolicyRefusal>()("PolicyRefusal", {
  rule: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Not drawn (${this.rule}): ${this.reason}`
  }
}

/** A prompt that matches all of `every` breaks the rule, and the reason is what its author is told. */
export interface Rule {
  readonly name: string
  readonly reason: string
  readonly every: ReadonlyArray<RegExp>
}

/** The rules. A named person is known by the placeholder, so nobody's name needs to be read for it. */
export const rules: ReadonlyArray<Rule> = [
  {
    name: "sexual",
    reason: "sexual content is not drawn; ask for the scene without it",
    every: [
      /\b(?:nude|naked|porn\w*|nsfw|erotic\w*|undressed|sex scene)\b|裸体|裸照|色情|情色|desnud[oa]s?\b|nackt\w*/iu
    ]
  },
  {
    name: "gore",
    reason: "wounds, torture and killing are not drawn; ask for the scene without them",
    every: [
      /\b(?:gore|gory|behead\w*|decapitat\w*|dismember\w*|tortur\w*|corpses?|massacre\w*|blood-?soaked)\b|血腥|斩首|酷刑|尸体|屠杀/iu
    ]
  },
  {
    name: "hate",
    reason: "signs of hatred are not drawn",
    every: [/\b(?:swastikas?|nazi (?:flag|symbol|salute)s?|kkk|lynch\w*)\b|纳粹(?:旗|标志|礼)|卐字旗/iu]
  },
  {
    name: "forgery",
    reason: "documents and money that could be taken for real are not drawn; ask for one that cannot be mistaken",
    every: [
      /\b(?:passports?|id cards?|identity cards?|driver'?s licen[cs]es?|bank ?notes?|dollar bills?|euro notes?)\b|护照|身份证|驾照|钞票|人民币/iu,
      /\b(?:realistic|photo-?realistic|fake|copy of|replica|scan of|lifelike)\b|逼真|仿真|伪造|假的|扫描件/iu
    ]
  },
  {
    name: "likeness",
    reason:
      "a lifelike picture of a person who is named could be taken for evidence; leave the name out, or ask for a drawing",
    every: [
      /⟦PERSON_\d+⟧/u,
      /\b(?:photo(?:graph)?s?|photo-?realistic|realistic|lifelike|deepfake|mugshot|cctv|paparazzi)\b|照片|写实|逼真|监控/iu
    ]
  }
]

/** As it is compared: one form of every letter, nothing invisible between them. */
const plain = (text: string): string => text.normalize("NFKC").replaceAll(/\p{Default_Ignorable_Code_Point}/gu, "")

/** The rule that a text breaks. */
export const broken = (text: string): Rule | undefined => {
  const written = plain(text)
  return rules.find(({ every }) => every.every((pattern) => pattern.test(written)))
}

/** Refuses what the rules forbid. It needs the redacted prompt, so it can neither read a name nor tell one. */
export const policy = Stage.around(
  "policy",
  { needs: { prompt: SafePrompt } },
  Effect.fnUntraced(function* ({ prompt }, next) {
    const asked = prompt.content.filter(({ role }) => role === "user").map(Prompt.messageText)
    const rule = asked.map(broken).find((each) => each !== undefined)
    if (rule === undefined) return yield* next()
    yield* Journal.record({ _tag: "Refusal", stage: "policy", reason: rule.name })
    return yield* new PolicyRefusal({ rule: rule.name, reason: rule.reason })
  })
)

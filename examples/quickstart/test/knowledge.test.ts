/** The knowledge base and the prompts of the quickstart: what the offline model makes of them. */
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Pipeline } from "@interlock/core"
import { Caller, Chat, ChosenModel, Parameters, Prompt, RawPrompt } from "@interlock/model"
import { callModel, Models, OfflineModel } from "@interlock/providers"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import * as Redaction from "@interlock/stages/redact/policy"
import { Vault } from "@interlock/stages/redact/vault"
import { Context, Effect, Layer } from "effect"

const here = (path: string): URL => new URL(`../${path}`, import.meta.url)

const documents = readdirSync(here("knowledge")).map((name) => ({
  name,
  text: readFileSync(here(`knowledge/${name}`), "utf8")
}))

const prompts = readFileSync(here("prompts.jsonl"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => (JSON.parse(line) as { readonly prompt: string }).prompt)

/** The prompts that the documents hold no answer to. */
const unanswerable: ReadonlySet<string> = new Set([
  "Who won the football world cup in 1998?",
  "What is the capital of Australia?",
  "Write me a poem about autumn leaves.",
  "What is the share price of Fenwick Instruments?",
  "How do I bake sourdough bread?",
  'Translate "good morning" into Swahili.',
  "Does Murmur make a robot vacuum cleaner?",
  "Who is the chief executive of the manufacturer?",
  "What is 17 times 23?",
  "Can you recommend a good restaurant in Trieste?",
  "How tall is Mount Kilimanjaro?",
  "Solve the integral of x squared.",
  "Which antibiotics help against a sore throat?",
  "What will the weather be in Paris tomorrow?",
  "Is there a discount code for Black Friday?",
  "谁写了《红楼梦》？",
  "明天北京的天气怎么样？",
  "推荐一家好吃的火锅店。",
  "怎么做西红柿炒鸡蛋？",
  "今天股票涨了吗？"
])

/** What the answer to a prompt must say. */
const expected: ReadonlyArray<readonly [prompt: string, says: string]> = [
  ["How long does the battery last on a full charge?", "14 days"],
  ["How do I cancel my subscription?", "under Account, then Subscription"],
  ["The monitor does not connect to my Wi-Fi. What can I do?", "2.4 GHz"],
  ["How do I calibrate the carbon dioxide sensor?", "twenty minutes"],
  ["How do I return a monitor?", "30 days"],
  ["Hi, I am Anna Schmidt, my email is anna.schmidt@example.com. How do I cancel my subscription?", "Subscription"],
  [
    "My name is David O'Neill, order MU-20931, phone +44 7700 900123. How long does delivery to the United Kingdom take?",
    "five to seven working days"
  ],
  ["Call me at (212) 555-0142, I am Jordan Blake. What does error code E2 mean?", "contact support"],
  ["My token is sk-test-51Hx0000abcdEFGH; what is the rate limit of the API?", "120 requests"],
  ["充满电可以用多久？", "十四天"],
  ["怎么取消订阅？", "“订阅”里取消"],
  ["我叫王小明，手机号 13800138000，怎么取消订阅？", "“订阅”里取消"],
  ["保修期是几年？", "三年"],
  ["Murmur One 的售价是多少？", "1499 元"],
  ["我的邮箱是 li.na@example.com，怎么申请退货？", "三十天内"]
]

/** The model sees what `redact` leaves of a prompt, as in the quickstart. */
const desk = Pipeline.make("desk", { input: [RawPrompt, Caller, ChosenModel, Parameters], protocol: Chat.protocol })
  .use(redact)
  .to(callModel)

const services = Layer.mergeAll(
  Models.layer([OfflineModel.make(documents)]),
  Detector.layer,
  Layer.succeed(Redaction.Policy, Redaction.make({ strategies: { LOCATION: "keep", ORGANIZATION: "keep" } })),
  Vault.layerMemory
)

const ask = (prompt: string, model = "offline-small") =>
  desk
    .run(
      Context.make(RawPrompt, Prompt.make(prompt)).pipe(
        Context.add(Caller, { tenant: "test" }),
        Context.add(ChosenModel, { provider: "offline", model }),
        Context.add(Parameters, {})
      )
    )
    .pipe(Effect.map((answer) => ({ text: answer.text, answered: answer.metadata["answered"] === true })))

describe("the quickstart's knowledge base", () => {
  it("has a dozen documents or more, in English and in Chinese, and 200 prompts of which some repeat", () => {
    assert.isAtLeast(documents.length, 12)
    assert.isAtLeast(documents.filter(({ text }) => /\p{Script=Han}/u.test(text)).length, 3)
    assert.strictEqual(prompts.length, 200)
    assert.isAtMost(new Set(prompts).size, 170)
    for (const prompt of [...unanswerable, ...expected.map(([prompt]) => prompt)]) assert.include(prompts, prompt)
  })

  it.effect("answers at least 95 of 100 prompts as it should: from the documents, or that it cannot", () =>
    Effect.gen(function* () {
      for (const name of ["offline-small", "offline-large"]) {
        const wrong: Array<string> = []
        for (const prompt of prompts) {
          const { answered } = yield* ask(prompt, name)
          if (answered === unanswerable.has(prompt)) wrong.push(prompt)
        }
        assert.isAtMost(wrong.length, 10, wrong.join("\n"))
      }
    }).pipe(Effect.provide(services))
  )

  it.effect("gives the right answers", () =>
    Effect.gen(function* () {
      for (const [prompt, says] of expected) {
        assert.include((yield* ask(prompt)).text, says, prompt)
      }
    }).pipe(Effect.provide(services))
  )
})

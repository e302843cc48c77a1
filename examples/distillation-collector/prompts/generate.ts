/** Writes the traffic of the example, the same every time: `node prompts/generate.ts`. Every person in it is made up. */
import { writeFileSync } from "node:fs"

const topics: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  [
    "the chain",
    [
      "How often should I oil the chain?",
      "How long does a chain last before I need a new one?",
      "What do I need to clean the chain?"
    ]
  ],
  [
    "tyres",
    [
      "Which pressure should my tyres have?",
      "When is a tyre worn out and must be replaced?",
      "How often do I have to pump the tyres?"
    ]
  ],
  [
    "brakes",
    [
      "My brakes squeak. What can I do about it?",
      "How do I know that the brake pads are worn?",
      "The brake lever touches the handlebar, how is the cable tightened?"
    ]
  ],
  [
    "washing",
    ["May I wash the bicycle with a pressure washer?", "What soap and brush are good for washing a bicycle?"]
  ],
  ["winter", ["How do I protect the bicycle from salt in winter?", "Are studded tyres allowed in February?"]],
  ["range", ["How far does a full battery take me?", "Why is the range of my electric bicycle shorter in the cold?"]],
  [
    "charging",
    ["How long does charging an empty battery take?", "Can I charge the battery when it is freezing outside?"]
  ],
  ["storage", ["How should the battery be stored over the winter months?", "Is it bad to store a battery empty?"]],
  ["assistance", ["Up to which speed does the motor help?", "Can I ride the electric bicycle without its battery?"]],
  ["errors", ["The display shows an error, what should I do?"]],
  [
    "rental prices",
    [
      "What does it cost to rent an electric bicycle for a day?",
      "Is there a discount for renting a bicycle for three days?"
    ]
  ],
  [
    "deposit",
    ["How high is the deposit for a rented city bicycle?", "When do I get the deposit back after the return?"]
  ],
  ["returning", ["Can I return a rented bicycle at night?", "What does a late return of a rented bicycle cost?"]],
  [
    "children",
    ["Do you rent child seats, and up to which weight?", "What does a trailer for two children cost a day?"]
  ],
  ["cancelling", ["Until when can I cancel a booking without a fee?"]],
  ["hours", ["When is the workshop open on Saturdays?", "Is the workshop open on Mondays or Sundays?"]],
  ["repairs", ["How much is the repair of a flat tyre?", "How many working days does a larger repair take?"]],
  ["service", ["What is covered by the yearly service?", "What does the yearly service cost for electric bicycles?"]],
  [
    "warranty",
    ["How long is the warranty on repairs and on new bicycles?", "Does the warranty cover chains and brake pads?"]
  ],
  ["elsewhere", ["Do you repair bicycles that were bought elsewhere?"]]
]
const chinese = [
  "车间周四营业到几点？",
  "周日和周一休息吗？",
  "补胎要多少钱？",
  "大修需要几个工作日？",
  "电动自行车租一天多少钱？",
  "从第三天起租车有折扣吗？",
  "空电池充满需要多久？",
  "可以在零度以下给电池充电吗？",
  "链条多久清洗上油一次？",
  "雨天骑行之后链条要上油吗？"
]
const people = [
  ["Marta Kowalczyk", "marta.kowalczyk@example.com"],
  ["Jonas Lindqvist", "jonas.lindqvist@example.org"],
  ["Aisha Rahman", "aisha.rahman@example.net"],
  ["Diego Fuentes", "diego.fuentes@example.com"]
] as const
const outOfScope = [
  "Write me a poem about the sea in autumn.",
  "What is the capital of Mongolia?",
  "Can you recommend a good hotel in Lisbon?",
  "Which shares should I buy this week?",
  "Who won the chess world championship in 1972?",
  "Translate the word umbrella into Finnish."
]

const rows: Array<object | string> = []
const questions = topics.flatMap(([, asked]) => asked)
// As people ask: bare, with a greeting, with a name that must not stay, twice.
for (const [index, question] of questions.entries()) {
  rows.push({ id: `q${index}`, prompt: question })
  const [name, address] = people[index % people.length]!
  if (index % 2 === 0) rows.push({ prompt: `Hello, my name is ${name}. ${question} Please answer to ${address}.` })
  if (index % 3 === 0) rows.push({ prompt: question })
  if (index % 4 === 0) rows.push({ prompt: `${question.replace(/[.?]$/, "")} please?` })
  if (index % 5 === 0) {
    rows.push({
      messages: [
        { role: "system", content: "You answer for a bicycle workshop." },
        {
          role: "user",
          content: `I have a question about ${topics.find(([, asked]) => asked.includes(question))![0]}.`
        },
        { role: "assistant", content: "Of course, what would you like to know?" },
        { role: "user", content: question },
        { role: "assistant", content: "This answer was given by another model, and is left out." }
      ]
    })
  }
}
for (const question of chinese) rows.push({ prompt: question }, { prompt: `你好，${question}谢谢！` })
for (const question of outOfScope) rows.push({ prompt: question })
// What real files have in them.
rows.splice(17, 0, '{"prompt": "cut off in the')
rows.splice(60, 0, { prompt: "   " })
rows.push({ text: "no prompt in it" })

writeFileSync(
  `${import.meta.dirname}/traffic.jsonl`,
  `${rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n")}\n`
)

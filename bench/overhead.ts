/**
 * What a pipeline costs beside its peers: eight stages that do nothing and a model that answers at once.
 *
 * Whole replies: (a) eight stages of ours, (b) AI SDK `generateText` with three middlewares, (c) a LangChain sequence of eight
 * lambdas, (d) eight plain async functions. Live replies of 100 deltas: the same four. All read their parts one by one from a
 * web stream of the same deltas, in one process and interleaved rounds.
 */
import type { LanguageModelV4, LanguageModelV4StreamPart, LanguageModelV4Usage } from "@ai-sdk/provider"
import { Pipeline, Reply, Stage } from "@interlock/core"
import { Chat, Part, Prompt, RawPrompt } from "@interlock/model"
import { BaseChatModel } from "@langchain/core/language_models/chat_models"
import { AIMessage, AIMessageChunk, type BaseMessage, HumanMessage } from "@langchain/core/messages"
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs"
import { RunnableLambda, RunnableSequence } from "@langchain/core/runnables"
import { generateText, streamText, wrapLanguageModel } from "ai"
import { Context, Effect, Stream } from "effect"
import { measure, round } from "./internal/measure.ts"

const deltas = 100
const question = "What is the capital of France?"

const readable = <A>(items: ReadonlyArray<A>): ReadableStream<A> => {
  let index = 0
  return new ReadableStream<A>({
    pull: (controller) => {
      if (index < items.length) controller.enqueue(items[index++] as A)
      else controller.close()
    }
  })
}

// (a) eight stages of ours: half add a fact, half wrap what is below.
class F1 extends Context.Service<F1, number>()("overhead/F1") {}
class F2 extends Context.Service<F2, number>()("overhead/F2") {}
class F3 extends Context.Service<F3, number>()("overhead/F3") {}
class F4 extends Context.Service<F4, number>()("overhead/F4") {}
const parts = Part.text("Paris.")
const liveParts: ReadonlyArray<Part.Part> = [
  { type: "text-start", id: "t" },
  ...Array.from({ length: deltas }, () => ({ type: "text-delta", id: "t", delta: "word " }) as const),
  { type: "text-end", id: "t" },
  Part.finish("stop")
]
const answer = Pipeline.handler("answer", { needs: { prompt: RawPrompt, last: F4 } }, () =>
  Effect.map(
    Effect.service(Reply.Delivery),
    (delivery): Reply.Reply<Part.Part> =>
      delivery === "whole"
        ? Reply.whole(parts)
        : Reply.live(
            Stream.orDie(Stream.fromReadableStream({ evaluate: () => readable(liveParts), onError: (cause) => cause }))
          )
  )
)
const ours = Pipeline.make("overhead", { input: [RawPrompt], protocol: Chat.protocol })
  .use(Stage.derive("one", { needs: { prompt: RawPrompt }, adds: F1 }, () => Effect.succeed(1)))
  .use(Stage.around("two", { needs: { f: F1 } }, (_, next) => next()))
  .use(Stage.derive("three", { needs: { f: F1 }, adds: F2 }, ({ f }) => Effect.succeed(f + 1)))
  .use(Stage.around("four", { needs: { f: F2 } }, (_, next) => next()))
  .use(Stage.derive("five", { needs: { f: F2 }, adds: F3 }, ({ f }) => Effect.succeed(f + 1)))
  .use(Stage.around("six", { needs: { f: F3 } }, (_, next) => next()))
  .use(Stage.derive("seven", { needs: { f: F3 }, adds: F4 }, ({ f }) => Effect.succeed(f + 1)))
  .use(Stage.around("eight", { needs: { f: F4 } }, (_, next) => next()))
  .to(answer)
const prompt = Prompt.make(question)

// (b) the AI SDK with three middlewares.
const usage: LanguageModelV4Usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 }
}
const finish = { type: "finish", usage, finishReason: { unified: "stop", raw: "stop" } } as const
const streamParts: ReadonlyArray<LanguageModelV4StreamPart> = [
  { type: "stream-start", warnings: [] },
  { type: "text-start", id: "t" },
  ...Array.from({ length: deltas }, () => ({ type: "text-delta", id: "t", delta: "word " }) as const),
  { type: "text-end", id: "t" },
  finish
]
const mock: LanguageModelV4 = {
  specificationVersion: "v4",
  provider: "mock",
  modelId: "mock",
  supportedUrls: {},
  doGenerate: async () => ({
    content: [{ type: "text", text: "Paris." }],
    finishReason: finish.finishReason,
    usage,
    warnings: []
  }),
  doStream: async () => ({ stream: readable(streamParts) })
}
const wrapped = wrapLanguageModel({
  model: mock,
  middleware: Array.from({ length: 3 }, () => ({
    specificationVersion: "v4" as const,
    wrapGenerate: ({ doGenerate }) => doGenerate(),
    wrapStream: ({ doStream }) => doStream()
  }))
})

// (c) LangChain: eight lambdas and a chat model.
class FakeChat extends BaseChatModel {
  override _llmType(): string {
    return "fake"
  }
  override async _generate(): Promise<ChatResult> {
    return { generations: [{ text: "Paris.", message: new AIMessage("Paris.") }] }
  }
  override async *_streamResponseChunks(): AsyncGenerator<ChatGenerationChunk> {
    for await (const text of readable(Array.from({ length: deltas }, () => "word "))) {
      yield new ChatGenerationChunk({ text, message: new AIMessageChunk(text) })
    }
  }
}
const lambda = () => RunnableLambda.from((messages: ReadonlyArray<BaseMessage>) => messages)
const chain = RunnableSequence.from([
  lambda(),
  lambda(),
  lambda(),
  lambda(),
  lambda(),
  lambda(),
  lambda(),
  lambda(),
  new FakeChat({})
] as never)

// (d) eight plain async functions.
const steps = Array.from({ length: 8 }, () => async (text: string) => text)
const plain = async (): Promise<string> => {
  let text = question
  for (const step of steps) text = await step(text)
  return "Paris."
}

/** Runs the benchmark. */
export const run = async (argv: ReadonlyArray<string>): Promise<void> => {
  const quick = argv.includes("--quick")
  if (argv.includes("--help")) {
    console.log("Usage: pnpm bench overhead -- [--quick]\n\n  --quick  fewer rounds, for a look")
    return
  }
  const rounds = quick ? 3 : 9
  const facts = RawPrompt.context(prompt)
  const unary = await measure(
    [
      { name: "interlock", run: () => Effect.runPromise(ours.run(facts)) },
      { name: "ai-sdk", run: () => generateText({ model: wrapped, prompt: question, maxRetries: 0 }) },
      { name: "langchain", run: () => chain.invoke([new HumanMessage(question)]) },
      { name: "plain", run: plain }
    ],
    { runs: quick ? 500 : 2000, rounds }
  )
  const stream = await measure(
    [
      { name: "interlock", run: () => Effect.runPromise(Stream.runDrain(ours.stream(facts))) },
      {
        name: "ai-sdk",
        run: async () => {
          const result = streamText({ model: wrapped, prompt: question, maxRetries: 0 })
          for await (const part of result.fullStream) void part
        }
      },
      {
        name: "langchain",
        run: async () => {
          for await (const chunk of await chain.stream([new HumanMessage(question)])) void chunk
        }
      },
      {
        name: "plain",
        run: async () => {
          await plain()
          for await (const part of readable(liveParts)) void part
        }
      }
    ],
    { runs: quick ? 20 : 100, rounds }
  )
  const row = (kind: string, timings: typeof unary) =>
    Object.entries(timings).map(([name, { fastest, median, slowest }]) => ({
      kind,
      name,
      "median µs": round(median, 1),
      "fastest µs": round(fastest, 1),
      "slowest µs": round(slowest, 1)
    }))
  console.table([...row("whole", unary), ...row("100 deltas", stream)])
  const median = (timings: typeof unary, name: string) => timings[name]?.median ?? Number.NaN
  const ratio = (timings: typeof unary, peer: string) => round(median(timings, "interlock") / median(timings, peer))
  const medians = (timings: typeof unary) =>
    Object.fromEntries(Object.entries(timings).map(([name, timing]) => [name, round(timing.median, 2)]))
  console.log(
    JSON.stringify({
      unary: medians(unary),
      stream: medians(stream),
      unaryVsAiSdk: ratio(unary, "ai-sdk"),
      unaryVsLangChain: ratio(unary, "langchain"),
      streamVsAiSdk: ratio(stream, "ai-sdk"),
      streamVsLangChain: ratio(stream, "langchain")
    })
  )
}

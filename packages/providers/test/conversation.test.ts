import { describe, expect, it } from "@effect/vitest"
import { Reply } from "@interlock/core"
import { type Part, Prompt, type Settings } from "@interlock/model"
import { Effect } from "effect"
import { Models } from "../src/index.ts"
import { type Delivery, deliveries, models, safe } from "./fixture.ts"
import { type Scene, wire } from "./wire.ts"

/** One turn with a tool at each provider: what it says, and what of it must be in the next request. */
interface Turn {
  readonly provider: "openai-responses" | "openai-chat" | "anthropic" | "google" | "compatible"
  readonly says: Scene
  /** The next request's conversation, as the provider documents it. */
  readonly next: object
}

const tools: Settings["tools"] = [
  { name: "look_up", description: "Finds a parcel", parameters: { type: "object", properties: {} } }
]

const openAiItems = [
  {
    type: "reasoning",
    id: "rs_1",
    encrypted_content: "encrypted",
    summary: [{ type: "summary_text", text: "I must look." }]
  },
  { type: "function_call", id: "fc_1", call_id: "call_1", name: "look_up", arguments: '{"parcel":1}' },
  { type: "function_call", id: "fc_2", call_id: "call_2", name: "look_up", arguments: '{"parcel": tru' }
]

const usage = { input_tokens: 1, output_tokens: 1 }

const chatCalls = [
  { id: "call_1", type: "function", function: { name: "look_up", arguments: '{"parcel":1}' } },
  { id: "call_2", type: "function", function: { name: "look_up", arguments: '{"parcel": tru' } }
]

const chunk = (delta: object, finish_reason: string | null = null) => ({
  id: "c",
  object: "chat.completion.chunk",
  created: 1,
  model: "wire-1",
  choices: [{ index: 0, delta, finish_reason }]
})

/** Two calls whose arguments come in pieces, mixed, as vLLM and OpenAI may send them. */
const chatFrames = [
  chunk({ role: "assistant", content: "" }),
  chunk({ tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "look_up", arguments: "" } }] }),
  chunk({ tool_calls: [{ index: 1, id: "call_2", type: "function", function: { name: "look_up", arguments: "" } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '{"par' } }] }),
  chunk({ tool_calls: [{ index: 1, function: { arguments: '{"parcel": tru' } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: 'cel":1}' } }] }),
  chunk({}, "tool_calls"),
  "[DONE]"
]

const chatNext = {
  messages: [
    { role: "user", content: "Where are my parcels?" },
    {
      role: "assistant",
      tool_calls: [
        { id: "call_1", function: { name: "look_up", arguments: '{"parcel":1}' } },
        { id: "call_2", function: { name: "look_up" } }
      ]
    },
    { role: "tool", tool_call_id: "call_1", content: '{"city":"Basel"}' },
    { role: "tool", tool_call_id: "call_2" }
  ]
}

const turns: ReadonlyArray<Turn> = [
  {
    provider: "openai-responses",
    says: {
      body: { id: "r", created_at: 1, model: "gpt-5", output: openAiItems, incomplete_details: null, usage },
      frames: [
        { type: "response.created", response: { id: "r", created_at: 1, model: "gpt-5" } },
        { type: "response.output_item.added", output_index: 0, item: { type: "reasoning", id: "rs_1" } },
        { type: "response.reasoning_summary_part.added", item_id: "rs_1", output_index: 0, summary_index: 0 },
        {
          type: "response.reasoning_summary_text.delta",
          item_id: "rs_1",
          output_index: 0,
          summary_index: 0,
          delta: "I must look."
        },
        { type: "response.output_item.done", output_index: 0, item: openAiItems[0] },
        ...openAiItems.slice(1).flatMap((item, index) => [
          { type: "response.output_item.added", output_index: index + 1, item: { ...item, arguments: "" } },
          {
            type: "response.function_call_arguments.delta",
            item_id: item.id,
            output_index: index + 1,
            delta: item.arguments
          },
          { type: "response.output_item.done", output_index: index + 1, item: { ...item, status: "completed" } }
        ]),
        { type: "response.completed", response: { usage } }
      ]
    },
    next: {
      input: [
        { role: "user" },
        { type: "reasoning", encrypted_content: "encrypted", summary: [{ text: "I must look." }] },
        { type: "function_call", call_id: "call_1", arguments: '{"parcel":1}' },
        { type: "function_call", call_id: "call_2", arguments: expect.stringMatching(/^\{/) },
        { type: "function_call_output", call_id: "call_1", output: '{"city":"Basel"}' },
        { type: "function_call_output", call_id: "call_2" }
      ],
      include: ["reasoning.encrypted_content"],
      store: false
    }
  },
  {
    provider: "openai-chat",
    says: {
      body: {
        id: "c",
        created: 1,
        model: "wire-1",
        choices: [{ index: 0, message: { role: "assistant", tool_calls: chatCalls }, finish_reason: "tool_calls" }]
      },
      frames: chatFrames
    },
    next: chatNext
  },
  {
    provider: "compatible",
    says: {
      body: {
        id: "c",
        created: 1,
        model: "wire-1",
        choices: [{ index: 0, message: { role: "assistant", tool_calls: chatCalls }, finish_reason: "tool_calls" }]
      },
      frames: chatFrames
    },
    next: chatNext
  },
  {
    provider: "anthropic",
    says: {
      body: {
        id: "m",
        type: "message",
        role: "assistant",
        model: "wire-1",
        content: [
          { type: "thinking", thinking: "I must look.", signature: "signature" },
          { type: "redacted_thinking", data: "redacted" },
          { type: "tool_use", id: "call_1", name: "look_up", input: { parcel: 1 } },
          { type: "tool_use", id: "call_2", name: "look_up", input: {} }
        ],
        stop_reason: "tool_use",
        usage
      },
      frames: [
        {
          type: "message_start",
          message: { id: "m", type: "message", role: "assistant", model: "wire-1", content: [], usage }
        },
        { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
        { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "I must " } },
        { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "look." } },
        { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "signature" } },
        { type: "content_block_stop", index: 0 },
        { type: "content_block_start", index: 1, content_block: { type: "redacted_thinking", data: "redacted" } },
        { type: "content_block_stop", index: 1 },
        {
          type: "content_block_start",
          index: 2,
          content_block: { type: "tool_use", id: "call_1", name: "look_up", input: {} }
        },
        { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: '{"par' } },
        { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: 'cel":1}' } },
        { type: "content_block_stop", index: 2 },
        {
          type: "content_block_start",
          index: 3,
          content_block: { type: "tool_use", id: "call_2", name: "look_up", input: {} }
        },
        { type: "content_block_delta", index: 3, delta: { type: "input_json_delta", partial_json: '{"parcel": tru' } },
        { type: "content_block_stop", index: 3 },
        { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 1 } },
        { type: "message_stop" }
      ]
    },
    next: {
      messages: [
        { role: "user" },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "I must look.", signature: "signature" },
            { type: "redacted_thinking", data: "redacted" },
            { type: "tool_use", id: "call_1", input: { parcel: 1 } },
            { type: "tool_use", id: "call_2", input: expect.any(Object) }
          ]
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "call_1", content: '{"city":"Basel"}' },
            { type: "tool_result", tool_use_id: "call_2", is_error: true }
          ]
        }
      ]
    }
  },
  {
    provider: "google",
    says: (() => {
      const answer = (parts: ReadonlyArray<object>, more: object = {}) => ({
        candidates: [{ content: { role: "model", parts }, ...more }],
        usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1 }
      })
      const thought = { text: "I must look.", thought: true }
      const calls = [
        { functionCall: { id: "call_1", name: "look_up", args: { parcel: 1 } }, thoughtSignature: "signature" },
        { functionCall: { id: "call_2", name: "look_up", args: {} } }
      ]
      return {
        body: answer([thought, ...calls], { finishReason: "STOP" }),
        frames: [answer([thought]), answer(calls.slice(0, 1)), answer(calls.slice(1), { finishReason: "STOP" })]
      }
    })(),
    next: {
      contents: [
        { role: "user" },
        {
          role: "model",
          parts: [
            { text: "I must look.", thought: true },
            { functionCall: { name: "look_up", args: { parcel: 1 } }, thoughtSignature: "signature" },
            { functionCall: { name: "look_up", args: expect.any(Object) } }
          ]
        },
        { role: "user", parts: [{ functionResponse: { name: "look_up" } }, { functionResponse: { name: "look_up" } }] }
      ]
    }
  }
]

/** A model that thinks, for the providers whose library looks at the name. */
const modelOf: { readonly [provider: string]: string } = {
  "openai-responses": "gpt-5",
  anthropic: "claude-sonnet-4-5",
  google: "gemini-3-pro-preview"
}

const ask = (turn: Turn, delivery: Delivery, prompt: Prompt.Prompt) =>
  Effect.flatMap(Models.Models, ({ call }) =>
    Effect.scoped(
      Effect.flatMap(
        call({
          provider: turn.provider,
          model: modelOf[turn.provider] ?? "wire-1",
          prompt: safe(prompt),
          settings: { tools, maxOutputTokens: 100 },
          delivery
        }),
        Reply.collect
      )
    )
  )

const results = (parts: ReadonlyArray<Part.Part>): Prompt.Message => ({
  role: "tool",
  content: parts.flatMap((part) => {
    if (part.type !== "tool-call") return []
    const isFailure = part.id === "call_2"
    const result = isFailure ? "what parcel?" : { city: "Basel" }
    return [{ type: "tool-result" as const, id: part.id, name: part.name, isFailure, result }]
  })
})

describe("a turn with tools goes back with what the provider signed", () => {
  for (const turn of turns) {
    for (const delivery of deliveries) {
      it.effect(`${turn.provider}, ${delivery}`, () =>
        Effect.gen(function* () {
          const server = yield* wire(turn.says)
          const asked = Prompt.make("Where are my parcels?")
          const parts = yield* Effect.provide(ask(turn, delivery, asked), models(server.url))
          const calls = parts.filter((part) => part.type === "tool-call")
          expect(calls.map(({ id }) => id)).toEqual(["call_1", "call_2"])
          expect(calls[0]?.params).toEqual({ parcel: 1 })
          expect(parts.at(-1)).toMatchObject({ type: "finish", reason: "tool-calls" })

          const next = Prompt.make([...asked.content, ...Prompt.fromParts(parts), results(parts)])
          yield* Effect.provide(ask(turn, delivery, next), models(server.url))
          expect(server.seen[1]?.body).toMatchObject(turn.next)
        })
      )
    }
  }
})

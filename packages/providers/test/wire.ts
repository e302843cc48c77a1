/**
 * A local server that speaks the protocols of OpenAI (responses and chat completions), Anthropic (messages) and Google
 * (generateContent), and that can fail in every way a real one does.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Deferred, Effect, type Latch, type Scope } from "effect"

export type Protocol = "openai-responses" | "openai-chat" | "anthropic" | "google" | "compatible"

export const protocols: ReadonlyArray<Protocol> = [
  "openai-responses",
  "openai-chat",
  "anthropic",
  "google",
  "compatible"
]

export interface Answer {
  readonly deltas: ReadonlyArray<string>
  readonly tool?: { readonly id: string; readonly name: string; readonly params: object }
  /** Anthropic only: what the model thinks first, with the signature that it wants back. */
  readonly thinking?: { readonly text: string; readonly signature: string }
  readonly input?: unknown
  readonly output?: unknown
  readonly filtered?: boolean
  /** What the response head says besides, such as where the provider's limits stand. */
  readonly headers?: Record<string, string>
}

export type Scene =
  | { readonly say: Answer; readonly cutAfter?: number; readonly endAfter?: number; readonly garbageAfter?: number }
  | { readonly say: Answer; readonly gated: Latch.Latch }
  | { readonly say: Answer; readonly stallAfter: number }
  /** A whole answer whose stream stays open behind it, in pieces of `pieces` bytes where that is said. */
  | { readonly say: Answer; readonly open: true; readonly pieces?: number }
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  | { readonly frame: unknown; readonly before?: Answer }
  | { readonly html: string }
  /** An answer as a provider wrote it: the body of a whole one, the frames of a stream, which may stay open behind them. */
  | { readonly body: unknown; readonly frames: ReadonlyArray<unknown>; readonly open?: true }
  | { readonly hang: true }

export interface Seen {
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: any
}

export interface Wire {
  readonly url: string
  readonly seen: ReadonlyArray<Seen>
  /** Is open once a request has arrived. */
  readonly arrived: Effect.Effect<void>
  /** Succeeds once a client has closed its connection before the answer was complete. */
  readonly cancelled: Effect.Effect<void>
}

const usage = (answer: Answer) => ({ input: answer.input ?? 7, output: answer.output ?? answer.deltas.length })

const protocolOf = (path: string): Protocol =>
  path.includes("/responses")
    ? "openai-responses"
    : path.includes("/messages")
      ? "anthropic"
      : path.includes("enerateContent")
        ? "google"
        : "openai-chat"

const whole = (protocol: Protocol, answer: Answer): unknown => {
  const { input, output } = usage(answer)
  const text = answer.deltas.join("")
  const { tool } = answer
  switch (protocol) {
    case "openai-responses":
      return {
        id: "resp_1",
        created_at: 1_760_000_000,
        model: "wire-1",
        output: [
          ...(text === ""
            ? []
            : [
                {
                  type: "message",
                  role: "assistant",
                  id: "msg_1",
                  content: [{ type: "output_text", text, annotations: [] }]
                }
              ]),
          ...(tool === undefined
            ? []
            : [
                {
                  type: "function_call",
                  id: "fc_1",
                  call_id: tool.id,
                  name: tool.name,
                  arguments: JSON.stringify(tool.params)
                }
              ])
        ],
        incomplete_details: answer.filtered ? { reason: "content_filter" } : null,
        usage: {
          input_tokens: input,
          input_tokens_details: { cached_tokens: 2 },
          output_tokens: output,
          output_tokens_details: { reasoning_tokens: 0 }
        }
      }
    case "anthropic":
      return {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model: "wire-1",
        content: [
          ...(answer.thinking === undefined
            ? []
            : [{ type: "thinking", thinking: answer.thinking.text, signature: answer.thinking.signature }]),
          ...(text === "" ? [] : [{ type: "text", text }]),
          ...(tool === undefined ? [] : [{ type: "tool_use", id: tool.id, name: tool.name, input: tool.params }])
        ],
        stop_reason: answer.filtered ? "refusal" : tool === undefined ? "end_turn" : "tool_use",
        stop_sequence: null,
        usage: { input_tokens: input, output_tokens: output }
      }
    case "google":
      return answer.filtered
        ? { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: input } }
        : {
            candidates: [
              {
                content: {
                  role: "model",
                  parts: [
                    ...(text === "" ? [] : [{ text }]),
                    ...(tool === undefined ? [] : [{ functionCall: { name: tool.name, args: tool.params } }])
                  ]
                },
                finishReason: "STOP"
              }
            ],
            usageMetadata: { promptTokenCount: input, candidatesTokenCount: output, totalTokenCount: 9 },
            modelVersion: "wire-1",
            responseId: "g_1"
          }
    default:
      return {
        id: "chat_1",
        object: "chat.completion",
        created: 1_760_000_000,
        model: "wire-1",
        choices: [
          {
            index: 0,
            message: {
              role: "assistant",
              content: text === "" ? null : text,
              ...(tool === undefined
                ? {}
                : {
                    tool_calls: [
                      {
                        id: tool.id,
                        type: "function",
                        function: { name: tool.name, arguments: JSON.stringify(tool.params) }
                      }
                    ]
                  })
            },
            finish_reason: answer.filtered ? "content_filter" : tool === undefined ? "stop" : "tool_calls"
          }
        ],
        usage: { prompt_tokens: input, completion_tokens: output, total_tokens: 9 }
      }
  }
}

const frame = (data: unknown, event?: string): string =>
  `${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`

/** The frames of a stream: those before the text, one for each delta, and those that close it. */
const frames = (
  protocol: Protocol,
  answer: Answer
): readonly [before: ReadonlyArray<string>, deltas: ReadonlyArray<string>, after: ReadonlyArray<string>] => {
  const { input, output } = usage(answer)
  const { tool } = answer
  switch (protocol) {
    case "openai-responses": {
      const event = (type: string, data: object) => frame({ type, ...data }, type)
      return [
        [
          event("response.created", { response: { id: "resp_1", created_at: 1_760_000_000, model: "wire-1" } }),
          ...(answer.deltas.length === 0
            ? []
            : [event("response.output_item.added", { output_index: 0, item: { type: "message", id: "msg_1" } })])
        ],
        answer.deltas.map((delta) => event("response.output_text.delta", { item_id: "msg_1", delta })),
        [
          ...(answer.deltas.length === 0
            ? []
            : [event("response.output_item.done", { output_index: 0, item: { type: "message", id: "msg_1" } })]),
          ...(tool === undefined
            ? []
            : (() => {
                const item = { type: "function_call", id: "fc_1", call_id: tool.id, name: tool.name }
                const parameters = JSON.stringify(tool.params)
                return [
                  event("response.output_item.added", { output_index: 1, item: { ...item, arguments: "" } }),
                  event("response.function_call_arguments.delta", {
                    item_id: "fc_1",
                    output_index: 1,
                    delta: parameters
                  }),
                  event("response.output_item.done", {
                    output_index: 1,
                    item: { ...item, arguments: parameters, status: "completed" }
                  })
                ]
              })()),
          event(answer.filtered ? "response.incomplete" : "response.completed", {
            response: {
              ...(answer.filtered ? { incomplete_details: { reason: "content_filter" } } : {}),
              usage: {
                input_tokens: input,
                input_tokens_details: { cached_tokens: 2 },
                output_tokens: output,
                output_tokens_details: { reasoning_tokens: 0 }
              }
            }
          })
        ]
      ]
    }
    case "anthropic": {
      const event = (type: string, data: object) => frame({ type, ...data }, type)
      const { thinking } = answer
      const first = thinking === undefined ? 0 : 1
      const index = first + (answer.deltas.length === 0 ? 0 : 1)
      return [
        [
          event("message_start", {
            message: {
              id: "msg_1",
              type: "message",
              role: "assistant",
              model: "wire-1",
              content: [],
              stop_reason: null,
              stop_sequence: null,
              usage: { input_tokens: input, output_tokens: 1 }
            }
          }),
          event("ping", {}),
          ...(thinking === undefined
            ? []
            : [
                event("content_block_start", { index: 0, content_block: { type: "thinking", thinking: "" } }),
                event("content_block_delta", { index: 0, delta: { type: "thinking_delta", thinking: thinking.text } }),
                event("content_block_delta", {
                  index: 0,
                  delta: { type: "signature_delta", signature: thinking.signature }
                }),
                event("content_block_stop", { index: 0 })
              ]),
          ...(answer.deltas.length === 0
            ? []
            : [event("content_block_start", { index: first, content_block: { type: "text", text: "" } })])
        ],
        answer.deltas.map((text) =>
          event("content_block_delta", { index: first, delta: { type: "text_delta", text } })
        ),
        [
          ...(answer.deltas.length === 0 ? [] : [event("content_block_stop", { index: first })]),
          ...(tool === undefined
            ? []
            : [
                event("content_block_start", {
                  index,
                  content_block: { type: "tool_use", id: tool.id, name: tool.name, input: {} }
                }),
                event("content_block_delta", {
                  index,
                  delta: { type: "input_json_delta", partial_json: JSON.stringify(tool.params) }
                }),
                event("content_block_stop", { index })
              ]),
          event("message_delta", {
            delta: {
              stop_reason: answer.filtered ? "refusal" : tool === undefined ? "end_turn" : "tool_use",
              stop_sequence: null
            },
            usage: { output_tokens: output }
          }),
          event("message_stop", {})
        ]
      ]
    }
    case "google": {
      const chunk = (parts: ReadonlyArray<object>, more: object = {}) => ({
        candidates: [{ content: { role: "model", parts }, ...more }],
        modelVersion: "wire-1",
        responseId: "g_1"
      })
      const usageMetadata = { promptTokenCount: input, candidatesTokenCount: output, totalTokenCount: 9 }
      return [
        [],
        answer.deltas.map((text) => frame(chunk([{ text }]))),
        [
          answer.filtered
            ? frame({ promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: input } })
            : frame({
                ...chunk(tool === undefined ? [] : [{ functionCall: { name: tool.name, args: tool.params } }], {
                  finishReason: "STOP"
                }),
                usageMetadata
              })
        ]
      ]
    }
    default: {
      const chunk = (delta: object, finish_reason: string | null = null) =>
        frame({
          id: "chat_1",
          object: "chat.completion.chunk",
          created: 1_760_000_000,
          model: "wire-1",
          choices: [{ index: 0, delta, finish_reason }]
        })
      return [
        [chunk({ role: "assistant", content: "" })],
        answer.deltas.map((content) => chunk({ content })),
        [
          ...(tool === undefined
            ? []
            : [
                chunk({
                  tool_calls: [
                    {
                      index: 0,
                      id: tool.id,
                      type: "function",
                      function: { name: tool.name, arguments: JSON.stringify(tool.params) }
                    }
                  ]
                })
              ]),
          chunk({}, answer.filtered ? "content_filter" : tool === undefined ? "stop" : "tool_calls"),
          frame({
            id: "chat_1",
            object: "chat.completion.chunk",
            created: 1_760_000_000,
            model: "wire-1",
            choices: [],
            usage: { prompt_tokens: input, completion_tokens: output, total_tokens: 9 }
          }),
          frame("[DONE]")
        ]
      ]
    }
  }
}

const isStream = (seen: Seen): boolean => seen.path.includes("streamGenerateContent") || seen.body?.stream === true

const flushed = (response: ServerResponse, text: string): Promise<void> =>
  new Promise((resolve) => response.write(text, () => resolve()))

const play = async (scene: Scene, seen: Seen, response: ServerResponse): Promise<void> => {
  const protocol = protocolOf(seen.path)
  if ("hang" in scene) return
  if ("html" in scene) {
    response.writeHead(200, { "content-type": isStream(seen) ? "text/event-stream" : "application/json" })
    response.end(isStream(seen) ? frame(scene.html) : scene.html)
    return
  }
  if ("frames" in scene) {
    response.writeHead(200, { "content-type": isStream(seen) ? "text/event-stream" : "application/json" })
    if (!isStream(seen)) {
      response.end(JSON.stringify(scene.body))
      return
    }
    await flushed(response, scene.frames.map((data) => frame(data, (data as { type?: string }).type)).join(""))
    if (scene.open !== true) response.end()
    return
  }
  if ("status" in scene) {
    response.writeHead(scene.status, { "content-type": "application/json", ...scene.headers })
    response.end(JSON.stringify(scene.body ?? {}))
    return
  }
  if (!isStream(seen)) {
    if ("frame" in scene) return
    const text = JSON.stringify(whole(protocol, scene.say))
    if ("stallAfter" in scene) return
    response.writeHead(200, { "content-type": "application/json", ...scene.say.headers })
    if ("gated" in scene) await Effect.runPromise(scene.gated.await)
    if ("garbageAfter" in scene) {
      response.end(text.slice(0, 20))
    } else if ("cutAfter" in scene || "endAfter" in scene) {
      await flushed(response, text.slice(0, 20))
      response.destroy()
    } else {
      response.end(text)
    }
    return
  }
  response.writeHead(200, {
    "content-type": "text/event-stream",
    ...("say" in scene ? scene.say.headers : {})
  })
  response.flushHeaders()
  if ("frame" in scene) {
    if (scene.before !== undefined) {
      const [before, deltas] = frames(protocol, scene.before)
      for (const text of [...before, ...deltas]) await flushed(response, text)
    }
    response.end(frame(scene.frame, (scene.frame as { type?: string }).type))
    return
  }
  const [before, deltas, after] = frames(protocol, scene.say)
  const all = [...before, ...deltas, ...after]
  if ("open" in scene) {
    const bytes = Buffer.from(all.join(""))
    const size = scene.pieces ?? bytes.length
    for (let from = 0; from < bytes.length; from += size) {
      await new Promise<void>((resolve) => response.write(bytes.subarray(from, from + size), () => resolve()))
    }
    return
  }
  const at = (count: number) => before.length + count
  for (const [index, text] of all.entries()) {
    if ("stallAfter" in scene && index === at(scene.stallAfter)) return
    if ("cutAfter" in scene && scene.cutAfter !== undefined && index === at(scene.cutAfter)) {
      response.destroy()
      return
    }
    if ("endAfter" in scene && scene.endAfter !== undefined && index === at(scene.endAfter)) {
      response.end()
      return
    }
    if ("garbageAfter" in scene && scene.garbageAfter !== undefined && index === at(scene.garbageAfter)) {
      response.end('data: {"this is": not JSON\n\n')
      return
    }
    if ("gated" in scene && index >= before.length && index < before.length + deltas.length) {
      await Effect.runPromise(scene.gated.await)
      scene.gated.closeUnsafe()
    }
    if (response.destroyed) return
    await flushed(response, text)
  }
  response.end()
}

/** Starts a server on a free loopback port; it plays the scenes in turn and repeats the last. */
export const wire = (...scenes: ReadonlyArray<Scene>): Effect.Effect<Wire, never, Scope.Scope> =>
  Effect.gen(function* () {
    const seen: Array<Seen> = []
    const arrived = yield* Deferred.make<void>()
    const cancelled = yield* Deferred.make<void>()
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk) => chunks.push(chunk))
      request.on("end", () => {
        const text = Buffer.concat(chunks).toString()
        const call: Seen = {
          path: request.url ?? "",
          headers: request.headers,
          body: text === "" ? {} : JSON.parse(text)
        }
        const scene = scenes[Math.min(seen.length, scenes.length - 1)]!
        seen.push(call)
        response.on("close", () => {
          if (!response.writableFinished) Deferred.doneUnsafe(cancelled, Effect.void)
        })
        response.on("error", () => {})
        Deferred.doneUnsafe(arrived, Effect.void)
        void play(scene, call, response)
      })
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.closeAllConnections()
          server.close(() => resume(Effect.void))
        })
    )
    const { port } = server.address() as AddressInfo
    return {
      url: `http://127.0.0.1:${port}`,
      seen,
      arrived: Deferred.await(arrived),
      cancelled: Deferred.await(cancelled)
    }
  })

/** The address of a loopback port where nobody listens. */
export const nobody: Effect.Effect<string> = Effect.map(Effect.scoped(wire({ hang: true })), (server) => server.url)

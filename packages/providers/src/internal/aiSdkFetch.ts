/**
 * `fetch` for the AI SDK's providers: without limits of its own, without a key for another host, and no longer than the answer.
 *
 * @since 0.1.0
 */
import { statedStatus } from "./aiSdkError.ts"

/**
 * Who wants to know that the response head of a request has arrived; a request is known by its signal. Only calls that ask for a stream
 * are here.
 */
const heads = new WeakMap<AbortSignal, () => void>()

/** Calls back when the response head of the request with this signal is here, though the AI SDK may read on first. */
export const onHead = (signal: AbortSignal, arrived: () => void): void => {
  heads.set(signal, arrived)
}

interface Dispatcher {
  readonly dispatch: (options: object, handler: unknown) => boolean
}

/**
 * Node's `fetch` gives up when no head, or no further byte, has come for five minutes, which a model that thinks may take. The
 * limits of a call are kept elsewhere, so the dispatcher in force is told of none; where it is not Node's there is none to tell.
 */
const unhurried = (): { readonly dispatcher?: Dispatcher } => {
  // Undici, which is Node's `fetch`, is loaded with the first use of one of its classes, and then shares its dispatcher so.
  new Headers()
  const inForce = (globalThis as { readonly [name: symbol]: Dispatcher | undefined })[
    Symbol.for("undici.globalDispatcher.1")
  ]
  if (inForce === undefined) return {}
  return {
    dispatcher: {
      dispatch: (options, handler) => inForce.dispatch({ ...options, headersTimeout: 0, bodyTimeout: 0 }, handler)
    }
  }
}

/** The most times that one request is sent on. */
const mostHops = 3

/**
 * Follows a request that is sent on to another place of the same host. One that is sent to another host is not followed: `fetch`
 * would take `Authorization` from it, but not the headers in which Anthropic and Google want their keys.
 */
const onSameHost = async (input: string | URL | Request, init: RequestInit, hops = 0): Promise<Response> => {
  const response = await globalThis.fetch(input, { ...init, redirect: "manual" })
  const location = response.headers.get("location")
  if ((response.status !== 307 && response.status !== 308) || location === null || hops === mostHops) return response
  const from = new URL(input instanceof Request ? input.url : input)
  const to = new URL(location, from)
  if (to.hostname !== from.hostname || (from.protocol === "https:" && to.protocol !== "https:")) return response
  await response.body?.cancel()
  return onSameHost(to, init, hops + 1)
}

/** How long a connection whose answer is complete is read on, so that it can be used again, or for what may still belong to it. */
const grace = 1000

/** Reads the little that may still come of an answer that is complete; a server that keeps it open all the same is left. */
export const drain = (reader: ReadableStreamDefaultReader<unknown>, leave: () => void): void => {
  const late = setTimeout(leave, grace)
  late.unref()
  const rest = (): Promise<void> => reader.read().then(({ done }) => (done ? undefined : rest()))
  void rest()
    .catch(() => {})
    .finally(() => clearTimeout(late))
}

const terminal = /"response\.(?:completed|incomplete|failed)"/

const parse = (line: string): { readonly [name: string]: unknown } => {
  try {
    const value: unknown = JSON.parse(line.slice(line.indexOf(":") + 1))
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/**
 * What a line of a stream says of its end: chat completions have `[DONE]`, OpenAI's responses an event of their own, which ends with the
 * empty line behind it. Google's chunk with a `finishReason` is the last one, but for what older models may say after it.
 */
const endOf = (line: string): "now" | "event" | "perhaps" | undefined => {
  if (!line.startsWith("data:")) return undefined
  if (line.length < 16 && line.slice(5).trim() === "[DONE]") return "now"
  if (terminal.test(line) && terminal.test(`"${parse(line)["type"]}"`)) return "event"
  if (!line.includes('"finishReason"')) return undefined
  const { candidates } = parse(line)
  return Array.isArray(candidates) && candidates.some((candidate) => typeof candidate?.finishReason === "string")
    ? "perhaps"
    : undefined
}

/** Ends a stream of events where its answer ends: the AI SDK waits for the connection's end, which may be long in coming. */
const untilDone = (response: Response): Response => {
  const { body, headers, status, statusText } = response
  if (body === null || !headers.get("content-type")?.includes("event-stream")) return response
  const reader = body.getReader()
  const decoder = new TextDecoder("latin1")
  let line = ""
  let end: ReturnType<typeof endOf>
  let mayBeOver = false
  /** Reads on, and says whether the answer is complete. */
  const sees = (text: string): boolean => {
    let from = 0
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      line += text.slice(from, at)
      from = at + 1
      if (line === "" || line === "\r") {
        if (end === "event") return true
        mayBeOver = end === "perhaps"
      } else if (line.startsWith("data:")) {
        end = endOf(line)
        if (end === "now") return true
      }
      line = ""
    }
    line += text.slice(from)
    return false
  }
  /** The next bytes; where there may be none, for so long. */
  const next = (): ReturnType<typeof reader.read> => {
    const read = reader.read()
    if (!mayBeOver) return read
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => resolve({ done: true, value: undefined }), grace)
      read.then(resolve, reject).finally(() => clearTimeout(late))
    })
  }
  const leave = () => void reader.cancel().catch(() => {})
  const events = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await next()
      if (done) {
        controller.close()
        return leave()
      }
      controller.enqueue(value)
      if (sees(decoder.decode(value, { stream: true }))) {
        controller.close()
        drain(reader, leave)
      }
    },
    cancel: (reason) => reader.cancel(reason)
  })
  return new Response(events, { headers, status, statusText })
}

/** The media types of streams that are none of events: JSON by the line or after separators, Amazon's frames. */
const otherStream = /eventstream|ndjson|jsonl|json-?lines|json-seq|stream\+json/i

/**
 * Where a stream was asked for and one JSON text came under a status of success: an error that it states gets the status that it stands
 * for, and anything else becomes the only event of a stream, which is then no answer.
 */
const asStream = async (response: Response): Promise<Response> => {
  const { body, headers, ok, status, statusText } = response
  const type = headers.get("content-type") ?? ""
  if (!ok || body === null || type.includes("event-stream") || otherStream.test(type)) return response
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const pieces: Array<Uint8Array> = []
  let text = ""
  let isJson: boolean | undefined
  // What a server calls JSON may be a stream all the same: what it begins with tells.
  while (isJson !== false) {
    const { done, value } = await reader.read()
    if (done) break
    pieces.push(value)
    text += decoder.decode(value, { stream: true })
    if (isJson === undefined && text.trimStart() !== "") isJson = /^[[{]/.test(text.trimStart())
  }
  const failed = isJson === true ? statedStatus(text) : undefined
  if (failed !== undefined) return new Response(text, { headers, status: failed })
  const encoded = new TextEncoder().encode(`data: ${text.trim().replaceAll(/[\r\n]/g, " ")}\n\n`)
  const rest = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const piece of isJson === true ? [encoded] : pieces) controller.enqueue(piece)
      if (isJson !== false) controller.close()
    },
    pull: async (controller) => {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason)
  })
  return new Response(rest, { headers, status, statusText })
}

/** `fetch`, which tells the call it belongs to when the response head is here. */
export const watchedFetch: typeof globalThis.fetch = async (input, init) => {
  const response = await onSameHost(input, { ...unhurried(), ...init } as RequestInit)
  const arrived = init?.signal ? heads.get(init.signal) : undefined
  arrived?.()
  return untilDone(arrived === undefined ? response : await asStream(response))
}

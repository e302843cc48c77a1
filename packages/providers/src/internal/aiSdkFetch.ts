/**
 * `fetch` for the AI SDK's providers: without limits of its own, without a key for another host, and no longer than the answer.
 *
 * @since 0.1.0
 */

/** Who wants to know that the response head of a request has arrived; a request is known by its signal. */
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

/** How long a connection whose answer is complete is read on, so that it can be used again. */
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

/** The last event of a stream of chat completions. */
const last = /(?:^|\n)data: ?\[DONE\]\r?\n/

/** Ends a stream of events with the event that says so: the AI SDK waits for the connection's end, which may be long in coming. */
const untilDone = (response: Response): Response => {
  const { body, headers, status, statusText } = response
  if (body === null || !headers.get("content-type")?.includes("event-stream")) return response
  const reader = body.getReader()
  const decoder = new TextDecoder("latin1")
  let tail = ""
  const events = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await reader.read()
      if (done) return controller.close()
      controller.enqueue(value)
      const text = tail + decoder.decode(value)
      if (last.test(text)) {
        controller.close()
        drain(reader, () => void reader.cancel().catch(() => {}))
      }
      tail = text.slice(-16)
    },
    cancel: (reason) => reader.cancel(reason)
  })
  return new Response(events, { headers, status, statusText })
}

/** `fetch`, which tells the call it belongs to when the response head is here. */
export const watchedFetch: typeof globalThis.fetch = async (input, init) => {
  const response = await onSameHost(input, { ...unhurried(), ...init } as RequestInit)
  if (init?.signal) heads.get(init.signal)?.()
  return untilDone(response)
}

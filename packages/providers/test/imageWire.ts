/** A local server that plays what a test says, request by request: answers, streams of events, faults. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Deferred, Effect, type Scope } from "effect"

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body as JSON, where it is. */
  readonly body: any
}

export type Played =
  | { readonly json: unknown; readonly status?: number; readonly headers?: Record<string, string> }
  | { readonly bytes: Uint8Array; readonly mediaType: string }
  | { readonly html: string }
  | { readonly hang: true }
  /** Frames of an event stream, and what follows them: its end, a cut, or silence. */
  | { readonly frames: ReadonlyArray<string>; readonly then?: "end" | "cut" | "hang" }
  /** Half of an answer, and then the connection is gone. */
  | { readonly half: unknown }

export interface Server {
  readonly url: string
  readonly seen: ReadonlyArray<Asked>
  /** Succeeds when so many requests have come. */
  readonly arrived: (count: number) => Effect.Effect<void>
  /** Succeeds once a client has closed its connection before the answer was complete. */
  readonly left: Effect.Effect<void>
}

export const frame = (data: unknown, event?: string): string =>
  `${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`

const answer = async (played: Played, response: ServerResponse): Promise<void> => {
  if ("hang" in played) return
  if ("html" in played) {
    response.writeHead(200, { "content-type": "text/html" }).end(played.html)
  } else if ("half" in played) {
    response.writeHead(200, { "content-type": "application/json" })
    await new Promise<void>((done) => response.write(JSON.stringify(played.half).slice(0, 20), () => done()))
    response.destroy()
  } else if ("bytes" in played) {
    response.writeHead(200, { "content-type": played.mediaType }).end(played.bytes)
  } else if ("json" in played) {
    response
      .writeHead(played.status ?? 200, { "content-type": "application/json", ...played.headers })
      .end(JSON.stringify(played.json))
  } else {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    for (const one of played.frames) {
      // In two pieces, so that no event may be taken for one chunk.
      const half = Math.floor(one.length / 2)
      for (const piece of [one.slice(0, half), one.slice(half)]) {
        await new Promise<void>((done) => response.write(piece, () => done()))
      }
    }
    if (played.then === "cut") response.destroy()
    else if (played.then !== "hang") response.end()
  }
}

export const serve = (
  play: (asked: Asked, index: number, url: string) => Played
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const seen: Array<Asked> = []
    const waiting: Array<{ readonly count: number; readonly done: Deferred.Deferred<void> }> = []
    const left = yield* Deferred.make<void>()
    let url = ""
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk) => chunks.push(chunk))
      request.on("end", () => {
        const text = Buffer.concat(chunks).toString()
        let body: unknown
        try {
          body = JSON.parse(text)
        } catch {
          body = undefined
        }
        const asked: Asked = {
          method: request.method ?? "",
          path: request.url ?? "",
          headers: request.headers,
          text,
          body
        }
        seen.push(asked)
        response.on("close", () => {
          if (!response.writableFinished) Deferred.doneUnsafe(left, Effect.void)
        })
        response.on("error", () => {})
        const played = play(asked, seen.length - 1, url)
        for (const one of waiting) if (seen.length >= one.count) Deferred.doneUnsafe(one.done, Effect.void)
        void answer(played, response)
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
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      url,
      seen,
      arrived: (count) =>
        Effect.suspend(() => {
          if (seen.length >= count) return Effect.void
          const done = Deferred.makeUnsafe<void>()
          waiting.push({ count, done })
          return Deferred.await(done)
        }),
      left: Deferred.await(left)
    }
  })

/** The smallest PNG, in base64. */
export const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

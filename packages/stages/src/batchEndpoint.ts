/**
 * The batch APIs of providers, as far as `batch.job` needs them. Sources: OpenAI API reference "Batch" and "Files"; Anthropic
 * API reference "Message Batches"; Google Gemini API reference "Batch mode". Text prompts only: a call with files, tools, a
 * response schema or a parameter that is not sent along is refused, since its answer would be another one than the call's.
 *
 * @since 0.1.0
 */
import { Part, Prompt, type Settings } from "@interlock/model"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import type { Call } from "./cache/policy.ts"

/**
 * A job could not be submitted, found, or brought home.
 *
 * - `Exists`: the id is taken by a job of other calls.
 * - `Missing`: there is no such job.
 * - `Uncertain`: a process died while it submitted, and the provider cannot say whether the job arrived.
 * - `Store`: the job store failed.
 * - `Endpoint`: the provider failed or refused.
 * - `Unsupported`: a call holds something that the batch format here does not carry.
 *
 * @category errors
 * @since 0.1.0
 */
export class JobError extends Schema.TaggedError<JobError>()("@interlock/stages/JobError", {
  reason: Schema.Literals(["Exists", "Missing", "Uncertain", "Store", "Endpoint", "Unsupported"]),
  message: Schema.String,
  status: Schema.optionalKey(Schema.Number),
  cause: Schema.optional(Schema.Defect())
}) {}

/**
 * What became of one call of a job.
 *
 * @category models
 * @since 0.1.0
 */
export type JobResult =
  | { readonly _tag: "Answered"; readonly parts: ReadonlyArray<Part.Part> }
  | {
      readonly _tag: "Failed"
      readonly reason: "errored" | "expired" | "cancelled" | "missing"
      readonly message: string
    }

/**
 * How far a job is: `running`, or `ended` in whatever way; results can be had once it has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchStatus {
  readonly state: "running" | "ended"
  /** The provider's own word. */
  readonly word: string
  /** Why the job as a whole came to nothing, where the provider says so. */
  readonly message?: string
}

/**
 * A provider's batch API.
 *
 * @category services
 * @since 0.1.0
 */
export class BatchEndpoint extends Context.Service<
  BatchEndpoint,
  {
    /** Submits the calls under the job's id and answers with the provider's name for it. Call `n` has the id `n`. */
    readonly submit: (id: string, calls: ReadonlyArray<Call>) => Effect.Effect<string, JobError>
    /** The provider's name for a job submitted under this id; `"unknown"` where the provider cannot tell. */
    readonly find: (id: string) => Effect.Effect<string | undefined, JobError>
    readonly status: (remote: string) => Effect.Effect<BatchStatus, JobError>
    readonly cancel: (remote: string) => Effect.Effect<void, JobError>
    /** What became of each call, by its id; calls that never ran may be missing. */
    readonly results: (remote: string) => Effect.Effect<ReadonlyMap<string, JobResult>, JobError>
  }
>()("@interlock/stages/BatchEndpoint") {}

/**
 * Where the API is, and its key.
 *
 * @category models
 * @since 0.1.0
 */
export interface EndpointOptions {
  readonly apiKey: Redacted.Redacted<string>
  /** Without a slash at the end; the provider's own by default. */
  readonly baseUrl?: string
}

type Json = { readonly [field: string]: any }

const failed = (message: string, more: { readonly status?: number; readonly cause?: unknown } = {}) =>
  new JobError({ reason: "Endpoint", message, ...more })

const client = (provider: string, baseUrl: string, headers: Record<string, string>) => {
  const text = (method: string, path: string, body?: FormData | Json) =>
    Effect.tryPromise({
      try: async (signal) => {
        const form = body instanceof FormData
        const response = await fetch(baseUrl + path, {
          method,
          signal,
          headers: form || body === undefined ? headers : { ...headers, "content-type": "application/json" },
          ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body) })
        })
        return { status: response.status, text: await response.text() }
      },
      catch: (cause) => failed(`${provider} could not be reached for ${method} ${path}; try again later`, { cause })
    }).pipe(
      Effect.flatMap((answer) =>
        answer.status < 300
          ? Effect.succeed(answer.text)
          : Effect.fail(failed(`${provider} answered ${answer.status} to ${method} ${path}`, { status: answer.status }))
      )
    )
  const parse = (answer: string): Effect.Effect<Json, JobError> =>
    Effect.try({
      try: () => JSON.parse(answer),
      catch: (cause) => failed(`${provider} answered with something that is not JSON`, { cause })
    })
  return {
    text,
    json: (method: string, path: string, body?: FormData | Json) => Effect.flatMap(text(method, path, body), parse),
    lines: (path: string) =>
      Effect.flatMap(text("GET", path), (answer) =>
        Effect.forEach(
          answer.split("\n").filter((line) => line.trim() !== ""),
          parse
        )
      )
  }
}

/** The service, with an answer of a shape that is not known here as an error of the endpoint. */
const endpoint = (provider: string, service: BatchEndpoint["Service"]): BatchEndpoint["Service"] => {
  const readable = <A>(effect: Effect.Effect<A, JobError>) =>
    Effect.catchDefect(effect, (cause) =>
      Effect.fail(failed(`${provider} answered in a form that is not known here`, { cause }))
    )
  return {
    submit: (id, calls) => readable(service.submit(id, calls)),
    find: (id) => readable(service.find(id)),
    status: (remote) => readable(service.status(remote)),
    cancel: (remote) => readable(service.cancel(remote)),
    results: (remote) => readable(service.results(remote))
  }
}

const nameOf = (value: unknown): string => {
  if (typeof value !== "string" || value === "") throw new TypeError("the job has no name")
  return value
}

/** The model of the calls, all of which hold only text and the parameters that this provider's format carries here. */
const plain = Effect.fnUntraced(function* (calls: ReadonlyArray<Call>, carried: ReadonlyArray<keyof Settings>) {
  const [first] = calls
  if (first === undefined) return yield* unsupported("a job needs at least one call")
  for (const [position, { model, parameters, prompt }] of calls.entries()) {
    if (model.model !== first.model.model || model.provider !== first.model.provider) {
      return yield* unsupported(
        `call ${position} is for ${model.model} and the first for ${first.model.model}: make one job a model`
      )
    }
    if ((parameters.tools?.length ?? 0) > 0 || parameters.responseFormat?.type === "json") {
      return yield* unsupported(`call ${position} has tools or a response schema: make it outside the job`)
    }
    for (const [name, value] of Object.entries(parameters)) {
      const set = typeof value === "object" ? Object.keys(value).length > 0 : value !== undefined
      if (set && !elsewhere.has(name) && !carried.includes(name as keyof Settings)) {
        return yield* unsupported(
          `call ${position} sets ${name}, which is not sent along in a job: leave it out, or make the call outside the job`
        )
      }
    }
    const other = prompt.content.some(
      (message) =>
        message.role === "tool" ||
        (typeof message.content !== "string" &&
          message.content.some((part: { readonly type: string }) => part.type !== "text"))
    )
    if (other) return yield* unsupported(`call ${position} holds more than text: make it outside the job`)
  }
  return first.model.model
})

/** Parameters that are looked at by themselves, or mean nothing without tools. */
const elsewhere = new Set(["tools", "toolChoice", "responseFormat"])

const unsupported = (message: string) => new JobError({ reason: "Unsupported", message })

const messages = (call: Call) =>
  call.prompt.content.map((message) => ({ role: message.role, content: Prompt.messageText(message) }))

const systemText = (call: Call) =>
  messages(call)
    .filter(({ role }) => role === "system")
    .map(({ content }) => content)
    .join("\n")

const answered = (text: string, finish: Part.FinishReason, input?: number, output?: number): JobResult => ({
  _tag: "Answered",
  parts: [
    { type: "text", text },
    Part.finish(finish, {
      inputTokens: input === undefined ? {} : { total: input },
      outputTokens: output === undefined ? {} : { total: output }
    })
  ]
})

const notAnswered = (reason: "errored" | "expired" | "cancelled", message: string): JobResult => ({
  _tag: "Failed",
  reason,
  message
})

const withMessage = (message: unknown) => (typeof message === "string" ? { message } : {})

const compact = (fields: Json): Json =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/**
 * OpenAI's batch API. The job's id goes along as metadata, so that a job that was being submitted can be found again.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerOpenAi = (options: EndpointOptions): Layer.Layer<BatchEndpoint> =>
  Layer.sync(BatchEndpoint, () => {
    const api = client("OpenAI", options.baseUrl ?? "https://api.openai.com/v1", {
      authorization: `Bearer ${Redacted.value(options.apiKey)}`
    })
    const body = (call: Call) =>
      compact({
        model: call.model.model,
        messages: messages(call),
        temperature: call.parameters.temperature,
        top_p: call.parameters.topP,
        max_completion_tokens: call.parameters.maxOutputTokens,
        stop: call.parameters.stop,
        seed: call.parameters.seed,
        presence_penalty: call.parameters.presencePenalty,
        frequency_penalty: call.parameters.frequencyPenalty,
        reasoning_effort: call.parameters.reasoningEffort
      })
    return endpoint("OpenAI", {
      submit: Effect.fnUntraced(function* (id: string, calls: ReadonlyArray<Call>) {
        yield* plain(calls, [
          "temperature",
          "topP",
          "maxOutputTokens",
          "stop",
          "seed",
          "presencePenalty",
          "frequencyPenalty",
          "reasoningEffort"
        ])
        const lines = calls.map((call, position) =>
          JSON.stringify({ custom_id: String(position), method: "POST", url: "/v1/chat/completions", body: body(call) })
        )
        const form = new FormData()
        form.append("purpose", "batch")
        form.append("file", new Blob([lines.join("\n")], { type: "application/jsonl" }), "batch.jsonl")
        const file = yield* api.json("POST", "/files", form)
        const batch = yield* api.json("POST", "/batches", {
          input_file_id: file["id"],
          endpoint: "/v1/chat/completions",
          completion_window: "24h",
          metadata: { interlock_job: id }
        })
        return nameOf(batch["id"])
      }),
      find: Effect.fnUntraced(function* (id: string) {
        let after = ""
        for (;;) {
          const page = yield* api.json("GET", `/batches?limit=100${after}`)
          const batches: ReadonlyArray<Json> = page["data"]
          const found = batches.find((batch) => batch["metadata"]?.interlock_job === id)
          if (found !== undefined) return nameOf(found["id"])
          if (page["has_more"] !== true || batches.length === 0) return undefined
          after = `&after=${batches.at(-1)!["id"]}`
        }
      }),
      status: (remote) =>
        Effect.map(api.json("GET", `/batches/${remote}`), ({ errors, status }) => ({
          word: nameOf(status),
          state: ["completed", "failed", "expired", "cancelled"].includes(status) ? "ended" : "running",
          ...withMessage(errors?.data?.[0]?.message)
        })),
      cancel: (remote) => Effect.asVoid(api.text("POST", `/batches/${remote}/cancel`)),
      results: Effect.fnUntraced(function* (remote: string) {
        const batch = yield* api.json("GET", `/batches/${remote}`)
        const results = new Map<string, JobResult>()
        for (const file of [batch["output_file_id"], batch["error_file_id"]]) {
          if (typeof file !== "string") continue
          for (const line of yield* api.lines(`/files/${file}/content`)) {
            const { custom_id: id, error, response } = line
            if (response?.status_code === 200) {
              const { choices, usage } = response.body
              const reasons: Record<string, Part.FinishReason> = {
                stop: "stop",
                length: "length",
                content_filter: "content-filter"
              }
              results.set(
                id,
                answered(
                  choices[0].message.content ?? choices[0].message.refusal ?? "",
                  reasons[choices[0].finish_reason] ?? "other",
                  usage?.prompt_tokens,
                  usage?.completion_tokens
                )
              )
            } else {
              const expired = error?.code === "batch_expired"
              results.set(
                id,
                notAnswered(
                  expired ? "expired" : error?.code === "batch_cancelled" ? "cancelled" : "errored",
                  error?.message ?? response?.body?.error?.message ?? `status ${response?.status_code}`
                )
              )
            }
          }
        }
        return results
      })
    })
  })

/**
 * Anthropic's message batches. It does not list jobs by a name of ours, so a submission that was cut off is `Uncertain`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerAnthropic = (options: EndpointOptions): Layer.Layer<BatchEndpoint> =>
  Layer.sync(BatchEndpoint, () => {
    const api = client("Anthropic", options.baseUrl ?? "https://api.anthropic.com", {
      "x-api-key": Redacted.value(options.apiKey),
      "anthropic-version": "2023-06-01"
    })
    return endpoint("Anthropic", {
      submit: Effect.fnUntraced(function* (_id: string, calls: ReadonlyArray<Call>) {
        yield* plain(calls, ["temperature", "topP", "topK", "maxOutputTokens", "stop"])
        const batch = yield* api.json("POST", "/v1/messages/batches", {
          requests: calls.map((call, position) => ({
            custom_id: String(position),
            params: compact({
              model: call.model.model,
              max_tokens: call.parameters.maxOutputTokens ?? 4_096,
              system: systemText(call) || undefined,
              messages: messages(call).filter(({ role }) => role !== "system"),
              temperature: call.parameters.temperature,
              top_p: call.parameters.topP,
              top_k: call.parameters.topK,
              stop_sequences: call.parameters.stop
            })
          }))
        })
        return nameOf(batch["id"])
      }),
      find: () => Effect.succeed("unknown"),
      status: (remote) =>
        Effect.map(api.json("GET", `/v1/messages/batches/${remote}`), ({ processing_status: word }) => ({
          word: nameOf(word),
          state: word === "ended" ? "ended" : "running"
        })),
      cancel: (remote) => Effect.asVoid(api.text("POST", `/v1/messages/batches/${remote}/cancel`)),
      results: Effect.fnUntraced(function* (remote: string) {
        const results = new Map<string, JobResult>()
        for (const { custom_id: id, result } of yield* api.lines(`/v1/messages/batches/${remote}/results`)) {
          if (result.type === "succeeded") {
            const { content, stop_reason: reason, usage } = result.message
            const text = content.map((block: Json) => (block["type"] === "text" ? block["text"] : "")).join("")
            const reasons: Record<string, Part.FinishReason> = {
              end_turn: "stop",
              stop_sequence: "stop",
              max_tokens: "length",
              refusal: "content-filter"
            }
            const input =
              usage &&
              usage.input_tokens + (usage.cache_creation_input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0)
            results.set(id, answered(text, reasons[reason] ?? "other", input, usage?.output_tokens))
          } else {
            const reason = result.type === "expired" ? "expired" : result.type === "canceled" ? "cancelled" : "errored"
            results.set(id, notAnswered(reason, result.error?.error?.message ?? result.type))
          }
        }
        return results
      })
    })
  })

/**
 * Google's batch mode for Gemini, with the requests inline. The job's id is its display name.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerGoogle = (options: EndpointOptions): Layer.Layer<BatchEndpoint> =>
  Layer.sync(BatchEndpoint, () => {
    const api = client("Google", options.baseUrl ?? "https://generativelanguage.googleapis.com/v1beta", {
      "x-goog-api-key": Redacted.value(options.apiKey)
    })
    const ended = ["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"]
    const request = (call: Call) =>
      compact({
        systemInstruction: systemText(call) === "" ? undefined : { parts: [{ text: systemText(call) }] },
        contents: messages(call)
          .filter(({ role }) => role !== "system")
          .map(({ content, role }) => ({ role: role === "assistant" ? "model" : "user", parts: [{ text: content }] })),
        generationConfig: compact({
          temperature: call.parameters.temperature,
          topP: call.parameters.topP,
          topK: call.parameters.topK,
          maxOutputTokens: call.parameters.maxOutputTokens,
          stopSequences: call.parameters.stop,
          seed: call.parameters.seed,
          presencePenalty: call.parameters.presencePenalty,
          frequencyPenalty: call.parameters.frequencyPenalty
        })
      })
    return endpoint("Google", {
      submit: Effect.fnUntraced(function* (id: string, calls: ReadonlyArray<Call>) {
        const model = yield* plain(calls, [
          "temperature",
          "topP",
          "topK",
          "maxOutputTokens",
          "stop",
          "seed",
          "presencePenalty",
          "frequencyPenalty"
        ])
        const requests = calls.map((call, position) => ({
          request: request(call),
          metadata: { key: String(position) }
        }))
        const batch = yield* api.json("POST", `/models/${model}:batchGenerateContent`, {
          batch: { display_name: id, input_config: { requests: { requests } } }
        })
        return nameOf(batch["name"])
      }),
      find: Effect.fnUntraced(function* (id: string) {
        let token = ""
        for (;;) {
          const page = yield* api.json("GET", `/batches?pageSize=100${token}`)
          const operations: ReadonlyArray<Json> = page["operations"] ?? []
          const found = operations.find((operation) => operation["metadata"]?.displayName === id)
          if (found !== undefined) return nameOf(found["name"])
          if (!page["nextPageToken"]) return undefined
          token = `&pageToken=${page["nextPageToken"]}`
        }
      }),
      status: (remote) =>
        Effect.map(api.json("GET", `/${remote}`), (operation) => {
          const word = String(operation["metadata"]?.state ?? "")
          const over = operation["done"] === true || ended.some((name) => word.endsWith(name))
          return { word, state: over ? "ended" : "running", ...withMessage(operation["error"]?.message) }
        }),
      cancel: (remote) => Effect.asVoid(api.text("POST", `/${remote}:cancel`)),
      results: Effect.fnUntraced(function* (remote: string) {
        const operation = yield* api.json("GET", `/${remote}`)
        const results = new Map<string, JobResult>()
        const output = operation["response"]?.inlinedResponses ?? operation["metadata"]?.output?.inlinedResponses
        const inline: ReadonlyArray<Json> = output?.inlinedResponses ?? []
        for (const [position, { error, metadata, response }] of inline.entries()) {
          // They come in the order of the requests, and not always with their metadata.
          const key = metadata?.key ?? String(position)
          const candidate = response?.candidates?.[0]
          if (candidate === undefined) {
            results.set(key, notAnswered("errored", error?.message ?? "no candidate"))
            continue
          }
          const text = (candidate.content?.parts ?? [])
            .map((part: Json) => (part["thought"] === true ? "" : (part["text"] ?? "")))
            .join("")
          const reasons: Record<string, Part.FinishReason> = {
            STOP: "stop",
            MAX_TOKENS: "length",
            SAFETY: "content-filter"
          }
          const usage = response.usageMetadata
          const written = usage?.candidatesTokenCount
          results.set(
            key,
            answered(
              text,
              reasons[candidate.finishReason] ?? "other",
              usage?.promptTokenCount,
              written === undefined ? undefined : written + (usage.thoughtsTokenCount ?? 0)
            )
          )
        }
        return results
      })
    })
  })

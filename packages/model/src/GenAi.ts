/**
 * The tracing policy that follows OpenTelemetry's semantic conventions for generative models: provider, model, parameters,
 * usage and finish reason as `gen_ai.*` attributes of the handler's span, and never a word of a prompt or an answer.
 *
 * Source: OpenTelemetry semantic conventions, "Gen AI spans".
 *
 * @since 0.1.0
 */
import { Tracing } from "@interlock/core"
import type { Tracer } from "effect"
import { Context, Layer, Option } from "effect"
import { ChosenModel } from "./ChosenModel.ts"
import { Parameters } from "./Parameters.ts"
import type { Part } from "./Part.ts"

const set = (span: Tracer.Span, name: string, value: unknown): void => {
  if (value !== undefined) span.attribute(name, value)
}

/**
 * The policy: provide it as `Tracing`, or use `layer`.
 *
 * @category policies
 * @since 0.1.0
 */
export const tracing: Tracing.Policy = {
  enter: (span, place, facts) => {
    if (place.kind !== "handler") return
    span.attribute("gen_ai.operation.name", "chat")
    const model = Option.getOrUndefined(Context.getOption(facts as Context.Context<ChosenModel>, ChosenModel))
    set(span, "gen_ai.provider.name", model?.provider)
    set(span, "gen_ai.request.model", model?.model)
    const settings = Option.getOrUndefined(Context.getOption(facts as Context.Context<Parameters>, Parameters))
    set(span, "gen_ai.request.temperature", settings?.temperature)
    set(span, "gen_ai.request.top_p", settings?.topP)
    set(span, "gen_ai.request.top_k", settings?.topK)
    set(span, "gen_ai.request.max_tokens", settings?.maxOutputTokens)
    set(span, "gen_ai.request.seed", settings?.seed)
  },
  part: (span, place, part) => {
    if (place.kind !== "handler") return
    const piece = part as Part
    if (piece.type === "response-metadata") {
      set(span, "gen_ai.response.id", piece.id)
      set(span, "gen_ai.response.model", piece.modelId)
    }
    if (piece.type === "finish") {
      span.attribute("gen_ai.response.finish_reasons", [piece.reason])
      set(span, "gen_ai.usage.input_tokens", piece.usage.inputTokens.total)
      set(span, "gen_ai.usage.output_tokens", piece.usage.outputTokens.total)
      set(span, "gen_ai.usage.cache_read.input_tokens", piece.usage.inputTokens.cacheRead)
      set(span, "gen_ai.usage.cache_creation.input_tokens", piece.usage.inputTokens.cacheWrite)
    }
  }
}

/**
 * Turns tracing on with this policy for everything it is provided to.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.succeed(Tracing.Tracing, tracing)

/**
 * `callModel` is the handler at the bottom of a pipeline: it sends the redacted prompt to the chosen model.
 *
 * It asks for the facts `SafePrompt`, `ChosenModel` and `Parameters`, and for the service `Models`, which knows the providers.
 * A live reply is yielded when its first part with content is here (the commit point): before it, `retry` and `fallback` may
 * act on the failure. The request to the provider is cancelled when the caller leaves.
 *
 * @since 0.1.0
 */
import { Pipeline, Reply } from "@interlock/core"
import { ChosenModel, Parameters, SafePrompt } from "@interlock/model"
import { Effect } from "effect"
import { Models } from "./Models.ts"

/**
 * Sends the redacted prompt to the chosen model, whole or live as the caller wants it.
 *
 * @category handlers
 * @since 0.1.0
 */
export const callModel = Pipeline.handler(
  "callModel",
  { needs: { prompt: SafePrompt, chosen: ChosenModel, settings: Parameters } },
  Effect.fnUntraced(function* ({ chosen, prompt, settings }) {
    const models = yield* Models
    const delivery = yield* Reply.Delivery
    return yield* models.call({ provider: chosen.provider, model: chosen.model, prompt, settings, delivery })
  })
)

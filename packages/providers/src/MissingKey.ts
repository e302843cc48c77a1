/**
 * `MissingKey` says that a provider's key, or another setting it cannot do without, is not in the configuration.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * A setting of a provider is absent or empty; the message names the variable to set and never its value.
 *
 * @category errors
 * @since 0.1.0
 */
export class MissingKey extends Schema.TaggedError<MissingKey>()("MissingKey", {
  provider: Schema.String,
  variable: Schema.String,
  message: Schema.String
}) {}

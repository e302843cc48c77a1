/**
 * What a cache or batch layer says when it is built with a setting that cannot work.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * A setting that cannot work, found when the layer is built: the message names the value, the rule and the cure.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConfigurationError extends Schema.TaggedError<ConfigurationError>()(
  "@interlock/stages/ConfigurationError",
  {
    setting: Schema.String,
    message: Schema.String
  }
) {}

/**
 * Makes the error from the setting's name, the value found, the rule it breaks and the cure.
 *
 * @category errors
 * @since 0.1.0
 */
export const invalid = (setting: string, value: unknown, rule: string, cure: string): ConfigurationError =>
  new ConfigurationError({ setting, message: `${setting} is ${String(value)}: ${rule}; ${cure}` })

/**
 * The settings of a provider, read from the configuration when its layer is built.
 *
 * @since 0.1.0
 */
import { Config, Effect, Option, Redacted } from "effect"
import { MissingKey } from "../MissingKey.ts"

/** The key under a variable; an empty one counts as absent. */
export const requiredKey = (provider: string, variable: string): Effect.Effect<string, MissingKey> =>
  Effect.flatMap(optionalKey(variable), (key) =>
    key === undefined
      ? Effect.fail(
          new MissingKey({
            provider,
            variable,
            message: `${provider} needs a key: set ${variable} in the environment, or leave the provider out`
          })
        )
      : Effect.succeed(key)
  )

/** The key under a variable, if there is one. */
export const optionalKey = (variable: string): Effect.Effect<string | undefined> =>
  Config.option(Config.Redacted(variable)).pipe(
    Effect.map((key) => Option.getOrUndefined(key)),
    Effect.map((key) => (key === undefined || Redacted.value(key).trim() === "" ? undefined : Redacted.value(key))),
    Effect.orElseSucceed(() => undefined)
  )

/** A text under a variable, if there is one. */
export const optionalText = (variable: string): Effect.Effect<string | undefined> =>
  Config.option(Config.String(variable)).pipe(
    Effect.map((text) => Option.getOrUndefined(Option.filter(text, (text) => text.trim() !== ""))),
    Effect.orElseSucceed(() => undefined)
  )

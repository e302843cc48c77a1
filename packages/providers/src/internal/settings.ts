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

/** The key under a variable, if there is one, without the white space that a file or a copy puts around it. */
export const optionalKey = (variable: string): Effect.Effect<string | undefined> =>
  Config.option(Config.Redacted(variable)).pipe(
    Effect.map((key) => Redacted.value(Option.getOrElse(key, () => Redacted.make(""))).trim() || undefined),
    Effect.orElseSucceed(() => undefined)
  )

/** A text under a variable, if there is one. */
export const optionalText = (variable: string): Effect.Effect<string | undefined> =>
  Config.option(Config.String(variable)).pipe(
    Effect.map((text) => Option.getOrUndefined(Option.filter(text, (text) => text.trim() !== ""))),
    Effect.orElseSucceed(() => undefined)
  )

/** Headers that every request bears besides the provider's own, by name; a secret one is `Redacted`. */
export type Headers = { readonly [name: string]: string | Redacted.Redacted }

/** The same as what a library of a provider takes. */
export const plainHeaders = (headers: Headers = {}): { headers: Record<string, string> } => ({
  headers: Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Redacted.isRedacted(value) ? Redacted.value(value) : value])
  )
})

/**
 * The address of an API without slashes at its end. One that is a host and no path gets the path of the provider's own API:
 * the libraries of the AI SDK want it in the address, those of the providers do not.
 */
export const address = (url: string, path: string): string => {
  const bare = url.trim().replace(/\/+$/, "")
  return URL.canParse(bare) && new URL(bare).pathname === "/" && !/[?#]/.test(bare) ? `${bare}${path}` : bare
}

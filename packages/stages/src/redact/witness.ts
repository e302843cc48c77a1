/**
 * A `Witness` is told what stands behind the placeholders of a call. There is none unless a stage above provides one: `audit` does
 * where its policy asks it to seal the values.
 *
 * @since 0.1.0
 */
import { Context } from "effect"

/**
 * Takes the values of a call by their placeholders, once the prompt is redacted.
 *
 * @category models
 * @since 0.1.0
 */
export type Witness = (values: ReadonlyMap<string, string>) => void

/**
 * The witness of the call in flight, or `undefined`.
 *
 * @category references
 * @since 0.1.0
 */
export const Witness: Context.Reference<Witness | undefined> = Context.Reference("@interlock/stages/redact/Witness", {
  defaultValue: (): Witness | undefined => undefined
})

/**
 * `SafeText` is text that has been through redaction. The brand is the evidence: only the `redact` stage makes it, so whatever
 * asks for `SafeText` (a cache, an audit record, a model) cannot be reached by text that was not redacted.
 *
 * @since 0.1.0
 */
declare const Redacted: unique symbol

/**
 * Text that has been through redaction; it reads as any string does.
 *
 * @category models
 * @since 0.1.0
 */
export type SafeText = string & { readonly [Redacted]: "SafeText" }

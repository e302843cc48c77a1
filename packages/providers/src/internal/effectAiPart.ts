/**
 * Decoded parts of `effect/ai` as plain JSON.
 *
 * @since 0.1.0
 */
import type { Part } from "@interlock/model"
import { DateTime } from "effect"
import type { Response } from "effect/ai"
import { isEmpty, toJson, toJsonObject } from "./json.ts"

const mark = "~effect/ai/Response/Part"

/** The encoded form of a decoded part: no marks, no classes, no bytes. */
export const encodePart = (part: Response.AnyPart): Part.Part => {
  const { [mark]: _, metadata, ...rest } = part as Response.AnyPart & { readonly [mark]: unknown }
  const kept = isEmpty(metadata ?? {}) ? {} : { metadata: toJsonObject(metadata) }
  switch (part.type) {
    case "response-metadata": {
      const { timestamp, ...others } = part
      const at = timestamp === undefined ? {} : { timestamp: DateTime.formatIso(timestamp) }
      return { ...toJsonObject({ ...others, [mark]: undefined, metadata: undefined }), ...at, ...kept } as Part.Part
    }
    case "finish": {
      const { inputTokens, outputTokens } = part.usage
      const usage = { inputTokens: toJsonObject(inputTokens), outputTokens: toJsonObject(outputTokens) }
      return { type: "finish", reason: part.reason, usage, ...kept }
    }
    case "tool-call":
      return {
        type: "tool-call",
        id: part.id,
        name: part.name,
        params: toJson(part.params) ?? {},
        ...(part.providerExecuted ? { providerExecuted: true } : {}),
        ...kept
      }
    case "tool-result": {
      const { encodedResult: _, ...others } = rest as typeof rest & { readonly encodedResult: unknown }
      return { ...toJsonObject(others), result: toJson(part.encodedResult) ?? null, ...kept } as Part.Part
    }
    default:
      return { ...toJsonObject(rest), ...kept } as unknown as Part.Part
  }
}

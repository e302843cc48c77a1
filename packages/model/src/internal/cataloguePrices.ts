/**
 * Prices of `@pydantic/genai-prices` (MIT, offline) in the form of the catalogue.
 */

import type { MatchLogic, ModelPrice } from "@pydantic/genai-prices"
import { calcPrice } from "@pydantic/genai-prices"
import type { Period, Prices, Rate, Rates } from "../Catalogue.ts"

/** The version whose data is used, and the date it was published. */
const source = "@pydantic/genai-prices 0.1.8"
const asOf = "2026-09-23"

/** Half price for batches: OpenAI, Anthropic, Google and Mistral say so on their price pages. */
const batch: Readonly<Record<string, number>> = { openai: 0.5, anthropic: 0.5, google: 0.5, mistral: 0.5 }

/** Not priced: embedded in the message of the error that a caller reads. */
const unpriced = (reason: string): Prices => ({ _tag: "Unpriced", reason })

/** The prices of a model by the names that its provider gives; `Unpriced` with the reason when they are unknown. */
export const pricesOf = (provider: string, model: string): Prices => {
  const found = calcPrice({ input_tokens: 0, output_tokens: 0 }, model, { providerId: provider })
  if (found === null) return unpriced(`${source} has no price for ${provider}/${model}`)
  if (!named(found.model.id, found.model.match, model)) {
    return unpriced(
      `${source} knows ${provider}/${model} only by the pattern of ${found.model.id}, which may cost otherwise`
    )
  }
  const schedule = Array.isArray(found.model.prices) ? found.model.prices : [{ prices: found.model.prices }]
  const periods: Array<Period> = []
  for (const { constraint, prices } of schedule) {
    const rates = ratesOf(prices)
    // An empty price list stands for "free" there. Free is a claim that somebody must make, so it is not one here.
    if (rates === undefined) return unpriced(`${source} lists ${provider}/${model} without a rate per token`)
    if (constraint === undefined) periods.push({ rates })
    else if (constraint.type === "start_date") periods.push({ from: constraint.start_date, rates })
    else periods.push({ daily: { start: constraint.start_time, end: constraint.end_time }, rates })
  }
  const discount = batch[provider]
  return { _tag: "Priced", periods, source, asOf, ...(discount === undefined ? {} : { batch: discount }) }
}

/**
 * Whether the list means this very model. Its patterns are wide (what begins with the name of a model is that model), so
 * that a model newer than the list would pass for its forerunner.
 */
const named = (id: string, match: MatchLogic, model: string): boolean => {
  const name = model.toLowerCase()
  if (name === id.toLowerCase() || snapshotOf(id, name)) return true
  if ("or" in match) return match.or.some((each) => named(id, each, model))
  if ("and" in match) return match.and.every((each) => named(id, each, model))
  if ("equals" in match) return match.equals.toLowerCase() === name
  if ("starts_with" in match) return snapshotOf(match.starts_with, name)
  return "regex" in match && new RegExp(match.regex).test(model)
}

/** Whether a name is another one with a date or `latest` behind it. */
const snapshotOf = (start: string, name: string): boolean =>
  name.startsWith(start.toLowerCase()) &&
  /^(?:[-@]?(?:latest|\d{4,8}|\d{4}-\d{2}-\d{2}))?$/.test(name.slice(start.length))

const ratesOf = (prices: ModelPrice): Rates | undefined => {
  const rate = (name: string): Rate | undefined => {
    const price = prices[name]
    return price === undefined || typeof price === "number"
      ? price
      : { base: price.base, above: price.tiers.map((tier) => ({ tokens: tier.start, rate: tier.price })) }
  }
  const input = rate("input_mtok")
  if (input === undefined) return undefined
  const optional = (name: keyof Rates, value: Rate | undefined) => (value === undefined ? {} : { [name]: value })
  return {
    input,
    output: rate("output_mtok") ?? 0,
    ...optional("cacheRead", rate("cache_read_mtok")),
    ...optional("cacheWrite", rate("cache_write_mtok")),
    ...optional("cacheWriteOneHour", rate("cache_write_1h_mtok")),
    ...optional("inputImage", rate("input_image_mtok")),
    ...optional("outputImage", rate("output_image_mtok"))
  }
}

/**
 * The rows that the project's own request-type classifier is trained on: several hundred prompts a kind in English and in Chinese,
 * written for this project by grammars and by hand. `pnpm interlock learn request-types` trains the artefact again,
 * byte for byte.
 *
 * @since 0.1.0
 */
import type { Row } from "./classifier.ts"
import { chinese } from "./requestTypes/chinese.ts"
import { english } from "./requestTypes/english.ts"
import { generate } from "./requestTypes/grammar.ts"

/**
 * How many prompts of each kind are written in each language.
 *
 * @category constants
 * @since 0.1.0
 */
export const perKind = 300

/**
 * All rows, in a fixed order.
 *
 * @category constants
 * @since 0.1.0
 */
export const rows: ReadonlyArray<Row> = [
  ...generate(english, perKind, 20_240_801),
  ...generate(chinese, perKind, 20_240_802)
]

/**
 * `ChosenModel` names the model that a call goes to, why, and what was expected of the others.
 *
 * @since 0.1.0
 */
import { Context } from "effect"

/**
 * A model of a provider, as the catalogue names it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ModelReference {
  readonly provider: string
  readonly model: string
}

/**
 * What was expected of a model that could have been chosen: quality from 0 to 1, cost in US dollars.
 *
 * @category models
 * @since 0.1.0
 */
export interface Candidate extends ModelReference {
  readonly predictedQuality?: number
  readonly predictedCostUsd?: number
}

/**
 * The choice: the model, the reason in words, and every candidate.
 *
 * @category models
 * @since 0.1.0
 */
export interface Choice extends ModelReference {
  readonly reason?: string
  readonly candidates?: ReadonlyArray<Candidate>
  /** The id by which the call can be graded, where the selector learns from grades. */
  readonly callId?: string
}

/**
 * The fact that says which model a call goes to.
 *
 * @category facts
 * @since 0.1.0
 */
export class ChosenModel extends Context.Service<ChosenModel, Choice>()("@interlock/model/ChosenModel") {}

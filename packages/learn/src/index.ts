/**
 * Training for what the stages learn: the classifier's artefact and the router's.
 *
 * @since 0.1.0
 */
export {}

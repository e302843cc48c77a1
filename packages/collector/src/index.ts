/**
 * Collects training data from a teacher.
 *
 * @since 0.1.0
 */
export * as Collector from "./Collector.ts"
export * as DatasetCard from "./DatasetCard.ts"
export * as Decontaminate from "./Decontaminate.ts"
export * as Deduplicate from "./Deduplicate.ts"
export * as Export from "./Export.ts"
export * as Ledger from "./Ledger.ts"
export * as Rejection from "./Rejection.ts"
export * as Source from "./Source.ts"
export * as Split from "./Split.ts"
export * as Sqlite from "./Sqlite.ts"
export * as TeacherPolicy from "./TeacherPolicy.ts"
export * as Writer from "./Writer.ts"

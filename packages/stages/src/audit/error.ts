/**
 * What can go wrong with an audit log.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * The disk is full: nothing more can be recorded until there is room.
 *
 * @category errors
 * @since 0.1.0
 */
export class DiskFull extends Schema.TaggedError<DiskFull>()("DiskFull", {}) {}

/**
 * The disk, or what stands in for it, refused an operation.
 *
 * @category errors
 * @since 0.1.0
 */
export class StorageFailed extends Schema.TaggedError<StorageFailed>()("StorageFailed", {
  /** The system's code, such as `EIO`. */
  code: Schema.String
}) {}

/**
 * The store of the keys, or the root key, could not be used.
 *
 * @category errors
 * @since 0.1.0
 */
export class KeysUnavailable extends Schema.TaggedError<KeysUnavailable>()("KeysUnavailable", {
  detail: Schema.String
}) {}

/**
 * A legal hold forbids the erasure.
 *
 * @category errors
 * @since 0.1.0
 */
export class Held extends Schema.TaggedError<Held>()("Held", { holdReason: Schema.String }) {}

/**
 * Another process is writing to this log.
 *
 * @category errors
 * @since 0.1.0
 */
export class Locked extends Schema.TaggedError<Locked>()("Locked", { processId: Schema.Int }) {}

/**
 * A record is larger than a frame can be.
 *
 * @category errors
 * @since 0.1.0
 */
export class RecordTooLarge extends Schema.TaggedError<RecordTooLarge>()("RecordTooLarge", { bytes: Schema.Int }) {}

/**
 * An operation on an audit log failed; `reason` says why, and `message` what to do about it.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuditError extends Schema.TaggedError<AuditError>()("@interlock/stages/AuditError", {
  /** What was being done, such as `append`. */
  operation: Schema.String,
  reason: Schema.Union([DiskFull, StorageFailed, KeysUnavailable, Held, Locked, RecordTooLarge])
}) {
  override get message(): string {
    const { reason } = this
    switch (reason._tag) {
      case "DiskFull":
        return `${this.operation}: the disk of the audit log is full; make room, or retain less`
      case "StorageFailed":
        return `${this.operation}: the disk of the audit log refused (${reason.code}); check the directory and its permissions`
      case "KeysUnavailable":
        return `${this.operation}: the keys of the audit log cannot be used (${reason.detail}); check the root key and the key store`
      case "Held":
        return `${this.operation}: a legal hold is in force (${reason.holdReason}); release it first`
      case "Locked":
        return `${this.operation}: process ${reason.processId} is writing to this log; stop it first, or remove the file "lock" when it no longer runs`
      default:
        return `${this.operation}: a record of ${reason.bytes} bytes is larger than 16 MiB; leave out files and long texts`
    }
  }
}

/**
 * Turns what a disk rejected with into an error of the log.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromDisk =
  (operation: string) =>
  (cause: unknown): AuditError => {
    if (cause instanceof AuditError) return cause
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown"
    const full = code === "ENOSPC" || code === "EDQUOT"
    return new AuditError({ operation, reason: full ? new DiskFull() : new StorageFailed({ code }) })
  }

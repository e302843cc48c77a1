/**
 * `interlock audit`: verifies, reads and keeps the audit log of a directory.
 *
 * `verify` needs the log's files and its public key alone. The other commands open records, with the root key from
 * `INTERLOCK_AUDIT_ROOT_KEY`; `erase`, `hold`, `release` and `retain` write, so that no other process may be writing.
 *
 * @since 0.1.0
 */
import { readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import * as Disk from "@interlock/stages/audit/disk"
import { type Format, format, formats } from "@interlock/stages/audit/format"
import * as Keys from "@interlock/stages/audit/keys"
import { AuditLog, layerFiles } from "@interlock/stages/audit/log"
import * as Reader from "@interlock/stages/audit/reader"
import { type CallRecord, calls } from "@interlock/stages/audit/record"
import { type Report, verify } from "@interlock/stages/audit/verify"
import { Clock, Config, Console, Duration, Effect, Layer, Option, Stream } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { json, say } from "../answer.ts"

const directory = Flag.Directory("directory").pipe(
  Flag.withAlias("d"),
  Flag.withDescription("The directory of the log"),
  Flag.withFallbackConfig(Config.String("INTERLOCK_AUDIT_DIRECTORY")),
  Flag.withDefault("audit/data")
)
const keys = Flag.Directory("keys").pipe(
  Flag.withAlias("k"),
  Flag.withDescription("The directory of the keys"),
  Flag.withFallbackConfig(Config.String("INTERLOCK_AUDIT_KEYS")),
  Flag.withDefault("audit/keys")
)
const tenant = Flag.String("tenant").pipe(Flag.withDescription("The tenant"))
const subject = Flag.String("subject").pipe(
  Flag.withDescription("The subject, the person whom the data is about; the whole tenant when it is not given"),
  Flag.optional
)

const failure = (message: string) => new CliError.UserError({ cause: new Error(message), userMessage: message })
const noRootKey = "there is no root key: set INTERLOCK_AUDIT_ROOT_KEY to the one that the log is written with"
const asFailure = Effect.mapError((error: { readonly _tag: string; readonly message: string }) =>
  failure(error._tag === "ConfigError" ? noRootKey : error.message)
)

/** A directory of keys that was never one would be filled with new keys, and open nothing. */
const checkKeys = (path: string) =>
  Effect.tryPromise({
    try: () => stat(join(path, "log", "signing")),
    catch: () => failure(`there are no keys in ${path}: give the directory of the log's keys with --keys`)
  })

const layerKeys = (path: string) => Layer.mergeAll(Keys.layerFiles({ directory: path }), Keys.layerConfig)

/** The log, for writing. */
const withLog = <A, E extends { readonly _tag: string; readonly message: string }>(
  flags: { readonly directory: string; readonly keys: string },
  use: Effect.Effect<A, E, AuditLog>
) =>
  Effect.andThen(
    checkKeys(flags.keys),
    use.pipe(
      Effect.provide(layerFiles({ directory: flags.directory }).pipe(Layer.provide(layerKeys(flags.keys)))),
      asFailure
    )
  )

interface Selection {
  readonly directory: string
  readonly keys: string
  readonly call: Option.Option<string>
  readonly tenant: Option.Option<string>
  readonly subject: Option.Option<string>
  readonly outcome: Option.Option<string>
  readonly since: Option.Option<Date>
  readonly until: Option.Option<Date>
}

const selection = {
  directory,
  keys,
  call: Flag.String("call").pipe(Flag.withDescription("Only the call with this id"), Flag.optional),
  tenant: Flag.String("tenant").pipe(Flag.withDescription("Only calls of this tenant"), Flag.optional),
  subject: Flag.String("subject").pipe(Flag.withDescription("Only calls of this subject"), Flag.optional),
  outcome: Flag.Literals("outcome", ["answered", "cached", "refused", "failed", "interrupted", "incomplete"]).pipe(
    Flag.withDescription("Only calls that ended so"),
    Flag.optional
  ),
  since: Flag.Date("since").pipe(Flag.withDescription("Only calls that began at or after this time"), Flag.optional),
  until: Flag.Date("until").pipe(Flag.withDescription("Only calls that began before this time"), Flag.optional)
}

const startOf = (record: CallRecord): number => record.facts?.startedAt ?? record.entries[0].head.time

const matches =
  (flags: Selection) =>
  (record: CallRecord): boolean =>
    Option.match(flags.call, {
      onNone: () => true,
      onSome: (call) => record.call.startsWith(call.replaceAll("-", ""))
    }) &&
    Option.match(flags.tenant, { onNone: () => true, onSome: (name) => record.facts?.tenant === name }) &&
    Option.match(flags.subject, { onNone: () => true, onSome: (name) => record.personal.subject === name }) &&
    Option.match(flags.outcome, { onNone: () => true, onSome: (outcome) => record.outcome === outcome }) &&
    Option.match(flags.since, { onNone: () => true, onSome: (date) => startOf(record) >= date.getTime() }) &&
    Option.match(flags.until, { onNone: () => true, onSome: (date) => startOf(record) < date.getTime() })

/** The records that were asked for; the log may be written to meanwhile. */
const select = (flags: Selection, use: (record: CallRecord) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    yield* checkKeys(flags.keys)
    const ring = yield* Keys.makeKeyRing
    const entries = Reader.read({ disk: Disk.files, directory: flags.directory, keys: ring })
    yield* Stream.runForEach(Stream.filter(calls(entries), matches(flags)), use)
  }).pipe(Effect.provide(layerKeys(flags.keys)), asFailure)

const describe = (report: Report): ReadonlyArray<string> => [
  `${report.valid ? "valid" : "NOT VALID"}: ${report.size} records in ${report.segments} segments, ${report.verified} verified, ${report.pruned} removed by retention`,
  ...(report.firstBad === undefined ? [] : [`first bad record: ${report.firstBad}`]),
  ...report.problems.map(
    ({ end, index, kind, offset, segment }) =>
      `  ${kind}: ${end === undefined ? `record ${index}` : `records ${index} to ${end - 1}`}, ${segment} at byte ${offset}`
  ),
  ...(report.torn === undefined
    ? []
    : [
        `the end is torn: ${report.torn.bytes} bytes of ${report.torn.segment} from byte ${report.torn.offset} were never acknowledged`
      ])
]

const verifyCommand = Command.make(
  "verify",
  {
    directory,
    json,
    verifier: Flag.String("verifier").pipe(
      Flag.withDescription(
        "The log's public key, from a place other than the log; by default from its file `verifier`"
      ),
      Flag.optional
    ),
    checkpoint: Flag.FileText("checkpoint").pipe(
      Flag.withDescription(
        "A file with a checkpoint that was kept elsewhere: shows whether records are missing at the end"
      ),
      Flag.optional
    )
  },
  Effect.fn(function* (flags) {
    const key = yield* Option.match(flags.verifier, {
      onSome: (text) => Effect.succeed(text),
      onNone: () =>
        Effect.tryPromise({
          try: () => readFile(join(flags.directory, "verifier"), "utf8"),
          catch: () => failure(`there is no log in ${flags.directory}: give its directory with --directory`)
        })
    })
    // A log that is gone, or a path with a slip in it, is not a valid log without records.
    yield* Effect.tryPromise({
      try: () => stat(join(flags.directory, "segments")),
      catch: () => failure(`there is no log in ${flags.directory}: give its directory with --directory`)
    })
    const report = yield* verify({
      disk: Disk.files,
      directory: flags.directory,
      verifier: key.trim(),
      trusted: Option.toArray(flags.checkpoint)
    }).pipe(asFailure)
    if (flags.json)
      yield* Console.log(
        JSON.stringify({ ...report, verifier: Option.isNone(flags.verifier) ? "from the log" : "given" })
      )
    else {
      for (const line of describe(report)) yield* Console.log(line)
      if (Option.isNone(flags.verifier))
        yield* Console.error("The public key was taken from the log itself: give one kept elsewhere with --verifier")
    }
    if (!report.valid) return yield* failure("the log is not as it was signed")
  })
).pipe(Command.withDescription("Check every record and signature offline, and find the first bad record"))

const money = (record: CallRecord): string => {
  const costs = record.events.flatMap((event) => (event._tag === "Attempt" ? [event.costUsd ?? 0] : []))
  return costs.length === 0 ? "-" : `$${costs.reduce((sum, cost) => sum + cost, 0).toFixed(6)}`
}

/**
 * Text for a terminal: what would steer it (escape sequences, signs that turn the direction of writing) is shown as its number, and
 * lines after the first are set in, so that none can be taken for a record.
 */
const shown = (text: string): string =>
  text
    .replaceAll(
      /(?!\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
      (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`
    )
    .replaceAll("\n", "\n      ")
const inOneLine = (text: string): string => shown(text.replaceAll("\n", "\\n"))

const row = (record: CallRecord): string => {
  const attempt = record.events.findLast((event) => event._tag === "Attempt")
  return [
    new Date(startOf(record)).toISOString(),
    record.outcome.padEnd(11),
    record.call,
    inOneLine(record.facts?.tenant ?? "(erased)"),
    record.erased ? "(erased)" : inOneLine(record.personal.subject ?? "-"),
    attempt === undefined ? "-" : inOneLine(`${attempt.provider}/${attempt.model}`),
    money(record),
    inOneLine(record.facts?.error ?? "")
  ]
    .join("  ")
    .trimEnd()
}

const jsonOf = ({ personal: { values, ...personal }, ...record }: CallRecord, withValues: boolean) => ({
  call: record.call,
  outcome: record.outcome,
  ...record.facts,
  ...personal,
  ...(withValues ? { values } : {}),
  erased: record.erased,
  entries: record.entries.map(({ head, index, leaf }) => ({ ...head, index, leaf: Buffer.from(leaf).toString("hex") }))
})

const values = Flag.Boolean("values").pipe(
  Flag.withDescription("Show what stands behind placeholders, where it was sealed"),
  Flag.withDefault(false)
)

const showCommand = Command.make("show", { ...selection, json, values }, (flags) =>
  select(flags, (record) => {
    const lines = [row(record)]
    for (const { role, text } of record.personal.prompt ?? []) lines.push(`    ${role}: ${shown(text)}`)
    if (record.personal.answer !== undefined) lines.push(`    answer: ${shown(record.personal.answer)}`)
    if (flags.values)
      for (const [placeholder, value] of Object.entries(record.personal.values ?? {}))
        lines.push(`    ${placeholder} = ${shown(JSON.stringify(value))}`)
    return Console.log(flags.json ? JSON.stringify(jsonOf(record, flags.values)) : lines.join("\n"))
  })
).pipe(Command.withDescription("Print records, with their redacted text"))

const exportCommand = Command.make(
  "export",
  {
    ...selection,
    format: Flag.Literals("format", formats).pipe(
      Flag.withDescription("The format; one message a line"),
      Flag.withDefault<Format>("ocsf")
    ),
    text: Flag.Boolean("text").pipe(Flag.withDescription("Let redacted text out too"), Flag.withDefault(false)),
    json: Flag.Boolean("json").pipe(Flag.withDescription("The same as --format jsonl"), Flag.withDefault(false))
  },
  (flags) =>
    select(flags, (record) =>
      Effect.forEach(
        format(flags.json ? "jsonl" : flags.format, [record], { text: flags.text }),
        (message) => Console.log(message),
        { discard: true }
      )
    )
).pipe(Command.withDescription("Print records in the format of a log collector"))

const whom = (flags: { readonly tenant: string; readonly subject: Option.Option<string> }) =>
  Option.match(flags.subject, {
    onNone: () => `the tenant ${flags.tenant}`,
    onSome: (name) => `${name} of ${flags.tenant}`
  })
const concerned = (flags: { readonly tenant: string; readonly subject: Option.Option<string> }) => ({
  tenant: flags.tenant,
  subject: Option.getOrUndefined(flags.subject)
})

const eraseCommand = Command.make(
  "erase",
  {
    directory,
    keys,
    json,
    tenant,
    subject,
    wholeTenant: Flag.Boolean("whole-tenant").pipe(
      Flag.withDescription("Erase every subject of the tenant, and its facts"),
      Flag.withDefault(false)
    )
  },
  Effect.fn(function* (flags) {
    if (Option.isNone(flags.subject) !== flags.wholeTenant)
      return yield* failure("say whose records to erase: give either --subject or --whole-tenant")
    const result = yield* withLog(
      flags,
      AuditLog.use((log) => log.erase(concerned(flags)))
    )
    yield* say(
      flags.json,
      result,
      result.erased
        ? `The key of ${whom(flags)} is destroyed: what was sealed under it can be read no more.`
        : `There is no key of ${whom(flags)}: nothing was recorded, or it is erased already.`
    )
  })
).pipe(Command.withDescription("Destroy the key of a subject, or of a whole tenant; the proofs stay valid"))

const reapplyCommand = Command.make("reapply", { directory, keys, json }, (flags) =>
  withLog(
    flags,
    AuditLog.use((log) => log.reapplyErasures)
  ).pipe(
    Effect.flatMap((count) =>
      say(flags.json, { destroyed: count }, `${count} keys that came back were destroyed again.`)
    )
  )
).pipe(Command.withDescription("Repeat every erasure in the log: after the keys were restored from a backup"))

const holdCommand = Command.make(
  "hold",
  {
    directory,
    keys,
    json,
    tenant,
    subject,
    reason: Flag.String("reason").pipe(Flag.withDescription("Why: said to whoever tries to erase"))
  },
  (flags) =>
    withLog(
      flags,
      AuditLog.use((log) => log.hold({ ...concerned(flags), reason: flags.reason }))
    ).pipe(Effect.andThen(say(flags.json, { held: true }, `The records of ${whom(flags)} are held: ${flags.reason}`)))
).pipe(Command.withDescription("Forbid the erasure and the retention of records"))

const releaseCommand = Command.make("release", { directory, keys, json, tenant, subject }, (flags) =>
  withLog(
    flags,
    AuditLog.use((log) => log.release(concerned(flags)))
  ).pipe(
    Effect.flatMap((result) =>
      say(
        flags.json,
        result,
        result.released ? `The hold on ${whom(flags)} is released.` : `${whom(flags)} was not held.`
      )
    )
  )
).pipe(Command.withDescription("End a hold"))

const retainCommand = Command.make(
  "retain",
  {
    directory,
    keys,
    json,
    days: Flag.Finite("days").pipe(
      Flag.withDescription("Keep segments with records of the last so many days; remove the records of all others")
    )
  },
  Effect.fn(function* (flags) {
    if (flags.days < 0)
      return yield* failure(
        `--days is ${flags.days}: give 0 or more, since a negative number would remove the records of today`
      )
    const result = yield* withLog(
      flags,
      Effect.gen(function* () {
        const log = yield* AuditLog
        const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(Duration.days(flags.days))
        return yield* log.retain({ before })
      })
    )
    yield* say(
      flags.json,
      result,
      `The records of ${result.removed.length} segments were removed; ${result.held.length} more are held.`
    )
  })
).pipe(Command.withDescription("Remove the records of old segments; their leaf hashes and signatures stay"))

/**
 * `interlock audit`.
 *
 * @category commands
 * @since 0.1.0
 */
export const command = Command.make("audit").pipe(
  Command.withDescription("Read, verify and keep an audit log"),
  Command.withSubcommands([
    verifyCommand,
    showCommand,
    exportCommand,
    eraseCommand,
    reapplyCommand,
    holdCommand,
    releaseCommand,
    retainCommand
  ])
)

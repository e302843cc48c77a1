/** A ticket, and reading a file of them. */
import { Effect, FileSystem, Schema } from "effect"

/** What a customer wrote and, where somebody labelled it, what is right. */
export const Ticket = Schema.Struct({
  id: Schema.NonEmptyString,
  customer: Schema.NonEmptyString,
  prompt: Schema.NonEmptyString,
  language: Schema.optionalKey(Schema.Literals(["en", "zh"])),
  /** `unknown` for what the desk is not for. */
  label: Schema.optionalKey(Schema.NonEmptyString),
  /** What a right answer must say: every one of these. */
  says: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  /** Values that must not leave. */
  personal: Schema.optionalKey(Schema.Array(Schema.NonEmptyString))
})
export type Ticket = typeof Ticket.Type

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Ticket))

/** Reads a file of tickets, one JSON object a line; a line that is none is told with its number, and the others count. */
export const readTickets = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString(path)
  const tickets: Array<Ticket> = []
  const bad: Array<string> = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue
    yield* Effect.match(decode(line), {
      onSuccess: (ticket) => void tickets.push(ticket),
      onFailure: (error) =>
        void bad.push(`Line ${index + 1} is not a ticket: ${String(error.message).replaceAll(/\s+/g, " ")}`)
    })
  }
  return { tickets, bad }
})

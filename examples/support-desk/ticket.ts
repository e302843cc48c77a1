/** A ticket, and reading a file of them. */
import { PromptFile } from "@interlock/workload"
import { Effect, Schema } from "effect"

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

/** A line of a file: a ticket, or only what somebody asked. */
const Line = Schema.Struct({
  ...Ticket.fields,
  id: Schema.optionalKey(Ticket.fields.id),
  customer: Schema.optionalKey(Ticket.fields.customer),
  prompt: Schema.String.pipe(Schema.check(Schema.isPattern(/\S/, { message: "Expected a prompt that is not empty" })))
})
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Line))

/**
 * Reads a file of tickets, one JSON object a line; a line that is none is told with its number, and the others count. Where no
 * customer is named, each line is another's.
 */
export const readTickets = Effect.fnUntraced(function* (path: string) {
  const tickets: Array<Ticket> = []
  const bad: Array<string> = []
  const lineOf = new Map<string, number>()
  for (const [index, text] of (yield* PromptFile.lines(path)).entries()) {
    const number = index + 1
    if (text === undefined) {
      bad.push(`Line ${number} is not a ticket: it is not UTF-8`)
      continue
    }
    const line = text.replace(/^\uFEFF/, "")
    if (line.trim() === "") continue
    yield* Effect.match(decode(line), {
      onSuccess: (row) => {
        const id = row.id ?? String(number)
        const earlier = lineOf.get(id)
        if (earlier !== undefined) bad.push(`Line ${number} is not a ticket: its id "${id}" is that of line ${earlier}`)
        else tickets.push({ ...row, id, customer: row.customer ?? id })
        lineOf.set(id, earlier ?? number)
      },
      onFailure: (error) =>
        void bad.push(`Line ${number} is not a ticket: ${String(error.message).replaceAll(/\s+/g, " ").trim()}`)
    })
  }
  return { tickets, bad }
})

/**
 * What a failed command means.
 */

/**
 * `Timeout`: sent, and not answered in time, so it may have been done. `Unavailable`: no connection, or a server that is
 * loading, down or not the primary. `Rejected`: Redis understood and said no.
 */
export const reasonOf = (error: unknown): "Timeout" | "Unavailable" | "Rejected" => {
  const { message, name } = error instanceof Error ? error : { message: String(error), name: "" }
  if (/timed out/i.test(message)) return "Timeout"
  if (name === "ReplyError")
    return /^(LOADING|MASTERDOWN|CLUSTERDOWN|READONLY|BUSY|TRYAGAIN)/.test(message) ? "Unavailable" : "Rejected"
  return "Unavailable"
}

/** The failure in a sentence, without the arguments of the command: they may hold data. */
export const sentence = (operation: string, error: unknown): string => {
  const said = error instanceof Error ? error.message.split("\n")[0]! : String(error)
  switch (reasonOf(error)) {
    case "Timeout":
      return `Redis did not answer ${operation} in time: it is slow or paused; see commandTimeout`
    case "Unavailable":
      return `Redis cannot be reached for ${operation} (${said.slice(0, 120)}): the connection is tried again by itself`
    case "Rejected":
      return `Redis refused ${operation}: ${said.slice(0, 200)}`
  }
}

/** The failure without the command that caused it: its arguments may hold text, keys or a password. */
export const scrubbed = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error
  const clean = new Error(error.message)
  clean.name = error.name
  return clean
}

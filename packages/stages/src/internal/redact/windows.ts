/** The pieces of a text that have digits near: where the slower expressions need to look. */
export interface Window {
  readonly start: number
  readonly text: string
}

const reachBefore = 56
const reachAfter = 72

/** Pieces around the runs of digits that begin and end at white space, or at the ends of the text. */
export const windowsOfDigits = (text: string, runs: ReadonlyArray<number>): ReadonlyArray<Window> => {
  const out: Array<Window> = []
  for (let i = 0; i < runs.length; ) {
    let from = Math.max(0, (runs[i] as number) - reachBefore)
    let to = 0
    do {
      to = Math.min(text.length, (runs[i + 1] as number) - 1 + reachAfter)
      i += 2
    } while (i < runs.length && (runs[i] as number) - reachBefore <= to)
    const [first, last] = [from, to]
    while (from > 0 && text.charCodeAt(from) > 32 && first - from < 40) from--
    while (to < text.length && text.charCodeAt(to) > 32 && to - last < 40) to++
    out.push({ start: from, text: text.slice(from, to) })
  }
  return out
}

/** The matches of a global expression. It is not cloned, as `matchAll` does, which counts when the pieces are many and small. */
export const matches = (expression: RegExp, text: string): ReadonlyArray<RegExpExecArray> => {
  expression.lastIndex = 0
  let match = expression.exec(text)
  if (match === null) return none
  const out: Array<RegExpExecArray> = []
  for (; match !== null; match = expression.exec(text)) {
    out.push(match)
    if (match[0] === "") expression.lastIndex++
  }
  return out
}
const none: ReadonlyArray<RegExpExecArray> = []

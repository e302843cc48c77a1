/** The pieces of a text that have digits near: where the slower expressions need to look. */
export interface Window {
  readonly start: number
  readonly text: string
}

const reachBefore = 56
const reachAfter = 72

/** Pieces that begin and end at white space, or at the ends of the text. */
export const windowsOfDigits = (text: string): ReadonlyArray<Window> => {
  const out: Array<Window> = []
  let start = -1
  let end = -1
  const close = () => {
    if (start < 0) return
    let from = start
    while (from > 0 && text.charCodeAt(from) > 32 && start - from < 40) from--
    let to = end
    while (to < text.length && text.charCodeAt(to) > 32 && to - end < 40) to++
    out.push({ start: from, text: text.slice(from, to) })
  }
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 48 || code > 57) continue
    if (start < 0 || i - reachBefore > end) {
      close()
      start = Math.max(0, i - reachBefore)
    }
    end = Math.min(text.length, i + reachAfter)
  }
  close()
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

/**
 * What the texts that an expression matches may begin with, by kinds of characters: digits, letters, others. The scanner asks for
 * the few expressions that may match where it stands, instead of trying all.
 */

/** How many characters are looked at. */
const depth = 6
const digit = "0"
const letter = "1"
const other = "2"
const kinds = [digit, letter, other]

const kindOf = new Uint8Array(128).fill(2)
for (let code = 0; code < 128; code++) {
  if (code >= 48 && code <= 57) kindOf[code] = 0
  else if ((code >= 65 && code <= 90) || (code >= 97 && code <= 122)) kindOf[code] = 1
}

/** Numbers above those of kinds: for texts that begin with more digits than are looked at, by how many and by what follows. */
const longest = 20
const ofRun = (digits: number, next: number): number => 3 ** depth + Math.min(digits, longest) * 3 + next

/** The kinds of the characters of `text` from `start`, as one number. */
export const beginningAt = (text: string, start: number): number => {
  let out = 0
  for (let i = start; i < start + depth; i++) {
    const code = text.charCodeAt(i)
    out = out * 3 + (code < 128 ? (kindOf[code] as number) : 2)
  }
  if (out > 0) return out
  let end = start + depth
  while (end - start < longest && kindOf[text.charCodeAt(end)] === 0) end++
  if (end - start === longest) return ofRun(longest, 0)
  return ofRun(end - start, kindOf[text.charCodeAt(end)] ?? 2)
}

type Words = ReadonlySet<string>

/** Whether more of a text would tell nothing: `depth` characters are known, and what ends the digits if it begins with digits only. */
const isKnown = (word: string): boolean => word.length >= longest || (word.length >= depth && !/^0+$/.test(word))

/** Every beginning of `first` followed by one of `second`, cut where it is known. */
const then = (first: Words, second: Words): Words => {
  const out = new Set<string>()
  for (const a of first) {
    if (isKnown(a)) out.add(a)
    else
      for (const b of second) {
        let word = a
        for (let i = 0; i < b.length && !isKnown(word); i++) word += b[i]
        out.add(word)
      }
  }
  return out
}

const empty: Words = new Set([""])

/**
 * The beginnings, as `beginningAt` numbers them, of what `source` matches before something that is no letter or digit. Understands
 * what the shapes of identifiers use: groups, classes, alternatives, repetitions and references back; looking ahead matches all.
 */
export const beginningsOf = (source: string): ReadonlySet<number> => {
  let at = 0
  const groups: Array<Words> = []

  const alternatives = (): Words => {
    const out = new Set(sequence())
    while (source[at] === "|") {
      at++
      for (const each of sequence()) out.add(each)
    }
    return out
  }
  const sequence = (): Words => {
    let out = empty
    while (at < source.length && source[at] !== "|" && source[at] !== ")") out = then(out, repeated(atom()))
    return out
  }
  const repeated = (words: Words): Words => {
    const count = /^(?:([?*+])|\{(\d+)(?:,(\d*))?\})\??/.exec(source.slice(at))
    if (count === null) return words
    at += count[0].length
    const [, sign, least, most] = count
    const from = sign === "+" ? 1 : sign === undefined ? Number(least) : 0
    const to = sign === "?" ? 1 : sign !== undefined || most === "" ? longest : Number(most ?? least)
    let run = empty
    for (let i = 0; i < Math.min(from, longest); i++) run = then(run, words)
    const out = new Set(run)
    for (let i = from; i < Math.min(to, from + longest); i++) {
      run = then(run, words)
      for (const each of run) out.add(each)
    }
    return out
  }
  const atom = (): Words => {
    const char = source[at++] as string
    if (char === "(") {
      const opening = /^\?(?:[:]|<?[=!])/.exec(source.slice(at))?.[0]
      at += opening?.length ?? 0
      const group = groups.length
      if (opening === undefined) groups.push(empty)
      const inside = alternatives()
      at++
      if (opening === undefined) groups[group] = inside
      return opening === undefined || opening === "?:" ? inside : empty
    }
    if (char === "[") {
      const end = source.slice(at).search(/[^\\]\]/) + at + 1
      const inside = source.slice(at, end)
      at = end + 1
      return ofClass(new RegExp(`[${inside}]`, "iu"))
    }
    if (char === "\\") {
      const escaped = source[at++] as string
      if (/[1-9]/.test(escaped)) return groups[Number(escaped) - 1] ?? new Set(["", ...kinds])
      return ofClass(new RegExp(`\\${escaped}`, "i"))
    }
    return ofClass(char === "." ? /./ : new RegExp(char.replace(/[$^+{}[\]]/, "\\$&"), "i"))
  }
  const ofClass = (expression: RegExp): Words => {
    const out = new Set<string>()
    for (let code = 0; code < 128; code++) if (expression.test(String.fromCharCode(code))) out.add(String(kindOf[code]))
    if (/[^\u0020-\u007e]/.test(expression.source) || expression.test("é") || expression.test("年")) out.add(other)
    return out
  }

  let padded = then(alternatives(), new Set([other]))
  while (![...padded].every(isKnown)) padded = then(padded, new Set(kinds))
  return new Set(
    [...padded].map((each) => {
      const digits = (/^0*/.exec(each) as RegExpExecArray)[0].length
      return digits < depth ? Number.parseInt(each.slice(0, depth), 3) : ofRun(digits, Number(each[digits] ?? 0))
    })
  )
}

/** How many beginnings there are. */
export const allBeginnings = 3 ** depth + (longest + 1) * 3

/**
 * A placeholder stands for a value that was replaced: `⟦PERSON_1⟧`.
 *
 * No text of a user can be mistaken for one, because the opening sign is itself replaced wherever it appears in a prompt. Here
 * are its shape and the restorer, which puts values back into text that arrives in pieces and holds back only what may still
 * become a placeholder.
 *
 * @since 0.1.0
 */

/**
 * What placeholders begin and end with. Choose signs that texts rarely hold; `open` must not begin with a capital or a digit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shape {
  readonly open: string
  readonly close: string
}

/**
 * `⟦TYPE_1⟧`, in mathematical white square brackets (U+27E6, U+27E7).
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultShape: Shape = { open: "⟦", close: "⟧" }

/**
 * The type of the placeholder that stands for the opening sign itself.
 *
 * @category constants
 * @since 0.1.0
 */
export const literal = "LITERAL"

/**
 * The placeholder of the value of `type` with `number`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const format = (shape: Shape, type: string, number: number): string =>
  `${shape.open}${type}_${number}${shape.close}`

/**
 * Restores a text in pieces: `push` returns what can be said now, `end` the rest.
 *
 * @category models
 * @since 0.1.0
 */
export interface Restorer {
  readonly push: (piece: string) => string
  readonly end: () => string
}

/**
 * How to restore.
 *
 * @category models
 * @since 0.1.0
 */
export interface RestorerOptions {
  readonly shape: Shape
  /** The value of a placeholder by its full text, or `undefined` to leave it as it is. */
  readonly lookup: (placeholder: string) => string | undefined
  /** `json`: values are escaped for a JSON string, and signs written as `\uXXXX` are known. `auto`: as the text begins. */
  readonly mode: "text" | "json" | "auto"
  /** Asked for a placeholder inside a URL with the URL up to and including it; `false` leaves the placeholder. */
  readonly restoreInUrl: (urlSoFar: string) => boolean
}

const longestName = 80
const longestUrl = 4096
const urlStart =
  /(?:[a-z][a-z0-9+.-]*:\/\/|(?:https?|ftps?|wss?):|(?:^|[^a-z0-9])[\\/]{2}|www\.|(?:mailto|data|javascript|tel|sms):|\]\(|\]:[^\s]*[/:&]|(?:src|href|url|action|cite|poster|data)\s*=\s*["']?|\burl\(|^[\w-]+(?:\.[\w-]+)+:|(?:^|[^\p{L}\p{N}_@.-])[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)+\.?(?::\d+)?[/?#])/iu

/** As a browser reads it: with what JSON and HTML write in another way put back. */
const readUrl = (run: string): string =>
  !/[\\&]/.test(run)
    ? run
    : run
        .replace(/\\+u([\da-f]{4})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
        .replace(/\\+\//g, "/")
        .replace(/&#(\d{1,6});?/g, (_, code) => String.fromCharCode(Number(code)))
        .replace(/&#x([\da-f]{1,5});?/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
        .replace(/&(colon|sol|period|bsol);/gi, (_, name) => signs[name.toLowerCase()] as string)
const signs: { readonly [name: string]: string } = { colon: ":", sol: "/", period: ".", bsol: "\\" }

/** Where the URL of an unbroken text begins, as a browser reads it, and the URL; or `undefined`. */
const urlIn = (run: string): string | undefined => {
  const read = readUrl(run)
  const start = read.search(urlStart)
  return start < 0 ? undefined : read.slice(start)
}

/**
 * Follows a text, sign by sign, and says where an unbroken piece of it ends that could be a URL: at white space, but not within what
 * a browser or Markdown reads as one URL: `href="…"`, `](…)`, `](<…>)`, `url(…)`.
 */
const makeFollower = () => {
  let closer = 0
  let before = 0
  let earlier = 0
  /** The last sign that was no backslash: `=\"` in JSON is `="`. */
  let sign = 0
  let letters = 0
  const ends = (code: number): boolean => {
    if (closer !== 0) {
      if (closer === 41 && code === 60 && before === 40) closer = 62
      else if (code === closer || (closer === 62 && code === 10)) {
        const isBracket = closer === 41
        closer = 0
        // More of the URL may follow a bracket.
        return !isBracket
      }
      return false
    }
    if ((code === 34 || code === 39) && sign === 61) closer = code
    else if (code === 40 && (before === 93 || letters === urlLetters)) closer = 41
    else if (code === 60 && before === 58 && earlier === 93) closer = 62
    return closer === 0 && endsRun(code)
  }
  return {
    next: (code: number): "on" | "end" | "reference" => {
      const isReference = closer === 0 && code <= 32 && before === 58 && earlier === 93
      // White space behind `]:` belongs to it: what follows is the target of a reference.
      const end = ends(code)
      if (!isReference) {
        earlier = before
        before = code
      }
      if (code !== 92) sign = code
      letters = ((letters << 8) | (code | 32)) & 0xffffff
      return isReference ? "reference" : end ? "end" : "on"
    },
    /** A placeholder stands here. */
    jump: () => {
      before = earlier = sign = letters = 0
    }
  }
}
const urlLetters = (117 << 16) | (114 << 8) | 108

/**
 * Makes a restorer. Whatever the pieces, the whole that comes out is the same.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeRestorer = (options: RestorerOptions): Restorer => {
  const { shape, lookup, restoreInUrl } = options
  let json = options.mode === "json"
  let undecided = options.mode === "auto"
  let pending = ""
  // The unbroken text before the current position, in placeholder form: whether it is a URL, and which.
  let run = ""
  let backslashes = 0
  const follower = makeFollower()
  const forms = formsOf(shape)

  const pass = (text: string): string => {
    let begin = 0
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      backslashes = code === 92 ? backslashes + 1 : 0
      const step = follower.next(code)
      if (step === "on") continue
      run = step === "reference" ? "]:" : ""
      begin = i + 1
    }
    run += begin === 0 ? text : text.slice(begin)
    if (run.length > longestUrl) run = run.slice(0, 64) + run.slice(64 - longestUrl)
    return text
  }

  const put = (name: string, written: string): string => {
    const placeholder = `${shape.open}${name}${shape.close}`
    const url = urlIn(run) === undefined ? undefined : urlIn(run + placeholder)
    run += placeholder
    backslashes = 0
    follower.jump()
    const value = lookup(placeholder)
    if (value === undefined || (url !== undefined && !restoreInUrl(url))) return written
    if (/^(?:URL|[A-Z]*_URL)_/.test(name)) run = `https://${placeholder}`
    return json ? inJson(value) : value
  }

  const drain = (final: boolean): string => {
    if (undecided) {
      const begin = pending.trimStart()
      if (begin === "" && !final) return ""
      if (!final && (begin === "[" || "```json".startsWith(begin))) return ""
      json = begin.startsWith("{") || /^\[\s*["{[\d-]/.test(begin) || begin.startsWith("```json")
      undecided = false
    }
    const allowed = json ? forms : forms.slice(0, 1)
    let out = ""
    let from = 0
    while (from < pending.length) {
      let at = -1
      let used: Form | undefined
      for (const form of allowed) {
        const index = form.find(pending, from)
        if (index >= 0 && (at < 0 || index < at)) {
          at = index
          used = form
        }
      }
      if (used === undefined) {
        out += pass(pending.slice(from))
        from = pending.length
        break
      }
      out += pass(pending.slice(from, at))
      const escaped = used.escaped && backslashes % 2 === 1
      const match = escaped ? null : used.match(pending, at)
      if (match !== null) {
        out += put(match.name, pending.slice(at, match.end))
        from = match.end
      } else if (!final && !escaped && used.mayGrow(pending.slice(at))) {
        pending = pending.slice(at)
        return out
      } else {
        out += pass(pending.slice(at, at + 1))
        from = at + 1
      }
    }
    pending = ""
    return out
  }

  return {
    push: (piece) => {
      pending += piece
      return drain(false)
    },
    end: () => drain(true)
  }
}

/**
 * Restores a text that is all here.
 *
 * @category mapping
 * @since 0.1.0
 */
export const restore = (text: string, options: RestorerOptions): string => {
  const restorer = makeRestorer(options)
  return restorer.push(text) + restorer.end()
}

/** A value as the inside of a JSON string; one that was found in JSON text, with its escapes, is that already. */
const inJson = (value: string): string => {
  const escaped = JSON.stringify(value).slice(1, -1)
  if (!value.includes("\\")) return escaped
  try {
    return JSON.stringify(JSON.parse(`"${value}"`)) === `"${value}"` ? value : escaped
  } catch {
    return escaped
  }
}

/**
 * The URLs of a text that hold placeholders, each from where it begins: what `restoreInUrl` may compare with.
 *
 * @category accessors
 * @since 0.1.0
 */
export const urlsOf = (text: string, shape: Shape): ReadonlyArray<string> => {
  if (!text.includes(shape.open)) return []
  const urls: Array<string> = []
  const add = (run: string) => {
    if (!run.includes(shape.open)) return
    const url = urlIn(run)
    if (url !== undefined) urls.push(url)
    const named = run.indexOf(`${shape.open}URL`)
    if (named >= 0) urls.push(`https://${run.slice(named)}`)
  }
  const follower = makeFollower()
  let from = 0
  let lead = ""
  for (let i = 0; i < text.length; i++) {
    const step = follower.next(text.charCodeAt(i))
    if (step === "on") continue
    add(lead + text.slice(from, i))
    from = i + 1
    lead = step === "reference" ? "]:" : ""
  }
  add(lead + text.slice(from))
  return urls
}

/** Whether a URL ends here: at white space, quotes and angle brackets, and at full stops and brackets of Chinese. */
const endsRun = (code: number): boolean => {
  if (code <= 32 || code === 34 || code === 60 || code === 62 || code === 96) return true
  return code === 0x3002 || code === 0xff0c || code === 0x3001 || code === 0xff1b || code === 0xff09 || code === 0x300b
}

interface Form {
  readonly escaped: boolean
  /** Where `text` has the opening sign, or ends in its beginning. */
  readonly find: (text: string, from: number) => number
  readonly match: (text: string, at: number) => { readonly name: string; readonly end: number } | null
  readonly mayGrow: (rest: string) => boolean
}

const formsOf = (shape: Shape): ReadonlyArray<Form> => {
  const forms = [formOf(shape.open, shape.close, false)]
  const open = escapeUnicode(shape.open)
  if (open !== shape.open) forms.push(formOf(open, escapeUnicode(shape.close), true))
  return forms
}

const escapeUnicode = (sign: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: everything outside ASCII is escaped
  sign.replace(/[^\u0000-\u007f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

const formOf = (open: string, close: string, escaped: boolean): Form => {
  const fold = (text: string) => (escaped ? text.toLowerCase() : text)
  const first = open[0] as string
  return {
    escaped,
    find: (text, from) => {
      for (let at = text.indexOf(first, from); at >= 0; at = text.indexOf(first, at + 1)) {
        const rest = fold(text.slice(at, at + open.length))
        if (open.startsWith(rest)) return at
      }
      return -1
    },
    match: (text, at) => {
      if (fold(text.slice(at, at + open.length)) !== open) return null
      const rest = fold(text.slice(at + open.length, at + open.length + longestName + close.length))
      const size = rest.indexOf(close)
      if (size <= 0 || !isName(rest.slice(0, size))) return null
      // Models write `⟦Email_Address_1⟧` at the beginning of a sentence, and `\_` in Markdown.
      const name = rest.slice(0, size).replaceAll("\\", "").trim().replace(/[ -]/g, "_").toUpperCase()
      return { name, end: at + open.length + size + close.length }
    },
    mayGrow: (rest) => {
      if (rest.length < open.length) return open.startsWith(fold(rest))
      const name = fold(rest.slice(open.length))
      if (name.length >= longestName + close.length) return false
      for (let size = Math.min(name.length, close.length - 1); size >= 0; size--)
        if (name.endsWith(close.slice(0, size)) && isName(name.slice(0, name.length - size))) return true
      return false
    }
  }
}

/** What a name may be made of, and what models make of it: small letters, spaces, hyphens, backslashes. */
const isName = (text: string): boolean => /^[\w \\-]*$/.test(text)

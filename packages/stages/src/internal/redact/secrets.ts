/** Secrets: keys by the shapes that their issuers publish, private keys, tokens, connection strings, and what stands next to `password`. */

import { matches } from "./windows.ts"

export interface Found {
  start: number
  end: number
  type: string
  confidence: number
}

/** Keys that begin with a mark of their issuer. The shapes follow the issuers' documentation and GitHub's secret scanning list. */
const marked = new RegExp(
  [
    "A(?:KIA|SIA|ROA|IDA|GPA|NPA|NVA|BIA|CCA)[A-Z2-7]{16}",
    "AIza[\\w-]{35}",
    "AQ\\.[\\w-]{30,}",
    "ABSK[A-Za-z0-9+/]{100,}={0,2}",
    "bedrock-api-key-[A-Za-z0-9+/=]{20,}",
    "1//0[\\w-]{40,}",
    "ya29\\.[\\w-]{20,}",
    "GOCSPX-[\\w-]{28}",
    "gh[pousr]_[A-Za-z0-9]{36,255}",
    "ghs_[A-Za-z0-9._-]{36,}",
    "github_pat_\\w{22,255}",
    "gl(?:pat|dt|rt|rtr|ptt|cbt|soat|ft|ffct|imt|agent|oas)-[\\w-]{20,300}(?:\\.[a-z0-9]{2}\\.[a-z0-9]{9})?",
    "GR1348941[\\w-]{20,}",
    "xoxe\\.xox[bp]-\\d-[\\w-]{10,}",
    "xox[abcdeoprs]-[\\w%/+=-]{10,}",
    "xapp-\\d-[A-Z0-9]+-\\d+-[a-z0-9]+",
    "[spr]k_(?:live|test|prod|org_live|org_test)_[A-Za-z0-9]{10,}",
    "sk_[a-f0-9]{48}",
    "whsec_[A-Za-z0-9+/=]{24,64}",
    "sk-ant-[\\w-]{20,}",
    "sk-(?:proj|svcacct|admin|or-v1|lf|None)-[\\w-]{20,}",
    "sk-[A-Za-z0-9]{32,128}",
    "sess-[A-Za-z0-9]{40}",
    "gsk_[A-Za-z0-9]{40,60}",
    "xai-[A-Za-z0-9]{60,90}",
    "pplx-[A-Za-z0-9]{40,64}",
    "r8_[A-Za-z0-9]{37}",
    "(?:hf|api_org)_[A-Za-z0-9]{30,40}",
    "fw_[A-Za-z0-9]{20,40}",
    "nvapi-[\\w-]{40,90}",
    "tgp_v1_[\\w-]{40,60}",
    "csk-[a-z0-9]{40,60}",
    "SG\\.[\\w-]{16,32}\\.[\\w-]{32,64}",
    "key-[a-f0-9]{32}",
    "re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}",
    "[a-f0-9]{32}-us\\d{1,2}",
    "npm_[A-Za-z0-9]{36}",
    "pypi-AgEIcHlwaS5vcmc[\\w-]{50,}",
    "rubygems_[a-f0-9]{48}",
    "dckr_(?:pat|oat)_[\\w-]{27,}",
    "do[opr]_v1_[a-f0-9]{64}",
    "dop_v1_[a-f0-9]{64}",
    "shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    "sq0(?:atp|csp|idp)-[\\w-]{22,43}",
    "EAAA[\\w-]{60}",
    "access_token\\$production\\$[a-z0-9]{16}\\$[a-f0-9]{32}",
    "AC[a-f0-9]{32}",
    "SK[a-f0-9]{32}",
    "lin_(?:api|oauth)_[A-Za-z0-9]{32,64}",
    "ntn_[A-Za-z0-9]{40,50}",
    "secret_[A-Za-z0-9]{43}",
    "figd_[\\w-]{40,}",
    "hvs\\.[\\w-]{24,}",
    "dp\\.(?:pt|st|ct|sa)\\.[A-Za-z0-9]{40,44}",
    "sntry[su]_[A-Za-z0-9=_+/-]{40,}",
    "glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}",
    "glc_[A-Za-z0-9+/=]{32,}",
    "NRAK-[A-Z0-9]{27}",
    "PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    "sbp_[a-f0-9]{40}",
    "pscale_(?:tkn|pw|oauth)_[\\w.-]{32,64}",
    "ATATT3[\\w=-]{100,}",
    "LTAI[A-Za-z0-9]{12,20}",
    "AKID[A-Za-z0-9]{13,40}",
    "\\d{8,10}:AA[\\w-]{33}",
    "[MNO][A-Za-z\\d]{23,25}\\.[\\w-]{6}\\.[\\w-]{27,38}",
    "eyJ[\\w-]{10,}\\.eyJ[\\w-]{10,}(?:\\.[\\w-]*)?",
    "eyJ[\\w-]{10,}\\.[\\w-]*\\.[\\w-]{10,}(?:\\.[\\w-]+)*",
    "age-secret-key-1[a-z0-9]{58}",
    "AGE-SECRET-KEY-1[A-Z0-9]{58}",
    "PRIVATE-TOKEN-[\\w-]{20,}",
    "lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}",
    "pcsk_[\\w-]{40,}",
    "tvly-(?:dev-|prod-)?[A-Za-z0-9]{20,}",
    "jina_[A-Za-z0-9]{40,}",
    "dapi[a-f0-9]{32}(?:-\\d)?",
    "pat[A-Za-z0-9]{14}\\.[a-f0-9]{64}",
    "sb_(?:secret|publishable)_[\\w-]{20,}",
    "HRKU-[\\w-]{36,}",
    "nfp_[A-Za-z0-9]{36}",
    "AT(?:CTT3|BB)[\\w=-]{24,}",
    "hv[br]\\.[\\w-]{24,}",
    "[A-Za-z0-9]{14}\\.atlasv1\\.[\\w=-]{60,70}",
    "NR(?:JS|II|IQ|RA|BR|LL)-[\\w-]{19,}",
    "AKCp[A-Za-z0-9]{60,}",
    "cio[A-Za-z0-9]{32}",
    "oy2[a-z0-9]{43}",
    "fo1_[\\w-]{43}",
    "ops_eyJ[A-Za-z0-9+/=_-]{100,}",
    "A3-[A-Z0-9]{6}-[A-Z0-9]{6}-?[A-Z0-9]{5}(?:-[A-Z0-9]{5}){3}",
    "rzp_(?:live|test)_[A-Za-z0-9]{14,}",
    "pul-[a-f0-9]{40}",
    "sq[apu]_[a-f0-9]{40}",
    "xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
    "dt0[a-z]\\d{2}\\.[A-Z0-9]{24}\\.[A-Z0-9]{64}",
    "sha256~[\\w-]{43}",
    "EAA[A-Z][A-Za-z0-9]{60,}",
    "AAAAAAAAAAAAAAAAAAAAA[A-Za-z0-9%]{40,}",
    "[A-Za-z0-9]{76}(?:AZDO|ACOG|APIM|AzCa|AzSe)[A-Za-z0-9+/]{4,}={0,2}",
    "[A-Za-z0-9]{3}\\dQ~[\\w~.-]{31,34}"
  ]
    .map((each) => `(?:${each})`)
    .join("|"),
  "y"
)

/** What a marked key may begin with: two characters, for a quick look before the long expression. */
const beginnings = new Uint8Array(128 * 128)
for (const each of "AK AS AR AI AG AN AB AC AQ AA A3 GO GR be gh gi gl xo xa sk pk rk wh se gs pp r8 hf ap fw nv tg cs SG ke re np py ru dc do dp sh sq EA ac SK li ls nt nf fi fo hv sn NR PM sb ps pc pa pu AT LT ey ag PR ya tv ji da HR ci oy op rz xk dt".split(
  " "
)) {
  beginnings[each.charCodeAt(0) * 128 + each.charCodeAt(1)] = 1
}
export const mayBeginKey = (first: number, second: number): boolean =>
  first < 128 && second < 128 && beginnings[first * 128 + second] === 1

/** The end of a marked key at `start`, or -1. */
export const markedKeyEnd = (text: string, start: number): number => {
  marked.lastIndex = start
  const match = marked.exec(text)
  return match === null ? -1 : start + match[0].length
}

const beginsPem = /-{4,5} ?BEGIN (?:[A-Z0-9]+ ){0,6}PRIVATE KEY(?: BLOCK)? ?-{4,5}/g
const endsPem = /-{4,5} ?END (?:[A-Z0-9]+ ){0,6}PRIVATE KEY(?: BLOCK)? ?-{4,5}/g
/** What a key without an end is made of: lines of Base64, with their escapes and quotes, and headers. */
const pemLine = /(?:[\s"'+,]|\\[nrt"\\])*(?:(?:Proc-Type|DEK-Info|Comment|Version)\b[^\r\n\\]*|[A-Za-z0-9+/=]{16,})/y
const puttyLines = /Private-Lines: \d+\s+(?:[A-Za-z0-9+/=]{4,80}\s*){1,400}/g

/** Private keys in PEM and PGP armour and in PuTTY's form; one whose end is missing reaches to the end of its lines. */
export const privateKeys = (text: string, out: Array<Found>): void => {
  const push = (start: number, end: number) => out.push({ start, end, type: "PRIVATE_KEY", confidence: 0.99 })
  if (text.indexOf("Private-Lines: ") >= 0)
    for (const match of text.matchAll(puttyLines)) push(match.index, match.index + match[0].trimEnd().length)
  if (text.indexOf("-BEGIN ") < 0 && text.indexOf("- BEGIN ") < 0) return
  beginsPem.lastIndex = 0
  let mayEnd = true
  for (let match = beginsPem.exec(text); match !== null; match = beginsPem.exec(text)) {
    const body = beginsPem.lastIndex
    endsPem.lastIndex = body
    mayEnd &&= endsPem.test(text)
    let end = mayEnd ? endsPem.lastIndex : body
    if (!mayEnd) {
      pemLine.lastIndex = body
      while (pemLine.test(text)) end = pemLine.lastIndex
      // A word about keys is no key.
      if (end === body) continue
      // The last line may be short.
      while (/[A-Za-z0-9+/=\\]/.test(text[end] ?? "")) end++
    }
    push(match.index, end)
    beginsPem.lastIndex = end
  }
}

/** The names of fields whose whole value is a secret. */
export const secretField =
  /(?:password|passwd|passphrase|pwd|secret|api[_ -]?key|(?:access|auth|refresh|bearer|id|session|csrf|api)[_ -]?token|private[_ -]?key|secret[_ -]?key|client[_ -]?secret|credentials?|authorization|(?:^|[_ -])pin|cvv2?|cvc2?)$/i

const password = String.raw`pass ?word|passwd|passphrase|pass ?code|(?<![a-z])(?:pass(?=["'\x60\]*]{0,3}\s*[:=])|pwd|otp|cvv2?|cvc2?)|\bpin|(?:verification|security|login|one[- ]time)[ -]?code|密码|口令|暗号|パスワード|비밀번호|пароль|mot de passe|passwort|kennwort|contraseña|senha|wachtwoord|hasło|lösenord`
const other =
  "secret(?:[ _-]?key)?|api[ _-]?key|access[ _-]?key(?:[ _-]?id)?|client[ _-]?secret|private[ _-]?key|signing[ _-]?key|encryption[ _-]?key|account[ _-]?key|credentials?|bearer|authorization|密钥|token|(?<![a-z])(?:auth|sig|signature|session(?:[ _-]?(?:id|key))?|sid)"
/** What may stand between a name and its value; the first group is there where the value is assigned. */
const joint = String.raw`(\s*(?:[:=：]|=>|:=)[*_]{0,2}\s*(?:[|>][+-]?\s*\n\s*)?|\s{0,8}\|\s{0,8}|>|\s+value\s*=\s*|\s+(?:is|was|are|ist|lautet|est|es|é|是|为)\s*|\s+(?:for|to|of|on)\s[\w' .-]{1,40}?\s(?:is|was)\s|[是为：]\s*)|\s+`
const named = new RegExp(
  String.raw`(?:(${password})|${other})["'\x60\]*]{0,3}(?:${joint})(?:(?:basic|bearer|token)\s+)?([*_]{0,2}["'\x60“「]?)([^\s"'\x60“”「」<>，。；]{3,512})`,
  "iuy"
)

const placeholderWords =
  /^(?:null|none|nil|true|false|undefined|string|number|boolean|required|optional|example|changeme|redacted|todo|(?:your|my)[a-z_-]*|\*+|x+|<[\w -]+>?|\$\{[^}]*\}?|\$[A-Z_]+|\$\([^)]*\)?|%[A-Za-z_]+%?|\{\{?[^}]*\}?\}?|\[[\w -]*\]?|(?:process|os|env|this|self|config)\.[\w.$[\]"']*)$/i

/** Bits a character: Shannon's entropy. */
export const entropy = (text: string): number => {
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  let sum = 0
  for (const count of counts.values()) sum -= (count / text.length) * Math.log2(count / text.length)
  return sum
}

const code =
  /^[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$]+)+[\w$]*(?:[(<[].*)?$|^[A-Za-z_$][\w$]*[(<[]|^[A-Za-z_$-]+$|=>|^\/\/|^[A-Z][a-z]+[A-Z][A-Za-z]*$|\(\?[:=!<]|\[\\|\$\{|\{[\d,]+\}/

/** How many of small letters, capitals, digits and signs a value has. */
const classesOf = (value: string): number =>
  Number(/[a-z]/.test(value)) +
  Number(/[A-Z]/.test(value)) +
  Number(/\d/.test(value)) +
  Number(/[^A-Za-z0-9]/.test(value))

/** Whether a value looks as if a machine had drawn it. */
const isRandom = (value: string): boolean =>
  value.length >= 16 && /\d/.test(value) && classesOf(value) >= 2 && !code.test(value) && entropy(value) >= 3.3

const beginningsOfNames =
  /pass|pwd|secret|api|access|auth|client|private|signing|encryption|account|credential|bearer|\bpin|mot de|kennwort|contrase|senha|wacht|hasło|lösenord|密|口令|暗号|パスワード|비밀|парол|token|session|sid|sig|otp|cvv|cvc|verification|security|login|one[- ]time/gi
/** Names whose values need no digit to be sure. */
const passwords = /passw(?:or[dt])|passphrase|passwd|пароль|密码|contraseña|kennwort|lösenord/gi

/** How far a name may stand before the value: its own length, and the signs and words between. */
const reach = 96

/**
 * Values next to words such as `password`: random ones, and any that is quoted or assigned and looks like no word. Most have a
 * digit, so only what stands before digits (`runs`) is looked at, and after the few words that say it all.
 */
export const namedSecrets = (text: string, runs: ReadonlyArray<number>, out: Array<Found>): void => {
  let from = 0
  let seen = 0
  for (let i = 0; i < runs.length; i += 2) {
    const digits = runs[i] as number
    if (digits < seen) continue
    let token = digits
    while (token > 0 && text.charCodeAt(token - 1) > 32 && digits - token < 512) token--
    const piece = Math.max(seen, token - reach)
    let end = digits
    while (end < text.length && text.charCodeAt(end) > 32 && end - token < 512) end++
    seen = end
    for (const beginning of matches(beginningsOfNames, text.slice(piece, end)))
      from = namedSecret(text, piece + beginning.index, from, out)
  }
  from = 0
  for (const { index } of matches(passwords, text)) from = namedSecret(text, index, from, out)
  fields(text, out)
  if (text.includes("=")) parameters(text, out)
  if (text.includes("$")) hashes(text, out)
  commands(text, out)
}

/** The secret whose name begins at `start`, unless that is before `from`. Returns where the next may begin. */
const namedSecret = (text: string, start: number, from: number, out: Array<Found>): number => {
  if (start < from) return from
  named.lastIndex = start
  const match = named.exec(text)
  if (match === null) return from
  const [whole, isPassword, join, opening, written] = match as unknown as [string, string, string, string, string]
  const at = match.index + whole.length - written.length
  const quote = opening.slice(-1)
  let end = at + written.length
  if (/["'`]/.test(quote)) {
    // What is quoted may hold spaces.
    const close = text.indexOf(quote, at)
    if (
      isPassword !== undefined &&
      close > end &&
      close - at <= 128 &&
      !/[\r\n;{}]|\s\S+\s\S+\s/.test(text.slice(at, close))
    )
      end = close
  } else end -= (/[),;:.!?\]}*|]+$/.exec(written)?.[0] ?? "").length
  const value = text.slice(at, end)
  if (value.length < 3 || placeholderWords.test(value)) return at - 1
  // `tests pass: 1234`, `PWD=/home/me/app2`.
  if (isPassword !== undefined && /^(?:pass|pwd)$/i.test(isPassword) && /^(?:\d+$|~?\/)/.test(value)) return at - 1
  const assigned = join !== undefined || /(?:^|\s)--?[\w-]*$/.test(text.slice(Math.max(0, start - 32), start))
  const strong = isRandom(value)
  const classes = classesOf(value)
  const isCardCode = isPassword !== undefined && /^cv/i.test(isPassword) && /^\d{3,4}$/.test(value)
  const spoken =
    isCardCode ||
    (assigned &&
      isPassword !== undefined &&
      !code.test(value) &&
      (/\d/.test(value)
        ? (classes >= 2 && value.length >= 4) || /^\d{4,12}$/.test(value)
        : classes >= 3 && value.length >= 6 && !/\s/.test(value)))
  if (!strong && !spoken) return at - 1
  if (written.length === 512) while (/[^\s"'`“”「」<>，。；]/.test(text[end] ?? " ")) end++
  out.push({ start: at, end, type: "SECRET", confidence: strong && assigned ? 0.9 : 0.7 })
  return end
}

const quotedField = /(["'])([\w .-]{2,48})\1\s{0,2}:\s{0,8}(["'])/g

/** The values of quoted fields of JSON and its like whose names say that they are secrets, whatever they look like. */
const fields = (text: string, out: Array<Found>): void => {
  if (!text.includes('":') && !text.includes("':")) return
  for (const match of text.matchAll(quotedField)) {
    const name = match[2] as string
    if (!secretField.test(name)) continue
    const start = match.index + match[0].length
    let end = start
    while (end < text.length && text[end] !== match[3] && end - start < 8192) end += text[end] === "\\" ? 2 : 1
    const value = text.slice(start, end)
    // A text that speaks of passwords is none: `"password": "Enter your password"`.
    if (value.length < 3 || placeholderWords.test(value) || /\s\S+\s/.test(value)) continue
    const folded = value.toLowerCase()
    if (folded.includes(name.toLowerCase()) || /^(?:password|passwort|secret|token|bearer)$/.test(folded)) continue
    out.push({ start, end, type: "SECRET", confidence: 0.9 })
  }
}

const parameter =
  /[?&#;](?:[\w-]{0,24}(?:token|secret|passw(?:or)?d|pwd|api[_-]?key|signature|session|auth)|key|code|sig|sid|jwt|se?cret|ticket|hash|state|nonce)=([^&#\s"'<>`]{8,4096})/gi
const cookie = /\bcookie["']?\s{0,2}[:=]\s{0,2}["']?((?:[\w.!%~-]{1,64}=[^;\s"'<>]{1,4096}(?:;\s?)?){1,64})/gi

/** Random values of the parameters of URLs that open something, and cookies. */
const parameters = (text: string, out: Array<Found>): void => {
  for (const match of text.matchAll(parameter)) {
    const value = match[1] as string
    if (!isRandom(value) || placeholderWords.test(value)) continue
    const end = match.index + match[0].length
    out.push({
      start: end - value.length,
      end: end - (/[).,\]]+$/.exec(value)?.[0] ?? "").length,
      type: "SECRET",
      confidence: 0.8
    })
  }
  if (!/cookie/i.test(text)) return
  for (const match of text.matchAll(cookie)) {
    const pairs = match[1] as string
    const start = match.index + match[0].length - pairs.length
    for (const pair of pairs.matchAll(/=([^;\s]+)/g)) {
      const value = pair[1] as string
      if (!isRandom(value)) continue
      out.push({
        start: start + pair.index + 1,
        end: start + pair.index + 1 + value.length,
        type: "SECRET",
        confidence: 0.8
      })
    }
  }
}

const hash =
  /\$(?:2[abxy]\$\d{2}\$[./A-Za-z0-9]{53}|(?:[156y]|apr1|argon2(?:id|i|d)|scrypt|pbkdf2(?:-sha\d+)?)\$[^\s:"'`<>]{20,256})/g

/** Passwords as a system keeps them. */
const hashes = (text: string, out: Array<Found>): void => {
  for (const match of text.matchAll(hash))
    out.push({ start: match.index, end: match.index + match[0].length, type: "SECRET", confidence: 0.9 })
}

const command =
  /\bcurl\b[^\r\n]{0,400}?\s(?:-u|--user)[ =]?["']?[^\s:"']{1,128}:([^\s"']{3,256})|\bmysql(?:dump|admin)?\b[^\r\n]{0,200}?\s-p([^\s"']{4,128})|\bsshpass\s+-p\s*["']?([^\s"']{3,128})|\blogin\s+\S{1,128}\s+password\s+(\S{3,256})/gi

/** Passwords on command lines, and in `.netrc`. */
const commands = (text: string, out: Array<Found>): void => {
  if (!["curl ", "mysql", "sshpass ", "machine "].some((name) => text.includes(name))) return
  for (const match of text.matchAll(command)) {
    const value = match.slice(1).find((each) => each !== undefined) as string
    if (placeholderWords.test(value)) continue
    const end = match.index + match[0].length
    out.push({ start: end - value.length, end, type: "SECRET", confidence: 0.8 })
  }
}

const awsSecret = /[\s,:;"'|]{1,12}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/y

/** The secret that stands beside the id of a key, as in the file that AWS hands out. */
export const besideKey = (text: string, end: number, out: Array<Found>): void => {
  awsSecret.lastIndex = end
  const match = awsSecret.exec(text)
  if (match === null || !isRandom(match[1] as string)) return
  const stop = end + match[0].length
  out.push({ start: stop - 40, end: stop, type: "API_KEY", confidence: 0.9 })
}

const withUser = /[a-z][a-z0-9+.-]*:\/\/[^\s/:@"'`<>，。]{0,256}:[^\s/"'`<>，。]{1,512}?@[^\s"'`<>，。）)]{1,2048}/iy
/** Of databases, whose passwords people write with a slash. */
const withUserOfStore =
  /(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|clickhouse|ldaps?|s?ftp)(?:\+\w{1,16})?:\/\/[^\s/:@"'`<>]{1,128}:(?!\d{2,5}\/)[^\s"'`<>@]{1,256}@[^\s"'`<>，。）)]{1,2048}/iy
const keyOfSetting = /(?:Password|Pwd|AccountKey|SharedAccessKey)=(?:"[^"\r\n]{1,1024}"|[^\r\n"'`;]{1,1024});?/gi
const beginsSetting = /(?:Server|Data Source|Host|Endpoint|DefaultEndpointsProtocol|AccountName|AccountEndpoint)=/i

/** URLs and connection strings that hold credentials. */
export const connections = (text: string, out: Array<Found>): void => {
  for (let at = text.indexOf("://"); at >= 0; ) {
    let next = at + 3
    let start = at
    while (start > 0 && at - start < 32 && /[A-Za-z0-9+.-]/.test(text[start - 1] as string)) start--
    withUser.lastIndex = withUserOfStore.lastIndex = start
    const match = withUser.exec(text) ?? withUserOfStore.exec(text)
    if (match !== null && !/:\$\{|:<|:%s|:\*+@/.test(match[0])) {
      const end = start + match[0].replace(/[.,;:!?]+$/, "").length
      out.push({ start, end, type: "URL_CREDENTIALS", confidence: 0.99 })
      next = Math.max(next, end)
    }
    at = text.indexOf("://", next)
  }
  if (text.includes("=") && /password=|pwd=|accountkey=|sharedaccesskey=/i.test(text)) {
    for (const match of text.matchAll(keyOfSetting)) {
      const before = text.slice(Math.max(0, match.index - 512), match.index)
      const line = before.slice(Math.max(...["\n", "\r", '"', "'", "`"].map((sign) => before.lastIndexOf(sign))) + 1)
      const first = line.search(beginsSetting)
      if (first < 0) continue
      const end = match.index + match[0].length
      out.push({ start: match.index - line.length + first, end, type: "CONNECTION_STRING", confidence: 0.9 })
    }
  }
}

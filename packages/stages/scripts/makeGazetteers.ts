/**
 * Writes `src/internal/redact/gazetteer.ts`: names, places and common words from @faker-js/faker (MIT) and `Intl.DisplayNames`.
 * Run it with `pnpm --filter @interlock/stages gazetteers` after an update of either.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { allLocales } from "@faker-js/faker"

interface Locale {
  readonly person?: { readonly first_name?: unknown; readonly last_name?: unknown }
  readonly location?: { readonly city_name?: unknown; readonly state?: unknown; readonly street_name?: unknown }
  readonly word?: { readonly [kind: string]: unknown }
  readonly commerce?: unknown
  readonly hacker?: unknown
}

const strings = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string"
    ? [value]
    : Array.isArray(value)
      ? value.flatMap(strings)
      : typeof value === "object" && value !== null
        ? Object.values(value).flatMap(strings)
        : []

const first = new Set<string>()
const last = new Set<string>()
const city = new Set<string>()
const region = new Set<string>()
const country = new Set<string>()
const common = new Set<string>()
const chineseFamily = new Set<string>()
const chineseGiven = new Set<string>()

const alphabetic = /^\p{L}[\p{L}\p{M}'’ .-]*$/u
const spaceless = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u
const put = (set: Set<string>, value: unknown, shortest = 3, chinese = false) => {
  for (const each of strings(value)) {
    const word = each.trim().normalize("NFC").toLowerCase()
    if (word.length >= shortest && word.length <= 40 && alphabetic.test(word) && spaceless.test(word) === chinese)
      set.add(word)
  }
}

for (const [name, locale] of Object.entries(allLocales) as ReadonlyArray<[string, Locale]>) {
  if (name === "dv" || name === "eo") continue
  put(first, locale.person?.first_name)
  put(last, locale.person?.last_name)
  put(city, locale.location?.city_name)
  put(region, locale.location?.state)
}
const english = (allLocales as { readonly [name: string]: Locale })["en"]
put(common, english?.word, 2)
put(common, english?.commerce, 2)
put(common, english?.hacker, 2)

// The cities that time zones are named after, which are those that the world knows.
for (const zone of Intl.supportedValuesOf("timeZone")) {
  if (/^(?:Africa|America|Asia|Atlantic|Australia|Europe|Indian|Pacific)\//.test(zone))
    put(city, zone.split("/").at(-1)?.replaceAll("_", " "), 4)
}
put(
  chineseFamily,
  [...strings((allLocales as { readonly [name: string]: Locale })["zh_CN"]?.person?.last_name)],
  1,
  true
)
for (const name of strings((allLocales as { readonly [name: string]: Locale })["zh_CN"]?.person?.first_name))
  put(chineseGiven, [...name], 1, true)

const codes = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].flatMap((a) => [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].map((b) => a + b))
for (const language of ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "ru", "cs", "tr"]) {
  const names = new Intl.DisplayNames([language], { type: "region", fallback: "none" })
  for (const code of codes)
    if (!["EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"].includes(code)) put(country, names.of(code), 4)
}

const words = (set: ReadonlySet<string>): string => [...set].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).join("|")
const constant = (name: string, doc: string, set: ReadonlySet<string>) =>
  `/** ${doc} */\nexport const ${name} = ${JSON.stringify(words(set))}\n`

writeFileSync(
  join(import.meta.dirname, "../src/internal/redact/gazetteer.ts"),
  `// Made by scripts/makeGazetteers.ts from @faker-js/faker (MIT, https://github.com/faker-js/faker) and Intl.DisplayNames.\n\n${[
    constant("firstNames", "Given names.", first),
    constant("lastNames", "Family names.", last),
    constant("cities", "Towns and cities.", city),
    constant("regions", "States and provinces.", region),
    constant("countries", "Countries, in twelve languages.", country),
    constant("chineseFamilyNames", "Family names of Chinese.", chineseFamily),
    constant("chineseGivenCharacters", "Characters of Chinese given names.", chineseGiven),
    constant("commonWords", "Common English words.", common)
  ].join("\n")}`
)
console.log({
  firstNames: first.size,
  lastNames: last.size,
  cities: city.size,
  regions: region.size,
  countries: country.size,
  commonWords: common.size
})

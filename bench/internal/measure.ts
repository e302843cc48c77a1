/** Times several ways of doing the same work side by side: rounds are interleaved, so that all see the same machine. */

/** A way of doing the work, by its name. */
export interface Contender {
  readonly name: string
  readonly run: () => Promise<unknown>
}

/** Microseconds per run: the median over rounds, and the fastest and slowest round. */
export interface Timing {
  readonly median: number
  readonly fastest: number
  readonly slowest: number
}

/** Times every contender for `rounds` interleaved rounds of `runs` runs each, after warming all up. */
export const measure = async (
  contenders: ReadonlyArray<Contender>,
  options: { readonly runs: number; readonly rounds: number }
): Promise<{ readonly [name: string]: Timing }> => {
  const samples = new Map<string, Array<number>>(contenders.map(({ name }) => [name, []]))
  for (let round = -2; round < options.rounds; round++) {
    for (const { name, run } of contenders) {
      const began = process.hrtime.bigint()
      for (let index = 0; index < options.runs; index++) await run()
      const micros = Number(process.hrtime.bigint() - began) / 1000 / options.runs
      if (round >= 0) samples.get(name)?.push(micros)
    }
  }
  return Object.fromEntries(
    [...samples].map(([name, times]) => {
      times.sort((a, b) => a - b)
      const median = times[Math.floor(times.length / 2)] ?? Number.NaN
      return [name, { median, fastest: times[0] ?? Number.NaN, slowest: times.at(-1) ?? Number.NaN }]
    })
  )
}

/** Rounds for people and for JSON. */
export const round = (value: number, digits = 3): number => Number(value.toFixed(digits))

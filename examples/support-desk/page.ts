/** The report as one HTML page: plots in SVG, light and dark, nothing loaded from anywhere. */
import { type Score, scoreOf } from "./study.ts"
import { change, dollars, type Findings, goals, percent, points, steps } from "./terminal.ts"

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const width = 360

const svg = (height: number, label: string, body: string): string =>
  `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(label)}">${body}</svg>`

const text = (x: number, y: number, said: string, more = ""): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(said)}</text>`

// ---------------------------------------------------------------------------------------------------------------
// Plots
// ---------------------------------------------------------------------------------------------------------------

interface Bar {
  readonly name: string
  readonly value: number
  readonly said: string
  /** Where it begins; 0 when left out. */
  readonly from?: number
  readonly kind?: "main" | "good" | "soft"
}

/** Bars below each other, each with its name above it. */
const bars = (label: string, items: ReadonlyArray<Bar>, most = Math.max(...items.map(({ value }) => value), 1e-9)) => {
  const row = 36
  const body = items.map(({ from = 0, kind = "main", name, said, value }, at) => {
    const top = at * row
    const scale = width / most
    const length = Math.max(1, value * scale)
    return `${text(0, top + 13, name)}${text(width, top + 13, said, 'text-anchor="end" class="figure"')}<rect x="0" y="${top + 19}" width="${width}" height="9" rx="2" class="track"/><rect x="${(from * scale).toFixed(1)}" y="${top + 19}" width="${length.toFixed(1)}" height="9" rx="2" class="${kind}"/>`
  })
  return svg(items.length * row, label, body.join(""))
}

/** Cost against right answers, one point a way. */
const scatter = (scores: ReadonlyArray<Score>, own: Score, tickets: number): string => {
  const all = [...scores, own]
  const height = 260
  const frame = { left: 44, right: width - 12, top: 10, bottom: height - 36 }
  const mostCost = Math.max(...all.map(({ costUsd }) => costUsd), 1e-9) * 1.06
  const values = all.map(({ right }) => right)
  const [low, high] = [Math.floor(Math.min(...values) * 20 - 0.5) / 20, Math.ceil(Math.max(...values) * 20 + 0.5) / 20]
  const x = (cost: number) => frame.left + (cost / mostCost) * (frame.right - frame.left)
  const y = (right: number) => frame.bottom - ((right - low) / (high - low)) * (frame.bottom - frame.top)
  const lines: Array<string> = []
  for (let level = low; level <= high + 1e-9; level += 0.05) {
    lines.push(
      `<line x1="${frame.left}" x2="${frame.right}" y1="${y(level).toFixed(1)}" y2="${y(level).toFixed(1)}" class="grid"/>${text(frame.left - 6, y(level) + 4, `${Math.round(level * 100)} %`, 'text-anchor="end" class="axis"')}`
    )
  }
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const cost = share * Math.max(...all.map(({ costUsd }) => costUsd))
    lines.push(text(x(cost), frame.bottom + 16, dollars(cost), 'text-anchor="middle" class="axis"'))
  }
  // Ways whose marks would lie on one another share one.
  const spots: Array<{ readonly x: number; readonly y: number; readonly ways: Array<Score> }> = []
  const half = (ways: number) => (ways === 1 ? 9 : 4 + 7 * ways)
  for (const score of all) {
    const [left, top] = [x(score.costUsd), y(score.right)]
    const near = spots.find(
      (spot) => Math.abs(spot.x - left) < half(spot.ways.length) + half(1) + 1 && Math.abs(spot.y - top) < 18
    )
    if (near === undefined) spots.push({ x: left, y: top, ways: [score] })
    else near.ways.push(score)
  }
  const drawn = spots.map((spot) => {
    const mine = spot.ways.includes(own)
    const said = spot.ways.map((score) => `${score.name}: ${dollars(score.costUsd)}, ${percent(score.right)} right`)
    const wide = half(spot.ways.length)
    return `<g><title>${escape(said.join("\n"))}</title><rect x="${(spot.x - wide).toFixed(1)}" y="${(spot.y - 9).toFixed(1)}" width="${2 * wide}" height="18" rx="9" class="${mine ? "good" : "point"}"/>${text(spot.x, spot.y + 4, spot.ways.map((score) => all.indexOf(score) + 1).join(", "), `text-anchor="middle" class="number${mine ? " mine" : ""}"`)}</g>`
  })
  const key = all.map((score, at) => `<li value="${at + 1}">${escape(score.name)}</li>`).join("")
  return `${svg(height, "Cost against right answers", `${lines.join("")}${drawn.join("")}${text(frame.right, height - 4, `cost of the ${tickets} tickets`, 'text-anchor="end" class="axis"')}`)}<ol class="key">${key}</ol>`
}

/** How many answers took how long: bars of equal width on a logarithmic scale, and the percentiles. */
const histogram = (latencies: ReadonlyArray<number>, marks: ReadonlyArray<readonly [string, number]>): string => {
  const height = 170
  const floor = 0.1
  const logs = latencies.map((each) => Math.log10(Math.max(floor, each)))
  const [low, high] = [
    Math.floor(Math.min(...logs)),
    Math.max(Math.floor(Math.min(...logs)) + 1, Math.ceil(Math.max(...logs)))
  ]
  const count = 8 * (high - low)
  const bins = new Array<number>(count).fill(0)
  for (const log of logs) bins[Math.min(count - 1, Math.floor(((log - low) / (high - low)) * count))]!++
  const most = Math.max(...bins, 1)
  const [top, bottom, left, right] = [34, height - 22, 8, width - 8]
  const x = (log: number) => left + ((log - low) / (high - low)) * (right - left)
  const step = (right - left) / count
  const drawn = bins.map((each, at) => {
    const tall = (each / most) * (bottom - top)
    return each === 0
      ? ""
      : `<rect x="${(left + at * step + 0.5).toFixed(1)}" y="${(bottom - tall).toFixed(1)}" width="${(step - 1).toFixed(1)}" height="${tall.toFixed(1)}" class="soft"/>`
  })
  const ticks = Array.from({ length: high - low + 1 }, (_, at) => low + at).map((power) =>
    text(
      x(power),
      bottom + 16,
      `${10 ** power} ms`,
      `text-anchor="${power === low ? "start" : power === high ? "end" : "middle"}" class="axis"`
    )
  )
  const lines = marks.map(([, value]) => {
    const at = x(Math.log10(Math.max(floor, value)))
    return `<line x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${top - 8}" y2="${bottom}" class="mark"/>`
  })
  const said = marks.map(([name, value]) => `${name} ${value.toFixed(value < 10 ? 1 : 0)} ms`).join("   ")
  return svg(
    height,
    `Latency: ${said}`,
    `${text(0, 13, said, 'class="figure" xml:space="preserve"')}<line x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}" class="grid"/>${drawn.join("")}${lines.join("")}${ticks.join("")}`
  )
}

// ---------------------------------------------------------------------------------------------------------------
// The page
// ---------------------------------------------------------------------------------------------------------------

const style = `
:root{color-scheme:light dark;--back:#fbfaf8;--card:#fff;--ink:#1d1c1a;--soft-ink:#6a665f;--line:#e4e0d9;--main:#3b6fb6;--good:#1f8a5b;--soft:#93aed3;--bad:#b3402e}
@media (prefers-color-scheme:dark){:root{--back:#161616;--card:#1f1f1e;--ink:#eceae6;--soft-ink:#a39e95;--line:#363431;--main:#6f9fe0;--good:#45b98a;--soft:#4d6a92;--bad:#e58370}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:16px;margin:0 0 12px}
p{margin:0 0 12px}.lead{color:var(--soft-ink);max-width:70ch}
.goals{list-style:none;margin:20px 0;padding:0;display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(min(280px,100%),1fr))}
.goals li,section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px}
.goals b{display:block}.goals .yes{color:var(--good)}.goals .no{color:var(--bad)}.goals span.open{color:var(--soft-ink)}
.plots{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(340px,100%),1fr));align-items:start}
section{min-width:0}.wide{margin-top:16px}
svg{display:block;width:100%;height:auto;max-width:520px;overflow:visible}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .axis{fill:var(--soft-ink);font-size:11px}
svg .figure{font-weight:600;font-variant-numeric:tabular-nums}
svg .track{fill:var(--line)}svg .main{fill:var(--main)}svg .good{fill:var(--good)}svg .soft{fill:var(--soft)}
svg .grid{stroke:var(--line)}svg .mark{stroke:var(--good);stroke-width:1.5;stroke-dasharray:3 3}
svg .point{fill:var(--card);stroke:var(--main);stroke-width:1.5}svg .number{font-size:11px}svg .mine{fill:var(--card);font-weight:700}
.key{columns:2;margin:8px 0 0;padding-left:22px;font-size:13px;color:var(--soft-ink)}
.note{font-size:13px;color:var(--soft-ink);margin:12px 0 0}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:5px 8px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th{font-weight:600}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--card)}tr.own{font-weight:700}td.zero{color:var(--soft-ink)}
`

const section = (title: string, body: string, note?: string): string =>
  `<section><h2>${escape(title)}</h2>${body}${note === undefined ? "" : `<p class="note">${escape(note)}</p>`}</section>`

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>, own = -1): string =>
  `<div class="scroll"><table><thead><tr>${head.map((cell) => `<th>${escape(cell)}</th>`).join("")}</tr></thead><tbody>${rows
    .map(
      (row, at) =>
        `<tr${at === own ? ' class="own"' : ""}>${row.map((cell) => `<td${cell === "0" ? ' class="zero"' : ""}>${escape(cell)}</td>`).join("")}</tr>`
    )
    .join("")}</tbody></table></div>`

const contributions = (findings: Findings, strong: Score, own: Score): string => {
  const share = (score: Score) => score.costUsd / strong.costUsd
  const right = (said: string) => (Number.isNaN(own.right) ? "" : `, ${said} right`)
  const saved = (from: Score, to: Score) => {
    const points = (100 * (share(to) - share(from))).toFixed(1)
    return Number(points) === 0 ? "±0.0 %" : `${points.replace("-", "−").replace(/^(?=\d)/, "+")} %`
  }
  return bars(
    "What each part took off the cost",
    [
      { name: "always strong", value: 1, said: `100 %${right(percent(strong.right))}` },
      ...steps(findings).map(
        ([name, from, to]): Bar => ({
          name,
          from: Math.min(share(from), share(to)),
          value: Math.abs(share(from) - share(to)),
          said: `${saved(from, to)}${right(`${points(from.right, to.right)} points`)}`,
          kind: "soft"
        })
      ),
      { name: "the desk", value: share(own), said: `${percent(share(own))}${right(percent(own.right))}`, kind: "good" }
    ],
    1
  )
}

/** The page. */
export const page = (findings: Findings): string => {
  const { desk, labels, provider, scores, stopped } = findings
  const own = scoreOf(desk)
  const strong = scores.find(({ name }) => name === "always strong")
  const { p50, p90, p99 } = desk.report.latencyMs
  const names = labels.rows.map(({ label }) => label)
  const found = goals(findings).map(([goal, said, met]) => {
    const [kind, mark] = met === undefined ? ["open", "not shown"] : met ? ["yes", "reached"] : ["no", "missed"]
    return `<li><b>${escape(goal)}</b><span class="${kind}">${mark}</span>: ${escape(said)}</li>`
  })
  const redacted = Object.entries(desk.redactions).sort(([, a], [, b]) => b - a)
  const redactedSum = redacted.reduce((sum, [, count]) => sum + count, 0)
  const outcomes = Object.entries(desk.outcomes)
    .filter(([name]) => !["miss", "bypass", "failed"].includes(name))
    .sort(([, a], [, b]) => b - a)
  const plots = [
    ...(strong === undefined
      ? []
      : [
          ...(Number.isNaN(own.right)
            ? []
            : [
                section(
                  "Cost against right answers",
                  scatter(scores, own, desk.results.length),
                  "Right: the answer says everything that it must. Up and to the left is better. Hindsight is a perfect router without a cache."
                )
              ]),
          section(
            "What each contributed, in this order",
            contributions(findings, strong, own),
            "In another order the shares differ, the sum does not; the table below has each alone."
          )
        ]),
    ...(labels.count === 0
      ? []
      : [
          section(
            `Labels right: ${percent(labels.accuracy)} of ${labels.count}`,
            bars(
              "Labels right, by label",
              labels.rows.map(({ accuracy, count, label }) => ({
                name: `${label} (${count})`,
                value: accuracy,
                said: percent(accuracy)
              })),
              1
            ),
            `Of the ${labels.distinct} tickets that differ, ${percent(labels.distinctAccuracy)}. No ticket asks as the rows do that trained the classifier.`
          )
        ]),
    section(
      "Who answered",
      bars("Answers by source", [
        ...outcomes.map(
          ([name, value]): Bar => ({
            name: `cache: ${name}`,
            value,
            said: `${value}`,
            kind: "good"
          })
        ),
        ...Object.entries(desk.report.models).map(([name, value]) => ({ name, value, said: `${value} calls` })),
        { name: "refused by a limit", value: own.refused, said: `${own.refused}`, kind: "soft" }
      ]),
      `${own.refusedWrongly} of the refused tickets had an answer.`
    ),
    section(
      "Latency",
      desk.results.length === 0
        ? ""
        : histogram(
            desk.results.map(({ latencyMs }) => latencyMs),
            [
              ["p50", p50],
              ["p90", p90],
              ["p99", p99]
            ]
          ),
      provider === "offline"
        ? "The pipeline's own time, several tickets at once: the offline model answers at once. A real model adds its seconds to every ticket that the cache does not answer."
        : "From the ticket to the last part of its answer, several tickets at once."
    ),
    section(
      `Redacted: ${redactedSum} values`,
      redacted.length === 0
        ? ""
        : bars(
            "Values redacted, by type",
            redacted.map(([name, value]) => ({ name, value, said: `${value}` }))
          ),
      `The tickets hold ${desk.planted} personal values; ${desk.leaked.length} of them reached a model, in ${desk.sent} calls. What is redacted beyond them is caution: such as a country in a question about delivery.`
    )
  ]
  const tables = [
    ...(strong === undefined
      ? []
      : [
          section(
            "Beside the other ways",
            table(
              ["", "cost", "beside strong", "model calls", "right", "of what was due", "declined", "refused"],
              [...scores, own].map((score) => [
                score.name,
                dollars(score.costUsd),
                change(score, strong),
                `${score.modelCalls}`,
                percent(score.right),
                percent(score.said),
                percent(score.declined),
                `${score.refused}`
              ]),
              scores.length
            ),
            "Declined: of what the desk is not for, the share that got no made-up answer. Prices are those of the catalogue; those of the offline models are declared, not paid."
          )
        ]),
    ...(labels.count === 0
      ? []
      : [
          section(
            "Labels against labels",
            table(
              ["is", ...names.map((name) => `as ${name}`)],
              labels.rows.map(({ as, label }) => [label, ...names.map((name) => `${as[name] ?? 0}`)])
            )
          )
        ])
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Support desk: ${desk.results.length} tickets</title><style>${style}</style></head>
<body><main><h1>Support desk: ${desk.results.length} tickets</h1>
<p class="lead">${stopped ? "Stopped before the end. " : ""}${desk.report.attempts} model calls at ${escape(provider)}, ${desk.report.cacheHits} answers from the cache, ${dollars(own.costUsd)} in all${strong === undefined ? "" : ` (always strong: ${dollars(strong.costUsd)})`}. Audit log: ${desk.audit.verified} of ${desk.audit.records} records verified${desk.audit.valid ? "" : ", and it is NOT as it was signed"}.</p>
<ul class="goals">${found.join("")}</ul>
<div class="plots">${plots.join("")}</div>
${tables.map((one) => one.replace("<section>", '<section class="wide">')).join("\n")}
</main></body></html>
`
}

/** The report as one HTML page beside the pictures: light and dark, desktop and phone; it loads nothing but them. */
import { Cost } from "@interlock/model"
import { folderOf, nameOf, saidOf } from "./provenance.ts"
import type { Result } from "./run.ts"
import type { Summary } from "./summary.ts"

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const style = `
:root{color-scheme:light dark;--back:#faf8f4;--card:#fff;--ink:#2a2622;--faint:#6f685f;--line:#e6e0d6;--good:#1f8a5b;--bad:#b3402e}
@media (prefers-color-scheme:dark){:root{--back:#171614;--card:#211f1d;--ink:#ece8e2;--faint:#a49c91;--line:#383430;--good:#4cc094;--bad:#e58370}}
*{box-sizing:border-box}a{color:inherit}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:17px;margin:0 0 4px}
p{margin:0 0 10px}.faint,figcaption{color:var(--faint)}.bad{color:var(--bad)}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px;margin-top:16px}
.figures{display:flex;flex-wrap:wrap;gap:6px 28px;margin:14px 0;padding:0;list-style:none}.figures b{display:block;font-size:18px}
.pictures{display:grid;gap:14px;grid-template-columns:repeat(auto-fill,minmax(min(240px,100%),1fr));margin-top:10px}
figure{margin:0;min-width:0}figure img{width:100%;height:auto;display:block;border-radius:6px;border:1px solid var(--line)}
figure.picked img{outline:3px solid var(--good);outline-offset:1px}
figcaption{font-size:13px;padding-top:4px}figcaption b{color:var(--ink)}.picked figcaption b.mark{color:var(--good)}
details{margin-top:10px}summary{cursor:pointer;color:var(--faint)}
table{border-collapse:collapse;width:100%;font-size:13px}td,th{text-align:left;padding:3px 10px 3px 0;vertical-align:top;border-bottom:1px solid var(--line)}
code{font-size:12px;overflow-wrap:anywhere}.scroll{overflow-x:auto}
.sheet{max-width:100%;height:auto;border:1px solid var(--line);border-radius:8px;margin-top:8px}
`

const money = (usd: number | undefined): string => (usd === undefined ? "–" : Cost.format(usd))

const section = ({ asked, outcome, records, steps }: Result): string => {
  const pictures = steps.draw?.pictures ?? []
  const picked = steps.pick?.[0]?.index
  const [record] = records
  const figures = pictures.map((drawn) => {
    const { height, width } = drawn.image
    const score = steps.score?.find(({ index }) => index === drawn.index)
    const chosen = drawn.index === picked
    const alternative = chosen ? (steps.caption?.text ?? "") : (steps.expand?.text ?? "")
    const path = encodeURI(`${folderOf(asked.id)}/${nameOf(drawn)}`)
    const size = width === undefined || height === undefined ? "" : ` width="${width}" height="${height}"`
    const why = score?.findings.map(({ name, said }) => `${name}: ${said}`).join("; ") ?? ""
    return `<figure${chosen ? ' class="picked"' : ""}><a href="${path}.png"><img src="${path}.png" alt="${escape(alternative)}" loading="lazy"${size}></a><figcaption title="${escape(why)}">${chosen ? '<b class="mark">picked</b> · ' : ""}${drawn.seed === undefined ? `no. ${drawn.index + 1}` : `seed ${drawn.seed}`} · <b>${score === undefined ? "–" : score.score.toFixed(2)}</b> · ${money(saidOf(drawn.metadata).costUsd)} · <a href="${path}.json">record</a></figcaption></figure>`
  })
  const failed = (steps.draw?.failed ?? []).map(
    ({ index, message, seed }) =>
      `<p class="bad">${seed === undefined ? `no. ${index + 1}` : `seed ${seed}`}: ${escape(message)}</p>`
  )
  const best = steps.pick?.[0]
  const why =
    best === undefined
      ? ""
      : `<details><summary>Why this one, and how it came about</summary><div class="scroll"><table><tr><th>looked at</th><th>worth</th><th>found</th></tr>${best.findings
          .map(
            ({ name, said, value }) =>
              `<tr><td>${escape(name)}</td><td>${value.toFixed(2)}</td><td>${escape(said)}</td></tr>`
          )
          .join("")}</table><table><tr><th>step</th><th>model</th><th>input</th><th>output</th></tr>${(
          records.find((each) => each.picked)?.steps ?? []
        )
          .map(
            ({ input, model, output, step, version }) =>
              `<tr><td>${escape(step)} ${escape(version)}</td><td>${escape(model)}</td><td><code>${input.slice(0, 16)}…</code></td><td><code>${output.slice(0, 16)}…</code></td></tr>`
          )
          .join("")}</table></div></details>`
  const ended =
    outcome === undefined
      ? '<p class="bad">Stopped before it was done.</p>'
      : outcome.failure === undefined
        ? ""
        : `<p class="bad">${escape(outcome.message ?? outcome.failure)}</p>`
  return `<section><h2>${escape(asked.id)}</h2><p>${escape(asked.prompt)}</p>${
    record === undefined
      ? ""
      : `<p class="faint">${record.prompt.text === asked.prompt ? "" : `As it left: ${escape(record.prompt.text)}<br>`}Written out: ${escape(record.expanded)}</p>`
  }${steps.caption === undefined || steps.caption.text === "" ? "" : `<p>Caption: ${escape(steps.caption.text)}</p>`}${ended}${failed.join("")}<div class="pictures">${figures.join("")}</div>${why}</section>`
}

/** The page. */
export const page = (results: ReadonlyArray<Result>, summary: Summary): string => {
  const figures: ReadonlyArray<readonly [string, string]> = [
    ["prompts", `${summary.prompts}`],
    ["pictures", `${summary.pictures}`],
    ["refused", `${summary.refused}`],
    ["model calls", `${summary.modelCalls}`],
    ["from earlier runs", `${summary.kept}`],
    ["cost", money(summary.costUsd)],
    ["saved", money(summary.savedUsd)]
  ]
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Text to image</title><style>${style}</style></head><body><main><h1>Text to image</h1><p class="faint">Written out by ${escape(summary.writer)}, drawn by ${escape(summary.painter)}. ${escape(summary.leakage)}${summary.stopped ? " Stopped before the end." : ""}</p><ul class="figures">${figures
    .map(([name, value]) => `<li><b>${escape(value)}</b>${name}</li>`)
    .join(
      ""
    )}</ul>${summary.pictures === 0 ? "" : '<a href="contact-sheet.png"><img class="sheet" src="contact-sheet.png" alt="Contact sheet: all pictures of this run"></a>'}${results.map(section).join("")}</main></body></html>\n`
}

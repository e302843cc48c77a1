/** A progress bar on standard error, where that is a terminal: one step after the other. */
import type { Collector } from "@interlock/collector"
import { SingleBar } from "cli-progress"

const doing: { readonly [step in Collector.StepName]: string } = {
  plan: "reading",
  ask: "asking",
  judge: "judging",
  deduplicate: "looking for repetitions",
  decontaminate: "looking for evaluation sets",
  split: "splitting",
  write: "writing"
}

export const showProgress = () => {
  const bar = new SingleBar(
    { format: " {step} {bar} {value}/{total}", hideCursor: true, clearOnComplete: true, fps: 10 },
    { format: "", barCompleteChar: "█", barIncompleteChar: "░" }
  )
  const shown = process.stderr.isTTY === true
  let step: string | undefined
  return {
    tell: (progress: Collector.Progress) => {
      if (!shown) return
      const total = progress.total ?? progress.done
      if (step !== progress.step) {
        if (step !== undefined) bar.stop()
        step = progress.step
        bar.start(total, progress.done, { step: doing[progress.step].padEnd(27) })
        return
      }
      if (progress.total === undefined) bar.setTotal(total)
      bar.update(progress.done)
    },
    stop: () => {
      if (step !== undefined) bar.stop()
    }
  }
}

/** Runs prompts through the studio: shows what is under way, saves pictures as they come, and sums up. */
import { join } from "node:path"
import type { Pipeline } from "@interlock/core"
import { Caller, Chat, Image, Journal, type ModelReference, Prompt, RawPrompt } from "@interlock/model"
import { type Report, Workload } from "@interlock/workload"
import { SingleBar } from "cli-progress"
import { Context, Effect, FileSystem, Stream } from "effect"
import type { Asked } from "./order.ts"
import { folderOf, Gallery, nameOf, type Recorded } from "./provenance.ts"
import { type Answer, type DrawPart, Order, Streaming, studio } from "./studio.ts"

/** What became of a prompt. */
export interface Result {
  readonly asked: Asked
  readonly outcome: Report.Outcome | undefined
  /** What its calls left behind, also of one that was stopped. */
  readonly events: ReadonlyArray<Journal.Event>
  /** What the steps had answered when it ended, all of them or those before it failed or was stopped. */
  readonly steps: Partial<Answer["steps"]>
  readonly records: ReadonlyArray<Recorded>
}

export interface Settings {
  readonly count: number
  readonly seed: number
  readonly shape: Order["Service"]["shape"]
  readonly painter: ModelReference
  readonly sees: boolean
  readonly streaming: boolean
  readonly concurrency: number
}

/** What the chain has answered so far is the fold of its parts. */
const fold = studio.protocol as Pipeline.Protocol<unknown, Answer>

/** What is under way: a bar on a terminal, lines elsewhere. */
const makeProgress = (total: number, streaming: boolean) => {
  const shown = process.stderr.isTTY === true
  const bar = new SingleBar(
    { format: " {bar} {value}/{total} pictures | {said}", hideCursor: true, clearOnComplete: true },
    { format: "", barCompleteChar: "█", barIncompleteChar: "░" }
  )
  if (shown) bar.start(total, 0, { said: "" })
  return {
    say: (said: string) => {
      if (shown) bar.update({ said })
      else if (streaming) process.stderr.write(`${said}\n`)
    },
    more: () => shown && bar.increment(),
    stop: Effect.sync(() => shown && bar.stop())
  }
}

/** Saves what a part brings: pictures of the work in progress where they are wanted, and finished ones at once. */
const save = Effect.fnUntraced(function* (
  id: string,
  draw: DrawPart,
  settings: Settings,
  progress: ReturnType<typeof makeProgress>
) {
  const name = nameOf(draw)
  if (draw.type === "failed") return progress.say(`${id} ${name}: ${draw.message}`)
  const event = Image.eventOf(draw.part)
  if (event?._tag !== "Partial" && event?._tag !== "Final") return
  const files = yield* FileSystem.FileSystem
  const folder = join((yield* Gallery).folder, folderOf(id))
  const partial = join(folder, `${name}.partial.png`)
  yield* files.makeDirectory(folder, { recursive: true })
  if (event._tag === "Partial") {
    if (!settings.streaming) return
    yield* files.writeFile(partial, Image.bytes(event.picture))
    return progress.say(`${id} ${name}: partial picture ${event.step + 1}, ${partial}`)
  }
  yield* files.writeFile(join(folder, `${name}.png`), Image.bytes(event.made))
  yield* files.remove(partial, { force: true })
  progress.more()
  progress.say(`${id} ${name}: drawn`)
})

/** Of a picture that was not finished nothing is left. */
const removePartials = Effect.fnUntraced(function* (files: FileSystem.FileSystem, folder: string) {
  const names = yield* files.readDirectory(folder)
  yield* Effect.forEach(
    names.filter((name) => name.endsWith(".partial.png")),
    (name) => files.remove(join(folder, name), { force: true })
  )
})

/** Runs the prompts, `concurrency` at a time. `finish` sees what is there when all is done, or on an interrupt. */
export const run = <A, E, R>(
  prompts: ReadonlyArray<Asked>,
  settings: Settings,
  finish: (results: ReadonlyArray<Result>, stopped: boolean) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const progress = makeProgress(prompts.length * settings.count, settings.streaming)
    const steps = new Map<string, Partial<Answer["steps"]>>()
    const outcomes = new Map<string, Report.Outcome>()
    const journals = new Map<string, Journal.Journal>()
    const files = yield* FileSystem.FileSystem
    const { folder } = yield* Gallery
    const ask = (asked: Asked) => {
      const facts = RawPrompt.context(Prompt.make(asked.prompt)).pipe(
        Context.add(Caller, { tenant: "studio", conversation: asked.id }),
        Context.add(Order, { id: asked.id, ...settings })
      )
      let whole = fold.empty()
      const record = Effect.map(Journal.current, (journal) => journal && journals.set(asked.id, journal))
      return Stream.unwrap(Effect.as(record, studio.stream(facts))).pipe(
        Stream.runForEach((part) => {
          whole = fold.append(whole, part)
          steps.set(asked.id, whole.steps)
          return part.type === "step" && part.step === "draw"
            ? save(asked.id, part.part, settings, progress)
            : Effect.void
        }),
        Effect.ensuring(Effect.ignore(removePartials(files, join(folder, folderOf(asked.id))))),
        Effect.provideService(Streaming, settings.streaming),
        Effect.map((): Chat.Answer => ({ ...Chat.empty, text: whole.steps.caption.text }))
      )
    }
    const results = () =>
      prompts.flatMap((asked): ReadonlyArray<Result> => {
        const known = steps.get(asked.id)
        const outcome = outcomes.get(asked.id)
        if (known === undefined && outcome === undefined) return []
        const records = (known?.record?.metadata["records"] ?? []) as ReadonlyArray<Recorded>
        const events = outcome?.events ?? journals.get(asked.id)?.events() ?? []
        return [{ asked, outcome, events, steps: known ?? {}, records }]
      })
    return yield* Effect.forEach(
      prompts,
      (asked) =>
        Effect.map(
          Workload.call(asked, () => ask(asked)),
          (outcome) => void outcomes.set(asked.id, outcome)
        ),
      { concurrency: settings.concurrency, discard: true }
    ).pipe(
      Effect.onInterrupt(() => Effect.andThen(progress.stop, Effect.ignore(finish(results(), true)))),
      Effect.ensuring(progress.stop),
      Effect.andThen(Effect.suspend(() => finish(results(), false)))
    )
  })

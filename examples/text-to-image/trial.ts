/**
 * How often the scorer is right: of pictures with so many things of a colour, how many it counts, and whether it prefers the picture with
 * the right number to one of the same scene with a wrong one. `node trial.ts`, or `node trial.ts SEED` for other scenes.
 */

import { Pipeline } from "@interlock/core"
import { Caller, Catalogue, Image, Parameters, Prompt, RawPrompt } from "@interlock/model"
import { callImageModel, Models, OfflineImageModel } from "@interlock/providers"
import { checkImageRequest } from "@interlock/stages/checkImageRequest"
import { redact } from "@interlock/stages/redact"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { layerFixed, selectModelUnclassified } from "@interlock/stages/selectModel"
import { Context, Effect, Layer } from "effect"
import { score } from "./score.ts"
import { wishesOf } from "./words.ts"

const colours = ["red", "blue", "green", "purple", "pink", "orange", "yellow"]
const whole = ["cars", "cups", "apples", "hearts", "squares", "fish", "umbrellas", "balloons", "stars"]
const parted = ["kites", "gifts", "tents"]
const places = ["on a beach", "in the snow", "in a city", "at night", "in the desert", "in a meadow"]
const numbers = ["one", "two", "three", "four", "five", "six"]

const draw = Pipeline.make("draw", { input: [RawPrompt, Caller, Parameters], protocol: Image.protocol })
  .use(selectModelUnclassified)
  .use(redact)
  .use(checkImageRequest)
  .to(callImageModel)

const services = Layer.mergeAll(
  layerFixed({ provider: "offline", model: "offline-image" }),
  Models.layer([OfflineImageModel.make()]),
  Detector.layer,
  Vault.layerMemory
).pipe(Layer.provideMerge(Catalogue.layer))

const pictureOf = (prompt: string, seed: number) =>
  Effect.map(
    draw.run(
      RawPrompt.context(Prompt.make(prompt)).pipe(
        Context.add(Caller, { tenant: "trial" }),
        Context.add(Parameters, { image: { size: "768x512", count: 1, seed } })
      )
    ),
    ({ images }) => Image.bytes(images[0]!)
  )

const trial = Effect.fnUntraced(function* (things: ReadonlyArray<string>, scenes: number, seed: number) {
  let state = seed
  const any = (count: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * count)
  }
  const found = { scenes, exact: 0, withinOne: 0, preferred: 0 }
  for (let scene = 0; scene < scenes; scene++) {
    const [colour, thing, place] = [colours[any(7)]!, things[any(things.length)]!, places[any(6)]!]
    const right = 2 + any(5)
    const wrong = 2 + ((right - 2 + 1 + any(4)) % 5)
    const prompt = (count: number) => `${numbers[count - 1]} ${colour} ${thing} ${place}`
    const wishes = wishesOf(prompt(right))
    const own = yield* Effect.flatMap(pictureOf(prompt(right), scene), (png) =>
      Effect.promise(() => score(png, wishes))
    )
    const other = yield* Effect.flatMap(pictureOf(prompt(wrong), scene), (png) =>
      Effect.promise(() => score(png, wishes))
    )
    const seen = own.wants[0]?.seen ?? -1
    if (seen === right) found.exact++
    if (seen >= 0 && Math.abs(seen - right) <= 1) found.withinOne++
    if (own.score > other.score) found.preferred++
  }
  return found
})

const seed = Number(process.argv[2] ?? 2026)
const found = await Effect.runPromise(
  Effect.all({ whole: trial(whole, 80, seed), parted: trial(parted, 30, seed) }).pipe(Effect.provide(services))
)
console.log(JSON.stringify(found))

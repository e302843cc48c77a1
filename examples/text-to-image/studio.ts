/**
 * The pipelines of the studio, and the chain that they make:
 *
 *     prompt → expand → draw (N pictures with their seeds) → score → pick → caption → record
 *
 * Each step is a pipeline of its own. Those that ask a model begin with the same preset, `asking`: no model sees a prompt that was not
 * redacted and held against the policy, and every call leaves a signed record. Change a step here, or put another in its place.
 */
import { Pipeline, Reply, Stage } from "@interlock/core"
import {
  Caller,
  Catalogue,
  Chat,
  ChosenModel,
  Image,
  type ImageRequest,
  type ModelError,
  type ModelReference,
  Parameters,
  type Part,
  Prompt,
  RawPrompt,
  SafePrompt
} from "@interlock/model"
import { callImageModel, callModel } from "@interlock/providers"
import { audit, auditText } from "@interlock/stages/audit"
import { cache } from "@interlock/stages/cache"
import { chain } from "@interlock/stages/chain"
import { checkImageRequest } from "@interlock/stages/checkImageRequest"
import { checkRequest } from "@interlock/stages/checkRequest"
import { codeOf as jsonOf } from "@interlock/stages/judge"
import { limit } from "@interlock/stages/limit"
import { redact } from "@interlock/stages/redact"
import * as Redaction from "@interlock/stages/redact/policy"
import { retry } from "@interlock/stages/retry"
import { selectModelUnclassified } from "@interlock/stages/selectModel"
import { Context, Effect, Result, Schema, Stream } from "effect"
import sharp from "sharp"
import { policy } from "./policy.ts"
import { Brief, digest, writeRecord } from "./provenance.ts"
import { type Score, score } from "./score.ts"
import { codeOf, dated, kept, type Made, step } from "./steps.ts"
import { tasks } from "./tasks.ts"
import { type Wishes, wishesOf } from "./words.ts"

// ---------------------------------------------------------------------------------------------------------------
// Facts
// ---------------------------------------------------------------------------------------------------------------

/** What is ordered beside the prompt. */
export class Order extends Context.Service<
  Order,
  {
    /** Under which the pictures are filed. */
    readonly id: string
    readonly count: number
    /** Of the first picture; the next ones count up. */
    readonly seed: number
    readonly shape: Pick<ImageRequest.ImageSettings, "size" | "aspectRatio">
    readonly painter: ModelReference
    /** Whether the model that writes can see: it is shown the pictures then, to grade and to caption them. */
    readonly sees: boolean
  }
>()("text-to-image/Order") {}

/** The pictures that were drawn. */
export class Pictures extends Context.Service<Pictures, ReadonlyArray<Drawn>>()("text-to-image/Pictures") {}

/** What is to be seen in them. */
export class Wish extends Context.Service<Wish, Wishes>()("text-to-image/Wish") {}

/** What each is worth. */
export class Scores extends Context.Service<Scores, ReadonlyArray<Scored>>()("text-to-image/Scores") {}

/** Whether pictures of the work in progress are wanted. */
export const Streaming: Context.Reference<boolean> = Context.Reference("text-to-image/Streaming", {
  defaultValue: () => false
})

// ---------------------------------------------------------------------------------------------------------------
// What every step that asks a model begins with
// ---------------------------------------------------------------------------------------------------------------

/** Tokens of an answer: a model that thinks first needs more than its sentence. */
const room = 2000

/** The code that answers in the place of a model is part of what an answer depends on. */
const writer = codeOf(import.meta.dirname, "writer.ts", "words.ts")
const scorer = codeOf(import.meta.dirname, "score.ts", "look.ts", "words.ts")

const input = [RawPrompt, Caller, Parameters] as const

const asked = (task: string, user: string, files: ReadonlyArray<Prompt.FilePart> = []) =>
  Prompt.make([
    { role: "system", content: task },
    { role: "user", content: files.length === 0 ? user : [{ type: "text", text: user }, ...files] }
  ])

const facts = (prompt: Prompt.Prompt, caller: Caller["Service"], settings: Parameters["Service"]) =>
  RawPrompt.context(prompt).pipe(Context.add(Caller, caller), Context.add(Parameters, settings))

const asking = Pipeline.make("asking", { input, protocol: Chat.protocol })
  .use(audit)
  .use(selectModelUnclassified)
  .use(redact)
  .use(auditText)
  .use(policy)

/** What left the process, for the report. */
export class Witness extends Context.Service<Witness, Array<string>>()("text-to-image/Witness") {}

const witness = Stage.around(
  "witness",
  { needs: { prompt: SafePrompt } },
  Effect.fnUntraced(function* ({ prompt }, next) {
    const seen = yield* Witness
    seen.push(Prompt.text(prompt))
    return yield* next()
  })
)

// ---------------------------------------------------------------------------------------------------------------
// Expand: the scene is written out
// ---------------------------------------------------------------------------------------------------------------

export const expand = Pipeline.make("expand", { input, protocol: Chat.protocol })
  .use(asking)
  .use(checkRequest)
  .use(step("expand", "1", { studio: writer }))
  .use(cache)
  .use(retry)
  .use(limit)
  .use(dated)
  .use(witness)
  .to(callModel)

// ---------------------------------------------------------------------------------------------------------------
// Draw: so many pictures, each with a seed of its own
// ---------------------------------------------------------------------------------------------------------------

/** Pictures of the work in progress are asked for below the cache: a picture is the same with them and without. */
const partials = Stage.derive(
  "partials",
  { needs: { model: ChosenModel, settings: Parameters }, adds: Parameters },
  Effect.fnUntraced(function* ({ model, settings }) {
    const catalogue = yield* Catalogue.Catalogue
    const some = catalogue.find(model.provider, model.model)?.images?.partialImages._tag !== "Unsupported"
    return { ...settings, image: { ...settings.image, partialImages: some && (yield* Streaming) ? 2 : 0 } }
  })
)

export const picture = Pipeline.make("picture", { input, protocol: Image.protocol })
  .use(asking)
  .use(step("picture", "1"))
  .use(cache)
  .use(partials)
  .use(checkImageRequest)
  .use(retry)
  .use(limit)
  .use(dated)
  .use(witness)
  .to(callImageModel)

/** A picture, and what its model said of it. */
export interface Drawn {
  readonly index: number
  readonly seed: number | undefined
  readonly image: Image.Made
  /** What Interlock says of the reply: cost, step, time. */
  readonly metadata: Image.Images["metadata"]
}

/** A part of the reply that is to become picture `index`, or why there is none. */
export type DrawPart =
  | { readonly type: "part"; readonly index: number; readonly seed: number | undefined; readonly part: Part.Part }
  | { readonly type: "failed"; readonly index: number; readonly seed: number | undefined; readonly message: string }

export interface Drawings {
  readonly pictures: ReadonlyArray<Drawn>
  readonly failed: ReadonlyArray<Extract<DrawPart, { readonly type: "failed" }>>
  readonly open: { readonly [index: number]: Image.Images }
}

const drawings: Pipeline.Protocol<DrawPart, Drawings> = {
  empty: () => ({ pictures: [], failed: [], open: {} }),
  append: (whole, part) => {
    if (part.type === "failed") return { ...whole, failed: [...whole.failed, part] }
    const { index, seed } = part
    const images = Image.protocol.append(whole.open[index] ?? Image.empty, part.part)
    const [image] = images.images
    if (part.part.type !== "finish" || image === undefined)
      return { ...whole, open: { ...whole.open, [index]: images } }
    const { [index]: _, ...open } = whole.open
    const drawn: Drawn = { index, seed: image.seed ?? seed, image, metadata: images.metadata }
    return { ...whole, open, pictures: [...whole.pictures, drawn].sort((one, other) => one.index - other.index) }
  }
}

const takesSeeds = (catalogue: Catalogue.Catalogue["Service"], { model, provider }: ModelReference): boolean =>
  catalogue.find(provider, model)?.images?.seed._tag !== "Unsupported"

/** One call for each seed, some at a time. A picture that fails is reported, and the others are drawn; all failing is a failure. */
const everySeed = Pipeline.handler(
  "everySeed",
  { needs: { prompt: RawPrompt, caller: Caller, order: Order } },
  Effect.fnUntraced(function* ({ caller, order, prompt }) {
    const seeded = takesSeeds(yield* Catalogue.Catalogue, order.painter)
    let first: ModelError.ModelError | undefined
    let drawn = 0
    const one = (index: number) => {
      const seed = seeded ? order.seed + index : undefined
      const facts = RawPrompt.context(prompt).pipe(
        Context.add(Caller, caller),
        Context.add(Parameters, {
          image: { ...order.shape, count: 1, ...(seed === undefined ? {} : { seed }) },
          // Where there are no seeds, the pictures of an order are told apart by their number.
          ...(seed === undefined ? { providerOptions: { interlock: { take: order.seed + index } } } : {})
        })
      )
      return Stream.unwrap(Effect.map(picture.handle(facts), Reply.toStream)).pipe(
        Stream.map((part): DrawPart => {
          if (part.type === "finish") drawn++
          return { type: "part", index, seed, part }
        }),
        Stream.catchTag("ModelError", (error) => {
          first ??= error
          return Stream.succeed<DrawPart>({ type: "failed", index, seed, message: error.message })
        })
      )
    }
    const none = Stream.suspend(() =>
      drawn === 0 && first !== undefined ? Stream.fail(first) : (Stream.empty as Stream.Stream<DrawPart>)
    )
    const all = Stream.fromIterable(Array.from({ length: order.count }, (_, index) => index)).pipe(
      Stream.flatMap(one, { concurrency: 4 }),
      Stream.concat(none)
    )
    return (yield* Reply.Delivery) === "live"
      ? yield* Reply.liveAfterFirst(all)
      : Reply.whole(yield* Stream.runCollect(all))
  })
)

export const draw = Pipeline.make("draw", { input: [RawPrompt, Caller, Order], protocol: drawings }).to(everySeed)

// ---------------------------------------------------------------------------------------------------------------
// Score: every picture is looked at
// ---------------------------------------------------------------------------------------------------------------

export interface Scored extends Score {
  readonly index: number
  readonly made: Made
}

const list = <A>(): Pipeline.Protocol<A, ReadonlyArray<A>> => ({
  empty: () => [],
  append: (whole, part) => [...whole, part]
})

/** The pictures that models are shown here are our own, so `redact` may let them pass. */
const ownPictures = Stage.around("ownPictures", { needs: {} }, (_, next) =>
  Effect.provideService(next(), Redaction.Policy, Redaction.make({ files: "pass" }))
)

/** A model that sees is asked for a grade, where there is one. */
export const eye = Pipeline.make("eye", { input, protocol: Chat.protocol })
  .use(ownPictures)
  .use(asking)
  .use(checkRequest)
  .use(step("eye", "1"))
  .use(cache)
  .use(retry)
  .use(limit)
  .use(dated)
  .use(witness)
  .to(callModel)

const Grade = Schema.fromJsonString(
  Schema.Struct({
    grade: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 10 })),
    why: Schema.optionalKey(Schema.String)
  })
)
const decodeGrade = Schema.decodeUnknownResult(Grade)

/** The picture as it is shown to a model: small, for a glance does. */
const shown = (image: Image.Picture): Effect.Effect<Prompt.FilePart> =>
  Effect.map(
    Effect.promise(() =>
      sharp(Image.bytes(image)).resize(768, 768, { fit: "inside" }).jpeg({ quality: 85 }).toBuffer()
    ),
    (jpeg) => ({ type: "file", mediaType: "image/jpeg", data: jpeg.toString("base64") })
  )

/** Half of the score is the grade; what is no grade is no vote. */
const graded = (pixels: Score, text: string): Score => {
  const grade = decodeGrade(jsonOf(text))
  if (Result.isFailure(grade)) {
    return { ...pixels, findings: [...pixels.findings, { name: "judge", value: 0, weight: 0, said: "gave no grade" }] }
  }
  const weight = pixels.findings.reduce((sum, finding) => sum + finding.weight, 0)
  const value = grade.success.grade / 10
  const finding = { name: "judge", value, weight, said: grade.success.why ?? "no reason given" }
  return { ...pixels, score: (pixels.score + value) / 2, findings: [...pixels.findings, finding] }
}

const measure = Pipeline.handler(
  "measure",
  { needs: { prompt: RawPrompt, caller: Caller, order: Order, pictures: Pictures, wishes: Wish } },
  Effect.fnUntraced(function* ({ caller, order, pictures, prompt, wishes }) {
    const scored = yield* Effect.forEach(
      pictures,
      Effect.fnUntraced(function* ({ image, index }) {
        const bytes = Image.bytes(image)
        const { made, value } = yield* kept(
          "score",
          scorer,
          { picture: digest(bytes), wishes },
          Effect.promise(() => score(bytes, wishes))
        )
        if (!order.sees) return { ...value, index, made } satisfies Scored
        const question = asked(tasks.eye, Prompt.lastUserText(prompt), [yield* shown(image)])
        // A judge that fails is no vote either.
        const answer = yield* Effect.orElseSucceed(
          eye.run(facts(question, caller, { maxOutputTokens: room })),
          () => Chat.empty
        )
        return { ...graded(value, answer.text), index, made } satisfies Scored
      }),
      { concurrency: 2 }
    )
    return Reply.whole(scored)
  })
)

export const judge = Pipeline.make("score", {
  input: [RawPrompt, Caller, Order, Pictures, Wish],
  protocol: list<Scored>()
}).to(measure)

// ---------------------------------------------------------------------------------------------------------------
// Pick: the best one, the earlier of two that are as good
// ---------------------------------------------------------------------------------------------------------------

const best = Pipeline.handler("best", { needs: { scores: Scores } }, ({ scores }) => {
  const [first, ...rest] = scores
  const chosen =
    first === undefined ? [] : [rest.reduce((one, other) => (other.score > one.score ? other : one), first)]
  return Effect.succeed(Reply.whole(chosen))
})

export const pick = Pipeline.make("pick", { input: [Scores], protocol: list<Scored>() }).to(best)

// ---------------------------------------------------------------------------------------------------------------
// Caption: alternative text, in the language of the prompt
// ---------------------------------------------------------------------------------------------------------------

export const caption = Pipeline.make("caption", { input, protocol: Chat.protocol })
  .use(ownPictures)
  .use(asking)
  .use(checkRequest)
  .use(step("caption", "1", { studio: writer }))
  .use(cache)
  .use(retry)
  .use(limit)
  .use(dated)
  .use(witness)
  .to(callModel)

// ---------------------------------------------------------------------------------------------------------------
// Record: how each picture came about, signed, beside it and in it
// ---------------------------------------------------------------------------------------------------------------

/** It needs the redacted prompt, so a record that names somebody does not compile. */
export const record = Pipeline.make("record", { input: [RawPrompt, Caller, Brief], protocol: Chat.protocol })
  .use(redact)
  .to(writeRecord)

// ---------------------------------------------------------------------------------------------------------------
// The chain
// ---------------------------------------------------------------------------------------------------------------

export const studio = chain("text-to-image", { needs: { prompt: RawPrompt, caller: Caller, order: Order } })
  .step("expand", expand, ({ caller, prompt }) =>
    facts(asked(tasks.scene, Prompt.lastUserText(prompt)), caller, { maxOutputTokens: room })
  )
  .step("draw", draw, ({ caller, order }, done) =>
    RawPrompt.context(Prompt.make(done.expand.text)).pipe(Context.add(Caller, caller), Context.add(Order, order))
  )
  .step("score", judge, ({ caller, order, prompt }, done) =>
    RawPrompt.context(prompt).pipe(
      Context.add(Caller, caller),
      Context.add(Order, order),
      Context.add(Pictures, done.draw.pictures),
      Context.add(Wish, wishesOf(Prompt.lastUserText(prompt)))
    )
  )
  .step("pick", pick, (_, done) => Scores.context(done.score))
  .step(
    "caption",
    caption,
    Effect.fnUntraced(function* ({ caller, order, prompt }, done) {
      const [chosen] = done.pick
      const material = {
        asked: Prompt.lastUserText(prompt),
        wants: chosen?.wants ?? [],
        palette: chosen?.palette ?? []
      }
      const drawn = done.draw.pictures.find(({ index }) => index === chosen?.index)
      const files = order.sees && drawn !== undefined ? [yield* shown(drawn.image)] : []
      return facts(asked(tasks.caption, JSON.stringify(material), files), caller, { maxOutputTokens: room })
    })
  )
  .step("record", record, ({ caller, order, prompt }, done) =>
    RawPrompt.context(
      Prompt.make(
        [Prompt.lastUserText(prompt), done.expand.text, done.caption.text].map((content) => ({ role: "user", content }))
      )
    ).pipe(
      Context.add(Caller, caller),
      Context.add(Brief, {
        id: order.id,
        pictures: done.draw.pictures,
        scores: done.score,
        picked: done.pick[0]?.index,
        painter: order.painter,
        expand: done.expand.metadata,
        caption: done.caption.metadata
      })
    )
  )

/** What the chain answers. */
export type Answer = Effect.Success<ReturnType<typeof studio.run>>

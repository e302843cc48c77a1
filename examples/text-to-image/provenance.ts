/**
 * How a picture came about: a record beside it (JSON, signed) and in it (XMP).
 *
 * The words are those of C2PA (`actions`, `softwareAgent`, `digitalSourceType`) and of the IPTC Photo Metadata Standard 2025.1
 * (`DigitalSourceType`, `AISystemUsed`, `AIPromptInformation`, `AltTextAccessibility`). It is modelled on a C2PA manifest and is none:
 * that needs a certificate, and a signer such as `c2patool`.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto"
import { dirname, join } from "node:path"
import { Pipeline, Reply } from "@interlock/core"
import { Image, type ModelReference, Part, Prompt, SafePrompt } from "@interlock/model"
import { Context, Effect, FileSystem, Layer, Result, Schema } from "effect"
import sharp from "sharp"
import { withXmp } from "./png.ts"
import type { Made } from "./steps.ts"
import type { Drawn, Scored } from "./studio.ts"

export const digest = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex")

// ---------------------------------------------------------------------------------------------------------------
// Facts and services
// ---------------------------------------------------------------------------------------------------------------

/** What is to be recorded, beside the texts, which come redacted. */
export class Brief extends Context.Service<
  Brief,
  {
    readonly id: string
    readonly painter: ModelReference
    readonly pictures: ReadonlyArray<Drawn>
    readonly scores: ReadonlyArray<Scored>
    readonly picked: number | undefined
    /** What the replies of the steps before and after the pictures say of themselves. */
    readonly expand: { readonly [key: string]: unknown }
    readonly caption: { readonly [key: string]: unknown }
  }
>()("text-to-image/Brief") {}

/** The folder that pictures and records are put in. */
export class Gallery extends Context.Service<Gallery, { readonly folder: string }>()("text-to-image/Gallery") {}

/** Signs records. */
export class Signer extends Context.Service<
  Signer,
  { readonly publicKey: string; readonly sign: (text: string) => string }
>()("text-to-image/Signer") {}

/** Signs with an Ed25519 key (RFC 8032) in a file, which is made when it is not there, for its owner only. */
export const layerSigner = (path: string) =>
  Layer.effect(
    Signer,
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      if (!(yield* files.exists(path))) {
        const { privateKey } = generateKeyPairSync("ed25519")
        yield* files.makeDirectory(dirname(path), { recursive: true })
        yield* files.writeFileString(path, privateKey.export({ type: "pkcs8", format: "pem" }).toString(), {
          mode: 0o600
        })
      }
      const key = createPrivateKey(yield* files.readFileString(path))
      return {
        publicKey: createPublicKey(key).export({ type: "spki", format: "der" }).toString("base64"),
        sign: (text) => sign(null, Buffer.from(text), key).toString("base64")
      }
    })
  )

// ---------------------------------------------------------------------------------------------------------------
// Words
// ---------------------------------------------------------------------------------------------------------------

const term = (name: string) => `http://cv.iptc.org/newscodes/digitalsourcetype/${name}`

/** The IPTC term for how a model's pictures come about: the offline model is an algorithm that was trained on nothing. */
export const sourceType = ({ provider }: ModelReference): string =>
  term(provider === "offline" ? "algorithmicMedia" : "trainedAlgorithmicMedia")

interface Step {
  readonly step: string
  readonly version: string
  readonly model: string
  /** The SHA-256 of all that went into the step: the name of its file among the steps. */
  readonly input: string
  /** The SHA-256 of what came out. */
  readonly output: string
  readonly when?: string
  readonly tookMs?: number
  readonly costUsd?: number
}

/** The record of one picture, without its signature. */
export interface Record {
  readonly record: "interlock.text-to-image/1"
  readonly file: { readonly name: string; readonly sha256: string; readonly width: number; readonly height: number }
  /** The bytes as the model gave them, before the record was put into them. */
  readonly original: { readonly mediaType: string; readonly sha256: string }
  /** Redacted: neither the text nor its hash tells what was withheld. */
  readonly prompt: { readonly text: string; readonly sha256: string }
  readonly expanded: string
  readonly model: ModelReference
  readonly seed?: number
  readonly digitalSourceType: string
  readonly actions: ReadonlyArray<{
    readonly action: string
    readonly when?: string
    readonly softwareAgent: { readonly name: string }
    readonly digitalSourceType?: string
    readonly parameters?: { readonly [name: string]: string | number }
  }>
  readonly steps: ReadonlyArray<Step>
  readonly score: { readonly total: number; readonly findings: ReadonlyArray<string> }
  readonly picked: boolean
  readonly altText?: string
}

/** A record with its signature, as it is written. */
export interface Recorded extends Record {
  readonly signature: { readonly algorithm: "Ed25519"; readonly publicKey: string; readonly value: string }
}

const xml = (text: string): string =>
  text
    // What XML 1.0 does not allow is left out.
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")

const alternative = (name: string, text: string | undefined) =>
  text === undefined ? "" : `<${name}><rdf:Alt><rdf:li xml:lang="x-default">${xml(text)}</rdf:li></rdf:Alt></${name}>`

/** The XMP packet that goes into the picture. */
export const xmp = (known: Omit<Record, "file">, when: string | undefined): string =>
  `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">${[
    `<Iptc4xmpExt:DigitalSourceType>${known.digitalSourceType}</Iptc4xmpExt:DigitalSourceType>`,
    `<Iptc4xmpExt:AISystemUsed>${xml(`${known.model.provider}/${known.model.model}`)}</Iptc4xmpExt:AISystemUsed>`,
    `<Iptc4xmpExt:AIPromptInformation>${xml(known.seed === undefined ? known.expanded : `${known.expanded} (seed ${known.seed})`)}</Iptc4xmpExt:AIPromptInformation>`,
    `<xmp:CreatorTool>Interlock text-to-image</xmp:CreatorTool>`,
    when === undefined ? "" : `<xmp:CreateDate>${when}</xmp:CreateDate>`,
    `<dc:identifier>sha256:${known.original.sha256}</dc:identifier>`,
    alternative("dc:description", known.altText ?? known.expanded),
    alternative("Iptc4xmpCore:AltTextAccessibility", known.altText)
  ].join("")}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>`

// ---------------------------------------------------------------------------------------------------------------
// Recording
// ---------------------------------------------------------------------------------------------------------------

const Said = Schema.Struct({
  step: Schema.optionalKey(
    Schema.Struct({ step: Schema.String, version: Schema.String, address: Schema.String, model: Schema.String })
  ),
  made: Schema.optionalKey(Schema.Struct({ at: Schema.Finite, tookMs: Schema.Finite })),
  cost: Schema.optionalKey(Schema.Struct({ usd: Schema.optionalKey(Schema.Finite) })),
  savedCost: Schema.optionalKey(Schema.Struct({ usd: Schema.optionalKey(Schema.Finite) }))
})
const decodeSaid = Schema.decodeUnknownResult(Said)

/** What a reply says of itself: its step, when it was made and what it cost then, from the cache or not. */
export const saidOf = (metadata: { readonly [key: string]: unknown }) => {
  const said = Result.getOrUndefined(decodeSaid(metadata))
  const costUsd = said?.savedCost?.usd ?? said?.cost?.usd
  return {
    step: said?.step as Made | undefined,
    ...(said?.made === undefined ? {} : { when: new Date(said.made.at).toISOString(), tookMs: said.made.tookMs }),
    ...(costUsd === undefined ? {} : { costUsd })
  }
}

const stepOf = (metadata: { readonly [key: string]: unknown }, output: string): ReadonlyArray<Step> => {
  const { step, ...said } = saidOf(metadata)
  if (step === undefined) return []
  return [{ step: step.step, version: step.version, model: step.model, input: step.address, output, ...said }]
}

/** The name of a picture's files, without what follows the dot. */
export const nameOf = ({ index, seed }: Pick<Drawn, "index" | "seed">): string =>
  seed === undefined ? `picture-${index + 1}` : `seed-${seed}`

/** A name of a folder for an id; what a folder's name cannot hold is replaced. */
export const folderOf = (id: string): string =>
  id
    .normalize("NFKC")
    .replaceAll(/[^\p{L}\p{N}_-]+/gu, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 60) || digest(id).slice(0, 12)

/** Writes every picture with its record in it, and the record beside it; says the records in its last part. */
export const writeRecord = Pipeline.handler(
  "writeRecord",
  { needs: { texts: SafePrompt, brief: Brief } },
  Effect.fnUntraced(function* ({ brief, texts }) {
    const files = yield* FileSystem.FileSystem
    const gallery = yield* Gallery
    const signer = yield* Signer
    const [asked = "", expanded = "", altText = ""] = texts.content.map(Prompt.messageText)
    const folder = join(gallery.folder, folderOf(brief.id))
    yield* files.makeDirectory(folder, { recursive: true })
    const records = yield* Effect.forEach(brief.pictures, (drawn) =>
      Effect.gen(function* () {
        const { image, index, metadata, seed } = drawn
        const bytes = Image.bytes(image)
        const { costUsd: _, step: __, tookMs: ___, ...dated } = saidOf(metadata)
        const scored = brief.scores.find((each) => each.index === index)
        const picked = index === brief.picked
        const size = yield* Effect.promise(() => sharp(bytes).metadata())
        const parameters = {
          ...(seed === undefined ? {} : { seed }),
          width: size.width,
          height: size.height
        }
        const system = { name: `${brief.painter.provider}/${brief.painter.model}` }
        const known: Omit<Record, "file"> = {
          record: "interlock.text-to-image/1",
          original: { mediaType: image.mediaType, sha256: digest(bytes) },
          prompt: { text: asked, sha256: digest(asked) },
          expanded,
          model: brief.painter,
          ...(seed === undefined ? {} : { seed }),
          digitalSourceType: sourceType(brief.painter),
          actions: [
            {
              action: "c2pa.created",
              ...dated,
              softwareAgent: system,
              digitalSourceType: sourceType(brief.painter),
              parameters
            },
            { action: "c2pa.edited.metadata", softwareAgent: { name: "Interlock text-to-image" } }
          ],
          steps: [
            ...stepOf(brief.expand, digest(expanded)),
            ...stepOf(metadata, digest(bytes)),
            ...(scored === undefined
              ? []
              : [
                  {
                    step: scored.made.step,
                    version: scored.made.version,
                    model: scored.made.model,
                    input: scored.made.address,
                    output: digest(JSON.stringify(scored.findings))
                  }
                ]),
            ...(picked ? stepOf(brief.caption, digest(altText)) : [])
          ],
          score: {
            total: scored?.score ?? 0,
            findings: (scored?.findings ?? []).map(({ name, said, value }) => `${name}: ${value.toFixed(2)} (${said})`)
          },
          picked,
          ...(picked ? { altText } : {})
        }
        const png = yield* Effect.promise(() => withXmp(bytes, xmp(known, dated.when)))
        const name = `${nameOf(drawn)}.png`
        const whole: Record = {
          ...known,
          file: { name, sha256: digest(png), width: size.width, height: size.height }
        }
        const recorded: Recorded = {
          ...whole,
          signature: { algorithm: "Ed25519", publicKey: signer.publicKey, value: signer.sign(JSON.stringify(whole)) }
        }
        yield* files.writeFile(join(folder, name), png)
        yield* files.writeFileString(join(folder, `${nameOf(drawn)}.json`), `${JSON.stringify(recorded, null, 2)}\n`)
        return recorded
      })
    )
    return Reply.whole([Part.annotate(Part.finish("stop"), { records })])
  })
)

/** What is wrong with a record and its picture, or nothing. */
export const problemOf = (recorded: Recorded, png: Uint8Array): string | undefined => {
  const { signature, ...rest } = recorded
  const key = createPublicKey({ key: Buffer.from(signature.publicKey, "base64"), type: "spki", format: "der" })
  if (!verify(null, Buffer.from(JSON.stringify(rest)), key, Buffer.from(signature.value, "base64"))) {
    return "the record is not as it was signed"
  }
  return digest(png) === recorded.file.sha256 ? undefined : "the picture is not the one that was recorded"
}

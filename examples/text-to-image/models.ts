/** Who writes and who draws, by the keys that there are, and the services that the pipelines run on. */
import { Catalogue, type ImageRequest, type ModelReference, ParameterPolicy } from "@interlock/model"
import { Google, GoogleImages, Models, OfflineImageModel, OpenAi, OpenAiImages } from "@interlock/providers"
import { layerFiles } from "@interlock/stages/audit"
import type * as Disk from "@interlock/stages/audit/disk"
import { layerMemory as layerKeysMemory, layerRootKey } from "@interlock/stages/audit/keys"
import { layerPolicy } from "@interlock/stages/cache/policy"
import { CheckPolicy } from "@interlock/stages/checkRequest"
import { layerStoreMemory, layer as limits } from "@interlock/stages/limit"
import { Detector } from "@interlock/stages/redact/detector"
import { Vault } from "@interlock/stages/redact/vault"
import { layerBudget } from "@interlock/stages/retry"
import { layerRules } from "@interlock/stages/selectModel"
import { Effect, Layer, Redacted } from "effect"
import { keeping, layerFolder } from "./steps.ts"
import { Witness } from "./studio.ts"
import * as Writer from "./writer.ts"

/** The first of these whose key is set writes and draws; without a key, the writer of this example and the offline image model do. */
export const models = Models.layerAvailable([
  Models.withImages(OpenAi.provider(), OpenAiImages.provider()),
  Models.withImages(Google.provider(), GoogleImages.provider()),
  Writer.provider,
  OfflineImageModel.make()
])

interface Cast {
  readonly writer: ModelReference
  readonly painter: ModelReference
  readonly shape: Pick<ImageRequest.ImageSettings, "size" | "aspectRatio">
  /** Whether the writer can see pictures. */
  readonly sees: boolean
}

const casts: { readonly [provider: string]: Cast } = {
  openai: {
    writer: { provider: "openai", model: "gpt-5-mini" },
    painter: { provider: "openai", model: "gpt-image-1.5" },
    shape: { size: "1536x1024" },
    sees: true
  },
  google: {
    writer: { provider: "google", model: "gemini-3.8-flash" },
    painter: { provider: "google", model: "gemini-3.1-flash-image" },
    shape: { aspectRatio: "3:2" },
    sees: true
  },
  offline: {
    writer: { provider: "studio", model: "writer" },
    painter: { provider: "offline", model: "offline-image" },
    shape: { size: "768x512" },
    sees: false
  }
}

/** Who writes and who draws. */
export const cast = Effect.map(
  Models.Models,
  ({ providers }): Cast => casts[providers.find((name) => name in casts) ?? "offline"]!
)

const selector = Layer.unwrap(
  Effect.map(cast, ({ painter, writer }) =>
    layerRules({
      rules: [
        { when: ({ settings }) => settings.image !== undefined, model: painter, reason: "a picture is asked for" }
      ],
      otherwise: writer
    })
  )
)

/** At most four model calls at a time; the fifth waits. What comes from the folder of steps does not count. */
const atOnce = { name: "at-once", counts: "concurrent", limit: 4 } as const

/** The services of a run: answers are kept in the folder `steps`, records of calls on `disk`. */
export const services = (options: { readonly steps: string; readonly disk: Disk.Disk }) =>
  Layer.mergeAll(
    selector,
    Detector.layer,
    Vault.layerMemory,
    layerFolder(options.steps),
    layerPolicy(keeping),
    layerBudget(),
    // A model that gives shorter answers than that is asked for what it gives.
    Layer.succeed(CheckPolicy, ParameterPolicy.clamp),
    limits({ limits: [atOnce], whenExceeded: { wait: "10 minutes" } }).pipe(Layer.provide(layerStoreMemory)),
    layerFiles({ directory: "audit", disk: options.disk }).pipe(
      Layer.provide(layerKeysMemory),
      Layer.provide(Layer.suspend(() => layerRootKey(Redacted.make(crypto.getRandomValues(new Uint8Array(32))))))
    ),
    Layer.sync(Witness, () => [])
  ).pipe(Layer.provideMerge(Catalogue.layerWith([Writer.entry])))

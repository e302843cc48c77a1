/**
 * The index for large partitions: `usearch` (HNSW: Malkov and Yashunin, 2016), an optional package. The built-in scan compares
 * with every vector and is exact; this one walks a graph, finds nearly always the same, and takes a fraction of the time from
 * about 10,000 vectors on. Adding a vector costs more: the graph is built as it grows.
 *
 * @since 0.1.0
 */
import { Effect, Layer } from "effect"
import { quantise } from "../internal/int8Scan.ts"
import { type ConfigurationError, invalid } from "./configurationError.ts"
import { VectorIndex, VectorIndexError } from "./vectorIndex.ts"

type Usearch = typeof import("usearch")

interface Stored {
  readonly id: string
  readonly bytes: Int8Array
  readonly scale: number
}

interface Partition {
  readonly graph: InstanceType<Usearch["Index"]>
  readonly keys: Map<string, bigint>
  /** In the order in which they were added. */
  readonly stored: Map<bigint, Stored>
  next: bigint
}

/**
 * The index on `usearch`. Fails with reason `unavailable` where the package is not installed or has no binary for the
 * platform (it has them for Linux with glibc, macOS and Windows).
 *
 * At `maxPerPartition` (1,000,000) the oldest vector makes room, at `maxPartitions` (1,000) the partition unused for longest, and at
 * `maxVectors` (1,000,000 in all partitions together) the oldest vector of the partition unused for longest.
 * `expansion` (48) is how many candidates a search keeps: more of them find more and take longer.
 * The graph proposes; similarities are worked out from int8 copies, as in the built-in scan, so that thresholds mean the same.
 *
 * ```ts
 * import { layerLocal } from "@interlock/stages/cache/embedder"
 * import { layer } from "@interlock/stages/cache/semantic"
 * import { layerUsearch } from "@interlock/stages/cache/usearchIndex"
 * import { Layer } from "effect"
 *
 * export const tier = layer({ alpha: 0.05 }).pipe(Layer.provide([layerLocal, layerUsearch()]))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerUsearch = (
  options: {
    readonly maxPerPartition?: number
    readonly maxPartitions?: number
    readonly maxVectors?: number
    readonly expansion?: number
    /** Loads the package where it cannot be found by its name, such as in a bundle. */
    readonly load?: () => Promise<unknown>
  } = {}
): Layer.Layer<VectorIndex, ConfigurationError | VectorIndexError> =>
  Layer.effect(
    VectorIndex,
    Effect.gen(function* () {
      const { expansion = 48, maxPartitions = 1_000, maxPerPartition = 1_000_000, maxVectors = 1_000_000 } = options
      const load = options.load ?? ((): Promise<unknown> => import("usearch"))
      for (const [setting, value] of Object.entries({ expansion, maxPartitions, maxPerPartition, maxVectors })) {
        if (!(value >= 1)) {
          return yield* invalid(`VectorIndex.layerUsearch ${setting}`, value, "it must be at least 1", "leave it out")
        }
      }
      const failed = (cause: unknown, what: string, cure: string) =>
        new VectorIndexError({ reason: "unavailable", message: `${what}: ${cure}`, cause })
      const { Index, MetricKind, ScalarKind } = yield* Effect.tryPromise({
        try: () => load() as Promise<Usearch>,
        catch: (cause) =>
          failed(
            cause,
            `the package usearch cannot be loaded on ${process.platform} ${process.arch}`,
            "install it (npm install usearch@2.26.2), or use layerScan, which needs nothing"
          )
      })
      const partitions = new Map<string, Partition>()
      let dimension: number | undefined
      let total = 0
      const mismatch = (found: number) =>
        new VectorIndexError({
          reason: "dimension",
          message: `the vector has ${found} numbers and the index holds vectors of ${dimension}: give the new embedder an index of its own`
        })
      const attempt = <A>(run: () => A) =>
        Effect.try({
          try: run,
          catch: (cause) =>
            failed(cause, "usearch failed", "see the cause; a smaller maxPerPartition takes less memory")
        })
      const open = (name: string, dimensions: number) => {
        let partition = partitions.get(name)
        if (partition === undefined) {
          const graph = new Index({
            dimensions,
            metric: MetricKind.Cos,
            quantization: ScalarKind.I8,
            connectivity: 16,
            expansion_add: Math.max(64, expansion),
            expansion_search: expansion,
            multi: false
          })
          partition = { graph, keys: new Map(), stored: new Map(), next: 0n }
          if (partitions.size >= maxPartitions) {
            for (const [unused, { stored }] of partitions) {
              partitions.delete(unused)
              total -= stored.size
              break
            }
          }
        } else partitions.delete(name)
        partitions.set(name, partition)
        return partition
      }
      const forget = ({ graph, keys, stored }: Partition, key: bigint) => {
        graph.remove(key)
        const entry = stored.get(key)
        if (stored.delete(key)) total--
        if (entry !== undefined) keys.delete(entry.id)
      }
      const forgetOldest = (partition: Partition) => {
        for (const oldest of partition.stored.keys()) {
          forget(partition, oldest)
          break
        }
      }
      /** Takes the oldest vector of the partition unused for longest, which may be the one in use. */
      const makeRoom = (used: Partition) => {
        for (const [name, partition] of partitions) {
          forgetOldest(partition)
          if (partition.stored.size === 0 && partition !== used) partitions.delete(name)
          break
        }
      }
      return VectorIndex.of({
        dimension: Effect.sync(() => dimension),
        add: (name, id, vector) =>
          Effect.suspend(() => {
            dimension ??= vector.length
            if (dimension !== vector.length) return mismatch(vector.length)
            return attempt(() => {
              const partition = open(name, vector.length)
              const { graph, keys, stored } = partition
              const known = keys.get(id)
              if (known !== undefined) forget(partition, known)
              if (stored.size >= maxPerPartition) forgetOldest(partition)
              if (total >= maxVectors) makeRoom(partition)
              const [bytes, scale] = quantise(vector, vector.length)
              const key = partition.next++
              graph.add(key, vector, 1)
              keys.set(id, key)
              stored.set(key, { id, bytes, scale })
              total++
            })
          }),
        search: (name, vector, count) =>
          Effect.suspend(() => {
            if (dimension !== undefined && dimension !== vector.length) return mismatch(vector.length)
            const known = partitions.get(name)
            if (known === undefined || known.stored.size === 0 || count < 1) return Effect.succeed([])
            return attempt(() => {
              const { graph, stored } = open(name, vector.length)
              const [bytes, scale] = quantise(vector, vector.length)
              const proposed = graph.search(vector, Math.min(stored.size, 2 * count + 8), 1)
              return Array.from(proposed.keys, (key) => stored.get(key))
                .filter((entry) => entry !== undefined)
                .map((entry) => {
                  let dot = 0
                  for (let index = 0; index < bytes.length; index++) dot += bytes[index]! * entry.bytes[index]!
                  return { id: entry.id, similarity: Math.max(-1, Math.min(1, dot * scale * entry.scale)) }
                })
                .sort((a, b) => b.similarity - a.similarity)
                .slice(0, count)
            })
          }),
        remove: (name, id) =>
          Effect.suspend(() => {
            const partition = partitions.get(name)
            const key = partition?.keys.get(id)
            if (partition === undefined || key === undefined) return Effect.void
            return attempt(() => {
              forget(partition, key)
              if (partition.stored.size === 0) partitions.delete(name)
            })
          })
      })
    })
  )

/**
 * Finds the stored vectors nearest to one: per partition, so that nothing is ever compared across tenants, models or
 * system texts. The built-in index scans int8 copies of all vectors of the partition, exactly and without building
 * anything; other indexes fill the same service.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Schema } from "effect"
import { type Int8Vectors, quantise, typedArrays } from "../internal/int8Scan.ts"
import { type ConfigurationError, invalid } from "./configurationError.ts"

/**
 * The index did not answer, or was given a vector of another dimension than the one it is filled with.
 *
 * @category errors
 * @since 0.1.0
 */
export class VectorIndexError extends Schema.TaggedError<VectorIndexError>()("@interlock/stages/VectorIndexError", {
  reason: Schema.Literals(["dimension", "unavailable"]),
  message: Schema.String,
  cause: Schema.optional(Schema.Defect())
}) {}

/**
 * A stored vector and how near it is: the cosine of the angle, −1 to 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Neighbour {
  readonly id: string
  readonly similarity: number
}

/**
 * Finds the nearest vectors of a partition.
 *
 * @category services
 * @since 0.1.0
 */
export class VectorIndex extends Context.Service<
  VectorIndex,
  {
    /** The dimension of the vectors the index holds, or `undefined` while it is empty and takes any. */
    readonly dimension: Effect.Effect<number | undefined, VectorIndexError>
    /** Stores the vector under `id`, replacing the one it had. */
    readonly add: (partition: string, id: string, vector: Float32Array) => Effect.Effect<void, VectorIndexError>
    /** At most `count` neighbours, the nearest first. */
    readonly search: (
      partition: string,
      vector: Float32Array,
      count: number
    ) => Effect.Effect<ReadonlyArray<Neighbour>, VectorIndexError>
    /** Forgets `id`; no error when it is not there. */
    readonly remove: (partition: string, id: string) => Effect.Effect<void, VectorIndexError>
  }
>()("@interlock/stages/VectorIndex") {}

/** The least room that a partition has. */
const smallest = 64

interface Partition {
  readonly ids: Array<string>
  readonly positions: Map<string, number>
  vectors: Int8Vectors
  scales: Float32Array
  /** The ids in the order in which they were added; what it yields is removed. */
  order: Iterator<string>
}

/**
 * The built-in scan: vectors as int8 with one scale each, WebAssembly SIMD where there is any. At `maxPerPartition`
 * (100,000) the oldest vector makes room, at `maxPartitions` (1,000) the partition unused for longest, and at `maxVectors` (200,000
 * in all partitions together: about 100 MB of vectors of 384) the oldest vector of the partition unused for longest.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerScan = (
  options: { readonly maxPerPartition?: number; readonly maxPartitions?: number; readonly maxVectors?: number } = {}
): Layer.Layer<VectorIndex, ConfigurationError> =>
  Layer.effect(
    VectorIndex,
    Effect.gen(function* () {
      const { maxPartitions = 1_000, maxPerPartition = 100_000, maxVectors = 200_000 } = options
      for (const [setting, value] of Object.entries({ maxPartitions, maxPerPartition, maxVectors })) {
        if (!(value >= 1)) {
          return yield* invalid(`VectorIndex.layerScan ${setting}`, value, "it must be at least 1", "leave it out")
        }
      }
      const partitions = new Map<string, Partition>()
      let dimension: number | undefined
      let padded = 0
      let total = 0
      const mismatch = (found: number) =>
        new VectorIndexError({
          reason: "dimension",
          message: `the vector has ${found} numbers and the index holds vectors of ${dimension}: give the new embedder an index of its own`
        })
      const open = (name: string) => {
        let partition = partitions.get(name)
        if (partition === undefined) {
          const positions = new Map<string, number>()
          partition = {
            ids: [],
            positions,
            vectors: typedArrays(padded, smallest),
            scales: new Float32Array(smallest),
            order: positions.keys()
          }
          if (partitions.size >= maxPartitions) {
            for (const [unused, { ids }] of partitions) {
              partitions.delete(unused)
              total -= ids.length
              break
            }
          }
        } else partitions.delete(name)
        partitions.set(name, partition)
        return partition
      }
      const resize = (partition: Partition, capacity: number) => {
        partition.vectors = partition.vectors.resize(capacity)
        const scales = new Float32Array(capacity)
        scales.set(partition.scales.subarray(0, capacity))
        partition.scales = scales
      }
      const oldestOf = (partition: Partition): string => {
        let next = partition.order.next()
        if (next.done === true) {
          partition.order = partition.positions.keys()
          next = partition.order.next()
        }
        return next.value
      }
      const remove = (name: string, partition: Partition, id: string) => {
        const position = partition.positions.get(id)
        if (position === undefined) return
        const last = partition.ids.length - 1
        const moved = partition.ids[last]!
        if (last !== position) {
          partition.vectors.move(last, position)
          partition.scales[position] = partition.scales[last]!
          partition.ids[position] = moved
          partition.positions.set(moved, position)
        }
        partition.ids.length = last
        partition.positions.delete(id)
        total--
        const { capacity } = partition.vectors
        if (last === 0) partitions.delete(name)
        else if (last < capacity / 4 && capacity > smallest) resize(partition, Math.max(smallest, capacity >> 1))
      }
      /** Takes the oldest vector of the partition unused for longest; `false` where that is the one in use. */
      const makeRoom = (used: Partition): boolean => {
        for (const [name, partition] of partitions) {
          if (partition === used) return false
          remove(name, partition, oldestOf(partition))
          return true
        }
        return false
      }
      return VectorIndex.of({
        dimension: Effect.sync(() => dimension),
        add: (name, id, vector) =>
          Effect.suspend(() => {
            if (dimension === undefined) {
              dimension = vector.length
              padded = Math.ceil(dimension / 16) * 16
            } else if (dimension !== vector.length) return mismatch(vector.length)
            const partition = open(name)
            let position = partition.positions.get(id)
            if (position === undefined) {
              if (partition.ids.length >= maxPerPartition || (total >= maxVectors && !makeRoom(partition))) {
                const oldest = oldestOf(partition)
                position = partition.positions.get(oldest)!
                partition.positions.delete(oldest)
              } else {
                position = partition.ids.length
                total++
                const { capacity } = partition.vectors
                if (position >= capacity) resize(partition, Math.min(maxPerPartition, 2 * capacity))
              }
              partition.ids[position] = id
              partition.positions.set(id, position)
            }
            const [bytes, scale] = quantise(vector, padded)
            partition.vectors.write(position, bytes)
            partition.scales[position] = scale
            return Effect.void
          }),
        search: (name, vector, count) =>
          Effect.suspend(() => {
            if (dimension !== undefined && dimension !== vector.length) return mismatch(vector.length)
            const partition = partitions.get(name)
            if (partition === undefined || count < 1) return Effect.succeed([])
            partitions.delete(name)
            partitions.set(name, partition)
            const [bytes, scale] = quantise(vector, padded)
            const { ids, scales } = partition
            const dots = partition.vectors.scan(bytes, ids.length)
            const best: Array<number> = []
            const similarities: Array<number> = []
            let least = Number.NEGATIVE_INFINITY
            for (let position = 0; position < ids.length; position++) {
              const similarity = dots[position]! * scales[position]!
              if (similarity <= least) continue
              let place = best.length < count ? best.length : count - 1
              while (place > 0 && similarities[place - 1]! < similarity) {
                best[place] = best[place - 1]!
                similarities[place] = similarities[place - 1]!
                place--
              }
              best[place] = position
              similarities[place] = similarity
              if (best.length >= count) least = similarities[count - 1]!
            }
            return Effect.succeed(
              best.map((position, place) => ({
                id: ids[position]!,
                similarity: Math.max(-1, Math.min(1, similarities[place]! * scale))
              }))
            )
          }),
        remove: (name, id) =>
          Effect.sync(() => {
            const partition = partitions.get(name)
            if (partition !== undefined) remove(name, partition, id)
          })
      })
    })
  )

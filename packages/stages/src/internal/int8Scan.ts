/**
 * The dot products of one int8 vector with many: WebAssembly SIMD where the runtime has it, typed arrays otherwise.
 * The module is assembled here, instruction by instruction, so that nothing has to be compiled or downloaded.
 */

/** Vectors of `dimension` int8 numbers, one after another, and how to score them all. */
export interface Int8Vectors {
  readonly capacity: number
  /** Writes `vector` at `position`. */
  readonly write: (position: number, vector: Int8Array) => void
  /** Copies the vector at one position over another. */
  readonly move: (from: number, to: number) => void
  /** The dot products of `query` with the first `count` vectors; overwritten by the next scan. */
  readonly scan: (query: Int8Array, count: number) => Int32Array
  /** The same vectors, as far as they fit, with room for `capacity`. */
  readonly resize: (capacity: number) => Int8Vectors
}

/**
 * The vector as int8 numbers, `padded` of them, and what a dot product with it is to be multiplied by so that two such products
 * make the cosine.
 */
export const quantise = (vector: Float32Array, padded: number): readonly [Int8Array, number] => {
  let largest = 0
  let squares = 0
  for (const component of vector) {
    squares += component * component
    largest = Math.max(largest, Math.abs(component))
  }
  const bytes = new Int8Array(padded)
  if (largest === 0) return [bytes, 0]
  for (let index = 0; index < vector.length; index++) bytes[index] = Math.round((vector[index]! / largest) * 127)
  return [bytes, largest / 127 / Math.sqrt(squares)]
}

/** Typed arrays: good up to some thousand vectors, and everywhere. */
export const typedArrays = (
  dimension: number,
  capacity: number,
  bytes = new Int8Array(capacity * dimension)
): Int8Vectors => {
  const scores = new Int32Array(capacity)
  return {
    capacity,
    write: (position, vector) => bytes.set(vector, position * dimension),
    move: (from, to) => {
      bytes.copyWithin(to * dimension, from * dimension, (from + 1) * dimension)
    },
    scan: (query, count) => {
      for (let position = 0, offset = 0; position < count; position++) {
        let sum = 0
        for (let index = 0; index < dimension; index++, offset++) sum += query[index]! * bytes[offset]!
        scores[position] = sum
      }
      return scores
    },
    resize: (wanted) => copied(dimension, wanted, bytes)
  }
}

const copied = (dimension: number, capacity: number, bytes: Int8Array): Int8Vectors => {
  const copy = new Int8Array(capacity * dimension)
  copy.set(bytes.subarray(0, copy.length))
  // From here on the scan pays for a memory of its own.
  const module = simdModule()
  return module === undefined || capacity < simdFrom
    ? typedArrays(dimension, capacity, copy)
    : simd(module, dimension, capacity, copy)
}

/** A WebAssembly memory reserves gigabytes of address space, so small partitions do without. */
const simdFrom = 2_048
const pageBytes = 65_536

/** What is used of the WebAssembly namespace, which some runtimes lack. */
interface Namespace {
  readonly validate: (binary: Uint8Array) => boolean
  readonly Module: new (binary: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; readonly grow: (pages: number) => number }
  readonly scan: (query: number, vectors: number, scores: number, count: number, dimension: number) => void
}

const simd = (
  module: SimdModule,
  dimension: number,
  capacity: number,
  initial: Int8Array,
  reuse?: Exports
): Int8Vectors => {
  // The layout: the query widened to int16, the vectors, the scores. `dimension` is a multiple of 16.
  const vectorsAt = 2 * dimension
  const scoresAt = vectorsAt + capacity * dimension
  const pages = Math.ceil((scoresAt + 4 * capacity) / pageBytes)
  const exports = reuse ?? (new module.namespace.Instance(module.code).exports as Exports)
  const present = exports.memory.buffer.byteLength / pageBytes
  if (pages > present) exports.memory.grow(pages - present)
  const query16 = new Int16Array(exports.memory.buffer, 0, dimension)
  const bytes = new Int8Array(exports.memory.buffer, vectorsAt, capacity * dimension)
  const scores = new Int32Array(exports.memory.buffer, scoresAt, capacity)
  if (reuse === undefined) bytes.set(initial)
  return {
    capacity,
    write: (position, vector) => bytes.set(vector, position * dimension),
    move: (from, to) => {
      bytes.copyWithin(to * dimension, from * dimension, (from + 1) * dimension)
    },
    scan: (query, count) => {
      query16.set(query)
      exports.scan(0, vectorsAt, scoresAt, count, dimension)
      return scores
    },
    // The memory of an instance cannot become smaller.
    resize: (wanted) =>
      wanted >= capacity ? simd(module, dimension, wanted, bytes, exports) : copied(dimension, wanted, bytes)
  }
}

interface SimdModule {
  readonly namespace: Namespace
  readonly code: object
}

let compiled: SimdModule | undefined
let tried = false

/** The compiled module, or `undefined` where the runtime has no WebAssembly SIMD. */
export const simdModule = (): SimdModule | undefined => {
  if (!tried) {
    tried = true
    const { WebAssembly: namespace } = globalThis as { readonly WebAssembly?: Namespace }
    const binary = assemble()
    if (namespace?.validate(binary)) compiled = { namespace, code: new namespace.Module(binary) }
  }
  return compiled
}

const assemble = (): Uint8Array<ArrayBuffer> => {
  const i32 = 0x7f
  const v128 = 0x7b
  const [query, vectors, scores, count, dimension, end, sum0, sum1, at, scoresEnd] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  const get = (local: number) => [0x20, local]
  const set = (local: number) => [0x21, local]
  const tee = (local: number) => [0x22, local]
  const constant = (value: number) => [0x41, ...signed(value)]
  const add = [0x6a]
  const shiftLeft = [0x74]
  const lessUnsigned = [0x49]
  const isZero = [0x45]
  const vector = (code: number) => [0xfd, ...unsigned(code)]
  const load = (offset: number) => [...vector(0x00), 0x04, ...unsigned(offset)]
  /** Eight int8 loaded and widened to int16. */
  const loadWidened = (offset: number) => [...vector(0x01), 0x03, ...unsigned(offset)]
  const dot = vector(0xba)
  const addLanes = vector(0xae)
  const zero = [...vector(0x0c), ...Array.from({ length: 16 }, () => 0)]
  const lane = (index: number) => [...vector(0x1b), index]
  const storeInt = [0x36, 0x02, 0x00]
  const loop = [0x03, 0x40]
  const block = [0x02, 0x40]
  const branchIf = (depth: number) => [0x0d, depth]
  const close = [0x0b]
  const body = [
    // Nothing to do for no vectors.
    block,
    get(count!),
    isZero,
    branchIf(0),
    get(scores!),
    get(count!),
    constant(2),
    shiftLeft,
    add,
    set(scoresEnd!),
    loop,
    zero,
    set(sum0!),
    zero,
    set(sum1!),
    get(query!),
    set(at!),
    get(vectors!),
    get(dimension!),
    add,
    set(end!),
    loop,
    get(sum0!),
    get(at!),
    load(0),
    get(vectors!),
    loadWidened(0),
    dot,
    addLanes,
    set(sum0!),
    get(sum1!),
    get(at!),
    load(16),
    get(vectors!),
    loadWidened(8),
    dot,
    addLanes,
    set(sum1!),
    get(at!),
    constant(32),
    add,
    set(at!),
    get(vectors!),
    constant(16),
    add,
    tee(vectors!),
    get(end!),
    lessUnsigned,
    branchIf(0),
    close,
    get(scores!),
    get(sum0!),
    get(sum1!),
    addLanes,
    tee(sum0!),
    lane(0),
    get(sum0!),
    lane(1),
    add,
    get(sum0!),
    lane(2),
    add,
    get(sum0!),
    lane(3),
    add,
    storeInt,
    get(scores!),
    constant(4),
    add,
    tee(scores!),
    get(scoresEnd!),
    lessUnsigned,
    branchIf(0),
    close,
    close,
    close
  ]
  // Locals after the five parameters: `end` (int32), the two sums (vectors), `at` and `scoresEnd` (int32).
  const code = [3, ...[1, i32, 2, v128, 2, i32], ...body.flat()]
  const section = (id: number, content: ReadonlyArray<number>) => [id, ...unsigned(content.length), ...content]
  const name = (text: string) => [text.length, ...Array.from(text, (character) => character.charCodeAt(0))]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 5, i32, i32, i32, i32, i32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0x00, 1]),
    ...section(7, [2, ...name("memory"), 0x02, 0, ...name("scan"), 0x00, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code])
  ])
}

const unsigned = (value: number): Array<number> => {
  const bytes: Array<number> = []
  do {
    const byte = value & 0x7f
    value >>>= 7
    bytes.push(value === 0 ? byte : byte | 0x80)
  } while (value !== 0)
  return bytes
}

const signed = (value: number): Array<number> => {
  const bytes: Array<number> = []
  for (;;) {
    const byte = value & 0x7f
    value >>= 7
    if ((value === 0 && (byte & 0x40) === 0) || (value === -1 && (byte & 0x40) !== 0)) return [...bytes, byte]
    bytes.push(byte | 0x80)
  }
}

/**
 * The inner loops of the classifier in WebAssembly, sixteen or four numbers at a time: several times as fast as the same in
 * JavaScript, and the same to the last bit on every machine.
 *
 * Their source is `scripts/classifierKernels.wat`; a test assembles it again and compares.
 *
 * @since 0.1.0
 */
import { binary } from "../internal/classifierKernels.ts"

/**
 * Numbers in the memory of the kernels: where they begin, and a view of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Numbers<View> {
  readonly at: number
  readonly view: View
}

/**
 * The kernels over one memory. Arguments are where arrays begin; `units` is a multiple of 16, `columns` of 4.
 *
 * @category models
 * @since 0.1.0
 */
export interface Kernels {
  /** `sums[unit] = Σ wholes[i] · weights[rows[i] · units + unit]`, of bytes, in 32-bit whole numbers. */
  readonly sumWhole: (rows: number, wholes: number, count: number, weights: number, units: number, sums: number) => void
  /** `out[unit] += Σ values[i] · weights[rows[i] · units + unit]`. */
  readonly sum: (rows: number, values: number, count: number, weights: number, units: number, out: number) => void
  /** `out[column] += value · row[column]`. */
  readonly add: (value: number, row: number, out: number, columns: number) => void
  /** `Σ row[column] · errors[column]`, and then `row[column] -= move · errors[column]`. */
  readonly learn: (move: number, row: number, errors: number, columns: number) => number
  /** `weights[rows[i] · units + unit] -= values[i] · slopes[unit]`. */
  readonly spread: (rows: number, values: number, count: number, weights: number, units: number, slopes: number) => void
  readonly bytes: (length: number) => Numbers<Int8Array>
  readonly wholes: (length: number) => Numbers<Int32Array>
  readonly floats: (length: number) => Numbers<Float32Array>
}

/** Of the platform; its types come with those of browsers only. */
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object
    readonly Memory: new (limits: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
    readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
  }
}

let compiled: object | undefined

const page = 65_536

/**
 * Makes the kernels over a memory of their own, of room for `size` bytes (arrays begin at multiples of 16).
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (size: number): Kernels => {
  compiled ??= new WebAssembly.Module(Uint8Array.from(Buffer.from(binary, "base64")))
  const memory = new WebAssembly.Memory({ initial: Math.max(1, Math.ceil(size / page)) })
  const { exports } = new WebAssembly.Instance(compiled, { classifier: { memory } })
  const kernels = exports as Pick<Kernels, "sumWhole" | "sum" | "add" | "learn" | "spread">
  let used = 0
  const take = (bytes: number): number => {
    const at = used
    used += Math.ceil(bytes / 16) * 16
    return at
  }
  return {
    sumWhole: kernels.sumWhole,
    sum: kernels.sum,
    add: kernels.add,
    learn: kernels.learn,
    spread: kernels.spread,
    bytes: (length) => {
      const at = take(length)
      return { at, view: new Int8Array(memory.buffer, at, length) }
    },
    wholes: (length) => {
      const at = take(length * 4)
      return { at, view: new Int32Array(memory.buffer, at, length) }
    },
    floats: (length) => {
      const at = take(length * 4)
      return { at, view: new Float32Array(memory.buffer, at, length) }
    }
  }
}

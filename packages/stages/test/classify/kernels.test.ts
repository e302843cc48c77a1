import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Kernels from "@interlock/stages/classify/kernels"
import * as FastCheck from "fast-check"
import wabt from "wabt"
import { binary } from "../../src/internal/classifierKernels.ts"

const whole = (largest: number) => FastCheck.integer({ min: -largest, max: largest })
const share = FastCheck.integer({ min: -1000, max: 1000 }).map((value) => value / 128)

describe("kernels", () => {
  it("are their source, assembled", async () => {
    const source = readFileSync(new URL("../../scripts/classifierKernels.wat", import.meta.url), "utf8")
    const module = (await wabt()).parseWat("classifierKernels.wat", source, { simd: true })
    assert.strictEqual(binary, Buffer.from(module.toBinary({}).buffer).toString("base64"))
  })

  it("sum rows of bytes as plain arithmetic does", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.constantFrom(16, 48),
        FastCheck.array(FastCheck.tuple(FastCheck.nat(6), whole(1_000_000)), { maxLength: 9 }),
        FastCheck.infiniteStream(whole(127)),
        (units, asked, bytes) => {
          const kernels = Kernels.make(1 << 16)
          const weights = kernels.bytes(7 * units)
          for (let at = 0; at < weights.view.length; at++) weights.view[at] = bytes.next().value!
          const rows = kernels.wholes(9)
          const wholes = kernels.wholes(9)
          const sums = kernels.wholes(units)
          const after = kernels.wholes(4)
          after.view.fill(7)
          rows.view.set(asked.map(([row]) => row))
          wholes.view.set(asked.map(([, value]) => value))
          kernels.sumWhole(rows.at, wholes.at, asked.length, weights.at, units, sums.at)
          const expected = Array.from({ length: units }, (_, unit) =>
            asked.reduce((sum, [row, value]) => sum + value * weights.view[row * units + unit]!, 0)
          )
          assert.deepStrictEqual([...sums.view], expected)
          assert.deepStrictEqual([...after.view], [7, 7, 7, 7])
        }
      )
    )
  })

  it("sum, add, learn and spread as plain arithmetic does", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.uniqueArray(FastCheck.nat(6), { maxLength: 7 }),
        FastCheck.infiniteStream(share),
        (asked, stream) => {
          const units = 32
          const kernels = Kernels.make(1 << 16)
          const filled = (length: number) => {
            const numbers = kernels.floats(length)
            for (let at = 0; at < length; at++) numbers.view[at] = stream.next().value!
            return numbers
          }
          const [weights, values, out, errors] = [filled(7 * units), filled(7), filled(units), filled(units)]
          const rows = kernels.wholes(7)
          rows.view.set(asked)
          const close = (got: ArrayLike<number>, expected: ReadonlyArray<number>) =>
            assert.isBelow(Math.max(...expected.map((each, index) => Math.abs(got[index]! - each))), 0.01)

          let expected = [...out.view].map((each, unit) =>
            asked.reduce((sum, row, index) => sum + values.view[index]! * weights.view[row * units + unit]!, each)
          )
          kernels.sum(rows.at, values.at, asked.length, weights.at, units, out.at)
          close(out.view, expected)

          expected = [...out.view].map((each, unit) => each + 0.5 * weights.view[unit]!)
          kernels.add(0.5, weights.at, out.at, units)
          close(out.view, expected)

          expected = [...errors.view].map((each, unit) => weights.view[unit]! - 0.25 * each)
          const slope = [...errors.view].reduce((sum, each, unit) => sum + each * weights.view[unit]!, 0)
          assert.closeTo(kernels.learn(0.25, weights.at, errors.at, units), slope, 0.01)
          close(weights.view.subarray(0, units), expected)

          expected = [...weights.view].map((each, at) => {
            const index = asked.indexOf(Math.floor(at / units))
            return index < 0 ? each : each - values.view[index]! * errors.view[at % units]!
          })
          kernels.spread(rows.at, values.at, asked.length, weights.at, units, errors.at)
          close(weights.view, expected)
        }
      )
    )
  })
})

import { hash } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import * as Merkle from "@interlock/stages/audit/merkle"
import fc from "fast-check"

/** MTH, written straight from RFC 9162, section 2.1.1, with nothing shared with the implementation. */
const treeHash = (entries: ReadonlyArray<Buffer>): Buffer => {
  const sha = (...parts: ReadonlyArray<Uint8Array>) => hash("sha256", Buffer.concat(parts), "buffer")
  if (entries.length === 0) return sha()
  if (entries.length === 1) return sha(Buffer.of(0), entries[0]!)
  let middle = 1
  while (middle * 2 < entries.length) middle *= 2
  return sha(Buffer.of(1), treeHash(entries.slice(0, middle)), treeHash(entries.slice(middle)))
}

const entries = fc.array(fc.uint8Array({ maxLength: 8 }), { minLength: 1, maxLength: 40 })
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

describe("merkle", () => {
  it("has the root of RFC 9162, and of the test vectors of RFC 6962's reference implementation", () => {
    expect(hex(Merkle.root(Merkle.empty))).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    const vectors = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    const leaves = vectors.map((text) => Merkle.leafHash(Buffer.from(text, "hex")))
    expect(hex(Merkle.root(Merkle.append(Merkle.empty, leaves)))).toBe(
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )
    fc.assert(
      fc.property(entries, (list) => {
        const bytes = list.map((entry) => Buffer.from(entry))
        expect(hex(Merkle.root(Merkle.append(Merkle.empty, bytes.map(Merkle.leafHash))))).toBe(hex(treeHash(bytes)))
      })
    )
  })

  it("proves that every leaf is included, and nothing else", () => {
    fc.assert(
      fc.property(entries, fc.nat(), (list, pick) => {
        const leaves = list.map((entry, index) => Merkle.leafHash(Buffer.from([index, ...entry])))
        const index = pick % leaves.length
        const root = Merkle.root(Merkle.append(Merkle.empty, leaves))
        const proof = Merkle.inclusionProof(leaves, index)
        const claim = { leaf: leaves[index]!, index, size: leaves.length, root, proof }
        expect(Merkle.verifyInclusion(claim)).toBe(true)
        expect(Merkle.verifyInclusion({ ...claim, leaf: Merkle.leafHash(Buffer.from("another")) })).toBe(false)
        expect(Merkle.verifyInclusion({ ...claim, index: index + 1 })).toBe(false)
        expect(Merkle.verifyInclusion({ ...claim, proof: [...proof, root] })).toBe(false)
        if (proof.length > 0) expect(Merkle.verifyInclusion({ ...claim, proof: proof.slice(1) })).toBe(false)
      })
    )
  })

  it("proves that a tree is a prefix of another, and nothing else", () => {
    fc.assert(
      fc.property(entries, fc.nat(), (list, pick) => {
        const leaves = list.map((entry, index) => Merkle.leafHash(Buffer.from([index, ...entry])))
        const size = 1 + (pick % leaves.length)
        const older = Merkle.append(Merkle.empty, leaves.slice(0, size))
        const newer = Merkle.append(older, leaves.slice(size))
        const claim = {
          firstSize: size,
          firstRoot: Merkle.root(older),
          secondSize: leaves.length,
          secondRoot: Merkle.root(newer),
          proof: Merkle.consistencyProof(leaves, size)
        }
        expect(Merkle.verifyConsistency(claim)).toBe(true)
        const other = Merkle.leafHash(Buffer.from("another"))
        expect(Merkle.verifyConsistency({ ...claim, firstRoot: other })).toBe(false)
        expect(Merkle.verifyConsistency({ ...claim, secondRoot: other })).toBe(false)
      })
    )
  })
})

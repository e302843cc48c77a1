/**
 * The Merkle tree of an audit log: an append-only tree over the records, as in RFC 9162, section 2.1. A tree is kept as its
 * *frontier*, the roots of the full subtrees along its right edge, so that appending and computing the root take logarithmic space.
 *
 * @since 0.1.0
 */
import { hash } from "node:crypto"

const sha256 = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer")

// Messages are put together here and hashed at once, so that no memory is taken for each of them.
const leafMessage = Buffer.alloc(65_536)
const nodeMessage = Buffer.alloc(65)
nodeMessage[0] = 1

/**
 * The hash of a leaf, `SHA-256(0x00 || bytes)`: RFC 9162, section 2.1.1.
 *
 * @category hashing
 * @since 0.1.0
 */
export const leafHash = (bytes: Uint8Array): Uint8Array => {
  const message = bytes.length < leafMessage.length ? leafMessage : Buffer.alloc(bytes.length + 1)
  message.set(bytes, 1)
  return sha256(message.subarray(0, bytes.length + 1))
}

/**
 * The hash of an inner node, `SHA-256(0x01 || left || right)`: RFC 9162, section 2.1.1.
 *
 * @category hashing
 * @since 0.1.0
 */
export const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array => {
  nodeMessage.set(left, 1)
  nodeMessage.set(right, 33)
  return sha256(nodeMessage)
}

/**
 * The roots of the full subtrees along a tree's right edge, the largest first: one for each bit that is set in `size`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Frontier {
  readonly size: number
  readonly hashes: ReadonlyArray<Uint8Array>
}

/**
 * The tree without a leaf.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty: Frontier = { size: 0, hashes: [] }

/**
 * The tree after `leaves` (leaf hashes) were appended in order.
 *
 * @category combinators
 * @since 0.1.0
 */
export const append = (frontier: Frontier, leaves: Iterable<Uint8Array>): Frontier => {
  const hashes = [...frontier.hashes]
  let size = frontier.size
  for (const leaf of leaves) {
    let node = leaf
    for (let width = size; width % 2 === 1; width = (width - 1) / 2) node = nodeHash(hashes.pop()!, node)
    hashes.push(node)
    size += 1
  }
  return { size, hashes }
}

/**
 * The root of the tree, `MTH` in RFC 9162, section 2.1.1; the empty tree's root is the hash of nothing.
 *
 * @category accessors
 * @since 0.1.0
 */
export const root = (frontier: Frontier): Uint8Array => {
  if (frontier.hashes.length === 0) return sha256(new Uint8Array(0))
  let node = frontier.hashes.at(-1)!
  for (let index = frontier.hashes.length - 2; index >= 0; index--) node = nodeHash(frontier.hashes[index]!, node)
  return node
}

const rootOf = (leaves: ReadonlyArray<Uint8Array>): Uint8Array => root(append(empty, leaves))

/** The largest power of two below `size`. */
const split = (size: number): number => {
  let power = 1
  while (power * 2 < size) power *= 2
  return power
}

/**
 * The audit path of the leaf at `index`, `PATH` in RFC 9162, section 2.1.3.1, from the leaf upwards.
 *
 * @category proofs
 * @since 0.1.0
 */
export const inclusionProof = (leaves: ReadonlyArray<Uint8Array>, index: number): ReadonlyArray<Uint8Array> => {
  if (leaves.length <= 1) return []
  const middle = split(leaves.length)
  return index < middle
    ? [...inclusionProof(leaves.slice(0, middle), index), rootOf(leaves.slice(middle))]
    : [...inclusionProof(leaves.slice(middle), index - middle), rootOf(leaves.slice(0, middle))]
}

/**
 * The proof that the first `size` leaves are a prefix of the tree, `PROOF` in RFC 9162, section 2.1.4.1.
 *
 * @category proofs
 * @since 0.1.0
 */
export const consistencyProof = (leaves: ReadonlyArray<Uint8Array>, size: number): ReadonlyArray<Uint8Array> => {
  const below = (from: ReadonlyArray<Uint8Array>, first: number, complete: boolean): ReadonlyArray<Uint8Array> => {
    if (first === from.length) return complete ? [] : [rootOf(from)]
    const middle = split(from.length)
    return first <= middle
      ? [...below(from.slice(0, middle), first, complete), rootOf(from.slice(middle))]
      : [...below(from.slice(middle), first - middle, false), rootOf(from.slice(0, middle))]
  }
  return size <= 0 || size >= leaves.length ? [] : below(leaves, size, true)
}

const same = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0

/**
 * Whether `proof` shows that the leaf is at `index` in the tree of `size` leaves with this root: RFC 9162, section 2.1.3.2.
 *
 * @category proofs
 * @since 0.1.0
 */
export const verifyInclusion = (options: {
  readonly leaf: Uint8Array
  readonly index: number
  readonly size: number
  readonly root: Uint8Array
  readonly proof: ReadonlyArray<Uint8Array>
}): boolean => {
  if (options.index < 0 || options.index >= options.size) return false
  let position = options.index
  let last = options.size - 1
  let node = options.leaf
  for (const sibling of options.proof) {
    if (last === 0) return false
    if (position % 2 === 1 || position === last) {
      node = nodeHash(sibling, node)
      while (position % 2 === 0 && position !== 0) {
        position /= 2
        last = Math.floor(last / 2)
      }
    } else node = nodeHash(node, sibling)
    position = Math.floor(position / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 && same(node, options.root)
}

/**
 * Whether `proof` shows that the tree of `firstSize` leaves is a prefix of the tree of `secondSize`: RFC 9162, section 2.1.4.2.
 *
 * @category proofs
 * @since 0.1.0
 */
export const verifyConsistency = (options: {
  readonly firstSize: number
  readonly firstRoot: Uint8Array
  readonly secondSize: number
  readonly secondRoot: Uint8Array
  readonly proof: ReadonlyArray<Uint8Array>
}): boolean => {
  const { firstRoot, firstSize, secondRoot, secondSize } = options
  if (firstSize > secondSize || firstSize < 0) return false
  if (firstSize === secondSize) return options.proof.length === 0 && same(firstRoot, secondRoot)
  if (firstSize === 0) return options.proof.length === 0
  const path = [...options.proof]
  let first = firstSize - 1
  let second = secondSize - 1
  while (first % 2 === 1) {
    first = (first - 1) / 2
    second = Math.floor(second / 2)
  }
  if (first === 0 && Number.isInteger(Math.log2(firstSize))) path.unshift(firstRoot)
  const start = path.shift()
  if (start === undefined) return false
  let older = start
  let newer = start
  for (const sibling of path) {
    if (second === 0) return false
    if (first % 2 === 1 || first === second) {
      older = nodeHash(sibling, older)
      newer = nodeHash(sibling, newer)
      while (first % 2 === 0 && first !== 0) {
        first /= 2
        second = Math.floor(second / 2)
      }
    } else newer = nodeHash(newer, sibling)
    first = Math.floor(first / 2)
    second = Math.floor(second / 2)
  }
  return second === 0 && same(older, firstRoot) && same(newer, secondRoot)
}

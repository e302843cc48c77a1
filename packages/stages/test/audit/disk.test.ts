import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Disk from "@interlock/stages/audit/disk"
import { Effect } from "effect"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "interlock-disk-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** What every disk must do. */
const contract = async (disk: Disk.Disk, root: string) => {
  const file = join(root, "a", "b", "file")
  await disk.makeDirectory(join(root, "a", "b"))
  await disk.makeDirectory(join(root, "a", "b"))
  expect(await disk.list(join(root, "none"))).toEqual([])
  expect(await disk.list(join(root, "a", "b"))).toEqual([])
  await expect(disk.read(file)).rejects.toMatchObject({ code: "ENOENT" })

  const open = await disk.open(file)
  await open.write(Buffer.from("hello"), 0)
  await open.write(Buffer.from("world"), 5)
  await open.sync()
  expect((await disk.read(file)).toString()).toBe("helloworld")
  await open.truncate(4)
  await open.write(Buffer.from("o!"), 4)
  await open.close()
  expect((await disk.read(file)).toString()).toBe("hello!")
  await (await disk.open(file)).close()
  expect((await disk.read(file)).toString()).toBe("hello!")

  expect(await disk.create(file, Buffer.from("other"))).toBe(false)
  const second = join(root, "a", "b", "another")
  expect(await disk.create(second, Buffer.from("one"))).toBe(true)
  expect((await disk.read(second)).toString()).toBe("one")
  await disk.replace(second, Buffer.from("two"))
  expect((await disk.read(second)).toString()).toBe("two")
  expect(await disk.list(join(root, "a", "b"))).toEqual(["another", "file"])

  await disk.destroy(second)
  await disk.destroy(second)
  expect(await disk.list(join(root, "a", "b"))).toEqual(["file"])
}

describe("disk", () => {
  it.effect("works the same in memory and on files", () =>
    Effect.gen(function* () {
      yield* Effect.promise(() => contract(Disk.memory(), "root"))
      const root = yield* directory
      yield* Effect.promise(() => contract(Disk.files, root))
    }).pipe(Effect.scoped)
  )

  it.effect("makes files that only their owner can read, and leaves nothing behind when it fails", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const path = join(root, "keys", "key")
      yield* Effect.promise(() => Disk.files.create(path, Buffer.from("secret")))
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(statSync(join(root, "keys")).mode & 0o777).toBe(0o700)
      mkdirSync(join(root, "taken", "inside"), { recursive: true })
      const failed = yield* Effect.promise(() =>
        Disk.files.replace(join(root, "taken"), Buffer.from("x")).then(
          () => false,
          () => true
        )
      )
      expect(failed).toBe(true)
      expect(readdirSync(root).sort()).toEqual(["keys", "taken"])
      expect(existsSync(join(root, "taken", "inside"))).toBe(true)
    }).pipe(Effect.scoped)
  )
})

/**
 * What an audit log asks of a disk. The log is written against this small interface, so that the same code runs on files, in
 * memory, and in tests on a disk that fills up or a process that dies between any two operations.
 *
 * @since 0.1.0
 */
import { constants, promises } from "node:fs"
import { dirname, join } from "node:path"

/**
 * A file that is open for appending.
 *
 * @category models
 * @since 0.1.0
 */
export interface DiskFile {
  /** Writes all the bytes at the offset. */
  readonly write: (bytes: Uint8Array, offset: number) => Promise<void>
  /** Returns when what was written survives a loss of power (`fdatasync`). */
  readonly sync: () => Promise<void>
  readonly truncate: (length: number) => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * The operations of a disk; a failure is a rejection with Node's error codes (`ENOENT`, `ENOSPC`, …).
 *
 * @category models
 * @since 0.1.0
 */
export interface Disk {
  readonly makeDirectory: (path: string) => Promise<void>
  /** The names in a directory, sorted; none where there is no such directory. */
  readonly list: (path: string) => Promise<ReadonlyArray<string>>
  /** The whole file; rejects with `ENOENT` where there is none. */
  readonly read: (path: string) => Promise<Buffer>
  /** Opens for writing, and creates the file, durably, where there is none. */
  readonly open: (path: string) => Promise<DiskFile>
  /** Replaces the file as one step that survives a loss of power. */
  readonly replace: (path: string, bytes: Uint8Array) => Promise<void>
  /** Creates the file as one step that survives a loss of power; `false` where it is there already. */
  readonly create: (path: string, bytes: Uint8Array) => Promise<boolean>
  /** Overwrites the file with zeros and removes it; nothing happens where there is none. */
  readonly destroy: (path: string) => Promise<void>
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code

const syncDirectory = async (path: string): Promise<void> => {
  // Windows cannot open a directory; its file systems keep names in a journal of their own.
  if (process.platform === "win32") return
  const handle = await promises.open(path, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a directory and those above it, so that their names survive a loss of power too. */
const makeDirectory = async (path: string): Promise<void> => {
  const created = await promises.mkdir(path, { recursive: true, mode: 0o700 })
  if (created === undefined) return
  for (let at = path; at.length >= created.length; at = dirname(at)) await syncDirectory(dirname(at))
}

const writeAll = async (handle: promises.FileHandle, bytes: Uint8Array, offset: number): Promise<void> => {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done)
    done += bytesWritten
  }
}

const writeTemporary = async (path: string, bytes: Uint8Array): Promise<string> => {
  await makeDirectory(dirname(path))
  const temporary = join(dirname(path), `.${process.pid}-${Math.random().toString(36).slice(2)}.tmp`)
  const handle = await promises.open(temporary, "wx", 0o600)
  try {
    await writeAll(handle, bytes, 0)
    await handle.datasync()
  } catch (error) {
    await promises.rm(temporary, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  return temporary
}

/**
 * The disk of this machine. Files are readable by their owner only.
 *
 * @category constructors
 * @since 0.1.0
 */
export const files: Disk = {
  makeDirectory,
  list: (path) =>
    promises.readdir(path).then(
      (names) => names.filter((name) => !name.endsWith(".tmp")).sort(),
      (error: unknown) => {
        if (isCode(error, "ENOENT")) return []
        throw error
      }
    ),
  read: (path) => promises.readFile(path),
  open: async (path) => {
    const handle = await promises.open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    await syncDirectory(dirname(path))
    return {
      write: (bytes, offset) => writeAll(handle, bytes, offset),
      sync: () => handle.datasync(),
      truncate: (length) => handle.truncate(length),
      close: () => handle.close()
    }
  },
  replace: async (path, bytes) => {
    const temporary = await writeTemporary(path, bytes)
    try {
      await promises.rename(temporary, path)
    } catch (error) {
      await promises.rm(temporary, { force: true })
      throw error
    }
    await syncDirectory(dirname(path))
  },
  create: async (path, bytes) => {
    const temporary = await writeTemporary(path, bytes)
    try {
      await promises.link(temporary, path)
      await syncDirectory(dirname(path))
      return true
    } catch (error) {
      if (isCode(error, "EEXIST")) return false
      throw error
    } finally {
      await promises.rm(temporary, { force: true })
    }
  },
  destroy: async (path) => {
    try {
      const handle = await promises.open(path, "r+")
      try {
        const { size } = await handle.stat()
        await writeAll(handle, new Uint8Array(size), 0)
        await handle.datasync()
      } finally {
        await handle.close()
      }
      await promises.unlink(path)
      await syncDirectory(dirname(path))
    } catch (error) {
      if (!isCode(error, "ENOENT")) throw error
    }
  }
}

/**
 * A disk in memory, for tests and for logs that need not outlive the process.
 *
 * @category constructors
 * @since 0.1.0
 */
export const memory = (contents: Map<string, Buffer> = new Map()): Disk => ({
  makeDirectory: async () => {},
  list: async (path) =>
    [...contents.keys()]
      .filter((name) => name.startsWith(`${path}/`) && !name.slice(path.length + 1).includes("/"))
      .map((name) => name.slice(path.length + 1))
      .sort(),
  read: async (path) => {
    const bytes = contents.get(path)
    if (bytes === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: "ENOENT" })
    return Buffer.from(bytes)
  },
  open: async (path) => {
    if (!contents.has(path)) contents.set(path, Buffer.alloc(0))
    let buffer = contents.get(path)!
    let length = buffer.length
    return {
      write: async (bytes, offset) => {
        const end = offset + bytes.length
        if (end > buffer.length) {
          const larger = Buffer.alloc(Math.max(end, buffer.length * 2))
          larger.set(buffer)
          buffer = larger
        }
        buffer.set(bytes, offset)
        length = Math.max(length, end)
        contents.set(path, buffer.subarray(0, length))
      },
      sync: async () => {},
      truncate: async (size) => {
        length = size
        contents.set(path, buffer.subarray(0, size))
      },
      close: async () => {}
    }
  },
  replace: async (path, bytes) => {
    contents.set(path, Buffer.from(bytes))
  },
  create: async (path, bytes) => {
    if (contents.has(path)) return false
    contents.set(path, Buffer.from(bytes))
    return true
  },
  destroy: async (path) => {
    contents.delete(path)
  }
})

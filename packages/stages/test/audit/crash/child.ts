/**
 * Appends records to a log on real files, some at once, over several segments, and kills its own process before the operation that would
 * change the disk and has the number it is given; prints how many there are when it is given 0. What was acknowledged is
 * written to the file `acknowledged`. It uses the writer alone, because it is started once for each operation.
 */
import { appendFileSync } from "node:fs"
import * as Checkpoint from "@interlock/stages/audit/checkpoint"
import * as Disk from "@interlock/stages/audit/disk"
import * as Entry from "@interlock/stages/audit/entry"
import * as Writer from "@interlock/stages/audit/writer"

const [directory, killAt] = process.argv.slice(2)
const tenant = { id: "1".repeat(32), bytes: new Uint8Array(32).fill(1) }
let operations = 0

const counted =
  <A extends ReadonlyArray<unknown>, B>(operation: (...args: A) => Promise<B>) =>
  async (...args: A): Promise<B> => {
    operations += 1
    if (operations === Number(killAt)) process.kill(process.pid, "SIGKILL")
    return operation(...args)
  }

const disk: Disk.Disk = {
  ...Disk.files,
  makeDirectory: counted(Disk.files.makeDirectory),
  replace: counted(Disk.files.replace),
  create: counted(Disk.files.create),
  destroy: counted(Disk.files.destroy),
  open: counted(async (path) => {
    const file = await Disk.files.open(path)
    return {
      write: counted(file.write),
      sync: counted(file.sync),
      truncate: counted(file.truncate),
      close: counted(file.close)
    }
  })
}

const writer = await Writer.open({
  disk,
  directory: `${directory}/data`,
  signer: Checkpoint.signer("test-log", new Uint8Array(32).fill(3)),
  now: () => 1000,
  segmentBytes: 1500,
  segmentAge: 1e12
})

const append = (text: string) =>
  new Promise<void>((resolve, reject) => {
    const facts = JSON.stringify({ text })
    const bytes = Entry.seal({ kind: "completion", time: 1000, call: Entry.id(), tenant, facts })
    writer.append(bytes, (error) => {
      if (error !== undefined) return reject(error)
      appendFileSync(`${directory}/acknowledged`, `${text}\n`)
      resolve()
    })
  })

await append("0")
await Promise.all(["1", "2", "3"].map(append))
await append("4")
await append("5")
await writer.close()
console.log(operations)

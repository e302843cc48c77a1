/**
 * Puts an XMP packet into a PNG, as an uncompressed `iTXt` chunk (XMP Specification, part 3, 1.1.5). Everything else stays as the model
 * made it, other records in it included; sharp would write the packet compressed, which readers need not understand.
 */
import { crc32 } from "node:zlib"
import sharp from "sharp"

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

const chunk = (type: string, data: Buffer): Buffer => {
  const typed = Buffer.concat([Buffer.from(type, "latin1"), data])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  checksum.writeUInt32BE(crc32(typed))
  return Buffer.concat([length, typed, checksum])
}

/** The picture as a PNG with the packet in it, behind its header. Other formats are made PNGs first. */
export const withXmp = async (picture: Uint8Array, packet: string): Promise<Uint8Array> => {
  const bytes = Buffer.from(picture.buffer, picture.byteOffset, picture.byteLength)
  const png = bytes.subarray(0, 8).equals(signature) ? bytes : await sharp(bytes).keepMetadata().png().toBuffer()
  // The header is always the first chunk, of 13 bytes: 8 of signature, 4 of length, 4 of type, 13, 4 of checksum.
  const header = 33
  const text = Buffer.concat([Buffer.from("XML:com.adobe.xmp\0\0\0\0\0", "latin1"), Buffer.from(packet, "utf8")])
  return Buffer.concat([png.subarray(0, header), chunk("iTXt", text), png.subarray(header)])
}

import { assert, describe, it } from "@effect/vitest"
import sharp from "sharp"
import { score } from "../score.ts"
import { wishesOf } from "../words.ts"

/** A picture of an SVG's body on a ground. */
const drawn = (body: string, ground = "#dfe9f2", blur = 0) => {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="480" height="320"><rect width="480" height="320" fill="${ground}"/>${body}</svg>`
  const picture = sharp(Buffer.from(svg))
  return (blur > 0 ? picture.blur(blur) : picture).png().toBuffer()
}
const circles = (colour: string, ...places: ReadonlyArray<readonly [number, number]>) =>
  places.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="34" fill="${colour}"/>`).join("")

const red = "#e03b40"
const three = circles(red, [90, 90], [240, 200], [390, 100])

describe("scoring", () => {
  it("counts what is asked for in the pixels: the right number, colour and place are worth more", async () => {
    const wishes = wishesOf("three red balloons")
    const right = await score(await drawn(three), wishes)
    assert.strictEqual(right.wants[0]?.seen, 3)
    const worse = {
      two: await drawn(circles(red, [90, 90], [390, 100])),
      five: await drawn(three + circles(red, [90, 250], [390, 250])),
      blue: await drawn(circles("#3366dd", [90, 90], [240, 200], [390, 100])),
      cut: await drawn(circles(red, [90, 0], [240, 200], [480, 100])),
      faint: await drawn(three, "#d8484c"),
      blurred: await drawn(three, "#dfe9f2", 12),
      blank: await drawn("")
    }
    for (const [name, picture] of Object.entries(worse)) {
      assert.isBelow((await score(picture, wishes)).score, right.score, name)
    }
    assert.strictEqual((await score(worse.blank, wishes)).score, 0)
  })

  it("does not take a glow, or a line of foam, for a thing", async () => {
    const glow = `<defs><radialGradient id="g"><stop offset="0" stop-color="#ffb070"/><stop offset="1" stop-color="#dfe9f2"/></radialGradient></defs><circle cx="240" cy="160" r="120" fill="url(#g)"/>`
    const foam = [40, 80, 120].map((y) => `<rect x="30" y="${y}" width="60" height="3" fill="${red}"/>`).join("")
    const { wants } = await score(
      await drawn(glow + foam + circles("#f08020", [80, 240], [400, 240])),
      wishesOf("two orange balls and a red cup")
    )
    assert.strictEqual(wants[0]?.seen, 2)
    assert.strictEqual(wants[1]?.seen, 0)
  })

  it("tells a dark scene from a bright one", async () => {
    const [night, day] = [await drawn(three, "#101a3c"), await drawn(three)]
    const value = async (picture: Uint8Array, prompt: string) =>
      (await score(picture, wishesOf(prompt))).findings.find(({ name }) => name.endsWith("scene"))!.value
    assert.isAbove(await value(night, "balloons at night"), await value(day, "balloons at night"))
    assert.isAbove(await value(day, "balloons over snow"), await value(night, "balloons over snow"))
  })
})

describe("wishes", () => {
  it("are numbers and colours, in English and Chinese; what is in quotes is not asked for", () => {
    const found = (prompt: string) => wishesOf(prompt).wants.map(({ colour, count }) => [count, colour])
    assert.deepStrictEqual(found("Seven small red balloons and a blue hot air balloon"), [
      [7, "red"],
      [1, "blue"]
    ])
    assert.deepStrictEqual(found("red and white flowers"), [[undefined, "white"]])
    assert.deepStrictEqual(found("两只白猫，旁边停着一只红色的小船，三朵紫色的花"), [
      [2, "white"],
      [1, "red"],
      [3, "purple"]
    ])
    assert.deepStrictEqual(found('a sign saying "two red cars"'), [])
    assert.deepStrictEqual(found("Drei rote Ballons"), [])
  })
})

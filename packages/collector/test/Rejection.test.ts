import { assert, describe, it } from "@effect/vitest"
import { Rejection } from "@interlock/collector"
import { Chat, Part } from "@interlock/model"

const said = (text: string, reason: Part.FinishReason = "stop") =>
  Rejection.of(
    [{ type: "text", text } as const, Part.finish(reason)].reduce(Chat.protocol.append, Chat.protocol.empty())
  )?.reason

describe("Rejection", () => {
  it.each([
    "I'm sorry, but I can't help with that.",
    "I cannot provide instructions for that. Please ask a professional.",
    "Unfortunately, I am unable to assist with this request.",
    "As an AI language model, I cannot have opinions.",
    "I can’t discuss that topic.",
    "I must decline to answer this.",
    "I cannot answer that from the 5 documents I have.",
    "I'm sorry, but that is not something I can help with.",
    "I’m unable to share that.",
    "I'm afraid we're not able to do this.",
    "很抱歉，我无法回答这个问题。",
    "对不起，我不能帮助您完成这个请求。",
    "我手头的 5 份文档里没有这个问题的答案。"
  ])("a refusal: %s", (text) => assert.strictEqual(said(text), "Refused"))

  it.each([
    "You cannot open the lid while the machine runs; wait for a minute.",
    "I'm happy to help. Turn the dial to the left, then press the button twice.",
    "If the charger cannot be found, any charger of 10 watts will do.",
    "The shop can't help with repairs on Sundays.",
    "I'm sorry to hear that your chain broke, and happy to help: bring it in before six.",
    "I'm afraid the lamp can't be repaired once water is in it. A new one is 12 euros.",
    "I am sorry for the wait! Your parcel cannot be far: it left on Monday.",
    "很抱歉给您带来不便，如果没有收到包裹，请写信给我们。",
    "抱歉，过了三十天就不能退货了，但可以换货。",
    "抱歉久等了。您的包裹明天到。",
    "不能用高压水枪冲洗，因为水会进入轴承。"
  ])("no refusal: %s", (text) => assert.isUndefined(said(text)))

  it("a content filter, nothing said, and an answer that was cut off", () => {
    assert.strictEqual(said("Some words", "content-filter"), "Refused")
    assert.strictEqual(said("  \n "), "Empty")
    assert.strictEqual(said("This answer goes on and on and", "length"), "CutOff")
  })

  it("a call of a tool is an answer", () => {
    const answer = [
      { type: "tool-call", id: "1", name: "look", params: {} } as const,
      Part.finish("tool-calls")
    ].reduce(Chat.protocol.append, Chat.protocol.empty())
    assert.isUndefined(Rejection.of(answer))
  })

  it("rambling: the same words or lines over and over, or no end", () => {
    assert.strictEqual(
      said("The answer is that the answer is that it depends on what the answer is. ".repeat(12)),
      "Rambling"
    )
    assert.strictEqual(said(Array.from({ length: 12 }, () => "- Check the cable first").join("\n")), "Rambling")
    const varied = Array.from({ length: 9000 }, (_, index) => `word${index}`).join(" ")
    assert.strictEqual(said(varied), "Rambling")
  })

  it("a long answer that says different things is none", () => {
    const list = Array.from(
      { length: 40 },
      (_, index) => `${index + 1}. Step ${index} turns part ${index * 7} of side ${index % 3}.`
    )
    assert.isUndefined(said(list.join("\n")))
  })
})

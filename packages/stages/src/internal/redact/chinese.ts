/** Names of people and number plates in Chinese, Japanese and Korean, which write no spaces. */
import { chineseFamilyNames, chineseGivenCharacters } from "./gazetteer.ts"
import type { Found } from "./secrets.ts"

const han = /\p{Script=Han}/u
const family = new Set(chineseFamilyNames.split("|"))
const given = new Set(chineseGivenCharacters.split("|"))
const plate =
  /[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·•・ -]?(?:[A-HJ-NP-Z0-9]{6}|[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳])(?![A-Z0-9])/gu
const before =
  /(?:客户|我叫|我是|叫做|名叫|叫|姓名|名字|联系人|收件人|收货人|车主|户主|业主|患者|病人|员工|同事|老师|学生|经理|用户|会员|乘客|申请人|负责人|法人|法定代表人|持卡人|持有人|委托人|当事人|被告|原告|嫌疑人|家属|父亲|母亲|丈夫|妻子|儿子|女儿|朋友|同学|给|请|找|和|与|跟|由|向|替|为|user|name|customer|contact)\s*(?:是|为|叫|[:：=])?\s*["“「]?$/iu
const after =
  /^["”」]?(?:先生|女士|小姐|同学|老师|医生|护士|教授|经理|总监|主任|律师|总|您好|你好|的|护照|身份证|手机|电话|证件|号码|地址|住在|住址|家住|出生|说|表示|告诉|申请|女|男|[,，。、；;:：!！?？)）\s"”]|$)/u
const honour = /^(?:先生|女士|小姐|同学|老师|医生|教授|经理|律师)/u
const japanese =
  /(?:[\p{Script=Han}]{2,5}|[\p{Script=Katakana}ー・]{2,14})(?=\s?(?:さん|様|さま|氏|くん|ちゃん|先生))/gu
const korean =
  /(?<![가-힣])(?:남궁|황보|제갈|사공|선우|[김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설마길연위표명기반라왕금옥육인맹제모탁국은편용])[가-힣]{1,2}(?=\s?(?:씨|님|선생|고객|사원|대리|과장|부장|입니다|이고|의 ))/gu

/** Adds names and plates. */
export const chinese = (text: string, out: Array<Found>): void => {
  for (const match of text.matchAll(plate)) {
    out.push({ start: match.index, end: match.index + match[0].length, type: "CN_PLATE", confidence: 0.9 })
  }
  for (const match of text.matchAll(japanese)) {
    const start = match.index
    if (!/(?:お客|皆|神|王|奥|叔父|叔母|お母|お父)/u.test(match[0]))
      out.push({ start, end: start + match[0].length, type: "PERSON", confidence: 0.6 })
  }
  for (const match of text.matchAll(korean)) {
    out.push({ start: match.index, end: match.index + match[0].length, type: "PERSON", confidence: 0.65 })
  }
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) < 0x3400) continue
    const pair = text.slice(i, i + 2)
    const size = family.has(pair) ? 2 : family.has(text[i] as string) ? 1 : 0
    if (size === 0) continue
    const open = i === 0 || !han.test(text[i - 1] as string)
    const cued = before.test(text.slice(Math.max(0, i - 10), i))
    if (!cued && !open) continue
    let best = 0
    let confidence = 0
    for (const length of [2, 1]) {
      const name = text.slice(i + size, i + size + length)
      if (name.length < length || ![...name].every((char) => han.test(char))) continue
      const known = [...name].every((char) => given.has(char))
      const closed = after.test(text.slice(i + size + length, i + size + length + 6))
      const honoured = honour.test(text.slice(i + size + length))
      const score =
        (cued ? 0.35 : 0) + (closed ? 0.25 : 0) + (known ? 0.25 : 0) + (honoured ? 0.3 : 0) + (open && !cued ? 0.05 : 0)
      if (score > confidence) {
        best = length
        confidence = score
      }
    }
    if (best > 0 && confidence >= 0.55) {
      out.push({ start: i, end: i + size + best, type: "PERSON", confidence: Math.min(0.9, confidence) })
      i += size + best - 1
    }
  }
}

/**
 * What customers of the Brisa coffee shop ask, in English and Chinese: of each question its label, what a right answer must say,
 * the ways to ask it that make the tickets, and other ways, which the tickets never use, that train the classifier.
 */

export type Language = "en" | "zh"

export type Label = "order" | "return" | "payment" | "account" | "repair" | "product"

interface Wording {
  /** What a right answer must say: every one of these. */
  readonly says: ReadonlyArray<string>
  readonly asked: ReadonlyArray<string>
  readonly training: ReadonlyArray<string>
  /** What it is about in a few words: trains the classifier in the `frames`. */
  readonly topics: ReadonlyArray<string>
}

export interface Question extends Readonly<Record<Language, Wording>> {
  readonly id: string
  readonly label: Label
}

/** `ways("one? | two?")`: the wordings between the bars. */
const ways = (text: string): ReadonlyArray<string> => text.split("|").map((way) => way.trim())

const question = (
  label: Label,
  id: string,
  en: readonly [says: string, asked: string, training: string, topics: string],
  zh: readonly [says: string, asked: string, training: string, topics: string]
): Question => {
  const wording = ([says, asked, training, topics]: readonly [string, string, string, string]): Wording => ({
    says: ways(says),
    asked: ways(asked),
    training: ways(training),
    topics: ways(topics)
  })
  return { id, label, en: wording(en), zh: wording(zh) }
}

export const questions: ReadonlyArray<Question> = [
  question(
    "order",
    "delivery-time",
    [
      "four to six working days",
      "How long does delivery take? | How many days does delivery to Germany take? | When will my order arrive? | What is your delivery time to France?",
      "How fast do you ship? | How soon can I expect my package? | Shipping time to Italy? | When do you dispatch, and when will it be here? | my order is still not here, when does it come",
      "delivery time | arrival of my order | days of delivery"
    ],
    [
      "八到十二个工作日",
      "配送时间要几天？ | 寄到中国大陆要多久？ | 我的订单几个工作日送达？",
      "什么时候能到货？ | 下单以后多少天能收到？ | 发货快不快？ | 我买的东西哪天到",
      "配送时间 | 送达时间"
    ]
  ),
  question(
    "order",
    "delivery-cost",
    [
      "free for orders over 60 euros",
      "What does delivery cost? | How much is shipping? | Is delivery free from some amount on?",
      "Do I have to pay for postage? | shipping fee? | What are your postage rates? | Price of next-day shipping",
      "delivery cost | shipping cost | express shipping"
    ],
    [
      "4.90 欧元",
      "运费多少？ | 订单满多少免运费？ | 配送要付运费吗？",
      "邮费怎么算？ | 包邮吗？ | 快递费要付多少",
      "运费 | 加急配送"
    ]
  ),
  question(
    "order",
    "tracking",
    [
      "tap Track",
      "Where can I track my order? | How do I track my parcel? | Where is my order right now?",
      "Is there a tracking link? | I want to follow my package | where has my shipment got to | The courier's link says unknown number",
      "tracking | my tracking number | where my parcel is"
    ],
    [
      "点“跟踪”",
      "怎么查询物流？ | 在哪里跟踪我的订单？",
      "我的快递到哪里了？ | 包裹现在走到哪了 | 物流信息在哪看",
      "物流查询 | 物流单号 | 跟踪订单"
    ]
  ),
  question(
    "order",
    "address",
    [
      "until it is packed",
      "Can I change the delivery address of my order? | I gave the wrong delivery address, can I change it? | How do I edit the address of an order?",
      "I have moved, please ship to my new street instead | Typo in my shipping address | Send the package to my office instead of home",
      "the delivery address | a wrong address on my order"
    ],
    [
      "打包之前",
      "可以修改收货地址吗？ | 收货地址写错了，怎么修改？",
      "我搬家了，快递请寄到新地址 | 地址填错了 | 能不能改送到公司",
      "收货地址 | 修改地址"
    ]
  ),
  question(
    "order",
    "cancel",
    [
      "Cancel",
      "How do I cancel my order? | Can I still cancel an order? | I want to cancel my order before it ships.",
      "Please stop the shipment, I don't want it any more | I ordered by mistake | Undo the purchase I made an hour ago",
      "cancelling an order | an order I do not want"
    ],
    [
      "取消",
      "怎么取消订单？ | 订单还能免费取消吗？",
      "我下错单了，不想要了 | 刚买的不要了，别发货 | 撤销我的订单",
      "取消订单 | 订单取消"
    ]
  ),
  question(
    "order",
    "missing",
    [
      "five working days after the promised date | order number | replacement or refund",
      "My parcel has not arrived, what do I do? | The parcel does not arrive, please help. | My parcel seems to be lost, it has not arrived.",
      "The package never came | The courier says delivered but there is nothing here | Shipment lost? | Still waiting for a box that should have come last week",
      "a parcel that has not arrived | a lost parcel | a missing order"
    ],
    [
      "五个工作日 | 订单号 | 全额退款",
      "包裹一直没有收到，怎么办？ | 我没有收到包裹。 | 包裹好像丢了，没有收到。",
      "快递丢件了 | 显示已签收但我没拿到 | 等了两周什么也没来",
      "没收到的包裹 | 包裹丢失"
    ]
  ),
  question(
    "return",
    "period",
    [
      "45 days",
      "How long may I return something? | Until when can I return a machine? | Can I return a machine that I have used?",
      "What is the return window? | Is there a trial time? | how many days do i have to send it back",
      "how long I can return | the time to return a used machine"
    ],
    [
      "45 天",
      "收货后多久可以退货？ | 用过的机器可以退货吗？",
      "退货期限是几天？ | 可以试用吗？ | 买了一个月还能退吗",
      "退货期限 | 退货时间"
    ]
  ),
  question(
    "return",
    "how",
    [
      "print the label",
      "How do I return something? | How can I return the machine? | Where do I get the return label?",
      "I'd like to send it back | Return process? | I don't like the machine, what now, back to you? | Who pays for sending it back",
      "returning the machine | a return label"
    ],
    [
      "退货标签",
      "怎么申请退货？ | 怎么退货？ | 退货标签在哪里打印？",
      "不喜欢，想退 | 我要把机器寄回去 | 退货流程是什么",
      "申请退货 | 退货标签"
    ]
  ),
  question(
    "return",
    "refund",
    [
      "seven working days",
      "When do I get my refund? | How long does the refund take? | My return arrived at your warehouse, when is the refund paid?",
      "I sent it back, where is my money? | Have you paid me back yet? | still no money for my return",
      "my refund | the refund for my return"
    ],
    [
      "七个工作日",
      "退款多久到账？ | 退货到仓库后什么时候退款？",
      "我的钱什么时候退给我？ | 退货寄回了，钱还没回来 | 退款到哪了",
      "退款 | 退款到账"
    ]
  ),
  question(
    "return",
    "exchange",
    [
      "Exchange instead of Return",
      "Can I exchange the machine for another colour? | How do I exchange it for another model? | I want to exchange the red one for the black colour.",
      "Swap it for the bigger one? | I'd rather have it in white | Can I switch to a different version",
      "exchanging for another colour | an exchange"
    ],
    [
      "选“换货”",
      "可以换货换颜色吗？ | 怎么换货换另一个型号？",
      "想换成白色的 | 能换大一点的吗 | 颜色不喜欢，能不能换",
      "换货 | 换颜色"
    ]
  ),
  question(
    "return",
    "damaged",
    [
      "photos | 14 days | Report damage",
      "My machine arrived damaged, what do I do? | The cup arrived broken. | The box arrived damaged and the machine is broken.",
      "It came in pieces | There is a crack in the housing straight out of the package | delivered with a dent | The wrong item was in the box and it is scratched",
      "a damaged machine in the box | something broken on arrival"
    ],
    [
      "照片 | 十四天 | 报告损坏",
      "收到的机器损坏了，怎么办？ | 收到时杯子已经损坏。",
      "打开箱子发现坏了 | 外壳有裂痕，刚拆封 | 寄来就是碎的",
      "收到的损坏物品 | 到货损坏"
    ]
  ),
  question(
    "payment",
    "methods",
    [
      "credit card",
      "How can I pay? | Which ways to pay do you take? | Can I pay by bank transfer? | Do you take PayPal?",
      "Is Visa accepted? | Do you accept Google Wallet or cash? | payment methods | Can I settle with Mastercard",
      "ways to pay | bank transfer or PayPal | paying"
    ],
    [
      "支付宝",
      "可以用支付宝付款吗？ | 付款方式有哪些？ | 支持货到付款吗？",
      "能用微信付吗？ | 怎么付钱？ | 收不收现金",
      "付款方式 | 支付宝 | 货到付款"
    ]
  ),
  question(
    "payment",
    "invoice",
    [
      "PDF",
      "Where do I find my invoice? | How do I download the invoice? | Can you put our company name and VAT number on the invoice?",
      "I need a bill for my tax return | Please send me a receipt | Our bookkeeping needs the document for the purchase",
      "my invoice | VAT on the invoice"
    ],
    [
      "PDF",
      "发票在哪里下载？ | 怎么开公司抬头的发票？",
      "给我开张收据 | 报销要用的票据 | 税号填哪里",
      "发票 | 公司抬头"
    ]
  ),
  question(
    "payment",
    "instalments",
    [
      "without interest",
      "Can I pay in instalments? | Do you offer monthly instalments? | Can I pay the machine in six instalments?",
      "Can I spread the cost over some months? | Is there financing? | buy now pay later",
      "instalments | monthly payment"
    ],
    [
      "免利息",
      "可以分期付款吗？ | 分期付款要利息吗？",
      "能不能每个月付一点？ | 花呗分几次 | 有没有贷款",
      "分期付款 | 分期利息"
    ]
  ),
  question(
    "payment",
    "voucher",
    [
      "at the checkout",
      "Where do I enter my discount code? | Where do I enter a voucher? | I have a discount code, where does it go?",
      "The coupon is rejected | promo code invalid | Where does the gift card number go",
      "a voucher | a discount code"
    ],
    [
      "结账时填",
      "优惠券在哪里填？ | 折扣码怎么用？",
      "优惠码无效 | 礼品卡怎么用 | 打折码输入了没反应",
      "优惠券 | 折扣码"
    ]
  ),
  question(
    "payment",
    "twice",
    [
      "wait two days | pending | last four digits",
      "I was charged twice for my order. | My card was charged twice, please help. | Why was I charged twice?",
      "You took the money two times | Double booking on my bank account | The amount left my account two times over",
      "being charged twice | a second charge on my card"
    ],
    [
      "两天 | 待处理 | 后四位",
      "我被重复扣款了。 | 为什么重复扣款？",
      "扣了我两次钱 | 银行卡被刷了两笔 | 同一笔收了双份",
      "重复扣款 | 多扣的款"
    ]
  ),
  question(
    "account",
    "password",
    [
      "30 minutes",
      "I forgot my password. | How do I reset my password? | The link to reset the password does not come.",
      "I can't log in any more | locked out of my profile | My login is refused | need new credentials",
      "my password | resetting the password"
    ],
    [
      "30 分钟",
      "我忘记密码了。 | 忘记密码怎么办？",
      "登录不了 | 密码不对，进不去 | 怎么重设登录密码",
      "忘记密码 | 密码重置"
    ]
  ),
  question(
    "account",
    "email",
    [
      "Profile, Email",
      "How do I change the email address of my account? | I have a new email address, how do I change it in my account?",
      "Update my contact mail | My mailbox no longer exists, switch my login to another one | please use my other mail from now on",
      "the email address in my account | changing my account email"
    ],
    [
      "资料",
      "怎么更换账户的邮箱？ | 账户邮箱可以更换吗？",
      "我的邮箱停用了，换一个 | 登录邮箱想改 | 换绑邮箱",
      "账户邮箱 | 更换邮箱"
    ]
  ),
  question(
    "account",
    "delete",
    [
      "Privacy, Delete",
      "How do I delete my account? | Please delete my account and all personal data. | I want you to delete all my personal data.",
      "Forget me under the GDPR | close my profile for good | Erase everything you know about me",
      "deleting my account | my personal data"
    ],
    [
      "14 天",
      "怎么注销账户？ | 请删除我的全部个人数据。",
      "我不想要这个账号了 | 把我的资料清掉 | 关闭我的帐号",
      "注销账户 | 删除个人数据"
    ]
  ),
  question(
    "account",
    "newsletter",
    [
      "Unsubscribe",
      "How do I stop the newsletter? | I do not want the newsletter any more. | Please unsubscribe me from the newsletter.",
      "Stop sending me advertising | too many mails from you | Take me off the mailing list",
      "the newsletter | unsubscribing"
    ],
    ["退订", "怎么退订邮件通讯？ | 不想再收到邮件通讯。", "别再发广告了 | 邮件太多了 | 取消推送", "邮件通讯 | 退订邮件"]
  ),
  question(
    "account",
    "two-step",
    [
      "authenticator app",
      "How do I switch on two-step sign-in? | Do you have two-step sign-in with an authenticator?",
      "Can I protect my profile with 2FA? | one-time code on my phone at login | security key for my login",
      "two-step sign-in | the recovery codes | the authenticator"
    ],
    [
      "验证器",
      "怎么打开两步登录？ | 两步登录支持验证器吗？",
      "能开双重验证吗？ | 登录要验证码 | 怎么让账号更安全",
      "两步登录 | 验证器"
    ]
  ),
  question(
    "repair",
    "no-water",
    [
      "until it clicks | steam tap | descale",
      "No water comes out of my machine. | The pump runs but no coffee comes out. | No water comes out although the tank is full.",
      "Nothing flows | The pump hums and the cup stays empty | dry, not a drop | It makes noise without brewing",
      "no water from the machine | a pump without coffee | an empty cup"
    ],
    [
      "咔哒声 | 蒸汽阀 | 除垢",
      "机器不出水，怎么办？ | 水泵在响但不出咖啡。",
      "一滴也没有 | 只有声音没有水 | 萃取不出来",
      "机器不出水 | 水泵不出咖啡"
    ]
  ),
  question(
    "repair",
    "descale",
    [
      "one litre | five seconds | 25 minutes",
      "How do I descale the machine? | The orange light blinks, do I have to descale? | When and how do I descale the Brisa Two?",
      "Limescale inside, how to clean it out? | There is a lamp flashing orange | decalcify | cleaning program for chalk",
      "descaling | the orange light"
    ],
    [
      "一升水 | 五秒 | 25 分钟",
      "怎么除垢？ | 橙色灯闪烁，要除垢吗？",
      "水垢怎么清理？ | 灯一直闪橙色 | 里面有白色的垢",
      "除垢 | 橙色灯"
    ]
  ),
  question(
    "repair",
    "leak",
    [
      "rubber seal | 18 months | drip tray",
      "My machine leaks. | The machine leaks, what can I do? | There is water, my machine leaks everywhere.",
      "There is a puddle beneath it | dripping everywhere | It wets my kitchen counter each morning | Moisture around the filter holder",
      "a leak | a leaking machine | water under the machine"
    ],
    [
      "密封圈 | 18 个月 | 滴水盘",
      "机器漏水，怎么办？ | 我的机器漏水了。",
      "台面上一滩水 | 一直滴水 | 手柄旁边往外渗",
      "漏水 | 机器漏水"
    ]
  ),
  question(
    "repair",
    "e4",
    [
      "40 minutes | two cups | thermostat",
      "What does error E4 mean? | The display shows error E4. | My machine stops with error E4.",
      "It says E4 and refuses to heat | fault code E-4 | Overheated, code on the screen",
      "error E4 | an error on the display"
    ],
    [
      "40 分钟 | 两杯水 | 温控器",
      "错误 E4 是什么意思？ | 屏幕显示错误 E4。",
      "报故障代码 E4 | 出现 E4 不加热 | 过热报警",
      "错误 E4 | 屏幕错误"
    ]
  ),
  question(
    "repair",
    "dead",
    [
      "another socket | reset switch | ten seconds",
      "My machine does not switch on. | The machine does not switch on any more. | It does not switch on since this morning.",
      "Completely dead | No light, no sound when I press the button | power failure of the device | it won't start",
      "a machine that does not switch on | a dead machine"
    ],
    [
      "插座 | 复位开关 | 十秒",
      "机器开不了机。 | 今天早上开不了机了，怎么办？",
      "按电源没反应 | 灯不亮 | 完全不通电",
      "开不了机 | 机器没反应"
    ]
  ),
  question(
    "repair",
    "steam",
    [
      "unscrew its tip | 20 minutes | cleaning needle",
      "The steam is weak. | My steam wand is blocked. | The milk wand is blocked, how do I clean it?",
      "Hardly any froth comes out | No pressure at the frother | The nozzle for milk is clogged",
      "weak steam | a blocked steam wand | the milk wand"
    ],
    [
      "喷头 | 20 分钟 | 清洁针",
      "蒸汽很弱，怎么办？ | 蒸汽管堵塞了。",
      "打不出奶泡 | 没有压力 | 喷嘴堵了",
      "蒸汽弱 | 蒸汽管堵塞"
    ]
  ),
  question(
    "product",
    "size",
    [
      "24 cm",
      "How wide is the Brisa Two? | What are the size and weight of the machine?",
      "Will it fit beneath my cupboard? | dimensions please | Is it heavy?",
      "the size of the machine | its weight | the water tank in litres | how wide it is"
    ],
    [
      "24 厘米",
      "Brisa Two 多宽？ | 机器的尺寸和重量是多少？",
      "放得进橱柜吗？ | 有多高 | 重不重",
      "机器尺寸 | 机器重量 | 宽度"
    ]
  ),
  question(
    "product",
    "warranty",
    [
      "three years",
      "How long is the warranty? | What does the warranty cover? | How many years of warranty does the boiler have?",
      "Is there a guarantee? | Until when are you liable for defects | guaranteed for how long",
      "the warranty | warranty years"
    ],
    [
      "三年",
      "保修期几年？ | 水垢在保修范围内吗？",
      "质保多长？ | 坏了免费修吗 | 有没有售后保障",
      "保修 | 保修期 | 保修范围"
    ]
  ),
  question(
    "product",
    "coffee",
    [
      "ground coffee",
      "Does the machine take Nespresso capsules? | Can I use ground coffee or pods? | Does the machine have a grinder?",
      "Which capsules fit? | Can I put whole beans in? | Is there a mill built in",
      "capsules and pods | ground coffee | the grinder"
    ],
    [
      "胶囊",
      "能用 Nespresso 胶囊吗？ | 有磨豆机吗？",
      "可以用咖啡豆直接磨吗？ | 什么样的粉合适 | 兼容哪种胶囊",
      "胶囊 | 磨豆机 | 咖啡粉"
    ]
  ),
  question(
    "product",
    "water",
    [
      "8 degrees",
      "Which water hardness is right? | How often do I change the filter cartridge in the tank? | Do I need a water filter cartridge?",
      "Is tap water fine? | May I fill in bottled water | what sort of water suits it best",
      "water hardness | the filter cartridge"
    ],
    [
      "8 度",
      "用多硬的水？水的硬度有要求吗？ | 滤芯多久更换一次？",
      "自来水可以吗？ | 要不要用矿泉水 | 纯净水行吗",
      "水的硬度 | 滤芯"
    ]
  ),
  question(
    "product",
    "milk",
    [
      "oat",
      "Does the steam wand froth oat milk? | Can I froth soy or almond milk? | Which plant milk gives a firm foam?",
      "Does it do vegan cappuccino? | Is it suited to lactose-free drinks? | latte without dairy",
      "oat milk | plant milk | frothing soy or almond milk"
    ],
    [
      "燕麦奶",
      "可以打燕麦奶吗？ | 豆奶和杏仁奶能打吗？",
      "植物奶合适吗？ | 素食拿铁能做吗 | 不含乳糖的行不行",
      "燕麦奶 | 豆奶 | 植物奶"
    ]
  ),
  question(
    "product",
    "power",
    [
      "1,350 watts",
      "How many watts does the machine draw? | Does the machine switch itself off after some minutes? | Which voltage does the machine need?",
      "Electricity consumption? | Can I use it in the USA with 110 V | Is there an auto-off",
      "watts and voltage | switching off by itself | the power it draws"
    ],
    [
      "1350 瓦",
      "机器功率多少瓦？ | 会自动关机吗？功率多大？",
      "费电吗？ | 110 伏能用吗 | 耗电量",
      "功率 | 自动关机 | 电压"
    ]
  ),
  question(
    "product",
    "beans",
    [
      "Account, Subscription",
      "How do I pause my bean subscription? | Can I end the bean subscription? | How do I pause the subscription for beans?",
      "Skip the next bag of coffee | I have too much coffee, stop the monthly bag | Where are your beans roasted",
      "the bean subscription | pausing my beans"
    ],
    [
      "订阅",
      "怎么暂停咖啡豆订阅？ | 咖啡豆订阅可以取消吗？",
      "下个月的豆子先不要 | 豆子在哪烘焙 | 豆子喝不完",
      "咖啡豆订阅 | 暂停订阅"
    ]
  )
]

/** What the desk is not for. It should say that it cannot answer. */
export const strange: Readonly<Record<Language, { readonly asked: ReadonlyArray<string> }>> = {
  en: {
    asked: ways(
      "Who won the chess olympiad in 1986? | Do you know a good dentist in Lisbon? | What will the weather be like on Sunday? | Is Bitcoin going to rise? | Do you have an opening for a barista? | Can you repair my bicycle?"
    )
  },
  zh: { asked: ways("明天北京下雨吗？ | 推荐一部好看的电影。 | 今天股票会涨吗？ | 请帮我写一首诗。") }
}

/** Texts that teach the classifier what is out of scope. */
export const strangeTraining: ReadonlyArray<string> = ways(
  "Which team plays in the final? | What is the capital of Peru? | Tell me a joke about cats. | Recommend a film for tonight. | How tall is the Eiffel tower? | I have a headache, what should I take? | Who painted the Mona Lisa? | Where can I hire a car in Madrid? | What is the square root of 1764? | Explain photosynthesis to a child. | Are you a human? | Which party should I vote for? | Find me a flight to Rome. | Write a haiku. | Teach me some Greek. | Do my geography homework. | Write a story about a dragon. | Plan a birthday party. | Translate this song into French. | What does an electrician earn? | 世界上最高的山是哪座？ | 给我讲个笑话。 | 怎么学习游泳？ | 附近有什么好吃的饭馆？ | 谁是现任总统？ | 帮我翻译这句话。 | 头疼吃什么药？ | 今晚有什么比赛？ | 给孩子起个名字。 | 怎么去机场？"
)

/** One person who uses the desk as a free assistant for everything. */
export const chatter: ReadonlyArray<string> = ways(
  "Write me a poem about the sea. | Write me a poem about the moon. | Write a birthday speech for my uncle. | Solve my maths homework: 3x + 7 = 22. | Summarise the plot of Hamlet. | Write an essay on the French Revolution. | Translate 'good night' into Finnish. | Give me ten names for a dog. | Explain quantum entanglement. | Write a cover letter for a nurse. | What should I cook tonight? | Plan a weekend in Vienna. | Write a limerick about a cat. | Who was the first man on the moon? | Give me a workout plan. | Write a love letter to Maria. | What is the population of Chile? | Explain the offside rule. | Write a bedtime story about a fox. | Draft a rent reduction letter. | Which stars are visible in June? | Write a toast for a wedding. | How do vaccines work? | Tell me about the Ming dynasty."
)

/** What stands before and after a question. `{…}` is a personal value of that kind. */
export const around: Readonly<
  Record<
    Language,
    {
      readonly before: ReadonlyArray<string>
      readonly after: ReadonlyArray<string>
      readonly story: ReadonlyArray<string>
    }
  >
> = {
  en: {
    before: ways(
      "Hello, my name is {name}. | My email is {email}. | You can call me at {phone}. | Hi, I am {name}, my email is {email}. | I paid with card {card}. | My IBAN is {iban}. | Hello, this is {name}, phone {phone}."
    ),
    after: ways("Thanks! | Please answer to {email}. | Kind regards, {name} | Thank you very much."),
    story: ways(
      "I bought this as a present for my mother, who is very fond of it. | We have had it since spring and like it otherwise. | I already looked through the manual without success."
    )
  },
  zh: {
    before: ways(
      "你好，我叫{name}。 | 我的邮箱是 {email}。 | 我的手机号是 {phone}。 | 我叫{name}，手机号 {phone}。 | 我的身份证号是 {id}。"
    ),
    after: ways("谢谢！ | 请回复到 {email}。 | 麻烦了。"),
    story: ways("这是送给妈妈的礼物。 | 我已经看过说明书了。")
  }
}

/** What trains the classifier on the topics of a question: `{}` is the topic. */
export const frames: Readonly<Record<Language, ReadonlyArray<string>>> = {
  en: ways("I have a question about {}. | What about {}? | Could you tell me more on {}? | {}, please explain."),
  zh: ways("我想了解{}。 | {}是怎么回事？ | 关于{}的问题。")
}

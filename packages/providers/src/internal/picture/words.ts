/**
 * The words that the offline image model knows, in English and Chinese: numbers, colours, sizes, things, settings and where a
 * thing stands. Whatever else a prompt says is passed over.
 *
 * @since 0.1.0
 */

/** Where one thing stands seen from another. */
export type Direction = "left" | "right" | "above" | "below" | "beside" | "on" | "under" | "inside"

/** Where a thing stands in the picture. */
export type Side = "left" | "right" | "top" | "bottom" | "centre"

/** What a picture is set in. */
export type Setting =
  | "night"
  | "sunset"
  | "dawn"
  | "space"
  | "sea"
  | "beach"
  | "mountains"
  | "desert"
  | "snow"
  | "forest"
  | "city"
  | "meadow"
  | "rain"
  | "storm"
  | "fog"

/** What a word means. */
export type Word =
  | { readonly _tag: "Number"; readonly value: number }
  | { readonly _tag: "Colour"; readonly colour: string }
  | { readonly _tag: "Size"; readonly factor: number }
  | { readonly _tag: "Thing"; readonly kind: string }
  | { readonly _tag: "Setting"; readonly setting: Setting }
  | { readonly _tag: "Relation"; readonly direction: Direction }
  | { readonly _tag: "Side"; readonly sides: ReadonlyArray<Side>; readonly direction?: Direction }
  | { readonly _tag: "At" | "Has" | "Break" | "Not" | "The" | "And" }

/** The names of colours, and how they are painted. */
export const colours: { readonly [name: string]: string } = {
  red: "#e5484d",
  orange: "#f5822a",
  yellow: "#ffc53d",
  gold: "#e3a51f",
  green: "#3aa76d",
  teal: "#12a594",
  cyan: "#22b8cf",
  blue: "#3b7df0",
  navy: "#27348b",
  purple: "#8e4ec6",
  pink: "#f075a8",
  brown: "#a0683f",
  black: "#23272f",
  grey: "#8f96a3",
  silver: "#c3c9d4",
  white: "#fbfaf6",
  beige: "#e9d8b4"
}

const lists: {
  readonly colour: { readonly [name: string]: string }
  readonly thing: { readonly [kind: string]: string }
  readonly setting: { readonly [Name in Setting]: string }
} = {
  colour: {
    red: "red|crimson|scarlet|红色|红|赤",
    orange: "orange|橙色|橘色|橙",
    yellow: "yellow|lemon|黄色|黄",
    gold: "gold|golden|金色",
    green: "green|emerald|lime|绿色|绿",
    teal: "teal|turquoise|青绿色|青色",
    cyan: "cyan|aqua|light blue|sky blue|天蓝色|浅蓝色|青",
    blue: "blue|azure|蓝色|蓝",
    navy: "navy|dark blue|indigo|深蓝色|藏青色",
    purple: "purple|violet|magenta|lavender|紫色|紫",
    pink: "pink|rose|粉红色|粉色|粉红|粉",
    brown: "brown|wooden|棕色|褐色|咖啡色",
    black: "black|黑色|黑",
    grey: "grey|gray|灰色|灰",
    silver: "silver|银色",
    white: "white|白色|白",
    beige: "beige|cream|ivory|米色"
  },
  thing: {
    circle: "circle|disc|disk|dot|ball|sphere|圆形|圆圈|圆点|圆|球",
    ring: "ring|圆环|环",
    oval: "oval|ellipse|椭圆形|椭圆",
    square: "square|cube|box|正方形|方块|方形|盒子|箱子",
    rectangle: "rectangle|长方形|矩形",
    triangle: "triangle|pyramid|三角形|三角",
    diamond: "diamond|rhombus|gem|菱形|钻石",
    hexagon: "hexagon|六边形",
    pentagon: "pentagon|五边形",
    cross: "cross|plus sign|十字",
    heart: "heart|爱心|心形|心",
    star: "star|五角星|星星|星形|星",
    sun: "sun|太阳",
    moon: "moon|crescent|月亮|月牙|明月|月",
    cloud: "cloud|云朵|云彩|白云|云",
    rainbow: "rainbow|彩虹",
    bird: "bird|seagull|gull|swallow|鸟儿|小鸟|海鸥|燕子|鸟",
    balloon: "balloon|气球",
    airballoon: "hot air balloon|hot-air balloon|热气球",
    kite: "kite|风筝",
    plane: "plane|airplane|aeroplane|飞机",
    rocket: "rocket|spaceship|火箭|飞船",
    planet: "planet|saturn|行星|星球",
    tree: "tree|oak|apple tree|大树|小树|树木|树",
    pine: "pine|fir|pine tree|fir tree|christmas tree|松树|圣诞树",
    palm: "palm|palm tree|椰子树|椰树|棕榈树",
    bush: "bush|shrub|灌木",
    cactus: "cactus|仙人掌",
    flower: "flower|tulip|daisy|花朵|鲜花|小花|花",
    mushroom: "mushroom|蘑菇",
    house: "house|cottage|cabin|home|房子|小屋|木屋|屋子|房屋",
    castle: "castle|城堡",
    tower: "tower|skyscraper|高楼|塔",
    lighthouse: "lighthouse|灯塔",
    windmill: "windmill|风车",
    tent: "tent|帐篷",
    fence: "fence|篱笆|栅栏",
    person: "person|man|woman|child|girl|boy|figure|人|女孩|男孩|孩子|小孩|女人|男人",
    cat: "cat|kitten|小猫|猫咪|猫",
    dog: "dog|puppy|小狗|狗",
    sheep: "sheep|lamb|绵羊|羊",
    rabbit: "rabbit|bunny|兔子",
    car: "car|汽车|小汽车|轿车",
    bus: "bus|公交车|巴士",
    bicycle: "bicycle|bike|自行车",
    boat: "boat|ship|sailboat|sailing boat|帆船|小船|轮船|船",
    fish: "fish|小鱼|鱼",
    whale: "whale|鲸鱼|鲸",
    duck: "duck|鸭子",
    umbrella: "umbrella|parasol|雨伞|伞",
    apple: "apple|苹果",
    cup: "cup of coffee|cup of tea|cup|mug|coffee|tea|杯子|咖啡|茶杯|茶",
    book: "book|书本|书",
    lamp: "lamp|lantern|street lamp|灯笼|路灯|灯",
    cake: "cake|birthday cake|蛋糕",
    gift: "gift|present|parcel|package|礼物|包裹",
    robot: "robot|机器人",
    snowman: "snowman|雪人",
    mountain: "peak|volcano|山峰|火山"
  },
  setting: {
    night: "night|midnight|starry|evening|夜晚|夜空|夜里|晚上|星空|夜",
    sunset: "sunset|dusk|twilight|黄昏|日落|夕阳|傍晚|晚霞",
    dawn: "dawn|sunrise|morning|日出|黎明|清晨|早晨",
    space: "space|outer space|galaxy|cosmos|太空|宇宙|银河",
    sea: "sea|ocean|waves|lake|water|大海|海洋|海面|湖面|湖|海",
    beach: "beach|shore|island|海滩|沙滩|海边|岛",
    mountains: "mountain|mountains|alps|hilltop|群山|高山|雪山|山脉|山",
    desert: "desert|dunes|沙漠|沙丘",
    snow: "snow|snowy|winter|雪地|下雪|冬天|雪",
    forest: "forest|woods|森林|树林",
    city: "city|town|skyline|street|城市|城镇|街道",
    meadow: "meadow|field|hill|hills|grass|garden|park|countryside|草地|草原|田野|花园|公园|山坡|山丘",
    rain: "rain|rainy|下雨|雨天|雨",
    storm: "storm|lightning|thunder|闪电|暴风雨|雷",
    fog: "fog|foggy|mist|misty|雾"
  }
}

const numbers: { readonly [word: string]: number } = {
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  eleven: 11,
  twelve: 12,
  fifteen: 15,
  twenty: 20,
  thirty: 30,
  dozen: 12,
  couple: 2,
  pair: 2,
  few: 3,
  several: 4,
  some: 3,
  many: 9,
  几: 4,
  许多: 9,
  很多: 9,
  一些: 4,
  一对: 2
}

const sizes: { readonly [word: string]: number } = {
  tiny: 0.45,
  little: 0.65,
  small: 0.65,
  big: 1.4,
  large: 1.4,
  tall: 1.3,
  huge: 1.85,
  giant: 1.85,
  enormous: 1.85,
  小小的: 0.5,
  小: 0.65,
  大: 1.4,
  巨大: 1.85,
  高大: 1.4
}

const relations: { readonly [Name in Direction]: string } = {
  left: "left of|to the left of|on the left of|on the left side of",
  right: "right of|to the right of|on the right of|on the right side of",
  above: "above|over|on top of|flying over|higher than",
  below: "below|beneath|lower than",
  under: "under|underneath",
  beside: "beside|next to|near|by|by the side of|alongside|with",
  on: "on|atop|sitting on|standing on|riding",
  inside: "inside|in|within"
}

const sides: ReadonlyArray<readonly [string, ReadonlyArray<Side>, Direction?]> = [
  ["on the left|at the left|to the left|in the left|left side|left", ["left"]],
  ["on the right|at the right|to the right|in the right|right side|right", ["right"]],
  ["at the top|on the top|in the top|top", ["top"]],
  ["at the bottom|on the bottom|in the bottom|bottom", ["bottom"]],
  ["in the middle|in the centre|in the center|centre|center|middle|中间|中央|中心|正中", ["centre"]],
  ["top left|upper left|top-left|左上角|左上", ["top", "left"]],
  ["top right|upper right|top-right|右上角|右上", ["top", "right"]],
  ["bottom left|lower left|bottom-left|左下角|左下", ["bottom", "left"]],
  ["bottom right|lower right|bottom-right|右下角|右下", ["bottom", "right"]],
  ["左边|左侧|左面|左方|左", ["left"], "left"],
  ["右边|右侧|右面|右方|右", ["right"], "right"],
  ["上方|上面|顶上", ["top"], "above"],
  ["下方|下面|底下", ["bottom"], "below"],
  ["旁边|附近|边上|身旁", [], "beside"],
  ["上", [], "on"],
  ["里|里面", [], "inside"]
]

const marks: { readonly [Tag in "At" | "Has" | "Break" | "Not" | "The" | "And"]: string } = {
  At: "在|位于",
  Has: "有|是|is|are|there is|there are|stands|sits",
  Break: ",|.|;|!|?|，|。|；|！|？|、|\n",
  Not: "no|without|not|没有|不要|无",
  The: "the|那|这",
  And: "and|和|与|以及"
}

const irregular: { readonly [word: string]: string } = {
  people: "person",
  men: "man",
  women: "woman",
  children: "child",
  leaves: "tree",
  mice: "cat",
  buses: "bus",
  boxes: "box",
  churches: "house",
  sheep: "sheep",
  fish: "fish"
}

const plural = (word: string): string =>
  /(?:s|x|ch|sh)$/.test(word) ? `${word}es` : /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`

const build = (): ReadonlyMap<string, Word> => {
  const words = new Map<string, Word>()
  const add = (forms: string, word: Word) => {
    for (const form of forms.split("|")) if (!words.has(form)) words.set(form, word)
  }
  for (const [colour, forms] of Object.entries(lists.colour)) {
    add(forms, { _tag: "Colour", colour: colours[colour] ?? "#888888" })
  }
  for (const [kind, forms] of Object.entries(lists.thing)) {
    add(forms, { _tag: "Thing", kind })
    for (const form of forms.split("|")) if (/^[a-z]/.test(form)) add(plural(form), { _tag: "Thing", kind })
  }
  for (const [setting, forms] of Object.entries(lists.setting)) {
    add(forms, { _tag: "Setting", setting: setting as Setting })
  }
  for (const [form, singular] of Object.entries(irregular)) {
    const word = words.get(singular)
    if (word !== undefined) words.set(form, word)
  }
  for (const [form, value] of Object.entries(numbers)) words.set(form, { _tag: "Number", value })
  for (const [form, factor] of Object.entries(sizes)) words.set(form, { _tag: "Size", factor })
  for (const [direction, forms] of Object.entries(relations)) {
    for (const form of forms.split("|")) words.set(form, { _tag: "Relation", direction: direction as Direction })
  }
  for (const [forms, where, direction] of sides) {
    for (const form of forms.split("|")) {
      words.set(form, { _tag: "Side", sides: where, ...(direction === undefined ? {} : { direction }) })
    }
  }
  for (const [tag, forms] of Object.entries(marks)) {
    for (const form of forms.split("|")) words.set(form, { _tag: tag as "At" })
  }
  return words
}

const known = build()
const byFirst = new Map<string, Array<string>>()
for (const form of [...known.keys()].sort((a, b) => b.length - a.length)) {
  const first = form[0]!
  const forms = byFirst.get(first)
  if (forms === undefined) byFirst.set(first, [form])
  else forms.push(form)
}

const digits = "一二三四五六七八九"
const chineseNumber = (text: string): number => {
  const one = (digit: string) => (digit === "两" ? 2 : digits.indexOf(digit) + 1)
  const ten = text.indexOf("十")
  if (ten < 0) return one(text)
  return (ten === 0 ? 1 : one(text[0]!)) * 10 + (ten === text.length - 1 ? 0 : one(text.slice(ten + 1)))
}

const isLatin = (char: string): boolean => /[a-z0-9]/.test(char)

/** The words of a prompt that are known, in order, the longest first where several fit. */
export const wordsOf = (prompt: string): ReadonlyArray<Word> => {
  const text = prompt.toLowerCase()
  const found: Array<Word> = []
  let at = 0
  while (at < text.length) {
    const chinese = /^(?:[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九](?!角星|角形|边形))/.exec(
      text.slice(at, at + 6)
    )
    if (chinese !== null && !known.has(text.slice(at, at + 2))) {
      found.push({ _tag: "Number", value: chineseNumber(chinese[0]) })
      at += chinese[0].length
      continue
    }
    const number = /^\d+/.exec(text.slice(at, at + 12))
    if (number !== null) {
      const value = Number(number[0])
      at += number[0].length
      if (value >= 1 && value <= 99 && !isLatin(text[at] ?? "")) found.push({ _tag: "Number", value })
      continue
    }
    const forms = byFirst.get(text[at]!) ?? []
    const form = forms.find(
      (one) =>
        text.startsWith(one, at) &&
        (!isLatin(one[0]!) || (!isLatin(text[at - 1] ?? " ") && !isLatin(text[at + one.length] ?? " ")))
    )
    if (form !== undefined) {
      found.push(known.get(form)!)
      at += form.length
    } else if (isLatin(text[at]!)) {
      while (at < text.length && isLatin(text[at]!)) at++
    } else {
      at++
    }
  }
  return found
}

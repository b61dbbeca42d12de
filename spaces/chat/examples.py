"""Prompts to try: the article's four kinds of demonstration in our own words, and more in which the answer is known.

The first four are the article's kinds: capitals, word pairs, a sentence's subject, triples. Facts are common ones; what
stands in the other prompts is made up here.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.i18n import tr
from spaces.chat.settings import Writing

FREE = {"temperature": 1.0, "max_new_tokens": 96, "stop": ""}


@dataclass(frozen=True)
class Example:
    """A prompt, what one would say to it, and how the knobs stand."""

    key: str
    name: str
    """In both languages (tr)."""
    prompt: str
    answer: str = ""
    """Empty where there is no one answer."""
    shape: str = ""
    """How each of its lines is written, with {q} and {a}."""
    drawn: tuple[tuple[str, object], ...] = ()

    @property
    def settings(self) -> Writing:
        """The knobs with this prompt."""
        return Writing(prompt=self.prompt, **dict(self.drawn))


def _shots(shape: str, rows: str, asked: str) -> str:
    """Lines "question|answer" written in a shape, and the question after them."""
    pairs = [line.split("|") for line in rows.strip().split("\n")]
    said = "".join(shape.format(q=q, a=a) for q, a in pairs)
    return said + shape.partition("{a}")[0].format(q=asked)


def _few(key: str, name: str, shape: str, rows: str, asked: str, answer: str, **drawn) -> Example:
    return Example(key, name, _shots(shape, rows, asked), answer, shape, tuple(drawn.items()))


def _free(key: str, name: str, prompt: str, **drawn) -> Example:
    return Example(key, name, prompt, drawn=tuple((FREE | drawn).items()))


ARTICLE = (
    _few("capital", tr("首都", "Capitals"), "{q} {a}\n", "法国|巴黎\n日本|东京\n德国|柏林\n英国|伦敦", "中国", "北京"),
    _few("english", tr("英汉词对", "Word pairs"), "{q} {a}\n", "猫|cat\n马|horse\n鱼|fish\n狼|wolf", "鸟", "bird"),
    _few(
        "subject",
        tr("抽取主语", "Who is it about"),
        "{q}\n答：{a}\n",
        "昨天下午陈静在图书馆借了两本小说|陈静\n上周赵明轩在公园里画画|赵明轩\n清晨刘师傅把自行车修好了|刘师傅",
        "晚上周雨晴在厨房里做饭",
        "周雨晴",
    ),
    _few(
        "triple",
        tr("三元组", "Triples"),
        "{q}\n三元组：{a}\n",
        "王芳的身高是165厘米|王芳,身高,165厘米\n李强的月薪是12千元|李强,月薪,12千元\n雨伞的价格是39元|雨伞,价格,39元\n"
        "陈杰的年龄是27岁|陈杰,年龄,27岁",
        "赵敏的体重是108斤",
        "赵敏,体重,108斤",
        max_new_tokens=24,
    ),
)
MORE = (
    _few("antonym", tr("反义词", "Antonyms"), "{q}：{a}\n", "大|小\n高兴|难过\n前进|后退\n安全|危险", "开始", "结束"),
    _few("idiom", tr("成语", "Idioms"), "{q} -> {a}\n", "守株|待兔\n亡羊|补牢\n井底|之蛙\n对牛|弹琴", "画蛇", "添足"),
    _few(
        "verse",
        tr("古诗接句", "Next verse"),
        "{q}，{a}。\n",
        "白日依山尽|黄河入海流\n春眠不觉晓|处处闻啼鸟\n红豆生南国|春来发几枝",
        "床前明月光",
        "疑是地上霜",
    ),
    _few("measure", tr("量词", "Measure words"), "{q}的量词是{a}\n", "书|本\n马|匹\n花|朵\n鱼|条", "树", "棵"),
    _few(
        "province",
        tr("省会", "Provincial seats"),
        "{q}的省会是{a}\n",
        "广东|广州\n四川|成都\n陕西|西安",
        "浙江",
        "杭州",
    ),
    _few(
        "dynasty",
        tr("诗人朝代", "Poets' dynasties"),
        "{q} => {a}\n",
        "李白|唐\n苏轼|宋\n马致远|元\n龚自珍|清",
        "杜甫",
        "唐",
    ),
    _few("element", tr("元素符号", "Elements"), "{q}={a}\n", "氢|H\n氧|O\n铁|Fe\n铜|Cu", "碳", "C"),
    _few(
        "kind", tr("归类", "What kind"), "{q}：{a}\n", "苹果|水果\n钢琴|乐器\n老虎|动物\n火车|交通工具", "萝卜", "蔬菜"
    ),
    _few(
        "sentiment",
        tr("好评差评", "Good or bad"),
        "{q} 情感：{a}\n",
        "这家餐厅很好吃|好评\n这部电影十分无聊|差评\n这件衣服很漂亮|好评\n这个酒店很脏|差评",
        "这次旅行很开心",
        "好评",
    ),
    _few("add", tr("加法", "Sums"), "{q}={a}\n", "3+4|7\n2+6|8\n5+1|6\n4+4|8", "6+3", "9"),
    _few("order", tr("从小到大", "Sorting"), "{q} -> {a}\n", "5 2 8|2 5 8\n9 1 4|1 4 9\n7 3 6|3 6 7", "8 6 1", "1 6 8"),
    _few(
        "reverse",
        tr("倒着写", "Backwards"),
        "{q} -> {a}\n",
        "山水|水山\n春天|天春\n大海|海大\n明月|月明",
        "风雨",
        "雨风",
    ),
    _few(
        "lookup",
        tr("查一查", "Look it up"),
        "{q} {a}\n",
        "猫=7，狗=3；狗|3\n书=9，笔=5；书|9\n山=2，河=8；河|8",
        "门=4，窗=6；门",
        "4",
    ),
    _few(
        "question",
        tr("读句答问", "Read and answer"),
        "{q}\n答：{a}\n",
        "早上李明在公园跑步。在哪里？|公园\n昨天王丽在超市买了牛奶。是谁？|王丽\n周末张华在河边钓鱼。做什么？|钓鱼",
        "下午陈晨在书店看书。在哪里？",
        "书店",
    ),
    _free("support", tr("倾诉", "A talk"), "问：最近工作压力很大，晚上总是睡不着。\n答：", stop=r"\n问"),
    _free("poem", tr("写词", "A poem"), "《浣溪沙》\n"),
    _free("passage", tr("百科", "An article"), "长江是中国最长的河流，"),
)
ALL = {example.key: example for example in ARTICLE + MORE}

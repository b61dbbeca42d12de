"""What a Chinese sentence about bad input calls its field: what its knob is labelled, or else a name from here.

English sentences keep the field's own name, which programs and links use.
"""

from __future__ import annotations

import re

from shared.i18n import pick

NAMES = {
    "answers": "回答", "backend": "后端", "cell": "单元", "click": "点击", "clip": "裁剪阈值", "continue": "继续",
    "count": "个数", "date": "日期", "day": "天数", "depth": "深度", "documents": "文档", "draw": "抽样方式",
    "draws": "抽样", "embeddings": "嵌入", "event": "操作", "fen": "FEN", "file": "文件",
    "form": "格式", "format": "格式", "game": "棋局", "games": "棋局", "grain_mm": "陶粒粒径", "handicap": "让子",
    "head": "头", "heads": "头数", "hidden": "隐藏单元数", "hint": "提示", "history": "对话记录",
    "images": "图像", "index": "编号", "kind": "种类", "labels": "标签", "length": "长度", "level": "水平",
    "line": "变着", "look": "看法", "mask": "掩码", "model": "模型", "move": "着法", "moves": "着法",
    "network": "网络", "nh3": "氨", "nitrate": "硝酸盐", "nitrite": "亚硝酸盐", "node": "节点", "notation": "记谱",
    "off": "关掉的例子", "openings": "开局统计", "out": "输出文件夹", "pack": "训练数据", "parameters": "参数",
    "passage": "段落", "player": "棋手", "probe": "探针", "prompt": "提示", "rates": "倍数", "reading": "读法",
    "readings": "读数", "redo": "重做", "resign": "认输", "resume": "续做", "retry": "重答", "run": "运行",
    "scores": "得分", "seed": "随机种子", "server": "服务器", "settings": "设置", "shot": "例子", "shots": "例子",
    "side": "一方", "start": "起点", "steps": "步数", "study": "残局", "tab": "栏目", "task": "任务",
    "temperature": "温度", "text": "文字", "token": "词元", "tokens": "词元数", "tree": "分支", "turn": "轮次",
    "undo": "撤销", "view": "视图", "way": "方式", "weights": "权重", "who": "对手",
}  # fmt: skip
_labels: dict[str, set[str]] = {}  # of the knobs on the page


def learn(name: str, label: str | None) -> None:
    """The knob of the setting `name` is labelled so: "学习率（Adam）" makes it 学习率."""
    if label and (short := re.split("[（：，(]", pick(label, "zh"))[0].strip()):
        _labels.setdefault(name, set()).add(short)


def chinese(name: str) -> str:
    """What a Chinese reader calls the field; its own name where nothing better is known."""
    labels = _labels.get(name, set())
    return next(iter(labels)) if len(labels) == 1 else NAMES.get(name, name)

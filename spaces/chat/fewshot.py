"""Few-shot prompts: shots of a task in one of many written forms, for training and for the exact-match test.

A question whose answer stands in the prompt (copying, extraction, sums) is unseen when its hash says so: training never
shows it. A known fact is seen in training, its prompt is not. `python -m spaces.chat.fewshot --model DIR` prints exact
matches task by task: greedy, up to the end of the line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.experiment import InputError
from spaces.chat.tasks import IN_PROMPT, KNOWN, Pair

# How a shot is written. Those first in the list are drawn more often.
FORMS = (
    "{q} {a}\n", "{q}：{a}\n", "问：{q}\n答：{a}\n", "{q} -> {a}\n", "{q}→{a}\n", "{q} => {a}\n", "{q} = {a}\n",
    "{q}\n{a}\n\n", "{q}:{a}\n", "{q}=>{a}\n", "{q} → {a}\n", "{q}，{a}\n", "问：{q} 答：{a}\n", "问：{q}\n答：{a}\n\n",
    "输入：{q}\n输出：{a}\n", "{q}=={a}\n", "{q}\t{a}\n", "{q} - {a}\n", "{q}——{a}\n", "{q} | {a}\n",
    "问题：{q}\n答案：{a}\n", "输入：{q} 输出：{a}\n", "Q: {q}\nA: {a}\n", "Q：{q}\nA：{a}\n", "原文：{q}\n结果：{a}\n",
    "{q}。{a}\n", "{q}：{a}。\n", "“{q}”：“{a}”\n", "{q}: {a}\n", "{q}={a}\n", "{q}>{a}\n", "输入:{q}\n输出:{a}\n\n",
    "{q} {a}；\n", "例：{q} → {a}\n", "题目：{q}\n回答：{a}\n\n", "{q}【{a}】\n",
)  # fmt: skip
OWN_FORMS = {
    "capital": ("{q}的首都是{a}\n", "{q}的首都是{a}。\n", "问：{q}的首都是哪里？\n答：{a}\n", "{q}的首都：{a}\n"),
    "province_seat": ("{q}的省会是{a}\n", "问：{q}的省会是哪里？\n答：{a}\n"),
    "province_letter": ("{q}的简称是{a}\n", "问：{q}的简称是什么？\n答：{a}\n"),
    "english": ("{q}的英文是{a}\n", "中文：{q} 英文：{a}\n", "中文：{q}\n英文：{a}\n"),
    "antonym": ("{q}的反义词是{a}\n", "{q}的反义词：{a}\n", "问：{q}的反义词是什么？\n答：{a}\n"),
    "verse": ("{q}，{a}。\n", "上句：{q}\n下句：{a}\n", "{q}，{a}\n"),
    "dynasty": ("{q}是{a}代诗人\n", "{q}，{a}代\n"),
    "author": ("《{q}》的作者是{a}\n", "问：《{q}》的作者是谁？\n答：{a}\n", "《{q}》 {a}\n"),
    "measure": ("一{a}{q}\n", "{q}的量词是{a}\n"),
    "kind": ("{q}是{a}\n", "{q}属于{a}\n", "问：{q}是什么？\n答：{a}\n"),
    "continent": ("{q}在{a}\n", "问：{q}在哪个洲？\n答：{a}\n"),
    "chemical": ("{q}的元素符号是{a}\n",),
    "multiply": ("{q}={a}\n", "{q} = {a}\n", "问：{q}等于几？\n答：{a}\n"),
    "next_of_cycle": ("{q}的下一个是{a}\n",),
    "add": ("{q}={a}\n", "{q} = {a}\n", "问：{q}等于几？\n答：{a}\n", "计算：{q}={a}\n"),
    "subtract": ("{q}={a}\n", "{q} = {a}\n", "问：{q}等于几？\n答：{a}\n", "计算：{q}={a}\n"),
    "sentiment": ("评论：{q}\n情感：{a}\n", "{q} 情感：{a}\n", "评价：{q} 类别：{a}\n"),
    "triple": ("句子：{q}\n三元组：{a}\n", "{q}\n三元组：{a}\n\n"),
    "extract": ("句子：{q}\n答案：{a}\n", "{q}\n抽取：{a}\n"),
    "answer_question": ("{q}\n答：{a}\n", "{q}\n答案：{a}\n\n"),
}  # fmt: skip
# Harder or richer tasks come more often.
WEIGHTS = {
    "copy": 3, "extract": 5, "answer_question": 3, "triple": 3, "add": 8, "subtract": 8, "multiply": 3, "word_sum": 3,
    "reverse_characters": 5, "reverse_words": 2, "swap": 2, "replace": 5, "split_characters": 4, "pick_word": 2,
    "lookup": 3, "sort": 4, "next_number": 4, "largest": 2, "compare": 2, "double": 2, "capital": 2, "english": 2,
    "antonym": 2, "verse": 2, "idiom_end": 1.5, "idiom_half": 1.5, "idiom_whole": 1.5, "passive": 2,
}  # fmt: skip
HELD_OUT = 10  # of 100 questions of the in-prompt tasks


@dataclass(frozen=True)
class Question:
    """A prompt that ends where the answer begins, and the rest of the line that answers it."""

    task: str
    prompt: str
    answer: str


def unseen(task: str, pair: Pair) -> bool:
    """Whether a question with its answer is kept from training."""
    key = f"{task}|{pair[0]}|{pair[1]}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=4).digest()) % 100 < HELD_OUT


def _draw(task: str, pairs: Iterator[Pair], held_out: bool) -> Pair:
    """The next pair that is held out or not, as asked; of known facts simply the next.

    A task with few questions (compare two small numbers) may have none held out: then the last drawn.
    """
    for _ in range(300):
        pair = next(pairs)
        if task in KNOWN or unseen(task, pair) == held_out:
            break
    return pair


def _form(rng: random.Random, task: str) -> str:
    if task in OWN_FORMS and rng.random() < 0.3:
        return rng.choice(OWN_FORMS[task])
    return FORMS[min(rng.randrange(len(FORMS)), rng.randrange(len(FORMS)))]


def _shots(rng: random.Random, task: str, number: int) -> tuple[str, list[Pair], Iterator[Pair]]:
    """How the shots are written, the shots, and the pairs that go on after them."""
    pairs = (IN_PROMPT | KNOWN)[task](rng)
    return _form(rng, task), [_draw(task, pairs, held_out=False) for _ in range(number)], pairs


def prompts(seed: int, number: int = 160_000) -> Iterator[str]:
    """Training prompts of 2 to 14 shots, all tasks mixed."""
    rng = random.Random(seed)
    names = sorted(IN_PROMPT | KNOWN)
    weights = [WEIGHTS.get(name, 1) for name in names]
    for _ in range(number):
        task = rng.choices(names, weights)[0]
        form, shots, _ = _shots(rng, task, rng.choice((2, 3, 4, 5, 6, 8, 10, 14)))
        yield "".join(form.format(q=q, a=a) for q, a in shots).rstrip("\n")


def questions(task: str, number: int, seed: int = 0) -> Iterator[Question]:
    """Test prompts of 3 to 8 shots and one question, unseen in training."""
    rng = random.Random(f"{task} {seed}")
    for _ in range(number):
        form, shots, pairs = _shots(rng, task, rng.randint(3, 8))
        while form.index("{a}") < form.index("{q}"):  # a form that names the answer first asks nothing
            form = _form(rng, task)
        q, a = _draw(task, pairs, held_out=True)
        shots = [shot for shot in shots if shot != (q, a)]  # eight shots may name all days of a week
        before, after = form.split("{a}")
        text = "".join(form.format(q=left, a=right) for left, right in shots) + before.format(q=q)
        yield Question(task, text, a + after.rstrip("\n"))


def measure(ask: Callable[[str], str], number: int, seed: int = 0) -> dict:
    """Exact matches by task and on average for the two kinds of task; ask gives the line that follows a prompt."""
    rates = {}
    for task in sorted(IN_PROMPT | KNOWN):
        asked = list(questions(task, number, seed))
        rates[task] = sum(ask(q.prompt).strip() == q.answer.strip() for q in asked) / len(asked)
    kinds = {"in_prompt": IN_PROMPT, "known": KNOWN}
    means = {kind: round(sum(rates[t] for t in tasks) / len(tasks), 4) for kind, tasks in kinds.items()}
    return means | {"tasks": {task: round(rate, 3) for task, rate in rates.items()}, "questions_per_task": number}


def line_of(model: str) -> Callable[[str], str]:
    """What a model says greedily after a prompt, up to the end of the line and 32 tokens."""
    from spaces.chat.answer import answer  # the training data needs this module without an engine
    from spaces.chat.sampling import Sampling
    from spaces.chat.voices import speaker

    one, greedy = speaker(model), Sampling(temperature=0.0, max_new_tokens=32, stop=("\n",))

    def ask(prompt: str) -> str:
        *_, last = answer(one, prompt, greedy)
        return last.text

    return ask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="", help="as in the tab: empty for the default, a folder, a hub name")
    parser.add_argument("--number", type=int, default=50, help="questions a task")
    args = parser.parse_args()
    try:
        print(json.dumps(measure(line_of(args.model), args.number), ensure_ascii=False))
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

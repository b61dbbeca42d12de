"""What reading on is worth: accuracy and macro-F1 for the first 512 and 2,048 tokens and for the whole text.

    python -m spaces.long_document.evaluate DOCS.jsonl.xz [--limit N] [--readings 512,2048,whole]

The task follows from the fields: province (longdoc_laws) or label (longdoc_classical). Rows without the label
are passed over. The last line is one JSON object. Memory grows with the longest text, not with its square.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from sklearn.metrics import accuracy_score, f1_score

from shared.experiment import InputError
from shared.jsonl import read_rows
from spaces.long_document.blockwise import read
from spaces.long_document.data import TASKS, share, task_of
from spaces.long_document.reader import Reader, load_named
from spaces.long_document.readings import cut_ids, pick_task


def parse_readings(text: str) -> dict[str, int | None]:
    """512,whole → {"512": 512, "whole": None}; InputError for anything but numbers from 3 and "whole"."""
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name != "whole" and not (name.isdecimal() and int(name) >= 3):
            zh = f"{name} 无法识别，须为 whole 或不小于 3 的词元数"
            raise InputError("readings", zh, f"{name} is neither whole nor a number of tokens from 3")
    return {name: None if name == "whole" else int(name) for name in names}


def choose(path: str | Path, limit: int | None = None) -> tuple[str, list[tuple[str, str]]]:
    """(task, [(text, label)]): the labelled rows, or the `limit` of them whose hashes are smallest."""
    rows = [row for row in read_rows(path, "text") if task_of(row)]
    if not rows:
        zh, en = "没有一行含 province 或 label 字段", "no row has a province or a label field"
        raise InputError("documents", zh, en)
    task = task_of(rows[0])
    field, labels = TASKS[task]
    pairs = [(row["text"], row[field]) for row in rows if row.get(field) in labels]
    return task, sorted(pairs, key=lambda pair: share(pair[0]))[:limit]


def predict(reader: Reader, task: str, text: str, readings: dict[str, int | None]) -> dict[str, str]:
    """Reading → label; a text that a shorter reading already covers is read once."""
    labels, places = pick_task(reader, task)
    whole, known, answers = reader.tokens(text), {}, {}
    for name, limit in readings.items():
        ids = reader.fitting(whole if limit is None else cut_ids(whole, limit))
        length = ids.shape[1]
        if length not in known:
            *_, (_, logits) = read(reader.model, ids)
            known[length] = labels[int(logits[places].argmax())]
        answers[name] = known[length]
    return answers


def evaluate(reader: Reader, task: str, pairs: list[tuple[str, str]], readings: dict[str, int | None]) -> dict:
    """The JSON object of the command; progress on stderr."""
    labels, _ = pick_task(reader, task)
    if not {label for _, label in pairs} & set(labels):
        raise InputError("model", "不认识这些文档的任何标签。", "knows none of these documents' labels.")
    truth, start = [label for _, label in pairs], time.perf_counter()
    answers: dict[str, list[str]] = {name: [] for name in readings}
    for done, (text, _) in enumerate(pairs, 1):
        for name, label in predict(reader, task, text, readings).items():
            answers[name].append(label)
        if done % 20 == 0 or done == len(pairs):
            line = f"\r{done}/{len(pairs)} {time.perf_counter() - start:.0f} s"
            print(line, end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    labels = sorted(set(truth))
    accuracy = {name: round(accuracy_score(truth, given), 4) for name, given in answers.items()}
    macro = {
        name: round(f1_score(truth, given, labels=labels, average="macro", zero_division=0), 4)
        for name, given in answers.items()
    }
    return {"task": task, "accuracy": accuracy, "macro_f1": macro, "documents": len(pairs)}


def main(argv: list[str] | None = None) -> None:
    """The command line; errors in one sentence, exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("documents", help="rows with text and province or label, .jsonl or .jsonl.xz")
    parser.add_argument("--limit", type=int, help="a fixed sample of so many documents, by hash of the text")
    parser.add_argument("--readings", default="512,2048,whole", help="numbers of tokens and whole, with commas")
    parser.add_argument("--model", default="", help="another checkpoint with these labels: a folder or a hub name")
    arguments = parser.parse_args(argv)
    try:
        readings = parse_readings(arguments.readings)
        task, pairs = choose(arguments.documents, arguments.limit)
        print(json.dumps(evaluate(load_named(arguments.model), task, pairs, readings)))
    except (InputError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

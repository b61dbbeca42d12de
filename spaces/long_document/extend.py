"""Write any BERT with learned absolute positions as an ordinary checkpoint that reads longer texts.

    python -m spaces.long_document.extend MODEL OUT --length 4096 [--alpha 0.4]

MODEL is a local folder or a name on the hub. OUT loads with plain transformers and gives the same outputs
as MODEL on texts that MODEL could read. The method: positions.py. Try first: --length 1536, the article's.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import transformers
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from shared.experiment import InputError
from spaces.long_document.positions import ALPHA, extend_positions


def load_with_head(source: str) -> PreTrainedModel:
    """The checkpoint as the class that its configuration names, so that its head is kept."""
    if not Path(source).is_dir() and (source.startswith((".", "/")) or source.count("/") > 1):  # no name on the hub
        raise InputError("model", f"没有文件夹 {source}。", f"there is no folder {source}.")
    names = AutoConfig.from_pretrained(source).architectures or ["AutoModel"]
    return getattr(transformers, names[0], AutoModel).from_pretrained(source, dtype="auto")


def extend_checkpoint(source: str, out: str | Path, length: int, alpha: float = ALPHA) -> dict:
    """Load, extend to `length` tokens, save model and tokenizer to `out`; returns what was written."""
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise InputError("out", f"{out} 里已有文件，请换个文件夹。", f"{out} holds files: name another folder.")
    model = extend_positions(load_with_head(source), alpha, length)
    model.save_pretrained(out)
    written = {"out": str(out), "model": type(model).__name__, "length": length, "alpha": alpha}
    return written | {"tokenizer": _copy_tokenizer(source, out, length)}


def _copy_tokenizer(source: str, out: str | Path, length: int) -> bool:
    """Copy the tokenizer with its new limit; False where the checkpoint has none."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError, TypeError, KeyError):
        return False
    save_tokenizer(tokenizer, out, length)
    return True


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, out: str | Path, length: int) -> None:
    """The tokenizer with a limit of `length` tokens; the one given keeps its own."""
    before = tokenizer.model_max_length
    tokenizer.model_max_length = length
    try:
        tokenizer.save_pretrained(out)
    finally:
        tokenizer.model_max_length = before


def main(argv: list[str] | None = None) -> None:
    """The command line; errors in one sentence, exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a local folder or a name on the hub")
    parser.add_argument("out", help="the folder to write")
    parser.add_argument("--length", type=int, required=True, help="tokens the new checkpoint reads, n to n²")
    parser.add_argument("--alpha", type=float, default=ALPHA, help="0 < α < 1, not 1/2 (default 0.4)")
    arguments = parser.parse_args(argv)
    try:
        written = extend_checkpoint(arguments.model, arguments.out, arguments.length, arguments.alpha)
    except (InputError, OSError) as error:
        parser.error(str(error))
    print(json.dumps(written))


if __name__ == "__main__":
    main()

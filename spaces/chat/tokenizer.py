"""The tokeniser of CPM: jieba's words, two stand-ins for white space, SentencePiece.

The recipe: cut the text into words, write ' ' as ▂ (U+2582) and '\\n' as ▃ (U+2583), join the words by ' ', and hand
that to SentencePiece, for which a space now means "a word begins". Decoding drops the spaces and puts the white space
back. Until 22 November 2020 the published vocabulary had no piece for ▃, so every line break reached the model as
<unk>: a few-shot prompt lost its lines. `inspect(text, newline_known=False)` shows it.

Words are cut by rjieba (jieba in Rust), as in transformers' CpmTokenizer; it cuts Chinese like the Python jieba that
CPM was trained with (20 times faster) and differs where Latin letters or digits meet '-' or '.': v5.4.0, 2013-2014.
A vocabulary with byte pieces (ours) brings any text back exactly, the stand-ins themselves included.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import sentencepiece

from shared.experiment import InputError

WORD, SPACE, NEWLINE = "\u2581", "\u2582", "\u2583"
TO_STAND_IN = str.maketrans(" \n", SPACE + NEWLINE)
FROM_STAND_IN = str.maketrans(SPACE + NEWLINE, " \n", WORD + " ")
STAND_INS = re.compile(f"([{WORD}{SPACE}{NEWLINE}])")
UNKNOWN = "\u2047"
FILE_NAMES = ("spiece.model", "chinese_vocab.model")


def words(text: str) -> list[str]:
    """The words of a text as jieba cuts them; joined they are the text again.

    Raises InputError on half a surrogate pair, which no file and no page can hold.
    """
    import rjieba  # a machine that only trains on packed tokens does without it

    try:
        return rjieba.cut(text)
    except UnicodeEncodeError:
        raise InputError(
            "text",
            "文本含有半个代理对，不是合法的 Unicode。",
            "the text holds half a surrogate pair and is not valid Unicode.",
        ) from None


def segment(text: str) -> str:
    """What SentencePiece is given: words joined by ' ', with ▂ and ▃ for the text's own spaces and line breaks."""
    return " ".join(word.translate(TO_STAND_IN) for word in words(text))


@dataclass(frozen=True)
class Word:
    """One of jieba's words with the pieces and ids it became."""

    text: str
    pieces: tuple[str, ...]
    ids: tuple[int, ...]


class CpmTokenizer:
    """Text to ids and back by CPM's recipe, over any SentencePiece vocabulary of it."""

    def __init__(self, path: str | Path):
        """Path of a SentencePiece file, or of a folder with spiece.model or chinese_vocab.model in it."""
        self.path = self._find(Path(path))
        self.sp = sentencepiece.SentencePieceProcessor(model_file=str(self.path))
        self.size = len(self.sp)
        self.unk_id = self.sp.unk_id()
        self.eod_id, self.sep_id = self.sp.piece_to_id("<eod>"), self.sp.piece_to_id("<sep>")
        self.pad_id, self.mask_id = self.sp.piece_to_id("<pad>"), self.sp.piece_to_id("<mask>")
        self.byte_ids = [self.sp.piece_to_id(f"<0x{b:02X}>") for b in range(256)]
        self.has_bytes = self.unk_id not in self.byte_ids
        self.token_bytes = [self._bytes(i) for i in range(self.size)]
        self.newline_ids = frozenset(i for i, b in enumerate(self.token_bytes) if b == b"\n")

    @staticmethod
    def _find(path: Path) -> Path:
        for candidate in (path, *(path / name for name in FILE_NAMES)):
            if candidate.is_file():
                return candidate
        raise InputError(
            "model",
            f"在 {path} 没有找到分词模型（{'、'.join(FILE_NAMES)}）。",
            f"no tokeniser model ({', '.join(FILE_NAMES)}) at {path}.",
        )

    def _bytes(self, i: int) -> bytes:
        """The UTF-8 bytes that token i adds to a text."""
        if self.sp.is_byte(i):
            return bytes([int(self.sp.id_to_piece(i)[3:5], 16)])
        piece = self.sp.id_to_piece(i)
        if i == self.unk_id:
            return UNKNOWN.encode()
        special = self.sp.is_control(i) or re.fullmatch(r"<[a-z/]+>", piece)
        return b"" if special else piece.translate(FROM_STAND_IN).encode()

    def encode(self, text: str) -> list[int]:
        """Ids of a text, no special tokens added.

        With byte pieces, a stand-in that the text itself contains goes by its bytes, so that it is not taken for white
        space on the way back.
        """
        if not self.has_bytes:
            return self.sp.encode(segment(text))
        ids: list[int] = []
        for part in STAND_INS.split(text):
            if STAND_INS.fullmatch(part):
                ids += [self.byte_ids[b] for b in part.encode()]
            elif part:
                ids += self.sp.encode(segment(part))
        return ids

    def decode(self, ids: list[int]) -> str:
        """Text of the ids; special tokens vanish, an unknown piece shows as ⁇, broken UTF-8 as U+FFFD."""
        return b"".join(self.token_bytes[i] for i in ids).decode("utf-8", "replace")

    def inspect(self, text: str, newline_known: bool = True) -> list[Word]:
        """jieba's words, each with its pieces and ids; newline_known=False: as before 22 November 2020."""
        rows = []
        for word in words(text):
            ids = self.encode(word)
            if not newline_known:
                ids = [j for i in ids for j in self._without_newline(i)]
            rows.append(Word(word, tuple(self.sp.id_to_piece(i) for i in ids), tuple(ids)))
        return rows

    def _without_newline(self, i: int) -> list[int]:
        """What token i was before ▃ had a piece: <unk> in its place, the mark of the word's beginning kept."""
        piece = self.sp.id_to_piece(i)
        if NEWLINE not in piece:
            return [i]
        return [self.sp.piece_to_id(WORD), self.unk_id] if piece.startswith(WORD) else [self.unk_id]

    def save(self, folder: str | Path) -> None:
        """Write spiece.model and tokenizer_config.json as transformers' CpmTokenizer reads them."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE_NAMES[0]).write_bytes(self.path.read_bytes())
        names = {"unk": "<unk>", "bos": "<s>", "eos": "<eod>", "sep": "<sep>", "pad": "<pad>", "mask": "<mask>"}
        config = {f"{k}_token": v for k, v in names.items()} | {"tokenizer_class": "CpmTokenizer"}
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")

"""fairy-stockfish (Debian's, UCI, variant xiangqi) as a process: an opponent to measure by, a judge of studies."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence

from spaces.xiangqi.board import iccs, parse_iccs

MATE = 30_000
PATHS = ("fairy-stockfish", "/usr/games/fairy-stockfish")


def installed() -> str | None:
    """Where the program is, None where it is not."""
    return next(filter(None, map(shutil.which, PATHS)), None)


class Engine:
    """The process, until `close`; `options` are UCI's. FileNotFoundError where the program is missing."""

    def __init__(self, options: dict[str, object] | None = None):
        path = installed()
        if path is None:
            raise FileNotFoundError("fairy-stockfish is not installed: apt-get install fairy-stockfish")
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        options = {"UCI_Variant": "xiangqi", "Threads": 1} | (options or {})
        self._say("uci", *(f"setoption name {name} value {value}" for name, value in options.items()))

    def close(self) -> None:
        self.process.communicate("quit\n")

    def new_game(self) -> None:
        """Forget what was thought so far."""
        self._say("ucinewgame", "isready")
        list(self._hear("readyok"))

    def think(self, fen: str, moves: Sequence[int], depth: int) -> tuple[int | None, int | None]:
        """The best move, None after the end, and in how many moves whoever is to move mates, below 1 when mated."""
        best, kind, value = self._go(fen, moves, depth)
        return best, value if kind == "mate" else None

    def label(self, fen: str, moves: Sequence[int], depth: int) -> tuple[int | None, int]:
        """The best move, None after the end, and its centipawns for whoever is to move; mate in n counts MATE − n."""
        best, kind, value = self._go(fen, moves, depth)
        if kind == "mate":
            value = MATE - value if value > 0 else -MATE - value
        return best, value

    def _go(self, fen: str, moves: Sequence[int], depth: int) -> tuple[int | None, str, int]:
        """The best move, and what the last score was of: "cp" or "mate"."""
        self._say(f"position fen {fen} moves {' '.join(map(to_uci, moves))}", f"go depth {depth}")
        score, words = ("cp", "0"), []
        for words in self._hear("bestmove"):
            if "score" in words:
                score = words[words.index("score") + 1 :][:2]
        return None if words[1] == "(none)" else from_uci(words[1]), score[0], int(score[1])

    def _say(self, *lines: str) -> None:
        self.process.stdin.write("\n".join(lines) + "\n")
        self.process.stdin.flush()

    def _hear(self, last: str) -> Iterator[list[str]]:
        """The words of each line, down to the one that begins with `last`."""
        for line in self.process.stdout:
            words = line.split()
            yield words
            if words[:1] == [last]:
                return
        raise RuntimeError("fairy-stockfish has ended")


def to_uci(move: int) -> str:
    """UCI counts ranks from 1: h2e2 is h3e3."""
    word = iccs(move)
    return f"{word[0]}{int(word[1]) + 1}{word[2]}{int(word[3]) + 1}"


def from_uci(word: str) -> int:
    """`to_uci` backwards: a10a9 is a9a8."""
    middle = next(i for i in range(2, len(word)) if word[i].isalpha())
    return parse_iccs(f"{word[0]}{int(word[1:middle]) - 1}{word[middle]}{int(word[middle + 1:]) - 1}")

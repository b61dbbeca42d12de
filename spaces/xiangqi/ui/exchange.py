"""Games in and out: FEN, ICCS and PGN, as text and as file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from shared.experiment import InputError
from shared.i18n import tr
from shared.page import guard
from spaces.xiangqi.board import START_FEN, iccs
from spaces.xiangqi.record import MOST_CHARACTERS, write_pgn
from spaces.xiangqi.ui.answers import QUIET, answered
from spaces.xiangqi.ui.table import Table

FORMATS = [
    (tr("PGN，中文着法", "PGN, Chinese"), "Chinese"),
    (tr("PGN，ICCS", "PGN, ICCS"), "ICCS"),
    (tr("PGN，WXF", "PGN, WXF"), "WXF"),
    (tr("ICCS 着法串", "ICCS moves"), "moves"),
    (tr("FEN（当前局面）", "FEN (this position)"), "fen"),
]
SAVE = """(text, kind) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  link.download = "xiangqi." + ({ fen: "fen", moves: "txt" }[kind] || "pgn");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}"""


def written(table: Table, kind: str) -> str:
    """The game, or for "fen" the position shown, as text."""
    with table.lock:
        record = table.game.record()
        if kind == "fen":
            return table.game.position.fen()
        if kind == "moves":
            if record.fen != START_FEN:
                raise InputError("format", "着法串里没有开局局面，而这一局不从通常的开局开始；请用 PGN。",
                                 "moves alone do not hold the first position, and this game has another than the usual "
                                 "one: use PGN.")
            return " ".join(map(iccs, record.moves))
        return write_pgn(record, kind)


def file_text(path: str | None) -> str:
    """The text of an uploaded file, in UTF-8 or GB 18030; InputError when it is too large or no text."""
    if not path or Path(path).stat().st_size > 4 * MOST_CHARACTERS:
        raise InputError("file", f"棋谱文件最多 {MOST_CHARACTERS} 字。",
                         f"a game file holds at most {MOST_CHARACTERS} characters.")
    raw = Path(path).read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError("file", "棋谱文件应为 UTF-8 或 GB 18030 文本。", "a game file must be UTF-8 or GB 18030 text.")


def build(table: gr.State, kept: gr.BrowserState, outputs: list) -> None:
    """Draw the folded-away part below the board."""
    def take(table: Table, text: Any) -> Iterator[None]:
        table.read(text)
        yield

    def take_file(table: Table, path: str | None) -> Iterator[None]:
        table.read(file_text(path))
        yield

    def write(table: Table, kept: Any, kind: str) -> str:
        table.recall(kept)
        return written(table, kind)

    with gr.Accordion(tr("棋谱进出：FEN、PGN、ICCS", "Games in and out: FEN, PGN, ICCS"), open=False):
        kind = gr.Radio(FORMATS, value="Chinese", label=tr("写出的格式", "Format to write"))
        text = gr.Textbox(
            lines=6, max_lines=12, elem_id="xiangqi-text", label=tr("棋谱", "Game"),
            placeholder=tr("粘贴 PGN、FEN 或一串着法（炮二平五、C2=5、h2e2），再按“读入”",
                           "Paste a PGN, a FEN or moves (炮二平五, C2=5, h2e2), then press Read"))
        with gr.Row():
            out = gr.Button(tr("写出当前对局", "Write this game"), elem_id="xiangqi-write", min_width=120)
            read = gr.Button(tr("读入", "Read"), variant="primary", elem_id="xiangqi-read", min_width=120)
            save = gr.Button(tr("存为文件", "Save as file"), elem_id="xiangqi-save", min_width=120)
            upload = gr.UploadButton(tr("打开文件", "Open a file"), elem_id="xiangqi-open", min_width=120)
    out.click(guard(write), [table, kept, kind], text, **QUIET)
    kind.input(guard(write), [table, kept, kind], text, **QUIET)
    read.click(answered(take), [table, kept, text], outputs, **QUIET)
    upload.upload(answered(take_file), [table, kept, upload], outputs, **QUIET)
    save.click(guard(write), [table, kept, kind], text, **QUIET).success(None, [text, kind], None, js=SAVE)

"""Words, pieces and ids as boxes; what the model was given before the repair. Pure; every text is escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

from shared.i18n import markup, tr
from spaces.chat.pieces import Spelt
from spaces.chat.tokenizer import NEWLINE, SPACE, Word

MOST_WORDS = 400


def boxes(words: Sequence[Word]) -> str:
    """One box a word: the word, its pieces, their ids; a line break ends the line."""
    shown = "".join(_box(word) for word in words[:MOST_WORDS])
    more = f"<p>… {len(words) - MOST_WORDS}</p>" if len(words) > MOST_WORDS else ""
    return f'<div class="ch-words">{shown}{more}</div>'


def _box(word: Word) -> str:
    text = html.escape(word.text).replace("\n", "↵").replace(" ", "␣")
    pieces = "".join(
        f"<span{_kind(piece)}><b>{html.escape(piece)}</b><i>{i}</i></span>"
        for piece, i in zip(word.pieces, word.ids, strict=True)
    )
    end = "<hr>" if "\n" in word.text else ""
    return f'<div class="word"><em>{text}</em><div>{pieces}</div></div>{end}'


def _kind(piece: str) -> str:
    if piece == "<unk>":
        return " class=unk"
    if NEWLINE in piece or SPACE in piece:
        return " class=stand"
    return " class=byte" if piece.startswith("<0x") else ""


def verdict(found: Spelt) -> str:
    """How many tokens, and what the bug would have cost this text."""
    per = found.tokens / found.characters
    lost_zh, lost_en = (
        f"2020 年 11 月 22 日以前，其中 <b class=bad>{found.lost} 个换行</b>会变成 &lt;unk&gt;。",
        f" Before 22 November 2020 <b class=bad>{found.lost} line breaks</b> of it became &lt;unk&gt;.",
    ) if found.lost else ("", "")
    return markup(
        f"{found.characters} 字，{len(found.now)} 个词，<b>{found.tokens} 个词元</b>（每字 {per:.2f}；"
        f"词表 {found.size} 片）。{lost_zh}",
        f"{found.characters} characters, {len(found.now)} words, <b>{found.tokens} tokens</b> ({per:.2f} a character; "
        f"{found.size} pieces in the vocabulary).{lost_en}",
    )


def whole(text: str) -> str:
    """A text that ended within a character of several bytes, without what was left of it."""
    return text.rstrip("\N{REPLACEMENT CHARACTER}")


def both(now: str, before: str) -> str:
    """Two continuations side by side."""
    titles = tr("现在：换行有自己的词片", "now: the line break has a piece"), tr(
        "2020 年 11 月 22 日以前：换行是 <unk>", "before 22 November 2020: it is <unk>"
    ).replace("<", "&lt;")
    columns = "".join(
        f"<div><small>{title}</small><p>{html.escape(whole(text)) or '…'}</p></div>"
        for title, text in zip(titles, (now, before), strict=True)
    )
    return f'<div class="ch-both">{columns}</div>'

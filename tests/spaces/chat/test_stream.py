"""Streamed text: joined it is the decoded text, cut at the first stop string, whatever the borders of tokens are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.chat.model import WEIGHTS
from spaces.chat.stream import WINDOW, Text, following
from spaces.chat.tokenizer import CpmTokenizer

TOKENIZER = CpmTokenizer(WEIGHTS)


class Hub:
    """A tokeniser that can only decode, its tokens being bytes."""

    eod_id = 0

    def encode(self, text):
        return list(text.encode())

    def decode(self, ids):
        return bytes(ids).decode("utf-8", "replace")


def pieces(tokenizer, ids, stops=()):
    text = Text(tokenizer, stops)
    shown = [text.add(token) for token in ids]
    return [*shown, text.end()], text


@pytest.mark.parametrize("tokenizer", [TOKENIZER, Hub()], ids=["ours", "decoding only"])
@pytest.mark.parametrize("text", ["床前明月光\n疑是地上霜", "emoji 😀👩‍👩‍👧 and ꙮ", "a  b\t\x07", "𠮷野家"])
def test_joined_pieces_are_the_text_and_no_character_is_broken(tokenizer, text):
    shown, _ = pieces(tokenizer, tokenizer.encode(text))
    assert "".join(shown) == text and "\ufffd" not in "".join(shown)


def test_a_character_of_bytes_waits_for_its_last_one():
    ids = TOKENIZER.encode("😀")[-4:]
    assert [bool(piece) for piece in pieces(TOKENIZER, ids)[0]] == [False, False, False, True, False]


@pytest.mark.parametrize("tokenizer", [TOKENIZER, Hub()], ids=["ours", "decoding only"])
def test_broken_bytes_are_shown_at_the_end(tokenizer):
    ids = tokenizer.encode("好😀")[:-2]
    assert "".join(pieces(tokenizer, ids)[0]) == tokenizer.decode(ids) == "好\ufffd"


def test_endless_broken_bytes_do_not_wait_for_ever():
    shown, _ = pieces(Hub(), [0x80] * 20)
    assert any(shown[:6]) and "".join(shown) == "\ufffd" * 20


def test_a_stop_string_across_tokens_never_shows():
    text = "中国 北京\n\n法国"
    shown, state = pieces(Hub(), Hub().encode(text), ("\n\n",))
    assert "".join(shown) == "中国 北京" and state.stopped


def test_what_only_began_like_a_stop_string_is_shown():
    shown, state = pieces(Hub(), Hub().encode("答：\n好"), ("\n\n", "\n问"))
    assert "".join(shown) == "答：\n好" and not state.stopped
    assert "".join(pieces(Hub(), Hub().encode("答：\n"), ("\n\n",))[0]) == "答：\n"


def test_the_earliest_of_several_stops_counts():
    assert "".join(pieces(Hub(), Hub().encode("abcd"), ("cd", "bc"))[0]) == "a"


def test_nothing_follows_a_stop():
    text = Text(Hub(), ("x",))
    assert [text.add_text(piece) for piece in ("ax", "b")] == ["a", ""] and text.end() == ""


@given(st.lists(st.text("ab", max_size=3), max_size=12), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_any_division_into_pieces_gives_the_same(parts, stops):
    whole, text = "".join(parts), Text(Hub(), stops)
    shown = "".join([text.add_text(part) for part in parts] + [text.end()])
    first = min((place for stop in stops if (place := whole.find(stop)) >= 0), default=len(whole))
    # A piece that completes two stops at once is cut at the earlier beginning; a stop found first by its end wins else.
    assert whole.startswith(shown) and all(stop not in shown for stop in stops)
    assert len(shown) >= first and (len(shown) == first or len(stops) > 1)


class Metaspace(Hub):
    """Tokens are words, as SentencePiece has them: the space that a text begins with is dropped."""

    def __init__(self):
        self.longest = 0

    def decode(self, ids):
        self.longest = max(self.longest, len(ids))
        return "".join(f" {i}" for i in ids).removeprefix(" ")


def test_the_space_before_an_answer_stays():
    text = Text(Metaspace(), before=[1, 2])
    assert "".join(map(text.add, [3, 4])) == " 3 4" == following(Metaspace(), [1, 2], [3, 4])
    assert following(Metaspace(), [], [3, 4]) == "3 4"


def test_a_token_costs_the_same_however_long_the_answer():
    tokenizer = Metaspace()
    text = Text(tokenizer, before=[0])
    assert "".join(map(text.add, range(1, 500))) == "".join(f" {i}" for i in range(1, 500))
    assert tokenizer.longest <= 4 * WINDOW

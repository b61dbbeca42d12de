"""The notebook's text is prompt and path; retries and forks stay; an edit goes back along the path or begins anew."""

import json
import math

import pytest

from shared.experiment import InputError
from spaces.chat import notebook
from spaces.chat.answer import Reply
from spaces.chat.batching import Token
from spaces.chat.choices import ROOT
from spaces.chat.notebook import Notebook, branches, marks
from spaces.chat.sampling import Sampling
from spaces.chat.ui.notebook import VERBS, spelt, view
from spaces.chat.voices import Local
from tests.spaces.chat.tiny import tiny

HOW = Sampling(temperature=1.0, max_new_tokens=8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("notebook") / "tiny")


@pytest.fixture
def voice(model):
    return Local(model)


def written(book, voice, model, sampling=HOW):
    *_, _ = book.go_on(voice, model, sampling)
    return book.page.text


def opened(text="床前明月光，"):
    book = Notebook()
    book.put(text)
    return book


def test_the_text_grows_and_its_marks_are_what_was_written(voice, model):
    book = opened()
    text = written(book, voice, model)
    assert text.startswith("床前明月光，") and book.reply.finish == "length" and not book.busy
    assert "".join(mark.text for mark in marks(book.page)) == text[6:]
    longer = written(book, voice, model)
    assert longer.startswith(text) and len(book.page.tree.path(book.page.node)) == 16
    book.undo()
    assert book.page.text == text
    book.undo()
    assert book.page.text == "床前明月光，"


def test_a_retry_differs_and_both_stay_in_the_tree(voice, model):
    book = opened()
    first = written(book, voice, model, Sampling(temperature=0.0, max_new_tokens=8))
    *_, _ = book.retry(voice, model, Sampling(temperature=0.0, max_new_tokens=8))
    assert book.page.text != first  # drawn at temperature 1
    tree = book.page.tree
    ends = [node for node in range(len(tree.nodes)) if not tree.children(node)]
    assert len(ends) == 2
    book.visit(ends[0])
    assert book.page.text == first


class Says:
    """A voice that says one character, which its seed chooses."""

    label = "says"

    def __init__(self, voice, words):
        self.tokenizer, self.read, self.memory = voice.tokenizer, voice.read, voice.memory
        self.words, self.seeds = words, []

    def go_on(self, ids, sampling, tokenizer=None):
        self.seeds.append(sampling.seed)
        word = self.words[min(sampling.seed, len(self.words) - 1)]
        token = Token(self.tokenizer.encode(word)[-1], -0.1, ())
        yield Reply(word, (token,), 1, "end")


def test_a_retry_goes_on_until_it_is_new(voice, model):
    book, says = opened(), Says(voice, "京京京津京京南")
    for wanted in ("京", "津", "南"):
        *_, _ = book.retry(says, model, HOW) if wanted != "京" else book.go_on(says, model, HOW)
        assert book.page.written == wanted and book.reply.note is None
    assert says.seeds == [0, 1, 2, 3, 4, 5, 6]
    book.undo()
    assert book.page.written == "津"


def test_a_retry_that_finds_nothing_new_says_so_and_is_no_step_of_undo(voice, model):
    book, says = opened(), Says(voice, "京")
    *_, _ = book.go_on(says, model, HOW)
    for _ in range(3):
        *_, _ = book.retry(says, model, HOW)
    assert says.seeds == list(range(1 + 3 * notebook.MOST_DRAWS)) and "nothing new" in json.loads(view(book))["end"]
    book.undo()
    assert book.page.text == "床前明月光，" and not book.can_undo
    with pytest.raises(InputError, match="no earlier text"):
        book.undo()


def test_what_shows_the_same_is_no_step_of_undo(voice, model):
    book = opened()
    book.put("床前明月光，")
    assert not book.can_undo
    written(book, voice, model)
    book.visit(book.page.node)
    book.undo()
    assert book.page.text == "床前明月光，" and not book.can_undo


def test_a_retry_after_undo_rewrites_the_stretch_in_view(voice, model):
    book = opened()
    first = written(book, voice, model)
    written(book, voice, model)
    book.undo()
    assert book.page.text == first
    *_, _ = book.retry(voice, model, HOW)
    assert len(book.page.tree.path(book.page.node)) == 8 and len(book.page.tree.children(ROOT)) == 2


def test_undo_over_a_new_prompt_can_be_retried_and_continued(voice, model):
    book = opened()
    written(book, voice, model)
    book.edit("春眠不觉晓，")
    for _ in range(3):
        written(book, voice, model)
    for _ in range(4):
        book.undo()
    assert book.page.prompt == "床前明月光，"
    *_, _ = book.retry(voice, model, HOW)
    assert view(book) and len(book.page.tree.path(book.page.node)) == 8
    written(book, voice, model)
    assert len(book.page.tree.path(book.page.node)) == 16


def test_a_retry_on_another_branch_rewrites_that_branch(voice, model):
    book = opened()
    written(book, voice, model)
    *_, _ = book.retry(voice, model, HOW)
    written(book, voice, model)  # the last stretch follows the second branch
    book.visit(7)
    *_, _ = book.retry(voice, model, HOW)
    assert len(book.page.tree.children(ROOT)) == 3 and len(book.page.tree.path(book.page.node)) == 8


def test_what_the_model_did_not_read_is_said_as_the_text_outgrows_its_context(voice, model):
    book = opened()
    how = Sampling(temperature=1.0, max_new_tokens=60)
    written(book, voice, model, how)
    assert book.reply.cut == 0
    for _ in range(2):  # the context of 128 is full after the second stretch or the third
        before = written(book, voice, model, how)
    written(book, voice, model, how)
    assert 0 < book.reply.cut < len(before)
    long = Notebook()
    long.put("长文" * 500)
    written(long, voice, model)
    cut = long.reply.cut
    assert cut > 500
    long.visit(3)
    assert long.reply.cut == cut
    long.undo()
    assert json.loads(view(long))["cut"] == cut


def test_a_fork_goes_on_from_the_chosen_token(voice, model):
    book = opened()
    written(book, voice, model)
    node = book.page.tree.path(book.page.node)[2]
    here = book.page.tree.nodes[node].token
    other = next(token for token, _ in here.alternatives if token != here.id)
    kept = [book.page.tree.nodes[i].token.id for i in book.page.tree.path(node)[:2]]
    *_, _ = book.choose(voice, model, node, other, HOW)
    path = [book.page.tree.nodes[i].token.id for i in book.page.tree.path(book.page.node)]
    assert path[:3] == [*kept, other] and len(path) == 11
    fork = branches(book.page)[0]
    assert len(fork.branches) == 2 and fork.shown and [b.shown for b in fork.branches] == [False, True]
    assert math.isclose(
        fork.bits, -sum(book.page.tree.nodes[i].token.log_probability for i in (0, 1)) / math.log(2), rel_tol=1e-6
    )


def test_an_edit_at_the_end_keeps_the_tree_any_other_begins_one(voice, model):
    book = opened()
    text = written(book, voice, model)
    last = marks(book.page)[-1].text
    book.edit(text[: len(text) - len(last)])
    assert book.page.tree is not None and len(book.page.tree.path(book.page.node)) == 7
    book.edit("春" + text)
    assert book.page.tree is None and book.page.text == "春" + text
    with pytest.raises(InputError):
        book.edit("  ")


def test_after_a_stop_string_going_on_goes_beyond_it(voice, model):
    probe = opened()
    written(probe, voice, model)
    third = marks(probe.page)[2].text
    how = Sampling(temperature=1.0, max_new_tokens=8, stop=(third,))
    book = opened()
    stopped = written(book, voice, model, how)
    assert book.reply.finish == "stop" and not stopped.endswith(third)
    going_on = Sampling(temperature=1.0, max_new_tokens=2)
    assert written(book, voice, model, going_on).startswith(stopped + third)


def test_a_newer_deed_ends_the_older_run(voice, model):
    book = opened()
    run = book.go_on(voice, model, Sampling(temperature=1.0, max_new_tokens=100))
    next(run), next(run)
    assert book.busy
    book.stop()
    kept = book.page.text
    assert "stopped" in json.loads(view(book))["end"]
    assert len(list(run)) <= 1 and not book.busy and book.page.text == kept
    book.stop()
    assert "stopped" in json.loads(view(book))["end"]


def test_a_copy_for_another_visitor_shares_nothing_that_changes(voice, model):
    import copy

    book = opened()
    other = copy.deepcopy(book)
    written(book, voice, model)
    assert other.page.text == "床前明月光，" and other.page.tree is None


@pytest.mark.parametrize("deed", [{"node": 10**6}, {"node": -5}, {"node": "1"}, {"node": True}, {}])
def test_what_a_page_makes_up_is_refused(voice, model, deed):
    book = opened()
    written(book, voice, model)
    before = book.page
    with pytest.raises(InputError):
        list(VERBS["visit"](book, deed, None))
    assert book.page is before


def test_a_byte_and_an_end_are_spelt_so_that_they_can_be_read(voice):
    tokenizer = voice.tokenizer
    assert spelt(tokenizer, tokenizer.byte_ids[0xE4]) == "<E4>"
    assert "end" in spelt(tokenizer, tokenizer.eod_id)


def test_stop_needs_no_valid_knob(voice, model):
    def knobs():
        raise InputError("seed", "", "")

    book = opened()
    run = book.go_on(voice, model, Sampling(temperature=1.0, max_new_tokens=100))
    next(run), next(run)
    list(VERBS["stop"](book, {}, knobs))
    assert not book.busy and list(VERBS["undo"](book, {}, knobs))
    for verb, data in (("go_on", {"text": "春"}), ("retry", {}), ("choose", {"node": 0, "token": 0})):
        with pytest.raises(InputError):
            list(VERBS[verb](book, data, knobs))


def test_half_a_surrogate_leaves_the_page_as_it_is():
    book = opened()
    for deed in (lambda: book.put("\ud800"), lambda: book.edit("床\ud800")):
        with pytest.raises(InputError, match="Unicode"):
            deed()
    assert view(book)


def test_undo_brings_back_as_much_as_a_visitor_may_hold(monkeypatch):
    monkeypatch.setattr(notebook, "MOST_PAST", 100)
    book = Notebook()
    for letter in "abcdefg":
        book.put(letter * 40)
    kept = 0
    while book.can_undo:
        book.undo()
        kept += 1
    assert kept == 3 and book.page.text == "d" * 40


def test_a_long_prompt_does_not_travel_with_every_frame(voice, model):
    book = opened("长" * 30_000)
    assert len(view(book)) > 30_000 > 2000 > len(view(book, known=True))

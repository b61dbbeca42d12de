"""Asked, answered, retried, edited, kept; two voices at once; a server that dies leaves what it said."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.experiment import InputError
from shared.i18n import tr
from spaces.chat import history
from spaces.chat.answer import Reply
from spaces.chat.history import ROOT, from_json
from spaces.chat.notebook import Notebook
from spaces.chat.sampling import Sampling
from spaces.chat.settings import Talking
from spaces.chat.talk import MOST_KEPT, Talk, together
from spaces.chat.ui import talk as talking
from spaces.chat.ui.notebook import view as paper
from spaces.chat.ui.talk import export, take_file, view
from spaces.chat.voices import Answering, Local, default, find
from tests.spaces.chat.tiny import tiny

HOW = Sampling(temperature=1.0, max_new_tokens=6)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("talk") / "tiny", 64)


def answered(talk, voices, how=HOW, form="text"):
    for _ in talk.answers(voices, how, form):
        pass
    return [talk.conversation.turns[i].text for i in talk.conversation.branch()]


def test_asked_retried_edited(model):
    talk, voice = Talk(), Local(model)
    talk.ask("你好")
    first = answered(talk, [voice])
    assert first[0] == "你好" and first[1] and "tiny" in talk.conversation.turns[1].model
    talk.again(1)
    second = answered(talk, [voice])
    assert second[1] != first[1] and talk.conversation.versions(2) == [1, 2]
    talk.edit(0, "早")
    assert answered(talk, [voice])[0] == "早" and len(talk.conversation.turns) == 5
    talk.show(1)
    assert [talk.conversation.turns[i].text for i in talk.conversation.branch()] == first


def test_what_falls_out_of_the_context_is_marked(model):
    talk = Talk()
    for _ in range(3):
        talk.ask("这个问题写得长一些，好让很窄的上下文很快装满，")
        answered(talk, [Local(model)])
    branch = talk.conversation.branch()
    assert talk.since in branch[1:] and talk.conversation.turns[talk.since].role == "user"
    assert json.loads(view(talk))["since"] == talk.since


def test_two_voices_are_versions_of_one_answer(model):
    talk, one, other = Talk(), Local(model), Local(model)
    other.label = "another"
    talk.ask("你好")
    answered(talk, [one, other])
    assert [talk.conversation.turns[i].model for i in talk.conversation.versions(1)] == [one.label, "another"]
    shown = json.loads(view(talk))["turns"][-1]
    assert shown["id"] == 1 and [b["model"] for b in shown["beside"]] == ["another"]


def test_a_voice_beside_itself_draws_anew_and_has_a_column_of_its_own(model):
    talk, one, other = Talk(), Local(model), Local(model)
    one.label = other.label = "长" * 200
    talk.ask("你好")
    answered(talk, [one, other])
    for seed in (0, 2):  # the retry's seeds are new to both
        first, second = (talk.conversation.turns[1 + seed + i] for i in range(2))
        assert first.model == one.label and second.model.endswith("长 #2") and first.text != second.text
        shown = json.loads(view(talk))["turns"][-1]
        assert shown["text"] == first.text and [b["text"] for b in shown["beside"]] == [second.text]
        talk.again(1)
        answered(talk, [one, other])
    assert len({turn.text for turn in talk.conversation.turns[1:5]}) == 4
    assert from_json(talk.conversation.to_json()) == talk.conversation


def test_the_shelf_counts_messages(model):
    talk = Talk()
    talk.ask("你好")
    for title in (tr("你好（1 条）", "你好 (1 message)"), tr("你好（2 条）", "你好 (2 messages)")):
        talk.begin()
        assert json.loads(view(talk))["shelf"] == [title]
        talk.fetch(0)
        answered(talk, [Local(model)])


def test_a_run_that_is_overtaken_or_left_keeps_what_was_said(model):
    talk = Talk()
    talk.ask("你好")
    run = talk.answers([Local(model)], Sampling(temperature=1.0, max_new_tokens=50))
    next(run), next(run)
    run.close()  # the browser left
    assert talk.conversation.turns[-1].role == "model" and not talk.busy
    talk.again(1)
    run = talk.answers([Local(model)], Sampling(temperature=1.0, max_new_tokens=50))
    next(run), next(run)
    talk.stop()
    assert not talk.busy and talk.conversation.versions(1) == [1, 2]  # at once
    assert json.loads(view(talk))["turns"][-1]["end"] == tr("已停下", "stopped")
    list(run)
    assert len(talk.conversation.turns) == 3
    talk.ask("再来")
    run = talk.answers([Local(model)], Sampling(temperature=1.0, max_new_tokens=50))
    next(run), next(run)
    talk.begin()
    list(run)
    assert talk.conversation.turns == () and talk.shelf[0].turns[-1].role == "model"  # on the shelf


def test_the_browsers_memory_comes_back_and_damage_is_told(model):
    talk = Talk()
    talk.ask("你好")
    answered(talk, [Local(model)])
    talk.begin()
    talk.ask("第二段")
    kept = talk.keep()
    again = Talk()
    again.recall(kept)
    assert again.conversation == talk.conversation and again.shelf == talk.shelf
    again.recall("damaged")  # in use: not touched
    for damaged in ("{", '{"version": 9}', '{"version": 1, "conversations": [7]}', "[]", 7, "[" * 10**5):
        fresh = Talk()
        with pytest.raises(InputError) as caught:
            fresh.recall(damaged)
        assert caught.value.field == "history" and fresh.conversation.turns == ()


def test_a_browser_is_never_asked_for_more_than_it_holds():
    talk = Talk()
    for _ in range(6):
        for _ in range(4):
            talk.ask("长" * 99_000)
            talk.conversation = talk.conversation.say("model", "嗯")
        talk.begin()
    assert len(talk.shelf) == 6 and len(talk.keep()) <= MOST_KEPT + 100 and talk.unkept == 3


def test_a_conversation_without_room_takes_no_other_with_it(monkeypatch):
    told = []
    monkeypatch.setattr(talking, "complain", told.append)
    talk = Talk()
    talk.ask("短")
    talk.begin()
    talk.ask("\0" * 99_999)  # six characters each in JSON
    for _ in range(4):
        talk.edit(0, "\0" * 99_999)
    kept = [json.loads(talking.memory(talk)) for _ in range(2)]
    assert [len(one["conversations"]) for one in kept] == [1, 1] and [e.field for e in told] == ["history"]


def test_a_full_conversation_is_said_before_anybody_answers(model, monkeypatch):
    talk = Talk()
    talk.ask("你好")
    monkeypatch.setattr(history, "MOST_IN_ALL", 5)
    assert len(answered(talk, [Local(model)])[1]) <= 3
    monkeypatch.setattr(history, "MOST_IN_ALL", 2)
    with pytest.raises(InputError, match="full"):
        answered(talk, [Local(model)])


def test_stop_needs_no_valid_knob_and_a_voices_note_comes_once(model, monkeypatch):
    def knobs():
        raise InputError("seed", "", "")

    told, talk, one = [], Talk(), Local(model)
    talk.ask("你好")
    assert list(talking.VERBS["stop"](talk, {}, knobs)) == [""]
    with pytest.raises(InputError):
        list(talking.VERBS["again"](talk, {"turn": 0}, knobs))
    failed = Reply(finish="error", note=InputError("server", "断", "gone"))
    monkeypatch.setattr(one, "talk", lambda *_: (Answering(failed) for _ in range(5)))
    monkeypatch.setattr(talking, "found", lambda *_: iter([("", one)]))
    monkeypatch.setattr(talking, "complain", told.append)
    list(talking.VERBS["again"](talk, {"turn": 0}, Talking))
    assert told == [failed.note]


def test_files_go_out_and_in_and_a_broken_one_changes_nothing(model, tmp_path):
    talk = Talk()
    talk.ask("你好")
    answered(talk, [Local(model)])
    for kind in ("md", "json"):
        (tmp_path / kind).write_text(export(talk, "", kind), "utf-8")
        other = Talk()
        take_file(other, "", str(tmp_path / kind))
        assert [t.text for t in other.conversation.turns] == [t.text for t in talk.conversation.turns]
        (tmp_path / "bad").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(InputError):
            take_file(other, "", str(tmp_path / "bad"))
        assert len(other.conversation.turns) == 2
    with pytest.raises(InputError):
        export(Talk(), "", "json")


def test_questions_that_are_none_are_refused():
    talk = Talk()
    for wrong in (lambda: talk.ask(" "), lambda: talk.edit(0, "x"), lambda: talk.again(3), lambda: talk.fetch(0)):
        with pytest.raises(InputError):
            wrong()
    assert talk.conversation.turns == () and talk.conversation.current == ROOT


def test_together_goes_at_each_ones_own_pace_and_ends_all():
    ended = []

    def counting(name, pause, most):
        try:
            for i in range(most):
                time.sleep(pause)
                yield f"{name}{i}"
        finally:
            ended.append(name)

    seen = list(together([counting("a", 0.001, 20), counting("b", 0.05, 2)]))
    assert sum(i == 0 for i, _ in seen) == 20 and sum(i == 1 for i, _ in seen) == 2
    stream = together([counting("c", 0.001, 10**6), counting("d", 0.001, 10**6)])
    next(stream)
    stream.close()
    end = time.monotonic() + 3
    while len(ended) < 4 and time.monotonic() < end:
        time.sleep(0.01)
    assert sorted(ended) == ["a", "b", "c", "d"]


# --- a real server --------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self._send(json.dumps({"data": [{"id": "cpm"}]}).encode())

    def do_POST(self):
        self.server.asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        chat = self.path.endswith("chat/completions")
        body = b""
        for i, piece in enumerate("北京是"):
            logs = {"tokens": [piece], "token_logprobs": [-0.5], "top_logprobs": [{piece: -0.5, "南": -1.5}]}
            choice = {"delta": {"content": piece}} if chat else {"text": piece, "logprobs": logs}
            event = {"choices": [{"index": 0, "finish_reason": None, **choice}]}
            body += b"data: " + json.dumps(event).encode() + b"\n\n"
            if self.server.dies and i == 1:
                break
        else:
            body += b'data: {"choices": [{"index": 0, "text": "", "delta": {}, "finish_reason": "stop"}]}\n\n'
        self._send(body)

    def _send(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def served(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.dies = [], False
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    yield server
    server.shutdown()
    server.server_close()


def test_a_server_is_the_default_and_writes_in_the_notebook(served):
    assert default() == "server"
    book, voice = Notebook(), find("server")
    book.put("中国 ")
    *_, _ = book.go_on(voice, "server", HOW)
    assert book.page.text == "中国 北京是" and book.reply.finish == "end"
    path = book.page.tree.path(book.page.node)
    other = next(t for t, _ in book.page.tree.nodes[path[0]].token.alternatives if voice.decode([t]) == "南")
    *_, _ = book.choose(voice, "server", path[0], other, HOW)
    assert book.page.text == "中国 南北京是" and served.asked[-1][1]["prompt"] == "中国 南"
    assert json.loads(paper(book))["choices"]


def test_every_press_is_a_new_voice_of_the_same_notebook(served):
    book = Notebook()
    book.put("中国 ")
    *_, _ = book.go_on(find("server"), "server", HOW)
    *_, _ = book.go_on(find("server"), "server", HOW)
    assert book.page.text == "中国 北京是北京是" and served.asked[-1][1]["prompt"] == "中国 北京是"
    *_, _ = book.retry(find("server"), "server", HOW)
    tree, spell = book.page.tree, book.page.tokenizer.decode
    first = tree.path(book.page.node)[0]
    other = next(t for t, _ in tree.nodes[first].token.alternatives if spell([t]) == "南")
    *_, _ = book.choose(find("server"), "server", first, other, HOW)
    assert book.page.text == "中国 南北京是" and served.asked[-1][1]["prompt"] == "中国 南"


def test_a_dying_server_leaves_the_text_so_far(served):
    served.dies = True
    talk = Talk()
    talk.ask("首都是哪里？")
    assert answered(talk, [find("server")]) == ["首都是哪里？", "北京"]
    talk.again(1)
    notes = [one.reply.note for _ in talk.answers([find("server")], HOW) for one in talk.live]
    assert notes[-1].field == "server" and "kept" in notes[-1].en


def test_messages_where_the_visitor_wants_them(served):
    talk = Talk()
    talk.ask("你好")
    answered(talk, [find("server:cpm")], form="messages")
    path, body = served.asked[-1]
    assert path == "/v1/chat/completions" and body["messages"] == [{"role": "user", "content": "你好"}]
    answered_as_text = Talk()
    answered_as_text.ask("你好")
    answered(answered_as_text, [find("server")])
    assert served.asked[-1][1]["prompt"] == "问：你好\n答："


def test_no_server_is_said(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(InputError, match="OPENAI_BASE_URL"):
        find("server")

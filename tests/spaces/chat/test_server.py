"""A real HTTP server that speaks OpenAI's protocol, well and badly, on this machine."""

import json
import math
import socket
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.experiment import InputError
from spaces.chat import server as module
from spaces.chat.sampling import Sampling
from spaces.chat.server import Server

HOW = Sampling(max_new_tokens=9, seed=4)


def event(**choice) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, **choice}]}).encode() + b"\n\n"


PIECES = [event(text=piece, finish_reason=None) for piece in ("北", "京", "\n法")]
END = [event(text="", finish_reason="length"), b'data: {"choices": [], "usage": {}}\n\n', b"data: [DONE]\n\n"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._reply(200, json.dumps({"data": [{"id": "cpm"}, {"id": "other"}]}).encode())

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, self.headers.get("Authorization")))
        self.server.behave(self)

    def _reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, parts, end=True, pause=0.0):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
            time.sleep(pause)
        if end:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True


class Listening(ThreadingHTTPServer):
    def handle_error(self, *_):
        """Connections break here on purpose."""


@pytest.fixture
def serve():
    running = Listening(("127.0.0.1", 0), Handler)
    running.asked, running.daemon_threads = [], True
    threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()

    def start(behave, **options):
        running.behave = behave
        return Server(f"http://127.0.0.1:{running.server_port}/v1", model="cpm", **options)

    start.asked = running.asked
    yield start
    running.shutdown()
    running.server_close()


def last(server, **options):
    return list(server.answer("中国 ", options.pop("sampling", HOW), **options))[-1]


def test_a_completion_streams_to_its_end(serve):
    replies = list(serve(lambda h: h.stream(PIECES + END), key="secret").answer("中国 ", HOW))
    assert [reply.text for reply in replies] == ["北", "北京", "北京\n法", "北京\n法"]
    assert [reply.finish for reply in replies] == ["running"] * 3 + ["length"] and replies[-1].count == 3
    path, body, key = serve.asked[0]
    assert path == "/v1/completions" and key == "Bearer secret" and body["stream"] is True
    assert (body["prompt"], body["model"], body["max_tokens"], body["seed"]) == ("中国 ", "cpm", 9, 4)
    assert "top_k" not in body and "repetition_penalty" not in body


def test_a_chat_streams_with_its_log_probabilities(serve):
    logprobs = {"content": [{"token": "好", "logprob": -0.5, "top_logprobs": [
        {"token": "坏", "logprob": -2.0}, {"token": "好", "logprob": -0.5}]}]}  # fmt: skip
    parts = [event(delta={"role": "assistant"}), event(delta={"content": "好"}, logprobs=logprobs)]
    messages = [{"role": "user", "content": "你好"}]
    reply = last(serve(lambda h: h.stream([*parts, event(delta={}, finish_reason="stop")])), chat=messages)
    assert (reply.text, reply.finish) == ("好", "end") and reply.said[0].alternatives[0] == ("好", -0.5)
    assert serve.asked[0][0] == "/v1/chat/completions" and serve.asked[0][1]["messages"] == messages


def test_a_chat_without_alternatives_keeps_its_answer(serve):
    logprobs = {"content": [{"token": "好", "logprob": -0.5, "top_logprobs": None}]}
    parts = [event(delta={"content": "好"}, logprobs=logprobs), event(delta={}, finish_reason="stop")]
    reply = last(serve(lambda h: h.stream(parts)), chat=[{"role": "user", "content": "你好"}])
    assert (reply.text, reply.finish) == ("好", "end") and reply.said[0].alternatives == ()


def test_log_probabilities_of_a_completion(serve):
    top = {"京": -1.5, "方": -0.7}
    logprobs = {"tokens": ["北", "京"], "token_logprobs": [None, -1.5], "top_logprobs": [None, top]}
    reply = last(serve(lambda h: h.stream([event(text="北京", logprobs=logprobs), *END])))
    assert [s.text for s in reply.said] == ["北京"] and math.isnan(reply.said[0].log_probability)
    logprobs = {name: values[1:] for name, values in logprobs.items()}
    reply = last(serve(lambda h: h.stream([event(text="北"), event(text="京", logprobs=logprobs), *END])))
    assert [s.text for s in reply.said] == ["北", "京"] and reply.said[1].log_probability == -1.5
    assert reply.said[1].alternatives == (("方", -0.7), ("京", -1.5))


def test_stop_strings_across_pieces_are_cut_here_too(serve):
    reply = last(serve(lambda h: h.stream(PIECES + END)), sampling=Sampling(stop=("京\n", "x")))
    assert (reply.text, reply.finish) == ("北", "stop") and "stop" not in serve.asked[0][1]
    assert "".join(s.text for s in reply.said) == "北京\n法"


@pytest.mark.parametrize(
    "behave, text, sentence",
    [
        (lambda h: h.stream(PIECES[:2], end=False), "北京", "broke off"),
        (lambda h: h.stream(PIECES[:2]), "北京", "hung up"),
        (lambda h: h._reply(500, b'{"error": {"message": "out of\\n memory"}}'), "", "HTTP 500): out of memory"),
        (lambda h: h._reply(404, b"<html>no"), "", "HTTP 404"),
        (lambda h: h.stream([PIECES[0], b"data: {nonsense\n\n"]), "北", "cannot be read"),
        (lambda h: h.stream([PIECES[0], b'data: {"choices": [7]}\n\n']), "北", "cannot be read"),
        (lambda h: h.stream([PIECES[0], b'data: {"choices": [{"text": 7}]}\n\n']), "北", "cannot be read"),
        (lambda h: h.stream([PIECES[0], b"data: [[[\n\n"]), "北", "cannot be read"),
        (lambda h: h.stream([PIECES[0], b'data: {"error": {"message": "worker died"}}\n\n']), "北", "worker died"),
        (lambda h: h.stream([PIECES[0], b'data: {"choices": [{"text": "\\ud800"}]}\n\n']), "北", "cannot be read"),
        (lambda h: h._reply(200, b"\x00\xff garbage"), "", "hung up"),
        (lambda h: h.connection.shutdown(socket.SHUT_RDWR), "", "broke off"),
    ],
)
def test_what_goes_wrong_keeps_the_text_and_says_so(serve, behave, text, sentence):
    reply = last(serve(behave))
    assert (reply.text, reply.finish) == (text, "error")
    assert sentence in reply.note.en and "kept" in reply.note.en and "保留" in reply.note.zh


def test_silence_ends(serve):
    began = time.monotonic()
    reply = last(serve(lambda h: h.stream(PIECES, pause=5), silence=0.3))
    assert (reply.text, reply.finish) == ("北", "error") and "silent" in reply.note.en
    assert time.monotonic() - began < 3


def test_an_endless_answer_is_cut_by_time(serve):
    reply = last(serve(lambda h: h.stream([PIECES[0]] * 200, pause=0.01)), seconds=0.2)
    assert reply.finish == "time" and set(reply.text) == {"北"}


def test_signs_of_life_are_no_answer(serve):
    for sign in (b": ping\n\n", b'data: {"choices": []}\n\n', b"x"):
        reply = last(serve(lambda h, sign=sign: h.stream([sign] * 300, pause=0.01)), seconds=0.2)
        assert (reply.text, reply.finish) == ("", "time")


def test_a_server_without_models_is_said(serve, monkeypatch):
    monkeypatch.setattr(Handler, "do_GET", lambda h: h._reply(200, b'{"data": []}'))
    server = replace(serve(None), model="")
    with pytest.raises(InputError, match="no model"):
        server.models()
    reply = last(server)
    assert reply.finish == "error" and "no model" in reply.note.en


def test_nobody_sees_the_password_in_an_address():
    assert Server("https://user:secret@example.org:8000/v1?key=2").host == "example.org:8000"


def test_a_line_without_an_end_is_not_waited_for(serve, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_LINE", 1000)
    reply = last(serve(lambda h: h.stream([b"data: " + b"x" * 600] * 5)))
    assert reply.finish == "error" and "no lines" in reply.note.en


def test_a_visitor_who_leaves_closes_the_connection(serve):
    gone = threading.Event()

    def behave(h):
        try:
            h.stream([PIECES[0]] * 500, pause=0.01)
        except OSError:
            gone.set()

    stream = serve(behave).answer("中国", HOW)
    next(stream)
    stream.close()
    assert gone.wait(3)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "nonsense", "ftp://x/v1", "http://[::1"])
def test_no_server_is_said_in_a_sentence(url):
    reply = list(Server(url, model="m", silence=1.0).answer("中国", HOW))[-1]
    assert reply.finish == "error" and "reached" in reply.note.en
    with pytest.raises(InputError, match="reached"):
        Server(url, silence=1.0).models()


def test_its_models(serve):
    assert serve(None).models() == ["cpm", "other"]


def test_an_empty_prompt_reaches_no_server(serve):
    with pytest.raises(InputError):
        list(serve(None).answer(" ", HOW))
    assert serve.asked == []


def test_the_environment_names_it(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert Server.from_environment() is None
    monkeypatch.setenv("OPENAI_BASE_URL", "http://a/v1")
    monkeypatch.setenv("OPENAI_MODEL", "cpm")
    assert Server.from_environment() == Server("http://a/v1", "", "cpm")

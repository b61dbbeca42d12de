"""Answers end for the reason they give; prompts that do not fit are cut and said so; hostile texts are answered."""

import time

import pytest
import torch
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from spaces.chat import answer as module
from spaces.chat.answer import Reply, answer, at_most, fit
from spaces.chat.decode import Decoder
from spaces.chat.engines import Speaker
from spaces.chat.model import WEIGHTS, configuration
from spaces.chat.sampling import Sampling
from spaces.chat.tokenizer import CpmTokenizer

TOKENIZER = CpmTokenizer(WEIGHTS)


@pytest.fixture(scope="module")
def speaker():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(configuration(TOKENIZER.size, TOKENIZER.eod_id, "tiny")).eval()  # a context of 128
    return Speaker(Decoder(model), TOKENIZER, (TOKENIZER.eod_id,))


def last(speaker, prompt, **sampling) -> Reply:
    return list(answer(speaker, prompt, Sampling(**sampling)))[-1]


def test_the_text_grows_and_is_that_of_its_tokens(speaker):
    replies = list(answer(speaker, "床前明月光", Sampling(max_new_tokens=12)))
    assert all(b.text.startswith(a.text) for a, b in zip(replies, replies[1:], strict=False))
    end = replies[-1]
    assert end.finish == "length" and end.count == len(end.tokens) == 12
    assert end.text == TOKENIZER.decode([token.id for token in end.tokens])
    assert 0 < end.first <= end.seconds and end.tokens_per_second > 0
    assert end.prompt_tokens == 1 + len(TOKENIZER.encode("床前明月光"))


def test_a_stop_string_ends_it(speaker):
    whole = last(speaker, "你好", temperature=0.0, max_new_tokens=20).text
    stop = whole[len(whole) // 2 :][:2]
    reply = last(speaker, "你好", temperature=0.0, max_new_tokens=20, stop=stop)
    assert reply.finish == "stop" and reply.text == whole[: whole.index(stop)]


def test_time_and_context_end_it(speaker):
    assert list(answer(speaker, "你好", Sampling(max_new_tokens=50), seconds=0.0))[-1].finish == "time"
    ids = TOKENIZER.encode("好" * 300)[:60]
    reply = last(speaker, TOKENIZER.decode(ids), max_new_tokens=1000)
    assert reply.finish in ("context", "end") and reply.prompt_tokens + reply.count <= 128


def test_a_prompt_longer_than_the_context_says_what_was_cut(speaker):
    prompt = "".join(f"第{i}行，" for i in range(300))
    ids, cut = fit(speaker, prompt, 20)
    assert len(ids) == 128 - 20 and ids[0] == TOKENIZER.eod_id
    assert prompt[cut:] == TOKENIZER.decode(ids[1:])
    assert last(speaker, prompt, max_new_tokens=20).count == 20


def test_a_prompt_that_fits_is_read_whole(speaker):
    prompt = TOKENIZER.decode(TOKENIZER.encode("一二三四五六七八九十" * 40)[:120])
    ids, cut = fit(speaker, prompt, 64)
    assert cut == 0 and TOKENIZER.decode(ids[1:]) == prompt


@pytest.mark.parametrize(
    "prompt", ["\x00\x07\u202e控制", "😀👩‍👩‍👧", "ꙮ ᚠᛇᚻ ܐܢܐ", "\u2581\u2582\u2583", "a" * 5000, "\ufffd", " 。"]
)
def test_any_text_is_answered(speaker, prompt):
    assert last(speaker, prompt, max_new_tokens=3).finish in ("length", "end")


def test_a_megabyte_is_answered_at_once(speaker):
    began = time.process_time()
    reply = last(speaker, "长文。" * 350_000, max_new_tokens=3)
    assert reply.cut > 1_000_000 and time.process_time() - began < 2


@pytest.mark.parametrize("prompt", ["", " \n\t", None, 3, "半\ud800"])
def test_empty_prompts_are_refused(speaker, prompt):
    with pytest.raises(InputError) as caught:
        next(answer(speaker, prompt, Sampling()))
    assert caught.value.field == "prompt"


def test_too_long_and_broken_texts_are_refused(speaker, monkeypatch):
    with pytest.raises(InputError, match="Unicode"):
        next(answer(speaker, "坏\ud800", Sampling()))
    monkeypatch.setattr(module, "LONGEST_PROMPT", 5)
    with pytest.raises(InputError, match="at most 5"):
        next(answer(speaker, "123456", Sampling()))


def test_a_closed_answer_leaves_the_batch(speaker):
    stream = answer(speaker, "你好", Sampling(max_new_tokens=100))
    next(stream)
    assert speaker.batch.active == 1
    stream.close()
    assert speaker.batch.active == 0


def test_frames_are_thinned_but_the_end_comes():
    def slowly():
        for i in range(50):
            time.sleep(0.004)
            yield Reply(count=i)

    frames = [reply.count for reply in at_most(slowly(), 20)]
    assert frames[0] == 0 and frames[-1] == 49 and 3 <= len(frames) <= 12

"""Scores against the model's own log-probabilities; ledgers, grids and priors as differences of them."""

import math

import pytest
import torch
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from spaces.chat.decode import Decoder
from spaces.chat.engines import Speaker
from spaces.chat.fewshot import FORMS
from spaces.chat.model import WEIGHTS, configuration
from spaces.chat.shots import CONTENT_FREE, FewShot, Scorer, grid, ledger, recognise, without_prior
from spaces.chat.tokenizer import CpmTokenizer

TOKENIZER = CpmTokenizer(WEIGHTS)
CAPITALS = FewShot((("美国", "华盛顿"), ("法国", "巴黎"), ("日本", "东京")), "中国")


@pytest.fixture(scope="module")
def speaker():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(configuration(TOKENIZER.size, TOKENIZER.eod_id, "tiny")).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    speaker = Speaker(Decoder(model), TOKENIZER, (TOKENIZER.eod_id,))
    speaker.model = model
    return speaker


def exact(speaker, prompt, answer):
    before, said = [TOKENIZER.eod_id, *TOKENIZER.encode(prompt)], TOKENIZER.encode(answer)
    with torch.no_grad():
        logs = speaker.model(torch.tensor([before + said])).logits[0].log_softmax(1)
    return math.fsum(float(logs[len(before) + i - 1, token]) for i, token in enumerate(said))


def test_the_articles_prompt():
    assert CAPITALS.write() == "美国 华盛顿\n法国 巴黎\n日本 东京\n中国 "
    assert CAPITALS.write(without=1) == "美国 华盛顿\n日本 东京\n中国 "
    assert FewShot((("{a}", "{q}"),), "x").write() == "{a} {q}\nx "


@pytest.mark.parametrize("form", [form for form in FORMS if form.find("{q}") < form.find("{a}")])
def test_a_prompt_is_recognised_in_the_form_it_was_written_in(form):
    prompt = FewShot((("猫", "cat"), ("狗", "dog")), "鸟", form)
    found = recognise(prompt.write(), [form])
    assert found == prompt and recognise(prompt.write(), FORMS).write() == prompt.write()


@pytest.mark.parametrize("prompt", ["", "床前明月光", "美国 华盛顿\n法国：巴黎\n中国 "])
def test_what_has_no_form_is_refused(prompt):
    with pytest.raises(InputError):
        recognise(prompt, ["{q} {a}\n", "{q}：{a}\n"])


def test_a_ledger_is_differences_of_log_probabilities(speaker):
    books = list(ledger(speaker, CAPITALS, "北京"))
    assert [len(book.without) for book in books] == [0, 1, 2, 3]
    assert books[-1].whole == pytest.approx(exact(speaker, CAPITALS.write(), "北京"), abs=1e-3)
    for i, worth in enumerate(books[-1].worth):
        less = exact(speaker, CAPITALS.write(without=i), "北京")
        assert worth == pytest.approx(books[-1].whole - less, abs=2e-3)


def test_a_grid_scores_each_way_to_write(speaker):
    *_, rows = grid(speaker, CAPITALS, "北京", ("{q}{s}{a}\n", "问：{q}{s}答：{a}\n"), (" ", "：", "\n"))
    assert [len(row) for row in rows] == [3, 3]
    written = "问：美国\n答：华盛顿\n问：法国\n答：巴黎\n问：日本\n答：东京\n问：中国\n答："
    assert rows[1][2] == pytest.approx(exact(speaker, written, "北京"), abs=1e-3)


def test_the_prior_is_the_mean_probability_without_content(speaker):
    candidates = without_prior(speaker, CAPITALS, ["北京", "上海"])
    for candidate in candidates:
        nothing = [math.exp(exact(speaker, CAPITALS.write(question=q), candidate.text)) for q in CONTENT_FREE]
        assert candidate.prior == pytest.approx(math.log(sum(nothing) / len(nothing)), abs=1e-3)
        assert candidate.gain == candidate.score - candidate.prior


def test_too_long_empty_and_too_many_are_refused(speaker):
    scorer = Scorer(speaker)
    for prompt, answer in (("长" * 400, "好"), ("好", "")):
        with pytest.raises(InputError):
            scorer.score(prompt, answer)
    for broken in ({"shots": (("a", "b"),) * 33, "question": "c"}, {"shots": (), "question": "c", "form": "{a}{q}"}):
        with pytest.raises(InputError):
            FewShot(**broken)
    with pytest.raises(InputError):
        without_prior(speaker, CAPITALS, [])

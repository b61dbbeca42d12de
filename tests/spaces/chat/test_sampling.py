"""Draws against transformers' processors: the same distribution, the same support; settings that are refused."""

import pytest
import torch
from scipy.stats import chisquare
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from shared.experiment import InputError
from spaces.chat import sampling
from spaces.chat.sampling import Sampler, Sampling

LOGITS = torch.tensor([2.0, 1.5, 1.5, 0.3, -0.2, -1.0, -1.0, -3.0, 0.9, 0.0])
PROMPT = [1, 4, 8]


def transformers_probabilities(how: Sampling, logits=LOGITS, prompt=PROMPT) -> torch.Tensor:
    steps = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(how.repetition_penalty)])
    steps.append(TemperatureLogitsWarper(how.temperature))
    if how.top_k:
        steps.append(TopKLogitsWarper(how.top_k))
    if how.top_p < 1:
        steps.append(TopPLogitsWarper(how.top_p))
    return steps(torch.tensor([prompt]), logits[None].clone())[0].softmax(0)


@pytest.mark.parametrize(
    "how",
    [
        Sampling(top_p=1.0),
        Sampling(temperature=0.5, top_p=0.9),
        Sampling(temperature=2.0, top_k=2, top_p=1.0),
        Sampling(top_k=5, top_p=0.7),
        Sampling(repetition_penalty=1.8, top_p=0.95),
        Sampling(repetition_penalty=0.7, temperature=1.3, top_k=7, top_p=0.8),
        Sampling(top_p=0.0),
    ],
    ids=str,
)
def test_draws_follow_transformers_processors(how):
    expected, draws = transformers_probabilities(how), 4000
    sampler = Sampler(how, PROMPT)
    counts = torch.zeros(len(LOGITS))
    for _ in range(draws):
        counts[sampler.draw(LOGITS)] += 1
        sampler.seen = set(PROMPT)
    support = expected > 0
    assert counts[~support].sum() == 0
    shares = expected[support].double()
    assert len(shares) == 1 or chisquare(counts[support], shares / shares.sum() * draws).pvalue > 1e-3


def test_a_nucleus_wider_than_the_sorted_head(monkeypatch):
    monkeypatch.setattr(sampling, "HEAD", 3)
    torch.manual_seed(0)
    logits, how = torch.randn(50), Sampling(top_p=0.9)
    kept, tokens = Sampler(how, [])._kept(logits)
    expected = transformers_probabilities(how, logits, [])
    assert set(tokens.tolist()) == set(expected.nonzero()[:, 0].tolist())
    torch.testing.assert_close(kept.softmax(0), expected[tokens])


def test_greedy_takes_the_likeliest_after_the_penalty():
    assert Sampler(Sampling(temperature=0.0), PROMPT).draw(LOGITS) == 0
    assert Sampler(Sampling(temperature=0.0, repetition_penalty=2.0), [0]).draw(LOGITS) == 1


def test_what_was_drawn_is_penalised_too():
    sampler = Sampler(Sampling(temperature=0.0, repetition_penalty=2.0), [])
    assert [sampler.draw(LOGITS) for _ in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("temperature", [5e-324, 1e-45, 1e-38, 1e-20])
def test_the_coldest_draw_takes_the_likeliest(temperature):
    for how in (Sampling(temperature, 1.0), Sampling(temperature, 0.9), Sampling(temperature, 1.0, top_k=3)):
        assert Sampler(how, []).draw(LOGITS) == 0


def test_seeds_repeat_and_differ():
    def run(seed):
        sampler = Sampler(Sampling(seed=seed, top_p=1.0), [])
        return [sampler.draw(LOGITS) for _ in range(20)]

    assert run(3) == run(3) != run(4)


def test_logits_are_left_as_they_are():
    logits = LOGITS.clone()
    Sampler(Sampling(repetition_penalty=2.0, temperature=0.1), PROMPT).draw(logits)
    assert torch.equal(logits, LOGITS)


@pytest.mark.parametrize(
    "field, value",
    [
        ("temperature", -0.1), ("temperature", float("nan")), ("temperature", float("inf")), ("temperature", "hot"),
        ("top_p", 1.01), ("top_k", 2.5), ("top_k", -1), ("repetition_penalty", 0.0), ("max_new_tokens", 0),
        ("max_new_tokens", None), ("seed", 2**31), ("stop", ("",)), ("stop", ("a",) * 9), ("stop", 3),
        ("stop", ["x" * 41]),
    ],
)  # fmt: skip
def test_impossible_settings_are_refused_by_name(field, value):
    with pytest.raises(InputError) as caught:
        Sampling(**{field: value})
    assert caught.value.field == field


def test_one_stop_may_come_alone():
    assert Sampling(stop="\n").stop == ("\n",) and Sampling(stop=["a", "b"]).stop == ("a", "b")


def test_a_later_draw_has_another_seed_and_the_last_is_followed_by_the_first():
    most = sampling.LIMITS["seed"][1]
    assert Sampling(seed=3, top_k=5).later(2) == Sampling(seed=5, top_k=5)
    assert Sampling(seed=most).later(1).seed == 0

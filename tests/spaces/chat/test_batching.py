"""Several answers at once are those each would get alone; nobody waits for another's end; the abandoned stop."""

import threading

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from spaces.chat import batching
from spaces.chat.batching import AHEAD, PART, Batch
from spaces.chat.decode import Decoder
from spaces.chat.sampling import Sampling

GREEDY = Sampling(temperature=0.0, max_new_tokens=30)
NEVER = -1


class Counting(Decoder):
    """Keeps what was asked of it: prompt tokens computed, rows stepped."""

    def __init__(self, model):
        super().__init__(model)
        self.computed, self.steps, self.order = [], [], []

    def read(self, ids, cache, last=1):
        before = min(batching.shared_prefix(ids, cache.ids), len(ids) - last)
        self.computed.append(len(ids) - before)
        self.order.append("read")
        return super().read(ids, cache, last)

    def step(self, tokens, caches):
        self.steps.append(len(tokens))
        self.order.append("step")
        return super().step(tokens, caches)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=97, n_positions=400, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0,
        initializer_range=0.3,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


@pytest.fixture
def batch(model):
    return Batch(Counting(model))


def prompt(length, seed=1):
    return torch.randint(1, 97, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def alone(model, ids, sampling=GREEDY):
    return [token.id for token in Batch(Decoder(model)).tokens(ids, sampling, NEVER)]


def test_an_answer_is_that_of_generate(model, batch):
    ids = prompt(150)
    out = model.generate(torch.tensor([ids]), max_new_tokens=30, do_sample=False, pad_token_id=0, eos_token_id=None)
    assert [token.id for token in batch.tokens(ids, GREEDY, NEVER)] == out[0, 150:].tolist()


def test_answers_in_rotation_are_those_each_gets_alone(model, batch):
    how = [Sampling(seed=seed, max_new_tokens=20 + seed) for seed in range(5)]
    prompts = [prompt(10 + 40 * seed, seed) for seed in range(5)]
    streams = {i: batch.tokens(ids, how[i], NEVER) for i, ids in enumerate(prompts)}
    said = {i: [] for i in streams}
    while streams:
        for i in list(streams):
            token = next(streams[i], None)
            said[i].append(token.id) if token else streams.pop(i)
    for i, ids in enumerate(prompts):
        assert said[i] == alone(model, ids, how[i])
    assert max(batch.engine.steps) == 5 and batch.active == 0


def test_threads_get_the_same_and_share_the_steps(model, batch):
    prompts, said = [prompt(20, seed) for seed in range(6)], {}

    def visit(i):
        said[i] = [token.id for token in batch.tokens(prompts[i], GREEDY, NEVER)]

    threads = [threading.Thread(target=visit, args=(i,)) for i in range(6)]
    [thread.start() for thread in threads]
    [thread.join(20) for thread in threads]
    assert [said[i] for i in range(6)] == [alone(model, ids) for ids in prompts]
    assert len(batch.engine.steps) < 6 * 29  # tokens after the first: fewer steps than tokens


def test_a_long_prompt_stops_the_others_for_one_part_at_most(batch):
    talking = batch.tokens(prompt(5), Sampling(max_new_tokens=60), NEVER)
    next(talking)
    newcomer = batch.tokens(prompt(300, 2), GREEDY, NEVER)
    first = threading.Thread(target=lambda: next(newcomer))
    first.start()
    for _ in range(12):
        next(talking)
    first.join(20)
    assert max(batch.engine.computed) <= PART and len(batch.engine.computed) >= 300 / PART
    assert batch.engine.order.count("step") >= 4  # between its parts, the other spoke on


def test_an_answer_nobody_asks_for_stops(batch):
    idle, busy = (batch.tokens(prompt(5, seed), Sampling(max_new_tokens=100), NEVER) for seed in (1, 2))
    next(idle)
    for _ in busy:
        pass
    rows = sum(batch.engine.steps)
    assert rows <= 99 + AHEAD
    idle.close()
    assert batch.active == 0


def test_more_answers_than_rows_take_turns(model, monkeypatch):
    monkeypatch.setattr(batching, "MOST", 2)
    batch = Batch(Counting(model))
    streams = [batch.tokens(prompt(4, seed), Sampling(max_new_tokens=20), NEVER) for seed in range(5)]
    for _ in range(20):
        assert all(next(stream) for stream in streams)
    assert max(batch.engine.steps) == 2


def test_a_visitor_who_sleeps_blocks_nobody(model, monkeypatch):
    monkeypatch.setattr(batching, "MOST", 1)
    batch = Batch(Counting(model))
    idle = batch.tokens(prompt(4), Sampling(max_new_tokens=20), NEVER)
    next(idle)
    assert len(list(batch.tokens(prompt(4, 2), Sampling(max_new_tokens=20), NEVER))) == 20


def test_another_conversation_keeps_its_cache(batch):
    ids = prompt(60)
    list(batch.tokens(ids, GREEDY, NEVER))
    list(batch.tokens([*ids[:3], *prompt(60, 2)], GREEDY, NEVER))  # a shared beginning is not the same conversation
    before = sum(batch.engine.computed)
    list(batch.tokens(ids + [7], GREEDY, NEVER))
    assert sum(batch.engine.computed) - before == 1


def test_the_next_turn_computes_only_what_is_new(batch):
    ids = prompt(100)
    said = [token.id for token in batch.tokens(ids, GREEDY, NEVER)]
    before = sum(batch.engine.computed)
    list(batch.tokens(ids + said + [7, 8, 9], GREEDY, NEVER))
    assert sum(batch.engine.computed) - before == 4  # the last token drawn was never an input


def test_the_end_token_ends_and_is_not_told(batch):
    ids = prompt(10)
    first = [token.id for token in batch.tokens(ids, GREEDY, NEVER)]
    place = next(i for i, t in enumerate(first) if t not in first[:i] and i)
    assert [token.id for token in batch.tokens(ids, GREEDY, first[place])] == first[:place]


def test_the_context_ends_an_answer(batch):
    assert len(list(batch.tokens(prompt(395), GREEDY, NEVER))) == 5
    assert list(batch.tokens(prompt(400), GREEDY, NEVER)) == []


def test_probabilities_are_the_models_own(model, batch):
    ids = prompt(12)
    token = next(batch.tokens(ids, Sampling(temperature=0.3, top_p=0.5, repetition_penalty=1.5), NEVER))
    with torch.no_grad():
        logs = model(torch.tensor([ids])).logits[0, -1].log_softmax(0)
    assert token.log_probability == pytest.approx(float(logs[token.id]), abs=1e-4)
    chances = [chance for _, chance in token.alternatives]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] == pytest.approx(float(logs.max().exp()), abs=1e-4)


def test_a_failing_engine_frees_the_line(model):
    batch = Batch(Counting(model))
    batch.engine.step = lambda *_: 1 / 0
    stream = batch.tokens(prompt(5), GREEDY, NEVER)
    next(stream)
    with pytest.raises(ZeroDivisionError):
        next(stream)
    assert batch.active == 0


def test_a_failing_draw_ends_its_own_answer_only(model, batch, monkeypatch):
    streams = [batch.tokens(prompt(5, seed), GREEDY, NEVER) for seed in (1, 2, 3)]
    said = [[next(stream).id] for stream in streams]
    draw, failing = batching.Sampler.draw, batch._under_way[1].sampler
    monkeypatch.setattr(batching.Sampler, "draw", lambda s, logits: 1 / 0 if s is failing else draw(s, logits))
    for i in (0, 2):
        said[i] += [token.id for token in streams[i]]
        assert said[i] == alone(model, prompt(5, i + 1))
    with pytest.raises(ZeroDivisionError):
        list(streams[1])
    assert batch.active == 0

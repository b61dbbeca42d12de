"""The pooling layer starts as a mean, the losses mean what they say, the parts give the weights back."""

import math

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertModel

from spaces.long_document.classifier import build_classifier, set_gains, sum_up
from spaces.long_document.data import GENRES, LABELS, PROVINCES, columns
from spaces.long_document.losses import WHOLE, Trainee, parameter_groups, smoothed_targets
from spaces.long_document.parts import SHARD, load_parts, publish, save_parts
from spaces.long_document.positions import extend_positions
from spaces.long_document.validate import best_gain


def build(width=16):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=8,
    )
    return build_classifier(BertModel(config, add_pooling_layer=False)).eval()


@pytest.fixture
def model():
    return build()


def test_first_token_receives_the_mean(model):
    output = extend_positions(model).bert(input_ids=torch.randint(0, 50, (3, 40)), output_hidden_states=True)
    hidden = output.hidden_states[-2]
    expected = torch.nn.functional.layer_norm(hidden[:, 0] + hidden.mean(1), (16,))
    torch.testing.assert_close(output.last_hidden_state[:, 0], expected)
    torch.testing.assert_close(output.pooler_output, expected.tanh())


def test_the_query_can_learn(model):
    model(input_ids=torch.randint(0, 50, (3, 8)), labels=torch.tensor([0, 1, 2])).loss.backward()
    assert model.bert.encoder.layer[-1].attention.self.query.weight.grad.norm() > 0


def test_smoothing_stays_within_the_task():
    targets = smoothed_targets(torch.tensor([0, len(PROVINCES)]), 0.1)
    torch.testing.assert_close(targets.sum(1), torch.ones(2))
    assert targets[0, len(PROVINCES) :].sum() == 0 and targets[1, : len(PROVINCES)].sum() == 0
    assert targets[1, 7] == pytest.approx(0.9 + 0.1 / len(GENRES))


def test_losses_are_asked_for(model):
    trainee, ids = Trainee(model), torch.randint(0, 50, (2, 8))
    places, truth = torch.tensor([3, 9]), torch.tensor([1, 2])
    only_words = trainee(ids, hidden=(places, truth))
    assert only_words.label == only_words.evidence == 0 and only_words.word > 0
    only_label = trainee(ids, targets=smoothed_targets(torch.tensor([0, 1]), 0.0))
    expected = torch.nn.functional.cross_entropy(model(input_ids=ids).logits, torch.tensor([0, 1]))
    assert only_label.word == only_label.evidence == 0
    torch.testing.assert_close(only_label.label, expected)


def test_evidence_counts_where_it_is_known(model):
    trainee, ids = Trainee(model).eval(), torch.randint(0, 50, (2, 8))
    said = model.classifier(model.bert(input_ids=ids, output_hidden_states=True).hidden_states[-2]).detach()
    known = torch.zeros(2, said.shape[-1])
    known[0, :7] = 1
    signs = torch.tensor([1.0, -1.0]).repeat(4)[:, None]  # errors that cancel over the text
    truth = said + known[:, None] * 0.5 * signs + (1 - known[:, None]) * 9.0
    torch.testing.assert_close(trainee(ids, evidence=(truth, known)).evidence, torch.tensor(0.25))
    truth = said + known[:, None] * 0.5 + (1 - known[:, None]) * 9.0  # errors that add up count WHOLE times more
    torch.testing.assert_close(trainee(ids, evidence=(truth, known)).evidence, torch.tensor(0.25 * (1 + WHOLE)))


@torch.no_grad()
def test_the_label_is_built_as_what_all_tokens_speak_for():
    model = build(width=48)  # more than there are labels
    torch.nn.init.orthogonal_(model.classifier.weight)
    torch.nn.init.normal_(model.classifier.bias, std=0.01)
    ids = torch.randint(0, 50, (400, 6))
    sum_up(model, ids)
    out = model(input_ids=ids, output_hidden_states=True)
    hidden = out.hidden_states[-2]
    spoken = model.classifier(hidden).mean(1)
    cosine = torch.cosine_similarity(out.logits, spoken)
    assert cosine.min() > 0.9 and cosine.mean() > 0.97
    # What the last map does not see of a text's mean is in what other heads get.
    pooled, mean = model.bert(input_ids=ids).pooler_output, hidden.mean(1) - hidden.mean((0, 1))
    unseen = torch.linalg.svd(model.classifier.weight).Vh[len(LABELS) :].T
    cosine = torch.cosine_similarity(pooled @ unseen, mean @ unseen)
    assert cosine.mean() > 0.5  # 0.63; 0.00 where the rest is left out


def test_every_parameter_has_one_group_and_lower_layers_smaller_steps(model):
    trainee = Trainee(model)
    groups = parameter_groups(trainee, 0.5, 0.1)
    assert sum(len(g["params"]) for g in groups) == len(list(trainee.parameters()))
    scale = {id(p): g["scale"] for g in groups for p in g["params"]}
    bert = model.bert
    order = [bert.embeddings.word_embeddings, *(layer.output.dense for layer in bert.encoder.layer), model.classifier]
    assert [scale[id(m.weight)] for m in order] == [0.125, 0.25, 0.5, 3.0, 3.0]
    assert all(g["weight_decay"] == 0 for g in groups for p in g["params"] if p.ndim == 1)


def test_parts_there_and_back(model, tmp_path, monkeypatch):
    monkeypatch.setattr("spaces.long_document.parts.PIECE", 5000)
    save_parts(extend_positions(model).state_dict(), model.config, tmp_path)
    assert len(list(tmp_path.glob("low.*"))) > 2
    again = load_parts(tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor.to(torch.bfloat16)), name
    again.save_pretrained(tmp_path / "plain")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "plain")
    assert plain.config.id2label[0] == LABELS[0] and plain.config.hierarchical_alpha == 0.4


def test_what_is_published_comes_in_shards(model, tmp_path, monkeypatch):
    assert SHARD == "45MB"  # a file of 50 MB is more than some hosts of code take
    monkeypatch.setattr("spaces.long_document.parts.SHARD", "3KB")
    (tmp_path / "pieces.tsv").write_text("<s>\t0\n<pad>\t0\n</s>\t0\n<unk>\t0\n<mask>\t0\n", encoding="utf-8")
    save_parts(model.state_dict(), model.config, tmp_path)
    publish(tmp_path, tmp_path / "out", tmp_path)
    sizes = [file.stat().st_size for file in (tmp_path / "out").glob("*.safetensors")]
    assert len(sizes) > 2 and max(sizes) < 3000 + 2000  # and its header
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out", dtype=torch.bfloat16)
    assert torch.equal(again.classifier.weight, model.classifier.weight.to(torch.bfloat16))
    assert AutoTokenizer.from_pretrained(tmp_path / "out").model_max_length == 512 * 512


def test_gains_change_how_sure_it_is_and_nothing_else(model):
    ids = torch.randint(0, 50, (3, 8))
    before = model(input_ids=ids).logits
    set_gains(model, {"province": 3.0})
    set_gains(model, {"province": 2.0, "genre": 0.5})
    expected = before.clone()
    expected[:, columns("province")] *= 2
    expected[:, columns("genre")] *= 0.5
    torch.testing.assert_close(model(input_ids=ids).logits, expected)
    assert model.config.gains == {"province": 2.0, "genre": 0.5}


def test_best_gain_is_as_sure_as_it_is_right():
    """Right three times in four: p = σ(gain) = 3/4."""
    truth = torch.tensor([0, 0, 0, 1])
    assert best_gain(torch.tensor([[1.0, 0.0]] * 4), truth) == pytest.approx(math.log(3), rel=1e-3)
    assert best_gain(torch.tensor([[0.0, 1.0]] * 4), truth) == pytest.approx(1 / 20, rel=0.01)

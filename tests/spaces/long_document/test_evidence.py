"""Evidence that is known: one character decides, so explanations must name it and survive deletion tests."""

import numpy as np
import pytest
import torch
from transformers import RobertaConfig, RobertaForSequenceClassification

from shared.experiment import InputError
from spaces.long_document import evidence, moving
from spaces.long_document.classifier import start_as_mean
from spaces.long_document.evidence import (
    LONG,
    Evidence,
    by_gradient,
    by_occlusion,
    challenged,
    document,
    hidden,
    paragraphs,
    probability,
    sentences,
    strongest_sentence,
    summed,
)
from spaces.long_document.moving import move, places_for
from spaces.long_document.positions import extend_positions
from spaces.long_document.reader import Reader, trained
from tests.spaces.long_document import tiny

FILL = "云起于西。月出于东。\n微雨初歇，客至溪上。\n童子扫叶。\n"
TEXT = FILL + "甲甲甲甲，乙。" + FILL


@pytest.fixture(scope="module")
def reader():
    """One pooling layer that begins as the mean: 佛道 is likelier, the more 甲 there are."""
    made = tiny.reader(layers=2)
    model = made.model
    start_as_mean(model)
    model.bert.encoder.layer = model.bert.encoder.layer[1:]
    with torch.no_grad():
        model.bert.embeddings.position_embeddings.weight.zero_()
        words = model.bert.embeddings.word_embeddings.weight
        letter = made.tokenizer.convert_tokens_to_ids("甲")
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.weight[3] = (words[letter] - words[4:-1].mean(0)) * 10
        model.classifier.bias[3] = 0.5 - tiny.logits(made, made.encode(TEXT), "genre")[1]  # far from 0 and 1
    return made


def test_gradient_names_the_character(reader):
    doc = document(reader, TEXT)
    *_, (_, found) = by_gradient(reader, doc, "genre", "佛道")
    letters = [i for i in doc.inner if TEXT[slice(*doc.spans[i])] == "甲"]
    assert set(np.argsort(-found.parts)[:4]) == set(letters)
    start, stop = strongest_sentence(doc, found)
    assert TEXT[start:stop] == "甲甲甲甲，乙。"


def test_occlusion_narrows_down_to_it(reader, monkeypatch):
    doc = document(reader, TEXT)
    given = []
    monkeypatch.setattr(evidence, "probability", lambda *asked: given.append(1) or probability(*asked))
    *_, (_, found) = by_occlusion(reader, doc, "genre", "佛道", budget=60)
    letters = [i for i in doc.inner if TEXT[slice(*doc.spans[i])] == "甲"]
    assert len(given) <= 60 and set(np.argsort(-found.parts)[:4]) == set(letters)


def test_a_true_explanation_beats_chance_and_its_opposite_does_not(reader):
    doc = document(reader, TEXT)
    *_, (_, found) = by_gradient(reader, doc, "genre", "佛道")
    *_, (_, good) = challenged(reader, doc, "genre", found)
    assert good.faithfulness > 0.02
    upside_down = type(found)(found.label, -found.parts)
    *_, (_, bad) = challenged(reader, doc, "genre", upside_down)
    assert bad.faithfulness < 0 < good.faithfulness
    assert good.curve["named"][0] == good.curve["random"][0] and len(good.curve["share"]) == 5


def test_hiding_leaves_the_original_alone(reader):
    doc = document(reader, TEXT)
    before = doc.ids.clone()
    covered = hidden(reader, doc.ids, doc.inner[:3])
    assert torch.equal(doc.ids, before) and (covered == reader.tokenizer.mask_token_id).sum() == 3


def test_stretches_cover_the_text():
    assert "".join(TEXT[a:b] for a, b in paragraphs(TEXT)) == TEXT
    assert "".join(TEXT[a:b] for a, b in sentences(TEXT)) == TEXT
    assert [TEXT[a:b] for a, b in sentences(TEXT[:10])] == ["云起于西。", "月出于东。"]


def test_english_sentences_end_too():
    said = 'It rained 3.5 mm. "Nobody came." The dog slept (it did.) See a.b, e.g.x... well.'
    assert [said[a:b].strip() for a, b in sentences(said)] == [
        "It rained 3.5 mm.", '"Nobody came."', "The dog slept (it did.)", "See a.b, e.g.x...", "well.",
    ]  # fmt: skip
    assert [said[: m.end()] for m in moving.END.finditer(said[:20])] == ["It rained 3.5 mm."]


@pytest.mark.parametrize("line", ["云起于西。" * 3000, "甲" * 9999, " " * 5000 + "甲乙。" * 2000, "a. " * 5000])
def test_a_book_in_one_line_is_cut(line):
    text = "短。\n" + line + "\n尾。"
    parts, said = paragraphs(text), sentences(text)
    assert max(b - a for a, b in [*parts, *said]) <= LONG + 5000 * line.startswith(" ")
    assert len(parts) > 5 and {a for a, _ in parts} <= {a for a, _ in said}
    assert "".join("".join(text[a:b] for a, b in said).split()) == "".join(text.split())


def test_parts_add_up(reader):
    doc = document(reader, TEXT)
    parts = np.random.default_rng(0).normal(size=doc.ids.shape[1])
    assert summed(doc, parts, sentences(TEXT)).sum() == pytest.approx(parts[doc.inner].sum())


def test_a_passage_is_moved_through_the_text(reader):
    start = TEXT.index("甲")
    passage = (start, start + 7)
    shares, moved = zip(*move(reader, TEXT, passage, "genre", "佛道", tokens=200, steps=7), strict=True)
    found = moved[-1]
    assert shares[-1] == 1 and found.block == 16 and found.places == sorted(found.places) and found.places[0] == 0
    # The mean of the words does not care where they stand.
    assert np.std(found.confidence) < 0.02 and min(found.confidence) > found.without + 0.05


def test_every_reading_is_left_on_the_way(reader, monkeypatch):
    def slow(*_):
        yield from ((0.3, None), (0.7, None), (1.0, 0.5))

    for module in (evidence, moving):
        monkeypatch.setattr(module, "probability", slow)
    doc = document(reader, TEXT)
    found = Evidence("佛道", np.ones(doc.ids.shape[1]))
    passage = (TEXT.index("甲"), TEXT.index("甲") + 7)
    for work, readings in (
        (by_occlusion(reader, doc, "genre", "佛道", budget=9), 9),
        (challenged(reader, doc, "genre", found), 13),
        (move(reader, TEXT, passage, "genre", "佛道", tokens=100, steps=5), 6),
    ):
        shares = [share for share, _ in work]
        assert len(shares) >= 2 * readings and shares == sorted(shares) and shares[-1] == 1


def test_trained_positions_are_those_that_a_token_takes():
    config = RobertaConfig(vocab_size=9, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4,
                           max_position_embeddings=18, pad_token_id=1)  # fmt: skip
    model = extend_positions(RobertaForSequenceClassification(config))
    assert trained(Reader(model, None, {})) == 16


def test_places_lie_at_edges():
    assert {488, 512, 536} <= set(places_for(2048, 17, 512).tolist())
    assert places_for(100, 5, 512).tolist() == [0, 25, 50, 75, 100]


def test_bad_passages(reader):
    with pytest.raises(InputError, match="passage"):
        list(move(reader, TEXT, (3, 3), "genre", "佛道"))
    with pytest.raises(InputError, match="text"):
        list(move(reader, TEXT, (0, len(TEXT)), "genre", "佛道"))
    with pytest.raises(InputError, match="passage"):
        list(move(reader, TEXT, (0, 20), "genre", "佛道", tokens=30))

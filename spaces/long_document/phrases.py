"""A vocabulary of the texts' own phrases, for an encoder that was trained on pieces of words.

What tells a region's regulations apart are turns of phrase of three to ten characters. e5 reads them in pieces of 1.4
characters; a unigram model (SentencePiece) of the training texts has them as one piece, so that a text becomes
shorter and its bag of pieces tells more. A phrase begins as the mean of the embeddings of the pieces e5 reads in it.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable

import sentencepiece
import torch
from transformers import BertModel

from spaces.long_document.e5 import build_tokenizer, e5_config

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
LONGEST = 16  # characters of a phrase
LINES = 250_000  # that the unigram model is trained on, at random

Pieces = list[tuple[str, float]]


def learn_phrases(texts: Iterable[str], count: int, known: Pieces) -> Pieces:
    """texts → (piece, log score): the special ones, about `count` of the texts, single characters of `known`."""
    lines = (line for text in texts for line in re.split(r"[\r\n]+", unicodedata.normalize("NFKC", text)))
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(0)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for line in lines if line.strip()),
        model_writer=model,
        vocab_size=count,
        hard_vocab_limit=False,
        max_sentencepiece_length=LONGEST,
        character_coverage=0.9998,
        normalization_rule_name="identity",
        seed_sentencepiece_size=400_000,
        input_sentence_size=LINES,
        shuffle_input_sentence=True,
        max_sentence_length=16384,
        minloglevel=2,
    )
    learnt = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    own = [(learnt.id_to_piece(i), learnt.get_score(i)) for i in range(len(learnt)) if not learnt.is_control(i)]
    own = [(piece, score) for piece, score in own if piece not in SPECIAL]
    have, least = {piece for piece, _ in own}, min(score for _, score in own)
    rare = [(piece, least - 1.0) for piece, _ in known if len(piece) == 1 and piece not in have]
    return [*((piece, 0.0) for piece in SPECIAL), *own, *rare]


@torch.no_grad()
def reworded(encoder: BertModel, known: Pieces, pieces: Pieces) -> BertModel:
    """The encoder with other pieces: those it knows keep their embedding, the others get the mean of their parts'."""
    old = encoder.get_input_embeddings().weight
    split = build_tokenizer(known).backend_tokenizer.model.tokenize
    places = {piece: i for i, (piece, _) in enumerate(known)}
    rows = [[places[p]] if p in places else [t.id for t in split(p)] for p, _ in pieces]
    weight = torch.stack([old[row].mean(0) for row in rows])
    new = BertModel(e5_config(len(pieces), len(encoder.encoder.layer)), add_pooling_layer=False)
    state = encoder.state_dict() | {"embeddings.word_embeddings.weight": weight}
    new.load_state_dict(state)
    return new.eval()

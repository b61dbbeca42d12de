"""What the reader learns from, in one pass: the label of the text, the words hidden in it, what each word speaks for.

Hidden words and the evidence of each token (lexicon.py) come from the encoder's layers, the label from the first
token of the pooling layer above them (classifier.py). One linear map says what a token speaks for and what the whole
does. Labels share one softmax; label smoothing stays among the labels of the text's own task.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertForSequenceClassification

from spaces.long_document.data import LABELS, TASKS, columns

WHOLE = 30.0  # weight of the error of a text's mean evidence: the whole speaks for the sum, where biases add up


def smoothed_targets(labels: Tensor, smoothing: float) -> Tensor:
    """labels (B,) → distributions (B, labels): 1 − smoothing on the label, the rest evenly over its task."""
    targets = torch.zeros(len(labels), len(LABELS), device=labels.device)
    for task in TASKS:
        place = columns(task)
        own = ((labels >= place.start) & (labels < place.stop)).float()
        targets[:, place] += (own * smoothing / (place.stop - place.start))[:, None]
    return targets.scatter_add_(1, labels[:, None], torch.full_like(targets[:, :1], 1 - smoothing))


class Losses(NamedTuple):
    """Three means; one that was not asked for is zero."""

    label: Tensor
    word: Tensor
    evidence: Tensor


class Trainee(nn.Module):
    """The classifier with a head for words, which is thrown away after training."""

    def __init__(self, classifier: BertForSequenceClassification):
        super().__init__()
        config = classifier.config
        self.classifier = classifier
        self.transform = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        nn.init.eye_(self.transform.weight)
        nn.init.zeros_(self.transform.bias)

    def forward(
        self,
        ids: Tensor,
        hidden: tuple[Tensor, Tensor] | None = None,
        targets: Tensor | None = None,
        evidence: tuple[Tensor, Tensor] | None = None,
    ) -> Losses:
        """ids (B, L), hidden words (places (M,), truth (M,)), targets (B, labels), evidence (B, L, labels) and
        whether a text has it for a label (B, labels) → the losses; one that is not asked for (None) costs nothing.
        """
        output = self.classifier.bert(input_ids=ids, output_hidden_states=True)
        label = word = spoken = torch.zeros((), device=ids.device)
        if hidden is not None:
            word = self.word_loss(output.hidden_states[-2], *hidden)
        if targets is not None:
            logits = self.classifier.classifier(self.classifier.dropout(output.pooler_output))
            label = F.cross_entropy(logits.float(), targets)
        if evidence is not None:
            truth, has = evidence
            said = self.classifier.classifier(output.hidden_states[-2])
            error = said.float() - truth  # (B, L, labels)
            wrong = error.square().mean(1) + WHOLE * error.mean(1).square()  # (B, labels)
            spoken = (wrong * has).sum() / has.sum()
        return Losses(label, word, spoken)

    def word_loss(self, hidden: Tensor, places: Tensor, truth: Tensor) -> Tensor:
        """hidden (B, L, D) of the encoder's last layer → mean cross-entropy at the hidden words."""
        chosen = hidden.flatten(0, 1)[places]
        features = self.norm(F.gelu(self.transform(chosen)))  # (M, D)
        logits = F.linear(features, self.classifier.bert.embeddings.word_embeddings.weight, self.bias)
        return F.cross_entropy(logits.float(), truth)


def parameter_groups(trainee: Trainee, decay: float, weight_decay: float) -> list[dict]:
    """AdamW's groups: steps shrink by `decay` a layer downwards, untrained parts take 3; vectors do not decay."""
    layers = trainee.classifier.config.num_hidden_layers
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in trainee.named_parameters():
        depth = 0
        if "embeddings." in name:
            depth = layers
        elif "encoder.layer." in name:
            depth = layers - 1 - int(name.split("encoder.layer.")[1].split(".")[0])
        groups.setdefault((decay**depth if depth else 3.0, parameter.ndim > 1), []).append(parameter)
    return [
        {"params": parameters, "scale": scale, "weight_decay": weight_decay if matrix else 0.0}
        for (scale, matrix), parameters in groups.items()
    ]

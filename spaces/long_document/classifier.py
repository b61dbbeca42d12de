"""A plain BertForSequenceClassification that begins as the mean of a whole text.

e5 averages its last layer; transformers' BERT classifies from the first token. One more BertLayer makes the
two agree: with its query at zero every token gets the same weight, with value and output at identity the first
token receives the mean of all. Training may then learn where to look (12 heads), and the checkpoint stays an
ordinary one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification, BertModel

from spaces.long_document.data import LABELS, TASKS
from spaces.long_document.positions import ALPHA


def classifier_config(encoder: BertConfig) -> BertConfig:
    """The encoder's configuration with one layer more, our labels, and the α of its positions."""
    config = BertConfig(**encoder.to_dict())
    config.architectures = ["BertForSequenceClassification"]
    config.num_hidden_layers = encoder.num_hidden_layers + 1
    config.attention_probs_dropout_prob = 0.0
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: i for i, label in enumerate(LABELS)}
    config.tasks = {task: list(labels) for task, (_, labels) in TASKS.items()}
    config.hierarchical_alpha = ALPHA
    return config


@torch.no_grad()
def build_classifier(encoder: BertModel) -> BertForSequenceClassification:
    """The encoder's weights, then the pooling layer, then an untrained linear map to LABELS."""
    model = BertForSequenceClassification(classifier_config(encoder.config))
    state = {name: value for name, value in encoder.state_dict().items() if not name.startswith("pooler.")}
    model.bert.load_state_dict(state, strict=False)
    start_as_mean(model)
    return model


@torch.no_grad()
def start_as_mean(model: BertForSequenceClassification) -> None:
    """Set the last layer so that the first token becomes LayerNorm(itself + the mean of all tokens)."""
    *_, last, pool = model.bert.encoder.layer
    attention = pool.attention.self
    nn.init.zeros_(attention.query.weight)  # no preference; were the key zero too, neither could ever learn
    attention.key.load_state_dict(last.attention.self.key.state_dict())
    for identity in (attention.value, pool.attention.output.dense, model.bert.pooler.dense):
        nn.init.eye_(identity.weight)
        nn.init.zeros_(identity.bias)
    nn.init.zeros_(pool.output.dense.weight)
    for bias in (attention.query.bias, pool.output.dense.bias):
        nn.init.zeros_(bias)


@torch.no_grad()
def centre(model: BertForSequenceClassification, ids: Tensor, gain: float = 8.0) -> None:
    """Set the pooling layer's values to `gain` × (token − the mean of all tokens of ids (B, L)).

    What all texts have in common would drown the rest in the LayerNorm that follows; the label is then near to what
    the tokens' mean speaks for.
    """
    mean = model.bert(input_ids=ids, output_hidden_states=True).hidden_states[-2].mean((0, 1))
    value = model.bert.encoder.layer[-1].attention.self.value
    value.weight.copy_(gain * torch.eye(len(mean)))
    value.bias.copy_(-gain * mean)

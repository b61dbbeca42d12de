"""A plain BertForSequenceClassification that begins as the mean of a whole text.

e5 averages its last layer; transformers' BERT classifies from the first token. One more BertLayer makes the
two agree: with its query at zero every token gets the same weight, with value and output at identity the first
token receives the mean of all. Training may then learn where to look (12 heads), or `sum_up` makes the label the sum of
what all tokens speak for; the checkpoint stays an ordinary one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification, BertModel

from spaces.long_document.data import LABELS, TASKS, columns
from spaces.long_document.positions import ALPHA

# Gains of `sum_up` for what the last map sees and for the rest: high in the pooling layer, to which the first token
# adds itself; low in the pooler, where tanh is to be nearly linear.
POOLING, POOLER = (32.0, 4.0), (0.4, 0.5)


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
def sum_up(model: BertForSequenceClassification, ids: Tensor) -> None:
    """Build the pooling layer and the pooler: the label becomes what all tokens together speak for.

    model: its last linear map says what each token of the encoder speaks for (losses.py). ids (B, L): some texts, whose
    mean is subtracted from every token; what all texts have in common would drown the rest in the LayerNorms. The rest
    of the mean reaches the pooler's output too, where the last map does not see it: other heads (head.py) do.
    The model is left in evaluation mode.
    """
    model.eval()  # training's dropout is no part of what is built
    start_as_mean(model)
    hidden = model.bert(input_ids=ids, output_hidden_states=True).hidden_states[-2]  # (B, L, d)
    middle, first = hidden.mean((0, 1)), hidden[:, 0].mean(0)
    pool, linear = model.bert.encoder.layer[-1], model.classifier
    width = hidden.shape[-1]
    # Directions without a mean, for LayerNorm takes it away: those the last map sees, and all others.
    identity = torch.eye(width, device=hidden.device)
    flat = identity - 1 / width
    seen = torch.linalg.qr(flat @ linear.weight.T).Q  # (d, labels)
    other = flat - seen @ seen.T
    value, out, pooler = pool.attention.self.value, pool.attention.output.dense, model.bert.pooler.dense
    value.weight.copy_(identity)
    value.bias.copy_(-middle)
    out.weight.copy_(POOLING[0] * seen @ linear.weight + POOLING[1] * other)
    out.bias.copy_(POOLING[0] * seen @ linear(middle) - first)  # the token's own state, which the layer adds
    for norm in (pool.attention.output.LayerNorm, pool.output.LayerNorm):
        nn.init.ones_(norm.weight)
        nn.init.zeros_(norm.bias)
    back = torch.linalg.pinv(linear.weight)  # (d, labels)
    pooler.weight.copy_(POOLER[0] * back @ seen.T + POOLER[1] * other)
    pooler.bias.copy_(-back @ linear.bias)  # nothing is spoken for: logits of zero


@torch.no_grad()
def set_gains(model: BertForSequenceClassification, gains: dict[str, float]) -> None:
    """Multiply each task's logits, which says how sure it is and changes no answer; config.gains remembers by how much.

    Training goes on from gains of 1, where the last map says what a token speaks for in the lexicon's units.
    """
    before = getattr(model.config, "gains", {})
    for task, gain in gains.items():
        for parameter in model.classifier.parameters():
            parameter[columns(task)] *= gain / before.get(task, 1.0)
    model.config.gains = before | gains

"""A BERT read block by block: exact, nothing wider than a block of queries, at any length.

A layer needs the keys and values of all tokens, but its queries, its feed-forward part and its output only a block
at a time, and the output may take the input's place. So three tensors (1, n, d) are all that grows with the text:
1.2 GB at 262,144 tokens × 384 in fp32, where the feed-forward part of the usual pass alone wants 1.6 GB twice.
A classifier answers from its first token: the last layer asks for that one query.

`gradients` walks back the same way: each layer's input is kept, its inside computed again block by block.

Try first: `for share, logits in read(model, ids): …`; logits are None until the last.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shared.attention import attention
from shared.experiment import InputError
from shared.random_features import Features
from spaces.long_document.positions import find_positions

if TYPE_CHECKING:  # building the page loads no model code
    from transformers import PreTrainedConfig, PreTrainedModel

BLOCK_SCORES = 2**29  # queries × keys of a block
FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert", "electra")  # each is compared with its usual pass in tests
SQUARE = 1024  # tokens that families with n × n scores of their own take: 12 layers' scores are 1.8 GB in autograd
AUTOGRAD = 4096  # tokens whose gradient goes through autograd as a whole: every layer's inside is kept
SMALLEST, LARGEST = 2048, 4096  # queries a block: torch packs the keys anew for each, 512 take 18 % longer


@dataclass(frozen=True)
class Trunk:
    """The parts of a BERT-like classifier that a blockwise pass walks through."""

    model: PreTrainedModel
    embeddings: nn.Module
    layers: list[nn.Module]
    first_position: int

    def embed(self, ids: Tensor, start: int = 0) -> Tensor:
        """ids (1, C), their place in the text → (1, C, d)."""
        places = torch.arange(start, start + ids.shape[1], device=ids.device)[None] + self.first_position
        kinds = torch.zeros_like(ids)
        hidden = self.embeddings(input_ids=ids, position_ids=places, token_type_ids=kinds)
        project = getattr(self.model.base_model, "embeddings_project", None)  # ELECTRA's small ones
        return hidden if project is None else project(hidden)

    def head(self, first: Tensor) -> Tensor:
        """The first token (1, 1, d) of the last layer → logits (1, labels)."""
        pooler = getattr(self.model.base_model, "pooler", None)
        if pooler is None:
            return self.model.classifier(first)
        return self.model.classifier(self.model.dropout(pooler(first)))


def trunk_of(model: PreTrainedModel) -> Trunk | None:
    """The parts, or None for a family that is not one of FAMILIES: what looks like BERT may normalise elsewhere."""
    if model.config.model_type not in FAMILIES or not hasattr(model, "classifier"):
        return None
    base = model.base_model
    return Trunk(model, base.embeddings, list(base.encoder.layer), find_positions(model)[2])


def block_size(length: int) -> int:
    """Queries a block: fewer, the longer the text, so that a visitor sees the progress and can stop."""
    return min(LARGEST, max(SMALLEST, BLOCK_SCORES // max(1, length)))


def heads(x: Tensor, layer: nn.Module) -> Tensor:
    """(1, C, H·D) → (1, H, C, D)."""
    inner = layer.attention.self
    return x.view(*x.shape[:2], inner.num_attention_heads, -1).transpose(1, 2)


def keys_values(layer: nn.Module, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """k, v (1, H, n, D) of hidden (1, n, d)."""
    inner = layer.attention.self
    return heads(inner.key(hidden), layer), heads(inner.value(hidden), layer)


def finish(layer: nn.Module, mixed: Tensor, hidden: Tensor) -> Tensor:
    """A block's attention output (1, H, C, D) and its input (1, C, d) → the layer's output (1, C, d)."""
    mixed = mixed.transpose(1, 2).flatten(2).to(hidden.dtype)
    return layer.feed_forward_chunk(layer.attention.output(mixed, hidden))


def mix(layer: nn.Module, hidden: Tensor, k: Tensor, v: Tensor, backend: str) -> Tensor:
    """Queries of hidden (1, C, d) against all keys → (1, H, C, D); Performer's features are the model's own."""
    inner = layer.attention.self
    features = _features(inner.config) if backend == "performer" else None
    query = heads(inner.query(hidden), layer)
    return attention(query, k, v, scale=inner.scaling, backend=backend, features=features)


def _features(config: PreTrainedConfig) -> Features:
    try:
        return Features(**(getattr(config, "performer_features", None) or {}))
    except TypeError:  # a stranger's configuration
        zh = "的 performer_features 看不懂。"
        raise InputError("model", zh, "has performer_features that are not understood.") from None


def ask(layer: nn.Module, hidden: Tensor, k: Tensor, v: Tensor, backend: str) -> Tensor:
    """A block of queries (1, C, d) against all keys → the layer's output (1, C, d)."""
    return finish(layer, mix(layer, hidden, k, v, backend), hidden)


@torch.inference_mode()
def read(model: PreTrainedModel, ids: Tensor, backend: str = "auto") -> Iterator[tuple[float, Tensor | None]]:
    """(share done, None) after each block, at last (1.0, float32 logits (labels,)); ids (1, n), no padding.

    backend: of shared.attention; "auto" is exact, "performer" and "taylor" take the place of its softmax.
    Families that are not BERT's are read in one pass, exactly. InputError where that cannot be, or not so long.
    """
    trunk = trunk_of(model)
    ids = ids.to(model.device)
    if trunk is None:
        _check_one_pass(model, ids.shape[1], backend)
        yield 1.0, model(ids).logits[0].float().cpu()
        return
    for share, first in walk(trunk, ids, backend):
        yield share, None if first is None else trunk.head(first)[0].float().cpu()


@torch.inference_mode()
def walk(trunk: Trunk, ids: Tensor, backend: str = "auto") -> Iterator[tuple[float, Tensor | None]]:
    """(share done, None) after each block, at last (1.0, the first token (1, 1, d) of the last layer); ids (1, n)."""
    model, length, size = trunk.model, ids.shape[1], block_size(ids.shape[1])
    hidden = torch.empty(1, length, model.config.hidden_size, dtype=model.dtype, device=model.device)
    for start in range(0, length, size):
        hidden[:, start : start + size] = trunk.embed(ids[:, start : start + size], start)
    whole, last = max(1, len(trunk.layers) - 1), trunk.layers[-1]
    for number, layer in enumerate(trunk.layers[:-1]):
        for share in _advance(layer, hidden, size, backend):
            yield (number + share) / whole * 0.99, None
    yield 1.0, ask(last, hidden[:, :1], *keys_values(last, hidden), backend)


def _advance(layer: nn.Module, hidden: Tensor, size: int, backend: str) -> Iterator[float]:
    """hidden (1, n, d) through one layer, in place; the share of it that is done."""
    k, v = keys_values(layer, hidden)
    length = hidden.shape[1]
    mixed = None
    if backend in ("performer", "taylor"):  # linear in n: the keys are summed once, not once for each block
        mixed = mix(layer, hidden, k, v, backend)
        del k, v
        yield 0.5
    for start in range(0, length, size):
        block = slice(start, min(start + size, length))
        if mixed is None:
            hidden[:, block] = ask(layer, hidden[:, block], k, v, backend)
        else:
            hidden[:, block] = finish(layer, mixed[:, :, block], hidden[:, block])
        yield block.stop / length if mixed is None else 0.5 + 0.5 * block.stop / length


def _check_one_pass(model: PreTrainedModel, length: int, backend: str = "auto") -> None:
    """InputError where a family that is read in one pass has no such attention, or would make large n × n tensors."""
    kind = type(model).__name__
    if backend != "auto":
        raise InputError("readings", f"{kind} 不能换成 {backend}。", f"{backend} cannot be put into {kind}.")
    if not model._supports_attention_backend and length > SQUARE:
        zh = f"{kind} 的注意力要 n × n 内存，一次最多读 {SQUARE:,} 个词元，这里有 {length:,} 个；可用滑动窗口。"
        en = f"{kind} makes n × n tensors: it reads {SQUARE:,} tokens at once, not {length:,}; slide a window."
        raise InputError("model", zh, en)


def outcome(steps: Iterator[tuple[float, Any]], done: int = 0, total: int = 1) -> Generator[tuple[float, None]]:
    """The last value of (share done, value) …; on the way its shares, as of one in `total` runs after `done` others."""
    for step in steps:
        yield (done + step[0]) / total, None
    return step[1]


def gradients(
    model: PreTrainedModel, ids: Tensor, label: int, among: slice = slice(None)
) -> Iterator[tuple[float, Tensor | None]]:
    """(share done, None) after each block, at last (1.0, (n,)): each token's part in log p(label).

    It is gradient · (embedding − mean embedding), a signed first-order effect. p is a softmax over the outputs in
    `among`; label is a place among all outputs. Memory: one (1, n, d) a layer and eight more. A family that is not
    BERT's goes through autograd as a whole: InputError beyond AUTOGRAD.
    """
    trunk = trunk_of(model)
    ids = ids.to(model.device)
    if trunk is None:
        yield 1.0, _gradients_whole(model, ids, label, among)
        return
    length, size = ids.shape[1], block_size(ids.shape[1])
    blocks = [slice(start, min(start + size, length)) for start in range(0, length, size)]
    for share, inputs in _inputs(trunk, ids, blocks):
        if inputs is None:
            yield 0.3 * share, None
    gradient = _backward_head(trunk, inputs.pop(), label, among)
    for number, layer in enumerate(reversed(trunk.layers[:-1])):
        for share, found in _backward_layer(layer, inputs.pop(), gradient, blocks):
            if found is not None:
                gradient = found
            yield 0.3 + 0.69 * (number + share) / max(1, len(trunk.layers) - 1), None
    yield 1.0, _attribution(gradient, _embedded(trunk, ids, blocks))


@torch.no_grad()
def _embedded(trunk: Trunk, ids: Tensor, blocks: list[slice]) -> Tensor:
    return torch.cat([trunk.embed(ids[:, b], b.start) for b in blocks], 1)


@torch.no_grad()  # around each step of a generator; a `with` across a yield would stay in a thread that others use
def _inputs(trunk: Trunk, ids: Tensor, blocks: list[slice]) -> Iterator[tuple[float, list[Tensor] | None]]:
    """(share done, None) after each block, at last (1.0, the input (1, n, d) of each layer)."""
    inputs = [_embedded(trunk, ids, blocks)]
    for number, layer in enumerate(trunk.layers[:-1]):
        inputs.append(inputs[-1].clone())
        for share in _advance(layer, inputs[-1], blocks[0].stop, "auto"):
            yield (number + share) / len(trunk.layers), None
    yield 1.0, inputs


def _attribution(gradient: Tensor, embedded: Tensor) -> Tensor:
    """(n,) float32 from gradient and embeddings (1, n, d)."""
    gradient, embedded = gradient[0].float(), embedded[0].float()
    return (gradient * (embedded - embedded.mean(0))).sum(-1).cpu()


def _log_p(logits: Tensor, label: int, among: slice) -> Tensor:
    chosen = logits[0].float()[among].log_softmax(-1)
    return chosen[label - (among.start or 0)]


def _backward_head(trunk: Trunk, hidden: Tensor, label: int, among: slice) -> Tensor:
    """∂ log p / ∂ the last layer's input (1, n, d): its one query needs no blocks."""
    with torch.enable_grad():
        hidden = hidden.detach().requires_grad_()
        last = trunk.layers[-1]
        first = ask(last, hidden[:, :1], *keys_values(last, hidden), "auto")
        return torch.autograd.grad(_log_p(trunk.head(first), label, among), hidden)[0]


def _backward_layer(
    layer: nn.Module, hidden: Tensor, gradient: Tensor, blocks: list[slice]
) -> Iterator[tuple[float, Tensor | None]]:
    """(share, None) a block, at last (1.0, ∂/∂hidden (1, n, d)) from ∂/∂output: the inside is computed again."""
    with torch.no_grad():
        k, v = (x.contiguous() for x in keys_values(layer, hidden))
    k_gradient, v_gradient, below = torch.zeros_like(k), torch.zeros_like(v), torch.zeros_like(hidden)
    for number, block in enumerate(blocks):
        with torch.enable_grad():
            leaves = [x.detach().requires_grad_() for x in (hidden[:, block], k, v)]
            out = ask(layer, *leaves, "auto")
            parts = torch.autograd.grad(out, leaves, gradient[:, block])
        below[:, block] += parts[0]
        k_gradient += parts[1]
        v_gradient += parts[2]
        yield (number + 1) / (len(blocks) + 1), None
    for block in blocks:
        with torch.enable_grad():
            leaf = hidden[:, block].detach().requires_grad_()
            pair = keys_values(layer, leaf)
            wanted = (k_gradient[:, :, block], v_gradient[:, :, block])
            below[:, block] += torch.autograd.grad(pair, leaf, wanted)[0]
    yield 1.0, below


def _gradients_whole(model: PreTrainedModel, ids: Tensor, label: int, among: slice) -> Tensor:
    _check_one_pass(model, ids.shape[1])
    if ids.shape[1] > AUTOGRAD:
        kind, length = type(model).__name__, ids.shape[1]
        zh = f"{kind} 的梯度最多算 {AUTOGRAD:,} 个词元，这里有 {length:,} 个；可用遮挡。"
        raise InputError("way", zh, f"{kind}'s gradient takes {AUTOGRAD:,} tokens, not {length:,}: use occlusion.")
    with torch.enable_grad():
        embedded = model.get_input_embeddings()(ids).detach().requires_grad_()
        value = _log_p(model(inputs_embeds=embedded).logits, label, among)
        return _attribution(torch.autograd.grad(value, embedded)[0], embedded.detach())

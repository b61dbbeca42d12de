"""Our decoding loop: GPT-2's weights, a preallocated KV cache of one tensor a layer, one SDPA call for one query.

transformers' `generate` spends more time between the layers than a small model spends in them. Here a token is eight
calls a layer; what bounds it is reading every weight once (benchmarks/decode.py). Greedy tokens are `generate`'s.

    decoder = Decoder(model)
    cache = decoder.cache()
    logits = decoder.read([7, 12, 99], cache)     # (1, V): a prompt; again with more ids, only those are computed
    logits = decoder.step([5], [cache])           # (B, V): the next token of each of B sequences, weights read once

Several sequences share one reading of the weights but not a length: each has its own cache. The layout is a setting
(spaces/chat/layout.py): what GPT2_ML does otherwise is one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
import torch.nn.functional as F

from shared.attention import attention
from spaces.chat import products
from spaces.chat.pace import Pace, blas_threads
from spaces.chat.products import Dense

if TYPE_CHECKING:  # building the page loads no model code
    from transformers import GPT2LMHeadModel

LAYOUTS = ("gpt2", "gpt2_ml", "no_final_norm")


class Memory(Protocol):
    """What an engine remembers of one sequence."""

    ids: list[int]

    def keep(self, length: int) -> None: ...


class Engine(Protocol):
    """A causal language model that reads prompts and steps; batching, choices, shots stand on this alone."""

    context: int
    vocabulary: int
    cache_bytes: int
    extra_bytes: int
    """Of weights that it holds beside the model's own."""
    pace: Pace | None

    def cache(self) -> Memory: ...

    def read(self, ids: Sequence[int], cache: Memory, last: int = 1) -> torch.Tensor: ...

    def step(self, tokens: Sequence[int], caches: Sequence[Memory]) -> torch.Tensor: ...


def shared_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many ids at the beginning of two sequences are the same."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


class Cache:
    """Keys and values of one sequence, a tensor (2, 1, H, context, D) for each layer, and the ids they belong to.

    Memory that no token has reached yet is not touched: a short conversation costs little.
    """

    def __init__(self, layers: int, heads: int, context: int, width: int, like: torch.Tensor):
        shape = (2, 1, heads, context, width)
        self.layers = [torch.empty(shape, dtype=like.dtype, device=like.device) for _ in range(layers)]
        self.ids: list[int] = []

    def keep(self, length: int) -> None:
        """Forget what comes after the first `length` ids."""
        del self.ids[length:]


class Layer(NamedTuple):
    """One block's weights; norms are (weight, bias)."""

    norm1: tuple[torch.Tensor, torch.Tensor]
    qkv: Dense
    out: Dense
    norm2: tuple[torch.Tensor, torch.Tensor]
    up: Dense
    down: Dense


class Decoder:
    """A GPT2LMHeadModel as a loop over its weights."""

    def __init__(
        self,
        model: GPT2LMHeadModel,
        layout: str = "gpt2",
        dense: Callable[..., Dense] | None = None,
        dtype: torch.dtype | None = None,
        parameter: Callable[[str], torch.Tensor] | None = None,
    ):
        """`dense` makes a product of a weight (in, out) and a bias: products.py, int8.py; dtype is the model's.

        `parameter` gives a weight by transformers' name, each once and in order: the model's own, or read from a file.
        """
        config, get = model.config, parameter or model.get_parameter
        self.layout, self.context, self.vocabulary = layout, config.n_positions, config.vocab_size
        self.width, self.heads, self.eps = config.n_embd, config.n_head, config.layer_norm_epsilon
        name = config.activation_function
        # The same function as one kernel instead of eight.
        self.activation = (lambda x: F.gelu(x, approximate="tanh")) if name == "gelu_new" else _activation(name)
        dtype = dtype or model.dtype
        dense = dense or products.suited(model, dtype)

        def both(name: str) -> tuple[torch.Tensor, torch.Tensor]:
            weight, bias = (get(f"transformer.{name}.{part}").detach().to(dtype) for part in ("weight", "bias"))
            return weight, bias

        self.tokens, self.positions = (get(f"transformer.{name}.weight").detach().to(dtype) for name in ("wte", "wpe"))
        self.layers = [
            Layer(
                both(f"h.{i}.ln_1"),
                dense(*both(f"h.{i}.attn.c_attn")),
                dense(*both(f"h.{i}.attn.c_proj")),
                both(f"h.{i}.ln_2"),
                dense(*both(f"h.{i}.mlp.c_fc")),
                dense(*both(f"h.{i}.mlp.c_proj")),
            )
            for i in range(config.n_layer)
        ]
        self.final = both("ln_f")
        head = (self.tokens if config.tie_word_embeddings else get("lm_head.weight").detach().to(dtype)).t()
        # The threads that a step's products use, for whoever runs many steps.
        self.pace = Pace(blas_threads) if model.device.type == "cpu" else None
        self.head = dense(head, torch.zeros(head.shape[1], dtype=head.dtype, device=head.device))
        shared = self.tokens.data_ptr() == model.transformer.wte.weight.data_ptr()
        tables = 0 if shared else self.tokens.nbytes + self.positions.nbytes
        made = [self.head, *(one for layer in self.layers for one in (layer.qkv, layer.out, layer.up, layer.down))]
        self.extra_bytes = sum(one.extra for one in made) + tables  # copied weights; the norms are too few to count

    @property
    def cache_bytes(self) -> int:
        """Bytes of one full cache."""
        return 2 * len(self.layers) * self.context * self.width * self.tokens.element_size()

    def cache(self) -> Cache:
        """An empty cache for one sequence."""
        return Cache(len(self.layers), self.heads, self.context, self.width // self.heads, self.tokens)

    @torch.inference_mode()
    def read(self, ids: Sequence[int], cache: Cache, last: int = 1) -> torch.Tensor:
        """Logits (last, V) after each of the last ids, on the CPU in float32.

        What the cache holds of them is not computed again, what it holds beyond or otherwise is forgotten.
        """
        start = min(shared_prefix(ids, cache.ids), len(ids) - last)
        cache.keep(start)
        new = torch.tensor(ids[start:], device=self.tokens.device)
        x = self.tokens[new] + self.positions[start : len(ids)]  # (L, D)
        x = self._blocks(x, lambda i, qkv: self._attend(cache.layers[i], qkv, start))
        cache.ids += ids[start:]
        return self.head(x[-last:]).float().cpu()

    @torch.inference_mode()
    def step(self, tokens: Sequence[int], caches: Sequence[Cache]) -> torch.Tensor:
        """Logits (B, V) after one more token in each of B sequences, on the CPU in float32."""
        device = self.tokens.device
        places = [len(cache.ids) for cache in caches]
        x = self.tokens[torch.tensor(tokens, device=device)] + self.positions[torch.tensor(places, device=device)]

        def attend(i: int, qkv: torch.Tensor) -> torch.Tensor:
            rows = [
                self._attend_one(cache.layers[i], row, place)
                for row, cache, place in zip(qkv, caches, places, strict=True)
            ]
            return rows[0] if len(rows) == 1 else torch.cat(rows)

        x = self._blocks(x, attend)
        for cache, token in zip(caches, tokens, strict=True):
            cache.ids.append(token)
        return self.head(x).float().cpu()

    def _blocks(self, x: torch.Tensor, attend: Callable[[int, torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Hidden states before the output matrix; attend(i, qkv (L, 3D)) → (L, D) uses and fills layer i's cache."""
        for i, layer in enumerate(self.layers):
            normed = self._normed(x, layer.norm1)
            if self.layout == "gpt2_ml":
                x = normed  # the stream itself is normalised, not only what the attention sees
            x = x + layer.out(attend(i, layer.qkv(normed)))
            x = x + layer.down(self.activation(layer.up(self._normed(x, layer.norm2))))
        return x if self.layout == "no_final_norm" else self._normed(x, self.final)

    def _normed(self, x: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return F.layer_norm(x, (self.width,), *norm, self.eps)

    def _attend_one(self, kv: torch.Tensor, qkv: torch.Tensor, place: int) -> torch.Tensor:
        """One query (3D,) over its own sequence: all keys are earlier ones, so no mask; (1, D)."""
        q, k, v = qkv.view(3, 1, self.heads, 1, -1)
        kv[0, :, :, place : place + 1], kv[1, :, :, place : place + 1] = k, v
        seen = kv[:, :, :, : place + 1]
        return attention(q, seen[0], seen[1]).view(1, -1)

    def _attend(self, kv: torch.Tensor, qkv: torch.Tensor, start: int) -> torch.Tensor:
        """L queries (L, 3D) that follow `start` cached ones; (L, D)."""
        end = start + len(qkv)
        q, k, v = qkv.view(len(qkv), 3, 1, self.heads, -1).permute(1, 2, 3, 0, 4)  # (3, 1, H, L, D/H)
        kv[0, :, :, start:end], kv[1, :, :, start:end] = k, v
        out = attention(q, kv[0, :, :, :end], kv[1, :, :, :end], is_causal=True)
        return out[0].transpose(0, 1).reshape(len(qkv), -1)


def _activation(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    from transformers.activations import ACT2FN

    return ACT2FN[name]


def readable(model: torch.nn.Module) -> bool:
    """Whether this loop computes what the model does: GPT-2 without the rarer settings, and not spread over devices."""
    from transformers import GPT2LMHeadModel

    config = model.config
    return (
        isinstance(model, GPT2LMHeadModel)
        and not hasattr(model, "hf_device_map")
        and config.scale_attn_weights
        and not config.scale_attn_by_inverse_layer_idx
        and not config.add_cross_attention
    )

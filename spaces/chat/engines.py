"""Which engine answers: our loop for GPT-2's layout, in full precision or int8; for any other, transformers' forward.

speaker = Speaker.of(load("", embedded=WEIGHTS), "full")      # shared.models
speaker.engine, speaker.tokenizer, speaker.batch              # one for all visitors of a model
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from transformers import DynamicCache

from shared.experiment import InputError, choice
from spaces.chat.batching import Batch
from spaces.chat.decode import Decoder, Engine, readable, shared_prefix
from spaces.chat.int8 import Int8Decoder
from spaces.chat.ngrams import NGrams, WithCounts
from spaces.chat.stream import Tokenizer
from spaces.chat.tokenizer import FILE_NAMES, CpmTokenizer

PRECISIONS = ("full", "int8")
LONGEST = 4096  # tokens of context, of models that promise more


class _ForeignCache:
    """transformers' own cache, and the ids it belongs to."""

    def __init__(self, config: Any):
        self.config = config
        self.ids: list[int] = []
        self.past = DynamicCache(config=config)

    def keep(self, length: int) -> None:
        """Forget what comes after the first `length` ids; a cache that cannot be cut begins anew."""
        if length == len(self.ids):
            return
        if all(type(layer).__name__ == "DynamicLayer" for layer in self.past.layers) and length:
            self.past.crop(length - len(self.ids))
            del self.ids[length:]
        else:
            self.ids, self.past = [], DynamicCache(config=self.config)


class Foreign:
    """Any causal model of transformers behind the seam of decode.py, one sequence after the other."""

    pace = None
    extra_bytes = 0

    def __init__(self, model: torch.nn.Module):
        config = model.config.get_text_config()
        self.model, self.config = model, config
        self.context = min(LONGEST, getattr(config, "max_position_embeddings", None) or LONGEST)
        self.vocabulary = config.vocab_size
        heads = getattr(config, "num_attention_heads", None)
        if not isinstance(heads, int):
            zh, en = "没有注意力头，它的记忆不是键和值。", "has no attention heads: its memory is not keys and values."
            raise InputError("model", zh, en)
        keys = getattr(config, "num_key_value_heads", None) or heads
        width = (getattr(config, "head_dim", None) or config.hidden_size // heads) * keys
        self.cache_bytes = 2 * config.num_hidden_layers * width * self.context * model.dtype.itemsize

    def cache(self) -> _ForeignCache:
        """An empty cache for one sequence."""
        return _ForeignCache(self.config)

    @torch.inference_mode()
    def read(self, ids: Sequence[int], cache: _ForeignCache, last: int = 1) -> torch.Tensor:
        """Logits (last, V) after each of the last ids, on the CPU in float32."""
        cache.keep(min(shared_prefix(ids, cache.ids), len(ids) - last))
        new = list(ids[len(cache.ids) :])
        tokens = torch.tensor([new], device=self.model.device)
        out = self.model(input_ids=tokens, past_key_values=cache.past, use_cache=True)
        cache.past = out.past_key_values
        cache.ids += new
        return out.logits[0, -last:].float().cpu()

    def step(self, tokens: Sequence[int], caches: Sequence[_ForeignCache]) -> torch.Tensor:
        """Logits (B, V) after one more token in each of B sequences."""
        rows = [self.read([*cache.ids, token], cache) for token, cache in zip(tokens, caches, strict=True)]
        return torch.cat(rows)


class HubTokenizer:
    """A tokeniser of transformers as the chat uses one."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        self.eod_id = -1 if tokenizer.eos_token_id is None else tokenizer.eos_token_id
        self.start = tuple(tokenizer("")["input_ids"])

    def encode(self, text: str) -> list[int]:
        """Ids of a text, no special tokens added."""
        try:
            return self.tokenizer.encode(text, add_special_tokens=False)
        except (UnicodeEncodeError, TypeError):
            zh, en = (
                "文本含有半个代理对，不是合法的 Unicode。",
                "the text holds half a surrogate pair: not valid Unicode.",
            )
            raise InputError("text", zh, en) from None

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids without special tokens."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)


@dataclass(eq=False)
class Speaker:
    """A model that talks: engine and tokeniser, what its texts begin with, and the answers under way."""

    engine: Engine
    tokenizer: Tokenizer
    start: tuple[int, ...] = ()

    @cached_property
    def batch(self) -> Batch:
        return Batch(self.engine)

    @classmethod
    def of(cls, loaded: Any, precision: str = "full", counted: bool = True) -> Speaker:
        """The speaker of a `shared.models.Loaded`, made once for all visitors; counted: with ngrams.py's, if any."""
        choice("precision", precision, PRECISIONS)
        with _lock:
            made = loaded.model.__dict__.setdefault("_speakers", {})  # they go when the model goes
            if (precision, counted) not in made:
                tokenizer, start = _tokenizer(loaded)
                engine = _engine(loaded.model, precision)
                if counted and (ngrams := _ngrams(loaded)):
                    engine = WithCounts(engine, ngrams)
                made[precision, counted] = cls(engine, tokenizer, start)
            return made[precision, counted]


_lock = threading.Lock()


def _engine(model: torch.nn.Module, precision: str) -> Engine:
    if precision == "int8" and (not readable(model) or model.device.type != "cpu"):
        zh, en = "int8 只用于 CPU 上 GPT-2 布局的模型。", "int8 is for models in GPT-2's layout on the CPU."
        raise InputError("precision", zh, en)
    if not readable(model):
        return Foreign(model)
    return Int8Decoder(model) if precision == "int8" else Decoder(model)


def _ngrams(loaded: Any) -> NGrams | None:
    """The counts beside a network, one for all its engines."""
    kept = loaded.model.__dict__
    if "_ngrams" not in kept:
        kept["_ngrams"] = NGrams.beside(loaded.folder) if readable(loaded.model) else None
    return kept["_ngrams"]


def _tokenizer(loaded: Any) -> tuple[Tokenizer, tuple[int, ...]]:
    """CPM's recipe where the folder has a SentencePiece file of a GPT-2, texts beginning with <eod>; else its own."""
    if readable(loaded.model) and any((loaded.folder / name).is_file() for name in FILE_NAMES):
        tokenizer = CpmTokenizer(loaded.folder)
        return tokenizer, (tokenizer.eod_id,)
    if loaded.tokenizer is None:
        raise InputError("model", "文件夹里没有分词器。", "has no tokeniser in its folder.")
    tokenizer = HubTokenizer(loaded.tokenizer)
    return tokenizer, tokenizer.start

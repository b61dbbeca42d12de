"""Which engine answers: our loop for GPT-2's layout, in full precision or int8; for any other, transformers' forward.

speaker = Speaker.of(load(""))                                # or load("TsinghuaAI/CPM-Generate", "int8")
speaker.engine, speaker.tokenizer, speaker.batch              # one for all visitors of a model
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch

from shared import accelerator, models
from shared.checkpoint import TooBig
from shared.experiment import InputError, choice
from spaces.chat import int8
from spaces.chat.batching import Batch
from spaces.chat.decode import Decoder, Engine, readable, shared_prefix
from spaces.chat.model import WEIGHTS
from spaces.chat.ngrams import NGrams, WithCounts
from spaces.chat.stream import Tokenizer
from spaces.chat.tokenizer import FILE_NAMES, CpmTokenizer

PRECISIONS = ("full", "int8", "spread")
LONGEST = 4096  # tokens of context, of models that promise more


class _ForeignCache:
    """transformers' own cache, and the ids it belongs to."""

    def __init__(self, config: Any):
        self.config = config
        self._begin()

    def _begin(self) -> None:
        from transformers import DynamicCache

        self.ids: list[int] = []
        self.past = DynamicCache(config=self.config)

    def keep(self, length: int) -> None:
        """Forget what comes after the first `length` ids; a cache that cannot be cut begins anew."""
        if length == len(self.ids):
            return
        if all(type(layer).__name__ == "DynamicLayer" for layer in self.past.layers) and length:
            self.past.crop(length - len(self.ids))
            del self.ids[length:]
        else:
            self._begin()


class Foreign:
    """Any causal model of transformers behind the seam of decode.py, one sequence after the other."""

    pace = None
    extra_bytes = 0

    def __init__(self, model: torch.nn.Module):
        config = model.config.get_text_config()
        self.model, self.config = model, config
        # Spread, the model itself moves what it is given to where the next layer is.
        self.device = "cpu" if hasattr(model, "hf_device_map") else model.device
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
        tokens = torch.tensor([new], device=self.device)
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
    def of(cls, loaded: Any, counted: bool = True) -> Speaker:
        """The speaker of a `shared.models.Loaded`, made once for all visitors; counted: with ngrams.py's, if any."""
        kept = loaded.model.__dict__
        with kept.setdefault("_making", threading.Lock()):  # whoever talks to another model does not wait
            made = kept.setdefault("_speakers", {})  # they go when the model goes
            if counted not in made:
                tokenizer, start = _tokenizer(loaded)
                engine = _engine(loaded.model)
                if counted and (ngrams := _ngrams(loaded.folder)):
                    engine = WithCounts(engine, ngrams)  # refuses those of another vocabulary
                made[counted] = cls(engine, tokenizer, start)
            return made[counted]


_lock = threading.Lock()
_counts: WeakValueDictionary[Path, NGrams] = WeakValueDictionary()  # one for all engines of a network


def load(name: str, precision: str = "full", progress: models.Progress | None = None) -> models.Loaded:
    """A model for `Speaker.of`; the embedded one has no name. InputError where it cannot be had, or not so."""
    choice("precision", precision, PRECISIONS)
    how: dict[str, Any] = {"embedded": WEIGHTS, "progress": progress}
    cpu = accelerator.home().type == "cpu"
    if precision == "int8" and not cpu:
        raise int8.refusal()
    try:
        if precision == "int8":
            return models.load(name, int8.Int8GPT2, dtype=torch.int8, **how)
        return models.load(name, spread=precision == "spread", **how)
    except TooBig as error:
        less = cpu and precision == "full"
        zh = f"{error.zh}“续写”“问答”的“精度”里可以{'改选更小的 int8，或' if less else ''}摊开到显卡、内存和硬盘。"
        way = "int8 takes less, and spread" if less else "spread"
        en = f"{error.en} Under “precision” in Continue and Chat, {way} lays it over GPUs, memory and disk."
        raise InputError("model", zh, en) from None


def _engine(model: torch.nn.Module) -> Engine:
    if isinstance(model, int8.Int8GPT2):
        return model.decoder
    return Decoder(model) if readable(model) else Foreign(model)


def _ngrams(folder: Path) -> NGrams | None:
    """The counts beside a network."""
    with _lock:
        ngrams = _counts.get(folder) or NGrams.beside(folder)
        if ngrams:
            _counts[folder] = ngrams
        return ngrams


def _tokenizer(loaded: Any) -> tuple[Tokenizer, tuple[int, ...]]:
    """CPM's recipe where the folder has a SentencePiece file of a GPT-2, texts beginning with <eod>; else its own."""
    if loaded.model.config.model_type == "gpt2" and any((loaded.folder / name).is_file() for name in FILE_NAMES):
        tokenizer = CpmTokenizer(loaded.folder)
        return tokenizer, (tokenizer.eod_id,)
    tokenizer = HubTokenizer(loaded.tokenizer)
    return tokenizer, tokenizer.start

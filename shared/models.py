"""Models by name, loaded once: whoever asks second waits for the first, and the longest unused makes room.

    loaded = load("", embedded=Path("spaces/chat/weights"))      # the project's own
    loaded = load("openai-community/gpt2", progress=show)        # from the hub, with a progress
    loaded.model, loaded.tokenizer, loaded.label()               # and which model it is that answers

Weights wait in `accelerator.home()`; inside `accelerator.run` a method says
`loaded.model.to(accelerator.device())`, which moves something on ZeroGPU only. The model is shared by all
visitors: read it, never train it.
"""

import gc
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from shared import accelerator, checkpoint
from shared.checkpoint import Checkpoint, TooBig, refusal
from shared.experiment import InputError

Progress = Callable[[float, str, str], None]  # (fraction from 0 to 1, sentence in Chinese, in English)
SAFE = {"local_files_only": True, "trust_remote_code": False}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json")
SOURCES = {
    "embedded": ("内置模型", "embedded model"),
    "hub": ("Hugging Face 模型", "hub model"),
    "folder": ("本机模型", "local model"),
}
NOT_USED_FOR_ANSWERS = ("pooler.",)  # heads that checkpoints often lack and no tab reads


@dataclass(frozen=True)
class Loaded:
    """A model ready to answer, and what to say about it."""

    model: Any
    name: str
    source: str  # "embedded", "hub" or "folder"
    folder: Path
    parameters: int
    bytes: int
    dtype: torch.dtype

    @cached_property
    def tokenizer(self) -> Any:
        """The folder's tokeniser, as transformers reads it; InputError where there is none, or one it cannot read."""
        import transformers

        if not any((self.folder / file).is_file() for file in TOKENIZER_FILES):
            raise refusal("文件夹里没有分词器，不能读文本。", "has no tokeniser in its folder: it cannot read texts.")
        try:
            return transformers.AutoTokenizer.from_pretrained(self.folder, **SAFE)
        except Exception as error:  # whatever a stranger's files make transformers say
            raise _unreadable(error, "AutoTokenizer") from error

    def label(self) -> tuple[str, str]:
        """Which model answered, in Chinese and in English."""
        zh, en = SOURCES[self.source]
        scale, unit = next(step for step in ((1e9, "B"), (1e6, "M"), (1, "")) if self.parameters >= step[0])
        size, kind = f"{self.parameters / scale:.4g} {unit}".strip(), str(self.dtype).removeprefix("torch.")
        return f"{zh} {self.name} · {size} 参数 · {kind}", f"{en} {self.name} · {size} parameters · {kind}"


class Shelf:
    """Loaded models, the longest unused first, within `limit` bytes; and the loads under way."""

    def __init__(self, limit: int | None = None):
        self._limit = limit
        self._ready: OrderedDict[tuple, Loaded] = OrderedDict()
        self._reset()

    def _reset(self) -> None:
        # Also in a fork (ZeroGPU): there the loading threads are gone and would be waited for in vain.
        self._lock = threading.Condition()
        self._under_way: dict[tuple, _Load] = {}
        self._reserved: dict[tuple, int] = {}

    @property
    def limit(self) -> int:
        """Bytes: MODELS_MEMORY, or half of the memory in which weights wait."""
        return self._limit or int(float(os.getenv("MODELS_MEMORY", 0))) or accelerator.memory() // 2

    def names(self) -> list[str]:
        """The models on the shelf, the longest unused first."""
        return [loaded.name for loaded in self._ready.values()]

    def load(
        self,
        name: str = "",
        kind: str | type = "AutoModelForCausalLM",
        *,
        embedded: Path | None = None,
        attention: str = "xformers",
        dtype: torch.dtype | None = None,
        spread: bool = False,
        progress: Progress | None = None,
    ) -> Loaded:
        """The model called `name` (empty: the embedded one), read into `kind`: one of transformers' classes, or ours.

        `dtype` defaults to the device's. Spread, a model may be larger than the limit: accelerate lays its layers over
        GPUs, memory up to the limit, and disk. Whatever is wrong with the model is one InputError "model".
        """
        import transformers

        kind = getattr(transformers, kind) if isinstance(kind, str) else kind
        key = (checkpoint.find(name, embedded), kind, attention, dtype or accelerator.dtype(), spread)
        with self._lock:
            if key in self._ready:
                self._ready.move_to_end(key)
                return self._ready[key]
            load = self._under_way.get(key)
            if load is None:
                load = self._under_way[key] = _Load(partial(self._bring, key), partial(self._done, key))
        return load.wait(progress)

    def _done(self, key: tuple, loaded: Loaded | None) -> None:
        with self._lock:
            self._under_way.pop(key, None)
            self._reserved.pop(key, None)
            if loaded:
                self._ready[key] = loaded
            self._lock.notify_all()

    def _bring(self, key: tuple, report: Progress) -> Loaded:
        wanted, kind, attention, dtype, spread = key
        folder = wanted.folder or _from_hub(wanted.name, dtype, math.inf if spread else self.limit, report)
        needed = checkpoint.bytes_needed(folder, dtype)
        if hasattr(kind, "bytes_needed"):  # one of our own, which keeps its weights otherwise
            needed = kind.bytes_needed(folder)
        self._make_room(key, min(needed, self.limit) if spread else needed)
        report(0.8, f"载入 {wanted.name}", f"Loading {wanted.name}")
        return _read(wanted, folder, kind, attention, dtype, self.limit if spread else None)

    def _make_room(self, key: tuple, needed: int) -> None:
        if needed > self.limit:
            raise TooBig(key[0].name, needed, self.limit)
        with self._lock:
            # for whatever loads just now and leaves no room
            self._lock.wait_for(lambda: sum(self._reserved.values()) + needed <= self.limit)
            self._reserved[key] = needed
            taken = sum(self._reserved.values()) + sum(loaded.bytes for loaded in self._ready.values())
            while taken > self.limit and self._ready:
                taken -= self._ready.popitem(last=False)[1].bytes
        gc.collect()  # modules point at one another in circles
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()


class _Load:
    """One load in its own thread, for however many visitors wait; each hears of it in his own thread."""

    def __init__(self, work: Callable[[Progress], Loaded], done: Callable[[Loaded | None], None]):
        self._news: tuple[float, str, str] | None = None
        self._result: futures.Future[Loaded] = futures.Future()
        threading.Thread(target=self._run, args=(work, done), daemon=True).start()

    def _report(self, *news: Any) -> None:
        self._news = news

    def _run(self, work: Callable[[Progress], Loaded], done: Callable[[Loaded | None], None]) -> None:
        try:
            loaded = work(self._report)
        except BaseException as error:
            done(None)
            self._result.set_exception(error)
        else:
            done(loaded)
            self._result.set_result(loaded)

    def wait(self, progress: Progress | None) -> Loaded:
        told = None
        while not self._result.done():
            if progress and self._news and self._news != told:
                told = self._news
                progress(*told)
            futures.wait([self._result], timeout=0.1)
        return self._result.result()


def _from_hub(name: str, dtype: torch.dtype, most: float, report: Progress) -> Path:
    from shared import hub

    return hub.download(name, dtype, most, lambda fraction, zh, en: report(0.8 * fraction, zh, en))


def _read(
    wanted: Checkpoint, folder: Path, kind: type, attention: str, dtype: torch.dtype, spread: int | None
) -> Loaded:
    """Read a checked folder with transformers: no pickle, no foreign code, no network; spread: bytes of memory."""
    if attention not in ("eager", "sdpa"):
        from shared.attention import register

        register()
    offloaded = TemporaryDirectory(prefix="offloaded-") if spread else None  # for what cannot stay in its own file
    try:
        model, report = kind.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            output_loading_info=True,
            **SAFE,
            **(_spread(spread, offloaded.name) if offloaded else {}),
        )
    except InputError:  # a kind of our own says it itself
        raise
    except Exception as error:  # whatever a stranger's config makes transformers say
        raise _unreadable(error, kind.__name__) from error
    _check_complete(report["missing_keys"], kind.__name__)
    model, size = model.eval(), model.get_memory_footprint()
    if spread:
        model.__dict__["offloaded"], size = offloaded, min(size, spread)  # the folder goes when the model goes
    else:
        model.to(accelerator.home())
    return Loaded(model, wanted.name, wanted.source, folder, model.num_parameters(), size, dtype)


def _spread(memory: int, folder: str) -> dict[str, Any]:
    """What transformers is to hand to accelerate: GPUs as they are, so many bytes of memory, then disk."""
    from accelerate.utils import get_max_memory

    return {"device_map": "auto", "max_memory": get_max_memory() | {"cpu": memory}, "offload_folder": folder}


def _check_complete(missing: set[str], reader: str) -> None:
    """Weights that are not in the files would be random, and answer all the same."""
    needed = sorted(key for key in missing if not any(part in key for part in NOT_USED_FOR_ANSWERS))
    if needed:
        few = ", ".join(needed[:3])
        raise refusal(
            f"权重不全，缺 {len(needed)} 个张量（{few}…），不能当作 {reader}。",
            f"lacks {len(needed)} tensors ({few}…): its weights are not those of a {reader}.",
        )


def _unreadable(error: Exception, reader: str) -> InputError:
    reason = " ".join(str(error).split()).partition(". ")[0][:160] or type(error).__name__
    return refusal(f"不能作为 {reader} 载入：{reason}", f"cannot be read as {reader}: {reason}")


shelf = Shelf()
load = shelf.load
os.register_at_fork(after_in_child=shelf._reset)

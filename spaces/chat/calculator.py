"""What a GPT-2 weighs before it is loaded: parameters, weights and KV cache by dtype, and whether it fits.

The article's CPM: 32 layers × 2,560, 30,000 pieces, 1,024 positions: 2,597,073,920 parameters exactly, 10.4 GB in
float32, 5.2 GB in half precision, 2.6 GB in int8; 327,680 bytes of keys and values for each token in half precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.experiment import InputError, boolean, choice, number

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
LIMITS = {
    "layers": (1, 512),
    "width": (1, 65_536),
    "heads": (1, 1024),
    "vocabulary": (1, 2_000_000),
    "positions": (1, 1_048_576),
}
WORKSPACE = 0.05  # of the weights, for what a step computes and the allocator leaves unused


@dataclass(frozen=True)
class Shape:
    """A GPT-2 by its configuration; the default is CPM-LM. The MLP is four times as wide."""

    layers: int = 32
    width: int = 2560
    heads: int = 32
    vocabulary: int = 30_000
    positions: int = 1024
    tied: bool = True
    """Whether the output matrix is the token table."""

    def __post_init__(self):
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))
        boolean("tied", self.tied)
        if self.width % self.heads:
            raise InputError("heads", f"须整除宽度 {self.width}。", f"must divide the width {self.width}.")

    @classmethod
    def of(cls, config: Any) -> Shape:
        """The shape in a transformers GPT2Config."""
        return cls(
            config.n_layer, config.n_embd, config.n_head, config.vocab_size, config.n_positions,
            config.tie_word_embeddings,
        )  # fmt: skip

    @property
    def parameters(self) -> dict[str, int]:
        """Parameters part by part; their sum is the model's."""
        d, n = self.width, self.layers
        return {
            "tokens": self.vocabulary * d,
            "positions": self.positions * d,
            "attention": n * (4 * d * d + 4 * d),
            "mlp": n * (8 * d * d + 5 * d),
            "norms": n * 4 * d + 2 * d,
            "output": 0 if self.tied else self.vocabulary * d,
        }

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.parameters.values())

    def weights(self, dtype: str) -> int:
        """Bytes of the weights; in int8 the matrices, with a float32 scale for each output, the rest in float32."""
        if dtype != "int8":
            return self.total * BYTES[dtype]
        d, n = self.width, self.layers
        matrices = n * 12 * d * d + self.vocabulary * d  # the output matrix is one of them, tied or not
        scales = n * 9 * d + self.vocabulary
        rest = n * 13 * d + 2 * d + (self.vocabulary + self.positions) * d  # the token table stays to be looked up in
        return matrices + 4 * (scales + rest)

    def cache(self, dtype: str, tokens: int = 1, sequences: int = 1) -> int:
        """Bytes of keys and values; of an int8 model they are float32."""
        return 2 * self.layers * self.width * tokens * sequences * (4 if dtype == "int8" else BYTES[dtype])

    def needed(self, dtype: str, sequences: int = 1) -> int:
        """Bytes to run it with full contexts: weights, keys and values, workspace."""
        weights = self.weights(dtype)
        return round(weights * (1 + WORKSPACE)) + self.cache(dtype, self.positions, sequences)


@dataclass(frozen=True)
class Fitting(Shape):
    """A shape, the dtype that is wanted, and how many full contexts run at once."""

    dtype: str = "float16"
    sequences: int = 1

    def __post_init__(self):
        super().__post_init__()
        choice("dtype", self.dtype, tuple(BYTES))
        object.__setattr__(self, "sequences", number("sequences", self.sequences, (1, 1000)))


@dataclass(frozen=True)
class Fit:
    """Whether a shape runs in a dtype within a machine's memory, in bytes."""

    dtype: str
    weights: int
    cache: int
    needed: int
    fits: bool


def fits(shape: Shape, memory: int, sequences: int = 1) -> list[Fit]:
    """Each dtype against the memory there is."""
    return [
        Fit(
            dtype,
            shape.weights(dtype),
            shape.cache(dtype, shape.positions, sequences),
            shape.needed(dtype, sequences),
            shape.needed(dtype, sequences) <= memory,
        )
        for dtype in BYTES
    ]


def verdict(shape: Shape, memory: int, wanted: str, sequences: int = 1, gpu: bool = False) -> tuple[str, str]:
    """Whether it fits into the memory that models may take here, and what this page does: Chinese and English."""
    needed = {dtype: size(shape.needed(dtype, sequences), 3) for dtype in BYTES}
    small = {dtype: shape.needed(dtype, sequences) <= memory for dtype in BYTES}
    here, own = size(memory, 3), "bfloat16" if gpu else "float32"
    zh, en = ("装得下", "fits") if small[wanted] else ("装不下", "does not fit")
    zh = f"{wanted} 要 {needed[wanted]}，这里给模型 {here}：{zh}。"
    en = f"{wanted} takes {needed[wanted]}, models may take {here} here: it {en}."
    if small[own]:
        return f"{zh}这个页面按 {own} 载入它：{needed[own]}。", f"{en} This page loads it in {own}: {needed[own]}."
    if small["int8"] and not gpu:
        return (
            f"{zh}这个页面在 CPU 上按 float32 载入（要 {needed['float32']}）；请在“续写”“问答”的“精度”里选 int8"
            f"（{needed['int8']}）：矩阵逐个读入、逐个取整，完整的模型从不进内存。",
            f"{en} On a CPU this page loads float32 ({needed['float32']}): choose int8 ({needed['int8']}) under "
            "“precision” in Continue and Chat. Matrices are read and rounded one by one, never all of them in memory.",
        )
    return (
        f"{zh}这个页面也没有装得下的精度：在“续写”“问答”的“精度”里选“摊开”，accelerate 的 device_map "
        "把层分到显卡、内存和硬盘上（慢），或接一台服务器。",
        f"{en} Nor does any dtype that this page loads: choose spread under “precision” in Continue and Chat, and "
        "accelerate's device_map lays the layers over GPUs, memory and disk (slow), or let a server run it.",
    )


def size(count: int, digits: int = 4) -> str:
    """Bytes in a unit that fits."""
    for scale, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= scale:
            return f"{count / scale:{f'.{digits}g' if count < 1000 * scale else ',.0f'}} {unit}"
    return f"{count} B"

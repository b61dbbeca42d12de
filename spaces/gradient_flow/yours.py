"""Yours: a visitor's own nn.RNN, nn.LSTM or nn.GRU; how far back does its gradient reach?

Each layer and direction runs on noise (the first) or on what the layer below puts out, by torch's equations, and its
∂s_T/∂s_t is taken with its inputs held fixed. Try the samples: torch's own initialisation of an LSTM forgets half in
about one step; the same weights with 2 added to the forget bias reach much further.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from shared.experiment import choice, number
from shared.i18n import power_of_ten, tr
from spaces.gradient_flow import half_life
from spaces.gradient_flow.cells import Linearised
from spaces.gradient_flow.flow import exploded
from spaces.gradient_flow.state_dict import Layer, Recurrent, parse, read
from spaces.gradient_flow.sweep import flushed, sweep

LENGTH, SEED = (2, 1000), (0, 2**31 - 1)
EXACT = 256
"""Up to this hidden size the whole Jacobian is swept, above it PROBES random combinations of its rows."""
PROBES = 32
SQUARINGS = 16
KEEPS = {"lstm": "forget", "gru": "update"}
"""The gate that keeps: LSTM's f, torch's z."""


@dataclass(frozen=True)
class Kept:
    """What the keeping gate does along the run: its mean, the 5 % and 95 % quantiles of the units' means."""

    mean: float
    low: float
    high: float
    half_life: float
    """By the gate's mean logarithm, as if nothing but the carry existed."""


@dataclass(frozen=True)
class LayerFlow:
    """One layer in one direction."""

    index: int
    reverse: bool
    log10: np.ndarray
    """log10 ‖∂s_T/∂s_t‖, t = 0 … T−1 in the order of reading; NaN where it exploded or the weights are broken."""
    rate: float
    """Decades per step back."""
    radii: dict[str, float]
    """Spectral radius of each gate's U."""
    kept: Kept | None
    exploded: int | None
    """The first step whose state is not finite."""
    broken: tuple[str, ...]
    """Tensors with NaN or infinities."""

    @property
    def name(self) -> str:
        zh, en = ("，反向", ", reverse") if self.reverse else ("", "")
        return tr(f"第 {self.index + 1} 层{zh}", f"layer {self.index + 1}{en}")

    @property
    def half_life(self) -> float:
        return half_life.half_life(self.rate)

    @property
    def regime(self) -> str:
        return half_life.regime(self.rate, len(self.log10))


@dataclass(frozen=True)
class Report:
    """What was found; `network` says what was read."""

    network: Recurrent
    layers: tuple[LayerFlow, ...]
    length: int
    exact: bool

    def verdict(self) -> str:
        """One sentence for each language about the whole network (tr)."""
        broken = [name for layer in self.layers for name in layer.broken]
        if broken:
            few = ", ".join(broken[:3])
            return tr(f"权重里有 NaN 或无穷：{few}。", f"The weights hold NaN or infinities: {few}.")
        worst = min(self.layers, key=_severity)
        zh, en = _sentence(worst, self.length)
        name = f"{self.network.kind} {self.network.inputs} → {self.network.hidden}"
        return tr(f"{name}：{zh}", f"{name}: {en}")


Progress = Callable[[float], None]


def examine(network: Recurrent, length: int = 200, seed: int = 0, progress: Progress | None = None) -> Report:
    """Run the network on noise of unit variance and measure every layer; progress hears the share done, 0 to 1."""
    length, seed = number("length", length, LENGTH), number("seed", seed, SEED)
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(length, network.inputs, generator=random, dtype=torch.float64)
    flows: list[LayerFlow] = []
    outputs: list[Tensor] = []
    for i, layer in enumerate(network.layers):
        if layer.index > network.layers[i - 1].index and i:
            x, outputs = torch.cat(outputs, -1), []
        told = progress and (lambda share, i=i: progress((i + share) / len(network.layers)))
        found, h = _layer_flow(layer, x, told)
        flows.append(found)
        outputs.append(h)
    return Report(network, tuple(flows), length, network.hidden <= EXACT)


def examine_file(
    path: str | Path,
    nonlinearity: str = "tanh",
    length: int = 200,
    seed: int = 0,
    prefix: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """`examine` of a safetensors state dict."""
    return examine(parse(read(path), nonlinearity, prefix), length, seed, progress)


def _layer_flow(layer: Layer, x: Tensor, progress: Progress | None) -> tuple[LayerFlow, Tensor]:
    """Its flow, and its outputs (T, H) in the order of time."""
    nothing = np.full(len(x), np.nan)
    if layer.broken:
        radii = dict.fromkeys(layer.cell.gates, math.nan)
        flow = LayerFlow(layer.index, layer.reverse, nothing, math.nan, radii, None, None, layer.broken)
        return flow, torch.full((len(x), layer.cell.hidden), torch.nan, dtype=x.dtype)
    line = layer.cell.run(x.flip(0) if layer.reverse else x)
    burst = exploded(line)
    log10 = nothing if burst is not None else norms(line, progress)
    radii = {gate: spectral_radius(U) for gate, U in zip(layer.cell.gates, layer.cell.U, strict=True)}
    kept = None if burst is not None else _kept(line)
    h = line.states[1:, 0]
    flow = LayerFlow(layer.index, layer.reverse, log10, half_life.rate(log10), radii, kept, burst, ())
    return flow, h.flip(0) if layer.reverse else h


def norms(line: Linearised, progress: Progress | None = None) -> np.ndarray:
    """log10 of ‖∂s_T/∂s_t‖ (T,): exact up to EXACT hidden units, above estimated, to some 0.05 decades."""
    if line.cell.hidden <= EXACT:
        return sweep(line, False, progress)[0].numpy()
    with flushed():
        return probe(line, PROBES, progress)


def probe(line: Linearised, count: int, progress: Progress | None = None) -> np.ndarray:
    """log10 of √mean ‖v·∂s_T/∂s_t‖² over `count` normal rows v, whose expectation is the Frobenius norm squared."""
    random = torch.Generator().manual_seed(0)
    width = line.cell.parts * line.cell.hidden
    rows = torch.randn(count, width, generator=random, dtype=line.states.dtype) / math.sqrt(count)
    out, exponent = np.full(len(line), -np.inf), 0.0
    for t in range(len(line), 0, -1):
        rows = line.pull(rows, t)
        size = float(rows.norm())
        if size == 0 or not math.isfinite(size):
            out[:t] = -np.inf if size == 0 else np.nan
            break
        rows, exponent = rows / size, exponent + math.log10(size)
        out[t - 1] = exponent
        if progress and t % 16 == 1:
            progress(1 - (t - 1) / len(line))
    return out


def spectral_radius(U: Tensor) -> float:
    """The largest |eigenvalue| of U (H, H); above EXACT by Gelfand's formula, ‖U^k‖^{1/k} with k = 2^SQUARINGS."""
    if len(U) <= EXACT:
        return float(torch.linalg.eigvals(U).abs().max())
    power, log = U.float(), 0.0
    for k in range(SQUARINGS + 1):
        size = float(power.norm())
        if size == 0:
            return 0.0
        log += math.log(size) / 2**k
        if k < SQUARINGS:
            power = (power / size) @ (power / size)
    return math.exp(log)


def _kept(line: Linearised) -> Kept | None:
    name = line.cell.name
    if name not in KEEPS:
        return None
    gate = line.gates[:, line.cell.gates.index(KEEPS[name])]  # (T, H)
    units = gate.mean(0)
    low, high = torch.quantile(units, torch.tensor([0.05, 0.95], dtype=units.dtype)).tolist()
    return Kept(float(gate.mean()), low, high, half_life.by_the_gates(line))


def _severity(layer: LayerFlow) -> float:
    """The worst layer is the least: explosions first, then the quickest to forget."""
    return -math.inf if layer.regime == "explode" else layer.rate


def _sentence(layer: LayerFlow, length: int) -> tuple[str, str]:
    zh_name, _, en_name = layer.name.partition("\u2063")
    if layer.exploded is not None:
        at = layer.exploded
        return f"{zh_name}在第 {at} 步溢出：状态已不是有限数。", f"{en_name} overflows at step {at}."
    change = layer.log10[0]
    far = power_of_ten(change) if math.isfinite(change) else "0"
    if layer.regime == "explode":
        return (
            f"{zh_name}的梯度会爆炸：往回 {length} 步，范数到了 {far}。训练时要裁剪，或减小 U 的谱半径。",
            f"the gradient of {en_name} explodes: {length} steps back its norm is {far}. Clip it, or shrink U.",
        )
    if layer.regime == "stable":
        return (
            f"往回 {length} 步梯度的量级不变，最弱的是{zh_name}。",
            f"over {length} steps the gradient keeps its magnitude; the weakest is {en_name}.",
        )
    steps = f"{layer.half_life:.2g}"
    zh = f"{zh_name}的梯度会消失：每 {steps} 步减半，往回 {length} 步，范数只有 {far}。"
    en = f"the gradient of {en_name} vanishes: it halves every {steps} steps; {length} steps back its norm is {far}."
    if layer.kept:
        zh += f"它的遗忘门平均只留 {layer.kept.mean:.2f}。" if layer.kept.mean < 0.9 else ""
        en += f" Its keeping gate keeps {layer.kept.mean:.2f} on average." if layer.kept.mean < 0.9 else ""
    return zh, en


# ---- samples, made here: no file of anybody's


def _default(kind: type, **options: object) -> dict[str, Tensor]:
    return dict(kind(32, 64, **options).state_dict())


def _forgetful(bias: float) -> dict[str, Tensor]:
    state = _default(nn.LSTM)
    state["bias_ih_l0"][64:128], state["bias_hh_l0"][64:128] = bias, 0.0
    return state


def _with_recurrence(scale: float) -> dict[str, Tensor]:
    state = _default(nn.RNN)
    state["weight_hh_l0"] = scale * nn.init.orthogonal_(torch.empty(64, 64))
    return state


SAMPLES: dict[str, tuple[str, Callable[[], dict[str, Tensor]]]] = {
    "lstm": (tr("nn.LSTM，默认初始化", "nn.LSTM as torch draws it"), lambda: _default(nn.LSTM)),
    "lstm_forget_2": (tr("nn.LSTM，遗忘偏置 2", "nn.LSTM, forget bias 2"), lambda: _forgetful(2.0)),
    "gru": (
        tr("nn.GRU，两层双向", "nn.GRU, two layers, both ways"),
        lambda: _default(nn.GRU, num_layers=2, bidirectional=True),
    ),
    "rnn_orthogonal": (tr("nn.RNN，U 正交", "nn.RNN, U orthogonal"), lambda: _with_recurrence(1.0)),
    "rnn_steep": (tr("nn.RNN，U = 3 × 正交", "nn.RNN, U = 3 × orthogonal"), lambda: _with_recurrence(3.0)),
}


def sample(name: str) -> dict[str, Tensor]:
    """The state dict of a sample: the same numbers every time."""
    make = SAMPLES[choice("sample", name, tuple(SAMPLES))][1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {key: tensor.detach().contiguous() for key, tensor in make().items()}


def write_sample(name: str, folder: str | Path) -> Path:
    """The sample as FOLDER/NAME.safetensors, to look at or to upload."""
    path = Path(folder) / f"{choice('sample', name, tuple(SAMPLES))}.safetensors"
    save_file(sample(name), path)
    return path

"""A stranger's nn.RNN, nn.LSTM or nn.GRU from a safetensors file: looked over before anything is allocated.

Which of the three it is follows from the rows of weight_hh: H, 4H or 3H. Several layers, both directions, missing
biases and a prefix ("encoder.rnn.") are fine; a projection (proj_size) and pickles are not. Every refusal is one
InputError with the field "file".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from shared.experiment import InputError, choice
from spaces.gradient_flow.cells import Cell
from spaces.gradient_flow.torch_gru import TorchGru

MOST_BYTES, MOST_HEADER = 64 * 2**20, 2**20
MOST_HIDDEN, MOST_INPUT, MOST_LAYERS = 1024, 8192, 16
FLOATS = ("F16", "BF16", "F32", "F64")
KINDS = {1: "RNN", 3: "GRU", 4: "LSTM"}
NONLINEARITIES = ("tanh", "relu")
KEY = re.compile(r"(.*?)(weight|bias)_(ih|hh|hr)(?:_l(\d{1,3}))?(_reverse)?")


@dataclass(frozen=True)
class Layer:
    """One layer in one direction, in float64."""

    index: int
    reverse: bool
    cell: Cell
    broken: tuple[str, ...]
    """Its tensors that hold NaN or infinities."""


@dataclass(frozen=True)
class Recurrent:
    """A recurrent network of torch; `layers` from the first to the last, forward before reverse."""

    kind: str
    prefix: str
    layers: tuple[Layer, ...]
    others: tuple[str, ...] = ()
    """Prefixes of further recurrent networks in the same file."""

    @property
    def inputs(self) -> int:
        return self.layers[0].cell.W.shape[-1]

    @property
    def hidden(self) -> int:
        return self.layers[0].cell.hidden

    @property
    def parameters(self) -> int:
        return sum(a.numel() for layer in self.layers for a in (layer.cell.W, layer.cell.U, layer.cell.b))


def read(path: str | Path) -> dict[str, Tensor]:
    """The recurrent tensors of a safetensors file by name; InputError where it is none, too large, or not of floats."""
    path = Path(path)
    _check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if KEY.fullmatch(name)]  # noqa: SIM118
            for name in names:
                _check_type(_short(name), file.get_slice(name).get_dtype())
            return {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as reason:
        raise _damaged() from reason


def _check_type(name: str, kind: str) -> None:
    if kind not in FLOATS:
        listed = ", ".join(FLOATS)
        raise wrong(f"{name} 的类型是 {kind}，须为 {listed}。", f"has {name} of type {kind}, must be {listed}.")


def _check_header(path: Path) -> None:
    """Size, first bytes and the header's own account of itself."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            first = file.read(8)
            length = int.from_bytes(first, "little")
            if size > MOST_BYTES:
                megabytes = f"{size / 2**20:.1f} MB"
                raise wrong(f"有 {megabytes}，至多 64 MB。", f"has {megabytes}, at most 64 MB are read.")
            if first[:2] == b"PK" or first[:1] == b"\x80":
                raise wrong(
                    "是 pickle（torch.save 的格式），载入它等于运行别人的代码；请用 safetensors 的 save_file 另存。",
                    "is a pickle (of torch.save), which can run foreign code: save it with safetensors' save_file.",
                )
            if len(first) < 8 or length < 2 or length > size - 8:
                raise _damaged()
            if length > MOST_HEADER:
                raise wrong("文件头超过 1 MB。", "has a header of more than 1 MB.")
            if not isinstance(json.loads(file.read(length)), dict):
                raise _damaged()
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as reason:
        raise _damaged() from reason


def parse(tensors: Mapping[str, Tensor], nonlinearity: str = "tanh", prefix: str | None = None) -> Recurrent:
    """The network that the tensors of a state dict make; `nonlinearity` is what no state dict tells of an nn.RNN.

    Where the file holds several, the first by name, or that of `prefix`. InputError for what does not fit together.
    """
    choice("nonlinearity", nonlinearity, NONLINEARITIES)
    found = _grouped(tensors)
    prefix = min(found) if prefix is None else choice("prefix", prefix, tuple(found))
    places = sorted(found[prefix])
    directions = 2 if any(reverse for _, reverse in places) else 1
    depth = places[-1][0] + 1
    if depth > MOST_LAYERS:
        raise wrong(f"有 {depth} 层，至多 {MOST_LAYERS} 层。", f"has {depth} layers, at most {MOST_LAYERS} are read.")
    expected = [(k, reverse) for k in range(depth) for reverse in (False, True)[:directions]]
    if missing := [place for place in expected if place not in places]:
        name = "weight_hh" + _suffix(*missing[0])
        raise wrong(f"缺少 {name}。", f"lacks {name}.")
    layers = [_layer(prefix, place, found[prefix][place], nonlinearity) for place in expected]
    _check_stack(layers, directions)
    kind = KINDS[len(layers[0].cell.U)]
    return Recurrent(kind, prefix, tuple(layers), tuple(sorted(set(found) - {prefix})))


def _grouped(tensors: Mapping[str, Tensor]) -> dict[str, dict[tuple[int, bool], dict[str, Tensor]]]:
    """prefix → (layer, reverse) → {"weight_ih": …}; only prefixes with a weight_hh."""
    found: dict = {}
    for name, tensor in tensors.items():
        if match := KEY.fullmatch(name):
            prefix, sort, side, layer, reverse = match.groups()
            if side == "hr":
                raise wrong(
                    "有投影（proj_size > 0 的 LSTM，weight_hr），这里不支持。",
                    "has a projection (an LSTM with proj_size > 0, weight_hr), which is not supported here.",
                )
            place = (int(layer or 0), bool(reverse))
            found.setdefault(prefix, {}).setdefault(place, {})[f"{sort}_{side}"] = tensor
    found = {p: places for p, places in found.items() if any("weight_hh" in parts for parts in places.values())}
    if not found:
        raise wrong(
            "里没有 nn.RNN、nn.LSTM 或 nn.GRU 的权重（weight_ih_l0、weight_hh_l0 …）。",
            "holds no weights of an nn.RNN, nn.LSTM or nn.GRU (weight_ih_l0, weight_hh_l0, …).",
        )
    return found


def _layer(prefix: str, place: tuple[int, bool], parts: dict[str, Tensor], nonlinearity: str) -> Layer:
    suffix = _suffix(*place)
    for name in ("weight_ih", "weight_hh"):
        if name not in parts or parts[name].ndim != 2:
            raise wrong(f"缺少矩阵 {name}{suffix}。", f"lacks the matrix {name}{suffix}.")
    (rows, hidden), inputs = parts["weight_hh"].shape, parts["weight_ih"].shape[1]
    if not 1 <= hidden <= MOST_HIDDEN or not 1 <= inputs <= MOST_INPUT:
        raise wrong(
            f"weight_hh{suffix} 的隐藏维是 {hidden}（1 到 {MOST_HIDDEN}），输入维是 {inputs}（1 到 {MOST_INPUT}）。",
            f"has hidden size {hidden} (1 to {MOST_HIDDEN}) and input size {inputs} (1 to {MOST_INPUT}) at {suffix}.",
        )
    if rows % hidden or rows // hidden not in KINDS:
        raise wrong(
            f"weight_hh{suffix} 的形状是 {rows} × {hidden}，行数须为列数的 1（RNN）、3（GRU）或 4（LSTM）倍。",
            f"has weight_hh{suffix} of {rows} × {hidden}: rows must be 1 (RNN), 3 (GRU) or 4 (LSTM) times the columns.",
        )
    _check_shapes(parts, rows, inputs, suffix)
    broken = tuple(f"{prefix}{name}{suffix}" for name, tensor in parts.items() if not tensor.isfinite().all())
    return Layer(*place, _cell(parts, rows // hidden, nonlinearity), broken)


def _check_shapes(parts: dict[str, Tensor], rows: int, inputs: int, suffix: str) -> None:
    wanted = {"weight_ih": (rows, inputs), "bias_ih": (rows,), "bias_hh": (rows,)}
    for name, shape in wanted.items():
        if name in parts and tuple(parts[name].shape) != shape:
            has, fits = _written(parts[name].shape), _written(shape)
            raise wrong(f"{name}{suffix} 的形状是 {has}，应为 {fits}。", f"has {name}{suffix} of {has}, not {fits}.")
    if ("bias_ih" in parts) != ("bias_hh" in parts):
        raise wrong(f"bias_ih 与 bias_hh（{suffix}）只有其一。", f"has but one of bias_ih and bias_hh ({suffix}).")


def _check_stack(layers: list[Layer], directions: int) -> None:
    """All layers of one kind and width, each reading what the one below puts out."""
    first = layers[0].cell
    for layer in layers:
        reads = first.W.shape[-1] if layer.index == 0 else directions * first.hidden
        if layer.cell.U.shape != first.U.shape or layer.cell.W.shape[-1] != reads:
            name = "weight_ih" + _suffix(layer.index, layer.reverse)
            raise wrong(f"{name} 与其他层不相配。", f"has a {name} that does not fit the other layers.")


def _cell(parts: dict[str, Tensor], gates: int, nonlinearity: str) -> Cell:
    """torch's gates come in the order of `cells.GATES`: i f g o, r z n."""
    part = {name: tensor.to(torch.float64).unflatten(0, (gates, -1)) for name, tensor in parts.items()}
    W, U = part["weight_ih"], part["weight_hh"]
    zero = torch.zeros(gates, U.shape[-1], dtype=torch.float64)
    b_ih, b_hh = part.get("bias_ih", zero), part.get("bias_hh", zero)
    if gates == 3:
        b = b_ih + b_hh
        b[2] = b_ih[2]
        return TorchGru("gru", W, U, b, inner=b_hh[2])
    name = "lstm" if gates == 4 else "rnn_relu" if nonlinearity == "relu" else "rnn"
    return Cell(name, W, U, b_ih + b_hh)


def _suffix(layer: int, reverse: bool) -> str:
    return f"_l{layer}{'_reverse' * reverse}"


def _written(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:28] + "…" + name[-30:]


def wrong(zh: str, en: str) -> InputError:
    """A sentence about the field "file"."""
    return InputError("file", zh, en)


def _damaged() -> InputError:
    return wrong("不是完整的 safetensors 文件。", "is no complete safetensors file.")

"""512 trained positions, 262,144 read: the hierarchical decomposition of position embeddings.

The claim (kexue.fm/archives/7947): n trained vectors p_1..p_n hold n² positions,
    q_{(i−1)n+j} = α u_i + (1−α) u_j,   u = (p − α p_1) / (1−α),   which is   p_j + α/(1−α) (p_i − p_1);
the first n stay as they were trained, so short texts are read exactly as before. 0 < α < 1, and not ½, for
then (i, j) and (j, i) are the same vector. The article's default is 0.4.

Try first: `extend_positions(AutoModel.from_pretrained(…), length=4096).save_pretrained(OUT)`, which plain
transformers loads without this code; or `extend_positions(model)`, which reads n² positions on the fly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.experiment import InputError

if TYPE_CHECKING:  # building the page loads no model code
    from transformers import PreTrainedModel

ALPHA = 0.4
ON_THE_FLY = 2**18  # positions computed from fewer rows, at most: a table written out to 32,768 would give 2**30
# How to continue a table p (n, d). The last four are what people do without the decomposition.
WAYS = ("hierarchical", "tile", "clamp", "random", "zero")


def check_alpha(alpha: float, half: bool = False) -> float:
    """The α as a float; InputError where the decomposition is undefined (≤ 0, ≥ 1) or ambiguous (½).

    half: let ½ pass, for figures that show why it breaks.
    """
    if not 0 < alpha < 1:
        zh = f"须在 0 与 1 之间（不含两端），现为 {alpha}"
        raise InputError("alpha", zh, f"must lie strictly between 0 and 1, got {alpha}")
    if abs(alpha - 0.5) < 1e-6 and not half:
        raise InputError(
            "alpha",
            "不能为 1/2：此时位置 (i, j) 与 (j, i) 的向量相同，模型无法区分",
            "must not be 1/2: (i, j) and (j, i) would share one vector and could not be told apart",
        )
    return float(alpha)


def check_length(length: int, n: int) -> int:
    """The length as an int; InputError outside n .. n², what n trained positions can be decomposed into."""
    if not n <= length <= n * n:
        zh = f"须在 {n} 与 {n * n} 之间（n 与 n²），现为 {length}"
        raise InputError("length", zh, f"must lie between {n} and {n * n} (n and n²), got {length}")
    return int(length)


def hierarchical(p: Tensor, length: int, alpha: float = ALPHA) -> Tensor:
    """Continue trained positions p (n, d) to (length, d), length ≤ n²; the first n are p, bit for bit."""
    alpha, length = check_alpha(alpha), check_length(length, len(p))
    index = torch.arange(length, device=p.device)
    return compose(index, p.float(), alpha).to(p.dtype)


def continue_positions(
    p: Tensor, length: int, way: str = "hierarchical", alpha: float = ALPHA, seed: int = 0
) -> Tensor:
    """Continue p (n, d) to (length, d) in one of WAYS; random rows are normal with p's mean and std."""
    if way not in WAYS:
        raise InputError("way", f"须为 {'、'.join(WAYS)} 之一", f"must be one of {', '.join(WAYS)}")
    if way == "hierarchical":
        return hierarchical(p, length, alpha)
    n, index = len(p), torch.arange(check_length(length, len(p)), device=p.device)
    if way == "tile":
        return p[index % n]
    if way == "clamp":
        return p[index.clamp(max=n - 1)]
    rest = p.new_zeros(length - n, p.shape[1])
    if way == "random":
        noise = torch.randn(rest.shape, generator=torch.Generator().manual_seed(seed)).to(p)
        rest = noise * p.std(dim=0) + p.mean(dim=0)
    return torch.cat([p, rest])


def compose(index: Tensor, p: Tensor, alpha: float) -> Tensor:
    """q at 0-based positions index (…) from p (n, d) → (…, d); (p_i − p_1) is exactly 0 for the first n."""
    outer = (p - p[:1]) * (alpha / (1 - alpha))  # (n, d)
    q = F.embedding(index % len(p), p)
    return q.add_(F.embedding(index // len(p), outer))


class HierarchicalEmbedding(nn.Embedding):
    """A position table of n rows that answers n² positions; what is trained and saved stays the n rows.

    offset: rows before position 0, as RoBERTa keeps for padding (its position 0 is row padding_idx + 1).
    """

    def __init__(self, weight: nn.Parameter, alpha: float = ALPHA, offset: int = 0, padding_idx: int | None = None):
        super().__init__(*weight.shape, padding_idx=padding_idx, _weight=weight.data)
        self.weight, self.alpha, self.offset = weight, check_alpha(alpha), offset

    def forward(self, position: Tensor) -> Tensor:
        """position (…) of rows, the offset included → (…, d)."""
        q = compose((position - self.offset).clamp(min=0), self.weight[self.offset :], self.alpha)
        if self.offset == 0:
            return q
        early = position < self.offset
        return torch.where(early[..., None], F.embedding(position.clamp(max=self.offset - 1), self.weight), q)


def find_positions(model: PreTrainedModel) -> tuple[nn.Module, nn.Embedding, int]:
    """(the module that owns it, the learned absolute position table, rows before position 0) of an encoder.

    InputError where there is none, or more than one: rotary, relative, sinusoidal and encoder-decoder models.
    """
    found = [m for m in model.modules() if isinstance(getattr(m, "position_embeddings", None), nn.Embedding)]
    kind = getattr(model.config, "position_embedding_type", None) or "absolute"
    if len(found) != 1 or kind != "absolute":
        name = type(model).__name__
        raise InputError(
            "model",
            f"{name} 没有唯一的可学习绝对位置表（旋转、相对或编码器-解码器位置无法分解）",
            f"{name} has no single table of learned absolute positions "
            "(rotary, relative and encoder-decoder positions cannot be decomposed)",
        )
    table = found[0].position_embeddings
    trained = getattr(model.config, "max_position_embeddings", table.num_embeddings)
    # RoBERTa counts from padding_idx + 1; Nystromformer adds two rows to what its configuration says.
    offset = table.num_embeddings - trained if table.padding_idx is None else table.padding_idx + 1
    return found[0], table, offset


def position_capacity(model: PreTrainedModel) -> int:
    """How many tokens the model can read: its positions, n² or ON_THE_FLY where they are computed on the fly."""
    _, table, offset = find_positions(model)
    n = table.num_embeddings - offset
    return most_on_the_fly(n) if isinstance(table, HierarchicalEmbedding) else n


def most_on_the_fly(n: int) -> int:
    """n², at most ON_THE_FLY; never fewer than the n trained ones."""
    return min(n * n, max(ON_THE_FLY, n))


def extend_positions(
    model: PreTrainedModel, alpha: float = ALPHA, length: int | None = None, way: str = "hierarchical"
) -> PreTrainedModel:
    """Let an encoder with n learned absolute positions read more tokens; changes the model and returns it.

    length: tokens, n to n²; the table is written out, save_pretrained gives an ordinary checkpoint.
    None: n² tokens, ON_THE_FLY at most, computed from the n rows, which stay what is trained and saved.
    way: "hierarchical" or, for comparison, one of the naive WAYS (with a length).
    InputError: α outside (0, 1) or ½, a length outside n .. n², a model without such positions.
    Source: kexue.fm/archives/7947.
    """
    owner, table, offset = find_positions(model)
    n, extra = table.num_embeddings - offset, table.num_embeddings - model.config.max_position_embeddings
    if length is None and way == "hierarchical":
        owner.position_embeddings = HierarchicalEmbedding(table.weight, alpha, offset, table.padding_idx)
        _resize_buffers(owner, most_on_the_fly(n) + offset - extra)
        return model
    length = n * n if length is None else length
    rows = continue_positions(table.weight.detach()[offset:], length, way, alpha)
    rows = torch.cat([table.weight.detach()[:offset], rows])
    longer = nn.Embedding(len(rows), rows.shape[1], padding_idx=table.padding_idx, _weight=rows)
    longer.weight.requires_grad_(table.weight.requires_grad)
    owner.position_embeddings = longer.to(rows.dtype)
    model.config.max_position_embeddings = len(rows) - extra
    _resize_buffers(owner, len(rows) - extra)
    return model


def _resize_buffers(owner: nn.Module, size: int) -> None:
    """Buffers (1, size) beside the table: position_ids counts on from its first value, others repeat."""
    for name, buffer in list(owner.named_buffers(recurse=False)):
        if buffer.ndim != 2 or buffer.shape[0] != 1 or buffer.dtype != torch.long:
            continue
        if name == "position_ids":
            value = buffer[0, 0] + torch.arange(size, device=buffer.device)
        else:
            value = buffer[0, -1].repeat(size)
        owner.register_buffer(name, value[None], persistent=name not in owner._non_persistent_buffers_set)

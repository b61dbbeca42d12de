"""Which words still count? What a trained character model's next prediction still depends on, character by character.

For every character i of a sentence and every earlier one t: ‖∂ log p(c_i | c_0 … c_{i−1}) / ∂x_t‖, x_t the vector that
the model reads for c_t. All rows come from one sweep backwards: the gradient of each prediction enters where it was
made and all of them are pulled on together, one batched product a step. Try the same sentence with rnn and lstm, and
point at its last character.

Is a gradient what a model looks at? `occlude` asks otherwise: replace c_t by an unknown character, and see how much
log p(c_i) changes; `faithfulness` compares the two by rank.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional as F

from shared.attention import attention
from shared.experiment import InputError, choices
from spaces.gradient_flow.characters import UNKNOWN, WEIGHTS, CharacterModel, Vocabulary, load
from spaces.gradient_flow.settings import CELLS

MOST = 300  # characters of a sentence
TOP = 5
NOTHING = 1e-30  # gradients below it are zero: denormal numbers would cost 30 times the time
ROWS = 32  # predictions of the transformer differentiated at once
SAMPLES = (
    "他说：“今天天气很好，我们到河边去走一走，看看水里的鱼，晚上再回来。”",
    "《荷塘的早晨》是一部以江南水乡为背景的小说，全书共二十四章，《荷塘的早晨》",
    "用户：你好，请帮我推荐一家餐馆。\n助手：好的，请问您想吃什么？\n用户：火锅。\n助手：",
    "青青园中葵，朝露待日晞。阳春布德泽，万物生光辉。",
)
"""A quotation to be closed, a title that comes back, speakers who take turns, a poem."""


@dataclass(frozen=True)
class Dependence:
    """What one model's predictions of a text of N characters depend on; row i is the prediction of character i.

    Row 0 has nothing before it and is empty; row N is the character after the end, for which the model's first choice
    stands.
    """

    cell: str
    text: str
    norms: np.ndarray
    """(N+1, N): ‖∂ log p(c_i)/∂x_t‖, zero for t ≥ i."""
    bits: np.ndarray
    """(N+1,): −log2 p(c_i | c_0 … c_{i−1}), the surprise; NaN for row 0."""
    top: tuple[tuple[tuple[str, float], ...], ...]
    """The TOP likeliest characters of each row and their probabilities; "" stands for any unknown character."""
    unknown: tuple[int, ...]
    """Places of the characters that the model does not know."""

    @cached_property
    def shares(self) -> np.ndarray:
        """(N+1, N): each row of `norms` divided by its sum."""
        total = self.norms.sum(1, keepdims=True)
        return np.divide(self.norms, total, out=np.zeros_like(self.norms), where=total > 0)

    def by_lag(self) -> np.ndarray:
        """Mean share of the character k before the one predicted, k = 1 … ⌊N/2⌋, over the rows that have them all."""
        n, shares = len(self.text), self.shares
        most = max(1, n // 2)
        rows = np.arange(most, n + 1)
        return np.array([shares[rows, rows - k].mean() for k in range(1, most + 1)])

    def latest(self, row: int, part: float = 0.5) -> int:
        """How many of the latest characters hold `part` of a row's dependence; row ≥ 1."""
        cumulated = np.cumsum(self.shares[row, :row][::-1])
        return min(row, 1 + int(np.searchsorted(cumulated, part)))

    def reach(self, part: float = 0.5) -> float:
        """The mean of `latest` over the rows of `by_lag`."""
        n = len(self.text)
        return float(np.mean([self.latest(i, part) for i in range(max(1, n // 2), n + 1)]))


def depend(text: str, cells: Sequence[str] = CELLS, folder: Path = WEIGHTS) -> dict[str, Dependence]:
    """The dependence of each cell's model on a text of 2 to MOST characters; InputError where it is none."""
    text = _checked(text)
    vocabulary = _vocabulary(folder)
    ids = vocabulary.encode(text)
    unknown = tuple(i for i, c in enumerate(ids) if c == UNKNOWN)
    out = {}
    for cell in choices("cells", cells, CELLS):
        model, _ = load(cell, folder)
        norms, log_p = gradients(model, torch.tensor(ids))
        said = log_p.gather(1, _targets(torch.tensor(ids), log_p)[:, None])[:, 0].double().numpy() / -np.log(2)
        first = np.full((1, len(ids)), 0.0)
        norms = np.concatenate([first, norms.double().numpy()])
        out[cell] = Dependence(cell, text, norms, np.append(np.nan, said), ((), *_top(log_p, vocabulary)), unknown)
    return out


def _top(log_p: Tensor, vocabulary: Vocabulary) -> list[tuple[tuple[str, float], ...]]:
    p, which = log_p.exp().topk(TOP)
    named = [[vocabulary.name(i) for i in row] for row in which.tolist()]
    return [tuple(zip(names, q, strict=True)) for names, q in zip(named, p.tolist(), strict=True)]


def gradients(model: CharacterModel, ids: Tensor) -> tuple[Tensor, Tensor]:
    """ids (N,) → norms (N, N), row i the prediction made after character i; and every log p (N, V)."""
    return (_of_transformer if model.name == "transformer" else _of_cell)(model, ids)


@torch.no_grad()
def _of_cell(model: CharacterModel, ids: Tensor) -> tuple[Tensor, Tensor]:
    cell, n = model.cell, len(ids)
    line = cell.run(model.embed(ids))
    log_p = model.logits(model.out(line.states[1:, 0])).log_softmax(-1)
    error = F.one_hot(_targets(ids, log_p), log_p.shape[1]) - log_p.exp()  # ∂ log p/∂ logits (N, V)
    entering = error @ model.embedding @ model.out.weight  # ∂ log p/∂h (N, H)
    rows, norms = entering.new_zeros(n, cell.parts * cell.hidden), entering.new_zeros(n, n)
    W = cell.W.flatten(0, 1)  # (G·H, E)
    for t in range(n, 0, -1):
        rows[t - 1, : cell.hidden] = entering[t - 1]
        later = F.hardshrink(rows[t - 1 :], NOTHING)
        gates, carry = line.at_gates(later, t)
        norms[t - 1 :, t - 1] = (gates.flatten(1) @ W).norm(dim=1)
        rows[t - 1 :] = line.hand_on(gates, carry, t)
    return norms, log_p


def _of_transformer(model: CharacterModel, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Every prediction is given a copy of the sequence as its own keys and values: one backward pass parts them."""
    with torch.no_grad():
        log_p = model.logits(model(ids[None])[0]).log_softmax(-1)
    x, targets, norms = model.embed(ids).detach(), _targets(ids, log_p), log_p.new_zeros(len(ids), len(ids))
    for begin in range(0, len(ids), ROWS):
        rows = torch.arange(begin, min(begin + ROWS, len(ids)))
        end = int(rows[-1]) + 1
        own = x[:end].repeat(len(rows), 1, 1).requires_grad_()  # (R, end, E)
        said = model.logits(model.out(_last_outputs(model, own, rows))).log_softmax(-1)
        (grad,) = torch.autograd.grad(said.gather(1, targets[rows, None]).sum(), own)
        norms[begin:end, :end] = grad.norm(dim=-1)
    return norms.tril(), log_p


def _last_outputs(model: CharacterModel, x: Tensor, rows: Tensor) -> Tensor:
    """The layer's output at place rows[r] of sequence r alone: x (R, T, E) → (R, H)."""
    block, each = model.block, torch.arange(len(rows))
    h = model.into(x) + block.position[: x.shape[1]]
    normal, last = block.norm(h), h[each, rows]
    w, b = block.qkv.weight, block.qkv.bias
    d = h.shape[-1]
    q = block._split(F.linear(normal[each, rows], w[:d], b[:d])[:, None])
    k, v = (block._split(y) for y in F.linear(normal, w[d:], b[d:]).chunk(2, -1))
    seen = (torch.arange(x.shape[1]) <= rows[:, None])[:, None, None]
    last = last + block.out(attention(q, k, v, mask=seen).transpose(1, 2).flatten(1))
    return model.norm(last + block.mlp(last))


def _targets(ids: Tensor, log_p: Tensor) -> Tensor:
    """What each prediction is asked for: the character that follows, and after the end the likeliest one."""
    return torch.cat([ids[1:], log_p[-1:].argmax(-1)])


@torch.no_grad()
def occlude(model: CharacterModel, ids: Tensor) -> Tensor:
    """|change of log p| (N, N) of the prediction after character i when c_t, t ≤ i, becomes an unknown character."""
    without = ids.repeat(len(ids) + 1, 1)  # the last row stays as it is
    without[:-1].fill_diagonal_(UNKNOWN)
    vectors = model(without)
    plain = model.logits(vectors[-1]).log_softmax(-1)
    targets = _targets(ids, plain)[:, None]
    log_p = [model.logits(v).log_softmax(-1).gather(1, targets)[:, 0] for v in vectors]  # (N, V) at a time
    return (torch.stack(log_p[:-1], 1) - log_p[-1][:, None]).abs().tril()


def faithfulness(model: CharacterModel, texts: Sequence[Sequence[int]], lags: int = 8) -> dict[str, float]:
    """Spearman's correlation of gradient norm and occlusion, means over texts of ids.

    `row`: among the characters before one prediction (from the fifth on); `lag`: among pairs equally far apart, at lags
    up to `lags`, where being near explains nothing.
    """
    row, lag = [], []
    for ids in map(torch.tensor, texts):
        norms, changes = gradients(model, ids)[0].numpy(), occlude(model, ids).numpy()
        row += [spearmanr(norms[i, : i + 1], changes[i, : i + 1])[0] for i in range(4, len(ids))]
        lag += [spearmanr(norms.diagonal(-k), changes.diagonal(-k))[0] for k in range(min(lags, len(ids) - 4))]
    return {"row": float(np.nanmean(row)), "lag": float(np.nanmean(lag))}


def _checked(text: str) -> str:
    if not isinstance(text, str) or not 2 <= len(text) <= MOST:
        raise InputError("text", f"须为 2 到 {MOST} 个字。", f"must have 2 to {MOST} characters.")
    return text


@lru_cache(maxsize=2)
def _vocabulary(folder: Path) -> Vocabulary:
    return Vocabulary.load(folder)


def main() -> None:
    """Print, for each cell, what the samples' predictions depend on and how faithful the gradients are."""
    texts = [_vocabulary(WEIGHTS).encode(text) for text in SAMPLES]
    found = [depend(text) for text in SAMPLES]
    for cell in CELLS:
        begun = time.process_time()
        gradients(load(cell)[0], torch.tensor(texts[1] * 3)[:100])
        line = {"cell": cell, "cpu_seconds_of_100_characters": round(time.process_time() - begun, 3)}
        line |= {f"reach_{part}": round(np.mean([one[cell].reach(part) for one in found]), 2) for part in (0.5, 0.9)}
        line |= {name: round(value, 3) for name, value in faithfulness(load(cell)[0], texts).items()}
        print(json.dumps(line))


if __name__ == "__main__":
    main()

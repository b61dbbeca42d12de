"""What pairs of characters teach before any cell trains: the embedding, and what each character alone foretells.

A table of V × V counts holds all pairs of the text, so one step over the table is worth a pass over millions of
characters. A network without memory, log p(j | i) ∝ E_j · out(tanh(B √E E_i)), learns from it; every model starts from
its embedding, and from the read-out that best maps the untrained cell's h_t to the vector learnt for character t. On a
shared core that costs half a minute, once; the cells need not spend their own minutes on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from spaces.gradient_flow.characters import CharacterModel
from spaces.gradient_flow.corpus import unigram

STEPS, RATE, DECAY = 200, 0.015, 0.6  # the rate falls over the last 60 %
CHUNK = 512  # rows of the table at a time
RIDGE = 0.01  # of the mean square of h


@dataclass(frozen=True)
class Start:
    """embedding (V, E), bias (V,); W (H, E) and b (H,) of the memoryless network; its vectors (V, E)."""

    embedding: Tensor
    bias: Tensor
    W: Tensor
    b: Tensor
    vectors: Tensor


def learn(table: np.ndarray, train: np.ndarray, embedding: int = 128, hidden: int = 256, steps: int = STEPS) -> Start:
    """The memoryless network trained on p(j | i), (V, V), each row weighted by how often i occurs."""
    torch.manual_seed(0)
    wanted = torch.from_numpy(table).to(torch.bfloat16)
    shares = torch.from_numpy(unigram(train, len(table))).float()
    words = nn.Parameter(torch.randn(len(table), embedding) * embedding**-0.5)
    bias = nn.Parameter(shares.log())
    into, out = nn.Linear(embedding, hidden), nn.Linear(hidden, embedding)
    nn.init.normal_(into.weight, std=embedding**-0.5)
    parameters = [words, bias, *into.parameters(), *out.parameters()]
    optimiser = torch.optim.Adam(parameters, RATE, betas=(0.9, 0.95), fused=True)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = RATE * min(1, (step + 1) / 10, (1 - step / steps) / DECAY)
        vectors = out(torch.tanh(into(words * embedding**0.5)))
        optimiser.zero_grad()
        at_vectors, at_words, bias.grad = _gradient(vectors.detach(), words.detach(), bias.detach(), wanted, shares)
        vectors.backward(at_vectors)
        words.grad += at_words
        optimiser.step()
    with torch.no_grad():
        vectors = out(torch.tanh(into(words * embedding**0.5)))
    return Start(*(p.detach() for p in (words, bias, into.weight, into.bias, vectors)))


def _gradient(vectors: Tensor, words: Tensor, bias: Tensor, wanted: Tensor, shares: Tensor) -> tuple[Tensor, ...]:
    """Of −Σ_i share_i Σ_j p(j | i) log softmax(words · vectors_i + bias)_j with respect to the first three."""
    fast, offset = words.to(wanted.dtype), bias.to(wanted.dtype)
    at_vectors, at_words, at_bias = torch.empty_like(vectors), torch.zeros_like(words), torch.zeros_like(bias)
    for i in range(0, len(wanted), CHUNK):
        part = vectors[i : i + CHUNK].to(wanted.dtype)
        p = torch.addmm(offset, part, fast.T).softmax(-1)
        p.sub_(wanted[i : i + CHUNK]).mul_(shares[i : i + CHUNK, None].to(p.dtype))
        at_vectors[i : i + CHUNK] = p @ fast
        at_words += p.T @ part
        at_bias += (p.new_ones(1, len(p)) @ p)[0]
    return at_vectors, at_words, at_bias


@torch.no_grad()
def prime(model: CharacterModel, start: Start, ids: Tensor) -> None:
    """Give an untrained model the embedding, the candidate's W and b, and the read-out fitted on windows ids (B, T)."""
    model.embedding.copy_(start.embedding)
    model.bias.copy_(start.bias)
    if model.name != "transformer":
        candidate = model.cell.gates.index("candidate")
        model.W[candidate], model.b[candidate] = start.W, start.b
    h = model.outputs(model.embed(ids)).flatten(0, 1).double()
    h = torch.cat([h, torch.ones_like(h[:, :1])], 1)
    square = h.T @ h
    square.diagonal().add_(RIDGE * square.diagonal().mean())
    solved = torch.linalg.solve(square, h.T @ start.vectors[ids.flatten()].double()).float()  # (H + 1, E)
    model.out.weight.copy_(solved[:-1].T)
    model.out.bias.copy_(solved[-1])
